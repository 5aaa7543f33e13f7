//! What a detector sounds: fire above everything, then a test, then a chirp now and then.

use crate::{Sounder, Uptime};

/// A hush lasts this long unless it is said otherwise …
pub const HUSH_S: u32 = 600;
/// … and ends when smoke gets this much thicker, or it gets hot.
const WORSE: f32 = 2.0;
/// Smoke as thick as this is not hushed, dB/m: 4 % per foot, above which UL 217 has a hushed alarm
/// sound again [from memory].
const HUSH_AT_MOST_DB_M: f32 = 0.58;
/// However often it is hushed, a fire is heard again after so long, until it is over.
const HUSHED_MS: u64 = 3_600_000;
/// Between two chirps.
const CHIRP_EVERY_MS: u64 = 45_000;
/// A chirp is no alarm: it is this short (the same driver makes the evacuation signal).
const CHIRP_MS: u64 = 100;
/// A muted chirp comes back after 7 h (GB 20517: 7 ± 1 h).
const MUTED_MS: u64 = 7 * 3_600_000;
/// The test signal lasts this long.
const TEST_MS: u64 = 3_000;
/// A test that failed is heard as chirps, this far apart, for so long: nobody takes them for the
/// test signal.
const FAILED_EVERY_MS: u64 = 500;
const FAILED_MS: u64 = 10_000;

/// What a detector knows that can be heard.
#[derive(Clone, Copy, Debug)]
pub struct SounderInput {
    /// `smoke` is shouted, at this obscuration, dB/m.
    pub smoke: Option<f32>,
    /// `heat` is shouted.
    pub heat: bool,
    /// Something wants service.
    pub trouble: bool,
}

/// Who is silenced until when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Voice {
    hush: Option<(Uptime, f32)>,
    /// When this fire is heard again, however often it is hushed; 0: it was not hushed yet.
    heard_again: Uptime,
    muted_until: Uptime,
    chirped: Option<Uptime>,
    test_until: Uptime,
    failed_until: Uptime,
}

impl Voice {
    /// Stops the sounder for `seconds`, at the smoke that there is now; one fire not for longer than an
    /// hour in all. Smoke that is too thick for that is heard all the same.
    pub fn hush(&mut self, seconds: u32, smoke_db_m: f32, now: Uptime) {
        if self.heard_again == Uptime(0) {
            self.heard_again = now.after_ms(HUSHED_MS);
        }
        self.hush = Some((now.after_s(seconds).min(self.heard_again), smoke_db_m));
    }

    /// Somebody knows that it wants service.
    pub fn mute(&mut self, now: Uptime) {
        self.muted_until = now.after_ms(MUTED_MS);
    }

    /// Sounds the test signal.
    pub fn test(&mut self, now: Uptime) {
        self.test_until = now.after_ms(TEST_MS);
        self.failed_until = Uptime(0);
    }

    /// The test has failed, and whoever stands there is to hear it.
    pub fn fail(&mut self, now: Uptime) {
        self.test_until = now;
        self.failed_until = now.after_ms(FAILED_MS);
        self.chirped = None;
    }

    /// What sounds now.
    pub fn say(&mut self, state: SounderInput, now: Uptime) -> Sounder {
        // A hush is for one fire: it ends with it, so that the next one is heard.
        let same = |level: f32| {
            let limit = (WORSE * level).min(HUSH_AT_MOST_DB_M);
            !state.heat && state.smoke.is_some_and(|smoke| smoke < limit)
        };
        if state.smoke.is_none() {
            self.heard_again = Uptime(0);
        }
        self.hush = self.hush.filter(|(until, level)| now < *until && same(*level));
        if (state.smoke.is_some() || state.heat) && self.hush.is_none() {
            return Sounder::Fire;
        }
        if now < self.test_until {
            return Sounder::Test;
        }
        let failed = now < self.failed_until;
        if !failed && (!state.trouble || now < self.muted_until) {
            return Sounder::Off;
        }
        let every_ms = if failed { FAILED_EVERY_MS } else { CHIRP_EVERY_MS };
        match self.chirped.map(|at| now.since_ms(at)) {
            Some(ms) if ms < CHIRP_MS => Sounder::Chirp,
            Some(ms) if ms < every_ms => Sounder::Off,
            Some(_) | None => {
                self.chirped = Some(now);
                Sounder::Chirp
            }
        }
    }

