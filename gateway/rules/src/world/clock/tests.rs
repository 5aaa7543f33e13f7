//! The matrix: the gateway's clock is set while it runs, over a restart, or for a while; a device
//! is behind, ahead or jumps; and each time a fire, a dry hydrant and a silence have their
//! deadlines.

mod properties;

use standpipe_shared::{Condition, Kind, Reading};

use super::super::town::{self, T0, alarm, connect, device, reading, telemetry};
use crate::changes::{Page, Receiver};
use crate::incidents::{Action, ActionKind, Actor, Plan, ReceiverRole, Route, Saved, State};
use crate::registry::{DeviceIx, Registry};
use crate::{Changes, HOUR_MS, MINUTE_MS, Ms, World};

/// Hydrants; enough of them silent together would be a blind area.
const HYDRANTS: u32 = 6;
/// The detector.
const S: DeviceIx = DeviceIx(HYDRANTS);

fn registry() -> Registry {
    let kind = |n| if n < HYDRANTS { Kind::Hydrant } else { Kind::Smoke };
    town::registry((0..=HYDRANTS).map(|n| device(&format!("X-{n}"), kind(n))))
}

/// Nobody needs to confirm a page: here receivers report nothing.
fn plan() -> Plan {
    let admin = Route { name: "admin".into(), role: ReceiverRole::Admin, ..Route::default() };
    Plan { webhooks: vec![admin], confirm_s: 0, ..Plan::default() }
}

/// A gateway, in a story whose time is right.
struct Gateway {
    plan: Plan,
    world: World,
    out: Changes,
    /// What its clock is ahead of the story.
    off: Ms,
    /// What the devices' clocks are.
    devices_off: Ms,
    t: Ms,
}

impl Gateway {
    /// It has run for ten minutes, and so have the devices.
    fn new() -> Self {
        Self::with(plan())
    }

    fn with(plan: Plan) -> Self {
        let (world, out) = (town::world(registry(), plan.clone()), Changes::default());
        let mut gateway = Self { plan, world, out, off: 0, devices_off: 0, t: T0 };
        gateway.connected();
        gateway.minutes(10, 300.0);
        gateway
    }

    fn now(&self) -> Ms {
        self.t + self.off
    }

    fn connected(&mut self) {
        let now = self.now();
        connect(&mut self.world, &["D", "T"], now, &mut self.out);
    }

    /// Somebody sets its clock: so much ahead of the story from now on.
    fn set(&mut self, off: Ms) {
        let by = off - self.off;
        self.off = off;
        self.world.clock_set(by, self.t + off, &mut self.out);
    }

    /// It starts anew, its clock so much ahead of the story. The store gives back what was kept,
    /// and by how much the clock was set meanwhile is known.
    fn restart(&mut self, off: Ms) {
        let mut world = town::world(registry(), self.plan.clone());
        for ix in (0..=HYDRANTS).map(DeviceIx) {
            world.restore_memory(ix, &self.world.memory_body(ix)).unwrap();
        }
        let text = serde_json::to_string(self.world.wholes()).unwrap();
        world.restore_wholes(serde_json::from_str(&text).unwrap());
        world.restore_book(Saved {
            meta: self.world.book.meta().clone(),
            incidents: self.world.book.open().cloned().collect(),
            owed: self.out.pages.clone(),
            bundles: Vec::new(),
            presence: self.out.presence.clone(),
            closed: Vec::new(),
        });
        self.world = world;
        if off != self.off {
            self.set(off);
        }
        self.world.session(false, self.now(), &mut self.out);
        self.connected();
    }

    fn reads(&mut self, device: u32, kpa: f32) {
        let ts = self.t + self.devices_off;
        // No two are the same: the sensor is not stuck.
        let reading = reading(ts, kpa + (self.t / MINUTE_MS % 7) as f32);
        let message = telemetry(&format!("X-{device}"), reading);
        self.world.step(&message, self.now(), &mut self.out);
    }

