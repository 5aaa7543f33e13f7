//! Settings and commands for devices: how they are written, loaded at the start, and read by their
//! sender.

use rusqlite::Connection;
use serde_json::json;
use standpipe_rules::Ms;
use standpipe_rules::orders::{
    CommandState, DeviceCommand, DeviceSettings, Of, SavedOrders, ShownSettings, Wished,
};
use standpipe_rules::registry::{Device, DeviceIx};
use standpipe_shared::Settings;

use super::rows::{json_column, json_of, parsed, put, rows_of};
use super::{Reader, Store, StoreError};

/// How long commands are kept after they expired: as long as raw readings.
const COMMANDS_MS: Ms = 90 * 86_400_000;
/// Old commands dropped with a new one at most.
const CUT_AT_ONCE: u32 = 8;

/// Settings that the broker is to keep for a device.
#[derive(Clone, Debug, PartialEq)]
pub struct OwedSettings {
    /// The device's place; `Input::SettingsSent` names it once they are sent.
    pub ix: DeviceIx,
    pub device: Box<str>,
    pub area: Box<str>,
    /// Where it was, and the broker still keeps something; empty: nowhere.
    pub left_area: Box<str>,
    pub settings: Settings,
}

/// A command on its way to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct OwedCommand {
    pub device: Box<str>,
    pub area: Box<str>,
    pub command: DeviceCommand,
}

/// The columns `kind` and `name` of a wish.
const fn key(of: &Of) -> (&'static str, &str) {
    match of {
        Of::Device(id) => ("device", id),
        Of::Profile(name) => ("profile", name),
    }
}

/// `wish`; none: there is none any more.
pub(super) fn wish(conn: &Connection, of: &Of, wished: Option<&Wished>) -> Result<(), StoreError> {
    let (kind, name) = key(of);
    let Some(wished) = wished else {
        return put(conn, "DELETE FROM wish WHERE kind = ?1 AND name = ?2", (kind, name));
    };
    let sql = "INSERT INTO wish (kind, name, json) VALUES (?1, ?2, ?3)
               ON CONFLICT (kind, name) DO UPDATE SET json = excluded.json";
    put(conn, sql, (kind, name, json_of("wish", wished)?))
}

/// Writes the row of `settings`.
pub(super) fn settings(
    conn: &Connection,
    ix: DeviceIx,
    settings: &DeviceSettings,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO settings (ix, owed, state, wish, json) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (ix) DO UPDATE SET owed = excluded.owed, state = excluded.state,
                   wish = excluded.wish, json = excluded.json";
    let wish = settings.wish().map(|wish| json_of("wish", &wish)).transpose()?;
    let owed = settings.owed().is_some();
    put(conn, sql, (ix.0, owed, settings.state().as_str(), wish, json_of("settings", settings)?))
}

/// Writes the row of `command`. One that is to be retried is `queued` there, by which the sender
/// finds it; what people see of it is in `json`.
pub(super) fn command(conn: &Connection, command: &DeviceCommand) -> Result<(), StoreError> {
    let sql = "INSERT INTO command (id, ix, state, expires_at, json, number)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (id) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at,
                   json = excluded.json";
    let state = if command.is_owed() { CommandState::Queued } else { command.state };
    let row = (command.id.to_string(), command.device.0, state.as_str(), command.expires_at);
    let (id, ix, state, expires_at) = row;
    let number = command.number.cast_signed();
    put(conn, sql, (id, ix, state, expires_at, json_of("command", command)?, number))
}

