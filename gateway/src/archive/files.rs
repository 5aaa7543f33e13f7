//! The folder of the archive: a file a kind and month, each line one JSON object; and its limit.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use standpipe_rules::Ms;
use standpipe_store::expired::Expired;

/// What is archived; of two, the files of the earlier are deleted first where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArchiveKind {
    /// Messages that were not understood.
    Quarantine,
    /// The audit log.
    Audit,
    /// Closed incidents, with their trail and pages.
    Incidents,
}

impl ArchiveKind {
    const ALL: [Self; 3] = [Self::Quarantine, Self::Audit, Self::Incidents];

    /// What its files' names begin with.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Audit => "audit",
            Self::Incidents => "incidents",
        }
    }

    fn of_file(name: &str) -> Option<Self> {
        let (kind, month) = name.strip_suffix(".jsonl")?.split_once('-')?;
        let is_month = month.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        Self::ALL.into_iter().find(|known| is_month && known.name() == kind)
    }
}

/// The folder, and how much may be in it.
#[derive(Clone, Debug)]
pub struct ArchiveFolder {
    path: PathBuf,
    /// Bytes; 0: nothing is archived.
    limit: u64,
}

impl ArchiveFolder {
    /// The folder `archive` beside a store; it is made when there is something to put there.
    pub fn beside(store: &Path, mib: u32) -> Self {
        Self { path: store.with_file_name("archive"), limit: u64::from(mib) << 20 }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes these lines, each to the file of its month. They are on the disk when it returns.
    ///
    /// # Errors
    /// Some of them may not be there.
    pub fn append<T>(&self, kind: ArchiveKind, expired: &[Expired<T>]) -> io::Result<()> {
        if self.limit == 0 || expired.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.path)?;
        let name = |row: &Expired<T>| format!("{}-{}.jsonl", kind.name(), month(row.at));
        for rows in expired.chunk_by(|one, next| month(one.at) == month(next.at)) {
            let Some(first) = rows.first() else { continue };
            let mut text = String::new();
            for row in rows {
                text.push_str(&row.line);
                text.push('\n');
            }
            append(&self.path.join(name(first)), &text)?;
        }
        // A new file's name is to be there as well.
        File::open(&self.path)?.sync_all()
    }

    /// Deletes files until the rest is within the limit: the least important kind first, of that
    /// the oldest. Gives back those that are gone.
    ///
    /// # Errors
    /// What the system says.
    pub fn trim(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.path) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What somebody else has put there is theirs.
            if let Some(kind) = ArchiveKind::of_file(&name) {
                files.push((kind, name, entry.metadata()?.len()));
            }
        }
        files.sort_unstable();
        let mut bytes: u64 = files.iter().map(|(_, _, bytes)| bytes).sum();
        let mut gone = Vec::new();
        for (_, name, size) in files {
            if bytes <= self.limit {
                break;
            }
            std::fs::remove_file(self.path.join(&name))?;
            bytes -= size;
            gone.push(name);
        }
        Ok(gone)
    }
}

/// Adds whole lines to a file. A line that an earlier try left unfinished is ended first.
fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
    if ends_within_a_line(&mut file)? {
        file.write_all(b"\n")?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn month(at: Ms) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JULY: Ms = 1_625_097_600_000; // 2021-07-01T00:00:00Z

    fn row(at: Ms, line: &str) -> Expired<()> {
        Expired { row: (), at, line: line.to_owned() }
    }

    fn names(folder: &ArchiveFolder) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_line_goes_to_the_file_of_its_month_and_stays_whole_after_a_write_that_was_cut_short() {
        let store = tempfile::tempdir().unwrap();
        let folder = ArchiveFolder::beside(&store.path().join("standpipe.db"), 1);
        let rows = [row(JULY - 1, "1"), row(JULY, "2"), row(JULY, "3"), row(JULY - 1, "4")];
        folder.append(ArchiveKind::Incidents, &rows).unwrap();
        assert_eq!(names(&folder), ["incidents-2021-06.jsonl", "incidents-2021-07.jsonl"]);
        let july = folder.path().join("incidents-2021-07.jsonl");
        assert_eq!(std::fs::read_to_string(&july).unwrap(), "2\n3\n");
        assert_eq!(
            std::fs::read_to_string(july.with_file_name("incidents-2021-06.jsonl")).unwrap(),
            "1\n4\n"
        );
        std::fs::write(&july, "2\n3\n{\"inc").unwrap();
        folder.append(ArchiveKind::Incidents, &[row(JULY, "5")]).unwrap();
        assert_eq!(std::fs::read_to_string(&july).unwrap(), "2\n3\n{\"inc\n5\n");
    }

    #[test]
    fn over_its_limit_the_oldest_of_what_matters_least_goes_and_nobody_elses_files() {
        let store = tempfile::tempdir().unwrap();
        let folder = ArchiveFolder::beside(&store.path().join("standpipe.db"), 1);
        assert_eq!(folder.trim().unwrap(), Vec::<String>::new(), "there is no folder yet");
        let line = "x".repeat(300_000);
        for (kind, at) in [
            (ArchiveKind::Incidents, 0),
            (ArchiveKind::Audit, 0),
            (ArchiveKind::Quarantine, JULY),
            (ArchiveKind::Quarantine, JULY - 1),
        ] {
            folder.append(kind, &[row(at, &line)]).unwrap();
        }
        let theirs = folder.path().join("incidents-notes.jsonl");
        std::fs::write(&theirs, "y".repeat(2_000_000)).unwrap();
        assert_eq!(folder.trim().unwrap(), ["quarantine-2021-06.jsonl"]);
        assert_eq!(folder.trim().unwrap(), Vec::<String>::new(), "900 kB are within 1 MiB");
        folder.append(ArchiveKind::Incidents, &[row(JULY, &line.repeat(2))]).unwrap();
        assert_eq!(folder.trim().unwrap(), ["quarantine-2021-07.jsonl", "audit-1970-01.jsonl"]);
        let left = ["incidents-1970-01.jsonl", "incidents-2021-07.jsonl", "incidents-notes.jsonl"];
        assert_eq!(names(&folder), left);
    }

    #[test]
    fn without_a_limit_there_is_no_archive() {
        let store = tempfile::tempdir().unwrap();
        let folder = ArchiveFolder::beside(&store.path().join("standpipe.db"), 0);
        folder.append(ArchiveKind::Audit, &[row(0, "1")]).unwrap();
        assert!(!folder.path().exists());
    }
}
