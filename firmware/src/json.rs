//! As much JSON as a device needs for numbers, in a tenth of the flash that a whole reader and
//! writer with floating point takes: the members of one object, and decimals as whole steps.
//!
//! Messages without decimals (status, answers) are written by `serde-json-core`.

use crate::buffer::Buffer;
pub use crate::buffer::TooSmall;

/// Bytes that are no JSON object, or not one with the values that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadJson;

/// Name and raw value.
pub type Member<'a> = (&'a [u8], &'a [u8]);

/// The members of an object: name and raw value. Names with escapes are not read as such; no
/// name of the contract has any.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    rest: &'a [u8],
    first: bool,
}

impl<'a> Members<'a> {
    /// Begins to read an object.
    ///
    /// # Errors
    /// [`BadJson`] for anything else.
    pub fn of(text: &'a [u8]) -> Result<Self, BadJson> {
        let rest = text.trim_ascii_start().strip_prefix(b"{").ok_or(BadJson)?;
        Ok(Self { rest, first: true })
    }

    /// The next member; `None` at the end of the object, after which nothing may follow.
    ///
    /// # Errors
    /// [`BadJson`]
    pub fn member(&mut self) -> Result<Option<Member<'a>>, BadJson> {
        let rest = self.rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"}") {
            return if after.trim_ascii().is_empty() { Ok(None) } else { Err(BadJson) };
        }
        let rest = if self.first { rest } else { rest.strip_prefix(b",").ok_or(BadJson)? };
        self.first = false;
        let (name, rest) = value(rest.trim_ascii_start())?;
        let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\""));
        let rest = rest.trim_ascii_start().strip_prefix(b":").ok_or(BadJson)?;
        let (value, rest) = value(rest.trim_ascii_start())?;
        self.rest = rest;
        Ok(Some((name.ok_or(BadJson)?, value)))
    }
}

/// Splits one value off: a string, a word, or something in brackets.
fn value(text: &[u8]) -> Result<(&[u8], &[u8]), BadJson> {
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    for (at, byte) in text.iter().enumerate() {
        let mut whole = false;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => {
                in_string = !in_string;
                whole = !in_string && depth == 0;
            }
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => {
                return if at == 0 {
                    Err(BadJson)
                } else {
                    text.split_at_checked(at).ok_or(BadJson)
                };
            }
            b'}' | b']' => {
                depth -= 1;
                whole = depth == 0;
            }
            _ => {}
        }
        if whole {
            return text.split_at_checked(at + 1).ok_or(BadJson);
        }
    }
    Err(BadJson)
}

/// A string without escapes.
///
/// # Errors
/// [`BadJson`] for anything else.
pub fn text(value: &[u8]) -> Result<&str, BadJson> {
    let inside =
        value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).ok_or(BadJson)?;
    if inside.contains(&b'\\') || inside.contains(&b'"') {
        return Err(BadJson);
    }
    core::str::from_utf8(inside).map_err(|_| BadJson)
}

/// A whole number.
///
/// # Errors
/// [`BadJson`] for anything else, and for one that does not fit.
pub fn whole<T: core::str::FromStr>(value: &[u8]) -> Result<T, BadJson> {
    core::str::from_utf8(value).ok().and_then(|number| number.parse().ok()).ok_or(BadJson)
}

/// A number with at most nine digits and no exponent.
///
/// # Errors
/// [`BadJson`] for anything else.
#[expect(clippy::cast_precision_loss, reason = "up to seven digits are exact")]
pub fn decimal(value: &[u8]) -> Result<f32, BadJson> {
    let (digits, sign) = match value.strip_prefix(b"-") {
        Some(digits) => (digits, -1.0),
        None => (value, 1.0),
    };
    let (mut number, mut scale, mut point) = (0_u32, 1_u32, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                let digit = u32::from(byte - b'0');
                number = number
                    .checked_mul(10)
                    .and_then(|tens| tens.checked_add(digit))
                    .ok_or(BadJson)?;
                scale = if point { scale.checked_mul(10).ok_or(BadJson)? } else { scale };
            }
            b'.' if !point => point = true,
            _ => return Err(BadJson),
        }
    }
    let framed = digits.first().zip(digits.last());
    let bare = framed.is_some_and(|(a, b)| a.is_ascii_digit() && b.is_ascii_digit());
    if bare { Ok(sign * number as f32 / scale as f32) } else { Err(BadJson) }
}

