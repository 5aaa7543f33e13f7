//! What changes the gateway's state, as plain values: nothing else does.
//!
//! An [`Entry`] is one [`Input`] with its times; a [`Batch`] is what is kept in one transaction; a
//! life of the gateway begins with an [`Opening`]. None of them knows a channel, a file or a clock
//! that can be set, and all of them go through serde: the same store and the same batches make the
//! same world, the same rows and the same ids, in this process or in another one.
//!
//! Not here: what this process alone owes for an input, such as an acknowledgement or an answer
//! ([`crate::Inbox`]); what follows from one (`state.rs`); where batches are kept (`log.rs`).

use serde::{Deserialize, Serialize};
use standpipe_machine::clock::Moment;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{
    Action, Actor, Announcement, BadAnnouncement, IdSecret, IncidentId, Plan, ReceiverNews, Refused,
};
use standpipe_rules::orders::{Order, OrderRefused};
use standpipe_rules::registry::{Device, DeviceIx, NotReplaced, Profile, Station};
use standpipe_rules::wire::Parsed;
use standpipe_shared::Condition;
use standpipe_store::digests::DigestNews;
use standpipe_store::expired::Archived;
use standpipe_store::{GivenUp, Loaded, Quarantined, Store, StoreError};
use ulid::Ulid;

use crate::source::SourceIx;

/// One input, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was taken.
    pub now: Ms,
    /// When it happened, by the clock as it was when it was taken.
    pub at: Ms,
    pub input: Input,
}

/// Everything that changes what the gateway knows. Each kind is in the table of
/// `tests/entries.rs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The gateway starts over what its store holds.
    Start {
        /// By how much the clock was set while it was away.
        clock_set: Ms,
        /// By the sources' places: whether the gateway is blind without it.
        needed: Vec<bool>,
    },
    /// Somebody or something said something.
    Message(Box<SourceMessage>),
    /// A source came up or went down.
    Source { source: SourceIx, up: bool },
    /// The receiver has a page, or a bundle.
    Delivered { page_id: Ulid },
    /// One message is to carry several pages to a webhook. It is made as far as they are owed
    /// still, and sent when it is on disk.
    Bundle {
        /// The webhook's name in the configuration.
        receiver: Box<str>,
        pages: Vec<Ulid>,
    },
    /// A bundle was refused for what it says: its pages go on in smaller messages.
    TakeApart { bundle: Ulid },
    /// A page was tried for too long, or a bundle.
    GaveUp {
        page_id: Ulid,
        /// The last failure.
        why: Box<str>,
    },
    /// A sender says how its receiver does.
    Receiver {
        /// The receiver's name in the configuration.
        name: Box<str>,
        /// What it does with pages.
        news: ReceiverNews,
    },
    /// Somebody took the incident in hand before this page was first sent: it is to say what is
    /// true now.
    Reword { page_id: Ulid },
    /// A station's topic shows an incident.
    BoardSent {
        station: Box<str>,
        incident: IncidentId,
        /// As of which revision.
        rev: u32,
    },
    /// A station's topic shows what work is announced.
    BulletinSent {
        station: Box<str>,
        /// As of which revision.
        rev: u32,
    },
    /// Something became of daily digests.
    Digest(DigestNews),
    /// The broker keeps a device's settings.
    SettingsSent {
        device: DeviceIx,
        /// Under which number.
        rev: u32,
    },
    /// The broker has a command, and keeps it for the device, if that has a session there.
    CommandSent {
        id: Ulid,
        /// How often it was sent again before.
        resends: u32,
    },
    /// History has everything up to this log block.
    SeriesAt { block: i64 },
    /// History will never have the log up to this block: there was too much of it.
    GiveUpLog {
        block: i64,
        /// What is in it, by device, boot and hour.
        readings: Vec<GivenUp>,
    },
    /// History has the trail up to this entry and the ledger up to this hour.
    RecordsAt {
        /// The entry's number.
        trail: i64,
        /// Start of the hour.
        ledger: Ms,
    },
    /// Something that history will never take.
    Quarantine(Box<Quarantined>),
    /// What is too old, or too much, is in the archive: it may go.
    Archived(Box<Archived>),
    /// Somebody opened, or closed, the last page of the console that stands for a station.
    Console { station: Box<str>, open: bool },
    /// An action on an incident.
    Act { actor: Box<Actor>, action: Action },
    /// A device is registered, or changed.
    PutDevice(Box<Device>),
    /// Rows of a list that a person has looked at: each is registered, or changed.
    Register(Box<RegistryRows>),
    /// A device is nobody's any more.
    Retire { device: Box<str> },
    /// Another node takes the place of a device.
    Replace { device: Box<str>, by: Box<str> },
    /// Something is asked of devices.
    Order(Box<Order>),
    /// Work, a walk test or an exercise is announced.
    Announce(Box<Announcement>),
    /// An announcement ends.
    Withdraw { id: Box<str> },
    /// Something is wrong with the gateway itself, or (without `detail`) no longer is.
    GatewayCondition { condition: Condition, detail: Option<Box<str>> },
    /// Somebody set the machine's clock: the first input of the new time.
    ClockSet { by: Ms },
    /// The clock is right as it is.
    ClockBelieved,
    /// What the clock tells beside that of the boot.
    Moment(Moment),
    /// Time passes.
    Tick,
    /// The batch keeps everything that is remembered, and closes the ledger's rows.
    KeepAll,
}

