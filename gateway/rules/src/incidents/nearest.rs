//! The hydrants a fire crew should drive to.
//!
//! The three nearest outdoor hydrants that can be trusted, then, marked, up to three nearer ones
//! that can't: a crew that stands before one of those should know why it was told to go on.
//!
//! When a network or the water is down, thousands of hydrants can't be trusted, and each of them is
//! news to every fire that burns. So a search steps over each of them once, not each time, and a
//! fire's list is made anew only for what can change it.

use std::collections::HashSet;

use rstar::RTree;
use rstar::primitives::GeomWithData;
use standpipe_shared::Kind;

use super::Rank;
use super::book::{Book, BookView, Cx};
use super::distance::{Coordinates, straight_way};
use super::wire::{HYDRANTS_WANTED, NearHydrant};
use crate::Ms;
use crate::detect::{HydrantNow, Trust};
use crate::registry::{DeviceIx, Registry};

/// Hydrants shown though they can't be trusted.
const UNTRUSTED_SHOWN: usize = 3;

/// Found untrusted by one search beyond which a new tree is made of the rest: less work than to
/// take out each by itself.
const MANY: usize = 256;
/// Metres by which a listed distance may be off: it is rounded.
const ROUNDED_M: f64 = 1.0;

/// A hydrant on a ball of radius 1.
type Spot = GeomWithData<[f64; 3], DeviceIx>;

/// Every outdoor hydrant whose place is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Hydrants {
    all: RTree<Spot>,
    /// Those that may be trusted: all of them, but for what a search found untrusted and nobody
    /// has spoken of since.
    hopeful: RTree<Spot>,
    /// The registry as it was when the trees were made.
    revision: Option<u64>,
}

impl Hydrants {
    /// The list for a fire at that place: first those to drive to, then the others, each nearest
    /// first. `out_of_service`: under maintenance.
    pub(super) fn near(
        &mut self,
        view: &BookView,
        fire: Coordinates,
        out_of_service: impl Fn(DeviceIx) -> bool,
        now: Ms,
    ) -> Vec<NearHydrant> {
        self.follow(view.registry);
        let state = |ix| match (view.hydrant)(ix, now) {
            state if out_of_service(ix) => state.out_of_service(),
            state => state,
        };
        let trusted = self.trusted(fire, state);
        let (mut passed, mut untrusted) = (0, Vec::new());
        for spot in self.all.nearest_neighbor_iter(fire.on_ball()) {
            if passed == HYDRANTS_WANTED || untrusted.len() == UNTRUSTED_SHOWN {
                break;
            }
            match state(spot.data) {
                state if state.trust == Trust::Ok => passed += 1,
                state => untrusted.push((spot.data, state)),
            }
        }
        let lines = trusted.into_iter().chain(untrusted);
        lines.filter_map(|(ix, state)| shown(view.registry, fire, ix, state)).collect()
    }

    /// The nearest that can be trusted; of those equally far, the first in the registry.
    fn trusted(
        &mut self,
        fire: Coordinates,
        state: impl Fn(DeviceIx) -> HydrantNow,
    ) -> Vec<(DeviceIx, HydrantNow)> {
        let (mut found, mut hopeless) = (Vec::new(), Vec::new());
        let mut enough = f64::INFINITY;
        for (spot, far) in self.hopeful.nearest_neighbor_iter_with_distance_2(fire.on_ball()) {
            if far > enough {
                break;
            }
            let state = state(spot.data);
            if state.trust == Trust::Ok {
                found.push((far, spot.data, state));
                if found.len() == HYDRANTS_WANTED {
                    enough = far;
                }
            } else {
                hopeless.push(*spot);
            }
        }
        self.give_up(&hopeless);
        found.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        found.truncate(HYDRANTS_WANTED);
        found.into_iter().map(|(_, ix, state)| (ix, state)).collect()
    }

    /// These can't be trusted.
    fn give_up(&mut self, hopeless: &[Spot]) {
        if hopeless.len() <= MANY {
            for spot in hopeless {
                self.hopeful.remove(spot);
            }
            return;
        }
        let hopeless: HashSet<DeviceIx> = hopeless.iter().map(|spot| spot.data).collect();
        let left = self.hopeful.iter().filter(|spot| !hopeless.contains(&spot.data));
        self.hopeful = RTree::bulk_load(left.copied().collect());
    }

    /// Something is known of a hydrant that was not: it may be trusted again.
    pub(super) fn heard(&mut self, place: Coordinates, hydrant: DeviceIx) {
        let spot = GeomWithData::new(place.on_ball(), hydrant);
        if self.all.contains(&spot) && !self.hopeful.contains(&spot) {
            self.hopeful.insert(spot);
        }
    }

