//! The I2C bus, switched on for each exchange and off again: while it is on, the chip does not
//! sleep deeply.

use core::cell::RefCell;

use embassy_stm32::Peri;
use embassy_stm32::i2c::{Config, Error, I2c};
use embassy_stm32::peripherals::{I2C1, PB8, PB9};
use embassy_stm32::time::Hertz;
use embassy_time::Duration;
use embedded_hal::i2c::{ErrorType, Operation, SevenBitAddress};
use static_cell::StaticCell;

/// All chips on it can do this.
const SPEED: Hertz = Hertz(400_000);
/// A chip that holds the clock longer is broken.
const PATIENCE: Duration = Duration::from_millis(25);

struct Wires {
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
    ) -> Self {
        static WIRES: StaticCell<RefCell<Wires>> = StaticCell::new();
        Self(WIRES.init(RefCell::new(Wires { i2c, scl, sda })))
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
        let mut config = Config::default();
        config.frequency = SPEED;
        config.timeout = PATIENCE;
        let mut wires = self.0.try_borrow_mut().map_err(|_| Error::Bus)?;
        let Wires { i2c, scl, sda } = &mut *wires;
        let mut open = I2c::new_blocking(i2c.reborrow(), scl.reborrow(), sda.reborrow(), config);
        embedded_hal::i2c::I2c::transaction(&mut open, address, operations)
    }
}
