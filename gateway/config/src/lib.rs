//! `standpipe.toml` → [`Config`]: addresses, files, receivers, times and limits of judgement.
//!
//! Every key has a default but the broker's address. A key that means nothing is a fault, and all
//! faults are told together. `check` and every command refuse them; a gateway starts with what could be
//! read, the rest at its default ([`ConfigFaults::to_start_with`]). Secrets are in files of their own and never shown. Limits that no
//! user should need to change are in [`standpipe_machine::limits`].

#![allow(
    missing_docs,
    reason = "of fields and variants whose names say all; tests/tidy/docs.rs holds the rest"
)]

mod digest;
mod fault;
mod keep;
pub mod keys;
pub mod map_layer;
mod named;
mod profiles;
mod read;
mod section;
mod webhooks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use standpipe_machine::limits::GATHER;
use standpipe_machine::small_file;
use standpipe_receivers::DigestSupport;
use standpipe_rules::changes::Receiver;
use standpipe_rules::incidents::{Plan, ReceiverRole, Route, Steps};
use standpipe_rules::pace::Pace;
use standpipe_rules::registry::Profile;
use standpipe_shared::{ROOT, Severity};
use standpipe_store::files::Database;
use standpipe_store::lost::Choice;
use standpipe_trust::Authorities;
use standpipe_words::message::Desk;

pub use digest::DigestConfig;
pub use fault::{ConfigFault, ConfigFaults};
pub use keep::KeepConfig;
pub use standpipe_receivers::WebhookFormat;
pub use standpipe_trust::{self as trust, Secret};
pub use standpipe_words::Language;

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The broker and the session on it.
    pub mqtt: MqttConfig,
    /// The API and the console.
    pub http: HttpConfig,
    pub store: StoreConfig,
    /// History in InfluxDB 2; `None`: embedded.
    pub influx: Option<InfluxConfig>,
    /// Receivers beside the stations' own topics.
    pub webhooks: Vec<Webhook>,
    /// When more people are told.
    pub escalation: Escalation,
    /// How a repair is believed.
    pub verify: Verify,
    /// When notices are told of.
    pub digest: DigestConfig,
    pub keep: KeepConfig,
    /// Profiles beside, or in place of, the built-in ones.
    pub profiles: Vec<(Box<str>, Profile)>,
    /// Files that are imported at start.
    pub registry: RegistryFiles,
    /// Where its file lies; `None`: there is none.
    pub folder: Option<PathBuf>,
    /// Its file, as commands take it; `None`: there is none.
    pub file: Option<PathBuf>,
}

/// `[mqtt]`: the broker, and how the gateway signs in to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttConfig {
    /// `url`: `mqtt://host[:1883]` or `mqtts://host[:8883]`.
    pub broker: BrokerAddress,
    /// `root`: what all topics begin with.
    pub root: Box<str>,
    pub username: Option<Box<str>>,
    /// The content of `password_file`.
    pub password: Option<Secret>,
    /// The content of `ca_file`, PEM; `None`: the public authorities.
    pub ca: Option<Vec<u8>>,
    /// The contents of `client_cert_file` and `client_key_file`, PEM.
    pub client: Option<ClientCertificate>,
}

/// Where the broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    pub host: Box<str>,
    pub port: u16,
    pub tls: bool,
}

impl BrokerAddress {
    /// On this machine.
    #[must_use]
    pub fn loopback() -> Self {
        Self { host: Box::from("127.0.0.1"), port: 1883, tls: false }
    }
}

/// Who the gateway is to a broker that asks for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// In PEM.
    pub certificate: Vec<u8>,
    /// In PEM.
    pub key: Secret,
}

