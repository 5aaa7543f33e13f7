//! A digest in lines, as a duty officer reads it in ten seconds: in the configured language, its
//! counts first, and no longer than its receiver takes.

use standpipe_rules::digest::{Digest, Line, Unread};

use crate::language::{Lang, Language};
use crate::message::{Desk, Words};
use crate::terms;

/// Reasons that are named in a digest's line about messages that were not understood.
const REASONS: usize = 3;

/// How much of a digest a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Its first line.
    Line,
    /// All that fits into so many bytes of UTF-8.
    Bytes(usize),
}

/// The whole message.
#[must_use]
pub fn words(it: &Digest, desk: &Desk, room: Room) -> Words {
    let (headline, link) = (headline(it, desk.language), link(it, &desk.url));
    let lines = match room {
        Room::Line => vec![headline.clone()],
        Room::Bytes(most) => lines(it, desk, (&headline, &link), most),
    };
    Words { headline, lines, link, everybody: false }
}

/// `【每日提示】2026-11-28：未关闭 12（新增 2），已关闭 3`.
#[must_use]
pub fn headline(it: &Digest, language: Language) -> String {
    let Digest { day, open, new, closed, station, .. } = it;
    let (zh, en) = match station {
        Some(station) => (format!(" {station}"), format!(" {station}")),
        None => (String::new(), String::new()),
    };
    let mut line = match language {
        Language::Chinese => {
            format!("【每日提示】{day}{zh}：未关闭 {open}，新增 {new}，已关闭 {closed}")
        }
        Language::English => {
            format!("NOTICES {day}{en}: {open} open, {new} new, {closed} closed")
        }
    };
    if let Some(Unread { messages, .. }) = &it.unread {
        line += &match language {
            Language::Chinese => format!("，无法识别的消息 {messages} 条"),
            Language::English => format!(", {messages} messages not understood"),
        };
    }
    line
}

/// `12 messages of 3 devices were not understood: not JSON 8 · wrong type 4`.
#[must_use]
pub fn unread(it: &Unread, language: Language) -> String {
    let reasons = it.reasons.iter().take(REASONS).map(|of| {
        let words = terms::rejected(&of.reason)
            .map_or(&*of.reason, |words| Lang::usual(language).of_say(words));
        format!("{words} {}", of.messages)
    });
    let reasons = reasons.collect::<Vec<_>>().join(" · ");
    let Unread { messages, devices, .. } = it;
    match language {
        Language::Chinese => {
            format!("无法识别的消息 {messages} 条，来自 {devices} 台已登记设备：{reasons}")
        }
        Language::English => {
            let (s, were) = if *messages == 1 { ("", "was") } else { ("s", "were") };
            let of = if *devices == 1 { "device" } else { "devices" };
            format!(
                "{messages} message{s} of {devices} registered {of} {were} not understood: {reasons}"
            )
        }
    }
}

/// Where one reads all of it.
#[must_use]
pub fn link(it: &Digest, url: &str) -> String {
    let station = it.station.as_deref().map(|it| format!("&station={it}")).unwrap_or_default();
    format!("{url}/digest?day={}{station}", it.day)
}

fn lines(it: &Digest, desk: &Desk, (headline, link): (&str, &str), most: usize) -> Vec<String> {
    let mut lines = vec![headline.to_owned()];
    lines.extend(Some(counts(it, desk.language)).filter(|line| !line.is_empty()));
    lines.extend(it.unread.as_ref().map(|it| unread(it, desk.language)));
    // The line that says what is left out, and the link, must fit too.
    let longest = rest(u32::MAX, desk.language).len();
    let mut left = most.saturating_sub(headline.len() + link.len() + longest + 4);
    left = left.saturating_sub(lines.iter().skip(1).map(|line| line.len() + 1).sum());
    let mut named = 0;
    for item in &it.items {
        let text = line(item, desk);
        if text.len() >= left {
            break;
        }
        left -= text.len() + 1;
        named += 1;
        lines.push(text);
    }
    let unnamed = u32::try_from(it.items.len() - named).unwrap_or(u32::MAX);
    let more = it.more.saturating_add(unnamed);
    if more > 0 {
        lines.push(rest(more, desk.language));
    }
    lines.push(link.to_owned());
    lines
}

/// `离线 8 · 电量不足 3`: those that are open; those that ended stand behind a check mark.
fn counts(it: &Digest, language: Language) -> String {
    let counts = it.counts.iter().map(|of| {
        let name = Lang::usual(language).of_say(terms::condition(of.condition));
        match (of.open, of.closed) {
            (open, 0) => format!("{name} {open}"),
            (0, closed) => format!("{name} ✓{closed}"),
            (open, closed) => format!("{name} {open} ✓{closed}"),
        }
    });
    counts.collect::<Vec<_>>().join(" · ")
}

fn line(it: &Line, desk: &Desk) -> String {
    let title = match desk.language {
        Language::Chinese => &it.title.zh,
        Language::English => &it.title.en,
    };
    let (open, closed, since) = match desk.language {
        Language::Chinese => ("未关闭", "已关闭", "自 "),
        Language::English => ("open", "closed", "since "),
    };
    let mut parts = vec![title.as_str()];
    let unsaid = |part: &&str| !part.is_empty() && !it.is_placed_by(part, title);
    parts.extend([&*it.device, &*it.address].into_iter().filter(unsaid));
    // The second does not matter here, nor does the year: `11-28 07:41`.
    let moment = |at| desk.moment(at).get(5..16).unwrap_or_default().to_owned();
    let state = match it.closed_at {
        None => open.to_owned(),
        Some(at) => format!("{closed} {}", moment(at)),
    };
    format!("- {} · {since}{} · {state}", parts.join(" · "), moment(it.since))
}

fn rest(more: u32, language: Language) -> String {
    match language {
        Language::Chinese => format!("另有 {more} 条"),
        Language::English => format!("and {more} more"),
    }
}

#[cfg(test)]
mod tests;
