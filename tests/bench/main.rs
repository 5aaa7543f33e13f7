//! What the gateway does under load, over a real mosquitto and, with `--influx`, a real InfluxDB 2.
//!
//! ```text
//! cargo build --release -p standpipe
//! cargo run --release -p standpipe-tests --bin bench -- --devices 1000 --rate 20000 --seconds 60 --influx
//! ```
//!
//! Every device has a connection of its own, as in the field, unless `--one-connection` says otherwise.
//! Prints readings sent, stored, lost and counted twice; the time from an alarm to its page as an
//! independent subscriber sees it, and beside it the time until that subscriber's broker hands on the
//! alarm itself, below which no gateway comes; CPU seconds of the gateway for a million messages and its peak
//! memory; and beside them `mosquitto_sub -q 1` on the same load. Broker, database and load share
//! the machine with the gateway. Numbers taken while anything else runs mean nothing: the load of
//! the machine is printed with them, and how long its disk takes to keep 16 KiB, which every page
//! waits for. `TMPDIR=/dev/shm` shows what is left without a disk.

mod disk;
mod pages;
mod reference;
mod site;
mod wills;

use std::path::Path;

use clap::Parser;
use reference::idler;
use site::{Connections, Outcome, Plan, Site};

/// Measures the gateway on a real broker.
#[derive(Debug, Parser)]
struct Args {
    /// Hydrants that send readings in turn.
    #[arg(long, default_value_t = 1_000)]
    devices: u64,
    /// Readings a second; with --highest, of the first step.
    #[arg(long, default_value_t = 2_000.0)]
    rate: f64,
    /// Seconds of load; with --highest, of each step.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Fires a second beside the readings.
    #[arg(long, default_value_t = 5.0)]
    alarms: f64,
    /// History in InfluxDB 2 instead of the embedded store.
    #[arg(long)]
    influx: bool,
    /// So many times, each from the start; the median is printed too.
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Steps up until the readings pile up: the highest rate that is held.
    #[arg(long)]
    highest: bool,
    /// Readings a second from one step to the next.
    #[arg(long, default_value_t = 2_000.0)]
    step: f64,
    /// Stops and starts the gateway once more: seconds until it is ready with all it knows.
    #[arg(long)]
    restart: bool,
    /// All hydrants by one connection and all detectors by another, as behind two concentrators;
    /// otherwise every device has its own, as in the field.
    #[arg(long)]
    one_connection: bool,
    /// A storm of Last Wills instead: so many within --seconds, of --devices that each come back 5 s
    /// later. One process and one broker hold as many connections as `ulimit -n` says.
    #[arg(long)]
    wills: Option<u64>,
    /// Without mosquitto_sub.
    #[arg(long)]
    no_reference: bool,
}

impl Args {
    fn plan(&self, rate: f64) -> Plan {
        let connections = self.connections();
        let (devices, seconds, alarms) = (self.devices, self.seconds, self.alarms);
        Plan { devices, rate, seconds, alarms, connections }
    }

    fn connections(&self) -> Connections {
        if self.one_connection { Connections::One } else { Connections::Each }
    }
}

fn main() {
    // The program that is measured is the optimised one.
    let args = Args::parse();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    let history = if args.influx { "InfluxDB" } else { "embedded" };
    println!(
        "{} devices, {} readings/s for {} s, {} fires/s, history {history}; machine's load before: {load}",
        args.devices, args.rate, args.seconds, args.alarms
    );
    disk::say();
    if cfg!(debug_assertions) {
        println!("this is not a release build: add --release");
    }
    if let Some(wills) = args.wills {
        return will_storms(&args, wills);
    }
    if args.highest {
        return highest(&args);
    }
    let outcomes: Vec<_> = (1..=args.runs).map(|run| once(&args, run)).collect();
    if args.runs > 1 {
        medians(&outcomes);
    }
}

fn will_storms(args: &Args, wills: u64) {
    let Args { devices, seconds, alarms, .. } = *args;
    let plan = wills::Storm { devices, wills, seconds, alarms };
    let mut worst = Vec::new();
    for run in 1..=args.runs {
        let dir = tempfile::tempdir().expect("a folder");
        println!("\nrun {run}");
        let outcome = wills::storm(dir.path(), plan);
        wills::say(&outcome, plan);
        worst.push(outcome.pages.percentile(0.99));
    }
    worst.sort_by(f64::total_cmp);
    println!("\nmedian of the runs' p99, alarm to page: {:.2} ms", worst[worst.len() / 2]);
}

