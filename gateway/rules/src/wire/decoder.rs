//! The seam for payloads of other makers: bytes and parameters → messages, or why not.
//!
//! A decoder decides nothing and remembers nothing: the same bytes with the same parameters are
//! the same messages, so that a message which is sent again is known. What does not fit is
//! rejected with a reason, never half-read: a fault is not an empty pipe.
//!
//! Which decoder reads what is said where sources are listed; ours is [`Ours`].

use super::{Parsed, parse};

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// Its topic, or what its transport has in place of one.
    pub topic: &'a [u8],
    pub payload: &'a [u8],
}

/// Looks up a device's value by its name.
pub type Table<'a> = dyn Fn(&str, &str) -> Option<f64> + 'a;

/// What is known of devices beside what they send, such as the range of a current loop.
#[derive(Clone, Copy)]
pub struct Parameters<'a>(Option<&'a Table<'a>>);

impl<'a> Parameters<'a> {
    /// Nothing is known.
    pub const NONE: Parameters<'static> = Parameters(None);

    /// From a table: device and name → value.
    #[must_use]
    pub const fn of(table: &'a Table<'a>) -> Self {
        Self(Some(table))
    }

    /// One device's value.
    #[must_use]
    pub fn get(&self, device: &str, name: &str) -> Option<f64> {
        self.0.and_then(|table| table(device, name))
    }
}

/// Reads one kind of payload.
pub trait Decoder: Send + Sync {
    /// Never fails and never panics, whatever the bytes: what was not understood is in
    /// [`Parsed::rejected`]. Several messages of one payload share its acknowledgement.
    fn decode(&self, raw: Raw<'_>, parameters: Parameters<'_>) -> Parsed;
}

/// What `shared/README.md` describes, below a root of topics.
#[derive(Clone, Debug)]
pub struct Ours {
    root: Box<str>,
}

impl Ours {
    /// Below this root.
    #[must_use]
    pub fn below(root: &str) -> Self {
        Self { root: root.into() }
    }
}

impl Decoder for Ours {
    fn decode(&self, raw: Raw<'_>, _needs_none: Parameters<'_>) -> Parsed {
        parse(&self.root, raw.topic, raw.payload)
    }
}
