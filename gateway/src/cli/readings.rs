//! `readings.csv`, plain or gzip: recorded readings in order of arrival.
//!
//! Columns are found by their header: `arrive_ms` and `device` must be there; `ts`, `boot`, `seq`
//! and any measurement may be; other names, units and forms are those of `standpipe_lists::readings`. An empty field is a missing one. Rows are read one by one without
//! allocating; a bad one is told with its line and skipped, and the caller decides what that means.
//!
//! Times in another unit than milliseconds are refused: judged as they stand, a month of seconds is
//! 43 minutes of 1970, in which nothing lasts long enough to be found. A `ts` is what a device claims,
//! so a wrong one is taken as the live gateway takes it, unless it is plainly the row's time in seconds.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use jiff::tz::TimeZone;
use standpipe_lists::readings::{ReadingColumn, decimal, is_missing, moment, whole};
use standpipe_lists::{Lines, delimiter, encoding};
use standpipe_rules::Ms;
use standpipe_shared::{Field, Measurements, Name, Reading, Shape};

/// Read from the file at once, bytes.
const BUFFER: usize = 256 * 1024;
/// How much of a bad value is shown, characters.
const SHOWN: usize = 60;
/// 2020-01-01, before which nothing was recorded.
const EARLIEST: Ms = 1_577_836_800_000;
/// 2100-01-01, after which nothing was.
const LATEST: Ms = 4_102_444_800_000;
/// The same two in seconds.
const SECONDS_FROM: i64 = EARLIEST / 1_000;
const SECONDS_UNTIL: i64 = LATEST / 1_000;
/// A `ts` in seconds is known by the arrival beside it, which is within so much of it: a year.
const SAME_TIME: u64 = 366 * 86_400_000;

/// So much of a file shows its encoding and the sign between its fields, bytes.
const HEAD: u64 = 65_536;
/// The most of a file in another encoding than UTF-8 that is read, bytes: it is in memory, whole.
const RECODED: u64 = 1024 * 1024 * 1024;
/// Rows above the header: titles, notes.
const TITLES: usize = 30;

/// A file whose beginning was looked at; what was wrong with reading that comes in its turn.
struct Whole<R> {
    head: Cursor<Vec<u8>>,
    broken: Option<std::io::Error>,
    rest: R,
}

impl<R: Read> Whole<R> {
    /// Looks at so many bytes of it.
    fn look(mut rest: R, most: u64) -> Self {
        let mut head = Vec::new();
        let broken = rest.by_ref().take(most).read_to_end(&mut head).err();
        Self { head: Cursor::new(head), broken, rest }
    }
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.head.read(buffer)? {
            0 => match self.broken.take() {
                Some(broken) => Err(broken),
                None => self.rest.read(buffer),
            },
            read => Ok(read),
        }
    }
}

/// What to do about a number of seconds.
const SECONDS: &str = "looks like seconds: multiply by 1000";

/// A row that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadReading {
    /// The line, from 1.
    pub line: u64,
    /// The column's header; empty: the whole row.
    pub column: Box<str>,
    /// As it stands in the file.
    pub value: Box<str>,
    /// What is wrong, and what to do.
    pub text: &'static str,
}

impl fmt::Display for BadReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, value, text } = self;
        if column.is_empty() {
            write!(f, "{line}: {text}")
        } else {
            write!(f, "{line}: {column} = `{value}`: {text}")
        }
    }
}

