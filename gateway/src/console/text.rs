//! Words in both languages, and how times and numbers are written.
//!
//! Each page keeps its own words at its top, as [`Say`]; those that several need are in [`words`].

use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use standpipe_rules::Ms;
use standpipe_rules::incidents::Text;

use crate::config::Language;

/// The same words in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Say {
    en: &'static str,
    zh: &'static str,
}

/// English, Chinese.
#[must_use]
pub const fn say(en: &'static str, zh: &'static str) -> Say {
    Say { en, zh }
}

/// The language of one visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lang(Language);

/// The cookie in which somebody's choice is kept.
pub const LANGUAGE_COOKIE: &str = "language";

impl Lang {
    /// What they chose, else what their browser prefers, else what is configured.
    #[must_use]
    pub fn of(headers: &HeaderMap, usual: Language) -> Self {
        let text =
            |name| headers.get(name).and_then(|it: &axum::http::HeaderValue| it.to_str().ok());
        let cookies = text(header::COOKIE).unwrap_or("");
        let chosen = cookies.split(';').filter_map(|it| it.trim().split_once('='));
        let chosen = chosen.filter(|(name, _)| *name == LANGUAGE_COOKIE);
        let chosen = chosen.filter_map(|(_, value)| Self::named(value)).next();
        let asked = text(header::ACCEPT_LANGUAGE).unwrap_or("");
        chosen.or_else(|| preferred(asked)).unwrap_or(Self(usual))
    }

    /// The configured one.
    #[must_use]
    pub const fn usual(language: Language) -> Self {
        Self(language)
    }

    /// `zh…` or `en…`.
    #[must_use]
    pub fn named(tag: &str) -> Option<Self> {
        match tag.split('-').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
            "zh" => Some(Self(Language::Chinese)),
            "en" => Some(Self(Language::English)),
            _ => None,
        }
    }

    /// The words in this language.
    #[must_use]
    pub const fn of_say(self, words: Say) -> &'static str {
        match self.0 {
            Language::Chinese => words.zh,
            Language::English => words.en,
        }
    }

    /// A text of the rules in this language.
    #[must_use]
    pub fn text(self, text: &Text) -> &str {
        match self.0 {
            Language::Chinese => &text.zh,
            Language::English => &text.en,
        }
    }

    /// For `lang=`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        self.of_say(say("en", "zh-CN"))
    }

    /// The other one: its tag, and what it calls itself.
    #[must_use]
    pub const fn other(self) -> (&'static str, &'static str) {
        match self.0 {
            Language::Chinese => ("en", "English"),
            Language::English => ("zh", "中文"),
        }
    }
}

