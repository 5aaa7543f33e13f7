//! Receipts of alarms on their way from the engine to their sender.
//!
//! They are in no store: what is lost of them, the device asks for again by repeating its alarm. So a
//! full queue drops the newest, which is counted, and the engine never waits here.

use crossbeam_channel::{Receiver, Sender, bounded};
use metrics::{Counter, counter};
use standpipe_machine::limits::RECEIPT_QUEUE;
use standpipe_rules::wire::receipt::AlarmReceipt;
use tokio::sync::watch;

/// The engine's end.
#[derive(Debug)]
pub struct ReceiptSender {
    queue: Sender<Box<AlarmReceipt>>,
    bell: watch::Sender<u64>,
}

/// The end of whoever sends them to the devices.
#[derive(Clone, Debug)]
pub struct ReceiptReceiver {
    queue: Receiver<Box<AlarmReceipt>>,
    /// Rings when some came.
    pub bell: watch::Receiver<u64>,
}

/// The way from one to the other.
#[must_use]
pub fn alarm_receipts() -> (ReceiptSender, ReceiptReceiver) {
    let (queue, queue_in) = bounded(RECEIPT_QUEUE);
    let (bell, bell_in) = watch::channel(0);
    (ReceiptSender { queue, bell }, ReceiptReceiver { queue: queue_in, bell: bell_in })
}

impl ReceiptSender {
    /// Hands these over, as far as there is room.
    pub fn send(&self, receipts: Vec<AlarmReceipt>) {
        if receipts.is_empty() {
            return;
        }
        let mut dropped = 0;
        for receipt in receipts {
            dropped += u64::from(self.queue.try_send(Box::new(receipt)).is_err());
        }
        if dropped > 0 {
            dropped_counter().increment(dropped);
        }
        self.bell.send_modify(|rings| *rings += 1);
    }
}

impl ReceiptReceiver {
    /// The next one to send; `None`: none waits.
    #[must_use]
    pub fn next(&self) -> Option<Box<AlarmReceipt>> {
        self.queue.try_recv().ok()
    }
}

/// Counts receipts that found no room.
pub(crate) fn dropped_counter() -> Counter {
    counter!("standpipe_receipts_dropped_total")
}
