//! A night shift in a real browser, on the real gateway, over a real broker.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::browser::{Browser, Light, Window};
use standpipe_tests::gateway::Gateway;
use standpipe_tests::process::server;
use standpipe_tests::station::Station;
use standpipe_tests::{instant, now, town};

const SOON: Duration = Duration::from_secs(5);
/// From the broker to somebody's eyes.
const VISIBLE: Duration = Duration::from_secs(1);
/// A lost connection is said within this.
const LOUD: Duration = Duration::from_secs(10);

struct Night {
    browser: Browser,
    gateway: Gateway,
    devices: Station,
    _broker: Broker,
    _dir: tempfile::TempDir,
}

impl Night {
    /// An officer of township t-1 on duty.
    fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(dir.path());
        let files = (town::stations(3), town::devices(10, 6, 900));
        let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
        let devices = Station::connect(broker.port, "+");
        let browser = Browser::start(dir.path());
        let it = Self { browser, gateway, devices, _broker: broker, _dir: dir };
        it.sign_in("admin", &it.gateway.password());
        it.browser.go(&it.gateway.at("/language?to=en&back=/accounts"));
        it.browser.fill("#new-name", "li");
        it.browser.fill("#new-password", "correct horse");
        let choose = "const f = document.querySelector('#new-name').form; \
                      f.role.value = 'officer'; f.station.value = 't-1';";
        let _ = it.browser.eval(choose);
        it.browser.click("button[value=add]");
        it.browser.wait_text("tbody", "li", SOON);
        it.browser.click("header form button");
        it.sign_in("li", "correct horse");
        it
    }

    fn sign_in(&self, name: &str, password: &str) {
        self.browser.go(&self.gateway.at("/login"));
        self.browser.fill("#name", name);
        self.browser.fill("#password", password);
        self.browser.click("form.stack button");
        self.browser.wait("#board", SOON);
    }

    fn says(&self, device: &str, channel: &str, mut body: Value) {
        body["ts"] = json!(now());
        self.devices.publish(&format!("standpipe/v1/t-1/{device}/{channel}"), false, &body);
    }

    fn online(&self, station: &str) -> bool {
        self.gateway.get(&format!("stations/{station}"))["online"] == true
    }

    /// What the fire's page says of one hydrant.
    fn hydrant(&self, name: &str) -> String {
        let rows = self
            .browser
            .eval("return [...document.querySelectorAll('li.hydrant')].map((it) => it.innerText)");
        let rows: Vec<String> = serde_json::from_value(rows).unwrap();
        let found = rows.into_iter().find(|it| it.contains(name));
        found.unwrap_or_else(|| panic!("{name} is not on the page")).replace('\n', " ")
    }
}

#[test]
fn a_night_shift() {
    let night = Night::begin();
    let browser = &night.browser;
    for n in 1..=10 {
        night.says(&format!("H-{n}"), "telemetry", json!({"pressure_kpa": 300 + n}));
    }

    // The page is the station's presence, and says that it can't be heard yet: nobody touched it
    // since it was opened.
    browser.go(&night.gateway.at("/"));
    standpipe_tests::wait_for("the station's presence", SOON, || night.online("t-1").then_some(()));
    assert!(!night.online("t-2"));
    browser.wait("#silent", SOON);
    browser.click("#unlock");
    browser.wait_gone("#silent", SOON);

    // A fire fills the screen and sounds.
    let published = instant();
    night.says("S-3", "alarm", json!({"condition": "smoke", "active": true}));
    let filled = browser.wait_text(".takeover", "Smoke", SOON);
    let took = published.elapsed();
    println!("published to visible: {} ms", took.as_millis());
    assert!(took < VISIBLE, "{took:?}");
    for words in ["FIRE", "House 3", "Road 3", "Hydrant 3"] {
        assert!(filled.contains(words), "{words} in {filled}");
    }
    standpipe_tests::wait_for("the sound", SOON, || {
        (browser.eval("return document.body.dataset.ringing") == "fire").then_some(())
    });
    let fire = night.gateway.incident("the fire", SOON, |it| it["class"] == "fire");
    let id = fire["id"].as_str().unwrap().to_owned();

    // One key takes it; the sound ends; who did it is written down.
    browser.press("a");
    browser.wait_gone(".takeover", SOON);
    browser.wait_text("#board", "Acknowledged", SOON);
    standpipe_tests::wait_for("silence", SOON, || {
        (browser.eval("return document.body.dataset.ringing") == "").then_some(())
    });
    browser.click(".incident a.title");
    browser.wait_text("ol.trail", "shown on a screen", SOON);
    browser.click("button.act.dispatch");
    let trail = browser.wait_text("ol.trail", "dispatched", SOON);
    assert!(trail.contains("acknowledged") && trail.contains("li"), "{trail}");

    // Its nearest hydrant runs dry, and the page says so by itself.
    assert!(night.hydrant("Hydrant 3").contains("has water"), "{}", night.hydrant("Hydrant 3"));
    let dry = json!({"condition": "no_water", "active": true, "pressure_kpa": 1.0});
    night.says("H-3", "alarm", dry);
    standpipe_tests::wait_for("the dry hydrant", SOON, || {
        night.hydrant("Hydrant 3").contains("NO WATER").then_some(())
    });

    // The connection is cut: it is loud, and nothing is missed when it is back.
    browser.go(&night.gateway.at("/"));
    browser.wait_text("#board", "Smoke", SOON);
    std::thread::sleep(Duration::from_secs(1));
    night.gateway.signal("STOP");
    let cut = instant();
    let said = browser.wait_text("#lost", "NOT being alerted", LOUD + Duration::from_secs(2));
    assert!(cut.elapsed() < LOUD, "{:?}: {said}", cut.elapsed());
    night.says("S-6", "alarm", json!({"condition": "smoke", "active": true}));
    night.gateway.signal("CONT");
    browser.wait_gone("#lost", LOUD);
    browser.wait_text(".takeover", "House 6", LOUD);
    browser.press("a");
    browser.wait_gone(".takeover", SOON);

    // It is over.
    for device in ["S-3", "S-6"] {
        night.says(device, "alarm", json!({"condition": "smoke", "active": false}));
    }
    browser.go(&night.gateway.at(&format!("/incidents/{id}")));
    browser.fill("#note", "kitchen, put out");
    browser.click("#note-form button");
    browser.wait_text("ol.trail", "kitchen, put out", SOON);
    browser.click("button.act.resolve");
    browser.wait_text(".head", "Closed", SOON);
    assert!(browser.wait(".head", SOON).contains("fire"), "its outcome");
}

