//! Accounts, tokens for programs, and the audit log: for admins.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::layout;
use super::text::{Say, say, words};
use super::view::{Form, Oops, View};
use crate::accounts::{Account, Area, AuditLine, PASSWORD_AT_LEAST, Right, Role, Token};
use crate::api::params::Params;
use crate::api::problem::Problem;

const TITLE: Say = say("Accounts", "账户");
const AUDIT: Say = say("Audit log", "审计日志");
const ROLE: Say = say("Role", "角色");
const ALL_STATIONS: Say = say("all stations", "全部站点");
const AND_BELOW: Say = say("Station (and those below it)", "站点（含下级）");
const NEW: Say = say("New account", "新建账户");
const PASSWORD: Say = say("Password", "密码");
const ADD: Say = say("Add", "添加");
const SAVE: Say = say("Save", "保存");
const REMOVE: Say = say("Remove", "删除");
const RESET: Say = say("New password", "重置密码");
const TOKENS: Say = say("Tokens for programs", "程序令牌");
const NEW_TOKEN: Say = say("New token", "新建令牌");
const DAYS: Say = say("Valid for days", "有效天数");
const EXPIRES: Say = say("expires", "到期");
const MADE_BY: Say = say("made by", "创建人");
const SHOWN_ONCE: Say =
    say("Write it down now: it is shown this once.", "请立即记下：仅显示这一次。");
const TIME: Say = say("Time", "时间");
const WHO: Say = say("Who", "人员");
const WHAT: Say = say("What", "操作");
const ON_WHAT: Say = say("On what", "对象");
const OLDER: Say = say("Older", "更早");
const ACTION: Say = say("Change", "修改");

/// Lines of the audit log on a page.
const LINES: u32 = 200;
/// The longest life of a token, days.
const DAYS_AT_MOST: i64 = 366;
const DAY_MS: i64 = 86_400_000;

/// Everything about accounts.
pub async fn page(view: View) -> Result<Response, Oops> {
    show(&view, None).await
}

/// Something new to be told once: what it is called, and the secret.
struct Once(String, String);

async fn show(view: &View, once: Option<Once>) -> Result<Response, Oops> {
    view.who.needs(Right::Accounts)?;
    let now = view.now;
    let known = view.api.accounts.with(move |book| Ok((book.accounts()?, book.tokens(now)?)));
    let (mut accounts, mut tokens) = known.await?;
    accounts.retain(|it| reaches(view, it.station.as_deref()));
    tokens.retain(|it| reaches(view, it.station.as_deref()));
    let stations = view.stations().await?;
    let content = html! {
        h1 { (view.say(TITLE)) }
        @if let Some(Once(what, secret)) = once {
            div.once role="status" {
                p { (what) ": " code.secret { (secret) } }
                p { (view.say(SHOWN_ONCE)) }
            }
        }
        (account_table(view, &accounts, &stations))
        (account_form(view, &stations))
        h2 { (view.say(TOKENS)) }
        (token_table(view, &tokens))
        (token_form(view, &stations))
    };
    Ok(layout::page(view, view.say(TITLE), &content))
}

/// An admin of some stations keeps the accounts of those.
fn reaches(view: &View, station: Option<&str>) -> bool {
    match (&view.who.area, station) {
        (Area::All, _) => true,
        (Area::Stations(_), None) => false,
        (Area::Stations(_), Some(station)) => view.who.area.holds(station),
    }
}

fn role_select(view: &View, chosen: Role) -> Markup {
    html! {
        select name="role" aria-label=(view.say(ROLE)) {
            @for role in Role::ALL {
                option value=(role.as_str()) selected[role == chosen] { (view.say(role_name(role))) }
            }
        }
    }
}

fn station_select(view: &View, all: &[(String, String)], chosen: Option<&str>) -> Markup {
    html! {
        select name="station" aria-label=(view.say(AND_BELOW)) {
            @if view.who.area == Area::All {
                option value="" { (view.say(ALL_STATIONS)) }
            }
            @for (id, name) in all {
                option value=(id) selected[chosen == Some(id)] { (name) " (" (id) ")" }
            }
        }
    }
}

const fn role_name(role: Role) -> Say {
    match role {
        Role::Viewer => say("viewer", "查看"),
        Role::Crew => say("crew", "队员"),
        Role::Officer => say("officer", "值班干部"),
        Role::DeviceManager => say("device manager", "设备管理员"),
        Role::Admin => say("admin", "管理员"),
    }
}

