//! What is wrong with a configuration: all of it at once, each with its place and what to do.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line in the file, from 1; 0: of the whole file.
    pub line: usize,
    /// The key with its section, as `mqtt.url`; empty where there is none.
    pub key: String,
    /// The value as it is written in the file; empty for a missing one or a secret.
    pub value: String,
    /// What is wrong with it, and what to do.
    pub text: String,
}

/// Everything that is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The file.
    pub file: PathBuf,
    /// In the order of lines.
    pub list: Vec<Fault>,
}

impl Faults {
    /// Nothing wrong yet.
    pub(super) const fn of(file: PathBuf) -> Self {
        Self { file, list: Vec::new() }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.list.iter().enumerate() {
            let Fault { line, key, value, text } = fault;
            write!(f, "{}{}", if at == 0 { "" } else { "\n" }, self.file.display())?;
            if *line > 0 {
                write!(f, ":{line}")?;
            }
            match (key.is_empty(), value.is_empty()) {
                (true, _) => write!(f, ": {text}")?,
                (false, true) => write!(f, ": {key}: {text}")?,
                (false, false) => write!(f, ": {key} = {value}: {text}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
