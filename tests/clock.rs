//! The gateway's clock is set, and everybody else's is right. libfaketime stands between the real
//! program and the time of day; the clock of the boot, which the program asks the kernel for, stays
//! true.
#![expect(clippy::disallowed_methods, reason = "tests live in real time")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::process::server;
use standpipe_tests::station::Station;
use standpipe_tests::{now, town};

const SOON: Duration = Duration::from_secs(5);
const HYDRANTS: usize = 12;
/// Dry for so long is `no_water` here; the rest of the rules is as it comes.
const CONFIG: &str =
    "[escalation.fire]\nstep2_s = 10\nstep3_s = 20\n[profile.municipal]\nlow_for_s = 5\n";

struct ClockNight {
    gateway: Gateway,
    terminal: Station,
    offset: PathBuf,
    _broker: Broker,
    _dir: tempfile::TempDir,
}

impl ClockNight {
    fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(dir.path());
        let offset = dir.path().join("offset");
        std::fs::write(&offset, "+0").unwrap();
        let env = vec![
            ("LD_PRELOAD", server("libfaketime")),
            ("FAKETIME_TIMESTAMP_FILE", offset.clone()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ];
        let (stations, devices) = (town::stations(2), town::devices(HYDRANTS, 3, 60));
        let mqtt = format!("url = \"{}\"", broker.url());
        let files = (&*stations, &*devices);
        let gateway = Gateway::start_among(dir.path(), &mqtt, files, CONFIG, env);
        gateway.wait_ready();
        let terminal = Station::connect(broker.port, "+");
        let night = Self { gateway, terminal, offset, _broker: broker, _dir: dir };
        night.present();
        night
    }

    fn present(&self) {
        for station in ["district", "t-1", "t-2"] {
            self.terminal.present(station);
        }
    }

    /// The gateway's machine is so many seconds ahead from now on.
    fn set(&self, seconds: i64) {
        std::fs::write(&self.offset, format!("{seconds:+}")).unwrap();
    }

    fn reads(&self, n: usize, kpa: f64) {
        let body =
            json!({"pressure_kpa": kpa + f64::from((now() % 997) as u32) / 1_000.0, "ts": now()});
        self.terminal.publish(&format!("standpipe/v1/t-1/H-{n}/telemetry"), false, &body);
    }

    fn all_read(&self) {
        (1..=HYDRANTS).for_each(|n| self.reads(n, 300.0));
    }

    /// A fire; how long until its first page, and the incident.
    fn burns(&self, detector: &str) -> (Duration, String) {
        let started = Instant::now();
        let body = json!({"condition": "smoke", "active": true, "ts": now()});
        self.terminal.publish(&format!("standpipe/v1/t-1/{detector}/alarm"), false, &body);
        let page = self.terminal.wait("the fire's page", SOON, |shown| {
            shown.station == "t-1"
                && shown.body["device"]["id"] == json!(detector)
                && shown.body["page_id"].is_string()
        });
        (started.elapsed(), page.incident)
    }

    /// A hydrant reads dry every two seconds: how long until that is paged.
    fn runs_dry(&self, n: usize) -> Duration {
        let started = Instant::now();
        let device = json!(format!("H-{n}"));
        while started.elapsed() < Duration::from_secs(30) {
            self.reads(n, 3.0);
            std::thread::sleep(Duration::from_secs(2));
            let paged = |shown: &standpipe_tests::station::ShownIncident| {
                shown.body["device"]["id"] == device && shown.body["page_id"].is_string()
            };
            if self.terminal.seen().iter().any(paged) {
                return started.elapsed();
            }
        }
        panic!("H-{n} is dry and nobody was told in 30 s: {}", self.gateway.printed());
    }

    fn with(&self, condition: &str) -> i64 {
        let found = self.gateway.get(&format!("devices?condition={condition}&per_page=1"));
        found["total"].as_i64().unwrap()
    }

    /// The incidents that are open of that condition.
    fn open(&self, condition: &str) -> Vec<Value> {
        let all = self.gateway.list("incidents?state=open").into_iter();
        all.filter(|incident| {
            incident["conditions"].as_array().unwrap().contains(&json!(condition))
        })
        .collect()
    }

    /// Nobody is silent, blind or at fault, and all that matters comes in its time.
    fn is_well(&self, story: &str, detector: &str, hydrant: usize) {
        self.all_read();
        std::thread::sleep(Duration::from_secs(2));
        self.all_read();
        let (took, _) = self.burns(detector);
        assert!(took < Duration::from_secs(2), "{story}: a fire took {took:?}");
        let took = self.runs_dry(hydrant);
        assert!(took < Duration::from_secs(12), "{story}: a dry hydrant took {took:?}");
        for condition in ["offline", "clock_fault"] {
            assert_eq!(self.with(condition), 0, "{story}: {condition}");
        }
        assert!(self.open("blind_area").is_empty(), "{story}");
    }
}

#[test]
fn a_clock_that_is_set_by_an_hour_and_set_right_makes_nobody_silent_and_nothing_late() {
    for off in [3_600, -3_600] {
        let night = ClockNight::begin();
        night.is_well("before", "S-1", 1);
        night.set(off);
        night.is_well(&format!("by {off} s"), "S-2", 2);
        let [fault] = &night.open("clock_fault")[..] else { panic!("{}", night.gateway.printed()) };
        assert_eq!(fault["severity"], "warning");
        night.set(0);
        night.is_well("right again", "S-3", 11); // of another zone: three of one would be one page
        assert!(night.gateway.printed().contains("timers keep what was left of them"));
    }
}

#[test]
fn a_restart_with_the_clock_two_hours_back_leaves_an_open_fire_its_step_3() {
    let mut night = ClockNight::begin();
    night.all_read();
    let (_, fire) = night.burns("S-1");
    let burns = Instant::now();
    std::thread::sleep(Duration::from_secs(3));
    night.gateway.kill();
    night.set(-7_200);
    night.gateway.start_again();
    night.gateway.wait_ready();
    night.present();
    night.terminal.wait("step 3", Duration::from_secs(30), |shown| {
        shown.incident == fire && shown.station == "district" && shown.body["step"] == json!(3)
    });
    let took = burns.elapsed();
    assert!((19..24).contains(&took.as_secs()), "step 3 after {took:?}");
    night.is_well("two hours back", "S-2", 2);
    assert_eq!(night.open("clock_fault").len(), 1);
}
