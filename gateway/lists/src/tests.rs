//! Both files of the registry: what is read, what is refused, and that what is written reads back.

use standpipe_shared::Kind;

use standpipe_rules::registry::{Device, Level, RESERVED_AREAS, Registry};
use standpipe_rules::wire::decoder::{Maker, Ours};

use crate::{File, Import, ListOptions, devices, write_devices, write_stations};

const STATIONS: &str = "\
id,name,level,parent,lat,lon,phone
district,巴南区支队,district,,29.38,106.54,119
township-01,\"鱼洞, 消防站\",township,district,29.381917,106.55129,
";
const DEVICES: &str = "\
id,kind,name,station,zone,profile,lat,lon,address,building,floor,interval_s,installed_on
HYD-1,hydrant,消火栓 1,township-01,main-01,municipal,29.35,106.52,\"滨江路 \"\"1\"\" 号\",,,60,
SMK-1,smoke,Kitchen,township-01,,smoke_home,-29.5,106.52,,tower 3,12,,2026-01-31
";

fn read(stations: &[u8], devices: &[u8]) -> Import {
    let known = Registry::new([]);
    let file = |name, bytes| Some(File { name, bytes });
    Import::read(file("stations.csv", stations), file("devices.csv", devices), &known)
}

fn notes(import: &Import) -> Vec<&str> {
    import.notes.iter().map(|note| note.en.as_str()).collect()
}

fn told(import: &Import) -> String {
    import.bad.iter().map(|fault| format!("{fault}\n")).collect()
}

#[test]
fn what_is_written_is_read_back() {
    let import = read(STATIONS.as_bytes(), DEVICES.as_bytes());
    assert_eq!(told(&import), "");
    assert_eq!(notes(&import), [""; 0]);
    assert_eq!(&*import.stations[1].name, "鱼洞, 消防站");
    assert_eq!(import.stations[0].level, Level::District);
    assert_eq!(import.stations[0].phone.as_deref(), Some("119"));
    assert_eq!(import.stations[1].phone, None);
    assert_eq!(import.stations[1].parent.as_deref(), Some("district"));
    assert_eq!(&*import.devices[0].address, "滨江路 \"1\" 号");
    assert_eq!((import.devices[0].interval_s, import.devices[1].interval_s), (Some(60), None));
    assert_eq!((import.devices[1].lat, import.devices[1].lon), (Some(-29.5), Some(106.52)));
    assert!(import.devices.iter().all(|device| device.claimed));
    assert_eq!(write_stations(&import.stations), STATIONS);
    assert_eq!(write_devices(&import.devices), DEVICES);
}

#[test]
fn a_sheet_without_rows_is_told_and_is_a_fault_where_something_is_registered() {
    let header = |text: &str| text.lines().next().unwrap_or_default().to_owned() + "\n";
    let (no_stations, no_devices) = (header(STATIONS), header(DEVICES));
    let note = |file: &str| format!("{file}: only a header: nothing is registered from this file");
    let first = read(no_stations.as_bytes(), no_devices.as_bytes());
    assert_eq!(told(&first), "");
    assert_eq!(notes(&first), [note("stations.csv"), note("devices.csv")]);

    let mut known = Registry::new([]);
    let again = |known: &Registry| {
        let file = |name, text| Some(File { name, bytes: str::as_bytes(text) });
        Import::read(file("stations.csv", &no_stations), file("devices.csv", &no_devices), known)
    };
    known.put_device(Device::unclaimed("HEARD-1", "t", Kind::Hydrant));
    assert_eq!(told(&again(&known)), "", "no sheet ever had what was only heard");
    read(STATIONS.as_bytes(), DEVICES.as_bytes()).put(&mut known);
    let told = told(&again(&known));
    assert_eq!(
        told,
        "stations.csv:1: only a header, while 2 are registered, which all stay: put the rows back, or \
         name the file no more\n\
         devices.csv:1: only a header, while 2 are registered, which all stay: put the rows back, or \
         name the file no more\n"
    );
}

#[test]
fn windows_files_and_columns_in_any_order() {
    let stations = "\u{feff}lon,lat,level,parent,name,id\r\n106.54,29.38,district,,支队,d\r\n\r\n";
    let devices = "\u{feff}colour, station ,id,kind,name,zone,profile,lat,lon,address,\r\n\
                   red,d,H,hydrant,一,,,1,2,路,\r\n";
    let import = read(stations.as_bytes(), devices.as_bytes());
    assert_eq!(told(&import), "");
    assert_eq!(&*import.stations[0].id, "d");
    assert_eq!(&*import.devices[0].profile, "municipal", "the default of its kind");
    assert_eq!(notes(&import), ["devices.csv: columns ignored: `colour`"], "the other has no name");
}

