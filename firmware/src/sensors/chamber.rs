//! The photoelectric smoke chamber: an ADPD188BI (Analog Devices), a blue and an infrared emitter
//! and a photodiode in one chip. No published driver crate was found.
//!
//! Slot A is the blue emitter, 4 pulses, 3 µs long and 15 µs apart, ambient light taken off by the
//! chip. The infrared emitter is not driven: nothing decides by it, and it takes as much as the blue
//! one. Registers and values are those of a public set-up for smoke that quotes the data sheet
//! (ADPD188BI-Arduino). Analog Devices' own (no-OS) agrees where it writes, but for reserved bits of
//! 0x22 and 0x23, where it has 0x3039 and 0x3036. Compare them with the data sheet before the first
//! chamber: nobody has run this driver on the chip yet.

use embedded_hal::i2c::I2c;
use embedded_hal_async::delay::DelayNs;

use super::{registers, write};
use crate::{Fault, Smoke};

/// Its only address.
const ADDRESS: u8 = 0x64;
const STATUS: u8 = 0x00;
const IDENTITY: u8 = 0x08;
/// The lower byte of the identity.
const ITSELF: u8 = 0x16;
const MODE: u8 = 0x10;
const RESET: u8 = 0x0F;
const FIFO: u8 = 0x60;
/// Written to the status: empties the FIFO and ends every interrupt.
const EMPTY: u16 = 0x80FF;
/// A sum of 32 bits.
const SAMPLE_BYTES: u8 = 4;
/// 16 samples a second: the first after 63 ms.
const POLL_MS: u32 = 20;
const PATIENCE: u8 = 10;

/// Slot A's pulses: their number, and 15 µs between two.
const PULSES: u8 = 0x31;
const FOUR: u16 = 0x040E;
const EIGHT: u16 = 0x080E;
/// What a self-test allows between four pulses and eight, of what four scattered: clean air scatters
/// little, and the chamber may gain smoke in between.
const MODULATED: core::ops::RangeInclusive<u32> = 150..=260;

/// How it is set up, register by register.
const SETUP: [(u8, u16); 20] = [
    (0x11, 0x3009), // slot A on, 32-bit sums into the FIFO, none overwritten
    (0x12, 0x01F4), // 16 samples a second
    (0x14, 0x011D), // slot A: emitter 1 (blue)
    (0x15, 0x0000), // no averaging
    (0x17, 0x0009), // slot A: chopped, so that ambient light goes
    (0x18, 0x0000), // slot A: no offset in channel 1, the others off
    (0x19, 0x3FFF),
    (0x1A, 0x3FFF),
    (0x1B, 0x3FFF),
    (0x23, 0x3536), // current of the blue emitter
    (0x24, 0x1530), // emitter 2 is not used
    (0x25, 0x630C), // trim of the emitters' drivers
    (0x30, 0x0320), // slot A: pulses of 3 µs …
    (PULSES, FOUR), // … 4 of them, 15 µs apart
    (0x39, 0x22F0), // slot A: when the integrator is open
    (0x3C, 0x31C6), // channels 2 to 4 without power
    (0x42, 0x1C34), // slot A: 200 kΩ behind the photodiode
    (0x43, 0xADA5), // slot A: the way of its signal
    (0x54, 0x0AA0), // the photodiode is biased by about 250 mV
    (0x58, 0x0544), // signs of the chopped sum
];

/// What the chip does.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Mode {
    Standby = 0,
    Program = 1,
    Normal = 2,
}

/// Sets it up. Once after each start; [`read`] does it again after a fault.
///
/// # Errors
/// [`Fault`]; [`Fault::Garbled`] when another chip answers.
pub fn start(bus: &mut impl I2c) -> Result<(), Fault> {
    let [_, identity] = registers(bus, ADDRESS, IDENTITY)?;
    if identity != ITSELF {
        return Err(Fault::Garbled);
    }
    set(bus, RESET, 1)?;
    set(bus, 0x4B, 0x2692)?; // its clock of 32 kHz, before anything that needs one
    set(bus, MODE, Mode::Program as u16)?;
    for (register, value) in SETUP {
        set(bus, register, value)?;
    }
    set(bus, MODE, Mode::Standby as u16)
}

