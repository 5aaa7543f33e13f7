//! The uplink against a real mosquitto: what is said, in which order, and what happens when the
//! broker, the line or the device goes away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod support;

use std::time::Duration;

use standpipe_firmware::uplink::{Habits, Stay};
use standpipe_firmware::{CommandAnswer, Detail, Heard};
use standpipe_shared::Verb;
use support::broker::{Broker, HABITS, PATIENT, beside, run};
use support::chip::Chip;
use support::device::Device;
use support::{alarm, reading};
use tokio::time::timeout;

fn seqs(readings: &serde_json::Value) -> Vec<u64> {
    let one = std::slice::from_ref(readings);
    let all = readings.as_array().map_or(one, Vec::as_slice);
    all.iter().map(|message| message["seq"].as_u64().unwrap()).collect()
}

async fn sent(device: &Device) {
    let empty = async {
        while device.waiting().await != (0, 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENT, empty).await.expect("everything is acknowledged");
}

#[test]
fn a_birth_alarms_readings_and_answers_arrive_and_a_cut_line_leaves_the_will() {
    run(async {
        let broker = Broker::start().await;
        let mut gateway = broker.gateway().await;
        let chip = Chip::<1_024>::new();
        let device = Device::start(&chip, "H-1").await;
        for seq in 1..=20 {
            device.put(&reading(device.boot, seq)).await;
        }
        device.put(&alarm(device.boot, 21)).await;
        beside(&device, broker.port, HABITS, async {
            let mut order = Vec::new();
            let mut readings = Vec::new();
            while readings.len() < 20 || order.len() < 2 {
                let (level, json) = gateway.hears().await;
                match level.as_str() {
                    "telemetry" => readings.extend(seqs(&json)),
                    "alarm" => {
                        assert_eq!(
                            (json["seq"].as_u64(), json["condition"].as_str()),
                            (Some(21), Some("no_water"))
                        );
                        assert!(readings.len() <= 8, "before all but what was on its way already");
                        order.push(level);
                    }
                    _ => {
                        assert_eq!(json["online"], true);
                        assert_eq!(json["boot"].as_u64(), Some(device.boot.into()));
                        assert_eq!(
                            (&json["reset"], &json["storage"]),
                            (&"power_on".into(), &"fresh".into())
                        );
                        order.push(level);
                    }
                }
            }
            assert_eq!(order, ["alarm", "status"]);
            assert_eq!(readings, Vec::from_iter(1..=20), "in order");
            sent(&device).await;
            assert_eq!(device.post.rssi_dbm(), Some(-77));

            // The gateway speaks, and is answered. What is not for this device, or makes no
            // sense, or is far too long, changes nothing.
            gateway.says("banan/H-1/command", "{nonsense").await;
            gateway.says("banan/H-1/command", vec![b'x'; 5_000]).await;
            gateway.says("banan/H-2/command", r#"{"id":"b","command":"restart"}"#).await;
            gateway.says("gateway/clock", r#"{"ts":1764000000000}"#).await;
            gateway.says("banan/H-1/command", r#"{"id":"a","command":"self_test"}"#).await;
            let mut heard = Vec::new();
            for _ in 0..2 {
                heard.push(timeout(PATIENT, device.post.heard.receive()).await.unwrap());
            }
            assert!(heard.contains(&Heard::Clock(1_764_000_000_000)), "{heard:?}");
            let id = "a".try_into().unwrap();
            let command = Heard::Command { id, verb: Verb::SelfTest, seconds: None };
            assert!(heard.contains(&command), "{heard:?}");
            let answer = CommandAnswer {
                id: "a".try_into().unwrap(),
                ok: true,
                detail: Detail::Text("\"fine\""),
            };
            device.post.answer(answer);
            let (level, json) = gateway.hears().await;
            assert_eq!(
                (level.as_str(), &json["id"], &json["detail"]),
                ("reply", &"a".into(), &"\"fine\"".into())
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(device.post.unanswered(), 0);

            // An alarm of now is there at once.
            let before = tokio::time::Instant::now();
            device.put(&alarm(device.boot, 22)).await;
            let (level, _) = gateway.hears().await;
            assert_eq!(level, "alarm");
            assert!(before.elapsed() < Duration::from_millis(500), "{:?}", before.elapsed());
            sent(&device).await;
        })
        .await;
        // The device is gone without a word.
        let (level, json) = gateway.hears().await;
        assert_eq!((level.as_str(), &json), ("status", &serde_json::json!({"online": false})));
    });
}

#[test]
fn a_broker_that_dies_again_and_again_costs_no_message() {
    run(async {
        let mut broker = Broker::start().await;
        // The gateway is away meanwhile: its own losses are not what is tested here.
        drop(broker.gateway().await);
        let chip = Chip::<1_024>::new();
        let device = Device::start(&chip, "H-1").await;
        let mut readings = std::collections::BTreeSet::new();
        let mut alarms = std::collections::BTreeSet::new();
        let port = broker.port;
        beside(&device, port, HABITS, async {
            let mut seq = 0;
            for round in 0..5 {
                for _ in 0..30 {
                    seq += 1;
                    let id = (device.boot, seq);
                    let record =
                        if seq % 10 == 0 { alarm(id.0, id.1) } else { reading(id.0, id.1) };
                    device.put(&record).await;
                    if seq % 7 == 0 {
                        tokio::time::sleep(Duration::from_millis(3)).await;
                    }
                }
                broker.go_away().await;
                tokio::time::sleep(Duration::from_millis(100 * round)).await;
                broker.come_back().await;
            }
            sent(&device).await;
        })
        .await;
        let mut gateway = broker.gateway_again();
        while readings.len() + alarms.len() < 150 {
            let (level, json) = gateway.hears().await;
            match level.as_str() {
                "telemetry" => readings.extend(seqs(&json)),
                "alarm" => alarms.extend(seqs(&json)),
                _ => {}
            }
        }
        assert!(readings.union(&alarms).copied().eq(1..=150));
        assert!(alarms.iter().all(|seq| seq % 10 == 0) && alarms.len() == 15);
    });
}

#[test]
fn a_battery_says_goodbye_and_finds_its_commands_when_it_wakes() {
    run(async {
        let broker = Broker::start().await;
        let mut gateway = broker.gateway().await;
        let chip = Chip::<1_024>::new();
        let device = Device::start(&chip, "H-1").await;
        let habits = Habits { stay: Stay::Briefly, linger_ms: 300, ..HABITS };
        device.post.set_radio(standpipe_firmware::Radio::Sleep);
        beside(&device, broker.port, habits, async {
            device.put(&reading(device.boot, 1)).await;
            assert_eq!(gateway.hears().await.0, "status");
            assert_eq!(gateway.hears().await.0, "telemetry");
            sent(&device).await;
            let asleep = async {
                while device.post.link() != standpipe_firmware::Link::Asleep {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            timeout(PATIENT, asleep).await.expect("it sleeps when everything is said");
            for id in ["one", "two"] {
                let command = format!(r#"{{"id":"{id}","command":"report_now"}}"#);
                gateway.says("banan/H-1/command", command).await;
            }
            device.put(&reading(device.boot, 2)).await;
            for id in ["one", "two"] {
                let heard = timeout(PATIENT, device.post.heard.receive()).await.unwrap();
                let id = id.try_into().unwrap();
                assert_eq!(heard, Heard::Command { id, verb: Verb::ReportNow, seconds: None });
            }
            // No Last Will was between: it had said goodbye.
            let mut levels = Vec::new();
            while levels.last().is_none_or(|(level, _)| level != "telemetry") {
                let (level, json) = gateway.hears().await;
                levels.push((level, json["online"].clone()));
            }
            assert!(levels.iter().all(|(_, online)| *online != false), "{levels:?}");
        })
        .await;
    });
}

#[test]
fn a_refused_device_keeps_its_messages_and_is_let_in_later() {
    run(async {
        let mut broker = Broker::start().await;
        broker.go_away().await;
        let config = broker.folder.path().join("conf");
        let open = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, open.replace("anonymous true", "anonymous false")).unwrap();
        broker.come_back().await;
        let chip = Chip::<1_024>::new();
        let device = Device::start(&chip, "H-1").await;
        device.put(&alarm(device.boot, 1)).await;
        let port = broker.port;
        beside(&device, port, HABITS, async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(device.waiting().await, (1, 0));
            broker.go_away().await;
            std::fs::write(&config, open).unwrap();
            broker.come_back().await;
            sent(&device).await;
        })
        .await;
    });
}
