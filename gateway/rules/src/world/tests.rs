//! From a message to what is kept, and back after a restart.

mod kept;
mod register;

use standpipe_shared::{Alarm, Celsius, Condition, Field, Kilopascals, Kind, Reading};

use super::World;
use super::town::{self, T0, connect, device, presence, reading, telemetry};
use crate::changes::{Hop, Page, Receiver};
use crate::detect::watch::Wholes;
use crate::fact::Subject;
use crate::incidents::{
    Action, ActionKind, Actor, Announced, Announcement, BadAnnouncement, Plan, ReceiverNews,
    ReceiverRole, Refused, Route, Saved, Scope, State, WINDOWS_MOST,
};
use crate::registry::{Device, DeviceIx, Registry};
use crate::wire::{Arrived, Message};
use crate::{Changes, Ms};

fn registry() -> Registry {
    town::registry([device("H", Kind::Hydrant), device("S", Kind::Smoke)])
}

const H: DeviceIx = DeviceIx(0);

fn world() -> (World, Changes) {
    let (mut world, mut out) = (town::world(registry(), Plan::default()), Changes::default());
    connect(&mut world, &["T", "D"], T0, &mut out);
    (world, out)
}

fn pressure(ts: Ms, kpa: f32) -> Message {
    telemetry("H", reading(ts, kpa))
}

fn alarm(device: &str, condition: Condition, active: bool) -> Message {
    town::alarm(device, Reading::default(), (condition, active))
}

