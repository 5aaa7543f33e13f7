//! What is known of where messages come from: which sources there are, in which queue their messages
//! wait, and what it means when one is down; and the receipts that go back to them.
//!
//! Not here: how a source is asked and driven, which is in `feed.rs`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::part::Part;

/// Batches of receipts on their way back to a source; what comes while so many wait is merged.
const RECEIPT_BATCHES: usize = 64;

/// What a source wants to get back when its message is on disk. Only the source that made it can
/// read it; to the engine it is opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt(u64);

impl Receipt {
    /// A receipt that stands for `token`.
    #[must_use]
    pub const fn new(token: u64) -> Self {
        Self(token)
    }

    /// For the source that made it.
    #[must_use]
    pub const fn token(self) -> u64 {
        self.0
    }
}

/// Whether what a source brings may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// Nothing it brings waits behind readings.
    Urgent,
    /// It brings Last Wills, devices that are back, and their replies: they wait behind everything urgent.
    Statuses,
    /// It brings what stations say: a share of it is taken along with whatever is urgent, the rest waits,
    /// and stations take turns.
    Actions,
    /// Its alarms overtake, the rest waits its turn.
    Bulk,
}

/// What it means when a source is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceNeed {
    /// The gateway is blind: silence says nothing of any device.
    Needed,
    /// Its own devices fall silent; the others are supervised as ever.
    Extra,
}

/// What the engine, `/metrics` and `/readyz` must know of a source.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its label in metrics.
    pub name: Box<str>,
    /// Its name in `/readyz`.
    pub part: Box<str>,
    /// Which queue its messages wait in.
    pub queue: QueueKind,
    /// What it means when it is down.
    pub sight: SourceNeed,
    /// How it is. Written by the source alone.
    pub health: Arc<Part>,
}

impl Facts {
    /// A source that has not worked yet.
    #[must_use]
    pub fn new(name: &str, part: &str, queue: QueueKind, sight: SourceNeed) -> Self {
        Self { name: name.into(), part: part.into(), queue, sight, health: Arc::default() }
    }
}

/// A source's place among [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourceIx(usize);

impl SourceIx {
    /// The source that stands after `n` others.
    #[must_use]
    pub const fn nth(n: usize) -> Self {
        Self(n)
    }

    pub(crate) const fn get(self) -> usize {
        self.0
    }
}

/// Every source of this gateway, in the order of its places.
#[derive(Clone, Debug)]
pub struct Sources(Arc<[Facts]>);

impl Sources {
    /// An urgent source and a bulk source, both needed: what the tests of several crates run an
    /// engine with. Their places are 0 and 1.
    #[must_use]
    pub fn urgent_and_bulk() -> Self {
        let alarm = Facts::new("alarm", "alarm_lane", QueueKind::Urgent, SourceNeed::Needed);
        let telemetry =
            Facts::new("telemetry", "telemetry_lane", QueueKind::Bulk, SourceNeed::Needed);
        [alarm, telemetry].into_iter().collect()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Facts] {
        &self.0
    }

    /// What one's messages wait in.
    pub(crate) fn queue(&self, source: SourceIx) -> QueueKind {
        self.0.get(source.0).map_or(QueueKind::Bulk, |facts| facts.queue)
    }
}

impl FromIterator<Facts> for Sources {
    fn from_iter<I: IntoIterator<Item = Facts>>(facts: I) -> Self {
        Self(facts.into_iter().collect())
    }
}

/// Where the engine puts the receipts of what is on disk: one for each source, in order.
pub type Outlet = mpsc::Sender<Vec<Receipt>>;
/// Where a source's receipts come out.
pub type Inlet = mpsc::Receiver<Vec<Receipt>>;

/// The way back from the engine to one source.
#[must_use]
pub fn receipts() -> (Outlet, Inlet) {
    mpsc::channel(RECEIPT_BATCHES)
}
