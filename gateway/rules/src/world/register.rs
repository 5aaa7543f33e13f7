//! The registry changes while the gateway runs: devices and stations come, move, are retired and replaced.

use super::World;
use crate::registry::{Device, DeviceIx, NotReplaced, Predecessor, Station};
use crate::{Changes, Ms};

impl World {
    /// Adds a device, or changes its row; its memory stays.
    pub fn put_device(&mut self, device: Device, out: &mut Changes) -> DeviceIx {
        let ix = self.watch.put_device(device);
        let first = out.registered.len();
        out.registered.push(ix);
        out.save.push(ix);
        self.met(first, out);
        ix
    }

    /// Adds a station, or changes it.
    pub fn put_station(&mut self, station: Station, out: &mut Changes) {
        out.stations.push(station.id.clone());
        self.watch.put_station(station);
    }

    /// A device is nobody's any more: what was true of it ends, but for a fire, and what it says from
    /// now on is a stranger's. Its row, its history and its incidents stay. False: nobody registered
    /// such a device.
    pub fn retire(&mut self, id: &str, now: Ms, out: &mut Changes) -> bool {
        let Some((ix, device)) = self.claimed(id) else { return false };
        let row = device.clone().retired(now);
        self.watch.retire(ix, row, now);
        out.registered.push(ix);
        out.save.push(ix);
        self.settle(now, out);
        true
    }

    /// Another node takes the place of a device: it gets the device's row, and continues its history;
    /// the device itself is [retired](Self::retire).
    ///
    /// # Errors
    /// [`NotReplaced`]: nothing changed.
    pub fn replace(
        &mut self,
        old: &str,
        new: &str,
        now: Ms,
        out: &mut Changes,
    ) -> Result<DeviceIx, NotReplaced> {
        let (_, device) = self.claimed(old).ok_or(NotReplaced::Unknown)?;
        if self.claimed(new).is_some() {
            return Err(NotReplaced::Taken);
        }
        let heard = self.watch.registry.find(new).and_then(|ix| self.watch.registry.device(ix));
        let heard = heard.map(|heard| (heard.area.clone(), heard.decoder.clone()));
        let (area, decoder) =
            heard.unwrap_or_else(|| (device.area.clone(), device.decoder.clone()));
        let replaces = Some(Predecessor { device: device.id.clone(), until: now });
        let row = Device { id: new.into(), area, decoder, replaces, ..device.clone() };
        self.retire(old, now, out);
        Ok(self.put_device(row, out))
    }

    fn claimed(&self, id: &str) -> Option<(DeviceIx, &Device)> {
        let ix = self.watch.registry.find(id)?;
        let device = self.watch.registry.device(ix).filter(|device| device.claimed)?;
        Some((ix, device))
    }

    /// Devices that are new, or whose row changed, from that place of the list on.
    pub(super) fn met(&mut self, first: usize, out: &mut Changes) {
        for at in first..out.registered.len() {
            let ix = out.registered.get(at).copied();
            if let Some((ix, device)) =
                ix.and_then(|ix| Some((ix, self.watch.registry.device(ix)?)))
            {
                self.orders.registered(ix, device, out);
            }
        }
    }
}
