//! A small disk of a test's own, which it can fill to the last byte.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::wait_for;

/// A file system in memory, gone when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    /// Where it is mounted.
    pub path: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many MiB in an empty folder.
    ///
    /// # Panics
    /// Where that is not allowed: it says what is needed. Such a test is never left out.
    #[must_use]
    pub fn mount(path: &Path, mib: u32) -> Self {
        fs::create_dir_all(path).expect("a folder");
        let size = format!("size={mib}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path);
        let said = mount.output().expect("the program `mount`");
        assert!(
            said.status.success(),
            "this test fills a disk, and may not mount a small one ({}): run it as root, in a container with \
             `--cap-add SYS_ADMIN --security-opt apparmor=unconfined`, or in `unshare --map-root-user --mount`",
            String::from_utf8_lossy(&said.stderr).trim()
        );
        Self { path: path.to_owned() }
    }

    /// Fills it to the last byte.
    ///
    /// # Panics
    /// When it can't be written at all.
    pub fn fill(&self) {
        let mut file =
            File::options().append(true).create(true).open(self.path.join("fill")).expect("a file");
        for bytes in [1 << 20, 4_096, 1] {
            while file.write_all(&vec![b'x'; bytes]).is_ok() {}
        }
    }

    /// The same, after the gateway has laid its ballast, which is removed: it would make room.
    ///
    /// # Panics
    /// When there is none after a while.
    pub fn fill_with_ballast(&self, ballast: &str) {
        let ballast = self.path.join(ballast);
        wait_for("the ballast", Duration::from_secs(30), || ballast.exists().then_some(()));
        fs::remove_file(ballast).expect("a ballast");
        self.fill();
    }

    /// Gives back what was filled.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn make_room(&self) {
        fs::remove_file(self.path.join("fill")).expect("it was filled");
    }

    /// Mounts it anew so that nothing can be written to it, or so that it can.
    ///
    /// # Panics
    /// When somebody has a file open there.
    pub fn remount(&self, how: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{how}")]).arg(&self.path);
        assert!(mount.status().expect("the program `mount`").success(), "remount,{how}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
