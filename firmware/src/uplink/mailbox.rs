//! Where a packet of the broker is read into: one topic and one body, used again and again.
//!
//! `rust-mqtt` hands out what it has received for as long as its client lives; its own buffer
//! can only be emptied with unsafe code. Here it is handed question marks of the same length,
//! and the bytes themselves stay in the mailbox, which every packet overwrites.

use core::cell::{Cell, RefCell, RefMut};

use rust_mqtt::Bytes;
use rust_mqtt::buffer::BufferProvider;

use super::{MAX_PACKET, TOPIC_MAX};

/// As long as the longest body, and a valid topic at any length but 0.
static FILLER: [u8; MAX_PACKET] = [b'?'; MAX_PACKET];

/// The first and the last string of the packet that came last: of a PUBLISH, topic and body.
pub(super) struct Mailbox {
    topic: RefCell<[u8; TOPIC_MAX]>,
    topic_len: Cell<Option<usize>>,
    body: RefCell<[u8; MAX_PACKET]>,
    body_len: Cell<usize>,
}

impl Mailbox {
    pub(super) const fn new() -> Self {
        Self {
            topic: RefCell::new([0; TOPIC_MAX]),
            topic_len: Cell::new(None),
            body: RefCell::new([0; MAX_PACKET]),
            body_len: Cell::new(0),
        }
    }

    /// A new packet begins.
    pub(super) fn clear(&self) {
        self.topic_len.set(None);
        self.body_len.set(0);
    }

    /// Shows the PUBLISH that came last; a topic longer than any of ours is empty.
    pub(super) fn read<T>(&self, reader: impl FnOnce(&str, &[u8]) -> T) -> T {
        let (topic, body) = (self.topic.borrow(), self.body.borrow());
        let topic = topic.get(..self.topic_len.get().unwrap_or(0)).unwrap_or_default();
        let body = body.get(..self.body_len.get()).unwrap_or_default();
        reader(core::str::from_utf8(topic).unwrap_or_default(), body)
    }
}

/// Lends the mailbox to `rust-mqtt`.
pub(super) struct Slots<'m>(pub(super) &'m Mailbox);

/// Longer than a packet may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooLong;

pub(super) struct Slot<'m> {
    bytes: RefMut<'m, [u8]>,
}

impl AsMut<[u8]> for Slot<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl<'m> From<Slot<'m>> for Bytes<'m> {
    fn from(slot: Slot<'m>) -> Self {
        Bytes::Borrowed(FILLER.get(..slot.bytes.len()).unwrap_or_default())
    }
}

impl<'m> BufferProvider<'m> for Slots<'m> {
    type Buffer = Slot<'m>;
    type ProvisionError = TooLong;

    fn provide_buffer(&mut self, len: usize) -> Result<Slot<'m>, TooLong> {
        let first = self.0.topic_len.get().is_none();
        let bytes: RefMut<'m, [u8]> = if first && len <= TOPIC_MAX {
            self.0.topic_len.set(Some(len));
            self.0.topic.try_borrow_mut().map_err(|_| TooLong)?
        } else {
            if first {
                self.0.topic_len.set(Some(0));
            }
            self.0.body_len.set(len);
            self.0.body.try_borrow_mut().map_err(|_| TooLong)?
        };
        let bytes = RefMut::filter_map(bytes, |bytes| bytes.get_mut(..len)).map_err(|_| TooLong)?;
        Ok(Slot { bytes })
    }
}
