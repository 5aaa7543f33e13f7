//! What the broker had kept is old.

use standpipe_shared::Kilopascals;

use super::{Drill, at};
use crate::detect::{Memory, Trust, Watch};

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
    drill.watch.retained_readings(("elsewhere", "D"), &[reading], at("00:01:00"), &mut drill.out);
    assert!(drill.out.registered.is_empty());
}
