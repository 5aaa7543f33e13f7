//! The fleet: which firmware runs where, which models there are, why devices started, which of
//! them lost messages or have a fault of their storage. Each number opens the list of those devices.

use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};

use super::layout;
use super::text::{Say, say, words};
use super::view::{Oops, View, escaped};
use crate::api::fleet::{FleetGroupJson, read};
use crate::api::params::Params;

const TITLE: Say = say("Fleet", "设备概况");
const ABOUT: Say = say(
    "What devices said of themselves when they last started.",
    "各设备最近一次启动时上报的信息。",
);
const DEVICES: Say = say("Devices", "设备数");
const FIRMWARE: Say = say("Firmware", "固件版本");
const MODEL: Say = say("Model", "型号");
const RESET: Say = say("Reason of the last start", "最近启动原因");
const LOST: Say = say("Lost messages", "丢失消息");
const MESSAGES: Say = say("Messages", "消息数");
const STORAGE: Say = say("Storage", "存储器状态");
const NOT_SAID: Say = say("not said", "未上报");
const NEVER_SAID: Say = say("never said anything of themselves", "从未上报自身信息");
const ALL: Say = say("devices in all", "台设备");

/// What the devices run, and how they fare.
pub async fn page(view: View, uri: Uri) -> Result<Response, Oops> {
    Params::read(&uri, &[])?;
    let fleet = read(&view.api, view.who.area.clone(), None).await?;
    let content = html! {
        h1 { (view.say(TITLE)) }
        p.note { (view.say(ABOUT)) }
        p {
            a href="/devices" { strong { (fleet.devices) } " " (view.say(ALL)) }
            @if fleet.none > 0 {
                " · " a href="/devices?status=none" {
                    strong { (fleet.none) } " " (view.say(NEVER_SAID))
                }
            }
        }
        div.forms {
            (table(&view, FIRMWARE, &fleet.firmware, |group| link("firmware", group)))
            (table(&view, MODEL, &fleet.model, |group| link("model", group)))
            (table(&view, RESET, &fleet.reset, |group| link("reset", group)))
            (table(&view, STORAGE, &fleet.storage, |group| link("storage", group)))
            section {
                h2 { (view.say(LOST)) }
                @if fleet.lost.devices == 0 { p { (view.say(words::NONE)) } } @else {
                    p {
                        a href="/devices?status=lost" {
                            (view.say(DEVICES)) ": " strong { (fleet.lost.devices) }
                        }
                        " · " (view.say(MESSAGES)) ": " (fleet.lost.messages)
                    }
                }
            }
        }
    };
    Ok(layout::page(&view, view.say(TITLE), &content))
}

/// The list of the devices that say this; those that say nothing have a name of their own.
fn link(column: &str, group: &FleetGroupJson) -> String {
    match &group.value {
        Some(value) => format!("/devices?{column}={}", escaped(value)),
        None => format!("/devices?status=no_{column}"),
    }
}

fn table(
    view: &View,
    of: Say,
    groups: &[FleetGroupJson],
    link: impl Fn(&FleetGroupJson) -> String,
) -> Markup {
    html! {
        section {
            h2 { (view.say(of)) }
            @if groups.is_empty() { p { (view.say(words::NONE)) } } @else {
                table.figures.named {
                    thead { tr { th scope="col" { (view.say(of)) } th scope="col" { (view.say(DEVICES)) } } }
                    tbody { @for group in groups { tr {
                        th scope="row" { (value(view, of, group)) }
                        td { a href=(link(group)) aria-label={ (value(view, of, group)) ": " (group.devices) } {
                            (group.devices)
                        } }
                    } } }
                }
            }
        }
    }
}

fn value<'a>(view: &View, of: Say, group: &'a FleetGroupJson) -> &'a str {
    match group.value.as_deref() {
        None => view.say(NOT_SAID),
        Some(code) if of == RESET => words::reset(code).map_or(code, |words| view.say(words)),
        Some(code) if of == STORAGE => words::storage(code).map_or(code, |words| view.say(words)),
        Some(value) => value,
    }
}
