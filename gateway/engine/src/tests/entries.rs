//! Whatever changes state is an entry: what a gateway kept is made anew from its entries alone, in
//! every table, to the byte. And what each kind of entry changes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::lives::{Deed, Life, any_deed, played};
use super::*;
use crate::crash_tests::cases;

fn play(deeds: &[Deed]) {
    let mut life = Life::new();
    for deed in deeds {
        life.does(deed);
    }
    life.engine.keep_all();
    life.commits();
    let kept = life.dump();
    let tape = life.tape.lock().unwrap().clone();
    for (table, rows) in played(&tape) {
        assert_eq!(rows, kept[&table], "{table}");
    }
}

proptest! {
    #![proptest_config(cases(100))]
    #[test]
    fn a_store_is_made_anew_from_its_entries_to_the_byte(
        deeds in prop::collection::vec(any_deed(), 1..80),
    ) {
        play(&deeds);
    }
}

/// Which tables an input of a kind changes, in a gateway that has one of everything ([`busy`]).
#[rustfmt::skip] // a table
fn changes(input: &Input) -> (&'static str, &'static [&'static str]) {
    match input {
        // In every life of the other test, and by no door for others.
        Input::Start { .. }            => ("start", &[]),
        Input::Message(_)              => ("message", &["board", "event", "incident", "memory", "meta", "quarantine", "rejected", "trail"]),
        // What a source that is down hides is found by the time that passes.
        Input::Source { .. }           => ("source", &[]),
        Input::Delivered { .. }        => ("delivered", &["event", "message", "page", "trail"]),
        Input::Bundle { .. }           => ("bundle", &["bundle", "message", "page"]),
        // Of a bundle that is owed, in the tests of bundles.
        Input::TakeApart { .. }        => ("take apart", &[]),
        Input::GaveUp { .. }           => ("gave up", &["event", "message", "page", "trail"]),
        Input::Receiver { .. }         => ("receiver", &["board", "event", "incident", "meta", "page", "trail"]),
        Input::Reword { .. }           => ("reword", &["message"]),
        Input::BoardSent { .. }        => ("board sent", &["board"]),
        Input::BulletinSent { .. }     => ("bulletin sent", &["bulletin"]),
        Input::Digest(_)               => ("digest", &["digest", "meta"]),
        Input::SettingsSent { .. }     => ("settings sent", &["event", "settings"]),
        Input::CommandSent { .. }      => ("command sent", &["command", "event"]),
        Input::SeriesAt { .. }         => ("series at", &["meta"]),
        Input::GiveUpLog { .. }        => ("give up log", &["ledger", "meta"]),
        Input::RecordsAt { .. }        => ("records at", &["meta"]),
        Input::Quarantine(_)           => ("quarantine", &["quarantine"]),
        Input::Archived(_)             => ("archived", &["quarantine"]),
        Input::Console { .. }          => ("console", &["event", "station"]),
        Input::Act { .. }              => ("act", &["board", "event", "incident", "trail"]),
        Input::PutDevice(_)            => ("put device", &["device", "memory"]),
        Input::Register(_)             => ("register", &["device", "memory", "station"]),
        Input::Retire { .. }           => ("retire", &["device", "memory", "meta"]),
        Input::Replace { .. }          => ("replace", &["device", "memory", "meta"]),
        Input::Order(_)                => ("order", &["command", "event", "meta"]),
        Input::Announce(_)             => ("announce", &["bulletin", "meta"]),
        Input::Withdraw { .. }         => ("withdraw", &["bulletin", "meta"]),
        Input::GatewayCondition { .. } => ("gateway condition", &["board", "event", "incident", "message", "meta", "page", "trail"]),
        Input::ClockSet { .. }         => ("clock set", &["board", "command", "event", "incident", "memory", "meta", "page", "trail"]),
        Input::ClockBelieved           => ("clock believed", &["board", "event", "incident", "meta", "trail"]),
        Input::Moment(_)               => ("moment", &["meta"]),
        Input::Tick                    => ("tick", &["board", "event", "incident", "trail"]),
        Input::KeepAll                 => ("keep all", &["ledger", "memory"]),
    }
}

/// A fire that is owed, announced work, settings and a command on their way, a clock in doubt, and a
/// reading whose memory is not kept yet.
fn busy() -> Life {
    let mut life = Life::new();
    let (clock_set, order, announce) = (24, 20, 21);
    for (nth, variety) in [(clock_set, 2), (order, 0), (order, 1), (announce, 0)] {
        life.does(&Deed::Input(nth, variety));
    }
    life.says("a/S-1/alarm", r#"{"condition":"smoke","active":true}"#);
    life.says("a/H-3/telemetry", "{");
    life.engine.keep_all();
    life.commits();
    life.now += 10_500;
    life.says("a/H-3/telemetry", r#"{"boot":1,"seq":1,"pressure_kpa":300}"#);
    life.engine.commit(life.now).unwrap();
    life.now += 500;
    life
}

#[test]
fn each_kind_of_input_goes_through_json_and_changes_the_tables_it_should() {
    let kinds = busy().inputs(0).len();
    let (mut all, mut wrong) = (BTreeSet::from(["start"]), Vec::new());
    for nth in 0..kinds {
        let mut life = busy();
        let input = life.inputs(0).swap_remove(nth);
        let json = serde_json::to_string(&input).unwrap();
        assert_eq!(serde_json::from_str::<Input>(&json).unwrap(), input, "{json}");
        let before = life.dump();
        let (kind, expected) = changes(&input);
        life.engine.take(input, life.now);
        life.engine.commit(life.now).unwrap();
        let after = life.dump();
        let changed =
            |table: &&String| before[*table] != after[*table] && *table != "sqlite_sequence";
        let changed: Vec<_> = after.keys().filter(changed).map(String::as_str).collect();
        if changed != expected {
            wrong.push(format!("{kind}: {changed:?}, not {expected:?}"));
        }
        assert!(all.insert(kind), "{kind} is there twice");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(all.len(), 34, "one of every kind: {all:?}");
}