fn account_table(view: &View, accounts: &[Account], stations: &[(String, String)]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(TITLE)) {
            table {
                thead { tr {
                    th { (view.say(words::NAME)) }
                    th { (view.say(ROLE)) " · " (view.say(words::STATION)) }
                    th { (view.say(ACTION)) }
                } }
                tbody { @for it in accounts { tr {
                    th scope="row" { (it.name) }
                    td { form.line method="post" action="/accounts" {
                        (view.proof())
                        input type="hidden" name="name" value=(it.name);
                        (role_select(view, it.role))
                        (station_select(view, stations, it.station.as_deref()))
                        button name="do" value="change" { (view.say(SAVE)) }
                    } }
                    td { form.line method="post" action="/accounts" {
                        (view.proof())
                        input type="hidden" name="name" value=(it.name);
                        button name="do" value="reset" { (view.say(RESET)) }
                        button.bad name="do" value="remove" { (view.say(REMOVE)) }
                    } }
                } } }
            }
        }
    }
}

fn account_form(view: &View, stations: &[(String, String)]) -> Markup {
    html! {
        h2 { (view.say(NEW)) }
        form.stack method="post" action="/accounts" {
            (view.proof())
            label for="new-name" { (view.say(words::NAME)) }
            input #new-name name="name" required maxlength="48" autocomplete="off";
            label for="new-password" { (view.say(PASSWORD)) }
            input #new-password name="password" type="password" required
                minlength=(PASSWORD_AT_LEAST) autocomplete="new-password";
            (role_select(view, Role::Officer))
            (station_select(view, stations, None))
            button name="do" value="add" { (view.say(ADD)) }
        }
    }
}

fn token_table(view: &View, tokens: &[Token]) -> Markup {
    html! {
        ul.plainlist { @for it in tokens {
            li { form.line method="post" action="/accounts" {
                (view.proof())
                input type="hidden" name="id" value=(it.id);
                strong { (it.name) } " " (view.say(role_name(it.role))) " · "
                (it.station.as_deref().unwrap_or(view.say(ALL_STATIONS))) " · "
                (view.say(MADE_BY)) " " (it.made_by) " · "
                (view.say(EXPIRES)) " " (view.moment(it.expires_at)) " "
                button.bad name="do" value="drop_token" { (view.say(REMOVE)) }
            } }
        } }
    }
}

fn token_form(view: &View, stations: &[(String, String)]) -> Markup {
    html! {
        form.stack method="post" action="/accounts" {
            (view.proof())
            label for="token-name" { (view.say(words::NAME)) }
            input #token-name name="name" required maxlength="48" autocomplete="off";
            label for="token-days" { (view.say(DAYS)) }
            input #token-days name="days" type="number" value="90" min="1" max=(DAYS_AT_MOST);
            (role_select(view, Role::Viewer))
            (station_select(view, stations, None))
            button name="do" value="make_token" { (view.say(NEW_TOKEN)) }
        }
    }
}

/// An admin changes something.
pub async fn change(view: View, sent: Form) -> Result<Response, Oops> {
    view.who.needs(Right::Accounts)?;
    let what = sent.get("do").to_owned();
    let once = match what.as_str() {
        "add" => add(&view, &sent).await?,
        "change" => {
            let (name, (role, station)) =
                (sent.get("name").to_owned(), wanted(&view, &sent).await?);
            mine(&view, &name).await?;
            let book = view.api.accounts.clone();
            book.with(move |book| book.change(&name, role, station.as_deref())).await?;
            None
        }
        "reset" => reset(&view, sent.get("name")).await?,
        "remove" => {
            let name = sent.get("name").to_owned();
            mine(&view, &name).await?;
            view.api.accounts.with(move |book| book.remove(&name)).await?;
            None
        }
        "make_token" => make_token(&view, &sent).await?,
        "drop_token" => {
            drop_token(&view, sent.get("id")).await?;
            None
        }
        _ => return Err(Problem::bad_request("no such change: reload the page").into()),
    };
    let on = format!(
        "{} {}{} {}",
        sent.get("name"),
        sent.get("id"),
        sent.get("role"),
        sent.get("station")
    );
    view.api.did(&view.who, &format!("account_{what}"), on.trim()).await;
    match once {
        Some(once) => show(&view, Some(once)).await,
        None => Ok(Redirect::to("/accounts").into_response()),
    }
}

