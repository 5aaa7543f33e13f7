//! The three serial lines: modem, pressure transmitter, log.
//!
//! Bytes come by interrupt into a pipe. When the pipe is full the interrupt is masked until
//! somebody has read: what is not taken stays in the FIFO.

use core::convert::Infallible;
use core::fmt;

use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embedded_io_async::{ErrorType, Read, Write};
use lm3s6965::{Interrupt, interrupt};

use crate::registers::{self, UART0, UART1, UART2, UartRegisters};
use crate::ticks::CLOCK_HZ;

/// More than the broker sends at once: CONNACK, SUBACK, one message.
const PIPE: usize = 512;
/// 8 bits, no parity, one stop bit, FIFOs on.
const LINE: u32 = 0x70;
/// UART, transmitter and receiver on.
const ON: u32 = 0x301;
/// The FIFO is half full, or has something that nobody followed for a while.
const RECEIVED: u32 = 0x50;
const TRANSMIT_FULL: u32 = 0x20;
const RECEIVE_EMPTY: u32 = 0x10;

/// A serial line's receiving side, shared with its interrupt.
pub struct UartLine {
    registers: &'static UartRegisters,
    received: &'static Bytes,
}

type Bytes = Pipe<CriticalSectionRawMutex, PIPE>;

// They stand alone, so that they begin as zeros and take no flash.
static MODEM_BYTES: Bytes = Pipe::new();
static FIELD_BYTES: Bytes = Pipe::new();

/// To the modem.
static MODEM: UartLine = UartLine { registers: &UART0, received: &MODEM_BYTES };
/// RS-485 to the pressure transmitter.
static FIELD: UartLine = UartLine { registers: &UART1, received: &FIELD_BYTES };

impl UartLine {
    /// What its interrupt does.
    fn take(&self) {
        while self.registers.flags.read() & RECEIVE_EMPTY == 0 {
            if self.received.is_full() {
                self.registers.interrupt_mask.write(0);
                return;
            }
            let [byte, ..] = self.registers.data.read().to_le_bytes();
            // There is room for one.
            let _ = self.received.try_write(&[byte]);
        }
        self.registers.interrupt_clear.write(RECEIVED);
    }
}

#[interrupt]
fn UART0() {
    MODEM.take();
}

#[interrupt]
fn UART1() {
    FIELD.take();
}

/// A byte stream over a line.
pub struct Serial(&'static UartLine);

/// Turns the lines on: `(modem, field)`. The log needs no more than this either.
pub fn start() -> (Serial, Serial) {
    for (registers, baud) in [(&UART0, 115_200), (&UART1, 9_600), (&UART2, 115_200)] {
        set_up(registers, baud);
    }
    for (line, interrupt) in [(&MODEM, Interrupt::UART0), (&FIELD, Interrupt::UART1)] {
        line.registers.interrupt_mask.write(RECEIVED);
        registers::unmask(interrupt);
    }
    (Serial(&MODEM), Serial(&FIELD))
}

fn set_up(registers: &UartRegisters, baud: u32) {
    // The divisor is clock / (16 × baud), in 64ths.
    let divisor = (CLOCK_HZ * 4 + baud / 2) / baud;
    registers.control.write(0);
    registers.baud_whole.write(divisor / 64);
    registers.baud_64ths.write(divisor % 64);
    registers.line.write(LINE);
    registers.control.write(ON);
}

impl ErrorType for Serial {
    type Error = Infallible;
}

impl Read for Serial {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        let count = self.0.received.read(into).await;
        self.0.registers.interrupt_mask.write(RECEIVED);
        Ok(count)
    }
}

impl Write for Serial {
    async fn write(&mut self, from: &[u8]) -> Result<usize, Infallible> {
        for byte in from {
            while self.0.registers.flags.read() & TRANSMIT_FULL != 0 {
                yield_now().await;
            }
            self.0.registers.data.write(u32::from(*byte));
        }
        Ok(from.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The log, for whoever has a cable on UART2. It waits for every byte: keep lines short.
pub struct Log;

impl fmt::Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while UART2.flags.read() & TRANSMIT_FULL != 0 {}
            UART2.data.write(u32::from(byte));
        }
        Ok(())
    }
}

/// Writes a line to the log.
#[macro_export]
macro_rules! log {
    ($($words:tt)*) => {{
        use core::fmt::Write as _;
        // The log cannot fail.
        let _ = writeln!($crate::uart::Log, $($words)*);
    }};
}
