//! Small values that outlive a restart: a few bytes under a key, in flash.
//!
//! What the values mean is the business of who keeps them: the boot counter and the losses are
//! the outbox's own, the rest is the node's.

use core::ops::Range;

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};

use super::lane::FlashTrouble;

/// The longest value, bytes.
pub const VALUE_MAX: usize = 256;
/// A value, its key, and rounding up to any flash's word.
const BUFFER: usize = VALUE_MAX + 32;

/// What a value is kept under. The numbers are in flash: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KeptKey {
    /// How often this device has started, u32.
    Boot = 1,
    /// What was lost: alarms, readings, u32 each.
    Lost = 2,
    /// What the node remembers: settings, starts of boots.
    Node = 3,
    /// What the board remembers, such as a calibration.
    Board = 4,
    /// Whether the gateway has promised receipts: 1 if so.
    Receipts = 5,
    /// How often it has started since it last had word from the broker, u8.
    Starts = 6,
}

/// The map, in at least two pages.
pub(super) struct Keep {
    range: Range<u32>,
}

impl Keep {
    pub(super) const fn new(range: Range<u32>) -> Self {
        Self { range }
    }

    pub(super) fn range(&self) -> Range<u32> {
        self.range.clone()
    }

    fn map<'f, F: MultiwriteNorFlash>(
        &self,
        flash: &'f mut F,
    ) -> Result<
        MapStorage<u8, &'f mut F, impl sequential_storage::cache::CacheImpl<u8>>,
        FlashTrouble,
    > {
        let config = MapConfig::try_new(self.range.clone()).map_err(|_| FlashTrouble::Failed)?;
        Ok(MapStorage::new(flash, config, Cache::new_uncached()))
    }

    /// Writes `value`. When this answers, it survives a power cut; when it does not, the old
    /// value does.
    pub(super) async fn put<F: MultiwriteNorFlash>(
        &self,
        flash: &mut F,
        key: KeptKey,
        value: &[u8],
    ) -> Result<(), FlashTrouble> {
        let mut buffer = [0; BUFFER];
        self.map(flash)?.store_item(&mut buffer, &(key as u8), &value).await?;
        Ok(())
    }

    /// Reads a value into `into` and says how long it is; `None`: never kept, or too long.
    pub(super) async fn get<F: MultiwriteNorFlash>(
        &self,
        flash: &mut F,
        key: KeptKey,
        into: &mut [u8],
    ) -> Result<Option<usize>, FlashTrouble> {
        let mut buffer = [0; BUFFER];
        let value: Option<&[u8]> = self.map(flash)?.fetch_item(&mut buffer, &(key as u8)).await?;
        Ok(value.and_then(|value| {
            into.get_mut(..value.len())?.copy_from_slice(value);
            Some(value.len())
        }))
    }

    /// Forgets everything.
    pub(super) async fn erase<F: MultiwriteNorFlash>(
        &self,
        flash: &mut F,
    ) -> Result<(), FlashTrouble> {
        flash.erase(self.range.start, self.range.end).await.map_err(|_| FlashTrouble::Failed)
    }
}
