//! What a rehearsal says, held against what happens: a device's own alarm through the whole world.

use std::collections::BTreeSet;

use proptest::prelude::*;
use standpipe_shared::{Alarm, Condition, Kind, Reading, Severity};

use super::town::{route, town};
use crate::changes::{Page, Receiver};
use crate::incidents::{
    Announced, Announcement, IdSecret, Plan, PlannedPage, ReceiverRole, Route, Scene, Scope, Steps,
    conditions_of, differences, preview,
};
use crate::registry::Registry;
use crate::wire::Message;
use crate::world::World;
use crate::{Changes, Ms};

const T0: Ms = 1_767_225_600_000;
const STATIONS: [&str; 6] = ["D", "T1", "T2", "T3", "T4", "C1"];
/// What an alarm of a device raises at once.
const ALARMS: [Condition; 6] = [
    Condition::Smoke,
    Condition::Heat,
    Condition::NoWater,
    Condition::LowPressure,
    Condition::HighPressure,
    Condition::Tamper,
];

fn plan(fire: Steps, critical: Steps, warning: Steps, webhooks: Vec<Route>) -> Plan {
    // A rehearsal supposes that somebody confirms each page.
    Plan { fire, critical, warning, webhooks, confirm_s: 0, ..Plan::default() }
}

/// What really happens until the first repetition: every page about that alarm.
fn happens(
    plan: &Plan,
    (device, condition): (&str, Condition),
    away: &BTreeSet<Box<str>>,
    work: Option<&Announcement>,
) -> Vec<PlannedPage> {
    let mut world = World::new(town(), plan.clone(), IdSecret::new([3; 32]));
    let mut out = Changes::default();
    world.session(true, T0, &mut out);
    for station in STATIONS.iter().filter(|station| !away.contains(**station)) {
        let present = Message::Presence { station: (*station).into(), online: true };
        world.step(&present, T0, &mut out);
    }
    if let Some(work) = work {
        world.announce(work.clone(), T0, &mut out).expect("it can be announced");
    }
    let alarm = Alarm { reading: Reading::default(), condition, active: true, test: false };
    world.step(&Message::Alarm { area: "a".into(), device: device.into(), alarm }, T0, &mut out);
    world.tick(T0, &mut out);
    let incident =
        out.trail.iter().find(|entry| &*entry.by == device).expect("it was raised").incident;
    let mut told = Vec::new();
    let mut now = T0;
    loop {
        let pages = out.pages.iter().filter(|page| page.incident == incident);
        told.extend(pages.filter(|page| page.repeat < 2).map(|page| as_told(page, now)));
        if out.pages.iter().any(|page| page.incident == incident && page.repeat >= 2) {
            return told;
        }
        out = Changes::default();
        match world.next_wake().filter(|at| *at < T0 + 9 * 86_400_000 && now - T0 < 86_400_000) {
            Some(at) => now = at,
            None => return told,
        }
        world.tick(now, &mut out);
    }
}

fn as_told(page: &Page, now: Ms) -> PlannedPage {
    let after_s = (now - T0) / 1_000;
    PlannedPage {
        after_s,
        step: page.step,
        again: page.repeat > 0,
        receiver: page.receiver.clone(),
    }
}

fn steps() -> impl Strategy<Value = Steps> {
    let seconds = prop_oneof![Just(0_u32), 1_u32..400];
    (seconds.clone(), seconds.clone(), seconds).prop_map(|(step2_s, more, repeat_s)| {
        let step3_s = if more == 0 { 0 } else { step2_s + more };
        Steps { step2_s, step3_s, repeat_s, forgotten_s: 0 }
    })
}

fn webhook() -> impl Strategy<Value = Route> {
    let station = prop_oneof![Just(None), (0..STATIONS.len()).prop_map(|n| Some(STATIONS[n]))];
    let role = prop_oneof![
        Just(ReceiverRole::Officer),
        Just(ReceiverRole::Chief),
        Just(ReceiverRole::Admin)
    ];
    let severities = prop::collection::vec(0..Severity::ALL.len(), 0..3);
    (station, role, severities, prop::collection::vec(1_u8..4, 0..3)).prop_map(
        |(station, role, severities, steps)| Route {
            severities: severities.into_iter().map(|n| Severity::ALL[n]).collect(),
            steps,
            ..route("", station, role)
        },
    )
}

