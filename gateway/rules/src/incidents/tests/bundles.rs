//! Pages that one message carries are settled together, and each can leave before that.

use ulid::Ulid;

use super::drill::{Drill, drill_with, time};
use crate::Changes;
use crate::changes::{Company, Hop, Receiver, Urgency};
use crate::incidents::{Plan, Quiet, ReceiverRole, Route};

fn plan() -> Plan {
    let webhook = Route {
        name: "w".into(),
        station: None,
        role: ReceiverRole::Officer,
        severities: Vec::new(),
        steps: vec![1, 2, 3],
    };
    Plan { webhooks: vec![webhook], ..Plan::default() }
}

/// Two fires and a dry hydrant, each with a page to the webhook.
fn town() -> Drill {
    drill_with(
        &plan(),
        "02:00:00 raise HY-6 no_water => #1 critical open e1; p1 #1 @w T2
         02:00:01 raise SD-1 smoke   => #2 fire open e1; p1 #2 @w T1
         02:00:02 raise SD-4 smoke   => #3 fire open e1; p1 #3 @w T1",
    )
}

fn pages_of(drill: &Drill, to: &str) -> Vec<Ulid> {
    let to = if to == "w" { Receiver::Webhook(to.into()) } else { Receiver::Station(to.into()) };
    let pages = drill.pages.iter().filter(|page| page.receiver == to);
    pages.map(|page| page.page_id).collect()
}

/// The trail of what happened: `hop by: detail`, without the bundle's id.
fn said(out: &Changes, bundle: Ulid) -> Vec<String> {
    let line = |hop: Hop, by: &str, detail: &str| format!("{} {by}: {detail}", hop.as_str());
    let lines = out.trail.iter().map(|entry| line(entry.hop, &entry.by, &entry.detail));
    lines.map(|line| line.replace(&bundle.to_string(), "B")).collect()
}

#[test]
fn what_a_bundle_carries_is_delivered_with_it_and_never_twice() {
    let mut drill = town();
    let (pages, now) = (pages_of(&drill, "w"), time("02:00:03"));
    let stations = pages_of(&drill, "T1");
    let mut out = Changes::default();
    let asked: Vec<Ulid> = pages.iter().chain(&stations).chain(&pages).copied().collect();
    drill.book.bundle(("w", &asked), now, &mut out);
    let [bundle] = &out.bundles[..] else { panic!("{:?}", out.bundles) };
    assert_eq!(
        bundle.members,
        [pages[1], pages[2], pages[0]],
        "the worst first, each once, no other's"
    );
    assert_eq!((bundle.urgency, &*bundle.receiver), (Urgency::NewFire, "w"));
    let id = bundle.id;

    let mut again = Changes::default();
    drill.book.bundle(("w", &pages), now, &mut again);
    assert!(again.bundles.is_empty(), "they are in one");

    let mut out = Changes::default();
    drill.book.delivered(id, now, &mut out);
    assert_eq!(
        said(&out, id),
        vec!["bundled webhook w: step 1: webhook w, in bundle B".to_owned(); 3]
    );
    assert!(pages.iter().all(|page| !drill.book.owed.contains_key(page)));
    let mut out = Changes::default();
    drill.book.delivered(id, now, &mut out);
    drill.book.delivered(pages[0], now, &mut out);
    assert!(out.is_empty(), "{out:?}");
}

#[test]
fn a_bundle_that_is_given_up_gives_up_what_it_still_owes() {
    let mut drill = town();
    let (pages, now) = (pages_of(&drill, "w"), time("02:00:03"));
    let mut out = Changes::default();
    drill.book.bundle(("w", &pages), now, &mut out);
    let id = out.bundles[0].id;
    drill.book.gave_up(pages[0], "alone", now, &mut out);
    out.clear();
    drill.book.gave_up(id, "status 404", now, &mut out);
    let line = "given_up webhook w: step 1: webhook w: status 404, in bundle B".to_owned();
    assert_eq!(said(&out, id), [line.clone(), line]);
}

#[test]
fn newer_pages_supersede_members_and_a_bundle_of_none_is_void() {
    let mut drill = town();
    let (pages, now) = (pages_of(&drill, "w"), time("02:00:03"));
    let mut out = Changes::default();
    drill.book.bundle(("w", &pages[1..]), now, &mut out);
    let id = out.bundles[0].id;
    // Another detector of the first fire's building: told anew.
    let (out, _) = drill.quietly(&["raise", "SD-2", "smoke"], time("02:00:30"));
    assert!(said(&out, id).contains(&"superseded webhook w: step 1: webhook w".to_owned()));
    assert!(out.bundles_void.is_empty(), "it owes the other still");
    assert_eq!(drill.book.bundles[&id].len(), 1);
    let mut out = Changes::default();
    drill.book.gave_up(pages[2], "", now, &mut out);
    assert_eq!(out.bundles_void, [(id, now)]);
    let mut late = Changes::default();
    drill.book.delivered(id, now, &mut late);
    assert!(late.is_empty(), "it may have arrived all the same");
    assert!(drill.book.bundle_of.is_empty() && drill.book.bundles.is_empty());
}

