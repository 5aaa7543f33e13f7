//! How a fire reaches people beside the stations' terminals: robots of chats, text messages, mail
//! and other alarm centres' CAP, each by the real gateway to a stand-in that checks what the
//! provider's documents say; the mail server and the CAP schema are real ones.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::{Gateway, TOKEN};
use standpipe_tests::process::{Process, free_port, server};
use standpipe_tests::receiver::{Posted, WebhookEnd};
use standpipe_tests::station::Station;
use standpipe_tests::{CLOSES, now, town, wait_for};

/// The secret of every robot here.
const SECRET: &str = "SEC-of-the-robot";
const OK: &str = r#"{"errcode":0,"errmsg":"ok","code":0,"msg":"success"}"#;

struct AlertNight {
    gateway: Gateway,
    terminal: Station,
    dir: tempfile::TempDir,
    _broker: Broker,
}

impl AlertNight {
    fn begin(webhooks: &str) -> Self {
        Self::of(6, webhooks)
    }

    /// The same with so many detectors.
    fn of(detectors: usize, webhooks: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(dir.path());
        std::fs::create_dir_all(dir.path().join("gateway")).unwrap();
        std::fs::write(dir.path().join("gateway/secret"), SECRET).unwrap();
        std::fs::write(dir.path().join("gateway/token"), "key-in-the-address").unwrap();
        let files = (town::stations(2), town::devices(24, detectors, 900));
        let gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), webhooks);
        let terminal = Station::connect(broker.port, "+");
        for station in ["district", "t-1", "t-2"] {
            terminal.present(station);
        }
        std::thread::sleep(Duration::from_millis(300));
        Self { gateway, terminal, dir, _broker: broker }
    }

    fn alarm(&self, device: &str, condition: &str) {
        let body = json!({"condition": condition, "active": true, "ts": now()});
        self.terminal.publish(&format!("standpipe/v1/t-1/{device}/alarm"), false, &body);
    }

    /// The incident that is open, once there is one.
    fn incident(&self) -> String {
        wait_for("an incident", Duration::from_secs(5), || {
            Some(self.gateway.get("incidents")["items"][0]["id"].as_str()?.to_owned())
        })
    }

    /// Waits until a page to that receiver was taken, or given up.
    fn hop(&self, incident: &str, hop: &str, receiver: &str) {
        wait_for(&format!("{hop} to {receiver}"), Duration::from_secs(20), || {
            let answer = self.gateway.get(&format!("incidents/{incident}"));
            let trail = answer["trail"].as_array()?.clone();
            let by = format!("webhook {receiver}");
            trail.iter().any(|entry| entry["hop"] == hop && entry["by"] == json!(by)).then_some(())
        });
    }
}

fn section(name: &str, format: &str, url: &str, more: &str) -> String {
    format!("[[webhook]]\nname = '{name}'\nformat = '{format}'\nurl = '{url}'\n{more}\n")
}

fn hmac(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The query of a request, decoded.
fn query(posted: &Posted) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x{}", posted.path)).unwrap();
    url.query_pairs().into_owned().collect()
}

fn fresh(seconds: i64) -> bool {
    (now() / 1_000 - seconds).abs() < 60
}

/// DingTalk's documents: `sign` is the base64 of HMAC-SHA256 of `timestamp\nsecret`, not over 1 h old.
fn good_dingtalk(posted: &Posted) -> bool {
    let query = query(posted);
    let at = query["timestamp"].clone();
    query["access_token"] == "key-in-the-address"
        && fresh(at.parse::<i64>().unwrap() / 1_000)
        && query["sign"] == hmac(SECRET, &format!("{at}\n{SECRET}"))
}

/// Feishu's: the key is `timestamp\nsecret`, the text is empty; both in the body.
fn good_feishu(posted: &Posted) -> bool {
    let body: Value = serde_json::from_slice(&posted.body).unwrap();
    let at = body["timestamp"].as_str().unwrap();
    fresh(at.parse().unwrap()) && body["sign"] == hmac(&format!("{at}\n{SECRET}"), "")
}

