//! Every key of `standpipe.toml` with its default, its unit and where the number comes from: what
//! `standpipe check --settings` prints and `deploy/SETTINGS.md` holds.
//!
//! A test holds this list against the keys the reader asks for, and each default against what the
//! reader does without it. Numbers that judge and escalate are taken from the rules themselves; the
//! keys of receivers' formats, and what other keys are to a format, from the formats.

use std::borrow::Cow;
use std::fmt::Write as _;

use standpipe_receivers::{FormatFacts, formats};
use standpipe_rules::incidents::Plan;
use standpipe_rules::registry::Profile;
use standpipe_shared::Kind;

/// One `[section]`.
pub(super) struct KeySection {
    /// As in a full key; `webhook` is `[[webhook]]`, `profile` is `[profile.NAME]`.
    pub(super) name: &'static str,
    says: &'static str,
    /// Without those of formats: [`keys`] has all.
    keys: &'static [ConfigKey],
}

/// One key of it.
#[derive(Clone, Copy)]
pub(super) struct ConfigKey {
    pub(super) name: &'static str,
    default: Usual,
    /// Empty: said by formats.
    says: &'static str,
    /// Who says so: a standard, or experience. Empty: we chose it.
    source: &'static str,
}

/// What holds without the key.
#[derive(Clone, Copy)]
enum Usual {
    /// It must be there, where its section is.
    Needed,
    /// Nothing: what the key is about is off.
    Absent,
    /// As it would be written.
    Written(&'static str),
    /// The number in the code that uses it.
    Ruled,
}

use Usual::{Absent, Needed, Ruled, Written};

/// All of them.
#[rustfmt::skip] // a table
pub(super) const ALL: &[KeySection] = &[
    KeySection { name: "mqtt", says: "The broker and the session on it.", keys: &[
        ConfigKey { name: "url", default: Needed, says: "The broker: `mqtt://host[:1883]` or, encrypted, `mqtts://host[:8883]`.", source: "" },
        ConfigKey { name: "root", default: Written("\"standpipe/v1\""), says: "What all topics begin with; the same in every device.", source: "" },
        ConfigKey { name: "username", default: Absent, says: "The gateway's user name, if the broker asks for a password.", source: "" },
        ConfigKey { name: "password_file", default: Absent, says: "Its trimmed content is the password.", source: "" },
        ConfigKey { name: "ca_file", default: Absent, says: "With `mqtts`: who signed the broker's certificate, PEM. Without it, a public authority did.", source: "" },
        ConfigKey { name: "client_cert_file", default: Absent, says: "With `mqtts`: the gateway's certificate, if the broker asks for one, PEM.", source: "" },
        ConfigKey { name: "client_key_file", default: Absent, says: "The key of that certificate, PEM.", source: "" },
    ]},
    KeySection { name: "http", says: "The API and the console.", keys: &[
        ConfigKey { name: "listen", default: Written("\"127.0.0.1:8080\""), says: "Address and port. Put something that encrypts in front of anything but loopback.", source: "" },
        ConfigKey { name: "url", default: Written("\"http://127.0.0.1:8080\""), says: "How people reach the console: it is in the links of messages. Without it, `listen`.", source: "" },
        ConfigKey { name: "timezone", default: Written("\"Asia/Shanghai\""), says: "The town's, for people and monthly reports: an IANA name.", source: "" },
        ConfigKey { name: "language", default: Written("\"zh\""), says: "`zh` or `en`: of messages that are in one language only.", source: "" },
        ConfigKey { name: "map_file", default: Absent, says: "Lines beneath the map: a GeoJSON of roads, rivers, borders.", source: "" },
    ]},
    KeySection { name: "store", says: "What must not be lost.", keys: &[
        ConfigKey { name: "path", default: Written("\"standpipe.db\""), says: "The SQLite file. Embedded history is kept beside it, in `history.db`.", source: "" },
        ConfigKey { name: "gather_ms", default: Written("100"), says: "How long readings wait for more of them before they are stored, milliseconds, at most 200: each commit costs the disk about the same. Alarms, actions and statuses never wait, and take along what does. A broker that sends few messages before it waits for an acknowledgement is not kept waiting.", source: "" },
    ]},
    KeySection { name: "influx", says: "History in InfluxDB 2. Without this section it is embedded.", keys: &[
        ConfigKey { name: "url", default: Written("\"http://127.0.0.1:8086\""), says: "Where it is.", source: "" },
        ConfigKey { name: "org", default: Written("\"standpipe\""), says: "Its organisation.", source: "" },
        ConfigKey { name: "token_file", default: Written("\"influx.token\""), says: "Its trimmed content is a token that may write and read the bucket.", source: "" },
        ConfigKey { name: "bucket", default: Written("\"standpipe\""), says: "For raw readings. The hourly ones are in the bucket of that name with `_1h` behind.", source: "" },
        ConfigKey { name: "ca_file", default: Absent, says: "With `https`: who signed its certificate, PEM; nobody else is believed then. Without it: a public authority, or one that this system trusts (`SSL_CERT_FILE`).", source: "" },
    ]},
    KeySection { name: "webhook", says: "Receivers besides the stations' own topics; one section per receiver.", keys: &[
        ConfigKey { name: "name", default: Needed, says: "Pages are kept under this name; another name is another receiver.", source: "" },
        ConfigKey { name: "url", default: Needed, says: "Where incidents are sent. Mail: `smtps://host` (encrypted from the first byte) or `smtp://host` (encrypted by STARTTLS, unless the host is this machine and there is no `ca_file`).", source: "" },
        ConfigKey { name: "token_file", default: Absent, says: "Its trimmed content stands for `{token}` in `url`: a robot's key.", source: "" },
        ConfigKey { name: "station", default: Absent, says: "Whose incidents. Without it: everybody's.", source: "" },
        ConfigKey { name: "role", default: Written("\"officer\""), says: "`officer`: told with the station (step 1). `chief`: when the station does not answer (step 2). `admin`: of the gateway's own troubles.", source: "" },
        ConfigKey { name: "severities", default: Written("[]"), says: "Some of `fire`, `critical`, `warning`, `notice`. Empty: all that page, which a notice never does. With `notice` it is sent the daily digest of its station and those below, whatever its `role` and `steps`.", source: "" },
        ConfigKey { name: "steps", default: Written("[]"), says: "Some of 1, 2 and 3. Empty: all that fit the role.", source: "" },
        ConfigKey { name: "secret_file", default: Absent, says: "", source: "" },
        ConfigKey { name: "ca_file", default: Absent, says: "With `https`, `smtps` or STARTTLS: who signed the receiver's certificate, PEM; nobody else is believed then. Without it: a public authority, or one that this system trusts (`SSL_CERT_FILE`).", source: "" },
        ConfigKey { name: "format", default: Written("\"json\""), says: "", source: "the robots' own limits" },
        ConfigKey { name: "pace", default: Absent, says: "How many messages it takes: `20/min`, `1/s`, `200/h`. What is owed beyond it is sent in bundles, several incidents in one message. Without it: `json` and `cap` 200/s, `sms` 1/s, all others 20/min.", source: "the robots' own limits" },
    ]},
    KeySection { name: "escalation.fire", says: "When more people are told of a fire. 0 is never.", keys: &[
        ConfigKey { name: "step2_s", default: Ruled, says: "From the page until the chief and the two nearest stations are told.", source: "" },
        ConfigKey { name: "step3_s", default: Ruled, says: "From the page until the station above is told.", source: "" },
        ConfigKey { name: "repeat_s", default: Ruled, says: "From the last step until everybody is told again, and between the repetitions after that.", source: "" },
        ConfigKey { name: "forgotten_s", default: Ruled, says: "From a person's last act until the incident pages again.", source: "" },
    ]},
    KeySection { name: "escalation.critical", says: "The same for what is critical, such as a dry hydrant.", keys: &[
        ConfigKey { name: "step2_s", default: Ruled, says: "As for a fire.", source: "" },
        ConfigKey { name: "step3_s", default: Ruled, says: "As for a fire.", source: "" },
        ConfigKey { name: "repeat_s", default: Ruled, says: "As for a fire; one receiver is reminded of all critical water at most this often.", source: "" },
        ConfigKey { name: "forgotten_s", default: Ruled, says: "As for a fire.", source: "" },
    ]},
    KeySection { name: "escalation.warning", says: "The same for warnings.", keys: &[
        ConfigKey { name: "step2_s", default: Ruled, says: "As for a fire.", source: "" },
        ConfigKey { name: "step3_s", default: Ruled, says: "As for a fire.", source: "" },
        ConfigKey { name: "repeat_s", default: Ruled, says: "As for a fire.", source: "" },
        ConfigKey { name: "forgotten_s", default: Ruled, says: "As for a fire.", source: "" },
    ]},
    KeySection { name: "verify", says: "How a repair is believed.", keys: &[
        ConfigKey { name: "hours", default: Written("24"), says: "A repaired hydrant must hold its pressure for so much covered time.", source: "" },
    ]},
    KeySection { name: "digest", says: "Once a day, what pages nobody: notices that are open, and those that ended since the last digest.", keys: &[
        ConfigKey { name: "at", default: Written("\"08:00\""), says: "The time of day in `http.timezone`. `\"off\"` or empty: never. It goes to each `[[webhook]]` whose `severities` name `notice` (`cap` gets none); everybody has the page `/digest`.", source: "" },
    ]},
    KeySection { name: "keep", says: "For how long what is over stays in the databases. What is older, or more, is first written to the folder `archive` beside the store, as lines of JSON, and deleted then.", keys: &[
        ConfigKey { name: "incidents_days", default: Written("1827"), says: "Closed incidents, with their trail and pages; at least 31. Open ones stay.", source: "" },
        ConfigKey { name: "audit_days", default: Written("1827"), says: "The audit log; at least 31.", source: "" },
        ConfigKey { name: "quarantine_days", default: Written("7"), says: "Messages that were not understood.", source: "" },
        ConfigKey { name: "quarantine_messages", default: Written("10000"), says: "The same: the newest so many. Twice as many are never kept, however fast they come; what is beyond that is counted and not archived.", source: "" },
        ConfigKey { name: "archive_mib", default: Written("1024"), says: "All files of the archive together; the oldest are deleted beyond it, those of messages first, then of the audit log, then of incidents. 0: there is no archive.", source: "" },
        ConfigKey { name: "log_mib", default: Absent, says: "MiB of readings that wait in the store for history, at least 16; without it a third of what is free on the disk at the start, the store itself counted as free. Beyond it the oldest are given up, so that fires can be stored: counted as `given_up` in the ledger, and told.", source: "" },
    ]},
    KeySection { name: "registry", says: "Files that fill an empty registry: all of both, or nothing of either. Later the registry in the store counts: how the files differ from it is said in the log, in `/readyz` and on the page of devices, and a person takes them in (`standpipe import`). When one cannot be read or has a fault, a gateway that has stations or devices stored starts with these and says so on every page; `check` and a first start refuse.", keys: &[
        ConfigKey { name: "stations", default: Absent, says: "Stations, CSV, at most 32 MiB.", source: "" },
        ConfigKey { name: "devices", default: Absent, says: "Devices, CSV, at most 32 MiB.", source: "" },
    ]},
    KeySection { name: "profile", says: "Numbers that judge devices; one section a profile, which changes what it names. The defaults are those of `municipal`.", keys: &[
        ConfigKey { name: "base", default: Written("\"municipal\""), says: "The built-in profile it starts from: `municipal`, `indoor` (`min_kpa` 70), `indoor_highrise` (100), `indoor_supertall` (150), `smoke_home`, `smoke_site` (`battery_mv` 2700). A profile that has the name of one of these starts from that one.", source: "indoor: GB 50974-2014 §5.2.2" },
        ConfigKey { name: "outdoor", default: Ruled, says: "Whether its hydrants can feed a fire engine.", source: "" },
        ConfigKey { name: "interval_s", default: Ruled, says: "Between readings, where neither the registry nor the device says.", source: "" },
        ConfigKey { name: "min_kpa", default: Ruled, says: "`low_pressure` under this.", source: "GB 50974-2014 §7.2.8, at rest" },
        ConfigKey { name: "max_kpa", default: Ruled, says: "`high_pressure` over this.", source: "" },
        ConfigKey { name: "low_for_s", default: Ruled, says: "`low_pressure` and `no_water`: for so long, and two readings.", source: "" },
        ConfigKey { name: "low_clear_margin_kpa", default: Ruled, says: "`low_pressure` ends this far above `min_kpa` …", source: "" },
        ConfigKey { name: "low_clear_for_s", default: Ruled, says: "… held for so long; also `no_water`'s.", source: "" },
        ConfigKey { name: "no_water_kpa", default: Ruled, says: "`no_water` under this.", source: "" },
        ConfigKey { name: "no_water_clear_kpa", default: Ruled, says: "`no_water` ends at this.", source: "" },
        ConfigKey { name: "high_for_s", default: Ruled, says: "`high_pressure` for so long.", source: "longer than a water hammer, which lasts seconds" },
        ConfigKey { name: "high_clear_margin_kpa", default: Ruled, says: "`high_pressure` ends this far below `max_kpa`.", source: "" },
        ConfigKey { name: "open_for_s", default: Ruled, says: "`hydrant_open` for so long.", source: "published designs: debounced for 10 s" },
        ConfigKey { name: "open_clear_for_s", default: Ruled, says: "`hydrant_open` ends when shut for so long.", source: "" },
        ConfigKey { name: "tilt_deg", default: Ruled, says: "`knocked` at this angle.", source: "published designs: 30° and 45°" },
        ConfigKey { name: "tilt_clear_deg", default: Ruled, says: "`knocked` ends under this angle.", source: "" },
        ConfigKey { name: "tilt_for_s", default: Ruled, says: "`knocked` for so long.", source: "published designs: debounced for 10 s" },
        ConfigKey { name: "freezing_c", default: Ruled, says: "`freezing` at or under this.", source: "published designs: 2 °C" },
        ConfigKey { name: "freezing_clear_c", default: Ruled, says: "`freezing` ends at this.", source: "" },
        ConfigKey { name: "freezing_for_s", default: Ruled, says: "`freezing` for so long.", source: "" },
        ConfigKey { name: "loop_min_ma", default: Ruled, says: "`sensor_fault` under this current of the loop.", source: "NAMUR NE 43" },
        ConfigKey { name: "loop_max_ma", default: Ruled, says: "`sensor_fault` over this current of the loop.", source: "NAMUR NE 43" },
        ConfigKey { name: "stuck_readings", default: Ruled, says: "`sensor_fault` when pressure is the same in so many …", source: "" },
        ConfigKey { name: "stuck_for_s", default: Ruled, says: "… for so long …", source: "" },
        ConfigKey { name: "stuck_above_kpa", default: Ruled, says: "… but never below this.", source: "an empty pipe reads a constant 0" },
        ConfigKey { name: "fault_clear_for_s", default: Ruled, says: "`sensor_fault` ends when good for so long.", source: "" },
        ConfigKey { name: "battery_mv", default: Ruled, says: "`battery_low` under this …", source: "" },
        ConfigKey { name: "battery_readings", default: Ruled, says: "… in so many.", source: "" },
        ConfigKey { name: "battery_clear_margin_mv", default: Ruled, says: "`battery_low` ends this far above.", source: "" },
        ConfigKey { name: "smoke_db_m", default: Ruled, says: "`smoke` at this obscuration …", source: "" },
        ConfigKey { name: "smoke_readings", default: Ruled, says: "… in so many. An alarm of the detector needs none.", source: "" },
        ConfigKey { name: "heat_c", default: Ruled, says: "`heat` at this temperature.", source: "" },
        ConfigKey { name: "heat_rise_c_per_min", default: Ruled, says: "`heat` at this rate of rise between readings at most 60 s apart.", source: "" },
        ConfigKey { name: "dirt_pct", default: Ruled, says: "`contamination` at this.", source: "" },
        ConfigKey { name: "dirt_clear_pct", default: Ruled, says: "`contamination` ends under this.", source: "" },
        ConfigKey { name: "offline_intervals", default: Ruled, says: "`offline` after so many without a message …", source: "" },
        ConfigKey { name: "offline_min_s", default: Ruled, says: "… and at least so long.", source: "" },
    ]},
];

/// The keys of a group, those of formats among them.
pub(super) fn keys(group: &KeySection) -> Vec<ConfigKey> {
    let mut keys = group.keys.to_vec();
    if group.name == WEBHOOK {
        keys.extend(formats::own_keys().into_iter().map(|own| {
            let default = own.default.map_or(Absent, Written);
            ConfigKey { name: own.name, default, says: "", source: "" }
        }));
    }
    keys
}

/// The group whose keys formats define.
const WEBHOOK: &str = "webhook";

/// What a key is for.
fn says(group: &KeySection, key: &ConfigKey) -> Cow<'static, str> {
    if group.name != WEBHOOK || !key.says.is_empty() {
        return Cow::Borrowed(key.says);
    }
    let text = match key.name {
        "secret_file" => of_formats(|format| format.secret_says),
        "format" => format!("What is sent. {}", of_formats(|format| format.says)),
        name => of_formats(|format| {
            format.keys.iter().find(|own| own.name == name).map_or("", |own| own.says)
        }),
    };
    Cow::Owned(text)
}

