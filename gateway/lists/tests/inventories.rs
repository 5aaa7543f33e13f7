//! Every list of `tests/data/inventories`, which are of kinds that people really have: what comes of each,
//! in both languages. Most come without a device's place in doubt; their stations are in `stations.csv`.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::path::PathBuf;

use standpipe_lists::datum::MapPlace;
use standpipe_lists::{Datum, File, Import, ListOptions, told};
use standpipe_rules::registry::Registry;
use standpipe_words::Language;

/// What comes of a list.
enum Outcome {
    /// It is taken: these devices, `id kind station profile lat,lon name, address`.
    Taken(&'static [&'static str]),
    /// It is taken, and a person is asked first: how the first doubt begins.
    Doubted(&'static [&'static str], &'static str, &'static str),
    /// Nothing of it is: the whole report, in English and in Chinese.
    Refused(&'static str, &'static str),
}
use Outcome::{Doubted, Refused, Taken};

const USUAL: &str = "HY1 hydrant T01 municipal 29.456,106.542 马王坪1号栓, 马王坪正街12号";
const SHORT: &str = "HY1 hydrant T01 municipal 29.456,106.542 1号栓, 正街";

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/inventories"))
}

fn bytes(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|bad| panic!("{}: {bad}", path.display()))
}

/// The stations of the district, and one on the Baltic.
fn known() -> Registry {
    let mut known = Registry::new([]);
    let stations = bytes("stations.csv");
    Import::read(Some(File { name: "stations.csv", bytes: &stations }), None, &known)
        .put(&mut known);
    let far = b"id,name,level,lat,lon\nT02,Baltic,township,12.1,54.1\n";
    Import::read(Some(File { name: "far", bytes: far }), None, &known).put(&mut known);
    known
}

fn options(said: &str) -> ListOptions {
    let mut options = ListOptions::default();
    for part in said.split_whitespace() {
        let (name, value) = part.split_once(':').unwrap();
        match name {
            "columns" => options.columns = ListOptions::pairs(value).unwrap(),
            "fill" => options.fill = ListOptions::pairs(value).unwrap(),
            "datum" => options.datum = Some(value.parse().unwrap()),
            "utm" => options.utm = Some(value.parse().unwrap()),
            _ => panic!("{name}"),
        }
    }
    options
}

/// To five decimals, a metre.
fn row(device: &standpipe_rules::registry::Device) -> String {
    let degrees = |degrees: f64| (degrees * 1e5).round() / 1e5;
    let place = device.lat.zip(device.lon);
    let place = place
        .map_or("nowhere".to_owned(), |(lat, lon)| format!("{},{}", degrees(lat), degrees(lon)));
    let (kind, station, profile) = (device.kind.as_str(), &device.station, &device.profile);
    format!("{} {kind} {station} {profile} {place} {}, {}", device.id, device.name, device.address)
}

