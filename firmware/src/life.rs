//! The node's task on a board: asks the sensors, lets the node decide, does what it says, sleeps.
//!
//! Every board and the host run this; what is theirs is behind [`Board`]. What is decided is in
//! [`crate::node`]; the other task, which talks to the broker, is in [`crate::uplink`].

use embassy_futures::select::{Either4, select4};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_storage_async::nor_flash::MultiwriteNorFlash;

use crate::node::Node;
use crate::outbox::{KeptKey, Outbox};
use crate::pulse::{PromisingTask, Pulse};
use crate::uplink::Post;
use crate::{Actions, Contacts, Fault, Hand, Heard, Seen, Sounder, Uptime, Wanted};

/// How long sensors, a decision and its storing may take when nothing hangs: a bus that does not
/// answer, and an EEPROM that erases a page, take seconds.
const TURN_S: u32 = 20;
/// How long a restart waits for the answer to the command that asked for it.
const FAREWELL: Duration = Duration::from_secs(30);
/// How often it looks whether that answer is out.
const LOOK: Duration = Duration::from_millis(100);

/// What differs from board to board.
#[expect(async_fn_in_trait, reason = "one task owns it, on one core; nothing is sent elsewhere")]
pub trait Board {
    /// Asks these sensors; everything else in what it answers may be left as it is.
    async fn sense(&mut self, wanted: Wanted) -> Seen;

    /// The contacts as they are now.
    fn contacts(&mut self) -> Contacts;

    /// Waits until a contact changes or somebody uses the button: that is told. It may be dropped
    /// before, and is called again.
    async fn touched(&mut self) -> Option<Hand>;

    /// Sounds like this until told otherwise.
    fn sound(&mut self, sounder: Sounder);

    /// Lets the sensors test themselves.
    async fn self_test(&mut self) -> Result<(), Fault>;

    /// Starts the device again.
    fn restart(&mut self) -> !;
}

/// A node with its board and its mail.
pub struct Life<'l, B, M: RawMutex, F> {
    /// Decides what the board does.
    pub node: Node,
    /// Senses and sounds.
    pub board: B,
    /// What is said and heard.
    pub post: &'l Post<M, F>,
    /// Told before every wait how long it may last.
    pub pulse: &'l Pulse,
}

fn now() -> Uptime {
    Uptime(Instant::now().as_millis())
}

/// Stores what one step has said, and then what the node remembers of it. In this order: when the
/// power goes in between, an alarm is said twice, which the gateway knows; in the other it would
/// never be said, since the memory holds that it was.
pub async fn store<F: MultiwriteNorFlash>(outbox: &mut Outbox<F>, node: &Node, actions: &Actions) {
    for record in &actions.records {
        outbox.put(record).await;
    }
    if actions.persist {
        outbox.keep(KeptKey::Node, &node.memory().to_bytes()).await;
    }
}

impl<B: Board, M: RawMutex, F: MultiwriteNorFlash> Life<'_, B, M, F> {
    /// Lives for ever.
    pub async fn run(&mut self) -> ! {
        self.post.set_status(self.node.status());
        let mut seen = self.look(Wanted::default()).await;
        loop {
            self.pulse.promise(PromisingTask::Node, now(), TURN_S);
            let actions = self.node.step(&seen, now());
            if matches!(seen.heard, Some(Heard::Clock(_))) {
                self.post.set_clock(self.node.clock().clone());
            }
            self.perform(&actions).await;
            seen = self.next(&actions).await;
        }
    }

    /// Does everything, from top to bottom; a self-test's outcome is the next thing seen.
    async fn perform(&mut self, actions: &Actions) {
        // First of all: the storage may be dead, and the other task may hold it.
        self.board.sound(actions.sounder);
        if !actions.records.is_empty() || actions.persist {
            store(&mut *self.post.outbox.lock().await, &self.node, actions).await;
        }
        if actions.status {
            self.post.set_status(self.node.status());
        }
        for answer in &actions.answers {
            self.post.answer(answer.clone());
        }
        self.post.set_radio(actions.radio);
        if !actions.records.is_empty() {
            self.post.wake();
        }
        if actions.restart {
            self.say_farewell().await;
            self.board.restart();
        }
    }

    /// Waits for the answers to be out, but not for ever.
    async fn say_farewell(&self) {
        self.pulse.promise(PromisingTask::Node, now(), TURN_S + FAREWELL.as_secs() as u32);
        let out = async {
            while self.post.unanswered() > 0 {
                Timer::after(LOOK).await;
            }
        };
        // The gateway asks again when it hears nothing.
        let _ = with_timeout(FAREWELL, out).await;
    }

    /// Sleeps until there is something to decide on.
    async fn next(&mut self, actions: &Actions) -> Seen {
        if actions.self_test {
            let outcome = self.board.self_test().await;
            return Seen { self_test: Some(outcome), ..self.look(Wanted::default()).await };
        }
        let sleep_s = u32::try_from(actions.wake_at.since_ms(now()) / 1_000).unwrap_or(u32::MAX);
        self.pulse.promise(PromisingTask::Node, now(), sleep_s.saturating_add(TURN_S));
        let wake = Timer::at(Instant::from_millis(actions.wake_at.0));
        let (heard, loaded) = (self.post.heard.receive(), self.post.under_load.wait());
        match select4(wake, heard, self.board.touched(), loaded).await {
            Either4::First(()) => self.look(actions.wanted).await,
            Either4::Second(heard) => {
                Seen { heard: Some(heard), ..self.look(Wanted::default()).await }
            }
            Either4::Third(hand) => Seen { hand, ..self.look(Wanted::default()).await },
            Either4::Fourth(()) => self.look(Wanted::BATTERY).await,
        }
    }

    async fn look(&mut self, wanted: Wanted) -> Seen {
        self.pulse.promise(PromisingTask::Node, now(), TURN_S);
        let seen = self.board.sense(wanted).await;
        let (link, rssi_dbm) = (self.post.link(), self.post.rssi_dbm());
        Seen { contacts: self.board.contacts(), link, rssi_dbm, ..seen }
    }
}
