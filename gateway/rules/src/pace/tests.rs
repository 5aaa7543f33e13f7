//! Storms, told at the pace of whoever hears of them.

mod limits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use ulid::Ulid;

use super::{Dispatch, Due, Pace, Pacer, QUIET_MS, Sendings};
use crate::Ms;
use crate::changes::Urgency;

const ROBOT: Pace = Pace { messages: 20, within_ms: 60_000, singly: 16, members: usize::MAX };
const TEXT: Pace = Pace { messages: 1, within_ms: 1_000, singly: 16, members: usize::MAX };
const WEBHOOK: Pace = Pace { messages: 200, within_ms: 1_000, singly: 64, members: 1_000 };

fn due(n: u64, station: u64, urgency: Urgency) -> Due {
    let page_id = Ulid::from_parts(n, 0);
    Due { page_id, station: format!("T{station:02}").into(), urgency, number: n }
}

fn fires(numbers: std::ops::Range<u64>, stations: u64) -> Vec<Due> {
    numbers.map(|n| due(n, n % stations, Urgency::NewFire)).collect()
}

/// `1 2 [3 4]`: pages by number, bundles in brackets.
fn shown(sendings: &Sendings) -> String {
    let number = |page: &Ulid| page.timestamp_ms().to_string();
    let one = |message: &Dispatch| match message {
        Dispatch::Single(page) => number(page),
        Dispatch::Bundle(pages) => {
            let all = pages.iter().map(number).collect::<Vec<_>>();
            if all.len() > 4 {
                format!("[{} pages]", all.len())
            } else {
                format!("[{}]", all.join(" "))
            }
        }
    };
    sendings.now.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// What is owed after it.
fn without(mut owed: Vec<Due>, sendings: &Sendings) -> Vec<Due> {
    let sent: BTreeSet<Ulid> = sendings.now.iter().flat_map(pages).collect();
    owed.retain(|page| !sent.contains(&page.page_id));
    owed
}

fn pages(message: &Dispatch) -> Vec<Ulid> {
    match message {
        Dispatch::Single(page) => vec![*page],
        Dispatch::Bundle(pages) => pages.clone(),
    }
}

#[test]
fn what_the_pace_carries_is_sent_one_by_one_the_most_urgent_first() {
    let mut pacer = Pacer::new(ROBOT);
    let owed = vec![
        due(1, 1, Urgency::Warning),
        due(2, 1, Urgency::Fire),
        due(3, 2, Urgency::NewFire),
        due(4, 1, Urgency::Critical),
    ];
    assert_eq!(shown(&pacer.send(owed, 0)), "3 2 4 1");
    assert_eq!(pacer.send(Vec::new(), 1), Sendings::default());
}

#[test]
fn what_is_beyond_it_is_bundled_for_each_station_where_the_pace_allows() {
    let mut pacer = Pacer::new(WEBHOOK);
    let owed = fires(1..101, 3);
    let first = pacer.send(owed, 0);
    assert_eq!(shown(&first), "1 2 3 [33 pages] [32 pages] [32 pages]");
    assert_eq!(first.again_at, None);
    // What comes meanwhile waits for the next round, but the first fire of another station.
    let mut owed = fires(1_000..1_100, 3);
    owed.push(due(2_000, 7, Urgency::NewFire));
    let second = pacer.send(owed.clone(), 20);
    assert_eq!((shown(&second), second.again_at), ("2000".to_owned(), Some(250)));
    let third = pacer.send(without(owed, &second), 250);
    assert_eq!(shown(&third), "[34 pages] [33 pages] [33 pages]");
}

#[test]
fn a_bundle_for_a_program_has_no_more_members_than_it_lists() {
    let mut pacer = Pacer::new(WEBHOOK);
    let sent = pacer.send(fires(0..2_501, 1), 0);
    assert_eq!(shown(&sent), "0 [1000 pages] [1000 pages] [500 pages]");
}

#[test]
fn a_robot_is_told_of_all_stations_at_once_and_evenly_over_its_minute() {
    let mut pacer = Pacer::new(ROBOT);
    assert_eq!(shown(&pacer.send(fires(0..3, 23), 0)), "0 1 2");
    // 20 stations have their first fires at once, and 17 messages are left.
    let all = pacer.send(fires(3..2_003, 23), 100);
    assert_eq!(shown(&all), "[2000 pages]");
    let mut said = Vec::new();
    let mut now = 200;
    let mut owed = fires(10_000..18_000, 23);
    while now < 60_000 {
        let sent = pacer.send(owed.clone(), now);
        owed = without(owed, &sent);
        if !sent.now.is_empty() {
            said.push((now, shown(&sent)));
            owed.extend(fires(
                20_000 + 10 * u64::try_from(now).unwrap()
                    ..20_010 + 10 * u64::try_from(now).unwrap(),
                23,
            ));
        }
        now = sent.again_at.unwrap_or(now + 100).max(now + 1);
    }
    let silences: Vec<Ms> = said.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(silences.iter().all(|ms| (3_000..=5_000).contains(ms)), "{said:?}");
    assert!(said.len() >= 13 && said[0].1 == "[8000 pages]", "{said:?}");
    // Two of the 20 are left to stations that have their first fire.
    assert_eq!(pacer.free(59_999), 2);
    let other = due(90_000, 40, Urgency::NewFire);
    assert_eq!(shown(&pacer.send(vec![other], 59_999)), "90000");
}

#[test]
fn a_storm_that_pauses_is_one_storm_and_its_stations_have_no_first_fires_again() {
    let mut pacer = Pacer::new(ROBOT);
    assert_eq!(shown(&pacer.send(fires(0..1_000, 23), 0)), "[1000 pages]");
    assert_eq!(pacer.send(Vec::new(), 1_000), Sendings::default());
    assert_eq!(shown(&pacer.send(fires(1_000..2_000, 23), 1_500)), "", "its time has not come");
    let other = due(5_000, 40, Urgency::NewFire);
    assert_eq!(shown(&pacer.send(vec![other], 1_600)), "5000", "another station's has");
    assert_eq!(shown(&pacer.send(fires(2_000..2_002, 23), QUIET_MS)), "2000 2001");
}

#[test]
fn a_first_fire_finds_a_message_when_single_pages_took_the_most() {
    let mut pacer = Pacer::new(ROBOT);
    let mut singles = 0;
    for n in 0..40 {
        // One every tenth of a second, of one station, which are fires that were told before.
        let sent = pacer.send(
            vec![due(n, 1, Urgency::Fire), due(100 + n, 1, Urgency::Warning)],
            100 * i64::try_from(n).unwrap(),
        );
        singles += sent.now.len();
        if pacer.free(0) <= 5 {
            break;
        }
    }
    assert!(singles >= 14, "{singles}");
    assert_eq!(shown(&pacer.send(vec![due(500, 2, Urgency::NewFire)], 4_000)), "500");
}

#[test]
fn text_messages_are_one_a_second() {
    let mut pacer = Pacer::new(TEXT);
    let owed = fires(0..3, 1);
    let first = pacer.send(owed.clone(), 0);
    assert_eq!((shown(&first), first.again_at), ("0".to_owned(), Some(1_000)));
    let owed = without(owed, &first);
    assert_eq!(shown(&pacer.send(owed.clone(), 999)), "");
    assert_eq!(shown(&pacer.send(owed, 1_000)), "1", "what it carries within a few seconds");
    let mut pacer = Pacer::new(TEXT);
    assert_eq!(shown(&pacer.send(fires(0..3, 3), 0)), "[0 1 2]", "each is a first one");
}

#[test]
fn others_leave_some_messages_to_fires() {
    let mut pacer = Pacer::new(ROBOT);
    let warnings: Vec<_> = (0..10).map(|n| due(n, 1, Urgency::Warning)).collect();
    assert_eq!(pacer.send(warnings, 0).now.len(), 10);
    // Half of what it takes: more of it is told together, and not at once.
    let warnings: Vec<_> = (10..15).map(|n| due(n, 1, Urgency::Warning)).collect();
    assert_eq!(shown(&pacer.send(warnings, 0)), "[5 pages]");
    let late = vec![due(20, 1, Urgency::Warning), due(21, 1, Urgency::Fire)];
    let late = pacer.send(late, 10);
    assert_eq!((shown(&late), late.again_at), ("21".to_owned(), Some(10_008)));
}

/// What becomes owed, and when.
#[derive(Clone, Debug)]
struct Storm {
    pace: Pace,
    /// ms after the one before, station, urgency.
    owed: Vec<(Ms, u64, Urgency)>,
}

fn urgency() -> impl Strategy<Value = Urgency> {
    prop_oneof![
        4 => proptest::strategy::Just(Urgency::NewFire),
        2 => proptest::strategy::Just(Urgency::Fire),
        1 => proptest::strategy::Just(Urgency::Critical),
        1 => proptest::strategy::Just(Urgency::Warning),
    ]
}

fn storm() -> impl Strategy<Value = Storm> {
    let pace = prop_oneof![
        proptest::strategy::Just(ROBOT),
        proptest::strategy::Just(TEXT),
        proptest::strategy::Just(WEBHOOK),
        (1_usize..40, 1_i64..60_000, 1_usize..20, 1_usize..40).prop_map(
            |(messages, within_ms, singly, members)| Pace { messages, within_ms, singly, members }
        ),
    ];
    let one = (prop_oneof![3 => 0_i64..3, 1 => 0_i64..5_000], 0_u64..12, urgency());
    (pace, prop::collection::vec(one, 1..400)).prop_map(|(pace, owed)| Storm { pace, owed })
}

/// Plays a storm: what is sent when, and how much was free and owed then.
struct Played {
    sent: Vec<(Ms, Dispatch)>,
    owed_at: BTreeMap<Ulid, Ms>,
    over_at: Ms,
}

fn play(storm: &Storm) -> Result<Played, proptest::test_runner::TestCaseError> {
    let mut pacer = Pacer::new(storm.pace);
    let (mut sent, mut owed_at) = (Vec::new(), BTreeMap::new());
    let mut to_come = storm.owed.iter().scan(0, |at, (after, station, urgency)| {
        *at += after;
        Some((*at, *station, *urgency))
    });
    let mut next = to_come.next();
    let (mut owed, mut again, mut number) = (Vec::<Due>::new(), None::<Ms>, 0);
    loop {
        let now = match (next, again) {
            (Some((at, ..)), Some(again)) => at.min(again),
            (Some((at, ..)), None) => at,
            (None, Some(again)) => again,
            (None, None) => break,
        };
        while let Some((at, station, urgency)) = next.filter(|(at, ..)| *at <= now) {
            number += 1;
            owed.push(due(number, station, urgency));
            owed_at.insert(Ulid::from_parts(number, 0), at);
            next = to_come.next();
        }
        let free = pacer.free(now);
        let mut told = pacer.told.clone();
        told.retain(|_, at| now - *at < QUIET_MS);
        let sendings = pacer.send(owed.clone(), now);
        check(&owed, storm.pace, (free, &told), &sendings)?;
        owed = without(owed, &sendings);
        again = sendings.again_at;
        prop_assert!(again.is_some() || owed.is_empty(), "owed, and nobody looks again");
        prop_assert!(again.is_none_or(|at| at > now));
        sent.extend(sendings.now.into_iter().map(|message| (now, message)));
        if next.is_none() && owed.is_empty() {
            return Ok(Played { sent, owed_at, over_at: now });
        }
    }
    Ok(Played { sent, owed_at, over_at: Ms::MAX })
}

/// What holds of each answer.
fn check(
    owed: &[Due],
    pace: Pace,
    (free, told): (usize, &BTreeMap<Arc<str>, Ms>),
    sendings: &Sendings,
) -> Result<(), proptest::test_runner::TestCaseError> {
    let of = |id: &Ulid| owed.iter().find(|page| page.page_id == *id).unwrap();
    let sent: BTreeSet<Ulid> = sendings.now.iter().flat_map(pages).collect();
    // The first fire of a station that nobody was told of goes at once, and waits in no other's bundle.
    let mut firsts: BTreeMap<&str, &Due> = BTreeMap::new();
    for page in owed.iter().filter(|page| page.urgency == Urgency::NewFire) {
        if !told.contains_key(&page.station) {
            firsts.entry(&page.station).or_insert(page);
        }
    }
    if firsts.len() <= free.saturating_mul(pace.members) {
        for first in firsts.values() {
            prop_assert!(sent.contains(&first.page_id), "{first:?} is not sent: {sendings:?}");
        }
    }
    for message in &sendings.now {
        let members: Vec<&Due> = pages(message).iter().map(of).collect();
        let first = members.iter().any(|page| firsts.values().any(|first| first == page));
        let stations: BTreeSet<&str> = members.iter().map(|page| &*page.station).collect();
        let everything = members.len() == owed.len() || owed.len() > pace.members;
        prop_assert!(members.len() <= pace.members, "{} members", members.len());
        prop_assert!(!first || everything || stations.len() == 1, "{sendings:?}");
        prop_assert!(members.is_sorted_by_key(|page| (page.urgency, page.number)));
    }
    // Nothing overtakes a fire, but in a message in which the fire is, too.
    let lesser = sent.iter().map(of).any(|page| page.urgency > Urgency::Fire);
    let fire_left =
        owed.iter().any(|page| page.urgency <= Urgency::Fire && !sent.contains(&page.page_id));
    prop_assert!(!lesser || !fire_left, "a fire is left behind: {sendings:?}");
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases::cases(1_000))]

    #[test]
    fn whatever_comes_is_told_once_within_the_pace_and_nothing_is_owed_for_ever(storm in storm()) {
        let played = play(&storm)?;
        let mut seen = BTreeSet::new();
        for page in played.sent.iter().flat_map(|(_, message)| pages(message)) {
            prop_assert!(seen.insert(page), "{page} was sent twice");
        }
        prop_assert_eq!(seen.len(), storm.owed.len());
        let last = played.owed_at.values().max().copied().unwrap_or_default();
        let messages = storm.owed.len().div_ceil(storm.pace.members);
        let spans = 4 + 2 * Ms::try_from(messages / storm.pace.messages).unwrap();
        let most = spans * storm.pace.within_ms.max(10_000);
        prop_assert!(played.over_at <= last + most, "{}", played.over_at - last);
        let at: Vec<Ms> = played.sent.iter().map(|(at, _)| *at).collect();
        for (n, first) in at.iter().enumerate() {
            let within = at[n..].iter().filter(|other| **other < first + storm.pace.within_ms).count();
            prop_assert!(within <= storm.pace.messages, "{within} messages from {first}");
        }
    }

    #[test]
    fn how_many_it_carries_is_never_nothing(pace in storm().prop_map(|storm| storm.pace), now in any::<u32>()) {
        let carried = Pacer::new(pace).carries(now.into());
        prop_assert!(carried >= 1 && carried <= pace.singly.max(1));
    }
}

