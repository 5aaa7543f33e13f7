//! Which column is which: by the names that lists usually have, or as the person who brings the list says.

use standpipe_rules::incidents::Text;

use crate::datum::{Datum, UtmZone};
use crate::fault::both;
use crate::table::{Sheet, SheetRow};
use crate::values::{narrow, trimmed};

/// Rows at the top among which the names of columns are: above them stand titles, dates, offices.
const TOP: usize = 30;
/// Names of columns that a fault lists; the rest are counted.
const LISTED: usize = 20;

/// Our names of columns, and what is said of each.
pub type ColumnPairs = Vec<(Box<str>, Box<str>)>;

/// What the person who brings a list says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Our name of a column, and theirs.
    pub columns: ColumnPairs,
    /// Our name of a column, and what stands in it wherever the list has nothing.
    pub fill: ColumnPairs,
    /// `None`: not said, and WGS-84.
    pub datum: Option<Datum>,
    /// Places are metres of this zone.
    pub utm: Option<UtmZone>,
}

/// `ours=theirs,…` that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no column: write ours=theirs, such as lat=纬度, separated by commas")]
pub struct BadOption(Box<str>);

impl ListOptions {
    /// `ours=theirs,…`
    ///
    /// # Errors
    /// [`BadOption`]: a part of it is not of that form, or names no column of ours.
    pub fn pairs(text: &str) -> Result<ColumnPairs, BadOption> {
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        parts
            .map(|part| {
                let pair = part.split_once('=').map(|(ours, theirs)| (ours.trim(), theirs.trim()));
                let known = |ours: &str| OURS.contains(&ours);
                match pair {
                    Some((ours, theirs)) if known(ours) && !theirs.is_empty() => {
                        Ok((ours.into(), theirs.into()))
                    }
                    Some(_) | None => Err(BadOption(part.into())),
                }
            })
            .collect()
    }
}

/// All our columns.
const OURS: [&str; 17] = [
    "id",
    "kind",
    "name",
    "station",
    "zone",
    "profile",
    "lat",
    "lon",
    "address",
    "building",
    "floor",
    "interval_s",
    "installed_on",
    "decoder",
    "level",
    "parent",
    "phone",
];

/// One of our columns and what others call it, as [`key`] writes it.
pub(crate) struct KnownColumn {
    pub(crate) ours: &'static str,
    /// Without it there is no row.
    pub(crate) must: bool,
    pub(crate) also: &'static [&'static str],
}

/// What is shared by stations and devices.
pub(crate) const LAT: KnownColumn = KnownColumn {
    ours: "lat",
    must: false,
    also: &["纬度", "latitude", "@lat", "gps纬度", "纬度坐标", "北纬"],
};
pub(crate) const LON: KnownColumn = KnownColumn {
    ours: "lon",
    must: false,
    also: &["经度", "longitude", "lng", "long", "@lon", "gps经度", "经度坐标", "东经"],
};

/// A column's name without what differs from list to list: case, spaces, units, datums.
pub(crate) fn key(name: &str) -> String {
    let mut key = String::new();
    let mut within = 0_u32;
    for letter in narrow(trimmed(name)).chars() {
        match letter {
            '(' | '[' | '【' => within += 1,
            ')' | ']' | '】' => within = within.saturating_sub(1),
            _ if within > 0
                || letter.is_whitespace()
                || matches!(letter, '_' | '-' | '*' | ':') => {}
            _ => key.extend(letter.to_lowercase()),
        }
    }
    for (word, _) in DATUMS {
        let without = key.replace(word, "");
        if !without.is_empty() {
            key = without;
        }
    }
    key
}

/// Words in the names of columns that say in which datum places are.
const DATUMS: [(&str, Datum); 8] = [
    ("百度", Datum::Bd09),
    ("bd09", Datum::Bd09),
    ("高德", Datum::Gcj02),
    ("腾讯", Datum::Gcj02),
    ("火星", Datum::Gcj02),
    ("gcj02", Datum::Gcj02),
    ("wgs84", Datum::Wgs84),
    ("84坐标", Datum::Wgs84),
];

/// The datum that a column's name speaks of.
fn named_datum(name: &str) -> Option<Datum> {
    let name = name.to_lowercase().replace(['-', '_'], "");
    DATUMS.iter().find(|(word, _)| name.contains(word)).map(|(_, datum)| *datum)
}

/// Which of our columns stands where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// The number of its row among those of the sheet.
    pub(crate) at: usize,
    pub(crate) line: u64,
    /// As they stand in the file.
    pub(crate) names: Vec<String>,
    pub(crate) ours: Vec<Option<&'static str>>,
    /// As the names of the columns of places say.
    pub(crate) datum: Option<Datum>,
}

