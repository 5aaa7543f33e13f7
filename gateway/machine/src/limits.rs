//! Every limit that no user should need to change, in one place: queues, batches, times.
//!
//! What only one file keeps (rows of a table, a pause of its own) stands in that file.

use std::time::Duration;

/// Messages of the telemetry lane that may wait for the engine.
pub const BULK_QUEUE: usize = 8_192;
/// Messages of the alarm lane, and questions, that may wait for the engine.
pub const URGENT_QUEUE: usize = 4_096;
/// Statuses and replies that may wait for the engine: Last Wills, devices that are back, and what they answer.
pub const STATUS_QUEUE: usize = 16_384;
/// What stations say that may wait for the engine: their people's actions, and whether a terminal is open.
pub const ACTION_QUEUE: usize = 8_192;
/// What senders report of pages that may wait for the engine.
pub const REPORT_QUEUE: usize = 4_096;
/// Receipts of alarms that may wait for their sender. A device whose receipt finds no room repeats its
/// alarm, and is answered again.
pub const RECEIPT_QUEUE: usize = 8_192;
/// What the messages of one lane that wait for the engine may weigh, bytes, whatever the count: a
/// thousand large arrays must not fill the memory. A single one passes whatever it weighs.
pub const STAGED_BYTES: usize = 16 * 1024 * 1024;
/// MQTT 5 receive-maximum of the telemetry lane: no more than [`BULK_QUEUE`].
pub const RECEIVE_MAXIMUM: u16 = 4_096;
/// The largest MQTT packet taken, bytes: the largest payload, its topic and headers.
pub const MAX_PACKET: u32 = 2 * 1024 * 1024 + 4 * 1024;
/// Messages in one transaction.
pub const BATCH: usize = 2_000;
/// The largest file of `[registry]` that is read, bytes: 100,000 devices take a third of it.
pub const REGISTRY_FILE: u64 = 32 * 1024 * 1024;
/// Rows of a list that are registered in one transaction: an alarm waits for no more of them.
pub const REGISTER_AT_ONCE: usize = 500;
/// How long readings wait for more of them before they are committed, unless `store.gather_ms` says otherwise.
pub const GATHER: Duration = Duration::from_millis(100);
/// The longest pause between two attempts to reach a broker, a webhook or a database.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long everything may take to stop.
pub const GRACE: Duration = Duration::from_secs(2);