#[test]
fn of_two_officers_one_wins_and_both_see_who() {
    let night = Night::begin();
    night.says("S-1", "alarm", json!({"condition": "smoke", "active": true}));
    night.browser.wait_text(".takeover", "Smoke", SOON);
    let fire = night.gateway.incident("the fire", SOON, |it| it["class"] == "fire");
    let id = fire["id"].as_str().unwrap().to_owned();
    night.browser.go(&night.gateway.at(&format!("/incidents/{id}")));
    night.browser.wait("button.act.acknowledge", SOON);
    // The other one is faster by less than the page needs to change.
    let script = format!(
        "const form = document.querySelector('main button.act.acknowledge').form; \
         const done = arguments[0]; \
         fetch('/api/v1/incidents/{id}/actions', {{method: 'POST', body: \
         JSON.stringify({{action: 'acknowledge'}}), headers: {{...standpipe.headers, \
         'content-type': 'application/json'}}}}).then(() => {{ document.body.append(form); \
         form.requestSubmit(form.querySelector('button')); done(1); }});"
    );
    assert_eq!(night.browser.eval_async(&script), 1);
    let told = night.browser.wait_text("dialog", "Somebody was faster", SOON);
    assert!(told.contains("acknowledged by li"), "{told}");
}

#[test]
fn a_crew_checks_a_hydrant_on_a_phone() {
    let night = Night::begin();
    let browser = &night.browser;
    browser.window(Window::Phone);
    night.says("H-2", "telemetry", json!({"pressure_kpa": 317.0}));
    browser.go(&night.gateway.at("/devices?q=hydrant+2&sort=pressure"));
    browser.wait_text("#devices", "317 kPa", LOUD);
    browser.click("#devices tbody a");
    browser.wait_text("#gauge", "317 kPa", SOON);
    browser.wait("#chart-says", SOON);
    let wide = browser.eval("return document.documentElement.scrollWidth");
    assert_eq!(wide, 360, "nothing is wider than the phone");

    // Beside it, the gauge follows within seconds.
    browser.click("#live");
    night.says("H-2", "telemetry", json!({"pressure_kpa": 288.0}));
    browser.wait_text("#gauge", "288 kPa", SOON);

    for (field, value) in [("#static", "420"), ("#residual", "300"), ("#flow", "22")] {
        browser.fill(field, value);
    }
    browser.click("form[action$=flow-test] button");
    // 22 × ((420 − 100) / (420 − 300))^0.54, and 22 × ((420 − 137.9) / 120)^0.54
    let result = browser.wait_text("#flow-result", "37.4 L/s", SOON);
    assert!(result.contains("enough") && result.contains("34.9 L/s · B"), "{result}");

    browser.go(&night.gateway.at("/labels?q=H-2"));
    let squares = browser.eval("return document.querySelectorAll('.label svg').length");
    assert_eq!(squares, 1);
}