/// `command`: a few of those that expired long ago go.
pub(super) fn commands_cut(conn: &Connection, now: Ms) -> Result<(), StoreError> {
    let sql = "DELETE FROM command WHERE id IN
               (SELECT id FROM command WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
    put(conn, sql, (now - COMMANDS_MS, CUT_AT_ONCE))
}

/// The event of a device of whose settings something changed.
pub(super) fn settings_event(device: &Device, shown: &ShownSettings) -> String {
    let told = shown.known.told.as_ref();
    json!({"id": device.id, "settings": {
        "source": shown.source, "state": shown.state, "waits_for": shown.waits_for,
        "rev": told.map(|told| told.rev), "detail": told.map_or("", |told| &*told.detail),
    }})
    .to_string()
}

/// The event of a profile of which other settings are wished.
pub(super) fn profile_event(name: &str) -> String {
    json!({"profile": name, "settings": {}}).to_string()
}

/// A device's command as an event, JSON.
pub(super) fn command_event(device: &Device, command: &DeviceCommand) -> String {
    json!({"id": device.id, "command": command}).to_string()
}

impl Store {
    /// Everything that is asked of devices, as of the last commit.
    pub(super) fn saved_orders(&self) -> Result<SavedOrders, StoreError> {
        let mut saved = SavedOrders::default();
        self.each_readable("wish", "SELECT json, kind, name FROM wish", |row| {
            let name: Box<str> = row.get(2)?;
            let profile = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)? == "profile";
            let of = if profile { Of::Profile(name) } else { Of::Device(name) };
            saved.wishes.push((of, json_column(row, "wish")?));
            Ok(())
        })?;
        self.each_readable("settings", "SELECT json, ix FROM settings", |row| {
            saved.settings.push((DeviceIx(row.get(1)?), json_column(row, "settings")?));
            Ok(())
        })?;
        let sql = "SELECT json, ix, number, state = 'queued', id FROM command
                   WHERE state IN ('queued', 'sent', 'expired')";
        self.each_readable("command", sql, |row| {
            let command: DeviceCommand = json_column(row, "command")?;
            let (device, number) = (DeviceIx(row.get(1)?), row.get::<_, i64>(2)?.cast_unsigned());
            let resend_owed = command.state == CommandState::Sent && row.get(3)?;
            saved.commands.push(DeviceCommand { device, number, resend_owed, ..command });
            Ok(())
        })?;
        Ok(saved)
    }
}

impl Reader {
    /// Settings that the broker has not confirmed, of devices from that place on, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owed_settings(
        &self,
        from: DeviceIx,
        limit: usize,
    ) -> Result<Vec<OwedSettings>, StoreError> {
        let sql = "SELECT s.json, s.ix, d.id FROM settings s JOIN device d ON d.ix = s.ix
                   WHERE s.owed = 1 AND s.ix >= ?1 ORDER BY s.ix LIMIT ?2";
        self.settings(sql, from, limit)
    }

    /// Settings that the broker has confirmed and the device not yet, of devices from that place
    /// on, at most `limit`: for a broker that has lost them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn pending_settings(
        &self,
        from: DeviceIx,
        limit: usize,
    ) -> Result<Vec<OwedSettings>, StoreError> {
        let sql = "SELECT s.json, s.ix, d.id FROM settings s JOIN device d ON d.ix = s.ix
                   WHERE s.state = 'pending' AND s.owed = 0 AND s.ix >= ?1 ORDER BY s.ix LIMIT ?2";
        self.settings(sql, from, limit)
    }

    fn settings(
        &self,
        sql: &str,
        from: DeviceIx,
        limit: usize,
    ) -> Result<Vec<OwedSettings>, StoreError> {
        let rows = self.rows(sql, (from.0, rows_of(limit)), |row| {
            Ok((row.get::<_, String>(0)?, DeviceIx(row.get(1)?), row.get(2)?))
        })?;
        let mut owed = Vec::with_capacity(rows.len());
        for (text, ix, device) in rows {
            let settings: DeviceSettings = parsed(&text, "settings")?;
            let Some(told) = settings.told.filter(|told| !told.area.is_empty()) else { continue };
            let (settings, area, left_area) = (told.settings(), told.area, told.left_area);
            owed.push(OwedSettings { ix, device, area, left_area, settings });
        }
        Ok(owed)
    }

    /// Commands that the broker has not confirmed, retries among them, of devices that have spoken:
    /// those after the number `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owed_commands(&self, after: u64, limit: usize) -> Result<Vec<OwedCommand>, StoreError> {
        let sql = "SELECT c.json, d.id, json_extract(d.json, '$.area'), c.number
                   FROM command c JOIN device d ON d.ix = c.ix
                   WHERE c.state = 'queued' AND c.number > ?1 AND json_extract(d.json, '$.area') <> ''
                   ORDER BY c.number LIMIT ?2";
        let rows = self.rows(sql, (after.cast_signed(), rows_of(limit)), |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?))
        })?;
        let owed = rows.into_iter().map(|(text, device, area, number)| {
            let command: DeviceCommand = parsed(&text, "command")?;
            let command = DeviceCommand { number: number.cast_unsigned(), ..command };
            Ok(OwedCommand { device, area, command })
        });
        owed.collect()
    }
}
