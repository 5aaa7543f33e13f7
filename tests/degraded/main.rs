//! What is not needed to page never stops paging: each row of the table in `deploy/README.md`, broken
//! under the real gateway, which starts, pages a fire, says everywhere what it does without, and names
//! the command that mends it. A store that is lost is in `lost.rs`.

mod lost;
mod site;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use standpipe_tests::receiver::WebhookEnd;
use standpipe_tests::{now, wait_for};

use site::{CHECK, DegradedTown, GARBAGE, MAP, RESTORE, SOON, files_of, garble, is_paged, remove};

/// One row of the table.
struct Row {
    story: &'static str,
    breaks: fn(&mut DegradedTown),
    part: &'static str,
    /// What is wrong.
    fault: &'static str,
    /// What mends it.
    mend: &'static str,
    /// Whether `standpipe check` finds it, too.
    checked: bool,
    mends: fn(&mut DegradedTown),
}

const ROWS: &[Row] = &[
    Row {
        story: "history.db is garbage",
        breaks: |town| garble(town, "history.db"),
        part: "history",
        fault: "history.db.unreadable-",
        mend: RESTORE,
        checked: false,
        mends: |town| {
            let aside = files_of(&town.gateway.dir, "history.db.unreadable-");
            assert_eq!(std::fs::read(&aside[0]).unwrap(), GARBAGE, "the old one is kept");
            aside.iter().for_each(|file| std::fs::remove_file(file).unwrap());
        },
    },
    Row {
        story: "accounts.db is garbage",
        breaks: |town| garble(town, "accounts.db"),
        part: "accounts",
        fault: "accounts.db.unreadable-",
        mend: "standpipe account add NAME --role admin --config standpipe.toml",
        checked: false,
        mends: |town| {
            let config = town.file("standpipe.toml").display().to_string();
            let add = ["account", "add", "wang", "--role", "admin", "--config", &config];
            assert_eq!(town.gateway.command(&add).0, Some(0), "while the gateway runs");
        },
    },
    Row {
        story: "one device's row",
        breaks: |town| {
            // Without the file that would bring it back.
            town.put("[registry]\n", "[registry]\n#");
            town.put("\ndevices", "\n#devices");
            town.sql("UPDATE device SET json = '{\"id\":' WHERE id = 'S-1'");
        },
        part: "store_rows",
        fault: "device `S-1` can't be read",
        mend: RESTORE,
        checked: false,
        mends: |_| {},
    },
    Row {
        story: "one device's memory",
        breaks: |town| {
            town.sql("UPDATE memory SET body = x'ff00' WHERE ix = (SELECT MAX(ix) FROM memory)")
        },
        part: "store_rows",
        fault: "memory `",
        mend: RESTORE,
        checked: false,
        mends: |_| {},
    },
    Row {
        story: "an open incident's row",
        breaks: |town| town.sql("UPDATE incident SET inner = 'x' WHERE open = 1"),
        part: "store_rows",
        fault: "incident `",
        mend: RESTORE,
        checked: false,
        mends: |town| town.is_acknowledged("S-12"),
    },
    Row {
        story: "what the book remembers",
        breaks: |town| town.sql("UPDATE meta SET value = 'x' WHERE key = 'book'"),
        part: "store_rows",
        fault: "meta `book` can't be read",
        mend: RESTORE,
        checked: false,
        mends: |_| {},
    },
    Row {
        story: "the map file is gone",
        breaks: |town| remove(town, "map.json"),
        part: "config",
        fault: "http.map_file",
        mend: CHECK,
        checked: true,
        mends: |town| std::fs::write(town.file("map.json"), MAP).unwrap(),
    },
    Row {
        story: "a receiver's secret is gone",
        breaks: |town| remove(town, "secret"),
        part: "receivers",
        fault: "webhook[3].secret_file",
        mend: CHECK,
        checked: true,
        mends: |town| std::fs::write(town.file("secret"), "s3cret").unwrap(),
    },
    Row {
        story: "a receiver's address is none",
        breaks: |town| {
            let url = format!("\"second\"\nurl = \"{}\"", town.second.url);
            town.put(&url, "\"second\"\nurl = \"http//x\"");
        },
        part: "receivers",
        fault: "not a web address",
        mend: CHECK,
        checked: true,
        mends: |town| {
            let url = format!("\"second\"\nurl = \"{}\"", town.second.url);
            town.put("\"second\"\nurl = \"http//x\"", &url);
        },
    },
    Row {
        story: "a receiver of a station that is not there",
        breaks: |town| town.put("name = \"duty\"", "name = \"duty\"\nstation = \"t-9\""),
        part: "receivers",
        fault: "station = `t-9`",
        mend: CHECK,
        checked: true,
        mends: |town| town.put("station = \"t-9\"\n", ""),
    },
    Row {
        story: "the token of InfluxDB is gone",
        breaks: |town| {
            town.put(
                "[store]\n",
                "[influx]\nurl = \"http://127.0.0.1:9\"\ntoken_file = \"gone\"\n[store]\n",
            );
        },
        part: "config",
        fault: "influx.token_file",
        mend: CHECK,
        checked: true,
        mends: |town| std::fs::write(town.file("gone"), "token").unwrap(),
    },
    Row {
        story: "no such time zone",
        breaks: |town| town.put("[http]\n", "[http]\ntimezone = \"Asia/Shangai\"\n"),
        part: "config",
        fault: "no such time zone",
        mend: CHECK,
        checked: true,
        mends: |town| town.put("Asia/Shangai", "Asia/Shanghai"),
    },
    Row {
        story: "an unknown key",
        breaks: |town| town.put("[http]\n", "[http]\nlistn = 1\n"),
        part: "config",
        fault: "standpipe.toml:4: http.listn: unknown key: did you mean `listen`",
        mend: CHECK,
        checked: true,
        mends: |town| town.put("listn = 1\n", ""),
    },
    Row {
        story: "a value that can't be",
        breaks: |town| town.put("[store]\n", "[escalation.fire]\nstep2_s = \"soon\"\n[store]\n"),
        part: "config",
        fault: "escalation.fire.step2_s = \"soon\"",
        mend: CHECK,
        checked: true,
        mends: |town| town.put("\"soon\"", "60"),
    },
    Row {
        story: "the secret of the ids is gone",
        breaks: |town| remove(town, "ids.secret"),
        part: "ids",
        fault: "`ids.secret`",
        mend: "cp BACKUP/config/ids.secret .",
        checked: false,
        mends: |_| {},
    },
];

