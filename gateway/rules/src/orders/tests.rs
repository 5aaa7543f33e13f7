//! What becomes of an order, told as it is seen from the desk: who says what, and what is shown.

mod resend;

use standpipe_shared::{Kilopascals, Kind, Settings, Verb};
use ulid::Ulid;

use super::{
    CommandRequest, CommandState, Of, Order, OrderRefused, SavedOrders, SettingsSource,
    SettingsState, WaitsFor, Wish,
};
use crate::incidents::{IdSecret, Plan};
use crate::registry::{Device, DeviceIx, Registry};
use crate::wire::parse;
use crate::{Changes, Ms, World};

const T0: Ms = 1_764_000_000_000;
const H1: DeviceIx = DeviceIx(0);

/// So many hydrants H-1, H-2 … of the profile `municipal`, which never spoke.
fn world(devices: u32) -> World {
    let mut registry = Registry::new([]);
    for n in 1..=devices {
        let unheard = Device::unclaimed(&format!("H-{n}"), "", Kind::Hydrant);
        registry.put_device(Device { station: "t-1".into(), claimed: true, ..unheard });
    }
    World::new(registry, Plan::default(), IdSecret::new([7; 32]))
}

/// A device says something.
fn says(world: &mut World, topic: &str, payload: &str, at: Ms) -> Changes {
    let mut out = Changes::default();
    let parsed = parse("r", format!("r/{topic}").as_bytes(), payload.as_bytes());
    world.step(&parsed.message.expect("a message"), at, &mut out);
    out
}

