//! Devices: the registry's row of each, and what is known of it now.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row};
use serde_json::value::RawValue;
use standpipe_rules::Ms;
use standpipe_rules::detect::Memory;
use standpipe_rules::incidents::WireIncident;
use standpipe_rules::registry::{Device, DeviceIx};
use standpipe_shared::{Class, Condition, Kind};

use super::incidents::RELAPSED;
use super::list::{ListQuery, WhereClause};
use super::maintenance::out_of_service;
use super::{ListPage, PageOf, all, first, json, station_name};
use crate::accounts::{Area, DEVICES_OF};
use crate::readers::ReadError;

/// Incidents of one device that its page lists.
const INCIDENTS: u32 = 30;

/// Whose devices are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Devices of their own stations: those they may change.
    Own,
    /// Also devices that an open incident names that they were paged about: whoever is sent to a
    /// fire has to know its water.
    InSight,
}

impl Reach {
    const fn rows(self, area: &Area) -> &'static str {
        match self {
            Self::Own => area.devices(),
            Self::InSight => area.devices_in_sight(),
        }
    }
}

/// Which devices are wanted; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// That this station is responsible for; a district also for what belongs to nobody.
    pub station: Option<String>,
    pub kind: Option<Kind>,
    /// What is true of it now.
    pub condition: Option<ConditionFilter>,
    /// With this text in id, name or address.
    pub text: Option<String>,
    /// That said all of this of themselves.
    pub status: Vec<StatusFilter>,
}

/// What is true of a device now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionFilter {
    /// At least one condition.
    Any,
    /// This one, maybe among others.
    One(Condition),
}

/// What a device said of itself when it last started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    /// Exactly this text.
    Says(StatusText, String),
    /// Something that is no text of its own.
    Is(StatusIs),
}

/// A text among what devices say of themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusText {
    Firmware,
    Model,
    Reset,
    Storage,
}

/// What can be asked of a device's status besides texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusIs {
    /// It says that it has lost messages.
    Lost,
    StorageFault,
    /// It never sent a status.
    Missing,
    /// It did not say which firmware it runs.
    WithoutFirmware,
    /// It did not say which model it is.
    WithoutModel,
    /// It did not say why it started.
    WithoutReset,
}

impl StatusText {
    const fn rows(self) -> &'static str {
        match self {
            Self::Firmware => "d.ix IN (SELECT ix FROM device_status WHERE firmware = ?)",
            Self::Model => "d.ix IN (SELECT ix FROM device_status WHERE model = ?)",
            Self::Reset => "d.ix IN (SELECT ix FROM device_status WHERE reset = ?)",
            Self::Storage => "d.ix IN (SELECT ix FROM device_status WHERE storage = ?)",
        }
    }
}

impl StatusIs {
    #[rustfmt::skip] // a table
    const fn rows(self) -> &'static str {
        match self {
            Self::Lost => "d.ix IN (SELECT ix FROM device_status WHERE lost > 0)",
            Self::StorageFault => "d.ix IN (SELECT ix FROM device_status WHERE storage IS NOT NULL)",
            Self::Missing => "d.ix NOT IN (SELECT ix FROM device_status)",
            Self::WithoutFirmware => "d.ix NOT IN (SELECT ix FROM device_status WHERE firmware IS NOT NULL)",
            Self::WithoutModel => "d.ix NOT IN (SELECT ix FROM device_status WHERE model IS NOT NULL)",
            Self::WithoutReset => "d.ix NOT IN (SELECT ix FROM device_status WHERE reset IS NOT NULL)",
        }
    }
}