impl Row {
    /// Says everywhere what is wrong with this part, and what mends it.
    fn is_told(&self, town: &DegradedTown) {
        let Self { story, part, fault, mend, .. } = self;
        let ready = wait_for("what is degraded", SOON, || {
            let ready = town.ready();
            (ready["degraded"] == json!([part])).then_some(ready)
        });
        let why = ready["warnings"].as_array().into_iter().flatten();
        let why = why.filter(|warning| warning["part"] == *part).map(|warning| &warning["why"]);
        let why = why.map(|why| why.as_str().unwrap()).collect::<String>();
        assert!(why.contains(fault) && why.contains(mend), "{story}: {ready}");
        assert_eq!(town.metric(part), "1", "{story}");
        for path in ["/", "/devices/S-1", "/map", "/reports", "/quarantine"] {
            for language in ["en", "zh"] {
                let page = town.page(path, language);
                let banner = format!("data-part=\"{part}\"");
                assert!(
                    page.contains(&banner) && page.contains(mend),
                    "{story}: {path} {language}"
                );
            }
        }
        let of_it = |incident: &Value| incident["conditions"] == json!(["degraded"]);
        let incident = town.gateway.incident("its incident", SOON, of_it);
        let [class, severity, state] = ["class", "severity", "state"].map(|key| &incident[key]);
        assert_eq!([class, severity, state], ["upkeep", "warning", "open"], "{story}: {incident}");
        assert!(
            incident["detail"].to_string().contains(&mend.replace('"', "\\\"")),
            "{story}: {incident}"
        );
        let page: Value = serde_json::from_slice(&town.admin.hear().body).unwrap();
        assert_eq!(page["id"], incident["id"], "{story}: administrators are told");
        let printed = town.gateway.printed();
        assert!(printed.contains(fault), "{story}: {printed}");
    }
}

