//! `standpipe init-influx`: an InfluxDB 2 made ready for the gateway and Grafana.

use std::path::PathBuf;

use standpipe_series::influx::setup::{SetupError, SetupPlan, set_up};
use standpipe_series::{HOURLY_DAYS, RAW_DAYS};

use super::Failure;
use super::gateway::CaArgs;

/// Makes organisation, buckets, the hourly tasks and tokens, as far as they are missing.
#[derive(Debug, clap::Args)]
pub struct InitInfluxArgs {
    /// Where InfluxDB is.
    #[arg(long, default_value = "http://127.0.0.1:8086")]
    url: String,
    /// The organisation.
    #[arg(long, default_value = "standpipe")]
    org: String,
    /// The bucket of raw readings; hourly ones go to that name with `_1h`.
    #[arg(long, default_value = "standpipe", value_parser = bucket)]
    bucket: String,
    /// How long a new bucket keeps raw readings, days.
    #[arg(long, value_name = "DAYS", default_value_t = RAW_DAYS.unsigned_abs(),
          value_parser = clap::value_parser!(u64).range(3..))]
    raw_days: u64,
    /// How long a new bucket keeps hourly values, days.
    #[arg(long, value_name = "DAYS", default_value_t = HOURLY_DAYS.unsigned_abs(),
          value_parser = clap::value_parser!(u64).range(3..))]
    hourly_days: u64,
    /// Where InfluxDB reads the gateway's own health, as it reaches it:
    /// `http://standpipe:8080/metrics`.
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// The folder of the tokens: influx-gateway.token, influx-grafana.token, and an operator's in
    /// influx-admin.token, which is made if InfluxDB has not been set up yet.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    authority: CaArgs,
}

/// A bucket's name goes into scripts and addresses, so it may hold plain letters only.
fn bucket(name: &str) -> Result<String, String> {
    let good = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'-';
    if !name.is_empty() && name.bytes().all(good) {
        return Ok(name.to_owned());
    }
    Err("use A-Z a-z 0-9 _ -".to_owned())
}

/// Makes what that InfluxDB lacks.
///
/// # Errors
/// [`Failure`].
pub fn run(args: &InitInfluxArgs) -> Result<(), Failure> {
    let wanted = SetupPlan {
        url: args.url.clone(),
        org: args.org.clone(),
        bucket: args.bucket.clone(),
        raw_days: args.raw_days,
        hourly_days: args.hourly_days,
        metrics: args.metrics.clone(),
        folder: args.out.clone(),
        trust: args.authority.trust()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|bad| Failure::Failed(format!("no runtime ({bad})")))?;
    let told = runtime.block_on(set_up(&wanted)).map_err(|bad| match bad {
        SetupError::Url(_) => Failure::Configuration(bad.to_string()),
        SetupError::Away { .. }
        | SetupError::NoToken(_)
        | SetupError::Refused { .. }
        | SetupError::File(_)
        | SetupError::NoRandomness => Failure::Failed(bad.to_string()),
    })?;
    for line in told {
        super::say(&format!("{line}\n"));
    }
    super::say(&format!("{} is ready\n", args.url));
    Ok(())
}
