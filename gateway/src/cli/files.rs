//! The registry's files as arguments: read, reported, judged.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use standpipe_lists::{ColumnPairs, Datum, File, Import, ListOptions, UtmZone, told};
use standpipe_machine::output::complain;
use standpipe_rules::incidents::Window;
use standpipe_rules::registry::{Profile, Registry};
use standpipe_store::readers::ReadError;
use standpipe_store::views::maintenance;
use standpipe_store::{Reader, StoreError};
use standpipe_words::{Lang, Language};

use super::Failure;

/// What is said about a list that somebody else wrote.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ListArgs {
    /// Which of the file's columns is which of ours, such as id=编号,lat=Y. The usual Chinese and English
    /// names need no word.
    #[arg(long, value_name = "OURS=THEIRS,…", value_parser = ListOptions::pairs)]
    columns: Vec<ColumnPairs>,
    /// What stands in a column of ours wherever the file has nothing, such as kind=hydrant,station=T01.
    #[arg(long, value_name = "OURS=VALUE,…", value_parser = ListOptions::pairs)]
    fill: Vec<ColumnPairs>,
    /// How places are meant: wgs84 (GPS), gcj02 (Amap, Tencent) or bd09 (Baidu). Without it, as the names
    /// of the columns say, or wgs84.
    #[arg(long, value_name = "DATUM", value_parser = datum)]
    datum: Option<Datum>,
    /// Places are metres of this zone of UTM, such as 48N: lat the northing, lon the easting.
    #[arg(long, value_name = "ZONE", value_parser = utm_zone, conflicts_with = "datum")]
    utm: Option<UtmZone>,
}

impl ListArgs {
    /// As the reader of lists takes it.
    #[must_use]
    pub fn options(&self) -> ListOptions {
        ListOptions {
            columns: self.columns.concat(),
            fill: self.fill.concat(),
            datum: self.datum,
            utm: self.utm,
        }
    }
}

impl ListArgs {
    /// The same, as the API takes it.
    #[must_use]
    pub fn body(&self) -> Map<String, Value> {
        let pairs = |pairs: ColumnPairs| {
            let pairs = pairs.iter().map(|(ours, theirs)| format!("{ours}={theirs}"));
            Value::from(pairs.collect::<Vec<_>>().join(","))
        };
        let ListOptions { columns, fill, datum, utm } = self.options();
        Map::from_iter([
            ("columns".to_owned(), pairs(columns)),
            ("fill".to_owned(), pairs(fill)),
            ("datum".to_owned(), datum.map(Datum::name).unwrap_or_default().into()),
            ("utm".to_owned(), utm.map(|zone| zone.to_string()).unwrap_or_default().into()),
        ])
    }
}

fn datum(text: &str) -> Result<Datum, &'static str> {
    text.parse().map_err(|()| "write wgs84, gcj02 or bd09")
}

fn utm_zone(text: &str) -> Result<UtmZone, &'static str> {
    text.parse().map_err(|()| "write a zone and its hemisphere, such as 48N")
}

/// The language of whoever reads the terminal, as the system says.
#[must_use]
pub fn lang() -> Lang {
    let said = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let said = said("LC_ALL").or_else(|| said("LC_MESSAGES")).or_else(|| said("LANG"));
    let named = said.as_deref().map(|tag| tag.replace('_', "-"));
    named.as_deref().and_then(Lang::named).unwrap_or(Lang::usual(Language::English))
}

/// Where the registry is.
#[derive(Debug, clap::Args)]
pub struct RegistryArgs {
    /// `stations.csv`
    #[arg(long, value_name = "FILE")]
    pub stations: PathBuf,
    /// `devices.csv`
    #[arg(long, value_name = "FILE")]
    pub devices: PathBuf,
    /// Take the good rows although others are bad.
    #[arg(long)]
    pub skip_bad: bool,
    #[command(flatten)]
    pub list: ListArgs,
}

