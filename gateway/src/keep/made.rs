//! Files that a gateway made for itself ([`MADE`]), into a backup and out of it. They belong to the
//! databases, and like these they are put back in the place of what is there.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_machine::small_file::{self, USUAL};
use standpipe_rules::Ms;
use standpipe_store::files::{MADE, set_aside};

use super::{BackupParts, CONFIG, KeepError, before};

/// Copies those that there are; answers those that can't be read.
///
/// # Errors
/// [`KeepError::File`].
pub fn keep(parts: &BackupParts<'_>, backup: &Path) -> Result<Vec<PathBuf>, KeepError> {
    let mut missing = Vec::new();
    for name in MADE {
        for place in [parts.config.with_file_name(name), parts.store.with_file_name(name)] {
            match small_file::read(&place, USUAL) {
                Ok(content) => {
                    write(&backup.join(CONFIG).join(name), &content, ReadableBy::Owner)?;
                    break;
                }
                Err(bad) if bad.kind() == ErrorKind::NotFound => {}
                Err(_) => missing.push(place),
            }
        }
    }
    Ok(missing)
}

/// Puts them back: beside the configuration, or beside the store where that folder can't be written and
/// has none, as the gateway looks for them. What is there stays with `-before-…` in its name. Answers,
/// as (where it is, where it belongs), what could be put nowhere.
///
/// # Errors
/// [`KeepError::File`]: the backup can't be read.
pub fn put_back(
    backup: &Path,
    parts: &BackupParts<'_>,
    now: Ms,
) -> Result<Vec<(PathBuf, PathBuf)>, KeepError> {
    let mut refused = Vec::new();
    for name in MADE {
        let copy = backup.join(CONFIG).join(name);
        if !copy.is_file() {
            continue;
        }
        let content = small_file::read(&copy, USUAL)?;
        let first = parts.config.with_file_name(name);
        let second = parts.store.with_file_name(name);
        let put = put(&first, &content, now) || !first.exists() && put(&second, &content, now);
        if !put {
            refused.push((copy, first));
        }
    }
    Ok(refused)
}

/// Whether a file has this content now.
fn put(place: &Path, content: &[u8], now: Ms) -> bool {
    if small_file::read(place, USUAL).is_ok_and(|here| here == content) {
        return true;
    }
    set_aside(place, &before(now)).and_then(|_| write(place, content, ReadableBy::Owner)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{BackupParts, MADE, keep, put_back};
    use standpipe_store::files::beside;
    use std::path::{Path, PathBuf};

    const NOW: i64 = 1_764_000_000_000;

    fn read(place: &Path) -> Option<String> {
        std::fs::read_to_string(place).ok()
    }

    #[test]
    fn they_come_back_in_the_place_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (config, store) = (at("etc/standpipe.toml"), at("lib/town.db"));
        let parts = BackupParts { config: &config, store: &store };
        std::fs::create_dir(at("etc")).unwrap();
        std::fs::create_dir(at("lib")).unwrap();
        let none: [PathBuf; 0] = [];
        for name in MADE {
            let (first, second) = (at("etc").join(name), at("lib").join(name));
            assert_eq!(keep(&parts, &at("none")).unwrap(), none);
            assert_eq!(put_back(&at("none"), &parts, NOW).unwrap(), [], "a gateway of before");
            // Wherever it was: the one beside the configuration is the one that the gateway takes.
            std::fs::write(&second, "second").unwrap();
            keep(&parts, &at("two")).unwrap();
            assert_eq!(read(&at("two/config").join(name)).as_deref(), Some("second"));
            std::fs::write(&first, "first").unwrap();
            keep(&parts, &at("one")).unwrap();
            assert_eq!(read(&at("one/config").join(name)).as_deref(), Some("first"));

            let back = || put_back(&at("one"), &parts, NOW).unwrap();
            assert_eq!(back(), []);
            let aside = beside(&first, "-before-20251124T160000Z");
            assert!(!aside.exists(), "it is the same");
            std::fs::write(&first, "another").unwrap();
            assert_eq!((back(), read(&first)), (vec![], Some("first".to_owned())));
            assert_eq!(read(&aside).as_deref(), Some("another"));
            std::fs::remove_file(&first).unwrap();
            assert_eq!((back(), read(&first)), (vec![], Some("first".to_owned())));
            // No folder there: it can't be written, so the store's is the place.
            std::fs::remove_dir_all(at("etc")).unwrap();
            std::fs::write(at("etc"), "no folder").unwrap();
            assert_eq!((back(), read(&second)), (vec![], Some("first".to_owned())));
            std::fs::remove_dir_all(at("lib")).unwrap();
            std::fs::write(at("lib"), "no folder").unwrap();
            assert_eq!(back(), [(at("one/config").join(name), first)]);
        }
    }
}
