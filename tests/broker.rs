//! The broker of `deploy/` lets the right ones in, and each of them only where it belongs.

use std::time::Duration;

use serde_json::json;
use standpipe::provision::account::account;
use standpipe::provision::authority::{Authority, CertificateSubject, Validity};
use standpipe_tests::deployed::{DEVICES, Deployed, STATIONS, provision};
use standpipe_tests::gateway::Gateway;
use standpipe_tests::now;
use standpipe_tests::secure::{Login, Retain, Secure};

/// Long enough for a message that was let through.
const SOON: Duration = Duration::from_secs(5);
/// How long nothing must come.
const SILENCE: Duration = Duration::from_millis(500);

#[test]
fn each_writes_and_reads_only_what_is_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Deployed::start(dir.path());
    let password = std::fs::read_to_string(broker.key("devices/t1/H1.password")).unwrap();
    let login = Login::Password("t1/H1".to_owned(), password);
    // One after the other: under one name there is one session.
    for by_certificate in [true, false] {
        let device = if by_certificate {
            broker.enter("devices/t1/H1").unwrap()
        } else {
            Secure::connect(broker.ports[1], &broker.authority(), &login).unwrap()
        };
        for channel in ["telemetry", "alarm", "status", "reply"] {
            let own = format!("standpipe/v1/t1/H1/{channel}");
            assert_eq!(device.publish(&own, Retain::No, "{}"), Ok(()), "{own}");
            for other in ["t1/H2", "t2/H1", "t2/H2", "t1/H1/x", "stations/t1"] {
                if (other, channel) == ("t1/H1/x", "alarm") {
                    continue; // its own, on a topic that it took for the right one
                }
                let foreign = format!("standpipe/v1/{other}/{channel}");
                let refused = device.publish(&foreign, Retain::No, "{}").unwrap_err();
                assert!(refused.contains("NotAuthorized"), "{foreign}: {refused}");
            }
        }
        for foreign in [
            "standpipe/v1/t1/H1/settings",
            "standpipe/v1/t1/H1/command",
            "standpipe/v1/t1/H1/receipt",
            "standpipe/v1/gateway/clock",
            "standpipe/v1/gateway/chain",
            "standpipe/v1/stations/t1/actions",
            "standpipe/v1/stations/t1/incidents/1",
            "elsewhere",
        ] {
            assert!(device.publish(foreign, Retain::No, "{}").is_err(), "{foreign}");
        }
    }
}

/// What a maker took for the topic of an alarm is let through, for no other device.
#[test]
fn an_alarm_on_an_odd_topic_of_its_own_is_let_through() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Deployed::start(dir.path());
    let gateway = Login::files(&broker.key("gateway/gateway"));
    let gateway = Secure::connect(broker.ports[2], &broker.authority(), &gateway).unwrap();
    gateway.subscribe("standpipe/v1/#").unwrap();
    let device = broker.enter("devices/t1/D1").unwrap();
    let alarms =
        ["alarms", "Alarm", "ALARMS", "alarm/", "Alarm/", "ALARM/", "alarm//", "smoke/alarm"];
    for odd in alarms.into_iter().chain(["Telemetry", "TELEMETRY", "telemetry/"]) {
        let own = format!("standpipe/v1/t1/D1/{odd}");
        assert_eq!(device.publish(&own, Retain::No, "ON"), Ok(()), "{own}");
        assert_eq!(
            gateway.next(SOON).map(|message| message.topic),
            Some(own),
            "the gateway hears it"
        );
        let foreign = format!("standpipe/v1/t1/H1/{odd}");
        assert!(device.publish(&foreign, Retain::No, "ON").is_err(), "{foreign}");
    }
}

