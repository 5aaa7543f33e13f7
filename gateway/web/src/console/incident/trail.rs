//! What happened to an incident: every hop with the time between, in the visitor's words, which are
//! made of its codes here; what a person wrote is shown as it was written.

use std::collections::HashMap;

use maud::{Markup, html};
use serde::Deserialize;
use standpipe_rules::Ms;
use standpipe_rules::changes::Receiver;
use standpipe_rules::incidents::{Unit, rounded};
use standpipe_rules::trail::TrailCode;
use standpipe_shared::Condition;

use super::super::text::{Lang, Say, day, say, words};
use super::super::view::View;

const TRAIL: Say = say("What happened", "经过");
const STATION: Say = say("station", "站点");
const WEBHOOK: Say = say("webhook", "推送接口");
const STEP: Say = say("step {}", "第 {} 级");
const REPEAT: Say = say(", repeat {}", "，第 {} 次重复");
const ALONE: Say = say("stands alone", "单独处理");
const PART_OF: Say = say("belongs to", "属于");
const TIMES: Say = say("{times} times in {number} {unit}", "{number}{unit}内{times}次");
const EXERCISE: Say = say("exercise: ", "演练：");
const UNVERIFIED: Say = say("nobody could see that the water stayed", "无法核实水压是否保持");
const NO_LONGER_MUTED: Say = say("no longer muted", "静音已结束");
const RAISED_AGAIN: Say = say("raised again", "再次报警");
const TEST_GOES_ON: Say = say("the test does not end", "测试超时未结束");
const OPEN_AFTER_FIRE: Say = say("still open after the fire", "火灾结束后仍开启");
const OUTLASTS_PARENT: Say = say("still true after the zone's incident", "分区警情结束后仍未恢复");
/// The gateway among those who do something: a name, and no word.
const GATEWAY: &str = "gateway";

/// One line of the trail, as the API gives it.
#[derive(Deserialize)]
pub struct TrailLine {
    pub at: Ms,
    /// What, by its name on the wire.
    pub hop: String,
    /// A person, a device, `station T1`, `webhook desk`, `gateway`.
    pub by: String,
    /// For people: what somebody wrote is here alone.
    detail: String,
    /// The same as a code; `None`: its words are all there is.
    #[serde(flatten)]
    code: Option<TrailCode>,
    /// Of what people do: who it was, by their account or their station's topic.
    #[serde(default)]
    actor: String,
}

/// What stations are called, by their ids.
pub type Names = HashMap<String, String>;

/// All lines, each day under its date.
pub fn trail(view: &View, lines: &[TrailLine], names: &Names) -> Markup {
    let before = std::iter::once(None).chain(lines.iter().map(|line| Some(line.at)));
    let zone = &view.api.town.zone;
    html! {
        section aria-labelledby="trail" {
            h2 #trail { (view.say(TRAIL)) }
            ol.trail {
                @for (line, before) in lines.iter().zip(before) {
                    @let date = day(line.at, zone);
                    @if before.is_none_or(|before| day(before, zone) != date) { li.day { (date) } }
                    li class=(line.hop) {
                        (view.clock(line.at))
                        span.gap { (between(view.lang, before, line.at)) }
                        strong { (view.say(words::hop(&line.hop))) }
                        @if !line.by.is_empty() { span.by { (by(view.lang, line, names)) (who(line, names)) } }
                        (detail(view.lang, line, names))
                    }
                }
            }
        }
    }
}

/// Seconds since the hop before; to the tenth where that tells something.
fn between(lang: Lang, before: Option<Ms>, at: Ms) -> String {
    let Some(ms) = before.map(|before| at - before) else { return String::new() };
    let sign = if ms < 0 { "−" } else { "+" };
    match ms.abs() {
        ms @ ..100_000 => {
            let seconds = lang.of_say(say("s", "秒"));
            format!("{sign}{}.{} {seconds}", ms / 1_000, ms % 1_000 / 100)
        }
        ms => format!("{sign}{}", lang.long(ms)),
    }
}

/// Who did it: the gateway and the receivers of pages in words, people as they are called.
fn by(lang: Lang, line: &TrailLine, names: &Names) -> String {
    match (&line.code, &*line.hop) {
        (
            Some(TrailCode::Page { to, .. } | TrailCode::Bundled { to, .. }),
            "delivered" | "bundled" | "given_up" | "superseded",
        ) => receiver(lang, to, names),
        _ if line.by == GATEWAY && line.actor.is_empty() => lang.of_say(words::GATEWAY).to_owned(),
        _ => line.by.clone(),
    }
}

