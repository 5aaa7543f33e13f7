//! A gateway whose clock is set at any moment and one whose clock never is say the same, each in
//! its own time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use standpipe_shared::{Alarm, Condition, Field, Kind, Reading, Verb};

use super::super::super::town::{self, T0, device, station};
use crate::changes::{Receiver, TrailEntry};
use crate::fact::Subject;
use crate::incidents::{Action, ActionKind, Incident, IncidentId, Plan};
use crate::orders::{CommandRequest, Order};
use crate::registry::{Device, DeviceIx, Level, Registry, Station};
use crate::wire::Message;
use crate::{Changes, Ms, World};

const HYDRANTS: u32 = 4;
const DETECTORS: u32 = 2;
const STATIONS: [&str; 3] = ["D", "T", "T2"];
const ACTS: [ActionKind; 6] = [
    ActionKind::Shown,
    ActionKind::Acknowledge,
    ActionKind::Dispatch,
    ActionKind::Comment,
    ActionKind::Resolve,
    ActionKind::FalseAlarm,
];
/// Twice the oldest reading of a backlog: a clock that is off by less is not told from lateness.
const OFF_LEAST: Ms = 1_300_000;
const OFF_MOST: Ms = 2 * 365 * 86_400_000;

/// One thing that happens; times in seconds.
#[derive(Clone, Debug)]
enum Event {
    Reads {
        device: u32,
        kpa: f32,
        late: u16,
        numbered: bool,
    },
    Smells {
        device: u32,
        smoke: f32,
        temp: f32,
    },
    Shouts {
        device: u32,
        condition: Condition,
        active: bool,
        test: bool,
    },
    Says {
        device: u32,
        online: bool,
    },
    Here {
        station: usize,
        online: bool,
    },
    Acts {
        incident: usize,
        kind: usize,
    },
    Session(bool),
    Command {
        device: u32,
        expires: u32,
    },
    Delivered(usize),
    Wait(u32),
    /// Every hydrant reads that once a minute; `steadily`: the very same each time.
    Town {
        kpa: f32,
        minutes: u8,
        steadily: bool,
    },
    /// The clock of one of the two is off by so much from now on.
    Off(Ms),
}

fn any_event() -> impl Strategy<Value = Event> {
    let kpa = prop_oneof![Just(300.0f32), Just(100.0), Just(0.0), 0.0f32..400.0];
    let late = prop_oneof![5 => Just(0u16), 1 => 1u16..600];
    let conditions = [Condition::Smoke, Condition::Heat, Condition::Tamper];
    let off = prop_oneof![
        1 => Just(0),
        1 => OFF_LEAST..4_000_000,
        1 => -4_000_000..-OFF_LEAST,
        1 => OFF_LEAST..OFF_MOST,
        1 => -OFF_MOST..-OFF_LEAST,
    ];
    let device = || 0..HYDRANTS + DETECTORS;
    prop_oneof![
        24 => (0..HYDRANTS, kpa, late, any::<bool>())
            .prop_map(|(device, kpa, late, numbered)| Event::Reads { device, kpa, late, numbered }),
        4 => (HYDRANTS..HYDRANTS + DETECTORS, 0.0f32..0.3, 10.0f32..60.0)
            .prop_map(|(device, smoke, temp)| Event::Smells { device, smoke, temp }),
        6 => (device(), prop::sample::select(conditions.to_vec()), any::<bool>(), any::<bool>())
            .prop_map(|(device, condition, active, test)| Event::Shouts {
                device, condition, active, test,
            }),
        4 => (device(), any::<bool>()).prop_map(|(device, online)| Event::Says { device, online }),
        4 => (0..STATIONS.len(), any::<bool>())
            .prop_map(|(station, online)| Event::Here { station, online }),
        6 => (0..4usize, 0..ACTS.len()).prop_map(|(incident, kind)| Event::Acts { incident, kind }),
        2 => any::<bool>().prop_map(Event::Session),
        2 => (device(), 1u32..300).prop_map(|(device, expires)| Event::Command { device, expires }),
        2 => (0..4usize).prop_map(Event::Delivered),
        16 => prop_oneof![6 => 1u32..90, 6 => 90u32..2_000, 6 => 2_000u32..20_000, 1 => Just(90_000)]
            .prop_map(Event::Wait),
        4 => (prop_oneof![Just(300.0f32), Just(100.0), Just(0.0)], 1u8..24, any::<bool>())
            .prop_map(|(kpa, minutes, steadily)| Event::Town { kpa, minutes, steadily }),
        8 => off.prop_map(Event::Off),
    ]
}

