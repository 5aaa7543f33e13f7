//! `standpipe export`: one device's history, as readings.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use jiff::civil;
use jiff::tz::TimeZone;
use standpipe_config::Config;
use standpipe_machine::clock::Clock;
use standpipe_machine::output::complain;
use standpipe_rules::{DAY_MS, Ms};
use standpipe_series::{HistoryError, HistoryQuery, NotOpened, Series};
use standpipe_shared::{Field, Measurements, Reading};

use super::{Failure, config};

/// Writes the history of a device to the output. Where only hourly values are left, their means.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The device's id.
    #[arg(long)]
    device: String,
    /// First moment: a date, a date and time (of the configured time zone, or with an offset), or
    /// Unix milliseconds.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// End: the first moment that is left out.
    #[arg(long, value_name = "TIME")]
    to: String,
    /// How it is written.
    #[arg(long)]
    format: ExportFormat,
    /// The configuration, which says where history is; without it, standpipe.toml here.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// A table with the columns of `readings.csv`.
    Csv,
    /// An array of readings as devices send them.
    Json,
}

/// Writes the history of one device to a file or the output.
///
/// # Errors
/// [`Failure`].
pub fn run(args: &ExportArgs) -> Result<(), Failure> {
    let config = config::or_usual(args.config.as_deref())?;
    let zone = TimeZone::get(&config.http.timezone).unwrap_or(TimeZone::UTC);
    let (from, to) = (moment("--from", &args.from, &zone)?, moment("--to", &args.to, &zone)?);
    if from >= to {
        return Err(Failure::Configuration("--from is not before --to: exchange them".into()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|bad| Failure::Failed(format!("no runtime ({bad}): free some memory")))?;
    runtime.block_on(async {
        let series = series(&config)?;
        let span = ExportSpan { device: args.device.as_str().into(), from, to };
        let mut table = ExportTable { out: std::io::stdout().lock(), format: args.format, rows: 0 };
        let ended = all(&*series, span, &mut table).await;
        match ended.and_then(|()| table.end().map_err(ExportFault::Unwritable)) {
            Ok(()) => {}
            // Whoever stopped reading it has seen enough.
            Err(ExportFault::Unwritable(bad)) if bad.kind() == ErrorKind::BrokenPipe => {
                return Ok(());
            }
            Err(ExportFault::Unwritable(bad)) => {
                let text = format!("output: cannot be written ({bad}): make room");
                return Err(Failure::Failed(text));
            }
            Err(ExportFault::Unread(bad)) => {
                // What was read before it is whole.
                let _ = table.end();
                return Err(Failure::Failed(bad.to_string()));
            }
        }
        if table.rows == 0 {
            complain(format_args!(
                "nothing of `{}` in that time: check its id and the times",
                args.device
            ));
        }
        Ok(())
    })
}

/// Why not all of it was written.
#[derive(Debug)]
enum ExportFault {
    /// The output was closed or is full.
    Unwritable(std::io::Error),
    /// History failed on the way.
    Unread(HistoryError),
}

/// A moment as people write it.
fn moment(name: &str, text: &str, zone: &TimeZone) -> Result<Ms, Failure> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment.as_millisecond());
    }
    let civil = text.parse::<civil::DateTime>().ok();
    let moment = civil.and_then(|civil| civil.to_zoned(zone.clone()).ok());
    moment.map(|zoned| zoned.timestamp().as_millisecond()).ok_or_else(|| {
        Failure::Configuration(format!(
            "{name} = `{text}`: not a time: write 2026-11-23, 2026-11-23T08:00 or Unix milliseconds"
        ))
    })
}

/// The gateway's history, which is not made here where there is none.
fn series(config: &Config) -> Result<Arc<dyn Series>, Failure> {
    let file = config.store.history();
    if config.influx.is_none() && !file.exists() {
        let text = format!("{}: no history there: check `store.path`", file.display());
        return Err(Failure::Failed(text));
    }
    standpipe_series::open(config).map_err(|bad| match bad {
        NotOpened::Settings(_) => Failure::Configuration(bad.to_string()),
        NotOpened::Embedded(_) => Failure::Failed(bad.to_string()),
    })
}

/// What is asked for: one device, from a moment until another.
#[derive(Clone)]
struct ExportSpan {
    device: Box<str>,
    from: Ms,
    to: Ms,
}

/// Asks day by day, and in shorter pieces where a day has too many points.
async fn all<W: Write>(
    series: &dyn Series,
    span: ExportSpan,
    table: &mut ExportTable<W>,
) -> Result<(), ExportFault> {
    let now = Clock::new().now();
    let (mut from, mut length) = (span.from, DAY_MS);
    while from < span.to {
        let to = from.saturating_add(length).min(span.to);
        match piece(series, ExportSpan { from, to, ..span.clone() }, now).await {
            Ok(rows) => {
                table.write(&rows).map_err(ExportFault::Unwritable)?;
                (from, length) = (to, DAY_MS);
            }
            Err(HistoryError::TooMany { .. }) if length > 1 => length /= 2,
            Err(bad) => return Err(ExportFault::Unread(bad)),
        }
    }
    Ok(())
}

