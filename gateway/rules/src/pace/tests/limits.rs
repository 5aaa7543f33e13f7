//! The pace at its limits, to the millisecond and the message.

use super::{ROBOT, TEXT, WEBHOOK, due, fires, shown};
use crate::Ms;
use crate::changes::Urgency;
use crate::pace::{Due, Pace, Pacer, QUIET_MS};

/// A message every second, evenly; one of four is left to fires.
const EVEN: Pace = Pace { messages: 4, within_ms: 4_000, singly: 16, members: usize::MAX };

fn told_before(numbers: std::ops::Range<u64>) -> Vec<Due> {
    numbers.map(|n| due(n, 0, Urgency::Fire)).collect()
}

#[test]
fn it_is_idle_when_nothing_was_sent_within_its_span() {
    let mut pacer = Pacer::new(ROBOT);
    assert!(pacer.is_idle(0) && pacer.free(0) == 20);
    pacer.sent(1_000);
    pacer.sent(2_000);
    for (now, idle, free) in
        [(60_999, false, 18), (61_000, false, 19), (61_999, false, 19), (62_000, true, 20)]
    {
        assert_eq!((pacer.is_idle(now), pacer.free(now)), (idle, free), "at {now}");
    }
}

#[test]
fn what_is_tried_again_leaves_some_messages_to_what_is_new() {
    for (story, pace, tried) in [("a robot", ROBOT, 15), ("text messages", TEXT, 1)] {
        let mut pacer = Pacer::new(pace);
        let again = std::iter::from_fn(|| pacer.may_try_again(0).then(|| pacer.sent(0)));
        assert_eq!(again.count(), tried, "{story}");
        assert!(!pacer.may_try_again(pace.within_ms - 1), "{story}");
        assert!(pacer.may_try_again(pace.within_ms), "{story}: a span later");
    }
    let mut pacer = Pacer::new(ROBOT);
    while pacer.may_try_again(0) {
        pacer.sent(0);
    }
    for n in 0..5 {
        let sent = pacer.send(vec![due(n, n, Urgency::NewFire)], 10);
        assert_eq!(shown(&sent), n.to_string(), "a new fire");
    }
}

#[test]
fn how_many_pages_it_carries_depends_on_what_it_was_sent() {
    for (story, pace, carried) in [
        ("all but what is left to fires", ROBOT, 15),
        ("what it is sent side by side", WEBHOOK, 64),
        ("what its pace carries soon", TEXT, 5),
    ] {
        assert_eq!(Pacer::new(pace).carries(0), carried, "{story}");
    }
    let mut pacer = Pacer::new(ROBOT);
    (0..5).for_each(|_| pacer.sent(0));
    assert_eq!(pacer.carries(0), 10, "five of its minute are gone");
    assert_eq!(shown(&pacer.send(fires(0..1_000, 23), 1_000)), "[1000 pages]");
    assert_eq!((pacer.carries(1_000), pacer.carries(59_500)), (1, 1), "a storm");
    assert_eq!(pacer.carries(60_999), 1, "a storm until its minute is over");
    assert_eq!(pacer.carries(61_000), 15);
}

#[test]
fn a_station_has_a_first_fire_again_after_ten_minutes_and_not_before() {
    for (after, expected) in [(QUIET_MS - 1, "[101 pages]"), (QUIET_MS, "1000 [100 pages]")] {
        let mut pacer = Pacer::new(WEBHOOK);
        assert_eq!(shown(&pacer.send(fires(0..1, 1), 100)), "0");
        assert_eq!(shown(&pacer.send(fires(1_000..1_101, 1), 100 + after)), expected);
    }
}

#[test]
fn what_is_no_new_fire_takes_no_station_its_first_one() {
    for urgency in [Urgency::Fire, Urgency::Critical, Urgency::Warning] {
        let mut pacer = Pacer::new(WEBHOOK);
        assert_eq!(shown(&pacer.send(vec![due(5, 0, urgency)], 100)), "5");
        assert_eq!(shown(&pacer.send(fires(1_000..1_101, 1), 200)), "1000 [100 pages]");
    }
}