/// `[http]`: where the API and the console are, and who may use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// `listen`: behind whatever encrypts, when it is not loopback.
    pub listen: SocketAddr,
    /// `url`: how people reach the console; in links of messages.
    pub url: Box<str>,
    /// `timezone`: the town's, for people and monthly reports; an IANA name.
    pub timezone: Box<str>,
    /// `language`: of messages that are in one language only.
    pub language: Language,
    /// `STANDPIPE_ADMIN_TOKEN` of the environment.
    pub admin_token: Option<Secret>,
    /// `map_file`: lines beneath the map of the console, GeoJSON.
    pub map_file: Option<PathBuf>,
    /// Who is let in; not in the file.
    pub door: HttpDoor,
}

impl HttpConfig {
    /// What messages are rendered with; the time zone was checked when the configuration was read.
    #[must_use]
    pub fn desk(&self) -> Desk {
        let zone = TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC);
        Desk { zone, url: self.url.clone(), language: self.language }
    }
}

/// Who is let in by HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpDoor {
    /// Whoever signs in or has a token.
    #[default]
    Accounts,
    /// Everybody on this machine: `standpipe demo`.
    ThisMachine,
}

/// `[store]`: where the databases are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// `path`: the SQLite file.
    pub path: PathBuf,
    /// `gather_ms`: how long readings wait for more of them before they are committed.
    pub gather: Duration,
    /// What is to become of one that was lost; not in the file.
    pub choice: Choice,
}

impl StoreConfig {
    /// The embedded history, beside the store, so that it never blocks it.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        Database::History.place(&self.path)
    }
}

/// `[influx]`: the InfluxDB that keeps history instead of the embedded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfluxConfig {
    pub url: Box<str>,
    pub org: Box<str>,
    /// The content of `token_file`.
    pub token: Secret,
    pub bucket: Box<str>,
    /// The content of `ca_file`.
    pub trust: Option<Authorities>,
}

/// `[[webhook]]`: a receiver beside the stations' own topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `name`: identifies it in pages and trails; changing it makes another receiver.
    pub name: Box<str>,
    /// `station`: whose incidents; `None`: everybody's.
    pub station: Option<Box<str>>,
    /// `role`: at which step it is told.
    pub role: ReceiverRole,
    /// `severities`; empty: all that page.
    pub severities: Vec<Severity>,
    /// `steps`; empty: all that fit the role.
    pub steps: Vec<u8>,
    pub url: reqwest::Url,
    /// The content of `secret_file`, which signs what is sent, or is a password.
    pub secret: Option<Secret>,
    /// Whom `ca_file` names; `None`: the public authorities, and those the system trusts.
    pub trust: Option<Authorities>,
    pub format: WebhookFormat,
    /// `pace`, else its format's: how many messages it takes. What is owed beyond that is bundled.
    pub pace: Pace,
    /// Why it can't be sent anything: what its section says of address, secret or format is at fault.
    /// Its pages are owed all the same, and wait until that is corrected.
    pub off: Option<Box<str>>,
}

impl Webhook {
    /// What it is called where receivers are listed.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.format.facts().listed_as
    }

    /// Whether it is told of notices, once a day: where it asks for them by name, and its format takes
    /// digests. Empty `severities` are all that page, and a notice pages nobody.
    #[must_use]
    pub fn wants_digest(&self) -> bool {
        self.severities.contains(&Severity::Notice)
            && self.format.facts().digests == DigestSupport::Taken
    }

    /// How the rules know it.
    #[must_use]
    pub fn route(&self) -> Route {
        Route {
            name: self.name.clone(),
            station: self.station.clone(),
            role: self.role,
            severities: self.severities.clone(),
            steps: self.steps.clone(),
        }
    }
}

/// `[escalation.*]`: after how long more people are told, by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalation {
    pub fire: Steps,
    pub critical: Steps,
    pub warning: Steps,
}

/// `[verify]`: how long pressure must be back before a repair is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verify {
    /// `hours`: pressure must hold for so much covered time.
    pub hours: u32,
}

/// `[registry]`: files that fill an empty registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryFiles {
    pub stations: Option<PathBuf>,
    pub devices: Option<PathBuf>,
}

