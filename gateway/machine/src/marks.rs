//! Short notes in a file whose room was set aside before, so that they can be made on a full disk: each is
//! written over nothing, and takes no room that there was not.
//!
//! A note is a mark of 16 bytes and a moment. They go round: the oldest gives way to the newest, when there
//! are [`MOST`]. What is torn, or none, is not read. A thread of its own writes them, since a disk may let
//! one wait; whoever has one made waits for it for a moment ([`PATIENCE`]).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::threads;

/// Notes that there is room for: 1 MiB of them.
pub const MOST: u64 = 32_768;
/// A mark, a moment, and what says that it is whole.
const NOTE: usize = 32;
/// How long a note is waited for. In the page cache it is at once.
const PATIENCE: Duration = Duration::from_millis(50);

/// A mark, and when it was made, Unix ms.
pub type Note = (u128, i64);

/// The notes of a former life, and where new ones go.
#[derive(Debug)]
pub struct Marks {
    /// By mark: when it was first made, and all its places.
    former: HashMap<u128, (i64, Vec<u64>)>,
    /// Where those of this life are.
    own: Vec<u64>,
    next: u64,
    to: Sender<Vec<(u64, [u8; NOTE])>>,
    done: Receiver<io::Result<()>>,
    /// A note that nobody waited for may be done later.
    owed: usize,
}

impl Marks {
    /// Opens the notes beside a file, with all that are no older than `since`; sets room aside for them, if
    /// there is any. Where that can't be, what is noted is in memory alone.
    #[must_use]
    pub fn beside(file: &Path, since: i64) -> Self {
        let path = file.with_extension("marks");
        let (former, next) = read(&path, since);
        let (to, notes) = channel::<Vec<(u64, [u8; NOTE])>>();
        let (said, done) = channel();
        let works = move || {
            // Room is set aside now: later there may be none.
            let mut file = lay(&path);
            for some in notes {
                if file.is_err() {
                    file = lay(&path);
                }
                let written = match &file {
                    Ok(file) => put(file, &some),
                    Err(bad) => Err(bad.kind().into()),
                };
                if said.send(written).is_err() {
                    return;
                }
            }
        };
        // Without a thread they are in memory alone.
        let _ = threads::start("marks", works);
        Self { former, own: Vec::new(), next, to, done, owed: 0 }
    }

    /// When a former life made that mark first; asked once.
    pub fn take(&mut self, mark: u128) -> Option<i64> {
        // It stays where it is until what follows from it is kept.
        let (at, places) = self.former.remove(&mark)?;
        self.own.extend(places);
        Some(at)
    }

    /// Whether a former life left any.
    #[must_use]
    pub fn has_former(&self) -> bool {
        !self.former.is_empty()
    }

    /// Makes these, and waits a moment for them.
    ///
    /// # Errors
    /// They are not in the file, or not yet.
    pub fn note(&mut self, notes: &[Note]) -> io::Result<()> {
        let mut places = Vec::new();
        for note in notes {
            places.push((self.next, whole(*note)));
            self.own.push(self.next);
            self.next = (self.next + 1) % MOST;
        }
        self.write(places)
    }

    /// What this life marked or found is kept elsewhere by now.
    ///
    /// # Errors
    /// The marks are still in the file, or perhaps.
    pub fn forget(&mut self) -> io::Result<()> {
        let places = std::mem::take(&mut self.own);
        self.write(places.into_iter().map(|place| (place, [0; NOTE])).collect())
    }

    fn write(&mut self, places: Vec<(u64, [u8; NOTE])>) -> io::Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        while self.owed > 0 && self.done.try_recv().is_ok() {
            self.owed -= 1;
        }
        self.to.send(places).map_err(|_| io::Error::other("there is no thread for it"))?;
        self.owed += 1;
        if self.owed > 1 {
            // One that was waited for in vain is on its way still.
            return Err(io::ErrorKind::TimedOut.into());
        }
        let written = self.done.recv_timeout(PATIENCE).map_err(|_| io::ErrorKind::TimedOut)?;
        self.owed = 0;
        written
    }
}

fn whole((mark, at): Note) -> [u8; NOTE] {
    let mut note = [0; NOTE];
    let (parts, check) = note.split_at_mut(NOTE - 8);
    let (first, second) = parts.split_at_mut(16);
    first.copy_from_slice(&mark.to_le_bytes());
    second.copy_from_slice(&at.to_le_bytes());
    check.copy_from_slice(&sum(parts).to_le_bytes());
    note
}

/// FNV-1a: a note that is torn has another. Never 0.
fn sum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step) | 1
}

