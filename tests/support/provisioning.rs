//! Grafana's provisioning files, as strictly as its documentation has them (Grafana 12, "Provision
//! Grafana" and "Use configuration files to provision alerting resources"): a key that it does not
//! name is a fault, and so is one that is missing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use crate::deployed::deploy;

/// `alerting/rules.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rules {
    pub api_version: u8,
    pub groups: Vec<RuleGroup>,
}

/// Rules that are asked together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RuleGroup {
    pub org_id: u32,
    pub name: String,
    /// Of the dashboards.
    pub folder: String,
    pub interval: String,
    pub rules: Vec<Rule>,
}

/// One alert.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rule {
    /// Its name for programs.
    pub uid: String,
    /// Its name for people.
    pub title: String,
    /// Which of `data` decides.
    pub condition: String,
    /// Questions, and what is made of their answers.
    pub data: Vec<RuleStep>,
    /// How long it must be true.
    pub r#for: String,
    /// What no answer means.
    pub no_data_state: NoData,
    /// What a failed question means.
    pub exec_err_state: OnFailure,
    /// What people are told.
    pub annotations: BTreeMap<String, String>,
}

/// What no answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "Grafana's own words")]
pub enum NoData {
    NoData,
    Alerting,
    #[serde(rename = "OK")]
    Ok,
    KeepLast,
}

/// What a failed question means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "Grafana's own words")]
pub enum OnFailure {
    Error,
    Alerting,
    #[serde(rename = "OK")]
    Ok,
    KeepLast,
}

/// A question, or what is made of the answers before it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RuleStep {
    pub ref_id: String,
    /// Who is asked; `__expr__`: Grafana itself.
    pub datasource_uid: String,
    /// The span it asks about, seconds ago.
    pub relative_time_range: Option<Range>,
    pub model: Value,
}

/// Seconds ago.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub from: u32,
    pub to: u32,
}

/// `datasources/influxdb.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Datasources {
    pub api_version: u8,
    pub datasources: Vec<Datasource>,
}

/// Where Grafana reads from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(missing_docs, reason = "Grafana's own words")]
pub struct Datasource {
    pub name: String,
    pub uid: String,
    pub r#type: String,
    pub access: String,
    pub url: String,
    pub is_default: bool,
    pub editable: bool,
    pub json_data: Value,
    pub secure_json_data: BTreeMap<String, String>,
}

/// `dashboards/standpipe.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Providers {
    pub api_version: u8,
    pub providers: Vec<Provider>,
}

/// Where dashboards come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(missing_docs, reason = "Grafana's own words")]
pub struct Provider {
    pub name: String,
    pub folder: String,
    pub folder_uid: String,
    pub r#type: String,
    pub disable_deletion: bool,
    pub allow_ui_updates: bool,
    pub update_interval_seconds: u32,
    pub options: BTreeMap<String, String>,
}

/// A file below `deploy/grafana/provisioning`.
///
/// # Panics
/// When it is not what it should be: says where.
#[must_use]
pub fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = deploy().join("grafana/provisioning").join(name);
    let text = std::fs::read_to_string(path).unwrap_or_else(|bad| panic!("{name}: {bad}"));
    let documents = YamlLoader::load_from_str(&text).unwrap_or_else(|bad| panic!("{name}: {bad}"));
    let [document] = &documents[..] else { panic!("{name}: {} documents", documents.len()) };
    serde_json::from_value(json(document)).unwrap_or_else(|bad| panic!("{name}: {bad}"))
}

fn json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Real(text) => text.parse::<f64>().map_or(Value::Null, Value::from),
        Yaml::Integer(number) => (*number).into(),
        Yaml::String(text) => text.clone().into(),
        Yaml::Boolean(flag) => (*flag).into(),
        Yaml::Array(items) => items.iter().map(json).collect(),
        Yaml::Hash(members) => {
            let name = |key: &Yaml| key.as_str().expect("a key that is a text").to_owned();
            Value::Object(members.iter().map(|(key, value)| (name(key), json(value))).collect())
        }
        Yaml::Alias(_) | Yaml::Null | Yaml::BadValue => Value::Null,
    }
}
