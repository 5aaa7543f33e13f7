//! The same thing has the same ids, wherever and whenever it is decided.

use std::collections::BTreeSet;

use proptest::prelude::*;
use standpipe_shared::{Alarm, Condition, Reading};
use ulid::Ulid;

use super::town::town;
use crate::incidents::{IdSecret, Plan};
use crate::wire::{Arrived, Message};
use crate::world::World;
use crate::{Changes, Ms};

const T0: Ms = 1_767_225_600_000;

/// A gateway with that secret, that hears a message at that time and waits for some minutes: the
/// ids of all incidents, and of their pages.
fn heard(secret: u8, message: &Message, at: Ms, print: u128) -> (BTreeSet<Ulid>, Vec<Ulid>) {
    let mut world = World::new(town(), Plan::default(), IdSecret::new([secret; 32]));
    let mut out = Changes::default();
    world.session(true, at - 1_000, &mut out);
    for station in ["D", "T1", "T2", "T3", "T4", "C1"] {
        let presence = Message::Presence { station: station.into(), online: true };
        world.step(&presence, at - 1_000, &mut out);
    }
    world.step(message, Arrived { at, retained: false, print }, &mut out);
    world.tick(at, &mut out);
    let until = at + 400_000;
    while let Some(wake) = world.next_wake().filter(|wake| *wake <= until) {
        world.tick(wake.max(at), &mut out);
        if wake < at {
            break;
        }
    }
    let pages = out.pages.iter().map(|page| page.page_id).collect();
    (out.incidents.into_iter().collect(), pages)
}

fn alarm() -> impl Strategy<Value = (Message, u128, Ms)> {
    let upkeep_and_water = [Condition::Tamper, Condition::NoWater];
    alarm_of([&FIRES[..], &upkeep_and_water[..]].concat())
}

const FIRES: [Condition; 2] = [Condition::Smoke, Condition::Heat];

fn alarm_of(conditions: Vec<Condition>) -> impl Strategy<Value = (Message, u128, Ms)> {
    let device = prop::sample::select(vec!["SD-1", "SD-4", "SD-U", "HY-1", "new"]);
    let condition = prop::sample::select(conditions);
    let numbers = (any::<Option<u32>>(), any::<Option<u32>>());
    let ago = prop_oneof![3 => 0_i64..600_000, 1 => 0_i64..100_000_000_000];
    (device, condition, numbers, any::<u128>(), ago).prop_map(
        |(device, condition, (boot, seq), print, ago)| {
            let ts = T0 - ago;
            let reading = Reading { boot, seq, ts: Some(ts), ..Reading::default() };
            let alarm = Alarm { reading, condition, active: true, test: false };
            (Message::Alarm { area: "a".into(), device: device.into(), alarm }, print, ts)
        },
    )
}

proptest! {
    #![proptest_config(crate::cases::cases(1_000))]

    #[test]
    fn the_same_alarm_has_the_same_ids_live_an_hour_later_and_elsewhere(
        (message, print, ts) in alarm(),
    ) {
        let live = heard(1, &message, T0, print);
        let incident = live.0.first().copied().unwrap_or_default();
        prop_assert_eq!(incident.timestamp_ms(), ts.unsigned_abs());
        prop_assert!(live.1.iter().all(|page| page.timestamp_ms() == ts.unsigned_abs()));
        prop_assert_eq!(&heard(1, &message, T0, print), &live, "on another machine");
        let later = heard(1, &message, T0 + 3_600_000, print);
        prop_assert_eq!(&later.0, &live.0, "redelivered an hour later");
        // A page that is owed later at one of them has the same id at both.
        let (live_pages, later_pages): (BTreeSet<_>, BTreeSet<_>) =
            (live.1.iter().collect(), later.1.iter().collect());
        prop_assert!(live_pages.is_superset(&later_pages) || later_pages.is_superset(&live_pages));
        prop_assert!(!later_pages.is_empty());
        let other = heard(2, &message, T0, print);
        prop_assert!(other.0.is_disjoint(&live.0), "another secret");
        prop_assert!(other.1.iter().all(|page| !live.1.contains(page)));
    }

    #[test]
    fn another_message_of_a_fire_has_another_id(
        (message, print, _) in alarm_of(FIRES.to_vec()),
        (other, other_print, _) in alarm_of(FIRES.to_vec()),
    ) {
        prop_assume!(message != other || print != other_print);
        let (one, two) = (heard(1, &message, T0, print), heard(1, &other, T0, other_print));
        prop_assert!(one.0.is_disjoint(&two.0));
    }

    #[test]
    fn the_bytes_of_a_fire_are_part_of_its_id(
        (message, print, _) in alarm_of(FIRES.to_vec()),
        other in any::<u128>(),
    ) {
        prop_assume!(print != other);
        let (one, two) = (heard(1, &message, T0, print), heard(1, &message, T0, other));
        prop_assert!(one.0.is_disjoint(&two.0));
    }
}

