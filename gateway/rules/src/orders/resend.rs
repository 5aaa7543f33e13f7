//! Commands that the broker has and nobody answered: when they are sent again.
//!
//! A broker takes a command whether or not the device has a session there, and does not say which.
//! So the device's answer is the only receipt. A device that sleeps with a session gets the command
//! when it wakes, and answers before it sleeps again. One that is heard and still does not answer
//! never got the command, or its answer was lost: it is sent the command again, under the same id,
//! so that it may answer without carrying it out twice (shared/README.md). Time alone sends nothing
//! again: while nobody is heard, nobody would hear.

use standpipe_shared::Verb;
use ulid::Ulid;

use super::{CommandState, DeviceCommand, Orders};
use crate::registry::DeviceIx;
use crate::{Changes, Ms};

/// A device that was heard has so long to answer what it got; twice as long each further time.
const ANSWER_MS: Ms = 4_000;
/// A self-test takes up to so long before it is answered: shared/README.md.
const SELF_TEST_MS: Ms = 30_000;
/// A restart is sent again so often at most. A device forgets by it which commands it carried out:
/// with its answers lost it would restart until the command expires.
const RESTARTS_MOST: u32 = 1;

impl DeviceCommand {
    /// Whether it is sent again when its device is heard and does not answer.
    pub(super) const fn may_be_sent_again(&self) -> bool {
        let allowed = match self.command {
            Verb::ReportNow | Verb::SelfTest | Verb::Silence => true,
            Verb::Restart => self.resends < RESTARTS_MOST,
        };
        allowed && matches!(self.state, CommandState::Sent) && !self.resend_owed
    }

    /// Its device was heard: it has from now on so long to answer. Later messages change nothing
    /// of that, or a talkative device would never be asked again.
    fn device_heard(&mut self, now: Ms) {
        let takes = match self.command {
            Verb::SelfTest => SELF_TEST_MS,
            Verb::ReportNow | Verb::Silence | Verb::Restart => 0,
        };
        // A command expires long before this grows out of its range.
        let patience = ANSWER_MS << self.resends.min(20);
        self.resend_at = self.resend_at.or(Some(now.saturating_add(takes + patience)));
    }

    /// It was not answered in time.
    const fn not_answered(&mut self) {
        (self.resend_owed, self.resend_at) = (true, None);
        self.resends = self.resends.saturating_add(1);
    }
}

impl Orders {
    /// Whether it matters that a device is heard. Nearly always it does not.
    #[must_use]
    pub fn wait_for_answers(&self) -> bool {
        !self.unanswered.is_empty()
    }

    /// A device sent something just now.
    pub(crate) fn heard(&mut self, device: DeviceIx, now: Ms) {
        let range = (device, u64::MIN, Ulid::nil())..=(device, u64::MAX, Ulid(u128::MAX));
        let ids: Vec<Ulid> = self.unanswered.range(range).map(|(_, _, id)| *id).collect();
        for id in ids {
            let Some(mut command) = self.take(id) else { continue };
            command.device_heard(now);
            self.set(command);
        }
    }

    /// Commands of devices that were heard and did not answer are owed to the broker again.
    pub(super) fn resend(&mut self, now: Ms, out: &mut Changes) {
        while let Some((at, _, id)) = self.resends.first().copied()
            && at <= now
        {
            let Some(mut command) = self.take(id) else { continue };
            command.not_answered();
            out.commands.push(command.clone());
            self.set(command);
        }
    }
}