/// Who it was, behind what they call themselves, where that is not the same.
fn who(line: &TrailLine, names: &Names) -> String {
    if line.actor.is_empty() || line.actor == line.by {
        return String::new();
    }
    let name = names.get(&line.actor).unwrap_or(&line.actor);
    format!(" ({name})")
}

fn receiver(lang: Lang, to: &Receiver, names: &Names) -> String {
    match to {
        Receiver::Station(id) => {
            let name = names.get(&**id).map_or(&**id, String::as_str);
            format!("{} {name}", lang.of_say(STATION))
        }
        Receiver::Webhook(name) => format!("{} {name}", lang.of_say(WEBHOOK)),
    }
}

fn detail(lang: Lang, line: &TrailLine, names: &Names) -> Markup {
    let text = in_words(lang, line, names);
    html! {
        @if let Some(TrailCode::PartOf { incident }) = &line.code {
            span.detail {
                (lang.of_say(PART_OF)) " " a href={ "/incidents/" (incident) } { (incident) }
            }
        } @else if let Some(TrailCode::Bundled { bundle, .. }) = &line.code {
            span.detail { a href={ "/bundles/" (bundle) } { (text) } }
        } @else if !text.is_empty() {
            span.detail { (text) }
        }
    }
}

/// What a line says, in the visitor's words; what somebody else wrote, as they wrote it.
fn in_words(lang: Lang, line: &TrailLine, names: &Names) -> String {
    let condition = |of: &Condition| lang.of_say(words::condition(*of));
    let Some(code) = &line.code else { return line.detail.clone() };
    match code {
        TrailCode::Text | TrailCode::Unreadable { .. } => line.detail.clone(),
        TrailCode::Condition { condition: of } => condition(of).to_owned(),
        TrailCode::Flapping { condition: of, times, within_s } => {
            let (number, unit) = rounded(Ms::from(*within_s) * 1_000);
            let often = lang
                .of_say(TIMES)
                .replace("{times}", &times.to_string())
                .replace("{number}", &number.to_string())
                .replace("{unit}", lang.of_say(time_unit(unit)));
            format!("{}: {often}", condition(of))
        }
        TrailCode::Fault { condition: of, detail } => format!("{}: {detail}", condition(of)),
        TrailCode::Page { step, repeat, to, why }
        | TrailCode::Bundled { step, repeat, to, bundle: _, why } => {
            let mut said = lang.of_say(STEP).replace("{}", &step.to_string());
            if *repeat > 0 {
                said.push_str(&lang.of_say(REPEAT).replace("{}", &repeat.to_string()));
            }
            // The column beside it names the receiver already, but for a page that is only made.
            let made = line.hop == "paged";
            let more = if made { receiver(lang, to, names) } else { why.to_string() };
            if more.is_empty() { said } else { format!("{said} · {more}") }
        }
        TrailCode::Outcome { outcome } => lang.of_say(words::outcome(outcome.as_str())).to_owned(),
        TrailCode::StandsAlone => lang.of_say(ALONE).to_owned(),
        TrailCode::Exercise { note } => format!("{}{note}", lang.of_say(EXERCISE)),
        TrailCode::Unconfirmed { within_s } => format!("{within_s} s"),
        // Told otherwise: by a link, by the hop itself.
        TrailCode::PartOf { .. } | TrailCode::Forgotten => String::new(),
        TrailCode::Unverified => lang.of_say(UNVERIFIED).to_owned(),
        TrailCode::NoLongerMuted => lang.of_say(NO_LONGER_MUTED).to_owned(),
        TrailCode::RaisedAgain => lang.of_say(RAISED_AGAIN).to_owned(),
        TrailCode::TestGoesOn => lang.of_say(TEST_GOES_ON).to_owned(),
        TrailCode::OpenAfterFire => lang.of_say(OPEN_AFTER_FIRE).to_owned(),
        TrailCode::OutlastsParent => lang.of_say(OUTLASTS_PARENT).to_owned(),
    }
}

