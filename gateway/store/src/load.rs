//! The world as it was: registry, memories, incidents, then the readings that the memories have
//! not seen, then the newest readings, so that redeliveries of the broker are recognised.

use std::collections::{BTreeSet, VecDeque};

use rusqlite::Row;
use standpipe_machine::clock::Moment;
use standpipe_rules::changes::{Company, Page, Presence, Receiver};
use standpipe_rules::detect::admit::Recent;
use standpipe_rules::detect::watch::Wholes;
use standpipe_rules::incidents::{IdSecret, IncidentId, Meta, Plan, Saved};
use standpipe_rules::registry::{Device, DeviceIx, Profile, Registry, Station};
use standpipe_rules::world::World;
use standpipe_rules::{Changes, Ms};

use super::boards::Numbers;
use super::commit::Newest;
use super::reader::{newest, ulid, urgency};
use super::rows::json_column;
use super::unread::{SkippedRow, is_of_row};
use super::{Store, StoreError, block, bundles, rows};

/// Stations whose terminal is there, by MQTT.
type PresentTerminals = BTreeSet<Box<str>>;

/// What the store gives back at the start.
#[derive(Debug)]
pub struct Loaded {
    /// The world as of the last commit.
    pub world: World,
    /// What followed from the readings that no memory had seen: to be committed first thing.
    pub changes: Changes,
    /// Readings that were stepped a second time: those that no memory had seen.
    pub replayed: usize,
    /// Stations whose terminal is there, by MQTT.
    pub terminals: PresentTerminals,
    /// Stations that were there only by a page of the console: to be heard of anew.
    pub pages: Vec<Box<str>>,
    /// The newest moment that was kept; `None`: an earlier version kept none.
    pub moment: Option<Moment>,
    /// By how much the clock was set while the gateway was away, as far as it is known: the first
    /// thing that the rules are to hear.
    pub clock_set: Ms,
    /// Rows that could not be read.
    pub skipped: Vec<SkippedRow>,
}

/// The log's blocks that are still there, as far as redelivered messages need them.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptBlocks {
    blocks: VecDeque<(i64, usize)>,
    readings: usize,
    spare: i64,
}

impl KeptBlocks {
    /// Counts a block that was just appended.
    pub fn push(&mut self, block: i64, readings: usize) {
        self.blocks.push_back((block, readings));
        self.readings += readings;
        while let Some((block, readings)) = self.blocks.front().copied()
            && self.readings - readings >= Recent::MAX
        {
            self.readings -= readings;
            self.spare = block;
            self.blocks.pop_front();
        }
    }

    /// Counts the blocks of another store that are newer than all of these.
    pub fn follow(&mut self, other: &Self) {
        let newest = self.blocks.back().map_or(0, |(block, _)| *block);
        let newer = other.blocks.iter().filter(|(block, _)| *block > newest);
        for (block, readings) in newer.copied().collect::<Vec<_>>() {
            self.push(block, readings);
        }
    }

    /// Up to this block none is needed.
    pub const fn spare(&self) -> i64 {
        self.spare
    }
}

impl Store {
    /// Registers stations and devices, or changes them: those of the store that are not named
    /// stay. For a store without an engine.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was changed.
    pub fn import(&mut self, stations: &[Station], devices: &[Device]) -> Result<(), StoreError> {
        let (tx, mut changed) = (self.conn.transaction()?, false);
        for station in stations {
            rows::station(&tx, station)?;
        }
        // Row by row: the files of `[registry]` come at every start, hardly ever with anything
        // new, and a second registry would stay in the memory for good.
        let next = "SELECT IFNULL(MAX(ix) + 1, 0) FROM device";
        let mut next: u32 = tx.query_row(next, (), |row| row.get(0))?;
        for device in devices {
            let mut find = tx.prepare_cached("SELECT json, ix FROM device WHERE id = ?1")?;
            let mut found = find.query([&device.id])?;
            let mut device = std::borrow::Cow::Borrowed(device);
            let ix = if let Some(row) = found.next()? {
                // One that can't be read is written anew.
                if let Ok(old) = json_column::<Device>(row, "device") {
                    if device.area.is_empty() && !old.area.is_empty() {
                        device.to_mut().area.clone_from(&old.area);
                    }
                    if old == *device {
                        continue;
                    }
                }
                row.get(1)?
            } else {
                next += 1;
                next - 1
            };
            changed |= rows::retagged(&tx, DeviceIx(ix), &device)?;
            rows::device(&tx, DeviceIx(ix), &device)?;
        }
        if changed {
            rows::tags_changed(&tx)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// A short name of this store's own, which tells its sessions with the broker from another
    /// gateway's. Made once, from `random`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn identity(&mut self, random: u64) -> Result<Box<str>, StoreError> {
        let sql = "INSERT INTO meta (key, value) VALUES ('gateway', ?1) ON CONFLICT DO NOTHING";
        self.conn.execute(sql, [format!("{random:016x}")])?;
        let sql = "SELECT value FROM meta WHERE key = 'gateway'";
        let text: String = self.conn.query_row(sql, (), |row| row.get(0))?;
        Ok(text.get(..8).unwrap_or(&text).into())
    }

    /// The registry as the store has it; rows that can't be read are mended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn registry(
        &self,
        profiles: impl IntoIterator<Item = (Box<str>, Profile)>,
    ) -> Result<Registry, StoreError> {
        let profiles: Vec<_> = profiles.into_iter().collect();
        match self.read_registry(profiles.clone()) {
            Err(bad) if is_of_row(&bad) => {
                self.mend_registry()?;
                self.read_registry(profiles)
            }
            read => read,
        }
    }

