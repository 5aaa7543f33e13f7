//! What answers look like that come from the store as they lie there: for the OpenAPI document.
//! A test holds them against what the gateway really writes.

use serde::Serialize;
use standpipe_rules::Ms;
use utoipa::ToSchema;

use super::incidents::Hop;

/// What people handle. The same object goes to stations over MQTT.
#[derive(Serialize, ToSchema)]
pub struct Incident {
    /// Its ULID.
    pub id: String,
    /// Grows with every change.
    pub rev: u32,
    /// The station responsible; empty: every district station.
    pub station: String,
    /// `fire`, `water`, `upkeep` or `blind`.
    pub class: String,
    /// `notice`, `warning`, `critical` or `fire`.
    pub severity: String,
    /// `open`, `acknowledged`, `resolved`, `verifying` or `closed`.
    pub state: String,
    /// Which time it was opened, from 1.
    pub episode: u32,
    /// What is true, or was.
    pub conditions: Vec<String>,
    /// The device it is about; null for a zone, an area or the gateway.
    pub device: Option<IncidentDevice>,
    /// The pressure zone.
    pub zone: Option<String>,
    /// In both languages.
    pub title: Title,
    /// When it was opened.
    pub opened_at: Ms,
    /// Event time of the first offending reading.
    pub since: Ms,
    /// When it last changed.
    pub updated_at: Ms,
    /// Seconds between measuring and arriving, where that was late; of a fire, by its device's own time.
    pub late_s: u32,
    /// Whether it belongs to an exercise.
    pub exercise: bool,
    /// The newest values.
    pub value: Latest,
    /// Fire only: the nearest hydrants that can be trusted, then nearer ones that can't.
    pub hydrants: Vec<Hydrant>,
    /// Said when fewer than three of them can be trusted.
    pub hydrants_note: Option<Title>,
    /// How far it was escalated.
    pub step: u8,
    /// When it goes on to the next step.
    pub next_step_at: Option<Ms>,
    /// The newest page about it; null here.
    pub page_id: Option<String>,
    /// The zone's or area's incident that stands for it.
    pub parent: Option<String>,
    /// `unverified`: opened again because silence or fault broke the evidence; else why its
    /// condition is true: `never` or `since_unknown` (`offline`, a fire), `no_measurement`
    /// (`sensor_fault`).
    pub reason: Option<String>,
    /// What is wrong with the gateway itself, in words.
    pub detail: Option<String>,
    /// `unreadable_alarm`: where it was said, escaped.
    pub topic: Option<String>,
    /// `unreadable_alarm`: the beginning of what was said last, escaped.
    pub payload: Option<String>,
    /// A condition of it comes and goes: how often of late.
    pub flapping: Option<Flapping>,
    /// When it ended.
    pub closed_at: Option<Ms>,
    /// `fire`, `repaired`, `recovered`, `false_alarm`, `test`, `exercise` or `maintenance`.
    pub outcome: Option<String>,
}

/// How often a condition was raised of late.
#[derive(Serialize, ToSchema)]
pub struct Flapping {
    /// Which.
    pub condition: String,
    /// How often.
    pub times: u32,
    /// Within how long, s.
    pub within_s: u32,
}

/// The device of an incident.
#[derive(Serialize, ToSchema)]
pub struct IncidentDevice {
    /// Its id.
    pub id: String,
    /// `hydrant` or `smoke`.
    pub kind: String,
    /// What people call it.
    pub name: String,
    /// Where it is, in words.
    pub address: String,
    /// Degrees north.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
}

/// The newest value of each measurement; what was never measured is left out.
#[derive(Serialize, ToSchema)]
pub struct Latest {
    /// Gauge pressure, kPa.
    pub pressure_kpa: Option<f32>,
    /// Lowest since the reading before.
    pub pressure_min_kpa: Option<f32>,
    /// Highest since the reading before.
    pub pressure_max_kpa: Option<f32>,
    /// The 4–20 mA signal.
    pub loop_ma: Option<f32>,
    /// Water in the barrel.
    pub flowing: Option<bool>,
    /// A cap is off.
    pub cap_open: Option<bool>,
    /// From vertical, degrees.
    pub tilt_deg: Option<f32>,
    /// Obscuration, dB/m.
    pub smoke_db_m: Option<f32>,
    /// Contamination of the chamber, %.
    pub dirt_pct: Option<f32>,
    /// °C.
    pub temp_c: Option<f32>,
    /// mV.
    pub battery_mv: Option<i32>,
    /// dBm.
    pub rssi_dbm: Option<i32>,
}

/// The columns of `devices.csv`, and what became of the device.
#[derive(Serialize, ToSchema)]
pub struct DeviceRow {
    /// Its id.
    pub id: String,
    /// `hydrant` or `smoke`.
    pub kind: String,
    /// What people call it.
    pub name: String,
    /// The station responsible; empty: unclaimed, and every district station's.
    pub station: String,
    /// The pressure zone; empty: none.
    pub zone: String,
    /// The profile that judges it.
    pub profile: String,
    /// Degrees north; null while unclaimed.
    pub lat: Option<f64>,
    /// Degrees east; null while unclaimed.
    pub lon: Option<f64>,
    /// Where it is, in words.
    pub address: String,
    /// Groups detectors of one building.
    pub building: String,
    /// The floor, as people write it.
    pub floor: String,
    /// Seconds between readings; null: the profile's.
    pub interval_s: Option<u32>,
    /// Date of installation, as given.
    pub installed_on: String,
    /// The area it last spoke from.
    pub area: String,
    /// False: heard before it was registered.
    pub claimed: bool,
}

