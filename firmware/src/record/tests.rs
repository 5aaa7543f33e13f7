//! Records: on the wire, in flash, and when either is wrong.

extern crate std;
use super::{Class, Corrupt, Moment, Record, RecordId, Shout, TooSmall};
use crate::Uptime;
use proptest::prelude::{Strategy, any, proptest};
use standpipe_shared::{Alarm, Condition, Field, Measurements, Reading};

fn id(boot: u32, seq: u32) -> RecordId {
    RecordId { boot, seq }
}

fn text(record: &Record, ts: Option<i64>) -> std::string::String {
    let mut buffer = [0; Record::JSON_MAX];
    let len = record.json(ts, &mut buffer).unwrap_or(0);
    std::str::from_utf8(&buffer[..len]).unwrap_or("").into()
}

fn measured(fields: &[(Field, f32)]) -> Measurements {
    let mut values = Measurements::default();
    for (field, value) in fields {
        assert!(values.set(*field, *value).is_ok());
    }
    values
}

#[test]
fn the_wire_has_the_names_of_the_contract_and_rounded_numbers() {
    let values = measured(&[
        (Field::PressureKpa, 312.449),
        (Field::TempC, -14.25),
        (Field::SmokeDbM, 0.0314),
        (Field::CapOpen, 1.0),
        (Field::BatteryMv, 3_580.0),
    ]);
    let reading = Record::new(id(3, 17), Moment::Unix(1), &values, None);
    assert_eq!(reading.class(), Class::Reading);
    assert_eq!(
        text(&reading, Some(1_764_000_000_000)),
        r#"{"boot":3,"seq":17,"ts":1764000000000,"pressure_kpa":312.4,"cap_open":true,"smoke_db_m":0.031,"temp_c":-14.3,"battery_mv":3580}"#
    );
    let shout = Shout { condition: Condition::NoWater, active: true, test: false };
    let alarm = Record::new(id(3, 18), Moment::Unix(1), &Measurements::default(), Some(shout));
    assert_eq!(alarm.class(), Class::Alarm);
    assert_eq!(
        text(&alarm, None),
        r#"{"boot":3,"seq":18,"condition":"no_water","active":true,"test":false}"#
    );
}

#[test]
fn the_longest_record_fits_and_a_short_buffer_is_an_error() {
    let mut values = Measurements::default();
    for field in Field::ALL {
        assert!(values.set(field, -32_768.0).is_ok());
    }
    let shout = Shout { condition: Condition::ZoneLowPressure, active: false, test: true };
    let moment = Moment::Uptime(Uptime(u64::MAX));
    let record = Record::new(id(u32::MAX, u32::MAX), moment, &values, Some(shout));
    let mut buffer = [0; Record::MAX];
    assert_eq!(record.encode(&mut buffer), Ok(Record::MAX));
    for short in 0..Record::MAX {
        assert_eq!(record.encode(&mut buffer[..short]), Err(TooSmall));
    }
    let json = text(&record, Some(i64::MIN));
    assert!((300..=Record::JSON_MAX).contains(&json.len()), "{}", json.len());
    assert_eq!(record.json(None, &mut [0; 100]), Err(TooSmall));
}

#[test]
fn bytes_that_are_no_record_are_refused() {
    let shout = Shout { condition: Condition::Smoke, active: true, test: false };
    let values = measured(&[(Field::SmokeDbM, 0.2)]);
    let record = Record::new(id(1, 2), Moment::Unix(5), &values, Some(shout));
    let mut buffer = [0; Record::MAX + 1];
    let len = record.encode(&mut buffer).unwrap_or(0);
    assert_eq!(Record::decode(&buffer[..len]), Ok(record));
    for cut in 0..len {
        assert_eq!(Record::decode(&buffer[..cut]), Err(Corrupt), "{cut}");
    }
    assert_eq!(Record::decode(&buffer[..=len]), Err(Corrupt), "one byte more");
    buffer[0] ^= 0x30;
    assert_eq!(Record::decode(&buffer[..len]), Err(Corrupt), "another format");
    buffer[0] ^= 0x30;
    buffer[15] = u8::try_from(Condition::ALL.len()).unwrap();
    assert_eq!(Record::decode(&buffer[..len]), Err(Corrupt), "no such condition");
}

fn record() -> impl Strategy<Value = Record> {
    let moment = (any::<bool>(), 0..1_u64 << 48).prop_map(|(unix, ms)| {
        if unix { Moment::Unix(ms.cast_signed()) } else { Moment::Uptime(Uptime(ms)) }
    });
    let shout = (0..17_usize, any::<bool>(), any::<bool>()).prop_map(|(at, active, test)| Shout {
        condition: Condition::ALL[at],
        active,
        test,
    });
    let values = proptest::collection::vec((0..12_usize, -40_000.0..40_000_f32), 0..20);
    let numbers = (any::<u32>(), any::<u32>());
    (numbers, moment, values, proptest::option::of(shout)).prop_map(
        |((boot, seq), moment, fields, shout)| {
            let fields: std::vec::Vec<_> =
                fields.into_iter().map(|(at, value)| (Field::ALL[at], value)).collect();
            Record::new(id(boot, seq), moment, &measured(&fields), shout)
        },
    )
}

proptest! {
    #[test]
    fn what_is_kept_is_what_comes_back_and_what_the_gateway_reads(kept in record()) {
        let mut buffer = [0; Record::MAX];
        let len = kept.encode(&mut buffer).unwrap_or(0);
        assert_eq!(Record::decode(&buffer[..len]), Ok(kept));
        let json = text(&kept, Some(77));
        let read = if kept.shout().is_some() {
            let alarm: Alarm = serde_json::from_str(&json).unwrap_or_else(|bad| panic!("{bad}"));
            let Alarm { reading, condition, active, test } = alarm;
            assert_eq!(Some(Shout { condition, active, test }), kept.shout());
            reading
        } else {
            serde_json::from_str(&json).unwrap_or_else(|bad| panic!("{bad}"))
        };
        let (boot, seq) = (Some(kept.boot()), Some(kept.seq()));
        assert_eq!(read, Reading { boot, seq, ts: Some(77), values: *kept.values(), ..Reading::default() });
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(record) = Record::decode(&bytes) {
            let mut buffer = [0; Record::MAX];
            let len = record.encode(&mut buffer).unwrap_or(0);
            assert_eq!(Record::decode(&buffer[..len]), Ok(record));
        }
    }
}
