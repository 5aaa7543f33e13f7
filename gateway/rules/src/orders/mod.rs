//! What the gateway asks of devices, and how far that has got: settings, which are kept for the
//! device until others are (retained, numbered), and commands, which are carried out once.
//!
//! People say what they wish of a device, or of all of one profile; a device is told when that
//! differs from what it was told last. The changes of a profile go out at a bounded rate, so that
//! a district's radio cells and its broker have room for alarms.
//!
//! | file | idea |
//! |---|---|
//! | `settings` | one device's settings: told, sent, applied or refused |
//! | `resend` | when a command that was sent and not answered is sent again |
//! | `shift` | what is waited for when the gateway's clock is set |
//!
//! What people may ask, and one command, are below it ([`crate::asked`]), because [`crate::Changes`] names
//! them too.
//!
//! Not here: how an order travels (`standpipe_notify::device`), where it is kept
//! (`standpipe_store`), what a device makes of it (`standpipe-firmware`).

mod resend;
mod settings;
mod shift;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use standpipe_shared::Settings;
use ulid::Ulid;

pub use crate::asked::{
    BadCommand, CommandRequest, EXPIRES_S, Of, Order, OrderRefused, Wish, Wished,
};
pub use crate::asked::{CommandState, DeviceCommand};
pub use settings::{
    DeviceSettings, SettingsSource, SettingsState, ShownSettings, ToldSettings, WaitsFor,
};

use crate::registry::{Device, DeviceIx, Registry};
use crate::{Changes, Ms};

/// Devices told of their profile's settings at one time …
const AT_ONCE: usize = 4;
/// … and how long before the next: 16 a second, 5,000 hydrants in five minutes.
const EVERY_MS: Ms = 250;
/// Commands of one device that nobody has answered yet.
const OPEN_MOST: usize = 16;
/// An expired command is still known for this long: its answer may come late.
const LATE_MS: Ms = 86_400_000;

/// Everything that is asked of devices.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    wishes: BTreeMap<Of, Wished>,
    settings: HashMap<DeviceIx, DeviceSettings>,
    /// Devices whose profile wishes what they were not told yet.
    due: BTreeSet<DeviceIx>,
    /// When the last of these were told.
    told_at: Ms,
    /// Those that may still be answered.
    commands: BTreeMap<Ulid, DeviceCommand>,
    timers: BTreeSet<(Ms, u64, Ulid)>,
    /// Commands that the broker has and nobody answered, by device.
    unanswered: BTreeSet<(DeviceIx, u64, Ulid)>,
    /// Those of devices that were heard since: when they are sent again.
    resends: BTreeSet<(Ms, u64, Ulid)>,
}

/// Everything a restart brings back.
#[derive(Clone, Debug, Default)]
pub struct SavedOrders {
    pub wishes: Vec<(Of, Wished)>,
    /// What devices were told, and said.
    pub settings: Vec<(DeviceIx, DeviceSettings)>,
    /// Commands that are queued, sent or expired.
    pub commands: Vec<DeviceCommand>,
}

impl Orders {
    /// Takes back what was kept; for orders of which nothing is known yet.
    pub fn restore(&mut self, saved: SavedOrders, registry: &Registry) {
        self.wishes = saved.wishes.into_iter().collect();
        self.settings = saved.settings.into_iter().collect();
        for command in saved.commands {
            self.set(command);
        }
        if !self.wishes.is_empty() {
            let all = (0..).map(DeviceIx).zip(registry.devices());
            self.due =
                all.filter(|(ix, device)| self.differs(*ix, device)).map(|(ix, _)| ix).collect();
        }
    }

    /// What is wished, of one device or of a profile.
    #[must_use]
    pub fn wished(&self, of: &Of) -> Option<&Wished> {
        self.wishes.get(of)
    }

    /// What is known of a device's settings.
    #[must_use]
    pub fn settings(&self, ix: DeviceIx) -> Option<&DeviceSettings> {
        self.settings.get(&ix)
    }

    /// One command that may still be answered, or was a moment ago.
    #[must_use]
    pub fn command(&self, id: Ulid) -> Option<&DeviceCommand> {
        self.commands.get(&id)
    }

    /// All that is wished, of devices and of profiles.
    pub fn wishes(&self) -> impl Iterator<Item = (&Of, &Wished)> {
        self.wishes.iter()
    }

