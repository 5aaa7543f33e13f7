//! The uplink against a real mosquitto: what is said, in which order, and what happens when the
//! broker, the line or the device goes away.
//!
//! `MOSQUITTO` names the broker's program; otherwise it is looked for where Debian puts it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod support;

use std::process::Stdio;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use standpipe_firmware::uplink::{DialFault, Habits, Modem, Stay};
use standpipe_firmware::{Answer, Heard};
use standpipe_shared::Verb;
use support::chip::Chip;
use support::device::{Device, QUICK};
use support::{alarm, reading};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PATIENT: Duration = Duration::from_secs(20);

/// A mosquitto of its own, with a memory that outlives it.
struct Broker {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Broker {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let at = folder.path().display();
        let lines = format!(
            "listener {port} 127.0.0.1\nuser root\nallow_anonymous true\nset_tcp_nodelay true\n\
             persistence true\npersistence_location {at}/\nautosave_interval 1\n"
        );
        std::fs::write(folder.path().join("conf"), lines).unwrap();
        let mut broker = Self { folder, port, child: None };
        broker.come_back().await;
        broker
    }

    async fn come_back(&mut self) {
        let program = std::env::var("MOSQUITTO").unwrap_or_else(|_| "/usr/sbin/mosquitto".into());
        let child = Command::new(program)
            .arg("-c")
            .arg(self.folder.path().join("conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("mosquitto starts: tests/servers/get mosquitto installs it");
        self.child = Some(child);
        let answers = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENT, answers).await.expect("mosquitto answers");
    }

    /// Ends it politely: a mosquitto that is killed forgets what it has acknowledged within the
    /// last second, which is not what is tested here.
    async fn go_away(&mut self) {
        let mut child = self.child.take().unwrap();
        let id = child.id().unwrap().to_string();
        Command::new("kill").arg(id).status().await.unwrap();
        timeout(PATIENT, child.wait()).await.expect("it ends").unwrap();
    }

    /// The gateway: hears everything of every device.
    async fn gateway(&self) -> Gateway {
        let mut gateway = self.gateway_again();
        gateway.client.subscribe("standpipe/v1/#", QoS::AtLeastOnce).await.unwrap();
        gateway.until(|packet| matches!(packet, Packet::SubAck(_)).then_some(())).await;
        gateway
    }

    /// The same, after it was away: what came meanwhile is waiting for it.
    fn gateway_again(&self) -> Gateway {
        let mut options = MqttOptions::new("gateway", "127.0.0.1", self.port);
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(3_600));
        let (client, events) = AsyncClient::new(options, 100);
        Gateway { client, events }
    }
}

struct Gateway {
    client: AsyncClient,
    events: EventLoop,
}

impl Gateway {
    async fn until<T>(&mut self, mut wanted: impl FnMut(Packet) -> Option<T>) -> T {
        let found = async {
            loop {
                match self.events.poll().await {
                    Ok(Event::Incoming(packet)) => {
                        if let Some(found) = wanted(packet) {
                            return found;
                        }
                    }
                    Ok(Event::Outgoing(_)) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        timeout(PATIENT, found).await.expect("it comes in time")
    }

    /// The next message of a device: last level of the topic, payload.
    async fn hears(&mut self) -> (String, serde_json::Value) {
        self.until(|packet| {
            let Packet::Publish(it) = packet else { return None };
            let topic = String::from_utf8_lossy(&it.topic).into_owned();
            let level = topic.rsplit('/').next().unwrap_or_default().to_owned();
            let ours = ["telemetry", "alarm", "status", "reply"].contains(&level.as_str());
            ours.then(|| (level, serde_json::from_slice(&it.payload).expect("JSON")))
        })
        .await
    }

    async fn says(&mut self, level: &str, payload: impl Into<Vec<u8>>) {
        let topic = format!("standpipe/v1/{level}");
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.into()).await.unwrap();
        self.until(|packet| matches!(packet, Packet::PubAck(_)).then_some(())).await;
    }
}

/// TCP instead of a modem.
struct Tcp {
    port: u16,
    line: Option<FromTokio<TcpStream>>,
}

impl Modem for Tcp {
    type Stream = FromTokio<TcpStream>;

    async fn dial(&mut self) -> Result<(), DialFault> {
        let dialled = TcpStream::connect(("127.0.0.1", self.port)).await;
        let stream = dialled.map_err(|_| DialFault::NoAnswer)?;
        stream.set_nodelay(true).unwrap();
        self.line = Some(FromTokio::new(stream));
        Ok(())
    }

    fn stream(&mut self) -> &mut Self::Stream {
        self.line.as_mut().unwrap()
    }

    async fn hang_up(&mut self) {
        self.line = None;
    }

    async fn sleep(&mut self) {}

    fn rssi_dbm(&self) -> Option<i32> {
        Some(-77)
    }
}

/// Lets the device live for as long as `test` takes.
async fn beside<T>(device: &Device, port: u16, habits: Habits, test: impl Future<Output = T>) -> T {
    let mut tcp = Tcp { port, line: None };
    tokio::select! {
        _ = device.uplink(&mut tcp, habits) => unreachable!("it never ends"),
        done = test => done,
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

const HABITS: Habits = Habits { patience_ms: 5_000, retry_ms: 50, ..QUICK };

fn seqs(readings: &serde_json::Value) -> Vec<u64> {
    let one = std::slice::from_ref(readings);
    let all = readings.as_array().map_or(one, Vec::as_slice);
    all.iter().map(|it| it["seq"].as_u64().unwrap()).collect()
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
            let answer = Answer {
                id: "a".try_into().unwrap(),
                ok: true,
                detail: "\"fine\"".try_into().unwrap(),
            };
            device.post.answer(answer).await;
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
