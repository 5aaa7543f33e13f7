//! Bytes into a buffer of fixed length.

/// The buffer is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall;

/// A buffer and how much of it is written.
#[derive(Debug)]
pub(crate) struct Buffer<'a> {
    into: &'a mut [u8],
    at: usize,
}

impl<'a> Buffer<'a> {
    pub(crate) const fn new(into: &'a mut [u8]) -> Self {
        Self { into, at: 0 }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), TooSmall> {
        let end = self.at + bytes.len();
        self.into.get_mut(self.at..end).ok_or(TooSmall)?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    pub(crate) const fn len(&self) -> usize {
        self.at
    }
}
