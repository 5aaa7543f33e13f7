//! Text → rows. Which sign stands between fields is found out; a quote that nobody closed is named.

use std::borrow::Cow;

use crate::fault::both;
use crate::lines::Lines;
use crate::table::{MAX_ROWS, NoSheet, Sheet, SheetRow};
use crate::values::trimmed;

/// Signs between fields, the likeliest first.
const SIGNS: [char; 5] = [',', ';', '\t', '，', '|'];
/// Stands for a sign of several bytes while rows are taken apart: the unit separator of ASCII.
const STAND_IN: u8 = 0x1f;
/// How much of the beginning shows the sign, bytes …
const LOOKED_AT: usize = 65_536;
/// … and how many rows of it.
const ROWS_LOOKED_AT: usize = 30;

/// A sign between fields, as the reader of rows takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delimiter(char);

impl Delimiter {
    pub(crate) fn byte(self) -> u8 {
        u8::try_from(self.0).ok().filter(u8::is_ascii).unwrap_or(STAND_IN)
    }

    fn text(self, text: &str) -> Cow<'_, str> {
        if self.0.is_ascii() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.replace(self.0, &char::from(STAND_IN).to_string()))
    }

    /// The sign that makes the most names of columns of some row; where no row has any, the one that
    /// makes the most fields.
    pub(crate) fn of(text: &str, knows: &dyn Fn(&str) -> bool) -> Self {
        let mut end = text.len().min(LOOKED_AT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let head = text.get(..end).unwrap_or(text);
        let best = SIGNS.into_iter().rev().max_by_key(|sign| Self(*sign).merit(head, knows));
        Self(best.unwrap_or(','))
    }

    fn merit(self, head: &str, knows: &dyn Fn(&str) -> bool) -> (usize, usize) {
        let head = self.text(head);
        let mut lines = Lines::delimited(head.as_bytes(), self.byte());
        let mut record = csv::ByteRecord::new();
        let (mut names, mut fields) = (0, 0);
        for _ in 0..ROWS_LOOKED_AT {
            if !matches!(lines.read(&mut record), Ok(true)) {
                break;
            }
            let known = record
                .iter()
                .filter(|name| std::str::from_utf8(name).is_ok_and(|name| knows(trimmed(name))));
            names = known.count().max(names);
            fields = record.len().max(fields);
        }
        (names, fields)
    }
}

/// The sign between the fields of a text, by its beginning; a comma, where it has several bytes.
#[must_use]
pub fn delimiter(head: &str, knows: &dyn Fn(&str) -> bool) -> u8 {
    u8::try_from(Delimiter::of(head, knows).0).ok().filter(u8::is_ascii).unwrap_or(b',')
}

/// Whether a row has anything in it.
pub(crate) fn is_blank<'a>(mut fields: impl Iterator<Item = &'a str>) -> bool {
    fields.all(|field| trimmed(field).is_empty())
}

/// The rows of a text.
pub(crate) fn read(text: &str, knows: &dyn Fn(&str) -> bool) -> Result<Sheet, NoSheet> {
    let sign = Delimiter::of(text, knows);
    let text = sign.text(text);
    let text = same_ends(&text);
    let mut lines = Lines::delimited(text.as_bytes(), sign.byte());
    let mut sheet = Sheet::default();
    let mut record = csv::ByteRecord::new();
    let mut begins = 0;
    let mut widest = 0;
    while matches!(lines.read(&mut record), Ok(true)) {
        let Ok(fields) = csv::StringRecord::from_byte_record(record.clone()) else { continue };
        if is_blank(fields.iter()) {
            begins = lines.offset();
            continue;
        }
        if sheet.rows.len() > MAX_ROWS {
            let (en, zh) = (
                format!("over {MAX_ROWS} rows: is it the right file?"),
                format!("超过 {MAX_ROWS} 行：文件是否选错？"),
            );
            return Err(NoSheet { line: lines.line(&record), text: both(en, zh) });
        }
        widest = widest.max(fields.len());
        let mut row = SheetRow::new(lines.line(&record), fields);
        let ends = lines.offset();
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let raw = text.get(at(begins)..at(ends)).unwrap_or_default();
        let sign = char::from(sign.byte());
        let within = row.fields.iter().flat_map(str::chars).filter(|c| *c == '\n').count() as u64;
        let torn = is_torn(raw, sign) || swallows(&row, widest, sign);
        row.swallowed_to = torn.then_some(row.line + within);
        sheet.rows.push(row);
        begins = ends;
    }
    Ok(sheet)
}

