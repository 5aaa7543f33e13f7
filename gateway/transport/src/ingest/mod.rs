//! The four persistent MQTT sessions: what devices and stations say, parsed and handed to the
//! engine, and acknowledged when the engine says that what follows is on disk.
//!
//! The alarm lane asks for what is urgent, the status lane for Last Wills, devices that are back and
//! replies, the action lane for what stations say, the telemetry lane for everything below the root. What the others get too, and what the gateway
//! published itself, the telemetry lane acknowledges unread ([`standpipe_rules::wire::topics`]).
//! Each is sent what the broker keeps (retained
//! messages) when the subscription is new to it: an alarm that was kept on a misspelt topic is an
//! alarm. However much that is, live alarms do not wait behind it: they come on the alarm lane.
//!
//! Until the status and the action lane were there, the alarm lane had what is theirs now. What the
//! broker keeps for a session of that time is taken from it, and its filters are given back when
//! the other lane has them ([`moved`]): for a moment both get a message, and none is lost.
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

pub mod gaps;
mod lane;
mod moved;
pub mod window;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gaps::AlarmGaps;
use standpipe_engine::feed::Feed;
use standpipe_engine::source::{Facts, QueueKind, SourceNeed};
use standpipe_machine::clock::Clock;
use standpipe_machine::limits::{
    ACTION_QUEUE, BULK_QUEUE, RECEIVE_MAXIMUM, STAGED_BYTES, STATUS_QUEUE, URGENT_QUEUE,
};
use standpipe_rules::wire::decoder::Decoder;
use standpipe_rules::wire::topics;
use tokio::sync::watch;
use window::Limits;

use crate::mqtt::{Broker, Hello};

/// How long the broker keeps our sessions while we are away: 7 days, in seconds.
pub const SESSION_EXPIRY_S: u32 = 7 * 24 * 3_600;

/// What one message may weigh at most, bytes: the engine's own limit is never reached.
const HEAVIEST: usize = 4 * 1024 * 1024;

/// How long the telemetry and the status lane let messages gather before they read again. At 20,000 messages a
/// second this makes one wake-up of 40.
const LINGER: Duration = Duration::from_millis(2);
/// The same of the telemetry lane, when the last read brought so few: the engine gathers for longer anyway.
const FEW: u64 = 32;
const LONG_LINGER: Duration = Duration::from_millis(8);

/// What the lanes are made with.
#[derive(Clone)]
pub struct LaneSetup {
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
    /// Which lanes have filters that were the alarm lane's. The lanes of one gateway share it.
    pub granted: Granted,
    /// What the alarm lane did not get. The lanes of one gateway share it.
    pub gaps: AlarmGaps,
}

/// Which lanes the broker has granted what they ask for, as another lane sees it.
#[derive(Clone, Debug, Default)]
pub struct Granted(Arc<watch::Sender<HashSet<Lane>>>);

impl Granted {
    fn set(&self, lane: Lane) {
        self.0.send_if_modified(|granted| granted.insert(lane));
    }

    fn has(&self, lane: Lane) -> bool {
        self.0.borrow().contains(&lane)
    }

    /// Returns when it is granted.
    async fn wait(&self, lane: Lane) {
        // The sender is ours, so that it does not end.
        drop(self.0.subscribe().wait_for(|granted| granted.contains(&lane)).await);
    }
}

/// Which of the sessions with the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Alarms, and the chain's heartbeat.
    Alarm,
    /// Last Wills, devices that are back, and replies.
    Status,
    /// What stations say: actions, presence.
    Action,
    /// Readings, and everything that no filter can name.
    Telemetry,
}

impl Lane {
    /// The name in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Status => "status",
            Self::Action => "action",
            Self::Telemetry => "telemetry",
        }
    }
}

/// One lane, to be started.
#[must_use]
pub fn lane(setup: &LaneSetup, lane: Lane) -> Feed {
    Feed::of(lane::LaneSource::new(setup.clone(), lane))
}

