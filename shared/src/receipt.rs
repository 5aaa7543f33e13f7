//! That the gateway has an alarm on its disk: the receipt, and which alarm it is of.

use core::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// Of which alarm a receipt is.
///
/// ```
/// use standpipe_shared::ReceivedAlarm;
///
/// let receipt = ReceivedAlarm::Numbered { boot: 3, seq: 18 };
/// assert_eq!(serde_json::to_string(&receipt)?, r#"{"boot":3,"seq":18}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceivedAlarm {
    /// The one with these numbers.
    Numbered { boot: u32, seq: u32 },
    /// One without numbers, or one that could not be read: SHA-256 of its payload.
    Payload([u8; 32]),
}

/// Bytes in small hexadecimal digits.
struct Hex<'a>(&'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for ReceivedAlarm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Numbered { boot, seq } => {
                let mut to = serializer.serialize_struct("ReceivedAlarm", 2)?;
                to.serialize_field("boot", boot)?;
                to.serialize_field("seq", seq)?;
                to.end()
            }
            Self::Payload(hash) => {
                let mut to = serializer.serialize_struct("ReceivedAlarm", 1)?;
                to.serialize_field("sha256", &Hex(hash))?;
                to.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::ReceivedAlarm;
    use std::string::{String, ToString as _};

    #[test]
    fn an_alarm_without_numbers_is_named_by_the_hash_of_its_payload() {
        let mut hash = [0; 32];
        (hash[0], hash[31]) = (0x0A, 0xFF);
        let json = serde_json::to_string(&ReceivedAlarm::Payload(hash)).unwrap_or_default();
        let digits = ["0a".to_string(), "00".repeat(30), "ff".to_string()].concat();
        assert_eq!(json, String::from(r#"{"sha256":""#) + &digits + r#""}"#);
    }
}
