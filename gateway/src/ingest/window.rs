//! What was handed over on this connection and is not acknowledged yet. It is what bounds a
//! lane: with the window full the lane stops reading, and the broker keeps the rest.
//!
//! A broker's word is not enough for that: mosquitto 2.0.11 was seen to send far more than the
//! receive-maximum it was given.

use std::collections::VecDeque;

/// How much may be on its way through the engine.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages; no more than the engine's queue holds, so that the queue never overflows.
    pub messages: usize,
    /// Bytes they weigh in the queue.
    pub bytes: usize,
}

/// The unacknowledged messages of one connection, in order of arrival.
#[derive(Debug)]
pub struct Window {
    limits: Limits,
    waiting: VecDeque<(u16, usize)>,
    bytes: usize,
}

impl Window {
    /// Nothing on its way.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, waiting: VecDeque::new(), bytes: 0 }
    }

    /// Whether one more message may be taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.waiting.len() < self.limits.messages && self.bytes < self.limits.bytes
    }

    /// Whether nothing is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many messages are on their way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A message was handed over.
    pub fn took(&mut self, pkid: u16, bytes: usize) {
        self.waiting.push_back((pkid, bytes));
        self.bytes += bytes;
    }

    /// What follows from a message is on disk. Acknowledgements come in order, but for a batch
    /// in which alarms overtook; one that is not known here is not for this connection: `false`.
    pub fn done(&mut self, pkid: u16) -> bool {
        let Some(place) = self.waiting.iter().position(|&(waiting, _)| waiting == pkid) else {
            return false;
        };
        if let Some((_, bytes)) = self.waiting.remove(place) {
            self.bytes -= bytes;
        }
        true
    }

    /// The connection is gone, and what was on its way will be sent again.
    pub fn forget(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Window};

    #[test]
    fn it_closes_at_either_limit_and_opens_when_something_is_done() {
        let mut window = Window::new(Limits { messages: 3, bytes: 100 });
        assert!(window.is_open() && window.is_empty());
        window.took(1, 99);
        assert!(window.is_open(), "one byte left: one more message, whatever its size");
        window.took(2, 1_000_000);
        assert!(!window.is_open());
        assert!(window.done(2), "out of order is fine");
        assert!(window.is_open());
        window.took(3, 0);
        window.took(4, 0);
        assert!(!window.is_open(), "three messages");
        assert!([1, 3, 4].into_iter().all(|pkid| window.done(pkid)));
        assert!(window.is_empty() && window.is_open());
    }

    #[test]
    fn what_it_does_not_know_is_not_acknowledged() {
        let mut window = Window::new(Limits { messages: 3, bytes: 100 });
        window.took(7, 10);
        assert!(!window.done(8));
        window.forget();
        assert!(!window.done(7), "the broker will send it again, perhaps under this number");
        assert!(window.is_empty() && window.is_open());
    }
}
