//! The commands of `standpipe`.
//!
//! Here is what a person types and sees; what a command does is elsewhere. Answers go to the
//! terminal's output, complaints and progress to its error output. Exit codes: 0 done, 1 failed,
//! 2 usage or configuration.

mod backtest;
mod files;
mod progress;
pub mod readings;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Broker, Config, Secret};

/// The environment variable with an administrator's bearer token.
pub const TOKEN_VARIABLE: &str = "STANDPIPE_ADMIN_TOKEN";

/// Watches a town's hydrants and detectors, and tells people.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge recorded readings by the rules of the live gateway.
    Backtest(backtest::Args),
}

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The configuration or the command line is wrong: exit code 2.
    Configuration(String),
    /// It could not be done: exit code 1.
    Failed(String),
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let line = Line::parse();
    logging();
    let done = match &line.command {
        Command::Backtest(args) => backtest::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Configuration(text)) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Plain lines on the error output; `RUST_LOG` says how many, `info` without it.
fn logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// The configuration of a file.
fn config(file: &Path) -> Result<Config, Failure> {
    let token = std::env::var(TOKEN_VARIABLE).ok().filter(|it| !it.is_empty()).map(Secret::new);
    Config::load(file, token).map_err(|faults| Failure::Configuration(faults.to_string()))
}

/// The configuration of a file, or every default where none is named.
fn config_or_default(file: Option<&Path>) -> Result<Config, Failure> {
    match file {
        Some(file) => config(file),
        None => Ok(Config::new(Broker { host: "127.0.0.1".into(), port: 1883, tls: false })),
    }
}
