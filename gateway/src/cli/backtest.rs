//! `standpipe backtest`: the rules of the live gateway over recorded readings.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use standpipe_machine::output::complain;
use standpipe_rules::backtest::{Backtest, BacktestRow};

use super::files::{self, RegistryArgs};
use super::{Failure, config, progress, readings};

/// Judges recorded readings on their own clock.
#[derive(Debug, clap::Args)]
pub struct BacktestArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Readings in order of arrival, plain or gzip.
    #[arg(long, value_name = "FILE")]
    readings: PathBuf,
    /// Configuration whose profiles judge; without it, the built-in ones.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where what was found goes, as CSV; `-`: to the terminal.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Judges recorded readings and writes down the incidents they would have raised.
///
/// # Errors
/// [`Failure`].
pub fn run(args: &BacktestArgs) -> Result<(), Failure> {
    let config = config::or_default(args.config.as_deref())?;
    let registry = files::registry(&args.registry, config.profiles())?;
    let mut backtest = Backtest::new(registry);
    let zone = TimeZone::get(&config.http.timezone).unwrap_or(TimeZone::UTC);
    let taken =
        feed((&args.readings, zone), args.registry.skip_bad, |arrived, device, reading| {
            backtest.reading(arrived, device, &reading);
        })?;
    let rows = backtest.finish();
    let text = csv(&rows);
    if args.out == Path::new("-") {
        super::say(&text);
    } else {
        std::fs::write(&args.out, text).map_err(|bad| {
            Failure::Failed(format!("{}: cannot be written ({bad})", args.out.display()))
        })?;
        super::say(&format!(
            "{taken} readings, {} conditions: {}\n",
            rows.len(),
            args.out.display()
        ));
    }
    Ok(())
}

/// Gives every good row to `take`; says how many there were.
fn feed(
    (path, zone): (&Path, TimeZone),
    skip_bad: bool,
    mut take: impl FnMut(i64, &str, standpipe_shared::Reading),
) -> Result<u64, Failure> {
    let broken =
        |bad: readings::UnreadableFile| Failure::Failed(format!("{}: {bad}", path.display()));
    let bar = progress::bytes(path.metadata().map_or(0, |file| file.len()), "judging");
    let mut rows = readings::open(path, zone, |bytes| bar.inc(bytes as u64)).map_err(broken)?;
    let ignored = rows.ignored();
    if !ignored.is_empty() {
        complain(format_args!("{}: columns ignored: {}", path.display(), ignored.join(", ")));
    }
    let (mut taken, mut bad_rows) = (0_u64, 0_u64);
    while let Some(row) = rows.next_row().map_err(broken)? {
        match row {
            Ok((arrived, device, reading)) => {
                taken += 1;
                if bad_rows == 0 || skip_bad {
                    take(arrived, device, reading);
                }
            }
            Err(bad) => {
                bad_rows += 1;
                bar.suspend(|| complain(format_args!("{}:{bad}", path.display())));
            }
        }
    }
    bar.finish_and_clear();
    files::judge(bad_rows, skip_bad)?;
    Ok(taken)
}

/// The table of the contract.
fn csv(rows: &[BacktestRow]) -> String {
    let mut text =
        String::from("id,device,zone,condition,severity,raised_ms,detected_ms,cleared_ms\n");
    for (at, row) in rows.iter().enumerate() {
        let BacktestRow { device, zone, condition, raised_ms, detected_ms, cleared_ms } = row;
        let zone = quoted(zone);
        let (name, severity) = (condition.as_str(), condition.severity().as_str());
        let cleared = cleared_ms.map(|moment| moment.to_string()).unwrap_or_default();
        let id = at + 1;
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{id},{device},{zone},{name},{severity},{raised_ms},{detected_ms},{cleared}"
        );
    }
    text
}

/// A text as one field of CSV.
fn quoted(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::csv;
    use standpipe_rules::backtest::BacktestRow;
    use standpipe_shared::Condition;

    #[test]
    fn one_row_a_condition() {
        let device = BacktestRow {
            device: "H1".into(),
            zone: "main, \"old\"".into(),
            condition: Condition::LowPressure,
            raised_ms: 1,
            detected_ms: 2,
            cleared_ms: Some(3),
        };
        let zone = BacktestRow { device: "".into(), cleared_ms: None, ..device.clone() };
        let zone = BacktestRow { condition: Condition::ZoneLowPressure, zone: "z".into(), ..zone };
        insta::assert_snapshot!(csv(&[device, zone]), @r#"
id,device,zone,condition,severity,raised_ms,detected_ms,cleared_ms
1,H1,"main, ""old""",low_pressure,warning,1,2,3
2,,z,zone_low_pressure,critical,1,2,
"#);
    }
}
