//! What the broker had kept for whoever comes, by the device it is about.
//!
//! Not here: what follows from it for one device (`retained`).

use standpipe_shared::{Alarm, Kind, Reading};

use super::{Watch, kind_of, plausible};
use crate::detect::admit::{Arrival, SeqOrder, print};
use crate::detect::judge::{Cry, Judge, When};
use crate::detect::retained::KeptAlarm;
use crate::registry::DeviceIx;
use crate::wire::{Arrived, Origin};
use crate::{Changes, Ms};

impl Watch {
    /// Readings came that the broker had kept.
    pub fn retained_readings(
        &mut self,
        Origin { area, device }: Origin,
        readings: &[Reading],
        at: Ms,
        out: &mut Changes,
    ) {
        out.counts.retained += 1;
        for reading in readings {
            let ix = self.find_kept(device, area, kind_of(&reading.values, None), out);
            // Of a device that was heard it moves nothing, so that there is nothing to keep either,
            // however many the broker kept.
            if self.memory(ix).is_some_and(|memory| !memory.is_strangers()) {
                continue;
            }
            let ts = plausible(reading.ts, at).unwrap_or(at);
            let when = When { ts, at, late: false };
            self.judge_kept((ix, at), |judge| judge.retained_reading(&reading.values, when), out);
        }
    }

    /// What the broker kept for that device was taken back: the next that it keeps is news.
    pub fn retained_taken_back(&mut self, device: &str, out: &mut Changes) {
        let memory = self.registry.find(device).and_then(|ix| self.memories.get_mut(ix.at()));
        let Some(memory) = memory else { return };
        memory.known_alarms = None;
        out.save.extend(self.registry.find(device));
    }

    /// An alarm came that the broker had kept.
    pub fn retained_alarm(
        &mut self,
        Origin { area, device }: Origin,
        alarm: &Alarm,
        arrived: Arrived,
        out: &mut Changes,
    ) {
        out.counts.retained += 1;
        let Alarm { reading, condition, active, test } = *alarm;
        let Arrived { at, print: fingerprint, .. } = arrived;
        let ix = self.find_kept(device, area, kind_of(&reading.values, Some(condition)), out);
        let number = reading.boot.zip(reading.seq);
        let print = print(&reading, Some((condition, active, test)));
        let arrival = Arrival { number, ts: at, at, print, late: false };
        let Some(door) = self.memory(ix).map(|memory| &memory.door) else { return };
        if door.knows(&arrival) || self.recent.knows(ix, &arrival) {
            out.counts.duplicates += 1;
            return;
        }
        let unseen = door.order(number) == SeqOrder::Newer;
        let cry = Cry { condition, active, test };
        let ts = plausible(reading.ts, at);
        let kept = KeptAlarm { cry, ts, at, print: fingerprint, unseen };
        let facts = self.facts.len();
        self.judge_kept((ix, at), |judge| judge.retained_alarm(kept), out);
        self.mark_old_fires(facts, ts.map_or(0, |ts| at - ts), ix);
    }

    /// A status came that the broker had kept: a will says nothing of now. Answers whether nothing
    /// newer is known of the device.
    pub fn retained_status(
        &mut self,
        Origin { area, device }: Origin,
        (online, interval_s): (bool, Option<u32>),
        at: Ms,
        out: &mut Changes,
    ) -> bool {
        out.counts.retained += 1;
        let ix = self.find_kept(device, area, Kind::Hydrant, out);
        let stranger = self.memory(ix).is_some_and(|memory| memory.heard_at.is_none());
        if online {
            self.judge_kept((ix, at), |judge| judge.retained_birth(interval_s), out);
        }
        stranger
    }

    /// As [`Self::find`], but an old message tells nothing new of where a device is.
    fn find_kept(&mut self, id: &str, area: &str, kind: Kind, out: &mut Changes) -> DeviceIx {
        let known = self.registry.find(id);
        known.unwrap_or_else(|| self.find(id, area, kind, out))
    }

    /// What is not in the log must be kept with this commit.
    fn judge_kept(
        &mut self,
        sender: (DeviceIx, Ms),
        work: impl FnOnce(&mut Judge<'_>),
        out: &mut Changes,
    ) {
        self.judge_message(sender, work);
        out.save.push(sender.0);
    }
}
