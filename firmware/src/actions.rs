//! What the board is to do: the output of [`crate::node`].

use heapless::{String, Vec};
use standpipe_shared::{Reply, SettingsFault};

use crate::heard::Id;
use crate::{Record, Uptime, settings};

/// The most records of one step: a reading, every condition a device judges, and
/// the begin and end of a test.
pub const RECORDS: usize = 10;
/// The longest detail of a reply, bytes.
pub const DETAIL: usize = 64;

/// What a reply says besides whether it was done. It is put into words when it is sent, so that
/// the answers to all commands that the gateway lets wait take little memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detail {
    Text(&'static str),
    /// Why settings are refused.
    Settings(SettingsFault),
}

impl Detail {
    /// As it is read; a text longer than [`DETAIL`] is cut at its last whole word.
    #[must_use]
    pub fn words(&self) -> String<DETAIL> {
        let mut words = String::new();
        match self {
            Self::Text(text) => {
                for word in text.split_inclusive(' ') {
                    if words.push_str(word).is_err() {
                        break;
                    }
                }
            }
            // Every explanation fits.
            Self::Settings(fault) => drop(settings::explain(fault, &mut words)),
        }
        words
    }
}

/// The answer to a command, or the refusal of settings (its id is `settings-<rev>`).
#[derive(Clone, Debug, PartialEq)]
pub struct CommandAnswer {
    /// That of the command.
    pub id: Id,
    pub ok: bool,
    /// Why not, or what came of it.
    pub detail: Detail,
}

impl CommandAnswer {
    /// As it goes on the wire; `words` are those of its detail.
    #[must_use]
    pub fn reply<'a>(&'a self, words: &'a str) -> Reply<'a> {
        Reply { id: &self.id, ok: self.ok, detail: words }
    }
}

/// What the sounder does until the next step says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sounder {
    #[default]
    Off,
    /// The evacuation signal.
    Fire,
    /// A chirp: battery, dirt or fault. The next step, a tenth of a second later, ends it.
    Chirp,
    /// The test signal.
    Test,
}

/// What the modem is for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Radio {
    /// No more than what the outbox holds: when that is sent, it may sleep.
    #[default]
    Sleep,
    /// The gateway's clock is to be heard too, which comes once a minute: stay that long.
    Report,
    /// An alarm waits, or a crew watches: connect now and stay.
    Now,
}

/// Which sensors to ask before the next step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted(u8);

impl Wanted {
    /// The pressure sensor.
    pub const PRESSURE: Self = Self(1);
    /// The thermometer.
    pub const TEMP: Self = Self(2);
    /// The accelerometer.
    pub const TILT: Self = Self(4);
    /// The photoelectric chamber.
    pub const SMOKE: Self = Self(8);
    /// Its voltage.
    pub const BATTERY: Self = Self(16);

    /// These sensors and those of `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are wanted.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Everything a step asks the board to do. Do them from top to bottom: the sounder waits for
/// nothing, what is kept comes before what is said, and what is said before a restart. [`crate::life::store`] does those that are
/// kept.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    /// Sound like this now; neither the storage nor the other task may delay it.
    pub sounder: Sounder,
    /// Put these into the outbox, in order.
    pub records: Vec<Record, RECORDS>,
    /// Then write [`crate::Node::memory`] to storage. It says which conditions were shouted: if
    /// the power went between it and the alarm, the alarm would never be said.
    pub persist: bool,
    /// Publish the birth status again: what it says has changed.
    pub status: bool,
    /// For the reply topic.
    pub answers: Vec<CommandAnswer, 2>,
    /// Let the drivers test themselves; the outcome comes back in [`crate::Seen::self_test`].
    pub self_test: bool,
    /// What the modem is for.
    pub radio: Radio,
    /// Restart when everything above is done and the answers are out.
    pub restart: bool,
    /// Step again then, or when a contact, the button or the modem interrupts.
    pub wake_at: Uptime,
    /// Ask these sensors before that step.
    pub wanted: Wanted,
}
