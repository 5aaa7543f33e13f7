use super::{Message, Parsed, parse};

const ROOT: &str = "standpipe/v1";

fn telemetry(payload: &str) -> Parsed {
    parse(ROOT, b"standpipe/v1/a/d/telemetry", payload.as_bytes())
}

#[test]
fn a_reading() {
    let parsed = telemetry(r#"{"pressure_kpa":312.4}"#);
    let Some(Message::Telemetry { readings, .. }) = parsed.message else { panic!("{parsed:?}") };
    assert_eq!(readings.len(), 1);
}