#[test]
fn an_alarm_becomes_an_incident_and_a_page_in_one_step() {
    let (mut world, mut out) = world();
    out = Changes { presence: std::mem::take(&mut out.presence), ..Changes::default() };
    assert_eq!(out.presence.len(), 2);
    world.step(&alarm("S", Condition::Smoke, true), T0 + 5, &mut out);
    world.tick(T0 + 5, &mut out);
    let [page] = &out.pages[..] else { panic!("{:?}", out.pages) };
    assert_eq!((page.step, &page.receiver), (1, &Receiver::Station("T".into())));
    let incident = world.book.get(page.incident).unwrap();
    assert_eq!((incident.state, incident.hydrants.len()), (State::Open, 1), "its hydrant is near");
    assert_eq!(world.next_wake(), Some(T0 + 10_005), "has anybody confirmed it?");

    let mut later = Changes::default();
    world.delivered(page.page_id, T0 + 9, &mut later);
    assert_eq!(later.trail.len(), 1);
    world.gave_up(page.page_id, T0 + 9, "gone", &mut later);
    assert_eq!(later.trail.len(), 1, "settled already");
    world.tick(T0 + 60_005, &mut later);
    let steps: Vec<u8> = later.pages.iter().map(|page| page.step).collect();
    assert_eq!(steps, [2; 0], "nobody else stands by at its level");
    world.tick(T0 + 180_005, &mut later);
    assert_eq!(later.pages.iter().map(|page| page.step).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_page_that_was_given_up_is_in_the_trail() {
    let (mut world, mut out) = world();
    world.step(&alarm("S", Condition::Smoke, true), T0, &mut out);
    let (id, mut later) = (out.pages[0].page_id, Changes::default());
    world.gave_up(id, T0 + 1, "no such host", &mut later);
    assert!(later.trail[0].detail.contains("no such host"), "{:?}", later.trail);
}

#[test]
fn people_act_by_topic_and_by_hand() {
    let (mut world, mut out) = world();
    world.step(&alarm("S", Condition::Smoke, true), T0, &mut out);
    let incident = out.pages[0].incident;
    let act =
        |kind| Action { incident, kind, by: "chief".into(), note: "".into(), seen: "".into() };
    let by_topic = Message::Action { station: "T".into(), action: act(ActionKind::Acknowledge) };
    world.step(&by_topic, T0 + 1_000, &mut out);
    assert_eq!(world.book.get(incident).unwrap().state, State::Acknowledged);
    assert_eq!(out.counts.refused_actions, 0);
    world.step(&by_topic, T0 + 2_000, &mut out);
    assert_eq!(out.counts.refused_actions, 1, "one wins");
    let again =
        world.act(&Actor::admin("admin"), &act(ActionKind::Acknowledge), T0 + 3_000, &mut out);
    assert_eq!(again, Err(Refused::NotNow { state: State::Acknowledged }));
    world.step(&alarm("S", Condition::Smoke, false), T0 + 4_000, &mut out);
    assert_eq!(
        world.act(&Actor::admin("admin"), &act(ActionKind::Resolve), T0 + 5_000, &mut out),
        Ok(())
    );
    assert_eq!(world.book.get(incident).unwrap().state, State::Resolved, "it may be taken back");
    world.tick(T0 + 35_000, &mut out);
    assert_eq!(world.book.get(incident).unwrap().state, State::Closed);
    world.committed();
    assert!(world.book.get(incident).is_none(), "it is in the store now");
}

#[test]
fn water_that_came_back_is_watched_for_evidence() {
    let (mut world, mut out) = world();
    for (at, kpa) in [(0, 100.0), (60_000, 100.0), (120_000, 300.0), (180_000, 300.0)] {
        world.step(&pressure(T0 + at, kpa), T0 + at, &mut out);
    }
    let incident = *out.incidents.last().unwrap();
    assert_eq!(world.book.get(incident).unwrap().state, State::Verifying);
    assert!(world.watch.memory(H).unwrap().evidence.is_some());
    let mut end = T0 + 180_000;
    for minute in 1..=24 * 60 + 1 {
        end = T0 + 180_000 + minute * 60_000;
        world.tick(end, &mut out);
        world.step(&pressure(end, 300.0 + (minute % 7) as f32), end, &mut out);
    }
    assert_eq!(world.book.get(incident).unwrap().state, State::Closed, "{end}");
    assert!(world.watch.memory(H).unwrap().evidence.is_none());
}

#[test]
fn evidence_is_no_longer_asked_for_when_it_falls_again() {
    let (mut world, mut out) = world();
    for (at, kpa) in [(0, 100.0), (60, 100.0), (120, 300.0), (180, 300.0), (240, 90.0), (300, 90.0)]
    {
        let at = T0 + at * 1_000;
        world.step(&pressure(at, kpa), at, &mut out);
    }
    assert!(world.watch.memory(H).unwrap().evidence.is_none());
    let episodes: Vec<u32> = out.pages.iter().map(|page| page.episode).collect();
    assert_eq!(episodes, [1, 2], "and that is a page of its own");
}

#[test]
fn what_is_stored_brings_everything_back() {
    let (mut world, mut out) = world();
    for at in [0, 60_000] {
        world.step(&pressure(T0 + at, 100.0), T0 + at, &mut out);
        world.tick(T0 + at, &mut out);
    }
    world.session(false, T0 + 60_001, &mut out);
    world.tick(T0 + 95_000, &mut out);
    world.session(true, T0 + 95_001, &mut out);
    let blind = world.wholes().clone();
    world.session(false, T0 + 95_002, &mut out);
    world.tick(T0 + 140_000, &mut out);
    assert_ne!(*world.wholes(), blind, "the gateway is blind");
    let summary = world.summary(H);
    assert_eq!(summary.conditions, Condition::LowPressure.bit());
    assert_eq!((summary.heard_at, summary.measured_at), (Some(T0 + 60_000), Some(T0 + 60_000)));
    assert_eq!(summary.latest.pressure_kpa.map(Kilopascals::get), Some(100.0));
    assert_eq!(world.summary(DeviceIx(99)), super::Summary::default());
    assert!(world.memory_body(DeviceIx(99)).is_empty());

    let mut after = town::world(world.registry().clone(), Plan::default());
    after.restore_memory(H, &world.memory_body(H)).unwrap();
    assert!(after.restore_memory(H, &[9, 9]).is_err());
    after.restore_wholes(world.wholes().clone());
    after.restore_book(Saved {
        meta: world.book.meta().clone(),
        incidents: world.book.open().cloned().collect(),
        closed: Vec::new(),
        owed: out.pages.clone(),
        bundles: Vec::new(),
        presence: out.presence.clone(),
    });
    assert_eq!(after.summary(H), summary);
    assert_eq!(after.book.open().count(), 2, "low pressure, and the blindness");
    assert_eq!(after.wholes(), world.wholes());
    let mut again = Changes::default();
    after.step(&pressure(T0 + 150_000, 100.0), T0 + 150_000, &mut again);
    assert!(again.pages.is_empty() && again.incidents.is_empty(), "known already");
    after.session(true, T0 + 160_000, &mut again);
    assert_eq!(again.incidents.len(), 1, "the blindness ends, because it was remembered");
}

#[test]
fn a_message_that_is_in_the_log_is_a_duplicate_however_old() {
    let mut reading = Reading { boot: Some(1), seq: Some(1), ts: Some(T0), ..Reading::default() };
    reading.values.temp_c = Celsius::new(9.0).ok();
    let message =
        Message::Telemetry { area: "town".into(), device: "H".into(), readings: vec![reading] };
    let (mut world, mut out) = world();
    world.step(&message, T0, &mut out);
    let (mut after, mut again) = (town::world(registry(), Plan::default()), Changes::default());
    after.remember(&out.readings[0]);
    after.step(&message, T0 + 1, &mut again);
    assert_eq!((again.counts.duplicates, again.readings.len()), (1, 0));
}

#[test]
fn a_replayed_reading_is_judged_and_known() {
    let (mut live, mut out) = world();
    let reading = |seq, at: Ms| {
        let mut reading =
            Reading { boot: Some(1), seq: Some(seq), ts: Some(at), ..Reading::default() };
        reading.values.set(Field::PressureKpa, 5.0).unwrap();
        Message::Telemetry { area: "town".into(), device: "H".into(), readings: vec![reading] }
    };
    live.step(&reading(1, T0), T0, &mut out);
    live.step(&reading(2, T0 + 30_000), T0 + 30_000, &mut out);
    assert_eq!(out.pages.len(), 1);
    let (mut after, _) = world();
    let mut replayed = Changes::default();
    for logged in &out.readings {
        after.replay(logged, &mut replayed);
    }
    assert_eq!(replayed.pages.len(), 1, "a fact that was not stored is found again");
    assert!(replayed.readings.is_empty(), "and the log does not grow");
    after.step(&reading(2, T0 + 30_000), T0 + 31_000, &mut replayed);
    assert_eq!(replayed.counts.duplicates, 1);
    assert!(replayed.readings.is_empty());
}

#[test]
fn a_status_a_reply_and_a_blind_gateway() {
    let (mut world, mut out) = world();
    let will = Message::bare_status("H", false);
    world.step(&will, T0, &mut out);
    assert_eq!(world.summary(H).conditions, Condition::Offline.bit());
    let reply = Message::Reply {
        area: "town".into(),
        device: "H".into(),
        id: "1".into(),
        ok: true,
        detail: "".into(),
    };
    world.step(&reply, T0 + 1, &mut out);
    assert_eq!(world.summary(H).conditions, 0);
    out = Changes::default();
    world.session(false, T0 + 2, &mut out);
    assert_eq!(world.next_wake(), Some(T0 + 30_002));
    world.tick(T0 + 30_002, &mut out);
    assert_eq!(out.pages.len(), 1, "the district is told");
    assert!(out.watch_meta && *world.wholes() != Wholes::default());
}

#[test]
fn a_device_is_put_and_its_ledger_closed() {
    let (mut world, mut out) = world();
    out.registered.clear();
    let old = world.registry().device(H).unwrap().clone();
    let ix = world.put_device(Device { name: "new name".into(), ..old }, &mut out);
    assert_eq!((ix, &out.registered[..], out.save.contains(&H)), (H, &[H][..], true));
    assert_eq!(&*world.registry().device(H).unwrap().name, "new name");
    let mut reading = Reading { boot: Some(1), seq: Some(1), ts: Some(T0), ..Reading::default() };
    reading.values.temp_c = Celsius::new(9.0).ok();
    let message =
        Message::Telemetry { area: "town".into(), device: "H".into(), readings: vec![reading] };
    world.step(&message, T0, &mut out);
    world.close_ledger(&mut out);
    assert_eq!(out.ledger.len(), 1);
}

#[test]
fn changes_are_empty_only_when_nothing_is_to_be_kept() {
    let (mut world, full) = world();
    assert!(!full.is_empty());
    let mut out = Changes::default();
    assert!(out.is_empty());
    world.step(&pressure(T0, 300.0), T0, &mut out);
    assert!(!out.is_empty());
    out.counts.readings = 9;
    out.book_meta = true;
    out.clear();
    assert!(out.is_empty());
    assert_eq!(out.counts, crate::changes::StepCounts::default());
    let one = |change: fn(&mut Changes)| {
        let mut out = Changes::default();
        change(&mut out);
        assert!(!out.is_empty());
    };
    one(|changes| changes.book_meta = true);
    one(|changes| changes.watch_meta = true);
    one(|changes| changes.registered.push(H));
    one(|changes| changes.save.push(H));
    one(|changes| changes.dirty.push(H));
    one(|changes| changes.incidents.push(ulid::Ulid::nil()));
}

#[test]
fn what_is_announced_holds_until_it_is_withdrawn_and_there_is_an_end_to_it() {
    let (mut world, mut out) = world();
    let work = Announcement {
        what: Announced::Maintenance,
        scope: Scope::Device("H".into()),
        conditions: [Condition::NoWater].into(),
        from: T0,
        until: T0 + 3_600_000,
        by: "Li".into(),
        note: "".into(),
    };
    let id = world.announce(work.clone(), T0, &mut out).expect("announced");
    assert_eq!(
        world.book.windows().iter().map(|window| &*window.id).collect::<Vec<_>>(),
        [id.to_string()]
    );
    assert!(!world.withdraw("nobody's", T0 + 1, &mut out));
    assert!(world.withdraw(&id.to_string(), T0 + 1, &mut out));
    world.tick(T0 + 1, &mut out);
    assert!(world.book.windows().is_empty());
    for _ in 0..WINDOWS_MOST {
        world.announce(work.clone(), T0 + 2, &mut out).expect("announced");
    }
    assert_eq!(world.announce(work, T0 + 2, &mut out), Err(vec![BadAnnouncement::TooMany]));
}

#[test]
fn a_shorter_interval_is_waited_for_at_once() {
    let (mut world, mut out) = world();
    let device = world.registry().device(H).unwrap().clone();
    world.put_device(Device { interval_s: Some(86_400), ..device.clone() }, &mut out);
    world.step(&pressure(T0, 300.0), T0, &mut out);
    world.tick(T0 + 300_000, &mut out); // so long it waited for a first word
    world.put_device(Device { interval_s: Some(60), ..device }, &mut out);
    assert_eq!(world.next_wake(), Some(T0 + 300_000));
    for minute in 6..60 {
        world.tick(T0 + minute * 60_000, &mut out);
    }
    let offline = world.summary(H).conditions & Condition::Offline.bit();
    assert!(offline != 0, "silent for an hour, at an interval of a minute");
}

#[test]
fn a_shorter_interval_that_a_device_says_itself_is_waited_for_at_once() {
    let (mut world, mut out) = world();
    let says = |interval_s| Message::Status {
        area: "town".into(),
        device: "H".into(),
        online: true,
        boot: None,
        firmware: None,
        model: None,
        interval_s: Some(interval_s),
        reset: None,
        rev: None,
        lost: None,
        storage: None,
    };
    world.step(&says(86_400), T0, &mut out);
    world.step(&pressure(T0, 300.0), T0, &mut out);
    world.tick(T0 + 300_000, &mut out); // so long it waited for a first word
    world.step(&says(60), T0 + 301_000, &mut out);
    world.tick(T0 + 601_000, &mut out);
    assert!(world.summary(H).conditions & Condition::Offline.bit() != 0);
}

#[test]
fn a_message_without_a_measurement_is_no_sign_of_life() {
    let (mut world, mut out) = world();
    let empty = Reading { ts: Some(T0), boot: Some(1), seq: Some(1), ..Reading::default() };
    let says = |device: &str, readings| Message::Telemetry {
        area: "town".into(),
        device: device.into(),
        readings,
    };
    let not_understood = Condition::NotUnderstood.bit();
    for message in [
        says("H", vec![]),
        says("H", vec![Reading::default()]),
        says("H", vec![empty, empty, Reading::default()]),
        Message::NotUnderstood { area: "town".into(), device: "H".into() },
    ] {
        world.step(&message, T0 + 1_000, &mut out);
        world.tick(T0 + 1_000, &mut out);
        let summary = world.summary(H);
        assert_eq!((summary.heard_at, summary.measured_at), (None, None), "{message:?}");
        assert_eq!(summary.conditions, not_understood, "{message:?}");
    }
    let notices =
        || world.book.open().filter(|incident| incident.subject == Subject::Device(H)).count();
    assert_eq!((notices(), out.pages.len()), (1, 0), "one notice, and nobody is paged");
    assert_eq!(out.counts.duplicates, 1, "its number is counted all the same");

    world.step(&says("H", vec![Reading::default(), reading(T0, 300.0)]), T0 + 2_000, &mut out);
    assert_eq!(world.summary(H).conditions, 0, "one reading of two is understood");
    assert_eq!(world.summary(H).heard_at, Some(T0 + 2_000));

    world.step(&says("X", vec![]), T0 + 3_000, &mut out);
    let x = world.registry().find("X").unwrap();
    assert!(!world.registry().device(x).unwrap().claimed, "a stranger is registered");
    assert_eq!(world.summary(x).conditions, not_understood);
    assert!(out.registered.contains(&x) && out.save.contains(&x));
}

#[test]
fn a_device_that_was_never_heard_is_a_notice_and_no_part_of_a_blind_area() {
    let mut registry = registry();
    for n in 0..40 {
        registry.put_device(Device {
            claimed: true,
            station: "T".into(),
            interval_s: Some(60),
            ..Device::unclaimed(&format!("M-{n}"), "town", Kind::Smoke)
        });
    }
    let (mut world, mut out) = (town::world(registry, Plan::default()), Changes::default());
    connect(&mut world, &["T"], T0, &mut out);
    for n in 0..10 {
        let reading = Reading { ts: Some(T0), ..reading(T0, 300.0) };
        let device = format!("M-{n}").into();
        let message = Message::Telemetry { area: "town".into(), device, readings: vec![reading] };
        world.step(&message, T0 + 60_000, &mut out);
    }
    world.tick(T0 + 300_000, &mut out);
    let open = |world: &World| {
        world.book.open().map(|incident| incident.subject.clone()).collect::<Vec<_>>()
    };
    assert_eq!(open(&world).len(), 32, "thirty detectors, H and S");
    assert!(out.pages.is_empty(), "{:?}", out.pages);
    world.tick(T0 + 360_000, &mut out);
    world.tick(T0 + 390_000, &mut out);
    let areas = world.book.open().filter(|incident| matches!(incident.subject, Subject::Area(_)));
    let [area] = &areas.collect::<Vec<_>>()[..] else { panic!("{:?}", open(&world)) };
    assert_eq!(area.children.len(), 10, "all ten that were ever heard");
    let late = Device {
        claimed: true,
        station: "T".into(),
        interval_s: Some(60),
        ..Device::unclaimed("M-40", "town", Kind::Smoke)
    };
    let ix = world.put_device(late, &mut out);
    world.tick(T0 + 400_000, &mut out);
    world.tick(T0 + 700_000, &mut out);
    let notice = world.book.open().find(|incident| incident.subject == Subject::Device(ix));
    assert_eq!(notice.map(|incident| incident.parent), Some(None), "nor does a later one join it");
}

#[test]
fn a_zone_that_runs_dry_in_one_batch_is_one_page() {
    let mut registry = registry();
    for id in ["A", "B", "C"] {
        registry.put_device(Device {
            claimed: true,
            station: "T".into(),
            zone: "Z".into(),
            interval_s: Some(60),
            ..Device::unclaimed(id, "town", Kind::Hydrant)
        });
    }
    let (mut world, mut out) = (town::world(registry, Plan::default()), Changes::default());
    connect(&mut world, &["T", "D"], T0, &mut out);
    for id in ["A", "B", "C"] {
        world.step(&alarm(id, Condition::NoWater, true), T0 + 5, &mut out);
    }
    world.tick(T0 + 5, &mut out);
    let [page] = &out.pages[..] else { panic!("{:?}", out.pages) };
    let zone = world.book.get(page.incident).unwrap();
    assert_eq!((&zone.subject, zone.children.len()), (&Subject::Zone("Z".into()), 3));
    assert_eq!(out.trail.iter().filter(|entry| entry.hop == Hop::Paged).count(), 1);
}

#[test]
fn read_one_wild_number_does_not_ruin_the_ledger() {
    let (mut world, mut out) = world();
    for seq in [1, 2, u32::MAX, 3, 4] {
        let mut reading =
            Reading { ts: Some(T0), boot: Some(1), seq: Some(seq), ..Reading::default() };
        reading.values.set(Field::PressureKpa, 300.0 + (seq % 7) as f32).unwrap();
        let message =
            Message::Telemetry { area: "town".into(), device: "H".into(), readings: vec![reading] };
        world.step(&message, T0, &mut out);
    }
    world.close_ledger(&mut out);
    let expected: u64 = out.ledger.iter().map(|entry| u64::from(entry.counts.expected)).sum();
    assert!(expected < 1_000, "expected {expected}");
    assert_eq!(out.counts.seq_jumps, 1);
}

#[test]
fn a_receiver_that_is_down_is_an_incident_until_it_is_configured_no_more() {
    let duty = Route { name: "duty".into(), role: ReceiverRole::Officer, ..Route::default() };
    let plan = Plan { webhooks: vec![duty], ..Plan::default() };
    let (mut world, mut out) = (town::world(registry(), plan), Changes::default());
    connect(&mut world, &["T", "D"], T0, &mut out);
    let news = |for_ms| ReceiverNews::Refuses { for_ms, answer: "status 500".into() };
    for (name, for_ms) in [("duty", 9_999), ("gone", 60_000)] {
        world.receiver(name, &news(for_ms), T0 + 1_000, &mut out);
    }
    let [down] = &out.incidents[..] else { panic!("{:?}", out.incidents) };
    let state = |world: &World| world.book.get(*down).unwrap().state;
    assert_eq!(state(&world), State::Open, "only `gone` has been refusing for long enough");
    world.forget_receivers(T0 + 2_000, &mut Changes::default());
    assert_eq!(state(&world), State::Closed);
}

#[test]
fn the_world_knows_when_the_newest_heartbeat_was_sent() {
    let (mut world, mut out) = world();
    assert_eq!(world.heartbeat(), None);
    for (sent, newest) in [(T0 + 5, T0 + 5), (T0 + 1, T0 + 5), (T0 + 60, T0 + 60)] {
        world.step(&Message::Chain { sent }, T0 + 60, &mut out);
        assert_eq!(world.heartbeat(), Some(newest));
    }
}

#[test]
fn pages_of_one_message_are_settled_with_it() {
    let duty = Route { name: "duty".into(), role: ReceiverRole::Officer, ..Route::default() };
    let plan = Plan { webhooks: vec![Route { steps: vec![1], ..duty }], ..Plan::default() };
    let (mut world, mut out) = (town::world(registry(), plan), Changes::default());
    connect(&mut world, &["T", "D"], T0, &mut out);
    for condition in [Condition::Smoke, Condition::Tamper] {
        world.step(&alarm("S", condition, true), T0 + 5, &mut out);
    }
    world.tick(T0 + 5, &mut out);
    let to_duty = |page: &&Page| page.receiver == Receiver::Webhook("duty".into());
    let pages: Vec<_> = out.pages.iter().filter(to_duty).map(|page| page.page_id).collect();
    assert_eq!(pages.len(), 2, "{:?}", out.pages);
    let mut bundled = Changes::default();
    world.bundle(("duty", &pages), T0 + 6, &mut bundled);
    let [bundle] = &bundled.bundles[..] else { panic!("{:?}", bundled.bundles) };
    let mut later = Changes::default();
    world.delivered(bundle.id, T0 + 7, &mut later);
    let hops: Vec<Hop> = later.trail.iter().map(|line| line.hop).collect();
    assert_eq!(hops, [Hop::Bundled, Hop::Bundled]);
}
