//! What is wrong with a configuration: all of it at once, each with its place and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{BrokerAddress, Config};

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
    /// What could be read, the rest at its default: to check what it refers to, and what a gateway
    /// starts with where [`Self::has_broker`].
    pub rest: Box<Config>,
    /// Whether a broker's address was read: the one thing that a gateway can't do without.
    pub has_broker: bool,
}

impl ConfigFaults {
    /// Of a file of which nothing could be read.
    #[must_use]
    pub fn unread(file: &Path, text: String) -> Self {
        let fault = ConfigFault { line: 0, key: String::new(), value: String::new(), text };
        let rest = Box::new(Config::new(BrokerAddress::loopback()));
        Self { file: file.to_owned(), list: vec![fault], rest, has_broker: false }
    }

    /// What a gateway starts with, and the faults it does without.
    ///
    /// # Errors
    /// The faults, when no broker's address is among what was read.
    pub fn to_start_with(mut self) -> Result<(Config, Self), Self> {
        if !self.has_broker {
            return Err(self);
        }
        let nothing = Config::new(BrokerAddress::loopback());
        let config = std::mem::replace(&mut *self.rest, nothing);
        Ok((config, self))
    }

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::Config;

    #[test]
    fn a_gateway_starts_with_what_could_be_read_and_nothing_else_does() {
        let text = "[mqtt]\nurl = 'mqtt://b'\nroot = '/x/'\n[http]\ntimezone = 'Mars/Base'\nlistn = 1\n\
            [escalation.fire]\nstep2_s = 'soon'\nstep3_s = 99\n\
            [[webhook]]\nname = 'unsigned'\nurl = 'http://a'\nsecret_file = 'gone'\n\
            [[webhook]]\nname = 'nowhere'\nurl = 'nowhere'\n\
            [[webhook]]\nname = 'boss'\nurl = 'http://c'\nrole = 'boss'\nstation = 't1'\n\
            [[webhook]]\nname = 'boss'\nurl = 'http://d'\n\
            [influx]\ntoken_file = 'gone'\n";
        let parsed = |text: &str| Config::parse(text, Path::new("standpipe.toml"), None);
        let refused = parsed(text).unwrap_err();
        assert_eq!(refused.list.len(), 9, "all of them: {refused}");
        let (config, _) = refused.to_start_with().unwrap();
        assert_eq!((&*config.mqtt.broker.host, &*config.mqtt.root), ("b", "standpipe/v1"));
        assert_eq!(&*config.http.timezone, "UTC");
        let fire = config.escalation.fire;
        assert_eq!((fire.step2_s, fire.step3_s), (60, 99));
        let told = |webhook: &crate::Webhook| {
            let off = webhook.off.as_deref().unwrap_or_default();
            format!(
                "{} {:?} {}",
                webhook.name,
                webhook.role,
                off.split(':').next().unwrap_or_default()
            )
        };
        assert_eq!(
            config.webhooks.iter().map(told).collect::<Vec<_>>(),
            ["unsigned Officer `secret_file`", "nowhere Officer `url`", "boss Officer "],
            "what can't be sent is off; whom it is unclear to tell is told first"
        );
        assert!(config.influx.is_some(), "and not another history beside it");
        for text in ["", "[mqtt]\nurl = 'b'\n", "[mqtt]\nurl = 'mqtt://u:p@b'\n"] {
            assert!(parsed(text).unwrap_err().to_start_with().is_err(), "{text}");
        }
    }
}
