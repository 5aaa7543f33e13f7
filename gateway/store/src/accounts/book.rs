//! The file `accounts.db`: what is read of it, and what is asked of it. Blocks for the disk.
//! Whatever changes it is an entry (`entry.rs`).

use std::path::{Path, PathBuf};

use rusqlite::backup::Backup;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use standpipe_machine::entropy::Entropy;
use standpipe_rules::Ms;

use super::AccountError;
use super::audit::AuditCode;
use super::entry::{AccountEntry, AccountOutcome, AuditEntry, apply};
use super::lockout::MOST_MS;
use super::role::Role;
use super::secret::{digest, key};
use crate::expired::Expired;
use crate::files::{ReadOnly, is_of_disk, read_only};
use crate::migrate::{MigrateError, migrate};
use crate::rows::rows_of;

/// Every change of the layout, oldest first. Files that were released never change.
const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_work.sql"),
    include_str!("migrations/0003_codes.sql"),
    include_str!("migrations/0004_archived.sql"),
];
/// The layout that this version writes.
pub const NEWEST: i64 = MIGRATIONS.len() as i64;
/// How long a statement waits for the command line's, ms.
const BUSY_MS: i64 = 5_000;
/// A session that nobody used for so long is over, ms: a week.
pub(super) const SESSION_IDLE_MS: Ms = 7 * 86_400_000;
/// A session is over after so long in any case, ms: a wall screen signs in once a season.
pub(super) const SESSION_MOST_MS: Ms = 92 * 86_400_000;
/// How exactly it is known when a session was used, ms.
const SEEN_EVERY_MS: Ms = 60_000;
/// Characters of the longest name.
const NAME_AT_MOST: usize = 48;
/// Somebody's account, without the hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What they sign in with.
    pub name: Box<str>,
    pub role: Role,
    /// `None`: every station.
    pub station: Option<Box<str>>,
    pub created_at: Ms,
}

impl Account {
    /// An account that was made just now.
    #[must_use]
    pub fn new(name: &str, role: Role, station: Option<&str>, now: Ms) -> Self {
        Self { name: name.into(), role, station: station.map(Box::from), created_at: now }
    }
}

/// A program's way in, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub id: i64,
    /// What people call the program.
    pub name: Box<str>,
    pub role: Role,
    /// `None`: every station.
    pub station: Option<Box<str>>,
    pub made_by: Box<str>,
    /// From this moment on it opens nothing.
    pub expires_at: Ms,
}

/// Who a cookie or a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialOwner {
    /// The account's or token's name.
    pub name: Box<str>,
    pub role: Role,
    /// `None`: every station.
    pub station: Option<Box<str>>,
    /// What its forms must carry; empty for a token.
    pub csrf: Box<str>,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    pub n: i64,
    pub at: Ms,
    pub who: Box<str>,
    /// What, a name that is counted.
    pub what: Box<str>,
    pub detail: Box<str>,
    /// What there is beside `what`, for programs.
    pub code: AuditCode,
}

/// The open file `accounts.db`.
#[derive(Debug)]
pub struct AccountBook {
    pub(super) conn: Connection,
    /// The file, while a copy in memory works in its place.
    pub(super) resting: Option<Connection>,
    /// What the file has not been told.
    untold: Vec<AccountEntry>,
    /// The file is to be opened again before it is told anything: it could only be read.
    reopen: Option<PathBuf>,
    /// What keys are made of.
    pub(super) entropy: Entropy,
}

