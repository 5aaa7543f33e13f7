//! What is taken next from a queue of what is owed.
//!
//! The queue itself is in the store, in its order: by urgency, and within that by number, which is age.
//! It is taken from, and never read again: numbers only grow, so that each urgency is read on behind
//! the last one taken from it. A page costs the same however many are owed.

use std::collections::VecDeque;

use standpipe_store::reader::{OwedBoard, OwedPage};

/// Rows of one urgency that are read from the store at one time.
const AT_ONCE: usize = 64;

/// Something that is owed, with its number.
pub trait Numbered {
    /// Of two of the same urgency, the lower is first.
    fn number(&self) -> i64;
}

impl Numbered for OwedPage {
    fn number(&self) -> i64 {
        self.number
    }
}

impl Numbered for OwedBoard {
    fn number(&self) -> i64 {
        self.number
    }
}

/// A queue, from where it was taken up to.
#[derive(Debug)]
pub struct Queue<T> {
    urgencies: Vec<Taken<T>>,
}

/// What is owed at one urgency.
#[derive(Debug)]
struct Taken<T> {
    /// Everything up to this number was read.
    behind: i64,
    /// Read, and not taken yet.
    head: VecDeque<T>,
    /// More may be owed than was read.
    more: bool,
}

impl<T> Default for Taken<T> {
    fn default() -> Self {
        Self { behind: i64::MIN, head: VecDeque::new(), more: true }
    }
}

impl<T: Numbered> Queue<T> {
    /// Nothing was taken. So many urgencies; 0 is the most urgent.
    #[must_use]
    pub fn new(urgencies: u8) -> Self {
        Self { urgencies: (0..urgencies).map(|_| Taken::default()).collect() }
    }

    /// More may be owed now.
    pub fn rung(&mut self) {
        self.urgencies.iter_mut().for_each(|taken| taken.more = true);
    }

    /// Takes the next of an urgency. `read`: from the store, behind a number, so many at most.
    ///
    /// # Errors
    /// What `read` says; nothing was taken.
    pub fn take<E>(
        &mut self,
        urgency: u8,
        read: impl FnOnce(i64, usize) -> Result<Vec<T>, E>,
    ) -> Result<Option<T>, E> {
        let Some(taken) = self.urgencies.get_mut(usize::from(urgency)) else { return Ok(None) };
        if taken.head.is_empty() && taken.more {
            let owed = read(taken.behind, AT_ONCE)?;
            taken.more = owed.len() >= AT_ONCE;
            taken.behind = owed.last().map_or(taken.behind, Numbered::number);
            taken.head = owed.into();
        }
        Ok(taken.head.pop_front())
    }

    /// Whether everything was taken that was owed when the bell rang last.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.urgencies.iter().all(|taken| taken.head.is_empty() && !taken.more)
    }
}

#[cfg(test)]
pub mod tests {
    use std::convert::Infallible;

    use standpipe_rules::changes::Urgency;
    use standpipe_store::reader::{Carries, OwedPage};
    use ulid::Ulid;

    use super::{AT_ONCE, Queue};

    /// A page of that number and urgency, about an incident of its own.
    pub fn page(number: u32, urgency: Urgency) -> OwedPage {
        OwedPage {
            page_id: Ulid::from_parts(u64::from(number), 0),
            incident: Ulid::from_parts(u64::from(number), 1),
            step: 1,
            repeat: 0,
            at: 0,
            urgency,
            number: i64::from(number),
            station: "".into(),
            carries: Carries::Page,
            apart: false,
        }
    }

    /// A store that owes fires of these numbers, and counts what is read of it.
    struct Owes {
        numbers: std::ops::Range<u32>,
        rows: usize,
        reads: usize,
    }

    impl Owes {
        fn take(&mut self, queue: &mut Queue<OwedPage>, urgency: Urgency) -> Option<i64> {
            let page = queue.take(urgency.place(), |behind, limit| {
                let behind = |number: &u32| i64::from(*number) > behind && urgency == Urgency::Fire;
                let owed = self.numbers.clone().filter(behind).take(limit);
                let owed: Vec<_> = owed.map(|number| page(number, urgency)).collect();
                self.reads += 1;
                self.rows += owed.len();
                Ok::<_, Infallible>(owed)
            });
            page.unwrap().map(|page| page.number)
        }
    }

    #[test]
    fn each_page_is_read_once_however_often_the_bell_rings() {
        let (mut queue, mut store) = (Queue::new(5), Owes { numbers: 0..1_000, rows: 0, reads: 0 });
        for number in 0..1_000 {
            queue.rung();
            assert_eq!(store.take(&mut queue, Urgency::Fire), Some(number));
        }
        assert_eq!(store.take(&mut queue, Urgency::Fire), None);
        assert_eq!(store.rows, 1_000);
        assert!(store.reads <= 1_000 / AT_ONCE + 2, "{} reads", store.reads);
        store.numbers = 0..1_001;
        assert_eq!(store.take(&mut queue, Urgency::Fire), None, "nobody rang");
        queue.rung();
        assert_eq!(store.take(&mut queue, Urgency::Fire), Some(1_000));
        assert_eq!(store.rows, 1_001);
    }

    #[test]
    fn nothing_is_left_when_all_was_taken() {
        let (mut queue, mut store) = (Queue::new(5), Owes { numbers: 0..2, rows: 0, reads: 0 });
        assert!(!queue.is_empty(), "nobody has looked");
        assert_eq!(store.take(&mut queue, Urgency::Fire), Some(0));
        assert_eq!(store.take(&mut queue, Urgency::Fire), Some(1));
        for urgency in Urgency::ALL {
            assert_eq!(store.take(&mut queue, urgency), None);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn what_could_not_be_read_is_read_later() {
        let (mut queue, mut store) = (Queue::new(5), Owes { numbers: 0..1, rows: 0, reads: 0 });
        assert_eq!(queue.take(Urgency::Fire.place(), |_, _| Err("locked")), Err("locked"));
        assert_eq!(store.take(&mut queue, Urgency::Fire), Some(0));
    }
}
