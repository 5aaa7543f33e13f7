//! Ten thousand open incidents: everything stays about one incident, not about all of them.

use std::fmt::Write;

use super::drill::{DAY, Drill};
use crate::incidents::Plan;

const MANY: usize = 10_000;

#[test]
fn ten_thousand_open() {
    let mut drill = Drill::new(Plan::default());
    let ix = drill.registry.find("HY-6").expect("a hydrant");
    let model = drill.registry.device(ix).expect("a hydrant").clone();
    let mut id = String::new();
    for n in 0..MANY {
        id.clear();
        write!(id, "N-{n}").expect("memory");
        drill
            .registry
            .put_device(crate::registry::Device { id: id.as_str().into(), ..model.clone() });
        let what = if n % 10 == 0 { "no_water" } else { "low_pressure" };
        drill.quietly(&["raise", &id, what], DAY);
    }
    assert_eq!(drill.book.open().count(), MANY);
    assert_eq!(drill.pages.len(), MANY, "each of them pages T2");
    let mut wakes = 0;
    while let Some(wake) = drill.book.next_wake().filter(|wake| *wake < DAY + 3_600_000) {
        drill.quietly(&["-"], wake);
        wakes += 1;
    }
    // 1,000 critical ones: T1 and T3 at step 2, D at step 3; then 4 receivers are reminded
    // every 15 minutes, of all of them at once.
    assert_eq!(drill.pages.len(), MANY + 1_000 * 3 + 4 * 3);
    // Never more than 64 incidents at one time, so that a new alarm is taken in between.
    assert_eq!(wakes, 5 * 1_000_usize.div_ceil(64));
}