impl AccountBook {
    /// Opens it, made if need be.
    ///
    /// # Errors
    /// [`AccountError::Store`], [`AccountError::TooNew`].
    pub fn open(path: &Path, entropy: &Entropy) -> Result<Self, AccountError> {
        let mut conn = Connection::open(path)?;
        conn.pragma_update(None, "busy_timeout", BUSY_MS)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "foreign_keys", "ON")?;
        conn.pragma_update(None, "cache_size", -512)?;
        migrate(&mut conn, &MIGRATIONS).map_err(|error| match error {
            MigrateError::TooNew { found, newest: _ } => AccountError::TooNew(found),
            MigrateError::Sqlite(bad) => bad.into(),
        })?;
        let (resting, untold, entropy) = (None, Vec::new(), entropy.clone());
        Ok(Self { conn, resting, untold, reopen: None, entropy })
    }

    /// A copy in memory of a file that can only be read.
    ///
    /// # Errors
    /// [`AccountError::Store`]: it can't even be read.
    pub fn of_read_only(path: &Path, entropy: &Entropy) -> Result<Self, AccountError> {
        let open = |how| -> Result<Self, AccountError> {
            let conn = Connection::open(read_only(path, how))?;
            let (resting, untold, entropy) = (None, Vec::new(), entropy.clone());
            let mut book = Self { conn, resting, untold, reopen: None, entropy };
            book.to_memory()?;
            book.accounts()?;
            Ok(book)
        };
        let book = open(ReadOnly::WithLog).or_else(|_| open(ReadOnly::FileAlone))?;
        Ok(Self { reopen: Some(path.to_owned()), ..book })
    }

    /// The one way in: keeps one change, whole or not at all; in memory, where the disk takes nothing.
    ///
    /// # Errors
    /// [`AccountError`]: nothing was changed.
    pub fn append(&mut self, entry: AccountEntry) -> Result<AccountOutcome, AccountError> {
        let outcome = match written(&mut self.conn, &entry) {
            Err(AccountError::Store(bad)) if self.resting.is_none() && is_of_disk(&bad) => {
                tracing::warn!("accounts are kept in memory until their file takes them: {bad}");
                self.to_memory()?;
                written(&mut self.conn, &entry)?
            }
            outcome => outcome?,
        };
        if self.resting.is_some() {
            self.untold.push(entry);
        }
        Ok(outcome)
    }

    /// The disk takes nothing: works on with a copy in memory. Nothing happens where it does already.
    ///
    /// # Errors
    /// [`AccountError::Store`]: the file can't even be read.
    pub fn to_memory(&mut self) -> Result<(), AccountError> {
        if self.resting.is_none() {
            let mut copy = Connection::open_in_memory()?;
            copy.pragma_update(None, "foreign_keys", "ON")?;
            Backup::new(&self.conn, &mut copy)?.step(-1)?;
            self.resting = Some(std::mem::replace(&mut self.conn, copy));
        }
        Ok(())
    }

    /// What the file has not been told.
    #[must_use]
    pub fn untold(&self) -> &[AccountEntry] {
        &self.untold
    }

    /// Tells the file what happened in memory, and goes on there. What does not fit what the command
    /// line did to the file meanwhile is logged and left out.
    ///
    /// # Errors
    /// [`AccountError::Store`]: the file takes nothing; what it was not told is still known.
    pub fn to_disk(&mut self) -> Result<(), AccountError> {
        if let Some(path) = &self.reopen {
            self.resting = Some(Self::open(path, &self.entropy)?.conn);
            self.reopen = None;
        }
        let Some(mut file) = self.resting.take() else { return Ok(()) };
        while let Some(entry) = self.untold.first() {
            match written(&mut file, entry) {
                Err(AccountError::Store(bad)) => {
                    self.resting = Some(file);
                    return Err(bad.into());
                }
                Err(unfit) => tracing::warn!("accounts: {} is left out: {unfit}", entry.kind()),
                Ok(_) => {}
            }
            self.untold.remove(0);
        }
        self.conn = file;
        Ok(())
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn accounts(&self) -> Result<Vec<Account>, AccountError> {
        let sql = "SELECT name, role, station, created_at FROM account ORDER BY name";
        self.all(sql, |row| {
            let (name, station, created_at) = (row.get(0)?, row.get(2)?, row.get(3)?);
            Ok(Account { name, role: role(row, 1)?, station, created_at })
        })
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`AccountError::Name`], [`AccountError::Taken`], [`AccountError::Store`].
    pub fn add(&mut self, account: &Account, hash: &str) -> Result<(), AccountError> {
        if !good_name(&account.name) {
            return Err(AccountError::Name(account.name.to_string()));
        }
        let (account, hash) = (account.clone(), hash.into());
        self.append(AccountEntry::Added { account, hash }).map(drop)
    }

    /// Changes what an account may do and where.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::LastAdmin`], [`AccountError::Store`].
    pub fn change(&mut self, name: &str, to: Role, at: Option<&str>) -> Result<(), AccountError> {
        let (name, station) = (name.into(), at.map(Box::from));
        self.append(AccountEntry::Changed { name, role: to, station }).map(drop)
    }

    /// Takes an account away, and its sessions.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::LastAdmin`], [`AccountError::Store`].
    pub fn remove(&mut self, name: &str) -> Result<(), AccountError> {
        self.append(AccountEntry::Removed { name: name.into() }).map(drop)
    }

    /// Gives an account another password: every session ends, and the name is unlocked.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Store`].
    pub fn set_password(&mut self, name: &str, hash: &str) -> Result<(), AccountError> {
        let (name, hash) = (name.into(), hash.into());
        self.append(AccountEntry::PasswordSet { name, hash }).map(drop)
    }

    /// The hash to hold a password against; `None`: no such account.
    ///
    /// # Errors
    /// [`AccountError::Locked`], [`AccountError::Store`].
    pub fn to_check(&self, name: &str, now: Ms) -> Result<Option<String>, AccountError> {
        let sql = "SELECT locked_until FROM attempt WHERE name = ?1";
        let until: Option<Ms> =
            self.conn.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
        // One that lasts longer than any is of a clock that was ahead.
        if let Some(until) = until.filter(|until| *until > now && *until <= now + MOST_MS) {
            return Err(AccountError::Locked { until, now });
        }
        let sql = "SELECT hash FROM account WHERE name = ?1";
        Ok(self.conn.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
    }

    /// The password was right: a new session, whose key is the cookie's value.
    ///
    /// # Errors
    /// [`AccountError::Secret`], [`AccountError::Store`].
    pub fn signed_in(&mut self, name: &str, now: Ms) -> Result<String, AccountError> {
        let (id, csrf) = (key(&self.entropy)?, key(&self.entropy)?.into());
        let session = digest(&id);
        self.append(AccountEntry::SignedIn { name: name.into(), session, csrf, now })?;
        Ok(id)
    }

    /// The password was wrong: always an error, which says whether the name is locked now.
    ///
    /// # Errors
    /// [`AccountError::Wrong`], [`AccountError::Locked`], [`AccountError::Store`].
    pub fn failed(&mut self, name: &str, now: Ms) -> Result<String, AccountError> {
        let name: String = name.chars().take(64).collect();
        let outcome = self.append(AccountEntry::SignInFailed { name: name.into(), now })?;
        Err(match outcome {
            AccountOutcome::LockedUntil(until) if until > now => {
                AccountError::Locked { until, now }
            }
            AccountOutcome::LockedUntil(_) | AccountOutcome::Done | AccountOutcome::Nothing => {
                AccountError::Wrong
            }
        })
    }

    /// Whose session this cookie is; its life is prolonged.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn session(
        &mut self,
        cookie: &str,
        now: Ms,
    ) -> Result<Option<CredentialOwner>, AccountError> {
        let sql = "SELECT a.name, a.role, a.station, s.csrf, s.seen_at
                   FROM session s JOIN account a ON a.name = s.account
                   WHERE s.id = ?1 AND s.seen_at > ?2 AND s.created_at > ?3";
        let id = digest(cookie);
        let found = self
            .conn
            .prepare_cached(sql)?
            .query_row((id, now - SESSION_IDLE_MS, now - SESSION_MOST_MS), |row| {
                Ok((known(row)?, row.get::<_, Ms>(4)?))
            })
            .optional()?;
        let Some((known, seen_at)) = found else { return Ok(None) };
        if now - seen_at > SEEN_EVERY_MS {
            self.append(AccountEntry::SessionUsed { session: id, now })?;
        }
        Ok(Some(known))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn sign_out(&mut self, cookie: &str) -> Result<(), AccountError> {
        self.append(AccountEntry::SignedOut { session: digest(cookie) }).map(drop)
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn token(&self, text: &str, now: Ms) -> Result<Option<CredentialOwner>, AccountError> {
        let sql = "SELECT name, role, station, '' FROM token WHERE hash = ?1 AND expires_at > ?2";
        let mut find = self.conn.prepare_cached(sql)?;
        Ok(find.query_row((digest(text), now), known).optional()?)
    }

    /// Tokens that still open, newest first.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn tokens(&self, now: Ms) -> Result<Vec<Token>, AccountError> {
        let sql = "SELECT id, name, role, station, made_by, expires_at FROM token ORDER BY id DESC";
        let mut all = self.all(sql, |row| {
            let (id, name, station) = (row.get(0)?, row.get(1)?, row.get(3)?);
            let (made_by, expires_at) = (row.get(4)?, row.get(5)?);
            Ok(Token { id, name, role: role(row, 2)?, station, made_by, expires_at })
        })?;
        all.retain(|token| token.expires_at > now);
        Ok(all)
    }

    /// Makes a token; nobody gets to see its text a second time.
    ///
    /// # Errors
    /// [`AccountError::Name`], [`AccountError::Secret`], [`AccountError::Store`].
    pub fn make_token(&mut self, token: &Token, now: Ms) -> Result<String, AccountError> {
        if !good_name(&token.name) {
            return Err(AccountError::Name(token.name.to_string()));
        }
        let text = format!("sp_{}", key(&self.entropy)?);
        let (token, hash) = (token.clone(), digest(&text));
        self.append(AccountEntry::TokenMade { token, hash, now })?;
        Ok(text)
    }

    /// Takes a token away; false: there was none.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn drop_token(&mut self, id: i64) -> Result<bool, AccountError> {
        Ok(self.append(AccountEntry::TokenDropped { id })? == AccountOutcome::Done)
    }

    /// Writes down who did what.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn audit(
        &mut self,
        at: Ms,
        who: &str,
        what: &str,
        detail: &str,
    ) -> Result<(), AccountError> {
        let (who, what, detail, code) = (who.into(), what.into(), detail.into(), AuditCode::Text);
        self.append(AccountEntry::Audited(AuditEntry { at, who, what, detail, code })).map(drop)
    }

    /// The same, with more to say than an id.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn audit_as(
        &mut self,
        at: Ms,
        who: &str,
        what: &str,
        code: &AuditCode,
    ) -> Result<(), AccountError> {
        let (who, what, detail) = (who.into(), what.into(), code.words().into());
        let code = code.clone();
        self.append(AccountEntry::Audited(AuditEntry { at, who, what, detail, code })).map(drop)
    }

    /// The audit log before a line, newest first.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn audited(&self, before: i64, most: u32) -> Result<Vec<AuditLine>, AccountError> {
        let sql = "SELECT n, at, who, what, detail, code, parts FROM audit WHERE n < ?1
                   ORDER BY n DESC LIMIT ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map((before, most), |row| {
            let (n, at) = (row.get(0)?, row.get(1)?);
            let (who, what, detail): (_, Box<str>, Box<str>) =
                (row.get(2)?, row.get(3)?, row.get(4)?);
            let (code, parts): (Box<str>, Box<str>) = (row.get(5)?, row.get(6)?);
            let code = AuditCode::stored(&code, &parts, &what, &detail);
            Ok(AuditLine { n, at, who, what, detail, code })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Lines of the audit log that are older than it is kept, the oldest first, at most `most`.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn expired_audit(&self, since: Ms, most: usize) -> Result<Vec<Expired<i64>>, AccountError> {
        let sql = "SELECT n, at, who, what, detail, code, parts FROM audit WHERE at < ?1
                   ORDER BY n LIMIT ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map((since, rows_of(most)), |row| {
            let (n, at): (i64, Ms) = (row.get(0)?, row.get(1)?);
            let [who, what, detail]: [String; 3] = [row.get(2)?, row.get(3)?, row.get(4)?];
            let (code, parts): (String, String) = (row.get(5)?, row.get(6)?);
            let parts: serde_json::Value = serde_json::from_str(&parts).unwrap_or_default();
            let line = serde_json::json!({
                "at": at, "who": who, "what": what, "detail": detail, "code": code, "parts": parts,
            });
            Ok(Expired { row: n, at, line: line.to_string() })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Deletes lines of the audit log that are in the archive.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn audit_archived(&mut self, lines: Vec<i64>) -> Result<(), AccountError> {
        self.append(AccountEntry::AuditArchived { lines }).map(drop)
    }

    fn all<T>(
        &self,
        sql: &str,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, AccountError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        Ok(statement.query_map((), row)?.collect::<Result<_, _>>()?)
    }
}

fn written(conn: &mut Connection, entry: &AccountEntry) -> Result<AccountOutcome, AccountError> {
    let tx = conn.transaction()?;
    let outcome = apply(&tx, entry)?;
    tx.commit()?;
    Ok(outcome)
}

/// Letters of any language: people sign in with their own name.
fn good_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    (1..=NAME_AT_MOST).contains(&name.chars().count()) && name.chars().all(fits)
}

fn known(row: &Row<'_>) -> rusqlite::Result<CredentialOwner> {
    let (name, station, csrf) = (row.get(0)?, row.get(2)?, row.get(3)?);
    Ok(CredentialOwner { name, role: role(row, 1)?, station, csrf })
}

/// A role this version does not know may look, and nothing else.
fn role(row: &Row<'_>, at: usize) -> rusqlite::Result<Role> {
    Ok(Role::named(row.get_ref(at)?.as_str()?).unwrap_or(Role::Viewer))
}