/// Ids that the broker's files cannot hold: they sign in as `d-…`, and are as shut in as others.
#[test]
fn a_device_of_any_id_cries_for_itself_and_for_no_other() {
    const IDS: [&str; 4] = ["00:15:8d:00:01", "厨房烟感", "a b", "what?&\"<b>"];
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Deployed::start(dir.path());
    let mut devices = std::fs::read_to_string(dir.path().join("devices.csv")).unwrap();
    for id in IDS {
        let id = id.replace('"', "\"\"");
        devices += &format!("\"{id}\",smoke,感烟,c1,,smoke_home,29.381,106.561,新市街 3 号,A\n");
    }
    std::fs::write(dir.path().join("devices.csv"), devices).unwrap();
    provision(dir.path(), &[]);
    broker.restart();
    let gateway = Login::files(&broker.key("gateway/gateway"));
    let gateway = Secure::connect(broker.ports[2], &broker.authority(), &gateway).unwrap();
    gateway.subscribe("standpipe/v1/#").unwrap();
    for id in IDS {
        let name = format!("t1/{id}");
        let account = account(&name);
        let place = format!("devices/{account}");
        let password = std::fs::read_to_string(broker.key(&format!("{place}.password"))).unwrap();
        let login = Login::Password(account.to_string(), password);
        for by_certificate in [true, false] {
            let device = if by_certificate {
                broker.enter(&place).unwrap()
            } else {
                Secure::connect(broker.ports[1], &broker.authority(), &login).unwrap()
            };
            for channel in ["telemetry", "alarm", "status", "reply", "alarms"] {
                let own = format!("standpipe/v1/{name}/{channel}");
                assert_eq!(device.publish(&own, Retain::No, "{}"), Ok(()), "{own}");
                assert_eq!(gateway.next(SOON).map(|message| message.topic), Some(own));
                for other in IDS.iter().filter(|other| **other != id).chain(&["D1", "H1"]) {
                    let foreign = format!("standpipe/v1/t1/{other}/{channel}");
                    let refused = device.publish(&foreign, Retain::No, "{}").unwrap_err();
                    assert!(refused.contains("NotAuthorized"), "{foreign}: {refused}");
                }
            }
            assert!(
                device.publish(&format!("standpipe/v1/{name}/command"), Retain::No, "{}").is_err()
            );
            let command = format!("standpipe/v1/{name}/command");
            device.subscribe(&command).unwrap();
            assert_eq!(gateway.publish(&command, Retain::No, "{}"), Ok(()));
            assert_eq!(device.next(SOON).map(|message| message.topic), Some(command.clone()));
            assert_eq!(gateway.next(SOON).map(|message| message.topic), Some(command));
        }
    }
}

#[test]
fn nobody_hears_what_is_meant_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Deployed::start(dir.path());
    let gateway = Login::files(&broker.key("gateway/gateway"));
    let gateway = Secure::connect(broker.ports[2], &broker.authority(), &gateway).unwrap();
    let say = |topic: &str| gateway.publish(topic, Retain::Yes, "{}").unwrap();
    let (one, two) = ("devices/t1/H1", "devices/t2/H2");
    for (listener, filters, hears, never) in [
        (one, ["#", "standpipe/v1/t1/H1/settings"], "t1/H1/settings", "t2/H2/settings"),
        (two, ["#", "standpipe/v1/+/+/command"], "t2/H2/command", "t1/H1/command"),
        (one, ["#", "standpipe/v1/+/clock"], "gateway/clock", "stations/t1/incidents/1"),
        (
            "stations/t1",
            ["#", "+/+/stations/+/#"],
            "stations/t1/incidents/1",
            "stations/t2/incidents/2",
        ),
        (
            "stations/t2",
            ["#", "+/+/+/t1/+/+"],
            "stations/t2/incidents/2",
            "stations/t1/incidents/3",
        ),
    ] {
        let client = broker.enter(listener).unwrap();
        for filter in filters {
            client.subscribe(filter).unwrap();
        }
        let (hears, never) = (format!("standpipe/v1/{hears}"), format!("standpipe/v1/{never}"));
        say(&never);
        say(&hears);
        let mut heard: Vec<String> = Vec::new();
        while let Some(message) = client.next(if heard.contains(&hears) { SILENCE } else { SOON }) {
            heard.push(message.topic);
        }
        assert!(heard.contains(&hears), "{listener} hears {hears}: {heard:?}");
        assert!(!heard.contains(&never), "{listener} hears {never}");
    }
}

