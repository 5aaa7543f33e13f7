//! A small town in two files.

use std::fmt::Write;

/// One district and `stations` townships.
#[must_use]
pub fn stations(stations: usize) -> String {
    let mut text = "id,name,level,parent,lat,lon\n\
                    district,District,district,,29.40,106.54\n"
        .to_owned();
    for n in 1..=stations {
        let lon = 106.50 + n as f64 * 0.02;
        let _ = writeln!(text, "t-{n},Township {n},township,district,29.38,{lon}");
    }
    text
}

/// `hydrants` named H-1… of township t-1 in zones of ten, and `detectors` named S-1… beside them.
#[must_use]
pub fn devices(hydrants: usize, detectors: usize, interval_s: u32) -> String {
    let mut text =
        "id,kind,name,station,zone,profile,lat,lon,address,building,floor,interval_s\n".to_owned();
    for n in 1..=hydrants {
        let (zone, lon) = ((n - 1) / 10, 106.52 + n as f64 * 0.0005);
        let _ = writeln!(
            text,
            "H-{n},hydrant,Hydrant {n},t-1,z-{zone},municipal,29.38,{lon},Road {n},,,{interval_s}"
        );
    }
    for n in 1..=detectors {
        let lon = 106.52 + n as f64 * 0.0005;
        let _ = writeln!(
            text,
            "S-{n},smoke,Detector {n},t-1,,smoke_home,29.3801,{lon},Road {n},House {n},1F,{interval_s}"
        );
    }
    text
}
