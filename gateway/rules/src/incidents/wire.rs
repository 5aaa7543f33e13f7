//! An incident as stations, webhooks and the API see it: `shared/schemas/incident.json`. It is
//! written here and nowhere else; whoever must not fail over a broken member reads it by
//! [`WireIncident::read`].
//!
//! What a title says is there as codes, too: whoever decides by something decides by those.
//! `trail` and `children` of one incident fetched alone are added by the API.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use standpipe_shared::{Class, Condition, Kind, Measurements, Severity};

use super::{Incident, IncidentId, Outcome, Quiet, State};
use crate::Ms;
use crate::detect::{Trust, TrustReason};
use crate::fact::{Reason, Subject};
use crate::registry::{Device, Registry};
use crate::trail::Times;

/// The `reason` of an incident that was opened again because silence or fault broke the evidence.
pub const UNVERIFIED: &str = "unverified";

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    pub en: String,
    pub zh: String,
}

/// The device an incident is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WireDevice {
    pub id: Box<str>,
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
    pub id: Box<str>,
    /// What people call it.
    pub name: Box<str>,
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

/// Where an incident is: a code of what the place is, and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// A detector's building.
    Building {
        /// What people call it.
        name: Box<str>,
        /// The floor; empty: nobody wrote it down.
        floor: Box<str>,
    },
    /// A device, in no building.
    Device {
        /// What people call it; else its address; else its id.
        name: Box<str>,
    },
    /// A pressure zone.
    Zone {
        name: Box<str>,
    },
    /// A station's area.
    Area {
        /// What people call the station; else its id.
        name: Box<str>,
    },
    Gateway,
    /// A receiver of pages.
    Receiver {
        /// Its name in the configuration.
        name: Box<str>,
    },
    /// A topic that names no device.
    Topic {
        /// It, escaped: of several that share an incident, the one heard last.
        name: Box<str>,
        /// How many others share it; at most 99 are told apart.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u32,
    },
}

/// Why nothing of an incident is acted on: the code of a [`Quiet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuietCode {
    /// Somebody tests the detector.
    Test,
    /// People practise: nothing burns.
    Exercise,
    /// Announced work explains it.
    Maintenance,
    /// The water is drawn for a fire.
    Dispatch,
}

impl QuietCode {
    const fn of(quiet: Quiet) -> Self {
        match quiet {
            Quiet::Test => Self::Test,
            Quiet::Exercise => Self::Exercise,
            Quiet::Maintenance => Self::Maintenance,
            Quiet::Dispatch(_) => Self::Dispatch,
        }
    }
}

/// An incident as `shared/schemas/incident.json` describes it. Of what is read, all but id, class,
/// severity and title may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WireIncident {
    pub id: IncidentId,
    /// Counts what can be seen of it.
    #[serde(default)]
    pub rev: u32,
    /// The station responsible; empty: every district station is.
    #[serde(default)]
    pub station: Box<str>,
    /// What kind of work it is.
    pub class: Class,
    /// The worst that is true of it.
    pub severity: Severity,
    #[serde(default = "open")]
    pub state: State,
    /// Counts how often it had to be looked at anew.
    #[serde(default)]
    pub episode: u32,
    /// What is true of it, or was last.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// The device; `null` of a zone, an area or the gateway.
    pub device: Option<WireDevice>,
    /// The zone it is in, or is about.
    pub zone: Option<Box<str>>,
    /// What and where, in a line.
    pub title: Text,
    /// When it was raised.
    #[serde(default)]
    pub opened_at: Ms,
    /// Event time since when it is true.
    #[serde(default)]
    pub since: Ms,
    /// When `rev` last grew.
    #[serde(default)]
    pub updated_at: Ms,
    /// How late the news came, s.
    #[serde(default)]
    pub late_s: u32,
    /// Somebody tests or exercises: nothing to run for.
    #[serde(default)]
    pub exercise: bool,
    /// What was measured last, as far as it matters.
    #[serde(default, deserialize_with = "super::incident::measurements")]
    pub value: Measurements,
    /// A fire's hydrants: those to drive to, then nearer ones that can't be trusted.
    #[serde(default)]
    pub hydrants: Vec<NearHydrant>,
    /// Said when fewer than three of them can be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hydrants_note: Option<Text>,
    /// How far it was escalated.
    #[serde(default)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Ms>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Where it is; `None`: it was written before there were codes, or its device is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Why nothing of it is acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<QuietCode>,
    /// Why each of its conditions is true that can be so in more than one way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<Condition, Reason>,
    /// How many detectors say so; 0 of anything but a fire.
    #[serde(default, skip_serializing_if = "is_none_at_all")]
    pub detectors: u32,
    /// On which floors detectors are in alarm, as people write them; none of anything but a fire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<Box<str>>,
    /// Until when [`super::ActionKind::Undo`] takes back that it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Ms>,
    /// Changes with what people decide by; an action sends it back as `seen`. Empty: it was written
    /// before there were versions.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub version: Box<str>,
    /// False: it is in the gateway's memory alone, whose disk takes nothing, as long as it was not sent
    /// again without this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<bool>,
}

