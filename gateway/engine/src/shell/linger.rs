//! How the engine's thread waits while readings are gathered; when a batch is complete, `gather.rs` decides.

use crossbeam_channel::select;

use super::{Shell, Woken};
use crate::gather::Gathered;

impl<F: Fn() -> bool> Shell<F> {
    /// Waits for more telemetry; says whether something came that does not wait.
    pub(super) fn linger(&mut self) -> bool {
        let first = self.outlets.clock.instant();
        let (mut last, mut waiting) = (first, 1);
        let mut followed = Some(first.duration_since(self.released));
        let mut now = first;
        loop {
            // Beside those in the queue, the one that was taken.
            if self.queues.bulk.len() >= waiting {
                (waiting, last) = (self.queues.bulk.len() + 1, now);
            }
            if now > first
                && let Some(followed) = followed.take()
            {
                self.gather.begins(waiting, followed);
            }
            let (waited, quiet) = (now.duration_since(first), now.duration_since(last));
            let batch = Gathered { waiting, waited, quiet };
            let Some(step) = self.gather.wait(batch) else {
                self.gather.ends(batch);
                return false;
            };
            let (woken, came) = select! {
                recv(self.queues.urgent) -> came => (Woken::Urgent, came),
                recv(self.queues.reports) -> came => (Woken::Urgent, came),
                recv(self.queues.statuses) -> came => (Woken::Statuses, came),
                recv(self.queues.actions) -> came => (Woken::Actions, came),
                default(step) => {
                    now = self.outlets.clock.instant();
                    continue;
                }
            };
            // A queue without a sender: whoever wrote to it has gone, and the next look finds that.
            let Ok(came) = came else { return false };
            self.take_first(came, woken);
            return true;
        }
    }
}