#[test]
fn first_fires_go_alone_as_long_as_a_message_is_left_for_the_others() {
    let mut pacer = Pacer::new(ROBOT);
    let alone: Vec<String> = (0..19).map(|n| n.to_string()).collect();
    let all = pacer.send(fires(0..190, 19), 0);
    assert_eq!(shown(&all), format!("{} [171 pages]", alone.join(" ")));
    let mut pacer = Pacer::new(ROBOT);
    assert_eq!(shown(&pacer.send(fires(0..200, 20), 0)), "[200 pages]");

    // It was sent something a moment ago: two are left to stations that come later.
    let (mut few, mut many) = (Pacer::new(ROBOT), Pacer::new(ROBOT));
    few.sent(0);
    many.sent(0);
    let all = few.send(fires(0..160, 16), 9_999);
    assert_eq!(shown(&all), format!("{} [144 pages]", alone[..16].join(" ")));
    assert_eq!(shown(&many.send(fires(0..170, 17), 9_999)), "[170 pages]");
}

#[test]
fn what_is_left_to_first_fires_is_for_bundles_too_after_a_silence() {
    let mut pacer = Pacer::new(ROBOT);
    (0..18).for_each(|_| pacer.sent(0));
    let none = pacer.send(told_before(0..300), 1_000);
    assert_eq!((shown(&none), none.again_at), (String::new(), Some(10_000)));
    let first = pacer.send([told_before(0..300), fires(900..901, 1)].concat(), 2_000);
    assert_eq!((&*shown(&first), first.again_at), ("900", Some(12_000)), "alone, and at once");
    assert_eq!(shown(&pacer.send(told_before(0..300), 12_000)), "[300 pages]");
}

#[test]
fn bundles_get_what_first_fires_have_left() {
    let pace = Pace { messages: 10, within_ms: 1_000, singly: 4, members: usize::MAX };
    let mut owed = fires(0..9, 9);
    owed.extend([(9, 0), (10, 0), (11, 1), (12, 1)].map(|(n, of)| due(n, of, Urgency::NewFire)));
    let sent = Pacer::new(pace).send(owed, 0);
    assert_eq!(shown(&sent), "0 1 2 3 4 5 6 7 8 [9 10 11 12]", "one message for two stations");
}

#[test]
fn few_pages_in_a_storm_wait_for_their_time_and_take_that_of_the_next() {
    let mut pacer = Pacer::new(EVEN);
    assert_eq!(shown(&pacer.send(fires(0..6, 1), 0)), "0 [5 pages]");
    // Two messages are left for 4 s: one after 1.33 s, when 2.67 s are left for two.
    let early = pacer.send(told_before(10..11), 1_300);
    assert_eq!((shown(&early), early.again_at), (String::new(), Some(1_350)));
    assert_eq!(shown(&pacer.send(told_before(10..11), 1_350)), "10");
    let next = pacer.send(told_before(11..12), 1_600);
    assert_eq!((shown(&next), next.again_at), (String::new(), Some(1_350 + 2_400)));
    assert_eq!(shown(&pacer.send(told_before(11..12), 3_750)), "11");
}

/// Whatever is owed, it is asked for again when there is a message for it.
#[test]
fn it_is_asked_again_when_a_message_is_free() {
    let mut pacer = Pacer::new(TEXT);
    pacer.sent(500);
    for now in [500, 700, 1_499] {
        let none = pacer.send(fires(0..1, 1), now);
        assert_eq!((shown(&none), none.again_at), (String::new(), Some(1_500)), "at {now}");
    }
    let at: Ms = 1_500;
    assert_eq!(shown(&pacer.send(fires(0..1, 1), at)), "0");
}

