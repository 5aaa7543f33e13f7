//! A page of a list, the shape of every list there is.

use serde::Serialize;
use standpipe_store::views;
use utoipa::ToSchema;

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

impl<T, Row: Into<T>> From<views::PageOf<Row>> for List<T> {
    fn from(list: views::PageOf<Row>) -> Self {
        let views::PageOf { items, page, pages, total } = list.map(Into::into);
        Self { items, page, pages, total }
    }
}
