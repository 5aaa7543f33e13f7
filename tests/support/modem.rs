//! A cellular modem between the emulator's UART0 and the broker, and everything that goes wrong
//! with one: no carrier, a dead zone, delay, bytes that were not sent like that.
//!
//! It talks as a Quectel BG95 does (AT commands, transparent mode after `AT+QIOPEN` or
//! `AT+QSSLOPEN`), echoes until told not to, keeps its connection when the processor restarts, and
//! loses it without a farewell when the board loses its power. It counts how long it is awake: once it
//! was told that it may sleep, and knows a network that grants it power saving mode, or its radio is
//! off, it sleeps until it hears a byte, which it loses.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::instant;

/// How often it looks for bytes.
const TICK: Duration = Duration::from_millis(1);
/// `+++` counts only with so much silence before and after it (V.250's default is 1 s).
const GUARD: Duration = Duration::from_millis(900);

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Air {
    #[default]
    Clear,
    /// The modem notices that the network has gone: `NO CARRIER`, and every dial fails.
    NoCarrier,
    /// Nobody notices: what is sent vanishes, nothing comes, and a dial is never answered.
    DeadZone,
    /// Its SIM has fallen out of its holder.
    NoSim,
}

/// What a test may change at any time, and what the modem has counted.
#[derive(Debug, Default)]
struct ModemState {
    air: Air,
    delay: Duration,
    /// Every so many bytes of the broker's, one has a bit flipped. 0: none.
    corrupt_every: usize,
    broker: u16,
    temper: Temper,
    dials: usize,
    connected: usize,
    said: Vec<String>,
    /// How long it has been awake, without the time since it woke last.
    awake: Duration,
    woke: Option<Instant>,
}

/// How it talks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Temper {
    #[default]
    Plain,
    /// Every fourth answer comes 700 ms late, and something unasked comes before every third.
    Rough,
}

/// What it says unasked.
const UNSOLICITED: [&str; 4] =
    ["+QIND: SMS DONE", "+CEREG: 5,\"12AB\",\"01A2B3C4\",9", "APP RDY", "+QSSLURC: \"closed\",1"];
const LATE: Duration = Duration::from_millis(700);
/// From the last word to power saving mode (T3324), and from the first byte to listening.
const ASLEEP_AFTER: Duration = Duration::from_secs(2);
const WAKES_IN: Duration = Duration::from_millis(900);

/// A modem, plugged in for as long as this lives.
#[derive(Debug)]
pub struct Modem {
    /// Where the emulator's serial line is to connect to.
    pub port: u16,
    state: Arc<Mutex<ModemState>>,
}

impl Modem {
    /// A modem whose network leads to this broker.
    ///
    /// # Panics
    /// Without a loopback interface.
    #[must_use]
    pub fn start(broker: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(Mutex::new(ModemState { broker, ..ModemState::default() }));
        let shared = Arc::downgrade(&state);
        std::thread::spawn(move || {
            // A modem that lost its power hangs up nowhere: the broker finds out by itself.
            let mut orphans = Vec::new();
            for board in listener.incoming() {
                let Some(state) = shared.upgrade() else { return };
                let Ok(board) = board else { continue };
                let mut line = ModemLine::new(board, state);
                line.serve();
                orphans.extend(line.link.take());
            }
        });
        Self { port, state }
    }

    fn state(&self) -> MutexGuard<'_, ModemState> {
        self.state.lock().expect("the modem's thread")
    }

    /// Changes the weather.
    pub fn air(&self, air: Air) {
        self.state().air = air;
    }

    /// Everything takes this long, each way.
    pub fn delay(&self, by: Duration) {
        self.state().delay = by;
    }

    /// Flips a bit in one of so many bytes of what the broker sends; 0: in none.
    pub fn corrupt_every(&self, bytes: usize) {
        self.state().corrupt_every = bytes;
    }

    /// Talks like this from now on.
    pub fn temper(&self, temper: Temper) {
        self.state().temper = temper;
    }

    /// How long it has been awake.
    #[must_use]
    pub fn awake(&self) -> Duration {
        let state = self.state();
        state.awake + state.woke.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Leads to another broker from the next dial on.
    pub fn lead_to(&self, broker: u16) {
        self.state().broker = broker;
    }

    /// How often the board has dialled, and how often somebody answered.
    #[must_use]
    pub fn dials(&self) -> (usize, usize) {
        let state = self.state();
        (state.dials, state.connected)
    }

    /// Every command of the board so far.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.state().said.clone()
    }
}

/// Bytes on their way, each with the moment it may arrive.
type Wire = VecDeque<(Instant, u8)>;

struct ModemLine {
    board: TcpStream,
    state: Arc<Mutex<ModemState>>,
    /// The connection, once dialled.
    link: Option<TcpStream>,
    /// Transparent, or listening to commands.
    transparent: bool,
    echo: bool,
    command: Vec<u8>,
    last_heard: Instant,
    /// When `+++` was heard after silence.
    escape: Option<Instant>,
    up: Wire,
    down: Wire,
    passed_down: usize,
    /// It may sleep.
    sleepy: bool,
    radio_off: bool,
    asleep: bool,
    /// Deaf until then.
    waking: Option<Instant>,
}

