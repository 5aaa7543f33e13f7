//! Prints how long a battery lasts: `cargo run -p standpipe-firmware --example battery -- 900 5`
//! (seconds between readings, seconds between samples).

#[path = "../tests/rig/mod.rs"]
mod rig;

use rig::{Rig, World};
use standpipe_firmware::Heard;
use standpipe_firmware::power::{Battery, Budget, Costs, no_water_within_s};
use standpipe_shared::{Kind, Settings};

const DAY_S: u64 = 86_400;

fn main() {
    let mut asked = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let (interval_s, sample_s) = (asked.next().unwrap_or(900), asked.next().unwrap_or(5));
    println!("a reading every {interval_s} s, a sample every {sample_s} s, one D cell of 19 Ah");
    println!("µA: asleep, awake, sensors, radio, fading = all");
    for (name, kind, costs) in [
        ("hydrant, Modbus", Kind::Hydrant, Costs::HYDRANT),
        ("hydrant, 4-20 mA", Kind::Hydrant, Costs::HYDRANT_LOOP),
        ("smoke detector", Kind::Smoke, Costs::SMOKE),
    ] {
        let mut rig = Rig::new(kind);
        let settings = Settings { rev: 1, interval_s, sample_s, ..*rig.node.settings() };
        let answers = rig.hear(Heard::Settings(settings)).answers;
        if let Some(refused) = answers.iter().find(|answer| !answer.ok) {
            println!("refused: {}", refused.detail.words());
            return;
        }
        let calm = if kind == Kind::Smoke { World::smoke(0.0) } else { World::calm() };
        rig.live(DAY_S, &calm);
        let budget = Budget::new(&rig.meter, DAY_S as f32, &costs, &Battery::D_CELL);
        println!(
            "{name:18} {:6.1} {:6.1} {:8.1} {:6.1} {:6.1} = {:8.1} µA: {:.1} years, \
             asleep {:.2} % of the time",
            budget.sleep_ua,
            budget.awake_ua,
            budget.sensors_ua,
            budget.radio_ua,
            budget.fades_ua,
            budget.all_ua(),
            budget.years,
            budget.sleeps_pct
        );
    }
    println!("an empty pipe is shouted within {} s", no_water_within_s(sample_s));
}
