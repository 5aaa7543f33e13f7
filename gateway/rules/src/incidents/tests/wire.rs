//! An incident as stations see it, and its titles.

use standpipe_shared::Condition;

use super::drill::{DAY, again, drill};
use crate::incidents::{Place, QuietCode, WireIncident, is_suspicious, with_page, with_suspicion};

#[test]
fn a_fire_in_full() {
    let mut drill = drill(
        "01:00:00 value SD-1 smoke_db_m 0.31 =>
         01:00:00 value SD-1 battery_mv 3000 =>
         02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:30 value SD-1 temp_c 41.5 =>
         02:01:00 -                => p2 #1 T2 T3",
    );
    drill.run("02:01:01 T1 shown #1 => ");
    let mut wire = drill.wire(1);
    assert_eq!(again::<WireIncident>(&wire), wire);
    wire.hydrants.truncate(1);
    let at = DAY + 2 * 3_600_000;
    let expected = serde_json::json!({
        "id": wire.id.to_string(),
        "rev": 3,
        "station": "T1",
        "class": "fire",
        "severity": "fire",
        "state": "open",
        "episode": 1,
        "conditions": ["smoke"],
        "device": {
            "id": "SD-1",
            "kind": "smoke",
            "name": "SD-1 corner",
            "address": "1 Road",
            "lat": 29.4,
            "lon": 106.5,
        },
        "zone": null,
        "title": {
            "en": "Smoke · Xinhua Building 12F",
            "zh": "烟雾报警 · Xinhua Building 12层",
        },
        "opened_at": at,
        "since": at,
        "updated_at": at + 60_000,
        "late_s": 0,
        "exercise": false,
        "value": { "smoke_db_m": 0.31, "temp_c": 41.5 },
        "hydrants": [{
            "id": "HY-1",
            "name": "HY-1 corner",
            "distance_m": 100,
            "bearing_deg": 0,
            "pressure_kpa": 300.0,
            "measured_at": DAY,
            "trust": "ok",
        }],
        "step": 2,
        "next_step_at": at + 180_000,
        "page_id": null,
        "place": { "kind": "building", "name": "Xinhua Building", "floor": "12" },
        "detectors": 1,
        "floors": ["12"],
        "version": "8d68ba1bc5bd039a",
    });
    let json = serde_json::to_string(&wire).expect("json");
    let found: serde_json::Value = serde_json::from_str(&json).expect("json");
    assert_eq!(found, expected);
}

