//! Each code, its words, how it is kept, and the lines of before there were codes.

use super::{Said, Times, TrailCode};
use crate::changes::{Hop, Receiver};
use crate::incidents::Outcome;
use standpipe_shared::Condition;

fn page(to: Receiver, (step, repeat): (u8, u32), why: &str) -> TrailCode {
    TrailCode::Page { step, repeat, to, why: why.into() }
}

/// One of each, with the hop and `by` it comes with.
fn all() -> Vec<(Hop, &'static str, TrailCode, &'static str)> {
    let (condition, incident) = (Condition::Tamper, ulid::Ulid::from_parts(1, 2));
    let station = || Receiver::Station("T1".into());
    let desk = || Receiver::Webhook("desk".into());
    vec![
        (Hop::Measured, "H-1", TrailCode::Condition { condition }, "tamper"),
        (
            Hop::Raised,
            "gateway",
            TrailCode::Flapping { condition, times: 17, within_s: 300 },
            "tamper: 17 times in 5 min",
        ),
        (
            Hop::Raised,
            "gateway",
            TrailCode::Fault {
                condition: Condition::RegistryFault,
                detail: "line 3: no id".into(),
            },
            "registry_fault: line 3: no id",
        ),
        (Hop::Paged, "gateway", page(station(), (1, 0), ""), "step 1: station T1"),
        (Hop::Paged, "gateway", page(desk(), (3, 2), ""), "step 3, repeat 2: webhook desk"),
        (Hop::Delivered, "station T1", page(station(), (2, 0), ""), "step 2: station T1"),
        (
            Hop::GivenUp,
            "webhook desk",
            page(desk(), (1, 0), "HTTP 404: gone"),
            "step 1: webhook desk: HTTP 404: gone",
        ),
        (
            Hop::Closed,
            "gateway",
            TrailCode::Outcome { outcome: Outcome::FalseAlarm },
            "false_alarm",
        ),
        (
            Hop::Attached,
            "gateway",
            TrailCode::PartOf { incident },
            "belongs to 00000000010000000000000002",
        ),
        (Hop::Attached, "gateway", TrailCode::StandsAlone, "stands alone"),
        (
            Hop::Commented,
            "li",
            TrailCode::Exercise { note: "autumn: all".into() },
            "exercise: autumn: all",
        ),
        (Hop::Forgotten, "gateway", TrailCode::Forgotten, "nothing was done for too long"),
        (Hop::Reopened, "gateway", TrailCode::Unverified, "unverified"),
        (Hop::Reopened, "gateway", TrailCode::NoLongerMuted, "no longer muted"),
        (Hop::Reopened, "gateway", TrailCode::RaisedAgain, "raised again"),
        (Hop::Reopened, "gateway", TrailCode::TestGoesOn, "the test does not end"),
        (Hop::Reopened, "gateway", TrailCode::OpenAfterFire, "still open after the fire"),
        (Hop::Reopened, "gateway", TrailCode::OutlastsParent, "still true after what stood for it"),
    ]
}

#[test]
fn the_words_are_those_of_before_and_old_lines_get_their_codes() {
    for (hop, by, code, words) in all() {
        assert_eq!(code.words(), words);
        assert_eq!(TrailCode::before(hop, by, words), code, "{words}");
    }
}

#[test]
#[rustfmt::skip] // a table
fn words_that_are_nobodys_are_text() {
    for (hop, by, words) in [
        (Hop::Commented, "li", "no_water"), (Hop::Resolved, "li", "unverified"),
        (Hop::Reopened, "gateway", "a new reason"), (Hop::Raised, "gateway", "nobody: 3 times in 5 min"),
        (Hop::Paged, "gateway", "step 1"), (Hop::Paged, "gateway", "step x: station T1"),
        (Hop::Paged, "gateway", "step 1: T1"), (Hop::Closed, "gateway", "eaten"),
        (Hop::Attached, "gateway", "belongs to nobody"), (Hop::Verifying, "gateway", ""),
    ] {
        assert_eq!(TrailCode::before(hop, by, words), TrailCode::Text, "{words}");
    }
    let odd = TrailCode::before(Hop::Raised, "gateway", "tamper: 3 times in 2 moons");
    assert!(matches!(odd, TrailCode::Fault { .. }), "{odd:?}");
}

#[test]
fn a_code_is_read_as_it_was_written() {
    let said = Said { topic: "s/a".into(), payload: "ON".into(), why: "not_json".into() };
    let flapping = Some(Times { times: 4, within_s: 90 });
    let unreadable = TrailCode::Unreadable { said, flapping };
    assert_eq!(unreadable.words(), "not_json: ON (4 times in 90 s), on s/a");
    for code in all().into_iter().map(|(_, _, code, _)| code).chain([unreadable, TrailCode::Text]) {
        let text = serde_json::to_string(&code).unwrap();
        assert_eq!(serde_json::from_str::<TrailCode>(&text).unwrap(), code, "{text}");
        let (name, parts) = code.columns().unwrap();
        // Whatever its words are, it is what its code says.
        assert_eq!(TrailCode::stored((&name, &parts), "closed", "x", "⟦fire⟧"), code, "{text}");
    }
    let of_tomorrow = ("of_tomorrow", r#"{"a":1}"#);
    assert_eq!(TrailCode::stored(of_tomorrow, "closed", "gateway", "fire"), TrailCode::Text);
    let outcome = Outcome::Fire;
    let before = TrailCode::stored(("", ""), "closed", "gateway", "fire");
    assert_eq!(before, TrailCode::Outcome { outcome });
    let page = page(Receiver::Station("T1".into()), (1, 0), "");
    assert_eq!(
        serde_json::to_string(&page).unwrap(),
        r#"{"code":"page","parts":{"step":1,"repeat":0,"to":{"station":"T1"}}}"#
    );
    assert_eq!(
        serde_json::to_string(&TrailCode::StandsAlone).unwrap(),
        r#"{"code":"stands_alone"}"#
    );
}
