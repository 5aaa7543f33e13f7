//! Which machine this is: what tells it from a copy of it, and its name for people.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where Linux keeps what tells a machine from others. Confidential: it is not passed on as it is.
const MACHINE_ID: &str = "/etc/machine-id";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// What tells this machine from others, the same at every start; `None`: it does not say.
#[must_use]
pub fn machine() -> Option<String> {
    told(MACHINE_ID.as_ref())
}

/// What people call this machine; empty: it does not say.
#[must_use]
pub fn host() -> String {
    told(HOSTNAME.as_ref()).unwrap_or_default()
}

/// What tells a file of this machine from every other file, its copies too; `None`: the machine does not
/// say.
#[must_use]
pub fn file(path: &Path) -> Option<String> {
    // In a container there may be no id but the running kernel's.
    let (machine, file) = (machine().or_else(boot)?, std::fs::metadata(path).ok()?);
    Some(format!("{machine} {} {}", file.dev(), file.ino()))
}

/// The kernel's name for this boot.
pub(crate) fn boot() -> Option<String> {
    told(BOOT_ID.as_ref())
}

fn told(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