    fn read_registry(
        &self,
        profiles: impl IntoIterator<Item = (Box<str>, Profile)>,
    ) -> Result<Registry, StoreError> {
        let mut registry = Registry::new(profiles);
        self.each("SELECT json FROM station ORDER BY id", |row| {
            let station: Station = json_column(row, "station")?;
            registry.put_station(station);
            Ok(())
        })?;
        let devices: u32 =
            self.conn.query_row("SELECT count(*) FROM device", (), |row| row.get(0))?;
        registry.reserve(devices as usize);
        self.each("SELECT json, ix FROM device ORDER BY ix", |row| {
            let device: Device = json_column(row, "device")?;
            let id = device.id.clone();
            let (is, was) = (registry.put_device(device), DeviceIx(row.get(1)?));
            if is == was {
                return Ok(());
            }
            let why = format!("its place is {}, it was {}", is.0, was.0);
            Err(StoreError::Unreadable { what: format!("device `{id}`"), why })
        })?;
        Ok(registry)
    }

    /// The world as of the last commit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn load(
        &mut self,
        plan: Plan,
        profiles: impl IntoIterator<Item = (Box<str>, Profile)>,
        secret: IdSecret,
    ) -> Result<Loaded, StoreError> {
        let registry = self.registry(profiles)?;
        let mut upto = vec![0; registry.devices().len()];
        self.conditions = vec![0; upto.len()];
        let mut world = World::new(registry, plan, secret);
        let mut conditions = std::mem::take(&mut self.conditions);
        let mut anew = Vec::new();
        let saved = self.saved(world.registry(), &mut anew)?;
        // What pages about a lost incident is that its device says so again, and is news.
        let forgotten = self.devices_of_lost(&world)?;
        let mut without = Vec::new();
        let sql = "SELECT body, upto, conditions, ix FROM memory";
        self.each_readable("memory", sql, |row| {
            let ix = DeviceIx(row.get(3)?);
            if forgotten.contains(&ix) {
                return Ok(());
            }
            let body = row.get_ref(0)?.as_blob().unwrap_or(&[]);
            if let Err(bad) = world.restore_memory(ix, body) {
                without.push(ix);
                let (what, why) = (format!("memory {}", ix.0), bad.to_string());
                return Err(StoreError::Unreadable { what, why });
            }
            if let (Some(upto), Some(set)) = (upto.get_mut(ix.at()), conditions.get_mut(ix.at())) {
                (*upto, *set) = (row.get(1)?, row.get(2)?);
            }
            Ok(())
        })?;
        self.conditions = conditions;
        for ix in without {
            // It begins anew, from whatever of it is still in the log.
            rows::put(&self.conn, "DELETE FROM memory WHERE ix = ?1", [ix.0])?;
        }
        self.each_readable("meta", "SELECT value, key FROM meta WHERE key = 'watch'", |row| {
            world.restore_wholes(json_column::<Wholes>(row, "meta `watch`")?);
            Ok(())
        })?;
        world.restore_book(saved);
        world.restore_orders(self.saved_orders()?);
        self.newest = self.find_newest()?;
        let (terminals, pages) = self.present()?;
        let (changes, moment) = (Changes { incidents: anew, ..Changes::default() }, self.moment()?);
        let (replayed, clock_set, skipped) = (0, 0, Vec::new());
        let mut loaded =
            Loaded { world, changes, replayed, terminals, pages, moment, clock_set, skipped };
        self.replay(&mut loaded, &upto)?;
        loaded.skipped = self.skipped.take();
        Ok(loaded)
    }

    fn find_newest(&self) -> Result<Newest, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = 'series_block'";
        let mut series = 0;
        self.each(sql, |row| {
            series = row.get::<_, String>(0)?.parse().unwrap_or(0);
            Ok(())
        })?;
        let block = newest(&self.conn, "log")?;
        let sql = "SELECT COALESCE(MIN(block) - 1, ?1) FROM log";
        let cut = self.conn.query_row(sql, [block], |row| row.get(0))?;
        let sql = "SELECT COALESCE(MAX(number), 0) FROM board";
        let boards = Numbers { last: self.conn.query_row(sql, (), |row| row.get(0))? };
        Ok(Newest { block, event: newest(&self.conn, "event")?, series, cut, boards })
    }

    /// What the book goes on from; `anew`: what stations were shown of these is to be written anew.
    fn saved(&self, registry: &Registry, anew: &mut Vec<IncidentId>) -> Result<Saved, StoreError> {
        let mut saved = Saved::default();
        let mut counted = true;
        self.each_readable("meta", "SELECT value, key FROM meta WHERE key = 'book'", |row| {
            let book = json_column::<Meta>(row, "meta `book`");
            counted = book.is_ok();
            saved.meta = book?;
            Ok(())
        })?;
        if !counted {
            saved.meta = self.counted_anew()?;
        }
        saved.incidents = self.open_incidents(registry, anew)?;
        self.each_readable("incident", "SELECT id FROM incident WHERE open = 0", |row| {
            saved.closed.push(ulid(row, 0)?);
            Ok(())
        })?;
        let sql = "SELECT page_id, incident, episode, step, repeat, kind, receiver, at, number,
                       urgency, alone, page_id
                   FROM page
                   WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL
                   ORDER BY number";
        self.each_readable("page", sql, |row| {
            saved.owed.push(page(row)?);
            Ok(())
        })?;
        saved.bundles = bundles::owed(&self.conn)?;
        let sql = "SELECT id, online, presence_at FROM station WHERE presence_at IS NOT NULL";
        self.each(sql, |row| {
            saved.presence.push(Presence {
                station: row.get(0)?,
                online: row.get(1)?,
                at: row.get(2)?,
            });
            Ok(())
        })?;
        Ok(saved)
    }

    fn moment(&self) -> Result<Option<Moment>, StoreError> {
        let mut moment = None;
        self.each_readable("meta", "SELECT value, key FROM meta WHERE key = 'clock'", |row| {
            moment = Some(json_column(row, "meta `clock`")?);
            Ok(())
        })?;
        Ok(moment)
    }

    /// Who was there by a terminal, and who by a page of the console only.
    fn present(&self) -> Result<(PresentTerminals, Vec<Box<str>>), StoreError> {
        let mut terminals: Option<PresentTerminals> = None;
        let sql = "SELECT value, key FROM meta WHERE key = 'terminals'";
        self.each_readable("meta", sql, |row| {
            terminals = Some(json_column(row, "meta `terminals`")?);
            Ok(())
        })?;
        let (mut by_terminal, mut by_page) = (BTreeSet::new(), Vec::new());
        self.each("SELECT id FROM station WHERE online = 1", |row| {
            let id: Box<str> = row.get(0)?;
            // A store from before there were pages knows terminals only.
            if terminals.as_ref().is_none_or(|terminals| terminals.contains(&id)) {
                by_terminal.insert(id);
            } else {
                by_page.push(id);
            }
            Ok(())
        })?;
        Ok((by_terminal, by_page))
    }

    /// Replays what a memory has not seen; shows the rest to the deduplication.
    fn replay(&mut self, loaded: &mut Loaded, upto: &[i64]) -> Result<(), StoreError> {
        let mut kept = KeptBlocks::default();
        self.each("SELECT body, block, readings FROM log ORDER BY block", |row| {
            let (block, readings): (i64, usize) = (row.get(1)?, row.get(2)?);
            kept.push(block, readings);
            let body = row.get_ref(0)?.as_blob().unwrap_or(&[]);
            let decoded = block::decode(body).unwrap_or_else(|bad| {
                tracing::error!(block, readings, "{bad}; these readings are lost");
                Vec::new()
            });
            for logged in &decoded {
                if upto.get(logged.device.at()).is_some_and(|upto| block > *upto) {
                    loaded.world.replay(logged, &mut loaded.changes);
                    loaded.replayed += 1;
                } else {
                    loaded.world.remember(logged);
                }
            }
            Ok(())
        })?;
        self.kept = kept;
        loaded.changes.readings.clear();
        Ok(())
    }

    pub(super) fn each(
        &self,
        sql: &str,
        mut row: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query(())?;
        while let Some(found) = rows.next()? {
            row(found)?;
        }
        Ok(())
    }

    /// As of a commit.
    pub(super) fn remember_conditions(&mut self, ix: DeviceIx, set: u32) {
        if self.conditions.len() <= ix.at() {
            self.conditions.resize(ix.at() + 1, 0);
        }
        if let Some(told) = self.conditions.get_mut(ix.at()) {
            *told = set;
        }
    }
}

fn page(row: &Row<'_>) -> Result<Page, StoreError> {
    let receiver: Box<str> = row.get(6)?;
    let at: Ms = row.get(7)?;
    Ok(Page {
        page_id: ulid(row, 0)?,
        incident: ulid(row, 1)?,
        episode: row.get(2)?,
        step: row.get(3)?,
        repeat: row.get(4)?,
        receiver: match row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)? {
            "webhook" => Receiver::Webhook(receiver),
            _ => Receiver::Station(receiver),
        },
        at,
        number: row.get::<_, i64>(8)?.cast_unsigned(),
        urgency: urgency(row, 9)?,
        company: if row.get(10)? { Company::Alone } else { Company::Any },
    })
}
