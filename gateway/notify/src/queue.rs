//! The head of one receiver's queue: what is sent next, and what need not be read again.
//!
//! The queue itself is in the store, in its order (`Reader::owed_to_webhook`). Its head is read when a
//! bell rang, or when what was read is used up; what has arrived and is not written down yet is left
//! out. So a page costs the same however many are owed.

use std::collections::{HashMap, VecDeque};

use standpipe_rules::Ms;
use standpipe_store::reader::{OwedPage, PageMessage};
use ulid::Ulid;

/// Pages read from the store at one time, besides those that are in hand.
const AT_ONCE: usize = 64;
/// What has arrived is left out for so long at least, ms, though it is not seen at the head any more:
/// it may have moved behind it.
const LEFT_OUT_FOR: Ms = 10_000;

/// What is at hand of a queue.
#[derive(Debug)]
pub struct Queue {
    head: VecDeque<OwedPage>,
    /// Something may be owed that was not read.
    stale: bool,
    /// There was more than was read.
    more: bool,
    /// How many rows are read beyond those on their way: more while all of them are in hand.
    reach: usize,
    /// Reported to the engine, and when: the store may still call them owed.
    done: HashMap<Ulid, Ms>,
    /// What was said in vain, until the store knows.
    tried: HashMap<Ulid, Box<str>>,
}

impl Default for Queue {
    fn default() -> Self {
        let (head, done, tried) = (VecDeque::new(), HashMap::new(), HashMap::new());
        Self { head, stale: true, more: false, reach: AT_ONCE, done, tried }
    }
}

impl Queue {
    /// Something else may be owed now.
    pub const fn rung(&mut self) {
        self.stale = true;
    }

    /// How many rows to read, if the head is to be read at all; `busy`: pages on their way.
    pub fn wants(&self, busy: usize) -> Option<usize> {
        let used_up = self.head.is_empty() && self.more;
        (self.stale || used_up).then_some(self.reach + busy)
    }

    /// The head as it is: at most `most` were asked for.
    pub fn read(&mut self, owed: Vec<OwedPage>, most: usize, now: Ms) {
        (self.stale, self.more) = (false, owed.len() >= most);
        let more = self.more;
        self.done.retain(|page_id, at| {
            owed.iter().any(|page| page.page_id == *page_id) || more && now - *at < LEFT_OUT_FOR
        });
        self.head = owed.into();
        self.head.retain(|page| !self.done.contains_key(&page.page_id));
        let all_in_hand = self.head.is_empty() && more;
        self.reach = if all_in_hand { self.reach.saturating_mul(4) } else { AT_ONCE };
    }

    /// The next page.
    pub fn next(&mut self) -> Option<OwedPage> {
        self.head.pop_front()
    }

    /// Pages that cannot be sent yet go back to the head.
    pub fn put_back(&mut self, waiting: Vec<OwedPage>) {
        waiting.into_iter().rev().for_each(|page| self.head.push_front(page));
    }

    /// Whether nothing is owed, as far as was read.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && !self.more
    }

    /// It was delivered or given up, and reported so.
    pub fn done(&mut self, page_id: Ulid, now: Ms) {
        self.tried.remove(&page_id);
        self.done.insert(page_id, now);
    }

    /// It was tried with these words.
    pub fn tried(&mut self, page_id: Ulid, wire: &str) {
        self.tried.insert(page_id, wire.into());
    }

    /// What a page says: as it was said before, where it was.
    pub fn worded(&mut self, page_id: Ulid, message: PageMessage) -> PageMessage {
        if message.tried {
            self.tried.remove(&page_id);
            return message;
        }
        match self.tried.get(&page_id) {
            Some(wire) => PageMessage { wire: wire.clone(), kept: true, tried: true },
            None => message,
        }
    }
}

#[cfg(test)]
mod tests {
    use standpipe_rules::changes::Urgency;
    use standpipe_store::reader::{OwedPage, PageMessage};
    use ulid::Ulid;

    use super::{AT_ONCE, LEFT_OUT_FOR, Queue};

    fn page(n: u64) -> OwedPage {
        OwedPage {
            page_id: Ulid::from_parts(n, 0),
            webhook: "w".into(),
            incident: Ulid::from_parts(n, 1),
            step: 1,
            repeat: 0,
            at: 0,
            urgency: Urgency::Fire,
        }
    }

    fn pages(numbers: impl IntoIterator<Item = u64>) -> Vec<OwedPage> {
        numbers.into_iter().map(page).collect()
    }

    #[test]
    fn its_head_is_read_at_first_when_a_bell_rang_and_when_it_is_used_up() {
        let mut queue = Queue::default();
        assert_eq!(queue.wants(3), Some(AT_ONCE + 3), "nothing was read yet");
        queue.read(pages([1, 2]), 67, 0);
        assert_eq!(queue.wants(3), None, "that is all there is");
        assert_eq!(queue.next(), Some(page(1)));
        queue.put_back(pages([1]));
        assert_eq!(queue.next(), Some(page(1)), "in its place");
        queue.rung();
        assert_eq!(queue.wants(0), Some(AT_ONCE));
        queue.read(pages([1, 2]), 2, 0);
        assert_eq!(queue.wants(0), None, "there is more, and enough at hand");
        queue.next();
        queue.next();
        assert_eq!(queue.wants(0), Some(AT_ONCE), "used up");
        assert!(!queue.is_empty());
    }

    #[test]
    fn what_arrived_is_left_out_and_does_not_hide_what_is_behind_it() {
        let mut queue = Queue::default();
        for n in 0..100 {
            queue.done(Ulid::from_parts(n, 0), 0);
        }
        queue.read(pages(0..64), 64, 1);
        assert_eq!(queue.next(), None);
        let further = queue.wants(0).expect("further than before");
        assert_eq!(further, 4 * AT_ONCE);
        queue.read(pages(0..101), further, 1);
        assert_eq!(queue.next(), Some(page(100)));
        queue.rung();
        queue.read(pages([5]), AT_ONCE, 1);
        assert_eq!(queue.next(), None, "not written down yet");
        queue.read(pages([6]), AT_ONCE, 1);
        assert_eq!(queue.next(), Some(page(6)), "owed again, whoever says so");
    }

    #[test]
    fn what_moved_behind_the_head_is_forgotten_after_a_while() {
        let mut queue = Queue::default();
        queue.done(Ulid::from_parts(1, 0), 0);
        queue.read(pages([2]), 1, LEFT_OUT_FOR - 1);
        assert_eq!(queue.done.len(), 1);
        queue.read(pages([2]), 1, LEFT_OUT_FOR);
        assert_eq!(queue.done.len(), 0);
    }

    #[test]
    fn what_was_said_in_vain_is_said_again_in_the_same_words() {
        let mut queue = Queue::default();
        let id = Ulid::from_parts(1, 0);
        let now = PageMessage { wire: "now".into(), kept: false, tried: false };
        assert_eq!(queue.worded(id, now.clone()), now);
        queue.tried(id, "then");
        let then = PageMessage { wire: "then".into(), kept: true, tried: true };
        assert_eq!(queue.worded(id, now.clone()), then, "the store does not know yet");
        assert_eq!(queue.worded(id, then.clone()), then);
        assert_eq!(queue.worded(id, now.clone()), now, "the store knows, and is asked alone");
    }
}
