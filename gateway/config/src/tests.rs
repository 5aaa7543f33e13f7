//! A configuration read whole: its defaults, its faults all at once, and what they advise.

use std::collections::BTreeSet;
use std::path::Path;

use insta::assert_snapshot;
use standpipe_receivers::formats::{self, Json};
use standpipe_rules::incidents::{Plan, ReceiverRole, Route, Steps};
use standpipe_rules::registry::Profile;
use standpipe_shared::{Kind, Severity};

use super::{BrokerAddress, Config, Language, Secret, WebhookFormat, keys};
use crate::trust::Authorities;

const MINIMAL: &str = "[mqtt]\nurl = \"mqtt://127.0.0.1\"\n";

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new("standpipe.toml"), None).unwrap_or_else(|bad| panic!("{bad}"))
}

fn faults(text: &str) -> String {
    match Config::parse(text, Path::new("standpipe.toml"), None) {
        Ok(good) => panic!("no fault found: {good:?}"),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn the_brokers_address_is_all_that_must_be_said() {
    let config = parse(MINIMAL);
    assert_eq!(config, Config::new(BrokerAddress::loopback()));
    assert_eq!(config.plan(), Plan::default());
}

#[test]
fn the_example_file_is_the_defaults() {
    let text = include_str!("../../../deploy/standpipe.toml");
    assert_eq!(parse(text), Config::new(BrokerAddress::loopback()));
}

/// The example file with every key in it, in a folder with every file it names.
fn whole_example() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    for file in ["mqtt.password", "ca.pem", "gateway.pem", "gateway.key"] {
        std::fs::write(folder.path().join(file), "text").unwrap();
    }
    for file in ["influx.token", "duty.secret", "duty.token", "stations.csv", "devices.csv"] {
        std::fs::write(folder.path().join(file), "text").unwrap();
    }
    let roads = r#"{"coordinates": [[106.5, 29.4], [106.6, 29.5]]}"#;
    std::fs::write(folder.path().join("roads.geojson"), roads).unwrap();
    // A commented key or section is `#key = value` or `#[section]`; words follow `# `.
    let whole: Vec<&str> = include_str!("../../../deploy/standpipe.toml")
        .lines()
        .map(|line| line.strip_prefix('#').filter(|key| !key.starts_with(' ')).unwrap_or(line))
        .collect();
    let text = whole.join("\n").replace("\"mqtt://", "\"mqtts://");
    (folder, text)
}

#[test]
fn the_example_file_names_every_key() {
    let (folder, text) = whole_example();
    let file = folder.path().join("standpipe.toml");
    let (config, known) =
        super::read::config(&text, &file, None).unwrap_or_else(|bad| panic!("{bad}"));
    for key in known {
        let last = key.rsplit('.').next().unwrap();
        let named = text.lines().any(|line| {
            line.starts_with(&format!("{last} ="))
                || line.starts_with(&format!("[{key}"))
                || line.starts_with(&format!("[[{key}"))
        });
        assert!(named, "{key} is not in deploy/standpipe.toml");
    }
    let [(name, profile)] = &config.profiles[..] else { panic!("{:?}", config.profiles) };
    assert_eq!(&**name, "old_town");
    assert_eq!(profile, Profile::default_of(Kind::Hydrant), "every number at its default");
}

#[test]
fn every_key_is_listed_and_every_listed_key_is_read() {
    let (folder, text) = whole_example();
    let file = folder.path().join("standpipe.toml");
    let (_, known) = super::read::config(&text, &file, None).unwrap_or_else(|bad| panic!("{bad}"));
    let known: BTreeSet<String> = known.iter().map(|key| key.replace("[1]", "")).collect();
    let section = |key: &str| known.iter().any(|name| name.starts_with(&format!("{key}.")));
    let read: BTreeSet<String> = known.iter().filter(|key| !section(key)).cloned().collect();
    let of = |group: &keys::KeySection| {
        let name = group.name;
        keys::keys(group).into_iter().map(move |key| format!("{name}.{}", key.name))
    };
    let listed: BTreeSet<String> = keys::ALL.iter().flat_map(of).collect();
    let missing: Vec<_> = read.difference(&listed).collect();
    assert!(missing.is_empty(), "without a row in config/keys.rs: {missing:?}");
    let unread: Vec<_> = listed.difference(&read).collect();
    assert!(unread.is_empty(), "listed in config/keys.rs, and no key: {unread:?}");
}

#[test]
fn a_listed_default_is_what_holds_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("influx.token"), "token").unwrap();
    let file = folder.path().join("standpipe.toml");
    let parse =
        |text: &str| Config::parse(text, &file, None).unwrap_or_else(|bad| panic!("{bad}\n{text}"));
    let mut compared = 0;
    for group in keys::ALL {
        let section = match group.name {
            "mqtt" => MINIMAL.to_owned(),
            "webhook" => format!("{MINIMAL}[[webhook]]\nname = \"a\"\nurl = \"http://a\"\n"),
            "profile" => format!("{MINIMAL}[profile.any]\n"),
            name => format!("{MINIMAL}[{name}]\n"),
        };
        for key in &keys::keys(group) {
            let Some(default) = keys::default(group, key) else { continue };
            let said = format!("{section}{} = {default}\n", key.name);
            assert_eq!(parse(&said), parse(&section), "{}.{}", group.name, key.name);
            compared += 1;
        }
    }
    assert!(compared > 60, "only {compared} defaults: is the list empty?");
}

