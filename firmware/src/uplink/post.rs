//! What the node's task and the uplink's task share, and nothing else.

use core::cell::RefCell;

use embassy_sync::blocking_mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use standpipe_shared::Status;

use super::UplinkBacklog;
use crate::clock::Clock;
use crate::outbox::Outbox;
use crate::{CommandAnswer, Heard, Link, Radio, Uptime};

/// Messages of the gateway that the node has not heard yet; more wait in the broker.
const HEARD: usize = 2;
/// Answers that are not on their way yet: to as many commands as the gateway lets wait for a
/// device, while one is on its way.
const ANSWERS: usize = 16;

struct Notes {
    clock: Clock,
    radio: Radio,
    status: Option<Status<'static>>,
    /// The status has changed since the broker acknowledged it.
    status_waits: bool,
    link: Link,
    rssi_dbm: Option<i32>,
    /// The answer in flight; it is retried at the next connection if this one breaks.
    saying: Option<CommandAnswer>,
}

/// Between the two tasks. `M` guards it; on one core without interrupts that is `NoopRawMutex`.
pub struct Post<M: RawMutex, F> {
    /// What waits to be sent.
    pub outbox: Mutex<M, Outbox<F>>,
    /// What the gateway said, oldest first. The uplink waits while it is full.
    pub heard: Channel<M, Heard, HEARD>,
    pub(super) answers: Channel<M, CommandAnswer, ANSWERS>,
    pub(super) changed: Signal<M, ()>,
    notes: blocking_mutex::Mutex<M, RefCell<Notes>>,
}

impl<M: RawMutex, F> Post<M, F> {
    /// Nothing is said yet. `clock` is the node's.
    pub const fn new(outbox: Outbox<F>, clock: Clock) -> Self {
        let notes = Notes {
            clock,
            radio: Radio::Sleep,
            status: None,
            status_waits: false,
            link: Link::Asleep,
            rssi_dbm: None,
            saying: None,
        };
        Self {
            outbox: Mutex::new(outbox),
            heard: Channel::new(),
            answers: Channel::new(),
            changed: Signal::new(),
            notes: blocking_mutex::Mutex::new(RefCell::new(notes)),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Notes) -> T) -> T {
        self.notes.lock(|notes| change(&mut notes.borrow_mut()))
    }

    /// Tells the uplink that something waits in the outbox.
    pub fn wake(&self) {
        self.changed.signal(());
    }

    /// Takes the answer to a command. It never waits: the broker's word that an answer has arrived
    /// may be behind commands that the node has not heard yet, and both tasks would wait for each
    /// other. More than `ANSWERS` come from no gateway; they are dropped, as a lost reply is.
    pub fn answer(&self, answer: CommandAnswer) {
        let _ = self.answers.try_send(answer);
        self.wake();
    }

    /// How many answers the broker does not have yet: restart when there are none.
    pub fn unanswered(&self) -> usize {
        self.answers.len() + usize::from(self.with(|notes| notes.saying.is_some()))
    }

    /// What the modem is for now.
    pub fn set_radio(&self, radio: Radio) {
        if self.with(|notes| core::mem::replace(&mut notes.radio, radio)) != radio {
            self.wake();
        }
    }

    /// What the device says of itself, now and at every new connection.
    pub fn set_status(&self, status: Status<'static>) {
        self.with(|notes| (notes.status, notes.status_waits) = (Some(status), true));
        self.wake();
    }

    /// The node has heard the hour.
    pub fn set_clock(&self, clock: Clock) {
        self.with(|notes| notes.clock = clock);
        self.wake();
    }

    /// What the uplink is doing.
    pub fn link(&self) -> Link {
        self.with(|notes| notes.link)
    }

    /// Signal strength at the last connection, dBm.
    pub fn rssi_dbm(&self) -> Option<i32> {
        self.with(|notes| notes.rssi_dbm)
    }

    pub(super) fn set_link(&self, link: Link) {
        self.with(|notes| notes.link = link);
    }

    pub(super) fn set_rssi_dbm(&self, rssi_dbm: Option<i32>) {
        self.with(|notes| notes.rssi_dbm = rssi_dbm.or(notes.rssi_dbm));
    }

    pub(super) fn clock(&self) -> Clock {
        self.with(|notes| notes.clock.clone())
    }

    /// The status to say; from now on it waits only when it changes again.
    pub(super) fn take_status(&self) -> Option<Status<'static>> {
        self.with(|notes| {
            notes.status_waits = false;
            notes.status.clone()
        })
    }

    /// A new connection begins with the status, if there is one.
    pub(super) fn status_unsaid(&self) {
        self.with(|notes| notes.status_waits = notes.status.is_some());
    }

    /// The answer to say; the same until [`Self::answered`].
    pub(super) fn take_answer(&self) -> Option<CommandAnswer> {
        self.with(|notes| {
            if notes.saying.is_none() {
                notes.saying = self.answers.try_receive().ok();
            }
            notes.saying.clone()
        })
    }

    pub(super) fn answered(&self) {
        self.with(|notes| notes.saying = None);
    }
}

impl<M: RawMutex, F: embedded_storage_async::nor_flash::MultiwriteNorFlash> Post<M, F> {
    /// What waits to be said.
    pub(super) async fn desk(&self, now: Uptime) -> UplinkBacklog {
        let (waiting, repeat_at) = {
            let mut outbox = self.outbox.lock().await;
            let repeat_at = outbox.repeat_at(now).await;
            (outbox.waiting(), repeat_at)
        };
        let answer = self.unanswered() > 0;
        self.with(|notes| UplinkBacklog {
            radio: notes.radio,
            alarm: waiting.alarms > 0,
            readings: waiting.readings > 0,
            answer,
            status: notes.status_waits,
            repeat_at,
        })
    }
}
