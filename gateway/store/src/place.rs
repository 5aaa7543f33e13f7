//! Where the store is read at this moment: in its file, or in the working copy in memory that stands in
//! for it while the file takes nothing. The engine says which; whoever reads looks here before each read.
//!
//! Not here: the copy itself (`working.rs`), and when it stands in (`standpipe_engine`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

/// The one place that all readers of a gateway look at. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StorePlace {
    file: Arc<Path>,
    now: Arc<watch::Sender<PlaceNow>>,
}

/// A path is the same place as long as it is the same `Arc`: another file may have the name of one that was
/// lost.
#[derive(Debug)]
struct PlaceNow {
    read: Arc<Path>,
    file: Arc<Path>,
}

impl StorePlace {
    /// The file, until a copy stands in for it.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        let file: Arc<Path> = file.into().into();
        let now = PlaceNow { read: Arc::clone(&file), file: Arc::clone(&file) };
        Self { now: Arc::new(watch::Sender::new(now)), file }
    }

    /// Where the store is read now: a path, or the URI of a copy in memory. Whoever has it open goes on with
    /// that only while this is the same `Arc`.
    #[must_use]
    pub fn path(&self) -> Arc<Path> {
        Arc::clone(&self.now.borrow().read)
    }

    /// The path of the store's file, whether or not it is read now.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The same, as [`Self::path`] will give it when the file is read.
    #[must_use]
    pub fn file_now(&self) -> Arc<Path> {
        Arc::clone(&self.now.borrow().file)
    }

    /// Whether a copy in memory stands in for the file: what is read there is not stored yet.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        *self.now.borrow().read != *self.file
    }

    /// From now on the copy of this path is read.
    pub fn stands_in(&self, copy: &Path) {
        self.now.send_modify(|now| now.read = copy.into());
    }

    /// From now on the file is read again.
    pub fn is_back(&self) {
        self.now.send_modify(|now| now.read = Arc::clone(&now.file));
    }

    /// The same, and it is another file than the one that had this name.
    pub fn is_anew(&self) {
        self.now.send_modify(|now| now.file = (*self.file).into());
        self.is_back();
    }

    /// Returns when the file is read: at once, if it is.
    pub async fn in_file(&self) {
        // The sender is ours, so that it does not end.
        drop(self.now.subscribe().wait_for(|now| *now.read == *self.file).await);
    }
}

impl From<PathBuf> for StorePlace {
    fn from(file: PathBuf) -> Self {
        Self::new(file)
    }
}

#[cfg(test)]
mod tests {
    use super::StorePlace;
    use crate::{Reader, Store};

    #[test]
    fn another_file_of_the_same_name_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("standpipe.db");
        drop(Store::open(&path).unwrap());
        let place = StorePlace::new(path.clone());
        let reader = Reader::at(&place).unwrap();
        place.stands_in("file:/copy?vfs=memdb".as_ref());
        assert!(place.is_in_memory() && !reader.is_at(&place));
        place.is_back();
        assert!(!place.is_in_memory() && reader.is_at(&place), "the same file");
        place.stands_in("file:/copy?vfs=memdb".as_ref());
        place.is_anew();
        assert!(!place.is_in_memory() && !reader.is_at(&place), "another one");
        let reader = Reader::of_file(&place).unwrap();
        place.is_back();
        assert!(reader.is_at(&place));
    }
}
