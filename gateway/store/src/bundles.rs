//! Bundles: what one message says of several pages, and what becomes of it. A bundle is written down,
//! with its bytes, before it is first sent; its pages leave the queue of their receiver in the same
//! transaction, so that a crash neither loses one nor sends one twice.

use rusqlite::{Connection, OptionalExtension};
use standpipe_rules::Ms;
use standpipe_rules::changes::{Bundle, Page, Urgency};
use standpipe_rules::incidents::{BundledPage, IncidentId, NAMED, Text, WireBundle, WireIncident};
use standpipe_rules::world::World;
use ulid::Ulid;

use super::reader::{optional_ulid, ulid, urgency};
use super::rows::{rows_of, said};
use super::{Reader, StoreError};

/// A bundle that a webhook is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedBundle {
    /// Its id: the same for every attempt.
    pub id: Ulid,
    /// When it was owed.
    pub at: Ms,
    /// That of its worst member.
    pub urgency: Urgency,
    /// Later ones are greater.
    pub n: i64,
    /// Whether it is a part of a bundle that was refused.
    pub is_part: bool,
}

/// `bundle`, with what it says; its pages are in it from now on, and owe no message of their own.
pub(super) fn write(conn: &Connection, world: &World, bundle: &Bundle) -> Result<(), StoreError> {
    let (id, part_of) = (bundle.id.to_string(), bundle.part_of.map(|whole| whole.to_string()));
    let mut pages = Vec::with_capacity(bundle.members.len());
    for page_id in &bundle.members {
        let sql = "UPDATE page SET bundle = ?2 WHERE page_id = ?1 AND bundle IS ?3
                   RETURNING incident, number";
        let row = conn
            .prepare_cached(sql)?
            .query_row((page_id.to_string(), &id, &part_of), |row| Ok((ulid(row, 0)?, row.get(1)?)))
            .optional()?;
        let Some((incident, number)) = row else { continue };
        said(conn, number)?;
        pages.extend(member(conn, world, (*page_id, incident), pages.len())?);
    }
    let Some(worst) = pages.first().map(|page| page.incident) else { return Ok(()) };
    let wire: String = conn
        .prepare_cached("SELECT wire FROM incident WHERE id = ?1")?
        .query_row([worst.to_string()], |row| row.get(0))?;
    let wire = WireBundle::of(&pages).message(&wire, bundle.id);
    let sql = "INSERT OR IGNORE INTO bundle (id, receiver, at, urgency, number, wire, part_of)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let number = bundle.number.cast_signed();
    conn.prepare_cached(sql)?.execute((
        id,
        &bundle.receiver,
        bundle.at,
        bundle.urgency.place(),
        number,
        wire,
        part_of,
    ))?;
    Ok(())
}

/// A page that a refused bundle left alone: it is in the queue of its receiver again, at its new place,
/// and says what is true now. Nobody was told anything under its id.
pub(super) fn unbundled(conn: &Connection, page: &Page) -> Result<(), StoreError> {
    let (id, number) = (page.page_id.to_string(), page.number.cast_signed());
    let sql = "UPDATE page SET bundle = NULL, alone = 1, number = ?2 WHERE page_id = ?1";
    conn.prepare_cached(sql)?.execute((&id, number))?;
    let sql = "INSERT OR REPLACE INTO message (n, wire)
               SELECT p.number, i.wire FROM page p JOIN incident i ON i.id = p.incident
               WHERE p.page_id = ?1 AND p.delivered_at IS NULL AND p.gave_up_at IS NULL
                   AND p.superseded_at IS NULL";
    conn.prepare_cached(sql)?.execute([&id])?;
    Ok(())
}

/// What a bundle says of a page; `None`: nobody knows its incident. Only the first are named.
fn member(
    conn: &Connection,
    world: &World,
    (page_id, incident): (Ulid, IncidentId),
    before: usize,
) -> Result<Option<BundledPage>, StoreError> {
    let station = |id: &str| {
        let name = world.registry().station(id).map(|station| &*station.name);
        (Box::from(id), Box::from(name.unwrap_or_default()))
    };
    if let Some(open) = world.book.get(incident) {
        let device = open.device().and_then(|ix| world.registry().device(ix));
        let title =
            if before < NAMED { open.wire(world.registry()).title } else { Text::default() };
        return Ok(Some(BundledPage {
            incident,
            page_id,
            device: device.map(|device| device.id.clone()),
            station: station(&open.station),
            severity: open.severity,
            title,
        }));
    }
    // It was closed meanwhile.
    let wire: Option<String> = conn
        .prepare_cached("SELECT wire FROM incident WHERE id = ?1")?
        .query_row([incident.to_string()], |row| row.get(0))
        .optional()?;
    let closed = wire.and_then(|wire| WireIncident::read(&wire).ok());
    Ok(closed.map(|closed| BundledPage {
        incident,
        page_id,
        device: closed.device.map(|device| device.id),
        station: station(&closed.station),
        severity: closed.severity,
        title: closed.title,
    }))
}

