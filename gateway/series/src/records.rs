//! What else InfluxDB keeps: the measurements `incident` and `ledger` (deploy/FILES.md), and `place`
//! (`places.rs`).
//!
//! `incident`: a point for every change of state, as the trail tells it; tags `station`,
//! `severity`, `condition`. `ledger`: a point a device and hour, the boots of the hour summed.
//! Without InfluxDB both stay where they are anyway, in the store, and are asked for there.
//!
//! Several incidents of one station may change at one moment: below the millisecond, a point's
//! time is the number of its trail entry, so that none takes another's place.

use std::sync::Arc;

use influxdb2::api::write::TimestampPrecision;
use standpipe_rules::Ms;
use standpipe_rules::registry::Registry;
use standpipe_rules::selftest;
use standpipe_shared::Condition;
use standpipe_store::{Reader, StoreError};

use super::influx::Influx;
use super::influx::line::{self, Unwritable};
use super::places::Places;
use super::{HOUR_MS, SeriesError};

/// Trail entries read at once.
const ENTRIES: i64 = 500;
/// Devices whose ledger is read at once.
const DEVICES: i64 = 100;
/// An hour of the ledger is written this long after its end.
const SETTLE_MS: Ms = 10 * 60_000;
/// A device closes its row when it speaks again: so many hours back are written again each hour,
const HOURS_AGAIN: Ms = 3;
/// and so many once a day.
const HOURS_AGAIN_DAILY: Ms = 48;

/// Writes the measurements, each after a cursor of its own.
#[derive(Debug)]
pub struct Records {
    influx: Arc<Influx>,
    /// The last trail entry written, and the last hour of the ledger.
    at: Option<(i64, Ms)>,
    /// Within an hour's pass over the ledger: the next device.
    device: i64,
    places: Places,
}

/// Why a step came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// Reading.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Writing.
    #[error(transparent)]
    Series(#[from] SeriesError),
}

/// One change of state of an incident.
#[derive(Debug)]
struct Change {
    n: i64,
    at: Ms,
    hop: String,
    /// When its present episode began.
    since: Ms,
    id: String,
    station: String,
    severity: String,
    wire: String,
}

/// What is read of an incident's `wire`.
#[derive(Default, serde::Deserialize)]
struct About {
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    device: Option<Whose>,
    /// It is no incident, as far as anybody counts them.
    #[serde(default)]
    exercise: bool,
}

/// The device of an incident.
#[derive(serde::Deserialize)]
struct Whose {
    id: String,
}

impl Records {
    /// All of them, from where the store says they were left; `profiles` judge the devices.
    #[must_use]
    pub fn new(influx: Arc<Influx>, profiles: Registry) -> Self {
        Self { influx, at: None, device: 0, places: Places::new(profiles) }
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
        self.places.step(&self.influx, reader, now).await?;
        self.at = Some(after);
        Ok((after != (trail, ledger)).then_some(after))
    }

    async fn trail(&self, reader: &Reader, after: i64, now: Ms) -> Result<i64, RecordsError> {
        let sql = "SELECT t.n, t.at, t.hop, i.id, i.station, i.severity, i.wire,
                       coalesce((SELECT max(r.at) FROM trail r WHERE r.incident = t.incident
                                 AND r.n < t.n AND r.hop = 'reopened'), i.opened_at)
                   FROM trail t JOIN incident i ON i.id = t.incident
                   WHERE t.n > ?1 ORDER BY t.n LIMIT ?2";
        let changes = reader.query(sql, [after, ENTRIES], |row| {
            Ok(Change {
                n: row.get(0)?,
                at: row.get(1)?,
                hop: row.get(2)?,
                id: row.get(3)?,
                station: row.get(4)?,
                severity: row.get(5)?,
                wire: row.get(6)?,
                since: row.get(7)?,
            })
        })?;
        let Some(last) = changes.last().map(|it| it.n) else { return Ok(after) };
        let mut text = String::new();
        for it in &changes {
            let start = text.len();
            if let Err(bad) = it.line(&mut text) {
                text.truncate(start);
                tracing::warn!(incident = it.id, "not in history: {bad}");
            }
        }
        self.write(&text, TimestampPrecision::Nanoseconds, now).await?;
        Ok(last)
    }