fn says_fire(text: &str) {
    for part in ["【火警】烟雾报警", "FIRE: Smoke", "Road 3", "/incidents/"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn robots_get_signed_messages_and_one_that_had_too_many_gets_it_again() {
    let refused =
        |code: i64| (String::from("200 OK"), json!({"errcode": code, "code": code}).to_string());
    let fine = || (String::from("200 OK"), OK.to_owned());
    let ding = WebhookEnd::saying(
        move |_, posted| if good_dingtalk(posted) { fine() } else { refused(310_000) },
    );
    // Hurried, then busy, then well.
    let wecom = WebhookEnd::saying(move |n, _| if n == 0 { refused(-1) } else { fine() });
    let feishu = WebhookEnd::saying(
        move |_, posted| if good_feishu(posted) { fine() } else { refused(19_021) },
    );
    let wrong = WebhookEnd::saying(
        move |_, posted| if good_feishu(posted) { fine() } else { refused(19_021) },
    );
    let webhooks = [
        section(
            "ding",
            "dingtalk",
            &format!("{}?access_token={{token}}", ding.url),
            "token_file = 'token'\nsecret_file = 'secret'",
        ),
        section("we", "wecom", &format!("{}?key={{token}}", wecom.url), "token_file = 'token'"),
        section("fei", "feishu", &feishu.url, "secret_file = 'secret'"),
        section("wrong", "feishu", &wrong.url, "secret_file = 'token'"),
    ];
    let night = AlertNight::begin(&webhooks.concat());
    night.alarm("S-3", "smoke");
    let incident = night.incident();

    let body: Value = serde_json::from_slice(&ding.hear().body).unwrap();
    assert_eq!((&body["msgtype"], &body["at"]["isAtAll"]), (&json!("text"), &json!(true)));
    says_fire(body["text"]["content"].as_str().unwrap());
    let (first, again) = (wecom.hear(), wecom.hear());
    assert_eq!(query(&first)["key"], "key-in-the-address");
    assert_eq!(first.body, again.body, "an error in the body of a 200 is tried again");
    let body: Value = serde_json::from_slice(&again.body).unwrap();
    assert_eq!(body["text"]["mentioned_list"], json!(["@all"]));
    says_fire(body["text"]["content"].as_str().unwrap());
    let body: Value = serde_json::from_slice(&feishu.hear().body).unwrap();
    assert_eq!(body["msg_type"], "text");
    says_fire(body["content"]["text"].as_str().unwrap());
    for robot in ["ding", "we", "fei"] {
        night.hop(&incident, "delivered", robot);
    }
    // What is wrong with a secret may be mended while it burns: a fire is never given up.
    let (first, again) = (wrong.hear(), wrong.hear());
    for message in [first, again] {
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        says_fire(body["content"]["text"].as_str().unwrap());
    }
    let log = night.gateway.printed();
    assert!(!log.contains("key-in-the-address") && !log.contains(SECRET), "{log}");
}

#[test]
fn a_fire_is_sent_before_what_waits_and_keeps_its_share_of_the_minute() {
    let robot = WebhookEnd::saying(|_, _| ("200 OK".to_owned(), OK.to_owned()));
    let night = AlertNight::begin(&section("ding", "dingtalk", &robot.url, ""));
    // Each an incident of its own, and none of a zone's.
    for n in 1..=24 {
        night.alarm(&format!("H-{n}"), "tamper");
    }
    let (mut messages, mut incidents) = (0, 0);
    while incidents < 24 {
        let posted = robot
            .next(Duration::from_secs(70))
            .expect("what the minute has no room for is bundled");
        let body: Value = serde_json::from_slice(&posted.body).unwrap();
        let text = body["text"]["content"].as_str().unwrap();
        let count = text.split_once("警情").and_then(|(_, rest)| rest.split_once('起'));
        incidents += count.map_or(1, |(count, _)| count.parse::<u32>().unwrap());
        messages += 1;
    }
    assert_eq!(incidents, 24, "each is told once");
    assert!(messages <= 16, "{messages}: 5 of 20 a minute are kept for fires");
    night.alarm("S-3", "smoke");
    let body: Value = serde_json::from_slice(&robot.hear().body).unwrap();
    says_fire(body["text"]["content"].as_str().unwrap());
}

#[test]
fn a_text_message_is_as_its_service_wants_it() {
    let said = |n| if n == 0 { r#"{"code":7}"# } else { r#"{"code":0}"# };
    let service = WebhookEnd::saying(move |n, _| ("200 OK".to_owned(), said(n).to_owned()));
    let form = WebhookEnd::start(|_| "204 No Content".to_owned());
    let webhooks = [
        section(
            "json",
            "sms",
            &format!("{}?to={{to}}", service.url),
            "secret_file = 'secret'\n\
            to = ['13800000000', '13900000000']\nheaders = ['Authorization: Bearer {secret}']\n\
            body = '{\"m\": \"{text}\", \"id\": \"{page_id}\"}'\ntaken_when = '\"code\":0'",
        ),
        section(
            "form",
            "sms",
            &form.url,
            "to = ['1']\nmethod = 'PUT'\n\
            headers = ['Content-Type: application/x-www-form-urlencoded']\nbody = 'm={title}&to={to}'",
        ),
    ];
    let night = AlertNight::begin(&webhooks.concat());
    night.alarm("S-3", "smoke");
    let incident = night.incident();
    let (first, again) = (service.hear(), service.hear());
    assert_eq!(first.body, again.body, "a refusal in its words is tried again");
    assert_eq!(query(&again)["to"], "13800000000,13900000000");
    assert_eq!(again.headers["authorization"], format!("Bearer {SECRET}"));
    let body: Value = serde_json::from_slice(&again.body).unwrap();
    says_fire(body["m"].as_str().unwrap());
    let form = form.hear();
    let url = format!("http://x/?{}", String::from_utf8(form.body).unwrap());
    let pairs: BTreeMap<_, _> =
        reqwest::Url::parse(&url).unwrap().query_pairs().into_owned().collect();
    assert_eq!(pairs["to"], "1");
    assert!(pairs["m"].starts_with("【火警】烟雾报警"), "{pairs:?}");
    night.hop(&incident, "delivered", "json");
    night.hop(&incident, "delivered", "form");
}

#[test]
fn a_letter_arrives_at_a_real_mail_server() {
    let dir = tempfile::tempdir().unwrap();
    let (port, letters) = (free_port(), dir.path().join("letters"));
    let mut command = Command::new(server("aiosmtpd"));
    command.args(["-n", "-l", &format!("127.0.0.1:{port}"), "-c", "aiosmtpd.handlers.Mailbox"]);
    command.arg(&letters);
    let post = Process::start(&mut command, &dir.path().join("log"));
    wait_for("the mail server", Duration::from_secs(10), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let night = AlertNight::begin(&section(
        "mail",
        "mail",
        &format!("smtp://127.0.0.1:{port}"),
        "from = 'standpipe@town.example'\nto = ['Chief <chief@town.example>', 'duty@town.example']",
    ));
    night.alarm("S-3", "smoke");
    let incident = night.incident();
    night.hop(&incident, "delivered", "mail");
    let letter = std::fs::read_dir(letters.join("new")).unwrap().next().unwrap().unwrap();
    let letter = std::fs::read(letter.path()).unwrap();
    // Python's own parser reads it back: another's eyes.
    let script = "import email,email.policy,json,sys\n\
        m=email.message_from_binary_file(sys.stdin.buffer,policy=email.policy.default)\n\
        print(json.dumps({'subject':m['subject'],'to':m['to'],'from':m['from'],'id':m['message-id'],\
        'text':m.get_content()}))";
    let read = piped(Command::new("/usr/bin/python3").args(["-c", script]), &letter);
    let read: Value = serde_json::from_str(&read).unwrap();
    assert!(read["subject"].as_str().unwrap().starts_with("【火警】烟雾报警"), "{read}");
    assert_eq!(read["from"], "standpipe@town.example");
    assert!(read["to"].as_str().unwrap().contains("duty@town.example"), "{read}");
    assert!(read["id"].as_str().unwrap().ends_with("@town.example>"), "{read}");
    says_fire(read["text"].as_str().unwrap());
    drop(post);
}

/// Runs something with this input; what it printed.
fn piped(command: &mut Command, input: &[u8]) -> String {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Holds a document against the schema of OASIS.
fn valid(document: &str) {
    let schema = server("cap_schema");
    let mut lint = Command::new(server("xmllint"));
    lint.args(["--noout", "--nonet", "--schema"]).arg(&schema).arg("-");
    piped(&mut lint, document.as_bytes());
}

fn between<'a>(document: &'a str, tag: &str) -> &'a str {
    let after =
        document.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("{tag}: {document}")).1;
    after.split_once('<').unwrap().0
}

#[test]
fn a_fire_is_a_valid_cap_alert_and_the_next_page_updates_it() {
    let centre = WebhookEnd::start(|_| "204 No Content".to_owned());
    let config = "steps = [1, 2, 3]\n[escalation.fire]\nstep2_s = 2\nstep3_s = 4\nrepeat_s = 0";
    let night = AlertNight::begin(&section("centre", "cap", &centre.url, config));
    for n in 1..=6 {
        let reading = json!({"pressure_kpa": 300 + n, "ts": now()});
        night.terminal.publish(&format!("standpipe/v1/t-1/H-{n}/telemetry"), false, &reading);
    }
    std::thread::sleep(Duration::from_millis(500));
    night.alarm("S-3", "smoke");
    let incident = night.incident();
    let first = centre.hear();
    assert_eq!(first.headers["content-type"], "application/cap+xml");
    let first = String::from_utf8(first.body).unwrap();
    valid(&first);
    for (tag, text) in [
        ("status", "Actual"),
        ("msgType", "Alert"),
        ("scope", "Restricted"),
        ("language", "zh-CN"),
        ("category", "Fire"),
        ("urgency", "Immediate"),
        ("severity", "Severe"),
        ("event", "烟雾报警"),
        ("sender", "standpipe@127.0.0.1"),
    ] {
        assert_eq!(between(&first, tag), text, "{tag}");
    }
    assert!(between(&first, "circle").starts_with("29.3801,106.5215 "), "{first}");
    assert!(first.contains("<valueName>hydrant-1</valueName>\n<value>Hydrant 3, "), "{first}");
    assert!(first.contains("<language>en</language>") && !first.contains("<references>"));

    let second = String::from_utf8(centre.hear().body).unwrap();
    valid(&second);
    assert_eq!(between(&second, "msgType"), "Update");
    let sent = |document: &str| {
        let [id, at] = ["identifier", "sent"].map(|tag| between(document, tag).to_owned());
        format!("standpipe@127.0.0.1,{id},{at}")
    };
    assert_eq!(between(&second, "references"), sent(&first));

    let path = night.gateway.at(&format!("/api/v1/incidents/{incident}/cap"));
    let ask =
        |path: &str| standpipe_tests::http::try_get(path, &format!("Bearer {TOKEN}")).unwrap();
    let (status, now) = ask(&path);
    assert_eq!(status, 200);
    valid(&now);
    night.terminal.act("t-1", &incident, "false_alarm");
    night.terminal.publish(
        "standpipe/v1/t-1/S-3/alarm",
        false,
        &json!({"condition": "smoke", "active": false, "ts": standpipe_tests::now()}),
    );
    wait_for("its end", CLOSES, || {
        let answer = night.gateway.get(&format!("incidents/{incident}"));
        (answer["state"] == "closed").then_some(())
    });
    let over = ask(&path).1;
    valid(&over);
    assert_eq!((between(&over, "msgType"), between(&over, "urgency")), ("Cancel", "Past"));
    assert_eq!(ask(&night.gateway.at("/api/v1/incidents/01ARZ3NDEKTSV4RRFFQ69G5FAV/cap")).0, 404);
}

#[test]
fn what_check_says_is_what_happens() {
    let desk = WebhookEnd::start(|_| "204 No Content".to_owned());
    let config = "role = 'chief'\n[escalation.fire]\nstep2_s = 1\nstep3_s = 2\nrepeat_s = 2";
    let night = AlertNight::begin(&section("chief", "json", &desk.url, config));
    let check = |words: &[&str]| standpipe(&night.dir.path().join("gateway"), words);
    let ask = ["--device", "S-3", "--condition", "smoke"];
    let said = check(&ask);
    assert_eq!(
        said,
        "S-3 smoke: fire, t-1\n\
         \x20 at once (step 1): t-1\n\
         \x20 after 1 s (step 2): t-2, webhook chief\n\
         \x20 after 2 s (step 3): district\n\
         \x20 after 4 s (step 3 again): district, t-1, t-2, webhook chief\n\
         \x20 then all of them every 2 s\n\
         \x20 acknowledged, and nothing done for 1800 s: step 1 again\n"
    );
    night.alarm("S-3", "smoke");
    let incident = night.incident();
    let hops = wait_for("two repetitions", Duration::from_secs(15), || {
        let answer = night.gateway.get(&format!("incidents/{incident}"));
        let trail = answer["trail"].as_array()?.clone();
        let paged: Vec<_> = trail.into_iter().filter(|entry| entry["hop"] == "paged").collect();
        paged
            .iter()
            .any(|entry| entry["detail"].as_str().is_some_and(|detail| detail.contains("repeat 2")))
            .then_some(paged)
    });
    let start = hops[0]["at"].as_i64().unwrap();
    let mut real = BTreeMap::<i64, Vec<String>>::new();
    for hop in hops {
        let after = (hop["at"].as_i64().unwrap() - start + 500) / 1_000;
        let who = hop["detail"].as_str().unwrap().rsplit(": ").next().unwrap();
        real.entry(after).or_default().push(who.replace("station ", ""));
    }
    let real: Vec<_> = real.iter().map(|(at, who)| format!("{at}: {}", who.join(", "))).collect();
    assert_eq!(
        real[..4],
        ["0: t-1", "1: t-2, webhook chief", "2: district", "4: district, t-1, t-2, webhook chief"]
    );
    assert!(real[4].starts_with("6: district"), "{real:?}");

    let file = night.dir.path().join("gateway/standpipe.toml");
    let old = std::fs::read_to_string(&file).unwrap();
    let new =
        old.replace("step3_s = 2", "step3_s = 60").replace("role = 'chief'", "role = 'officer'");
    std::fs::write(night.dir.path().join("gateway/new.toml"), new).unwrap();
    let changes = standpipe_on(
        &night.dir.path().join("gateway"),
        "new.toml",
        &["--against", "standpipe.toml", "--device", "S-3", "--condition", "smoke"],
    );
    for line in [
        "  changes: district: at 2 s, 4 s, then every 2 s → at 60 s, 62 s, then every 2 s\n",
        "  changes: webhook chief: at 1 s, 4 s, then every 2 s → at 0 s, 62 s, then every 2 s, idle 1800 s\n",
    ] {
        assert!(changes.contains(line), "{line}{changes}");
    }
    assert_eq!(check(&["--against", "standpipe.toml"]), "nobody is told otherwise\n");
}

fn standpipe(folder: &Path, words: &[&str]) -> String {
    standpipe_on(folder, "standpipe.toml", words)
}

fn standpipe_on(folder: &Path, config: &str, words: &[&str]) -> String {
    let program = standpipe_tests::gateway::program();
    let mut command = Command::new(program);
    command.current_dir(folder).args(["check", "--config", config]).args(words);
    piped(&mut command, b"")
}

/// More fires at once than an alarm centre takes: one alert for all but the first, which names them.
#[test]
fn a_bundle_is_a_valid_cap_alert_that_names_each_of_its_incidents_once() {
    let centre = WebhookEnd::start(|_| "204 No Content".to_owned());
    let night = AlertNight::of(12, &section("centre", "cap", &centre.url, "pace = '1/s'"));
    for n in 1..=12 {
        night.alarm(&format!("S-{n}"), "smoke");
    }
    night.alarm("X-1", "smoke");
    let (mut told, mut largest) = (Vec::new(), String::new());
    while told.len() < 13 {
        let alert = String::from_utf8(centre.hear().body).unwrap();
        valid(&alert);
        assert_eq!(between(&alert, "msgType"), "Alert");
        assert!(!alert.contains("<references>"), "{alert}");
        let incidents = between(&alert, "incidents").split(' ').map(str::to_owned);
        told.extend(incidents);
        if alert.len() > largest.len() {
            largest = alert;
        }
    }
    let each: std::collections::BTreeSet<_> = told.iter().collect();
    assert_eq!((told.len(), each.len()), (13, 13), "each once: {told:?}");
    let members = between(&largest, "incidents").split(' ').count();
    assert!(members >= 6, "{largest}");
    assert!(largest.contains(&format!("<valueName>count</valueName>\n<value>{members}</value>")));
    assert!(between(&largest, "headline").contains("合并通知"), "{largest}");
    assert!(between(&largest, "web").contains("/bundles/"), "{largest}");
    assert!(centre.next(Duration::from_secs(2)).is_none(), "all of it is told");
}
