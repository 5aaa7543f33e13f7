//! Alarms. An alarm whose condition and truth can be read acts, whatever else is wrong with it; a
//! fire acts even when its truth cannot be read. Everything else that comes on an alarm topic is
//! an unreadable alarm, which people are told: nothing is kept from them by a spelling.

use serde::Deserialize;
use standpipe_shared::{Alarm, Condition, Name, Severity};

use super::rejected::{Parsed, Rejected, RejectedReason, push};
use super::salvage::{Objects, Repaired, Words, members, strict};
use super::shown::shown;
use super::{MAX_PAYLOAD, Message, Origin, owned, repair};
use crate::conditions::{FoundBy, row};

const WORDS: Words = Words {
    what: "alarm",
    hint: "send an object with condition, active and, if measured, the fields of a reading",
    repaired: Repaired::Reported,
};

/// The most objects of one message that are looked at.
pub(super) const MAX_OBJECTS: usize = 4_096;

/// Who sent an alarm, as far as its topic says.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) area: Option<Name<'a>>,
    pub(super) device: Option<Name<'a>>,
    pub(super) topic: &'a [u8],
}

/// An alarm of one device.
pub(super) fn alarm(area: Name, device: Name, topic: &[u8], payload: &[u8]) -> Parsed {
    let sender = Sender { area: Some(area), device: Some(device), topic };
    let first = match strict::<Alarm>(payload, WORDS) {
        Ok(alarm) if !is_gateways_alone(alarm.condition) => {
            return Parsed::message(read(area, device, alarm));
        }
        Ok(alarm) => return unreadable(sender, payload, foreign(alarm.condition, payload)),
        Err(first) => first,
    };
    let mut rejected = Vec::new();
    let mut others = 0_u32;
    let mut taken: Option<Alarm> = None;
    let (mut refused, mut unread, mut seen) = (None, 0_u32, 0_u32);
    let mut objects = Objects::new(payload).filter_map(|(_, object)| object);
    for object in objects.by_ref().take(MAX_OBJECTS) {
        seen += 1;
        match one(object, &first, &mut rejected) {
            Some(alarm) if is_gateways_alone(alarm.condition) => {
                unread += 1;
                refused = refused.or_else(|| Some(foreign(alarm.condition, payload)));
            }
            Some(alarm) => {
                others += u32::from(taken.is_some());
                taken = taken.filter(|before| weight(before) >= weight(&alarm)).or(Some(alarm));
            }
            None => unread += 1,
        }
    }
    unread += u32::from(objects.next().is_some());
    // One of several can't be read, or is not looked at: nobody knows how bad it is. What is worst
    // of the others is told instead only where it calls people as loudly.
    let hides = unread > 0 && seen > 1;
    let Some(alarm) = taken.filter(|alarm| !hides || is_loud(alarm)) else {
        return unreadable(sender, payload, refused.unwrap_or(first));
    };
    if others > 0 {
        let detail = format!("{others} more alarms in one message, left out: send each by itself");
        push(&mut rejected, Rejected::new(RejectedReason::TooMany, detail, payload));
    } else if rejected.is_empty() {
        rejected.push(first); // it was not in a member: before, behind or at the end
    }
    Parsed { rejected, ..Parsed::message(read(area, device, alarm)) }
}

/// A fire on a topic of something else, as if it had come as an alarm, with what was measured beside
/// it; the topic is told. `None`: no object is a fire. What is over never takes the place of what
/// stands beside it in an array.
pub(super) fn astray(Origin { area, device }: Origin, payload: &[u8]) -> Option<Parsed> {
    let wrong = || {
        let detail =
            "alarm on the topic of something else, taken as an alarm: publish it on `…/alarm`";
        Rejected::new(RejectedReason::Topic, detail.to_owned(), payload)
    };
    let (alarm, rejected) = stray_fire(payload, wrong)?;
    let message = Message::Alarm { area: area.into(), device: device.into(), alarm };
    Some(Parsed { rejected, ..Parsed::message(message) })
}

/// The same on a topic where something else is understood, which a fire alone may replace: its end
/// can wait.
pub(super) fn astray_and_true(origin: Origin, payload: &[u8]) -> Option<Parsed> {
    let is_true = |parsed: &Parsed| matches!(&parsed.message, Some(Message::Alarm { alarm, .. }) if alarm.active);
    astray(origin, payload).filter(is_true)
}

/// What came on a topic that is nobody's: nothing, unless it is a fire. Whose, its topic may say.
pub(super) fn on_no_topic(sender: Sender, payload: &[u8], why: impl Fn() -> Rejected) -> Parsed {
    if payload.len() > MAX_PAYLOAD {
        return Parsed::nothing(why());
    }
    if let (Some(area), Some(device)) = (sender.area, sender.device) {
        let fire = astray(Origin { area: area.as_str(), device: device.as_str() }, payload);
        return fire.unwrap_or_else(|| Parsed::nothing(why()));
    }
    match stray_fire(payload, &why) {
        Some((alarm, _)) if alarm.active => unreadable(sender, payload, why()),
        Some(_) | None => Parsed::nothing(why()),
    }
}

