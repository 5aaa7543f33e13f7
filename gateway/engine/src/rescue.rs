//! Who is acknowledged while nothing can be stored, and when.
//!
//! What the engine has taken is safe with it only while it lives, and with the broker for as long as it is
//! not acknowledged. But a broker has a window: with so many messages unacknowledged it sends no more, and
//! the next alarm would wait for the disk. So:
//!
//! | what | is acknowledged |
//! |---|---|
//! | heartbeats, statuses, actions, replies | at once: they say what is so now, and wills are retained |
//! | an alarm | when a receiver has confirmed its page, or nobody is to be paged |
//! | readings | when they are stored |
//! | what is held with more than [`ALARMS_HELD`] or [`READINGS_HELD`] messages of its source behind it | before that, counted: it is kept in memory |
//!
//! Acknowledgements go out in the order in which messages came: what is held keeps those behind it waiting, also
//! heartbeats. So it is counted from the oldest that is held.
//!
//! Readings in memory have a limit, [`READINGS_IN_MEMORY`]. Beyond it they stay with the broker, which soon
//! sends no more of them: then the gateway says that it is blind on that source, rather than that devices
//! are silent.
//!
//! Not here: when the engine works in memory, and the way back (`shell/refuge.rs`).

use std::collections::VecDeque;

use metrics::{counter, gauge};
use standpipe_rules::incidents::{Book, IncidentId};
use standpipe_rules::wire::{Message, Parsed};

use crate::source::{Receipt, SourceIx};

/// Messages of its source behind an alarm that waits for a receiver's confirmation, at most. A broker's window is 1,000 (`max_inflight_messages`
/// in `deploy/mosquitto/mosquitto.conf`): less than half of it is used.
const ALARMS_HELD: usize = 256;
/// The same behind readings that wait for the disk.
const READINGS_HELD: usize = 256;
/// Readings that wait for the disk unacknowledged, at most: what a message weighs closes a lane's window,
/// too, long before so many messages if they are large. These are some 2.4 of its 12 MiB.
const HELD_READINGS: usize = 20_000;
/// Readings that were acknowledged before they were stored, at most: some 50 MB.
const READINGS_IN_MEMORY: usize = 2_000_000;

/// What must have happened before a message is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// It is kept, wherever that is.
    Kept,
    /// A receiver has confirmed a page about each of these, or nobody is to be paged.
    Confirmed(Vec<IncidentId>),
    /// So many readings are stored.
    Stored { readings: usize },
}

impl Until {
    /// What that is of a message; an alarm's incidents are not known yet.
    pub(crate) fn of(parsed: &Parsed) -> Self {
        let mut until = Self::Kept;
        for message in parsed.messages() {
            match message {
                Message::Alarm { .. } | Message::UnreadableAlarm { .. } => {
                    return Self::Confirmed(Vec::new());
                }
                Message::Telemetry { readings, .. } => {
                    until = Self::Stored { readings: readings.len() };
                }
                Message::Status { .. }
                | Message::NotUnderstood { .. }
                | Message::Cleared { .. }
                | Message::Reply { .. }
                | Message::Action { .. }
                | Message::Presence { .. }
                | Message::Chain { .. } => {}
            }
        }
        until
    }
}

/// A message that wants to be acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct OwedReceipt {
    pub(crate) source: SourceIx,
    pub(crate) receipt: Receipt,
    pub(crate) until: Until,
}

/// One that waits, and which one of its source's it is.
#[derive(Debug)]
struct HeldReceipt {
    owed: OwedReceipt,
    nth: usize,
}

/// The receipts that are not given back yet, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct HeldReceipts {
    alarms: VecDeque<HeldReceipt>,
    readings: VecDeque<HeldReceipt>,
    /// By the sources' places: how many of its messages were taken.
    taken: Vec<usize>,
    /// Readings that are in memory alone.
    unstored: usize,
    /// The source whose readings stay with the broker.
    stopped: Option<SourceIx>,
}

impl HeldReceipts {
    /// What may be given back now, of these and of those that are held.
    pub(crate) fn ripe(&mut self, owed: Vec<OwedReceipt>, book: &Book) -> Vec<OwedReceipt> {
        let mut ripe = Vec::new();
        for one in owed {
            let nth = self.count(one.source);
            match one.until {
                Until::Kept => ripe.push(one),
                Until::Confirmed(_) => self.alarms.push_back(HeldReceipt { owed: one, nth }),
                Until::Stored { .. } => self.readings.push_back(HeldReceipt { owed: one, nth }),
            }
        }
        let waits = |held: &HeldReceipt| match &held.owed.until {
            Until::Confirmed(incidents) => incidents.iter().any(|id| book.waits_for_receiver(*id)),
            Until::Kept | Until::Stored { .. } => false,
        };
        let (waiting, confirmed) = self.alarms.drain(..).partition(waits);
        self.alarms = waiting;
        let confirmed: VecDeque<HeldReceipt> = confirmed;
        ripe.extend(confirmed.into_iter().map(|held| held.owed));
        while let Some(oldest) = self.alarms.front()
            && self.behind(oldest) >= ALARMS_HELD
        {
            counter!("standpipe_rescue_early_total", "what" => "alarms").increment(1);
            ripe.extend(self.alarms.pop_front().map(|held| held.owed));
        }
        while let Some(oldest) = self.readings.front()
            && self.holds_too_much(oldest)
            && self.unstored < READINGS_IN_MEMORY
        {
            let Some(HeldReceipt { owed, .. }) = self.readings.pop_front() else { break };
            if let Until::Stored { readings } = owed.until {
                self.unstored += readings;
            }
            counter!("standpipe_rescue_early_total", "what" => "readings").increment(1);
            ripe.push(owed);
        }
        self.measure();
        ripe
    }

