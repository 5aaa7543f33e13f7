//! One station's test: the alarm out, the incident back, and the alarm taken back.
//!
//! A test alarm that goes on for ten minutes is a real fire to the gateway. So the broker is told at
//! the beginning to take it back for us, should we be killed in between (a Last Will); and what an
//! earlier test left behind is taken back before this one.

use std::time::{Duration, Instant};

use serde::Deserialize;
use standpipe_machine::clock::Clock;
use standpipe_rules::selftest::{SELFTEST, detector};
use standpipe_transport::mqtt::frame::PublishReceipt;
use standpipe_transport::mqtt::{Broker, Frame, Hello, Link, LinkError, Outgoing, Will};
use tokio::time::timeout_at;

use super::{PATIENCE, SelftestOutcome};

/// The alarm is on.
const ON: &str = r#"{"condition":"smoke","active":true,"test":true}"#;
/// It is over.
const OFF: &str = r#"{"condition":"smoke","active":false,"test":true}"#;
/// The broker answers what it is asked within this time.
const ANSWER: Duration = Duration::from_secs(5);

/// Tests a station.
///
/// # Errors
/// [`LinkError`]: the broker can't be asked.
pub(super) async fn test(
    broker: &Broker,
    root: &str,
    station: &str,
    clock: &Clock,
) -> Result<SelftestOutcome, LinkError> {
    let own = detector(station);
    let topic = format!("{root}/{SELFTEST}/{own}/alarm");
    let hello = Hello {
        client_id: format!("standpipe-{own}"),
        clean_start: true,
        session_expiry_s: 0,
        receive_maximum: u16::MAX,
        will: Some(Will { topic: topic.clone(), payload: OFF.to_owned() }),
    };
    let mut chain = TestedChain {
        link: Link::open(broker, &hello).await?,
        clock,
        own,
        seen: ChainSeen::default(),
    };
    let heard = |what| format!("{root}/stations/{station}/{what}");
    chain.link.subscribe(&["incidents/+", "presence"].map(heard))?;
    chain.until(ANSWER, |seen| seen.subscribed).await?;
    chain.say(&topic, OFF)?;
    chain.until(ANSWER, |seen| seen.confirmed == 1).await?;
    let sent = clock.instant();
    chain.say(&topic, ON)?;
    chain.seen.shown = None;
    chain.until(PATIENCE, |seen| seen.shown.is_some()).await?;
    chain.say(&topic, OFF)?;
    if chain.until(ANSWER, |seen| seen.confirmed == 3).await? {
        chain.link.close().await;
    } // else the connection is dropped, and the broker says it for us
    let took = chain.seen.shown.map(|at| at.saturating_duration_since(sent));
    Ok(SelftestOutcome { station: station.into(), took, terminal: chain.seen.terminal })
}

struct TestedChain<'a> {
    link: Link,
    clock: &'a Clock,
    /// The station's detector.
    own: String,
    seen: ChainSeen,
}

/// What came so far.
#[derive(Default)]
struct ChainSeen {
    subscribed: bool,
    /// How much of what was said the broker has.
    confirmed: u16,
    said: u16,
    /// When the incident came.
    shown: Option<Instant>,
    terminal: bool,
}

/// What is read of an incident.
#[derive(Deserialize)]
struct IncidentSeen {
    state: String,
    device: Option<SeenDevice>,
}

#[derive(Deserialize)]
struct SeenDevice {
    id: String,
}

/// What is read of a presence.
#[derive(Deserialize)]
struct PresenceSeen {
    online: bool,
}

impl TestedChain<'_> {
    fn say(&mut self, topic: &str, body: &str) -> Result<(), LinkError> {
        self.seen.said += 1;
        let (payload, pkid) = (body.as_bytes(), self.seen.said);
        self.link.publish(&Outgoing { topic, payload, pkid, retain: false, expiry_s: 0 })
    }

    /// Listens until that is so; whether it was in time.
    async fn until(
        &mut self,
        within: Duration,
        enough: impl Fn(&ChainSeen) -> bool,
    ) -> Result<bool, LinkError> {
        let end = self.clock.instant() + within;
        loop {
            self.hear()?;
            if enough(&self.seen) {
                return Ok(true);
            }
            match timeout_at(end.into(), self.link.turn(true)).await {
                Ok(turned) => turned?,
                Err(_) => return Ok(false),
            }
        }
    }

    fn hear(&mut self) -> Result<(), LinkError> {
        let now = self.clock.instant();
        let mut acks = Vec::new();
        while let Some(frame) = self.link.next_frame()? {
            match frame {
                Frame::Publish(publish) => {
                    acks.extend((publish.pkid > 0).then_some(publish.pkid));
                    let topic = String::from_utf8_lossy(publish.topic);
                    self.seen.message(&topic, publish.payload, &self.own, now);
                }
                Frame::PubAck { receipt: PublishReceipt::Taken, .. } => {
                    self.seen.confirmed += 1;
                }
                Frame::PubAck { receipt: PublishReceipt::Refused(why), .. } => {
                    return Err(LinkError::Unsendable(format!("the broker refuses it: {why:?}")));
                }
                Frame::SubAck { refused } => match refused.first() {
                    None => self.seen.subscribed = true,
                    Some((_, why)) => {
                        let why = format!("a subscription, which the broker refuses: {why}");
                        return Err(LinkError::Unsendable(why));
                    }
                },
                Frame::UnsubAck | Frame::Pong => {}
                Frame::Bye(why) => return Err(LinkError::Bye(why)),
            }
        }
        self.link.ack(&acks);
        Ok(())
    }
}

impl ChainSeen {
    fn message(&mut self, topic: &str, payload: &[u8], own: &str, now: Instant) {
        if topic.ends_with("/presence") {
            let presence = serde_json::from_slice::<PresenceSeen>(payload);
            self.terminal = presence.is_ok_and(|presence| presence.online);
        } else if let Ok(shown) = serde_json::from_slice::<IncidentSeen>(payload)
            && shown.device.is_some_and(|device| device.id == own)
            && shown.state != "closed"
        {
            self.shown.get_or_insert(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ChainSeen;
    use standpipe_machine::clock::Clock;

    #[test]
    #[rustfmt::skip] // a table
    fn only_the_stations_own_test_counts_and_only_while_it_is_on() {
        let now = Clock::new().instant();
        for (story, topic, payload, shown, terminal) in [
            ("its own",      "s/t1/incidents/A", r#"{"state":"open","device":{"id":"selftest-t1"}}"#,   true,  false),
            ("it is over",   "s/t1/incidents/A", r#"{"state":"closed","device":{"id":"selftest-t1"}}"#, false, false),
            ("emptied",      "s/t1/incidents/A", "",                                                    false, false),
            ("a fire",       "s/t1/incidents/B", r#"{"state":"open","device":{"id":"D1"}}"#,            false, false),
            ("a zone",       "s/t1/incidents/C", r#"{"state":"open","device":null}"#,                   false, false),
            ("a terminal",   "s/t1/presence",    r#"{"online":true}"#,                                  false, true),
            ("its Will",     "s/t1/presence",    r#"{"online":false}"#,                                 false, false),
            ("no presence",  "s/t1/presence",    "",                                                    false, false),
        ] {
            let mut seen = ChainSeen::default();
            seen.message(topic, payload.as_bytes(), "selftest-t1", now);
            assert_eq!((seen.shown.is_some(), seen.terminal), (shown, terminal), "{story}");
        }
    }
}
