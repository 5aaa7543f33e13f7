//! Places as maps of China draw them, and as surveyors write them, → WGS-84, which everything else here is
//! in.
//!
//! China's maps move every place by some 500 m: GCJ-02 (Amap, Tencent, and Google within China), and on top
//! of it BD-09 (Baidu). The formulas are published nowhere officially; these are the ones that all open
//! libraries share (eviltransform, coordtransform), good to a metre. They are undone by iteration. UTM is
//! undone by Krüger's series (Karney 2011, to the fourth order: under a millimetre).

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// The semi-major axis of Krasovsky's ellipsoid, metres, as the formulas have it.
const KRASOVSKY_M: f64 = 6_378_245.0;
/// The square of its eccentricity, likewise.
const KRASOVSKY_EE: f64 = 0.006_693_421_622_965_943;
/// Baidu's own factor.
const BAIDU: f64 = PI * 3_000.0 / 180.0;
/// Rounds of undoing: each makes the rest some thousand times smaller.
const ROUNDS: usize = 6;

/// How degrees are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Datum {
    /// GPS, OpenStreetMap, GeoJSON.
    #[default]
    Wgs84,
    /// Amap (高德), Tencent.
    Gcj02,
    /// Baidu (百度).
    Bd09,
}

impl Datum {
    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wgs84 => "WGS-84",
            Self::Gcj02 => "GCJ-02",
            Self::Bd09 => "BD-09",
        }
    }
}

impl FromStr for Datum {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().replace('-', "").as_str() {
            "wgs84" => Ok(Self::Wgs84),
            "gcj02" => Ok(Self::Gcj02),
            "bd09" => Ok(Self::Bd09),
            _ => Err(()),
        }
    }
}

/// Degrees north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapPlace {
    pub lat: f64,
    pub lon: f64,
}

impl MapPlace {
    /// Metres along the ground to another place (haversine).
    #[must_use]
    pub fn metres_to(self, other: Self) -> f64 {
        let (from, to) = (self.lat.to_radians(), other.lat.to_radians());
        let half = |degrees: f64| libm::sin(degrees.to_radians() / 2.0);
        let (north, east) = (half(other.lat - self.lat), half(other.lon - self.lon));
        let chord = north * north + libm::cos(from) * libm::cos(to) * east * east;
        2.0 * 6_371_000.0 * libm::asin(chord.sqrt().min(1.0))
    }

    /// Whether maps of China move it.
    #[must_use]
    pub fn is_in_china(self) -> bool {
        (0.8293..=55.8271).contains(&self.lat) && (72.004..=137.8347).contains(&self.lon)
    }

    /// As it is in WGS-84.
    #[must_use]
    pub fn from_datum(self, datum: Datum) -> Self {
        match datum {
            Datum::Wgs84 => self,
            Datum::Gcj02 => undone(self, to_gcj02),
            Datum::Bd09 => undone(undone(self, to_bd09), to_gcj02),
        }
    }

    /// As a map in that datum draws this place of WGS-84.
    #[must_use]
    pub fn to_datum(self, datum: Datum) -> Self {
        match datum {
            Datum::Wgs84 => self,
            Datum::Gcj02 => to_gcj02(self),
            Datum::Bd09 => to_bd09(to_gcj02(self)),
        }
    }
}

/// The place that `moved` moves here.
fn undone(here: MapPlace, moved: fn(MapPlace) -> MapPlace) -> MapPlace {
    let mut from = here;
    for _ in 0..ROUNDS {
        let there = moved(from);
        from =
            MapPlace { lat: from.lat + here.lat - there.lat, lon: from.lon + here.lon - there.lon };
    }
    from
}

