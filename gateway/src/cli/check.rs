//! `standpipe check`: everything that is wrong, and who would be told of what; every key there is;
//! or whether a running gateway is ready. One device's rehearsal is in [`super::preview`].

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use standpipe_config::{Config, keys};
use standpipe_machine::clock::Clock;
use standpipe_machine::output::complain;
use standpipe_rules::changes::Receiver;
use standpipe_rules::incidents::{Plan, Steps, Window, rehearse};
use standpipe_rules::registry::Registry;
use standpipe_shared::{Condition, Severity};

use super::gateway::{GatewayArgs, word};
use super::preview::{self, PreviewQuestion};
use super::{Failure, config, files};
use crate::registry_files;

/// Reads configuration and registry; says all that is wrong, and who would be paged for what.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct CheckArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", group = "what")]
    config: Option<PathBuf>,
    /// Say what changes for whom, compared with this configuration.
    #[arg(long, value_name = "FILE", requires = "config")]
    against: Option<PathBuf>,
    /// Say who would be told when about this device.
    #[arg(long, value_name = "ID", requires = "config")]
    device: Option<String>,
    /// Only of this condition, such as no_water.
    #[arg(long, value_name = "NAME", requires = "config")]
    condition: Option<Condition>,
    /// This station's terminal is away; may be said more than once.
    #[arg(long, value_name = "STATION", requires = "config")]
    away: Vec<String>,
    /// Print every key of a configuration with its default and unit instead.
    #[arg(long, group = "what")]
    settings: bool,
    /// Ask a running gateway whether it can do its work instead.
    #[arg(long, group = "what")]
    ready: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Says all that is wrong, or who would be paged.
///
/// # Errors
/// [`Failure::Configuration`] when anything is wrong; [`Failure::Failed`] when the gateway is not
/// ready.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    if let Some(file) = &args.config {
        let new = Checked::read(file)?;
        let old = args.against.as_deref().map(Checked::read).transpose()?;
        let asked = PreviewQuestion {
            device: args.device.as_deref(),
            condition: args.condition,
            away: args.away.iter().map(|station| station.as_str().into()).collect(),
            now: Clock::new().now(),
        };
        if asked.device.is_none() && old.is_none() {
            super::say(&told(&new.config.plan(), &new.registry));
            super::say(&digest(&new.config));
            return Ok(());
        }
        super::say(&preview::text(&new, old.as_ref(), &asked)?);
        return Ok(());
    }
    if args.ready {
        super::say(&ready(&args.gateway.gateway()?.ready()?)?);
    } else {
        super::say(&keys::page());
    }
    Ok(())
}

/// `/readyz` in lines.
fn ready(answer: &Value) -> Result<String, Failure> {
    let lines = |name: &str| {
        let mut text = String::new();
        for fault in answer.get(name).and_then(Value::as_array).into_iter().flatten() {
            let _ = writeln!(text, "{}: {}", word(fault, "part"), word(fault, "why"));
        }
        text
    };
    let (reasons, warnings) = (lines("reasons"), lines("warnings"));
    match answer.get("ready").and_then(Value::as_bool) {
        Some(true) => Ok(format!("ready\n{warnings}")),
        Some(false) | None => {
            let text = format!("not ready\n{reasons}{warnings}");
            Err(Failure::Failed(text.trim_end().to_owned()))
        }
    }
}

/// A configuration without faults, and what it refers to.
pub(super) struct Checked {
    pub(super) config: Config,
    pub(super) registry: Registry,
    /// What is announced.
    pub(super) windows: Vec<Window>,
}

impl Checked {
    fn read(file: &Path) -> Result<Self, Failure> {
        let (config, registry) = good(file)?;
        let windows = files::announced(&config.store.path)?;
        Ok(Self { config, registry, windows })
    }
}

fn good(file: &Path) -> Result<(Config, Registry), Failure> {
    let (config, mut faults) = match config::load(file) {
        Ok(config) => (config, Vec::new()),
        Err(faults) => {
            let told = faults.list.iter().map(|fault| faults.line(fault)).collect();
            (*faults.rest, told)
        }
    };
    let known = files::known(&config.store.path, config.profiles())?;
    let registry = registry(&config, known, &mut faults);
    if !registry.stations().is_empty() {
        for webhook in &config.webhooks {
            if let Some(station) = webhook.station.as_deref()
                && registry.station(station).is_none()
            {
                faults.push(format!(
                    "{}: webhook `{}`: station = `{station}`: no such station: correct it",
                    file.display(),
                    webhook.name
                ));
            }
        }
    }
    if !faults.is_empty() {
        faults.push(files::counted(faults.len() as u64));
        return Err(Failure::Configuration(faults.join("\n")));
    }
    Ok((config, registry))
}

