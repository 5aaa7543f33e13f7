//! With which settings a node starts, and how it says that it refuses others. Which are sound is
//! decided in `standpipe-shared`, for both sides. Those that a node refuses change nothing.

use core::fmt::Write;

use standpipe_shared::{Kilopascals, Settings, SettingsFault};

/// Those of a node that was never told any: `rev` 0, and the defaults of the contract.
///
/// # Panics
/// Never: the numbers are finite.
#[must_use]
pub fn defaults() -> Settings {
    let kpa = |number| Kilopascals::new(number).unwrap_or_else(|_| unreachable!("a finite number"));
    Settings {
        rev: 0,
        interval_s: 900,
        sample_s: 5,
        low_kpa: kpa(140.0),
        no_water_kpa: kpa(20.0),
        delta_kpa: kpa(15.0),
    }
}

/// Those of a hydrant on a battery that was never told any: its transmitter must warm up for every
/// sample, so that 5 s would cost two thirds of the battery's life ([`crate::power`]). What rare
/// samples cost in seconds of detection, [`crate::power::no_water_within_s`] says.
#[must_use]
pub fn battery() -> Settings {
    Settings { sample_s: 60, ..defaults() }
}

/// Why these are refused, in the words of a reply; the first fault is enough. Numbers are told
/// whole: printing fractions takes as much flash as a driver.
///
/// # Errors
/// Whatever `out` answers.
pub fn explain(fault: &SettingsFault, out: &mut impl Write) -> core::fmt::Result {
    match fault {
        SettingsFault::Seconds { field, value, least, most } => {
            write!(out, "{field} is {value} s: set {least} to {most} s")
        }
        SettingsFault::Pressure { field, least, most, .. } => {
            let [least, most] = [*least, *most].map(whole);
            write!(out, "{field} is out of range: set {least} to {most} kPa")
        }
        SettingsFault::SampleOverInterval { .. } => {
            out.write_str("sample_s is over interval_s: set it to that or less")
        }
        SettingsFault::NoWaterOverLow { .. } => {
            out.write_str("no_water_kpa is not below low_kpa: set it below")
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a limit: whole thousands at most")]
const fn whole(kpa: f32) -> i32 {
    kpa as i32
}

#[cfg(test)]
mod tests {
    use super::{defaults, explain};
    use crate::actions::DETAIL;
    use heapless::String;
    use standpipe_shared::{Kilopascals, Settings};

    #[test]
    #[rustfmt::skip] // a table
    fn every_fault_is_explained_in_the_length_of_a_reply() {
        let kpa = |number| Kilopascals::new(number).unwrap_or(defaults().low_kpa);
        let settings = defaults();
        assert_eq!(settings.faults().count(), 0);
        for (bad, why) in [
            (Settings { interval_s: 4, sample_s: 1, ..settings }, "interval_s is 4 s: set 5 to 86400 s"),
            (Settings { interval_s: u32::MAX, ..settings }, "interval_s is 4294967295 s: set 5 to 86400 s"),
            (Settings { sample_s: 0, ..settings },          "sample_s is 0 s: set 1 to 600 s"),
            (Settings { interval_s: 60, sample_s: 61, ..settings }, "sample_s is over interval_s: set it to that or less"),
            (Settings { low_kpa: kpa(2_000.5), ..settings }, "low_kpa is out of range: set 1 to 2000 kPa"),
            (Settings { no_water_kpa: kpa(140.0), ..settings }, "no_water_kpa is not below low_kpa: set it below"),
            (Settings { no_water_kpa: kpa(0.5), ..settings }, "no_water_kpa is out of range: set 1 to 500 kPa"),
            (Settings { delta_kpa: kpa(-15.0), ..settings }, "delta_kpa is out of range: set 2 to 1000 kPa"),
        ] {
            let mut detail = String::<DETAIL>::new();
            let explained = bad.faults().next().map(|fault| explain(&fault, &mut detail));
            assert_eq!((explained, detail.as_str()), (Some(Ok(())), why), "{bad:?}");
        }
    }
}
