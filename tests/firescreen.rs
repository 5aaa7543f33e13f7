//! The fire screen as its people use it at three in the morning, in a real browser: each key and each
//! button does what was meant, to what was meant.

use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::night::Night;
use standpipe_tests::{CLOSES, now, wait_for};

const SOON: Duration = Duration::from_secs(5);
/// No key acts before the card under the hand has been there for so long.
const GUARD: Duration = Duration::from_millis(1_100);

/// Ends what a sentence begins: waits until an incident of a device stands there.
fn stands(night: &Night, device: &str, state: &str) {
    wait_for(&format!("{device} {state}"), CLOSES, || {
        night.states(device).iter().any(|found| found == state).then_some(())
    });
}

/// The id of the card under the hand.
fn hand(night: &Night) -> String {
    let id = night.browser.eval(
        "const s = document.querySelector('#screen'); return s && !s.hidden ? s.dataset.hand : '';",
    );
    id.as_str().unwrap_or_default().to_owned()
}

/// What the screen's queue says, row by row.
fn queue(night: &Night) -> Vec<String> {
    let rows = night.browser.eval(
        "return [...document.querySelectorAll('#screen:not([hidden]) .queue li:not([hidden]) strong')]\
         .map((row) => row.innerText)",
    );
    serde_json::from_value(rows).expect("texts")
}

#[test]
fn a_key_acts_on_the_fire_that_was_read_and_on_no_other() {
    let night = Night::begin();
    let browser = &night.browser;
    night.smoke("S-1", true);
    browser.wait_text("#screen .hand", "House 1", SOON);
    let first = hand(&night);
    std::thread::sleep(GUARD);

    // She has read the first. The second arrives, and takes no place away.
    night.smoke("S-2", true);
    wait_for("the second in the queue", SOON, || (queue(&night).len() == 2).then_some(()));
    assert_eq!(hand(&night), first, "it stays under the hand");
    browser.press("a");
    stands(&night, "S-1", "acknowledged");
    wait_for("the second under the hand", SOON, || (hand(&night) != first).then_some(()));
    browser.press("a");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(night.states("S-2"), ["open"], "nobody can have read it yet");
    night.key("a");
    stands(&night, "S-2", "acknowledged");
    browser.wait_gone("#screen", SOON);

    // Letters can be switched off, and on a list no letter does anything.
    night.smoke("S-3", true);
    browser.wait_text("#screen .hand", "House 3", SOON);
    night.key("\u{e00c}");
    browser.wait("#aside", SOON);
    night.key("a");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(night.states("S-3"), ["open"], "the board has many incidents: a letter means none");
    browser.click("#keys");
    browser.click("#back");
    browser.wait_text("#screen .hand", "House 3", SOON);
    night.key("a");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(night.states("S-3"), ["open"], "letters are off");
    std::thread::sleep(GUARD);
    browser.click("#screen .act.acknowledge");
    stands(&night, "S-3", "acknowledged");
}

#[test]
fn what_somebody_writes_stays_in_its_field_whatever_arrives() {
    let night = Night::begin();
    let browser = &night.browser;
    night.smoke("S-1", true);
    browser.wait_text("#screen", "House 1", SOON);
    let id = night.fire();
    night.key("a");
    browser.wait_gone("#screen", SOON);
    browser.go(&night.gateway.at(&format!("/incidents/{id}")));
    browser.wait("#note", SOON);
    browser.click("#note");
    let text = "Caller says all quiet at the flat, dear reader";
    for (n, letter) in text.chars().enumerate() {
        if n == 12 {
            night.smoke("S-2", true);
        }
        browser.press(&letter.to_string());
        std::thread::sleep(Duration::from_millis(60));
    }
    browser.wait_text("#screen .typing", "nothing of it is lost", SOON);
    assert_eq!(browser.eval("return document.querySelector('#note').value"), text);
    assert_eq!(browser.eval("return document.activeElement.id"), "note");
    assert_eq!(
        (&*night.states("S-1"), &*night.states("S-2")),
        (&["acknowledged".to_owned()][..], &["open".to_owned()][..])
    );

    // Escape leaves the field first, and only then the screen.
    browser.press("\u{e00c}");
    assert_eq!(browser.eval("return document.activeElement.id"), "hand-title");
    assert!(browser.sees("#screen").is_some());
    assert_eq!(browser.eval("return document.querySelector('main').inert"), true);
    night.key("\u{e00c}");
    browser.wait_gone("#screen", SOON);
    assert_eq!(browser.eval("return document.querySelector('#note').value"), text);

    // Nor is anything lost that is written while the note is on its way.
    let _ = browser.eval(
        "const form = document.querySelector('#note-form'); \
         form.requestSubmit(form.querySelector('button')); document.querySelector('#note').value += ' and';",
    );
    browser.wait_text("ol.trail", "dear reader", SOON);
    assert_eq!(browser.eval("return document.querySelector('#note').value"), format!("{text} and"));
}

