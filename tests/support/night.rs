//! A night on duty: the real gateway, a real broker, and an officer's browser that is signed in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::browser::Browser;
use crate::gateway::Gateway;
use crate::station::Station;
use crate::{now, town};

const SOON: Duration = Duration::from_secs(10);
/// Of everybody but the admin.
const PASSWORD: &str = "correct horse";

/// Township t-1 at night: its hydrants H-1… and detectors S-1….
pub struct Night {
    /// Signed in as `li`, an officer of t-1.
    pub browser: Browser,
    pub gateway: Gateway,
    /// Speaks for every device.
    pub devices: Station,
    /// What is between them.
    pub broker: Broker,
    _dir: tempfile::TempDir,
}

impl Night {
    /// Ten hydrants and six detectors.
    #[must_use]
    pub fn begin() -> Self {
        Self::of(10, 6)
    }

    /// So many of them.
    ///
    /// # Panics
    /// When anything does not start.
    #[must_use]
    pub fn of(hydrants: usize, detectors: usize) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let broker = Broker::start(dir.path());
        let files = (town::stations(3), town::devices(hydrants, detectors, 900));
        let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
        let devices = Station::connect(broker.port, "+");
        let browser = Browser::start(dir.path());
        let night = Self { browser, gateway, devices, broker, _dir: dir };
        night.sign_in_as("admin", &night.gateway.password());
        night.browser.go(&night.gateway.at("/language?to=en&back=/accounts"));
        for (name, role) in
            [("li", "officer"), ("zhang", "crew"), ("gao", "viewer"), ("sun", "device_manager")]
        {
            night.browser.fill("#new-name", name);
            night.browser.fill("#new-password", PASSWORD);
            let choose = format!(
                "const f = document.querySelector('#new-name').form; \
                 f.role.value = '{role}'; f.station.value = 't-1';"
            );
            let _ = night.browser.eval(&choose);
            night.browser.click("button[value=add]");
            night.browser.wait_text("tbody", name, SOON);
        }
        night.sign_out();
        night.sign_in("li");
        night
    }

    /// Signs in as one of the township's people.
    pub fn sign_in(&self, name: &str) {
        self.sign_in_as(name, PASSWORD);
    }

    /// Signs in with a password of their own.
    pub fn sign_in_as(&self, name: &str, password: &str) {
        self.browser.go(&self.gateway.at("/login"));
        self.browser.fill("#name", name);
        self.browser.fill("#password", password);
        self.browser.click("form.stack button");
        self.browser.wait("#board", SOON);
    }

    /// Signs out, and waits for the page that asks who is there.
    pub fn sign_out(&self) {
        self.browser.click("header form button");
        self.browser.wait("#password", SOON);
    }

    /// A device says something.
    pub fn says(&self, device: &str, channel: &str, mut body: Value) {
        body["ts"] = json!(now());
        self.devices.publish(&format!("standpipe/v1/t-1/{device}/{channel}"), false, &body);
    }

    /// A detector says that it smells smoke, or does no more.
    pub fn smoke(&self, device: &str, active: bool) {
        self.says(device, "alarm", json!({"condition": "smoke", "active": active}));
    }

    /// Presses keys once the card under the hand has been there long enough for one to act.
    pub fn key(&self, keys: &str) {
        std::thread::sleep(Duration::from_millis(1_100));
        self.browser.press(keys);
    }

    /// Clicks once what is under the finger has been there long enough for it to act.
    pub fn click(&self, selector: &str) {
        self.browser.wait(selector, SOON);
        std::thread::sleep(Duration::from_millis(1_100));
        self.browser.click(selector);
    }

    /// The incidents about a device: where each stands.
    #[must_use]
    pub fn states(&self, device: &str) -> Vec<String> {
        let all = self.gateway.get("incidents?per_page=200");
        let all = all["items"].as_array().cloned().unwrap_or_default();
        let of = all.iter().filter(|incident| incident["device"]["id"] == device);
        of.map(|incident| incident["state"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The id of the fire that there is.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn fire(&self) -> String {
        let fire = self.gateway.incident("the fire", SOON, |incident| incident["class"] == "fire");
        fire["id"].as_str().expect("an id").to_owned()
    }

    /// Whether somebody is at a station.
    #[must_use]
    pub fn online(&self, station: &str) -> bool {
        self.gateway.get(&format!("stations/{station}"))["online"] == true
    }

    /// What the fire's page says of one hydrant.
    ///
    /// # Panics
    /// When it is not on the page.
    #[must_use]
    pub fn hydrant(&self, name: &str) -> String {
        let rows = self
            .browser
            .eval("return [...document.querySelectorAll('li.hydrant')].map((it) => it.innerText)");
        let rows: Vec<String> = serde_json::from_value(rows).expect("texts");
        let found = rows.into_iter().find(|row| row.contains(name));
        found.unwrap_or_else(|| panic!("{name} is not on the page")).replace('\n', " ")
    }
}
