//! History in InfluxDB 2, through the `influxdb2` client.
//!
//! Here: bodies of lines, and what becomes of them (deploy/FILES.md). What a line looks like is in
//! `line.rs`, and its beginning, made once for a device, in `heads.rs`; what one answer of the server
//! means is in `verdict.rs`, questions are in `flux.rs`, what rolls hours up is in `hourly.rs`, an
//! InfluxDB is made ready in `setup.rs`, retries are in `pump.rs`.
//!
//! Lines are written here and not by the client, whose writer escapes wrongly and sends one HTTP
//! chunk a point. The client hides the headers of an answer, `Retry-After` among them: once
//! InfluxDB has refused for now, the next attempt is the same request sent directly with
//! `reqwest`, whose answer is read whole, until one is taken.
//!
//! A point's place is its tags and its time. Written again after a crash it is the same point,
//! unless its device was given another station or zone in that very moment: then it is in both.

mod flux;
pub mod heads;
pub mod hourly;
pub mod line;
pub mod setup;
mod verdict;

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::BoxFuture;
use influxdb2::api::write::TimestampPrecision;
use influxdb2::{Client, ClientBuilder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER};
use standpipe_config::Config;
use standpipe_config::trust::{self, Authorities};
use standpipe_machine::backoff::retry_after;
use standpipe_rules::Ms;
use standpipe_rules::changes::Logged;

use self::heads::Heads;
use self::line::Unwritable;
use self::verdict::{Dropped, WriteVerdict};
use super::{
    HistoryError, HistoryPoint, HistoryQuery, NotOpened, OpenedHistory, ReadingBatch, Record,
    RefusedPoint, Series, SeriesError, Tags, Written, beginning,
};

/// Lines of one body.
pub const BODY_LINES: usize = 5_000;
/// Bytes to reserve for a line.
const LINE_BYTES: usize = 160;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a write may take, from the first byte to the whole answer.
const WRITE: Duration = Duration::from_secs(30);
/// How long a question may take.
const ASK: Duration = Duration::from_secs(20);
/// With nothing to write for so long, it is asked whether it would take something.
const QUIET_MS: Ms = 25_000;
/// Requests spent on finding the points of one batch that InfluxDB dropped.
const MOST_PROBES: usize = 256;
/// What is kept of a refused line.
const REFUSED_BYTES: usize = 4_096;

/// Where InfluxDB is, and whose data it keeps for us.
#[derive(Clone)]
pub struct InfluxSettings {
    /// `http://host:8086` or `https://…`, without a path.
    pub url: Box<str>,
    pub org: Box<str>,
    /// A token that may read and write both buckets.
    pub token: Box<str>,
    /// The bucket of raw readings; hourly ones are in that name with `_1h`.
    pub bucket: Box<str>,
    /// Who signed its certificate; `None`: whoever the system believes.
    pub trust: Option<Authorities>,
}

impl From<&standpipe_config::InfluxConfig> for InfluxSettings {
    fn from(said: &standpipe_config::InfluxConfig) -> Self {
        Self {
            url: said.url.clone(),
            org: said.org.clone(),
            token: said.token.expose().into(),
            bucket: said.bucket.clone(),
            trust: said.trust.clone(),
        }
    }
}

/// Why these settings cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    #[error(
        "`{0}` is no address of InfluxDB: use http://host:8086 or https://host, without a path"
    )]
    Url(Box<str>),
    #[error("no HTTP client: {0}: check the machine's TLS set-up")]
    Client(Box<str>),
}

/// InfluxDB 2 as history.
#[derive(Debug)]
pub struct Influx {
    /// Only writes: with gzip, everything it sends is said to be compressed.
    writer: Client,
    asker: Client,
    /// The same requests as `writer`, with answers that have headers.
    probe: reqwest::Client,
    probe_url: reqwest::Url,
    authorization: HeaderValue,
    bucket: Box<str>,
    gzip: bool,
    /// The last attempt failed: the next one goes by [`Self::probe`].
    away: AtomicBool,
    /// When it last took a body, Unix ms.
    taken_at: AtomicI64,
    /// Of the devices written so far; the lock is held while a body is put together.
    heads: Mutex<Heads>,
}

