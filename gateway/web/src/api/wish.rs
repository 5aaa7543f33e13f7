//! The body of a wish: settings as somebody writes them, against the limits of a device.

use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::Number;
use standpipe_rules::orders::Wish;
use standpipe_shared::{Kilopascals, Settings};
use utoipa::ToSchema;

use super::body::signed;
use super::problem::{Fault, Problem, ProblemCode};
use crate::api::who::Who;

/// Settings as they are wished. What is left out is the profile's.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettingsBody)]
pub struct WishBody {
    /// Seconds between readings: 5 to 86400.
    #[schema(value_type = Option<u32>)]
    interval_s: Option<Number>,
    /// Seconds between samples: 1 to 600, of a smoke detector 1 to 10, and no more than `interval_s`.
    #[schema(value_type = Option<u32>)]
    sample_s: Option<Number>,
    /// kPa: 1 to 2000.
    #[schema(value_type = Option<f32>)]
    low_kpa: Option<Number>,
    /// kPa: 1 to 500, and below `low_kpa`.
    #[schema(value_type = Option<f32>)]
    no_water_kpa: Option<Number>,
    /// kPa: 2 to 1000.
    #[schema(value_type = Option<f32>)]
    delta_kpa: Option<Number>,
    /// Who wishes that.
    #[serde(default)]
    by: String,
}

impl WishBody {
    /// What is wished, where it says nothing as in `base`; and by whom.
    ///
    /// # Errors
    /// 400 that names each member, its limits and what to do.
    pub fn over(&self, base: Settings, who: &Who) -> Result<(Wish, Box<str>), Problem> {
        let (mut settings, mut faults) = (base, Vec::new());
        let mut whole = |field, said: &Option<Number>, to: &mut u32, limits| {
            if let Some(said) = said {
                match u32::try_from(said.as_u64().unwrap_or(u64::MAX)) {
                    Ok(value) => *to = value,
                    Err(_) => faults.push(seconds(field, said, &limits)),
                }
            }
        };
        whole("interval_s", &self.interval_s, &mut settings.interval_s, Settings::INTERVAL_S);
        whole("sample_s", &self.sample_s, &mut settings.sample_s, Settings::SAMPLE_S);
        for (said, to) in [
            (&self.low_kpa, &mut settings.low_kpa),
            (&self.no_water_kpa, &mut settings.no_water_kpa),
            (&self.delta_kpa, &mut settings.delta_kpa),
        ] {
            if let Some(said) = said {
                *to = kilopascals(said);
            }
        }
        let by = signed(&self.by, who)?;
        match Wish::new(settings) {
            Ok(wish) if faults.is_empty() => return Ok((wish, by)),
            Ok(_) => {}
            Err(more) => {
                let known: Vec<_> = faults.iter().map(|fault| fault.field).collect();
                let more = more.into_iter().filter(|wrong| !known.contains(&wrong.field()));
                faults.extend(
                    more.map(|wrong| Fault { field: wrong.field(), detail: wrong.to_string() }),
                );
            }
        }
        Err(Problem::bad_members(ProblemCode::BadSettings, "Settings out of range", &faults))
    }
}

/// What is no whole number is outside every limit.
fn seconds(field: &'static str, said: &Number, limits: &RangeInclusive<u32>) -> Fault {
    let (least, most) = (limits.start(), limits.end());
    Fault { field, detail: format!("{field} is {said}: set {least} to {most} s") }
}

/// A pressure as precise as a device knows it; what is beyond every number is outside its limits.
#[expect(clippy::cast_possible_truncation, reason = "a device reckons in f32")]
fn kilopascals(said: &Number) -> Kilopascals {
    let value = said.as_f64().unwrap_or(f64::MAX) as f32;
    Kilopascals::new(value.clamp(f32::MIN, f32::MAX)).unwrap_or(Kilopascals::ZERO)
}
