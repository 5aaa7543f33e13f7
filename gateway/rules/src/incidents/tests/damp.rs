//! What comes and goes: edges are recorded, sounds are not repeated, and nothing is lost.

use std::collections::BTreeMap;

use proptest::prelude::*;
use standpipe_shared::{Class, Severity};

use super::drill::{DAY, Drill, at_once, drill, time};
use crate::changes::{Page, Receiver};
use crate::incidents::{Plan, State};
use crate::{HOUR_MS, Ms};

/// 50 times on and off within 5 s, from that moment; `ends` on what it ends.
fn flap(drill: &mut Drill, of: &str, condition: &str, times: u32, ends: &str) -> Ms {
    let mut now = DAY;
    for n in 0..times {
        for verb in ["raise", "clear"] {
            now += 50;
            if n + 1 < times || verb == "raise" || ends == "clear" {
                drill.happens(&[verb, of, condition], now);
            }
        }
    }
    now
}

/// Lets time pass until then, whatever follows.
pub fn wait(drill: &mut Drill, until: Ms) {
    while let Some(wake) = drill.book.next_wake().filter(|at| *at <= until) {
        drill.happens(&["-"], wake);
    }
    drill.happens(&["-"], until);
}

/// Pages of step 1 that are no repetitions, by receiver.
fn first_steps(pages: &[Page]) -> BTreeMap<&Receiver, Vec<Ms>> {
    let mut all = BTreeMap::<&Receiver, Vec<Ms>>::new();
    for page in pages.iter().filter(|page| (page.step, page.repeat) == (1, 0)) {
        all.entry(&page.receiver).or_default().push(page.at);
    }
    all
}

#[test]
fn what_flaps_sounds_three_times_an_hour_and_is_one_incident() {
    for (of, condition) in
        [("SD-4", "tamper"), ("HY-1", "hydrant_open"), ("HY-1", "no_water"), ("HY-1", "knocked")]
    {
        for ends in ["raise", "clear"] {
            let mut drill = Drill::restarting(Plan::default());
            let end = flap(&mut drill, of, condition, 50, ends);
            let what = format!("{condition} ends with {ends}");
            assert_eq!(drill.labels.len(), 1, "one incident: {what}");
            let its = drill.trail_of(1).len();
            assert!(its < 40, "{its} lines: {what}: {:#?}", drill.trail_of(1));
            wait(&mut drill, end + 2 * HOUR_MS);
            let sounds = first_steps(&drill.pages);
            let home = &sounds[&Receiver::Station("T1".into())];
            let active = drill.incident(1).is_active();
            assert_eq!(
                (active, home.len()),
                (ends == "raise", if active { 4 } else { 3 }),
                "{what}"
            );
            if let Some(last) = home.get(3) {
                assert_eq!(*last, home[0] + HOUR_MS, "what is true when the hour ends: {what}");
            }
            let wire = drill.wire(1);
            let flapping = wire.flapping.unwrap();
            assert_eq!((flapping.times, flapping.within_s), (50, 4), "{what}");
            assert!(wire.title.en.contains(", 50 times in 4 s · "), "{}", wire.title.en);
            assert!(wire.title.zh.contains("（4秒内50次）"), "{}", wire.title.zh);
            let told = drill.trail_of(1);
            assert!(told.iter().any(|line| line.contains("50 times in 4 s")), "{what}: {told:#?}");
        }
    }
}

#[test]
fn what_comes_and_goes_as_a_notice_is_one_incident_and_ends_a_minute_after() {
    let mut drill = Drill::restarting(Plan::default());
    let end = flap(&mut drill, "HY-6", "offline", 100, "clear");
    assert_eq!((drill.labels.len(), drill.pages.len()), (1, 0));
    wait(&mut drill, end - 1 + 60_000);
    assert_eq!(drill.incident(1).state, State::Open);
    wait(&mut drill, end + 60_000);
    assert_eq!(drill.incident(1).state, State::Closed);
    let trail = drill.trail_of(1);
    assert!(trail.len() < 25, "{trail:#?}");
    assert!(trail.iter().any(|line| line.ends_with("cleared gateway: offline: 100 times in 9 s")));
    drill.happens(&["raise", "HY-6", "offline"], end + 60_001);
    assert_eq!(drill.labels.len(), 2, "it was clear for long enough");
}

