//! A broker, the gateway's own binary and, if wanted, InfluxDB; one stretch of load on them.

use std::path::Path;
use std::time::Duration;

use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::influx::Influx;
use standpipe_tests::load::{self, Fleet, Load, Publish};
use standpipe_tests::{http, instant, town, wait_for};

use crate::pages::{self, Pages, Side, Watch};

/// How the load is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Hydrants that send readings in turn.
    pub devices: u64,
    /// Readings a second.
    pub rate: f64,
    /// How long.
    pub seconds: u64,
    /// Fires a second beside it.
    pub alarms: f64,
    /// Who connects.
    pub connections: Connections,
}

/// How devices are connected to the broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Connections {
    /// Each by itself, as in the field.
    Each,
    /// All hydrants by one, all detectors by another, as behind two concentrators.
    One,
}

impl Plan {
    /// Alarms of one stretch.
    #[must_use]
    pub fn fires(&self) -> u64 {
        (self.alarms * self.seconds as f64) as u64
    }

    /// Readings of one stretch.
    #[must_use]
    pub fn readings(&self) -> u64 {
        (self.rate * self.seconds as f64) as u64
    }
}

/// What one stretch of load came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Readings the broker confirmed.
    pub sent: u64,
    /// Readings a second that the broker took.
    pub rate: f64,
    /// Readings not yet in history at the moment the last was sent.
    pub behind: u64,
    /// Seconds until they were.
    pub drain_s: f64,
    /// Readings in history.
    pub stored: u64,
    /// The gateway's CPU seconds for a million messages.
    pub cpu: f64,
    /// The broker's and InfluxDB's.
    pub others_cpu: (f64, f64),
    /// The gateway's peak resident memory so far, MiB.
    pub peak_mib: f64,
    /// The fires' pages.
    pub pages: Pages,
    /// When another subscriber had the same alarms from the same broker.
    pub floor: Pages,
}

impl Connections {
    /// Connects so many devices, the first of which is number 1.
    #[must_use]
    pub fn open(self, port: u16, prefix: &str, devices: u64) -> Box<dyn Publish + Send> {
        match self {
            Self::Each => Box::new(Fleet::connect(port, prefix, devices)),
            Self::One => Box::new(Load::connect(port, &format!("{prefix}s"))),
        }
    }
}

/// The running parts.
#[derive(Debug)]
pub struct Site {
    broker: Broker,
    influx: Option<Influx>,
    gateway: Gateway,
    next_seq: u64,
    next_detector: u64,
}

/// Each fire is paged once: nothing is repeated and nobody else is told while it burns.
pub const QUIET: &str =
    "[escalation.fire]\nstep2_s = 0\nstep3_s = 0\nrepeat_s = 0\nforgotten_s = 0\n";

impl Site {
    /// Starts all parts for so many hydrants and detectors.
    #[must_use]
    pub fn start(dir: &Path, (hydrants, detectors): (u64, u64), influx: bool) -> Self {
        let broker = Broker::start(dir);
        let influx = influx.then(|| Influx::start(dir));
        let section = influx.as_ref().map(Influx::section).unwrap_or_default();
        let files = (town::stations(3), town::devices(hydrants as usize, detectors as usize, 60));
        let more = format!("{QUIET}{section}");
        let gateway = Gateway::start(dir, &broker.url(), (&files.0, &files.1), &more);
        let mut terminals = Load::connect(broker.port, "terminals");
        for station in ["district", "t-1", "t-2", "t-3"] {
            let topic = format!("standpipe/v1/stations/{station}/presence");
            terminals.publish(&topic, b"{\"online\":true}");
        }
        terminals.finish();
        Self { broker, influx, gateway, next_seq: 1, next_detector: 1 }
    }

    /// Sends one stretch of load and waits until all of it is in history.
    ///
    /// # Panics
    /// When it is not within five minutes.
    pub fn load(&mut self, plan: Plan) -> Outcome {
        let total = plan.readings();
        let (kept_before, before) = (self.kept(), self.cpu());
        let port = self.broker.port;
        let watch = Watch::start(port, Side::Pages);
        let floor = Watch::start(port, Side::Alarms);
        let alarms = plan.connections.open(port, "detector", plan.fires());
        let mut readings = plan.connections.open(port, "hydrant", plan.devices);
        let alarms = pages::alarms(alarms, (self.next_detector, plan.fires()), plan.alarms);
        let start = instant();
        let numbers = (self.next_seq, total);
        load::readings(&mut *readings, plan.devices, numbers, plan.rate, |_| ());
        let took = start.elapsed().as_secs_f64();
        let sent = alarms.join().expect("the detectors");
        self.next_seq += total.div_ceil(plan.devices);
        self.next_detector += plan.fires();

        let ended = instant();
        let behind = total.saturating_sub(self.kept() - kept_before);
        wait_for("history to catch up", Duration::from_secs(300), || {
            std::thread::sleep(Duration::from_millis(50));
            (self.kept() - kept_before >= total).then_some(())
        });
        let drain_s = ended.elapsed().as_secs_f64();
        let (after, messages) = (self.cpu(), total + plan.fires());
        let million = |n: usize| (after[n] - before[n]) * 1e6 / messages as f64;
        Outcome {
            sent: readings.confirmed(),
            rate: total as f64 / took,
            behind,
            drain_s,
            stored: self.kept() - kept_before,
            cpu: million(0),
            others_cpu: (million(1), million(2)),
            peak_mib: self.gateway.used().1,
            pages: watch.finish(&sent),
            floor: floor.finish(&sent),
        }
    }

    /// CPU seconds so far: gateway, broker, InfluxDB.
    fn cpu(&self) -> [f64; 3] {
        let influx = self.influx.as_ref().map_or(0.0, |it| it.used().0);
        [self.gateway.used().0, self.broker.used().0, influx]
    }

    /// Readings the gateway says are in history.
    fn kept(&self) -> u64 {
        let (_, text) = http::try_get(&self.gateway.at("/metrics"), "").expect("metrics");
        text.lines()
            .find_map(|it| it.strip_prefix("standpipe_series_points_total{fate=\"kept\"} "))
            .and_then(|it| it.parse::<f64>().ok())
            .map_or(0, |it| it as u64)
    }

    /// Points InfluxDB itself counts; without one, what the gateway says it stored.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.influx.as_ref().map_or_else(|| self.kept(), |it| it.count("hydrant", "pressure_kpa"))
    }

    /// The ledger's duplicate and missing messages.
    #[must_use]
    pub fn ledger(&self) -> (i64, i64) {
        let [_, _, duplicate, _, missing] = self.gateway.ledger();
        (duplicate, missing)
    }

    /// Stops the gateway and starts it again: seconds until it is ready, and its peak memory, MiB.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn restart(&mut self) -> (f64, f64) {
        self.gateway.signal("TERM");
        let gateway = &mut self.gateway;
        wait_for("the gateway to stop", Duration::from_secs(30), || gateway.ended());
        let start = instant();
        self.gateway.start_again();
        self.gateway.wait_ready();
        (start.elapsed().as_secs_f64(), self.gateway.used().1)
    }
}