#[test]
fn whoever_is_not_known_is_not_let_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Deployed::start(dir.path());
    let authority = broker.authority();
    let enter = |broker: &Deployed, login: &Login| {
        Secure::connect(broker.ports[0], &authority, login).err()
    };
    let issue = |authority: &Authority, when| {
        let made = authority.issue(&CertificateSubject::Client("t1/H1"), when).unwrap();
        Login::Certificate(made.certificate.into_bytes(), made.key.into_bytes())
    };
    let ours = Authority::open(&broker.key("authority"), now()).unwrap();
    let stranger = Authority::open(&dir.path().join("stranger"), now()).unwrap();
    let day = 86_400_000;
    let valid = Validity::days(now(), 1);
    assert_eq!(enter(&broker, &issue(&ours, valid)), None, "one like these is let in");
    let expired = Validity { from: now() - 9 * day, until: now() - day };
    let future = Validity { from: now() + day, until: now() + 9 * day };
    for (what, login) in [
        ("an unknown authority", issue(&stranger, valid)),
        ("an expired certificate", issue(&ours, expired)),
        ("a certificate of tomorrow", issue(&ours, future)),
        ("a password where a certificate is wanted", Login::Password("t1/H1".into(), "x".into())),
    ] {
        assert!(enter(&broker, &login).is_some(), "{what} is let in");
    }
    let wrong = Login::Password("t1/H1".into(), "wrong".into());
    assert!(Secure::connect(broker.ports[1], &authority, &wrong).is_err(), "a wrong password");
    let other = stranger.certificate.as_bytes();
    let login = Login::files(&broker.key("devices/t1/H1"));
    assert!(Secure::connect(broker.ports[0], other, &login).is_err(), "another's broker");

    // Taken back, it is out; with new ones, it is in, and with the old ones still out.
    let (old, neighbour) = (login, Login::files(&broker.key("devices/t1/D1")));
    let password = std::fs::read_to_string(broker.key("devices/t1/H1.password")).unwrap();
    let old_password = Login::Password("t1/H1".into(), password);
    // The broker goes on under the name it was given.
    provision(dir.path(), &["--broker", "127.0.0.1", "--broker", "fire.example"]);
    let named = std::fs::read(broker.key("broker/broker.pem")).unwrap();
    provision(dir.path(), &["--revoke", "H1"]);
    assert_eq!(std::fs::read(broker.key("broker/broker.pem")).unwrap(), named);
    broker.restart();
    assert!(enter(&broker, &old).is_some(), "a revoked device is let in");
    assert!(Secure::connect(broker.ports[1], &authority, &old_password).is_err());
    assert_eq!(enter(&broker, &neighbour), None, "nobody else is shut out");
    provision(dir.path(), &["--rotate", "t1/H1"]);
    broker.restart();
    assert_eq!(enter(&broker, &Login::files(&broker.key("devices/t1/H1"))), None);
    assert!(enter(&broker, &old).is_some(), "the old certificate is let in");
    assert!(Secure::connect(broker.ports[1], &authority, &old_password).is_err());
}

