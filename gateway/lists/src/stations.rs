//! A list of stations: `id,name,level,parent,lat,lon[,phone]`, or what others call these.
//!
//! What a list has no column for stays as it is registered.

use standpipe_rules::registry::{Level, RESERVED_AREAS, Registry, Station};

use crate::columns::{KnownColumn, LAT, LON, ListOptions};
use crate::datum::{MapPlace, UtmMetres};
use crate::fault::both;
use crate::rows::{Read, Row, read as rows};
use crate::table::File;
use crate::values::{self, Axis};

/// The columns of the contract, in the order in which they are written.
pub(crate) const COLUMNS: &[KnownColumn] = &[
    KnownColumn {
        ours: "id",
        must: true,
        also: &[
            "站点编号",
            "编号",
            "站编号",
            "站点id",
            "站点编码",
            "编码",
            "stationid",
            "stationno",
        ],
    },
    KnownColumn {
        ours: "name",
        must: true,
        also: &["站点名称", "名称", "站名", "消防站名称", "消防站", "stationname"],
    },
    KnownColumn {
        ours: "level",
        must: true,
        also: &["级别", "层级", "等级", "站点级别", "站点类型", "类型", "type"],
    },
    KnownColumn {
        ours: "parent",
        must: false,
        also: &["上级", "上级站点", "上级编号", "上级站点编号", "隶属", "上级单位", "parentid"],
    },
    KnownColumn { must: true, ..LAT },
    KnownColumn { must: true, ..LON },
    KnownColumn {
        ours: "phone",
        must: false,
        also: &[
            "电话",
            "联系电话",
            "值班电话",
            "手机",
            "手机号",
            "tel",
            "telephone",
            "phonenumber",
        ],
    },
];

/// All rows, each good in itself.
pub(crate) fn read(file: File, known: &Registry, options: &ListOptions) -> Read<Station> {
    rows(file, COLUMNS, options, |row| one(row, known))
}

fn one(row: &mut Row, known: &Registry) -> Option<Station> {
    let level = values::level(row.get("level"));
    if level.is_none() {
        let en = "no such level: write district, township, community or village";
        row.fault("level", both(en, "没有这个级别：请写区、镇街、社区或村"));
    }
    if RESERVED_AREAS.contains(&row.get("id")) {
        let en = "reserved, topics begin with it: give the station another id";
        row.fault("id", both(en, "这是保留名称，主题以它开头：请换一个编号"));
    }
    let id = row.id("id");
    let before = known.station(&id);
    let parent = match row.has("parent") {
        true => Some(row.narrow("parent")).filter(|parent| !parent.is_empty()).map(Box::from),
        false => before.and_then(|station| station.parent.clone()),
    };
    let phone = match row.has("phone") {
        true => Some(row.text("phone")).filter(|phone| !phone.is_empty()),
        false => before.and_then(|station| station.phone.clone()),
    };
    let name = row.some_text("name");
    let place = place(row);
    Some(Station { id, name, parent, lat: place.lat, lon: place.lon, phone, level: level? })
}

/// A station stands somewhere: pages say how far it is to the fire.
fn place(row: &mut Row) -> MapPlace {
    let mut degrees = |column, axis| match row.degrees(column, axis) {
        Ok(Some(degrees)) => degrees,
        Ok(None) => {
            row.fault(column, both("empty: write where the station is", "为空：请填写站点位置"));
            0.0
        }
        Err(_) => 0.0,
    };
    let (lat, lon) = (degrees("lat", Axis::North), degrees("lon", Axis::East));
    match row.options().utm {
        None => MapPlace { lat, lon }.from_datum(row.datum()),
        Some(zone) => {
            let place = zone.place(UtmMetres { northing: lat, easting: lon });
            if place.is_none() {
                row.fault("lat", both("not metres of UTM: correct it", "不是 UTM 坐标：请更正"));
            }
            place.unwrap_or(MapPlace { lat: 0.0, lon: 0.0 })
        }
    }
}

/// The name of a level in the file.
pub(crate) const fn level_name(level: Level) -> &'static str {
    match level {
        Level::District => "district",
        Level::Township => "township",
        Level::Community => "community",
        Level::Village => "village",
    }
}
