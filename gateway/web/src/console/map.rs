//! The map: where everything is and how it is, drawn by `map.js` without tiles. A layer of lines
//! (GeoJSON) may lie beneath it.

use axum::Json;
use axum::response::Response;
use maud::html;
use serde::Serialize;
use standpipe_config::map_layer::MapLine;
use standpipe_shared::{Condition, Kind, Severity};
use standpipe_store::views::map::{self as places, DevicePlace, StationPlace};

use super::assets::MAP;
use super::layout;
use super::text::{Say, say, words};
use super::view::{Oops, View};
use crate::api::devices::set_of;

const TITLE: Say = say("Map", "地图");
const SAYS: Say = say(
    "Map of devices and stations. Arrow keys move, + and − zoom, 0 shows all. What is not well is listed below.",
    "设备与站点地图。方向键移动，+ 和 − 缩放，0 显示全部。异常设备列于下方。",
);
const CLOSER: Say = say("Closer", "放大");
const FARTHER: Say = say("Farther", "缩小");
const ALL: Say = say("All", "全部");
const FINE: Say = say("fine", "正常");
const SILENT: Say = say("silent", "失联");
const PRESENT: Say = say("station, somebody is there", "站点，有人值守");
const ABSENT: Say = say("station, nobody is there", "站点，无人值守");
const NOT_WELL: Say = say("In this picture, not well", "当前画面内的异常设备");

const SOME: Say = say("3 of the 12 here are not well", "此处 12 台，3 台异常");
/// Shapes of the legend, as `map.js` draws them.
const CIRCLE: &str = "M12 4 A8 8 0 1 1 11.9 4 Z";
const HOUSE: &str = "M3 21 V11 L12 2 L21 11 V21 Z";

/// How a device looks, worst last; `map.js` has the same list.
const FINE_LOOK: u8 = 0;
const SILENT_LOOK: u8 = 1;

/// The map; `map.js` fetches its points.
pub async fn page(view: View) -> Response {
    let legend = |severity| html! { span class=(Severity::as_str(severity)) { (layout::sign(severity)) (view.say(words::severity(severity))) } };
    let content = html! {
        h1.sr { (view.say(TITLE)) }
        div.map {
            canvas #map tabindex="0" role="img" aria-label=(view.say(SAYS)) {}
            div.zoom {
                button type="button" data-zoom="1.6" aria-label=(view.say(CLOSER)) { "+" }
                button type="button" data-zoom="0.625" aria-label=(view.say(FARTHER)) { "−" }
                button type="button" data-zoom="0" { (view.say(ALL)) }
            }
        }
        p.legend {
            span.fine { (layout::shape("dot", CIRCLE)) (view.say(FINE)) }
            span { (layout::shape("ring", CIRCLE)) (view.say(SILENT)) }
            @for severity in [Severity::Notice, Severity::Warning, Severity::Critical, Severity::Fire] { (legend(severity)) }
            span { (layout::shape("house", HOUSE)) (view.say(PRESENT)) }
            span { (layout::shape("house absent", HOUSE)) (view.say(ABSENT)) }
            span { strong { "3/12" } " " (view.say(SOME)) }
        }
        h2 { (view.say(NOT_WELL)) }
        ul #here .plainlist data-none=(view.say(words::NONE)) {}
    };
    layout::page_with(&view, view.say(TITLE), &[MAP], &content)
}

/// Everything that is drawn, JSON.
#[derive(Serialize)]
pub struct Points {
    points: Vec<Point>,
    /// Lines beneath: `[[lon, lat], …]` each.
    layer: Option<Vec<MapLine>>,
}

/// `h`ydrant, `d`etector or `s`tation; id; name; degrees north and east; how it looks.
type Point = (&'static str, String, String, f64, f64, u8);

/// Everything of the visitor's stations that has a place.
pub async fn points(view: View) -> Result<Json<Points>, Oops> {
    let area = view.who.area.clone();
    let layer = view.api.town.layer.clone();
    let points = view.api.store.read(move |db| {
        let mut all: Vec<Point> = places::devices(db, &area)?.into_iter().map(device).collect();
        all.extend(places::stations(db, &area)?.into_iter().map(station));
        Ok(Points { points: all, layer: layer.as_deref().map(<[_]>::to_vec) })
    });
    Ok(Json(points.await?))
}

fn device(place: DevicePlace) -> Point {
    let kind = match place.kind {
        Kind::Hydrant => "h",
        Kind::Smoke => "d",
    };
    (kind, place.id, place.name, place.lat, place.lon, look(place.conditions))
}

fn station(place: StationPlace) -> Point {
    ("s", place.id, place.name, place.lat, place.lon, u8::from(place.online))
}

/// By what is true of it; silence, and never heard, look alike: nobody knows.
fn look(conditions: Option<u32>) -> u8 {
    let Some(set) = conditions else { return SILENT_LOOK };
    let all = set_of(set);
    let worst = all
        .iter()
        .filter(|condition| **condition != Condition::Offline)
        .map(|condition| condition.severity())
        .max();
    match worst {
        Some(Severity::Fire) => 5,
        Some(Severity::Critical) => 4,
        Some(Severity::Warning) => 3,
        _ if all.contains(&Condition::Offline) => SILENT_LOOK,
        Some(Severity::Notice) => 2,
        None => FINE_LOOK,
    }
}

#[cfg(test)]
mod tests {
    use super::look;
    use standpipe_shared::Condition;

    #[test]
    #[rustfmt::skip] // a table
    fn a_device_looks_as_bad_as_the_worst_that_is_true_of_it() {
        let set = |all: &[Condition]| Some(all.iter().fold(0, |set, condition| set | condition.bit()));
        for (conditions, expected) in [
            (None, 1), (set(&[]), 0), (set(&[Condition::Offline]), 1),
            (set(&[Condition::BatteryLow]), 2), (set(&[Condition::BatteryLow, Condition::Offline]), 1),
            (set(&[Condition::LowPressure]), 3), (set(&[Condition::NoWater, Condition::Offline]), 4),
            (set(&[Condition::Smoke, Condition::NoWater]), 5),
        ] {
            assert_eq!(look(conditions), expected, "{conditions:?}");
        }
    }
}