impl DeviceFilter {
    fn within<'a>(&'a self, area: &'a Area) -> WhereClause<'a> {
        let mut wanted = WhereClause::within(area, area.devices());
        wanted.and_some(DEVICES_OF, self.station.as_deref());
        wanted.and_some("d.kind = ?", self.kind.map(Kind::as_str));
        match self.condition {
            None => {}
            Some(ConditionFilter::Any) => {
                wanted.and_always("d.ix IN (SELECT ix FROM memory WHERE conditions <> 0)");
            }
            Some(ConditionFilter::One(condition)) => wanted
                .and("d.ix IN (SELECT ix FROM memory WHERE conditions & ? <> 0)", condition.bit()),
        }
        wanted.and_some(
            "d.id || ' ' || d.name || ' ' || json_extract(d.json, '$.address') LIKE ? ESCAPE '\\'",
            self.text.as_deref().map(containing),
        );
        for status in &self.status {
            match status {
                StatusFilter::Says(text, value) => wanted.and(text.rows(), value),
                StatusFilter::Is(is) => wanted.and_always(is.rows()),
            }
        }
        wanted
    }
}

/// A `LIKE` pattern for a text that contains this one.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// What a device said of itself when it last started; null: not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusNow {
    pub at: Ms,
    /// How often it has started, ever.
    pub boot: Option<u32>,
    pub firmware: Option<String>,
    pub model: Option<String>,
    /// `power_on`, `watchdog`, …
    pub reset: Option<String>,
    /// How many messages it has lost, ever.
    pub lost: Option<u32>,
    /// What is wrong with its storage: `fresh`, `corrupt`, `failed`, …; null: nothing.
    pub storage: Option<String>,
}

impl StatusNow {
    /// Of `device_status f`, in the order of [`Self::read`].
    const COLUMNS: &str = "f.at, f.boot, f.firmware, f.model, f.reset, f.lost, f.storage";

    /// From [`Self::COLUMNS`], of which the first is column `first`; `None`: there is no row.
    fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Self>> {
        let Some(at) = row.get(first)? else { return Ok(None) };
        Ok(Some(Self {
            at,
            boot: row.get(first + 1)?,
            firmware: row.get(first + 2)?,
            model: row.get(first + 3)?,
            reset: row.get(first + 4)?,
            lost: row.get(first + 5)?,
            storage: row.get(first + 6)?,
        }))
    }
}

/// One device with what is known of it now.
#[derive(Clone, Debug)]
pub struct DeviceNow {
    pub device: Device,
    /// What is true of it, as [`Condition::bit`]s.
    pub conditions: u32,
    /// When anything was last heard of it.
    pub heard_at: Option<Ms>,
    /// The newest value of each measurement, a JSON object.
    pub latest: Box<RawValue>,
    /// What is remembered of it, empty of a device that was never heard. `None`: this version
    /// can't read it, which the engine says at its start.
    pub memory: Option<Memory>,
    /// `None`: it never sent a status.
    pub status: Option<StatusNow>,
    /// Whether announced work takes it out of service now.
    pub out_of_service: bool,
}

impl DeviceNow {
    fn read(row: &Row<'_>, lost: &BTreeSet<DeviceIx>) -> Result<Self, ReadError> {
        let latest: Option<String> = row.get(3)?;
        let body = row.get_ref(4)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
        Ok(Self {
            device: json(row, 0)?,
            conditions: row.get::<_, Option<u32>>(1)?.unwrap_or(0),
            heard_at: row.get(2)?,
            latest: RawValue::from_string(latest.unwrap_or_else(|| "{}".to_owned()))?,
            memory: match body {
                Some(body) => Memory::from_body(body).ok(),
                None => Some(Memory::default()),
            },
            status: StatusNow::read(row, 6)?,
            out_of_service: lost.contains(&DeviceIx(row.get(5)?)),
        })
    }
}

const NOW: ListQuery<'_> = ListQuery {
    select: "d.json, m.conditions, m.heard_at, m.latest, m.body, d.ix, \
             f.at, f.boot, f.firmware, f.model, f.reset, f.lost, f.storage",
    from: "device d",
    joins: "LEFT JOIN memory m ON m.ix = d.ix LEFT JOIN device_status f ON f.ix = d.ix",
    group: "",
    order: "ORDER BY d.id",
};