/// A fire, and an alarm that cannot be read, are told of in the step of their message: it is what
/// their ids go by. Everything else may be told of when a backlog ends, and goes by its onset.
#[test]
fn what_is_told_of_at_once_has_its_id_from_its_message_and_all_else_from_its_onset() {
    let read = |condition| {
        let reading = Reading { ts: Some(T0), ..Reading::default() };
        let alarm = Alarm { reading, condition, active: true, test: false };
        Message::Alarm { area: "a".into(), device: "SD-4".into(), alarm }
    };
    let unreadable = Message::UnreadableAlarm {
        area: "a".into(),
        device: Some("SD-4".into()),
        topic: "r/a/SD-4/alarm".into(),
        payload: "ON".into(),
        why: crate::wire::RejectedReason::NotJson,
    };
    for (message, of_its_bytes) in [
        (read(Condition::Smoke), true),
        (read(Condition::Heat), true),
        (unreadable, true),
        (read(Condition::Tamper), false),
        (read(Condition::Contamination), false),
    ] {
        let ids = [5, 6].map(|print| heard(1, &message, T0, print).0);
        assert_eq!(ids[0].len(), 1, "{message:?}");
        assert_eq!(ids[0] != ids[1], of_its_bytes, "{message:?}");
    }
}

#[test]
fn an_id_that_exists_is_not_given_twice() {
    let reading = Reading { ts: Some(T0), ..Reading::default() };
    let alarm = |active| {
        let alarm = Alarm { reading, condition: Condition::Smoke, active, test: false };
        Message::Alarm { area: "a".into(), device: "SD-4".into(), alarm }
    };
    let plan = Plan { undo_s: 0, ..Plan::default() };
    let mut world = World::new(town(), plan, IdSecret::new([1; 32]));
    let mut ids = BTreeSet::new();
    for n in 0..5 {
        let mut out = Changes::default();
        world.step(&alarm(true), T0 + n, &mut out);
        let fire = out.pages[0].incident;
        assert!(ids.insert(fire), "the same bytes after it was closed");
        world.step(&alarm(false), T0 + n, &mut out);
        let action = crate::incidents::Action {
            incident: fire,
            kind: crate::incidents::ActionKind::Resolve,
            by: "".into(),
            note: "".into(),
            seen: "".into(),
        };
        let admin = crate::incidents::Actor::admin("admin");
        world.act(&admin, &action, T0 + n, &mut out).expect("closed");
        world.committed();
    }
}

#[test]
fn a_secret_is_known_again_by_its_mark() {
    let mark = |byte| IdSecret::new([byte; 32]).mark();
    assert_eq!(mark(7), mark(7));
    assert_ne!(mark(7), mark(8), "another gateway's");
    assert_eq!(mark(7).parse::<Ulid>().map(|mark| mark.timestamp_ms()), Ok(0), "an id of no time");
}
