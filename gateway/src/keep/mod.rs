//! Copies of everything that must not be lost: made while the gateway runs, and put back.
//!
//! A backup is a folder `standpipe-20261123T200000Z` of every database there is ([`standpipe_store::files`]), the
//! registry as `stations.csv` and `devices.csv` (to read, and for other programs), and
//! the configuration with the files it names: so it holds secrets, and only its owner may read it.
//! History in InfluxDB is not in it (`influx backup`), nor is what the broker keeps. How many
//! backups are kept is up to the command (`cli/backup.rs`).

pub mod config;
pub mod made;

use std::fs::File;
use std::path::{Path, PathBuf};

use standpipe_lists::{write_devices, write_stations};
use standpipe_machine::clock::in_file_names;
use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_rules::Ms;
use standpipe_rules::registry::{Device, Station};
use standpipe_rules::selftest;
use standpipe_store::copy::{CopyError, copy, damage};
use standpipe_store::epoch;
use standpipe_store::files::{Database, beside, set_aside};
use standpipe_store::lost::accept;
use standpipe_store::{Lock, Reader, StoreError};

/// The folder of the configuration and the files it names.
pub const CONFIG: &str = "config";

/// Why nothing was copied, or put back.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// A file or folder cannot be read or written.
    #[error("{0}: check the folder, its owner, and the room on the disk")]
    File(#[from] std::io::Error),
    /// SQLite could not copy a database.
    #[error("{path} can't be copied ({bad}): check the disk")]
    Copy { path: PathBuf, bad: CopyError },
    /// The registry in the store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no store to copy.
    #[error("no store at {0}: check `store.path`")]
    NoStore(PathBuf),
    /// The copy is damaged.
    #[error("{path} is damaged ({why}): take an older backup")]
    Damaged {
        path: PathBuf,
        /// As SQLite says it.
        why: String,
    },
}

/// What a backup is made of.
#[derive(Clone, Copy, Debug)]
pub struct BackupParts<'a> {
    pub config: &'a Path,
    /// The store; the other databases are beside it, those that there are.
    pub store: &'a Path,
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBackup {
    pub folder: PathBuf,
    /// How many stations and devices are in it.
    pub registry: (usize, usize),
    /// Files that the configuration names and that are not in it.
    pub missing: Vec<PathBuf>,
}

/// Copies everything into a new folder below `out`. A gateway on the store goes on meanwhile: what
/// it has acknowledged before this began is in the copy.
///
/// # Errors
/// [`KeepError`]; a folder that was begun ends in `.part`.
pub fn back_up(parts: &BackupParts<'_>, out: &Path, now: Ms) -> Result<KeptBackup, KeepError> {
    let BackupParts { config, store } = *parts;
    if !store.is_file() {
        return Err(KeepError::NoStore(store.to_owned()));
    }
    let folder = out.join(format!("standpipe-{}", in_file_names(now)));
    let part = folder.with_extension("part");
    let copy = part.join(Database::Store.name());
    // The first file makes the folder and fixes who may read what follows.
    write(&copy, b"", ReadableBy::Owner)?;
    own(&part)?;
    // The store first: what moves from it into history meanwhile is then in both copies, not in none.
    for database in Database::ALL.into_iter().rev() {
        let (place, copy) = (database.place(store), part.join(database.name()));
        if place.is_file() {
            write(&copy, b"", ReadableBy::Owner)?;
            copy_database(&place, &copy)?;
        }
    }
    check(&copy)?;
    let reader = Reader::open(&copy)?;
    let stations: Vec<Station> = reader.stations()?.into_iter().collect::<Result<_, _>>()?;
    let devices: Vec<Device> = reader.devices()?.into_iter().collect::<Result<_, _>>()?;
    let ours = |device: &&Device| device.claimed && !selftest::is_detector(&device.id);
    let claimed: Vec<&Device> = devices.iter().filter(ours).collect();
    write(&part.join("stations.csv"), write_stations(&stations).as_bytes(), ReadableBy::Owner)?;
    let csv = write_devices(claimed.iter().copied());
    write(&part.join("devices.csv"), csv.as_bytes(), ReadableBy::Owner)?;
    let mut missing = config::keep(config, &part)?;
    missing.extend(made::keep(parts, &part)?);
    std::fs::rename(&part, &folder)?;
    File::open(out)?.sync_all()?;
    Ok(KeptBackup { folder, registry: (stations.len(), claimed.len()), missing })
}