/// What is said of each format; those of which the same is said, together: `` `json`, `cap`: signed. ``
fn of_formats(said: impl Fn(&FormatFacts) -> &'static str) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for format in formats::all() {
        let (text, name) = (said(format), format!("`{}`", format.name));
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, names)) => names.push(name),
            None => groups.push((text, vec![name])),
        }
    }
    let sentences = groups.iter().filter(|(text, _)| !text.is_empty());
    let sentences: Vec<String> =
        sentences.map(|(text, names)| format!("{}: {text}", names.join(", "))).collect();
    sentences.join(" ")
}

/// A key's default as it would be written in the file; `None` where there is none.
pub(super) fn default(group: &KeySection, key: &ConfigKey) -> Option<String> {
    match key.default {
        Needed | Absent => None,
        Written(text) => Some(text.to_owned()),
        Ruled => ruled(group.name, key.name),
    }
}

/// The number that the rules go by.
fn ruled(group: &str, key: &str) -> Option<String> {
    let Plan { fire, critical, warning, .. } = Plan::default();
    let text = match group {
        "escalation.fire" => toml::to_string(&fire),
        "escalation.critical" => toml::to_string(&critical),
        "escalation.warning" => toml::to_string(&warning),
        _ => toml::to_string(Profile::default_of(Kind::Hydrant)),
    };
    let lines = text.ok()?;
    let mut pairs = lines.lines().filter_map(|line| line.split_once(" = "));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
}