/// One run from nothing.
fn once(args: &Args, run: usize) -> Outcome {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = args.plan(args.rate);
    let mut site = Site::start(dir.path(), (args.devices, plan.fires()), args.influx);
    let outcome = site.load(plan);
    println!("\nrun {run}");
    say(&outcome);
    let ((duplicate, missing), stored) = (site.ledger(), site.stored());
    println!(
        "  history itself counts {stored}: lost {}; ledger: duplicate {duplicate}, missing {missing}",
        outcome.sent as i64 - stored as i64
    );
    if args.restart {
        let (seconds, peak) = site.restart();
        println!("  restart: ready in {seconds:.2} s, peak {peak:.1} MiB");
    }
    drop(site);
    if !args.no_reference {
        beside(dir.path(), args, args.rate);
    }
    outcome
}

/// The subscriber that does nothing.
fn beside(dir: &Path, args: &Args, rate: f64) {
    const SECONDS: u64 = 10;
    let total = (rate * SECONDS.min(args.seconds) as f64) as u64;
    let same = idler(dir, (args.devices, args.connections()), total, rate);
    println!("  mosquitto_sub -q 1: {:.0}/s, {:.1} CPU-s a million", same.rate, same.cpu);
    let most = idler(dir, (args.devices, args.connections()), 400_000, 1e9);
    println!(
        "  mosquitto_sub -q 1 as fast as it goes: {:.0}/s, {:.1} CPU-s a million",
        most.rate, most.cpu
    );
}

fn say(it: &Outcome) {
    println!(
        "  sent {}, {:.0}/s; in history {}, the last {:.2} s after sending ended ({} behind then)",
        it.sent, it.rate, it.stored, it.drain_s, it.behind
    );
    println!(
        "  alarm to page: p50 {:.2}, p99 {:.2}, max {:.2} ms; {} alarms, {} without a page, {} pages too many",
        it.pages.percentile(0.5),
        it.pages.percentile(0.99),
        it.pages.percentile(1.0),
        it.pages.alarms,
        it.pages.missed,
        it.pages.twice
    );
    println!(
        "  alarm to a subscriber of the same broker: p50 {:.2}, p99 {:.2}, max {:.2} ms",
        it.floor.percentile(0.5),
        it.floor.percentile(0.99),
        it.floor.percentile(1.0)
    );
    println!(
        "  gateway {:.1} CPU-s a million, peak {:.1} MiB; broker {:.1}, InfluxDB {:.1} CPU-s a million",
        it.cpu, it.peak_mib, it.others_cpu.0, it.others_cpu.1
    );
}

fn median(outcomes: &[Outcome], of: impl Fn(&Outcome) -> f64) -> f64 {
    let mut all: Vec<f64> = outcomes.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn medians(all: &[Outcome]) {
    println!(
        "\nmedian of {}: {:.0}/s, alarm to page p50 {:.2}, p99 {:.2} (broker's floor {:.2}), max {:.2} ms, {:.1} CPU-s a million, peak {:.1} MiB",
        all.len(),
        median(all, |it| it.rate),
        median(all, |it| it.pages.percentile(0.5)),
        median(all, |it| it.pages.percentile(0.99)),
        median(all, |it| it.floor.percentile(0.99)),
        median(all, |it| it.pages.percentile(1.0)),
        median(all, |it| it.cpu),
        median(all, |it| it.peak_mib),
    );
}

/// Steps up until readings pile up, or the broker takes no more.
fn highest(args: &Args) {
    const MOST_STEPS: u64 = 50;
    // History is written about once a second; twice that is piling up.
    const MOST_BEHIND_S: f64 = 2.0;
    let dir = tempfile::tempdir().expect("a folder");
    let fires = args.plan(args.rate).fires() * MOST_STEPS;
    let mut site = Site::start(dir.path(), (args.devices, fires), args.influx);
    let (mut rate, mut held) = (args.rate, 0.0);
    for _ in 0..MOST_STEPS {
        let outcome = site.load(args.plan(rate));
        println!("\n{rate:.0}/s");
        say(&outcome);
        if outcome.rate < rate * 0.97 || outcome.behind as f64 > rate * MOST_BEHIND_S {
            break;
        }
        held = rate;
        rate += args.step;
    }
    drop(site);
    println!("\nthe highest rate held: {held:.0}/s");
    if !args.no_reference {
        beside(dir.path(), args, held.max(args.rate));
    }
}
