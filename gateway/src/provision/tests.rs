//! What is made, what is left, and what is taken back; that a real broker believes it is shown in
//! `tests/broker.rs`.

use std::collections::BTreeMap;
use std::path::Path;

use standpipe_lists::{File, Import};
use standpipe_rules::registry::Registry;

use super::account::MAY;
use super::bridges::{self, BridgeOrder};
use super::{
    ProvisionCounts, ProvisionError, ProvisionOrder, accounts, devices, moved, provision, stations,
};

const NOW: i64 = 1_764_000_000_000;
const DAY: i64 = 86_400_000;

fn registry() -> Registry {
    let stations = b"id,name,level,parent,lat,lon\nd,D,district,,29.3,106.5\n\
        t1,T,township,d,29.3,106.5\nc1,C,community,t1,29.3,106.5\nv1,V,village,c1,29.3,106.5\n";
    let devices = b"id,kind,name,station,zone,profile,lat,lon,address\n\
        H1,hydrant,h,v1,,,29,106,\nH2,hydrant,h,t1,,,29,106,\nH3,hydrant,h,d,,,29,106,\n";
    let mut registry = Registry::new([]);
    let file = |bytes: &'static [u8]| Some(File { name: "x", bytes });
    let import = Import::read(file(stations), file(devices), &registry);
    assert!(import.bad.is_empty(), "{:?}", import.bad);
    import.put(&mut registry);
    registry
}

fn order() -> ProvisionOrder {
    ProvisionOrder { broker: vec!["broker".into()], ..ProvisionOrder::default() }
}

/// Every file below a folder, and what is in it.
fn content(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                all.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    all
}

#[test]
fn the_township_above_a_device_is_its_area() {
    assert_eq!(devices(&registry()).unwrap(), ["t1/H1", "t1/H2", "d/H3"]);
    assert_eq!(stations(&registry())[3], "stations/v1");
}

#[test]
fn run_again_it_gives_new_names_theirs_and_leaves_all_else() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = ("t1/H1".to_owned(), "t1/H2".to_owned());
    let run =
        |names: &[String], order: &ProvisionOrder, now| provision(folder.path(), names, order, now);
    let first = run(std::slice::from_ref(&a), &order(), NOW).unwrap();
    assert_eq!(first, ProvisionCounts { issued: 4, left: 0, revoked: 0 });
    let before = content(folder.path());
    for name in ["ca.pem", "broker/acl", "broker/broker.key", "devices/t1/H1.password"] {
        assert!(before.contains_key(name), "{name}");
    }
    let both = [a.clone(), b.clone()];
    assert_eq!(
        run(&both, &order(), NOW).unwrap(),
        ProvisionCounts { issued: 1, left: 4, revoked: 0 }
    );
    let after = content(folder.path());
    let changed: Vec<&String> =
        before.keys().filter(|name| before.get(*name) != after.get(*name)).collect();
    assert_eq!(
        changed,
        ["broker/crl.pem", "broker/passwords", "broker/programs-crl.pem", "issued.csv"]
    );

    let revoke = ProvisionOrder { revoke: vec!["H1".into()], ..order() };
    assert_eq!(
        run(&both, &revoke, NOW).unwrap(),
        ProvisionCounts { issued: 0, left: 5, revoked: 1 }
    );
    assert!(!content(folder.path())["broker/passwords"].contains("t1/H1:"));
    // What was taken back stays so until somebody says otherwise.
    assert_eq!(run(&both, &order(), NOW).unwrap().issued, 0);
    let rotate = ProvisionOrder { rotate: both.to_vec(), ..order() };
    assert_eq!(
        run(&both, &rotate, NOW).unwrap(),
        ProvisionCounts { issued: 2, left: 3, revoked: 1 }
    );
    assert_eq!(content(folder.path())["issued.csv"].lines().count(), 1 + 3 + 2 + 2);
    // Years later the programs' are made anew, and the devices' are not.
    let later = NOW + 4 * 365 * DAY + DAY;
    assert_eq!(
        run(&both, &order(), later).unwrap(),
        ProvisionCounts { issued: 3, left: 2, revoked: 0 }
    );
}