/// All measurements of a span, by time.
async fn piece(
    series: &dyn Series,
    ExportSpan { device, from, to }: ExportSpan,
    now: Ms,
) -> Result<BTreeMap<Ms, Measurements>, HistoryError> {
    let mut rows: BTreeMap<Ms, Measurements> = BTreeMap::new();
    for field in Field::ALL {
        let query = HistoryQuery { device: device.clone(), field, from, to, step_ms: 0 };
        for point in series.history(query, now).await? {
            #[expect(clippy::cast_possible_truncation, reason = "it was an f32 when it came")]
            let value = point.mean as f32;
            let values = rows.entry(point.ts).or_default();
            values.set(field, value).unwrap_or_default(); // what is no number is left out
        }
    }
    Ok(rows)
}

/// What is written.
struct ExportTable<W> {
    out: W,
    format: ExportFormat,
    rows: u64,
}

impl<W: Write> ExportTable<W> {
    fn write(&mut self, rows: &BTreeMap<Ms, Measurements>) -> std::io::Result<()> {
        for (ts, values) in rows {
            match self.format {
                ExportFormat::Csv => self.line(*ts, values)?,
                ExportFormat::Json => self.object(*ts, *values)?,
            }
            self.rows += 1;
        }
        Ok(())
    }

    fn line(&mut self, ts: Ms, values: &Measurements) -> std::io::Result<()> {
        if self.rows == 0 {
            self.head()?;
        }
        write!(self.out, "{ts}")?;
        for field in Field::ALL {
            write!(self.out, ",")?;
            match (field, values.get(field)) {
                (_, None) => {}
                (Field::Flowing | Field::CapOpen, Some(flag)) => {
                    write!(self.out, "{}", flag != 0.0)?;
                }
                (_, Some(number)) => write!(self.out, "{number}")?,
            }
        }
        writeln!(self.out)
    }

    fn head(&mut self) -> std::io::Result<()> {
        let names: Vec<&str> = Field::ALL.iter().map(|field| field.as_str()).collect();
        writeln!(self.out, "ts,{}", names.join(","))
    }

    fn object(&mut self, ts: Ms, values: Measurements) -> std::io::Result<()> {
        let reading = Reading { ts: Some(ts), values, ..Reading::default() };
        let before = if self.rows == 0 { "[" } else { "," };
        writeln!(self.out, "{before}{}", serde_json::to_string(&reading)?)
    }

    /// Closes the table; an empty one still has its head.
    fn end(&mut self) -> std::io::Result<()> {
        match (self.format, self.rows) {
            (ExportFormat::Csv, 0) => self.head()?,
            (ExportFormat::Csv, _) => {}
            (ExportFormat::Json, 0) => writeln!(self.out, "[]")?,
            (ExportFormat::Json, _) => writeln!(self.out, "]")?,
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::tz::TimeZone;
    use standpipe_shared::{Field, Measurements};

    use super::{ExportFormat, ExportTable, moment};

    fn written(format: ExportFormat, rows: &BTreeMap<i64, Measurements>) -> String {
        let mut table = ExportTable { out: Vec::new(), format, rows: 0 };
        table.write(rows).unwrap();
        table.write(&BTreeMap::new()).unwrap();
        table.end().unwrap();
        String::from_utf8(table.out).unwrap()
    }

    #[test]
    fn history_is_written_as_readings() {
        let mut values = Measurements::default();
        for (field, value) in
            [(Field::PressureKpa, 312.4), (Field::Flowing, 1.0), (Field::BatteryMv, 3580.0)]
        {
            values.set(field, value).unwrap();
        }
        let rows = BTreeMap::from([(5, values), (9, Measurements::default())]);
        insta::assert_snapshot!(written(ExportFormat::Csv, &rows), @r#"
ts,pressure_kpa,pressure_min_kpa,pressure_max_kpa,loop_ma,flowing,cap_open,tilt_deg,smoke_db_m,dirt_pct,temp_c,battery_mv,rssi_dbm
5,312.4,,,,true,,,,,,3580,
9,,,,,,,,,,,,
"#);
        insta::assert_snapshot!(written(ExportFormat::Json, &rows), @r#"
[{"ts":5,"pressure_kpa":312.4,"flowing":true,"battery_mv":3580}
,{"ts":9}
]
"#);
        let head = written(ExportFormat::Csv, &BTreeMap::new());
        assert!(head.starts_with("ts,pressure_kpa,") && head.lines().count() == 1, "{head}");
        assert_eq!(written(ExportFormat::Json, &BTreeMap::new()), "[]\n");
    }

    #[test]
    #[rustfmt::skip] // a table
    fn moments_as_people_write_them() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        for (text, ms) in [
            ("1764000000000",             Some(1_764_000_000_000)),
            ("2025-11-24",                Some(1_763_913_600_000)),
            ("2025-11-25T00:00",          Some(1_764_000_000_000)),
            ("2025-11-24T16:00:00Z",      Some(1_764_000_000_000)),
            ("2025-11-24T17:00:00+01:00", Some(1_764_000_000_000)),
            ("yesterday",                 None),
        ] {
            assert_eq!(moment("--from", text, &zone).ok(), ms, "{text}");
        }
    }
}
