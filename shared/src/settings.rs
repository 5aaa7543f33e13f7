//! What the gateway asks of a device.

use serde::{Deserialize, Serialize};

use crate::Kilopascals;

/// How a node measures and reports.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Grows with every change.
    pub rev: u32,
    /// Seconds between readings.
    pub interval_s: u32,
    /// Seconds between samples.
    pub sample_s: u32,
    /// Limit of `low_pressure`.
    pub low_kpa: Kilopascals,
    /// Limit of `no_water`.
    pub no_water_kpa: Kilopascals,
    /// A change of pressure that is reported at once.
    pub delta_kpa: Kilopascals,
}
