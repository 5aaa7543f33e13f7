//! The compose file, the image and the Debian package say what they should, and name nothing that
//! is not there. No container runs here: `tests/package` installs the package for real.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use standpipe_tests::deployed::deploy;
use standpipe_tests::gateway::program;
use standpipe_tests::process::server;

/// Made by the administrator, and never in the repository.
const MADE: [&str; 3] = ["data", "registry", "secrets"];

/// `docker compose config` of our file.
fn config(host: Option<&str>) -> Output {
    let mut command = Command::new(server("compose"));
    command.current_dir(deploy()).env_remove("STANDPIPE_HOST");
    command.args(["--file", "compose.yaml", "--profile", "*", "config", "--format", "json"]);
    if let Some(host) = host {
        command.env("STANDPIPE_HOST", host);
    }
    command.output().expect("docker-compose")
}

fn filled_in() -> Value {
    let out = config(Some("fire.example"));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

fn services(whole: &Value) -> Vec<(&str, &Value)> {
    let services = whole["services"].as_object().expect("services");
    assert!(services.len() >= 5, "{services:?}");
    services.iter().map(|(name, service)| (name.as_str(), service)).collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Ends with its work instead of going on.
fn once(service: &Value) -> bool {
    texts(&service["profiles"]) == ["once"]
}

/// Comes to its work once a day.
fn daily(service: &Value) -> bool {
    texts(&service["command"]).iter().any(|argument| argument.starts_with("--daily="))
}

#[test]
fn only_devices_and_people_come_in_from_outside() {
    let whole = filled_in();
    let mut outside = BTreeSet::new();
    for (name, service) in services(&whole) {
        for port in service["ports"].as_array().into_iter().flatten() {
            outside.insert(format!("{name} {}", port["published"].as_str().unwrap_or("any")));
        }
        assert_ne!(service["network_mode"], "host", "{name}");
    }
    assert_eq!(outside, BTreeSet::from(["caddy 443".to_owned(), "mosquitto 8883".to_owned()]));
    assert_eq!(whole["networks"]["inside"]["internal"], true);
    for closed in ["influxdb", "grafana"] {
        let networks = whole["services"][closed]["networks"].as_object().expect("networks");
        let networks: Vec<&str> = networks.keys().map(String::as_str).collect();
        assert_eq!(networks, ["inside"], "{closed}");
    }
}

#[test]
fn every_service_is_small_watched_and_keeps_to_itself() {
    let whole = filled_in();
    for (name, service) in services(&whole) {
        assert_eq!(service["read_only"], true, "{name}: its file system can be written");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        assert!(service["privileged"].is_null(), "{name}");
        assert!(!service["logging"]["options"]["max-size"].is_null(), "{name}: a log without end");
        if once(service) {
            continue;
        }
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        let asked = !service["healthcheck"]["test"].is_null();
        assert_ne!(asked, daily(service), "{name}: nobody asks how it is, or nobody could answer");
        assert!(!daily(service) || service["init"] == true, "{name} would not stop when told to");
        let memory = &service["deploy"]["resources"]["limits"]["memory"];
        assert!(memory.is_string(), "{name}: no limit of its memory");
        let image = service["image"].as_str().expect("an image");
        let version = image.rsplit(':').next().expect("a version");
        assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{name}: {image}");
        if name != "caddy" {
            let user = service["user"].as_str().unwrap_or("0");
            assert!(!user.starts_with('0'), "{name} runs as root");
        }
    }
}

#[test]
fn no_secret_is_written_down() {
    let whole = filled_in();
    let secrets = whole["secrets"].as_object().expect("secrets");
    for (name, secret) in secrets {
        let file = secret["file"].as_str().unwrap_or_else(|| panic!("{name} is no file"));
        assert!(file.contains("/deploy/secrets/"), "{name}: {file}");
    }
    for (name, service) in services(&whole) {
        for (key, value) in service["environment"].as_object().into_iter().flatten() {
            let secret = ["PASSWORD", "TOKEN", "SECRET"].iter().any(|word| key.contains(word));
            let file = key.ends_with("_FILE")
                && value.as_str().is_some_and(|path| path.starts_with("/run/secrets/"));
            assert!(!secret || file, "{name}: {key}");
        }
    }
    let without = config(None);
    assert!(!without.status.success(), "it starts without a name for people");
    let why = String::from_utf8_lossy(&without.stderr);
    assert!(why.contains("STANDPIPE_HOST"), "{why}");
    let ignored = std::fs::read_to_string(deploy().join("../.gitignore")).unwrap();
    for made in MADE {
        assert!(ignored.lines().any(|line| line == format!("/deploy/{made}")), "git sees {made}");
    }
}

#[test]
fn what_is_mounted_is_there() {
    let whole = filled_in();
    let mut seen = 0;
    for (name, service) in services(&whole) {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            if volume["type"] != "bind" {
                continue;
            }
            let source = Path::new(volume["source"].as_str().expect("a source"));
            let below =
                |folder: &str| source.starts_with(deploy().canonicalize().unwrap().join(folder));
            let made = MADE.iter().any(|folder| below(folder));
            assert!(made || source.exists(), "{name}: {} is not there", source.display());
            let own = below("data") && source.ends_with(name);
            // Whoever reads a store that is in use notes there that he does.
            let store = name == "backup" && source.ends_with("data/standpipe");
            let kept = own || once(service) || store;
            let closed = volume["read_only"] == true;
            assert!(kept || closed, "{name}: {} can be written", source.display());
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} mounts: has the file changed its form?");
}

#[test]
fn whoever_reads_the_gateways_configuration_is_given_what_it_names() {
    let whole = filled_in();
    let text = std::fs::read_to_string(deploy().join("compose/standpipe.toml")).unwrap();
    let settings = text.lines().filter_map(|line| line.split_once(" = "));
    let named = |key: &str| key.ends_with("_file") || ["stations", "devices"].contains(&key);
    let files = settings.filter(|(key, _)| named(key)).map(|(_, file)| file.trim_matches('"'));
    // And what a webhook's `secret_file` may name, as the README has it.
    let files: Vec<&str> = files.chain(["webhooks/duty"]).collect();
    assert_eq!(files.len(), 7, "{files:?}");
    for name in ["standpipe", "selftest", "backup"] {
        let service = &whole["services"][name];
        let secrets = service["secrets"].as_array().expect("secrets");
        let mounts = service["volumes"].as_array().expect("volumes");
        for file in &files {
            let place = Path::new("/etc/standpipe").join(file);
            let secret =
                secrets.iter().any(|secret| place == Path::new(secret["target"].as_str().unwrap()));
            let mounted =
                mounts.iter().any(|mount| place.starts_with(mount["target"].as_str().unwrap()));
            assert!(secret || mounted, "{name} is not given {file}");
        }
        let token = &service["environment"]["STANDPIPE_ADMIN_TOKEN_FILE"];
        assert!(secrets.iter().any(|secret| secret["target"] == *token), "{name}: no {token}");
    }
    let selftest = &whole["services"]["selftest"];
    let held: Vec<_> = selftest["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|secret| secret["source"].clone())
        .collect();
    for own in ["ca.pem", "selftest.pem", "selftest.key"] {
        assert!(held.contains(&own.into()), "the self-test has no {own}");
    }
    assert!(texts(&selftest["command"]).contains(&"--credentials=/run/secrets"));
    assert_eq!(selftest["environment"]["STANDPIPE_URL"], "http://standpipe:8080");
}

#[test]
fn a_test_alarm_and_a_backup_come_every_day() {
    let whole = filled_in();
    let found: Vec<&str> = services(&whole)
        .into_iter()
        .filter(|(_, service)| daily(service))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(found, ["backup", "selftest"]);
    for name in found {
        // The program takes this line, and misses only the configuration, which is not here.
        let line = texts(&whole["services"][name]["command"]);
        let out = Command::new(program()).args(&line).output().expect("the program");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.contains("/etc/standpipe/standpipe.toml: cannot be read"), "{name}: {said}");
        let late = line
            .iter()
            .map(|argument| argument.replace("--daily=", "--daily=2"))
            .collect::<Vec<_>>();
        let out = Command::new(program()).args(&late).output().expect("the program");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.contains("invalid value '2"), "{name}: {said}");
    }
}

#[test]
fn the_page_on_a_district_makes_what_the_services_want_and_names_no_other() {
    let whole = filled_in();
    let page = std::fs::read_to_string(deploy().join("README.md")).unwrap();
    let page =
        page.split("\n## ").find(|section| section.starts_with("A district")).expect("a district");
    let top = deploy().canonicalize().unwrap();
    let below = |place: &Value| {
        let path = Path::new(place.as_str().unwrap()).strip_prefix(&top).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let made = |file: &str| {
        let folder = file.rsplit_once('/').map_or(file, |(folder, _)| folder);
        // A file by its name, or with all others of its folder.
        let words = || page.split([' ', '\n', '>']);
        words().any(|word| word == file) || words().any(|word| word == format!("{folder}/"))
    };
    for secret in whole["secrets"].as_object().unwrap().values() {
        let file = below(&secret["file"]);
        // `init-influx` names its tokens itself.
        assert!(made(&file) || file.starts_with("secrets/influx-"), "nobody makes {file}");
    }
    for (name, service) in services(&whole) {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = below(&volume["source"]);
            let ours = !MADE.iter().any(|folder| source.starts_with(folder));
            assert!(ours || made(&source), "nobody makes {source} of {name}");
        }
    }
    let lines = page.lines().filter_map(|command| command.strip_prefix("docker compose "));
    let mut seen = 0;
    for line in lines {
        let mut words = line.split(' ');
        let action = words.next().unwrap();
        let name = words.find(|word| !word.starts_with('-'));
        if ["run", "exec", "logs"].contains(&action) {
            let name = name.unwrap_or_else(|| panic!("{line}"));
            assert!(!whole["services"][name].is_null(), "{line}: no service {name}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "only {seen} commands");
}

#[test]
fn the_brokers_container_listens_to_the_gateways_and_differs_in_nothing_else() {
    let whole = filled_in();
    let broker = &whole["services"]["mosquitto"];
    let ["sh", "-c", script] = texts(&broker["command"])[..] else { panic!("{broker}") };
    let (inside, fresh) = ("/mosquitto/config/mosquitto.conf", "/tmp/mosquitto.conf");
    let here = deploy().join("mosquitto/mosquitto.conf");
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made").display().to_string();
    let run = script
        .replace(inside, &here.display().to_string())
        .replace(fresh, &made)
        .replace("exec mosquitto -c", "cat");
    let out = Command::new("sh").args(["-c", &run]).output().expect("sh");
    assert!(out.status.success(), "{run}: {}", String::from_utf8_lossy(&out.stderr));
    let made = String::from_utf8(out.stdout).unwrap();
    let ours = std::fs::read_to_string(here).unwrap();
    let changed: Vec<(&str, &str)> =
        ours.lines().zip(made.lines()).filter(|(ours, made)| ours != made).collect();
    assert_eq!(changed, [("listener 8885 127.0.0.1", "listener 8885")]);
    assert_eq!(ours.lines().count(), made.lines().count());
    let test = texts(&broker["healthcheck"]["test"]);
    assert_eq!(test.last(), Some(&"8885"), "it is asked where the gateway comes in");
}

#[test]
fn the_image_is_built_by_plain_cargo_and_holds_one_program() {
    let text = std::fs::read_to_string(deploy().join("Dockerfile")).unwrap();
    let stages: Vec<&str> = text.split("\nFROM ").skip(1).collect();
    let [build, image] = stages[..] else { panic!("{} stages", stages.len()) };
    let cargo: Vec<&str> = build.lines().filter(|line| line.contains("cargo")).collect();
    assert_eq!(
        cargo,
        ["RUN cargo build --release --locked --package standpipe --no-default-features"]
    );
    assert!(!image.lines().any(|line| line.starts_with("RUN")), "its base has no shell");
    let user = image.lines().find_map(|user| user.strip_prefix("USER ")).expect("a user");
    assert!(!user.starts_with('0') && !user.starts_with("root"), "{user}");
    let kept = std::fs::read_to_string(deploy().join("Dockerfile.dockerignore")).unwrap();
    for path in kept.lines().filter_map(|path| path.strip_prefix('!')) {
        assert!(deploy().join("..").join(path).exists(), "{path} is not there to be copied");
    }
    // What `tests/package context` reads of it, and no other rule.
    let rules = kept.lines().filter(|rule| !rule.starts_with(['#', '!']));
    assert_eq!(rules.collect::<Vec<_>>(), ["*", "**/target"]);
}

#[test]
fn the_files_that_the_image_is_built_from_are_all_it_takes() {
    let dir = tempfile::tempdir().unwrap();
    let package = deploy().join("../tests/package");
    let status = Command::new("bash").arg(package).arg("context").arg(dir.path()).status();
    assert!(status.expect("bash").success());
    assert!(!dir.path().join("README.md").exists(), "what is not copied is there");
    // What `tests/package` builds, looked at without making a program of it: minutes less.
    let me = std::env::current_exe().unwrap();
    let target = me.ancestors().nth(3).expect("target/PROFILE/deps");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(dir.path()).args(["check", "--locked"]).env("CARGO_TARGET_DIR", target);
    let out = cargo.output().expect("cargo");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// `[package.metadata.deb]`, as cargo reads it.
fn package() -> Value {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(deploy()).args(["metadata", "--format-version", "1", "--no-deps"]);
    let out = cargo.output().expect("cargo");
    let whole: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let packages = whole["packages"].as_array().expect("packages");
    let gateway =
        packages.iter().find(|package| package["name"] == "standpipe").expect("the gateway");
    gateway["metadata"]["deb"].clone()
}

/// Where a file of the repository is once the package is installed.
fn installed(package: &Value, source: &str) -> String {
    let assets = package["assets"].as_array().expect("assets");
    let asset =
        assets.iter().find(|asset| asset[0] == source).unwrap_or_else(|| panic!("no {source}"));
    let name = Path::new(source).file_name().unwrap().to_string_lossy();
    let place = asset[1].as_str().expect("a place");
    if place.ends_with('/') { format!("/{place}{name}") } else { format!("/{place}") }
}

#[test]
fn the_package_and_its_unit_mean_the_same_files() {
    let package = package();
    for asset in package["assets"].as_array().expect("assets") {
        let source = asset[0].as_str().expect("a source");
        let there = source.split('*').next().unwrap_or_default();
        let built = source.starts_with("target/");
        let place = deploy().join("../gateway").join(there);
        assert!(built || place.exists(), "{source} is not there to be packed");
    }
    let unit = std::fs::read_to_string(deploy().join("systemd/standpipe.service")).unwrap();
    let start =
        unit.lines().find_map(|command| command.strip_prefix("ExecStart=")).expect("ExecStart");
    let program = installed(&package, "target/release/standpipe");
    let config = installed(&package, "../deploy/debian/standpipe.toml");
    assert_eq!(start, format!("{program} run --config {config}"));
    assert_eq!(texts(&package["conf-files"]), [config]);
}
