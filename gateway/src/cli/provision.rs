//! `standpipe provision`: credentials for everybody of the registry, and the broker's files.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::provision::{self, Order};

use super::Failure;
use super::files::{RegistryArgs, registry};

/// Makes certificates and passwords for the gateway, all stations and all devices, and the files by
/// which the broker knows them. Run it again for new ones; what is there stays.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    files: RegistryArgs,
    /// The folder they are in. Whoever can read it can be anybody: keep it off the broker.
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
}

/// Runs it.
///
/// # Errors
/// [`Failure`]; what was made until then is kept.
pub fn run(args: &Args) -> Result<(), Failure> {
    let registry = registry(&args.files, [])?;
    let failed = |bad: provision::ProvisionError| Failure::Failed(bad.to_string());
    let mut names = provision::stations(&registry);
    names.extend(provision::devices(&registry).map_err(failed)?);
    let order = Order {
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
