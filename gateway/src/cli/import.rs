//! `standpipe import`: lists into the registry, of a running gateway or of a store that nobody runs on.
//!
//! What a list would change is shown first. Where something is registered already, it is taken only with
//! `--yes`: the registry is the master, and a file may be older than it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use standpipe_lists::{Import, Listed, RegistryDifference};
use standpipe_machine::output::complain;
use standpipe_store::{Store, StoreError};
use standpipe_words::Language;

use super::files::{ListArgs, lang};
use super::gateway::GatewayArgs;
use super::{Failure, config, files, say};
use crate::registry_files;

/// Puts stations and devices into the registry; others that are there stay. Files may be CSV of any kind,
/// Excel, GeoJSON or OpenStreetMap's.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("files").required(true).multiple(true))]
pub struct ImportArgs {
    /// A list of devices.
    #[arg(value_name = "FILE", group = "files", conflicts_with = "devices")]
    file: Option<PathBuf>,
    /// A list of stations.
    #[arg(long, value_name = "FILE", group = "files")]
    stations: Option<PathBuf>,
    /// A list of devices.
    #[arg(long, value_name = "FILE", group = "files")]
    devices: Option<PathBuf>,
    /// The configuration, which says where the store is: the list goes there, if no gateway runs on it.
    /// Without it, standpipe.toml here; without that, or with --url, a running gateway is asked.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take the list, as the difference shows it.
    #[arg(long)]
    yes: bool,
    /// Take the good rows although others are bad.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Shows what lists would change, and takes them where that is asked for.
///
/// # Errors
/// [`Failure`]; nothing was imported then.
pub fn run(args: &ImportArgs) -> Result<(), Failure> {
    let devices = args.file.as_deref().or(args.devices.as_deref());
    let lists = Lists { stations: args.stations.as_deref(), devices };
    let order = ImportOrder { list: &args.list, yes: args.yes, skip_bad: args.skip_bad };
    let file = args.config.as_deref().or_else(|| args.gateway.is_unnamed().then(config::usual)?);
    let Some(file) = file else {
        return through_gateway(&args.gateway, &lists, &order);
    };
    let config = config::required(file)?;
    match Store::open(&config.store.path) {
        Ok(store) => into_store(store, config.profiles().collect(), &lists, &order),
        Err(StoreError::InUse(_)) => through_gateway(&args.gateway, &lists, &order),
        Err(bad) => Err(Failure::Failed(bad.to_string())),
    }
}

/// Which files.
pub struct Lists<'a> {
    pub stations: Option<&'a Path>,
    pub devices: Option<&'a Path>,
}

/// What is to become of them.
pub struct ImportOrder<'a> {
    pub list: &'a ListArgs,
    pub yes: bool,
    pub skip_bad: bool,
}

type Profiles = Vec<(Box<str>, standpipe_rules::registry::Profile)>;

fn into_store(
    mut store: Store,
    profiles: Profiles,
    lists: &Lists,
    order: &ImportOrder,
) -> Result<(), Failure> {
    let failed = |bad: StoreError| Failure::Failed(bad.to_string());
    let known = store.registry(profiles).map_err(failed)?;
    let files = (lists.stations, lists.devices);
    let import = files::import(files, &known, order.list, order.skip_bad)?;
    if let Some(datum) = &import.datum {
        complain(lang().text(datum));
    }
    let listed = Listed { stations: files.0.is_some(), devices: files.1.is_some() };
    let difference = RegistryDifference::of(&import, &known, listed);
    let first = registry_files::is_empty(&known);
    if !first {
        say(&difference.lines(lang().language()));
        complain(lang().text(&difference.summary()));
        if difference.is_empty() {
            return Ok(());
        }
        if !order.yes {
            return Err(not_taken());
        }
    }
    let Import { stations, devices, .. } = import;
    store.import(&stations, &devices).map_err(failed)?;
    say(&format!(
        "{} stations and {} devices into {}\n",
        stations.len(),
        devices.len(),
        store.path().display()
    ));
    Ok(())
}

fn not_taken() -> Failure {
    Failure::Failed(
        match lang().language() {
            Language::English => "nothing was taken: look at the difference, then add --yes",
            Language::Chinese => "未作任何更改：请核对差异，确认后加 --yes",
        }
        .to_owned(),
    )
}

/// Shows what a running gateway says to lists, and has it take them where that is asked for.
///
/// # Errors
/// [`Failure`]: nobody answers, a list has faults, or a person must look first.
pub fn through_gateway(
    gateway: &GatewayArgs,
    lists: &Lists,
    order: &ImportOrder,
) -> Result<(), Failure> {
    let gateway = gateway.gateway()?;
    let file = |path: Option<&Path>| {
        path.map(|path| {
            let bytes = files::read(path)?;
            Ok(json!({"name": path.display().to_string(), "base64": BASE64_STANDARD.encode(bytes)}))
        })
        .transpose()
    };
    let mut body = order.list.body();
    body.insert("stations".to_owned(), json!(file(lists.stations)?));
    body.insert("devices".to_owned(), json!(file(lists.devices)?));
    body.insert("apply".to_owned(), json!(order.yes));
    body.insert("skip_bad".to_owned(), json!(order.skip_bad));
    let answer = gateway.ask(Method::POST, &["registry", "import"], Some(&Value::Object(body)))?;
    let told = AnswerLines(&answer);
    for part in ["notes", "doubts", "faults"] {
        told.of(part).for_each(complain);
    }
    told.of("difference").for_each(|line| say(&format!("{line}\n")));
    told.of("summary").for_each(complain);
    let flag = |name: &str| answer.get(name).and_then(Value::as_bool).unwrap_or_default();
    let faults = told.of("faults").count() as u64;
    match (flag("applied"), flag("changes")) {
        (true, _) => Ok(()),
        (false, changes) if faults > 0 && !(order.skip_bad && changes) => {
            files::judge(faults, false)
        }
        (false, false) => Ok(()),
        (false, true) => Err(not_taken()),
    }
}

/// What the gateway answered, in the reader's language.
struct AnswerLines<'a>(&'a Value);

impl<'a> AnswerLines<'a> {
    fn of(&self, part: &str) -> impl Iterator<Item = &'a str> {
        let tag = match lang().language() {
            Language::English => "en",
            Language::Chinese => "zh",
        };
        let lines = self.0.get(part).and_then(|part| part.get(tag)).and_then(Value::as_array);
        lines.into_iter().flatten().filter_map(Value::as_str)
    }
}
