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

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialFault {
    /// The modem does not answer.
    Silent,
    /// It answers, and has no network.
    NoNetwork,
    /// It has, and reaches nobody.
    NoAnswer,
    /// It does not do what makes the line secure: nothing is said over it.
    Insecure,
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
}

/// What to say to a module, line by line, without the carriage return.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// Said after it is registered; must be answered, `OK` or not.
    pub context: &'a str,
    /// Said then; each must be answered, `OK` or not.
    pub setup: &'a [&'a str],
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
/// A network is looked for so long. NB-IoT in a cellar takes its time.
const REGISTER: Duration = Duration::from_secs(120);
/// Between two questions for the network.
const REGISTER_STEP: Duration = Duration::from_secs(2);
/// A context that the network must first agree to, and the connection: the module does DNS, TCP
/// and TLS. Its maker allows 150 s for each.
const NETWORK: Duration = Duration::from_secs(150);
/// Silence before and after `+++` (V.250 and makers: 1 s).
const GUARD: Duration = Duration::from_millis(1_100);
/// The longest line that is understood; the rest of a longer one is ignored.
const LINE: usize = 64;

/// A cellular module on a UART. `sleep_pin` is its DTR: high lets it sleep.
pub struct AtModem<'a, S, P> {
    stream: S,
    sleep_pin: P,
    script: Script<'a>,
    rssi_dbm: Option<i32>,
    /// It has been transparent, and may be still.
    dialled: bool,
}

/// Is shown the lines of an answer that are not final. One type for all, so that the dialogue is
/// in the image once.
type LineSeen<'s> = &'s mut dyn FnMut(&[u8]);

/// The final line of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ModemAnswer {
    Ok,
    Connect,
    Bad,
}

impl<'a, S: Read + Write, P: OutputPin> AtModem<'a, S, P> {
    /// A module whose state is not known.
    pub const fn new(stream: S, sleep_pin: P, script: Script<'a>) -> Self {
        Self { stream, sleep_pin, script, rssi_dbm: None, dialled: true }
    }

    async fn say(&mut self, line: &str) -> Option<()> {
        self.stream.write_all(line.as_bytes()).await.ok()?;
        self.stream.write_all(b"\r").await.ok()?;
        self.stream.flush().await.ok()
    }

    /// Reads lines until one is final, and shows the others.
    async fn answer(&mut self, seen: LineSeen<'_>) -> Option<ModemAnswer> {
        loop {
            let mut line = heapless::Vec::<u8, LINE>::new();
            loop {
                let mut byte = [0];
                if self.stream.read(&mut byte).await.ok()? == 0 {
                    return None;
                }
                match byte {
                    [b'\n'] => break,
                    [b'\r'] => {}
                    // The rest of a long line is of no interest.
                    [other] => drop(line.push(other)),
                }
            }
            match line.as_slice() {
                b"OK" => return Some(ModemAnswer::Ok),
                answer if answer.starts_with(b"CONNECT") => return Some(ModemAnswer::Connect),
                b"ERROR" | b"NO CARRIER" | b"NO ANSWER" | b"BUSY" => return Some(ModemAnswer::Bad),
                answer if answer.starts_with(b"+CME ERROR") => return Some(ModemAnswer::Bad),
                other => seen(other),
            }
        }
    }

    async fn ask(
        &mut self,
        line: &str,
        within: Duration,
        seen: LineSeen<'_>,
    ) -> Option<ModemAnswer> {
        let exchange = async {
            self.say(line).await?;
            self.answer(seen).await
        };
        with_timeout(within, exchange).await.ok().flatten()
    }

    /// Whether it hears, asked for a second; of a module that is not transparent. One in power
    /// saving mode does not, until its key is pressed; one that does hear would be switched off by
    /// that key.
    pub async fn hears(&mut self) -> bool {
        let _ = self.sleep_pin.set_low();
        for _ in 0..HEAR_TRIES {
            if self.ask("AT", WAKE, &mut |_| ()).await == Some(ModemAnswer::Ok) {
                return true;
            }
        }
        false
    }

