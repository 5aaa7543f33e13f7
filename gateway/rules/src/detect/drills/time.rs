//! A device's time is a claim: wrong clocks, backlogs, and what is true now.

use proptest::prelude::*;
use standpipe_shared::{Condition, Field, Kilopascals, Kind, Measurements, Reading};

use super::{Drill, T0, at, cases, clock, device, in_town};
use crate::Ms;
use crate::detect::Trust;
use crate::fact::Fact;

/// Readings from `from` on, `every` seconds apart, each with its time `behind` seconds back.
fn readings(from: &str, (every, count): (Ms, Ms), behind: Ms, what: &str, first: u32) -> String {
    let mut script = String::new();
    for n in 0..count {
        let now = at(from) + n * every * 1_000;
        let number = if first > 0 { format!("#1/{} ", first + n as u32) } else { String::new() };
        script += &format!("{} @{} {number}{what}\n", clock(now), clock(now - behind * 1_000));
    }
    script
}

fn now(drill: &Drill) -> (Option<f32>, Trust) {
    let ix = drill.watch.registry.find("D").unwrap();
    let hydrant = drill.watch.hydrant(ix, drill.now).unwrap();
    (hydrant.pressure_kpa, hydrant.trust)
}

#[test]
fn a_clock_that_jumps_is_wrong_by_its_numbers_at_once() {
    for behind in [100, 600, 3_600, 28_800, 94_608_000] {
        let mut drill = Drill::watched();
        drill.run(&readings("00:00:00", (10, 3), 0, "pressure_kpa=300", 1));
        let script = readings("00:00:30", (10, 4), behind, "pressure_kpa=3", 4);
        drill.finds(
            &format!("{behind} s back: the first dry one says so, and water is dry after 30 s"),
            &script,
            &[
                "00:00:30 D clock_fault since 00:00:30",
                "00:01:00 D no_water since 00:00:30",
                "00:01:00 D low_pressure since 00:00:30",
            ],
        );
        let (ts, bad) = (drill.out.readings[3].ts, drill.out.readings[3].clock_bad);
        assert_eq!((ts, bad), (at("00:00:30"), Some(true)), "its event time is its arrival");
        assert_eq!(now(&drill), (Some(3.0), Trust::NoWater));
    }
}

/// Another hour each time, and no numbers: the first might be a backlog, the others are live.
#[test]
fn a_clock_that_leaps_hides_no_more_than_its_first_reading() {
    let mut drill = Drill::watched();
    drill.run(&readings("00:00:00", (60, 3), 0, "pressure_kpa=300", 0));
    let mut leaps = String::new();
    for (hours, n) in [3, 5, 1, 6, 2, 4, 7].into_iter().zip(3..) {
        let now = T0 + n * 60_000;
        leaps += &format!("{} @{} pressure_kpa=3\n", clock(now), clock(now - hours * 3_600_000));
    }
    drill.finds(
        "the second is wrong, and the third confirms that water is gone",
        &leaps,
        &[
            "00:04:00 D clock_fault since 00:04:00",
            "00:05:00 D no_water since 00:04:00",
            "00:05:00 D low_pressure since 00:04:00",
        ],
    );
    let counts: Vec<_> = drill.out.readings[4..].iter().map(|reading| reading.clock_bad).collect();
    assert_eq!(counts, [Some(true); 6], "each by its arrival");
    assert_eq!(now(&drill), (Some(3.0), Trust::NoWater));
}

#[test]
fn a_clock_that_is_ahead_or_never_set_is_wrong_at_once() {
    for behind in [-600, -31_536_000, 345_600_000] {
        let mut drill = Drill::watched();
        drill.run(&readings("00:00:00", (10, 3), 0, "pressure_kpa=300", 1));
        drill.finds(
            &format!("{behind} s back"),
            &readings("00:00:30", (10, 4), behind, "pressure_kpa=3", 4),
            &[
                "00:00:30 D clock_fault since 00:00:30",
                "00:01:00 D no_water since 00:00:30",
                "00:01:00 D low_pressure since 00:00:30",
            ],
        );
    }
}

