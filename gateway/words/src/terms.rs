//! What conditions, severities and other codes are called: a term for each, in both languages.
//!
//! Not here: the words of a single page, which stand at its top, and the titles of incidents, which
//! are part of them (`standpipe_rules::incidents`).

use standpipe_rules::conditions::row;
use standpipe_rules::detect::{Trust, TrustReason};
use standpipe_rules::wire::RejectedReason;
use standpipe_shared::{Condition, Kind, Severity};

use crate::{Say, say};

/// A device on a hydrant.
pub const HYDRANT: Say = say("hydrant", "消火栓");
/// A device that measures smoke.
pub const DETECTOR: Say = say("smoke detector", "烟感探测器");
/// A column or a field.
pub const STATION: Say = say("Station", "站点");
/// A column or a field.
pub const ADDRESS: Say = say("Address", "地址");
/// A column or a field.
pub const NAME: Say = say("Name", "名称");
/// Before a moment.
pub const SINCE: Say = say("since", "自");
/// In place of an empty list.
pub const NONE: Say = say("none", "无");
/// What an incident of the gateway itself is about.
pub const GATEWAY: Say = say("gateway", "网关");
/// In place of a moment that has not come.
pub const NEVER: Say = say("never", "从未");

/// What a device of a kind is called.
#[must_use]
pub const fn kind(kind: Kind) -> Say {
    match kind {
        Kind::Hydrant => HYDRANT,
        Kind::Smoke => DETECTOR,
    }
}

/// A severity, in a word.
#[must_use]
pub const fn severity(severity: Severity) -> Say {
    match severity {
        Severity::Fire => say("FIRE", "火警"),
        Severity::Critical => say("Critical", "紧急"),
        Severity::Warning => say("Warning", "警告"),
        Severity::Notice => say("Notice", "提示"),
    }
}

/// Where an incident stands, by its name on the wire.
#[must_use]
pub fn state(code: &str) -> Say {
    match code {
        "open" => say("Open", "未处理"),
        "acknowledged" => say("Acknowledged", "已接警"),
        "resolved" => say("Resolved", "已处置"),
        "verifying" => say("Verifying", "复查中"),
        _ => say("Closed", "已关闭"),
    }
}

/// How an incident ended, by its name on the wire.
#[must_use]
pub fn outcome(code: &str) -> Say {
    match code {
        "fire" => say("fire", "火灾"),
        "repaired" => say("repaired", "已修复"),
        "recovered" => say("recovered by itself", "自行恢复"),
        "false_alarm" => say("false alarm", "误报"),
        "test" => say("test", "测试"),
        "exercise" => say("exercise", "演练"),
        _ => say("maintenance", "维护"),
    }
}

/// How far a hydrant's water can be trusted.
#[must_use]
pub const fn trust(trust: Trust) -> Say {
    match trust {
        Trust::Ok => say("has water", "有水"),
        Trust::Low => say("low pressure", "水压低"),
        Trust::NoWater => say("NO WATER", "无水"),
        Trust::InUse => say("in use", "使用中"),
        Trust::Stale => say("not known now", "情况不明"),
        Trust::Unconfirmed => say("not confirmed", "待确认"),
        Trust::Suspect => say("doubtful", "存疑"),
        Trust::OutOfService => say("out of service", "停用"),
    }
}

/// Why a hydrant is trusted no further.
#[must_use]
pub const fn trust_reason(reason: TrustReason) -> Say {
    match reason {
        TrustReason::Maintenance => say("work on it is announced", "检修中"),
        TrustReason::NoWater => say("the pipe is empty", "管内无水"),
        TrustReason::Offline => say("the device is offline", "设备离线"),
        TrustReason::SensorFault => say("its sensor is faulty", "传感器故障"),
        TrustReason::NoMeasurement => {
            say("the device speaks, but sends no pressure", "设备在线，但不上报水压")
        }
        TrustReason::NeverMeasured => say("no pressure was ever received", "从未收到水压"),
        TrustReason::TooOld => say("the newest pressure is too old", "水压数据已过时"),
        TrustReason::LowPressure => say("below the minimum", "低于最低水压"),
        TrustReason::OneLowReading => {
            say("one low reading, not confirmed yet", "一次读数偏低，待下次读数确认")
        }
        TrustReason::LowReadings => {
            say("low readings, not for long enough yet", "连续读数偏低，持续时间不足")
        }
        TrustReason::HydrantOpen => say("water flows, or a cap is off", "正在出水或阀盖打开"),
    }
}

