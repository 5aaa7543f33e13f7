//! `init-influx` makes a real InfluxDB 2 ready, and every question of every dashboard and alert
//! rule is answered by it: with rows of the right shape, and soon. The files are what Grafana reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_series::influx::hourly::tasks;
use standpipe_tests::broker::Broker;
use standpipe_tests::client::Client;
use standpipe_tests::dashboards::{
    Dashboard, DashboardQuestion, QuestionSpan, about, all, replaced,
};
use standpipe_tests::gateway::{Gateway, program};
use standpipe_tests::influx::{Influx, InfluxRow};
use standpipe_tests::provisioning::{self, Datasources, Providers, Rules};
use standpipe_tests::shape::unshowable;
use standpipe_tests::{grafana, http, instant, now, wait_for};

const HYDRANTS: i64 = 100;
const DETECTORS: i64 = 20;
const DAYS: i64 = 30;
const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;
/// No question may take longer.
const SLOWEST: Duration = Duration::from_secs(2);

fn init(dir: &Path, influx: &Influx, more: &[&str]) -> String {
    let out = Command::new(program())
        .current_dir(dir)
        .args(["init-influx", "--out", "tokens", "--url", &influx.url()])
        .args(more)
        .output()
        .unwrap();
    let (said, bad) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}{bad}");
    said.into_owned()
}

