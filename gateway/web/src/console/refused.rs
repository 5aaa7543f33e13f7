//! Why something was refused, in the visitor's words. The answers to programs stay in English, in
//! `api::problem` and `accounts`; here it is worded for people, with what they can do on a page.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use standpipe_store::accounts::{AccountError, PASSWORD_AT_LEAST, PASSWORD_AT_MOST};

use super::layout;
use super::text::{Lang, Say, say};
use crate::api::problem::{Problem, ProblemCode, Thing};

const BOARD: Say = say("Board", "值班台");
/// Of a name, or of whoever changes a password.
pub const LOCKED: Say =
    say("Too many wrong passwords: wait a little and try again.", "密码错误次数过多，请稍后再试。");

/// What was refused, carried by an answer until its language is known.
#[derive(Clone, Debug)]
pub struct RefusedPage {
    status: StatusCode,
    code: ProblemCode,
    /// What is not there, and its id.
    missing: Option<(Thing, String)>,
    /// In English, for programs: what is wrong, with the value, and what to do.
    detail: String,
}

impl From<&Problem> for RefusedPage {
    fn from(problem: &Problem) -> Self {
        Self {
            status: problem.status(),
            code: problem.code(),
            missing: problem.missing().map(|(what, id)| (what, id.to_owned())),
            detail: problem.detail().to_owned(),
        }
    }
}

impl RefusedPage {
    /// A page that says what was refused, and why.
    pub fn page(&self, lang: Lang) -> Response {
        let title = lang.of_say(title(self.status));
        let content = html! {
            h1 { (title) }
            (self.words(lang))
            p.acts {
                a.button href="/" { (lang.of_say(BOARD)) }
            }
        };
        (self.status, layout::plain(lang, title, &content)).into_response()
    }

    fn words(&self, lang: Lang) -> Markup {
        let (said, exact) = match &self.missing {
            Some((what, id)) => (missing(lang, *what, id), None),
            None => (lang.of_say(plain(self)).to_owned(), self.exact()),
        };
        html! {
            p { (said) }
            @if let Some(detail) = exact { p.note lang="en" { (detail) } }
        }
    }

    /// The exact words, where the plain ones leave something out.
    fn exact(&self) -> Option<&str> {
        let known = [StatusCode::FORBIDDEN, StatusCode::CONFLICT, StatusCode::UNAUTHORIZED];
        (!known.contains(&self.status)).then_some(&*self.detail)
    }
}

fn title(status: StatusCode) -> Say {
    match status {
        StatusCode::NOT_FOUND => say("Not found", "没有找到"),
        StatusCode::FORBIDDEN => say("Not allowed", "没有权限"),
        StatusCode::CONFLICT => say("Not possible now", "现在不能这样做"),
        StatusCode::SERVICE_UNAVAILABLE => say("Not working now", "暂时无法使用"),
        StatusCode::PAYLOAD_TOO_LARGE => say("Too long", "内容过长"),
        _ => say("Not understood", "无法处理"),
    }
}

/// A thing of an id that is not there, or is no business of theirs: which one is not said.
fn missing(lang: Lang, what: Thing, id: &str) -> String {
    let name = lang.of_say(match what {
        Thing::Incident => say("incident", "警情"),
        Thing::Bundle => say("bundle", "合并通知"),
        Thing::Device => say("device", "设备"),
        Thing::Hydrant => say("hydrant", "消火栓"),
        Thing::Station => say("station", "站点"),
        Thing::Account => say("account", "账户"),
        Thing::Token => say("token", "令牌"),
        Thing::Announcement => say("announcement", "公告"),
        Thing::Zone | Thing::Profile | Thing::Command | Thing::Path => say("page", "页面"),
    });
    let words = say(
        "There is no {what} {id}. Its address may be mistyped, it may be over, or belong to another station.",
        "没有{what} {id}：地址可能有误，可能已经结束，或不属于您的站点。",
    );
    lang.of_say(words).replace("{what}", name).replace("{id}", id)
}

fn plain(refused: &RefusedPage) -> Say {
    match refused.status {
        // Somebody whose page is older than their session, or who comes from elsewhere.
        StatusCode::FORBIDDEN if refused.code == ProblemCode::NoProof => say(
            "This page is too old to be sent, or the form is not ours. Open the page again and repeat it.",
            "页面已过期，或表单并非来自本系统。请重新打开页面后再试。",
        ),
        StatusCode::FORBIDDEN if refused.code == ProblemCode::LoopbackOnly => say(
            "This is a demonstration: its pages are open to this machine only.",
            "这是演示环境，页面仅限本机访问。",
        ),
        StatusCode::FORBIDDEN => say(
            "Your role may not do that: ask somebody who may, or an admin.",
            "您的角色无权进行此操作，请联系有权限的人员或管理员。",
        ),
        StatusCode::CONFLICT => say(
            "It can't be done as things are now: open the page again.",
            "当前状态下不能这样做，请重新打开页面。",
        ),
        StatusCode::UNAUTHORIZED => say("You are not signed in.", "您尚未登录。"),
        StatusCode::NOT_FOUND => say("There is no such page.", "没有这个页面。"),
        StatusCode::PAYLOAD_TOO_LARGE => {
            say("The text is too long: send less.", "内容过长，请缩短后再提交。")
        }
        StatusCode::SERVICE_UNAVAILABLE => say(
            "A part does not work now: try again. Alarms go their own way. Tell an admin if it stays so:",
            "系统的一部分暂时无法使用，请重试；报警走独立通道。若持续如此，请将下列内容告知管理员：",
        ),
        _ => say(
            "What was sent can't be understood. Go back and enter it again.",
            "无法理解所提交的内容，请返回后重新填写。",
        ),
    }
}