#[test]
fn an_end_is_asked_once_of_what_was_shown_and_can_be_taken_back() {
    let night = Night::begin();
    let browser = &night.browser;
    night.smoke("S-1", true);
    browser.wait_text("#screen", "House 1", SOON);
    let id = night.fire();
    let mine = || night.gateway.get(&format!("incidents/{id}"));

    // One letter asks, and a second one does nothing.
    night.key("f");
    browser.wait_text("dialog", "false alarm?", SOON);
    browser.press("f");
    browser.press("\u{e007}");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(mine()["state"], "open");
    // Meanwhile it gets another condition: what was asked is not what is answered any more.
    night.says("S-1", "alarm", json!({"condition": "heat", "active": true}));
    wait_for("heat", SOON, || (mine()["conditions"].as_array()?.len() == 2).then_some(()));
    browser.click("dialog .act.false_alarm");
    browser.wait_text("dialog", "It changed since you looked", SOON);
    assert_eq!(mine()["state"], "open", "shown again, not done");
    browser.click("dialog .act.false_alarm");
    stands(&night, "S-1", "resolved");
    browser.wait_gone("#screen", SOON);

    // A slip: taken back, and it is where it was.
    browser.wait_text("#undo", "False alarm", SOON);
    browser.click("#undo .act.undo");
    stands(&night, "S-1", "open");
    browser.wait_text("#screen", "House 1", SOON);
    browser.wait_gone("#undo", SOON);
    night.key("a");
    stands(&night, "S-1", "acknowledged");

    // In earnest: 30 s later it is closed, and the trail says what it was.
    night.smoke("S-1", false);
    night.says("S-1", "alarm", json!({"condition": "heat", "active": false}));
    browser.go(&night.gateway.at(&format!("/incidents/{id}")));
    browser.wait(".act.false_alarm", SOON);
    night.key("f");
    browser.wait("dialog", SOON);
    browser.click("dialog .act.false_alarm");
    stands(&night, "S-1", "resolved");
    browser.wait_text(".head", "Resolved", SOON);
    let left = mine()["undo_until"].as_i64().expect("until when") - now();
    assert!((20_000..=30_000).contains(&left), "{left} ms");
    stands(&night, "S-1", "closed");
    let trail = mine()["trail"].to_string();
    for hop in ["\"false_alarm\"", "\"undone\"", "\"closed\""] {
        assert!(trail.contains(hop), "{hop}: {trail}");
    }
    assert!(!trail.contains("\"resolved\""), "{trail}");
}

