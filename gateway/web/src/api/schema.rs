//! What answers look like that come from the store as they lie there: for the OpenAPI document.
//! A test holds them against what the gateway really writes.

use std::collections::BTreeMap;

use serde::Serialize;
use standpipe_rules::Ms;
use utoipa::ToSchema;

use super::incidents::HopJson;

/// What people handle. The same object goes to stations over MQTT.
#[derive(Serialize, ToSchema)]
#[schema(as = Incident)]
pub struct IncidentJson {
    /// The incident's id, a ULID: the same whenever the same thing is decided again; ids do not
    /// sort by time.
    pub id: String,
    /// The number of its revision, from 1: it grows with every change, so that the higher one is
    /// newer.
    pub rev: u32,
    /// The id of the station responsible; empty: every district station is.
    pub station: String,
    /// What kind of trouble it is: `fire`, `water`, `upkeep` or `blind`.
    pub class: String,
    /// How urgent it is: `notice`, `warning`, `critical` or `fire`.
    pub severity: String,
    /// How far people are with it: `open`, `acknowledged`, `resolved`, `verifying` or `closed`.
    pub state: String,
    /// How many times it was opened so far, from 1: it was opened again when this is more.
    pub episode: u32,
    /// The names of the conditions that are true; of a closed one, those that were last.
    pub conditions: Vec<String>,
    /// The device it is about; null for a zone, an area or the gateway.
    pub device: Option<IncidentDevice>,
    /// The name of the pressure zone it is about, or that its device is in; null: there is none.
    pub zone: Option<String>,
    /// What happened and where, in one line, in both languages.
    pub title: Title,
    /// When it was opened, by the gateway's clock: Unix milliseconds, UTC.
    pub opened_at: Ms,
    /// When it began, by the first offending reading's own time: Unix milliseconds, UTC.
    pub since: Ms,
    /// When it last changed: Unix milliseconds, UTC.
    pub updated_at: Ms,
    /// Seconds between measuring and arriving, where that was late, else 0; of a fire, by its
    /// device's own time.
    pub late_s: u32,
    /// Whether it is a test or belongs to an exercise: then nobody has to run for it.
    pub exercise: bool,
    /// The newest values of its device, as far as they matter; empty without a device.
    pub value: Latest,
    /// Fire only, else empty: the nearest hydrants that can be trusted, then nearer ones that
    /// can't.
    pub hydrants: Vec<Hydrant>,
    /// What to know about `hydrants`; only there when fewer than three of them can be trusted.
    pub hydrants_note: Option<Title>,
    /// The step of escalation that was reached, 1 to 3; 0: nobody was paged.
    pub step: u8,
    /// When it goes on to the next step: Unix milliseconds, UTC; null: it does not.
    pub next_step_at: Option<Ms>,
    /// The id of the page that carries this object to a receiver; null here.
    pub page_id: Option<String>,
    /// The id of the incident of the zone or area that stands for it; left out: none does.
    pub parent: Option<String>,
    /// `unverified`: opened again because silence or fault broke the evidence; else why its
    /// condition is true: `never` or `since_unknown` (`offline`, a fire), `no_measurement`
    /// (`sensor_fault`).
    pub reason: Option<String>,
    /// What is wrong with the gateway itself, in words; left out of all other incidents.
    pub detail: Option<String>,
    /// Of an `unreadable_alarm`: the topic it came on, with hidden characters written out; else
    /// left out.
    pub topic: Option<String>,
    /// Of an `unreadable_alarm`: the beginning of what was said last, with hidden characters
    /// written out; else left out.
    pub payload: Option<String>,
    /// How often a condition of it comes and goes; left out while none does.
    pub flapping: Option<FlappingJson>,
    /// When it was closed: Unix milliseconds, UTC; left out until then.
    pub closed_at: Option<Ms>,
    /// How it ended: `fire`, `repaired`, `recovered`, `false_alarm`, `test`, `exercise` or
    /// `maintenance`; left out until then.
    pub outcome: Option<String>,
    /// Where it is, as the title says in words; left out where it was written by 0.1.0, or nobody
    /// knows its device any more.
    pub place: Option<IncidentPlace>,
    /// Why nothing of it is acted on: `test`, `exercise`, `maintenance`, or `dispatch` for water
    /// that a fire nearby wants; left out: it is in earnest.
    pub quiet: Option<String>,
    /// Why each of its conditions is true that can be so in more than one way, by its name; left
    /// out where none is.
    pub reasons: Option<BTreeMap<String, String>>,
    /// How many detectors say so; left out of anything but a fire.
    pub detectors: Option<u32>,
    /// The floors on which they are, as people write them; left out where none is known.
    pub floors: Option<Vec<String>>,
    /// Until when `undo` takes back that it is over; left out: there is nothing to take back.
    pub undo_until: Option<Ms>,
    /// Changes with state, severity, episode, conditions, detectors and floors; an action sends it back
    /// as `seen`. Left out: it was written before there were versions.
    pub version: Option<String>,
    /// False: the gateway's disk takes nothing, and this is in its memory alone. Left out: it is stored.
    pub stored: Option<bool>,
}