impl Header {
    /// Where our column is.
    pub(crate) fn find(&self, ours: &str) -> Option<usize> {
        self.ours.iter().position(|column| *column == Some(ours))
    }

    /// Names that mean nothing here; columns without a name are not worth a word.
    pub(crate) fn ignored(&self) -> Vec<&str> {
        let named = self.names.iter().zip(&self.ours);
        named
            .filter(|(name, ours)| ours.is_none() && !name.is_empty())
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// Why the columns of a file are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadHeader {
    pub(crate) line: u64,
    pub(crate) column: Box<str>,
    pub(crate) text: Text,
}

/// Whether somebody's list has a column of that name.
pub(crate) fn knows(known: &[KnownColumn], options: &ListOptions, name: &str) -> bool {
    let key = key(name);
    options.columns.iter().any(|(_, theirs)| **theirs == *name)
        || known
            .iter()
            .any(|column| key_of(column.ours) == key || column.also.contains(&key.as_str()))
}

fn key_of(ours: &str) -> String {
    ours.replace('_', "")
}

/// Finds the row with the names, and what each is.
///
/// # Errors
/// [`BadHeader`]s, all of them: no row names columns, a column is missing or there twice.
pub(crate) fn header(
    sheet: &Sheet,
    known: &[KnownColumn],
    options: &ListOptions,
) -> Result<Header, Vec<BadHeader>> {
    let top = sheet.rows.iter().take(if sheet.named { 1 } else { TOP });
    let merit = |row: &SheetRow| {
        row.fields.iter().filter(|name| knows(known, options, trimmed(name))).count()
    };
    let mut best: Option<(usize, usize)> = None;
    for (at, row) in top.enumerate() {
        let merit = merit(row);
        if best.is_none_or(|(most, _)| merit > most) {
            best = Some((merit, at));
        }
    }
    let (merit, at) = best.unwrap_or_default();
    let Some(row) = sheet.rows.get(at) else { return Ok(Header::default()) };
    let names: Vec<String> = row.fields.iter().map(|name| trimmed(name).to_owned()).collect();
    if merit < 2 && !sheet.named {
        return Err(vec![no_names(row, &names, known)]);
    }
    let line = row.line;
    let (ours, mut bad) = ours(&names, known, options, line);
    let header = Header { at, line, datum: datum(&names, &ours), names, ours };
    let told: Vec<Box<str>> = bad.iter().map(|bad| bad.column.clone()).collect();
    bad.extend(missing(&header, known, options, &told));
    if bad.is_empty() { Ok(header) } else { Err(bad) }
}

fn datum(names: &[String], ours: &[Option<&'static str>]) -> Option<Datum> {
    let places = names.iter().zip(ours).filter(|(_, ours)| matches!(ours, Some("lat" | "lon")));
    places.filter_map(|(name, _)| named_datum(name)).next()
}

/// Which column each name is of ours.
fn ours(
    names: &[String],
    known: &[KnownColumn],
    options: &ListOptions,
    line: u64,
) -> (Vec<Option<&'static str>>, Vec<BadHeader>) {
    let mut ours: Vec<Option<&'static str>> = vec![None; names.len()];
    let mut bad = Vec::new();
    let keys: Vec<String> = names.iter().map(|name| key(name)).collect();
    let mapped = |name: &str| options.columns.iter().any(|(_, theirs)| **theirs == *name);
    for column in known {
        let said = options.columns.iter().find(|(ours, _)| **ours == *column.ours);
        let found = if let Some((_, theirs)) = said {
            let found: Vec<usize> = places(names, |name| **name == **theirs);
            if found.is_empty() {
                bad.push(not_there(column.ours, theirs, names, line));
                continue;
            }
            found
        } else {
            let free = |at: &usize| names.get(*at).is_some_and(|name| !mapped(name));
            let exact = places(&keys, |key| **key == key_of(column.ours));
            let exact: Vec<usize> = exact.into_iter().filter(free).collect();
            let by_alias = || {
                let each = column.also.iter().flat_map(|alias| places(&keys, |key| key == alias));
                each.filter(free).collect()
            };
            if exact.is_empty() { by_alias() } else { exact }
        };
        let place = matches!(column.ours, "lat" | "lon");
        match found.as_slice() {
            [] => {}
            [at] => set(&mut ours, *at, column.ours),
            // Of names of places the first of the list counts: the others say the same.
            [at, ..] if place && keys.get(*at).is_some_and(|key| *key != key_of(column.ours)) => {
                set(&mut ours, *at, column.ours);
            }
            [at, other, ..] => bad.push(twice(column.ours, (*at, *other), names, line)),
        }
    }
    (ours, bad)
}

fn places(names: &[String], is: impl Fn(&String) -> bool) -> Vec<usize> {
    names.iter().enumerate().filter(|(_, name)| is(name)).map(|(at, _)| at).collect()
}

fn set(ours: &mut [Option<&'static str>], at: usize, column: &'static str) {
    if let Some(place) = ours.get_mut(at) {
        *place = Some(column);
    }
}

fn twice(ours: &str, (at, other): (usize, usize), names: &[String], line: u64) -> BadHeader {
    let name = |at: usize| names.get(at).map_or("", String::as_str);
    let (one, two) = (name(at), name(other));
    let text = if key(one) == key(two) {
        both("two columns of that name: take one out", "有两列同名：请删去一列")
    } else {
        both(
            format!("`{one}` or `{two}`? Say which: --columns {ours}={one}"),
            format!("是 `{one}` 还是 `{two}`？请指明：--columns {ours}={one}"),
        )
    };
    BadHeader { line, column: ours.into(), text }
}

fn listed(names: &[String]) -> String {
    let named: Vec<String> =
        names.iter().filter(|name| !name.is_empty()).map(|name| format!("`{name}`")).collect();
    match named.len() {
        0 => "—".to_owned(),
        all if all > LISTED => {
            format!("{} … ({all})", named.get(..LISTED).unwrap_or_default().join(", "))
        }
        _ => named.join(", "),
    }
}

fn not_there(ours: &str, theirs: &str, names: &[String], line: u64) -> BadHeader {
    let all = listed(names);
    let text = both(
        format!("no column `{theirs}` in the file, which has {all}: correct --columns"),
        format!("文件中没有列 `{theirs}`，现有列：{all}：请更正 --columns"),
    );
    BadHeader { line, column: ours.into(), text }
}

/// No row that could name columns.
fn no_names(row: &SheetRow, names: &[String], known: &[KnownColumn]) -> BadHeader {
    let wanted: Vec<&str> =
        known.iter().filter(|column| column.must).map(|column| column.ours).collect();
    let (wanted, found) = (wanted.join(", "), listed(names));
    let text = both(
        format!(
            "no line names the columns; the first one is {found}: put a line with at least {wanted} above the \
             rows, or say which is which: --columns id=…"
        ),
        format!(
            "没有列名行，首行为 {found}：请在数据上方加一行列名（至少 {wanted}），或指明对应关系：--columns \
             id=…"
        ),
    );
    BadHeader { line: row.line, column: Box::default(), text }
}

/// Columns that must be there and are not, in one fault.
fn missing(
    header: &Header,
    known: &[KnownColumn],
    options: &ListOptions,
    told: &[Box<str>],
) -> Option<BadHeader> {
    let filled = |ours: &str| options.fill.iter().any(|(column, _)| **column == *ours);
    let told = |ours: &str| told.iter().any(|column| **column == *ours);
    let missing: Vec<&str> = known
        .iter()
        .filter(|column| column.must && header.find(column.ours).is_none() && !filled(column.ours))
        .filter(|column| !told(column.ours))
        .map(|column| column.ours)
        .collect();
    let first = missing.first()?;
    let (wanted, found) = (missing.join(", "), listed(&header.names));
    let text = both(
        format!(
            "no column for {wanted} among {found}: say which is which (--columns {first}=…), or give all rows \
             one value (--fill {first}=…)"
        ),
        format!(
            "缺少列 {wanted}，现有列：{found}：请指明对应关系（--columns {first}=…），或统一填写（--fill \
             {first}=…）"
        ),
    );
    Some(BadHeader { line: header.line, column: Box::default(), text })
}

#[cfg(test)]
mod tests {
    use super::{ListOptions, key};

    #[test]
    #[rustfmt::skip] // a table
    fn names_are_compared_without_what_differs_from_list_to_list() {
        for (name, expected) in [
            (" ID ", "id"), ("interval_s", "intervals"), ("纬度（°）", "纬度"), ("经度(WGS84)", "经度"),
            ("百度经度", "经度"), ("ＬＡＴ", "lat"), ("* 设备编号", "设备编号"), ("Installed On", "installedon"),
            ("高德", "高德"), ("\u{feff}id", "id"),
        ] {
            assert_eq!(key(name), expected, "{name}");
        }
    }

    #[test]
    fn pairs_name_columns_of_ours() {
        let pairs = ListOptions::pairs("id=编号, lat = Y,").unwrap();
        assert_eq!(pairs, [("id".into(), "编号".into()), ("lat".into(), "Y".into())]);
        for bad in ["colour=红", "id", "id="] {
            let told = ListOptions::pairs(bad).unwrap_err().to_string();
            assert!(told.starts_with(&format!("`{bad}` names no column")), "{told}");
        }
    }
}
