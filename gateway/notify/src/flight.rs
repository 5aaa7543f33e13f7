//! What is on its way to the stations' topics: which packet confirms what.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use standpipe_rules::Ms;
use standpipe_rules::incidents::IncidentId;
use standpipe_store::reader::OwedBoard;
use ulid::Ulid;

use super::packets::Packets;

/// After a refusal the same topic is left alone for so long, ms.
pub const LEAVE_ALONE: Ms = 30_000;
/// What was reported is remembered for so long, ms: it is written down by then.
const REMEMBERED: Ms = 10_000;
/// Messages planned beyond which nothing more is: what is more urgent waits for these.
const ROOM: usize = 64;

/// A station, and an incident that its topic shows.
pub type BoardTopic = (Box<str>, IncidentId);

/// One message of the few that bring a topic up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    pub topic: BoardTopic,
    /// The page it is sent for.
    pub page: Option<Ulid>,
    /// Whether that page is delivered with it; else it was before.
    pub owed: bool,
    /// The revision the topic has reached with this message; none before the last one.
    pub reached: Option<u32>,
    /// Whether it empties the topic.
    pub empty: bool,
}

/// What is on its way, and what has arrived and is not yet written down.
#[derive(Debug, Default)]
pub struct Flight {
    /// With the incident to show.
    packets: Packets<(Shot, Arc<str>)>,
    /// Topics with something planned or on its way.
    busy: HashMap<BoardTopic, usize>,
    /// Reported to the engine, and when: the store may still call them owed.
    shown: HashMap<BoardTopic, (u32, Ms)>,
    delivered: HashMap<Ulid, Ms>,
    /// When those were that are forgotten next.
    looked_at: Ms,
    /// When topics were refused; and the same in order.
    refused: HashMap<BoardTopic, Ms>,
    again: VecDeque<(Ms, BoardTopic)>,
}

impl Flight {
    /// Plans what brings a topic up to date, unless that is on its way, has arrived already, or
    /// was refused a moment ago. What it owes beyond that is at the end of the queue again once the
    /// store knows what it shows; one that was refused is [`Self::due_again`].
    pub fn take_on(&mut self, board: &OwedBoard, now: Ms) {
        let topic = (board.station.clone(), board.incident);
        if self.busy.contains_key(&topic) {
            return;
        }
        let refused = self.refused.get(&topic).is_some_and(|&at| now - at < LEAVE_ALONE);
        let shown = self.shown.get(&topic).is_some_and(|(rev, _)| *rev >= board.rev);
        let delivered = |page: &Ulid| self.delivered.contains_key(page);
        if refused || (shown && board.pages.iter().all(delivered)) {
            return;
        }
        let shots = shots(board, delivered);
        self.busy.insert(topic, shots.len());
        let wire: Arc<str> = board.wire.as_ref().into();
        shots.into_iter().for_each(|shot| self.packets.plan((shot, Arc::clone(&wire))));
    }

    /// The next message to send, under which number, and the incident it shows. Never more than
    /// `window` are on their way.
    pub fn next(&mut self, window: usize) -> Option<(u16, Shot, Arc<str>)> {
        let (pkid, (shot, wire)) = self.packets.next(window)?;
        Some((pkid, shot, wire))
    }

    /// The broker has a message: what that was. None: a number nobody sent.
    pub fn arrived(&mut self, pkid: u16, now: Ms) -> Option<Shot> {
        let shot = self.landed(pkid)?;
        if shot.owed {
            self.delivered.extend(shot.page.map(|page| (page, now)));
        }
        if let Some(rev) = shot.reached {
            self.shown.insert(shot.topic.clone(), (rev, now));
        }
        Some(shot)
    }

    /// The broker refuses a message: what that was.
    pub fn refused(&mut self, pkid: u16, now: Ms) -> Option<Shot> {
        let shot = self.landed(pkid)?;
        self.refused.insert(shot.topic.clone(), now);
        self.again.push_back((now, shot.topic.clone()));
        Some(shot)
    }

