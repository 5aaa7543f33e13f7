//! What an administrator relies on at night: a backup that holds everything, a self-test that
//! notices when a station can't be reached any more, and a service that is locked in.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::client::Client;
use standpipe_tests::deployed::{DEVICES, Deployed, STATIONS, deploy};
use standpipe_tests::gateway::{Gateway, TOKEN, program};
use standpipe_tests::process::{Process, server};
use standpipe_tests::receiver::WebhookEnd;
use standpipe_tests::secure::{Login, Retain, Secure};
use standpipe_tests::{instant, now, town, wait_for};

const HYDRANTS: usize = 50;
const FIRES: usize = 20;

/// Readings of every hydrant, without a pause, until told to stop. They count from 1, and no two of a
/// hydrant were measured at one moment: by that history knows them apart.
struct ReadingLoad {
    going: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<i64>>,
}

impl ReadingLoad {
    fn start(port: u16) -> Self {
        let going = Arc::new(AtomicBool::new(true));
        let on = Arc::clone(&going);
        let thread = std::thread::spawn(move || {
            let client = Client::connect(port, "load");
            let mut sent: Vec<i64> = Vec::new();
            while on.load(Ordering::Relaxed) {
                let ts = now();
                if sent.last().is_some_and(|last| *last >= ts) {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                sent.push(ts);
                let (seq, kpa) = (sent.len(), pressure(sent.len()));
                let body =
                    json!({"boot": 1, "seq": seq, "ts": ts, "pressure_kpa": kpa}).to_string();
                let to = |n| format!("standpipe/v1/t-1/H-{n}/telemetry");
                client.publish_all((1..=HYDRANTS).map(|n| (to(n), body.clone().into_bytes())));
            }
            sent
        });
        Self { going, thread }
    }

    /// When each reading was measured, which is the same for all hydrants: number 1 first.
    fn stop(self) -> Vec<i64> {
        self.going.store(false, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// What reading number `seq` measured, kPa: so that one is not taken for another.
fn pressure(seq: usize) -> i64 {
    200 + (seq % 500) as i64
}

/// All fires, as device and incident, once there are so many.
fn fires(gateway: &Gateway) -> Option<Vec<String>> {
    let mut ids: Vec<String> = gateway
        .list("incidents")
        .iter()
        .filter(|incident| incident["class"] == "fire")
        .map(|incident| format!("{} {}", incident["device"]["id"], incident["id"]))
        .collect();
    ids.sort();
    (ids.len() == FIRES).then_some(ids)
}

/// The highest number of each device of which it and all before it are acknowledged: the ledger is
/// read from the store after a commit, and whoever has `n` of `n` expected has 1 to `n`.
fn acknowledged(gateway: &Gateway) -> BTreeMap<String, usize> {
    let row = |device: &Value| {
        let number = |name: &str| device[name].as_u64().unwrap();
        assert_eq!(
            (number("boot"), number("missing"), number("seq_reused")),
            (1, 0, 0),
            "{device}"
        );
        assert_eq!(number("received"), number("expected"), "{device}");
        (device["device"].as_str().unwrap().to_owned(), number("received") as usize)
    };
    gateway.list("ledger").iter().map(row).collect()
}

/// The readings of a hydrant that are in history, each as (when measured, kPa).
fn in_history(gateway: &Gateway, hydrant: &str) -> BTreeSet<(i64, i64)> {
    let (from, to) = (now() - 3_600_000, now() + 3_600_000);
    let span = format!("from={from}&to={to}&step=0&field=pressure_kpa");
    let answer = gateway.get(&format!("devices/{hydrant}/history?{span}"));
    let point = |point: &Value| (point[0].as_i64().unwrap(), point[2].as_f64().unwrap() as i64);
    answer["points"].as_array().unwrap().iter().map(point).collect()
}

/// Readings number 1 to `n` that are not in history, of each hydrant.
fn lost(gateway: &Gateway, sent: &[i64], upto: &BTreeMap<String, usize>) -> Vec<(String, usize)> {
    let hydrants = upto.iter().filter(|(device, _)| device.starts_with("H-"));
    let missing = hydrants.flat_map(|(device, n)| {
        let there = in_history(gateway, device);
        let known = (1..=*n).filter(move |seq| !there.contains(&(sent[seq - 1], pressure(*seq))));
        known.map(|seq| (device.clone(), seq)).collect::<Vec<_>>()
    });
    missing.collect()
}

/// The backup that a folder holds.
fn only(kept: &Path) -> String {
    let mut entries = std::fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path());
    let backup = entries.next().unwrap();
    assert_eq!(entries.next(), None);
    backup.display().to_string()
}

/// Every reading that was acknowledged then is in history; what was in the store alone goes there
/// within a moment.
fn nothing_is_lost(gateway: &Gateway, sent: &[i64], then: &BTreeMap<String, usize>) {
    let looked = instant();
    let mut gone = lost(gateway, sent, then);
    while !gone.is_empty() && looked.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(200));
        gone = lost(gateway, sent, then);
    }
    assert!(gone.is_empty(), "{} were acknowledged and are lost: {:?} …", gone.len(), gone[0]);
}

/// What is written into the configuration, and in place of what.
struct Replaced {
    old: String,
    new: String,
}

/// Changes the restored configuration, and restores again: it stays as it is, and that is told.
fn another_configuration_stays(gateway: &Gateway, restore: &[&str], change: &Replaced) {
    let Replaced { old, new } = change;
    let config = gateway.dir.join("standpipe.toml");
    let other = std::fs::read_to_string(&config).unwrap().replace(old, new);
    std::fs::write(&config, &other).unwrap();
    let told = gateway.command(restore);
    assert_eq!(told.0, Some(0), "{told:?}");
    let place = format!("{}/config", only(&gateway.dir.join("kept")));
    for said in ["/store.db\nNOT restored: the configuration", "so here: standpipe.toml.", &place] {
        assert!(told.1.contains(said), "`{said}`: {told:?}");
    }
    assert_eq!(std::fs::read_to_string(&config).unwrap(), other);
}

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let files = (town::stations(2), town::devices(HYDRANTS, FIRES, 60));
    let mut gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
    let load = ReadingLoad::start(broker.port);
    let client = Client::connect(broker.port, "fires");
    for n in 1..=FIRES {
        let fire = json!({"boot": 1, "seq": 1, "condition": "smoke", "active": true}).to_string();
        client.publish(&format!("standpipe/v1/t-1/S-{n}/alarm"), fire);
    }
    let found = wait_for("every fire", Duration::from_secs(20), || fires(&gateway));
    wait_for("a load", Duration::from_secs(30), || {
        (acknowledged(&gateway).values().sum::<usize>() > 20_000).then_some(())
    });
    wait_for("history", Duration::from_secs(30), || {
        (in_history(&gateway, "H-1").len() > 100).then_some(())
    });

