//! What a format is given to send one message.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde::Deserialize;
use standpipe_machine::clock::Clock;
use standpipe_rules::Ms;
use standpipe_rules::digest::Digest;
use standpipe_rules::incidents::{WireBundle, WireIncident};
use standpipe_trust::{Authorities, Secret};
use standpipe_words::cap::Earlier;
use standpipe_words::digest::Room;
use standpipe_words::message::{self, Desk, MessageText};

use crate::answer::{Answer, Blames};

/// How long a connection to a receiver may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one attempt at a receiver may take.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// One incident, at one of its moments.
    Incident,
    /// Several pages, which one message carries.
    Bundle,
    /// The notices of a day.
    Digest,
}

/// What is on its way to a receiver.
#[derive(Clone, Debug)]
pub struct OutgoingMessage {
    /// What it is about.
    pub about: About,
    /// The page, the bundle or the digest: the same for every attempt.
    pub page_id: String,
    /// When it was owed.
    pub at: Ms,
    /// The incident with its page, the bundle or the digest: JSON.
    pub wire: String,
    /// What the receiver got about it before, where its format refers to that.
    pub earlier: Vec<Earlier>,
}

/// What a receiver is spoken to with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    /// For those that speak HTTP. It follows no redirect: a page must not go where nobody sent it.
    pub http: Client,
    /// For those that make their own connections.
    pub trust: Arc<Authorities>,
}

impl Caller {
    /// One that believes these authorities.
    ///
    /// # Errors
    /// No TLS.
    pub fn new(trust: Authorities) -> reqwest::Result<Self> {
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ATTEMPT_TIMEOUT)
            .redirect(Policy::none())
            .user_agent(concat!("standpipe/", env!("CARGO_PKG_VERSION")));
        Ok(Self { http: trust.client(client).build()?, trust: Arc::new(trust) })
    }
}

/// One attempt at one receiver.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What it is made with.
    pub caller: &'a Caller,
    /// Where it goes; may hold a secret.
    pub url: &'a Url,
    /// The content of `secret_file`.
    pub secret: Option<&'a Secret>,
    /// What is sent.
    pub message: &'a OutgoingMessage,
    /// What it is written with.
    pub desk: &'a Desk,
    /// What time it is.
    pub clock: &'a Clock,
}

/// A digest as it is kept and sent.
#[derive(Deserialize)]
struct WrappedDigest {
    digest: Digest,
}

impl Attempt<'_> {
    /// The message in a few lines, as people read it. `room`: how much of a bundle or a digest fits; an
    /// incident always does.
    ///
    /// # Errors
    /// [`Answer::Never`]: it can't be read.
    pub fn words(&self, room: Room) -> Result<MessageText, Answer> {
        match self.message.about {
            About::Incident => Ok(message::words(&self.incident()?, self.desk)),
            About::Bundle => {
                let (worst, bundle) = self.bundle()?;
                Ok(standpipe_words::bundle::words(&worst, &bundle, self.desk, room))
            }
            About::Digest => {
                let wrapped: WrappedDigest =
                    serde_json::from_str(&self.message.wire).map_err(unread)?;
                Ok(standpipe_words::digest::words(&wrapped.digest, self.desk, room))
            }
        }
    }

    /// The worst incident of a bundle, and what it carries.
    ///
    /// # Errors
    /// [`Answer::Never`]: it can't be read.
    pub fn bundle(&self) -> Result<(WireIncident, WireBundle), Answer> {
        WireBundle::read(&self.message.wire).map_err(unread)
    }

    /// The incident that the message is about.
    ///
    /// # Errors
    /// [`Answer::Never`]: it can't be read.
    pub fn incident(&self) -> Result<WireIncident, Answer> {
        WireIncident::read(&self.message.wire).map_err(unread)
    }
}

fn unread(bad: serde_json::Error) -> Answer {
    Answer::Never { why: format!("it can't be read ({bad})"), blames: Blames::Message }
}
