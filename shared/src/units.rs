//! Physical quantities. Each is a finite number with its unit in its type.
//!
//! Whether a value is *plausible* is not decided here: a wild value is evidence of a broken
//! sensor, so it must be representable to be reported.

use serde::{Deserialize, Serialize};

/// A number that is infinite or not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFinite;

impl core::fmt::Display for NotFinite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not a finite number: send a finite one, or leave the field out")
    }
}

impl core::error::Error for NotFinite {}

/// Seven quantities have the same shape and must not be mistaken for each other: a generic
/// wrapper would need a marker type for each, which is this macro with more words.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $range:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f32", into = "f32")]
        pub struct $name(f32);

        impl $name {
            /// What a working sensor can report; outside it the sensor or its wire is broken.
            pub const PLAUSIBLE: core::ops::RangeInclusive<f32> = $range;

            /// 0 of the unit.
            pub const ZERO: Self = Self(0.0);

            /// # Errors
            /// [`NotFinite`] for an infinity or NaN.
            pub fn new(value: f32) -> Result<Self, NotFinite> {
                if value.is_finite() { Ok(Self(value)) } else { Err(NotFinite) }
            }

            /// The bare number, in the unit of the type.
            #[must_use]
            pub const fn get(self) -> f32 {
                self.0
            }

            /// Whether a working sensor can have reported this.
            #[must_use]
            pub fn plausible(self) -> bool {
                Self::PLAUSIBLE.contains(&self.0)
            }
        }

        impl TryFrom<f32> for $name {
            type Error = NotFinite;
            fn try_from(value: f32) -> Result<Self, NotFinite> {
                Self::new(value)
            }
        }

        impl From<$name> for f32 {
            fn from(value: $name) -> f32 {
                value.0
            }
        }
    };
}

quantity!(
    /// Gauge pressure, kPa: 0 is atmospheric, below 0 is suction.
    /// Plausible: what a 0–25 bar transducer can report.
    Kilopascals, -100.0..=2_500.0
);
quantity!(
    /// Current of a 4–20 mA loop, mA. Plausible below 3.6 or above 21 is a fault (NAMUR NE 43),
    /// which the rule `sensor_fault` judges with the profile's limits.
    Milliamps, 0.0..=25.0
);
quantity!(
    /// Angle from vertical, degrees.
    Degrees, -180.0..=180.0
);
quantity!(
    /// Smoke obscuration, dB/m.
    DecibelsPerMetre, -1.0..=50.0
);
quantity!(
    /// Temperature, °C.
    Celsius, -60.0..=300.0
);
quantity!(
    /// Share of a whole, per cent.
    Percent, -5.0..=200.0
);