#[test]
fn an_id_that_the_broker_cannot_hold_gets_an_account_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["t1/H1".to_owned(), "t1/00:15:8d:00:01".to_owned(), "t1/厨房,烟感".to_owned()];
    let run = |order: &ProvisionOrder| provision(folder.path(), &names, order, NOW).unwrap();
    run(&order());
    let accounts = accounts(&names);
    let [(colons, one), (kitchen, two)] = &accounts[..] else { panic!("{accounts:?}") };
    assert_eq!((*colons, *kitchen), ("t1/00:15:8d:00:01", "t1/厨房,烟感"));
    let made = content(folder.path());
    for (name, account) in &accounts {
        for extension in ["key", "pem", "password"] {
            assert!(made.contains_key(&format!("devices/{account}.{extension}")), "{name}");
        }
        let line = format!("{account}:$7$");
        let has = made["broker/passwords"].lines().any(|account| account.starts_with(&line));
        assert!(has, "{name}");
        let rules = format!("user {account}\ntopic write standpipe/v1/{name}/telemetry\n");
        assert!(made["broker/acl"].contains(&rules), "{name}");
        assert!(made["issued.csv"].lines().any(|line| line.ends_with(account.as_str())), "{name}");
    }
    assert!(!made["broker/passwords"].contains("00:15"));
    // Known by its name all the same; what is taken back has no rules any more.
    let revoke = ProvisionOrder { revoke: vec!["00:15:8d:00:01".into()], ..order() };
    assert_eq!(run(&revoke), ProvisionCounts { issued: 0, left: 6, revoked: 1 });
    let left = content(folder.path());
    for file in ["broker/passwords", "broker/acl"] {
        assert!(!left[file].contains(one.as_str()) && left[file].contains(two.as_str()), "{file}");
    }
    assert_eq!(run(&order()).issued, 0);
}

#[test]
fn a_list_of_version_0_1_0_is_read_and_gets_the_new_column() {
    let folder = tempfile::tempdir().unwrap();
    let before = "name,serial,until,revoked\nt1/H1,4a,2045-11-24T16:00:00Z,\n";
    std::fs::write(folder.path().join("issued.csv"), before).unwrap();
    let names = ["t1/H1".to_owned(), "t1/a:b".to_owned()];
    let done = provision(folder.path(), &names, &order(), NOW).unwrap();
    assert_eq!(done, ProvisionCounts { issued: 4, left: 1, revoked: 0 });
    assert_eq!(provision(folder.path(), &names, &order(), NOW).unwrap().issued, 0);
    let list = content(folder.path())["issued.csv"].clone();
    assert!(list.starts_with("name,serial,until,revoked,account\nt1/H1,4a,"), "{list}");
}

#[test]
fn the_broker_is_given_another_certificate_with_another_name() {
    let folder = tempfile::tempdir().unwrap();
    provision(folder.path(), &[], &order(), NOW).unwrap();
    let moved =
        ProvisionOrder { broker: vec!["mqtt.example".into(), "10.0.0.7".into()], ..order() };
    assert_eq!(provision(folder.path(), &[], &moved, NOW).unwrap().issued, 1);
}

#[test]
fn what_was_said_of_the_broker_holds_until_something_else_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let run =
        |order: &ProvisionOrder| provision(folder.path(), &["t1/H1".into()], order, NOW).unwrap();
    let named = ProvisionOrder {
        broker: vec!["fire.example".into(), "127.0.0.1".into()],
        root: Some("town/fire".into()),
        ..ProvisionOrder::default()
    };
    run(&named);
    let before = content(folder.path());
    run(&ProvisionOrder { revoke: vec!["H1".into()], ..ProvisionOrder::default() });
    let after = content(folder.path());
    assert_eq!(after["broker/names"], "fire.example\n127.0.0.1");
    for kept in ["broker/broker.pem", "broker/broker.key", "broker/acl", "gateway/gateway.pem"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    let other = tempfile::tempdir().unwrap();
    provision(other.path(), &[], &ProvisionOrder::default(), NOW).unwrap();
    let first = content(other.path());
    assert_eq!(first["broker/names"], "localhost\n127.0.0.1");
    assert!(first["broker/acl"].contains("topic write standpipe/v1/gateway/clock\n"));
}

