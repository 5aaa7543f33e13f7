//! Everything that follows from a batch, in one transaction. Done or not done: nothing between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use serde_json::json;
use standpipe_machine::clock::Moment;
use standpipe_rules::changes::Receiver;
use standpipe_rules::incidents::IncidentId;
use standpipe_rules::orders::Of;
use standpipe_rules::registry::DeviceIx;
use standpipe_rules::world::World;
use standpipe_rules::{Changes, Ms};
use ulid::Ulid;

use super::boards::{self, Numbers};
use super::expired::{self, Archived};
use super::ledger::{self, GivenUp};
use super::rows::{self, Known, Quarantined};
use super::{Store, StoreError, block, bulletins, bundles, digests, orders};

/// Log blocks cut off in one transaction at most, so that none takes long.
const CUT_AT_ONCE: i64 = 64;
/// Pages in the write-ahead log after which the engine has them moved into the file.
const CHECKPOINT_PAGES: usize = 1_000;
/// Size of a page, bytes; SQLite's default.
const PAGE: usize = 4_096;

/// What is to be kept besides what the world changed.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Memories that were dirty for long enough.
    pub lazy: Vec<DeviceIx>,
    /// Messages that were not understood.
    pub quarantine: Vec<Quarantined>,
    /// How many messages were not understood, by the first reason of each.
    pub rejected: BTreeMap<&'static str, u32>,
    pub delivered: Vec<(Ulid, Ms)>,
    pub gave_up: Vec<(Ulid, Ms)>,
    /// Pages that are worded anew before they are first sent.
    pub reworded: Vec<Ulid>,
    /// What stations' topics show; 0: what they did before, a message was refused.
    pub boards: Vec<(Box<str>, IncidentId, u32)>,
    /// What stations' topics show of announced work.
    pub bulletins: Vec<(Box<str>, u32)>,
    /// What became of daily digests.
    pub digests: Vec<digests::DigestNews>,
    /// Up to where history has everything.
    pub series_block: Option<i64>,
    /// Readings that history will never have.
    pub given_up: Vec<GivenUp>,
    /// Up to where history has the trail and the ledger.
    pub records: Option<(i64, Ms)>,
    /// Stations whose terminal is there, by MQTT; `None`: as before.
    pub terminals: Option<BTreeSet<Box<str>>>,
    /// Up to where no memory needs the log any more.
    pub memories_past: i64,
    /// The newest moment, by which the next start knows what the clock was set by meanwhile.
    pub moment: Option<Moment>,
    /// When the newest heartbeat of the chain was sent: kept so that it has been on the disk.
    pub heartbeat: Option<Ms>,
    /// What is in the archive, so that it may go.
    pub archived: Archived,
}

impl Extras {
    /// Whether a commit would write nothing of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lazy.is_empty()
            && self.quarantine.is_empty()
            && self.rejected.is_empty()
            && self.delivered.is_empty()
            && self.gave_up.is_empty()
            && self.reworded.is_empty()
            && self.boards.is_empty()
            && self.bulletins.is_empty()
            && self.digests.is_empty()
            && self.series_block.is_none()
            && self.given_up.is_empty()
            && self.records.is_none()
            && self.terminals.is_none()
            && self.moment.is_none()
            && self.heartbeat.is_none()
            && self.archived.is_empty()
    }
}

/// The result of a commit, for the engine.
#[derive(Debug, Default)]
pub struct Committed {
    /// The newest log block there is now.
    pub block: i64,
    /// The newest event there is now.
    pub event: i64,
    /// A page waits for a station's topic.
    pub stations: bool,
    /// A page or a digest waits for a webhook.
    pub webhooks: bool,
    /// Settings or a command may wait for a device.
    pub devices: bool,
    /// Devices whose memory was saved.
    pub saved: Vec<DeviceIx>,
}

/// What the writer knows without asking: true as of the last commit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Newest {
    pub block: i64,
    pub event: i64,
    /// Up to where history has everything.
    pub series: i64,
    /// Up to where the log was cut.
    pub cut: i64,
    /// The queue of the stations' topics.
    pub boards: Numbers,
}

