//! A power cut between what a step says and what the node remembers of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod rig;
mod support;

use rig::{World, ask};
use standpipe_firmware::life::store;
use standpipe_firmware::outbox::{KeptKey, Layout, Outbox};
use standpipe_firmware::{Actions, Class, Memory, Node, Start, Uptime, Wanted};
use standpipe_shared::{Condition, Kind};
use support::chip::{Chip, Cut};
use support::now;

fn open(chip: &Chip) -> Outbox<Chip> {
    now(Outbox::open(chip.clone(), Layout::KIB_32, 77)).0
}

/// A node on an empty pipe, and the step in which it shouts that.
fn shouting() -> (Node, Actions) {
    let mut node = Node::start(Kind::Hydrant, None, Start::default());
    let (mut at, mut wanted) = (Uptime(0), Wanted::default());
    loop {
        let actions = node.step(&ask(wanted, &World::kpa(5.0)), at);
        if actions.records.iter().any(|record| record.shout().is_some()) {
            assert!(actions.persist, "the memory says so too");
            return (node, actions);
        }
        (at, wanted) = (actions.wake_at, actions.wanted);
    }
}

#[test]
fn a_cut_at_any_byte_of_a_step_swallows_no_alarm() {
    let (node, actions) = shouting();
    let seed = Chip::new();
    drop(open(&seed));
    let whole = {
        let chip = seed.copied();
        let mut outbox = open(&chip);
        let before = chip.written();
        now(store(&mut outbox, &node, &actions));
        chip.written() - before
    };
    let mut seen = [0; 3];
    for cut in [Cut::Clean, Cut::Garbled] {
        for left in 0..=whole {
            let chip = seed.copied();
            let mut outbox = open(&chip);
            chip.dies_after(left, cut);
            now(store(&mut outbox, &node, &actions));

            // Power again.
            let mut outbox = open(&chip.copied());
            let mut kept = [0; Memory::MAX];
            let length = now(outbox.kept(KeptKey::Node, &mut kept)).unwrap_or(0);
            let told = Memory::from_bytes(&kept[..length])
                .is_some_and(|memory| memory.active & Condition::NoWater.bit() != 0);
            let mut waits = false;
            now(outbox.first(Class::Alarm, |record| {
                waits |= record.shout().is_some_and(|shout| shout.condition == Condition::NoWater);
                true
            }));
            assert!(waits || !told, "{cut:?} after {left} of {whole} B: it will never be said");
            seen[usize::from(waits) + usize::from(told)] += 1;
        }
    }
    assert!(
        seen.iter().all(|count| *count > 0),
        "neither, said, and said and remembered: {seen:?}"
    );
}
