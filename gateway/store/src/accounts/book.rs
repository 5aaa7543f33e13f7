//! The file `accounts.db`: every statement there is. Blocks for the disk.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};
use standpipe_rules::{Ms, plain};

use super::AccountError;
use super::audit::AuditCode;
use super::lockout::{FORGOTTEN_MS, MOST_MS, locked_until};
use super::role::Role;
use super::secret::{digest, key};
use crate::migrate::{MigrateError, migrate};

/// Every change of the layout, oldest first. Files that were released never change.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_work.sql"),
    include_str!("migrations/0003_codes.sql"),
];
/// The layout that this version writes.
pub const NEWEST: i64 = MIGRATIONS.len() as i64;
/// How long a statement waits for the command line's, ms.
const BUSY_MS: i64 = 5_000;
/// A session that nobody used for so long is over, ms: a week.
const SESSION_IDLE_MS: Ms = 7 * 86_400_000;
/// A session is over after so long in any case, ms: a wall screen signs in once a season.
const SESSION_MOST_MS: Ms = 92 * 86_400_000;
/// How exactly it is known when a session was used, ms.
const SEEN_EVERY_MS: Ms = 60_000;
/// Characters of the longest name.
const NAME_AT_MOST: usize = 48;
/// Names whose failures are remembered at most.
const ATTEMPTS_AT_MOST: i64 = 10_000;

/// Somebody's account, without the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

impl AccountBook {
    /// Opens it, made if need be.
    ///
    /// # Errors
    /// [`AccountError::Store`], [`AccountError::TooNew`].
    pub fn open(path: &Path) -> Result<Self, AccountError> {
        let mut conn = Connection::open(path)?;
        conn.pragma_update(None, "busy_timeout", BUSY_MS)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "foreign_keys", "ON")?;
        conn.pragma_update(None, "cache_size", -512)?;
        migrate(&mut conn, &MIGRATIONS).map_err(|error| match error {
            MigrateError::TooNew { found, newest: _ } => AccountError::TooNew(found),
            MigrateError::Sqlite(bad) => bad.into(),
        })?;
        Ok(Self { conn })
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
        let sql = "INSERT INTO account (name, role, station, hash, created_at)
                   VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
        let row =
            (&account.name, account.role.as_str(), &account.station, hash, account.created_at);
        match self.conn.prepare_cached(sql)?.execute(row)? {
            0 => Err(AccountError::Taken(account.name.to_string())),
            _ => Ok(()),
        }
    }

    /// Changes what an account may do and where.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::LastAdmin`], [`AccountError::Store`].
    pub fn change(&mut self, name: &str, to: Role, at: Option<&str>) -> Result<(), AccountError> {
        let tx = self.conn.transaction()?;
        let sql = "UPDATE account SET role = ?2, station = ?3 WHERE name = ?1";
        if tx.execute(sql, (name, to.as_str(), at))? == 0 {
            return Err(AccountError::Unknown(name.to_owned()));
        }
        an_admin_is_left(&tx, name)?;
        Ok(tx.commit()?)
    }

    /// Takes an account away, and its sessions.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::LastAdmin`], [`AccountError::Store`].
    pub fn remove(&mut self, name: &str) -> Result<(), AccountError> {
        let tx = self.conn.transaction()?;
        if tx.execute("DELETE FROM account WHERE name = ?1", [name])? == 0 {
            return Err(AccountError::Unknown(name.to_owned()));
        }
        an_admin_is_left(&tx, name)?;
        Ok(tx.commit()?)
    }

    /// Gives an account another password: every session ends, and the name is unlocked.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Store`].
    pub fn set_password(&mut self, name: &str, hash: &str) -> Result<(), AccountError> {
        let tx = self.conn.transaction()?;
        if tx.execute("UPDATE account SET hash = ?2 WHERE name = ?1", (name, hash))? == 0 {
            return Err(AccountError::Unknown(name.to_owned()));
        }
        tx.execute("DELETE FROM session WHERE account = ?1", [name])?;
        tx.execute("DELETE FROM attempt WHERE name = ?1", [name])?;
        Ok(tx.commit()?)
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
        let (id, csrf) = (key()?, key()?);
        let tx = self.conn.transaction()?;
        tx.execute("DELETE FROM attempt WHERE name = ?1", [name])?;
        let over = (now - SESSION_IDLE_MS, now - SESSION_MOST_MS);
        tx.execute("DELETE FROM session WHERE seen_at < ?1 OR created_at < ?2", over)?;
        let sql = "INSERT INTO session (id, account, csrf, created_at, seen_at)
                   VALUES (?1, ?2, ?3, ?4, ?4)";
        tx.execute(sql, (digest(&id), name, csrf, now))?;
        let (what, detail, code) = ("signed_in", "", &AuditCode::Text);
        audit(&tx, &AuditEntry { at: now, who: name, what, detail, code })?;
        tx.commit()?;
        Ok(id)
    }

    /// The password was wrong: always an error, which says whether the name is locked now.
    ///
    /// # Errors
    /// [`AccountError::Wrong`], [`AccountError::Locked`], [`AccountError::Store`].
    pub fn failed(&mut self, name: &str, now: Ms) -> Result<String, AccountError> {
        let name: String = name.chars().take(64).collect();
        let tx = self.conn.transaction()?;
        let sql = "SELECT failed FROM attempt WHERE name = ?1 AND failed_at > ?2";
        let before: Option<u32> =
            tx.query_row(sql, (&name, now - FORGOTTEN_MS), |row| row.get(0)).optional()?;
        let failed = before.unwrap_or(0).saturating_add(1);
        let until = locked_until(failed, now);
        let sql = "INSERT INTO attempt (name, failed, failed_at, locked_until)
                   VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (name) DO UPDATE SET failed = excluded.failed,
                       failed_at = excluded.failed_at, locked_until = excluded.locked_until";
        tx.execute(sql, (&name, failed, now, until))?;
        let sql = "DELETE FROM attempt WHERE name IN
                   (SELECT name FROM attempt ORDER BY failed_at DESC LIMIT -1 OFFSET ?1)";
        tx.execute(sql, [ATTEMPTS_AT_MOST])?;
        // Not of names that have no account: whoever guesses those must not fill the disk.
        if known_name(&tx, &name)? {
            let code = &AuditCode::InARow { times: failed };
            let (what, detail) = ("sign_in_failed", &*code.words());
            audit(&tx, &AuditEntry { at: now, who: &name, what, detail, code })?;
        }
        tx.commit()?;
        Err(if until > now { AccountError::Locked { until, now } } else { AccountError::Wrong })
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
            let sql = "UPDATE session SET seen_at = ?2 WHERE id = ?1";
            self.conn.prepare_cached(sql)?.execute((id, now))?;
        }
        Ok(Some(known))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn sign_out(&mut self, cookie: &str) -> Result<(), AccountError> {
        self.conn.execute("DELETE FROM session WHERE id = ?1", [digest(cookie)])?;
        Ok(())
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
        let text = format!("sp_{}", key()?);
        let sql = "INSERT INTO token (hash, name, role, station, made_by, created_at, expires_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let role = token.role.as_str();
        let row = (
            digest(&text),
            &token.name,
            role,
            &token.station,
            &token.made_by,
            now,
            token.expires_at,
        );
        self.conn.execute(sql, row)?;
        Ok(text)
    }

    /// Takes a token away; false: there was none.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn drop_token(&mut self, id: i64) -> Result<bool, AccountError> {
        Ok(self.conn.execute("DELETE FROM token WHERE id = ?1", [id])? > 0)
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
        Ok(audit(&self.conn, &AuditEntry { at, who, what, detail, code: &AuditCode::Text })?)
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
        Ok(audit(&self.conn, &AuditEntry { at, who, what, detail: &code.words(), code })?)
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

    fn all<T>(
        &self,
        sql: &str,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, AccountError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        Ok(statement.query_map((), row)?.collect::<Result<_, _>>()?)
    }
}

