//! `standpipe provision`: credentials for everybody of the registry, and the broker's files.

use std::path::{Path, PathBuf};

use standpipe_machine::clock::Clock;
use standpipe_rules::registry::Registry;

use super::files::{ListArgs, RegistryArgs, registry};
use super::gateway::GatewayArgs;
use super::{Failure, devices};
use crate::provision::bridges::{self, Bridge, BridgeOrder};
use crate::provision::{self, ProvisionOrder};

/// Makes certificates and passwords for the gateway, all stations and all devices, and the files by
/// which the broker knows them. Run it again for new ones; what is there stays.
#[derive(Debug, clap::Args)]
pub struct ProvisionArgs {
    /// `stations.csv`. Without it, the registry of a running gateway counts.
    #[arg(long, value_name = "FILE")]
    stations: Option<PathBuf>,
    /// `devices.csv`; with `--bridge` once more, for which devices that is: their ids separated by
    /// commas, or `@FILE` with one a line.
    #[arg(long, value_name = "FILE")]
    devices: Vec<String>,
    /// Take the good rows although others are bad.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    list: ListArgs,
    /// The folder they are in. Whoever can read it can impersonate anybody: keep it away from the broker.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// A name or address by which the broker is reached; repeat it for more. Without it, those said
    /// before stay; the first time, localhost and 127.0.0.1.
    #[arg(long, value_name = "NAME")]
    broker: Vec<String>,
    /// What all topics begin with, as `mqtt.root` of the configuration. Without it, what was said
    /// before stays; the first time, standpipe/v1.
    #[arg(long)]
    root: Option<String>,
    /// Let this device, station or program in no more: `area/device`, `stations/ID`, or its id, which
    /// means the device in every township where it ever was.
    #[arg(long, value_name = "NAME")]
    revoke: Vec<String>,
    /// Let it in with new credentials only.
    #[arg(long, value_name = "NAME")]
    rotate: Vec<String>,
    /// An account for a program that speaks for devices, `bridge-NAME`: it may say and hear what they
    /// may, and nothing else. It stays in later runs, until `--revoke bridge-NAME`; named again, it
    /// speaks for those devices that are named then.
    #[arg(long, value_name = "NAME")]
    bridge: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

impl ProvisionArgs {
    /// The registry, and the bridge that is asked for.
    fn read(&self) -> Result<(Registry, Option<BridgeOrder>), Failure> {
        let Some(stations) = &self.stations else { return self.of_gateway() };
        let Self { devices, skip_bad, list, .. } = self;
        let registry = |devices: &String| {
            let (stations, list) = (stations.clone(), list.clone());
            registry(
                &RegistryArgs { stations, devices: devices.into(), skip_bad: *skip_bad, list },
                [],
            )
        };
        let usage = |text: &str| Err(Failure::Configuration(text.to_owned()));
        match (&self.bridge, devices.as_slice()) {
            (None, [file]) => Ok((registry(file)?, None)),
            (Some(name), [one, other]) => {
                // In either order: whichever is no file is the list of ids.
                let (file, ids) = if !Path::new(one).is_file() && Path::new(other).is_file() {
                    (other, one)
                } else {
                    (one, other)
                };
                let wanted = BridgeOrder { name: name.clone(), devices: ids.clone() };
                Ok((registry(file)?, Some(wanted)))
            }
            (None, []) => {
                usage("`--stations` without `--devices`: name both, or neither for the gateway's")
            }
            (None, _) => usage("`--devices` more than once: name one file, or add --bridge NAME"),
            (Some(_), _) => usage(
                "`--bridge` is for which devices: say `--devices` twice, for devices.csv and for their \
                 ids, separated by commas, or @FILE",
            ),
        }
    }

    fn of_gateway(&self) -> Result<(Registry, Option<BridgeOrder>), Failure> {
        let wanted = match (&self.bridge, self.devices.as_slice()) {
            (None, []) => None,
            (Some(name), [ids]) => Some(BridgeOrder { name: name.clone(), devices: ids.clone() }),
            (None, _) | (Some(_), _) => {
                return Err(Failure::Configuration(
                    "no `--stations`: name both files, or, of the gateway's registry, only the devices of \
                     --bridge"
                        .to_owned(),
                ));
            }
        };
        Ok((devices::of_gateway(&self.gateway.gateway()?)?, wanted))
    }
}

/// Makes the credentials that are missing, and says what to do with them.
///
/// # Errors
/// [`Failure`]; what was made until then is kept.
pub fn run(args: &ProvisionArgs) -> Result<(), Failure> {
    let (registry, wanted) = args.read()?;
    let failed = |bad: provision::ProvisionError| Failure::Failed(bad.to_string());
    let mut names = provision::stations(&registry);
    names.extend(provision::devices(&registry).map_err(failed)?);
    if let Some(wanted) = &wanted {
        bridges::ask(&args.out, &registry, wanted).map_err(failed)?;
    }
    let bridges = bridges::all(&args.out, &registry).map_err(failed)?;
    let about: String = bridges.iter().map(told).collect();
    let order = ProvisionOrder {
        bridges,
        broker: args.broker.clone(),
        root: args.root.clone(),
        revoke: args.revoke.clone(),
        rotate: args.rotate.clone(),
    };
    let done = provision::provision(&args.out, &names, &order, Clock::new().now());
    let done = done.map_err(failed)?;
    let moved = provision::moved(&args.out, &names).map_err(failed)?;
    super::say(&format!(
        "{} given credentials, {} left as they were, {} certificates revoked: {}\n\
         now give {} to the broker and restart it\n",
        done.issued,
        done.left,
        done.revoked,
        args.out.display(),
        args.out.join("broker").display()
    ));
    super::say(&about);
    for (name, account) in provision::accounts(&names) {
        super::say(&format!("{name} signs in as {account}\n"));
    }
    for (old, new) in moved {
        super::say(&format!(
            "{old} is now {new}, and its old keys still hold: give it its new ones, then --revoke \
             {old}\n"
        ));
    }
    Ok(())
}

/// What a bridge speaks for, and for what no more.
fn told(Bridge { account, devices, gone }: &Bridge) -> String {
    let mut text = format!("{account} speaks for {} devices\n", devices.len());
    for id in gone {
        text += &format!(
            "{account} speaks for {id} no more, which is no device of the registry: name its devices \
             anew, or add {id} there\n"
        );
    }
    text
}