fn birth(world: &mut World, topic: &str, rev: u32, at: Ms) -> Changes {
    says(world, topic, &format!(r#"{{"online":true,"rev":{rev}}}"#), at)
}

fn wish(interval_s: u32) -> Wish {
    let kpa = |number| Kilopascals::new(number).expect("a number");
    let rest = [140.0, 20.0, 15.0].map(kpa);
    let [low_kpa, no_water_kpa, delta_kpa] = rest;
    let all = Settings { rev: 9, interval_s, sample_s: 5, low_kpa, no_water_kpa, delta_kpa };
    Wish::new(all).expect("within the limits")
}

fn put(world: &mut World, of: Of, interval_s: Option<u32>, at: Ms) -> Changes {
    let mut out = Changes::default();
    let order = Order::Settings { of, wish: interval_s.map(wish), by: "Li".into() };
    assert_eq!(world.order(order, at, &mut out), Ok(None));
    out
}

fn device(id: &str) -> Of {
    Of::Device(id.into())
}

fn municipal() -> Of {
    Of::Profile("municipal".into())
}

fn sent(world: &mut World, ix: DeviceIx, at: Ms) {
    let known = world.orders().settings(ix).expect("told");
    let rev = known.owed().expect("something is owed").rev;
    world.settings_sent(ix, rev, at, &mut Changes::default());
}

/// State, what it waits for, whose wish, number, interval wished.
type Seen = (SettingsState, Option<WaitsFor>, Option<SettingsSource>, u32, Option<u32>);

fn seen(world: &World, ix: DeviceIx) -> Seen {
    let shown = world.orders().shown(ix, world.registry().device(ix).expect("a device"));
    let rev = shown.known.told.as_ref().map_or(0, |told| told.rev);
    let wished = shown.wished.map(|wished| wished.wish.numbered(0).interval_s);
    (shown.state, shown.waits_for, shown.source, rev, wished)
}

#[test]
fn settings_go_from_a_wish_to_what_the_device_runs() {
    use SettingsState::{Applied, None as Nothing, Pending};
    let (own, mut world) = (Some(SettingsSource::Device), world(1));
    assert_eq!(seen(&world, H1), (Nothing, None, None, 0, None));
    let out = put(&mut world, device("H-1"), Some(300), T0);
    assert_eq!((&out.wishes[..], &out.settings[..]), (&[device("H-1")][..], &[H1][..]));
    let first = Some(WaitsFor::FirstMessage);
    assert_eq!(seen(&world, H1), (Pending, first, own, 1, Some(300)));
    assert_eq!(
        world.orders().settings(H1).and_then(|settings| settings.owed()),
        None,
        "nobody knows where"
    );

    let out = birth(&mut world, "north/H-1/status", 0, T0 + 1);
    assert_eq!(out.settings.last(), Some(&H1), "it spoke: now it is owed");
    assert_eq!(seen(&world, H1).1, Some(WaitsFor::Broker));
    let told = world.orders().settings(H1).and_then(|settings| settings.owed()).expect("owed");
    assert_eq!((&*told.area, told.settings().rev, told.settings().interval_s), ("north", 1, 300));
    sent(&mut world, H1, T0 + 2);
    assert_eq!(seen(&world, H1).1, Some(WaitsFor::Device));

    birth(&mut world, "north/H-1/status", 1, T0 + 3);
    assert_eq!(seen(&world, H1), (Applied, None, own, 1, Some(300)));
    let out = birth(&mut world, "north/H-1/status", 1, T0 + 4);
    assert!(out.settings.is_empty(), "no news");
    let out = put(&mut world, device("H-1"), Some(300), T0 + 5);
    assert_eq!(seen(&world, H1), (Applied, None, own, 1, Some(300)), "the same again is no change");
    assert_eq!(out.wishes, [device("H-1")], "but who wishes it is kept");
}

#[test]
fn a_refusal_is_shown_with_its_words_and_the_old_settings_stay() {
    let mut world = world(1);
    birth(&mut world, "north/H-1/status", 3, T0);
    put(&mut world, device("H-1"), Some(5), T0);
    assert_eq!(seen(&world, H1).3, 4, "past what the device knows");
    sent(&mut world, H1, T0 + 1);
    let no = r#"{"id":"settings-4","ok":false,"detail":"interval_s: too short for my battery"}"#;
    says(&mut world, "north/H-1/reply", no, T0 + 2);
    assert_eq!(seen(&world, H1).0, SettingsState::Refused);
    let told =
        world.orders().settings(H1).and_then(|settings| settings.told.clone()).expect("told");
    assert_eq!(&*told.detail, "interval_s: too short for my battery");
    let out = birth(&mut world, "north/H-1/status", 3, T0 + 3);
    assert!(out.settings.is_empty() && seen(&world, H1).0 == SettingsState::Refused, "still");
    assert!(says(&mut world, "north/H-1/reply", no, T0 + 4).settings.is_empty(), "told before");

    put(&mut world, device("H-1"), Some(5), T0 + 5);
    assert_eq!(seen(&world, H1).3, 5, "wished again, it is tried again");
    says(&mut world, "north/H-1/reply", no, T0 + 6);
    assert_eq!(seen(&world, H1).0, SettingsState::Pending, "that was the number before");
    let yes = r#"{"id":"settings-5","ok":true}"#;
    says(&mut world, "north/H-1/reply", yes, T0 + 7);
    assert_eq!(seen(&world, H1).0, SettingsState::Applied);
    says(&mut world, "north/H-1/reply", &no.replace('4', "5"), T0 + 8);
    assert_eq!(seen(&world, H1).0, SettingsState::Applied, "it runs them");
}

#[test]
fn a_refusal_without_words_is_one_too() {
    let mut world = world(1);
    birth(&mut world, "north/H-1/status", 0, T0);
    put(&mut world, device("H-1"), Some(5), T0);
    sent(&mut world, H1, T0 + 1);
    let out = says(&mut world, "north/H-1/reply", r#"{"id":"settings-1","ok":false}"#, T0 + 2);
    assert_eq!((out.settings, seen(&world, H1).0), (vec![H1], SettingsState::Refused));
    let no = r#"{"id":"settings-1","ok":false,"detail":"delta_kpa: too small"}"#;
    assert_eq!(says(&mut world, "north/H-1/reply", no, T0 + 3).settings, [H1], "now it says why");
}

#[test]
fn a_receipt_counts_for_its_own_number_and_once() {
    let mut world = world(1);
    birth(&mut world, "north/H-1/status", 0, T0);
    put(&mut world, device("H-1"), Some(300), T0);
    put(&mut world, device("H-1"), Some(60), T0 + 1);
    let mut received = |rev, at| {
        let mut out = Changes::default();
        world.settings_sent(H1, rev, at, &mut out);
        let told = world.orders().settings(H1).and_then(|settings| settings.told.as_ref()?.sent_at);
        (out.settings.len(), told)
    };
    assert_eq!(received(1, T0 + 2), (0, None), "those it had before");
    assert_eq!(received(2, T0 + 3), (1, Some(T0 + 3)));
    assert_eq!(received(2, T0 + 4), (0, Some(T0 + 3)));
}

#[test]
fn a_device_that_lost_its_settings_gets_them_again_and_one_ahead_is_told_anew() {
    let mut world = world(1);
    birth(&mut world, "north/H-1/status", 0, T0);
    put(&mut world, device("H-1"), Some(300), T0);
    sent(&mut world, H1, T0 + 1);
    birth(&mut world, "north/H-1/status", 1, T0 + 2);
    birth(&mut world, "north/H-1/status", 0, T0 + 3);
    assert_eq!(seen(&world, H1).1, Some(WaitsFor::Broker), "its storage is lost: sent again");
    sent(&mut world, H1, T0 + 4);
    birth(&mut world, "north/H-1/status", 0, T0 + 5);
    assert_eq!(seen(&world, H1).1, Some(WaitsFor::Device), "it has not looked yet: once is enough");
    birth(&mut world, "north/H-1/status", 9, T0 + 6);
    assert_eq!(seen(&world, H1).3, 10, "those of another gateway: told anew, past them");
    assert_eq!(seen(&world, H1).1, Some(WaitsFor::Broker));
}

#[test]
fn a_device_that_moves_is_told_where_it_is_and_the_old_place_is_cleared() {
    let mut world = world(1);
    let told = |world: &World| {
        let told =
            world.orders().settings(H1).and_then(|settings| settings.told.clone()).expect("told");
        (told.area.to_string(), told.left_area.to_string(), told.rev, told.sent_at)
    };
    birth(&mut world, "north/H-1/status", 0, T0);
    put(&mut world, device("H-1"), Some(300), T0);
    birth(&mut world, "south/H-1/status", 0, T0 + 1);
    assert_eq!(told(&world), ("south".into(), "".into(), 1, None), "nothing lies in the north");
    sent(&mut world, H1, T0 + 2);
    birth(&mut world, "east/H-1/status", 1, T0 + 3);
    assert_eq!(told(&world), ("east".into(), "south".into(), 1, None));
    birth(&mut world, "west/H-1/status", 1, T0 + 4);
    assert_eq!(told(&world), ("west".into(), "south".into(), 1, None), "never sent to the east");
    birth(&mut world, "south/H-1/status", 1, T0 + 5);
    assert_eq!(told(&world), ("south".into(), "".into(), 1, None), "back");
    sent(&mut world, H1, T0 + 6);
    birth(&mut world, "east/H-1/status", 1, T0 + 7);
    put(&mut world, device("H-1"), Some(60), T0 + 8);
    assert_eq!(told(&world), ("east".into(), "south".into(), 2, None), "also with other settings");
    sent(&mut world, H1, T0 + 9);
    assert_eq!(told(&world).1, "", "cleared with it");
}

/// Lets time pass until `until`; how many devices were told in each step, and when.
fn told_in_steps(world: &mut World, from: Ms, until: Ms) -> Vec<(Ms, usize)> {
    let (mut steps, mut now) = (Vec::new(), from);
    while now <= until {
        let mut out = Changes::default();
        world.tick(now, &mut out);
        if !out.settings.is_empty() {
            steps.push((now - from, out.settings.len()));
        }
        now += 50;
    }
    steps
}

#[test]
fn a_profile_reaches_those_without_their_own_a_few_at_a_time() {
    let mut world = world(11);
    put(&mut world, device("H-2"), Some(60), T0);
    let out = put(&mut world, municipal(), Some(300), T0);
    assert_eq!((out.wishes, out.settings), (vec![municipal()], vec![]), "nobody at once");
    let turn =
        (SettingsState::Pending, Some(WaitsFor::FirstMessage), Some(SettingsSource::Profile), 0);
    assert_eq!(seen(&world, H1), (turn.0, turn.1, turn.2, turn.3, Some(300)));
    assert!(world.orders().next_wake().is_some_and(|at| at <= T0));
    assert_eq!(told_in_steps(&mut world, T0, T0 + 5_000), [(0, 4), (250, 4), (500, 2)]);
    assert_eq!(seen(&world, DeviceIx(1)).4, Some(60), "it has its own");
    assert_eq!(world.orders().next_wake(), None, "all are told");

    let smoke = Device::unclaimed("S-1", "", Kind::Smoke);
    world.put_device(smoke.clone(), &mut Changes::default());
    assert_eq!(world.orders().next_wake(), None, "another profile");
    world.put_device(Device { profile: "municipal".into(), ..smoke }, &mut Changes::default());
    assert_eq!(told_in_steps(&mut world, T0 + 9_000, T0 + 9_500), [(0, 1)], "now it is of it");

    let out = put(&mut world, device("H-2"), None, T0 + 10_000);
    assert_eq!(out.settings, [DeviceIx(1)], "what is done to one device is told at once");
    assert_eq!(seen(&world, DeviceIx(1)).2, Some(SettingsSource::Profile));
    assert_eq!(seen(&world, DeviceIx(1)).4, Some(300));
    put(&mut world, municipal(), None, T0 + 10_000);
    assert_eq!(told_in_steps(&mut world, T0 + 10_000, T0 + 11_000), [], "what they run stays");
    assert_eq!(seen(&world, H1).2, None);
}

#[test]
fn the_next_few_of_a_profile_are_told_a_moment_later() {
    let mut world = world(8);
    for n in 1..=8 {
        birth(&mut world, &format!("north/H-{n}/status"), 0, T0);
    }
    put(&mut world, municipal(), Some(300), T0);
    world.tick(T0, &mut Changes::default());
    let waits = [0, 7].map(|n| seen(&world, DeviceIx(n)).1);
    assert_eq!(waits, [Some(WaitsFor::Broker), Some(WaitsFor::Turn)]);
    assert_eq!(world.orders().next_wake(), Some(T0 + 250));
}

#[test]
fn what_waits_for_a_device_is_told_again_when_its_row_changes() {
    let mut world = world(2);
    let id = command(&mut world, Verb::SelfTest, None, T0);
    let changed = |world: &mut World, id: &str| {
        let ix = world.registry().find(id).expect("a device");
        let row = world.registry().device(ix).expect("a device").clone();
        let mut out = Changes::default();
        world.put_device(Device { name: "moved".into(), ..row }, &mut out);
        out.commands.iter().map(|command| command.id).collect::<Vec<_>>()
    };
    assert_eq!(changed(&mut world, "H-2"), [], "another device");
    assert_eq!(changed(&mut world, "H-1"), [id]);
    world.command_sent((id, 0), T0 + 10, &mut Changes::default());
    assert_eq!(changed(&mut world, "H-1"), [], "the broker has it");
}

#[test]
fn a_device_that_runs_its_own_settings_is_nobody_to_remember() {
    let mut world = world(1);
    let out = birth(&mut world, "north/H-1/status", 0, T0);
    assert!(out.settings.is_empty());
}

#[test]
fn a_profile_changed_back_in_time_troubles_nobody_twice() {
    let mut world = world(8);
    put(&mut world, municipal(), Some(300), T0);
    told_in_steps(&mut world, T0, T0 + 5_000);
    put(&mut world, municipal(), Some(60), T0 + 5_000);
    world.tick(T0 + 5_000, &mut Changes::default());
    put(&mut world, municipal(), Some(300), T0 + 5_050);
    assert_eq!(told_in_steps(&mut world, T0 + 5_050, T0 + 9_000), [(200, 4)], "those four again");
    let revs: Vec<u32> = (0..8).map(|n| seen(&world, DeviceIx(n)).3).collect();
    assert_eq!(revs, [3, 3, 3, 3, 1, 1, 1, 1]);
}

#[test]
fn a_restart_forgets_neither_a_wish_nor_who_is_to_be_told_yet() {
    let mut before = world(6);
    put(&mut before, municipal(), Some(300), T0);
    before.tick(T0, &mut Changes::default());
    let orders = before.orders();
    let saved = SavedOrders {
        wishes: vec![(municipal(), orders.wished(&municipal()).expect("it").clone())],
        settings: (0..6)
            .map(DeviceIx)
            .filter_map(|ix| Some((ix, orders.settings(ix)?.clone())))
            .collect(),
        commands: Vec::new(),
    };
    assert_eq!(saved.settings.len(), 4);
    let mut after = world(6);
    after.restore_orders(saved);
    assert_eq!(told_in_steps(&mut after, T0 + 60_000, T0 + 61_000), [(0, 2)]);
}

#[test]
fn nobody_knows_the_device_or_the_profile() {
    let mut world = world(1);
    let mut out = Changes::default();
    for (of, why) in [
        (device("H-9"), OrderRefused::UnknownDevice),
        (Of::Profile("alpine".into()), OrderRefused::UnknownProfile),
    ] {
        let order = Order::Settings { of, wish: Some(wish(300)), by: "Li".into() };
        assert_eq!(world.order(order, T0, &mut out), Err(why));
    }
    let asked = CommandRequest::new(Verb::SelfTest, None, None, "Li").expect("a command");
    let order = Order::Command { device: "H-9".into(), asked };
    assert_eq!(world.order(order, T0, &mut out), Err(OrderRefused::UnknownDevice));
    assert!(out.wishes.is_empty() && out.settings.is_empty() && out.commands.is_empty());
}

fn command(world: &mut World, verb: Verb, expires_s: Option<u32>, at: Ms) -> Ulid {
    let asked = CommandRequest::new(verb, None, expires_s, "Li").expect("a command");
    let order = Order::Command { device: "H-1".into(), asked };
    let id = world.order(order, at, &mut Changes::default()).expect("taken");
    id.expect("the id of a command")
}

fn state(world: &World, id: Ulid) -> Option<CommandState> {
    world.orders().command(id).map(|command| command.state)
}

#[test]
fn a_command_is_queued_sent_and_answered() {
    let mut world = world(1);
    let id = command(&mut world, Verb::SelfTest, None, T0);
    let queued = world.orders().command(id).expect("queued").clone();
    assert_eq!((queued.state, queued.device), (CommandState::Queued, H1));
    assert_eq!(queued.expires_at, T0 + 2_700_000, "three intervals of 15 min");
    world.command_sent((id, 0), T0 + 10, &mut Changes::default());
    assert_eq!(state(&world, id), Some(CommandState::Sent));
    let reply = format!(r#"{{"id":"{id}","ok":true,"detail":"all well"}}"#);
    let out = says(&mut world, "north/H-2/reply", &reply, T0 + 20);
    assert!(out.commands.is_empty(), "that is another device");
    let out = says(&mut world, "north/H-1/reply", &reply, T0 + 30);
    let [done] = &out.commands[..] else { panic!("{out:?}") };
    assert_eq!((done.state, &*done.detail), (CommandState::Answered, "all well"));
    assert_eq!((done.sent_at, done.answered_at), (Some(T0 + 10), Some(T0 + 30)));
    assert_eq!(state(&world, id), None, "done with");
    assert_eq!(world.orders().next_wake(), None);
    assert!(says(&mut world, "north/H-1/reply", &reply, T0 + 40).commands.is_empty(), "once");
}

#[test]
fn a_command_expires_and_an_answer_that_comes_late_counts() {
    let mut world = world(1);
    let (first, second) = (
        command(&mut world, Verb::Restart, Some(10), T0),
        command(&mut world, Verb::Restart, Some(20), T0),
    );
    assert_eq!(world.orders().next_wake(), Some(T0 + 10_000));
    let mut out = Changes::default();
    world.tick(T0 + 9_999, &mut out);
    assert!(out.commands.is_empty());
    world.tick(T0 + 10_000, &mut out);
    let expired: Vec<_> = out.commands.iter().map(|command| (command.id, command.state)).collect();
    assert_eq!(expired, [(first, CommandState::Expired)]);
    world.command_sent((first, 0), T0 + 10_001, &mut out);
    assert_eq!(state(&world, first), Some(CommandState::Expired), "the receipt came too late");
    let reply = format!(r#"{{"id":"{first}","ok":false,"detail":"not now"}}"#);
    let out = says(&mut world, "north/H-1/reply", &reply, T0 + 11_000);
    assert_eq!(out.commands.first().map(|command| command.state), Some(CommandState::Refused));
    world.tick(T0 + 20_000, &mut Changes::default());
    assert_eq!(state(&world, second), Some(CommandState::Expired));
    world.tick(T0 + 20_000 + super::LATE_MS, &mut Changes::default());
    assert_eq!(state(&world, second), None, "a day later nobody waits for an answer");
    assert_eq!(world.orders().next_wake(), None);
}

#[test]
fn a_restart_forgets_no_command() {
    let mut before = world(1);
    let (queued, gone) = (
        command(&mut before, Verb::SelfTest, Some(30), T0),
        command(&mut before, Verb::SelfTest, Some(10), T0),
    );
    before.tick(T0 + 10_000, &mut Changes::default());
    let commands = [queued, gone].map(|id| before.orders().command(id).expect("kept").clone());
    let mut after = world(1);
    after.restore_orders(SavedOrders { commands: commands.into(), ..SavedOrders::default() });
    assert_eq!(after.orders().next_wake(), Some(T0 + 30_000));
    for id in [queued, gone] {
        let reply = format!(r#"{{"id":"{id}","ok":true}}"#);
        let out = says(&mut after, "north/H-1/reply", &reply, T0 + 11_000);
        assert_eq!(out.commands.first().map(|command| command.state), Some(CommandState::Answered));
    }
}

#[test]
fn a_device_that_does_not_answer_is_not_buried_in_commands() {
    let mut world = world(2);
    for _ in 0..super::OPEN_MOST {
        command(&mut world, Verb::ReportNow, None, T0);
    }
    let asked = || CommandRequest::new(Verb::ReportNow, None, None, "Li").expect("a command");
    let mut order = |device: &str| {
        let order = Order::Command { device: device.into(), asked: asked() };
        world.order(order, T0, &mut Changes::default())
    };
    assert_eq!(order("H-1"), Err(OrderRefused::TooMany { most: 16 }));
    assert!(order("H-2").is_ok());
}

#[test]
#[rustfmt::skip] // a table
fn a_command_says_what_is_wrong_with_it() {
    for (verb, seconds, expires_s, wanted) in [
        (Verb::ReportNow, None,        None,          &[][..]),
        (Verb::ReportNow, Some(3_600), Some(604_800), &[]),
        (Verb::Silence,   Some(900),   Some(1),       &[]),
        (Verb::Silence,   Some(0),     None,          &["seconds is 0: set 1 to 900 for silence"]),
        (Verb::ReportNow, Some(3_601), Some(0),       &["seconds is 3601: set 1 to 3600 for report_now", "expires_s is 0: set 1 to 604800"]),
        (Verb::Restart,   Some(1),     None,          &["seconds is 1: leave it out for restart"]),
        (Verb::SelfTest,  None,        Some(604_801), &["expires_s is 604801: set 1 to 604800"]),
    ] {
        let told: Vec<String> = match CommandRequest::new(verb, seconds, expires_s, "") {
            Ok(_) => Vec::new(),
            Err(bad) => bad.iter().inspect(|fault| assert!(fault.to_string().starts_with(&format!("{} is", fault.field())))).map(ToString::to_string).collect(),
        };
        assert_eq!(told, wanted, "{verb:?}");
    }
}

/// A detector that looks at its chamber every ten minutes is none: neither it nor a profile that it
/// follows is given such settings, and a hydrant is.
#[test]
fn settings_that_a_kind_cannot_run_are_refused_with_the_reason() {
    let mut registry = Registry::new([]);
    for (id, kind, profile) in [
        ("H-1", Kind::Hydrant, "municipal"),
        ("S-1", Kind::Smoke, "smoke_site"),
        ("S-2", Kind::Smoke, "indoor"),
    ] {
        let unheard = Device::unclaimed(id, "", kind);
        let profile = profile.into();
        registry.put_device(Device { profile, claimed: true, ..unheard });
    }
    let mut world = World::new(registry, Plan::default(), IdSecret::new([7; 32]));
    let rare = |sample_s| {
        Wish::new(Settings { sample_s, ..wish(900).numbered(0) }).expect("within the limits")
    };
    let mut refused = |of: Of, wish: Wish| {
        let order = Order::Settings { of, wish: Some(wish), by: "Li".into() };
        let mut out = Changes::default();
        let refused = world.order(order, T0, &mut out).err();
        assert!(refused.is_none() || out.wishes.is_empty(), "nothing changed");
        refused.map(|refused| refused.to_string())
    };
    let why = Some("sample_s is 600 s: set 1 to 10 s for a smoke device".to_owned());
    for of in [device("S-1"), Of::Profile("smoke_site".into()), Of::Profile("indoor".into())] {
        assert_eq!(refused(of.clone(), rare(600)), why, "{of:?}");
        assert_eq!(refused(of.clone(), rare(10)), None, "{of:?}");
    }
    for of in [device("H-1"), Of::Profile("municipal".into())] {
        assert_eq!(refused(of.clone(), rare(600)), None, "{of:?}");
    }
}
