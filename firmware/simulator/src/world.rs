//! What a device would feel at one moment: water in the mains, smoke and heat, its battery and
//! its radio. A pure function of seed, layout, happenings and time.
//!
//! What the device makes of it is in `node.rs`.

use standpipe_shared::Kind;

use crate::chance::noise;
use crate::happenings::{Happening, HappeningPlace, TownEvent};
use crate::layout::{DeviceSite, Layout};
use crate::{Ms, TownPlan};

/// What a device feels. Smoke and water fields mean nothing to a device of the other kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Felt {
    /// At the hydrant.
    pub kpa: f32,
    /// Whether the pressure sensor's wire is whole.
    pub wire: bool,
    /// Whether water runs out of it.
    pub flowing: bool,
    pub cap_open: bool,
    /// From vertical, degrees.
    pub tilt_deg: f32,
    pub temp_c: f32,
    pub smoke_db_m: f32,
    pub dirt_pct: f32,
    pub battery_mv: i32,
    pub rssi_dbm: i32,
    pub tampered: bool,
    pub power: bool,
    /// Whether its radio reaches the broker.
    pub radio: bool,
}

/// Seconds in which a broken main runs empty, and a shut branch.
const EMPTIES_S: f32 = 12.0;
/// Seconds in which a repaired main fills again.
const FILLS_S: f32 = 60.0;
/// What a hydrant loses while it runs, kPa; and its branch.
const RUNNING_KPA: (f32, f32) = (95.0, 12.0);
/// What the last hydrant of a main loses at the thirstiest hour, kPa.
const DEMAND_KPA: f32 = 70.0;
/// Noise of a pressure sensor, kPa.
const NOISE_KPA: f32 = 2.5;
/// Fire: seconds in which its smoke doubles, and the thickest there is, dB/m.
const SMOKE: (f32, f32) = (1.1, 3.0);
/// Seconds from a fire to smoke on the floor above.
const RISES_MS: Ms = 35_000;
/// How much hotter a ceiling gets before the crew is there, °C.
const HOT_K: f32 = 180.0;
const ROOM_C: f32 = 21.0;
const STREET_C: f32 = 14.0;

/// The plan, the layout and what happens now: all that a device may feel something of.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    pub seed: u64,
    /// When it began, and how long its days are.
    pub plan: &'a TownPlan,
    pub layout: &'a Layout,
}

impl World<'_> {
    /// What the device at `ix` feels at `at`, while all of `happenings` are going on.
    pub fn feel<'h>(
        &self,
        ix: usize,
        at: Ms,
        happenings: impl Iterator<Item = &'h Happening>,
    ) -> Option<Felt> {
        let site = self.layout.sites.get(ix)?;
        let mut felt = self.peace(site, ix, at);
        let mut stuck = None;
        for happening in happenings {
            match happening.place {
                HappeningPlace::Device(whose) if whose == ix => {
                    hurt(&mut felt, happening, at);
                    if happening.event == TownEvent::Stuck && at < happening.until {
                        stuck = Some(happening.from);
                    }
                }
                HappeningPlace::Device(whose)
                    if site.below == Some(whose) && happening.event == TownEvent::Fire =>
                {
                    let later = Happening { from: happening.from + RISES_MS, ..*happening };
                    felt.smoke_db_m += 0.4 * smoke(&later, at);
                }
                HappeningPlace::Device(whose) => {
                    let neighbour = self.layout.sites.get(whose);
                    let beside = neighbour.is_some_and(|neighbour| {
                        neighbour.zone.is_some() && same_branch(neighbour, site)
                    });
                    if happening.event == TownEvent::Opened && beside && at < happening.until {
                        felt.kpa -= RUNNING_KPA.1;
                    }
                }
                HappeningPlace::Branch { zone, branch } if site.zone == Some(zone) => {
                    starve(&mut felt, happening, at, branch == site.branch);
                }
                HappeningPlace::Station(id) if id == site.station && at < happening.until => {
                    felt.radio = false
                }
                HappeningPlace::Branch { .. } | HappeningPlace::Station(_) => {}
            }
        }
        if let Some(since) = stuck {
            felt.kpa = self.peace(site, ix, since).kpa;
        }
        felt.kpa = felt.kpa.max(0.0);
        Some(felt)
    }

    /// When nothing happens.
    fn peace(&self, site: &DeviceSite, ix: usize, at: Ms) -> Felt {
        let whose = (ix as u64) << 8;
        let wobble = |what: u64| noise(self.seed, whose + what, at);
        let hydrant = site.kind == Kind::Hydrant;
        let drawn = if site.zone.is_some() { DEMAND_KPA * site.along } else { 4.0 };
        let thirst = demand(self.plan.day_share(at));
        let steady = |what: u64, spread: f32| {
            #[expect(clippy::cast_possible_truncation, reason = "tens of millivolts or dBm")]
            let whole = (noise(self.seed, whose + what, 0) * spread) as i32;
            whole
        };
        Felt {
            kpa: site.still_kpa - drawn * thirst + NOISE_KPA * wobble(1),
            wire: true,
            flowing: false,
            cap_open: false,
            tilt_deg: 1.0 + wobble(2).abs(),
            temp_c: if hydrant { STREET_C } else { ROOM_C } + 0.4 * wobble(3),
            smoke_db_m: (0.012 + 0.006 * wobble(4)).max(0.0),
            dirt_pct: (9.0 + 12.0 * noise(self.seed, whose + 5, 0)).abs(),
            battery_mv: if hydrant { 3_580 } else { 3_010 } + steady(6, 60.0),
            rssi_dbm: -84 + steady(7, 18.0),
            tampered: false,
            power: true,
            radio: true,
        }
    }
}

