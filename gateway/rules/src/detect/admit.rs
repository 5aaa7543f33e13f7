//! At the door: duplicate or new, late or young, which millisecond of the series is free; and the
//! ledger, which counts all that.
//!
//! Numbers are remembered for the newest boots of a device: whether one was seen for the last
//! `SEEN` numbers, what was in it for the last [`PRINTS`]. Redeliveries after a restart of the
//! gateway, which may reach further back, are caught by [`Recent`], which all devices share.
//! Beyond all that, a number that comes again counts as one that was missing: it is never dropped.

use std::cmp::Ordering;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use standpipe_shared::{Condition, Field, Reading};
use xxhash_rust::xxh3::xxh3_64;

use crate::changes::{LedgerCounts, LedgerRow, Logged};
use crate::registry::DeviceIx;
use crate::{HOUR_MS, Ms};

/// Numbers below the highest one of a boot of which is known whether they came.
const SEEN: u32 = u64::BITS;
/// Messages of a device whose content is remembered.
pub const PRINTS: usize = 32;
/// Milliseconds of the series that are known to be taken.
pub const STAMPS: usize = 12;
/// Boots of a device that are counted side by side: a node sends what an earlier boot left.
const BOOTS: usize = 2;
/// Within a boot, a number further than this from the highest one belongs to another run: a wild
/// number, or a device that counts anew. No device misses so many messages at once.
const LEAP: u32 = 10_000;

/// A reading as it stands at the door: either just parsed, or from the log.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Boot and number; both or none.
    pub number: Option<(u32, u32)>,
    /// Event time, not after `at`.
    pub ts: Ms,
    /// When it arrived, by the gateway's clock.
    pub at: Ms,
    /// Hash of the content.
    pub print: u32,
    /// Older than a live message can be.
    pub late: bool,
}

/// How a message's number stands to those that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeqOrder {
    /// It has none, or nothing follows from it: the first one, one that was used before, or one
    /// that leaps ahead.
    Unclear,
    /// Above every number of this boot, or of a later boot: the device sent it last.
    Newer,
    /// Below the highest number of this boot, within what is remembered.
    JustBefore,
    /// Further below, or of an earlier boot.
    Older,
}

/// What was decided at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Seen before, with the same content.
    Duplicate,
    /// Not seen before.
    New {
        /// Its millisecond in the series.
        series_ts: Ms,
        /// Its number was used before, with other content.
        reused: bool,
        /// Its number is far from all others of its boot.
        leapt: bool,
    },
}

/// Hash of all that a message says, so that the same numbers with other content are told apart.
#[must_use]
pub fn print(reading: &Reading, alarm: Option<(Condition, bool, bool)>) -> u32 {
    let mut bytes = [0u8; 96];
    let mut at = 0;
    let mut put = |more: &[u8]| {
        if let Some(room) = bytes.get_mut(at..at + more.len()) {
            room.copy_from_slice(more);
            at += more.len();
        }
    };
    put(&reading.boot.unwrap_or(0).to_le_bytes());
    put(&reading.seq.unwrap_or(0).to_le_bytes());
    put(&reading.ts.unwrap_or(Ms::MIN).to_le_bytes());
    for field in Field::ALL {
        // A measurement that is missing and one that is NaN cannot be confused: NaN is refused.
        put(&reading.values.get(field).map_or(u32::MAX, f32::to_bits).to_le_bytes());
    }
    if let Some((condition, active, test)) = alarm {
        put(&[condition as u8 + 1, u8::from(active), u8::from(test)]);
    }
    xxh3_64(&bytes) as u32
}

/// What is known of one boot of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Boot {
    boot: u32,
    /// The highest number that came; 0: none yet.
    highest: u32,
    /// Bit n: the number `highest − n` came.
    seen: u64,
    /// The hour that `counts` belong to, counted from 1970.
    hour: u32,
    counts: LedgerCounts,
}

impl Boot {
    /// Whether this number came, as far as is known.
    fn came(&self, seq: u32) -> bool {
        self.highest
            .checked_sub(seq)
            .is_some_and(|back| back < SEEN && self.seen & (1 << back) != 0)
    }