const fn time_unit(unit: Unit) -> Say {
    match unit {
        Unit::Seconds => say("s", "秒"),
        Unit::Minutes => say("min", "分钟"),
        Unit::Hours => say("h", "小时"),
        Unit::Days => say("days", "天"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, TrailLine, between, by, detail};
    use crate::console::text::Lang;
    use standpipe_config::Language;
    use standpipe_rules::trail::TrailCode;

    const ZH: Lang = Lang::usual(Language::Chinese);
    const EN: Lang = Lang::usual(Language::English);

    /// A line of before there were codes, as it is read today.
    fn line(hop: &str, by: &str, detail: &str) -> TrailLine {
        let code = Some(TrailCode::stored(("", ""), hop, by, detail));
        let (hop, by, detail) = (hop.to_owned(), by.to_owned(), detail.to_owned());
        TrailLine { at: 0, hop, by, detail, code, actor: String::new() }
    }

    #[test]
    fn seconds_between_hops_are_told_to_the_tenth() {
        for (before, at, text) in [
            (None, 5, ""),
            (Some(1_000), 1_049, "+0.0 s"),
            (Some(1_000), 4_250, "+3.2 s"),
            (Some(4_250), 1_000, "−3.2 s"),
            (Some(0), 99_999, "+99.9 s"),
            (Some(0), 100_000, "+1 min 40 s"),
            (Some(200_000), 0, "−3 min 20 s"),
        ] {
            assert_eq!(between(EN, before, at), text);
        }
        assert_eq!(between(ZH, Some(0), 727_000), "+12 分钟");
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_trail_is_told_in_the_language_of_whoever_reads_it() {
        let names = Names::from([("T1".to_owned(), "李渡所".to_owned())]);
        for (hop, who, text, en, zh) in [
            ("measured",  "H-1",        "no_water",                "no water",            "无水"),
            ("reopened",  "gateway",    "no_water",                "no water",            "无水"),
            ("reopened",  "gateway",    "no longer muted",         "no longer muted",     "静音已结束"),
            ("reopened",  "gateway",    "unverified",              "nobody could see",    "无法核实"),
            ("paged",     "gateway",    "step 1: station T1",      "step 1 · station 李渡所", "第 1 级 · 站点 李渡所"),
            ("paged",     "gateway",    "step 3, repeat 2: webhook desk",
                "step 3, repeat 2 · webhook desk", "第 3 级，第 2 次重复 · 推送接口 desk"),
            ("delivered", "station T1", "step 1: station T1",      "step 1</span>",       "第 1 级</span>"),
            ("given_up",  "webhook a",  "step 1: webhook aHTTP 404", "step 1 · HTTP 404", "第 1 级 · HTTP 404"),
            ("attached",  "gateway",    "stands alone",            "stands alone",        "单独处理"),
            ("attached",  "gateway",    "belongs to 01KAV0000000000000000000W1",          "belongs to <a href=\"/incidents/01KAV0000000000000000000W1\"", "属于 <a"),
            ("closed",    "gateway",    "false_alarm",             "false alarm",         "误报"),
            ("commented", "li",         "exercise: autumn",        "exercise: autumn",    "演练：autumn"),
            ("commented", "li",         "no_water",                "no_water",            "no_water"),
            ("raised",    "gateway",    "tamper: 17 times in 5 min", "17 times in 5 min", "5分钟内17次"),
            ("raised",    "gateway",    "registry_fault: line 3", ": line 3", ": line 3"),
            ("reopened",  "gateway",    "a new <reason>",          "a new &lt;reason&gt;", "a new &lt;"),
        ] {
            let line = line(hop, who, text);
            for (lang, expected) in [(EN, en), (ZH, zh)] {
                let said = detail(lang, &line, &names).into_string();
                assert!(said.contains(expected), "{hop} {text}: {said}");
            }
        }
        let forgotten = line("forgotten", "gateway", "nothing was done for too long");
        assert_eq!(detail(ZH, &forgotten, &names).into_string(), "", "the hop says it");
        for (who, en, zh) in [
            ("gateway", "gateway", "网关"), ("station T1", "station 李渡所", "站点 李渡所"),
            ("station T9", "station T9", "站点 T9"), ("李雷", "李雷", "李雷"),
        ] {
            let line = line("delivered", who, &format!("step 1: {who}"));
            assert_eq!((&*by(EN, &line, &names), &*by(ZH, &line, &names)), (en, zh));
        }
        let claimed = line("commented", "station T1", "");
        assert_eq!(by(ZH, &claimed, &names), "station T1", "whoever calls themselves so");
    }
}