/// Stations, then devices, which may belong to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegistryRows {
    pub stations: Vec<Station>,
    pub devices: Vec<Device>,
}

/// One message, as its source brought it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceMessage {
    pub source: SourceIx,
    /// The broker had kept it.
    pub retained: bool,
    /// Fingerprint of its topic's last level and its bytes.
    pub print: u128,
    /// The topic, where something was rejected; else empty.
    pub topic: Box<str>,
    /// What it says.
    pub parsed: Parsed,
    /// When an earlier life took it, which could not store it: ids go by that.
    #[serde(default)]
    pub first_came: Option<Ms>,
}

/// What came of an input, for whoever asked.
#[derive(Clone, Debug, PartialEq)]
pub enum EntryOutcome {
    /// It was taken: there is nothing to say.
    Taken,
    /// The action was done, or why not.
    Acted(Result<(), Refused>),
    /// The device's place.
    Placed(DeviceIx),
    /// Whether there was such a device.
    Retired(bool),
    /// The place of the device that took over, or why none did.
    Replaced(Result<DeviceIx, NotReplaced>),
    /// The id of a command, or why the order is not taken.
    Ordered(Result<Option<Ulid>, OrderRefused>),
    /// The announcement's id, or everything that is wrong with it.
    Announced(Result<Ulid, Vec<BadAnnouncement>>),
    /// Whether there was such an announcement.
    Withdrawn(bool),
}

/// The entries that are kept together, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub entries: Vec<Entry>,
    /// When nothing was added any more: what could wait was chosen by this time.
    pub sealed_at: Ms,
    /// When it was kept. Later than `sealed_at` where the disk refused it for a while.
    pub kept_at: Ms,
}

impl Batch {
    /// Empties it; the room is kept for the next one.
    pub fn clear(&mut self) {
        let Self { entries, sealed_at, kept_at } = self;
        entries.clear();
        (*sealed_at, *kept_at) = (0, 0);
    }
}

/// What a life of the gateway begins with, before any batch: the registry's files and the
/// configuration that the rules see. Not in it: the secret that ids are made with, which is the
/// store's own and is written nowhere else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// Stations to register, or to change.
    pub stations: Vec<Station>,
    /// Devices to register, or to change.
    pub devices: Vec<Device>,
    pub plan: Plan,
    pub profiles: Vec<(Box<str>, Profile)>,
}

impl Opening {
    /// Takes in the registry and gives back the world as of the last batch.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn load(self, store: &mut Store, secret: IdSecret) -> Result<Loaded, StoreError> {
        let Self { stations, devices, plan, profiles } = self;
        if !stations.is_empty() || !devices.is_empty() {
            store.import(&stations, &devices)?;
        }
        // A large registry would be there twice while the store is read.
        drop((stations, devices));
        store.load(plan, profiles, secret)
    }
}
