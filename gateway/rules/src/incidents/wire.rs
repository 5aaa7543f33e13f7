//! An incident as stations, webhooks and the API see it: `shared/schemas/incident.json`.
//!
//! `trail` and `children` of one incident fetched alone are added by the API.

use serde::{Deserialize, Serialize};
use standpipe_shared::{Class, Condition, Kind, Measurements, Severity};

use super::{Incident, IncidentId, Outcome, Quiet, State};
use crate::Ms;
use crate::detect::{Trust, TrustReason};
use crate::fact::Subject;
use crate::registry::Registry;

/// A text in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

/// The device an incident is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WireDevice {
    /// Its id.
    pub id: Box<str>,
    /// What it is.
    pub kind: Kind,
    /// What people call it.
    pub name: Box<str>,
    /// Where it is, in words.
    pub address: Box<str>,
    /// Degrees north.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
}

/// A hydrant near a fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearHydrant {
    /// Its id.
    pub id: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    /// How far, m.
    pub distance_m: u32,
    /// In which direction from the fire, degrees from north, clockwise.
    pub bearing_deg: u16,
    /// The newest pressure, kPa.
    pub pressure_kpa: Option<f32>,
    /// When that was measured.
    pub measured_at: Option<Ms>,
    /// Whether it can be counted on.
    pub trust: Trust,
    /// Why not, if not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_reason: Option<TrustReason>,
}

/// An incident as `shared/schemas/incident.json` describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WireIncident {
    /// Its id.
    pub id: IncidentId,
    /// Counts what can be seen of it.
    pub rev: u32,
    /// The station responsible; empty: every district station is.
    pub station: Box<str>,
    /// What kind of work it is.
    pub class: Class,
    /// The worst that is true of it.
    pub severity: Severity,
    /// Where it stands.
    pub state: State,
    /// Counts how often it had to be looked at anew.
    pub episode: u32,
    /// What is true of it, or was last.
    pub conditions: Vec<Condition>,
    /// The device; `null` of a zone, an area or the gateway.
    pub device: Option<WireDevice>,
    /// The zone it is in, or is about.
    pub zone: Option<Box<str>>,
    /// What and where, in a line.
    pub title: Text,
    /// When it was raised.
    pub opened_at: Ms,
    /// Event time since when it is true.
    pub since: Ms,
    /// When `rev` last grew.
    pub updated_at: Ms,
    /// How late the news came, s.
    pub late_s: u32,
    /// Somebody tests or exercises: nothing to run for.
    pub exercise: bool,
    /// What was measured last, as far as it matters.
    #[serde(deserialize_with = "super::incident::measurements")]
    pub value: Measurements,
    /// A fire's hydrants: those to drive to, then nearer ones that can't be trusted.
    pub hydrants: Vec<NearHydrant>,
    /// Said when fewer than three of them can be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hydrants_note: Option<Text>,
    /// How far it was escalated.
    pub step: u8,
    /// When the next page is due if nobody does anything.
    pub next_step_at: Option<Ms>,
    /// The page this message is; `null` here, filled in by whoever sends it.
    pub page_id: Option<ulid::Ulid>,
    /// The zone's or area's incident that stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<IncidentId>,
    /// `unverified`: it was opened again because silence or fault broke the evidence. Else why its
    /// condition is true, where there is more than one way: a code of [`crate::fact::Reason`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// What is wrong with the gateway itself, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
    /// `unreadable_alarm`: where it was said, escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Box<str>>,
    /// `unreadable_alarm`: the beginning of what was said last, escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<str>>,
    /// A condition of it comes and goes: how often of late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flapping: Option<Flapping>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Ms>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// How often something was raised of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flapping {
    /// Which condition.
    pub condition: Condition,
    /// How often.
    pub times: u32,
    /// Within how long, s.
    pub within_s: u32,
}

/// Trusted hydrants a fire should have.
pub(crate) const HYDRANTS_WANTED: usize = 3;

impl Incident {
    /// As stations see it.
    #[must_use]
    pub fn wire(&self, registry: &Registry) -> WireIncident {
        let device = self.device().and_then(|ix| registry.device(ix));
        let zone = match &self.subject {
            Subject::Zone(zone) => Some(&**zone),
            Subject::Device(_)
            | Subject::Area(_)
            | Subject::Gateway
            | Subject::Topic(_)
            | Subject::Receiver(_) => device.map(|it| &*it.zone),
        };
        WireIncident {
            id: self.id,
            rev: self.rev,
            station: self.station.clone(),
            class: self.class,
            severity: self.severity,
            state: self.state,
            episode: self.episode,
            conditions: self.conditions(),
            device: device.map(|it| WireDevice {
                id: it.id.clone(),
                kind: it.kind,
                name: it.name.clone(),
                address: it.address.clone(),
                lat: it.lat,
                lon: it.lon,
            }),
            zone: zone.filter(|it| !it.is_empty()).map(Into::into),
            title: super::title::of(self, registry),
            opened_at: self.opened_at,
            since: self.since,
            updated_at: self.updated_at,
            late_s: self.late_s,
            exercise: matches!(self.quiet(), Some(Quiet::Test | Quiet::Exercise)),
            value: self.value,
            hydrants: self.hydrants.clone(),
            hydrants_note: self.hydrants_note(),
            step: self.step,
            next_step_at: self.next_step_at,
            page_id: None,
            parent: self.parent,
            reason: self.reason(),
            detail: Some(self.detail.clone())
                .filter(|detail| self.is_of_gateway() && !detail.is_empty()),
            topic: self.said.as_ref().map(|said| said.topic.clone()),
            payload: self.said.as_ref().map(|said| said.payload.clone()),
            flapping: self.most_flaps().map(|flaps| Flapping {
                condition: flaps.condition,
                times: flaps.times,
                within_s: u32::try_from((flaps.last - flaps.first) / 1_000).unwrap_or(u32::MAX),
            }),
            closed_at: self.closed_at,
            outcome: self.outcome,
        }
    }

    fn reason(&self) -> Option<Box<str>> {
        if self.unverified {
            return Some("unverified".into());
        }
        self.active().find_map(|member| member.reason).map(|reason| reason.as_str().into())
    }

    /// Fewer than three hydrants can be trusted: said, not left to be counted.
    fn hydrants_note(&self) -> Option<Text> {
        let trusted = self.hydrants.iter().filter(|it| it.trust == Trust::Ok).count();
        let few = self.class == Class::Fire && trusted < HYDRANTS_WANTED;
        few.then(|| match trusted {
            0 => Text {
                en: "No hydrant nearby can be trusted".into(),
                zh: "附近没有可信赖的消火栓".into(),
            },
            1 => Text {
                en: "Only 1 hydrant can be trusted".into(),
                zh: "只有1个消火栓可信赖".into(),
            },
            n => Text {
                en: format!("Only {n} hydrants can be trusted"),
                zh: format!("只有{n}个消火栓可信赖"),
            },
        })
    }
}
