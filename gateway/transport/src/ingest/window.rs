//! What was handed over on this connection and is not acknowledged yet. It is what bounds a
//! lane: with the window full the lane stops reading, and the broker keeps the rest.
//!
//! A broker's word is not enough for that: mosquitto 2.0.11 was seen to send far more than the
//! receive-maximum it was given.
//!
//! Messages that are passed over unread wait in it too, for their turn alone: acknowledgements go
//! out in the order in which messages came (MQTT 5, 4.6).

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
pub struct ReceiveWindow {
    limits: Limits,
    waiting: VecDeque<Unacknowledged>,
    bytes: usize,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Unacknowledged {
    pkid: u16,
    bytes: usize,
    /// Nobody reads it: it is done as soon as those before it are.
    unread: bool,
}

impl ReceiveWindow {
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
        self.waiting.push_back(Unacknowledged { pkid, bytes, unread: false });
        self.bytes += bytes;
    }

    /// A message was passed over.
    pub fn passed_over(&mut self, pkid: u16) {
        self.waiting.push_back(Unacknowledged { pkid, bytes: 0, unread: true });
    }

    /// What follows from these messages is on disk: what may be acknowledged now, in order.
    /// Acknowledgements come in order, but for a batch in which alarms overtook; what is not known
    /// here is not for this connection.
    pub fn done(&mut self, pkids: &[u16]) -> Vec<u16> {
        let mut good = self.unread();
        for pkid in pkids {
            let place =
                self.waiting.iter().position(|waiting| waiting.pkid == *pkid && !waiting.unread);
            if let Some(done) = place.and_then(|place| self.waiting.remove(place)) {
                self.bytes -= done.bytes;
                good.push(done.pkid);
                good.append(&mut self.unread());
            }
        }
        good
    }

    /// Those passed over before which nothing waits.
    pub fn unread(&mut self) -> Vec<u16> {
        let count = self.waiting.iter().take_while(|waiting| waiting.unread).count();
        self.waiting.drain(..count).map(|waiting| waiting.pkid).collect()
    }

    /// The connection is gone, and what was on its way will be sent again.
    pub fn forget(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, ReceiveWindow};

    #[test]
    fn it_closes_at_either_limit_and_opens_when_something_is_done() {
        let mut window = ReceiveWindow::new(Limits { messages: 3, bytes: 100 });
        assert!(window.is_open() && window.is_empty());
        window.took(1, 99);
        assert!(window.is_open(), "one byte left: one more message, whatever its size");
        window.took(2, 1_000_000);
        assert!(!window.is_open());
        assert_eq!(window.done(&[2]), [2], "out of order is fine");
        assert!(window.is_open());
        window.took(3, 0);
        window.took(4, 0);
        assert!(!window.is_open(), "three messages");
        assert_eq!(window.done(&[1, 3, 4]), [1, 3, 4]);
        assert!(window.is_empty() && window.is_open());
    }

    #[test]
    fn what_is_passed_over_is_acknowledged_in_its_turn() {
        let mut window = ReceiveWindow::new(Limits { messages: 9, bytes: 100 });
        window.passed_over(1);
        assert_eq!(window.unread(), [1], "nothing is before it");
        window.took(2, 10);
        window.passed_over(3);
        window.passed_over(4);
        window.took(5, 10);
        window.passed_over(6);
        assert!(window.unread().is_empty());
        assert!(window.done(&[3]).is_empty(), "it is nobody's to acknowledge");
        assert_eq!(window.done(&[5]), [5], "an alarm overtook");
        assert_eq!(window.done(&[2]), [2, 3, 4, 6]);
        assert!(window.is_empty());
    }

    #[test]
    fn what_it_does_not_know_is_not_acknowledged() {
        let mut window = ReceiveWindow::new(Limits { messages: 3, bytes: 100 });
        window.took(7, 10);
        assert!(window.done(&[8]).is_empty());
        window.forget();
        assert!(
            window.done(&[7]).is_empty(),
            "the broker will send it again, perhaps under this number"
        );
        assert!(window.is_empty() && window.is_open());
    }
}