#[rustfmt::skip] // a table
const TABLE: &[(&str, &str, Outcome)] = &[
    ("a-bom-crlf.csv",                      "", Taken(&[USUAL])),
    ("aa-old-mac-cr.csv",                   "", Taken(&[USUAL])),
    ("ab-gcj02.csv", "datum:gcj02",             Taken(&["HY1 hydrant T01 municipal 29.45612,106.54202 马王坪1号栓, 马王坪正街12号"])),
    ("ac-floor-text.csv",                   "", Taken(&["SM1 smoke T01 smoke_home 29.456,106.542 烟感, 正街", "SM2 smoke T01 smoke_home 29.456,106.542 烟感2, 正街"])),
    ("ad-unknown-station-name.csv",         "", Taken(&[SHORT])),
    ("ae-case.csv",                         "", Taken(&[SHORT])),
    ("b-gbk.csv",                           "", Taken(&[USUAL])),
    ("b2-utf16-tab-excel-unicode-text.csv", "", Taken(&[USUAL])),
    ("b3-mixed.csv",                        "", Refused(
        "b3-mixed.csv:3: not UTF-8, while line 2 is: the list was put together from two: save both parts in one encoding",
        "b3-mixed.csv:3: 不是 UTF-8，而第 2 行是：清单由两种编码拼成，请统一保存为一种编码（如 CSV UTF-8）")),
    ("c-semicolon.csv",                     "", Taken(&[USUAL])),
    ("c2-tab.csv",                          "", Taken(&[USUAL])),
    ("c4-decimal-comma.csv",                "", Taken(&[SHORT])),
    ("d-chinese-header.csv",                "", Taken(&[SHORT])),
    ("d2-baidu-header.csv",                 "", Taken(&[SHORT])),
    ("e-nyc.csv",                           "", Refused(
        "e-nyc.csv:1: no column for id, kind, station among `OBJECTID`, `POINT_X`, `POINT_Y`, `UNITID`, `BORO`, `LATITUDE`, `LONGITUDE`, `CB`, `the_geom`: say which is which (--columns id=…), or give all rows one value (--fill id=…)",
        "e-nyc.csv:1: 缺少列 id, kind, station，现有列：`OBJECTID`, `POINT_X`, `POINT_Y`, `UNITID`, `BORO`, `LATITUDE`, `LONGITUDE`, `CB`, `the_geom`：请指明对应关系（--columns id=…），或统一填写（--fill id=…）")),
    ("e-nyc.csv", "columns:id=UNITID fill:kind=hydrant,station=T01", Doubted(
        &["BN-10001 hydrant T01 municipal 40.6569,-73.8643 BN-10001, "],
        "1 of 1 stand over 5 km from their station (the first on line 2: BN-10001, 12219 km from T01): the list lies outside the district",
        "1 个设备中有 1 个距所属站点超过 5 公里（首个在第 2 行：BN-10001，距 T01 12219 公里）：清单位于辖区之外")),
    ("f-osm-overpass.csv",                  "", Refused(
        "f-osm-overpass.csv:1: no column for station among `@id`, `@lat`, `@lon`, `emergency`, `fire_hydrant:type`, `fire_hydrant:diameter`, `ref`: say which is which (--columns station=…), or give all rows one value (--fill station=…)",
        "f-osm-overpass.csv:1: 缺少列 station，现有列：`@id`, `@lat`, `@lon`, `emergency`, `fire_hydrant:type`, `fire_hydrant:diameter`, `ref`：请指明对应关系（--columns station=…），或统一填写（--fill station=…）")),
    ("f-osm-overpass.csv", "fill:station=T01", Taken(&["123456 hydrant T01 municipal 29.456,106.542 123456, "])),
    ("f2-overpass.json", "fill:station=T01",    Taken(&["123456 hydrant T01 municipal 29.456,106.542 123456, "])),
    ("f3-osm.xml", "fill:station=T01",          Taken(&["123456 hydrant T01 municipal 29.456,106.542 马王坪1号栓, "])),
    ("g-fortaleza-utm.csv",                 "", Refused(
        "g-fortaleza-utm.csv:2: lat = `9587851.47304777`: metres, and not degrees: say the zone of UTM they are in, such as --utm 48N, or convert them to degrees of WGS-84\n\
         g-fortaleza-utm.csv:2: lon = `555011.1570729725`: metres, and not degrees: say the zone of UTM they are in, such as --utm 48N, or convert them to degrees of WGS-84",
        "g-fortaleza-utm.csv:2: lat = `9587851.47304777`: 这是米制坐标，不是度：请指明 UTM 带号，如 --utm 48N，或换算为 WGS-84 经纬度\n\
         g-fortaleza-utm.csv:2: lon = `555011.1570729725`: 这是米制坐标，不是度：请指明 UTM 带号，如 --utm 48N，或换算为 WGS-84 经纬度")),
    ("g-fortaleza-utm.csv", "utm:24S",          Doubted(
        &["188 hydrant T01 municipal -3.72864,-38.50459 MTL, Av. Barão de Studart, 505"],
        "1 of 1 stand over 5 km from their station", "1 个设备中有 1 个距所属站点超过 5 公里")),
    ("h-swapped-latlon.csv",                "", Refused(
        "h-swapped-latlon.csv:2: lat = `106.5420`: degrees of the other direction: are lat and lon swapped? Correct the columns' names, or say --columns lat=…,lon=…",
        "h-swapped-latlon.csv:2: lat = `106.5420`: 这是另一方向的度数：经纬度是否填反？请更正列名，或用 --columns lat=…,lon=… 指明")),
    ("h-swapped-latlon.csv", "columns:lat=lon,lon=lat", Taken(&[SHORT])),
    ("h2-swapped-in-range.csv",             "", Doubted(
        &["HY1 hydrant T02 municipal 54.1,12.1 1号栓, ", "HY2 hydrant T02 municipal 54.11,12.11 2号栓, "],
        "2 of 2 stand over 5 km from their station (the first on line 2: HY1, 5941 km from T02): lat and lon are likely swapped",
        "2 个设备中有 2 个距所属站点超过 5 公里（首个在第 2 行：HY1，距 T02 5941 公里）：经纬度很可能填反")),
    ("i-fullwidth.csv",                     "", Taken(&[SHORT])),
    ("j-fullwidth-comma.csv",               "", Taken(&[USUAL])),
    ("k-dms.csv",                           "", Taken(&[SHORT])),
    ("m-imei-scientific.csv",               "", Refused(
        "m-imei-scientific.csv:2: id = `8.67E+14`: a spreadsheet made a number of this id and lost its last digits: in the original, make the column text, write the ids again, and export it anew\n\
         m-imei-scientific.csv:3: id = `8.67E+14`: a spreadsheet made a number of this id and lost its last digits: in the original, make the column text, write the ids again, and export it anew",
        "m-imei-scientific.csv:2: id = `8.67E+14`: 编号被电子表格当成数字，末几位已丢失：请在原表中将该列设为“文本”，重新填写编号后再导出\n\
         m-imei-scientific.csv:3: id = `8.67E+14`: 编号被电子表格当成数字，末几位已丢失：请在原表中将该列设为“文本”，重新填写编号后再导出")),
    ("n-dup.csv",                           "", Refused(
        "n-dup.csv:3: id = `HY1`: already on line 2: give each an id of its own",
        "n-dup.csv:3: id = `HY1`: 与第 2 行重复：每个编号只能用一次")),
    ("o-trailing-blank.csv",                "", Taken(&[USUAL])),
    ("o2-trailing-columns.csv",             "", Taken(&[USUAL])),
    ("p-title-row.csv",                     "", Taken(&[USUAL])),
    ("q-no-coords.csv",                     "", Taken(&["HY1 hydrant T01 municipal nowhere 1号栓, 正街"])),
    ("q2-zero-coords.csv",                  "", Doubted(
        &["HY1 hydrant T01 municipal nowhere 1号栓, 正街"],
        "1 at 0, 0, in the Atlantic (the first on line 2): taken as devices without a place",
        "1 个设备的坐标为 0, 0（首个在第 2 行）：按没有位置登记")),
    ("s-multiline-quote.csv",               "", Taken(&["HY1 hydrant T01 municipal 29.456,106.542 1号\"栓\", 正街 12号"])),
    ("s2-unclosed-quote.csv",               "", Refused(
        "s2-unclosed-quote.csv:2: a quote (\") that opens here is not closed, and lines 2 to 5 are read as one field: close it, or take it out",
        "s2-unclosed-quote.csv:2: 此处的引号（\"）没有闭合，第 2 至 5 行被读成一个字段：请补上或删去引号")),
    ("u-interval-text.csv",                 "", Taken(&[
        "HY1 hydrant T01 municipal 29.456,106.542 马王坪1号栓, 马王坪正街12号",
        "HY2 hydrant T01 municipal 29.456,106.542 马王坪1号栓, 马王坪正街12号",
        "HY3 hydrant T01 municipal 29.456,106.542 马王坪1号栓, 马王坪正街12号"])),
    ("v-extra-columns.csv",                 "", Taken(&[USUAL])),
    ("w-spaces.csv",                        "", Taken(&[USUAL])),
    ("x-geojson.csv",                       "", Refused(
        "x-geojson.csv: no column for kind, station among `lat`, `lon`, `id`, `makeModel`, `no`, `owner`: say which is which (--columns kind=…), or give all rows one value (--fill kind=…)",
        "x-geojson.csv: 缺少列 kind, station，现有列：`lat`, `lon`, `id`, `makeModel`, `no`, `owner`：请指明对应关系（--columns kind=…），或统一填写（--fill kind=…）")),
    ("x-geojson.csv", "fill:kind=hydrant,station=T01", Doubted(
        &["200813 hydrant T01 municipal 45.49925,-73.67774 200813, "],
        "1 of 1 stand over 5 km from their station", "1 个设备中有 1 个距所属站点超过 5 公里")),
    ("x2-hydrants.geojson",                 "", Taken(&["HY1 hydrant T01 municipal 29.456,106.542 马王坪1号栓, "])),
    ("y-xlsx-renamed.csv",                  "", Refused(
        "y-xlsx-renamed.csv:1: an Excel or ZIP file that can't be opened (Zip error: invalid Zip archive: Could not find EOCD): open it in Excel and save it again",
        "y-xlsx-renamed.csv:1: 这是 Excel 或 ZIP 文件，但无法打开（Zip error: invalid Zip archive: Could not find EOCD）：请用 Excel 打开后重新保存")),
    ("y2-real.xlsx",                        "", Taken(&[
        "866971030000001 hydrant T01 municipal 29.456,106.542 马王坪1号栓, 马王坪正街12号",
        "HY2 hydrant T01 indoor 29.4561,106.5421 2号栓, 马王坪正街14号"])),
    ("y3-long-number.xlsx",                 "", Refused(
        "y3-long-number.xlsx:2: 设备编号 = `8.98600123456789E+19`: a spreadsheet made a number of this id and lost its last digits: in the original, make the column text, write the ids again, and export it anew",
        "y3-long-number.xlsx:2: 设备编号 = `8.98600123456789E+19`: 编号被电子表格当成数字，末几位已丢失：请在原表中将该列设为“文本”，重新填写编号后再导出")),
    ("z-empty.csv",                         "", Refused(
        "z-empty.csv:1: empty file: begin it with a line id,kind,station",
        "z-empty.csv:1: 文件是空的：请以列名行开头（id,kind,station）")),
    ("z2-header-only.csv",                  "", Taken(&[])),
];

