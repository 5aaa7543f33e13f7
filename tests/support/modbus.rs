//! A pressure transmitter on the emulator's UART1 that speaks Modbus RTU, and everything that goes
//! wrong with one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// Its address, the function it knows (read holding registers), and the exceptions it makes.
const UNIT: u8 = 1;
const READ: u8 = 3;
const EXCEPTION: u8 = 0x80;
const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;

/// How it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    #[default]
    Good,
    /// With a wrong checksum.
    BadSum,
    Silent,
    /// With an exception: its own device has failed.
    Failed,
    /// With half an answer.
    Cut,
}

#[derive(Debug, Default)]
struct TransmitterState {
    kpa: f32,
    manner: Manner,
    /// When it answered last and with what, Unix milliseconds.
    answered: Vec<(i64, f32)>,
    asked: usize,
}

/// A transmitter, on the line for as long as this lives.
#[derive(Debug)]
pub struct Transmitter {
    /// Where the emulator's serial line is to connect to.
    pub port: u16,
    state: Arc<Mutex<TransmitterState>>,
}

impl Transmitter {
    /// One that measures `kpa`.
    ///
    /// # Panics
    /// Without a loopback interface.
    #[must_use]
    pub fn start(kpa: f32) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(Mutex::new(TransmitterState { kpa, ..TransmitterState::default() }));
        let shared = Arc::downgrade(&state);
        std::thread::spawn(move || {
            for line in listener.incoming() {
                let (Some(state), Ok(line)) = (shared.upgrade(), line) else { return };
                serve(line, &state);
            }
        });
        Self { port, state }
    }

    fn state(&self) -> MutexGuard<'_, TransmitterState> {
        self.state.lock().expect("the transmitter's thread")
    }

    /// The pressure in the barrel from now on, kPa.
    pub fn pressure(&self, kpa: f32) {
        self.state().kpa = kpa;
    }

    /// How it answers from now on.
    pub fn manner(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// Every answer so far: when, Unix milliseconds, and what.
    #[must_use]
    pub fn answered(&self) -> Vec<(i64, f32)> {
        self.state().answered.clone()
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.state().asked
    }
}

/// Until the board is unplugged.
fn serve(mut line: TcpStream, state: &Mutex<TransmitterState>) {
    let _ = line.set_nodelay(true);
    let mut question = [0; 8];
    while line.read_exact(&mut question).is_ok() {
        let answer = {
            let mut state = state.lock().expect("the test's thread");
            state.asked += 1;
            let answer = answer(&question, &state);
            if state.manner == Manner::Good {
                let kpa = state.kpa;
                state.answered.push((crate::now(), kpa));
            }
            answer
        };
        if line.write_all(&answer).is_err() {
            return;
        }
    }
}

fn answer(question: &[u8; 8], state: &TransmitterState) -> Vec<u8> {
    let (asked, sum) = question.split_at(6);
    if sum != checksum(asked) || asked[0] != UNIT || state.manner == Manner::Silent {
        return Vec::new();
    }
    let exception = |code| vec![UNIT, asked[1] | EXCEPTION, code];
    let mut answer = match (asked[1], &asked[2..6]) {
        _ if state.manner == Manner::Failed => exception(4),
        (READ, [0, 0, 0, 2]) => [&[UNIT, READ, 4][..], &state.kpa.to_be_bytes()].concat(),
        (READ, _) => exception(ILLEGAL_ADDRESS),
        _ => exception(ILLEGAL_FUNCTION),
    };
    let mut sum = checksum(&answer);
    if state.manner == Manner::BadSum {
        sum[1] ^= 0x10;
    }
    answer.extend(sum);
    if state.manner == Manner::Cut {
        answer.truncate(4);
    }
    answer
}

/// CRC-16 of Modbus, low byte first; bit by bit, so that it is not the firmware's own.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0xffff_u16;
    for byte in bytes {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xa001 } else { sum >> 1 };
        }
    }
    sum.to_le_bytes()
}