#[test]
fn a_clock_that_jumps_is_wrong_by_its_rhythm_without_numbers() {
    for (story, behind, every, wrong, dry) in [
        ("eight hours, every 20 s", 28_800, 20, "00:02:20", "00:03:00"),
        ("every 10 s", 3_600, 10, "00:02:10", "00:02:40"),
        ("every 40 s", 3_600, 40, "00:02:40", "00:03:20"),
        ("every minute", 3_600, 60, "00:03:00", "00:04:00"),
    ] {
        let mut drill = Drill::watched();
        drill.run(&readings("00:00:00", (60, 2), 0, "pressure_kpa=300", 0));
        let found = drill.run(&readings("00:02:00", (every, 8), behind, "pressure_kpa=3", 0));
        assert_eq!(
            found,
            [
                format!("{wrong} D clock_fault since {wrong}"),
                format!("{dry} D no_water since {wrong}"),
                format!("{dry} D low_pressure since {wrong}"),
            ],
            "{story}"
        );
    }
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300");
    let still: String = (1..8)
        .map(|n| {
            format!("00:{:02}:{:02} @-1000+00:00:00 pressure_kpa=3\n", n * 20 / 60, n * 20 % 60)
        })
        .collect();
    drill.finds(
        "a clock that stands still in the past, from the second message ever heard on",
        &still,
        &[
            "00:00:40 D clock_fault since 00:00:40",
            "00:01:20 D no_water since 00:00:40",
            "00:01:20 D low_pressure since 00:00:40",
        ],
    );
}

#[test]
fn a_clock_that_is_always_behind_pages_in_time() {
    let mut drill = Drill::watched();
    drill.finds(
        "always an hour behind: the second message shows it",
        &readings("00:00:00", (60, 3), 3_600, "pressure_kpa=300", 1),
        &["00:01:00 D clock_fault since 00:01:00"],
    );
    drill.finds(
        "it runs dry, a reading every 40 s",
        &readings("00:02:40", (40, 3), 3_600, "pressure_kpa=3", 4),
        &["00:03:20 D no_water since 00:02:40", "00:03:20 D low_pressure since 00:02:40"],
    );
    drill.finds(
        "silent for long, and it is still that clock",
        &readings("00:20:00", (40, 2), 3_600, "pressure_kpa=300", 7),
        &["00:09:00 D offline since 00:09:00", "00:20:00 D offline ended 00:20:00"],
    );
    drill.finds(
        "set right: three good ones",
        &readings("00:21:00", (60, 3), 0, "pressure_kpa=300", 9),
        &[
            "00:21:00 D no_water ended 00:20:00",
            "00:21:00 D low_pressure ended 00:20:00",
            "00:23:00 D clock_fault ended 00:21:00",
        ],
    );
    let mut drill = Drill::watched();
    drill.finds(
        "three readings in a burst are enough to know it",
        &(readings("00:00:00", (5, 3), 3_600, "pressure_kpa=300", 1)
            + &readings("00:00:40", (40, 2), 3_600, "pressure_kpa=3", 4)),
        &[
            "00:00:10 D clock_fault since 00:00:10",
            "00:01:20 D no_water since 00:00:40",
            "00:01:20 D low_pressure since 00:00:40",
        ],
    );
}

#[test]
fn what_a_slow_clock_had_stored_does_not_set_it_right() {
    let mut drill = Drill::watched();
    drill.run(&readings("00:00:00", (60, 3), 3_600, "pressure_kpa=300", 1));
    let mut script = String::new();
    for n in 0..20 {
        let (now, measured) = (at("02:00:00") + n * 1_000, at("00:03:00") + n * 300_000);
        let claims = clock(measured - 3_600_000);
        script += &format!("{} @{claims} #1/{} pressure_kpa=300\n", clock(now), 4 + n);
    }
    script += &readings("02:00:30", (60, 3), 3_600, "pressure_kpa=300", 24);
    drill.finds(
        "three and more of them, and it is behind as before",
        &script,
        &["00:07:00 D offline since 00:07:00", "02:00:00 D offline ended 02:00:00"],
    );
    let right = drill.out.readings.iter().filter(|reading| reading.clock_bad == Some(false));
    assert_eq!(right.count(), 21, "and the very first, of which nobody knew");
}

