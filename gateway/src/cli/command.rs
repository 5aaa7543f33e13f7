//! `standpipe command`: has a device do something, by a running gateway.

use std::time::Duration;

use clap::ValueEnum;
use reqwest::Method;
use serde_json::{Value, json};
use standpipe_machine::clock::Clock;
use standpipe_shared::Verb;

use super::gateway::{GatewayArgs, GatewayClient, lines, word};
use super::{Failure, say};

/// How often an answer is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Has a device do something when it next wakes.
#[derive(Debug, clap::Args)]
pub struct CommandArgs {
    /// What it shall do.
    command: CommandVerb,
    /// The device's id.
    #[arg(long, value_name = "ID")]
    device: String,
    /// For how long: `silence` and `report-now` only.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u32>,
    /// How long the command waits for the device; usually three of its intervals.
    #[arg(long, value_name = "SECONDS")]
    expires_s: Option<u32>,
    /// Wait for the answer, at most so long.
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CommandVerb {
    /// Send a reading now; with --seconds, one every second.
    ReportNow,
    /// Test yourself and answer.
    SelfTest,
    /// Stop the sounder.
    Silence,
    /// Start again.
    Restart,
}

impl CommandVerb {
    const fn verb(self) -> Verb {
        match self {
            Self::ReportNow => Verb::ReportNow,
            Self::SelfTest => Verb::SelfTest,
            Self::Silence => Verb::Silence,
            Self::Restart => Verb::Restart,
        }
    }
}

/// Sends the command; with `--wait`, looks until there is an answer.
///
/// # Errors
/// [`Failure`]; with `--wait` also when the device refuses, or does not answer in time.
pub fn run(args: &CommandArgs) -> Result<(), Failure> {
    let gateway = args.gateway.gateway()?;
    let body = json!({"command": args.command.verb(), "seconds": args.seconds,
        "expires_s": args.expires_s, "by": args.by.as_deref().unwrap_or_default()});
    let asked = gateway.ask(Method::POST, &["devices", &args.device, "commands"], Some(&body))?;
    let Some(seconds) = args.wait else {
        say(&lines(&asked));
        return Ok(());
    };
    let last = answered(&gateway, &args.device, asked, Duration::from_secs(seconds))?;
    say(&lines(&last));
    match word(&last, "state") {
        "answered" => Ok(()),
        state => Err(Failure::Failed(format!(
            "the command is {state}: look at the device, or ask GET \
             /api/v1/devices/{}/commands later",
            args.device
        ))),
    }
}

/// Looks until there is an answer, or the time is over.
fn answered(
    gateway: &GatewayClient,
    device: &str,
    mut command: Value,
    within: Duration,
) -> Result<Value, Failure> {
    let clock = Clock::new();
    let end = clock.instant() + within;
    while matches!(word(&command, "state"), "queued" | "sent") && clock.instant() < end {
        clock.sleep(LOOK_EVERY);
        let id = word(&command, "id").to_owned();
        command = gateway.ask(Method::GET, &["devices", device, "commands", &id], None)?;
    }
    Ok(command)
}