    /// Any of them may be trusted again without a word of its own: time passed, or work is over.
    pub(super) fn hope(&mut self) {
        self.hopeful = self.all.clone();
    }

    /// Makes the trees anew when the registry has changed.
    fn follow(&mut self, registry: &Registry) {
        let revision = Some(registry.revision());
        if self.revision == revision {
            return;
        }
        self.revision = revision;
        let outdoor = registry
            .devices()
            .iter()
            .filter(|device| device.kind == Kind::Hydrant && registry.profile_of(device).outdoor);
        let mut spots = Vec::with_capacity(registry.devices().len());
        spots.extend(outdoor.filter_map(|hydrant| {
            Some(GeomWithData::new(
                Coordinates::of(hydrant)?.on_ball(),
                registry.find(&hydrant.id)?,
            ))
        }));
        self.all = RTree::bulk_load(spots);
        self.hope();
    }
}

/// Which hydrants can change a fire's list.
#[derive(Clone, Copy, Debug)]
pub(super) struct FireReach {
    fire: [f64; 3],
    /// Square of the straight way to the farthest that is listed, on a ball of radius 1.
    farthest: f64,
    /// Fewer can be trusted than are wanted: one that can changes the list however far it is.
    thirsty: bool,
    /// Not even those that can't be trusted fill the list.
    unfilled: bool,
}

impl FireReach {
    /// Of the fire with this list.
    pub(super) fn of(fire: Coordinates, list: &[NearHydrant]) -> Self {
        let trusted = list.iter().filter(|line| line.trust == Trust::Ok).count();
        let farthest = list.iter().map(|line| line.distance_m).max();
        let metres = farthest.map(|metres| f64::from(metres) + ROUNDED_M);
        let thirsty = trusted < HYDRANTS_WANTED;
        let unfilled = thirsty && list.len() - trusted < UNTRUSTED_SHOWN;
        let way = metres.map(straight_way).unwrap_or_default();
        let farthest = way * way;
        Self { fire: fire.on_ball(), farthest, thirsty, unfilled }
    }

    /// Whether news of a hydrant there, which is trusted so far, can change the list.
    pub(super) fn holds(&self, hydrant: [f64; 3], trust: Trust) -> bool {
        let way = self.fire.iter().zip(hydrant).map(|(from, to)| (to - from) * (to - from));
        let near = way.sum::<f64>() <= self.farthest;
        near || self.unfilled || self.thirsty && trust == Trust::Ok
    }
}

impl Book {
    /// The lists of those fires may have to change for which that can matter.
    pub(super) fn hydrant_news(&mut self, cx: &Cx, hydrant: DeviceIx) {
        let Some(place) = Coordinates::at(cx.view.registry, hydrant) else { return };
        self.hydrants.heard(place, hydrant);
        let now = (cx.view.hydrant)(hydrant, cx.now);
        let serves = !self.out_of_service(hydrant, cx.now);
        let trust = if serves { now.trust } else { now.out_of_service().trust };
        let there = place.on_ball();
        let matters =
            |reach: &Option<FireReach>| reach.is_none_or(|reach| reach.holds(there, trust));
        let fires = self.fires.iter().filter(|(_, reach)| matters(reach)).map(|(rank, _)| rank);
        self.thirsty.extend(fires);
    }

    /// The lists of all fires may have to change, though no hydrant said anything.
    pub(super) fn look_again(&mut self) {
        self.hydrants.hope();
        self.thirsty.extend(self.fires.keys());
    }

    /// Makes a fire's list anew.
    pub(super) fn look_for_water(&mut self, cx: &mut Cx, fire: Rank) {
        let (_, id) = fire;
        let Some(incident) = self.incidents.get(&id) else { return };
        let place = incident.device().and_then(|ix| Coordinates::at(cx.view.registry, ix));
        let Some(place) = place else { return };
        let mut hydrants = std::mem::take(&mut self.hydrants);
        let found = hydrants.near(cx.view, place, |ix| self.out_of_service(ix, cx.now), cx.now);
        self.hydrants = hydrants;
        if let Some(reach) = self.fires.get_mut(&fire) {
            *reach = Some(FireReach::of(place, &found));
        }
        let changed = self.get(id).is_some_and(|incident| incident.hydrants != found);
        if let Some(mut incident) = changed.then(|| self.take(id)).flatten() {
            incident.hydrants = found;
            self.publish(cx, incident);
        }
    }
}