    /// What is known of devices' settings, in no order.
    pub fn all_settings(&self) -> impl Iterator<Item = (DeviceIx, &DeviceSettings)> {
        self.settings.iter().map(|(ix, settings)| (*ix, settings))
    }

    /// Commands that may still be answered, or were a moment ago, in no order.
    pub fn commands(&self) -> impl Iterator<Item = &DeviceCommand> {
        self.commands.values()
    }

    /// What people see of a device's settings.
    #[must_use]
    pub fn shown(&self, ix: DeviceIx, device: &Device) -> ShownSettings {
        let own = self.wishes.get(&Of::Device(device.id.clone()));
        let profile = self.wishes.get(&Of::Profile((&*device.profile).into()));
        ShownSettings::of(own, profile, self.settings.get(&ix), device)
    }

    /// What a device shall run: its own, else its profile's.
    fn wish(&self, device: &Device) -> Option<Wish> {
        let of = [Of::Device(device.id.clone()), Of::Profile((&*device.profile).into())];
        of.iter().find_map(|of| self.wishes.get(of)).map(|wished| wished.wish)
    }

    /// Whether a device shall run something else than it was told.
    fn differs(&self, ix: DeviceIx, device: &Device) -> bool {
        let told = self.settings.get(&ix).and_then(DeviceSettings::wish);
        self.wish(device).is_some_and(|wish| told != Some(wish))
    }

    /// Somebody wishes settings of a device or a profile, or no longer does (`None`). One device
    /// is told at once, and again if it refused the same before.
    pub(crate) fn wish_for(
        &mut self,
        registry: &Registry,
        of: Of,
        wished: Option<Wished>,
        now: Ms,
        out: &mut Changes,
    ) {
        match wished {
            Some(wished) => self.wishes.insert(of.clone(), wished),
            None => self.wishes.remove(&of),
        };
        match &of {
            Of::Device(id) => {
                let found = registry.find(id).and_then(|ix| Some((ix, registry.device(ix)?)));
                if let Some((ix, device)) = found {
                    let refused = self.settings.get(&ix).is_some_and(DeviceSettings::is_refused);
                    if refused || self.differs(ix, device) {
                        self.tell(ix, device, now, out);
                    } else {
                        out.settings.push(ix);
                    }
                }
            }
            Of::Profile(name) => {
                let all = (0..).map(DeviceIx).zip(registry.devices());
                let theirs = all.filter(|(_, device)| *device.profile == **name);
                let due = theirs.filter(|(ix, device)| self.differs(*ix, device)).map(|(ix, _)| ix);
                self.due.extend(due.collect::<Vec<_>>());
            }
        }
        out.wishes.push(of);
    }

    /// Owes a device what it shall run, under the next number.
    fn tell(&mut self, ix: DeviceIx, device: &Device, now: Ms, out: &mut Changes) {
        self.due.remove(&ix);
        let Some(wish) = self.wish(device) else { return };
        self.settings.entry(ix).or_default().tell(wish, &device.area, now);
        out.settings.push(ix);
    }

    /// A device was registered, or its row changed: it may have another profile, or speak from
    /// another area.
    pub(crate) fn registered(&mut self, ix: DeviceIx, device: &Device, out: &mut Changes) {
        if let Some(settings) = self.settings.get_mut(&ix)
            && settings.moved(&device.area)
        {
            out.settings.push(ix);
        }
        // A command may have waited for the device's first message.
        let waits = |command: &&DeviceCommand| command.device == ix && command.is_owed();
        out.commands.extend(self.commands.values().filter(waits).cloned());
        if !self.wishes.is_empty() && self.differs(ix, device) {
            self.due.insert(ix);
        }
    }

    /// The broker has a device's settings.
    pub(crate) fn settings_sent(&mut self, ix: DeviceIx, rev: u32, at: Ms, out: &mut Changes) {
        if self.settings.get_mut(&ix).is_some_and(|settings| settings.sent(rev, at)) {
            out.settings.push(ix);
        }
    }

    /// A device says which settings it runs.
    pub(crate) fn reported(&mut self, ix: DeviceIx, rev: u32, at: Ms, out: &mut Changes) {
        // One that was never told anything need not be remembered for it.
        if (rev > 0 || self.settings.contains_key(&ix))
            && self.settings.entry(ix).or_default().reported(rev, at)
        {
            out.settings.push(ix);
        }
    }

