//! `stations.csv` and `devices.csv`: rows → registry, and back.
//!
//! Columns are found by their header, in any order. Every bad row is told with its line, column,
//! value, reason and what to do; whether the good rows are then taken is the caller's decision.
//! Pure: bytes in, rows and reports out. Not here: `readings.csv` (`standpipe::cli`).

mod check;
mod devices;
mod lines;
mod rows;
mod stations;
mod write;

use std::fmt;

use super::{Device, DeviceIx, Registry, Station};
pub use lines::Lines;
pub use write::{devices as write_devices, stations as write_stations};

/// A file's name, for reports, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// As the person gave it.
    pub name: &'a str,
    /// UTF-8, with or without a byte order mark; lines end with LF, CRLF or CR.
    pub bytes: &'a [u8],
}

/// One value, row or column that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    pub file: Box<str>,
    /// The line, from 1; the header is line 1.
    pub line: u64,
    /// The column's header; empty: the whole row.
    pub column: Box<str>,
    pub value: Box<str>,
    /// What is wrong with it, and what to do.
    pub text: Box<str>,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, value, text } = self;
        write!(f, "{file}:{line}: ")?;
        match (column.is_empty(), value.is_empty()) {
            (true, _) => write!(f, "{text}"),
            (false, true) => write!(f, "{column}: {text}"),
            (false, false) => write!(f, "{column} = `{value}`: {text}"),
        }
    }
}

/// What two files say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// Good stations, in the order of the file.
    pub stations: Vec<Station>,
    /// Good devices, in the order of the file.
    pub devices: Vec<Device>,
    /// Everything that is wrong, by file and line.
    pub bad: Vec<BadRow>,
    /// What was ignored and may be of interest.
    pub notes: Vec<String>,
}

impl Import {
    /// Reads one file or both; what they refer to may also be in `known`, whose profiles count. A file
    /// that has only its header is a bad one where `known` has what it should list: somebody saved an
    /// empty sheet. Where `known` has nothing, it is a note.
    ///
    /// ```
    /// use standpipe_rules::registry::Registry;
    /// use standpipe_rules::registry::files::{File, Import};
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
        let mut read_stations = stations.map(stations::read).unwrap_or_default();
        let mut read_devices = devices.map(|file| devices::read(file, known)).unwrap_or_default();
        let claimed = known.devices().iter().filter(|device| device.claimed).count();
        if stations.is_some() {
            check::rows(&mut read_stations, known.stations().len());
        }
        if devices.is_some() {
            check::rows(&mut read_devices, claimed);
        }
        let unread = read_stations.rows.is_empty() && !read_stations.bad.is_empty();
        check::stations(&mut read_stations, known);
        if !unread {
            check::devices(&mut read_devices, &read_stations, known); // else: all, for one reason
        }
        let mut import = Self::default();
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

#[cfg(test)]
mod tests;
