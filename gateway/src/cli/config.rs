//! Where the configuration comes from.

use std::path::Path;

use crate::config::{Broker, Config, Faults, Secret};

use super::Failure;

/// The environment variable with an administrator's bearer token.
pub const TOKEN_VARIABLE: &str = "STANDPIPE_ADMIN_TOKEN";
/// What commands that also work without a configuration look for.
const USUAL: &str = "standpipe.toml";

/// The configuration of a file, or all that is wrong with it.
pub fn load(file: &Path) -> Result<Config, Faults> {
    let token = std::env::var(TOKEN_VARIABLE).ok().filter(|it| !it.is_empty()).map(Secret::new);
    Config::load(file, token)
}

/// The configuration of a file.
pub fn required(file: &Path) -> Result<Config, Failure> {
    load(file).map_err(|faults| Failure::Configuration(faults.to_string()))
}

/// The configuration of a file, or every default where none is named.
pub fn or_default(file: Option<&Path>) -> Result<Config, Failure> {
    file.map_or_else(|| Ok(Config::new(Broker::loopback())), required)
}

/// The configuration of a file, of `standpipe.toml` here, or every default.
pub fn or_usual(file: Option<&Path>) -> Result<Config, Failure> {
    or_default(file.or(Some(Path::new(USUAL)).filter(|it| it.is_file())))
}