#[test]
fn what_is_left_of_a_robots_minute_is_spread_over_it() {
    let mut pacer = Pacer::new(ROBOT);
    for (numbers, urgency) in [(0..10, Urgency::Warning), (10..12, Urgency::Fire)] {
        let (most, owed) = (numbers.clone().count(), numbers.map(|n| due(n, 1, urgency)));
        assert_eq!(pacer.send(owed.collect(), 0).now.len(), most);
    }
    assert_eq!(pacer.free(0), 8);
    let (mut owed, mut said, mut number) = (Vec::new(), Vec::new(), 100);
    for now in (1_000..60_000).step_by(100) {
        owed.extend(fires(number..number + 10, 1));
        number += 10;
        let sent = pacer.send(owed.clone(), now);
        owed = without(owed, &sent);
        if !sent.now.is_empty() {
            said.push(now);
        }
    }
    let silences: Vec<Ms> = said.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(silences.iter().all(|ms| *ms <= 12_000), "{said:?}");
    assert!(said.last().is_some_and(|last| *last > 45_000), "{said:?}");
}

#[test]
fn what_does_not_fit_into_the_bundles_that_are_left_waits_for_the_next() {
    let mut pacer = Pacer::new(WEBHOOK);
    pacer.was_sent(vec![500; 172], 100_000);
    let owed = fires(0..2_241, 1);
    let sendings = pacer.send(owed.clone(), 100_000);
    assert_eq!(shown(&sendings), "0 [1000 pages] [1000 pages]");
    assert_eq!(sendings.again_at, Some(100_500));
    let owed = without(owed, &sendings);
    assert_eq!(shown(&pacer.send(owed, 100_500)), "[240 pages]");

    // More stations than messages: the first fire of each is in the first bundles.
    let mut pacer = Pacer::new(WEBHOOK);
    pacer.was_sent(vec![500; 199], 100_000);
    let mut owed = fires(0..1_200, 1);
    owed.extend((1_200..1_240).map(|n| due(n, n, Urgency::NewFire)));
    let sendings = pacer.send(owed.clone(), 100_000);
    assert_eq!(shown(&sendings), "[1000 pages]");
    let left = without(owed, &sendings);
    assert!(left.iter().all(|page| page.number < 1_200), "{:?}", left.last());
    assert_eq!((left.len(), sendings.again_at), (240, Some(100_500)));
}