proptest! {
    #![proptest_config(crate::cases::cases(1_000))]

    #[test]
    fn a_rehearsal_says_what_happens(
        (fire, critical, warning) in (steps(), steps(), steps()),
        webhooks in prop::collection::vec(webhook(), 0..5),
        away in prop::collection::btree_set((0..STATIONS.len()).prop_map(|n| STATIONS[n].into()), 0..6),
        (device, condition) in (0_usize..13, 0..ALARMS.len()),
        work in prop::option::of(1_i64..7_200),
    ) {
        let named = webhooks.into_iter().enumerate();
        let webhooks =
            named.map(|(n, route)| Route { name: format!("w{n}").into(), ..route }).collect();
        let plan = plan(fire, critical, warning, webhooks);
        let (registry, condition) = (town(), ALARMS[condition]);
        let device = &registry.devices()[device];
        let ix = registry.find(&device.id).expect("it is there");
        let work = work.filter(|_| condition.severity() < Severity::Fire).map(|seconds| Announcement {
            what: Announced::Maintenance,
            scope: Scope::Device(device.id.clone()),
            conditions: [condition].into(),
            from: T0,
            until: T0 + seconds * 1_000,
            by: "Li".into(),
            note: "".into(),
        });
        let windows: Vec<_> = work
            .iter()
            .map(|announcement| announcement.clone().window(ulid::Ulid::nil(), &registry, T0).expect("a window"))
            .collect();
        let scene =
            Scene { plan: &plan, registry: &registry, windows: &windows, away: &away, now: T0 };
        let said = preview(&scene, ix, condition);
        let real = happens(&plan, (&device.id, condition), &away, work.as_ref());
        prop_assert_eq!(&said.told, &real);
        prop_assert_eq!(said.muted.is_some(), work.is_some());
        prop_assert_eq!(said.severity, condition.severity());
        prop_assert!(differences(&said, &said).is_empty());
    }
}

/// `after: who`, repetitions as `again`.
fn lines(plan: &Plan, registry: &Registry, of: (&str, Condition), away: &[&str]) -> Vec<String> {
    let away: BTreeSet<Box<str>> = away.iter().map(|id| (*id).into()).collect();
    let scene = Scene { plan, registry, windows: &[], away: &away, now: T0 };
    let said = preview(&scene, registry.find(of.0).expect("a device"), of.1);
    let mut lines: Vec<String> = said
        .told
        .iter()
        .map(|told| {
            let again = if told.again { " again" } else { "" };
            match &told.receiver {
                Receiver::Station(id) => format!("{} {id}{again}", told.after_s),
                Receiver::Webhook(name) => format!("{} @{name}{again}", told.after_s),
            }
        })
        .collect();
    lines.extend(said.every_s.map(|seconds| format!("every {seconds}")));
    lines.extend(said.forgotten_s.map(|seconds| format!("idle {seconds}")));
    lines
}

#[test]
#[rustfmt::skip] // a table
fn a_rehearsal_reads_like_the_manual() {
    let (plan, town) = (Plan::default(), town());
    for (story, of, away, expected) in [
        ("a fire", ("SD-1", Condition::Smoke), vec![],
            "0 T1, 60 T2, 60 T3, 180 D, 480 D again, 480 T1 again, 480 T2 again, 480 T3 again, every 300, idle 1800"),
        ("nobody at the station", ("SD-1", Condition::Smoke), vec!["T1"],
            "0 T1, 0 T2, 0 T3, 180 D, 480 D again, 480 T1 again, 480 T2 again, 480 T3 again, every 300, idle 1800"),
        ("a dry hydrant", ("HY-6", Condition::NoWater), vec![],
            "0 T2, 60 T1, 60 T3, 180 D, 1080 D again, 1080 T1 again, 1080 T2 again, 1080 T3 again, every 900, idle 1800"),
        ("a warning", ("HY-6", Condition::LowPressure), vec![], "0 T2"),
        ("a notice", ("HY-6", Condition::Offline), vec![], ""),
        ("a zone of two stations", ("HY-1", Condition::ZoneLowPressure), vec![],
            "0 T1, 0 T2, 60 T3, 60 T4, 180 D, 1080 D again, 1080 T1 again, 1080 T2 again, 1080 T3 again, 1080 T4 again, every 900, idle 1800"),
        ("the gateway", ("SD-1", Condition::GatewayBlind), vec![], 
            "0 D, 180 D, 1080 D again, every 900, idle 1800"),
    ] {
        assert_eq!(lines(&plan, &town, of, &away).join(", "), expected, "{story}");
    }
}