/// InfluxDB, where there is `[influx]`.
pub(crate) fn opened(config: &Config) -> OpenedHistory {
    let opened = Influx::new(&InfluxSettings::from(config.influx.as_ref()?));
    let bad = |bad: BadSettings| NotOpened::Settings(bad.to_string().into());
    Some(opened.map(|history| Arc::new(history) as Arc<dyn Series>).map_err(bad))
}

impl Influx {
    /// Gets ready; nothing is sent yet.
    ///
    /// # Errors
    /// [`BadSettings`].
    pub fn new(settings: &InfluxSettings) -> Result<Self, BadSettings> {
        let InfluxSettings { url, org, token, bucket, trust } = settings;
        let mut address = address(url).ok_or_else(|| BadSettings::Url(url.clone()))?;
        // gzip is 0.3 µs a point for a ninth of the bytes: a bargain on a network, and a waste
        // of time within one machine.
        let gzip = !loopback(&address);
        let mut headers = HeaderMap::new();
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let believed = trust::believing(&address, trust.as_ref());
        let http = |timeout| {
            believed(reqwest::Client::builder())
                .user_agent(concat!("standpipe/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT)
                .timeout(timeout)
                .pool_max_idle_per_host(1)
        };
        let client = |http| ClientBuilder::with_builder(http, &**url, &**org, &**token).build();
        let failed = |bad: &dyn std::fmt::Display| BadSettings::Client(bad.to_string().into());
        let writer =
            client(http(WRITE).default_headers(headers.clone())).map_err(|bad| failed(&bad))?;
        let asker = client(http(ASK)).map_err(|bad| failed(&bad))?;
        let probe = http(WRITE).default_headers(headers).build().map_err(|bad| failed(&bad))?;
        let mut authorization = HeaderValue::from_str(&format!("Token {token}"))
            .map_err(|_| failed(&"the token holds a control character"))?;
        authorization.set_sensitive(true);
        address.set_path("/api/v2/write");
        Ok(Self {
            writer,
            asker,
            probe,
            probe_url: address,
            authorization,
            bucket: bucket.clone(),
            gzip,
            away: AtomicBool::new(false),
            taken_at: AtomicI64::new(Ms::MIN),
            heads: Mutex::default(),
        })
    }

    /// Writes lines of any measurement, whole ones; what cannot be taken is singled out.
    ///
    /// # Errors
    /// [`SeriesError`]: nothing is known to be kept; write the same lines again.
    pub async fn write_lines(
        &self,
        lines: &str,
        precision: TimestampPrecision,
        now: Ms,
    ) -> Result<Written, SeriesError> {
        let mut written = Written::default();
        let mut todo = vec![lines];
        let mut probes = 0;
        while let Some(part) = todo.pop() {
            let count = part.lines().count() as u64;
            if count == 0 {
                continue;
            }
            match self.send(part, precision, now).await? {
                WriteVerdict::Taken => written.kept += count,
                WriteVerdict::Partly(Dropped::Expired(old)) => {
                    written.expired += old.min(count);
                    written.kept += count.saturating_sub(old);
                }
                WriteVerdict::Partly(Dropped::Other { points, why }) if probes >= MOST_PROBES => {
                    written.kept += count.saturating_sub(points);
                    written.refused.push(refused(part, &format!("{points} of these: {why}")));
                }
                WriteVerdict::Partly(Dropped::Other { why, .. }) | WriteVerdict::Refused(why) => {
                    probes += 1;
                    match halves(part) {
                        Some((first, second)) => todo.extend([second, first]),
                        None => written.refused.push(refused(part, &why)),
                    }
                }
            }
        }
        Ok(written)
    }

    /// Sends one body, by the client or, after a failure, directly.
    async fn send(
        &self,
        lines: &str,
        precision: TimestampPrecision,
        now: Ms,
    ) -> Result<WriteVerdict, SeriesError> {
        let body = self.body(lines)?;
        let verdict = if self.away.load(Ordering::Relaxed) {
            self.probe(body, precision, now).await
        } else {
            let (org, bucket) = (&self.writer.org, &self.bucket);
            let sent =
                self.writer.write_line_protocol_with_precision(org, bucket, body, precision).await;
            verdict::of_client(sent)
        };
        self.away.store(matches!(verdict, Err(SeriesError::Retry { .. })), Ordering::Relaxed);
        if verdict.is_ok() {
            self.taken_at.store(now, Ordering::Relaxed);
        }
        verdict
    }

    /// Sends one body directly, to see the headers of the answer.
    async fn probe(
        &self,
        body: Vec<u8>,
        precision: TimestampPrecision,
        now: Ms,
    ) -> Result<WriteVerdict, SeriesError> {
        let unit = if precision == TimestampPrecision::Nanoseconds { "ns" } else { "ms" };
        let query = [("bucket", &*self.bucket), ("org", &*self.writer.org), ("precision", unit)];
        let request = self
            .probe
            .post(self.probe_url.clone())
            .header(reqwest::header::AUTHORIZATION, self.authorization.clone())
            .query(&query)
            .body(body);
        let answer = request.send().await.map_err(|bad| verdict::network(&bad))?;
        let status = answer.status();
        let after = answer.headers().get(RETRY_AFTER).and_then(|header| header.to_str().ok());
        let after = after.and_then(|seconds| retry_after(seconds, now));
        let text = answer.text().await.map_err(|bad| verdict::network(&bad))?;
        verdict::of_answer(status, &text, after)
    }

    /// The lines of readings. One that cannot be written is counted, or refused.
    fn lines(&self, readings: &[Logged], tags: &Tags, all: &mut Written) -> String {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.follow(tags);
        let mut text = String::with_capacity(readings.len() * LINE_BYTES);
        for reading in readings {
            let head = heads.get(reading.device).ok_or(Unwritable::BadId);
            let values = &reading.values;
            match head.and_then(|head| line::point(&mut text, head, values, reading.series_ts)) {
                Ok(()) => {}
                Err(Unwritable::Empty) => all.empty += 1,
                Err(why @ (Unwritable::BadId | Unwritable::Control | Unwritable::NotFinite)) => {
                    all.refused.push(RefusedPoint {
                        device: tags.id(reading.device).unwrap_or_default().into(),
                        why: why.to_string().into(),
                        point: format!("{reading:?}").into(),
                    });
                }
            }
        }
        text
    }

    fn body(&self, lines: &str) -> Result<Vec<u8>, SeriesError> {
        if !self.gzip {
            return Ok(lines.as_bytes().to_vec());
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 8), Compression::new(1));
        encoder
            .write_all(lines.as_bytes())
            .and_then(|()| encoder.finish())
            .map_err(|bad| SeriesError::Retry { after: None, why: format!("gzip: {bad}").into() })
    }
}

impl Series for Influx {
    fn write(
        &self,
        batch: Arc<ReadingBatch>,
        now: Ms,
    ) -> BoxFuture<'_, Result<Written, SeriesError>> {
        Box::pin(async move {
            let mut all = Written::default();
            for readings in batch.readings.chunks(BODY_LINES) {
                let text = self.lines(readings, &batch.tags, &mut all);
                let part = self.write_lines(&text, TimestampPrecision::Milliseconds, now).await?;
                all.add(part);
            }
            Ok(all)
        })
    }