    /// Counts from this number on, which is expected itself and `ahead` of the last one expected.
    fn run_from(&mut self, seq: u32, ahead: u32) {
        (self.highest, self.seen) = (seq, 1);
        self.counts.expected = self.counts.expected.saturating_add(ahead);
    }

    fn note(&mut self, seq: u32) {
        match seq.checked_sub(self.highest) {
            Some(ahead) => {
                self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
                self.highest = seq;
                self.counts.expected = self.counts.expected.saturating_add(ahead);
            }
            None if self.highest - seq < SEEN => self.seen |= 1 << (self.highest - seq),
            None => {}
        }
    }
}

/// What the door remembers of one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// Newest first.
    boots: [Boot; BOOTS],
    prints: [u32; PRINTS],
    /// The low halves of the newest milliseconds given out.
    stamps: [u32; STAMPS],
    next_stamp: u8,
    /// The newest run of milliseconds that are all given out: its first and its last.
    last: (Ms, Ms),
    /// Boot and number of the last one that leapt; a number just above it makes it a run. 0: none.
    leapt: (u32, u32),
}

/// The door of version 0.1.0.
#[derive(Deserialize)]
pub struct Door1 {
    boots: [Boot; BOOTS],
    prints: [u32; PRINTS],
    stamps: [u32; STAMPS],
    next_stamp: u8,
    last: (Ms, Ms),
}

impl From<Door1> for Door {
    fn from(old: Door1) -> Self {
        let Door1 { boots, prints, stamps, next_stamp, last } = old;
        Self { boots, prints, stamps, next_stamp, last, leapt: (0, 0) }
    }
}

impl Default for Door {
    fn default() -> Self {
        Self {
            boots: [Boot::default(); BOOTS],
            prints: [0; PRINTS],
            stamps: [0; STAMPS],
            next_stamp: 0,
            last: (Ms::MIN, Ms::MIN),
            leapt: (0, 0),
        }
    }
}

impl Door {
    /// How this number stands to those that came before it.
    #[must_use]
    pub fn order(&self, number: Option<(u32, u32)>) -> SeqOrder {
        let known = self.boots.iter().filter(|track| track.highest > 0);
        let (Some((boot, seq)), Some(latest)) = (number, known.max_by_key(|track| track.boot))
        else {
            return SeqOrder::Unclear;
        };
        match boot.cmp(&latest.boot) {
            Ordering::Greater => SeqOrder::Newer,
            Ordering::Less => SeqOrder::Older,
            Ordering::Equal => match seq.checked_sub(latest.highest) {
                Some(1..=LEAP) => SeqOrder::Newer,
                None if latest.came(seq) => SeqOrder::Unclear,
                None if latest.highest - seq < SEEN => SeqOrder::JustBefore,
                None => SeqOrder::Older,
                Some(_) => SeqOrder::Unclear,
            },
        }
    }

    /// Whether a message with this number and content came, as far as is known.
    #[must_use]
    pub fn knows(&self, arrival: &Arrival) -> bool {
        arrival.number.is_some_and(|(_, seq)| {
            self.prints.get(seq as usize % PRINTS).is_some_and(|print| *print == arrival.print)
        })
    }

    /// Decides about one arrival and counts it. `again`: [`Recent`] knows it. Complete rows of the
    /// ledger go to `ledger`.
    pub fn admit(
        &mut self,
        device: DeviceIx,
        arrival: &Arrival,
        again: bool,
        ledger: &mut Vec<LedgerRow>,
    ) -> Admitted {
        let Some((boot, seq)) = arrival.number else {
            let series_ts = self.stamp(arrival.ts);
            return Admitted::New { series_ts, reused: false, leapt: false };
        };
        let print = self.prints.get_mut(seq as usize % PRINTS);
        if again || print.as_ref().is_some_and(|print| **print == arrival.print) {
            self.count_duplicate(device, boot, arrival.at, ledger);
            return Admitted::Duplicate;
        }
        if let Some(print) = print {
            *print = arrival.print;
        }
        self.turn_to(device, (boot, seq), arrival.at, ledger);
        let [track, ..] = &mut self.boots;
        let reused = track.came(seq);
        let mut leapt = false;
        if reused {
            track.counts.seq_reused = track.counts.seq_reused.saturating_add(1);
        } else {
            track.counts.received = track.counts.received.saturating_add(1);
            leapt = track.leap(seq, arrival.late, &mut self.leapt);
        }
        if arrival.late {
            track.counts.late = track.counts.late.saturating_add(1);
        }
        Admitted::New { series_ts: self.stamp(arrival.ts), reused, leapt }
    }