    /// A topic that was refused, and has been left alone for long enough.
    pub fn due_again(&mut self, now: Ms) -> Option<BoardTopic> {
        let (at, _) = self.again.front()?;
        if now - at < LEAVE_ALONE {
            return None;
        }
        let (_, topic) = self.again.pop_front()?;
        Some(topic)
    }

    /// Whether so little is planned that more of what is owed may be.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.packets.planned() < ROOM
    }

    fn landed(&mut self, pkid: u16) -> Option<Shot> {
        let (shot, _) = self.packets.landed(pkid)?;
        if let Some(left) = self.busy.get_mut(&shot.topic) {
            *left -= 1;
            if *left == 0 {
                self.busy.remove(&shot.topic);
            }
        }
        Some(shot)
    }

    /// What every topic shows is to be shown anew.
    pub fn show_anew(&mut self) {
        self.shown.clear();
    }

    /// The connection is gone, and nobody knows what of it arrived.
    pub fn lost(&mut self) {
        self.packets.lost();
        self.busy.clear();
        self.refused.clear();
        self.shown.clear();
        self.again.clear();
    }

    /// Forgets what the store has written down since.
    pub fn forget(&mut self, now: Ms) {
        if now - self.looked_at < REMEMBERED {
            return;
        }
        self.looked_at = now;
        self.shown.retain(|_, (_, at)| now - *at < REMEMBERED);
        self.delivered.retain(|_, at| now - *at < REMEMBERED);
        self.refused.retain(|_, at| now - *at < LEAVE_ALONE);
    }
}

/// The messages that bring a topic up to date, in order: each page owed is sent by its own id, the
/// newest last; a closed incident is shown once more, and then the topic is emptied.
fn shots(board: &OwedBoard, delivered: impl Fn(&Ulid) -> bool) -> Vec<Shot> {
    let topic = (board.station.clone(), board.incident);
    let shot = |page, owed| Shot { topic: topic.clone(), page, owed, reached: None, empty: false };
    let mut pages: Vec<_> = board.pages.iter().filter(|page| !delivered(page)).copied().collect();
    pages.sort_unstable();
    let mut shots: Vec<_> = pages.iter().map(|&page| shot(Some(page), true)).collect();
    if pages.last().copied() != board.page_id || pages.is_empty() {
        shots.push(shot(board.page_id, false));
    }
    if !board.open {
        shots.push(Shot { empty: true, ..shot(None, false) });
    }
    if let Some(last) = shots.last_mut() {
        last.reached = Some(board.rev);
    }
    shots
}

#[cfg(test)]
mod tests {
    use super::{Flight, LEAVE_ALONE, REMEMBERED, Shot, shots};
    use standpipe_store::reader::OwedBoard;
    use ulid::Ulid;

    const A: Ulid = Ulid::from_parts(1, 0);
    const B: Ulid = Ulid::from_parts(2, 0);

    fn board(rev: u32, pages: &[Ulid], newest: Option<Ulid>, open: bool) -> OwedBoard {
        OwedBoard {
            station: "t-1".into(),
            incident: Ulid::from_parts(9, 9),
            rev,
            page_id: newest,
            open,
            wire: "{}".into(),
            pages: pages.to_vec(),
            number: 0,
        }
    }

    fn told(shots: &[Shot]) -> Vec<(Option<Ulid>, bool, bool, Option<u32>)> {
        shots.iter().map(|shot| (shot.page, shot.owed, shot.empty, shot.reached)).collect()
    }

    fn sent(flight: &mut Flight, window: usize) -> Vec<(u16, Option<Ulid>)> {
        std::iter::from_fn(|| flight.next(window)).map(|(id, shot, _)| (id, shot.page)).collect()
    }

