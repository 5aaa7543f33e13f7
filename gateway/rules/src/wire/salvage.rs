//! Objects: read strictly, and member by member when that fails.
//!
//! What matters most must not be lost with what matters least. A member that cannot be read is
//! reported and left out; the good ones are put together again and read as if they had come
//! alone. What then still lacks a required field is rejected whole, for the first reason.

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
}

/// Another spelling of a bad member that is good: key and value → value.
pub(super) type Repair = fn(&str, &[u8]) -> Option<String>;

/// Nothing can be repaired.
pub(super) fn never(_key: &str, _value: &[u8]) -> Option<String> {
    None
}

/// Reads an object, as much of it as can be read; what cannot is told beside it.
pub(super) fn object<T: DeserializeOwned>(
    payload: &[u8],
    words: Words,
    repair: Repair,
) -> (Option<T>, Vec<Rejected>) {
    let first = match strict(payload, words) {
        Ok(good) => return (Some(good), Vec::new()),
        Err(first) => first,
    };
    let (clean, mut rejected) = members::<T>(payload, words, repair);
    match serde_json::from_slice(&clean) {
        Ok(good) => {
            if rejected.is_empty() {
                rejected.push(first); // it was not in a member: before, behind or at the end
            }
            (Some(good), rejected)
        }
        Err(_) => (None, vec![first]),
    }
}

/// serde's structs also read arrays, the contract's objects don't.
fn strict<T: DeserializeOwned>(payload: &[u8], words: Words) -> Result<T, Rejected> {
    let json = |bad| Rejected::json(&bad, words.what, words.hint, payload);
    if payload.trim_ascii_start().starts_with(b"{") {
        return serde_json::from_slice(payload).map_err(json);
    }
    serde_json::from_slice::<IgnoredAny>(payload).map_err(json)?;
    let detail = format!("{} is not a JSON object: {}", words.what, words.hint);
    Err(Rejected::new(Reason::WrongType, detail, payload))
}

/// An object of the good members alone, and the bad ones.
fn members<T: DeserializeOwned>(
    payload: &[u8],
    words: Words,
    repair: Repair,
) -> (Vec<u8>, Vec<Rejected>) {
    let mut rejected = Vec::new();
    let mut clean = Vec::from(b"{");
    let start = payload.iter().position(|byte| *byte == b'{').map_or(payload.len(), |at| at + 1);
    let inside = payload.get(start..).unwrap_or_default();
    for (member, end) in Pieces::new(inside, b'}').take(MAX_MEMBERS) {
        // A number at the end of a torn message may have had more digits.
        let torn = end == End::Missing && member.last().is_some_and(u8::is_ascii_digit);
        let bad = match whole::<T>(member) {
            Ok(()) if !torn => {
                add(&mut clean, member);
                continue;
            }
            Ok(()) => None,
            Err(bad) => Some(bad),
        };
        if let Some((key, value)) = split(member)
            && let Some(value) = repair(key, value).filter(|_| !torn)
        {
            add(&mut clean, format!("\"{key}\":{value}").as_bytes());
        }
        push(&mut rejected, refused(bad.as_ref(), words, member));
    }
    clean.push(b'}');
    (clean, rejected)
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
