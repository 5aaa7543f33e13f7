//! One part's line about itself. What all of them come to is in `health.rs`.

use standpipe_rules::Ms;
use tokio::sync::watch;

/// One part's word about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PartStatus {
    /// It has not worked yet.
    #[default]
    Starting,
    /// It works.
    Fine,
    /// It does not.
    Failing {
        /// Since when; `None`: it has never worked.
        since: Option<Ms>,
        /// What is wrong: what to do.
        why: Box<str>,
    },
}

/// One part's line: its owner writes, anybody reads, nobody waits.
#[derive(Debug, Default)]
pub struct Part(watch::Sender<PartStatus>);

impl Part {
    /// It works.
    pub fn fine(&self) {
        self.0.send_if_modified(|status| {
            let changed = *status != PartStatus::Fine;
            *status = PartStatus::Fine;
            changed
        });
    }

    /// It does not work. Told again and again, it has been failing since it last worked; the
    /// newest reason is the one shown.
    pub fn failing(&self, now: Ms, why: &str) {
        self.0.send_modify(|status| {
            let since = match status {
                PartStatus::Starting => None,
                PartStatus::Fine => Some(now),
                PartStatus::Failing { since, .. } => *since,
            };
            *status = PartStatus::Failing { since, why: why.into() };
        });
    }

    /// The clock was set by so much: it has been failing for as long as before.
    pub(crate) fn shift(&self, by: Ms) {
        self.0.send_if_modified(|status| {
            let PartStatus::Failing { since: Some(since), .. } = status else { return false };
            *since += by;
            true
        });
    }

    /// What it said last.
    #[must_use]
    pub fn status(&self) -> PartStatus {
        self.0.borrow().clone()
    }
}