/// How thirsty a town is at a share of its day, 0 to about 1: morning, noon and evening.
pub fn demand(day: f32) -> f32 {
    let peak = |at: f32, high: f32, wide: f32| {
        let far = (day * 24.0 - at) / wide;
        high * libm::expf(-far * far / 2.0)
    };
    0.15 + peak(7.5, 0.7, 1.3) + peak(12.5, 0.4, 1.5) + peak(19.5, 0.8, 1.8)
}

fn same_branch(one: &DeviceSite, two: &DeviceSite) -> bool {
    one.zone == two.zone && one.branch == two.branch
}

/// Seconds since `since`, at least 0.
#[expect(clippy::cast_precision_loss, reason = "happenings last minutes")]
fn seconds(since: Ms, at: Ms) -> f32 {
    (at - since).max(0) as f32 / 1_000.0
}

fn hurt(felt: &mut Felt, happening: &Happening, at: Ms) {
    let on = at < happening.until;
    match happening.event {
        TownEvent::Fire => {
            felt.smoke_db_m += smoke(happening, at);
            let burning = seconds(happening.from, at.min(happening.until));
            let hot = burning * burning * 0.03;
            felt.temp_c += hot.min(HOT_K) * libm::expf(-seconds(happening.until, at) / 20.0);
        }
        TownEvent::Cooking => felt.smoke_db_m += smoke(happening, at).min(0.4),
        TownEvent::Opened if on => {
            (felt.flowing, felt.cap_open) = (true, true);
            felt.kpa -= RUNNING_KPA.0;
        }
        TownEvent::Starved if on => felt.kpa *= 0.33,
        TownEvent::Knocked if on => felt.tilt_deg += 62.0,
        TownEvent::WireBroken if on => felt.wire = false,
        #[expect(clippy::cast_possible_truncation, reason = "at most a volt")]
        TownEvent::BatteryFails if on => {
            felt.battery_mv -= (seconds(happening.from, at) * 40.0).min(900.0) as i32;
        }
        TownEvent::Dirty if on => felt.dirt_pct = 86.0,
        TownEvent::Tampered if on => felt.tampered = true,
        TownEvent::Restarted if on => felt.power = false,
        TownEvent::Opened
        | TownEvent::Starved
        | TownEvent::Knocked
        | TownEvent::WireBroken
        | TownEvent::BatteryFails
        | TownEvent::Dirty
        | TownEvent::Tampered
        | TownEvent::Restarted
        | TownEvent::Stuck
        | TownEvent::Burst
        | TownEvent::ValveShut
        | TownEvent::RadioOut => {}
    }
}

/// Smoke of a fire or a pan: doubles every second or so, thins when it is over.
fn smoke(fire: &Happening, at: Ms) -> f32 {
    let thick = 0.01 * libm::exp2f(seconds(fire.from, at.min(fire.until)) / SMOKE.0) - 0.01;
    thick.min(SMOKE.1) * libm::exp2f(-seconds(fire.until, at) / 12.0)
}

/// A main or its branch runs empty, and fills again when it is over.
fn starve(felt: &mut Felt, happening: &Happening, at: Ms, on_it: bool) {
    let falls = (seconds(happening.from, at.min(happening.until)) / EMPTIES_S).min(1.0);
    let gone = falls * (1.0 - seconds(happening.until, at) / FILLS_S).max(0.0);
    let takes = match (happening.event, on_it) {
        (TownEvent::Burst | TownEvent::ValveShut, true) => 0.985,
        (TownEvent::Burst, false) => 0.72,
        _ => 0.0,
    };
    felt.kpa *= 1.0 - takes * gone;
}
