//! `[profile.NAME]`: a built-in profile with some of its numbers changed.
//!
//! The keys are the fields of [`Profile`]; a new field is a new key without a line here.

use standpipe_rules::registry::MAX_INTERVAL_S;
use standpipe_rules::registry::Profile;
use standpipe_rules::registry::profile::built_in;
use standpipe_shared::Name;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::section::{Notes, Section, unknown, whole};

/// All profiles of the file.
pub(super) fn all(section: Section, notes: &mut Notes) -> Vec<(Box<str>, Profile)> {
    let mut profiles = Vec::new();
    for (key, value) in section.entries() {
        let name = key.get_ref().as_ref();
        let full = section.key(name);
        if Name::plain(name).is_err() {
            let text = "not a name: use 1 to 48 of A-Z, a-z, 0-9, _ and -";
            notes.at(key.span(), full, text);
        } else if let Some(table) = value.get_ref().as_table() {
            if let Some(profile) = one(name, &full, table, notes) {
                profiles.push((Box::from(name), profile));
            }
        } else {
            notes.at(value.span(), full, format!("not a section: write [profile.{name}]"));
        }
    }
    profiles
}

/// One profile; what is wrong in it stays as in its base.
fn one(name: &str, full: &str, table: &DeTable, notes: &mut Notes) -> Option<Profile> {
    let (profile, based) = base(name, full, table, notes);
    let mut numbers = Table::try_from(&profile).ok()?;
    let known: Vec<String> = numbers.keys().cloned().collect();
    let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
    known.push("base");
    notes.known.extend(known.iter().map(|key| format!("profile.{key}")));
    let mut unread = Vec::new();
    for (key, value) in table.iter() {
        let name = key.get_ref().as_ref();
        let full = format!("{full}.{name}");
        if name == "base" {
            continue;
        }
        if !known.contains(&name) {
            unknown(&full, name, key.span(), &known, notes);
            continue;
        }
        let mut changed = numbers.clone();
        let fits = plain(value.get_ref()).is_some_and(|value| {
            changed.insert(name.to_owned(), value);
            changed.clone().try_into::<Profile>().is_ok()
        });
        if fits {
            numbers = changed;
        } else {
            let like = numbers.get(name).map(Value::to_string).unwrap_or_default();
            notes.at(value.span(), full, format!("of the wrong kind: write it like {like}"));
            unread.push(name);
        }
    }
    let profile: Profile = numbers.try_into().ok()?;
    // What the file meant here is not known, so no contradiction is reported.
    let known = |key: &str| !unread.contains(&key) && (based || table.contains_key(key));
    for (key, other, text) in contradictions(&profile) {
        let full = format!("{full}.{key}");
        match table.get(key) {
            _ if !known(key) || !other.is_none_or(known) => {}
            Some(value) => notes.at(value.span(), full, text),
            None => notes.missing(full, text),
        }
    }
    Some(profile)
}

/// What the profile starts from: `base`, the built-in one of its own name, or `municipal`; and
/// whether the file names one that there is.
fn base(name: &str, full: &str, table: &DeTable, notes: &mut Notes) -> (Profile, bool) {
    let mut built_in = built_in();
    let municipal = Profile::default_of(standpipe_shared::Kind::Hydrant);
    let Some(value) = table.get("base") else {
        return (built_in.remove(name).unwrap_or_else(|| municipal.clone()), true);
    };
    let found = value.get_ref().as_str().and_then(|name| built_in.remove(name));
    if let Some(found) = found {
        return (found, true);
    }
    let mut names: Vec<_> = super::profiles::built_in().into_keys().collect();
    names.sort();
    let text = format!("no such profile: write one of {}", names.join(", "));
    notes.at(value.span(), format!("{full}.base"), text);
    (municipal.clone(), false)
}

/// A number or flag of the file; no infinities.
fn plain(value: &DeValue) -> Option<Value> {
    if let Some(flag) = value.as_bool() {
        return Some(Value::Boolean(flag));
    }
    if let Some(number) = whole(value) {
        return Some(Value::Integer(number));
    }
    let number: f64 = value.as_float()?.as_str().parse().ok()?;
    let fits = number.abs() <= f64::from(f32::MAX);
    fits.then_some(Value::Float(number))
}

/// A key whose number cannot be, the one that it contradicts, and what to do.
type Contradiction = (&'static str, Option<&'static str>, String);

/// Limits that would raise for ever or never clear.
fn contradictions(profile: &Profile) -> Vec<Contradiction> {
    let mut list = Vec::new();
    let mut under = |low: (&'static str, f32), high: (&'static str, f32)| {
        if low.1 >= high.1 {
            let text = format!("not over {} = {}: change one of them", low.0, low.1);
            list.push((high.0, Some(low.0), text));
        }
    };
    under(
        ("no_water_kpa", profile.no_water_kpa),
        ("no_water_clear_kpa", profile.no_water_clear_kpa),
    );
    under(("no_water_kpa", profile.no_water_kpa), ("min_kpa", profile.min_kpa));
    under(("min_kpa", profile.min_kpa), ("max_kpa", profile.max_kpa));
    under(("tilt_clear_deg", profile.tilt_clear_deg), ("tilt_deg", profile.tilt_deg));
    under(("freezing_c", profile.freezing_c), ("freezing_clear_c", profile.freezing_clear_c));
    under(("loop_min_ma", profile.loop_min_ma), ("loop_max_ma", profile.loop_max_ma));
    under(("dirt_clear_pct", profile.dirt_clear_pct), ("dirt_pct", profile.dirt_pct));
    if !(1..=MAX_INTERVAL_S).contains(&profile.interval_s) {
        list.push(("interval_s", None, format!("out of range: write 1 to {MAX_INTERVAL_S}")));
    }
    if profile.offline_intervals == 0 {
        let text = "never heard in time: write 1 or more".to_owned();
        list.push(("offline_intervals", None, text));
    }
    for (key, readings) in [
        ("stuck_readings", profile.stuck_readings),
        ("battery_readings", profile.battery_readings.into()),
        ("smoke_readings", profile.smoke_readings.into()),
    ] {
        if readings == 0 {
            list.push((key, None, "no reading at all: write 1 or more".to_owned()));
        }
    }
    for (key, margin) in [
        ("low_clear_margin_kpa", profile.low_clear_margin_kpa),
        ("high_clear_margin_kpa", profile.high_clear_margin_kpa),
        ("smoke_db_m", profile.smoke_db_m),
        ("heat_rise_c_per_min", profile.heat_rise_c_per_min),
    ] {
        if margin < 0.0 {
            list.push((key, None, "below zero: write 0 or more".to_owned()));
        }
    }
    list
}
