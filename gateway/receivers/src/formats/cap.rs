//! `cap`: CAP 1.2, for other alarm centres' programs. An alert refers to those about the same incident
//! before it, a bundle to none; a digest is no alert. The status says whether it is taken.

use standpipe_words::cap::{CapMessage, TYPE, bundle_document, document};

use crate::answer::{self, Answer, Blames};
use crate::attempt::{About, Attempt};
use crate::facts::{DigestSupport, EarlierMessages, FormatFacts, ReceiverFormat};
use crate::http;
use crate::keys::OwnKeys;

/// CAP 1.2, for the programs of other alarm centres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap;

impl ReceiverFormat for Cap {
    const FACTS: FormatFacts = FormatFacts {
        digests: DigestSupport::Refused,
        earlier: EarlierMessages::ReferredTo,
        secret_says: "its trimmed content signs what is sent, `X-Standpipe-Signature`.",
        ..FormatFacts::over_http("cap", "CAP 1.2.")
    };

    fn parse(_: &mut OwnKeys<'_>) -> Option<Self> {
        Some(Self)
    }

    async fn send(&self, attempt: &Attempt<'_>) -> Result<Answer, Answer> {
        let sent = attempt.message;
        let message = CapMessage { id: &sent.page_id, sent: sent.at, earlier: &sent.earlier };
        let document = match sent.about {
            About::Incident => document(&attempt.incident()?, &message, attempt.desk),
            About::Bundle => {
                let (worst, bundle) = attempt.bundle()?;
                bundle_document(&worst, &bundle, &message, attempt.desk)
            }
            About::Digest => {
                let why = "a digest is no alert: CAP has none".to_owned();
                return Err(Answer::Never { why, blames: Blames::Message });
            }
        };
        let request = http::signed_post(attempt, TYPE, document);
        let reply = http::exchange(request, attempt.clock).await?;
        Ok(answer::by_body(&reply.content_type, &reply.body))
    }
}
