//! The birth message of a device, and its Last Will `{"online":false}`.

use serde::{Deserialize, Serialize};

/// What a device says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Which build of the firmware it runs.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub build: Option<&'a str>,
    /// Nobody has measured its chamber: it alarms early rather than late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncalibrated: Option<bool>,
    /// How many messages of the gateway it could not read since it started; missing: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<u32>,
    /// Its modem's IMEI.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub imei: Option<&'a str>,
    /// Its SIM's ICCID.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub iccid: Option<&'a str>,
    /// Its modem's firmware.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub modem: Option<&'a str>,
    /// How long it took to find the network for this connection, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_s: Option<u32>,
    /// The reference signal's power, dBm, and its signal-to-noise ratio, dB: what NB-IoT lives by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsrp_dbm: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snr_db: Option<i32>,
    /// Why the last call that failed did: `no_sim`, `denied`, `no_network`, `no_answer`, …
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub dial_fault: Option<&'a str>,
    /// How often it has dialled since it started, and what its modem has taken for that, mAh, as it
    /// reckons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modem_mah: Option<u32>,
}
