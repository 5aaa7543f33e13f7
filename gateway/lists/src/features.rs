//! GeoJSON, OpenStreetMap's exports (XML, and JSON of overpass), and lists of JSON objects → rows.
//!
//! A feature is a row, each of its properties a column. Of OpenStreetMap only hydrants are taken.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use crate::fault::{RowUnit, both};
use crate::table::{MAX_COLUMNS, MAX_ROWS, NoSheet, Sheet, SheetRow};

/// By these a hydrant is known among what OpenStreetMap has.
const TAG: &str = "emergency";
const HYDRANT: &str = "fire_hydrant";

/// One feature: its number, from 1, and its columns.
type Feature = (u64, Vec<(String, String)>);

/// GeoJSON, overpass's JSON, or a list of objects.
pub(crate) fn json(text: &str) -> Result<Sheet, NoSheet> {
    let value: Value = serde_json::from_str(text).map_err(|bad| NoSheet {
        line: bad.line().max(1) as u64,
        text: both(
            format!("JSON that can't be read ({bad}): export it again"),
            format!("JSON 无法读取（{bad}）：请重新导出"),
        ),
    })?;
    let member = |name: &str| value.get(name).and_then(Value::as_array);
    let numbered = |list: &[Value], one: fn(&Value) -> Vec<(String, String)>| -> Vec<Feature> {
        (1..).zip(list.iter().map(one)).collect()
    };
    if let Some(features) = member("features") {
        return Ok(sheet(numbered(features, geo_json), None));
    }
    if let Some(elements) = member("elements") {
        return Ok(hydrants(numbered(elements, overpass)));
    }
    match value.as_array() {
        Some(list) if list.iter().any(Value::is_object) => Ok(sheet(numbered(list, plain), None)),
        Some(_) | None => Err(NoSheet::new(
            "JSON without a list of features: export GeoJSON, or a list of objects",
            "JSON 中没有要素列表：请导出为 GeoJSON 或对象数组",
        )),
    }
}

fn geo_json(feature: &Value) -> Vec<(String, String)> {
    let mut columns = Vec::new();
    let point = feature.pointer("/geometry/coordinates").and_then(first_point);
    if let Some((lon, lat)) = point {
        columns.push(("lat".to_owned(), lat.to_string()));
        columns.push(("lon".to_owned(), lon.to_string()));
    }
    let properties = feature.get("properties").and_then(Value::as_object);
    let of_geometry = |name: &str| matches!(name, "lat" | "lon") && point.is_some();
    let properties = properties.into_iter().flatten().filter(|(name, _)| !of_geometry(name));
    columns.extend(properties.map(|(name, value)| (name.clone(), cell(value))));
    if !columns.iter().any(|(name, _)| name.eq_ignore_ascii_case("id"))
        && let Some(id) = feature.get("id")
    {
        columns.push(("id".to_owned(), cell(id)));
    }
    columns
}

/// The first place of a geometry.
fn first_point(coordinates: &Value) -> Option<(f64, f64)> {
    let list = coordinates.as_array()?;
    match (list.first()?.as_f64(), list.get(1).and_then(Value::as_f64)) {
        (Some(lon), Some(lat)) => Some((lon, lat)),
        _ => first_point(list.first()?),
    }
}

fn overpass(element: &Value) -> Vec<(String, String)> {
    let number = |name: &str| {
        let place = element.get(name).or_else(|| element.get("center")?.get(name))?;
        Some((name.to_owned(), cell(place)))
    };
    let mut columns: Vec<_> = ["lat", "lon"].into_iter().filter_map(number).collect();
    columns.extend(element.get("id").map(|id| ("@id".to_owned(), cell(id))));
    columns
        .extend(element.get("tags").and_then(Value::as_object).map(properties).unwrap_or_default());
    columns
}

fn plain(object: &Value) -> Vec<(String, String)> {
    object.as_object().map(properties).unwrap_or_default()
}