/// What the engine must know of a lane.
fn facts(lane: Lane) -> Facts {
    match lane {
        Lane::Alarm => Facts::new("alarm", "alarm_lane", QueueKind::Urgent, SourceNeed::Needed),
        Lane::Status => {
            Facts::new("status", "status_lane", QueueKind::Statuses, SourceNeed::Needed)
        }
        // Without it no device falls silent: nothing of them comes by it.
        Lane::Action => Facts::new("action", "action_lane", QueueKind::Actions, SourceNeed::Extra),
        Lane::Telemetry => {
            Facts::new("telemetry", "telemetry_lane", QueueKind::Bulk, SourceNeed::Needed)
        }
    }
}

/// The topics a lane listens to.
fn filters(root: &str, lane: Lane) -> Vec<String> {
    let below: &[&str] = match lane {
        Lane::Alarm => &topics::ALARM_LANE,
        Lane::Status => &topics::STATUS_LANE,
        Lane::Action => &topics::ACTION_LANE,
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
        Lane::Status => Limits { messages: STATUS_QUEUE, bytes: STAGED_BYTES - HEAVIEST },
        Lane::Action => Limits { messages: ACTION_QUEUE, bytes: STAGED_BYTES - HEAVIEST },
        Lane::Telemetry => Limits { messages: BULK_QUEUE, bytes: STAGED_BYTES - HEAVIEST },
    }
}

fn hello(gateway: &str, lane: Lane) -> Hello {
    let half = u16::try_from(limits(lane).messages / 2).unwrap_or(u16::MAX);
    let most = match lane {
        Lane::Alarm | Lane::Telemetry => RECEIVE_MAXIMUM,
        // A detector that is back, and another station's action, overtake what is here, and nothing that
        // is still there.
        Lane::Status | Lane::Action => u16::MAX,
    };
    Hello {
        client_id: format!("standpipe-{}-{gateway}", lane.as_str()),
        clean_start: false,
        session_expiry_s: SESSION_EXPIRY_S,
        receive_maximum: half.min(most),
        will: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Lane, filters, hello, limits};
    use standpipe_machine::limits::{ACTION_QUEUE, BULK_QUEUE, STATUS_QUEUE, URGENT_QUEUE};

    #[test]
    fn the_lanes_share_nothing_and_miss_nothing() {
        assert_eq!(filters("r/v1", Lane::Telemetry), ["r/v1/#"]);
        let alarm = filters("r/v1", Lane::Alarm);
        for filter in ["+/+/alarm", "+/+/alarms", "gateway/chain"] {
            assert!(alarm.contains(&format!("r/v1/{filter}")), "{filter}");
        }
        assert_eq!(filters("r/v1", Lane::Status), ["r/v1/+/+/status", "r/v1/+/+/reply"]);
        let said = ["r/v1/stations/+/actions", "r/v1/stations/+/presence"];
        assert_eq!(filters("r/v1", Lane::Action), said);
        assert_eq!(hello("7k2m", Lane::Alarm).client_id, "standpipe-alarm-7k2m");
        assert_eq!(hello("7k2m", Lane::Status).client_id, "standpipe-status-7k2m");
        assert_eq!(hello("7k2m", Lane::Action).client_id, "standpipe-action-7k2m");
        assert_eq!(hello("7k2m", Lane::Telemetry).client_id, "standpipe-telemetry-7k2m");
    }

    #[test]
    fn the_broker_is_asked_for_no_more_than_the_queue_holds() {
        for (lane, queue) in [
            (Lane::Alarm, URGENT_QUEUE),
            (Lane::Status, STATUS_QUEUE),
            (Lane::Action, ACTION_QUEUE),
            (Lane::Telemetry, BULK_QUEUE),
        ] {
            assert!(usize::from(hello("g", lane).receive_maximum) <= limits(lane).messages);
            assert!(limits(lane).messages <= queue);
        }
    }
}
