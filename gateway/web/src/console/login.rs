//! Signing in and out, one's own password, and the choice of a language. Works without a script.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use standpipe_store::accounts::{AccountError, AuditCode, PASSWORD_AT_LEAST};

use super::layout;
use super::refused::{self, LOCKED};
use super::text::{LANGUAGE_COOKIE, Lang, Say, chosen, say};
use super::view::{Form, Oops, View, escaped, is_ours, ours};
use crate::api::ApiState;
use crate::api::auth::{COOKIE, cookie};
use crate::api::params::Params;
use crate::api::problem::Problem;

const TITLE: Say = say("Sign in", "登录");
const NAME: Say = say("Name", "用户名");
const PASSWORD: Say = say("Password", "密码");
const OLD: Say = say("Present password", "当前密码");
const NEW: Say = say("New password", "新密码");
const AGAIN: Say = say("New password once more", "再次输入新密码");
const CHANGE: Say = say("Change the password", "修改密码");
const WRONG: Say = say("Wrong name or password.", "用户名或密码错误。");
const BUSY: Say = say("Sign-in does not work now: try again.", "暂时无法登录，请重试。");
const UNLIKE: Say = say("The two new passwords differ.", "两次输入的新密码不一致。");
const ABOUT: Say = say(
    "Hydrants and smoke detectors. Not a certified fire alarm system.",
    "消火栓与烟感监测。非认证火灾报警系统。",
);

/// How long a browser keeps the cookie, s: as long as the longest session.
const KEPT_S: u32 = 92 * 86_400;

/// The form to sign in.
pub async fn page(
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Oops> {
    let params = Params::read(&uri, &["next"])?;
    let lang = chosen(&headers, api.town.language);
    Ok(form(lang, ours(params.raw("next").unwrap_or("/")), None).into_response())
}

/// Takes the form to sign in.
pub async fn sign_in(
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Oops> {
    if !is_ours(&headers) {
        return Err(Problem::no_proof().into());
    }
    let sent = Form::unproven(request, &api).await?;
    let next = ours(sent.get("next")).to_owned();
    let (name, password) = (sent.get("name").trim().to_owned(), sent.get("password").to_owned());
    let typed = name.clone();
    let key = match api.accounts.sign_in(name, password, api.clock.now()).await {
        Ok(key) => key,
        Err(error) => {
            let lang = chosen(&headers, api.town.language);
            let (status, words) = told(&error);
            return Ok((status, form(lang, &next, Some((words, &typed)))).into_response());
        }
    };
    let cookie = format!("{COOKIE}={key}; Max-Age={KEPT_S}; {}", attributes(&api));
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response())
}

/// Of our cookie: no script reads it, no other site's form sends it, nobody overhears it where
/// the console is reached by HTTPS.
fn attributes(api: &ApiState) -> &'static str {
    if api.town.url.starts_with("https:") {
        "Path=/; HttpOnly; SameSite=Lax; Secure"
    } else {
        "Path=/; HttpOnly; SameSite=Lax"
    }
}

fn told(error: &AccountError) -> (StatusCode, Say) {
    match error {
        AccountError::Locked { .. } => (StatusCode::TOO_MANY_REQUESTS, LOCKED),
        AccountError::Wrong => (StatusCode::UNAUTHORIZED, WRONG),
        AccountError::Store(_)
        | AccountError::TooNew(_)
        | AccountError::Secret(_)
        | AccountError::Busy
        | AccountError::Password(_)
        | AccountError::Name(_)
        | AccountError::Taken(_)
        | AccountError::Unknown(_)
        | AccountError::LastAdmin(_) => {
            tracing::error!("somebody can't sign in: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, BUSY)
        }
    }
}

/// Ends the visitor's session.
pub async fn sign_out(
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
) -> Result<Response, Oops> {
    if !is_ours(&headers) {
        return Err(Problem::no_proof().into());
    }
    if let Some(key) = cookie(&headers, COOKIE).map(str::to_owned) {
        api.accounts.with(move |book| book.sign_out(&key)).await?;
    }
    let gone = format!("{COOKIE}=; Max-Age=0; {}", attributes(&api));
    Ok(([(header::SET_COOKIE, gone)], Redirect::to("/login")).into_response())
}

/// Sets the cookie of the language, and goes back.
pub async fn language(uri: Uri) -> Result<Response, Oops> {
    let params = Params::read(&uri, &["to", "back"])?;
    let to = params.one_of("to", &[("zh", "zh"), ("en", "en")])?.unwrap_or("zh");
    let back = ours(params.raw("back").unwrap_or("/"));
    let cookie = format!("{LANGUAGE_COOKIE}={to}; Max-Age=31536000; Path=/; SameSite=Lax");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(back)).into_response())
}

