//! Small files that people or programs put there: the configuration and what it names, secrets,
//! certificates, sheets. Something else in their place must not keep a program waiting or fill its memory:
//! a named pipe has no end until somebody writes to it, and a device may have none at all.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// The largest configuration, secret of the gateway's own, or certificate's ledger, bytes.
pub const USUAL: u64 = 4 * 1024 * 1024;

/// The content of a regular file, links followed. Never waits.
///
/// # Errors
/// What the system says; for what is no regular file, what it is instead; over `most` bytes,
/// [`io::ErrorKind::FileTooLarge`].
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // A device may do something when it is opened; a pipe that takes its place in between waits.
    regular(&std::fs::metadata(path)?)?;
    let file = OpenOptions::new().read(true).custom_flags(no_waiting()).open(path)?;
    let found = file.metadata()?;
    regular(&found)?;
    within(&file, found.len(), most)
}

/// The text of a regular file, as [`read`].
///
/// # Errors
/// As [`read`]; and [`io::ErrorKind::InvalidData`] for what is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path, USUAL)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Opening with this flag does not wait for a writer.
fn no_waiting() -> i32 {
    OFlags::NONBLOCK.bits().cast_signed()
}

/// Refuses what is there and is no regular file; a missing one is fine.
///
/// # Errors
/// What it is instead.
pub fn regular_or_missing(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) => regular(&found),
        Err(bad) if bad.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(bad) => Err(bad),
    }
}

fn regular(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file"));
    }
    let other = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {other}, not a file")))
}

/// All of it. It may grow while it is read, and files of `/proc` say that they are empty.
fn within(file: &File, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let large = |size: u64| {
        let why = format!("it has {size} bytes, at most {most} are read");
        Err(io::Error::new(io::ErrorKind::FileTooLarge, why))
    };
    if size > most {
        return large(size);
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        size if size > most => large(size),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::{read, read_text, regular_or_missing};

    #[test]
    fn what_is_no_file_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        pipe(&at("pipe"));
        std::os::unix::fs::symlink("pipe", at("link to a pipe")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        std::fs::write(at("text"), b"\xff").unwrap();
        for (name, expected) in [
            ("file", Ok("text")),
            ("link", Ok("text")),
            ("pipe", Err("it is a named pipe, not a file")),
            ("link to a pipe", Err("it is a named pipe, not a file")),
            ("", Err("it is a folder, not a file")),
            ("/dev/zero", Err("it is a device, not a file")),
            ("/dev/null", Err("it is a device, not a file")),
            ("socket", Err("it is a socket, not a file")),
            ("none", Err("No such file or directory (os error 2)")),
            ("text", Err("it is not UTF-8")),
        ] {
            let found = read_text(&at(name)).map_err(|bad| bad.to_string());
            assert_eq!(found.as_deref().map_err(|bad| &**bad), expected, "{name}");
            let whole = matches!(name, "file" | "link" | "none" | "text");
            assert_eq!(regular_or_missing(&at(name)).is_ok(), whole, "{name}");
        }
    }

    #[test]
    fn no_more_is_read_than_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"1234");
        let bad = read(&path, 3).unwrap_err();
        assert_eq!(bad.kind(), ErrorKind::FileTooLarge);
        assert_eq!(bad.to_string(), "it has 4 bytes, at most 3 are read");
        // Its size is said to be 0, and is not.
        let status = Path::new("/proc/self/status");
        assert!(!read(status, 1_000_000).unwrap().is_empty());
        assert_eq!(read(status, 10).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }

    /// Nobody will ever write to it.
    fn pipe(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    }
}
