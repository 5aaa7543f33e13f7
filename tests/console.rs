//! A night shift in a real browser, on the real gateway, over a real broker.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::browser::Browser;
use standpipe_tests::gateway::Gateway;
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
