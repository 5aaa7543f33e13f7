//! What arrives on an alarm topic is told to people: as the fire it is, or as an alarm that
//! nobody can read, with what it said.

use serde_json::{Value, json};

use standpipe_tests::CLOSES;

use super::site::{FieldSite, QUIET, SOON, devices, says, settles, told};

/// A body of another maker's device, or a variant of our own; what its detector is told as.
type AlarmCase<'a> = (&'a str, &'a str, &'a [u8], &'a str);

/// Plays each row to a detector of its own, and holds what people are told against it.
fn plays(site: &FieldSite, rows: &[AlarmCase<'_>]) {
    for (device, _, body, _) in rows {
        site.says(&format!("t-1/{device}/alarm"), *body);
    }
    settles(SOON, || {
        let incidents = site.gateway.list("incidents");
        let wrong = |(device, story, _, right): &AlarmCase<'_>| {
            let found = told(&incidents, device);
            (found != *right).then(|| format!("{device} {story}: `{found}`, not `{right}`"))
        };
        rows.iter().filter_map(wrong).collect()
    });
}

#[test]
#[rustfmt::skip] // a table
fn an_alarm_is_told_as_what_it_says_or_as_unreadable() {
    let site = FieldSite::start(&devices(2, 60, 900), "");
    plays(&site, &[
        ("S-1",  "the contract's own",            br#"{"condition":"smoke","active":true}"#,                    "fire smoke"),
        // Truth words of other makers, in any case.
        ("S-2",  "6: ON of Tasmota",              br#"{"condition":"smoke","active":"ON"}"#,                    "fire smoke"),
        ("S-3",  "6: on",                         br#"{"condition":"smoke","active":"on"}"#,                    "fire smoke"),
        ("S-4",  "6: 1",                          br#"{"condition":"smoke","active":1}"#,                       "fire smoke"),
        ("S-5",  "6: True of Python",             br#"{"condition":"smoke","active":"True"}"#,                  "fire smoke"),
        ("S-6",  "6: alarm",                      br#"{"condition":"smoke","active":"Alarm"}"#,                 "fire smoke"),
        ("S-7",  "6: the Chinese for it",         r#"{"condition":"smoke","active":"报警"}"#.as_bytes(),         "fire smoke"),
        ("S-8",  "off",                           br#"{"condition":"smoke","active":"OFF"}"#,                   ""),
        ("S-9",  "0",                             br#"{"condition":"smoke","active":0}"#,                       ""),
        ("S-10", "clear",                         br#"{"condition":"smoke","active":"clear"}"#,                 ""),
        ("S-11", "normal",                        br#"{"condition":"smoke","active":"Normal"}"#,                ""),
        ("S-12", "normal in Chinese",             r#"{"condition":"smoke","active":"正常"}"#.as_bytes(),         ""),
        ("S-13", "restored in Chinese",           r#"{"condition":"smoke","active":"恢复"}"#.as_bytes(),         ""),
        // A fire that can be read, and a truth that can't, or none.
        ("S-14", "3: TTS leaves defaults out",    br#"{"condition":"smoke"}"#,                                  "fire smoke"),
        ("S-15", "a truth that says nothing",     br#"{"condition":"smoke","active":"banana"}"#,                "fire smoke"),
        ("S-16", "null",                          br#"{"condition":"smoke","active":null}"#,                    "fire smoke"),
        ("S-17", "an object",                     br#"{"condition":"heat","active":{"state":7}}"#,              "fire heat"),
        // Only true, 1 and "true" make it a test.
        ("S-18", "test true",                     br#"{"condition":"smoke","active":true,"test":true}"#,        "exercise notice smoke"),
        ("S-19", "test 1",                        br#"{"condition":"smoke","active":true,"test":1}"#,           "exercise notice smoke"),
        ("S-20", "test in quotes",                br#"{"condition":"smoke","active":true,"test":"true"}"#,      "exercise notice smoke"),
        ("S-21", "test on",                       br#"{"condition":"smoke","active":true,"test":"on"}"#,        "fire smoke"),
        ("S-22", "test no",                       br#"{"condition":"smoke","active":true,"test":"no"}"#,        "fire smoke"),
        ("S-23", "test null",                     br#"{"condition":"smoke","active":true,"test":null}"#,        "fire smoke"),
        ("S-24", "test 2",                        br#"{"condition":"smoke","active":true,"test":2}"#,           "fire smoke"),
        // Whole bodies of other makers.
        ("S-25", "1: ChirpStack of a Dragino",    br#"{"deviceInfo":{"devEui":"a84041ffff000001"},"fCnt":1834,"object":{"Bat_V":3.315}}"#, "critical unreadable_alarm"),
        ("S-26", "2: Milesight",                  br#"{"devEUI":"24e124ffff000002","fCnt":84,"data":"A3sAAAF1ZA=="}"#, "critical unreadable_alarm"),
        ("S-27", "3: The Things Stack",           br#"{"end_device_ids":{"device_id":"dev-eu868-01"},"uplink_message":{"f_cnt":1834}}"#, "critical unreadable_alarm"),
        ("S-28", "4: Zigbee2MQTT's Aqara",        br#"{"battery":99,"linkquality":171,"smoke":true,"smoke_density":0,"test":false}"#, "critical unreadable_alarm"),
        ("S-29", "5: Shelly Plus Smoke",          br#"{"id":0,"alarm":true,"mute":false}"#,                     "critical unreadable_alarm"),
        ("S-30", "5: Shelly's events",            br#"{"method":"NotifyStatus","params":{"ts":1680962879.62,"smoke:0":{"alarm":true}}}"#, "critical unreadable_alarm"),
        ("S-31", "6: Tasmota's switch",           br#"{"Switch1":{"Action":"ON"}}"#,                            "critical unreadable_alarm"),
        ("S-32", "6: ON",                         b"ON",                                                        "critical unreadable_alarm"),
        ("S-33", "6: 1",                          b"1",                                                         "critical unreadable_alarm"),
        ("S-34", "8: CTWing",                     br#"{"notifyType":"deviceDataChanged","service":{"serviceId":"Smoke"}}"#, "critical unreadable_alarm"),
        ("S-35", "11: GB/T 26875.3",              GB26875,                                                      "critical unreadable_alarm"),
        ("S-36", "11: Sparkplug B",               SPARKPLUG,                                                    "critical unreadable_alarm"),
        ("S-37", "37: single quotes",             b"{'condition':'smoke','active':True}",                       "critical unreadable_alarm"),
        ("S-38", "a condition that is none",      br#"{"condition":"fog","active":true}"#,                      "critical unreadable_alarm"),
        ("S-39", "what only the gateway finds",   br#"{"condition":"blind_area","active":true}"#,               "critical unreadable_alarm"),
        ("S-40", "an empty object",               b"{}",                                                        "critical unreadable_alarm"),
        ("H-1",  "of a hydrant it is a warning",  b"ON",                                                        "warning unreadable_alarm"),
        ("NEW-1", "4: of a device nobody knows",  br#"{"smoke":true}"#,                                         "critical unreadable_alarm"),
        // What was right before, and stays so.
        ("S-41", "7: NaN beside it",              br#"{"condition":"smoke","active":true,"temp_c":NaN}"#,       "fire smoke"),
        ("S-42", "10: numbers as strings",        br#"{"condition":"smoke","active":true,"smoke_db_m":"0.31"}"#, "fire smoke"),
        ("S-43", "37: BOM",                       b"\xef\xbb\xbf{\"condition\":\"smoke\",\"active\":true}",     "fire smoke"),
        ("S-44", "37: trailing NUL",              b"{\"condition\":\"smoke\",\"active\":true}\0",               "fire smoke"),
        ("S-45", "37: twice the same key",        br#"{"condition":"smoke","active":false,"active":true}"#,     "fire smoke"),
        ("S-46", "37: truncated",                 br#"{"condition":"smoke","active":true,"smoke_db_m":0."#,     "fire smoke"),
        ("S-49", "37: UTF-16",                    UTF_16,                                                       "critical unreadable_alarm"),
        ("S-47", "9: ts in seconds",              br#"{"condition":"smoke","active":true,"ts":1648731311}"#,    "fire smoke"),
        ("S-48", "last: all before were heard",   br#"{"condition":"heat","active":true}"#,                     "fire heat"),
    ]);
}

/// `{"condition":"smoke"}` as an editor of Windows saves it.
const UTF_16: &[u8] =
    b"\xff\xfe{\0\"\0c\0o\0n\0d\0i\0t\0i\0o\0n\0\"\0:\0\"\0s\0m\0o\0k\0e\0\"\0}\0";

/// A component status, fire, as a user information transmission unit sends it over TCP.
/// Source: GB/T 26875.3-2011, 6.6 and 8.
const GB26875: &[u8] =
    b"@@\x01\x00\x01\x01\x00\x2d\x12\x1d\x0b\x1a\x01\x02\x03\x04\x05\x06\x00\x00\
    \x00\x00\x00\x00\x30\x00\x02\x02\x01\x01\x01\x28\x01\x00\x04\x00\x02\x00\xd2\xbb\xb2\xe3\xcc\
    \xbd\xb2\xe2\xc6\xf7\x00\x00\x2d\x12\x1d\x0b\x1a\x7c##";
/// A DDATA of one pressure. Source: Eclipse Sparkplug B specification 3.0, `sparkplug_b.proto`.
const SPARKPLUG: &[u8] =
    b"\x08\x80\xd0\xdf\xb4\xab\x33\x12\x1c\x0a\x08Pressure\x18\x80\xd0\xdf\xb4\
    \xab\x33\x20\x0a\x69\x66\x66\x66\x66\x66\x86\x73\x40\x18\x07";

/// Cases 6 and 11: the station sees what was said, and sounds once.
#[test]
#[rustfmt::skip] // a table
fn an_unreadable_alarm_shows_its_payload_and_is_paged_to_whom_it_concerns() {
    let site = FieldSite::start(&devices(1, 4, 900), "");
    let rows: &[(&str, &[u8], &str, &str, usize)] = &[
        ("S-1",   br#"{"smoke_density":3,"smoke":true}"#, "smoke_density", "t-1",      1),
        ("S-2",   GB26875,                                "@@",            "t-1",      1),
        ("H-1",   SPARKPLUG,                              "Pressure",      "t-1",      1),
        ("NEW-1", b"ALARM ALARM",                         "ALARM ALARM",   "district", 1),
        ("NEW-1", b"ALARM ALARM",                         "ALARM ALARM",   "t-1",      0),
    ];
    for (device, body, ..) in rows {
        site.says(&format!("t-1/{device}/alarm"), *body);
    }
    settles(SOON, || {
        let all = site.gateway.list("incidents");
        rows.iter().filter_map(|(device, _, shown, station, pages)| {
            let mine = all.iter().find(|incident| {
                incident["device"]["id"] == *device && says(&incident["conditions"], "unreadable_alarm")
            })?;
            let whole = site.incident(&mine["id"]);
            let sounded = site.pages(station, |body| body["id"] == mine["id"]);
            let right = says(&whole, shown) && mine["class"] == "blind" && sounded == *pages;
            (!right).then(|| format!("{device}: {sounded} pages to {station}: {whole}"))
        }).chain(rows.iter().filter_map(|(device, ..)| {
            let missing = !told(&all, device).contains("unreadable_alarm");
            missing.then(|| format!("{device}: no incident"))
        })).collect()
    });
}

#[test]
fn it_changes_no_fire_and_sounds_again_only_after_it_was_closed() {
    let site = FieldSite::start(&devices(0, 2, 900), "");
    let fire = json!({"condition": "smoke", "active": true});
    site.device_says("S-1", "alarm", &fire);
    let is_fire = |incident: &Value| incident["class"] == "fire";
    let before = site.gateway.incident("the fire", SOON, is_fire);
    for _ in 0..3 {
        site.says("t-1/S-1/alarm", "ON");
    }
    let is_unreadable = |incident: &Value| says(&incident["conditions"], "unreadable_alarm");
    let first = site.gateway.incident("the alarm nobody can read", SOON, is_unreadable);
    let pages = |id: &Value| site.pages("t-1", |body| body["id"] == *id);
    std::thread::sleep(QUIET);
    assert_eq!(pages(&first["id"]), 1, "one sound for three");
    let fire = site.incident(&before["id"]);
    assert_eq!(
        (&fire["conditions"], &fire["episode"], &fire["state"]),
        (&before["conditions"], &before["episode"], &before["state"]),
        "the fire is what it was: {fire}"
    );
    assert_eq!(site.incidents("S-1").len(), 2, "a fire, and an alarm nobody can read");

    site.acts(&first["id"], "resolve");
    settles(CLOSES, || {
        let closed = site.incident(&first["id"]);
        (closed["state"] != "closed")
            .then(|| format!("closed by a person: {closed}"))
            .into_iter()
            .collect()
    });
    let sounded = site.pages("t-1", is_unreadable);
    site.says("t-1/S-1/alarm", "ON");
    settles(SOON, || {
        let again = site.pages("t-1", is_unreadable) - sounded;
        (again != 1).then(|| format!("{again} pages after it was closed")).into_iter().collect()
    });
}
