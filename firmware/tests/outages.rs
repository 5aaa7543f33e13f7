//! Seven ways of being cut off, each for thirty days on one battery: what it costs, how often the
//! modem is switched on, and how long an alarm waits after the outage is over.
//!
//! When to dial is [`Retry`]'s, what is said and when to hang up [`Talk`]'s; how long a modem takes
//! to fail is its dialogue's own patience. What it takes meanwhile is that of `power`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test may"
)]

use standpipe_firmware::power::{Battery, Budget, CALL_MA, Costs, Meter, SEARCH_MA};
use standpipe_firmware::uplink::{
    Away, ClockHeard, ClockPatience, DENIED_S, Ended, Habits, NETWORK_S, REGISTER_S, Retry,
    SessionState, Talk, Turn, UplinkBacklog, UplinkEvent, UplinkMessage,
};
use standpipe_firmware::{Radio, Uptime};

const DAY_MS: u64 = 86_400_000;
const DAYS: u64 = 30;
/// A calm hydrant's readings.
const READING_MS: u64 = 900_000;
/// A node looks at its sensors this often, and says then what the modem is for.
const SAMPLE_MS: u64 = 60_000;
/// After an alarm a node wants to be heard for so long.
const BURST_MS: u64 = 120_000;
/// The modem's key is pressed, and it boots.
const WAKE_MS: u64 = 4_000;
/// From there to a connection, when nothing is wrong.
const DIAL_MS: u64 = 4_000;
/// A message, and its acknowledgement.
const ROUND_TRIP_MS: u64 = 300;
/// `+++`, its silences, and the end of the socket.
const HANG_UP_MS: u64 = 2_500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    NoSim,
    LapsedSim,
    NoNetwork,
    NoBroker,
    /// The broker takes everything, and nobody is behind it: the hour is never told again.
    NoGateway,
    /// The device started without the hour, and it never comes.
    NoClock,
    /// The chip answers no more: the alarm in it can be neither said nor forgotten.
    DeadStorage,
}

impl Outage {
    const ALL: [Self; 7] = [
        Self::NoSim,
        Self::LapsedSim,
        Self::NoNetwork,
        Self::NoBroker,
        Self::NoGateway,
        Self::NoClock,
        Self::DeadStorage,
    ];

    /// How long the modem is on until it fails, what it takes, and what is said of it; `None`: it
    /// connects.
    fn fails(self) -> Option<(u64, u64, Ended)> {
        let s = |seconds: u32| WAKE_MS + u64::from(seconds) * 1_000;
        match self {
            Self::NoSim => Some((s(1), CALL_MA, Ended::NotReached)),
            Self::LapsedSim => Some((s(DENIED_S + 2), SEARCH_MA, Ended::NoNetwork)),
            Self::NoNetwork => Some((s(REGISTER_S + 2), SEARCH_MA, Ended::NoNetwork)),
            Self::NoBroker => Some((s(NETWORK_S) + DIAL_MS, CALL_MA, Ended::NotReached)),
            Self::NoGateway | Self::NoClock | Self::DeadStorage => None,
        }
    }

    /// Whether the hour is known at `now`, or as good as.
    fn hour_is_wanted(self, now: Uptime) -> bool {
        match self {
            Self::NoClock => true,
            Self::NoGateway => now.0 >= DAY_MS,
            Self::NoSim
            | Self::LapsedSim
            | Self::NoNetwork
            | Self::NoBroker
            | Self::DeadStorage => false,
        }
    }
}

/// A node without its sensors.
struct Device {
    outage: Outage,
    now: Uptime,
    readings: u32,
    alarm: bool,
    alarm_at: Option<Uptime>,
    made: u64,
    retry: Retry,
    online: bool,
    calls: u64,
    /// mA·ms, day by day.
    spent: Vec<f64>,
    /// When it dialled while an alarm waited.
    dialled_for_alarm: Vec<u64>,
}

impl Device {
    fn new(outage: Outage, alarm_at: Option<Uptime>) -> Self {
        Self {
            outage,
            now: Uptime(0),
            readings: 0,
            alarm: false,
            alarm_at,
            made: 0,
            retry: Retry::new(11, &Habits::BRIEFLY),
            online: false,
            calls: 0,
            spent: vec![0.0; DAYS as usize + 1],
            dialled_for_alarm: Vec::new(),
        }
    }

    /// What the node has made until now.
    fn make(&mut self) {
        while self.made * READING_MS <= self.now.0 {
            self.made += 1;
            self.readings = (self.readings + 1).min(672);
        }
        if self.alarm_at.is_some_and(|at| at <= self.now) {
            self.alarm = true;
            self.alarm_at = None;
            self.made_alarm();
        }
    }

    fn made_alarm(&mut self) {
        self.dialled_for_alarm.push(self.now.0);
    }

    fn desk(&self) -> UplinkBacklog {
        let since_alarm = self.dialled_for_alarm.first().map(|at| self.now.0 - at);
        // The node says it with a reading, and takes it back at its next step.
        let fresh = self.now.0 % READING_MS < SAMPLE_MS;
        let radio = match since_alarm {
            Some(0..BURST_MS) => Radio::Now,
            _ if (fresh || self.online) && self.outage.hour_is_wanted(self.now) => Radio::Report,
            _ => Radio::Sleep,
        };
        UplinkBacklog {
            radio,
            alarm: self.alarm,
            readings: self.readings > 0,
            answer: false,
            status: false,
            repeat_at: None,
        }
    }