/// What is to be written into the audit log.
struct AuditEntry<'a> {
    at: Ms,
    who: &'a str,
    what: &'a str,
    detail: &'a str,
    code: &'a AuditCode,
}

fn audit(db: &Connection, entry: &AuditEntry<'_>) -> rusqlite::Result<()> {
    let sql = "INSERT INTO audit (at, who, what, detail, code, parts)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (code, parts) = entry.code.columns();
    // A name may be what somebody typed who could not sign in.
    let (who, detail) = (plain(entry.who), plain(entry.detail));
    let row = (entry.at, who, entry.what, detail, code, plain(&parts));
    db.prepare_cached(sql)?.execute(row).map(|_| ())
}

/// Letters of any language: people sign in with their own name.
fn good_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    (1..=NAME_AT_MOST).contains(&name.chars().count()) && name.chars().all(fits)
}

fn known_name(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM account WHERE name = ?1")?.exists([name])
}

/// Somebody who may do everything, everywhere.
fn an_admin_is_left(db: &Connection, name: &str) -> Result<(), AccountError> {
    let sql = "SELECT count(*) FROM account WHERE role = 'admin' AND station IS NULL";
    match db.query_row(sql, (), |row| row.get::<_, i64>(0))? {
        0 => Err(AccountError::LastAdmin(name.to_owned())),
        _ => Ok(()),
    }
}

fn known(row: &Row<'_>) -> rusqlite::Result<CredentialOwner> {
    let (name, station, csrf) = (row.get(0)?, row.get(2)?, row.get(3)?);
    Ok(CredentialOwner { name, role: role(row, 1)?, station, csrf })
}

/// A role this version does not know may look, and nothing else.
fn role(row: &Row<'_>, at: usize) -> rusqlite::Result<Role> {
    Ok(Role::named(row.get_ref(at)?.as_str()?).unwrap_or(Role::Viewer))
}