#[test]
fn a_broken_connection_that_flaps_is_one_incident() {
    drill(
        "02:00:00 raise gateway gateway_blind => #1 critical open e1; p1 #1 D
         02:00:30 clear gateway gateway_blind =>
         02:01:00 raise gateway gateway_blind => #1 critical open e2; p1 #1 D
         02:01:30 clear gateway gateway_blind =>
         02:02:30 -                           => #1 critical closed e2 recovered
         02:02:31 raise gateway gateway_blind => #2 critical open e1; p1 #2 D",
    );
}

#[test]
fn closing_it_is_no_way_to_hear_more() {
    drill(
        "02:00:00 raise SD-4 tamper  => #1 warning open e1; p1 #1 T1
         02:00:10 clear SD-4 tamper  =>
         02:00:20 T1 resolve #1      => #1 warning closed e1 repaired
         02:00:30 raise SD-4 tamper  => #2 warning open e1; p1 #2 T1
         02:00:40 clear SD-4 tamper  =>
         02:00:50 T1 resolve #2      => #2 warning closed e1 repaired
         02:01:00 raise SD-4 tamper  => #3 warning open e1; p1 #3 T1
         02:01:10 clear SD-4 tamper  =>
         02:01:20 T1 resolve #3      => #3 warning closed e1 repaired
         02:01:30 raise SD-4 tamper  => #4 warning open e1
         02:10:00 raise SD-2 tamper  => #5 warning open e1; p1 #5 T1
         02:20:00 raise SD-4 knocked =>
         03:00:00 -                  => #4 warning open e2; p1 #4 T1",
    );
}

#[test]
fn escalation_goes_on_while_critical_water_flaps() {
    drill(
        "02:00:00 raise HY-1 no_water => #1 critical open e1; p1 #1 T1
         02:00:01 clear HY-1 no_water => #1 critical verifying e1
         02:00:02 raise HY-1 no_water => #1 critical open e2; p1 #1 T1
         02:00:03 clear HY-1 no_water => #1 critical verifying e2
         02:00:04 raise HY-1 no_water => #1 critical open e3; p1 #1 T1
         02:00:05 clear HY-1 no_water => #1 critical verifying e3
         02:00:06 raise HY-1 no_water => #1 critical open e3
         02:01:00 clear HY-1 no_water => #1 critical verifying e3
         02:01:10 raise HY-1 no_water => #1 critical open e3; p2 #1 T2 T3
         02:03:04 -                   => p3 #1 D
         02:03:10 T1 acknowledge #1   => #1 critical acknowledged e3
         02:04:00 clear HY-1 no_water => #1 critical verifying e3
         02:04:10 raise HY-1 no_water => #1 critical open e3
         02:18:04 -                   => p3r1 #1 D T1 T2 T3
         02:33:04 -                   => p3r2 #1 D T1 T2 T3
         02:48:04 -                   => p3r3 #1 D T1 T2 T3
         03:00:00 -                   => #1 critical open e4; p1 #1 T1",
    );
}

#[test]
fn what_is_held_back_from_its_beginning_is_escalated_from_its_first_page_on() {
    drill(
        "02:00:00 raise HY-1 no_water => #1 critical open e1; p1 #1 T1
         02:00:01 T1 false_alarm #1   => #1 critical resolved e1
         02:00:02 clear HY-1 no_water => #1 critical closed e1 false_alarm
         02:00:10 raise HY-1 no_water => #2 critical open e1; p1 #2 T1
         02:00:11 T1 false_alarm #2   => #2 critical resolved e1
         02:00:12 clear HY-1 no_water => #2 critical closed e1 false_alarm
         02:00:20 raise HY-1 no_water => #3 critical open e1; p1 #3 T1
         02:00:21 T1 false_alarm #3   => #3 critical resolved e1
         02:00:22 clear HY-1 no_water => #3 critical closed e1 false_alarm
         02:01:00 raise HY-1 no_water => #4 critical open e1
         02:59:59.999 -               =>
         03:00:00 -                   => #4 critical open e2; p1 #4 T1
         03:01:00 -                   => p2 #4 T2 T3",
    );
}

