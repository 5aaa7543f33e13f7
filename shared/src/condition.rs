//! Every condition there is, its severity and the class of incident it belongs to.

use serde::{Deserialize, Serialize};

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A pressure node on a hydrant.
    Hydrant,
    /// A smoke or heat detector.
    Smoke,
}

impl Kind {
    /// The name in files, and the measurement in InfluxDB.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hydrant => "hydrant",
            Self::Smoke => "smoke",
        }
    }
}

/// How much it matters, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Listed, and in the daily digest.
    Notice,
    /// Pages the station once.
    Warning,
    /// Pages and escalates.
    Critical,
    /// Pages, escalates and repeats until a person answers.
    Fire,
}

impl Severity {
    /// All severities, least first.
    pub const ALL: [Self; 4] = [Self::Notice, Self::Warning, Self::Critical, Self::Fire];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Fire => "fire",
        }
    }
}

/// What kind of work an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Smoke or heat.
    Fire,
    /// A hydrant, or a zone of them, cannot give water as it should.
    Water,
    /// A device wants repair.
    Upkeep,
    /// The gateway cannot see a part of the town.
    Blind,
}

impl Class {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fire => "fire",
            Self::Water => "water",
            Self::Upkeep => "upkeep",
            Self::Blind => "blind",
        }
    }
}

/// Something true of a device, of a zone or of the gateway for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Condition {
    /// Smoke is seen.
    Smoke,
    /// It is hot, or getting hot fast.
    Heat,
    /// The pipe is empty.
    NoWater,
    /// Pressure is under the profile's minimum.
    LowPressure,
    /// Pressure is over the profile's maximum.
    HighPressure,
    /// Water flows, or a cap is off.
    HydrantOpen,
    /// The hydrant leans.
    Knocked,
    /// The water may freeze.
    Freezing,
    /// What the sensor says cannot be so.
    SensorFault,
    /// The battery is nearly empty.
    BatteryLow,
    /// The detector's chamber is dirty.
    Contamination,
    /// The device is not heard.
    Offline,
    /// Somebody opened the device.
    Tamper,
    /// The device's clock is wrong.
    ClockFault,
    /// Many hydrants of a zone are low together.
    ZoneLowPressure,
    /// Many devices of a station fell silent together.
    BlindArea,
    /// The gateway has no broker.
    GatewayBlind,
    /// The device sent an alarm that cannot be read.
    UnreadableAlarm,
    /// The device sends messages, and nothing in them is understood.
    NotUnderstood,
    /// A file of the registry cannot be read: the gateway runs with what it has stored.
    RegistryFault,
    /// A receiver does not take the pages it is sent.
    ReceiverDown,
    /// The gateway pages without something that it does not need for that.
    Degraded,
}

/// A text that names no condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCondition;

impl core::fmt::Display for UnknownCondition {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("unknown condition: use a name of the contract, such as smoke or no_water")
    }
}

impl core::error::Error for UnknownCondition {}

impl Condition {
    /// All conditions, in the order of their numbers.
    pub const ALL: [Self; 22] = [
        Self::Smoke,
        Self::Heat,
        Self::NoWater,
        Self::LowPressure,
        Self::HighPressure,
        Self::HydrantOpen,
        Self::Knocked,
        Self::Freezing,
        Self::SensorFault,
        Self::BatteryLow,
        Self::Contamination,
        Self::Offline,
        Self::Tamper,
        Self::ClockFault,
        Self::ZoneLowPressure,
        Self::BlindArea,
        Self::GatewayBlind,
        Self::UnreadableAlarm,
        Self::NotUnderstood,
        Self::RegistryFault,
        Self::ReceiverDown,
        Self::Degraded,
    ];

