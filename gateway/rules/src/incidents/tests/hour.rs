//! What counts as within the hour, or the minute, and whose sounds count: the limits of `damp`.

use standpipe_shared::Kind;

use super::damp::wait;
use super::drill::{Drill, at_once, drill, time};
use super::town::town;
use crate::incidents::Plan;
use crate::registry::{Device, Profile, Registry};
use crate::{Changes, HOUR_MS, Ms};

/// The standard town, each device of which is judged by that profile.
fn town_of(profile: Profile) -> Registry {
    let mut judged = Registry::new([("own".into(), profile)]);
    for station in town().stations() {
        judged.put_station(station.clone());
    }
    for device in town().devices() {
        judged.put_device(Device { profile: "own".into(), ..device.clone() });
    }
    judged
}

/// A condition comes and goes within five seconds at each of these times.
fn comes_and_goes(drill: &mut Drill, of: &str, condition: &str, times: &[&str]) {
    for at in times {
        wait(drill, time(at) - 1);
        drill.happens(&["raise", of, condition], time(at));
        drill.happens(&["clear", of, condition], time(at) + 5_000);
    }
}

/// The lines of an incident's trail that begin so.
fn lines(drill: &Drill, number: usize, begin: &str) -> Vec<String> {
    drill.trail_of(number).into_iter().filter(|line| line.starts_with(begin)).collect()
}

/// When the first step of an incident was paged.
fn sounds(drill: &Drill, number: usize) -> Vec<Ms> {
    let id = drill.incident(number).id;
    let its = drill.pages.iter().filter(|page| page.incident == id);
    its.filter(|page| (page.step, page.repeat) == (1, 0)).map(|page| page.at).collect()
}

#[test]
fn a_condition_must_be_clear_for_as_long_as_its_profile_says_or_a_minute() {
    for (low_clear_for_s, clear_s) in [(300, 300), (61, 61), (1, 1), (0, 60)] {
        let mut drill = Drill::restarting(Plan::default());
        let hydrant = Profile::default_of(Kind::Hydrant).clone();
        drill.registry = town_of(Profile { low_clear_for_s, ..hydrant });
        drill.run(
            "02:00:00 announce w maintenance 02:00:00 04:00:00 HY-1 no_water =>
             02:01:00 raise HY-1 no_water => #1 notice open e1
             02:02:00 clear HY-1 no_water =>",
        );
        wait(&mut drill, time("03:00:00"));
        let ended = time("02:02:00") + clear_s * 1_000;
        assert_eq!(drill.incident(1).closed_at, Some(ended), "{low_clear_for_s} s");
    }
}

#[test]
fn what_is_mended_is_over_and_shown_as_that_once() {
    let drill = drill(
        "02:00:00 gateway registry_fault line 3 => #1 warning open e1; p1 #1 D
         02:01:00 gateway registry_fault        => #1 warning closed e1 recovered",
    );
    assert_eq!(drill.incident(1).rev, 2);
}

#[test]
fn an_hour_without_it_is_counted_anew() {
    for (at, times) in [("03:00:19.999", 4), ("03:00:20", 1), ("05:00:00", 1)] {
        let mut drill = Drill::restarting(Plan::default());
        comes_and_goes(&mut drill, "SD-4", "tamper", &["02:00:00", "02:00:10", "02:00:20"]);
        drill.happens(&["raise", "SD-4", "tamper"], time(at));
        assert_eq!(drill.incident(1).flaps[0].times, times, "{at}");
        assert_eq!(drill.wire(1).flapping.is_some(), times > 3, "{at}");
    }
}

#[test]
fn of_what_flaps_fewer_and_fewer_edges_are_recorded_and_of_what_does_not_each() {
    let mut drill = Drill::restarting(Plan::default());
    let seconds: Vec<String> = (0..25).map(|n| format!("02:{n:02}:00")).collect();
    let times: Vec<&str> = seconds.iter().map(String::as_str).collect();
    comes_and_goes(&mut drill, "SD-4", "tamper", &times);
    let raised: Vec<String> =
        drill.trail_of(1).into_iter().filter(|line| line.contains(" raised ")).collect();
    let expected = [
        "02:00:00 raised SD-4: tamper",
        "02:01:00 raised SD-4: tamper",
        "02:02:00 raised SD-4: tamper",
        "02:09:00 raised gateway: tamper: 10 times in 9 min",
        "02:19:00 raised gateway: tamper: 20 times in 19 min",
    ];
    assert_eq!(raised, expected);
    comes_and_goes(&mut drill, "SD-4", "knocked", &["02:30:00"]);
    assert_eq!(drill.labels.len(), 1, "both are upkeep of one device");
    let expected = ["02:30:00 measured SD-4: knocked", "02:30:00 received SD-4: knocked"];
    assert_eq!(lines(&drill, 1, "02:30:00")[..2], expected);
    assert_eq!(lines(&drill, 1, "02:30:05"), ["02:30:05 cleared gateway: knocked"]);
}

