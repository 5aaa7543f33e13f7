//! `feishu`: the robot of a Feishu group. Where it has a secret, time and signature are in the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use standpipe_rules::Ms;
use standpipe_trust::Secret;
use standpipe_words::digest::Room;
use standpipe_words::message::MessageText;

use super::robot::{self, Codes, RobotCode};
use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::facts::{FormatFacts, ReceiverFormat};
use crate::keys::OwnKeys;
use crate::sign::hmac_sha256;

/// It takes 20,000 bytes of request; JSON and its escapes want some.
const ROOM: Room = Room::Bytes(12_000);

/// A robot of a Feishu (or Lark) chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feishu;

impl ReceiverFormat for Feishu {
    const FACTS: FormatFacts =
        FormatFacts { secret_says: "the robot's secret.", ..robot::facts("feishu") };

    fn parse(_: &mut OwnKeys<'_>) -> Option<Self> {
        Some(Self)
    }

    async fn send(&self, attempt: &Attempt<'_>) -> Result<Answer, Answer> {
        let body = body(&attempt.words(ROOM)?, attempt.secret, attempt.clock.now());
        robot::post(attempt, (attempt.url.clone(), &body), &CODES).await
    }
}

fn body(words: &MessageText, secret: Option<&Secret>, now: Ms) -> Value {
    // A `<at …>` in a name would call people: only ours may.
    let text = words.lines.join("\n").replace('<', "＜");
    let call = if words.everybody { "\n<at user_id=\"all\">所有人</at>" } else { "" };
    let mut body = json!({"msg_type": "text", "content": {"text": format!("{text}{call}")}});
    if let (Some(secret), Some(body)) = (secret, body.as_object_mut()) {
        let seconds = now.div_euclid(1_000);
        body.insert("timestamp".to_owned(), seconds.to_string().into());
        body.insert("sign".to_owned(), signature(seconds, secret).into());
    }
    body
}

/// Base64 of HMAC-SHA256 of nothing, keyed with `timestamp\nsecret`; the timestamp in s.
fn signature(seconds: i64, secret: &Secret) -> String {
    STANDARD.encode(hmac_sha256(format!("{seconds}\n{}", secret.expose()).as_bytes(), b""))
}

const CODES: Codes = Codes { members: &["code", "StatusCode"], meaning };

const fn meaning(code: i64) -> RobotCode {
    match code {
        0 => RobotCode::Taken,
        9_499 | 11_232 => RobotCode::TooMany,
        19_021 | 19_022 | 19_024 => RobotCode::Unsigned,
        19_001 => RobotCode::NoRobot,
        _ => RobotCode::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::robot::judged;
    use super::{CODES, Secret, signature};

    /// Made with `openssl dgst -sha256 -hmac … -binary | base64`.
    #[test]
    fn its_signature_is_the_providers() {
        let sign = "iaf1FEIA8BWovtf7d+yk+UsrxHQ6NILFJ8h+IaEsAu8=";
        assert_eq!(signature(1_764_000_000, &Secret::new("SECtest")), sign);
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_it_says_is_in_its_body() {
        for (body, expected) in [
            (r#"{"code":0,"msg":"success"}"#,                 "taken"),
            (r#"{"StatusCode":0,"StatusMessage":"success"}"#, "taken"),
            (r#"{"code":9499,"msg":"too many request"}"#,     "later 60"),
            (r#"{"code":19021,"msg":"sign match fail"}"#,     "never"),
            (r#"{"code":19001,"msg":"no such token"}"#,       "never"),
            ("<html>",                                        "later"),
            (r#"{"errcode":0,"errmsg":"ok"}"#,                "later"),
        ] {
            assert_eq!(judged(body, &CODES), expected, "{body}");
        }
    }
}