#[test]
fn programs_from_before_their_own_authority_are_given_new_keys_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = || provision(folder.path(), &[], &order(), NOW).unwrap().issued;
    assert_eq!(run(), 3);
    let before = content(folder.path());
    std::fs::remove_dir_all(folder.path().join("authority/programs")).unwrap();
    std::fs::remove_file(folder.path().join("broker/programs.pem")).unwrap();
    assert_eq!((run(), run()), (2, 0));
    let after = content(folder.path());
    assert_ne!(after["gateway/gateway.pem"], before["gateway/gateway.pem"]);
    assert_eq!(after["broker/broker.pem"], before["broker/broker.pem"]);
    assert_ne!(after["broker/programs.pem"], after["broker/ca.pem"]);
    assert_eq!(after["gateway/ca.pem"], after["broker/ca.pem"]);
}

#[test]
fn a_device_that_moved_has_old_keys_until_they_are_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, order: &ProvisionOrder| {
        let names = [name.to_owned(), "stations/t1".to_owned()];
        let done = provision(folder.path(), &names, order, NOW).unwrap();
        (done.revoked, moved(folder.path(), &names).unwrap())
    };
    let pair = ("t1/H1".to_owned(), "t2/H1".to_owned());
    assert_eq!(run("t1/H1", &order()), (0, vec![]));
    assert_eq!(run("t2/H1", &order()), (0, vec![pair.clone()]));
    let old = ProvisionOrder { revoke: vec!["t1/H1".into()], ..order() };
    assert_eq!(run("t2/H1", &old), (1, vec![]));
    let passwords = || content(folder.path())["broker/passwords"].clone();
    assert!(passwords().contains("t2/H1:") && !passwords().contains("t1/H1:"));
    // A stolen one is out, whatever township's keys it still has.
    run("t3/H1", &order());
    let stolen = ProvisionOrder { revoke: vec!["H1".into()], ..order() };
    assert_eq!(run("t3/H1", &stolen), (2, vec![]));
    assert!(!passwords().contains("/H1:"));
}

#[test]
fn another_root_is_in_every_rule() {
    let folder = tempfile::tempdir().unwrap();
    let other = ProvisionOrder { root: Some("town/fire".into()), ..order() };
    provision(folder.path(), &[], &other, NOW).unwrap();
    let acl = std::fs::read_to_string(folder.path().join("broker/acl")).unwrap();
    let rules =
        acl.lines().filter(|rule| rule.starts_with("pattern ") || rule.starts_with("topic "));
    assert!(rules.clone().count() > 15);
    for rule in rules {
        assert!(rule.split(' ').nth(2).unwrap().starts_with("town/fire/"), "{rule}");
    }
}

#[test]
fn what_cannot_be_meant_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let run = |order: &ProvisionOrder| provision(folder.path(), &["t1/H1".into()], order, NOW);
    let nobody = ProvisionOrder { revoke: vec!["H9".into()], ..order() };
    let said = run(&nobody).unwrap_err().to_string();
    assert_eq!(
        said,
        "`H9` was never given anything: write area/device, stations/ID or a device's id"
    );
    std::fs::remove_file(folder.path().join("authority/ca.key")).unwrap();
    assert!(matches!(run(&order()), Err(ProvisionError::Half(path)) if path.ends_with("ca.key")));
}

