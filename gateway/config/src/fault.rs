//! What is wrong with a configuration: all of it at once, each with its place and what to do.

use std::fmt;
use std::path::PathBuf;

use super::Config;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
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
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigFaults {
    pub file: PathBuf,
    /// By line, those without one first.
    pub list: Vec<ConfigFault>,
    /// What could be read, the rest at its default: to check what it refers to, never to run.
    pub rest: Box<Config>,
}

impl ConfigFaults {
    /// One of them, with its place.
    #[must_use]
    pub fn line(&self, fault: &ConfigFault) -> String {
        let ConfigFault { line, key, value, text } = fault;
        let line = if *line > 0 { format!(":{line}") } else { String::new() };
        let key = match (key.is_empty(), value.is_empty()) {
            (true, _) => String::new(),
            (false, true) => format!("{key}: "),
            (false, false) => format!("{key} = {value}: "),
        };
        format!("{}{line}: {key}{text}", self.file.display())
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.list.iter().map(|fault| self.line(fault)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigFaults {}
