//! What a file has, and a copy that was made of what the gateway remembered has not: what became of it meanwhile.
//!
//! Not here: the copy (`remembered.rs`), and how the file takes it back (`working.rs`).

use rusqlite::Connection;
use standpipe_rules::Ms;
use ulid::Ulid;

use super::commit::Extras;
use super::digests::{self, DigestNews};
use super::{StoreError, bundles, rows};

/// What became of pages and digests of which a remembered copy may have no row.
#[derive(Clone, Debug, Default)]
pub(super) struct SettledInFile {
    delivered: Vec<(Ulid, Ms)>,
    gave_up: Vec<(Ulid, Ms)>,
    digests: Vec<DigestNews>,
}

impl SettledInFile {
    /// A commit was told of these.
    pub fn extend(&mut self, extras: &Extras) {
        self.delivered.extend(&extras.delivered);
        self.gave_up.extend(&extras.gave_up);
        self.digests.extend(extras.digests.iter().cloned());
    }

    /// Writes it into the file.
    pub fn write(&self, file: &Connection) -> Result<(), StoreError> {
        for (page_id, at) in &self.delivered {
            if rows::delivered(file, *page_id, *at)? == rows::Known::No {
                bundles::delivered(file, *page_id, *at)?;
            }
        }
        for (page_id, at) in &self.gave_up {
            if rows::gave_up(file, *page_id, *at)? == rows::Known::No {
                bundles::gave_up(file, *page_id, *at)?;
            }
        }
        self.digests.iter().try_for_each(|news| digests::write(file, news))
    }
}

/// What a file has of open incidents and of pages that a remembered copy knows better: an incident that is
/// open there and not here was closed, and a page that is owed there and not here was sent, in what the file
/// lost. Pages of a bundle are owed singly now. What a page says is kept no longer than it is owed.
pub(super) fn forget_what_is_over(file: &Connection, copy: &str) -> Result<(), StoreError> {
    let over = format!(
        "SELECT id FROM main.incident i WHERE open = 1
             AND NOT EXISTS (SELECT 1 FROM {copy}.incident c WHERE c.id = i.id)"
    );
    let owed = "delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL";
    Ok(file.execute_batch(&format!(
        "DELETE FROM main.board WHERE incident IN ({over});
         DELETE FROM main.page WHERE incident IN ({over});
         DELETE FROM main.incident WHERE id IN ({over});
         UPDATE main.page SET superseded_at = at WHERE {owed}
             AND incident IN (SELECT id FROM {copy}.incident)
             AND NOT EXISTS (SELECT 1 FROM {copy}.page c WHERE c.page_id = main.page.page_id);
         UPDATE main.bundle SET superseded_at = at WHERE {owed}
             AND NOT EXISTS (SELECT 1 FROM main.page p WHERE p.bundle = main.bundle.id);
         DELETE FROM main.message WHERE n NOT IN (SELECT number FROM main.page WHERE {owed});"
    ))?)
}
