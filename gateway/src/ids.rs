//! The secret from which the ids of incidents and pages are made: a file beside the configuration,
//! made at the first start. Two gateways with the same one give the same things the same ids, and
//! nobody who does not know it can tell one id from another.
//!
//! Whatever becomes of it, the gateway starts: with another secret only the ids to come differ.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use std::io;
use std::path::{Path, PathBuf};

use standpipe_machine::entropy::Entropy;
use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_machine::small_file::read_text;
use standpipe_rules::incidents::IdSecret;

/// Its name, beside the configuration; where that folder can't be written, beside the store.
pub const NAME: &str = "ids.secret";

/// The secret, made if there is none. `config`: the configuration's folder; `store`: the store.
#[must_use]
pub fn secret(config: Option<&Path>, store: &Path, entropy: &Entropy) -> IdSecret {
    let beside_store = store.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folders = config.into_iter().chain([beside_store.unwrap_or(Path::new("."))]);
    let places: Vec<PathBuf> = folders.map(|folder| folder.join(NAME)).collect();
    for place in &places {
        match read(place) {
            Ok(secret) => return secret,
            Err(bad) if bad.kind() == io::ErrorKind::NotFound => {}
            Err(bad) => tracing::error!(
                "{} can't be read ({bad}): put back the file of a backup, or remove it; until then \
                 incidents get ids that no other gateway gives them",
                place.display()
            ),
        }
    }
    let bytes = entropy.bytes().unwrap_or_else(|bad| {
        // Ids that can be guessed are better than no gateway.
        tracing::error!("the system gives nothing random ({bad}): ids can be guessed");
        [0; 32]
    });
    let text = HEXLOWER.encode(&bytes);
    for place in places.iter().filter(|place| !place.exists()) {
        match write(place, format!("{text}\n").as_bytes(), ReadableBy::Owner) {
            Ok(()) => {
                tracing::info!("the secret of the ids was made: {}", place.display());
                return IdSecret::new(bytes);
            }
            Err(bad) => tracing::warn!("{bad}: the secret of the ids is kept elsewhere"),
        }
    }
    tracing::error!(
        "the secret of the ids can't be kept: let the gateway write beside its configuration or \
         its store; after a restart, what the broker redelivers gets other ids"
    );
    IdSecret::new(bytes)
}

/// 64 hexadecimal digits.
fn read(place: &Path) -> io::Result<IdSecret> {
    let text = read_text(place)?;
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "not 64 hexadecimal digits");
    let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map_err(|_| wrong())?;
    Ok(IdSecret::new(bytes.try_into().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use standpipe_machine::entropy::Entropy;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{NAME, secret};

    #[test]
    fn it_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (config, data) = (folder.path().join("etc"), folder.path().join("var"));
        let store = data.join("standpipe.db");
        let made = secret(Some(&config), &store, &Entropy::new());
        let file = config.join(NAME);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode, std::fs::read_to_string(&file).unwrap().len()), (0o600, 65));
        assert_eq!(secret(Some(&config), &store, &Entropy::new()), made);
        assert!(!data.join(NAME).exists());

        std::fs::remove_file(&file).unwrap();
        assert_ne!(secret(Some(&config), &store, &Entropy::new()), made, "another one");
    }

    #[test]
    fn where_the_configuration_cannot_be_written_it_lies_beside_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let (config, store) = (folder.path().join("file"), folder.path().join("var/standpipe.db"));
        std::fs::write(&config, "no folder").unwrap();
        let made = secret(Some(&config), &store, &Entropy::new());
        assert!(folder.path().join("var").join(NAME).exists());
        assert_eq!(secret(Some(&config), &store, &Entropy::new()), made);
        assert_eq!(secret(None, &store, &Entropy::new()), made, "without a configuration's file");
    }

    #[test]
    fn one_that_cannot_be_read_stays_and_another_is_kept_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (config, store) = (folder.path().join("etc"), folder.path().join("var/standpipe.db"));
        std::fs::create_dir(&config).unwrap();
        for bad in ["", "abc", &"x".repeat(64), &"é".repeat(32)] {
            std::fs::write(config.join(NAME), bad).unwrap();
            let made = secret(Some(&config), &store, &Entropy::new());
            assert_eq!(std::fs::read_to_string(config.join(NAME)).unwrap(), bad);
            assert_eq!(secret(Some(&config), &store, &Entropy::new()), made, "{bad:?}");
        }
        let made = secret(Some(&config), &store, &Entropy::new());
        std::fs::remove_file(config.join(NAME)).unwrap();
        std::fs::create_dir(config.join(NAME)).unwrap();
        assert_eq!(secret(Some(&config), &store, &Entropy::new()), made, "a folder");
        std::fs::remove_dir(config.join(NAME)).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(config.join(NAME)).status();
        assert!(pipe.unwrap().success());
        assert_eq!(
            secret(Some(&config), &store, &Entropy::new()),
            made,
            "a pipe: nobody is waited for"
        );
    }
}