/// Where an incident is.
#[derive(Serialize, ToSchema)]
pub struct IncidentPlace {
    /// What the place is: `building`, `device`, `zone`, `area`, `gateway`, `topic` or
    /// `receiver`.
    pub kind: String,
    /// Its name: of the building, the device (else its address, else its id), the zone, the
    /// station, the topic, the receiver; left out of the gateway.
    pub name: Option<String>,
    /// The floor of the building, as people write it; left out of anything else.
    pub floor: Option<String>,
}

/// How often a condition was raised of late.
#[derive(Serialize, ToSchema)]
#[schema(as = Flapping)]
pub struct FlappingJson {
    /// The name of the condition that comes and goes most.
    pub condition: String,
    /// How many times it was raised within `within_s`.
    pub times: u32,
    /// Seconds from the first to the last of these times.
    pub within_s: u32,
}

/// The device that an incident is about.
#[derive(Serialize, ToSchema)]
pub struct IncidentDevice {
    /// The device's id, a level of its topics.
    pub id: String,
    /// What the device is: `hydrant` or `smoke`.
    pub kind: String,
    /// What people call the device; its id until somebody registers it.
    pub name: String,
    /// Where the device is, in words; empty: nobody wrote it down.
    pub address: String,
    /// Degrees north, WGS-84; null while nobody registered the device.
    pub lat: Option<f64>,
    /// Degrees east, WGS-84; null while nobody registered the device.
    pub lon: Option<f64>,
}

/// The newest value of each measurement; what was never measured is left out.
#[derive(Serialize, ToSchema)]
pub struct Latest {
    /// Gauge pressure at the hydrant, in kPa.
    pub pressure_kpa: Option<f32>,
    /// Lowest gauge pressure since the reading before, in kPa.
    pub pressure_min_kpa: Option<f32>,
    /// Highest gauge pressure since the reading before, in kPa.
    pub pressure_max_kpa: Option<f32>,
    /// The raw 4–20 mA signal of the pressure sensor, in mA.
    pub loop_ma: Option<f32>,
    /// Whether water is in the hydrant's barrel.
    pub flowing: Option<bool>,
    /// Whether a cap of the hydrant is off.
    pub cap_open: Option<bool>,
    /// How far the hydrant leans from vertical, in degrees.
    pub tilt_deg: Option<f32>,
    /// Obscuration of the air in the detector's chamber, in dB/m.
    pub smoke_db_m: Option<f32>,
    /// How far dirt has used up the chamber's reserve, in percent.
    pub dirt_pct: Option<f32>,
    /// Temperature at the device, in °C.
    pub temp_c: Option<f32>,
    /// Voltage of the battery, in mV.
    pub battery_mv: Option<i32>,
    /// Strength of the radio signal that the device receives, in dBm.
    pub rssi_dbm: Option<i32>,
}