fn token(dir: &Path, whose: &str) -> String {
    let file = dir.join(format!("tokens/influx-{whose}.token"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::read_to_string(file).unwrap()
}

fn write(influx: &Influx, token: &str, bucket: &str, lines: String) -> u16 {
    let path = format!("/api/v2/write?org=standpipe&bucket={bucket}&precision=ms");
    http::post_lines(&influx.at(&path), &format!("Token {token}"), lines).0
}

#[test]
fn init_influx_can_be_run_again_without_harm_and_gives_no_more_than_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let influx = Influx::bare(dir.path());
    let said = init(dir.path(), &influx, &["--raw-days", "60"]);
    for made in [
        "set up: user admin",
        "bucket standpipe_1h: made, keeps for 1825 days",
        "task standpipe_1h: made",
        "task standpipe_1h_last: made",
        "token of gateway:",
        "token of grafana:",
    ] {
        assert!(said.contains(made), "{made} in {said}");
    }
    let [admin, gateway, grafana] =
        ["admin", "gateway", "grafana"].map(|name| token(dir.path(), name));
    assert_eq!(write(&influx, &gateway, "standpipe", "hydrant,device=H-1 a=1".into()), 204);

    let again = init(dir.path(), &influx, &["--raw-days", "60"]);
    assert_eq!(again.lines().count(), 1, "nothing to do: {again}");
    let shorter = init(dir.path(), &influx, &["--raw-days", "5"]);
    assert!(shorter.contains("bucket standpipe: keeps for 60 days, left so"), "{shorter}");
    assert_eq!(token(dir.path(), "gateway"), gateway);
    let get = |path: &str| http::get(&influx.at(path), &format!("Token {admin}")).1;
    assert_eq!(get("/api/v2/tasks")["tasks"].as_array().unwrap().len(), 4);
    let kept = influx.query_as(&gateway, "from(bucket: \"standpipe\") |> range(start: -1h)");
    assert_eq!(kept.unwrap().len(), 1, "what was kept is kept");

    let lines = || "hydrant,device=H-1 a=1".to_owned();
    for (whose, bucket, status) in [
        (&gateway, "standpipe_1h", 403),
        (&gateway, "standpipe_health", 403),
        (&grafana, "standpipe", 403),
        (&grafana, "standpipe_1h", 403),
    ] {
        assert_eq!(write(&influx, whose, bucket, lines()), status, "{bucket}");
    }
    for whose in [&gateway, &grafana] {
        let secrets = http::get(&influx.at("/api/v2/authorizations"), &format!("Token {whose}"));
        let seen = secrets.1["authorizations"].as_array().map_or(0, Vec::len);
        assert_eq!(seen, 0, "sees others' tokens: {}", secrets.1);
    }
    // A lost token is replaced, and works no more.
    std::fs::remove_file(dir.path().join("tokens/influx-gateway.token")).unwrap();
    assert!(init(dir.path(), &influx, &[]).contains("token of gateway"));
    assert_ne!(token(dir.path(), "gateway"), gateway);
    assert_eq!(write(&influx, &gateway, "standpipe", lines()), 401);
}

/// A town of hydrants and detectors in two townships.
fn registry() -> (String, String) {
    let mut devices = String::from("id,kind,name,station,zone,profile,lat,lon,address,building\n");
    for n in 0..HYDRANTS {
        let (station, zone) = (if n % 2 == 0 { "t1" } else { "c2" }, n % 5);
        let lat = 29.3 + n as f64 / 1_000.0;
        let _ =
            writeln!(devices, "H-{n},hydrant,消火栓 {n},{station},z{zone},,{lat},106.5,路 {n},");
    }
    for n in 0..DETECTORS {
        let _ = writeln!(devices, "D-{n},smoke,感烟 {n},t1,,smoke_home,29.3,106.5,楼 {n},B{n}");
    }
    let stations = "id,name,level,parent,lat,lon\nd,支队,district,,29.3,106.5\n\
        t1,一站,township,d,29.3,106.5\nt2,二站,township,d,29.4,106.5\n\
        c2,社区,community,t2,29.4,106.5\n";
    (stations.to_owned(), devices)
}

/// 30 days of readings as the gateway writes them: a body a day.
fn bodies(until: i64) -> impl Iterator<Item = String> {
    (0..DAYS).map(move |day| {
        let mut body = String::new();
        for slot in 0..96 {
            let ts = until - (day + 1) * DAY + slot * 15 * MINUTE;
            for n in 0..HYDRANTS {
                let (station, kpa) = (if n % 2 == 0 { "t1" } else { "c2" }, 300 + (slot + n) % 20);
                let _ = writeln!(
                    body,
                    "hydrant,device=H-{n},station={station},zone=z{} pressure_kpa={kpa},\
                     pressure_min_kpa={},pressure_max_kpa={},temp_c=14.5,battery_mv=3500i {ts}",
                    n % 5,
                    kpa - 4,
                    kpa + 4
                );
            }
            for n in 0..DETECTORS {
                let _ = writeln!(
                    body,
                    "smoke,device=D-{n},station=t1 smoke_db_m=0.02,temp_c=21.5,dirt_pct={n},\
                     battery_mv={}i {ts}",
                    3_000 + n
                );
            }
        }
        for n in 0..HYDRANTS {
            let ts = until - day * DAY - DAY / 2;
            let _ = writeln!(body, "ledger,device=H-{n} missing=0i,late=1i,duplicate=2i {ts}");
        }
        body
    })
}

/// Runs the hourly task as InfluxDB runs it, and its script for all the days before.
fn down_sample(influx: &Influx, admin: &str, until: i64) {
    let bearer = format!("Token {admin}");
    let found = http::get(&influx.at("/api/v2/tasks?name=standpipe_1h"), &bearer).1;
    let runs = format!("/api/v2/tasks/{}/runs", found["tasks"][0]["id"].as_str().unwrap());
    let at = json!({"scheduledFor": rfc3339(until)});
    let (status, run) = http::post(&influx.at(&runs), &bearer, &at);
    assert_eq!(status, 201, "{run}");
    let path = format!("{runs}/{}", run["id"].as_str().unwrap());
    let ended = wait_for("the hourly task", Duration::from_secs(60), || {
        let status = http::get(&influx.at(&path), &bearer).1["status"].as_str()?.to_owned();
        ["success", "failed", "canceled"].contains(&status.as_str()).then_some(status)
    });
    assert_eq!(ended, "success", "{}", http::get(&influx.at(&(path + "/logs")), &bearer).1);
    let new = "from(bucket: \"standpipe_1h\") |> range(start: -5h) |> filter(fn: (r) => \
               r._field == \"pressure_kpa_count\") |> group() |> sum()";
    let readings = influx.query_as(admin, new).unwrap()[0]["_value"].parse::<f64>().unwrap();
    assert_eq!(readings, (HYDRANTS * 3 * 4) as f64, "the newest three hours, four readings each");
    // What it writes is asked for below: none of it in the answer.
    let flux = tasks("standpipe", 90)[0]
        .flux
        .replace("|> yield(", "|> filter(fn: (r) => false) |> yield(");
    for age in (0..DAYS * 24).step_by(48) {
        let part = flux.replace("age = 0h", &format!("age = {age}h")).replace("3h", "48h");
        assert!(part.contains("length = 48h") && part.contains(&format!("age = {age}h")));
        influx.query_as(admin, &part).unwrap();
    }
}

fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_second(ms.div_euclid(1_000)).unwrap().to_string()
}