    /// Everything is stored: all of them, and the source that may go on.
    pub(crate) fn all(&mut self) -> (Vec<OwedReceipt>, Option<SourceIx>) {
        let Self { alarms, readings, taken: _, unstored, stopped } = self;
        *unstored = 0;
        let all = alarms.drain(..).chain(readings.drain(..)).map(|held| held.owed).collect();
        let stopped = stopped.take();
        self.measure();
        (all, stopped)
    }

    /// A source whose readings stay with the broker from now on; said once.
    pub(crate) fn newly_stopped(&mut self) -> Option<SourceIx> {
        let oldest = self.readings.front().filter(|oldest| self.holds_too_much(oldest))?;
        if self.stopped.is_some() {
            return None;
        }
        self.stopped = Some(oldest.owed.source);
        self.stopped
    }

    /// Counts a message of a source: which one it is.
    fn count(&mut self, source: SourceIx) -> usize {
        if self.taken.len() <= source.get() {
            self.taken.resize(source.get() + 1, 0);
        }
        let Some(taken) = self.taken.get_mut(source.get()) else { return 0 };
        *taken += 1;
        *taken
    }

    /// Whether readings hold so much that their lane would soon read no more.
    fn holds_too_much(&self, oldest: &HeldReceipt) -> bool {
        let readings = |held: &HeldReceipt| match held.owed.until {
            Until::Stored { readings } => readings,
            Until::Kept | Until::Confirmed(_) => 0,
        };
        self.behind(oldest) >= READINGS_HELD
            || self.readings.iter().map(readings).sum::<usize>() > HELD_READINGS
    }

    /// How many messages of its source came after it.
    fn behind(&self, held: &HeldReceipt) -> usize {
        self.taken.get(held.owed.source.get()).map_or(0, |taken| taken - held.nth)
    }

    fn measure(&self) {
        gauge!("standpipe_rescue_held", "what" => "alarms").set(self.alarms.len() as f64);
        gauge!("standpipe_rescue_held", "what" => "readings").set(self.readings.len() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::{ALARMS_HELD, HeldReceipts, OwedReceipt, READINGS_HELD, READINGS_IN_MEMORY, Until};
    use crate::source::{Receipt, SourceIx};
    use standpipe_rules::incidents::{Book, IdSecret, Plan};

    fn owed(n: usize, until: Until) -> OwedReceipt {
        OwedReceipt { source: SourceIx::nth(1), receipt: Receipt::new(n as u64), until }
    }

    fn tokens(ripe: &[OwedReceipt]) -> Vec<u64> {
        ripe.iter().map(|one| one.receipt.token()).collect()
    }

    #[test]
    fn readings_stay_with_the_broker_as_far_as_its_window_goes_and_then_in_memory() {
        let book = Book::new(Plan::default(), IdSecret::new([7; 32]));
        let mut held = HeldReceipts::default();
        let readings = |n| owed(n, Until::Stored { readings: 50 });
        let some: Vec<_> = (0..READINGS_HELD).map(readings).collect();
        assert_eq!(tokens(&held.ripe(some, &book)), [0_u64; 0], "less than half of the window");
        let status = owed(9_000, Until::Kept);
        let ripe = held.ripe(vec![readings(1_000), status], &book);
        assert_eq!(
            tokens(&ripe),
            [9_000, 0, 1],
            "two are behind the first, and one behind the second"
        );
        let most = READINGS_IN_MEMORY / 50;
        let many: Vec<_> = (2_000..2_000 + 2 * most).map(readings).collect();
        assert_eq!(held.ripe(many, &book).len(), most - 2, "as many as memory has room for");
        assert_eq!(held.newly_stopped(), Some(SourceIx::nth(1)), "then they stay where they are");
        assert_eq!(held.newly_stopped(), None, "said once");
        let (all, stopped) = held.all();
        assert_eq!((all.len(), stopped), (READINGS_HELD + most + 1, Some(SourceIx::nth(1))));
        assert_eq!(held.all().0.len(), 0);
    }

    #[test]
    fn a_few_large_messages_do_not_close_their_lane_either() {
        let book = Book::new(Plan::default(), IdSecret::new([7; 32]));
        let mut held = HeldReceipts::default();
        let readings = |n| owed(n, Until::Stored { readings: 3_900 });
        assert_eq!(tokens(&held.ripe((0..5).map(readings).collect(), &book)), [0_u64; 0]);
        assert_eq!(tokens(&held.ripe(vec![readings(5), readings(6)], &book)), [0, 1]);
        assert_eq!(held.newly_stopped(), None);
    }

    #[test]
    fn an_alarm_about_which_nobody_is_to_be_paged_waits_for_nobody() {
        let book = Book::new(Plan::default(), IdSecret::new([7; 32]));
        let mut held = HeldReceipts::default();
        let some: Vec<_> = (0..ALARMS_HELD).map(|n| owed(n, Until::Confirmed(vec![]))).collect();
        assert_eq!(held.ripe(some, &book).len(), ALARMS_HELD);
    }
}
