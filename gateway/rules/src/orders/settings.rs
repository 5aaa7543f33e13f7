//! One device's settings: what it was told, whether the broker has that, what it made of it.
//!
//! Their number only grows, also past what the device itself knows: a store that was lost, or a
//! device that was another's, must not leave a device deaf to what is new.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use standpipe_shared::Settings;

use super::{Wish, Wished};
use crate::Ms;
use crate::registry::Device;

/// Where a device's settings stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingsState {
    /// Nobody wishes any, and it was never told any.
    None,
    /// It does not say yet that it runs them.
    Pending,
    /// It says that it runs them.
    Applied,
    /// It says that it does not, and runs those from before.
    Refused,
}

impl SettingsState {
    /// Its name in the store and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

/// What pending settings wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// The device's first message: only that says in which area it is.
    FirstMessage,
    /// Its turn among the devices of its profile.
    Turn,
    Broker,
    /// The device's next wake.
    Device,
}

/// Whose wish a device follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingsSource {
    /// One for this device alone.
    Device,
    /// One for all devices of its profile.
    Profile,
}

/// What a device was told last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToldSettings {
    pub wish: Wish,
    /// Under which number, from 1.
    pub rev: u32,
    /// When that was decided.
    pub at: Ms,
    /// In which area; empty: it never spoke, and nothing is sent.
    pub area: Box<str>,
    /// Where the broker still keeps what it was told before it moved; empty: nowhere.
    pub left_area: Box<str>,
    /// When the broker had it.
    pub sent_at: Option<Ms>,
    /// What the device made of it.
    pub state: SettingsState,
    /// Why it refused.
    pub detail: Box<str>,
    /// When it said so.
    pub answered_at: Option<Ms>,
}

/// What is known of one device's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceSettings {
    /// What it was told; `None`: nothing yet.
    pub told: Option<ToldSettings>,
    /// The number of those it says it runs.
    pub reported_rev: Option<u32>,
    /// When it said that number first.
    pub reported_at: Option<Ms>,
}

impl DeviceSettings {
    /// What it was told to run.
    #[must_use]
    pub fn wish(&self) -> Option<Wish> {
        self.told.as_ref().map(|told| told.wish)
    }

    /// What the broker is to have, and where; `None`: it has that, or nobody knows where.
    #[must_use]
    pub fn owed(&self) -> Option<&ToldSettings> {
        self.told.as_ref().filter(|told| told.sent_at.is_none() && !told.area.is_empty())
    }

    /// Where it stands, as far as it was told.
    #[must_use]
    pub fn state(&self) -> SettingsState {
        self.told.as_ref().map_or(SettingsState::None, |told| told.state)
    }

    pub(super) fn is_refused(&self) -> bool {
        self.state() == SettingsState::Refused
    }

    /// It shall run this, under a number that neither it nor we have used.
    pub(super) fn tell(&mut self, wish: Wish, area: &str, now: Ms) {
        let before = self.told.as_ref().map_or(0, |told| told.rev);
        let rev = before.max(self.reported_rev.unwrap_or(0)).saturating_add(1);
        let left_area = self.told.take().map_or_else(Box::default, |told| told.left(area));
        self.told = Some(ToldSettings {
            wish,
            rev,
            at: now,
            area: area.into(),
            left_area,
            sent_at: None,
            state: SettingsState::Pending,
            detail: Box::default(),
            answered_at: None,
        });
    }

    /// It speaks from this area; says whether something follows from that.
    pub(super) fn moved(&mut self, area: &str) -> bool {
        let Some(told) = self.told.as_mut().filter(|told| &*told.area != area) else {
            return false;
        };
        told.left_area = told.left(area);
        (told.area, told.sent_at) = (area.into(), None);
        true
    }

    /// The broker has that number.
    pub(super) fn sent(&mut self, rev: u32, at: Ms) -> bool {
        let told = self.told.as_mut().filter(|told| told.rev == rev && told.sent_at.is_none());
        let Some(told) = told else { return false };
        told.sent_at = Some(at);
        told.left_area = Box::default();
        true
    }

