//! The table of functions that SQLite calls, each of which hands on to the system's own.
//!
//! A file here is a [`File`] and, behind it in the same piece of memory, the system's file: SQLite
//! makes room for both, as large as `szOsFile` says.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};
use standpipe_shared::SplitMix64;

use super::{DiskFault, Plan, Step};

const NAME: &CStr = c"standpipe-disk";

/// The system's VFS.
static SYSTEM: AtomicPtr<sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());
static CHANCE: Mutex<Option<SplitMix64>> = Mutex::new(None);

#[repr(C)]
struct File {
    base: sqlite3_file,
    /// An `Arc`, given back when the file is closed; null: nobody's file.
    plan: *const Plan,
}

/// Where the system's file begins: aligned for whatever it is.
const BEHIND: usize = size_of::<File>().next_multiple_of(16);

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

pub(super) fn random_from(seed: u64) {
    *CHANCE.lock().unwrap_or_else(PoisonError::into_inner) = Some(SplitMix64(seed));
}

/// From now on every database is opened by way of this one.
pub(super) fn become_the_default() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: SQLite answers with a table that is there as long as the process, or with null. The
        // copy is never freed either, and its functions fit the files that `open` makes.
        unsafe {
            assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK, "SQLite starts");
            let system = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!system.is_null(), "SQLite has a VFS");
            SYSTEM.store(system, Ordering::SeqCst);
            let room = c_int::try_from(BEHIND).unwrap_or(c_int::MAX);
            let vfs = Box::leak(Box::new(sqlite3_vfs {
                szOsFile: (*system).szOsFile + room,
                pNext: ptr::null_mut(),
                zName: NAME.as_ptr(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xRandomness: Some(randomness),
                ..*system
            }));
            assert_eq!(ffi::sqlite3_vfs_register(vfs, 1), ffi::SQLITE_OK, "SQLite takes it");
        }
    });
}

/// # Safety
/// `name` is null or a C string.
unsafe fn plan_of(name: *const c_char) -> Option<Arc<Plan>> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    let name = unsafe { CStr::from_ptr(name) };
    Plan::of(Path::new(OsStr::from_bytes(name.to_bytes())))
}

/// The system's file behind one of ours.
///
/// # Safety
/// `file` was opened by [`open`].
unsafe fn system(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: SQLite made room for both, as `szOsFile` says.
    unsafe { file.byte_add(BEHIND) }
}

/// Whether a step fails, and with which code of SQLite then.
///
/// # Safety
/// `file` was opened by [`open`].
unsafe fn refusal(file: *mut sqlite3_file, step: Step, broken: c_int) -> Option<c_int> {
    // SAFETY: `open` wrote the plan, whose `Arc` is held until `close`.
    let plan = unsafe { (*file.cast::<File>()).plan.as_ref() }?;
    code(plan, step, broken)
}

fn code(plan: &Plan, step: Step, broken: c_int) -> Option<c_int> {
    plan.fault(step).map(|fault| match fault {
        DiskFault::Full => ffi::SQLITE_FULL,
        DiskFault::Broken | DiskFault::Hangs => broken,
    })
}

/// Calls a function of the system's file. SQLite asks for none that its version does not have.
macro_rules! hand_on {
    ($file:ident . $method:ident ( $($argument:expr),* )) => {{
        // SAFETY: SQLite calls with a file that `open` made, and arguments that fit the function.
        unsafe {
            let file = system($file);
            match (*(*file).pMethods).$method {
                Some(method) => method(file $(, $argument)*),
                None => panic!(concat!("the system's VFS has no ", stringify!($method))),
            }
        }
    }};
}

