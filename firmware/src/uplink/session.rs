//! One MQTT 5 connection: `rust-mqtt`, told in the words of the uplink.
//!
//! What is said and when is decided in [`super::talk`]. Nothing here retries: what breaks a
//! connection ends it.

use core::num::NonZero;

use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Read, Write};
use heapless::String;
use rust_mqtt::Bytes;
use rust_mqtt::client::event::Event;
use rust_mqtt::client::options::{
    ConnectOptions, DisconnectOptions, PublicationOptions, SubscriptionOptions, TopicReference,
    WillOptions,
};
use rust_mqtt::client::{Client, MqttError};
use rust_mqtt::config::{KeepAlive, SessionExpiryInterval};
use rust_mqtt::header::FixedHeader;
use rust_mqtt::types::{MqttBinary, MqttString, PacketIdentifier, TopicFilter, TopicName};
use standpipe_shared::{Channel, Topic};

use super::mailbox::{Mailbox, Slots};
use super::talk::Habits;
use super::{Account, Ended, MAX_PACKET, TOPIC_MAX};

/// The Last Will.
const GONE: &[u8] = br#"{"online":false}"#;
/// Subscriptions on their way at a time: settings, command, receipt, clock.
pub(super) const SUBSCRIPTIONS: usize = 4;

type Mqtt<'m, S> = Client<'m, 'm, S, Slots<'m>, SUBSCRIPTIONS, 4, 2, 0, 0, 0, 0>;

/// What came from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrokerSaid {
    /// It has the message of this number.
    Has(PacketIdentifier),
    /// It sends what we subscribed to; or not, which is its right.
    Subscribed,
    /// It is still there, and says so.
    Pong,
    /// A message, now in the mailbox.
    Message,
    /// Nothing that matters.
    Other,
}

/// The two ways of a message out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retain {
    No,
    Yes,
}

pub(super) struct Session<'m, S: Read + Write> {
    mqtt: Mqtt<'m, S>,
    mailbox: &'m Mailbox,
    account: &'m Account<'m>,
    /// A packet has begun: its rest must follow within this, and what is sent must be taken.
    patience: Duration,
}

/// A topic of this device, or the clock's.
pub(super) fn topic_text(account: &Account<'_>, topic: &Topic<'_>) -> String<TOPIC_MAX> {
    let mut text = String::new();
    // Three names of at most 48 bytes fit.
    let _ = topic.write(account.root, &mut text);
    text
}

pub(super) fn own<'a>(account: &Account<'a>, channel: Channel) -> Topic<'a> {
    Topic::Device { area: account.area, device: account.device, channel }
}

fn name(text: &str) -> Result<TopicName<'_>, Ended> {
    MqttString::from_str(text).ok().and_then(TopicName::new).ok_or(Ended::Broken)
}

impl<'m, S: Read + Write> Session<'m, S> {
    /// CONNECT and its answer: the session, and whether the broker knew it.
    pub(super) async fn connect(
        stream: S,
        slots: &'m mut Slots<'m>,
        account: &'m Account<'m>,
        habits: &Habits,
    ) -> Result<(Self, bool), Ended> {
        let mailbox = slots.0;
        let mut mqtt: Mqtt<'m, S> = Client::new(slots);
        let will = topic_text(account, &own(account, Channel::Status));
        let gone = MqttBinary::from_slice(GONE).map_err(|_| Ended::Broken)?;
        let mut options = ConnectOptions::new()
            .will(WillOptions::new(name(&will)?, gone).at_least_once().retain());
        if let Some(seconds) = NonZero::new(habits.keep_alive_s) {
            options = options.keep_alive(KeepAlive::Seconds(seconds));
        }
        if let Some(seconds) = NonZero::new(habits.session_s) {
            options = options.session_expiry_interval(SessionExpiryInterval::Seconds(seconds));
        }
        if let Some(bytes) = NonZero::new(MAX_PACKET as u32) {
            options = options.maximum_packet_size(bytes);
        }
        if let Some(user) = account.user.and_then(|user| MqttString::from_str(user).ok()) {
            options = options.user_name(user);
        }
        if let Some(word) =
            account.password.and_then(|password| MqttBinary::from_slice(password).ok())
        {
            options = options.password(word);
        }
        let id = MqttString::from_str(account.device.as_str()).map_err(|_| Ended::Broken)?;
        mailbox.clear();
        let patience = Duration::from_millis(habits.patience_ms);
        match with_timeout(patience, mqtt.connect(stream, &options, Some(id))).await {
            Ok(Ok(connected)) => {
                let known = connected.session_present;
                Ok((Self { mqtt, mailbox, account, patience }, known))
            }
            Ok(Err(MqttError::Disconnect { reason, .. })) => Err(Ended::Refused(reason.value())),
            Ok(Err(_)) => Err(Ended::Broken),
            Err(_) => Err(Ended::NotReached),
        }
    }