    #[test]
    #[rustfmt::skip] // a table
    fn every_page_is_sent_by_its_own_id_and_the_last_message_brings_the_topic_up_to_date() {
        for (story, board, expected) in [
            ("a first page",          board(1, &[A], Some(A), true),     vec![(Some(A), true, false, Some(1))]),
            ("news without a page",   board(2, &[], Some(A), true),      vec![(Some(A), false, false, Some(2))]),
            ("never paged",           board(2, &[], None, true),         vec![(None, false, false, Some(2))]),
            ("two, newest last",      board(3, &[B, A], Some(B), true),  vec![(Some(A), true, false, None), (Some(B), true, false, Some(3))]),
            ("an older one owed",     board(3, &[A], Some(B), true),     vec![(Some(A), true, false, None), (Some(B), false, false, Some(3))]),
            ("closed: once more, then empty", board(4, &[], Some(A), false), vec![(Some(A), false, false, None), (None, false, true, Some(4))]),
            ("closed while a page was owed",  board(4, &[A], Some(A), false), vec![(Some(A), true, false, None), (None, false, true, Some(4))]),
        ] {
            assert_eq!(told(&shots(&board, |_| false)), expected, "{story}");
        }
    }

    #[test]
    fn what_is_on_its_way_or_has_arrived_is_not_sent_again() {
        let mut flight = Flight::default();
        let owed = board(3, &[A, B], Some(B), true);
        flight.take_on(&owed, 0);
        flight.take_on(&owed, 0);
        assert_eq!(sent(&mut flight, 1), [(1, Some(A))], "as far as the window goes");
        assert_eq!(flight.arrived(1, 0).and_then(|shot| shot.page), Some(A));
        flight.take_on(&owed, 0);
        assert_eq!(sent(&mut flight, 1), [(2, Some(B))]);
        assert_eq!(flight.arrived(2, 0).and_then(|shot| shot.reached), Some(3));
        flight.take_on(&owed, 0);
        assert_eq!(sent(&mut flight, 9), [], "arrived, not yet written down");
        assert_eq!(flight.arrived(2, 0), None, "a number nobody sent");
        let c = Ulid::from_parts(3, 0);
        flight.take_on(&board(3, &[A, B, c], Some(c), true), 0);
        assert_eq!(sent(&mut flight, 9), [(3, Some(c))], "a page without news");
        flight.arrived(3, 0);
        flight.take_on(&board(4, &[A, B], Some(B), true), 0);
        assert_eq!(sent(&mut flight, 9), [(4, Some(B))], "news, and no page again");
        assert_eq!(flight.arrived(4, 0).map(|shot| shot.owed), Some(false));
        flight.forget(REMEMBERED);
        flight.take_on(&owed, 0);
        assert_eq!(sent(&mut flight, 9).len(), 2, "owed still, after so long");
    }

    #[test]
    fn a_lost_connection_sends_again_what_was_not_confirmed() {
        let mut flight = Flight::default();
        let owed = board(3, &[A, B], Some(B), true);
        flight.take_on(&owed, 0);
        assert_eq!(sent(&mut flight, 9).len(), 2);
        flight.arrived(1, 0);
        flight.lost();
        flight.take_on(&owed, 0);
        assert_eq!(sent(&mut flight, 9), [(3, Some(B))]);
    }

    #[test]
    fn a_refused_topic_is_left_alone_for_a_while() {
        let mut flight = Flight::default();
        let owed = board(1, &[A], Some(A), true);
        flight.take_on(&owed, 0);
        assert_eq!(sent(&mut flight, 9), [(1, Some(A))]);
        assert!(flight.refused(1, 0).is_some());
        flight.take_on(&owed, LEAVE_ALONE - 1);
        assert_eq!(sent(&mut flight, 9), []);
        assert_eq!(flight.due_again(LEAVE_ALONE - 1), None);
        assert_eq!(flight.due_again(LEAVE_ALONE), Some((owed.station.clone(), owed.incident)));
        assert_eq!(flight.due_again(LEAVE_ALONE), None, "once");
        flight.take_on(&owed, LEAVE_ALONE);
        assert_eq!(sent(&mut flight, 9), [(2, Some(A))]);
    }
}
