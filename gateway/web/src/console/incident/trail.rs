//! What happened to an incident: every hop with the time between, in the visitor's words. The
//! trail is kept in the words of the rules; what a person wrote is shown as it was written.

use std::collections::HashMap;

use maud::{Markup, html};
use serde::Deserialize;
use standpipe_rules::Ms;
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

/// One line of the trail, as the API gives it.
#[derive(Deserialize)]
pub struct Line {
    /// When.
    pub at: Ms,
    /// What, by its name on the wire.
    pub hop: String,
    /// A person, a device, `station T1`, `webhook desk`, `gateway`.
    pub by: String,
    /// In the words of the rules, or of a person.
    detail: String,
    /// Of what people do: who it was, by their account or their station's topic.
    #[serde(default)]
    actor: String,
}

/// What stations are called, by their ids.
pub type Names = HashMap<String, String>;

/// All lines, each day under its date.
pub fn trail(view: &View, lines: &[Line], names: &Names) -> Markup {
    let before = std::iter::once(None).chain(lines.iter().map(|it| Some(it.at)));
    let zone = &view.api.town.zone;
    html! {
        section aria-labelledby="trail" {
            h2 #trail { (view.say(TRAIL)) }
            ol.trail {
                @for (line, before) in lines.iter().zip(before) {
                    @let date = day(line.at, zone);
                    @if before.is_none_or(|it| day(it, zone) != date) { li.day { (date) } }
                    li class=(line.hop) {
                        (view.clock(line.at))
                        span.gap { (between(view.lang, before, line.at)) }
                        strong { (view.say(words::hop(&line.hop))) }
                        @if !line.by.is_empty() { span.by { (by(view.lang, &line.by, names)) (who(line, names)) } }
                        (detail(view.lang, line, names))
                    }
                }
            }
        }
    }
}

/// Seconds since the hop before; to the tenth where that tells something.
fn between(lang: Lang, before: Option<Ms>, at: Ms) -> String {
    let Some(ms) = before.map(|it| at - it) else { return String::new() };
    let sign = if ms < 0 { "−" } else { "+" };
    match ms.abs() {
        ms @ ..100_000 => {
            let seconds = lang.of_say(say("s", "秒"));
            format!("{sign}{}.{} {seconds}", ms / 1_000, ms % 1_000 / 100)
        }
        ms => format!("{sign}{}", lang.long(ms)),
    }
}

/// Who did it: the gateway and receivers in words, people as they are called.
pub fn by(lang: Lang, by: &str, names: &Names) -> String {
    if by == "gateway" {
        return lang.of_say(words::GATEWAY).to_owned();
    }
    receiver(lang, by, names).unwrap_or_else(|| by.to_owned())
}

/// Who it was, behind what they call themselves, where that is not the same.
fn who(line: &Line, names: &Names) -> String {
    if line.actor.is_empty() || line.actor == line.by {
        return String::new();
    }
    let name = names.get(&line.actor).unwrap_or(&line.actor);
    format!(" ({name})")
}

fn receiver(lang: Lang, text: &str, names: &Names) -> Option<String> {
    if let Some(id) = text.strip_prefix("station ") {
        let name = names.get(id).map_or(id, String::as_str);
        return Some(format!("{} {name}", lang.of_say(STATION)));
    }
    let name = text.strip_prefix("webhook ")?;
    Some(format!("{} {name}", lang.of_say(WEBHOOK)))
}

fn detail(lang: Lang, line: &Line, names: &Names) -> Markup {
    let other = line.detail.strip_prefix("belongs to ").filter(|_| line.hop == "attached");
    let text = in_words(lang, line, names);
    html! {
        @if let Some(id) = other {
            span.detail { (lang.of_say(PART_OF)) " " a href={ "/incidents/" (id) } { (id) } }
        } @else if !text.is_empty() {
            span.detail { (text) }
        }
    }
}

/// A detail in the visitor's words; as it is, where it is in nobody's table.
fn in_words(lang: Lang, line: &Line, names: &Names) -> String {
    let as_it_is = || line.detail.clone();
    match line.hop.as_str() {
        "measured" | "received" | "raised" | "cleared" | "reopened" => {
            let condition = line.detail.parse::<Condition>().ok().map(words::condition);
            let why = condition.or_else(|| reopened(&line.detail));
            let why = why.map(|it| lang.of_say(it).to_owned());
            why.or_else(|| flapping(lang, &line.detail)).unwrap_or_else(as_it_is)
        }
        "paged" | "delivered" | "given_up" | "superseded" => {
            paged(lang, line, names).unwrap_or_else(as_it_is)
        }
        "closed" => lang.of_say(words::outcome(&line.detail)).to_owned(),
        "attached" if line.detail == "stands alone" => lang.of_say(ALONE).to_owned(),
        "forgotten" => String::new(), // the hop says it already
        "commented" => match line.detail.strip_prefix("exercise: ") {
            Some(note) => format!("{}{note}", lang.of_say(EXERCISE)),
            None => as_it_is(),
        },
        _ => as_it_is(),
    }
}

