//! What was handed over on this connection and is not acknowledged yet. It is what bounds a
//! lane: with the window full the lane stops reading, and the broker keeps the rest.
//!
//! A broker's word is not enough for that: mosquitto 2.0.11 was seen to send far more than the
//! receive-maximum it was given.
//!
//! Acknowledgements go out in the order in which messages came, as MQTT 5 demands (4.6) and strict
//! brokers enforce by closing the connection. What is done before its turn, since alarms and
//! devices that are back overtake in the engine, waits here for it; so do messages that nobody
//! reads.

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
    state: AckState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AckState {
    /// The engine has it.
    Engine,
    /// What follows from it is on disk, or nobody reads it: only its turn is missing.
    Done,
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
        self.waiting.push_back(Unacknowledged { pkid, bytes, state: AckState::Engine });
        self.bytes += bytes;
    }

    /// A message was passed over unread.
    pub fn passed_over(&mut self, pkid: u16) {
        self.waiting.push_back(Unacknowledged { pkid, bytes: 0, state: AckState::Done });
    }

    /// What follows from these messages is on disk. What is not known here is not for this
    /// connection.
    pub fn done(&mut self, pkids: &[u16]) {
        for pkid in pkids {
            let mut unfinished =
                self.waiting.iter_mut().filter(|waiting| waiting.state == AckState::Engine);
            if let Some(message) = unfinished.find(|waiting| waiting.pkid == *pkid) {
                message.state = AckState::Done;
                self.bytes -= std::mem::take(&mut message.bytes);
            }
        }
    }

    /// Those whose turn has come: done, and nothing before them is not.
    pub fn take_turn(&mut self) -> Vec<u16> {
        let count =
            self.waiting.iter().take_while(|waiting| waiting.state == AckState::Done).count();
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
        window.done(&[2]);
        assert!(window.is_open(), "the engine has its bytes no more");
        window.took(3, 0);
        assert!(!window.is_open(), "three messages the broker waits for");
        window.done(&[1, 3]);
        assert_eq!(window.take_turn(), [1, 2, 3]);
        assert!(window.is_empty() && window.is_open());
    }

    #[test]
    fn acknowledgements_go_out_in_the_order_of_arrival() {
        let mut window = ReceiveWindow::new(Limits { messages: 9, bytes: 100 });
        window.passed_over(1);
        assert_eq!(window.take_turn(), [1], "nothing is before it");
        window.took(2, 10);
        window.passed_over(3);
        window.passed_over(4);
        window.took(5, 10);
        window.passed_over(6);
        window.took(7, 10);
        window.done(&[3]);
        window.done(&[5]);
        assert!(window.take_turn().is_empty(), "5 overtook in the engine; 2 comes first here");
        window.done(&[2]);
        assert_eq!(window.take_turn(), [2, 3, 4, 5, 6]);
        window.done(&[7]);
        assert_eq!(window.take_turn(), [7]);
        assert!(window.is_empty());
    }

    #[test]
    fn what_it_does_not_know_is_not_acknowledged() {
        let mut window = ReceiveWindow::new(Limits { messages: 3, bytes: 100 });
        window.took(7, 10);
        window.done(&[8]);
        assert!(window.take_turn().is_empty());
        window.forget();
        window.done(&[7]);
        let turn = window.take_turn();
        assert!(turn.is_empty(), "the broker will send it again, perhaps under this number");
        assert!(window.is_empty() && window.is_open());
    }
}
