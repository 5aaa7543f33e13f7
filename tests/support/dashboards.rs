//! The dashboards of `deploy/grafana`, and their queries with Grafana's variables replaced as
//! Grafana replaces them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::deployed::deploy;

/// One question of a dashboard or rule.
#[derive(Clone, Debug)]
pub struct DashboardQuestion {
    /// The dashboard and panel it belongs to.
    pub of: String,
    /// What shows it: `timeseries`, `table` …, `variable`, `annotation` or `rule`.
    pub shown: String,
    /// The query, as it is in the file.
    pub flux: String,
    /// The panel it is of, counted from 0; `None`: of no panel.
    pub panel: Option<usize>,
}

/// A span to ask about, as Grafana writes it into a query.
#[derive(Clone, Debug)]
pub struct QuestionSpan {
    /// In RFC 3339.
    pub start: String,
    /// In RFC 3339.
    pub stop: String,
    /// How wide a pixel is, such as `60000ms`.
    pub window: String,
}

/// A dashboard's file.
#[derive(Clone, Debug)]
pub struct Dashboard {
    pub name: String,
    /// How many lines the file has.
    pub lines: usize,
    /// The file's content.
    pub json: Value,
}

/// All dashboards.
///
/// # Panics
/// When a file can't be read, or is no JSON.
#[must_use]
pub fn all() -> Vec<Dashboard> {
    let folder = deploy().join("grafana/dashboards");
    let mut files: Vec<_> = std::fs::read_dir(&folder).expect("dashboards").flatten().collect();
    files.sort_by_key(std::fs::DirEntry::path);
    let read = |entry: &std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(entry.path()).expect("a dashboard");
        let json = serde_json::from_str(&text).unwrap_or_else(|bad| panic!("{name}: {bad}"));
        Dashboard { name, lines: text.lines().count(), json }
    };
    files.iter().map(read).collect()
}

fn items<'a>(of: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    of.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

fn text(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}

impl Dashboard {
    /// The questions of its panels and annotations.
    #[must_use]
    pub fn questions(&self) -> Vec<DashboardQuestion> {
        let mut all = Vec::new();
        let name = &self.name;
        for (n, panel) in items(&self.json, "/panels").enumerate() {
            for target in items(panel, "/targets") {
                let of = format!("{name}: {} {}", text(panel, "title"), text(target, "refId"));
                let (shown, flux) = (text(panel, "type"), text(target, "query"));
                all.push(DashboardQuestion { of, shown, flux, panel: Some(n) });
            }
        }
        for annotation in items(&self.json, "/annotations/list") {
            let (of, flux) = (
                format!("{name}: {}", text(annotation, "name")),
                text(&annotation["target"], "query"),
            );
            all.push(DashboardQuestion { of, shown: "annotation".into(), flux, panel: None });
        }
        all
    }

    /// Its variables, each asked for in turn with those before it: name → what it stands for, as
    /// with everything chosen of those that take several, and the first of those that take one.
    ///
    /// # Panics
    /// When one has no value.
    pub fn variables(
        &self,
        mut ask: impl FnMut(DashboardQuestion) -> Vec<String>,
    ) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for variable in items(&self.json, "/templating/list") {
            let name = text(variable, "name");
            let of = format!("{}: ${name}", self.name);
            let flux = replaced(&text(variable, "query"), &values);
            let shown = "variable".into();
            let found = ask(DashboardQuestion { of: of.clone(), shown, flux, panel: None });
            assert!(!found.is_empty(), "{of} stands for nothing");
            let value = match (variable["multi"].as_bool(), variable["allValue"].as_str()) {
                (Some(true), Some(all)) => all.to_owned(),
                (Some(true), None) => format!("({})", found.join("|")),
                _ => found[0].clone(),
            };
            values.insert(name, value);
        }
        values
    }
}

/// A query with these variables in their places.
#[must_use]
pub fn replaced(flux: &str, variables: &BTreeMap<String, String>) -> String {
    variables.iter().fold(flux.to_owned(), |flux, (name, value)| {
        flux.replace(&format!("${{{name}:regex}}"), value).replace(&format!("${{{name}}}"), value)
    })
}

/// A query about a span.
#[must_use]
pub fn about(flux: &str, span: &QuestionSpan) -> String {
    flux.replace("v.timeRangeStart", &span.start)
        .replace("v.timeRangeStop", &span.stop)
        .replace("v.windowPeriod", &span.window)
}
