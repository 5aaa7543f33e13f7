//! What else a history may keep: the records `incident` and `ledger` (deploy/FILES.md), and `place`
//! (`places.rs`).
//!
//! `incident`: a record for every change of state, as the trail tells it; tags `station`,
//! `severity`, `condition`. `ledger`: a record a device and hour, the boots of the hour summed.
//! Where a history keeps readings only, both stay where they are anyway, in the store, and are
//! asked for there.
//!
//! Several incidents of one station may change at one moment: below the millisecond, a record's
//! time is the number of its trail entry, so that none takes another's place.

use std::sync::Arc;

use standpipe_rules::registry::Registry;
use standpipe_rules::selftest;
use standpipe_rules::{HOUR_MS, Ms};
use standpipe_shared::Condition;
use standpipe_store::views::history::{LedgerHours, TrailChange};
use standpipe_store::{Reader, StoreError};

use super::places::Places;
use super::{Record, RecordKind, Series, SeriesError};

/// Trail entries read in one step.
const ENTRIES: i64 = 500;
/// Devices whose ledger is read at once.
const DEVICES: i64 = 100;
/// An hour of the ledger is written this long after its end.
const SETTLE_MS: Ms = 10 * 60_000;
/// A device closes its row in the ledger when it is heard once more: every hour this many past
/// hours are rewritten,
const REWRITTEN_HOURS: Ms = 3;
/// and once a day this many.
const REWRITTEN_HOURS_DAILY: Ms = 48;

/// Writes the records, those of each kind after a cursor of its own.
pub struct Records {
    series: Arc<dyn Series>,
    /// The last trail entry written, and the last hour of the ledger.
    at: Option<(i64, Ms)>,
    /// Within an hour's pass over the ledger: the next device.
    device: i64,
    places: Places,
}

/// Why a step failed; its records are written again by the next.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Series(#[from] SeriesError),
}

/// What is read of an incident's `wire`.
#[derive(Default, serde::Deserialize)]
struct IncidentFacts {
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    device: Option<SubjectDevice>,
    #[serde(default)]
    state: String,
    /// It is no incident, as far as anybody counts them.
    #[serde(default)]
    exercise: bool,
}

/// The device that it is about, by its id alone.
#[derive(serde::Deserialize)]
struct SubjectDevice {
    id: String,
}

impl Records {
    /// Goes on from where the store says it stopped; `profiles` judge the devices.
    /// `None` when this history keeps readings only.
    #[must_use]
    pub fn of(series: Arc<dyn Series>, profiles: Registry) -> Option<Self> {
        let keeps_records = series.write_records(Vec::new(), 0).is_some();
        keeps_records.then(|| Self { series, at: None, device: 0, places: Places::new(profiles) })
    }

    /// The same, for a history that is known to keep records.
    #[must_use]
    pub fn new(series: Arc<impl Series + 'static>, profiles: Registry) -> Self {
        Self { series, at: None, device: 0, places: Places::new(profiles) }
    }

    /// Writes a little of each; the new cursors when one moved.
    ///
    /// # Errors
    /// [`RecordsError`]: the same is written again next time.
    pub async fn step(
        &mut self,
        reader: &Reader,
        now: Ms,
    ) -> Result<Option<(i64, Ms)>, RecordsError> {
        let (trail, ledger) = match self.at {
            Some(at) => at,
            None => *self.at.insert((
                number(reader.meta("series_trail")?),
                number(reader.meta("series_ledger")?),
            )),
        };
        let after =
            (self.trail(reader, trail, now).await?, self.ledger(reader, ledger, now).await?);
        let places = self.places.next(reader, now)?;
        self.write(places.records, now).await?;
        self.places.kept(places.next);
        self.at = Some(after);
        Ok((after != (trail, ledger)).then_some(after))
    }

    async fn trail(&self, reader: &Reader, after: i64, now: Ms) -> Result<i64, RecordsError> {
        let changes = reader.trail_after(after, ENTRIES)?;
        let Some(last) = changes.last().map(|change| change.n) else { return Ok(after) };
        self.write(changes.iter().filter_map(incident).collect(), now).await?;
        Ok(last)
    }

    async fn ledger(&mut self, reader: &Reader, after: Ms, now: Ms) -> Result<Ms, RecordsError> {
        let newest = (now - SETTLE_MS).div_euclid(HOUR_MS) * HOUR_MS - HOUR_MS;
        if newest <= after {
            return Ok(after);
        }
        let daily = newest.rem_euclid(24 * HOUR_MS) == 0;
        let rewritten = HOUR_MS * if daily { REWRITTEN_HOURS_DAILY } else { REWRITTEN_HOURS };
        let from = (after + HOUR_MS).min(newest - rewritten);
        let first = self.device;
        let mut records = Vec::new();
        let wanted = LedgerHours { from, to: newest, first, last: first + DEVICES - 1 };
        reader.ledger_hours(wanted, |row| {
            let tags = [("device", row.device), ("station", row.station), ("zone", row.zone)];
            records.push(hour(tags, row.counts, row.hour));
        })?;
        self.write(records, now).await?;
        self.device = first + DEVICES;
        if reader.last_device()?.is_some_and(|last| last >= self.device) {
            return Ok(after);
        }
        self.device = 0;
        Ok(newest)
    }

    async fn write(&self, records: Vec<Record>, now: Ms) -> Result<(), SeriesError> {
        let Some(writing) = self.series.write_records(records, now) else {
            let why = "this history keeps no records: report this as a fault of standpipe";
            return Err(SeriesError::Misconfigured(why.into()));
        };
        for refused in writing.await?.refused {
            let (device, point) = (&*refused.device, &*refused.point);
            tracing::warn!(device, point, "history refused: {}", refused.why);
        }
        Ok(())
    }
}

