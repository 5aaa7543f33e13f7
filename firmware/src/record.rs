//! One unsent message: a reading or an alarm, from the moment it is made until the broker has it.
//!
//! Compact (at most [`Record::MAX`] bytes) where it waits; JSON of the contract only at the
//! moment of sending, by the types that the gateway reads it with. Numbers are rounded when a
//! record is made, so that what is sent twice is the same twice, whether it waited or not.
//!
//! Where it waits is in `outbox`; what its time is, when it was made before the clock was known,
//! is in [`crate::clock`].

use standpipe_shared::{Alarm, Condition, Field, Measurements, Reading};

use crate::Uptime;

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
    /// Whether it is true.
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

/// The buffer is shorter than [`Record::MAX`] or [`Record::JSON_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall;

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
        (boot, seq): (u32, u32),
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
        let mut to = Writer { into, at: 0 };
        let (unix, ms) = match self.moment {
            Moment::Unix(ms) => (IS_UNIX, ms.max(0).cast_unsigned()),
            Moment::Uptime(up) => (0, up.0),
        };
        let shout = self.shout.map_or(0, |it| {
            IS_ALARM | if it.active { IS_ACTIVE } else { 0 } | if it.test { IS_TEST } else { 0 }
        });
        to.put(&[FORMAT | shout | unix])?;
        to.put(&self.boot.to_le_bytes())?;
        to.put(&self.seq.to_le_bytes())?;
        let ms = ms.min((1 << (8 * MOMENT)) - 1).to_le_bytes();
        to.put(ms.first_chunk::<MOMENT>().ok_or(TooSmall)?)?;
        if let Some(it) = self.shout {
            to.put(&[it.condition as u8])?;
        }
        to.put(&self.mask().to_le_bytes())?;
        for (_, field) in numbers() {
            if let Some(steps) = steps_of(&self.values, field) {
                to.put(&steps.to_le_bytes())?;
            }
        }
        Ok(to.at)
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
        let (boot, seq) = (Some(self.boot), Some(self.seq));
        let reading = Reading { boot, seq, ts, values: self.values, unknown: 0 };
        let written = match self.shout {
            None => serde_json_core::to_slice(&reading, into),
            Some(Shout { condition, active, test }) => {
                serde_json_core::to_slice(&Alarm { reading, condition, active, test }, into)
            }
        };
        written.map_err(|_| TooSmall)
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
    Field::ALL.into_iter().filter(move |it| !flags.contains(it)).map(|it| (bit_of(it), it))
}

