//! Who a device is and whom it talks to: one page of storage, written when the device is made.
//!
//! | bytes | what |
//! |---|---|
//! | 0, 1 | length of the JSON, little-endian |
//! | 2 to 5 | CRC-32 (ISO-HDLC) of the JSON, little-endian |
//! | 6 … | JSON of [`Identity`] |
//!
//! The device never writes it. How the device measures and reports comes from the gateway:
//! [`crate::settings`].

use core::fmt;

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use serde::{Deserialize, Serialize};
use standpipe_shared::{Kind, Name, Settings};

use crate::settings;
use crate::smoke::Chamber;
use crate::uplink::{Account, Habits};

/// The size of the page, bytes.
pub const PAGE: usize = 512;
/// The longest name of a host (RFC 1035, §2.3.4), and of an access point, bytes.
pub(crate) const HOST: usize = 253;
pub(crate) const APN: usize = 63;
/// What a chamber of any use counts, in clean air and for 1 dB/m: outside it the fixture was wrong.
const CLEAN: core::ops::RangeInclusive<u32> = 200..=20_000;
const PER_DB_M: core::ops::RangeInclusive<u32> = 1_000..=60_000;
/// What precedes the JSON.
const HEAD: usize = 6;
/// Slow and small: it is used once a start.
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// What is written on the page. Text is plain: no character that JSON must escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity<'a> {
    /// What all topics begin with.
    pub root: &'a str,
    /// The code of the township that installed it.
    pub area: &'a str,
    /// The device's own name; also its MQTT client id.
    pub device: &'a str,
    pub kind: Kind,
    /// The broker's name or address, as the modem dials it.
    pub host: &'a str,
    /// The broker's port; 0: [`Self::dialled`] knows.
    #[serde(default)]
    pub port: u16,
    /// The modem encrypts the line, and checks the broker's certificate by the authority in its
    /// file `ca.pem`. A device without `user` shows a certificate of its own: `client.pem` and
    /// `client.key`.
    #[serde(default)]
    pub tls: bool,
    /// The access point of the SIM's network; empty: the network chooses.
    #[serde(default)]
    pub apn: &'a str,
    /// The name to log in with; empty: none.
    #[serde(default)]
    pub user: &'a str,
    /// The password to log in with.
    #[serde(default)]
    pub password: &'a str,
    /// It has mains and stays connected; on a battery it says what it has to say, and sleeps.
    pub mains: bool,
    /// Seconds after which broker and device take each other for dead.
    pub keep_alive_s: u16,
    /// The longest wait between two attempts to connect, seconds.
    pub retry_s: u16,
    /// Seconds that may pass without progress before the watchdog bites.
    pub watchdog_s: u16,
    /// What this detector's chamber counts in clean air, and what 1 dB/m counts above that: measured
    /// in clean air and in a smoke box when it was made. 0: nobody has, and it says so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub chamber_clean: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub chamber_per_db_m: u32,
    /// For the bench: this long after power came on, one task hangs, so that the watchdog can be
    /// seen to bite. 0: never.
    #[serde(default)]
    pub hang_s: u16,
}

/// Not written: the page has no room for what is not so.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why a page does not say who the device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadableIdentity {
    /// It was never written.
    Blank,
    /// Length or checksum are wrong: it was written badly, or has decayed.
    Damaged,
    /// The JSON is not an identity: it was made by another version of the tool.
    Strange,
    /// `area` or `device` is not a name of the contract, a number is 0 that must not be, or a
    /// chamber counts what no chamber does.
    Invalid,
}

impl fmt::Display for UnreadableIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blank => "identity page is blank: write it before the device is installed",
            Self::Damaged => "identity page has a wrong checksum: write it again",
            Self::Strange => "identity page is of another version: write it again",
            Self::Invalid => "identity page has an invalid name or number: write it again",
        })
    }
}

