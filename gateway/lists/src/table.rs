//! A list as rows of text, and the file it comes from.

use standpipe_rules::incidents::Text;

use crate::fault::{RowUnit, both};

/// A file's name, for reports, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// As the person gave it.
    pub name: &'a str,
    /// Anything that [`crate::sheet`] reads.
    pub bytes: &'a [u8],
}

/// The most rows of one file that are read.
pub const MAX_ROWS: usize = 500_000;
/// The most columns.
pub(crate) const MAX_COLUMNS: usize = 500;

/// One row and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetRow {
    /// From 1.
    pub line: u64,
    pub fields: csv::StringRecord,
    /// Lines that a quote left open swallowed: up to this one.
    pub swallowed_to: Option<u64>,
}

impl SheetRow {
    pub(crate) const fn new(line: u64, fields: csv::StringRecord) -> Self {
        Self { line, fields, swallowed_to: None }
    }
}

/// The rows of a file, without those that have nothing in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    pub unit: RowUnit,
    pub rows: Vec<SheetRow>,
    /// The first row is the names of columns, and no other can be.
    pub named: bool,
    /// What was left out, and may be of interest.
    pub notes: Vec<Text>,
}

/// Why there are no rows at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSheet {
    /// From 1.
    pub line: u64,
    pub text: Text,
}

impl NoSheet {
    pub(crate) fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { line: 1, text: both(en, zh) }
    }
}
