//! A night shift in a real browser, on the real gateway, over a real broker. How the pages look and
//! how fast they are is in `screens`.

use std::time::Duration;

use serde_json::json;
use standpipe_tests::browser::Window;
use standpipe_tests::night::Night;
use standpipe_tests::{CLOSES, instant, now, wait_for};

const SOON: Duration = Duration::from_secs(5);
/// From the broker to somebody's eyes.
const VISIBLE: Duration = Duration::from_secs(1);
/// A lost connection is said within this.
const LOUD: Duration = Duration::from_secs(10);

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
    wait_for("the station's presence", SOON, || night.online("t-1").then_some(()));
    assert!(!night.online("t-2"));
    browser.wait("#silent", SOON);
    browser.click("#unlock");
    browser.wait_gone("#silent", SOON);
    // What a page counts on by itself, it says as the gateway does.
    let counted = browser.eval("return [232e3, 1464e3, 15060e3, 183840e3].map(standpipe.long)");
    assert_eq!(counted, json!(["3 min 52 s", "24 min", "4 h 11 min", "2 d 3 h"]));

    // A fire fills the screen and sounds.
    let published = instant();
    night.smoke("S-3", true);
    let filled = browser.wait_text(".takeover", "Smoke", SOON);
    let took = published.elapsed();
    println!("published to visible: {} ms", took.as_millis());
    assert!(took < VISIBLE, "{took:?}");
    for words in ["FIRE", "House 3", "Road 3", "Hydrant 3"] {
        assert!(filled.contains(words), "{words} in {filled}");
    }
    wait_for("the sound", SOON, || {
        (browser.eval("return document.body.dataset.ringing") == "fire").then_some(())
    });
    let id = night.fire();

    // One key takes it; the sound ends; who did it is written down.
    night.key("a");
    browser.wait_gone(".takeover", SOON);
    browser.wait_text("#board", "Acknowledged", SOON);
    wait_for("silence", SOON, || {
        (browser.eval("return document.body.dataset.ringing") == "").then_some(())
    });
    browser.click(".incident a.title");
    browser.wait_text("ol.trail", "shown on a screen", SOON);
    night.click("button.act.dispatch");
    let trail = browser.wait_text("ol.trail", "dispatched", SOON);
    assert!(trail.contains("acknowledged") && trail.contains("li"), "{trail}");

    // Its nearest hydrant runs dry, and the page says so by itself.
    assert!(night.hydrant("Hydrant 3").contains("has water"), "{}", night.hydrant("Hydrant 3"));
    let dry = json!({"condition": "no_water", "active": true, "pressure_kpa": 1.0});
    night.says("H-3", "alarm", dry);
    wait_for("the dry hydrant", SOON, || {
        night.hydrant("Hydrant 3").contains("NO WATER").then_some(())
    });

    // The connection is cut: it is loud, and nothing is missed when it is back.
    browser.go(&night.gateway.at("/"));
    browser.wait_text("#board", "Smoke", SOON);
    browser.wait_text(".takeover", "Hydrant 3", SOON); // critical water fills the screen, too
    night.key("a");
    browser.wait_gone(".takeover", SOON);
    night.gateway.signal("STOP");
    let cut = instant();
    let said = browser.wait_text("#lost", "NOT being alerted", LOUD + Duration::from_secs(2));
    assert!(cut.elapsed() < LOUD, "{:?}: {said}", cut.elapsed());
    night.smoke("S-6", true);
    night.gateway.signal("CONT");
    browser.wait_gone("#lost", LOUD);
    browser.wait_text(".takeover", "House 6", LOUD);
    night.key("a");
    browser.wait_gone(".takeover", SOON);

    // It is over.
    for device in ["S-3", "S-6"] {
        night.smoke(device, false);
    }
    browser.go(&night.gateway.at(&format!("/incidents/{id}")));
    browser.fill("#note", "kitchen, put out");
    browser.click("#note-form button");
    browser.wait_text("ol.trail", "kitchen, put out", SOON);
    night.click("button.act.resolve");
    browser.wait_text("dialog", "Is it over?", SOON);
    browser.click("dialog button.act.resolve");
    browser.wait_text(".head", "Resolved", SOON);
    browser.wait_text(".head", "Closed", CLOSES);
    assert!(browser.wait(".head", SOON).contains("fire"), "its outcome");
    browser.wait_gone("#note-form", SOON);

    // By day a crew member looks after a hydrant, with a phone.
    night.sign_out();
    night.sign_in("zhang");
    checks_a_hydrant(&night);

    // And the officer prints the month.
    browser.window(Window::Desk);
    browser.go(&night.gateway.at("/"));
    night.sign_out();
    night.sign_in("li");
    browser.go(&night.gateway.at("/reports"));
    let report = browser.wait_text("main", "Incidents by day", SOON);
    assert!(report.contains("Reception to acknowledgement, median"), "{report}");
    let json = night.gateway.get("reports/monthly?station=t-1");
    assert_eq!(json["this"]["by_class"]["fire"], 2, "{json}");
    let took = json["this"]["acknowledged"]["median_ms"].as_i64().unwrap();
    assert!((1..60_000).contains(&took), "{took} ms to the acknowledgement");
}

