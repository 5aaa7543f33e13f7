//! A bundle: the incidents that one message told of, each with its state, and one button that
//! acknowledges all of them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use standpipe_rules::incidents::ActionKind;
use standpipe_store::accounts::Right;
use standpipe_store::views::bundles::{BundledMember, members};

use super::devices::{BEFORE, NEXT};
use super::layout;
use super::text::{Say, say, words};
use super::view::{Form, Oops, View, pager};
use crate::api::ApiState;
use crate::api::body::UlidId;
use crate::api::bundles::{acknowledge, record};
use crate::api::params::Params;

const TITLE: Say = say("Told in one message", "合并通知");
const INCIDENTS: Say = say("incidents", "起警情");
const NOT_TAKEN: Say = say("not acknowledged", "起未接警");
const TO: Say = say("sent to", "接收方");
const TAKEN: Say = say("delivered", "已送达");
const ON_ITS_WAY: Say = say("not delivered yet", "尚未送达");
const NEWER: Say = say("newer messages stand for it", "已由较新的通知取代");
const GIVEN_UP: Say = say("not delivered", "未能送达");
const ALL: Say = say("Acknowledge all", "全部接警");
const WHAT: Say = say("Incident", "警情");
const STATE: Say = say("State", "状态");

/// `/bundles/{id}`: what one message told of, and a way to acknowledge all of it.
pub async fn page(view: View, UlidId(id): UlidId, uri: Uri) -> Result<Response, Oops> {
    let page = Params::read(&uri, &["page"])?.page()?;
    let record = record(&view.api, &view.who, &id).await?;
    let (area, of) = (view.who.area.clone(), id.clone());
    let found = view.api.store.read(move |db| members(db, &area, &of, page)).await?;
    let became = match (record.delivered_at, record.gave_up_at, record.superseded_at) {
        (Some(at), ..) => (TAKEN, Some(at)),
        (None, Some(at), _) => (GIVEN_UP, Some(at)),
        (None, None, Some(at)) => (NEWER, Some(at)),
        (None, None, None) => (ON_ITS_WAY, None),
    };
    let content = html! {
        h1 { (view.say(TITLE)) }
        p {
            strong { (found.total) } " " (view.say(INCIDENTS)) " · "
            strong { (record.open) } " " (view.say(NOT_TAKEN))
        }
        p.note {
            (view.moment(record.at)) " · " (view.say(TO)) " " (record.receiver) " · "
            (view.say(became.0)) @if let Some(at) = became.1 { " " (view.since(at)) }
        }
        @if record.open > 0 && view.who.may(Right::Act(ActionKind::Acknowledge)) {
            form.acts.noprint method="post" action={ "/bundles/" (id) } {
                (view.proof())
                button class="act acknowledge" { (view.say(ALL)) " (" (record.open) ")" }
            }
        }
        (table(&view, &found.items))
        @if found.pages > 1 { (pager(&view, TITLE, &found, [BEFORE, NEXT])) }
    };
    Ok(layout::page(&view, view.say(TITLE), &content))
}

fn table(view: &View, items: &[BundledMember]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(TITLE)) {
            table.cards {
                thead { tr {
                    @for head in [WHAT, words::STATION, STATE] { th scope="col" { (view.say(head)) } }
                } }
                tbody { @for member in items { tr {
                    td {
                        a href={ "/incidents/" (member.incident.id) } {
                            (view.lang.text(&member.incident.title))
                        }
                    }
                    td { (member.station) }
                    td { (view.say(words::state(member.incident.state.as_str()))) }
                } } }
            }
        }
    }
}

/// Somebody takes all of it in hand.
pub async fn act(
    State(_): State<Arc<ApiState>>,
    view: View,
    UlidId(id): UlidId,
    _: Form,
) -> Result<Response, Oops> {
    let by = Box::from(&*view.who.name);
    acknowledge(&view.api, &view.who, &id, (by, Box::default())).await?;
    Ok(Redirect::to(&format!("/bundles/{id}")).into_response())
}
