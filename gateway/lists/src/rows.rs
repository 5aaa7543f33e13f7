//! Rows of a list by the names of their columns.

use std::borrow::Cow;

use standpipe_rules::incidents::Text;
use standpipe_rules::plain;
use standpipe_shared::{BadName, Name};

use crate::columns::{Header, KnownColumn, ListOptions, header, knows};
use crate::fault::{BadRow, FaultCause, RowUnit, both};
use crate::sheet;
use crate::table::{File, MAX_ROWS, NoSheet, Sheet, SheetRow};
use crate::values::{Axis, DegreesRead, degrees, is_nothing, is_shortened, narrow, trimmed};

/// The longest text of one field, characters.
const MAX_TEXT: usize = 200;
/// The most faults of one file that are told: beyond it, it is another file than it should be.
pub(crate) const MAX_FAULTS: usize = 10_000;
/// How much of a bad value is shown, characters.
const SHOWN: usize = 60;

/// One good row and its line.
#[derive(Debug)]
pub(crate) struct NumberedRow<T> {
    pub(crate) line: u64,
    pub(crate) row: T,
}

/// What one file says.
#[derive(Debug)]
pub(crate) struct Read<T> {
    pub(crate) file: Box<str>,
    unit: RowUnit,
    header: Header,
    pub(crate) rows: Vec<NumberedRow<T>>,
    pub(crate) bad: Vec<BadRow>,
    pub(crate) notes: Vec<Text>,
}

impl<T> Default for Read<T> {
    fn default() -> Self {
        let (file, unit, header) = (Box::default(), RowUnit::Line, Header::default());
        Self { file, unit, header, rows: Vec::new(), bad: Vec::new(), notes: Vec::new() }
    }
}

impl<T> Read<T> {
    /// Something is wrong; `column`: ours, or empty for the whole row.
    pub(crate) fn bad(&mut self, line: u64, column: &str, value: &str, text: Text) {
        let (column, value, text) = match self.bad.len() {
            0..MAX_FAULTS => (column, value, text),
            MAX_FAULTS => {
                let en = format!("over {MAX_FAULTS} faults: is it the right file?");
                ("", "", both(en, format!("超过 {MAX_FAULTS} 处错误：文件是否选错？")))
            }
            _ => return,
        };
        let theirs = self.header.find(column).and_then(|at| self.header.names.get(at));
        let value: String = plain(value).chars().take(SHOWN).collect();
        self.bad.push(BadRow {
            file: self.file.clone(),
            line,
            unit: self.unit,
            column: theirs.map_or(column, String::as_str).into(),
            value: value.into(),
            text,
            cause: FaultCause::Own,
        });
    }

    /// A station that is referred to is not there.
    pub(crate) fn no_station(&mut self, line: u64, name: &str, text: Text) {
        let before = self.bad.len();
        self.bad(line, "station", name, text);
        if let Some(fault) = self.bad.get_mut(before) {
            fault.cause = FaultCause::NoStation;
        }
    }

    /// Something that is no fault of any row, with the file's name before it.
    pub(crate) fn note(&mut self, text: &Text) {
        let Text { en, zh } = text;
        self.notes.push(both(format!("{}: {en}", self.file), format!("{}：{zh}", self.file)));
    }

    /// The datum that the names of its columns speak of.
    pub(crate) const fn datum(&self) -> Option<crate::Datum> {
        self.header.datum
    }
}

/// Reads all rows; `one` makes something of a row, or `None` after saying why not.
pub(crate) fn read<T>(
    file: File,
    known: &'static [KnownColumn],
    options: &ListOptions,
    mut one: impl FnMut(&mut Row) -> Option<T>,
) -> Read<T> {
    let mut read = Read { file: Box::from(file.name), ..Read::default() };
    let knows = |name: &str| knows(known, options, name);
    let sheet = match sheet::read(file.bytes, &knows) {
        Ok(sheet) if sheet.rows.is_empty() => {
            let must: Vec<&str> =
                known.iter().filter(|column| column.must).map(|column| column.ours).collect();
            let must = must.join(",");
            let en = format!("empty file: begin it with a line {must}");
            read.bad(1, "", "", both(en, format!("文件是空的：请以列名行开头（{must}）")));
            return read;
        }
        Ok(sheet) => sheet,
        Err(NoSheet { line, text }) => {
            read.bad(line, "", "", text);
            return read;
        }
    };
    read.unit = sheet.unit;
    match header(&sheet, known, options) {
        Ok(header) => read.header = header,
        Err(bad) => {
            for bad in bad {
                read.bad(bad.line, &bad.column, "", bad.text);
            }
            return read;
        }
    }
    for note in &sheet.notes {
        read.note(note);
    }
    let ignored: Vec<String> =
        read.header.ignored().iter().map(|name| format!("`{name}`")).collect();
    if !ignored.is_empty() {
        let ignored = ignored.join(", ");
        read.note(&both(format!("columns ignored: {ignored}"), format!("未使用的列：{ignored}")));
    }
    rows(&sheet, options, &mut read, &mut one);
    read
}