#[test]
fn no_device_or_station_comes_in_where_the_gateway_does() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Deployed::start(dir.path());
    let (authority, programs) = (broker.authority(), broker.ports[2]);
    let login = |place: &str| Login::files(&broker.key(place));
    // All of these clients ask for one session, which is the gateway's.
    let gateway = Secure::connect(programs, &authority, &login("gateway/gateway")).unwrap();
    let password = std::fs::read_to_string(broker.key("devices/t1/H1.password")).unwrap();
    let password = Login::Password("t1/H1".into(), password);
    for (who, login) in [
        ("a device", login("devices/t1/H1")),
        ("a station", login("stations/t1")),
        ("a device's password", password.clone()),
    ] {
        assert!(Secure::connect(programs, &authority, &login).is_err(), "{who} is let in");
    }
    // Where they do come in, the session they get is their own.
    let by_certificate = broker.enter("devices/t1/D1").unwrap();
    let by_password = Secure::connect(broker.ports[1], &authority, &password).unwrap();
    for (device, topic) in [(by_certificate, "t1/D1/telemetry"), (by_password, "t1/H1/telemetry")] {
        assert_eq!(device.publish(&format!("standpipe/v1/{topic}"), Retain::No, "{}"), Ok(()));
    }
    let clock = "standpipe/v1/gateway/clock";
    assert_eq!(gateway.publish(clock, Retain::No, "{}"), Ok(()), "it has its session still");
    // Nobody else can say that a gateway pages, after which another would stand back.
    let lease = "standpipe/v1/gateway/lease";
    assert_eq!(gateway.publish(lease, Retain::No, "{}"), Ok(()));
    for place in ["devices/t1/D1", "stations/t1"] {
        let other = broker.enter(place).unwrap();
        assert!(other.publish(lease, Retain::No, "{}").is_err(), "{place}");
    }
    // And programs come in nowhere else.
    for port in &broker.ports[..2] {
        let login = login("gateway/gateway");
        assert!(Secure::connect(*port, &authority, &login).is_err(), "{port}");
    }
}

#[test]
fn one_device_cannot_end_anothers_session() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Deployed::start(dir.path());
    let first = broker.enter("devices/t1/H1").unwrap();
    let second = broker.enter("devices/t2/H2").unwrap(); // which asks for the same session
    assert_eq!(first.publish("standpipe/v1/t1/H1/telemetry", Retain::No, "{}"), Ok(()));
    assert_eq!(second.publish("standpipe/v1/t2/H2/telemetry", Retain::No, "{}"), Ok(()));
}

#[test]
fn a_fire_goes_from_a_device_to_its_station_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Deployed::start(dir.path());
    let gateway = Gateway::start_with(dir.path(), &broker.mqtt(), (STATIONS, DEVICES), "");
    gateway.wait_ready();
    let station = broker.enter("stations/c1").unwrap();
    station.subscribe("standpipe/v1/stations/c1/incidents/+").unwrap();
    let other = broker.enter("stations/t2").unwrap();
    other.subscribe("standpipe/v1/stations/+/incidents/+").unwrap();
    let online = json!({"online": true}).to_string();
    station.publish("standpipe/v1/stations/c1/presence", Retain::Yes, &online).unwrap();
    let detector = broker.enter("devices/t1/D1").unwrap();
    let fire = json!({"boot": 1, "seq": 1, "condition": "smoke", "active": true}).to_string();
    detector.publish("standpipe/v1/t1/D1/alarm", Retain::No, &fire).unwrap();
    let page = station.next(SOON).expect("a page");
    let incident: serde_json::Value = serde_json::from_slice(&page.payload).unwrap();
    assert_eq!((&incident["class"], &incident["device"]["id"]), (&json!("fire"), &json!("D1")));
    assert_eq!(other.next(SILENCE), None);
    let id = incident["id"].as_str().unwrap().to_owned();
    let action = json!({"incident": id, "action": "acknowledge", "by": "chief"}).to_string();
    station.publish("standpipe/v1/stations/c1/actions", Retain::No, &action).unwrap();
    gateway.incident("the acknowledgement", SOON, |incident| incident["state"] == "acknowledged");
}

