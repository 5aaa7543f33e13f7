//! What somebody may see: a station's people see that station and those below it, and every
//! incident their stations were paged about.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, Value};
use standpipe_rules::registry::{Level, Station};

/// SQL that is true of those rows of `device d` that one station, `?`, is responsible for: its own,
/// and a district's also those that belong to nobody.
pub(crate) const DEVICES_OF: &str = "d.station IN (WITH w(id) AS (SELECT ?) SELECT id FROM w
     UNION ALL SELECT '' FROM w JOIN station s ON s.id = w.id
         WHERE json_extract(s.json, '$.level') = 'district')";

/// The same of `incident i`: its own, and those that concern it beside others: of a zone with
/// hydrants of several stations, or of what belongs to nobody.
pub(crate) const INCIDENTS_OF: &str =
    "EXISTS (SELECT 1 FROM (SELECT ? AS id) w WHERE w.id = i.station
     OR EXISTS (SELECT 1 FROM json_each(i.inner, '$.homes') h WHERE h.value = w.id))";

/// Whose devices and incidents somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Area {
    /// Every station, and what belongs to none.
    All,
    Stations(Arc<StationSet>),
}

/// A set of stations, as Rust and as SQL look into it.
#[derive(Debug, PartialEq, Eq)]
pub struct StationSet {
    ids: BTreeSet<Box<str>>,
    /// The same as a JSON list, for `json_each`.
    json: String,
}

impl Area {
    /// An area of exactly these stations.
    #[must_use]
    pub fn of<'a>(stations: impl IntoIterator<Item = &'a str>) -> Self {
        let ids: BTreeSet<Box<str>> = stations.into_iter().map(Box::from).collect();
        let json = serde_json::Value::from_iter(ids.iter().map(|id| &**id)).to_string();
        Self::Stations(Arc::new(StationSet { ids, json }))
    }

    /// Whether somebody of this area may see a station.
    #[must_use]
    pub fn holds(&self, station: &str) -> bool {
        match self {
            Self::All => true,
            Self::Stations(some) => some.ids.contains(station),
        }
    }

    /// SQL that is true of those rows of `device d` that belong to this area, bound as `?1`.
    pub(crate) const fn devices(&self) -> &'static str {
        self.unless_all("d.station IN (SELECT value FROM json_each(?1))")
    }

    /// The same of `device d` that may be looked at from there: its own, and those that an open
    /// incident names that it was paged about. Whoever is sent to a fire has to know its water.
    pub(crate) const fn devices_in_sight(&self) -> &'static str {
        self.unless_all(
            "(d.station IN (SELECT value FROM json_each(?1)) OR EXISTS (
                 SELECT 1 FROM page p JOIN incident i ON i.id = p.incident
                 WHERE i.open = 1 AND p.kind = 'station'
                     AND p.receiver IN (SELECT value FROM json_each(?1))
                     AND (json_extract(i.wire, '$.device.id') = d.id OR EXISTS (
                         SELECT 1 FROM json_each(i.wire, '$.hydrants') h
                         WHERE json_extract(h.value, '$.id') = d.id))))",
        )
    }

    /// The same of rows of `station s`.
    pub(crate) const fn stations(&self) -> &'static str {
        self.unless_all("s.id IN (SELECT value FROM json_each(?1))")
    }

    /// The same of `incident i` that may be seen from there: its own, and those it was paged about.
    pub(crate) const fn incidents(&self) -> &'static str {
        self.unless_all(
            "EXISTS (SELECT 1 FROM json_each(?1) a WHERE a.value = i.station OR EXISTS (
                 SELECT 1 FROM page p WHERE p.incident = i.id AND p.kind = 'station'
                     AND p.receiver = a.value))",
        )
    }

    /// The same of `incident i` of its own stations alone.
    pub(crate) const fn own_incidents(&self) -> &'static str {
        self.unless_all("i.station IN (SELECT value FROM json_each(?1))")
    }

    const fn unless_all(&self, rows: &'static str) -> &'static str {
        match self {
            Self::All => "?1 IS NULL",
            Self::Stations(_) => rows,
        }
    }
}

impl rusqlite::ToSql for Area {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::All => ToSqlOutput::Owned(Value::Null),
            Self::Stations(some) => ToSqlOutput::from(some.json.as_str()),
        })
    }
}

/// A station and all below it. A district's people also answer for what belongs to nobody.
///
/// # Errors
/// What SQLite says. A row that can't be read is nobody's.
pub fn area(db: &Connection, station: Option<&str>) -> rusqlite::Result<Area> {
    let Some(station) = station else { return Ok(Area::All) };
    let mut stations: HashMap<Box<str>, Station> = HashMap::new();
    let mut rows = db.prepare_cached("SELECT json FROM station")?;
    let mut rows = rows.query(())?;
    while let Some(row) = rows.next()? {
        let row: Result<Station, _> = serde_json::from_str(row.get_ref(0)?.as_str()?);
        if let Ok(station) = row {
            stations.insert(station.id.clone(), station);
        }
    }
    Ok(Area::of(below(&stations, station)))
}

fn below<'a>(stations: &'a HashMap<Box<str>, Station>, top: &'a str) -> Vec<&'a str> {
    let mut found = vec![top];
    if stations.get(top).is_some_and(|station| station.level == Level::District) {
        found.push("");
    }
    for (id, station) in stations {
        let mut at = station;
        // No chain of command is longer; a ring ends here too.
        for _ in 0..8 {
            let Some(parent) = at.parent.as_deref() else { break };
            if parent == top {
                found.push(id);
                break;
            }
            let Some(next) = stations.get(parent) else { break };
            at = next;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use standpipe_rules::registry::{Level, Station};

    use super::below;

    fn station(id: &str, level: Level, parent: Option<&str>) -> (Box<str>, Station) {
        let (lat, lon, phone) = (0.0, 0.0, None);
        let (id, name): (Box<str>, Box<str>) = (id.into(), id.into());
        let parent = parent.map(Box::from);
        (id.clone(), Station { id, name, level, parent, lat, lon, phone })
    }

    #[test]
    fn a_station_sees_itself_and_those_below_and_the_district_what_is_nobodys() {
        let stations = HashMap::from([
            station("d", Level::District, None),
            station("t1", Level::Township, Some("d")),
            station("t2", Level::Township, Some("d")),
            station("v1", Level::Village, Some("t1")),
            station("x", Level::Village, Some("y")),
            station("y", Level::Village, Some("x")),
        ]);
        for (top, seen) in [
            ("d", vec!["", "d", "t1", "t2", "v1"]),
            ("t1", vec!["t1", "v1"]),
            ("v1", vec!["v1"]),
            ("x", vec!["x", "y"]),
            ("gone", vec!["gone"]),
        ] {
            let found: BTreeSet<&str> = below(&stations, top).into_iter().collect();
            assert_eq!(found, BTreeSet::from_iter(seen), "{top}");
        }
    }
}
