//! The frame around every page: what it is called, where one can go, who is signed in, and the
//! places where a lost connection, a locked sound and a fire show themselves.

use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use standpipe_engine::health::DegradedPart;
use standpipe_rules::chain::{TOO_OLD_MS, stands_still};
use standpipe_shared::Severity;

use super::PAGES;
use super::assets::{ALARM, ICON, LIVE, MANIFEST, STYLE};
use super::text::{Lang, Say, say};
use super::view::{View, escaped};
use crate::api::who::By;

const SKIP: Say = say("Skip to content", "跳到正文");
const NOT_CERTIFIED: Say = say("Not a certified fire alarm system", "非认证火灾报警系统");
const SIGN_OUT: Say = say("Sign out", "退出");
const PASSWORD: Say = say("Password", "修改密码");
const LOST: Say = say(
    "CONNECTION LOST. You are NOT being alerted. Use the phone or radio.",
    "连接中断！您收不到警情，请使用电话或对讲机。",
);
const STANDS_STILL: Say = say(
    "ALARMS MAY NOT COME THROUGH. Use the phone or radio. The gateway's last heartbeat: ",
    "警情可能无法送达！请使用电话或对讲机。网关最近一次心跳：",
);
const HEARTBEAT: Say = say("Heartbeat: ", "心跳：");
const LEFT: Say = say("You are signed out and NOT being alerted.", "您已退出登录，收不到警情！");
const SIGN_IN: Say = say("Sign in", "登录");
const SILENT: Say =
    say("Sound is off: this page can't wake anybody.", "声音未开启：本页面无法叫醒任何人。");
const ANY_KEY: Say = say("Press any key once.", "请按任意键。");
const CLOCK_OFF: Say = say(
    "This computer's clock is wrong; ages here go by the gateway's. It is off by",
    "本机时钟不准，页面时间以网关为准。相差",
);
const ASIDE: Say = say("set to the side", "件已移到一边");
const OLDEST: Say = say("the oldest", "最早");
const BACK: Say = say("Show", "显示");
const TONE: Say = say("Test tone", "试音");
const NOTIFY: Say = say("Notify me when this page is hidden", "页面在后台时弹出通知");
const KEYS: Say = say("Single-letter keys", "单字母快捷键");
const UNLOCK: Say = say("Turn the sound on", "开启声音");
const MAIN: Say = say("Pages", "页面");

/// A page: its title, its scripts besides `live.js`, and what is in `<main>`.
pub fn page(view: &View, title: &str, content: &Markup) -> Response {
    page_with(view, title, &[], content)
}

/// A page with scripts of its own.
pub fn page_with(view: &View, title: &str, scripts: &[&str], content: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang=(view.lang.tag()) {
            (head(title, &[&[LIVE, ALARM], scripts].concat()))
            body data-csrf=(view.who.csrf()) data-zone=[view.api.town.zone.iana_name()]
                data-station=[view.who.station.as_deref()] data-now=(view.now) {
                a.skip href="#main" { (view.say(SKIP)) }
                (header(view))
                (warnings(view))
                div #silent .banner.warn role="status" hidden {
                    span { (view.say(SILENT)) } " "
                    button #unlock type="button" { (view.say(UNLOCK)) }
                }
                div #degraded data-from="/degraded" data-every="60" { (degraded(view)) }
                div #aside .banner.bad role="status" hidden {
                    strong #aside-count {} " " (view.say(ASIDE)) " · " (view.say(OLDEST)) " "
                    time #aside-age .ago {} " "
                    button #back type="button" { (view.say(BACK)) }
                }
                div #takeover data-from="/takeover" {}
                div #announce .sr aria-live="assertive" {}
                div #undo role="status" hidden {}
                main #main tabindex="-1" { (content) }
                (footer(view))
            }
        }
    };
    markup.into_response()
}

/// A page for a screen that nobody touches: dark, without navigation, buttons and the fire screen, whose
/// place it takes.
pub fn wall(view: &View, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(view.lang.tag()) {
            (head(title, &[LIVE]))
            body.wall data-csrf=(view.who.csrf()) data-zone=[view.api.town.zone.iana_name()]
                data-station=[view.who.station.as_deref()] data-now=(view.now) data-awake="" {
                (warnings(view))
                div #silent role="status" hidden { (view.say(SILENT)) " " (view.say(ANY_KEY)) }
                div #degraded data-from="/degraded" data-every="60" { (degraded(view)) }
                main #main { (content) }
            }
        }
    }
}

fn head(title: &str, scripts: &[&str]) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="theme-color" content="#7d0012";
            title { (title) " · Standpipe" }
            link rel="stylesheet" href=(STYLE);
            link rel="icon" type="image/png" href=(ICON);
            link rel="manifest" href=(MANIFEST);
            @for script in scripts { script src=(script) defer {} }
        }
    }
}

/// What is wrong between the gateway and whoever looks, over everything.
fn warnings(view: &View) -> Markup {
    html! {
        div #lost .banner.bad role="alert" hidden { (view.say(LOST)) }
        (chain(view))
        div #left .banner.bad role="alert" hidden {
            (view.say(LEFT)) " "
            a href={ "/login?next=" (escaped(&view.here)) } { (view.say(SIGN_IN)) }
        }
        div #off .banner.warn role="status" hidden { (view.say(CLOCK_OFF)) " " span #off-by {} }
    }
}

