//! `standpipe backup` and `standpipe restore`.

use std::path::{Path, PathBuf};

use standpipe_config::Config;
use standpipe_machine::clock::Clock;
use standpipe_machine::entropy::Entropy;
use standpipe_series::embedded::EmbeddedHistory;
use standpipe_store::Store;
use standpipe_store::accounts::AccountBook;
use standpipe_store::files::Database;

use super::daily::Daily;
use super::{Failure, config};
use crate::keep::{self, BackupParts, KeepError};

/// Copies all databases, registry and configuration into a new folder, while the gateway runs.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder in which the backup's own is made.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Keep so many backups and remove older ones; 0 keeps all.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep: usize,
    #[command(flatten)]
    daily: Daily,
}

/// Puts a backup's databases back, and the configuration where there is none; where there is another, it
/// stays and you are told. Stop the gateway first.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The backup: a folder `standpipe-…`.
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// The configuration, which says where the store is.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs `backup`.
///
/// # Errors
/// [`Failure`].
pub fn backup(args: &BackupArgs) -> Result<(), Failure> {
    args.daily.run(&args.config, || once(args))
}

fn once(args: &BackupArgs) -> Result<(), Failure> {
    let config = config::required(&args.config)?;
    let parts = BackupParts { config: &args.config, store: &config.store.path };
    let kept = keep::back_up(&parts, &args.out, Clock::new().now()).map_err(failed)?;
    let (stations, devices) = kept.registry;
    super::say(&format!("{stations} stations and {devices} devices: {}\n", kept.folder.display()));
    for file in &kept.missing {
        super::say(&format!("not in it, copy it yourself: {}\n", file.display()));
    }
    remove_older(&kept.folder, args.keep).map_err(|bad| failed(bad.into()))
}

/// Runs `restore`.
///
/// # Errors
/// [`Failure`]; a store that is in use is not touched.
pub fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    if !args.config.exists() {
        keep::config::put_back(&args.from, &args.config).map_err(failed)?;
        super::say(&format!("configuration: {}\n", args.config.display()));
    }
    let Config { store, .. } = config::required(&args.config)?;
    let now = Clock::new().now();
    let databases = keep::restore(&args.from, &store.path, now).map_err(failed)?;
    // A layout of an older version is brought to this one's now, and not at night.
    for database in &databases {
        let place = database.place(&store.path);
        match database {
            Database::Store => drop(Store::open(&place).map_err(|bad| failed(bad.into()))?),
            Database::Accounts => {
                drop(AccountBook::open(&place, &Entropy::new()).map_err(refused)?)
            }
            Database::History => drop(EmbeddedHistory::open(&place).map_err(refused)?),
        }
        super::say(&format!("restored: {}\n", place.display()));
    }
    for stays in Database::ALL.into_iter().filter(|database| !databases.contains(database)) {
        let place = stays.place(&store.path);
        if place.is_file() {
            super::say(&format!("not in this backup, stays as it is: {}\n", place.display()));
        }
    }
    let parts = BackupParts { config: &args.config, store: &store.path };
    for (copy, place) in keep::made::put_back(&args.from, &parts, now).map_err(failed)? {
        super::say(&format!(
            "NOT restored: {}, which can't be written: copy {} there before you start the gateway\n",
            place.display(),
            copy.display()
        ));
    }
    let differing = keep::config::differing(&args.from, &args.config).map_err(failed)?;
    if !differing.is_empty() {
        super::say(&kept(&differing, args));
    }
    Ok(())
}

/// What is said when the configuration here is another than the backup's.
fn kept(differing: &[PathBuf], args: &RestoreArgs) -> String {
    let names: Vec<String> = differing.iter().map(|path| path.display().to_string()).collect();
    let (here, there) = (args.config.display(), args.from.join(keep::CONFIG));
    format!(
        "NOT restored: the configuration. {here} was there and stays, and of the backup's files these \
         are not so here: {}. They are in {}: copy over what you want of them before you start the \
         gateway; if `store.path` differs, restore again\n",
        names.join(", "),
        there.display()
    )
}

fn failed(bad: KeepError) -> Failure {
    refused(bad)
}

fn refused(bad: impl std::fmt::Display) -> Failure {
    Failure::Failed(bad.to_string())
}

/// Removes all but so many backups beside the newest, itself counted, and what runs before it left
/// half done. Their names sort by time.
fn remove_older(newest: &Path, keep: usize) -> std::io::Result<()> {
    let entries = std::fs::read_dir(newest.parent().unwrap_or(newest))?;
    let (mut whole, mut half) = (Vec::new(), Vec::new());
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("standpipe-") || !path.is_dir() || *path > *newest {
            continue;
        }
        match path.extension() {
            None => whole.push(path),
            Some(ending) if ending == "part" => half.push(path),
            Some(_) => {}
        }
    }
    whole.sort_unstable();
    let older = if keep == 0 { 0 } else { whole.len().saturating_sub(keep) };
    whole.iter().take(older).chain(&half).try_for_each(std::fs::remove_dir_all)
}

#[cfg(test)]
mod tests {
    use super::remove_older;

    #[test]
    fn as_many_as_wanted_stay_and_nothing_of_others_goes() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
            let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
            names.sort();
            names
        };
        let made = ["notes", "standpipe-1", "standpipe-2", "standpipe-2.part", "standpipe-3"];
        for name in made.into_iter().chain(["standpipe-4.part"]) {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let newest = folder.path().join("standpipe-3");
        for (keep, stay) in [
            (0, &["notes", "standpipe-1", "standpipe-2", "standpipe-3", "standpipe-4.part"][..]),
            (2, &["notes", "standpipe-2", "standpipe-3", "standpipe-4.part"]),
            (1, &["notes", "standpipe-3", "standpipe-4.part"]),
        ] {
            remove_older(&newest, keep).unwrap();
            assert_eq!(names(), stay, "keep {keep}");
        }
    }
}
