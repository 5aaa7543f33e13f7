//! Who was given a certificate, until when, and whose was taken back: `issued.csv`, which is all
//! that a later run knows. A line is there before the certificate leaves the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standpipe_machine::private_file::{ReadableBy, write};
use standpipe_machine::small_file;
use standpipe_rules::Ms;

use super::account::account;
use super::authority::RevokedCertificate;
use super::{FILE_AT_MOST, ProvisionError};

const HEADER: &str = "name,serial,until,revoked,account\n";
/// How version 0.1.0 began it.
const HEADER_BEFORE: &str = "name,serial,until,revoked\n";

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CertificateRow {
    name: String,
    serial: String,
    until: Timestamp,
    revoked: Option<Timestamp>,
    /// What it signs in as, where that is another name.
    #[serde(default)]
    account: Option<String>,
}

/// All certificates there ever were.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    rows: Vec<CertificateRow>,
    /// The newest row of each name.
    newest: BTreeMap<String, usize>,
}

/// How a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It never had a certificate.
    New,
    /// It has one until then.
    Holds(Ms),
    /// Its newest was taken back.
    Revoked,
}

impl Ledger {
    /// What was written, or nothing yet.
    pub(super) fn open(path: PathBuf) -> Result<Self, ProvisionError> {
        let bytes = match small_file::read(&path, FILE_AT_MOST) {
            Ok(bytes) => bytes,
            Err(bad) if bad.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(bad) => return Err(bad.into()),
        };
        let rows: Result<Vec<CertificateRow>, csv::Error> =
            csv::Reader::from_reader(&*bytes).deserialize().collect();
        let rows = rows.map_err(|bad| ProvisionError::Ledger { path: path.clone(), bad })?;
        let newest = rows.iter().enumerate().map(|(at, row)| (row.name.clone(), at)).collect();
        let ledger = Self { path, rows, newest };
        if bytes.starts_with(HEADER_BEFORE.as_bytes()) {
            ledger.write_all()?;
        }
        Ok(ledger)
    }

    /// Everybody who was ever given one.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.newest.keys().map(String::as_str)
    }

    pub(super) fn standing(&self, name: &str) -> Standing {
        let row = self.newest.get(name).and_then(|at| self.rows.get(*at));
        match row {
            None => Standing::New,
            Some(row) if row.revoked.is_some() => Standing::Revoked,
            Some(row) => Standing::Holds(row.until.as_millisecond()),
        }
    }

    /// Notes a certificate, on disk, before it is handed out.
    pub(super) fn add(
        &mut self,
        name: &str,
        serial: &str,
        until: Ms,
    ) -> Result<(), ProvisionError> {
        let until = moment(until);
        let account = Some(account(name).into_owned()).filter(|account| account != name);
        let (name, serial) = (name.to_owned(), serial.to_owned());
        let row = CertificateRow { name, serial, until, revoked: None, account };
        if self.rows.is_empty() {
            write(&self.path, HEADER.as_bytes(), ReadableBy::All)?;
        }
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        file.write_all(text([&row])?.as_bytes())?;
        self.newest.insert(row.name.clone(), self.rows.len());
        self.rows.push(row);
        Ok(())
    }

    /// Takes back all certificates of these names; says how many.
    pub(super) fn revoke(
        &mut self,
        names: &BTreeSet<&str>,
        now: Ms,
    ) -> Result<usize, ProvisionError> {
        let held =
            |row: &&mut CertificateRow| row.revoked.is_none() && names.contains(row.name.as_str());
        let mut revoked = 0;
        for row in self.rows.iter_mut().filter(held) {
            row.revoked = Some(moment(now));
            revoked += 1;
        }
        if revoked > 0 {
            self.write_all()?;
        }
        Ok(revoked)
    }

    fn write_all(&self) -> Result<(), ProvisionError> {
        let all = format!("{HEADER}{}", text(&self.rows)?);
        Ok(write(&self.path, all.as_bytes(), ReadableBy::All)?)
    }

    /// What the broker is to refuse.
    pub(super) fn refused(&self) -> Vec<RevokedCertificate> {
        let one = |row: &CertificateRow| {
            Some(RevokedCertificate {
                serial: row.serial.clone(),
                at: row.revoked?.as_millisecond(),
            })
        };
        self.rows.iter().filter_map(one).collect()
    }
}

fn text<'a>(rows: impl IntoIterator<Item = &'a CertificateRow>) -> Result<String, ProvisionError> {
    let mut out = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for row in rows {
        let written = out.serialize(row);
        written.map_err(|bad| ProvisionError::Ledger { path: PathBuf::new(), bad })?;
    }
    let bytes = out.into_inner().map_err(|bad| bad.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// To the second, as people read it.
fn moment(at: Ms) -> Timestamp {
    Timestamp::from_second(at.div_euclid(1_000)).unwrap_or(Timestamp::MAX)
}

/// Where it is, in the folder of everything that is made.
pub(super) fn place(folder: &Path) -> PathBuf {
    folder.join("issued.csv")
}
