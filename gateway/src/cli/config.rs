//! Where the configuration comes from.

use std::path::Path;

use standpipe_config::{BrokerAddress, Config, ConfigFaults, Secret};
use standpipe_machine::small_file;

use super::Failure;

/// The environment variable with an administrator's bearer token.
pub const TOKEN_VARIABLE: &str = "STANDPIPE_ADMIN_TOKEN";
/// The one that names a file with it instead, as containers are given their secrets.
const TOKEN_FILE_VARIABLE: &str = "STANDPIPE_ADMIN_TOKEN_FILE";
/// What commands that also work without a configuration look for.
const USUAL: &str = "standpipe.toml";

/// The configuration of a file, or all that is wrong with it.
pub fn load(file: &Path) -> Result<Config, ConfigFaults> {
    let token = token().map_err(|text| ConfigFaults::unread(file, text))?;
    Config::load(file, token.map(Secret::new))
}

/// What a gateway starts with, and the faults of the file that it does without.
///
/// # Errors
/// The faults of a file that names no broker.
pub fn to_start_with(file: &Path) -> Result<(Config, Option<ConfigFaults>), Failure> {
    let (token, untold) = match token() {
        Ok(token) => (token, None),
        Err(text) => (None, Some(ConfigFaults::unread(file, text))),
    };
    let (config, faults) = match Config::load(file, token.map(Secret::new)) {
        Ok(config) => (config, untold),
        Err(mut faults) => {
            faults.list.extend(untold.into_iter().flat_map(|untold| untold.list));
            let refused = |faults: ConfigFaults| Failure::Configuration(faults.to_string());
            let (config, faults) = faults.to_start_with().map_err(refused)?;
            (config, Some(faults))
        }
    };
    Ok((config, faults))
}

/// The administrator's token of the environment.
///
/// # Errors
/// Why the file that the environment names holds none.
pub fn token() -> Result<Option<String>, String> {
    token_of(|name| std::env::var(name).ok())
}

fn token_of(said: impl Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    let said = |name| said(name).filter(|value| !value.is_empty());
    let (None, Some(file)) = (said(TOKEN_VARIABLE), said(TOKEN_FILE_VARIABLE)) else {
        return Ok(said(TOKEN_VARIABLE));
    };
    let bad = |why: &str| format!("{TOKEN_FILE_VARIABLE} = {file}: {why}: write the token into it");
    let token = small_file::read_text(Path::new(&file)).map_err(|fault| bad(&fault.to_string()))?;
    match token.trim() {
        "" => Err(bad("it is empty")),
        token => Ok(Some(token.to_owned())),
    }
}

/// The configuration of a file.
pub fn required(file: &Path) -> Result<Config, Failure> {
    load(file).map_err(|faults| Failure::Configuration(faults.to_string()))
}

/// The configuration of a file, or every default where none is named.
pub fn or_default(file: Option<&Path>) -> Result<Config, Failure> {
    file.map_or_else(|| Ok(Config::new(BrokerAddress::loopback())), required)
}

/// `standpipe.toml` here, if there is one.
pub fn usual<'a>() -> Option<&'a Path> {
    Some(Path::new(USUAL)).filter(|usual| usual.is_file())
}

/// The configuration of a file, of `standpipe.toml` here, or every default.
pub fn or_usual(file: Option<&Path>) -> Result<Config, Failure> {
    or_default(file.or_else(usual))
}

#[cfg(test)]
mod tests {
    use super::token_of;

    #[test]
    fn the_token_is_said_or_in_a_file_and_never_silently_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (full, empty) = (file("full", "secret\n"), file("empty", "\n"));
        let gone = folder.path().join("gone").display().to_string();
        for (said, named, token) in [
            ("", "", Some(None)),
            ("said", "", Some(Some("said"))),
            ("said", &*gone, Some(Some("said"))),
            ("", &*full, Some(Some("secret"))),
            ("", &*empty, None),
            ("", &*gone, None),
            ("", "/dev/zero", None),
        ] {
            let found = token_of(|name| {
                Some(if name.ends_with("_FILE") { named.to_owned() } else { said.to_owned() })
            });
            if let Err(why) = &found {
                assert!(why.contains(named) && why.contains("write the token"), "{why}");
            }
            assert_eq!(found.ok(), token.map(|token| token.map(str::to_owned)), "{said} {named}");
        }
    }
}
