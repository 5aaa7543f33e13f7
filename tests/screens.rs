//! How the pages look and how fast they are, in a real browser on the real gateway: readable by a
//! screen reader in both languages, two sheets of paper a month, history of five years, a map of
//! 5,000 points, 10,000 open incidents, a page that is open for three days.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Value, json};
use standpipe_shared::Field;
use standpipe_tests::broker::Broker;
use standpipe_tests::browser::{Browser, Light, Window};
use standpipe_tests::gateway::Gateway;
use standpipe_tests::night::Night;
use standpipe_tests::process::server;
use standpipe_tests::{instant, now, town, wait_for};

const SOON: Duration = Duration::from_secs(5);
/// For thousands of things.
const LATER: Duration = Duration::from_secs(120);
const HOUR_MS: i64 = 3_600_000;

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Milliseconds from a click on a span of time to its picture, from a chart of five years: the
/// middle of five times.
fn zooms(browser: &Browser, span: &str) -> f64 {
    const YEARS: &str = "157680000000";
    let script = |span: &str| {
        format!(
            "const done = arguments[0]; \
             const start = performance.now(), before = performance.getEntriesByType('resource').length; \
             document.querySelector('[data-span=\"{span}\"]').click(); \
             const wait = () => performance.getEntriesByType('resource').slice(before) \
                 .some((load) => load.name.includes('/history?') && load.responseEnd) \
                 ? requestAnimationFrame(() => done(performance.now() - start)) : setTimeout(wait, 2); wait();"
        )
    };
    let clicks = |span: &str| browser.eval_async(&script(span)).as_f64().expect("a time");
    let took = |_| {
        clicks(YEARS);
        clicks(span)
    };
    median((0..5).map(took).collect())
}

/// Puts as many hours into the history as the gateway keeps; says how many.
fn five_years(night: &Night) -> i64 {
    const HOURS: i64 = (5 * 365 - 1) * 24;
    let mut history = Connection::open(night.gateway.dir.join("history.db")).expect("a history");
    history.busy_timeout(SOON).expect("patience");
    let change = history.transaction_with_behavior(TransactionBehavior::Immediate);
    let change = change.expect("a transaction");
    let id = "SELECT n FROM device WHERE id = 'H-4'";
    let device: i64 = change.query_row(id, (), |row| row.get(0)).expect("the hydrant");
    let field =
        Field::ALL.iter().position(|candidate| *candidate == Field::PressureKpa).expect("a field");
    let end = now() - now() % HOUR_MS - 24 * HOUR_MS;
    for n in 0..HOURS {
        let mean = 315.0 + f64::from(i32::try_from(n % 20).expect("small"));
        let row = (device, field, end - n * HOUR_MS, mean - 15.0, mean, mean + 5.0, 4);
        let sql = "INSERT OR REPLACE INTO hourly VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        change.prepare_cached(sql).expect("a statement").execute(row).expect("an hour");
    }
    change.commit().expect("five years");
    HOURS
}

#[test]
fn a_chart_of_five_years_or_an_hour_is_there_at_once() {
    let night = Night::begin();
    let reading = |ago: i64| json!({"ts": now() - ago, "pressure_kpa": 300 + ago / 30_000 % 40});
    // Ninety days by the hour, and the last one by the half minute: what is kept as it was said.
    let mut raw: Vec<Value> = (1..89 * 24).rev().map(|n| reading(n * HOUR_MS)).collect();
    raw.extend((0..120).rev().map(|n| reading(n * 30_000)));
    for some in raw.chunks(500) {
        night.devices.publish("standpipe/v1/t-1/H-4/telemetry", false, &json!(some));
    }
    wait_for("ninety days", LATER, || {
        let from = now() - 89 * 24 * HOUR_MS;
        let history = night.gateway.get(&format!("devices/H-4/history?from={from}&step=0"));
        (history["points"].as_array().map_or(0, Vec::len) == raw.len()).then_some(())
    });
    let years = five_years(&night);
    let from = now() - years * HOUR_MS;
    let history = night.gateway.get(&format!("devices/H-4/history?from={from}&step=1d"));
    let days = history["points"].as_array().map_or(0, Vec::len);
    assert!(days > 1_800, "{days} days, {} … {}", history["points"][0], history["step_ms"]);
    let browser = &night.browser;
    browser.go(&night.gateway.at("/devices/H-4"));
    browser.wait_text("#chart-says", "300 – 339 kPa", SOON);
    for span in ["157680000000", "31536000000", "2592000000", "604800000", "86400000", "3600000"] {
        let took = zooms(browser, span);
        // 300 ms is wanted; what a busy machine may take is told apart from what is broken.
        println!("from five years to {span} ms, median of five: {took:.0} ms (wanted: 300)");
        assert!(took < 1_000.0, "{span}: {took} ms");
    }
    browser.go(&night.gateway.at("/devices/H-5"));
    browser.wait_text("#chart-says", "No reading in this time.", SOON);
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
    wait_for("the points", SOON, || {
        let count = browser.eval("return window.standpipeMap ? standpipeMap.count() : 0");
        (count.as_i64() >= Some(5_021)).then_some(())
    });
    let took = browser.eval(
        "const start = performance.now(); for (let n = 0; n < 20; n++) standpipeMap.draw(); \
         return (performance.now() - start) / 20;",
    );
    println!("a picture of 5,021 points: {took} ms");
    assert!(took.as_f64().is_some_and(|ms| ms < 33.0), "{took} ms: 30 pictures a second");
    let drawn = browser.eval("return standpipeMap.shown()").as_i64().unwrap();
    assert!((20..2_000).contains(&drawn), "near ones stand together: {drawn}");
}

