//! What an answer of InfluxDB's `/api/v2/write` means.
//!
//! | answer | means |
//! |---|---|
//! | 204 | taken |
//! | 422 | taken but for the points it dropped: older than the retention, or of another type |
//! | 400 naming points, 413 | the whole body refused: halve it until the bad points are alone |
//! | 401, 403, 404, any other 4xx | a person has to correct something: retry, slowly |
//! | 429, 5xx, no answer | not now: wait, then retry |

use std::time::Duration;

use influxdb2::RequestError;
use reqwest::StatusCode;

use crate::{SeriesError, beginning};

/// The longest part of an answer that is shown.
const SHOWN: usize = 300;

/// What became of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WriteVerdict {
    /// All of it is kept.
    Taken,
    /// All of it is kept, less these.
    Partly(Dropped),
    /// None of it is kept, because of some of it.
    Refused(Box<str>),
}

/// What was dropped of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// So many points are older than the bucket keeps.
    Expired(u64),
    /// So many points, for another reason.
    Other { points: u64, why: Box<str> },
}

/// What the client says it got.
pub(super) fn of_client(sent: Result<(), RequestError>) -> Result<WriteVerdict, SeriesError> {
    match sent {
        Ok(()) => Ok(WriteVerdict::Taken),
        Err(RequestError::Http { status, text }) => of_answer(status, &text, None),
        Err(RequestError::ReqwestProcessing { source }) => Err(network(&source)),
        Err(bad @ (RequestError::Serializing { .. } | RequestError::Deserializing { .. })) => {
            Err(SeriesError::Retry { after: None, why: bad.to_string().into() })
        }
    }
}

/// What an answer means.
pub(super) fn of_answer(
    status: StatusCode,
    text: &str,
    after: Option<Duration>,
) -> Result<WriteVerdict, SeriesError> {
    let why = message(text);
    let fix =
        |what: &str| Err(SeriesError::Misconfigured(format!("InfluxDB: {why}: {what}").into()));
    match status.as_u16() {
        204 => Ok(WriteVerdict::Taken),
        422 => Ok(WriteVerdict::Partly(dropped(&why))),
        400 if why.contains("unable to parse") || why.contains("partial write") => {
            Ok(WriteVerdict::Refused(why))
        }
        413 => Ok(WriteVerdict::Refused(why)),
        401 => fix("check the token in `influx.token_file`"),
        403 => fix("give the token leave to write the bucket"),
        404 => fix("check `influx.org` and `influx.bucket`, and make the bucket"),
        429 | 500..=599 => {
            let why = format!("InfluxDB answers {status}: {why}: look at its log").into();
            Err(SeriesError::Retry { after, why })
        }
        _ => fix(&format!("answered {status}: check `influx.url`")),
    }
}

/// No answer at all.
pub(super) fn network(bad: &reqwest::Error) -> SeriesError {
    // The outer error repeats the address; the innermost one says what happened.
    let mut source: &dyn std::error::Error = bad;
    while let Some(inner) = source.source() {
        source = inner;
    }
    let what = if bad.is_timeout() { "no answer in time".into() } else { source.to_string() };
    let why = format!("InfluxDB not reached: {what}: check `influx.url` and that it runs").into();
    SeriesError::Retry { after: None, why }
}

/// The `message` of an answer, or its beginning.
fn message(text: &str) -> Box<str> {
    #[derive(serde::Deserialize)]
    struct ErrorBody {
        message: String,
    }
    let text = serde_json::from_str(text)
        .map_or_else(|_| text.to_owned(), |answer: ErrorBody| answer.message);
    let one_line = text.trim().replace(['\n', '\r'], " ");
    beginning(&one_line, SHOWN).into()
}

/// Reads `… dropped 3 points outside retention policy …` (2.7 and newer) or
/// `… points beyond retention policy dropped=3`. It says so only when there is nothing worse.
fn dropped(why: &str) -> Dropped {
    let points = ["dropped=", "dropped "]
        .iter()
        .filter_map(|before| why.split_once(before))
        .filter_map(|(_, rest)| {
            rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
        })
        .next()
        .unwrap_or(1);
    if why.contains("retention policy") {
        Dropped::Expired(points)
    } else {
        Dropped::Other { points, why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dropped, WriteVerdict, of_answer};
    use crate::SeriesError;
    use reqwest::StatusCode;

    fn verdict(status: u16, message: &str) -> Result<WriteVerdict, SeriesError> {
        let text = format!(r#"{{"code":"any","message":"{message}"}}"#);
        of_answer(StatusCode::from_u16(status).unwrap(), &text, None)
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_each_answer_means() {
        let older = "failure writing points to database: partial write: points beyond retention policy dropped=3";
        let old = "failure writing points to database: partial write: dropped 7 points outside retention policy of duration 2160h0m0s";
        let conflict = "partial write: field type conflict: input field \\\"x\\\" is type float dropped=2";
        let unquoted = conflict.replace('\\', "");
        for (status, message, expected) in [
            (204, "",                           Ok(WriteVerdict::Taken)),
            (422, older,                        Ok(WriteVerdict::Partly(Dropped::Expired(3)))),
            (422, old,                          Ok(WriteVerdict::Partly(Dropped::Expired(7)))),
            (422, conflict,                     Ok(WriteVerdict::Partly(Dropped::Other { points: 2, why: unquoted.as_str().into() }))),
            (400, "unable to parse 'x': no",    Ok(WriteVerdict::Refused("unable to parse 'x': no".into()))),
            (413, "too large",                  Ok(WriteVerdict::Refused("too large".into()))),
            (400, "bad precision",              Err("InfluxDB: bad precision: answered 400 Bad Request: check `influx.url`")),
            (401, "unauthorized access",        Err("InfluxDB: unauthorized access: check the token in `influx.token_file`")),
            (404, "bucket \\\"x\\\" not found", Err("InfluxDB: bucket \"x\" not found: check `influx.org` and `influx.bucket`, and make the bucket")),
            (429, "slow down",                  Err("InfluxDB answers 429 Too Many Requests: slow down: look at its log")),
            (503, "starting",                   Err("InfluxDB answers 503 Service Unavailable: starting: look at its log")),
        ] {
            let said = verdict(status, message).map_err(|error| error.to_string());
            assert_eq!(said, expected.map_err(str::to_owned), "{status} {message}");
        }
        assert!(matches!(verdict(429, ""), Err(SeriesError::Retry { .. })));
        assert!(matches!(verdict(404, ""), Err(SeriesError::Misconfigured(_))));
    }
}
