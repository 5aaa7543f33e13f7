//! The sections one by one, and the files they name.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use standpipe_machine::limits::GATHER;
use standpipe_machine::small_file;
use standpipe_rules::incidents::Steps;
use standpipe_shared::ROOT;
use standpipe_store::files::Database;
use standpipe_store::lost::Choice;
use toml::de::DeTable;

use super::fault::ConfigFaults;
use super::named::{content, path, secret};
use super::section::{Notes, Section};
use super::{
    BrokerAddress, ClientCertificate, Config, Escalation, HttpConfig, HttpDoor, InfluxConfig,
    Language, MqttConfig, RegistryFiles, Secret, StoreConfig, Verify, digest, keep, profiles,
    webhooks,
};

/// No time of escalation is longer than a week, seconds.
const MAX_STEP_S: u32 = 7 * 86_400;
/// Hours: two weeks of evidence are enough.
const MAX_VERIFY_HOURS: u32 = 14 * 24;

/// The whole file; also every key that is known.
pub(super) fn config(
    text: &str,
    file: &Path,
    admin_token: Option<Secret>,
) -> Result<(Config, Vec<String>), ConfigFaults> {
    let mut notes = Notes { source: text, faults: Vec::new(), known: Vec::new() };
    let folder = file.parent().unwrap_or(Path::new(""));
    let (config, has_broker) = sections(text, folder, admin_token, &mut notes);
    if notes.faults.is_empty() {
        return Ok((config, notes.known));
    }
    notes.faults.sort_by_key(|fault| fault.line);
    let (file, rest) = (file.to_owned(), Box::new(config));
    Err(ConfigFaults { file, list: notes.faults, rest, has_broker })
}

/// All of them; also whether the broker's address is among what could be read.
fn sections(text: &str, folder: &Path, token: Option<Secret>, notes: &mut Notes) -> (Config, bool) {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or_default();
        let text = format!("not TOML ({}): mend this line", error.message());
        notes.at(span, String::new(), text);
    }
    let mut root = Section::new(String::new(), Some(table.get_ref()));
    let mqtt = mqtt(root.section("mqtt", notes), folder, notes);
    let http = http(root.section("http", notes), token, folder, notes);
    let mut store = root.section("store", notes);
    let path = path(&mut store, "path", folder, notes);
    let gather = store.number("gather_ms", 0..=200, notes);
    let gather = gather.map_or(GATHER, |ms| Duration::from_millis(ms.into()));
    store.end(notes);
    let influx = influx(root.section("influx", notes), folder, notes);
    let webhooks = webhooks::all(&mut root, folder, notes);
    let escalation = escalation(root.section("escalation", notes), notes);
    let verify = verify(root.section("verify", notes), notes);
    let digest = digest::read(root.section("digest", notes), notes);
    let keep = keep::read(root.section("keep", notes), notes);
    let profiles = profiles::all(root.section("profile", notes), notes);
    let registry = registry(root.section("registry", notes), folder, notes);
    root.end(notes);
    let path = path.unwrap_or_else(|| folder.join(Database::Store.name()));
    let store = StoreConfig { path, gather, choice: Choice::Undecided };
    let has_broker = mqtt.is_some();
    let mqtt = mqtt.unwrap_or_else(|| Config::new(BrokerAddress::loopback()).mqtt);
    let (folder, file) = (None, None); // the caller may know of a file
    let config = Config {
        mqtt,
        http,
        store,
        influx,
        webhooks,
        escalation,
        verify,
        digest,
        keep,
        profiles,
        registry,
        folder,
        file,
    };
    (config, has_broker)
}