/// Every page an officer or an admin can come to.
fn pages(fire: &str) -> Vec<&str> {
    let device = ["/devices", "/devices/H-2", "/devices/S-1"];
    let rest = ["/labels", "/maintenance", "/reports", "/digest", "/password", "/accounts"];
    let rest = [&rest[..], &["/audit", "/login", "/fleet", "/quarantine"]].concat();
    let told = "/routing?device=S-1&condition=smoke";
    [&["/", "/wall", fire], &device[..], &["/map", told], &rest[..]].concat()
}

/// What axe-core finds that is serious, and what is wider than the window.
fn faults(browser: &Browser, axe: &str, what: &str) -> Vec<String> {
    let _ = browser.eval(&format!("{axe}; return 0;"));
    let found = browser.eval_async(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(\
         (result) => done(result.violations.filter((v) => ['serious', 'critical'].includes(v.impact))\
         .map((v) => v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.html).join(' | '))), \
         (bad) => done(['axe failed: ' + bad]));",
    );
    let mut found: Vec<String> = serde_json::from_value(found).expect("texts");
    let wider = browser.eval(
        "return document.documentElement.scrollWidth <= innerWidth ? [] : \
         [...document.querySelectorAll('body *')].filter((box) => \
         box.getBoundingClientRect().right > innerWidth + 1 && !box.closest('.scroll, nav'))\
         .slice(0, 3).map((box) => 'wider than the window: ' + box.outerHTML.slice(0, 120))",
    );
    let wider: Vec<String> = serde_json::from_value(wider).expect("texts");
    found.extend(wider);
    found.into_iter().map(|fault| format!("{what}: {fault}")).collect()
}

/// The same of a page in both languages, by day and by night, on a phone and on a wall.
fn look(night: &Night, axe: &str, page: &str) -> Vec<String> {
    let browser = &night.browser;
    let mut all = Vec::new();
    for language in ["zh", "en"] {
        browser.go(&night.gateway.at(&format!("/language?to={language}&back=/password")));
        browser.go(&night.gateway.at(page));
        std::thread::sleep(Duration::from_millis(300));
        for window in [Window::Phone, Window::Wall] {
            for light in [Light::Day, Light::Night] {
                browser.window(window);
                browser.light(light);
                let what = format!("{page} {language} {light:?} {window:?}");
                all.extend(faults(browser, axe, &what));
            }
        }
    }
    all
}