#[test]
fn a_restart_that_loses_the_time_is_a_wrong_clock() {
    Drill::watched().finds(
        "a later boot, an earlier time",
        "00:00:00 #1/9 pressure_kpa=300\n00:01:00 @-300+00:00:00 #2/1 pressure_kpa=3\n00:01:30 @-300+00:00:30 #2/2 pressure_kpa=3",
        &[
            "00:01:00 D clock_fault since 00:01:00",
            "00:01:30 D no_water since 00:01:00",
            "00:01:30 D low_pressure since 00:01:00",
        ],
    );
    Drill::watched().finds(
        "its storage too, so that it begins at some boot: by its rhythm",
        "00:00:00 #7/9 pressure_kpa=300\n00:01:00 @-300+00:00:00 #2/1 pressure_kpa=3\n00:02:00 @-300+00:01:00 #2/2 pressure_kpa=3\n00:03:00 @-300+00:02:00 #2/3 pressure_kpa=3",
        &[
            "00:02:00 D clock_fault since 00:02:00",
            "00:03:00 D no_water since 00:02:00",
            "00:03:00 D low_pressure since 00:02:00",
        ],
    );
}

#[test]
fn a_genuine_backlog_keeps_its_times() {
    let backlog = |number: bool| {
        (0..50).map(move |n| {
            let number = if number { format!("#1/{} ", 3 + n) } else { String::new() };
            let now = at("02:00:01") + n * 500;
            format!(
                "{} @{} {number}pressure_kpa=3\n",
                clock(now),
                clock(at("00:02:00") + n * 60_000)
            )
        })
    };
    let gone = "00:06:00 D offline since 00:06:00";
    for numbered in [true, false] {
        let mut drill = Drill::watched();
        let n = if numbered { ["#1/1 ", "#1/2 "] } else { [""; 2] };
        drill.run(&format!("00:00:00 {}pressure_kpa=300\n00:01:00 {}pressure_kpa=300", n[0], n[1]));
        drill.finds(
            "oldest first, after a silence",
            &backlog(numbered).collect::<String>(),
            &[gone, "02:00:01 D offline ended 02:00:01"],
        );
        assert!(drill.out.readings.iter().all(|reading| reading.clock_bad == Some(false)));
        drill.finds(
            "held back until it ends",
            "02:00:27 #1/90 pressure_kpa=3",
            &[
                "02:00:27 D no_water since 00:02:00 late 7047 s",
                "02:00:27 D low_pressure since 00:02:00 late 7047 s",
            ],
        );
        let mut drill = Drill::watched();
        drill.run(&format!("00:00:00 {}pressure_kpa=300\n00:01:00 {}pressure_kpa=300", n[0], n[1]));
        let live = if numbered { "#1/90 " } else { "" };
        drill.finds(
            "the newest first, then what was stored",
            &(format!("02:00:00 {live}pressure_kpa=300\n")
                + &backlog(numbered).collect::<String>()),
            &[gone, "02:00:00 D offline ended 02:00:00"],
        );
        let mut stored = drill.out.readings.iter();
        assert!(stored.all(|reading| reading.clock_bad == Some(false)), "{numbered}");
        assert_eq!(now(&drill), (Some(300.0), Trust::Ok), "it moves nothing");
    }
}

#[test]
fn what_was_stored_may_come_between_live_readings() {
    let mut script = String::new();
    for n in 0..20u32 {
        let now = at("02:00:00") + Ms::from(n) * 60_000;
        script += &format!("{} #1/{} pressure_kpa=0\n", clock(now), 200 + n);
        let stored = at("00:10:00") + Ms::from(n) * 60_000;
        script +=
            &format!("{} @{} #1/{} pressure_kpa=300\n", clock(now + 40_000), clock(stored), 10 + n);
    }
    let mut drill = Drill::watched();
    drill.run("00:00:00 #1/1 pressure_kpa=300\n00:10:00");
    drill.finds(
        "by its numbers it is old, however slowly it comes",
        &script,
        &[
            "02:00:00 D offline ended 02:00:00",
            "02:01:00 D no_water since 02:00:00",
            "02:01:00 D low_pressure since 02:00:00",
        ],
    );
    let unnumbered: String = script
        .lines()
        .map(|line| {
            let words = line.split(' ').filter(|word| !word.starts_with('#'));
            words.collect::<Vec<_>>().join(" ") + "\n"
        })
        .collect();
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300\n00:10:00");
    assert_eq!(
        drill.run(&unnumbered),
        [
            "02:00:00 D offline ended 02:00:00",
            "02:01:00 D no_water since 02:00:00",
            "02:01:00 D low_pressure since 02:00:00",
        ],
        "also without: a live one is between any two"
    );
}