/// What stands behind the number; the unit is in the key's name.
fn unit(key: &str) -> &'static str {
    const ENDS: &[(&str, &str)] = &[
        ("_c_per_min", "°C/min"),
        ("_db_m", "dB/m"),
        ("_kpa", "kPa"),
        ("_deg", "°"),
        ("_pct", "%"),
        ("_ma", "mA"),
        ("_mv", "mV"),
        ("_c", "°C"),
        ("_s", "s"),
        ("hours", "h"),
        ("_readings", "readings"),
        ("_days", "d"),
        ("_mib", "MiB"),
        ("_messages", "messages"),
        ("_intervals", "intervals"),
        ("_file", "file"),
        ("path", "file"),
        ("stations", "file"),
        ("devices", "file"),
        ("url", "address"),
        ("listen", "address"),
        ("outdoor", "yes or no"),
        ("severities", "list"),
        ("steps", "list"),
    ];
    ENDS.iter().find(|(end, _)| key.ends_with(end)).map_or("text", |(_, unit)| unit)
}

/// All keys as a page of Markdown, which is `deploy/SETTINGS.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Every setting of `standpipe.toml`\n\n\
         Printed by `standpipe check --settings`; a test fails when this page differs. Files are\n\
         found from the folder of `standpipe.toml`. A key that is not here, or a value that can't\n\
         be, is a fault: `standpipe check` refuses it, a gateway starts with the default and tells. *Source*\n\
         says where a default comes from; `—`: we chose it. None of this certifies anything.\n\n\
         Outside the file there is one variable: `STANDPIPE_ADMIN_TOKEN`, an administrator's token;\n\
         or `STANDPIPE_ADMIN_TOKEN_FILE`, a file that holds it. Beside it the gateway makes `ids.secret` at its\n\
         first start: the ids of incidents and pages come from it. Keep it; two gateways of one town share it.\n",
    );
    for group in ALL {
        let title = match group.name {
            "webhook" => "[[webhook]]".to_owned(),
            "profile" => "[profile.NAME]".to_owned(),
            name => format!("[{name}]"),
        };
        // Writing to a String does not fail.
        let _ = write!(page, "\n## `{title}`\n\n{}\n\n", group.says);
        page.push_str("| key | default | unit | what | source |\n|---|---|---|---|---|\n");
        for key in keys(group) {
            page.push_str(&row(group, &key));
        }
    }
    page
}

fn row(group: &KeySection, key: &ConfigKey) -> String {
    let default = match (&key.default, default(group, key)) {
        (_, Some(text)) => format!("`{text}`"),
        (Needed, None) => "required".to_owned(),
        (Absent | Written(_) | Ruled, None) => "—".to_owned(),
    };
    let (says, ConfigKey { name, source, .. }) = (says(group, key), key);
    let source = if source.is_empty() { "—" } else { source };
    format!("| `{name}` | {default} | {} | {says} | {source} |\n", unit(name))
}
