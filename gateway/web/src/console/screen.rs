//! The fire screen: what fills every page while something loud waits for somebody.
//!
//! | question | answer |
//! |---|---|
//! | what is on it | a *queue*: every open fire, then every other open critical incident, that the station was paged about in its present episode; of each the oldest first, [`SHOWN`] at most, the rest counted |
//! | what is *under the hand* | one card of the queue, shown with all that is known; the oldest that nobody has answered, until somebody chooses another or answers it. What arrives is added to the list and takes no place away |
//! | what a button does | what it says, to the incident on its card, and nothing that was decided by what was not on the card: see [`super::incident`] |
//! | how one gets rid of it | answers it; silences it for a minute; or sets it aside (Escape), which leaves a red bar with count and age. Both hold on that screen alone, and end with anything new: an incident, an episode, a detector, a floor, more severe |
//! | what others took | leaves the queue, and is told on a bar with who took it |
//!
//! The server says what there is ([`part`]), the card under the hand with it, chosen by `hand`; what
//! is new, set aside, silent and focused is a matter of one screen, and `alarm.js` keeps it. Nothing
//! here asks how much is open: see `loud` in the store.

use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use standpipe_rules::incidents::{ActionKind, WireIncident};
use standpipe_shared::{Class, Severity};
use standpipe_store::accounts::Right;
use standpipe_store::views::board::{self as board_of, BoardRow};
use standpipe_store::views::evidence::of_incident;
use standpipe_store::views::loud::{self, COUNTED, LoudIncidents, SHOWN, TakenBy};

use super::board::place;
use super::incident::{act_form, evidence, hydrants, offered, water_note};
use super::layout;
use super::text::{Say, say, words};
use super::told;
use super::view::{Oops, View};
use crate::api::params::Params;

const TITLE: Say = say("Waiting for somebody", "待接警");
const ONE_FIRE: Say = say("fire", "起火警");
const FIRES: Say = say("fires", "起火警");
const CRITICAL: Say = say("critical", "件紧急");
const SILENCE: Say = say("Silence for a minute", "静音一分钟");
const ASIDE: Say = say("To the side", "移到一边");
const OPEN_IT: Say = say("All that is known", "查看详情");
const QUEUE: Say = say("All that waits", "待处理列表");
const MORE: Say = say("The first {} are here; all on the board", "仅列出前 {} 件，全部见值班台");
const MORE_THAN: Say = say("more than", "超过");
const TYPING: Say = say(
    "You are writing in a field behind this; nothing of it is lost. Esc comes back here.",
    "您正在后面的输入框中输入，内容不会丢失。按 Esc 返回此处。",
);
const WATER: Say = say("Water within 500 m", "500 米内水源");
const NO_WATER: Say = say("No hydrant is known near here.", "附近没有登记的消火栓。");
const EPISODE: Say = say("Episode", "第几次");
const EXERCISE: Say = say("EXERCISE", "演练");
const NO_FIRE: Say = say("there is no fire", "并无真实火情");
const TAKEN: Say = say("taken by", "已由其接警：");
const WATCHING: Say = say(
    "Your account may look, and not answer: call the station.",
    "您的账户只能查看，不能接警，请致电站点。",
);

/// What fills the screen, and the bars above the page.
pub async fn part(view: View, uri: Uri) -> Result<Response, Oops> {
    let hand = Params::read(&uri, &["hand"])?.text("hand")?;
    let (area, station, now) = (view.who.area.clone(), view.who.station.clone(), view.now);
    let read = view.api.store.read(move |db| {
        let found = loud::loud(db, &area, station.as_deref())?;
        let wanted =
            |row: &&BoardRow| hand.as_ref().is_some_and(|id| row.incident.id.to_string() == *id);
        let hand = found.open.iter().find(wanted).or(found.open.first()).cloned();
        let known = hand.as_ref().map(|row| of_incident(db, &row.incident, now)).transpose()?;
        Ok((found, hand.zip(known), board_of::exercise(db, &area)?))
    });
    let (found, hand, exercise) = read.await?;
    let content = html! {
        @if let Some(BoardRow { incident, station, .. }) = &exercise {
            p.drill #drill role="status" {
                strong { (view.say(EXERCISE)) } " · "
                a href={ "/incidents/" (incident.id) } { (view.lang.text(&incident.title)) } " · " (station)
                " · " (view.say(NO_FIRE))
            }
        }
        (taken(&view, &found))
        @if let Some((row, known)) = hand {
            @let known = evidence::judged(&view, &row.incident, known);
            (filled(&view, &found, (&row, &known)))
        }
    };
    Ok(content.into_response())
}

/// What others took, on a bar: it left the queue by itself.
fn taken(view: &View, found: &LoudIncidents) -> Markup {
    let others = |(_, by): &&(BoardRow, TakenBy)| by.actor != *view.who.name;
    let others: Vec<_> = found.taken.iter().filter(others).collect();
    html! {
        @if !others.is_empty() {
            div.banner.taken #taken role="status" {
                @for (row, by) in others.iter().take(3) {
                    p {
                        a href={ "/incidents/" (row.incident.id) } { (view.lang.text(&row.incident.title)) }
                        " · " (view.say(TAKEN)) " " strong { (by.by) } " · " (view.ago(by.at))
                    }
                }
                @if others.len() > 3 { p { a href="/" { "+ " (others.len() - 3) } } }
            }
        }
    }
}

