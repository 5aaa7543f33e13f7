//! What must hold of every sequence of events, whatever happens and whenever the gateway restarts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use standpipe_shared::{Class, Severity};

use super::drill::{DAY, Drill};
use crate::Ms;
use crate::incidents::{IncidentId, Plan, ReceiverRole, State};

const DETECTORS: [&str; 4] = ["SD-1", "SD-2", "SD-4", "SD-U"];
const HYDRANTS: [&str; 4] = ["HY-1", "HY-2", "HY-5", "HY-6"];
const WATER: [&str; 4] = ["no_water", "low_pressure", "high_pressure", "hydrant_open"];
const UPKEEP: [&str; 3] = ["offline", "knocked", "battery_low"];
const STATIONS: [&str; 4] = ["D", "T1", "T2", "T3"];
const ACTS: [&str; 9] = [
    "shown",
    "acknowledge",
    "dispatch",
    "arrive",
    "comment",
    "resolve",
    "false_alarm",
    "undo",
    "reopen",
];

fn of<const N: usize>(names: [&'static str; N]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(names.to_vec())
}

/// One command of the drill language.
fn command() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (of(["raise", "raise", "clear"]), of(DETECTORS), of(["smoke", "heat"]))
            .prop_map(|(verb, of, what)| format!("{verb} {of} {what}")),
        1 => (of(DETECTORS), of(["smoke", "heat"]))
            .prop_map(|(of, what)| format!("raise {of} {what} test")),
        1 => (of(DETECTORS), of(["smoke", "heat"]))
            .prop_map(|(of, what)| format!("real {of} {what}")),
        4 => (of(["raise", "clear"]), of(HYDRANTS), of(WATER))
            .prop_map(|(verb, of, what)| format!("{verb} {of} {what}")),
        2 => (of(["raise", "clear"]), of(HYDRANTS), of(UPKEEP))
            .prop_map(|(verb, of, what)| format!("{verb} {of} {what}")),
        1 => (of(["passed", "passed"]), of(HYDRANTS), of(WATER))
            .prop_map(|(verb, of, what)| format!("{verb} {of} {what} late=600")),
        1 => Just("raise zone:Z1 zone_low_pressure members=HY-1,HY-2,HY-5".to_owned()),
        1 => Just("clear zone:Z1 zone_low_pressure".to_owned()),
        1 => (of(WATER), of(WATER)).prop_map(|(one, two)| format!(
            "raise HY-1 {one} + raise HY-2 {two} + raise zone:Z1 zone_low_pressure members=HY-1,HY-2"
        )),
        1 => Just("raise area:T1 blind_area members=HY-1,HY-2".to_owned()),
        1 => Just("clear area:T1 blind_area".to_owned()),
        1 => of(["raise gateway gateway_blind", "clear gateway gateway_blind"])
            .prop_map(str::to_owned),
        2 => (of(["verified", "unverified"]), of(HYDRANTS)).prop_map(|(a, b)| format!("{a} {b}")),
        2 => (of(["online", "offline"]), of(STATIONS)).prop_map(|(a, b)| format!("{a} {b}")),
        6 => (of(STATIONS), of(ACTS), 1_usize..9).prop_map(|(a, b, n)| format!("{a} {b} #{n}")),
        1 => (of(HYDRANTS), of(["ok", "no_water", "stale"]))
            .prop_map(|(of, trust)| format!("trust {of} {trust} 200")),
        1 => (of(["maintenance", "walk_test", "exercise"]), 1_u8..9)
            .prop_map(|(what, h)| format!(
                "announce {what} {what} 00:00:00 0{h}:00:00 HY-1,HY-5,SD-1 low_pressure,no_water,smoke"
            )),
        1 => of(["maintenance", "walk_test", "exercise"]).prop_map(|id| format!("withdraw {id}")),
        1 => (of(["SD-4", "SD-U", "HY-6"]), of(["ON", "OFF"]))
            .prop_map(|(of, said)| format!("unreadable {of} {said}")),
        1 => (of(["registry_fault", "clock_fault"]), of(["", "line 3", "line 4"]))
            .prop_map(|(what, said)| format!("gateway {what} {said}")),
    ]
}

/// Milliseconds from one command to the next: a moment, some minutes, or half an hour.
fn pause() -> impl Strategy<Value = Ms> {
    prop_oneof![2 => 0_i64..2_000, 4 => 0_i64..200_000, 1 => 0_i64..2_000_000]
}

