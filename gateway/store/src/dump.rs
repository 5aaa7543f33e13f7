//! All that a store holds, as text: for tests that compare two of them.

use std::collections::BTreeMap;

use super::{Reader, StoreError};

impl Reader {
    /// Every row of every table, each value as SQL writes it, by table, in order of the rows' keys.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn dump(&self) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let names =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_stat1'";
        let names: Vec<String> = self.rows(names, (), |row| row.get(0))?;
        names.into_iter().map(|name| Ok((name.clone(), self.dump_table(&name)?))).collect()
    }

    fn dump_table(&self, table: &str) -> Result<Vec<String>, StoreError> {
        let columns = "SELECT name FROM pragma_table_info(?1) ORDER BY cid";
        let columns: Vec<String> = self.rows(columns, [table], |row| row.get(0))?;
        let values: Vec<_> = columns.iter().map(|name| format!("quote({name})")).collect();
        let values = values.join(" || ' | ' || ");
        self.rows(&format!("SELECT {values} FROM {table} ORDER BY 1"), (), |row| row.get(0))
    }
}