    async fn wake(&mut self) -> Result<(), DialFault> {
        // A module without the pin wakes by the first byte.
        let _ = self.sleep_pin.set_low();
        for _ in 0..WAKE_TRIES {
            if self.ask("AT", WAKE, &mut |_| ()).await == Some(ModemAnswer::Ok) {
                return Ok(());
            }
        }
        Err(DialFault::Silent)
    }

    async fn register(&mut self) -> Result<(), DialFault> {
        let until = Instant::now() + REGISTER;
        loop {
            let mut registered = false;
            let mut seen = |line: &[u8]| registered |= is_registered(line);
            if self.ask("AT+CEREG?", ANSWER, &mut seen).await == Some(ModemAnswer::Ok) && registered
            {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(DialFault::NoNetwork);
            }
            Timer::after(REGISTER_STEP).await;
        }
    }
}

impl<S: Read + Write, P: OutputPin> Modem for AtModem<'_, S, P> {
    type Stream = S;

    async fn dial(&mut self) -> Result<(), DialFault> {
        if self.dialled {
            self.hang_up().await;
        }
        self.wake().await?;
        self.ask("ATE0", ANSWER, &mut |_| ()).await.ok_or(DialFault::Silent)?;
        self.register().await?;
        let mut rssi_dbm = None;
        self.ask("AT+CSQ", ANSWER, &mut |line| rssi_dbm = signal_dbm(line).or(rssi_dbm)).await;
        self.rssi_dbm = rssi_dbm;
        let Script { context, setup, secure, .. } = self.script;
        for line in [context].iter().chain(setup) {
            self.ask(line, NETWORK, &mut |_| ()).await.ok_or(DialFault::Silent)?;
        }
        for line in secure {
            let answer = self.ask(line, ANSWER, &mut |_| ()).await.ok_or(DialFault::Silent)?;
            if answer != ModemAnswer::Ok {
                return Err(DialFault::Insecure);
            }
        }
        self.dialled = true;
        match self.ask(self.script.dial, NETWORK, &mut |_| ()).await {
            Some(ModemAnswer::Connect) => Ok(()),
            Some(ModemAnswer::Ok | ModemAnswer::Bad) | None => Err(DialFault::NoAnswer),
        }
    }

    fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    async fn hang_up(&mut self) {
        if !self.dialled {
            return;
        }
        Timer::after(GUARD).await;
        let _ = with_timeout(ANSWER, self.stream.write_all(b"+++")).await;
        let _ = with_timeout(ANSWER, self.stream.flush()).await;
        // What is left of the data goes by, and then `OK`; or `ERROR`, if it was not transparent.
        let _ = with_timeout(GUARD, self.answer(&mut |_| ())).await;
        if self.wake().await.is_ok() {
            let line = self.script.hang_up;
            self.ask(line, ANSWER, &mut |_| ()).await;
            self.dialled = false;
        }
    }

    async fn sleep(&mut self) {
        for line in self.script.sleep {
            self.ask(line, ANSWER, &mut |_| ()).await;
        }
        let _ = self.sleep_pin.set_high();
    }

    fn rssi_dbm(&self) -> Option<i32> {
        self.rssi_dbm
    }
}

/// `+CEREG: <n>,<stat>…`: 1 is home, 5 is roaming (3GPP TS 27.007 §10.1.22).
fn is_registered(line: &[u8]) -> bool {
    let status =
        line.strip_prefix(b"+CEREG:").and_then(|status| status.split(|byte| *byte == b',').nth(1));
    matches!(status.map(<[u8]>::trim_ascii), Some(b"1" | b"5"))
}

/// `+CSQ: <rssi>,<ber>`: 0 to 31 are −113 to −51 dBm; 99 is unknown (3GPP TS 27.007 §8.5).
fn signal_dbm(line: &[u8]) -> Option<i32> {
    let number = line.strip_prefix(b"+CSQ:")?.split(|byte| *byte == b',').next()?;
    let number: i32 = core::str::from_utf8(number.trim_ascii()).ok()?.parse().ok()?;
    (0..=31).contains(&number).then_some(-113 + 2 * number)
}
