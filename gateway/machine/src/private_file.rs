//! Files that only their owner may read: keys, passwords, tokens.
//!
//! They are there whole or not at all, also when the power fails while one is written. Files that
//! everybody may read are written the same way.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadableBy {
    /// Its owner and nobody else.
    Owner,
    /// Everybody.
    All,
}

impl ReadableBy {
    const fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::All => 0o644,
        }
    }
}

/// Writes a file in place of what was there; makes its folder.
///
/// # Errors
/// What the system says, with the path.
pub fn write(path: &Path, content: &[u8], readers: ReadableBy) -> io::Result<()> {
    let told = |bad: io::Error| {
        io::Error::new(bad.kind(), format!("{} can't be written ({bad})", path.display()))
    };
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(told)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{name}.new"));
    let whole = || {
        // What a crash left behind may have other readers.
        match std::fs::remove_file(&fresh) {
            Err(bad) if bad.kind() != io::ErrorKind::NotFound => return Err(bad),
            Err(_) | Ok(()) => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(readers.mode()).open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        File::open(folder)?.sync_all()
    };
    whole().map_err(told)
}

#[cfg(test)]
mod tests {
    use super::{ReadableBy, write};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_for_its_owner_whatever_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/key");
        for (content, readers, mode) in [
            ("a", ReadableBy::All, 0o644),
            ("b", ReadableBy::Owner, 0o600),
            ("c", ReadableBy::Owner, 0o600),
        ] {
            write(&path, content.as_bytes(), readers).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
            let found = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{found:o}");
        }
        let names = std::fs::read_dir(folder.path().join("deep")).unwrap().count();
        assert_eq!(names, 1, "nothing is left beside it");
        let bad = write(&path.join("under a file"), b"", ReadableBy::All).unwrap_err().to_string();
        assert!(bad.contains("under a file can't be written"), "{bad}");
    }
}