fn span(days: i64) -> QuestionSpan {
    // As wide as a screen.
    let window = days * DAY / 1_000;
    QuestionSpan {
        start: rfc3339(now() - days * DAY),
        stop: rfc3339(now() + 1_000),
        window: format!("{window}ms"),
    }
}

/// A town whose history is filled, whose gateway runs, and in which something happened.
struct DashboardTown {
    influx: Influx,
    _broker: Broker,
    gateway: Gateway,
    client: Client,
    dir: tempfile::TempDir,
}

impl DashboardTown {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let influx = Influx::bare(dir.path());
        init(dir.path(), &influx, &[]);
        let broker = Broker::start(dir.path());
        let section = format!(
            "[influx]\nurl = \"{}\"\ntoken_file = \"{}/tokens/influx-gateway.token\"\n",
            influx.url(),
            dir.path().display()
        );
        let (stations, devices) = registry();
        let mut gateway =
            Gateway::start(dir.path(), &broker.url(), (&stations, &devices), &section);
        let config = gateway.dir.join("standpipe.toml").display().to_string();
        let (code, told, _) = gateway.command(&["selftest", "--config", &config]);
        assert_eq!(code, Some(1), "nobody is at any terminal: {told}");
        // What is registered is written anew when it starts.
        gateway.kill();
        gateway.start_again();
        gateway.wait_ready();
        init(dir.path(), &influx, &["--metrics", &gateway.at("/metrics")]);
        let client = Client::connect(broker.port, "town");
        for (topic, body) in [
            ("t1/H-0/alarm", json!({"boot": 1, "seq": 1, "condition": "no_water", "active": true})),
            ("t2/H-1/alarm", json!({"boot": 1, "seq": 1, "condition": "no_water", "active": true})),
            ("t1/D-0/alarm", json!({"boot": 1, "seq": 1, "condition": "smoke", "active": true})),
            ("t1/D-0/telemetry", json!({"boot": 1, "seq": 2, "battery_mv": 3_000})),
        ] {
            client.publish(&format!("standpipe/v1/{topic}"), body.to_string());
        }
        let seen = gateway.incident("the fire", Duration::from_secs(10), |incident| {
            incident["device"]["id"] == "D-0"
        });
        let path = format!("incidents/{}/actions", seen["id"].as_str().unwrap());
        let (status, answer) =
            gateway.post(&path, &json!({"action": "acknowledge", "by": "chief", "note": ""}));
        assert_eq!(status, 200, "{answer}");
        Self { influx, _broker: broker, gateway, client, dir }
    }
}