/// The columns of `devices.csv`, and what became of the device.
#[derive(Serialize, ToSchema)]
pub struct DeviceRow {
    /// The device's id, a level of its topics.
    pub id: String,
    /// What the device is: `hydrant` or `smoke`.
    pub kind: String,
    /// What people call the device; its id until somebody registers it.
    pub name: String,
    /// The id of the station responsible; empty: unclaimed, and every district station's.
    pub station: String,
    /// The name of its pressure zone; empty: it is in none.
    pub zone: String,
    /// The name of the profile whose limits judge it.
    pub profile: String,
    /// Degrees north, WGS-84; null while unclaimed.
    pub lat: Option<f64>,
    /// Degrees east, WGS-84; null while unclaimed.
    pub lon: Option<f64>,
    /// Where the device is, in words; empty: nobody wrote it down.
    pub address: String,
    /// The building it is in, which groups its detectors; empty: it is grouped with none.
    pub building: String,
    /// The floor, as people write it; empty: nobody wrote it down.
    pub floor: String,
    /// Seconds between its readings; null: what its profile says.
    pub interval_s: Option<u32>,
    /// The date of installation, as it was written; empty: nobody wrote it down.
    pub installed_on: String,
    /// By which decoder what it sends is read; absent: by ours.
    pub decoder: Option<String>,
    /// The area it last spoke from, a level of its topics; empty: it never spoke.
    pub area: String,
    /// Whether somebody registered it; false: it was only heard, or is retired.
    pub claimed: bool,
    /// When it was retired, Unix ms; absent: it was not.
    pub retired_at: Option<i64>,
    /// The device whose place it took; absent: none.
    pub replaces: Option<PredecessorRow>,
}

/// A device that another one took the place of.
#[derive(Serialize, ToSchema)]
#[schema(as = Predecessor)]
pub struct PredecessorRow {
    /// The id under which older readings of this place are stored.
    pub device: String,
    /// Until when, Unix ms.
    pub until: i64,
}

/// The columns of `stations.csv`.
#[derive(Serialize, ToSchema)]
pub struct StationRow {
    /// The station's id, a level of its topics.
    pub id: String,
    /// What people call the station.
    pub name: String,
    /// Its place in the order of command: `district`, `township`, `community` or `village`.
    pub level: String,
    /// The id of the station above it; null: it is at the top.
    pub parent: Option<String>,
    /// Degrees north, WGS-84.
    pub lat: f64,
    /// Degrees east, WGS-84.
    pub lon: f64,
    /// Its telephone number, as it was written; null: nobody wrote it down.
    pub phone: Option<String>,
}

/// What was asked of a device, and what came of it.
#[derive(Serialize, ToSchema)]
pub struct CommandRow {
    /// The command's id, a ULID.
    pub id: String,
    /// What the device was asked to do: `report_now`, `self_test`, `silence` or `restart`.
    pub command: String,
    /// For how long it shall do that, in seconds; null: the command has no length.
    pub seconds: Option<u32>,
    /// Who asked, as they say themselves.
    pub by: String,
    /// How far it is: `queued`, `sent`, `answered`, `refused` or `expired`.
    pub state: String,
    /// What the device answered, in its own words; empty until then, or without a word.
    pub detail: String,
    /// When it was asked for: Unix milliseconds, UTC.
    pub created_at: Ms,
    /// When it is waited for no more: Unix milliseconds, UTC.
    pub expires_at: Ms,
    /// When the broker had it: Unix milliseconds, UTC; null until then.
    pub sent_at: Option<Ms>,
    /// When the device answered: Unix milliseconds, UTC; null until then.
    pub answered_at: Option<Ms>,
    /// How often it was sent again, because the device was heard and did not answer.
    #[serde(default)]
    pub resends: u32,
}

/// Whose devices were meant: one of these.
#[derive(Serialize, ToSchema)]
pub struct ScopeOf {
    /// The id of the one device that is meant; left out where another member is there.
    pub device: Option<String>,
    /// The name of the pressure zone whose hydrants are meant; left out where another member is
    /// there.
    pub zone: Option<String>,
    /// The id of the station whose devices are meant; left out where another member is there.
    pub station: Option<String>,
}

/// A title in both languages.
#[derive(Serialize, ToSchema)]
pub struct Title {
    /// The text in English.
    pub en: String,
    /// The same in Chinese.
    pub zh: String,
}

