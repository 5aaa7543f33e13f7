//! The stations' retained topics: what each terminal shows.
//!
//! A broker that comes back is shown everything that is open, in case it forgot; terminals know
//! each page by its `page_id`. The session is in `session.rs`.

use std::thread::JoinHandle;

use metrics::counter;
use standpipe_engine::{Inbox, Input};
use standpipe_machine::clock::Stamp;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{IncidentId, not_stored, with_page, with_suspicion};
use standpipe_store::boards::URGENCIES;
use standpipe_store::reader::OwedBoard;
use standpipe_transport::lease::TwinDoubt;
use standpipe_transport::mqtt::{Broker, PublishReceipt};

use super::SenderSetup;
use super::flight::{Flight, Shot};
use super::queue::Queue;
use super::session::{self, Landed, MqttMessage, Owed, Shelf};

/// Topics that a broker may have forgotten, read from the store at one time.
const AT_ONCE: usize = 64;

/// Starts the sender on its own thread. It ends after `setup.stop`.
///
/// # Errors
/// What the system says when it gives no thread.
pub fn start(
    setup: SenderSetup,
    broker: Broker,
    root: &str,
    gateway: &str,
) -> std::io::Result<JoinHandle<()>> {
    let shelf = Shelf::new(Boards::NAME, setup.store.clone());
    let (root, flight, doubt) = (root.into(), Flight::default(), setup.doubt.clone());
    let queue = Queue::new(URGENCIES);
    let boards = Boards { root, doubt, flight, shelf, queue, again: None, unstored: false };
    let bell = setup.rings.stations.clone();
    session::start(boards, setup, (broker, format!("standpipe-pages-{gateway}")), bell)
}

/// What is owed to stations' topics.
struct Boards {
    root: Box<str>,
    doubt: TwinDoubt,
    flight: Flight,
    shelf: Shelf,
    queue: Queue<OwedBoard>,
    /// The last topic shown to a broker that may have forgotten; `None`: all were.
    again: Option<(Box<str>, Option<IncidentId>)>,
    /// Topics may say that what they show is not stored.
    unstored: bool,
}

impl Boards {
    fn topic(&self, shot: &Shot) -> String {
        let (station, incident) = &shot.topic;
        format!("{}/stations/{station}/incidents/{incident}", self.root)
    }

    /// Plans the head of what is owed, when little else is planned: whatever is owed next, it may be
    /// more urgent. When nothing is owed, what a broker may have forgotten.
    fn plan(&mut self, now: Stamp) {
        let now = now.steady();
        self.flight.forget(now);
        while self.flight.has_room()
            && let Some(board) = self.take(now)
        {
            self.flight.take_on(&board, now);
        }
        if self.flight.has_room() && self.queue.is_empty() {
            self.plan_again(now);
        }
    }

    /// The next topic that owes something: by urgency; those that were refused a while ago at last.
    fn take(&mut self, now: Ms) -> Option<OwedBoard> {
        let Self { queue, shelf, flight, .. } = self;
        for urgency in 0..URGENCIES {
            let read = |behind, most| {
                shelf.read(|reader| reader.owed_boards((urgency, behind), most)).ok_or(())
            };
            if let Some(board) = queue.take(urgency, read).ok()? {
                return Some(board);
            }
        }
        while let Some((station, incident)) = flight.due_again(now) {
            let owed = shelf.read(|reader| reader.owed_board((&station, incident)));
            if let Some(board) = owed.flatten() {
                return Some(board);
            }
        }
        None
    }

    /// Plans the next of what every topic shows.
    fn plan_again(&mut self, now: Ms) {
        let Some((station, incident)) = &self.again else { return };
        let behind = (&**station, *incident);
        let open = self.shelf.read(|reader| reader.open_boards(behind, AT_ONCE));
        let Some(open) = open else { return };
        for board in &open {
            self.flight.take_on(board, now);
        }
        let last = open.last().filter(|_| open.len() >= AT_ONCE);
        self.again = last.map(|board| (board.station.clone(), Some(board.incident)));
    }

    fn arrived(&mut self, pkid: u16, at: Stamp) -> Vec<Inbox> {
        let mut reports = Vec::new();
        let Some(shot) = self.flight.arrived(pkid, at.steady()) else { return reports };
        if let (true, Some(page_id)) = (shot.owed, shot.page) {
            counter!("standpipe_pages_delivered_total", "kind" => "station").increment(1);
            reports.push(Input::Delivered { page_id }.at(at));
        }
        if let Shot { topic: (station, incident), reached: Some(rev), .. } = shot {
            reports.push(Input::BoardSent { station, incident, rev }.into());
        }
        reports
    }
}

impl Owed for Boards {
    const NAME: &'static str = "station pages";

    fn connected(&mut self, _now: Stamp) {
        self.again = Some((Box::default(), None));
        self.queue = Queue::new(URGENCIES);
    }

    fn read(&mut self, now: Stamp) {
        if self.unstored && !self.shelf.is_in_memory() {
            self.unstored = false;
            self.flight.show_anew();
            self.again = Some((Box::default(), None));
        }
        self.queue.rung();
        self.plan(now);
    }

    fn wants_more(&mut self) -> bool {
        self.flight.has_room() && (!self.queue.is_empty() || self.again.is_some())
    }

    fn next(&mut self, window: usize, now: Stamp) -> Option<MqttMessage> {
        let (pkid, shot, wire) = self.flight.next(window)?;
        let mut payload = match shot.page {
            _ if shot.empty => String::new(),
            Some(page) if self.doubt.is_suspected(now.steady()) => {
                with_suspicion(&with_page(&wire, page))
            }
            Some(page) => with_page(&wire, page),
            None => wire.to_string(),
        };
        if !shot.empty && self.shelf.is_in_memory() {
            self.unstored = true;
            payload = not_stored(&payload);
        }
        Some(MqttMessage { topic: self.topic(&shot), payload, pkid, retain: true, expiry_s: 0 })
    }

    fn landed(&mut self, pkid: u16, receipt: &PublishReceipt, now: Stamp) -> Landed {
        match receipt {
            // It is kept for whoever comes.
            PublishReceipt::Taken => Landed { reports: self.arrived(pkid, now), refused: None },
            PublishReceipt::Refused(_) => {
                let shot = self.flight.refused(pkid, now.steady());
                counter!("standpipe_page_failures_total", "kind" => "station").increment(1);
                Landed { reports: Vec::new(), refused: shot.map(|shot| self.topic(&shot)) }
            }
        }
    }

    fn lost(&mut self) {
        self.flight.lost();
    }
}
