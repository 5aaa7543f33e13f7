//! What the broker had kept is old.

use standpipe_shared::{Alarm, Condition, Kilopascals, Reading};

use super::{Drill, at, in_town};
use crate::detect::{Memory, Trust, Watch};
use crate::wire::{Arrived, Origin};

/// The same gateway after a restart.
fn restarted(drill: &Drill) -> Drill {
    let ix = drill.watch.registry.find("D").unwrap();
    let body = drill.watch.memory(ix).unwrap().body();
    let mut after = Drill::watched();
    after.watch = Watch::new(drill.watch.registry.clone(), 1);
    after.watch.restore(ix, Memory::from_body(&body).unwrap());
    after.watch.session(true, drill.now, &mut after.out);
    after.now = drill.now;
    after
}

fn memory(drill: &Drill) -> &Memory {
    drill.watch.memory(drill.watch.registry.find("D").unwrap()).unwrap()
}

fn trust(drill: &Drill) -> Trust {
    drill.watch.hydrant(drill.watch.registry.find("D").unwrap(), drill.now).unwrap().trust
}

#[test]
fn a_retained_reading_is_no_sign_of_life_and_counts_for_nothing() {
    let mut drill = Drill::watched();
    drill.finds("300 kPa of a device never heard", "00:00:00 kept pressure_kpa=300", &[]);
    assert_eq!(memory(&drill).heard_at, None);
    assert_eq!(memory(&drill).latest.pressure_kpa.map(Kilopascals::get), Some(300.0));
    assert_eq!(trust(&drill), Trust::Stale);
    drill.run("00:00:10 born 60");
    assert_eq!(trust(&drill), Trust::Stale, "heard, and never measured");
    assert!(drill.out.readings.is_empty(), "history has nothing of it");

    let mut drill = Drill::watched();
    let twice =
        "00:00:00 kept pressure_kpa=0\n00:01:00 kept pressure_kpa=0\n00:02:00 kept pressure_kpa=0";
    drill.finds("one retained 0, delivered again and again", twice, &[]);
    drill.finds("never confirms one", "00:02:30 pressure_kpa=0\n00:03:10 kept pressure_kpa=0", &[]);
    assert_eq!(drill.out.counts.retained, 4);

    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300\n00:01:00 kept pressure_kpa=0");
    assert_eq!(memory(&drill).latest.pressure_kpa.map(Kilopascals::get), Some(300.0), "newer");
    drill.finds(
        "and it keeps nobody from being silent",
        "00:04:00 kept pressure_kpa=0\n00:05:00",
        &["00:05:00 D offline since 00:05:00"],
    );
}

#[test]
fn a_retained_will_makes_nobody_offline() {
    let mut drill = Drill::watched();
    drill.finds("heard ten seconds ago", "00:00:00 pressure_kpa=300\n00:00:10 kept gone", &[]);
    assert!(!memory(&drill).gone);
    let mut drill = Drill::watched();
    drill.finds(
        "never heard: that is found in its time",
        "00:00:10 kept gone\n00:30:00",
        &["00:05:00 D offline since 00:05:00 (never)"],
    );
    drill.finds(
        "nor does a retained birth end a silence",
        "00:30:00 pressure_kpa=300\n00:40:00 kept born 60",
        &["00:30:00 D offline ended 00:30:00", "00:35:00 D offline since 00:35:00"],
    );
}

#[test]
fn a_retained_birth_tells_the_interval_where_none_is_known() {
    let interval = |script: &str| {
        let mut drill = Drill::watched();
        drill.run(script);
        memory(&drill).interval_s
    };
    assert_eq!(interval("00:00:00 kept born 30"), Some(30));
    assert_eq!(interval("00:00:00 kept born 30\n00:00:01 kept born 40"), Some(40));
    assert_eq!(interval("00:00:00 temp_c=1\n00:00:01 kept born 40"), Some(40));
    assert_eq!(interval("00:00:00 born 30\n00:00:01 kept born 40"), Some(30));
}

