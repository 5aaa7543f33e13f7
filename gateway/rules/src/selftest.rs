//! The names of detectors that are none: each station has one, by whose alarm somebody tests
//! whether an alarm still reaches it. No statistics count them.

use sha2::{Digest as _, Sha256};

/// The area they speak from, what their ids begin with, and the broker's account for them.
pub const SELFTEST: &str = "selftest";
/// What is left of a long id, before its fingerprint.
const LONG: usize = 31;

/// The id of a station's own detector; of a long station's id the end is a fingerprint.
#[must_use]
pub fn detector(station: &str) -> String {
    let id = format!("{SELFTEST}-{station}");
    if id.len() <= standpipe_shared::Name::MAX_PLAIN {
        return id;
    }
    let print = fingerprint(station);
    format!("{}-{print:016x}", id.get(..LONG).unwrap_or_default())
}

/// Whether a device is no device, but there for these tests.
#[must_use]
pub fn is_detector(device: &str) -> bool {
    device.strip_prefix(SELFTEST).is_some_and(|rest| rest.starts_with('-'))
}

/// The same for one name wherever it is reckoned.
#[must_use]
pub fn fingerprint(name: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    digest.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{detector, fingerprint, is_detector};

    #[test]
    fn a_detectors_id_is_a_name_however_long_the_stations_is() {
        let long = "s".repeat(48);
        assert!(standpipe_shared::Name::plain(&detector(&long)).is_ok());
        assert_eq!(detector("t1"), "selftest-t1");
        assert!(is_detector(&detector(&long)) && is_detector("selftest-t1"));
        assert!(!is_detector("selftest") && !is_detector("SD-1"));
    }

    /// A station's self-test has the same numbers on every machine and in every version.
    #[test]
    fn a_name_has_one_fingerprint() {
        assert_eq!(fingerprint("t1"), 0x628b49d96dcde97a);
    }
}
