//! The audit log: who did what, newest first, in the visitor's words. What each line
//! says is kept as a code; its name stands behind the line's pointer.

use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};
use standpipe_store::accounts::{Area, AuditCode, AuditLine, COMMAND_LINE, GATEWAY, Right, Role};

use super::accounts::role_name;
use super::layout;
use super::text::{Lang, Say, say, words};
use super::view::{Oops, View, escaped};
use crate::api::params::Params;
use crate::api::problem::Problem;

const TITLE: Say = say("Audit log", "审计日志");
const TIME: Say = say("Time", "时间");
const WHO: Say = say("Who", "人员");
const WHAT: Say = say("What", "操作");
const ON_WHAT: Say = say("On what", "对象");
const OLDER: Say = say("Older", "更早");

/// Lines on a page.
const LINES: u32 = 200;

/// Who did what: newest first. Of the whole district, so for its admins only.
pub async fn page(view: View, uri: Uri) -> Result<Response, Oops> {
    view.who.needs(Right::Accounts)?;
    if view.who.area != Area::All {
        return Err(Problem::not_allowed(view.who.role.as_str()).into());
    }
    let before = Params::read(&uri, &["before"])?.number("before", 1, i64::MAX)?;
    let lines = view.api.accounts.with(move |book| book.audited(before.unwrap_or(i64::MAX), LINES));
    let lines = lines.await?;
    let content = html! {
        h1 { (view.say(TITLE)) }
        (table(&view, &lines))
        @if let Some(last) = lines.last().filter(|_| lines.len() as u32 == LINES) {
            a.button href={ "/audit?before=" (last.n) } { (view.say(OLDER)) }
        }
    };
    Ok(layout::page(&view, view.say(TITLE), &content))
}

fn table(view: &View, lines: &[AuditLine]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(TITLE)) {
            table.cards.log {
                thead { tr {
                    @for head in [TIME, WHO, WHAT, ON_WHAT] { th { (view.say(head)) } }
                } }
                tbody { @for line in lines { tr {
                    td { (view.moment(line.at)) } td { strong { (who(view.lang, &line.who)) } }
                    td title=(line.what) { (act(view.lang, &line.what)) }
                    td { (on_what(view.lang, line)) }
                } } }
            }
        }
    }
}

/// Who: a person as they are called, and the program in words.
fn who(lang: Lang, who: &str) -> &str {
    match who {
        GATEWAY => lang.of_say(words::GATEWAY),
        COMMAND_LINE => lang.of_say(say("command line", "命令行")),
        person => person,
    }
}

/// What somebody did; as it is kept, where it is in nobody's table.
fn act(lang: Lang, what: &str) -> &str {
    named(what).map_or(what, |words| lang.of_say(words))
}

fn named(what: &str) -> Option<Say> {
    Some(match what {
        "signed_in" => say("signed in", "登录"),
        "sign_in_failed" => say("sign-in failed", "登录失败"),
        "password_changed" => say("changed a password", "修改密码"),
        "account_add" | "account_added" => say("made an account", "新建账户"),
        "account_change" => say("changed an account", "修改账户"),
        "account_reset" => say("gave a new password", "重置密码"),
        "account_remove" => say("removed an account", "删除账户"),
        "account_make_token" => say("made a token", "新建令牌"),
        "account_drop_token" => say("removed a token", "删除令牌"),
        "device_put" => say("registered or changed a device", "登记或修改设备"),
        "device_retired" => say("retired a device", "停用设备"),
        "device_replaced" => say("replaced a device", "更换设备"),
        "station_put" => say("registered or changed a station", "登记或修改站点"),
        "registry_import" => say("took in a list", "导入台账"),
        "settings_put" => say("changed settings", "修改设备参数"),
        "settings_drop" => say("dropped settings", "取消设备参数"),
        "report_now" => say("had a device report", "要求设备上报"),
        "self_test" => say("had a device test itself", "要求设备自检"),
        "silence" => say("had a device be quiet", "要求设备消音"),
        "restart" => say("had a device start again", "要求设备重启"),
        "flow_test" => say("flow test", "流量测试"),
        "announce" => say("announced work", "公告维护或巡检"),
        "exercise" => say("began an exercise", "开始演练"),
        "withdraw" => say("ended an announcement", "结束公告"),
        "acknowledge" => say("acknowledged", "接警"),
        "dispatch" => say("dispatched", "派出"),
        "arrive" => say("arrived", "到场"),
        "comment" => say("wrote a note", "填写备注"),
        "resolve" => say("resolved", "处置完毕"),
        "false_alarm" => say("false alarm", "判为误报"),
        "undo" => say("took back", "撤销"),
        "reopen" => say("opened again", "重新打开"),
        _ => return None,
    })
}

