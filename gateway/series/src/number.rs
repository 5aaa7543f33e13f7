//! Numbers as people write them: short, and read back as the same number. Without an allocation.

use std::fmt::Write;

use standpipe_shared::NotFinite;

/// Writes a number so that reading it back gives the same `f32`: with up to three decimals
/// where that is exact, which is what sensors send, else in full.
///
/// # Errors
/// [`NotFinite`]; nothing was written then.
#[inline] // into the writer of lines, in a file of its own: 3 % of a point
#[expect(clippy::cast_possible_truncation, reason = "of a number under a thousand million")]
pub fn float(out: &mut String, value: f32) -> Result<(), NotFinite> {
    if !value.is_finite() {
        return Err(NotFinite);
    }
    let wide = f64::from(value);
    for (power, decimals) in [(1.0, 0), (10.0, 1), (100.0, 2), (1_000.0, 3)] {
        let scaled = (wide * power).round();
        if scaled.abs() < 1e9 && (scaled / power) as f32 == value {
            fixed(out, scaled as i64, decimals);
            return Ok(());
        }
    }
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
    Ok(())
}

/// Writes `scaled` / 10^`decimals`.
fn fixed(out: &mut String, scaled: i64, decimals: u32) {
    if scaled < 0 {
        out.push('-');
    }
    let (whole, part) = {
        let power = 10_u64.pow(decimals);
        (scaled.unsigned_abs() / power, scaled.unsigned_abs() % power)
    };
    digits(out, whole, 1);
    if decimals > 0 {
        out.push('.');
        digits(out, part, decimals as usize);
    }
}

/// Writes a whole number.
#[inline]
pub fn integer(out: &mut String, value: i64) {
    if value < 0 {
        out.push('-');
    }
    digits(out, value.unsigned_abs(), 1);
}

/// Writes a number with at least this many digits.
fn digits(out: &mut String, mut value: u64, least: usize) {
    let mut buffer = [b'0'; 20];
    let mut used = 0;
    for place in buffer.iter_mut().rev() {
        if value == 0 && used >= least {
            break;
        }
        *place = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        used += 1;
    }
    let tail = buffer.len() - used;
    out.push_str(
        buffer.get(tail..).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default(),
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use standpipe_shared::NotFinite;

    use super::{float, integer};

    #[test]
    #[rustfmt::skip] // a table
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"), (-0.0, "0"), (312.4, "312.4"), (-0.05, "-0.05"), (14.25, "14.25"),
            (1.007, "1.007"), (1e9, "1000000000"), (0.000_1, "0.0001"), (100.0, "100"),
        ] {
            let mut out = String::new();
            float(&mut out, value).unwrap();
            assert_eq!(out, expected);
        }
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut out = String::new();
            assert_eq!(float(&mut out, value), Err(NotFinite));
            assert!(out.is_empty());
        }
    }

    proptest! {
        #[test]
        fn every_float_is_read_back_the_same(value in any::<f32>()) {
            let mut out = String::new();
            if float(&mut out, value).is_ok() {
                prop_assert_eq!(out.parse::<f32>(), Ok(value));
            } else {
                prop_assert!(!value.is_finite());
            }
        }

        #[test]
        fn every_integer_too(value in any::<i64>()) {
            let mut out = String::new();
            integer(&mut out, value);
            prop_assert_eq!(out.parse::<i64>(), Ok(value));
        }
    }
}
