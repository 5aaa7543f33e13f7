//! Telemetry: one reading, or an array that loses only its bad elements.

use super::super::{MAX_READINGS, Message, RejectedReason};
use super::{below, reasons, told};

fn telemetry(payload: impl AsRef<[u8]>) -> String {
    told(&below("banan/HYD-1/telemetry", payload))
}

#[test]
fn a_reading_of_the_contract() {
    let reading = r#"{"boot":3,"seq":17,"ts":1764000000000,"pressure_kpa":312.4,"temp_c":14.2,"battery_mv":3580}"#;
    assert_eq!(telemetry(reading), format!("banan/HYD-1 measured: {reading}\n"));
    assert_eq!(telemetry(format!(" \n{reading} ")), format!("banan/HYD-1 measured: {reading}\n"));
}

#[test]
fn a_bad_reading_is_told_with_its_reason() {
    let payloads: [&[u8]; 17] = [
        b" ",
        b"hello",
        b"3",
        b"null",
        b"\"x\"",
        b"{",
        b"{\"seq\":1} x",
        b"{\"pressure_kpa\":NaN}",
        b"{\"pressure_kpa\":1e39}",
        b"{\"pressure_kpa\":-1e999}",
        b"{\"pressure_kpa\":\"12\"}",
        b"{\"flowing\":1}",
        b"{\"boot\":-1}",
        b"{\"seq\":4294967296}",
        b"{\"ts\":1.5}",
        b"{\"\xff\":1}",
        b"\xff\xfe",
    ];
    let all: String = payloads.iter().map(telemetry).collect();
    insta::assert_snapshot!(all, @r#"
banan/HYD-1 is not understood
not_json ×1 ` `: reading not understood (EOF while parsing a value at line 1 column 1): send one reading as an object, or an array of them
banan/HYD-1 is not understood
not_json ×1 `hello`: reading not understood (expected value at line 1 column 1): send one reading as an object, or an array of them
banan/HYD-1 is not understood
wrong_type ×1 `3`: reading not understood (invalid type: integer `3`, expected an object with the fields of a reading at line 1 column 1): send one reading as an object, or an array of them
banan/HYD-1 is not understood
wrong_type ×1 `null`: reading not understood (invalid type: null, expected an object with the fields of a reading at line 1 column 4): send one reading as an object, or an array of them
banan/HYD-1 is not understood
wrong_type ×1 `"x"`: reading not understood (invalid type: string "x", expected an object with the fields of a reading at line 1 column 3): send one reading as an object, or an array of them
banan/HYD-1 is not understood
not_json ×1 `{`: reading not understood (EOF while parsing an object at line 1 column 1): send one reading as an object, or an array of them
banan/HYD-1 measured: {"seq":1}
not_json ×1 ` x`: 2 bytes beside the reading: send one reading as an object, or an array of them
banan/HYD-1 is not understood
not_json ×1 `{"pressure_kpa":NaN}`: reading not understood (expected value at line 1 column 17): send one reading as an object, or an array of them
banan/HYD-1 is not understood
not_finite ×1 `{"pressure_kpa":1e39}`: reading not understood (not a finite number: send a finite one, or leave the field out at line 1 column 21): send one reading as an object, or an array of them
banan/HYD-1 is not understood
not_finite ×1 `{"pressure_kpa":-1e999}`: reading not understood (number out of range at line 1 column 22): send one reading as an object, or an array of them
banan/HYD-1 measured: {"pressure_kpa":12.0}
repaired ×1
banan/HYD-1 measured: {"flowing":true}
repaired ×1
banan/HYD-1 is not understood
wrong_type ×1 `{"boot":-1}`: reading not understood (invalid value: integer `-1`, expected u32 at line 1 column 10): send one reading as an object, or an array of them
banan/HYD-1 is not understood
wrong_type ×1 `{"seq":4294967296}`: reading not understood (invalid value: integer `4294967296`, expected u32 at line 1 column 17): send one reading as an object, or an array of them
banan/HYD-1 is not understood
wrong_type ×1 `{"ts":1.5}`: reading not understood (invalid type: floating point `1.5`, expected i64 at line 1 column 9): send one reading as an object, or an array of them
banan/HYD-1 is not understood
not_utf8 ×1 `{"�":1}`: reading not understood (invalid unicode code point at line 1 column 3): send one reading as an object, or an array of them
banan/HYD-1 is not understood
not_utf8 ×1 `��`: reading not understood (expected value at line 1 column 1): send one reading as an object, or an array of them
"#);
}

#[test]
fn an_array_loses_only_its_bad_elements() {
    let payloads: [&[u8]; 12] = [
        b"[]",
        b" [ ] ",
        b"[{\"seq\":1}]",
        b"[ {\"seq\":1} , {\"seq\":2} ]\n",
        b"[{\"seq\":1},{\"pressure_kpa\":NaN},{\"seq\":3}]",
        b"[3,{\"seq\":2},\"a,]\\\"b\",[{\"seq\":9}]]",
        b"[{\"seq\":1},\xff,{\"x\":\"\xff],\",\"seq\":3}]",
        b"[{\"seq\":1},,{\"seq\":3},]",
        b"[,]",
        b"[{\"seq\":1]},{\"seq\":2}]",
        b"[}{,{\"seq\":2}]",
        b"[{\"x\":\"\\\\\",\"seq\":1},{\"x\":\"\\\"\",\"seq\":2}]",
    ];
    let all: String = payloads.iter().map(telemetry).collect();
    insta::assert_snapshot!(all, @r#"
banan/HYD-1 is not understood
banan/HYD-1 is not understood
banan/HYD-1 measured: {"seq":1}
banan/HYD-1 measured: {"seq":1} {"seq":2}
banan/HYD-1 measured: {"seq":1} {"seq":3}
not_json ×1 `{"pressure_kpa":NaN}`: reading of an array not understood (expected value at line 1 column 17): send one reading as an object, or an array of them
banan/HYD-1 measured: {"seq":2}
wrong_type ×1 `3`: reading of an array not understood (invalid type: integer `3`, expected an object with the fields of a reading at line 1 column 1): send one reading as an object, or an array of them
wrong_type ×1 `"a,]\"b"`: reading of an array not understood (invalid type: string "a,]\"b", expected an object with the fields of a reading at line 1 column 8): send one reading as an object, or an array of them
wrong_type ×1 `[{"seq":9}]`: reading of an array not understood (invalid type: sequence, expected an object with the fields of a reading at line 1 column 0): send one reading as an object, or an array of them
banan/HYD-1 measured: {"seq":1} {"seq":3} (+1 unknown)
not_utf8 ×1 `�`: reading of an array not understood (expected value at line 1 column 1): send one reading as an object, or an array of them
banan/HYD-1 measured: {"seq":1} {"seq":3}
not_json ×1 ``: reading of an array not understood (EOF while parsing a value at line 1 column 0): send one reading as an object, or an array of them
not_json ×1 ``: reading of an array not understood (EOF while parsing a value at line 1 column 0): send one reading as an object, or an array of them
banan/HYD-1 is not understood
not_json ×1 ``: reading of an array not understood (EOF while parsing a value at line 1 column 0): send one reading as an object, or an array of them
not_json ×1 ``: reading of an array not understood (EOF while parsing a value at line 1 column 0): send one reading as an object, or an array of them
banan/HYD-1 measured: {"seq":2}
not_json ×1 `{"seq":1]}`: reading of an array not understood (expected `,` or `}` at line 1 column 9): send one reading as an object, or an array of them
banan/HYD-1 is not understood
not_json ×1 `}{,{"seq":2}]`: array without an end: send it whole, and fewer readings at once
banan/HYD-1 measured: {"seq":1} (+1 unknown) {"seq":2} (+1 unknown)
"#);
}

#[test]
fn a_torn_array_keeps_what_is_whole() {
    let payloads = [
        "[",
        "[{\"seq\":1}",
        "[{\"seq\":1},",
        "[{\"seq\":1},{\"seq\":2",
        "[{\"seq\":1}]]",
        "[{\"seq\":1}] [{\"seq\":2}]",
        "[{\"seq\":1},{\"x\":\"a,{\"seq\":3}]",
    ];
    let all: String = payloads.iter().map(telemetry).collect();
    insta::assert_snapshot!(all, @r#"
banan/HYD-1 is not understood
not_json ×1 ``: array without an end: send it whole, and fewer readings at once
banan/HYD-1 measured: {"seq":1}
not_json ×1 `{"seq":1}`: array without an end: send it whole, and fewer readings at once
banan/HYD-1 measured: {"seq":1}
not_json ×1 ``: array without an end: send it whole, and fewer readings at once
banan/HYD-1 measured: {"seq":1}
not_json ×1 `{"seq":2`: array without an end: send it whole, and fewer readings at once
banan/HYD-1 measured: {"seq":1}
not_json ×1 `]`: 1 bytes after the array's end: send one reading as an object, or an array of them
banan/HYD-1 measured: {"seq":1}
not_json ×1 `[{"seq":2}]`: 11 bytes after the array's end: send one reading as an object, or an array of them
banan/HYD-1 measured: {"seq":1}
not_json ×1 `{"x":"a,{"seq":3}]`: array without an end: send it whole, and fewer readings at once
"#);
}

#[test]
fn nobody_is_heard_when_nothing_was_understood() {
    let not_understood = Message::NotUnderstood { area: "a".into(), device: "d".into() };
    let thingsboard = r#"{"ts":1764000000000,"values":{"pressure":300.4}}"#;
    for (payload, rejected) in [
        ("[3]", 1),
        ("[]", 0),
        ("{}", 0),
        ("[{},{}]", 0),
        (thingsboard, 0),
        ("{\"x\":1}", 0),
        ("hello", 1),
        ("{\"pressure_kpa\":NaN}", 1),
        ("{\"seq\":-1}", 1),
        ("null", 1),
    ] {
        let parsed = below("a/d/telemetry", payload);
        let found = (parsed.message, parsed.rejected.len());
        assert_eq!(found, (Some(not_understood.clone()), rejected), "{payload}");
    }
    for payload in ["{\"seq\":1}", "{\"boot\":1}", "[{},{\"rssi_dbm\":-71}]"] {
        let parsed = below("a/d/telemetry", payload);
        assert!(matches!(parsed.message, Some(Message::Telemetry { .. })), "{payload}");
    }
}

#[test]
fn an_array_is_read_up_to_its_limit() {
    let readings = |count: usize| {
        let all: Vec<String> = (1..=count).map(|seq| format!("{{\"seq\":{seq}}}")).collect();
        below("a/d/telemetry", format!("[{}]", all.join(",")))
    };
    for (sent, rejected) in [(10_000, None), (MAX_READINGS, None), (MAX_READINGS + 2, Some(()))] {
        let parsed = readings(sent);
        let Some(Message::Telemetry { readings, .. }) = &parsed.message else { panic!("{sent}") };
        assert_eq!(readings.len(), sent.min(MAX_READINGS));
        assert!(readings.iter().zip(1..).all(|(reading, seq)| reading.seq == Some(seq)));
        assert_eq!(
            reasons(&parsed),
            vec![RejectedReason::TooMany; usize::from(rejected.is_some())]
        );
    }
    let parsed = readings(MAX_READINGS + 2);
    assert_eq!(
        told(&parsed).lines().last(),
        Some(
            "too_many ×1 `{\"seq\":20001},{\"seq\":20002}]`: more than 20000 readings in an array: \
             send fewer at once"
        )
    );
    let bad = below("a/d/telemetry", format!("[{}{{}}]", "3,".repeat(MAX_READINGS)));
    assert!(matches!(bad.message, Some(Message::NotUnderstood { .. })), "bad ones count too");
}

#[test]
fn members_of_one_name_are_one_if_they_say_the_same_and_else_none() {
    for (payload, expected, rejected, repaired) in [
        (
            r#"{"seq":1,"pressure_kpa":300,"pressure_kpa":20,"temp_c":9}"#,
            r#"{"seq":1,"temp_c":9}"#,
            1,
            0,
        ),
        (
            r#"[{"seq":1,"pressure_kpa":300,"pressure_kpa":"20","temp_c":9}]"#,
            r#"{"seq":1,"temp_c":9}"#,
            1,
            1,
        ),
        (
            r#"{"seq":1,"pressure_kpa":300,"pressure_kpa":null,"temp_c":9}"#,
            r#"{"seq":1,"temp_c":9}"#,
            1,
            0,
        ),
        (r#"{"seq":1,"temp_c":9,"temp_c":9.0}"#, r#"{"seq":1,"temp_c":9}"#, 0, 1),
        (r#"{"seq":1,"temp_c":9,"temp_c":8,"temp_c":9}"#, r#"{"seq":1}"#, 2, 0),
        (r#"{"seq":1,"temp_c":9,"x":1,"x":2}"#, r#"{"seq":1,"temp_c":9} (+2 unknown)"#, 0, 0),
        (r#"{"seq":1,"seq":2,"temp_c":9}"#, r#"{"temp_c":9} (numbers lost)"#, 1, 0),
        (
            r#"{"seq":1,"temp_c":9,"flowing":1,"flowing":true}"#,
            r#"{"seq":1,"flowing":true,"temp_c":9}"#,
            0,
            2,
        ),
    ] {
        let parsed = below("banan/HYD-1/telemetry", payload);
        let said = told(&parsed);
        let measured = said.lines().next().unwrap().replace(".0", "");
        assert_eq!(measured, format!("banan/HYD-1 measured: {expected}"), "{payload}");
        assert_eq!((parsed.rejected.len(), parsed.repaired), (rejected, repaired), "{payload}");
    }
}

#[test]
fn so_are_readings_that_stand_one_behind_another() {
    for (sent, too_many) in [(MAX_READINGS, 0), (MAX_READINGS + 1, 1)] {
        let all: Vec<String> = (1..=sent).map(|seq| format!("{{\"seq\":{seq}}}")).collect();
        let parsed = below("a/d/telemetry", all.join("\n"));
        let Some(Message::Telemetry { readings, .. }) = &parsed.message else { panic!("{sent}") };
        assert_eq!(readings.len(), MAX_READINGS, "of {sent}");
        let told = reasons(&parsed)
            .into_iter()
            .filter(|reason| *reason == RejectedReason::TooMany)
            .count();
        assert_eq!(told, too_many, "of {sent}");
    }
}
