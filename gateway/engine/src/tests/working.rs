//! A disk that takes nothing: the same engine works on in memory, and the file has the rows in the
//! end that it would have had.

use std::collections::BTreeMap;

use proptest::prelude::*;

use standpipe_store::boards::URGENCIES;

use super::lives::{Deed, Life, any_deed};
use super::*;
use crate::crash_tests::{Event, cases};
use crate::working::KeepEntries;

/// Of what a working copy is made.
#[derive(Clone, Copy)]
enum MadeOf {
    /// Of the file.
    File,
    /// Of what is remembered, since the file can't be read.
    World,
}

impl Life {
    /// The disk takes nothing more; what waits for its commit is kept in memory.
    fn takes_refuge(&mut self, name: &str, made_of: MadeOf) {
        self.engine.tick(self.now);
        self.engine.store().limit_pages(1).unwrap();
        let kept = self.engine.commit(self.now).is_ok();
        self.engine.store().limit_pages(1_000_000).unwrap();
        match made_of {
            MadeOf::File => self.engine.to_memory(name, KeepEntries::No),
            MadeOf::World => self.engine.to_memory_because(&StoreError::Hangs { after_s: 0 }, name),
        }
        .unwrap();
        if !kept {
            self.engine.commit(self.now).unwrap();
        }
    }
}

