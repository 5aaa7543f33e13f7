//! `standpipe check --device` and `--against`: who would be told when, and what changes, in lines.
//!
//! What would happen is rehearsed in `standpipe_rules::incidents`; here it is only written down.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use standpipe_config::Config;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{
    Difference, Hears, Preview, Scene, conditions_of, differences, preview,
};
use standpipe_rules::registry::DeviceIx;
use standpipe_shared::Condition;

use super::Failure;
use super::check::Checked;

/// What is asked.
pub(super) struct PreviewQuestion<'a> {
    /// About which device; `None`: one of each station.
    pub(super) device: Option<&'a str>,
    /// Only this condition.
    pub(super) condition: Option<Condition>,
    /// Stations whose terminal is away.
    pub(super) away: BTreeSet<Box<str>>,
    pub(super) now: Ms,
}

/// Two configurations that are compared.
struct Versions<'a> {
    new: &'a Checked,
    old: &'a Checked,
}

/// The answer, or who is unknown.
pub(super) fn text(
    new: &Checked,
    old: Option<&Checked>,
    asked: &PreviewQuestion,
) -> Result<String, Failure> {
    let mut text = String::new();
    for station in &asked.away {
        if new.registry.station(station).is_none() {
            return Err(Failure::Configuration(format!("--away {station}: no such station")));
        }
    }
    match asked.device {
        Some(id) => one(&mut text, id, new, old, asked)?,
        None => {
            let old = old.ok_or_else(|| Failure::Configuration("--device or --against".into()))?;
            changes(&mut text, &Versions { new, old }, asked);
        }
    }
    Ok(text)
}

/// One device: each condition, then what changes.
fn one(
    text: &mut String,
    id: &str,
    new: &Checked,
    old: Option<&Checked>,
    asked: &PreviewQuestion,
) -> Result<(), Failure> {
    let unknown = || Failure::Configuration(format!("--device {id}: no such device"));
    let ix = new.registry.find(id).ok_or_else(unknown)?;
    let wanted = |condition: &Condition| asked.condition.is_none_or(|one| one == *condition);
    for condition in conditions_of(&new.registry, ix).filter(wanted) {
        let said = rehearse(new, ix, condition, asked);
        let _ = writeln!(text, "{id} {}: {}", condition.as_str(), head(&said, asked.now));
        for line in lines(&said, &new.config) {
            let _ = writeln!(text, "  {line}");
        }
        let Some(old) = old else { continue };
        let before = old.registry.find(id).map(|ix| rehearse(old, ix, condition, asked));
        let Some(before) = before else {
            let _ = writeln!(text, "  the other configuration does not know the device");
            continue;
        };
        for change in differences(&before, &said) {
            let _ = writeln!(text, "  changes: {}", difference(&change, &Versions { new, old }));
        }
    }
    if text.is_empty() {
        return Err(Failure::Configuration(format!(
            "--condition: it can't be true of {id}: leave it out to see what can"
        )));
    }
    Ok(())
}

/// Of every station one device: what is told otherwise, conditions that change alike together.
fn changes(text: &mut String, versions: &Versions<'_>, asked: &PreviewQuestion) {
    let Versions { new, old } = *versions;
    for station in new.registry.stations() {
        let mut seen = BTreeSet::new();
        let mut alike = BTreeMap::<Vec<String>, Vec<&str>>::new();
        for ix in new.registry.of_station(&station.id) {
            let Some(device) = new.registry.device(*ix) else { continue };
            if !seen.insert(device.kind.as_str()) {
                continue;
            }
            let before = old.registry.find(&device.id);
            let wanted =
                |condition: &Condition| asked.condition.is_none_or(|one| one == *condition);
            for condition in conditions_of(&new.registry, *ix).filter(wanted) {
                let Some(before) = before else { continue };
                let before = rehearse(old, before, condition, asked);
                let changed = differences(&before, &rehearse(new, *ix, condition, asked));
                let changed: Vec<_> =
                    changed.iter().map(|change| difference(change, versions)).collect();
                let names = alike.entry(changed).or_default();
                if !names.contains(&condition.as_str()) {
                    names.push(condition.as_str());
                }
            }
        }
        for (changed, conditions) in alike.into_iter().filter(|(changed, _)| !changed.is_empty()) {
            let _ = writeln!(text, "{} ({}): {}", station.id, station.name, conditions.join(", "));
            for line in changed {
                let _ = writeln!(text, "  {line}");
            }
        }
    }
    if text.is_empty() {
        text.push_str("nobody is told otherwise\n");
    }
}

fn rehearse(
    checked: &Checked,
    ix: DeviceIx,
    condition: Condition,
    asked: &PreviewQuestion,
) -> Preview {
    let (plan, registry) = (checked.config.plan(), &checked.registry);
    let (windows, away, now) = (&checked.windows, &asked.away, asked.now);
    preview(&Scene { plan: &plan, registry, windows, away, now }, ix, condition)
}

fn head(said: &Preview, now: Ms) -> String {
    let station = if said.station.is_empty() { "every district station" } else { &said.station };
    let mut text = format!("{}, {station}", said.severity.as_str());
    if let Some(muted) = &said.muted {
        let seconds = (muted.until - now) / 1_000;
        let _ = write!(text, "; muted for {seconds} s by {} of {}", muted.window, muted.by);
    }
    text
}

/// `at once …`, `after 60 s …`, then how it goes on.
fn lines(said: &Preview, config: &Config) -> Vec<String> {
    let mut moments = BTreeMap::<(i64, u8, bool), Vec<String>>::new();
    for page in &said.told {
        let moment = (page.after_s, page.step, page.again);
        moments.entry(moment).or_default().push(config.receiver(&page.receiver));
    }
    let mut lines: Vec<String> = moments
        .into_iter()
        .map(|((after, step, again), who)| {
            let when = if after == 0 { "at once".into() } else { format!("after {after} s") };
            let again = if again { " again" } else { "" };
            format!("{when} (step {step}{again}): {}", who.join(", "))
        })
        .collect();
    if lines.is_empty() {
        lines.push("listed, nobody is paged".to_owned());
    }
    lines.extend(said.every_s.map(|pause| format!("then all of them every {pause} s")));
    lines.extend(
        said.forgotten_s
            .map(|idle| format!("acknowledged, and nothing done for {idle} s: step 1 again")),
    );
    lines
}

fn difference(change: &Difference, Versions { new, old }: &Versions<'_>) -> String {
    let config = if change.after.is_some() { &new.config } else { &old.config };
    let (before, after) = (hears(change.before.as_ref()), hears(change.after.as_ref()));
    format!("{}: {before} → {after}", config.receiver(&change.receiver))
}

fn hears(hears: Option<&Hears>) -> String {
    let Some(Hears { at_s, every_s, forgotten_s }) = hears else { return "never".to_owned() };
    let at: Vec<String> = at_s.iter().map(|seconds| format!("{seconds} s")).collect();
    let mut text = format!("at {}", at.join(", "));
    if let Some(every) = every_s {
        let _ = write!(text, ", then every {every} s");
    }
    if let Some(idle) = forgotten_s {
        let _ = write!(text, ", idle {idle} s");
    }
    text
}