#[test]
fn a_retained_fire_is_a_fire_once() {
    let mut drill = Drill::watched();
    let fire = "kept alarm smoke on";
    drill.finds(
        "nobody knows since when",
        &format!("00:00:10 {fire}"),
        &["00:00:10 D smoke since 00:00:10 (since_unknown)"],
    );
    assert_eq!(memory(&drill).heard_at, None);
    drill.finds("the same again", &format!("00:00:20 {fire}"), &[]);
    let mut drill = restarted(&drill);
    drill.finds("and after a restart", &format!("00:00:30 {fire}"), &[]);
    drill.finds("it clears", "00:01:00 alarm smoke off", &["00:01:00 D smoke ended 00:01:00"]);
    drill.finds(
        "the same words after that are another fire",
        &format!("00:02:00 {fire}"),
        &["00:02:00 D smoke since 00:02:00 (since_unknown)"],
    );
    drill.finds(
        "a retained clearing takes the place of what was retained",
        "00:03:00 kept alarm smoke off",
        &["00:03:00 D smoke ended 00:03:00"],
    );
}

#[test]
fn a_fire_that_is_known_is_not_told_again_by_what_was_retained() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 #1/1 alarm smoke on");
    drill.finds("the very message", "00:01:00 @00:00:00 #1/1 kept alarm smoke on", &[]);
    drill.finds("one that may be it", "00:01:10 @- kept alarm smoke on", &[]);
    drill.finds("a retained clearing is older", "00:01:20 kept alarm smoke off", &[]);
    drill.finds(
        "one that nobody has seen",
        "00:02:00 @00:01:30 #1/9 kept alarm smoke on",
        &["00:02:00 D smoke since 00:00:00 (since_unknown)"],
    );
    let mut drill = Drill::watched();
    drill.run("00:00:00 #1/1 alarm smoke on\n00:00:30 #1/2 alarm smoke off");
    drill.finds("over, and the very message", "00:01:00 @00:00:00 #1/1 kept alarm smoke on", &[]);
}

#[test]
fn other_retained_alarms_are_believed_of_strangers_only() {
    let mut drill = Drill::watched();
    drill.finds(
        "nothing is known",
        "00:00:10 kept alarm tamper on\n00:00:20 kept alarm tamper on",
        &["00:00:10 D tamper since 00:00:10 (since_unknown)"],
    );
    let mut drill = Drill::watched();
    drill.finds("heard", "00:00:00 temp_c=20\n00:00:10 kept alarm tamper on", &[]);
}

#[test]
fn a_retained_reading_of_heat_is_a_fire() {
    let mut drill =
        Drill::new([super::device("D", standpipe_shared::Kind::Smoke, "smoke_home", 60)]);
    drill.finds(
        "of a detector never heard",
        "00:00:10 kept temp_c=60\n00:00:20 kept temp_c=60",
        &["00:00:10 D heat since 00:00:10 (since_unknown)"],
    );
    let mut drill =
        Drill::new([super::device("D", standpipe_shared::Kind::Smoke, "smoke_home", 60)]);
    drill.finds("not of one that is", "00:00:00 temp_c=20\n00:00:10 kept temp_c=60", &[]);
}

#[test]
fn an_old_area_does_not_move_a_device() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 pressure_kpa=300");
    drill.out.clear();
    let reading = standpipe_shared::Reading::default();
    drill.watch.retained_readings(
        Origin { area: "elsewhere", device: "D" },
        &[reading],
        at("00:01:00"),
        &mut drill.out,
    );
    assert!(drill.out.registered.is_empty());
}

#[test]
fn who_has_started_is_no_stranger_though_nothing_was_measured() {
    let mut drill = Drill::watched();
    drill.run("00:00:00 born 60");
    let kept = "00:00:10 kept alarm tamper on\n00:00:20 kept pressure_kpa=0";
    drill.finds("what was kept is older", kept, &[]);
    assert_eq!(memory(&drill).latest.pressure_kpa, None);
}

