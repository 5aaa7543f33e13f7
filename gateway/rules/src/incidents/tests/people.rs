//! What people do, and what is refused.

use standpipe_shared::{Class, Condition, Severity};

use super::drill::{drill, drill_with, time};
use crate::incidents::{IncidentEvent, Plan, State, Steps, step};

#[test]
fn two_officers_at_once() {
    let drill = drill(
        "02:00:00 raise SD-4 smoke       => #1 fire open e1; p1 #1 T1
         02:00:05 T1 acknowledge #1 Li on my way => #1 fire acknowledged e1
         02:00:06 T1 acknowledge #1 Wu   => refused: acknowledged
         02:00:07 T1 resolve #1 Li       => #1 fire resolved e1
         02:00:08 T1 resolve #1 Wu       => refused: resolved
         02:00:08 T1 dispatch #1 Wu      => refused: resolved
         02:00:09 clear SD-4 smoke       => #1 fire closed e1 fire
         02:00:10 T1 comment #1 Wu       => refused: unknown
         02:00:10 T1 comment #9 Wu       => refused: unknown",
    );
    assert_eq!(
        drill.trail_of(1)[4..],
        [
            "02:00:05 acknowledged Li: on my way",
            "02:00:07 resolved Li: ",
            "02:00:09 cleared gateway: smoke",
            "02:00:09 closed gateway: fire",
        ]
    );
    assert_eq!(drill.wire(1).closed_at, Some(time("02:00:09")));
}

#[test]
fn shown_once_a_page_and_station() {
    let drill = drill(
        "02:00:00 raise SD-4 smoke  => #1 fire open e1; p1 #1 T1
         02:00:01 T1 shown #1       =>
         02:00:02 T1 shown #1 Li    =>
         02:00:03 T2 shown #1       => refused: not told
         02:00:03 D shown #1        =>
         02:00:04 api shown #1 Wu   =>
         02:00:05 api shown #1 Wu   =>
         02:01:00 -                 => p2 #1 T2 T3
         02:01:01 T1 shown #1       =>
         02:01:02 T2 shown #1       =>
         02:01:03 T1 acknowledge #1 => #1 fire acknowledged e1",
    );
    let trail = drill.trail_of(1);
    let shown: Vec<_> = trail.iter().filter(|line| line.contains("shown")).collect();
    let expected =
        ["02:00:01 shown T1: ", "02:00:03 shown D: ", "02:00:04 shown Wu: ", "02:01:02 shown T2: "];
    assert_eq!(shown, expected);
    assert_eq!(drill.incident(1).rev, 4, "opened, given its hydrants, escalated, acknowledged");
}

#[test]
fn pages_delivered_and_given_up() {
    let drill = drill(
        "02:00:00 raise SD-4 smoke   => #1 fire open e1; p1 #1 T1
         02:00:01 delivered 1        =>
         02:00:02 delivered 1        =>
         02:01:00 -                  => p2 #1 T2 T3
         02:01:01 gave_up 2 timeout  =>
         02:01:02 T1 resolve #1      => #1 fire resolved e1
         02:01:02 clear SD-4 smoke   => #1 fire closed e1 fire
         02:01:03 delivered 3        =>",
    );
    let trail = drill.trail_of(1);
    assert_eq!(trail[4], "02:00:01 delivered station T1: step 1: station T1");
    assert_eq!(trail[7], "02:01:01 given_up station T2: step 2: station T2: timeout");
    assert_eq!(trail[11], "02:01:03 delivered station T3: step 2: station T3");
    assert_eq!(trail.len(), 12);
}