    fn burns(&mut self) {
        let reading = Reading { ts: Some(self.t + self.devices_off), ..Reading::default() };
        let message = alarm("X-6", reading, (Condition::Smoke, true));
        self.world.step(&message, self.now(), &mut self.out);
        self.tick();
    }

    fn tick(&mut self) {
        let now = self.now();
        self.world.tick(now, &mut self.out);
    }

    /// The story goes on for so long, and every deadline is met.
    fn pass(&mut self, ms: Ms) {
        let end = self.t + ms;
        while let Some(wake) = self.world.next_wake().filter(|wake| *wake < end + self.off) {
            self.t = self.t.max(wake.max(0) - self.off);
            self.tick();
        }
        self.t = end;
        self.tick();
    }

    /// All hydrants but the first report every minute, and the detector is heard; the first has
    /// that pressure.
    fn minutes(&mut self, minutes: Ms, first: f32) {
        for _ in 0..minutes {
            self.reads(0, first);
            (1..HYDRANTS).for_each(|n| self.reads(n, 300.0));
            self.world.watch.heard("X-6", self.now(), &mut self.out);
            self.pass(MINUTE_MS);
        }
    }

    fn is(&self, device: u32, condition: Condition) -> bool {
        self.world.summary(DeviceIx(device)).conditions & condition.bit() != 0
    }

    /// How many devices that is true of.
    fn count(&self, condition: Condition) -> usize {
        (0..=HYDRANTS).filter(|n| self.is(*n, condition)).count()
    }

    /// The pages about the incident that was opened last with that condition.
    fn pages(&self, condition: Condition) -> Vec<&Page> {
        let open = self.world.book.open();
        let its = open.filter(|incident| incident.conditions().contains(&condition));
        let Some(id) = its.last().map(|incident| incident.id) else { return Vec::new() };
        self.out.pages.iter().filter(|page| page.incident == id).collect()
    }
}

/// How the gateway's clock comes to be off.
type Upset = fn(&mut Gateway, Ms);

const UPSETS: [(&str, Upset); 3] = [
    ("while it runs", |gateway, off| gateway.set(off)),
    ("over a restart", |gateway, off| gateway.restart(off)),
    ("for three minutes", |gateway, off| {
        gateway.set(off);
        gateway.minutes(3, 300.0);
        gateway.set(0);
    }),
];

/// Every way the clock is upset, by every amount.
fn upset(story: impl Fn(&str, &mut Gateway)) {
    for (name, upset) in UPSETS {
        for off in [HOUR_MS, -HOUR_MS, 2 * 365 * 24 * HOUR_MS, -8 * HOUR_MS, 10_000] {
            let mut gateway = Gateway::new();
            upset(&mut gateway, off);
            story(&format!("{name}, by {off} ms"), &mut gateway);
        }
    }
}

#[test]
fn a_fire_is_paged_at_once_and_step_3_comes_after_180_s() {
    upset(|story, gateway| {
        let began = gateway.t;
        gateway.burns();
        assert_eq!(gateway.pages(Condition::Smoke).len(), 1, "{story}");
        gateway.pass(179_999);
        assert_eq!(gateway.pages(Condition::Smoke).len(), 1, "{story}: only the first step");
        gateway.pass(1);
        let last = gateway.pages(Condition::Smoke).last().copied().cloned().unwrap();
        assert_eq!(last.step, 3, "{story}");
        assert_eq!(last.at - gateway.off - began, 180_000, "{story}");
    });
}

#[test]
fn a_step_that_was_due_in_two_minutes_is_due_in_two_minutes() {
    for (name, upset) in UPSETS.into_iter().take(2) {
        for off in [HOUR_MS, -HOUR_MS, -2 * HOUR_MS] {
            let mut gateway = Gateway::new();
            gateway.burns();
            gateway.pass(MINUTE_MS);
            upset(&mut gateway, off);
            gateway.pass(119_999);
            assert_eq!(gateway.pages(Condition::Smoke).len(), 1, "{name}, {off}");
            gateway.pass(1);
            let steps: Vec<u8> =
                gateway.pages(Condition::Smoke).iter().map(|page| page.step).collect();
            assert_eq!(steps, [1, 3], "{name}, {off}");
        }
    }
}

