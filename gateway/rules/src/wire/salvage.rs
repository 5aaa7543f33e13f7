//! Objects: read strictly, and member by member when that fails.
//!
//! What matters most must not be lost with what matters least. A member that cannot be read is
//! [repaired](super::repair) where it can mean one thing only, or else reported and left out; the
//! good ones are put together again and read as if they had come alone. What then still lacks a
//! required field is rejected whole, for the first reason.
//!
//! Several members of one name that say the same are one. If they contradict each other, none of
//! them counts, since nobody can say which is meant; only a fire among several conditions stays.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use standpipe_shared::{Condition, Severity};

use super::pieces::{End, Pieces};
use super::rejected::{Rejected, RejectedReason, push, reason};

/// The most members of a bad object that are looked at.
pub(super) const MAX_MEMBERS: usize = 1_000;

/// What to call an object, and what to do about a bad one.
#[derive(Clone, Copy)]
pub(super) struct Words {
    /// In the singular.
    pub(super) what: &'static str,
    /// What to do.
    pub(super) hint: &'static str,
    /// What becomes of a member that was repaired.
    pub(super) repaired: Repaired,
}

/// Whether somebody is told of a member that was repaired.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repaired {
    /// It stands in the quarantine: rare messages, on which much depends.
    Reported,
    /// Nobody is told: only a count grows.
    Counted,
}

/// Another spelling of a bad member that is good: key and value → value.
pub(super) type Repair = fn(&str, &[u8]) -> Option<String>;

/// Nothing can be repaired.
pub(super) fn never(_key: &str, _value: &[u8]) -> Option<String> {
    None
}

/// What was made of an object.
pub(super) struct Salvaged<T> {
    /// What could be read of it.
    pub(super) good: Option<T>,
    pub(super) rejected: Vec<Rejected>,
    /// Members that were repaired.
    pub(super) repaired: u32,
}

/// Reads an object, as much of it as can be read; what cannot is told beside it.
pub(super) fn object<T: DeserializeOwned>(
    payload: &[u8],
    words: Words,
    repair: Repair,
) -> Salvaged<T> {
    let first = match strict(payload, words) {
        Ok(good) => return Salvaged { good: Some(good), rejected: Vec::new(), repaired: 0 },
        Err(first) => first,
    };
    let members = members::<T>(payload, words, repair);
    match serde_json::from_slice(&members.clean()) {
        Ok(good) => {
            let (rejected, repaired) = members.told(first);
            Salvaged { good: Some(good), rejected, repaired }
        }
        Err(_) => Salvaged { good: None, rejected: vec![first], repaired: 0 },
    }
}

/// serde's structs also read arrays, the contract's objects don't.
pub(super) fn strict<T: DeserializeOwned>(payload: &[u8], words: Words) -> Result<T, Rejected> {
    let json = |bad| Rejected::json(&bad, words.what, words.hint, payload);
    if payload.trim_ascii_start().starts_with(b"{") {
        return serde_json::from_slice(payload).map_err(json);
    }
    serde_json::from_slice::<IgnoredAny>(payload).map_err(json)?;
    let detail = format!("{} is not a JSON object: {}", words.what, words.hint);
    Err(Rejected::new(RejectedReason::WrongType, detail, payload))
}

/// An object taken apart.
#[derive(Default)]
pub(super) struct Members {
    /// The good and the repaired members, in their order. `None`: left out, because it could not be
    /// read, or contradicts another of the same name.
    good: Vec<Option<Vec<u8>>>,
    /// Where in `good` a name stands.
    places: BTreeMap<String, usize>,
    /// What is wrong with the others.
    rejected: Vec<Rejected>,
    repaired: u32,
    /// The object has no end.
    torn: bool,
    /// It has more than [`MAX_MEMBERS`], and the others were not looked at.
    pub(super) unfinished: bool,
    /// `boot` or `seq` was there, and is not in [`Self::clean`].
    pub(super) numbers_lost: bool,
    /// There are several `condition` that contradict each other.
    pub(super) conditions_differ: bool,
}

impl Members {
    /// An object of the good and the repaired members.
    pub(super) fn clean(&self) -> Vec<u8> {
        let good = self.good.iter().flatten().map(Vec::as_slice);
        let good: Vec<&[u8]> = good.filter(|member| !member.is_empty()).collect();
        [b"{", &*good.join(&b','), b"}"].concat()
    }

    /// Sets a member, whatever it said.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let member = Some(format!("\"{name}\":{value}").into_bytes());
        match self.places.get(name).and_then(|at| self.good.get_mut(*at)) {
            Some(place) => *place = member,
            None => self.good.push(member),
        }
    }

    /// What is to be told, and how much was repaired; `first` is why the object was not read at
    /// once, which says it all where no member is to blame.
    pub(super) fn told(mut self, first: Rejected) -> (Vec<Rejected>, u32) {
        if self.rejected.is_empty() && (self.repaired == 0 || self.torn) {
            self.rejected.push(first);
        }
        (self.rejected, self.repaired)
    }

    fn lost(&mut self, name: &str) {
        self.numbers_lost |= matches!(name, "boot" | "seq");
    }

    fn reject(&mut self, rejected: Rejected) {
        push(&mut self.rejected, rejected);
    }

    /// Adds what was made of a member; `None` if it cannot be read.
    fn add<T: DeserializeOwned>(&mut self, member: &[u8], good: Option<Vec<u8>>, words: Words) {
        let Some((name, _)) = split(member) else { return self.good.push(good) };
        let Some(at) = self.places.get(&name).copied() else {
            if good.is_none() {
                self.lost(&name);
            }
            self.places.insert(name, self.good.len());
            return self.good.push(good);
        };
        let Some(place) = self.good.get_mut(at) else { return };
        let mut same = false;
        if let (Some(before), Some(good)) = (&*place, &good) {
            if whole::<T>(&[before, &b","[..], good].concat()).is_ok() {
                return self.good.push(Some(good.clone())); // nobody reads that name
            }
            // Whoever says twice that it is a test does not say it plainly.
            same = name != "test" && say_the_same(before, good);
        }
        if !same {
            let both = [place.take(), good];
            *place = both.into_iter().flatten().find(|member| is_fire(&name, member));
            self.conditions_differ |= name == "condition";
            self.lost(&name);
        } else {
            self.repaired += 1;
            if words.repaired == Repaired::Counted {
                return;
            }
        }
        let detail = format!("{} with several `{name}`: {}", words.what, words.hint);
        self.reject(Rejected::new(RejectedReason::WrongType, detail, member));
    }
}