#[test]
fn one_fire_detector_that_flaps_is_one_fire() {
    let mut drill = Drill::restarting(Plan::default());
    flap(&mut drill, "SD-4", "smoke", 50, "clear");
    assert_eq!(drill.labels.len(), 1);
    assert_eq!((drill.incident(1).state, drill.pages.len()), (State::Open, 1));
    wait(&mut drill, DAY + 180_050);
    let steps: Vec<u8> = drill.pages.iter().map(|page| page.step).collect();
    assert_eq!(steps, [1, 2, 2, 3], "it is escalated like any fire");

    let mut drill = Drill::restarting(Plan::default());
    flap(&mut drill, "SD-4", "smoke", 50, "raise");
    wait(&mut drill, DAY + 60_050);
    let pages: Vec<(u8, u32, Ms)> =
        drill.pages.iter().map(|page| (page.step, page.episode, page.at - DAY)).collect();
    assert_eq!(pages[..2], [(1, 1, 50), (1, 2, 60_050)], "still true after a minute: {pages:?}");
}

#[test]
fn a_fire_that_flaps_for_long_still_reaches_everybody() {
    drill(
        "02:00:00 raise SD-4 smoke => #1 fire open e1; p1 #1 T1
         02:00:20 clear SD-4 smoke =>
         02:00:40 raise SD-4 smoke =>
         02:00:50 clear SD-4 smoke =>
         02:01:00 raise SD-4 smoke => #1 fire open e2; p1 #1 T1; p2 #1 T2 T3
         02:01:40 clear SD-4 smoke =>
         02:02:00 raise SD-4 smoke => #1 fire open e3; p1 #1 T1
         02:02:40 clear SD-4 smoke =>
         02:03:00 raise SD-4 smoke => #1 fire open e4; p1 #1 T1; p3 #1 D
         02:03:10 T1 acknowledge #1 => #1 fire acknowledged e4
         02:03:20 clear SD-4 smoke =>
         02:03:30 raise SD-4 smoke => #1 fire open e4
         02:04:00 -                => #1 fire open e5; p1 #1 T1
         02:04:10 clear SD-4 smoke =>
         02:04:20 T1 resolve #1    => #1 fire closed e5 fire
         02:04:21 raise SD-4 smoke => #2 fire open e1; p1 #2 T1",
    );
}

#[test]
fn a_fire_that_flaps_after_it_was_taken_is_open_again_and_nobody_further_is_woken_for_it_at_once() {
    drill(
        "02:00:00 raise SD-4 smoke => #1 fire open e1; p1 #1 T1
         02:00:30 T1 acknowledge #1 => #1 fire acknowledged e1
         02:00:40 clear SD-4 smoke =>
         02:00:50 raise SD-4 smoke => #1 fire open e1
         02:00:55 clear SD-4 smoke =>
         02:01:49 -                =>
         02:01:50 -                => p2 #1 T2 T3
         02:03:50 -                => p3 #1 D",
    );
}

#[test]
fn another_detector_or_floor_is_never_damped() {
    drill(
        "02:00:00 raise SD-1 smoke => #1 fire open e1; p1 #1 T1
         02:00:01 clear SD-1 smoke =>
         02:00:02 raise SD-1 smoke =>
         02:00:03 raise SD-2 smoke => #1 fire open e2; p1 #1 T1
         02:00:04 clear SD-1 smoke =>
         02:00:05 clear SD-2 smoke =>
         02:00:06 raise SD-3 smoke => #2 fire open e1; p1 #2 T1
         02:00:07 raise SD-1 smoke =>
         02:01:00 -                => #1 fire open e3; p1 #1 T1
         02:01:03 -                => p2 #1 T2 T3
         02:01:06 -                => p2 #2 T2 T3",
    );
}