/// Devices of an area with what is known now, by id.
///
/// # Errors
/// [`ReadError`].
pub fn list(
    db: &Connection,
    area: &Area,
    filter: &DeviceFilter,
    page: ListPage,
    now: Ms,
) -> Result<PageOf<DeviceNow>, ReadError> {
    let lost = out_of_service(db, now)?;
    NOW.page(db, &filter.within(area), page, |row| DeviceNow::read(row, &lost))
}

/// One device with what is known now; `None`: there is none within reach.
///
/// # Errors
/// [`ReadError`].
pub fn one(
    db: &Connection,
    area: &Area,
    reach: Reach,
    id: &str,
    now: Ms,
) -> Result<Option<DeviceNow>, ReadError> {
    let lost = out_of_service(db, now)?;
    let mut wanted = WhereClause::within(area, reach.rows(area));
    wanted.and("d.id = ?", id);
    NOW.one(db, &wanted, |row| DeviceNow::read(row, &lost))
}

/// What a device is; `None`: there is none within reach.
///
/// # Errors
/// [`ReadError`].
pub fn kind(
    db: &Connection,
    area: &Area,
    reach: Reach,
    id: &str,
) -> Result<Option<Kind>, ReadError> {
    let sql = format!("SELECT kind FROM device d WHERE {} AND id = ?2", reach.rows(area));
    first(db, &sql, (area, id), |row| Ok(kind_of(row.get_ref(0)?.as_str().unwrap_or_default())))
}

/// A kind by its name in the store, where there are no others.
pub(super) fn kind_of(name: &str) -> Kind {
    if name == Kind::Smoke.as_str() { Kind::Smoke } else { Kind::Hydrant }
}

/// A device in a line of a list for people.
#[derive(Clone, Debug)]
pub struct DeviceLine {
    pub device: Device,
    /// What is true of it, as [`Condition::bit`]s.
    pub conditions: u32,
    /// When anything was last heard of it.
    pub heard_at: Option<Ms>,
    /// The newest pressure above that of the air.
    pub pressure_kpa: Option<f64>,
    /// The newest density of smoke.
    pub smoke_db_m: Option<f64>,
    /// What is remembered of it; `None`: nothing that this version can read.
    pub memory: Option<Memory>,
    /// What its station is called; its id, where it has no row.
    pub station: String,
}

/// How [`lines`] are sorted; what is equal, by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceOrder {
    #[default]
    Id,
    Name,
    /// Never heard first, then the longest silent.
    Heard,
    /// The lowest pressure first; what has none, last.
    Pressure,
}

impl DeviceOrder {
    const fn sql(self) -> &'static str {
        match self {
            Self::Id => "ORDER BY d.id",
            Self::Name => "ORDER BY d.name, d.id",
            Self::Heard => "ORDER BY m.heard_at, d.id",
            Self::Pressure => {
                "ORDER BY json_extract(m.latest, '$.pressure_kpa') IS NULL, \
                 json_extract(m.latest, '$.pressure_kpa'), d.id"
            }
        }
    }
}

/// Devices of an area for people, sorted as they ask.
///
/// # Errors
/// [`ReadError`].
pub fn lines(
    db: &Connection,
    area: &Area,
    filter: &DeviceFilter,
    order: DeviceOrder,
    page: ListPage,
) -> Result<PageOf<DeviceLine>, ReadError> {
    let select = format!(
        "d.json, coalesce(m.conditions, 0), m.heard_at, json_extract(m.latest, '$.pressure_kpa'), \
         json_extract(m.latest, '$.smoke_db_m'), m.body, {}",
        station_name("d.station")
    );
    let source = ListQuery {
        select: &select,
        from: "device d LEFT JOIN memory m ON m.ix = d.ix",
        joins: "",
        group: "",
        order: order.sql(),
    };
    source.page(db, &filter.within(area), page, |row| {
        Ok(DeviceLine {
            device: json(row, 0)?,
            conditions: row.get(1)?,
            heard_at: row.get(2)?,
            pressure_kpa: row.get(3)?,
            smoke_db_m: row.get(4)?,
            memory: remembered(row, 5)?,
            station: row.get(6)?,
        })
    })
}

