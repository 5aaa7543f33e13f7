//! `standpipe add-devices`, `retire` and `replace`: one command for the registry of a running gateway, the
//! keys, and the files by which the broker knows everybody.

use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Method;
use serde_json::json;
use standpipe_machine::clock::Clock;
use standpipe_rules::registry::{Device, Registry, Station};

use super::files::ListArgs;
use super::gateway::{GatewayArgs, GatewayClient};
use super::import::{ImportOrder, Lists, through_gateway};
use super::{Failure, say};
use crate::provision::{self, ProvisionOrder, bridges};

/// Where keys are kept on a machine that was set up as deploy/README.md says.
const KEYS: &str = "/etc/standpipe/keys";
/// Where the broker reads its files there.
const BROKER_FILES: &str = "/etc/standpipe/broker";
/// What makes it read them.
const RESTART: &str = "systemctl restart mosquitto";

/// Registers devices, makes their keys, and lets them in at the broker.
#[derive(Debug, clap::Args)]
pub struct AddDevicesArgs {
    /// A list of devices: CSV of any kind, Excel, GeoJSON or OpenStreetMap's.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Take the good rows although others are bad.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    keys: KeysArgs,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Retires devices: they are nobody's any more, and the broker lets them in no more. History stays.
#[derive(Debug, clap::Args)]
pub struct RetireArgs {
    /// Ids.
    #[arg(required = true, value_name = "ID")]
    devices: Vec<String>,
    #[command(flatten)]
    keys: KeysArgs,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Another node takes the place of a device: it gets its row and continues its history.
#[derive(Debug, clap::Args)]
pub struct ReplaceArgs {
    /// The id of the device that goes.
    #[arg(value_name = "OLD")]
    old: String,
    /// The id of the device that comes.
    #[arg(value_name = "NEW")]
    new: String,
    #[command(flatten)]
    keys: KeysArgs,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Where keys are, and how the broker learns of them.
#[derive(Debug, clap::Args)]
struct KeysArgs {
    /// The folder that `provision` made. Without it, /etc/standpipe/keys.
    #[arg(long, value_name = "FOLDER", default_value = KEYS)]
    out: PathBuf,
    /// Where the broker reads its files: they are copied there, for whoever owns the folder.
    #[arg(long, value_name = "FOLDER", default_value = BROKER_FILES)]
    broker_files: PathBuf,
    /// What makes the broker read them.
    #[arg(long, value_name = "COMMAND", default_value = RESTART)]
    then: String,
}

/// Registers devices and lets them in.
///
/// # Errors
/// [`Failure`]; what was done until then is said.
pub fn add(args: &AddDevicesArgs) -> Result<(), Failure> {
    args.keys.look()?;
    let lists = Lists { stations: None, devices: Some(&args.file) };
    let order = ImportOrder { list: &args.list, yes: true, skip_bad: args.skip_bad };
    through_gateway(&args.gateway, &lists, &order)?;
    args.keys.let_in(&args.gateway.gateway()?, Vec::new())
}

/// Retires devices and lets them in no more.
///
/// # Errors
/// [`Failure`]; what was done until then is said.
pub fn retire(args: &RetireArgs) -> Result<(), Failure> {
    args.keys.look()?;
    let gateway = args.gateway.gateway()?;
    for id in &args.devices {
        gateway.ask(Method::DELETE, &["devices", id], None)?;
        say(&format!("{id} is retired\n"));
    }
    args.keys.let_in(&gateway, args.devices.clone())
}

/// One device for another.
///
/// # Errors
/// [`Failure`]; what was done until then is said.
pub fn replace(args: &ReplaceArgs) -> Result<(), Failure> {
    args.keys.look()?;
    let gateway = args.gateway.gateway()?;
    let ReplaceArgs { old, new, .. } = args;
    gateway.ask(Method::POST, &["devices", old, "replace"], Some(&json!({"by": new})))?;
    say(&format!("{new} takes the place of {old}, which is retired\n"));
    args.keys.let_in(&gateway, vec![old.clone()])
}

/// The registry of a running gateway: what somebody registered.
///
/// # Errors
/// [`Failure::Failed`]: nobody answers, or something else does.
pub fn of_gateway(gateway: &GatewayClient) -> Result<Registry, Failure> {
    let bad = |bad: serde_json::Error| {
        Failure::Failed(format!(
            "the gateway's registry can't be read ({bad}): use its own version"
        ))
    };
    let mut registry = Registry::new([]);
    for station in gateway.list(&["stations"])? {
        registry.put_station(serde_json::from_value::<Station>(station).map_err(bad)?);
    }
    for device in gateway.list(&["devices"])? {
        let device: Device = serde_json::from_value(device).map_err(bad)?;
        if device.claimed {
            registry.put_device(device);
        }
    }
    Ok(registry)
}

impl KeysArgs {
    /// Whether it can be done at all, before anything is.
    fn look(&self) -> Result<(), Failure> {
        for (option, folder) in [("--out", &self.out), ("--broker-files", &self.broker_files)] {
            if !folder.is_dir() {
                let folder = folder.display();
                return Err(Failure::Configuration(format!(
                    "{option} {folder}: no such folder: name the one that `provision` made, and the \
                     broker's"
                )));
            }
        }
        Ok(())
    }

    /// Everybody of the registry has keys, these devices have none any more, and the broker knows it.
    fn let_in(&self, gateway: &GatewayClient, revoke: Vec<String>) -> Result<(), Failure> {
        let registry = of_gateway(gateway)?;
        let failed = |bad: provision::ProvisionError| Failure::Failed(bad.to_string());
        let mut names = provision::stations(&registry);
        names.extend(provision::devices(&registry).map_err(failed)?);
        let bridges = bridges::all(&self.out, &registry).map_err(failed)?;
        let held = provision::held(&self.out, &revoke).map_err(failed)?;
        let order = ProvisionOrder { bridges, revoke: held, ..ProvisionOrder::default() };
        let done = provision::provision(&self.out, &names, &order, Clock::new().now());
        let done = done.map_err(failed)?;
        say(&format!(
            "{} given keys, {} revoked: {}\n",
            done.issued,
            done.revoked,
            self.out.display()
        ));
        self.install()?;
        self.reload()
    }

    /// The broker's files, for whoever owns their folder.
    fn install(&self) -> Result<(), Failure> {
        let to = &self.broker_files;
        let failed = |path: &Path, bad: std::io::Error| {
            Failure::Failed(format!(
                "{}: {bad}: the registry and the keys are as they should be; copy {}/broker there, and \
                 run `{}`",
                path.display(),
                self.out.display(),
                self.then
            ))
        };
        provision::install_for_broker(&self.out, to).map_err(|bad| failed(to, bad))
    }

    fn reload(&self) -> Result<(), Failure> {
        let mut words = self.then.split_whitespace();
        let Some(program) = words.next() else { return Ok(()) };
        let done = Command::new(program).args(words).status();
        let why = match done {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => status.to_string(),
            Err(bad) => bad.to_string(),
        };
        Err(Failure::Failed(format!(
            "`{}` failed ({why}): the broker does not know the new files yet: restart it",
            self.then
        )))
    }
}
