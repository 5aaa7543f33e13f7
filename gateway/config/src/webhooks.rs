//! `[[webhook]]`: receivers beside the stations' own topics. What a format's own keys mean is said by the
//! format (`standpipe_receivers::formats`); here they are read, and their faults get their place.

use std::path::Path;

use standpipe_receivers::{Carrier, KeyShape, OwnKeys, WebhookFormat, formats};
use standpipe_rules::incidents::ReceiverRole;
use standpipe_rules::pace::Pace;
use standpipe_rules::{HOUR_MS, MINUTE_MS, Ms};
use standpipe_shared::{Name, Severity};
use standpipe_trust::Authorities;

use super::named::{content, secret};
use super::section::{Notes, Section, whole};
use super::{ConfigFault, Webhook};

/// Messages of a pace: more than any receiver takes.
const PACE_MOST: usize = 10_000;
/// No address: RFC 2606, section 2.
const NOWHERE: &str = "http://unknown.invalid";
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
        let twice = |name: &str| webhooks.iter().any(|webhook| &*webhook.name == name);
        webhooks.extend(one(Section::new(key, Some(table)), item.span(), folder, twice, notes));
    }
    webhooks
}

fn one(
    section: Section,
    span: std::ops::Range<usize>,
    folder: &Path,
    twice: impl Fn(&str) -> bool,
    notes: &mut Notes,
) -> Option<Webhook> {
    let mut section = section; // for no longer than `address` lives
    let name = section.text("name", notes);
    match name {
        Some(name) if Name::plain(name).is_err() => {
            let text = "not a name: use 1 to 48 of A-Z, a-z, 0-9, _ and -";
            section.fault("name", text, notes);
        }
        Some(name) if twice(name) => {
            section.fault("name", "two webhooks of one name: change one of them", notes);
        }
        Some(_) => {}
        None if section.get("name", notes).is_none() => {
            let text = "missing: name it, pages are kept under that name";
            notes.absent(&span, section.key("name"), text);
        }
        None => {}
    }
    let station = section.text("station", notes).map(Box::from);
    let role = role(&mut section, notes);
    let severities = section.list("severities", "[\"fire\", \"critical\", …]", severity, notes);
    let steps = section.list("steps", "[1, 2, 3]", step, notes);
    let before = notes.faults.len();
    let token = secret(&mut section, "token_file", folder, notes);
    let address = section.text("url", notes).map_or_else(String::new, |text| {
        token
            .as_ref()
            .map_or_else(|| text.to_owned(), |token| text.replace("{token}", token.expose()))
    });
    let url = url(&section, &address, notes);
    if section.get("url", notes).is_none() {
        notes.absent(&span, section.key("url"), "missing: write http://… or https://…");
    }
    let secret = secret(&mut section, "secret_file", folder, notes);
    let trust = trust(&mut section, &address, folder, notes);
    let format = format(&mut section, &address, notes);
    let off = notes.faults.get(before..).and_then(<[_]>::first).map(off);
    let pace = pace(&mut section, notes);
    section.end(notes);
    let name = Box::from(name.filter(|name| Name::plain(name).is_ok() && !twice(name))?);
    // Where these are not known it is off, and nothing is sent there.
    let url = url.or_else(|| reqwest::Url::parse(NOWHERE).ok())?;
    let usual = || (formats::named(formats::DEFAULT)?.parse)(&mut OwnKeys::of(""));
    let format = format.or_else(usual)?;
    let pace = match (pace, format.facts().pace) {
        (Some((messages, within_ms)), usual) => Pace { messages, within_ms, ..usual },
        (None, usual) => usual,
    };
    Some(Webhook { name, station, role, severities, steps, url, secret, trust, format, pace, off })
}

/// What is wrong with a section, where it must be corrected before anything can be sent.
fn off(fault: &ConfigFault) -> Box<str> {
    let key = fault.key.rsplit('.').next().unwrap_or_default();
    format!("`{key}`: {}", fault.text).into()
}

