//! The configuration and the files it names, into a backup and out of it.
//!
//! A file outside the configuration's folder is not copied, nor one that can't be read: its place is
//! said instead.

use std::path::{Component, Path, PathBuf};

use standpipe_machine::limits::REGISTRY_FILE;
use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_machine::small_file;

use super::{CONFIG, KeepError};

/// The configuration's name in a backup.
const NAME: &str = "standpipe.toml";

/// Copies the configuration and every file it names below its folder; answers those that are not
/// in the copy.
///
/// # Errors
/// [`KeepError::File`].
pub fn keep(config: &Path, backup: &Path) -> Result<Vec<PathBuf>, KeepError> {
    let folder = config.parent().unwrap_or(Path::new(""));
    let into = backup.join(CONFIG);
    let text = small_file::read_text(config)?;
    write(&into.join(NAME), text.as_bytes(), ReadableBy::Owner)?;
    let mut missing = Vec::new();
    for file in named(&text) {
        match (below(folder, &file), small_file::read(&folder.join(&file), REGISTRY_FILE)) {
            (Some(name), Ok(content)) => write(&into.join(name), &content, ReadableBy::Owner)?,
            (Some(_) | None, _) => missing.push(file),
        }
    }
    Ok(missing)
}

/// Puts the configuration of a backup where there is none.
///
/// # Errors
/// [`KeepError::File`].
pub fn put_back(backup: &Path, config: &Path) -> Result<(), KeepError> {
    let folder = config.parent().unwrap_or(Path::new(""));
    let from = backup.join(CONFIG);
    let text = small_file::read_text(&from.join(NAME))?;
    for file in named(&text) {
        let place = folder.join(&file);
        if let Some(name) = below(folder, &file)
            && let Ok(content) = small_file::read(&from.join(name), REGISTRY_FILE)
            && !place.exists()
        {
            write(&place, &content, ReadableBy::Owner)?;
        }
    }
    Ok(write(config, text.as_bytes(), ReadableBy::Owner)?)
}

/// Files of a backup's configuration that are not so where the configuration is now: others, or
/// none. By their names below the backup's folder of them.
///
/// # Errors
/// [`KeepError::File`].
pub fn differing(backup: &Path, config: &Path) -> Result<Vec<PathBuf>, KeepError> {
    let folder = config.parent().unwrap_or(Path::new(""));
    let from = backup.join(CONFIG);
    let text = small_file::read_text(&from.join(NAME))?;
    let same = |kept: &Path, here: &Path| {
        let read = |file: &Path| small_file::read(file, REGISTRY_FILE);
        read(kept).is_ok_and(|kept| read(here).is_ok_and(|here| here == kept))
    };
    let mut differing = Vec::new();
    if !same(&from.join(NAME), config) {
        differing.push(NAME.into());
    }
    for file in named(&text) {
        if let Some(name) = below(folder, &file)
            && from.join(name).is_file()
            && !same(&from.join(name), &folder.join(name))
        {
            differing.push(name.to_owned());
        }
    }
    Ok(differing)
}

/// A file's name from a folder, if it is below it.
fn below<'a>(folder: &Path, file: &'a Path) -> Option<&'a Path> {
    let name = if file.is_absolute() { file.strip_prefix(folder).ok()? } else { file };
    name.components().all(|part| matches!(part, Component::Normal(_))).then_some(name)
}

/// Every file that a configuration names.
fn named(text: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        collect(&table, "", &mut files);
    }
    files
}

fn collect(table: &toml::Table, section: &str, files: &mut Vec<PathBuf>) {
    for (key, value) in table {
        match value {
            toml::Value::String(text) if key.ends_with("_file") || section == "registry" => {
                files.push(text.into());
            }
            toml::Value::Table(inner) => collect(inner, key, files),
            toml::Value::Array(items) => {
                for inner in items.iter().filter_map(toml::Value::as_table) {
                    collect(inner, key, files);
                }
            }
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{differing, keep, put_back};

    #[test]
    fn every_file_it_names_comes_along_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let text = format!(
            "[mqtt]\nurl = \"mqtt://b\"\npassword_file = \"{}\"\nca_file = \"/etc/no/ca\"\n\
             [registry]\nstations = \"s.csv\"\ndevices = \"lost.csv\"\n\
             [[webhook]]\nsecret_file = \"w\"\n",
            at("keys/p").display()
        );
        let files = [("standpipe.toml", &*text), ("keys/p", "P"), ("s.csv", "S"), ("w", "W")];
        std::fs::create_dir(at("keys")).unwrap();
        for (name, content) in files {
            std::fs::write(at(name), content).unwrap();
        }
        let missing = keep(&at("standpipe.toml"), &at("backup")).unwrap();
        assert_eq!(missing, ["/etc/no/ca", "lost.csv"].map(std::path::PathBuf::from));
        for (name, _) in files {
            std::fs::remove_file(at(name)).unwrap();
        }
        put_back(&at("backup"), &at("standpipe.toml")).unwrap();
        for (name, content) in files {
            assert_eq!(std::fs::read_to_string(at(name)).unwrap(), content);
        }
        let differing = || differing(&at("backup"), &at("standpipe.toml")).unwrap();
        assert_eq!(differing(), [""; 0].map(std::path::PathBuf::from));
        std::fs::write(at("standpipe.toml"), "[mqtt]\nurl = \"mqtt://new\"\n").unwrap();
        std::fs::write(at("s.csv"), "other").unwrap();
        std::fs::remove_file(at("w")).unwrap();
        assert_eq!(differing(), ["standpipe.toml", "s.csv", "w"].map(std::path::PathBuf::from));
    }
}
