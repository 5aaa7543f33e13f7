//! The store as a gateway finds it at its start, and the world that is in it: of a disk that lets nobody
//! write, a copy in memory.
//!
//! Not here: what else a start does without (`degraded`).

use standpipe_config::{Config, StoreConfig};
use standpipe_engine::entry::Opening;
use standpipe_engine::health::{DegradedPart, Trouble};
use standpipe_lists::Import;
use standpipe_machine::Machine;
use standpipe_machine::clock::in_file_names;
use standpipe_machine::disk::Ballast;
use standpipe_rules::Ms;
use standpipe_rules::incidents::Text;
use standpipe_store::lost::{Loss, LostStore};
use standpipe_store::{CopiedFile, KnownIds, Loaded, Store, StoreError};

use super::StartError;
use crate::degraded::{self, UnknownStation};
use crate::ids;
use crate::registry_files::{self, Untaken};
use crate::twins;

/// What a gateway finds at its start.
pub struct OpenedStore {
    pub store: Store,
    /// The world that was in it.
    pub loaded: Loaded,
    /// This gateway's own name, and which history of its store it is.
    pub name: (Box<str>, i64),
    /// What became of the files of `[registry]`.
    pub files: FilesRead,
    /// Webhooks of stations that are not registered.
    pub unknown: Vec<UnknownStation>,
    /// Whether ids are made with the secret that they were made with before.
    pub known_ids: KnownIds,
    /// What became of the store that was here.
    pub lost: Option<LostStore>,
    /// The store is a copy in memory, since the file can't be opened to be written: how much of it is in
    /// the copy, and what people are told.
    pub rescue: Option<(CopiedFile, Trouble)>,
    /// It was on another machine before.
    pub moved: bool,
}

/// What became of the files of `[registry]`. The store is the master: they fill an empty registry, and
/// after that a person takes them in, or does not.
#[derive(Debug, PartialEq, Eq)]
pub enum FilesRead {
    /// They filled the registry, say what is registered, or are not configured.
    Taken,
    /// They say something else, and nothing of it was taken.
    Differ(Text),
    /// They can't be read.
    Bad(Untaken),
}

/// Opens the store; a copy in memory where the disk lets nobody write.
pub fn open_despite(config: &mut Config, machine: &Machine) -> Result<OpenedStore, StartError> {
    let mut opened = open(config, machine);
    if matches!(&opened, Err(StartError::Store(why)) if why.is_full())
        && Ballast::beside(&config.store.path).release()
    {
        tracing::error!("the disk is full: the ballast beside the store is given up");
        opened = open(config, machine);
    }
    match opened {
        Err(StartError::Store(why)) if why.is_of_place() => open_in_memory(config, machine, &why),
        opened => opened,
    }
}

fn open_in_memory(
    config: &mut Config,
    machine: &Machine,
    why: &StoreError,
) -> Result<OpenedStore, StartError> {
    let now = machine.clock.now();
    let file = config.store.path.clone();
    tracing::error!("the store can't be written: the gateway starts in memory: {why}");
    let name = standpipe_engine::copy_name(&file, 0);
    let (store, copied) = Store::rescued(&file, &name)?;
    let trouble = standpipe_engine::rescue_trouble(&file.display().to_string(), why, now);
    // Of files with faults what can be read is taken, as of a store that is lost.
    let lost = LostStore { how: Loss::Gone, since: now, why: why.to_string(), kept: None, rows: 0 };
    let lost = (copied == CopiedFile::Nothing).then_some(lost);
    let mut opened = opened(config, machine, (store, lost))?;
    opened.lost = None;
    opened.store.stands_alone()?;
    Ok(OpenedStore { rescue: Some((copied, trouble)), ..opened })
}

fn open(config: &mut Config, machine: &Machine) -> Result<OpenedStore, StartError> {
    let now = machine.clock.now();
    let StoreConfig { path, choice, .. } = &config.store;
    let (store, lost) = Store::open_or_recover(path, (&in_file_names(now), now), *choice)?;
    opened(config, machine, (store, lost))
}

