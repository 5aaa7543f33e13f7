//! Which pages were sent singly of late, in a file beside the store: a page that a receiver may have seen
//! by itself is sent by itself after a crash, too, and not as a member of a bundle.
//!
//! The file is a hint and no truth. It is written before each attempt and never waited for: it outlives the
//! program, and not a machine that loses power. What is in it and not owed means nothing, and without it
//! pages are sent all the same.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use standpipe_machine::small_file;
use tracing::debug;
use ulid::Ulid;

/// Attempts that are remembered of each receiver, the oldest forgotten first: many times what is on its way
/// and not written down.
const SLOTS: u64 = 1_024;
/// Bytes of an id.
const SLOT: u64 = 16;

/// The attempts at one receiver.
#[derive(Debug)]
pub(super) struct TriedPages {
    file: Option<Arc<File>>,
    /// Where its part of the file begins, and the place in that of the next attempt.
    at: (u64, u64),
    /// The pages that any receiver was sent before this gateway started.
    before: Arc<HashSet<Ulid>>,
}

/// Where the attempts are, beside a store at that place.
fn place(store: &Path) -> PathBuf {
    store.with_extension("tried")
}

/// What is known beside a store of so many receivers, for each of them. `None`: the file is not touched.
pub(super) fn open(store: Option<&Path>, receivers: usize) -> Vec<TriedPages> {
    let path = store.map(place).unwrap_or_default();
    let read = || small_file::read(&path, small_file::USUAL).ok();
    let known = store.and_then(|_| read()).unwrap_or_default();
    let ids = known.chunks_exact(size_of::<Ulid>()).filter_map(|id| id.try_into().ok());
    let before: HashSet<Ulid> = ids.map(Ulid::from_bytes).filter(|id| !id.is_nil()).collect();
    let (before, places) = (Arc::new(before), 0..u64::try_from(receivers).unwrap_or(0));
    let opened = || opened(&path, known, places.end * SLOTS * SLOT);
    let file = match store.map_or_else(|| Err(io::ErrorKind::Unsupported.into()), |_| opened()) {
        Ok(file) => Some(Arc::new(file)),
        Err(why) => {
            debug!("{} can't be written ({why})", path.display());
            None
        }
    };
    let one = |place| TriedPages {
        file: file.clone(),
        at: (place * SLOTS * SLOT, 0),
        before: before.clone(),
    };
    places.map(one).collect()
}

/// Whole from the start, so that it needs no room on a disk that is full later.
fn opened(path: &Path, mut known: Vec<u8>, bytes: u64) -> io::Result<File> {
    small_file::regular_or_missing(path)?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    known.resize(known.len().max(usize::try_from(bytes).unwrap_or(0)), 0);
    file.write_all_at(&known, 0)?;
    Ok(file)
}

impl TriedPages {
    /// A page is sent now.
    pub(super) fn note(&mut self, page: Ulid) {
        let (first, next) = self.at;
        if let Some(file) = &self.file {
            let written = file.write_all_at(&page.to_bytes(), first + next * SLOT);
            if let Err(why) = written {
                debug!("page {page} is sent and not noted ({why})");
            }
        }
        self.at.1 = (next + 1) % SLOTS;
    }

    /// Whether a page was sent before this gateway started.
    pub(super) fn knows(&self, page: Ulid) -> bool {
        self.before.contains(&page)
    }
}

#[cfg(test)]
mod tests {
    use super::{SLOTS, open};
    use ulid::Ulid;

    #[test]
    fn what_was_sent_last_to_each_receiver_is_known_at_the_next_start_and_no_more_than_that() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("standpipe.db");
        let id = |receiver, n| Ulid::from_parts(n, receiver);
        let mut receivers = open(Some(&store), 2);
        assert!(!receivers[0].knows(id(1, 1)));
        for n in 1..=SLOTS + 3 {
            receivers[0].note(id(1, n));
        }
        receivers[1].note(id(2, 1));
        assert!(!receivers[0].knows(id(1, 9)), "known is what was before");
        let length = std::fs::metadata(folder.path().join("standpipe.tried")).unwrap().len();
        assert_eq!(length, 2 * SLOTS * 16, "it does not grow");

        let receivers = open(Some(&store), 2);
        let known = (1..=SLOTS + 3).filter(|n| receivers[0].knows(id(1, *n)));
        assert_eq!(known.collect::<Vec<_>>(), (4..=SLOTS + 3).collect::<Vec<_>>());
        assert!(receivers[0].knows(id(2, 1)) && !receivers[0].knows(Ulid::nil()));
    }

    #[test]
    fn where_nothing_can_be_written_pages_are_sent_all_the_same() {
        let mut receivers = open(Some("/nowhere/standpipe.db".as_ref()), 1);
        receivers[0].note(Ulid::from_parts(1, 1));
        assert!(!receivers[0].knows(Ulid::from_parts(1, 1)));
    }
}