fn mqtt(mut section: Section, folder: &Path, notes: &mut Notes) -> Option<MqttConfig> {
    let broker = broker(&mut section, notes);
    let mut root = section.text("root", notes).unwrap_or(ROOT);
    if !good_root(root) {
        let text = "not a root: write levels joined by /, without +, # and a $ in front";
        section.fault("root", text, notes);
        root = ROOT;
    }
    let username = section.text("username", notes).map(Box::from);
    let password = secret(&mut section, "password_file", folder, notes);
    if password.is_some() && username.is_none() {
        section.fault("password_file", "without a name: add `username`", notes);
    }
    let ca = content(&mut section, "ca_file", folder, notes);
    let certificate = content(&mut section, "client_cert_file", folder, notes);
    let key = secret(&mut section, "client_key_file", folder, notes);
    let client = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(ClientCertificate { certificate, key }),
        (Some(_), None) => {
            section.fault("client_cert_file", "without its key: add `client_key_file`", notes);
            None
        }
        (None, Some(_)) => {
            let text = "without its certificate: add `client_cert_file`";
            section.fault("client_key_file", text, notes);
            None
        }
        (None, None) => None,
    };
    if broker.as_ref().is_some_and(|broker| !broker.tls) && (ca.is_some() || client.is_some()) {
        let text = "is not encrypted, so the certificates mean nothing: write mqtts://";
        section.fault("url", text, notes);
    }
    section.end(notes);
    Some(MqttConfig { broker: broker?, root: Box::from(root), username, password, ca, client })
}

fn broker(section: &mut Section, notes: &mut Notes) -> Option<BrokerAddress> {
    const WANTED: &str = "write mqtt://host[:1883] or mqtts://host[:8883]";
    if section.get("url", notes).is_none() {
        section.fault("url", format!("missing, the broker's address: {WANTED}"), notes);
        return None;
    }
    let text = section.text("url", notes)?;
    let url = reqwest::Url::parse(text).ok().filter(|url| url.path().trim_matches('/').is_empty());
    let broker = url.as_ref().and_then(|url| {
        let tls = match url.scheme() {
            "mqtt" => false,
            "mqtts" => true,
            _ => return None,
        };
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let host = Box::from(host.trim_start_matches('[').trim_end_matches(']'));
        Some(BrokerAddress { host, port: url.port().unwrap_or(if tls { 8883 } else { 1883 }), tls })
    });
    let named = url.is_some_and(|url| !url.username().is_empty() || url.password().is_some());
    if named {
        let key = section.key("url");
        let text = "a name or password in it: use `username` and `password_file`";
        notes.missing(key, text); // without its value, which holds the password
        return None;
    }
    if broker.is_none() {
        section.fault("url", format!("not a broker's address: {WANTED}"), notes);
    }
    broker
}

fn good_root(root: &str) -> bool {
    !root.starts_with('$')
        && root.len() <= 128
        && root.split('/').all(|level| !level.is_empty())
        && !root.contains(['+', '#', '\0'])
}

fn http(
    mut section: Section,
    admin_token: Option<Secret>,
    folder: &Path,
    notes: &mut Notes,
) -> HttpConfig {
    let default = SocketAddr::from(([127, 0, 0, 1], 8080));
    let listen = section.parsed("listen", "address:port, such as 127.0.0.1:8080", notes);
    let listen = listen.unwrap_or(default);
    let url = web_url(&mut section, "url", notes);
    let url = url.map_or_else(|| format!("http://{listen}").into(), |url| plain(&url));
    let mut timezone = section.text("timezone", notes).unwrap_or("Asia/Shanghai");
    if jiff::tz::TimeZone::get(timezone).is_err() {
        let text = "no such time zone: write an IANA name, such as Asia/Shanghai";
        section.fault("timezone", text, notes);
        timezone = "UTC";
    }
    let language = match section.text("language", notes) {
        Some("zh") | None => Language::Chinese,
        Some("en") => Language::English,
        Some(_) => {
            section.fault("language", "no such language: write \"zh\" or \"en\"", notes);
            Language::Chinese
        }
    };
    let mut map_file = path(&mut section, "map_file", folder, notes);
    if let Some(Err(why)) = map_file.as_deref().map(crate::map_layer::layer) {
        section.fault("map_file", why, notes);
        map_file = None;
    }
    section.end(notes);
    let timezone = Box::from(timezone);
    HttpConfig { listen, url, timezone, language, admin_token, map_file, door: HttpDoor::Accounts }
}

