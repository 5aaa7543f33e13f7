//! Places on the ground, how far apart they are and in which direction.
//!
//! Sines come from `libm`, not from the system's C library: two machines that differ in the last bit
//! would name another nearest hydrant. (Square roots and remainders are exact everywhere.)

use libm::{asin, atan2, cos, sin};

use crate::registry::{Device, DeviceIx, Registry, Station};

/// Mean radius of the earth, m (IUGG).
const EARTH_M: f64 = 6_371_008.8;

/// Latitude and longitude, degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Coordinates {
    lat: f64,
    lon: f64,
}

impl Coordinates {
    /// Where a device is, if that is known.
    pub(super) fn of(device: &Device) -> Option<Self> {
        Some(Self { lat: device.lat?, lon: device.lon? })
    }

    /// Where the device of that number is, if that is known.
    pub(super) fn at(registry: &Registry, ix: DeviceIx) -> Option<Self> {
        registry.device(ix).and_then(Self::of)
    }

    /// Where a station is.
    pub(super) const fn station(station: &Station) -> Self {
        Self { lat: station.lat, lon: station.lon }
    }

    /// Metres along the ground (haversine).
    pub(super) fn metres(self, to: Self) -> f64 {
        let (lat, lon) = ((to.lat - self.lat).to_radians(), (to.lon - self.lon).to_radians());
        let cosines = cos(self.lat.to_radians()) * cos(to.lat.to_radians());
        let (north, east) = (sin(lat / 2.0), sin(lon / 2.0));
        let h = north * north + cosines * east * east;
        2.0 * EARTH_M * asin(h.sqrt())
    }

    /// Degrees from north, clockwise, 0 to 360, of the straight way there.
    pub(super) fn bearing(self, to: Self) -> f64 {
        let (from, there) = (self.lat.to_radians(), to.lat.to_radians());
        let lon = (to.lon - self.lon).to_radians();
        let east = sin(lon) * cos(there);
        let north = cos(from) * sin(there) - sin(from) * cos(there) * cos(lon);
        atan2(east, north).to_degrees().rem_euclid(360.0)
    }

    /// Metres and bearing as people read them.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 20,000 km; 0 to 359°"
    )]
    pub(super) fn way(self, to: Self) -> (u32, u16) {
        (self.metres(to).round() as u32, self.bearing(to).round() as u16 % 360)
    }

    /// On a ball of radius 1: straight distances there are in the order of those on the ground.
    pub(super) fn on_ball(self) -> [f64; 3] {
        let (lat, lon) = (self.lat.to_radians(), self.lon.to_radians());
        [cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)]
    }
}

/// How far, m, and in which direction, degrees from north, it is from one place to another; each
/// latitude and longitude.
#[must_use]
pub fn way((lat, lon): (f64, f64), (to_lat, to_lon): (f64, f64)) -> (u32, u16) {
    Coordinates { lat, lon }.way(Coordinates { lat: to_lat, lon: to_lon })
}

/// The straight way on a ball of radius 1 between places that are so many metres apart.
pub(super) fn straight_way(metres: f64) -> f64 {
    2.0 * sin(metres / (2.0 * EARTH_M))
}

#[cfg(test)]
mod tests {
    use super::{Coordinates, straight_way};

    /// Expected values: spherical geometry on the mean radius; a degree of latitude is 111,195 m.
    #[test]
    #[rustfmt::skip] // a table
    fn distances_and_directions() {
        for (story, from, to, metres, degrees) in [
            ("a degree north",       (29.0, 106.0), (30.0, 106.0), 111_195.1,   0.0),
            ("a degree south",       (30.0, 106.0), (29.0, 106.0), 111_195.1, 180.0),
            ("a degree east, at 60", (60.0, 106.0), (60.0, 107.0),  55_597.0,  89.6),
            ("a degree west, at 60", (60.0, 107.0), (60.0, 106.0),  55_597.0, 270.4),
            ("on the equator",       ( 0.0,   0.0), ( 0.0,   1.0), 111_195.1,  90.0),
            ("across the date line", ( 0.0, 179.5), ( 0.0,-179.5), 111_195.1,  90.0),
            ("nowhere",              (29.0, 106.0), (29.0, 106.0),       0.0,   0.0),
            ("Paris to New York",    (48.8566, 2.3522), (40.7128, -74.0060), 5_837_240.0, 291.8),
        ] {
            let [from, to] = [from, to].map(|(lat, lon)| Coordinates { lat, lon });
            let slack = 1.0 + metres * 1e-5;
            assert!((from.metres(to) - metres).abs() < slack, "{story}: {}", from.metres(to));
            assert!((from.bearing(to) - degrees).abs() < 0.06, "{story}: {}", from.bearing(to));
        }
    }

    /// To the last bit over 10,000 places: another machine and another C library give these too.
    #[test]
    fn every_machine_decides_alike() {
        let from = Coordinates { lat: 29.3801, lon: 106.5215 };
        let mut bits = [0_u64; 3];
        for n in 0..10_000_u32 {
            let (row, column) = (f64::from(n / 100), f64::from(n % 100));
            let to = Coordinates { lat: 29.2 + row * 0.0037, lon: 106.3 + column * 0.0041 };
            let found = [from.metres(to), from.bearing(to), to.on_ball().iter().sum()];
            for (bits, found) in bits.iter_mut().zip(found) {
                *bits = bits.rotate_left(1) ^ found.to_bits();
            }
        }
        let known = [0x1ac4_f57e_8feb_863c, 0xa95f_62fa_5ed0_7345, 0xea81_3e8f_1cda_80bc];
        assert_eq!(bits, known, "{bits:#x?}");
    }

    #[test]
    fn the_ball_keeps_the_order() {
        let ball = |lat, lon| Coordinates { lat, lon }.on_ball();
        for (place, [x, y, z]) in [
            (ball(0.0, 0.0), [1.0, 0.0, 0.0]),
            (ball(0.0, 90.0), [0.0, 1.0, 0.0]),
            (ball(90.0, 0.0), [0.0, 0.0, 1.0]),
            (ball(60.0, 0.0), [0.5, 0.0, 0.866_025]),
            (ball(60.0, 90.0), [0.0, 0.5, 0.866_025]),
        ] {
            for (got, expected) in place.into_iter().zip([x, y, z]) {
                assert!((got - expected).abs() < 1e-6, "{place:?}");
            }
        }
    }

    /// Longer, and fires would be looked at for hydrants that are too far; shorter, and a nearer
    /// hydrant would not be seen.
    #[test]
    fn the_straight_way_is_that_between_places_on_the_ball() {
        let from = Coordinates { lat: 29.4, lon: 106.5 };
        for (story, lat, lon) in [
            ("across the street", 29.4003, 106.5),
            ("across the town", 29.5, 106.7),
            ("across the country", 45.0, 127.0),
            ("across the world", -20.0, -80.0),
        ] {
            let to = Coordinates { lat, lon };
            let sides = from.on_ball().into_iter().zip(to.on_ball());
            let squared = sides.map(|(one, other)| (one - other) * (one - other)).sum::<f64>();
            let way = straight_way(from.metres(to));
            assert!((way * way / squared - 1.0).abs() < 1e-6, "{story}: {way}");
        }
    }
}
