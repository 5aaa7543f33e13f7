//! The I2C bus, switched on for each exchange and off again: while it is on, the chip does not
//! sleep deeply. Its pull-ups and the storage have their supply from a pin, and only meanwhile: an
//! FRAM in standby takes more than everything else together.

use core::cell::RefCell;

use embassy_stm32::Peri;
use embassy_stm32::gpio::{Flex, Output, Speed};
use embassy_stm32::i2c::{Config, Error, I2c};
use embassy_stm32::peripherals::{I2C1, PB8, PB9};
use embassy_stm32::time::Hertz;
use embassy_time::{Delay, Duration};
use embedded_hal::delay::DelayNs as _;
use embedded_hal::i2c::{ErrorType, Operation, SevenBitAddress};
use standpipe_firmware::sensors::bus_clear;
use static_cell::StaticCell;

/// All chips on it can do this.
const SPEED: Hertz = Hertz(400_000);
/// A chip that holds the clock longer is broken.
const PATIENCE: Duration = Duration::from_millis(25);

/// From the supply to the first exchange; a chip that is slower is asked again.
const SUPPLIED_US: u32 = 300;

struct Wires {
    supply: Output<'static>,
    i2c: Peri<'static, I2C1>,
    scl: Peri<'static, PB8>,
    sda: Peri<'static, PB9>,
}

/// The bus. Copies share the wires; exchanges do not wait, so that they never overlap.
#[derive(Clone, Copy)]
pub struct Bus(&'static RefCell<Wires>);

impl Bus {
    /// To be called once.
    pub fn share(
        i2c: Peri<'static, I2C1>,
        scl: Peri<'static, PB8>,
        sda: Peri<'static, PB9>,
        supply: Output<'static>,
    ) -> Self {
        static WIRES: StaticCell<RefCell<Wires>> = StaticCell::new();
        Self(WIRES.init(RefCell::new(Wires { supply, i2c, scl, sda })))
    }
}

impl Wires {
    fn exchange(
        &mut self,
        address: SevenBitAddress,
        operations: &mut [Operation<'_>],
    ) -> Result<(), Error> {
        let mut config = Config::default();
        config.frequency = SPEED;
        config.timeout = PATIENCE;
        let (i2c, scl, sda) = (self.i2c.reborrow(), self.scl.reborrow(), self.sda.reborrow());
        let mut open = I2c::new_blocking(i2c, scl, sda, config);
        embedded_hal::i2c::I2c::transaction(&mut open, address, operations)
    }

    /// A chip that was cut off in the middle of its answer holds the line until it is clocked.
    fn clear(&mut self) {
        let mut clock = Flex::new(self.scl.reborrow());
        let mut data = Flex::new(self.sda.reborrow());
        for pin in [&mut clock, &mut data] {
            pin.set_high();
            pin.set_as_input_output(Speed::Low);
        }
        bus_clear::clear(&mut clock, &mut data, &mut Delay);
    }
}

impl ErrorType for Bus {
    type Error = Error;
}

impl embedded_hal::i2c::I2c for Bus {
    fn transaction(
        &mut self,
        address: SevenBitAddress,
        operations: &mut [Operation<'_>],
    ) -> Result<(), Error> {
        let mut wires = self.0.try_borrow_mut().map_err(|_| Error::Bus)?;
        wires.supply.set_high();
        Delay.delay_us(SUPPLIED_US);
        let mut went = wires.exchange(address, operations);
        // A chip that does not acknowledge is busy, or not there; everything else may be a bus that
        // is held.
        if !matches!(went, Ok(()) | Err(Error::Nack)) {
            wires.clear();
            went = wires.exchange(address, operations);
        }
        wires.supply.set_low();
        went
    }
}
