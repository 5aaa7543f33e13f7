//! How long a battery lasts: a budget of wake-ups, radio seconds and sensor milliamp-seconds.
//!
//! The counts are those of a node that runs ([`Meter`]), for instance over a simulated day; what
//! each of them costs is the board's ([`Costs`]), from data sheets until it was measured. The
//! result says which part takes the most, how long the battery lasts, which share of the time the
//! processor sleeps, and what rare samples cost in seconds of detection.
//!
//! What everything takes while it sleeps is one table of the deployed board, pin by pin ([`DRAWS`]):
//! a pin that is not in it fails a test, and what is in it is in the result.
//!
//! No claim is made for a board whose costs were not measured.

use crate::uplink::Habits;
use crate::{Actions, Radio, Seen, Uptime};

/// Hours of a year (365.25 days).
const HOURS_A_YEAR: f32 = 8_766.0;
/// Once a day the modem stays on until the gateway's clock is heard, which comes every minute.
const CLOCK_S_A_DAY: f32 = 30.0;
const SECONDS_A_DAY: f32 = 86_400.0;
/// `no_water` and `low_pressure` want 30 s of it.
const DWELL_S: u32 = 30;
/// While something is in doubt a node samples every 5 s, whatever its settings say.
const DOUBT_S: u32 = 5;

/// From the supply of the pressure transmitter to its first good answer, ms: of its data sheet.
/// The board waits so long and the budget counts it, so that neither is changed alone.
pub const WARM_UP_MS: u16 = 500;
/// The question, its answer and the pause before it, ms: 17 bytes at 9,600 baud are 18.
const ASK_MS: u16 = 50;
/// What a 3.3 V Modbus transmitter and the driver of its line take meanwhile, mA.
const TRANSMITTER_MA: f32 = 5.0;
/// Waking the modem, finding the network, dialling with TLS and hanging up, s; then it lingers.
const CALL_S: f32 = 5.0;
/// What the modem takes on average during a call, mA …
pub const CALL_MA: u64 = 22;
/// … and while it searches for a network that is not there: it listens on band after band.
pub const SEARCH_MA: u64 = 60;
/// The call's longest burst: NB-IoT that repeats itself at full power, mA over s, at the supply.
const BURST_MA: f32 = 250.0;
const BURST_S: f32 = 2.6;
/// What a bobbin cell gives without losing its voltage, mA.
const CELL_MA: f32 = 50.0;
/// What its voltage may sag meanwhile: from 3.6 V to where the modem and the chip still run, V.
const SAG_V: f32 = 0.5;

/// What must stand beside the cell for the modem's burst, farads: the 470 µF of a mains design would
/// carry it for a millisecond.
pub const PULSE_FARADS: f32 = (BURST_MA - CELL_MA) / 1_000.0 * BURST_S / SAG_V;

/// Which devices have a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitted {
    Always,
    Hydrant,
    Smoke,
}

/// A pin, a rail or a part of the deployed board (`board-stm32l476`), and what it takes while
/// everything sleeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// The pins, as the chip's maker calls them; of a part its name.
    pub what: &'static str,
    /// How it is left between two samples.
    pub asleep: &'static str,
    pub fitted: Fitted,
    /// At 3.6 V and 20 °C, µA; from data sheets, from memory: measure it.
    pub ua: f32,
}

const fn draw(what: &'static str, asleep: &'static str, fitted: Fitted, ua: f32) -> Draw {
    Draw { what, asleep, fitted, ua }
}

/// A closed contact on 2.2 MΩ outside the chip: its own pull-ups, 25 to 55 kΩ, would take 65 to
/// 144 µA each, for ever.
const CONTACT_UA: f32 = 3.6 / 2.2;

/// The deployed board, asleep.
#[rustfmt::skip] // a table
pub const DRAWS: [Draw; 20] = [
    draw("STM32L476",       "STOP 2, its clock on the crystal, watchdog on; debug off in sleep",  Fitted::Always,  2.3),
    draw("feeding",         "awake for 1 ms of every 10 s, for the watchdog",                     Fitted::Always,  0.4),
    draw("ADC1",            "disabled, its regulator and the reference off",                      Fitted::Always,  0.0),
    draw("PC14 PC15",       "crystal: in the chip's figure",                                      Fitted::Always,  0.0),
    draw("PC0",             "contact flow, taken as closed, 2.2 MΩ outside, no pull inside",      Fitted::Hydrant, CONTACT_UA),
    draw("PC1",             "contact cap, closed, the same",                                      Fitted::Hydrant, CONTACT_UA),
    draw("PC2",             "contact case, closed, the same",                                     Fitted::Always,  CONTACT_UA),
    draw("PC13",            "button, open, the same",                                             Fitted::Always,  0.0),
    draw("PC8",             "low: load switch of transmitter and RS-485 transceiver, off",        Fitted::Hydrant, 0.5),
    draw("PC10 PC11 PB14",  "analog: USART3 is closed and its transceiver has no supply",         Fitted::Hydrant, 0.0),
    draw("PB8 PB9",         "analog: I2C1 is closed",                                             Fitted::Always,  0.0),
    draw("PB5",             "low: storage and the bus's pull-ups have no supply",                 Fitted::Always,  0.0),
    draw("PA9 PA10 PA8",    "analog, and high: level shifter, whose modem's side is off",         Fitted::Always,  1.0),
    draw("PB12",            "low: transistor of the modem's key, off",                            Fitted::Always,  0.1),
    draw("PB2 PB6",         "low: lamp and sounder's driver, off",                                Fitted::Always,  0.1),
    draw("BG95",            "power saving mode; without a network switched off, which is less",   Fitted::Always,  4.0),
    draw("pulse capacitor", "leaks",                                                              Fitted::Always,  2.0),
    draw("TMP1075",         "shut down",                                                          Fitted::Always,  0.4),
    draw("LIS2DH12",        "measures once a second",                                             Fitted::Hydrant, 2.0),
    draw("ADPD188BI",       "standby",                                                            Fitted::Smoke,   3.5),
];

