//! An I2C bus that a chip holds, because the processor was reset in the middle of its answer.
//!
//! The chip waits for clock pulses to go on, and holds the data line low until then: no exchange
//! can begin, and neither a reset nor a time-out helps. NXP's UM10204, §3.1.16, has the cure: nine
//! pulses, and a stop.

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{InputPin, OutputPin};

/// A chip lets go of the line within so many pulses: eight bits and the acknowledgement.
const PULSES: u32 = 9;
/// Half a period at 100 kHz, which every chip can follow.
const HALF_US: u32 = 5;

/// Whether the bus is free, after what could be done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusState {
    Free,
    /// The data line is still low: a chip is broken, or the wire has a short circuit.
    Held,
}

/// Frees a bus. Both pins are open drain, so that high lets go of them.
pub fn clear(
    clock: &mut impl OutputPin,
    data: &mut (impl OutputPin + InputPin),
    delay: &mut impl DelayNs,
) -> BusState {
    let mut half = || delay.delay_us(HALF_US);
    let _ = data.set_high();
    let _ = clock.set_high();
    half();
    for _ in 0..PULSES {
        if !data.is_low().unwrap_or(true) {
            break;
        }
        let _ = clock.set_low();
        half();
        let _ = clock.set_high();
        half();
    }
    // A stop: data rises while the clock is high.
    let _ = clock.set_low();
    half();
    let _ = data.set_low();
    half();
    let _ = clock.set_high();
    half();
    let _ = data.set_high();
    half();
    if data.is_low().unwrap_or(true) { BusState::Held } else { BusState::Free }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{BusState, clear};
    use core::cell::RefCell;
    use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
    use embedded_hal_mock::eh1::delay::NoopDelay;

    /// A bus with a chip on it that lets go after so many falling edges of the clock.
    #[derive(Default)]
    struct Wires {
        clock: bool,
        data: bool,
        holds: u32,
        pulses: u32,
        stopped: bool,
    }

    struct Clock<'w>(&'w RefCell<Wires>);
    struct Data<'w>(&'w RefCell<Wires>);

    impl ErrorType for Clock<'_> {
        type Error = core::convert::Infallible;
    }
    impl ErrorType for Data<'_> {
        type Error = core::convert::Infallible;
    }

    impl OutputPin for Clock<'_> {
        fn set_low(&mut self) -> Result<(), Self::Error> {
            let mut wires = self.0.borrow_mut();
            if wires.clock {
                wires.holds = wires.holds.saturating_sub(1);
                wires.pulses += 1;
            }
            wires.clock = false;
            Ok(())
        }

        fn set_high(&mut self) -> Result<(), Self::Error> {
            self.0.borrow_mut().clock = true;
            Ok(())
        }
    }

    impl OutputPin for Data<'_> {
        fn set_low(&mut self) -> Result<(), Self::Error> {
            self.0.borrow_mut().data = false;
            Ok(())
        }

        fn set_high(&mut self) -> Result<(), Self::Error> {
            let mut wires = self.0.borrow_mut();
            let free = wires.holds == 0;
            wires.stopped |= free && wires.clock && !wires.data;
            wires.data = true;
            Ok(())
        }
    }

    impl InputPin for Data<'_> {
        fn is_high(&mut self) -> Result<bool, Self::Error> {
            let wires = self.0.borrow();
            Ok(wires.data && wires.holds == 0)
        }

        fn is_low(&mut self) -> Result<bool, Self::Error> {
            self.is_high().map(|high| !high)
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_chip_that_was_cut_off_lets_go_within_nine_pulses_and_hears_a_stop() {
        for (holds, state, pulses) in [
            (0,  BusState::Free, 1),
            (1,  BusState::Free, 2),
            (9,  BusState::Free, 10),
            (20, BusState::Held, 10),
        ] {
            let wires = RefCell::new(Wires { holds, ..Wires::default() });
            let cleared = clear(&mut Clock(&wires), &mut Data(&wires), &mut NoopDelay::new());
            let wires = wires.borrow();
            assert_eq!((cleared, wires.pulses), (state, pulses), "{holds}");
            assert_eq!(wires.stopped, state == BusState::Free, "{holds}");
        }
    }
}