    let (config, kept) = (gateway.dir.join("standpipe.toml"), gateway.dir.join("kept"));
    let [config, out] = [&config, &kept].map(|path| path.display().to_string());
    let before = acknowledged(&gateway);
    assert_eq!(before.len(), HYDRANTS + FIRES);
    let told = gateway.command(&["backup", "--config", &config, "--out", &out, "--keep", "3"]);
    assert_eq!(told.0, Some(0), "{told:?}");
    assert!(told.1.contains("3 stations and 70 devices"), "{told:?}");
    let meanwhile = acknowledged(&gateway);
    assert!(meanwhile["H-1"] > before["H-1"], "the gateway stood still");
    let restore = ["restore", "--config", &config, "--from", &only(&kept)];
    let told = gateway.command(&restore);
    assert_eq!(told.0, Some(1), "a running gateway's store was replaced: {told:?}");
    assert!(told.2.contains("in use by another standpipe"), "{told:?}");

    gateway.kill();
    let sent = load.stop();
    // The disk is damaged, and the configuration is gone.
    std::fs::write(gateway.dir.join("store.db"), "no database").unwrap();
    std::fs::remove_file(gateway.dir.join("history.db")).unwrap();
    std::fs::remove_file(&config).unwrap();
    let told = gateway.command(&restore);
    assert_eq!(told.0, Some(0), "{told:?}");
    // Another broker, which knows nothing: what is there now was in the backup, and not queued.
    let elsewhere = Broker::start(&dir.path().join("elsewhere"));
    another_configuration_stays(
        &gateway,
        &restore,
        &Replaced { old: broker.url(), new: elsewhere.url() },
    );
    gateway.start_again();
    gateway.wait_ready();
    assert_eq!(wait_for("every fire again", Duration::from_secs(20), || fires(&gateway)), found);
    let after = acknowledged(&gateway);
    for (device, n) in &before {
        assert!(after[device] >= *n, "{device}: {n} before, {} after", after[device]);
        assert!(after[device] <= sent.len());
    }
    nothing_is_lost(&gateway, &sent, &before);
    let sum = |of: &BTreeMap<String, usize>| of.values().sum::<usize>();
    let each = sent.len();
    println!("{} before the backup, {} after, of {each} a hydrant", sum(&before), sum(&after));
}

/// A deployed broker, a gateway on it, the stations' terminals, and somebody to be paged.
struct KeepSite {
    broker: Deployed,
    gateway: Gateway,
    end: WebhookEnd,
    _dir: tempfile::TempDir,
}

