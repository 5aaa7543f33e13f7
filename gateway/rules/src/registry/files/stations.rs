//! `stations.csv`: `id,name,level,parent,lat,lon[,phone]`.

use super::super::{Level, RESERVED_AREAS, Station};
use super::File;
use super::rows::{Columns, Read, Row, read as rows};

/// The columns of the contract.
pub(super) const COLUMNS: Columns =
    Columns { must: &["id", "name", "level", "parent", "lat", "lon"], may: &["phone"] };

/// All rows, each good in itself.
pub(super) fn read(file: File) -> Read<Station> {
    rows(file, &COLUMNS, one)
}

fn one(row: &mut Row) -> Option<Station> {
    let level = level(row.get("level"));
    if level.is_none() {
        row.fault("level", "no such level: write district, township, community or village");
    }
    if RESERVED_AREAS.contains(&row.get("id")) {
        row.fault("id", "reserved, topics begin with it: give the station another id");
    }
    let parent = (!row.get("parent").is_empty()).then(|| row.id("parent"));
    let phone = Some(row.text("phone")).filter(|phone| !phone.is_empty());
    Some(Station {
        id: row.id("id"),
        name: row.some_text("name"),
        parent,
        lat: row.degrees("lat", 90.0),
        lon: row.degrees("lon", 180.0),
        phone,
        level: level?,
    })
}

fn level(text: &str) -> Option<Level> {
    match text {
        "district" => Some(Level::District),
        "township" => Some(Level::Township),
        "community" => Some(Level::Community),
        "village" => Some(Level::Village),
        _ => None,
    }
}

/// The name of a level in the file.
pub(super) const fn level_name(level: Level) -> &'static str {
    match level {
        Level::District => "district",
        Level::Township => "township",
        Level::Community => "community",
        Level::Village => "village",
    }
}
