//! Every limit that no user should need to change, in one place: queues, batches, times.

use std::time::Duration;

/// Messages of the telemetry lane that may wait for the engine.
pub const BULK_QUEUE: usize = 8_192;
/// Messages of the alarm lane, questions and reports that may wait for the engine.
pub const URGENT_QUEUE: usize = 4_096;
/// What the messages of one lane that wait for the engine may weigh, bytes, whatever the count: a
/// thousand large arrays must not fill the memory. A single one passes whatever it weighs.
pub const STAGED_BYTES: usize = 16 * 1024 * 1024;
/// MQTT 5 receive-maximum of the telemetry lane: no more than [`BULK_QUEUE`].
pub const RECEIVE_MAXIMUM: u16 = 4_096;
/// The largest MQTT packet taken, bytes: the largest payload, its topic and headers.
pub const MAX_PACKET: u32 = 2 * 1024 * 1024 + 4 * 1024;
/// Messages in one transaction.
pub const BATCH: usize = 2_000;
/// How long telemetry may wait for company; an alarm never waits.
pub const LINGER: Duration = Duration::from_millis(10);
/// The longest pause between two attempts to reach a broker, a webhook or a database.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long everything may take to stop.
pub const GRACE: Duration = Duration::from_secs(2);
/// The newest messages kept of those not understood.
pub const QUARANTINE: u32 = 1_000;
/// The newest events kept for streams that come back.
pub const EVENTS: u32 = 10_000;
