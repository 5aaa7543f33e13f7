//! Thermometers with the register map of the LM75: TMP105 (SBOS410), TMP1075 (SBOS854), TMP112.
//!
//! One conversion is started, waited for and read; between two of them the chip sleeps.

use embedded_hal::i2c::I2c;
use embedded_hal_async::delay::DelayNs;
use standpipe_shared::Celsius;

use super::{registers, write};
use crate::Fault;

const TEMPERATURE: u8 = 0;
const CONFIG: u8 = 1;
/// One conversion of 12 bits, then sleep.
const ONE_SHOT: u8 = 0x80 | 0x60 | 0x01;
/// Of a count of the whole register, which holds the value left-aligned.
const CELSIUS: f32 = 1.0 / 256.0;
/// What these chips can measure, °C: beyond it the answer is not theirs.
const RANGE_C: core::ops::RangeInclusive<f32> = -56.0..=150.0;

/// A chip on the I2C bus that answers as an LM75 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thermometer {
    /// Its address: 0x48 when its address pins are on ground.
    pub address: u8,
    /// How long a conversion of 12 bits takes at most: 320 ms in a TMP105, 12 in a TMP1075.
    pub converts_ms: u32,
}

impl Thermometer {
    /// Measures once.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn read(
        &self,
        bus: &mut impl I2c,
        delay: &mut impl DelayNs,
    ) -> Result<Celsius, Fault> {
        write(bus, self.address, &[CONFIG, ONE_SHOT])?;
        delay.delay_ms(self.converts_ms).await;
        let counts = i16::from_be_bytes(registers(bus, self.address, TEMPERATURE)?);
        let celsius = f32::from(counts) * CELSIUS;
        if !RANGE_C.contains(&celsius) {
            return Err(Fault::OutOfRange);
        }
        Celsius::new(celsius).map_err(|_| Fault::Garbled)
    }
}

#[cfg(test)]
mod tests {
    use super::Thermometer;
    use crate::Fault;
    use embassy_futures::block_on;
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use standpipe_shared::Celsius;

    fn read(transfers: &[Transaction]) -> Result<f32, Fault> {
        let thermometer = Thermometer { address: 0x48, converts_ms: 320 };
        let mut bus = Mock::new(transfers);
        let read = block_on(thermometer.read(&mut bus, &mut NoopDelay::new()));
        bus.done();
        read.map(Celsius::get)
    }

    fn shot() -> Transaction {
        Transaction::write(0x48, [1, 0xE1].into())
    }

    #[test]
    #[rustfmt::skip] // a table
    fn counts_are_degrees() {
        for (bytes, celsius) in [
            ([0x19, 0x00], Ok(25.0)),
            ([0x00, 0x10], Ok(0.0625)),
            ([0xE7, 0x00], Ok(-25.0)),
            ([0xDD, 0x00], Ok(-35.0)),
            ([0x46, 0x00], Ok(70.0)),
            ([0x7F, 0xF0], Ok(127.9375)),
            ([0x80, 0x00], Err(Fault::OutOfRange)),
        ] {
            let answer = Transaction::write_read(0x48, [0].into(), bytes.into());
            assert_eq!(read(&[shot(), answer]), celsius, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_chip_that_does_not_answer_is_silent_and_a_disturbed_bus_is_garbage() {
        let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        assert_eq!(read(&[shot().with_error(nobody)]), Err(Fault::Silent));
        let answer = Transaction::write_read(0x48, [0].into(), [0, 0].into());
        assert_eq!(read(&[shot(), answer.clone().with_error(nobody)]), Err(Fault::Silent));
        let lost = answer.with_error(ErrorKind::ArbitrationLoss);
        assert_eq!(read(&[shot(), lost]), Err(Fault::Garbled));
    }
}
