//! Who may speak to the broker: certificates and passwords for the gateway, the stations and every
//! device of the registry, and the files by which the broker knows them.
//!
//! | in the folder | for |
//! |---|---|
//! | `authority/` | nobody: whoever has `ca.key` can make anybody. Keep it off the broker |
//! | `broker/` | the broker: its certificate, `passwords`, `acl`, `crl.pem` |
//! | `gateway/`, `selftest/` | those programs |
//! | `devices/AREA/`, `stations/` | each device and station: certificate, key, password |
//! | `ca.pem` | everybody: how they know the broker |
//! | `issued.csv` | the next run |
//!
//! A name is the user of the broker's rules: `area/device`, `stations/station`, `gateway`,
//! `selftest`. Run again, it gives new names theirs, renews the programs' before they run out, and
//! leaves all else. Not here: what a name may read and write (`deploy/mosquitto/acl`).

pub mod authority;
mod ledger;
mod passwords;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use standpipe_rules::Ms;
use standpipe_rules::registry::{Device, Registry};
use standpipe_shared::ROOT;

use crate::private_file::{Readers, write};
use authority::{Authority, DAY_MS, Subject, Validity};
use ledger::{Ledger, Standing};
use passwords::Passwords;

/// What everybody may read and write, for the usual root.
const ACL: &str = include_str!("../../../deploy/mosquitto/acl");
/// Areas that would be something else in a topic.
const RESERVED: [&str; 3] = ["stations", "gateway", SELFTEST];
/// The name of the self-test, and the area of its devices.
pub const SELFTEST: &str = "selftest";
/// The name of the gateway.
pub const GATEWAY: &str = "gateway";
const BROKER: &str = "broker";
/// A device outlives its battery: 20 years, in days.
const DEVICE_DAYS: i64 = 20 * 365;
/// A program's certificate is renewed by running this again: 5 years, in days.
const PROGRAM_DAYS: i64 = 5 * 365;
/// A program's certificate that runs out within so many days is made anew.
const RENEW_DAYS: i64 = 365;

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A file.
    #[error("{0}: check the folder and its owner")]
    File(#[from] std::io::Error),
    /// The authority without its other half.
    #[error("{0} is missing: put it back from where it is kept; nobody would believe a new one")]
    Half(PathBuf),
    /// The list of what was issued.
    #[error("{path} can't be read ({bad}): restore it from its backup")]
    Ledger {
        /// Which.
        path: PathBuf,
        /// Why.
        bad: csv::Error,
    },
    /// A serial number in it.
    #[error("serial `{0}` of issued.csv is not hex: restore it from its backup")]
    Serial(String),
    /// Keys and certificates.
    #[error("no certificate ({0}): correct the name it is for")]
    Crypto(#[from] rcgen::Error),
    /// The system has no randomness.
    #[error("the system gives no random bytes: try again later")]
    NoRandomness,
    /// A device would be in an area that is none.
    #[error("device `{device}` would be in area `{area}`: give that station another id")]
    Area {
        /// Which device.
        device: String,
        /// The area.
        area: String,
    },
    /// Somebody is to be revoked or renewed who is not known.
    #[error("`{0}` was never given anything: write area/device, stations/ID or a device's id")]
    Unknown(String),
}

/// What is to be done beside giving everybody new theirs.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Names and addresses by which clients reach the broker.
    pub broker: Vec<String>,
    /// The root of all topics.
    pub root: String,
    /// Names to be let in no more.
    pub revoke: Vec<String>,
    /// Names to be let in with new credentials only.
    pub rotate: Vec<String>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Names that were given something.
    pub issued: usize,
    /// Names that had theirs, or are not to have any.
    pub left: usize,
    /// Certificates that were taken back.
    pub revoked: usize,
}

/// Every device of a registry by its name for the broker: `area/device`, where the area is the
/// township above its station.
///
/// # Errors
/// [`ProvisionError::Area`].
pub fn devices(registry: &Registry) -> Result<Vec<String>, ProvisionError> {
    let name = |device: &Device| {
        let area = registry.township(&device.station);
        if RESERVED.contains(&area) {
            let (device, area) = (device.id.to_string(), area.to_owned());
            return Err(ProvisionError::Area { device, area });
        }
        Ok(format!("{area}/{}", device.id))
    };
    registry.devices().iter().map(name).collect()
}

/// Every station of a registry by its name for the broker: `stations/station`.
#[must_use]
pub fn stations(registry: &Registry) -> Vec<String> {
    registry.stations().iter().map(|it| format!("stations/{}", it.id)).collect()
}