    /// The beginning of the next packet. Nothing is lost when this is dropped.
    pub(super) async fn header(&mut self) -> Result<FixedHeader, Ended> {
        self.mqtt.poll_header().await.map_err(|_| Ended::Broken)
    }

    /// The rest of that packet.
    pub(super) async fn body(&mut self, header: FixedHeader) -> Result<BrokerSaid, Ended> {
        self.mailbox.clear();
        let event = with_timeout(self.patience, self.mqtt.poll_body(header)).await;
        Ok(match event.map_err(|_| Ended::Broken)?.map_err(|error| broken(&error))? {
            Event::PublishAcknowledged(acknowledged) => {
                BrokerSaid::Has(acknowledged.packet_identifier)
            }
            // A broker that refuses a message refuses it for ever: not now, says the backoff.
            Event::PublishRejected(rejected) => {
                return Err(Ended::Refused(rejected.reason_code.value()));
            }
            Event::Suback(_) => BrokerSaid::Subscribed,
            Event::Pingresp => BrokerSaid::Pong,
            Event::Publish(_) => BrokerSaid::Message,
            Event::Duplicate(_)
            | Event::Unsuback(_)
            | Event::PublishAborted(_)
            | Event::PublishReceived(_)
            | Event::PublishReleased(_)
            | Event::PublishComplete(_)
            | Event::Ignored
            | Event::Auth(_) => BrokerSaid::Other,
        })
    }

    /// Shows the message that came last: its topic, if it is one of ours, and its payload.
    pub(super) fn message<T>(&self, reader: impl FnOnce(Option<Topic<'_>>, &[u8]) -> T) -> T {
        self.mailbox.read(|topic, payload| {
            let topic = Topic::parse(self.account.root, topic).ok().filter(|topic| match topic {
                Topic::Device { area, device, .. } => {
                    (*area, *device) == (self.account.area, self.account.device)
                }
                Topic::Clock => true,
                Topic::Station { .. } | Topic::Chain => false,
            });
            reader(topic, payload)
        })
    }

    /// Publishes at QoS 1 on one of the device's topics.
    pub(super) async fn publish(
        &mut self,
        channel: Channel,
        payload: &[u8],
        retain: Retain,
    ) -> Result<PacketIdentifier, Ended> {
        let topic = topic_text(self.account, &own(self.account, channel));
        let mut options =
            PublicationOptions::new(TopicReference::Name(name(&topic)?)).at_least_once();
        if retain == Retain::Yes {
            options = options.retain();
        }
        let sent =
            with_timeout(self.patience, self.mqtt.publish(&options, Bytes::Borrowed(payload)));
        let number = sent.await.map_err(|_| Ended::Broken)?.map_err(|error| broken(&error))?;
        number.ok_or(Ended::Broken)
    }

    /// Asks for settings, commands, receipts and the clock.
    pub(super) async fn subscribe(&mut self) -> Result<(), Ended> {
        let wanted = [
            (own(self.account, Channel::Settings), SubscriptionOptions::new().at_least_once()),
            (own(self.account, Channel::Command), SubscriptionOptions::new().at_least_once()),
            (own(self.account, Channel::Receipt), SubscriptionOptions::new().at_least_once()),
            (Topic::Clock, SubscriptionOptions::new()),
        ];
        for (topic, options) in wanted {
            let text = topic_text(self.account, &topic);
            let text = MqttString::from_str(&text).ok().and_then(TopicFilter::new);
            let sent = self.mqtt.subscribe(text.ok_or(Ended::Broken)?, &options);
            let sent = with_timeout(self.patience, sent).await.map_err(|_| Ended::Broken)?;
            sent.map_err(|error| broken(&error))?;
        }
        Ok(())
    }

    /// Asks whether the broker is still there.
    pub(super) async fn ping(&mut self) -> Result<(), Ended> {
        let sent =
            with_timeout(self.patience, self.mqtt.ping()).await.map_err(|_| Ended::Broken)?;
        sent.map_err(|error| broken(&error))
    }

    /// Says goodbye: no Last Will, and the broker keeps the session.
    pub(super) async fn leave(mut self) {
        // If it does not arrive, the keep-alive ends it.
        let _ = with_timeout(self.patience, self.mqtt.disconnect(&DisconnectOptions::new())).await;
    }
}

fn broken<const N: usize>(error: &MqttError<'_, N>) -> Ended {
    if let MqttError::Disconnect { reason, .. } = error
        && reason.is_erroneous()
    {
        Ended::Refused(reason.value())
    } else {
        Ended::Broken
    }
}
