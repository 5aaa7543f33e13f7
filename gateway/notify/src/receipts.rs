//! Receipts of alarms on their way to devices: one message each, on a session of its own, so that no
//! page, no order and no heartbeat ever waits behind them, nor behind the broker's answers to them.
//!
//! What is on its way when the connection is lost is not sent again, and neither is what found no
//! room: a device that has no receipt repeats its alarm, and is answered again.
//!
//! Not here: which alarms have one (`standpipe_rules::wire::receipt`), and when (the engine).

use std::thread::JoinHandle;

use metrics::counter;
use standpipe_engine::receipts::ReceiptReceiver;
use standpipe_machine::clock::Stamp;
use standpipe_rules::wire::receipt::AlarmReceipt;
use standpipe_transport::mqtt::{Broker, PublishReceipt};

use super::SenderSetup;
use super::packets::Packets;
use super::session::{self, Landed, MqttMessage, Owed};

/// For so long the broker keeps a receipt for a device that sleeps: the device waits no longer.
const EXPIRY_S: u32 = 86_400;

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
    let queue = setup.rings.receipts.clone();
    let bell = queue.bell.clone();
    let receipts = Receipts::new(root, queue);
    session::start(receipts, setup, (broker, format!("standpipe-receipts-{gateway}")), bell)
}

/// What devices are told of their alarms.
struct Receipts {
    root: Box<str>,
    queue: ReceiptReceiver,
    packets: Packets<Box<AlarmReceipt>>,
}

impl Receipts {
    fn new(root: &str, queue: ReceiptReceiver) -> Self {
        Self { root: root.into(), queue, packets: Packets::default() }
    }

    fn topic(&self, receipt: &AlarmReceipt) -> String {
        format!("{}/{}/{}/receipt", self.root, receipt.area, receipt.device)
    }
}

impl Owed for Receipts {
    const NAME: &'static str = "alarm receipts";

    fn connected(&mut self, _: Stamp) {}

    fn read(&mut self, _: Stamp) {}

    fn wants_more(&mut self) -> bool {
        false
    }

    fn next(&mut self, window: usize, _: Stamp) -> Option<MqttMessage> {
        // Taken from the queue only when it can be sent: what waits there outlives the connection.
        if self.packets.planned() == 0 {
            self.packets.plan(self.queue.next()?);
        }
        let (pkid, receipt) = self.packets.next(window)?;
        let topic = self.topic(&receipt);
        let payload = serde_json::to_string(&receipt.receipt).unwrap_or_default();
        Some(MqttMessage { topic, payload, pkid, retain: false, expiry_s: EXPIRY_S })
    }

    fn landed(&mut self, pkid: u16, receipt: &PublishReceipt, _: Stamp) -> Landed {
        let Some(sent) = self.packets.landed(pkid) else { return Landed::default() };
        match receipt {
            PublishReceipt::Taken => {
                counter!("standpipe_receipts_total").increment(1);
                Landed::default()
            }
            PublishReceipt::Refused(_) => {
                Landed { reports: Vec::new(), refused: Some(self.topic(&sent)) }
            }
        }
    }

    fn lost(&mut self) {
        self.packets.lost();
    }
}

#[cfg(test)]
mod tests {
    use standpipe_engine::bells;
    use standpipe_rules::wire::receipt::AlarmReceipt;
    use standpipe_transport::mqtt::{PubAckReason, PublishReceipt};

    use super::{EXPIRY_S, MqttMessage, Owed, Receipts};

    /// A sender to which these numbers were handed over.
    fn handed(seqs: std::ops::Range<u32>) -> Receipts {
        let (bells, rings) = bells();
        let numbered = |seq| AlarmReceipt {
            area: "banan".into(),
            device: "S-1".into(),
            receipt: standpipe_shared::ReceivedAlarm::Numbered { boot: 3, seq },
        };
        bells.receipts.send(seqs.map(numbered).collect());
        Receipts::new("r/v1", rings.receipts)
    }

    fn sent(receipts: &mut Receipts, window: usize) -> Vec<(u16, String)> {
        std::iter::from_fn(|| receipts.next(window, 0.into()))
            .map(|message| (message.pkid, message.payload))
            .collect()
    }

    fn numbered(pkid: u16, seq: u32) -> (u16, String) {
        (pkid, format!(r#"{{"boot":3,"seq":{seq}}}"#))
    }

    #[test]
    fn each_is_one_message_which_the_broker_keeps_for_a_day() {
        let wanted = MqttMessage {
            topic: "r/v1/banan/S-1/receipt".to_owned(),
            payload: r#"{"boot":3,"seq":18}"#.to_owned(),
            pkid: 1,
            retain: false,
            expiry_s: EXPIRY_S,
        };
        let mut receipts = handed(18..19);
        assert_eq!(receipts.next(64, 0.into()), Some(wanted));
        assert_eq!(receipts.next(64, 0.into()), None);
        let refused =
            receipts.landed(1, &PublishReceipt::Refused(PubAckReason::NotAuthorized), 0.into());
        assert_eq!(refused.refused.as_deref(), Some("r/v1/banan/S-1/receipt"));
        assert_eq!(receipts.next(64, 0.into()), None, "its device repeats the alarm");
    }

    #[test]
    fn what_waits_outlives_a_connection_and_what_was_on_its_way_does_not() {
        let mut receipts = handed(1..6);
        assert_eq!(sent(&mut receipts, 2), [numbered(1, 1), numbered(2, 2)]);
        receipts.landed(1, &PublishReceipt::Taken, 0.into());
        receipts.lost();
        // 2 was on its way, 3 was next.
        assert_eq!(sent(&mut receipts, 64), [numbered(3, 4), numbered(4, 5)]);
    }
}
