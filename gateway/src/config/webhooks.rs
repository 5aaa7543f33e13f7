//! `[[webhook]]`: receivers beside the stations' own topics.

use std::path::Path;

use standpipe_rules::incidents::Role;
use standpipe_shared::{Name, Severity};
use toml::de::DeTable;

use super::read::{secret, web_url};
use super::section::{Notes, Section, whole};
use super::{Format, Webhook};

/// Steps of escalation.
const STEPS: std::ops::RangeInclusive<u8> = 1..=3;

/// All webhooks; their names tell them apart.
pub(super) fn all(root: &mut Section, folder: &Path, notes: &mut Notes) -> Vec<Webhook> {
    let Some(value) = root.get("webhook", notes) else { return Vec::new() };
    let Some(items) = value.get_ref().as_array() else {
        root.fault("webhook", "not a list of sections: write [[webhook]]", notes);
        return Vec::new();
    };
    let mut webhooks: Vec<Webhook> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let key = format!("webhook[{}]", at + 1);
        let Some(table) = item.get_ref().as_table() else {
            notes.at(item.span(), key, "not a section: write [[webhook]]");
            continue;
        };
        let twice = |name: &str| webhooks.iter().any(|it| &*it.name == name);
        webhooks.extend(one(key, table, (item.span(), folder), twice, notes));
    }
    webhooks
}

fn one<'a>(
    key: String,
    table: &'a DeTable<'a>,
    (span, folder): (std::ops::Range<usize>, &Path),
    twice: impl Fn(&str) -> bool,
    notes: &mut Notes,
) -> Option<Webhook> {
    let mut section = Section::new(key, Some(table));
    let name = section.text("name", notes);
    match name {
        Some(name) if Name::new(name).is_err() => {
            let text = "not a name: use 1 to 48 of A-Z, a-z, 0-9, _ and -";
            section.fault("name", text, notes);
        }
        Some(name) if twice(name) => {
            section.fault("name", "two webhooks of one name: change one of them", notes);
        }
        Some(_) => {}
        None if table.get("name").is_none() => {
            let text = "missing: name it, pages are kept under that name";
            notes.absent(&span, section.key("name"), text);
        }
        None => {}
    }
    let station = section.text("station", notes).map(Box::from);
    let role = role(&mut section, notes);
    let severities = section.list("severities", "[\"fire\", \"critical\", …]", severity, notes);
    let steps = section.list("steps", "[1, 2, 3]", step, notes);
    let url = web_url(&mut section, "url", notes);
    if table.get("url").is_none() {
        notes.absent(&span, section.key("url"), "missing: write http://… or https://…");
    }
    let secret = secret(&mut section, "secret_file", folder, notes);
    let format = match section.text("format", notes) {
        Some("json") | None => Format::Json,
        Some("cap") => {
            section.fault("format", "CAP is not sent by this version: write \"json\"", notes);
            Format::Cap
        }
        Some(_) => {
            section.fault("format", "no such format: write \"json\"", notes);
            Format::Json
        }
    };
    section.end(notes);
    let name = Box::from(name?);
    Some(Webhook { name, station, role, severities, steps, url: url?, secret, format })
}

fn role(section: &mut Section, notes: &mut Notes) -> Role {
    let Some(text) = section.text("role", notes) else { return Role::Officer };
    match text {
        "officer" => Role::Officer,
        "chief" => Role::Chief,
        "admin" => Role::Admin,
        _ => {
            let text = "no such role: write \"officer\", \"chief\" or \"admin\"";
            section.fault("role", text, notes);
            Role::Officer
        }
    }
}

fn severity(value: &toml::de::DeValue) -> Option<Severity> {
    let text = value.as_str()?;
    Severity::ALL.into_iter().find(|it| it.as_str() == text)
}

fn step(value: &toml::de::DeValue) -> Option<u8> {
    u8::try_from(whole(value)?).ok().filter(|it| STEPS.contains(it))
}
