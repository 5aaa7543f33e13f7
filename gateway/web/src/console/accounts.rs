//! Accounts, and tokens for programs: for admins. What they did is in `audit`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use standpipe_rules::DAY_MS;
use standpipe_store::accounts::{
    Account, AccountError, Area, AuditCode, PASSWORD_AT_LEAST, Right, Role, Token,
};

use super::layout;
use super::refused;
use super::text::{Say, say, words};
use super::view::{Form, Oops, View};
use crate::api::problem::{Problem, Thing};

const TITLE: Say = say("Accounts", "账户");
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
const WRONG_DAYS: Say = say(
    "A token is valid for 1 to 366 days: enter a whole number.",
    "令牌有效期为 1 至 366 天，请填写整数。",
);
const ACTION: Say = say("Change", "修改");

/// The longest life of a token, days.
const DAYS_AT_MOST: i64 = 366;

/// The accounts and tokens that this admin keeps.
pub async fn page(view: View) -> Result<Response, Oops> {
    show(&view, &FormOutcome::default()).await
}

/// What came of a form, shown above the tables.
#[derive(Default)]
struct FormOutcome<'a> {
    once: Option<ShownOnce>,
    /// Why a form was refused, and what had been typed into it; never a password.
    wrong: Option<(String, &'a Form)>,
}

impl FormOutcome<'_> {
    /// A field of the form that was refused: of that name, and of that row, if it is of a row.
    fn typed(&self, form: &str, row: Option<&str>, field: &str) -> Option<&str> {
        let (_, sent) = self.wrong.as_ref()?;
        let same = sent.get("do") == form && row.is_none_or(|name| sent.get("name") == name);
        same.then(|| sent.get(field))
    }

    fn role(&self, form: &str, row: Option<&str>, usual: Role) -> Role {
        self.typed(form, row, "role").and_then(Role::named).unwrap_or(usual)
    }
}

/// A new secret, and whose it is: no page shows it a second time.
struct ShownOnce {
    name: String,
    secret: String,
}

async fn show(view: &View, shown: &FormOutcome<'_>) -> Result<Response, Oops> {
    view.who.needs(Right::Accounts)?;
    let now = view.now;
    let known = view.api.accounts.with(move |book| Ok((book.accounts()?, book.tokens(now)?)));
    let (mut accounts, mut tokens) = known.await?;
    accounts.retain(|account| reaches(view, account.station.as_deref()));
    tokens.retain(|token| reaches(view, token.station.as_deref()));
    let stations = view.stations().await?;
    let content = html! {
        h1 { (view.say(TITLE)) }
        @if let Some((why, _)) = &shown.wrong { p.wrong role="alert" { (why) } }
        @if let Some(ShownOnce { name, secret }) = &shown.once {
            div.once role="status" {
                p { (name) ": " code.secret { (secret) } }
                p { (view.say(SHOWN_ONCE)) }
            }
        }
        (account_table(view, &accounts, &stations, shown))
        (account_form(view, &stations, shown))
        h2 { (view.say(TOKENS)) }
        (token_table(view, &tokens, &stations))
        (token_form(view, &stations, shown))
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

/// A role in the visitor's language.
pub const fn role_name(role: Role) -> Say {
    match role {
        Role::Viewer => say("viewer", "查看"),
        Role::Crew => say("crew", "队员"),
        Role::Officer => say("officer", "值班干部"),
        Role::DeviceManager => say("device manager", "设备管理员"),
        Role::Admin => say("admin", "管理员"),
    }
}

/// Id and name of each, as forms offer them.
type StationNames<'a> = &'a [(String, String)];

fn account_table(
    view: &View,
    accounts: &[Account],
    stations: StationNames<'_>,
    shown: &FormOutcome<'_>,
) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(TITLE)) {
            table.cards {
                thead { tr {
                    th { (view.say(words::NAME)) }
                    th { (view.say(ROLE)) " · " (view.say(words::STATION)) }
                    th { (view.say(ACTION)) }
                } }
                tbody { @for account in accounts { tr {
                    th scope="row" { (account.name) }
                    td { form.line method="post" action="/accounts" {
                        (view.proof())
                        input type="hidden" name="name" value=(account.name);
                        @let row = Some(&*account.name);
                        (role_select(view, shown.role("change", row, account.role)))
                        @let station = shown.typed("change", row, "station");
                        (station_select(view, stations, station.or(account.station.as_deref())))
                        button name="do" value="change" { (view.say(SAVE)) }
                    } }
                    td { form.line method="post" action="/accounts" {
                        (view.proof())
                        input type="hidden" name="name" value=(account.name);
                        button name="do" value="reset" data-sure=(sure(view, RESET, &account.name)) {
                            (view.say(RESET))
                        }
                        button.bad name="do" value="remove" data-sure=(sure(view, REMOVE, &account.name)) {
                            (view.say(REMOVE))
                        }
                    } }
                } } }
            }
        }
    }
}