/// The columns of `stations.csv`.
#[derive(Serialize, ToSchema)]
pub struct StationRow {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `district`, `township`, `community` or `village`.
    pub level: String,
    /// The station above it.
    pub parent: Option<String>,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// Its telephone.
    pub phone: Option<String>,
}

/// What was asked of a device, and what came of it.
#[derive(Serialize, ToSchema)]
pub struct CommandRow {
    /// Its ULID.
    pub id: String,
    /// `report_now`, `self_test`, `silence` or `restart`.
    pub command: String,
    /// For how long.
    pub seconds: Option<u32>,
    /// Who asked.
    pub by: String,
    /// `queued`, `sent`, `answered`, `refused` or `expired`.
    pub state: String,
    /// What the device answered.
    pub detail: String,
    /// When it was asked for.
    pub created_at: Ms,
    /// When it is waited for no more.
    pub expires_at: Ms,
    /// When the broker had it.
    pub sent_at: Option<Ms>,
    /// When the device answered.
    pub answered_at: Option<Ms>,
    /// How often it was sent again, because the device was heard and did not answer.
    #[serde(default)]
    pub resends: u32,
}

/// Whose devices were meant: one of these.
#[derive(Serialize, ToSchema)]
pub struct ScopeOf {
    /// One device.
    pub device: Option<String>,
    /// The hydrants of a pressure zone.
    pub zone: Option<String>,
    /// The devices of a station.
    pub station: Option<String>,
}

/// A title in both languages.
#[derive(Serialize, ToSchema)]
pub struct Title {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

/// A hydrant near a fire.
#[derive(Serialize, ToSchema)]
pub struct Hydrant {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Metres from the fire.
    pub distance_m: u32,
    /// From the fire, degrees from north.
    pub bearing_deg: u32,
    /// Its newest pressure, kPa.
    pub pressure_kpa: Option<f32>,
    /// Event time of that pressure.
    pub measured_at: Option<Ms>,
    /// `out_of_service`, `no_water`, `stale`, `low`, `unconfirmed`, `suspect`, `in_use` or `ok`.
    pub trust: String,
    /// Why it is not `ok`: a code, those of a device's `trust_reason`.
    pub trust_reason: Option<String>,
}

/// One incident, with all that happened to it.
#[derive(Serialize, ToSchema)]
pub struct WholeIncident {
    /// The incident.
    #[serde(flatten)]
    pub incident: Incident,
    /// What happened to it, in order.
    pub trail: Vec<Hop>,
    /// The incidents it stands for.
    pub children: Vec<String>,
}

/// The notices of a day.
#[derive(Serialize, ToSchema)]
pub struct Digest {
    /// Its day in the town, such as 2026-11-28.
    pub day: String,
    /// The station it is of, with all below it; null: all stations.
    pub station: Option<String>,
    /// From when.
    pub from: Ms,
    /// Until before when.
    pub to: Ms,
    /// How many were open at the end.
    pub open: u32,
    /// How many were opened within that time.
    pub new: u32,
    /// How many ended within that time.
    pub closed: u32,
    /// The same by what is worst of each, most first.
    pub counts: Vec<DigestCount>,
    /// At most 50 of them: what is open, and of that what is new, first.
    pub items: Vec<DigestLine>,
    /// How many are not among these.
    pub more: u32,
    /// Messages that could not be read; null: none, or it is not the business of these stations.
    pub unread: Option<DigestUnread>,
}

/// Messages of which something was not understood, within the time of a digest.
#[derive(Serialize, ToSchema)]
pub struct DigestUnread {
    /// How many.
    pub messages: u64,
    /// Of how many registered devices, among those that the quarantine still keeps.
    pub devices: u32,
    /// The same by the first reason of each, most first.
    pub reasons: Vec<DigestReason>,
}

/// Messages that were not understood for one reason.
#[derive(Serialize, ToSchema)]
pub struct DigestReason {
    /// Its code, as in the quarantine.
    pub reason: String,
    /// How many.
    pub messages: u64,
}

/// Notices of one condition.
#[derive(Serialize, ToSchema)]
pub struct DigestCount {
    /// Which.
    pub condition: String,
    /// How many were open at the end.
    pub open: u32,
    /// How many were opened within the time.
    pub new: u32,
    /// How many ended within the time.
    pub closed: u32,
}

/// One notice.
#[derive(Serialize, ToSchema)]
pub struct DigestLine {
    /// The incident.
    pub id: String,
    /// What is worst of it.
    pub condition: Option<String>,
    /// In both languages.
    pub title: Title,
    /// The station responsible; empty: every district station.
    pub station: String,
    /// The device's id; empty of a zone, an area or the gateway.
    pub device: String,
    /// Where that is, in words.
    pub address: String,
    /// Event time of the first offending reading.
    pub since: Ms,
    /// When it was opened.
    pub opened_at: Ms,
    /// When it ended; null: it was open at the end.
    pub closed_at: Option<Ms>,
}
