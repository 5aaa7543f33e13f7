//! The files that the configuration names: where they are, and secrets and certificates in them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use standpipe_machine::small_file;

use super::Secret;
use super::section::{Notes, Section};

/// The largest secret or certificate, bytes.
const MAX_SECRET: u64 = 64 * 1024;

/// A file's place, from the folder of the configuration.
pub(super) fn path(
    section: &mut Section,
    key: &'static str,
    folder: &Path,
    notes: &mut Notes,
) -> Option<PathBuf> {
    section.text(key, notes).map(|text| folder.join(text))
}

/// The bytes of a file that the configuration names.
pub(super) fn content(
    section: &mut Section,
    key: &'static str,
    folder: &Path,
    notes: &mut Notes,
) -> Option<Vec<u8>> {
    let path = path(section, key, folder, notes)?;
    let text = match small_file::read(&path, MAX_SECRET) {
        Ok(bytes) if bytes.is_empty() => format!("{} is empty: fill it", path.display()),
        Ok(bytes) => return Some(bytes),
        Err(bad) if bad.kind() == ErrorKind::FileTooLarge => {
            format!("{} has over {MAX_SECRET} bytes: name another file", path.display())
        }
        Err(bad) => format!("{} cannot be read ({bad}): put it there", path.display()),
    };
    section.fault(key, text, notes);
    None
}

/// The trimmed text of a file that the configuration names.
pub(super) fn secret(
    section: &mut Section,
    key: &'static str,
    folder: &Path,
    notes: &mut Notes,
) -> Option<Secret> {
    let bytes = content(section, key, folder, notes)?;
    let text = std::str::from_utf8(&bytes).map(str::trim).unwrap_or_default();
    if text.is_empty() {
        section.fault(key, "no text in that file: write the secret into it", notes);
        return None;
    }
    Some(Secret::new(text))
}
