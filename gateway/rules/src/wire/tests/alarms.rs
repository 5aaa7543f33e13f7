//! Alarms: salvaged as far as they can be read.

use standpipe_shared::Condition;

use super::super::alarm::MAX_OBJECTS;
use super::super::salvage::MAX_MEMBERS;
use super::super::{Message, RejectedReason};
use super::{below, reasons, told};

fn alarm(payload: impl AsRef<[u8]>) -> String {
    told(&below("banan/SMK-1/alarm", payload))
}

#[test]
fn an_alarm_of_the_contract() {
    let text = r#"{"boot":3,"seq":18,"ts":1764000000500,"condition":"smoke","active":true,"smoke_db_m":0.31}"#;
    insta::assert_snapshot!(alarm(text), @r#"banan/SMK-1 shouts: {"boot":3,"seq":18,"ts":1764000000500,"smoke_db_m":0.31,"condition":"smoke","active":true,"test":false} (+0 unknown)"#);
    insta::assert_snapshot!(alarm(r#"{"condition":"tamper","active":false,"test":true,"x":1}"#), @r#"banan/SMK-1 shouts: {"condition":"tamper","active":false,"test":true} (+1 unknown)"#);
}

/// The members around condition and active, and what is wrong with them.
#[test]
fn a_bad_member_does_not_silence_an_alarm() {
    let members: [&[u8]; 22] = [
        b"\"smoke_db_m\":NaN,\"temp_c\":21.5",
        b"\"smoke_db_m\":\"0.31\"",
        b"\"smoke_db_m\":1e39,\"battery_mv\":3000",
        b"\"ts\":1764000000500.0,\"seq\":18",
        b"\"ts\":\"1764000000500\"",
        b"\"ts\":\" 1.764e12 \"",
        b"\"ts\":9007199254740992.0",
        b"\"ts\":9007199254740994.0",
        b"\"ts\":\"2026-11-23T08:00:00Z\"",
        b"\"ts\":1e999",
        b"\"boot\":\"3\",\"seq\":18.0",
        b"\"boot\":-1,\"seq\":4294967296.0",
        b"\"test\":\"yes\"",
        b"\"flowing\":1,\"cap_open\":\"true\"",
        b"x,\"seq\":18",
        b"'seq':18",
        b",",
        b"\"\xff\":1",
        b"\"x\":\"\xff\"",
        b"\"x\":\"a,}\\\"b\",\"seq\":\"7\"",
        b"\"x\":[1,{\"seq\":9}],\"seq\":-7",
        b"\"s\\u0065q\":\"7\"",
    ];
    let mut all = String::new();
    for member in members {
        let payload = [b"{\"condition\":\"smoke\",", member, b",\"active\":true}"].concat();
        all += &alarm(payload);
    }
    insta::assert_snapshot!(all, @r#"
banan/SMK-1 shouts: {"temp_c":21.5,"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `"smoke_db_m":NaN`: member of alarm not understood (expected value at line 1 column 15): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"smoke_db_m":0.31,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"smoke_db_m":"0.31"`: member of alarm not understood (invalid type: string "0.31", expected f32 at line 1 column 20): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"battery_mv":3000,"condition":"smoke","active":true,"test":false} (+0 unknown)
not_finite ×1 `"smoke_db_m":1e39`: member of alarm not understood (not a finite number: send a finite one, or leave the field out at line 1 column 19): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"seq":18,"ts":1764000000500,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"ts":1764000000500.0`: member of alarm not understood (invalid type: floating point `1764000000500.0`, expected i64 at line 1 column 21): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"ts":1764000000500,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"ts":"1764000000500"`: member of alarm not understood (invalid type: string "1764000000500", expected i64 at line 1 column 21): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"ts":1764000000000,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"ts":" 1.764e12 "`: member of alarm not understood (invalid type: string " 1.764e12 ", expected i64 at line 1 column 18): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"ts":9007199254740992,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"ts":9007199254740992.0`: member of alarm not understood (invalid type: floating point `9007199254740992.0`, expected i64 at line 1 column 24): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"ts":9007199254740994.0`: member of alarm not understood (invalid type: floating point `9007199254740994.0`, expected i64 at line 1 column 24): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"ts":1795420800000,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"ts":"2026-11-23T08:00:00Z"`: member of alarm not understood (invalid type: string "2026-11-23T08:00:00Z", expected i64 at line 1 column 28): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_finite ×1 `"ts":1e999`: member of alarm not understood (number out of range at line 1 column 11): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"boot":3,"seq":18,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"boot":"3"`: member of alarm not understood (invalid type: string "3", expected u32 at line 1 column 11): send an object with condition, active and, if measured, the fields of a reading
wrong_type ×1 `"seq":18.0`: member of alarm not understood (invalid type: floating point `18.0`, expected u32 at line 1 column 11): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown) (numbers lost)
wrong_type ×1 `"boot":-1`: member of alarm not understood (invalid value: integer `-1`, expected u32 at line 1 column 10): send an object with condition, active and, if measured, the fields of a reading
wrong_type ×1 `"seq":4294967296.0`: member of alarm not understood (invalid type: floating point `4294967296.0`, expected u32 at line 1 column 19): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"test":"yes"`: member of alarm not understood (invalid type: string "yes", expected a boolean at line 1 column 13): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"flowing":true,"cap_open":true,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"flowing":1`: member of alarm not understood (invalid type: integer `1`, expected a boolean at line 1 column 12): send an object with condition, active and, if measured, the fields of a reading
wrong_type ×1 `"cap_open":"true"`: member of alarm not understood (invalid type: string "true", expected a boolean at line 1 column 18): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"seq":18,"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `x`: member of alarm not understood (key must be a string at line 1 column 2): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `'seq':18`: member of alarm not understood (key must be a string at line 1 column 2): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `{"condition":"smoke",,,"active":true}`: alarm not understood (key must be a string at line 1 column 22): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_utf8 ×1 `"�":1`: member of alarm not understood (invalid unicode code point at line 1 column 3): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+1 unknown)
banan/SMK-1 shouts: {"seq":7,"condition":"smoke","active":true,"test":false} (+1 unknown)
wrong_type ×1 `"seq":"7"`: member of alarm not understood (invalid type: string "7", expected u32 at line 1 column 10): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+1 unknown) (numbers lost)
wrong_type ×1 `"seq":-7`: member of alarm not understood (invalid value: integer `-7`, expected u32 at line 1 column 9): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"seq":7,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"s\u0065q":"7"`: member of alarm not understood (invalid type: string "7", expected u32 at line 1 column 15): send an object with condition, active and, if measured, the fields of a reading
"#);
}

#[test]
fn condition_and_active_are_read_in_other_spellings() {
    let payloads = [
        r#"{"condition":" Smoke","active":"True"}"#,
        r#"{"condition":"HEAT","active":1}"#,
        r#"{"condition":"heat","active":"1"}"#,
        r#"{"condition":"no_water","active":0}"#,
        r#"{"condition":"no_water","active":"FALSE "}"#,
        r#"{"condition":"no_water","active":"0"}"#,
        r#"{"condition":heat,"active":tRue}"#,
    ];
    let all: String = payloads.iter().map(alarm).collect();
    insta::assert_snapshot!(all, @r#"
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"condition":" Smoke"`: member of alarm not understood (unknown variant ` Smoke`, expected one of `smoke`, `heat`, `no_water`, `low_pressure`, `high_pressure`, `hydrant_open`, `knocked`, `freezing`, `sensor_fault`, `battery_low`, `contamination`, `offline`, `tamper`, `clock_fault`, `zone_low_pressure`, `blind_area`, `gateway_blind`, `unreadable_alarm`, `not_understood`, `registry_fault`, `receiver_down`, `degraded` at line 1 column 21): send an object with condition, active and, if measured, the fields of a reading
wrong_type ×1 `"active":"True"`: member of alarm not understood (invalid type: string "True", expected a boolean at line 1 column 16): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"heat","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"condition":"HEAT"`: member of alarm not understood (unknown variant `HEAT`, expected one of `smoke`, `heat`, `no_water`, `low_pressure`, `high_pressure`, `hydrant_open`, `knocked`, `freezing`, `sensor_fault`, `battery_low`, `contamination`, `offline`, `tamper`, `clock_fault`, `zone_low_pressure`, `blind_area`, `gateway_blind`, `unreadable_alarm`, `not_understood`, `registry_fault`, `receiver_down`, `degraded` at line 1 column 19): send an object with condition, active and, if measured, the fields of a reading
wrong_type ×1 `"active":1`: member of alarm not understood (invalid type: integer `1`, expected a boolean at line 1 column 11): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"heat","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"active":"1"`: member of alarm not understood (invalid type: string "1", expected a boolean at line 1 column 13): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"no_water","active":false,"test":false} (+0 unknown)
wrong_type ×1 `"active":0`: member of alarm not understood (invalid type: integer `0`, expected a boolean at line 1 column 11): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"no_water","active":false,"test":false} (+0 unknown)
wrong_type ×1 `"active":"FALSE "`: member of alarm not understood (invalid type: string "FALSE ", expected a boolean at line 1 column 18): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"no_water","active":false,"test":false} (+0 unknown)
wrong_type ×1 `"active":"0"`: member of alarm not understood (invalid type: string "0", expected a boolean at line 1 column 13): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"heat","active":true,"test":false} (+0 unknown)
not_json ×1 `"condition":heat`: member of alarm not understood (expected value at line 1 column 14): send an object with condition, active and, if measured, the fields of a reading
not_json ×1 `"active":tRue`: member of alarm not understood (expected ident at line 1 column 12): send an object with condition, active and, if measured, the fields of a reading
"#);
}

#[test]
fn without_condition_or_active_there_is_no_alarm_but_a_fire() {
    let payloads: [&[u8]; 12] = [
        b"smoke",
        b"3",
        b"{}",
        b"{\"condition\":\"smoke\"}",
        b"{\"active\":true}",
        b"{\"condition\":\"fog\",\"active\":true}",
        b"{\"condition\":\"smoke\",\"active\":2}",
        b"{\"condition\":\"smoke\",\"active\":null}",
        b"{\"condition\":\"smoke\",\"active\":\"1",
        b"{\"condition\":\"smoke\",\"active\":1",
        b"\xff{\"condition\":\"smoke\",\"act\xffive\":true}",
        b"{\"smoke_db_m\":NaN}",
    ];
    let mut all = String::new();
    for payload in payloads {
        let parsed = below("banan/SMK-1/alarm", payload);
        let unreadable = matches!(parsed.message, Some(Message::UnreadableAlarm { .. }));
        let fire = payload.windows(7).any(|part| part == b"\"smoke\"");
        assert!(unreadable || fire, "{}", String::from_utf8_lossy(payload));
        all += &told(&parsed);
    }
    insta::assert_snapshot!(all, @r#"
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): smoke
not_json ×1 `smoke`: alarm not understood (expected value at line 1 column 1): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (wrong_type): 3
wrong_type ×1 `3`: alarm is not a JSON object: send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (missing_field): {}
missing_field ×1 `{}`: alarm not understood (missing field `condition`): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
missing_field ×1 `{"condition":"smoke"}`: fire without a readable `active`, taken as true: send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (missing_field): {"active":true}
missing_field ×1 `{"active":true}`: alarm not understood (missing field `condition`): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (wrong_type): {"condition":"fog","active":true}
wrong_type ×1 `{"condition":"fog","active":true}`: alarm not understood (unknown variant `fog`, expected one of `smoke`, `heat`, `no_water`, `low_pressure`, `high_pressure`, `hydrant_open`, `knocked`, `freezing`, `sensor_fault`, `battery_low`, `contamination`, `offline`, `tamper`, `clock_fault`, `zone_low_pressure`, `blind_area`, `gateway_blind`, `unreadable_alarm`, `not_understood`, `registry_fault`, `receiver_down`, `degraded` at line 1 column 18): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"active":2`: member of alarm not understood (invalid type: integer `2`, expected a boolean at line 1 column 11): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
missing_field ×1 `{"condition":"smoke","active":null}`: fire without a readable `active`, taken as true: send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `"active":"1`: member of alarm not understood (EOF while parsing a string at line 1 column 13): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"active":1`: member of alarm not understood (invalid type: integer `1`, expected a boolean at line 1 column 11): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_utf8 ×1 `"act�ive":true`: member of alarm not understood (invalid unicode code point at line 1 column 6): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 sent an unreadable alarm on `standpipe/v1/banan/SMK-1/alarm` (not_json): {"smoke_db_m":NaN}
not_json ×1 `{"smoke_db_m":NaN}`: alarm not understood (expected value at line 1 column 15): send an object with condition, active and, if measured, the fields of a reading
"#);
}

#[test]
fn a_device_cannot_cry_for_its_zone_its_area_or_the_gateway() {
    let mut refused = String::new();
    for condition in Condition::ALL {
        let payload =
            format!("{{\"condition\":\"{}\",\"active\":true,\"temp_c\":9}}", condition.as_str());
        let parsed = below("banan/HYD-1/alarm", &payload);
        if matches!(parsed.message, Some(Message::UnreadableAlarm { .. })) {
            refused += &told(&parsed);
        } else {
            assert!(parsed.rejected.is_empty(), "{payload}");
        }
    }
    insta::assert_snapshot!(refused, @r#"
banan/HYD-1 sent an unreadable alarm on `standpipe/v1/banan/HYD-1/alarm` (wrong_type): {"condition":"zone_low_pressure","active":true,"temp_c":9}
wrong_type ×1 `{"condition":"zone_low_pressure","active":true,"temp_c":9}`: alarm of `zone_low_pressure`, which only the gateway can find: send a condition of the device itself
banan/HYD-1 sent an unreadable alarm on `standpipe/v1/banan/HYD-1/alarm` (wrong_type): {"condition":"blind_area","active":true,"temp_c":9}
wrong_type ×1 `{"condition":"blind_area","active":true,"temp_c":9}`: alarm of `blind_area`, which only the gateway can find: send a condition of the device itself
banan/HYD-1 sent an unreadable alarm on `standpipe/v1/banan/HYD-1/alarm` (wrong_type): {"condition":"gateway_blind","active":true,"temp_c":9}
wrong_type ×1 `{"condition":"gateway_blind","active":true,"temp_c":9}`: alarm of `gateway_blind`, which only the gateway can find: send a condition of the device itself
banan/HYD-1 sent an unreadable alarm on `standpipe/v1/banan/HYD-1/alarm` (wrong_type): {"condition":"unreadable_alarm","active":true,"temp_c":9}
wrong_type ×1 `{"condition":"unreadable_alarm","active":true,"temp_c":9}`: alarm of `unreadable_alarm`, which only the gateway can find: send a condition of the device itself
banan/HYD-1 sent an unreadable alarm on `standpipe/v1/banan/HYD-1/alarm` (wrong_type): {"condition":"not_understood","active":true,"temp_c":9}
wrong_type ×1 `{"condition":"not_understood","active":true,"temp_c":9}`: alarm of `not_understood`, which only the gateway can find: send a condition of the device itself
banan/HYD-1 sent an unreadable alarm on `standpipe/v1/banan/HYD-1/alarm` (wrong_type): {"condition":"registry_fault","active":true,"temp_c":9}
wrong_type ×1 `{"condition":"registry_fault","active":true,"temp_c":9}`: alarm of `registry_fault`, which only the gateway can find: send a condition of the device itself
banan/HYD-1 sent an unreadable alarm on `standpipe/v1/banan/HYD-1/alarm` (wrong_type): {"condition":"receiver_down","active":true,"temp_c":9}
wrong_type ×1 `{"condition":"receiver_down","active":true,"temp_c":9}`: alarm of `receiver_down`, which only the gateway can find: send a condition of the device itself
banan/HYD-1 sent an unreadable alarm on `standpipe/v1/banan/HYD-1/alarm` (wrong_type): {"condition":"degraded","active":true,"temp_c":9}
wrong_type ×1 `{"condition":"degraded","active":true,"temp_c":9}`: alarm of `degraded`, which only the gateway can find: send a condition of the device itself
"#);
    let shouted = r#"{"condition":"BLIND_AREA","active":1}"#;
    let parsed = below("banan/HYD-1/alarm", shouted);
    let unreadable = matches!(parsed.message, Some(Message::UnreadableAlarm { .. }));
    assert_eq!((unreadable, parsed.rejected.len()), (true, 1), "in any spelling");
}

#[test]
fn what_is_before_behind_or_torn_off_does_not_silence_an_alarm() {
    let payloads = [
        "\u{feff}{\"condition\":\"smoke\",\"active\":true}",
        "[{\"condition\":\"smoke\",\"active\":true}]",
        "{\"condition\":\"smoke\",\"active\":true}}",
        "{\"condition\":\"smoke\",\"active\":true",
        "{\"condition\":\"smoke\",\"active\":true,\"smoke_db",
        "{\"condition\":\"smoke\",\"active\":true,\"ts\":17640",
        "{\"condition\":\"smoke\",\"active\":true,\"ts\":1764000000500.2",
        "{\"condition\":\"smoke\",\"active\":true,\"x\":\"9",
        "{\"condition\":\"smoke\",\"active\":true,\"seq\":\"18\"",
    ];
    let all: String = payloads.iter().map(alarm).collect();
    insta::assert_snapshot!(all, @r#"
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `﻿{"condition":"smoke","active":true}`: alarm not understood (expected value at line 1 column 1): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `[{"condition":"smoke","active":true}]`: alarm is not a JSON object: send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `{"condition":"smoke","active":true}}`: alarm not understood (trailing characters at line 1 column 36): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `{"condition":"smoke","active":true`: alarm not understood (EOF while parsing an object at line 1 column 34): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `"smoke_db`: member of alarm not understood (EOF while parsing a string at line 1 column 11): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `"ts":17640`: alarm is torn within a number: send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"ts":1764000000500.2`: member of alarm not understood (invalid type: floating point `1764000000500.2`, expected i64 at line 1 column 21): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"condition":"smoke","active":true,"test":false} (+0 unknown)
not_json ×1 `"x":"9`: member of alarm not understood (EOF while parsing a string at line 1 column 8): send an object with condition, active and, if measured, the fields of a reading
banan/SMK-1 shouts: {"seq":18,"condition":"smoke","active":true,"test":false} (+0 unknown)
wrong_type ×1 `"seq":"18"`: member of alarm not understood (invalid type: string "18", expected u32 at line 1 column 11): send an object with condition, active and, if measured, the fields of a reading
"#);
}

#[test]
fn an_alarm_that_only_the_gateway_may_raise_hides_what_is_no_louder() {
    for (condition, expected) in
        [("tamper", "banan/SMK-1 sent an unreadable alarm"), ("smoke", "banan/SMK-1 shouts")]
    {
        let said = alarm(format!(
            r#"[{{"condition":"{condition}","active":true}},{{"condition":"zone_low_pressure","active":true}}]"#
        ));
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn a_bad_alarm_is_looked_at_up_to_its_limit() {
    let alarm = |before: usize| {
        let members = "\"x\":1,".repeat(before);
        below("a/d/alarm", format!("{{{members}\"condition\":\"smoke\",\"active\":1}}"))
    };
    let parsed = alarm(MAX_MEMBERS - 2);
    let Some(Message::Alarm { alarm: read, .. }) = parsed.message else { panic!("{parsed:?}") };
    assert_eq!((read.active, usize::from(read.reading.unknown)), (true, MAX_MEMBERS - 2));
    let parsed = alarm(MAX_MEMBERS - 1);
    let Some(Message::Alarm { alarm: read, .. }) = &parsed.message else { panic!("{parsed:?}") };
    assert!(read.active, "`active` is behind the limit, and a fire is a fire without it");
    assert_eq!(reasons(&parsed), [RejectedReason::MissingField]);
    assert!(matches!(alarm(MAX_MEMBERS).message, Some(Message::UnreadableAlarm { .. })));
}

/// Members of one name that contradict each other are read as one that cannot be read.
#[test]
fn members_that_contradict_each_other_lose_no_fire() {
    let fire = Some((Condition::Smoke, true, false));
    for (payload, expected) in [
        (r#"{"condition":"smoke","active":true,"active":false}"#, fire),
        (r#"{"condition":"smoke","active":false,"active":true}"#, fire),
        (r#"{"active":false,"condition":"smoke","active":2}"#, fire),
        (r#"{"active":null,"condition":"smoke","active":false}"#, fire),
        (r#"{"condition":"smoke","active":false,"act\u0069ve":true}"#, fire),
        (r#"{"condition":"smoke","active":true,"active":1,"active":false}"#, fire),
        (r#"{"condition":"smoke","active":true,"test":true,"test":false}"#, fire),
        (r#"{"condition":"smoke","active":true,"test":false,"test":true}"#, fire),
        (r#"{"condition":"smoke","active":true,"test":true,"test":"yes"}"#, fire),
        (r#"{"condition":"smoke","condition":"tamper","active":true}"#, fire),
        (r#"{"condition":"tamper","condition":"smoke","active":true}"#, fire),
        (r#"{"condition":"tamper","condition":"fog","condition":"smoke","active":true}"#, fire),
        (r#"{"condition":"SMOKE","condition":"tamper","active":"on"}"#, fire),
        (r#"{"condition":"smoke","condition":"tamper"}"#, fire),
        (r#"{"condition":"smoke","active":true,"seq":1,"seq":2}"#, fire),
        // The same twice is one.
        (r#"{"condition":"smoke","condition":"Smoke","active":1,"active":true}"#, fire),
        (
            r#"{"condition":"smoke","active":false,"active":0}"#,
            Some((Condition::Smoke, false, false)),
        ),
        // Whoever says it twice does not say it plainly.
        (r#"{"condition":"smoke","active":true,"test":true,"test":true}"#, fire),
        (r#"{"condition":"smoke","active":true,"test":true,"t\u0065st":1}"#, fire),
        (r#"{"condition":"smoke","condition":"fog","active":"x"}"#, fire),
        (r#"{"condition":"smoke","active":true,"active":"x"}"#, fire),
        (r#"{"condition":"smoke","active":false,"active":"x"}"#, fire),
        (r#"{"condition":"smoke","active":false,"act\u0069ve":"x"}"#, fire),
        // No fire, and nobody can say what: people are told what was said.
        (r#"{"condition":"tamper","active":true,"active":false}"#, None),
        (r#"{"condition":"tamper","condition":"fog","active":true}"#, None),
        (r#"{"condition":"tamper","condition":"no_water","active":true}"#, None),
        (r#"{"condition":"smoke","condition":"tamper","active":false}"#, None),
        (r#"{"condition":"smoke","condition":"fog","active":false}"#, None),
    ] {
        let parsed = below("banan/SMK-1/alarm", payload);
        let read = match &parsed.message {
            Some(Message::Alarm { alarm, .. }) => Some((alarm.condition, alarm.active, alarm.test)),
            Some(Message::UnreadableAlarm { .. }) => None,
            other => panic!("{payload}: {other:?}"),
        };
        assert_eq!(read, expected, "{payload}");
        assert!(!parsed.rejected.is_empty(), "{payload}: it is told");
    }
    let stray =
        below("a/d/telemetry", r#"{"temp_c":20,"condition":"smoke","active":true,"active":false}"#);
    assert!(matches!(stray.message, Some(Message::Alarm { alarm, .. }) if alarm.active));
}
#[test]
fn what_is_behind_the_limit_of_a_bad_alarm_may_say_anything() {
    let members = "\"x\":1,".repeat(MAX_MEMBERS);
    for (first, expected) in [
        (r#""condition":"smoke","active":false,"test":1"#, Some((true, false))),
        (r#""condition":"smoke","active":true,"test":1"#, Some((true, false))),
        (r#""condition":"tamper","active":1"#, None),
    ] {
        let parsed = below("a/d/alarm", format!("{{{first},{members}\"active\":true}}"));
        let read = match &parsed.message {
            Some(Message::Alarm { alarm, .. }) => Some((alarm.active, alarm.test)),
            _ => None,
        };
        assert_eq!(read, expected, "{first}");
        assert!(!parsed.rejected.is_empty(), "{first}");
    }
    let quiet = r#"{"condition":"tamper","active":true}"#;
    let parsed = below("a/d/alarm", quiet.repeat(MAX_OBJECTS));
    assert!(matches!(parsed.message, Some(Message::Alarm { .. })));
    let smoke = r#"{"condition":"smoke","active":true}"#;
    let parsed = below("a/d/alarm", quiet.repeat(MAX_OBJECTS) + smoke);
    assert!(matches!(parsed.message, Some(Message::UnreadableAlarm { .. })));
    let parsed = below("a/d/alarm", smoke.to_owned() + &quiet.repeat(MAX_OBJECTS));
    assert!(matches!(parsed.message, Some(Message::Alarm { alarm, .. }) if alarm.active));
}
