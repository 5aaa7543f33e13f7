//! What the node's task and the uplink's task share, and nothing else.

use core::cell::RefCell;

use embassy_sync::blocking_mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use standpipe_shared::Status;

use super::{DialFault, ModemFacts, UplinkBacklog};
use crate::actions::Detail;
use crate::clock::Clock;
use crate::heard::{Id, Malformed};
use crate::orders::fingerprint;
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
    /// What its modem has last said of itself.
    facts: ModemFacts,
    /// Why the last call that did not come about did not.
    dial_fault: Option<DialFault>,
    calls: u32,
    /// What the modem has taken, mAh.
    modem_mah: u32,
    /// How many messages of the gateway could not be read.
    refused: u32,
    /// Whose it was last: settings that cannot be read come again with every connection.
    refused_last: u32,
    /// The answer in flight; it is retried at the next connection if this one breaks.
    saying: Option<CommandAnswer>,
}

/// What the uplink adds to a status.
pub(super) struct ModemStatus {
    facts: ModemFacts,
    dial_fault: Option<DialFault>,
    calls: u32,
    modem_mah: u32,
    refused: u32,
}

impl ModemStatus {
    pub(super) fn onto<'a>(&'a self, status: Status<'a>) -> Status<'a> {
        let said = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        Status {
            refused: Some(self.refused).filter(|refused| *refused > 0),
            imei: said(&self.facts.imei),
            iccid: said(&self.facts.iccid),
            modem: said(&self.facts.firmware),
            attach_s: said(&self.facts.imei).map(|_| self.facts.attach_s.into()),
            rsrp_dbm: self.facts.rsrp_dbm.map(i32::from),
            snr_db: self.facts.snr_db.map(i32::from),
            dial_fault: self.dial_fault.map(DialFault::as_str),
            calls: Some(self.calls),
            modem_mah: Some(self.modem_mah),
            ..status
        }
    }
}

/// Between the two tasks. `M` guards it; on one core without interrupts that is `NoopRawMutex`.
pub struct Post<M: RawMutex, F> {
    /// What waits to be sent.
    pub outbox: Mutex<M, Outbox<F>>,
    /// What the gateway said, oldest first. The uplink waits while it is full.
    pub heard: Channel<M, Heard, HEARD>,
    pub(super) answers: Channel<M, CommandAnswer, ANSWERS>,
    pub(super) changed: Signal<M, ()>,
    /// The modem is at work: what the battery says now is what it can give.
    pub under_load: Signal<M, ()>,
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
            facts: ModemFacts::NONE,
            dial_fault: None,
            calls: 0,
            modem_mah: 0,
            refused: 0,
            refused_last: 0,
            saying: None,
        };
        Self {
            outbox: Mutex::new(outbox),
            heard: Channel::new(),
            answers: Channel::new(),
            changed: Signal::new(),
            under_load: Signal::new(),
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

    /// A message of the gateway cannot be read: it is counted, and answered once if it has an id.
    pub(super) fn refuse(&self, why: Malformed, id: Option<Id>) {
        let news = self.with(|notes| {
            notes.refused = notes.refused.saturating_add(1);
            let new = id.as_deref().map_or(0, fingerprint);
            core::mem::replace(&mut notes.refused_last, new) != new
        });
        let Some(id) = id.filter(|_| news) else { return };
        self.answer(CommandAnswer { id, ok: false, detail: Detail::Text(why.words()) });
    }

    /// A call came about, or not.
    pub(super) fn dialled(&self, fault: Option<DialFault>, facts: Option<&ModemFacts>) {
        self.with(|notes| {
            notes.calls = notes.calls.saturating_add(1);
            notes.dial_fault = fault.or(notes.dial_fault);
            if let Some(facts) = facts {
                notes.facts = facts.clone();
            }
        });
    }

    pub(super) fn set_modem_mah(&self, modem_mah: u32) {
        self.with(|notes| notes.modem_mah = modem_mah);
    }

    /// What the modem is and has done: so much of a status.
    pub(super) fn modem_status(&self) -> ModemStatus {
        self.with(|notes| ModemStatus {
            facts: notes.facts.clone(),
            dial_fault: notes.dial_fault,
            calls: notes.calls,
            modem_mah: notes.modem_mah,
            refused: notes.refused,
        })
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
