//! Excel's files → rows. Of several sheets the one is read whose rows have the most names of columns.

use std::io::Cursor;

use calamine::{Data, DataRef, ExcelDateTime, Reader, Xls, Xlsx};

use crate::delimited::is_blank;
use crate::fault::both;
use crate::table::{MAX_COLUMNS, MAX_ROWS, NoSheet, Sheet, SheetRow};
use crate::values::trimmed;

/// Sheets that are looked at.
const SHEETS: usize = 20;
/// Rows at the top of a sheet among which the names of columns are.
const TOP: usize = 30;
/// From here on a number has more digits than Excel keeps, fifteen.
const TOO_LONG: f64 = 1e15;

/// A workbook of Excel 2007 and later.
pub(crate) fn xlsx(bytes: &[u8], knows: &dyn Fn(&str) -> bool) -> Result<Sheet, NoSheet> {
    let mut book: Xlsx<_> =
        Xlsx::new(Cursor::new(bytes)).map_err(|bad| not_a_book(&bad.to_string()))?;
    let names = book.sheet_names();
    let mut best = None;
    for name in names.iter().take(SHEETS) {
        let mut cells =
            book.worksheet_cells_reader(name).map_err(|bad| not_a_book(&bad.to_string()))?;
        let mut rows = Rows::default();
        while let Some(cell) = cells.next_cell().map_err(|bad| not_a_book(&bad.to_string()))? {
            rows.put(cell.get_position(), of_reference(cell.get_value()))?;
        }
        keep_better(&mut best, rows.finish(), knows);
    }
    chosen(best, &names)
}

/// A workbook of Excel 97.
pub(crate) fn xls(bytes: &[u8], knows: &dyn Fn(&str) -> bool) -> Result<Sheet, NoSheet> {
    let mut book: Xls<_> =
        Xls::new(Cursor::new(bytes)).map_err(|bad| not_a_book(&bad.to_string()))?;
    let names = book.sheet_names();
    let mut best = None;
    for name in names.iter().take(SHEETS) {
        let range = book.worksheet_range(name).map_err(|bad| not_a_book(&bad.to_string()))?;
        let mut rows = Rows::default();
        let (top, left) = range.start().unwrap_or_default();
        for (row, column, value) in range.used_cells() {
            let at =
                |from: u32, by: usize| from.saturating_add(u32::try_from(by).unwrap_or(u32::MAX));
            rows.put((at(top, row), at(left, column)), of_data(value))?;
        }
        keep_better(&mut best, rows.finish(), knows);
    }
    chosen(best, &names)
}

fn not_a_book(why: &str) -> NoSheet {
    NoSheet::new(
        format!(
            "an Excel or ZIP file that can't be opened ({why}): open it in Excel and save it again"
        ),
        format!("这是 Excel 或 ZIP 文件，但无法打开（{why}）：请用 Excel 打开后重新保存"),
    )
}

/// A sheet, and how many names of columns a row of it has at most.
type Judged = (usize, Sheet);

fn keep_better(best: &mut Option<Judged>, sheet: Sheet, knows: &dyn Fn(&str) -> bool) {
    let known = |row: &SheetRow| row.fields.iter().filter(|name| knows(trimmed(name))).count();
    let merit = sheet.rows.iter().take(TOP).map(known).max().unwrap_or_default();
    if best.as_ref().is_none_or(|(before, kept)| merit > *before || kept.rows.is_empty()) {
        *best = Some((merit, sheet));
    }
}

fn chosen(best: Option<Judged>, names: &[String]) -> Result<Sheet, NoSheet> {
    let mut sheet = best.map(|(_, sheet)| sheet).unwrap_or_default();
    if names.len() > 1 {
        sheet.notes.push(both(
            format!(
                "the workbook has {} sheets: the one with the names of columns is read",
                names.len()
            ),
            format!("工作簿有 {} 个工作表：只读取含列名的一个", names.len()),
        ));
    }
    Ok(sheet)
}

/// Rows that are put together cell by cell.
#[derive(Default)]
struct Rows {
    sheet: Sheet,
    /// The number of the row at hand, from 0, and its cells so far.
    row: u32,
    cells: Vec<String>,
}

impl Rows {
    fn put(&mut self, (row, column): (u32, u32), text: String) -> Result<(), NoSheet> {
        if row != self.row {
            self.close();
            self.row = row;
        }
        if self.sheet.rows.len() > MAX_ROWS {
            return Err(NoSheet::new(
                format!("over {MAX_ROWS} rows: is it the right file?"),
                format!("超过 {MAX_ROWS} 行：文件是否选错？"),
            ));
        }
        let column = column as usize;
        if column >= MAX_COLUMNS || text.is_empty() {
            return Ok(());
        }
        if self.cells.len() <= column {
            self.cells.resize(column + 1, String::new());
        }
        if let Some(cell) = self.cells.get_mut(column) {
            *cell = text;
        }
        Ok(())
    }

    fn close(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        if !is_blank(cells.iter().map(String::as_str)) {
            let fields = csv::StringRecord::from(cells);
            self.sheet.rows.push(SheetRow::new(u64::from(self.row) + 1, fields));
        }
    }

    /// All rows, as wide as the widest: Excel keeps no empty cells.
    fn finish(mut self) -> Sheet {
        self.close();
        let widest = self.sheet.rows.iter().map(|row| row.fields.len()).max().unwrap_or_default();
        for row in &mut self.sheet.rows {
            while row.fields.len() < widest {
                row.fields.push_field("");
            }
        }
        self.sheet
    }
}

fn of_reference(value: &DataRef<'_>) -> String {
    match value {
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::String(text) => text.clone(),
        DataRef::Int(whole) => whole.to_string(),
        DataRef::Float(number) => of_number(*number),
        DataRef::Bool(flag) => flag.to_string(),
        DataRef::DateTime(moment) => of_moment(*moment),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

fn of_data(value: &Data) -> String {
    match value {
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Int(whole) => whole.to_string(),
        Data::Float(number) => of_number(*number),
        Data::Bool(flag) => flag.to_string(),
        Data::DateTime(moment) => of_moment(*moment),
        Data::Error(_) | Data::Empty => String::new(),
    }
}

/// As Excel shows it; one that has lost digits as `8.67E+14`, which nobody takes for an id.
fn of_number(number: f64) -> String {
    if number.abs() >= TOO_LONG {
        format!("{number:E}").replace('E', "E+")
    } else {
        number.to_string()
    }
}

/// `2025-11-24`, or with the time of day.
fn of_moment(moment: ExcelDateTime) -> String {
    if !moment.is_datetime() {
        return of_number(moment.as_f64());
    }
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second, milli) {
        (0, 0, 0, 0) => date,
        (_, _, _, 0) => format!("{date} {hour:02}:{minute:02}:{second:02}"),
        _ => format!("{date} {hour:02}:{minute:02}:{second:02}.{milli:03}"),
    }
}
