//! Whether a panel can show what its questions were answered: the columns that its type, its options,
//! its transformations and its overrides speak of are there, and are of the right kind.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::influx::InfluxRow;

/// Why a panel can't show these answers, one a question; `None`: it can.
#[must_use]
pub fn unshowable(panel: &Value, answers: &[Vec<InfluxRow>]) -> Option<String> {
    let shown = panel["type"].as_str().unwrap_or_default();
    let rows: Vec<&InfluxRow> = answers.iter().flatten().collect();
    let fault = match shown {
        "timeseries" => times(panel, &rows),
        "stat" => stat(&rows),
        "table" => table(panel, &rows),
        "geomap" => map(panel, answers),
        other => Some(format!("nobody knows how `{other}` looks")),
    };
    fault.or_else(|| units(panel, &rows))
}

/// The columns of a row, without those that Flux puts in front of every row.
fn columns(row: &InfluxRow) -> BTreeSet<&str> {
    let own = |name: &&str| !["", "result", "table", "_start", "_stop"].contains(name);
    row.keys().map(String::as_str).filter(own).collect()
}

/// What a column holds, if it is a number.
fn number(row: &InfluxRow, column: &str) -> Option<f64> {
    row.get(column)?.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Whether a row has a moment.
fn timed(row: &InfluxRow) -> bool {
    row.get("_time").is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok())
}

/// Names that overrides of a panel speak of.
fn named(panel: &Value) -> Vec<&str> {
    let overrides = panel["fieldConfig"]["overrides"].as_array().into_iter().flatten();
    let by_name = overrides.filter(|rule| rule["matcher"]["id"] == "byName");
    by_name.filter_map(|rule| rule["matcher"]["options"].as_str()).collect()
}

/// Moments, each with one number; what names the lines is there.
fn times(panel: &Value, rows: &[&InfluxRow]) -> Option<String> {
    let label = panel["fieldConfig"]["defaults"]["displayName"].as_str().unwrap_or_default();
    let label = label.strip_prefix("${__field.labels.").and_then(|name| name.strip_suffix('}'));
    for row in rows {
        // A value is not text that happens to look like a number: labels of lines are no values.
        let text = ["device", "station", "zone", "severity", "queue", "lane", "step", "township"];
        let mut values = columns(row).into_iter().filter(|column| !text.contains(column));
        if !timed(row) || !values.any(|column| number(row, column).is_some()) {
            return Some(format!("not a time with a number: {row:?}"));
        }
        if let Some(label) = label.filter(|label| row.get(*label).is_none_or(String::is_empty)) {
            return Some(format!("no `{label}` to name the line by: {row:?}"));
        }
    }
    let there = |name: &&str| {
        rows.iter().any(|row| {
            row.contains_key(*name) || row.get("_field").is_some_and(|field| field == name)
        })
    };
    let gone = named(panel).into_iter().find(|name| !there(name));
    gone.map(|name| format!("nothing is called `{name}`"))
}

/// One number a row, beside what names it.
fn stat(rows: &[&InfluxRow]) -> Option<String> {
    for row in rows {
        let numbers =
            columns(row).into_iter().filter(|column| number(row, column).is_some()).count();
        if numbers != 1 {
            return Some(format!("{numbers} numbers: {row:?}"));
        }
    }
    None
}

/// The columns that are named for people, and no others.
fn table(panel: &Value, rows: &[&InfluxRow]) -> Option<String> {
    let wanted: BTreeSet<&str> = named(panel).into_iter().collect();
    let wrong = rows.iter().find(|row| columns(row) != wanted)?;
    Some(format!("columns {:?}, not {wanted:?}", columns(wrong)))
}

/// Places on earth that are joined with what colours them.
fn map(panel: &Value, answers: &[Vec<InfluxRow>]) -> Option<String> {
    let by = panel.pointer("/transformations/0/options/byField").and_then(Value::as_str);
    let layer = &panel["options"]["layers"][0];
    let word = |at: &str| layer.pointer(at).and_then(Value::as_str);
    let (Some(by), Some(lat), Some(lon), Some(colour)) = (
        by,
        word("/location/latitude"),
        word("/location/longitude"),
        word("/config/style/color/field"),
    ) else {
        return Some("no places, or no colour".into());
    };
    let with =
        |column: &str| answers.iter().find(|rows| rows.iter().all(|row| row.contains_key(column)));
    let (Some(places), Some(colours)) = (with(lat), with(colour)) else {
        return Some(format!("no answer has all `{lat}`, or all `{colour}`"));
    };
    let within = |row: &InfluxRow, column: &str, most: f64| {
        number(row, column).is_some_and(|value| value.abs() <= most)
    };
    if let Some(row) = places.iter().find(|row| !within(row, lat, 90.0) || !within(row, lon, 180.0))
    {
        return Some(format!("no place on earth: {row:?}"));
    }
    if let Some(row) = colours.iter().find(|row| number(row, colour).is_none()) {
        return Some(format!("no `{colour}`: {row:?}"));
    }
    let keys =
        |rows: &[InfluxRow]| rows.iter().filter_map(|row| row.get(by).cloned()).collect::<Vec<_>>();
    let (placed, coloured) = (keys(places), keys(colours));
    let unique: BTreeSet<&String> = placed.iter().collect();
    if placed.len() != places.len() || unique.len() != placed.len() {
        return Some(format!("not one row a `{by}`"));
    }
    let astray = coloured.iter().find(|key| !unique.contains(key));
    astray.map(|key| format!("`{key}` has a colour and no place"))
}