#[test]
fn a_page_that_nobody_confirms_goes_on_after_10_s_whatever_the_clock_does_meanwhile() {
    for (name, upset) in UPSETS.into_iter().take(2) {
        for off in [HOUR_MS, -HOUR_MS, -2 * HOUR_MS] {
            let mut gateway = Gateway::with(Plan { confirm_s: 10, ..plan() });
            gateway.burns();
            gateway.pass(4_000);
            upset(&mut gateway, off);
            gateway.pass(5_999);
            assert_eq!(gateway.pages(Condition::Smoke).len(), 1, "{name}, {off}");
            gateway.pass(1);
            let to: Vec<&Receiver> =
                gateway.pages(Condition::Smoke).iter().map(|page| &page.receiver).collect();
            assert!(to.contains(&&Receiver::Webhook("admin".into())), "{name}, {off}: {to:?}");
        }
    }
}

#[test]
fn a_hydrant_that_runs_dry_is_paged_in_its_usual_time() {
    upset(|story, gateway| {
        gateway.minutes(1, 0.0);
        assert!(!gateway.is(0, Condition::NoWater), "{story}: one reading says nothing");
        gateway.reads(0, 0.0);
        gateway.tick();
        assert!(gateway.is(0, Condition::NoWater), "{story}");
        assert_eq!(gateway.pages(Condition::NoWater).len(), 1, "{story}");
    });
}

#[test]
fn nobody_is_silent_and_no_device_is_at_fault_because_the_gateway_was_set() {
    upset(|story, gateway| {
        gateway.pass(1);
        gateway.minutes(30, 300.0);
        for condition in [Condition::Offline, Condition::ClockFault, Condition::SensorFault] {
            assert_eq!(gateway.count(condition), 0, "{story}: {condition:?}");
        }
        let fault = |page: &Page| page.receiver == Receiver::Webhook("admin".into());
        assert!(gateway.out.pages.iter().all(fault), "{story}: {:?}", gateway.out.pages);
    });
}

#[test]
fn a_device_that_falls_silent_is_offline_in_its_usual_time() {
    upset(|story, gateway| {
        let heard = gateway.world.summary(DeviceIx(0)).heard_at.unwrap();
        for _ in 0..5 {
            (1..HYDRANTS).for_each(|n| gateway.reads(n, 300.0));
            gateway.world.watch.heard("X-6", gateway.now(), &mut gateway.out);
            gateway.pass(MINUTE_MS);
            let due = gateway.now() - heard >= 5 * MINUTE_MS;
            assert_eq!(gateway.is(0, Condition::Offline), due, "{story}");
        }
        assert_eq!(gateway.count(Condition::Offline), 1, "{story}");
    });
}

#[test]
#[rustfmt::skip] // a table
fn devices_whose_own_clock_is_wrong_are_found_as_ever_while_the_gateway_was_set() {
    for (story, devices_off, faults) in [
        ("ten minutes ahead",  600_000,        HYDRANTS as usize),
        ("a year ahead",       365 * 24 * HOUR_MS, HYDRANTS as usize),
        ("before 2020",        -3_650 * 24 * HOUR_MS, HYDRANTS as usize),
        ("right",              0,              0),
    ] {
        let mut gateway = Gateway::new();
        gateway.set(HOUR_MS);
        gateway.minutes(5, 300.0);
        gateway.devices_off = devices_off;
        gateway.minutes(3, 300.0);
        assert_eq!(gateway.count(Condition::ClockFault), faults, "{story}");
        gateway.burns();
        assert_eq!(gateway.pages(Condition::Smoke).len(), 1, "{story}: a fire is paged");
    }
}

