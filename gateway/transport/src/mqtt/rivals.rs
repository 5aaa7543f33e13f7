//! Whose sessions other clients have taken over: sessions write it, whoever tells people reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use standpipe_rules::Ms;
use tokio::sync::watch;

/// A session that nobody has taken for so long has no rival any more, ms.
pub const OVER_AFTER_MS: Ms = 60_000;

/// The client ids that were taken over at one broker, and when that happened last. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Rivals(Arc<watch::Sender<BTreeMap<Box<str>, Ms>>>);

impl Rivals {
    /// The broker said at `now`, on a clock that nobody sets, that it gave this session to another client.
    pub fn took(&self, client_id: &str, now: Ms) {
        self.0.send_modify(|taken| {
            taken.insert(client_id.into(), now);
        });
    }

    /// The client ids that were taken within [`OVER_AFTER_MS`]; others are forgotten.
    #[must_use]
    pub fn at(&self, now: Ms) -> Vec<Box<str>> {
        self.0.send_if_modified(|taken| {
            let before = taken.len();
            taken.retain(|_, last| now - *last < OVER_AFTER_MS);
            taken.len() != before
        });
        self.0.borrow().keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{OVER_AFTER_MS, Rivals};

    #[test]
    fn a_rival_is_over_a_minute_after_it_last_took_a_session() {
        let rivals = Rivals::default();
        assert!(rivals.at(0).is_empty());
        rivals.clone().took("b", 0);
        rivals.took("a", 10);
        rivals.took("b", 30_000);
        assert_eq!(rivals.at(OVER_AFTER_MS), ["a".into(), "b".into()]);
        assert_eq!(rivals.at(OVER_AFTER_MS + 10), ["b".into()]);
        assert!(rivals.at(OVER_AFTER_MS + 30_000).is_empty());
    }
}
