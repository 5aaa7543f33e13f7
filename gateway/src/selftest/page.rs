//! Who is told that a station can't be reached: webhooks, directly, because what failed may be the
//! gateway. Administrators' for every station, officers' and chiefs' for their own.
//!
//! What is sent is an incident of the contract, of class `blind`, with `selftest` as its device.

use std::time::Duration;

use serde_json::json;
use standpipe_config::Webhook;
use standpipe_machine::clock::Clock;
use standpipe_notify::deliver::{attempt, callers};
use standpipe_receivers::{About, Answer, Caller, OutgoingMessage};
use standpipe_rules::Ms;
use standpipe_rules::incidents::ReceiverRole;
use standpipe_rules::selftest::{SELFTEST, fingerprint};
use standpipe_shared::Severity;
use standpipe_words::message::Desk;
use ulid::Ulid;

use super::SelftestOutcome;

/// Attempts at one receiver: the next run repeats the page anyway.
const ATTEMPTS: u32 = 3;
const BETWEEN: Duration = Duration::from_secs(2);

/// Tells whoever should know of these; answers the names of receivers that did not take it.
pub async fn tell(
    webhooks: &[Webhook],
    desk: &Desk,
    failed: &[SelftestOutcome],
    now: Ms,
) -> Vec<Box<str>> {
    let mut deaf = Vec::new();
    let Ok(callers) = callers(webhooks) else {
        return webhooks.iter().map(|webhook| webhook.name.clone()).collect();
    };
    for (webhook, caller) in webhooks.iter().zip(&callers) {
        let theirs = failed.iter().filter(|failure| concerns(webhook, failure));
        for outcome in theirs {
            if !send(caller, webhook, desk, &page(outcome, now)).await {
                deaf.push(webhook.name.clone());
                break;
            }
        }
    }
    deaf
}

fn concerns(webhook: &Webhook, outcome: &SelftestOutcome) -> bool {
    let all = webhook.severities.is_empty();
    if !all && !webhook.severities.contains(&Severity::Critical) {
        return false;
    }
    match webhook.role {
        ReceiverRole::Admin => true,
        ReceiverRole::Officer | ReceiverRole::Chief => {
            webhook.station.as_ref() == Some(&outcome.station)
        }
    }
}

/// A page: its id, and what is sent.
struct SelftestPage {
    id: String,
    at: Ms,
    body: String,
}

async fn send(
    caller: &Caller,
    webhook: &Webhook,
    desk: &Desk,
    SelftestPage { id, at, body }: &SelftestPage,
) -> bool {
    for tried in 0..ATTEMPTS {
        if tried > 0 {
            tokio::time::sleep(BETWEEN).await;
        }
        let (page_id, wire, earlier) = (id.clone(), body.clone(), Vec::new());
        let about = About::Incident;
        let sent = OutgoingMessage { about, page_id, at: *at, wire, earlier };
        if attempt(caller, webhook, sent, desk, &Clock::new()).await == Answer::Taken {
            return true;
        }
    }
    false
}

fn page(outcome: &SelftestOutcome, now: Ms) -> SelftestPage {
    // The same for one station at one moment: an attempt that is repeated is the same page. Not made
    // from the gateway's secret, as other ids are: a self-test may run where that is not, must not make
    // one, and nothing can be done with this id, which no gateway knows.
    let at = u64::try_from(now).unwrap_or_default();
    let id = Ulid::from_parts(at, u128::from(fingerprint(&outcome.station))).to_string();
    let station = &outcome.station;
    let (en, zh) = match (outcome.took, outcome.terminal) {
        (None, _) => (
            format!("Self-test: no alarm reaches {station}"),
            format!("自检：报警无法送达 {station}"),
        ),
        (Some(_), _) => (
            format!("Self-test: nobody is at the terminal of {station}"),
            format!("自检：{station} 终端不在线"),
        ),
    };
    let body = json!({
        "id": id, "rev": 1, "station": station, "class": "blind", "severity": "critical",
        "state": "open", "episode": 1, "conditions": [], "device": {"id": SELFTEST},
        "title": {"en": en, "zh": zh}, "opened_at": now, "since": now, "updated_at": now,
        "late_s": 0, "exercise": false, "step": 1, "next_step_at": null, "page_id": id,
    });
    SelftestPage { id, at: now, body: body.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{concerns, page};
    use crate::selftest::SelftestOutcome;
    use standpipe_config::{Webhook, WebhookFormat};
    use standpipe_receivers::formats::Json;
    use standpipe_rules::incidents::ReceiverRole;
    use standpipe_shared::Severity;
    use std::time::Duration;

    #[test]
    #[rustfmt::skip] // a table
    fn administrators_are_told_of_all_and_officers_of_their_own() {
        let outcome = SelftestOutcome { station: "t1".into(), took: None, terminal: true };
        let (fire, critical) = (vec![Severity::Fire], vec![Severity::Fire, Severity::Critical]);
        for (role, station, severities, told) in [
            (ReceiverRole::Admin,   None,       &vec![],   true),
            (ReceiverRole::Admin,   Some("t2"), &critical, true),
            (ReceiverRole::Admin,   None,       &fire,     false),
            (ReceiverRole::Officer, Some("t1"), &vec![],   true),
            (ReceiverRole::Chief,   Some("t1"), &critical, true),
            (ReceiverRole::Officer, Some("t2"), &vec![],   false),
            (ReceiverRole::Officer, None,       &vec![],   false),
        ] {
            let webhook = Webhook {
                name: "w".into(), station: station.map(Box::from), role, steps: vec![], secret: None, trust: None,
                severities: severities.clone(), pace: WebhookFormat::Json(Json).facts().pace, url: "http://w".parse().unwrap(), format: WebhookFormat::Json(Json), off: None,
            };
            assert_eq!(concerns(&webhook, &outcome), told, "{role:?} {station:?} {severities:?}");
        }
    }

    #[test]
    fn it_says_in_both_languages_that_it_is_a_test_and_what_is_wrong() {
        for (took, en, zh) in [
            (None, "Self-test: no alarm reaches t1", "自检：报警无法送达 t1"),
            (
                Some(Duration::from_secs(1)),
                "Self-test: nobody is at the terminal of t1",
                "自检：t1 终端不在线",
            ),
        ] {
            let outcome = SelftestOutcome { station: "t1".into(), took, terminal: false };
            let sent = page(&outcome, 5);
            let said: serde_json::Value = serde_json::from_str(&sent.body).unwrap();
            assert_eq!(said["page_id"], sent.id);
            assert_eq!(
                (said["title"]["en"].as_str(), said["title"]["zh"].as_str()),
                (Some(en), Some(zh))
            );
        }
    }
}