#[test]
fn work_buys_time() {
    drill(
        "02:00:00 raise SD-4 smoke  => #1 fire open e1; p1 #1 T1
         02:00:10 T1 dispatch #1    => #1 fire acknowledged e1
         05:50:00 T1 comment #1     =>
         06:00:09 -                 =>
         06:20:00 -                 => #1 fire open e2; p1 #1 T1
         06:20:10 T1 acknowledge #1 => #1 fire acknowledged e2
         06:30:10 T1 comment #1     =>
         06:40:00 T1 shown #1       =>
         07:00:10 -                 => #1 fire open e3; p1 #1 T1
         07:00:11 T1 arrive #1      => #1 fire acknowledged e3
         11:00:10.999 -             =>
         11:00:11 -                 => #1 fire open e4; p1 #1 T1
         11:00:20 T1 acknowledge #1 => #1 fire acknowledged e4
         11:30:20 -                 => #1 fire open e5; p1 #1 T1",
    );
}

#[test]
fn who_sends_somebody_has_taken_it() {
    let drill = drill(
        "02:00:00 raise SD-4 smoke          => #1 fire open e1; p1 #1 T1
         02:00:10 T1 dispatch #1 Li engine 1 => #1 fire acknowledged e1
         02:00:20 T1 arrive #1 Wu           =>
         02:01:00 raise SD-4 heat           =>",
    );
    assert_eq!(
        drill.trail_of(1)[4..7],
        ["02:00:10 acknowledged Li: ", "02:00:10 dispatched Li: engine 1", "02:00:20 arrived Wu: ",]
    );
}

#[test]
fn upkeep_that_was_more_than_a_notice_is_closed_by_a_person() {
    let drill = drill(
        "02:00:00 raise SD-4 tamper + clear SD-4 tamper => #1 warning open e1; p1 #1 T1
         02:10:00 raise SD-4 battery_low => #1 notice open e2
         02:11:00 clear SD-4 battery_low =>
         02:20:00 raise SD-4 tamper      => #1 warning open e3; p1 #1 T1
         02:21:00 T1 acknowledge #1      => #1 warning acknowledged e3
         02:22:00 clear SD-4 tamper      =>
         1d02:00:00 -                    =>
         1d02:00:01 T1 resolve #1        => #1 warning closed e3 repaired
         1d03:00:00 raise SD-4 tamper    => #2 warning open e1; p1 #2 T1
         1d03:00:01 clear SD-4 tamper    =>
         1d03:00:02 T1 false_alarm #2    => #2 warning closed e1 false_alarm",
    );
    assert_eq!(drill.wire(1).conditions, [Condition::BatteryLow, Condition::Tamper]);
    assert_eq!(drill.wire(1).title.en, "Tampered with · SD-4 corner");
}

#[test]
fn what_is_over_and_taken_is_not_forgotten() {
    let warning = Steps { forgotten_s: 1_800, ..Steps::default() };
    drill_with(
        &Plan { warning, ..Plan::default() },
        "02:00:00 raise SD-4 tamper       => #1 warning open e1; p1 #1 T1
         02:01:00 T1 acknowledge #1       => #1 warning acknowledged e1
         02:31:00 -                       => #1 warning open e2; p1 #1 T1
         02:32:00 T1 acknowledge #1       => #1 warning acknowledged e2
         02:33:00 clear SD-4 tamper       =>
         03:33:00 raise SD-4 tamper       => #1 warning open e3; p1 #1 T1
         03:34:00 T1 resolve #1           => #1 warning resolved e3
         03:35:00 clear SD-4 tamper       => #1 warning closed e3 repaired
         04:00:00 raise HY-6 low_pressure => #2 warning open e1; p1 #2 T2
         04:01:00 clear HY-6 low_pressure => #2 warning verifying e1
         1d04:10:00 unverified HY-6       => #2 warning open e2; p1 #2 T2
         1d04:11:00 T2 acknowledge #2     => #2 warning acknowledged e2
         1d04:41:00 -                     => #2 warning open e3; p1 #2 T2",
    );
}

