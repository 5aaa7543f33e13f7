//! The chain's heartbeat on its way out: one message every 5 s, to the gateway itself. It has a
//! session of its own, so that it is late for no page and no device, only for the broker.
//!
//! Not here: how it comes back (the alarm lane), and when it is too old (`standpipe_rules::chain`).

use std::thread::JoinHandle;

use standpipe_machine::clock::Stamp;
use standpipe_rules::Ms;
use standpipe_rules::chain::{EVERY_MS, EXPIRY_S};
use standpipe_transport::mqtt::{Broker, PublishReceipt};
use tokio::sync::watch;

use super::packets::Packets;
use super::session::{self, Landed, MqttMessage, Owed};
use super::{NET, SenderSetup};

// The session asks what is owed this often.
const _: () = assert!(NET.as_millis() == EVERY_MS as u128, "a heartbeat is sent when it is due");

/// Starts the sender on its own thread. It ends after `setup.stop`.
///
/// # Errors
/// What the system says when it gives no thread.
pub fn start(
    setup: SenderSetup,
    broker: Broker,
    root: &str,
    gateway: &str,
) -> std::io::Result<JoinHandle<()>> {
    let (quiet, bell) = watch::channel(0);
    let heart = Heart::new(root, quiet);
    session::start(heart, setup, (broker, format!("standpipe-chain-{gateway}")), bell)
}

/// Sends the heartbeat whenever one is due.
struct Heart {
    topic: String,
    packets: Packets<()>,
    /// When the last one was due, on a clock that nobody sets.
    last: Option<Ms>,
    /// Nothing rings for a heartbeat: held so that this is no end.
    _quiet: watch::Sender<u64>,
}

impl Heart {
    fn new(root: &str, quiet: watch::Sender<u64>) -> Self {
        let topic = format!("{root}/gateway/chain");
        Self { topic, packets: Packets::default(), last: None, _quiet: quiet }
    }
}

impl Owed for Heart {
    const NAME: &'static str = "chain heartbeat";

    fn connected(&mut self, _: Stamp) {}

    fn read(&mut self, now: Stamp) {
        // A new connection asks more often.
        if self.last.is_none_or(|last| now.steady() - last > EVERY_MS / 2) {
            self.last = Some(now.steady());
            self.packets.plan(());
        }
    }

    fn wants_more(&mut self) -> bool {
        false
    }

    fn next(&mut self, window: usize, now: Stamp) -> Option<MqttMessage> {
        let (pkid, ()) = self.packets.next(window)?;
        let (topic, payload) = (self.topic.clone(), format!("{{\"ts\":{}}}", now.told()));
        Some(MqttMessage { topic, payload, pkid, retain: false, expiry_s: EXPIRY_S })
    }

    fn landed(&mut self, pkid: u16, receipt: &PublishReceipt, _: Stamp) -> Landed {
        self.packets.landed(pkid);
        let refused = matches!(receipt, PublishReceipt::Refused(_)).then(|| self.topic.clone());
        Landed { reports: Vec::new(), refused }
    }

    fn lost(&mut self) {
        self.packets.lost();
    }
}

#[cfg(test)]
mod tests {
    use standpipe_machine::clock::Stamp;
    use standpipe_transport::mqtt::PublishReceipt;
    use tokio::sync::watch;

    use super::{Heart, MqttMessage, Owed};

    #[test]
    fn one_every_five_seconds_each_with_its_own_moment() {
        let mut heart = Heart::new("r/v1", watch::channel(0).0);
        let mut beat = |asked: i64, sent: i64| {
            heart.read(asked.into());
            heart.next(64, Stamp::from(sent))
        };
        let expected = |pkid: u16, sent: i64| MqttMessage {
            topic: "r/v1/gateway/chain".to_owned(),
            payload: format!("{{\"ts\":{sent}}}"),
            pkid,
            retain: false,
            expiry_s: 30,
        };
        assert_eq!(beat(1_000, 1_001), Some(expected(1, 1_001)));
        assert_eq!(beat(1_002, 1_003), None, "the session asks twice at its start");
        assert_eq!(beat(5_990, 5_991), Some(expected(2, 5_991)), "the first was not confirmed yet");
        heart.lost();
        heart.read(7_000.into());
        assert_eq!(heart.next(64, 7_000.into()), None);
        heart.read(11_000.into());
        assert_eq!(
            heart.next(64, 12_000.into()),
            Some(expected(3, 12_000)),
            "sent when it is sent"
        );
        assert_eq!(heart.landed(3, &PublishReceipt::Taken, 12_001.into()).refused, None);
    }
}