#[test]
fn every_question_of_every_dashboard_is_answered_well_and_soon() {
    let town = DashboardTown::start();
    let (influx, dir) = (&town.influx, town.dir.path());
    let [admin, gateway, grafana] = ["admin", "gateway", "grafana"].map(|name| token(dir, name));
    let until = now() / (15 * MINUTE) * 15 * MINUTE;
    for body in bodies(until) {
        assert_eq!(write(influx, &gateway, "standpipe", body), 204);
    }
    let lately = format!(
        "hydrant,device=H-3,station=c2,zone=z3 pressure_kpa=10 {0}\n\
         hydrant,device=H-5,station=c2,zone=z0 pressure_kpa=100 {0}\n",
        now()
    );
    assert_eq!(write(influx, &gateway, "standpipe", lately), 204);

    let ask = |flux: &str| influx.query_as(&grafana, flux);
    let of_30_days = long_questions();
    for question in &of_30_days {
        let before = ask(&question.flux)
            .unwrap_or_else(|bad| panic!("{}: {bad}\n{}", question.of, question.flux));
        assert!(before.is_empty(), "{} does not read hourly values", question.of);
    }
    assert!(of_30_days.len() >= 8, "only {} questions read history", of_30_days.len());
    down_sample(influx, &admin, until);
    // One more alarm after InfluxDB has seen the first: what is measured is the difference.
    let again = json!({"boot": 1, "seq": 3, "condition": "smoke", "active": true}).to_string();
    town.client.publish("standpipe/v1/t1/D-1/alarm", again);
    wait_for("what the gateway says of itself", Duration::from_secs(60), || {
        let flux = "from(bucket: \"standpipe_health\") |> range(start: -5m) |> filter(fn: (r) => \
                    r._measurement == \"standpipe_alarms_total\") |> last()";
        let counted = ask(flux).ok()?.first()?.get("_value")?.parse::<i64>().ok()?;
        (counted == 4).then_some(())
    });

    what_is_told_is_so(&ask);
    let mut slowest = (Duration::ZERO, String::new());
    let mut faults = Vec::new();
    let mut time = |question: &DashboardQuestion, flux: &str| -> Vec<InfluxRow> {
        let started = instant();
        let rows = ask(flux);
        let took = started.elapsed();
        if took > slowest.0 {
            slowest = (took, question.of.clone());
        }
        match rows {
            Ok(rows) if rows.is_empty() => faults.push(format!("{}: no rows\n{flux}", question.of)),
            Ok(rows) => {
                if let Some(why) = misshapen(question, &rows) {
                    faults.push(format!("{}: {why}: {:?}\n{flux}", question.of, rows[0]));
                }
                return rows;
            }
            Err(bad) => faults.push(format!("{}: {bad}\n{flux}", question.of)),
        }
        Vec::new()
    };
    let (mut asked, mut unshown) = (0, Vec::new());
    for days in [1, 30] {
        let span = span(days);
        for dashboard in all() {
            let variables = dashboard.variables(|question| {
                let flux = question.flux.clone();
                time(&question, &flux).iter().filter_map(|row| row.get("_value").cloned()).collect()
            });
            let mut answers: BTreeMap<usize, Vec<Vec<InfluxRow>>> = BTreeMap::new();
            for question in dashboard.questions() {
                let flux = about(&replaced(&question.flux, &variables), &span);
                assert!(!flux.contains("${") && !flux.contains("v."), "{}: {flux}", question.of);
                let rows = time(&question, &flux);
                if let Some(panel) = question.panel {
                    answers.entry(panel).or_default().push(rows);
                }
                asked += 1;
            }
            for (panel, answers) in &answers {
                let panel = &dashboard.json["panels"][panel];
                let title = &panel["title"];
                let fault = unshowable(panel, answers);
                unshown.extend(fault.map(|why| format!("{}: {title}: {why}", dashboard.name)));
            }
        }
    }
    for question in rules() {
        time(&question, &question.flux.clone());
        asked += 1;
    }
    faults.extend(unshown);
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    println!("{asked} questions; the slowest, {}, took {:?}", slowest.1, slowest.0);
    assert!(slowest.0 < SLOWEST, "{} took {:?}", slowest.1, slowest.0);
    let known = town.gateway.get("devices?per_page=1")["total"].clone();
    assert_eq!(known, HYDRANTS + DETECTORS + 4, "a detector of each station's own");
}

/// Of the town above, the numbers that a wrong query would have wrong.
fn what_is_told_is_so(ask: &dyn Fn(&str) -> Result<Vec<InfluxRow>, String>) {
    let files = all();
    let file = |name: &str| files.iter().find(|dashboard| dashboard.name == name).unwrap();
    let columns = |rows: Vec<InfluxRow>, names: &[&str]| -> Vec<String> {
        let row = |row: &InfluxRow| {
            names.iter().map(|name| row[*name].clone()).collect::<Vec<_>>().join(" ")
        };
        rows.iter().map(row).collect()
    };
    let places = "from(bucket: \"standpipe\") |> range(start: -2d) |> filter(fn: (r) => \
                  r._measurement == \"place\" and r._field == \"interval_s\") |> group() \
                  |> distinct(column: \"device\") |> count()";
    let found = columns(ask(places).unwrap(), &["_value"]);
    assert_eq!(found, [(HYDRANTS + DETECTORS).to_string()], "the self-test's are none");
    let everybody = [("station".to_owned(), ".*".to_owned())].into();
    let questions = file("district.json").questions();
    let by_township =
        questions.iter().find(|question| question.flux.contains("join.left")).unwrap();
    let rows = ask(&replaced(&by_township.flux, &everybody)).unwrap();
    let found = columns(rows, &["township", "hydrants", "dry", "low", "silent"]);
    assert_eq!(found, ["t1 50 0 0 0", "t2 50 1 1 0"]);
    let near = file("hydrant.json").json["templating"]["list"].as_array().unwrap().last().unwrap();
    let device = [("device".to_owned(), "H-40".to_owned())].into();
    let rows = ask(&replaced(near["query"].as_str().unwrap(), &device)).unwrap();
    let mut found = columns(rows, &["_value"]);
    found.sort();
    assert_eq!(found, ["H-37", "H-38", "H-39", "H-41", "H-42", "H-43"]);
}