    /// The name on the wire and in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Heat => "heat",
            Self::NoWater => "no_water",
            Self::LowPressure => "low_pressure",
            Self::HighPressure => "high_pressure",
            Self::HydrantOpen => "hydrant_open",
            Self::Knocked => "knocked",
            Self::Freezing => "freezing",
            Self::SensorFault => "sensor_fault",
            Self::BatteryLow => "battery_low",
            Self::Contamination => "contamination",
            Self::Offline => "offline",
            Self::Tamper => "tamper",
            Self::ClockFault => "clock_fault",
            Self::ZoneLowPressure => "zone_low_pressure",
            Self::BlindArea => "blind_area",
            Self::GatewayBlind => "gateway_blind",
            Self::UnreadableAlarm => "unreadable_alarm",
            Self::NotUnderstood => "not_understood",
            Self::RegistryFault => "registry_fault",
            Self::ReceiverDown => "receiver_down",
            Self::Degraded => "degraded",
        }
    }

    /// How much it matters.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Smoke | Self::Heat => Severity::Fire,
            Self::NoWater
            | Self::ZoneLowPressure
            | Self::BlindArea
            | Self::GatewayBlind
            | Self::UnreadableAlarm => Severity::Critical,
            Self::LowPressure
            | Self::HydrantOpen
            | Self::Knocked
            | Self::Freezing
            | Self::Tamper
            | Self::RegistryFault
            | Self::ReceiverDown
            | Self::Degraded => Severity::Warning,
            Self::HighPressure
            | Self::SensorFault
            | Self::BatteryLow
            | Self::Contamination
            | Self::Offline
            | Self::ClockFault
            | Self::NotUnderstood => Severity::Notice,
        }
    }

    /// The class of incident it belongs to.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Smoke | Self::Heat => Class::Fire,
            Self::NoWater
            | Self::LowPressure
            | Self::HighPressure
            | Self::HydrantOpen
            | Self::ZoneLowPressure => Class::Water,
            Self::Knocked
            | Self::Freezing
            | Self::SensorFault
            | Self::BatteryLow
            | Self::Contamination
            | Self::Offline
            | Self::Tamper
            | Self::ClockFault
            | Self::NotUnderstood
            | Self::RegistryFault
            | Self::ReceiverDown
            | Self::Degraded => Class::Upkeep,
            Self::BlindArea | Self::GatewayBlind | Self::UnreadableAlarm => Class::Blind,
        }
    }

    /// A bit of its own, for sets of conditions.
    #[must_use]
    pub const fn bit(self) -> u32 {
        1 << (self as u8)
    }
}

impl core::str::FromStr for Condition {
    type Err = UnknownCondition;

    fn from_str(text: &str) -> Result<Self, UnknownCondition> {
        Self::ALL.into_iter().find(|condition| condition.as_str() == text).ok_or(UnknownCondition)
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Condition, Kind, Severity, UnknownCondition};

    #[test]
    #[rustfmt::skip] // a table
    fn the_table_of_the_contract() {
        for (name, severity, class) in [
            ("smoke",             "fire",     "fire"),
            ("heat",              "fire",     "fire"),
            ("no_water",          "critical", "water"),
            ("low_pressure",      "warning",  "water"),
            ("high_pressure",     "notice",   "water"),
            ("hydrant_open",      "warning",  "water"),
            ("knocked",           "warning",  "upkeep"),
            ("freezing",          "warning",  "upkeep"),
            ("sensor_fault",      "notice",   "upkeep"),
            ("battery_low",       "notice",   "upkeep"),
            ("contamination",     "notice",   "upkeep"),
            ("offline",           "notice",   "upkeep"),
            ("tamper",            "warning",  "upkeep"),
            ("clock_fault",       "notice",   "upkeep"),
            ("zone_low_pressure", "critical", "water"),
            ("blind_area",        "critical", "blind"),
            ("gateway_blind",     "critical", "blind"),
            ("unreadable_alarm",  "critical", "blind"),
            ("not_understood",    "notice",   "upkeep"),
            ("registry_fault",    "warning",  "upkeep"),
            ("receiver_down",     "warning",  "upkeep"),
            ("degraded",          "warning",  "upkeep"),
        ] {
            let condition: Condition = name.parse().unwrap_or_else(|bad| panic!("{name}: {bad}"));
            assert_eq!(condition.as_str(), name);
            assert_eq!(condition.severity().as_str(), severity, "{name}");
            assert_eq!(condition.class().as_str(), class, "{name}");
        }
        assert_eq!("fog".parse::<Condition>(), Err(UnknownCondition));
    }

    #[test]
    fn names_on_the_wire_are_those_of_serde() {
        extern crate std;
        for condition in Condition::ALL {
            let json = serde_json::to_string(&condition).unwrap_or_default();
            assert_eq!(json, std::format!("\"{}\"", condition.as_str()));
        }
        for severity in Severity::ALL {
            let json = serde_json::to_string(&severity).unwrap_or_default();
            assert_eq!(json, std::format!("\"{}\"", severity.as_str()));
        }
        for class in [Class::Fire, Class::Water, Class::Upkeep, Class::Blind] {
            let json = serde_json::to_string(&class).unwrap_or_default();
            assert_eq!(json, std::format!("\"{}\"", class.as_str()));
        }
        for kind in [Kind::Hydrant, Kind::Smoke] {
            let json = serde_json::to_string(&kind).unwrap_or_default();
            assert_eq!(json, std::format!("\"{}\"", kind.as_str()));
        }
    }

    #[test]
    fn every_condition_has_a_bit_of_its_own() {
        let all = Condition::ALL.iter().fold(0, |set, condition| set | condition.bit());
        assert_eq!(all, (1 << Condition::ALL.len()) - 1);
    }
}
