//! What is watched changes: devices and stations come, move and are retired.

use super::Watch;
use crate::Ms;
use crate::detect::Memory;
use crate::registry::{Device, DeviceIx, Station};

impl Watch {
    /// Adds a device, or changes its row; its memory stays.
    pub fn put_device(&mut self, device: Device) -> DeviceIx {
        let claimed = device.claimed;
        let before = self.registry.find(&device.id).and_then(|ix| self.registry.device(ix));
        let newly = claimed && before.is_none_or(|before| !before.claimed);
        let ix = self.registry.put_device(device);
        if self.memories.len() <= ix.at() {
            self.memories.resize(ix.at() + 1, Memory::default());
            self.scheduled.resize(ix.at() + 1, Ms::MAX);
        }
        if newly {
            self.newcomers.push(ix);
        }
        // Its interval may be shorter than it was.
        self.schedule(ix);
        ix
    }

    /// A device is nobody's any more: what was true of it ends, and its row becomes `row`. What is
    /// remembered of it stays, so that a message of before is known again.
    pub fn retire(&mut self, ix: DeviceIx, row: Device, at: Ms) {
        self.judge(ix, |judge| judge.retire(at));
        if let Some(before) = self.registry.device(ix) {
            if !before.zone.is_empty() {
                self.zones_due.insert((&*before.zone).into(), at);
            }
            self.areas_due.insert((&*before.station).into());
        }
        self.put_device(row);
    }

    /// Adds a station, or changes it.
    pub fn put_station(&mut self, station: Station) {
        self.registry.put_station(station);
    }
}
