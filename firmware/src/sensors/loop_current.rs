//! A 4–20 mA pressure transmitter: the current through a shunt, by an ADS1115 (Texas Instruments,
//! SBAS444) between its inputs 0 and 1.
//!
//! NAMUR NE 43: 3.8 to 20.5 mA is a measurement; under 3.6 mA the wire is broken, over 21 mA
//! something is short. In between the value is taken as it is.

use embedded_hal::i2c::I2c;
use embedded_hal_async::delay::DelayNs;
use standpipe_shared::{Kilopascals, Milliamps};

use super::{registers, write};
use crate::{Fault, Pressure};

const CONVERSION: u8 = 0;
const CONFIG: u8 = 1;
/// Start one conversion, input 0 against 1, ±4.096 V, then sleep, 128 a second, no comparator.
const START: u16 = 0x8000 | 0x0200 | 0x0100 | 0x0080 | 0x0003;
/// Set while no conversion runs.
const READY: u8 = 0x80;
/// One conversion takes 7.8 ms (1/128 s), ± 10 %.
const CONVERTS_MS: u32 = 9;
/// So often it may not be ready yet.
const PATIENCE: u8 = 4;
/// Volts of one count at ±4.096 V.
const VOLTS: f32 = 0.000_125;
/// NAMUR NE 43, mA.
const BROKEN_MA: f32 = 3.6;
const SHORT_MA: f32 = 21.0;

/// The shunt and the transmitter behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loop {
    /// The converter's address: 0x48 when its ADDR pin is on ground.
    pub address: u8,
    /// The shunt, ohms: 100 Ω make 2.1 V of 21 mA.
    pub shunt_ohms: f32,
    /// Pressure at 4 mA.
    pub kpa_at_4_ma: f32,
    /// Pressure at 20 mA.
    pub kpa_at_20_ma: f32,
}

impl Loop {
    /// Measures the current once. The transmitter must have had its warm-up time.
    pub async fn read(&self, bus: &mut impl I2c, delay: &mut impl DelayNs) -> Pressure {
        let loop_ma = self.measure(bus, delay).await;
        let kpa = loop_ma.and_then(|ma| self.pressure(ma));
        Pressure { kpa, loop_ma: loop_ma.ok() }
    }

    async fn measure(
        &self,
        bus: &mut impl I2c,
        delay: &mut impl DelayNs,
    ) -> Result<Milliamps, Fault> {
        let [high, low] = START.to_be_bytes();
        write(bus, self.address, &[CONFIG, high, low])?;
        for _ in 0..PATIENCE {
            delay.delay_ms(CONVERTS_MS).await;
            let [status, _] = registers(bus, self.address, CONFIG)?;
            if status & READY != 0 {
                let counts = i16::from_be_bytes(registers(bus, self.address, CONVERSION)?);
                let ma = f32::from(counts) * VOLTS / self.shunt_ohms * 1_000.0;
                return Milliamps::new(ma).map_err(|_| Fault::Garbled);
            }
        }
        Err(Fault::Silent)
    }

    fn pressure(&self, current: Milliamps) -> Result<Kilopascals, Fault> {
        let ma = current.get();
        if ma < BROKEN_MA {
            return Err(Fault::WireBroken);
        }
        if ma > SHORT_MA {
            return Err(Fault::OverCurrent);
        }
        let share = (ma - 4.0) / 16.0;
        let kpa = self.kpa_at_4_ma + share * (self.kpa_at_20_ma - self.kpa_at_4_ma);
        Kilopascals::new(kpa).map_err(|_| Fault::Garbled)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Loop;
    use crate::{Fault, Pressure};
    use embassy_futures::block_on;
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec::Vec;

    const IT: Loop =
        Loop { address: 0x48, shunt_ohms: 100.0, kpa_at_4_ma: 0.0, kpa_at_20_ma: 1_600.0 };

    fn start() -> Transaction {
        Transaction::write(0x48, [1, 0x83, 0x83].into())
    }

    fn ready(status: u8) -> Transaction {
        Transaction::write_read(0x48, [1].into(), [status, 0x83].into())
    }

    fn read(transfers: &[Transaction]) -> Pressure {
        let mut bus = Mock::new(transfers);
        let read = block_on(IT.read(&mut bus, &mut NoopDelay::new()));
        bus.done();
        read
    }

    fn counts(counts: i16) -> Pressure {
        let bytes: Vec<u8> = counts.to_be_bytes().into();
        let value = Transaction::write_read(0x48, [0].into(), bytes);
        read(&[start(), ready(0x03), ready(0x83), value])
    }

    #[test]
    #[rustfmt::skip] // a table
    fn current_is_pressure_within_the_limits_of_ne_43() {
        for (value, ma, kpa) in [
            (3_200,   4.0,    Ok(0.0)),
            (9_600,   12.0,   Ok(800.0)),
            (16_000,  20.0,   Ok(1_600.0)),
            (16_400,  20.5,   Ok(1_650.0)),
            (3_040,   3.8,    Ok(-20.0)),
            (2_879,   3.59875, Err(Fault::WireBroken)),
            (16,      0.02,   Err(Fault::WireBroken)),
            (-400,    -0.5,   Err(Fault::WireBroken)),
            (16_801,  21.00125, Err(Fault::OverCurrent)),
            (32_767,  40.95875, Err(Fault::OverCurrent)),
        ] {
            let read = counts(value);
            let near = |one: f32, two: f32| (one - two).abs() < 0.01;
            assert!(read.loop_ma.is_some_and(|milliamperes| near(milliamperes.get(), ma)), "{value} {read:?}");
            match (read.kpa, kpa) {
                (Ok(kpa), Ok(wanted)) => assert!(near(kpa.get(), wanted), "{value} {read:?}"),
                (Err(fault), Err(wanted)) => assert_eq!(fault, wanted, "{value}"),
                (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("{value} {read:?}"),
            }
        }
    }

    #[test]
    fn a_converter_that_does_not_answer_or_never_gets_ready_is_silent() {
        let silent = Pressure { kpa: Err(Fault::Silent), loop_ma: None };
        let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        assert_eq!(read(&[start().with_error(nobody)]), silent);
        let late = [start(), ready(0x03), ready(0x03), ready(0x03), ready(0x03)];
        assert_eq!(read(&late), silent);
        let garbled = Pressure { kpa: Err(Fault::Garbled), loop_ma: None };
        assert_eq!(read(&[start(), ready(0x83).with_error(ErrorKind::Bus)]), garbled);
    }
}
