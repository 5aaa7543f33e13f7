//! Rows of a CSV file by the names of their columns.

use standpipe_shared::{BadName, Name};

use super::{BadRow, File, Lines};
use crate::plain;

/// The longest text of one field, characters.
const MAX_TEXT: usize = 200;
/// The most faults of one file that are told: beyond it, it is another file than it should be.
pub(super) const MAX_FAULTS: usize = 10_000;
/// The most rows of one file that are read.
const MAX_ROWS: usize = 500_000;
/// How much of a bad value is shown, characters.
const SHOWN: usize = 60;

/// One good row and its line.
#[derive(Debug)]
pub(super) struct NumberedRow<T> {
    pub(super) line: u64,
    pub(super) row: T,
}

/// What one file says.
#[derive(Debug)]
pub(super) struct Read<T> {
    pub(super) file: Box<str>,
    pub(super) rows: Vec<NumberedRow<T>>,
    pub(super) bad: Vec<BadRow>,
    pub(super) notes: Vec<String>,
}

impl<T> Default for Read<T> {
    fn default() -> Self {
        Self { file: Box::default(), rows: Vec::new(), bad: Vec::new(), notes: Vec::new() }
    }
}

impl<T> Read<T> {
    /// Something is wrong.
    pub(super) fn bad(&mut self, line: u64, column: &str, value: &str, text: String) {
        let (column, value, text) = match self.bad.len() {
            0..MAX_FAULTS => (column, value, text),
            MAX_FAULTS => ("", "", format!("over {MAX_FAULTS} faults: is it the right file?")),
            _ => return,
        };
        let value: String = plain(value).chars().take(SHOWN).collect();
        self.bad.push(BadRow {
            file: self.file.clone(),
            line,
            column: Box::from(column),
            value: value.into(),
            text: text.into(),
        });
    }
}

/// The columns a file must and may have.
pub(super) struct Columns {
    pub(super) must: &'static [&'static str],
    pub(super) may: &'static [&'static str],
}

/// Reads all rows; `one` makes something of a row, or `None` after saying why not.
pub(super) fn read<T>(
    file: File,
    columns: &Columns,
    one: impl Fn(&mut Row) -> Option<T>,
) -> Read<T> {
    let mut read = Read { file: Box::from(file.name), ..Read::default() };
    let bytes = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file.bytes);
    let mut lines = Lines::new(bytes);
    let mut record = csv::ByteRecord::new();
    if !matches!(lines.read(&mut record), Ok(true)) {
        let text = format!("empty file: begin it with a line {}", columns.must.join(","));
        read.bad(1, "", "", text);
        return read;
    }
    let names = record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned());
    let names: Vec<String> = names.collect();
    if !header(&names, columns, &mut read) {
        return read;
    }
    while matches!(lines.read(&mut record), Ok(true)) {
        let line = lines.line(&record);
        let Some(fields) = fields(&record, &names, line, &mut read) else { continue };
        if read.rows.len() >= MAX_ROWS {
            read.bad(line, "", "", format!("over {MAX_ROWS} rows: is it the right file?"));
            break;
        }
        if read.bad.len() > MAX_FAULTS {
            break;
        }
        let mut row = Row { names: &names, fields, bad: Vec::new() };
        let made = one(&mut row);
        if row.bad.is_empty() {
            read.rows.extend(made.map(|row| NumberedRow { line, row }));
        }
        for (column, value, text) in row.bad {
            read.bad(line, column, &value, text);
        }
    }
    read
}

/// Whether all columns are there that must be, each once.
fn header<T>(names: &[String], columns: &Columns, read: &mut Read<T>) -> bool {
    for column in columns.must {
        if !names.iter().any(|name| name == column) {
            read.bad(1, column, "", "no such column: name it in the first line".to_owned());
        }
    }
    let mut ignored = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let name = name.as_str();
        if !columns.must.contains(&name) && !columns.may.contains(&name) {
            ignored.push(format!("`{name}`"));
        } else if names.iter().take(at).any(|earlier| earlier == name) {
            read.bad(1, name, "", "two columns of that name: take one out".to_owned());
        }
    }
    if !ignored.is_empty() {
        let note = format!("{}: columns ignored: {}", read.file, ignored.join(", "));
        read.notes.push(note);
    }
    read.bad.is_empty()
}

