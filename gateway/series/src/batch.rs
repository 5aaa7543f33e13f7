//! A batch of readings on its way to the series, and whose they are.
//!
//! Plain data: how a history spells a device's tags is its own affair, and a history that wants
//! them spelt once keeps what it spelt for as long as the table's [`Edition`] stays the same.

use std::sync::Arc;

use standpipe_rules::changes::Logged;
use standpipe_rules::registry::DeviceIx;
use standpipe_shared::Kind;
use standpipe_store::views::history::DeviceTags;

/// Readings with the tags they were read with.
#[derive(Clone, Debug)]
pub struct ReadingBatch {
    /// The readings, in order of arrival.
    pub readings: Vec<Logged>,
    /// The tags of every device, those without a reading here too.
    pub tags: Arc<Tags>,
}

/// The tags of every device, by its place in the registry.
#[derive(Debug, Default)]
pub struct Tags {
    /// By [`DeviceIx`]; `None`: no such device.
    rows: Vec<Option<DeviceTexts>>,
    /// The texts of all rows; those of one row follow each other: id, station, zone.
    text: String,
    edition: Edition,
}

/// Where the texts of one device are within [`Tags::text`].
#[derive(Clone, Copy, Debug)]
struct DeviceTexts {
    start: u32,
    station_len: u16,
    zone_len: u16,
    id_len: u8,
    kind: Kind,
}

/// Tells one table of tags from another. As long as it stays equal, what was read of the table
/// before still holds: devices were only added at its end.
#[derive(Clone, Debug, Default)]
pub struct Edition(Arc<()>);

impl PartialEq for Edition {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Edition {}

/// A copy is a table of its own: what is added to it is not added to the original.
impl Clone for Tags {
    fn clone(&self) -> Self {
        let (rows, text) = (self.rows.clone(), self.text.clone());
        Self { rows, text, edition: Edition::default() }
    }
}

impl Tags {
    /// The tags of these devices.
    #[must_use]
    pub fn new<'a>(rows: impl IntoIterator<Item = DeviceTags<'a>>) -> Self {
        let mut tags = Self::default();
        for row in rows {
            tags.put(&row);
        }
        tags
    }

    /// Adds one device, or changes it. The old text stays until the table is rebuilt.
    pub fn put(&mut self, row: &DeviceTags<'_>) {
        let at = row.ix.at();
        if self.rows.len() <= at {
            self.rows.resize(at + 1, None);
        } else {
            self.edition = Edition::default();
        }
        let texts = self.push(row);
        if texts.is_none() {
            tracing::error!(device = row.device, "device has no history: its tags are too long");
        }
        if let Some(place) = self.rows.get_mut(at) {
            *place = texts;
        }
    }

    /// The tags of a device; `None` where none were put.
    #[must_use]
    pub fn get(&self, ix: DeviceIx) -> Option<DeviceTags<'_>> {
        let row = (*self.rows.get(ix.at())?)?;
        let texts = self.text.get(row.start as usize..)?;
        let (device, texts) = texts.split_at_checked(row.id_len.into())?;
        let (station, texts) = texts.split_at_checked(row.station_len.into())?;
        let zone = texts.get(..row.zone_len.into())?;
        Some(DeviceTags { ix, kind: row.kind, device, station, zone })
    }

    /// A device's id.
    #[must_use]
    pub fn id(&self, ix: DeviceIx) -> Option<&str> {
        self.get(ix).map(|row| row.device)
    }

    /// Equal as long as what was read of the table before still holds.
    #[must_use]
    pub const fn edition(&self) -> &Edition {
        &self.edition
    }

    /// One more than the highest place put, gaps counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was ever put.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn push(&mut self, row: &DeviceTags<'_>) -> Option<DeviceTexts> {
        let texts = DeviceTexts {
            start: u32::try_from(self.text.len()).ok()?,
            station_len: u16::try_from(row.station.len()).ok()?,
            zone_len: u16::try_from(row.zone.len()).ok()?,
            id_len: u8::try_from(row.device.len()).ok()?,
            kind: row.kind,
        };
        for text in [row.device, row.station, row.zone] {
            self.text.push_str(text);
        }
        Some(texts)
    }
}

#[cfg(test)]
mod tests {
    use standpipe_rules::registry::DeviceIx;
    use standpipe_shared::Kind;

    use super::Tags;
    use standpipe_store::views::history::DeviceTags;

    fn row<'a>(ix: u32, device: &'a str, zone: &'a str) -> DeviceTags<'a> {
        DeviceTags { ix: DeviceIx(ix), kind: Kind::Smoke, device, station: "S-3 高", zone }
    }

    #[test]
    fn tags_come_back_as_they_were_put() {
        let rows = [row(0, "D 0", "a,b"), row(2, "D=2", ""), row(5, "D\\5", "\u{7}")];
        let mut tags = Tags::new(rows);
        assert_eq!(tags.len(), 6);
        for row in rows {
            assert_eq!(tags.get(row.ix), Some(row));
        }
        assert_eq!([1, 3, 4, 6].map(|ix| tags.get(DeviceIx(ix))), [None; 4], "no such devices");
        let moved = row(2, "D=2", "north");
        tags.put(&moved);
        assert_eq!(tags.get(DeviceIx(2)), Some(moved));
        let endless = "x".repeat(70_000);
        tags.put(&row(2, "D=2", &endless));
        assert_eq!(tags.get(DeviceIx(2)), None);
        assert_eq!(tags.id(DeviceIx(5)), Some("D\\5"));
    }

    #[test]
    fn an_edition_lasts_while_devices_are_added() {
        let mut tags = Tags::new([row(0, "D-0", "north")]);
        let first = tags.edition().clone();
        tags.put(&row(1, "D-1", "north"));
        tags.put(&row(3, "D-3", "north"));
        assert_eq!(*tags.edition(), first);
        assert_ne!(*tags.clone().edition(), first, "a copy goes its own way");
        tags.put(&row(2, "D-2", "north"));
        assert_ne!(*tags.edition(), first, "a gap was read as no device");
        let second = tags.edition().clone();
        tags.put(&row(0, "D-0", "south"));
        assert_ne!(*tags.edition(), second, "a device was changed");
        assert_ne!(*Tags::default().edition(), *Tags::default().edition());
    }
}
