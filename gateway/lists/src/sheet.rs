//! Bytes → rows of text, whatever they are. What they are is found by looking at them: the ending of a
//! file's name is often wrong.
//!
//! Not here: which row has the names of the columns, and what a cell means (`columns`, `rows`).

use crate::table::{NoSheet, Sheet};
use crate::{delimited, encoding, features, spreadsheet};

/// Reads them; `knows` is asked whether a text is the name of a column, which tells one sign between
/// fields from another.
///
/// # Errors
/// [`NoSheet`]: what it is instead of a list.
pub fn read(bytes: &[u8], knows: &dyn Fn(&str) -> bool) -> Result<Sheet, NoSheet> {
    match bytes {
        [b'P', b'K', 3 | 5, ..] => return spreadsheet::xlsx(bytes, knows),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => return spreadsheet::xls(bytes, knows),
        [b'%', b'P', b'D', b'F', ..] => {
            return Err(NoSheet::new(
                "a PDF: export the list as XLSX or CSV",
                "这是 PDF 文件：请将清单导出为 XLSX 或 CSV",
            ));
        }
        [0x1f, 0x8b, ..] => {
            return Err(NoSheet::new(
                "packed with gzip: unpack it first",
                "这是 gzip 压缩文件：请先解压",
            ));
        }
        _ => {}
    }
    let text = encoding::decode(bytes)
        .map_err(|encoding::NotText { line, text }| NoSheet { line, text })?;
    let begins = text.trim_start();
    if begins.is_empty() {
        return Ok(Sheet::default());
    }
    if begins.starts_with(['{', '[']) {
        return features::json(begins);
    }
    if begins.starts_with('<') {
        return features::xml(begins);
    }
    delimited::read(&text, knows)
}
