//! The stations' retained topics: what each terminal shows, and the gateway's clock.
//!
//! One MQTT session of its own, on a thread of its own, so that neither lane waits for a page nor
//! a page for a lane. Nothing is kept between connections: what the broker has not confirmed is
//! read again as owed. A broker that comes back is shown everything that is open, in case it
//! forgot; terminals know each page by its `page_id`.

use std::convert::Infallible;
use std::thread::JoinHandle;
use std::time::Duration;

use metrics::counter;
use standpipe_rules::Ms;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, warn};

use super::flight::{Flight, Shot};
use super::{NET, Setup, with_page};
use crate::engine::{Inbox, Unavailable};
use crate::mqtt::attempts::Attempts;
use crate::mqtt::{Broker, Frame, Hello, Link, LinkError, Outgoing};
use crate::store::reader::OwedBoard;
use crate::store::{Reader, StoreError};

/// Messages on their way to the broker at one time, if it takes that many.
const IN_FLIGHT: usize = 64;
/// Topics read from the store at one time.
const AT_ONCE: usize = 256;
/// How often the clock is published.
const CLOCK_EVERY: Duration = Duration::from_secs(60);
/// How often a refusal is reported, ms.
const REPORT_EVERY: Ms = 60_000;

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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hello = Hello {
        client_id: format!("standpipe-pages-{gateway}"),
        clean_start: true,
        session_expiry_s: 0,
        receive_maximum: 1,
    };
    let task = Task {
        attempts: Attempts::new("station pages", &hello.client_id),
        root: root.into(),
        flight: Flight::default(),
        refusal_said_at: None,
        reader: None,
        broker,
        hello,
        setup,
    };
    std::thread::Builder::new()
        .name("notify-stations".to_owned())
        .spawn(move || runtime.block_on(task.run()))
}

struct Task {
    setup: Setup,
    broker: Broker,
    hello: Hello,
    root: Box<str>,
    attempts: Attempts,
    flight: Flight,
    refusal_said_at: Option<Ms>,
    reader: Option<Reader>,
}

/// Why a connection's loop ended.
enum End {
    Stop,
    Lost(LinkError),
}

impl From<LinkError> for End {
    fn from(why: LinkError) -> Self {
        Self::Lost(why)
    }
}

impl From<Unavailable> for End {
    fn from(_: Unavailable) -> Self {
        Self::Stop
    }
}

