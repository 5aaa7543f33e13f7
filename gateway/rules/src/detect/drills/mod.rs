//! Drills: a script of what devices say, beside what must be found.
//!
//! ```text
//! 00:00:30 pressure_kpa=130             a reading of device D, measured and arrived then
//! 00:10:00 @00:00:30 pressure_kpa=130   … measured earlier
//! 00:10:00 B: temp_c=20                 another device
//! 00:10:00 #1/7 pressure_kpa=130        … with boot and number
//! 00:10:00 alarm smoke on|test|off      an alarm, with measurements behind it if any
//! 00:10:00 gone | born 60 | up | down   Last Will, birth with its interval, the gateway's session
//! 00:10:00 beat                         a heartbeat of the chain came through
//! 00:10:00 garbage                      a message of which nothing is understood
//! 00:10:00 kept gone                    what the broker had kept: `kept` before any message
//! 00:10:00                              the clock runs until then
//! ```
//! Every deadline between two lines is judged when it is due. A fact comes back as
//! `00:01:00 D low_pressure since 00:00:30`, with `ended 00:01:00`, `late 30 s`, … as it applies.

mod chain;
mod claims;
mod door;
mod fire;
mod fresh;
mod many;
mod pressure;
mod properties;
mod retained;
mod silence;
mod supervise;
mod time;
mod upkeep;

use standpipe_shared::{Alarm, Field, Kind, Measurements, Reading};

use super::Watch;
use crate::fact::{Fact, Raised, Subject};
use crate::registry::{Device, DeviceIx, Profile, Registry};
use crate::wire::Origin;
use crate::{Changes, Ms};

/// Midnight of the drills: 2026-01-01.
pub(super) const T0: Ms = 1_767_225_600_000;

pub(super) fn at(clock: &str) -> Ms {
    let (day, clock) = clock.split_once('+').unwrap_or(("0", clock));
    let parts: Vec<Ms> = clock.split([':', '.']).map(|part| part.parse().unwrap()).collect();
    let ms = parts.get(3).copied().unwrap_or(0);
    T0 + day.parse::<Ms>().unwrap() * 86_400_000
        + parts[0] * 3_600_000
        + parts[1] * 60_000
        + parts[2] * 1_000
        + ms
}

pub(super) fn clock(ms: Ms) -> String {
    let since = ms - T0;
    let days = since.div_euclid(86_400_000);
    let (day, rest) = if days == 0 {
        (String::new(), since)
    } else {
        (format!("{days}+"), since.rem_euclid(86_400_000))
    };
    let (h, m, s, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
    let ms = if ms == 0 { String::new() } else { format!(".{ms:03}") };
    format!("{day}{h:02}:{m:02}:{s:02}{ms}")
}

pub(super) fn device(id: &str, kind: Kind, profile: &str, interval_s: u32) -> Device {
    Device {
        claimed: true,
        station: "T-1".into(),
        profile: profile.into(),
        interval_s: Some(interval_s),
        ..Device::unclaimed(id, "town", kind)
    }
}

/// A message of this device, from the area in which all of them are.
pub(super) const fn in_town(device: &str) -> Origin<'_> {
    Origin { area: "town", device }
}

pub(super) struct Drill {
    pub watch: Watch,
    pub now: Ms,
    pub out: Changes,
    found: Vec<String>,
    /// The facts behind `found`.
    pub waited: Vec<Fact>,
}

impl Drill {
    /// Over these devices; the session is up since midnight.
    pub fn new(devices: impl IntoIterator<Item = Device>) -> Self {
        let patient = |kind| Profile {
            offline_min_s: 86_400,
            stuck_readings: u32::MAX,
            ..Profile::default_of(kind).clone()
        };
        let weak = Profile { min_kpa: 40.0, ..Profile::default_of(Kind::Hydrant).clone() };
        let mut registry = Registry::new([
            (Box::from("patient"), patient(Kind::Hydrant)),
            (Box::from("patient_smoke"), patient(Kind::Smoke)),
            (Box::from("weak"), weak),
        ]);
        for device in devices {
            registry.put_device(device);
        }
        let mut watch = Watch::new(registry, 3_600_000);
        let mut out = Changes::default();
        watch.session(true, T0, &mut out);
        out.clear();
        Self { watch, now: T0, out, found: Vec::new(), waited: Vec::new() }
    }

