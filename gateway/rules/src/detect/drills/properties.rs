//! What must hold whatever devices send.

use proptest::prelude::*;
use standpipe_shared::{Kind, Measurements};

use super::{Drill, device, in_town};
use crate::detect::Memory;

/// What a device says.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// Milliseconds since the last message.
    wait: i64,
    /// How old it claims to be; `None`: it says no time.
    late: Option<i64>,
    number: Option<(u32, u32)>,
    values: Measurements,
}

fn message() -> impl Strategy<Value = Said> {
    let values = (
        prop_oneof![0f32..60.0, 120f32..170.0, 200f32..300.0, Just(3_000f32)],
        proptest::option::of(0f32..0.3),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(|(kpa, smoke, flowing)| {
            let mut values = Measurements::default();
            values.set(standpipe_shared::Field::PressureKpa, kpa).unwrap();
            if let Some(smoke) = smoke {
                values.set(standpipe_shared::Field::SmokeDbM, smoke).unwrap();
            }
            values.flowing = flowing;
            values
        });
    // Some deadlines are due at the very moment of a message.
    let round = prop_oneof![Just(60_000i64), Just(120_000), Just(300_000)];
    let wait = prop_oneof![6 => 0i64..90_000, 1 => 0i64..900_000, 1 => round];
    let late = prop_oneof![
        1 => Just(None),
        6 => Just(Some(0)),
        6 => (0i64..400_000).prop_map(Some),
        3 => Just(Some(28_800_000)),
        1 => (0i64..90_000_000).prop_map(Some),
    ];
    let number = proptest::option::weighted(0.7, (1u32..3, 1u32..40));
    (wait, late, number, values).prop_map(|(wait, late, number, values)| Said {
        wait,
        late,
        number,
        values,
    })
}

proptest! {
    #![proptest_config(super::cases(1_000))]

    /// Every raise ends before the next one of the same condition, every end has its raise; the
    /// memory's stored form is the memory; replaying what was logged gives the same memory, and so
    /// does a gateway whose clock has no turn between two messages.
    #[test]
    fn facts_alternate_and_memory_survives(messages in prop::collection::vec(message(), 1..120)) {
        let [mut live, mut again, mut lazy] =
            [(); 3].map(|()| Drill::new([device("D", Kind::Hydrant, "municipal", 60)]));
        let ix = live.watch.registry.find("D").unwrap();
        let mut open = std::collections::HashSet::new();
        let mut now = super::T0;
        for Said { wait, late, number, values } in messages {
            now += wait;
            live.wait(now - 1); // of one moment, a message comes before a deadline
            let (boot, seq) = number.unzip();
            let ts = late.map(|late| now - late);
            let reading = standpipe_shared::Reading { boot, seq, ts, values, ..Default::default() };
            let first = live.out.readings.len();
            live.watch.reading(in_town("D"), &reading, now, &mut live.out);
            live.watch.tick(now, &mut live.out);
            lazy.watch.reading(in_town("D"), &reading, now, &mut lazy.out);
            again.watch.tick(now - 1, &mut again.out);
            if live.out.readings.len() == first {
                again.watch.heard("D", now, &mut again.out); // a duplicate, which is not logged
            }
            for logged in &live.out.readings[first..] {
                again.watch.replay(logged, &mut again.out);
            }
            again.watch.tick(now, &mut again.out);
            for fact in live.waited.drain(..).chain(live.watch.facts()) {
                match fact {
                    crate::Fact::Raised(raised) => prop_assert!(open.insert(raised.condition), "{raised:?}"),
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
        lazy.watch.tick(now, &mut lazy.out);
        let [mut one, mut two, three] =
            [&live, &again, &lazy].map(|drill| drill.watch.memory(ix).unwrap().clone());
        prop_assert_eq!(&one, &three, "looked at all the time, and at the end");
        // Duplicates are not in the log: they are counted, and move nothing.
        one.door.close(ix, &mut Vec::new());
        two.door.close(ix, &mut Vec::new());
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
    assert!(why.is_err_and(|why| why.contains("format 9, this version reads 2")));
}

#[test]
fn a_device_is_small() {
    assert!(size_of::<Memory>() <= 544, "{} bytes", size_of::<Memory>());
}
