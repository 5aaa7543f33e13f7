//! A station's terminal: subscribes to its incidents, says that it is there, acts.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{Client, Event, Incoming, MqttOptions};
use serde_json::{Value, json};

use crate::{now, wait_for};

/// One message on a station's topic.
#[derive(Clone, Debug)]
pub struct ShownIncident {
    pub at: i64,
    /// The station on whose topic it was.
    pub station: String,
    /// The incident's id, from the topic.
    pub incident: String,
    /// What it says; `Null` when emptied.
    pub body: Value,
}

/// A connected terminal, or any other client.
pub struct Station {
    client: Client,
    seen: Arc<Mutex<Vec<ShownIncident>>>,
    up: Receiver<()>,
}

impl Station {
    /// Connects and subscribes to the incidents of `station` (`+`: of all).
    ///
    /// # Panics
    /// When the broker is not there.
    #[must_use]
    pub fn connect(port: u16, station: &str) -> Self {
        let id = format!("terminal-{station}-{}", now()).replace('+', "all");
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options.set_max_packet_size(Some(8 << 20));
        let (client, mut connection) = Client::new(options, 10_000);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (told, up) = channel();
        let (sink, again) = (Arc::clone(&seen), client.clone());
        let filter = format!("standpipe/v1/stations/{station}/incidents/+");
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        let _ = again.subscribe(filter.clone(), QoS::AtLeastOnce);
                    }
                    Ok(Event::Incoming(Incoming::SubAck(_))) => {
                        let _ = told.send(());
                    }
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                        let mut levels = topic.split('/').skip(3);
                        let station = levels.next().unwrap_or_default().to_owned();
                        let incident = levels.nth(1).unwrap_or_default().to_owned();
                        let body = serde_json::from_slice(&publish.payload).unwrap_or(Value::Null);
                        let shown = ShownIncident { at: now(), station, incident, body };
                        if let Ok(mut seen) = sink.lock() {
                            seen.push(shown);
                        }
                    }
                    Ok(_) => {}
                    // The broker was stopped, or the client has gone.
                    Err(_) if Arc::strong_count(&sink) == 1 => return,
                    Err(_) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        });
        let station = Self { client, seen, up };
        station.up.recv_timeout(Duration::from_secs(10)).expect("a subscription");
        station
    }

    /// Says that the terminal is open.
    pub fn present(&self, station: &str) {
        let topic = format!("standpipe/v1/stations/{station}/presence");
        self.publish(&topic, true, &json!({"online": true}));
    }

    /// Publishes anything at QoS 1.
    ///
    /// # Panics
    /// When the client's own queue is full.
    pub fn publish(&self, topic: &str, retain: bool, body: &Value) {
        self.client
            .publish(topic, QoS::AtLeastOnce, retain, body.to_string())
            .expect("room in the client's queue");
    }

    /// Publishes raw bytes at QoS 1.
    ///
    /// # Panics
    /// When the client's own queue is full.
    pub fn publish_raw(&self, topic: &str, body: Vec<u8>) {
        self.client
            .publish(topic, QoS::AtLeastOnce, false, body)
            .expect("room in the client's queue");
    }

    /// Publishes raw bytes at QoS 1 for the broker to keep.
    ///
    /// # Panics
    /// When the client's own queue is full.
    pub fn retain_raw(&self, topic: &str, body: Vec<u8>) {
        self.client
            .publish(topic, QoS::AtLeastOnce, true, body)
            .expect("room in the client's queue");
    }

    /// Does something about an incident.
    pub fn act(&self, station: &str, incident: &str, action: &str) {
        let topic = format!("standpipe/v1/stations/{station}/actions");
        let body = json!({"incident": incident, "action": action, "by": "chief", "note": ""});
        self.publish(&topic, false, &body);
    }

    /// Everything seen so far.
    ///
    /// # Panics
    /// When the receiving thread did.
    #[must_use]
    pub fn seen(&self) -> Vec<ShownIncident> {
        self.seen.lock().expect("the receiving thread").clone()
    }

    /// Waits for a message that pleases `wanted`.
    pub fn wait(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&ShownIncident) -> bool,
    ) -> ShownIncident {
        wait_for(what, within, || self.seen().into_iter().find(&wanted))
    }

    /// The page ids seen so far with their incident and station, each once, in order.
    #[must_use]
    pub fn pages(&self) -> Vec<(String, String, String)> {
        let mut pages: Vec<(String, String, String)> = Vec::new();
        for shown in self.seen() {
            let Some(id) = shown.body["page_id"].as_str() else { continue };
            if !pages.iter().any(|page| page.0 == id) {
                pages.push((id.to_owned(), shown.incident.clone(), shown.station.clone()));
            }
        }
        pages
    }
}
