//! Readings ↔ one row of table `log`: small, and quick to write and to read.
//!
//! Layout: version, then one record after another until the end. Integers are LEB128 varints,
//! signed ones zigzag; times are differences: `arrived` from the record before, `ts` from
//! `arrived`, `series_ts` from `ts`. Flags say which values follow.

use standpipe_rules::changes::Logged;
use standpipe_rules::registry::DeviceIx;
use standpipe_shared::{
    Celsius, DecibelsPerMetre, Degrees, Kilopascals, Measurements, Milliamps, Percent,
};

/// The layout of 0.1.0, written wherever it can say all.
const VERSION: u8 = 1;
/// The same, and what clocks said that are behind. An older version says that it can't read it.
const WITH_CLAIMS: u8 = 2;

/// A block that this version cannot read, or that was damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBlock {
    /// It starts with the number of another version.
    #[error(
        "log block of layout {0}, layout {WITH_CLAIMS} is the newest read here: use the newer standpipe"
    )]
    Version(u8),
    /// It ends in the middle of a reading, or says what cannot be.
    #[error("log block is damaged at byte {0}: check the disk, and restore the store's backup")]
    Damaged(usize),
}

const BOOT: u32 = 1 << 12;
const SEQ: u32 = 1 << 13;
const CLOCK_BAD: u32 = 1 << 14;
const FLOWING_SET: u32 = 1 << 15;
const CAP_SET: u32 = 1 << 16;
/// Older versions wrote 0, as if the clock had been right, and overlook it.
const NO_CLOCK: u32 = 1 << 17;
/// Only in a block with claims: what the clock said follows, as a difference from `arrived`.
const CLAIMED: u32 = 1 << 18;

/// Appends the block of these readings to `out`.
pub fn encode(readings: &[Logged], out: &mut Vec<u8>) {
    let claims = readings.iter().any(|reading| reading.claimed.is_some());
    out.push(if claims { WITH_CLAIMS } else { VERSION });
    let mut before = 0;
    for reading in readings {
        record(reading, before, out);
        before = reading.arrived;
    }
}

fn record(reading: &Logged, before: i64, out: &mut Vec<u8>) {
    let values = &reading.values;
    let flags = flags(reading);
    unsigned(u64::from(reading.device.0), out);
    signed(reading.arrived.wrapping_sub(before), out);
    signed(reading.arrived.wrapping_sub(reading.ts), out);
    signed(reading.series_ts.wrapping_sub(reading.ts), out);
    unsigned(u64::from(flags), out);
    if let Some(claimed) = reading.claimed {
        signed(reading.arrived.wrapping_sub(claimed), out);
    }
    for number in [reading.boot, reading.seq].into_iter().flatten() {
        unsigned(u64::from(number), out);
    }
    out.extend_from_slice(&reading.print.to_le_bytes());
    for number in [
        values.pressure_kpa.map(Kilopascals::get),
        values.pressure_min_kpa.map(Kilopascals::get),
        values.pressure_max_kpa.map(Kilopascals::get),
        values.loop_ma.map(Milliamps::get),
        values.tilt_deg.map(Degrees::get),
        values.smoke_db_m.map(DecibelsPerMetre::get),
        values.dirt_pct.map(Percent::get),
        values.temp_c.map(Celsius::get),
    ]
    .into_iter()
    .flatten()
    {
        out.extend_from_slice(&number.to_le_bytes());
    }
    for number in [values.battery_mv, values.rssi_dbm].into_iter().flatten() {
        signed(i64::from(number), out);
    }
}

fn flags(reading: &Logged) -> u32 {
    let values = &reading.values;
    [
        values.pressure_kpa.is_some(),
        values.pressure_min_kpa.is_some(),
        values.pressure_max_kpa.is_some(),
        values.loop_ma.is_some(),
        values.tilt_deg.is_some(),
        values.smoke_db_m.is_some(),
        values.dirt_pct.is_some(),
        values.temp_c.is_some(),
        values.battery_mv.is_some(),
        values.rssi_dbm.is_some(),
        values.flowing.is_some(),
        values.cap_open.is_some(),
        reading.boot.is_some(),
        reading.seq.is_some(),
        reading.clock_bad == Some(true),
        values.flowing == Some(true),
        values.cap_open == Some(true),
        reading.clock_bad.is_none(),
        reading.claimed.is_some(),
    ]
    .into_iter()
    .enumerate()
    .fold(0, |flags, (bit, set)| flags | (u32::from(set) << bit))
}