/// Writes an object into a buffer, member by member.
#[derive(Debug)]
pub struct Writer<'a> {
    to: Buffer<'a>,
    first: bool,
}

impl<'a> Writer<'a> {
    /// Begins the object.
    ///
    /// # Errors
    /// [`TooSmall`], as from all that follow.
    pub fn new(into: &'a mut [u8]) -> Result<Self, TooSmall> {
        let mut writer = Self { to: Buffer::new(into), first: true };
        writer.to.put(b"{")?;
        Ok(writer)
    }

    /// Ends the object and says how long it is.
    ///
    /// # Errors
    /// [`TooSmall`]
    pub fn end(mut self) -> Result<usize, TooSmall> {
        self.to.put(b"}")?;
        Ok(self.to.len())
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`TooSmall`]
    pub fn whole(&mut self, name: &str, number: i64) -> Result<(), TooSmall> {
        self.name(name)?;
        self.digits(number, 0)
    }

    /// `steps` in units of which ten to the power of `decimals` make one.
    ///
    /// # Errors
    /// [`TooSmall`]
    pub fn decimal(&mut self, name: &str, steps: i16, decimals: u8) -> Result<(), TooSmall> {
        self.name(name)?;
        self.digits(i64::from(steps), decimals)
    }

    /// True or false.
    ///
    /// # Errors
    /// [`TooSmall`]
    pub fn flag(&mut self, name: &str, value: bool) -> Result<(), TooSmall> {
        self.name(name)?;
        self.to.put(if value { b"true" } else { b"false" })
    }

    /// A string; control characters, of which ours have none, are left out.
    ///
    /// # Errors
    /// [`TooSmall`]
    pub fn text(&mut self, name: &str, value: &str) -> Result<(), TooSmall> {
        self.name(name)?;
        self.to.put(b"\"")?;
        for byte in value.bytes().filter(|byte| *byte >= b' ') {
            if byte == b'"' || byte == b'\\' {
                self.to.put(b"\\")?;
            }
            self.to.put(&[byte])?;
        }
        self.to.put(b"\"")
    }

    fn name(&mut self, name: &str) -> Result<(), TooSmall> {
        let comma = !core::mem::take(&mut self.first);
        self.to.put(if comma { b",\"" } else { b"\"" })?;
        self.to.put(name.as_bytes())?;
        self.to.put(b"\":")
    }