/// What all that a device has takes asleep, µA.
#[must_use]
pub const fn asleep_ua(device: Fitted) -> f32 {
    let (mut at, mut sum) = (0, 0.0);
    while at < DRAWS.len() {
        #[expect(clippy::indexing_slicing, reason = "below its length, and checked when compiled")]
        let Draw { fitted, ua, .. } = DRAWS[at];
        if matches!(fitted, Fitted::Always) || fitted as u8 == device as u8 {
            sum += ua;
        }
        at += 1;
    }
    sum
}

/// What a board takes, at the battery's terminals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// Everything asleep, µA: regulator, processor with its clock, modem, accelerometer.
    pub sleep_ua: f32,
    /// The processor awake, mA.
    pub awake_ma: f32,
    /// One wake-up with its step and its write to storage, ms awake; waiting for a sensor is
    /// spent asleep.
    pub step_ms: f32,
    /// One question to the pressure sensor with its warm-up, mA·s.
    pub pressure_mas: f32,
    /// One question to the thermometer, mA·s.
    pub temp_mas: f32,
    /// One question to the smoke chamber, mA·s.
    pub smoke_mas: f32,
    /// Waking the modem, sending what waits and falling asleep again, mA·s.
    pub session_mas: f32,
    /// The modem kept on, mA.
    pub online_ma: f32,
}

impl Costs {
    /// A hydrant node with a 3.3 V Modbus transmitter that is switched on for [`WARM_UP_MS`] and
    /// its frame, and an LTE-M or NB-IoT modem in power saving mode (PSM) between two calls.
    /// From data sheets and operators' notes, from memory: measure it, the calls first.
    pub const HYDRANT: Self = Self {
        sleep_ua: asleep_ua(Fitted::Hydrant),
        awake_ma: 4.0,
        step_ms: 5.0,
        pressure_mas: (WARM_UP_MS + ASK_MS) as f32 / 1_000.0 * TRANSMITTER_MA,
        temp_mas: 0.02,
        smoke_mas: 0.0,
        session_mas: (CALL_S + Habits::BRIEFLY.linger_ms as f32 / 1_000.0) * CALL_MA as f32,
        online_ma: 12.0,
    };
    /// The same with a 4–20 mA transmitter: 24 V at up to 20 mA for 150 ms of warm-up, made of
    /// 3.6 V with 85 %: 157 mA at the battery.
    pub const HYDRANT_LOOP: Self = Self { pressure_mas: 23.5, ..Self::HYDRANT };
    /// A detector: an ADPD188BI takes about 0.05 mA·s a sample with its set-up.
    pub const SMOKE: Self = Self {
        sleep_ua: asleep_ua(Fitted::Smoke),
        pressure_mas: 0.0,
        smoke_mas: 0.05,
        ..Self::HYDRANT
    };
}

/// A cell by its data sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Battery {
    /// In mAh.
    pub capacity_mah: f32,
    /// What it loses by itself, share a year: about 1 % of a lithium thionyl chloride cell.
    pub fades_a_year: f32,
}

impl Battery {
    /// One D cell of lithium thionyl chloride: 19 Ah.
    pub const D_CELL: Self = Self { capacity_mah: 19_000.0, fades_a_year: 0.01 };
}

/// What a node has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Times it woke and decided.
    pub wakes: u32,
    /// Times the pressure sensor was asked.
    pub pressure: u32,
    /// Times the thermometer was asked.
    pub temp: u32,
    /// Times the chamber was asked.
    pub smoke: u32,
    /// Times the modem was woken for a report.
    pub sessions: u32,
    /// The modem was kept on for so long, ms.
    pub online_ms: u64,
    last: Uptime,
    online: bool,
}

impl Meter {
    /// Counts one step and what it asked for.
    pub fn count(&mut self, seen: &Seen, actions: &Actions, now: Uptime) {
        self.wakes = self.wakes.saturating_add(1);
        let asked =
            |count: &mut u32, answered: bool| *count = count.saturating_add(u32::from(answered));
        asked(&mut self.pressure, seen.pressure.is_some());
        asked(&mut self.temp, seen.temp.is_some());
        asked(&mut self.smoke, seen.smoke.is_some());
        if self.online {
            self.online_ms = self.online_ms.saturating_add(now.since_ms(self.last));
        }
        let online = actions.radio == Radio::Now;
        asked(&mut self.sessions, !self.online && (online || !actions.records.is_empty()));
        (self.online, self.last) = (online, now);
    }
}