impl Store {
    /// Keeps everything that follows from a batch.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was kept; the same call may be made again.
    pub fn commit(
        &mut self,
        now: Ms,
        world: &World,
        changes: &Changes,
        extras: &Extras,
    ) -> Result<Committed, StoreError> {
        self.body.clear();
        if !changes.readings.is_empty() {
            block::encode(&changes.readings, &mut self.body);
        }
        self.is_in_its_files()?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch =
            BatchWriter { conn: &tx, now, world, newest: self.newest, pages: 4, requeued: false };
        batch.clock(changes, extras)?;
        batch.log(changes.readings.len(), &self.body)?;
        let saved = saves(changes, extras);
        let conditions = batch.devices(changes, &saved, &self.conditions)?;
        batch.incidents(changes)?;
        batch.orders(changes)?;
        batch.reports(extras)?;
        batch.series(extras, self.kept.spare())?;
        batch.trim(self.newest.event)?;
        let (newest, pages, requeued) = (batch.newest, batch.pages, batch.requeued);
        tx.commit()?;
        self.is_still_in_its_files()?;

        if newest.block > self.newest.block {
            self.kept.push(newest.block, changes.readings.len());
        }
        if let Some(archived) = &mut self.archived {
            archived.extend(&extras.archived);
        }
        if let Some(settled) = &mut self.remembered {
            settled.extend(extras);
        }
        for (ix, set) in conditions {
            self.remember_conditions(ix, set);
        }
        self.newest = newest;
        self.unmoved_pages += pages;
        let owed_station = |receiver: &Receiver| matches!(receiver, Receiver::Station(_));
        Ok(Committed {
            block: newest.block,
            event: newest.event,
            stations: requeued || !changes.incidents.is_empty(),
            devices: changes.windows
                || !changes.settings.is_empty()
                || !changes.commands.is_empty(),
            webhooks: changes.pages.iter().any(|page| !owed_station(&page.receiver))
                || !changes.bundles.is_empty()
                || !changes.unbundled.is_empty()
                || extras.digests.iter().any(digests::DigestNews::owes),
            saved,
        })
    }

    /// Whether the write-ahead log has grown so far that it is to be moved into the file.
    #[must_use]
    pub const fn log_has_grown(&self) -> bool {
        self.unmoved_pages >= CHECKPOINT_PAGES
    }

    /// Moves what is left of the write-ahead log into the file, so that it starts over. Between
    /// commits, so that nobody's acknowledgement waits for it.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is lost by it.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.unmoved_pages = 0;
        passive_checkpoint(&self.conn)
    }
}

/// Moves the write-ahead log of a store into its file, beside a writer that goes on.
///
/// # Errors
/// [`StoreError`]; nothing is lost by it.
pub fn move_log(store: &Path) -> Result<(), StoreError> {
    // One that is not there is not made.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    passive_checkpoint(&Connection::open_with_flags(store, flags)?)
}

fn passive_checkpoint(conn: &Connection) -> Result<(), StoreError> {
    Ok(conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))?)
}

/// The memories to keep, each once: those that must be, those of closed ledger rows, so that a
/// replay can't close them again, and those that were dirty for long.
fn saves(changes: &Changes, extras: &Extras) -> Vec<DeviceIx> {
    let ledger = changes.ledger.iter().map(|row| &row.device);
    let mut all: Vec<_> = changes.save.iter().chain(ledger).chain(&extras.lazy).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

struct BatchWriter<'a> {
    conn: &'a Connection,
    now: Ms,
    world: &'a World,
    newest: Newest,
    /// A guess of how many pages this dirties.
    pages: usize,
    /// A station's topic that was sent something owes something else by now.
    requeued: bool,
}

