//! A list of devices: `id,kind,name,station,zone,profile,lat,lon,address[,building,floor,interval_s,
//! installed_on,decoder]`, or what others call these.
//!
//! `id`, `kind` and `station` must be there. What a list has no column for stays as it is registered;
//! a new device has no zone, no place or no address then, and is called by its id.

use std::sync::Arc;

use standpipe_rules::incidents::Text;
use standpipe_rules::registry::{Device, MAX_INTERVAL_S, Profile, Registry};
use standpipe_rules::wire::decoder::{MAKERS, Maker, OURS};
use standpipe_shared::Kind;

use crate::columns::{KnownColumn, LAT, LON, ListOptions};
use crate::datum::{MapPlace, UtmMetres};
use crate::fault::both;
use crate::rows::{Read, Row, read as rows};
use crate::table::File;
use crate::values::{self, Axis, seconds};

const fn must(ours: &'static str, also: &'static [&'static str]) -> KnownColumn {
    KnownColumn { ours, must: true, also }
}

const fn may(ours: &'static str, also: &'static [&'static str]) -> KnownColumn {
    KnownColumn { ours, must: false, also }
}

/// The columns of the contract, in the order in which they are written.
pub(crate) const COLUMNS: &[KnownColumn] = &[
    must(
        "id",
        &[
            "设备编号",
            "编号",
            "设备id",
            "设备编码",
            "编码",
            "设备号",
            "设备序列号",
            "序列号",
            "消火栓编号",
            "消火栓编码",
            "点位编号",
            "栓号",
            "imei",
            "imei号",
            "sn",
            "deviceid",
            "deviceno",
            "hydrantid",
            "hydrantno",
            "hydrantnumber",
            "@id",
            "devicecode",
        ],
    ),
    must(
        "kind",
        &[
            "类型",
            "设备类型",
            "种类",
            "类别",
            "设备种类",
            "设备类别",
            "type",
            "devicetype",
            "emergency",
        ],
    ),
    may(
        "name",
        &["名称", "设备名称", "消火栓名称", "点位名称", "点位", "设备名", "devicename", "title"],
    ),
    must(
        "station",
        &[
            "站点",
            "消防站",
            "所属站点",
            "所属消防站",
            "责任站点",
            "责任消防站",
            "管辖站点",
            "辖区站",
            "所属站",
            "站点编号",
            "所属站点编号",
            "微型消防站",
            "队站",
            "所属队站",
            "stationid",
            "firestation",
        ],
    ),
    may("zone", &["分区", "压力分区", "供水分区", "管网分区", "水压分区", "pressurezone", "dma"]),
    may("profile", &["配置", "配置模板", "参数模板", "模板"]),
    LAT,
    LON,
    may(
        "address",
        &[
            "地址",
            "详细地址",
            "位置",
            "安装位置",
            "所在位置",
            "安装地点",
            "安装地址",
            "设备地址",
            "地点",
            "地理位置",
            "addr",
            "addr:full",
            "addr:street",
            "location",
        ],
    ),
    may("building", &["楼栋", "建筑", "建筑物", "建筑名称", "楼宇", "楼号", "所属建筑", "栋号"]),
    may("floor", &["楼层", "所在楼层", "层", "层数"]),
    may(
        "interval_s",
        &[
            "上报间隔",
            "间隔",
            "采集间隔",
            "上报周期",
            "采集周期",
            "间隔秒",
            "interval",
            "reportinterval",
        ],
    ),
    may(
        "installed_on",
        &[
            "安装日期",
            "安装时间",
            "投用日期",
            "投用时间",
            "installdate",
            "installationdate",
            "installed",
        ],
    ),
    may(DECODER, &["解码器"]),
];
/// Written only where a device has another decoder than ours.
pub(crate) const DECODER: &str = "decoder";

/// Devices, each good in itself, and what is odd about them.
#[derive(Default)]
pub(crate) struct ReadDevices {
    pub(crate) read: Read<Device>,
    /// Lines of places at 0, 0, which are taken as none.
    pub(crate) zeros: Vec<u64>,
}

/// All rows.
pub(crate) fn read(file: File, known: &Registry, options: &ListOptions) -> ReadDevices {
    read_with(file, known, options, MAKERS)
}

/// The same with these decoders beside ours.
pub(crate) fn read_with(
    file: File,
    known: &Registry,
    options: &ListOptions,
    makers: &[Maker],
) -> ReadDevices {
    let mut zeros = Vec::new();
    let read = rows(file, COLUMNS, options, |row| {
        let ReadDevice { device, zero } = one(row, known, makers);
        zeros.extend(zero.then_some(row.line()));
        Some(device)
    });
    ReadDevices { read, zeros }
}

/// A row as a device.
struct ReadDevice {
    device: Device,
    /// Its place was 0, 0.
    zero: bool,
}

fn one(row: &mut Row, known: &Registry, makers: &[Maker]) -> ReadDevice {
    let id = row.device_id("id");
    let before = known.find(&id).and_then(|ix| known.device(ix)).filter(|device| device.claimed);
    let kind = values::kind(row.get("kind"));
    if kind.is_none() {
        let text =
            both("no such kind: write hydrant or smoke", "没有这种类型：请写“消火栓”或“烟感”");
        row.fault("kind", text);
    }
    let (kind, named) = kind.unwrap_or((Kind::Hydrant, None));
    let same_kind = before.filter(|device| device.kind == kind);
    let profile =
        profile(row, known, named.unwrap_or_else(|| Profile::default_name(kind)), same_kind);
    let (place, zero) = place(row);
    let said = row.has("lat") && !zero;
    let place = if said { place } else { before.and_then(placed) };
    let device = Device {
        kind,
        name: name(row, &id, before),
        station: row.narrow("station").into(),
        zone: kept(row, "zone", before.map(|device| &*device.zone)).into(),
        profile: profile.into(),
        lat: place.map(|place| place.lat),
        lon: place.map(|place| place.lon),
        address: kept(row, "address", before.map(|device| &*device.address)),
        building: kept(row, "building", before.map(|device| &*device.building)),
        floor: kept(row, "floor", before.map(|device| &*device.floor)),
        interval_s: interval(row, before),
        installed_on: kept(row, "installed_on", before.map(|device| &*device.installed_on)),
        decoder: decoder(row, makers, before),
        area: Arc::default(),
        claimed: true,
        retired_at: None,
        replaces: before.and_then(|device| device.replaces.clone()),
        id,
    };
    ReadDevice { device, zero }
}

fn placed(device: &Device) -> Option<MapPlace> {
    Some(MapPlace { lat: device.lat?, lon: device.lon? })
}

/// A text; as it is registered, where the list says nothing of it.
fn kept(row: &mut Row, column: &'static str, before: Option<&str>) -> Box<str> {
    if row.has(column) { row.text(column) } else { before.unwrap_or_default().into() }
}

fn name(row: &mut Row, id: &str, before: Option<&Device>) -> Box<str> {
    if row.has("name") {
        return row.some_text("name");
    }
    before.map_or_else(|| id.into(), |device| device.name.clone())
}

/// The place in WGS-84, and whether it was 0, 0.
fn place(row: &mut Row) -> (Option<MapPlace>, bool) {
    let lat = row.degrees("lat", Axis::North);
    let lon = row.degrees("lon", Axis::East);
    let (lat, lon) = match (lat, lon) {
        (Ok(Some(lat)), Ok(Some(lon))) => (lat, lon),
        (Ok(None), Ok(None)) | (Err(_), _) | (_, Err(_)) => return (None, false),
        (Ok(Some(_)), Ok(None)) => {
            row.fault(
                "lon",
                both(
                    "empty beside a lat: write both, or neither",
                    "有纬度而无经度：请都填或都不填",
                ),
            );
            return (None, false);
        }
        (Ok(None), Ok(Some(_))) => {
            row.fault(
                "lat",
                both(
                    "empty beside a lon: write both, or neither",
                    "有经度而无纬度：请都填或都不填",
                ),
            );
            return (None, false);
        }
    };
    if lat == 0.0 && lon == 0.0 {
        return (None, true);
    }
    let Some(zone) = row.options().utm else {
        return (Some(MapPlace { lat, lon }.from_datum(row.datum())), false);
    };
    let place = zone.place(UtmMetres { northing: lat, easting: lon });
    if place.is_none() {
        let en = "not metres of UTM: lat is the northing, up to 10,000,000, lon the easting, 100,000 to \
                  900,000";
        let zh = "不是 UTM 坐标：lat 应为北向坐标（不超过 10000000），lon 应为东向坐标（100000 至 900000）";
        row.fault("lat", both(en, zh));
    }
    (place, false)
}

fn profile(row: &mut Row, known: &Registry, usual: &str, before: Option<&Device>) -> Box<str> {
    let named = row.text("profile");
    if named.is_empty() {
        let before = before.filter(|_| !row.has("profile"));
        return before.map_or(usual, |device| &*device.profile).into();
    }
    let lower: Box<str> = values::narrow(&named).to_lowercase().into();
    let found = [named, lower].into_iter().find(|name| known.profile(name).is_some());
    found.unwrap_or_else(|| {
        let en = "no such profile: use a built-in one, or configure [profile.…]";
        row.fault("profile", both(en, "没有这个配置：请用内置配置，或在 [profile.…] 中添加"));
        Box::default()
    })
}

/// The name of a decoder that is there; empty: ours.
fn decoder(row: &mut Row, makers: &[Maker], before: Option<&Device>) -> Box<str> {
    if !row.has(DECODER) {
        return before.map(|device| device.decoder.clone()).unwrap_or_default();
    }
    let name = row.get(DECODER);
    if name.is_empty() || name == OURS {
        return Box::default();
    }
    if !makers.iter().any(|maker| maker.name == name) {
        let makers = makers.iter().map(|maker| format!(", {}", maker.name));
        let there = format!("{OURS}{}", makers.collect::<String>());
        let en = format!("no such decoder: write one of {there}, or nothing for {OURS}");
        row.fault(DECODER, both(en, format!("没有这个解码器：可用 {there}；留空为 {OURS}")));
    }
    name.into()
}

fn interval(row: &mut Row, before: Option<&Device>) -> Option<u32> {
    if !row.has("interval_s") {
        return before.and_then(|device| device.interval_s);
    }
    let text = row.get("interval_s");
    if values::is_nothing(text) {
        return None;
    }
    let whole = seconds(text).and_then(|seconds| u32::try_from(seconds).ok());
    let seconds = whole.filter(|seconds| (1..=MAX_INTERVAL_S).contains(seconds));
    if seconds.is_none() {
        row.fault("interval_s", not_an_interval());
    }
    seconds
}

fn not_an_interval() -> Text {
    both(
        format!("not an interval: write 1 to {MAX_INTERVAL_S} seconds, or nothing"),
        format!("不是有效间隔：请填写 1 到 {MAX_INTERVAL_S} 秒，或留空"),
    )
}
