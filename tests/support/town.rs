//! A small town in two files.

use std::fmt::Write;

/// One district and `stations` townships.
#[must_use]
pub fn stations(stations: usize) -> String {
    let mut text = "id,name,level,parent,lat,lon,phone\n\
                    district,District,district,,29.40,106.54,119\n"
        .to_owned();
    for n in 1..=stations {
        let lon = 106.50 + n as f64 * 0.02;
        let _ = writeln!(text, "t-{n},Township {n},township,district,29.38,{lon},023-6621 000{n}");
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

/// A district, two townships and a village, as such places are called.
#[must_use]
pub fn chinese_stations() -> String {
    "id,name,level,parent,lat,lon,phone\n\
     banan,巴南区消防救援大队,district,,29.4020,106.5406,119\n\
     lidu,李渡镇消防救援站,township,banan,29.3810,106.5290,023-66210119\n\
     huaxi,花溪镇消防救援站,township,banan,29.4415,106.5260,\n\
     qiaotou,桥头村志愿消防队,village,lidu,29.3790,106.5320,\n"
        .to_owned()
}

/// Twelve hydrants along a river and four detectors in two houses.
#[must_use]
pub fn chinese_devices() -> String {
    let mut text =
        "id,kind,name,station,zone,profile,lat,lon,address,building,floor,interval_s\n".to_owned();
    for n in 1..=12 {
        let (lat, lon) = (29.3800 + f64::from(n % 3) * 0.0016, 106.5260 + f64::from(n) * 0.0011);
        let _ = writeln!(
            text,
            "H-{n:03},hydrant,滨江路{n}号栓,lidu,临江分区,municipal,{lat:.4},{lon:.4},\
             李渡镇滨江路{}号,,,900",
            n * 12
        );
    }
    for (n, floor, name) in
        [(1, "3", "厨房烟感"), (2, "3", "走廊烟感"), (3, "2", "客厅烟感"), (4, "1", "库房烟感")]
    {
        let _ = writeln!(
            text,
            "S-{n:03},smoke,{name},lidu,,smoke_home,29.3812,106.53{n}1,\
             李渡镇新华路18号,新华大厦,{floor},900"
        );
    }
    text
}