/// The whole screen. Which card is under the hand, whoever looks chose.
fn filled(
    view: &View,
    found: &LoudIncidents,
    (row, known): (&BoardRow, &evidence::KnownFacts),
) -> Markup {
    let fire = found.open.iter().any(|row| row.incident.severity == Severity::Fire);
    let sound = if fire { "fire" } else { "critical" };
    let class = format!("screen takeover {}", row.incident.severity.as_str());
    html! {
        section #screen class=(class) role="dialog" aria-modal="true" aria-labelledby="hand-title"
            data-hand=(row.incident.id) data-sound=(sound) {
            div.over {
                h1 { (counted(view, found)) }
                button.quiet type="button" data-do="silence" { (view.say(SILENCE)) }
                button.quiet type="button" data-do="aside" {
                    (view.say(ASIDE)) " " kbd aria-hidden="true" { "Esc" }
                }
            }
            p.typing hidden { (view.say(TYPING)) }
            div.split {
                (card(view, row, known))
                ol.queue aria-label=(view.say(QUEUE)) {
                    @for waiting in &found.open { (queued(view, waiting, row)) }
                }
            }
            @if found.total > found.open.len() {
                p.more { a href="/" data-do="aside" { (view.say(MORE).replace("{}", &SHOWN.to_string())) } }
            }
        }
    }
}

/// How many of what.
fn counted(view: &View, found: &LoudIncidents) -> Markup {
    let fires = found.open.iter().filter(|row| row.incident.severity == Severity::Fire).count();
    let rest = found.open.len() - fires;
    html! {
        span.sr { (view.say(TITLE)) ": " }
        @if found.total > found.open.len() {
            @if found.total >= COUNTED { (view.say(MORE_THAN)) " " (COUNTED - 1) } @else { (found.total) }
            " · " (view.say(TITLE))
        } @else {
            @if fires > 0 { (fires) " " (view.say(if fires == 1 { ONE_FIRE } else { FIRES })) }
            @if fires > 0 && rest > 0 { " · " }
            @if rest > 0 { (rest) " " (view.say(CRITICAL)) }
        }
    }
}

/// One row of the queue. What of it is news, `alarm.js` sees by its data.
fn queued(view: &View, waiting: &BoardRow, hand: &BoardRow) -> Markup {
    let incident = &waiting.incident;
    let (under, place) = (incident.id == hand.incident.id, place(view, waiting).join(" · "));
    let floors = serde_json::to_string(&incident.floors).unwrap_or_default();
    let severity = u8::from(incident.severity == Severity::Fire);
    html! {
        li #{ "q-" (incident.id) } class=(incident.severity.as_str()) data-card=(incident.id)
            data-episode=(incident.episode) data-severity=(severity) data-detectors=(incident.detectors)
            data-floors=(floors) data-since=(incident.since) data-words=(view.lang.text(&incident.title))
            data-where=(place) {
            button.pick type="button" data-pick=(incident.id) aria-current=[under.then_some("true")] {
                (layout::sign(incident.severity))
                span { strong { (view.lang.text(&incident.title)) } " " span.where { (place) } }
                (view.ago(incident.since))
            }
        }
    }
}

/// The card under the hand: all that is known, without a click.
fn card(view: &View, row: &BoardRow, known: &evidence::KnownFacts) -> Markup {
    let incident = &row.incident;
    html! {
        article #{ "hand-" (incident.id) } .hand data-incident=(incident.id) {
            p.what {
                (layout::sign(incident.severity))
                span.sev { (view.say(words::severity(incident.severity))) }
                @if incident.episode > 1 { span.tag { (view.say(EPISODE)) " " (incident.episode) } }
            }
            h2 #hand-title tabindex="-1" { (view.lang.text(&incident.title)) }
            p.where { (place(view, row).join(" · ")) }
            (building(view, incident, known))
            p.since { (view.say(words::SINCE)) " " (view.since(incident.since)) " · " (view.ago(incident.since)) }
            div.acts {
                @for kind in offered(view, incident) { (act_form(view, incident, kind)) }
                a.button href={ "/incidents/" (incident.id) } data-do="aside" { (view.say(OPEN_IT)) }
            }
            @if !view.who.may(Right::Act(ActionKind::Acknowledge)) {
                p.note { (view.say(WATCHING)) }
            }
            (told::phone(view, &known.found))
            (told::told(view, &known.found))
            @if incident.class == Class::Fire {
                section.near aria-label=(view.say(WATER)) {
                    h3 { (view.say(WATER)) }
                    @match water_note(view, incident) {
                        Some(note) => { p { strong { (note) } } }
                        None if known.water.is_empty() => { p { (view.say(NO_WATER)) } }
                        None => {}
                    }
                    (hydrants(view, known))
                }
            }
        }
    }
}

/// Building, floors and detectors, as far as they are known.
fn building(view: &View, incident: &WireIncident, known: &evidence::KnownFacts) -> Markup {
    let device = known.found.device.as_ref().filter(|device| !device.building.is_empty());
    let burns = evidence::burns(view, incident);
    html! {
        @if device.is_some() || !burns.is_empty() {
            p.building {
                @if let Some(device) = device { strong { (device.building) } " " }
                (burns)
            }
        }
    }
}
