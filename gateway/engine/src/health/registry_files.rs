//! The files of `[registry]` say something else than the registry: nothing is wrong, and nothing was taken.

use standpipe_rules::Ms;
use standpipe_rules::incidents::Text;
use tokio::sync::watch;

/// What they say, for whoever looks; empty while they say what is registered.
#[derive(Debug, Default)]
pub struct DifferingFiles(watch::Sender<Option<(Ms, Text)>>);

impl DifferingFiles {
    /// They differ, as was found then.
    pub fn set(&self, since: Ms, difference: Text) {
        self.0.send_replace(Some((since, difference)));
    }

    /// A person has taken a list in: what was found before is not true any more.
    pub fn clear(&self) {
        self.0.send_replace(None);
    }

    /// Since when, and what.
    #[must_use]
    pub fn get(&self) -> Option<(Ms, Text)> {
        self.0.borrow().clone()
    }
}
