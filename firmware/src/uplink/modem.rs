//! How bytes get to the broker: a modem that dials, and then is transparent.
//!
//! [`AtModem`] speaks the dialogue of a cellular module (3GPP TS 27.007 and V.250, with the
//! socket commands of its maker as data in [`Script`]). TLS is the module's: its secure socket
//! is another line to dial, and without the authority it was told of it does not dial at all. A
//! host dials TCP instead.
//!
//! When the broker closes the link, a module says `NO CARRIER` among the data. That is no MQTT
//! packet (its first byte is reserved), so the session ends by itself.

use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_hal::digital::OutputPin;
use embedded_io_async::{Read, Write};

use heapless::String;

use super::at::{Awaited, Line, ModemAnswer};

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialFault {
    /// The modem does not answer.
    Silent,
    /// It has no SIM, or one that is locked or broken: nothing is searched for.
    NoSim,
    /// The network does not let its SIM in: it has lapsed, or is not meant for this network.
    Denied,
    /// It answers, and has no network.
    NoNetwork,
    /// It has, and reaches nobody.
    NoAnswer,
    /// It does not do what makes the line secure: nothing is said over it.
    Insecure,
}

/// What is done to a modem that has failed again and again, before it dials once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Its radio is switched off and on: it forgets where it was refused.
    Radio,
    /// It is started anew.
    Restart,
}

impl DialFault {
    /// As it stands in the status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::NoSim => "no_sim",
            Self::Denied => "denied",
            Self::NoNetwork => "no_network",
            Self::NoAnswer => "no_answer",
            Self::Insecure => "insecure",
        }
    }
}

/// What a modem says of itself and of its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModemFacts {
    /// Its number; empty: it has not said.
    pub imei: String<IMEI>,
    /// Its SIM's.
    pub iccid: String<20>,
    pub firmware: String<24>,
    /// How long the network was looked for last, seconds.
    pub attach_s: u16,
    /// The reference signal's power, dBm.
    pub rsrp_dbm: Option<i16>,
    /// The signal-to-noise ratio of the reference signal, dB.
    pub snr_db: Option<i16>,
}

impl ModemFacts {
    /// It has said nothing yet.
    pub const NONE: Self = Self {
        imei: String::new(),
        iccid: String::new(),
        firmware: String::new(),
        attach_s: 0,
        rsrp_dbm: None,
        snr_db: None,
    };
}

/// Opens and closes a stream of bytes to the broker.
#[expect(async_fn_in_trait, reason = "one task owns it, on one core; nothing is sent elsewhere")]
pub trait Modem {
    /// What it opens.
    type Stream: Read + Write;

    /// Wakes the modem, waits for the network and dials.
    ///
    /// # Errors
    /// [`DialFault`] says how far it came; [`Modem::hang_up`] comes next all the same.
    async fn dial(&mut self) -> Result<(), DialFault>;

    /// What was opened last.
    fn stream(&mut self) -> &mut Self::Stream;

    /// Closes what [`Modem::dial`] opened, if anything.
    async fn hang_up(&mut self);

    /// Nothing is wanted of it until the next [`Modem::dial`].
    async fn sleep(&mut self);

    /// Signal strength when it dialled last, dBm.
    fn rssi_dbm(&self) -> Option<i32>;

    /// What it says of itself and of its network, when it does.
    fn facts(&self) -> Option<&ModemFacts> {
        None
    }

    /// Tries to bring it to its senses; [`Modem::dial`] comes next, whatever came of it.
    async fn recover(&mut self, _: Recovery) {}
}

/// What to say to a module, line by line, without the carriage return.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// Said after it is registered; must be answered, `OK` or not.
    pub context: &'a str,
    /// Said then; each must be answered, `OK` or not.
    pub setup: &'a [&'a str],
    /// Said then; must be answered, `OK` or not, and the network must agree first.
    pub activate: &'a str,
    /// Said then; each must be answered by `OK`.
    pub secure: &'a [&'a str],
    /// Answered by `CONNECT`.
    pub dial: &'a str,
    /// Said after `+++`; answered by `OK`.
    pub hang_up: &'a str,
    /// Said before it sleeps; answered by `OK`.
    pub sleep: &'a [&'a str],
}

/// A pin that is not there, for a module that sleeps by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPin;

impl embedded_hal::digital::ErrorType for NoPin {
    type Error = core::convert::Infallible;
}

