//! What speaks for an incident: its device as it is now and was before, others beside it, and the
//! hydrants near it.

use std::collections::{BTreeSet, HashMap};

use rusqlite::Connection;
use standpipe_rules::Ms;
use standpipe_rules::detect::Memory;
use standpipe_rules::incidents::WireIncident;
use standpipe_rules::registry::{Device, DeviceIx};
use standpipe_shared::Condition;

use super::devices::remembered;
use super::maintenance::out_of_service;
use super::{all, first, json, stations};
use crate::accounts::Area;
use crate::readers::ReadError;

/// Detectors of the same building that are named at most.
const OTHERS: u32 = 50;

/// What an incident's page shows of it beside the incident itself.
#[derive(Clone, Debug, Default)]
pub struct IncidentEvidence {
    /// The incident's device, where it has one that has a row.
    pub device: Option<Device>,
    /// When anything was last heard of it.
    pub heard_at: Option<Ms>,
    /// What is remembered of it; `None`: nothing that this version can read.
    pub memory: Option<Memory>,
    /// Names of stations, by id.
    pub names: HashMap<String, String>,
    /// Other detectors of the building that are in alarm: name and floor.
    pub others: Vec<(String, String)>,
    /// How many fire incidents of the device were closed before,
    pub closed_fires: u32,
    /// and how many of those were false alarms.
    pub false_alarms: u32,
    /// The hydrants that the incident names, as far as they are remembered.
    pub hydrants: Vec<HydrantRow>,
}

/// A hydrant, and what is remembered of it.
#[derive(Clone, Debug)]
pub struct HydrantRow {
    pub device: Device,
    /// What the rules remember of it.
    pub memory: Memory,
    /// Whether announced work takes it out of service now.
    pub out_of_service: bool,
}

/// Reads it. Who may see an incident may see everything that the incident names.
///
/// # Errors
/// [`ReadError`].
pub fn of_incident(
    db: &Connection,
    incident: &WireIncident,
    now: Ms,
) -> Result<IncidentEvidence, ReadError> {
    let mut found = IncidentEvidence {
        names: stations::names(db, &Area::All)?.into_iter().collect(),
        ..IncidentEvidence::default()
    };
    if let Some(device) = &incident.device {
        about_device(db, &device.id, &mut found)?;
    }
    if let Some(device) = found.device.as_ref().filter(|device| !device.building.is_empty()) {
        found.others = others_in_alarm(db, device)?;
    }
    if incident.hydrants.is_empty() {
        return Ok(found);
    }
    let out = out_of_service(db, now)?;
    for near in &incident.hydrants {
        found.hydrants.extend(hydrant(db, &near.id, &out)?);
    }
    Ok(found)
}

fn about_device(db: &Connection, id: &str, found: &mut IncidentEvidence) -> Result<(), ReadError> {
    let sql = "SELECT d.json, m.heard_at, m.body FROM device d LEFT JOIN memory m ON m.ix = d.ix
               WHERE d.id = ?1";
    let row = first(db, sql, [id], |row| Ok((json(row, 0)?, row.get(1)?, remembered(row, 2)?)))?;
    if let Some((device, heard_at, memory)) = row {
        (found.device, found.heard_at, found.memory) = (Some(device), heard_at, memory);
    }
    let sql = "SELECT count(*), coalesce(sum(json_extract(wire, '$.outcome') = 'false_alarm'), 0)
               FROM incident WHERE open = 0 AND class = 'fire'
               AND json_extract(wire, '$.device.id') = ?1";
    let record = db.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    (found.closed_fires, found.false_alarms) = record;
    Ok(())
}

fn others_in_alarm(db: &Connection, device: &Device) -> Result<Vec<(String, String)>, ReadError> {
    let sql = format!(
        "SELECT d.name, json_extract(d.json, '$.floor') FROM device d
         JOIN memory m ON m.ix = d.ix
         WHERE d.station = ?1 AND json_extract(d.json, '$.building') = ?2 AND d.id <> ?3
         AND m.conditions & ?4 <> 0 ORDER BY d.id LIMIT {OTHERS}"
    );
    let alarm = Condition::Smoke.bit() | Condition::Heat.bit();
    let of = (&device.station, &device.building, &device.id, alarm);
    all(db, &sql, of, |row| Ok((row.get(0)?, row.get(1)?)))
}

/// A hydrant as its memory has it; `None`: nothing is remembered of it that this version can read.
fn hydrant(
    db: &Connection,
    id: &str,
    out: &BTreeSet<DeviceIx>,
) -> Result<Option<HydrantRow>, ReadError> {
    let sql =
        "SELECT d.ix, d.json, m.body FROM device d JOIN memory m ON m.ix = d.ix WHERE d.id = ?1";
    let row = first(db, sql, [id], |row| {
        Ok((DeviceIx(row.get(0)?), json::<Device>(row, 1)?, remembered(row, 2)?))
    })?;
    let Some((ix, device, Some(memory))) = row else { return Ok(None) };
    Ok(Some(HydrantRow { device, memory, out_of_service: out.contains(&ix) }))
}
