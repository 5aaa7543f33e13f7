//! Numbers, degrees, intervals and kinds as people write them in lists.

use std::borrow::Cow;

use standpipe_rules::registry::Level;
use standpipe_shared::{Kind, is_hidden};

/// What people write where they have nothing to write.
const NOTHING: [&str; 12] =
    ["-", "--", "—", "/", "\\N", "null", "none", "nan", "n/a", "#n/a", "无", "暂无"];

/// Without what surrounds it and nobody sees.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || is_hidden(letter))
}

/// With full-width letters, digits and signs as their narrow selves: an input method left on writes
/// them.
pub(crate) fn narrow(text: &str) -> Cow<'_, str> {
    let wide = |letter: char| matches!(letter, '\u{ff01}'..='\u{ff5e}' | '\u{3000}' | '。');
    if !text.contains(wide) {
        return Cow::Borrowed(text);
    }
    let narrowed = text.chars().map(|letter| match letter {
        '\u{3000}' => ' ',
        '。' => '.',
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(letter) - 0xff01 + 0x21).unwrap_or(letter)
        }
        other => other,
    });
    Cow::Owned(narrowed.collect())
}

/// Whether it stands for nothing.
pub(crate) fn is_nothing(text: &str) -> bool {
    text.is_empty() || NOTHING.contains(&text.to_lowercase().as_str())
}

/// What a single comma in a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoneComma {
    /// As in `29,456` degrees: nobody groups those by thousands.
    Decimal,
    /// As in `1,800` seconds.
    Thousands,
}

/// A finite number; thousands may be set apart, and its decimals by a comma.
pub(crate) fn number(text: &str, comma: LoneComma) -> Option<f64> {
    let text = without_gaps(&narrow(trimmed(text)))?;
    let plain = match (text.rfind(','), text.rfind('.')) {
        (None, _) => text,
        (Some(comma), Some(point)) if comma < point => {
            grouped(&text, ',', point).then(|| text.replace(',', ""))?
        }
        (Some(at), Some(_)) => {
            grouped(&text, '.', at).then(|| text.replace('.', "").replace(',', "."))?
        }
        (Some(at), None) => lone_comma(&text, at, comma)?,
    };
    let looks =
        |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+' | 'e' | 'E');
    if !plain.chars().all(looks) {
        return None;
    }
    plain.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Without the gaps between groups of three digits; `None`: they are elsewhere.
fn without_gaps(text: &str) -> Option<String> {
    let gap = |letter: char| matches!(letter, ' ' | '\u{a0}' | '\u{202f}' | '\'');
    let mut groups = text.split(gap);
    let first = groups.next()?;
    let three = |group: &str| group.bytes().take_while(u8::is_ascii_digit).count() == 3;
    let signless = first.trim_start_matches(['-', '+']);
    let fits =
        groups.clone().next().is_none() || (1..=3).contains(&signless.len()) && groups.all(three);
    fits.then(|| text.chars().filter(|letter| !gap(*letter)).collect())
}

/// Whether all before `end` is groups of three, set apart by that sign.
fn grouped(text: &str, sign: char, end: usize) -> bool {
    let whole = text.get(..end).unwrap_or_default().trim_start_matches(['-', '+']);
    let mut groups = whole.split(sign);
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3)
}

fn lone_comma(text: &str, at: usize, comma: LoneComma) -> Option<String> {
    let thousands = grouped(text, ',', text.len());
    let decimal = text.find(',') == Some(at);
    match comma {
        LoneComma::Decimal => decimal.then(|| text.replace(',', ".")),
        LoneComma::Thousands => thousands.then(|| text.replace(',', "")),
    }
}

/// Which way degrees go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    North,
    East,
}

impl Axis {
    /// The most degrees either way.
    pub(crate) const fn most(self) -> f64 {
        match self {
            Self::North => 90.0,
            Self::East => 180.0,
        }
    }
}

/// What somebody wrote as degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum DegreesRead {
    Degrees(f64),
    /// Too large for degrees, and of the size of UTM's metres.
    Metres(f64),
    /// Degrees of the other axis.
    OtherAxis(f64),
    Not,
}

/// Degrees: decimal, or with minutes and seconds, with or without the letter of a direction.
pub(crate) fn degrees(text: &str, axis: Axis) -> DegreesRead {
    let text = narrow(trimmed(text));
    let (text, letter) = direction(&text);
    let Some(degrees) = number(text, LoneComma::Decimal).or_else(|| sexagesimal(text)) else {
        return DegreesRead::Not;
    };
    let signed = if letter.is_some_and(|(_, negative)| negative) { -degrees } else { degrees };
    let other_axis = letter.is_some_and(|(of, _)| of != axis);
    match signed.abs() {
        most if most <= axis.most() && !other_axis => DegreesRead::Degrees(signed),
        most if most <= 180.0 => DegreesRead::OtherAxis(signed),
        most if (100_000.0..=10_000_000.0).contains(&most) => DegreesRead::Metres(signed),
        _ => DegreesRead::Not,
    }
}