/// The fields as text, trimmed; `None` for a blank line, or after saying what is wrong.
fn fields<'a, T>(
    record: &'a csv::ByteRecord,
    names: &[String],
    line: u64,
    read: &mut Read<T>,
) -> Option<Vec<&'a str>> {
    if record.len() == 1 && record.iter().all(|field| field.trim_ascii().is_empty()) {
        return None;
    }
    if record.iter().all(|field| field.trim_ascii().is_empty()) {
        read.bad(line, "", "", "an empty row: take it out".to_owned());
        return None;
    }
    if record.len() != names.len() {
        let text = format!(
            "{} fields where the first line names {}: write as many, with quotes around a text \
             that has a comma",
            record.len(),
            names.len()
        );
        read.bad(line, "", "", text);
        return None;
    }
    let mut fields = Vec::with_capacity(record.len());
    for (field, name) in record.iter().zip(names) {
        let Ok(text) = std::str::from_utf8(field) else {
            let value = String::from_utf8_lossy(field);
            read.bad(line, name, &value, "not UTF-8: save the file as UTF-8".to_owned());
            return None;
        };
        fields.push(text.trim());
    }
    Some(fields)
}

/// One row being read. Each question reports what is wrong with its column.
pub(super) struct Row<'a> {
    names: &'a [String],
    fields: Vec<&'a str>,
    bad: Vec<(&'static str, String, String)>,
}

impl<'a> Row<'a> {
    /// The text of a column; empty where there is none.
    pub(super) fn get(&self, column: &str) -> &'a str {
        let at = self.names.iter().position(|name| name == column);
        at.and_then(|at| self.fields.get(at)).copied().unwrap_or_default()
    }

    /// Something is wrong with this column.
    pub(super) fn fault(&mut self, column: &'static str, text: impl Into<String>) {
        let value = self.get(column).to_owned();
        self.bad.push((column, value, text.into()));
    }

    /// An id that this project's people give, such as a station's: a plain name.
    pub(super) fn id(&mut self, column: &'static str) -> Box<str> {
        self.id_as(column, Name::plain)
    }

    /// An id that a maker gave: any name that can stand in a topic.
    pub(super) fn device_id(&mut self, column: &'static str) -> Box<str> {
        self.id_as(column, Name::new)
    }

    fn id_as(
        &mut self,
        column: &'static str,
        read: fn(&'a str) -> Result<Name<'a>, BadName>,
    ) -> Box<str> {
        let text = self.get(column);
        if let Err(bad) = read(text) {
            self.fault(column, format!("not an id: {}", bad.remedy()));
        }
        Box::from(text)
    }

    /// A text for people, which may be empty; without what nobody sees ([`plain`]).
    pub(super) fn text(&mut self, column: &'static str) -> Box<str> {
        let text = self.get(column);
        if text.chars().count() > MAX_TEXT {
            self.fault(column, format!("too long: write at most {MAX_TEXT} characters"));
        } else if text.contains(char::is_control) {
            self.fault(column, "a line break or control character: take it out");
        }
        plain(text).into()
    }

    /// A text that must be there.
    pub(super) fn some_text(&mut self, column: &'static str) -> Box<str> {
        if self.get(column).is_empty() {
            self.fault(column, "empty: write a text");
        }
        self.text(column)
    }

    /// Degrees, at most `most` either way.
    pub(super) fn degrees(&mut self, column: &'static str, most: f64) -> f64 {
        let degrees = self.get(column).parse().ok().filter(|degrees: &f64| degrees.abs() <= most);
        if degrees.is_none() {
            self.fault(column, format!("not degrees: write a number from -{most} to {most}"));
        }
        degrees.unwrap_or_default()
    }
}
