//! What a history can keep beside readings: incidents, the ledger, places, self-tests.
//!
//! Plain data; `deploy/FILES.md` lists what each has. Where records come from is in `records.rs`.

use standpipe_rules::Ms;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// An incident changed its state.
    Incident,
    /// An hour of one device: how many messages were expected, and what came.
    Ledger,
    /// Where a device is, and by what it is judged.
    Place,
    /// What came of a station's test alarm.
    Selftest,
}

impl RecordKind {
    /// The measurement's name in the history.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Ledger => "ledger",
            Self::Place => "place",
            Self::Selftest => "selftest",
        }
    }
}

/// One record. Its place in the history is its kind, its tags and its time: the same record
/// written again takes its own place.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub kind: RecordKind,
    /// What it is found by, in order; an empty value stands for none.
    pub tags: Vec<(&'static str, Box<str>)>,
    /// What it says, in order; one at least.
    pub fields: Vec<(&'static str, RecordValue)>,
    /// When it was true; of an hour or a day, its beginning.
    pub at: Ms,
    /// Keeps records of one kind, with the same tags and of one millisecond, apart; below a
    /// million.
    pub within_ms: u32,
}

/// What a field of a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordValue {
    Text(Box<str>),
    Integer(i64),
    Number(f64),
}

impl From<&str> for RecordValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for RecordValue {
    fn from(count: i64) -> Self {
        Self::Integer(count)
    }
}

impl From<f64> for RecordValue {
    fn from(measure: f64) -> Self {
        Self::Number(measure)
    }
}