/// `tamper: 17 times in 5 min`, or a condition and what else is said of it.
fn flapping(lang: Lang, detail: &str) -> Option<String> {
    let (condition, rest) = detail.split_once(": ")?;
    let condition = lang.of_say(words::condition(condition.parse().ok()?));
    let parts: Vec<&str> = rest.split(' ').collect();
    let rest = match parts[..] {
        [times, "times", "in", number, unit] => lang
            .of_say(TIMES)
            .replace("{times}", times)
            .replace("{number}", number)
            .replace("{unit}", lang.of_say(time_unit(unit)?)),
        _ => rest.to_owned(),
    };
    Some(format!("{condition}: {rest}"))
}

fn time_unit(unit: &str) -> Option<Say> {
    Some(match unit {
        "s" => say("s", "秒"),
        "min" => say("min", "分钟"),
        "h" => say("h", "小时"),
        "days" => say("days", "天"),
        _ => return None,
    })
}

/// Why an incident was opened again, where no condition says it.
fn reopened(why: &str) -> Option<Say> {
    Some(match why {
        "unverified" => say("nobody could see that the water stayed", "无法核实水压是否保持"),
        "no longer muted" => say("no longer muted", "静音已结束"),
        "raised again" => say("raised again", "再次报警"),
        "the test does not end" => say("the test does not end", "测试超时未结束"),
        "still open after the fire" => say("still open after the fire", "火灾结束后仍开启"),
        "still true after what stood for it" => {
            say("still true after the zone's incident", "分区警情结束后仍未恢复")
        }
        _ => return None,
    })
}

/// `step 2, repeat 1: station T1`, and, where it was given up, why. Who has it is told beside it
/// already, but for a page that is only made.
fn paged(lang: Lang, line: &Line, names: &Names) -> Option<String> {
    let (step, rest) = line.detail.strip_prefix("step ")?.split_once(": ")?;
    let (step, repeat) = match step.split_once(", repeat ") {
        Some((step, repeat)) => (step, Some(repeat)),
        None => (step, None),
    };
    let mut said = lang.of_say(STEP).replace("{}", step);
    if let Some(repeat) = repeat {
        said.push_str(&lang.of_say(REPEAT).replace("{}", repeat));
    }
    let more = match rest.strip_prefix(&line.by) {
        Some(why) => why.trim_start_matches([':', ' ']).to_owned(),
        None => receiver(lang, rest, names)?,
    };
    if !more.is_empty() {
        said.push_str(" · ");
        said.push_str(&more);
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::{Line, Names, between, by, detail};
    use crate::console::text::Lang;
    use standpipe_config::Language;

    const ZH: Lang = Lang::usual(Language::Chinese);
    const EN: Lang = Lang::usual(Language::English);

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
            ("attached",  "gateway",    "belongs to 01K",          "belongs to <a href=\"/incidents/01K\"", "属于 <a"),
            ("closed",    "gateway",    "false_alarm",             "false alarm",         "误报"),
            ("commented", "li",         "exercise: autumn",        "exercise: autumn",    "演练：autumn"),
            ("commented", "li",         "no_water",                "no_water",            "no_water"),
            ("raised",    "gateway",    "tamper: 17 times in 5 min", "17 times in 5 min", "5分钟内17次"),
            ("raised",    "gateway",    "registry_fault: line 3", ": line 3", ": line 3"),
            ("reopened",  "gateway",    "a new <reason>",          "a new &lt;reason&gt;", "a new &lt;"),
        ] {
            let line = Line { at: 0, hop: hop.into(), by: who.into(), detail: text.into(),
                actor: String::new() };
            for (lang, expected) in [(EN, en), (ZH, zh)] {
                let said = detail(lang, &line, &names).into_string();
                assert!(said.contains(expected), "{hop} {text}: {said}");
            }
        }
        let forgotten = Line { at: 0, hop: "forgotten".into(), by: "gateway".into(), actor: String::new(),
            detail: "nothing was done for too long".into() };
        assert_eq!(detail(ZH, &forgotten, &names).into_string(), "", "the hop says it");
        for (who, en, zh) in [
            ("gateway", "gateway", "网关"), ("station T1", "station 李渡所", "站点 李渡所"),
            ("station T9", "station T9", "站点 T9"), ("李雷", "李雷", "李雷"),
        ] {
            assert_eq!((&*by(EN, who, &names), &*by(ZH, who, &names)), (en, zh));
        }
    }
}
