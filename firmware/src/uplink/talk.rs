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
    /// For mains.
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
pub struct Desk {
    /// What the node wants the modem for.
    pub radio: Radio,
    /// An alarm waits.
    pub alarm: bool,
    /// Readings wait.
    pub readings: bool,
    /// An answer to a command waits.
    pub answer: bool,
    /// The status has changed since it was last said.
    pub status: bool,
}

impl Desk {
    /// Whether anything waits.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.alarm || self.readings || self.answer || self.status
    }
}

/// One thing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The oldest alarm.
    Alarm,
    /// The birth status, retained.
    Status,
    /// That settings, commands and the clock are wanted.
    Subscribe,
    /// The answer to a command.
    Answer,
    /// Some of the oldest readings.
    Readings,
    /// That it is still there.
    Ping,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Say this.
    Say(What),
    /// Listen until then, or until something changes.
    Listen(Uptime),
    /// Say goodbye and sleep.
    Leave,
    /// The connection is dead: drop it without a word, so that the Last Will is sent.
    GiveUp,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// This was sent.
    Said(What),
    /// The broker has it.
    Acknowledged(What),
    /// There was nothing of that to say: readings wait for the clock, or storage does not answer.
    Held(What),
    /// Anything came from the broker.
    Heard,
}

/// How long readings may wait for the clock, which the gateway sends once a minute.
const CLOCK_MS: u64 = 75_000;
/// What was held is tried again after this, or when something is heard.
const HELD_MS: u64 = 10_000;

/// One connection, as far as it is decided here.
#[derive(Clone, Debug)]
pub struct Talk {
    habits: Habits,
    began: Uptime,
    spoke: Uptime,
    heard: Uptime,
    /// What is on its way, since when.
    urgent: Option<(What, Uptime)>,
    bulk: Option<Uptime>,
    ping: Option<Uptime>,
    subscribed: bool,
    /// There was nothing to say of those that wait, at that time.
    held_alarms: Option<Uptime>,
    held_readings: Option<Uptime>,
}

/// Whether the broker still knows what this device listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It does not, or this is the first connection since the start: the firmware may be new.
    New,
    /// It does.
    Resumed,
}

impl Talk {
    /// The broker has answered CONNECT at `now`.
    #[must_use]
    pub const fn new(habits: Habits, session: Session, now: Uptime) -> Self {
        Self {
            habits,
            began: now,
            spoke: now,
            heard: now,
            urgent: None,
            bulk: None,
            ping: None,
            subscribed: matches!(session, Session::Resumed),
            held_alarms: None,
            held_readings: None,
        }
    }

