//! What speaks for an incident: its device as it is now and was before, others beside it, and the
//! hydrants near it.

use std::collections::{BTreeSet, HashMap};

use rusqlite::Connection;
use standpipe_rules::Ms;
use standpipe_rules::detect::Memory;
use standpipe_rules::incidents::WireIncident;
use standpipe_rules::registry::{Device, DeviceIx};
use standpipe_shared::{Class, Condition};

use super::devices::remembered;
use super::loud::{ToldRow, told};
use super::maintenance::out_of_service;
use super::{all, first, json, stations};
use crate::accounts::Area;
use crate::readers::ReadError;

/// Detectors of the same building that are named at most.
const OTHERS: u32 = 50;
/// A fire's page shows all water within so many metres.
pub const NEAR_M: f64 = 500.0;
/// Metres of a degree of latitude, on the mean radius of the earth.
const DEGREE_M: f64 = 111_195.0;
/// Hydrants within the square around a fire at most: the densest town has one in 60 m.
const AROUND: u32 = 400;

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
    /// The hydrants that the incident names, as far as they are remembered; and of a fire all others
    /// near it, remembered or not.
    pub hydrants: Vec<HydrantRow>,
    /// Who was told of it in its present episode.
    pub told: Vec<ToldRow>,
    /// The station's telephone number, as it was written.
    pub phone: Option<String>,
}

/// A hydrant, and what is remembered of it.
#[derive(Clone, Debug)]
pub struct HydrantRow {
    pub device: Device,
    /// What the rules remember of it; `None`: nothing that this version can read.
    pub memory: Option<Memory>,
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
    if incident.closed_at.is_none() {
        found.told = told(db, &incident.id.to_string(), incident.episode)?;
        found.phone = phone(db, &incident.station)?;
    }
    let place = incident.device.as_ref().and_then(|device| Some((device.lat?, device.lon?)));
    let fire = place.filter(|_| incident.class == Class::Fire && incident.closed_at.is_none());
    if incident.hydrants.is_empty() && fire.is_none() {
        return Ok(found);
    }
    let out = out_of_service(db, now)?;
    for near in &incident.hydrants {
        found.hydrants.extend(hydrant(db, &near.id, &out)?);
    }
    if let Some(place) = fire {
        let known: BTreeSet<Box<str>> =
            found.hydrants.iter().map(|row| row.device.id.clone()).collect();
        let others = hydrants_around(db, place, &out)?.into_iter();
        found.hydrants.extend(others.filter(|row| !known.contains(&row.device.id)));
    }
    Ok(found)
}

/// A station's telephone number.
fn phone(db: &Connection, station: &str) -> Result<Option<String>, ReadError> {
    let sql = "SELECT json_extract(s.json, '$.phone') FROM station s WHERE s.id = ?1";
    let found = first(db, sql, [station], |row| Ok(row.get::<_, Option<String>>(0)?))?;
    Ok(found.flatten().filter(|phone| !phone.is_empty()))
}

/// Hydrants in the square of [`NEAR_M`] around a place: which of them are within the circle, the
/// caller measures.
fn hydrants_around(
    db: &Connection,
    (lat, lon): (f64, f64),
    out: &BTreeSet<DeviceIx>,
) -> Result<Vec<HydrantRow>, ReadError> {
    let north = NEAR_M / DEGREE_M;
    // At a pole a degree of longitude is no way at all.
    let east = north / libm::cos(lat.to_radians()).max(0.01);
    let of = (lat - north, lat + north, lon - east, lon + east);
    let sql = around_sql();
    let rows = all(db, &sql, of, |row| {
        Ok((DeviceIx(row.get(0)?), json::<Device>(row, 1)?, remembered(row, 2)?))
    })?;
    let row = |(ix, device, memory): (DeviceIx, Device, Option<Memory>)| HydrantRow {
        device,
        memory,
        out_of_service: out.contains(&ix),
    };
    Ok(rows.into_iter().map(row).collect())
}

fn around_sql() -> String {
    format!(
        "SELECT d.ix, d.json, m.body FROM device d INDEXED BY device_hydrant
         LEFT JOIN memory m ON m.ix = d.ix
         WHERE d.kind = 'hydrant' AND json_valid(d.json)
             AND json_extract(d.json, '$.lat') BETWEEN ?1 AND ?2
             AND json_extract(d.json, '$.lon') BETWEEN ?3 AND ?4 LIMIT {AROUND}"
    )
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
    let Some((ix, device, memory @ Some(_))) = row else { return Ok(None) };
    Ok(Some(HydrantRow { device, memory, out_of_service: out.contains(&ix) }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan;
    use super::around_sql;

    #[test]
    fn water_near_a_fire_is_found_by_where_it_is() {
        let plan = plan(&around_sql(), (1, 2, 3, 4));
        assert!(plan.contains("INDEX device_hydrant (<expr>>? AND <expr><?)"), "{plan}");
    }
}
