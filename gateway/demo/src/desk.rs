//! The stations' terminals of the demonstration: one MQTT client that hears all stations' topics,
//! tells people what it heard ([`super::words`]) and answers ([`super::officer`]).

use std::net::SocketAddr;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use standpipe_machine::clock::Clock;
use standpipe_shared::{Name, StationChannel, Topic};
use tokio::sync::mpsc;

use super::officer::{ABSENT, Deed, Officers};
use super::words::{HeardIncident, Teller};

/// Requests waiting in the client.
const REQUESTS: usize = 256;
/// Incidents heard that wait to be told.
const HEARD: usize = 4_096;
/// Between two looks at what is to be done.
const LOOK: Duration = Duration::from_millis(100);
/// Between two attempts to reach the broker.
const RETRY: Duration = Duration::from_millis(500);
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The terminals' connection.
pub struct TerminalDesk {
    client: AsyncClient,
    events: EventLoop,
    root: Box<str>,
    clock: Clock,
}

impl TerminalDesk {
    /// Not connected yet.
    pub fn new(broker: SocketAddr, root: &str, clock: Clock) -> Self {
        let mut options =
            MqttOptions::new("standpipe-demo-desk", broker.ip().to_string(), broker.port());
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(Some(standpipe_machine::limits::MAX_PACKET));
        let (client, events) = AsyncClient::new(options, REQUESTS);
        Self { client, events, root: root.into(), clock }
    }

    /// The connection (to be polled for ever) and who answers what it hears.
    pub fn split(self) -> (impl Future<Output = ()>, Terminals) {
        let Self { client, events, root, clock } = self;
        let (heard, hears) = mpsc::channel(HEARD);
        let terminals = Terminals {
            client: client.clone(),
            hears,
            officers: Officers::default(),
            root: root.clone(),
            clock: clock.clone(),
        };
        (listen(client, events, root, heard, clock), terminals)
    }
}

/// The officers with their terminals.
pub struct Terminals {
    client: AsyncClient,
    hears: mpsc::Receiver<HeardIncident>,
    officers: Officers,
    root: Box<str>,
    clock: Clock,
}

impl Terminals {
    /// Switches the terminals on, but for one.
    pub async fn switch_on(&self, stations: &[&str]) {
        for station in stations.iter().filter(|station| **station != ABSENT) {
            if let Some(topic) = topic(&self.root, station, StationChannel::Presence) {
                let online = r#"{"online":true}"#;
                // The queue holds more than there are stations.
                let _ = self.client.publish(topic, QoS::AtLeastOnce, true, online).await;
            }
        }
    }

    /// Tells what is heard and answers, for ever. `told` gets the lines.
    pub async fn serve(&mut self, teller: &mut Teller, mut told: impl FnMut(Vec<String>)) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                heard = self.hears.recv() => {
                    let Some(heard) = heard else { return };
                    told(teller.incident(&heard));
                    self.officers.hear(&heard);
                }
                _ = look.tick() => {
                    for deed in self.officers.due(self.clock.now()) {
                        self.act(deed).await;
                    }
                }
            }
        }
    }

    async fn act(&self, deed: Deed) {
        if let Some(topic) = topic(&self.root, &deed.station, StationChannel::Actions) {
            // It fails only when the connection's task has ended: then so has the demonstration.
            let _ = self.client.publish(topic, QoS::AtLeastOnce, false, deed.payload).await;
        }
    }
}

async fn listen(
    client: AsyncClient,
    mut events: EventLoop,
    root: Box<str>,
    heard: mpsc::Sender<HeardIncident>,
    clock: Clock,
) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                let filter = format!("{root}/stations/+/incidents/+");
                // Its queue is empty right after a connection.
                let _ = client.try_subscribe(filter, QoS::AtLeastOnce);
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let Some(station) = station(&root, &publish.topic) else { continue };
                // An emptied topic: the incident was closed, which its last rev has said.
                let Ok(incident) = serde_json::from_slice(&publish.payload) else { continue };
                if heard.try_send(HeardIncident { station, incident, at: clock.now() }).is_err() {
                    tracing::warn!(
                        "the demonstration hears more than it can tell: use fewer devices"
                    );
                }
            }
            Ok(_) => {}
            Err(bad) => {
                tracing::debug!(%bad, "the terminals have no broker: retrying");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn station(root: &str, topic: &[u8]) -> Option<Box<str>> {
    match Topic::parse(root, std::str::from_utf8(topic).ok()?).ok()? {
        Topic::Station { station, channel: StationChannel::Incident(_) } => {
            Some(station.as_str().into())
        }
        Topic::Station { .. } | Topic::Device { .. } | Topic::Clock | Topic::Chain => None,
    }
}

fn topic(root: &str, station: &str, channel: StationChannel<'_>) -> Option<String> {
    let mut text = String::new();
    let station = Name::new(station).ok()?;
    Topic::Station { station, channel }.write(root, &mut text).ok()?;
    Some(text)
}
