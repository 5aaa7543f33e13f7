//! `dingtalk`: the robot of a DingTalk group. Where it has a secret, time and signature are in the query.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
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

/// `dingtalk`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DingTalk;

impl ReceiverFormat for DingTalk {
    const FACTS: FormatFacts =
        FormatFacts { secret_says: "the robot's secret.", ..robot::facts("dingtalk") };

    fn parse(_: &mut OwnKeys<'_>) -> Option<Self> {
        Some(Self)
    }

    async fn send(&self, attempt: &Attempt<'_>) -> Result<Answer, Answer> {
        let (words, now) = (attempt.words(ROOM)?, attempt.clock.now());
        let url = signed(attempt.url.clone(), attempt.secret, now);
        robot::post(attempt, (url, &body(&words)), &CODES).await
    }
}

fn body(words: &MessageText) -> Value {
    let text = words.lines.join("\n");
    json!({"msgtype": "text", "text": {"content": text}, "at": {"isAtAll": words.everybody}})
}

fn signed(mut url: Url, secret: Option<&Secret>, now: Ms) -> Url {
    if let Some(secret) = secret {
        let sign = signature(now, secret);
        let mut query = url.query_pairs_mut();
        query.append_pair("timestamp", &now.to_string()).append_pair("sign", &sign);
    }
    url
}

/// Base64 of HMAC-SHA256 of `timestamp\nsecret`, keyed with the secret; the timestamp in ms.
fn signature(now: Ms, secret: &Secret) -> String {
    let secret = secret.expose();
    STANDARD.encode(hmac_sha256(secret.as_bytes(), format!("{now}\n{secret}").as_bytes()))
}

const CODES: Codes = Codes { members: &["errcode"], meaning };

const fn meaning(code: i64) -> RobotCode {
    match code {
        0 => RobotCode::Taken,
        130_101 => RobotCode::TooMany,
        310_000 => RobotCode::Unsigned,
        300_001 | 300_005 => RobotCode::NoRobot,
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
        let sign = "cVXRguV6qFaedUI1ABkmalEHVMPQcQMdEOXB71csfSo=";
        assert_eq!(signature(1_764_000_000_000, &Secret::new("SECtest")), sign);
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_it_says_is_in_its_body() {
        for (body, expected) in [
            (r#"{"errcode":0,"errmsg":"ok"}"#,                 "taken"),
            (r#"{"errcode":130101,"errmsg":"send too fast"}"#, "later 60"),
            (r#"{"errcode":-1,"errmsg":"busy"}"#,              "later"),
            (r#"{"errcode":310000,"errmsg":"sign"}"#,          "never"),
            (r#"{"errcode":300001,"errmsg":"token"}"#,         "never"),
            (r#"{"code":0,"msg":"please sign in"}"#,           "later"),
            (r#"{"StatusCode":0}"#,                            "later"),
            ("<p>0</p>",                                       "later"),
            ("",                                               "later"),
        ] {
            assert_eq!(judged(body, &CODES), expected, "{body}");
        }
    }
}