/// What is known; of a store that has nothing yet, what the configured files would fill it with. Their
/// faults go to the list; how they differ is said.
fn registry(config: &Config, mut known: Registry, faults: &mut Vec<String>) -> Registry {
    let (import, untaken) = registry_files::read(&config.registry, &known);
    let lang = files::lang();
    for note in import.notes.iter().chain(&import.doubts) {
        complain(lang.text(note));
    }
    if let Some(untaken) = &untaken {
        faults.extend(untaken.faults(lang.language()).map(str::to_owned));
    }
    if registry_files::is_empty(&known) {
        import.put(&mut known);
    } else if untaken.is_none()
        && let Some(difference) = registry_files::difference(&config.registry, &import, &known)
    {
        complain(lang.text(&difference));
    }
    known
}

/// Who is told of what, station by station.
fn told(plan: &Plan, registry: &Registry) -> String {
    let mut text = String::new();
    let mut line = |said: String| {
        let _ = writeln!(text, "{said}"); // writing to a String does not fail
    };
    let (stations, devices) = (registry.stations(), registry.devices());
    line(format!(
        "{} stations, {} devices, {} webhooks: nothing wrong",
        stations.len(),
        devices.len(),
        plan.webhooks.len()
    ));
    for station in stations {
        let own = registry.of_station(&station.id).len();
        line(String::new());
        line(format!("{} ({}), {own} devices", station.id, station.name));
        for severity in [Severity::Fire, Severity::Critical, Severity::Warning] {
            let row = row(plan, registry, &station.id, severity);
            line(format!("  {:<9}{row}", severity.as_str()));
        }
    }
    line(String::new());
    line(
        "notice is listed and pages nobody; a station whose terminal is away is passed over".into(),
    );
    text
}

/// Who is told of notices, and when.
fn digest(config: &Config) -> String {
    let Some(at) = config.digest.at else { return "no daily digest: `digest.at` is off\n".into() };
    let (at, zone) = (at.strftime("%H:%M"), &config.http.timezone);
    let who = config.digest_receivers().map(|(_, who)| who).unwrap_or_default();
    let who: Vec<String> = who
        .iter()
        .map(|account| {
            let of = account.station.as_deref().unwrap_or("all stations");
            format!("{} {} ({of})", account.kind(), account.name)
        })
        .collect();
    if who.is_empty() {
        return "daily digest of notices: no webhook's `severities` name \"notice\"\n".into();
    }
    format!("daily digest of notices at {at} {zone}: {}\n", who.join(", "))
}

/// One severity at one station: `at once …; after 60 s …; then every 300 s`.
fn row(plan: &Plan, registry: &Registry, station: &str, severity: Severity) -> String {
    let Steps { step2_s, step3_s, repeat_s, forgotten_s } = plan.steps(severity);
    let mut parts = Vec::new();
    for (step, after) in [(1, Some(0)), (2, some(step2_s)), (3, some(step3_s))] {
        let Some(after) = after else { continue };
        let who: Vec<String> = rehearse(plan, registry, station, severity, step)
            .into_iter()
            .map(|receiver| match receiver {
                Receiver::Station(id) => id.into(),
                Receiver::Webhook(name) => format!("webhook {name}"),
            })
            .collect();
        let who = if who.is_empty() { "nobody".to_owned() } else { who.join(", ") };
        parts.push(match after {
            0 => format!("at once {who}"),
            _ => format!("after {after} s {who}"),
        });
    }
    parts.extend(some(repeat_s).map(|pause| format!("then all every {pause} s")));
    parts.extend(some(forgotten_s).map(|idle| format!("again when idle for {idle} s")));
    parts.join("; ")
}