fn rows<T>(
    sheet: &Sheet,
    options: &ListOptions,
    read: &mut Read<T>,
    one: &mut impl FnMut(&mut Row) -> Option<T>,
) {
    let header = std::mem::take(&mut read.header);
    for sheet_row in sheet.rows.iter().skip(header.at + 1) {
        let line = sheet_row.line;
        if read.rows.len() >= MAX_ROWS || read.bad.len() > MAX_FAULTS {
            break;
        }
        if let Some(text) = torn(sheet_row, header.names.len()) {
            read.bad(line, "", "", text);
            continue;
        }
        let mut row =
            Row { line, header: &header, fields: &sheet_row.fields, options, bad: Vec::new() };
        let made = one(&mut row);
        let bad = row.bad;
        if bad.is_empty() {
            read.rows.extend(made.map(|row| NumberedRow { line, row }));
        }
        for (column, value, text) in bad {
            let theirs = header.find(column).and_then(|at| header.names.get(at));
            read.bad(line, theirs.map_or(column, String::as_str), &value, text);
        }
    }
    read.header = header;
}

/// What is wrong with a row as a whole.
fn torn(row: &SheetRow, columns: usize) -> Option<Text> {
    if let Some(to) = row.swallowed_to {
        let line = row.line;
        return Some(both(
            format!(
                "a quote (\") that opens here is not closed, and lines {line} to {to} are read as one field: \
                 close it, or take it out"
            ),
            format!(
                "此处的引号（\"）没有闭合，第 {line} 至 {to} 行被读成一个字段：请补上或删去引号"
            ),
        ));
    }
    let fields = row.fields.len();
    let surplus = row.fields.iter().skip(columns).any(|field| !trimmed(field).is_empty());
    (fields < columns || surplus).then(|| {
        both(
            format!(
                "{fields} fields where the columns' line names {columns}: write as many, with quotes around a \
                 text that has a comma"
            ),
            format!("本行有 {fields} 个字段，列名行有 {columns} 个：请补齐，含逗号的文字请加引号"),
        )
    })
}

/// One row being read. Each question reports what is wrong with its column.
pub(crate) struct Row<'a> {
    line: u64,
    header: &'a Header,
    fields: &'a csv::StringRecord,
    options: &'a ListOptions,
    bad: Vec<(&'static str, String, Text)>,
}

