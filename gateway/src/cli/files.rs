//! The registry's files as arguments: read, reported, judged.

use std::path::{Path, PathBuf};

use standpipe_machine::output::complain;
use standpipe_rules::incidents::Window;
use standpipe_rules::registry::files::{File, Import};
use standpipe_rules::registry::{Profile, Registry};
use standpipe_store::readers::ReadError;
use standpipe_store::views::maintenance;
use standpipe_store::{Reader, StoreError};

use super::Failure;

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
}

/// Reads the files and reports on the terminal.
///
/// # Errors
/// [`Failure`] when a file can't be read, or has bad rows that are not to be skipped.
pub fn import(
    stations: Option<&Path>,
    devices: Option<&Path>,
    known: &Registry,
    skip_bad: bool,
) -> Result<Import, Failure> {
    let bytes =
        |path: Option<&Path>| path.map(|path| Ok((path.display().to_string(), read(path)?)));
    let stations = bytes(stations).transpose()?;
    let devices = bytes(devices).transpose()?;
    let import = Import::read(
        stations.as_ref().map(|(name, bytes)| File { name, bytes }),
        devices.as_ref().map(|(name, bytes)| File { name, bytes }),
        known,
    );
    for note in &import.notes {
        complain(note);
    }
    for bad in &import.bad {
        complain(bad);
    }
    judge(import.bad.len() as u64, skip_bad)?;
    Ok(import)
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
    let import = import(Some(&args.stations), Some(&args.devices), &registry, args.skip_bad)?;
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

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|bad| Failure::Failed(format!("{}: cannot be read ({bad})", path.display())))
}