    /// It runs that number; says whether that is news.
    ///
    /// One that ran ours and runs an older one has lost it: it is sent again. One that runs a
    /// newer one than ours follows nobody: ours is told anew, past it.
    pub(super) fn reported(&mut self, rev: u32, at: Ms) -> bool {
        let news = self.reported_rev != Some(rev);
        if news {
            (self.reported_rev, self.reported_at) = (Some(rev), Some(at));
        }
        let Some(told) = &mut self.told else { return news };
        match (rev.cmp(&told.rev), told.state == SettingsState::Applied) {
            (Ordering::Equal, true) | (Ordering::Less, false) => return news,
            (Ordering::Equal, false) => {
                (told.state, told.answered_at) = (SettingsState::Applied, Some(at));
                told.detail = Box::default();
            }
            (Ordering::Greater, _) => {
                let (wish, area) = (told.wish, told.area.clone());
                self.tell(wish, &area, at);
            }
            (Ordering::Less, true) => {
                (told.state, told.sent_at, told.answered_at) = (SettingsState::Pending, None, None);
            }
        }
        true
    }

    /// It answers that number; says whether that is news.
    pub(super) fn answered(&mut self, rev: u32, ok: bool, detail: &str, at: Ms) -> bool {
        if ok {
            return self.told.as_ref().is_some_and(|told| told.rev == rev)
                && self.reported(rev, at);
        }
        let pending =
            |told: &&mut ToldSettings| told.rev == rev && told.state != SettingsState::Applied;
        let Some(told) = self.told.as_mut().filter(pending) else { return false };
        let news = told.state != SettingsState::Refused || &*told.detail != detail;
        told.state = SettingsState::Refused;
        (told.detail, told.answered_at) = (detail.into(), Some(at));
        news
    }
}

impl ToldSettings {
    /// Where the broker keeps something that is to be taken away when it goes to `area`.
    fn left(&self, area: &str) -> Box<str> {
        let kept = if self.sent_at.is_some() { &self.area } else { &self.left_area };
        if &**kept == area { Box::default() } else { kept.clone() }
    }

    /// As the device is told.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.wish.numbered(self.rev)
    }
}

/// What people see of a device's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownSettings {
    /// Whose wish it follows; `None`: nobody wishes any, and what it was told stays.
    pub source: Option<SettingsSource>,
    /// What it shall run, and from whom and when that is; `None`: nobody wishes any.
    pub wished: Option<Wished>,
    pub state: SettingsState,
    /// What it waits for, while pending.
    pub waits_for: Option<WaitsFor>,
    /// What is known of the device itself.
    pub known: DeviceSettings,
}

impl ShownSettings {
    /// From what is wished, of the device itself and of its profile, and from what it was told.
    #[must_use]
    pub fn of(
        own: Option<&Wished>,
        profile: Option<&Wished>,
        known: Option<&DeviceSettings>,
        device: &Device,
    ) -> Self {
        let known = known.cloned().unwrap_or_default();
        let source = match (own, profile) {
            (Some(_), _) => Some(SettingsSource::Device),
            (None, Some(_)) => Some(SettingsSource::Profile),
            (None, None) => None,
        };
        let wished = own.or(profile).cloned();
        let turn = wished.as_ref().is_some_and(|wished| known.wish() != Some(wished.wish));
        let state = if turn { SettingsState::Pending } else { known.state() };
        let waits = || match &known.told {
            _ if device.area.is_empty() => WaitsFor::FirstMessage,
            _ if turn => WaitsFor::Turn,
            Some(told) if told.sent_at.is_some() => WaitsFor::Device,
            Some(_) | None => WaitsFor::Broker,
        };
        let waits_for = (state == SettingsState::Pending).then(waits);
        Self { source, wished, state, waits_for, known }
    }
}

#[cfg(test)]
mod tests {
    use super::SettingsState;

    #[test]
    fn a_state_is_named_as_it_is_written() {
        use SettingsState::{Applied, None, Pending, Refused};
        for state in [None, Pending, Applied, Refused] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
