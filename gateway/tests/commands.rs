//! The commands as a person types them: what they say, and their exit codes.
//!
//! Without a broker: `run` and `demo` are in `tests/` of the workspace.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

const STATIONS: &str = "\
id,name,level,parent,lat,lon
d,支队,district,,29.38,106.54
t,鱼洞站,township,d,29.381,106.551
";
const DEVICES: &str = "\
id,kind,name,station,zone,profile,lat,lon,address,interval_s
H1,hydrant,消火栓 1,t,main-01,municipal,29.35,106.52,滨江路,60
";
const CONFIG: &str = "[mqtt]\nurl = \"mqtt://127.0.0.1\"\n";

/// A folder with the registry's files, a configuration and whatever else.
fn folder(more: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let usual = [("stations.csv", STATIONS), ("devices.csv", DEVICES), ("standpipe.toml", CONFIG)];
    for (name, text) in usual.iter().chain(more) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Exit code, output and error output of a command line.
fn standpipe(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_standpipe"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .env_remove("STANDPIPE_ADMIN_TOKEN")
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn wrong_usage_is_2() {
    let folder = folder(&[]);
    for line in ["", "dance", "run", "check", "import", "backtest --out x", "export --device H1"] {
        let (code, out, err) = standpipe(folder.path(), line);
        assert_eq!((code, &*out), (Some(2), ""), "{line}");
        assert!(err.contains("Usage: "), "{line}: {err}");
    }
    assert_eq!(standpipe(folder.path(), "--version").0, Some(0));
}

#[test]
fn a_wrong_configuration_is_2_and_all_is_said() {
    let wrong = "[mqtt]\nroot = \"#\"\n[http]\nlisten = \"everywhere\"\n[registry]\ndevices = \"bad.csv\"\n\
                 [profile.old]\nmin_kpa = 3000\n[[webhook]]\nname = \"a\"\nurl = \"http://a\"\nstation = \"gone\"\n";
    let bad = "id,kind,name,station,zone,profile,lat,lon,address\nX,hydrant,x,t,,old,91,1,\n";
    let folder = folder(&[("wrong.toml", wrong), ("bad.csv", bad)]);
    let (code, _, err) = standpipe(folder.path(), "run --config wrong.toml");
    assert_eq!((code, err.lines().count()), (Some(2), 4), "{err}");
    let import = standpipe(folder.path(), "import --stations stations.csv");
    assert_eq!(import.0, Some(0), "{}", import.2);
    let (code, out, err) = standpipe(folder.path(), "check --config wrong.toml");
    assert_eq!((code, &*out), (Some(2), ""));
    let told: Vec<&str> = err.lines().map(|it| it.split(": ").next().unwrap()).collect();
    assert_eq!(
        told,
        [
            "wrong.toml",
            "wrong.toml",
            "wrong.toml:2",
            "wrong.toml:4",
            "bad.csv:2",
            "wrong.toml",
            "6 faults"
        ],
        "{err}"
    );
    assert!(err.contains("wrong.toml: mqtt.url: missing"), "{err}");
    assert!(err.contains("webhook `a`: station = `gone`: no such station"), "{err}");
    let (code, _, err) = standpipe(folder.path(), "check --config nowhere.toml");
    assert_eq!(code, Some(2));
    assert!(err.starts_with("nowhere.toml: cannot be read"), "{err}");
}

#[test]
fn what_is_imported_is_known_from_then_on() {
    let folder = folder(&[]);
    let import = "import --stations stations.csv --devices devices.csv";
    let (code, out, err) = standpipe(folder.path(), import);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.starts_with("devices.csv: places are taken as WGS-84") && err.lines().count() == 1);
    assert_eq!(out, "2 stations and 1 devices into standpipe.db\n");
    let (code, out, err) = standpipe(folder.path(), "check --config standpipe.toml");
    assert_eq!((code, &*err), (Some(0), ""));
    assert!(out.starts_with("2 stations, 1 devices, 0 webhooks: nothing wrong\n"), "{out}");
    assert!(out.contains("\nt (鱼洞站), 1 devices\n  fire     at once t; after 60 s"), "{out}");
}

#[test]
fn nothing_is_imported_with_a_bad_row_unless_it_may_be_skipped() {
    let two = "id,kind,name,station,zone,profile,lat,lon,address\n\
               A,hydrant,a,t,,,29.38,106.55,\nB,hydrant,b,nowhere,,,29.38,106.55,\n";
    let folder = folder(&[("two.csv", two)]);
    let import = "import --stations stations.csv --devices two.csv";
    let (code, out, err) = standpipe(folder.path(), import);
    assert_eq!((code, &*out), (Some(1), ""));
    assert_eq!(
        err,
        "two.csv:3: station = `nowhere`: no such good station: correct it, or add it to the stations\n\
         1 fault, nothing was done: correct them, or add --skip-bad\n"
    );
    let known = |folder: &Path| standpipe(folder, "check --config standpipe.toml").1;
    assert!(known(folder.path()).starts_with("0 stations, 0 devices"));
    let (code, out, _) = standpipe(folder.path(), &format!("{import} --skip-bad"));
    assert_eq!((code, &*out), (Some(0), "2 stations and 1 devices into standpipe.db\n"));
    assert!(known(folder.path()).starts_with("2 stations, 1 devices"));
    let none = "id,kind,station\nB,hydrant,nowhere\n";
    std::fs::write(folder.path().join("none.csv"), none).unwrap();
    let (code, _, err) = standpipe(folder.path(), "import none.csv --skip-bad --yes");
    assert!(code == Some(1) && err.contains("nothing was done"), "nothing is left: {err}");
    let (code, _, err) = standpipe(folder.path(), "import --devices gone.csv");
    assert_eq!(code, Some(1));
    assert!(err.starts_with("gone.csv: cannot be read"), "{err}");
}

#[test]
fn a_registry_that_has_something_changes_only_when_a_person_says_so() {
    let folder = folder(&[]);
    let import = "import --stations stations.csv --devices devices.csv";
    assert_eq!(standpipe(folder.path(), import).0, Some(0));
    let (code, out, err) = standpipe(folder.path(), import);
    assert_eq!((code, &*out), (Some(0), ""), "the same again");
    assert!(err.ends_with("nothing changes\n"), "{err}");
    let other = "编号;类型;站点\nH1;消火栓;t\nH2;消火栓;鱼洞站\n";
    std::fs::write(folder.path().join("more.csv"), other).unwrap();
    let (code, out, err) = standpipe(folder.path(), "import more.csv");
    assert_eq!((code, &*out), (Some(1), "device H2: new\n"), "{err}");
    assert!(err.ends_with("add --yes\n"), "{err}");
    let known = |folder: &Path| standpipe(folder, "check --config standpipe.toml").1;
    assert!(known(folder.path()).starts_with("2 stations, 1 devices"));
    assert_eq!(standpipe(folder.path(), "import more.csv --yes").0, Some(0));
    assert!(known(folder.path()).starts_with("2 stations, 2 devices"));
    let (code, out, _) = standpipe(folder.path(), import);
    assert_eq!((code, &*out), (Some(0), "device H2: not in the list, stays\n"));
    assert!(known(folder.path()).starts_with("2 stations, 2 devices"));
}

/// One reading a minute: good until 10, low until 20, good until 30.
fn recorded() -> String {
    let mut text = String::from("arrive_ms,ts,device,boot,seq,pressure_kpa\n");
    for minute in 0..30_i64 {
        let ts = 1_762_300_800_000 + minute * 60_000;
        let kpa = if (10..20).contains(&minute) { 100 + minute } else { 300 + minute };
        text += &format!("{},{ts},H1,1,{},{kpa}\n", ts + 500, minute + 1);
    }
    text
}

#[test]
fn a_recorded_hour_is_judged_plain_or_packed() {
    let folder = folder(&[("readings.csv", &recorded())]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(recorded().as_bytes()).unwrap();
    std::fs::write(folder.path().join("readings.csv.gz"), gz.finish().unwrap()).unwrap();
    for file in ["readings.csv", "readings.csv.gz"] {
        let line = format!(
            "backtest --stations stations.csv --devices devices.csv --readings {file} --out out.csv"
        );
        let (code, out, err) = standpipe(folder.path(), &line);
        assert_eq!((code, &*err), (Some(0), ""));
        assert_eq!(out, "30 readings, 1 conditions: out.csv\n");
        let found = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
        assert_eq!(
            found,
            "id,device,zone,condition,severity,raised_ms,detected_ms,cleared_ms\n\
             1,H1,main-01,low_pressure,warning,1762301400000,1762301460500,1762302000000\n"
        );
    }
}

#[test]
fn a_bad_reading_stops_the_judging_unless_it_may_be_skipped() {
    let bad = recorded().replace(",H1,1,13,112\n", ",H1,1,13,low\n");
    let folder = folder(&[("readings.csv", &bad)]);
    let line =
        "backtest --stations stations.csv --devices devices.csv --readings readings.csv --out -";
    let (code, out, err) = standpipe(folder.path(), line);
    assert_eq!((code, &*out), (Some(1), ""));
    assert_eq!(
        err,
        "readings.csv:14: pressure_kpa = `low`: not a finite number: write one, or nothing\n\
         1 fault, nothing was done: correct them, or add --skip-bad\n"
    );
    let (code, out, _) = standpipe(folder.path(), &format!("{line} --skip-bad"));
    assert_eq!(code, Some(0));
    assert!(out.contains("\n1,H1,main-01,low_pressure,warning,1762301400000,"), "{out}");
}

#[test]
fn export_without_history_says_where_it_looked() {
    let folder = folder(&[]);
    let line = "export --device H1 --from 2026-11-01 --to 2026-12-01 --format csv";
    let (code, _, err) = standpipe(folder.path(), line);
    assert_eq!((code, &*err), (Some(1), "history.db: no history there: check `store.path`\n"));
    let line = "export --device H1 --from 2026-12-01 --to 2026-11-01 --format csv";
    let (code, _, err) = standpipe(folder.path(), line);
    assert_eq!((code, &*err), (Some(2), "--from is not before --to: exchange them\n"));
    let line = "export --device H1 --from noon --to 2026-11-01 --format csv";
    assert_eq!(standpipe(folder.path(), line).0, Some(2));
}

/// Exit code of a command line whose output and error output nobody reads any more.
fn unread(folder: &Path, line: &str) -> Option<i32> {
    let closed = || std::io::pipe().unwrap().1;
    let mut command = Command::new(env!("CARGO_BIN_EXE_standpipe"));
    command.args(line.split_whitespace()).current_dir(folder).env("RUST_LOG", "trace");
    command.stdout(closed()).stderr(closed()).status().unwrap().code()
}

#[test]
#[rustfmt::skip] // a table
fn whoever_stops_reading_ends_nothing_in_a_panic() {
    let bad = "id,kind,name,station,zone,profile,lat,lon,address\nX,hydrant,x,t,,old,91,1,\n";
    let cut = recorded().replace(",H1,1,13,112\n", ",H1,1,13,low\n");
    let folder = folder(&[("bad.csv", bad), ("readings.csv", &recorded()), ("cut.csv", &cut)]);
    let registry = "--stations stations.csv --devices devices.csv";
    let span = "--device H1 --from 2026-11-01 --to 2026-12-01";
    let history = standpipe_series::embedded::EmbeddedHistory::open(&folder.path().join("history.db"));
    drop(history.unwrap());
    for (line, code) in [
        (format!("import {registry}"),                                                0),
        ("import --devices bad.csv".to_owned(),                                       1),
        ("check --config standpipe.toml".to_owned(),                                  0),
        ("check --config nowhere.toml".to_owned(),                                    2),
        ("check --settings".to_owned(),                                               0),
        (format!("backtest {registry} --readings readings.csv --out -"),              0),
        (format!("backtest {registry} --readings readings.csv --out out.csv"),        0),
        (format!("backtest {registry} --readings cut.csv --out -"),                   1),
        (format!("backtest {registry} --readings cut.csv --out - --skip-bad"),        0),
        ("report --month 2026-11 --format csv".to_owned(),                            0),
        ("report --month 2026-11 --format html --station nowhere".to_owned(),         1),
        (format!("export {span} --format csv"),                                       0),
        (format!("export {span} --format json"),                                      0),
        ("export --device H1 --from noon --to 2026-12-01 --format csv".to_owned(),    2),
        ("account list".to_owned(),                                                   0),
        ("account add --role admin chief".to_owned(),                                 0),
        ("account add --role admin chief".to_owned(),                                 1),
        (format!("provision {registry} --out keys"),                                  0),
        ("backup --config standpipe.toml --out kept".to_owned(),                      0),
        ("backup --config standpipe.toml --out /dev/null/x".to_owned(),               1),
        ("dance".to_owned(),                                                          2),
        ("--help".to_owned(),                                                         0),
    ] {
        assert_eq!(unread(folder.path(), &line), Some(code), "{line}");
    }
    assert!(folder.path().join("out.csv").is_file());
}