    /// The digits from the last to the first, without zeros at the end of a fraction.
    fn digits(&mut self, number: i64, decimals: u8) -> Result<(), TooSmall> {
        // A sign, 19 digits and a point.
        let mut text = [0; 21];
        let (mut left, mut digit, mut told) = (number.unsigned_abs(), 0_u8, false);
        let mut start = text.len();
        let mut front = |byte| {
            start -= 1;
            if let Some(place) = text.get_mut(start) {
                *place = byte;
            }
        };
        loop {
            let last = u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
            told |= last > 0 || digit >= decimals;
            if told {
                front(b'0' + last);
            }
            digit += 1;
            if digit == decimals && told {
                front(b'.');
            }
            if left == 0 && digit > decimals {
                break;
            }
        }
        if number < 0 {
            front(b'-');
        }
        self.to.put(text.get(start..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{BadJson, Members, TooSmall, Writer, decimal, text, whole};
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use std::string::String;
    use std::vec::Vec;

    fn members(json: &str) -> Result<Vec<(String, String)>, BadJson> {
        let mut members = Members::of(json.as_bytes())?;
        let mut all = Vec::new();
        while let Some((name, value)) = members.member()? {
            let own = |text| String::from_utf8_lossy(text).into_owned();
            all.push((own(name), own(value)));
        }
        Ok(all)
    }

    #[test]
    fn members_are_split_and_whatever_is_in_them_is_left_alone() {
        let json = r#" { "a" : 1 ,"b":"x,}\"y" , "c":{"d":[1,"]}"]},"e":[],"f":null,"g":-1.5e3 } "#;
        let all = members(json).unwrap_or_default();
        let values: Vec<&str> = all.iter().map(|member| &*member.1).collect();
        assert_eq!(values, ["1", r#""x,}\"y""#, r#"{"d":[1,"]}"]}"#, "[]", "null", "-1.5e3"]);
        assert!(all.iter().map(|member| &*member.0).eq(["a", "b", "c", "e", "f", "g"]));
        assert_eq!(members("{}"), Ok(Vec::new()));
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_is_no_object_is_refused() {
        for json in [
            "", "[]", "1", "{", r#"{"a"}"#, r#"{"a":}"#, r#"{"a":1"#, r#"{"a":1}}"#, r#"{"a":1}x"#,
            r#"{"a":1 "b":2}"#, r#"{,"a":1}"#, r#"{"a":"x}"#, r#"{a:1}"#, r#"{"a":[1}"#,
            r#"{"a":1,}"#, r#"{"a"::1}"#,
        ] {
            assert_eq!(members(json), Err(BadJson), "{json}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn values_are_of_their_kind() {
        for (json, number) in [
            ("140.5", Some(140.5)), ("0", Some(0.0)), ("-3.25", Some(-3.25)), ("140.0", Some(140.0)),
            ("2000", Some(2_000.0)), ("312.4", Some(312.4)), ("0.1", Some(0.1)),
            ("", None), ("-", None), (".5", None), ("5.", None), ("1.2.3", None), ("1e3", None),
            ("99999999999", None), ("0.00000000001", None), ("null", None), ("\"1\"", None),
        ] {
            assert_eq!(decimal(json.as_bytes()).ok(), number, "{json}");
        }
        assert_eq!(whole::<u32>(b"900"), Ok(900));
        assert_eq!(whole::<i64>(b"-1764000000000"), Ok(-1_764_000_000_000));
        assert_eq!(whole::<u32>(b"-1"), Err(BadJson));
        assert_eq!(whole::<u32>(b"4294967296"), Err(BadJson));
        assert_eq!(text(b"\"01J\""), Ok("01J"));
        assert_eq!(text(b"\"a\\\"b\""), Err(BadJson));
        assert_eq!(text(b"1"), Err(BadJson));
        assert_eq!(text(b"\""), Err(BadJson));
    }

    #[test]
    #[rustfmt::skip] // a table
    fn decimals_are_written_as_people_write_them() {
        for (steps, decimals, written) in [
            (3_124, 1, "312.4"), (3_120, 1, "312"), (-143, 1, "-14.3"), (5, 1, "0.5"), (-5, 3, "-0.005"),
            (0, 1, "0"), (0, 0, "0"), (i16::MIN, 3, "-32.768"), (i16::MAX, 0, "32767"), (31, 3, "0.031"),
            (1_000, 3, "1"), (1_010, 3, "1.01"), (10, 0, "10"),
        ] {
            let mut buffer = [0; 40];
            let mut to = Writer::new(&mut buffer).unwrap();
            assert_eq!(to.decimal("a", steps, decimals), Ok(()));
            let len = to.end().unwrap();
            assert_eq!(&buffer[..len], std::format!("{{\"a\":{written}}}").as_bytes());
        }
        assert_eq!(Writer::new(&mut [0; 8]).unwrap().whole("abc", i64::MIN), Err(TooSmall));
    }

    proptest! {
        #[test]
        fn whole_numbers_are_written_as_rust_writes_them(number in any::<i64>()) {
            let mut buffer = [0; 40];
            let mut to = Writer::new(&mut buffer).unwrap();
            prop_assert_eq!(to.whole("a", number), Ok(()));
            let len = to.end().unwrap();
            let written = std::format!("{{\"a\":{number}}}");
            prop_assert_eq!(&buffer[..len], written.as_bytes());
        }

        #[test]
        fn decimals_are_read_as_rust_reads_them(steps in -2_000_000..2_000_000_i32, places in 0..5_usize) {
            let number = f64::from(steps) / [1.0, 1e1, 1e2, 1e3, 1e4][places];
            let json = std::format!("{number:.places$}");
            prop_assert_eq!(decimal(json.as_bytes()).ok(), json.parse::<f32>().ok());
        }

        #[test]
        fn no_bytes_make_it_panic_or_run_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            let mut object = std::vec![b'{'];
            object.extend(&bytes);
            let mut members = Members::of(&object).unwrap();
            while let Ok(Some((_, value))) = members.member() {
                let _ = (text(value), decimal(value), whole::<i64>(value));
            }
        }
    }
}
