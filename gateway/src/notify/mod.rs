//! Pages on their way: read what is owed from the store, send it, report what arrived.
//!
//! | file | sends to |
//! |---|---|
//! | [`station`] | the stations' retained topics, on an MQTT session of its own |
//! | [`device`] | devices: settings, commands, the clock; on another |
//! | [`webhook`] | webhooks, robots of chats, mail, text messages: one sender each |
//! | [`deliver`] | one attempt at one of these; `chat`, [`mail`], `sms`: how each wants it |
//! | `keeper` | has the daily digest of notices written down when its hour has come |
//! | `digests` | the daily digest on its way, behind all that pages |
//!
//! A doorbell says that something may be owed; what, is in the store alone. A sender that is
//! killed, cut off or told to stop therefore loses nothing: it reads again, and what was sent
//! twice bears the same `page_id`. What is slow delays nobody else.
//!
//! Not here: how an incident is put into words (`standpipe_words::message`), who is owed what (`standpipe_rules::incidents`, `orders`), and writing down that one arrived
//! (the engine, with its next batch).

pub mod answer;
mod chat;
pub mod deliver;
pub mod device;
mod digests;
mod flight;
mod keeper;
pub mod mail;
mod packets;
mod session;
pub(crate) mod sign;
mod sms;
pub mod station;
pub mod webhook;

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::engine::{EngineHandle, Rings};

/// A doorbell may be missed, a page must not: what is owed is read this often anyway.
const NET: Duration = Duration::from_secs(5);

/// How long a connection to a receiver may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one attempt at a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What every sender is made with.
#[derive(Clone)]
pub struct Setup {
    /// The store, which says what is owed.
    pub store: PathBuf,
    /// Where reports go.
    pub engine: EngineHandle,
    /// The doorbells.
    pub rings: Rings,
    /// What time it is.
    pub clock: Clock,
    /// Ends the senders; what they have not sent stays owed.
    pub stop: CancellationToken,
}
