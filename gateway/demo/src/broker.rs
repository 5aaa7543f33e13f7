//! The demonstration's own MQTT broker: rumqttd in this process, over loopback TCP.
//!
//! Measured before it was chosen (the test below is what is left of it): MQTT 5 sessions outlive
//! a connection, QoS 1 loses nothing while its segments have room, retained messages come with
//! every new subscription. Its traps, and what is done here: it drops QoS 1 silently when a
//! filter's segments are full ([`SEGMENT_BYTES`] × [`SEGMENTS`] hold minutes of a large town); it
//! never ends (its threads die with the process); it holds at most 100 messages in flight to a
//! client and wants them acknowledged in order; everything is in memory. Not for production.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use standpipe_machine::threads;

/// Bytes of one segment of one subscription's log.
const SEGMENT_BYTES: usize = 1 << 20;
/// Segments of one subscription's log.
const SEGMENTS: usize = 24;
/// Clients at once.
const CONNECTIONS: usize = 64;
/// The largest message taken.
const PAYLOAD_BYTES: usize = 2 << 20;
/// Packets read from one client before others have their turn.
const READ_AT_ONCE: usize = 200;
/// Packets sent to one client before others have their turn.
const SEND_AT_ONCE: u64 = 200;
/// A client that has not introduced itself by then is sent away.
const INTRODUCTION_MS: u16 = 5_000;
/// Between two looks whether it listens.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Looks before giving up: three seconds.
const LOOKS: u32 = 300;

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It gets no port, or no thread.
    #[error("cannot start the embedded broker ({0}): free some memory or threads")]
    Io(#[from] std::io::Error),
    /// It does not answer.
    #[error("the embedded broker does not listen on {0}: start the demonstration again")]
    Silent(SocketAddr),
}

/// Starts the broker on a free loopback port and waits until it listens. It runs until the
/// process ends.
///
/// # Errors
/// [`BrokerError`] when there is no port, no thread or no answer.
pub fn start() -> Result<SocketAddr, BrokerError> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let listen = free.local_addr()?;
    drop(free);
    let mut broker = Broker::new(settings(listen));
    threads::start("demo-broker", move || {
        if let Err(bad) = broker.start() {
            tracing::error!(%bad, "the embedded broker has ended: start the demonstration again");
        }
    })?;
    for _ in 0..LOOKS {
        if TcpStream::connect_timeout(&listen, LOOK_EVERY).is_ok() {
            return Ok(listen);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Err(BrokerError::Silent(listen))
}

fn settings(listen: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: INTRODUCTION_MS,
        max_payload_size: PAYLOAD_BYTES,
        max_inflight_count: READ_AT_ONCE,
        auth: None,
        external_auth: None,
        dynamic_filters: false,
    };
    let server = ServerSettings {
        name: "demo".to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    Config {
        id: 0,
        router: RouterConfig {
            max_connections: CONNECTIONS,
            max_outgoing_packet_count: SEND_AT_ONCE,
            max_segment_size: SEGMENT_BYTES,
            max_segment_count: SEGMENTS,
            ..RouterConfig::default()
        },
        v5: Some(HashMap::from([("demo".to_owned(), server)])),
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::SocketAddr;
    use std::time::Duration;

    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::Packet;
    use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
    use tokio::task::JoinSet;

    const MESSAGES: u32 = 20_000;

    fn client(id: &str, broker: SocketAddr) -> (AsyncClient, EventLoop) {
        let mut options = MqttOptions::new(id, broker.ip().to_string(), broker.port());
        options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(600))
            .set_outgoing_inflight_upper_limit(100)
            .set_manual_acks(true);
        AsyncClient::new(options, 1_000)
    }

    /// Takes messages until `enough` different ones are known, acknowledging all but the last ten.
    async fn take(name: &str, broker: SocketAddr, seen: &mut HashSet<u32>, enough: usize) -> bool {
        let (client, mut events) = client(name, broker);
        let (mut present, mut unacknowledged) = (false, std::collections::VecDeque::new());
        while seen.len() < enough {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                    present = ack.session_present;
                    if !present {
                        client.subscribe("t/+", QoS::AtLeastOnce).await.unwrap();
                    }
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    let number = std::str::from_utf8(&publish.payload).unwrap().parse().unwrap();
                    seen.insert(number);
                    unacknowledged.push_back(publish);
                    if unacknowledged.len() > 10 {
                        client.ack(&unacknowledged.pop_front().unwrap()).await.unwrap();
                    }
                }
                Ok(_) => {}
                Err(bad) => panic!("{bad}"),
            }
        }
        present // the connection is dropped without goodbye
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_session_outlives_its_connection_and_loses_nothing() {
        let broker = super::start().unwrap();
        let mut seen = HashSet::new();
        let mut tasks = JoinSet::new();
        let (publisher, mut events) = client("publisher", broker);
        tasks.spawn(async move { while events.poll().await.is_ok() {} });
        publisher.publish("t/kept", QoS::AtLeastOnce, true, "0").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!take("gateway", broker, &mut seen, 1).await, "the retained one comes first");
        tasks.spawn(async move {
            for number in 1..MESSAGES {
                let topic = format!("t/{}", number % 50);
                publisher
                    .publish(topic, QoS::AtLeastOnce, false, number.to_string())
                    .await
                    .unwrap();
            }
            std::future::pending().await
        });
        for enough in [2_000, 9_000, MESSAGES as usize] {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let taken = take("gateway", broker, &mut seen, enough);
            let present = tokio::time::timeout(Duration::from_secs(20), taken).await;
            assert_eq!(present, Ok(true), "{} of {MESSAGES}", seen.len());
        }
        assert_eq!(seen, (0..MESSAGES).collect());
    }
}