/// A change of an incident as a record; `None` when its state did not change, and for a test or an
/// exercise.
fn incident(change: &TrailChange) -> Option<Record> {
    let about: IncidentFacts = serde_json::from_str(&change.wire).unwrap_or_default();
    let state = match &*change.hop {
        "raised" | "reopened" => "open",
        "acknowledged" => "acknowledged",
        "resolved" | "false_alarm" => "resolved",
        "undone" => &*about.state, // where it stood before
        "verifying" => "verifying",
        "closed" => "closed",
        _ => return None,
    };
    let device = about.device.map_or_else(String::new, |device| device.id);
    if about.exercise || selftest::is_detector(&device) {
        return None;
    }
    let condition = about.conditions.first().map_or("", |condition| condition.as_str());
    let tags =
        [("station", &*change.station), ("severity", &change.severity), ("condition", condition)];
    let texts =
        [("id", &*change.id), ("device", &device), ("state", state), ("event", &change.hop)];
    let mut fields = Vec::from(texts.map(|(name, text)| (name, text.into())));
    if change.hop == "acknowledged" {
        let seconds = (change.at - change.since).max(0) / 1_000;
        fields.push(("seconds_to_ack", seconds.into()));
    }
    Some(Record {
        kind: RecordKind::Incident,
        tags: tags.map(|(key, value)| (key, value.into())).into(),
        fields,
        at: change.at,
        within_ms: u32::try_from(change.n.rem_euclid(1_000_000)).unwrap_or(0),
    })
}

/// One hour of one device.
fn hour(tags: [(&'static str, &str); 3], counts: [i64; 5], at: Ms) -> Record {
    let [expected, received, duplicate, late, seq_reused] = counts;
    let tags = tags.map(|(key, value)| (key, value.into())).into();
    let counts = [
        ("expected", expected),
        ("received", received),
        ("duplicate", duplicate),
        ("late", late),
        ("missing", (expected - received).max(0)),
        ("seq_reused", seq_reused),
    ];
    let fields = counts.map(|(name, count)| (name, count.into())).into();
    Record { kind: RecordKind::Ledger, tags, fields, at, within_ms: 0 }
}

fn number(text: Option<String>) -> i64 {
    text.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use standpipe_rules::registry::Registry;

    use standpipe_store::views::history::TrailChange;

    use super::{Records, hour, incident};
    use crate::embedded::EmbeddedHistory;
    use crate::influx::{Influx, InfluxSettings, line};

    #[test]
    fn records_are_made_for_a_history_that_keeps_them() {
        let folder = tempfile::tempdir().unwrap();
        let embedded = EmbeddedHistory::open(&folder.path().join("history.db")).unwrap();
        assert!(Records::of(Arc::new(embedded), Registry::new([])).is_none());
        let (url, bucket) = ("http://127.0.0.1:8086".into(), "standpipe".into());
        let (org, token) = ("o".into(), "t".into());
        let influx = Influx::new(&InfluxSettings { url, org, token, bucket, trust: None }).unwrap();
        assert!(Records::of(Arc::new(influx), Registry::new([])).is_some());
    }

    /// As InfluxDB is given it; nothing where there is no record.
    fn written(change: &TrailChange) -> String {
        let mut out = String::new();
        if let Some(record) = incident(change) {
            line::record(&mut out, &record).unwrap();
        }
        out
    }

    fn change(hop: &str, device: &str) -> TrailChange {
        TrailChange {
            n: 41,
            at: 1_764_000_065_999,
            hop: hop.into(),
            since: 1_764_000_000_000,
            id: "01KA".into(),
            station: "S-1".into(),
            severity: "fire".into(),
            wire: format!(r#"{{"conditions":["smoke","heat"],"device":{device},"rev":2}}"#),
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn every_change_of_state_is_a_point() {
        let tags = "incident,station=S-1,severity=fire,condition=smoke id=\"01KA\"";
        let d7 = r#"{"id":"D-7"}"#;
        for (hop, device, fields) in [
            ("raised",       d7,     r#"device="D-7",state="open",event="raised""#),
            ("reopened",     "null", r#"device="",state="open",event="reopened""#),
            ("acknowledged", d7,     r#"device="D-7",state="acknowledged",event="acknowledged",seconds_to_ack=65i"#),
            ("closed",       d7,     r#"device="D-7",state="closed",event="closed""#),
        ] {
            let out = written(&change(hop, device));
            assert_eq!(out, format!("{tags},{fields} 1764000065999000041\n"));
        }
        for hop in ["measured", "paged", "shown", "commented", "delivered"] {
            assert_eq!(written(&change(hop, d7)), "", "{hop} changes no state");
        }
        let out = written(&change("raised", r#"{"id":"selftest-S-1"}"#));
        assert_eq!(out, "", "of what only the self-test uses");
    }

    #[test]
    fn an_hour_of_the_ledger_is_a_point() {
        let mut out = String::new();
        let tags = [("device", "H-1"), ("station", "S-1"), ("zone", "")];
        line::record(&mut out, &hour(tags, [60, 58, 2, 1, 0], 1_764_000_000_000)).unwrap();
        assert_eq!(
            out,
            "ledger,device=H-1,station=S-1 expected=60i,received=58i,duplicate=2i,late=1i,\
             missing=2i,seq_reused=0i 1764000000000\n"
        );
        let mut out = String::new();
        line::record(&mut out, &hour(tags, [1, 3, 0, 2, 0], 1_764_000_000_000)).unwrap();
        assert!(out.contains(",missing=0i,"), "numbers of an hour before, come late: {out}");
    }
}