    fn history(
        &self,
        query: HistoryQuery,
        now: Ms,
    ) -> BoxFuture<'_, Result<Vec<HistoryPoint>, HistoryError>> {
        Box::pin(flux::answer(self.asker.clone(), self.bucket.clone(), query, now))
    }

    /// Records of one kind go in one body.
    fn write_records(
        &self,
        records: Vec<Record>,
        now: Ms,
    ) -> Option<BoxFuture<'_, Result<Written, SeriesError>>> {
        Some(Box::pin(async move {
            let mut all = Written::default();
            for records in records.chunk_by(|one, next| one.kind == next.kind) {
                let Some(kind) = records.first().map(|record| record.kind) else { continue };
                let text = record_lines(records, &mut all);
                all.add(self.write_lines(&text, line::precision(kind), now).await?);
            }
            Ok(all)
        }))
    }

    /// InfluxDB rolls up by its own tasks ([`hourly`]) and cuts off by its retention. Here it
    /// is only asked, when nothing was written for a while, whether it is there and would take
    /// something: an empty body goes through the same checks.
    fn upkeep(&self, now: Ms) -> BoxFuture<'_, Result<bool, SeriesError>> {
        Box::pin(async move {
            if now.saturating_sub(self.taken_at.load(Ordering::Relaxed)) >= QUIET_MS {
                self.send("", TimestampPrecision::Milliseconds, now).await?;
            }
            Ok(false)
        })
    }
}