fn to_gcj02(place: MapPlace) -> MapPlace {
    if !place.is_in_china() {
        return place;
    }
    let (x, y) = (place.lon - 105.0, place.lat - 35.0);
    let root = x.abs().sqrt();
    let wave = |factor: f64, of: f64| libm::sin(factor * of * PI);
    let common = (20.0 * wave(6.0, x) + 20.0 * wave(2.0, x)) * 2.0 / 3.0;
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * root
        + common
        + (20.0 * wave(1.0, y) + 40.0 * wave(1.0 / 3.0, y)) * 2.0 / 3.0
        + (160.0 * wave(1.0 / 12.0, y) + 320.0 * wave(1.0 / 30.0, y)) * 2.0 / 3.0;
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * root
        + common
        + (20.0 * wave(1.0, x) + 40.0 * wave(1.0 / 3.0, x)) * 2.0 / 3.0
        + (150.0 * wave(1.0 / 12.0, x) + 300.0 * wave(1.0 / 30.0, x)) * 2.0 / 3.0;
    let latitude = place.lat.to_radians();
    let sine = libm::sin(latitude);
    let magic = 1.0 - KRASOVSKY_EE * sine * sine;
    let root = magic.sqrt();
    let metres_a_degree_north = KRASOVSKY_M * (1.0 - KRASOVSKY_EE) / (magic * root) * PI / 180.0;
    let metres_a_degree_east = KRASOVSKY_M / root * libm::cos(latitude) * PI / 180.0;
    MapPlace {
        lat: place.lat + north / metres_a_degree_north,
        lon: place.lon + east / metres_a_degree_east,
    }
}

/// From GCJ-02.
fn to_bd09(place: MapPlace) -> MapPlace {
    let MapPlace { lat: y, lon: x } = place;
    let z = libm::sqrt(x * x + y * y) + 0.000_02 * libm::sin(y * BAIDU);
    let theta = libm::atan2(y, x) + 0.000_003 * libm::cos(x * BAIDU);
    MapPlace { lat: z * libm::sin(theta) + 0.006, lon: z * libm::cos(theta) + 0.006_5 }
}

/// Six degrees of longitude, north or south of the equator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtmZone {
    /// 1 to 60.
    number: u8,
    south: bool,
}

impl FromStr for UtmZone {
    type Err = ();

    /// `48N`, `24S`: the hemisphere, not the letter of a band.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim().to_ascii_uppercase();
        let (number, south) = match (text.strip_suffix('N'), text.strip_suffix('S')) {
            (Some(number), _) => (number, false),
            (None, Some(number)) => (number, true),
            (None, None) => return Err(()),
        };
        let number = number.parse().ok().filter(|number| (1..=60).contains(number)).ok_or(())?;
        Ok(Self { number, south })
    }
}

impl fmt::Display for UtmZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, if self.south { 'S' } else { 'N' })
    }
}

impl UtmZone {
    /// The place at so many metres; `None`: such metres are in no zone.
    #[must_use]
    pub fn place(self, metres: UtmMetres) -> Option<MapPlace> {
        let UtmMetres { northing, easting } = metres;
        if !(0.0..=10_000_000.0).contains(&northing) || !(100_000.0..=900_000.0).contains(&easting)
        {
            return None;
        }
        let flattening = 1.0 / 298.257_223_563;
        let n = flattening / (2.0 - flattening);
        let (n2, n3, n4) = (n * n, n * n * n, n * n * n * n);
        let rectifying = 6_378_137.0 / (1.0 + n) * (1.0 + n2 / 4.0 + n4 / 64.0);
        let beta = [
            n / 2.0 - 2.0 / 3.0 * n2 + 37.0 / 96.0 * n3 - n4 / 360.0,
            n2 / 48.0 + n3 / 15.0 - 437.0 / 1_440.0 * n4,
            17.0 / 480.0 * n3 - 37.0 / 840.0 * n4,
            4_397.0 / 161_280.0 * n4,
        ];
        let delta = [
            2.0 * n - 2.0 / 3.0 * n2 - 2.0 * n3 + 116.0 / 45.0 * n4,
            7.0 / 3.0 * n2 - 8.0 / 5.0 * n3 - 227.0 / 45.0 * n4,
            56.0 / 15.0 * n3 - 136.0 / 35.0 * n4,
            4_279.0 / 630.0 * n4,
        ];
        let false_northing = if self.south { 10_000_000.0 } else { 0.0 };
        let xi = (northing - false_northing) / (0.9996 * rectifying);
        let eta = (easting - 500_000.0) / (0.9996 * rectifying);
        let (mut xi_, mut eta_) = (xi, eta);
        for (beta, j) in beta.into_iter().zip([2.0, 4.0, 6.0, 8.0]) {
            xi_ -= beta * libm::sin(j * xi) * libm::cosh(j * eta);
            eta_ -= beta * libm::cos(j * xi) * libm::sinh(j * eta);
        }
        let chi = libm::asin(libm::sin(xi_) / libm::cosh(eta_));
        let mut latitude = chi;
        for (delta, j) in delta.into_iter().zip([2.0, 4.0, 6.0, 8.0]) {
            latitude += delta * libm::sin(j * chi);
        }
        let east = libm::atan2(libm::sinh(eta_), libm::cos(xi_)).to_degrees();
        let meridian = f64::from(self.number) * 6.0 - 183.0;
        Some(MapPlace { lat: latitude.to_degrees(), lon: meridian + east })
    }
}