    fn live(&mut self) {
        while self.now.0 < DAYS * DAY_MS {
            self.make();
            let desk = self.desk();
            match self.retry.next(&desk, self.now) {
                Away::Dial => self.call(),
                Away::Rest(due) => {
                    let sample = Uptime((self.now.0 / SAMPLE_MS + 1) * SAMPLE_MS);
                    self.now = due.unwrap_or(sample).min(sample).max(self.now.after_ms(1));
                }
            }
        }
    }

    fn takes(&mut self, ms: u64, ma: u64) {
        let day = (self.now.0 / DAY_MS) as usize;
        self.spent[day] += (ms * ma) as f64;
        self.now = self.now.after_ms(ms);
    }

    fn call(&mut self) {
        self.calls += 1;
        if self.alarm {
            self.dialled_for_alarm.push(self.now.0);
        }
        self.retry.dialling(self.now);
        let ended = match self.outage.fails() {
            Some((ms, ma, ended)) => {
                self.takes(ms, ma);
                ended
            }
            None => {
                self.takes(WAKE_MS + DIAL_MS, CALL_MA);
                let began = self.now;
                let waits = self.retry.clock_is_due(began);
                self.online = true;
                let ended = self.converse();
                self.online = false;
                self.takes(HANG_UP_MS, CALL_MA);
                if self.outage.hour_is_wanted(began) && waits {
                    self.retry.listened_for_clock(ClockHeard::No, self.now);
                }
                ended
            }
        };
        self.retry.ended(ended, self.now);
    }

    /// A broker that acknowledges everything.
    fn converse(&mut self) -> Ended {
        let due = self.retry.clock_is_due(self.now);
        let patience = if due { ClockPatience::Waits } else { ClockPatience::Leaves };
        let mut talk =
            Talk::new(Habits::BRIEFLY, SessionState::Resumed, self.now).with_clock(patience);
        loop {
            self.make();
            match talk.next(&self.desk(), self.now) {
                Turn::Leave => return Ended::Left,
                Turn::GiveUp => return Ended::Broken,
                Turn::Listen(until) => {
                    let sample = Uptime((self.now.0 / SAMPLE_MS + 1) * SAMPLE_MS);
                    let until = until.min(sample).max(self.now.after_ms(1));
                    self.takes(until.since_ms(self.now), CALL_MA);
                }
                Turn::Say(what) if !self.can_be_said(what) => {
                    talk.happened(UplinkEvent::Held(what), self.now);
                }
                Turn::Say(what) => {
                    talk.happened(UplinkEvent::Said(what), self.now);
                    self.takes(ROUND_TRIP_MS, CALL_MA);
                    talk.happened(UplinkEvent::Acknowledged(what), self.now);
                    match what {
                        UplinkMessage::Alarm => self.alarm = false,
                        UplinkMessage::Readings => self.readings = self.readings.saturating_sub(8),
                        UplinkMessage::Status
                        | UplinkMessage::Subscribe
                        | UplinkMessage::Answer
                        | UplinkMessage::Repeat
                        | UplinkMessage::Ping => continue,
                    }
                    self.retry.progressed();
                }
            }
        }
    }

    fn can_be_said(&self, what: UplinkMessage) -> bool {
        match what {
            UplinkMessage::Alarm => self.outage != Outage::DeadStorage,
            UplinkMessage::Readings => self.outage != Outage::NoClock,
            UplinkMessage::Status
            | UplinkMessage::Subscribe
            | UplinkMessage::Answer
            | UplinkMessage::Repeat
            | UplinkMessage::Ping => true,
        }
    }
}

/// mAh that everything but the modem takes in a day.
fn base_mah() -> f64 {
    let mut meter = Meter::default();
    (meter.wakes, meter.pressure, meter.temp) = (1_440, 1_440, 1_440);
    let budget = Budget::new(&meter, 86_400.0, &Costs::HYDRANT, &Battery::D_CELL);
    f64::from(budget.all_ua() - budget.radio_ua) * 24.0 / 1_000.0
}

#[test]
fn no_outage_empties_the_battery_and_no_alarm_is_given_up() {
    println!("outage        alarm   mAh on day 1   mAh a day   calls   latest alarm");
    for outage in Outage::ALL {
        for alarm_at in [None, Some(Uptime(3_600_000))] {
            let mut device = Device::new(outage, alarm_at);
            device.live();
            let mah = |spent: f64| spent / 3_600_000.0;
            let first = mah(device.spent[0]) + base_mah();
            let mean = mah(device.spent.iter().sum::<f64>()) / DAYS as f64 + base_mah();
            let waits = device.alarm;
            let gaps = device.dialled_for_alarm.windows(2).map(|pair| pair[1] - pair[0]);
            let latest = gaps.max().unwrap_or(0) / 1_000;
            let alarm = match (alarm_at, waits) {
                (None, _) => "none",
                (Some(_), false) => "said",
                (Some(_), true) => "waits",
            };
            println!(
                "{:12}  {alarm:5} {first:14.1} {mean:11.1} {:7} {:8} min",
                format!("{outage:?}"),
                device.calls,
                latest / 60
            );
            assert!(first <= 60.0, "{outage:?} {alarm}: {first} mAh on the first day");
            assert!(mean <= 30.0, "{outage:?} {alarm}: {mean} mAh a day");
            // As soon as the outage is over the alarm is out within this.
            assert!(latest <= 3 * 3_600, "{outage:?} {alarm}: {latest} s between two attempts");
            let reached = matches!(outage, Outage::NoGateway | Outage::NoClock);
            assert_eq!(waits, alarm_at.is_some() && !reached, "{outage:?}");
        }
    }
}