/// One line of the list.
fn shown(
    registry: &Registry,
    fire: Coordinates,
    ix: DeviceIx,
    state: HydrantNow,
) -> Option<NearHydrant> {
    let device = registry.device(ix)?;
    let (distance_m, bearing_deg) = fire.way(Coordinates::of(device)?);
    Some(NearHydrant {
        id: device.id.clone(),
        name: device.name.clone(),
        distance_m,
        bearing_deg,
        pressure_kpa: state.pressure_kpa,
        measured_at: state.measured_at,
        trust: state.trust,
        trust_reason: state.reason,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use proptest::prelude::*;
    use standpipe_shared::{Kind, Measurements};

    use super::{
        Coordinates, FireReach, HYDRANTS_WANTED, Hydrants, NearHydrant, UNTRUSTED_SHOWN, shown,
    };
    use crate::cases::cases;
    use crate::detect::{HydrantNow, Trust};
    use crate::incidents::BookView;
    use crate::registry::{Device, DeviceIx, Registry};

    const TRUSTED: HydrantNow =
        HydrantNow { trust: Trust::Ok, reason: None, ..HydrantNow::UNKNOWN };

    /// Hydrants at these places, of which nothing is known, and how often each was looked at.
    struct Town {
        registry: Registry,
        states: RefCell<Vec<HydrantNow>>,
        looked: Cell<usize>,
        hydrants: Hydrants,
    }

    impl Town {
        fn new(places: impl IntoIterator<Item = (f64, f64)>) -> Self {
            let mut registry = Registry::new([]);
            for (n, (lat, lon)) in places.into_iter().enumerate() {
                let device = Device::unclaimed(&format!("HY-{n}"), "", Kind::Hydrant);
                registry.put_device(Device { lat: Some(lat), lon: Some(lon), ..device });
            }
            let states = RefCell::new(vec![HydrantNow::UNKNOWN; registry.devices().len()]);
            Self { registry, states, looked: Cell::new(0), hydrants: Hydrants::default() }
        }

        fn place(&self, hydrant: DeviceIx) -> Coordinates {
            Coordinates::at(&self.registry, hydrant).unwrap()
        }

        fn is_told(&mut self, hydrant: DeviceIx, state: HydrantNow) {
            self.states.borrow_mut()[hydrant.0 as usize] = state;
            self.hydrants.heard(self.place(hydrant), hydrant);
        }

        fn near(&mut self, fire: Coordinates) -> Vec<NearHydrant> {
            let Self { registry, states, looked, hydrants } = self;
            let hydrant = |ix: DeviceIx, _| {
                looked.set(looked.get() + 1);
                states.borrow()[ix.0 as usize]
            };
            let value = |_| Measurements::default();
            let view = BookView { registry, hydrant: &hydrant, value: &value };
            hydrants.near(&view, fire, |_| false, 0)
        }

        /// The same by looking at every one.
        fn near_slowly(&self, fire: Coordinates) -> Vec<NearHydrant> {
            let mut all: Vec<_> = (0..self.states.borrow().len() as u32).map(DeviceIx).collect();
            all.sort_by(|one, other| {
                let metres = |ix: &DeviceIx| fire.metres(self.place(*ix));
                metres(one).total_cmp(&metres(other))
            });
            let (mut trusted, mut untrusted) = (Vec::new(), Vec::new());
            for ix in all {
                let state = self.states.borrow()[ix.0 as usize];
                let line = shown(&self.registry, fire, ix, state).unwrap();
                if trusted.len() == HYDRANTS_WANTED {
                    break;
                }
                if state.trust == Trust::Ok {
                    trusted.push(line);
                } else if untrusted.len() < UNTRUSTED_SHOWN {
                    untrusted.push(line);
                }
            }
            trusted.append(&mut untrusted);
            trusted
        }
    }

    fn somewhere() -> impl Strategy<Value = (f64, f64)> {
        (29.3_f64..29.5, 106.4_f64..106.6)
    }

    proptest! {
        #![proptest_config(cases(128))]

        #[test]
        fn the_list_is_that_of_looking_at_every_hydrant_and_changes_only_within_reach(
            places in prop::collection::vec(somewhere(), 1..40),
            fire in somewhere(),
            news in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..80),
        ) {
            let mut town = Town::new(places.clone());
            let mut detector = Device::unclaimed("SD-1", "", Kind::Smoke);
            (detector.lat, detector.lon) = (Some(fire.0), Some(fire.1));
            let fire = Coordinates::of(&detector).unwrap();
            let mut before = town.near(fire);
            for (which, trusted) in news {
                let hydrant = DeviceIx(which.index(places.len()) as u32);
                let state = if trusted { TRUSTED } else { HydrantNow::UNKNOWN };
                town.is_told(hydrant, state);
                let list = town.near(fire);
                prop_assert_eq!(&list, &town.near_slowly(fire));
                let there = town.place(hydrant).on_ball();
                let within = FireReach::of(fire, &before).holds(there, state.trust);
                prop_assert!(within || list == before, "{:?} was no news", hydrant);
                before = list;
            }
        }
    }

    #[test]
    fn a_network_that_is_down_is_stepped_over_once() {
        let mut town = Town::new((0..5_000).map(|n| (29.4 + f64::from(n) * 1e-5, 106.5)));
        let fire = town.place(DeviceIx(0));
        assert_eq!(town.near(fire).len(), UNTRUSTED_SHOWN);
        assert!(town.looked.take() >= 5_000, "each might have been trusted");
        for _ in 0..100 {
            assert_eq!(town.near(fire).len(), UNTRUSTED_SHOWN);
        }
        assert_eq!(town.looked.take(), 100 * UNTRUSTED_SHOWN, "those that are shown");
        town.is_told(DeviceIx(4_000), TRUSTED);
        let list = town.near(fire);
        assert_eq!((list.len(), &*list[0].id), (1 + UNTRUSTED_SHOWN, "HY-4000"));
        assert!(town.looked.take() < 10);
        // Nobody says so, but perhaps time made it so.
        town.states.borrow_mut()[3_000] = TRUSTED;
        town.hydrants.hope();
        assert_eq!(&*town.near(fire)[0].id, "HY-3000");
    }

    #[test]
    #[rustfmt::skip] // a table
    fn news_of_a_hydrant_that_cannot_change_the_list_is_none() {
        let mut town = Town::new((0..20).map(|n| (29.4 + f64::from(n) * 1e-3, 106.5)));
        let fire = town.place(DeviceIx(0));
        for (story, trusted, of, now, is_news) in [
            ("one of those shown",                  0..0,   2,  Trust::Stale, true),
            ("none is trusted, nor that one",       0..0,   9,  Trust::Stale, false),
            ("none is trusted but that one",        0..0,   9,  Trust::Ok,    true),
            ("two are, and that is the third",      5..7,   19, Trust::Ok,    true),
            ("three are, and that is farther",      5..8,   9,  Trust::Ok,    false),
            ("three are, and it is nearer",         5..8,   4,  Trust::Ok,    true),
            ("three are, the last of which it is",  5..8,   7,  Trust::Stale, true),
        ] {
            town.states.borrow_mut().fill(HydrantNow::UNKNOWN);
            trusted.for_each(|n| town.is_told(DeviceIx(n), TRUSTED));
            let reach = FireReach::of(fire, &town.near(fire));
            assert_eq!(reach.holds(town.place(DeviceIx(of)).on_ball(), now), is_news, "{story}");
        }
    }

    #[test]
    fn a_list_that_is_not_full_may_get_any_hydrant() {
        let mut town = Town::new([(29.4, 106.5), (29.401, 106.5), (29.9, 106.5)]);
        let fire = town.place(DeviceIx(0));
        let list = town.near(fire);
        let far = town.place(DeviceIx(2)).on_ball();
        for (story, trusted) in [("none is trusted", [false, false]), ("one is", [true, false])] {
            let mut list = list[..2].to_vec();
            for (line, trusted) in list.iter_mut().zip(trusted) {
                line.trust = if trusted { Trust::Ok } else { Trust::Stale };
            }
            assert!(FireReach::of(fire, &list).holds(far, Trust::Stale), "{story}");
        }
    }

    #[test]
    fn a_search_ends_with_the_nearest_and_takes_equally_far_ones_by_the_registry() {
        let mut town = Town::new((0..1_000).map(|n| (29.4 + f64::from(n) * 1e-5, 106.5)));
        let fire = town.place(DeviceIx(0));
        town.states.borrow_mut().fill(TRUSTED);
        assert_eq!(town.near(fire).len(), HYDRANTS_WANTED);
        assert_eq!(town.looked.take(), 2 * HYDRANTS_WANTED, "once for each of both lists");

        let mut town = Town::new([(29.4, 106.5); 40]);
        town.states.borrow_mut().fill(TRUSTED);
        let list = town.near(fire);
        let ids: Vec<&str> = list.iter().map(|line| &*line.id).collect();
        assert_eq!(ids, ["HY-0", "HY-1", "HY-2"]);
    }
}
