//! The wall: what waits and what is being handled, dark and large, for a screen that nobody touches. It
//! has no buttons, keeps the screen from going dark (Screen Wake Lock), and shows how old the chain's
//! heartbeat is. A browser that plays no sound before a key is pressed says so in a corner; how a kiosk
//! is started so that it does is in `deploy/README.md`.

use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use standpipe_rules::incidents::State;
use standpipe_shared::Severity;
use standpipe_store::views::board::{self as view_of, BoardRow};

use super::board::place;
use super::incident::{evidence, first_hydrant};
use super::layout;
use super::text::{Say, say, words};
use super::view::{Oops, View};

const TITLE: Say = say("Wall", "大屏");
const QUIET: Say = say("Nothing is open.", "目前没有警情。");
const OPEN: Say = say("open", "件未关闭");
const MORE: Say = say("more", "件未显示");
const HEARTBEAT: Say = say("Heartbeat: ", "心跳：");
const EXERCISE: Say = say("EXERCISE", "演练");

/// Rows that can be read from across a room.
const ROWS: usize = 12;

/// The page that hangs on a wall.
pub async fn page(view: View) -> Result<Response, Oops> {
    let rows = rows(&view).await?;
    let content = html! {
        h1.sr { (view.say(TITLE)) }
        div #wall data-from="/wall/now" data-on="incident" data-every="30" { (rows) }
        p.pulse {
            span.clock #clock aria-hidden="true" {} " "
            @if let Some(age) = view.api.health.chain.age(view.now) {
                (view.say(HEARTBEAT)) span data-beat="" { (view.lang.ago(age)) }
            }
        }
    };
    Ok(layout::wall(&view, view.say(TITLE), &content).into_response())
}

/// The rows alone, as they are now.
pub async fn part(view: View) -> Result<Markup, Oops> {
    rows(&view).await
}

async fn rows(view: &View) -> Result<Markup, Oops> {
    let area = view.who.area.clone();
    let open = view.api.store.read(move |db| view_of::open(db, &area)).await?;
    let shown = open.worst.get(..ROWS).unwrap_or(&open.worst);
    let left = open.total.saturating_sub(u32::try_from(shown.len()).unwrap_or(u32::MAX));
    // The board's order: what is loud and nobody has taken stands first.
    let first = open.worst.first().filter(|row| row.incident.state == State::Open);
    let sound = first.and_then(|row| match row.incident.severity {
        Severity::Fire => Some("fire"),
        Severity::Critical => Some("critical"),
        Severity::Warning | Severity::Notice => None,
    });
    Ok(html! {
        @if let Some(kind) = sound { span data-sound=(kind) hidden {} }
        @if open.total == 0 { p.quiet-board { (view.say(QUIET)) } }
        @else { p.count { strong { (open.total) } " " (view.say(OPEN)) } }
        ol.board { @for row in shown { (line(view, row)) } }
        @if left > 0 { p.count { "+ " (left) " " (view.say(MORE)) } }
    })
}

fn line(view: &View, row: &BoardRow) -> Markup {
    let incident = &row.incident;
    let class = format!("incident {} {}", incident.severity.as_str(), incident.state.as_str());
    html! {
        li class=(class) #{ "w-" (incident.id) } {
            div.what {
                (layout::sign(incident.severity))
                span.sev { (view.say(words::severity(incident.severity))) }
                @if incident.exercise { span.tag.exercise { (view.say(EXERCISE)) } }
                span.tag { (view.say(words::state(incident.state.as_str()))) }
                (view.ago(incident.since))
            }
            p.title { (view.lang.text(&incident.title)) }
            p.where {
                (place(view, row).join(" · "))
                @let burns = evidence::burns(view, incident);
                @if !burns.is_empty() { " · " (burns) }
            }
            @if let Some(water) = first_hydrant(view, incident) { p.water { (water) } }
        }
    }
}