/// An `http://` or `https://` address.
fn web_url(section: &mut Section, key: &'static str, notes: &mut Notes) -> Option<reqwest::Url> {
    let text = section.text(key, notes)?;
    let url = reqwest::Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    if url.is_none() {
        section.fault(key, "not a web address: write http://… or https://…", notes);
    }
    url
}

/// Without the slash that the parser puts at the end.
fn plain(url: &reqwest::Url) -> Box<str> {
    Box::from(url.as_str().trim_end_matches('/'))
}

fn influx(mut section: Section, folder: &Path, notes: &mut Notes) -> Option<InfluxConfig> {
    if !section.is_there() {
        return None;
    }
    let url = web_url(&mut section, "url", notes);
    let url = url.map_or_else(|| Box::from("http://127.0.0.1:8086"), |url| plain(&url));
    let org = Box::from(section.text("org", notes).unwrap_or("standpipe"));
    let bucket = Box::from(section.text("bucket", notes).unwrap_or("standpipe"));
    let token = match section.get("token_file", notes) {
        Some(_) => secret(&mut section, "token_file", folder, notes),
        None => {
            let token = small_file::read_text(&folder.join(TOKEN_FILE)).unwrap_or_default();
            if token.trim().is_empty() {
                let text = format!("missing, and no token in `{TOKEN_FILE}`: name the file");
                section.fault("token_file", text, notes);
            }
            Some(Secret::new(token.trim()))
        }
    };
    let trust = webhooks::trust(&mut section, &url, folder, notes);
    section.end(notes);
    // Without its token it refuses what it is sent: history then waits in the store, and is in one place.
    let token = token.unwrap_or_else(|| Secret::new(""));
    Some(InfluxConfig { url, org, token, bucket, trust })
}

/// Where InfluxDB's token is, unless the file says otherwise.
const TOKEN_FILE: &str = "influx.token";

fn escalation(mut section: Section, notes: &mut Notes) -> Escalation {
    let default = Escalation::default();
    let escalation = Escalation {
        fire: steps(section.section("fire", notes), default.fire, notes),
        critical: steps(section.section("critical", notes), default.critical, notes),
        warning: steps(section.section("warning", notes), default.warning, notes),
    };
    section.end(notes);
    escalation
}

fn steps(mut section: Section, default: Steps, notes: &mut Notes) -> Steps {
    let mut seconds = |key, default, notes: &mut Notes| {
        section.number(key, 0..=MAX_STEP_S, notes).unwrap_or(default)
    };
    let steps = Steps {
        step2_s: seconds("step2_s", default.step2_s, notes),
        step3_s: seconds("step3_s", default.step3_s, notes),
        repeat_s: seconds("repeat_s", default.repeat_s, notes),
        forgotten_s: seconds("forgotten_s", default.forgotten_s, notes),
    };
    if steps.step3_s > 0 && steps.step3_s < steps.step2_s {
        let text = format!("before step 2, which is at {} s: write more", steps.step2_s);
        section.fault("step3_s", text, notes);
    }
    section.end(notes);
    steps
}

fn verify(mut section: Section, notes: &mut Notes) -> Verify {
    let hours = section.number("hours", 0..=MAX_VERIFY_HOURS, notes).unwrap_or(24);
    section.end(notes);
    Verify { hours }
}

/// Where the files are. Whether they can be read is found out by whoever reads them: a gateway
/// that has a registry starts without them (`standpipe::registry_files`).
fn registry(mut section: Section, folder: &Path, notes: &mut Notes) -> RegistryFiles {
    let mut file = |key, notes: &mut Notes| path(&mut section, key, folder, notes);
    let files =
        RegistryFiles { stations: file("stations", notes), devices: file("devices", notes) };
    section.end(notes);
    files
}
