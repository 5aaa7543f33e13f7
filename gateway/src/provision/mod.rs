//! Who may speak to the broker: certificates and passwords for the gateway, the stations and every
//! device of the registry, and the files by which the broker knows them.
//!
//! | in the folder | for |
//! |---|---|
//! | `authority/` | nobody: whoever has a `ca.key` can make anybody. Keep it off the broker |
//! | `broker/` | the broker: its certificate, `passwords`, `acl`, and for devices (`ca.pem`) and programs (`programs.pem`) whom it believes and whom no more (`crl.pem`, `programs-crl.pem`) |
//! | `gateway/`, `selftest/` | those programs |
//! | `devices/AREA/`, `stations/` | each device and station: certificate, key, password |
//! | `bridges/` | each bridge: the same, and the devices it speaks for |
//! | `ca.pem` | everybody: how they know the broker |
//! | `issued.csv` | the next run |
//!
//! A name is the user of the broker's rules: `area/device`, `stations/station`, `bridge-NAME`,
//! `gateway`, `selftest`; a device whose id the broker's files cannot hold signs in under another
//! ([`mod@account`]). What was added by hand to `acl` and `passwords` stays. Run again, it gives new
//! names theirs, renews the programs' before they run out, and
//! leaves all else; the broker's names and the root of all topics are those of the run before, unless
//! it is told others. Not here: what a name may read and write (`deploy/mosquitto/acl`).

pub mod account;
pub mod authority;
pub mod bridges;
mod ledger;
mod passwords;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use account::account;
use authority::{Authority, CertificateSubject, Validity};
use ledger::{Ledger, Standing};
use passwords::Passwords;
use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_machine::small_file;
use standpipe_rules::registry::{Device, RESERVED_AREAS, Registry};
use standpipe_rules::selftest::SELFTEST;
use standpipe_rules::{DAY_MS, Ms};
use standpipe_shared::ROOT;

use self::bridges::Bridge;

/// What a station's name begins with.
const STATIONS: &str = "stations/";
/// The largest of the files that were made before, bytes: a line for each of a million devices.
const FILE_AT_MOST: u64 = 256 * 1024 * 1024;
/// The name of the gateway.
pub const GATEWAY: &str = "gateway";
const BROKER: &str = "broker";
/// The broker's names where nobody ever said any.
const USUAL_BROKER: [&str; 2] = ["localhost", "127.0.0.1"];
/// A device outlives its battery: 20 years, in days.
const DEVICE_DAYS: i64 = 20 * 365;
/// A program's certificate is renewed by running this again: 5 years, in days.
const PROGRAM_DAYS: i64 = 5 * 365;
/// A program's certificate that runs out within so many days is made anew.
const RENEW_DAYS: i64 = 365;

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A file cannot be read or written.
    #[error("{0}: check the folder and its owner")]
    File(#[from] std::io::Error),
    /// The authority without its other half.
    #[error("{0} is missing: put it back from where it is kept; nobody would believe a new one")]
    Half(PathBuf),
    /// The list of what was issued.
    #[error("{path} can't be read ({bad}): restore it from its backup")]
    Ledger { path: PathBuf, bad: csv::Error },
    /// A serial number in it is not one.
    #[error("serial `{0}` of issued.csv is not hex: restore it from its backup")]
    Serial(String),
    /// Keys or certificates cannot be made.
    #[error("no certificate ({0}): correct the name it is for")]
    Crypto(#[from] rcgen::Error),
    /// The system has no randomness.
    #[error("the system gives no random bytes: try again later")]
    NoRandomness,
    /// A device would be in an area that is none.
    #[error("device `{device}` would be in area `{area}`: give that station another id")]
    Area { device: String, area: String },
    /// A bridge of a name that can't be one.
    #[error("bridge `{0}`: use 1 to 48 of A-Z, a-z, 0-9, _ and -")]
    Bridge(String),
    /// A bridge for a device that is in no registry.
    #[error(
        "`--devices` names `{0}`, which is no device of the registry: add it there, or correct it"
    )]
    NoDevice(String),
    /// Somebody is to be revoked or renewed who is not known.
    #[error("`{0}` was never given anything: write area/device, stations/ID or a device's id")]
    Unknown(String),
}