    /// Counts a duplicate, which moves nothing else: the log has none, and what a restart makes of the
    /// log must be what is remembered here.
    fn count_duplicate(
        &mut self,
        device: DeviceIx,
        boot: u32,
        at: Ms,
        ledger: &mut Vec<LedgerRow>,
    ) {
        let hour = hour_of(at);
        let counted =
            |track: &&mut Boot| track.highest > 0 && track.boot == boot && track.hour == hour;
        if let Some(track) = self.boots.iter_mut().find(counted) {
            track.counts.duplicate = track.counts.duplicate.saturating_add(1);
        } else {
            let counts = LedgerCounts { duplicate: 1, ..LedgerCounts::default() };
            ledger.push(LedgerRow { device, hour: Ms::from(hour) * HOUR_MS, boot, counts });
        }
    }

    /// Puts the track of this boot first, and closes its hour if that is over.
    fn turn_to(
        &mut self,
        device: DeviceIx,
        (boot, seq): (u32, u32),
        at: Ms,
        ledger: &mut Vec<LedgerRow>,
    ) {
        let hour = hour_of(at);
        let found = self.boots.iter().position(|track| track.highest > 0 && track.boot == boot);
        if let Some(found) = found {
            self.boots.swap(0, found);
        } else {
            let newest = self.boots.iter().all(|track| track.highest == 0 || track.boot < boot);
            self.boots.rotate_right(1);
            let [track, ..] = &mut self.boots;
            track.close(device, ledger);
            // What an earlier boot sent before is not known any more: count from here on.
            let highest = if newest { 0 } else { seq.saturating_sub(1) };
            *track = Boot { boot, highest, seen: 0, hour, counts: LedgerCounts::default() };
        }
        let [track, ..] = &mut self.boots;
        if track.hour != hour {
            track.close(device, ledger);
            track.hour = hour;
        }
    }

    /// Closes the rows of the ledger that still grow.
    pub fn close(&mut self, device: DeviceIx, ledger: &mut Vec<LedgerRow>) {
        for boot in &mut self.boots {
            boot.close(device, ledger);
        }
    }

    /// The gateway's clock was set. Nothing here is a moment to reckon with: what was given out of
    /// the series stays given out, and a row of the ledger keeps the hour it was counted in.
    pub const fn shift(&mut self) {
        let Self { boots, prints: _, stamps: _, next_stamp: _, last: _, leapt: _ } = self;
        let [Boot { boot: _, highest: _, seen: _, hour: _, counts: _ }, _] = boots;
    }

    /// The next free millisecond at or after `ts`.
    fn stamp(&mut self, ts: Ms) -> Ms {
        let (start, end) = self.last;
        let in_run = (start..=end).contains(&ts);
        let mut free = if in_run { end } else { ts };
        while self.stamps.contains(&(free as u32)) {
            free += 1;
        }
        self.last = (if in_run { start } else { ts }, free);
        if let Some(slot) = self.stamps.get_mut(usize::from(self.next_stamp)) {
            *slot = free as u32;
        }
        self.next_stamp = (self.next_stamp + 1) % STAMPS as u8;
        free
    }
}

/// The hour of a moment, counted from 1970.
fn hour_of(at: Ms) -> u32 {
    u32::try_from(at.div_euclid(HOUR_MS)).unwrap_or(0)
}