/// Takes one sample and lets it sleep again. After a fault it is set up anew: a supply that sagged
/// makes it forget everything, and the next sample is good again.
///
/// # Errors
/// [`Fault`]; [`Fault::Silent`] when there is no sample within a fifth of a second.
pub async fn read(bus: &mut impl I2c, delay: &mut impl DelayNs) -> Result<Smoke, Fault> {
    let read = once(bus, delay, FOUR).await;
    if read.is_err() {
        // The fault is told in any case.
        let _ = start(bus);
    }
    read
}

/// Whether light goes from the emitter through the air to the photodiode: twice the pulses must be
/// twice the light. A dead emitter, a photodiode that floats and an amplifier that has run into its
/// rail all count the same whatever is emitted.
///
/// # Errors
/// [`Fault::Dark`] when the light does not follow; else as [`read`].
pub async fn self_test(bus: &mut impl I2c, delay: &mut impl DelayNs) -> Result<(), Fault> {
    let four = read(bus, delay).await?.blue;
    let eight = once(bus, delay, EIGHT).await?.blue;
    let share = eight.saturating_mul(100).checked_div(four);
    if share.is_some_and(|share| MODULATED.contains(&share)) { Ok(()) } else { Err(Fault::Dark) }
}

/// One sample of so many pulses, which are said each time: what a self-test left behind when the bus
/// failed would be smoke.
async fn once(bus: &mut impl I2c, delay: &mut impl DelayNs, pulses: u16) -> Result<Smoke, Fault> {
    set(bus, MODE, Mode::Program as u16)?;
    set(bus, PULSES, pulses)?;
    set(bus, STATUS, EMPTY)?;
    set(bus, MODE, Mode::Normal as u16)?;
    let sample = sample(bus, delay).await;
    set(bus, MODE, Mode::Program as u16)?;
    set(bus, STATUS, EMPTY)?;
    set(bus, MODE, Mode::Standby as u16)?;
    sample
}

async fn sample(bus: &mut impl I2c, delay: &mut impl DelayNs) -> Result<Smoke, Fault> {
    for _ in 0..PATIENCE {
        delay.delay_ms(POLL_MS).await;
        let [waiting, _] = registers(bus, ADDRESS, STATUS)?;
        if waiting >= SAMPLE_BYTES {
            return Ok(Smoke { blue: sum(bus)?, infrared: None });
        }
    }
    Err(Fault::Silent)
}

/// A sum of 32 bits from the FIFO: the lower word comes first.
fn sum(bus: &mut impl I2c) -> Result<u32, Fault> {
    let low = u16::from_be_bytes(registers(bus, ADDRESS, FIFO)?);
    let high = u16::from_be_bytes(registers(bus, ADDRESS, FIFO)?);
    Ok(u32::from(high) << 16 | u32::from(low))
}