    /// One that may be silent for a day, and never counts as stuck.
    pub fn hydrant() -> Self {
        Self::new([device("D", Kind::Hydrant, "patient", 60)])
    }

    /// One that may be silent for a day.
    pub fn detector() -> Self {
        Self::new([device("D", Kind::Smoke, "patient_smoke", 60)])
    }

    /// One that is offline after five minutes.
    pub fn watched() -> Self {
        Self::new([device("D", Kind::Hydrant, "municipal", 60)])
    }

    /// Runs a script; what was found, a line a fact.
    pub fn run(&mut self, script: &str) -> Vec<String> {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (time, said) = line.split_once(' ').unwrap_or((line, ""));
            self.wait(at(time));
            self.say(said.trim());
            self.watch.tick(self.now, &mut self.out);
            self.note();
        }
        std::mem::take(&mut self.found)
    }

    /// Runs a script and compares.
    #[track_caller]
    pub fn finds(&mut self, story: &str, script: &str, expected: &[&str]) {
        assert_eq!(self.run(script), expected, "{story}");
    }

    fn wait(&mut self, until: Ms) {
        while let Some(due) = self.watch.next_wake().filter(|wake| *wake <= until) {
            assert!(due > self.now || self.now == T0 || due == self.now, "time runs forward");
            self.now = self.now.max(due);
            self.watch.tick(self.now, &mut self.out);
            self.note();
            assert_ne!(self.watch.next_wake(), Some(due), "a deadline that comes again at once");
        }
        self.now = until;
    }

    fn say(&mut self, said: &str) {
        let (who, said) = said.split_once(": ").unwrap_or(("D", said));
        let mut words = said.split_whitespace().peekable();
        let mut reading = Reading { ts: Some(self.now), ..Reading::default() };
        if let Some(time) = words.next_if(|word| word.starts_with('@')) {
            reading.ts = (time != "@-").then(|| at(&time[1..]));
        }
        if let Some(number) = words.next_if(|word| word.starts_with('#')) {
            let (boot, seq) = number[1..].split_once('/').unwrap();
            (reading.boot, reading.seq) = (boot.parse().ok(), seq.parse().ok());
        }
        let now = self.now;
        if words.next_if(|word| *word == "kept").is_some() {
            return self.kept(who, words, reading);
        }
        let first = words.peek().copied();
        match first {
            None => {}
            Some("gone") => self.watch.status(in_town(who), (false, None), now, &mut self.out),
            Some("born") => {
                let interval_s = words.nth(1).and_then(|seconds| seconds.parse().ok());
                self.watch.status(in_town(who), (true, interval_s), now, &mut self.out);
            }
            Some("garbage") => self.watch.not_understood(in_town(who), now, &mut self.out),
            Some("beat") => {
                self.watch.heartbeat(reading.ts.unwrap_or(now), now, &mut self.out);
            }
            Some("up") => self.watch.session(true, now, &mut self.out),
            Some("down") => self.watch.session(false, now, &mut self.out),
            Some("alarm") => {
                let condition = words.nth(1).unwrap().parse().unwrap();
                let how = words.next().unwrap();
                reading.values = values(words);
                let (active, test) = (how != "off", how == "test");
                let alarm = Alarm { reading, condition, active, test };
                self.watch.alarm(in_town(who), &alarm, now.into(), &mut self.out);
            }
            Some(_) => {
                reading.values = values(words);
                self.watch.reading(in_town(who), &reading, now, &mut self.out);
            }
        }
    }

    /// The broker had kept it: the fingerprint is that of its words.
    fn kept<'a>(
        &mut self,
        who: &str,
        mut words: std::iter::Peekable<impl Iterator<Item = &'a str> + Clone>,
        mut reading: Reading,
    ) {
        let at = self.now;
        let text: String = words.clone().collect();
        let print = u128::from(xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
        let (who, out) = (in_town(who), &mut self.out);
        match words.peek().copied() {
            Some("gone") => drop(self.watch.retained_status(who, (false, None), at, out)),
            Some("born") => {
                let interval_s = words.nth(1).and_then(|seconds| seconds.parse().ok());
                self.watch.retained_status(who, (true, interval_s), at, out);
            }
            Some("alarm") => {
                let condition = words.nth(1).unwrap().parse().unwrap();
                let how = words.next().unwrap();
                reading.values = values(words);
                let alarm = Alarm { reading, condition, active: how != "off", test: how == "test" };
                let arrived = crate::wire::Arrived { at, retained: true, print };
                self.watch.retained_alarm(who, &alarm, arrived, out);
            }
            _ => {
                reading.values = values(words);
                self.watch.retained_readings(who, &[reading], at, out);
            }
        }
    }

    fn note(&mut self) {
        for fact in self.watch.facts() {
            self.waited.push(fact.clone());
            let told = clock(self.now);
            let line = match fact {
                Fact::Raised(raised) => format!("{told} {}", self.raised(&raised)),
                Fact::Cleared { subject, condition, at } => {
                    let (who, what) = (self.who(&subject), condition.as_str());
                    format!("{told} {who} {what} ended {}", clock(at))
                }
                Fact::Passed { raised, cleared_at } => {
                    format!("{told} {} passed {}", self.raised(&raised), clock(cleared_at))
                }
                Fact::TestBecameReal { device, condition } => {
                    format!("{told} {} {} is no test", self.id(device), condition.as_str())
                }
                Fact::Verified { device, at } => {
                    format!("{told} {} verified {}", self.id(device), clock(at))
                }
                Fact::Unverified { device, at } => {
                    format!("{told} {} unverified {}", self.id(device), clock(at))
                }
                Fact::Hydrant { .. } => continue,
            };
            self.found.push(line);
        }
    }

    fn raised(&self, raised: &Raised) -> String {
        let (who, what) = (self.who(&raised.subject), raised.condition.as_str());
        let mut line = format!("{who} {what} since {}", clock(raised.since));
        if raised.late_s > 0 {
            line += &format!(" late {} s", raised.late_s);
        }
        if raised.test {
            line += " test";
        }
        if let Some(reason) = raised.reason {
            line += &format!(" ({})", reason.as_str());
        }
        if !raised.members.is_empty() {
            let members: Vec<&str> = raised.members.iter().map(|ix| self.id(*ix)).collect();
            line += &format!(" of {}", members.join(" "));
        }
        line
    }

    fn who(&self, subject: &Subject) -> String {
        match subject {
            Subject::Device(ix) => self.id(*ix).to_owned(),
            Subject::Zone(zone) => format!("zone {zone}"),
            Subject::Area(station) => format!("area {station}"),
            Subject::Gateway => "gateway".to_owned(),
            Subject::Topic(topic) => format!("topic {topic}"),
            Subject::Receiver(name) => format!("receiver {name}"),
        }
    }

    fn id(&self, ix: DeviceIx) -> &str {
        &self.watch.registry.device(ix).unwrap().id
    }
}

fn values<'a>(words: impl Iterator<Item = &'a str>) -> Measurements {
    let mut values = Measurements::default();
    for word in words {
        let (name, value) = word.split_once('=').unwrap();
        let field = Field::ALL.into_iter().find(|field| field.as_str() == name).unwrap();
        values.set(field, value.parse().unwrap()).unwrap();
    }
    values
}

/// So many cases of a property, or as many as the environment asks for (`PROPTEST_CASES`).
pub(super) fn cases(usually: u32) -> proptest::test_runner::Config {
    let usual = proptest::test_runner::Config::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    proptest::test_runner::Config { cases: if asked { usual.cases } else { usually }, ..usual }
}

/// A reading of `what` every `step` seconds from `from` to `to`, both included.
pub(super) fn every(step: Ms, from: &str, to: &str, what: &str) -> String {
    let (mut t, end) = (at(from), at(to));
    let mut script = String::new();
    while t <= end {
        script += &format!("{} {what}\n", clock(t));
        t += step * 1_000;
    }
    script
}