/// A text with `\n` for every `\r\n` and `\r`, so that offsets into it are those of its rows.
fn same_ends(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Whether a quote of a row is never closed, or closed in the midst of a field: it was opened by
/// mistake, and closed by the next one, however far down that is.
fn is_torn(raw: &str, sign: char) -> bool {
    if !raw.contains('"') {
        return false;
    }
    let mut letters = raw.trim_end_matches('\n').chars().peekable();
    let mut within = false;
    let mut begins = true;
    while let Some(letter) = letters.next() {
        match (within, letter) {
            (false, '"') if begins => within = true,
            (true, '"') if letters.peek() == Some(&'"') => {
                letters.next();
            }
            (true, '"') => {
                within = false;
                if letters.peek().is_some_and(|next| *next != sign && *next != '\n') {
                    return raw.trim_end_matches('\n').contains('\n');
                }
            }
            _ => {}
        }
        begins = !within && (letter == sign || letter == '\n');
    }
    within
}

/// Whether a row of several lines has one within that is as good as a row in itself, or has not as many
/// fields as others.
fn swallows(row: &SheetRow, widest: usize, sign: char) -> bool {
    let signs = |line: &str| line.chars().filter(|letter| *letter == sign).count();
    let within = row.fields.iter().flat_map(|field| field.split('\n').skip(1));
    let is_row = |line: &str| widest > 1 && signs(line) + 1 >= widest;
    let torn = row.fields.len() < widest && within.clone().any(|line| signs(line) > 0);
    torn || within.clone().any(is_row)
}

#[cfg(test)]
mod tests {
    use super::read;

    fn knows(name: &str) -> bool {
        ["id", "kind", "name", "编号", "名称"].contains(&name)
    }

    /// `line: field|field`, and up to where a quote swallowed.
    fn told(text: &str) -> Vec<String> {
        let sheet = read(text, &knows).unwrap();
        let row = |row: &super::SheetRow| {
            let fields: Vec<&str> = row.fields.iter().collect();
            let swallowed = row.swallowed_to.map(|to| format!(" to {to}")).unwrap_or_default();
            format!("{}{swallowed}: {}", row.line, fields.join("|").replace('\n', "/"))
        };
        sheet.rows.iter().map(row).collect()
    }

    #[test]
    #[rustfmt::skip] // a table
    fn the_sign_between_fields_is_found_by_the_names_it_makes() {
        for (story, text, row) in [
            ("comma",            "id,kind\nA,b;c\n",             "2: A|b;c"),
            ("semicolon",        "id;kind\nA;29,4\n",            "2: A|29,4"),
            ("tab",              "id\tkind\nA\tb, c\n",          "2: A|b, c"),
            ("full-width comma", "编号，名称\nA，b,c\n",           "2: A|b,c"),
            ("a comma, and full-width ones in texts", "编号,名称\nA,一，二，三，四\n", "2: A|一，二，三，四"),
            ("bar",              "id|kind\nA|b\n",               "2: A|b"),
            ("a title above",    "台账;;\nid;kind\n",              "2: id|kind"),
            ("no name known",    "a;b;c\n1;2;3\n",               "2: 1|2|3"),
        ] {
            assert_eq!(told(text)[1], row, "{story}");
        }
    }

    #[test]
    fn rows_with_nothing_in_them_are_no_rows() {
        assert_eq!(told("id,kind\n,,,\n\nA,b\n , \u{3000}\n"), ["1: id|kind", "4: A|b"]);
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_quote_left_open_is_named_with_the_lines_it_swallowed() {
        for (story, text, expected) in [
            ("a line break within quotes is none", "id,kind,name\nA,b,\"c\nd\"\nE,f,g\n",
             vec!["1: id|kind|name", "2: A|b|c/d", "4: E|f|g"]),
            ("up to the end",    "id,kind,name\nA,\"b,c\nD,e,f\nG,h,i\n",
             vec!["1: id|kind|name", "2 to 5: A|b,c/D,e,f/G,h,i/"]),
            ("up to the next quote", "id,kind,name\nA,\"b,c\nD,\"e\",f\nG,h,i\n",
             vec!["1: id|kind|name", "2 to 3: A|b,c/D,e\"|f", "4: G|h,i".replace("h,i", "h|i").leak()]),
            ("in the last field of the last row", "id,kind,name\nA,b,c\nD,e,\"f\n",
             vec!["1: id|kind|name", "2: A|b|c", "3 to 4: D|e|f/"]),
            ("without a line end", "id,kind,name\nD,e,\"f",
             vec!["1: id|kind|name", "2 to 2: D|e|f"]),
            ("a lone quote within a text is a letter", "id,kind,name\nD,e,5\" pipe\n",
             vec!["1: id|kind|name", "2: D|e|5\" pipe"]),
        ] {
            assert_eq!(told(text), expected, "{story}");
        }
    }
}
