//! A person's word that something is over: asked of what was shown, and taken back.

use proptest::prelude::*;

use super::drill::{DAY, Drill, taken_back};
use crate::cases::cases;
use crate::incidents::{Plan, State};

#[test]
fn nothing_closes_before_nobody_can_take_it_back() {
    let drill = taken_back(
        "02:00:00 raise SD-4 smoke           => #1 fire open e1; p1 #1 T1
         02:00:05 clear SD-4 smoke           =>
         02:00:10 T1 false_alarm #1 Li pan   => #1 fire resolved e1
         02:00:39.999 -                      =>
         02:00:40 -                          => #1 fire closed e1 false_alarm
         02:00:41 T1 undo #1 Li              => refused: unknown
         02:00:42 T1 reopen #1 Li            => refused: unknown",
    );
    let trail = drill.trail_of(1);
    let said = ["02:00:10 false_alarm Li: pan", "02:00:40 closed gateway: false_alarm"];
    assert_eq!(trail[trail.len() - 2..], said, "{trail:?}");
}

#[test]
fn a_word_taken_back_never_was_but_time_went_on() {
    let drill = taken_back(
        "02:00:00 raise SD-4 smoke   => #1 fire open e1; p1 #1 T1
         02:00:50 T1 resolve #1 Li   => #1 fire resolved e1
         02:00:51 T1 resolve #1 Wu   => refused: resolved
         02:00:51 T1 acknowledge #1  => refused: resolved
         02:01:15 T1 undo #1 Li slip => #1 fire open e1; p2 #1 T2 T3
         02:01:16 T1 undo #1 Li      => refused: open
         02:01:20 T1 acknowledge #1  => #1 fire acknowledged e1
         02:01:30 T1 false_alarm #1  => #1 fire resolved e1
         02:01:40 T1 undo #1 Li      => #1 fire acknowledged e1
         02:31:20 -                  => #1 fire open e2; p1 #1 T1",
    );
    let undone = drill.trail_of(1).into_iter().find(|line| line.contains("undone"));
    assert_eq!(undone.as_deref(), Some("02:01:15 undone Li: slip"));
}

#[test]
fn what_burns_on_stays_resolved_and_can_be_opened_again() {
    taken_back(
        "02:00:00 raise SD-4 smoke  => #1 fire open e1; p1 #1 T1
         02:00:10 T1 resolve #1 Li  => #1 fire resolved e1
         02:00:40 -                 =>
         02:00:50 T1 undo #1 Li     => refused: resolved
         02:00:51 T1 reopen #1 Li   => #1 fire open e2; p1 #1 T1
         02:00:52 T1 reopen #1 Li   => refused: open
         02:00:53 T1 acknowledge #1 => #1 fire acknowledged e2
         02:00:54 T1 reopen #1 Li   => #1 fire open e3; p1 #1 T1
         02:00:55 T1 resolve #1 Li  => #1 fire resolved e3
         02:01:10 clear SD-4 smoke  =>
         02:01:25 -                 => #1 fire closed e3 fire",
    );
}

#[test]
fn what_happens_meanwhile_counts_when_the_word_is_taken_back_or_holds() {
    taken_back(
        "02:00:00 raise HY-1 no_water    => #1 critical open e1; p1 #1 T1
         02:00:10 T1 resolve #1          => #1 critical resolved e1
         02:00:20 clear HY-1 no_water    =>
         02:00:21 T1 undo #1             => #1 critical verifying e1
         02:00:22 T1 resolve #1          => #1 critical resolved e1
         02:00:30 unverified HY-1        => #1 warning open e2; p1 #1 T1
         02:00:31 T1 resolve #1          => #1 warning resolved e2
         02:01:01 -                      => #1 warning verifying e2
         02:01:02 T1 false_alarm #1      => #1 warning resolved e2
         02:01:03 verified HY-1          =>
         02:01:04 T1 undo #1             => #1 warning closed e2 repaired
         03:00:00 raise HY-2 no_water    => #2 critical open e1; p1 #2 T1
         03:00:10 T1 resolve #2          => #2 critical resolved e1
         03:00:20 clear HY-2 no_water    =>
         03:00:40 -                      => #2 critical verifying e1",
    );
}

