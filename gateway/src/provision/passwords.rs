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
use standpipe_machine::private_file::{ReadableBy, write};

use super::authority::random;
use super::{ProvisionError, read};

/// As `mosquitto_passwd` has it.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(101).unwrap();
const SALT_BYTES: usize = 12;
const HASH_BYTES: usize = 64;
const PASSWORD_BYTES: usize = 18;

/// Above what is ours; what is not is above it, as it was written.
const HEADING: &str = "# Below: made by standpipe provision";

/// All names and the hashes of their passwords, and whatever else somebody wrote into the file.
#[derive(Debug)]
pub(super) struct Passwords {
    path: PathBuf,
    hashes: BTreeMap<String, String>,
    /// In the order of the file: every line with the name in it, if there is one.
    lines: Vec<(Option<String>, String)>,
}

impl Passwords {
    /// What was written, or nothing yet.
    pub(super) fn open(path: PathBuf) -> Result<Self, ProvisionError> {
        let text = if path.exists() { read(&path)? } else { String::new() };
        let account = |line: &str| {
            let (name, hash) = line.split_once(':').filter(|_| !line.starts_with('#'))?;
            Some((name.to_owned(), hash.to_owned()))
        };
        let line = |text: &str| (account(text).map(|(name, _)| name), text.to_owned());
        let lines = text.lines().filter(|line| *line != HEADING).map(line).collect();
        Ok(Self { path, hashes: text.lines().filter_map(account).collect(), lines })
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

    /// Writes the file for the broker: accounts of `ours`, those that were ever given something, as they
    /// are now, and every other line as it was.
    pub(super) fn write(&self, ours: &BTreeSet<&str>) -> Result<(), ProvisionError> {
        let by_hand =
            |name: &Option<String>| !name.as_ref().is_some_and(|name| ours.contains(&**name));
        let mut text: String = self
            .lines
            .iter()
            .filter(|(name, _)| by_hand(name))
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        text.push_str(HEADING);
        text.push('\n');
        for (name, hash) in self.hashes.iter().filter(|(name, _)| ours.contains(name.as_str())) {
            text.push_str(&format!("{name}:{hash}\n"));
        }
        Ok(write(&self.path, text.as_bytes(), ReadableBy::Owner)?)
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
    use super::{HEADING, Passwords, hash};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn what_somebody_added_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwords");
        let mine = "# mine: not ours\nviewer:$7$101$a$b\n\nother:x\n";
        std::fs::write(&path, format!("t1/H1:old\n{mine}t1/H2:kept\nt9/H9:gone\n")).unwrap();
        let ours = ["t1/H1", "t1/H2", "t9/H9"].into();
        let mut after = String::new();
        for _ in 0..2 {
            let mut passwords = Passwords::open(path.clone()).unwrap();
            passwords.hashes.insert("t1/H1".into(), "new".into());
            passwords.remove(&["t9/H9"].into());
            passwords.write(&ours).unwrap();
            after = std::fs::read_to_string(&path).unwrap();
            assert_eq!(after, format!("{mine}{HEADING}\nt1/H1:new\nt1/H2:kept\n"));
        }
        // As `mosquitto_passwd` appends.
        std::fs::write(&path, after + "late:y\n").unwrap();
        Passwords::open(path.clone()).unwrap().write(&ours).unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        assert_eq!(after, format!("{mine}late:y\n{HEADING}\nt1/H1:new\nt1/H2:kept\n"));
    }

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