/// `bundle`: what became of it. Its words are not needed any more.
fn settled(conn: &Connection, id: Ulid, (column, at): (&str, Ms)) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE bundle SET {column} = ?2, wire = '' WHERE id = ?1 AND delivered_at IS NULL
             AND gave_up_at IS NULL AND superseded_at IS NULL"
    );
    conn.prepare_cached(&sql)?.execute((id.to_string(), at))?;
    Ok(())
}

/// A bundle of which nothing is owed any more.
pub(super) fn void(conn: &Connection, id: Ulid, at: Ms) -> Result<(), StoreError> {
    settled(conn, id, ("superseded_at", at))
}

/// Its receiver has it; the pages that were still owed, with what they are about.
pub(super) fn delivered(
    conn: &Connection,
    id: Ulid,
    at: Ms,
) -> Result<Vec<(Ulid, IncidentId)>, StoreError> {
    with_members(conn, id, ("delivered_at", at))
}

/// It was tried for too long; the pages that were still owed, with what they are about.
pub(super) fn gave_up(
    conn: &Connection,
    id: Ulid,
    at: Ms,
) -> Result<Vec<(Ulid, IncidentId)>, StoreError> {
    with_members(conn, id, ("gave_up_at", at))
}

fn with_members(
    conn: &Connection,
    id: Ulid,
    (column, at): (&str, Ms),
) -> Result<Vec<(Ulid, IncidentId)>, StoreError> {
    let sql = format!(
        "UPDATE page SET {column} = ?2 WHERE bundle = ?1 AND delivered_at IS NULL
             AND gave_up_at IS NULL AND superseded_at IS NULL
         RETURNING page_id, incident"
    );
    let mut update = conn.prepare_cached(&sql)?;
    let members = update
        .query_map((id.to_string(), at), |row| Ok((ulid(row, 0)?, ulid(row, 1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    settled(conn, id, (column, at))?;
    Ok(members)
}

/// What a start takes back: the bundles that are owed.
pub(super) fn owed(conn: &Connection) -> Result<Vec<Bundle>, StoreError> {
    let sql = "SELECT id, receiver, at, urgency, number, part_of FROM bundle
               WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL";
    let mut all = conn.prepare_cached(sql)?;
    let mut bundles: Vec<Bundle> = all
        .query_map((), |row| {
            Ok(Bundle {
                id: ulid(row, 0)?,
                receiver: row.get(1)?,
                at: row.get(2)?,
                urgency: urgency(row, 3)?,
                number: row.get::<_, i64>(4)?.cast_unsigned(),
                members: Vec::new(),
                part_of: optional_ulid(row, 5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let sql = "SELECT page_id FROM page WHERE bundle = ?1 AND delivered_at IS NULL
                   AND gave_up_at IS NULL AND superseded_at IS NULL ORDER BY urgency, number";
    let mut members = conn.prepare_cached(sql)?;
    for bundle in &mut bundles {
        let pages = members.query_map([bundle.id.to_string()], |row| ulid(row, 0))?;
        bundle.members = pages.collect::<Result<_, _>>()?;
    }
    Ok(bundles)
}

impl Reader {
    /// The bundles that a webhook is owed and that were made after that one, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn owed_bundles(
        &self,
        (name, behind): (&str, i64),
        limit: usize,
    ) -> Result<Vec<OwedBundle>, StoreError> {
        self.rows(
            "SELECT id, at, urgency, n, part_of IS NOT NULL FROM bundle INDEXED BY bundle_queue
             WHERE delivered_at IS NULL AND gave_up_at IS NULL AND superseded_at IS NULL
               AND receiver = ?1 AND n > ?2 ORDER BY n LIMIT ?3",
            (name, behind, rows_of(limit)),
            |row| {
                Ok(OwedBundle {
                    id: ulid(row, 0)?,
                    at: row.get(1)?,
                    urgency: urgency(row, 2)?,
                    n: row.get(3)?,
                    is_part: row.get(4)?,
                })
            },
        )
    }

    /// What a bundle says, the whole message. `None`: it is owed no more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn bundle_message(&self, id: Ulid) -> Result<Option<Box<str>>, StoreError> {
        let sql = "SELECT wire FROM bundle WHERE id = ?1 AND delivered_at IS NULL
                       AND gave_up_at IS NULL AND superseded_at IS NULL";
        Ok(self.rows(sql, [id.to_string()], |row| row.get(0))?.into_iter().next())
    }

    /// Whether nobody has acknowledged one of the incidents that a bundle still owes a page about.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn bundle_is_open(&self, id: Ulid) -> Result<bool, StoreError> {
        let open = self.rows(
            "SELECT 1 FROM page p JOIN incident i ON i.id = p.incident
             WHERE p.bundle = ?1 AND p.delivered_at IS NULL AND p.superseded_at IS NULL
               AND i.state = 'open' LIMIT 1",
            [id.to_string()],
            |_| Ok(()),
        )?;
        Ok(!open.is_empty())
    }
}