/// How many steps one unit has in a record.
const fn steps_per_unit(field: Field) -> f32 {
    match field {
        Field::SmokeDbM => 1_000.0,
        Field::LoopMa => 100.0,
        Field::PressureKpa
        | Field::PressureMinKpa
        | Field::PressureMaxKpa
        | Field::TiltDeg
        | Field::DirtPct
        | Field::TempC => 10.0,
        Field::Flowing | Field::CapOpen | Field::BatteryMv | Field::RssiDbm => 1.0,
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

struct Writer<'a> {
    into: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), TooSmall> {
        let end = self.at + bytes.len();
        self.into.get_mut(self.at..end).ok_or(TooSmall)?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }
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
mod tests {
    extern crate std;
    use super::{Class, Corrupt, Moment, Record, Shout, TooSmall};
    use crate::Uptime;
    use proptest::prelude::{Strategy, any, proptest};
    use standpipe_shared::{Alarm, Condition, Field, Measurements, Reading};

    fn text(record: &Record, ts: Option<i64>) -> std::string::String {
        let mut buffer = [0; Record::JSON_MAX];
        let len = record.json(ts, &mut buffer).unwrap_or(0);
        std::str::from_utf8(&buffer[..len]).unwrap_or("").into()
    }

    fn measured(fields: &[(Field, f32)]) -> Measurements {
        let mut values = Measurements::default();
        for (field, value) in fields {
            assert!(values.set(*field, *value).is_ok());
        }
        values
    }

    #[test]
    fn the_wire_has_the_names_of_the_contract_and_rounded_numbers() {
        let values = measured(&[
            (Field::PressureKpa, 312.449),
            (Field::TempC, -14.25),
            (Field::SmokeDbM, 0.0314),
            (Field::CapOpen, 1.0),
            (Field::BatteryMv, 3_580.0),
        ]);
        let reading = Record::new((3, 17), Moment::Unix(1), &values, None);
        assert_eq!(reading.class(), Class::Reading);
        assert_eq!(
            text(&reading, Some(1_764_000_000_000)),
            r#"{"boot":3,"seq":17,"ts":1764000000000,"pressure_kpa":312.4,"cap_open":true,"smoke_db_m":0.031,"temp_c":-14.3,"battery_mv":3580}"#
        );
        let shout = Shout { condition: Condition::NoWater, active: true, test: false };
        let alarm = Record::new((3, 18), Moment::Unix(1), &Measurements::default(), Some(shout));
        assert_eq!(alarm.class(), Class::Alarm);
        assert_eq!(
            text(&alarm, None),
            r#"{"boot":3,"seq":18,"condition":"no_water","active":true,"test":false}"#
        );
    }

    #[test]
    fn the_longest_record_fits_and_a_short_buffer_is_an_error() {
        let mut values = Measurements::default();
        for field in Field::ALL {
            assert!(values.set(field, -32_768.0).is_ok());
        }
        let shout = Shout { condition: Condition::ZoneLowPressure, active: false, test: true };
        let moment = Moment::Uptime(Uptime(u64::MAX));
        let record = Record::new((u32::MAX, u32::MAX), moment, &values, Some(shout));
        let mut buffer = [0; Record::MAX];
        assert_eq!(record.encode(&mut buffer), Ok(Record::MAX));
        for short in 0..Record::MAX {
            assert_eq!(record.encode(&mut buffer[..short]), Err(TooSmall));
        }
        let json = text(&record, Some(i64::MIN));
        assert!((300..=Record::JSON_MAX).contains(&json.len()), "{}", json.len());
        assert_eq!(record.json(None, &mut [0; 100]), Err(TooSmall));
    }

    #[test]
    fn bytes_that_are_no_record_are_refused() {
        let shout = Shout { condition: Condition::Smoke, active: true, test: false };
        let values = measured(&[(Field::SmokeDbM, 0.2)]);
        let record = Record::new((1, 2), Moment::Unix(5), &values, Some(shout));
        let mut buffer = [0; Record::MAX + 1];
        let len = record.encode(&mut buffer).unwrap_or(0);
        assert_eq!(Record::decode(&buffer[..len]), Ok(record));
        for cut in 0..len {
            assert_eq!(Record::decode(&buffer[..cut]), Err(Corrupt), "{cut}");
        }
        assert_eq!(Record::decode(&buffer[..=len]), Err(Corrupt), "one byte more");
        buffer[0] ^= 0x30;
        assert_eq!(Record::decode(&buffer[..len]), Err(Corrupt), "another format");
        buffer[0] ^= 0x30;
        buffer[15] = 17;
        assert_eq!(Record::decode(&buffer[..len]), Err(Corrupt), "no such condition");
    }

    fn record() -> impl Strategy<Value = Record> {
        let moment = (any::<bool>(), 0..1_u64 << 48).prop_map(|(unix, ms)| {
            if unix { Moment::Unix(ms.cast_signed()) } else { Moment::Uptime(Uptime(ms)) }
        });
        let shout = (0..17_usize, any::<bool>(), any::<bool>())
            .prop_map(|(at, active, test)| Shout { condition: Condition::ALL[at], active, test });
        let values = proptest::collection::vec((0..12_usize, -40_000.0..40_000_f32), 0..20);
        let numbers = (any::<u32>(), any::<u32>());
        (numbers, moment, values, proptest::option::of(shout)).prop_map(
            |(numbers, moment, fields, shout)| {
                let fields: std::vec::Vec<_> =
                    fields.into_iter().map(|(at, value)| (Field::ALL[at], value)).collect();
                Record::new(numbers, moment, &measured(&fields), shout)
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_comes_back_and_what_the_gateway_reads(it in record()) {
            let mut buffer = [0; Record::MAX];
            let len = it.encode(&mut buffer).unwrap_or(0);
            assert_eq!(Record::decode(&buffer[..len]), Ok(it));
            let json = text(&it, Some(77));
            let read = if it.shout().is_some() {
                let alarm: Alarm = serde_json::from_str(&json).unwrap_or_else(|bad| panic!("{bad}"));
                let Alarm { reading, condition, active, test } = alarm;
                assert_eq!(Some(Shout { condition, active, test }), it.shout());
                reading
            } else {
                serde_json::from_str(&json).unwrap_or_else(|bad| panic!("{bad}"))
            };
            let (boot, seq) = (Some(it.boot()), Some(it.seq()));
            assert_eq!(read, Reading { boot, seq, ts: Some(77), values: *it.values(), unknown: 0 });
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(record) = Record::decode(&bytes) {
                let mut buffer = [0; Record::MAX];
                let len = record.encode(&mut buffer).unwrap_or(0);
                assert_eq!(Record::decode(&buffer[..len]), Ok(record));
            }
        }
    }
}