/// The state of one condition over time: pauses, ms, between its edges.
fn edges() -> impl Strategy<Value = Vec<Ms>> {
    let pause = prop_oneof![3 => 1_i64..5_000, 2 => 1_i64..120_000, 1 => 1_i64..1_500_000];
    prop::collection::vec(pause, 1..60)
}

const OF_DEVICES: [(&str, &str, &str); 8] = [
    ("SD-4", "tamper", "T1"),
    ("HY-1", "no_water", "T1"),
    ("HY-6", "hydrant_open", "T2"),
    ("HY-1", "knocked", "T1"),
    ("HY-6", "low_pressure", "T2"),
    ("HY-6", "offline", "T2"),
    ("zone:Z1", "zone_low_pressure", "D"),
    ("gateway", "gateway_blind", "D"),
];

proptest! {
    #![proptest_config(crate::cases::cases(1_000))]

    /// No pattern of one condition of one device sounds more than three times an hour, makes more
    /// than one open incident, or loses the state it ends with.
    #[test]
    fn whatever_flaps_is_heard_three_times_an_hour_and_its_last_state_is_told(
        (of, condition, home) in prop::sample::select(OF_DEVICES.to_vec()), edges in edges(),
    ) {
        let mut drill = Drill::new(Plan::default());
        let (mut now, mut raised) = (DAY, DAY);
        for (n, pause) in edges.iter().enumerate() {
            now += pause;
            wait(&mut drill, now - 1);
            if n % 2 == 0 {
                raised = now;
                drill.happens(&["raise", of, condition], now);
            } else {
                drill.happens(&["clear", of, condition], now);
            }
            prop_assert!(drill.book.open().count() <= 1);
        }
        wait(&mut drill, now + 3 * HOUR_MS);
        for (receiver, at) in first_steps(&drill.pages) {
            let many = at.windows(4).find(|four| four[3] - four[0] < HOUR_MS);
            prop_assert_eq!(many, None, "{:?}: {:?}", receiver, at);
        }
        let open: Vec<_> = drill.book.open().cloned().collect();
        let active = edges.len() % 2 == 1;
        prop_assert_eq!(open.iter().any(|incident| incident.is_active()), active, "{:?}", open);
        if active && open[0].severity > Severity::Notice {
            let home = Receiver::Station(home.into());
            let told = drill.pages.iter().filter(|page| page.receiver == home);
            let last = told.map(|page| page.at).max();
            prop_assert!(last >= Some(raised), "raised at {raised}, told at {last:?}");
        }
        if !active {
            let left = open.iter().all(|incident| incident.wants_answer() || incident.state == State::Verifying);
            prop_assert!(left, "{:?}", open);
        }
    }

    /// Whatever one detector does: once a minute at most, one open fire, never less than open, and
    /// what it says last is told within a minute.
    #[test]
    fn whatever_one_detector_does_is_told_within_a_minute(edges in edges()) {
        let mut drill = Drill::new(Plan::default());
        let mut now = DAY;
        for (n, pause) in edges.iter().enumerate() {
            now += pause;
            wait(&mut drill, now - 1);
            let verb = if n % 2 == 0 { "raise" } else { "clear" };
            drill.happens(&[verb, "SD-4", "smoke"], now);
            for fire in drill.book.open() {
                prop_assert_eq!(fire.state, State::Open);
            }
            if n % 2 == 0 {
                wait(&mut drill, now);
                let sounds = first_steps(&drill.pages);
                let last = sounds.values().flatten().max().copied();
                prop_assert!(last > Some(now - 60_000), "at {}: {:?}", now, last);
            }
        }
        wait(&mut drill, now + 60_000);
        for (receiver, at) in first_steps(&drill.pages) {
            let soon = at.windows(2).find(|two| two[1] - two[0] < 60_000);
            prop_assert_eq!(soon, None, "{:?}: {:?}", receiver, at);
        }
        if edges.len() % 2 == 1 {
            let sounds = first_steps(&drill.pages);
            prop_assert!(sounds.values().flatten().any(|at| *at > now - 60_000));
            prop_assert!(drill.book.open().any(|incident| incident.is_active()));
        }
    }

    /// Whatever other devices do, a detector that was silent so far is paged at once.
    #[test]
    fn no_pattern_of_other_devices_delays_a_fire(
        others in prop::collection::vec((prop::sample::select(vec![
            ("SD-1", "smoke"), ("SD-2", "smoke"), ("SD-1", "heat"), ("SD-5", "smoke"), ("SD-4", "tamper"),
            ("SD-3", "tamper"), ("HY-1", "no_water"), ("HY-2", "offline"), ("gateway", "gateway_blind"),
        ]), any::<bool>(), 1_i64..100_000), 0..60),
        taken in any::<bool>(),
    ) {
        let mut drill = Drill::new(Plan::default());
        let mut now = DAY;
        for ((of, condition), raise, pause) in others {
            now += pause;
            drill.happens(&[if raise { "raise" } else { "clear" }, of, condition], now);
            if taken && drill.labels.last().is_some_and(|id| drill.book.get(*id).is_some()) {
                let last = format!("#{}", drill.labels.len());
                drill.happens(&["api", "acknowledge", &last], now);
            }
        }
        for detector in ["SD-3", "SD-4"] {
            now += 1;
            let before = drill.pages.len();
            drill.happens(&["raise", detector, "smoke"], now);
            let home = Receiver::Station("T1".into());
            let told = |page: &&Page| page.step == 1 && page.receiver == home && page.at == now;
            let page = drill.pages[before..].iter().find(told);
            let fire = page.and_then(|page| drill.book.get(page.incident));
            prop_assert_eq!(fire.map(|incident| incident.class), Some(Class::Fire));
        }
    }
}

