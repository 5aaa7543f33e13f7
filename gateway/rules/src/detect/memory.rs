//! What is remembered of one device, and its stored form.
//!
//! Aim: about 512 bytes, so that 100,000 devices fit into 55 MB. Tracks exist only for conditions
//! of which something is known.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use standpipe_shared::{Condition, Field, Measurements};

use super::admit::{Door, Door1};
use super::fresh::Fresh;
use super::time::Clockwork;
use super::track::Track;
use crate::Ms;
use crate::compact::push_compact;

/// One device's memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Duplicates, series time, ledger.
    pub door: Door,
    /// Conditions of which something is known.
    pub tracks: Vec<Track>,
    /// Arrival of the last message of any kind; `None`: never heard.
    pub heard_at: Option<Ms>,
    /// Event time of the newest reading: what is older moves nothing.
    pub newest: Option<Ms>,
    /// The newest value of each measurement.
    #[serde(with = "as_array")]
    pub latest: Measurements,
    /// Seconds between readings, as the device said.
    pub interval_s: Option<u32>,
    /// For the stuck value.
    pub stuck: Stuck,
    /// For the rate of rise.
    pub warmth: Warmth,
    /// Its Last Will came, and nothing since.
    pub gone: bool,
    /// Whether `sensor_fault`, while true, hides the pressure.
    pub pressure_hidden: bool,
    /// A backlog is coming in: arrival of its first late message so far, moved by what it caught
    /// up since, and of its last.
    pub backlog: Option<(Ms, Ms)>,
    /// Evidence that the water is back.
    pub evidence: Option<Box<Evidence>>,
    /// When each measurement was made; `None`: none was, and the device was never heard.
    pub fresh: Option<Box<Fresh>>,
    /// Arrival of the last reading or alarm that was no duplicate; 0: none came.
    pub spoke_at: Ms,
    /// Its clock, while its times are odd.
    pub clockwork: Option<Box<Clockwork>>,
    /// Alarms that the broker may have kept, and that are known.
    pub known_alarms: Option<Box<KnownAlarms>>,
}

/// Fingerprints of alarms that the broker may have kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownAlarms {
    /// The retained alarm that was acted on, until anything is heard of the device.
    pub retained: Option<u128>,
    /// The newest live fire alarm, until anything but its end is heard.
    pub live: Option<u128>,
}

/// The same pressure, again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stuck {
    pub kpa: f32,
    /// How many readings in a row said so.
    pub count: u32,
    /// Event time of the first of them.
    pub since: Ms,
}

/// Two earlier temperatures: the oldest one that a rise is measured from, and the last one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warmth {
    /// Event times; `Ms::MIN`: none.
    pub at: [Ms; 2],
    /// In the order of `at`.
    pub temp_c: [f32; 2],
}

impl Default for Warmth {
    fn default() -> Self {
        Self { at: [Ms::MIN; 2], temp_c: [0.0; 2] }
    }
}

/// How long pressure has held above the clear limit while an incident verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// How long it has held so far.
    pub covered_ms: Ms,
    /// Event time of the last good reading; the next adds what lies between.
    pub last_good: Option<Ms>,
    /// Arrival of the last good reading, or when evidence was asked for.
    pub alive_at: Ms,
}

/// A stored memory that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error(
    "stored memory of a device has format {0}, this version reads {VERSION}: start with the version that wrote it, or drop the row to begin anew"
)]
pub struct BadMemory(u8);

/// First byte of the stored form.
const VERSION: u8 = 2;

/// What version 0.1.0 kept of a device.
#[derive(Deserialize)]
struct Version1 {
    door: Door1,
    tracks: Vec<Track>,
    heard_at: Option<Ms>,
    newest: Option<Ms>,
    #[serde(with = "as_array")]
    latest: Measurements,
    interval_s: Option<u32>,
    stuck: Stuck,
    warmth: Warmth,
    gone: bool,
    pressure_hidden: bool,
    backlog: Option<(Ms, Ms)>,
    evidence: Option<Box<Evidence>>,
}

impl From<Version1> for Memory {
    fn from(old: Version1) -> Self {
        let Version1 { door, tracks, heard_at, newest, latest, interval_s, .. } = old;
        let Version1 { stuck, warmth, gone, pressure_hidden, backlog, evidence, .. } = old;
        let mut memory = Self {
            door: door.into(),
            tracks,
            // Also a status was heard; for the rhythm of readings that is near enough.
            spoke_at: heard_at.unwrap_or(0),
            clockwork: None,
            known_alarms: None,
            heard_at,
            newest,
            latest,
            interval_s,
            stuck,
            warmth,
            gone,
            pressure_hidden,
            backlog,
            evidence,
            fresh: None,
        };
        memory.fresh = Fresh::guessed(&memory);
        memory
    }
}

impl Memory {
    /// Whether nothing was ever heard of the device.
    pub(super) const fn is_strangers(&self) -> bool {
        self.heard_at.is_none() && self.newest.is_none()
    }

    /// The stored form.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(512);
        body.push(VERSION);
        postcard::to_extend(self, body).unwrap_or_default()
    }

    /// From the stored form.
    ///
    /// # Errors
    /// [`BadMemory`] when another version wrote it, or it is damaged.
    pub fn from_body(body: &[u8]) -> Result<Self, BadMemory> {
        match body.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| BadMemory(VERSION)),
            Some((1, rest)) => {
                postcard::from_bytes::<Version1>(rest).map(Self::from).map_err(|_| BadMemory(1))
            }
            Some((&other, _)) => Err(BadMemory(other)),
            None => Err(BadMemory(0)),
        }
    }

    /// What is known of one condition.
    #[must_use]
    pub fn track(&self, condition: Condition) -> Option<&Track> {
        self.tracks.iter().find(|track| track.condition == condition)
    }

    /// Whether a condition is true.
    #[must_use]
    pub fn is_true(&self, condition: Condition) -> bool {
        self.track(condition).is_some_and(Track::is_true)
    }

    /// Whether a condition is true and the incidents know it.
    #[must_use]
    pub fn told(&self, condition: Condition) -> Option<&Track> {
        self.track(condition).filter(|track| track.is_true() && track.told)
    }

    /// The set of true conditions, by their bits.
    #[must_use]
    pub fn conditions(&self) -> u32 {
        self.tracks
            .iter()
            .filter(|track| track.is_true())
            .fold(0, |set, track| set | track.condition.bit())
    }

    /// The track of a condition, made if need be.
    pub fn track_mut(&mut self, condition: Condition) -> &mut Track {
        let at = self.tracks.iter().position(|track| track.condition == condition);
        let at = at.unwrap_or_else(|| {
            push_compact(&mut self.tracks, Track::new(condition));
            self.tracks.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found, or pushed just now")]
        &mut self.tracks[at]
    }
}

/// `skip_serializing_if` has no place in a binary form: there a fixed array stands.
mod as_array {
    use super::{Deserialize, Deserializer, Field, Measurements, Serialize, Serializer};

    /// One place a field, in the order of [`Field::ALL`].
    pub fn serialize<S: Serializer>(values: &Measurements, to: S) -> Result<S::Ok, S::Error> {
        Field::ALL.map(|field| values.get(field)).serialize(to)
    }

    /// # Errors
    /// Another number of places, or a value that no sensor can measure.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Measurements, D::Error> {
        let array = <[Option<f32>; Field::ALL.len()]>::deserialize(from)?;
        let mut values = Measurements::default();
        for (field, value) in Field::ALL.into_iter().zip(array) {
            if let Some(value) = value {
                values.set(field, value).map_err(serde::de::Error::custom)?;
            }
        }
        Ok(values)
    }
}