#[test]
fn each_list_is_taken_right_or_refused_with_its_cause_in_both_languages() {
    let known = known();
    for (name, said, outcome) in TABLE {
        let (story, bytes) = (format!("{name} {said}"), bytes(name));
        let file = File { name, bytes: &bytes };
        let import = Import::read_as(None, Some(file), &known, &options(said));
        let bad = |language| told(&import.bad, language).join("\n");
        let (english, chinese) = (bad(Language::English), bad(Language::Chinese));
        let rows: Vec<String> = import.devices.iter().map(row).collect();
        let doubt = import.doubts.first().map(|text| (text.en.as_str(), text.zh.as_str()));
        match outcome {
            Taken(expected) => {
                assert_eq!(english, "", "{story}");
                assert_eq!(rows, *expected, "{story}");
                assert_eq!(doubt, None, "{story}");
            }
            Doubted(expected, en, zh) => {
                assert_eq!(english, "", "{story}");
                assert_eq!(rows, *expected, "{story}");
                let doubt = doubt.unwrap_or_else(|| panic!("{story}: no doubt"));
                assert!(doubt.0.starts_with(en) && doubt.1.starts_with(zh), "{story}: {doubt:?}");
            }
            Refused(en, zh) => {
                assert_eq!(english, *en, "{story}");
                assert_eq!(chinese, *zh, "{story}");
            }
        }
    }
}