/// What has a unit is a number, or is empty; at least one is there.
fn units(panel: &Value, rows: &[&InfluxRow]) -> Option<String> {
    for custom in panel["fieldConfig"]["overrides"].as_array().into_iter().flatten() {
        let mut properties = custom["properties"].as_array().into_iter().flatten();
        if custom["matcher"]["id"] != "byName"
            || !properties.any(|property| property["id"] == "unit")
        {
            continue;
        }
        let name = custom["matcher"]["options"].as_str().unwrap_or_default();
        let filled = rows.iter().filter(|row| row.get(name).is_some_and(|value| !value.is_empty()));
        let (mut any, mut wrong) = (false, None);
        for row in filled {
            any = true;
            wrong = wrong.or_else(|| number(row, name).is_none().then_some(row));
        }
        if !any || wrong.is_some() {
            return Some(format!("`{name}` is no number: {wrong:?}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::unshowable;
    use crate::influx::InfluxRow;
    use serde_json::{Value, json};

    fn row(columns: &[(&str, &str)]) -> InfluxRow {
        let own = columns.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        own.chain([("result".into(), "_result".into()), ("table".into(), "0".into())]).collect()
    }

    fn over(name: &str, property: &str) -> Value {
        json!({"matcher": {"id": "byName", "options": name}, "properties": [{"id": property}]})
    }

    #[test]
    fn a_panel_shows_what_it_speaks_of_and_nothing_else() {
        let lines = json!({"type": "timeseries", "fieldConfig": {
            "defaults": {"displayName": "${__field.labels.lane}"}, "overrides": []}});
        let band =
            json!({"type": "timeseries", "fieldConfig": {"overrides": [over("max", "unit")]}});
        let stat = json!({"type": "stat", "fieldConfig": {"overrides": []}});
        let table = json!({"type": "table", "fieldConfig": {"overrides": [
            over("device", "displayName"), over("s", "unit")]}});
        let map = json!({"type": "geomap", "fieldConfig": {"overrides": []},
            "transformations": [{"options": {"byField": "device"}}],
            "options": {"layers": [{"location": {"latitude": "lat", "longitude": "lon"},
                "config": {"style": {"color": {"field": "kpa"}}}}]}});
        let at = ("_time", "2026-11-23T20:00:00Z");
        let place = |device, lat| row(&[("device", device), ("lat", lat), ("lon", "106.5")]);
        let kpa = |device, kpa| row(&[("device", device), ("kpa", kpa)]);
        for (story, panel, answers, good) in [
            ("a line", &lines, vec![vec![row(&[at, ("_value", "1"), ("lane", "alarm")])]], true),
            ("no time", &lines, vec![vec![row(&[("_value", "1"), ("lane", "alarm")])]], false),
            ("no value", &lines, vec![vec![row(&[at, ("lane", "2"), ("_value", "")])]], false),
            ("no label", &lines, vec![vec![row(&[at, ("_value", "1")])]], false),
            ("its band", &band, vec![vec![row(&[at, ("max", "1")])]], true),
            ("no band", &band, vec![vec![row(&[at, ("min", "1")])]], false),
            ("a number", &stat, vec![vec![row(&[("severity", "fire"), ("open", "2")])]], true),
            ("two numbers", &stat, vec![vec![row(&[("a", "1"), ("open", "2")])]], false),
            ("no number", &stat, vec![vec![row(&[("severity", "fire"), ("open", "")])]], false),
            ("its columns", &table, vec![vec![row(&[("device", "D"), ("s", "3")])]], true),
            ("one is missing", &table, vec![vec![row(&[("device", "D"), ("_value", "3")])]], false),
            ("one more", &table, vec![vec![row(&[("device", "D"), ("s", "3"), ("x", "")])]], false),
            ("a unit of words", &table, vec![vec![row(&[("device", "D"), ("s", "soon")])]], false),
            ("a place", &map, vec![vec![place("D", "29")], vec![kpa("D", "3")]], true),
            ("off the earth", &map, vec![vec![place("D", "291")], vec![kpa("D", "3")]], false),
            ("another's colour", &map, vec![vec![place("D", "29")], vec![kpa("E", "3")]], false),
            ("no colour", &map, vec![vec![place("D", "29")], vec![kpa("D", "")]], false),
            ("twice", &map, vec![vec![place("D", "29"); 2], vec![kpa("D", "3")]], false),
            ("no places", &map, vec![vec![kpa("D", "3")]], false),
        ] {
            let fault = unshowable(panel, &answers);
            assert_eq!(fault.is_none(), good, "{story}: {fault:?}");
        }
    }
}
