//! The places of last resort, in memory: for when the storage chip does not answer. An alarm
//! must not be lost for a broken chip of a few cents.

use heapless::Vec;

use super::LostRecords;
use crate::{Class, Record, RecordId};

/// How many messages memory holds.
pub const PLACES: usize = 8;

#[derive(Default)]
pub(super) struct Spare {
    /// Encoded, which is less than half as long, oldest first.
    records: Vec<Vec<u8, { Record::MAX }>, PLACES>,
}

impl Spare {
    /// Takes a record in and says what was lost for it; that may be the record itself, when it
    /// is a reading among alarms.
    pub(super) fn push(&mut self, record: &Record) -> LostRecords {
        let mut lost = LostRecords::default();
        if self.records.is_full() {
            let reading = self.iter().position(|record| record.class() == Class::Reading);
            match (reading, record.class()) {
                (Some(oldest), _) => {
                    self.records.remove(oldest);
                    lost.readings = 1;
                }
                (None, Class::Alarm) => {
                    self.records.remove(0);
                    lost.alarms = 1;
                }
                (None, Class::Reading) => return LostRecords { alarms: 0, readings: 1 },
            }
        }
        let mut bytes = [0; Record::MAX];
        let len = record.encode(&mut bytes).unwrap_or(0);
        let encoded = bytes.get(..len).and_then(|encoded| Vec::from_slice(encoded).ok());
        // A record always fits, and room was just made.
        let _ = encoded.map(|encoded| self.records.push(encoded));
        lost
    }

    /// What is here, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Record> {
        self.records.iter().filter_map(|encoded| Record::decode(encoded).ok())
    }

    /// Removes that record; whether it was here.
    pub(super) fn remove(&mut self, id: RecordId) -> bool {
        let before = self.records.len();
        self.records
            .retain(|encoded| Record::decode(encoded).is_ok_and(|record| record.id() != id));
        self.records.len() < before
    }
}