/// Whether two members of one name have the same value, however its number is written.
fn say_the_same(one: &[u8], other: &[u8]) -> bool {
    let value = |member| serde_json::from_slice::<Value>(split(member)?.1).ok();
    let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64);
    let (one, other) = (value(one), value(other));
    one == other || number(&one).is_some_and(|one| number(&other) == Some(one))
}

/// Whether a member is the condition of a fire.
fn is_fire(name: &str, member: &[u8]) -> bool {
    let condition = split(member).and_then(|(_, value)| serde_json::from_slice(value).ok());
    name == "condition"
        && condition.is_some_and(|condition: Condition| condition.severity() == Severity::Fire)
}

/// Takes an object apart, from its first bracket on: the good members, and the bad ones.
pub(super) fn members<T: DeserializeOwned>(
    payload: &[u8],
    words: Words,
    repair: Repair,
) -> Members {
    let mut all = Members::default();
    let start = payload.iter().position(|byte| *byte == b'{').map_or(payload.len(), |at| at + 1);
    let mut inside = Pieces::new(payload.get(start..).unwrap_or_default(), b'}');
    for (member, end) in inside.by_ref().take(MAX_MEMBERS) {
        all.torn = end == End::Missing;
        // A number at the end of a torn message may have had more digits.
        let cut_short = all.torn && member.last().is_some_and(u8::is_ascii_digit);
        let bad = match whole::<T>(member) {
            Ok(()) if !cut_short => {
                all.add::<T>(member, Some(member.to_vec()), words);
                continue;
            }
            Ok(()) => None,
            Err(bad) => Some(bad),
        };
        let pair = split(member).filter(|_| !cut_short);
        let repaired = pair.and_then(|(name, value)| {
            let value = repair(&name, value)?;
            Some(format!("\"{name}\":{value}").into_bytes())
        });
        let is_told = repaired.is_none() || words.repaired == Repaired::Reported;
        all.repaired += u32::from(repaired.is_some());
        if is_told {
            all.reject(refused(bad.as_ref(), words, member));
        }
        all.add::<T>(member, repaired, words);
    }
    all.unfinished = inside.next().is_some();
    all
}

fn refused(bad: Option<&serde_json::Error>, words: Words, member: &[u8]) -> Rejected {
    match bad {
        Some(bad) => Rejected::json(bad, &format!("member of {}", words.what), words.hint, member),
        None => {
            let detail = format!("{} is torn within a number: {}", words.what, words.hint);
            Rejected::new(RejectedReason::NotJson, detail, member)
        }
    }
}

/// Whether an object of this member alone lacks nothing but other members.
fn whole<T: DeserializeOwned>(member: &[u8]) -> serde_json::Result<()> {
    let alone = [b"{", member, b"}"].concat();
    match serde_json::from_slice::<T>(&alone) {
        Err(bad) if reason(&bad) != RejectedReason::MissingField => Err(bad),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A member's name, whose escapes are read, and its value.
fn split(member: &[u8]) -> Option<(String, &[u8])> {
    let mut text = serde_json::Deserializer::from_slice(member).into_iter();
    let name = text.next()?.ok()?;
    let value = member.get(text.byte_offset()..)?.trim_ascii_start().strip_prefix(b":")?;
    Some((name, value.trim_ascii()))
}

/// The objects that stand in a text one after another, each with its brackets, and what stands
/// before each of them; at last what stands behind them all, with no object.
pub(super) struct Objects<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Objects<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { rest: Some(text) }
    }
}

impl<'a> Iterator for Objects<'a> {
    /// What stands before the object, and the object.
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        let Some(start) = text.iter().position(|byte| *byte == b'{') else {
            return Some((text, None));
        };
        let (before, object) = text.split_at(start);
        let mut pieces = Pieces::new(object.get(1..).unwrap_or_default(), b'}');
        while pieces.next().is_some() {}
        let length = object.len() - pieces.rest().len();
        self.rest = Some(pieces.rest());
        Some((before, object.get(..length)))
    }
}

/// Without what an editor or a C string puts around a text: a byte-order mark before it, zeros
/// and white space behind it.
pub(super) fn unwrapped(payload: &[u8]) -> &[u8] {
    let text = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    let end = text.iter().rposition(|byte| *byte != 0 && !byte.is_ascii_whitespace());
    text.get(..end.map_or(0, |at| at + 1)).unwrap_or_default().trim_ascii_start()
}