#[test]
fn a_sound_of_an_hour_ago_holds_none_back() {
    // What is held back and is due at once would be told as often, but be in the trail twice.
    for (times, again) in [
        (["02:00:00", "02:20:00", "02:40:00"], "03:00:00"),
        (["02:00:00", "02:30:00", "02:50:00"], "03:40:00"),
    ] {
        let mut drill = Drill::restarting(Plan::default());
        comes_and_goes(&mut drill, "SD-4", "tamper", &times);
        drill.happens(&["raise", "SD-4", "tamper"], time(again));
        let expected: Vec<Ms> = times.iter().chain([&again]).map(|at| time(at)).collect();
        assert_eq!(sounds(&drill, 1), expected);
        assert_eq!(lines(&drill, 1, &format!("{again} reopened")), [""; 0], "it flaps: {again}");
    }
    let drill = drill(
        "02:00:00 raise SD-4 smoke => #1 fire open e1; p1 #1 T1
         02:00:30 clear SD-4 smoke =>
         02:01:00 raise SD-4 smoke => #1 fire open e2; p1 #1 T1; p2 #1 T2 T3",
    );
    assert_eq!(lines(&drill, 1, "02:01:00 reopened").len(), 1, "{:#?}", drill.trail_of(1));
}

#[test]
fn what_is_held_back_waits_for_its_hour_wherever_the_clock_was_set() {
    for by in [-2 * HOUR_MS, 0, 2 * HOUR_MS] {
        let mut drill = Drill::new(Plan::default());
        comes_and_goes(&mut drill, "SD-4", "tamper", &["02:00:00", "02:00:10", "02:00:20"]);
        drill.book.shift(by, &mut Changes::default());
        drill.happens(&["raise", "SD-4", "tamper"], time("02:02:00") + by);
        wait(&mut drill, time("03:00:00") + by - 1);
        assert_eq!(sounds(&drill, 1).len(), 3, "set by {by} ms");
        wait(&mut drill, time("03:00:00") + by);
        assert_eq!(sounds(&drill, 1)[3..], [time("03:00:00") + by], "set by {by} ms");
    }
}

#[test]
fn the_sounds_of_the_last_hour_are_kept_and_no_others() {
    for (at, kept) in [("02:59:59.999", 2), ("03:00:00", 1), ("07:00:00", 1)] {
        let mut drill = Drill::restarting(Plan::default());
        comes_and_goes(&mut drill, "SD-4", "tamper", &["02:00:00", at]);
        assert_eq!(drill.incident(1).sounded.len(), kept, "of an open incident: {at}");
        // The same of what is closed: the sound of another device counts for an hour.
        let mut drill = Drill::restarting(at_once(&Plan::default()));
        for (of, number, at) in [("SD-4", "#1", time("02:00:00")), ("SD-2", "#2", time(at))] {
            drill.happens(&["raise", of, "tamper"], at);
            drill.happens(&["clear", of, "tamper"], at);
            drill.happens(&["T1", "resolve", number], at);
        }
        assert_eq!(drill.book.meta.sounded.len(), kept, "of closed ones: {at}");
    }
}