#[test]
fn the_screen_is_set_aside_and_comes_back_with_anything_new() {
    let night = Night::begin();
    let browser = &night.browser;
    browser.press("x"); // unlocks the sound
    night.smoke("S-1", true);
    browser.wait_text("#screen", "House 1", SOON);
    let rings = || browser.eval("return document.body.dataset.ringing");
    wait_for("the sound", SOON, || (rings() == "fire").then_some(()));
    let modal = "const s = document.querySelector('#screen'); return [s.getAttribute('aria-modal'), \
                 document.querySelector('main').inert, document.querySelector('#announce').textContent]";
    let said = browser.eval(modal);
    assert_eq!((&said[0], &said[1]), (&json!("true"), &json!(true)));
    assert!(said[2].as_str().is_some_and(|text| text.contains("House 1")), "{said}");

    std::thread::sleep(GUARD);
    browser.click("[data-do=silence]");
    wait_for("silence", SOON, || (rings() == "").then_some(()));
    assert_eq!(night.states("S-1"), ["open"], "silence is no answer");
    night.key("\u{e00c}");
    browser.wait_text("#aside", "1 set to the side", SOON);
    assert_eq!(browser.sees("#screen"), None);
    assert_eq!(browser.eval("return document.querySelector('main').inert"), false);
    // It stays so on the next page.
    browser.go(&night.gateway.at("/devices"));
    browser.wait_text("#aside", "1 set to the side", SOON);
    assert_eq!(browser.sees("#screen"), None);

    // A new incident, a new episode: each brings back everything, and the sound.
    night.says("H-7", "alarm", json!({"condition": "no_water", "active": true, "pressure_kpa": 1}));
    browser.wait_text("#screen", "Hydrant 7", SOON);
    assert_eq!(queue(&night).len(), 2, "with what was aside; fires first");
    assert!(queue(&night)[0].contains("House 1"), "{:?}", queue(&night));
    browser.press("x");
    wait_for("the sound", SOON, || (rings() == "fire").then_some(()));
    assert_eq!(browser.sees("#aside"), None);
    let announced = browser.eval("return document.querySelector('#announce').textContent");
    assert!(!announced.to_string().contains("House 1"), "each is announced once: {announced}");

    // What somebody else takes leaves by itself.
    let fire = night.fire();
    let act = json!({"action": "acknowledge", "by": "王芳"});
    assert_eq!(night.gateway.post(&format!("incidents/{fire}/actions"), &act).0, 200);
    browser.wait_text("#taken", "王芳", SOON);
    browser.wait_text("#screen .hand", "Hydrant 7", SOON);
    assert_eq!(queue(&night).len(), 1);
    night.key("\u{e00c}");
    browser.wait_gone("#screen", SOON);
    browser.go(&night.gateway.at("/"));
    let first = browser.eval("return document.querySelector('ol.board > li').innerText");
    assert!(first.to_string().contains("Hydrant 7"), "open critical above what is taken: {first}");
    assert_eq!(
        night.gateway.post(&format!("incidents/{fire}/actions"), &json!({"action": "reopen"})).0,
        200
    );
    browser.wait_text("#screen", "House 1", SOON);

    // Whoever may not answer is not locked in.
    night.key("\u{e00c}");
    browser.wait_gone("#screen", SOON);
    night.sign_out();
    for name in ["gao", "sun"] {
        night.sign_in(name);
        browser.wait_text("#screen", "call the station", SOON);
        assert_eq!(browser.sees("#screen .act"), None, "{name}");
        night.key("\u{e00c}");
        browser.wait_gone("#screen", SOON);
        browser.click("a[href='/map']");
        browser.wait("#map", SOON);
        assert_eq!(browser.sees("#screen"), None, "{name}");
        browser.go(&night.gateway.at("/"));
        night.sign_out();
    }
}

#[test]
fn all_water_and_everybody_to_call_is_there_without_a_click() {
    let night = Night::begin();
    let browser = &night.browser;
    for n in [4, 5, 6, 7] {
        night.says(&format!("H-{n}"), "telemetry", json!({"pressure_kpa": 300 + n}));
    }
    std::thread::sleep(Duration::from_secs(3));
    night.smoke("S-1", true);
    browser.wait_text("#screen", "House 1", SOON);
    browser.wait_text("#screen .told", "Township 1", SOON);
    let rows = browser.eval(
        "return [...document.querySelectorAll('#screen li.hydrant')].map((row) => row.innerText)",
    );
    let rows: Vec<String> = serde_json::from_value(rows).expect("texts");
    assert_eq!(rows.len(), 10, "all within 500 m: {rows:?}");
    let at = |row: &String| {
        let metres = row.split(" m").next().and_then(|start| start.split_whitespace().last());
        metres.and_then(|metres| metres.parse::<u32>().ok()).expect("metres")
    };
    assert!(rows.is_sorted_by_key(at), "the nearest first: {rows:?}");
    assert!(
        !rows[0].contains("has water") && rows[0].contains("Hydrant 1"),
        "marked, not left out: {}",
        rows[0]
    );
    assert!(rows[3].contains("304 kPa") && rows[3].contains("has water"), "{}", rows[3]);
    let phone =
        browser.eval("return document.querySelector('#screen .phone a').getAttribute('href')");
    assert_eq!(phone, "tel:02366210001");
    for words in ["House 1", "1F", "Road 1"] {
        assert!(browser.sees("#screen .hand").is_some_and(|text| text.contains(words)), "{words}");
    }
    // Programs get what they always got: three that can be trusted, then up to three nearer ones.
    let fire = night.gateway.get(&format!("incidents/{}", night.fire()));
    let listed = fire["hydrants"].as_array().expect("a list");
    let ids: Vec<&str> = listed.iter().filter_map(|hydrant| hydrant["id"].as_str()).collect();
    assert_eq!(ids, ["H-4", "H-5", "H-6", "H-1", "H-2", "H-3"]);
}

