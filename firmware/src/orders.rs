//! What the device is told: by the gateway (settings, commands, the clock) and by somebody who
//! stands before it (button, magnet). Part of [`crate::Node`].

use core::fmt::Write as _;

use standpipe_shared::{Condition, Kind, Settings, Verb};

use crate::actions::{CommandAnswer, Detail};
use crate::clock::Verdict;
use crate::heard::Id;
use crate::sounder::HUSH_S;
use crate::{Actions, Fault, Hand, Heard, Node, Seen, Shout, Uptime};

/// A self-test answers within this.
const TEST_MS: u64 = 30_000;
/// A crew that only holds the button watches this long.
const LIVE_S: u32 = 300;

/// What settings are answered with whose number is that of others.
const CONFLICT: &str = "runs other settings of this rev: send them with a higher one";

/// What a restart is answered with, before it happens.
const RESTARTING: &str = "restarting";

/// Who asked for a self-test, and until when the drivers have time.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// The command; `None`: somebody before the device, whose test the gateway sees as an alarm.
    by: Option<Id>,
    pub(crate) until: Uptime,
}

/// Commands whose ids are remembered: more are rarely on their way at once with their answers lost,
/// and the smallest board has no room to spare.
const REMEMBERED: usize = 2;

/// Deduplicates commands. The gateway retries a command that was not answered, and the broker
/// redelivers one that was not acknowledged: it is answered once more, but not carried out twice.
/// A restart forgets them, so the gateway sends that command twice at most.
#[derive(Clone, Debug)]
pub(crate) struct CarriedOut {
    /// Fingerprints of ids, the newest first; 0 where there is none.
    ids: [u32; REMEMBERED],
    /// What the last self-test found.
    tested: Result<(), Fault>,
}

impl Default for CarriedOut {
    fn default() -> Self {
        Self { ids: [0; REMEMBERED], tested: Ok(()) }
    }
}

impl CarriedOut {
    fn has(&self, id: &str) -> bool {
        self.ids.contains(&fingerprint(id))
    }

    fn add(&mut self, id: &str) {
        self.ids.rotate_right(1);
        self.ids[0] = fingerprint(id);
    }
}

/// What a self-test is answered with.
fn found(outcome: Result<(), Fault>) -> Result<&'static str, &'static str> {
    outcome.map(|()| "sensors answer").map_err(Fault::as_str)
}

/// FNV-1a of an id, never 0.
pub(crate) fn fingerprint(id: &str) -> u32 {
    let fold = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    id.as_bytes().iter().fold(0x811c_9dc5, fold) | 1
}

fn answer(id: &str, outcome: Result<&'static str, &'static str>) -> CommandAnswer {
    let (ok, text) = match outcome {
        Ok(text) => (true, text),
        Err(text) => (false, text),
    };
    CommandAnswer { id: Id::try_from(id).unwrap_or_default(), ok, detail: Detail::Text(text) }
}

impl Fault {
    /// What a reply says of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "sensor does not answer: check its wires",
            Self::Garbled => "sensor answers garbage: check its wires and address",
            Self::Refused => "sensor cannot measure: replace it",
            Self::WireBroken => "loop under 3.6 mA: check for a broken wire",
            Self::OverCurrent => "loop over 21 mA: check for a short circuit",
            Self::OutOfRange => "sensor out of range: replace it",
            Self::Dark => "chamber sees no light: replace the detector",
        }
    }
}

impl Node {
    pub(crate) fn orders(&mut self, seen: &Seen, now: Uptime, out: &mut Actions) {
        match &seen.heard {
            // A receipt is the outbox's.
            None | Some(Heard::Receipt(_)) => {}
            Some(Heard::Clock(unix_ms)) => {
                self.unsaved |= self.clock.hear(*unix_ms, now) == Verdict::Learned;
            }
            Some(Heard::Settings(settings)) => self.settle(settings, now, out),
            Some(Heard::Command { id, verb, .. }) if self.carried_out.has(id) => {
                if let Some(outcome) = self.outcome_of(*verb) {
                    let _ = out.answers.push(answer(id, outcome));
                }
            }
            Some(Heard::Command { id, verb, seconds }) => {
                let outcome = self.obey(id, *verb, *seconds, now, out);
                if !matches!(outcome, Some(Err(_))) {
                    self.carried_out.add(id);
                }
                if let Some(outcome) = outcome {
                    let _ = out.answers.push(answer(id, outcome));
                }
            }
        }
        match (seen.hand, self.kind()) {
            (None, _) => {}
            (Some(Hand::Press), Kind::Hydrant) => self.rhythm.ask(now),
            (Some(Hand::Hold), Kind::Hydrant) => self.rhythm.live(LIVE_S, now),
            (Some(Hand::Press), Kind::Smoke) => self.pressed(now),
            (Some(Hand::Hold), Kind::Smoke) => self.test(None, now, out),
        }
        let over = self.test.as_ref().is_some_and(|test| now >= test.until);
        match seen.self_test {
            Some(found) => self.tested(found, now, out),
            None if over => self.tested(Err(Fault::Silent), now, out),
            None => {}
        }
    }