/// Why a file can't be read at all.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFile {
    /// The system says no, or the gzip is torn.
    #[error("cannot be read ({0}): check the file")]
    Io(#[from] std::io::Error),
    /// The file is no CSV.
    #[error("cannot be read ({0}): check the file")]
    Csv(#[from] csv::Error),
    /// It is in no encoding that is read here, or in two.
    #[error("{0}")]
    NotText(String),
    /// The first line lacks a column.
    #[error("no column `{0}`: name the columns in the first line")]
    NoColumn(&'static str),
}

/// One row, good or not.
pub type ReadingRow<'a> = Result<(Ms, &'a str, Reading), BadReading>;

/// The rows of a file.
pub struct Readings<R> {
    lines: Lines<Whole<R>>,
    header: csv::ByteRecord,
    columns: Vec<Option<ReadingColumn>>,
    zone: TimeZone,
    record: csv::ByteRecord,
    arrived: Ms,
}

/// Opens a file, unpacking it where its content is gzip. `seen` is told of every byte read.
///
/// # Errors
/// [`UnreadableFile`].
pub fn open<'a>(
    path: &Path,
    zone: TimeZone,
    seen: impl FnMut(usize) + 'a,
) -> Result<Readings<Box<dyn Read + 'a>>, UnreadableFile> {
    let counted = Counted { file: File::open(path)?, seen };
    let mut file = BufReader::with_capacity(BUFFER, counted);
    let packed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    if packed {
        Readings::new(Box::new(MultiGzDecoder::new(file)), zone)
    } else {
        Readings::new(Box::new(file), zone)
    }
}

/// A file that says how much of it was read.
struct Counted<F> {
    file: File,
    seen: F,
}

impl<F: FnMut(usize)> Read for Counted<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        (self.seen)(read);
        Ok(read)
    }
}

impl<R: Read> Readings<R> {
    /// Reads the header, whatever stands between its fields, below whatever titles. Times without an
    /// offset are of that zone.
    ///
    /// # Errors
    /// [`UnreadableFile`].
    pub fn new(bytes: R, zone: TimeZone) -> Result<Self, UnreadableFile> {
        let mut file = Whole::look(bytes, HEAD);
        if encoding::of_beginning(file.head.get_ref()).is_some() {
            let mut bytes = Vec::new();
            file.by_ref().take(RECODED).read_to_end(&mut bytes)?;
            let text =
                encoding::decode(&bytes).map_err(|bad| UnreadableFile::NotText(bad.text.en))?;
            file.head = Cursor::new(text.into_owned().into_bytes());
        }
        let head = String::from_utf8_lossy(file.head.get_ref());
        let knows = |name: &str| ReadingColumn::named(name).is_some();
        let sign = delimiter(&head, &knows);
        drop(head);
        let mut lines = Lines::delimited(file, sign);
        let mut header = csv::ByteRecord::new();
        let mut columns = Vec::new();
        for _ in 0..TITLES {
            if !lines.read(&mut header)? {
                break;
            }
            columns = header.iter().map(named).collect();
            let needed = [ReadingColumn::Arrive, ReadingColumn::Device].map(Some);
            if needed.iter().any(|column| columns.contains(column)) {
                break;
            }
        }
        for (column, name) in
            [(ReadingColumn::Arrive, "arrive_ms"), (ReadingColumn::Device, "device")]
        {
            if !columns.contains(&Some(column)) {
                return Err(UnreadableFile::NoColumn(name));
            }
        }
        Ok(Self { lines, header, columns, zone, record: csv::ByteRecord::new(), arrived: Ms::MIN })
    }

    /// The columns that mean nothing here.
    pub fn ignored(&self) -> Vec<String> {
        let named = self.header.iter().zip(&self.columns);
        named
            .filter(|(_, column)| column.is_none())
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// [`UnreadableFile`] when the file ends in the middle, or the disk says no.
    pub fn next_row(&mut self) -> Result<Option<ReadingRow<'_>>, UnreadableFile> {
        if !self.lines.read(&mut self.record)? {
            return Ok(None);
        }
        let row = row(&self.record, (&self.columns, &self.zone), self.arrived);
        if let Ok((arrived, ..)) = &row {
            self.arrived = *arrived;
        }
        Ok(Some(row.map_err(|Bad { at, text }| {
            let line = self.lines.line(&self.record);
            let shown = |record: &csv::ByteRecord| {
                let field = at.and_then(|at| record.get(at)).unwrap_or_default();
                String::from_utf8_lossy(field).chars().take(SHOWN).collect::<String>().into()
            };
            BadReading { line, column: shown(&self.header), value: shown(&self.record), text }
        })))
    }
}

/// What is wrong with a row, and in which field.
struct Bad {
    at: Option<usize>,
    text: &'static str,
}

