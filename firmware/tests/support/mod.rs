//! What several tests of the firmware need: a chip that can lose its power at any byte.
#![allow(dead_code, reason = "every test uses another part")]

pub mod broker;
pub mod chip;
pub mod device;

use standpipe_firmware::{Moment, Record, RecordId, Shout, Uptime};
use standpipe_shared::{Condition, Field, Measurements};

/// Runs a future that never really waits.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    embassy_futures::block_on(future)
}

/// A reading as a hydrant makes it: everything that it measures.
pub fn reading(boot: u32, seq: u32) -> Record {
    let mut values = Measurements::default();
    for (field, value) in [
        (Field::PressureKpa, 312.4),
        (Field::PressureMinKpa, 298.1),
        (Field::PressureMaxKpa, 330.0),
        (Field::Flowing, 0.0),
        (Field::CapOpen, 0.0),
        (Field::TiltDeg, 1.5),
        (Field::TempC, 14.2),
        (Field::BatteryMv, 3_580.0),
        (Field::RssiDbm, -97.0),
    ] {
        values.set(field, value).expect("a finite number");
    }
    Record::new(
        RecordId { boot, seq },
        Moment::Unix(1_764_000_000_000 + i64::from(seq)),
        &values,
        None,
    )
}

/// `no_water` of a device that does not know the hour: raised by even numbers, ended by odd ones.
pub fn alarm(boot: u32, seq: u32) -> Record {
    let shout = Shout { condition: Condition::NoWater, active: seq.is_multiple_of(2), test: false };
    let mut values = Measurements::default();
    values.set(Field::PressureKpa, 3.0).expect("a finite number");
    let moment = Moment::Uptime(Uptime(u64::from(seq) * 1_000));
    Record::new(RecordId { boot, seq }, moment, &values, Some(shout))
}
