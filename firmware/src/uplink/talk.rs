//! What to say next while connected, and when to go. No clock, no I/O.
//!
//! Two messages may be on their way at a time: one of alarm, status and answer, and one of
//! readings. So an alarm never waits for readings, and both are in order.

use crate::{Radio, Uptime};

/// Whether a device stays connected when everything is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It has mains: commands arrive at once, and the Last Will tells when it is cut off.
    Always,
    /// It has a battery: it says goodbye and sleeps. Silence of three intervals tells.
    Briefly,
}

/// How a device uses its connection. The defaults suit NB-IoT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// Whether it stays connected.
    pub stay: Stay,
    /// The broker sends the Last Will when it hears nothing for 1.5 times this long, seconds.
    pub keep_alive_s: u16,
    /// So long it listens for commands when everything is said, ms.
    pub linger_ms: u64,
    /// A message that is not acknowledged for so long means that the connection is dead, ms.
    pub patience_ms: u64,
    /// So long the broker keeps commands for a device that is away, seconds.
    pub session_s: u32,
    /// The longest wait between two attempts to connect, ms; an alarm waits a minute at most.
    pub retry_ms: u64,
}

impl Habits {
    /// Those of a device on mains.
    pub const ALWAYS: Self = Self {
        stay: Stay::Always,
        keep_alive_s: 60,
        linger_ms: 5_000,
        patience_ms: 20_000,
        session_s: 14 * 86_400,
        retry_ms: 900_000,
    };
    /// For a battery. What waited for it comes with the first packets; listening on costs as much
    /// as talking.
    pub const BRIEFLY: Self = Self { stay: Stay::Briefly, linger_ms: 2_000, ..Self::ALWAYS };
}

/// What waits to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UplinkBacklog {
    /// What the node wants the modem for.
    pub radio: Radio,
    pub alarm: bool,
    pub readings: bool,
    /// An answer to a command waits.
    pub answer: bool,
    /// The status has changed since it was last said.
    pub status: bool,
    /// When an alarm is to be repeated whose receipt has not come. No reason to dial: on mains it is
    /// connected anyway, and on a battery the next call is early enough.
    pub repeat_at: Option<Uptime>,
}

impl UplinkBacklog {
    /// Whether anything waits.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.alarm || self.readings || self.answer || self.status
    }
}

/// One thing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UplinkMessage {
    /// The oldest one that waits.
    Alarm,
    /// The birth, retained.
    Status,
    /// That settings, commands and the clock are wanted.
    Subscribe,
    /// The answer to a command.
    Answer,
    /// An alarm whose receipt has not come.
    Repeat,
    /// Some of the oldest readings.
    Readings,
    /// That it is still there.
    Ping,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Say(UplinkMessage),
    /// Listen until then, or until something changes.
    Listen(Uptime),
    /// Say goodbye and sleep.
    Leave,
    /// The connection is dead: drop it without a word, so that the Last Will is sent.
    GiveUp,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UplinkEvent {
    /// This was sent.
    Said(UplinkMessage),
    /// The broker has it.
    Acknowledged(UplinkMessage),
    /// There was nothing of that to say: readings wait for the clock, or storage does not answer.
    Held(UplinkMessage),
    /// Anything came from the broker.
    Heard,
    /// The gateway's clock, which is said to everybody: no reason to listen on.
    HeardClock,
}

/// How long readings may wait for the clock, which the gateway sends once a minute.
const CLOCK_MS: u64 = 75_000;
/// An alarm is repeated only so long after a connection was made: a receipt that waited at the broker
/// comes with the first packets. Less than a device on a battery listens.
const REPEAT_MS: u64 = 1_000;
/// What was held is retried after this, or when something is heard.
const HELD_MS: u64 = 10_000;