/// Where a place is in its zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UtmMetres {
    pub northing: f64,
    pub easting: f64,
}

#[cfg(test)]
mod tests {
    use super::{Datum, MapPlace, UtmMetres, UtmZone};

    fn place(lat: f64, lon: f64) -> MapPlace {
        MapPlace { lat, lon }
    }

    /// Numbers that others publish: the tests of eviltransform and the README of coordtransform.
    #[test]
    #[rustfmt::skip] // a table
    fn places_are_moved_as_the_libraries_that_everybody_uses_move_them() {
        for (from, datum, expected) in [
            (place(31.1774276, 121.5272106), Datum::Gcj02, place(31.17530398364597, 121.531541859215)),
            (place(22.543847, 113.912316),   Datum::Gcj02, place(22.540796131694766, 113.9171764808363)),
            (place(39.911954, 116.377817),   Datum::Gcj02, place(39.91334545536069, 116.38404722455657)),
            (place(39.915, 116.404),         Datum::Gcj02, place(39.91640428150164, 116.41024449916938)),
        ] {
            let moved = from.to_datum(datum);
            assert!(moved.metres_to(expected) < 0.001, "{from:?}: {moved:?}");
            assert!(moved.from_datum(datum).metres_to(from) < 0.001, "{from:?} and back");
        }
        // Baidu's own step alone: from GCJ-02 39.915, 116.404.
        let baidu = place(39.92133699351021, 116.41036949371029).from_datum(Datum::Bd09);
        let amap = place(39.915, 116.404).from_datum(Datum::Gcj02);
        assert!(baidu.metres_to(amap) < 0.01, "{baidu:?} {amap:?}");
    }

    #[test]
    fn at_banan_the_maps_are_off_by_what_was_measured_there() {
        let banan = place(29.381917, 106.55129);
        let off = |datum| banan.to_datum(datum).metres_to(banan).round();
        assert!((off(Datum::Gcj02) - 483.0).abs() < 8.0, "{}", off(Datum::Gcj02));
        assert!((off(Datum::Bd09) - 1_055.0).abs() < 15.0, "{}", off(Datum::Bd09));
        let paris = place(48.8566, 2.3522);
        assert_eq!(paris.to_datum(Datum::Gcj02), paris, "only China's places are moved");
    }

    /// Numbers of others: NGA's examples, and Fortaleza's own list.
    #[test]
    #[rustfmt::skip] // a table
    fn metres_of_utm_are_a_place() {
        for (zone, northing, easting, expected) in [
            ("31N", 5_411_932.68, 448_251.80,  place(48.8582, 2.2945)),   // the Eiffel Tower
            ("17N", 4_833_438.55, 630_084.30,  place(43.642567, -79.387139)), // the CN Tower
            ("24S", 9_587_851.47, 555_011.157, place(-3.7286, -38.5046)), // Meireles, Fortaleza
        ] {
            let zone: UtmZone = zone.parse().unwrap();
            let found = zone.place(UtmMetres { northing, easting }).unwrap();
            assert!(found.metres_to(expected) < 30.0, "{found:?}");
        }
        let zone: UtmZone = "48n".parse().unwrap();
        assert_eq!(zone.place(UtmMetres { northing: 29.4, easting: 106.5 }), None, "degrees");
        for bad in ["", "N", "61N", "0S", "48", "48R"] {
            assert_eq!(bad.parse::<UtmZone>(), Err(()), "{bad}");
        }
    }

    /// Against the definition: along the central meridian, arc lengths of the ellipsoid.
    #[test]
    fn on_the_central_meridian_utm_is_the_scaled_arc() {
        let zone: UtmZone = "48N".parse().unwrap();
        // 4,984,944.378 m: the meridian's arc from the equator to 45° of WGS-84.
        let at = zone.place(UtmMetres { northing: 4_984_944.378 * 0.9996, easting: 500_000.0 });
        let at = at.unwrap();
        assert!((at.lat - 45.0).abs() < 1e-8 && (at.lon - 105.0).abs() < 1e-9, "{at:?}");
    }
}