#[test]
fn every_list_is_in_the_table() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let listed = TABLE.iter().any(|(listed, ..)| *listed == name);
        assert!(listed || name == "stations.csv", "{name}: what should come of it?");
    }
}

#[test]
fn what_is_read_besides_is_right() {
    let read = |name: &str| {
        let bytes = bytes(name);
        Import::read(None, Some(File { name, bytes: &bytes }), &known())
    };
    let intervals: Vec<_> =
        read("u-interval-text.csv").devices.iter().map(|device| device.interval_s).collect();
    assert_eq!(intervals, [Some(1_800), Some(900), Some(900)]);
    let floors = read("ac-floor-text.csv");
    assert_eq!((&*floors.devices[0].floor, &*floors.devices[1].floor), ("负1层", "B1F"));
    let book = read("y2-real.xlsx");
    assert_eq!(&*book.devices[0].installed_on, "2025-11-24");
    let notes = |import: &Import| {
        import
            .notes
            .iter()
            .chain(&import.datum)
            .map(|note| note.en.clone())
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(notes(&book).contains("the workbook has 2 sheets"), "{}", notes(&book));
    let unplaced = read("q-no-coords.csv");
    assert!(notes(&unplaced).contains("1 without a place"), "{}", notes(&unplaced));
    let extra = read("v-extra-columns.csv");
    assert!(notes(&extra).contains("columns ignored: `口径`, `产权单位`"), "{}", notes(&extra));
    let baidu = read("d2-baidu-header.csv");
    assert!(notes(&baidu).contains("taken as BD-09"), "{}", notes(&baidu));
    let usual = read("a-bom-crlf.csv");
    assert!(notes(&usual).contains("say --datum gcj02"), "{}", notes(&usual));
}

/// Hydrants of a district by their true places, in a list as Baidu's map has them, saved by Excel.
#[test]
fn five_thousand_hydrants_in_gbk_and_bd_09_stand_where_they_stand() {
    let mut list =
        "巴南区市政消火栓台账\n编号,类型,名称,所属消防站,百度纬度,百度经度,地址\n".to_owned();
    let mut truth = Vec::new();
    let mut seed = 15_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(seed >> 33).unwrap()) / f64::from(1_u32 << 31)
    };
    for n in 1..=5_000 {
        let place = MapPlace { lat: 29.43 + 0.04 * random(), lon: 106.52 + 0.04 * random() };
        let drawn = place.to_datum(Datum::Bd09);
        truth.push(place);
        let (lat, lon) = (drawn.lat, drawn.lon);
        list += &format!("HY-{n:04},消火栓,{n}号栓,李家沱,{lat:.6},{lon:.6},马王坪正街{n}号\n");
    }
    let (gbk, _, _) = encoding_rs::GBK.encode(&list);
    let file = File { name: "台账.csv", bytes: &gbk };
    let import = Import::read(None, Some(file), &known());
    assert_eq!(told(&import.bad, Language::English), [""; 0]);
    assert_eq!(import.doubts, []);
    assert_eq!(import.devices.len(), 5_000);
    for (device, place) in import.devices.iter().zip(&truth) {
        let found = MapPlace { lat: device.lat.unwrap(), lon: device.lon.unwrap() };
        assert!(found.metres_to(*place) < 1.0, "{} is {found:?}, not {place:?}", device.id);
    }

    // Without the word in the header nobody knows; against what is registered it shows.
    let mut known = known();
    import.put(&mut known);
    let unsaid = list.replace("百度", "");
    let again = |options: &ListOptions| {
        let file = File { name: "台账.csv", bytes: unsaid.as_bytes() };
        Import::read_as(None, Some(file), &known, options)
    };
    let doubt = again(&ListOptions::default()).doubts;
    assert!(doubt.iter().any(|doubt| doubt.en.ends_with("Say --datum bd09")), "{doubt:?}");
    let said = again(&ListOptions { datum: Some(Datum::Bd09), ..ListOptions::default() });
    assert_eq!(said.doubts, []);
}

/// A list of a large city. How long it may take is in the issue that asked for it: 5 s.
#[test]
fn fifty_thousand_rows_are_read_in_seconds() {
    let mut list = "id,kind,name,station,zone,profile,lat,lon,address,building,floor\n".to_owned();
    for n in 0..50_000 {
        list += &format!(
            "SM-{n},smoke,烟感{n},T01,,smoke_home,29.456,106.542,马王坪正街{n}号,B{n},3\n"
        );
    }
    let (gbk, _, _) = encoding_rs::GBK.encode(&list);
    let import = Import::read(None, Some(File { name: "l", bytes: &gbk }), &known());
    assert_eq!((import.devices.len(), import.bad.len()), (50_000, 0));
}