#[test]
fn a_bridge_stays_follows_its_devices_and_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let run = |order: ProvisionOrder| {
        let bridges = bridges::all(folder.path(), &registry()).unwrap();
        provision(folder.path(), &[], &ProvisionOrder { bridges, ..order }, NOW).unwrap()
    };
    let ask = |name: &str, devices: &str| {
        let wanted = BridgeOrder { name: name.into(), devices: devices.into() };
        bridges::ask(folder.path(), &registry(), &wanted).map_err(|fault| fault.to_string())
    };
    ask("lora", "H1, H3").unwrap();
    assert_eq!(run(order()), ProvisionCounts { issued: 4, left: 0, revoked: 0 });
    let files = content(folder.path());
    assert_eq!(files["bridges/lora.devices"], "H1\nH3\n");
    for file in ["bridges/lora.pem", "bridges/lora.key", "bridges/lora.password"] {
        assert!(files.contains_key(file), "{file}");
    }
    assert!(files["broker/passwords"].contains("bridge-lora:$7$"), "{}", files["broker/passwords"]);
    let acl = &files["broker/acl"];
    let rules = acl.split_once("user bridge-lora\n").unwrap().1;
    assert!(rules.starts_with("topic write standpipe/v1/t1/H1/telemetry\n"), "{rules}");
    assert_eq!((rules.matches("/d/H3/").count(), rules.matches("H2").count()), (MAY.len(), 0));
    // It stays without being named, and is left as it is.
    assert_eq!(run(order()), ProvisionCounts { issued: 0, left: 4, revoked: 0 });
    assert_eq!(&content(folder.path())["broker/acl"], acl);
    assert_eq!(moved(folder.path(), &[]).unwrap(), []);
    // By a file, as a spreadsheet writes it; in place of what was said before.
    let list = folder.path().join("list");
    std::fs::write(&list, "\u{feff}H2\r\nH3\r\n").unwrap();
    ask("lora", &format!("@{}", list.display())).unwrap();
    // One that went from the registry since is told, and has no rule.
    let file = folder.path().join("bridges/lora.devices");
    std::fs::write(file, "H2\nH9\n").unwrap();
    let all = bridges::all(folder.path(), &registry()).unwrap();
    assert_eq!(
        (&all[0].devices[..], &all[0].gone[..]),
        (&["t1/H2".into()][..], &["H9".into()][..])
    );
    run(order());
    let acl = content(folder.path())["broker/acl"].clone();
    assert_eq!((acl.matches("t1/H2").count(), acl.matches("H1").count()), (MAY.len(), 0));
    assert_eq!(acl.matches("H9").count(), 0);
    let revoke = ProvisionOrder { revoke: vec!["bridge-lora".into()], ..order() };
    assert_eq!(run(revoke).revoked, 1);
    let files = content(folder.path());
    for file in ["broker/acl", "broker/passwords"] {
        assert!(!files[file].contains("bridge-lora"), "{file}");
    }
    assert!(ask("lo/ra", "H1").unwrap_err().starts_with("bridge `lo/ra`: use 1 to 48"));
    assert!(ask("lora", "H1,H9").unwrap_err().starts_with("`--devices` names `H9`, which is no"));
    assert!(ask("lora", " , ").is_err());
}

#[test]
fn what_was_added_by_hand_is_there_after_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = || provision(folder.path(), &["t1/H1".into()], &order(), NOW).unwrap();
    run();
    let add = |file: &str, text: &str| {
        let place = folder.path().join("broker").join(file);
        let before = std::fs::read_to_string(&place).unwrap();
        std::fs::write(place, before + text).unwrap();
    };
    add("acl", "user viewer\ntopic read standpipe/v1/#\n");
    add("passwords", "viewer:$7$101$a$b\n");
    run();
    run();
    let files = content(folder.path());
    assert!(files["broker/acl"].ends_with("user viewer\ntopic read standpipe/v1/#\n"));
    assert_eq!(files["broker/acl"].matches("user gateway\n").count(), 1);
    let passwords = &files["broker/passwords"];
    assert_eq!(passwords.matches("viewer:$7$101$a$b\n").count(), 1, "{passwords}");
    assert_eq!(passwords.matches("t1/H1:").count(), 1, "{passwords}");
}
