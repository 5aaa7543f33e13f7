//! The beginning of each device's line: `hydrant,device=H-1,station=S-3,zone=north `.
//!
//! Escaped once for each edition of the tags, so that writing a point copies it. What a line
//! looks like is in `line.rs`.

use std::num::NonZeroU16;

use standpipe_rules::registry::DeviceIx;
use standpipe_store::views::history::DeviceTags;

use super::line;
use crate::batch::{Edition, Tags};

/// The beginnings for one edition of the tags.
#[derive(Debug, Default)]
pub struct Heads {
    edition: Edition,
    /// By [`DeviceIx`]; `None`: no such device, or one whose id cannot be written.
    places: Vec<Option<HeadSpan>>,
    text: String,
}

/// Where one device's beginning is within [`Heads::text`].
#[derive(Clone, Copy, Debug)]
struct HeadSpan {
    start: u32,
    /// Not zero, so that a place that is `None` takes no more room.
    len: NonZeroU16,
}

impl Heads {
    /// Follows a table of tags: new devices are added; after a change of edition everything is
    /// rebuilt. A station or zone that line protocol cannot say (a control character) is left out,
    /// with a warning; a device whose *id* cannot be said has no beginning, and its readings are
    /// refused.
    pub fn follow(&mut self, tags: &Tags) {
        if self.edition != *tags.edition() {
            self.edition = tags.edition().clone();
            self.places.clear();
            self.text.clear();
        }
        let known = self.places.len();
        let new = (0_u32..).take(tags.len()).skip(known);
        self.places.reserve(tags.len() - known);
        for ix in new {
            let place = tags.get(DeviceIx(ix)).and_then(|row| self.push(&row));
            self.places.push(place);
        }
    }

    /// The beginning of a device's line, up to the space before its fields.
    #[must_use]
    pub fn get(&self, ix: DeviceIx) -> Option<&str> {
        let place = (*self.places.get(ix.at())?)?;
        let start = place.start as usize;
        self.text.get(start..start + usize::from(place.len.get()))
    }

    fn push(&mut self, row: &DeviceTags<'_>) -> Option<HeadSpan> {
        let start = self.text.len();
        if let Err(bad) = line::head(&mut self.text, row) {
            tracing::error!(device = row.device, "device has no history: {bad}");
            self.text.truncate(start);
            return None;
        }
        let len = u16::try_from(self.text.len() - start).ok().and_then(NonZeroU16::new)?;
        Some(HeadSpan { start: u32::try_from(start).ok()?, len })
    }
}

#[cfg(test)]
mod tests {
    use standpipe_rules::registry::DeviceIx;
    use standpipe_shared::Kind;

    use super::Heads;
    use standpipe_store::views::history::DeviceTags;

    use crate::batch::Tags;

    fn row<'a>(ix: u32, device: &'a str, zone: &'a str) -> DeviceTags<'a> {
        DeviceTags { ix: DeviceIx(ix), kind: Kind::Hydrant, device, station: "S", zone }
    }

    fn beginnings<const N: usize>(heads: &Heads, of: [u32; N]) -> [Option<&str>; N] {
        of.map(|ix| heads.get(DeviceIx(ix)))
    }

    #[test]
    fn they_follow_the_tags() {
        let mut heads = Heads::default();
        let mut tags = Tags::new([row(0, "H-0", "a b"), row(2, "H#2", "north")]);
        heads.follow(&tags);
        let first = Some("hydrant,device=H-0,station=S,zone=a\\ b ");
        assert_eq!(
            beginnings(&heads, [0, 1, 2, 3]),
            [first, None, None, None],
            "no device 1, no name H#2"
        );

        tags.put(&row(3, "H-3", ""));
        heads.follow(&tags);
        let added = Some("hydrant,device=H-3,station=S ");
        assert_eq!(beginnings(&heads, [0, 3]), [first, added]);

        tags.put(&row(0, "H-0", "south"));
        heads.follow(&tags);
        let moved = Some("hydrant,device=H-0,station=S,zone=south ");
        assert_eq!(beginnings(&heads, [0, 3]), [moved, added]);

        heads.follow(&Tags::new([row(1, "H-9", "")]));
        let other = Some("hydrant,device=H-9,station=S ");
        assert_eq!(
            beginnings(&heads, [0, 1, 3]),
            [None, other, None],
            "nothing of the table before"
        );
    }
}