fn row<'a>(
    record: &'a csv::ByteRecord,
    (columns, zone): (&[Option<ReadingColumn>], &TimeZone),
    before: Ms,
) -> Result<(Ms, &'a str, Reading), Bad> {
    if record.len() != columns.len() {
        let text = "not as many fields as the first line: write one for each column";
        return Err(Bad { at: None, text });
    }
    let (mut arrived, mut device) = (before, "");
    let mut reading = Reading::default();
    let mut fields = Fields::of(record);
    for (at, column) in columns.iter().enumerate() {
        let bad = |text| Bad { at: Some(at), text };
        let field = fields.take(at).map_err(|_| bad("not UTF-8: save it as UTF-8"))?;
        match column {
            Some(ReadingColumn::Arrive) => {
                let wanted = "not a time: write Unix milliseconds";
                arrived = time(field, zone).ok_or_else(|| bad(wanted))?;
                if let Some(wrong) = wrong_unit(arrived) {
                    return Err(bad(wrong));
                }
                if arrived < before {
                    return Err(bad("before the row above: sort the rows by arrive_ms"));
                }
            }
            Some(ReadingColumn::Device) => {
                let wanted = "not an id: use 1 to 64 bytes without / + # and what is invisible";
                device = Name::new(field).map_err(|_| bad(wanted))?.as_str();
            }
            None => {}
            Some(_) if field.is_empty() => {}
            Some(ReadingColumn::Ts) => match time(field, zone) {
                Some(ts) => reading.ts = Some(ts),
                None if is_missing(field) => {}
                None => return Err(bad(WHOLE)),
            },
            Some(ReadingColumn::Boot) => reading.boot = number(field).map_err(bad)?,
            Some(ReadingColumn::Seq) => reading.seq = number(field).map_err(bad)?,
            Some(ReadingColumn::Value(name, factor)) => {
                value(&mut reading.values, (*name, *factor), field).map_err(bad)?;
            }
        }
    }
    if let Some(seconds) = reading.ts
        && seconds.saturating_mul(1_000).abs_diff(arrived) < SAME_TIME
    {
        return Err(Bad {
            at: columns.iter().position(|column| *column == Some(ReadingColumn::Ts)),
            text: SECONDS,
        });
    }
    Ok((arrived, device, reading))
}

/// The fields of a record as text, from the first to the last. The record is read as UTF-8 in one
/// go; only where that fails each field is, to find the one that is not.
struct Fields<'a> {
    record: &'a csv::ByteRecord,
    rest: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn of(record: &'a csv::ByteRecord) -> Self {
        Self { record, rest: std::str::from_utf8(record.as_slice()).ok() }
    }

    /// The field at that place, which is the one after the last.
    fn take(&mut self, at: usize) -> Result<&'a str, std::str::Utf8Error> {
        let field = self.record.get(at).unwrap_or_default();
        // Two fields may share the bytes of a character between them: neither is text then.
        match self.rest.and_then(|rest| rest.split_at_checked(field.len())) {
            Some((field, rest)) => {
                self.rest = Some(rest);
                Ok(field)
            }
            None => {
                self.rest = None;
                std::str::from_utf8(field)
            }
        }
    }
}

/// Why a time of arrival can't be in milliseconds.
fn wrong_unit(at: Ms) -> Option<&'static str> {
    match at {
        EARLIEST..LATEST => None,
        SECONDS_FROM..SECONDS_UNTIL => Some(SECONDS),
        LATEST.. => Some("after 2100, looks like microseconds or less: write Unix milliseconds"),
        _ => Some("before 2020: write Unix milliseconds"),
    }
}

const WHOLE: &str = "not a whole number in range: write one, or nothing";

/// What a header is of a cell; a byte order mark may stand before the first.
fn named(cell: &[u8]) -> Option<ReadingColumn> {
    let name = cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell);
    std::str::from_utf8(name).ok().and_then(ReadingColumn::named)
}

