//! When a device measures and when it reports: every interval, at once when something moves, then
//! every 15 s for 2 min; and faster while something is in doubt or a crew watches.

use standpipe_shared::Settings;

use crate::Uptime;

/// After crossing a limit a node reports this often …
const BURST_EVERY_S: u32 = 15;
/// … for this long.
const BURST_FOR_S: u32 = 120;
/// While a crew watches, it reports this often.
const LIVE_EVERY_S: u32 = 1;
/// A report because something moved comes no sooner after the last one: a pump that starts and
/// stops, or a contact that rattles, must not empty the battery.
const MOVED_AFTER_MS: u64 = 2_000;
/// A limit is crossed upwards this far above it, kPa: pressure that lies on its limit for days
/// must not be a crossing each minute.
const MARGIN_KPA: f32 = 10.0;
/// A sensor that was asked and said nothing at all is asked again after this.
const AGAIN_MS: u64 = 1_000;

/// What a step saw, as far as it moves a report.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Filtered pressure; `None`: not measured in this step, or there is none.
    pub kpa: Option<f32>,
    /// Contacts and lean, as bits.
    pub shape: u8,
    /// Whether the sensors were asked in this step.
    pub sampled: bool,
}

/// When things are due.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    next_sample: Uptime,
    next_report: Uptime,
    burst_until: Uptime,
    live_until: Uptime,
    last_report: Uptime,
    /// What the last report said; `None` before the first.
    reported_kpa: Option<f32>,
    /// Which limits pressure is under.
    under: [bool; 2],
    /// As it was last reported, or first seen.
    shape: Option<u8>,
}

impl Rhythm {
    /// Samples at once, and reports first after `first_report_ms`.
    #[must_use]
    pub const fn new(first_report_ms: u64) -> Self {
        Self {
            next_sample: Uptime(0),
            next_report: Uptime(first_report_ms),
            burst_until: Uptime(0),
            live_until: Uptime(0),
            last_report: Uptime(0),
            reported_kpa: None,
            under: [false; 2],
            shape: None,
        }
    }

    /// When the sensors are asked next.
    #[must_use]
    pub const fn next_sample(&self) -> Uptime {
        self.next_sample
    }

    /// Whether the next sample will be reported.
    #[must_use]
    pub fn next_is_reported(&self) -> bool {
        self.next_sample >= self.next_report
    }

    /// Whether the modem stays on: somebody waits for the next report.
    #[must_use]
    pub fn watched(&self, now: Uptime) -> bool {
        now < self.burst_until || now < self.live_until
    }

    /// Something began or ended: reports follow closely.
    pub fn burst(&mut self, now: Uptime) {
        self.burst_until = now.after_s(BURST_FOR_S);
    }

    /// A crew stands there and watches for `seconds`.
    pub fn live(&mut self, seconds: u32, now: Uptime) {
        self.live_until = now.after_s(seconds);
        self.ask(now);
    }

    /// Somebody asks for a report.
    pub const fn ask(&mut self, now: Uptime) {
        self.next_report = now;
        self.next_sample = now;
    }

    /// The interval may have become shorter.
    pub fn settle(&mut self, settings: &Settings, now: Uptime) {
        self.next_report = self.next_report.min(now.after_s(settings.interval_s));
        self.next_sample = self.next_sample.min(now.after_s(settings.sample_s));
    }

    /// Whether a reading goes out now: its time has come, or something has moved.
    pub fn due(&mut self, look: Look, settings: &Settings, now: Uptime) -> bool {
        let first = self.shape.is_none();
        let shape = *self.shape.get_or_insert(look.shape);
        let rested = now.since_ms(self.last_report) >= MOVED_AFTER_MS;
        let turned = shape != look.shape && rested;
        let mut moved = false;
        let mut crossed = false;
        if let Some(kpa) = look.kpa {
            crossed = self.crosses(kpa, settings) && !first;
            let delta = settings.delta_kpa.get();
            moved =
                rested && self.reported_kpa.is_some_and(|reported| (kpa - reported).abs() >= delta);
        }
        if turned || crossed {
            self.burst(now);
        }
        let due = now >= self.next_report || now < self.live_until;
        turned || crossed || moved || look.sampled && due
    }

    fn crosses(&mut self, kpa: f32, settings: &Settings) -> bool {
        let was = self.under;
        for (under, limit) in self.under.iter_mut().zip([settings.low_kpa, settings.no_water_kpa]) {
            *under = kpa < limit.get() + if *under { MARGIN_KPA } else { 0.0 };
        }
        was != self.under
    }

    /// A reading has gone out.
    pub fn reported(&mut self, look: Look, settings: &Settings, now: Uptime) {
        self.reported_kpa = look.kpa.or(self.reported_kpa);
        self.shape = Some(look.shape);
        self.last_report = now;
        let every_s = if now < self.live_until {
            LIVE_EVERY_S
        } else if now < self.burst_until {
            BURST_EVERY_S
        } else {
            settings.interval_s
        };
        self.next_report = now.after_s(every_s.min(settings.interval_s));
    }