#[test]
fn a_lower_number_that_was_overtaken_moves_nothing() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 @- #1/1 pressure_kpa=300\n00:01:00 @- #1/3 pressure_kpa=3\n00:01:01 @- #1/2 pressure_kpa=300");
    assert_eq!(now(&drill).0, Some(3.0), "the session of alarms was faster");
    drill.run("00:01:40 @- #1/4 pressure_kpa=4\n00:02:40 @- #1/3 pressure_kpa=300");
    assert_eq!(now(&drill).0, Some(300.0), "used again an interval later: it counts anew");
}

#[test]
fn a_fire_with_an_old_time_is_told_at_once_and_says_so() {
    Drill::detector().finds(
        "with numbers, eight hours back",
        "00:00:00 #1/1 temp_c=20\n00:01:00 @-1+16:01:00 #1/2 alarm smoke on",
        &["00:01:00 D clock_fault since 00:01:00", "00:01:00 D smoke since 00:01:00 late 28800 s"],
    );
    Drill::detector().finds(
        "without",
        "00:00:00 temp_c=20\n00:01:00 @-1+16:01:00 alarm smoke on",
        &["00:01:00 D clock_fault since 00:01:00", "00:01:00 D smoke since 00:01:00 late 28800 s"],
    );
    Drill::detector().finds(
        "a clock that was never set says nothing",
        "00:01:00 @-20454+00:01:00 alarm smoke on",
        &["00:01:00 D clock_fault since 00:01:00", "00:01:00 D smoke since 00:01:00"],
    );
    Drill::detector().finds(
        "within an interval it is live",
        "00:01:00 @00:00:00 alarm smoke on",
        &["00:01:00 D smoke since 00:00:00"],
    );
}

#[test]
fn a_time_within_an_interval_is_wrong_where_it_does_not_rise() {
    let quarterly = || Drill::new([device("D", Kind::Hydrant, "municipal", 900)]);
    quarterly().finds(
        "by its number: a hundred seconds back, though not older than an interval",
        "00:00:00 #1/1 pressure_kpa=300\n00:15:00 #1/2 pressure_kpa=300\n00:15:15 @00:13:35 #1/3 pressure_kpa=3\n00:15:30 @00:13:50 #1/4 pressure_kpa=3\n00:15:45 @00:14:05 #1/5 pressure_kpa=3",
        &[
            "00:15:15 D clock_fault since 00:15:15",
            "00:15:45 D no_water since 00:15:15",
            "00:15:45 D low_pressure since 00:15:15",
        ],
    );
    let mut drill = Drill::watched();
    drill.finds(
        "without numbers, more than half an interval after the last one",
        "00:01:00 pressure_kpa=300\n00:01:31 @00:00:59 pressure_kpa=3",
        &["00:01:31 D clock_fault since 00:01:31"],
    );
    assert_eq!(now(&drill).0, Some(3.0));
    let mut drill = Drill::watched();
    drill.finds(
        "half an interval after it, it is out of order",
        "00:01:00 pressure_kpa=300\n00:01:30 @00:00:59 pressure_kpa=3",
        &[],
    );
    assert_eq!(now(&drill).0, Some(300.0));
}

#[test]
fn a_run_of_low_ones_goes_on_behind_one_that_was_hidden() {
    Drill::new([device("D", Kind::Hydrant, "municipal", 900)]).finds(
        "45 minutes by the clocks, and it was heard all the time",
        "00:00:00 pressure_kpa=300\n00:15:00 pressure_kpa=300\n00:30:00 @00:20:00 pressure_kpa=3\n00:50:00 @00:10:00 pressure_kpa=3\n01:05:01 @00:00:00 pressure_kpa=3",
        &[
            "01:05:01 D clock_fault since 01:05:01",
            "01:05:01 D no_water since 00:20:00",
            "01:05:01 D low_pressure since 00:20:00",
        ],
    );
}

