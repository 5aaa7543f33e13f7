//! The commands of `standpipe`.
//!
//! Here is what a person types and sees; what a command does is elsewhere. Answers go to the
//! terminal's output, complaints and progress to its error output. Exit codes: 0 done, 1 failed,
//! 2 usage or configuration. Where the reader of either has gone (`… | head`), the rest is not written,
//! and the exit code says what the work came to.

mod account;
mod backtest;
mod backup;
mod check;
mod command;
mod config;
mod daily;
mod devices;
mod export;
mod files;
mod gateway;
mod heap;
mod import;
mod init_influx;
mod preview;
mod progress;
mod provision;
pub mod readings;
mod report;
mod run;
mod selftest;
mod settings;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use standpipe_machine::output::complain;
use tracing_subscriber::EnvFilter;

pub use config::TOKEN_VARIABLE;

/// Exit code of wrong usage or configuration.
const USAGE: u8 = 2;

/// Watches a town's hydrants and detectors, and tells people.
#[derive(Debug, Parser)]
#[command(version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Show everything in one process: a simulated town, its broker, the gateway. Ctrl-C ends it.
    #[cfg(feature = "demo")]
    Demo(standpipe_demo::DemoArguments),
    /// Run the gateway.
    Run(run::RunArgs),
    /// Say all that is wrong with the configuration, and who would be paged for what.
    Check(check::CheckArgs),
    /// Put stations and devices into the registry, of a running gateway or of a store.
    Import(import::ImportArgs),
    /// Register devices with a running gateway, make their keys, and let them in at the broker.
    AddDevices(devices::AddDevicesArgs),
    /// Retire devices of a running gateway, and let them in no more.
    Retire(devices::RetireArgs),
    /// Give a device's place to another node, which continues its history.
    Replace(devices::ReplaceArgs),
    /// Make credentials for everybody who speaks to the broker.
    Provision(provision::ProvisionArgs),
    /// Make an InfluxDB 2 ready: buckets, the hourly tasks, tokens.
    InitInflux(init_influx::InitInfluxArgs),
    /// Copy all databases, registry and configuration, while the gateway runs.
    Backup(backup::BackupArgs),
    /// Put a backup back.
    Restore(backup::RestoreArgs),
    /// Send every station a test alarm, and page when one does not arrive.
    Selftest(selftest::SelftestArgs),
    /// Judge recorded readings by the rules of the live gateway.
    Backtest(backtest::BacktestArgs),
    /// A month on paper, as CSV or JSON.
    Report(report::ReportArgs),
    /// Who may sign in: list, add, remove, give a new password.
    Account(account::AccountArgs),
    /// Write the history of a device.
    Export(export::ExportArgs),
    /// Show or change what a device, or all of a profile, shall run.
    Settings(settings::SettingsArgs),
    /// Have a device do something.
    #[command(name = "command")]
    Have(command::CommandArgs),
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
    let line = CommandLine::parse();
    if let CliCommand::Run(_) = line.command {
        heap::one();
    }
    logging(match line.command {
        #[cfg(feature = "demo")]
        CliCommand::Demo(_) => standpipe_demo::LOG,
        CliCommand::Run(_)
        | CliCommand::Check(_)
        | CliCommand::Import(_)
        | CliCommand::AddDevices(_)
        | CliCommand::Retire(_)
        | CliCommand::Replace(_)
        | CliCommand::Provision(_)
        | CliCommand::InitInflux(_)
        | CliCommand::Backup(_)
        | CliCommand::Restore(_)
        | CliCommand::Selftest(_)
        | CliCommand::Backtest(_)
        | CliCommand::Account(_)
        | CliCommand::Export(_)
        | CliCommand::Settings(_)
        | CliCommand::Report(_)
        | CliCommand::Have(_) => "info,rusqlite_migration=warn",
    });
    let done = match &line.command {
        CliCommand::Run(args) => run::run(args),
        CliCommand::Check(args) => check::run(args),
        CliCommand::Import(args) => import::run(args),
        CliCommand::AddDevices(args) => devices::add(args),
        CliCommand::Retire(args) => devices::retire(args),
        CliCommand::Replace(args) => devices::replace(args),
        CliCommand::Provision(args) => provision::run(args),
        CliCommand::InitInflux(args) => init_influx::run(args),
        CliCommand::Backup(args) => backup::backup(args),
        CliCommand::Restore(args) => backup::restore(args),
        CliCommand::Selftest(args) => selftest::run(args),
        CliCommand::Backtest(args) => backtest::run(args),
        CliCommand::Account(args) => account::run(args),
        CliCommand::Report(args) => report::run(args),
        CliCommand::Export(args) => export::run(args),
        CliCommand::Settings(args) => settings::run(args),
        CliCommand::Have(args) => command::run(args),
        #[cfg(feature = "demo")]
        CliCommand::Demo(arguments) => {
            standpipe_demo::run(arguments, crate::run::start).map_err(|bad| match bad.exit_code() {
                USAGE => Failure::Configuration(bad.to_string()),
                _ => Failure::Failed(bad.to_string()),
            })
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Configuration(text)) => {
            complain(text);
            ExitCode::from(USAGE)
        }
        Err(Failure::Failed(text)) => {
            complain(text);
            ExitCode::FAILURE
        }
    }
}

/// Plain lines on the error output; `RUST_LOG` says how many, `usual` without it.
fn logging(usual: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    // An error output that nobody reads any more is no reason to panic over each line.
    lines.with_writer(std::io::stderr).log_internal_errors(false).init();
}

/// Writes to the output. Whoever stopped reading it has seen enough.
fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
