//! One reading, or an array of them.

use standpipe_shared::{Name, Reading};

use super::pieces::{End, Pieces};
use super::rejected::{Parsed, Reason, Rejected, push};
use super::{MAX_READINGS, Message, owned};

const HINT: &str = "send one reading as an object, or an array of them";

/// Telemetry of one device. An array loses only its bad elements.
pub(super) fn telemetry(area: Name, device: Name, payload: &[u8]) -> Parsed {
    let (readings, rejected) = match payload.trim_ascii_start().split_first() {
        Some((b'[', inside)) => array(inside),
        Some(_) | None => match serde_json::from_slice::<Reading>(payload) {
            Ok(reading) => (vec![reading], Vec::new()),
            Err(bad) => (Vec::new(), vec![Rejected::json(&bad, "reading", HINT, payload)]),
        },
    };
    let heard = rejected.is_empty() || !readings.is_empty();
    let message =
        heard.then(|| Message::Telemetry { area: owned(area), device: owned(device), readings });
    Parsed { message, rejected }
}

/// `inside` is what follows the opening bracket.
fn array(inside: &[u8]) -> (Vec<Reading>, Vec<Rejected>) {
    let (mut readings, mut rejected) = (Vec::new(), Vec::new());
    let mut pieces = Pieces::new(inside, b']');
    for number in 1.. {
        let Some((piece, end)) = pieces.next() else { break };
        match serde_json::from_slice::<Reading>(piece) {
            Ok(reading) => readings.push(reading),
            Err(bad) if end != End::Missing => {
                push(&mut rejected, Rejected::json(&bad, "reading of an array", HINT, piece));
            }
            Err(_) => {}
        }
        if end == End::Missing {
            push(&mut rejected, unclosed(piece));
        }
        if number == MAX_READINGS && end == End::Comma {
            push(&mut rejected, too_many(pieces.rest()));
            return (readings, rejected);
        }
    }
    let rest = pieces.rest().trim_ascii();
    if !rest.is_empty() {
        let detail = format!("{} bytes after the array's end: {HINT}", rest.len());
        push(&mut rejected, Rejected::new(Reason::NotJson, detail, rest));
    }
    (readings, rejected)
}

fn unclosed(piece: &[u8]) -> Rejected {
    let detail = "array without an end: send it whole, and fewer readings at once".to_owned();
    Rejected::new(Reason::NotJson, detail, piece)
}

fn too_many(rest: &[u8]) -> Rejected {
    let detail = format!("more than {MAX_READINGS} readings in an array: send fewer at once");
    Rejected::new(Reason::TooMany, detail, rest)
}