#[test]
fn an_alarm_in_live_rhythm_is_not_lost_to_a_wrong_clock() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300\n00:01:00 pressure_kpa=300");
    drill.finds(
        "told, over, and again with a time of long before",
        "00:02:00 alarm tamper on\n00:02:30 alarm tamper off\n00:03:00 @-1+16:00:00 alarm tamper on",
        &[
            "00:02:00 D tamper since 00:02:00",
            "00:02:30 D tamper ended 00:02:30",
            "00:03:00 D clock_fault since 00:03:00",
            "00:03:00 D tamper since 00:03:00",
        ],
    );
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300\n00:01:00 pressure_kpa=300\n00:05:00 alarm tamper off");
    drill.finds(
        "after a silence it may have been stored, and is over",
        "00:05:01 @00:02:00 alarm tamper on\n00:05:02 pressure_kpa=300",
        &[],
    );
}

/// What a device claims of one reading's time.
#[derive(Clone, Copy, Debug)]
enum Says {
    Nothing,
    /// So many thousandths of its interval before the arrival.
    Behind(Ms),
    /// So many milliseconds before the arrival.
    Far(Ms),
    /// The same as for the reading before, and so many thousandths of the interval.
    Since(Ms),
}

/// How a device numbers its messages.
#[derive(Clone, Copy, Debug)]
enum Numbers {
    None,
    Honest,
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    /// Thousandths of the interval since the reading before.
    gap: Ms,
    says: Says,
    restarts: bool,
}

fn beat() -> impl Strategy<Value = Beat> {
    let says = prop_oneof![
        1 => Just(Says::Nothing),
        2 => Just(Says::Behind(0)),
        3 => (0i64..1_100).prop_map(Says::Behind),
        3 => (0i64..20_000).prop_map(Says::Behind),
        2 => (0i64..180_000_000_000).prop_map(Says::Far),
        2 => Just(Says::Far(28_800_000)),
        4 => (-2_000i64..3_000).prop_map(Says::Since),
        2 => (0i64..60_000).prop_map(Says::Since),
    ];
    (501i64..=1_500, says, prop::bool::weighted(0.05)).prop_map(|(gap, says, restarts)| Beat {
        gap,
        says,
        restarts,
    })
}

/// A hydrant in live rhythm that runs dry with the reading `dry`, and what was found when.
struct Story {
    drill: Drill,
    interval: Ms,
    claim: Ms,
    number: Option<(u32, u32)>,
    dry_at: Option<Ms>,
    told_at: Option<Ms>,
}

impl Story {
    fn new(interval_s: u32, numbers: Numbers) -> Self {
        let number = match numbers {
            Numbers::None => None,
            Numbers::Honest => Some((1, 0)),
        };
        Self {
            drill: Drill::new([device("D", Kind::Hydrant, "municipal", interval_s)]),
            interval: Ms::from(interval_s) * 1_000,
            claim: T0,
            number,
            dry_at: None,
            told_at: None,
        }
    }

    fn wait(&mut self, until: Ms) {
        while let Some(due) = self.drill.watch.next_wake().filter(|due| *due <= until) {
            self.drill.watch.tick(due, &mut self.drill.out);
            self.heed(due);
        }
        self.drill.now = until;
    }

    fn heed(&mut self, now: Ms) {
        for fact in self.drill.watch.facts() {
            if let Fact::Raised(raised) = fact
                && raised.condition == Condition::NoWater
            {
                self.told_at.get_or_insert(now);
            }
        }
    }