#[test]
fn what_is_closed_of_one_device_neither_hides_nor_counts_for_another() {
    drill(
        "02:00:00 raise SD-4 tamper => #1 warning open e1; p1 #1 T1
         02:00:05 clear SD-4 tamper =>
         02:00:10 T1 resolve #1     => #1 warning closed e1 repaired
         02:00:20 raise SD-4 tamper => #2 warning open e1; p1 #2 T1
         02:00:25 clear SD-4 tamper =>
         02:00:30 T1 resolve #2     => #2 warning closed e1 repaired
         02:00:40 raise SD-4 tamper => #3 warning open e1; p1 #3 T1
         02:00:45 clear SD-4 tamper =>
         02:00:50 T1 resolve #3     => #3 warning closed e1 repaired
         02:01:00 raise SD-2 tamper => #4 warning open e1; p1 #4 T1
         02:01:05 clear SD-2 tamper =>
         02:01:10 T1 resolve #4     => #4 warning closed e1 repaired
         02:01:20 raise SD-4 tamper => #5 warning open e1
         02:01:30 raise SD-2 tamper => #6 warning open e1; p1 #6 T1
         03:00:00 -                 => #5 warning open e2; p1 #5 T1",
    );
    drill(
        "02:00:00 raise SD-2 tamper => #1 warning open e1; p1 #1 T1
         02:00:05 clear SD-2 tamper =>
         02:00:10 T1 resolve #1     => #1 warning closed e1 repaired
         02:00:20 raise SD-4 tamper => #2 warning open e1; p1 #2 T1
         02:00:25 clear SD-4 tamper =>
         02:00:30 T1 resolve #2     => #2 warning closed e1 repaired
         02:00:40 raise SD-4 tamper => #3 warning open e1; p1 #3 T1
         02:00:45 clear SD-4 tamper =>
         02:00:50 T1 resolve #3     => #3 warning closed e1 repaired
         02:01:00 raise SD-2 tamper => #4 warning open e1; p1 #4 T1",
    );
}

#[test]
fn what_nobody_was_told_of_holds_nothing_back() {
    // Muted three times, and in earnest after that.
    drill(
        "02:00:00 announce w maintenance 02:00:00 02:30:00 SD-4 tamper =>
         02:01:00 raise SD-4 tamper => #1 notice open e1
         02:02:00 clear SD-4 tamper =>
         02:03:00 -                 => #1 notice closed e1 maintenance
         02:04:00 raise SD-4 tamper => #2 notice open e1
         02:05:00 clear SD-4 tamper =>
         02:06:00 -                 => #2 notice closed e1 maintenance
         02:07:00 raise SD-4 tamper => #3 notice open e1
         02:08:00 clear SD-4 tamper =>
         02:09:00 -                 => #3 notice closed e1 maintenance
         02:31:00 raise SD-4 tamper => #4 warning open e1; p1 #4 T1",
    );
}

#[test]
fn what_is_muted_when_it_comes_back_was_paged_to_nobody() {
    let drill = drill(
        "02:00:00 raise SD-4 tamper => #1 warning open e1; p1 #1 T1
         02:00:10 clear SD-4 tamper =>
         02:00:20 announce w maintenance 02:00:00 03:00:00 SD-4 tamper =>
         02:00:30 raise SD-4 tamper => #1 notice open e2",
    );
    assert_eq!((drill.wire(1).step, drill.wire(1).next_step_at), (0, None));
}

#[test]
fn each_condition_that_is_held_back_is_accounted_for_once_when_its_hour_ends() {
    let mut drill = Drill::restarting(Plan::default());
    comes_and_goes(&mut drill, "HY-1", "knocked", &["02:00:00", "02:00:10", "02:00:20"]);
    comes_and_goes(&mut drill, "HY-1", "tamper", &["02:01:00", "02:01:10", "02:01:20"]);
    comes_and_goes(&mut drill, "HY-1", "tamper", &["02:02:00"]);
    comes_and_goes(&mut drill, "HY-1", "knocked", &["02:02:10", "02:02:20"]);
    wait(&mut drill, time("04:00:00"));
    let expected = [
        "03:00:00 cleared gateway: knocked: 5 times in 2 min",
        "03:01:00 cleared gateway: tamper: 4 times in 60 s",
    ];
    assert_eq!(lines(&drill, 1, "03:"), expected);
}

#[test]
fn what_stands_for_many_topics_sounds_again_after_a_minute_and_one_topic_after_ten() {
    let mut drill = Drill::restarting(Plan::default());
    let mut says = |topic: u32, at: &str| {
        wait(&mut drill, time(at) - 1);
        drill.happens(&["unreadable", &format!("topic:t/{topic}"), "ON"], time(at));
    };
    for topic in 0..20 {
        says(topic, "02:00:00");
    }
    says(20, "02:01:00");
    says(0, "02:01:30");
    says(21, "02:01:30");
    wait(&mut drill, time("02:20:00"));
    let shared = crate::incidents::Place::Topic { name: "a/topic:t/21/alarm".into(), more: 1 };
    assert_eq!(drill.wire(21).place, Some(shared));
    assert_eq!(sounds(&drill, 1), [time("02:00:00"), time("02:10:00")]);
    assert_eq!(sounds(&drill, 21), [time("02:01:00"), time("02:02:00")]);
}

