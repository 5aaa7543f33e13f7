//! One unsent message: a reading or an alarm, from the moment it is made until the broker has it.
//!
//! Compact (at most [`Record::MAX`] bytes) where it waits; JSON of the contract only at the
//! moment of sending, which the tests read with the gateway's own types. Numbers are rounded when a
//! record is made, so that what is sent twice is the same twice, whether it waited or not.
//!
//! Where it waits is in `outbox`; what its time is, when it was made before the clock was known,
//! is in [`crate::clock`].

use standpipe_shared::{Condition, Field, Measurements};

use crate::Uptime;
use crate::buffer::Buffer;
pub use crate::buffer::TooSmall;
use crate::json::Writer;

/// What leaves first, and what makes room for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Leaves first; is given up only for nothing else than newer alarms.
    Alarm,
    /// Makes room for alarms.
    Reading,
}

/// When something was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Unix milliseconds, UTC.
    Unix(i64),
    /// So long after the start of the record's boot, whose time was not known yet.
    Uptime(Uptime),
}

/// What makes a record an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shout {
    /// What is true, or no longer true.
    pub condition: Condition,
    pub active: bool,
    /// Somebody tests the detector.
    pub test: bool,
}

/// A reading or an alarm that the broker does not have yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    boot: u32,
    seq: u32,
    moment: Moment,
    values: Measurements,
    shout: Option<Shout>,
}

/// Bytes that are no record: skip them, and say how many were skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// Tells the records of one device apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordId {
    /// Start count of the device that made the record.
    pub boot: u32,
    /// Counts readings and alarms together within a boot, from 1.
    pub seq: u32,
}

/// The lower bits of the first byte hold the flags below, the upper four this.
const FORMAT: u8 = 0x10;
const IS_ALARM: u8 = 1;
const IS_ACTIVE: u8 = 2;
const IS_TEST: u8 = 4;
const IS_UNIX: u8 = 8;
/// Bits of the mask over [`Field::ALL`]: the values of the two flags, which have no number.
const FLOWING: u16 = 1 << 14;
const CAP_OPEN: u16 = 1 << 15;
/// A moment is stored in 6 bytes: 48 bits of milliseconds last until the year 6429.
const MOMENT: usize = 6;

impl Record {
    /// No encoded record is longer, bytes: first byte, boot, seq, moment, condition, mask, and
    /// ten numbers of two bytes.
    pub const MAX: usize = 1 + 4 + 4 + MOMENT + 1 + 2 + 10 * 2;
    /// No record's JSON is longer, bytes.
    pub const JSON_MAX: usize = 448;

    /// Rounds `values` to what a record holds: 0.1 kPa, 0.01 mA, 0.1°, 0.001 dB/m, 0.1 %,
    /// 0.1 °C, 1 mV, 1 dBm. A number too wild for that becomes the nearest one that fits.
    #[must_use]
    pub fn new(
        RecordId { boot, seq }: RecordId,
        moment: Moment,
        values: &Measurements,
        shout: Option<Shout>,
    ) -> Self {
        let mut rounded = Measurements {
            flowing: values.flowing,
            cap_open: values.cap_open,
            ..Measurements::default()
        };
        for (_, field) in numbers() {
            if let Some(steps) = steps_of(values, field) {
                set_steps(&mut rounded, field, steps);
            }
        }
        Self { boot, seq, moment, values: rounded, shout }
    }

    /// What it is known by until the gateway has it.
    #[must_use]
    pub const fn id(&self) -> RecordId {
        RecordId { boot: self.boot, seq: self.seq }
    }

    /// Start count of the device that made it.
    #[must_use]
    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// Counts readings and alarms together within a boot, from 1.
    #[must_use]
    pub const fn seq(&self) -> u32 {
        self.seq
    }

    /// When it was measured.
    #[must_use]
    pub const fn moment(&self) -> Moment {
        self.moment
    }

    /// What was measured.
    #[must_use]
    pub const fn values(&self) -> &Measurements {
        &self.values
    }

    /// What is shouted, in an alarm.
    #[must_use]
    pub const fn shout(&self) -> Option<Shout> {
        self.shout
    }

