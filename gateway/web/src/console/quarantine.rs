//! What was not understood, newest first: when, of which device, why, and what it said, as far as
//! it can be read. Whoever looks after the devices finds here what they do wrong.

use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};
use standpipe_shared::is_hidden;
use standpipe_store::views::quarantine::{self as view, QuarantineRow};

use super::layout;
use super::text::{Say, say, words};
use super::view::{Oops, View, escaped, pager};
use crate::api::params::Params;
use crate::api::quarantine::read;

const TITLE: Say = say("Messages not understood", "无法识别的消息");
const ABOUT: Say = say(
    "What was understood of a message counts all the same. Older ones are in the archive beside the store.",
    "消息中能识别的部分照常生效。较早的消息转存于数据库旁的归档目录。",
);
const REASON: Say = say("Reason", "原因");
const ANY: Say = say("any", "不限");
const SHOW: Say = say("Show", "查看");
const ARRIVED: Say = say("Arrived", "收到时间");
const DEVICE: Say = say("Device", "设备");
const NOT_KNOWN: Say = say("none registered", "未登记");
const SAID: Say = say("What it said", "内容");
const ALL_OF_IT: Say = say("all of it", "全部内容");
const EMPTY: Say = say("Everything was understood.", "所有消息均已识别。");
const FOUND: Say = say("found", "条");
const NEXT: Say = say("Older", "更早");
const BEFORE: Say = say("Newer", "更新");

/// Messages on a page.
const PER_PAGE: u32 = 50;
/// Characters of a message that stand in its row.
const SHOWN: usize = 160;

/// Messages that were not understood, newest first.
pub async fn page(view: View, uri: Uri) -> Result<Response, Oops> {
    let found = read(&view.api, &view.who, &uri, Some(PER_PAGE)).await?;
    let params = Params::read(&uri, &["reason", "device", "page", "per_page"])?;
    let (reason, device) = (params.text("reason")?, params.text("device")?);
    let reasons = view.api.store.read(view::reasons).await?;
    let content = html! {
        h1 { (view.say(TITLE)) }
        p.note { (view.say(ABOUT)) }
        (filters(&view, &reasons, reason.as_deref(), device.as_deref()))
        p { strong { (found.total) } " " (view.say(FOUND)) }
        @if found.items.is_empty() { p.quiet-board { (view.say(EMPTY)) } } @else {
            (table(&view, &found.items))
        }
        (pager(&view, TITLE, &found, [BEFORE, NEXT]))
    };
    Ok(layout::page(&view, view.say(TITLE), &content))
}

/// A reason in words; its code, where this version has none.
fn in_words<'a>(view: &View, code: &'a str) -> &'a str {
    words::rejected(code).map_or(code, |words| view.say(words))
}

fn filters(
    view: &View,
    reasons: &[(String, u32)],
    reason: Option<&str>,
    device: Option<&str>,
) -> Markup {
    html! {
        form.line method="get" action="/quarantine" role="search" {
            select name="reason" aria-label=(view.say(REASON)) {
                option value="" { (view.say(REASON)) ": " (view.say(ANY)) }
                @for (code, count) in reasons {
                    option value=(code) selected[reason == Some(code)] {
                        (in_words(view, code)) " (" (count) ")"
                    }
                }
            }
            input type="search" name="device" value=[device] maxlength="64"
                aria-label=(view.say(DEVICE)) placeholder=(view.say(DEVICE));
            button type="submit" { (view.say(SHOW)) }
        }
    }
}

fn table(view: &View, items: &[QuarantineRow]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(TITLE)) {
            table.cards.log {
                thead { tr {
                    @for head in [ARRIVED, DEVICE, REASON, SAID] { th { (view.say(head)) } }
                } }
                tbody { @for item in items { (row(view, item)) } }
            }
        }
    }
}

fn row(view: &View, item: &QuarantineRow) -> Markup {
    let said = readable(&item.payload);
    let head: String = said.chars().take(SHOWN).collect();
    html! { tr {
        td.nowrap { (view.moment(item.at)) }
        td {
            @if item.device.is_empty() { span.by { (view.say(NOT_KNOWN)) } } @else {
                a href={ "/devices/" (escaped(&item.device)) } { (item.device) }
            }
            div.detail { (readable(item.topic.as_bytes())) }
        }
        td {
            strong { (in_words(view, &item.reason)) }
            div.detail lang="en" { (readable(item.detail.as_bytes())) }
        }
        td.said {
            @if head.len() == said.len() { code { (said) } } @else {
                code { (head) "…" }
                details { summary { (view.say(ALL_OF_IT)) } code { (said) } }
            }
        }
    } }
}

/// Bytes as people can read them: text as it is; what is no text, or would change how the text
/// beside it looks, as its number.
fn readable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if is_hidden(letter) {
                out.extend(letter.escape_unicode());
            } else {
                out.push(letter);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    #[rustfmt::skip] // a table
    fn what_cannot_be_read_stands_there_as_its_number() {
        for (bytes, text) in [
            (&b"{\"pressure\": 3}"[..],           "{\"pressure\": 3}"),
            ("水压 3 <b>".as_bytes(),            "水压 3 <b>"),
            (b"\xc3\xfb=1",                      "\\xc3\\xfb=1"),
            (b"a\0b\n",                           "a\\u{0}b\\u{a}"),
            ("x\u{202e}y\u{feff}".as_bytes(),    "x\\u{202e}y\\u{feff}"),
            (b"",                                ""),
        ] {
            assert_eq!(readable(bytes), text);
        }
    }
}
