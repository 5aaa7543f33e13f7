//! A network that breaks: devices lose their connections one after the other, the broker says their
//! Last Wills, and each comes back a few seconds later. Alarms are measured meanwhile, and how soon
//! a fire detector that is back counts as back. A subscriber of its own counts the wills and the
//! returns that the broker says.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::load::{Fleet, Load, Mortal, Pace, Publish};
use standpipe_tests::{http, instant, town, wait_for};

use crate::pages::{self, Pages, Side, Watch};
use crate::site::QUIET;

/// How long a device is away.
const AWAY: Duration = Duration::from_secs(5);
/// How long it stays at least when it is back, so that the broker has its word before its next will.
const STAYS: Duration = Duration::from_secs(1);
/// The last word that the gateway has, the counting subscriber has so much later at the latest.
const AT_LAST: Duration = Duration::from_millis(500);
/// Threads that keep devices connected.
const HANDS: u64 = 4;

/// How many, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// Devices, each with a connection.
    pub devices: u64,
    /// Last Wills in all: with more of them than devices, each device is lost several times.
    pub wills: u64,
    /// Within so many seconds.
    pub seconds: u64,
    /// Fires a second meanwhile.
    pub alarms: f64,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The fires' pages.
    pub pages: Pages,
    /// The same alarms as another subscriber of the broker had them.
    pub floor: Pages,
    /// Wills and returns that the broker said.
    pub said: (u64, u64),
    /// Seconds from the first will to the last return.
    pub took_s: f64,
    /// Milliseconds from a detector's return until the gateway shows it, sorted.
    pub back_ms: Vec<f64>,
    /// Messages that the gateway took meanwhile.
    pub messages: f64,
    /// Seconds until it had taken all that the broker had.
    pub drain_s: f64,
    /// The gateway's CPU seconds.
    pub cpu: f64,
    /// Its peak memory, MiB.
    pub peak_mib: f64,
}

/// Runs one storm on a broker and a gateway of its own.
#[must_use]
pub fn storm(dir: &Path, plan: Storm) -> Outcome {
    let fires = (plan.alarms * plan.seconds as f64) as u64;
    let broker = Broker::start(dir);
    let files = (town::stations(23), devices(plan.devices, fires));
    let gateway = Gateway::start(dir, &broker.url(), (&files.0, &files.1), QUIET);
    let port = broker.port;
    let mut terminals = Load::connect(port, "terminals");
    for n in 1..=23 {
        let topic = format!("standpipe/v1/stations/t-{n}/presence");
        terminals.publish(&topic, b"{\"online\":true}");
    }
    terminals.finish();
    let mut hands = connect(port, plan.devices);
    taken(&gateway, plan.devices as f64);
    let (cpu, before) = (gateway.used().0, messages(&gateway));
    let (watch, floor) = (Watch::start(port, Side::Pages), Watch::start(port, Side::Alarms));
    let alarms: Box<dyn Publish + Send> = Box::new(Fleet::connect(port, "detector", fires));
    let counter = Counter::start(port);
    let began = instant();
    let back = coming_back(port, gateway.at("/api/v1/devices/BACK-1"), plan.seconds);
    let alarms = pages::alarms(alarms, (1, fires), plan.alarms);
    let threads: Vec<_> = hands.drain(..).map(|hand| break_network(hand, plan)).collect();
    let hands: Vec<_> = threads.into_iter().map(|it| it.join().expect("its devices")).collect();
    let took_s = began.elapsed().as_secs_f64();
    let (sent, back_ms) = (alarms.join().expect("the detectors"), back.join().expect("one"));
    let start = instant();
    // Each will and each return, those of the one that comes back, and the fires.
    let wills = plan.wills / HANDS * HANDS;
    let of_one = 1 + 2 * back_ms.len() as u64;
    taken(&gateway, before + (2 * wills + of_one + fires) as f64);
    let drain_s = start.elapsed().as_secs_f64();
    let said = counter.finish();
    assert_eq!(said, (wills, wills), "wills and returns that the broker said");
    let used = gateway.used();
    drop(hands);
    Outcome {
        pages: watch.finish(&sent),
        floor: floor.finish(&sent),
        said,
        took_s,
        back_ms,
        messages: messages(&gateway) - before,
        drain_s,
        cpu: used.0 - cpu,
        peak_mib: used.1,
    }
}

/// Hydrants and detectors of 23 townships, the fires' detectors, and the one that comes back.
fn devices(devices: u64, fires: u64) -> String {
    use std::fmt::Write as _;
    let mut text = town::devices(0, fires as usize, 60);
    for n in 1..=devices {
        let (kind, profile) =
            if n % 4 == 0 { ("smoke", "smoke_home") } else { ("hydrant", "municipal") };
        let (station, lat) = (n % 23 + 1, 29.38 + n as f64 * 1e-6);
        let _ =
            writeln!(text, "M-{n},{kind},M {n},t-{station},,{profile},{lat},106.5,Road {n},,,60");
    }
    let _ = writeln!(text, "BACK-1,smoke,Back,t-1,,smoke_home,29.38,106.5,Road,,,60");
    text
}

fn connect(port: u16, devices: u64) -> Vec<Vec<Mortal>> {
    let connect = |hand: u64| {
        let numbers = (1..=devices).filter(move |n| n % HANDS == hand);
        let mortal = move |n: u64| {
            let topic = format!("standpipe/v1/t-{}/M-{n}/status", n % 23 + 1);
            let mut device = Mortal::new(port, &format!("m-{n}"), &topic);
            device.connect();
            device
        };
        spawn(move || numbers.map(mortal).collect::<Vec<_>>())
    };
    let threads: Vec<_> = (0..HANDS).map(connect).collect();
    threads.into_iter().map(|it| it.join().expect("its devices")).collect()
}

