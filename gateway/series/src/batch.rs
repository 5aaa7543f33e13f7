//! A batch of readings on its way to the series, and whose they are.
//!
//! The tags of every device are kept as the beginning of its line, escaped once: writing a
//! point copies it. What a line looks like is in `line.rs`.

use std::sync::Arc;

use standpipe_rules::changes::Logged;
use standpipe_rules::registry::{Device, DeviceIx};
use standpipe_shared::Kind;

/// Readings with the tags they were read with.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The readings, in order of arrival.
    pub readings: Vec<Logged>,
    /// Whose they are.
    pub tags: Arc<Tags>,
}

/// The beginning of each device's line: `hydrant,device=H-1,station=S-3,zone=north `.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    /// By [`DeviceIx`]; `None`: no such device.
    heads: Vec<Option<Head>>,
    /// All ids, each before the beginning it belongs to, which has it escaped.
    text: String,
}

/// Where one device's beginning is within [`Tags::text`].
#[derive(Clone, Copy, Debug)]
struct Head {
    start: u32,
    len: u16,
    /// The id ends where the beginning starts.
    id_len: u8,
}

/// What of a device becomes a tag.
#[derive(Clone, Copy, Debug)]
pub struct TagRow<'a> {
    /// Its place.
    pub ix: DeviceIx,
    /// The measurement.
    pub kind: Kind,
    /// Its id.
    pub device: &'a str,
    /// Its station; empty: none.
    pub station: &'a str,
    /// Its zone; empty: none.
    pub zone: &'a str,
}

impl<'a> TagRow<'a> {
    /// The tags of a registered device.
    #[must_use]
    pub fn of(ix: DeviceIx, device: &'a Device) -> Self {
        let Device { kind, id, station, zone, .. } = device;
        Self { ix, kind: *kind, device: id, station, zone }
    }
}

impl Tags {
    /// The tags of these devices. A station or zone that line protocol cannot say (a control
    /// character) is left out, with a warning; a device whose *id* cannot be said has no tags,
    /// and its readings are refused.
    #[must_use]
    pub fn new<'a>(rows: impl IntoIterator<Item = TagRow<'a>>) -> Self {
        let mut tags = Self::default();
        for row in rows {
            tags.put(&row);
        }
        tags
    }

    /// Adds one device, or changes it. The old text stays until the table is built anew.
    pub fn put(&mut self, row: &TagRow<'_>) {
        let at = row.ix.at();
        if self.heads.len() <= at {
            self.heads.resize(at + 1, None);
        }
        let head = self.push(row);
        if let Some(place) = self.heads.get_mut(at) {
            *place = head;
        }
    }

    /// The beginning of a device's line, up to the space before its fields.
    #[must_use]
    pub fn head(&self, ix: DeviceIx) -> Option<&str> {
        let head = (*self.heads.get(ix.at())?)?;
        self.text.get(head.start as usize..head.start as usize + usize::from(head.len))
    }

    /// A device's id.
    #[must_use]
    pub fn id(&self, ix: DeviceIx) -> Option<&str> {
        let head = (*self.heads.get(ix.at())?)?;
        let end = head.start as usize;
        self.text.get(end - usize::from(head.id_len)..end)
    }

    /// How many places there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    fn push(&mut self, row: &TagRow<'_>) -> Option<Head> {
        let before = self.text.len();
        self.text.push_str(row.device);
        let start = self.text.len();
        match super::line::head(&mut self.text, row) {
            Ok(()) => Some(Head {
                start: u32::try_from(start).ok()?,
                len: u16::try_from(self.text.len() - start).ok()?,
                id_len: u8::try_from(row.device.len()).ok()?,
            }),
            Err(bad) => {
                tracing::error!(device = row.device, "device has no history: {bad}");
                self.text.truncate(before);
                None
            }
        }
    }
}
