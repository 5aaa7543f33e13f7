//! A pressure transmitter on RS-485 that speaks Modbus RTU (Modbus over serial line 1.02).
//!
//! One request reads one value. A frame that is not exactly the answer is garbage, and is asked
//! for once more; silence ends at a time-out. Direction of the line driver, baud rate and parity
//! are the serial port's, that is the board's.

use crc::{CRC_16_MODBUS, Crc, NoTable};
use embassy_futures::select::{Either, select};
use embedded_hal_async::delay::DelayNs;
use embedded_io_async::{Read, Write};
use standpipe_shared::Kilopascals;

use crate::{Fault, Pressure};

/// Transmitters answer within some 50 ms; the specification leaves it to the device.
const TIMEOUT_MS: u32 = 200;
/// A line is silent when nothing came for this long: 3.5 characters at 9,600 baud are 4 ms.
const SILENCE_MS: u32 = 5;
/// Bytes that a babbling line is listened to at most before it is asked again.
const BABBLE: usize = 256;
/// Address, function, byte count, two registers, checksum.
const LONGEST: usize = 3 + 4 + 2;
const EXCEPTION: u8 = 0x80;
/// Without a table: 18 bytes every 5 s are not worth half a KiB of flash.
const CRC: Crc<u16, NoTable> = Crc::<u16, NoTable>::new(&CRC_16_MODBUS);

/// With which function a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Function {
    /// Read holding registers.
    Holding = 3,
    /// Read input registers.
    Input = 4,
}

/// How a value lies in its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterFormat {
    /// One register, signed.
    Whole,
    /// Two registers, IEEE 754, the higher word first.
    Float,
    /// Two registers, IEEE 754, the lower word first.
    FloatSwapped,
}

impl RegisterFormat {
    const fn registers(self) -> u8 {
        match self {
            Self::Whole => 1,
            Self::Float | Self::FloatSwapped => 2,
        }
    }
}

/// Where a transmitter keeps its pressure: from its data sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transmitter {
    /// Its address on the line, 1 to 247.
    pub address: u8,
    pub function: Function,
    /// The number of the first register, from 0.
    pub register: u16,
    /// How the registers encode the pressure.
    pub format: RegisterFormat,
    /// kPa of one unit of the value.
    pub kpa_per_unit: f32,
}

impl Transmitter {
    /// Asks for the pressure, at most twice.
    pub async fn read<S: Read + Write>(&self, line: &mut S, delay: &mut impl DelayNs) -> Pressure {
        // An answer that came too late for the last question is none to this one.
        hush(line, delay).await;
        let mut kpa = self.ask(line, delay).await;
        if matches!(kpa, Err(Fault::Garbled | Fault::Silent)) {
            hush(line, delay).await;
            kpa = self.ask(line, delay).await;
        }
        Pressure { kpa, loop_ma: None }
    }

    async fn ask<S: Read + Write>(
        &self,
        line: &mut S,
        delay: &mut impl DelayNs,
    ) -> Result<Kilopascals, Fault> {
        line.write_all(&self.request()).await.map_err(|_| Fault::Garbled)?;
        line.flush().await.map_err(|_| Fault::Garbled)?;
        let mut frame = [0; LONGEST];
        let answer = receive(line, &mut frame);
        let frame = match select(answer, delay.delay_ms(TIMEOUT_MS)).await {
            Either::First(answer) => answer?,
            Either::Second(()) => return Err(Fault::Silent),
        };
        self.value(frame)
    }

    fn request(&self) -> [u8; 8] {
        let [high, low] = self.register.to_be_bytes();
        let body = [self.address, self.function as u8, high, low, 0, self.format.registers()];
        let [a, b, c, d, e, f] = body;
        let [check_low, check_high] = CRC.checksum(&body).to_le_bytes();
        [a, b, c, d, e, f, check_low, check_high]
    }

    /// The pressure in a whole frame.
    fn value(&self, frame: &[u8]) -> Result<Kilopascals, Fault> {
        let (body, check) = frame.split_last_chunk::<2>().ok_or(Fault::Garbled)?;
        if CRC.checksum(body).to_le_bytes() != *check {
            return Err(Fault::Garbled);
        }
        let (&[address, function, _], data) =
            body.split_first_chunk::<3>().ok_or(Fault::Garbled)?;
        if address != self.address || function & !EXCEPTION != self.function as u8 {
            return Err(Fault::Garbled);
        }
        if function & EXCEPTION != 0 {
            return Err(Fault::Refused);
        }
        let value = match (self.format, data) {
            (RegisterFormat::Whole, &[a, b]) => f32::from(i16::from_be_bytes([a, b])),
            (RegisterFormat::Float, &[a, b, c, d])
            | (RegisterFormat::FloatSwapped, &[c, d, a, b]) => f32::from_be_bytes([a, b, c, d]),
            (RegisterFormat::Whole | RegisterFormat::Float | RegisterFormat::FloatSwapped, _) => {
                return Err(Fault::Garbled);
            }
        };
        Kilopascals::new(value * self.kpa_per_unit).map_err(|_| Fault::Garbled)
    }
}

