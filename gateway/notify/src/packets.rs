//! Messages planned and on their way, each under the packet id that its receipt will bear.

use std::collections::{HashMap, VecDeque};

/// What one connection sends, in order.
#[derive(Debug)]
pub struct Packets<T> {
    planned: VecDeque<T>,
    out: HashMap<u16, T>,
    last: u16,
}

impl<T> Default for Packets<T> {
    fn default() -> Self {
        Self { planned: VecDeque::new(), out: HashMap::new(), last: 0 }
    }
}

impl<T: Clone> Packets<T> {
    /// Puts a message after those that are planned.
    pub fn plan(&mut self, message: T) {
        self.planned.push_back(message);
    }

    /// The next message to send, and under which id. Never more than `window` are on their way.
    pub fn next(&mut self, window: usize) -> Option<(u16, T)> {
        if self.out.len() >= window {
            return None;
        }
        let message = self.planned.pop_front()?;
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.out.contains_key(&self.last) {
                break;
            }
        }
        self.out.insert(self.last, message.clone());
        Some((self.last, message))
    }

    /// The broker answered for a message. None: an id nobody sent.
    pub fn landed(&mut self, pkid: u16) -> Option<T> {
        self.out.remove(&pkid)
    }

    /// How many messages are planned.
    #[must_use]
    pub fn planned(&self) -> usize {
        self.planned.len()
    }

    /// Whether nothing is planned and nothing is on its way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.planned.is_empty() && self.out.is_empty()
    }

    /// The connection is gone, and nobody knows what of it arrived.
    pub fn lost(&mut self) {
        self.planned.clear();
        self.out.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Packets;

    #[test]
    fn ids_go_round_and_skip_those_still_out() {
        let mut packets = Packets { last: u16::MAX - 1, ..Packets::default() };
        for message in "abcdef".chars() {
            packets.plan(message);
        }
        assert_eq!(packets.next(2), Some((u16::MAX, 'a')));
        assert_eq!(packets.next(2), Some((1, 'b')), "never 0");
        assert_eq!(packets.next(2), None, "as far as the window goes");
        assert_eq!(packets.landed(9), None, "nobody sent that");
        assert_eq!(packets.landed(u16::MAX), Some('a'));
        packets.last = 0;
        assert_eq!(packets.next(2), Some((2, 'c')), "1 is still out");
        assert!(!packets.is_idle());
        packets.lost();
        assert!(packets.is_idle() && packets.next(2).is_none());
    }
}
