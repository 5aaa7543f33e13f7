//! `wecom`: the robot of a WeCom group. Its key is in the address; nothing is signed.

use serde_json::{Value, json};
use standpipe_words::digest::Room;
use standpipe_words::message::MessageText;

use super::robot::{self, Codes, RobotCode};
use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::facts::{FormatFacts, ReceiverFormat};
use crate::keys::OwnKeys;

/// "消息内容，最长不超过2048个字节". Source: WeCom, group robots, text.
const ROOM: Room = Room::Bytes(2_048);

/// `wecom`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeCom;

impl ReceiverFormat for WeCom {
    const FACTS: FormatFacts = robot::facts("wecom");

    fn parse(_: &mut OwnKeys<'_>) -> Option<Self> {
        Some(Self)
    }

    async fn send(&self, attempt: &Attempt<'_>) -> Result<Answer, Answer> {
        let body = body(&attempt.words(ROOM)?);
        robot::post(attempt, (attempt.url.clone(), &body), &CODES).await
    }
}

fn body(words: &MessageText) -> Value {
    let everybody: &[&str] = if words.everybody { &["@all"] } else { &[] };
    let text = words.lines.join("\n");
    json!({"msgtype": "text", "text": {"content": text, "mentioned_list": everybody}})
}

const CODES: Codes = Codes { members: &["errcode"], meaning };

const fn meaning(code: i64) -> RobotCode {
    match code {
        0 => RobotCode::Taken,
        45_009 => RobotCode::TooMany,
        93_000 => RobotCode::NoRobot,
        _ => RobotCode::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::robot::judged;
    use super::CODES;

    #[test]
    #[rustfmt::skip] // a table
    fn what_it_says_is_in_its_body() {
        for (body, expected) in [
            (r#"{"errcode":0,"errmsg":"ok"}"#,          "taken"),
            (r#"{"errcode":45009,"errmsg":"freq"}"#,    "later 60"),
            (r#"{"errcode":93000,"errmsg":"invalid"}"#, "never"),
            (r#"{"errcode":-1,"errmsg":"busy"}"#,       "later"),
            (r#"{"code":0,"msg":"please sign in"}"#,    "later"),
        ] {
            assert_eq!(judged(body, &CODES), expected, "{body}");
        }
    }
}
