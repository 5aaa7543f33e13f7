//! What is owed: which page comes first, which stands for another, and how much is done at a time.

use super::drill::{DAY, Drill, drill};
use crate::changes::{Page, Receiver, Urgency};
use crate::incidents::Plan;

#[test]
fn a_newer_page_stands_for_what_was_not_sent_yet() {
    let drill = drill(
        "02:00:00 raise SD-1 smoke   => #1 fire open e1; p1 #1 T1
         02:01:00 -                  => p2 #1 T2 T3
         02:01:01 delivered 2        =>
         02:03:00 -                  => p3 #1 D
         02:05:00 raise SD-2 smoke   => #1 fire open e2; p1 #1 T1
         02:05:01 delivered 1        =>
         02:05:02 delivered 5        =>",
    );
    let trail = drill.trail_of(1);
    let of_t1: Vec<_> = trail.iter().filter(|line| line.contains("station T1")).collect();
    assert_eq!(
        of_t1,
        [
            "02:00:00 paged gateway: step 1: station T1",
            "02:05:00 superseded station T1: step 1: station T1",
            "02:05:00 paged gateway: step 1: station T1",
            "02:05:02 delivered station T1: step 1: station T1",
        ],
        "the older one is neither owed nor lost"
    );
    let mut owed: Vec<_> = drill.book.owed.values().map(|page| page.receiver.clone()).collect();
    owed.sort();
    assert_eq!(owed, ["D", "T3"].map(|id| Receiver::Station(id.into())));
}

#[test]
fn a_page_that_is_taken_back_gives_back_what_it_stood_for() {
    let drill = drill(
        "02:00:00 raise HY-1 low_pressure => #1 warning open e1; p1 #1 T1
         02:00:10 T1 acknowledge #1       => #1 warning acknowledged e1
         02:01:00 raise HY-1 no_water + raise HY-2 no_water + raise zone:Z1 zone_low_pressure members=HY-1,HY-2 => #1 critical open e2 in #3; #2 critical open e1 in #3; #3 critical open e1; p1 #3 T1",
    );
    let first = drill.pages[0].page_id;
    assert!(drill.book.owed.contains_key(&first), "nothing newer is owed in its place");
    assert!(!drill.trail_of(1).iter().any(|line| line.contains("superseded")));
}

#[test]
fn a_fire_that_nobody_was_told_of_comes_first() {
    use Urgency::{Critical, Fire, NewFire};
    let drill = drill(
        "02:00:00 raise HY-6 no_water => #1 critical open e1; p1 #1 T2
         02:00:01 raise SD-1 smoke   => #2 fire open e1; p1 #2 T1
         02:00:30 raise SD-2 smoke   => #2 fire open e2; p1 #2 T1
         02:01:00 -                  => p2 #1 T1 T3",
    );
    let urgency: Vec<_> = drill.pages.iter().map(|page| page.urgency).collect();
    assert_eq!(urgency, [Critical, NewFire, Fire, Critical, Critical]);
    assert!(Urgency::ALL.is_sorted(), "the most urgent first");
    assert!(Urgency::ALL.iter().map(|urgency| urgency.place()).eq(0..5));
}

#[test]
fn what_falls_due_at_once_is_done_in_slices_and_a_new_alarm_comes_in_between() {
    let mut drill = Drill::new(Plan::default());
    let ix = drill.registry.find("SD-4").expect("a detector");
    let model = drill.registry.device(ix).expect("a detector").clone();
    for n in 0..200 {
        let id = format!("N-{n}");
        let (id, building) = (id.as_str(), "".into());
        drill.registry.put_device(crate::registry::Device {
            id: id.into(),
            building,
            ..model.clone()
        });
        drill.quietly(&["raise", id, "smoke"], DAY);
    }
    let due = DAY + 60_000;
    let (slice, _) = drill.quietly(&["-"], due);
    assert_eq!(slice.incidents.len(), 64, "the rest waits");
    assert_eq!(drill.book.next_wake().map(|at| at <= due), Some(true), "for a moment only");
    let (fire, _) = drill.quietly(&["raise", "SD-4", "smoke"], due);
    assert!(fire.pages.iter().any(|page| page.urgency == Urgency::NewFire));
    assert!(fire.incidents.len() < 64 * 2 + 2, "{}", fire.incidents.len());
    let mut slices = 2;
    while drill.book.next_wake().is_some_and(|at| at <= due) {
        drill.quietly(&["-"], due);
        slices += 1;
    }
    let second = drill.pages.iter().filter(|page| page.step == 2).count();
    assert_eq!((second, slices), (400, 4), "each of them once");
}

#[test]
fn of_several_pages_to_one_receiver_each_leaves_by_itself() {
    let mut drill = drill("02:00:00 raise SD-4 smoke => #1 fire open e1; p1 #1 T1");
    let first = drill.pages[0].clone();
    // A store of before pages superseded each other may have more than one.
    let second = Page { page_id: ulid::Ulid::from_parts(1, 1), ..first.clone() };
    drill.book.owes(second.clone());
    let to = (first.incident, first.receiver.clone());
    assert_eq!(drill.book.owed_to[&to], [first.page_id, second.page_id]);
    assert_eq!(drill.book.owes_no_more(first.page_id), Some(first));
    assert_eq!(drill.book.owed_to[&to], [second.page_id]);
    assert_eq!(drill.book.owes_no_more(second.page_id), Some(second));
    assert!(drill.book.owed_to.is_empty());
}
