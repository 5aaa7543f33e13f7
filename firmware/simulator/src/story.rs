//! What happened to the world, for people and tests: not what the devices said of it, and not
//! what the gateway made of that.

use std::collections::VecDeque;
use std::sync::Arc;

use standpipe_shared::Condition;

use crate::Ms;
use crate::happenings::{Event, Happening, Place};
use crate::layout::Layout;
use crate::places::station;

/// The oldest lines are forgotten beyond this.
const LINES: usize = 1_000;

/// One line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it happened.
    pub at: Ms,
    /// The end of something told before.
    pub over: bool,
    /// In Chinese.
    pub zh: String,
    /// In English.
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
    lines: VecDeque<Told>,
    forgotten: usize,
}

impl Story {
    /// The lines that are not forgotten, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &Told> {
        self.lines.iter()
    }

    /// The lines from the `number`th ever told on, and the number to ask with next.
    pub fn since(&self, number: usize) -> (impl Iterator<Item = &Told>, usize) {
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
        self.lines.push_back(Told {
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
    place: Place,
    layout: &Layout,
) -> (String, String, impl Iterator<Item = Arc<str>>, String) {
    let sites = &layout.sites;
    let (zh, en, zone) = match place {
        Place::Device(at) => {
            let named = sites.get(at);
            let id = named.map_or("", |site| &site.id);
            let (zh, en) = named.map_or_else(Default::default, |site| (site.zh(), site.en()));
            (format!("{zh} {id}"), format!("{en} {id}"), String::new())
        }
        Place::Branch { zone, branch } => {
            let name = layout.zones.get(zone).map_or("", |zone| &zone.name);
            let letter = char::from(b'A' + u8::try_from(branch).unwrap_or(0));
            (format!("{name} {letter} 支管"), format!("{name} branch {letter}"), name.to_owned())
        }
        Place::Station(id) => {
            let name = station(id).map(|station| station.name);
            let (zh, en) = name.map_or((id, id), |name| (name.zh, name.en));
            (zh.to_owned(), en.to_owned(), String::new())
        }
    };
    let concerned = sites.iter().enumerate().filter(move |(at, candidate)| match place {
        Place::Device(site) => *at == site,
        Place::Branch { zone, branch } => {
            candidate.zone == Some(zone) && candidate.branch == branch
        }
        Place::Station(id) => candidate.station == id,
    });
    (zh, en, concerned.map(|(_, site)| Arc::clone(&site.id)), zone)
}

/// (Chinese, English) for the beginning and the end.
struct Words {
    begun: (&'static str, &'static str),
    over: (&'static str, &'static str),
}

#[rustfmt::skip] // a table
const fn words(event: Event) -> Words {
    let (begun, over) = match event {
        Event::Fire         => (("厨房起火", "a kitchen burns"),            ("明火扑灭", "the fire is out")),
        Event::Cooking      => (("饭烧焦了", "dinner is burning"),          ("烟散了", "the smoke has gone")),
        Event::Burst        => (("主管爆裂", "a main bursts"),              ("爆管已修复", "the main is repaired")),
        Event::ValveShut    => (("阀门被关", "somebody shuts a valve"),     ("阀门已开", "the valve is open again")),
        Event::Opened       => (("消火栓被打开", "a hydrant is opened"),    ("消火栓已关", "the hydrant is shut")),
        Event::Starved      => (("栓前阀半关", "a hydrant's valve is half shut"), ("栓前阀已全开", "the hydrant's valve is open")),
        Event::Knocked      => (("货车撞上消火栓", "a lorry hits a hydrant"), ("消火栓已扶正", "the hydrant stands again")),
        Event::WireBroken   => (("传感器断线", "a sensor's wire breaks"),   ("断线已接好", "the wire is mended")),
        Event::Stuck        => (("压力读数卡住", "a pressure sensor sticks"), ("传感器已更换", "the sensor is replaced")),
        Event::BatteryFails => (("电池快没电", "a battery goes down"),      ("电池已更换", "the battery is replaced")),
        Event::Dirty        => (("探测器积灰", "a detector is full of dust"), ("探测器已清洁", "the detector is cleaned")),
        Event::Tampered     => (("设备外壳被打开", "a device is opened"),   ("外壳已合上", "the device is shut")),
        Event::Restarted    => (("设备断电", "a device loses power"),       ("设备重启", "the device starts again")),
        Event::RadioOut     => (("基站断电", "the radio mast loses power"), ("基站恢复", "the radio mast is back")),
    };
    Words { begun, over }
}

const fn expected(event: Event) -> Option<Condition> {
    match event {
        Event::Fire | Event::Cooking => Some(Condition::Smoke),
        Event::Burst => Some(Condition::ZoneLowPressure),
        Event::ValveShut => Some(Condition::NoWater),
        Event::Opened => Some(Condition::HydrantOpen),
        Event::Starved => Some(Condition::LowPressure),
        Event::Knocked => Some(Condition::Knocked),
        Event::WireBroken | Event::Stuck => Some(Condition::SensorFault),
        Event::BatteryFails => Some(Condition::BatteryLow),
        Event::Dirty => Some(Condition::Contamination),
        Event::Tampered => Some(Condition::Tamper),
        Event::RadioOut => Some(Condition::Offline),
        Event::Restarted => None,
    }
}