#[test]
fn the_clock_that_was_set_is_told_to_the_administrator_and_to_nobody_else() {
    for (off, words) in [
        (HOUR_MS, "the clock was set forward by 1 h 0 min"),
        (-2 * HOUR_MS, "the clock was set back by 2 h 0 min"),
    ] {
        let mut gateway = Gateway::new();
        gateway.set(off);
        gateway.tick();
        let pages = gateway.pages(Condition::ClockFault);
        assert_eq!(pages.len(), 1, "{words}");
        assert_eq!(pages[0].receiver, Receiver::Webhook("admin".into()));
        let incident = gateway.world.book.get(pages[0].incident).unwrap();
        assert_eq!(&*incident.detail, words);
        assert_eq!(gateway.world.clock_doubt(), Some(off));
    }
}

#[test]
fn the_fault_ends_when_the_clock_is_back_within_two_seconds_of_where_it_was() {
    for (off, ends) in [(1_999, true), (-1_999, true), (2_000, false), (-2_000, false)] {
        let mut gateway = Gateway::new();
        gateway.set(HOUR_MS);
        gateway.minutes(3, 300.0);
        gateway.set(off);
        gateway.tick();
        assert_eq!(gateway.world.clock_doubt().is_none(), ends, "{off}");
        let mut open = gateway.world.book.open();
        let faulty = open.any(|incident| incident.is_active());
        assert_eq!(faulty, !ends, "{off}");
    }
}

#[test]
fn a_step_of_a_second_is_followed_and_told_to_nobody() {
    let mut gateway = Gateway::new();
    gateway.set(1_500);
    gateway.tick();
    assert_eq!(gateway.world.clock_doubt(), None);
    assert_eq!(gateway.world.book.open().count(), 0);
}

#[test]
fn the_fault_ends_when_the_kernel_or_a_person_says_that_the_clock_is_right() {
    let mut gateway = Gateway::new();
    gateway.set(HOUR_MS);
    let now = gateway.now();
    gateway.world.clock_believed(now, &mut gateway.out);
    assert_eq!(gateway.world.clock_doubt(), None);

    let mut gateway = Gateway::new();
    gateway.set(HOUR_MS);
    gateway.tick();
    let incident = gateway.pages(Condition::ClockFault)[0].incident;
    for (kind, doubt) in [(ActionKind::Acknowledge, Some(HOUR_MS)), (ActionKind::Resolve, None)] {
        let action =
            Action { incident, kind, by: "admin".into(), note: "".into(), seen: "".into() };
        let now = gateway.now();
        gateway.world.act(&Actor::admin("admin"), &action, now, &mut gateway.out).unwrap();
        assert_eq!(gateway.world.clock_doubt(), Some(HOUR_MS), "{kind:?}: it may be taken back");
        gateway.pass(30_001);
        assert_eq!(gateway.world.clock_doubt(), doubt, "{kind:?}");
    }
    assert_eq!(gateway.world.book.get(incident).unwrap().state, State::Closed);
}

#[test]
fn a_gateway_without_a_battery_for_its_clock_calls_no_device_fast() {
    let mut gateway = Gateway::new();
    // The power was away for an hour, and the machine woke up at the beginning of time.
    gateway.t += HOUR_MS;
    gateway.restart(-gateway.t + 5_000);
    // All it can know is that it is not earlier than it was.
    gateway.minutes(5, 300.0);
    assert_eq!(gateway.count(Condition::ClockFault), 0);
    gateway.minutes(2, 0.0);
    assert!(gateway.is(0, Condition::NoWater));
    gateway.set(0);
    gateway.minutes(5, 0.0);
    assert_eq!((gateway.count(Condition::ClockFault), gateway.count(Condition::Offline)), (0, 0));
    assert!(gateway.is(0, Condition::NoWater));
}