/// What is remembered of a device; `None`: nothing, or nothing that this version can read.
pub(super) fn remembered(row: &Row<'_>, at: usize) -> Result<Option<Memory>, ReadError> {
    let body = row.get_ref(at)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    Ok(body.and_then(|body| Memory::from_body(body).ok()))
}

/// One device with all that its page shows.
#[derive(Clone, Debug)]
pub struct DeviceDetail {
    pub device: Device,
    /// Whether it is one of the asker's stations'; else they were paged about a fire near it.
    pub own: bool,
    /// What its station is called; its id, where it has no row.
    pub station: String,
    /// What is true of it, as [`Condition::bit`]s.
    pub conditions: u32,
    /// When anything was last heard of it.
    pub heard_at: Option<Ms>,
    /// What is remembered of it; empty, where that is nothing, or nothing that this version can
    /// read.
    pub memory: Memory,
    /// Whether it is a hydrant that announced work takes out of service now.
    pub out_of_service: bool,
    /// `None`: it never sent a status.
    pub status: Option<StatusNow>,
    /// Its newest incidents, as far as they are the asker's business.
    pub incidents: Vec<WireIncident>,
    /// Whether the newest about its water failed again after a repair.
    pub relapsed: bool,
}

/// One device with all that its page shows; `None`: there is none in sight.
///
/// # Errors
/// [`ReadError`].
pub fn detail(
    db: &Connection,
    area: &Area,
    id: &str,
    now: Ms,
) -> Result<Option<DeviceDetail>, ReadError> {
    let sql = format!(
        "SELECT d.json, coalesce(m.conditions, 0), m.heard_at, m.body, d.ix, {}, {}
         FROM device d LEFT JOIN memory m ON m.ix = d.ix
             LEFT JOIN device_status f ON f.ix = d.ix WHERE {} AND d.id = ?2",
        station_name("d.station"),
        StatusNow::COLUMNS,
        area.devices_in_sight()
    );
    let found = first(db, &sql, (area, id), |row| {
        let device: Device = json(row, 0)?;
        let hydrant = device.kind == Kind::Hydrant;
        Ok(DeviceDetail {
            own: area.holds(&device.station),
            device,
            station: row.get(5)?,
            conditions: row.get(1)?,
            heard_at: row.get(2)?,
            memory: remembered(row, 3)?.unwrap_or_default(),
            out_of_service: hydrant && out_of_service(db, now)?.contains(&DeviceIx(row.get(4)?)),
            status: StatusNow::read(row, 6)?,
            incidents: Vec::new(),
            relapsed: false,
        })
    })?;
    let Some(mut found) = found else { return Ok(None) };
    (found.incidents, found.relapsed) = newest_incidents(db, area, found.own, id)?;
    Ok(Some(found))
}

/// The newest incidents of a device, as far as they are the asker's business (all, where the device
/// is `own`), and whether the newest about its water failed again after a repair.
fn newest_incidents(
    db: &Connection,
    area: &Area,
    own: bool,
    id: &str,
) -> Result<(Vec<WireIncident>, bool), ReadError> {
    let sql = format!(
        "SELECT i.wire, {RELAPSED} FROM incident i
         WHERE json_extract(i.wire, '$.device.id') = ?2 AND (?3 OR {})
         ORDER BY i.opened_at DESC LIMIT ?4",
        area.incidents()
    );
    let mut relapsed = None;
    let incidents = all(db, &sql, (area, id, own, INCIDENTS), |row| {
        let incident: WireIncident = json(row, 0)?;
        if incident.class == Class::Water && relapsed.is_none() {
            relapsed = Some(row.get(1)?);
        }
        Ok(incident)
    })?;
    Ok((incidents, relapsed.unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use super::containing;

    #[test]
    fn a_search_means_what_it_says() {
        assert_eq!(containing("50%_a\\"), "%50\\%\\_a\\\\%");
    }
}
