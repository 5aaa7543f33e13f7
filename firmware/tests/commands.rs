//! A whole device, node and uplink, against a real mosquitto: commands that waited, and a
//! connection on which nothing is said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod support;

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use standpipe_firmware::life::{Board, Life};
use standpipe_firmware::uplink::{DialFault, Habits, Modem, Stay};
use standpipe_firmware::{Contacts, Fault, Hand, Link, Node, Radio, Seen, Sounder, Start, Wanted};
use standpipe_shared::{Kind, Status};
use support::broker::{Broker, HABITS, PATIENT, beside, run};
use support::chip::Chip;
use support::device::Device;
use support::reading;
use tokio::io::DuplexStream;
use tokio::time::timeout;

/// As many commands as the gateway lets wait for one device.
const COMMANDS: usize = 16;

/// A board on which nothing is connected.
struct Bare;

impl Board for Bare {
    async fn sense(&mut self, _: Wanted) -> Seen {
        Seen::default()
    }

    fn contacts(&mut self) -> Contacts {
        Contacts::default()
    }

    async fn touched(&mut self) -> Option<Hand> {
        pending().await
    }

    fn sound(&mut self, _: Sounder) {}

    async fn self_test(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn restart(&mut self) -> ! {
        unreachable!("nobody asks for it")
    }
}

async fn until(what: &str, device: &Device, link: Link) {
    let reached = async {
        while device.post.link() != link {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENT, reached).await.unwrap_or_else(|_| panic!("{what}"));
}

/// Both tasks together: neither may wait for the other while the broker hands over all commands
/// at once, before it acknowledges the first answer.
#[test]
fn sixteen_commands_that_waited_are_answered_each() {
    run(async {
        let broker = Broker::start().await;
        let mut gateway = broker.gateway().await;
        let chip = Chip::<1_024>::new();
        let device = Device::start(&chip, "H-1").await;
        let habits = Habits { stay: Stay::Briefly, linger_ms: 500, ..HABITS };
        device.post.set_radio(Radio::Sleep);
        let answered = beside(&device, broker.port, habits, async {
            assert_eq!(gateway.hears().await.0, "status");
            until("it sleeps when everything is said", &device, Link::Asleep).await;
            for id in 0..COMMANDS {
                let command = format!(r#"{{"id":"c-{id}","command":"report_now"}}"#);
                gateway.says("banan/H-1/command", command).await;
            }
            let node = Node::start(Kind::Hydrant, None, Start::default());
            let (post, pulse) = (&device.post, &device.pulse);
            let mut life = Life { node, board: Bare, post, pulse };
            let answers = async {
                let mut answered = BTreeSet::new();
                while answered.len() < COMMANDS {
                    let (level, json) = gateway.hears().await;
                    if level == "reply" {
                        assert_eq!(json["ok"], true, "{json}");
                        answered.insert(json["id"].as_str().unwrap().to_owned());
                    }
                }
                answered
            };
            tokio::select! {
                _ = life.run() => unreachable!("it never ends"),
                answered = answers => answered,
            }
        })
        .await;
        assert_eq!(answered.len(), COMMANDS, "{answered:?}");
    });
}

/// What a device cannot read is counted and answered, once: settings come with every connection.
#[test]
fn what_cannot_be_read_is_counted_and_answered() {
    run(async {
        let broker = Broker::start().await;
        let mut gateway = broker.gateway().await;
        let chip = Chip::<1_024>::new();
        let device = Device::start(&chip, "H-1").await;
        beside(&device, broker.port, HABITS, async {
            assert_eq!(gateway.hears().await.0, "status");
            until("it is connected", &device, Link::Online).await;
            for (level, message, id) in [
                ("command", r#"{"id":"c-1","command":"explode"}"#, "c-1"),
                ("settings", r#"{"rev":7,"interval_s":"often"}"#, "settings-7"),
                ("settings", r#"{"rev":7,"interval_s":"often"}"#, ""),
                ("command", r#"{"id":"c-2","command":"melt"}"#, "c-2"),
            ] {
                gateway.says(&format!("banan/H-1/{level}"), message.to_owned()).await;
                if id.is_empty() {
                    continue;
                }
                let (channel, json) = gateway.hears().await;
                assert_eq!(
                    (&*channel, &json["id"], &json["ok"]),
                    ("reply", &id.into(), &false.into())
                );
            }
            device.post.set_status(Status { online: true, ..Status::default() });
            let (channel, json) = gateway.hears().await;
            assert_eq!((&*channel, &json["refused"]), ("status", &4.into()), "{json}");
        })
        .await;
    });
}

/// On mains a device is there for commands, also when it has nothing to say itself.
#[test]
fn an_idle_device_on_mains_comes_back_by_itself() {
    run(async {
        let mut broker = Broker::start().await;
        let mut gateway = broker.gateway().await;
        let chip = Chip::<1_024>::new();
        let device = Device::start(&chip, "H-1").await;
        device.post.set_radio(Radio::Sleep);
        let port = broker.port;
        beside(&device, port, HABITS, async {
            assert_eq!(gateway.hears().await.1["online"], true);
            // The birth has been acknowledged: now nothing waits.
            tokio::time::sleep(Duration::from_millis(300)).await;
            broker.go_away().await;
            until("it notices", &device, Link::Connecting).await;
            broker.come_back().await;
            until("it comes back, though nothing waits", &device, Link::Online).await;
            gateway.says("banan/H-1/command", r#"{"id":"a","command":"self_test"}"#).await;
            timeout(PATIENT, device.post.heard.receive()).await.expect("and listens");
        })
        .await;
    });
}

/// A modem in a cellar.
struct Cellar {
    line: FromTokio<DuplexStream>,
    dialled: u32,
    slept: u32,
}

impl Modem for Cellar {
    type Stream = FromTokio<DuplexStream>;

    async fn dial(&mut self) -> Result<(), DialFault> {
        self.dialled += 1;
        Err(DialFault::NoNetwork)
    }

    fn stream(&mut self) -> &mut Self::Stream {
        &mut self.line
    }

    async fn hang_up(&mut self) {}

    async fn sleep(&mut self) {
        self.slept += 1;
    }

    fn rssi_dbm(&self) -> Option<i32> {
        None
    }
}

/// Between two attempts in vain a battery's modem sleeps as it does between two readings.
#[test]
fn a_battery_that_finds_no_network_lets_its_modem_sleep() {
    for (stay, sleeps) in [(Stay::Briefly, true), (Stay::Always, false)] {
        run(async {
            let chip = Chip::<1_024>::new();
            let device = Device::start(&chip, "H-1").await;
            device.put(&reading(device.boot, 1)).await;
            let line = FromTokio::new(tokio::io::duplex(64).0);
            let mut modem = Cellar { line, dialled: 0, slept: 0 };
            let habits = Habits { stay, ..HABITS };
            let _ = timeout(Duration::from_secs(1), device.uplink(&mut modem, habits)).await;
            assert!(modem.dialled >= 2, "{stay:?}");
            assert_eq!(modem.slept > 0, sleeps, "{stay:?}");
        });
    }
}