/// Why a condition is true, by its name on the wire; `None`: a word of a later version.
#[must_use]
pub fn reason(code: &str) -> Option<Say> {
    Some(match code {
        "never" => say("never heard since it was registered", "登记后从未上线"),
        "no_measurement" => say("it speaks, but sends no pressure", "设备在线，但不上报水压"),
        "since_unknown" => say("since when is not known", "起始时间不明"),
        "unverified" => say("the repair is not verified", "维修未核实"),
        _ => return None,
    })
}

/// A condition, in a few words: those of its row.
#[must_use]
pub const fn condition(condition: Condition) -> Say {
    let (en, zh) = row(condition).term;
    say(en, zh)
}

/// Why a message was not understood, by its code; `None`: a code of another version.
#[must_use]
pub fn rejected(code: &str) -> Option<Say> {
    if code == "history" {
        return Some(say("refused by the history", "历史库拒收"));
    }
    RejectedReason::ALL.into_iter().find(|reason| reason.as_str() == code).map(rejection)
}

const fn rejection(reason: RejectedReason) -> Say {
    match reason {
        RejectedReason::Topic => say("topic of nobody", "主题不符合约定"),
        RejectedReason::Direction => say("only the gateway says that", "该主题只能由网关发布"),
        RejectedReason::NotUtf8 => say("not text in UTF-8", "不是 UTF-8 文本"),
        RejectedReason::NotJson => say("not JSON", "不是 JSON"),
        RejectedReason::WrongType => say("wrong type or range", "类型或范围不对"),
        RejectedReason::NotFinite => say("a number too large", "数值过大"),
        RejectedReason::MissingField => say("a field is missing", "缺少字段"),
        RejectedReason::TooLong => say("too many bytes", "内容过长"),
        RejectedReason::TooMany => say("too many readings at once", "一次读数过多"),
    }
}

/// Why a device started, by its code; `None`: as it says it.
#[must_use]
pub fn reset(code: &str) -> Option<Say> {
    Some(match code {
        "power_on" => say("power came", "上电"),
        "brownout" => say("power sagged", "电压跌落"),
        "watchdog" => say("watchdog", "看门狗复位"),
        "command" => say("told to restart", "远程重启"),
        "pin" => say("reset button", "复位键"),
        _ => return None,
    })
}

/// What is wrong with a device's storage, by its code; `None`: as it says it.
#[must_use]
pub fn storage(code: &str) -> Option<Say> {
    Some(match code {
        "fresh" => say("empty: new device or new chip", "为空：新设备或新存储芯片"),
        "corrupt" => say("damaged, partly erased", "数据损坏，已部分清除"),
        "failed" => say("does not answer", "无响应"),
        _ => return None,
    })
}

/// A hop of a trail, by its name on the wire.
#[must_use]
pub fn hop(code: &str) -> Say {
    match code {
        "measured" => say("measured", "测得"),
        "received" => say("received", "收到"),
        "raised" => say("raised", "发出警情"),
        "cleared" => say("cleared", "解除"),
        "paged" => say("paged", "通知"),
        "delivered" => say("delivered", "送达"),
        "bundled" => say("delivered with others", "合并送达"),
        "given_up" => say("not delivered", "未能送达"),
        "superseded" => say("replaced by a newer page", "由更新的通知取代"),
        "shown" => say("shown on a screen", "屏幕已显示"),
        "acknowledged" => say("acknowledged", "接警"),
        "dispatched" => say("dispatched", "派出"),
        "arrived" => say("arrived", "到场"),
        "commented" => say("note", "备注"),
        "resolved" => say("resolved", "处置完毕"),
        "false_alarm" => say("false alarm", "判为误报"),
        "undone" => say("taken back", "撤销"),
        "verifying" => say("verifying", "开始复查"),
        "reopened" => say("opened again", "重新打开"),
        "forgotten" => say("nothing done for too long", "长时间未处理"),
        "unconfirmed" => say("no receiver has confirmed", "无接警端确认收到"),
        "attached" => say("joined another incident", "并入其他警情"),
        _ => say("closed", "关闭"),
    }
}
