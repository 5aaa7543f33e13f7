//! Incidents: what people handle, and who is told when.
//!
//! A [`crate::Fact`] comes in, or a person's [`Action`], or time passes; what follows goes out
//! as [`crate::Changes`]. The [`Book`] owns every open incident and nothing else does.
//!
//! | file | idea |
//! |---|---|
//! | `incident` | one incident and what is true of it |
//! | `book` | all open incidents, how they are found, kept and restored |
//! | `hear` | what detection found |
//! | `act` | what people do |
//! | `authority` | who may do that |
//! | `damp` | what flaps: edges are recorded, sounds are not repeated |
//! | `unreadable` | alarms that cannot be read |
//! | `ids` | ids that nobody can guess, the same whenever the same is decided |
//! | `escalate` | what time does: steps, repetitions, the forgotten, the absent |
//! | `verify` | how an incident ends |
//! | `family` | zones and areas stand for many |
//! | `announce` | what people announce, and what can't be |
//! | `exercise` | an alarm of the gateway's own making |
//! | `gateway` | what is wrong with the gateway itself |
//! | `bulletin` | what stations are told of announced work |
//! | `mute` | tests, exercises, maintenance, water drawn for a fire |
//! | `plan`, `route` | times as configured; who is paged at which step |
//! | `bundle` | what several pages say that one message carries |
//! | `bundling` | pages that one message carries, and what becomes of them together |
//! | `preview` | who would be told when: a rehearsal by the real book |
//! | `nearest`, `distance` | the hydrants near a fire |
//! | `recovered` | one whose row can't be read, from what stations were shown of it |
//! | `wire`, `title` | an incident as stations see it |
//!
//! Below it, because others name it too: where an incident stands ([`crate::state`]), what people do
//! ([`crate::action`]), what a line of its trail says ([`crate::trail`]).
//!
//! Not here: what makes a condition true (`detect`), how a page travels (`standpipe_notify`).

mod act;
mod announce;
mod authority;
mod book;
mod bulletin;
mod bundle;
mod bundling;
mod damp;
mod distance;
mod escalate;
mod exercise;
mod family;
mod gateway;
mod hear;
mod ids;
mod incident;
mod mute;
mod nearest;
mod plan;
mod preview;
mod receivers;
mod recovered;
mod route;
mod title;
mod unreadable;
mod verify;
mod version;
mod wire;

#[cfg(test)]
mod tests;

pub use crate::action::{AccountRole, Action, ActionKind, Actor, Refused};
use crate::state;
pub use crate::state::{IncidentEvent, IncidentId, Outcome, State, step};
pub use crate::trail::{Said, Unit, rounded};
pub use announce::{Announcement, BadAnnouncement, Scope, WINDOWS_MOST, mutable};
pub use authority::authorise;
pub use book::{Book, BookView, Meta, Saved};
pub use bulletin::{BulletinWork, LostHydrant, bulletins};
pub use bundle::{
    BundledPage, CountedStation, ListedMember, MEMBERS_LISTED, NAMED, NamedMember, WireBundle,
};
pub use damp::{Flaps, Held, Sounded};
pub use distance::way;
pub use ids::{Cause, IdSecret, is_believable};
pub use incident::{Incident, Member, Quiet, Rank};
pub use mute::{Announced, Window};
pub use plan::{Plan, ReceiverRole, Route, Steps};
pub use preview::{
    Difference, Hears, Muted, PlannedPage, Preview, Scene, conditions_of, differences, preview,
};
pub use receivers::ReceiverNews;
pub use recovered::ShownBefore;
pub use route::rehearse;
pub use wire::{
    Flapping, NearHydrant, Place, QuietCode, Text, UNVERIFIED, WireDevice, WireIncident,
    is_suspicious, not_stored, with_page, with_suspicion,
};