fn checks_a_hydrant(night: &Night) {
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
    let asked = night.gateway.get("devices/H-2/commands");
    let asked = &asked["items"][0];
    assert_eq!((&asked["command"], &asked["by"]), (&json!("report_now"), &json!("zhang")));

    for (field, value) in [("#static", "420"), ("#residual", "300"), ("#flow", "22")] {
        browser.fill(field, value);
    }
    browser.click("form[action$='/flow'] button");
    // 22 × ((420 − 100) / (420 − 300))^0.54, and 22 × ((420 − 137.9) / 120)^0.54
    let result = browser.wait_text("#flow-result", "37.4 L/s", SOON);
    assert!(result.contains("enough") && result.contains("34.9 L/s · B"), "{result}");
    let history = browser.eval("return document.querySelector('#work').parentElement.innerText");
    assert!(history.as_str().unwrap().contains("zhang"), "it is kept: {history}");

    browser.go(&night.gateway.at("/labels?q=H-2"));
    let squares = browser.eval("return document.querySelectorAll('.label svg').length");
    assert_eq!(squares, 1);
}

#[test]
fn the_map_lists_what_is_not_well_and_nothing_that_is() {
    let night = Night::begin();
    for n in 1..=10 {
        night.says(&format!("H-{n}"), "telemetry", json!({"pressure_kpa": 300 + n}));
    }
    let dry = || json!({"condition": "no_water", "active": true, "pressure_kpa": 1.0});
    for device in ["H-2", "H-7"] {
        night.says(device, "alarm", dry());
    }
    let browser = &night.browser;
    browser.go(&night.gateway.at("/map"));
    browser.wait_text("#here", "Hydrant 7", SOON);
    let listed =
        browser.eval("return [...document.querySelectorAll('#here li')].map((it) => it.innerText)");
    assert_eq!(listed, json!(["Hydrant 2", "Hydrant 7"]), "however they stand together");
    let signs = browser.eval("return document.querySelectorAll('#here li.critical svg').length");
    assert_eq!(signs, 2, "with their signs");
}

#[test]
fn of_two_officers_one_wins_and_both_see_who() {
    let night = Night::begin();
    night.smoke("S-1", true);
    night.browser.wait_text(".takeover", "Smoke", SOON);
    let id = night.fire();
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
fn an_exercise_is_unmistakable_and_work_is_shown_where_the_crew_looks() {
    let night = Night::begin();
    let browser = &night.browser;
    browser.go(&night.gateway.at("/devices/H-2"));
    browser.click("a[href='/maintenance?device=H-2']");
    browser.wait("#work-name", SOON);
    assert_eq!(browser.eval("return document.querySelector('#work-name').value"), "H-2");
    browser.fill("#work-note", "new valve");
    browser.click("button[value=work]");
    browser.wait_text("#works", "Hydrants out of service: H-2", SOON);
    browser.go(&night.gateway.at("/devices/H-2"));
    browser.wait_text(".hydrantnow", "out of service", SOON);
    browser.go(&night.gateway.at("/"));
    browser.wait_text("ul.announced", "new valve", SOON);

    // Nobody opened this page for the exercise: it tells of it by itself.
    browser.go(&night.gateway.at("/reports"));
    let until = now() + 600_000;
    let walk = json!({"what": "walk_test", "device": "S-4", "until": until});
    assert_eq!(night.gateway.post("maintenance", &walk).0, 201);
    assert_eq!(night.gateway.post("exercises", &json!({"device": "S-3"})).0, 201);
    let band = browser.wait_text(".drill", "EXERCISE", SOON);
    assert!(band.contains("there is no fire"), "{band}");
    assert_eq!(browser.sees(".takeover"), None);
    let report = night.gateway.get("reports/monthly?station=t-1");
    assert_eq!(report["this"]["incidents"], 0, "left out of statistics: {report}");
    // What is in earnest fills the screen all the same.
    night.smoke("S-3", true);
    browser.wait_text(".takeover", "House 3", SOON);
    night.key("a");
    browser.wait_gone(".takeover", SOON);

    browser.go(&night.gateway.at("/maintenance"));
    browser.wait_text("#works", "S-4", SOON);
    for _ in 0..3 {
        let open = browser.eval("return document.querySelectorAll('#works li').length");
        browser.click("#works button[value=withdraw]");
        wait_for("one fewer", SOON, || {
            let left = browser.eval("return document.querySelectorAll('#works li').length");
            (left.as_i64() < open.as_i64()).then_some(())
        });
    }
    browser.wait_text("#works", "Nothing is announced", SOON);
}

#[test]
fn a_quiet_page_is_no_lost_one_and_one_whose_session_is_over_says_so() {
    let night = Night::begin();
    let browser = &night.browser;
    browser.go(&night.gateway.at("/"));
    wait_for("the station's presence", SOON, || night.online("t-1").then_some(()));
    let spoken = || {
        browser.eval(
            "return performance.getEntriesByType('resource')\
             .filter((link) => link.name.endsWith('/here')).length",
        )
    };
    // Nothing happens at all, for longer than a silence that is called a lost connection.
    wait_for("its second sign of life", Duration::from_secs(20), || {
        assert_eq!(browser.sees("#lost"), None, "nobody is frightened for nothing");
        (spoken().as_i64() >= Some(2)).then_some(())
    });
    let leave = "const done = arguments[0]; \
                 fetch('/logout', {method: 'POST', redirect: 'manual'}).then(() => done(1));";
    assert_eq!(browser.eval_async(leave), 1);
    let said = browser.wait_text("#left", "NOT being alerted", Duration::from_secs(20));
    assert!(said.contains("Sign in"), "{said}");
}