fn set(bus: &mut impl I2c, register: u8, value: u16) -> Result<(), Fault> {
    let [high, low] = value.to_be_bytes();
    write(bus, ADDRESS, &[register, high, low])
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{ADDRESS, SETUP, read, self_test, start};
    use crate::{Fault, Smoke};
    use embassy_futures::block_on;
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec::Vec;

    const NOBODY: ErrorKind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);

    fn set(register: u8, value: u16) -> Transaction {
        let [high, low] = value.to_be_bytes();
        Transaction::write(ADDRESS, [register, high, low].into())
    }

    fn get(register: u8, value: u16) -> Transaction {
        Transaction::write_read(ADDRESS, [register].into(), value.to_be_bytes().into())
    }

    fn sampled(transfers: &[Transaction]) -> Result<Smoke, Fault> {
        let mut bus = Mock::new(transfers);
        let read = block_on(read(&mut bus, &mut NoopDelay::new()));
        bus.done();
        read
    }

    fn wakes() -> [Transaction; 4] {
        wakes_with(0x040E)
    }

    fn wakes_with(pulses: u16) -> [Transaction; 4] {
        [set(0x10, 1), set(0x31, pulses), set(0x00, 0x80FF), set(0x10, 2)]
    }

    fn sleeps() -> [Transaction; 3] {
        [set(0x10, 1), set(0x00, 0x80FF), set(0x10, 0)]
    }

    /// A reset, its clock, and the whole table in program mode.
    fn set_up() -> Vec<Transaction> {
        let mut all = std::vec![get(0x08, 0x0A16), set(0x0F, 1), set(0x4B, 0x2692), set(0x10, 1)];
        all.extend(SETUP.map(|(register, value)| set(register, value)));
        all.push(set(0x10, 0));
        all
    }

    /// What a smoke set-up must say of pulses, amplifiers and emitters, whatever else it says: the
    /// chip's own start values are those of a pulse oximeter.
    #[test]
    fn nothing_that_shapes_a_pulse_is_left_as_it_comes() {
        for register in [0x23, 0x24, 0x25, 0x30, 0x31, 0x42, 0x43, 0x54] {
            assert!(SETUP.iter().any(|written| written.0 == register), "{register:#04x}");
        }
    }

    /// Slot B is off (bit 5 of 0x11), and nothing is set up for its emitter.
    #[test]
    fn the_infrared_emitter_is_not_driven() {
        let [(0x11, slots), ..] = SETUP else { panic!("the slots come first") };
        assert_eq!(slots & 0x01E1, 0x0001, "slot A alone");
        for of_slot_b in [0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22, 0x35, 0x36, 0x3B, 0x44, 0x45] {
            assert!(SETUP.iter().all(|written| written.0 != of_slot_b), "{of_slot_b:#04x}");
        }
    }

    #[test]
    fn a_sample_is_one_sum_and_the_chip_sleeps_again() {
        let fifo = [get(0x60, 0x05DC), get(0x60, 0x0001)];
        let polls = [get(0x00, 0x0000), get(0x00, 0x0400)];
        let all: Vec<_> = wakes().into_iter().chain(polls).chain(fifo).chain(sleeps()).collect();
        assert_eq!(sampled(&all), Ok(Smoke { blue: 0x0001_05DC, infrared: None }));
    }

    #[test]
    fn a_self_test_wants_twice_the_light_of_twice_the_pulses() {
        let counts = |pulses: u16, blue: u16| {
            let fifo = [get(0x00, 0x0400), get(0x60, blue), get(0x60, 0)];
            wakes_with(pulses).into_iter().chain(fifo).chain(sleeps()).collect::<Vec<_>>()
        };
        for (four, eight, outcome) in [
            (1_500, 3_000, Ok(())),
            (1_500, 2_250, Ok(())),
            (1_500, 1_500, Err(Fault::Dark)),
            (0, 0, Err(Fault::Dark)),
            (0, 4, Err(Fault::Dark)),
            (30_000, 65_535, Ok(())),
            (1_500, 4_000, Err(Fault::Dark)),
        ] {
            let all = [counts(0x040E, four), counts(0x080E, eight)].concat();
            let mut bus = Mock::new(&all);
            let tested = block_on(self_test(&mut bus, &mut NoopDelay::new()));
            bus.done();
            assert_eq!(tested, outcome, "{four} {eight}");
        }
    }

    #[test]
    fn without_a_sample_it_is_silent_and_sleeps_all_the_same() {
        let polls = (0..10).map(|_| get(0x00, 0x0300));
        let all = wakes().into_iter().chain(polls).chain(sleeps()).chain(set_up());
        assert_eq!(sampled(&all.collect::<Vec<_>>()), Err(Fault::Silent), "and is set up anew");
        let absent = [set(0x10, 1).with_error(NOBODY), get(0x08, 0).with_error(NOBODY)];
        assert_eq!(sampled(&absent), Err(Fault::Silent));
        let torn = [get(0x00, 0x0400), get(0x60, 1).with_error(ErrorKind::Bus)];
        let all = wakes().into_iter().chain(torn).chain(sleeps()).chain(set_up());
        assert_eq!(sampled(&all.collect::<Vec<_>>()), Err(Fault::Garbled));
    }

    #[test]
    fn it_is_set_up_only_when_it_is_itself() {
        let started = |transfers: &[Transaction]| {
            let mut bus = Mock::new(transfers);
            let started = start(&mut bus);
            bus.done();
            started
        };
        assert_eq!(started(&set_up()), Ok(()));
        assert_eq!(started(&[get(0x08, 0x0A17)]), Err(Fault::Garbled));
        assert_eq!(started(&[get(0x08, 0).with_error(NOBODY)]), Err(Fault::Silent));
    }
}