const fn open() -> State {
    State::Open
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_none_at_all(detectors: &u32) -> bool {
    *detectors == 0
}

/// How often something was raised of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flapping {
    pub condition: Condition,
    pub times: u32,
    /// Within how long, s.
    pub within_s: u32,
}

impl Place {
    /// A detector's building and floor; else the device's name, its address or its id.
    fn of(device: &Device) -> Self {
        if device.kind == Kind::Smoke && !device.building.is_empty() {
            let (name, floor) = (device.building.clone(), device.floor.clone());
            return Self::Building { name, floor };
        }
        let named = [&device.name, &device.address].into_iter().find(|name| !name.is_empty());
        Self::Device { name: named.unwrap_or(&device.id).clone() }
    }
}

impl WireIncident {
    /// Reads one, whatever is missing or broken of it: what can't be read is left out, so that an
    /// alert still goes out.
    ///
    /// # Errors
    /// It is no JSON object, or lacks id, class, severity or title.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).or_else(|_| Self::of(serde_json::from_str(text)?))
    }

    /// The same of an object.
    ///
    /// # Errors
    /// As of [`Self::read`].
    pub fn of(members: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let whole = Value::Object(members);
        if let Ok(read) = Self::deserialize(&whole) {
            return Ok(read);
        }
        let Value::Object(members) = whole else { return Self::deserialize(whole) };
        let (must, may): (Map<_, _>, Map<_, _>) =
            members.into_iter().partition(|(key, _)| MUST.contains(&&**key));
        // Each of the others is tried beside those, and kept if it can be read.
        let fits = |key: &str, value: &Value| {
            let mut one = must.clone();
            one.insert(key.to_owned(), value.clone());
            Self::deserialize(Value::Object(one)).is_ok()
        };
        let mut good = must.clone();
        for (key, value) in may {
            if fits(&key, &value) {
                good.insert(key, value);
            } else if let Value::Array(mut items) = value {
                items.retain(|item| fits(&key, &Value::Array(vec![item.clone()])));
                if !items.is_empty() {
                    good.insert(key, Value::Array(items));
                }
            }
        }
        Self::deserialize(Value::Object(good))
    }
}

/// What an incident can't be without.
const MUST: [&str; 4] = ["id", "class", "severity", "title"];

/// An incident's text, as it was written, with the page that it is sent for in its `page_id`.
/// A text that can't be read stays as it is.
#[must_use]
pub fn with_page(wire: &str, page: IncidentId) -> String {
    with_members(wire, page, Vec::new())
}

/// An incident's text that says that nothing of it is stored: the gateway works in memory.
#[must_use]
pub fn not_stored(wire: &str) -> String {
    let no = RawValue::from_string("false".to_owned()).ok();
    stamped(wire, no.map(|no| ("stored", no)).into_iter().collect())
}

