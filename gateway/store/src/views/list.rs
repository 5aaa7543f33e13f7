//! Pages of lists: conditions and their values, and the parts of a query around them.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params_from_iter};

use crate::accounts::Area;
use crate::readers::ReadError;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// The first page is 1.
    pub page: u32,
    pub per_page: u32,
}

impl ListPage {
    /// Of whoever looks for one row.
    pub(super) const ONE: Self = Self { page: 1, per_page: 1 };
}

/// The items of one page, and how many there are beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOf<T> {
    pub items: Vec<T>,
    /// Which page this is, counted from 1.
    pub page: u32,
    /// How many pages there are, at least 1.
    pub pages: u64,
    /// How many items there are on all pages.
    pub total: u64,
}

impl<T> PageOf<T> {
    /// Changes each item; the figures stay.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> PageOf<U> {
        let Self { items, page, pages, total } = self;
        PageOf { items: items.into_iter().map(change).collect(), page, pages, total }
    }
}

/// Conditions of a query and their values, both in order.
#[derive(Default)]
pub(super) struct WhereClause<'a> {
    conditions: Vec<&'static str>,
    values: Vec<Box<dyn ToSql + 'a>>,
}

impl<'a> WhereClause<'a> {
    /// Nothing but an area, by what [`Area`] says of rows. It comes first, as its `?1` wants.
    pub(super) fn within(area: &'a Area, rows: &'static str) -> Self {
        let mut wanted = Self::default();
        wanted.and(rows, area);
        wanted
    }

    /// Adds a condition that binds one value: `?`.
    pub(super) fn and(&mut self, condition: &'static str, value: impl ToSql + 'a) {
        self.conditions.push(condition);
        self.values.push(Box::new(value));
    }

    /// Adds a condition that binds no value.
    pub(super) fn and_always(&mut self, condition: &'static str) {
        self.conditions.push(condition);
    }

    /// Adds a condition with one `?` when there is a value.
    pub(super) fn and_some(&mut self, condition: &'static str, value: Option<impl ToSql + 'a>) {
        if let Some(value) = value {
            self.and(condition, value);
        }
    }

    fn clause(&self) -> String {
        if self.conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.conditions.join(" AND "))
        }
    }
}

/// What a list is read from: the parts of a query around its conditions.
pub(super) struct ListQuery<'a> {
    pub(super) select: &'a str,
    /// From where, as far as conditions and the number of rows need it.
    pub(super) from: &'a str,
    /// Joins that only add columns: left out when rows are counted.
    pub(super) joins: &'a str,
    pub(super) group: &'a str,
    pub(super) order: &'a str,
}

impl ListQuery<'_> {
    /// Reads one page.
    ///
    /// # Errors
    /// [`ReadError`] when the store can't be read, or `read` refuses a row.
    pub(super) fn page<T>(
        &self,
        db: &Connection,
        wanted: &WhereClause<'_>,
        page: ListPage,
        mut read: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
    ) -> Result<PageOf<T>, ReadError> {
        let Self { select, from, joins, group, order } = self;
        let clause = wanted.clause();
        let values = || params_from_iter(wanted.values.iter().map(|value| &**value as &dyn ToSql));
        let count = format!("SELECT count(*) FROM (SELECT 1 FROM {from}{clause} {group})");
        let total: i64 = db.prepare_cached(&count)?.query_row(values(), |row| row.get(0))?;
        let total = u64::try_from(total).unwrap_or(0);
        let per_page = u64::from(page.per_page);
        let skip = u64::from(page.page.saturating_sub(1)).saturating_mul(per_page);
        let sql = format!(
            "SELECT {select} FROM {from} {joins}{clause} {group} {order} LIMIT {per_page} OFFSET {skip}"
        );
        let mut items = Vec::new();
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query(values())?;
        while let Some(row) = rows.next()? {
            items.push(read(row)?);
        }
        Ok(PageOf { items, page: page.page, pages: total.div_ceil(per_page).max(1), total })
    }

    /// The one row that is wanted, if it is there.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(super) fn one<T>(
        &self,
        db: &Connection,
        wanted: &WhereClause<'_>,
        read: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        Ok(self.page(db, wanted, ListPage::ONE, read)?.items.into_iter().next())
    }
}