#[test]
fn what_is_not_needed_to_page_never_stops_paging() {
    let fails = |row: &&Row| std::panic::catch_unwind(|| holds(row)).is_err();
    let failed: Vec<&str> = ROWS.iter().filter(fails).map(|row| row.story).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

fn holds(row: &Row) {
    let story = row.story;
    println!("{story}");
    let mut town = DegradedTown::begin();
    town.start();
    town.pages_a_fire_of("S-12");
    assert_eq!(town.ready()["degraded"], json!([]), "{story}");
    town.gateway.kill();
    (row.breaks)(&mut town);
    town.start();
    town.pages_a_fire_of("S-1");
    row.is_told(&town);
    let (code, bad) = town.check();
    let found = code == Some(2) && bad.contains(row.fault);
    assert!(!row.checked || found, "{story}: {code:?} {bad}");
    (row.mends)(&mut town);
    town.gateway.kill();
    town.start();
    wait_for("all is well", SOON, || (town.ready()["degraded"] == json!([])).then_some(()));
    assert_eq!(town.metric(row.part), "0", "{story}");
    wait_for("its end", SOON, || {
        let all = town.gateway.list("incidents?state=open,acknowledged,resolved,closed");
        let mut all = all.iter().filter(|incident| incident["conditions"] == json!(["degraded"]));
        all.all(|incident| incident["state"] == "closed").then_some(())
    });
    town.pages_a_fire_of("S-2");
}

#[test]
fn an_incident_of_which_nothing_can_be_read_is_news_when_its_device_speaks() {
    let mut town = DegradedTown::begin();
    town.start();
    town.pages_a_fire_of("S-12");
    town.gateway.kill();
    town.sql(
        "UPDATE incident SET inner = 'x', wire = '{\"device\":{\"id\":\"S-12\"}}' WHERE open = 1",
    );
    town.start();
    let warnings = town.ready()["warnings"].to_string();
    assert!(warnings.contains("its device pages anew when it speaks"), "{warnings}");
    town.pages_a_fire_of("S-1");
    town.alarm("S-12");
    town.is_acknowledged("S-12");
}

#[test]
fn an_incident_whose_row_says_nothing_hides_no_other_from_a_list() {
    let mut town = DegradedTown::begin();
    town.start();
    let open = |town: &DegradedTown| {
        let all = town.gateway.list("incidents?state=open");
        let device = |incident: &Value| incident["device"]["id"].as_str().map(str::to_owned);
        all.iter().filter_map(device).collect::<Vec<_>>()
    };
    for detector in ["S-12", "S-2"] {
        town.pages_a_fire_of(detector);
    }
    town.gateway.kill();
    town.sql("UPDATE incident SET wire = '{}' WHERE json_extract(wire, '$.device.id') = 'S-12'");
    town.sql("UPDATE incident SET wire = '{}', inner = '{' WHERE wire LIKE '%S-2\"%'");
    town.start();
    town.pages_a_fire_of("S-1");
    wait_for("what is known of one", SOON, || {
        let open = open(&town);
        ["S-1", "S-12"].iter().all(|known| open.iter().any(|id| id == known)).then_some(())
    });
    assert!(!open(&town).contains(&"S-2".to_owned()), "of that nothing can be read");
}

#[test]
fn what_a_receiver_is_owed_while_it_is_off_waits_for_it() {
    let mut town = DegradedTown::begin();
    remove(&town, "secret");
    town.start();
    town.pages_a_fire_of("S-1");
    assert!(town.second.next(Duration::from_secs(2)).is_none(), "nothing goes out unsigned");
    town.gateway.kill();
    std::fs::write(town.file("secret"), "s3cret").unwrap();
    town.start();
    is_paged(&town.second, "S-1", SOON);
}

#[test]
fn a_taken_port_keeps_nobody_from_being_paged_and_is_tried_again() {
    let mut town = DegradedTown::begin();
    let address = town.gateway.at("").trim_start_matches("http://").to_owned();
    let taken = TcpListener::bind(&address).unwrap();
    town.gateway.start_again();
    let page: Value = serde_json::from_slice(&town.admin.hear().body).unwrap();
    assert_eq!(page["conditions"], json!(["degraded"]), "{page}");
    assert!(page["detail"].to_string().contains("ss -ltnp"), "{page}");
    town.pages_a_fire_of("S-1");
    drop(taken);
    town.gateway.wait_ready();
    wait_for("all is well", SOON, || (town.ready()["degraded"] == json!([])).then_some(()));
    let of_it = |incident: &Value| incident["conditions"] == json!(["degraded"]);
    wait_for("its end", SOON, || {
        let all = town.gateway.list("incidents?state=closed");
        all.iter().any(of_it).then_some(())
    });
}

#[test]
fn a_mistyped_token_of_influx_is_told_until_it_is_right() {
    let mut town = DegradedTown::begin();
    let right = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&right);
    let influx = WebhookEnd::start(move |_| {
        let right = asked.load(Ordering::Relaxed);
        if right { "204 No Content" } else { "401 Unauthorized" }.to_owned()
    });
    let url = influx.url.trim_end_matches("/hook").to_owned();
    std::fs::write(town.file("token"), "mistyped").unwrap();
    town.put("[store]\n", &format!("[influx]\nurl = \"{url}\"\ntoken_file = \"token\"\n[store]\n"));
    town.start();
    let reading = json!({"boot": 1, "seq": 1, "ts": now(), "pressure_kpa": 300.0});
    town.terminal.publish("standpipe/v1/t-1/H-1/telemetry", false, &reading);
    town.pages_a_fire_of("S-1");
    let row = Row {
        story: "InfluxDB's token is mistyped",
        breaks: |_| {},
        part: "history",
        fault: "check the token in `influx.token_file`",
        mend: "check the token in `influx.token_file`",
        checked: false,
        mends: |_| {},
    };
    row.is_told(&town);
    town.gateway.kill();
    std::fs::write(town.file("token"), "right").unwrap();
    right.store(true, Ordering::Relaxed);
    town.start();
    wait_for("all is well", SOON, || (town.ready()["degraded"] == json!([])).then_some(()));
}

#[test]
fn only_without_a_broker_there_is_no_start() {
    let mut town = DegradedTown::begin();
    let text = std::fs::read_to_string(town.file("standpipe.toml")).unwrap();
    let url = text.lines().find(|line| line.starts_with("url")).unwrap().to_owned();
    for instead in ["", "url = \"broker\"", "url = 1"] {
        town.put(&url, instead);
        town.gateway.start_again();
        let code = wait_for("its end", SOON, || town.gateway.ended());
        assert_eq!(code, 2, "{instead}: {}", town.gateway.printed());
        std::fs::write(town.file("standpipe.toml"), &text).unwrap();
    }
    town.start();
    town.pages_a_fire_of("S-1");
}