#[test]
fn water_in_short() {
    let drill = drill(
        "01:00:00 value HY-1 pressure_kpa 96.5 =>
         01:00:00 value HY-1 temp_c 12 =>
         02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 T1",
    );
    let wire = drill.wire(1);
    assert_eq!(serde_json::to_string(&wire.value).expect("json"), r#"{"pressure_kpa":96.5}"#);
    assert_eq!((wire.step, wire.next_step_at, wire.page_id), (1, None, None));
    assert_eq!(wire.opened_at, DAY + 2 * 3_600_000);
    assert_eq!(wire.hydrants_note, None);
    let json = serde_json::to_string(&wire).expect("json");
    assert!(!json.contains("detectors"), "only a fire has a number of them: {json}");
}

#[test]
#[rustfmt::skip] // a table
fn titles() {
    for (of, condition, en, zh) in [
        ("SD-1", "smoke", "Smoke · Xinhua Building 12F", "烟雾报警 · Xinhua Building 12层"),
        ("SD-3", "heat", "Heat · Xinhua Building B1", "高温报警 · Xinhua Building B1"),
        ("SD-4", "contamination", "Detector dirty · SD-4 corner", "探测器积尘 · SD-4 corner"),
        ("HY-1", "no_water", "No water · HY-1 corner", "无水 · HY-1 corner"),
        ("HY-1", "low_pressure", "Low pressure · HY-1 corner", "水压过低 · HY-1 corner"),
        ("HY-1", "high_pressure", "High pressure · HY-1 corner", "水压过高 · HY-1 corner"),
        ("HY-1", "hydrant_open", "Hydrant open · HY-1 corner", "消火栓开启 · HY-1 corner"),
        ("HY-1", "knocked", "Knocked over · HY-1 corner", "被撞倾斜 · HY-1 corner"),
        ("HY-1", "freezing", "May freeze · HY-1 corner", "有冻结危险 · HY-1 corner"),
        ("HY-1", "sensor_fault", "Sensor fault · HY-1 corner", "传感器故障 · HY-1 corner"),
        ("HY-1", "battery_low", "Battery low · HY-1 corner", "电量不足 · HY-1 corner"),
        ("HY-1", "offline", "Offline · HY-1 corner", "离线 · HY-1 corner"),
        ("HY-1", "tamper", "Tampered with · HY-1 corner", "被拆动 · HY-1 corner"),
        ("HY-1", "clock_fault", "Clock wrong · HY-1 corner", "时钟错误 · HY-1 corner"),
        ("zone:Z1", "zone_low_pressure", "Low pressure in many hydrants · zone Z1", "多处消火栓水压过低 · Z1分区"),
        ("area:T1", "blind_area", "Many devices silent · T1 station", "大量设备失联 · T1 station"),
        ("area:T9", "blind_area", "Many devices silent · T9", "大量设备失联 · T9"),
        ("gateway", "gateway_blind", "The gateway hears no device", "网关收不到任何设备"),
    ] {
        let mut drill = super::drill::Drill::new(crate::incidents::Plan::default());
        drill.happens(&["raise", of, condition], DAY);
        assert_eq!(drill.wire(1).title.en, en);
        assert_eq!(drill.wire(1).title.zh, zh);
    }
}

#[test]
fn how_it_is_true_is_in_the_title() {
    for (of, condition, how, en, zh) in [
        (
            "SD-1",
            "smoke",
            "reason=since_unknown",
            "Smoke, since unknown · Xinhua Building 12F",
            "烟雾报警（起始时间不明） · Xinhua Building 12层",
        ),
        (
            "HY-1",
            "offline",
            "reason=never",
            "Offline, never heard · HY-1 corner",
            "离线（从未上线） · HY-1 corner",
        ),
        (
            "HY-1",
            "sensor_fault",
            "reason=no_measurement",
            "Sensor fault, no measurement · HY-1 corner",
            "传感器故障（无测量数据） · HY-1 corner",
        ),
        ("SD-4", "smoke", "late=59", "Smoke · SD-4 corner", "烟雾报警 · SD-4 corner"),
        (
            "SD-4",
            "smoke",
            "late=28800",
            "Smoke (device's time 8 h old) · SD-4 corner",
            "烟雾报警（设备时间为8小时前） · SD-4 corner",
        ),
        ("HY-1", "no_water", "late=28800", "No water · HY-1 corner", "无水 · HY-1 corner"),
    ] {
        let mut drill = super::drill::Drill::new(crate::incidents::Plan::default());
        drill.happens(&["raise", of, condition, how], DAY);
        assert_eq!(drill.wire(1).title.en, en);
        assert_eq!(drill.wire(1).title.zh, zh);
    }
}

#[test]
fn a_nameless_device_is_called_by_its_address_or_id() {
    let mut drill = super::drill::Drill::new(crate::incidents::Plan::default());
    let ix = drill.registry.find("HY-1").expect("a hydrant");
    let mut device = drill.registry.device(ix).expect("a hydrant").clone();
    device.building = "Tower".into(); // hydrants are found in the street
    for (name, address, expected) in
        [("", "1 Road", "1 Road"), ("", "", "HY-1"), ("Corner", "1 Road", "Corner")]
    {
        device.name = name.into();
        device.address = address.into();
        drill.registry.put_device(device.clone());
        drill.happens(&["raise", "HY-1", "no_water"], DAY);
        assert_eq!(drill.wire(1).title.en, format!("No water · {expected}"));
    }
    let ix = drill.registry.find("SD-1").expect("a detector");
    let mut device = drill.registry.device(ix).expect("a detector").clone();
    device.floor = "".into();
    drill.registry.put_device(device);
    drill.happens(&["raise", "SD-1", "smoke"], DAY);
    assert_eq!(drill.wire(2).title.en, "Smoke · Xinhua Building");
    assert_eq!(drill.wire(2).title.zh, "烟雾报警 · Xinhua Building");
}

#[test]
fn what_a_place_ends_with_need_not_be_said_beside_it() {
    let building = |floor: &str| Place::Building { name: "Tower A".into(), floor: floor.into() };
    let name = || Box::from("pump room 3");
    for (place, part, expected) in [
        (building("12"), "12", true),
        (building("12"), "Tower A", false),
        (building("12"), "A", false),
        (building(""), "Tower A", true),
        (building(""), "12", false),
        (Place::Device { name: name() }, "room 3", true),
        (Place::Device { name: name() }, "pump", false),
        (Place::Zone { name: name() }, "room 3", true),
        (Place::Area { name: name() }, "room 4", false),
        (Place::Topic { name: name(), more: 0 }, "3", true),
        (Place::Receiver { name: name() }, "room", false),
        (Place::Gateway, "gateway", false),
    ] {
        assert_eq!(place.ends_with(part), expected, "{place:?} ends with {part}");
    }
}

#[test]
fn the_worst_gives_the_title_and_detectors_are_counted() {
    let drill = drill(
        "02:00:00 raise HY-1 hydrant_open => #1 warning open e1; p1 #1 T1
         02:00:01 raise HY-1 low_pressure =>
         02:00:02 raise SD-1 heat         => #2 fire open e1; p1 #2 T1
         02:00:03 raise SD-1 smoke        =>
         02:00:04 raise SD-2 smoke        => #2 fire open e2; p1 #2 T1
         02:00:05 raise SD-3 smoke        => #2 fire open e3; p1 #2 T1
         02:00:06 clear SD-1 smoke        =>",
    );
    assert_eq!(drill.wire(1).title.en, "Low pressure · HY-1 corner");
    assert_eq!(drill.wire(1).conditions, [Condition::LowPressure, Condition::HydrantOpen]);
    assert_eq!(drill.wire(2).title.en, "Smoke · Xinhua Building 12F · 3 detectors");
    assert_eq!(drill.wire(2).title.zh, "烟雾报警 · Xinhua Building 12层 · 3个探测器");
}

#[test]
#[rustfmt::skip] // a table
fn what_a_title_says_is_there_as_codes() {
    let place = |of: &str| match of {
        "SD-1" => Place::Building { name: "Xinhua Building".into(), floor: "12".into() },
        "SD-4" => Place::Device { name: "SD-4 corner".into() },
        "zone:Z1" => Place::Zone { name: "Z1".into() },
        "area:T1" => Place::Area { name: "T1 station".into() },
        _ => Place::Gateway,
    };
    for (of, condition, how, what, zh) in [
        ("SD-1", "smoke", "", "Smoke", "烟雾报警"),
        ("SD-4", "smoke", "late=28800", "Smoke (device's time 8 h old)", "烟雾报警（设备时间为8小时前）"),
        ("SD-4", "offline", "reason=never", "Offline, never heard", "离线（从未上线）"),
        ("zone:Z1", "zone_low_pressure", "", "Low pressure in many hydrants", "多处消火栓水压过低"),
        ("area:T1", "blind_area", "", "Many devices silent", "大量设备失联"),
        ("gateway", "gateway_blind", "", "The gateway hears no device", "网关收不到任何设备"),
    ] {
        let mut drill = super::drill::Drill::new(crate::incidents::Plan::default());
        let said = ["raise", of, condition, how];
        drill.happens(&said[..if how.is_empty() { 3 } else { 4 }], DAY);
        let mut wire = drill.wire(1);
        assert_eq!(wire.place, Some(place(of)));
        assert_eq!((&*wire.what().en, &*wire.what().zh), (what, zh));
        // Whatever its title says, and not only by its codes once it has none.
        wire.title.en = "⟦x⟧".into();
        assert_eq!(wire.what().en, what);
        wire.place = None;
        wire.title.en = "Something of before · here · 2 detectors".into();
        assert_eq!(wire.what().en, "Something of before");
    }
    let drill = drill("02:00:00 raise SD-1 smoke test => #1 notice open e1");
    assert_eq!(drill.wire(1).quiet, Some(QuietCode::Test));
    assert_eq!(drill.wire(1).what().en, "Test: Smoke");
}

#[test]
#[rustfmt::skip] // a table
fn an_incident_is_read_whatever_is_missing_or_broken_of_it() {
    let least = r#"{"id":"01JDF2VQ00000000000000000A","class":"fire","severity":"fire","title":{"en":"S","zh":"烟"}"#;
    let read = |more: &str| WireIncident::read(&format!("{least}{more}}}")).expect("it goes out");
    let bare = read("");
    assert_eq!((bare.rev, &bare.device, &*bare.hydrants), (0, &None, &[][..]));
    assert_eq!(bare.state, crate::incidents::State::Open);
    for broken in [
        r#","device":{"id":"S-1"}"#, r#","device":7"#, r#","state":"asleep""#, r#","state":null"#,
        r#","value":[]"#, r#","hydrants":{"a":1}"#, r#","conditions":null"#, r#","since":"now""#,
        r#","outcome":"eaten""#, r#","place":{"kind":"moon"}"#, r#","page_id":"x""#, r#","new":{}"#,
        r#","flapping":{}"#, r#","zone":3"#, r#","hydrants_note":"few""#, r#","reasons":[1]"#,
    ] {
        assert_eq!(read(broken), bare, "{broken}");
    }
    let good = r#"{"id":"H","name":"","distance_m":1,"bearing_deg":2,"pressure_kpa":3,"measured_at":4,"trust":"ok"}"#;
    let some = read(&format!(r#","rev":"x","conditions":["smoke","of_tomorrow"],"hydrants":[{{}},{good}],"since":9"#));
    assert_eq!(some.conditions, [Condition::Smoke], "and the good ones stay");
    assert_eq!((some.hydrants.len(), some.since, some.rev), (1, 9, 0));
    for (key, bad) in [("id", "1"), ("class", "\"x\""), ("severity", "null"), ("title", "\"S\"")] {
        let mut whole: serde_json::Map<_, _> = serde_json::from_str(&format!("{least}}}")).unwrap();
        whole.insert(key.into(), serde_json::from_str(bad).unwrap());
        assert!(WireIncident::of(whole.clone()).is_err(), "{key} is needed");
        whole.remove(key);
        assert!(WireIncident::of(whole).is_err(), "{key} is needed");
    }
    assert!(WireIncident::read("[]").is_err() && WireIncident::read("").is_err());
}

#[test]
fn the_page_is_named_in_its_own_member_and_nowhere_else() {
    let page = ulid::Ulid::from_parts(1, 2);
    for (wire, expected) in [
        (r#"{"id":"A","page_id":null}"#, format!(r#"{{"id":"A","page_id":"{page}"}}"#)),
        (
            r#"{"page_id":null,"name":"a \"page_id\":null b","far":[1.50, {"page_id":null}]}"#,
            format!(
                r#"{{"page_id":"{page}","name":"a \"page_id\":null b","far":[1.50, {{"page_id":null}}]}}"#
            ),
        ),
        (r#"{"title":"没有"}"#, format!(r#"{{"title":"没有","page_id":"{page}"}}"#)),
        ("not JSON", "not JSON".to_owned()),
    ] {
        assert_eq!(with_page(wire, page), expected);
    }
    let wire = serde_json::to_string(
        &drill("02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1").wire(1),
    )
    .unwrap();
    let id = format!("\"page_id\":\"{page}\"");
    assert_eq!(
        with_page(&wire, page),
        wire.replace("\"page_id\":null", &id),
        "every other byte stays"
    );
}

#[test]
fn stations_see_an_open_incident_anew_when_the_clock_was_set() {
    let mut drill = drill("02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1");
    let before = drill.wire(1);
    drill.book.shift(3_600_000, &mut crate::Changes::default());
    let after = drill.wire(1);
    assert_eq!((after.rev, after.opened_at), (before.rev + 1, before.opened_at + 3_600_000));
}

#[test]
fn a_page_in_doubt_says_so_and_is_otherwise_as_it_was() {
    for (story, wire, marked) in [
        (
            "one more member",
            r#"{"id":1.50,"a":[1, 2]}"#,
            r#"{"id":1.50,"a":[1, 2],"twin_suspected":true}"#,
        ),
        ("said once", r#"{"twin_suspected":true,"a":1}"#, r#"{"a":1,"twin_suspected":true}"#),
    ] {
        assert_eq!(with_suspicion(wire), marked, "{story}");
        assert!(is_suspicious(marked), "{story}");
    }
    assert_eq!(with_suspicion("no page"), "no page", "it still goes");
    for wire in
        [r#"{"id":1}"#, r#"{"twin_suspected":false}"#, r#"{"a":{"twin_suspected":true}}"#, ""]
    {
        assert!(!is_suspicious(wire), "{wire}");
    }
}