/// Makes what is missing for these names, and does what was ordered.
///
/// # Errors
/// [`ProvisionError`]; what was made until then is kept, and left as it is by the next run.
pub fn provision(
    folder: &Path,
    names: &[String],
    order: &Order,
    now: Ms,
) -> Result<Done, ProvisionError> {
    let broker = folder.join(BROKER);
    let mut it = Maker {
        folder,
        authority: Authority::open(&folder.join("authority"), now)?,
        ledger: Ledger::open(ledger::place(folder))?,
        passwords: Passwords::open(passwords::place(&broker))?,
        now,
    };
    let mut done = Done::default();
    let rotate = it.known(&order.rotate, names)?;
    let revoke = it.known(&order.revoke, names)?;
    let gone: BTreeSet<&str> = revoke.iter().chain(&rotate).map(String::as_str).collect();
    done.revoked = it.ledger.revoke(&gone, now)?;
    it.passwords.remove(&gone);
    it.programs(order, &rotate, &mut done)?;
    for name in names {
        if it.wants(name, &rotate, 0) {
            it.client(name)?;
            done.issued += 1;
        } else {
            done.left += 1;
        }
    }
    it.passwords.write()?;
    let list = it.authority.revoked(&it.ledger.refused(), now)?;
    write(&broker.join("crl.pem"), list.as_bytes(), Readers::All)?;
    let acl = ACL.replace(&format!(" {ROOT}/"), &format!(" {}/", order.root));
    write(&broker.join("acl"), acl.as_bytes(), Readers::Owner)?;
    Ok(done)
}

/// What everything is made with.
struct Maker<'a> {
    folder: &'a Path,
    authority: Authority,
    ledger: Ledger,
    passwords: Passwords,
    now: Ms,
}

impl Maker<'_> {
    /// Full names for what somebody wrote.
    fn known(
        &self,
        written: &[String],
        names: &[String],
    ) -> Result<BTreeSet<String>, ProvisionError> {
        let full = |it: &String| {
            let end = format!("/{it}");
            let named = names.iter().find(|name| *name == it || name.ends_with(&end));
            let name = named.unwrap_or(it);
            let known = named.is_some() || self.ledger.standing(name) != Standing::New;
            known.then(|| name.clone()).ok_or_else(|| ProvisionError::Unknown(it.clone()))
        };
        written.iter().map(full).collect()
    }

    /// Whether a name is to be given something.
    fn wants(&self, name: &str, rotate: &BTreeSet<String>, renew_days: i64) -> bool {
        rotate.contains(name)
            || match self.ledger.standing(name) {
                Standing::New => true,
                Standing::Holds(until) => renew_days > 0 && until - self.now < renew_days * DAY_MS,
                Standing::Revoked => false,
            }
    }

    /// The broker, the gateway and the self-test; each with the authority's certificate beside it.
    fn programs(
        &mut self,
        order: &Order,
        rotate: &BTreeSet<String>,
        done: &mut Done,
    ) -> Result<(), ProvisionError> {
        let certificate = self.authority.certificate.clone();
        write(&self.folder.join("ca.pem"), certificate.as_bytes(), Readers::All)?;
        let names_file = self.folder.join(BROKER).join("names");
        let names = order.broker.join("\n");
        let moved = std::fs::read_to_string(&names_file).ok().as_ref() != Some(&names);
        for name in [BROKER, GATEWAY, SELFTEST] {
            let folder = self.folder.join(name);
            write(&folder.join("ca.pem"), certificate.as_bytes(), Readers::All)?;
            let renew = name == BROKER && moved || self.wants(name, rotate, RENEW_DAYS);
            if !renew {
                done.left += 1;
                continue;
            }
            let subject =
                if name == BROKER { Subject::Broker(&order.broker) } else { Subject::Client(name) };
            self.certificate(name, &subject, (&folder.join(name), PROGRAM_DAYS))?;
            done.issued += 1;
        }
        Ok(write(&names_file, names.as_bytes(), Readers::All)?)
    }

    /// A device or a station: a certificate and a password.
    fn client(&mut self, name: &str) -> Result<(), ProvisionError> {
        let kind = if name.starts_with("stations/") { "" } else { "devices" };
        let place = self.folder.join(kind).join(name);
        self.certificate(name, &Subject::Client(name), (&place, DEVICE_DAYS))?;
        let password = self.passwords.renew(name)?;
        Ok(write(&beside(&place, "password"), password.as_bytes(), Readers::Owner)?)
    }

    fn certificate(
        &mut self,
        name: &str,
        subject: &Subject,
        (place, days): (&Path, i64),
    ) -> Result<(), ProvisionError> {
        let when = Validity::days(self.now, days);
        let made = self.authority.issue(subject, when)?;
        self.ledger.add(name, &made.serial, when.until)?;
        write(&beside(place, "key"), made.key.as_bytes(), Readers::Owner)?;
        Ok(write(&beside(place, "pem"), made.certificate.as_bytes(), Readers::All)?)
    }
}

/// A name may hold no dot, so that nothing of it is taken for an extension.
fn beside(place: &Path, extension: &str) -> PathBuf {
    let mut path = place.as_os_str().to_owned();
    path.push(".");
    path.push(extension);
    path.into()
}

fn read(path: &Path) -> Result<String, ProvisionError> {
    std::fs::read_to_string(path).map_err(|bad| {
        let told = format!("{} can't be read ({bad})", path.display());
        std::io::Error::new(bad.kind(), told).into()
    })
}

#[cfg(test)]
mod tests;