impl OutputPin for NoPin {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// It is asked so often whether it is awake …
const WAKE_TRIES: u32 = 20;
/// … or, when its key can be pressed, so often …
const HEAR_TRIES: u32 = 2;
/// … and given so long to answer each time. Modules boot in up to 10 s.
const WAKE: Duration = Duration::from_millis(500);
/// An ordinary answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Its radio switched on or off (Quectel: 15 s at most).
const FUNCTION: Duration = Duration::from_secs(15);
/// A socket closed: the module itself allows 10 s (Quectel's TCP/IP note), and answers after that.
const CLOSE: Duration = Duration::from_secs(12);
/// A SIM that is busy is asked so often, [`REGISTER_STEP`] apart.
const SIM_TRIES: u32 = 5;
/// A network is looked for so long. NB-IoT in a cellar takes its time.
pub const REGISTER_S: u32 = 120;
const REGISTER: Duration = Duration::from_secs(REGISTER_S as u64);
/// A network that says no is believed after this: it may have meant one cell of several.
pub const DENIED_S: u32 = 20;
const DENIED: Duration = Duration::from_secs(DENIED_S as u64);
/// Between two questions for the network.
const REGISTER_STEP: Duration = Duration::from_secs(2);
/// A context that the network must first agree to, and the connection: the module does DNS, TCP
/// and TLS. Its maker allows 150 s for each.
pub const NETWORK_S: u32 = 150;
const NETWORK: Duration = Duration::from_secs(NETWORK_S as u64);
/// Silence before and after `+++` (V.250 and makers: 1 s).
const GUARD: Duration = Duration::from_millis(1_100);
/// Digits of an IMEI.
const IMEI: usize = 15;
/// Numbers instead of a bare `ERROR`.
const NUMBERED_ERRORS: &str = "AT+CMEE=1";

/// A cellular module on a UART. `sleep_pin` is its DTR: high lets it sleep.
pub struct AtModem<'a, S, P> {
    line: Line<S>,
    sleep_pin: P,
    script: Script<'a>,
    rssi_dbm: Option<i32>,
    facts: ModemFacts,
    /// It has been transparent, and may be still.
    dialled: bool,
    network: Network,
}

/// What was found when it dialled last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Network {
    Unknown,
    Found,
    /// It goes on searching unless its radio is switched off: power saving mode begins with a
    /// network that grants it.
    Lost,
    /// Its radio is off.
    Off,
}

impl<'a, S: Read + Write, P: OutputPin> AtModem<'a, S, P> {
    /// A module whose state is not known.
    pub const fn new(stream: S, sleep_pin: P, script: Script<'a>) -> Self {
        Self {
            line: Line::new(stream),
            sleep_pin,
            script,
            rssi_dbm: None,
            facts: ModemFacts::NONE,
            dialled: true,
            network: Network::Unknown,
        }
    }

    async fn ask(&mut self, command: &str, within: Duration) -> Option<ModemAnswer> {
        self.line.ask(command, Awaited::Ok, within, &mut |_| ()).await
    }

    /// Whether it hears, asked for a second; of a module that is not transparent. One in power
    /// saving mode does not, until its key is pressed; one that does hear would be switched off by
    /// that key.
    pub async fn hears(&mut self) -> bool {
        let _ = self.sleep_pin.set_low();
        for _ in 0..HEAR_TRIES {
            if self.ask("AT", WAKE).await == Some(ModemAnswer::Ok) {
                return true;
            }
        }
        false
    }

    /// Switches it off: from then on it hears nothing until its key is pressed.
    pub async fn power_off(&mut self) {
        self.ask("AT+QPOWD=1", ANSWER).await;
        self.network = Network::Unknown;
        self.dialled = false;
    }

    /// Whether it found no network when it dialled last, and would search for one all night.
    #[must_use]
    pub fn is_searching(&self) -> bool {
        self.network == Network::Lost
    }

    async fn wake(&mut self) -> Result<(), DialFault> {
        // A module without the pin wakes by the first byte.
        let _ = self.sleep_pin.set_low();
        for _ in 0..WAKE_TRIES {
            if self.ask("AT", WAKE).await == Some(ModemAnswer::Ok) {
                return Ok(());
            }
        }
        Err(DialFault::Silent)
    }

    /// Whether there is a SIM, before anything is searched for.
    async fn check_sim(&mut self) -> Result<(), DialFault> {
        for _ in 0..SIM_TRIES {
            let mut ready = false;
            let mut seen = |line: &[u8]| ready |= line == b"+CPIN: READY";
            let asked = Awaited::Information(b"+CPIN:");
            match self.line.ask("AT+CPIN?", asked, ANSWER, &mut seen).await {
                None => return Err(DialFault::Silent),
                Some(ModemAnswer::Ok) if ready => return Ok(()),
                Some(ModemAnswer::Ok) => return Err(DialFault::NoSim),
                Some(ModemAnswer::Bad(Some(SIM_BUSY))) => Timer::after(REGISTER_STEP).await,
                Some(ModemAnswer::Bad(Some(_))) => return Err(DialFault::NoSim),
                // It does not say what is wrong: whether there is a network, it will.
                Some(ModemAnswer::Bad(None) | ModemAnswer::Connect) => return Ok(()),
            }
        }
        Err(DialFault::NoSim)
    }