fn properties(members: &Map<String, Value>) -> Vec<(String, String)> {
    members.iter().map(|(name, value)| (name.clone(), cell(value))).collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// OpenStreetMap's XML.
pub(crate) fn xml(text: &str) -> Result<Sheet, NoSheet> {
    let mut reader = Reader::from_str(text);
    let (mut features, mut node): (Vec<Feature>, Option<Feature>) = (Vec::new(), None);
    let (mut is_osm, mut count) = (false, 0);
    loop {
        let event = reader.read_event().map_err(|bad| {
            let read = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let before = text.get(..read.min(text.len())).unwrap_or(text);
            let line = before.bytes().filter(|byte| *byte == b'\n').count() as u64 + 1;
            let en = format!("XML that can't be read ({bad}): export it again");
            NoSheet {
                line, text: both(en, format!("XML 无法读取（{bad}）：请重新导出"))
            }
        })?;
        match event {
            Event::Start(tag) if tag.name().as_ref() == "osm" => is_osm = true,
            Event::Start(tag) if is_osm && tag.name().as_ref() == "node" => {
                count += 1;
                node = Some((count, attributes(&tag, &["id", "lat", "lon"])));
            }
            Event::Empty(tag) if is_osm && tag.name().as_ref() == "node" => count += 1,
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "tag" => {
                if let Some((_, columns)) = &mut node {
                    columns.extend(key_and_value(&tag));
                }
            }
            Event::End(tag) if tag.name().as_ref() == "node" => features.extend(node.take()),
            Event::Start(_) | Event::Empty(_) if !is_osm => return Err(not_osm()),
            Event::Eof => break,
            Event::Start(_)
            | Event::End(_)
            | Event::Empty(_)
            | Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
    if is_osm { Ok(hydrants(features)) } else { Err(not_osm()) }
}

fn not_osm() -> NoSheet {
    NoSheet::new(
        "a web page or other XML: save the list as XLSX or CSV",
        "这是网页或其他 XML 文件：请将清单另存为 XLSX 或 CSV",
    )
}

fn attributes(tag: &BytesStart, names: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for attribute in tag.attributes().flatten() {
        let name = attribute.key.as_ref().to_owned();
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map(|value| value.into_owned())
            .unwrap_or_default();
        if names.contains(&name.as_str()) {
            found.push((name, value));
        }
    }
    found
}

fn key_and_value(tag: &BytesStart) -> Option<(String, String)> {
    let found = attributes(tag, &["k", "v"]);
    let of = |name: &str| found.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    Some((of("k")?, of("v")?))
}

/// Those of OpenStreetMap's elements that are hydrants.
fn hydrants(features: Vec<Feature>) -> Sheet {
    let all = features.len();
    let is = |(_, columns): &Feature| {
        columns.iter().any(|(name, value)| name == TAG && value == HYDRANT)
    };
    let hydrants: Vec<Feature> = features.into_iter().filter(is).collect();
    let others = all - hydrants.len();
    sheet(hydrants, (others > 0).then_some(others))
}

fn sheet(features: Vec<Feature>, others: Option<usize>) -> Sheet {
    let mut names: Vec<String> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut sheet = Sheet { unit: RowUnit::Item, named: true, ..Sheet::default() };
    for (_, columns) in &features {
        for (name, _) in columns {
            if !at.contains_key(name) && names.len() < MAX_COLUMNS {
                at.insert(name.clone(), names.len());
                names.push(name.clone());
            }
        }
    }
    let width = names.len();
    if width > 0 {
        sheet.rows.push(SheetRow::new(0, csv::StringRecord::from(names)));
    }
    for (number, columns) in features.into_iter().take(MAX_ROWS) {
        let mut fields = vec![String::new(); width];
        for (name, value) in columns {
            if let Some(field) = at.get(&name).and_then(|at| fields.get_mut(*at)) {
                *field = value;
            }
        }
        sheet.rows.push(SheetRow::new(number, csv::StringRecord::from(fields)));
    }
    sheet.notes.extend(others.map(|others| {
        both(
            format!("{others} elements that are no hydrants are left out"),
            format!("{others} 个要素不是消火栓，已略过"),
        )
    }));
    sheet
}

#[cfg(test)]
mod tests {
    use super::{json, xml};

    fn told(sheet: &super::Sheet) -> Vec<String> {
        let row = |row: &super::SheetRow| {
            format!("{}: {}", row.line, row.fields.iter().collect::<Vec<_>>().join("|"))
        };
        sheet.rows.iter().map(row).collect()
    }

    #[test]
    fn features_of_geo_json_are_rows() {
        let text = r#"{"type":"FeatureCollection","features":[
            {"type":"Feature","id":"h.609","geometry":{"type":"Point","coordinates":[106.5,29.4]},
             "properties":{"no":7,"lat":"wrong","name":null}},
            {"type":"Feature","geometry":{"type":"MultiPoint","coordinates":[[106.6,29.5],[1,2]]},
             "properties":{"id":200813,"owner":"VDM"}},
            {"type":"Feature","geometry":null,"properties":{"id":"x"}}]}"#;
        assert_eq!(
            told(&json(text).unwrap()),
            [
                "0: lat|lon|name|no|id|owner",
                "1: 29.4|106.5||7|h.609|",
                "2: 29.5|106.6|||200813|VDM",
                "3: ||||x|",
            ]
        );
    }

    #[test]
    fn hydrants_of_open_street_map_are_rows_and_nothing_else_is() {
        let overpass = r#"{"elements":[
            {"type":"node","id":1,"lat":29.4,"lon":106.5,"tags":{"emergency":"fire_hydrant","ref":"H7"}},
            {"type":"node","id":2,"lat":29.4,"lon":106.5,"tags":{"highway":"stop"}},
            {"type":"way","id":3,"center":{"lat":29.5,"lon":106.6},"tags":{"emergency":"fire_hydrant"}}]}"#;
        let expected = [
            "0: lat|lon|@id|emergency|ref",
            "1: 29.4|106.5|1|fire_hydrant|H7",
            "3: 29.5|106.6|3|fire_hydrant|",
        ];
        let sheet = json(overpass).unwrap();
        assert_eq!(told(&sheet), expected);
        assert_eq!(sheet.notes[0].en, "1 elements that are no hydrants are left out");

        let osm = "<?xml version=\"1.0\"?>\n<osm><node id=\"1\" lat=\"29.4\" lon=\"106.5\">\
                   <tag k=\"emergency\" v=\"fire_hydrant\"/><tag k=\"name\" v=\"A &amp; B\"/></node>\
                   <node id=\"2\" lat=\"1\" lon=\"2\"/>\
                   <node id=\"3\" lat=\"1\" lon=\"2\"><tag k=\"highway\" v=\"stop\"/></node></osm>";
        let expected = ["0: id|lat|lon|emergency|name", "1: 1|29.4|106.5|fire_hydrant|A & B"];
        assert_eq!(told(&xml(osm).unwrap()), expected);
    }

    #[test]
    fn what_has_no_features_says_what_it_is() {
        assert!(json("{\"a\":1}").unwrap_err().text.en.starts_with("JSON without"));
        let torn = json("[\n{\"id\":").unwrap_err();
        assert!(torn.line == 2 && torn.text.en.starts_with("JSON that can't be read"), "{torn:?}");
        assert!(xml("<html><table></table></html>").unwrap_err().text.en.starts_with("a web page"));
        assert!(xml("<osm><node id=\"1\"></osm>").is_err(), "torn");
    }
}
