//! What the broker had kept, who may act, and what cannot be read.

use super::*;
use crate::detect::Trust;

const KEPT: Arrived = Arrived { at: T0, retained: true, print: 7 };

#[test]
fn a_retained_fire_pages_and_escalates_once() {
    let (mut world, mut out) = world();
    let fire = alarm("S", Condition::Smoke, true);
    world.step(&fire, KEPT, &mut out);
    let [page] = &out.pages[..] else { panic!("{:?}", out.pages) };
    let incident = page.incident;
    let reason = world.book.get(incident).unwrap().members[0].reason;
    assert_eq!(reason, Some(crate::fact::Reason::SinceUnknown));
    world.tick(T0 + 180_000, &mut out);
    assert_eq!(out.pages.iter().map(|page| page.step).collect::<Vec<_>>(), [1, 3], "it escalates");
    let close = Action {
        incident,
        kind: ActionKind::FalseAlarm,
        by: "".into(),
        note: "".into(),
        seen: "".into(),
    };
    world.act(&Actor::admin("admin"), &close, T0 + 200_000, &mut out).unwrap();

    let mut after = town::world(world.registry().clone(), Plan::default());
    let s = world.registry().find("S").unwrap();
    after.restore_memory(s, &world.memory_body(s)).unwrap();
    let mut again = Changes::default();
    for world in [&mut world, &mut after] {
        world.step(&fire, Arrived { at: T0 + 300_000, ..KEPT }, &mut again);
        assert!(again.pages.is_empty(), "closed, and the broker repeats it");
    }
    let other = Arrived { at: T0 + 301_000, print: 8, ..KEPT };
    after.step(&alarm("S", Condition::Heat, true), other, &mut again);
    assert_eq!(again.pages.len(), 1, "something else is retained now");
}

#[test]
fn an_unreadable_alarm_that_the_broker_kept_is_told_once_until_its_device_starts_anew() {
    let (mut world, mut out) = world();
    let said = || Message::UnreadableAlarm {
        area: "town".into(),
        device: Some("S".into()),
        topic: "town/S/alarm".into(),
        payload: "ON".into(),
        why: crate::wire::RejectedReason::NotJson,
    };
    let mut now = T0;
    let mut pages_of = |world: &mut World, message: &Message, retained| {
        now += 1_000;
        out.clear();
        world.step(message, Arrived { at: now, retained, print: 7 }, &mut out);
        let incident = out.pages.first().map(|page| page.incident);
        if let Some(incident) = incident {
            let (kind, by, note) = (ActionKind::FalseAlarm, "".into(), "".into());
            let close = Action { incident, kind, by, note, seen: "".into() };
            world.act(&Actor::admin("admin"), &close, now, &mut out).unwrap();
            now += 30_000;
            world.tick(now, &mut out);
        }
        incident.is_some()
    };
    let (area, device) = ("town".into(), "S".into());
    let cleared = Message::Cleared { area, device };
    for (message, retained, expected, what) in [
        (said(), false, true, "live"),
        (said(), true, false, "the broker kept it as well"),
        (said(), false, true, "live again"),
        (Message::bare_status("S", false), false, false, "a will says nothing of its alarms"),
        (said(), true, false, "as before"),
        (Message::bare_status("S", true), true, false, "nor does a birth of long ago"),
        (said(), true, false, "as before"),
        (Message::bare_status("S", true), false, false, "it starts anew"),
        (said(), true, true, "and may have said it since"),
        (said(), true, false, "once"),
        (cleared, false, false, "taken back"),
        (said(), true, true, "said since"),
    ] {
        assert_eq!(pages_of(&mut world, &message, retained), expected, "{what}");
    }
}

#[test]
fn what_is_retained_is_never_live() {
    let (mut world, mut out) = world();
    world.step(&pressure(T0, 300.0), KEPT, &mut out);
    let (summary, s) = (world.summary(H), world.registry().find("S").unwrap());
    assert_eq!((summary.heard_at, summary.measured_at), (None, None));
    assert!(out.readings.is_empty() && out.save.contains(&H));
    let noise = Message::NotUnderstood { area: "town".into(), device: "S".into() };
    world.step(&noise, KEPT, &mut out);
    let found = world.summary(s).conditions & Condition::NotUnderstood.bit();
    assert_eq!(found, 0, "noise of a time that nobody knows");
    let status = |online, rev| Message::Status {
        area: "town".into(),
        device: "S".into(),
        online,
        boot: None,
        firmware: None,
        model: None,
        interval_s: Some(30),
        reset: None,
        rev,
        lost: None,
        storage: None,
    };
    world.step(&status(false, None), KEPT, &mut out);
    world.step(&status(false, Some(7)), KEPT, &mut out);
    assert!(out.settings.is_empty(), "a will does not say what runs");
    world.step(&status(true, None), KEPT, &mut out);
    assert_eq!(world.summary(s).heard_at, None);
    assert_eq!(world.watch.memory(s).unwrap().interval_s, Some(30));
    world.step(&presence("T"), KEPT, &mut out);
    assert_eq!(out.counts.retained, 5, "a terminal's presence is kept so that it is known");

    world.step(&alarm("S", Condition::Smoke, true), T0 + 1, &mut out);
    let incident = out.pages[0].incident;
    let action = Action {
        incident,
        kind: ActionKind::Acknowledge,
        by: "".into(),
        note: "".into(),
        seen: "".into(),
    };
    world.step(&Message::Action { station: "T".into(), action }, KEPT, &mut out);
    assert_eq!(world.book.get(incident).unwrap().state, State::Open, "done once is not done again");
    assert_eq!(out.counts.refused_actions, 1);
}