fn registry() -> Registry {
    let mut registry = town::registry((0..HYDRANTS + DETECTORS).map(|n| {
        let hydrant = n < HYDRANTS;
        Device {
            zone: if hydrant { "Z" } else { "" }.into(),
            building: if hydrant { "" } else { "B" }.into(),
            lat: Some(29.4 + f64::from(n) / 10_000.0),
            ..device(&name(n), if hydrant { Kind::Hydrant } else { Kind::Smoke })
        }
    }));
    for (id, parent, lat) in [("T", "D", 29.41), ("T2", "D", 29.45)] {
        registry.put_station(Station { lat, ..station(id, Level::Township, Some(parent)) });
    }
    registry
}

fn name(device: u32) -> String {
    format!("X-{device}")
}

/// How a gateway takes a clock that is set, and whose time devices tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// What is remembered moves, and everybody's clock with it.
    AllMove,
    /// Somebody set the gateway's clock; devices go on as before.
    GatewayAlone,
}

/// One of the two gateways.
struct Gateway {
    world: World,
    way: Way,
    /// By how much its clock is ahead of the story's.
    off: Ms,
    seq: u32,
    labels: Vec<IncidentId>,
    pages: Vec<ulid::Ulid>,
}

/// All that is compared.
type Said = BTreeMap<String, Vec<String>>;

impl Gateway {
    fn new(way: Way) -> Self {
        let plan = Plan { verify_hours: 1, ..Plan::default() };
        let world = town::world(registry(), plan);
        Self { world, way, off: 0, seq: 0, labels: Vec::new(), pages: Vec::new() }
    }

    fn happens(&mut self, event: &Event, t: Ms, out: &mut Changes) {
        let now = t + self.off;
        let device_now = if self.way == Way::AllMove { now } else { t };
        let incident = |n: usize| self.labels.iter().rev().nth(n).copied();
        let message = match event {
            Event::Reads { device, kpa, late, numbered } => {
                self.seq += 1;
                let mut reading = self.reading(*numbered, device_now - Ms::from(*late) * 1_000);
                reading.values.set(Field::PressureKpa, *kpa).unwrap();
                let (area, device) = ("town".into(), name(*device).into());
                Message::Telemetry { area, device, readings: vec![reading] }
            }
            Event::Smells { device, smoke, temp } => {
                self.seq += 1;
                let mut reading = self.reading(true, device_now);
                reading.values.set(Field::SmokeDbM, *smoke).unwrap();
                reading.values.set(Field::TempC, *temp).unwrap();
                let (area, device) = ("town".into(), name(*device).into());
                Message::Telemetry { area, device, readings: vec![reading] }
            }
            Event::Shouts { device, condition, active, test } => {
                self.seq += 1;
                let reading = self.reading(true, device_now);
                let (condition, active, test) = (*condition, *active, *test);
                let alarm = Alarm { reading, condition, active, test };
                Message::Alarm { area: "town".into(), device: name(*device).into(), alarm }
            }
            Event::Says { device, online } => Message::bare_status(name(*device), *online),
            Event::Here { station, online } => {
                Message::Presence { station: STATIONS[*station].into(), online: *online }
            }
            Event::Acts { incident: n, kind } => {
                let Some(incident) = incident(*n) else { return };
                let action = Action {
                    incident,
                    kind: ACTS[*kind],
                    by: "".into(),
                    note: "".into(),
                    seen: "".into(),
                };
                Message::Action { station: "T".into(), action }
            }
            Event::Session(up) => return self.world.session(*up, now, out),
            Event::Command { device, expires } => {
                let asked = CommandRequest::new(Verb::ALL[0], None, Some(*expires), "who").unwrap();
                let order = Order::Command { device: name(*device).into(), asked };
                let _ = self.world.order(order, now, out);
                return;
            }
            Event::Delivered(n) => {
                let Some(page) = self.pages.iter().rev().nth(*n).copied() else { return };
                return self.world.delivered(page, now, out);
            }
            Event::Wait(_) | Event::Town { .. } | Event::Off(_) => return,
        };
        self.world.step(&message, now, out);
    }