/// A time; the usual form first, which most are in.
fn time(field: &str, zone: &TimeZone) -> Option<Ms> {
    field.parse().ok().or_else(|| moment(field, zone))
}

/// A whole number in range, or `None` where the field says that there is none.
fn number<T: std::str::FromStr + TryFrom<i64>>(field: &str) -> Result<Option<T>, &'static str> {
    match field.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) if is_missing(field) => Ok(None),
        Err(_) => whole(field).and_then(|whole| T::try_from(whole).ok()).map(Some).ok_or(WHOLE),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "millivolts and dBm are small"
)]
fn value(
    values: &mut Measurements,
    (name, factor): (Field, f64),
    field: &str,
) -> Result<(), &'static str> {
    const FINITE: &str = "not a finite number: write one, or nothing";
    let number = match name.shape() {
        Shape::Flag => flag(field).map(|flag| Some(f32::from(u8::from(flag))))?,
        Shape::Whole if factor == 1.0 => number::<i32>(field)?.map(|whole| whole as f32),
        Shape::Whole | Shape::Decimal => match field.parse::<f32>() {
            Ok(number) if factor == 1.0 && number.is_finite() => Some(number),
            Ok(_) | Err(_) if is_missing(field) => None,
            Ok(_) | Err(_) => Some((decimal(field).ok_or(FINITE)? * factor) as f32),
        },
    };
    number.map_or(Ok(()), |number| values.set(name, number).map_err(|_| FINITE))
}

