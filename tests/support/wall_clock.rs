//! A wall clock of one program's own, which a test sets as NTP or a person would.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the kernel says of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Somebody keeps it right.
    Synchronised,
    /// Nobody does.
    Unsynchronised,
}

/// A wall clock that can be set; everybody else's stays right.
#[derive(Clone, Debug)]
pub struct WallClock {
    library: PathBuf,
    file: PathBuf,
}

impl WallClock {
    /// Makes one that is off by so many seconds. Its files are in `dir`.
    ///
    /// # Panics
    /// Without a C compiler, which Rust's linker is part of.
    #[must_use]
    pub fn off_by(dir: &Path, seconds: i64, kernel: Kernel) -> Self {
        let library = dir.join("libwall_clock.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/wall_clock.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source).arg("-ldl");
        let status = cc.status().expect("a C compiler: install gcc or clang");
        assert!(status.success(), "{cc:?}: see what it printed");
        let clock = Self { library, file: dir.join("wall_clock") };
        clock.set(seconds, kernel);
        clock
    }

    /// Sets it to be off by so many seconds.
    ///
    /// # Panics
    /// When its file cannot be written.
    pub fn set(&self, seconds: i64, kernel: Kernel) {
        use std::io::Write as _;
        let numbers = [seconds * 1_000, i64::from(kernel == Kernel::Synchronised)];
        let bytes = numbers.map(i64::to_ne_bytes).concat();
        // In place: the program has the file mapped.
        let mut options = std::fs::File::options();
        let mut file =
            options.create(true).truncate(false).write(true).open(&self.file).expect("a file");
        file.write_all(&bytes).expect("room on disk");
    }

    /// What a program's environment needs to live by this clock.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("LD_PRELOAD", self.library.clone()), ("WALL_CLOCK", self.file.clone())]
    }
}
