//! What happened to the world, for people and tests: not what the devices said of it, and not
//! what the gateway made of that.

use std::collections::VecDeque;
use std::sync::Arc;

use standpipe_shared::Condition;

use crate::Ms;
use crate::happenings::{Happening, HappeningPlace, TownEvent};
use crate::layout::Layout;
use crate::places::station;

/// The oldest lines are forgotten beyond this.
const LINES: usize = 1_000;

/// One line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryLine {
    pub at: Ms,
    /// The end of something told before.
    pub over: bool,
    pub zh: String,
    pub en: String,
    /// The condition a gateway should find; `None`: nothing to find.
    pub expect: Option<Condition>,
    /// The devices it happens to.
    pub devices: Vec<Arc<str>>,
    /// The zone it happens to; empty: none.
    pub zone: String,
}

/// The newest lines.
#[derive(Clone, Debug, Default)]
pub struct Story {
    lines: VecDeque<StoryLine>,
    forgotten: usize,
}

impl Story {
    /// The lines that are not forgotten, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &StoryLine> {
        self.lines.iter()
    }

    /// The lines from the `number`th ever told on, and the number to ask with next.
    pub fn since(&self, number: usize) -> (impl Iterator<Item = &StoryLine>, usize) {
        let skip = number.saturating_sub(self.forgotten);
        (self.lines.iter().skip(skip), self.forgotten + self.lines.len())
    }

    pub(crate) fn began(&mut self, happening: &Happening, layout: &Layout) {
        self.tell(happening, layout, false);
    }

    pub(crate) fn ended(&mut self, happening: &Happening, layout: &Layout) {
        self.tell(happening, layout, true);
    }

    fn tell(&mut self, happening: &Happening, layout: &Layout, over: bool) {
        let (zh, en, devices, zone) = whereabouts(happening.place, layout);
        let words = words(happening.event);
        let (what_zh, what_en) = if over { words.over } else { words.begun };
        let devices = devices.map(|site| site.to_owned()).collect();
        self.lines.push_back(StoryLine {
            at: if over { happening.until } else { happening.from },
            over,
            zh: format!("{what_zh}：{zh}"),
            en: format!("{what_en}: {en}"),
            expect: expected(happening.event),
            devices,
            zone,
        });
        if self.lines.len() > LINES {
            self.lines.pop_front();
            self.forgotten += 1;
        }
    }
}

/// The place in two languages, its devices and its zone.
fn whereabouts(
    place: HappeningPlace,
    layout: &Layout,
) -> (String, String, impl Iterator<Item = Arc<str>>, String) {
    let sites = &layout.sites;
    let (zh, en, zone) = match place {
        HappeningPlace::Device(at) => {
            let named = sites.get(at);
            let id = named.map_or("", |site| &site.id);
            let (zh, en) = named.map_or_else(Default::default, |site| (site.zh(), site.en()));
            (format!("{zh} {id}"), format!("{en} {id}"), String::new())
        }
        HappeningPlace::Branch { zone, branch } => {
            let name = layout.zones.get(zone).map_or("", |zone| &zone.name);
            let letter = char::from(b'A' + u8::try_from(branch).unwrap_or(0));
            (format!("{name} {letter} 支管"), format!("{name} branch {letter}"), name.to_owned())
        }
        HappeningPlace::Station(id) => {
            let name = station(id).map(|station| station.name);
            let (zh, en) = name.map_or((id, id), |name| (name.zh, name.en));
            (zh.to_owned(), en.to_owned(), String::new())
        }
    };
    let concerned = sites.iter().enumerate().filter(move |(at, candidate)| match place {
        HappeningPlace::Device(site) => *at == site,
        HappeningPlace::Branch { zone, branch } => {
            candidate.zone == Some(zone) && candidate.branch == branch
        }
        HappeningPlace::Station(id) => candidate.station == id,
    });
    (zh, en, concerned.map(|(_, site)| Arc::clone(&site.id)), zone)
}

/// (Chinese, English) for the beginning and the end.
struct EventWords {
    begun: (&'static str, &'static str),
    over: (&'static str, &'static str),
}

#[rustfmt::skip] // a table
const fn words(event: TownEvent) -> EventWords {
    let (begun, over) = match event {
        TownEvent::Fire         => (("厨房起火", "a kitchen burns"),            ("明火扑灭", "the fire is out")),
        TownEvent::Cooking      => (("饭烧焦了", "dinner is burning"),          ("烟散了", "the smoke has gone")),
        TownEvent::Burst        => (("主管爆裂", "a main bursts"),              ("爆管已修复", "the main is repaired")),
        TownEvent::ValveShut    => (("阀门被关", "somebody shuts a valve"),     ("阀门已开", "the valve is open again")),
        TownEvent::Opened       => (("消火栓被打开", "a hydrant is opened"),    ("消火栓已关", "the hydrant is shut")),
        TownEvent::Starved      => (("栓前阀半关", "a hydrant's valve is half shut"), ("栓前阀已全开", "the hydrant's valve is open")),
        TownEvent::Knocked      => (("货车撞上消火栓", "a lorry hits a hydrant"), ("消火栓已扶正", "the hydrant stands again")),
        TownEvent::WireBroken   => (("传感器断线", "a sensor's wire breaks"),   ("断线已接好", "the wire is mended")),
        TownEvent::Stuck        => (("压力读数卡住", "a pressure sensor sticks"), ("传感器已更换", "the sensor is replaced")),
        TownEvent::BatteryFails => (("电池快没电", "a battery goes down"),      ("电池已更换", "the battery is replaced")),
        TownEvent::Dirty        => (("探测器积灰", "a detector is full of dust"), ("探测器已清洁", "the detector is cleaned")),
        TownEvent::Tampered     => (("设备外壳被打开", "a device is opened"),   ("外壳已合上", "the device is shut")),
        TownEvent::Restarted    => (("设备断电", "a device loses power"),       ("设备重启", "the device starts again")),
        TownEvent::RadioOut     => (("基站断电", "the radio mast loses power"), ("基站恢复", "the radio mast is back")),
    };
    EventWords { begun, over }
}

const fn expected(event: TownEvent) -> Option<Condition> {
    match event {
        TownEvent::Fire | TownEvent::Cooking => Some(Condition::Smoke),
        TownEvent::Burst => Some(Condition::ZoneLowPressure),
        TownEvent::ValveShut => Some(Condition::NoWater),
        TownEvent::Opened => Some(Condition::HydrantOpen),
        TownEvent::Starved => Some(Condition::LowPressure),
        TownEvent::Knocked => Some(Condition::Knocked),
        TownEvent::WireBroken | TownEvent::Stuck => Some(Condition::SensorFault),
        TownEvent::BatteryFails => Some(Condition::BatteryLow),
        TownEvent::Dirty => Some(Condition::Contamination),
        TownEvent::Tampered => Some(Condition::Tamper),
        TownEvent::RadioOut => Some(Condition::Offline),
        TownEvent::Restarted => None,
    }
}