#[test]
fn two_configurations_differ_in_who_hears_what_when() {
    let (registry, away) = (town(), BTreeSet::new());
    let old = Plan { webhooks: vec![route("old", None, ReceiverRole::Officer)], ..Plan::default() };
    let mut new =
        Plan { webhooks: vec![route("new", None, ReceiverRole::Chief)], ..Plan::default() };
    new.fire.step3_s = 240;
    let of = |plan| {
        let scene = Scene { plan, registry: &registry, windows: &[], away: &away, now: T0 };
        preview(&scene, registry.find("SD-1").expect("a device"), Condition::Smoke)
    };
    let changed = differences(&of(&old), &of(&new));
    let words: Vec<String> = changed
        .iter()
        .map(|change| {
            let at = |hears: &Option<super::super::Hears>| {
                hears.as_ref().map(|hears| hears.at_s.clone())
            };
            format!("{:?} {:?} -> {:?}", change.receiver, at(&change.before), at(&change.after))
        })
        .collect();
    assert_eq!(
        words,
        [
            "Station(\"D\") Some([180, 480]) -> Some([240, 540])",
            "Station(\"T1\") Some([0, 480]) -> Some([0, 540])",
            "Station(\"T2\") Some([60, 480]) -> Some([60, 540])",
            "Station(\"T3\") Some([60, 480]) -> Some([60, 540])",
            "Webhook(\"new\") None -> Some([60, 540])",
            "Webhook(\"old\") Some([0, 480]) -> None",
        ]
    );
}

#[test]
fn what_is_taken_and_forgotten_is_told_again_to_those_of_the_first_step() {
    let (registry, away) = (town(), BTreeSet::new());
    let scene = |plan, windows| Scene { plan, registry: &registry, windows, away: &away, now: T0 };
    let ix = |id| registry.find(id).expect("a device");
    let old = Plan::default();
    let mut new = Plan::default();
    new.fire.forgotten_s = 3_600;
    let of = |plan| preview(&scene(plan, &[]), ix("SD-1"), Condition::Smoke);
    let changed = differences(&of(&old), &of(&new));
    let idle =
        |hears: &Option<super::super::Hears>| hears.as_ref().and_then(|hears| hears.forgotten_s);
    let [one] = &changed[..] else { panic!("{changed:?}") };
    assert_eq!(one.receiver, Receiver::Station("T1".into()));
    assert_eq!((idle(&one.before), idle(&one.after)), (Some(1_800), Some(3_600)));

    let work = Announcement {
        what: Announced::Maintenance,
        scope: Scope::Device("HY-6".into()),
        conditions: [Condition::NoWater].into(),
        from: T0,
        until: T0 + 600_000,
        by: "Li".into(),
        note: "".into(),
    };
    let window = work.window(ulid::Ulid::nil(), &registry, T0).expect("a window");
    let said = preview(&scene(&old, &[window]), ix("HY-6"), Condition::NoWater);
    assert_eq!(said.forgotten_s, Some(1_800), "taken when it is told, not while it is muted");
}

#[test]
fn a_device_is_asked_only_what_can_be_true_of_it() {
    let registry = town();
    for device in registry.devices() {
        let ix = registry.find(&device.id).expect("it is there");
        let all: Vec<Condition> = conditions_of(&registry, ix).collect();
        let hydrant = device.kind == Kind::Hydrant;
        assert_eq!(all.contains(&Condition::Smoke), !hydrant, "{}", device.id);
        assert_eq!(all.contains(&Condition::NoWater), hydrant, "{}", device.id);
        let zoned = hydrant && !device.zone.is_empty();
        assert_eq!(all.contains(&Condition::ZoneLowPressure), zoned, "{}", device.id);
        assert!(all.contains(&Condition::GatewayBlind), "{}", device.id);
    }
}