#[test]
fn a_new_detector_opens_what_somebody_just_ended() {
    taken_back(
        "02:00:00 raise SD-1 smoke      => #1 fire open e1; p1 #1 T1
         02:00:10 T1 false_alarm #1 Li  => #1 fire resolved e1
         02:00:15 raise SD-2 smoke      => #1 fire open e2; p1 #1 T1
         02:00:16 T1 undo #1 Li         => refused: open
         02:00:40 -                     =>",
    );
}

#[test]
fn an_end_is_said_of_what_was_shown_and_everything_else_is_done() {
    taken_back(
        "02:00:00 raise SD-1 smoke         => #1 fire open e1; p1 #1 T1
         02:00:01 look #1 alone            =>
         02:00:05 raise SD-2 smoke         => #1 fire open e2; p1 #1 T1
         02:00:06 T1 false_alarm@alone #1  => refused: changed
         02:00:06 T1 resolve@alone #1      => refused: changed
         02:00:07 T1 acknowledge@alone #1  => #1 fire acknowledged e2
         02:00:08 T1 dispatch@alone #1     =>
         02:00:08 T1 arrive@alone #1       =>
         02:00:09 look #1 two              =>
         02:00:10 clear SD-2 smoke         =>
         02:00:11 T1 resolve@two #1        => refused: changed
         02:00:12 look #1 one              =>
         02:00:13 trust HY-1 no_water 2    =>
         02:00:13 value SD-1 smoke_db_m 9  =>
         02:00:13 T1 comment #1 Li         =>
         02:00:14 T1 resolve@one #1        => #1 fire resolved e2",
    );
}

/// One thing that happens to the only fire, or its only hydrant.
fn happens() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "T1 resolve #1",
        "T1 false_alarm #1",
        "T1 undo #1",
        "T1 reopen #1",
        "T1 acknowledge #1",
        "raise SD-4 smoke",
        "clear SD-4 smoke",
        "raise HY-1 no_water",
        "clear HY-1 no_water",
        "T1 resolve #2",
        "T1 undo #2",
        "T1 false_alarm #2",
        "verified HY-1",
        "unverified HY-1",
        "-",
    ])
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever happens, and whether the gateway restarts: nothing that a person ended closes within
    /// the window, and a word that was taken back leaves the incident where it stood.
    #[test]
    fn nothing_closes_within_the_window_and_undo_gives_back_what_was(
        events in prop::collection::vec((happens(), 0_i64..20_000), 1..40)
    ) {
        let mut drill = Drill::restarting(Plan::default());
        let mut now = DAY;
        let mut stood = [None; 2];
        drill.happens(&["raise", "SD-4", "smoke"], now);
        drill.happens(&["raise", "HY-1", "no_water"], now);
        for (event, pause) in events {
            now += 1 + pause;
            while let Some(wake) = drill.book.next_wake().filter(|wake| *wake < now) {
                drill.happens(&["-"], wake);
            }
            let before: Vec<_> = (1..=2).map(|n| {
                let incident = drill.incident(n);
                (incident.state, incident.undo_until(), incident.episode)
            }).collect();
            let words: Vec<&str> = event.split(' ').collect();
            drill.happens(&words, now);
            for (n, (state, until, episode)) in (1..).zip(before) {
                let incident = drill.incident(n);
                let of_it = event.ends_with(&format!("#{n}"));
                let taken_back = of_it && event.contains("undo") && until.is_some();
                if let Some(until) = until.filter(|until| now < *until && !taken_back) {
                    prop_assert!(incident.state != State::Closed, "{event} at {now}, until {until}");
                }
                if of_it && (event.contains("resolve") || event.contains("false")) && until.is_none()
                    && incident.undo_until().is_some() {
                    stood[n - 1] = Some((state, episode));
                    prop_assert_eq!(incident.state, State::Resolved);
                }
                if taken_back && until.is_some_and(|until| now < until) {
                    let (state, episode) = stood[n - 1].expect("it was said");
                    let ended = matches!(incident.state, State::Verifying | State::Closed);
                    prop_assert!(incident.state == state || n == 2 && ended, "{event}: {incident:?}");
                    prop_assert_eq!(incident.episode, episode);
                }
            }
        }
    }
}