/// The letter or the word of a direction, before or behind, and the rest; true: south or west.
fn direction(text: &str) -> (&str, Option<(Axis, bool)>) {
    const WORDS: [(&str, Axis, bool); 12] = [
        ("北纬", Axis::North, false),
        ("南纬", Axis::North, true),
        ("东经", Axis::East, false),
        ("西经", Axis::East, true),
        ("N", Axis::North, false),
        ("S", Axis::North, true),
        ("E", Axis::East, false),
        ("W", Axis::East, true),
        ("北", Axis::North, false),
        ("南", Axis::North, true),
        ("东", Axis::East, false),
        ("西", Axis::East, true),
    ];
    for (word, axis, negative) in WORDS {
        let lower = word.to_lowercase();
        let forms = [word, lower.as_str()];
        let rest =
            forms.iter().find_map(|word| text.strip_prefix(word).or(text.strip_suffix(word)));
        if let Some(rest) = rest {
            return (rest.trim(), Some((axis, negative)));
        }
    }
    (text, None)
}

/// `29°27'21.6"`, `29度27分21.6秒`, `29 27 21.6`.
fn sexagesimal(text: &str) -> Option<f64> {
    let sign = |letter: char| {
        matches!(
            letter,
            '°' | 'º'
                | '˚'
                | '度'
                | '\''
                | '′'
                | '’'
                | '‘'
                | '分'
                | '"'
                | '″'
                | '”'
                | '“'
                | '秒'
                | ':'
        ) || letter.is_whitespace()
    };
    let parts: Vec<&str> = text.split(sign).filter(|part| !part.is_empty()).collect();
    let (first, rest) = parts.split_first()?;
    if rest.len() > 2 || (rest.is_empty() && !text.contains(['°', 'º', '˚', '度'])) {
        return None;
    }
    let mut degrees: f64 = number(first, LoneComma::Decimal)?;
    let negative = first.starts_with('-');
    let mut unit = 60.0;
    for part in rest {
        let part = number(part, LoneComma::Decimal).filter(|part| (0.0..60.0).contains(part))?;
        degrees += if negative { -part / unit } else { part / unit };
        unit *= 60.0;
    }
    Some(degrees)
}

/// Whole seconds: a number, and its unit, which is seconds where none is written.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let text = narrow(trimmed(text)).to_lowercase();
    let at = text.find(|letter: char| letter.is_alphabetic()).unwrap_or(text.len());
    let (count, unit) = text.split_at_checked(at)?;
    let unit = match unit.trim() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" | "秒" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" | "分" | "分钟" => 60.0,
        "h" | "hr" | "hour" | "hours" | "时" | "小时" => 3_600.0,
        "d" | "day" | "days" | "天" | "日" => 86_400.0,
        _ => return None,
    };
    let seconds = number(count, LoneComma::Thousands)? * unit;
    let whole = (0.0..=1e9).contains(&seconds) && seconds.fract() == 0.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, in range")]
    whole.then_some(seconds as u64)
}

/// The kind of a device, and the profile that its words name besides.
pub(crate) fn kind(text: &str) -> Option<(Kind, Option<&'static str>)> {
    let word: String = narrow(text)
        .to_lowercase()
        .chars()
        .filter(|letter| !letter.is_whitespace() && !matches!(letter, '_' | '-'))
        .collect();
    let hydrants = [
        "hydrant",
        "firehydrant",
        "消火栓",
        "消防栓",
        "室外消火栓",
        "室外消防栓",
        "市政消火栓",
        "市政消防栓",
        "地上栓",
        "地下栓",
        "地上式消火栓",
        "地下式消火栓",
        "室外栓",
        "市政栓",
        "栓",
        "消火栓压力",
        "智能消火栓",
    ];
    let indoors = ["室内消火栓", "室内消防栓", "室内栓", "indoorhydrant"];
    let detectors = [
        "smoke",
        "smokedetector",
        "detector",
        "烟感",
        "感烟",
        "烟感器",
        "烟感探测器",
        "感烟探测器",
        "感烟火灾探测器",
        "独立烟感",
        "独立式烟感",
        "独立式感烟",
        "独立式感烟火灾探测报警器",
        "独立式烟感探测器",
        "烟雾探测器",
        "烟雾报警器",
        "烟感报警器",
        "烟雾",
    ];
    if hydrants.contains(&word.as_str()) {
        return Some((Kind::Hydrant, None));
    }
    if indoors.contains(&word.as_str()) {
        return Some((Kind::Hydrant, Some("indoor")));
    }
    detectors.contains(&word.as_str()).then_some((Kind::Smoke, None))
}

/// The level of a station.
pub(crate) fn level(text: &str) -> Option<Level> {
    match narrow(text).to_lowercase().as_str() {
        "district" | "支队" | "大队" | "区" | "区级" | "区县" => Some(Level::District),
        "township" | "乡镇" | "镇" | "镇街" | "街道" | "乡" | "乡镇站" | "消防站"
        | "消防救援站" => Some(Level::Township),
        "community" | "社区" | "微型站" | "微型消防站" | "社区微型消防站" => {
            Some(Level::Community)
        }
        "village" | "村" | "村级" | "村队" | "志愿队" | "志愿消防队" => {
            Some(Level::Village)
        }
        _ => None,
    }
}

