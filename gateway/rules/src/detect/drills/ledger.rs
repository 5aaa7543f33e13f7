//! The ledger's duplicates: each is counted for the boot and the hour it came in.

use crate::changes::{LedgerCounts, LedgerRow};
use crate::detect::admit::{Admitted, Arrival, Door};
use crate::registry::DeviceIx;
use crate::{HOUR_MS, Ms};

const HOUR: Ms = 491_000 * HOUR_MS;
const DEVICE: DeviceIx = DeviceIx(3);

struct Ledger {
    door: Door,
    rows: Vec<LedgerRow>,
}

impl Ledger {
    /// Messages 1 and 2 of boot 1 and message 1 of boot 2 came, all in one hour.
    fn of_two_boots() -> Self {
        let mut ledger = Self { door: Door::default(), rows: Vec::new() };
        for number in [(1, 1), (1, 2), (2, 1)] {
            assert_ne!(ledger.comes(number, HOUR), Admitted::Duplicate);
        }
        assert!(ledger.rows.is_empty());
        ledger
    }

    fn comes(&mut self, number: (u32, u32), at: Ms) -> Admitted {
        let print = number.0 * 100 + number.1;
        let arrival = Arrival { number: Some(number), ts: at, at, print, late: false };
        self.door.admit(DEVICE, &arrival, false, &mut self.rows)
    }

    /// Boot, hour, received, duplicate of each row.
    fn closed(mut self) -> Vec<(u32, Ms, u32, u32)> {
        self.door.close(DEVICE, &mut self.rows);
        assert!(self.rows.iter().all(|row| row.device == DEVICE));
        let counts =
            |row: &LedgerRow| (row.boot, row.hour, row.counts.received, row.counts.duplicate);
        let mut rows: Vec<_> = self.rows.iter().map(counts).collect();
        rows.sort_unstable();
        rows
    }
}

#[test]
fn a_duplicate_is_counted_for_its_own_boot() {
    for (number, expected) in
        [((2, 1), [(1, HOUR, 2, 0), (2, HOUR, 1, 1)]), ((1, 2), [(1, HOUR, 2, 1), (2, HOUR, 1, 0)])]
    {
        let mut ledger = Ledger::of_two_boots();
        assert_eq!(ledger.comes(number, HOUR + 1), Admitted::Duplicate);
        assert!(ledger.rows.is_empty(), "its hour grows still: {:?}", ledger.rows);
        assert_eq!(ledger.closed(), expected, "{number:?}");
    }
}

#[test]
fn a_duplicate_of_another_hour_is_a_row_of_its_own() {
    let mut ledger = Ledger::of_two_boots();
    let later = HOUR + 2 * HOUR_MS;
    assert_eq!(ledger.comes((2, 1), later + 5), Admitted::Duplicate);
    let counts = LedgerCounts { duplicate: 1, ..LedgerCounts::default() };
    assert_eq!(ledger.rows, [LedgerRow { device: DEVICE, hour: later, boot: 2, counts }]);
    assert_eq!(ledger.closed(), [(1, HOUR, 2, 0), (2, HOUR, 1, 0), (2, later, 0, 1)]);
}
