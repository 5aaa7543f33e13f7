//! A disk for tests: SQLite's own files, and faults where a test wants them.
//!
//! SQLite reaches the disk through a table of functions, its *VFS*. The one here hands everything on
//! to the system's and is the default of the process from the first [`Disk`] on, so that whatever
//! opens a database passes it and needs not know. Files below the folder of a [`Disk`] are counted step by
//! step, and a step fails as the test says; all other files are left alone.
//!
//! [`random_from`] makes SQLite's random numbers those of a seed, for the whole process: then the same
//! life of a gateway writes the same bytes, its write-ahead log among them.
//!
//! Never part of what is installed. Why it is our own: `gateway/decisions/0022-the-machine.md`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

mod passing;

/// What happens to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// There is no room: what writes is refused (`SQLITE_FULL`), the rest is done.
    Full,
    /// The disk answers with an error (`SQLITE_IOERR`).
    Broken,
    /// The disk does not answer until it [`Disk::heals`]; then the step is done.
    Hangs,
}

/// What a test sees of the files below one folder, and does to them.
#[derive(Debug)]
pub struct Disk {
    plan: Arc<Plan>,
}

/// The steps of one folder, and which of them fail.
#[derive(Debug)]
struct Plan {
    folder: PathBuf,
    steps: AtomicU64,
    fault: Mutex<Option<(DiskFault, Range<u64>)>>,
    healed: Condvar,
}

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Bytes are written, or the index of the write-ahead log grows.
    Write,
    Truncate,
    Sync,
    Delete,
}

static PLANS: Mutex<Vec<Arc<Plan>>> = Mutex::new(Vec::new());

impl Disk {
    /// The files below `folder`, which databases are opened in from now on.
    ///
    /// # Panics
    /// When SQLite takes no VFS.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        passing::become_the_default();
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let plan = Arc::new(Plan {
            folder,
            steps: AtomicU64::new(0),
            fault: Mutex::new(None),
            healed: Condvar::new(),
        });
        PLANS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&plan));
        Self { plan }
    }

    /// How many steps there were: writes, truncations, syncs and deletions, those that failed among them.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.plan.steps.load(Ordering::SeqCst)
    }

    /// These steps fail, counted from the next one; and one that hangs.
    pub fn fails(&self, fault: DiskFault, next: Range<u64>) {
        let done = self.steps();
        let range = done.saturating_add(next.start)..done.saturating_add(next.end);
        *self.plan.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some((fault, range));
        self.plan.healed.notify_all();
    }

    /// Nothing fails any more.
    pub fn heals(&self) {
        *self.plan.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.plan.healed.notify_all();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.heals();
        let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|plan| !Arc::ptr_eq(plan, &self.plan));
    }
}

impl Plan {
    /// Whose a file is.
    fn of(path: &Path) -> Option<Arc<Self>> {
        let plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        plans.iter().find(|plan| path.starts_with(&plan.folder)).cloned()
    }

    /// Counts a step; whether it fails. One that hangs is waited for.
    fn fault(&self, step: Step) -> Option<DiskFault> {
        let nth = self.steps.fetch_add(1, Ordering::SeqCst);
        let mut plan = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hung = false;
        loop {
            let (fault, _) = plan.as_ref().filter(|(_, range)| hung || range.contains(&nth))?;
            match fault {
                DiskFault::Full if step != Step::Write => return None,
                DiskFault::Full | DiskFault::Broken => return Some(*fault),
                DiskFault::Hangs => {}
            }
            hung = true;
            plan = self.healed.wait(plan).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// SQLite's random numbers are those of this seed. Once a process, before any database is opened:
/// SQLite asks for them once.
///
/// # Panics
/// When SQLite takes no VFS.
pub fn random_from(seed: u64) {
    passing::become_the_default();
    passing::random_from(seed);
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, ErrorCode};

    use super::{Disk, DiskFault};

    fn opened(folder: &tempfile::TempDir) -> Connection {
        let db = Connection::open(folder.path().join("a.db")).unwrap();
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n)",
        )
        .unwrap();
        db
    }

    /// How a row is refused; `None`: it is taken.
    fn refused(db: &Connection) -> Option<ErrorCode> {
        db.execute("INSERT INTO t VALUES (1)", ()).err().and_then(|bad| bad.sqlite_error_code())
    }

    #[test]
    fn a_step_fails_where_a_test_says_and_nowhere_else() {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [disk, other] = [&folders[0], &folders[1]].map(|folder| Disk::below(folder.path()));
        let [db, beside] = [&folders[0], &folders[1]].map(opened);
        let before = disk.steps();
        assert_eq!(refused(&db), None);
        let steps = disk.steps() - before;
        assert!(steps >= 3, "a frame's head, its page, a sync: {steps}");

        for step in 0..steps {
            disk.fails(DiskFault::Broken, step..step + 1);
            assert_eq!(refused(&db), Some(ErrorCode::SystemIoFailure), "step {step}");
            assert_eq!(refused(&beside), None, "another folder");
            assert_eq!(refused(&db), None, "it was one step");
        }
        disk.fails(DiskFault::Full, 0..u64::MAX);
        assert_eq!([refused(&db), refused(&db)], [Some(ErrorCode::DiskFull); 2]);
        disk.heals();
        assert_eq!(refused(&db), None);
        let rows: u64 = db.query_row("SELECT count(*) FROM t", (), |row| row.get(0)).unwrap();
        assert_eq!(rows, 2 + steps, "what was refused is not there");
        assert!(other.steps() > 0);
    }

    #[test]
    fn a_file_that_is_nobodys_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::below(folder.path());
        disk.fails(DiskFault::Broken, 0..u64::MAX);
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(refused(&opened(&elsewhere)), None);
        assert_eq!(disk.steps(), 0);
    }
}