/// One connection, as far as it is decided here.
#[derive(Clone, Debug)]
pub struct Talk {
    habits: Habits,
    began: Uptime,
    spoke: Uptime,
    heard: Uptime,
    /// What is on its way, since when.
    urgent: Option<(UplinkMessage, Uptime)>,
    bulk: Option<Uptime>,
    ping: Option<Uptime>,
    subscribed: bool,
    /// Whether it is worth staying for the gateway's clock.
    for_clock: ClockPatience,
    /// There was nothing to say of those that wait, at that time.
    held_alarms: Option<Uptime>,
    held_readings: Option<Uptime>,
}

/// Whether the broker still knows what this device listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// It does not, or this is the first connection since the start: the firmware may be new.
    New,
    Resumed,
}

/// Whether a device on a battery stays connected for the gateway's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockPatience {
    Waits,
    /// It was listened for in vain not long ago.
    Leaves,
}

impl Talk {
    /// The broker has answered CONNECT at `now`.
    #[must_use]
    pub const fn new(habits: Habits, session: SessionState, now: Uptime) -> Self {
        Self {
            habits,
            began: now,
            spoke: now,
            heard: now,
            urgent: None,
            bulk: None,
            ping: None,
            subscribed: matches!(session, SessionState::Resumed),
            for_clock: ClockPatience::Waits,
            held_alarms: None,
            held_readings: None,
        }
    }

    /// Whether it stays for the gateway's clock when that is wanted.
    #[must_use]
    pub const fn with_clock(mut self, patience: ClockPatience) -> Self {
        self.for_clock = patience;
        self
    }

    /// What to do at `now`, given what waits.
    #[must_use]
    pub fn next(&self, desk: &UplinkBacklog, now: Uptime) -> Turn {
        let oldest =
            [self.urgent.map(|urgent| urgent.1), self.bulk, self.ping].into_iter().flatten().min();
        let dead = oldest.map(|since| since.after_ms(self.habits.patience_ms));
        if dead.is_some_and(|at| at <= now) {
            return Turn::GiveUp;
        }
        if let Some(what) = self.to_say(desk, now) {
            return Turn::Say(what);
        }
        let leave = self.leave_at(desk);
        if leave.is_some_and(|at| at <= now) {
            return Turn::Leave;
        }
        // Three quarters leave time for the ping to arrive.
        let quiet = self.spoke.after_ms(u64::from(self.habits.keep_alive_s) * 750);
        if quiet <= now && self.ping.is_none() {
            return Turn::Say(UplinkMessage::Ping);
        }
        let ping = self.ping.is_none().then_some(quiet);
        let held = self.held_alarms.or(self.held_readings).map(|since| since.after_ms(HELD_MS));
        let repeat = self.urgent.is_none().then(|| self.repeat_at(desk)).flatten();
        let until =
            [dead, ping, leave, held, repeat].into_iter().flatten().filter(|at| *at > now).min();
        Turn::Listen(until.unwrap_or_else(|| now.after_ms(self.habits.patience_ms)))
    }

    fn to_say(&self, desk: &UplinkBacklog, now: Uptime) -> Option<UplinkMessage> {
        let free = |held: Option<Uptime>| held.is_none_or(|since| since.after_ms(HELD_MS) <= now);
        if self.urgent.is_none() {
            for (wanted, what) in [
                (desk.alarm && free(self.held_alarms), UplinkMessage::Alarm),
                (desk.status, UplinkMessage::Status),
                (!self.subscribed, UplinkMessage::Subscribe),
                (desk.answer, UplinkMessage::Answer),
                (self.repeat_at(desk).is_some_and(|at| at <= now), UplinkMessage::Repeat),
            ] {
                if wanted {
                    return Some(what);
                }
            }
        }
        let readings = desk.readings && self.bulk.is_none() && free(self.held_readings);
        readings.then_some(UplinkMessage::Readings)
    }

    /// When the next alarm is repeated on this connection.
    fn repeat_at(&self, desk: &UplinkBacklog) -> Option<Uptime> {
        desk.repeat_at.map(|at| at.max(self.began.after_ms(REPEAT_MS)))
    }

