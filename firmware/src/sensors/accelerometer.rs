//! How far a hydrant leans: gravity as a LIS2DH12 feels it (ST, DS10262), against the direction
//! it had when the node was mounted.

use embedded_hal::i2c::I2c;
use standpipe_shared::Degrees;

use super::{registers, write};
use crate::Fault;

const WHO_AM_I: u8 = 0x0F;
const ITSELF: u8 = 0x33;
const CONTROL_1: u8 = 0x20;
/// 1 Hz, 8 bits, three axes: 2 µA.
const LOW_POWER_1_HZ: u8 = 0x1F;
/// The first of six output bytes; the highest bit counts the register up.
const OUTPUT: u8 = 0x28 | 0x80;
/// Counts of one g: 16 mg a count at ±2 g, of which 8 bits are the upper byte.
const G: f32 = 1_000.0 / 16.0;
/// A hydrant that is driven away feels more, one that falls less: neither is a lean. g.
const AT_REST_G: core::ops::RangeInclusive<f32> = 0.7..=1.3;

/// An accelerometer and how it is mounted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accelerometer {
    /// Its address: 0x18, or 0x19 when its SA0 pin is high.
    pub address: u8,
    /// Gravity while the hydrant stands upright, in any unit: x, y, z.
    pub upright: [f32; 3],
}

impl Accelerometer {
    /// Lets it measure from now on. Once after each start; [`Self::read`] does it again after a
    /// fault.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::Garbled`] when another chip answers.
    pub fn start(&self, bus: &mut impl I2c) -> Result<(), Fault> {
        let [who] = registers(bus, self.address, WHO_AM_I)?;
        if who != ITSELF {
            return Err(Fault::Garbled);
        }
        write(bus, self.address, &[CONTROL_1, LOW_POWER_1_HZ])
    }

    /// From upright, 0 to 180 degrees. After a fault it is started anew: one that lost its power
    /// for a moment feels no gravity until then.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::OutOfRange`] while it is not at rest.
    pub fn read(&self, bus: &mut impl I2c) -> Result<Degrees, Fault> {
        let read = self.once(bus);
        if read.is_err() {
            // The fault is told in any case.
            let _ = self.start(bus);
        }
        read
    }

    fn once(&self, bus: &mut impl I2c) -> Result<Degrees, Fault> {
        let [_, x, _, y, _, z]: [u8; 6] = registers(bus, self.address, OUTPUT)?;
        let felt = [x, y, z].map(|axis| f32::from(axis.cast_signed()) / G);
        if !AT_REST_G.contains(&length(felt)) {
            return Err(Fault::OutOfRange);
        }
        let along: f32 = felt.iter().zip(&self.upright).map(|(a, b)| a * b).sum();
        let cosine = along / (length(felt) * length(self.upright));
        let degrees = libm::acosf(cosine.clamp(-1.0, 1.0)).to_degrees();
        Degrees::new(degrees).map_err(|_| Fault::Garbled)
    }
}

fn length(vector: [f32; 3]) -> f32 {
    libm::sqrtf(vector.iter().map(|axis| axis * axis).sum())
}

#[cfg(test)]
mod tests {
    use super::Accelerometer;
    use crate::Fault;
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use standpipe_shared::Degrees;

    const UPRIGHT: Accelerometer = Accelerometer { address: 0x18, upright: [0.0, 0.0, 1.0] };

    /// What it reads, and then does on the bus.
    fn read(
        accelerometer: &Accelerometer,
        [x, y, z]: [i8; 3],
        then: &[Transaction],
    ) -> Result<f32, Fault> {
        let bytes = [0, x.cast_unsigned(), 0, y.cast_unsigned(), 0, z.cast_unsigned()];
        let output = Transaction::write_read(0x18, [0xA8].into(), bytes.into());
        let mut bus = Mock::new([output].iter().chain(then));
        let read = accelerometer.read(&mut bus).map(Degrees::get);
        bus.done();
        read
    }

    fn started() -> [Transaction; 2] {
        let who = Transaction::write_read(0x18, [0x0F].into(), [0x33].into());
        [who, Transaction::write(0x18, [0x20, 0x1F].into())]
    }

    #[test]
    #[rustfmt::skip] // a table
    fn gravity_is_an_angle_from_upright() {
        for (felt, degrees) in [
            ([0, 0, 63],    Ok(0.0)),
            ([0, 63, 0],    Ok(90.0)),
            ([63, 0, 0],    Ok(90.0)),
            ([0, 0, -63],   Ok(180.0)),
            ([0, 45, 45],   Ok(45.0)),
            ([32, 0, 55],   Ok(30.2)),
            ([0, 0, 0],     Err(Fault::OutOfRange)), // falling, or asleep since its supply sagged
            ([0, 0, 127],   Err(Fault::OutOfRange)), // hit
        ] {
            let anew: &[Transaction] = if degrees.is_err() { &started() } else { &[] };
            match (read(&UPRIGHT, felt, anew), degrees) {
                (Ok(degrees), Ok(wanted)) => assert!((degrees - wanted).abs() < 0.5, "{felt:?} {degrees}"),
                (other, wanted) => assert_eq!(other, wanted, "{felt:?}"),
            }
        }
        let sideways = Accelerometer { upright: [0.0, -2.0, 0.0], ..UPRIGHT };
        assert!(read(&sideways, [0, -62, 0], &[]).is_ok_and(|degrees| degrees < 0.5));
        let unset = Accelerometer { upright: [0.0; 3], ..UPRIGHT };
        assert_eq!(read(&unset, [0, 0, 63], &started()), Err(Fault::Garbled));
    }

    #[test]
    fn it_starts_only_what_is_there_and_is_itself() {
        let start = |transfers: &[Transaction]| {
            let mut bus = Mock::new(transfers);
            let started = UPRIGHT.start(&mut bus);
            bus.done();
            started
        };
        let who = |answer: u8| Transaction::write_read(0x18, [0x0F].into(), [answer].into());
        let control = Transaction::write(0x18, [0x20, 0x1F].into());
        assert_eq!(start(&[who(0x33), control.clone()]), Ok(()));
        assert_eq!(start(&[who(0x41)]), Err(Fault::Garbled));
        let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown);
        assert_eq!(start(&[who(0).with_error(nobody)]), Err(Fault::Silent));
        assert_eq!(start(&[who(0x33), control.with_error(nobody)]), Err(Fault::Silent));
    }
}