    fn settle(&mut self, new: &Settings, now: Uptime, out: &mut Actions) {
        if *new == self.settings || Some(new.rev) == self.refused_rev {
            return; // retained: it comes again with every connection
        }
        let mut id = Id::new();
        // Ten digits at most fit.
        let _ = write!(id, "{}{}", Settings::REPLY, new.rev);
        let bad = match (new.rev == self.settings.rev, new.faults().next()) {
            // Two gateways, or one that was set back: neither may win by chance.
            (true, _) => Some(Detail::Text(CONFLICT)),
            (false, Some(bad)) => Some(Detail::Settings(bad)),
            (false, None) => new.fault_for(self.kind()).map(Detail::Settings),
        };
        if let Some(detail) = bad {
            self.refused_rev = Some(new.rev);
            let _ = out.answers.push(CommandAnswer { id, ok: false, detail });
            return;
        }
        self.settings = *new;
        self.refused_rev = None;
        self.rhythm.settle(&self.settings, now);
        self.unsaved = true;
        out.status = true;
        let _ = out.answers.push(answer(&id, Ok("")));
    }

    /// What came of a command that was carried out; `None`: that is not known yet.
    fn outcome_of(&self, verb: Verb) -> Option<Result<&'static str, &'static str>> {
        match verb {
            Verb::ReportNow | Verb::Silence => Some(Ok("")),
            Verb::SelfTest if self.test.is_some() => None,
            Verb::SelfTest => Some(found(self.carried_out.tested)),
            Verb::Restart => Some(Ok(RESTARTING)),
        }
    }

    /// `None`: the answer comes later.
    fn obey(
        &mut self,
        id: &str,
        verb: Verb,
        seconds: Option<u32>,
        now: Uptime,
        out: &mut Actions,
    ) -> Option<Result<&'static str, &'static str>> {
        // The gateway asks for no more than this; whoever else does gets as much.
        let seconds = seconds
            .zip(verb.seconds())
            .map(|(asked, limits)| asked.clamp(*limits.start(), *limits.end()));
        match verb {
            Verb::ReportNow => {
                match seconds {
                    Some(seconds) => self.rhythm.live(seconds, now),
                    None => self.rhythm.ask(now),
                }
                Some(Ok(""))
            }
            Verb::SelfTest if self.test.is_some() => {
                Some(Err("a self-test is running: wait for its answer"))
            }
            Verb::SelfTest => {
                self.test(Id::try_from(id).ok(), now, out);
                None
            }
            Verb::Silence if self.kind() == Kind::Hydrant => {
                Some(Err("a hydrant has no sounder: nothing to silence"))
            }
            Verb::Silence => {
                self.voice.hush(seconds.unwrap_or(HUSH_S), self.smoke_db_m(), now);
                Some(Ok(""))
            }
            Verb::Restart => {
                out.restart = true;
                Some(Ok(RESTARTING))
            }
        }
    }

    /// The button of a detector: hush a fire, mute a chirp, otherwise report.
    fn pressed(&mut self, now: Uptime) {
        if self.shouts(Condition::Smoke) || self.shouts(Condition::Heat) {
            self.voice.hush(HUSH_S, self.smoke_db_m(), now);
        } else {
            self.voice.mute(now);
            self.rhythm.ask(now);
        }
    }

    fn test(&mut self, by: Option<Id>, now: Uptime, out: &mut Actions) {
        if self.test.is_some() {
            return;
        }
        out.self_test = true;
        if by.is_none() && !self.shouts(Condition::Smoke) {
            self.shout(Shout { condition: Condition::Smoke, active: true, test: true }, now, out);
        }
        if self.kind() == Kind::Smoke {
            self.voice.test(now);
        }
        self.test = Some(Test { by, until: now.after_ms(TEST_MS) });
    }

    fn tested(&mut self, found: Result<(), Fault>, now: Uptime, out: &mut Actions) {
        let Some(Test { by, .. }) = self.test.take() else { return };
        if self.kind() == Kind::Smoke {
            self.failed_test = found.is_err();
            if found.is_err() {
                self.voice.fail(now);
                self.shout_fault(now, out);
            }
        }
        match by {
            Some(id) => {
                self.carried_out.tested = found;
                let _ = out.answers.push(answer(&id, self::found(found)));
            }
            None if !self.shouts(Condition::Smoke) => {
                let (condition, active, test) = (Condition::Smoke, false, true);
                self.shout(Shout { condition, active, test }, now, out);
            }
            None => {}
        }
    }
}
