//! What rows say of each other: an id is used once, and what is referred to exists.

use std::collections::{HashMap, HashSet};

use super::super::{Device, Registry, Station};
use super::rows::{NumberedRow, Read};

/// A file has rows below its header; `registered`: how many of its kind there are already.
pub(super) fn rows<T>(read: &mut Read<T>, registered: usize) {
    if !read.rows.is_empty() || !read.bad.is_empty() {
        return;
    }
    if registered == 0 {
        let note = format!("{}: only a header: nothing is registered from this file", read.file);
        read.notes.push(note);
        return;
    }
    let text = format!(
        "only a header, while {registered} are registered, which all stay: put the rows back, or name \
         the file no more"
    );
    read.bad(1, "", "", text);
}

/// Ids once; parents exist and do not go round in a circle.
pub(super) fn stations(read: &mut Read<Station>, known: &Registry) {
    once(read, |station| &station.id);
    loop {
        let circles = circles(&read.rows, known);
        let ids: HashSet<Box<str>> =
            read.rows.iter().map(|numbered| numbered.row.id.clone()).collect();
        let exists = |id: &str| ids.contains(id) || known.station(id).is_some();
        let before = read.rows.len();
        for NumberedRow { line, row } in std::mem::take(&mut read.rows) {
            let parent = row.parent.as_deref().unwrap_or_default();
            if row.parent.is_some() && !exists(parent) {
                let text = "no such good station: correct it, or add its row".to_owned();
                read.bad(line, "parent", parent, text);
            } else if let Some(circle) = circles.get(&row.id) {
                let text = format!("goes round in a circle ({circle}): leave one of them empty");
                read.bad(line, "parent", parent, text);
            } else {
                read.rows.push(NumberedRow { line, row });
            }
        }
        if read.rows.len() == before {
            return; // nothing was taken away that another row may refer to
        }
    }
}

/// Ids once; stations exist.
pub(super) fn devices(read: &mut Read<Device>, stations: &Read<Station>, known: &Registry) {
    once(read, |device| &device.id);
    let ids: HashSet<&str> = stations.rows.iter().map(|numbered| &*numbered.row.id).collect();
    for NumberedRow { line, row } in std::mem::take(&mut read.rows) {
        if ids.contains(&*row.station) || known.station(&row.station).is_some() {
            read.rows.push(NumberedRow { line, row });
        } else {
            let text = "no such good station: correct it, or add it to the stations".to_owned();
            read.bad(line, "station", &row.station, text);
        }
    }
}

/// The first row of an id counts, the others are bad.
fn once<T>(read: &mut Read<T>, id: impl Fn(&T) -> &Box<str>) {
    let mut first: HashMap<Box<str>, u64> = HashMap::new();
    for NumberedRow { line, row } in std::mem::take(&mut read.rows) {
        let id = id(&row).clone();
        if let Some(first) = first.get(&id) {
            let text = format!("already on line {first}: give each an id of its own");
            read.bad(line, "id", &id, text);
        } else {
            first.insert(id, line);
            read.rows.push(NumberedRow { line, row });
        }
    }
}

/// Every station on a circle of parents, and the circle in words.
fn circles(rows: &[NumberedRow<Station>], known: &Registry) -> HashMap<Box<str>, String> {
    let parents: HashMap<&str, Option<&str>> =
        rows.iter().map(|numbered| (&*numbered.row.id, numbered.row.parent.as_deref())).collect();
    let parent = |id: &str| match parents.get(id) {
        Some(parent) => *parent,
        None => known.station(id).and_then(|station| station.parent.as_deref()),
    };
    let mut circles = HashMap::new();
    for start in parents.keys() {
        let mut path = vec![*start];
        let mut next = parent(start);
        while let Some(id) = next.filter(|id| !path.contains(id)) {
            path.push(id);
            next = parent(id);
        }
        if next == Some(start) {
            path.push(start);
            circles.insert(Box::from(*start), path.join(" → "));
        }
    }
    circles
}
