//! Who may act: whoever was told, and whoever is above them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::drill::{DAY, Drill, drill};
use super::property::cases;
use crate::changes::Receiver;
use crate::incidents::{AccountRole, ActionKind, Actor, Plan};

#[test]
fn whoever_was_told_and_whoever_is_above_them() {
    let drill = drill(
        "02:00:00 raise SD-4 smoke   => #1 fire open e1; p1 #1 T1
         02:00:01 T2 acknowledge #1  => refused: not told
         02:00:02 C1 acknowledge #1  => refused: not told
         02:00:03 X9 acknowledge #1  => refused: unregistered
         02:00:04 D acknowledge #1 Li => #1 fire acknowledged e1
         02:00:05 T1 dispatch #1     =>
         02:00:06 T2 comment #1      => refused: not told",
    );
    let acted: Vec<_> = drill
        .trail
        .iter()
        .filter(|line| !line.actor.is_empty())
        .map(|line| (&*line.by, &*line.actor))
        .collect();
    assert_eq!(acted, [("Li", "D"), ("T1", "T1")]);
}

#[test]
fn an_actor_is_logged_with_the_station_they_act_for() {
    let account = |station: Option<&str>| {
        let station = station.map(Box::from);
        Actor::Account { name: "li".into(), role: AccountRole::Officer, station }
    };
    for (actor, logged) in [
        (Actor::Station("T1".into()), "station T1"),
        (account(None), "account li"),
        (account(Some("T1")), "account li of T1"),
    ] {
        assert_eq!(actor.to_string(), logged);
    }
}

#[test]
fn a_person_may_what_their_role_allows_where_their_station_may() {
    let mut drill = Drill::new(Plan::default());
    drill.happens(&["raise", "SD-4", "smoke"], DAY);
    for (role, station, kind, expected) in [
        (AccountRole::Viewer, Some("T1"), ActionKind::Shown, "Ok(())"),
        (AccountRole::Viewer, Some("T1"), ActionKind::Comment, "Err(NotAllowed)"),
        (AccountRole::Crew, Some("T1"), ActionKind::Resolve, "Err(NotAllowed)"),
        (AccountRole::Officer, Some("T1"), ActionKind::Comment, "Ok(())"),
        (AccountRole::Officer, Some("D"), ActionKind::Comment, "Ok(())"),
        (AccountRole::Officer, Some("D"), ActionKind::Shown, "Ok(())"),
        (AccountRole::Officer, Some("T2"), ActionKind::Comment, "Err(NotTold)"),
        (AccountRole::Officer, Some("C1"), ActionKind::Comment, "Err(NotTold)"),
        (AccountRole::Admin, Some("gone"), ActionKind::Comment, "Err(Unregistered)"),
        (AccountRole::Officer, None, ActionKind::Comment, "Ok(())"),
    ] {
        let station = station.map(Into::into);
        let actor = Actor::Account { name: "li".into(), role, station };
        let incident = drill.incident(1);
        let done = crate::incidents::authorise(&drill.registry, &actor, incident, kind);
        assert_eq!(format!("{done:?}"), expected, "{actor:?} {kind:?}");
    }
}

const STATIONS: [&str; 7] = ["D", "T1", "T2", "T3", "T4", "C1", "X9"];

proptest! {
    #![proptest_config(cases(1_000))]

    /// No station outside those told and those above them ever changes an incident.
    #[test]
    fn nobody_else_ever_changes_an_incident(steps in prop::collection::vec((
        prop::sample::select(vec!["SD-1", "SD-4", "SD-5", "SD-U", "HY-1", "HY-6"]),
        prop::sample::select(vec!["smoke", "no_water", "tamper"]),
        prop::sample::select(STATIONS.to_vec()),
        prop::sample::select(vec!["acknowledge", "dispatch", "comment", "resolve", "false_alarm", "shown"]),
        0_i64..120_000,
    ), 1..20)) {
        let mut drill = Drill::new(Plan::default());
        let mut now = DAY;
        for (device, condition, station, action, pause) in steps {
            now += pause;
            drill.happens(&["-"], now);
            drill.happens(&["raise", device, condition], now);
            for number in 1..=drill.labels.len() {
                let id = drill.labels[number - 1];
                let Some(before) = drill.book.get(id).cloned() else { continue };
                // Told by this very history: paged, or on their list.
                let paged = drill.pages.iter().filter(|page| page.incident == id);
                let paged = paged.filter_map(|page| match &page.receiver {
                    Receiver::Station(id) => Some(id.to_string()),
                    Receiver::Webhook(_) => None,
                });
                let told: BTreeSet<String> =
                    paged.chain(before.boards.iter().map(ToString::to_string)).collect();
                let above = told.iter().any(|told| match station {
                    "D" => told != "D",
                    "T1" => told == "C1",
                    _ => false,
                });
                let said = drill.happens(&[station, action, &format!("#{number}")], now);
                let may = told.contains(station) || above;
                if !may {
                    prop_assert!(said.starts_with("refused: "), "{station} {action}: {said}");
                    prop_assert_eq!(drill.book.get(id), Some(&before));
                } else {
                    let refused = said.contains("not told") || said.contains("unregistered");
                    prop_assert!(!refused, "{station} {action}: {said}");
                }
            }
        }
    }
}