#[test]
fn an_upkeep_warning_from_end_to_end() {
    let drill = drill(
        "02:00:00 raise HY-6 knocked     => #1 warning open e1; p1 #1 T2
         02:00:01 raise HY-6 battery_low =>
         02:10:00 T2 acknowledge #1      => #1 warning acknowledged e1
         02:10:01 raise HY-6 tamper      =>
         02:10:02 clear HY-6 tamper      =>
         02:20:00 clear HY-6 knocked     => #1 notice acknowledged e1
         02:30:00 raise HY-6 knocked     => #1 warning open e2; p1 #1 T2
         02:31:00 T2 resolve #1          => #1 warning resolved e2
         02:32:00 raise HY-6 freezing    => #1 warning open e3; p1 #1 T2
         02:33:00 T2 resolve #1          => #1 warning resolved e3
         02:34:00 clear HY-6 knocked     =>
         02:35:00 clear HY-6 freezing    => #1 notice resolved e3
         02:36:00 clear HY-6 battery_low => #1 notice closed e3 repaired",
    );
    assert_eq!(drill.incident(1).class, Class::Upkeep);
    assert_eq!(drill.incident(1).severity, Severity::Notice);
}

#[test]
fn upkeep_that_ends_by_itself_or_was_nothing() {
    drill(
        "02:00:00 raise HY-6 offline  => #1 notice open e1
         02:01:00 clear HY-6 offline  =>
         02:02:00 clear HY-6 offline  => #1 notice closed e1 recovered
         03:00:00 raise HY-6 knocked  => #2 warning open e1; p1 #2 T2
         03:00:01 T2 false_alarm #2   => #2 warning resolved e1
         03:00:02 clear HY-6 knocked  => #2 warning closed e1 false_alarm
         03:00:03 passed HY-6 offline => #3 notice closed e1 recovered
         03:00:04 raise HY-6 offline  => #4 notice open e1
         03:00:05 passed HY-6 tamper  =>
         03:00:06 passed HY-1 low_pressure late=500 => #5 warning closed e1 recovered",
    )
    .assert_trails();
}

impl super::drill::Drill {
    fn assert_trails(&self) {
        assert_eq!(
            self.trail_of(3),
            [
                "03:00:03 measured HY-6: offline",
                "03:00:03 received HY-6: offline",
                "03:00:03 raised HY-6: offline",
                "03:00:03 cleared gateway: offline",
                "03:00:03 closed gateway: recovered",
            ]
        );
        assert_eq!(self.trail_of(4)[3], "03:00:05 measured HY-6: tamper");
        assert_eq!(self.trail_of(4)[6], "03:00:05 cleared gateway: tamper");
        let passed = self.wire(5);
        assert_eq!((passed.late_s, passed.since), (500, time("02:51:46")));
        assert_eq!(passed.outcome.map(|outcome| outcome.as_str()), Some("recovered"));
    }
}

/// The rows that the drills do not reach; the table itself is in `state.rs`.
#[test]
fn closed_is_closed_and_evidence_needs_clear_water() {
    use IncidentEvent::{
        Calmed, Done, Eased, Ended, Finished, Found, Noted, Proven, Reopened, Repaired, Taken,
        Undone, Worked,
    };
    let known = [Found, Taken, Worked, Noted, Done, Repaired, Finished, Eased, Calmed, Ended];
    let events = known.into_iter().chain([Proven, Undone(State::Verifying), Reopened]);
    let rows = [
        (
            State::Open,
            "open acknowledged acknowledged open resolved verifying closed verifying open closed closed - -",
        ),
        (
            State::Acknowledged,
            "open - acknowledged acknowledged resolved verifying closed verifying acknowledged closed closed - open",
        ),
        (
            State::Resolved,
            "open - - resolved - verifying closed verifying closed closed closed verifying open",
        ),
        (
            State::Verifying,
            "open - verifying verifying resolved verifying closed - - closed closed - open",
        ),
        (State::Closed, "- - - - - - - - - - - - -"),
    ];
    for (state, row) in rows {
        for (event, expected) in events.clone().zip(row.split(' ')) {
            let found = step(state, event).map_or("-", State::as_str);
            assert_eq!(found, expected, "{state:?} {event:?}");
        }
    }
    assert_eq!(rows.map(|(state, _)| state), State::ALL);
}
