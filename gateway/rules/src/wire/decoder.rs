//! The seam for payloads of other makers: bytes and parameters → messages, or why not.
//!
//! A decoder decides nothing and remembers nothing: the same bytes with the same parameters are
//! the same messages, so that a message which is sent again is known. What does not fit is
//! rejected with a reason, never half-read: a fault is not an empty pipe.
//!
//! A source is made with its decoder. The lanes have that of [`by_device`]: what a device sends is
//! read by the decoder that its row in `devices.csv` names, one of [`MAKERS`], and by [`Ours`] where
//! it names none.

use std::sync::Arc;

use super::topics::device;
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

/// A decoder that devices can be registered with.
#[derive(Clone, Copy)]
pub struct Maker {
    /// As it stands in the column `decoder` of `devices.csv`.
    pub name: &'static str,
    pub decoder: &'static dyn Decoder,
}

/// Every decoder beside ours: a line each.
pub const MAKERS: &[Maker] = &[];

/// What the column `decoder` may say for ours. Nothing means the same, and is what is kept.
pub const OURS: &str = "ours";

/// Reads what comes below a root by the decoder of its device, whose name `named` looks up. Where
/// there are none but ours, that is ours itself, and nothing is ever looked up. A name that is
/// not among `makers`, as a later version may have stored it, is read by ours.
#[must_use]
pub fn by_device(
    root: &str,
    makers: &'static [Maker],
    named: impl Fn(&str) -> Option<Box<str>> + Send + Sync + 'static,
) -> Arc<dyn Decoder> {
    let ours = Ours::below(root);
    if makers.is_empty() {
        return Arc::new(ours);
    }
    Arc::new(ByDevice { ours, makers, named })
}

struct ByDevice<F> {
    ours: Ours,
    makers: &'static [Maker],
    named: F,
}

impl<F: Fn(&str) -> Option<Box<str>> + Send + Sync> Decoder for ByDevice<F> {
    fn decode(&self, raw: Raw<'_>, parameters: Parameters<'_>) -> Parsed {
        let name = device(&self.ours.root, raw.topic).and_then(&self.named);
        let maker = name.and_then(|name| self.makers.iter().find(|maker| *maker.name == *name));
        match maker {
            Some(maker) => maker.decoder.decode(raw, parameters),
            None => self.ours.decode(raw, parameters),
        }
    }
}

impl Decoder for Ours {
    fn decode(&self, raw: Raw<'_>, _needs_none: Parameters<'_>) -> Parsed {
        parse(&self.root, raw.topic, raw.payload)
    }
}
