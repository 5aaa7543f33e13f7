//! Who would be notified when: a rehearsal for one device and condition, by the running
//! configuration and by one that an admin pastes, beside each other.
//!
//! What follows is rehearsed in `standpipe_rules::incidents`; here it is only shown. A pasted
//! configuration is read and never run: files that it names are not needed here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use standpipe_config::Config;
use standpipe_rules::changes::Receiver;
use standpipe_rules::incidents::{
    Difference, Hears, Preview, Scene, Window, conditions_of, differences, preview,
};
use standpipe_rules::registry::{Device, DeviceIx, Registry, Station};
use standpipe_shared::Condition;
use standpipe_store::accounts::{Area, Right};
use standpipe_store::views::routing;

use super::layout;
use super::text::{Say, say, words};
use super::view::{Form, Oops, View};
use crate::api::params::Params;
use crate::api::problem::Problem;

const TITLE: Say = say("Who is told", "通知预演");
const DEVICE: Say = say("Device", "设备");
const CONDITION: Say = say("Condition", "情况");
const AS_NOW: Say = say(
    "With the terminals that are there now, not with all",
    "按当前在线的终端预演，而非全部在线",
);
const CONFIG: Say = say("Another configuration (TOML), to compare", "用于比较的另一配置（TOML）");
const SHOW: Say = say("Rehearse", "预演");
const RUNNING: Say = say("As it runs", "当前配置");
const OTHER: Say = say("As pasted", "粘贴的配置");
const CHANGES: Say = say("What changes", "变化");
const SAME: Say = say("Nobody is told otherwise.", "通知没有变化。");
const NOBODY: Say = say("Listed; nobody is paged.", "仅列出，不通知任何人。");
const MUTED: Say = say("Muted until", "静默至");
const AFTER: Say = say("After", "时间");
const STEP: Say = say("Step", "步骤");
const WHO: Say = say("Who", "通知对象");
const AGAIN: Say = say("again", "重复");
const EVERY: Say = say("then all of them every", "此后全部每隔");
const IDLE: Say = say("acknowledged and nothing done: again after", "接警后无处置，再次通知间隔");
const DIGEST: Say = say("Daily digest of notices", "每日提示汇总");
const NO_DIGEST: Say = say("nobody", "无人接收");
const NO_DEVICE: Say = say("There is no device", "没有此设备：");
const FAULTS: Say = say("This configuration has faults", "该配置有误");

/// The form: of which device and condition, and by which configuration.
struct RehearsalForm {
    device: String,
    condition: Option<Condition>,
    as_now: bool,
    config: String,
}

/// Before anything is asked, or by a link.
pub async fn page(view: View, uri: Uri) -> Result<Response, Oops> {
    let params = Params::read(&uri, &["device", "condition"])?;
    let device = params.text("device")?.unwrap_or_default();
    let condition = params.text("condition")?.and_then(|name| name.parse().ok());
    show(&view, &RehearsalForm { device, condition, as_now: false, config: String::new() }).await
}

/// Takes the form, and rehearses.
pub async fn rehearse(view: View, sent: Form) -> Result<Response, Oops> {
    let asked = RehearsalForm {
        device: sent.get("device").trim().to_owned(),
        condition: sent.get("condition").parse().ok(),
        as_now: !sent.get("as_now").is_empty(),
        config: sent.get("config").to_owned(),
    };
    show(&view, &asked).await
}

async fn show(view: &View, asked: &RehearsalForm) -> Result<Response, Oops> {
    view.who.needs(Right::Accounts)?;
    if view.who.area != Area::All {
        return Err(Problem::not_allowed(view.who.role.as_str()).into());
    }
    let found = if asked.device.is_empty() { None } else { cast(view, asked).await? };
    let unknown = found.is_none() && !asked.device.is_empty();
    let content = html! {
        h1 { (view.say(TITLE)) }
        @if unknown { p.wrong role="alert" { (view.say(NO_DEVICE)) " " (asked.device) } }
        (form(view, asked))
        (digest(view))
        @if let Some(rehearsal) = &found { (result(view, asked, rehearsal)) }
    };
    let status = if unknown { StatusCode::NOT_FOUND } else { StatusCode::OK };
    Ok((status, layout::page(view, view.say(TITLE), &content)).into_response())
}

