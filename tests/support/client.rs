//! An MQTT 5 client of another make than the gateway's own: a device, a terminal, an onlooker.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet};
use rumqttc::v5::{self, Event, MqttOptions};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests that may wait inside the client.
const WAITING: usize = 65_536;

/// A connected client.
pub struct Client {
    client: v5::Client,
    done: Receiver<Packet>,
    heard: Receiver<Heard>,
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub topic: String,
    pub payload: Vec<u8>,
    /// Whether the broker had kept it.
    pub retained: bool,
}

impl Heard {
    /// The payload as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

impl Client {
    /// Connects to a broker on 127.0.0.1 under a name, with nothing kept.
    ///
    /// # Panics
    /// When the broker does not answer.
    #[must_use]
    pub fn connect(port: u16, name: &str) -> Self {
        Self::by(MqttOptions::new(name, "127.0.0.1", port))
    }

    /// The same with a session that the broker keeps for an hour: subscriptions, and what comes
    /// on them meanwhile.
    ///
    /// # Panics
    /// When the broker does not answer.
    #[must_use]
    pub fn with_session(port: u16, name: &str) -> Self {
        let mut options = MqttOptions::new(name, "127.0.0.1", port);
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(3_600));
        Self::by(options)
    }

    fn by(mut options: MqttOptions) -> Self {
        options.set_max_packet_size(Some(16 * 1024 * 1024));
        let (client, mut connection) = v5::Client::new(options, WAITING);
        let (told, done) = channel();
        let (hear, heard) = channel();
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(packet)) => pass_on(packet, &told, &hear),
                    Ok(Event::Outgoing(_)) => {}
                    Err(_) => return,
                }
            }
        });
        let connected = Self { client, done, heard };
        assert!(matches!(connected.answer(), Packet::ConnAck(ConnAck { .. })), "a connection");
        connected
    }

    fn answer(&self) -> Packet {
        self.done.recv_timeout(PATIENCE).expect("an answer of the broker")
    }

    /// Publishes at QoS 1; returns when the broker has it.
    ///
    /// # Panics
    /// When the broker does not take it.
    pub fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>) {
        self.publish_all([(topic.to_owned(), payload.into())]);
    }

    /// Publishes a message that the broker keeps; returns when it has it.
    ///
    /// # Panics
    /// When the broker does not take it.
    pub fn publish_retained(&self, topic: &str, payload: impl Into<Vec<u8>>) {
        self.client.publish(topic, QoS::AtLeastOnce, true, payload.into()).expect("a connection");
        assert!(matches!(self.answer(), Packet::PubAck(_)), "a confirmation");
    }

    /// Publishes many at QoS 1; returns when the broker has them all.
    ///
    /// # Panics
    /// When the broker does not take them.
    pub fn publish_all(&self, messages: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let live = messages.into_iter().map(|(topic, payload)| (topic, payload, false));
        self.publish_each(live);
    }

    /// Publishes many at QoS 1 that the broker keeps; returns when it has them all.
    ///
    /// # Panics
    /// When the broker does not take them.
    pub fn retain_all(&self, messages: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let kept = messages.into_iter().map(|(topic, payload)| (topic, payload, true));
        self.publish_each(kept);
    }

    fn publish_each(&self, messages: impl Iterator<Item = (String, Vec<u8>, bool)>) {
        let mut sent = 0;
        for (topic, payload, retained) in messages {
            self.client.publish(topic, QoS::AtLeastOnce, retained, payload).expect("room");
            sent += 1;
        }
        for _ in 0..sent {
            assert!(matches!(self.answer(), Packet::PubAck(_)), "a confirmation");
        }
    }

    /// Listens to a filter at QoS 1; returns when the broker has it.
    ///
    /// # Panics
    /// When the broker does not take it.
    pub fn subscribe(&self, filter: &str) {
        self.client.subscribe(filter, QoS::AtLeastOnce).expect("room");
        assert!(matches!(self.answer(), Packet::SubAck(_)), "a subscription");
    }

    /// The next message within a time.
    #[must_use]
    pub fn next(&self, within: Duration) -> Option<Heard> {
        self.heard.recv_timeout(within).ok()
    }

    /// The next message.
    ///
    /// # Panics
    /// When none comes in time.
    #[must_use]
    pub fn hear(&self) -> Heard {
        self.next(PATIENCE).expect("a message")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.client.disconnect();
    }
}

fn pass_on(packet: Packet, told: &Sender<Packet>, hear: &Sender<Heard>) {
    if let Packet::Publish(publish) = packet {
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let (payload, retained) = (publish.payload.to_vec(), publish.retain);
        let _ = hear.send(Heard { topic, payload, retained });
    } else if matches!(packet, Packet::ConnAck(_) | Packet::PubAck(_) | Packet::SubAck(_)) {
        let _ = told.send(packet);
    }
}
