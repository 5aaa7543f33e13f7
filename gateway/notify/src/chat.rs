//! The robots of group chats: how a message to each is signed, and what its answer means. All say
//! 200 to everything and put what happened into the body.
//!
//! | robot | signature | taken | too many |
//! |---|---|---|---|
//! | DingTalk | `timestamp` and `sign` in the query | `errcode` 0 | 130101 |
//! | WeCom | the key in the address | `errcode` 0 | 45009 |
//! | Feishu | `timestamp` and `sign` in the body | `code` 0 | 9499, 11232 |

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde_json::{Value, json};
use standpipe_config::{Robot, Secret};
use standpipe_rules::{Ms, plain};
use standpipe_words::message::Words;

use super::answer::Answer;
use super::sign::hmac_sha256;

/// Messages a robot takes a minute (DingTalk and WeCom: 20; Feishu: 100).
pub const A_MINUTE: usize = 20;
/// Of these, so many are kept for fires.
pub const FOR_FIRES: usize = 5;
/// How long a robot that had too many is left alone at least: its own minute.
const TOO_MANY_WAIT: Duration = Duration::from_secs(60);

/// Where a message goes, and what it says.
pub fn post(
    robot: Robot,
    (url, secret): (&Url, Option<&Secret>),
    words: &Words,
    now: Ms,
) -> (Url, Value) {
    let (mut url, text, all) = (url.clone(), words.lines.join("\n"), words.everybody);
    let body = match robot {
        Robot::DingTalk => {
            if let Some(secret) = secret {
                let sign = sign_dingtalk(now, secret);
                url.query_pairs_mut()
                    .append_pair("timestamp", &now.to_string())
                    .append_pair("sign", &sign);
            }
            json!({"msgtype": "text", "text": {"content": text}, "at": {"isAtAll": all}})
        }
        Robot::WeCom => {
            let everybody: &[&str] = if all { &["@all"] } else { &[] };
            json!({"msgtype": "text",
                "text": {"content": text, "mentioned_list": everybody}})
        }
        Robot::Feishu => {
            // A `<at …>` in a name would call people: only ours may.
            let text = text.replace('<', "＜");
            let call = if all { "\n<at user_id=\"all\">所有人</at>" } else { "" };
            let mut body =
                json!({"msg_type": "text", "content": {"text": format!("{text}{call}")}});
            if let (Some(secret), Some(body)) = (secret, body.as_object_mut()) {
                let seconds = now.div_euclid(1_000);
                body.insert("timestamp".to_owned(), seconds.to_string().into());
                body.insert("sign".to_owned(), sign_feishu(seconds, secret).into());
            }
            body
        }
    };
    (url, body)
}

/// Base64 of HMAC-SHA256 of `timestamp\nsecret`, keyed with the secret; the timestamp in ms.
fn sign_dingtalk(now: Ms, secret: &Secret) -> String {
    let secret = secret.expose();
    STANDARD.encode(hmac_sha256(secret.as_bytes(), format!("{now}\n{secret}").as_bytes()))
}

/// Base64 of HMAC-SHA256 of nothing, keyed with `timestamp\nsecret`; the timestamp in s.
fn sign_feishu(seconds: i64, secret: &Secret) -> String {
    STANDARD.encode(hmac_sha256(format!("{seconds}\n{}", secret.expose()).as_bytes(), b""))
}

/// What a robot's body means that came with a good status.
#[must_use]
pub fn read(robot: Robot, body: &str) -> Answer {
    let said: Value = serde_json::from_str(body).unwrap_or_default();
    let code = ["errcode", "code", "StatusCode"].into_iter().find_map(|it| said.get(it)?.as_i64());
    let text = ["errmsg", "msg"].into_iter().find_map(|it| said.get(it)?.as_str());
    let Some(code) = code else {
        let why = "its answer has no code: check `url`, a robot says how it went".to_owned();
        return Answer::Later { wait: None, why };
    };
    let text: String = plain(text.unwrap_or_default()).chars().take(200).collect();
    let why = format!("code {code} ({text})");
    match (robot, code) {
        (_, 0) => Answer::Taken,
        (Robot::DingTalk, 130_101) | (Robot::WeCom, 45_009) | (Robot::Feishu, 9_499 | 11_232) => {
            Answer::Later { wait: Some(TOO_MANY_WAIT), why }
        }
        (Robot::DingTalk, 310_000) | (Robot::Feishu, 19_021 | 19_022 | 19_024) => Answer::Never {
            why: format!("{why}: check `secret_file`, the clock and the robot's safety settings"),
        },
        (Robot::DingTalk, 300_001 | 300_005) | (Robot::WeCom, 93_000) | (Robot::Feishu, 19_001) => {
            Answer::Never { why: format!("{why}: check `url` and `token_file`") }
        }
        _ => Answer::Later { wait: None, why },
    }
}

#[cfg(test)]
mod tests {
    use super::{read, sign_dingtalk, sign_feishu};
    use crate::answer::Answer;
    use standpipe_config::{Robot, Secret};

    /// Made with `openssl dgst -sha256 -hmac … -binary | base64`.
    #[test]
    fn signatures_are_those_of_the_providers() {
        let secret = Secret::new("SECtest");
        let sign = "cVXRguV6qFaedUI1ABkmalEHVMPQcQMdEOXB71csfSo=";
        assert_eq!(sign_dingtalk(1_764_000_000_000, &secret), sign);
        let sign = "iaf1FEIA8BWovtf7d+yk+UsrxHQ6NILFJ8h+IaEsAu8=";
        assert_eq!(sign_feishu(1_764_000_000, &secret), sign);
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_a_robot_says_is_in_its_body() {
        use Robot::{DingTalk, Feishu, WeCom};
        for (robot, body, expected) in [
            (DingTalk, r#"{"errcode":0,"errmsg":"ok"}"#,                "taken"),
            (DingTalk, r#"{"errcode":130101,"errmsg":"send too fast"}"#, "later 60"),
            (DingTalk, r#"{"errcode":-1,"errmsg":"busy"}"#,             "later"),
            (DingTalk, r#"{"errcode":310000,"errmsg":"sign"}"#,         "never"),
            (WeCom,    r#"{"errcode":0,"errmsg":"ok"}"#,                "taken"),
            (WeCom,    r#"{"errcode":45009,"errmsg":"freq"}"#,          "later 60"),
            (WeCom,    r#"{"errcode":93000,"errmsg":"invalid"}"#,       "never"),
            (Feishu,   r#"{"code":0,"msg":"success"}"#,                 "taken"),
            (Feishu,   r#"{"StatusCode":0,"StatusMessage":"success"}"#, "taken"),
            (Feishu,   r#"{"code":9499,"msg":"too many request"}"#,     "later 60"),
            (Feishu,   r#"{"code":19021,"msg":"sign match fail"}"#,     "never"),
            (Feishu,   "<html>",                                        "later"),
        ] {
            let said = match read(robot, body) {
                Answer::Taken => "taken".to_owned(),
                Answer::Later { wait: Some(it), .. } => format!("later {}", it.as_secs()),
                Answer::Later { wait: None, .. } => "later".to_owned(),
                Answer::Never { .. } => "never".to_owned(),
            };
            assert_eq!(said, expected, "{robot:?} {body}");
        }
    }
}