#[test]
fn bundles_of_everything_are_as_large_as_a_program_lists_where_the_pace_allows() {
    // Two messages a round of 250 ms.
    let pace = Pace { messages: 10, within_ms: 1_000, singly: 4, members: 3 };
    let of_three = |count: u64| (1..=count).map(|n| due(n, n % 3, Urgency::Fire)).collect();
    assert_eq!(shown(&Pacer::new(pace).send(of_three(5), 0)), "[1 2 3] [4 5]");
    assert_eq!(
        shown(&Pacer::new(pace).send(of_three(7), 0)),
        "[1 2 3] [4 5 6]",
        "three are too many"
    );
}

#[test]
fn bundles_leave_some_messages_to_fires() {
    let warnings = |count: u64, stations: u64| {
        (0..count).map(|n| due(n, n % stations, Urgency::Warning)).collect::<Vec<_>>()
    };
    for (pace, sent, owed, expected) in [
        (ROBOT, 14, warnings(40, 1), "[40 pages]"),
        (ROBOT, 15, warnings(40, 1), ""),
        (WEBHOOK, 147, warnings(90, 3), "[30 pages] [30 pages] [30 pages]"),
        (WEBHOOK, 148, warnings(90, 3), "[30 pages] [30 pages]"),
    ] {
        let mut pacer = Pacer::new(pace);
        (0..sent).for_each(|_| pacer.sent(0));
        assert_eq!(shown(&pacer.send(owed, 0)), expected, "after {sent} messages");
    }
}

#[test]
fn it_is_never_asked_again_at_the_same_moment() {
    let pace = Pace { messages: 4, within_ms: 100, singly: 1, members: usize::MAX };
    let mut pacer = Pacer::new(pace);
    assert_eq!(shown(&pacer.send(told_before(0..3), 0)), "[0 1 2]");
    let early = pacer.send(told_before(3..6), 150);
    assert_eq!(shown(&early), "", "a round takes 250 ms, and all of its pace is free");
    assert!(early.again_at.is_some_and(|at| at > 150), "{:?}", early.again_at);
}

#[test]
fn first_fires_that_would_take_all_messages_are_told_with_everything() {
    let mut pacer = Pacer::new(ROBOT);
    (0..18).for_each(|_| pacer.sent(0));
    let owed = [told_before(0..300), fires(900..902, 2)].concat();
    assert_eq!(shown(&pacer.send(owed, 1_000)), "[302 pages]", "two messages are left");
}

/// A wake-up at which nothing can be sent is wasted: the next one is when that has changed.
#[test]
fn it_is_not_asked_again_while_nothing_could_be_sent() {
    let warnings = || (0..40).map(|n| due(n, 1, Urgency::Warning)).collect::<Vec<_>>();
    let nothing_until = |pacer: &mut Pacer, owed, now, again_at| {
        let none = pacer.send(owed, now);
        assert_eq!((&*shown(&none), none.again_at), ("", Some(again_at)), "at {now}");
    };

    // What is left is for first fires: the time of a bundle comes, and it could not be sent.
    let mut pacer = Pacer::new(ROBOT);
    (0..17).for_each(|_| pacer.sent(0));
    assert_eq!(shown(&pacer.send(told_before(0..300), 56_000)), "[300 pages]");
    nothing_until(&mut pacer, told_before(300..600), 57_500, 60_000);

    // Nothing is left to first fires: that nothing was sent for a while changes nothing.
    let mut pacer = Pacer::new(Pace { within_ms: 60_000, ..EVEN });
    assert_eq!(shown(&pacer.send(fires(0..10, 1), 0)), "0 [9 pages]");
    nothing_until(&mut pacer, told_before(20..40), 1_000, 29_500);

    // It is time for a bundle, but what is left is for fires.
    let mut pacer = Pacer::new(ROBOT);
    (0..14).for_each(|_| pacer.sent(0));
    assert_eq!(shown(&pacer.send(warnings(), 0)), "[40 pages]");
    nothing_until(&mut pacer, warnings(), 10_000, 60_000);
}
