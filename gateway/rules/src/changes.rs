//! What one step of the world wants kept, in one transaction, before anything is acknowledged.

use serde::{Deserialize, Serialize};
use standpipe_shared::{Measurements, Severity};

use crate::Ms;
use crate::action::{Action, Actor, Refused};
use crate::asked::{DeviceCommand, Of};
use crate::registry::DeviceIx;
use crate::state::IncidentId;
use crate::status::DeviceStatus;
pub use crate::trail::{Hop, Receiver, TrailEntry};

/// Everything that follows from a batch of messages and the passing of time.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Readings to keep for history, in order of arrival.
    pub readings: Vec<Logged>,
    /// Stations that are new or changed.
    pub stations: Vec<Box<str>>,
    /// Devices heard for the first time: to be registered as `unclaimed`.
    pub registered: Vec<DeviceIx>,
    /// Devices whose memory must be kept in this transaction. May name one twice.
    pub save: Vec<DeviceIx>,
    /// Devices whose memory moved in a way that the log can repeat: to be kept soon. May name
    /// one twice.
    pub dirty: Vec<DeviceIx>,
    /// Incidents that are new or changed. May name one twice.
    pub incidents: Vec<IncidentId>,
    /// What happened to incidents, in order.
    pub trail: Vec<TrailEntry>,
    /// Pages owed from now on.
    pub pages: Vec<Page>,
    /// Pages that a newer one supersedes, and since when: they are owed no more.
    pub superseded: Vec<(Page, Ms)>,
    /// Messages that carry several pages: what they carry is owed by them from now on.
    pub bundles: Vec<Bundle>,
    /// Pages of bundles that were taken apart: each is owed by itself from now on, under its new number.
    pub unbundled: Vec<Page>,
    /// Bundles of which nothing is owed any more, and since when.
    pub bundles_void: Vec<(ulid::Ulid, Ms)>,
    /// Rows of the ledger that are complete.
    pub ledger: Vec<LedgerRow>,
    /// Terminals that came or went.
    pub presence: Vec<Presence>,
    /// Of whom other settings are wished, or none any more.
    pub wishes: Vec<Of>,
    /// Devices of whose settings something changed. May name one twice.
    pub settings: Vec<DeviceIx>,
    /// Commands that are new or changed, each as it was then, in order.
    pub commands: Vec<DeviceCommand>,
    /// Whether something in `Book::meta` changed.
    pub book_meta: bool,
    /// Whether something was announced, ended or withdrawn; then `book_meta` too.
    pub windows: bool,
    /// Whether what is remembered of zones and areas changed.
    pub watch_meta: bool,
    /// Actions that were refused: nothing to keep, something to log.
    pub refused: Vec<RefusedAction>,
    /// What devices said of themselves when they started, in order.
    pub statuses: Vec<DeviceStatus>,
    /// By how much the clock was set since the last commit: what the store alone remembers to
    /// reckon with moves by as much.
    pub clock_set: Ms,
    pub counts: StepCounts,
}

impl Changes {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
            && self.stations.is_empty()
            && self.registered.is_empty()
            && self.save.is_empty()
            && self.dirty.is_empty()
            && self.incidents.is_empty()
            && self.trail.is_empty()
            && self.pages.is_empty()
            && self.superseded.is_empty()
            && self.bundles.is_empty()
            && self.unbundled.is_empty()
            && self.bundles_void.is_empty()
            && self.ledger.is_empty()
            && self.presence.is_empty()
            && self.wishes.is_empty()
            && self.settings.is_empty()
            && self.commands.is_empty()
            && self.statuses.is_empty()
            && !self.book_meta
            && !self.watch_meta
            && self.clock_set == 0
    }
}

impl Changes {
    /// Empties it; the room is kept for the next batch.
    pub fn clear(&mut self) {
        let Self {
            readings,
            stations,
            registered,
            save,
            dirty,
            incidents,
            trail,
            pages,
            superseded,
            bundles,
            unbundled,
            bundles_void,
            ledger,
            presence,
            wishes,
            settings,
            commands,
            book_meta,
            windows,
            watch_meta,
            refused,
            statuses,
            clock_set,
            counts,
        } = self;
        readings.clear();
        stations.clear();
        registered.clear();
        save.clear();
        dirty.clear();
        incidents.clear();
        trail.clear();
        pages.clear();
        superseded.clear();
        bundles.clear();
        unbundled.clear();
        bundles_void.clear();
        ledger.clear();
        presence.clear();
        wishes.clear();
        settings.clear();
        commands.clear();
        statuses.clear();
        *book_meta = false;
        *windows = false;
        *watch_meta = false;
        refused.clear();
        *clock_set = 0;
        *counts = StepCounts::default();
    }
}

