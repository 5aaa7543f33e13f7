//! A digest in lines, as a duty officer reads it in ten seconds: in the configured language, its
//! counts first, and no longer than its receiver takes.

use standpipe_rules::digest::{Digest, Line, Unread};

use crate::language::{Lang, Language};
use crate::message::{Desk, MessageText};
use crate::terms;

/// Reasons that are named in a digest's line about messages that were not understood.
const REASONS: usize = 3;

/// How much of a digest a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Its first line only, as in a text message.
    Line,
    /// All that fits into so many bytes of UTF-8.
    Bytes(usize),
}

/// A digest with as many of its notices as there is room for.
#[must_use]
pub fn words(digest: &Digest, desk: &Desk, room: Room) -> MessageText {
    let (headline, link) = (headline(digest, desk.language), link(digest, &desk.url));
    let lines = match room {
        Room::Line => vec![headline.clone()],
        Room::Bytes(most) => lines(digest, desk, &headline, &link, most),
    };
    MessageText { headline, lines, link, everybody: false }
}

/// `【每日提示】2026-11-28：未关闭 12（新增 2），已关闭 3`.
#[must_use]
pub fn headline(digest: &Digest, language: Language) -> String {
    let Digest { day, open, new, closed, station, .. } = digest;
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
    if let Some(Unread { messages, .. }) = &digest.unread {
        line += &match language {
            Language::Chinese => format!("，无法识别的消息 {messages} 条"),
            Language::English => format!(", {messages} messages not understood"),
        };
    }
    line
}

/// `12 messages of 3 devices were not understood: not JSON 8 · wrong type 4`.
#[must_use]
pub fn unread(unread: &Unread, language: Language) -> String {
    let reasons = unread.reasons.iter().take(REASONS).map(|of| {
        let words = terms::rejected(&of.reason)
            .map_or(&*of.reason, |words| Lang::usual(language).of_say(words));
        format!("{words} {}", of.messages)
    });
    let reasons = reasons.collect::<Vec<_>>().join(" · ");
    let Unread { messages, devices, .. } = unread;
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

/// The page of the console with the whole digest.
#[must_use]
pub fn link(digest: &Digest, url: &str) -> String {
    let station =
        digest.station.as_deref().map(|station| format!("&station={station}")).unwrap_or_default();
    format!("{url}/digest?day={}{station}", digest.day)
}

fn lines(digest: &Digest, desk: &Desk, headline: &str, link: &str, most: usize) -> Vec<String> {
    let mut lines = vec![headline.to_owned()];
    lines.extend(Some(counts(digest, desk.language)).filter(|line| !line.is_empty()));
    lines.extend(digest.unread.as_ref().map(|messages| unread(messages, desk.language)));
    // The line that says what is left out, and the link, must fit too.
    let longest = rest(u32::MAX, desk.language).len();
    let mut left = most.saturating_sub(headline.len() + link.len() + longest + 4);
    left = left.saturating_sub(lines.iter().skip(1).map(|line| line.len() + 1).sum());
    let mut named = 0;
    for item in &digest.items {
        let text = line(item, desk);
        if text.len() >= left {
            break;
        }
        left -= text.len() + 1;
        named += 1;
        lines.push(text);
    }
    let unnamed = u32::try_from(digest.items.len() - named).unwrap_or(u32::MAX);
    let more = digest.more.saturating_add(unnamed);
    if more > 0 {
        lines.push(rest(more, desk.language));
    }
    lines.push(link.to_owned());
    lines
}

/// `离线 8 · 电量不足 3`: those that are open; those that ended stand behind a check mark.
fn counts(digest: &Digest, language: Language) -> String {
    let counts = digest.counts.iter().map(|of| {
        let name = Lang::usual(language).of_say(terms::condition(of.condition));
        match (of.open, of.closed) {
            (open, 0) => format!("{name} {open}"),
            (0, closed) => format!("{name} ✓{closed}"),
            (open, closed) => format!("{name} {open} ✓{closed}"),
        }
    });
    counts.collect::<Vec<_>>().join(" · ")
}

fn line(item: &Line, desk: &Desk) -> String {
    let title = match desk.language {
        Language::Chinese => &item.title.zh,
        Language::English => &item.title.en,
    };
    let (open, closed, since) = match desk.language {
        Language::Chinese => ("未关闭", "已关闭", "自 "),
        Language::English => ("open", "closed", "since "),
    };
    let mut parts = vec![title.as_str()];
    let unsaid = |part: &&str| !part.is_empty() && !item.is_placed_by(part, title);
    parts.extend([&*item.device, &*item.address].into_iter().filter(unsaid));
    // The second does not matter here, nor does the year: `11-28 07:41`.
    let moment = |at| desk.moment(at).get(5..16).unwrap_or_default().to_owned();
    let state = match item.closed_at {
        None => open.to_owned(),
        Some(at) => format!("{closed} {}", moment(at)),
    };
    format!("- {} · {since}{} · {state}", parts.join(" · "), moment(item.since))
}

fn rest(more: u32, language: Language) -> String {
    match language {
        Language::Chinese => format!("另有 {more} 条"),
        Language::English => format!("and {more} more"),
    }
}

#[cfg(test)]
mod tests;
