//! `json`: the incident of the contract, the bundle or the digest, as it is kept; for receivers that are programs.
//! The status says whether it is taken.

use crate::answer::{self, Answer};
use crate::attempt::Attempt;
use crate::facts::{FormatFacts, ReceiverFormat};
use crate::http::{self, JSON};
use crate::keys::OwnKeys;

/// Our own JSON: what stations' topics show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json;

impl ReceiverFormat for Json {
    const FACTS: FormatFacts = FormatFacts {
        listed_as: "webhook",
        secret_says: "its trimmed content signs what is sent, `X-Standpipe-Signature`.",
        ..FormatFacts::over_http("json", "the incident.")
    };

    fn parse(_: &mut OwnKeys<'_>) -> Option<Self> {
        Some(Self)
    }

    async fn send(&self, attempt: &Attempt<'_>) -> Result<Answer, Answer> {
        let request = http::signed_post(attempt, JSON, attempt.message.wire.clone());
        let reply = http::exchange(request, attempt.clock).await?;
        Ok(answer::by_body(&reply.content_type, &reply.body))
    }
}
