//! An EEPROM in memory: writes byte by byte, and dies at the byte it is told to.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// What happens to the byte that is being written when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It keeps its old value.
    Clean,
    /// It becomes something between old and new.
    Garbled,
}

#[derive(Debug)]
pub struct NoPower;

impl NorFlashError for NoPower {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

pub struct Cells {
    pub bytes: Vec<u8>,
    pub written: u64,
    pub read: u64,
    /// After so many more bytes the power goes.
    pub left: Option<u64>,
    pub cut: Cut,
}

/// Clones share the cells, so that a test keeps the chip when the device is gone. It is erased
/// in pages of `PAGE` bytes.
#[derive(Clone)]
pub struct Chip<const PAGE: usize = 1_024>(pub Rc<RefCell<Cells>>);

impl<const PAGE: usize> Chip<PAGE> {
    pub const SIZE: usize = 32_768;

    /// A chip as it comes from the factory.
    pub fn new() -> Self {
        Self::holding(vec![0xFF; Self::SIZE])
    }

    pub fn holding(bytes: Vec<u8>) -> Self {
        let cells = Cells { bytes, written: 0, read: 0, left: None, cut: Cut::Clean };
        Self(Rc::new(RefCell::new(cells)))
    }

    /// A copy that shares nothing, with power.
    pub fn copied(&self) -> Self {
        Self::holding(self.0.borrow().bytes.clone())
    }

    /// The power goes after `left` more bytes.
    pub fn dies_after(&self, left: u64, cut: Cut) {
        let mut cells = self.0.borrow_mut();
        (cells.left, cells.cut) = (Some(left), cut);
    }

    pub fn written(&self) -> u64 {
        self.0.borrow().written
    }

    fn put(&self, at: usize, byte: u8) -> Result<(), NoPower> {
        let mut cells = self.0.borrow_mut();
        if cells.left == Some(0) {
            if cells.cut == Cut::Garbled {
                // Some bits have moved, others not; then the chip is off for good.
                cells.bytes[at] ^= (cells.bytes[at] ^ byte) & 0b0110_1011 ^ 0b0001_0000;
                cells.cut = Cut::Clean;
            }
            return Err(NoPower);
        }
        cells.left = cells.left.map(|left| left - 1);
        cells.written += 1;
        cells.bytes[at] = byte;
        Ok(())
    }
}

impl<const PAGE: usize> ErrorType for Chip<PAGE> {
    type Error = NoPower;
}

impl<const PAGE: usize> ReadNorFlash for Chip<PAGE> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), NoPower> {
        let mut cells = self.0.borrow_mut();
        if cells.left == Some(0) {
            return Err(NoPower);
        }
        cells.read += into.len() as u64;
        let at = offset as usize;
        into.copy_from_slice(&cells.bytes[at..at + into.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl<const PAGE: usize> NorFlash for Chip<PAGE> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
        (from..to).try_for_each(|at| self.put(at as usize, 0xFF))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        bytes.iter().zip(offset as usize..).try_for_each(|(byte, at)| self.put(at, *byte))
    }
}

impl<const PAGE: usize> MultiwriteNorFlash for Chip<PAGE> {}