#[test]
fn a_fire_says_how_old_its_device_takes_it_to_be() {
    for (old_s, en, zh) in [
        (28_800, "Smoke (device's time 8 h old) · S", "烟雾报警（设备时间为8小时前） · S"),
        (600, "Smoke (device's time 10 min old) · S", "烟雾报警（设备时间为10分钟前） · S"),
        (
            94_608_000,
            "Smoke (device's time 1095 days old) · S",
            "烟雾报警（设备时间为1095天前） · S",
        ),
        (30, "Smoke · S", "烟雾报警 · S"),
    ] {
        let (mut world, mut out) = world();
        let reading = Reading { ts: Some(T0 - old_s * 1_000), ..Reading::default() };
        let alarm = Alarm { reading, condition: Condition::Smoke, active: true, test: false };
        let message = Message::Alarm { area: "town".into(), device: "S".into(), alarm };
        world.step(&message, T0, &mut out);
        let incident = world.book.get(out.pages[0].incident).unwrap();
        let title = incident.wire(world.registry()).title;
        assert_eq!((&*title.en, &*title.zh), (en, zh));
    }
}

/// A gateway whose session is new is sent what thousands of devices ever left: of those it knows,
/// nothing is written again.
#[test]
fn what_is_retained_of_a_device_that_was_heard_costs_no_write() {
    let (mut world, mut out) = world();
    world.step(&pressure(T0, 300.0), T0, &mut out);
    out = Changes::default();
    world.step(&pressure(T0 - 900_000, 0.0), Arrived { at: T0 + 1_000, ..KEPT }, &mut out);
    assert_eq!(out.counts.retained, 1);
    assert!(out.is_empty(), "{out:?}");
    world.step(&pressure(T0 + 60_000, 300.0), T0 + 60_000, &mut out);
    assert_eq!(world.summary(H).latest.pressure_kpa.map(|kpa| kpa.get()), Some(300.0));
}

fn closes(incident: ulid::Ulid, station: &str) -> Message {
    let action = Action {
        incident,
        kind: ActionKind::FalseAlarm,
        by: "chief".into(),
        note: "".into(),
        seen: "".into(),
    };
    Message::Action { station: station.into(), action }
}

#[test]
fn a_station_that_was_never_told_cannot_close_a_fire_by_topic() {
    let (mut world, mut out) = world();
    world.step(&alarm("S", Condition::Smoke, true), T0, &mut out);
    let incident = out.pages[0].incident;
    out = Changes::default();
    for (n, station) in ["not-registered", "V", "T2"].into_iter().enumerate() {
        world.step(&closes(incident, station), T0 + 1, &mut out);
        assert_eq!(world.book.get(incident).unwrap().state, State::Open, "{station}");
        assert_eq!(out.counts.refused_actions, n as u64 + 1);
    }
    assert!(out.trail.is_empty() && out.incidents.is_empty(), "nothing is left of it: {out:?}");
    let [refused, ..] = &out.refused[..] else { panic!("{out:?}") };
    assert_eq!(refused.actor, Actor::Station("not-registered".into()));
    assert_eq!((&*refused.action.by, refused.why), ("chief", Refused::Unregistered));
    // The one above it may, and stands beside what it claims.
    world.step(&closes(incident, "D"), T0 + 2, &mut out);
    assert_eq!(world.book.get(incident).unwrap().state, State::Resolved);
    let line = out.trail.last().unwrap();
    assert_eq!((&*line.by, &*line.actor), ("chief", "D"));
    let stored =
        r#"{"incident":"00000000000000000000000000","at":1,"hop":"shown","by":"T","detail":""}"#;
    let old: crate::changes::TrailEntry = serde_json::from_str(stored).unwrap();
    assert_eq!(&*old.actor, "", "a trail of before loads");
}