/// Who gets the digest of what pages nobody, by the running configuration.
fn digest(view: &View) -> Markup {
    let config = &view.api.config;
    html! {
        p.note {
            (view.say(DIGEST)) ": "
            @match config.digest_receivers() {
                None => (view.say(NO_DIGEST)),
                Some((at, who)) => {
                    (at.strftime("%H:%M").to_string()) " "
                    @for (n, receiver) in who.iter().enumerate() {
                        @if n > 0 { ", " }
                        (receiver.kind()) " " (receiver.name)
                        @if let Some(station) = &receiver.station { " (" (station) ")" }
                    }
                }
            }
        }
    }
}

fn form(view: &View, asked: &RehearsalForm) -> Markup {
    html! {
        form.stack.noprint method="post" action="/routing" {
            (view.proof())
            label for="device" { (view.say(DEVICE)) }
            input #device name="device" value=(asked.device) maxlength="48" required;
            label for="condition" { (view.say(CONDITION)) }
            select #condition name="condition" {
                option value="" { "—" }
                @for condition in Condition::ALL {
                    option value=(condition.as_str()) selected[asked.condition == Some(condition)] {
                        (view.say(words::condition(condition)))
                    }
                }
            }
            label.tick {
                input type="checkbox" name="as_now" value="1" checked[asked.as_now];
                (view.say(AS_NOW))
            }
            label for="config" { (view.say(CONFIG)) }
            textarea #config name="config" rows="8" spellcheck="false" { (asked.config) }
            button { (view.say(SHOW)) }
        }
    }
}

/// Who takes part: everything that the rehearsal of one device depends on.
struct Rehearsal {
    stations: Vec<Station>,
    /// The device first, then the other hydrants of its zone.
    devices: Vec<Device>,
    windows: Vec<Window>,
    away: BTreeSet<Box<str>>,
}

async fn cast(view: &View, asked: &RehearsalForm) -> Result<Option<Rehearsal>, Oops> {
    let id = asked.device.clone();
    let found = view.api.store.read(move |db| routing::cast(db, &id)).await?;
    Ok(found.map(|found| Rehearsal::of(found, asked)))
}

impl Rehearsal {
    fn of(found: routing::Cast, asked: &RehearsalForm) -> Self {
        let away = found.stations.iter().filter(|(_, online)| asked.as_now && !online);
        let away = away.map(|(station, _)| station.id.clone()).collect();
        let stations = found.stations.into_iter().map(|(station, _)| station).collect();
        // Here the device is the first of all, whatever place the store gave it.
        let mut windows = found.windows;
        for window in &mut windows {
            window.devices = [DeviceIx(0)].into();
        }
        Self { stations, devices: found.devices, windows, away }
    }

    /// A receiver by the name that people give it.
    fn called(&self, config: &Config, receiver: &Receiver) -> String {
        let called = |id: &str| {
            self.stations.iter().find(|station| &*station.id == id).map(|station| &*station.name)
        };
        match receiver {
            Receiver::Station(id) => match called(id).filter(|name| *name != &**id) {
                Some(name) => format!("{name} ({id})"),
                None => id.to_string(),
            },
            Receiver::Webhook(_) => config.receiver(receiver),
        }
    }

    fn rehearse(&self, config: &Config, of: Condition, view: &View) -> Option<Preview> {
        let mut registry = Registry::new(config.profiles());
        for station in &self.stations {
            registry.put_station(station.clone());
        }
        for device in &self.devices {
            registry.put_device(device.clone());
        }
        let ix = DeviceIx(0);
        let possible = conditions_of(&registry, ix).any(|condition| condition == of);
        let (plan, windows, away, now) = (config.plan(), &self.windows, &self.away, view.now);
        let scene = Scene { plan: &plan, registry: &registry, windows, away, now };
        possible.then(|| preview(&scene, ix, of))
    }
}

