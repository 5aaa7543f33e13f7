//! `standpipe import`: the registry's files into the store.

use std::path::PathBuf;

use standpipe_store::{Store, StoreError};

use super::{Failure, config, files};

/// Puts stations and devices into the store; others that are there stay.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("files").required(true).multiple(true))]
pub struct ImportArgs {
    /// `stations.csv`
    #[arg(long, value_name = "FILE", group = "files")]
    stations: Option<PathBuf>,
    /// `devices.csv`
    #[arg(long, value_name = "FILE", group = "files")]
    devices: Option<PathBuf>,
    /// The configuration, which says where the store is; without it, standpipe.toml here.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take the good rows although others are bad.
    #[arg(long)]
    skip_bad: bool,
}

/// Takes the good rows into the store.
///
/// # Errors
/// [`Failure`]; nothing was imported then.
pub fn run(args: &ImportArgs) -> Result<(), Failure> {
    let config = config::or_usual(args.config.as_deref())?;
    let failed = |bad: StoreError| Failure::Failed(bad.to_string());
    let mut store = Store::open(&config.store.path).map_err(failed)?;
    let known = store.registry(config.profiles()).map_err(failed)?;
    let (stations, devices) = (args.stations.as_deref(), args.devices.as_deref());
    let import = files::import(stations, devices, &known, args.skip_bad)?;
    store.import(&import.stations, &import.devices).map_err(failed)?;
    super::say(&format!(
        "{} stations and {} devices into {}\n",
        import.stations.len(),
        import.devices.len(),
        store.path().display()
    ));
    Ok(())
}