impl ModemLine {
    fn new(board: TcpStream, state: Arc<Mutex<ModemState>>) -> Self {
        let _ = board.set_nonblocking(true);
        let _ = board.set_nodelay(true);
        Self {
            board,
            state,
            link: None,
            transparent: false,
            echo: true,
            command: Vec::new(),
            last_heard: instant(),
            escape: None,
            up: Wire::new(),
            down: Wire::new(),
            passed_down: 0,
            sleepy: false,
            radio_off: false,
            asleep: false,
            waking: None,
        }
    }

    /// Whether the test still holds its handle.
    fn wanted(&self) -> bool {
        Arc::strong_count(&self.state) > 1
    }

    fn state(&self) -> MutexGuard<'_, ModemState> {
        self.state.lock().expect("the test's thread")
    }

    /// Until the board is unplugged or the test has ended.
    fn serve(&mut self) {
        self.state().woke = Some(instant());
        while self.wanted() {
            self.fall_asleep();
            match take(&mut self.board) {
                Taken::Bytes(bytes) => self.hear(&bytes),
                Taken::Nothing => {}
                Taken::End => return,
            }
            self.leave_transparent();
            self.weather();
            self.exchange();
            std::thread::sleep(TICK);
        }
    }

    fn say(&mut self, text: &str) {
        let _ = self.board.write_all(format!("\r\n{text}\r\n").as_bytes());
    }

    /// Power saving mode: the network must have granted it, or there is none to talk to.
    fn fall_asleep(&mut self) {
        let granted = self.radio_off || self.state().air == Air::Clear;
        let quiet = self.last_heard.elapsed() >= ASLEEP_AFTER;
        if self.asleep || !self.sleepy || !granted || !quiet || self.transparent {
            return;
        }
        self.asleep = true;
        let mut state = self.state();
        if let Some(woke) = state.woke.take() {
            state.awake += woke.elapsed();
        }
    }

    /// Whether it is deaf to these bytes: they wake it, or it is still waking.
    fn is_deaf(&mut self) -> bool {
        if std::mem::take(&mut self.asleep) {
            self.state().woke = Some(instant());
            self.waking = Some(instant() + WAKES_IN);
            self.sleepy = false;
        }
        self.waking = self.waking.filter(|until| *until > instant());
        self.waking.is_some()
    }

    fn hear(&mut self, bytes: &[u8]) {
        if self.is_deaf() {
            self.last_heard = instant();
            return;
        }
        let silent = self.last_heard.elapsed() >= GUARD;
        self.last_heard = instant();
        if self.transparent {
            self.escape = (silent && bytes == b"+++").then(instant);
            if self.escape.is_none() {
                let due = instant() + self.state().delay;
                self.up.extend(bytes.iter().map(|byte| (due, *byte)));
            }
            return;
        }
        if self.echo {
            let _ = self.board.write_all(bytes);
        }
        for byte in bytes {
            match byte {
                b'\r' => {
                    let command = String::from_utf8_lossy(&self.command).trim().to_owned();
                    self.command.clear();
                    self.obey(&command);
                }
                other => self.command.push(*other),
            }
        }
    }

    /// After `+++` and silence on both sides it listens to commands; the connection stays.
    fn leave_transparent(&mut self) {
        if self.escape.is_some_and(|at| at.elapsed() >= GUARD) {
            self.escape = None;
            self.transparent = false;
            self.say("OK");
        }
    }

    fn obey(&mut self, command: &str) {
        self.state().said.push(command.to_owned());
        let (air, temper, number) = {
            let state = self.state();
            (state.air, state.temper, state.said.len())
        };
        if temper == Temper::Rough {
            if number.is_multiple_of(4) {
                std::thread::sleep(LATE);
            }
            if number.is_multiple_of(3) {
                self.say(UNSOLICITED[number % UNSOLICITED.len()]);
            }
        }
        match command {
            "" => {}
            "AT" => self.say("OK"),
            "ATE0" => {
                self.echo = false;
                self.say("OK");
            }
            "AT+CEREG?" => {
                let registered = if air == Air::Clear { 1 } else { 2 };
                self.say(&format!("+CEREG: 0,{registered}\r\n\r\nOK"));
            }
            "AT+CSQ" => self.say("+CSQ: 18,99\r\n\r\nOK"),
            "AT+QCSQ" => self.say("+QCSQ: \"NBIoT\",-81,-93,195,-10\r\n\r\nOK"),
            "AT+CPIN?" if air == Air::NoSim => self.say("+CME ERROR: 10"),
            "AT+CPIN?" => self.say("+CPIN: READY\r\n\r\nOK"),
            "AT+CGSN" => self.say("864475040000001\r\n\r\nOK"),
            "AT+QCCID" => self.say("+QCCID: 89860449101891234567\r\n\r\nOK"),
            "AT+CGMR" => self.say("BG95M3LAR02A03\r\n\r\nOK"),
            "AT+QICLOSE=0" | "AT+QSSLCLOSE=0" => {
                self.link = None;
                self.say("OK");
            }
            "AT+QSCLK=1" => {
                self.sleepy = true;
                self.say("OK");
            }
            "AT+CFUN=0" | "AT+CFUN=1" => {
                self.radio_off = command == "AT+CFUN=0";
                self.say("OK");
            }
            // The TLS is between it and the broker: what the board says over it is the same.
            _ if command.starts_with("AT+QIOPEN=") || command.starts_with("AT+QSSLOPEN=") => {
                self.dial(command, air);
            }
            _ if [
                "AT+QICSGP=",
                "AT+QIACT=",
                "AT+CFUN=",
                "AT+QSCLK=",
                "AT+CPSMS=",
                "AT+CMEE=",
                "AT+QSSLCFG=",
            ]
            .iter()
            .any(|known| command.starts_with(known)) =>
            {
                self.say("OK");
            }
            _ => self.say("ERROR"),
        }
    }

    /// `AT+QIOPEN=context,socket,"TCP","host",port,local port,2`, or
    /// `AT+QSSLOPEN=context,TLS,socket,"host",port,2`; any host leads to the broker.
    fn dial(&mut self, command: &str, air: Air) {
        let broker = {
            let mut state = self.state();
            state.dials += 1;
            state.broker
        };
        let fields: Vec<&str> = command.split(',').collect();
        let tls = command.starts_with("AT+QSSLOPEN=");
        let (kind, mode) = if tls { ("0", 5) } else { ("\"TCP\"", 6) };
        let sound = fields.get(2) == Some(&kind)
            && fields.get(3).is_some_and(|host| host.len() > 2)
            && fields.get(4).is_some_and(|port| port.parse::<u16>().is_ok())
            && fields.get(mode) == Some(&"2");
        if !sound {
            return self.say("ERROR");
        }
        match air {
            Air::DeadZone => return,
            Air::NoCarrier | Air::NoSim => return self.say("NO CARRIER"),
            Air::Clear => {}
        }
        let to = SocketAddr::from(([127, 0, 0, 1], broker));
        match TcpStream::connect_timeout(&to, Duration::from_secs(1)) {
            Ok(link) => {
                let _ = link.set_nonblocking(true);
                let _ = link.set_nodelay(true);
                self.link = Some(link);
                self.transparent = true;
                self.up.clear();
                self.down.clear();
                self.state().connected += 1;
                self.say("CONNECT");
            }
            Err(_) => self.say("NO CARRIER"),
        }
    }

    /// Without a carrier the connection ends, on both sides.
    fn weather(&mut self) {
        if self.state().air == Air::NoCarrier && self.link.is_some() {
            self.hang_up();
        }
    }

    fn hang_up(&mut self) {
        self.link = None;
        self.escape = None;
        if std::mem::take(&mut self.transparent) {
            self.say("NO CARRIER");
        }
    }

    /// Passes on in both directions what is due; in a dead zone nothing.
    fn exchange(&mut self) {
        let (air, delay, corrupt_every) = {
            let state = self.state();
            (state.air, state.delay, state.corrupt_every)
        };
        let Some(link) = self.link.as_mut() else { return };
        match take(link) {
            Taken::Bytes(bytes) => {
                let due = instant() + delay;
                for mut byte in bytes {
                    self.passed_down += 1;
                    if corrupt_every > 0 && self.passed_down.is_multiple_of(corrupt_every) {
                        byte ^= 1 << (self.passed_down / corrupt_every % 8);
                    }
                    self.down.push_back((due, byte));
                }
            }
            Taken::Nothing => {}
            Taken::End => return self.hang_up(),
        }
        let (up, down) = (ready(&mut self.up), ready(&mut self.down));
        if air == Air::DeadZone {
            return;
        }
        let _ = link.write_all(&up);
        if self.transparent {
            let _ = self.board.write_all(&down);
        }
    }
}

enum Taken {
    Bytes(Vec<u8>),
    Nothing,
    End,
}

fn take(stream: &mut TcpStream) -> Taken {
    let mut bytes = vec![0; 4096];
    match stream.read(&mut bytes) {
        Ok(0) => Taken::End,
        Ok(count) => {
            bytes.truncate(count);
            Taken::Bytes(bytes)
        }
        Err(bad) if matches!(bad.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Taken::Nothing
        }
        Err(_) => Taken::End,
    }
}

fn ready(wire: &mut Wire) -> Vec<u8> {
    let count = wire.iter().take_while(|(due, _)| *due <= instant()).count();
    wire.drain(..count).map(|(_, byte)| byte).collect()
}
