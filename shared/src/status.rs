//! The birth message of a device, and its Last Will `{"online":false}`.

use serde::{Deserialize, Serialize};

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status<'a> {
    /// False in the Last Will.
    pub online: bool,
    /// How often the device has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<u32>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<&'a str>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a str>,
    /// Seconds between its readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<u32>,
    /// Why it started: `power_on`, `watchdog`, …
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub reset: Option<&'a str>,
    /// Which settings it runs; the gateway shows newer ones as pending until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<u32>,
    /// How many messages it has lost, ever; missing: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u32>,
    /// What is wrong with its storage: `fresh`, `corrupt`, `failed`; missing: nothing.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub storage: Option<&'a str>,
}
