//! Alarms that nobody can read and that the broker may have kept: they are news again when they were
//! taken back.

use super::drill::drill;
use crate::Changes;
use crate::fact::Subject;

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
