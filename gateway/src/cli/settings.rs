//! `standpipe settings`: what a device or a profile shall run, asked of a running gateway.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::gateway::{GatewayArgs, lines};
use super::{Failure, say};

/// Shows or changes the settings of a device, or of all devices of a profile.
///
/// Without a value it shows how far they are. Values that are left out are the profile's.
#[derive(Debug, clap::Args)]
pub struct SettingsArgs {
    #[command(flatten)]
    of: SettingsTarget,
    /// Seconds between readings.
    #[arg(long, value_name = "SECONDS")]
    interval_s: Option<u32>,
    /// Seconds between samples.
    #[arg(long, value_name = "SECONDS")]
    sample_s: Option<u32>,
    /// Limit of `low_pressure`, kPa.
    #[arg(long, value_name = "KPA")]
    low_kpa: Option<f32>,
    /// Limit of `no_water`, kPa.
    #[arg(long, value_name = "KPA")]
    no_water_kpa: Option<f32>,
    /// A change of pressure that is reported at once, kPa.
    #[arg(long, value_name = "KPA")]
    delta_kpa: Option<f32>,
    /// Drop the wish: the device follows its profile again; until it does, it runs what it has.
    #[arg(
        long,
        conflicts_with_all = ["interval_s", "sample_s", "low_kpa", "no_water_kpa", "delta_kpa"]
    )]
    drop: bool,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct SettingsTarget {
    /// The device's id.
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// The profile's name.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

/// Reads, sets or drops a wish, and prints how far it is.
///
/// # Errors
/// [`Failure`].
pub fn run(args: &SettingsArgs) -> Result<(), Failure> {
    let gateway = args.gateway.gateway()?;
    let (kind, name) = match (&args.of.device, &args.of.profile) {
        (Some(device), _) => ("devices", device.as_str()),
        (None, profile) => ("profiles", profile.as_deref().unwrap_or_default()),
    };
    let wish = args.wish();
    let path = [kind, name, "settings"];
    let answer = match (args.drop, wish.is_empty()) {
        (true, _) => gateway.ask(Method::DELETE, &path, None)?,
        (false, true) => gateway.ask(Method::GET, &path, None)?,
        (false, false) => gateway.ask(Method::PUT, &path, Some(&args.signed(wish)))?,
    };
    say(&lines(&answer));
    Ok(())
}

impl SettingsArgs {
    /// What is wished, by its names in the contract.
    fn wish(&self) -> Map<String, Value> {
        let said = [
            ("interval_s", self.interval_s.map(|seconds| json!(seconds))),
            ("sample_s", self.sample_s.map(|seconds| json!(seconds))),
            ("low_kpa", self.low_kpa.map(|kpa| json!(kpa))),
            ("no_water_kpa", self.no_water_kpa.map(|kpa| json!(kpa))),
            ("delta_kpa", self.delta_kpa.map(|kpa| json!(kpa))),
        ];
        said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn signed(&self, mut wish: Map<String, Value>) -> Value {
        wish.extend(self.by.iter().map(|by| ("by".to_owned(), json!(by))));
        Value::Object(wish)
    }
}