impl Boot {
    /// Takes note of a number; says whether it is far from all others. A single one moves nothing:
    /// only a second one just above it makes it a run of its own. What comes `late` may lie as far
    /// back as it likes.
    fn leap(&mut self, seq: u32, late: bool, leapt: &mut (u32, u32)) -> bool {
        let far = seq.abs_diff(self.highest) > LEAP && !(late && seq < self.highest);
        if !far {
            *leapt = (0, 0);
            self.note(seq);
            return false;
        }
        let begun = seq.checked_sub(leapt.1).filter(|_| leapt.0 == self.boot && leapt.1 > 0);
        match begun.filter(|ahead| *ahead <= LEAP) {
            Some(ahead) => {
                *leapt = (0, 0);
                self.run_from(seq, ahead);
                false
            }
            None if self.highest == 0 => {
                self.run_from(seq, 1);
                true
            }
            None => {
                *leapt = (self.boot, seq);
                self.counts.expected = self.counts.expected.saturating_add(1);
                true
            }
        }
    }

    fn close(&mut self, device: DeviceIx, ledger: &mut Vec<LedgerRow>) {
        let Self { boot, hour, counts, .. } = *self;
        if counts != LedgerCounts::default() {
            ledger.push(LedgerRow { device, hour: Ms::from(hour) * HOUR_MS, boot, counts });
            self.counts = LedgerCounts::default();
        }
    }
}

const _: () = assert!(Recent::MAX <= 1 << u16::BITS, "a place fits");

/// The newest numbered messages of all devices: what a broker may deliver again after a restart.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Hashes of their numbers and content. Once it is full, the newest takes the place of the
    /// oldest.
    ring: Vec<u64>,
    /// The place of the oldest in the full ring.
    oldest: u16,
    /// Places in the ring, by the hash that stands there.
    known: HashTable<u16>,
}

impl Recent {
    /// Twice what was ever seen in flight from a broker that minds no receive-maximum.
    pub const MAX: usize = 32_768;

    fn key(device: DeviceIx, number: (u32, u32), print: u32) -> u64 {
        let [a, b, c, d] = [device.0, number.0, number.1, print].map(u32::to_le_bytes);
        xxh3_64([a, b, c, d].as_flattened())
    }

    /// What stands at a place of the ring.
    fn at(ring: &[u64], place: u16) -> Option<u64> {
        ring.get(usize::from(place)).copied()
    }

    fn holds(&self, key: u64) -> bool {
        self.known.find(key, |place| Self::at(&self.ring, *place) == Some(key)).is_some()
    }

    /// Whether a message is known; nothing is remembered.
    #[must_use]
    pub fn knows(&self, device: DeviceIx, arrival: &Arrival) -> bool {
        let key = |number| Self::key(device, number, arrival.print);
        arrival.number.is_some_and(|number| self.holds(key(number)))
    }

    /// Remembers a message; says whether it was known.
    #[expect(clippy::cast_possible_truncation, reason = "places are below `MAX`, which fits")]
    pub fn meet(&mut self, device: DeviceIx, arrival: &Arrival) -> bool {
        let Some(number) = arrival.number else { return false };
        let key = Self::key(device, number, arrival.print);
        if self.holds(key) {
            return true;
        }
        let Self { ring, oldest, known } = self;
        let place = if ring.len() < Self::MAX { ring.len() as u16 } else { *oldest };
        if let Some(taken) = ring.get_mut(usize::from(place)) {
            if let Ok(entry) = known.find_entry(*taken, |other| *other == place) {
                entry.remove();
            }
            *taken = key;
            *oldest = ((usize::from(place) + 1) % Self::MAX) as u16;
        } else {
            ring.push(key);
        }
        known.insert_unique(key, place, |other| Self::at(ring, *other).unwrap_or(0));
        debug_assert_eq!(known.len(), ring.len(), "each place is listed once");
        false
    }
}

impl Arrival {
    /// From the log, which does not say whether it was late.
    #[must_use]
    pub fn logged(logged: &Logged) -> Self {
        Self {
            number: logged.boot.zip(logged.seq),
            ts: logged.ts,
            at: logged.arrived,
            print: logged.print,
            late: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_version_0_1_0_knew_is_known() {
        let mut door = Door::default();
        let arrival = Arrival { number: Some((3, 40)), ts: 5, at: 5, print: 7, late: true };
        door.admit(DeviceIx(0), &arrival, false, &mut vec![]);
        let Door { boots, prints, stamps, next_stamp, last, leapt: (0, 0) } = door.clone() else {
            panic!("{door:?}")
        };
        assert_eq!(Door::from(Door1 { boots, prints, stamps, next_stamp, last }), door);
    }
}
