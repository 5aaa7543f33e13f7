//! One request: who asks, in which language, from where, and when; what they sent; and what they
//! read when it can't be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use standpipe_rules::Ms;
use standpipe_store::accounts::same;
use standpipe_store::views::{self, PageOf};

use super::refused::RefusedPage;
use super::text::{Lang, Say, chosen, clock, day, machine, stamp};
use crate::api::ApiState;
pub use crate::api::body::escaped;
use crate::api::problem::Problem;
use crate::api::who::{By, Who};

/// Sent by our scripts: they want a part of a page, and no other page instead.
pub const LIVE: &str = "x-live";

/// One visitor's request, and what every page needs to answer it.
pub struct View {
    pub api: Arc<ApiState>,
    pub who: Who,
    pub lang: Lang,
    /// Path and query of the page.
    pub here: String,
    /// The moment of the request.
    pub now: Ms,
}

impl FromRequestParts<Arc<ApiState>> for View {
    type Rejection = Oops;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<ApiState>) -> Result<Self, Oops> {
        let who = parts.extensions.get::<Who>().cloned().ok_or_else(Problem::unauthorized)?;
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let lang = chosen(&parts.headers, api.town.language);
        Ok(Self { api: Arc::clone(api), who, lang, here, now: api.clock.now() })
    }
}

impl View {
    /// A text in the visitor's language.
    #[must_use]
    pub const fn say(&self, words: Say) -> &'static str {
        self.lang.of_say(words)
    }

    /// A moment as people write it, in the district's zone.
    pub fn moment(&self, at: Ms) -> Markup {
        html! { time datetime=(machine(at)) { (stamp(at, &self.api.town.zone)) } }
    }

    /// The time of day of a moment.
    pub fn clock(&self, at: Ms) -> Markup {
        html! { time datetime=(machine(at)) { (clock(at, &self.api.town.zone)) } }
    }

    /// The time of day of a moment, with its date where that is not today's.
    pub fn since(&self, at: Ms) -> Markup {
        let zone = &self.api.town.zone;
        if day(at, zone) == day(self.now, zone) { self.clock(at) } else { self.moment(at) }
    }

    /// How long ago; goes on by itself where there are scripts.
    pub fn ago(&self, at: Ms) -> Markup {
        html! {
            time.ago datetime=(machine(at)) title=(stamp(at, &self.api.town.zone))
                data-ago=(at) { (self.lang.ago(self.now - at)) }
        }
    }

    /// The visitor's stations, to choose from: id and name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn stations(&self) -> Result<Vec<(String, String)>, Oops> {
        let area = self.who.area.clone();
        let list = self.api.store.read(move |db| views::stations::names(db, &area));
        Ok(list.await?)
    }

    /// What proves that a form is ours.
    pub fn proof(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.who.csrf()); }
    }
}

/// A form somebody sent, with the proof that it is ours.
pub struct Form(BTreeMap<String, String>);

impl FromRequest<Arc<ApiState>> for Form {
    type Rejection = Oops;

    async fn from_request(request: Request, api: &Arc<ApiState>) -> Result<Self, Oops> {
        let who = request.extensions().get::<Who>().cloned();
        let form = Self::unproven(request, api).await?;
        let who = who.ok_or_else(Problem::unauthorized)?;
        match who.by {
            By::Session { csrf } | By::ThisMachine { csrf } if !same(&csrf, form.get("csrf")) => {
                Err(Problem::no_proof().into())
            }
            By::Session { .. } | By::ThisMachine { .. } | By::Token => Ok(form),
        }
    }
}

impl Form {
    /// A form of somebody who is not signed in yet.
    ///
    /// # Errors
    /// 400 when it is none.
    pub async fn unproven(request: Request, api: &Arc<ApiState>) -> Result<Self, Oops> {
        let form = axum::Form::<Vec<(String, String)>>::from_request(request, api).await;
        let axum::Form(pairs) = form.map_err(|bad| {
            Problem::bad_request(format!("the form can't be read ({bad}): send it again"))
        })?;
        Ok(Self(pairs.into_iter().collect()))
    }

    /// The value of a field; empty where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// Whether a form that needs no session comes from our own page: browsers say where it is from.
#[must_use]
pub fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or("");
    text(header::ORIGIN)
        .is_none_or(|origin| origin.split_once("://").is_some_and(|(_, from)| from == host))
}

/// A path of ours to go to, or the board: never another site's.
#[must_use]
pub fn ours(path: &str) -> &str {
    let plain = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\n']);
    if plain { path } else { "/" }
}

/// The same address on another page of its list.
#[must_use]
pub fn with_page(here: &str, page: u32) -> String {
    let (path, query) = here.split_once('?').unwrap_or((here, ""));
    let others = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page="));
    let mut query: Vec<String> = others.map(str::to_owned).collect();
    query.push(format!("page={page}"));
    format!("{path}?{}", query.join("&"))
}

/// Links to the pages before and behind this one of a list, in `words` for these two.
#[must_use]
pub fn pager<T>(view: &View, title: Say, found: &PageOf<T>, words: [Say; 2]) -> Markup {
    let [before, behind] = words;
    html! {
        nav.pages aria-label=(view.say(title)) {
            @if found.page > 1 {
                a.button rel="prev" href=(with_page(&view.here, found.page - 1)) { (view.say(before)) }
            }
            span { (found.page) " / " (found.pages) }
            @if u64::from(found.page) < found.pages {
                a.button rel="next" href=(with_page(&view.here, found.page + 1)) { (view.say(behind)) }
            }
        }
    }
}

/// The page of a device, whatever its id.
#[must_use]
pub fn device_path(id: &str) -> String {
    format!("/devices/{}", escaped(id))
}

/// A page that could not be made.
pub struct Oops(Problem);

impl<T: Into<Problem>> From<T> for Oops {
    fn from(problem: T) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Oops {
    /// Without words yet: which language they are in is for [`spoken`] to say.
    fn into_response(self) -> Response {
        let mut response = self.0.status().into_response();
        response.extensions_mut().insert(RefusedPage::from(&self.0));
        response
    }
}

/// Says what was refused in the language of whoever asked.
pub async fn spoken(State(api): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let lang = chosen(request.headers(), api.town.language);
    let response = next.run(request).await;
    match response.extensions().get::<RefusedPage>() {
        Some(refused) => refused.page(lang),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{escaped, is_ours, ours, with_page};

    #[test]
    fn nobody_is_sent_to_another_site() {
        for (path, to) in [
            ("/devices?q=a", "/devices?q=a"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("", "/"),
        ] {
            assert_eq!(ours(path), to, "{path}");
        }
        assert_eq!(with_page("/labels?q=a&page=2", 3), "/labels?q=a&page=3");
        assert_eq!(with_page("/labels", 2), "/labels?page=2");
        assert_eq!(escaped("/devices?q=火&a=b c"), "/devices%3Fq%3D%E7%81%AB%26a%3Db%20c");
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_form_of_another_site_is_known_by_its_origin() {
        for (origin, good) in [
            (None, true), (Some("http://desk:8080"), true), (Some("https://desk:8080"), true),
            (Some("http://desk"), false), (Some("http://evil.example"), false), (Some("null"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("desk:8080"));
            origin.map(|origin| headers.insert(header::ORIGIN, HeaderValue::from_static(origin)));
            assert_eq!(is_ours(&headers), good, "{origin:?}");
        }
    }
}
