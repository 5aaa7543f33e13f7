//! What changes accounts, as plain values, and the one function that does: [`apply`].
//!
//! Nothing random and no clock is in it: keys are made before, and only what is stored of them is in
//! an entry. So the same entries make the same rows, in this file or in another one. They hold hashes
//! of passwords: an entry is as secret as the file itself, and does not print what it holds.

use std::fmt;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use standpipe_rules::{Ms, plain};

use super::AccountError;
use super::audit::AuditCode;
use super::book::{Account, SESSION_IDLE_MS, SESSION_MOST_MS, Token};
use super::lockout::{FORGOTTEN_MS, locked_until};
use super::role::Role;
use super::work::Work;

/// Names whose failures are remembered at most.
const ATTEMPTS_AT_MOST: i64 = 10_000;

/// What stands in a key's place: its digest.
pub type KeyDigest = [u8; 32];

/// One change.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum AccountEntry {
    Added {
        account: Account,
        hash: Box<str>,
    },
    Changed {
        name: Box<str>,
        role: Role,
        station: Option<Box<str>>,
    },
    /// The account goes, and its sessions.
    Removed {
        name: Box<str>,
    },
    /// Every session ends, and the name is unlocked.
    PasswordSet {
        name: Box<str>,
        hash: Box<str>,
    },
    SignedIn {
        name: Box<str>,
        session: KeyDigest,
        csrf: Box<str>,
        now: Ms,
    },
    SignInFailed {
        name: Box<str>,
        now: Ms,
    },
    /// Somebody used it: its life is prolonged.
    SessionUsed {
        session: KeyDigest,
        now: Ms,
    },
    SignedOut {
        session: KeyDigest,
    },
    /// Its number is given here.
    TokenMade {
        token: Token,
        hash: KeyDigest,
        now: Ms,
    },
    TokenDropped {
        id: i64,
    },
    Audited(AuditEntry),
    /// These lines of the audit log are in the archive: they go.
    AuditArchived {
        lines: Vec<i64>,
    },
    Worked(Work),
}

/// What is to be written into the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: Ms,
    pub who: Box<str>,
    /// What, a name that is counted.
    pub what: Box<str>,
    pub detail: Box<str>,
    pub code: AuditCode,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountOutcome {
    Done,
    /// The name is locked until then; a moment that has passed: it is not.
    LockedUntil(Ms),
    /// There was nothing of that kind.
    Nothing,
}

impl AccountEntry {
    /// What it is called in a log.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Added { .. } => "added",
            Self::Changed { .. } => "changed",
            Self::Removed { .. } => "removed",
            Self::PasswordSet { .. } => "password set",
            Self::SignedIn { .. } => "signed in",
            Self::SignInFailed { .. } => "sign-in failed",
            Self::SessionUsed { .. } => "session used",
            Self::SignedOut { .. } => "signed out",
            Self::TokenMade { .. } => "token made",
            Self::TokenDropped { .. } => "token dropped",
            Self::Audited(_) => "audited",
            Self::AuditArchived { .. } => "audit archived",
            Self::Worked(_) => "worked",
        }
    }
}

impl fmt::Debug for AccountEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountEntry({})", self.kind())
    }
}

/// Writes one change, inside a transaction that is rolled back on an error.
///
/// # Errors
/// [`AccountError`]: it does not fit what is there.
pub fn apply(tx: &Connection, entry: &AccountEntry) -> Result<AccountOutcome, AccountError> {
    match entry {
        AccountEntry::Added { account, hash } => added(tx, account, hash)?,
        AccountEntry::Changed { name, role, station } => {
            let sql = "UPDATE account SET role = ?2, station = ?3 WHERE name = ?1";
            known(name, tx.execute(sql, (name, role.as_str(), station))?)?;
            an_admin_is_left(tx, name)?;
        }
        AccountEntry::Removed { name } => {
            known(name, tx.execute("DELETE FROM account WHERE name = ?1", [name])?)?;
            an_admin_is_left(tx, name)?;
        }
        AccountEntry::PasswordSet { name, hash } => {
            let sql = "UPDATE account SET hash = ?2 WHERE name = ?1";
            known(name, tx.execute(sql, (name, hash))?)?;
            tx.execute("DELETE FROM session WHERE account = ?1", [name])?;
            tx.execute("DELETE FROM attempt WHERE name = ?1", [name])?;
        }
        AccountEntry::SignedIn { name, session, csrf, now } => {
            signed_in(tx, (name, *now), (session, csrf))?;
        }
        AccountEntry::SignInFailed { name, now } => return failed(tx, name, *now),
        AccountEntry::SessionUsed { session, now } => {
            let sql = "UPDATE session SET seen_at = ?2 WHERE id = ?1";
            tx.prepare_cached(sql)?.execute((session, now))?;
        }
        AccountEntry::SignedOut { session } => {
            tx.execute("DELETE FROM session WHERE id = ?1", [session])?;
        }
        AccountEntry::TokenMade { token, hash, now } => token_made(tx, token, (hash, *now))?,
        AccountEntry::TokenDropped { id } => {
            if tx.execute("DELETE FROM token WHERE id = ?1", [id])? == 0 {
                return Ok(AccountOutcome::Nothing);
            }
        }
        AccountEntry::Audited(entry) => audit(tx, entry)?,
        AccountEntry::AuditArchived { lines } => {
            for line in lines {
                tx.execute("INSERT OR IGNORE INTO audit_archived (n) VALUES (?1)", [line])?;
                tx.execute("DELETE FROM audit WHERE n = ?1", [line])?;
            }
            tx.execute("DELETE FROM audit_archived", ())?;
        }
        AccountEntry::Worked(work) => work.write(tx)?,
    }
    Ok(AccountOutcome::Done)
}

