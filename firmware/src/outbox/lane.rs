//! One queue in one range of flash: `sequential-storage`, told in the words of the outbox.
//!
//! What belongs into which lane, what is given up and what is counted is decided in
//! [`super::Outbox`].

use core::mem;
use core::ops::Range;

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use sequential_storage::Error;
use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use crate::Record;

/// Why something could not be done in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlashTrouble {
    /// No page is free, and the oldest still holds something.
    Full,
    /// What is there makes no sense and could not be repaired: erase it.
    Corrupt,
    /// The chip does not answer.
    Failed,
}

impl<E> From<Error<E>> for FlashTrouble {
    fn from(error: Error<E>) -> Self {
        if matches!(error, Error::Storage { .. }) {
            Self::Failed
        } else if matches!(error, Error::FullStorage) {
            Self::Full
        } else {
            // Also when an item is longer than the buffer: then it was not written by us.
            Self::Corrupt
        }
    }
}

/// What a visitor wants after one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterVisit {
    /// Leave it and show the next.
    Next,
    /// Leave it; that was all.
    Stop,
    /// Remove it and show the next.
    Remove,
    /// Remove it; that was all.
    RemoveAndStop,
}

/// The most pages of a lane.
pub(super) const PAGES: usize = 32;
/// The longest item, rounded up to any flash's word.
const BUFFER: usize = Record::MAX.next_multiple_of(32);

type Pages = Cache<ArrayPageStates<PAGES>, ArrayPagePointers<PAGES>, Uncached>;

/// A queue. Remembers where it begins and ends: 9 bytes a page.
pub(super) struct Lane {
    range: Range<u32>,
    cache: Pages,
}

impl Lane {
    pub(super) fn new(range: Range<u32>) -> Self {
        Self { range, cache: Self::unknown() }
    }

    pub(super) fn range(&self) -> Range<u32> {
        self.range.clone()
    }

    /// Whether at most one page is begun and not full. More are not made by a power cut, and
    /// would be taken for an end of the queue that it is not.
    pub(super) async fn is_sound<F: MultiwriteNorFlash>(
        &self,
        flash: &mut F,
    ) -> Result<bool, FlashTrouble> {
        let mut begun = 0;
        for page in self.range.clone().step_by(F::ERASE_SIZE) {
            let end = page + (F::ERASE_SIZE - F::READ_SIZE) as u32;
            let mut marked = [false; 2];
            for (at, marked) in [page, end].into_iter().zip(&mut marked) {
                let mut word = [0xFF; 32];
                let word = word.get_mut(..F::READ_SIZE).ok_or(FlashTrouble::Failed)?;
                flash.read(at, word).await.map_err(|_| FlashTrouble::Failed)?;
                // As `sequential-storage` reads its marks: half a byte of zeros.
                *marked = word.iter().map(|byte| byte.count_zeros()).sum::<u32>() >= 4;
            }
            begun += u32::from(marked == [true, false]);
        }
        Ok(begun <= 1)
    }

    fn unknown() -> Pages {
        Cache::new(ArrayPageStates::new(), ArrayPagePointers::new(), Uncached)
    }

    /// The queue, for one operation. Give what it has learned back with [`Self::learn`]; if the
    /// operation is cut off before, it is read from flash again.
    fn queue<'f, F: MultiwriteNorFlash>(
        &mut self,
        flash: &'f mut F,
    ) -> Result<QueueStorage<&'f mut F, Pages>, FlashTrouble> {
        let pages = self.range.len() / F::ERASE_SIZE;
        let config = QueueConfig::try_new(self.range.clone()).map_err(|_| FlashTrouble::Failed)?;
        if pages > PAGES {
            return Err(FlashTrouble::Failed);
        }
        Ok(QueueStorage::new(flash, config, mem::replace(&mut self.cache, Self::unknown())))
    }

    fn learn<F: MultiwriteNorFlash>(&mut self, queue: QueueStorage<&mut F, Pages>) {
        self.cache = queue.destroy().1;
    }

    /// Appends one item. When this answers, it survives a power cut.
    pub(super) async fn push<F: MultiwriteNorFlash>(
        &mut self,
        flash: &mut F,
        item: &[u8],
    ) -> Result<(), FlashTrouble> {
        let mut queue = self.queue(flash)?;
        let pushed = queue.push(item, false).await;
        self.learn(queue);
        Ok(pushed?)
    }

    /// Shows the items, oldest first, until `visitor` has enough.
    pub(super) async fn visit<F: MultiwriteNorFlash>(
        &mut self,
        flash: &mut F,
        visitor: &mut dyn FnMut(&[u8]) -> AfterVisit,
    ) -> Result<(), FlashTrouble> {
        let mut queue = self.queue(flash)?;
        let mut buffer = [0; BUFFER];
        let mut items = queue.iter().await?;
        while let Some(item) = items.next(&mut buffer).await? {
            let then = visitor(&item);
            if matches!(then, AfterVisit::Remove | AfterVisit::RemoveAndStop) {
                item.pop().await?;
            }
            if matches!(then, AfterVisit::Stop | AfterVisit::RemoveAndStop) {
                break;
            }
        }
        self.learn(queue);
        Ok(())
    }

    /// Forgets everything.
    pub(super) async fn erase<F: MultiwriteNorFlash>(
        &mut self,
        flash: &mut F,
    ) -> Result<(), FlashTrouble> {
        self.cache = Self::unknown();
        flash.erase(self.range.start, self.range.end).await.map_err(|_| FlashTrouble::Failed)
    }
}