    /// When there is no reason left to stay.
    fn leave_at(&self, desk: &UplinkBacklog) -> Option<Uptime> {
        let busy = self.urgent.is_some() || self.bulk.is_some() || self.ping.is_some();
        if self.habits.stay == Stay::Always || busy || desk.radio == Radio::Now {
            return None;
        }
        let last = self.spoke.max(self.heard).after_ms(self.habits.linger_ms);
        let wanted = self.held_readings.is_some() || desk.radio == Radio::Report;
        let for_clock = wanted && self.for_clock == ClockPatience::Waits;
        Some(if for_clock { last.max(self.began.after_ms(CLOCK_MS)) } else { last })
    }

    /// Something happened at `now`.
    pub fn happened(&mut self, news: UplinkEvent, now: Uptime) {
        match news {
            UplinkEvent::Said(what) => {
                self.spoke = now;
                match what {
                    UplinkMessage::Readings => self.bulk = Some(now),
                    UplinkMessage::Ping => self.ping = Some(now),
                    UplinkMessage::Alarm
                    | UplinkMessage::Status
                    | UplinkMessage::Subscribe
                    | UplinkMessage::Answer
                    | UplinkMessage::Repeat => {
                        self.urgent = Some((what, now));
                    }
                }
            }
            UplinkEvent::Acknowledged(what) => {
                self.heard = now;
                match what {
                    UplinkMessage::Readings => self.bulk = None,
                    UplinkMessage::Ping => self.ping = None,
                    UplinkMessage::Subscribe => (self.subscribed, self.urgent) = (true, None),
                    UplinkMessage::Alarm
                    | UplinkMessage::Status
                    | UplinkMessage::Answer
                    | UplinkMessage::Repeat => self.urgent = None,
                }
            }
            UplinkEvent::Held(UplinkMessage::Alarm) => self.held_alarms = Some(now),
            // Nothing was to be repeated after all.
            UplinkEvent::Held(UplinkMessage::Repeat) => {}
            UplinkEvent::Held(_) => self.held_readings = Some(now),
            UplinkEvent::Heard => {
                (self.heard, self.held_alarms, self.held_readings) = (now, None, None);
            }
            UplinkEvent::HeardClock => (self.held_alarms, self.held_readings) = (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        ClockPatience, Habits, SessionState, Talk, Turn, UplinkBacklog, UplinkEvent, UplinkMessage,
    };
    use crate::{Radio, Uptime};

    const QUIET: UplinkBacklog = UplinkBacklog {
        radio: Radio::Sleep,
        alarm: false,
        readings: false,
        answer: false,
        status: false,
        repeat_at: None,
    };
    const ALL: UplinkBacklog =
        UplinkBacklog { alarm: true, readings: true, answer: true, status: true, ..QUIET };

    fn talk(habits: Habits) -> Talk {
        Talk::new(habits, SessionState::New, Uptime(0))
    }

    /// It says `what` at `now`, as was meant.
    fn says(talk: &mut Talk, desk: &UplinkBacklog, what: UplinkMessage, now: u64) {
        assert_eq!(talk.next(desk, Uptime(now)), Turn::Say(what));
        talk.happened(UplinkEvent::Said(what), Uptime(now));
    }

    fn has(talk: &mut Talk, what: UplinkMessage, now: u64) {
        talk.happened(UplinkEvent::Acknowledged(what), Uptime(now));
    }

    #[test]
    fn an_alarm_goes_first_and_never_waits_for_readings() {
        let mut talk = talk(Habits::ALWAYS);
        says(&mut talk, &ALL, UplinkMessage::Alarm, 0);
        says(&mut talk, &ALL, UplinkMessage::Readings, 0);
        assert!(matches!(talk.next(&ALL, Uptime(10)), Turn::Listen(_)), "two are on their way");
        has(&mut talk, UplinkMessage::Alarm, 20);
        says(&mut talk, &ALL, UplinkMessage::Alarm, 20);
        has(&mut talk, UplinkMessage::Alarm, 30);
        let desk = UplinkBacklog { alarm: false, ..ALL };
        says(&mut talk, &desk, UplinkMessage::Status, 30);
        has(&mut talk, UplinkMessage::Status, 40);
        let desk = UplinkBacklog { status: false, ..desk };
        says(&mut talk, &desk, UplinkMessage::Subscribe, 40);
        has(&mut talk, UplinkMessage::Subscribe, 50);
        says(&mut talk, &desk, UplinkMessage::Answer, 50);
        has(&mut talk, UplinkMessage::Readings, 60);
        says(&mut talk, &desk, UplinkMessage::Readings, 60);
    }

    #[test]
    fn an_alarm_is_repeated_when_it_is_due_and_nothing_else_is_to_be_said() {
        let mut talk = Talk::new(Habits::ALWAYS, SessionState::Resumed, Uptime(10_000));
        let due = |at| UplinkBacklog { repeat_at: Some(Uptime(at)), ..QUIET };
        let first = talk.next(&due(5_000), Uptime(10_000));
        assert_eq!(first, Turn::Listen(Uptime(11_000)), "its receipt may wait at the broker");
        assert_eq!(talk.next(&due(15_000), Uptime(11_000)), Turn::Listen(Uptime(15_000)));
        let desk = UplinkBacklog { alarm: true, readings: true, ..due(15_000) };
        says(&mut talk, &desk, UplinkMessage::Alarm, 15_000);
        has(&mut talk, UplinkMessage::Alarm, 15_010);
        let desk = UplinkBacklog { readings: true, ..due(15_000) };
        says(&mut talk, &desk, UplinkMessage::Repeat, 15_010);
        says(&mut talk, &desk, UplinkMessage::Readings, 15_020);
        has(&mut talk, UplinkMessage::Repeat, 15_030);
        assert!(matches!(talk.next(&due(25_030), Uptime(15_030)), Turn::Listen(_)));
    }

    #[test]
    fn a_battery_hangs_up_although_a_receipt_is_awaited() {
        let mut talk = Talk::new(Habits::BRIEFLY, SessionState::Resumed, Uptime(0));
        let desk = UplinkBacklog { alarm: true, ..QUIET };
        says(&mut talk, &desk, UplinkMessage::Alarm, 100);
        has(&mut talk, UplinkMessage::Alarm, 200);
        let awaits = UplinkBacklog { repeat_at: Some(Uptime(5_200)), ..QUIET };
        assert_eq!(talk.next(&awaits, Uptime(200)), Turn::Listen(Uptime(2_200)));
        assert_eq!(talk.next(&awaits, Uptime(2_200)), Turn::Leave);
    }

    #[test]
    fn a_session_that_is_resumed_is_not_subscribed_again() {
        let talk = Talk::new(Habits::ALWAYS, SessionState::Resumed, Uptime(0));
        assert!(matches!(talk.next(&QUIET, Uptime(0)), Turn::Listen(_)));
    }

    #[test]
    fn silence_is_answered_by_a_ping_and_then_by_giving_up() {
        let mut talk = Talk::new(Habits::ALWAYS, SessionState::Resumed, Uptime(0));
        assert_eq!(talk.next(&QUIET, Uptime(0)), Turn::Listen(Uptime(45_000)));
        says(&mut talk, &QUIET, UplinkMessage::Ping, 45_000);
        assert_eq!(talk.next(&QUIET, Uptime(45_000)), Turn::Listen(Uptime(65_000)));
        has(&mut talk, UplinkMessage::Ping, 46_000);
        says(&mut talk, &QUIET, UplinkMessage::Ping, 90_000);
        assert_eq!(talk.next(&QUIET, Uptime(109_999)), Turn::Listen(Uptime(110_000)));
        assert_eq!(talk.next(&QUIET, Uptime(110_000)), Turn::GiveUp);
        let desk = UplinkBacklog { readings: true, ..QUIET };
        let mut talk = Talk::new(Habits::ALWAYS, SessionState::Resumed, Uptime(0));
        says(&mut talk, &desk, UplinkMessage::Readings, 0);
        assert_eq!(talk.next(&desk, Uptime(20_000)), Turn::GiveUp, "no acknowledgement");
    }

    #[test]
    fn a_battery_leaves_when_everything_is_said_and_a_while_was_listened() {
        let mut talk = Talk::new(Habits::BRIEFLY, SessionState::Resumed, Uptime(0));
        let desk = UplinkBacklog { readings: true, ..QUIET };
        says(&mut talk, &desk, UplinkMessage::Readings, 100);
        assert_eq!(
            talk.next(&QUIET, Uptime(200)),
            Turn::Listen(Uptime(20_100)),
            "not before the broker has it"
        );
        has(&mut talk, UplinkMessage::Readings, 1_000);
        assert_eq!(talk.next(&QUIET, Uptime(1_000)), Turn::Listen(Uptime(3_000)));
        talk.happened(UplinkEvent::Heard, Uptime(2_000));
        assert_eq!(talk.next(&QUIET, Uptime(3_999)), Turn::Listen(Uptime(4_000)), "a command came");
        talk.happened(UplinkEvent::HeardClock, Uptime(3_999));
        assert_eq!(talk.next(&QUIET, Uptime(4_000)), Turn::Leave, "the clock is everybody's");
        let live = UplinkBacklog { radio: Radio::Now, ..QUIET };
        assert!(matches!(talk.next(&live, Uptime(4_000)), Turn::Listen(_)), "a crew watches");
        let mains = Talk::new(Habits::ALWAYS, SessionState::Resumed, Uptime(0));
        assert!(matches!(mains.next(&QUIET, Uptime(4_000)), Turn::Listen(_)));
    }

    #[test]
    fn readings_without_a_time_wait_for_the_clock_and_not_for_ever() {
        let mut talk = Talk::new(Habits::BRIEFLY, SessionState::Resumed, Uptime(0));
        let desk = UplinkBacklog { readings: true, ..QUIET };
        assert_eq!(talk.next(&desk, Uptime(0)), Turn::Say(UplinkMessage::Readings));
        talk.happened(UplinkEvent::Held(UplinkMessage::Readings), Uptime(0));
        assert_eq!(talk.next(&desk, Uptime(0)), Turn::Listen(Uptime(10_000)), "no busy loop");
        assert_eq!(
            talk.next(&UplinkBacklog { alarm: true, ..desk }, Uptime(1)),
            Turn::Say(UplinkMessage::Alarm)
        );
        talk.happened(UplinkEvent::Heard, Uptime(2_000));
        says(&mut talk, &desk, UplinkMessage::Readings, 2_000);
        has(&mut talk, UplinkMessage::Readings, 2_500);
        talk.happened(UplinkEvent::Held(UplinkMessage::Readings), Uptime(70_000));
        assert_eq!(talk.next(&desk, Uptime(75_000)), Turn::Leave, "the gateway has no clock today");
    }

    #[test]
    fn a_clock_that_did_not_come_lately_is_not_waited_for_in_this_call() {
        let leaves = Talk::new(Habits::BRIEFLY, SessionState::Resumed, Uptime(0))
            .with_clock(ClockPatience::Leaves);
        let desk = UplinkBacklog { radio: Radio::Report, ..QUIET };
        assert_eq!(leaves.next(&desk, Uptime(2_000)), Turn::Leave);
        let waits = Talk::new(Habits::BRIEFLY, SessionState::Resumed, Uptime(0));
        assert_eq!(waits.next(&desk, Uptime(2_000)), Turn::Listen(Uptime(45_000)));
        assert_eq!(waits.next(&desk, Uptime(75_000)), Turn::Leave);
    }
}