impl Config {
    /// Everything at its default, for a broker.
    #[must_use]
    pub fn new(broker: BrokerAddress) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        Self {
            mqtt: MqttConfig {
                broker,
                root: Box::from(ROOT),
                username: None,
                password: None,
                ca: None,
                client: None,
            },
            http: HttpConfig {
                listen,
                url: format!("http://{listen}").into(),
                timezone: Box::from("Asia/Shanghai"),
                language: Language::Chinese,
                admin_token: None,
                map_file: None,
                door: HttpDoor::Accounts,
            },
            store: StoreConfig {
                gather: GATHER,
                path: PathBuf::from(Database::Store.name()),
                choice: Choice::Undecided,
            },
            influx: None,
            webhooks: Vec::new(),
            escalation: Escalation::default(),
            verify: Verify { hours: 24 },
            digest: DigestConfig::default(),
            keep: KeepConfig::default(),
            profiles: Vec::new(),
            registry: RegistryFiles::default(),
            folder: None,
            file: None,
        }
    }

    /// Reads a file. `admin_token` is `STANDPIPE_ADMIN_TOKEN` of the environment.
    ///
    /// # Errors
    /// All [`ConfigFaults`] of the file and of the files it names.
    pub fn load(file: &Path, admin_token: Option<Secret>) -> Result<Self, ConfigFaults> {
        let text = small_file::read_text(file).map_err(|bad| {
            let text = format!("cannot be read ({bad}): give the file with --config");
            ConfigFaults::unread(file, text)
        })?;
        let (folder, named) = (file.parent().map(Path::to_owned), Some(file.to_owned()));
        match Self::parse(&text, file, admin_token) {
            Ok(config) => Ok(Self { folder, file: named, ..config }),
            Err(mut faults) => {
                (faults.rest.folder, faults.rest.file) = (folder, named);
                Err(faults)
            }
        }
    }

    /// Reads the text of a file; other files it names are found from `file`'s folder.
    ///
    /// # Errors
    /// All [`ConfigFaults`] of the text and of the files it names.
    pub fn parse(
        text: &str,
        file: &Path,
        admin_token: Option<Secret>,
    ) -> Result<Self, ConfigFaults> {
        read::config(text, file, admin_token).map(|(config, _)| config)
    }

    /// What incidents go by.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let Escalation { fire, critical, warning } = self.escalation;
        let webhooks = self.webhooks.iter().map(Webhook::route).collect();
        let verify_hours = self.verify.hours;
        Plan { fire, critical, warning, verify_hours, webhooks, ..Plan::default() }
    }

    /// Who is told of notices once a day, and at which time; `None`: nobody ever is.
    #[must_use]
    pub fn digest_receivers(&self) -> Option<(Time, Vec<&Webhook>)> {
        let at = self.digest.at?;
        let who: Vec<_> = self.webhooks.iter().filter(|webhook| webhook.wants_digest()).collect();
        (!who.is_empty()).then_some((at, who))
    }

    /// What a receiver is called where receivers are listed: a webhook with its kind.
    #[must_use]
    pub fn receiver(&self, receiver: &Receiver) -> String {
        match receiver {
            Receiver::Station(id) => id.to_string(),
            Receiver::Webhook(name) => {
                let found = self.webhooks.iter().find(|webhook| webhook.name == *name);
                format!("{} {name}", found.map_or("webhook", Webhook::kind))
            }
        }
    }

    /// Profiles beside, or in place of, the built-in ones: for `Registry::new`.
    pub fn profiles(&self) -> impl Iterator<Item = (Box<str>, Profile)> + '_ {
        self.profiles.iter().cloned()
    }
}

impl Default for Escalation {
    fn default() -> Self {
        let Plan { fire, critical, warning, .. } = Plan::default();
        Self { fire, critical, warning }
    }
}

#[cfg(test)]
mod tests;