/// The identity does not fit on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl<'a> Identity<'a> {
    /// Reads a page.
    ///
    /// # Errors
    /// [`UnreadableIdentity`] says why the device does not know who it is.
    pub fn read(page: &'a [u8]) -> Result<Self, UnreadableIdentity> {
        let Some((&[l0, l1, c0, c1, c2, c3], rest)) = page.split_first_chunk::<HEAD>() else {
            return Err(UnreadableIdentity::Damaged);
        };
        if page.iter().all(|byte| *byte == 0xff) || page.iter().all(|byte| *byte == 0) {
            return Err(UnreadableIdentity::Blank);
        }
        let json = rest.get(..usize::from(u16::from_le_bytes([l0, l1])));
        let json = json.ok_or(UnreadableIdentity::Damaged)?;
        if CRC.checksum(json) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(UnreadableIdentity::Damaged);
        }
        let (identity, _) =
            serde_json_core::from_slice::<Self>(json).map_err(|_| UnreadableIdentity::Strange)?;
        if identity.sound() { Ok(identity) } else { Err(UnreadableIdentity::Invalid) }
    }

    fn sound(&self) -> bool {
        let named = [self.area, self.device].iter().all(|name| Name::plain(name).is_ok());
        let reached = !self.root.is_empty() && (1..=HOST).contains(&self.host.len());
        let reached = reached && self.apn.len() <= APN;
        // One without the other is a slip, and a chamber that counts nothing is dead.
        let chamber = match (self.chamber_clean, self.chamber_per_db_m) {
            (0, 0) => true,
            (clean, per_db_m) => CLEAN.contains(&clean) && PER_DB_M.contains(&per_db_m),
        };
        let named = named && chamber;
        named && reached && self.keep_alive_s > 0 && self.retry_s > 0 && self.watchdog_s > 0
    }

    /// As the broker knows it; `None` for an identity that was not read from a page.
    #[must_use]
    pub fn account(&self) -> Option<Account<'a>> {
        let given = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        Some(Account {
            root: self.root,
            area: Name::plain(self.area).ok()?,
            device: Name::plain(self.device).ok()?,
            user: given(self.user),
            password: given(self.password).map(str::as_bytes),
        })
    }

    /// The broker's port: the one that is written, or that of `deploy/mosquitto` for a device that
    /// comes like this.
    #[must_use]
    pub const fn dialled(&self) -> u16 {
        match (self.port, self.tls, self.user.is_empty()) {
            (0, false, _) => 1883,
            (0, true, true) => 8883,
            (0, true, false) => 8884,
            (port, _, _) => port,
        }
    }

    /// What it runs until the gateway says otherwise.
    #[must_use]
    pub fn settings(&self) -> Settings {
        match (self.kind, self.mains) {
            (Kind::Hydrant, false) => settings::battery(),
            (Kind::Hydrant, true) | (Kind::Smoke, _) => settings::defaults(),
        }
    }

    /// Its chamber, as it was measured when it was made; or one of its type.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of a 16-bit converter")]
    pub const fn chamber(&self) -> Chamber {
        match (self.chamber_clean, self.chamber_per_db_m) {
            (0, 0) => Chamber::TYPICAL,
            (clean, per_db_m) => Chamber::measured(clean as f32, per_db_m as f32),
        }
    }

    /// How it uses its connection.
    #[must_use]
    pub const fn habits(&self) -> Habits {
        let habits = if self.mains { Habits::ALWAYS } else { Habits::BRIEFLY };
        let retry_ms = self.retry_s as u64 * 1_000;
        Habits { keep_alive_s: self.keep_alive_s, retry_ms, ..habits }
    }

    /// Writes a page and says how much of it is used.
    ///
    /// # Errors
    /// [`TooLong`]
    pub fn write(&self, page: &mut [u8]) -> Result<usize, TooLong> {
        let (head, rest) = page.split_first_chunk_mut::<HEAD>().ok_or(TooLong)?;
        let length = serde_json_core::to_slice(self, rest).map_err(|_| TooLong)?;
        let [l0, l1] = u16::try_from(length).map_err(|_| TooLong)?.to_le_bytes();
        let sum = CRC.checksum(rest.get(..length).unwrap_or_default());
        let [c0, c1, c2, c3] = sum.to_le_bytes();
        *head = [l0, l1, c0, c1, c2, c3];
        Ok(HEAD + length)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{APN, HOST, Identity, PAGE, TooLong, UnreadableIdentity};
    use crate::smoke::Chamber;
    use proptest::prelude::{any, proptest};
    use standpipe_shared::{Kind, ROOT};

    const H1: Identity<'_> = Identity {
        root: ROOT,
        area: "t-1",
        device: "H-1",
        kind: Kind::Hydrant,
        host: "broker.example",
        port: 8_884,
        tls: true,
        apn: "iot.example",
        user: "H-1",
        password: "secret",
        mains: false,
        keep_alive_s: 1_200,
        retry_s: 900,
        watchdog_s: 120,
        chamber_clean: 0,
        chamber_per_db_m: 0,
        hang_s: 0,
    };

    fn page(identity: &Identity<'_>) -> [u8; PAGE] {
        let mut page = [0xff; PAGE];
        assert!(identity.write(&mut page).is_ok());
        page
    }

    #[test]
    fn what_is_written_is_read_and_every_flipped_bit_is_noticed() {
        let mut written = [0xff; PAGE];
        let used = H1.write(&mut written).unwrap();
        assert_eq!(Identity::read(&written), Ok(H1));
        for bit in 0..used * 8 {
            let mut flipped = written;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Identity::read(&flipped), Err(UnreadableIdentity::Damaged), "bit {bit}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_page_that_names_nobody_says_why() {
        assert_eq!(Identity::read(&[0xff; PAGE]), Err(UnreadableIdentity::Blank));
        assert_eq!(Identity::read(&[0; PAGE]), Err(UnreadableIdentity::Blank));
        assert_eq!(Identity::read(&[1, 2]), Err(UnreadableIdentity::Damaged));
        for bad in [
            Identity { area: "t 1", ..H1 }, Identity { device: "", ..H1 },
            Identity { host: &"h".repeat(HOST + 1), ..H1 }, Identity { apn: &"a".repeat(APN + 1), ..H1 },
            Identity { host: "", ..H1 }, Identity { root: "", ..H1 }, Identity { keep_alive_s: 0, ..H1 },
            Identity { retry_s: 0, ..H1 }, Identity { watchdog_s: 0, ..H1 },
            Identity { chamber_clean: 1_500, ..H1 }, Identity { chamber_per_db_m: 8_000, ..H1 },
            Identity { chamber_clean: 150, chamber_per_db_m: 8_000, ..H1 },
            Identity { chamber_clean: 1_500, chamber_per_db_m: 80, ..H1 },
        ] {
            assert_eq!(Identity::read(&page(&bad)), Err(UnreadableIdentity::Invalid), "{bad:?}");
        }
        assert_eq!(H1.write(&mut [0; 40]), Err(TooLong));
        assert_eq!(H1.write(&mut [0; 4]), Err(TooLong));
    }

    #[test]
    fn the_page_of_another_version_is_told_from_a_damaged_one() {
        let mut other = page(&H1);
        let at = other.windows(4).position(|letters| letters == b"area").unwrap();
        other[at] = b'A';
        let length = usize::from(u16::from_le_bytes([other[0], other[1]]));
        let sum = super::CRC.checksum(&other[6..6 + length]);
        other[2..6].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Identity::read(&other), Err(UnreadableIdentity::Strange));
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_port_that_is_not_written_is_the_one_that_is_open_for_it() {
        for (tls, user, port, dialled) in [
            (false, "",    0,     1883),
            (false, "H-1", 0,     1883),
            (true,  "",    0,     8883),
            (true,  "H-1", 0,     8884),
            (true,  "H-1", 4_433, 4_433),
        ] {
            let identity = Identity { tls, user, port, ..H1 };
            assert_eq!(identity.dialled(), dialled, "{identity:?}");
        }
        let page = page(&Identity { port: 0, ..H1 });
        assert_eq!(Identity::read(&page).map(|identity| identity.dialled()), Ok(8884));
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_hydrant_on_a_battery_samples_rarely_until_it_is_told_otherwise() {
        for (kind, mains, sample_s) in [
            (Kind::Hydrant, false, 60), (Kind::Hydrant, true, 5), (Kind::Smoke, false, 5), (Kind::Smoke, true, 5),
        ] {
            let settings = Identity { kind, mains, ..H1 }.settings();
            assert_eq!((settings.sample_s, settings.faults().count()), (sample_s, 0), "{kind:?} {mains}");
        }
    }

    #[test]
    fn a_chamber_is_the_measured_one_or_says_that_it_is_not() {
        assert_eq!(H1.chamber(), Chamber::TYPICAL);
        let measured = Identity { chamber_clean: 1_480, chamber_per_db_m: 7_900, ..H1 };
        let page = page(&measured);
        let read = Identity::read(&page).map(|identity| identity.chamber());
        assert_eq!(read, Ok(Chamber::measured(1_480.0, 7_900.0)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..PAGE)) {
            assert!(Identity::read(&bytes).is_err());
        }
    }
}