#[test]
fn what_was_sent_before_a_restart_takes_its_place_in_the_pace() {
    let mut pacer = Pacer::new(ROBOT);
    pacer.was_sent((0..20).map(|n| n * 2_000), 100_000);
    let sendings = pacer.send(fires(0..3, 3), 100_000);
    assert_eq!(
        (&*shown(&sendings), sendings.again_at),
        ("", Some(122_000)),
        "the oldest was at 62 s"
    );
    assert_eq!(shown(&pacer.send(fires(0..1, 1), 122_000)), "0");

    // A clock that was set back between: what lies ahead keeps no fire waiting.
    let mut pacer = Pacer::new(ROBOT);
    pacer.was_sent((0..20).map(|n| -3_600_000 + n), 100_000);
    assert_eq!(shown(&pacer.send(fires(0..3, 3), 100_000)), "0 1 2");
}

/// A robot that was told of a fire at each station, a storm of upkeep, and a second fire now and then.
#[test]
fn a_second_fire_of_a_station_does_not_wait_for_upkeep() {
    let mut pacer = Pacer::new(ROBOT);
    let mut owed = fires(1..9, 8);
    for page in &mut owed {
        pacer.send(vec![page.clone()], 0);
    }
    let (mut owed, mut waited, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for at in (62_000..122_000).step_by(100) {
        if at < 82_000 {
            owed.extend((0..15).map(|n| due((at as u64) * 100 + n, n % 8, Urgency::Warning)));
        }
        if at >= 63_000 && (at - 63_000) % 6_000 == 0 && at <= 105_000 {
            owed.push(due(at as u64, (at as u64 / 6_000) % 8, Urgency::NewFire));
        }
        let sendings = pacer.send(owed.clone(), at);
        sent.extend(sendings.now.iter().map(|_| at));
        for page in sendings.now.iter().flat_map(pages) {
            let fire = owed.iter().find(|due| due.page_id == page);
            if let Some(fire) = fire.filter(|due| due.urgency == Urgency::NewFire) {
                waited.push(at - fire.number as Ms);
            }
        }
        owed = without(owed, &sendings);
    }
    assert_eq!(waited.len(), 8, "{waited:?}");
    assert!(*waited.iter().max().unwrap() <= 6_000, "{waited:?} {sent:?}");
}
