//! What must hold whatever devices send.

use proptest::prelude::*;
use standpipe_shared::{Kind, Measurements};

use super::{Drill, device};
use crate::detect::Memory;

/// Milliseconds since the last message, lateness, boot, number, values.
fn message() -> impl Strategy<Value = (i64, i64, u32, u32, Measurements)> {
    let values = (
        prop_oneof![0f32..60.0, 120f32..170.0, 200f32..300.0, Just(3_000f32)],
        proptest::option::of(0f32..0.3),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(|(kpa, smoke, flowing)| {
            let mut it = Measurements::default();
            it.set(standpipe_shared::Field::PressureKpa, kpa).unwrap();
            if let Some(smoke) = smoke {
                it.set(standpipe_shared::Field::SmokeDbM, smoke).unwrap();
            }
            it.flowing = flowing;
            it
        });
    (0i64..90_000, prop_oneof![Just(0), 0i64..400_000], 1u32..3, 1u32..40, values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every raise ends before the next one of the same condition, every end has its raise; the
    /// memory's stored form is the memory; replaying what was logged gives the same memory.
    #[test]
    fn facts_alternate_and_memory_survives(messages in prop::collection::vec(message(), 1..120)) {
        let mut live = Drill::new([device("D", Kind::Hydrant, "municipal", 60)]);
        let mut again = Drill::new([device("D", Kind::Hydrant, "municipal", 60)]);
        let ix = live.watch.registry.find("D").unwrap();
        let mut open = std::collections::HashSet::new();
        let mut now = super::T0;
        for (wait, late, boot, seq, values) in messages {
            now += wait;
            let reading = standpipe_shared::Reading {
                boot: Some(boot), seq: Some(seq), ts: Some(now - late), values, ..Default::default()
            };
            let first = live.out.readings.len();
            live.watch.tick(now, &mut live.out);
            live.watch.reading(("town", "D"), &reading, now, &mut live.out);
            live.watch.tick(now, &mut live.out);
            again.watch.tick(now, &mut again.out);
            for logged in &live.out.readings[first..] {
                again.watch.replay(logged, &mut again.out);
            }
            again.watch.tick(now, &mut again.out);
            for fact in live.watch.facts() {
                match fact {
                    crate::Fact::Raised(it) => prop_assert!(open.insert(it.condition), "{it:?}"),
                    crate::Fact::Cleared { condition, .. } => prop_assert!(open.remove(&condition)),
                    crate::Fact::Passed { .. }
                    | crate::Fact::TestBecameReal { .. }
                    | crate::Fact::Verified { .. }
                    | crate::Fact::Unverified { .. }
                    | crate::Fact::Hydrant { .. } => {}
                }
            }
            let memory = live.watch.memory(ix).unwrap();
            prop_assert_eq!(&Memory::from_body(&memory.body()).unwrap(), memory);
            prop_assert!(memory.body().len() < 1_000);
        }
        let (mut one, mut two) = (live.watch.memory(ix).unwrap().clone(), again.watch.memory(ix).unwrap().clone());
        // Duplicates are not in the log: they are heard and counted, and move nothing else.
        one.door.close(ix, &mut Vec::new());
        two.door.close(ix, &mut Vec::new());
        two.heard_at = one.heard_at;
        prop_assert_eq!(one, two);
    }
}

#[test]
fn a_damaged_memory_is_refused() {
    let body = Memory::default().body();
    assert!(Memory::from_body(&[]).is_err());
    assert!(Memory::from_body(&body[..10]).is_err());
    let mut other = body.clone();
    other[0] = 9;
    let why = Memory::from_body(&other).map_err(|bad| bad.to_string());
    assert!(why.is_err_and(|why| why.contains("format 9, this version reads 1")));
}

#[test]
fn a_device_is_small() {
    assert!(size_of::<Memory>() <= 512, "{} bytes", size_of::<Memory>());
}