#[test]
fn a_chart_of_five_years_or_an_hour_is_there_at_once() {
    let night = Night::begin();
    let start = now() - 6 * 3_600_000;
    let day: Vec<Value> =
        (0..720).map(|n| json!({"ts": start + n * 30_000, "pressure_kpa": 300 + n % 40})).collect();
    night.devices.publish("standpipe/v1/t-1/H-4/telemetry", false, &json!(day));
    standpipe_tests::wait_for("the history", SOON, || {
        let history = night.gateway.get("devices/H-4/history?step=5m");
        history["points"].as_array().is_some_and(|it| it.len() > 70).then_some(())
    });
    night.browser.go(&night.gateway.at("/devices/H-4"));
    let says = night.browser.wait_text("#chart-says", "300 – 339 kPa", SOON);
    println!("{says}");
    for span in ["3600000", "157680000000", "86400000"] {
        let script = format!(
            "const done = arguments[0], says = document.getElementById('chart-says'); \
             const start = performance.now(), before = performance.getEntriesByType('resource').length; \
             document.querySelector('[data-span=\"{span}\"]').click(); \
             const wait = () => performance.getEntriesByType('resource').slice(before) \
                 .some((it) => it.name.includes('/history?') && it.responseEnd) \
                 ? requestAnimationFrame(() => done(performance.now() - start)) : setTimeout(wait, 2); wait();"
        );
        let took = night.browser.eval_async(&script);
        println!("{span} ms of history: {took} ms");
        assert!(took.as_f64().is_some_and(|it| it < 300.0), "{span}: {took} ms");
    }
}

#[test]
fn a_map_of_five_thousand_points_stays_smooth() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let files = (town::stations(20), town::devices(5_000, 0, 900));
    let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
    let browser = Browser::start(dir.path());
    browser.go(&gateway.at("/login?next=/map"));
    browser.fill("#name", "admin");
    browser.fill("#password", &gateway.password());
    browser.click("form.stack button");
    standpipe_tests::wait_for("the points", SOON, || {
        let count = browser.eval("return window.standpipeMap ? standpipeMap.count() : 0");
        (count.as_i64() >= Some(5_021)).then_some(())
    });
    let took = browser.eval(
        "const start = performance.now(); for (let n = 0; n < 20; n++) standpipeMap.draw(); \
         return (performance.now() - start) / 20;",
    );
    println!("a picture of 5,021 points: {took} ms");
    assert!(took.as_f64().is_some_and(|it| it < 33.0), "{took} ms: 30 pictures a second");
    let drawn = browser.eval("return standpipeMap.shown()").as_i64().unwrap();
    assert!((20..2_000).contains(&drawn), "near ones stand together: {drawn}");
}

#[test]
fn a_screen_reader_can_read_every_page() {
    let axe = std::fs::read_to_string(server("axe")).expect("axe-core");
    let night = Night::begin();
    let browser = &night.browser;
    for n in 1..=3 {
        night.says(&format!("H-{n}"), "telemetry", json!({"pressure_kpa": 300}));
    }
    night.says("H-2", "alarm", json!({"condition": "no_water", "active": true}));
    night.says("S-1", "alarm", json!({"condition": "smoke", "active": true}));
    let fire = night.gateway.incident("the fire", SOON, |it| it["class"] == "fire");
    let fire = format!("/incidents/{}", fire["id"].as_str().unwrap());
    browser.wait(".takeover", SOON);
    let mut faults = Vec::new();
    let look = |path: &str, faults: &mut Vec<String>| {
        browser.go(&night.gateway.at(path));
        std::thread::sleep(Duration::from_millis(500));
        for light in [Light::Day, Light::Night] {
            browser.light(light);
            let _ = browser.eval(&format!("{axe}; return 0;"));
            let found = browser.eval_async(
                "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(\
                 (it) => done(it.violations.filter((v) => ['serious', 'critical'].includes(v.impact))\
                 .map((v) => v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.html).join(' | '))), \
                 (bad) => done(['axe failed: ' + bad]));",
            );
            let found: Vec<String> = serde_json::from_value(found).unwrap();
            faults.extend(found.into_iter().map(|it| format!("{path} {light:?}: {it}")));
        }
    };
    look("/", &mut faults); // the fire fills it
    browser.press("a");
    browser.wait_gone(".takeover", SOON);
    for path in ["/", &fire, "/devices", "/devices/H-2", "/map", "/labels", "/reports", "/password"]
    {
        look(path, &mut faults);
    }
    browser.click("header form button");
    look("/login", &mut faults);
    night.sign_in("admin", &night.gateway.password());
    for path in ["/accounts", "/audit"] {
        look(path, &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_month_is_on_two_pages_and_the_command_line_says_the_same() {
    let night = Night::begin();
    night.says("S-1", "alarm", json!({"condition": "smoke", "active": true}));
    night.gateway.incident("the fire", SOON, |it| it["class"] == "fire");
    night.browser.go(&night.gateway.at("/reports"));
    let page = night.browser.wait_text("main", "Incidents by day", SOON);
    assert!(page.contains("District") || page.contains("All stations"), "{page}");
    let json = night.gateway.get("reports/monthly?station=t-1");
    assert_eq!(json["this"]["by_class"]["fire"], 1);
    let month = json["month"].as_str().unwrap();
    for (format, words) in
        [("csv", "class_fire,count,1,0"), ("json", "\"fire\": 1"), ("html", "<svg class=\"bars\"")]
    {
        let mut command = std::process::Command::new(standpipe_tests::gateway::program());
        command.current_dir(&night.gateway.dir).args(["report", "--month", month]);
        let done = command.args(["--station", "t-1", "--format", format]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains(words), "{format}: {said}");
    }
}
