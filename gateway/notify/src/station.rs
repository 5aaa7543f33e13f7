//! The stations' retained topics: what each terminal shows.
//!
//! A broker that comes back is shown everything that is open, in case it forgot; terminals know
//! each page by its `page_id`. The session is in `session.rs`.

use std::thread::JoinHandle;

use metrics::counter;
use standpipe_engine::Inbox;
use standpipe_machine::clock::Stamp;
use standpipe_rules::Ms;
use standpipe_rules::incidents::{IncidentId, with_page};
use standpipe_transport::mqtt::{Broker, Receipt};

use super::Setup;
use super::flight::{Extent, Flight, Shot};
use super::session::{self, Landed, Message, Owed, Shelf};

/// Topics read from the store at one time, besides those that are in hand.
const AT_ONCE: usize = 64;

/// Starts the sender on its own thread. It ends after `setup.stop`.
///
/// # Errors
/// What the system says when it gives no thread.
pub fn start(
    setup: Setup,
    broker: Broker,
    root: &str,
    gateway: &str,
) -> std::io::Result<JoinHandle<()>> {
    let shelf = Shelf::new(Boards::NAME, setup.store.clone());
    let (root, flight) = (root.into(), Flight::default());
    let boards = Boards { root, flight, shelf, stale: true, more: false, again: None };
    let bell = setup.rings.stations.clone();
    session::start(boards, setup, (broker, format!("standpipe-pages-{gateway}")), bell)
}

/// What is owed to stations' topics.
struct Boards {
    root: Box<str>,
    flight: Flight,
    shelf: Shelf,
    /// Something may be owed that was not read.
    stale: bool,
    /// There was more than was read.
    more: bool,
    /// The last topic shown to a broker that may have forgotten; `None`: all were.
    again: Option<(Box<str>, Option<IncidentId>)>,
}

impl Boards {
    fn topic(&self, shot: &Shot) -> String {
        let (station, incident) = &shot.topic;
        format!("{}/stations/{station}/incidents/{incident}", self.root)
    }

    /// Plans the head of what is owed, when little else is planned: whatever is owed next, it may be
    /// more urgent. When nothing is owed, what a broker may have forgotten.
    fn plan(&mut self, now: Stamp) {
        if !self.flight.has_room() {
            return;
        }
        let mut most = AT_ONCE + self.flight.busy();
        loop {
            let Some(owed) = self.shelf.read(|reader| reader.owed_boards(most)) else { return };
            (self.stale, self.more) = (false, owed.len() >= most);
            let extent = if self.more { Extent::Head } else { Extent::All };
            self.flight.forget_all_but(&owed, extent, now.steady());
            for board in &owed {
                self.flight.take_on(board, now.steady());
            }
            if !self.more || self.flight.plans_something() {
                break;
            }
            most = most.saturating_mul(4); // all of them are in hand, and not written down yet
        }
        if self.flight.has_room() && !self.more {
            self.plan_again(now);
        }
    }

    /// Plans the next of what every topic shows.
    fn plan_again(&mut self, now: Stamp) {
        let Some((station, incident)) = &self.again else { return };
        let behind = (&**station, *incident);
        let open = self.shelf.read(|reader| reader.open_boards(behind, AT_ONCE));
        let Some(open) = open else { return };
        for board in &open {
            self.flight.take_on(board, now.steady());
        }
        let last = open.last().filter(|_| open.len() >= AT_ONCE);
        self.again = last.map(|board| (board.station.clone(), Some(board.incident)));
    }

    fn arrived(&mut self, pkid: u16, at: Stamp) -> Vec<Inbox> {
        let mut reports = Vec::new();
        let Some(shot) = self.flight.arrived(pkid, at.steady()) else { return reports };
        if let (true, Some(page_id)) = (shot.owed, shot.page) {
            counter!("standpipe_pages_delivered_total", "kind" => "station").increment(1);
            reports.push(Inbox::Delivered { page_id, at });
        }
        if let Shot { topic: (station, incident), reached: Some(rev), .. } = shot {
            reports.push(Inbox::BoardSent { station, incident, rev });
        }
        reports
    }
}

impl Owed for Boards {
    const NAME: &'static str = "station pages";

    fn connected(&mut self, _now: Stamp) {
        self.again = Some((Box::default(), None));
        self.stale = true;
    }

    fn read(&mut self, now: Stamp) {
        self.stale = true;
        self.plan(now);
    }

    fn wants_more(&mut self) -> bool {
        let more = self.stale || self.more || self.again.is_some();
        self.flight.wants_more() || more && self.flight.has_room()
    }

    fn next(&mut self, window: usize, _now: Stamp) -> Option<Message> {
        let (pkid, shot, wire) = self.flight.next(window)?;
        let payload = match shot.page {
            _ if shot.empty => String::new(),
            Some(page) => with_page(&wire, page),
            None => wire.to_string(),
        };
        Some(Message { topic: self.topic(&shot), payload, pkid, retain: true, expiry_s: 0 })
    }

    fn landed(&mut self, pkid: u16, receipt: &Receipt, now: Stamp) -> Landed {
        match receipt {
            // It is kept for whoever comes.
            Receipt::Taken => Landed { reports: self.arrived(pkid, now), refused: None },
            Receipt::Refused(_) => {
                let shot = self.flight.refused(pkid, now.steady());
                counter!("standpipe_page_failures_total", "kind" => "station").increment(1);
                Landed { reports: Vec::new(), refused: shot.map(|it| self.topic(&it)) }
            }
        }
    }

    fn lost(&mut self) {
        self.flight.lost();
    }

    fn each_minute(&self, _now: Ms) -> Option<Message> {
        None
    }
}
