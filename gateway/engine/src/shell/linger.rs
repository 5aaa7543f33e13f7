//! How the engine's thread waits while readings are gathered; when a batch is complete, `gather.rs` decides.

use crossbeam_channel::select;

use super::Shell;
use crate::gather::Gathered;
use crate::inbox::Inbox;

impl<F: Fn() -> bool> Shell<F> {
    /// Waits for more telemetry; says whether something came that does not wait.
    pub(super) fn linger(&mut self) -> bool {
        let first = self.outlets.clock.instant();
        let (mut last, mut waiting, mut is_first) = (first, 0, true);
        loop {
            let now = self.outlets.clock.instant();
            if self.queues.bulk.len() > waiting {
                (waiting, last) = (self.queues.bulk.len(), now);
            }
            if now > first && std::mem::take(&mut is_first) {
                self.gather.begins(waiting + 1, now.duration_since(self.released));
            }
            let (waited, quiet) = (now.duration_since(first), now.duration_since(last));
            let batch = Gathered { waiting: waiting + 1, waited, quiet };
            let Some(step) = self.gather.wait(batch) else {
                self.gather.ends(batch);
                return false;
            };
            let came = select! {
                recv(self.queues.urgent) -> inbox => inbox,
                recv(self.queues.reports) -> inbox => inbox,
                recv(self.queues.statuses) -> status => match status {
                    Ok(Inbox::Delivery(status)) => {
                        self.put(status);
                        return true;
                    }
                    other => other,
                },
                recv(self.queues.actions) -> action => match action {
                    Ok(Inbox::Delivery(action)) => {
                        self.actions.put(action);
                        return true;
                    }
                    other => other,
                },
                default(step) => continue,
            };
            // A queue without a sender: whoever wrote to it has gone, and the next look finds that.
            let Ok(inbox) = came else { return false };
            self.take(inbox);
            return true;
        }
    }
}
