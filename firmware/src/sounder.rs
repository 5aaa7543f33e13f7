//! What a detector sounds: fire above everything, then a test, then a chirp now and then.

use crate::{Sounder, Uptime};

/// A hush lasts this long unless it is said otherwise …
pub const HUSH_S: u32 = 600;
/// … and ends when smoke gets this much thicker, or it gets hot.
const WORSE: f32 = 2.0;
/// Between two chirps.
const CHIRP_EVERY_MS: u64 = 45_000;
/// A chirp is no alarm: it is this short (the same driver makes the evacuation signal).
const CHIRP_MS: u64 = 100;
/// A muted chirp comes back after 7 h (GB 20517: 7 ± 1 h).
const MUTED_MS: u64 = 7 * 3_600_000;
/// The test signal lasts this long.
const TEST_MS: u64 = 3_000;

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
    muted_until: Uptime,
    chirped: Option<Uptime>,
    test_until: Uptime,
}

impl Voice {
    /// Stops the sounder for `seconds`, at the smoke that there is now.
    pub fn hush(&mut self, seconds: u32, smoke_db_m: f32, now: Uptime) {
        self.hush = Some((now.after_s(seconds), smoke_db_m));
    }

    /// Somebody knows that it wants service.
    pub fn mute(&mut self, now: Uptime) {
        self.muted_until = now.after_ms(MUTED_MS);
    }

    /// Sounds the test signal.
    pub fn test(&mut self, now: Uptime) {
        self.test_until = now.after_ms(TEST_MS);
    }

    /// What sounds now.
    pub fn say(&mut self, state: SounderInput, now: Uptime) -> Sounder {
        // A hush is for one fire: it ends with it, so that the next one is heard.
        let same =
            |level: f32| !state.heat && state.smoke.is_some_and(|smoke| smoke < WORSE * level);
        self.hush = self.hush.filter(|(until, level)| now < *until && same(*level));
        if (state.smoke.is_some() || state.heat) && self.hush.is_none() {
            return Sounder::Fire;
        }
        if now < self.test_until {
            return Sounder::Test;
        }
        if !state.trouble || now < self.muted_until {
            return Sounder::Off;
        }
        match self.chirped.map(|at| now.since_ms(at)) {
            Some(ms) if ms < CHIRP_MS => Sounder::Chirp,
            Some(ms) if ms < CHIRP_EVERY_MS => Sounder::Off,
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
        [hush, test, chirp].into_iter().flatten().filter(|due| *due > now).min()
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
}