/// A row without what a page says that was owed in memory, as long as it is owed.
fn unmarked(row: &str) -> String {
    row.replace(r#","stored":false"#, "")
}

/// A name that no other test has.
fn name() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    format!("working-{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// A row of a table by what a copy that was made of the world keeps of it; `None`: it is about what only the
/// file had then.
fn known(table: &str, row: &str) -> Option<String> {
    let without = |columns: &[usize]| {
        let columns = row.split(" | ").enumerate().filter(|(nth, _)| !columns.contains(nth));
        Some(columns.map(|(_, value)| value).collect::<Vec<_>>().join(" | "))
    };
    match table {
        "station" | "device" | "wish" | "settings" | "command" | "log" | "ledger" | "rejected" => {
            Some(row.to_owned())
        }
        // Behind what is shown of it stands what the book remembers, which the file had before.
        "incident" => Some(row.split(" | ").take(11).collect::<Vec<_>>().join(" | ")),
        // Its bundle is taken apart.
        "page" => Some(row.split(" | ").take(10).collect::<Vec<_>>().join(" | ")),
        // What the file had of it does not move with a clock that is set meanwhile.
        "trail" => without(&[0, 2]),
        _ => None,
    }
}

fn is_of_bundles(life: &Life, deed: &Deed) -> bool {
    let Deed::Input(nth, variety) = deed else { return false };
    let input = life.inputs(*variety).into_iter().nth(*nth);
    matches!(input, Some(Input::Bundle { .. } | Input::TakeApart { .. }))
}

fn refuge(deeds: &[Deed], (from, to): (usize, usize), made_of: MadeOf) {
    let (mut steady, mut shaken) = (Life::new(), Life::new());
    for (n, deed) in deeds.iter().enumerate() {
        // Who crashes in memory loses it, and a disk that is full once is no news there.
        if matches!(deed, Deed::Event(Event::Crash | Event::Full)) {
            continue;
        }
        // A copy of the world has no bundles: what comes next would be about others.
        if matches!(made_of, MadeOf::World) && is_of_bundles(&steady, deed) {
            continue;
        }
        if n == from {
            steady.commits();
            shaken.takes_refuge(&name(), made_of);
        }
        if n == to {
            shaken.engine.to_disk(shaken.now).unwrap();
        }
        steady.does(deed);
        shaken.does(deed);
    }
    for life in [&mut steady, &mut shaken] {
        life.engine.to_disk(life.now).unwrap();
        life.engine.keep_all();
        life.commits();
    }
    let (expected, kept) = (steady.dump(), shaken.dump());
    assert_eq!(shaken.engine.store().path(), shaken.path());
    if let MadeOf::World = made_of {
        let rows = |dump: &BTreeMap<String, Vec<String>>, table: &str| {
            let mut rows: Vec<_> = dump[table].iter().filter_map(|row| known(table, row)).collect();
            rows.sort_unstable();
            rows
        };
        for table in expected.keys() {
            assert_eq!(rows(&kept, table), rows(&expected, table), "{table}");
        }
        return;
    }
    for (table, rows) in &expected {
        // Where no row was ever given a number, SQLite may or may not say so.
        let said = |row: &&String| table != "sqlite_sequence" || !row.ends_with("| 0");
        let kept: Vec<_> = kept[table].iter().filter(said).map(|row| unmarked(row)).collect();
        assert_eq!(kept, rows.iter().filter(said).cloned().collect::<Vec<_>>(), "{table}");
    }
}

proptest! {
    #![proptest_config(cases(100))]
    #[test]
    fn a_file_that_takes_back_its_working_copy_has_the_rows_that_it_would_have_had(
        deeds in prop::collection::vec(any_deed(), 1..60),
        from in 0..40usize,
        most in 1..40usize,
    ) {
        refuge(&deeds, (from, from + most), MadeOf::File);
    }

    #[test]
    fn a_file_that_takes_back_what_was_remembered_has_every_fire_page_and_wish_that_it_would_have_had(
        deeds in prop::collection::vec(any_deed(), 1..60),
        from in 0..40usize,
        most in 1..40usize,
    ) {
        refuge(&deeds, (from, from + most), MadeOf::World);
    }
}

#[test]
fn what_is_in_memory_is_paged_answered_and_shown_to_readers_like_anything_else() {
    let mut bench = Bench::new(3);
    bench.says("a/S-1/alarm", r#"{"condition":"smoke","active":true}"#, T0 + 10, 1);
    bench.engine.tick(T0 + 10);
    bench.engine.store().limit_pages(1).unwrap();
    for n in 2..400 {
        bench.says(&format!("a/S-{n}/alarm"), r#"{"condition":"smoke","active":true}"#, T0 + 10, n);
    }
    assert!(bench.engine.commit(T0 + 10).is_err());
    let name = name();
    bench.engine.to_memory(&name, KeepEntries::No).unwrap();
    bench.engine.to_memory("not made", KeepEntries::No).unwrap();
    let done = bench.engine.commit(T0 + 20).unwrap();
    assert_eq!(done.receipts[0].len(), 399 - 256, "the oldest; the others wait for a receiver");
    assert_eq!(bench.count("SELECT COUNT(*) FROM incident"), 0, "the file takes nothing");
    let reader = Reader::open(bench.engine.store().path()).unwrap();
    let owed = || -> Vec<_> {
        let of = |urgency| reader.owed_boards((urgency, 0), 1_000).unwrap();
        (0..URGENCIES).flat_map(of).collect()
    };
    let boards = owed();
    assert_eq!(boards.len(), 399, "senders read what is owed");
    let (station, incident, rev) = (boards[0].station.clone(), boards[0].incident, boards[0].rev);
    for page_id in &boards[0].pages {
        bench.engine.take(Input::Delivered { page_id: *page_id }, T0 + 30);
    }
    bench.engine.take(Input::BoardSent { station, incident, rev }, T0 + 30);
    bench.commit(T0 + 30);
    assert_eq!(owed().len(), 398);
    let before: BTreeMap<_, _> = reader.dump().unwrap();
    assert!(bench.engine.to_disk(T0 + 40).is_err(), "still full");
    bench.commit(T0 + 40);
    bench.engine.disk().limit_pages(1_000_000).unwrap();
    assert_eq!(bench.engine.to_disk(T0 + 40).unwrap()[0].len(), 256, "all of it is stored");
    assert_eq!(bench.reader().dump().unwrap()["page"], before["page"], "no page has a second id");
    bench.says("a/S-400/alarm", r#"{"condition":"smoke","active":true}"#, T0 + 50, 400);
    bench.commit(T0 + 50);
    assert_eq!(bench.count("SELECT COUNT(*) FROM incident WHERE class = 'fire'"), 400);
    let numbers = bench.count("SELECT COUNT(DISTINCT number) FROM incident");
    assert_eq!(numbers, bench.count("SELECT COUNT(*) FROM incident"));
    drop(reader);
    assert!(
        Reader::open(Path::new(&format!("file:/{name}?vfs=memdb")))
            .unwrap()
            .dump()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn another_file_is_told_what_happened_meanwhile_and_finds_the_same_incidents_and_pages() {
    let mut bench = Bench::new(3);
    let smoke = r#"{"condition":"smoke","active":true}"#;
    bench.says("a/S-1/alarm", smoke, T0 + 10, 1);
    bench.commit(T0 + 10);
    let backup = bench.copied();
    bench.engine.to_memory(&name(), KeepEntries::Yes).unwrap();
    bench.says("a/S-2/alarm", smoke, T0 + 2_000, 2);
    bench.reads(0, 3, 0.0, T0 + 3_000);
    bench.commit(T0 + 3_000);
    for second in 4..200 {
        bench.commit(T0 + second * 1_000);
    }
    let of = |reader: &Reader| {
        let ids = |sql| reader.query(sql, (), |row| row.get::<_, String>(0)).unwrap();
        let incidents = ids("SELECT id FROM incident ORDER BY id");
        (incidents, ids("SELECT page_id FROM page WHERE kind = 'station' ORDER BY page_id"))
    };
    let in_memory = of(&Reader::open(bench.engine.store().path()).unwrap());
    assert!(in_memory.0.len() >= 2 && in_memory.1.len() >= 4, "{in_memory:?}");
    let batches = bench.engine.batches().to_vec();
    let (folder, mut store) = backup;
    let loaded = store.load(Plan::default(), [], IdSecret::new([7; 32])).unwrap();
    let mut other = Engine::new(store, loaded, &Sources::urgent_and_bulk(), T0 + 1_000);
    for source in [ALARM, TELEMETRY] {
        other.take(Input::Source { source, up: true }, T0 + 1_000);
    }
    other.commit(T0 + 1_000).unwrap();
    for batch in batches {
        other.play(serde_json::from_str(&serde_json::to_string(&batch).unwrap()).unwrap()).unwrap();
    }
    assert_eq!(of(&Reader::open(&folder.path().join("standpipe.db")).unwrap()), in_memory);
}
