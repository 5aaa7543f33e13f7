//! The stations' retained topics: what each terminal shows.
//!
//! A broker that comes back is shown everything that is open, in case it forgot; terminals know
//! each page by its `page_id`. The session is in `session.rs`.

use std::thread::JoinHandle;

use metrics::counter;
use standpipe_engine::Inbox;
use standpipe_machine::clock::Stamp;
use standpipe_rules::Ms;
use standpipe_rules::incidents::with_page;
use standpipe_store::Reader;
use standpipe_transport::mqtt::{Broker, Receipt};

use super::Setup;
use super::flight::{Flight, Shot};
use super::session::{self, Landed, Message, Owed, Shelf};

/// Topics read from the store at one time.
const AT_ONCE: usize = 256;

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
    let boards = Boards { root: root.into(), flight: Flight::default(), shelf };
    let bell = setup.rings.stations.clone();
    session::start(boards, setup, (broker, format!("standpipe-pages-{gateway}")), bell)
}

/// What is owed to stations' topics.
struct Boards {
    root: Box<str>,
    flight: Flight,
    shelf: Shelf,
}

impl Boards {
    fn topic(&self, shot: &Shot) -> String {
        let (station, incident) = &shot.topic;
        format!("{}/stations/{station}/incidents/{incident}", self.root)
    }

    fn arrived(&mut self, pkid: u16, at: Stamp) -> Vec<Inbox> {
        let mut reports = Vec::new();
        let Some(shot) = self.flight.arrived(pkid) else { return reports };
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

    fn connected(&mut self, now: Stamp) {
        for board in self.shelf.read(Reader::open_boards).unwrap_or_default() {
            self.flight.take_on(&board, now.steady());
        }
    }

    fn read(&mut self, now: Stamp) {
        let Some(owed) = self.shelf.read(|reader| reader.owed_boards(AT_ONCE)) else { return };
        if owed.len() < AT_ONCE {
            self.flight.forget_all_but(&owed);
        }
        for board in &owed {
            self.flight.take_on(board, now.steady());
        }
    }

    fn wants_more(&mut self) -> bool {
        self.flight.wants_more()
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