    async fn ledger(&mut self, reader: &Reader, after: Ms, now: Ms) -> Result<Ms, RecordsError> {
        let newest = (now - SETTLE_MS).div_euclid(HOUR_MS) * HOUR_MS - HOUR_MS;
        if newest <= after {
            return Ok(after);
        }
        let daily = newest.rem_euclid(24 * HOUR_MS) == 0;
        let again = HOUR_MS * if daily { HOURS_AGAIN_DAILY } else { HOURS_AGAIN };
        let from = (after + HOUR_MS).min(newest - again);
        let sql = "SELECT d.id, d.station, d.zone, l.hour, sum(l.expected), sum(l.received),
                       sum(l.duplicate), sum(l.late), sum(l.seq_reused)
                   FROM device d JOIN ledger l ON l.ix = d.ix AND l.hour >= ?1 AND l.hour <= ?2
                   WHERE d.ix >= ?3 AND d.ix < ?4 GROUP BY d.ix, l.hour";
        let first = self.device;
        let mut text = String::new();
        reader.query(sql, [from, newest, first, first + DEVICES], |row| {
            let start = text.len();
            let tag = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
            let tags = [("device", tag(0)?), ("station", tag(1)?), ("zone", tag(2)?)];
            let mut counts = [0; 5];
            for (at, count) in counts.iter_mut().enumerate() {
                *count = row.get(at + 4)?;
            }
            if let Err(bad) = hour(&mut text, tags, counts, row.get(3)?) {
                text.truncate(start);
                tracing::warn!(device = tags[0].1, "ledger not in history: {bad}");
            }
            Ok(())
        })?;
        self.write(&text, TimestampPrecision::Milliseconds, now).await?;
        self.device = first + DEVICES;
        let most =
            reader.query("SELECT max(ix) FROM device", (), |row| row.get::<_, Option<i64>>(0))?;
        if most.first().copied().flatten().is_some_and(|most| most >= self.device) {
            return Ok(after);
        }
        self.device = 0;
        Ok(newest)
    }

    async fn write(
        &self,
        text: &str,
        precision: TimestampPrecision,
        now: Ms,
    ) -> Result<(), RecordsError> {
        let written = self.influx.write_lines(text, precision, now).await?;
        for it in written.refused {
            tracing::warn!(line = &*it.line, "history refused: {}", it.why);
        }
        Ok(())
    }
}

impl Change {
    /// Writes its line, or nothing when the state did not change, or for a test or an exercise.
    fn line(&self, out: &mut String) -> Result<(), Unwritable> {
        let state = match &*self.hop {
            "raised" | "reopened" => "open",
            "acknowledged" => "acknowledged",
            "resolved" => "resolved",
            "verifying" => "verifying",
            "closed" => "closed",
            _ => return Ok(()),
        };
        let about: About = serde_json::from_str(&self.wire).unwrap_or_default();
        let device = about.device.map_or_else(String::new, |it| it.id);
        if about.exercise || selftest::is_detector(&device) {
            return Ok(());
        }
        let condition = about.conditions.first().map_or("", |it| it.as_str());
        out.push_str("incident");
        for (key, value) in
            [("station", &*self.station), ("severity", &self.severity), ("condition", condition)]
        {
            line::tag(out, key, value)?;
        }
        for (n, (name, text)) in
            [("id", &*self.id), ("device", &device), ("state", state), ("event", &self.hop)]
                .into_iter()
                .enumerate()
        {
            out.push(if n == 0 { ' ' } else { ',' });
            line::text_field(out, name, text)?;
        }
        if self.hop == "acknowledged" {
            out.push(',');
            line::integer_field(out, "seconds_to_ack", (self.at - self.since).max(0) / 1_000);
        }
        let below_a_ms = self.n.rem_euclid(1_000_000);
        out.push_str(&format!(" {}\n", self.at * 1_000_000 + below_a_ms));
        Ok(())
    }
}

/// Writes one hour of one device.
fn hour(
    out: &mut String,
    tags: [(&str, &str); 3],
    [expected, received, duplicate, late, seq_reused]: [i64; 5],
    at: Ms,
) -> Result<(), Unwritable> {
    out.push_str("ledger");
    for (key, value) in tags {
        line::tag(out, key, value)?;
    }
    for (n, (name, count)) in [
        ("expected", expected),
        ("received", received),
        ("duplicate", duplicate),
        ("late", late),
        ("missing", (expected - received).max(0)),
        ("seq_reused", seq_reused),
    ]
    .into_iter()
    .enumerate()
    {
        out.push(if n == 0 { ' ' } else { ',' });
        line::integer_field(out, name, count);
    }
    out.push_str(&format!(" {at}\n"));
    Ok(())
}

fn number(text: Option<String>) -> i64 {
    text.and_then(|it| it.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Change, hour};

    fn change(hop: &str, device: &str) -> Change {
        Change {
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
            let mut out = String::new();
            change(hop, device).line(&mut out).unwrap();
            assert_eq!(out, format!("{tags},{fields} 1764000065999000041\n"));
        }
        for hop in ["measured", "paged", "shown", "commented", "delivered"] {
            let mut out = String::new();
            change(hop, d7).line(&mut out).unwrap();
            assert_eq!(out, "", "{hop} changes no state");
        }
        let mut out = String::new();
        change("raised", r#"{"id":"selftest-S-1"}"#).line(&mut out).unwrap();
        assert_eq!(out, "", "of what only the self-test uses");
    }

    #[test]
    fn an_hour_of_the_ledger_is_a_point() {
        let mut out = String::new();
        let tags = [("device", "H-1"), ("station", "S-1"), ("zone", "")];
        hour(&mut out, tags, [60, 58, 2, 1, 0], 1_764_000_000_000).unwrap();
        assert_eq!(
            out,
            "ledger,device=H-1,station=S-1 expected=60i,received=58i,duplicate=2i,late=1i,\
             missing=2i,seq_reused=0i 1764000000000\n"
        );
        let mut out = String::new();
        hour(&mut out, tags, [1, 3, 0, 2, 0], 1_764_000_000_000).unwrap();
        assert!(out.contains(",missing=0i,"), "numbers of an hour before, come late: {out}");
    }
}
