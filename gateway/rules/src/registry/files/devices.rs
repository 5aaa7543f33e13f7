//! `devices.csv`: `id,kind,name,station,zone,profile,lat,lon,address[,building,floor,interval_s,
//! installed_on,decoder]`.

use std::sync::Arc;

use standpipe_shared::Kind;

use super::super::{Device, MAX_INTERVAL_S, Profile, Registry};
use super::File;
use super::rows::{Columns, Read, Row, read as rows};
use crate::wire::decoder::{MAKERS, Maker, OURS};

/// The columns of the contract.
pub(super) const COLUMNS: Columns = Columns {
    must: &["id", "kind", "name", "station", "zone", "profile", "lat", "lon", "address"],
    may: &["building", "floor", "interval_s", "installed_on", DECODER],
};
/// Written only where a device has another decoder than ours.
pub(super) const DECODER: &str = "decoder";

/// All rows, each good in itself.
pub(super) fn read(file: File, known: &Registry) -> Read<Device> {
    read_with(file, known, MAKERS)
}

/// The same with these decoders beside ours.
pub(super) fn read_with(file: File, known: &Registry, makers: &[Maker]) -> Read<Device> {
    rows(file, &COLUMNS, |row| one(row, known, makers))
}

fn one(row: &mut Row, known: &Registry, makers: &[Maker]) -> Option<Device> {
    let kind = match row.get("kind") {
        "hydrant" => Some(Kind::Hydrant),
        "smoke" => Some(Kind::Smoke),
        _ => {
            row.fault("kind", "no such kind: write hydrant or smoke");
            None
        }
    };
    let profile = match (row.text("profile"), kind) {
        (named, Some(kind)) if named.is_empty() => Box::from(Profile::default_name(kind)),
        (named, _) => named,
    };
    if !profile.is_empty() && known.profile(&profile).is_none() {
        row.fault("profile", "no such profile: use a built-in one, or configure [profile.…]");
    }
    let device = Device {
        id: row.device_id("id"),
        kind: kind.unwrap_or(Kind::Hydrant),
        name: row.some_text("name"),
        station: row.id("station").into(),
        zone: row.text("zone").into(),
        profile: profile.into(),
        lat: Some(row.degrees("lat", 90.0)),
        lon: Some(row.degrees("lon", 180.0)),
        address: row.text("address"),
        building: row.text("building"),
        floor: row.text("floor"),
        interval_s: interval(row),
        installed_on: row.text("installed_on"),
        decoder: decoder(row, makers),
        area: Arc::default(),
        claimed: true,
    };
    kind.is_some().then_some(device)
}

/// The name of a decoder that is there; empty: ours.
fn decoder(row: &mut Row, makers: &[Maker]) -> Box<str> {
    let name = row.get(DECODER);
    if name.is_empty() || name == OURS {
        return Box::default();
    }
    if !makers.iter().any(|maker| maker.name == name) {
        let makers = makers.iter().map(|maker| format!(", {}", maker.name));
        let there = format!("{OURS}{}", makers.collect::<String>());
        row.fault(DECODER, format!("no such decoder: write one of {there}, or nothing for {OURS}"));
    }
    name.into()
}

fn interval(row: &mut Row) -> Option<u32> {
    let text = row.get("interval_s");
    if text.is_empty() {
        return None;
    }
    let seconds = text.parse().ok().filter(|seconds| (1..=MAX_INTERVAL_S).contains(seconds));
    if seconds.is_none() {
        let text = format!("not an interval: write 1 to {MAX_INTERVAL_S} seconds, or nothing");
        row.fault("interval_s", text);
    }
    seconds
}