impl<'a> Row<'a> {
    /// The text of a column, or what fills it; empty where there is neither.
    pub(crate) fn get(&self, column: &str) -> &'a str {
        let at = self.header.find(column);
        let text = at.and_then(|at| self.fields.get(at)).map(trimmed).unwrap_or_default();
        if text.is_empty() { self.filled(column).unwrap_or_default() } else { text }
    }

    /// Whether the list says anything of that column, even that it is empty.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.header.find(column).is_some() || self.filled(column).is_some()
    }

    fn filled(&self, column: &str) -> Option<&'a str> {
        let pair = self.options.fill.iter().find(|(ours, _)| **ours == *column);
        pair.map(|(_, value)| &**value)
    }

    pub(crate) const fn line(&self) -> u64 {
        self.line
    }

    /// What the person says about the list.
    pub(crate) const fn options(&self) -> &'a ListOptions {
        self.options
    }

    /// The datum of its places.
    pub(crate) fn datum(&self) -> crate::Datum {
        self.options.datum.or(self.header.datum).unwrap_or_default()
    }

    /// The text of a column in narrow letters and digits.
    pub(crate) fn narrow(&self, column: &str) -> Cow<'a, str> {
        narrow(self.get(column))
    }

    /// Something is wrong with this column.
    pub(crate) fn fault(&mut self, column: &'static str, text: Text) {
        let value = self.get(column).to_owned();
        self.bad.push((column, value, text));
    }

    /// An id that this project's people give, such as a station's: a plain name.
    pub(crate) fn id(&mut self, column: &'static str) -> Box<str> {
        self.id_as(column, |id| Name::plain(id).map(|_| ()))
    }

    /// An id that a maker gave: any name that can stand in a topic.
    pub(crate) fn device_id(&mut self, column: &'static str) -> Box<str> {
        self.id_as(column, |id| Name::new(id).map(|_| ()))
    }

    fn id_as(&mut self, column: &'static str, read: fn(&str) -> Result<(), BadName>) -> Box<str> {
        let text = self.narrow(column);
        if is_shortened(&text) {
            let en = "a spreadsheet made a number of this id and lost its last digits: in the original, make \
                      the column text, write the ids again, and export it anew";
            let zh = "编号被电子表格当成数字，末几位已丢失：请在原表中将该列设为“文本”，重新填写编号后再导出";
            self.fault(column, both(en, zh));
        } else if let Err(bad) = read(&text) {
            let text = both(format!("not an id: {}", bad.remedy()), not_an_id(bad));
            self.fault(column, text);
        }
        text.into()
    }

    /// A text for people, which may be empty; line breaks are spaces, and what nobody sees is left out
    /// ([`plain`]).
    pub(crate) fn text(&mut self, column: &'static str) -> Box<str> {
        let text = self.get(column);
        let control = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
        if text.chars().count() > MAX_TEXT {
            let en = format!("too long: write at most {MAX_TEXT} characters");
            self.fault(column, both(en, format!("太长：最多 {MAX_TEXT} 个字符")));
        } else if text.contains(control) {
            self.fault(column, both("a control character: take it out", "含有控制字符：请删去"));
        }
        plain(text).into()
    }

    /// A text that must be there.
    pub(crate) fn some_text(&mut self, column: &'static str) -> Box<str> {
        if self.get(column).is_empty() {
            self.fault(column, both("empty: write a text", "为空：请填写"));
        }
        self.text(column)
    }

    /// Whether both places of the row would be good the other way round.
    fn are_swapped(&self) -> bool {
        let good =
            |column, axis| matches!(degrees(self.get(column), axis), DegreesRead::Degrees(_));
        good("lat", Axis::East) && good("lon", Axis::North)
    }

    /// Degrees, or metres where a zone of UTM is said; `None`: nothing is written.
    ///
    /// # Errors
    /// [`Faulted`]: it is neither, which is reported.
    pub(crate) fn degrees(
        &mut self,
        column: &'static str,
        axis: Axis,
    ) -> Result<Option<f64>, Faulted> {
        let text = self.get(column);
        if is_nothing(text) {
            return Ok(None);
        }
        let most = axis.most();
        let fault = match (degrees(text, axis), self.options.utm) {
            (DegreesRead::Degrees(degrees), None) => return Ok(Some(degrees)),
            (DegreesRead::Metres(metres), Some(_)) => return Ok(Some(metres)),
            (DegreesRead::Degrees(_) | DegreesRead::OtherAxis(_), Some(_)) => both(
                "degrees, and not metres of UTM: leave --utm out",
                "这是度，不是 UTM 米制坐标：请去掉 --utm",
            ),
            (DegreesRead::OtherAxis(_), None) if self.are_swapped() => both(
                "degrees of the other direction: are lat and lon swapped? Correct the columns' names, or say \
                 --columns lat=…,lon=…",
                "这是另一方向的度数：经纬度是否填反？请更正列名，或用 --columns lat=…,lon=… 指明",
            ),
            (DegreesRead::Metres(_), None) => both(
                "metres, and not degrees: say the zone of UTM they are in, such as --utm 48N, or convert them \
                 to degrees of WGS-84",
                "这是米制坐标，不是度：请指明 UTM 带号，如 --utm 48N，或换算为 WGS-84 经纬度",
            ),
            (DegreesRead::Not, _) | (DegreesRead::OtherAxis(_), None) => both(
                format!("not degrees: write a number from -{most} to {most}"),
                format!("不是度数：请填写 -{most} 到 {most} 的数"),
            ),
        };
        self.fault(column, fault);
        Err(Faulted)
    }
}

/// Something is wrong, and was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Faulted;

const fn not_an_id_zh(bad: BadName) -> &'static str {
    match bad {
        BadName::NotPlain => "请用 1 到 48 个字母、数字、_ 或 -",
        BadName::Length => "请用 1 到 64 字节",
        BadName::Character => "请勿使用 / + # 和不可见字符",
        BadName::NotComposed => "请用 Unicode NFC 形式",
        BadName::Dots => "不能只有点",
    }
}

fn not_an_id(bad: BadName) -> String {
    format!("不是有效编号：{}", not_an_id_zh(bad))
}