/// Asked, where there are scripts, before somebody can't come in any more.
fn sure(view: &View, what: Say, whose: &str) -> String {
    format!("{}: {whose}?", view.say(what))
}

fn account_form(view: &View, stations: StationNames<'_>, shown: &FormOutcome<'_>) -> Markup {
    let typed = |field| shown.typed("add", None, field);
    html! {
        h2 { (view.say(NEW)) }
        form.stack method="post" action="/accounts" {
            (view.proof())
            label for="new-name" { (view.say(words::NAME)) }
            input #new-name name="name" required maxlength="48" autocomplete="off" value=[typed("name")];
            label for="new-password" { (view.say(PASSWORD)) }
            input #new-password name="password" type="password" required
                minlength=(PASSWORD_AT_LEAST) autocomplete="new-password";
            (role_select(view, shown.role("add", None, Role::Officer)))
            (station_select(view, stations, typed("station")))
            button name="do" value="add" { (view.say(ADD)) }
        }
    }
}

fn token_table(view: &View, tokens: &[Token], stations: StationNames<'_>) -> Markup {
    let name = |id: &str| {
        let found = stations.iter().find(|station| station.0 == id);
        found.map_or_else(|| id.to_owned(), |station| station.1.clone())
    };
    html! {
        ul.plainlist { @for token in tokens {
            li { form.line method="post" action="/accounts" {
                (view.proof())
                input type="hidden" name="id" value=(token.id);
                strong { (token.name) } " " (view.say(role_name(token.role))) " · "
                (token.station.as_deref().map_or_else(|| view.say(ALL_STATIONS).to_owned(), name)) " · "
                (view.say(MADE_BY)) " " (token.made_by) " · "
                (view.say(EXPIRES)) " " (view.moment(token.expires_at)) " "
                button.bad name="do" value="drop_token" data-sure=(sure(view, REMOVE, &token.name)) {
                    (view.say(REMOVE))
                }
            } }
        } }
    }
}

fn token_form(view: &View, stations: StationNames<'_>, shown: &FormOutcome<'_>) -> Markup {
    let typed = |field| shown.typed("make_token", None, field);
    html! {
        form.stack method="post" action="/accounts" {
            (view.proof())
            label for="token-name" { (view.say(words::NAME)) }
            input #token-name name="name" required maxlength="48" autocomplete="off"
                value=[typed("name")];
            label for="token-days" { (view.say(DAYS)) }
            input #token-days name="days" type="number" min="1" max=(DAYS_AT_MOST)
                value=(typed("days").unwrap_or("90"));
            (role_select(view, shown.role("make_token", None, Role::Viewer)))
            (station_select(view, stations, typed("station")))
            button name="do" value="make_token" { (view.say(NEW_TOKEN)) }
        }
    }
}

/// Why a form changed nothing.
enum NotDone {
    /// What was typed has to be corrected.
    Account(AccountError),
    /// A token was to last too long, or not at all.
    Days,
    /// Typing anew would not help.
    Oops(Oops),
}

