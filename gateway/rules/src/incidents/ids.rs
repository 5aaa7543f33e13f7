//! Ids that nobody can guess, and that are the same whenever the same thing is decided again.
//!
//! Every bit of an id is a function of its cause: the time is that of the message that opened the
//! incident, the rest is HMAC-SHA256 (RFC 2104), keyed with the gateway's [`IdSecret`], of what
//! happened. So a message that is delivered again after a crash, or taken by a second gateway that
//! has the same secret, makes the same incident and the same pages. Nothing sorts by ids: what has
//! an order has a number ([`super::Incident::number`]).

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use standpipe_shared::{Class, Condition};
use ulid::Ulid;

use super::IncidentId;
use crate::Ms;
use crate::changes::{Page, Receiver};

/// A device's time this far ahead of its arrival is no time to go by. Source: the rules of receipt.
const AHEAD_MS: Ms = 300_000;
/// 2020: a device's time before it is no time to go by. Source: the rules of receipt.
const EARLIEST: Ms = 1_577_836_800_000;

/// What makes a gateway's ids its own. Whoever knows it can foretell them: it is kept in a file
/// that only the gateway may read, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct IdSecret([u8; 32]);

impl IdSecret {
    /// 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A mark by which it is known again, and from which nothing can be made.
    #[must_use]
    pub fn mark(&self) -> String {
        AuthenticatedText::new(self, "mark").id(0).to_string()
    }
}

impl fmt::Debug for IdSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The message that is being dealt with: what opens an incident gets its id from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who sent it.
    pub device: Box<str>,
    /// The time it claims, as it was sent.
    pub ts: Option<Ms>,
    /// Its start count, where given.
    pub boot: Option<u32>,
    /// Its number within the boot, where given.
    pub seq: Option<u32>,
    /// Fingerprint of its bytes.
    pub print: u128,
}

/// What an incident is opened by.
#[derive(Clone, Copy, Debug)]
pub(super) enum OpenedBy<'a> {
    /// A message of its device.
    Message(&'a Cause, Class),
    /// Something that many messages, or none, make true: the kind and name of what it is true of.
    State { of: (&'static str, &'a str), condition: Condition, onset: Ms },
}

/// A message to be authenticated, part by part: each has its length, so that no two lists of parts
/// run into one.
struct AuthenticatedText(Option<Hmac<Sha256>>);

impl AuthenticatedText {
    /// `kind` keeps ids of different kinds apart.
    fn new(secret: &IdSecret, kind: &str) -> Self {
        // HMAC takes a key of any length: there is no way for this to fail.
        Self(Hmac::<Sha256>::new_from_slice(&secret.0).ok()).text(kind)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        if let Some(mac) = &mut self.0 {
            mac.update(&(bytes.len() as u64).to_le_bytes());
            mac.update(bytes);
        }
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn number(self, number: u128) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// A number that may be missing, which is not the same as 0.
    fn maybe(self, number: Option<u32>) -> Self {
        match number {
            Some(number) => self.bytes(&number.to_le_bytes()),
            None => self.bytes(&[]),
        }
    }

    /// The id of what happened at that moment.
    fn id(self, at: Ms) -> Ulid {
        let code = self.0.map(|mac| mac.finalize().into_bytes());
        let first = code.iter().flat_map(|code| code.iter().take(10));
        let random = first.fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        Ulid::from_parts(u64::try_from(at).unwrap_or(0), random)
    }
}

/// The moment an id begins with: the time claimed, unless nobody can believe it.
fn moment(claimed: Option<Ms>, arrived: Ms) -> Ms {
    claimed.filter(|_| is_believable(claimed, arrived)).unwrap_or(arrived)
}

/// Whether a device claims a time by which ids go. Else they go by the arrival of its message.
#[must_use]
pub fn is_believable(claimed: Option<Ms>, arrived: Ms) -> bool {
    claimed.is_some_and(|ts| (EARLIEST..=arrived.saturating_add(AHEAD_MS)).contains(&ts))
}

impl IdSecret {
    /// The id of an incident; `again`: how many ids of the same cause are taken.
    pub(super) fn incident(&self, opened: &OpenedBy<'_>, arrived: Ms, again: u32) -> IncidentId {
        let text = AuthenticatedText::new(self, "incident");
        let (text, at) = match opened {
            OpenedBy::Message(cause, class) => {
                let text = text.text("message").text(&cause.device).text(class.as_str());
                let text = text.maybe(cause.boot).maybe(cause.seq).number(cause.print);
                let claimed = cause.ts.map_or(0, |ts| u128::from(ts.cast_unsigned()) + 1);
                (text.number(claimed), moment(cause.ts, arrived))
            }
            OpenedBy::State { of: (kind, name), condition, onset } => {
                let text = text.text("state").text(kind).text(name).text(condition.as_str());
                let text = text.number(u128::from(onset.cast_unsigned()));
                (text, moment(Some(*onset), arrived))
            }
        };
        text.number(u128::from(again)).id(at)
    }

