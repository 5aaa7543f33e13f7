//! Bridges: programs that speak for devices which can't speak MQTT themselves. An account each, which
//! may say and hear what those devices may, and nothing else.
//!
//! Which devices is in `bridges/NAME.devices`, one id a line: the next run goes by it, and by where the
//! devices are in the registry then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_rules::registry::{Device, Registry};
use standpipe_shared::Name;

use super::ProvisionError;

/// What the account of a bridge begins with. No device's or station's is like it: theirs have a slash.
const PREFIX: &str = "bridge-";
const EXTENSION: &str = "devices";

/// A bridge and whom it speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Its name for the broker.
    pub account: String,
    /// `area/device`, as in their topics.
    pub devices: Vec<String>,
    /// Ids that are in no registry any more.
    pub gone: Vec<String>,
}

/// One that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeOrder {
    /// What people call the bridge.
    pub name: String,
    /// Ids of devices, separated by commas; or `@FILE` with one a line.
    pub devices: String,
}

/// The name of a bridge, of its account.
pub(super) fn name(account: &str) -> Option<&str> {
    account.strip_prefix(PREFIX).filter(|name| Name::new(name).is_ok())
}

/// Writes down whom a bridge shall speak for, in place of what was said before.
///
/// # Errors
/// [`ProvisionError::Bridge`], [`ProvisionError::NoDevice`], [`ProvisionError::File`].
pub fn ask(folder: &Path, registry: &Registry, wanted: &BridgeOrder) -> Result<(), ProvisionError> {
    let BridgeOrder { name, devices } = wanted;
    if Name::new(name).is_err() {
        return Err(ProvisionError::Bridge(name.clone()));
    }
    let text = match devices.strip_prefix('@') {
        Some(file) => super::read(Path::new(file))?,
        None => devices.clone(),
    };
    let ids: Vec<&str> = ids(&text).collect();
    let places = places(registry);
    for id in &ids {
        if !places.contains_key(id) {
            return Err(ProvisionError::NoDevice((*id).to_owned()));
        }
    }
    if ids.is_empty() {
        return Err(ProvisionError::NoDevice(String::new()));
    }
    let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
    Ok(write(&place(folder, name), lines.as_bytes(), ReadableBy::All)?)
}

/// All that were ever asked for, by name.
///
/// # Errors
/// [`ProvisionError::File`].
pub fn all(folder: &Path, registry: &Registry) -> Result<Vec<Bridge>, ProvisionError> {
    let places = places(registry);
    let entries = match std::fs::read_dir(folder.join("bridges")) {
        Ok(entries) => entries,
        Err(bad) if bad.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(bad) => return Err(bad.into()),
    };
    let mut bridges = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if path.extension().is_none_or(|extension| extension != EXTENSION)
            || Name::new(name).is_err()
        {
            continue;
        }
        let text = super::read(&path)?;
        let (known, gone): (Vec<&str>, Vec<&str>) =
            ids(&text).partition(|id| places.contains_key(id));
        let devices = known.iter().filter_map(|id| places.get(id).cloned()).collect();
        let gone = gone.into_iter().map(str::to_owned).collect();
        bridges.push(Bridge { account: format!("{PREFIX}{name}"), devices, gone });
    }
    bridges.sort_by(|one, other| one.account.cmp(&other.account));
    Ok(bridges)
}

fn place(folder: &Path, name: &str) -> PathBuf {
    folder.join("bridges").join(format!("{name}.{EXTENSION}"))
}

/// Separated by commas or ends of lines.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_start_matches('\u{feff}');
    text.split([',', '\n']).map(str::trim).filter(|id| !id.is_empty())
}

/// Every device of a registry by its id: `area/device`.
fn places(registry: &Registry) -> BTreeMap<&str, String> {
    let place = |device: &Device| format!("{}/{}", registry.township(&device.station), device.id);
    registry.devices().iter().map(|device| (&*device.id, place(device))).collect()
}
