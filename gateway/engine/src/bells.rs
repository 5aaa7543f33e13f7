//! Doorbells: they say that something is there, never what. Each holds one ring. Beside them goes what
//! no store has: the receipts of alarms.

use tokio::sync::watch;

use crate::receipts::{ReceiptReceiver, ReceiptSender, alarm_receipts};

/// The engine's ends.
#[derive(Debug)]
pub struct Bells {
    /// Something is owed to a station's topic.
    pub stations: watch::Sender<u64>,
    /// Something is owed to a webhook.
    pub webhooks: watch::Sender<u64>,
    /// Something may be owed to a device.
    pub devices: watch::Sender<u64>,
    /// The newest log block.
    pub log: watch::Sender<i64>,
    /// The newest event of the stream.
    pub events: watch::Sender<i64>,
    /// Alarms are on disk, and their devices are to hear that.
    pub receipts: ReceiptSender,
}

/// The listeners' ends: clone what you need, and await `changed()`. Ring once at the start
/// yourself (`mark_changed`), for what is owed from before.
#[derive(Clone, Debug)]
pub struct Rings {
    /// Something is owed to a station's topic.
    pub stations: watch::Receiver<u64>,
    /// Something is owed to a webhook.
    pub webhooks: watch::Receiver<u64>,
    /// Something may be owed to a device.
    pub devices: watch::Receiver<u64>,
    /// The newest log block.
    pub log: watch::Receiver<i64>,
    /// The newest event of the stream.
    pub events: watch::Receiver<i64>,
    /// Receipts to send.
    pub receipts: ReceiptReceiver,
}

/// Five bells, and the way of receipts.
#[must_use]
pub fn bells() -> (Bells, Rings) {
    let (stations, stations_in) = watch::channel(0);
    let (webhooks, webhooks_in) = watch::channel(0);
    let (devices, devices_in) = watch::channel(0);
    let (log, log_in) = watch::channel(0);
    let (events, events_in) = watch::channel(0);
    let (receipts, receipts_in) = alarm_receipts();
    (
        Bells { stations, webhooks, devices, log, events, receipts },
        Rings {
            stations: stations_in,
            webhooks: webhooks_in,
            devices: devices_in,
            log: log_in,
            events: events_in,
            receipts: receipts_in,
        },
    )
}
