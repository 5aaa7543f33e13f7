//! History in a real InfluxDB 2: it does what every history must, and no outage or bad point
//! costs a reading.

use std::sync::Arc;
use std::time::Duration;

use influxdb2::api::organization::ListOrganizationRequest;
use influxdb2::api::write::TimestampPrecision;
use influxdb2::models::retention_rule::Type::Expire;
use influxdb2::models::{PostBucketRequest, Query, RetentionRule};
use standpipe_engine::SourceIx;
use standpipe_engine::health::PartStatus;
use standpipe_machine::clock::Clock;
use standpipe_rules::registry::Registry;
use standpipe_rules::{DAY_MS, HOUR_MS, Ms};
use standpipe_series::influx::hourly::tasks;
use standpipe_series::influx::{Influx, InfluxSettings};
use standpipe_series::records::Records;
use standpipe_series::{RAW_DAYS, Series, SeriesError};
use standpipe_store::Reader;
use standpipe_tests::influx::{self, ORG, TOKEN};
use tempfile::TempDir;

#[path = "../gateway/series/src/rig.rs"]
mod rig;
#[path = "../gateway/series/src/stories.rs"]
mod stories;

use rig::{Rig, count};

/// A real InfluxDB with buckets as the contract has them.
struct SeriesRoom {
    server: influx::Influx,
    series: Arc<Influx>,
    folder: TempDir,
}

const BUCKET: &str = "history";

fn settings(url: &str, bucket: &str) -> InfluxSettings {
    let (org, token, bucket) = (ORG.into(), TOKEN.into(), bucket.into());
    InfluxSettings { url: url.into(), org, token, bucket, trust: None }
}

impl SeriesRoom {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = aside(|| influx::Influx::start(folder.path()));
        let admin = admin(&server);
        let org = admin.list_organizations(ListOrganizationRequest::default()).await.unwrap().orgs
            [0]
        .id
        .clone();
        for (name, days) in [(BUCKET.to_owned(), RAW_DAYS), (format!("{BUCKET}_1h"), 5 * 365)] {
            let seconds = i32::try_from(days * 86_400).unwrap();
            let rule = RetentionRule::new(Expire, seconds);
            let mut bucket = PostBucketRequest::new(org.clone().unwrap(), name);
            bucket.retention_rules = vec![rule];
            admin.create_bucket(Some(bucket)).await.unwrap();
        }
        let series = Arc::new(Influx::new(&settings(&server.url(), BUCKET)).unwrap());
        Self { server, series, folder }
    }
}

/// The server's handle waits, which a thread with a runtime must not.
fn aside<T: Send>(wait: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(wait).join().unwrap())
}

fn admin(server: &influx::Influx) -> influxdb2::Client {
    influxdb2::Client::new(server.url(), ORG, TOKEN)
}

impl stories::HistoryStage for SeriesRoom {
    fn series(&self) -> &dyn Series {
        &*self.series
    }