#[test]
fn what_people_set_by_the_wall_stays_and_a_patience_of_ours_moves() {
    use crate::incidents::{Announced, Announcement, Quiet, Scope};
    let mut gateway = Gateway::new();
    let until = T0 + 30 * MINUTE_MS;
    let announcement = Announcement {
        what: Announced::WalkTest,
        scope: Scope::Device("X-6".into()),
        conditions: [].into(),
        from: T0,
        until,
        by: "who".into(),
        note: "".into(),
    };
    let now = gateway.now();
    gateway.world.announce(announcement, now, &mut gateway.out).unwrap();
    gateway.burns();
    let quiet = |gateway: &Gateway| {
        let incident = gateway.world.book.open().next().unwrap();
        (incident.members[0].quiet, incident.members[0].quiet_until)
    };
    assert_eq!(quiet(&gateway), (Some(Quiet::Test), Some(T0 + 20 * MINUTE_MS)));
    gateway.set(5 * MINUTE_MS);
    assert_eq!(quiet(&gateway).1, Some(T0 + 25 * MINUTE_MS), "ten minutes are ten minutes");
    gateway.set(12 * MINUTE_MS);
    assert_eq!(quiet(&gateway).1, Some(until), "and no longer than the walk test");
    assert_eq!(gateway.world.book.windows()[0].until, until);
    gateway.pass(8 * MINUTE_MS);
    assert_eq!(quiet(&gateway), (None, None), "it is believed");
}

#[test]
fn a_command_is_waited_for_as_long_as_it_was_going_to_be() {
    use crate::orders::{CommandRequest, CommandState, Order};
    use standpipe_shared::Verb;
    let mut gateway = Gateway::new();
    let asked = CommandRequest::new(Verb::SelfTest, None, Some(120), "who").unwrap();
    let (order, now) = (Order::Command { device: "X-6".into(), asked }, gateway.now());
    let id = gateway.world.order(order, now, &mut gateway.out).unwrap().unwrap();
    let state = |gateway: &Gateway| gateway.world.orders().command(id).unwrap().state;
    gateway.set(HOUR_MS);
    gateway.pass(119_999);
    assert_eq!(state(&gateway), CommandState::Queued);
    gateway.pass(1);
    assert_eq!(state(&gateway), CommandState::Expired);
}

#[test]
fn memories_that_moved_are_kept_at_once_and_the_store_is_told() {
    let mut gateway = Gateway::new();
    gateway.burns();
    gateway.out.clear();
    gateway.set(-HOUR_MS);
    let saved: std::collections::BTreeSet<DeviceIx> = gateway.out.save.iter().copied().collect();
    assert_eq!(saved.len(), HYDRANTS as usize + 1, "every one: the log is not stepped again");
    assert!(saved.contains(&S));
    let Changes { watch_meta, book_meta, clock_set, presence, .. } = &gateway.out;
    assert_eq!((*watch_meta, *book_meta, *clock_set, presence.len()), (true, true, -HOUR_MS, 2));
}

#[test]
#[rustfmt::skip] // a table
fn a_device_behind_ahead_or_jumping_has_its_fire_at_once_and_is_missed_in_its_usual_time() {
    type Jump = fn(Ms) -> Ms;
    let devices: [(&str, Jump); 4] = [
        ("an hour behind",      |_| -HOUR_MS),
        ("an hour ahead",       |_| HOUR_MS),
        ("ten minutes behind",  |_| -10 * MINUTE_MS),
        ("jumping to and fro",  |minute| if minute % 2 == 0 { HOUR_MS } else { -HOUR_MS }),
    ];
    for (device, jump) in devices {
        for off in [0, HOUR_MS, -HOUR_MS] {
            let (story, mut gateway) = (format!("{device}, gateway off by {off}"), Gateway::new());
            gateway.set(off);
            for minute in 0..6 {
                gateway.devices_off = jump(minute);
                gateway.minutes(1, 300.0);
            }
            gateway.burns();
            let pages = gateway.pages(Condition::Smoke);
            assert_eq!(pages.len(), 1, "{story}");
            assert_eq!(pages[0].at, gateway.now(), "{story}: at once");
            let heard = gateway.world.summary(S).heard_at;
            assert_eq!(heard, Some(gateway.now()), "{story}");
            gateway.pass(5 * MINUTE_MS - 1);
            assert!(!gateway.is(HYDRANTS, Condition::Offline), "{story}");
            gateway.pass(1);
            assert!(gateway.is(HYDRANTS, Condition::Offline), "{story}");
        }
    }
}