/// What somebody can set right about an account; nothing for what is no fault of theirs.
pub fn account(lang: Lang, error: &AccountError) -> Option<String> {
    let (words, value) = match error {
        AccountError::Store(_) | AccountError::TooNew(_) | AccountError::Secret(_) => return None,
        AccountError::Wrong => {
            (say("The present password is wrong.", "当前密码错误。"), String::new())
        }
        AccountError::Locked { .. } => (LOCKED, String::new()),
        AccountError::Busy => {
            (say("Too much at once: try again.", "操作过多，请重试。"), String::new())
        }
        AccountError::Password(length) => (
            say(
                "A password has {least} to {most} characters, this one has {}: choose another.",
                "密码应为 {least} 至 {most} 个字符，现为 {} 个，请重新设置。",
            ),
            length.to_string(),
        ),
        AccountError::Name(name) => (
            say(
                "“{}” can't be a name: use 1 to 48 letters, digits, _ and -.",
                "“{}”不能作为名称：请用 1 至 48 个汉字、字母、数字、_ 或 -。",
            ),
            name.clone(),
        ),
        AccountError::Taken(name) => (
            say("“{}” is there already: choose another name.", "“{}”已存在，请换一个名称。"),
            name.clone(),
        ),
        AccountError::Unknown(name) => {
            (say("“{}” is not there any more.", "“{}”已不存在。"), name.clone())
        }
        AccountError::LastAdmin(name) => (
            say(
                "“{}” is the last admin of all stations: make another one first.",
                "“{}”是最后一个管理全部站点的管理员，请先新建另一个。",
            ),
            name.clone(),
        ),
    };
    let (least, most) = (PASSWORD_AT_LEAST.to_string(), PASSWORD_AT_MOST.to_string());
    let words = lang.of_say(words).replace("{least}", &least).replace("{most}", &most);
    Some(words.replace("{}", &value))
}

#[cfg(test)]
mod tests {
    use super::{RefusedPage, account};
    use crate::api::problem::{Problem, Thing};
    use crate::console::text::Lang;
    use standpipe_config::Language;
    use standpipe_store::accounts::AccountError;

    const ZH: Lang = Lang::usual(Language::Chinese);
    const EN: Lang = Lang::usual(Language::English);

    #[test]
    #[rustfmt::skip] // a table
    fn people_are_told_in_their_language_and_never_of_an_api() {
        for (problem, en, zh) in [
            (Problem::unknown(Thing::Incident, "01K<"), "There is no incident 01K&lt;. ", "没有警情 01K&lt;："),
            (Problem::unknown(Thing::Device, "H-9"), "There is no device H-9. ", "没有设备 H-9："),
            (Problem::unknown_announcement("7"), "There is no announcement 7. ", "没有公告 7："),
            (Problem::not_allowed("crew"), "Your role may not do that", "您的角色无权"),
            (Problem::no_proof(), "too old to be sent", "页面已过期"),
            (Problem::bad_parameter("page", "x", "a number"), "can't be understood", "无法理解"),
            (Problem::part_down("no disk"), "does not work now", "暂时无法使用"),
            (Problem::forbidden("h"), "This is a demonstration", "这是演示环境"),
            (Problem::no_path("/x"), "There is no page /x. ", "没有页面 /x："),
            (Problem::unknown_profile("p"), "There is no page p. ", "没有页面 p："),
            // Whatever the sentence for programs says.
            (Problem::unknown(Thing::Device, "H-9").reworded("⟦⟧"), "There is no device H-9. ", "没有设备 H-9："),
            (Problem::no_proof().reworded("⟦⟧"), "too old to be sent", "页面已过期"),
            (Problem::forbidden("h").reworded("⟦⟧"), "This is a demonstration", "这是演示环境"),
            (Problem::not_allowed("crew").reworded("prove no `x` demonstration"), "Your role may not do that", "您的角色无权"),
        ] {
            let told = RefusedPage::from(&problem);
            for (lang, words) in [(EN, en), (ZH, zh)] {
                let said = told.words(lang).into_string();
                assert!(said.contains(words) && !said.contains("/api/"), "{words}: {said}");
            }
        }
        let exact = RefusedPage::from(&Problem::bad_parameter("page", "x", "a number")).words(ZH);
        assert!(exact.into_string().contains("lang=\"en\">parameter `page`"), "for whoever helps them");
    }

    #[test]
    fn what_is_wrong_with_an_account_is_said_with_its_value() {
        for (error, en, zh) in [
            (AccountError::Taken("li".into()), "“li” is there already", "“li”已存在"),
            (AccountError::Password(3), "has 10 to", "现为 3 个"),
            (AccountError::LastAdmin("root".into()), "“root” is the last", "“root”是最后"),
        ] {
            assert!(account(EN, &error).is_some_and(|words| words.contains(en)), "{en}");
            assert!(account(ZH, &error).is_some_and(|words| words.contains(zh)), "{zh}");
        }
        assert_eq!(account(ZH, &AccountError::TooNew(9)), None, "no fault of theirs");
    }
}