#[test]
fn a_line_with_nothing_in_it_is_nothing_however_many_commas_it_has() {
    let stations = "id,name,level,parent,lat,lon\n   \nd,D,district,,1,2\n,,,,,\nd\n";
    let devices = "id,kind,name,station,zone,profile,lat,lon,address\nH,hydrant,H,d,,indoor,1,2,\n";
    let import = read(stations.as_bytes(), devices.as_bytes());
    insta::assert_snapshot!(told(&import), @"stations.csv:5: 1 fields where the columns' line names 6: write as many, with quotes around a text that has a comma");
    assert_eq!(import.stations.len(), 1);
    assert_eq!(&*import.devices[0].profile, "indoor");
}

#[test]
fn a_bad_row_is_told_with_the_line_an_editor_shows() {
    let stations = "id,name,level,parent,lat,lon\n\nd,\"D\nD\",district,,1,2\n\n\nt,T,town,d,1,2";
    let devices = "\nid,kind,name,station,zone,profile,lat,lon,address\n\n,hydrant,H,d,,,1,2,\n";
    for end in ["\n", "\r\n", "\r"] {
        let import =
            read(stations.replace('\n', end).as_bytes(), devices.replace('\n', end).as_bytes());
        let lines: Vec<_> = import.bad.iter().map(|fault| (&*fault.file, fault.line)).collect();
        let (stations, devices) = ("stations.csv", "devices.csv");
        assert_eq!(lines, [(stations, 7), (devices, 4)], "{end:?}");
        assert_eq!(&*import.stations[0].name, "D D", "a cell of two lines, {end:?}");
    }
}

#[test]
fn every_level_is_read_and_written() {
    let stations = "id,name,level,parent,lat,lon,phone\nd,D,district,,1,2,\nt,T,township,d,1,2,\n\
                    c,C,community,t,1,2,\nv,V,village,t,1,2,\n";
    let import = read(stations.as_bytes(), DEVICES.as_bytes());
    let levels: Vec<Level> = import.stations.iter().map(|station| station.level).collect();
    assert_eq!(levels, [Level::District, Level::Township, Level::Community, Level::Village]);
    assert_eq!(write_stations(&import.stations), stations);
}

#[test]
fn stations_are_looked_for_unless_their_file_was_not_understood() {
    let known = Registry::new([]);
    let devices = "id,kind,name,station,zone,profile,lat,lon,address\nH,hydrant,H,d,,,1,2,\n";
    let devices = File { name: "devices.csv", bytes: devices.as_bytes() };
    let told_of = |stations: Option<&'static [u8]>| {
        let stations = stations.map(|bytes| File { name: "stations.csv", bytes });
        told(&Import::read(stations, Some(devices), &known))
    };
    let missing = "devices.csv:2: station = `d`: no such good station: correct it, or add it to \
                   the stations\n";
    assert_eq!(told_of(None), missing);
    assert_eq!(told_of(Some(b"id,name,level,parent,lat,lon\n")), missing);
    let bad_header = told_of(Some(b"id,name,level,parent,lat\nd,D,district,,1\n"));
    let no_lon = "stations.csv:1: no column for lon among `id`, `name`, `level`, `parent`, `lat`: say \
                  which is which (--columns lon=…), or give all rows one value (--fill lon=…)\n";
    assert_eq!(bad_header, no_lon);
}

/// A detector of the area `selftest` would be deaf on some topics, and what tests stations could speak for
/// it.
#[test]
fn no_station_is_called_what_topics_of_our_own_begin_with() {
    for id in RESERVED_AREAS {
        let row =
            format!("id,name,level,parent,lat,lon\n{id},S,township,,1,1\n{id}s,T,township,,1,1\n");
        let bad = format!(
            "stations.csv:2: id = `{id}`: reserved, topics begin with it: give the station another id\n"
        );
        assert_eq!(
            told(&read(row.as_bytes(), b"id,kind,name,station,zone,profile,lat,lon,address\n")),
            bad
        );
    }
}