#[test]
fn what_its_zone_said_for_a_hydrant_is_no_sound_of_the_hydrant() {
    let mut drill = Drill::restarting(Plan::default());
    for minute in 0..3 {
        let at = time("02:00:00") + minute * 60_000;
        let raise = "raise HY-1 no_water + raise zone:Z1 zone_low_pressure members=HY-1";
        drill.happens(&raise.split(' ').collect::<Vec<_>>(), at);
        drill.happens(&["clear", "HY-1", "no_water"], at + 10_000);
        drill.happens(&["clear", "zone:Z1", "zone_low_pressure"], at + 20_000);
    }
    assert_eq!(sounds(&drill, 1), [0; 0], "its zone says it");
    drill.happens(&["raise", "HY-1", "no_water"], time("02:10:00"));
    assert_eq!(sounds(&drill, 1), [time("02:10:00")], "and now it is alone");
}

#[test]
fn what_a_hydrant_said_itself_counts_whatever_its_zone_said_since() {
    let mut drill = Drill::restarting(Plan::default());
    comes_and_goes(&mut drill, "HY-1", "no_water", &["02:00:00", "02:01:00"]);
    let raise = "raise HY-1 no_water + raise zone:Z1 zone_low_pressure members=HY-1";
    drill.happens(&raise.split(' ').collect::<Vec<_>>(), time("02:02:00"));
    drill.happens(&["clear", "HY-1", "no_water"], time("02:02:05"));
    drill.happens(&["clear", "zone:Z1", "zone_low_pressure"], time("02:02:10"));
    comes_and_goes(&mut drill, "HY-1", "no_water", &["02:03:00", "02:04:00"]);
    let its = ["02:00:00", "02:01:00", "02:03:00"].map(time);
    assert_eq!(sounds(&drill, 1), its, "the fourth is held back");
}

#[test]
fn what_a_person_said_is_done_is_not_told_again_when_its_hour_ends() {
    let mut drill = Drill::restarting(Plan::default());
    comes_and_goes(&mut drill, "SD-4", "tamper", &["02:00:00", "02:00:10", "02:00:20"]);
    drill.run(
        "02:01:00 raise SD-4 tamper =>
         02:02:00 T1 resolve #1     => #1 warning resolved e3
         03:10:00 clear SD-4 tamper => #1 warning closed e3 repaired",
    );
}

#[test]
fn a_detector_comes_back_to_its_fire_within_ten_minutes_of_its_own_clear() {
    drill(
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:00:01 raise SD-2 smoke  => #1 fire open e2; p1 #1 T1
         02:00:10 T1 acknowledge #1 => #1 fire acknowledged e2
         02:01:00 clear SD-1 smoke  =>
         02:10:00 clear SD-2 smoke  =>
         02:10:59.999 raise SD-1 smoke => #1 fire open e3; p1 #1 T1
         02:11:10 T1 acknowledge #1 => #1 fire acknowledged e3
         02:12:00 clear SD-1 smoke  =>
         02:20:00 raise SD-2 heat   => #2 fire open e1; p1 #2 T1",
    );
    drill(
        "02:00:00 raise SD-1 smoke  => #1 fire open e1; p1 #1 T1
         02:00:01 raise SD-2 smoke  => #1 fire open e2; p1 #1 T1
         02:00:10 T1 acknowledge #1 => #1 fire acknowledged e2
         02:01:00 clear SD-1 smoke  =>
         02:10:00 clear SD-2 smoke  =>
         02:11:00 raise SD-1 smoke  => #2 fire open e1; p1 #2 T1",
    );
}

#[test]
fn water_that_is_back_is_in_the_trail_unless_it_comes_and_goes() {
    let mut drill = Drill::restarting(Plan::default());
    comes_and_goes(&mut drill, "HY-1", "no_water", &["02:00:00", "02:00:10"]);
    let expected = ["02:00:05 verifying gateway: ", "02:00:15 verifying gateway: "];
    let verifying = |drill: &Drill| {
        let of = |line: &String| line.contains(" verifying ");
        drill.trail_of(1).into_iter().filter(of).collect::<Vec<_>>()
    };
    assert_eq!(verifying(&drill), expected);
    comes_and_goes(&mut drill, "HY-1", "no_water", &["02:00:20", "02:00:30", "02:00:40"]);
    assert_eq!(verifying(&drill).len(), 3, "the fourth and the fifth say so: it flaps");
}