/// Answers with the refusal of a step, if it is refused.
macro_rules! may_fail {
    ($file:ident, $step:expr, $broken:expr) => {
        // SAFETY: SQLite calls with a file that `open` made.
        if let Some(code) = unsafe { refusal($file, $step, $broken) } {
            return code;
        }
    };
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    granted: *mut c_int,
) -> c_int {
    let vfs = SYSTEM.load(Ordering::SeqCst);
    // SAFETY: SQLite gives a name or null, and room for a file as large as `szOsFile`.
    unsafe {
        let own = file.cast::<File>();
        (*own).base.pMethods = ptr::null();
        (*own).plan = ptr::null();
        let behind = system(file);
        (*behind).pMethods = ptr::null();
        let Some(open) = (*vfs).xOpen else { return ffi::SQLITE_CANTOPEN };
        let opened = open(vfs, name, behind, flags, granted);
        // Without methods it is not closed either.
        if !(*behind).pMethods.is_null() {
            (*own).plan = plan_of(name).map_or(ptr::null(), Arc::into_raw);
            (*own).base.pMethods = &raw const METHODS;
        }
        opened
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    let vfs = SYSTEM.load(Ordering::SeqCst);
    // SAFETY: SQLite gives a name, and the system's VFS is always there.
    unsafe {
        let plan = plan_of(name);
        if let Some(code) =
            plan.and_then(|plan| code(&plan, Step::Delete, ffi::SQLITE_IOERR_DELETE))
        {
            return code;
        }
        (*vfs).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(vfs, name, sync))
    }
}

unsafe extern "C" fn randomness(_: *mut sqlite3_vfs, length: c_int, out: *mut c_char) -> c_int {
    if let Some(chance) = &mut *CHANCE.lock().unwrap_or_else(PoisonError::into_inner) {
        // SAFETY: SQLite gives room for so many bytes.
        let out = unsafe {
            std::slice::from_raw_parts_mut(out.cast::<u8>(), usize::try_from(length).unwrap_or(0))
        };
        for piece in out.chunks_mut(8) {
            piece.copy_from_slice(&chance.bits().to_le_bytes()[..piece.len()]);
        }
        return length;
    }
    let vfs = SYSTEM.load(Ordering::SeqCst);
    // SAFETY: handed on as it came.
    unsafe { (*vfs).xRandomness.map_or(0, |randomness| randomness(vfs, length, out)) }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let closed = hand_on!(file.xClose());
    // SAFETY: `open` gave the plan away once; SQLite closes a file once.
    unsafe {
        let own = file.cast::<File>();
        let plan = std::mem::replace(&mut (*own).plan, ptr::null());
        if !plan.is_null() {
            drop(Arc::from_raw(plan));
        }
    }
    closed
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    out: *mut c_void,
    length: c_int,
    at: sqlite3_int64,
) -> c_int {
    hand_on!(file.xRead(out, length, at))
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    at: sqlite3_int64,
) -> c_int {
    may_fail!(file, Step::Write, ffi::SQLITE_IOERR_WRITE);
    hand_on!(file.xWrite(bytes, length, at))
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    may_fail!(file, Step::Truncate, ffi::SQLITE_IOERR_TRUNCATE);
    hand_on!(file.xTruncate(size))
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    may_fail!(file, Step::Sync, ffi::SQLITE_IOERR_FSYNC);
    hand_on!(file.xSync(flags))
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    hand_on!(file.xFileSize(size))
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    hand_on!(file.xLock(level))
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    hand_on!(file.xUnlock(level))
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    hand_on!(file.xCheckReservedLock(out))
}

unsafe extern "C" fn file_control(
    file: *mut sqlite3_file,
    what: c_int,
    about: *mut c_void,
) -> c_int {
    hand_on!(file.xFileControl(what, about))
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    hand_on!(file.xSectorSize())
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    hand_on!(file.xDeviceCharacteristics())
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    if extend != 0 {
        may_fail!(file, Step::Write, ffi::SQLITE_IOERR_SHMSIZE);
    }
    hand_on!(file.xShmMap(region, size, extend, out))
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    hand_on!(file.xShmLock(offset, count, flags))
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    hand_on!(file.xShmBarrier());
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    hand_on!(file.xShmUnmap(delete))
}

unsafe extern "C" fn fetch(
    file: *mut sqlite3_file,
    at: sqlite3_int64,
    length: c_int,
    out: *mut *mut c_void,
) -> c_int {
    hand_on!(file.xFetch(at, length, out))
}

unsafe extern "C" fn unfetch(
    file: *mut sqlite3_file,
    at: sqlite3_int64,
    page: *mut c_void,
) -> c_int {
    hand_on!(file.xUnfetch(at, page))
}