    /// Runs the tasks' own text once, at that time.
    async fn roll_up(&self, now: Ms) {
        for task in tasks(BUCKET, RAW_DAYS.unsigned_abs()) {
            let mut query = Query::new(task.flux);
            query.now = Some(jiff::Timestamp::from_millisecond(now).unwrap().to_string());
            admin(&self.server).query_raw(Some(query)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn influxdb_does_what_every_history_must() {
    stories::all(&SeriesRoom::new().await, Clock::new().now()).await;
}

#[tokio::test]
async fn an_hour_is_done_again_as_it_gets_older() {
    let subject = SeriesRoom::new().await;
    let now = Clock::new().now();
    let hour = now - now % HOUR_MS;
    for (n, age_h) in [1, 3, 20, 6 * 24 + 5, 87 * 24 + 5].into_iter().enumerate() {
        let at = hour - age_h * HOUR_MS;
        let line = format!("hydrant,device=A pressure_kpa={n} {at}\n");
        let ms = TimestampPrecision::Milliseconds;
        assert_eq!(subject.series.write_lines(&line, ms, now).await.unwrap().kept, 1);
        stories::HistoryStage::roll_up(&subject, hour).await;
        let flux = format!(
            "from(bucket: \"{BUCKET}_1h\") |> range(start: -100d) |> filter(fn: (r) => \
             r._field == \"pressure_kpa_mean\" and r.device == \"A\") |> count()"
        );
        let hours = aside(|| subject.server.query(&flux));
        assert_eq!(hours[0]["_value"], (n + 1).to_string(), "the hour {age_h} h ago");
    }
}

#[tokio::test]
async fn a_bad_point_is_singled_out_and_the_rest_is_kept() {
    let subject = SeriesRoom::new().await;
    let now = Clock::new().now();
    let lines = |bad: &[(i64, &str)]| -> String {
        let line = |n| match bad.iter().find(|line| line.0 == n) {
            Some((_, bad)) => format!("{bad}\n"),
            None => format!("hydrant,device=B-{n} pressure_kpa=1.5 {}\n", now - n),
        };
        (0..5_000).map(line).collect()
    };
    // InfluxDB refuses the whole body for one line it cannot parse …
    let unparsable = [(17, "hydrant,device=X pressure_kpa=,, 1"), (4_999, "nonsense")];
    let ms = TimestampPrecision::Milliseconds;
    let written = subject.series.write_lines(&lines(&unparsable), ms, now).await.unwrap();
    assert_eq!((written.kept, written.refused.len()), (4_998, 2));
    assert_eq!(&*written.refused[0].device, "X");
    assert!(written.refused[0].why.contains("unable to parse"), "{}", written.refused[0].why);
    // … and drops single ones whose type is another, or that are too old.
    let conflict = format!("hydrant,device=B-3 pressure_kpa=\"high\" {now}");
    let old = format!("hydrant,device=B-4 pressure_kpa=1.5 {}", now - (RAW_DAYS + 9) * DAY_MS);
    let dropped = [(700, conflict.as_str()), (701, old.as_str())];
    let written = subject.series.write_lines(&lines(&dropped), ms, now).await.unwrap();
    assert_eq!((written.kept, written.expired, written.refused.len()), (4_998, 1, 1));
    assert_eq!(&*written.refused[0].device, "B-3");
    let flux = format!("from(bucket: \"{BUCKET}\") |> range(start: -1h) |> group() |> count()");
    let kept = aside(|| subject.server.query(&flux));
    assert_eq!(kept[0]["_value"], "5000", "the gaps of the first body were filled by the second");
}

#[tokio::test]
async fn a_wrong_token_or_bucket_is_for_a_person_to_correct() {
    let subject = SeriesRoom::new().await;
    let line = "hydrant,device=H pressure_kpa=1 1764000000000\n";
    for (settings, says) in [
        (
            InfluxSettings { token: "wrong".into(), ..settings(&subject.server.url(), BUCKET) },
            "InfluxDB: unauthorized access: check the token in `influx.token_file`",
        ),
        (
            settings(&subject.server.url(), "nowhere"),
            "InfluxDB: bucket \"nowhere\" not found: check `influx.org` and `influx.bucket`, \
             and make the bucket",
        ),
    ] {
        let series = Influx::new(&settings).unwrap();
        let ms = TimestampPrecision::Milliseconds;
        let refused = series.write_lines(line, ms, 0).await;
        assert_eq!(refused, Err(SeriesError::Misconfigured(says.into())));
        let said_at_once = series.upkeep(0).await;
        assert_eq!(said_at_once, Err(SeriesError::Misconfigured(says.into())));
    }
    let nobody = Influx::new(&settings("http://127.0.0.1:9", BUCKET)).unwrap();
    let away = nobody.upkeep(0).await.unwrap_err().to_string();
    assert!(away.starts_with("InfluxDB not reached: Connection refused"), "{away}");
    assert_eq!(subject.series.upkeep(0).await, Ok(false));
}

#[tokio::test]
async fn an_outage_is_said_and_made_up_for_without_a_gap() {
    let mut subject = SeriesRoom::new().await;
    let clock = Clock::new();
    let rig = Rig::start(
        subject.folder.path(),
        Arc::clone(&subject.series) as _,
        Some(Records::new(Arc::clone(&subject.series), Registry::new([]))),
    );
    let mut seq = 0;
    let mut say = |rig: &Rig| {
        for _ in 0..3_000 {
            seq += 1;
            rig.says(&format!("H-{}", seq % 10), seq, 300);
        }
    };
    say(&rig);
    rig.settled(subject.folder.path()).await;
    assert_eq!(rig.health.series.status(), PartStatus::Fine);

    aside(|| subject.server.stop());
    for _ in 0..4 {
        say(&rig);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let PartStatus::Failing { why, .. } = rig.health.series.status() else { panic!("it is away") };
    assert!(why.starts_with("InfluxDB not reached: "), "{why}");
    rig.end(); // and the gateway too is started anew meanwhile
    let rig = Rig::start(
        subject.folder.path(),
        Arc::clone(&subject.series) as _,
        Some(Records::new(Arc::clone(&subject.series), Registry::new([]))),
    );
    say(&rig);
    aside(|| subject.server.start_again());
    rig.settled(subject.folder.path()).await;
    let mut all = 0;
    for n in 0..10 {
        all += count(&*subject.series, &format!("H-{n}"), clock.now()).await;
    }
    assert_eq!(all, 18_000);
    rig.end();
}

#[tokio::test]
async fn incidents_and_the_ledger_are_points_too() {
    let subject = SeriesRoom::new().await;
    let rig = Rig::start(subject.folder.path(), Arc::clone(&subject.series) as _, None);
    for seq in [1, 2, 4] {
        rig.says("H-1", seq, 300);
    }
    for device in ["D-1", "D-2"] {
        let json = r#"{"boot":1,"seq":1,"condition":"smoke","active":true}"#;
        rig.hears(SourceIx::nth(0), &format!("a/{device}/alarm"), json);
    }
    rig.settled(subject.folder.path()).await;
    rig.end();
    let reader = Reader::open(&subject.folder.path().join("standpipe.db")).unwrap();
    let later = Clock::new().now() + 2 * HOUR_MS;
    // Twice from the beginning, as after a crash that came before the cursors were kept.
    for _ in 0..2 {
        let mut records = Records::new(Arc::clone(&subject.series), Registry::new([]));
        let (trail, ledger) = records.step(&reader, later).await.unwrap().unwrap();
        assert!(trail > 0 && ledger >= later - 3 * HOUR_MS);
        assert_eq!(records.step(&reader, later).await.unwrap(), None, "nothing is left");
    }
    let rows = |measurement: &str, field: &str| {
        let flux = format!(
            "from(bucket: \"{BUCKET}\") |> range(start: -2h, stop: 1h) |> filter(fn: (r) => \
             r._measurement == \"{measurement}\" and r._field == \"{field}\") |> group()"
        );
        let mut rows: Vec<_> = aside(|| subject.server.query(&flux))
            .iter()
            .map(|row| {
                format!("{} {}", row["_value"], row.get("condition").map_or("", |name| name))
            })
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(rows("incident", "device"), ["D-1 smoke", "D-2 smoke"]);
    assert_eq!(rows("incident", "state"), ["open smoke", "open smoke"]);
    let device = |count| vec![format!("{count} ")];
    assert_eq!(rows("ledger", "received")[2..], device(3));
    assert_eq!(rows("ledger", "missing")[2..], device(1), "number 3 never came");
}

/// A proxy's refusal is honoured: what a real InfluxDB answers only in InfluxDB Cloud.
#[tokio::test]
async fn retry_after_is_read_from_the_second_refusal() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let refuse = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await.unwrap();
            let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 42\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    let write = async {
        let series = Influx::new(&settings(&url, BUCKET)).unwrap();
        let mut asked = Vec::new();
        for _ in 0..2 {
            let ms = TimestampPrecision::Milliseconds;
            match series.write_lines("hydrant,device=H a=1 1\n", ms, 0).await {
                Err(SeriesError::Retry { after, .. }) => asked.push(after),
                other => panic!("{other:?}"),
            }
        }
        asked
    };
    let asked = tokio::select! {
        asked = write => asked,
        () = refuse => unreachable!("it listens for ever"),
    };
    assert_eq!(asked, [None, Some(Duration::from_secs(42))], "the client hides the first");
}
