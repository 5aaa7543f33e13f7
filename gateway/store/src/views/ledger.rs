//! What each device should have sent, and did: sums over hours.

use rusqlite::Connection;
use standpipe_rules::{HOUR_MS, Ms};

use super::list::{ListQuery, WhereClause};
use super::{ListPage, PageOf};
use crate::accounts::Area;
use crate::readers::ReadError;

/// Which hours of which devices are summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerFilter {
    /// The first moment. Hours that it lies in count whole.
    pub from: Ms,
    /// The end of the span, excluded.
    pub to: Ms,
    /// `None`: the sums of every device.
    pub device: Option<String>,
}

/// The counts of one boot of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerSum {
    pub device: String,
    pub boot: u32,
    /// By how much its highest number grew.
    pub expected: u64,
    pub received: u64,
    /// Messages that had come before.
    pub duplicate: u64,
    /// How many of those received came late.
    pub late: u64,
    /// `expected − received`, at least 0.
    pub missing: u64,
    /// Numbers that came a second time with other content.
    pub seq_reused: u64,
    /// Readings that were given up before history had them.
    pub given_up: u64,
}

const SUMS: ListQuery<'_> = ListQuery {
    select: "d.id, l.boot, sum(l.expected), sum(l.received), sum(l.duplicate), sum(l.late), \
             max(0, sum(l.expected) - sum(l.received)), sum(l.seq_reused), sum(l.given_up)",
    // From the device to its hours, so that hours that are not asked for are not read.
    from: "device d CROSS JOIN ledger l ON l.ix = d.ix",
    joins: "",
    group: "GROUP BY d.ix, l.boot",
    order: "ORDER BY d.ix, l.boot",
};

/// Sums by device and boot, over the hours that `from` … `to` touches.
///
/// # Errors
/// [`ReadError`].
pub fn list(
    db: &Connection,
    area: &Area,
    filter: &LedgerFilter,
    page: ListPage,
) -> Result<PageOf<LedgerSum>, ReadError> {
    let mut wanted = WhereClause::within(area, area.devices());
    wanted.and("l.hour > ?", filter.from.saturating_sub(HOUR_MS));
    wanted.and("l.hour < ?", filter.to);
    wanted.and_some("d.id = ?", filter.device.as_deref());
    SUMS.page(db, &wanted, page, |row| {
        Ok(LedgerSum {
            device: row.get(0)?,
            boot: row.get(1)?,
            expected: row.get(2)?,
            received: row.get(3)?,
            duplicate: row.get(4)?,
            late: row.get(5)?,
            missing: row.get(6)?,
            seq_reused: row.get(7)?,
            given_up: row.get(8)?,
        })
    })
}