/// The same with further members behind its own, which take the place of those of the same name.
pub(super) fn with_members(
    wire: &str,
    page: IncidentId,
    more: Vec<(&'static str, Box<RawValue>)>,
) -> String {
    let page = serde_json::value::to_raw_value(&page).ok().map(|page| ("page_id", page));
    stamped(wire, page.into_iter().chain(more).collect())
}

fn stamped(wire: &str, more: Vec<(&'static str, Box<RawValue>)>) -> String {
    let stamped = serde_json::from_str::<JsonMembers>(wire).map(|mut members| {
        for (name, value) in more {
            match members.0.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => *old = Cow::Owned(value),
                None => members.0.push((name.into(), Cow::Owned(value))),
            }
        }
        serde_json::to_string(&members)
    });
    stamped.and_then(|stamped| stamped).unwrap_or_else(|_| wire.to_owned())
}

/// The member by which a page says that another gateway may page as well.
const TWIN_SUSPECTED: &str = "twin_suspected";

/// A page's text, as it was written, with the word that another gateway may page as well. A text that
/// can't be read stays as it is.
#[must_use]
pub fn with_suspicion(wire: &str) -> String {
    let marked = serde_json::from_str::<JsonMembers>(wire).and_then(|mut members| {
        let value = serde_json::value::to_raw_value(&true)?;
        members.0.retain(|(name, _)| name != TWIN_SUSPECTED);
        members.0.push((TWIN_SUSPECTED.into(), Cow::Owned(value)));
        serde_json::to_string(&members)
    });
    marked.unwrap_or_else(|_| wire.to_owned())
}

/// Whether a page says that another gateway may page as well.
#[must_use]
pub fn is_suspicious(wire: &str) -> bool {
    serde_json::from_str::<JsonMembers>(wire).is_ok_and(|members| {
        members.0.iter().any(|(name, value)| name == TWIN_SUSPECTED && value.get() == "true")
    })
}

/// An object's members in their order, each value's text as it was.
struct JsonMembers<'a>(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'de> Deserialize<'de> for JsonMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = JsonMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an incident")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((Cow::Owned(name), Cow::Borrowed(value)));
                }
                Ok(JsonMembers(members))
            }
        }
        from.deserialize_map(Reader)
    }
}

impl Serialize for JsonMembers<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
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
            | Subject::Receiver(_) => device.map(|device| &*device.zone),
        };
        let active = self.active().map(|member| &member.subject).collect::<BTreeSet<_>>().len();
        let detectors = if self.class == Class::Fire { active } else { 0 };
        let mut wire = WireIncident {
            id: self.id,
            rev: self.rev,
            station: self.station.clone(),
            class: self.class,
            severity: self.severity,
            state: self.state,
            episode: self.episode,
            conditions: self.conditions(),
            device: device.map(|device| WireDevice {
                id: device.id.clone(),
                kind: device.kind,
                name: device.name.clone(),
                address: device.address.clone(),
                lat: device.lat,
                lon: device.lon,
            }),
            zone: zone.filter(|zone| !zone.is_empty()).map(Into::into),
            title: Text::default(),
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
            flapping: self.most_flaps().map(|flaps| {
                let Times { times, within_s } = flaps.of_late();
                Flapping { condition: flaps.condition, times, within_s }
            }),
            closed_at: self.closed_at,
            outcome: self.outcome,
            place: self.place(registry),
            quiet: self.quiet().map(QuietCode::of),
            reasons: self.reasons(),
            detectors: u32::try_from(detectors).unwrap_or(u32::MAX),
            floors: self.floors(registry),
            undo_until: self.undo_until(),
            version: self.version(registry),
            stored: None,
        };
        wire.title = super::title::of(&wire);
        wire
    }

    /// Where it is; `None`: its device is nobody's.
    fn place(&self, registry: &Registry) -> Option<Place> {
        Some(match &self.subject {
            Subject::Device(ix) => Place::of(registry.device(*ix)?),
            Subject::Zone(zone) => Place::Zone { name: zone.clone() },
            Subject::Area(id) => {
                let station = registry.station(id).map(|station| &*station.name);
                Place::Area { name: station.unwrap_or(id).into() }
            }
            Subject::Gateway => Place::Gateway,
            Subject::Topic(topic) => {
                let newest = self.said.as_ref().filter(|_| self.is_pool()).map(|said| &said.topic);
                Place::Topic { name: newest.unwrap_or(topic).clone(), more: self.topics_more() }
            }
            Subject::Receiver(name) => Place::Receiver { name: name.clone() },
        })
    }

    fn reasons(&self) -> BTreeMap<Condition, Reason> {
        let mut reasons = BTreeMap::new();
        for member in self.active() {
            if let Some(reason) = member.reason {
                reasons.entry(member.condition).or_insert(reason);
            }
        }
        reasons
    }

    fn reason(&self) -> Option<Box<str>> {
        if self.unverified {
            return Some(UNVERIFIED.into());
        }
        self.active().find_map(|member| member.reason).map(|reason| reason.as_str().into())
    }

    /// Fewer than three hydrants can be trusted: said, not left to be counted.
    fn hydrants_note(&self) -> Option<Text> {
        let trusted = self.hydrants.iter().filter(|hydrant| hydrant.trust == Trust::Ok).count();
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