fn unreadable(device: Option<&str>) -> Message {
    Message::UnreadableAlarm {
        area: "town".into(),
        device: device.map(Into::into),
        topic: "standpipe/v1/town/X/alarm".into(),
        payload: "ON".into(),
        why: crate::wire::RejectedReason::NotUtf8,
    }
}

#[test]
fn an_alarm_that_cannot_be_read_is_told_and_no_sign_of_life() {
    let (mut world, mut out) = world();
    world.step(&unreadable(Some("S")), T0, &mut out);
    world.step(&unreadable(Some("new")), T0 + 1, &mut out);
    world.step(&unreadable(None), T0 + 2, &mut out);
    world.tick(T0 + 2, &mut out);
    let told: Vec<&str> = out
        .pages
        .iter()
        .filter_map(|page| match &page.receiver {
            Receiver::Station(id) => Some(&**id),
            Receiver::Webhook(_) => None,
        })
        .collect();
    assert_eq!(told, ["T", "D", "D"]);
    let new = world.registry().find("new").unwrap();
    let device = world.registry().device(new).unwrap();
    assert_eq!((device.kind, device.claimed), (Kind::Smoke, false));
    assert!(out.registered.contains(&new));
    assert_eq!(world.summary(new).heard_at, None, "nothing of it was understood");
    let wires: Vec<_> = world.book.open().map(|incident| incident.wire(world.registry())).collect();
    assert!(wires.iter().all(|wire| wire.payload.as_deref() == Some("ON")), "{wires:?}");
    assert!(wires.iter().all(|wire| wire.topic.as_deref() == Some("standpipe/v1/town/X/alarm")));
    // A fire beside it is a fire of its own.
    world.step(&alarm("S", Condition::Smoke, true), T0 + 3, &mut out);
    assert_eq!(world.book.open().count(), 4);
}

/// A device has the broker keep its alarm; the gateway hears it live, and after its session was
/// lost the broker brings it again.
#[test]
fn a_live_alarm_that_the_broker_kept_is_not_another_fire() {
    let print = |at| Arrived { at, retained: false, print: 7 };
    for (story, later, pages) in [
        ("nothing else was heard", vec![], 0),
        ("its end was heard", vec![alarm("S", Condition::Smoke, false)], 0),
        ("something else was heard since", vec![Message::bare_status("S", true)], 1),
        (
            "it was taken back",
            vec![Message::Cleared { area: "town".into(), device: "S".into() }],
            1,
        ),
    ] {
        let (mut world, mut out) = world();
        world.step(&alarm("S", Condition::Smoke, true), print(T0), &mut out);
        let incident = out.pages[0].incident;
        // The detector's own end, of which the broker tells nobody later.
        world.step(
            &alarm("S", Condition::Smoke, false),
            Arrived { print: 9, ..print(T0 + 1) },
            &mut out,
        );
        for (n, message) in later.iter().enumerate() {
            world.step(message, Arrived { print: 10, ..print(T0 + 2 + n as Ms) }, &mut out);
        }
        let close = Action {
            incident,
            kind: ActionKind::FalseAlarm,
            by: "".into(),
            note: "".into(),
            seen: "".into(),
        };
        world.act(&Actor::admin("admin"), &close, T0 + 1_000, &mut out).unwrap();
        let mut again = Changes::default();
        let kept = Arrived { at: T0 + 900_000, retained: true, print: 7 };
        world.step(&alarm("S", Condition::Smoke, true), kept, &mut again);
        assert_eq!(again.pages.len(), pages, "{story}");
    }
}

#[test]
fn read_a_clock_that_was_set_back_over_a_restart_does_not_stall_a_fire() {
    let (mut world, mut out) = world();
    world.step(&alarm("S", Condition::Smoke, true), T0 + 5, &mut out);
    world.tick(T0 + 5, &mut out);
    // The gateway starts anew on a machine whose clock is an hour behind.
    let (start, mut later) = (T0 - 3_600_000, Changes::default());
    world.clock_set(start - (T0 + 5), start, &mut later);
    for second in 0..180 {
        world.tick(start + second * 1_000, &mut later);
        assert!(later.pages.iter().all(|page| page.step < 3), "step 3 after {second} s");
    }
    world.tick(start + 180_000, &mut later);
    assert_eq!(later.pages.last().map(|page| page.step), Some(3), "in what was left of 180 s");
}

#[test]
fn read_low_water_is_found_by_a_gateway_whose_clock_is_behind() {
    let (mut world, mut out) = world();
    world.step(&pressure(T0, 300.0), T0, &mut out);
    let (behind, mut later) = (3_600_000, Changes::default());
    world.clock_set(-behind, T0 - behind, &mut later);
    for n in 1..20 {
        let right = T0 + n * 60_000;
        world.step(&pressure(right, 0.0), right - behind, &mut later);
        world.tick(right - behind, &mut later);
        let dry = world.summary(H).conditions & Condition::NoWater.bit() != 0;
        assert_eq!(dry, n >= 2, "after {n} dry readings");
    }
    assert_eq!(world.summary(H).conditions & Condition::ClockFault.bit(), 0, "it is right");
}