#[test]
fn an_alarm_that_cannot_be_read_waits_for_a_person() {
    let mut drill = drill(
        "02:00:00 unreadable SD-4 ON   => #1 critical open e1; p1 #1 T1
         02:00:30 unreadable SD-4 OFF  =>
         02:01:00 -                    => p2 #1 T2 T3
         02:01:10 T1 acknowledge #1    => #1 critical acknowledged e1
         02:03:00 unreadable SD-4 ON   =>
         02:09:59 raise SD-4 smoke     => #2 fire open e1; p1 #2 T1
         02:10:00 -                    => #1 critical open e2; p1 #1 T1
         02:10:10 T1 resolve #2        => #2 fire resolved e1
         02:10:20 T1 false_alarm #1    => #1 critical closed e2 false_alarm
         02:10:30 unreadable SD-4 ON   => #3 critical open e1; p1 #3 T1
         02:10:40 unreadable HY-6 ON   => #4 warning open e1; p1 #4 T2
         02:10:50 unreadable SD-U ON   => #5 critical open e1; p1 #5 D
         02:11:00 unreadable topic:a/b ON => #6 critical open e1; p1 #6 D
         02:11:10 unreadable topic:a/c ON => #7 critical open e1; p1 #7 D
         02:11:20 unreadable topic:a/c {} =>",
    );
    let wire = drill.wire(7);
    assert_eq!(
        (wire.payload.as_deref(), wire.topic.as_deref()),
        (Some("{}"), Some("a/topic:a/c/alarm"))
    );
    assert_eq!(wire.title.en, "Alarm that cannot be read · a/c");
    assert_eq!(drill.wire(1).class, Class::Blind);
    let said: Vec<String> =
        drill.trail_of(1).into_iter().filter(|line| line.contains(" raised ")).collect();
    let expected = [
        "02:00:00 raised SD-4: unreadable_alarm: json: ON, on a/SD-4/alarm",
        "02:00:30 raised gateway: json: OFF, on a/SD-4/alarm",
        "02:03:00 raised gateway: json: ON, on a/SD-4/alarm",
    ];
    assert_eq!(said, expected, "each with what it said");
    for n in 0..40 {
        let at = time("02:20:00") + n;
        drill.happens(&["unreadable", &format!("topic:t/{n}"), "ON"], at);
    }
    let topics = drill.book.open().filter(|incident| incident.device().is_none()).count();
    assert_eq!(topics, 21, "an end to topics: they share one");
}

