//! The chips: one file a chip. Each asks its chip once and answers a value or a [`Fault`]; what
//! that means is decided in [`crate::hydrant`] and [`crate::smoke`].
//!
//! | file | chip |
//! |---|---|
//! | [`modbus`] | a pressure transmitter on RS-485, Modbus RTU |
//! | [`loop_current`] | a 4–20 mA pressure transmitter through an ADS1115 |
//! | [`thermometer`] | TMP105, TMP1075, TMP112 and their like |
//! | [`accelerometer`] | LIS2DH12: how far the hydrant leans |
//! | [`chamber`] | ADPD188BI: the photoelectric smoke chamber |
//!
//! A driver owns no bus: it is lent one for each question, so that chips can share it. Contacts
//! and the battery are pins, and the board's.

pub mod accelerometer;
pub mod bus_clear;
pub mod chamber;
pub mod loop_current;
pub mod modbus;
pub mod thermometer;

use embedded_hal::i2c::{Error, ErrorKind, I2c};

use crate::Fault;

/// What a failed transfer on the bus means.
fn bus_fault(bad: &impl Error) -> Fault {
    let silent = matches!(bad.kind(), ErrorKind::NoAcknowledge(_));
    if silent { Fault::Silent } else { Fault::Garbled }
}

/// Reads `N` bytes that follow a register's number.
fn registers<const N: usize>(
    bus: &mut impl I2c,
    address: u8,
    register: u8,
) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    bus.write_read(address, &[register], &mut bytes).map_err(|bad| bus_fault(&bad))?;
    Ok(bytes)
}

fn write(bus: &mut impl I2c, address: u8, bytes: &[u8]) -> Result<(), Fault> {
    bus.write(address, bytes).map_err(|bad| bus_fault(&bad))
}