/// The worst fire among the objects of a message, and what is to be told, `wrong` first.
fn stray_fire(payload: &[u8], wrong: impl Fn() -> Rejected) -> Option<(Alarm, Vec<Rejected>)> {
    const KEY: &[u8] = b"\"condition\"";
    // A name with escapes may be that one.
    let is_named = |text: &[u8]| {
        text.windows(KEY.len()).any(|part| part == KEY)
            || text.windows(2).any(|part| part == b"\\u")
    };
    if !is_named(payload) {
        return None;
    }
    let mut rejected = vec![wrong()];
    let (mut taken, mut count): (Option<Alarm>, u32) = (None, 0);
    let objects = Objects::new(payload).filter_map(|(_, object)| object).inspect(|_| count += 1);
    for object in objects.filter(|object| is_named(object)).take(MAX_OBJECTS) {
        let mut told = Vec::new();
        let alarm = match strict::<Alarm>(object, WORDS) {
            Ok(alarm) => Some(alarm),
            Err(first) => one(object, &first, &mut told),
        };
        let Some(alarm) = alarm.filter(|alarm| alarm.condition.severity() == Severity::Fire) else {
            continue;
        };
        told.into_iter().for_each(|rejection| push(&mut rejected, rejection));
        taken = taken.filter(|before| weight(before) >= weight(&alarm)).or(Some(alarm));
    }
    let alarm = taken.filter(|alarm| count == 1 || alarm.active)?;
    if count > 1 {
        let detail =
            format!("{} more objects in one message, left out: send each by itself", count - 1);
        push(&mut rejected, Rejected::new(RejectedReason::TooMany, detail, payload));
    }
    Some((alarm, rejected))
}

/// Of several alarms in one message, the one that matters most is taken.
/// A test never hides what is in earnest.
fn weight(alarm: &Alarm) -> (bool, bool, Severity) {
    (alarm.active && !alarm.test, alarm.active, alarm.condition.severity())
}

/// Whether it is in earnest, and pages and escalates.
fn is_loud(alarm: &Alarm) -> bool {
    alarm.active && !alarm.test && alarm.condition.severity() >= Severity::Critical
}

/// One object, as far as it is an alarm.
fn one(object: &[u8], first: &Rejected, rejected: &mut Vec<Rejected>) -> Option<Alarm> {
    #[derive(Deserialize)]
    struct OnlyCondition {
        condition: Condition,
    }
    if let Ok(alarm) = strict::<Alarm>(object, WORDS) {
        return Some(alarm);
    }
    let mut members = members::<Alarm>(object, WORDS, repair::alarm);
    let fire = serde_json::from_slice::<OnlyCondition>(&members.clean())
        .is_ok_and(|about| about.condition.severity() == Severity::Fire);
    let mut alarm = serde_json::from_slice::<Alarm>(&members.clean()).ok();
    let mut missing = None;
    // What was not looked at may say anything.
    if fire && (members.unfinished || alarm.is_none()) {
        members.set("active", "true");
        if members.unfinished {
            members.set("test", "false");
        }
        alarm = serde_json::from_slice(&members.clean()).ok();
        let detail = format!("fire without a readable `active`, taken as true: {}", WORDS.hint);
        missing = Some(Rejected::new(RejectedReason::MissingField, detail, object));
    }
    // Something else may be true, or it may be something else that is over.
    let is_plain = fire || !members.unfinished;
    let alarm = alarm.filter(|alarm| is_plain && (alarm.active || !members.conditions_differ))?;
    let reading = standpipe_shared::Reading { numbers_lost: members.numbers_lost, ..alarm.reading };
    let told = match missing {
        Some(missing) => members.told(missing),
        None => members.told(first.clone()),
    };
    told.0.into_iter().for_each(|rejection| push(rejected, rejection));
    Some(Alarm { reading, ..alarm })
}

fn read(area: Name, device: Name, alarm: Alarm) -> Message {
    Message::Alarm { area: owned(area), device: owned(device), alarm }
}

/// An alarm that cannot be read: people are told, and it stands in the quarantine as well.
pub(super) fn unreadable(sender: Sender, payload: &[u8], why: Rejected) -> Parsed {
    let message = Message::UnreadableAlarm {
        area: sender.area.map(owned).unwrap_or_default(),
        device: sender.device.map(owned),
        topic: shown(sender.topic),
        payload: shown(payload),
        why: why.reason,
    };
    Parsed { rejected: vec![why], ..Parsed::message(message) }
}

fn foreign(condition: Condition, payload: &[u8]) -> Rejected {
    let detail = format!(
        "alarm of `{}`, which only the gateway can find: send a condition of the device itself",
        condition.as_str()
    );
    Rejected::new(RejectedReason::WrongType, detail, payload)
}

fn is_gateways_alone(condition: Condition) -> bool {
    row(condition).found_by == FoundBy::GatewayAlone
}