#[test]
fn a_reading_whose_number_was_lost_never_confirms_one_of_equal_content() {
    let (none, right, behind) = (None, Some(0), Some(7_200_000));
    for (lost, other, clock, dry) in [
        (true, 0.0, none, false),
        (false, 0.0, none, true),
        (true, 0.5, none, true),
        // Another time that can be read is other content, also that of a wrong clock …
        (true, 0.0, right, true),
        (true, 0.0, behind, true),
        // … or of one before 2020.
        (true, 0.0, Some(T0), true),
    ] {
        let (mut world, mut out) = world();
        for n in 0..4_u8 {
            let at = T0 + Ms::from(n) * 40_000;
            let mut reading = Reading { boot: Some(1), numbers_lost: lost, ..Reading::default() };
            reading.ts = clock.map(|behind| at - behind);
            let kpa = 5.0 + other * f32::from(n);
            reading.values.set(Field::PressureKpa, kpa).unwrap();
            let (area, device) = ("town".into(), "H".into());
            let message = Message::Telemetry { area, device, readings: vec![reading] };
            world.step(&message, at, &mut out);
        }
        let found = world.summary(H).conditions & Condition::NoWater.bit() != 0;
        assert_eq!(found, dry, "lost {lost}, {other}, {clock:?}");
        let mut again = town::world(world.registry().clone(), Plan::default());
        for logged in &out.readings {
            again.replay(logged, &mut Changes::default());
        }
        assert_eq!(again.memory_body(H), world.memory_body(H), "the log says the same");
    }
}

#[test]
fn what_a_device_says_of_itself_is_kept() {
    let (mut world, mut out) = world();
    let text = br#"{"online":true,"boot":4,"firmware":"1.2.3"}"#;
    let topic = format!("{}/town/S/status", standpipe_shared::ROOT);
    let status =
        crate::wire::parse(standpipe_shared::ROOT, topic.as_bytes(), text).message.unwrap();
    world.step(&status, Arrived { retained: false, ..KEPT }, &mut out);
    let told: Vec<_> = out.statuses.iter().map(|status| status.firmware.as_deref()).collect();
    assert_eq!(told, [Some("1.2.3")]);
}

#[test]
fn a_condition_of_the_gateway_stands_until_it_is_over() {
    let (mut world, mut out) = world();
    let stands = |world: &World| {
        [Condition::RegistryFault, Condition::ClockFault].map(|of| world.gateway_stands(of))
    };
    assert_eq!(stands(&world), [false, false]);
    world.gateway_condition(Condition::RegistryFault, Some("devices.csv:3"), T0, &mut out);
    assert_eq!(stands(&world), [true, false]);
    world.gateway_condition(Condition::RegistryFault, None, T0 + 1_000, &mut out);
    assert_eq!(stands(&world), [false, false]);
}

#[test]
fn one_whose_number_was_lost_and_that_is_delivered_again_confirms_nothing() {
    for (behind, numbered) in [(0, false), (7_200_000, false), (T0, false), (0, true)] {
        let (mut world, mut out) = world();
        for n in 0..4_u8 {
            let ts = Some(T0 - behind);
            let first = n == 0 && numbered;
            let (boot, seq) = (Some(1), first.then_some(7));
            let mut reading = Reading { boot, seq, ts, numbers_lost: !first, ..Reading::default() };
            reading.values.set(Field::PressureKpa, 5.0).unwrap();
            let (area, device) = ("town".into(), "H".into());
            let message = Message::Telemetry { area, device, readings: vec![reading] };
            world.step(&message, T0 + Ms::from(n) * 40_000, &mut out);
        }
        let found = world.summary(H).conditions & Condition::NoWater.bit() != 0;
        assert!(!found, "{behind} ms behind, numbered at first: {numbered}");
    }
}

#[test]
fn one_of_equal_content_whose_number_was_lost_is_as_fresh_as_it_says() {
    let (mut world, mut out) = world();
    for n in 0..4_u8 {
        let mut reading = Reading { boot: Some(1), numbers_lost: true, ..Reading::default() };
        reading.values.set(Field::PressureKpa, 300.0).unwrap();
        let (area, device) = ("town".into(), "H".into());
        let message = Message::Telemetry { area, device, readings: vec![reading] };
        world.step(&message, T0 + Ms::from(n) * 60_000, &mut out);
    }
    let now = world.summary(H);
    assert_eq!((now.measured_at, now.heard_at), (Some(T0 + 180_000), Some(T0 + 180_000)));
    assert_eq!(world.watch.hydrant(H, T0 + 200_000).unwrap().trust, Trust::Ok);
}