/// A number of fifteen digits or more that a spreadsheet shortened, as `8.67E+14`: its last digits are
/// lost.
pub(crate) fn is_shortened(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return false };
    let sign = exponent.strip_prefix('+').unwrap_or(exponent);
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let surely = digits.contains(['.', ',']) || exponent.starts_with('+');
    surely && number(&digits.replacen(['.', ','], "", 1)) && number(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip] // a table
    fn a_number_is_read_as_it_was_meant_or_not_at_all() {
        use LoneComma::{Decimal, Thousands};
        for (text, comma, expected) in [
            ("29.456",      Decimal,   Some(29.456)),
            ("29,456",      Decimal,   Some(29.456)),
            ("１０６．５４", Decimal,   Some(106.54)),
            ("1,800",       Thousands, Some(1800.0)),
            ("1,80",        Thousands, None),
            ("1,300.5",     Decimal,   Some(1300.5)),
            ("1.300,5",     Decimal,   Some(1300.5)),
            ("1 300,5",     Decimal,   Some(1300.5)),
            ("13 00",       Decimal,   None),
            ("-0,5",        Decimal,   Some(-0.5)),
            ("NaN",         Decimal,   None),
            ("inf",         Decimal,   None),
            ("1e39",        Decimal,   Some(1e39)),
            ("12 kPa",      Decimal,   None),
            ("",            Decimal,   None),
        ] {
            assert_eq!(number(text, comma), expected, "{text} {comma:?}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn degrees_are_read_however_they_are_written() {
        use Axis::{East, North};
        use DegreesRead::{Degrees, Metres, Not, OtherAxis};
        for (text, axis, expected) in [
            ("29.4560",         North, Degrees(29.456)),
            ("29,4560",         North, Degrees(29.456)),
            ("29°27'21.6\"N",   North, Degrees(29.456)),
            ("106°32'31.2\"E",  East,  Degrees(106.542)),
            ("29度27分21.6秒",   North, Degrees(29.456)),
            ("北纬29°27′21.6″",  North, Degrees(29.456)),
            ("29 27 21.6",      North, Degrees(29.456)),
            ("29:27:21.6",      North, Degrees(29.456)),
            ("29°27.36'",       North, Degrees(29.456)),
            ("29.456°",         North, Degrees(29.456)),
            ("29.456 S",        North, Degrees(-29.456)),
            ("-29°27'21.6\"",   North, Degrees(-29.456)),
            ("W 73.677",        East,  Degrees(-73.677)),
            ("106.5420",        North, OtherAxis(106.542)),
            ("29.456N",         East,  OtherAxis(29.456)),
            ("9587851.47",      North, Metres(9_587_851.47)),
            ("29°61'",          North, Not),
            ("29 27 21 6",      North, Not),
            ("191",             North, Not),
            ("here",            North, Not),
            ("NaN",             North, Not),
        ] {
            let read = degrees(text, axis);
            match (read, expected) {
                (Degrees(is), Degrees(wanted)) => assert!((is - wanted).abs() < 1e-9, "{text}: {is}"),
                _ => assert_eq!(read, expected, "{text}"),
            }
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn an_interval_has_its_unit_or_is_seconds() {
        for (text, expected) in [
            ("60", Some(60)), ("1,800", Some(1800)), ("900.0", Some(900)), ("15min", Some(900)),
            ("15 分钟", Some(900)), ("1h", Some(3600)), ("２小时", Some(7200)), ("1 天", Some(86_400)),
            ("1.5", None), ("0.5 h", Some(1800)), ("soon", None), ("-60", None), ("15 moons", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn an_id_that_a_spreadsheet_shortened_is_known() {
        for (text, expected) in [
            ("8.67E+14", true),
            ("8.66971E+14", true),
            ("8,67E+14", true),
            ("8E+14", true),
            ("867E14", false),
            ("HY1", false),
            ("1E5", false),
            ("E14", false),
            ("866971030000001", false),
        ] {
            assert_eq!(is_shortened(text), expected, "{text}");
        }
    }

    #[test]
    fn kinds_and_levels_have_chinese_words() {
        assert_eq!(kind("消火栓"), Some((Kind::Hydrant, None)));
        assert_eq!(kind("室内消火栓"), Some((Kind::Hydrant, Some("indoor"))));
        assert_eq!(kind("Fire_Hydrant"), Some((Kind::Hydrant, None)));
        assert_eq!(kind("独立式感烟火灾探测报警器"), Some((Kind::Smoke, None)));
        assert_eq!(kind("pump"), None);
        assert_eq!(level("社区"), Some(Level::Community));
        assert_eq!(level("District"), Some(Level::District));
        assert_eq!(level("town"), None);
    }
}
