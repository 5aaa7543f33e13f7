//! Accounts: who may come in, as what, and what they did.
//!
//! | file | idea |
//! |---|---|
//! | `role` | what each role may do: one table |
//! | `area` | what the people of a station may see |
//! | `secret` | passwords, and what is random |
//! | `lockout` | how long a name stays locked |
//! | `entry` | what changes accounts, as plain values, and the one function that writes them |
//! | [`book`] | the file `accounts.db`: what is read of it, and what is asked of it |
//! | `audit` | what a line of the audit log says, as a code and in words |
//! | `work` | what people did at devices, in the same file |
//!
//! They are in a file of their own beside the store: the engine stays the one writer of the
//! store, signing in never waits for an alarm's commit, and no alarm waits for a sign-in. The
//! command line writes to the same file while the gateway runs; SQLite sees to that.
//!
//! Not here: HTTP, cookies and forms (`api::auth` and `console` of `standpipe_web`).

mod area;
mod audit;
pub mod book;
mod entry;
mod lockout;
mod role;
mod secret;
mod work;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use standpipe_machine::entropy::Entropy;
use standpipe_rules::Ms;
use tokio::sync::Semaphore;

use crate::files::{self, Database};

pub use area::{Area, area};
pub(crate) use area::{DEVICES_OF, INCIDENTS_OF};
pub use audit::{AuditCode, COMMAND_LINE, GATEWAY};
pub use book::{Account, AccountBook, AuditLine, CredentialOwner, Token};
pub use entry::{AccountEntry, AccountOutcome, AuditEntry, KeyDigest};
pub use role::{Right, Role};
pub use secret::{NoSecret, PASSWORD_AT_LEAST, PASSWORD_AT_MOST, key, same};

pub use work::{Job, Work, WorkPlaces};

/// Passwords that are hashed at once; each takes 7 MiB and some 20 ms of a processor.
const HASHING_AT_ONCE: usize = 2;
/// People who may wait for that; more are refused.
const HASHING_WAITING: usize = 32;
/// The hash of no password: a name without an account takes as long as one with.
const NOBODY: &str = "$argon2id$v=19$m=7168,t=5,p=1$c3RhbmRwaXBlLW5vYm9keQ\
                      $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why something about an account was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("accounts can't be kept ({0}): check the disk and the owner of accounts.db")]
    Store(#[from] rusqlite::Error),
    /// The file is of a newer version.
    #[error("accounts.db has layout {found}, this version knows {newest}: use the newer standpipe", found = .0, newest = book::NEWEST)]
    TooNew(i64),
    #[error(transparent)]
    Secret(#[from] NoSecret),
    /// Wrong name or password; which one is not said.
    #[error("wrong name or password: try again")]
    Wrong,
    #[error("too many wrong passwords: try again in {} s", (until - now + 999) / 1_000)]
    Locked {
        /// A sign-in is possible from here on.
        until: Ms,
        now: Ms,
    },
    /// A password somebody could guess, or that is too long.
    #[error("password of {0} characters: use {PASSWORD_AT_LEAST} to {PASSWORD_AT_MOST}")]
    Password(usize),
    #[error("name `{0}`: use 1 to 48 letters, digits, _ and -")]
    Name(String),
    #[error("account `{0}` is there already: choose another name")]
    Taken(String),
    #[error("no account `{0}`: look at the list")]
    Unknown(String),
    /// Refused, because nobody could make accounts any more.
    #[error("`{0}` is the last admin: make another one first")]
    LastAdmin(String),
    /// More people sign in at once than can be served.
    #[error("too many people sign in at once: try again in a few seconds")]
    Busy,
}

impl AccountError {
    /// Whether the file itself is at fault, and not its folder, its disk or this version.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Store(bad) if files::is_damaged(bad))
    }
}

/// The accounts. Cheap to clone; every call runs on a thread that may wait.
#[derive(Clone, Debug)]
pub struct Accounts {
    book: Arc<Mutex<AccountBook>>,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    entropy: Entropy,
}

impl Accounts {
    /// Opens the accounts beside a store, made if need be; those that can only be read, in memory.
    ///
    /// # Errors
    /// [`AccountError::Store`], [`AccountError::TooNew`].
    pub fn open(store: &Path, entropy: &Entropy) -> Result<Self, AccountError> {
        let place = Database::Accounts.place(store);
        let book = AccountBook::open(&place, entropy).or_else(|why| {
            let AccountError::Store(bad) = why else { return Err(why) };
            if !files::is_of_disk(&bad) || files::is_damaged(&bad) {
                return Err(AccountError::Store(bad));
            }
            tracing::warn!("accounts are kept in memory until their file takes them: {bad}");
            AccountBook::of_read_only(&place, entropy).map_err(|_| AccountError::Store(bad))
        });
        Ok(Self::of(book?))
    }