/// The form by which people change their own password.
pub async fn password_page(view: View) -> Response {
    layout::page(&view, view.say(CHANGE), &password_form(&view, None))
}

/// Somebody changes it: every session of theirs ends, this one too.
pub async fn password(view: View, sent: Form) -> Result<Response, Oops> {
    let again = |words: &str| {
        let content = password_form(&view, Some(words));
        (StatusCode::BAD_REQUEST, layout::page(&view, view.say(CHANGE), &content)).into_response()
    };
    if sent.get("new") != sent.get("again") {
        return Ok(again(view.say(UNLIKE)));
    }
    let (accounts, name) = (&view.api.accounts, view.who.name.clone());
    let checked = accounts.check(&name, sent.get("old").to_owned(), view.now).await;
    let hash = match checked {
        Ok(()) => accounts.hashed(sent.get("new").to_owned()).await,
        Err(wrong) => Err(wrong),
    };
    let hash = match hash {
        Ok(hash) => hash,
        Err(error) => {
            let words = refused::account(view.lang, &error);
            return words.map(|words| again(&words)).ok_or_else(|| error.into());
        }
    };
    accounts.with(move |book| book.set_password(&name, &hash)).await?;
    view.api.did_as(&view.who, "password_changed", AuditCode::Own).await;
    Ok(Redirect::to("/login").into_response())
}

fn password_form(view: &View, wrong: Option<&str>) -> Markup {
    let field = |name: &str, label: Say, kind: &str| {
        html! {
            label for=(name) { (view.say(label)) }
            input #(name) name=(name) type="password" autocomplete=(kind) required
                minlength=[(kind == "new-password").then_some(PASSWORD_AT_LEAST)];
        }
    };
    html! {
        h1 { (view.say(CHANGE)) }
        form.stack method="post" action="/password" {
            @if let Some(words) = wrong { p.wrong role="alert" { (words) } }
            (view.proof())
            (field("old", OLD, "current-password"))
            (field("new", NEW, "new-password"))
            (field("again", AGAIN, "new-password"))
            button type="submit" { (view.say(CHANGE)) }
        }
    }
}

fn form(lang: Lang, next: &str, wrong: Option<(Say, &str)>) -> Markup {
    let (other, other_name) = lang.other();
    let typed = wrong.map(|wrong| wrong.1);
    let content = html! {
        h1 { "Standpipe" }
        p { (lang.of_say(ABOUT)) }
        form.stack method="post" action="/login" {
            @if let Some((words, _)) = wrong { p.wrong role="alert" { (lang.of_say(words)) } }
            input type="hidden" name="next" value=(next);
            label for="name" { (lang.of_say(NAME)) }
            input #name name="name" autocomplete="username" autocapitalize="none"
                required autofocus[typed.is_none()] value=[typed];
            label for="password" { (lang.of_say(PASSWORD)) }
            input #password name="password" type="password"
                autocomplete="current-password" required autofocus[typed.is_some()];
            button type="submit" { (lang.of_say(TITLE)) }
        }
        p {
            a href={ "/language?to=" (other) "&back=/login%3Fnext%3D" (escaped(&escaped(next))) }
                lang=(other) { (other_name) }
        }
    };
    layout::plain(lang, lang.of_say(TITLE), &content)
}
