//! A real mosquitto with a gateway of the test's own, and a device beside them.
//!
//! `MOSQUITTO` names the broker's program; otherwise it is looked for where Debian puts it.

use std::process::Stdio;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use standpipe_firmware::uplink::{DialFault, Habits, Modem};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::device::{Device, QUICK};

pub const PATIENT: Duration = Duration::from_secs(20);

/// A mosquitto of its own, with a memory that outlives it.
pub struct Broker {
    pub folder: tempfile::TempDir,
    pub port: u16,
    child: Option<Child>,
}

impl Broker {
    pub async fn start() -> Self {
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

    pub async fn come_back(&mut self) {
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
    pub async fn go_away(&mut self) {
        let mut child = self.child.take().unwrap();
        let id = child.id().unwrap().to_string();
        Command::new("kill").arg(id).status().await.unwrap();
        timeout(PATIENT, child.wait()).await.expect("it ends").unwrap();
    }

    /// The gateway: hears everything of every device.
    pub async fn gateway(&self) -> Gateway {
        let mut gateway = self.gateway_again();
        gateway.client.subscribe("standpipe/v1/#", QoS::AtLeastOnce).await.unwrap();
        gateway.until(|packet| matches!(packet, Packet::SubAck(_)).then_some(())).await;
        gateway
    }

    /// The same, after it was away: what came meanwhile is waiting for it.
    pub fn gateway_again(&self) -> Gateway {
        let mut options = MqttOptions::new("gateway", "127.0.0.1", self.port);
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(3_600));
        let (client, events) = AsyncClient::new(options, 100);
        Gateway { client, events }
    }
}

pub struct Gateway {
    client: AsyncClient,
    events: EventLoop,
}

impl Gateway {
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(Packet) -> Option<T>) -> T {
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
    pub async fn hears(&mut self) -> (String, serde_json::Value) {
        self.until(|packet| {
            let Packet::Publish(publish) = packet else { return None };
            let topic = String::from_utf8_lossy(&publish.topic).into_owned();
            let level = topic.rsplit('/').next().unwrap_or_default().to_owned();
            let ours = ["telemetry", "alarm", "status", "reply"].contains(&level.as_str());
            ours.then(|| (level, serde_json::from_slice(&publish.payload).expect("JSON")))
        })
        .await
    }

    pub async fn says(&mut self, level: &str, payload: impl Into<Vec<u8>>) {
        let topic = format!("standpipe/v1/{level}");
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.into()).await.unwrap();
        self.until(|packet| matches!(packet, Packet::PubAck(_)).then_some(())).await;
    }
}

/// TCP instead of a modem.
pub struct Tcp {
    pub port: u16,
    pub line: Option<FromTokio<TcpStream>>,
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
pub async fn beside<T>(
    device: &Device,
    port: u16,
    habits: Habits,
    test: impl Future<Output = T>,
) -> T {
    let mut tcp = Tcp { port, line: None };
    tokio::select! {
        _ = device.uplink(&mut tcp, habits) => unreachable!("it never ends"),
        done = test => done,
    }
}

pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

pub const HABITS: Habits = Habits { patience_ms: 5_000, retry_ms: 50, ..QUICK };