fn result(view: &View, asked: &RehearsalForm, rehearsal: &Rehearsal) -> Markup {
    let running = &view.api.config;
    let pasted = (!asked.config.trim().is_empty()).then(|| pasted(&asked.config));
    html! {
        @if let Some((_, faults)) = pasted.as_ref().filter(|pasted| !pasted.1.is_empty()) {
            section role="alert" {
                h2 { (view.say(FAULTS)) }
                ul { @for fault in faults { li lang="en" { (fault) } } }
            }
        }
        @for of in Condition::ALL {
            @if asked.condition.is_none_or(|condition| condition == of) {
                @if let Some(said) = rehearsal.rehearse(running, of, view) {
                    section {
                        h2 { (view.say(words::condition(of))) }
                        (table(view, rehearsal, RUNNING, running, &said))
                        @if let Some((other, _)) = &pasted {
                            @if let Some(new) = rehearsal.rehearse(other, of, view) {
                                (table(view, rehearsal, OTHER, other, &new))
                                (changes(view, rehearsal, running, other, &differences(&said, &new)))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What could be read of a pasted configuration, and what is wrong with it but for files, which
/// need not be here.
fn pasted(text: &str) -> (Config, Vec<String>) {
    match Config::parse(text, Path::new("pasted.toml"), None) {
        Ok(config) => (config, Vec::new()),
        Err(faults) => {
            let files = |key: &str| key.ends_with("_file") || key.starts_with("registry.");
            let told = faults.list.iter().filter(|fault| !files(&fault.key));
            let told = told.map(|fault| faults.line(fault)).collect();
            (*faults.rest, told)
        }
    }
}

fn table(
    view: &View,
    rehearsal: &Rehearsal,
    caption: Say,
    config: &Config,
    said: &Preview,
) -> Markup {
    let mut moments = BTreeMap::<(i64, u8, bool), Vec<String>>::new();
    for page in &said.told {
        let moment = (page.after_s, page.step, page.again);
        moments.entry(moment).or_default().push(rehearsal.called(config, &page.receiver));
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label=(view.say(caption)) {
            table {
                caption { (view.say(caption)) }
                thead { tr { @for head in [AFTER, STEP, WHO] { th { (view.say(head)) } } } }
                tbody { @for ((after, step, again), who) in &moments { tr {
                    td { (seconds(view, *after)) }
                    td { (step) @if *again { " " (view.say(AGAIN)) } }
                    td { (who.join(", ")) }
                } } }
            }
        }
        @if moments.is_empty() { p { (view.say(NOBODY)) } }
        @if let Some(muted) = &said.muted {
            p { (view.say(MUTED)) " " (view.moment(muted.until)) " (" (muted.by) ")" }
        }
        @if let Some(every) = said.every_s { p { (view.say(EVERY)) " " (seconds(view, every)) } }
        @if let Some(idle) = said.forgotten_s { p { (view.say(IDLE)) " " (seconds(view, idle)) } }
    }
}

fn changes(
    view: &View,
    rehearsal: &Rehearsal,
    old: &Config,
    new: &Config,
    changed: &[Difference],
) -> Markup {
    html! {
        h3 { (view.say(CHANGES)) }
        @if changed.is_empty() { p { (view.say(SAME)) } }
        ul { @for change in changed {
            @let config = if change.after.is_some() { new } else { old };
            li { (rehearsal.called(config, &change.receiver)) ": " (hears(view, change.before.as_ref())) " → "
                (hears(view, change.after.as_ref())) }
        } }
    }
}

fn hears(view: &View, hears: Option<&Hears>) -> String {
    let Some(Hears { at_s, every_s, forgotten_s }) = hears else { return "—".to_owned() };
    let at: Vec<String> = at_s.iter().map(|after_s| seconds(view, *after_s)).collect();
    let every = every_s.map(|every_s| format!(" ↻ {}", seconds(view, every_s))).unwrap_or_default();
    let idle =
        forgotten_s.map(|idle_s| format!(" ⏳ {}", seconds(view, idle_s))).unwrap_or_default();
    format!("{}{every}{idle}", at.join(", "))
}

/// As it stands in the configuration: seconds, however many.
fn seconds(view: &View, s: impl std::fmt::Display) -> String {
    format!("{s} {}", view.say(say("s", "秒")))
}
