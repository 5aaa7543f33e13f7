//! The chain's heartbeat: when it is missed, and how that and a broker that is away are one thing.

use super::Drill;

/// Beats every 5 s from one time to another, seconds after midnight.
fn beats(from: u32, to: u32) -> String {
    let line = |s: u32| format!("{:02}:{:02}:{:02} beat\n", s / 3_600, s / 60 % 60, s % 60);
    (from..=to).step_by(5).map(line).collect()
}

#[test]
fn a_chain_that_stands_still_for_fifteen_seconds_is_blindness_until_a_heartbeat_comes_through() {
    let mut drill = Drill::watched();
    drill.finds("every 5 s one comes", &beats(0, 60), &[]);
    drill.finds("none is too old yet", "00:01:15 temp_c=20", &[]);
    drill.finds(
        "nothing for 15 s, though there is a broker",
        "00:01:15.001",
        &["00:01:15.001 gateway gateway_blind since 00:01:00 (no_heartbeat)"],
    );
    drill.finds("a reading is none", "00:02:00 temp_c=20", &[]);
    drill.finds("one that was 15.001 s on its way", "00:03:00.001 @00:02:45 beat", &[]);
    drill.finds(
        "one that is young enough",
        "00:03:10.000 @00:02:55 beat",
        &["00:03:10 gateway gateway_blind ended 00:03:10"],
    );
}

#[test]
fn with_a_broker_that_is_away_it_is_one_incident() {
    let mut drill = Drill::watched();
    let script = format!("{}00:00:31 down\n00:01:00.999", beats(0, 30));
    drill.finds("what is down says so, after 30 s", &script, &[]);
    drill.finds(
        "and says it alone",
        "00:05:00",
        &["00:01:01 gateway gateway_blind since 00:00:31"],
    );
    drill.finds("up again", "00:06:00 up", &["00:06:00 gateway gateway_blind ended 00:06:00"]);
    drill.finds("a heartbeat has its time to come", "00:06:15 beat", &[]);
    let mut drill = Drill::watched();
    drill.finds(
        "a broker that hangs: the heartbeat finds it first",
        &format!("{}00:00:20 down\n00:02:00", beats(0, 0)),
        &["00:00:15.001 gateway gateway_blind since 00:00:00 (no_heartbeat)"],
    );
    drill.finds("it is up: that alone is not enough", "00:03:00 up\n00:03:04", &[]);
    drill.finds(
        "and a heartbeat comes through",
        "00:03:05 beat",
        &["00:03:05 gateway gateway_blind ended 00:03:05"],
    );
    let mut drill = Drill::watched();
    drill.finds(
        "a heartbeat by one lane, while another is down for long",
        &format!("{}00:00:16 down\n00:01:00 beat\n00:02:00", beats(0, 0)),
        &["00:00:15.001 gateway gateway_blind since 00:00:00 (no_heartbeat)"],
    );
    drill.finds("up", "00:02:10 up", &["00:02:10 gateway gateway_blind ended 00:02:10"]);
}

#[test]
fn a_broker_that_never_let_one_pass_wakes_nobody() {
    let mut drill = Drill::hydrant();
    drill.finds("its access rules are older", "00:30:00 temp_c=20\n00:34:00 temp_c=20", &[]);
    drill.finds("one came through", "00:35:01 beat\n00:35:16", &[]);
    drill.finds(
        "from then on it is missed",
        "00:35:17",
        &["00:35:16.001 gateway gateway_blind since 00:35:01 (no_heartbeat)"],
    );
}

#[test]
fn when_the_clock_is_set_no_heartbeat_is_older_for_it() {
    let mut drill = Drill::watched();
    drill.finds("one came", &beats(0, 10), &[]);
    drill.watch.shift(3_600_000, &mut drill.out);
    drill.now += 3_600_000;
    drill.finds("an hour on", "01:00:25", &[]);
    drill.finds("sent before, and here after it", "01:00:25 @00:00:12 beat", &[]);
    drill.finds(
        "as old as it is",
        "01:00:26",
        &["01:00:25.001 gateway gateway_blind since 01:00:10 (no_heartbeat)"],
    );
}

#[test]
fn that_one_ever_came_through_is_stored_once() {
    let mut drill = Drill::watched();
    for (beat, before, stored) in [
        ("00:00:05 beat", false, true),
        ("00:00:10 beat", false, false),
        ("00:00:15 beat", true, true),
    ] {
        drill.out.clear();
        drill.out.watch_meta = before;
        drill.run(beat);
        assert_eq!(drill.out.watch_meta, stored, "{beat}");
    }
}

#[test]
fn a_lane_that_is_down_for_a_moment_hides_no_heartbeat() {
    let mut drill = Drill::watched();
    drill.finds(
        "it is down for 4 s, and says nothing before 30",
        &format!("{}00:00:16 down\n00:00:20 beat", beats(0, 0)),
        &[
            "00:00:15.001 gateway gateway_blind since 00:00:00 (no_heartbeat)",
            "00:00:20 gateway gateway_blind ended 00:00:20",
        ],
    );
}