impl BatchWriter<'_> {
    fn log(&mut self, readings: usize, body: &[u8]) -> Result<(), StoreError> {
        if readings > 0 {
            self.newest.block += 1;
            rows::log(self.conn, self.newest.block, self.now, readings, body)?;
            self.pages += 1 + body.len() / PAGE;
        }
        Ok(())
    }

    /// What is reckoned with here alone moves when the clock is set. Before anything of the new
    /// time is written.
    fn clock(&mut self, changes: &Changes, extras: &Extras) -> Result<(), StoreError> {
        if changes.clock_set != 0 {
            rows::owed_since(self.conn, changes.clock_set)?;
            rows::shown_since(self.conn, changes.clock_set, self.now)?;
        }
        if let Some(moment) = &extras.moment {
            rows::meta_json(self.conn, "clock", moment)?;
        }
        if let Some(sent) = &extras.heartbeat {
            rows::meta_json(self.conn, "heartbeat", sent)?;
        }
        Ok(())
    }

    fn event(&mut self, at: Ms, kind: &str, json: &str) -> Result<(), StoreError> {
        self.newest.event = rows::event(self.conn, at, kind, json)?;
        self.pages += 1;
        Ok(())
    }

    /// Returns the devices whose conditions differ from those of their last event.
    fn devices(
        &mut self,
        changes: &Changes,
        saved: &[DeviceIx],
        told: &[u32],
    ) -> Result<Vec<(DeviceIx, u32)>, StoreError> {
        let mut retagged = false;
        for id in &changes.stations {
            if let Some(station) = self.world.registry().station(id) {
                rows::station(self.conn, station)?;
            }
        }
        for ix in &changes.registered {
            if let Some(device) = self.world.registry().device(*ix) {
                retagged |= rows::retagged(self.conn, *ix, device)?;
                rows::device(self.conn, *ix, device)?;
            }
        }
        if retagged {
            rows::tags_changed(self.conn)?;
        }
        let mut changed = Vec::new();
        for ix in saved {
            let summary = rows::memory(self.conn, self.world, *ix, self.newest.block)?;
            if told.get(ix.at()).copied().unwrap_or(0) != summary.conditions {
                changed.push((*ix, summary.conditions));
                if let Some(device) = self.world.registry().device(*ix) {
                    let event = rows::device_event(&device.id, &summary)?;
                    self.event(self.now, "device", &event)?;
                }
            }
        }
        for status in &changes.statuses {
            rows::status(self.conn, status)?;
        }
        for row in &changes.ledger {
            ledger::add(self.conn, row)?;
        }
        if !changes.ledger.is_empty() && self.world.clock_doubt().is_none() {
            // Faster than they grow, and never many at once.
            ledger::cut(self.conn, self.now, 2 * changes.ledger.len())?;
        }
        self.pages += saved.len() + changes.ledger.len();
        self.pages += changes.registered.len() + changes.statuses.len();
        Ok(changed)
    }

    fn incidents(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let mut ids = changes.incidents.clone();
        ids.sort_unstable();
        ids.dedup();
        for id in &ids {
            if let Some(incident) = self.world.book.get(*id) {
                let wire = rows::incident(self.conn, self.world, incident)?;
                boards::news(self.conn, &mut self.newest.boards, incident)?;
                self.event(incident.updated_at, "incident", &wire)?;
            }
        }
        for entry in &changes.trail {
            rows::trail(self.conn, entry)?;
        }
        for page in &changes.pages {
            let new = rows::page(self.conn, page)?;
            match &page.receiver {
                Receiver::Station(station) if new => {
                    boards::paged(self.conn, &mut self.newest.boards, (station, page))?;
                }
                Receiver::Station(_) | Receiver::Webhook(_) => {}
            }
            self.event(page.at, "page", &rows::page_event(page))?;
        }
        for (page, at) in &changes.superseded {
            rows::superseded(self.conn, page, *at)?;
        }
        for bundle in &changes.bundles {
            bundles::write(self.conn, self.world, bundle)?;
            self.pages += 1 + bundle.members.len();
        }
        for page in &changes.unbundled {
            bundles::unbundled(self.conn, page)?;
            self.pages += 1;
        }
        for (id, at) in &changes.bundles_void {
            bundles::void(self.conn, *id, *at)?;
        }
        for presence in &changes.presence {
            rows::presence(self.conn, presence)?;
            let json =
                json!({"station": presence.station, "online": presence.online, "at": presence.at});
            self.event(presence.at, "presence", &json.to_string())?;
        }
        if changes.book_meta {
            rows::meta_json(self.conn, "book", self.world.book.meta())?;
        }
        if changes.windows {
            bulletins::bulletins(self.conn, self.world)?;
        }
        if changes.watch_meta {
            rows::meta_json(self.conn, "watch", self.world.wholes())?;
        }
        self.pages += 2 * ids.len() + changes.trail.len() + changes.pages.len();
        Ok(())
    }

    fn orders(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let (world, conn) = (self.world, self.conn);
        for of in &changes.wishes {
            orders::wish(conn, of, world.orders().wished(of))?;
            if let Of::Profile(name) = of {
                self.event(self.now, "device", &orders::profile_event(name))?;
            }
        }
        let mut ixs = changes.settings.clone();
        ixs.sort_unstable();
        ixs.dedup();
        for ix in ixs {
            let Some(device) = world.registry().device(ix) else { continue };
            if let Some(settings) = world.orders().settings(ix) {
                orders::settings(conn, ix, settings)?;
            }
            let shown = world.orders().shown(ix, device);
            self.event(self.now, "device", &orders::settings_event(device, &shown))?;
        }
        for command in &changes.commands {
            orders::command(conn, command)?;
            if let Some(device) = world.registry().device(command.device) {
                self.event(self.now, "device", &orders::command_event(device, command))?;
            }
        }
        if !changes.commands.is_empty() && world.clock_doubt().is_none() {
            orders::commands_cut(conn, self.now)?;
        }
        self.pages += changes.wishes.len() + changes.settings.len() + changes.commands.len();
        Ok(())
    }

    /// Tells what became of a page, or of each that a bundle carried.
    fn settled(
        &mut self,
        (id, at): (Ulid, Ms),
        became: &str,
        members: &[(Ulid, IncidentId)],
    ) -> Result<(), StoreError> {
        for (page_id, incident) in members {
            let json = json!({"page_id": page_id, "incident": incident, became: at, "bundle": id});
            self.event(at, "page", &json.to_string())?;
        }
        if members.is_empty()
            && let Some(incident) = rows::page_incident(self.conn, id)?
        {
            let json = json!({"page_id": id, "incident": incident, became: at});
            self.event(at, "page", &json.to_string())?;
        }
        self.pages += members.len();
        Ok(())
    }

    fn reports(&mut self, extras: &Extras) -> Result<(), StoreError> {
        for (page_id, at) in &extras.delivered {
            let members = match rows::delivered(self.conn, *page_id, *at)? {
                Known::Page => Vec::new(),
                Known::No => bundles::delivered(self.conn, *page_id, *at)?,
            };
            self.settled((*page_id, *at), "delivered_at", &members)?;
        }
        for (page_id, at) in &extras.gave_up {
            let members = match rows::gave_up(self.conn, *page_id, *at)? {
                Known::Page => Vec::new(),
                Known::No => bundles::gave_up(self.conn, *page_id, *at)?,
            };
            self.settled((*page_id, *at), "gave_up_at", &members)?;
        }
        for page_id in &extras.reworded {
            rows::reword(self.conn, *page_id)?;
        }
        for (station, incident, rev) in &extras.boards {
            let shown = (&**station, *incident, *rev);
            self.requeued |= boards::sent(self.conn, &mut self.newest.boards, shown)?;
        }
        if let Some(terminals) = &extras.terminals {
            rows::meta_json(self.conn, "terminals", terminals)?;
        }
        for (station, rev) in &extras.bulletins {
            bulletins::bulletin_sent(self.conn, station, *rev)?;
        }
        for news in &extras.digests {
            digests::write(self.conn, news)?;
        }
        for message in &extras.quarantine {
            rows::quarantine(self.conn, message)?;
        }
        if !extras.quarantine.is_empty() {
            rows::quarantine_cut(self.conn)?;
        }
        for (reason, messages) in &extras.rejected {
            rows::rejected(self.conn, self.now, reason, *messages)?;
        }
        expired::delete(self.conn, &extras.archived)?;
        self.pages += extras.boards.len() + 2 * extras.quarantine.len();
        self.pages += 8 * extras.archived.incidents.len();
        Ok(())
    }

    /// Notes how far history is, and cuts off what neither it, nor a memory, nor the recognition
    /// of redelivered messages needs (`spare`: the last such block).
    fn series(&mut self, extras: &Extras, spare: i64) -> Result<(), StoreError> {
        if let Some(block) = extras.series_block {
            self.newest.series = block.max(self.newest.series);
            rows::meta(self.conn, "series_block", &self.newest.series.to_string())?;
        }
        for row in &extras.given_up {
            ledger::give_up(self.conn, row)?;
        }
        if let Some((trail, ledger)) = extras.records {
            rows::meta(self.conn, "series_trail", &trail.to_string())?;
            rows::meta(self.conn, "series_ledger", &ledger.to_string())?;
        }
        let free = self.newest.series.min(extras.memories_past).min(spare);
        if free > self.newest.cut {
            self.newest.cut = free.min(self.newest.cut + CUT_AT_ONCE);
            rows::cut(self.conn, self.newest.cut)?;
        }
        Ok(())
    }

    /// Drops the oldest events; `before`: the newest one before this batch.
    fn trim(&mut self, before: i64) -> Result<(), StoreError> {
        if self.newest.event == before {
            return Ok(());
        }
        rows::event_cut(self.conn, self.newest.event)
    }
}
