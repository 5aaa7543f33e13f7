//! An AT24C256 (or an FRAM that answers like one) as the flash that the outbox wants.
//!
//! An EEPROM overwrites bytes one by one; "erased" is what we call a page of 0xFF. The chip does
//! not answer while it writes, at most 5 ms (AT24C256C data sheet, table 5-3), so it is asked
//! again. An FRAM never is.

use embedded_hal::i2c::{I2c, SevenBitAddress};
use embedded_hal_async::delay::DelayNs;
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// The address with all its pins low.
pub const ADDRESS: SevenBitAddress = 0x50;
/// The size, bytes.
pub const SIZE: usize = 32 * 1_024;
/// A write never crosses the end of such a page, bytes.
const WRITE_PAGE: usize = 64;
/// What the outbox erases at a time, bytes.
const ERASE_PAGE: usize = 1_024;
/// Twice as long as the slowest chip takes, in steps of 1 ms.
const PATIENCE_MS: u32 = 10;

/// Why the chip did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EepromTrouble {
    /// It does not answer.
    Silent,
    /// There is no such place.
    Outside,
}

impl NorFlashError for EepromTrouble {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Silent => NorFlashErrorKind::Other,
            Self::Outside => NorFlashErrorKind::OutOfBounds,
        }
    }
}

/// The chip.
pub struct Eeprom<I, D> {
    i2c: I,
    delay: D,
}

impl<I: I2c, D: DelayNs> Eeprom<I, D> {
    /// The one at [`ADDRESS`].
    pub const fn new(i2c: I, delay: D) -> Self {
        Self { i2c, delay }
    }

    /// Reads bytes into all of `into`; waits while the chip still writes.
    ///
    /// # Errors
    /// [`EepromTrouble`]
    pub async fn load(&mut self, at: u32, into: &mut [u8]) -> Result<(), EepromTrouble> {
        let place = place(at, into.len())?;
        for _ in 0..PATIENCE_MS {
            if self.i2c.write_read(ADDRESS, &place, into).is_ok() {
                return Ok(());
            }
            self.delay.delay_ms(1).await;
        }
        Err(EepromTrouble::Silent)
    }

    /// Writes what does not cross the end of a page.
    async fn store(&mut self, at: u32, bytes: &[u8]) -> Result<(), EepromTrouble> {
        let mut message = heapless::Vec::<u8, { WRITE_PAGE + 2 }>::new();
        message.extend_from_slice(&place(at, bytes.len())?).map_err(|_| EepromTrouble::Outside)?;
        message.extend_from_slice(bytes).map_err(|_| EepromTrouble::Outside)?;
        for _ in 0..PATIENCE_MS {
            if self.i2c.write(ADDRESS, &message).is_ok() {
                return Ok(());
            }
            self.delay.delay_ms(1).await;
        }
        Err(EepromTrouble::Silent)
    }
}

/// A place as the chip wants it, if so many bytes are there.
fn place(at: u32, count: usize) -> Result<[u8; 2], EepromTrouble> {
    let start = u16::try_from(at).map_err(|_| EepromTrouble::Outside)?;
    if usize::from(start) + count > SIZE {
        return Err(EepromTrouble::Outside);
    }
    Ok(start.to_be_bytes())
}

impl<I, D> ErrorType for Eeprom<I, D> {
    type Error = EepromTrouble;
}

impl<I: I2c, D: DelayNs> ReadNorFlash for Eeprom<I, D> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, at: u32, into: &mut [u8]) -> Result<(), EepromTrouble> {
        self.load(at, into).await
    }

    fn capacity(&self) -> usize {
        SIZE
    }
}

impl<I: I2c, D: DelayNs> NorFlash for Eeprom<I, D> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = ERASE_PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), EepromTrouble> {
        for at in (from..to).step_by(WRITE_PAGE) {
            self.store(at, &[0xff; WRITE_PAGE]).await?;
        }
        Ok(())
    }

    async fn write(&mut self, at: u32, mut bytes: &[u8]) -> Result<(), EepromTrouble> {
        let mut at = at;
        while !bytes.is_empty() {
            let room = WRITE_PAGE - at as usize % WRITE_PAGE;
            let (page, rest) = bytes.split_at(room.min(bytes.len()));
            self.store(at, page).await?;
            at += page.len() as u32;
            bytes = rest;
        }
        Ok(())
    }
}

impl<I: I2c, D: DelayNs> MultiwriteNorFlash for Eeprom<I, D> {}

#[cfg(test)]
mod tests {
    use super::{ADDRESS, Eeprom, EepromTrouble};
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
    extern crate std;
    use std::{vec, vec::Vec};

    fn write(at: u16, bytes: &[u8]) -> Transaction {
        Transaction::write(ADDRESS, [&at.to_be_bytes(), bytes].concat())
    }

    const BUSY: ErrorKind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);

    fn with<T>(
        script: &[Transaction],
        act: impl AsyncFnOnce(&mut Eeprom<Mock, NoopDelay>) -> T,
    ) -> T {
        let mut i2c = Mock::new(script);
        let mut chip = Eeprom::new(i2c.clone(), NoopDelay::new());
        let out = embassy_futures::block_on(act(&mut chip));
        i2c.done();
        out
    }

    #[test]
    fn a_write_is_cut_at_the_chip_s_pages_and_waits_while_it_writes() {
        let bytes: Vec<u8> = (0..100).collect();
        let script = [
            write(0x103e, &bytes[..2]),
            write(0x1040, &bytes[2..66]).with_error(BUSY),
            write(0x1040, &bytes[2..66]),
            write(0x1080, &bytes[66..]),
        ];
        assert_eq!(with(&script, async |eeprom| eeprom.write(0x103e, &bytes).await), Ok(()));
    }

    #[test]
    fn erased_is_all_ones_page_by_page() {
        let script: Vec<_> = (0..16).map(|page| write(0x0400 + page * 64, &[0xff; 64])).collect();
        assert_eq!(with(&script, async |eeprom| eeprom.erase(0x0400, 0x0800).await), Ok(()));
    }

    #[test]
    fn a_chip_that_never_answers_is_given_up_and_a_place_that_is_not_there_is_refused() {
        let asked = Transaction::write_read(ADDRESS, vec![0, 5], vec![0; 3]).with_error(BUSY);
        let script = vec![asked; 10];
        let mut three = [0; 3];
        let read = with(&script, async |eeprom| eeprom.read(5, &mut three).await);
        assert_eq!(read, Err(EepromTrouble::Silent));
        for (at, count) in [(0x8000, 1), (0x7fff, 2), (0x1_0000, 0)] {
            let mut bytes = vec![0; count];
            let read = with(&[], async |eeprom| eeprom.read(at, &mut bytes).await);
            assert_eq!(read, Err(EepromTrouble::Outside), "{at:#x}");
        }
    }
}
