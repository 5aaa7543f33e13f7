//! What is wrong with a list: where, with which value, and what to do, in Chinese and English.

use std::fmt;
use std::fmt::Write as _;

use standpipe_rules::incidents::Text;
use standpipe_words::{Lang, Language};

/// Faults of one cause that are told with their values; of the others only the lines are.
const TOLD_IN_FULL: usize = 3;
/// Ranges of lines that are named; the rest are counted.
const RANGES: usize = 12;

/// A text in both languages.
pub(crate) fn both(en: impl Into<String>, zh: impl Into<String>) -> Text {
    Text { en: en.into(), zh: zh.into() }
}

/// What the numbers of rows count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowUnit {
    /// Lines, as an editor shows them; rows, as Excel does.
    #[default]
    Line,
    /// Features of GeoJSON, elements of OpenStreetMap: the first is 1.
    Item,
}

/// What callers act on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaultCause {
    /// The file says it, whatever else there is.
    #[default]
    Own,
    /// What it refers to is not there, which another file may have had.
    NoStation,
}

/// One value, row or column that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    pub file: Box<str>,
    /// The line, from 1.
    pub line: u64,
    pub unit: RowUnit,
    /// The column's header, as it stands in the file; empty: the whole row.
    pub column: Box<str>,
    pub value: Box<str>,
    /// What is wrong with it, and what to do.
    pub text: Text,
    pub cause: FaultCause,
}

impl BadRow {
    /// In one line.
    #[must_use]
    pub fn in_language(&self, language: Language) -> String {
        let Self { file, line, unit, column, value, text, cause: _ } = self;
        let text = Lang::usual(language).text(text);
        let place = match (unit, language) {
            (RowUnit::Line, _) => format!("{line}:"),
            (RowUnit::Item, _) if *line == 0 => String::new(), // of all of them
            (RowUnit::Item, Language::English) => format!(" item {line}:"),
            (RowUnit::Item, Language::Chinese) => format!(" 第 {line} 项:"),
        };
        match (column.is_empty(), value.is_empty()) {
            (true, _) => format!("{file}:{place} {text}"),
            (false, true) => format!("{file}:{place} {column}: {text}"),
            (false, false) => format!("{file}:{place} {column} = `{value}`: {text}"),
        }
    }

    fn same_cause(&self, other: &Self) -> bool {
        (&self.file, &self.column, &self.text) == (&other.file, &other.column, &other.text)
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_language(Language::English))
    }
}

/// All faults, each cause once: the first few in full, of the others their lines.
#[must_use]
pub fn told(bad: &[BadRow], language: Language) -> Vec<String> {
    let mut causes: Vec<Vec<&BadRow>> = Vec::new();
    for fault in bad {
        let same =
            |cause: &&mut Vec<&BadRow>| cause.first().is_some_and(|first| first.same_cause(fault));
        match causes.iter_mut().find(same) {
            Some(cause) => cause.push(fault),
            None => causes.push(vec![fault]),
        }
    }
    let mut lines = Vec::new();
    for cause in causes {
        let (full, rest) = cause.split_at(cause.len().min(TOLD_IN_FULL));
        lines.extend(full.iter().map(|fault| fault.in_language(language)));
        if let (Some(first), false) = (rest.first(), rest.is_empty()) {
            lines.push(rest_of_cause(first, rest, language));
        }
    }
    lines
}

fn rest_of_cause(first: &BadRow, rest: &[&BadRow], language: Language) -> String {
    let BadRow { file, column, .. } = first;
    let more = rest.len();
    let at = if column.is_empty() { file.to_string() } else { format!("{file}: {column}") };
    let numbers = ranges(rest.iter().map(|fault| fault.line));
    match language {
        Language::English => format!("{at}: the same {more} times more: {numbers}"),
        Language::Chinese => format!("{at}：另有 {more} 处相同：{numbers}"),
    }
}

/// `2, 4-9, 12 …`
fn ranges(numbers: impl Iterator<Item = u64>) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if number == *to || number == *to + 1 => *to = number,
            Some(_) | None => ranges.push((number, number)),
        }
    }
    let mut text = String::new();
    for (at, (from, to)) in ranges.iter().take(RANGES).enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a String does not fail.
        let _ = match from == to {
            true => write!(text, "{comma}{from}"),
            false => write!(text, "{comma}{from}-{to}"),
        };
    }
    if ranges.len() > RANGES {
        text.push_str(", …");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{BadRow, FaultCause, RowUnit, both, told};
    use standpipe_words::Language;

    fn fault(line: u64, value: &str, zh: &str) -> BadRow {
        let (file, column) = ("d.csv".into(), "kind".into());
        let text = both(format!("{zh} in English"), zh);
        let (unit, cause) = (RowUnit::Line, FaultCause::Own);
        BadRow { file, line, unit, column, value: value.into(), text, cause }
    }

    #[test]
    fn a_cause_is_told_once_however_many_rows_have_it() {
        let mut bad: Vec<BadRow> =
            (2..2_000).map(|line| fault(line, &format!("k{line}"), "没有")).collect();
        bad.insert(3, fault(4, "", "空"));
        bad.push(fault(3_000, "x", "没有"));
        assert_eq!(
            told(&bad, Language::Chinese),
            [
                "d.csv:2: kind = `k2`: 没有",
                "d.csv:3: kind = `k3`: 没有",
                "d.csv:4: kind = `k4`: 没有",
                "d.csv: kind：另有 1996 处相同：5-1999, 3000",
                "d.csv:4: kind: 空",
            ]
        );
        let english = told(&bad, Language::English);
        assert_eq!(english[0], "d.csv:2: kind = `k2`: 没有 in English");
        assert_eq!(english[3], "d.csv: kind: the same 1996 times more: 5-1999, 3000");
    }

    #[test]
    fn lines_far_apart_are_counted_in_the_end() {
        let bad: Vec<BadRow> = (0..40).map(|n| fault(n * 2, "", "空")).collect();
        let last = told(&bad, Language::English).pop().unwrap();
        assert!(last.starts_with("d.csv: kind: the same 37 times more: 6, 8, 10,"), "{last}");
        assert!(last.ends_with(", 28, …"), "{last}");
    }
}
