//! One `[section]` being read: every key that is asked for is known, whatever is left over is a
//! fault. Faults carry the line and the text of the value.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::fault::ConfigFault;

/// The longest piece of a value that is shown, characters.
const SHOWN: usize = 80;

/// The text of the file, and what was found wrong with it.
pub(super) struct Notes<'a> {
    pub(super) source: &'a str,
    pub(super) faults: Vec<ConfigFault>,
    /// Every key that was asked for, as `mqtt.url`.
    pub(super) known: Vec<String>,
}

impl Notes<'_> {
    /// Something is wrong at this place of the file.
    pub(super) fn at(&mut self, span: Range<usize>, key: String, text: impl Display) {
        let line = self.line(&span);
        let value = self.source.get(span).unwrap_or_default();
        let value = if secret(&key) { String::new() } else { shown(value) };
        self.faults.push(ConfigFault { line, key, value, text: text.to_string() });
    }

    /// A key is missing in a section that is there, or its value must not be shown.
    pub(super) fn absent(&mut self, span: &Range<usize>, key: String, text: impl Display) {
        let (line, text) = (self.line(span), text.to_string());
        self.faults.push(ConfigFault { line, key, value: String::new(), text });
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.source.get(..span.start).unwrap_or_default();
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// Something is not in the file.
    pub(super) fn missing(&mut self, key: String, text: impl Display) {
        let text = text.to_string();
        self.faults.push(ConfigFault { line: 0, key, value: String::new(), text });
    }
}

/// Whether somebody may have written a secret itself instead of the file it is in.
fn secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    let hidden = ["password", "token", "secret"].iter().any(|secret| last.contains(secret));
    hidden && !last.ends_with("_file")
}

fn shown(value: &str) -> String {
    let line = value.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// One table of the file, or the absence of one.
pub(super) struct Section<'a> {
    name: String,
    table: Option<&'a DeTable<'a>>,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// A table under its full name.
    pub(super) const fn new(name: String, table: Option<&'a DeTable<'a>>) -> Self {
        Self { name, table, asked: Vec::new() }
    }

    /// Whether the file has it.
    pub(super) const fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// All its entries; that alone does not make their keys known.
    pub(super) fn entries(
        &self,
    ) -> impl Iterator<Item = (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)> + use<'a> {
        self.table.into_iter().flat_map(|table| table.iter())
    }

    /// The full name of a key.
    pub(super) fn key(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// The value of a key, which counts as known from now on.
    pub(super) fn get(
        &mut self,
        key: &'static str,
        notes: &mut Notes,
    ) -> Option<&'a Spanned<DeValue<'a>>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
            notes.known.push(self.key(key));
        }
        self.table?.get(key)
    }

    /// A table below this one.
    pub(super) fn section(&mut self, key: &'static str, notes: &mut Notes) -> Section<'a> {
        let table = self.get(key, notes).and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                notes.at(value.span(), self.key(key), format!("not a section: write [{key}]"));
            }
            table
        });
        Section::new(self.key(key), table)
    }

    /// Something is wrong with the value of this key.
    pub(super) fn fault(&self, key: &str, text: impl Display, notes: &mut Notes) {
        match self.table.and_then(|table| table.get(key)) {
            Some(value) => notes.at(value.span(), self.key(key), text),
            None => notes.missing(self.key(key), text),
        }
    }

    /// A text that says something.
    pub(super) fn text(&mut self, key: &'static str, notes: &mut Notes) -> Option<&'a str> {
        let value = self.get(key, notes)?;
        let text = value.get_ref().as_str().map(str::trim);
        match text {
            Some("") => self.fault(key, "empty: write a text, or take the key out", notes),
            None => self.fault(key, "not a text: write it in double quotes", notes),
            Some(_) => {}
        }
        text.filter(|text| !text.is_empty())
    }

    /// A text that is parsed; `wanted` says what it may be.
    pub(super) fn parsed<T: FromStr>(
        &mut self,
        key: &'static str,
        wanted: &str,
        notes: &mut Notes,
    ) -> Option<T> {
        let text = self.text(key, notes)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.fault(key, format!("not understood: write {wanted}"), notes);
        }
        value
    }

    /// A whole number within a range.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
        notes: &mut Notes,
    ) -> Option<u32> {
        let value = self.get(key, notes)?;
        let number = whole(value.get_ref()).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = range.into_inner();
            let text = format!("not a whole number in range: write {least} to {most}");
            self.fault(key, text, notes);
        }
        number
    }

    /// A list whose elements `one` understands.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        one: impl Fn(&DeValue) -> Option<T>,
        notes: &mut Notes,
    ) -> Vec<T> {
        let Some(value) = self.get(key, notes) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.fault(key, format!("not a list: write {wanted}"), notes);
            return Vec::new();
        };
        let mut list = Vec::new();
        for item in items.iter() {
            match one(item.get_ref()) {
                Some(good) => list.push(good),
                None => {
                    let text = format!("not understood: write {wanted}");
                    notes.at(item.span(), self.key(key), text);
                }
            }
        }
        list
    }

    /// Every key that nobody asked for is a fault.
    pub(super) fn end(self, notes: &mut Notes) {
        for (key, _) in self.entries() {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(&name) {
                unknown(&self.key(name), name, key.span(), &self.asked, notes);
            }
        }
    }
}

/// A key that means nothing, and perhaps the one that was meant.
pub(super) fn unknown(full: &str, name: &str, span: Range<usize>, all: &[&str], notes: &mut Notes) {
    let near = all.iter().map(|known| (distance(known, name), known)).min();
    let hint = match near {
        Some((far, nearest)) if far <= name.len() / 3 + 1 => format!("did you mean `{nearest}`"),
        Some(_) | None => format!("take it out; known here are {}", all.join(", ")),
    };
    notes.absent(&span, full.to_owned(), format!("unknown key: {hint}"));
}

/// A whole number of the file.
pub(super) fn whole(value: &DeValue) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// How many letters must change to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, a) in one.chars().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(other.chars()) {
            let best = (diagonal + usize::from(a != b)).min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
    }
    row.last().copied().unwrap_or_default()
}