fn plan() -> Plan {
    let webhooks = vec![
        super::town::route("all", None, ReceiverRole::Officer),
        super::town::route("chief", Some("T1"), ReceiverRole::Chief),
        super::town::route("admin", None, ReceiverRole::Admin),
    ];
    Plan { webhooks, ..Plan::default() }
}

/// What was seen of an incident before.
type Seen = BTreeMap<IncidentId, (Severity, u32, u32)>;

/// Runs one command, after everything that is due before it.
fn run(drill: &mut Drill, command: &str, now: Ms, seen: &mut Seen) {
    while let Some(wake) = drill.book.next_wake().filter(|wake| *wake < now) {
        one(drill, "-", wake, seen);
    }
    one(drill, command, now, seen);
}

fn one(drill: &mut Drill, command: &str, now: Ms, seen: &mut Seen) {
    let words: Vec<&str> = command.split_whitespace().collect();
    if let ["withdraw", id] = words[..]
        && drill.book.windows().iter().all(|window| &*window.id != id)
    {
        return;
    }
    let (pages, open) = (drill.pages.len(), open(drill));
    drill.happens(&words, now);
    let new_pages: BTreeSet<IncidentId> =
        drill.pages[pages..].iter().map(|page| page.incident).collect();
    for incident in drill.book.open() {
        let what = format!("{command} at {now}: {incident:?}");
        let (severity, episode, rev) = seen
            .insert(incident.id, (incident.severity, incident.episode, incident.rev))
            .unwrap_or((Severity::Notice, 0, 0));
        let loud = incident.severity > Severity::Notice && incident.parent.is_none();
        let paged = new_pages.contains(&incident.id);
        if loud && (incident.severity > severity || incident.episode > episode) {
            let hushed =
                incident.class != Class::Fire && incident.held.iter().any(|held| held.until > now);
            assert!(hushed || paged && incident.episode > episode, "silently worse: {what}");
        }
        let at_once = words.contains(&"+"); // what was told first may be something else
        if !at_once && (incident.severity == Severity::Notice || incident.parent.is_some()) {
            assert!(!paged, "paged though nobody should be: {what}");
        }
        assert!(
            incident.rev >= rev && incident.episode >= episode && incident.outcome.is_none(),
            "{what}"
        );
        assert!(incident.class == Class::Fire || incident.members.len() <= 8, "it grows: {what}");
        let due = drill.book.due(incident);
        assert_eq!(due, incident.next_step_at, "a terminal came or went: {what}");
        if loud && incident.state == State::Open {
            let hushed = !incident.held.is_empty();
            assert!(
                (incident.step > 0 || hushed) && !incident.boards.is_empty(),
                "never paged: {what}"
            );
            let due = incident.next_step_at;
            let waits = incident.settles_at.is_some_and(|at| at > now) || incident.step == 0;
            let chased = incident.severity > Severity::Warning && !waits;
            assert!(!chased || due.is_some_and(|at| at > now && at <= now + 900_000), "{what}");
        }
        if incident.class == Class::Fire {
            let acts =
                matches!(incident.state, State::Open | State::Acknowledged | State::Resolved);
            assert!(acts, "a fire is not verified: {what}");
        }
    }
    for closed in open.difference(&self::open(drill)) {
        seen.remove(closed);
    }
    let alive: BTreeSet<IncidentId> = self::open(drill).difference(&open).copied().collect();
    assert!(alive.iter().all(|id| !drill.was_closed(*id)), "closed and open again: {command}");
    assert!(drill.book.next_wake().is_none_or(|at| at > now), "not finished at {now}: {command}");
}

fn open(drill: &Drill) -> BTreeSet<IncidentId> {
    drill.book.open().map(|incident| incident.id).collect()
}

proptest! {
    #![proptest_config(crate::cases::cases(1_000))]

    #[test]
    fn whatever_happens(script in prop::collection::vec((command(), pause()), 1..40)) {
        let mut steady = Drill::new(plan());
        let mut restarted = Drill::restarting(plan());
        let (mut seen, mut seen_again) = (Seen::new(), Seen::new());
        let mut now = DAY;
        for (command, pause) in &script {
            now += pause;
            run(&mut steady, command, now, &mut seen);
            run(&mut restarted, command, now, &mut seen_again);
            prop_assert_eq!(steady.pages.len(), restarted.pages.len());
            prop_assert!(steady.book.open().eq(restarted.book.open()), "after {}", command);
            prop_assert_eq!(steady.book.meta(), restarted.book.meta());
            prop_assert_eq!(steady.book.next_wake(), restarted.book.next_wake());
        }
        prop_assert_eq!(&steady.pages, &restarted.pages);
        prop_assert_eq!(&steady.trail, &restarted.trail);
    }
}