    /// When something changes by itself.
    #[must_use]
    pub fn next(&self, now: Uptime) -> Option<Uptime> {
        let hush = self.hush.map(|hush| hush.0);
        let test = Some(self.test_until);
        let chirp = self.chirped.map(|at| at.after_ms(CHIRP_MS));
        let failed = (now < self.failed_until)
            .then(|| self.chirped.unwrap_or(now).after_ms(FAILED_EVERY_MS));
        [hush, test, chirp, failed].into_iter().flatten().filter(|due| *due > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::{SounderInput, Voice};
    use crate::{Sounder, Uptime};

    const CALM: SounderInput = SounderInput { smoke: None, heat: false, trouble: false };

    #[test]
    fn a_fire_sounds_until_it_is_hushed_and_again_when_it_gets_worse() {
        let mut voice = Voice::default();
        let smoke = |level| SounderInput { smoke: Some(level), ..CALM };
        assert_eq!(voice.say(smoke(0.2), Uptime(0)), Sounder::Fire);
        voice.hush(600, 0.2, Uptime(0));
        assert_eq!(voice.say(smoke(0.3), Uptime(1_000)), Sounder::Off);
        assert_eq!(voice.next(Uptime(1_000)), Some(Uptime(600_000)));
        assert_eq!(voice.say(smoke(0.4), Uptime(2_000)), Sounder::Fire, "twice as thick");
        assert_eq!(voice.say(smoke(0.3), Uptime(3_000)), Sounder::Fire, "the hush is over");
        voice.hush(600, 0.3, Uptime(4_000));
        let hot = SounderInput { heat: true, ..smoke(0.3) };
        assert_eq!(voice.say(hot, Uptime(5_000)), Sounder::Fire);
        voice.hush(600, 0.3, Uptime(10_000));
        assert_eq!(voice.say(smoke(0.3), Uptime(609_999)), Sounder::Off);
        assert_eq!(voice.say(smoke(0.3), Uptime(610_000)), Sounder::Fire);
        voice.hush(600, 0.3, Uptime(611_000));
        assert_eq!(voice.say(CALM, Uptime(620_000)), Sounder::Off);
        assert_eq!(voice.say(smoke(0.3), Uptime(630_000)), Sounder::Fire, "another fire");
    }

    #[test]
    fn trouble_chirps_can_be_muted_for_seven_hours_and_never_mutes_a_fire() {
        let mut voice = Voice::default();
        let trouble = SounderInput { trouble: true, ..CALM };
        assert_eq!(voice.say(trouble, Uptime(0)), Sounder::Chirp);
        assert_eq!(voice.next(Uptime(0)), Some(Uptime(100)), "it ends by itself");
        assert_eq!(voice.say(trouble, Uptime(99)), Sounder::Chirp, "a contact is no reason");
        assert_eq!(voice.say(trouble, Uptime(100)), Sounder::Off);
        assert_eq!(voice.next(Uptime(100)), None);
        assert_eq!(voice.say(trouble, Uptime(44_999)), Sounder::Off);
        assert_eq!(voice.say(trouble, Uptime(45_000)), Sounder::Chirp);
        voice.mute(Uptime(50_000));
        assert_eq!(voice.say(trouble, Uptime(100_000)), Sounder::Off);
        assert_eq!(
            voice.say(SounderInput { heat: true, ..trouble }, Uptime(110_000)),
            Sounder::Fire
        );
        assert_eq!(voice.say(trouble, Uptime(50_000 + 7 * 3_600_000)), Sounder::Chirp);
        voice.test(Uptime(100_000_000));
        assert_eq!(voice.say(CALM, Uptime(100_001_000)), Sounder::Test);
        assert_eq!(voice.say(CALM, Uptime(100_003_000)), Sounder::Off);
    }

    #[test]
    fn a_hush_has_a_ceiling_of_thickness_and_of_time() {
        let smoke = |level| SounderInput { smoke: Some(level), ..CALM };
        let mut voice = Voice::default();
        voice.hush(600, 0.58, Uptime(0));
        assert_eq!(voice.say(smoke(0.58), Uptime(1_000)), Sounder::Fire, "too thick to hush");
        voice.hush(600, 0.5, Uptime(2_000));
        assert_eq!(voice.say(smoke(0.57), Uptime(3_000)), Sounder::Off);
        assert_eq!(voice.say(smoke(0.6), Uptime(4_000)), Sounder::Fire, "not twice, but too thick");
        let mut voice = Voice::default();
        let mut silent = 0;
        for minute in 0..180 {
            voice.hush(900, 0.3, Uptime(minute * 60_000));
            let said = voice.say(smoke(0.3), Uptime(minute * 60_000 + 30_000));
            silent += u32::from(said == Sounder::Off);
        }
        assert_eq!(silent, 60, "whoever presses it every minute hushes an hour");
        assert_eq!(voice.say(CALM, Uptime(200 * 60_000)), Sounder::Off);
        voice.hush(900, 0.3, Uptime(201 * 60_000));
        assert_eq!(voice.say(smoke(0.3), Uptime(202 * 60_000)), Sounder::Off, "another fire");
    }

    #[test]
    fn a_test_that_failed_is_heard_as_one_although_chirps_are_muted() {
        let mut voice = Voice::default();
        let trouble = SounderInput { trouble: true, ..CALM };
        voice.mute(Uptime(0));
        voice.test(Uptime(1_000));
        assert_eq!(voice.say(trouble, Uptime(1_000)), Sounder::Test);
        voice.fail(Uptime(1_500));
        let mut now = Uptime(1_500);
        let (mut chirps, mut was) = (0, Sounder::Off);
        while now < Uptime(12_000) {
            let said = voice.say(trouble, now);
            chirps += u32::from(said == Sounder::Chirp && was == Sounder::Off);
            was = said;
            now = voice.next(now).unwrap_or(Uptime(12_000));
        }
        assert_eq!(chirps, 20, "twice a second for 10 s");
        assert_eq!(voice.say(trouble, Uptime(12_000)), Sounder::Off);
    }
}
