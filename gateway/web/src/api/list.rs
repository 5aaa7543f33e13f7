//! A page of a list, the shape of every list there is.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params_from_iter};
use serde::Serialize;
use standpipe_store::accounts::Area;
use standpipe_store::readers::ReadError;
use utoipa::ToSchema;

use super::params::Page;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Which page, from 1.
    pub page: u32,
    /// How many pages there are, at least 1.
    pub pages: u64,
    /// How many items there are on all pages.
    pub total: u64,
}

/// Conditions of a query and their values, both in order.
#[derive(Default)]
pub struct Where {
    conditions: Vec<&'static str>,
    values: Vec<Box<dyn ToSql + Send>>,
}

impl Where {
    /// Adds a condition with one `?`.
    pub fn and(&mut self, condition: &'static str, value: impl ToSql + Send + 'static) {
        self.conditions.push(condition);
        self.values.push(Box::new(value));
    }

    /// Adds a condition without a value.
    pub fn and_always(&mut self, condition: &'static str) {
        self.conditions.push(condition);
    }

    /// Adds a condition with one `?` when there is a value.
    pub fn and_some(
        &mut self,
        condition: &'static str,
        value: Option<impl ToSql + Send + 'static>,
    ) {
        if let Some(value) = value {
            self.and(condition, value);
        }
    }

    /// Nothing but an area, by what [`Area`] says of rows. It comes first, as its `?1` wants.
    pub fn within(area: &Area, rows: &'static str) -> Self {
        let mut wanted = Self::default();
        wanted.and(rows, area.clone());
        wanted
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
pub struct Source {
    /// What is selected.
    pub select: &'static str,
    /// From where, as far as conditions and the number of rows need it.
    pub from: &'static str,
    /// Joins that only add columns: left out when rows are counted.
    pub joins: &'static str,
    /// `GROUP BY …` or nothing.
    pub group: &'static str,
    /// `ORDER BY …`.
    pub order: &'static str,
}

impl Source {
    /// Reads one page.
    ///
    /// # Errors
    /// [`ReadError`] when the store can't be read, or `row` refuses a row.
    pub fn page<T>(
        &self,
        db: &Connection,
        wanted: &Where,
        page: Page,
        mut row: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
    ) -> Result<List<T>, ReadError> {
        let Self { select, from, joins, group, order } = self;
        let clause = wanted.clause();
        let values = || params_from_iter(wanted.values.iter().map(|it| &**it as &dyn ToSql));
        let count = format!("SELECT count(*) FROM (SELECT 1 FROM {from}{clause} {group})");
        let total: i64 = db.prepare_cached(&count)?.query_row(values(), |it| it.get(0))?;
        let total = u64::try_from(total).unwrap_or(0);
        let per_page = u64::from(page.per_page);
        let skip = u64::from(page.page.saturating_sub(1)).saturating_mul(per_page);
        let sql = format!(
            "SELECT {select} FROM {from} {joins}{clause} {group} {order} LIMIT {per_page} OFFSET {skip}"
        );
        let mut items = Vec::new();
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query(values())?;
        while let Some(it) = rows.next()? {
            items.push(row(it)?);
        }
        Ok(List { items, page: page.page, pages: total.div_ceil(per_page).max(1), total })
    }
}
