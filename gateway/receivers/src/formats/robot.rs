//! What the robots of group chats have in common; each is a file of its own. All say 200 to everything
//! and put what happened into the body.
//!
//! | robot | signature | taken | too many |
//! |---|---|---|---|
//! | DingTalk | `timestamp` and `sign` in the query | `errcode` 0 | 130101 |
//! | WeCom | the key in the address | `errcode` 0 | 45009 |
//! | Feishu | `timestamp` and `sign` in the body | `code` 0 | 9499, 11232 |

use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use standpipe_rules::plain;

use crate::answer::{Answer, Blames, WaitWish};
use crate::attempt::Attempt;
use crate::facts::{FormatFacts, PEOPLE};
use crate::http::{self, JSON};

/// How long a robot that had too many is left alone at least: its own minute.
const TOO_MANY_WAIT: Duration = Duration::from_secs(60);

/// What holds for a robot of this name.
pub const fn facts(name: &'static str) -> FormatFacts {
    FormatFacts {
        pace: PEOPLE,
        ..FormatFacts::over_http(
            name,
            "a few lines to that robot, a quarter of its `pace` left to fires.",
        )
    }
}

/// What a robot's code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RobotCode {
    /// Its group has the message.
    Taken,
    /// It had more than it takes a minute.
    TooMany,
    /// It does not know that the message is ours.
    Unsigned,
    /// There is no such robot.
    NoRobot,
    /// Anything else: it may pass.
    Other,
}

/// How a robot says what became of a message.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// The members in which its code may be. No other robot's: what answers for it with a `code` 0 is
    /// not it.
    pub members: &'static [&'static str],
    /// What its codes mean.
    pub meaning: fn(i64) -> RobotCode,
}

/// Sends a body to a robot and judges its answer.
pub async fn post(
    attempt: &Attempt<'_>,
    (url, body): (Url, &Value),
    codes: &Codes,
) -> Result<Answer, Answer> {
    let request = attempt.caller.http.post(url).header(CONTENT_TYPE, JSON).body(body.to_string());
    let reply = http::exchange(request, attempt.clock).await?;
    Ok(judge(reply.whole()?, codes))
}

/// What a robot's body means that came with a good status.
pub fn judge(body: &str, codes: &Codes) -> Answer {
    let said: Value = serde_json::from_str(body).unwrap_or_default();
    let code = codes.members.iter().find_map(|member| said.get(member)?.as_i64());
    let text = ["errmsg", "msg"].into_iter().find_map(|key| said.get(key)?.as_str());
    let Some(code) = code else {
        let why = "its answer has no code: check `url`, a robot says how it went".to_owned();
        return Answer::later(Blames::Receiver, why);
    };
    let text: String = plain(text.unwrap_or_default()).chars().take(200).collect();
    let why = format!("code {code} ({text})");
    match (codes.meaning)(code) {
        RobotCode::Taken => Answer::Taken,
        RobotCode::TooMany => {
            let wait = Some(WaitWish::TooMany(TOO_MANY_WAIT));
            Answer::Later { wait, why, blames: Blames::Receiver }
        }
        // The same code says that a message lacks a word that the robot asks for.
        RobotCode::Unsigned => Answer::Never {
            why: format!("{why}: check `secret_file`, the clock and the robot's safety settings"),
            blames: Blames::Message,
        },
        RobotCode::NoRobot => Answer::Never {
            why: format!("{why}: check `url` and `token_file`"),
            blames: Blames::Receiver,
        },
        RobotCode::Other => Answer::later(Blames::Message, why),
    }
}

/// A judgement in a word or two, for tables of tests.
#[cfg(test)]
pub fn judged(body: &str, codes: &Codes) -> String {
    match judge(body, codes) {
        Answer::Taken => "taken".to_owned(),
        Answer::Later { wait: Some(wait), .. } => format!("later {}", wait.wait().as_secs()),
        Answer::Later { wait: None, .. } => "later".to_owned(),
        Answer::Never { .. } => "never".to_owned(),
    }
}