    /// Whether it leaves first.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self.shout {
            Some(_) => Class::Alarm,
            None => Class::Reading,
        }
    }

    /// Writes the compact form and says how long it is: at most [`Self::MAX`] bytes.
    ///
    /// # Errors
    /// [`TooSmall`] when `into` is shorter than what is written.
    pub fn encode(&self, into: &mut [u8]) -> Result<usize, TooSmall> {
        let mut to = Buffer::new(into);
        let (unix, ms) = match self.moment {
            Moment::Unix(ms) => (IS_UNIX, ms.max(0).cast_unsigned()),
            Moment::Uptime(up) => (0, up.0),
        };
        let shout = self.shout.map_or(0, |shout| {
            IS_ALARM
                | if shout.active { IS_ACTIVE } else { 0 }
                | if shout.test { IS_TEST } else { 0 }
        });
        to.put(&[FORMAT | shout | unix])?;
        to.put(&self.boot.to_le_bytes())?;
        to.put(&self.seq.to_le_bytes())?;
        let ms = ms.min((1 << (8 * MOMENT)) - 1).to_le_bytes();
        to.put(ms.first_chunk::<MOMENT>().ok_or(TooSmall)?)?;
        if let Some(shout) = self.shout {
            to.put(&[shout.condition as u8])?;
        }
        to.put(&self.mask().to_le_bytes())?;
        for (_, field) in numbers() {
            if let Some(steps) = steps_of(&self.values, field) {
                to.put(&steps.to_le_bytes())?;
            }
        }
        Ok(to.len())
    }

    /// Reads the compact form back; nothing may follow it.
    ///
    /// # Errors
    /// [`Corrupt`] for anything that [`Self::encode`] did not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut from = Reader(bytes);
        let [first] = from.take()?;
        if first & 0xF0 != FORMAT {
            return Err(Corrupt);
        }
        let boot = u32::from_le_bytes(from.take()?);
        let seq = u32::from_le_bytes(from.take()?);
        let [a, b, c, d, e, f] = from.take::<MOMENT>()?;
        let ms = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
        let moment = if first & IS_UNIX == 0 {
            Moment::Uptime(Uptime(ms))
        } else {
            Moment::Unix(ms.cast_signed())
        };
        let shout = if first & IS_ALARM == 0 {
            None
        } else {
            let [number] = from.take()?;
            let condition = Condition::ALL.get(usize::from(number)).ok_or(Corrupt)?;
            let (active, test) = (first & IS_ACTIVE != 0, first & IS_TEST != 0);
            Some(Shout { condition: *condition, active, test })
        };
        let mask = u16::from_le_bytes(from.take()?);
        let mut values = Measurements::default();
        for (_, field) in numbers().filter(|(bit, _)| mask & bit != 0) {
            set_steps(&mut values, field, i16::from_le_bytes(from.take()?));
        }
        let flag = |field, value| (mask & bit_of(field) != 0).then_some(mask & value != 0);
        values.flowing = flag(Field::Flowing, FLOWING);
        values.cap_open = flag(Field::CapOpen, CAP_OPEN);
        if from.0.is_empty() { Ok(Self { boot, seq, moment, values, shout }) } else { Err(Corrupt) }
    }

    /// Writes what goes on the wire and says how long it is: at most [`Self::JSON_MAX`] bytes.
    /// `ts` is what [`crate::clock::Clock::stamp`] answers; `None` means the moment it arrives.
    ///
    /// # Errors
    /// [`TooSmall`] when `into` is shorter than what is written.
    pub fn json(&self, ts: Option<i64>, into: &mut [u8]) -> Result<usize, TooSmall> {
        let mut to = Writer::new(into)?;
        to.whole("boot", i64::from(self.boot))?;
        to.whole("seq", i64::from(self.seq))?;
        if let Some(ts) = ts {
            to.whole("ts", ts)?;
        }
        for field in Field::ALL {
            let flag = if field == Field::Flowing {
                self.values.flowing
            } else {
                self.values.cap_open.filter(|_| field == Field::CapOpen)
            };
            if let Some(flag) = flag {
                to.flag(field.as_str(), flag)?;
            } else if let Some(steps) = steps_of(&self.values, field) {
                to.decimal(field.as_str(), steps, decimals_of(field))?;
            }
        }
        if let Some(Shout { condition, active, test }) = self.shout {
            to.text("condition", condition.as_str())?;
            to.flag("active", active)?;
            to.flag("test", test)?;
        }
        to.end()
    }

    /// Which fields there are, and the values of the flags.
    fn mask(&self) -> u16 {
        let there = Field::ALL
            .into_iter()
            .filter(|field| self.values.get(*field).is_some())
            .fold(0, |mask, field| mask | bit_of(field));
        let flag = |value: Option<bool>, bit| if value == Some(true) { bit } else { 0 };
        there | flag(self.values.flowing, FLOWING) | flag(self.values.cap_open, CAP_OPEN)
    }
}

const fn bit_of(field: Field) -> u16 {
    1 << (field as u16)
}

/// The fields that are numbers, with their bits, in the order of the contract.
fn numbers() -> impl Iterator<Item = (u16, Field)> {
    let flags = [Field::Flowing, Field::CapOpen];
    Field::ALL
        .into_iter()
        .filter(move |field| !flags.contains(field))
        .map(|field| (bit_of(field), field))
}

/// How many decimals of a unit a record holds.
const fn decimals_of(field: Field) -> u8 {
    match field {
        Field::SmokeDbM => 3,
        Field::LoopMa => 2,
        Field::PressureKpa
        | Field::PressureMinKpa
        | Field::PressureMaxKpa
        | Field::TiltDeg
        | Field::DirtPct
        | Field::TempC => 1,
        Field::Flowing | Field::CapOpen | Field::BatteryMv | Field::RssiDbm => 0,
    }
}

/// How many steps one unit has in a record.
const fn steps_per_unit(field: Field) -> f32 {
    match decimals_of(field) {
        0 => 1.0,
        1 => 10.0,
        2 => 100.0,
        _ => 1_000.0,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is meant")]
fn steps_of(values: &Measurements, field: Field) -> Option<i16> {
    let steps = values.get(field)? * steps_per_unit(field);
    Some((steps + 0.5_f32.copysign(steps)) as i16)
}

fn set_steps(values: &mut Measurements, field: Field, steps: i16) {
    // A small whole number divided by at most a thousand is finite.
    let _ = values.set(field, f32::from(steps) / steps_per_unit(field));
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Corrupt)?;
        self.0 = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests;
