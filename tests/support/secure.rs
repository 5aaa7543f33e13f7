//! An MQTT 5 client that has to show who it is: by certificate or by password, over TLS.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet, PubAckReason};
use rumqttc::v5::{Client, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};

use crate::client::Heard;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it shows who it is.
#[derive(Clone, Debug)]
pub enum Login {
    /// PEM of a certificate and its key.
    Certificate(Vec<u8>, Vec<u8>),
    /// Name and password.
    Password(String, String),
}

impl Login {
    /// The certificate and key of `place.pem` and `place.key`.
    ///
    /// # Panics
    /// When they are not there.
    #[must_use]
    pub fn files(place: &Path) -> Self {
        let read = |extension| {
            let path = place.with_extension(extension);
            std::fs::read(&path).unwrap_or_else(|bad| panic!("{}: {bad}", path.display()))
        };
        Self::Certificate(read("pem"), read("key"))
    }
}

/// A connected client.
pub struct Secure {
    client: Client,
    answers: Receiver<Result<Packet, String>>,
    heard: Receiver<Heard>,
}

impl Secure {
    /// Connects to a broker on 127.0.0.1 whose certificate this authority (PEM) signed.
    ///
    /// # Errors
    /// Why it was not let in.
    pub fn connect(port: u16, authority: &[u8], login: &Login) -> Result<Self, String> {
        let mut options = MqttOptions::new("whoever", "127.0.0.1", port);
        let client_auth = match login {
            Login::Certificate(certificate, key) => Some((certificate.clone(), key.clone())),
            Login::Password(name, password) => {
                options.set_credentials(name, password);
                None
            }
        };
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
            ca: authority.to_vec(),
            alpn: None,
            client_auth,
        }));
        let (client, mut connection) = Client::new(options, 1_000);
        let (told, answers) = channel();
        let (hear, heard) = channel();
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(packet)) => pass_on(packet, &told, &hear),
                    Ok(Event::Outgoing(_)) => {}
                    Err(bad) => {
                        let _ = told.send(Err(bad.to_string()));
                        return;
                    }
                }
            }
        });
        let connected = Self { client, answers, heard };
        match connected.answer()? {
            Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => Ok(connected),
            other => Err(format!("{other:?}")),
        }
    }

    fn answer(&self) -> Result<Packet, String> {
        self.answers.recv_timeout(PATIENCE).map_err(|bad| bad.to_string())?
    }

    /// Publishes at QoS 1.
    ///
    /// # Errors
    /// Why the broker does not take it.
    ///
    /// # Panics
    /// When the client is full.
    pub fn publish(&self, topic: &str, retain: Retain, payload: &str) -> Result<(), String> {
        let retain = retain == Retain::Yes;
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload.to_owned()).expect("room");
        match self.answer()? {
            Packet::PubAck(ack)
                if matches!(
                    ack.reason,
                    PubAckReason::Success | PubAckReason::NoMatchingSubscribers
                ) =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        }
    }

    /// Listens to a filter at QoS 1; returns when the broker has answered.
    ///
    /// # Errors
    /// When the broker has gone.
    ///
    /// # Panics
    /// When the client is full.
    pub fn subscribe(&self, filter: &str) -> Result<(), String> {
        self.client.subscribe(filter, QoS::AtLeastOnce).expect("room");
        self.answer().map(|_| ())
    }

    /// The next message within a time.
    #[must_use]
    pub fn next(&self, within: Duration) -> Option<Heard> {
        self.heard.recv_timeout(within).ok()
    }
}

/// Whether the broker keeps a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retain {
    /// The broker keeps it for whoever subscribes later.
    Yes,
    /// Only for those who are there now.
    No,
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.client.disconnect();
    }
}

fn pass_on(packet: Packet, told: &Sender<Result<Packet, String>>, hear: &Sender<Heard>) {
    if let Packet::Publish(publish) = packet {
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let (payload, retained) = (publish.payload.to_vec(), publish.retain);
        let _ = hear.send(Heard { topic, payload, retained });
    } else if matches!(packet, Packet::ConnAck(_) | Packet::PubAck(_) | Packet::SubAck(_)) {
        let _ = told.send(Ok(packet));
    }
}