    /// The id of a page, which has its incident's time: a step that is due later is the same page
    /// wherever it is decided.
    pub(super) fn page(&self, page: &Page) -> Ulid {
        let (kind, name) = match &page.receiver {
            Receiver::Station(id) => ("station", id),
            Receiver::Webhook(name) => ("webhook", name),
        };
        let text = AuthenticatedText::new(self, "page").number(page.incident.0);
        let text = text.number(u128::from(page.episode)).number(u128::from(page.step));
        let text = text.number(u128::from(page.repeat)).text(kind).text(name);
        text.id(Ms::try_from(page.incident.timestamp_ms()).unwrap_or(0))
    }

    /// The id of a bundle of these pages: the same for whoever bundles the same at that moment.
    pub(super) fn bundle(&self, (name, pages): (&str, &[Ulid]), now: Ms) -> Ulid {
        let text = AuthenticatedText::new(self, "bundle").text(name);
        pages.iter().fold(text, |text, page| text.number(page.0)).id(now)
    }

    /// The id of what somebody asked for or announced; `number` is its own.
    pub(super) fn request(&self, (kind, of): (&str, &str), number: u64, now: Ms) -> Ulid {
        AuthenticatedText::new(self, kind).text(of).number(u128::from(number)).id(now)
    }
}

#[cfg(test)]
mod tests {
    use standpipe_shared::Class;
    use ulid::Ulid;

    use super::{Cause, IdSecret, OpenedBy, moment};
    use crate::Ms;

    const NOW: Ms = 1_767_225_600_000;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", IdSecret::new([7; 32])), "Secret(…)");
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_time_is_believed_from_2020_to_five_minutes_ahead() {
        for (claimed, expected) in [
            (None,                        NOW),
            (Some(NOW - 3_600_000),       NOW - 3_600_000),
            (Some(NOW + 300_000),         NOW + 300_000),
            (Some(NOW + 300_001),         NOW),
            (Some(1_577_836_800_000),     1_577_836_800_000),
            (Some(1_577_836_799_999),     NOW),
            (Some(0),                     NOW),
            (Some(-1),                    NOW),
            (Some(Ms::MAX),               NOW),
        ] {
            assert_eq!(moment(claimed, NOW), expected, "{claimed:?}");
        }
    }

    /// Computed by another program: HMAC-SHA256 of the parts, each behind its length.
    #[test]
    fn the_id_of_a_message_is_fixed_for_good() {
        let cause =
            Cause { device: "S".into(), ts: Some(NOW), boot: Some(3), seq: Some(18), print: 5 };
        let id = IdSecret::new([1; 32]).incident(&OpenedBy::Message(&cause, Class::Fire), NOW, 0);
        assert_eq!(id.timestamp_ms(), NOW.unsigned_abs());
        assert_eq!(format!("{:020x}", id.random()), FIXED);
    }

    const FIXED: &str = "8ba0204faca3685d283a";

    #[test]
    fn a_bundle_has_an_id_of_its_receiver_its_pages_and_its_moment() {
        let pages = [Ulid::from_parts(1, 1), Ulid::from_parts(2, 2)];
        let id = |secret: u8, name, pages: &[Ulid], at| {
            IdSecret::new([secret; 32]).bundle((name, pages), at)
        };
        let bundle = id(1, "w", &pages, NOW);
        assert_eq!(bundle, id(1, "w", &pages, NOW), "decided again");
        assert_eq!(bundle.timestamp_ms(), NOW.unsigned_abs());
        for (story, other) in [
            ("another secret", id(2, "w", &pages, NOW)),
            ("another receiver", id(1, "v", &pages, NOW)),
            ("fewer pages", id(1, "w", &pages[..1], NOW)),
            ("another moment", id(1, "w", &pages, NOW + 1)),
        ] {
            assert_ne!(bundle, other, "{story}");
        }
    }
}
