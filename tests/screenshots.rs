//! Makes a picture of every page of the console, in both languages, light and dark, phone and
//! wall, of a town where much happens at once:
//!
//! ```sh
//! cargo build -p standpipe && cargo run -p standpipe-tests --bin screenshots -- FOLDER
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::broker::Broker;
use standpipe_tests::browser::{Browser, Light, Window};
use standpipe_tests::gateway::Gateway;
use standpipe_tests::station::Station;
use standpipe_tests::{now, town};

const SOON: Duration = Duration::from_secs(10);

fn main() {
    let folder =
        std::env::args().nth(1).map_or_else(|| PathBuf::from("screenshots"), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder for the pictures");
    let dir = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(dir.path());
    let files = (town::chinese_stations(), town::chinese_devices());
    let mut gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
    let fire = night(&broker, &gateway);
    births(&broker);
    let browser = Browser::start(dir.path());
    let mut made = shoot(&browser, &gateway, &ShownPage { name: "login", path: "/login" }, &folder);
    sign_in(&browser, &gateway);
    let pages = [
        ("board", "/".to_owned()),
        ("incident", format!("/incidents/{fire}")),
        ("devices", "/devices".to_owned()),
        ("device", "/devices/H-004".to_owned()),
        ("flow", "/devices/H-001#flow-test".to_owned()),
        ("map", "/map".to_owned()),
        ("maintenance", "/maintenance".to_owned()),
        ("labels", "/labels?kind=hydrant".to_owned()),
        ("reports", "/reports".to_owned()),
        ("digest", "/digest".to_owned()),
        ("fleet", "/fleet".to_owned()),
        ("quarantine", "/quarantine".to_owned()),
        ("accounts", "/accounts".to_owned()),
        ("audit", "/audit".to_owned()),
        ("routing", "/routing?device=S-001&condition=smoke".to_owned()),
        ("password", "/password".to_owned()),
        ("wall", "/wall".to_owned()),
    ];
    made += shoot(&browser, &gateway, &ShownPage { name: "takeover", path: "/" }, &folder);
    let (status, _) = gateway.post(
        &format!("incidents/{fire}/actions"),
        &json!({"action": "acknowledge", "by": "李雷"}),
    );
    assert_eq!(status, 200);
    // Water that is gone fills the screen too, until somebody has taken it.
    let open = gateway.get("incidents?state=open&severity=critical");
    for incident in open["items"].as_array().expect("a list") {
        let act = format!("incidents/{}/actions", incident["id"].as_str().expect("an id"));
        let taken = gateway.post(&act, &json!({"action": "acknowledge", "by": "李雷"}));
        assert!([200, 409].contains(&taken.0), "{taken:?}");
    }
    flow_test(&browser, &gateway);
    works(&gateway);
    for (name, path) in &pages {
        made += shoot(&browser, &gateway, &ShownPage { name, path }, &folder);
    }
    let (status, _) = gateway.post("exercises", &json!({"device": "S-004", "by": "李雷"}));
    assert_eq!(status, 201);
    made += shoot(&browser, &gateway, &ShownPage { name: "exercise", path: "/" }, &folder);
    std::fs::write(gateway.dir.join("devices.csv"), ",,,\n").expect("a file");
    gateway.kill();
    gateway.start_again();
    gateway.wait_ready();
    made += shoot(&browser, &gateway, &ShownPage { name: "degraded", path: "/" }, &folder);
    println!("{made} pictures in {}", folder.display());
}

/// A kitchen burns, a main bursts, one hydrant is knocked over.
fn night(broker: &Broker, gateway: &Gateway) -> String {
    let terminal = Station::connect(broker.port, "+");
    let says = |device: &str, channel: &str, mut body: Value| {
        body["ts"] = json!(now());
        terminal.publish(&format!("standpipe/v1/lidu/{device}/{channel}"), false, &body);
    };
    for n in 1..=12 {
        let kpa = 310.0 - f64::from(n) * 4.0;
        says(&format!("H-{n:03}"), "telemetry", json!({"pressure_kpa": kpa, "temp_c": 11.5}));
    }
    // A day of a town that drinks in the morning and in the evening.
    let start = now() - 24 * 3_600_000;
    for hydrant in ["H-001", "H-004"] {
        let day: Vec<Value> = (0..96)
            .map(|n| {
                let hour = f64::from(n) / 4.0;
                #[expect(clippy::disallowed_methods, reason = "a curve to look at decides nothing")]
                let drawn = 45.0 * (hour / 3.8).sin().abs() + 12.0 * (hour * 2.3).sin();
                let kpa = 330.0 - drawn;
                json!({"ts": start + i64::from(n) * 900_000, "pressure_kpa": kpa,
                    "pressure_min_kpa": kpa - 14.0, "pressure_max_kpa": kpa + 11.0})
            })
            .collect();
        terminal.publish(&format!("standpipe/v1/lidu/{hydrant}/telemetry"), false, &json!(day));
    }
    // What a hydrant says first is there before its alarm, which comes another way.
    std::thread::sleep(Duration::from_secs(1));
    for n in [4, 9] {
        let id = format!("H-{n:03}");
        says(&id, "alarm", json!({"condition": "no_water", "active": true, "pressure_kpa": 2.0}));
    }
    says("H-011", "alarm", json!({"condition": "knocked", "active": true, "tilt_deg": 48.0}));
    says("S-003", "alarm", json!({"condition": "contamination", "active": true, "dirt_pct": 84}));
    says("S-001", "alarm", json!({"condition": "smoke", "active": true, "smoke_db_m": 0.31}));
    says("S-002", "alarm", json!({"condition": "smoke", "active": true, "smoke_db_m": 0.22}));
    let fire = gateway.incident("the fire", SOON, |incident| {
        incident["class"] == "fire"
            && incident["title"]["en"].as_str().is_some_and(|title| title.contains('2'))
    });
    fire["id"].as_str().expect("an id").to_owned()
}

/// What devices say of themselves when they start, and what some say that nobody understands.
fn births(broker: &Broker) {
    let terminal = Station::connect(broker.port, "+");
    for n in 1..=12 {
        let (firmware, reset) = if n < 9 { ("1.4.0", "power_on") } else { ("1.3.2", "watchdog") };
        let mut birth = json!({"online": true, "boot": n + 3, "firmware": firmware,
            "model": "SP-H1", "reset": reset});
        if n == 4 {
            (birth["lost"], birth["storage"]) = (json!(12), json!("corrupt"));
        }
        terminal.publish(&format!("standpipe/v1/lidu/H-{n:03}/status"), true, &birth);
    }
    let raw = |topic: &str, body: &[u8]| {
        terminal.publish_raw(&format!("standpipe/v1/lidu/{topic}/telemetry"), body.to_vec());
    };
    raw("H-005", b"{\"pressure_kpa\":\xd6\xd0,\"seq\":3}");
    raw("H-006", "压力=312".as_bytes());
    raw("GW-1", br#"{"devEUI":"24e124136b502217","object":{"pressure":3.1,"battery":93},"rxInfo":[{"gatewayID":"AQ==","rssi":-113,"loRaSNR":-6.2}],"fPort":85,"data":"A2cWAQ=="}"#);
}

fn sign_in(browser: &Browser, gateway: &Gateway) {
    browser.go(&gateway.at("/login"));
    browser.fill("#name", "admin");
    browser.fill("#password", &gateway.password());
    browser.click("form.stack button");
    browser.wait("#board", SOON);
}

/// A crew measures what a hydrant gives.
fn flow_test(browser: &Browser, gateway: &Gateway) {
    browser.go(&gateway.at("/devices/H-001"));
    for (field, value) in [("#static", "420"), ("#residual", "300"), ("#flow", "22")] {
        browser.fill(field, value);
    }
    browser.click("form[action$='/flow'] button");
    browser.wait("#flow-result", SOON);
}

/// A valve is changed, and detectors are tried.
fn works(gateway: &Gateway) {
    let until = now() + 3 * 3_600_000;
    for work in [
        json!({"what": "maintenance", "device": "H-007", "until": until, "by": "王芳",
            "conditions": ["no_water", "low_pressure"], "note": "更换阀门"}),
        json!({"what": "walk_test", "device": "S-003", "until": until, "by": "王芳"}),
    ] {
        assert_eq!(gateway.post("maintenance", &work).0, 201);
    }
}

/// What is shown, and the name of its pictures.
struct ShownPage<'a> {
    name: &'a str,
    path: &'a str,
}

fn shoot(browser: &Browser, gateway: &Gateway, page: &ShownPage<'_>, to: &Path) -> usize {
    let ShownPage { name, path } = page;
    let mut made = 0;
    for language in ["zh", "en"] {
        browser.go(&gateway.at(&format!("/language?to={language}&back=/password")));
        browser.go(&gateway.at(path));
        for (light, word) in [(Light::Day, "light"), (Light::Night, "dark")] {
            browser.light(light);
            for (window, size) in [(Window::Phone, "phone"), (Window::Wall, "wall")] {
                browser.window(window);
                std::thread::sleep(Duration::from_millis(400));
                browser.picture(&to.join(format!("{name}-{language}-{word}-{size}.png")));
                made += 1;
            }
        }
    }
    made
}