impl KeepSite {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Deployed::start(dir.path());
        let end = WebhookEnd::start(|_| "204 No Content".to_owned());
        let admin =
            format!("[[webhook]]\nname = \"admin\"\nrole = \"admin\"\nurl = \"{}\"\n", end.url);
        let gateway = Gateway::start_with(dir.path(), &broker.mqtt(), (STATIONS, DEVICES), &admin);
        gateway.wait_ready();
        let site = Self { broker, gateway, end, _dir: dir };
        for station in ["d", "t1", "t2", "c1"] {
            site.terminal(station, true);
        }
        site
    }

    fn terminal(&self, station: &str, online: bool) {
        let terminal = self.broker.enter(&format!("stations/{station}")).unwrap();
        let topic = format!("standpipe/v1/stations/{station}/presence");
        terminal.publish(&topic, Retain::Yes, &json!({"online": online}).to_string()).unwrap();
    }

    /// The self-test.
    fn command(&self) -> Command {
        let token = self.gateway.dir.join("token");
        std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
        let mut command = Command::new(program());
        command
            .current_dir(&self.gateway.dir)
            .args(["selftest", "--config", "standpipe.toml", "--metrics", "selftest.prom"])
            .arg("--credentials")
            .arg(self.broker.key("selftest"))
            .env("STANDPIPE_ADMIN_TOKEN_FILE", token)
            .env("STANDPIPE_URL", self.gateway.at(""));
        command
    }

    /// Runs it; its exit code, what it said and complained of, and the metrics it left.
    fn test(&self) -> (Option<i32>, String, String, String) {
        let out = self.command().output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let metrics = std::fs::read_to_string(self.gateway.dir.join("selftest.prom")).unwrap();
        (out.status.code(), text(&out.stdout), text(&out.stderr), metrics)
    }

    fn closed(&self) -> Vec<Value> {
        self.gateway.list("incidents?state=closed")
    }
}

#[test]
fn the_self_test_measures_the_chain_and_is_no_incident_to_anybody() {
    let site = KeepSite::start();
    let told = site.test();
    assert_eq!(told.0, Some(0), "{told:?}");
    for station in ["d", "t1", "t2", "c1"] {
        assert!(told.1.lines().any(|line| line.starts_with(&format!("{station}: "))), "{told:?}");
        let name = format!("standpipe_selftest_seconds{{station=\"{station}\"}} ");
        let seconds = told.3.lines().find_map(|seconds| seconds.strip_prefix(&*name));
        let seconds: f64 = seconds.unwrap_or_else(|| panic!("{told:?}")).parse().unwrap();
        assert!(seconds > 0.0 && seconds < 10.0, "{seconds} s");
    }
    println!("{}", told.1);
    // It is over as soon as it came, said in both languages that it was a test, and was no page.
    let tests = wait_for("the tests to end", Duration::from_secs(10), || {
        Some(site.closed()).filter(|closed| closed.len() == 4)
    });
    for incident in &tests {
        assert!(incident["title"]["en"].as_str().unwrap().starts_with("Test: "), "{incident}");
        assert!(incident["title"]["zh"].as_str().unwrap().starts_with("测试："), "{incident}");
        assert_eq!(
            (&incident["outcome"], &incident["exercise"]),
            (&json!("test"), &json!(true)),
            "{incident}"
        );
        assert_eq!(incident["page_id"], Value::Null);
    }
    assert!(site.end.next(Duration::from_millis(200)).is_none(), "a page without need");
    // No statistics know of it.
    let month = tests[0]["opened_at"].as_i64().unwrap();
    let month = jiff::Timestamp::from_millisecond(month).unwrap().in_tz("Asia/Shanghai").unwrap();
    let month = month.strftime("%Y-%m").to_string();
    let report = site.gateway.get(&format!("reports/monthly?month={month}"));
    assert_eq!((&report["this"]["incidents"], &report["this"]["devices"]), (&json!(0), &json!(4)));
    // Again, and again nothing is left of it.
    let told = site.test();
    assert_eq!(told.0, Some(0), "{told:?}");
    wait_for("all to be over", Duration::from_secs(10), || {
        (site.closed().len() == 8).then_some(())
    });
    assert_eq!(site.gateway.list("incidents").len(), 8);
}

#[test]
fn the_self_test_pages_when_a_terminal_is_gone_and_when_the_gateway_is() {
    let mut site = KeepSite::start();
    site.terminal("t2", false);
    let told = site.test();
    assert_eq!(told.0, Some(1), "{told:?}");
    assert!(told.3.contains("standpipe_selftest_passed{station=\"t2\"} 0"), "{told:?}");
    let posted = site.end.hear();
    let page: Value = serde_json::from_slice(&posted.body).unwrap();
    assert_eq!((&page["station"], &page["severity"]), (&json!("t2"), &json!("critical")));
    assert!(page["title"]["en"].as_str().unwrap().contains("terminal of t2"), "{page}");
    assert!(page["title"]["zh"].as_str().unwrap().contains("t2 终端"), "{page}");
    assert_eq!(page["page_id"], posted.headers["idempotency-key"].as_str());
    assert!(site.end.next(Duration::from_millis(200)).is_none(), "the others are there");

    site.gateway.kill();
    let told = site.test();
    assert_eq!(told.0, Some(1), "{told:?}");
    assert!(told.2.contains("no gateway answers"), "{told:?}");
    assert!(told.3.contains("standpipe_selftest_passed{station=\"gateway\"} 0"), "{told:?}");
    let page: Value = serde_json::from_slice(&site.end.hear().body).unwrap();
    assert_eq!(page["station"], "gateway");
}