/// One reading as it is kept: whole enough to step the rules again after a restart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logged {
    pub device: DeviceIx,
    pub arrived: Ms,
    /// Event time; never in the future of `arrived`.
    pub ts: Ms,
    /// Time in the series: `ts`, or the next free millisecond of this device.
    pub series_ts: Ms,
    /// Start count, where given.
    pub boot: Option<u32>,
    /// Number within the boot, where given.
    pub seq: Option<u32>,
    /// Hash of the content, for recognising a duplicate.
    pub print: u32,
    /// Whether the sender's `ts` was refused (far future, before 2020, or a clock that is behind);
    /// `None`: it sent none.
    pub clock_bad: Option<bool>,
    /// The `ts` of a clock that is behind: what later ones are compared with.
    pub claimed: Option<Ms>,
    pub values: Measurements,
}

/// A station terminal came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    pub station: Box<str>,
    /// Whether its terminal is open.
    pub online: bool,
    pub at: Ms,
}

/// An action that was refused: to be logged, with who tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAction {
    /// Who tried, as the gateway knows them.
    pub actor: Actor,
    pub action: Action,
    pub why: Refused,
}

/// One message owed to one receiver about one incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its own id: the same for every attempt.
    pub page_id: ulid::Ulid,
    pub incident: IncidentId,
    /// Which time it was opened.
    pub episode: u32,
    /// How far it was escalated.
    pub step: u8,
    /// How often that step was repeated.
    pub repeat: u32,
    pub receiver: Receiver,
    /// When it was owed.
    pub at: Ms,
    /// Counts the pages of this gateway: of two, the lower was owed first.
    #[serde(default)]
    pub number: u64,
    /// Which pages are sent before it.
    #[serde(default)]
    pub urgency: Urgency,
    /// Whether other pages may be sent in one message with it.
    #[serde(default)]
    pub company: Company,
}

/// Whether a page may be in a bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Company {
    /// It may.
    #[default]
    Any,
    /// It may not: a bundle with it was refused, and it may be why.
    Alone,
}

/// One message that carries several pages to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its own id: the same for every attempt.
    pub id: ulid::Ulid,
    /// The webhook's name in the configuration.
    pub receiver: Box<str>,
    /// When it was made.
    pub at: Ms,
    /// That of its worst member.
    pub urgency: Urgency,
    /// That of its worst member.
    pub number: u64,
    /// Its pages, the worst first.
    pub members: Vec<ulid::Ulid>,
    /// The refused bundle that its pages were in before.
    pub part_of: Option<ulid::Ulid>,
}

/// The place of a page in the queue of its receiver: lower is sent first, and of the same the one
/// that was owed first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// A fire of which nobody was told before.
    NewFire,
    /// A fire: a further step, a repetition, another detector.
    #[default]
    Fire,
    Critical,
    Warning,
    Notice,
}

impl Urgency {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 5] =
        [Self::NewFire, Self::Fire, Self::Critical, Self::Warning, Self::Notice];

    /// Of a page about something of that severity that was told before.
    #[must_use]
    pub const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Fire => Self::Fire,
            Severity::Critical => Self::Critical,
            Severity::Warning => Self::Warning,
            Severity::Notice => Self::Notice,
        }
    }

    /// Its place: 0 is sent first.
    #[must_use]
    pub const fn place(self) -> u8 {
        match self {
            Self::NewFire => 0,
            Self::Fire => 1,
            Self::Critical => 2,
            Self::Warning => 3,
            Self::Notice => 4,
        }
    }
}

/// What one device sent within one hour (arrival clock) of one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    pub device: DeviceIx,
    /// Start of the hour.
    pub hour: Ms,
    pub boot: u32,
    pub counts: LedgerCounts,
}

/// Counts of the ledger. `missing` is `expected − received`, over any span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCounts {
    /// By how much the highest number grew.
    pub expected: u32,
    /// New messages.
    pub received: u32,
    /// Messages seen before.
    pub duplicate: u32,
    /// New messages older than one interval (60 s without one) on arrival.
    pub late: u32,
    /// Numbers used again with other content.
    pub seq_reused: u32,
}

/// What one step counted; the shell adds it to its metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCounts {
    pub readings: u64,
    pub alarms: u64,
    pub duplicates: u64,
    pub late: u64,
    /// Numbers used again with other content.
    pub seq_reused: u64,
    /// Numbers that are far from all others of their boot.
    pub seq_jumps: u64,
    /// Messages of devices that the broker had kept.
    pub retained: u64,
    /// Unknown fields skipped.
    pub unknown_fields: u64,
    /// Timestamps refused.
    pub bad_clocks: u64,
    /// Actions that could not be done.
    pub refused_actions: u64,
    /// Readings older than the newest: kept, moved nothing.
    pub out_of_order: u64,
}
