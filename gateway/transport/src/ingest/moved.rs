//! Filters that the alarm lane had once and another lane has now. A session that lasts keeps them
//! until they are given back, which must not be before the other lane has them: for a moment both get
//! a message, and none is lost.

use std::time::{Duration, Instant};

use standpipe_rules::wire::topics::{ACTION_LANE, STATUS_LANE};
use tokio::time::sleep_until;

use super::window::ReceiveWindow;
use super::{Granted, Lane};

/// How long a session keeps the status lane's filters. What the broker kept under them is taken
/// first, and behind it in the same session comes whatever was said since: else a will that
/// waited there would be taken after the word that it is wrong.
const KEEP_STATUSES: Duration = Duration::from_secs(5);

/// What a session has still to give back.
#[derive(Debug, Default)]
pub struct Moved {
    /// The status lane's filters, not before then.
    statuses: Option<Instant>,
    /// The action lane's, as soon as that has them: what is said meanwhile comes on both, and a
    /// person's comment that comes twice stands there twice.
    actions: bool,
}

impl Moved {
    /// A session of before was found then.
    pub fn since(connected: Instant) -> Self {
        Self { statuses: Some(connected + KEEP_STATUSES), actions: true }
    }

    /// Filters that are to be given back now.
    pub fn due(
        &mut self,
        granted: &Granted,
        now: Instant,
        window: &ReceiveWindow,
    ) -> Option<&'static [&'static str]> {
        if granted.has(Lane::Action) && std::mem::take(&mut self.actions) {
            return Some(&ACTION_LANE);
        }
        let may = window.is_empty() && granted.has(Lane::Status);
        let due = |not_before: &mut Instant| may && now >= *not_before;
        self.statuses.take_if(due).map(|_| STATUS_LANE.as_slice())
    }

    /// Returns when filters become due that were not; never while there are none of them.
    pub async fn falls_due(&self, granted: &Granted, now: Instant) {
        let statuses = async {
            match self.statuses {
                Some(not_before) if now < not_before || !granted.has(Lane::Status) => {
                    granted.wait(Lane::Status).await;
                    sleep_until(not_before.into()).await;
                }
                Some(_) | None => std::future::pending().await,
            }
        };
        let actions = async {
            if self.actions {
                granted.wait(Lane::Action).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = statuses => {}
            () = actions => {}
        }
    }
}