/// What is to be done beside giving everybody new theirs.
#[derive(Clone, Debug, Default)]
pub struct ProvisionOrder {
    /// Names and addresses by which clients reach the broker; empty: those of the run before, or
    /// else this machine's own.
    pub broker: Vec<String>,
    /// The root of all topics; `None`: that of the run before, or else the usual one.
    pub root: Option<String>,
    /// Names to be let in no more.
    pub revoke: Vec<String>,
    /// Names to be let in with new credentials only.
    pub rotate: Vec<String>,
    /// Programs that speak for devices, and for which.
    pub bridges: Vec<Bridge>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProvisionCounts {
    /// Names that were given credentials.
    pub issued: usize,
    /// Names that had theirs, or are not to have any.
    pub left: usize,
    /// Certificates that were revoked.
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
        if RESERVED_AREAS.contains(&area) {
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
    registry.stations().iter().map(|station| format!("stations/{}", station.id)).collect()
}

/// Makes what is missing for these names, and does what was ordered.
///
/// # Errors
/// [`ProvisionError`]; what was made until then is kept, and left as it is by the next run.
pub fn provision(
    folder: &Path,
    names: &[String],
    order: &ProvisionOrder,
    now: Ms,
) -> Result<ProvisionCounts, ProvisionError> {
    let broker = folder.join(BROKER);
    let authority = folder.join("authority");
    let mut maker = Provisioner {
        folder,
        authority: Authority::open(&authority, now)?,
        programs: Authority::of_programs(&authority, now)?,
        ledger: Ledger::open(ledger::place(folder))?,
        passwords: Passwords::open(passwords::place(&broker))?,
        now,
    };
    let mut done = ProvisionCounts::default();
    let bridges = order.bridges.iter().map(|bridge| bridge.account.clone());
    let names: Vec<String> = names.iter().cloned().chain(bridges).collect();
    let rotate = maker.known(&order.rotate, &names)?;
    let revoke = maker.known(&order.revoke, &names)?;
    let gone: BTreeSet<&str> = revoke.iter().chain(&rotate).map(String::as_str).collect();
    done.revoked = maker.ledger.revoke(&gone, now)?;
    let accounts: Vec<_> = gone.iter().map(|name| account(name)).collect();
    maker.passwords.remove(&accounts.iter().map(|account| &**account).collect());
    maker.programs(&broker_names(order, &broker), &rotate, &mut done)?;
    for name in &names {
        if maker.wants(name, &rotate, 0) {
            maker.client(name)?;
            done.issued += 1;
        } else {
            done.left += 1;
        }
    }
    let ours: Vec<_> = maker.ledger.names().map(account).collect();
    maker.passwords.write(&ours.iter().map(|account| &**account).collect())?;
    let refused = maker.ledger.refused();
    for (authority, file) in [(&maker.authority, "crl.pem"), (&maker.programs, "programs-crl.pem")]
    {
        let list = authority.revoked(&refused, now)?;
        write(&broker.join(file), list.as_bytes(), ReadableBy::All)?;
    }
    let place = broker.join("acl");
    let before = if place.exists() { read(&place)? } else { String::new() };
    let root = order.root.clone().or_else(|| rules::root(&before));
    let root = root.as_deref().unwrap_or(ROOT);
    let holds = |name: &str| matches!(maker.ledger.standing(name), Standing::Holds(_));
    let bridges: Vec<Bridge> =
        order.bridges.iter().filter(|bridge| holds(&bridge.account)).cloned().collect();
    let others = account::rules(root, maker.ledger.names().filter(|name| holds(name)));
    let acl = rules::file(&before, root, &bridges, &others);
    write(&place, acl.as_bytes(), ReadableBy::Owner)?;
    Ok(done)
}

/// Those of these names that hold keys, or did: the others are let in by nobody anyway.
///
/// # Errors
/// [`ProvisionError`]: the list of what was issued can't be read.
pub fn held(folder: &Path, written: &[String]) -> Result<Vec<String>, ProvisionError> {
    let ledger = Ledger::open(ledger::place(folder))?;
    let holds = |typed: &&String| {
        let end = format!("/{typed}");
        ledger.names().any(|name| name == typed.as_str() || name.ends_with(&end))
    };
    Ok(written.iter().filter(holds).cloned().collect())
}

/// Copies the broker's files to where it reads them; they are whose the folder is, and nobody else's to
/// read. Each is there whole or not at all.
///
/// # Errors
/// A file can't be read or written.
pub fn install_for_broker(folder: &Path, to: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let owner = std::fs::metadata(to)?;
    for entry in std::fs::read_dir(folder.join(BROKER))? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        let place = to.join(entry.file_name());
        let new = to.join(format!(".{}.new", entry.file_name().to_string_lossy()));
        std::fs::copy(entry.path(), &new)?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
        let mine = std::fs::metadata(&new)?;
        if (mine.uid(), mine.gid()) != (owner.uid(), owner.gid()) {
            chown(&new, Some(owner.uid()), Some(owner.gid()))?;
        }
        std::fs::rename(&new, &place)?;
    }
    Ok(())
}

/// Devices that were moved to another township since they were given their keys, as (old name, new
/// name): with the old ones they are still let in, so that none falls silent before it has its new
/// ones.
///
/// # Errors
/// [`ProvisionError`]: the list of what was issued can't be read.
pub fn moved(folder: &Path, names: &[String]) -> Result<Vec<(String, String)>, ProvisionError> {
    let ledger = Ledger::open(ledger::place(folder))?;
    let devices = names.iter().filter(|name| !name.starts_with(STATIONS));
    let known: BTreeMap<&str, &str> =
        devices.filter_map(|name| Some((name.split_once('/')?.1, name.as_str()))).collect();
    let old = ledger.names().filter(|name| matches!(ledger.standing(name), Standing::Holds(_)));
    let moved = old.filter_map(|old| {
        let (area, device) = old.split_once('/').filter(|_| !old.starts_with(STATIONS))?;
        let new = known
            .get(device)
            .filter(|new| new.split_once('/').is_some_and(|(its_area, _)| its_area != area))?;
        Some((old.to_owned(), (*new).to_owned()))
    });
    Ok(moved.collect())
}

/// Those of these names that sign in under another, as (name, account).
#[must_use]
pub fn accounts(names: &[String]) -> Vec<(&str, String)> {
    let other = |name: &str| account(name).into_owned();
    let all = names.iter().map(|name| (name.as_str(), other(name)));
    all.filter(|(name, account)| name != account).collect()
}

/// What the broker is called: as it was said now, or before, or nowhere.
fn broker_names(order: &ProvisionOrder, broker: &Path) -> Vec<String> {
    if !order.broker.is_empty() {
        return order.broker.clone();
    }
    let said = small_file::read_text(&broker.join("names")).unwrap_or_default();
    let said: Vec<String> = said.lines().map(str::to_owned).collect();
    if said.is_empty() { USUAL_BROKER.map(str::to_owned).to_vec() } else { said }
}

/// What everything is made with.
struct Provisioner<'a> {
    folder: &'a Path,
    authority: Authority,
    programs: Authority,
    ledger: Ledger,
    passwords: Passwords,
    now: Ms,
}