    /// A device answered an order.
    pub(crate) fn answered(
        &mut self,
        ix: DeviceIx,
        (id, ok, detail): (&str, bool, &str),
        at: Ms,
        out: &mut Changes,
    ) {
        if let Some(rev) = id.strip_prefix(Settings::REPLY) {
            let known = rev.parse().ok().zip(self.settings.get_mut(&ix));
            if known.is_some_and(|(rev, settings)| settings.answered(rev, ok, detail, at)) {
                out.settings.push(ix);
            }
            return;
        }
        let Some(id) = Ulid::from_string(id).ok() else { return };
        let ours = self.commands.get(&id).is_some_and(|command| command.device == ix);
        if let Some(mut command) = ours.then(|| self.take(id)).flatten() {
            command.answered(ok, detail, at);
            out.commands.push(command.clone());
        }
    }

    /// Somebody commands a device. `id` and its number are new.
    ///
    /// # Errors
    /// [`OrderRefused::TooMany`].
    pub(crate) fn ask(
        &mut self,
        asked: CommandRequest,
        (device, id): (DeviceIx, (Ulid, u64)),
        now: Ms,
        out: &mut Changes,
    ) -> Result<(), OrderRefused> {
        let open =
            self.commands.values().filter(|command| command.device == device && command.is_open());
        if open.count() >= OPEN_MOST {
            return Err(OrderRefused::TooMany { most: OPEN_MOST });
        }
        let command = DeviceCommand::queued(id, device, asked, now);
        out.commands.push(command.clone());
        self.set(command);
        Ok(())
    }

    /// The broker has a command, which was sent again so often before.
    pub(crate) fn command_sent(&mut self, (id, resends): (Ulid, u32), at: Ms, out: &mut Changes) {
        if let Some(mut command) = self.take(id) {
            command.sent(resends, at);
            out.commands.push(command.clone());
            self.set(command);
        }
    }

    /// Time passed: commands expire or are sent again, and the next devices are told of their
    /// profile's settings.
    pub(crate) fn tick(&mut self, registry: &Registry, now: Ms, out: &mut Changes) {
        while let Some((at, _, id)) = self.timers.first().copied()
            && at <= now
        {
            let Some(mut command) = self.take(id) else { continue };
            if command.is_open() {
                command.expired();
                out.commands.push(command.clone());
                self.set(command);
            }
        }
        self.resend(now, out);
        if self.due.is_empty() || now < self.told_at + EVERY_MS {
            return;
        }
        self.told_at = now;
        let mut told = 0;
        while told < AT_ONCE
            && let Some(ix) = self.due.pop_first()
        {
            let Some(device) = registry.device(ix) else { continue };
            if self.differs(ix, device) {
                self.tell(ix, device, now, out);
                told += 1;
            }
        }
    }

    /// When `tick` has something to do.
    #[must_use]
    pub fn next_wake(&self) -> Option<Ms> {
        let due = (!self.due.is_empty()).then_some(self.told_at + EVERY_MS);
        let timers = [&self.timers, &self.resends].map(|queue| queue.first().map(|first| first.0));
        due.into_iter().chain(timers.into_iter().flatten()).min()
    }

    /// Takes a command out, to be changed and put back.
    fn take(&mut self, id: Ulid) -> Option<DeviceCommand> {
        let command = self.commands.remove(&id)?;
        self.timers.remove(&(Self::over_at(&command), command.number, id));
        self.unanswered.remove(&(command.device, command.number, id));
        if let Some(at) = command.resend_at {
            self.resends.remove(&(at, command.number, id));
        }
        Some(command)
    }

    /// Puts a command into its place; one that is done with is not kept.
    fn set(&mut self, command: DeviceCommand) {
        if command.is_open() || command.state == CommandState::Expired {
            self.timers.insert((Self::over_at(&command), command.number, command.id));
            if command.may_be_sent_again() {
                self.unanswered.insert((command.device, command.number, command.id));
            }
            self.resends.extend(command.resend_at.map(|at| (at, command.number, command.id)));
            self.commands.insert(command.id, command);
        }
    }

    /// When it expires; of one that has, when it is forgotten.
    const fn over_at(command: &DeviceCommand) -> Ms {
        if command.is_open() {
            command.expires_at
        } else {
            command.expires_at.saturating_add(LATE_MS)
        }
    }
}