#[test]
fn the_page_of_settings_is_what_the_code_says() {
    let page = include_str!("../../../deploy/SETTINGS.md");
    // Without the texts themselves: they fill a screen.
    assert!(page == keys::page(), "it differs: standpipe check --settings > deploy/SETTINGS.md");
}

#[test]
fn ten_faults_are_told_at_once() {
    let text = r#"
[mqtt]
url = "http://broker"
root = "a/#"
usrname = "standpipe"
password_file = "nowhere.txt"

[http]
listen = "0.0.0.0:8080"
timezone = "Chongqing"
language = "de"

[escalation.fire]
step2_s = -1
repeat_s = 1

[verify]
hours = "24"

[[webhook]]
role = "boss"
severities = ["fire", "bad"]
steps = [1, 4]
url = "ftp://duty"

[profile.old_town]
base = "village"
min_kpa = 1200
max_kpa = "high"
low_fr_s = 3

[colour]
"#;
    assert_snapshot!(faults(text), @r#"
standpipe.toml:3: mqtt.url = "http://broker": not a broker's address: write mqtt://host[:1883] or mqtts://host[:8883]
standpipe.toml:4: mqtt.root = "a/#": not a root: write levels joined by /, without +, # and a $ in front
standpipe.toml:5: mqtt.usrname: unknown key: did you mean `username`
standpipe.toml:6: mqtt.password_file = "nowhere.txt": nowhere.txt cannot be read (No such file or directory (os error 2)): put it there
standpipe.toml:10: http.timezone = "Chongqing": no such time zone: write an IANA name, such as Asia/Shanghai
standpipe.toml:11: http.language = "de": no such language: write "zh" or "en"
standpipe.toml:14: escalation.fire.step2_s = -1: not a whole number in range: write 0 to 604800
standpipe.toml:18: verify.hours = "24": not a whole number in range: write 0 to 336
standpipe.toml:20: webhook[1].name: missing: name it, pages are kept under that name
standpipe.toml:21: webhook[1].role = "boss": no such role: write "officer", "chief" or "admin"
standpipe.toml:22: webhook[1].severities = "bad": not understood: write ["fire", "critical", …]
standpipe.toml:23: webhook[1].steps = 4: not understood: write [1, 2, 3]
standpipe.toml:24: webhook[1].url = "ftp://duty": not a web address: write http://… or https://…
standpipe.toml:27: profile.old_town.base = "village": no such profile: write one of indoor, indoor_highrise, indoor_supertall, municipal, smoke_home, smoke_site
standpipe.toml:29: profile.old_town.max_kpa = "high": of the wrong kind: write it like 1000.0
standpipe.toml:30: profile.old_town.low_fr_s: unknown key: did you mean `low_for_s`
standpipe.toml:32: colour: unknown key: take it out; known here are mqtt, http, store, influx, webhook, escalation, verify, digest, keep, profile, registry
"#);
}

#[test]
fn a_secret_is_never_shown() {
    let text = "[mqtt]\nurl = \"mqtt://me:hunter2@broker\"\npassword = \"hunter2\"\n";
    let text = faults(text);
    assert!(!text.contains("hunter2"), "{text}");
    assert_snapshot!(text, @r#"
standpipe.toml: mqtt.url: a name or password in it: use `username` and `password_file`
standpipe.toml:3: mqtt.password: unknown key: take it out; known here are url, root, username, password_file, ca_file, client_cert_file, client_key_file
"#);
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
}

#[test]
fn a_torn_file_says_where() {
    assert_snapshot!(faults("[mqtt\nurl = \"mqtt://127.0.0.1\"\n[http]\nlisten = \"\n"), @r#"
standpipe.toml: mqtt.url: missing, the broker's address: write mqtt://host[:1883] or mqtts://host[:8883]
standpipe.toml:1: not TOML (unclosed table, expected `]`): mend this line
standpipe.toml:4: not TOML (invalid basic string, expected `"`): mend this line
standpipe.toml:4: http.listen = ": empty: write a text, or take the key out
"#);
    assert_snapshot!(faults(""), @r#"standpipe.toml: mqtt.url: missing, the broker's address: write mqtt://host[:1883] or mqtts://host[:8883]"#);
    let missing = Config::load(Path::new("/nowhere/standpipe.toml"), None).unwrap_err();
    assert_snapshot!(missing, @r#"/nowhere/standpipe.toml: cannot be read (No such file or directory (os error 2)): give the file with --config"#);
}

#[test]
fn what_is_no_file_is_told_and_nobody_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(pipe.success());
    std::fs::create_dir(at("folder")).unwrap();
    let file = at("standpipe.toml");
    for (what, named) in
        [("a named pipe", "pipe"), ("a folder", "folder"), ("a device", "/dev/zero")]
    {
        let path = at(named);
        let told =
            format!("{} cannot be read (it is {what}, not a file): put it there", path.display());
        for key in ["password_file", "ca_file", "client_cert_file", "client_key_file"] {
            let text = format!("[mqtt]\nurl = 'mqtts://b'\nusername = 'a'\n{key} = '{named}'\n");
            let bad = Config::parse(&text, &file, None).unwrap_err().to_string();
            assert!(bad.contains(&format!("mqtt.{key} = ")) && bad.contains(&told), "{bad}");
        }
        let hook = |key| {
            format!("{MINIMAL}[[webhook]]\nname = 'a'\nurl = 'https://a'\n{key} = '{named}'\n")
        };
        for text in [
            hook("secret_file"),
            hook("ca_file"),
            format!("{MINIMAL}[influx]\ntoken_file = '{named}'\n"),
        ] {
            let bad = Config::parse(&text, &file, None).unwrap_err().to_string();
            assert!(bad.contains(&told), "{bad}");
        }
        let map = Config::parse(&format!("{MINIMAL}[http]\nmap_file = '{named}'\n"), &file, None);
        let bad = map.unwrap_err().to_string();
        assert!(bad.contains(&format!("it is {what}, not a file")), "{bad}");
        let bad = Config::load(&path, None).unwrap_err().to_string();
        assert!(bad.contains(&format!("cannot be read (it is {what}, not a file): give")), "{bad}");
    }
}

#[test]
#[rustfmt::skip] // a table
fn a_brokers_address_has_a_port_and_perhaps_a_key() {
    for (url, host, port, tls) in [
        ("mqtt://broker",           "broker",    1883, false),
        ("mqtts://broker",          "broker",    8883, true),
        ("mqtt://broker:11883",     "broker",   11883, false),
        ("mqtts://broker.town:443", "broker.town", 443, true),
        ("mqtt://[::1]:1884/",      "::1",       1884, false),
        ("mqtt://127.0.0.1",        "127.0.0.1", 1883, false),
    ] {
        let config = parse(&format!("[mqtt]\nurl = \"{url}\""));
        assert_eq!(config.mqtt.broker, BrokerAddress { host: host.into(), port, tls }, "{url}");
    }
    for url in ["broker", "broker:1883", "mqtt://", "mqtt:broker", "ws://broker", "mqtt://b/topic", "mqtt://b:99999"] {
        let text = faults(&format!("[mqtt]\nurl = \"{url}\""));
        let want = format!("standpipe.toml:2: mqtt.url = \"{url}\": not a broker's address: \
                            write mqtt://host[:1883] or mqtts://host[:8883]");
        assert_eq!(text, want);
    }
}

#[test]
fn where_it_listens_and_how_people_reach_it() {
    let text = format!("{MINIMAL}[http]\nlisten = \"0.0.0.0:80\"\n");
    let token = Some(Secret::new("x"));
    let config = Config::parse(&text, Path::new("standpipe.toml"), token.clone()).unwrap();
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:80");
    assert_eq!(config.http.admin_token, token);
    assert_eq!(&*config.http.url, "http://0.0.0.0:80");
    let inside = parse(&format!("{MINIMAL}[http]\nlisten = \"[::1]:80\"\nlanguage = \"en\""));
    assert_eq!(inside.http.listen.to_string(), "[::1]:80");
    assert_eq!(inside.http.language, Language::English);
}

#[test]
fn files_are_found_beside_the_configuration_and_trimmed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("standpipe.toml");
    for (name, content) in [
        ("password", "  hunter2\n"),
        ("influx.token", "token\n"),
        ("secret", "s"),
        ("stations.csv", "id"),
        ("empty", " \n"),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let text = r#"
        mqtt = { url = "mqtt://b", username = "me", password_file = "password" }
        influx.url = "http://history:8086/"
        store.path = "data/store.db"
        registry.stations = "stations.csv"
        [[webhook]]
        name = "duty"
        station = "t-1"
        role = "chief"
        severities = ["fire"]
        steps = [2, 3]
        url = "https://duty.example/hook"
        secret_file = "secret"
        format = "json"
    "#;
    let config = Config::parse(text, &file, None).unwrap_or_else(|bad| panic!("{bad}"));
    assert_eq!(config.mqtt.password, Some(Secret::new("hunter2")));
    let influx = config.influx.as_ref().unwrap();
    assert_eq!((&*influx.url, &*influx.org), ("http://history:8086", "standpipe"));
    assert_eq!((influx.token.expose(), &*influx.bucket), ("token", "standpipe"));
    assert_eq!(config.store.path, folder.path().join("data/store.db"));
    assert_eq!(config.store.history(), folder.path().join("data/history.db"));
    assert_eq!(config.registry.stations, Some(folder.path().join("stations.csv")));
    assert_eq!(config.registry.devices, None);
    let [webhook] = &config.webhooks[..] else { panic!("{:?}", config.webhooks) };
    assert_eq!((&*webhook.name, webhook.station.as_deref()), ("duty", Some("t-1")));
    assert_eq!((webhook.role, &webhook.format), (ReceiverRole::Chief, &WebhookFormat::Json(Json)));
    assert_eq!((&webhook.severities[..], &webhook.steps[..]), (&[Severity::Fire][..], &[2, 3][..]));
    assert_eq!(webhook.url.as_str(), "https://duty.example/hook");
    assert_eq!(webhook.secret, Some(Secret::new("s")));
    let route = Route {
        name: "duty".into(),
        station: Some("t-1".into()),
        role: ReceiverRole::Chief,
        severities: vec![Severity::Fire],
        steps: vec![2, 3],
    };
    assert_eq!(config.plan().webhooks, [route]);

    let text = "[mqtt]\nurl = \"mqtt://b\"\npassword_file = \"empty\"\nclient_cert_file = \"secret\"\n[registry]\ndevices=\"gone.csv\"\nstations=7";
    let bad = Config::parse(text, &file, None).unwrap_err().to_string();
    let bad = bad.replace(&*folder.path().to_string_lossy(), "FOLDER");
    assert_snapshot!(bad, @r#"
FOLDER/standpipe.toml:3: mqtt.password_file = "empty": no text in that file: write the secret into it
FOLDER/standpipe.toml:4: mqtt.client_cert_file = "secret": without its key: add `client_key_file`
FOLDER/standpipe.toml:7: registry.stations = 7: not a text: write it in double quotes
"#);
}

#[test]
fn escalation_changes_one_number_at_a_time() {
    let text = format!(
        "{MINIMAL}[escalation.fire]\nstep2_s = 30\n[escalation.warning]\nforgotten_s = 7200\n[verify]\nhours = 48"
    );
    let config = parse(&text);
    let fire = Steps { step2_s: 30, step3_s: 180, repeat_s: 300, forgotten_s: 1_800 };
    let critical = Steps { step2_s: 60, step3_s: 180, repeat_s: 900, forgotten_s: 1_800 };
    let warning = Steps { step2_s: 0, step3_s: 0, repeat_s: 0, forgotten_s: 7_200 };
    assert_eq!(config.escalation.fire, fire);
    assert_eq!(config.escalation.critical, critical);
    assert_eq!(config.escalation.warning, warning);
    let plan = config.plan();
    assert_eq!((plan.fire, plan.critical, plan.warning), (fire, critical, warning));
    assert_eq!(plan.verify_hours, 48);
    let wrong = format!("{MINIMAL}[escalation.fire]\nstep2_s = 300\nstep3_s = 200\nrepeat_s = 1");
    assert_snapshot!(faults(&wrong), @r#"
standpipe.toml:5: escalation.fire.step3_s = 200: before step 2, which is at 300 s: write more
"#);
}

#[test]
fn a_profile_changes_what_it_names() {
    let text = format!(
        "{MINIMAL}[profile.indoor]\nmin_kpa = 75\n[profile.pier]\nbase = \"indoor\"\noutdoor = true\nfreezing_c = -1.5"
    );
    let config = parse(&text);
    let mut profiles = config.profiles();
    let indoor = standpipe_rules::registry::profile::built_in().remove("indoor").unwrap();
    let changed = Profile { min_kpa: 75.0, ..indoor.clone() };
    assert_eq!(profiles.next(), Some(("indoor".into(), changed)), "its own name is its base");
    let pier = Profile { outdoor: true, freezing_c: -1.5, ..indoor };
    assert_eq!(profiles.next(), Some(("pier".into(), pier)));
    let wrong = format!(
        "{MINIMAL}[profile.\"a b\"]\n[profile.x]\ninterval_s = 0\nmin_kpa = inf\nheat_c = 1e39\noutdoor = 1\nbattery_readings = 300\noffline_intervals = 0\nlow_clear_margin_kpa = -1"
    );
    assert_snapshot!(faults(&wrong), @r#"
standpipe.toml:3: profile.a b = "a b": not a name: use 1 to 48 of A-Z, a-z, 0-9, _ and -
standpipe.toml:5: profile.x.interval_s = 0: out of range: write 1 to 86400
standpipe.toml:6: profile.x.min_kpa = inf: of the wrong kind: write it like 140.0
standpipe.toml:7: profile.x.heat_c = 1e39: of the wrong kind: write it like 57.0
standpipe.toml:8: profile.x.outdoor = 1: of the wrong kind: write it like true
standpipe.toml:9: profile.x.battery_readings = 300: of the wrong kind: write it like 3
standpipe.toml:10: profile.x.offline_intervals = 0: never heard in time: write 1 or more
standpipe.toml:11: profile.x.low_clear_margin_kpa = -1: below zero: write 0 or more
"#);
    let wrong = format!(
        "{MINIMAL}[profile.x]\nmn_kpa = 75\nmin_kpa = 1000\nbattery_readings = 0\nsmoke_readings = 0\nstuck_readings = 0"
    );
    assert_snapshot!(faults(&wrong), @r#"
standpipe.toml: profile.x.max_kpa: not over min_kpa = 1000: change one of them
standpipe.toml:4: profile.x.mn_kpa: unknown key: did you mean `min_kpa`
standpipe.toml:6: profile.x.battery_readings = 0: no reading at all: write 1 or more
standpipe.toml:7: profile.x.smoke_readings = 0: no reading at all: write 1 or more
standpipe.toml:8: profile.x.stuck_readings = 0: no reading at all: write 1 or more
"#);
    let unsure = format!(
        "{MINIMAL}[profile.x]\nmin_kpa = 5000\nmax_kpa = \"high\"\n[profile.y]\nbase = \"pier\"\nmin_kpa = 5000\ntilt_deg = 5\ntilt_clear_deg = 9"
    );
    // What is not understood contradicts nothing.
    assert_snapshot!(faults(&unsure), @r#"
standpipe.toml:5: profile.x.max_kpa = "high": of the wrong kind: write it like 1000.0
standpipe.toml:7: profile.y.base = "pier": no such profile: write one of indoor, indoor_highrise, indoor_supertall, municipal, smoke_home, smoke_site
standpipe.toml:9: profile.y.tilt_deg = 5: not over tilt_clear_deg = 9: change one of them
"#);
    let wrong = format!(
        "{MINIMAL}[profile.x]\ninterval_s = 0\noffline_intervals = 0\nmin_kpa = 1000\nlow_clear_margin_kpa = -1"
    );
    assert_snapshot!(faults(&wrong), @r#"
standpipe.toml: profile.x.max_kpa: not over min_kpa = 1000: change one of them
standpipe.toml:4: profile.x.interval_s = 0: out of range: write 1 to 86400
standpipe.toml:5: profile.x.offline_intervals = 0: never heard in time: write 1 or more
standpipe.toml:7: profile.x.low_clear_margin_kpa = -1: below zero: write 0 or more
"#);
}

#[test]
#[rustfmt::skip] // a table
fn the_digest_has_its_hour_or_none() {
    let eight = jiff::civil::time(8, 0, 0, 0);
    for (text, at) in [
        ("",                        Some(eight)),
        ("[digest]",                Some(eight)),
        ("[digest]\nat = '08:00'",  Some(eight)),
        ("[digest]\nat = '23:59'",  Some(jiff::civil::time(23, 59, 0, 0))),
        ("[digest]\nat = 'off'",    None),
        ("[digest]\nat = ''",       None),
    ] {
        assert_eq!(parse(&format!("{MINIMAL}{text}")).digest.at, at, "{text}");
    }
    for text in ["at = '8:00'", "at = '24:00'", "at = '08:00:00'", "at = 8", "at = 'eight'"] {
        let said = faults(&format!("{MINIMAL}[digest]\n{text}"));
        assert!(said.contains("digest.at") && said.contains("such as \"08:00\""), "{said}");
    }
}

#[test]
fn a_webhooks_authority_is_a_certificate_in_a_file_and_means_something() {
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(["authority".to_owned()]).unwrap();
    std::fs::write(folder.path().join("ca"), own.cert.pem()).unwrap();
    std::fs::write(folder.path().join("text"), "no certificate").unwrap();
    let file = folder.path().join("standpipe.toml");
    let read = |url: &str, ca_file: &str| {
        let hook = format!("[[webhook]]\nname = 'a'\nurl = '{url}'\nca_file = '{ca_file}'\n");
        let mail = "format = 'mail'\nfrom = 'a@b.example'\nto = ['c@b.example']";
        let more = if url.starts_with("smtp") { mail } else { "" };
        let config = Config::parse(&format!("{MINIMAL}{hook}{more}"), &file, None);
        config.map(|config| config.webhooks[0].trust.clone()).map_err(|bad| bad.to_string())
    };
    let only = Authorities::only(own.cert.pem().as_bytes()).ok();
    for url in ["https://a", "smtps://a", "smtp://a"] {
        assert_eq!(read(url, "ca"), Ok(only.clone()), "{url}");
    }
    for (url, ca_file, said) in [
        (
            "https://a",
            "gone",
            "gone cannot be read (No such file or directory (os error 2)): put it there",
        ),
        (
            "https://a",
            "text",
            "no certificate in that file: export the authority's certificate as PEM",
        ),
        ("http://a", "ca", "means nothing: `url` is not encrypted, write https:// there"),
    ] {
        let bad = read(url, ca_file).unwrap_err();
        assert!(bad.contains("webhook[1].ca_file") && bad.ends_with(said), "{bad}");
    }
    // InfluxDB's is the same.
    std::fs::write(folder.path().join("influx.token"), "t").unwrap();
    let influx = |url: &str, ca_file: &str| {
        let text = format!("{MINIMAL}[influx]\nurl = '{url}'\n{ca_file}");
        let config = Config::parse(&text, &file, None);
        config.map(|config| config.influx.unwrap().trust).map_err(|bad| bad.to_string())
    };
    assert_eq!(influx("https://a", "ca_file = 'ca'"), Ok(only));
    assert_eq!(influx("https://a", ""), Ok(None));
    let bad = influx("http://a", "ca_file = 'ca'").unwrap_err();
    assert!(bad.contains("influx.ca_file") && bad.ends_with("write https:// there"), "{bad}");
}

#[test]
fn each_format_says_what_is_wrong_with_its_own_keys() {
    let text = r#"
[mqtt]
url = "mqtt://b"
[[webhook]]
name = "none"
url = "http://a"
format = "fax"
[[webhook]]
name = "none-by-mail"
url = "smtp://a"
format = "fax"
[[webhook]]
name = "not-mail"
url = "smtp://a"
[[webhook]]
name = "mail"
url = "https://a"
format = "mail"
to = ["x", "a@b.example", "y@"]
[[webhook]]
name = "mail-to-nobody"
url = "smtps://a"
format = "mail"
from = "somebody"
[[webhook]]
name = "sms"
url = "http://a"
format = "sms"
method = "GE T"
headers = ["X Y: z", "X: y", 7]
to = ["1", 2]
[[webhook]]
name = "keys-of-others"
url = "http://a"
to = 7
from = 7
headers = ["X"]
taken_when = ""
[[webhook]]
name = "nobodys-key"
url = "http://a"
pneumatic_tube = 1
"#;
    // Their names are held by the list itself.
    assert_snapshot!(faults(text).replace(&formats::names(), "NAMES"), @r#"
standpipe.toml: webhook[4].from: no address of mail: write name@host
standpipe.toml: webhook[5].to: nobody: write ["name@host", …]
standpipe.toml:7: webhook[1].format = "fax": no such format: write NAMES
standpipe.toml:10: webhook[2].url = "smtp://a": of another format: mail is sent to smtp://… or smtps://…
standpipe.toml:11: webhook[2].format = "fax": no such format: write NAMES
standpipe.toml:14: webhook[3].url = "smtp://a": of another format: mail is sent to smtp://… or smtps://…
standpipe.toml:17: webhook[4].url = "https://a": of another format: mail is sent to smtp://… or smtps://…
standpipe.toml:19: webhook[4].to = ["x", "a@b.example", "y@"]: no address of mail: write name@host
standpipe.toml:19: webhook[4].to = ["x", "a@b.example", "y@"]: no address of mail: write name@host
standpipe.toml:24: webhook[5].from = "somebody": no address of mail: write name@host
standpipe.toml:29: webhook[6].method = "GE T": no method of HTTP: write "POST" or "GET"
standpipe.toml:30: webhook[6].headers = "X Y: z": not understood: write ["Name: value", …]
standpipe.toml:30: webhook[6].headers = 7: not understood: write ["Name: value", …]
standpipe.toml:31: webhook[6].to = 2: not understood: write ["…", …]
standpipe.toml:35: webhook[7].to = 7: not a list: write ["…", …]
standpipe.toml:36: webhook[7].from = 7: not a text: write it in double quotes
standpipe.toml:37: webhook[7].headers = "X": not understood: write ["Name: value", …]
standpipe.toml:38: webhook[7].taken_when = "": empty: write a text, or take the key out
standpipe.toml:42: webhook[8].pneumatic_tube: unknown key: take it out; known here are name, station, role, severities, steps, token_file, url, secret_file, ca_file, format, to, from, username, method, headers, body, taken_when, pace
"#);
}

#[test]
#[rustfmt::skip] // a table
fn a_pace_is_a_number_of_messages_in_a_span() {
    let faults = |pace: &str| format!(
        "standpipe.toml:7: webhook[1].pace = {pace:?}: no pace: write \"20/min\", \"1/s\" or \"200/h\", at least 1");
    for (format, line, expected) in [
        ("json",     "",                    Ok((200, 1_000))),
        ("dingtalk", "",                    Ok((20, 60_000))),
        ("sms",      "",                    Ok((1, 1_000))),
        ("json",     "pace = '30/min'",     Ok((30, 60_000))),
        ("wecom",    "pace = ' 5 / s '",    Ok((5, 1_000))),
        ("sms",      "pace = '200/h'",      Ok((200, 3_600_000))),
        ("json",     "pace = '0/s'",        Err(faults("0/s"))),
        ("json",     "pace = '20'",         Err(faults("20"))),
        ("json",     "pace = '20/day'",     Err(faults("20/day"))),
        ("json",     "pace = '99999/s'",    Err(faults("99999/s"))),
    ] {
        let text = format!("{MINIMAL}[[webhook]]\nname = 'a'\nurl = 'http://a'\nformat = '{format}'\n{line}\n");
        let read = Config::parse(&text, "standpipe.toml".as_ref(), None);
        let read = read.map(|config| config.webhooks[0].pace).map_err(|bad| bad.to_string());
        let found = read.map(|pace| (pace.messages, pace.within_ms));
        assert_eq!(found.map_err(|bad| bad.replace('\'', "\"")), expected, "{format} {line}");
    }
}