/// Reads one frame: its third byte says how long it is, or what the exception is.
async fn receive<'a, S: Read>(
    line: &mut S,
    frame: &'a mut [u8; LONGEST],
) -> Result<&'a [u8], Fault> {
    let (head, rest) = frame.split_at_mut(3);
    line.read_exact(head).await.map_err(|_| Fault::Garbled)?;
    let &mut [_, function, count] = head else { return Err(Fault::Garbled) };
    let follow = if function & EXCEPTION == 0 { usize::from(count) + 2 } else { 2 };
    let rest = rest.get_mut(..follow).ok_or(Fault::Garbled)?;
    line.read_exact(rest).await.map_err(|_| Fault::Garbled)?;
    frame.get(..3 + follow).ok_or(Fault::Garbled)
}

/// Waits until the line is silent, so that the end of one frame is not the head of the next.
async fn hush<S: Read>(line: &mut S, delay: &mut impl DelayNs) {
    let mut byte = [0];
    for _ in 0..BABBLE {
        match select(line.read(&mut byte), delay.delay_ms(SILENCE_MS)).await {
            Either::First(Ok(1..)) => {}
            // An error of the port (a break, an overrun) is over when it was read.
            Either::First(Ok(0) | Err(_)) | Either::Second(()) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{CRC, Function, LONGEST, RegisterFormat, Transmitter};
    use crate::Fault;
    use core::future::{pending, ready};
    use embassy_futures::block_on;
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
    use proptest::prelude::{any, proptest};
    use standpipe_shared::Kilopascals;
    use std::collections::VecDeque;
    use std::vec::Vec;

    const TRANSMITTER: Transmitter = Transmitter {
        address: 1,
        function: Function::Holding,
        register: 4,
        format: RegisterFormat::Whole,
        kpa_per_unit: 0.1,
    };

    /// A line at whose end somebody gives these answers, one a request, and is silent otherwise.
    struct ScriptedLine {
        answers: VecDeque<Vec<u8>>,
        incoming: VecDeque<u8>,
        sent: Vec<u8>,
        broken: bool,
    }

    impl ScriptedLine {
        fn new(answers: &[&[u8]]) -> Self {
            let answers = answers.iter().map(|answer| answer.to_vec()).collect();
            Self { answers, incoming: VecDeque::new(), sent: Vec::new(), broken: false }
        }

        fn read(&mut self) -> Result<Kilopascals, Fault> {
            block_on(TRANSMITTER.read(self, &mut NoopDelay::new())).kpa
        }
    }

    impl ErrorType for ScriptedLine {
        type Error = ErrorKind;
    }

    impl Read for ScriptedLine {
        async fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
            if self.broken {
                return Err(ErrorKind::Other);
            }
            let Some(byte) = self.incoming.pop_front() else { return pending().await };
            into[0] = byte;
            ready(Ok(1)).await
        }
    }

    impl Write for ScriptedLine {
        async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
            self.sent.extend_from_slice(bytes);
            self.incoming.extend(self.answers.pop_front().unwrap_or_default());
            Ok(bytes.len())
        }

        async fn flush(&mut self) -> Result<(), ErrorKind> {
            Ok(())
        }
    }

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut frame = body.to_vec();
        frame.extend_from_slice(&CRC.checksum(body).to_le_bytes());
        frame
    }

    #[test]
    fn it_asks_as_the_specification_says_and_reads_the_answer() {
        let good = frame(&[1, 3, 2, 0x0C, 0x36]);
        let mut line = ScriptedLine::new(&[&good]);
        assert_eq!(line.read(), Ok(Kilopascals::new(312.6).unwrap()));
        // 01 03 00 04 00 01 and its checksum, low byte first.
        assert_eq!(line.sent, [1, 3, 0, 4, 0, 1, 0xC5, 0xCB]);
        let suction = frame(&[1, 3, 2, 0xFF, 0xF6]);
        assert_eq!(ScriptedLine::new(&[&suction]).read(), Ok(Kilopascals::new(-1.0).unwrap()));
    }

    #[test]
    fn floats_lie_in_either_order_of_words() {
        let bytes = 312.5_f32.to_be_bytes();
        let [a, b, c, d] = bytes;
        let input = Transmitter { function: Function::Input, kpa_per_unit: 1.0, ..TRANSMITTER };
        for (format, data) in
            [(RegisterFormat::Float, bytes), (RegisterFormat::FloatSwapped, [c, d, a, b])]
        {
            let transmitter = Transmitter { format, ..input };
            let [a, b, c, d] = data;
            let mut line = ScriptedLine::new(&[&frame(&[1, 4, 4, a, b, c, d])]);
            let read = block_on(transmitter.read(&mut line, &mut NoopDelay::new()));
            assert_eq!(read.kpa, Ok(Kilopascals::new(312.5).unwrap()));
            assert_eq!(line.sent.get(..6), Some(&[1, 4, 0, 4, 0, 2][..]));
        }
        let transmitter = Transmitter { format: RegisterFormat::Float, ..input };
        let not_a_number = frame(&[1, 4, 4, 0x7F, 0xC0, 0, 0]);
        let mut line = ScriptedLine::new(&[&not_a_number, &not_a_number]);
        assert_eq!(
            block_on(transmitter.read(&mut line, &mut NoopDelay::new())).kpa,
            Err(Fault::Garbled)
        );
    }

    #[test]
    fn silence_exceptions_and_garbage_are_told_apart() {
        let good = frame(&[1, 3, 2, 0x0C, 0x36]);
        let mut flipped = good.clone();
        flipped[3] ^= 1;
        let exception = frame(&[1, 0x83, 2]);
        let other_address = frame(&[2, 3, 2, 0x0C, 0x36]);
        let other_function = frame(&[1, 4, 2, 0x0C, 0x36]);
        let too_long = frame(&[1, 3, 200, 0x0C, 0x36]);
        let wrong_count = frame(&[1, 3, 4, 0, 0, 0x0C, 0x36]);
        for (answer, fault) in [
            (&[][..], Fault::Silent),
            (&good[..4], Fault::Silent),
            (&flipped, Fault::Garbled),
            (&exception, Fault::Refused),
            (&other_address, Fault::Garbled),
            (&other_function, Fault::Garbled),
            (&too_long, Fault::Garbled),
            (&wrong_count, Fault::Garbled),
        ] {
            assert_eq!(ScriptedLine::new(&[answer, answer]).read(), Err(fault), "{answer:02x?}");
        }
        let mut broken = ScriptedLine::new(&[]);
        broken.broken = true;
        assert_eq!(broken.read(), Err(Fault::Garbled));
    }

    /// One that answers after the time-out answers the last question, not the next one.
    #[test]
    fn an_answer_that_comes_too_late_is_not_taken_for_the_next() {
        let late = frame(&[1, 3, 2, 0x0C, 0x36]);
        for stale in [&late[..], &late[..3], &[0x55; 40]] {
            let mut line = ScriptedLine::new(&[&frame(&[1, 3, 2, 0, 0x32])]);
            line.incoming.extend(stale);
            assert_eq!(line.read(), Ok(Kilopascals::new(5.0).unwrap()), "{stale:02x?}");
            assert_eq!(line.sent.len(), 8, "asked once");
        }
    }

    #[test]
    fn what_went_wrong_once_is_asked_again_on_a_silent_line() {
        let good = frame(&[1, 3, 2, 0x0C, 0x36]);
        let mut babble = frame(&[9, 9, 2, 1, 1]);
        babble.extend_from_slice(&[0x55; 40]);
        for first in [&[][..], &babble, &good[1..]] {
            let mut line = ScriptedLine::new(&[first, &good]);
            assert_eq!(line.read(), Ok(Kilopascals::new(312.6).unwrap()), "{first:02x?}");
            assert_eq!(line.sent.len(), 16, "asked twice");
        }
        let mut refused = ScriptedLine::new(&[&frame(&[1, 0x83, 2]), &good]);
        assert_eq!(refused.read(), Err(Fault::Refused), "asking again would not help");
    }

    proptest! {
        #[test]
        fn no_frame_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..=LONGEST)) {
            let _ = TRANSMITTER.value(&bytes);
            let _ = TRANSMITTER.value(&frame(&bytes));
        }
    }
}