fn unsigned(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

#[expect(clippy::cast_sign_loss, reason = "zigzag")]
fn signed(value: i64, out: &mut Vec<u8>) {
    unsigned(((value << 1) ^ (value >> 63)) as u64, out);
}

/// Reads a block, in the order it was written.
///
/// # Errors
/// [`BadBlock`]: it was written by a newer version, or the file was damaged.
pub fn decode(body: &[u8]) -> Result<Vec<Logged>, BadBlock> {
    let mut from = Cursor { body, at: 0 };
    match from.byte()? {
        VERSION | WITH_CLAIMS => {}
        other => return Err(BadBlock::Version(other)),
    }
    let mut readings = Vec::new();
    let mut before = 0;
    while from.at < body.len() {
        let logged = from.record(before)?;
        before = logged.arrived;
        readings.push(logged);
    }
    Ok(readings)
}

struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn damaged(&self) -> BadBlock {
        BadBlock::Damaged(self.at)
    }

    fn byte(&mut self) -> Result<u8, BadBlock> {
        let byte = *self.body.get(self.at).ok_or_else(|| self.damaged())?;
        self.at += 1;
        Ok(byte)
    }

    fn four(&mut self) -> Result<[u8; 4], BadBlock> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let four = rest.first_chunk::<4>().ok_or_else(|| self.damaged())?;
        self.at += 4;
        Ok(*four)
    }

    fn unsigned(&mut self) -> Result<u64, BadBlock> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.damaged())
    }

    #[expect(clippy::cast_possible_wrap, reason = "zigzag")]
    fn signed(&mut self) -> Result<i64, BadBlock> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Result<T, BadBlock> {
        T::try_from(self.unsigned()?).map_err(|_| self.damaged())
    }

    fn number<T: TryFrom<f32>>(&mut self, there: bool) -> Result<Option<T>, BadBlock> {
        if !there {
            return Ok(None);
        }
        let value = f32::from_le_bytes(self.four()?);
        T::try_from(value).map(Some).map_err(|_| self.damaged())
    }

    fn whole(&mut self, there: bool) -> Result<Option<i32>, BadBlock> {
        if !there {
            return Ok(None);
        }
        i32::try_from(self.signed()?).map(Some).map_err(|_| self.damaged())
    }

    fn record(&mut self, before: i64) -> Result<Logged, BadBlock> {
        let device = DeviceIx(self.small()?);
        let arrived = before.wrapping_add(self.signed()?);
        let ts = arrived.wrapping_sub(self.signed()?);
        let series_ts = ts.wrapping_add(self.signed()?);
        let flags: u32 = self.small()?;
        let has = |bit: u32| flags & bit != 0;
        let claimed = if has(CLAIMED) { Some(arrived.wrapping_sub(self.signed()?)) } else { None };
        let boot = if has(BOOT) { Some(self.small()?) } else { None };
        let seq = if has(SEQ) { Some(self.small()?) } else { None };
        let print = u32::from_le_bytes(self.four()?);
        let values = Measurements {
            pressure_kpa: self.number(has(1))?,
            pressure_min_kpa: self.number(has(1 << 1))?,
            pressure_max_kpa: self.number(has(1 << 2))?,
            loop_ma: self.number(has(1 << 3))?,
            tilt_deg: self.number(has(1 << 4))?,
            smoke_db_m: self.number(has(1 << 5))?,
            dirt_pct: self.number(has(1 << 6))?,
            temp_c: self.number(has(1 << 7))?,
            battery_mv: self.whole(has(1 << 8))?,
            rssi_dbm: self.whole(has(1 << 9))?,
            flowing: has(1 << 10).then(|| has(FLOWING_SET)),
            cap_open: has(1 << 11).then(|| has(CAP_SET)),
        };
        let clock_bad = (!has(NO_CLOCK)).then(|| has(CLOCK_BAD));
        Ok(Logged { device, arrived, ts, series_ts, boot, seq, print, clock_bad, claimed, values })
    }
}

#[cfg(test)]
mod tests {
    use super::{BadBlock, decode, encode};
    use proptest::prelude::*;
    use standpipe_rules::changes::Logged;
    use standpipe_rules::registry::DeviceIx;
    use standpipe_shared::{Field, Measurements};

    fn any_logged() -> impl Strategy<Value = Logged> {
        let number = prop_oneof![
            Just(0.0f32),
            Just(-0.0),
            Just(f32::MAX),
            -3.0e3f32..3.0e3,
            any::<i16>().prop_map(f32::from)
        ];
        let values = prop::array::uniform12(prop::option::of(number)).prop_map(|numbers| {
            let mut values = Measurements::default();
            for (field, number) in Field::ALL.into_iter().zip(numbers) {
                if let Some(number) = number {
                    values.set(field, number).unwrap();
                }
            }
            values
        });
        let identity = (any::<u32>(), any::<Option<u32>>(), any::<Option<u32>>(), any::<u32>());
        let times =
            (any::<i64>(), any::<i64>(), any::<i64>(), any::<Option<bool>>(), any::<Option<i64>>());
        (identity, times, values).prop_map(|(identity, times, values)| Logged {
            device: DeviceIx(identity.0),
            arrived: times.0,
            ts: times.1,
            series_ts: times.2,
            boot: identity.1,
            seq: identity.2,
            print: identity.3,
            clock_bad: times.3,
            claimed: times.4,
            values,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(readings in prop::collection::vec(any_logged(), 0..20)) {
            let mut body = Vec::new();
            encode(&readings, &mut body);
            prop_assert_eq!(decode(&body), Ok(readings));
        }

        #[test]
        fn whatever_the_bytes_it_never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Err(BadBlock::Damaged(at)) = decode(&body) {
                prop_assert!(at <= body.len());
            }
        }

        #[test]
        fn a_block_cut_short_is_not_taken_for_whole(reading in any_logged(), cut in 1usize..400) {
            let mut body = Vec::new();
            encode(&[reading], &mut body);
            let cut = 1 + cut % (body.len() - 1);
            if cut > 1 {
                prop_assert!(decode(&body[..cut]).is_err());
            }
        }
    }

    #[test]
    fn a_reading_of_before_is_read_as_it_was() {
        let body = [1, 7, 20, 4, 0, 0x80, 0x80, 1, 9, 0, 0, 0];
        let reading = decode(&body).unwrap().remove(0);
        assert_eq!((reading.device, reading.arrived, reading.ts), (DeviceIx(7), 10, 8));
        assert_eq!((reading.clock_bad, reading.print), (Some(true), 9));
        let mut again = Vec::new();
        encode(&[reading], &mut again);
        assert_eq!(again, body, "and is written so by this version");
    }

    #[test]
    fn another_layout_is_named() {
        assert_eq!(decode(&[9, 1, 2]), Err(BadBlock::Version(9)));
        assert_eq!(decode(&[]), Err(BadBlock::Damaged(0)));
        assert_eq!(decode(&[1]), Ok(vec![]));
    }
}