    /// What to do at `now`, given what waits.
    #[must_use]
    pub fn next(&self, desk: &Desk, now: Uptime) -> Turn {
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
            return Turn::Say(What::Ping);
        }
        let ping = self.ping.is_none().then_some(quiet);
        let held = self.held_alarms.or(self.held_readings).map(|since| since.after_ms(HELD_MS));
        let until = [dead, ping, leave, held].into_iter().flatten().filter(|at| *at > now).min();
        Turn::Listen(until.unwrap_or_else(|| now.after_ms(self.habits.patience_ms)))
    }

    fn to_say(&self, desk: &Desk, now: Uptime) -> Option<What> {
        let free = |held: Option<Uptime>| held.is_none_or(|since| since.after_ms(HELD_MS) <= now);
        if self.urgent.is_none() {
            for (wanted, what) in [
                (desk.alarm && free(self.held_alarms), What::Alarm),
                (desk.status, What::Status),
                (!self.subscribed, What::Subscribe),
                (desk.answer, What::Answer),
            ] {
                if wanted {
                    return Some(what);
                }
            }
        }
        let readings = desk.readings && self.bulk.is_none() && free(self.held_readings);
        readings.then_some(What::Readings)
    }

    /// When there is no reason left to stay.
    fn leave_at(&self, desk: &Desk) -> Option<Uptime> {
        let busy = self.urgent.is_some() || self.bulk.is_some() || self.ping.is_some();
        if self.habits.stay == Stay::Always || busy || desk.radio == Radio::Now {
            return None;
        }
        let last = self.spoke.max(self.heard).after_ms(self.habits.linger_ms);
        let for_clock = self.held_readings.is_some() || desk.radio == Radio::Report;
        Some(if for_clock { last.max(self.began.after_ms(CLOCK_MS)) } else { last })
    }

    /// Something happened at `now`.
    pub fn happened(&mut self, news: News, now: Uptime) {
        match news {
            News::Said(what) => {
                self.spoke = now;
                match what {
                    What::Readings => self.bulk = Some(now),
                    What::Ping => self.ping = Some(now),
                    What::Alarm | What::Status | What::Subscribe | What::Answer => {
                        self.urgent = Some((what, now));
                    }
                }
            }
            News::Acknowledged(what) => {
                self.heard = now;
                match what {
                    What::Readings => self.bulk = None,
                    What::Ping => self.ping = None,
                    What::Subscribe => (self.subscribed, self.urgent) = (true, None),
                    What::Alarm | What::Status | What::Answer => self.urgent = None,
                }
            }
            News::Held(What::Alarm) => self.held_alarms = Some(now),
            News::Held(_) => self.held_readings = Some(now),
            News::Heard => {
                (self.heard, self.held_alarms, self.held_readings) = (now, None, None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Desk, Habits, News, Session, Talk, Turn, What};
    use crate::{Radio, Uptime};

    const QUIET: Desk =
        Desk { radio: Radio::Sleep, alarm: false, readings: false, answer: false, status: false };
    const ALL: Desk = Desk { alarm: true, readings: true, answer: true, status: true, ..QUIET };

    fn talk(habits: Habits) -> Talk {
        Talk::new(habits, Session::New, Uptime(0))
    }

    /// It says `what` at `now`, as was meant.
    fn says(talk: &mut Talk, desk: &Desk, what: What, now: u64) {
        assert_eq!(talk.next(desk, Uptime(now)), Turn::Say(what));
        talk.happened(News::Said(what), Uptime(now));
    }

    fn has(talk: &mut Talk, what: What, now: u64) {
        talk.happened(News::Acknowledged(what), Uptime(now));
    }

    #[test]
    fn an_alarm_goes_first_and_never_waits_for_readings() {
        let mut talk = talk(Habits::ALWAYS);
        says(&mut talk, &ALL, What::Alarm, 0);
        says(&mut talk, &ALL, What::Readings, 0);
        assert!(matches!(talk.next(&ALL, Uptime(10)), Turn::Listen(_)), "two are on their way");
        has(&mut talk, What::Alarm, 20);
        says(&mut talk, &ALL, What::Alarm, 20);
        has(&mut talk, What::Alarm, 30);
        let desk = Desk { alarm: false, ..ALL };
        says(&mut talk, &desk, What::Status, 30);
        has(&mut talk, What::Status, 40);
        let desk = Desk { status: false, ..desk };
        says(&mut talk, &desk, What::Subscribe, 40);
        has(&mut talk, What::Subscribe, 50);
        says(&mut talk, &desk, What::Answer, 50);
        has(&mut talk, What::Readings, 60);
        says(&mut talk, &desk, What::Readings, 60);
    }

    #[test]
    fn a_session_that_is_resumed_is_not_subscribed_again() {
        let talk = Talk::new(Habits::ALWAYS, Session::Resumed, Uptime(0));
        assert!(matches!(talk.next(&QUIET, Uptime(0)), Turn::Listen(_)));
    }

    #[test]
    fn silence_is_answered_by_a_ping_and_then_by_giving_up() {
        let mut talk = Talk::new(Habits::ALWAYS, Session::Resumed, Uptime(0));
        assert_eq!(talk.next(&QUIET, Uptime(0)), Turn::Listen(Uptime(45_000)));
        says(&mut talk, &QUIET, What::Ping, 45_000);
        assert_eq!(talk.next(&QUIET, Uptime(45_000)), Turn::Listen(Uptime(65_000)));
        has(&mut talk, What::Ping, 46_000);
        says(&mut talk, &QUIET, What::Ping, 90_000);
        assert_eq!(talk.next(&QUIET, Uptime(109_999)), Turn::Listen(Uptime(110_000)));
        assert_eq!(talk.next(&QUIET, Uptime(110_000)), Turn::GiveUp);
        let desk = Desk { readings: true, ..QUIET };
        let mut talk = Talk::new(Habits::ALWAYS, Session::Resumed, Uptime(0));
        says(&mut talk, &desk, What::Readings, 0);
        assert_eq!(talk.next(&desk, Uptime(20_000)), Turn::GiveUp, "no acknowledgement");
    }

    #[test]
    fn a_battery_leaves_when_everything_is_said_and_a_while_was_listened() {
        let mut talk = Talk::new(Habits::BRIEFLY, Session::Resumed, Uptime(0));
        let desk = Desk { readings: true, ..QUIET };
        says(&mut talk, &desk, What::Readings, 100);
        assert_eq!(
            talk.next(&QUIET, Uptime(200)),
            Turn::Listen(Uptime(20_100)),
            "not before the broker has it"
        );
        has(&mut talk, What::Readings, 1_000);
        assert_eq!(talk.next(&QUIET, Uptime(1_000)), Turn::Listen(Uptime(3_000)));
        talk.happened(News::Heard, Uptime(2_000));
        assert_eq!(talk.next(&QUIET, Uptime(3_999)), Turn::Listen(Uptime(4_000)), "a command came");
        assert_eq!(talk.next(&QUIET, Uptime(4_000)), Turn::Leave);
        let live = Desk { radio: Radio::Now, ..QUIET };
        assert!(matches!(talk.next(&live, Uptime(4_000)), Turn::Listen(_)), "a crew watches");
        let mains = Talk::new(Habits::ALWAYS, Session::Resumed, Uptime(0));
        assert!(matches!(mains.next(&QUIET, Uptime(4_000)), Turn::Listen(_)));
    }

    #[test]
    fn readings_without_a_time_wait_for_the_clock_and_not_for_ever() {
        let mut talk = Talk::new(Habits::BRIEFLY, Session::Resumed, Uptime(0));
        let desk = Desk { readings: true, ..QUIET };
        assert_eq!(talk.next(&desk, Uptime(0)), Turn::Say(What::Readings));
        talk.happened(News::Held(What::Readings), Uptime(0));
        assert_eq!(talk.next(&desk, Uptime(0)), Turn::Listen(Uptime(10_000)), "no busy loop");
        assert_eq!(talk.next(&Desk { alarm: true, ..desk }, Uptime(1)), Turn::Say(What::Alarm));
        talk.happened(News::Heard, Uptime(2_000));
        says(&mut talk, &desk, What::Readings, 2_000);
        has(&mut talk, What::Readings, 2_500);
        talk.happened(News::Held(What::Readings), Uptime(70_000));
        assert_eq!(talk.next(&desk, Uptime(75_000)), Turn::Leave, "the gateway has no clock today");
    }
}
