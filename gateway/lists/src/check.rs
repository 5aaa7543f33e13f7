//! What rows say of each other: an id is used once, and what is referred to exists.

use std::collections::{HashMap, HashSet};

use standpipe_rules::registry::{Device, Registry, Station};

use crate::fault::both;
use crate::rows::{NumberedRow, Read};

/// A file has rows below its header; `registered`: how many of its kind there are already.
pub(crate) fn rows<T>(read: &mut Read<T>, registered: usize) {
    if !read.rows.is_empty() || !read.bad.is_empty() {
        return;
    }
    if registered == 0 {
        read.note(&both(
            "only a header: nothing is registered from this file",
            "只有列名行：没有从此文件登记任何内容",
        ));
        return;
    }
    let en = format!(
        "only a header, while {registered} are registered, which all stay: put the rows back, or name the \
         file no more"
    );
    let zh =
        format!("只有列名行，而已登记 {registered} 个（全部保留）：请补回数据行，或不再指定此文件");
    read.bad(1, "", "", both(en, zh));
}

/// Stations by what people call them: their id, in whatever case, or their name.
pub(crate) struct StationNames<'a> {
    ids: HashSet<&'a str>,
    /// What is no id, in lower case; `None`: several are called so.
    others: HashMap<String, Option<&'a str>>,
}

impl<'a> StationNames<'a> {
    pub(crate) fn of(rows: &'a [NumberedRow<Station>], known: &'a Registry) -> Self {
        let mut names = Self { ids: HashSet::new(), others: HashMap::new() };
        let listed: Vec<&Station> = rows.iter().map(|numbered| &numbered.row).collect();
        let ids: HashSet<&str> = listed.iter().map(|station| &*station.id).collect();
        let kept = known.stations().iter().filter(|station| !ids.contains(&*station.id));
        for station in listed.iter().copied().chain(kept) {
            names.ids.insert(&station.id);
            for name in [&station.id, &station.name] {
                let same = names.others.entry(name.to_lowercase()).or_insert(Some(&station.id));
                if same.is_some_and(|id| id != &*station.id) {
                    *same = None;
                }
            }
        }
        names
    }

    /// The id of the station that is called so.
    ///
    /// # Errors
    /// Whether several are called so; else none is.
    pub(crate) fn find(&self, name: &str) -> Result<&'a str, SeveralStations> {
        if let Some(id) = self.ids.get(name) {
            return Ok(id);
        }
        match self.others.get(&name.to_lowercase()) {
            Some(Some(id)) => Ok(id),
            Some(None) => Err(SeveralStations::Yes),
            None => Err(SeveralStations::No),
        }
    }
}

/// Whether a name is that of several stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeveralStations {
    Yes,
    No,
}

/// Ids once; parents exist and do not go round in a circle.
pub(crate) fn stations(read: &mut Read<Station>, known: &Registry) {
    once(read, |station| &station.id);
    named_parents(read, known);
    loop {
        let circles = circles(&read.rows, known);
        let ids: HashSet<Box<str>> =
            read.rows.iter().map(|numbered| numbered.row.id.clone()).collect();
        let exists = |id: &str| ids.contains(id) || known.station(id).is_some();
        let before = read.rows.len();
        for NumberedRow { line, row } in std::mem::take(&mut read.rows) {
            let parent = row.parent.as_deref().unwrap_or_default();
            if row.parent.is_some() && !exists(parent) {
                let en = "no such good station: correct it, or add its row";
                read.bad(
                    line,
                    "parent",
                    parent,
                    both(en, "没有这个站点：请更正，或补上该站点一行"),
                );
            } else if let Some(circle) = circles.get(&row.id) {
                let en = format!("goes round in a circle ({circle}): leave one of them empty");
                let zh = format!("上级关系成环（{circle}）：请将其中一个留空");
                read.bad(line, "parent", parent, both(en, zh));
            } else {
                read.rows.push(NumberedRow { line, row });
            }
        }
        if read.rows.len() == before {
            return; // nothing was taken away that another row may refer to
        }
    }
}

/// Parents that are called by name become ids.
fn named_parents(read: &mut Read<Station>, known: &Registry) {
    let names = StationNames::of(&read.rows, known);
    let found: Vec<Option<Box<str>>> = read
        .rows
        .iter()
        .map(|numbered| {
            let parent = numbered.row.parent.as_deref()?;
            Some(names.find(parent).unwrap_or(parent).into())
        })
        .collect();
    for (numbered, parent) in read.rows.iter_mut().zip(found) {
        numbered.row.parent = parent;
    }
}

/// Ids once; stations exist.
pub(crate) fn devices(read: &mut Read<Device>, stations: &Read<Station>, known: &Registry) {
    once(read, |device| &device.id);
    let names = StationNames::of(&stations.rows, known);
    for NumberedRow { line, mut row } in std::mem::take(&mut read.rows) {
        let text = match names.find(&row.station) {
            Ok(id) => {
                if *id != *row.station {
                    row.station = id.into();
                }
                read.rows.push(NumberedRow { line, row });
                continue;
            }
            Err(_) if row.station.is_empty() => {
                both("empty: write the id or the name of the station", "为空：请填写站点编号或名称")
            }
            Err(SeveralStations::Yes) => {
                both("the name of several stations: write its id", "有多个站点同名：请填写站点编号")
            }
            Err(SeveralStations::No) => both(
                "no such good station: correct it, or add it to the stations",
                "没有这个站点：请更正，或先添加该站点",
            ),
        };
        read.no_station(line, &row.station, text);
    }
}

/// The first row of an id counts, the others are bad.
fn once<T>(read: &mut Read<T>, id: impl Fn(&T) -> &Box<str>) {
    let mut first: HashMap<Box<str>, u64> = HashMap::new();
    let mut alike: HashMap<String, u64> = HashMap::new();
    let mut only_case = Vec::new();
    for NumberedRow { line, row } in std::mem::take(&mut read.rows) {
        let id = id(&row).clone();
        if let Some(first) = first.get(&id) {
            let en = format!("already on line {first}: give each an id of its own");
            let zh = format!("与第 {first} 行重复：每个编号只能用一次");
            read.bad(line, "id", &id, both(en, zh));
            continue;
        }
        if let Some(other) = alike.get(&id.to_lowercase()) {
            only_case.push((line, id.clone(), *other));
        }
        alike.entry(id.to_lowercase()).or_insert(line);
        first.insert(id, line);
        read.rows.push(NumberedRow { line, row });
    }
    if let Some((line, id, other)) = only_case.first() {
        let more = only_case.len();
        read.note(&both(
            format!("line {line}: `{id}` differs from line {other} in upper and lower case alone ({more} such)"),
            format!("第 {line} 行：`{id}` 与第 {other} 行仅大小写不同（共 {more} 处）"),
        ));
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
