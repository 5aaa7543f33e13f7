//! Words for true and false, as devices of many makers send them. Only words that can mean one
//! thing are here: what is not is told to people, or for a fire taken as true.

/// Says that something is so.
const TRUE: [&str; 30] = [
    "true",
    "1",
    "on",
    "yes",
    "y",
    "t",
    "alarm",
    "alarming",
    "alarmed",
    "alert",
    "active",
    "activated",
    "triggered",
    "fire",
    "open",
    "detected",
    "报警",
    "报警中",
    "火警",
    "火灾",
    "告警",
    "警报",
    "有火",
    "有烟",
    "是",
    "真",
    "开",
    "开启",
    "动作",
    "触发",
];

/// Says that it is not, or no longer. Few words: one too many keeps a fire from people.
const FALSE: [&str; 15] = [
    "false",
    "0",
    "off",
    "no",
    "clear",
    "cleared",
    "normal",
    "inactive",
    "正常",
    "已正常",
    "恢复",
    "已恢复",
    "恢复正常",
    "解除",
    "已解除",
];

/// Says that a device is there.
const ONLINE: [&str; 8] = ["online", "up", "connected", "alive", "ready", "birth", "在线", "上线"];

/// Says that it is not.
const OFFLINE: [&str; 10] =
    ["offline", "down", "disconnected", "lost", "dead", "离线", "下线", "掉线", "断线", "断开"];

/// Whether a JSON scalar, or a bare word, says true or false; `None`: it can't be said.
pub(super) fn truth(value: &[u8]) -> Option<bool> {
    let word = word(value)?;
    if TRUE.contains(&&*word) {
        return Some(true);
    }
    if FALSE.contains(&&*word) {
        return Some(false);
    }
    match word.parse::<f64>() {
        Ok(1.0) => Some(true),
        Ok(0.0) => Some(false),
        Ok(_) | Err(_) => None,
    }
}

/// Whether a JSON scalar, or a bare word, says that a device is there or away.
pub(super) fn online(value: &[u8]) -> Option<bool> {
    let word = word(value)?;
    if ONLINE.contains(&&*word) {
        return Some(true);
    }
    if OFFLINE.contains(&&*word) {
        return Some(false);
    }
    truth(value)
}

/// The text of a JSON string, or of what stands there bare or in single quotes; trimmed, in lower
/// case.
pub(super) fn word(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value)
        .ok()?
        .trim_matches(|letter: char| letter == '\0' || letter.is_whitespace());
    let text = match serde_json::from_str::<String>(text) {
        Ok(text) => text,
        Err(_) => text.trim_matches(['\'', '"']).to_owned(),
    };
    Some(text.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{online, truth};

    #[test]
    #[rustfmt::skip] // a table
    fn the_same_is_said_in_many_words() {
        for word in [
            "true", "TRUE", "\"True\"", "1", "1.0", "\"1\"", "1e0", "on", "\"ON\"", "\" on \"", "'on'",
            "\"Yes\"", "\"alarm\"", "\"ALARM\"", "\"报警\"", "报警", "\"\\u62a5\\u8b66\"", "\"火警\"",
            "\"active\"", "\"Active\"",
        ] {
            assert_eq!(truth(word.as_bytes()), Some(true), "{word}");
        }
        for word in [
            "false", "\"FALSE\"", "0", "0.0", "-0.0", "\"0\"", "off", "\"Off\"", "\"clear\"", "\"CLEAR\"",
            "\"normal\"", "\"正常\"", "\"恢复\"", "\"no\"", "\"inactive\"",
        ] {
            assert_eq!(truth(word.as_bytes()), Some(false), "{word}");
        }
        for word in ["2", "-1", "\"\"", "", "null", "[true]", "{}", "\"maybe\"", "\"none\"", "\"无\"", "\"f\"", "\"关\"", "\"not ok\"", "NaN", "\"no alarm?\"", "0.5"] {
            assert_eq!(truth(word.as_bytes()), None, "{word}");
        }
        assert_eq!(truth(b"\xff"), None);
        for (word, expected) in [
            ("Offline", Some(false)), ("\"offline\"", Some(false)), ("false", Some(false)), ("0", Some(false)),
            ("online", Some(true)), ("\"Online\"", Some(true)), ("ON", Some(true)), ("1", Some(true)),
            ("离线", Some(false)), ("在线", Some(true)), ("hello", None), ("{}", None), ("offline\0", Some(false)),
        ] {
            assert_eq!(online(word.as_bytes()), expected, "{word}");
        }
    }
}