    async fn register(&mut self) -> Result<(), DialFault> {
        let began = Instant::now();
        let mut denied = None;
        loop {
            let mut registration = Registration::Searching;
            let mut seen =
                |line: &[u8]| registration = registration_of(line).unwrap_or(registration);
            let asked = Awaited::Information(b"+CEREG:");
            let answer = self.line.ask("AT+CEREG?", asked, ANSWER, &mut seen).await;
            let now = Instant::now();
            match registration {
                Registration::Done if answer == Some(ModemAnswer::Ok) => {
                    let took_s = (now - began).as_secs();
                    self.facts.attach_s = u16::try_from(took_s).unwrap_or(u16::MAX);
                    return Ok(());
                }
                Registration::Done | Registration::Searching => denied = None,
                Registration::Denied => {
                    if now - *denied.get_or_insert(now) >= DENIED {
                        return Err(DialFault::Denied);
                    }
                }
            }
            if now - began >= REGISTER {
                return Err(DialFault::NoNetwork);
            }
            Timer::after(REGISTER_STEP).await;
        }
    }

    /// How well the network is heard; and, once, who modem and SIM are. None of it is needed.
    async fn take_facts(&mut self) {
        let mut rssi_dbm = None;
        let mut seen = |line: &[u8]| rssi_dbm = signal_dbm(line).or(rssi_dbm);
        self.line.ask("AT+CSQ", Awaited::Information(b"+CSQ:"), ANSWER, &mut seen).await;
        self.rssi_dbm = rssi_dbm;
        let (mut rsrp_dbm, mut snr_db) = (None, None);
        let mut seen = |line: &[u8]| {
            if let Some(quality) = quality(line) {
                (rsrp_dbm, snr_db) = quality;
            }
        };
        self.line.ask("AT+QCSQ", Awaited::Information(b"+QCSQ:"), ANSWER, &mut seen).await;
        (self.facts.rsrp_dbm, self.facts.snr_db) = (rsrp_dbm, snr_db);
        if !self.facts.imei.is_empty() {
            return;
        }
        let facts = &mut self.facts;
        let mut seen = |line: &[u8]| {
            if line.len() == IMEI && line.iter().all(u8::is_ascii_digit) {
                keep(line, &mut facts.imei);
            }
        };
        self.line.ask("AT+CGSN", Awaited::Ok, ANSWER, &mut seen).await;
        let mut seen = |line: &[u8]| {
            if let Some(number) = line.strip_prefix(b"+QCCID:") {
                keep(number, &mut facts.iccid);
            }
        };
        self.line.ask("AT+QCCID", Awaited::Information(b"+QCCID:"), ANSWER, &mut seen).await;
        let mut seen = |line: &[u8]| keep(line, &mut facts.firmware);
        self.line.ask("AT+CGMR", Awaited::Ok, ANSWER, &mut seen).await;
    }

    async fn find_network(&mut self) -> Result<(), DialFault> {
        self.ask("ATE0", ANSWER).await.ok_or(DialFault::Silent)?;
        self.ask(NUMBERED_ERRORS, ANSWER).await.ok_or(DialFault::Silent)?;
        if self.network == Network::Off {
            self.ask(RADIO_ON, FUNCTION).await.ok_or(DialFault::Silent)?;
        }
        self.network = Network::Lost;
        self.check_sim().await?;
        self.register().await?;
        self.network = Network::Found;
        Ok(())
    }
}

/// Its radio and its SIM off, and on again.
const RADIO_OFF: &str = "AT+CFUN=0";
const RADIO_ON: &str = "AT+CFUN=1";
/// On again with a restart.
const RESTART: &str = "AT+CFUN=1,1";
/// `+CME ERROR: 14`: the SIM is busy (3GPP TS 27.007 §9.2.1).
const SIM_BUSY: u16 = 14;