/// Puts the databases of a backup in the place of those that are there, however damaged, which stay
/// beside them with `-before-…` in their names; answers which these were. One that is not in the
/// backup stays as it is.
///
/// # Errors
/// [`KeepError`]; the backup was examined before anything was touched, and a store that is in use
/// is not.
pub fn restore(from: &Path, store: &Path, now: Ms) -> Result<Vec<Database>, KeepError> {
    let _lock = Lock::take(store)?;
    let there =
        |database: &Database| *database == Database::Store || from.join(database.name()).is_file();
    let databases: Vec<Database> = Database::ALL.into_iter().filter(there).collect();
    for database in &databases {
        let copy = from.join(database.name());
        if !copy.is_file() {
            return Err(KeepError::NoStore(copy));
        }
        check(&copy)?;
    }
    for database in &databases {
        let (copy, place) = (from.join(database.name()), &database.place(store));
        let fresh = beside(place, "-restoring");
        write(&fresh, b"", ReadableBy::Owner)?;
        copy_database(&copy, &fresh)?;
        set_aside(place, &before(now))?;
        std::fs::rename(&fresh, place)?;
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    // Wherever else the store runs, this is the one that a person wants to page.
    epoch::begin(store, now)?;
    // A person has chosen what is in the store.
    accept(store)?;
    Ok(databases)
}

/// What stands behind the name of a file that was replaced.
fn before(now: Ms) -> String {
    format!("-before-{}", in_file_names(now))
}

fn copy_database(from: &Path, to: &Path) -> Result<(), KeepError> {
    copy(from, to).map_err(|bad| KeepError::Copy { path: from.to_owned(), bad })
}

fn check(path: &Path) -> Result<(), KeepError> {
    let damaged = |why| KeepError::Damaged { path: path.to_owned(), why };
    match damage(path) {
        Ok(None) => Ok(()),
        Ok(Some(why)) => Err(damaged(why)),
        Err(bad) => Err(damaged(bad.to_string())),
    }
}

/// Nobody else may even list it.
fn own(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use standpipe_machine::entropy::Entropy;
    use standpipe_rules::flow::FlowTest;

    use super::{BackupParts, KeepError, back_up, restore};
    use standpipe_rules::incidents::Scope;
    use standpipe_store::accounts::{
        Account, AccountBook, Accounts, Job, Role, Token, Work, WorkPlaces, fresh_password,
    };
    use standpipe_store::files::Database;
    use standpipe_store::{Store, StoreError};

    #[test]
    fn what_is_damaged_is_replaced_and_does_not_replace() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let store = at("standpipe.db");
        let config = at("standpipe.toml");
        std::fs::write(&config, "[mqtt]\nurl = \"mqtt://b\"\n").unwrap();
        let parts = BackupParts { config: &config, store: &store };
        let none = back_up(&parts, &at("out"), 0);
        assert!(matches!(none, Err(KeepError::NoStore(_))), "{none:?}");
        drop(Store::open(&store).unwrap());
        let kept = back_up(&parts, &at("out"), 1_764_000_000_000).unwrap();
        assert_eq!(kept.folder, at("out/standpipe-20251124T160000Z"));
        assert_eq!((kept.registry, kept.missing), ((0, 0), vec![]));
        let held = Store::open(&store).unwrap();
        let taken = restore(&kept.folder, &store, 0);
        assert!(matches!(taken, Err(KeepError::Store(StoreError::InUse(_)))), "{taken:?}");
        drop(held);
        std::fs::write(&store, "no database at all").unwrap();
        restore(&kept.folder, &store, 1_764_000_001_000).unwrap();
        drop(Store::open(&store).unwrap());
        let before = std::fs::read(at("standpipe.db-before-20251124T160001Z")).unwrap();
        assert_eq!(before, b"no database at all");

        let before = std::fs::read(&store).unwrap();
        let mut bytes = std::fs::read(kept.folder.join("standpipe.db")).unwrap();
        bytes[..4096].fill(7);
        std::fs::write(kept.folder.join("standpipe.db"), bytes).unwrap();
        let damaged = restore(&kept.folder, &store, 0);
        assert!(matches!(damaged, Err(KeepError::Damaged { .. })), "{damaged:?}");
        assert_eq!(std::fs::read(&store).unwrap(), before);
    }

    const NOW: i64 = 1_764_000_000_000;

    /// What the people of the test are known by.
    struct Secrets<'a> {
        password: &'a str,
        token: &'a str,
    }

    /// Who signs in with what, which token holds, what was audited, and the flow tests of a hydrant.
    async fn people(store: &std::path::Path, secrets: &Secrets<'_>) -> String {
        let Secrets { password, token } = *secrets;
        let accounts = Accounts::open(store, &Entropy::new()).unwrap();
        let signed_in = accounts.sign_in("chief".into(), password.into(), NOW).await;
        let token = token.to_owned();
        let known = accounts.with(move |book| book.token(&token, NOW)).await.unwrap();
        let audited = accounts.with(|book| book.audited(i64::MAX, 9)).await.unwrap();
        let places = WorkPlaces { device: "H-1", zone: "", station: "" };
        let work = accounts.with(move |book| book.work_of(places, 9)).await.unwrap();
        let known = known.map(|account| account.name);
        let audited: Vec<_> = audited.into_iter().map(|entry| entry.what).collect();
        // Asking is audited, too.
        let audited: Vec<_> = audited.iter().filter(|what| &***what != "signed_in").collect();
        format!("{:?} {known:?} {audited:?} {work:?}", signed_in.is_ok())
    }

    #[tokio::test]
    async fn accounts_tokens_the_audit_log_and_flow_tests_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (store, config) = (at("data/town.db"), at("standpipe.toml"));
        std::fs::create_dir(at("data")).unwrap();
        std::fs::write(&config, "[mqtt]\nurl = \"mqtt://b\"\n").unwrap();
        drop(Store::open(&store).unwrap());
        // They stay open: the gateway goes on while it is backed up.
        let mut book =
            AccountBook::open(&Database::Accounts.place(&store), &Entropy::new()).unwrap();
        let (password, hash) = fresh_password(&Entropy::new()).unwrap();
        book.add(&Account::new("chief", Role::Admin, None, NOW), &hash).unwrap();
        let (name, expires_at) = ("desk".into(), NOW + 1);
        let (role, made_by) = (Role::Officer, "chief".into());
        let token = Token { id: 0, name, role, station: None, made_by, expires_at };
        let token = book.make_token(&token, NOW).unwrap();
        book.audit(NOW, "chief", "account_add", "li officer").unwrap();
        let test = FlowTest { static_kpa: 420.0, residual_kpa: 300.0, flow_lps: 22.0 };
        let job = Job::FlowTest { test, note: "".into() };
        book.worked(&Work::new(&Scope::Device("H-1".into()), 5, "li", job)).unwrap();
        let parts = BackupParts { config: &config, store: &store };
        let kept = back_up(&parts, &at("out"), NOW).unwrap();

        drop(book);
        let secrets = Secrets { password: &password, token: &token };
        let said = people(&store, &secrets).await;
        for word in ["true", "desk", "account_add", "FlowTest", "420.0"] {
            assert!(said.contains(word), "{word}: {said}");
        }
        std::fs::remove_dir_all(at("data")).unwrap();
        std::fs::create_dir(at("data")).unwrap();
        let put_back = restore(&kept.folder, &store, NOW).unwrap();
        assert_eq!(put_back, [Database::Accounts, Database::Store]);
        assert_eq!(people(&store, &secrets).await, said);
        // A backup of before, which has none: those that are there stay.
        std::fs::remove_file(kept.folder.join("accounts.db")).unwrap();
        assert_eq!(restore(&kept.folder, &store, NOW).unwrap(), [Database::Store]);
        assert_eq!(people(&store, &secrets).await, said);
    }
}
