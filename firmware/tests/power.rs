//! The arithmetic of a battery, on what a node really does in a day.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use rig::{Rig, World};
use standpipe_firmware::power::{
    Battery, Budget, Costs, DRAWS, Fitted, Meter, PULSE_FARADS, WARM_UP_MS, no_water_within_s,
};
use standpipe_firmware::{Fault, Heard, settings};
use standpipe_shared::{Condition, Kind, Settings};

const DAY_S: u64 = 86_400;

/// A calm day at these settings, after a first quarter of an hour.
fn day(kind: Kind, interval_s: u32, sample_s: u32, world: &World) -> Meter {
    let mut rig = Rig::new(kind);
    let settings = Settings { rev: 1, interval_s, sample_s, ..*rig.node.settings() };
    assert!(rig.hear(Heard::Settings(settings)).status);
    rig.live(900, world);
    let mut meter = Meter::default();
    core::mem::swap(&mut meter, &mut rig.meter);
    rig.live(900 + DAY_S, world);
    rig.meter
}

fn budget(meter: &Meter, costs: &Costs) -> Budget {
    Budget::new(meter, DAY_S as f32, costs, &Battery::D_CELL)
}

#[test]
fn at_its_defaults_a_hydrant_node_lasts_eight_years_and_sleeps_more_than_99_percent() {
    let Settings { interval_s, sample_s, .. } = settings::battery();
    let meter = day(Kind::Hydrant, interval_s, sample_s, &World::calm());
    assert_eq!(meter.sessions, 96);
    assert!((1_440..=1_445).contains(&meter.pressure), "{meter:?}");
    let lasts = budget(&meter, &Costs::HYDRANT);
    assert!(lasts.sleeps_pct > 99.0 && lasts.years >= 8.0, "{lasts:?}");
    let detector = day(Kind::Smoke, 900, 5, &World::smoke(0.0));
    let lasts = budget(&detector, &Costs::SMOKE);
    assert!(lasts.sleeps_pct > 99.0 && lasts.years >= 8.0, "{lasts:?}");
}

/// The transmitter is paid for as long as the board lets it warm up, and a frame more.
#[test]
fn a_sample_costs_its_whole_warm_up() {
    let ma = 5.0;
    assert!(Costs::HYDRANT.pressure_mas > f32::from(WARM_UP_MS) / 1_000.0 * ma);
    // A call lingers, too: 5 s and 2 s.
    const { assert!(Costs::HYDRANT.session_mas >= 22.0 * 7.0) };
}

/// Every pin that the deployed board takes stands in the table that the budget counts, and each once.
#[test]
fn every_pin_of_the_deployed_board_is_counted() {
    let board = concat!(env!("CARGO_MANIFEST_DIR"), "/board-stm32l476/src/main.rs");
    let board = std::fs::read_to_string(board).unwrap();
    let mut taken: Vec<&str> = board
        .split("p.P")
        .skip(1)
        .map(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next().unwrap())
        .collect();
    taken.sort_unstable();
    let counted = DRAWS.iter().flat_map(|draw| draw.what.split(' '));
    let mut counted: Vec<&str> = counted.filter_map(|what| what.strip_prefix('P')).collect();
    counted.retain(|pin| !["C14", "C15"].contains(pin)); // the crystal's: no program takes them
    counted.sort_unstable();
    assert!(taken.len() > 12, "{taken:?}");
    assert_eq!(taken, counted);
}

#[test]
fn what_sleeps_is_the_sum_of_its_parts() {
    let sum = |not: Fitted| -> f32 {
        DRAWS.iter().filter(|draw| draw.fitted != not).map(|draw| draw.ua).sum()
    };
    assert!((Costs::HYDRANT.sleep_ua - sum(Fitted::Smoke)).abs() < 0.01);
    assert!((Costs::SMOKE.sleep_ua - sum(Fitted::Hydrant)).abs() < 0.01);
    // A closed contact on a pull-up inside the chip was 90 µA, and nobody had counted it.
    let contacts = DRAWS.iter().filter(|draw| draw.asleep.contains("contact"));
    assert!(contacts.map(|draw| draw.ua).sum::<f32>() < 6.0);
    assert!((1.0..1.1).contains(&PULSE_FARADS), "{PULSE_FARADS}");
}

/// A 4–20 mA transmitter is not for a battery at 5 s; rarely sampled it is, and says its price.
#[test]
fn rare_samples_save_a_battery_and_cost_seconds_of_detection() {
    let years = |costs: &Costs, sample_s| {
        budget(&day(Kind::Hydrant, 900, sample_s, &World::calm()), costs).years
    };
    assert!(years(&Costs::HYDRANT_LOOP, 5) < 1.0);
    assert!(years(&Costs::HYDRANT_LOOP, 300) > 7.0);
    assert!(years(&Costs::HYDRANT, 60) > 8.0 && years(&Costs::HYDRANT, 30) > 7.0);
    assert!(years(&Costs::HYDRANT, 5) < 3.0, "at 5 s the warm-up of the transmitter takes most");
    assert_eq!([1, 5, 60, 300].map(no_water_within_s), [33, 45, 155, 635]);
}

/// What is said of seconds of detection is what the node does, at every moment of its sampling.
#[test]
fn detection_takes_no_longer_than_is_said() {
    for sample_s in [1, 2, 5, 13, 60, 300] {
        let mut worst = 0;
        for phase in 0..u64::from(sample_s).min(60) {
            let mut rig = Rig::new(Kind::Hydrant);
            let settings = Settings { rev: 1, sample_s, ..*rig.node.settings() };
            assert!(rig.hear(Heard::Settings(settings)).status);
            rig.live(2_000 + phase, &World::calm());
            rig.live(4_000, &World::kpa(0.0));
            let raised = rig.shouted().into_iter().find(|shout| shout.1 == Condition::NoWater);
            worst = worst.max(raised.unwrap().0 - 2_000 - phase);
        }
        let said = u64::from(no_water_within_s(sample_s));
        assert!(worst <= said, "every {sample_s} s: {worst} s, and {said} s are said");
        assert!(said <= worst + u64::from(sample_s) + 30, "{sample_s}: {said} is far from {worst}");
    }
}

/// A node whose sensor is broken must not hurry for ever.
#[test]
fn a_dead_sensor_does_not_empty_the_battery() {
    let dead = World { kpa: Err(Fault::Silent), ..World::calm() };
    let lasts = budget(&day(Kind::Hydrant, 900, 60, &dead), &Costs::HYDRANT);
    assert!(lasts.years >= 8.0, "{lasts:?}");
}