impl<S: Read + Write, P: OutputPin> Modem for AtModem<'_, S, P> {
    type Stream = S;

    async fn dial(&mut self) -> Result<(), DialFault> {
        if self.dialled {
            self.hang_up().await;
        }
        self.wake().await?;
        self.find_network().await?;
        self.take_facts().await;
        let Script { context, setup, activate, secure, .. } = self.script;
        for command in [context].iter().chain(setup) {
            self.ask(command, ANSWER).await.ok_or(DialFault::Silent)?;
        }
        self.ask(activate, NETWORK).await.ok_or(DialFault::Silent)?;
        for command in secure {
            if self.ask(command, ANSWER).await.ok_or(DialFault::Silent)? != ModemAnswer::Ok {
                return Err(DialFault::Insecure);
            }
        }
        self.dialled = true;
        let dial = self.script.dial;
        match self.line.ask(dial, Awaited::Connect, NETWORK, &mut |_| ()).await {
            Some(ModemAnswer::Connect) => Ok(()),
            Some(ModemAnswer::Ok | ModemAnswer::Bad(_)) | None => Err(DialFault::NoAnswer),
        }
    }

    fn stream(&mut self) -> &mut S {
        &mut self.line.stream
    }

    async fn hang_up(&mut self) {
        if !self.dialled {
            return;
        }
        Timer::after(GUARD).await;
        let _ = with_timeout(ANSWER, self.line.stream.write_all(b"+++")).await;
        let _ = with_timeout(ANSWER, self.line.stream.flush()).await;
        // What is left of the data goes by, and then `OK`; or `ERROR`, if it was not transparent.
        self.line.hear(GUARD).await;
        if self.wake().await.is_ok() {
            let command = self.script.hang_up;
            self.ask(command, CLOSE).await;
            self.dialled = false;
        }
    }

    async fn sleep(&mut self) {
        if self.network == Network::Lost && self.ask(RADIO_OFF, FUNCTION).await.is_some() {
            self.network = Network::Off;
        }
        for command in self.script.sleep {
            self.ask(command, ANSWER).await;
        }
        let _ = self.sleep_pin.set_high();
    }

    async fn recover(&mut self, recovery: Recovery) {
        if self.dialled {
            self.hang_up().await;
        }
        if self.wake().await.is_err() {
            return;
        }
        match recovery {
            Recovery::Radio => {
                self.ask(RADIO_OFF, FUNCTION).await;
                self.ask(RADIO_ON, FUNCTION).await;
            }
            // It answers, and is deaf while it starts; the dial waits for that.
            Recovery::Restart => drop(self.ask(RESTART, FUNCTION).await),
        }
        self.network = Network::Unknown;
    }

    fn rssi_dbm(&self) -> Option<i32> {
        self.rssi_dbm
    }

    fn facts(&self) -> Option<&ModemFacts> {
        Some(&self.facts)
    }
}

/// Keeps the first line that is a number or a name: what comes unasked begins with a plus or has
/// blanks in it.
fn keep<const N: usize>(line: &[u8], into: &mut String<N>) {
    let line = line.trim_ascii();
    let plain = line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    if !plain || line.is_empty() || !into.is_empty() {
        return;
    }
    let line = line.get(..N.min(line.len())).unwrap_or_default();
    // It was just cut to what fits.
    let _ = into.push_str(core::str::from_utf8(line).unwrap_or_default());
}

/// `+QCSQ: "NBIoT",<rssi>,<rsrp>,<sinr>,<rsrq>`: dBm, and fifths of a dB above −20 (Quectel's AT
/// commands manual).
fn quality(line: &[u8]) -> Option<(Option<i16>, Option<i16>)> {
    let mut fields = line.strip_prefix(b"+QCSQ:")?.split(|byte| *byte == b',').skip(2);
    let mut number =
        || -> Option<i16> { core::str::from_utf8(fields.next()?.trim_ascii()).ok()?.parse().ok() };
    let (rsrp_dbm, sinr) = (number(), number());
    let snr_db = sinr.filter(|sinr| (0..=250).contains(sinr)).map(|sinr| sinr / 5 - 20);
    Some((rsrp_dbm.filter(|rsrp| (-160..=-30).contains(rsrp)), snr_db))
}

/// What the network says of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registration {
    Done,
    Searching,
    Denied,
}

/// `+CEREG: <n>,<stat>…`: 1 is home, 5 is roaming, 3 is denied (3GPP TS 27.007 §10.1.22). One that
/// comes unasked has no `<n>`, and a place in quotes in its stead.
fn registration_of(line: &[u8]) -> Option<Registration> {
    let status = line.strip_prefix(b"+CEREG:")?.split(|byte| *byte == b',').nth(1)?;
    match status.trim_ascii() {
        b"1" | b"5" => Some(Registration::Done),
        b"3" => Some(Registration::Denied),
        [b'0'..=b'9'] => Some(Registration::Searching),
        _ => None,
    }
}

/// `+CSQ: <rssi>,<ber>`: 0 to 31 are −113 to −51 dBm; 99 is unknown (3GPP TS 27.007 §8.5).
fn signal_dbm(line: &[u8]) -> Option<i32> {
    let number = line.strip_prefix(b"+CSQ:")?.split(|byte| *byte == b',').next()?;
    let number: i32 = core::str::from_utf8(number.trim_ascii()).ok()?.parse().ok()?;
    (0..=31).contains(&number).then_some(-113 + 2 * number)
}