#[test]
fn a_self_test_that_is_killed_leaves_no_alarm_behind() {
    let site = KeepSite::start();
    // Its alarm is shown elsewhere: the test of t1 waits for it in vain.
    let astray = json!({"kind": "smoke", "station": "t2", "name": "astray", "address": "",
        "profile": "smoke_site", "lat": 29.4, "lon": 106.5});
    let (status, told) = site.gateway.put("devices/selftest-t1", &astray);
    assert_eq!(status, 201, "{told}");
    let gateway = Login::files(&site.broker.key("gateway/gateway"));
    let spy = Secure::connect(site.broker.ports[2], &site.broker.authority(), &gateway).unwrap();
    spy.subscribe("standpipe/v1/selftest/selftest-t1/alarm").unwrap();
    let says = |active: bool| {
        let heard = spy.next(Duration::from_secs(20)).expect("an alarm").text();
        assert!(heard.contains(&format!("\"active\":{active},\"test\":true")), "{heard}");
    };
    let mut test = site.command().spawn().unwrap();
    says(false);
    says(true);
    let open = |incident: &Value| {
        incident["device"]["id"] == "selftest-t1" && incident["state"] != "closed"
    };
    site.gateway.incident("the test", Duration::from_secs(10), open);
    test.kill().unwrap();
    test.wait().unwrap();
    says(false);
    wait_for("the test to end", Duration::from_secs(10), || {
        (!site.gateway.list("incidents").iter().any(open)).then_some(())
    });
}

#[test]
fn the_service_manager_is_told_that_the_gateway_is_ready_lives_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let files = (town::stations(1), town::devices(1, 1, 60));
    let mut gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
    gateway.kill();
    let place = dir.path().join("notify");
    let manager = UnixDatagram::bind(&place).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let hear = || {
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).expect("a word to the service manager");
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    let mut command = Command::new(program());
    command
        .current_dir(&gateway.dir)
        .args(["run", "--config", "standpipe.toml"])
        .env("NOTIFY_SOCKET", &place)
        .env("WATCHDOG_USEC", "400000");
    let mut process = Process::start(&mut command, &dir.path().join("log"));
    assert_eq!(hear(), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    process.signal("TERM");
    let last = std::iter::repeat_with(hear).find(|word| word != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
    assert_eq!(wait_for("the end", Duration::from_secs(10), || process.ended()), 0);
}

#[test]
fn every_service_is_well_formed_and_locked_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut services = 0;
    let units =
        std::fs::read_dir(deploy().join("systemd")).unwrap().map(|entry| entry.unwrap().path());
    let units: Vec<_> = units
        .filter(|unit| {
            unit.extension().is_some_and(|ending| ending == "service" || ending == "timer")
        })
        .collect();
    for unit in &units {
        // The program is where a package would put it; verify wants to find it.
        let here = std::fs::read_to_string(unit)
            .unwrap()
            .replace("/usr/bin/standpipe", &program().display().to_string());
        std::fs::write(dir.path().join(unit.file_name().unwrap()), here).unwrap();
    }
    for unit in &units {
        let (name, path) = (unit.display(), dir.path().join(unit.file_name().unwrap()));
        let verify = analyze(&["verify"], &path);
        assert!(verify.0 && verify.1.is_empty(), "{name}: {}", verify.1);
        if unit.extension().is_some_and(|ending| ending == "service") {
            // In tenths: 2.0 is "OK", of a scale to 10.
            let security = analyze(&["security", "--offline=true", "--threshold=19"], &path);
            assert!(security.0, "{name}: {}", security.1.lines().last().unwrap_or_default());
            services += 1;
        }
    }
    assert_eq!((services, units.len()), (3, 5));
}

/// Whether `systemd-analyze` is content with a unit, and what it says.
fn analyze(line: &[&str], unit: &Path) -> (bool, String) {
    let out = Command::new(server("systemd_analyze"))
        .args(line)
        .arg(unit)
        .output()
        .expect("systemd-analyze");
    let text = [out.stdout, out.stderr].concat();
    (out.status.success(), String::from_utf8_lossy(&text).into_owned())
}
