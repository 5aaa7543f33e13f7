//! Lines that 0.1.0 wrote have words and no code. Those words never change any more, so that they,
//! and no others, may be read: here, once, when such a line leaves the store.

use standpipe_shared::Condition;

use super::{Hop, Receiver, TrailCode};
use crate::state::Outcome;

/// The units of 0.1.0's spans, s.
const UNITS: [(&str, u32); 4] = [("s", 1), ("min", 60), ("h", 3_600), ("days", 86_400)];

/// Why 0.1.0 opened an incident again.
const REOPENED: [(&str, TrailCode); 6] = [
    ("unverified", TrailCode::Unverified),
    ("no longer muted", TrailCode::NoLongerMuted),
    ("raised again", TrailCode::RaisedAgain),
    ("the test does not end", TrailCode::TestGoesOn),
    ("still open after the fire", TrailCode::OpenAfterFire),
    ("still true after what stood for it", TrailCode::OutlastsParent),
];

impl TrailCode {
    /// The code of a line that was written without one; [`TrailCode::Text`] where its words are
    /// nobody's.
    #[must_use]
    pub fn before(hop: Hop, by: &str, detail: &str) -> Self {
        match hop {
            Hop::Measured | Hop::Received | Hop::Raised | Hop::Cleared | Hop::Reopened => {
                found(detail)
            }
            Hop::Paged | Hop::Delivered | Hop::GivenUp | Hop::Superseded => page(by, detail),
            Hop::Closed => {
                let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == detail);
                outcome.map(|outcome| Self::Outcome { outcome })
            }
            Hop::Attached if detail == "stands alone" => Some(Self::StandsAlone),
            Hop::Attached => {
                let incident = detail.strip_prefix("belongs to ").and_then(|id| id.parse().ok());
                incident.map(|incident| Self::PartOf { incident })
            }
            Hop::Forgotten => Some(Self::Forgotten),
            Hop::Unconfirmed => {
                let within =
                    detail.strip_prefix("within ").and_then(|rest| rest.strip_suffix(" s"));
                let within = within.and_then(|seconds| seconds.parse().ok());
                within.map(|within_s| Self::Unconfirmed { within_s })
            }
            Hop::Commented => {
                let note = detail.strip_prefix("exercise: ");
                note.map(|note| Self::Exercise { note: note.into() })
            }
            Hop::Shown
            | Hop::Acknowledged
            | Hop::Dispatched
            | Hop::Arrived
            | Hop::Resolved
            | Hop::FalseAlarm
            | Hop::Undone
            | Hop::Bundled
            | Hop::Verifying => None,
        }
        .unwrap_or_default()
    }
}

/// A condition, one of the reasons, or a condition and what else is said of it.
fn found(detail: &str) -> Option<TrailCode> {
    if let Ok(condition) = detail.parse::<Condition>() {
        return Some(TrailCode::Condition { condition });
    }
    if let Some((_, code)) = REOPENED.into_iter().find(|(words, _)| *words == detail) {
        return Some(code);
    }
    let (condition, rest) = detail.split_once(": ")?;
    let condition = condition.parse().ok()?;
    let fault = || TrailCode::Fault { condition, detail: rest.into() };
    Some(flapping(condition, rest).unwrap_or_else(fault))
}

/// `17 times in 5 min`.
fn flapping(condition: Condition, rest: &str) -> Option<TrailCode> {
    let parts: Vec<&str> = rest.split(' ').collect();
    let [times, "times", "in", number, unit] = parts[..] else { return None };
    let (_, seconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let within_s = number.parse::<u32>().ok()?.checked_mul(seconds)?;
    Some(TrailCode::Flapping { condition, times: times.parse().ok()?, within_s })
}

/// `step 2, repeat 1: station T1`, and, where it was given up, why: behind the name of `by`.
fn page(by: &str, detail: &str) -> Option<TrailCode> {
    let (step, rest) = detail.strip_prefix("step ")?.split_once(": ")?;
    let (step, repeat) = step.split_once(", repeat ").unwrap_or((step, "0"));
    let (to, why) = match rest.strip_prefix(by).filter(|_| receiver(by).is_some()) {
        Some(why) => (by, why.trim_start_matches([':', ' '])),
        None => (rest, ""),
    };
    let (step, repeat) = (step.parse().ok()?, repeat.parse().ok()?);
    Some(TrailCode::Page { step, repeat, to: receiver(to)?, why: why.into() })
}

fn receiver(words: &str) -> Option<Receiver> {
    let station = words.strip_prefix("station ").map(|id| Receiver::Station(id.into()));
    station.or_else(|| words.strip_prefix("webhook ").map(|name| Receiver::Webhook(name.into())))
}