    fn reads(&mut self, beat: Beat, gap: Ms, kpa: f32) {
        let now = self.drill.now + gap;
        // Before the next reading, and at the moment by which it must be known.
        if let Some(dry_at) = self.dry_at
            && dry_at + 2 * self.interval < now
            && dry_at + 2 * self.interval > self.drill.now
        {
            self.wait(dry_at + 2 * self.interval);
            self.must_know();
        }
        self.wait(now);
        self.claim = match beat.says {
            Says::Nothing => now,
            Says::Behind(share) => now - share * self.interval / 1_000,
            Says::Far(ms) => now - ms,
            Says::Since(share) => self.claim + share * self.interval / 1_000,
        };
        let ts = (!matches!(beat.says, Says::Nothing)).then_some(self.claim);
        if let Some((boot, seq)) = &mut self.number {
            *seq += 1;
            if beat.restarts {
                (*boot, *seq) = (*boot + 1, 1);
            }
        }
        let mut values = Measurements::default();
        values.set(Field::PressureKpa, kpa).unwrap();
        let (boot, seq) = self.number.unzip();
        let reading = Reading { boot, seq, ts, values, ..Reading::default() };
        self.drill.watch.reading(in_town("D"), &reading, now, &mut self.drill.out);
        self.drill.watch.tick(now, &mut self.drill.out);
        self.heed(now);
        if kpa < 20.0 {
            self.dry_at.get_or_insert(now);
        }
        if self.number.is_some() || self.dry_at.is_some_and(|dry| now >= dry + 2 * self.interval) {
            self.must_know_if_dry();
        }
        let dwelt = |dry: Ms| now >= dry + 11 * self.interval / 2 + 30_000;
        if self.dry_at.is_some_and(dwelt) {
            assert!(self.told_at.is_some(), "dry at {:?}, not told at {now}", self.dry_at);
        }
    }

    fn must_know_if_dry(&self) {
        if self.dry_at.is_some() {
            self.must_know();
        }
    }

    /// The newest water is dry, and nobody is sent to it.
    fn must_know(&self) {
        let ix = self.drill.watch.registry.find("D").unwrap();
        let latest = self.drill.watch.memory(ix).unwrap().latest.pressure_kpa;
        let latest = latest.map_or(f32::NAN, Kilopascals::get);
        let hydrant = self.drill.watch.hydrant(ix, self.drill.now).unwrap();
        assert!(latest < 20.0, "{latest} kPa, dry at {:?}, now {}", self.dry_at, self.drill.now);
        assert!(hydrant.pressure_kpa.is_none_or(|kpa| kpa < 20.0), "{hydrant:?}");
    }
}

fn numbers() -> impl Strategy<Value = Numbers> {
    prop_oneof![Just(Numbers::None), Just(Numbers::Honest)]
}

fn interval_s() -> impl Strategy<Value = u32> {
    prop_oneof![Just(60u32), Just(900), Just(3_600), 60u32..86_400]
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// With messages in live rhythm, no sequence of device times hides for longer than two
    /// intervals that the newest water is dry; and it is told once its dwell is over too.
    #[test]
    fn no_sequence_of_times_hides_that_water_is_gone(
        numbers in numbers(),
        interval_s in interval_s(),
        wet in prop::collection::vec(beat(), 2..12),
        dry in prop::collection::vec(beat(), 2..14),
    ) {
        let mut story = Story::new(interval_s, numbers);
        for (n, beat) in wet.into_iter().enumerate() {
            let gap = beat.gap * story.interval / 1_000;
            story.reads(beat, gap, 300.0 + n as f32);
        }
        for (n, beat) in dry.into_iter().enumerate() {
            let gap = beat.gap * story.interval / 1_000;
            story.reads(beat, gap, 3.0 + n as f32 / 8.0);
        }
    }

    /// The same of a node that reports every 15 s for two minutes after it crossed a limit.
    #[test]
    fn nor_of_a_node_that_reports_in_a_burst(
        numbers in numbers(),
        interval_s in interval_s(),
        wet in prop::collection::vec(beat(), 3..12),
        crosses in 0i64..1_500,
        dry in prop::collection::vec(beat(), 9..20),
    ) {
        let mut story = Story::new(interval_s, numbers);
        for (n, beat) in wet.into_iter().enumerate() {
            let gap = beat.gap * story.interval / 1_000;
            story.reads(beat, gap, 300.0 + n as f32);
        }
        for (n, beat) in dry.into_iter().enumerate() {
            let gap = match n {
                0 => crosses * story.interval / 1_000,
                1..9 => 15_000,
                _ => beat.gap * story.interval / 1_000,
            };
            story.reads(beat, gap, 3.0 + n as f32 / 8.0);
        }
    }
}
