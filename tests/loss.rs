//! Nothing acknowledged is ever lost, nothing is counted twice, nobody is paged twice.

use std::time::Duration;

use standpipe_tests::broker::Broker;
use standpipe_tests::gateway::Gateway;
use standpipe_tests::influx::Influx;
use standpipe_tests::load::{self, Load, Publish};
use standpipe_tests::station::Station;
use standpipe_tests::{instant, now, town, wait_for};

const DEVICES: u64 = 1_000;
const MESSAGES: u64 = 300_000;
const PER_SECOND: f64 = 5_000.0;
const FIRES: u64 = 20;

/// 300,000 readings at 5,000 a second and a fire every three seconds, while the gateway is killed
/// three times and InfluxDB is away for a minute.
#[test]
fn three_kills_and_a_minute_without_influx_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let mut influx = Influx::start(dir.path());
    let files = (town::stations(3), town::devices(DEVICES as usize, FIRES as usize, 60));
    let mut gateway =
        Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), &influx.section());
    let stations = Station::connect(broker.port, "+");
    for station in ["district", "t-1", "t-2", "t-3"] {
        stations.present(station);
    }

    let mut load = Load::connect(broker.port, "hydrants");
    let mut fires = Load::connect(broker.port, "detectors");
    let (mut lit, mut kills, mut taken) = (0, 0, Vec::new());
    let mut away = None;
    load::readings(&mut load, DEVICES, (1, MESSAGES), PER_SECOND, |sent| {
        if sent >= (lit + 1) * MESSAGES / (FIRES + 1) && lit < FIRES {
            lit += 1;
            let alarm = format!(
                "{{\"boot\":1,\"seq\":1,\"ts\":{},\"condition\":\"smoke\",\"active\":true}}",
                now()
            );
            fires.publish(&format!("standpipe/v1/t-1/S-{lit}/alarm"), alarm.as_bytes());
            fires.finish();
        }
        if sent > 40_000 && away.is_none() {
            influx.stop();
            away = Some(instant());
        }
        if sent > (kills + 1) * 75_000 && kills < 3 {
            kills += 1;
            gateway.kill();
            gateway.start_again();
        }
        for (page, incident, station) in stations.pages() {
            if !taken.contains(&page) {
                stations.act(&station, &incident, "acknowledge");
                taken.push(page);
            }
        }
    });
    assert_eq!((kills, lit), (3, FIRES));
    let away = away.expect("it was stopped");
    std::thread::sleep(Duration::from_secs(60).saturating_sub(away.elapsed()));
    influx.start_again();

    let whole = (MESSAGES + FIRES) as i64;
    let ledger = wait_for("the whole ledger", Duration::from_secs(60), || {
        let ledger = gateway.ledger();
        (ledger[1] >= whole).then_some(ledger)
    });
    let [expected, received, duplicate, _, missing] = ledger;
    println!("expected {expected}, received {received}, duplicate {duplicate}, missing {missing}");
    assert_eq!((expected, received, missing), (whole, whole, 0));

    let points = wait_for("every reading in InfluxDB", Duration::from_secs(120), || {
        let points = influx.count("hydrant", "pressure_kpa");
        (points >= MESSAGES).then_some(points)
    });
    assert_eq!(points, MESSAGES, "each reading once");

    let paged = wait_for("every fire's page", Duration::from_secs(10), || {
        let pages = stations.pages();
        (pages.len() as u64 >= FIRES).then_some(pages)
    });
    let mut incidents: Vec<&String> = paged.iter().map(|page| &page.1).collect();
    incidents.sort_unstable();
    incidents.dedup();
    assert_eq!(incidents.len() as u64, FIRES, "no fire missed");
    assert_eq!(paged.len() as u64, FIRES, "and none paged twice: {paged:?}");
}

/// The alarm lane does not wait behind 100,000 readings.
#[test]
fn an_alarm_overtakes_a_hundred_thousand_readings() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    let files = (town::stations(3), town::devices(DEVICES as usize, 1, 60));
    let mut gateway = Gateway::start(dir.path(), &broker.url(), (&files.0, &files.1), "");
    let stations = Station::connect(broker.port, "+");
    stations.present("t-1");
    gateway.signal("TERM");
    wait_for("the gateway to stop", Duration::from_secs(10), || gateway.ended());

    let mut load = Load::connect(broker.port, "hydrants");
    load::readings(&mut load, DEVICES, (1, 100_000), 50_000.0, |_| ());
    let mut detector = Load::connect(broker.port, "detector");

    gateway.start_again();
    let start = instant();
    let alarm = format!(
        "{{\"boot\":1,\"seq\":1,\"ts\":{},\"condition\":\"smoke\",\"active\":true}}",
        now()
    );
    detector.publish("standpipe/v1/t-1/S-1/alarm", alarm.as_bytes());
    detector.finish();
    stations.wait("the page", Duration::from_secs(10), |shown| shown.body["page_id"].is_string());
    let took = start.elapsed();
    println!("from the gateway's start to the page: {took:?}");
    assert!(took <= Duration::from_secs(1), "{took:?}");
    wait_for("the whole queue", Duration::from_secs(60), || {
        (gateway.ledger()[1] == 100_001).then_some(())
    });
}
