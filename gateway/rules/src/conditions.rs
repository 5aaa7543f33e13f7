//! What is said of each condition beside the numbers that decide: of what it can be true, who may
//! find it, which measurements are shown with it, and its words. A row each, in one table.
//!
//! Not here: its name, severity and class, which devices know too (`standpipe_shared::Condition`);
//! from which value on it is true, and for how long (`detect::signals`).

use standpipe_shared::{Condition, Field};

/// Of what a condition can be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrueOf {
    /// Of hydrants alone.
    Hydrant,
    /// Of smoke detectors alone.
    Detector,
    /// Of whatever measures or sends.
    Device,
    /// Of the hydrants of a pressure zone, together.
    Zone,
    /// Of a station's devices, together.
    Area,
    /// Of the gateway, which hears all of them.
    Gateway,
    /// Of who is paged, and so of no device.
    Receiver,
}

/// Who may say that a condition is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// A device by an alarm, as well as the gateway.
    Anybody,
    /// The gateway: it is true of many, or of what the gateway makes of a message. An alarm of it
    /// is refused.
    GatewayAlone,
}

/// A text in English, and in Chinese.
pub type Both = (&'static str, &'static str);

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionRow {
    /// What it may be rehearsed for.
    pub of: TrueOf,
    /// Whether an alarm of it counts, or is refused.
    pub found_by: FoundBy,
    /// The measurements that tell something of it.
    pub shown: &'static [Field],
    /// In the middle of a line: in lists, in a trail.
    pub term: Both,
    /// At the beginning of an incident's title.
    pub title: Both,
}

/// The row of a condition.
#[must_use]
#[expect(clippy::too_many_lines, reason = "a table")]
pub const fn row(condition: Condition) -> ConditionRow {
    use Field::{BatteryMv, DirtPct, LoopMa, PressureKpa, SmokeDbM, TempC, TiltDeg};
    use FoundBy::{Anybody, GatewayAlone};
    use TrueOf::{Area, Detector, Device, Gateway, Hydrant, Receiver, Zone};
    match condition {
        Condition::Smoke => ConditionRow {
            of: Detector,
            found_by: Anybody,
            shown: &[SmokeDbM, TempC],
            term: ("smoke", "烟雾"),
            title: ("Smoke", "烟雾报警"),
        },
        Condition::Heat => ConditionRow {
            of: Detector,
            found_by: Anybody,
            shown: &[SmokeDbM, TempC],
            term: ("heat", "高温"),
            title: ("Heat", "高温报警"),
        },
        Condition::NoWater => ConditionRow {
            of: Hydrant,
            found_by: Anybody,
            shown: &[PressureKpa],
            term: ("no water", "无水"),
            title: ("No water", "无水"),
        },
        Condition::LowPressure => ConditionRow {
            of: Hydrant,
            found_by: Anybody,
            shown: &[PressureKpa],
            term: ("low pressure", "水压过低"),
            title: ("Low pressure", "水压过低"),
        },
        Condition::HighPressure => ConditionRow {
            of: Hydrant,
            found_by: Anybody,
            shown: &[PressureKpa],
            term: ("high pressure", "水压过高"),
            title: ("High pressure", "水压过高"),
        },
        Condition::HydrantOpen => ConditionRow {
            of: Hydrant,
            found_by: Anybody,
            shown: &[PressureKpa],
            term: ("hydrant open", "消火栓开启"),
            title: ("Hydrant open", "消火栓开启"),
        },
        Condition::Knocked => ConditionRow {
            of: Hydrant,
            found_by: Anybody,
            shown: &[TiltDeg],
            term: ("knocked over", "被撞倾斜"),
            title: ("Knocked over", "被撞倾斜"),
        },
        Condition::Freezing => ConditionRow {
            of: Hydrant,
            found_by: Anybody,
            shown: &[TempC],
            term: ("may freeze", "有冻结危险"),
            title: ("May freeze", "有冻结危险"),
        },
        Condition::SensorFault => ConditionRow {
            of: Device,
            found_by: Anybody,
            shown: &[LoopMa, PressureKpa],
            term: ("sensor fault", "传感器故障"),
            title: ("Sensor fault", "传感器故障"),
        },
        Condition::BatteryLow => ConditionRow {
            of: Device,
            found_by: Anybody,
            shown: &[BatteryMv],
            term: ("battery low", "电量不足"),
            title: ("Battery low", "电量不足"),
        },
        Condition::Contamination => ConditionRow {
            of: Detector,
            found_by: Anybody,
            shown: &[DirtPct],
            term: ("dirty", "积尘"),
            title: ("Detector dirty", "探测器积尘"),
        },
        Condition::Offline => ConditionRow {
            of: Device,
            found_by: Anybody,
            shown: &[],
            term: ("offline", "离线"),
            title: ("Offline", "离线"),
        },
        Condition::Tamper => ConditionRow {
            of: Device,
            found_by: Anybody,
            shown: &[],
            term: ("tampered with", "被拆动"),
            title: ("Tampered with", "被拆动"),
        },
        Condition::ClockFault => ConditionRow {
            of: Device,
            found_by: Anybody,
            shown: &[],
            term: ("clock wrong", "时钟错误"),
            title: ("Clock wrong", "时钟错误"),
        },
        Condition::ZoneLowPressure => ConditionRow {
            of: Zone,
            found_by: GatewayAlone,
            shown: &[],
            term: ("low in the whole zone", "分区水压过低"),
            title: ("Low pressure in many hydrants", "多处消火栓水压过低"),
        },
        Condition::BlindArea => ConditionRow {
            of: Area,
            found_by: GatewayAlone,
            shown: &[],
            term: ("many silent", "大量失联"),
            title: ("Many devices silent", "大量设备失联"),
        },
        Condition::GatewayBlind => ConditionRow {
            of: Gateway,
            found_by: GatewayAlone,
            shown: &[],
            term: ("gateway blind", "网关失联"),
            title: ("The gateway hears no device", "网关收不到任何设备"),
        },
        Condition::UnreadableAlarm => ConditionRow {
            of: Device,
            found_by: GatewayAlone,
            shown: &[],
            term: ("unreadable alarm", "报警无法识别"),
            title: ("Alarm that cannot be read", "收到无法识别的报警"),
        },
        Condition::NotUnderstood => ConditionRow {
            of: Device,
            found_by: GatewayAlone,
            shown: &[],
            term: ("not understood", "内容无法识别"),
            title: ("Messages not understood", "上报内容无法识别"),
        },
        Condition::RegistryFault => ConditionRow {
            of: Gateway,
            found_by: GatewayAlone,
            shown: &[],
            term: ("registry file unreadable", "台账文件无法读取"),
            title: ("The registry file cannot be read", "台账文件无法读取"),
        },
        Condition::ReceiverDown => ConditionRow {
            of: Receiver,
            found_by: GatewayAlone,
            shown: &[],
            term: ("receiver takes no pages", "接警端无法接收通知"),
            title: ("Receiver takes no pages", "接警端无法接收通知"),
        },
    }
}