impl Provisioner<'_> {
    /// Full names for what somebody wrote; for a device's id alone, also those it had in townships
    /// where it is no more.
    fn known(
        &self,
        written: &[String],
        names: &[String],
    ) -> Result<BTreeSet<String>, ProvisionError> {
        let mut all = BTreeSet::new();
        for typed in written {
            let end = format!("/{typed}");
            let theirs = names.iter().map(String::as_str).chain(self.ledger.names());
            let found: Vec<String> = theirs
                .filter(|name| name == typed || name.ends_with(&end))
                .map(str::to_owned)
                .collect();
            if found.is_empty() {
                return Err(ProvisionError::Unknown(typed.clone()));
            }
            all.extend(found);
        }
        Ok(all)
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
        names: &[String],
        rotate: &BTreeSet<String>,
        done: &mut ProvisionCounts,
    ) -> Result<(), ProvisionError> {
        let certificate = self.authority.certificate.clone();
        write(&self.folder.join("ca.pem"), certificate.as_bytes(), ReadableBy::All)?;
        let broker = self.folder.join(BROKER);
        let (names_file, believed_file) = (broker.join("names"), broker.join("programs.pem"));
        let is =
            |file: &Path, text: &str| small_file::read_text(file).is_ok_and(|there| there == text);
        let (written, believed) = (names.join("\n"), self.programs.certificate.clone());
        // Keys of programs from before they had an authority of their own are believed no more.
        let (renamed, other) = (!is(&names_file, &written), !is(&believed_file, &believed));
        for name in [BROKER, GATEWAY, SELFTEST] {
            let folder = self.folder.join(name);
            write(&folder.join("ca.pem"), certificate.as_bytes(), ReadableBy::All)?;
            let must = if name == BROKER { renamed } else { other };
            if !must && !self.wants(name, rotate, RENEW_DAYS) {
                done.left += 1;
                continue;
            }
            let subject = if name == BROKER {
                CertificateSubject::Broker(names)
            } else {
                CertificateSubject::Client(name)
            };
            self.certificate(name, &subject, &folder.join(name), PROGRAM_DAYS)?;
            done.issued += 1;
        }
        write(&believed_file, believed.as_bytes(), ReadableBy::All)?;
        Ok(write(&names_file, written.as_bytes(), ReadableBy::All)?)
    }

    /// A device or a station: a certificate and a password.
    fn client(&mut self, name: &str) -> Result<(), ProvisionError> {
        let account = account(name);
        let place = match bridges::name(name) {
            Some(bridge) => self.folder.join("bridges").join(bridge),
            None if name.starts_with(STATIONS) => self.folder.join(&*account),
            None => self.folder.join("devices").join(&*account),
        };
        self.certificate(name, &CertificateSubject::Client(&account), &place, DEVICE_DAYS)?;
        let password = self.passwords.renew(&account)?;
        Ok(write(&beside(&place, "password"), password.as_bytes(), ReadableBy::Owner)?)
    }

    fn certificate(
        &mut self,
        name: &str,
        subject: &CertificateSubject,
        place: &Path,
        days: i64,
    ) -> Result<(), ProvisionError> {
        let when = Validity::days(self.now, days);
        let program = [GATEWAY, SELFTEST].contains(&name);
        let authority = if program { &self.programs } else { &self.authority };
        let made = authority.issue(subject, when)?;
        self.ledger.add(name, &made.serial, when.until)?;
        write(&beside(place, "key"), made.key.as_bytes(), ReadableBy::Owner)?;
        Ok(write(&beside(place, "pem"), made.certificate.as_bytes(), ReadableBy::All)?)
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
    let bytes = small_file::read(path, FILE_AT_MOST);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other));
    text.map_err(|bad| {
        let told = format!("{} can't be read ({bad})", path.display());
        std::io::Error::new(bad.kind(), told).into()
    })
}

#[cfg(test)]
mod tests;
