//! mosquitto's file of names and passwords: `name:$7$iterations$salt$hash`, which is
//! PBKDF2-HMAC-SHA512 with 12 bytes of salt and 64 of hash, each in base64.
//!
//! The passwords are 144 random bits, so that few iterations are enough, and a town that comes
//! back after a power cut is let in within seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::pbkdf2;

use super::authority::random;
use super::{ProvisionError, read};
use crate::private_file::{Readers, write};

/// As `mosquitto_passwd` has it.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(101).unwrap();
const SALT_BYTES: usize = 12;
const HASH_BYTES: usize = 64;
const PASSWORD_BYTES: usize = 18;

/// All names and the hashes of their passwords.
#[derive(Debug)]
pub(super) struct Passwords {
    path: PathBuf,
    hashes: BTreeMap<String, String>,
}

impl Passwords {
    /// What was written, or nothing yet.
    pub(super) fn open(path: PathBuf) -> Result<Self, ProvisionError> {
        let text = if path.exists() { read(&path)? } else { String::new() };
        let line = |it: &str| it.split_once(':').map(|(name, hash)| (name.into(), hash.into()));
        Ok(Self { path, hashes: text.lines().filter_map(line).collect() })
    }

    /// A new password for a name, in place of the one it had.
    pub(super) fn renew(&mut self, name: &str) -> Result<String, ProvisionError> {
        let password = URL_SAFE_NO_PAD.encode(random::<PASSWORD_BYTES>()?);
        self.hashes.insert(name.to_owned(), hash(&password, random::<SALT_BYTES>()?));
        Ok(password)
    }

    /// Lets these names in no more.
    pub(super) fn remove(&mut self, names: &BTreeSet<&str>) {
        self.hashes.retain(|name, _| !names.contains(name.as_str()));
    }

    /// Writes the file for the broker.
    pub(super) fn write(&self) -> Result<(), ProvisionError> {
        let lines: String =
            self.hashes.iter().map(|(name, hash)| format!("{name}:{hash}\n")).collect();
        Ok(write(&self.path, lines.as_bytes(), Readers::Owner)?)
    }
}

/// Where it is, in the broker's folder.
pub(super) fn place(broker: &Path) -> PathBuf {
    broker.join("passwords")
}

fn hash(password: &str, salt: [u8; SALT_BYTES]) -> String {
    let mut hash = [0; HASH_BYTES];
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA512;
    pbkdf2::derive(algorithm, ITERATIONS, &salt, password.as_bytes(), &mut hash);
    format!("$7${ITERATIONS}${}${}", STANDARD.encode(salt), STANDARD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::hash;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// Made by `mosquitto_passwd` 2.0.11.
    #[test]
    fn hashes_are_those_of_mosquitto_passwd() {
        let salt = STANDARD.decode("TEEMouXp7uvXYNta").unwrap();
        assert_eq!(
            hash("secret", salt.try_into().unwrap()),
            "$7$101$TEEMouXp7uvXYNta$N6iBKwLFFvvigOwA/yJUi8LZbxJ78LtqIaIeuWRSNJWbuHbUeB7CdQ0EyJIdfq\
             Efz2Pn2+NHmAAfQIuX3U8T6A=="
        );
    }
}