/// The lines of records. One that cannot be written is refused.
fn record_lines(records: &[Record], all: &mut Written) -> String {
    let mut text = String::with_capacity(records.len() * LINE_BYTES);
    for record in records {
        if let Err(why) = line::record(&mut text, record) {
            let device = record.tags.iter().find(|(key, _)| *key == "device");
            all.refused.push(RefusedPoint {
                device: device.map(|(_, device)| device.clone()).unwrap_or_default(),
                why: why.to_string().into(),
                point: format!("{record:?}").into(),
            });
        }
    }
    text
}

/// Two parts of whole lines; `None` for a single line.
fn halves(lines: &str) -> Option<(&str, &str)> {
    let middle = lines.len() / 2;
    let bytes = lines.as_bytes();
    let before = bytes.get(..middle)?.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    let after = || {
        let at = bytes.get(middle..)?.iter().position(|byte| *byte == b'\n')? + middle + 1;
        (at < lines.len()).then_some(at)
    };
    lines.split_at_checked(before.or_else(after)?)
}

fn refused(lines: &str, why: &str) -> RefusedPoint {
    let device = line::device_of(lines);
    let point = beginning(lines.trim_end(), REFUSED_BYTES);
    RefusedPoint { device: device.into(), why: why.into(), point: point.into() }
}

/// An address the client can use: it drops paths and panics at what is no URL.
fn address(url: &str) -> Option<reqwest::Url> {
    let address = reqwest::Url::parse(url).ok()?;
    let usable = matches!(address.scheme(), "http" | "https") && address.path() == "/";
    (usable && address.has_host()).then_some(address)
}

fn loopback(address: &reqwest::Url) -> bool {
    let host = address.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{BadSettings, Influx, InfluxSettings, halves, refused};

    fn settings(url: &str) -> InfluxSettings {
        let (org, token, bucket) = ("o".into(), "t".into(), "standpipe".into());
        InfluxSettings { url: url.into(), org, token, bucket, trust: None }
    }

    #[test]
    fn an_address_is_checked_before_the_client_could_panic() {
        for url in ["", "influx:8086", "/x", "ftp://h", "http://", "http://h/prefix", "mailto:a@b"]
        {
            let bad = Influx::new(&settings(url)).err();
            assert_eq!(bad, Some(BadSettings::Url(url.into())), "{url}");
        }
        assert_eq!(
            BadSettings::Url("x".into()).to_string(),
            "`x` is no address of InfluxDB: use http://host:8086 or https://host, without a path"
        );
    }

    #[test]
    fn bodies_are_compressed_on_a_network_only() {
        for (url, gzip) in [
            ("http://127.0.0.1:8086", false),
            ("http://[::1]:8086", false),
            ("http://localhost:8086/", false),
            ("https://influx.example.org", true),
            ("http://10.0.0.7:8086", true),
        ] {
            assert_eq!(Influx::new(&settings(url)).unwrap().gzip, gzip, "{url}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn lines_are_halved_down_to_one() {
        for (lines, expected) in [
            ("",                 None),
            ("a\n",              None),
            ("a\nb\n",           Some(("a\n", "b\n"))),
            ("a\nbbbbbbbbbb\n",  Some(("a\n", "bbbbbbbbbb\n"))),
            ("aaaaaaaaaa\nb\n",  Some(("aaaaaaaaaa\n", "b\n"))),
            ("a\nb\nc\nd\n",     Some(("a\nb\n", "c\nd\n"))),
            ("高高高高\n区区\n",   Some(("高高高高\n", "区区\n"))),
        ] {
            assert_eq!(halves(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_refused_line_names_its_device() {
        let line = refused("hydrant,device=H-7,station=S x=1 5\n", "because");
        assert_eq!((&*line.device, &*line.point), ("H-7", "hydrant,device=H-7,station=S x=1 5"));
    }
}