/// Reads the files and reports on the terminal.
///
/// # Errors
/// [`Failure`] when a file can't be read, has bad rows that are not to be skipped, or nothing else.
pub fn import(
    (stations, devices): (Option<&Path>, Option<&Path>),
    known: &Registry,
    list: &ListArgs,
    skip_bad: bool,
) -> Result<Import, Failure> {
    let bytes =
        |path: Option<&Path>| path.map(|path| Ok((path.display().to_string(), read(path)?)));
    let stations = bytes(stations).transpose()?;
    let devices = bytes(devices).transpose()?;
    let import = Import::read_as(
        stations.as_ref().map(|(name, bytes)| File { name, bytes }),
        devices.as_ref().map(|(name, bytes)| File { name, bytes }),
        known,
        &list.options(),
    );
    report(&import);
    let nothing = import.stations.is_empty() && import.devices.is_empty();
    judge(import.bad.len() as u64, skip_bad && !nothing)?;
    Ok(import)
}

/// What was read, on the terminal, in the reader's language: what is wrong last.
pub fn report(import: &Import) {
    for text in import.notes.iter().chain(&import.doubts) {
        complain(lang().text(text));
    }
    for fault in told(&import.bad, lang().language()) {
        complain(fault);
    }
}

/// What a store has, also while a gateway runs on it; nothing, where there is none yet.
///
/// # Errors
/// [`Failure::Failed`] when it can't be read.
pub fn known(
    store: &Path,
    profiles: impl IntoIterator<Item = (Box<str>, Profile)>,
) -> Result<Registry, Failure> {
    let mut registry = Registry::new(profiles);
    if !store.is_file() {
        return Ok(registry);
    }
    let failed = |bad: StoreError| Failure::Failed(bad.to_string());
    let reader = Reader::open(store).map_err(failed)?;
    for station in reader.stations().map_err(failed)?.into_iter().flatten() {
        registry.put_station(station);
    }
    for device in reader.devices().map_err(failed)?.into_iter().flatten() {
        registry.put_device(device);
    }
    Ok(registry)
}

/// What is announced, as a gateway on this store kept it last; nothing, where there is none yet.
///
/// # Errors
/// [`Failure::Failed`] when it can't be read.
pub fn announced(store: &Path) -> Result<Vec<Window>, Failure> {
    if !store.is_file() {
        return Ok(Vec::new());
    }
    let reader = Reader::open(store).map_err(|bad| Failure::Failed(bad.to_string()))?;
    match maintenance::kept(reader.connection()) {
        Ok(windows) => Ok(windows),
        // The gateway reports that at its start; a rehearsal goes on as if nothing were announced.
        Err(ReadError::Row(_)) => Ok(Vec::new()),
        Err(bad @ (ReadError::Store(_) | ReadError::Stopping)) => {
            Err(Failure::Failed(bad.to_string()))
        }
    }
}

/// A registry of these files alone.
///
/// # Errors
/// As [`import`].
pub fn registry(
    args: &RegistryArgs,
    profiles: impl IntoIterator<Item = (Box<str>, Profile)>,
) -> Result<Registry, Failure> {
    let mut registry = Registry::new(profiles);
    let files = (Some(args.stations.as_path()), Some(args.devices.as_path()));
    let import = import(files, &registry, &args.list, args.skip_bad)?;
    import.put(&mut registry);
    Ok(registry)
}

/// Stops the work where there are bad rows that must not be skipped.
///
/// # Errors
/// [`Failure::Failed`] when there are any and they are not to be skipped.
pub fn judge(bad: u64, skip_bad: bool) -> Result<(), Failure> {
    match (bad, skip_bad) {
        (0, _) => Ok(()),
        (_, true) => {
            complain(format_args!("{}: the rows with them were skipped", counted(bad)));
            Ok(())
        }
        (_, false) => Err(Failure::Failed(format!(
            "{}, nothing was done: correct them, or add --skip-bad",
            counted(bad)
        ))),
    }
}

/// So many faults, in words.
pub fn counted(faults: u64) -> String {
    format!("{faults} fault{}", if faults == 1 { "" } else { "s" })
}

/// A file that a person names, whole.
///
/// # Errors
/// [`Failure::Failed`]: it can't be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|bad| Failure::Failed(format!("{}: cannot be read ({bad})", path.display())))
}
