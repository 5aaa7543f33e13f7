//! How full the disk is that a file is on, and a ballast beside that file: room that is given up when
//! there is none left.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// A ballast is no larger than this, bytes …
const BALLAST_MOST: u64 = 64 * 1024 * 1024;
/// … nor than this part of what is free.
const BALLAST_SHARE: u64 = 10;
/// One of less than this, bytes, would help nobody.
const BALLAST_LEAST: u64 = 64 * 1024;

/// Room on a disk, as whoever is not root sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskRoom {
    /// Bytes that can still be written.
    pub free: u64,
    /// Bytes that there are, written or not.
    pub all: u64,
}

impl DiskRoom {
    /// Of the disk that a path is on, or its folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(path: &Path) -> io::Result<Self> {
        let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
        let says = statvfs(there)?;
        let blocks = says.f_blocks - says.f_bfree + says.f_bavail;
        Ok(Self { free: says.f_bavail * says.f_frsize, all: blocks * says.f_frsize })
    }

    /// The same, when a file on it is counted as free.
    ///
    /// # Errors
    /// What the system says.
    pub fn without(path: &Path) -> io::Result<Self> {
        let Self { free, all } = Self::of(path)?;
        let own = fs::metadata(path).map_or(0, |file| file.len());
        Ok(Self { free: free + own, all })
    }

    /// How much of it is used, percent, rounded down.
    #[must_use]
    pub fn used_percent(self) -> u64 {
        ((self.all.saturating_sub(self.free)) * 100).checked_div(self.all).unwrap_or(0)
    }
}

/// A file that takes room, so that there is some when it is removed. Cheap to clone: whether it is there
/// is looked up each time.
#[derive(Clone, Debug)]
pub struct Ballast {
    path: PathBuf,
}

impl Ballast {
    /// The ballast beside a file; it is not made yet.
    #[must_use]
    pub fn beside(file: &Path) -> Self {
        Self { path: file.with_extension("ballast") }
    }

    /// Makes it, unless it is there: 64 MiB, or a tenth of what is free. False: there is too little room.
    ///
    /// # Errors
    /// What the system says; then there is none.
    pub fn lay(&self) -> io::Result<bool> {
        if self.path.exists() {
            return Ok(true);
        }
        let bytes = BALLAST_MOST.min(DiskRoom::of(&self.path)?.free / BALLAST_SHARE);
        if bytes < BALLAST_LEAST {
            return Ok(false);
        }
        let file = File::options().write(true).create_new(true).mode(0o600).open(&self.path)?;
        let laid = fill(file, bytes);
        if laid.is_err() {
            self.release();
        }
        laid.map(|()| true)
    }

    /// Gives its room back; false: it was not there.
    pub fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    /// Whether it takes its room.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.path.exists()
    }
}

fn fill(mut file: File, bytes: u64) -> io::Result<()> {
    if fallocate(&file, FallocateFlags::empty(), 0, bytes).is_err() {
        // A disk that can't set room aside: it is written.
        io::copy(&mut io::Read::take(io::repeat(0xb5), bytes), &mut file)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{BALLAST_MOST, Ballast, DiskRoom};

    #[test]
    fn a_ballast_takes_room_and_gives_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("standpipe.db");
        let before = DiskRoom::of(&store).unwrap();
        assert!(before.free <= before.all && before.used_percent() <= 100);
        let ballast = Ballast::beside(&store);
        assert!(!ballast.is_there() && !ballast.release());
        assert!(ballast.lay().unwrap() && ballast.lay().unwrap(), "once");
        let bytes = std::fs::metadata(folder.path().join("standpipe.ballast")).unwrap().len();
        assert!(bytes <= BALLAST_MOST && bytes >= BALLAST_MOST.min(before.free / 20), "{bytes}");
        assert!(ballast.release() && !ballast.is_there());
    }

    #[test]
    fn how_full_a_disk_is_counts_what_others_may_write() {
        for (free, all, percent) in
            [(0, 0, 0), (100, 100, 0), (21, 100, 79), (20, 100, 80), (0, 9, 100)]
        {
            assert_eq!(DiskRoom { free, all }.used_percent(), percent);
        }
    }
}