/// A hydrant near a fire.
#[derive(Serialize, ToSchema)]
pub struct Hydrant {
    /// The hydrant's id.
    pub id: String,
    /// What people call the hydrant.
    pub name: String,
    /// How far it is from the fire, in metres, as the crow flies.
    pub distance_m: u32,
    /// In which direction it is from the fire, in degrees clockwise from north.
    pub bearing_deg: u32,
    /// Its newest gauge pressure, in kPa; null: none was ever measured.
    pub pressure_kpa: Option<f32>,
    /// When that pressure was measured: Unix milliseconds, UTC; null: none ever was.
    pub measured_at: Option<Ms>,
    /// Whether it can be relied on: `out_of_service`, `no_water`, `stale`, `low`, `unconfirmed`,
    /// `suspect`, `in_use` or `ok`.
    pub trust: String,
    /// Why it is not `ok`: one of the codes of a device's `trust_reason`; left out when it is.
    pub trust_reason: Option<String>,
}

/// One incident, with all that happened to it.
#[derive(Serialize, ToSchema)]
pub struct WholeIncident {
    /// The incident itself.
    #[serde(flatten)]
    pub incident: IncidentJson,
    /// Everything that happened to it, oldest first.
    pub trail: Vec<HopJson>,
    /// The ids of the incidents that it stands for; empty: it stands for none.
    pub children: Vec<String>,
}

/// The notices of a day.
#[derive(Serialize, ToSchema)]
#[schema(as = Digest)]
pub struct DigestJson {
    /// The day in the town that it tells of, such as 2026-11-28.
    pub day: String,
    /// The id of the station it is of, with all below it; null: all stations.
    pub station: Option<String>,
    /// The first moment it tells of: Unix milliseconds, UTC.
    pub from: Ms,
    /// The moment before which it ends: Unix milliseconds, UTC.
    pub to: Ms,
    /// How many notices were open at the end.
    pub open: u32,
    /// How many notices were opened within that time.
    pub new: u32,
    /// How many notices were closed within that time.
    pub closed: u32,
    /// The same numbers by the worst condition of each notice, most first.
    pub counts: Vec<DigestCount>,
    /// At most 50 of the notices: what is open, and of that what is new, comes first.
    pub items: Vec<DigestLine>,
    /// How many notices are not among `items`.
    pub more: u32,
    /// Messages that could not be read; null: there were none, or they are not the business of
    /// these stations.
    pub unread: Option<DigestUnread>,
}

/// Messages of which something was not understood, within the time of a digest.
#[derive(Serialize, ToSchema)]
pub struct DigestUnread {
    /// How many messages could not be read, or not all of them.
    pub messages: u64,
    /// How many registered devices sent them, as far as the quarantine still keeps them.
    pub devices: u32,
    /// The same messages by the first reason of each, most first.
    pub reasons: Vec<DigestReason>,
}

/// Messages that were not understood for one reason.
#[derive(Serialize, ToSchema)]
pub struct DigestReason {
    /// The code of the reason, as in the quarantine: `not_json`, `wrong_type` and so on.
    pub reason: String,
    /// How many messages were not understood for this reason.
    pub messages: u64,
}

/// Notices of one condition.
#[derive(Serialize, ToSchema)]
pub struct DigestCount {
    /// The name of the condition that these notices have as their worst.
    pub condition: String,
    /// How many of these notices were open at the end.
    pub open: u32,
    /// How many of these notices were opened within the time.
    pub new: u32,
    /// How many of these notices were closed within the time.
    pub closed: u32,
}

/// One notice.
#[derive(Serialize, ToSchema)]
pub struct DigestLine {
    /// The incident's id, a ULID.
    pub id: String,
    /// The name of its worst condition; null: it has none.
    pub condition: Option<String>,
    /// What is wrong and where, in one line, in both languages.
    pub title: Title,
    /// The id of the station responsible; empty: every district station is.
    pub station: String,
    /// The device's id; empty of a zone, an area or the gateway.
    pub device: String,
    /// Where the device is, in words; empty: nobody wrote it down.
    pub address: String,
    /// When it began, by the first offending reading's own time: Unix milliseconds, UTC.
    pub since: Ms,
    /// When it was opened: Unix milliseconds, UTC.
    pub opened_at: Ms,
    /// When it was closed: Unix milliseconds, UTC; null: it was open at the end.
    pub closed_at: Option<Ms>,
    /// Where it is, as of its incident.
    pub place: Option<IncidentPlace>,
}
