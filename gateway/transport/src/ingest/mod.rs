//! The two persistent MQTT sessions: what devices and stations say, parsed and handed to the
//! engine, and acknowledged when the engine says that what follows is on disk.
//!
//! The alarm lane asks for what is urgent, the telemetry lane for everything below the root. What
//! the alarm lane gets too, and what the gateway published itself, the telemetry lane acknowledges
//! unread ([`standpipe_rules::wire::topics`]). Both are sent what the broker keeps (retained
//! messages) when the subscription is new to it: an alarm that was kept on a misspelt topic is an
//! alarm. However much that is, live alarms do not wait behind it: they come on the alarm lane.
//!
//! A lane is up when the broker has granted its subscriptions (SUBACK); what its session had kept
//! may come before that.
//!
//! Each lane is a [`Source`](standpipe_engine::feed::Source). It runs on a thread of its own with
//! nothing else on it, so that the alarm lane is never behind telemetry, and waits for nothing but
//! its connection and its acknowledgements:
//!
//! ```text
//! broker ─▶ Link ─▶ Decoder ─▶ Source::next ─▶ engine
//!        ◀─ PUBACKs of a batch ◀─ Source::acknowledge ◀─ engine, after the commit
//! ```
//!
//! An acknowledgement is good for the connection its message came on and no other: after a
//! reconnect the same number may be another message. With [`window`] full the lane stops reading,
//! and the broker keeps the rest.
//!
//! Not here: the connection itself ([`crate::mqtt`]), what a message means (`standpipe-rules`).

mod lane;
pub mod window;

use std::sync::Arc;
use std::time::Duration;

use standpipe_engine::feed::Feed;
use standpipe_engine::source::{Facts, Queue, Sight};
use standpipe_machine::clock::Clock;
use standpipe_machine::limits::{BULK_QUEUE, RECEIVE_MAXIMUM, STAGED_BYTES, URGENT_QUEUE};
use standpipe_rules::wire::decoder::Decoder;
use standpipe_rules::wire::topics;
use window::Limits;

use crate::mqtt::{Broker, Hello};

/// How long the broker keeps our sessions while we are away: 7 days, in seconds.
pub const SESSION_EXPIRY_S: u32 = 7 * 24 * 3_600;

/// What one message may weigh at most, bytes: the engine's own limit is never reached.
const HEAVIEST: usize = 4 * 1024 * 1024;

/// How long the telemetry lane lets messages gather before it reads again. At 20,000 messages a
/// second this makes one wake-up of 40.
const LINGER: Duration = Duration::from_millis(2);

/// What both lanes are made with.
#[derive(Clone)]
pub struct Setup {
    /// Where to.
    pub broker: Broker,
    /// The root of all topics.
    pub root: Box<str>,
    /// This store's own name, so that two gateways do not share a session by accident.
    pub gateway: Box<str>,
    /// Reads what comes.
    pub decoder: Arc<dyn Decoder>,
    /// What time it is.
    pub clock: Clock,
}

/// Which of the two sessions with the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Alarms, statuses, replies, actions, presence.
    Alarm,
    /// Readings, and everything that no filter can name.
    Telemetry,
}

impl Lane {
    /// The name in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Telemetry => "telemetry",
        }
    }
}

/// One lane, to be started.
#[must_use]
pub fn lane(setup: &Setup, lane: Lane) -> Feed {
    Feed::of(lane::LaneSource::new(setup.clone(), lane))
}

/// What the engine must know of a lane.
fn facts(lane: Lane) -> Facts {
    match lane {
        Lane::Alarm => Facts::new("alarm", "alarm_lane", Queue::Urgent, Sight::Needed),
        Lane::Telemetry => Facts::new("telemetry", "telemetry_lane", Queue::Bulk, Sight::Needed),
    }
}

/// The topics a lane listens to.
fn filters(root: &str, lane: Lane) -> Vec<String> {
    let below: &[&str] = match lane {
        Lane::Alarm => &topics::ALARM_LANE,
        Lane::Telemetry => &topics::READINGS_LANE,
    };
    below_root(root, below)
}

fn below_root(root: &str, filters: &[&str]) -> Vec<String> {
    filters.iter().map(|filter| format!("{root}/{filter}")).collect()
}

const fn limits(lane: Lane) -> Limits {
    match lane {
        // Half the urgent queue: the rest is for people's asks and the senders' reports.
        Lane::Alarm => Limits { messages: URGENT_QUEUE / 2, bytes: STAGED_BYTES - HEAVIEST },
        Lane::Telemetry => Limits { messages: BULK_QUEUE, bytes: STAGED_BYTES - HEAVIEST },
    }
}

fn hello(gateway: &str, lane: Lane) -> Hello {
    let half = limits(lane).messages / 2;
    Hello {
        client_id: format!("standpipe-{}-{gateway}", lane.as_str()),
        clean_start: false,
        session_expiry_s: SESSION_EXPIRY_S,
        receive_maximum: u16::try_from(half).unwrap_or(u16::MAX).min(RECEIVE_MAXIMUM),
        will: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Lane, filters, hello, limits};
    use standpipe_machine::limits::{BULK_QUEUE, URGENT_QUEUE};

    #[test]
    fn the_lanes_share_nothing_and_miss_nothing() {
        assert_eq!(filters("r/v1", Lane::Telemetry), ["r/v1/#"]);
        let alarm = filters("r/v1", Lane::Alarm);
        for filter in ["+/+/alarm", "+/+/alarms", "+/+/status", "stations/+/actions"] {
            assert!(alarm.contains(&format!("r/v1/{filter}")), "{filter}");
        }
        assert_eq!(hello("7k2m", Lane::Alarm).client_id, "standpipe-alarm-7k2m");
        assert_eq!(hello("7k2m", Lane::Telemetry).client_id, "standpipe-telemetry-7k2m");
    }

    #[test]
    fn the_broker_is_asked_for_no_more_than_the_queue_holds() {
        for (lane, queue) in [(Lane::Alarm, URGENT_QUEUE), (Lane::Telemetry, BULK_QUEUE)] {
            assert!(usize::from(hello("g", lane).receive_maximum) <= limits(lane).messages);
            assert!(limits(lane).messages <= queue);
        }
    }
}