fn flag(field: &str) -> Result<bool, &'static str> {
    match field {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("not a flag: write true, false or nothing"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Readings, UnreadableFile, open};
    use jiff::tz::TimeZone;
    use std::io::Write;

    /// All rows in words.
    fn told(text: impl AsRef<[u8]>) -> String {
        let mut readings = Readings::new(text.as_ref(), TimeZone::UTC).unwrap();
        let mut out = String::new();
        while let Some(row) = readings.next_row().unwrap() {
            match row {
                Ok((arrived, device, reading)) => {
                    let json = serde_json::to_string(&reading).unwrap();
                    out += &format!("{arrived} {device} {json}\n");
                }
                Err(bad) => out += &format!("{bad}\n"),
            }
        }
        out
    }

    #[test]
    fn every_column_is_found_by_its_name() {
        let text = "\u{feff}device,colour,flowing,cap_open,battery_mv,rssi_dbm,seq,boot,ts,arrive_ms,\
                    pressure_kpa,pressure_min_kpa,pressure_max_kpa,loop_ma,tilt_deg,smoke_db_m,\
                    dirt_pct,temp_c\r\n\
                    H1,red,true,0,3600,-70,2,1,5,1764000000009,1.5,1,2,4,30,0.1,80,-3\r\n\
                    H1,,,,,,,,,1764000000009,,,,,,,,\r\n";
        insta::assert_snapshot!(told(text), @r#"
1764000000009 H1 {"boot":1,"seq":2,"ts":5,"pressure_kpa":1.5,"pressure_min_kpa":1.0,"pressure_max_kpa":2.0,"loop_ma":4.0,"flowing":true,"cap_open":false,"tilt_deg":30.0,"smoke_db_m":0.1,"dirt_pct":80.0,"temp_c":-3.0,"battery_mv":3600,"rssi_dbm":-70}
1764000000009 H1 {}
"#);
        assert_eq!(Readings::new(text.as_bytes(), TimeZone::UTC).unwrap().ignored(), ["colour"]);
    }

    #[test]
    fn a_bad_row_is_told_and_the_others_stand() {
        let text = "arrive_ms,device,ts,pressure_kpa,flowing,battery_mv\n\
                    1764000000005,A,1,2,1,3\n\
                    1764000000004,A,1,2,1,3\n\
                    1764000000006,A#B,1,2,1,3\n\
                    1764000000006,A,1.5,2,1,3\n\
                    1764000000006,A,1,NaN,1,3\n\
                    1764000000006,A,1,1e39,1,3\n\
                    1764000000006,A,1,2,yes,3\n\
                    1764000000006,A,1,2,1,3.5\n\
                    1764000000006,A,1,2,1\n\
                    soon,A,1,2,1,3\n\
                    1764000000006,B,1,2,1,3\n";
        insta::assert_snapshot!(told(text), @r#"
1764000000005 A {"ts":1,"pressure_kpa":2.0,"flowing":true,"battery_mv":3}
3: arrive_ms = `1764000000004`: before the row above: sort the rows by arrive_ms
4: device = `A#B`: not an id: use 1 to 64 bytes without / + # and what is invisible
5: ts = `1.5`: not a whole number in range: write one, or nothing
1764000000006 A {"ts":1,"flowing":true,"battery_mv":3}
7: pressure_kpa = `1e39`: not a finite number: write one, or nothing
8: flowing = `yes`: not a flag: write true, false or nothing
9: battery_mv = `3.5`: not a whole number in range: write one, or nothing
10: not as many fields as the first line: write one for each column
11: arrive_ms = `soon`: not a time: write Unix milliseconds
1764000000006 B {"ts":1,"pressure_kpa":2.0,"flowing":true,"battery_mv":3}
"#);
    }

    /// As Excel, pandas and databases export them.
    #[test]
    #[rustfmt::skip] // a table
    fn readings_are_read_as_others_export_them() {
        let one = "1764000000000 HY1 {\"seq\":1,\"pressure_kpa\":300.0,\"battery_mv\":3500}\n";
        // "时间;设备编号;seq;压力(MPa)", a title above, as GBK has it.
        let gbk = b"\xbc\xc7\xc2\xbc\n\xca\xb1\xbc\xe4;\xc9\xe8\xb1\xb8\xb1\xe0\xba\xc5;seq;\xd1\xb9\xc1\xa6(MPa);battery_mv\n2025/11/24 16:00;HY1;1;0,3;3500\n";
        for (story, bytes) in [
            ("ISO times",       &b"arrive_ms,device,seq,pressure_kpa,battery_mv\n2025-11-24T16:00:00Z,HY1,1,300,3500\n"[..]),
            ("pandas",          b"arrive_ms,device,seq,pressure_kpa,battery_mv,ts\n1764000000000.0,HY1,1.0,300.0,3500.0,NaN\n"),
            ("semicolons",      b"arrive_ms;device;seq;pressure_kpa;battery_mv\n1764000000000;HY1;1;300;3500\n"),
            ("units in names",  b"time,device,seq,Pressure (bar),battery_mv (mV)\n2025-11-24 16:00:00,HY1,1,3.0,3500\n"),
            ("NULL",            b"arrive_ms,device,boot,seq,pressure_kpa,battery_mv,temp_c\n1764000000000,HY1,NULL,1,300,3500,NULL\n"),
            ("Excel in China",  gbk),
        ] {
            assert_eq!(told(bytes), one, "{story}");
        }
        let thousands = told("arrive_ms,device,pressure_kpa\n1764000000000,HY1,\"1,300.5\"\n1764000000000,HY1,\"1,300\"\n");
        assert!(thousands.starts_with("1764000000000 HY1 {\"pressure_kpa\":1300.5}\n3: pressure_kpa = `1,300`"), "{thousands}");
    }

    #[test]
    fn what_is_not_utf_8_is_told_with_its_field() {
        let mut bytes = b"arrive_ms,device,colour,seq\n".to_vec();
        for fields in [
            &b"1764000000005,A,r\xc3\xa9d,1"[..],
            b"1764000000006,A,r\xe9d,1",
            b"1764000000007,\xc3\xa9,\xc3,2",
            b"1764000000008,A\xc3,\xa9,3",
            b"1764000000009,A,\xc3,4",
            b"1764000000010,\xe6\xb6\x88,\xe9\x98\xb2,5",
        ] {
            bytes.extend([fields, b"\n"].concat());
        }
        insta::assert_snapshot!(told(bytes), @r#"
1764000000005 A {"seq":1}
3: colour = `r�d`: not UTF-8: save it as UTF-8
4: colour = `�`: not UTF-8: save it as UTF-8
5: device = `A�`: not UTF-8: save it as UTF-8
6: colour = `�`: not UTF-8: save it as UTF-8
1764000000010 消 {"seq":5}
"#);
    }

    #[test]
    fn a_time_in_another_unit_is_told_with_what_to_do() {
        let text = "arrive_ms,device,ts\n\
                    1764000000,A,1764000000\n\
                    1577836799999,A,\n\
                    -5,A,\n\
                    0,A,\n\
                    1577836800000,A,\n\
                    1764000000000,A,1764000000\n\
                    1764000000000,A,1764000000000\n\
                    1764000000000,A,12345\n\
                    1764000000000,A,0\n\
                    1764000000000,A,-9223372036854775808\n\
                    4102444799999,A,1\n\
                    1764000000000000,A,\n\
                    1764000000000000000,A,\n";
        insta::assert_snapshot!(told(text), @r#"
2: arrive_ms = `1764000000`: looks like seconds: multiply by 1000
3: arrive_ms = `1577836799999`: before 2020: write Unix milliseconds
4: arrive_ms = `-5`: before 2020: write Unix milliseconds
5: arrive_ms = `0`: before 2020: write Unix milliseconds
1577836800000 A {}
7: ts = `1764000000`: looks like seconds: multiply by 1000
1764000000000 A {"ts":1764000000000}
1764000000000 A {"ts":12345}
1764000000000 A {"ts":0}
1764000000000 A {"ts":-9223372036854775808}
4102444799999 A {"ts":1}
13: arrive_ms = `1764000000000000`: after 2100, looks like microseconds or less: write Unix milliseconds
14: arrive_ms = `1764000000000000000`: after 2100, looks like microseconds or less: write Unix milliseconds
"#);
    }

    #[test]
    fn a_bad_row_is_told_with_the_line_an_editor_shows() {
        let text = "arrive_ms,device\n\n1764000000005,A\n\n\nsoon,A\n\
                    1764000000006,\"A\nB\"\n1764000000004,A";
        let bad = "1764000000005 A {}\n\
                   6: arrive_ms = `soon`: not a time: write Unix milliseconds\n\
                   7: device = `A\nB`: not an id: use 1 to 64 bytes without / + # and what is invisible\n\
                   9: arrive_ms = `1764000000004`: \
                   before the row above: sort the rows by arrive_ms\n";
        assert_eq!(told(text), bad);
        assert_eq!(told(text.replace('\n', "\r\n")), bad, "as a spreadsheet writes it");
    }

    #[test]
    fn without_its_columns_a_file_is_not_read() {
        for (text, missing) in [("", "arrive_ms"), ("arrive_ms,ts\n", "device")] {
            let bad = Readings::new(text.as_bytes(), TimeZone::UTC).err();
            assert!(
                matches!(bad, Some(UnreadableFile::NoColumn(named)) if named == missing),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn gzip_is_known_by_its_content_and_bytes_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let text = "arrive_ms,device\n1764000000001,A\n1764000000002,B\n";
        let (plain, packed) = (folder.path().join("a.gz"), folder.path().join("b.csv"));
        std::fs::write(&plain, text).unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(text.as_bytes()).unwrap();
        std::fs::write(&packed, gz.finish().unwrap()).unwrap();
        for path in [&plain, &packed] {
            let mut seen = 0;
            let mut rows = 0;
            {
                let mut readings = open(path, TimeZone::UTC, |bytes| seen += bytes).unwrap();
                while let Some(row) = readings.next_row().unwrap() {
                    assert!(row.is_ok(), "{row:?}");
                    rows += 1;
                }
            }
            assert_eq!((rows, seen as u64), (2, path.metadata().unwrap().len()));
        }
        let torn = std::fs::read(&packed).unwrap();
        std::fs::write(&packed, &torn[..torn.len() - 9]).unwrap();
        let mut readings = open(&packed, TimeZone::UTC, |_| {}).unwrap();
        let error = loop {
            match readings.next_row() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a torn file was read to its end"),
                Err(bad) => break bad.to_string(),
            }
        };
        assert!(error.starts_with("cannot be read"), "{error}");
    }
}
