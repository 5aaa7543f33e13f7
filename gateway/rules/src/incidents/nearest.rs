//! The hydrants a fire crew should drive to.
//!
//! The three nearest outdoor hydrants that can be trusted, then, marked, up to three nearer ones
//! that can't: a crew that stands before one of those should know why it was told to go on.

use rstar::RTree;
use rstar::primitives::GeomWithData;
use standpipe_shared::Kind;

use super::book::View;
use super::distance::Coordinates;
use super::wire::{HYDRANTS_WANTED, NearHydrant};
use crate::Ms;
use crate::detect::{HydrantNow, Trust};
use crate::registry::{DeviceIx, Registry};

/// Hydrants shown though they can't be trusted.
const UNTRUSTED_SHOWN: usize = 3;

/// Every outdoor hydrant whose place is known.
#[derive(Debug, Default)]
pub(super) struct Hydrants {
    tree: RTree<GeomWithData<[f64; 3], DeviceIx>>,
    /// The registry as it was when the tree was made.
    revision: Option<u64>,
}

impl Hydrants {
    /// The list for a fire at that place: first those to drive to, then the others, each nearest
    /// first. `out_of_service`: under maintenance.
    pub(super) fn near(
        &mut self,
        view: &View,
        fire: Coordinates,
        out_of_service: impl Fn(DeviceIx) -> bool,
        now: Ms,
    ) -> Vec<NearHydrant> {
        self.follow(view.registry);
        let (mut trusted, mut untrusted) = (Vec::new(), Vec::new());
        for spot in self.tree.nearest_neighbor_iter(fire.on_ball()) {
            if trusted.len() == HYDRANTS_WANTED {
                break;
            }
            let mut state = (view.hydrant)(spot.data, now);
            if out_of_service(spot.data) {
                state = state.out_of_service();
            }
            if state.trust == Trust::Ok {
                trusted.extend(shown(view.registry, fire, spot.data, state));
            } else if untrusted.len() < UNTRUSTED_SHOWN {
                untrusted.extend(shown(view.registry, fire, spot.data, state));
            }
        }
        trusted.append(&mut untrusted);
        trusted
    }

    /// Makes the tree anew when the registry has changed.
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
        self.tree = RTree::bulk_load(spots);
    }
}

/// One line of the list.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 20,000 km; 0 to 359°"
)]
fn shown(
    registry: &Registry,
    fire: Coordinates,
    ix: DeviceIx,
    state: HydrantNow,
) -> Option<NearHydrant> {
    let device = registry.device(ix)?;
    let place = Coordinates::of(device)?;
    Some(NearHydrant {
        id: device.id.clone(),
        name: device.name.clone(),
        distance_m: fire.metres(place).round() as u32,
        bearing_deg: fire.bearing(place).round() as u16 % 360,
        pressure_kpa: state.pressure_kpa,
        measured_at: state.measured_at,
        trust: state.trust,
        trust_reason: state.reason,
    })
}