/// The first of our languages that the browser asks for, best first (RFC 9110 §12.5.4).
fn preferred(accept: &str) -> Option<Lang> {
    let mut asked: Vec<(u32, Lang)> = Vec::new();
    for part in accept.split(',').take(32) {
        let (tag, q) = part.split_once(";q=").unwrap_or((part, "1"));
        let thousandths = q.trim().parse::<f32>().map_or(0.0, |it| it.clamp(0.0, 1.0) * 1_000.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        asked.extend(Lang::named(tag).map(|it| (thousandths as u32, it)));
    }
    asked.sort_by_key(|(q, _)| std::cmp::Reverse(*q));
    asked.first().filter(|(q, _)| *q > 0).map(|(_, lang)| *lang)
}

/// `2026-11-23 21:14:03` in a zone.
#[must_use]
pub fn stamp(at: Ms, zone: &TimeZone) -> String {
    moment(at, zone, "%Y-%m-%d %H:%M:%S")
}

/// `21:14:03` in a zone.
#[must_use]
pub fn clock(at: Ms, zone: &TimeZone) -> String {
    moment(at, zone, "%H:%M:%S")
}

/// A moment in a zone, in a format of `strftime`.
#[must_use]
pub fn moment(at: Ms, zone: &TimeZone, format: &str) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

/// A moment for `datetime=`: RFC 3339.
#[must_use]
pub fn machine(at: Ms) -> String {
    Timestamp::from_millisecond(at).unwrap_or_default().to_string()
}

/// Below it seconds are told beside minutes, min.
const SECONDS_BELOW_MIN: i64 = 10;

impl Lang {
    /// How long, with its units, so that nobody takes it for a time of day: `42 s`, `3 min 52 s`,
    /// `24 min`, `4 h 11 min`, `2 d 3 h`. `live.js` says it the same way.
    #[must_use]
    pub fn long(self, ms: Ms) -> String {
        let s = ms.max(0) / 1_000;
        let (d, h, m) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
        let [days, hours, minutes, seconds] = match self.0 {
            Language::Chinese => ["天", "小时", "分", "秒"],
            Language::English => ["d", "h", "min", "s"],
        };
        match (d, h, m) {
            (0, 0, 0) => format!("{s} {seconds}"),
            (0, 0, SECONDS_BELOW_MIN..) => format!("{m} {}", self.alone(minutes)),
            (0, 0, _) => format!("{m} {minutes} {} {seconds}", s % 60),
            (0, _, _) => format!("{h} {hours} {m} {minutes}"),
            _ => format!("{d} {days} {h} {hours}"),
        }
    }

    /// Minutes without seconds: `24 分` could be 24 marks, or minutes past the hour.
    fn alone(self, minutes: &'static str) -> &'static str {
        match self.0 {
            Language::Chinese => "分钟",
            Language::English => minutes,
        }
    }

    /// How long ago: `3 min 52 s ago`, `3 分 52 秒前`.
    #[must_use]
    pub fn ago(self, ms: Ms) -> String {
        format!("{}{}", self.long(ms), self.of_say(say(" ago", "前")))
    }
}

/// `2026-11-23` in a zone.
#[must_use]
pub fn day(at: Ms, zone: &TimeZone) -> String {
    moment(at, zone, "%Y-%m-%d")
}

/// Words that several pages need.
pub mod words {
    use standpipe_rules::detect::{Trust, TrustReason};
    use standpipe_shared::{Condition, Kind, Severity};

    use super::{Say, say};

    pub const HYDRANT: Say = say("hydrant", "消火栓");
    pub const DETECTOR: Say = say("smoke detector", "烟感探测器");
    pub const STATION: Say = say("Station", "站点");
    pub const ADDRESS: Say = say("Address", "地址");
    pub const NAME: Say = say("Name", "名称");
    pub const SINCE: Say = say("since", "自");
    pub const NONE: Say = say("none", "无");
    pub const GATEWAY: Say = say("gateway", "网关");
    pub const NEVER: Say = say("never", "从未");

    /// A kind of device.
    pub const fn kind(it: Kind) -> Say {
        match it {
            Kind::Hydrant => HYDRANT,
            Kind::Smoke => DETECTOR,
        }
    }

    /// A severity.
    pub const fn severity(it: Severity) -> Say {
        match it {
            Severity::Fire => say("FIRE", "火警"),
            Severity::Critical => say("Critical", "紧急"),
            Severity::Warning => say("Warning", "警告"),
            Severity::Notice => say("Notice", "提示"),
        }
    }

    /// Where an incident stands, by its name on the wire.
    pub fn state(it: &str) -> Say {
        match it {
            "open" => say("Open", "未处理"),
            "acknowledged" => say("Acknowledged", "已接警"),
            "resolved" => say("Resolved", "已处置"),
            "verifying" => say("Verifying", "复查中"),
            _ => say("Closed", "已关闭"),
        }
    }

    /// How an incident ended, by its name on the wire.
    pub fn outcome(it: &str) -> Say {
        match it {
            "fire" => say("fire", "火灾"),
            "repaired" => say("repaired", "已修复"),
            "recovered" => say("recovered by itself", "自行恢复"),
            "false_alarm" => say("false alarm", "误报"),
            "test" => say("test", "测试"),
            "exercise" => say("exercise", "演练"),
            _ => say("maintenance", "维护"),
        }
    }

    /// What can be said of a hydrant's water.
    pub const fn trust(it: Trust) -> Say {
        match it {
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
    pub const fn trust_reason(it: TrustReason) -> Say {
        match it {
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
    pub fn reason(it: &str) -> Option<Say> {
        Some(match it {
            "never" => say("never heard since it was registered", "登记后从未上线"),
            "no_measurement" => say("it speaks, but sends no pressure", "设备在线，但不上报水压"),
            "since_unknown" => say("since when is not known", "起始时间不明"),
            "unverified" => say("the repair is not verified", "维修未核实"),
            _ => return None,
        })
    }

    /// A condition.
    pub const fn condition(it: Condition) -> Say {
        match it {
            Condition::Smoke => say("smoke", "烟雾"),
            Condition::Heat => say("heat", "高温"),
            Condition::NoWater => say("no water", "无水"),
            Condition::LowPressure => say("low pressure", "水压过低"),
            Condition::HighPressure => say("high pressure", "水压过高"),
            Condition::HydrantOpen => say("hydrant open", "消火栓开启"),
            Condition::Knocked => say("knocked over", "被撞倾斜"),
            Condition::Freezing => say("may freeze", "有冻结危险"),
            Condition::SensorFault => say("sensor fault", "传感器故障"),
            Condition::BatteryLow => say("battery low", "电量不足"),
            Condition::Contamination => say("dirty", "积尘"),
            Condition::Offline => say("offline", "离线"),
            Condition::Tamper => say("tampered with", "被拆动"),
            Condition::ClockFault => say("clock wrong", "时钟错误"),
            Condition::ZoneLowPressure => say("low in the whole zone", "分区水压过低"),
            Condition::BlindArea => say("many silent", "大量失联"),
            Condition::GatewayBlind => say("gateway blind", "网关失联"),
            Condition::UnreadableAlarm => say("unreadable alarm", "报警无法识别"),
            Condition::NotUnderstood => say("not understood", "内容无法识别"),
            Condition::RegistryFault => say("registry file unreadable", "台账文件无法读取"),
        }
    }

    /// A hop of a trail, by its name on the wire.
    pub fn hop(it: &str) -> Say {
        match it {
            "measured" => say("measured", "测得"),
            "received" => say("received", "收到"),
            "raised" => say("raised", "发出警情"),
            "cleared" => say("cleared", "解除"),
            "paged" => say("paged", "通知"),
            "delivered" => say("delivered", "送达"),
            "given_up" => say("not delivered", "未能送达"),
            "shown" => say("shown on a screen", "屏幕已显示"),
            "acknowledged" => say("acknowledged", "接警"),
            "dispatched" => say("dispatched", "派出"),
            "arrived" => say("arrived", "到场"),
            "commented" => say("note", "备注"),
            "resolved" => say("resolved", "处置完毕"),
            "verifying" => say("verifying", "开始复查"),
            "reopened" => say("opened again", "重新打开"),
            "forgotten" => say("nothing done for too long", "长时间未处理"),
            "attached" => say("joined another incident", "并入其他警情"),
            _ => say("closed", "关闭"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};
    use jiff::tz::TimeZone;

    use super::{Lang, stamp};
    use crate::config::Language;

    #[test]
    #[rustfmt::skip] // a table
    fn the_choice_wins_over_the_browser_and_the_browser_over_the_configuration() {
        for (cookie, accept, tag) in [
            ("",                  "",                            "zh-CN"),
            ("",                  "en-GB,en;q=0.9,zh;q=0.8",     "en"),
            ("",                  "fr-FR,zh-TW;q=0.7,en;q=0.5",  "zh-CN"),
            ("",                  "en;q=0",                      "zh-CN"),
            ("",                  "fr",                          "zh-CN"),
            ("language=en",       "zh",                          "en"),
            ("a=b; language=zh",  "en",                          "zh-CN"),
            ("language=xx",       "en",                          "en"),
        ] {
            let value = |it| HeaderValue::from_str(it).unwrap();
            let pairs = [(header::COOKIE, value(cookie)), (header::ACCEPT_LANGUAGE, value(accept))];
            let lang = Lang::of(&HeaderMap::from_iter(pairs), Language::Chinese);
            assert_eq!(lang.tag(), tag, "{cookie} {accept}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn how_long_has_its_units_and_is_no_time_of_day() {
        let (en, zh) = (Lang::usual(Language::English), Lang::usual(Language::Chinese));
        for (ms, english, chinese) in [
            (-5,            "0 s ago",         "0 秒前"),
            (59_999,        "59 s ago",        "59 秒前"),
            (60_000,        "1 min 0 s ago",   "1 分 0 秒前"),
            (232_000,       "3 min 52 s ago",  "3 分 52 秒前"),
            (599_999,       "9 min 59 s ago",  "9 分 59 秒前"),
            (600_000,       "10 min ago",      "10 分钟前"),
            (1_464_000,     "24 min ago",      "24 分钟前"),
            (3_600_000,     "1 h 0 min ago",   "1 小时 0 分前"),
            (15_060_000,    "4 h 11 min ago",  "4 小时 11 分前"),
            (86_400_000,    "1 d 0 h ago",     "1 天 0 小时前"),
            (183_840_000,   "2 d 3 h ago",     "2 天 3 小时前"),
        ] {
            assert_eq!((&*en.ago(ms), &*zh.ago(ms)), (english, chinese));
        }
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(stamp(1_764_000_000_000, &zone), "2025-11-25 00:00:00");
    }
}