/// On what: a link where there is a page for it.
fn on_what(lang: Lang, line: &AuditLine) -> Markup {
    let to = match &*line.what {
        "acknowledge" | "dispatch" | "arrive" | "comment" | "resolve" | "false_alarm" | "undo"
        | "reopen" => Some("/incidents/"),
        "device_put" | "device_retired" | "device_replaced" | "report_now" | "self_test"
        | "silence" | "restart" | "flow_test" => Some("/devices/"),
        _ => None,
    };
    let words = in_words(lang, line);
    let id = if let AuditCode::Row { id, .. } = &line.code { id } else { &line.detail };
    html! {
        @match to {
            Some(to) => { a href={ (to) (escaped(id)) } { (words) } }
            None => { (words) }
        }
    }
}

fn in_words(lang: Lang, line: &AuditLine) -> String {
    match &line.code {
        AuditCode::Text => line.detail.to_string(),
        AuditCode::InARow { times } => {
            lang.of_say(say("{} in a row", "连续 {} 次")).replace("{}", &times.to_string())
        }
        AuditCode::Own => lang.of_say(say("their own", "本人")).to_owned(),
        AuditCode::FirstAdmin => {
            lang.of_say(say("admin, the first", "admin（首个账户）")).to_owned()
        }
        AuditCode::Row { .. } => line.code.words(),
        AuditCode::Account { name, id, role, station } => {
            let role = Role::named(role).map_or(&**role, |role| lang.of_say(role_name(role)));
            let parts = [&**name, &**id, role, &**station].into_iter();
            parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{act, on_what};
    use crate::console::text::Lang;
    use standpipe_config::Language;
    use standpipe_store::accounts::{AuditCode, AuditLine};

    #[test]
    fn what_people_did_is_told_in_the_language_of_whoever_reads_it() {
        let (en, zh) = (Lang::usual(Language::English), Lang::usual(Language::Chinese));
        for (what, detail, english, chinese) in [
            ("signed_in", "", ("signed in", ""), ("登录", "")),
            (
                "sign_in_failed",
                "3 in a row",
                ("sign-in failed", "3 in a row"),
                ("登录失败", "连续 3 次"),
            ),
            (
                "password_changed",
                "their own",
                ("changed a password", "their own"),
                ("修改密码", "本人"),
            ),
            (
                "account_add",
                "admin officer t-1",
                ("made an account", "admin officer t-1"),
                ("新建账户", "admin 值班干部 t-1"),
            ),
            (
                "resolve",
                "01K",
                ("resolved", "<a href=\"/incidents/01K\">01K</a>"),
                ("处置完毕", "<a href=\"/incidents/01K\">01K</a>"),
            ),
            (
                "something_new",
                "<x>",
                ("something_new", "&lt;x&gt;"),
                ("something_new", "&lt;x&gt;"),
            ),
        ] {
            let line = AuditLine {
                n: 1,
                at: 0,
                who: "li".into(),
                what: what.into(),
                detail: detail.into(),
                code: AuditCode::before(what, detail),
            };
            for (lang, expected) in [(en, english), (zh, chinese)] {
                let said = on_what(lang, &line).into_string();
                assert_eq!((act(lang, what), &*said), expected);
            }
        }
    }
}