#[test]
fn a_retained_temperature_is_a_fire_only_where_it_can_tell_one() {
    Drill::watched().finds("a hydrant in the sun", "00:00:10 kept temp_c=70", &[]);
    Drill::detector().finds("no sensor measures that", "00:00:10 kept temp_c=6553.5", &[]);
    Drill::detector().finds("a warm room", "00:00:10 kept temp_c=40", &[]);
}

#[test]
fn a_retained_fire_has_the_time_it_claims_if_that_can_be() {
    for (story, claims, since) in [
        ("half a minute ago", "00:09:30", "00:09:30"),
        ("a clock that is a little ahead", "00:10:20", "00:10:00"),
        ("one that is a day ahead", "1+00:00:00", "00:10:00"),
        ("one that was never set", "-20454+00:00:00", "00:10:00"),
    ] {
        let found = format!("00:10:00 D smoke since {since} (since_unknown)");
        Drill::detector().finds(
            story,
            &format!("00:10:00 @{claims} kept alarm smoke on"),
            &[&*found],
        );
    }
    let mut drill = Drill::detector();
    drill.run("00:10:00 @1+00:00:00 kept alarm smoke on");
    drill.finds(
        "a time that cannot be makes no live alarm an old one",
        "00:10:30 @00:09:50 alarm smoke off",
        &["00:10:30 D smoke ended 00:09:50"],
    );
}

#[test]
fn only_of_a_live_fire_may_the_broker_keep_what_is_known() {
    for (condition, print, live) in [
        (Condition::Smoke, 7, Some(7)),
        (Condition::Heat, 7, Some(7)),
        (Condition::Tamper, 7, None),
        (Condition::Smoke, 0, None),
    ] {
        let mut drill = Drill::watched();
        let alarm = Alarm { reading: Reading::default(), condition, active: true, test: false };
        let arrived = Arrived { at: at("00:00:00"), retained: false, print };
        drill.watch.alarm(in_town("D"), &alarm, arrived, &mut drill.out);
        let known = memory(&drill).known_alarms.as_deref().and_then(|known| known.live);
        assert_eq!(known, live, "{condition:?} with the fingerprint {print}, 0 being none");
    }
}

#[test]
fn a_kept_alarm_that_the_gateway_remembers_is_a_duplicate() {
    let mut before = Drill::watched();
    before.run("00:00:00 #1/1 alarm smoke on");
    let mut after = Drill::watched();
    after.watch.remember(&before.out.readings[0]);
    for (story, drill) in [("as it heard it", &mut before), ("from the log", &mut after)] {
        drill.out.clear();
        drill.finds(story, "00:01:00 @00:00:00 #1/1 kept alarm smoke on", &[]);
        let counts = &drill.out.counts;
        assert_eq!((counts.retained, counts.duplicates), (1, 1), "{story}");
    }
}

#[test]
fn what_was_taken_back_and_is_kept_again_is_news() {
    let mut drill = Drill::watched();
    let says = |drill: &mut Drill, clock: &str, (active, print, retained)| {
        let (reading, condition) = (Reading::default(), Condition::Smoke);
        let alarm = Alarm { reading, condition, active, test: false };
        let arrived = Arrived { at: at(clock), retained, print };
        let (who, out) = (in_town("D"), &mut drill.out);
        if retained {
            drill.watch.retained_alarm(who, &alarm, arrived, out);
        } else {
            drill.watch.alarm(who, &alarm, arrived, out);
        }
    };
    says(&mut drill, "00:00:00", (true, 7, false));
    says(&mut drill, "00:00:10", (false, 8, false));
    drill.run("00:00:10");
    says(&mut drill, "00:00:20", (true, 7, true));
    drill.finds("the broker had kept that fire", "00:00:20", &[]);
    drill.out.clear();
    drill.watch.retained_taken_back("D", &mut drill.out);
    assert_eq!(drill.out.save, [drill.watch.registry.find("D").unwrap()]);
    says(&mut drill, "00:00:30", (true, 7, true));
    let found = ["00:00:30 D smoke since 00:00:30 (since_unknown)"];
    drill.finds("somebody published it again", "00:00:30", &found);
}