/// The world of a store.
fn opened(
    config: &mut Config,
    machine: &Machine,
    (mut store, lost): (Store, Option<LostStore>),
) -> Result<OpenedStore, StartError> {
    let (mut opening, files) = opening(&store, config, lost.as_ref())?;
    let mut stations = store.station_ids()?;
    stations.extend(opening.stations.iter().map(|station| station.id.clone()));
    let unknown = degraded::widen_unknown(config, &stations, lost.as_ref());
    opening.plan = config.plan();
    // Where nothing is random, the time tells it from most others.
    let now = machine.clock.now().unsigned_abs();
    let name = machine.entropy.bytes().map_or(now, u64::from_le_bytes);
    let gateway = store.identity(name)?;
    let name = (gateway, store.epoch()?);
    let moved = twins::machine().is_some_and(|machine| {
        // A disk that takes nothing keeps nobody from paging.
        store.is_on(&machine).unwrap_or_else(|why| {
            tracing::warn!("which machine the store is on is not kept: {why}");
            false
        })
    });
    let secret = ids::secret(config.folder.as_deref(), &config.store.path, &machine.entropy);
    let known_ids = store.know_ids(&secret)?;
    let loaded = opening.load(&mut store, secret)?;
    store.mark();
    let (devices, replayed) = (loaded.world.registry().devices().len(), loaded.replayed);
    tracing::info!(devices, replayed, store = %store.path().display(), "the store is loaded");
    let rescue = None;
    Ok(OpenedStore { store, loaded, name, files, unknown, known_ids, lost, rescue, moved })
}

/// What this life begins with: the configuration that the rules see, and of the files of `[registry]` what
/// is to be registered: all of them where nothing is yet, or the store was lost; else the rows that the
/// store can't read. A gateway whose store has stations or devices does without a bad file, and says why: a
/// fire is worth more than the newest row.
fn opening(
    store: &Store,
    config: &Config,
    lost: Option<&LostStore>,
) -> Result<(Opening, FilesRead), StartError> {
    let (plan, profiles) = (config.plan(), config.profiles().collect());
    let opening = Opening { plan, profiles, ..Opening::default() };
    let files = &config.registry;
    if files.stations.is_none() && files.devices.is_none() {
        return Ok((opening, FilesRead::Taken));
    }
    let known = store.registry(config.profiles())?;
    let stored = !known.stations().is_empty() || !known.devices().is_empty();
    let (import, untaken) = registry_files::read(files, &known);
    for note in import.notes.iter().chain(&import.doubts) {
        tracing::warn!("{}", note.en);
    }
    let fills = lost.is_some() || registry_files::is_empty(&known);
    match untaken {
        Some(untaken) if !stored && lost.is_none() => Err(StartError::Registry(untaken)),
        Some(untaken) if stored => Ok((opening, FilesRead::Bad(untaken))),
        Some(untaken) => {
            let (stations, devices) = (import.stations, import.devices);
            Ok((Opening { stations, devices, ..opening }, FilesRead::Bad(untaken)))
        }
        None if fills => {
            let (stations, devices) = (import.stations, import.devices);
            Ok((Opening { stations, devices, ..opening }, FilesRead::Taken))
        }
        None => {
            let differs = registry_files::difference(files, &import, &known);
            let Import { mut stations, mut devices, .. } = import;
            stations.retain(|station| store.has_skipped("station", &station.id));
            devices.retain(|device| store.has_skipped("device", &device.id));
            let files = differs.map_or(FilesRead::Taken, FilesRead::Differ);
            Ok((Opening { stations, devices, ..opening }, files))
        }
    }
}

/// The files of `[registry]` were not taken in. What is told at every start is one incident until a
/// person closes it.
pub fn registry_trouble(untaken: &Untaken, since: Ms) -> Trouble {
    untaken.log();
    let (part, why, detail) = (DegradedPart::Registry, untaken.why(), untaken.detail());
    Trouble { part, since, why, detail }
}
