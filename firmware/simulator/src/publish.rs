//! The town's voice: real MQTT 5 over a handful of connections, not one a device.
//!
//! One device always speaks through the same connection, so its messages keep their order. While
//! the broker is away the town waits; afterwards it catches up with the `ts` of the samples, as
//! devices with an outbox do. Not a load generator: a message in flight when a broker forgets
//! its session is lost, but for an alarm that awaits its receipt, which is repeated.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{AsyncClient, EventLoop, MqttOptions, OptionError};
use standpipe_firmware::outbox::Receipts;
use standpipe_firmware::{Heard, heard};
use standpipe_shared::{Channel, Topic};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::{Ms, Story, StoryLine, Town, TownMessage};

/// Messages waiting in one connection before the town waits.
const QUEUE: usize = 1_000;
/// Messages of one connection that the broker has not confirmed yet.
const IN_FLIGHT: u16 = 100;
/// Between two steps of the town.
const STEP: Duration = Duration::from_millis(50);
/// Between two attempts to reach the broker.
const RETRY: Duration = Duration::from_millis(500);
/// A session is kept this long without a connection.
const SESSION_S: u32 = 600;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// What is still queued at the end has this long to go out.
const FAREWELL: Duration = Duration::from_millis(300);
/// Settings and commands that wait for the next step of 50 ms; what does not fit is lost.
const HEARD: usize = 10_000;

/// Where and how the town speaks.
#[derive(Clone, Debug)]
pub struct Voice {
    /// `mqtt://[user:password@]host:port`
    pub url: String,
    /// What all topics begin with.
    pub root: String,
    pub connections: usize,
}

/// Lets a town speak until `stop`. `clock` is asked for Unix milliseconds; `told` hears what
/// happens to the world. Answers how many messages the broker has confirmed.
///
/// # Errors
/// An address that is none. A broker that cannot be reached is not an error: it is retried.
pub async fn speak(
    town: &mut Town,
    voice: &Voice,
    clock: impl Fn() -> Ms,
    stop: impl Future<Output = ()>,
    mut told: impl FnMut(&StoryLine),
) -> Result<u64, OptionError> {
    let mut pumps = JoinSet::new();
    let mut mouth = Mouth { clients: Vec::new(), root: &voice.root };
    let confirmed = Arc::new(AtomicU64::new(0));
    let (ear, mut heard) = mpsc::channel(HEARD);
    for at in 0..voice.connections.max(1) {
        let (client, events) = AsyncClient::new(options(voice, at)?, QUEUE);
        // The first connection listens for all.
        let ear = (at == 0).then(|| Ear {
            client: client.clone(),
            to: ear.clone(),
            root: voice.root.clone(),
        });
        pumps.spawn(pump(events, ear, Arc::clone(&confirmed)));
        mouth.clients.push(client);
    }
    let living = async {
        let mut told_until = 0;
        let mut beat = tokio::time::interval(STEP);
        loop {
            beat.tick().await;
            let now = clock();
            while let Ok((device, message, receipts)) = heard.try_recv() {
                if let Some(receipts) = receipts {
                    town.promise(&device, receipts);
                }
                town.hear(&device, message, now);
            }
            let said = town.step(now);
            told_until = tell(town.story(), told_until, &mut told);
            for message in said {
                mouth.say(message).await;
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = living => {}
    }
    for client in &mouth.clients {
        // A full queue has nobody to say goodbye to.
        let _ = client.try_disconnect();
    }
    let farewell = async { while pumps.join_next().await.is_some() {} };
    // Whatever could not leave in time is given up: the town is over.
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
    Ok(confirmed.load(Ordering::Relaxed))
}

/// The connections of a town.
struct Mouth<'a> {
    clients: Vec<AsyncClient>,
    root: &'a str,
}

impl Mouth<'_> {
    /// Waits while the connection's queue is full.
    async fn say(&self, message: TownMessage) {
        let mut hasher = DefaultHasher::new();
        message.device.hash(&mut hasher);
        let at = hasher.finish() % u64::try_from(self.clients.len().max(1)).unwrap_or(1);
        let client = self.clients.get(usize::try_from(at).unwrap_or(0));
        let (Some(topic), Some(client)) = (message.topic(self.root), client) else { return };
        // It fails only when the connection's task has ended: then so does the town.
        let _ = client.publish(topic, QoS::AtLeastOnce, message.retain, message.payload).await;
    }
}

fn tell(story: &Story, heard: usize, told: &mut impl FnMut(&StoryLine)) -> usize {
    let (new, next) = story.since(heard);
    new.for_each(told);
    next
}

fn options(voice: &Voice, at: usize) -> Result<MqttOptions, OptionError> {
    let id = format!("standpipe-town-{}-{at}", std::process::id());
    let sign = if voice.url.contains('?') { '&' } else { '?' };
    let mut options = MqttOptions::parse_url(format!("{}{sign}client_id={id}", voice.url))?;
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_S))
        .set_outgoing_inflight_upper_limit(IN_FLIGHT);
    Ok(options)
}

/// What listens for all devices of the town.
struct Ear {
    client: AsyncClient,
    to: mpsc::Sender<(String, Heard, Option<Receipts>)>,
    root: String,
}

impl Ear {
    /// Listens from now on. After a full queue or a lost connection, the next one retries it.
    fn listen(&self) {
        for channel in ["settings", "command", "receipt"] {
            let _ =
                self.client.try_subscribe(format!("{}/+/+/{channel}", self.root), QoS::AtLeastOnce);
        }
    }

    /// Passes on what a device understands; what it does not is dropped, as a device does.
    fn take(&self, publish: &Publish) {
        let topic = core::str::from_utf8(&publish.topic).unwrap_or_default();
        let Ok(Topic::Device { device, channel, .. }) = Topic::parse(&self.root, topic) else {
            return;
        };
        if let Ok(heard) = Heard::from_device_topic(channel, &publish.payload) {
            let receipts =
                (channel == Channel::Settings).then(|| heard::receipts(&publish.payload));
            let _ = self.to.try_send((device.as_str().to_owned(), heard, receipts.flatten()));
        }
    }
}

/// Owns one connection; ends only when it is told goodbye.
async fn pump(mut events: EventLoop, ear: Option<Ear>, confirmed: Arc<AtomicU64>) {
    use rumqttc::Outgoing::Disconnect;
    use rumqttc::v5::Event;
    let mut up = true;
    let mut leaving = false;
    loop {
        match events.poll().await {
            Ok(Event::Outgoing(Disconnect)) => leaving = true,
            Ok(Event::Incoming(Packet::PubAck(_))) => {
                confirmed.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                up = true;
                if let Some(ear) = &ear {
                    ear.listen();
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                if let Some(ear) = &ear {
                    ear.take(&publish);
                }
            }
            Ok(_) => up = true,
            Err(_) if leaving => return,
            Err(bad) => {
                if up {
                    tracing::warn!(%bad, "the town has no broker: check its address; retrying");
                }
                up = false;
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