fn footer(view: &View) -> Markup {
    html! {
        footer {
            p {
                (view.say(NOT_CERTIFIED))
                @if let Some(age) = view.api.health.chain.age(view.now) {
                    " · " (view.say(HEARTBEAT)) span data-beat="" { (view.lang.ago(age)) }
                }
            }
            p.noprint {
                button.quiet #tone type="button" { (view.say(TONE)) }
                button.quiet #notify type="button" hidden { (view.say(NOTIFY)) }
                button.quiet #keys type="button" aria-pressed="true" { (view.say(KEYS)) }
            }
        }
    }
}

/// The chain's heartbeat is too old: over everything, on every page. It is shown at once where it is
/// so when the page is made; `live.js` goes on from that age by itself, whether or not it is told more.
fn chain(view: &View) -> Markup {
    let Some(age) = view.api.health.chain.age(view.now) else { return html! {} };
    html! {
        div #chain .banner.bad role="alert" data-age=(age) data-limit=(TOO_OLD_MS)
            hidden[!stands_still(view.now - age, view.now)] {
            (view.say(STANDS_STILL)) span data-beat="" { (view.lang.ago(age)) }
        }
    }
}

/// What is not as it should be while fires are paged, and what to do about it: on every page,
/// until a person has dealt with it.
pub async fn degraded_part(view: View) -> Markup {
    degraded(&view)
}

fn degraded(view: &View) -> Markup {
    html! {
        @for trouble in view.api.health.degraded.list() {
            div.banner.warn.trouble role="status" data-part=(trouble.part.as_str()) {
                strong { (view.say(degraded_name(trouble.part))) } " · " (view.since(trouble.since))
                p { (view.lang.text(&trouble.why)) }
            }
        }
    }
}

/// What a part that is not as it should be is called.
const fn degraded_name(part: DegradedPart) -> Say {
    match part {
        DegradedPart::Rescue => say("NOTHING CAN BE STORED", "无法存盘"),
        DegradedPart::Disk => say("Disk nearly full", "磁盘空间不足"),
        DegradedPart::Registry => say("Registry not read in", "台账未导入"),
        DegradedPart::Config => say("Configuration not all used", "配置未全部生效"),
        DegradedPart::Receivers => say("Receiver not used as configured", "接警端未按配置使用"),
        DegradedPart::Store => say("The store was lost", "数据库丢失"),
        DegradedPart::Rows => say("Rows of the store unreadable", "数据库部分记录无法读取"),
        DegradedPart::History => say("History impaired", "历史数据异常"),
        DegradedPart::Accounts => say("Accounts lost", "账户数据丢失"),
        DegradedPart::Ids => say("Secret of the ids replaced", "编号密钥已更换"),
        DegradedPart::Twin => {
            say("A second gateway on a copy of the store", "另有网关使用本数据库副本")
        }
        DegradedPart::Rival => say("Another client takes our sessions", "会话被其他客户端占用"),
        DegradedPart::Machine => say("The store is on another machine", "数据库已换到另一台机器"),
        DegradedPart::Http => say("Console's address taken", "控制台端口被占用"),
        DegradedPart::Actions => say("A station floods us", "某站点操作异常"),
    }
}

fn header(view: &View) -> Markup {
    let path = view.here.split('?').next().unwrap_or("/");
    let (other, other_name) = view.lang.other();
    html! {
        header.top {
            nav aria-label=(view.say(MAIN)) {
                @for (to, name, open_to) in PAGES {
                    @if open_to(&view.who) {
                        @let inside = path == to || (to.len() > 1 && path.starts_with(to));
                        a href=(to) aria-current=[inside.then_some("page")] { (view.say(name)) }
                    }
                }
            }
            div.me {
                span.clock #clock aria-hidden="true" {}
                a href={ "/language?to=" (other) "&back=" (escaped(&view.here)) } lang=(other)
                    hreflang=(other) { (other_name) }
                @if let By::Session { .. } = view.who.by {
                    a href="/password" title=(view.say(PASSWORD)) { (view.who.name) }
                    form method="post" action="/logout" {
                        (view.proof())
                        button.quiet type="submit" { (view.say(SIGN_OUT)) }
                    }
                } @else {
                    span { (view.who.name) }
                }
            }
        }
    }
}

/// A page for somebody who is not, or not well, signed in: without navigation and scripts.
pub fn plain(lang: Lang, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Standpipe" }
                link rel="stylesheet" href=(STYLE);
                link rel="icon" href="data:,";
            }
            body.plain { main { (content) } }
        }
    }
}

/// A sign for a severity: its shape says it without its colour.
pub fn sign(severity: Severity) -> Markup {
    let path = match severity {
        Severity::Fire => "M12 2 L23 21 H1 Z M11 9 h2 v6 h-2 Z M11 17 h2 v2 h-2 Z",
        Severity::Critical => "M12 1 L23 12 L12 23 L1 12 Z M11 6 h2 v8 h-2 Z M11 16 h2 v2 h-2 Z",
        Severity::Warning => "M3 3 H21 V21 H3 Z M11 6 h2 v8 h-2 Z M11 16 h2 v2 h-2 Z",
        Severity::Notice => "M12 2 A10 10 0 1 1 11.9 2 Z M11 6 h2 v2 h-2 Z M11 10 h2 v8 h-2 Z",
    };
    shape(severity.as_str(), path)
}

/// A drawing of 24 × 24, one path.
pub fn shape(class: &str, path: &str) -> Markup {
    html! {
        svg class={ "sign " (class) } viewBox="0 0 24 24" aria-hidden="true" {
            path fill-rule="evenodd" d=(PreEscaped(path)) {}
        }
    }
}