    fn reading(&self, numbered: bool, ts: Ms) -> Reading {
        let number = numbered.then_some((1, self.seq));
        let (boot, seq) = number.unzip();
        Reading { boot, seq, ts: Some(ts), ..Reading::default() }
    }

    /// Its clock is off by so much from now on, at that moment of the story.
    fn set(&mut self, off: Ms, t: Ms, out: &mut Changes) {
        let by = off - self.off;
        self.off = off;
        match self.way {
            Way::AllMove => self.world.shift(by, out),
            Way::GatewayAlone => self.world.clock_set(by, t + off, out),
        }
    }

    /// Its own clock is not compared: the other has no such fault.
    fn is_of_clock(incident: &Incident) -> bool {
        let of_clock = |condition: &Condition| *condition == Condition::ClockFault;
        incident.subject == Subject::Gateway && incident.conditions().iter().any(of_clock)
    }

    fn label(&self, id: IncidentId) -> Option<String> {
        self.labels.iter().position(|known| *known == id).map(|n| format!("#{n}"))
    }

    /// All that follows, in the story's time.
    fn said(&mut self, out: &Changes) -> Said {
        for id in &out.incidents {
            let known = self.labels.contains(id);
            if !known
                && self.world.book.get(*id).is_some_and(|incident| !Self::is_of_clock(incident))
            {
                self.labels.push(*id);
            }
        }
        let mut said = Said::new();
        let mut say = |what: &str, words: String| said.entry(what.into()).or_default().push(words);
        let mut pages = Vec::new();
        for page in &out.pages {
            let Some(label) = self.label(page.incident) else { continue };
            let to = match &page.receiver {
                Receiver::Station(name) | Receiver::Webhook(name) => name,
            };
            let (episode, step, repeat, at) = (page.episode, page.step, page.repeat, page.at);
            let words = format!("{label} {episode} {step} {repeat} {to} {}", at - self.off);
            pages.push((words, page.page_id));
        }
        pages.sort();
        for (words, id) in pages {
            self.pages.push(id);
            say("pages", words);
        }
        for TrailEntry { incident, at, hop, by, detail, actor: _, code: _ } in &out.trail {
            let Some(label) = self.label(*incident) else { continue };
            let mut detail = detail.to_string();
            for id in &self.labels {
                detail = detail.replace(&id.to_string(), &self.label(*id).unwrap());
            }
            say("trail", format!("{label} {} {hop:?} {by} {detail}", at - self.off));
        }
        if out.is_empty() {
            return said; // nothing is other than before
        }
        for id in &self.labels {
            let Some(incident) = self.world.book.get(*id) else { continue };
            let (label, due) =
                (self.label(*id).unwrap(), incident.next_step_at.map(|at| at - self.off));
            say(
                "open",
                format!(
                    "{label} {:?} {:?} {} {due:?}",
                    incident.state, incident.severity, incident.episode
                ),
            );
        }
        for ix in (0..HYDRANTS + DETECTORS).map(DeviceIx) {
            let is = self.world.summary(ix);
            let heard = is.heard_at.map(|at| at - self.off);
            say("devices", format!("{} {heard:?} {:?}", is.conditions, is.latest.pressure_kpa));
        }
        for command in &out.commands {
            say("commands", format!("{:?} {}", command.state, command.expires_at - self.off));
        }
        for lines in said.values_mut() {
            lines.sort(); // in one moment nothing comes before anything else
        }
        said
    }

