//! Moves the write-ahead log into the store's file on a thread of its own: a disk may take a tenth
//! of a second for that, and no alarm is to wait so long for its commit.

use std::path::Path;

use crossbeam_channel::{Receiver, Sender, bounded};
use standpipe_machine::threads;
use standpipe_store::{StoreError, move_log};

/// That thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Mover {
    begin: Sender<()>,
    ended: Receiver<Result<(), StoreError>>,
    moving: bool,
}

impl Mover {
    /// Of the store in this file.
    pub fn new(store: &Path) -> Self {
        let (begin, begun) = bounded(1);
        let (end, ended) = bounded(1);
        let store = store.to_owned();
        let moves = move || drop(begun.iter().try_for_each(|()| end.send(move_log(&store))));
        if let Err(why) = threads::start("store-mover", moves) {
            tracing::error!("no thread ({why}): SQLite moves the log itself, inside a commit");
        }
        Self { begin, ended, moving: false }
    }

    /// Begins, unless it has begun.
    pub fn begin(&mut self) {
        self.moving = self.moving || self.begin.try_send(()).is_ok();
    }

    /// How it ended, once.
    pub fn ended(&mut self) -> Option<Result<(), StoreError>> {
        let ended = self.ended.try_recv().ok();
        self.moving &= ended.is_none();
        ended
    }
}