    /// No accounts, and none that is kept: where there is no file to keep them in.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn in_memory(entropy: &Entropy) -> Result<Self, AccountError> {
        Ok(Self::of(AccountBook::open(Path::new(":memory:"), entropy)?))
    }

    fn of(book: AccountBook) -> Self {
        Self {
            entropy: book.entropy.clone(),
            book: Arc::new(Mutex::new(book)),
            hashing: Arc::new(Semaphore::new(HASHING_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(HASHING_WAITING)),
        }
    }

    /// What passwords and keys are made of here.
    #[must_use]
    pub const fn entropy(&self) -> &Entropy {
        &self.entropy
    }

    /// Whether there is no account at all.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub fn is_empty(&self) -> Result<bool, AccountError> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(book.accounts()?.is_empty())
    }

    /// Makes the first admin when there is no account at all; its password is in no log but the
    /// one this is printed to, and nowhere else.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn first_admin(&self, now: Ms) -> Result<Option<String>, AccountError> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if !book.accounts()?.is_empty() {
            return Ok(None);
        }
        let password = secret::password(&self.entropy)?;
        let account = Account::new("admin", Role::Admin, None, now);
        book.add(&account, &secret::hashed(&password, &self.entropy)?)?;
        book.audit_as(now, GATEWAY, "account_added", &AuditCode::FirstAdmin)?;
        Ok(Some(password))
    }

    /// Gives back to the file what was kept in memory while it took nothing, if it takes it now.
    ///
    /// # Errors
    /// [`AccountError::Store`]: it takes nothing yet, and nothing is lost.
    pub async fn to_disk(&self) -> Result<(), AccountError> {
        self.with(AccountBook::to_disk).await
    }

    /// Does something with the book.
    ///
    /// # Errors
    /// What `work` says.
    pub async fn with<T, F>(&self, work: F) -> Result<T, AccountError>
    where
        T: Send + 'static,
        F: FnOnce(&mut AccountBook) -> Result<T, AccountError> + Send + 'static,
    {
        let book = Arc::clone(&self.book);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut book.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.map_err(|_| AccountError::Busy)?
    }

    /// Signs somebody in; the value of the cookie.
    ///
    /// # Errors
    /// [`AccountError::Wrong`], [`AccountError::Locked`], [`AccountError::Busy`].
    pub async fn sign_in(
        &self,
        name: String,
        password: String,
        now: Ms,
    ) -> Result<String, AccountError> {
        let asked = name.clone();
        let hash = self.with(move |book| book.to_check(&asked, now)).await?;
        let known = hash.clone();
        let good = self.hash(move || secret::is(&password, known.as_deref().unwrap_or(NOBODY)));
        let good = good.await? && hash.is_some();
        self.with(
            move |book| if good { book.signed_in(&name, now) } else { book.failed(&name, now) },
        )
        .await
    }

    /// The PHC string of a password somebody chose.
    ///
    /// # Errors
    /// [`AccountError::Password`], [`AccountError::Busy`].
    pub async fn hashed(&self, password: String) -> Result<String, AccountError> {
        let length = password.chars().count();
        if length < PASSWORD_AT_LEAST || password.len() > PASSWORD_AT_MOST {
            return Err(AccountError::Password(length));
        }
        let entropy = self.entropy.clone();
        Ok(self.hash(move || secret::hashed(&password, &entropy)).await??)
    }

    /// Whether somebody's password is this one.
    ///
    /// # Errors
    /// [`AccountError::Locked`], [`AccountError::Busy`].
    pub async fn check(&self, name: &str, password: String, now: Ms) -> Result<(), AccountError> {
        let asked = name.to_owned();
        let hash = self.with(move |book| book.to_check(&asked, now)).await?;
        let good = self.hash(move || hash.is_some_and(|hash| secret::is(&password, &hash))).await?;
        if good {
            return Ok(());
        }
        let name = name.to_owned();
        self.with(move |book| book.failed(&name, now)).await.map(|_| ())
    }

    async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccountError> {
        let _waits = self.waiting.try_acquire().map_err(|_| AccountError::Busy)?;
        let _place = self.hashing.acquire().await.map_err(|_| AccountError::Busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| AccountError::Busy)
    }
}

/// A password that nobody has chosen, and its hash: for the command line.
///
/// # Errors
/// [`AccountError::Secret`].
pub fn fresh_password(entropy: &Entropy) -> Result<(String, String), AccountError> {
    let password = secret::password(entropy)?;
    let hash = secret::hashed(&password, entropy)?;
    Ok((password, hash))
}

#[cfg(test)]
mod tests;