#[test]
fn a_bridge_speaks_for_its_devices_and_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Deployed::start(dir.path());
    let authority = broker.authority();
    // Somebody added an account of their own: no run takes it away.
    let add = |file: &str, text: &str| {
        let place = broker.key("broker").join(file);
        let before = std::fs::read_to_string(&place).unwrap();
        std::fs::write(place, before + text).unwrap();
    };
    add("acl", "user viewer\ntopic read standpipe/v1/+/+/telemetry\n");
    // `secret`, hashed by mosquitto_passwd.
    add(
        "passwords",
        "viewer:$7$101$TEEMouXp7uvXYNta$N6iBKwLFFvvigOwA/yJUi8LZbxJ78LtqIaIeuWRSNJWbuHbUeB7CdQ0EyJIdfq\
         Efz2Pn2+NHmAAfQIuX3U8T6A==\n",
    );
    provision(dir.path(), &["--bridge", "lora", "--devices", "H1,D2"]);
    provision(dir.path(), &[]);
    broker.restart();
    let viewer = Login::Password("viewer".into(), "secret".into());
    let viewer = Secure::connect(broker.ports[1], &authority, &viewer).unwrap();
    viewer.subscribe("standpipe/v1/+/+/telemetry").unwrap();

    let password = std::fs::read_to_string(broker.key("bridges/lora.password")).unwrap();
    let password = Login::Password("bridge-lora".into(), password);
    for by_certificate in [true, false] {
        let bridge = if by_certificate {
            broker.enter("bridges/lora").unwrap()
        } else {
            Secure::connect(broker.ports[1], &authority, &password).unwrap()
        };
        // On whatever topic the maker sends alarms, as the devices themselves may.
        let alarms = ["alarm", "alarms", "Alarm", "ALARM/", "alarm/", "alarm//", "x/alarm"];
        for channel in ["telemetry", "status", "reply"].into_iter().chain(alarms) {
            for own in ["t1/H1", "t2/D2"] {
                let topic = format!("standpipe/v1/{own}/{channel}");
                assert_eq!(bridge.publish(&topic, Retain::No, "{}"), Ok(()), "{topic}");
            }
            for other in ["t2/H2", "t1/D1", "t2/H1", "t1/H1/x/y", "stations/t1", "t1/H9"] {
                let topic = format!("standpipe/v1/{other}/{channel}");
                let refused = bridge.publish(&topic, Retain::No, "{}").unwrap_err();
                assert!(refused.contains("NotAuthorized"), "{topic}: {refused}");
            }
        }
        for foreign in [
            "t1/H1/settings",
            "t1/H1/command",
            "t1/H1/receipt",
            "gateway/clock",
            "gateway/chain",
            "stations/t1/actions",
            "stations/t1/presence",
            "selftest/selftest-t1/alarm",
        ] {
            let topic = format!("standpipe/v1/{foreign}");
            assert!(bridge.publish(&topic, Retain::No, "{}").is_err(), "{topic}");
        }
        // It hears what is meant for them, and for nobody else.
        let gateway = Login::files(&broker.key("gateway/gateway"));
        let gateway = Secure::connect(broker.ports[2], &authority, &gateway).unwrap();
        bridge.subscribe("#").unwrap();
        let others =
            ["t2/H2/settings", "t1/D1/command", "t2/H2/receipt", "stations/t1/incidents/1"];
        let own = ["t1/H1/settings", "t2/D2/command", "t1/H1/receipt"];
        for topic in others.into_iter().chain(own) {
            let topic = format!("standpipe/v1/{topic}");
            gateway.publish(&topic, Retain::No, "{}").unwrap();
        }
        let mut heard: Vec<String> = Vec::new();
        while let Some(message) = bridge.next(if heard.len() < own.len() { SOON } else { SILENCE })
        {
            heard.push(message.topic);
        }
        assert_eq!(heard, own.map(|topic| format!("standpipe/v1/{topic}")));
    }
    let heard = viewer.next(SOON).expect("what a hand-written account may read");
    assert_eq!(heard.topic, "standpipe/v1/t1/H1/telemetry");
    // Taken back, it is out.
    provision(dir.path(), &["--revoke", "bridge-lora"]);
    broker.restart();
    assert!(broker.enter("bridges/lora").is_err());
    assert!(Secure::connect(broker.ports[1], &authority, &password).is_err());
}
