//! The names and places of the town: a part of Banan, Chongqing, as somebody who never measured
//! it would draw it. Coordinates are believable, not surveyed.
//!
//! How devices are laid out on it is in `layout.rs`.

/// A station's or a street's name in the two languages of the town.
#[derive(Clone, Copy, Debug)]
pub struct BilingualName {
    pub zh: &'static str,
    pub en: &'static str,
}

const fn words(zh: &'static str, en: &'static str) -> BilingualName {
    BilingualName { zh, en }
}

/// A station as it is drawn here.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// Its id; a township's is also the area of the devices it installed.
    pub id: &'static str,
    pub name: BilingualName,
    /// `district`, `township`, `community` or `village`.
    pub level: &'static str,
    /// The id of the one above; empty for the district.
    pub parent: &'static str,
    pub lat: f64,
    pub lon: f64,
}

#[rustfmt::skip] // a table
const fn seat(id: &'static str, name: BilingualName, level: &'static str, parent: &'static str, at: (f64, f64)) -> Seat {
    Seat { id, name, level, parent, lat: at.0, lon: at.1 }
}

/// The detachment, townships and their communities and villages; those above come first.
#[rustfmt::skip] // a table
pub const STATIONS: [Seat; 19] = [
    seat("banan",        words("巴南支队", "Banan Detachment"), "district",  "",            (29.4025, 106.5400)),
    seat("yudong",       words("鱼洞", "Yudong"),               "township",  "banan",       (29.3830, 106.5210)),
    seat("lijiatuo",     words("李家沱", "Lijiatuo"),           "township",  "banan",       (29.4690, 106.5450)),
    seat("huaxi",        words("花溪", "Huaxi"),                "township",  "banan",       (29.4460, 106.5560)),
    seat("nanquan",      words("南泉", "Nanquan"),              "township",  "banan",       (29.4290, 106.6110)),
    seat("jieshi",       words("界石", "Jieshi"),               "township",  "banan",       (29.3990, 106.6350)),
    seat("longzhouwan",  words("龙洲湾", "Longzhouwan"),        "township",  "banan",       (29.4080, 106.5330)),
    seat("xinshijie",    words("新市街", "Xinshijie"),          "community", "yudong",      (29.3852, 106.5236)),
    seat("dajiang",     words("大江", "Dajiang"),              "community", "yudong",      (29.3791, 106.5165)),
    seat("mawangping",   words("马王坪", "Mawangping"),         "community", "lijiatuo",    (29.4713, 106.5482)),
    seat("qilong",       words("其龙", "Qilong"),               "village",   "lijiatuo",    (29.4634, 106.5398)),
    seat("hongguang",    words("红光", "Hongguang"),            "community", "huaxi",       (29.4487, 106.5529)),
    seat("minzhu",       words("民主", "Minzhu"),               "village",   "huaxi",       (29.4431, 106.5601)),
    seat("huxiao",       words("虎啸", "Huxiao"),               "village",   "nanquan",     (29.4251, 106.6173)),
    seat("baihelin",     words("白鹤林", "Baihelin"),           "community", "nanquan",     (29.4316, 106.6072)),
    seat("haitang",      words("海棠", "Haitang"),              "community", "jieshi",      (29.4012, 106.6319)),
    seat("xinyu",        words("新玉", "Xinyu"),                "village",   "jieshi",      (29.3954, 106.6402)),
    seat("longde",       words("龙德", "Longde"),               "community", "longzhouwan", (29.4103, 106.5305)),
    seat("longhai",      words("龙海", "Longhai"),              "community", "longzhouwan", (29.4051, 106.5361)),
];

/// The stations that own zones and buildings, in the order in which zones are given out: the
/// first four are the stage of the opening script.
pub const OWNERS: [&str; 12] = [
    "xinshijie",
    "mawangping",
    "hongguang",
    "huxiao",
    "haitang",
    "longde",
    "dajiang",
    "qilong",
    "minzhu",
    "baihelin",
    "xinyu",
    "longhai",
];

/// Streets that hydrants stand on.
pub const STREETS: [BilingualName; 14] = [
    words("大江路", "Dajiang Rd"),
    words("鱼轻路", "Yuqing Rd"),
    words("巴县大道", "Baxian Ave"),
    words("渝南大道", "Yunan Ave"),
    words("箭河路", "Jianhe Rd"),
    words("红星路", "Hongxing Rd"),
    words("龙洲大道", "Longzhou Ave"),
    words("石桂大道", "Shigui Ave"),
    words("富洲路", "Fuzhou Rd"),
    words("滨江路", "Riverside Rd"),
    words("学堂湾", "Xuetang Bend"),
    words("温泉路", "Hot Spring Rd"),
    words("桂花街", "Guihua St"),
    words("老码头", "Old Pier"),
];

/// High-rises with a detector on many floors; the first is the stage of the first fire.
pub const BUILDINGS: [BilingualName; 10] = [
    words("新华大厦", "Xinhua Building"),
    words("江景苑", "Jiangjing Court"),
    words("花溪花园", "Huaxi Gardens"),
    words("龙泉公寓", "Longquan Apartments"),
    words("海棠苑", "Haitang Court"),
    words("学府楼", "Xuefu House"),
    words("百货大楼", "Department Store"),
    words("桂花苑", "Guihua Court"),
    words("南山阁", "Nanshan House"),
    words("医院住院楼", "Hospital Ward Block"),
];

/// The station of that id.
pub fn station(id: &str) -> Option<&'static Seat> {
    STATIONS.iter().find(|station| station.id == id)
}

/// The township a station is, or belongs to; its id is the area in topics.
pub fn township(id: &str) -> &'static str {
    station(id)
        .map_or("banan", |owner| if owner.level == "township" { owner.id } else { owner.parent })
}

#[cfg(test)]
mod tests {
    use super::{OWNERS, STATIONS, station, township};
    use standpipe_shared::Name;

    #[test]
    fn every_station_has_a_name_of_the_contract_and_a_parent_above_it() {
        for (at, station) in STATIONS.iter().enumerate() {
            assert!(Name::new(station.id).is_ok(), "{}", station.id);
            let above = STATIONS.iter().position(|up| up.id == station.parent);
            assert!(above.is_none_or(|up| up < at), "{}", station.id);
            assert_eq!(above.is_none(), station.level == "district", "{}", station.id);
        }
        for owner in OWNERS {
            assert!(station(owner).is_some(), "{owner}");
            assert!(
                station(township(owner)).is_some_and(|station| station.level == "township"),
                "{owner}"
            );
        }
    }
}
