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
    read_at: Arc<watch::Sender<Arc<Path>>>,
}

impl StorePlace {
    /// The file, until a copy stands in for it.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        let file: Arc<Path> = file.into().into();
        Self { read_at: Arc::new(watch::Sender::new(Arc::clone(&file))), file }
    }

    /// Where the store is read now: a path, or the URI of a copy in memory.
    #[must_use]
    pub fn path(&self) -> Arc<Path> {
        Arc::clone(&self.read_at.borrow())
    }

    /// The store's file, whether or not it is read now.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether a copy in memory stands in for the file: what is read there is not stored yet.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        **self.read_at.borrow() != *self.file
    }

    /// From now on the copy of this path is read.
    pub fn stands_in(&self, copy: &Path) {
        self.read_at.send_replace(copy.into());
    }

    /// From now on the file is read again.
    pub fn is_back(&self) {
        self.read_at.send_replace(Arc::clone(&self.file));
    }

    /// Returns when the file is read: at once, if it is.
    pub async fn in_file(&self) {
        // The sender is ours, so that it does not end.
        drop(self.read_at.subscribe().wait_for(|path| **path == *self.file).await);
    }
}

impl From<PathBuf> for StorePlace {
    fn from(file: PathBuf) -> Self {
        Self::new(file)
    }
}