fn read(path: &Path, since: i64) -> (HashMap<u128, (i64, Vec<u64>)>, u64) {
    let mut former: HashMap<u128, (i64, Vec<u64>)> = HashMap::new();
    let mut bytes = Vec::new();
    let whole =
        File::open(path).and_then(|file| file.take(MOST * NOTE as u64).read_to_end(&mut bytes));
    if whole.is_err() {
        return (former, 0);
    }
    let (mut next, mut newest) = (0, i64::MIN);
    for (place, note) in (0..).zip(bytes.chunks_exact(NOTE)) {
        let (parts, check) = note.split_at(NOTE - 8);
        if *check != sum(parts).to_le_bytes() {
            continue;
        }
        let (mark, at) = parts.split_at(16);
        let mark = u128::from_le_bytes(mark.try_into().unwrap_or_default());
        let at = i64::from_le_bytes(at.try_into().unwrap_or_default());
        if at >= newest {
            (newest, next) = (at, (place + 1) % MOST);
        }
        if at >= since {
            let (first, places) = former.entry(mark).or_insert((at, Vec::new()));
            *first = at.min(*first);
            places.push(place);
        }
    }
    (former, next)
}

/// Sets the room aside, and opens it.
fn lay(path: &Path) -> io::Result<File> {
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let (has, wants) = (file.metadata()?.len(), MOST * NOTE as u64);
    if has < wants {
        // Written, not only set aside: what is only set aside may want room once more when it is written.
        io::Seek::seek(&mut file, io::SeekFrom::Start(has))?;
        let zeros = vec![0; usize::try_from(wants - has).unwrap_or(0)];
        file.write_all(&zeros)?;
        file.sync_all()?;
    }
    Ok(file)
}

fn put(file: &File, notes: &[(u64, [u8; NOTE])]) -> io::Result<()> {
    for (place, note) in notes {
        file.write_all_at(note, place * NOTE as u64)?;
    }
    // For a machine that loses power. A process that is killed has written it already.
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::{MOST, Marks, NOTE, Note};

    /// On a machine with much to do it is done later.
    fn made(marks: &mut Marks, notes: &[Note]) {
        let done = marks.note(notes);
        assert!(done.is_ok() || marks.done.recv().is_ok_and(|done| done.is_ok()), "{done:?}");
        marks.owed = 0;
    }

    #[test]
    fn a_mark_of_a_former_life_is_found_until_what_it_stands_for_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("standpipe.db");
        let mut first = Marks::beside(&store, 0);
        assert!(!first.has_former());
        made(&mut first, &[(7, 1_000), (8, 2_000)]);
        made(&mut first, &[(7, 3_000)]);
        assert_eq!(first.take(7), None, "this life knows by itself");
        drop(first);
        let mut second = Marks::beside(&store, 0);
        assert_eq!((second.take(7), second.take(7)), (Some(1_000), None), "the first, and once");
        drop(second);
        let mut third = Marks::beside(&store, 0);
        assert_eq!(third.take(7), Some(1_000), "it was not kept in between");
        while third.forget().is_err() {}
        drop(third);
        let mut fourth = Marks::beside(&store, 0);
        assert_eq!((fourth.take(7), fourth.take(8)), (None, Some(2_000)));
        drop(fourth);
        assert!(!Marks::beside(&store, 2_001).has_former(), "too old");
    }

    #[test]
    fn its_room_is_set_aside_and_never_grows() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("standpipe.db");
        let size = || std::fs::metadata(folder.path().join("standpipe.marks")).unwrap().len();
        let mut marks = Marks::beside(&store, 0);
        let notes: Vec<_> =
            (0..i64::try_from(MOST).unwrap() + 10).map(|n| (n as u128, n)).collect();
        made(&mut marks, &notes);
        drop(marks);
        let mut again = Marks::beside(&store, 0);
        assert_eq!((again.take(9), again.take(10)), (None, Some(10)), "the oldest gave way");
        made(&mut again, &[(1 << 70, 1 << 40)]);
        drop(again);
        let mut last = Marks::beside(&store, 0);
        assert_eq!((last.take(10), last.take(11)), (None, Some(11)), "and goes on there");
        assert_eq!(size(), MOST * NOTE as u64);
    }

    #[test]
    fn a_torn_note_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("standpipe.db");
        let mut marks = Marks::beside(&store, 0);
        made(&mut marks, &[(7, 1_000)]);
        drop(marks);
        let path = folder.path().join("standpipe.marks");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(!Marks::beside(&store, 0).has_former());
    }

    #[test]
    fn where_nothing_can_be_written_nobody_waits_for_long() {
        let mut marks = Marks::beside(std::path::Path::new("/proc/no/standpipe.db"), 0);
        assert!(marks.note(&[(7, 1_000)]).is_err());
        assert!(marks.forget().is_err());
        assert_eq!(marks.take(7), None);
    }
}