/// 0 is never.
fn some(seconds: u32) -> Option<u32> {
    (seconds > 0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::{Failure, digest, ready, told};
    use serde_json::json;
    use standpipe_config::Config;
    use standpipe_lists::{File, Import};
    use standpipe_rules::incidents::{Plan, ReceiverRole, Route};
    use standpipe_rules::registry::Registry;
    use std::path::Path;

    #[test]
    fn what_does_not_work_is_told_part_by_part() {
        let part = |part, why| json!({"part": part, "since": null, "why": why});
        let late = part("series", "behind: wait");
        let answer = json!({"ready": true, "reasons": [], "warnings": [late]});
        assert_eq!(ready(&answer), Ok("ready\nseries: behind: wait\n".to_owned()));
        let away = part("alarm_lane", "no broker: start it");
        let answer = json!({"ready": false, "reasons": [away], "warnings": []});
        let told = "not ready\nalarm_lane: no broker: start it".to_owned();
        assert_eq!(ready(&answer), Err(Failure::Failed(told)));
    }

    #[test]
    fn who_is_told_of_notices_once_a_day() {
        let said = |more: &str| {
            let text = format!("[mqtt]\nurl = 'mqtt://a'\n{more}");
            let config = Config::parse(&text, Path::new("standpipe.toml"), None);
            digest(&config.unwrap_or_else(|bad| panic!("{bad}")))
        };
        let hook = |name: &str, more: &str| {
            format!("[[webhook]]\nname = '{name}'\nurl = 'http://a'\n{more}\n")
        };
        let none = "daily digest of notices: no webhook's `severities` name \"notice\"\n";
        assert_eq!(said(&hook("all", "")), none, "nobody who did not ask for it");
        assert_eq!(said(&hook("cap", "format = 'cap'\nseverities = ['notice']")), none);
        let duty = hook("duty", "severities = ['fire', 'notice']\nstation = 't1'")
            + &hook("chat", "format = 'wecom'\nseverities = ['notice']\nrole = 'chief'");
        let told = "daily digest of notices at 08:00 Asia/Shanghai: \
                    webhook duty (t1), wecom chat (all stations)\n";
        assert_eq!(said(&duty), told);
        assert_eq!(said("[digest]\nat = 'off'"), "no daily digest: `digest.at` is off\n");
    }

    #[test]
    fn everybody_is_named_at_each_step() {
        let stations = b"id,name,level,parent,lat,lon\n\
            d,District,district,,29.38,106.54\n\
            t1,One,township,d,29.38,106.55\n\
            t2,Two,township,d,29.38,106.56\n\
            t3,Three,township,d,29.38,106.57\n\
            t4,Four,township,d,29.38,106.99\n";
        let devices =
            b"id,kind,name,station,zone,profile,lat,lon,address\nH,hydrant,H,t1,z,,1,1,\n";
        let mut registry = Registry::new([]);
        let file = |bytes: &'static [u8]| Some(File { name: "x", bytes });
        let import = Import::read(file(stations), file(devices), &registry);
        assert!(import.bad.is_empty(), "{:?}", import.bad);
        import.put(&mut registry);
        let chief = Route {
            name: "chief-1".into(),
            station: Some("t1".into()),
            role: ReceiverRole::Chief,
            ..Route::default()
        };
        let duty = Route { name: "duty".into(), ..Route::default() };
        let plan = Plan { webhooks: vec![chief, duty], ..Plan::default() };
        insta::assert_snapshot!(told(&plan, &registry), @r#"
5 stations, 1 devices, 2 webhooks: nothing wrong

d (District), 0 devices
  fire     at once d, webhook duty; after 60 s nobody; after 180 s d; then all every 300 s; again when idle for 1800 s
  critical at once d, webhook duty; after 60 s nobody; after 180 s d; then all every 900 s; again when idle for 1800 s
  warning  at once d, webhook duty

t1 (One), 1 devices
  fire     at once t1, webhook duty; after 60 s t2, t3, webhook chief-1; after 180 s d; then all every 300 s; again when idle for 1800 s
  critical at once t1, webhook duty; after 60 s t2, t3, webhook chief-1; after 180 s d; then all every 900 s; again when idle for 1800 s
  warning  at once t1, webhook duty

t2 (Two), 0 devices
  fire     at once t2, webhook duty; after 60 s t1, t3; after 180 s d; then all every 300 s; again when idle for 1800 s
  critical at once t2, webhook duty; after 60 s t1, t3; after 180 s d; then all every 900 s; again when idle for 1800 s
  warning  at once t2, webhook duty

t3 (Three), 0 devices
  fire     at once t3, webhook duty; after 60 s t1, t2; after 180 s d; then all every 300 s; again when idle for 1800 s
  critical at once t3, webhook duty; after 60 s t1, t2; after 180 s d; then all every 900 s; again when idle for 1800 s
  warning  at once t3, webhook duty

t4 (Four), 0 devices
  fire     at once t4, webhook duty; after 60 s t2, t3; after 180 s d; then all every 300 s; again when idle for 1800 s
  critical at once t4, webhook duty; after 60 s t2, t3; after 180 s d; then all every 900 s; again when idle for 1800 s
  warning  at once t4, webhook duty

notice is listed and pages nobody; a station whose terminal is away is passed over
"#);
    }
}
