//! More is owed than is read at one time, the broker refuses, a device does not answer: over a
//! real store.

use std::collections::BTreeSet;

use standpipe_engine::{Inbox, Input};
use standpipe_rules::incidents::{IdSecret, Plan};
use standpipe_rules::orders::{CommandRequest, CommandState, Of, Order, Wish};
use standpipe_rules::registry::{Device, Profile};
use standpipe_rules::wire::parse;
use standpipe_rules::{Changes, Ms, World};
use standpipe_shared::{Kind, Verb};
use standpipe_store::{Extras, Store};
use standpipe_transport::mqtt::PubAckReason;
use standpipe_transport::mqtt::PublishReceipt;

use super::{AT_ONCE, DeviceMail, Owed};
use crate::flight::LEAVE_ALONE;
use crate::session::Shelf;

const NOW: Ms = 1_764_000_000_000;

/// A store in which every one of so many devices is owed `order`, and the sender over it.
fn owed(devices: usize, order: impl Fn(&str) -> Order) -> (tempfile::TempDir, Store, DeviceMail) {
    let (folder, store, _, mail) = owed_by_a_world(devices, order);
    (folder, store, mail)
}

/// The same, with the world that owes it.
fn owed_by_a_world(
    devices: usize,
    order: impl Fn(&str) -> Order,
) -> (tempfile::TempDir, Store, World, DeviceMail) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("standpipe.db");
    let mut store = Store::open(&path).unwrap();
    let all: Vec<Device> = (0..devices)
        .map(|n| Device::unclaimed(&format!("H-{n:04}"), "north", Kind::Hydrant))
        .collect();
    store.import(&[], &all).unwrap();
    let mut loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
    let mut changes = Changes::default();
    for device in &all {
        loaded.world.order(order(&device.id), NOW, &mut changes).unwrap();
    }
    store.commit(NOW, &loaded.world, &changes, &Extras::default()).unwrap();
    let mut mail = DeviceMail::new("r", Shelf::new("orders", path));
    mail.read(NOW.into());
    (folder, store, loaded.world, mail)
}

fn settings(device: &str) -> Order {
    let wish = Wish::new(Wish::from_profile(Profile::default_of(Kind::Hydrant))).unwrap();
    Order::Settings { of: Of::Device(device.into()), wish: Some(wish), by: "Li".into() }
}

fn command(device: &str) -> Order {
    let asked = CommandRequest::new(Verb::ReportNow, None, Some(60), "Li").unwrap();
    Order::Command { device: device.into(), asked }
}

/// Sends all there is, 64 at a time, as `broker` answers; the topics, and what was reported.
fn sent(
    mail: &mut DeviceMail,
    now: Ms,
    broker: impl Fn(&str) -> PublishReceipt,
) -> (Vec<String>, usize) {
    let (mut topics, mut reports) = (Vec::new(), 0);
    loop {
        let batch: Vec<_> = std::iter::from_fn(|| mail.next(64, now.into())).collect();
        for message in &batch {
            let landed = mail.landed(message.pkid, &broker(&message.topic), now.into());
            reports += landed.reports.len();
        }
        let more = mail.wants_more();
        if more {
            mail.read(now.into());
        } else if batch.is_empty() {
            return (topics, reports);
        }
        topics.extend(batch.into_iter().map(|message| message.topic));
    }
}

#[test]
fn all_that_is_owed_is_sent_once_however_much_it_is() {
    const DEVICES: usize = 2 * AT_ONCE + 10;
    let (_folder, _store, mut mail) = owed(DEVICES, settings);
    let (topics, reports) = sent(&mut mail, NOW, |_| PublishReceipt::Taken);
    let each: BTreeSet<&String> = topics.iter().collect();
    assert_eq!((topics.len(), each.len(), reports), (DEVICES, DEVICES, DEVICES));
    assert!(
        topics.iter().all(|topic| topic.starts_with("r/north/H-") && topic.ends_with("/settings"))
    );
    mail.read((NOW + 1).into());
    assert!(mail.next(64, NOW.into()).is_none(), "the store has not heard of it yet: not again");
    mail.read((NOW + LEAVE_ALONE).into());
    assert!(mail.next(64, NOW.into()).is_some(), "it still has not: it was lost on the way");
}