    /// The sensors were asked; `every_s` is how soon they are to be asked again.
    pub fn sampled(&mut self, every_s: u32, now: Uptime) {
        if now < self.live_until {
            // Counted from when it was due: asking the sensors takes a part of the second.
            self.next_sample = self.next_sample.after_s(every_s.min(LIVE_EVERY_S)).max(now);
            return;
        }
        self.next_sample = now.after_s(every_s).min(self.next_report.max(now.after_ms(AGAIN_MS)));
    }

    /// The sensors were to be asked and were not: a task is late, or a driver was cut short.
    pub fn missed(&mut self, now: Uptime) {
        self.next_sample = now.after_ms(AGAIN_MS);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Look, Rhythm};
    use crate::Uptime;
    use crate::settings::defaults;
    use standpipe_shared::{Kilopascals, Settings};
    use std::vec::Vec;

    /// Seconds of the reports, when pressure is sampled every 5 s.
    fn reports(settings: &Settings, kpa: impl Fn(u64) -> f32, seconds: u64) -> Vec<u64> {
        let mut rhythm = Rhythm::new(0);
        let mut at = Vec::new();
        while rhythm.next_sample() < Uptime(seconds * 1_000) {
            let now = rhythm.next_sample();
            let look = Look { kpa: Some(kpa(now.0 / 1_000)), shape: 0, sampled: true };
            if rhythm.due(look, settings, now) {
                rhythm.reported(look, settings, now);
                at.push(now.0 / 1_000);
            }
            rhythm.sampled(settings.sample_s, now);
        }
        at
    }

    #[test]
    fn a_calm_main_is_reported_every_interval() {
        let noisy = |at: u64| if at.is_multiple_of(10) { 305.0 } else { 300.0 };
        assert_eq!(reports(&defaults(), noisy, 3_600), [0, 900, 1_800, 2_700]);
    }

    #[test]
    fn crossing_a_limit_is_reported_at_once_and_then_every_15_s_for_2_min() {
        let falls = |at| if at < 100 { 150.0 } else { 139.0 };
        let at = reports(&defaults(), falls, 2_000);
        assert_eq!(at, [0, 100, 115, 130, 145, 160, 175, 190, 205, 220, 1_120]);
        let jitters = |at: u64| if at < 100 || at.is_multiple_of(10) { 142.0 } else { 139.0 };
        let at = reports(&defaults(), jitters, 2_000);
        assert_eq!(at.len(), 11, "lying on the limit is one crossing: {at:?}");
    }

    #[test]
    fn what_moves_by_delta_is_reported_at_once_without_a_burst() {
        let steps = |at| if at < 100 { 300.0 } else { 316.0 };
        assert_eq!(reports(&defaults(), steps, 1_900), [0, 100, 1_000]);
        let wide = Settings { delta_kpa: Kilopascals::new(20.0).unwrap(), ..defaults() };
        assert_eq!(reports(&wide, steps, 1_000), [0, 900]);
    }

    #[test]
    fn asked_for_watched_and_sampled_rarely_it_still_reports_in_time() {
        let mut rhythm = Rhythm::new(0);
        let rare = Settings { sample_s: 600, ..defaults() };
        let look = Look { kpa: Some(300.0), shape: 0, sampled: true };
        rhythm.reported(look, &rare, Uptime(0));
        rhythm.sampled(600, Uptime(0));
        assert_eq!(rhythm.next_sample(), Uptime(600_000));
        rhythm.sampled(600, Uptime(600_000));
        assert_eq!(rhythm.next_sample(), Uptime(900_000), "at the report, not after it");
        assert!(rhythm.next_is_reported() && !rhythm.watched(Uptime(1)));
        rhythm.live(300, Uptime(700_000));
        assert_eq!(rhythm.next_sample(), Uptime(700_000));
        assert!(rhythm.due(look, &rare, Uptime(700_000)));
        rhythm.reported(look, &rare, Uptime(700_000));
        rhythm.sampled(600, Uptime(700_000));
        assert_eq!(rhythm.next_sample(), Uptime(701_000));
        assert!(rhythm.watched(Uptime(999_999)) && !rhythm.watched(Uptime(1_000_000)));
        let turned = Look { kpa: None, shape: 1, sampled: false };
        assert!(!rhythm.due(turned, &rare, Uptime(701_000)), "a report has just gone out");
        assert!(rhythm.due(turned, &rare, Uptime(702_001)), "a contact needs no sample");
        rhythm.reported(turned, &rare, Uptime(702_001));
        assert!(!rhythm.due(turned, &rare, Uptime(705_000)), "it was told");
    }
}
