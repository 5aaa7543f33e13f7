//! Files → what is to be registered, every fault, and every doubt.
//!
//! Every bad row is told with its line, column, value, reason and what to do; whether the good rows are
//! then taken, and what doubts are worth, is the caller's decision. Pure: bytes in, rows and reports out.

use standpipe_rules::incidents::Text;
use standpipe_rules::registry::{Device, DeviceIx, Registry, Station};

use crate::columns::ListOptions;
use crate::datum::{Datum, MapPlace};
use crate::fault::{BadRow, both};
use crate::rows::Read;
use crate::table::File;
use crate::{check, devices, doubts, stations};

/// Devices without a place that are named; the rest are counted.
const NAMED: usize = 10;

/// What two files say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// Good stations, in the order of the file.
    pub stations: Vec<Station>,
    /// Good devices, in the order of the file.
    pub devices: Vec<Device>,
    /// Everything that is wrong, by file and line.
    pub bad: Vec<BadRow>,
    /// What is likely wrong with a list as a whole.
    pub doubts: Vec<Text>,
    /// What was ignored and may be of interest.
    pub notes: Vec<Text>,
    /// How places were taken, where nobody said in which datum they are.
    pub datum: Option<Text>,
}

impl Import {
    /// Reads one file or both; what they refer to may also be in `known`, whose profiles count. A file
    /// that has only its header is a bad one where `known` has what it should list: somebody saved an
    /// empty sheet. Where `known` has nothing, it is a note.
    ///
    /// ```
    /// use standpipe_lists::{File, Import};
    /// use standpipe_rules::registry::Registry;
    ///
    /// let stations = File {
    ///     name: "stations.csv",
    ///     bytes: b"id,name,level,parent,lat,lon\nT03,Lidu,township,,29.4,106.5\n",
    /// };
    /// let devices = File {
    ///     name: "devices.csv",
    ///     bytes: b"id,kind,name,station,zone,profile,lat,lon,address\n\
    ///              HY-1,hydrant,Bridge,T03,,municipal,29.4,106.5,\n\
    ///              HY-2,hydrant,Market,T04,,municipal,29.4,106.5,\n",
    /// };
    /// let mut registry = Registry::new([]);
    /// let import = Import::read(Some(stations), Some(devices), &registry);
    /// assert_eq!(
    ///     import.bad[0].to_string(),
    ///     "devices.csv:3: station = `T04`: no such good station: correct it, or add it to the stations"
    /// );
    /// assert_eq!(import.put(&mut registry).len(), 1, "the good rows, if they are wanted alone");
    /// ```
    #[must_use]
    pub fn read(stations: Option<File>, devices: Option<File>, known: &Registry) -> Self {
        Self::read_as(stations, devices, known, &ListOptions::default())
    }

    /// The same, of files of which somebody says something.
    #[must_use]
    pub fn read_as(
        stations: Option<File>,
        devices: Option<File>,
        known: &Registry,
        options: &ListOptions,
    ) -> Self {
        let mut read_stations =
            stations.map(|file| stations::read(file, known, options)).unwrap_or_default();
        let devices::ReadDevices { read: mut read_devices, zeros } =
            devices.map(|file| devices::read(file, known, options)).unwrap_or_default();
        let claimed = known.devices().iter().filter(|device| device.claimed).count();
        if stations.is_some() {
            check::rows(&mut read_stations, known.stations().len());
        }
        if devices.is_some() {
            check::rows(&mut read_devices, claimed);
        }
        let unread = read_stations.rows.is_empty() && !read_stations.bad.is_empty();
        check::stations(&mut read_stations, known);
        let mut import = Self::default();
        if !unread {
            check::devices(&mut read_devices, &read_stations, known); // else: all, for one reason
            let places = doubts::StationPlaces::of(&read_stations.rows, known);
            import.doubts = doubts::of(&read_devices, &zeros, &places, known);
        }
        without_place(&mut read_devices);
        if options.utm.is_none() {
            import.datum = of_unsaid_datum(&read_devices, options.datum);
        }
        for (bad, notes) in
            [(read_stations.bad, read_stations.notes), (read_devices.bad, read_devices.notes)]
        {
            let from = import.bad.len();
            import.bad.extend(bad);
            if let Some(of_file) = import.bad.get_mut(from..) {
                of_file.sort_by_key(|fault| fault.line);
            }
            import.notes.extend(notes);
        }
        import.stations = read_stations.rows.into_iter().map(|numbered| numbered.row).collect();
        import.devices = read_devices.rows.into_iter().map(|numbered| numbered.row).collect();
        import
    }

    /// Puts the good rows into a registry. A device that was heard before stays where it spoke
    /// from.
    pub fn put(self, registry: &mut Registry) -> Vec<DeviceIx> {
        for station in self.stations {
            registry.put_station(station);
        }
        let mut put = Vec::with_capacity(self.devices.len());
        for mut device in self.devices {
            let before = registry.find(&device.id).and_then(|ix| registry.device(ix));
            if let Some(before) = before {
                device.area = before.area.clone();
            }
            put.push(registry.put_device(device));
        }
        put
    }
}

/// Lists the devices that are on no map and in no list of the nearest water.
fn without_place(read: &mut Read<Device>) {
    let unplaced: Vec<&str> = read
        .rows
        .iter()
        .filter(|numbered| numbered.row.lat.is_none())
        .map(|numbered| &*numbered.row.id)
        .collect();
    if unplaced.is_empty() {
        return;
    }
    let count = unplaced.len();
    let more = if count > NAMED { ", …" } else { "" };
    let ids = unplaced.get(..NAMED.min(count)).unwrap_or_default().join(", ");
    read.note(&both(
        format!("{count} without a place, on no map and in no list of nearest water: {ids}{more}"),
        format!("{count} 个设备没有位置，不在地图上，也不会列为最近水源：{ids}{more}"),
    ));
}

/// Of a list from China nobody said in which datum it is: how it is taken.
fn of_unsaid_datum(read: &Read<Device>, said: Option<Datum>) -> Option<Text> {
    let in_china = |device: &Device| {
        let place = device.lat.zip(device.lon);
        place.is_some_and(|(lat, lon)| MapPlace { lat, lon }.is_in_china())
    };
    let any = read.rows.iter().any(|numbered| in_china(&numbered.row));
    let file = &read.file;
    match (said, read.datum()) {
        (None, Some(datum)) => {
            let name = datum.name();
            Some(both(
                format!("{file}: places are taken as {name}, as the columns' names say"),
                format!("{file}：坐标按列名所示的 {name} 读取"),
            ))
        }
        (None, None) if any => Some(both(
            format!(
                "{file}: places are taken as WGS-84 (GPS): if they come from a Chinese map, say --datum \
                 gcj02 (Amap, Tencent) or bd09 (Baidu)"
            ),
            format!(
                "{file}：坐标按 WGS-84（GPS）读取：如取自国内地图，请用 --datum gcj02（高德、腾讯）或 \
                 bd09（百度）"
            ),
        )),
        (Some(_), _) | (None, None) => None,
    }
}