/// Cuts one after the other, and connects each again a little later. Only one that is there can be
/// cut: with too few of them the storm takes longer.
fn break_network(mut devices: Vec<Mortal>, plan: Storm) -> JoinHandle<Vec<Mortal>> {
    spawn(move || {
        let wills = plan.wills / HANDS;
        let pace = Pace::new(wills as f64 / plan.seconds as f64);
        let (now, mut cut) = (instant(), 0);
        // Since when each is away; from when on each may be cut again.
        let mut away = VecDeque::<(usize, Instant)>::new();
        let mut there: VecDeque<_> = (0..devices.len()).map(|place| (place, now)).collect();
        while cut < wills || !away.is_empty() {
            while cut < pace.due().min(wills)
                && let Some(place) = next_due(&mut there)
            {
                devices[place].cut();
                away.push_back((place, instant() + AWAY));
                cut += 1;
            }
            while let Some(place) = next_due(&mut away) {
                devices[place].connect();
                there.push_back((place, instant() + STAYS));
            }
            sleep(Duration::from_millis(1));
        }
        devices
    })
}

/// The first, when its time has come.
fn next_due(waiting: &mut VecDeque<(usize, Instant)>) -> Option<usize> {
    let (place, _) = waiting.front().copied().filter(|(_, due)| instant() >= *due)?;
    waiting.pop_front();
    Some(place)
}

/// A subscriber that counts what the broker says of the devices.
struct Counter {
    stream: TcpStream,
    thread: JoinHandle<()>,
    /// Wills, returns.
    said: Arc<[AtomicU64; 2]>,
}

impl Counter {
    fn start(port: u16) -> Self {
        // At QoS 0, so that it costs the broker little.
        let stream = pages::subscribe(port, "standpipe/v1/+/+/status", 0);
        let (reading, said) = (stream.try_clone().expect("a handle"), Arc::default());
        let counts: Arc<[AtomicU64; 2]> = Arc::clone(&said);
        let count = move |status: pages::Said<'_>| {
            let topic = std::str::from_utf8(status.topic).expect("a topic");
            if topic.contains("/M-") && !status.retained {
                let back = status.body.starts_with(b"{\"online\":true");
                counts[usize::from(back)].fetch_add(1, Ordering::Relaxed);
            }
        };
        Self { stream, thread: spawn(move || pages::messages(reading, count)), said }
    }

    /// Ends it; what it counted.
    fn finish(self) -> (u64, u64) {
        sleep(AT_LAST);
        self.stream.shutdown(Shutdown::Both).expect("a socket");
        self.thread.join().expect("the subscriber");
        let [wills, returns] = &*self.said;
        (wills.load(Ordering::Relaxed), returns.load(Ordering::Relaxed))
    }
}

/// A detector that is lost and comes back, again and again: how long until the gateway shows it.
fn coming_back(port: u16, url: String, seconds: u64) -> JoinHandle<Vec<f64>> {
    spawn(move || {
        let mut device = Mortal::new(port, "back", "standpipe/v1/t-1/BACK-1/status");
        let offline = || {
            let token = format!("Bearer {}", standpipe_tests::gateway::TOKEN);
            let (status, device) = http::get(&url, &token);
            assert_eq!(status, 200, "{device}");
            let conditions = device["conditions"].as_array().expect("a list");
            conditions.iter().any(|condition| condition == "offline")
        };
        let until = |wanted: bool| {
            let start = instant();
            wait_for("a detector to come or go", Duration::from_secs(120), || {
                // Seldom enough that the asking is not what is measured.
                sleep(Duration::from_millis(20));
                (offline() == wanted).then_some(())
            });
            start.elapsed()
        };
        device.connect();
        let (start, mut took) = (instant(), Vec::new());
        while start.elapsed() < Duration::from_secs(seconds) {
            until(false);
            device.cut();
            until(true);
            device.connect();
            took.push(until(false).as_secs_f64() * 1e3);
            sleep(Duration::from_millis(500));
        }
        took.sort_by(f64::total_cmp);
        took
    })
}

fn messages(gateway: &Gateway) -> f64 {
    let (_, text) = http::try_get(&gateway.at("/metrics"), "").expect("metrics");
    let counts = text.lines().filter(|line| line.starts_with("standpipe_messages_total"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn taken(gateway: &Gateway, count: f64) {
    wait_for("the gateway to take all", Duration::from_secs(300), || {
        sleep(Duration::from_millis(20));
        (messages(gateway) >= count).then_some(())
    });
}

/// Prints it.
pub fn say(it: &Outcome, plan: Storm) {
    let (devices, (wills, returns)) = (plan.devices, it.said);
    println!(
        "  {devices} connections; the broker said {wills} wills and {returns} returns in {:.1} s",
        it.took_s
    );
    for (what, pages) in [("alarm to page", &it.pages), ("alarm to a subscriber", &it.floor)] {
        println!(
            "  {what}: p50 {:.2}, p99 {:.2}, max {:.2} ms; {} alarms, {} missed",
            pages.percentile(0.5),
            pages.percentile(0.99),
            pages.percentile(1.0),
            pages.alarms,
            pages.missed
        );
    }
    let place = |share: f64| {
        let at = (it.back_ms.len() as f64 * share) as usize;
        it.back_ms.get(at.min(it.back_ms.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    };
    println!(
        "  a detector is back: p50 {:.0}, max {:.0} ms of {}; {:.0} messages, all taken {:.2} s after the last; \
         gateway {:.1} CPU-s, peak {:.1} MiB",
        place(0.5),
        place(1.0),
        it.back_ms.len(),
        it.messages,
        it.drain_s,
        it.cpu,
        it.peak_mib
    );
}
