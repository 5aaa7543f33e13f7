//! Passwords, and random texts that open doors.
//!
//! Passwords are kept as argon2id with 7 MiB, 5 passes and 1 lane: of the settings that the OWASP
//! password storage cheat sheet holds to be equally strong, the one that takes the least memory,
//! because a gateway on a small machine hashes beside everything else. What was hashed with other
//! settings is checked with those.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use standpipe_machine::entropy::{Entropy, NoEntropy};

/// The shortest password somebody may choose, characters. NIST SP 800-63B asks for 8 at least.
pub const PASSWORD_AT_LEAST: usize = 10;
/// The longest, bytes: hashing must not become work for its own sake.
pub const PASSWORD_AT_MOST: usize = 256;
/// What hashing takes: KiB, and passes over them.
const MEMORY_KIB: u32 = 7_168;
const PASSES: u32 = 5;
/// What a salt takes, bytes: as RFC 9106, section 3.1, recommends for hashing passwords.
const SALT: usize = 16;
/// Letters and digits that look like nothing else when they are read aloud or copied by hand.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789!"; // `!` is drawn once more

/// Why there is no hash, or nothing random.
#[derive(Debug, thiserror::Error)]
#[error("no password can be made ({0}): report this as a fault of standpipe")]
pub struct NoSecret(String);

impl From<NoEntropy> for NoSecret {
    fn from(bad: NoEntropy) -> Self {
        Self(bad.to_string())
    }
}

/// The PHC string of a password.
///
/// # Errors
/// [`NoSecret`]: the system gives nothing random.
pub fn hashed(password: &str, entropy: &Entropy) -> Result<String, NoSecret> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None);
    let params = params.map_err(|bad| NoSecret(bad.to_string()))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt: [u8; SALT] = entropy.bytes()?;
    let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|bad| NoSecret(bad.to_string()))
}

/// Whether it is the password of that PHC string. Slow on purpose.
#[must_use]
pub fn is(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// A password for somebody to write down: four groups of five, 99 bits.
///
/// # Errors
/// [`NoSecret`].
pub fn password(entropy: &Entropy) -> Result<String, NoSecret> {
    let mut text = String::new();
    while text.len() < 23 {
        for byte in entropy.bytes::<32>()? {
            let letter = LETTERS.get(usize::from(byte & 31)).copied().unwrap_or(b'!');
            if letter == b'!' || text.len() >= 23 {
                continue;
            }
            if matches!(text.len(), 5 | 11 | 17) {
                text.push('-');
            }
            text.push(char::from(letter));
        }
    }
    Ok(text)
}

/// 192 random bits in hexadecimal: a session, a token, a form's proof.
///
/// # Errors
/// [`NoSecret`].
pub fn key(entropy: &Entropy) -> Result<String, NoSecret> {
    Ok(HEXLOWER.encode(&entropy.bytes::<24>()?))
}

/// What is stored in a key's place: its SHA-256.
#[must_use]
pub fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Whether two texts are the same; takes as long for a near miss as for a far one.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    let (one, other) = (digest(one), digest(other));
    one.iter().zip(other).fold(0, |unlike, (a, b)| unlike | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordHasher as _;

    use standpipe_machine::entropy::Entropy;

    use super::{hashed, is, key, password, same};

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let hash = hashed("correct horse", &Entropy::new()).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{hash}");
        assert!(is("correct horse", &hash));
        assert!(!is("correct hors", &hash));
        assert!(!is("correct horse", "not a hash"));
        assert_ne!(hash, hashed("correct horse", &Entropy::new()).unwrap(), "salted");
    }

    #[test]
    fn a_hash_of_an_earlier_version_still_opens() {
        let earlier = argon2::Argon2::default().hash_password(b"correct horse").unwrap();
        let earlier = earlier.to_string();
        assert!(earlier.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{earlier}");
        assert!(is("correct horse", &earlier));
        assert!(!is("correct hors", &earlier));
    }

    #[test]
    fn what_is_random_is_long_and_never_twice_the_same() {
        let (one, other) = (password(&Entropy::new()).unwrap(), password(&Entropy::new()).unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 23);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [5, 5, 5, 5], "{one}");
        assert_eq!(key(&Entropy::new()).unwrap().len(), 48);
        assert!(same("a", "a") && !same("a", "b") && !same("", "a"));
    }
}
