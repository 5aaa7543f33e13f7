//! One reading, or an array of them; or several objects, one after another or line by line, each
//! of which is one reading, as if they stood in an array.

use standpipe_shared::{Measurements, Name, Reading};

use super::pieces::{End, Pieces};
use super::rejected::{Parsed, Rejected, RejectedReason, push};
use super::salvage::{Objects, Repaired, Words, members, unwrapped};
use super::{MAX_READINGS, Message, Origin, alarm, owned, repair};

const HINT: &str = "send one reading as an object, or an array of them";
const ALONE: Words = Words { what: "reading", hint: HINT, repaired: Repaired::Counted };
const OF_ARRAY: Words = Words { what: "reading of an array", ..ALONE };

/// What was read so far.
#[derive(Default)]
struct Collected {
    readings: Vec<Reading>,
    rejected: Vec<Rejected>,
    repaired: u32,
}

/// Telemetry of one device: each member of each reading is judged by itself. A fire that came on this
/// topic is heard as the alarm it is; who looks for one is a message in which something is odd.
pub(super) fn telemetry(area: Name, device: Name, payload: &[u8]) -> Parsed {
    let mut read = Collected::default();
    match payload.trim_ascii_start().split_first() {
        Some((b'[', inside)) => read.array(inside),
        Some(_) | None => match serde_json::from_slice::<Reading>(payload) {
            Ok(reading) => read.readings.push(reading),
            Err(bad) => read.salvage(payload, Rejected::json(&bad, ALONE.what, HINT, payload)),
        },
    }
    let (area, device) = (owned(area), owned(device));
    let Collected { readings, rejected, repaired } = read;
    let understood = readings.iter().any(is_understood);
    let odd =
        !understood || !rejected.is_empty() || readings.iter().any(|reading| reading.unknown > 0);
    if odd && let Some(fire) = alarm::astray(Origin { area: &area, device: &device }, payload) {
        return fire;
    }
    let message = if understood {
        Message::Telemetry { area, device, readings }
    } else {
        Message::NotUnderstood { area, device }
    };
    Parsed { rejected, repaired, ..Parsed::message(message) }
}

/// Whether a reading says anything. A time alone does not: every maker's envelope has one.
fn is_understood(reading: &Reading) -> bool {
    reading.values != Measurements::default() || reading.boot.is_some() || reading.seq.is_some()
}

impl Collected {
    /// What could not be read at once, for the reason in `first`.
    fn salvage(&mut self, payload: &[u8], first: Rejected) {
        let text = unwrapped(payload);
        match text.split_first() {
            Some((b'[', inside)) => {
                self.repaired += 1;
                self.array(inside);
            }
            Some((b'{', _)) => {
                self.repaired += u32::from(text.len() < payload.trim_ascii().len());
                self.objects(text);
            }
            Some(_) | None => self.rejected.push(first),
        }
    }

    /// `inside` is what follows the opening bracket.
    fn array(&mut self, inside: &[u8]) {
        let mut pieces = Pieces::new(inside, b']');
        for number in 1.. {
            let Some((piece, end)) = pieces.next() else { break };
            let told = self.rejected.len();
            self.one(piece, OF_ARRAY);
            if end == End::Missing {
                self.rejected.truncate(told); // it is all one fault
                push(&mut self.rejected, unclosed(piece));
            }
            if number == MAX_READINGS && end == End::Comma {
                return push(&mut self.rejected, too_many(pieces.rest()));
            }
        }
        let rest = unwrapped(pieces.rest());
        if !rest.is_empty() {
            let detail = format!("{} bytes after the array's end: {HINT}", rest.len());
            push(&mut self.rejected, Rejected::new(RejectedReason::NotJson, detail, rest));
        }
    }

    /// One object after another.
    fn objects(&mut self, text: &[u8]) {
        for (number, (between, object)) in (1..).zip(Objects::new(text)) {
            // White space, a comma, or the separator of RFC 7464.
            let stray = between
                .iter()
                .any(|byte| !matches!(byte, b',' | 0 | 0x1e | b' ' | b'\t' | b'\r' | b'\n'));
            if stray {
                let detail = format!("{} bytes beside the reading: {HINT}", between.len());
                push(&mut self.rejected, Rejected::new(RejectedReason::NotJson, detail, between));
            }
            let Some(object) = object else { return };
            if number > MAX_READINGS {
                return push(&mut self.rejected, too_many(object));
            }
            self.one(object, ALONE);
        }
    }

    /// One reading, or why it is none.
    fn one(&mut self, piece: &[u8], words: Words) {
        let bad = match serde_json::from_slice::<Reading>(piece) {
            Ok(reading) => return self.readings.push(reading),
            Err(bad) => bad,
        };
        let first = Rejected::json(&bad, words.what, words.hint, piece);
        if !piece.starts_with(b"{") {
            return push(&mut self.rejected, first);
        }
        let members = members::<Reading>(piece, words, repair::reading);
        match serde_json::from_slice::<Reading>(&members.clean()) {
            Ok(reading) if is_understood(&reading) => {
                self.readings.push(Reading { numbers_lost: members.numbers_lost, ..reading });
                let (rejected, repaired) = members.told(first);
                self.repaired += repaired;
                rejected.into_iter().for_each(|rejection| push(&mut self.rejected, rejection));
            }
            Ok(_) | Err(_) => push(&mut self.rejected, first),
        }
    }
}

fn unclosed(piece: &[u8]) -> Rejected {
    let detail = "array without an end: send it whole, and fewer readings at once".to_owned();
    Rejected::new(RejectedReason::NotJson, detail, piece)
}

fn too_many(rest: &[u8]) -> Rejected {
    let detail = format!("more than {MAX_READINGS} readings in an array: send fewer at once");
    Rejected::new(RejectedReason::TooMany, detail, rest)
}
