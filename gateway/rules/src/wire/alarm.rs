//! Alarms. An alarm whose condition and truth can be read acts, whatever else is wrong with it.

use standpipe_shared::{Alarm, Condition, Name};

use super::rejected::{Parsed, Reason, Rejected};
use super::salvage::{Words, object};
use super::{Message, owned};

const WORDS: Words = Words {
    what: "alarm",
    hint: "send an object with condition, active and, if measured, the fields of a reading",
};

/// An alarm of one device.
pub(super) fn alarm(area: Name, device: Name, payload: &[u8]) -> Parsed {
    let (alarm, rejected) = object::<Alarm>(payload, WORDS, repair);
    if let Some(Alarm { condition, .. }) = alarm
        && of_many(condition)
    {
        let detail = format!(
            "alarm of `{}`, which only the gateway can find: send a condition of the device itself",
            condition.as_str()
        );
        return Parsed::nothing(Rejected::new(Reason::WrongType, detail, payload));
    }
    let message =
        alarm.map(|alarm| Message::Alarm { area: owned(area), device: owned(device), alarm });
    Parsed { message, rejected }
}

/// What only the gateway can find: it is true of a zone, an area or the gateway itself.
const fn of_many(condition: Condition) -> bool {
    matches!(
        condition,
        Condition::ZoneLowPressure
            | Condition::BlindArea
            | Condition::GatewayBlind
            | Condition::UnreadableAlarm
            | Condition::NotUnderstood
            | Condition::RegistryFault
    )
}

/// Spellings that can mean one thing only. The sender is told all the same.
fn repair(key: &str, value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let bare = text.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(text);
    match key {
        "condition" => {
            let lower = bare.trim().to_ascii_lowercase();
            let condition: Condition = lower.parse().ok()?;
            Some(format!("\"{}\"", condition.as_str()))
        }
        "active" => match bare.trim().to_ascii_lowercase().as_str() {
            "1" | "true" => Some("true".to_owned()),
            "0" | "false" => Some("false".to_owned()),
            _ => None,
        },
        "boot" | "seq" => {
            whole_number(bare).and_then(|it| u32::try_from(it).ok()).map(|it| it.to_string())
        }
        "ts" => whole_number(bare).map(|it| it.to_string()),
        _ => None,
    }
}

/// `17`, `17.0` and `1.7e1` are 17; milliseconds lose what is smaller.
#[expect(clippy::cast_possible_truncation, reason = "within the exact range of f64")]
fn whole_number(text: &str) -> Option<i64> {
    /// Whole numbers are exact up to here.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let text = text.trim();
    let float = || text.parse::<f64>().ok().filter(|it| it.abs() <= EXACT).map(|it| it as i64);
    text.parse().ok().or_else(float)
}
