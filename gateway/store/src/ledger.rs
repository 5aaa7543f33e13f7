//! `ledger`: what devices sent, by hour and boot, and what of it history will never have.

use rusqlite::{Connection, Params};
use serde::{Deserialize, Serialize};
use standpipe_rules::changes::{LedgerCounts, LedgerRow};
use standpipe_rules::registry::DeviceIx;
use standpipe_rules::{DAY_MS, Ms};

use super::StoreError;
use super::rows::{put, rows_of};

/// How long rows of the ledger are kept: as long as raw readings.
pub const LEDGER_MS: Ms = 90 * DAY_MS;

/// Readings of one device, boot and hour that were given up before history had them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    pub device: DeviceIx,
    /// Start of the hour in which they arrived.
    pub hour: Ms,
    pub boot: u32,
    pub readings: u32,
}

/// `ledger`: adds to what is there.
pub(crate) fn add(conn: &Connection, row: &LedgerRow) -> Result<(), StoreError> {
    let sql = "INSERT INTO ledger (ix, hour, boot, expected, received, duplicate, late, seq_reused)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (ix, hour, boot) DO UPDATE SET
                   expected = expected + excluded.expected,
                   received = received + excluded.received,
                   duplicate = duplicate + excluded.duplicate,
                   late = late + excluded.late,
                   seq_reused = seq_reused + excluded.seq_reused";
    put(conn, sql, values(row))
}

/// Device, hour, boot, and the counts in the order of their columns.
fn values(row: &LedgerRow) -> impl Params {
    let LedgerRow { device, hour, boot, counts } = row;
    let LedgerCounts { expected, received, duplicate, late, seq_reused } = *counts;
    (device.0, *hour, *boot, expected, received, duplicate, late, seq_reused)
}

/// `ledger`: adds to what was given up.
pub(crate) fn give_up(conn: &Connection, row: &GivenUp) -> Result<(), StoreError> {
    let sql = "INSERT INTO ledger
                   (ix, hour, boot, expected, received, duplicate, late, seq_reused, given_up)
               VALUES (?1, ?2, ?3, 0, 0, 0, 0, 0, ?4)
               ON CONFLICT (ix, hour, boot) DO UPDATE SET given_up = given_up + excluded.given_up";
    put(conn, sql, (row.device.0, row.hour, row.boot, row.readings))
}

/// `ledger`: takes out what [`add`] added.
pub(crate) fn take_out(conn: &Connection, row: &LedgerRow) -> Result<(), StoreError> {
    let sql = "UPDATE ledger SET expected = expected - ?4, received = received - ?5,
                   duplicate = duplicate - ?6, late = late - ?7, seq_reused = seq_reused - ?8
               WHERE ix = ?1 AND hour = ?2 AND boot = ?3";
    put(conn, sql, values(row))
}

/// `ledger`: at most `most` rows older than [`LEDGER_MS`] go.
pub(crate) fn cut(conn: &Connection, now: Ms, most: usize) -> Result<(), StoreError> {
    let sql = "DELETE FROM ledger WHERE (ix, hour, boot) IN
               (SELECT ix, hour, boot FROM ledger WHERE hour < ?1 LIMIT ?2)";
    put(conn, sql, (now - LEDGER_MS, rows_of(most)))
}

#[cfg(test)]
mod tests {
    use standpipe_rules::changes::{LedgerCounts, LedgerRow};
    use standpipe_rules::registry::DeviceIx;

    use super::{LEDGER_MS, add, cut};

    #[test]
    fn rows_of_the_ledger_are_kept_for_90_days_and_go_in_small_steps() {
        let mut conn = rusqlite::Connection::open_in_memory().unwrap();
        crate::migrations::migrate(&mut conn).unwrap();
        let counts = LedgerCounts { received: 1, ..LedgerCounts::default() };
        for hour in 0..10 {
            let row = LedgerRow { device: DeviceIx(hour % 2), hour: hour.into(), boot: 1, counts };
            add(&conn, &row).unwrap();
        }
        let left = |most| {
            cut(&conn, LEDGER_MS + 5, most).unwrap();
            conn.query_row("SELECT count(*), min(hour) FROM ledger", (), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
        };
        assert_eq!(left(2), Ok((8, 2)));
        assert_eq!(left(100), Ok((5, 5)), "what is younger stays");
    }
}
