//! `[keep]`: for how long what is over is kept in the databases, and how much of it in the archive.

use std::ops::RangeInclusive;

use standpipe_rules::{DAY_MS, Ms};

use super::section::{Notes, Section};

/// From a month, which the monthly report needs, to a hundred years.
const DAYS: RangeInclusive<u32> = 31..=36_525;

/// `[keep]`: what is older, or more, is archived and deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepConfig {
    /// `incidents_days`: closed incidents with their trail and pages.
    pub incidents_days: u32,
    /// `audit_days`: what people did.
    pub audit_days: u32,
    /// `quarantine_days`: messages that were not understood.
    pub quarantine_days: u32,
    /// `quarantine_messages`: the same; the newest so many.
    pub quarantine_messages: u32,
    /// `archive_mib`: all files of the archive together; 0: there is none.
    pub archive_mib: u32,
    /// `log_mib`: what history has not taken yet. `None`: a third of what is free at the start.
    pub log_mib: Option<u32>,
}

impl Default for KeepConfig {
    fn default() -> Self {
        Self {
            incidents_days: 1_827,
            audit_days: 1_827,
            quarantine_days: 7,
            quarantine_messages: 10_000,
            archive_mib: 1_024,
            log_mib: None,
        }
    }
}

impl KeepConfig {
    /// Before when something is too old that is kept for so many days.
    #[must_use]
    pub fn before(now: Ms, days: u32) -> Ms {
        now - Ms::from(days) * DAY_MS
    }
}

pub(super) fn read(mut section: Section, notes: &mut Notes) -> KeepConfig {
    let usual = KeepConfig::default();
    let log_mib = section.number("log_mib", 16..=16_777_216, notes);
    let mut number =
        |key, range, usual, notes: &mut Notes| section.number(key, range, notes).unwrap_or(usual);
    let read = KeepConfig {
        incidents_days: number("incidents_days", DAYS, usual.incidents_days, notes),
        audit_days: number("audit_days", DAYS, usual.audit_days, notes),
        quarantine_days: number("quarantine_days", 1..=366, usual.quarantine_days, notes),
        quarantine_messages: number(
            "quarantine_messages",
            100..=100_000,
            usual.quarantine_messages,
            notes,
        ),
        archive_mib: number("archive_mib", 0..=1_048_576, usual.archive_mib, notes),
        log_mib,
    };
    section.end(notes);
    read
}
