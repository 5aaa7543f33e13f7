//! The whole of what is decided, in one place: a message, a deadline or a person's action goes in,
//! and what is to be kept comes out. The shell commits that in one transaction, and only then
//! acknowledges, publishes or answers.
//!
//! Detection ([`crate::detect::Watch`]) finds what is true; the book ([`crate::incidents::Book`])
//! decides who is told; the orders ([`crate::orders::Orders`]) are what devices are asked. None
//! knows the others: what passes between them passes through here.

mod clock;
mod register;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod town;
mod unreadable;

use std::collections::BTreeMap;

use standpipe_shared::{Class, Condition, Measurements, Reading};
use ulid::Ulid;

use crate::changes::{Logged, RefusedAction};
use crate::detect::judge::silent_after;
use crate::detect::watch::Wholes;
use crate::detect::{BadMemory, HydrantNow, Memory, Watch};
use crate::fact::Subject;
use crate::incidents::{
    Action, Actor, Announcement, BadAnnouncement, Book, BookView, BulletinWork, Cause, IdSecret,
    IncidentId, Plan, ReceiverNews, Refused, Said, Saved, WINDOWS_MOST, bulletins,
};
use crate::orders::{Of, Order, OrderRefused, Orders, SavedOrders, Wished};
use crate::registry::{DeviceIx, Registry};
use crate::status::DeviceStatus;
use crate::wire::{Arrived, Message, Origin};
use crate::{Changes, HOUR_MS, Ms};

/// Everything that is remembered and decided.
///
/// A fire pages its station at once, and the nearest ones when nobody answers for 60 s, or at once
/// when nothing says within 10 s that the station has it:
///
/// ```
/// use standpipe_rules::changes::Receiver;
/// use standpipe_rules::incidents::{Plan, IdSecret};
/// use standpipe_rules::registry::{Device, Level, Registry, Station};
/// use standpipe_rules::wire::{Message, parse};
/// use standpipe_rules::{Changes, World};
/// use standpipe_shared::{Kind, ROOT};
///
/// let station = |id: &str, lat| {
///     let (id, name) = (id.into(), id.into());
///     Station { id, name, level: Level::Township, parent: None, lat, lon: 106.5, phone: None }
/// };
/// let mut registry = Registry::new([]);
/// registry.put_station(station("T03", 29.4));
/// registry.put_station(station("T04", 29.5));
/// let detector = Device::unclaimed("SD-0007", "T03", Kind::Smoke);
/// registry.put_device(Device { station: "T03".into(), claimed: true, ..detector });
/// let mut world = World::new(registry, Plan::default(), IdSecret::new([7; 32]));
///
/// let (now, mut out) = (1_767_225_600_000, Changes::default());
/// world.session(true, now, &mut out);
/// world.step(&Message::Presence { station: "T03".into(), online: true }, now, &mut out);
///
/// let json = br#"{"condition":"smoke","active":true}"#;
/// let fire = parse(ROOT, b"standpipe/v1/T03/SD-0007/alarm", json).message.expect("an alarm");
/// world.step(&fire, now, &mut out);
/// let told = |out: &Changes| out.pages.iter().map(|page| page.receiver.clone()).collect::<Vec<_>>();
/// assert_eq!(told(&out), [Receiver::Station("T03".into())]);
///
/// let page = out.pages[0].page_id;
/// out.clear(); // it was committed
/// world.delivered(page, now + 20, &mut out); // its topic has it, and its terminal is online
/// out.clear();
/// world.tick(now + 59_999, &mut out);
/// assert!(told(&out).is_empty());
/// world.tick(now + 60_000, &mut out);
/// assert_eq!(told(&out), [Receiver::Station("T04".into())]);
/// ```
#[derive(Clone, Debug)]
pub struct World {
    watch: Watch,
    pub book: Book,
    orders: Orders,
}

/// What the store and the API show of a device's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// The set of true conditions, by their bits.
    pub conditions: u32,
    /// Arrival of the last message.
    pub heard_at: Option<Ms>,
    /// When it last measured what it is there for: a hydrant its pressure.
    pub measured_at: Option<Ms>,
    /// The newest value of each measurement.
    pub latest: Measurements,
}

/// What an incident that a reading opens gets its id from.
fn cause(device: &str, reading: &Reading, arrived: Arrived) -> Cause {
    let Reading { ts, boot, seq, .. } = *reading;
    Cause { device: device.into(), ts, boot, seq, print: arrived.print }
}

