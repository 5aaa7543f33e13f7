//! A million steps of nonsense: whatever is seen, in whatever order, some things always hold.
//! Seeded: a failure names its seed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod rig;

use rig::nonsense::{Chance, seen};
use standpipe_firmware::outbox::VALUE_MAX;
use standpipe_firmware::{Actions, Class, Memory, Moment, Node, Record, Start, Uptime};
use standpipe_shared::{Condition, Kind, SplitMix64};

const STEPS: u32 = 1_000_000;

/// What the gateway believes of a device, from its alarms alone.
#[derive(Default)]
struct BelievingGateway {
    raised: u32,
    last: Option<(u32, u32)>,
}

impl BelievingGateway {
    fn take(&mut self, record: &Record, boot: u32, seed: u64) {
        let (was_boot, was_seq) = self.last.unwrap_or((boot, 0));
        assert_eq!(record.boot(), boot, "seed {seed}");
        let next = if was_boot == boot { was_seq + 1 } else { 1 };
        assert_eq!(record.seq(), next, "seed {seed}: seq repeats or has a gap");
        self.last = Some((boot, record.seq()));
        let mut bytes = [0; Record::MAX];
        let len = record.encode(&mut bytes).unwrap();
        assert_eq!(Record::decode(&bytes[..len]), Ok(*record), "seed {seed}");
        assert!(record.json(Some(i64::MAX), &mut [0; Record::JSON_MAX]).is_ok(), "seed {seed}");
        if let Some(shout) = record.shout().filter(|shout| !shout.test) {
            assert_eq!(record.class(), Class::Alarm);
            let bit = shout.condition.bit();
            assert_eq!(self.raised & bit == 0, shout.active, "seed {seed}: {shout:?} said twice");
            self.raised ^= bit;
        }
    }
}

fn live(kind: Kind, seed: u64) {
    let mut chance = Chance(SplitMix64(seed));
    let start = |boot| Start { boot, ..Start::default() };
    let mut node = Node::start(kind, None, start(1));
    let (mut gateway, mut now, mut mood) = (BelievingGateway::default(), Uptime(0), 300.0);
    let (mut boots, mut kept) = (1, node.memory().to_bytes().to_vec());
    for _ in 0..STEPS / 2 {
        let seen = seen(&mut chance, mood);
        let out = node.step(&seen, now);
        let boot = node.status().boot.unwrap();
        out.records.iter().for_each(|record| gateway.take(record, boot, seed));
        let shouted = Condition::ALL.iter().filter(|condition| node.shouts(**condition));
        let shouted = shouted.fold(0, |bits, condition| bits | condition.bit());
        assert_eq!(shouted, gateway.raised, "seed {seed}: what is true and not said");
        assert!(out.wake_at >= now && out.wake_at.since_ms(now) <= 600_000, "seed {seed}");
        assert_eq!(node.settings().faults().count(), 0, "seed {seed}");
        if out.persist {
            kept = node.memory().to_bytes().to_vec();
        }
        assert_eq!(Memory::from_bytes(&kept), Some(node.memory()), "seed {seed}: not kept");
        if let Moment::Unix(ms) = node.clock().clone().moment(now) {
            assert!((1_735_000_000_000..=4_200_000_000_000).contains(&ms), "seed {seed}: {ms}");
        }
        if out.restart || chance.one_in(5_000) {
            boots += 1;
            node = Node::start(kind, Memory::from_bytes(&kept), start(boots));
            assert_eq!(node.status().boot, Some(boots), "seed {seed}");
            now = Uptime(0);
        } else {
            let early = chance.below(out.wake_at.since_ms(now) + 2);
            now = if chance.one_in(3) { now.after_ms(early) } else { out.wake_at };
        }
        if chance.one_in(200) {
            mood = [300.0, 150.0, 60.0, 0.0][chance.below(4) as usize];
        }
    }
    assert!(boots > 50, "seed {seed}: it restarted {boots} times");
}

#[test]
fn half_a_million_steps_of_a_hydrant() {
    live(Kind::Hydrant, 1);
}

#[test]
fn half_a_million_steps_of_a_detector() {
    live(Kind::Smoke, 2);
}

/// A hundred thousand of them live in one process, and one beside its session in 24 KiB.
#[test]
fn a_node_is_small() {
    assert!(size_of::<Node>() <= 1_024, "{}", size_of::<Node>());
    assert!(size_of::<Actions>() <= 1_536, "{}", size_of::<Actions>());
    const { assert!(Memory::MAX <= VALUE_MAX) };
}
