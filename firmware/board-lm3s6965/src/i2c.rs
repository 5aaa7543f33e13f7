//! The I2C master, for thermometer and EEPROM.
//!
//! QEMU's model knows no repeated START: every part of a transaction ends with STOP. Both chips
//! keep their place between the two. A newer QEMU has both of the chip's masters, an older one
//! the first only, so the bus is the one on which the EEPROM answers.

use embedded_hal::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use crate::registers::{I2C0, I2C1, I2cRegisters};
use crate::ticks::CLOCK_HZ;

const RUN: u32 = 1;
const START: u32 = 2;
const STOP: u32 = 4;
const ACKNOWLEDGE: u32 = 8;
const BUSY: u32 = 1;
const FAILED: u32 = 2;
const MASTER: u32 = 0x10;
/// 100 kHz: 20 clocks a bit, less one.
const PERIOD: u32 = CLOCK_HZ / (20 * 100_000) - 1;
/// A byte takes 90 µs, which is less than 1,200 clocks.
const PATIENCE: u32 = 20_000;

/// Why a transaction ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum I2cTrouble {
    /// Nobody answers to this address, or no longer.
    Refused,
    /// The bus is held.
    Stuck,
}

impl Error for I2cTrouble {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown),
            Self::Stuck => ErrorKind::Bus,
        }
    }
}

/// One of the two masters.
pub struct Master(I2cRegisters);

impl Master {
    /// The one on which a chip answers to `address`; when none does, the first.
    pub fn with(address: u8) -> Self {
        let mut second = Self::start(I2C1);
        if second.read(address, &mut [0]).is_ok() { second } else { Self::start(I2C0) }
    }

    fn start(registers: I2cRegisters) -> Self {
        registers.configuration.write(MASTER);
        registers.period.write(PERIOD);
        Self(registers)
    }

    /// One byte on the wire, after which the master has stopped if it was told to or failed.
    fn step(&mut self, command: u32) -> Result<(), I2cTrouble> {
        self.0.control.write(command);
        for _ in 0..PATIENCE {
            let status = self.0.control.read();
            if status & BUSY != 0 {
                continue;
            }
            if status & FAILED == 0 {
                return Ok(());
            }
            self.0.control.write(STOP);
            return Err(I2cTrouble::Refused);
        }
        Err(I2cTrouble::Stuck)
    }
}

/// What the master does for byte `n` of `count`.
const fn command(n: usize, count: usize) -> u32 {
    let first = if n == 0 { START } else { 0 };
    let last = if n + 1 == count { STOP } else { ACKNOWLEDGE };
    RUN | first | last
}

impl ErrorType for Master {
    type Error = I2cTrouble;
}

impl I2c for Master {
    fn transaction(&mut self, address: u8, parts: &mut [Operation<'_>]) -> Result<(), I2cTrouble> {
        let target = u32::from(address) << 1;
        for part in parts {
            match part {
                Operation::Write(bytes) => {
                    self.0.address.write(target);
                    for (n, byte) in bytes.iter().enumerate() {
                        self.0.data.write(u32::from(*byte));
                        self.step(command(n, bytes.len()))?;
                    }
                }
                Operation::Read(bytes) => {
                    self.0.address.write(target | 1);
                    let count = bytes.len();
                    for (n, byte) in bytes.iter_mut().enumerate() {
                        self.step(command(n, count))?;
                        [*byte, ..] = self.0.data.read().to_le_bytes();
                    }
                }
            }
        }
        Ok(())
    }
}