#[test]
fn a_kept_alarm_that_cannot_be_read_is_told_once() {
    drill(
        "02:00:00 unreadable SD-4 retained ON  => #1 critical open e1; p1 #1 T1
         02:00:10 T1 resolve #1                => #1 critical closed e1 repaired
         02:00:20 unreadable SD-4 retained ON  =>
         02:00:30 unreadable SD-4 retained OFF => #2 critical open e1; p1 #2 T1
         02:00:40 T1 resolve #2                => #2 critical closed e1 repaired
         02:00:50 unreadable SD-4 OFF          => #3 critical open e1; p1 #3 T1",
    );
    // Of each device the last one is remembered, and what another says changes nothing of that.
    drill(
        "02:00:00 unreadable SD-4 retained ON  => #1 critical open e1; p1 #1 T1
         02:00:10 T1 resolve #1                => #1 critical closed e1 repaired
         02:00:20 unreadable HY-6 retained ON  => #2 warning open e1; p1 #2 T2
         02:00:30 unreadable SD-4 retained ON  =>
         02:00:40 unreadable SD-4 retained OFF => #3 critical open e1; p1 #3 T1
         02:00:50 T1 resolve #3                => #3 critical closed e1 repaired
         02:01:00 unreadable SD-4 retained ON  => #4 critical open e1; p1 #4 T1",
    );
    drill(
        "02:00:00 unreadable SD-4 ON           => #1 critical open e1; p1 #1 T1
         02:00:10 T1 resolve #1                => #1 critical closed e1 repaired
         02:00:20 heard-kept SD-4 ON           =>
         02:00:30 heard-kept SD-4 OFF          => #2 critical open e1; p1 #2 T1
         02:00:40 T1 resolve #2                => #2 critical closed e1 repaired
         02:00:50 heard-kept SD-4 ON           => #3 critical open e1; p1 #3 T1",
    );
    drill(
        "02:00:00 unreadable topic:a/b ON      => #1 critical open e1; p1 #1 D
         02:00:01 unreadable topic:a/c ON      => #2 critical open e1; p1 #2 D
         02:00:10 D resolve #1                 => #1 critical closed e1 repaired
         02:00:11 D resolve #2                 => #2 critical closed e1 repaired
         02:00:20 heard-kept topic:a/b ON      =>
         02:00:21 heard-kept topic:a/c ON      =>
         02:00:22 heard-kept topic:a/d ON      => #3 critical open e1; p1 #3 D
         02:00:23 unreadable topic:a/b ON      => #4 critical open e1; p1 #4 D",
    );
    // Also those that share an incident.
    crowded(
        "02:00:01 heard-kept topic:a ON  => #21 critical open e1; p1 #21 D
         02:00:02 heard-kept topic:b ON  =>
         02:01:01 -                      => #21 critical open e2; p1 #21 D
         02:01:10 D resolve #21          => #21 critical closed e2 repaired
         02:01:20 heard-kept topic:b ON  =>
         02:01:21 heard-kept topic:a ON  =>
         02:01:22 heard-kept topic:own/3 OFF =>",
    );
}

/// A drill in which so many topics have an incident each that all others share the next, number 21.
fn crowded(script: &str) -> Drill {
    let plan = at_once(&Plan { webhooks: Vec::new(), ..Plan::default() });
    let run = |mut drill: Drill| {
        for n in 0..20 {
            let topic = format!("topic:own/{n}");
            drill.happens(&["unreadable", &topic, "ON"], time("02:00:00"));
            drill.happens(&["D", "acknowledge", &format!("#{}", n + 1)], time("02:00:00"));
        }
        drill.run(script);
        drill
    };
    let (drill, restarted) = (run(Drill::new(plan.clone())), run(Drill::restarting(plan)));
    assert_eq!(drill.pages, restarted.pages, "a restart changed the pages");
    assert_eq!(drill.trail, restarted.trail, "a restart changed the trail");
    drill
}

