//! Incidents made again from what stations were shown of them.

use super::drill::{DAY, Drill, SECRET};
use crate::changes::Presence;
use crate::incidents::{Book, Incident, Meta, Plan, Saved, ShownBefore};

/// A drill in which that was raised, and its incident.
fn raised(what: &str) -> (Drill, Incident) {
    let mut drill = Drill::new(Plan::default());
    let command: Vec<&str> = what.split(' ').collect();
    let (out, _) = drill.quietly(&command, DAY);
    let incident = drill.book.get(out.incidents[0]).expect(what).clone();
    (drill, incident)
}

fn shown(drill: &Drill, incident: &Incident) -> ShownBefore {
    ShownBefore {
        wire: incident.wire(&drill.registry),
        number: incident.number,
        boards: incident.boards.clone(),
        told: incident.told.clone(),
    }
}

#[test]
fn what_was_shown_of_an_incident_is_what_it_is_about() {
    for what in [
        "raise SD-1 smoke",
        "raise HY-1 low_pressure",
        "raise zone:Z1 zone_low_pressure members=HY-1,HY-2",
        "raise area:T1 blind_area members=HY-1",
        "raise gateway gateway_blind",
        "raise gateway clock_fault",
    ] {
        let (drill, incident) = raised(what);
        let again = Incident::recovered(shown(&drill, &incident), &drill.registry).expect(what);
        assert_eq!(again.subject, incident.subject, "{what}");
        assert_eq!(again.wire(&drill.registry), incident.wire(&drill.registry), "{what}");
        assert_eq!(
            (again.number, &again.boards, &again.told),
            (incident.number, &incident.boards, &incident.told),
            "{what}"
        );
        // It is escalated from where it was.
        let mut book = Book::new(Plan::default(), SECRET);
        let online = |station: &str| Presence { station: station.into(), online: true, at: DAY };
        let presence = ["D", "T1", "T2"].map(online).into();
        book.restore(Saved { incidents: vec![again], presence, ..Saved::default() });
        assert_eq!(book.next_page(), incident.next_step_at, "{what}");
    }
}

#[test]
fn what_nobody_can_say_of_what_is_not_made_again() {
    let (drill, incident) = raised("unreadable topic:a/b ON");
    assert_eq!(Incident::recovered(shown(&drill, &incident), &drill.registry), None, "a topic");

    let (drill, incident) = raised("raise area:T1 blind_area members=HY-1");
    let mut nowhere = shown(&drill, &incident);
    nowhere.wire.station = "".into();
    assert_eq!(Incident::recovered(nowhere, &drill.registry), None, "an area without a station");

    let (drill, incident) = raised("raise SD-1 smoke");
    let mut gone = shown(&drill, &incident);
    gone.wire.device.as_mut().expect("a device").id = "SD-9".into();
    assert_eq!(Incident::recovered(gone, &drill.registry), None, "a device that is gone");
}

#[test]
fn what_is_counted_anew_goes_on_behind_what_is_stored() {
    let mut drill = Drill::new(Plan::default());
    drill.book.restore(Saved { meta: Meta::counted_to(41), ..Saved::default() });
    let (out, _) = drill.quietly(&["raise", "SD-4", "smoke"], DAY);
    assert_eq!(drill.book.get(out.incidents[0]).map(|incident| incident.number), Some(42));
}