#[test]
fn every_bad_row_is_told_with_line_column_and_reason() {
    let stations = b"\
id,name,level,parent,lat,lon
d,District,district,,29.38,106.54
t 1,,town,,91,east
a,A,township,b,1,1
b,B,township,a,1,1
c,C,village,c,1,1
e,E,village,nobody,1,1
f,F,village,e,1,1
d,Again,district,,1,1
g,G,village,d,1
h,,village,d,1,
";
    let devices = "\
id,kind,name,station,zone,profile,lat,lon,address,interval_s
H1,hydrant,One,d,,municipal,29,106,,60
H1,hydrant,Two,d,,municipal,29,106,,60
H2,pump,\"Th
ree\",,,luxury,NaN,-181,,0
H3,smoke,Four,a,,,29,106,,
H4,smoke,Five,d,,,29,106,,86401
H5,smoke,Six,d,,,29,106,,1.5
";
    let import = read(stations, devices.as_bytes());
    insta::assert_snapshot!(told(&import), @r#"
stations.csv:3: level = `town`: no such level: write district, township, community or village
stations.csv:3: id = `t 1`: not an id: use 1 to 48 of A-Z, a-z, 0-9, _ and -
stations.csv:3: name: empty: write a text
stations.csv:3: lat = `91`: not degrees: write a number from -90 to 90
stations.csv:3: lon = `east`: not degrees: write a number from -180 to 180
stations.csv:4: parent = `b`: goes round in a circle (a → b → a): leave one of them empty
stations.csv:5: parent = `a`: goes round in a circle (b → a → b): leave one of them empty
stations.csv:6: parent = `c`: goes round in a circle (c → c): leave one of them empty
stations.csv:7: parent = `nobody`: no such good station: correct it, or add its row
stations.csv:8: parent = `e`: no such good station: correct it, or add its row
stations.csv:9: id = `d`: already on line 2: give each an id of its own
stations.csv:10: 5 fields where the columns' line names 6: write as many, with quotes around a text that has a comma
stations.csv:11: name: empty: write a text
stations.csv:11: lon: empty: write where the station is
devices.csv:3: id = `H1`: already on line 2: give each an id of its own
devices.csv:4: kind = `pump`: no such kind: write hydrant or smoke
devices.csv:4: profile = `luxury`: no such profile: use a built-in one, or configure [profile.…]
devices.csv:4: lon = `-181`: not degrees: write a number from -180 to 180
devices.csv:4: interval_s = `0`: not an interval: write 1 to 86400 seconds, or nothing
devices.csv:6: station = `a`: no such good station: correct it, or add it to the stations
devices.csv:7: interval_s = `86401`: not an interval: write 1 to 86400 seconds, or nothing
devices.csv:8: interval_s = `1.5`: not an interval: write 1 to 86400 seconds, or nothing
"#);
    let ids: Vec<_> = import.stations.iter().map(|station| &*station.id).collect();
    assert_eq!(ids, ["d"]);
    let ids: Vec<_> = import.devices.iter().map(|device| &*device.id).collect();
    assert_eq!(ids, ["H1"]);
    assert_eq!(&*import.devices[0].name, "One");
}

#[test]
fn a_file_without_its_columns_is_told_once() {
    let import = read(b"id,name,id\nx,y,z\n", b"");
    insta::assert_snapshot!(told(&import), @r#"
stations.csv:1: id: two columns of that name: take one out
stations.csv:1: no column for level, lat, lon among `id`, `name`, `id`: say which is which (--columns level=…), or give all rows one value (--fill level=…)
devices.csv:1: empty file: begin it with a line id,kind,station
"#);
}

/// A file of another kind has a fault in every row: nobody reads half a million of them.
#[test]
fn of_a_file_that_is_another_than_it_should_be_ten_thousand_faults_are_told() {
    for (bad_rows, told, read_on) in [(10_000, 10_000, 1), (10_001, 10_001, 0), (10_003, 10_001, 0)]
    {
        let mut text = "id,name,level,parent,lat,lon\n".to_owned();
        for n in 0..bad_rows {
            text += &format!("s{n},N,town,,1,2\n");
        }
        text += "d,D,district,,1,2\n";
        let import = read(text.as_bytes(), DEVICES.as_bytes());
        let of_stations: Vec<_> =
            import.bad.iter().filter(|bad| &*bad.file == "stations.csv").collect();
        assert_eq!(of_stations.len(), told, "{bad_rows} bad rows");
        assert_eq!(import.stations.len(), read_on, "{bad_rows} bad rows");
        let last = of_stations[told - 1].to_string();
        let over = "stations.csv:10002: over 10000 faults: is it the right file?";
        assert_eq!(last == over, bad_rows > 10_000, "{last}");
    }
}

#[test]
fn what_is_known_may_be_referred_to_and_is_replaced() {
    let mut known = Registry::new([]);
    let put = read(STATIONS.as_bytes(), DEVICES.as_bytes()).put(&mut known);
    let mut heard = known.device(put[0]).cloned().unwrap();
    heard.area = "banan".into();
    known.put_device(heard);
    let devices = "id,kind,name,station,zone,profile,lat,lon,address\n\
                   HYD-1,hydrant,Renamed,district,,indoor,1,2,\n";
    let file = File { name: "d.csv", bytes: devices.as_bytes() };
    let import = Import::read(None, Some(file), &known);
    assert_eq!(told(&import), "");
    assert_eq!(import.put(&mut known), [put[0]]);
    let device = known.device(put[0]).unwrap();
    assert_eq!((&*device.name, &*device.area), ("Renamed", "banan"));
    // A circle through a station that is known already.
    let stations = "id,name,level,parent,lat,lon\ndistrict,D,district,township-01,1,2\n";
    let file = File { name: "s.csv", bytes: stations.as_bytes() };
    let import = Import::read(Some(file), None, &known);
    insta::assert_snapshot!(told(&import), @r#"s.csv:2: parent = `township-01`: goes round in a circle (district → township-01 → district): leave one of them empty"#);
}

#[test]
fn a_long_text_or_a_control_character_is_bad() {
    let long = "长".repeat(201);
    let fits = "长".repeat(200);
    for (name, good) in [(&*fits, true), (&*long, false), ("a\u{7}b", false), ("", false)] {
        let text = format!("id,name,level,parent,lat,lon\nx,{name},village,,90,-180\n");
        let import = read(text.as_bytes(), DEVICES.as_bytes());
        assert_eq!(import.stations.len(), usize::from(good), "{name}");
    }
}

#[test]
fn a_device_names_its_decoder_and_one_that_is_not_there_is_a_fault_that_says_which_are() {
    const ROWS: &str = "\
id,kind,name,station,zone,profile,lat,lon,address,building,floor,interval_s,installed_on,decoder
HYD-1,hydrant,One,township-01,,municipal,29.35,106.52,,,,,,loops
HYD-2,hydrant,Two,township-01,,municipal,29.35,106.52,,,,,,
";
    let rows = format!("{ROWS}HYD-3,hydrant,Three,township-01,,municipal,29.35,106.52,,,,,,ours\n");
    let file = File { name: "devices.csv", bytes: rows.as_bytes() };
    let alone = devices::read_with(file, &Registry::new([]), &ListOptions::default(), &[]).read.bad;
    let fault =
        "devices.csv:2: decoder = `loops`: no such decoder: write one of ours, or nothing for ours";
    assert_eq!(alone.iter().map(ToString::to_string).collect::<Vec<_>>(), [fault]);

    let root = Ours::below("r/v1");
    let decoder: &'static Ours = Box::leak(Box::new(root));
    let makers = [Maker { name: "loops", decoder }, Maker { name: "bytes", decoder }];
    let rows = rows.replace(",loops", ",loop");
    let file = File { name: "devices.csv", bytes: rows.as_bytes() };
    let bad =
        devices::read_with(file, &Registry::new([]), &ListOptions::default(), &makers).read.bad;
    assert_eq!(
        bad[0].to_string(),
        "devices.csv:2: decoder = `loop`: no such decoder: write one of ours, loops, bytes, or nothing for ours"
    );
    let rows = rows.replace(",loop\n", ",loops\n");
    let file = File { name: "devices.csv", bytes: rows.as_bytes() };
    let good = devices::read_with(file, &Registry::new([]), &ListOptions::default(), &makers).read;
    let rows: Vec<Device> = good.rows.into_iter().map(|row| row.row).collect();
    let named: Vec<&str> = rows.iter().map(|device| &*device.decoder).collect();
    assert_eq!(named, ["loops", "", ""], "ours has no name of its own");
    assert_eq!(write_devices(&rows[..2]), ROWS);
    assert!(!write_devices(&rows[1..]).contains("decoder"), "nobody needs the column");
    let json = serde_json::to_value(&rows[..2]).unwrap();
    assert_eq!(json[0]["decoder"], "loops");
    assert_eq!(json[1].get("decoder"), None, "a row is stored as it always was");
    let back: Device = serde_json::from_value(json[1].clone()).unwrap();
    assert_eq!(back, rows[1]);
}
