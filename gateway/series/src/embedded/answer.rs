//! Answers questions from the file.

use rusqlite::{Connection, OptionalExtension, params};
use standpipe_rules::Ms;
use standpipe_shared::Field;

use crate::fold::{Fold, Full, as_written};
use crate::question::TimeSpan;
use crate::{HistoryError, HistoryPoint, HistoryQuery};

/// What can go wrong on the way.
enum AnswerTrouble {
    Full(Full),
    Sqlite(rusqlite::Error),
}

impl From<Full> for AnswerTrouble {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

impl From<rusqlite::Error> for AnswerTrouble {
    fn from(bad: rusqlite::Error) -> Self {
        Self::Sqlite(bad)
    }
}

/// The points asked for; none for a device that was never heard.
pub(super) fn answer(
    conn: &Connection,
    query: &HistoryQuery,
    now: Ms,
) -> Result<Vec<HistoryPoint>, HistoryError> {
    let plan = query.plan(now)?;
    let mut fold = Fold::new(plan.hourly_step_ms());
    let found = (|| {
        let Some(device) = device(conn, &query.device)? else { return Ok(()) };
        if let Some(span) = plan.hourly {
            hourly(conn, device, query.field, span, &mut fold)?;
        }
        fold.set_step(plan.step_ms);
        if let Some(span) = plan.raw {
            raw(conn, device, query.field, span, &mut fold)?;
        }
        Ok(())
    })();
    match found {
        Ok(()) => Ok(fold.finish()),
        Err(AnswerTrouble::Full(full)) => Err(full.of(query)),
        Err(AnswerTrouble::Sqlite(bad)) => {
            Err(HistoryError::Unavailable(format!("history.db: {bad}: try again").into()))
        }
    }
}

fn device(conn: &Connection, id: &str) -> rusqlite::Result<Option<i64>> {
    let mut find = conn.prepare_cached("SELECT n FROM device WHERE id = ?1")?;
    find.query_row([id], |row| row.get(0)).optional()
}

fn raw(
    conn: &Connection,
    device: i64,
    field: Field,
    span: TimeSpan,
    fold: &mut Fold,
) -> Result<(), AnswerTrouble> {
    let name = field.as_str();
    let mut select = conn.prepare_cached(&format!(
        "SELECT ts, {name} FROM raw
         WHERE device = ?1 AND ts >= ?2 AND ts < ?3 AND {name} IS NOT NULL ORDER BY ts"
    ))?;
    let mut rows = select.query(params![device, span.from, span.to])?;
    while let Some(row) = rows.next()? {
        fold.value(row.get(0)?, as_written(row.get(1)?))?;
    }
    Ok(())
}

fn hourly(
    conn: &Connection,
    device: i64,
    field: Field,
    span: TimeSpan,
    fold: &mut Fold,
) -> Result<(), AnswerTrouble> {
    let mut select = conn.prepare_cached(
        "SELECT hour, min, mean, max, count FROM hourly
         WHERE device = ?1 AND field = ?2 AND hour >= ?3 AND hour < ?4 ORDER BY hour",
    )?;
    let place = Field::ALL.iter().position(|known| *known == field);
    let mut rows = select.query(params![device, place, span.from, span.to])?;
    while let Some(row) = rows.next()? {
        fold.add(HistoryPoint {
            ts: row.get(0)?,
            min: as_written(row.get(1)?),
            mean: row.get(2)?,
            max: as_written(row.get(3)?),
            count: row.get(4)?,
        })?;
    }
    Ok(())
}
