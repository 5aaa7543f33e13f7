//! Objects: read strictly, and member by member when that fails.
//!
//! What matters most must not be lost with what matters least. A member that cannot be read is
//! [repaired](super::repair) where it can mean one thing only, or else reported and left out; the
//! good ones are put together again and read as if they had come alone. What then still lacks a
//! required field is rejected whole, for the first reason.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::pieces::{End, Pieces};
use super::rejected::{Reason, Rejected, push, reason};

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
    /// It is counted.
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
    /// What could not.
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
    match serde_json::from_slice(&members.clean) {
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
    Err(Rejected::new(Reason::WrongType, detail, payload))
}

/// An object taken apart.
pub(super) struct Members {
    /// An object of the good and the repaired members.
    pub(super) clean: Vec<u8>,
    /// What is wrong with the others.
    rejected: Vec<Rejected>,
    repaired: u32,
    /// The object has no end.
    torn: bool,
    /// `boot` or `seq` was there, and is not in `clean`.
    pub(super) numbers_lost: bool,
    /// `active` was there, and is not in `clean`.
    pub(super) active_lost: bool,
}

impl Members {
    /// Puts a member behind all others, so that it counts.
    pub(super) fn set(&mut self, member: &[u8]) {
        self.clean.pop();
        add(&mut self.clean, member);
        self.clean.push(b'}');
    }

    /// What is to be told, and how much was repaired; `first` is why the object was not read at
    /// once, which says it all where no member is to blame.
    pub(super) fn told(mut self, first: Rejected) -> (Vec<Rejected>, u32) {
        if self.rejected.is_empty() && (self.repaired == 0 || self.torn) {
            self.rejected.push(first);
        }
        (self.rejected, self.repaired)
    }

    fn lost(&mut self, key: &str) {
        self.numbers_lost |= matches!(key, "boot" | "seq");
        self.active_lost |= key == "active";
    }
}

/// Takes an object apart, from its first bracket on: the good members, and the bad ones.
pub(super) fn members<T: DeserializeOwned>(
    payload: &[u8],
    words: Words,
    repair: Repair,
) -> Members {
    let mut all = Members {
        clean: Vec::from(b"{"),
        rejected: Vec::new(),
        repaired: 0,
        torn: false,
        numbers_lost: false,
        active_lost: false,
    };
    let start = payload.iter().position(|byte| *byte == b'{').map_or(payload.len(), |at| at + 1);
    let inside = payload.get(start..).unwrap_or_default();
    for (member, end) in Pieces::new(inside, b'}').take(MAX_MEMBERS) {
        all.torn = end == End::Missing;
        // A number at the end of a torn message may have had more digits.
        let cut_short = all.torn && member.last().is_some_and(u8::is_ascii_digit);
        let bad = match whole::<T>(member) {
            Ok(()) if !cut_short => {
                add(&mut all.clean, member);
                continue;
            }
            Ok(()) => None,
            Err(bad) => Some(bad),
        };
        let pair = split(member);
        let value = pair.filter(|_| !cut_short).and_then(|(key, value)| repair(key, value));
        if let Some(((key, _), value)) = pair.zip(value) {
            add(&mut all.clean, format!("\"{key}\":{value}").as_bytes());
            all.repaired += 1;
            if words.repaired == Repaired::Counted {
                continue;
            }
        } else if let Some((key, _)) = pair {
            all.lost(key);
        }
        push(&mut all.rejected, refused(bad.as_ref(), words, member));
    }
    all.clean.push(b'}');
    all
}

fn refused(bad: Option<&serde_json::Error>, words: Words, member: &[u8]) -> Rejected {
    match bad {
        Some(bad) => Rejected::json(bad, &format!("member of {}", words.what), words.hint, member),
        None => {
            let detail = format!("{} is torn within a number: {}", words.what, words.hint);
            Rejected::new(Reason::NotJson, detail, member)
        }
    }
}

/// Whether an object of this member alone lacks nothing but other members.
fn whole<T: DeserializeOwned>(member: &[u8]) -> serde_json::Result<()> {
    let alone = [b"{", member, b"}"].concat();
    match serde_json::from_slice::<T>(&alone) {
        Err(bad) if reason(&bad) != Reason::MissingField => Err(bad),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn add(clean: &mut Vec<u8>, member: &[u8]) {
    if clean.len() > 1 && !member.is_empty() {
        clean.push(b',');
    }
    clean.extend_from_slice(member);
}

/// `"key": value`; keys with escapes are nobody's.
fn split(member: &[u8]) -> Option<(&str, &[u8])> {
    let rest = member.strip_prefix(b"\"")?;
    let at = rest.iter().position(|byte| *byte == b'"')?;
    let (key, rest) = rest.split_at_checked(at)?;
    let value = rest.strip_prefix(b"\"")?.trim_ascii_start().strip_prefix(b":")?;
    Some((std::str::from_utf8(key).ok()?, value.trim_ascii()))
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