    fn wake(&self) -> Option<Ms> {
        let now_or_then = |at| if at == Ms::MIN { at } else { at - self.off };
        self.world.next_wake().map(now_or_then)
    }
}

fn play(way: Way, events: &[Event]) {
    let (mut steady, mut set) = (Gateway::new(way), Gateway::new(way));
    let mut t = T0;
    both(&mut steady, &mut set, t, &Event::Session(true));
    for event in events {
        t += 100;
        match event {
            Event::Off(off) => {
                let mut out = Changes::default();
                set.set(*off, t, &mut out);
                set.said(&Changes { commands: Vec::new(), ..out });
                set.world.committed();
            }
            Event::Wait(seconds) => {
                pass((&mut steady, &mut set), &mut t, Ms::from(*seconds) * 1_000);
            }
            Event::Town { kpa, minutes, steadily } => {
                for minute in 0..*minutes {
                    for device in 0..HYDRANTS {
                        let kpa = if *steadily { *kpa } else { *kpa + f32::from(minute % 7) };
                        let reads = Event::Reads { device, kpa, late: 0, numbered: true };
                        both(&mut steady, &mut set, t, &reads);
                    }
                    pass((&mut steady, &mut set), &mut t, 60_000);
                }
            }
            Event::Reads { .. }
            | Event::Smells { .. }
            | Event::Shouts { .. }
            | Event::Says { .. }
            | Event::Here { .. }
            | Event::Acts { .. }
            | Event::Session(_)
            | Event::Command { .. }
            | Event::Delivered(_) => {}
        }
        both(&mut steady, &mut set, t, event);
    }
}

/// So much time passes for both, and every deadline in it is met.
fn pass((steady, set): (&mut Gateway, &mut Gateway), t: &mut Ms, ms: Ms) {
    let end = *t + ms;
    for _ in 0..200 {
        let Some(wake) = steady.wake().filter(|wake| *wake < end) else { break };
        *t = wake.max(*t);
        both(steady, set, *t, &Event::Wait(0));
    }
    *t = end;
    both(steady, set, *t, &Event::Wait(0));
}

/// The same happens to both, and then a moment passes.
fn both(steady: &mut Gateway, set: &mut Gateway, t: Ms, event: &Event) {
    let [one, mut other] = [steady, set].map(|gateway| {
        let mut out = Changes::default();
        gateway.happens(event, t, &mut out);
        gateway.world.tick(t + gateway.off, &mut out);
        let said = gateway.said(&out);
        gateway.world.committed();
        (said, gateway.wake())
    });
    // One whose clock is set has timers of its own about that: it may wake earlier, and never later.
    if other.1.is_some_and(|own| one.1.is_none_or(|at| own < at)) {
        other.1 = one.1;
    }
    if one != other {
        let (one, other) = (lines(&one), lines(&other));
        let only = |these: &[String], those: &[String]| {
            let only = these.iter().filter(|line| !those.contains(line));
            only.cloned().collect::<Vec<_>>().join("\n  ")
        };
        let (one, other) = (only(&one, &other), only(&other, &one));
        panic!("at {} s, {event:?}: never set\n  {one}\nset\n  {other}", (t - T0) / 1_000);
    }
}

/// What is compared, a line each.
fn lines((said, wake): &(Said, Option<Ms>)) -> Vec<String> {
    let said = said.iter().flat_map(|(what, lines)| {
        let line = move |line: &String| format!("{what} {line}");
        lines.iter().map(line)
    });
    said.chain([format!("wakes {wake:?}")]).collect()
}

proptest! {
    #![proptest_config(crate::cases::cases(1_000))]

    #[test]
    fn what_is_remembered_moves_with_the_clock(
        events in prop::collection::vec(any_event(), 1..60),
    ) {
        play(Way::AllMove, &events);
    }

    #[test]
    fn a_gateway_whose_clock_is_set_does_what_it_would_have_done(
        events in prop::collection::vec(any_event(), 1..60),
    ) {
        play(Way::GatewayAlone, &events);
    }
}