/// What the book may look at.
fn view<T>(watch: &Watch, look: impl FnOnce(&BookView<'_>) -> T) -> T {
    let hydrant = |ix, now| watch.hydrant(ix, now).unwrap_or(HydrantNow::UNKNOWN);
    let value = |ix| watch.memory(ix).map_or_else(Measurements::default, |memory| memory.latest);
    look(&BookView { registry: &watch.registry, hydrant: &hydrant, value: &value })
}

/// The device that a message comes from, if it is there now: a will is the broker's word, and what
/// takes back a retained message may be anybody's.
fn speaker(message: &Message) -> Option<&str> {
    let silent = matches!(message, Message::Status { online: false, .. } | Message::Cleared { .. });
    message.device().filter(|_| !silent)
}

impl World {
    /// Nothing has happened yet. `secret` makes the ids of incidents and pages.
    #[must_use]
    pub fn new(registry: Registry, plan: Plan, secret: IdSecret) -> Self {
        let verify_ms = Ms::from(plan.verify_hours) * HOUR_MS;
        let (watch, book) = (Watch::new(registry, verify_ms), Book::new(plan, secret));
        Self { watch, book, orders: Orders::default() }
    }

    /// Who is where.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.watch.registry
    }

    /// Puts back what was stored of a device.
    ///
    /// # Errors
    /// [`BadMemory`]: the device starts anew.
    pub fn restore_memory(&mut self, ix: DeviceIx, body: &[u8]) -> Result<(), BadMemory> {
        self.watch.restore(ix, Memory::from_body(body)?);
        Ok(())
    }

    /// What is to be stored of a device.
    #[must_use]
    pub fn memory_body(&self, ix: DeviceIx) -> Vec<u8> {
        self.watch.memory(ix).map_or_else(Vec::new, Memory::body)
    }

    /// What is shown of a device's memory.
    #[must_use]
    pub fn summary(&self, ix: DeviceIx) -> Summary {
        let known = self.registry().device(ix).zip(self.watch.memory(ix));
        known.map_or_else(Summary::default, |(device, memory)| Summary {
            conditions: memory.conditions(),
            heard_at: memory.heard_at,
            measured_at: memory.measured_at(device.kind),
            latest: memory.latest,
        })
    }

    /// What is to be stored of zones and areas, whenever [`Changes::watch_meta`] says so.
    #[must_use]
    pub const fn wholes(&self) -> &Wholes {
        self.watch.wholes()
    }

    /// Puts that back.
    pub fn restore_wholes(&mut self, wholes: Wholes) {
        self.watch.restore_wholes(wholes);
    }

    /// Puts the incidents back. After the memories and before any replay.
    pub fn restore_book(&mut self, saved: Saved) {
        self.book.restore(saved);
    }

    /// Settings and commands.
    #[must_use]
    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Puts settings and commands back.
    pub fn restore_orders(&mut self, saved: SavedOrders) {
        self.orders.restore(saved, &self.watch.registry);
    }

    /// A message that is in the log may be delivered again: it will be known as a duplicate.
    pub fn remember(&mut self, logged: &Logged) {
        self.watch.remember(logged);
    }

    /// A reading that is in the log, but that the stored memory has not seen.
    pub fn replay(&mut self, logged: &Logged, out: &mut Changes) {
        self.watch.remember(logged);
        self.watch.replay(logged, out);
        self.settle(logged.arrived, out);
    }

    /// The next messages came then to an earlier life of the gateway, which could not store them; `None`: they
    /// did not. What they open has the ids that it had there.
    pub fn first_came(&mut self, at: Option<Ms>) {
        self.book.first_came(at);
    }

    /// A message arrived.
    pub fn step(&mut self, message: &Message, arrived: impl Into<Arrived>, out: &mut Changes) {
        let arrived: Arrived = arrived.into();
        let at = arrived.at;
        let registered = out.registered.len();
        match message {
            _ if arrived.retained && self.step_retained(message, arrived, out) => {}
            Message::Telemetry { area, device, readings } => {
                for reading in readings {
                    self.watch.reading(Origin { area, device }, reading, at, out);
                    self.settle_because((device, reading), arrived, out);
                }
                if readings.iter().all(|reading| reading.values == Measurements::default()) {
                    self.watch.not_understood(Origin { area, device }, at, out);
                }
            }
            Message::Alarm { area, device, alarm } => {
                self.watch.alarm(Origin { area, device }, alarm, arrived, out);
                self.settle_because((device, &alarm.reading), arrived, out);
            }
            Message::Status { area, device, online, interval_s, rev, .. } => {
                self.watch.status(Origin { area, device }, (*online, *interval_s), at, out);
                self.told_of_itself(device, message, arrived, out);
                if *online {
                    self.unreadable_may_come_again(device, out);
                }
                let runs = rev.filter(|_| *online).zip(self.registry().find(device));
                if let Some((rev, ix)) = runs {
                    self.orders.reported(ix, rev, at, out);
                }
            }
            Message::NotUnderstood { area, device } => {
                self.watch.not_understood(Origin { area, device }, at, out);
            }
            Message::UnreadableAlarm { area, device, topic, payload, why } => {
                let said = Said {
                    topic: topic.clone(),
                    payload: payload.clone(),
                    why: why.as_str().into(),
                };
                self.unreadable((area, device.as_deref()), said, arrived, out);
            }
            Message::Cleared { device, .. } => {
                self.watch.retained_taken_back(device, out);
                self.unreadable_may_come_again(device, out);
            }
            Message::Reply { device, id, ok, detail, .. } => {
                self.watch.heard(device, at, out);
                if let Some(ix) = self.registry().find(device) {
                    self.orders.answered(ix, (id, *ok, detail), at, out);
                }
            }
            Message::Action { station, action } => {
                // Whoever is refused by topic hears nothing of it: it is counted and logged.
                let _ = self.act(&Actor::Station(station.clone()), action, at, out);
            }
            Message::Presence { station, online } => {
                self.book.presence((station, *online), at, out);
            }
            Message::Chain { sent } => self.watch.heartbeat(*sent, at, out),
        }
        self.met(registered, out);
        if self.orders.wait_for_answers() && !arrived.retained {
            self.heard_by_orders(message, at);
        }
        self.settle(at, out);
    }

    /// A device that speaks has got the commands that waited for it, or never gets them.
    fn heard_by_orders(&mut self, message: &Message, at: Ms) {
        if let Some(ix) = speaker(message).and_then(|device| self.registry().find(device)) {
            self.orders.heard(ix, at);
        }
    }

    /// A message that the broker had kept; says whether it is dealt with. Else it is taken as any
    /// other: a terminal's presence is kept so that it is known.
    fn step_retained(&mut self, message: &Message, arrived: Arrived, out: &mut Changes) -> bool {
        match message {
            Message::Telemetry { area, device, readings } => {
                self.watch.retained_readings(Origin { area, device }, readings, arrived.at, out);
            }
            Message::Alarm { area, device, alarm } => {
                self.watch.retained_alarm(Origin { area, device }, alarm, arrived, out);
                self.settle_because((device, &alarm.reading), arrived, out);
            }
            Message::Status { area, device, online, interval_s, rev, .. } => {
                let status = (*online, *interval_s);
                let only =
                    self.watch.retained_status(Origin { area, device }, status, arrived.at, out);
                let runs = rev.filter(|_| *online && only).zip(self.registry().find(device));
                if let Some((rev, ix)) = runs {
                    self.orders.reported(ix, rev, arrived.at, out);
                }
            }
            // What a person or a device did once is not done again.
            Message::Action { .. } => out.counts.refused_actions += 1,
            Message::Reply { .. } | Message::NotUnderstood { .. } | Message::Chain { .. } => {
                out.counts.retained += 1;
            }
            Message::Presence { .. }
            | Message::UnreadableAlarm { .. }
            | Message::Cleared { .. } => return false,
        }
        true
    }

    /// What a device says of itself when it starts is kept beside its memory.
    fn told_of_itself(&self, id: &str, message: &Message, arrived: Arrived, out: &mut Changes) {
        if let Some(ix) = self.registry().find(id)
            && let Some(status) = DeviceStatus::of(ix, message, arrived)
        {
            out.statuses.push(status);
        }
    }

    /// The gateway's own session with the broker came up or went down.
    pub fn session(&mut self, up: bool, now: Ms, out: &mut Changes) {
        self.watch.session(up, now, out);
        self.settle(now, out);
    }

    /// When the newest heartbeat of the chain that came through was sent.
    #[must_use]
    pub const fn heartbeat(&self) -> Option<Ms> {
        self.watch.chain().newest
    }

    /// Something is wrong with the gateway itself: `registry_fault`, `degraded` or `clock_fault`, and in which
    /// words, shown as they are; other words replace those of before, and page nobody. `None`: it
    /// is over. May be called whenever the shell finds out, also with what is known already.
    pub fn gateway_condition(
        &mut self,
        condition: Condition,
        detail: Option<&str>,
        now: Ms,
        out: &mut Changes,
    ) {
        let (watch, book) = (&self.watch, &mut self.book);
        view(watch, |view| book.gateway(view, (condition, detail), now, out));
    }

    /// A sender says how its receiver does. May be said as often as the sender likes.
    pub fn receiver(&mut self, name: &str, news: &ReceiverNews, now: Ms, out: &mut Changes) {
        let (watch, book) = (&self.watch, &mut self.book);
        view(watch, |view| book.receiver(view, (name, news), now, out));
    }

    /// Once at the start: receivers that are configured no more are not down either.
    pub fn forget_receivers(&mut self, now: Ms, out: &mut Changes) {
        let (watch, book) = (&self.watch, &mut self.book);
        view(watch, |view| book.forget_receivers(view, now, out));
    }

    /// Whether something is wrong with the gateway itself that no person has dealt with yet.
    #[must_use]
    pub fn gateway_stands(&self, condition: Condition) -> bool {
        self.book.home_of(&Subject::Gateway, condition).is_some()
    }

    /// Time passed. Called once after every batch, and at [`Self::next_wake`].
    pub fn tick(&mut self, now: Ms, out: &mut Changes) {
        self.watch.tick(now, out);
        self.settle(now, out);
        let first = out.incidents.len();
        let (watch, book) = (&self.watch, &mut self.book);
        view(watch, |view| book.tick(view, now, out));
        self.ask_for_evidence(first, now, out);
        self.doubt_ends_with_its_incident(out);
        self.orders.tick(&self.watch.registry, now, out);
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn next_wake(&self) -> Option<Ms> {
        let all = [self.watch.next_wake(), self.book.next_wake(), self.orders.next_wake()];
        all.into_iter().flatten().min()
    }

    /// Why a device that these settings are for cannot run them, if one cannot.
    fn refused_by(&self, of: &Of, wish: crate::orders::Wish) -> Option<OrderRefused> {
        let registry = &self.watch.registry;
        let theirs = registry.devices().iter().filter(|device| match of {
            Of::Device(id) => device.id == *id,
            Of::Profile(name) => *device.profile == **name,
        });
        theirs.map(|device| device.kind).find_map(|kind| wish.refused_by(kind))
    }

    /// Somebody asks something of devices; answers the id of a command.
    ///
    /// # Errors
    /// [`OrderRefused`]: nothing changed.
    pub fn order(
        &mut self,
        order: Order,
        now: Ms,
        out: &mut Changes,
    ) -> Result<Option<Ulid>, OrderRefused> {
        let registry = &self.watch.registry;
        match order {
            Order::Settings { of, wish, by } => {
                match &of {
                    Of::Device(id) => {
                        registry.find(id).ok_or(OrderRefused::UnknownDevice)?;
                    }
                    Of::Profile(name) => {
                        registry.profile(name).ok_or(OrderRefused::UnknownProfile)?;
                    }
                }
                if let Some(refused) = wish.and_then(|wish| self.refused_by(&of, wish)) {
                    return Err(refused);
                }
                let wished = wish.map(|wish| Wished { wish, by, at: now });
                self.orders.wish_for(registry, of, wished, now, out);
                Ok(None)
            }
            Order::Command { device, asked } => {
                let ix = registry.find(&device).ok_or(OrderRefused::UnknownDevice)?;
                let silence = self.silent_after(ix);
                let id = self.book.new_id(("command", &device), now, out);
                self.orders.ask(asked.within(silence), (ix, id), now, out)?;
                Ok(Some(id.0))
            }
        }
    }

    /// Somebody announces work, a walk test or an exercise; answers its id.
    ///
    /// # Errors
    /// Everything that is wrong with it: nothing changed.
    pub fn announce(
        &mut self,
        announcement: Announcement,
        now: Ms,
        out: &mut Changes,
    ) -> Result<Ulid, Vec<BadAnnouncement>> {
        if self.book.windows().len() >= WINDOWS_MOST {
            return Err(vec![BadAnnouncement::TooMany]);
        }
        let (_, of) = announcement.scope.parts();
        let (id, _) = self.book.new_id(("announcement", of), now, out);
        let window = announcement.window(id, self.registry(), now)?;
        if window.alarm.is_none() {
            self.book.announce(window, out);
            return Ok(id);
        }
        let (watch, book) = (&self.watch, &mut self.book);
        let begun = view(watch, |view| book.exercise(view, window, now, out));
        begun.map(|()| id).map_err(|bad| vec![bad])
    }

    /// What each station is told of announced work.
    #[must_use]
    pub fn bulletins(&self) -> BTreeMap<Box<str>, Vec<BulletinWork>> {
        bulletins(self.book.windows(), self.registry())
    }

    /// Ends an announcement; says whether there was one.
    pub fn withdraw(&mut self, id: &str, now: Ms, out: &mut Changes) -> bool {
        self.book.withdraw(&self.watch.registry, id, now, out)
    }

    /// The broker has that number of a device's settings.
    pub fn settings_sent(&mut self, ix: DeviceIx, rev: u32, at: Ms, out: &mut Changes) {
        self.orders.settings_sent(ix, rev, at, out);
    }

    /// The broker has a command, which was sent again so often before.
    pub fn command_sent(&mut self, sending: (Ulid, u32), at: Ms, out: &mut Changes) {
        self.orders.command_sent(sending, at, out);
    }

    /// How long a device may be silent before it is missed.
    fn silent_after(&self, ix: DeviceIx) -> Ms {
        let known = self.registry().judged(ix).zip(self.watch.memory(ix));
        known.map_or(0, |((device, profile), memory)| silent_after(device, profile, memory))
    }

    /// A person, or a station's terminal, does something about an incident.
    ///
    /// # Errors
    /// [`Refused`]: nothing changed.
    pub fn act(
        &mut self,
        actor: &Actor,
        action: &Action,
        now: Ms,
        out: &mut Changes,
    ) -> Result<(), Refused> {
        let first = out.incidents.len();
        let (watch, book) = (&self.watch, &mut self.book);
        let done = view(watch, |view| book.act(view, (actor, action), now, out));
        self.ask_for_evidence(first, now, out);
        if let Err(why) = done {
            out.counts.refused_actions += 1;
            let (actor, action) = (actor.clone(), action.clone());
            out.refused.push(RefusedAction { actor, action, why });
        }
        self.doubt_ends_with_its_incident(out);
        done
    }

    /// A page was confirmed, or a bundle.
    pub fn delivered(&mut self, page_id: Ulid, at: Ms, out: &mut Changes) {
        self.book.delivered(page_id, at, out);
    }

    /// One message is to carry these pages to a webhook.
    pub fn bundle(&mut self, receiver_and_pages: (&str, &[Ulid]), at: Ms, out: &mut Changes) {
        self.book.bundle(receiver_and_pages, at, out);
    }

    /// A bundle was refused for what it says: its pages go on in smaller messages.
    pub fn take_apart(&mut self, bundle: Ulid, at: Ms, out: &mut Changes) {
        self.book.take_apart(bundle, at, out);
    }

    /// A page was given up, or a bundle.
    pub fn gave_up(&mut self, page_id: Ulid, at: Ms, why: &str, out: &mut Changes) {
        self.book.gave_up(page_id, why, at, out);
    }

    /// Closes every row of the ledger that still grows, so that what is stored is complete.
    pub fn close_ledger(&mut self, out: &mut Changes) {
        self.watch.close_ledger(out);
    }

    /// Closed incidents that are in the archive: the store knows them no more.
    pub fn archived(&mut self, incidents: &[IncidentId]) {
        self.book.archived(incidents);
    }

    /// What is committed need not be kept for the store any more.
    pub fn committed(&mut self) {
        self.book.committed();
    }

    /// Tells the book what detection found in a message of that device, if anything.
    fn settle_because(
        &mut self,
        (device, reading): (&str, &Reading),
        arrived: Arrived,
        out: &mut Changes,
    ) {
        if self.watch.found_nothing() {
            return;
        }
        self.book.because(Some(cause(device, reading, arrived)));
        self.settle(arrived.at, out);
        self.book.because(None);
    }

    /// Tells the book what detection found.
    fn settle(&mut self, now: Ms, out: &mut Changes) {
        let facts = self.watch.facts();
        if facts.is_empty() {
            return;
        }
        let first = out.incidents.len();
        let (watch, book) = (&self.watch, &mut self.book);
        view(watch, |view| {
            for fact in facts {
                book.hear(view, fact, now, out);
            }
        });
        self.ask_for_evidence(first, now, out);
    }

    /// Hydrants whose incident verifies are watched for evidence, the others no longer.
    fn ask_for_evidence(&mut self, first: usize, now: Ms, out: &mut Changes) {
        let changed: Vec<IncidentId> = out.incidents.get(first..).unwrap_or(&[]).to_vec();
        for incident in changed.into_iter().filter_map(|id| self.book.get(id)) {
            if let (Class::Water, Subject::Device(ix)) = (incident.class, &incident.subject) {
                let wanted = incident.verifies();
                self.watch.verify(*ix, wanted, now, out);
            }
        }
    }
}