impl From<AccountError> for NotDone {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

impl From<Problem> for NotDone {
    fn from(problem: Problem) -> Self {
        Self::Oops(problem.into())
    }
}

impl From<Oops> for NotDone {
    fn from(oops: Oops) -> Self {
        Self::Oops(oops)
    }
}

/// Takes any of the page's forms; the field `do` says which.
pub async fn change(view: View, sent: Form) -> Result<Response, Oops> {
    view.who.needs(Right::Accounts)?;
    let once = match done(&view, &sent).await {
        Ok(once) => once,
        Err(NotDone::Oops(oops)) => return Err(oops),
        Err(NotDone::Days) => return again(&view, view.say(WRONG_DAYS).to_owned(), &sent).await,
        Err(NotDone::Account(error)) => {
            let words = refused::account(view.lang, &error).ok_or(error)?;
            return again(&view, words, &sent).await;
        }
    };
    let [name, id, role, station] =
        ["name", "id", "role", "station"].map(|field| Box::from(sent.get(field)));
    let code = AuditCode::Account { name, id, role, station };
    view.api.did_as(&view.who, &format!("account_{}", sent.get("do")), code).await;
    match once {
        Some(once) => show(&view, &FormOutcome { once: Some(once), wrong: None }).await,
        None => Ok(Redirect::to("/accounts").into_response()),
    }
}

/// The page once more, with what had been typed.
async fn again(view: &View, why: String, sent: &Form) -> Result<Response, Oops> {
    let shown = FormOutcome { once: None, wrong: Some((why, sent)) };
    Ok((StatusCode::BAD_REQUEST, show(view, &shown).await?).into_response())
}

async fn done(view: &View, sent: &Form) -> Result<Option<ShownOnce>, NotDone> {
    let name = sent.get("name").to_owned();
    match sent.get("do") {
        "add" => add(view, sent).await,
        "change" => {
            let (role, station) = wanted(view, sent).await?;
            mine(view, &name).await?;
            let book = view.api.accounts.clone();
            book.with(move |book| book.change(&name, role, station.as_deref())).await?;
            Ok(None)
        }
        "reset" => reset(view, &name).await,
        "remove" => {
            mine(view, &name).await?;
            view.api.accounts.with(move |book| book.remove(&name)).await?;
            Ok(None)
        }
        "make_token" => make_token(view, sent).await,
        "drop_token" => {
            drop_token(view, sent.get("id")).await?;
            Ok(None)
        }
        _ => Err(Problem::bad_request("no such change: reload the page").into()),
    }
}

/// Role and station of a form, as far as this admin may give them.
async fn wanted(view: &View, sent: &Form) -> Result<(Role, Option<String>), NotDone> {
    let role = Role::named(sent.get("role"))
        .ok_or_else(|| Problem::bad_request("no such role: reload the page"))?;
    let station = Some(sent.get("station").to_owned()).filter(|station| !station.is_empty());
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
async fn mine(view: &View, name: &str) -> Result<(), NotDone> {
    let all = view.api.accounts.with(|book| book.accounts()).await?;
    let found = all.iter().find(|account| &*account.name == name);
    match found.filter(|account| reaches(view, account.station.as_deref())) {
        Some(_) => Ok(()),
        None => Err(Problem::unknown(Thing::Account, name).into()),
    }
}

async fn add(view: &View, sent: &Form) -> Result<Option<ShownOnce>, NotDone> {
    let (role, station) = wanted(view, sent).await?;
    let hash = view.api.accounts.hashed(sent.get("password").to_owned()).await?;
    let account = Account::new(sent.get("name").trim(), role, station.as_deref(), view.now);
    view.api.accounts.with(move |book| book.add(&account, &hash)).await?;
    Ok(None)
}

async fn reset(view: &View, name: &str) -> Result<Option<ShownOnce>, NotDone> {
    mine(view, name).await?;
    let entropy = view.api.accounts.entropy().clone();
    let fresh = move || standpipe_store::accounts::fresh_password(&entropy);
    let (password, hash) = tokio::task::spawn_blocking(fresh)
        .await
        .map_err(|_| Problem::part_down("the gateway is stopping: try again"))??;
    let of = name.to_owned();
    view.api.accounts.with(move |book| book.set_password(&of, &hash)).await?;
    Ok(Some(ShownOnce { name: name.to_owned(), secret: password }))
}

async fn make_token(view: &View, sent: &Form) -> Result<Option<ShownOnce>, NotDone> {
    let (role, station) = wanted(view, sent).await?;
    let days = sent.get("days").trim().parse::<i64>().ok();
    let days = days.filter(|days| (1..=DAYS_AT_MOST).contains(days)).ok_or(NotDone::Days)?;
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
    Ok(Some(ShownOnce { name, secret: text }))
}

async fn drop_token(view: &View, id: &str) -> Result<(), NotDone> {
    let now = view.now;
    let tokens = view.api.accounts.with(move |book| book.tokens(now)).await?;
    let found = tokens.into_iter().find(|token| token.id.to_string() == id);
    let found = found.filter(|token| reaches(view, token.station.as_deref()));
    let token = found.ok_or_else(|| Problem::unknown(Thing::Token, id))?;
    view.api.accounts.with(move |book| book.drop_token(token.id)).await?;
    Ok(())
}
