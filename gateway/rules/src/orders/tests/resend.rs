//! A command that the broker has and nobody answered: when the device gets it again.

use super::*;
use crate::wire::Arrived;

/// A device that is known, and a command that the broker has; sent at `T0`.
fn sent_command(verb: Verb) -> (World, Ulid) {
    let mut world = world(2);
    for n in 1..=2 {
        birth(&mut world, &format!("north/H-{n}/status"), 0, T0 - 60_000);
    }
    let id = command(&mut world, verb, Some(3_600), T0);
    world.command_sent((id, 0), T0, &mut Changes::default());
    (world, id)
}

/// How often the command was owed to the broker again when time passed until then, which the
/// broker takes at once.
fn resent(world: &mut World, until: Ms) -> Vec<Ms> {
    let mut times = Vec::new();
    while let Some(at) = world.orders().next_wake().filter(|at| *at <= until) {
        let mut out = Changes::default();
        world.tick(at, &mut out);
        for command in out.commands.iter().filter(|command| command.is_owed()) {
            assert_eq!(command.state, CommandState::Sent, "what people see stays");
            world.command_sent((command.id, command.resends), at, &mut Changes::default());
            times.push(at - T0);
        }
    }
    times
}

fn speaks(world: &mut World, at: Ms) {
    says(world, "north/H-1/telemetry", r#"{"pressure_kpa":300}"#, at);
}

#[test]
fn a_device_that_is_heard_and_does_not_answer_gets_its_command_again() {
    let (mut world, id) = sent_command(Verb::ReportNow);
    assert_eq!(resent(&mut world, T0 + 600_000), [0; 0], "time alone sends nothing again");
    speaks(&mut world, T0 + 600_000);
    assert_eq!(resent(&mut world, T0 + 603_999), [0; 0]);
    speaks(&mut world, T0 + 603_999);
    assert_eq!(resent(&mut world, T0 + 700_000), [604_000], "and once, while it says no more");
    // It talks every second: 8 s, 16 s, 32 s.
    let mut times = Vec::new();
    for second in 700..800 {
        speaks(&mut world, T0 + second * 1_000);
        times.extend(resent(&mut world, T0 + second * 1_000));
    }
    assert_eq!(times, [708_000, 725_000, 758_000]);
    let known = world.orders().command(id).unwrap();
    assert_eq!((known.state, known.sent_at, known.resends), (CommandState::Sent, Some(T0), 4));
    let reply = format!(r#"{{"id":"{id}","ok":true}}"#);
    says(&mut world, "north/H-1/reply", &reply, T0 + 800_000);
    assert!(!world.orders().wait_for_answers(), "nothing to look for any more");
    assert_eq!(world.orders().next_wake(), None);
}

#[test]
fn a_device_that_answers_when_it_wakes_gets_no_duplicate() {
    let (mut world, id) = sent_command(Verb::Silence);
    speaks(&mut world, T0 + 600_000);
    let reply = format!(r#"{{"id":"{id}","ok":true}}"#);
    let out = says(&mut world, "north/H-1/reply", &reply, T0 + 603_900);
    assert_eq!(out.commands.first().map(|command| command.state), Some(CommandState::Answered));
    assert_eq!(resent(&mut world, T0 + 3_600_000), [0; 0]);
}

#[test]
fn a_self_test_has_the_time_it_takes_and_a_restart_is_sent_twice_at_most() {
    for (verb, expected) in [
        (Verb::ReportNow, &[4_000, 13_000, 30_000][..]),
        (Verb::Silence, &[4_000, 13_000, 30_000]),
        (Verb::SelfTest, &[34_000]),
        (Verb::Restart, &[4_000]),
    ] {
        let (mut world, _) = sent_command(verb);
        let mut times = Vec::new();
        for second in 0..60 {
            speaks(&mut world, T0 + second * 1_000 + 1);
            times.extend(resent(&mut world, T0 + second * 1_000 + 1));
        }
        let expected: Vec<Ms> = expected.iter().map(|at| at + 1).collect();
        assert_eq!(times, expected, "{verb:?}");
    }
}

/// What shows that a device is there, and what does not.
#[test]
fn only_the_devices_own_live_messages_count() {
    for (topic, payload, retained, counts) in [
        ("north/H-1/telemetry", r#"{"pressure_kpa":300}"#, false, true),
        ("north/H-1/telemetry", r#"{"pressure_kpa":300}"#, true, false),
        ("north/H-1/telemetry", "noise", false, true),
        ("north/H-1/alarm", r#"{"condition":"tamper","active":true}"#, false, true),
        ("north/H-1/alarm", r#"{"condition":"tamper","active":true}"#, true, false),
        ("north/H-1/alarm", "ON", false, true),
        ("north/H-1/alarm", "", false, false),
        ("north/H-1/status", r#"{"online":true}"#, false, true),
        ("north/H-1/status", r#"{"online":false}"#, false, false),
        ("north/H-1/reply", r#"{"id":"another","ok":true}"#, false, true),
        ("north/H-2/telemetry", r#"{"pressure_kpa":300}"#, false, false),
        ("stations/t-1/presence", r#"{"online":true}"#, false, false),
    ] {
        let (mut world, _) = sent_command(Verb::ReportNow);
        let parsed = parse("r", format!("r/{topic}").as_bytes(), payload.as_bytes());
        let arrived = Arrived { at: T0 + 10, retained, print: 1 };
        world.step(&parsed.message.expect("a message"), arrived, &mut Changes::default());
        let expected = if counts { vec![4_010] } else { vec![] };
        assert_eq!(resent(&mut world, T0 + 60_000), expected, "{topic} {payload} {retained}");
    }
}

#[test]
fn a_command_that_waits_for_the_broker_is_not_owed_twice() {
    let (mut world, id) = sent_command(Verb::ReportNow);
    speaks(&mut world, T0);
    world.tick(T0 + 4_000, &mut Changes::default());
    for second in 5..60 {
        speaks(&mut world, T0 + second * 1_000);
        let mut out = Changes::default();
        world.tick(T0 + second * 1_000, &mut out);
        assert!(out.commands.is_empty(), "the broker does not have it yet");
    }
    let receipt = |world: &mut World, resends| {
        world.command_sent((id, resends), T0 + 60_000, &mut Changes::default());
        world.orders().command(id).unwrap().is_owed()
    };
    assert!(receipt(&mut world, 0), "that was the sending before");
    assert!(!receipt(&mut world, 1));
    speaks(&mut world, T0 + 60_000);
    assert_eq!(resent(&mut world, T0 + 100_000), [68_000]);
}

#[test]
fn an_expired_command_is_not_sent_again() {
    let (mut world, id) = sent_command(Verb::ReportNow);
    speaks(&mut world, T0 + 3_598_000);
    let mut out = Changes::default();
    world.tick(T0 + 3_610_000, &mut out);
    let states: Vec<_> =
        out.commands.iter().map(|command| (command.state, command.is_owed())).collect();
    assert_eq!(states, [(CommandState::Expired, false)]);
    assert!(!world.orders().wait_for_answers());
    assert_eq!(state(&world, id), Some(CommandState::Expired));
}

#[test]
fn a_restarted_gateway_sends_again_what_was_sent_before_it() {
    let (mut before, id) = sent_command(Verb::ReportNow);
    speaks(&mut before, T0);
    let restored = |world: &World, resend_owed| {
        // As the store gives it back.
        let json = serde_json::to_string(world.orders().command(id).unwrap()).unwrap();
        let command: crate::orders::DeviceCommand = serde_json::from_str(&json).unwrap();
        let command =
            crate::orders::DeviceCommand { device: H1, number: 1, resend_owed, ..command };
        let mut after = super::world(1);
        birth(&mut after, "north/H-1/status", 0, T0);
        after.restore_orders(SavedOrders { commands: vec![command], ..SavedOrders::default() });
        after
    };
    let mut after = restored(&before, false);
    assert_eq!(resent(&mut after, T0 + 600_000), [0; 0], "nobody was heard since");
    speaks(&mut after, T0 + 600_000);
    assert_eq!(resent(&mut after, T0 + 700_000), [604_000]);

    before.tick(T0 + 4_000, &mut Changes::default());
    let after = restored(&before, true);
    let known = after.orders().command(id).unwrap();
    assert_eq!((known.is_owed(), known.state, known.resends), (true, CommandState::Sent, 1));
}

#[test]
fn a_clock_that_is_set_changes_no_wait_for_an_answer() {
    for by in [-7_200_000, 7_200_000] {
        let (mut world, _) = sent_command(Verb::ReportNow);
        speaks(&mut world, T0 + 1_000);
        world.clock_set(by, T0 + 2_000 + by, &mut Changes::default());
        assert_eq!(resent(&mut world, T0 + by + 4_999), [0; 0]);
        assert_eq!(resent(&mut world, T0 + by + 5_000), [by + 5_000]);
    }
}

#[test]
fn what_was_moved_is_sent_again_where_the_device_is() {
    let (mut world, id) = sent_command(Verb::ReportNow);
    let out = says(&mut world, "south/H-1/telemetry", r#"{"pressure_kpa":300}"#, T0 + 1_000);
    assert!(out.commands.is_empty(), "it may have it already");
    world.tick(T0 + 5_000, &mut Changes::default());
    let out = says(&mut world, "east/H-1/telemetry", r#"{"pressure_kpa":300}"#, T0 + 6_000);
    assert_eq!(
        out.commands.iter().map(|command| command.id).collect::<Vec<_>>(),
        [id],
        "owed, elsewhere"
    );
}
