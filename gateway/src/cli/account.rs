//! `standpipe account`: for whoever runs the machine, also when nobody can sign in any more. Works
//! while the gateway runs.

use std::path::{Path, PathBuf};

use standpipe_machine::clock::Clock;
use standpipe_machine::entropy::Entropy;
use standpipe_store::Reader;
use standpipe_store::accounts::{
    Account, AccountBook, AccountError, AuditCode, COMMAND_LINE, Role, fresh_password,
};
use standpipe_store::files::Database;
use standpipe_store::views::stations::is_registered;

use super::{Failure, config};

/// Lists, adds and removes accounts, and gives them new passwords.
#[derive(Debug, clap::Args)]
pub struct AccountArgs {
    #[command(subcommand)]
    what: AccountTask,
    /// The configuration.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum AccountTask {
    /// All accounts.
    List,
    /// A new account; its password is printed.
    Add {
        /// What they sign in with
        name: String,
        /// viewer, crew, officer, device_manager or admin
        #[arg(long, value_parser = role)]
        role: Role,
        /// Their station and those below it; without it, all
        #[arg(long)]
        station: Option<String>,
    },
    /// A new password, which is printed; every session of the account ends.
    Password {
        /// Whose
        name: String,
    },
    /// Takes an account away.
    Remove {
        /// Whose
        name: String,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::named(text).ok_or_else(|| {
        let all: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("no such role: use one of {}", all.join(", "))
    })
}

/// Changes or lists the accounts, and prints what came of it.
///
/// # Errors
/// [`Failure`].
pub fn run(args: &AccountArgs) -> Result<(), Failure> {
    let config = config::or_usual(args.config.as_deref())?;
    let path = &config.store.path;
    if !path.is_file() {
        let text = format!("no store at {}: give the configuration with --config", path.display());
        return Err(Failure::Configuration(text));
    }
    let failed = |bad: AccountError| Failure::Failed(bad.to_string());
    let mut book =
        AccountBook::open(&Database::Accounts.place(path), &Entropy::new()).map_err(failed)?;
    if let AccountTask::Add { station: Some(station), .. } = &args.what {
        registered(path, station)?;
    }
    let told = done(&mut book, &args.what, Clock::new().now()).map_err(failed)?;
    super::say(&told);
    Ok(())
}

/// Refuses a station that is not registered: its people would see nothing, and nobody would know why.
fn registered(store: &Path, station: &str) -> Result<(), Failure> {
    let failed = |bad: String| Failure::Failed(bad);
    let reader = Reader::open(store).map_err(|bad| failed(bad.to_string()))?;
    let there = is_registered(reader.connection(), station);
    if there.map_err(|bad| failed(bad.to_string()))? {
        return Ok(());
    }
    let text =
        format!("no station `{station}`: import it first (`standpipe import`), or use another");
    Err(Failure::Configuration(text))
}

fn done(
    book: &mut AccountBook,
    what: &AccountTask,
    now: standpipe_rules::Ms,
) -> Result<String, AccountError> {
    match what {
        AccountTask::List => {
            let line = |account: Account| {
                let station = account.station.as_deref().unwrap_or("all stations");
                format!("{}\t{}\t{station}\n", account.name, account.role.as_str())
            };
            Ok(book.accounts()?.into_iter().map(line).collect())
        }
        AccountTask::Add { name, role, station } => {
            let (password, hash) = fresh_password(&Entropy::new())?;
            book.add(&Account::new(name, *role, station.as_deref(), now), &hash)?;
            let [name, id, role, station] = [name, "", role.as_str(), ""].map(Box::from);
            let code = AuditCode::Account { name, id, role, station };
            book.audit_as(now, COMMAND_LINE, "account_add", &code)?;
            Ok(format!("{password}\n"))
        }
        AccountTask::Password { name } => {
            let (password, hash) = fresh_password(&Entropy::new())?;
            book.set_password(name, &hash)?;
            book.audit(now, COMMAND_LINE, "account_reset", name)?;
            Ok(format!("{password}\n"))
        }
        AccountTask::Remove { name } => {
            book.remove(name)?;
            book.audit(now, COMMAND_LINE, "account_remove", name)?;
            Ok(format!("{name} is removed\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::registered;
    use standpipe_store::Store;

    #[test]
    fn a_station_has_to_be_there_before_somebody_is_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("standpipe.db");
        let station = r#"{"id":"S1","name":"n","level":"district","parent":null,"lat":1.0,"lon":2.0,"phone":null}"#;
        let mut store = Store::open(&path).unwrap();
        store.import(&[serde_json::from_str(station).unwrap()], &[]).unwrap();
        assert!(registered(&path, "S1").is_ok());
        let refused = format!("{:?}", registered(&path, "S9").err());
        assert!(refused.contains("no station `S9`: import it first"), "{refused}");
    }
}