#[test]
fn a_bundle_confirms_its_members() {
    let mut drill = town();
    let pages = pages_of(&drill, "w");
    let waits = |drill: &Drill| {
        let w = Receiver::Webhook("w".into());
        drill.book.unconfirmed.values().filter(|waiting| waiting.contains(&w)).count()
    };
    assert_eq!(waits(&drill), 3);
    let mut out = Changes::default();
    drill.book.bundle(("w", &pages), time("02:00:03"), &mut out);
    drill.book.delivered(out.bundles[0].id, time("02:00:04"), &mut Changes::default());
    assert_eq!(waits(&drill), 0);
}

#[test]
fn what_became_an_exercise_stands_behind_what_burns() {
    let mut drill = town();
    let (pages, now) = (pages_of(&drill, "w"), time("02:00:03"));
    let of = |id: Ulid| drill.pages.iter().find(|page| page.page_id == id).unwrap().clone();
    let (first, second) = (of(pages[1]), of(pages[2]));
    let incident = drill.book.incidents.get_mut(&first.incident).unwrap();
    incident.members.iter_mut().for_each(|member| member.quiet = Some(Quiet::Exercise));
    let mut out = Changes::default();
    drill.book.bundle(("w", &pages), now, &mut out);
    let [bundle] = &out.bundles[..] else { panic!("{:?}", out.bundles) };
    assert_eq!(bundle.members, [pages[2], pages[1], pages[0]]);
    assert_eq!((bundle.urgency, bundle.number), (Urgency::NewFire, second.number));
}

#[test]
fn a_bundle_that_is_refused_is_halved_until_a_page_stands_alone_and_is_in_no_bundle_again() {
    let mut drill = town();
    let (pages, now) = (pages_of(&drill, "w"), time("02:00:03"));
    let mut out = Changes::default();
    drill.book.bundle(("w", &pages), now, &mut out);
    let whole = out.bundles[0].id;

    let (mut out, now) = (Changes::default(), time("02:00:09"));
    drill.book.take_apart(whole, now, &mut out);
    let [half] = &out.bundles[..] else { panic!("{:?}", out.bundles) };
    assert_eq!(half.members, [pages[1], pages[2]], "the worst");
    assert_eq!((half.part_of, &*half.receiver, half.at), (Some(whole), "w", now));
    assert_ne!(half.id, whole);
    assert_eq!(out.bundles_void, [(whole, now)]);
    let [alone] = &out.unbundled[..] else { panic!("{:?}", out.unbundled) };
    assert_eq!((alone.page_id, alone.company), (pages[0], Company::Alone), "under its own id");
    let newest = drill.pages.iter().map(|page| page.number).max();
    assert!(Some(alone.number) > newest, "where its sender finds it");
    assert_eq!(drill.book.owed[&pages[0]], *alone);

    let half = half.id;
    for (story, id) in [("once", whole), ("no bundle", pages[0])] {
        let mut out = Changes::default();
        drill.book.take_apart(id, now, &mut out);
        assert!(out.is_empty(), "{story}: {out:?}");
    }
    // Another detector of the first fire's building: told anew, so that the half has one page left.
    let (_, refused) = drill.quietly(&["raise", "SD-2", "smoke"], time("02:00:30"));
    assert_eq!(refused, None);
    let mut out = Changes::default();
    drill.book.take_apart(half, now, &mut out);
    assert!(out.bundles.is_empty(), "{:?}", out.bundles);
    assert_eq!(out.unbundled.iter().map(|page| page.page_id).collect::<Vec<_>>(), [pages[2]]);
    let mut out = Changes::default();
    drill.book.bundle(("w", &pages), now, &mut out);
    assert!(out.bundles.is_empty(), "what stands alone stays so: {:?}", out.bundles);
    assert!(drill.book.bundle_of.is_empty() && drill.book.bundles.is_empty());
    let mut out = Changes::default();
    drill.book.delivered(pages[0], now, &mut out);
    assert_eq!(said(&out, whole), ["delivered webhook w: step 1: webhook w"]);
    assert!(!drill.book.owed.contains_key(&pages[0]));
}
