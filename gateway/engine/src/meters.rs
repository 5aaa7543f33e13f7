//! What the engine counts and measures. Label sets are bounded: sources, reasons, steps.
//! The recorder must be installed before [`Meters::new`].

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use standpipe_rules::changes::{Page, StepCounts};
use standpipe_rules::wire::{Message, Parsed, RejectedReason};

use crate::inbox::Delivery;
use crate::source::Sources;

/// Handles, looked up once.
#[derive(Clone)]
pub struct Meters {
    /// By the sources' places.
    messages: Vec<Counter>,
    readings: Counter,
    alarms: Counter,
    duplicates: Counter,
    late: Counter,
    seq_reused: Counter,
    seq_jumps: Counter,
    retained: Counter,
    unknown_fields: Counter,
    /// Members understood though they are not written as they should be.
    repaired: Counter,
    bad_clocks: Counter,
    out_of_order: Counter,
    refused_actions: Counter,
    /// Messages in one transaction.
    pub batch: Histogram,
    /// Seconds a transaction took.
    pub commit: Histogram,
    /// Transactions that failed.
    pub failures: Counter,
    /// 1 while the store does not take what is written.
    pub failing: Gauge,
    /// Seconds between an alarm's arrival and its commit.
    pub alarm: Histogram,
    /// Memories that were not kept since they moved.
    pub dirty: Gauge,
    /// Seconds since the oldest of them moved.
    pub dirty_age: Gauge,
    /// Log blocks that history has not got yet.
    pub behind: Gauge,
    /// Messages waiting in the urgent queue.
    pub urgent: Gauge,
    /// Statuses waiting for their turn.
    pub statuses: Gauge,
    /// What stations say, waiting for its turn.
    pub actions: Gauge,
    /// Messages waiting in the bulk queue.
    pub bulk: Gauge,
    /// Devices registered.
    pub devices: Gauge,
    /// Acknowledgements that wait for a lane.
    pub acks: Gauge,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

impl Meters {
    /// Looks the handles up.
    #[must_use]
    pub fn new(sources: &Sources) -> Self {
        // From the start, so that the first one is an increase.
        for reason in RejectedReason::ALL {
            counter!("standpipe_rejected_total", "reason" => reason.as_str()).increment(0);
        }
        let messages = sources
            .all()
            .iter()
            .map(|facts| counter!("standpipe_messages_total", "lane" => facts.name.to_string()))
            .collect();
        let queue = |name: &'static str| gauge!("standpipe_queue_length", "queue" => name);
        Self {
            messages,
            readings: counter!("standpipe_readings_total"),
            alarms: counter!("standpipe_alarms_total"),
            duplicates: counter!("standpipe_duplicates_total"),
            late: counter!("standpipe_late_total"),
            seq_reused: counter!("standpipe_seq_reused_total"),
            seq_jumps: counter!("standpipe_seq_jumps_total"),
            retained: counter!("standpipe_retained_total"),
            unknown_fields: counter!("standpipe_unknown_fields_total"),
            repaired: counter!("standpipe_repaired_total"),
            bad_clocks: counter!("standpipe_bad_clocks_total"),
            out_of_order: counter!("standpipe_out_of_order_total"),
            refused_actions: counter!("standpipe_refused_actions_total"),
            batch: histogram!("standpipe_batch_messages"),
            commit: histogram!("standpipe_commit_seconds"),
            failures: counter!("standpipe_commit_failures_total"),
            failing: gauge!("standpipe_store_failing"),
            alarm: histogram!("standpipe_alarm_committed_seconds"),
            dirty: gauge!("standpipe_memories_dirty"),
            dirty_age: gauge!("standpipe_memories_dirty_age_seconds"),
            behind: gauge!("standpipe_log_blocks_behind"),
            urgent: queue("urgent"),
            statuses: queue("statuses"),
            actions: queue("actions"),
            bulk: queue("bulk"),
            devices: gauge!("standpipe_devices"),
            acks: gauge!("standpipe_acks_waiting"),
        }
    }

    /// A message is taken. The gateway's own heartbeat is nobody's.
    pub fn delivery(&self, delivery: &Delivery) {
        let Parsed { message, rejected, repaired, .. } = &delivery.parsed;
        if !matches!(message, Some(Message::Chain { .. }))
            && let Some(messages) = self.messages.get(delivery.source.get())
        {
            messages.increment(1);
        }
        self.repaired.increment(u64::from(*repaired));
        for part in rejected {
            let count = u64::from(part.count);
            counter!("standpipe_rejected_total", "reason" => part.reason.as_str()).increment(count);
        }
    }

    /// What a committed batch counted.
    pub fn counts(&self, it: &StepCounts) {
        for (counter, count) in [
            (&self.readings, it.readings),
            (&self.alarms, it.alarms),
            (&self.duplicates, it.duplicates),
            (&self.late, it.late),
            (&self.seq_reused, it.seq_reused),
            (&self.seq_jumps, it.seq_jumps),
            (&self.retained, it.retained),
            (&self.unknown_fields, it.unknown_fields),
            (&self.bad_clocks, it.bad_clocks),
            (&self.out_of_order, it.out_of_order),
            (&self.refused_actions, it.refused_actions),
        ] {
            if count > 0 {
                counter.increment(count);
            }
        }
    }

    /// A page is owed.
    pub fn page(it: &Page) {
        let step = match it.step {
            0 | 1 => "1",
            2 => "2",
            _ => "3",
        };
        counter!("standpipe_pages_total", "step" => step).increment(1);
    }

    /// Milliseconds as the seconds of a histogram.
    #[must_use]
    pub fn seconds(ms: standpipe_rules::Ms) -> f64 {
        Duration::from_millis(u64::try_from(ms).unwrap_or(0)).as_secs_f64()
    }
}
