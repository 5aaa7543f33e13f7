//! Which memories have moved since they were kept, and since when. The log can repeat what moved
//! them, so they may be kept lazily: the longer they wait, the longer a restart takes.

use std::collections::VecDeque;

use standpipe_rules::Ms;
use standpipe_rules::registry::DeviceIx;

/// In the order in which they became dirty.
#[derive(Debug, Default)]
pub struct Dirty {
    /// By device: the number of its valid entry; 0: clean.
    entry_of: Vec<u64>,
    queue: VecDeque<DirtyDevice>,
    entries: u64,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct DirtyDevice {
    ix: DeviceIx,
    number: u64,
    /// When it became dirty.
    at: Ms,
    /// The log block that moved it first.
    block: i64,
}

impl Dirty {
    /// A memory moved; `block`: the log block that the readings of now will be in.
    pub fn mark(&mut self, ix: DeviceIx, at: Ms, block: i64) {
        if self.entry_of.len() <= ix.at() {
            self.entry_of.resize(ix.at() + 1, 0);
        }
        let Some(entry) = self.entry_of.get_mut(ix.at()) else { return };
        if *entry == 0 {
            self.entries += 1;
            *entry = self.entries;
            self.count += 1;
            self.queue.push_back(DirtyDevice { ix, number: self.entries, at, block });
        }
    }

    /// A memory was kept.
    pub fn kept(&mut self, ix: DeviceIx) {
        if let Some(entry) = self.entry_of.get_mut(ix.at())
            && *entry != 0
        {
            *entry = 0;
            self.count -= 1;
        }
        while self.queue.front().is_some_and(|entry| !self.valid(entry)) {
            self.queue.pop_front();
        }
    }

    fn valid(&self, entry: &DirtyDevice) -> bool {
        self.entry_of.get(entry.ix.at()) == Some(&entry.number)
    }

    /// Those dirty since `before` or longer, oldest first, at most `limit`.
    pub fn since(&self, before: Ms, limit: usize) -> impl Iterator<Item = DeviceIx> + '_ {
        let old = self.queue.iter().take_while(move |entry| entry.at <= before);
        old.filter(|entry| self.valid(entry)).take(limit).map(|entry| entry.ix)
    }

    /// Up to this log block, no memory needs the log.
    pub fn log_needed_after(&self) -> i64 {
        self.queue.front().map_or(i64::MAX, |entry| entry.block - 1)
    }

    /// When the oldest became dirty.
    pub fn oldest(&self) -> Option<Ms> {
        self.queue.front().map(|entry| entry.at)
    }

    /// How many are dirty.
    pub const fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::Dirty;
    use standpipe_rules::registry::DeviceIx;

    #[test]
    fn the_longest_dirty_come_first_and_each_once() {
        let mut dirty = Dirty::default();
        for (ix, at) in [(5, 100), (2, 200), (5, 300), (9, 400)] {
            dirty.mark(DeviceIx(ix), at, at / 100);
        }
        let since = |dirty: &Dirty, before| {
            dirty.since(before, 10).map(|device| device.0).collect::<Vec<_>>()
        };
        assert_eq!(since(&dirty, 1_000), [5, 2, 9]);
        assert_eq!(since(&dirty, 200), [5, 2]);
        assert_eq!(dirty.since(1_000, 1).count(), 1);
        assert_eq!((dirty.len(), dirty.oldest(), dirty.log_needed_after()), (3, Some(100), 0));

        dirty.kept(DeviceIx(2));
        dirty.mark(DeviceIx(2), 500, 5);
        assert_eq!(since(&dirty, 1_000), [5, 9, 2], "kept and dirty again: the youngest");
        dirty.kept(DeviceIx(5));
        assert_eq!((dirty.oldest(), dirty.log_needed_after()), (Some(400), 3));
        dirty.kept(DeviceIx(9));
        dirty.kept(DeviceIx(9));
        dirty.kept(DeviceIx(2));
        dirty.kept(DeviceIx(77));
        assert_eq!((dirty.len(), dirty.oldest(), dirty.log_needed_after()), (0, None, i64::MAX));
    }
}