/// Everything new is a document's from its first line on.
fn from_the_first_line(night: &Night, script: &str) {
    let source = json!({"source": script});
    let _ = night.browser.devtools("Page.addScriptToEvaluateOnNewDocument", &source);
}

#[test]
fn sound_clock_and_wall_can_be_trusted() {
    let night = Night::begin();
    let browser = &night.browser;
    // Five minutes slow: it says so, and ages go by the gateway.
    from_the_first_line(&night, "const real = Date.now; Date.now = () => real() - 300000;");
    browser.go(&night.gateway.at("/"));
    night.smoke("S-1", true);
    browser.wait_text("#screen", "House 1", SOON);
    let off = browser.wait_text("#off", "clock is wrong", Duration::from_secs(15));
    assert!(off.contains("5 min"), "{off}");
    let age = browser.eval("return document.querySelector('#screen .since .ago').innerText");
    assert!(
        age.as_str().is_some_and(|age| age.ends_with("s ago") && !age.contains("min")),
        "{age}"
    );

    // After a reload sound is locked, and that is said over the fire until a key is pressed.
    let over = "const box = document.querySelector('#silent').getBoundingClientRect(); \
                return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).closest('#silent') !== null";
    browser.wait("#silent", SOON);
    assert_eq!(browser.eval(over), true);
    browser.press("x");
    browser.wait_gone("#silent", SOON);

    // Hidden, it is told by a notification.
    let _ = browser.eval(
        "window.shown = []; \
         window.Notification = class { static permission = 'granted'; constructor(title, more) { shown.push([title, more.tag]); } }; \
         Object.defineProperty(document, 'hidden', {get: () => true});",
    );
    night.smoke("S-2", true);
    let shown = wait_for("a notification", SOON, || {
        let shown = browser.eval("return window.shown");
        (shown.as_array()?.len() == 1).then_some(shown)
    });
    assert!(shown[0][0].as_str().is_some_and(|title| title.contains("House 2")), "{shown}");

    // It can be installed.
    let manifest = browser.eval_async(
        "const done = arguments[0]; fetch(document.querySelector('link[rel=manifest]').href)\
         .then((answer) => answer.json()).then(async (all) => { const sizes = []; \
         for (const icon of all.icons) { const image = new Image(); image.src = icon.src; await image.decode(); sizes.push(image.width); } \
         done([all.display, ...sizes]); });",
    );
    assert_eq!(manifest, json!(["standalone", 192, 512]));

    // The wall: dark, nothing to press, never asleep, with the heartbeat's age.
    browser.go(&night.gateway.at("/wall"));
    let wall = browser.wait_text("#wall", "House 1", SOON);
    assert!(wall.contains("House 2"), "{wall}");
    let of_wall = browser.eval(
        "const style = getComputedStyle(document.body); return [document.querySelectorAll('button, input, form').length, \
         style.backgroundColor, parseFloat(style.fontSize) >= 17, document.querySelector('[data-beat]').innerText !== '']",
    );
    assert_eq!(of_wall, json!([0, "rgb(0, 0, 0)", true, true]));
    wait_for("the screen to be kept awake", SOON, || {
        (browser.eval("return document.body.dataset.awake") != "").then_some(())
    });
    assert_eq!(browser.eval("return document.body.dataset.awake"), "yes");
}

/// Keys that a hand, a cat or a book that falls may press: a letter, or a key's name and its code.
const KEYS: [(&str, u32); 24] = [
    ("a", 65),
    ("d", 68),
    ("r", 82),
    ("e", 69),
    ("f", 70),
    ("A", 65),
    ("s", 83),
    ("x", 88),
    ("y", 89),
    ("n", 78),
    ("1", 49),
    ("0", 48),
    (" ", 32),
    ("Enter", 13),
    ("Escape", 27),
    ("ArrowUp", 38),
    ("ArrowDown", 40),
    ("f", 70),
    ("e", 69),
    ("F5x", 0),
    ("q", 81),
    ("z", 90),
    (".", 190),
    ("-", 189),
];