/// What a node takes on average, µA, by who takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// What the processor takes asleep.
    pub sleep_ua: f32,
    /// What the processor takes awake.
    pub awake_ua: f32,
    /// What all sensors take.
    pub sensors_ua: f32,
    /// What the modem takes.
    pub radio_ua: f32,
    /// What the battery loses by itself.
    pub fades_ua: f32,
    /// Share of the time in which the processor sleeps, %.
    pub sleeps_pct: f32,
    /// How long the battery lasts, years.
    pub years: f32,
}

impl Budget {
    /// What was counted in `over_s` seconds, at these costs.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of days, told to three digits")]
    pub fn new(meter: &Meter, over_s: f32, costs: &Costs, battery: &Battery) -> Self {
        let average_ua = |mas: f32| mas / over_s * 1_000.0;
        let count = |count: u32| count as f32;
        let awake_s = count(meter.wakes) * costs.step_ms / 1_000.0;
        let awake_ua = average_ua(awake_s * costs.awake_ma);
        let sensors_ua = average_ua(
            count(meter.pressure) * costs.pressure_mas
                + count(meter.temp) * costs.temp_mas
                + count(meter.smoke) * costs.smoke_mas,
        );
        let online_s = meter.online_ms as f32 / 1_000.0;
        let clock_s = CLOCK_S_A_DAY * over_s / SECONDS_A_DAY;
        let online_mas = (online_s + clock_s) * costs.online_ma;
        let radio_ua = average_ua(count(meter.sessions) * costs.session_mas + online_mas);
        let fades_ua = battery.capacity_mah * battery.fades_a_year / HOURS_A_YEAR * 1_000.0;
        let sleep_ua = costs.sleep_ua;
        let all_ua = sleep_ua + awake_ua + sensors_ua + radio_ua + fades_ua;
        Self {
            sleep_ua,
            awake_ua,
            sensors_ua,
            radio_ua,
            fades_ua,
            sleeps_pct: 100.0 * (1.0 - awake_s / over_s),
            years: battery.capacity_mah * 1_000.0 / all_ua / HOURS_A_YEAR,
        }
    }

    /// On average, µA.
    #[must_use]
    pub const fn all_ua(&self) -> f32 {
        self.sleep_ua + self.awake_ua + self.sensors_ua + self.radio_ua + self.fades_ua
    }
}

/// From an empty pipe to the alarm in the outbox, at the worst, seconds: two samples until the
/// median follows, of which the first comes at its own time, then the dwell to the next sample.
#[must_use]
pub const fn no_water_within_s(sample_s: u32) -> u32 {
    let doubt_s = if sample_s < DOUBT_S { sample_s } else { DOUBT_S };
    2 * sample_s + DWELL_S + doubt_s
}

/// What a battery may give on average to last `years`, µA: its own fading among it.
#[must_use]
pub const fn allowance_ua(battery: &Battery, years: f32) -> f32 {
    battery.capacity_mah * 1_000.0 / (years * HOURS_A_YEAR)
}

#[cfg(test)]
mod tests {
    use super::{Battery, Budget, Costs, Meter, allowance_ua};

    #[test]
    fn the_goal_of_eight_years_is_271_microamps() {
        let ua = allowance_ua(&Battery::D_CELL, 8.0);
        assert!((ua - 270.9).abs() < 0.1, "{ua}");
    }

    #[test]
    fn a_budget_is_its_counts_times_their_costs() {
        let meter = Meter {
            wakes: 1_000,
            pressure: 500,
            temp: 100,
            sessions: 10,
            online_ms: 5_000,
            ..Meter::default()
        };
        let costs = Costs {
            sleep_ua: 10.0,
            awake_ma: 5.0,
            step_ms: 2.0,
            pressure_mas: 0.2,
            temp_mas: 0.1,
            smoke_mas: 9.0,
            session_mas: 100.0,
            online_ma: 20.0,
        };
        let battery = Battery { capacity_mah: 8_766.0, fades_a_year: 0.02 };
        let budget = Budget::new(&meter, 10_000.0, &costs, &battery);
        let near =
            |one: f32, two: f32| assert!((one - two).abs() < 0.01, "{one} {two}: {budget:?}");
        near(budget.awake_ua, 1.0); // 2 s × 5 mA in 10,000 s
        near(budget.sensors_ua, 11.0); // 100 + 10 mA·s
        near(budget.radio_ua, 116.94); // 1,000 mA·s, 5 s × 20 mA, and 3.47 s of the clock
        near(budget.fades_ua, 20.0); // 175.32 mAh in 8,766 h
        near(budget.all_ua(), 158.94);
        near(budget.sleeps_pct, 99.98);
        near(budget.years, 6.292); // 8,766 mAh / 0.15894 mA / 8,766 h
    }
}