fn known(name: &str, rows: usize) -> Result<(), AccountError> {
    if rows == 0 { Err(AccountError::Unknown(name.to_owned())) } else { Ok(()) }
}

fn added(tx: &Connection, account: &Account, hash: &str) -> Result<(), AccountError> {
    let sql = "INSERT INTO account (name, role, station, hash, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    let row = (&account.name, account.role.as_str(), &account.station, hash, account.created_at);
    match tx.prepare_cached(sql)?.execute(row)? {
        0 => Err(AccountError::Taken(account.name.to_string())),
        _ => Ok(()),
    }
}

/// Somebody who may do everything, everywhere.
fn an_admin_is_left(tx: &Connection, name: &str) -> Result<(), AccountError> {
    let sql = "SELECT count(*) FROM account WHERE role = 'admin' AND station IS NULL";
    match tx.query_row(sql, (), |row| row.get::<_, i64>(0))? {
        0 => Err(AccountError::LastAdmin(name.to_owned())),
        _ => Ok(()),
    }
}

fn signed_in(
    tx: &Connection,
    (name, now): (&str, Ms),
    (session, csrf): (&KeyDigest, &str),
) -> Result<(), AccountError> {
    tx.execute("DELETE FROM attempt WHERE name = ?1", [name])?;
    let over = (now - SESSION_IDLE_MS, now - SESSION_MOST_MS);
    tx.execute("DELETE FROM session WHERE seen_at < ?1 OR created_at < ?2", over)?;
    let sql = "INSERT INTO session (id, account, csrf, created_at, seen_at)
               VALUES (?1, ?2, ?3, ?4, ?4)";
    tx.execute(sql, (session, name, csrf, now))?;
    let (what, detail, code) = ("signed_in".into(), Box::default(), AuditCode::Text);
    Ok(audit(tx, &AuditEntry { at: now, who: name.into(), what, detail, code })?)
}

fn failed(tx: &Connection, name: &str, now: Ms) -> Result<AccountOutcome, AccountError> {
    let sql = "SELECT failed FROM attempt WHERE name = ?1 AND failed_at > ?2";
    let before: Option<u32> =
        tx.query_row(sql, (name, now - FORGOTTEN_MS), |row| row.get(0)).optional()?;
    let times = before.unwrap_or(0).saturating_add(1);
    let until = locked_until(times, now);
    let sql = "INSERT INTO attempt (name, failed, failed_at, locked_until)
               VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (name) DO UPDATE SET failed = excluded.failed,
                   failed_at = excluded.failed_at, locked_until = excluded.locked_until";
    tx.execute(sql, (name, times, now, until))?;
    let sql = "DELETE FROM attempt WHERE name IN
               (SELECT name FROM attempt ORDER BY failed_at DESC LIMIT -1 OFFSET ?1)";
    tx.execute(sql, [ATTEMPTS_AT_MOST])?;
    // Not of names that have no account: whoever guesses those must not fill the disk.
    if tx.prepare_cached("SELECT 1 FROM account WHERE name = ?1")?.exists([name])? {
        let code = AuditCode::InARow { times };
        let (what, detail) = ("sign_in_failed".into(), code.words().into());
        audit(tx, &AuditEntry { at: now, who: name.into(), what, detail, code })?;
    }
    Ok(AccountOutcome::LockedUntil(until))
}

fn token_made(
    tx: &Connection,
    token: &Token,
    (hash, now): (&KeyDigest, Ms),
) -> Result<(), AccountError> {
    let sql = "INSERT INTO token (hash, name, role, station, made_by, created_at, expires_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (role, by, until) = (token.role.as_str(), &token.made_by, token.expires_at);
    tx.execute(sql, (hash, &token.name, role, &token.station, by, now, until))?;
    Ok(())
}

fn audit(tx: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    let sql = "INSERT INTO audit (at, who, what, detail, code, parts)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (code, parts) = entry.code.columns();
    // A name may be what somebody typed who could not sign in.
    let (who, detail) = (plain(&entry.who), plain(&entry.detail));
    let row = (entry.at, who, &entry.what, detail, code, plain(&parts));
    tx.prepare_cached(sql)?.execute(row).map(|_| ())
}