/// One key goes down and up, wherever the focus is.
fn strike(night: &Night, (key, code): (&str, u32)) {
    let text = match key {
        "Enter" => "\r",
        key if key.len() == 1 => key,
        _ => "",
    };
    for (kind, text) in [("keyDown", text), ("keyUp", "")] {
        let event = json!({"type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code});
        let _ = night.browser.devtools("Input.dispatchKeyEvent", &event);
    }
}

#[test]
fn a_thousand_random_keys_do_nothing_by_accident() {
    let night = Night::of(4, 12);
    let browser = &night.browser;
    // What was under the hand, and for how long, at each key; and what was sent for it.
    from_the_first_line(
        &night,
        "let under = '', since = 0; const read = () => JSON.parse(sessionStorage.getItem('acts') || '[]'); \
         const look = () => { const s = document.querySelector('#screen'), page = location.pathname.split('/'); \
             const now = s && !s.hidden ? s.dataset.hand : page[1] === 'incidents' ? page[2] : ''; \
             if (now !== under) { under = now; since = performance.now(); } requestAnimationFrame(look); }; look(); \
         const real = window.fetch; window.fetch = (to, options) => { \
             const body = options && options.body ? String(options.body) : ''; \
             const what = /action=(\\w+)/.exec(body); \
             if (!what || what[1] === 'shown') return real(to, options); \
             const n = read().length, act = {what: what[1], of: String(to).split('/')[2], under, \
                 for: performance.now() - since, sure: body.includes('sure=1')}; \
             const keep = () => { const all = read(); all[n] = act; sessionStorage.setItem('acts', JSON.stringify(all)); }; \
             keep(); return real(to, options).then((answer) => { act.ok = answer.ok; keep(); return answer; }); };",
    );
    browser.go(&night.gateway.at("/"));
    night.smoke("S-1", true);
    browser.wait_text("#screen", "House 1", SOON);
    let mut seed = 0x5eed_u64;
    let mut next = 2;
    for n in 0..1_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        strike(&night, KEYS[(seed >> 33) as usize % KEYS.len()]);
        if n % 80 == 79 && next <= 12 {
            night.smoke(&format!("S-{next}"), true);
            next += 1;
        }
        if n % 20 == 19 {
            std::thread::sleep(Duration::from_millis(700));
        }
    }
    let acts = browser.eval("return JSON.parse(sessionStorage.getItem('acts') || '[]')");
    let acts: Vec<Value> = acts.as_array().cloned().unwrap_or_default();
    println!("{} actions of 1,000 keys", acts.len());
    assert!(!acts.is_empty(), "they did something");
    for act in &acts {
        let on_time = act["for"].as_f64().is_some_and(|ms| ms >= 990.0);
        assert!(act["of"] == act["under"] && on_time, "by accident: {act}");
        assert!(act["sure"] == false, "nothing is ended by letters: {act}");
    }
    // The trail accounts for all of it, and nothing was ended.
    let incidents = night.gateway.get("incidents?per_page=200");
    let mut hops = 0;
    for incident in incidents["items"].as_array().expect("a list") {
        assert!(
            ["open", "acknowledged"].contains(&incident["state"].as_str().unwrap()),
            "{incident}"
        );
        let whole = night.gateway.get(&format!("incidents/{}", incident["id"].as_str().unwrap()));
        let trail = whole["trail"].as_array().expect("a trail");
        hops += trail
            .iter()
            .filter(|hop| hop["actor"] == "li" && hop["hop"] != "shown")
            // Whoever is sent has taken it: two lines of one action.
            .filter(|hop| {
                hop["hop"] != "acknowledged"
                    || !trail.iter().any(|other| {
                        other["at"] == hop["at"]
                            && ["dispatched", "arrived"].contains(&other["hop"].as_str().unwrap())
                    })
            })
            .count();
    }
    let done = acts
        .iter()
        .filter(|act| act["ok"] == true)
        .filter(|act| !["resolve", "false_alarm"].contains(&act["what"].as_str().unwrap()));
    assert_eq!(hops, done.count(), "{acts:?}");
}
