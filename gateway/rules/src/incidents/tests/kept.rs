//! Alarms that nobody can read and that the broker may have kept: they are news again when they were
//! taken back.

use standpipe_shared::Condition;

use super::drill::{SECRET, drill, time};
use crate::fact::Subject;
use crate::incidents::damp::{FIRE_SOUND_MS, Sounded, UNREADABLE_SOUND_MS};
use crate::incidents::{Book, Place, Plan, Said};
use crate::wire::Arrived;
use crate::{Changes, HOUR_MS};

#[test]
fn what_is_forgotten_is_stored_where_something_was_known() {
    let mut drill = drill("02:00:00 unreadable SD-4 retained ON => #1 critical open e1; p1 #1 T1");
    for (device, before, stored) in [
        ("SD-1", false, false),
        ("SD-4", false, true),
        ("SD-4", false, false),
        ("SD-4", true, true),
    ] {
        let subject = Subject::Device(drill.registry.find(device).unwrap());
        let mut out = Changes { book_meta: before, ..Changes::default() };
        drill.book.unreadable_may_come_again(&subject, &mut out);
        assert_eq!(out.book_meta, stored, "{device}");
    }
}

#[test]
fn each_of_many_that_a_topic_keeps_is_remembered() {
    let mut drill = drill("02:00:00 unreadable topic:a/b ON => #1 critical open e1; p1 #1 D");
    let mut book = std::mem::replace(&mut drill.book, Book::new(Plan::default(), SECRET));
    let before = book.meta.kept.len();
    for bit in 0..128 {
        let topic = Subject::Topic("a/b".into());
        let said = Said { topic: "a/b".into(), payload: "?".into(), why: "json".into() };
        let arrived = Arrived { at: time("02:00:01"), retained: true, print: 1 << bit };
        drill.look(|view| book.unreadable(view, (topic, said), arrived, &mut Changes::default()));
    }
    assert_eq!(book.meta.kept.len() - before, 128);
}

#[test]
fn a_pool_is_loud_ten_times_an_hour_and_seldom_after_that() {
    let drill = drill("02:00:00 unreadable topic:a/b ON => #1 critical open e1; p1 #1 D");
    let mut pool = drill.book.open().next().unwrap().clone();
    let (topic, now) = (Subject::Topic("new".into()), time("05:00:00"));
    let sound = |at| Sounded { subject: topic.clone(), condition: Condition::UnreadableAlarm, at };
    for (story, last, first, until) in [
        ("an hour ago to the ms", 30_000, HOUR_MS, Some(now - 30_000 + FIRE_SOUND_MS)),
        ("just within it", 30_000, HOUR_MS - 1, Some(now - 30_000 + UNREADABLE_SOUND_MS)),
        ("a minute is over", FIRE_SOUND_MS, HOUR_MS, None),
        ("all but", FIRE_SOUND_MS - 1, HOUR_MS, Some(now + 1)),
    ] {
        pool.sounded =
            std::iter::once(first).chain([last; 9]).map(|ago| sound(now - ago)).collect();
        assert_eq!(pool.pool_hushed(&topic, now), until, "{story}");
    }
}

#[test]
fn a_topic_alone_says_nothing_of_others() {
    let json = |more| serde_json::to_string(&Place::Topic { name: "a/b".into(), more }).unwrap();
    assert_eq!((json(0).contains("more"), json(1).contains("\"more\":1")), (false, true));
}
