//! The line between a program and a cellular module: commands, their answers, and whatever the
//! module says in between (3GPP TS 27.007, V.250).
//!
//! An answer is taken for that of the command that was asked last, and for no other:
//!
//! - after a time-out the line is drained before the next command, so that an answer that comes
//!   late answers nothing;
//! - a command that asks for information is answered by that information and `OK`: an `OK` alone is
//!   another command's;
//! - `CONNECT` answers a dial only, and a dial is answered by nothing else but a refusal;
//! - everything else is unsolicited, wherever it comes, and is shown to whoever asked.
//!
//! Which commands are said is in [`super::modem`] and [`super::bg95`].

use embassy_time::{Duration, Instant, with_timeout};
use embedded_io_async::{Read, Write};

/// The longest line that is understood; the rest of a longer one is ignored.
const LINE: usize = 64;
/// A line that has been silent for so long has nothing left to say.
const SILENCE: Duration = Duration::from_millis(300);
/// A module that talks on and on is not waited for any longer.
const DRAIN: Duration = Duration::from_secs(3);

/// Is shown the lines of an answer that are not final. One type for all, so that the dialogue is
/// in the image once.
pub(super) type LineSeen<'s> = &'s mut dyn FnMut(&[u8]);

/// What ends the answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Ok,
    /// A line that begins like this, and then `OK`.
    Information(&'static [u8]),
    /// `CONNECT`: from then on the line is transparent.
    Connect,
}

/// The final line of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModemAnswer {
    Ok,
    Connect,
    /// Refused; with the number of `+CME ERROR`, when it has one.
    Bad(Option<u16>),
}

/// A line to a module.
pub(super) struct Line<S> {
    pub(super) stream: S,
    /// The answer to an earlier command has not come, and may come yet.
    late: bool,
}

impl<S: Read + Write> Line<S> {
    /// Nothing is known of what the module says at this moment.
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, late: false }
    }

    /// Says a command and waits for its answer; `None`: it did not come in time.
    pub(super) async fn ask(
        &mut self,
        command: &str,
        awaited: Awaited,
        within: Duration,
        seen: LineSeen<'_>,
    ) -> Option<ModemAnswer> {
        if self.late {
            self.drain().await;
        }
        let exchange = async {
            self.say(command).await?;
            self.answer(awaited, seen).await
        };
        let answer = with_timeout(within, exchange).await.ok().flatten();
        self.late = answer.is_none();
        answer
    }

    /// Waits for the answer to something that was said without [`Self::ask`].
    pub(super) async fn hear(&mut self, within: Duration) {
        let answer = with_timeout(within, self.answer(Awaited::Ok, &mut |_| ())).await;
        self.late = !matches!(answer, Ok(Some(_)));
    }

    async fn say(&mut self, command: &str) -> Option<()> {
        self.stream.write_all(command.as_bytes()).await.ok()?;
        self.stream.write_all(b"\r").await.ok()?;
        self.stream.flush().await.ok()
    }

    /// Lets go by whatever comes late, until the line is silent.
    async fn drain(&mut self) {
        let until = Instant::now() + DRAIN;
        let mut late = [0; 32];
        while Instant::now() < until {
            match with_timeout(SILENCE, self.stream.read(&mut late)).await {
                Ok(Ok(count)) if count > 0 => {}
                // Silence; or the line is cut, which the next command finds out.
                Ok(_) | Err(_) => break,
            }
        }
    }

    /// Reads lines until one ends the answer, and shows the others.
    async fn answer(&mut self, awaited: Awaited, seen: LineSeen<'_>) -> Option<ModemAnswer> {
        let mut informed = !matches!(awaited, Awaited::Information(_));
        loop {
            let line = self.line().await?;
            match (final_line(&line), awaited) {
                // An `OK` before its information, or to a dial, is that of an earlier command.
                (Some(ModemAnswer::Ok), Awaited::Ok | Awaited::Information(_)) if informed => {
                    return Some(ModemAnswer::Ok);
                }
                (Some(ModemAnswer::Connect), Awaited::Connect) => {
                    return Some(ModemAnswer::Connect);
                }
                (Some(refused @ ModemAnswer::Bad(_)), _) => return Some(refused),
                // How a call ends, or that another one has ended.
                (None, Awaited::Connect) if is_hung_up(&line) => {
                    return Some(ModemAnswer::Bad(None));
                }
                (None, Awaited::Information(prefix)) => {
                    informed |= line.starts_with(prefix);
                    seen(&line);
                }
                (None, Awaited::Ok | Awaited::Connect) => seen(&line),
                (Some(ModemAnswer::Ok | ModemAnswer::Connect), _) => {}
            }
        }
    }

    async fn line(&mut self) -> Option<heapless::Vec<u8, LINE>> {
        let mut line = heapless::Vec::<u8, LINE>::new();
        loop {
            let mut byte = [0];
            if self.stream.read(&mut byte).await.ok()? == 0 {
                return None;
            }
            match byte {
                [b'\n'] => return Some(line),
                [b'\r'] => {}
                // The rest of a long line is of no interest.
                [other] => drop(line.push(other)),
            }
        }
    }
}

fn final_line(line: &[u8]) -> Option<ModemAnswer> {
    match line {
        b"OK" => Some(ModemAnswer::Ok),
        b"ERROR" => Some(ModemAnswer::Bad(None)),
        b"CONNECT" => Some(ModemAnswer::Connect),
        // With the speed of the line.
        _ if line.starts_with(b"CONNECT ") => Some(ModemAnswer::Connect),
        _ => {
            let code = line.strip_prefix(b"+CME ERROR:")?;
            let code = core::str::from_utf8(code.trim_ascii()).ok();
            Some(ModemAnswer::Bad(code.and_then(|code| code.parse().ok())))
        }
    }
}

fn is_hung_up(line: &[u8]) -> bool {
    matches!(line, b"NO CARRIER" | b"NO ANSWER" | b"BUSY")
}
