//! Lists as people have them: stations, devices and readings, in whatever their office wrote them.
//!
//! Bytes come in, rows and reports go out; nothing here opens a file, asks the time or changes anything.
//!
//! | module | idea |
//! |---|---|
//! | [`sheet`] | bytes → rows of text, whatever they are: CSV of any kind, Excel, GeoJSON, OpenStreetMap |
//! | [`table`] | those rows, and the file they come from |
//! | [`encoding`] | bytes → text: UTF-8, UTF-16, GBK and GB 18030 |
//! | `delimited`, [`lines`] | text → rows, between commas, semicolons, tabs or full-width commas |
//! | `spreadsheet`, `features` | Excel's files; GeoJSON and OpenStreetMap's exports |
//! | `columns` | which column is which: the usual Chinese and English names, and what a person says |
//! | `values` | a number, degrees, an interval, the kind of a device, as people write them |
//! | [`datum`] | places as maps of China draw them, and as surveyors write them, → WGS-84 |
//! | `rows`, `devices`, `stations` | a row → a device, a station, or what is wrong with it |
//! | `check`, `doubts` | what rows say of each other; what is likely wrong with the whole list |
//! | [`readings`] | columns and values of recorded readings |
//! | [`import`] | all of it: files → what is to be registered, and every fault |
//! | [`difference`] | what taking a list would change in the registry |
//! | [`fault`] | a fault with its place, in both languages; many of one cause are told once |
//! | `write` | the registry → the files of the contract |
//!
//! What comes of a list (`standpipe::cli::import`, the API) is not decided here.

#![allow(missing_docs, reason = "fields may speak for themselves: tests/tidy/docs.rs")]

mod check;
mod columns;
pub mod datum;
mod delimited;
mod devices;
pub mod difference;
mod doubts;
pub mod encoding;
pub mod fault;
mod features;
pub mod import;
pub mod lines;
pub mod readings;
mod rows;
pub mod sheet;
mod spreadsheet;
mod stations;
pub mod table;
mod values;
mod write;

pub use columns::{BadOption, ColumnPairs, ListOptions};
pub use datum::{Datum, UtmZone};
pub use delimited::delimiter;
pub use difference::{ChangedField, ChangedRow, Listed, RegistryDifference, RowDifference};
pub use fault::{BadRow, FaultCause, told};
pub use import::Import;
pub use lines::Lines;
pub use table::File;
pub use write::{devices as write_devices, stations as write_stations};

#[cfg(test)]
mod tests;