#[test]
fn topics_that_share_an_incident_are_told_apart() {
    let drill = crowded(
        "02:00:01 unreadable topic:a ON  => #21 critical open e1; p1 #21 D
         02:00:10 unreadable topic:a ON  =>
         02:00:20 unreadable topic:b ON  =>
         02:00:30 unreadable topic:c ON  =>
         02:01:01 -                      => #21 critical open e2; p1 #21 D
         02:01:10 D acknowledge #21      => #21 critical acknowledged e2",
    );
    let title = drill.wire(21).title;
    assert_eq!(title.en, "Alarm that cannot be read · a/topic:c/alarm and 2 more topics");
    assert_eq!(title.zh, "收到无法识别的报警 · a/topic:c/alarm等3个主题");
    let topics =
        drill.trail_of(21).into_iter().filter(|line| line.contains(" on a/topic:")).count();
    assert_eq!(topics, 4, "{:#?}", drill.trail_of(21));
}

#[test]
fn a_topic_that_shares_an_incident_sounds_when_it_is_new_and_every_ten_minutes() {
    crowded(
        "02:00:01 unreadable topic:a ON  => #21 critical open e1; p1 #21 D
         02:00:10 unreadable topic:a ON  =>
         02:00:20 unreadable topic:b ON  =>
         02:00:30 D acknowledge #21      => #21 critical acknowledged e1
         02:02:00 unreadable topic:b ON  =>
         02:10:01 -                      => #21 critical open e2; p1 #21 D
         02:10:10 D acknowledge #21      => #21 critical acknowledged e2
         02:12:00 unreadable topic:c ON  => #21 critical open e3; p1 #21 D
         02:12:10 unreadable topic:d ON  =>
         02:12:20 unreadable topic:a ON  =>
         02:13:00 -                      => #21 critical open e4; p1 #21 D
         02:13:10 D acknowledge #21      => #21 critical acknowledged e4
         02:13:20 unreadable topic:d ON  =>
         02:13:30 D resolve #21          => #21 critical closed e4 repaired
         02:13:40 unreadable topic:d ON  => #22 critical open e1; p1 #22 D",
    );
}

#[test]
fn any_number_of_topics_sounds_ten_times_a_minute_apart_and_then_every_ten_minutes() {
    let mut drill = crowded("02:00:01 unreadable topic:a ON => #21 critical open e1; p1 #21 D");
    let mut now = time("02:00:02");
    for n in 0..1_000 {
        now += 3_600;
        while let Some(wake) = drill.book.next_wake().filter(|wake| *wake < now) {
            drill.happens(&["-"], wake);
        }
        drill.happens(&["unreadable", &format!("topic:many/{n}"), "ON"], now);
        drill.happens(&["D", "acknowledge", "#21"], now);
    }
    let pool = drill.labels[20];
    let of_pool = |page: &&Page| page.incident == pool && page.step == 1 && page.repeat == 0;
    let sounds: Vec<Ms> = drill.pages.iter().filter(of_pool).map(|page| page.at).collect();
    let pauses: Vec<Ms> = sounds.windows(2).map(|two| (two[1] - two[0]) / 1_000).collect();
    let (often, seldom) = pauses.split_at(9);
    assert!(often.iter().all(|pause| (60..64).contains(pause)), "{pauses:?}");
    assert!(seldom.iter().all(|pause| (600..604).contains(pause)), "{pauses:?}");
    assert_eq!(seldom.len(), 5, "{pauses:?}");
    let (title, incident) = (drill.wire(21).title.en, drill.incident(21));
    assert!(title.ends_with("/alarm and at least 99 more topics"), "{title}");
    assert!(incident.flaps.len() <= 101, "{}", incident.flaps.len());
    let lines = drill.trail_of(21).into_iter().filter(|line| line.contains(" on a/topic:")).count();
    assert!((100..120).contains(&lines), "{lines}");
}