#[test]
fn a_screen_reader_can_read_every_page_in_both_languages() {
    let axe = std::fs::read_to_string(server("axe")).expect("axe-core");
    let night = Night::begin();
    for n in 1..=3 {
        night.says(&format!("H-{n}"), "telemetry", json!({"pressure_kpa": 300}));
    }
    night.says("H-2", "alarm", json!({"condition": "no_water", "active": true}));
    let until = now() + HOUR_MS;
    let work = json!({"what": "maintenance", "device": "H-3", "until": until,
        "conditions": ["no_water"], "note": "新阀门"});
    assert_eq!(night.gateway.post("maintenance", &work).0, 201);
    assert_eq!(night.gateway.post("exercises", &json!({"device": "S-5"})).0, 201);
    let birth = json!({"online": true, "boot": 3, "firmware": "1.4.0", "model": "SP-H1",
        "reset": "watchdog", "lost": 12, "storage": "corrupt"});
    night.says("H-2", "status", birth);
    night.says("H-1", "telemetry", json!({"pressure_kpa": "hóch", "note": "x".repeat(400)}));
    night.smoke("S-1", true);
    let fire = night.gateway.incident("the fire", SOON, |incident| incident["severity"] == "fire");
    let fire = format!("/incidents/{}", fire["id"].as_str().expect("an id"));
    night.browser.wait("#screen", SOON);
    night.key("\u{e00c}"); // to the side: nobody is locked in
    night.sign_out();
    night.sign_in_as("admin", &night.gateway.password());
    let mut all = look(&night, &axe, "/"); // the fire fills it
    let act = format!("{}/actions", fire.trim_start_matches('/'));
    assert_eq!(night.gateway.post(&act, &json!({"action": "acknowledge", "by": "li"})).0, 200);
    all.extend(look(&night, &axe, "/")); // now the hydrant that is dry does
    let dry =
        night.gateway.incident("the hydrant", SOON, |incident| incident["severity"] == "critical");
    let act = format!("incidents/{}/actions", dry["id"].as_str().expect("an id"));
    assert_eq!(night.gateway.post(&act, &json!({"action": "acknowledge", "by": "li"})).0, 200);
    for page in pages(&fire) {
        all.extend(look(&night, &axe, page));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_month_is_on_two_pages_and_the_command_line_says_the_same() {
    let night = Night::begin();
    night.smoke("S-1", true);
    let _ = night.fire();
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

/// Incidents of every kind there is, so that the month's second page is as long as it gets.
fn everything_happens(night: &Night) {
    night.smoke("S-1", true);
    night.says("S-2", "alarm", json!({"condition": "heat", "active": true}));
    night.says("S-3", "alarm", json!({"condition": "contamination", "active": true}));
    night.says("S-4", "status", json!({"online": false}));
    night.says("S-5", "alarm", json!({"condition": "tamper", "active": true}));
    let kinds = [
        "no_water",
        "low_pressure",
        "high_pressure",
        "hydrant_open",
        "knocked",
        "freezing",
        "sensor_fault",
        "battery_low",
    ];
    for (n, kind) in (1..).zip(kinds) {
        night.says(&format!("H-{n}"), "alarm", json!({"condition": kind, "active": true}));
    }
    wait_for("all of it", SOON, || {
        let report = night.gateway.get("reports/monthly");
        let kinds = report["this"]["by_condition"].as_object().map_or(0, serde_json::Map::len);
        (kinds >= 12).then_some(())
    });
}

#[test]
fn a_month_is_printed_on_two_sheets() {
    let night = Night::begin();
    everything_happens(&night);
    for language in ["en", "zh"] {
        let path = format!("/language?to={language}&back=/reports");
        night.browser.go(&night.gateway.at(&path));
        night.browser.wait(".report", SOON);
        let (pdf, sheets) = night.browser.printed();
        if let Some(folder) = std::env::var_os("PICTURES") {
            let file = std::path::Path::new(&folder).join(format!("report-{language}.pdf"));
            std::fs::write(file, &pdf).expect("a file");
        }
        assert_eq!(sheets, 2, "{language}: {} bytes", pdf.len());
    }
}

/// Milliseconds until the gateway has answered, the middle of nine times.
fn answers(night: &Night, path: &str) -> f64 {
    let script = format!(
        "const done = arguments[0], start = performance.now(); \
         fetch('{path}', {{headers: standpipe.headers}}).then((answer) => answer.text()).then(() => \
         done(performance.now() - start));"
    );
    let took = |_| night.browser.eval_async(&script).as_f64().expect("a time");
    median((0..9).map(took).collect())
}

#[test]
fn ten_thousand_open_incidents_leave_board_and_api_usable() {
    const MANY: usize = 10_000;
    let night = Night::of(10, MANY + 1);
    let browser = &night.browser;
    for n in 2..=MANY + 1 {
        let tamper = json!({"condition": "tamper", "active": true});
        night.says(&format!("S-{n}"), "alarm", tamper);
    }
    let open = "incidents?state=open,acknowledged&per_page=100";
    wait_for("the incidents", LATER, || {
        std::thread::sleep(Duration::from_secs(1));
        (night.gateway.get(open)["total"] == MANY).then_some(())
    });
    browser.go(&night.gateway.at("/"));
    let text = browser.wait_text("#board", "more, of lesser severity, are not shown", SOON);
    assert!(text.starts_with("10000 "), "the whole number is told: {text:.80}");
    let rows = browser.eval("return document.querySelectorAll('ol.board > li').length");
    assert_eq!(rows, 200, "and the worst 200 are shown");
    let api = format!("/api/v1/{open}");
    for path in ["/board", "/takeover", "/map/points", "/devices/rows", &api] {
        let took = answers(&night, path);
        println!("{path} with {MANY} open: {took:.0} ms");
        assert!(took < 1_000.0, "{path}: {took} ms");
    }
    let published = instant();
    night.smoke("S-1", true);
    browser.wait_text(".takeover", "House 1", SOON);
    let took = published.elapsed();
    println!("a fire among them, published to visible: {} ms", took.as_millis());
    assert!(took < Duration::from_secs(2), "{took:?}");
    night.key("a");
    browser.wait_gone(".takeover", SOON);
    let first = browser.eval("return document.querySelector('ol.board > li').innerText");
    assert!(first.as_str().is_some_and(|text| text.contains("FIRE")), "worst first: {first}");
}

/// Has the page's live part fetched and put in place so often, one after the other.
fn renders(browser: &Browser, times: u32) {
    for some in std::iter::repeat_n(100, (times / 100) as usize) {
        let script = format!(
            "const done = arguments[0], part = document.querySelector('main [data-from]'); \
             (async () => {{ for (let n = 0; n < {some}; n++) await standpipe.refresh(part); }})()\
             .then(() => done(1));"
        );
        assert_eq!(browser.eval_async(&script), 1);
    }
}

/// How many events the page has heard, once no more come.
fn heard(browser: &Browser) -> i64 {
    let count = || browser.eval("return window.heard").as_i64().unwrap_or(0);
    wait_for("quiet", LATER, || {
        let then = count();
        std::thread::sleep(Duration::from_secs(1));
        (count() == then).then_some(then)
    })
}

/// Three days of a list of devices on a screen: it is put in place anew every 5 s, 51,840 times, and
/// a bad connection raises and clears an alarm every minute or two. A part of the first is done and
/// all of the second, and what that leaves behind is counted up to the whole.
#[test]
fn a_page_that_is_open_for_three_days_does_not_grow_and_is_still_live() {
    const ALARMS: u32 = 3_000;
    const RENDERS: u32 = 1_000;
    let night = Night::of(200, 6);
    let browser = &night.browser;
    let tell = |alarms: u32| {
        for n in 0..alarms {
            let tamper = json!({"condition": "tamper", "active": n / 6 % 2 == 0});
            night.says(&format!("S-{}", n % 6 + 1), "alarm", tamper);
            if n % 6 == 5 {
                // What comes together is told together.
                std::thread::sleep(Duration::from_millis(25));
            }
        }
        heard(browser)
    };
    browser.go(&night.gateway.at("/devices"));
    browser.wait("#devices", SOON);
    let _ = browser.eval(
        "window.heard = 0; \
         document.addEventListener('standpipe-device', () => { window.heard += 1; });",
    );
    let already = tell(240);
    renders(browser, 200);
    let before = browser.holds();
    let events = tell(ALARMS) - already;
    renders(browser, RENDERS);
    let after = browser.holds();
    println!(
        "{events} events, {RENDERS} renders: {before:?} → {after:?} [bytes, nodes, listeners]"
    );
    assert!(events >= 200, "{events} were heard of {ALARMS} alarms");
    let grown = (after[0] - before[0]) * 51_840.0 / f64::from(RENDERS) / f64::from(1 << 20);
    println!("in three days the scripts' heap would grow by {grown:.1} MiB");
    assert!(grown < 64.0, "{grown} MiB");
    assert!(after[1] < before[1] * 1.5 + 500.0, "nodes: {} → {}", before[1], after[1]);
    assert!(after[2] < before[2] + 10.0, "listeners: {} → {}", before[2], after[2]);

    let published = instant();
    night.smoke("S-3", true);
    browser.wait_text(".takeover", "House 3", SOON);
    assert!(published.elapsed() < Duration::from_secs(1), "{:?}", published.elapsed());
    assert_eq!(browser.sees("#lost"), None);
}
