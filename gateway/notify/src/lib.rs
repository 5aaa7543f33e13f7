//! Pages on their way: read what is owed from the store, send it, report what arrived.
//!
//! | file | sends to |
//! |---|---|
//! | [`station`] | the stations' retained topics, on an MQTT session of its own |
//! | [`device`] | devices: settings, commands, the clock; on another |
//! | [`chain`] | the gateway itself: the chain's heartbeat; on a third |
//! | [`receipts`] | devices: that an alarm of theirs is on disk; on a fourth |
//! | [`webhook`] | webhooks, robots of chats, mail, text messages: one sender each |
//! | [`deliver`] | one attempt at one of these |
//! | `queue` | the head of one receiver's queue |
//! | `keeper` | has the daily digest of notices written down when its hour has come |
//! | `digests` | the daily digest on its way, behind all that pages |
//! | `retry` | how long is waited after a failure, and when it is given up |
//!
//! A doorbell says that something may be owed; what, is in the store alone. A sender that is
//! killed, cut off or told to stop therefore loses nothing: it reads again, and what was sent
//! twice bears the same `page_id`. What is slow delays nobody else.
//!
//! Not here: how a format of receivers is written, sent and understood (`standpipe_receivers`), how an
//! incident is put into words (`standpipe_words::message`), who is owed what
//! (`standpipe_rules::incidents`, `orders`), and writing down that one arrived (the engine, with its
//! next batch).

#![allow(missing_docs, reason = "fields may speak for themselves: tests/tidy/docs.rs")]

pub mod chain;
pub mod deliver;
pub mod device;
mod digests;
mod flight;
mod keeper;
mod packets;
mod queue;
pub mod receipts;
mod retry;
mod session;
pub mod station;
pub mod webhook;

use std::path::Path;
use std::time::Duration;

use standpipe_engine::{EngineHandle, Rings};
use standpipe_machine::clock::Clock;
use standpipe_store::StorePlace;
use standpipe_transport::lease::TwinDoubt;
use tokio_util::sync::CancellationToken;

/// A doorbell may be missed, a page must not: what is owed is read this often anyway.
const NET: Duration = Duration::from_secs(5);

/// What every sender is made with.
#[derive(Clone)]
pub struct SenderSetup {
    /// The store, which says what is owed.
    pub store: StorePlace,
    /// Beside which file it is noted what was tried; `None`: nowhere, since a disk that does not answer keeps
    /// whoever asks it.
    pub noted_beside: Option<Box<Path>>,
    /// Writes down what arrived, and what was given up.
    pub engine: EngineHandle,
    /// Say that something may be owed.
    pub rings: Rings,
    pub clock: Clock,
    /// Whether pages say that another gateway may page as well.
    pub doubt: TwinDoubt,
    /// Ends the senders; what they have not sent stays owed.
    pub stop: CancellationToken,
}
