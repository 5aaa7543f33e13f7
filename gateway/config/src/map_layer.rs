//! What lies beneath the map (`http.map_file`): the lines of a GeoJSON file.

use std::path::Path;

use standpipe_machine::small_file;

/// The largest layer, bytes.
const LAYER_AT_MOST: u64 = 4 * 1024 * 1024;

/// A line beneath the map: degrees east, degrees north.
pub type MapLine = Vec<(f64, f64)>;

/// The lines of a GeoJSON file, whatever they are inside of.
///
/// # Errors
/// What is wrong with the file, and what to do.
pub fn layer(path: &Path) -> Result<Vec<MapLine>, String> {
    let told = |why: String| format!("{} {why}: give a GeoJSON of lines or areas", path.display());
    let text = small_file::read(path, LAYER_AT_MOST);
    let text = text.map_err(|bad| told(format!("can't be read ({bad})")))?;
    let json = serde_json::from_slice(&text).map_err(|bad| told(format!("is no JSON ({bad})")))?;
    let mut lines = Vec::new();
    gather(&json, &mut lines);
    if lines.is_empty() { Err(told("has no line".to_owned())) } else { Ok(lines) }
}

/// Every list of positions there is in it.
fn gather(json: &serde_json::Value, lines: &mut Vec<MapLine>) {
    use serde_json::Value;
    match json {
        Value::Array(list) => {
            let position = |point: &Value| Some((point.get(0)?.as_f64()?, point.get(1)?.as_f64()?));
            let line: Option<Vec<_>> = list.iter().map(position).collect();
            match line.filter(|points| points.len() > 1) {
                Some(line) => lines.push(line),
                None => list.iter().for_each(|value| gather(value, lines)),
            }
        }
        Value::Object(map) => map.values().for_each(|value| gather(value, lines)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::layer;

    #[test]
    fn a_layer_is_the_lines_of_a_geojson() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("roads.json");
        let text = r#"{"type":"FeatureCollection","features":[
            {"geometry":{"type":"LineString","coordinates":[[106.5,29.4],[106.6,29.5]]}},
            {"geometry":{"type":"Polygon","coordinates":[[[1,2],[3,4],[1,2]]]}}]}"#;
        std::fs::write(&file, text).unwrap();
        let lines = layer(&file).unwrap();
        assert_eq!(
            lines,
            [vec![(106.5, 29.4), (106.6, 29.5)], vec![(1.0, 2.0), (3.0, 4.0), (1.0, 2.0)]]
        );
        std::fs::write(&file, "{}").unwrap();
        assert!(layer(&file).unwrap_err().contains("has no line: give a GeoJSON"));
    }
}
