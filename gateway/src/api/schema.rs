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
    /// Seconds between measuring and arriving, where that was late.
    pub late_s: u32,
    /// Whether it belongs to an exercise.
    pub exercise: bool,
    /// The newest values.
    #[schema(value_type = Object)]
    pub value: serde_json::Value,
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
    /// `unverified`: opened again because silence or fault broke the evidence.
    pub reason: Option<String>,
    /// When it ended.
    pub closed_at: Option<Ms>,
    /// `fire`, `repaired`, `recovered`, `false_alarm`, `test`, `exercise` or `maintenance`.
    pub outcome: Option<String>,
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
    /// Event time of it.
    pub measured_at: Option<Ms>,
    /// `ok`, `low`, `no_water`, `in_use`, `stale` or `out_of_service`.
    pub trust: String,
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
