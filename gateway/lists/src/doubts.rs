//! What is likely wrong with a list although each row of it is good: the places of all of it.
//!
//! A doubt stops nothing by itself: it is told before anything is taken, and a person decides.

use std::collections::HashMap;

use standpipe_rules::incidents::Text;
use standpipe_rules::registry::{Device, Registry, Station};

use crate::datum::{Datum, MapPlace};
use crate::fault::both;
use crate::rows::{NumberedRow, Read};

/// A device stands nearer to its station than this, or somebody is asked. A township of Banan reaches
/// about so far from its station.
const FAR_M: f64 = 5_000.0;
/// What is farther from every station than this is in another district.
const OUTSIDE_M: f64 = 20_000.0;
/// Places that were moved as a map moves them are within so many metres of where it draws them …
const SAME_MAP_M: f64 = 30.0;
/// … and so many of them are no accident.
const FEW: usize = 3;

/// Where stations stand, of a file and of the registry.
pub(crate) struct StationPlaces<'a>(HashMap<&'a str, MapPlace>);

impl<'a> StationPlaces<'a> {
    pub(crate) fn of(rows: &'a [NumberedRow<Station>], known: &'a Registry) -> Self {
        let listed = rows.iter().map(|numbered| &numbered.row);
        let all = known.stations().iter().chain(listed);
        let place = |station: &Station| MapPlace { lat: station.lat, lon: station.lon };
        Self(all.map(|station| (&*station.id, place(station))).collect())
    }

    fn metres(&self, station: &str, place: MapPlace) -> Option<f64> {
        self.0.get(station).map(|at| at.metres_to(place))
    }

    fn is_outside(&self, place: MapPlace) -> bool {
        !self.0.is_empty() && self.0.values().all(|at| at.metres_to(place) > OUTSIDE_M)
    }
}

fn place(device: &Device) -> Option<MapPlace> {
    Some(MapPlace { lat: device.lat?, lon: device.lon? })
}

/// Everything that a person should look at before the list is taken.
pub(crate) fn of(
    read: &Read<Device>,
    zeros: &[u64],
    stations: &StationPlaces,
    known: &Registry,
) -> Vec<Text> {
    let mut doubts = Vec::new();
    if let Some(first) = zeros.first() {
        let all = zeros.len();
        doubts.push(both(
            format!(
                "{all} at 0, 0, in the Atlantic (the first on line {first}): taken as devices without a place"
            ),
            format!("{all} 个设备的坐标为 0, 0（首个在第 {first} 行）：按没有位置登记"),
        ));
    }
    doubts.extend(far(read, stations));
    doubts.extend(moved(read, known));
    doubts
}

/// Devices that stand far from their station, or outside the district.
fn far(read: &Read<Device>, stations: &StationPlaces) -> Option<Text> {
    let mut far = Vec::new();
    let (mut placed, mut outside, mut swapped) = (0, 0, 0);
    for NumberedRow { line, row } in &read.rows {
        let Some(place) = place(row) else { continue };
        placed += 1;
        let Some(metres) = stations.metres(&row.station, place) else { continue };
        if metres <= FAR_M {
            continue;
        }
        far.push((*line, row, metres));
        outside += usize::from(stations.is_outside(place));
        let turned = MapPlace { lat: place.lon, lon: place.lat };
        let nearer = stations.metres(&row.station, turned).is_some_and(|metres| metres <= FAR_M);
        swapped += usize::from(nearer);
    }
    let (line, device, metres) = far.first()?;
    let (id, station, km) = (&device.id, &device.station, (metres / 1_000.0).round());
    let count = far.len();
    let (then_en, then_zh) = if swapped * 2 > count {
        ("lat and lon are likely swapped", "经纬度很可能填反")
    } else if outside * 2 > placed {
        (
            "the list lies outside the district: is it the right one, in the right datum?",
            "清单位于辖区之外：文件或坐标系是否选错？",
        )
    } else {
        ("are their stations right, and the datum?", "站点和坐标系是否正确？")
    };
    Some(both(
        format!(
            "{count} of {placed} stand over 5 km from their station (the first on line {line}: {id}, {km} km from \
             {station}): {then_en}"
        ),
        format!(
            "{placed} 个设备中有 {count} 个距所属站点超过 5 公里（首个在第 {line} 行：{id}，距 {station} {km} \
             公里）：{then_zh}"
        ),
    ))
}

/// Devices that would move exactly as a map of China draws them.
fn moved(read: &Read<Device>, known: &Registry) -> Option<Text> {
    let mut as_drawn = [(Datum::Gcj02, "gcj02", 0_usize), (Datum::Bd09, "bd09", 0)];
    let mut both_known = 0;
    for NumberedRow { row, .. } in &read.rows {
        let before = known.find(&row.id).and_then(|ix| known.device(ix)).and_then(place);
        let (Some(now), Some(before)) = (place(row), before) else { continue };
        both_known += 1;
        for (datum, _, count) in &mut as_drawn {
            let drawn = before.to_datum(*datum);
            *count += usize::from(before.is_in_china() && drawn.metres_to(now) <= SAME_MAP_M);
        }
    }
    let (_, name, count) = as_drawn.into_iter().max_by_key(|(.., count)| *count)?;
    (count >= FEW && count * 2 > both_known).then(|| {
        both(
            format!(
                "{count} of {both_known} would move as a map of China draws them: is the list in another datum? \
                 Say --datum {name}"
            ),
            format!("{both_known} 个设备中有 {count} 个的位移与国内地图偏移一致：坐标系是否不同？请用 --datum {name}"),
        )
    })
}
