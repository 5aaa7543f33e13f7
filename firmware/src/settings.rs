//! Which settings a node accepts. Those it refuses change nothing: the old ones are kept, and a
//! reply with the id `settings-<rev>` says why. The limits are those of [`Settings`]: the gateway
//! goes by the same.

use standpipe_shared::{Kilopascals, Settings};

/// Why settings were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Outside [`Settings::INTERVAL_S`].
    Interval,
    /// Outside [`Settings::SAMPLE_S`], or longer than the interval.
    Sample,
    /// Outside [`Settings::LOW_KPA`].
    Low,
    /// Outside [`Settings::NO_WATER_KPA`], or not below the limit of `low_pressure`.
    NoWater,
    /// Outside [`Settings::DELTA_KPA`].
    Delta,
}

impl Refused {
    /// What the reply says.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Interval => "interval_s out of range: use 5 to 86400",
            Self::Sample => "sample_s out of range: use 1 to 600, at most interval_s",
            Self::Low => "low_kpa out of range: use 1 to 2000",
            Self::NoWater => "no_water_kpa out of range: use 1 to 500, below low_kpa",
            Self::Delta => "delta_kpa out of range: use 2 to 1000",
        }
    }
}

/// Those of a node that was never told any: `rev` 0, and the defaults of the contract.
///
/// # Panics
/// Never: the numbers are finite.
#[must_use]
pub fn defaults() -> Settings {
    let kpa = |it| Kilopascals::new(it).unwrap_or_else(|_| unreachable!("a finite number"));
    Settings {
        rev: 0,
        interval_s: 900,
        sample_s: 5,
        low_kpa: kpa(140.0),
        no_water_kpa: kpa(20.0),
        delta_kpa: kpa(15.0),
    }
}

/// Whether a node can run these.
///
/// # Errors
/// [`Refused`] names the first field that is out of range.
pub fn check(it: &Settings) -> Result<(), Refused> {
    let (low, dry) = (it.low_kpa.get(), it.no_water_kpa.get());
    if !Settings::INTERVAL_S.contains(&it.interval_s) {
        Err(Refused::Interval)
    } else if !Settings::SAMPLE_S.contains(&it.sample_s) || it.sample_s > it.interval_s {
        Err(Refused::Sample)
    } else if !Settings::LOW_KPA.contains(&low) {
        Err(Refused::Low)
    } else if !Settings::NO_WATER_KPA.contains(&dry) || dry >= low {
        Err(Refused::NoWater)
    } else if !Settings::DELTA_KPA.contains(&it.delta_kpa.get()) {
        Err(Refused::Delta)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Refused, check, defaults};
    use crate::actions::DETAIL;
    use standpipe_shared::{Kilopascals, Settings};

    #[test]
    #[rustfmt::skip] // a table
    fn every_field_has_its_range_and_its_words() {
        let kpa = |it| Kilopascals::new(it).unwrap_or(defaults().low_kpa);
        let it = defaults();
        assert_eq!(check(&it), Ok(()));
        for (bad, why) in [
            (Settings { interval_s: 4, sample_s: 1, ..it },        Refused::Interval),
            (Settings { interval_s: 86_401, ..it },                Refused::Interval),
            (Settings { sample_s: 0, ..it },                       Refused::Sample),
            (Settings { sample_s: 601, ..it },                     Refused::Sample),
            (Settings { interval_s: 60, sample_s: 61, ..it },      Refused::Sample),
            (Settings { low_kpa: kpa(0.0), ..it },                 Refused::Low),
            (Settings { low_kpa: kpa(2_001.0), ..it },             Refused::Low),
            (Settings { no_water_kpa: kpa(140.0), ..it },          Refused::NoWater),
            (Settings { no_water_kpa: kpa(0.5), ..it },            Refused::NoWater),
            (Settings { delta_kpa: kpa(1.0), ..it },               Refused::Delta),
            (Settings { delta_kpa: kpa(-15.0), ..it },             Refused::Delta),
        ] {
            assert_eq!(check(&bad), Err(why), "{bad:?}");
            assert!(why.detail().len() <= DETAIL && why.detail().contains(": use"));
        }
        assert_eq!(check(&Settings { interval_s: 5, sample_s: 5, ..it }), Ok(()));
        assert_eq!(check(&Settings { interval_s: 86_400, sample_s: 600, ..it }), Ok(()));
    }
}