/// By whom its certificate must be signed, where it has one of its own.
pub(super) fn trust(
    section: &mut Section,
    url: &str,
    folder: &Path,
    notes: &mut Notes,
) -> Option<Authorities> {
    let pem = content(section, "ca_file", folder, notes)?;
    if url.starts_with("http://") {
        let text = "means nothing: `url` is not encrypted, write https:// there";
        section.fault("ca_file", text, notes);
        return None;
    }
    Authorities::only(&pem).map_err(|why| section.fault("ca_file", why, notes)).ok()
}

/// The address; a fault does not show it, since part of it may be a secret.
fn url(section: &Section, text: &str, notes: &mut Notes) -> Option<reqwest::Url> {
    let url = reqwest::Url::parse(text).ok();
    let known = |url: &reqwest::Url| matches!(url.scheme(), "http" | "https" | "smtp" | "smtps");
    let url = url.filter(|url| known(url) && url.host().is_some());
    if url.is_none() && !text.is_empty() {
        section.fault("url", "not a web address: write http://… or https://…", notes);
    }
    url
}

/// What is sent, and whatever that needs. The keys of all formats are known, whichever is chosen.
fn format<'a>(section: &mut Section<'a>, url: &'a str, notes: &mut Notes) -> Option<WebhookFormat> {
    let name = section.text("format", notes).unwrap_or(formats::DEFAULT);
    let mut own = own_keys(section, url, notes);
    let format = formats::named(name);
    let carrier = format.map_or(Carrier::Http, |format| format.facts.carrier);
    if !url.is_empty() && Carrier::of(url) != carrier {
        section.fault("url", "of another format: mail is sent to smtp://… or smtps://…", notes);
    }
    let Some(format) = format else {
        let text = format!("no such format: write {}", formats::names());
        section.fault("format", text, notes);
        return None;
    };
    let parsed = (format.parse)(&mut own);
    for fault in own.into_faults() {
        section.fault(fault.key, fault.text, notes);
    }
    parsed
}

/// What this section has for the keys of formats.
fn own_keys<'a>(section: &mut Section<'a>, url: &'a str, notes: &mut Notes) -> OwnKeys<'a> {
    let mut own = OwnKeys::of(url);
    for key in formats::own_keys() {
        match key.shape {
            KeyShape::Text => {
                if let Some(text) = section.text(key.name, notes) {
                    own.put_text(key, text);
                }
            }
            KeyShape::List { wanted, is_good } => {
                let text = |value: &toml::de::DeValue| {
                    value.as_str().filter(|text| is_good(text)).map(Box::from)
                };
                own.put_list(key, section.list(key.name, wanted, text, notes));
            }
        }
    }
    own
}

/// `20/min`: so many messages within so many ms.
fn pace(section: &mut Section, notes: &mut Notes) -> Option<(usize, Ms)> {
    let text = section.text("pace", notes)?;
    let pace = text.split_once('/').and_then(|(messages, within)| {
        let within_ms = match within.trim() {
            "s" => 1_000,
            "min" => MINUTE_MS,
            "h" => HOUR_MS,
            _ => return None,
        };
        let messages = messages.trim().parse().ok()?;
        (1..=PACE_MOST).contains(&messages).then_some((messages, within_ms))
    });
    if pace.is_none() {
        section.fault("pace", "no pace: write \"20/min\", \"1/s\" or \"200/h\", at least 1", notes);
    }
    pace
}

fn role(section: &mut Section, notes: &mut Notes) -> ReceiverRole {
    let Some(text) = section.text("role", notes) else { return ReceiverRole::Officer };
    match text {
        "officer" => ReceiverRole::Officer,
        "chief" => ReceiverRole::Chief,
        "admin" => ReceiverRole::Admin,
        _ => {
            let text = "no such role: write \"officer\", \"chief\" or \"admin\"";
            section.fault("role", text, notes);
            ReceiverRole::Officer
        }
    }
}

fn severity(value: &toml::de::DeValue) -> Option<Severity> {
    let text = value.as_str()?;
    Severity::ALL.into_iter().find(|severity| severity.as_str() == text)
}

fn step(value: &toml::de::DeValue) -> Option<u8> {
    u8::try_from(whole(value)?).ok().filter(|step| STEPS.contains(step))
}