impl Task {
    async fn run(mut self) {
        let stop = self.setup.stop.clone();
        loop {
            let opened = tokio::select! {
                () = stop.cancelled() => return,
                opened = Link::open(&self.broker, &self.hello) => opened,
            };
            let end = match opened {
                Ok(link) => self.serve(link).await,
                Err(why) => End::Lost(why),
            };
            let End::Lost(why) = end else { return };
            self.flight.lost();
            counter!("standpipe_station_connections_lost_total").increment(1);
            let wait = self.attempts.failed(self.setup.clock.now(), &self.broker, &why).wait;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    async fn serve(&mut self, mut link: Link) -> End {
        self.attempts.worked(self.setup.clock.now(), &self.broker);
        let Err(end) = self.talk(&mut link).await;
        if matches!(end, End::Stop) {
            link.close().await;
        }
        end
    }

    async fn talk(&mut self, link: &mut Link) -> Result<Infallible, End> {
        let stop = self.setup.stop.clone();
        let mut bell = self.setup.rings.stations.clone();
        let mut net = interval(NET);
        net.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut minute = interval(CLOCK_EVERY);
        self.read_owed();
        self.read_open();
        loop {
            self.send(link)?;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(End::Stop),
                turned = link.turn(true) => {
                    turned?;
                    self.hear(link).await?;
                }
                rung = bell.changed() => {
                    if rung.is_err() {
                        return Err(End::Stop);
                    }
                    self.read_owed();
                }
                _ = net.tick() => self.read_owed(),
                _ = minute.tick() => self.tell_time(link)?,
            }
            if self.flight.wants_more() {
                self.read_owed();
            }
        }
    }

    /// Takes on what the store says is owed.
    fn read_owed(&mut self) {
        let Some(owed) = self.read(|reader| reader.owed_boards(AT_ONCE)) else { return };
        if owed.len() < AT_ONCE {
            self.flight.forget_all_but(&owed);
        }
        let now = self.setup.clock.now();
        for board in &owed {
            self.flight.take_on(board, now);
        }
    }

    /// Takes on everything that is open: the broker may have forgotten what it kept.
    fn read_open(&mut self) {
        let now = self.setup.clock.now();
        for board in self.read(Reader::open_boards).unwrap_or_default() {
            self.flight.take_on(&board, now);
        }
    }

    fn read(
        &mut self,
        what: impl FnOnce(&Reader) -> Result<Vec<OwedBoard>, StoreError>,
    ) -> Option<Vec<OwedBoard>> {
        let reader = match self.reader.take() {
            Some(reader) => Ok(reader),
            None => Reader::open(&self.setup.store),
        };
        match reader.and_then(|reader| what(&reader).map(|boards| (reader, boards))) {
            Ok((reader, boards)) => {
                self.reader = Some(reader);
                Some(boards)
            }
            Err(why) => {
                warn!("station pages: what is owed cannot be read ({why}); trying again");
                None
            }
        }
    }

    /// Sends what is planned, as far as the broker takes it.
    fn send(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let window = IN_FLIGHT.min(usize::from(link.send_maximum));
        while let Some((pkid, shot, wire)) = self.flight.next(window) {
            let (station, incident) = &shot.topic;
            let topic = format!("{}/stations/{station}/incidents/{incident}", self.root);
            let payload = if shot.empty { String::new() } else { with_page(&wire, shot.page) };
            link.publish(&Outgoing {
                topic: &topic,
                payload: payload.as_bytes(),
                pkid,
                retain: true,
            })?;
        }
        Ok(())
    }

    async fn hear(&mut self, link: &mut Link) -> Result<(), End> {
        while let Some(frame) = link.next_frame()? {
            match frame {
                Frame::PubAck { pkid, refused: None } => self.arrived(pkid).await?,
                Frame::PubAck { pkid, refused: Some(why) } => self.refused(pkid, &why),
                Frame::Publish(_) | Frame::SubAck { .. } | Frame::Pong | Frame::Bye(_) => {}
            }
        }
        Ok(())
    }

    async fn arrived(&mut self, pkid: u16) -> Result<(), Unavailable> {
        let Some(shot) = self.flight.arrived(pkid) else { return Ok(()) };
        let at = self.setup.clock.now();
        if let (true, Some(page_id)) = (shot.owed, shot.page) {
            counter!("standpipe_pages_delivered_total", "kind" => "station").increment(1);
            self.setup.engine.send(Inbox::Delivered { page_id, at }).await?;
        }
        if let Shot { topic: (station, incident), reached: Some(rev), .. } = shot {
            self.setup.engine.send(Inbox::BoardSent { station, incident, rev }).await?;
        }
        Ok(())
    }

    fn refused(&mut self, pkid: u16, why: &impl std::fmt::Debug) {
        let now = self.setup.clock.now();
        let Some(shot) = self.flight.refused(pkid, now) else { return };
        counter!("standpipe_page_failures_total", "kind" => "station").increment(1);
        if self.refusal_said_at.is_none_or(|said| now - said >= REPORT_EVERY) {
            self.refusal_said_at = Some(now);
            error!(
                "the broker refuses pages to station {} ({why:?}): allow this gateway to publish \
                 on {}/stations/+/incidents/+",
                shot.topic.0, self.root
            );
        }
    }

    fn tell_time(&self, link: &mut Link) -> Result<(), LinkError> {
        let topic = format!("{}/gateway/clock", self.root);
        let payload = format!(r#"{{"ts":{}}}"#, self.setup.clock.now());
        link.publish(&Outgoing {
            topic: &topic,
            payload: payload.as_bytes(),
            pkid: 0,
            retain: false,
        })
    }
}