/// Role and station of a form, as far as this admin may give them.
async fn wanted(view: &View, sent: &Form) -> Result<(Role, Option<String>), Oops> {
    let role = Role::named(sent.get("role"))
        .ok_or_else(|| Problem::bad_request("no such role: reload the page"))?;
    let station = Some(sent.get("station").to_owned()).filter(|it| !it.is_empty());
    if !reaches(view, station.as_deref()) {
        return Err(Problem::not_allowed(view.who.role.as_str()).into());
    }
    if let Some(id) = &station
        && !view.stations().await?.iter().any(|(known, _)| known == id)
    {
        return Err(Problem::no_station(id).into());
    }
    Ok((role, station))
}

/// Nothing, when the account is one of this admin's.
async fn mine(view: &View, name: &str) -> Result<(), Oops> {
    let all = view.api.accounts.with(|book| book.accounts()).await?;
    let found = all.iter().find(|it| &*it.name == name);
    match found.filter(|it| reaches(view, it.station.as_deref())) {
        Some(_) => Ok(()),
        None => Err(Problem::unknown("account", name).into()),
    }
}

async fn add(view: &View, sent: &Form) -> Result<Option<Once>, Oops> {
    let (role, station) = wanted(view, sent).await?;
    let hash = view.api.accounts.hashed(sent.get("password").to_owned()).await?;
    let account = Account::new(sent.get("name").trim(), role, station.as_deref(), view.now);
    view.api.accounts.with(move |book| book.add(&account, &hash)).await?;
    Ok(None)
}

async fn reset(view: &View, name: &str) -> Result<Option<Once>, Oops> {
    mine(view, name).await?;
    let (password, hash) = tokio::task::spawn_blocking(crate::accounts::fresh_password)
        .await
        .map_err(|_| Problem::part_down("the gateway is stopping: try again"))??;
    let of = name.to_owned();
    view.api.accounts.with(move |book| book.set_password(&of, &hash)).await?;
    Ok(Some(Once(name.to_owned(), password)))
}

async fn make_token(view: &View, sent: &Form) -> Result<Option<Once>, Oops> {
    let (role, station) = wanted(view, sent).await?;
    let days = sent.get("days").parse().ok().filter(|it| (1..=DAYS_AT_MOST).contains(it));
    let days: i64 = days.ok_or_else(|| {
        Problem::bad_parameter("days", sent.get("days"), "a whole number from 1 to 366")
    })?;
    let (name, now) = (sent.get("name").trim().to_owned(), view.now);
    let token = Token {
        id: 0,
        name: name.as_str().into(),
        role,
        station: station.map(Into::into),
        made_by: view.who.name.clone(),
        expires_at: now + days * DAY_MS,
    };
    let text = view.api.accounts.with(move |book| book.make_token(&token, now)).await?;
    Ok(Some(Once(name, text)))
}

async fn drop_token(view: &View, id: &str) -> Result<(), Oops> {
    let now = view.now;
    let tokens = view.api.accounts.with(move |book| book.tokens(now)).await?;
    let found = tokens.into_iter().find(|it| it.id.to_string() == id);
    let found = found.filter(|it| reaches(view, it.station.as_deref()));
    let it = found.ok_or_else(|| Problem::unknown("token", id))?;
    view.api.accounts.with(move |book| book.drop_token(it.id)).await?;
    Ok(())
}

/// Who did what: newest first. Of the whole district, so for its admins only.
pub async fn audit(view: View, uri: Uri) -> Result<Response, Oops> {
    view.who.needs(Right::Accounts)?;
    if view.who.area != Area::All {
        return Err(Problem::not_allowed(view.who.role.as_str()).into());
    }
    let before = Params::read(&uri, &["before"])?.number("before", 1, i64::MAX)?;
    let lines = view.api.accounts.with(move |book| book.audited(before.unwrap_or(i64::MAX), LINES));
    let lines = lines.await?;
    let content = html! {
        h1 { (view.say(AUDIT)) }
        (audit_table(&view, &lines))
        @if let Some(last) = lines.last().filter(|_| lines.len() as u32 == LINES) {
            a.button href={ "/audit?before=" (last.n) } { (view.say(OLDER)) }
        }
    };
    Ok((StatusCode::OK, layout::page(&view, view.say(AUDIT), &content)).into_response())
}

fn audit_table(view: &View, lines: &[AuditLine]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(AUDIT)) {
            table {
                thead { tr {
                    @for it in [TIME, WHO, WHAT, ON_WHAT] { th { (view.say(it)) } }
                } }
                tbody { @for it in lines { tr {
                    td { (view.moment(it.at)) } td { (it.who) } td { (it.what) } td { (it.detail) }
                } } }
            }
        }
    }
}