/// Questions about 30 days that read what was measured, of one hydrant or detector.
fn long_questions() -> Vec<DashboardQuestion> {
    let variables = [
        ("device", "H-0"),
        ("near", "(H-1|H-2)"),
        ("station", "(t1|c2)"),
        ("zone", ".*"),
        ("township", ".*"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    all()
        .iter()
        .flat_map(Dashboard::questions)
        .filter(|question| question.flux.contains("standpipe_1h"))
        .map(|question| DashboardQuestion {
            flux: about(&replaced(&question.flux, &variables), &span(30)),
            ..question
        })
        .collect()
}

/// Why an answer is none; what a panel needs of its answers is in `shape.rs`.
fn misshapen(question: &DashboardQuestion, rows: &[InfluxRow]) -> Option<String> {
    let number = |row: &InfluxRow, name: &str| {
        row.get(name).is_some_and(|value| value.parse::<f64>().is_ok_and(f64::is_finite))
    };
    let timed =
        |row: &InfluxRow| row.get("_time").is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok());
    let every = |good: &dyn Fn(&InfluxRow) -> bool| rows.iter().all(good);
    match question.shown.as_str() {
        "timeseries" | "stat" | "table" | "geomap" => None,
        "rule" => (!every(&|row| timed(row) && number(row, "_value")))
            .then(|| "not times with numbers".into()),
        "annotation" => (!every(&|row| {
            timed(row) && ["title", "text"].iter().all(|name| !row[*name].is_empty())
        }))
        .then(|| "no time, title or text".into()),
        "variable" => (!every(&|row| row.get("_value").is_some_and(|value| !value.is_empty())))
            .then(|| "an empty choice".into()),
        other => Some(format!("nobody knows how `{other}` looks")),
    }
}

/// The questions of the alert rules.
fn rules() -> Vec<DashboardQuestion> {
    let rules = provisioning::read::<Rules>("alerting/rules.yaml").groups.remove(0).rules;
    let question = |rule: &provisioning::Rule| DashboardQuestion {
        of: rule.uid.clone(),
        shown: "rule".into(),
        panel: None,
        flux: rule.data[0].model["query"].as_str().expect("a question first").to_owned(),
    };
    rules.iter().map(question).collect()
}

/// `中文 · English`.
fn in_both_languages(title: &str) {
    let [zh, en] = title.split(" · ").collect::<Vec<_>>()[..] else {
        panic!("`{title}` is not 中文 · English")
    };
    assert!(!zh.is_ascii() && en.is_ascii(), "{title}");
}

fn no_two_alike(of: &str, all: &[Value]) {
    assert!(all.iter().enumerate().all(|(at, value)| !all[..at].contains(value)), "{of}: {all:?}");
}

#[test]
fn dashboards_are_small_named_in_both_languages_and_can_be_told_apart() {
    let dashboards = all();
    for dashboard in &dashboards {
        assert!(
            dashboard.lines < 400,
            "{} has {} lines: split it",
            dashboard.name,
            dashboard.lines
        );
        let panels = dashboard.json["panels"].as_array().unwrap();
        for titled in panels.iter().chain([&dashboard.json]) {
            in_both_languages(titled["title"].as_str().unwrap());
        }
        // Raw values are kept for 90 days: a panel that looks back to their end says so.
        let ends = |panel: &&Value| panel["targets"].to_string().contains("range(start: -89d)");
        for panel in panels.iter().filter(ends) {
            let said = panel["description"].as_str().unwrap_or_default();
            in_both_languages(said);
            assert!(said.contains("89 days"), "{said}");
        }
        no_two_alike(
            &dashboard.name,
            &panels.iter().map(|panel| panel["id"].clone()).collect::<Vec<_>>(),
        );
        let variables = dashboard.json["templating"]["list"].as_array().unwrap();
        for label in variables.iter().map(|variable| variable["label"].as_str().unwrap()) {
            assert!(!label.is_ascii() && label.contains(' '), "`{label}` is not 中文 English");
        }
    }
    let uids: Vec<Value> =
        dashboards.iter().map(|dashboard| dashboard.json["uid"].clone()).collect();
    assert_eq!(uids.len(), 4);
    no_two_alike("uid", &uids);
}

#[test]
fn dashboards_are_of_the_types_that_grafana_publishes() {
    let dashboards = all();
    let faults = grafana::faults(dashboards.iter().map(|dashboard| &dashboard.json));
    assert_eq!(faults, "");
    // The check finds what it should find.
    for (path, right, wrong) in [
        ("", "schemaVersion", "schema_version"),
        ("/panels/0/options", "textMode", "text_mode"),
        ("/panels/1/fieldConfig/defaults", "displayName", "name"),
        ("/panels/2/options/layers/0", "location", "place"),
        ("/panels/3/targets/0", "query", "flux"),
        ("/templating/list/0", "includeAll", "all"),
    ] {
        let mut broken = dashboards[1].json.clone();
        assert_eq!(dashboards[1].name, "district.json");
        let object = broken.pointer_mut(path).and_then(Value::as_object_mut).unwrap();
        let value = object.remove(right).unwrap_or_else(|| panic!("{path} has no {right}"));
        object.insert(wrong.to_owned(), value);
        let faults = grafana::faults([&broken]);
        assert!(faults.contains(wrong), "{path}/{wrong} is no fault: {faults}");
    }
}

#[test]
fn what_grafana_is_provisioned_with_fits_together() {
    let Datasources { api_version, datasources } = provisioning::read("datasources/influxdb.yaml");
    assert_eq!((api_version, datasources.len()), (1, 1));
    let source = &datasources[0];
    assert_eq!(source.json_data["version"], "Flux");
    for secret in source.secure_json_data.values() {
        assert!(secret.starts_with("$__file{/run/secrets/"), "a secret stands in the file");
    }
    let Providers { api_version, providers } = provisioning::read("dashboards/standpipe.yaml");
    assert_eq!((api_version, providers.len(), &*providers[0].r#type), (1, 1, "file"));
    for dashboard in all() {
        let text = dashboard.json.to_string();
        let sources = text.matches("\"datasource\":").count();
        let ours = format!("{{\"type\":\"{}\",\"uid\":\"{}\"}}", source.r#type, source.uid);
        assert_eq!(text.matches(&ours).count(), sources, "{}: another datasource", dashboard.name);
    }
    let Rules { api_version, groups } = provisioning::read("alerting/rules.yaml");
    assert_eq!((api_version, groups.len()), (1, 1));
    assert_eq!(groups[0].folder, providers[0].folder);
    for rule in &groups[0].rules {
        in_both_languages(&rule.title);
        assert!(!rule.annotations["summary"].is_ascii(), "{}", rule.uid);
        let names: Vec<&str> = rule.data.iter().map(|step| &*step.ref_id).collect();
        assert_eq!(names.last(), Some(&&*rule.condition), "{}", rule.uid);
        for (n, step) in rule.data.iter().enumerate() {
            assert_eq!(step.model["refId"], step.ref_id.as_str(), "{}", rule.uid);
            match &*step.datasource_uid {
                "__expr__" => {
                    let of = step.model["expression"].as_str().unwrap();
                    assert!(names[..n].contains(&of), "{}: `{of}` comes later", rule.uid);
                }
                asked => {
                    assert_eq!(asked, source.uid);
                    assert!(
                        step.relative_time_range
                            .as_ref()
                            .is_some_and(|range| range.from > range.to)
                    );
                }
            }
        }
    }
    let uids: Vec<Value> = groups[0].rules.iter().map(|rule| rule.uid.clone().into()).collect();
    no_two_alike("uid", &uids);
}
