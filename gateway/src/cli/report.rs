//! `standpipe report`: a month on paper, as CSV or as JSON, from the store alone.

use std::path::PathBuf;

use clap::ValueEnum;
use standpipe_machine::clock::Clock;
use standpipe_store::accounts::Area;
use standpipe_store::readers::Readers;
use standpipe_web::api::town::Town;
use standpipe_web::console::report_document;
use standpipe_web::report::{Month, ReportQuery, gather};

use super::{Failure, config};

/// Writes the report of a month to the output.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// Such as 2026-11
    #[arg(long, value_parser = month)]
    month: Month,
    /// This station and those below it; without it, all
    #[arg(long)]
    station: Option<String>,
    /// How it is written
    #[arg(long, value_enum)]
    format: ReportFormat,
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReportFormat {
    Html,
    Csv,
    Json,
}

fn month(text: &str) -> Result<Month, String> {
    Month::parse(text).ok_or_else(|| "not a month: write it like 2026-11".to_owned())
}

/// Writes the report of a month.
///
/// # Errors
/// [`Failure`].
pub fn run(args: &ReportArgs) -> Result<(), Failure> {
    let config = config::or_usual(args.config.as_deref())?;
    let path = config.store.path.clone();
    if !path.is_file() {
        let text = format!("no store at {}: give the configuration with --config", path.display());
        return Err(Failure::Configuration(text));
    }
    let town = Town::of(&config.http);
    let now = Clock::new().now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|bad| Failure::Failed(format!("no runtime ({bad})")))?;
    let readers = Readers::new(path);
    let (station, month, zone) = (args.station.clone(), args.month, town.zone.clone());
    let asked = ReportQuery { seen: Area::All, station, month, zone };
    let report = runtime
        .block_on(gather(&readers, asked, now))
        .map_err(|bad| Failure::Failed(bad.to_string()))?;
    let Some(report) = report else {
        let id = args.station.as_deref().unwrap_or_default();
        return Err(Failure::Failed(format!("no station `{id}`: see stations.csv")));
    };
    let text = match args.format {
        ReportFormat::Html => report_document(&town, &report),
        ReportFormat::Csv => report.csv(),
        ReportFormat::Json => serde_json::to_string_pretty(&report)
            .map(|json| json + "\n")
            .map_err(|bad| Failure::Failed(bad.to_string()))?,
    };
    super::say(&text);
    Ok(())
}