#[test]
fn a_refused_topic_holds_up_no_other() {
    let (_folder, _store, mut mail) = owed(AT_ONCE + 20, settings);
    let no = |topic: &str| {
        if topic < "r/north/H-0256" {
            PublishReceipt::Refused(PubAckReason::NotAuthorized)
        } else {
            PublishReceipt::Taken
        }
    };
    let (topics, reports) = sent(&mut mail, NOW, no);
    assert_eq!((topics.len(), reports), (AT_ONCE + 20, 20));
}

/// What the engine makes of a report of the sender.
fn is_told(world: &mut World, reports: &[Inbox], changes: &mut Changes) {
    let [Inbox::Input(report)] = reports else { panic!("{reports:?}") };
    let Input::CommandSent { id, resends } = report.input else { panic!("{reports:?}") };
    world.command_sent((id, resends), NOW, changes);
}

fn keep(store: &mut Store, world: &World, changes: &mut Changes) {
    store.commit(NOW, world, changes, &Extras::default()).unwrap();
    changes.clear();
}

#[test]
fn a_command_that_is_not_answered_is_sent_again_at_once_when_it_is_owed_again() {
    let (folder, mut store, mut world, mut mail) = owed_by_a_world(1, command);
    let mut changes = Changes::default();
    let first = mail.next(64, NOW.into()).unwrap();
    assert_eq!((first.topic.as_str(), first.expiry_s), ("r/north/H-0000/command", 60));
    let landed = mail.landed(first.pkid, &PublishReceipt::Taken, NOW.into());
    is_told(&mut world, &landed.reports, &mut changes);
    keep(&mut store, &world, &mut changes);
    mail.read((NOW + 1_000).into());
    assert!(mail.next(64, (NOW + 1_000).into()).is_none(), "the broker has it");

    let heard = parse("r", b"r/north/H-0000/telemetry", br#"{"pressure_kpa":300}"#);
    world.step(&heard.message.unwrap(), NOW + 1_000, &mut changes);
    world.tick(NOW + 5_000, &mut changes);
    keep(&mut store, &world, &mut changes);
    let soon = NOW + 5_000; // far sooner than a message that arrived is looked at again
    mail.read(soon.into());
    let again = mail.next(64, soon.into()).unwrap();
    assert_eq!((&again.topic, &again.payload[..42]), (&first.topic, &first.payload[..42]));
    assert_eq!((again.expiry_s, again.retain), (55, false), "the broker forgets it in time");
    // The gateway restarts before the broker has it.
    drop(store);
    let mut store = Store::open(&folder.path().join("standpipe.db")).unwrap();
    let mut loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
    assert_eq!(restored(&loaded.world), (CommandState::Sent, 1, true));
    let landed = mail.landed(again.pkid, &PublishReceipt::Taken, soon.into());
    is_told(&mut loaded.world, &landed.reports, &mut changes);
    keep(&mut store, &loaded.world, &mut changes);
    mail.read((NOW + 40_000).into());
    assert!(mail.next(64, (NOW + 40_000).into()).is_none(), "once");
    assert_eq!(restored(&loaded.world), (CommandState::Sent, 1, false));

    mail.lost();
    mail.read((NOW + 60_000).into());
    assert!(mail.next(64, (NOW + 60_000).into()).is_none(), "it has expired");
}

/// State, how often it was sent again, whether it is owed again.
fn restored(world: &World) -> (CommandState, u32, bool) {
    let command = world.orders().commands().next().unwrap();
    (command.state, command.resends, command.resend_owed)
}
