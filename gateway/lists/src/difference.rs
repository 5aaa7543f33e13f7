//! What taking a list would change: new, changed, registered again, and what is registered and not in it.
//!
//! What is missing from a list is shown and stays: only a person retires a device.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use serde::Serialize;
use standpipe_rules::incidents::Text;
use standpipe_rules::registry::{Device, Registry};
use standpipe_rules::selftest;
use standpipe_words::{Lang, Language};

use crate::fault::both;
use crate::import::Import;
use crate::write::{CsvField, device_fields, station_fields};

/// Rows of each sort that are told; the rest are counted.
const TOLD: usize = 20;

/// One field that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedField {
    pub column: &'static str,
    pub before: Box<str>,
    pub after: Box<str>,
}

/// One row that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedRow {
    pub id: Box<str>,
    pub fields: Vec<ChangedField>,
}

/// Of stations, or of devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowDifference {
    /// Ids that are not registered.
    pub new: Vec<Box<str>>,
    pub changed: Vec<ChangedRow>,
    /// Retired devices that would be registered again.
    pub again: Vec<Box<str>>,
    /// Registered, and not in the list: they stay.
    pub missing: Vec<Box<str>>,
    /// Rows that say what is registered.
    pub same: usize,
}

impl RowDifference {
    /// Whether taking the list would change nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.again.is_empty()
    }
}

/// Of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RegistryDifference {
    pub stations: RowDifference,
    pub devices: RowDifference,
}

/// Which lists there are: of one that isn't, nothing is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub stations: bool,
    pub devices: bool,
}

impl RegistryDifference {
    /// What these rows would change in that registry.
    #[must_use]
    pub fn of(import: &Import, known: &Registry, listed: Listed) -> Self {
        let mut difference = Self::default();
        let Self { stations, devices } = &mut difference;
        for station in &import.stations {
            let before = known.station(&station.id).map(station_fields);
            stations.put(&station.id, before, &station_fields(station));
        }
        for device in &import.devices {
            let before = known.find(&device.id).and_then(|ix| known.device(ix));
            let registered = before.filter(|before| before.claimed).map(device_fields);
            if before.is_some_and(|before| before.retired_at.is_some()) {
                devices.again.push(device.id.clone());
            } else {
                devices.put(&device.id, registered, &device_fields(device));
            }
        }
        if listed.stations {
            let ids: HashSet<&str> = import.stations.iter().map(|station| &*station.id).collect();
            let missing = known.stations().iter().filter(|station| !ids.contains(&*station.id));
            stations.missing = missing.map(|station| station.id.clone()).collect();
        }
        if listed.devices {
            let ids: HashSet<&str> = import.devices.iter().map(|device| &*device.id).collect();
            let ours = |device: &&Device| device.claimed && !selftest::is_detector(&device.id);
            let missing = known.devices().iter().filter(ours);
            let missing = missing.filter(|device| !ids.contains(&*device.id));
            devices.missing = missing.map(|device| device.id.clone()).collect();
        }
        difference
    }

    /// Whether taking the list would change nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stations.is_empty() && self.devices.is_empty()
    }

    /// In one sentence.
    #[must_use]
    pub fn summary(&self) -> Text {
        let (stations, devices) = (&self.stations, &self.devices);
        let (mut en, mut zh) = (Vec::new(), Vec::new());
        let mut count = |count: usize, (one, many): (&str, &str), in_chinese: &str| {
            if count > 0 {
                en.push(format!("{count} {}", if count == 1 { one } else { many }));
                zh.push(format!("{in_chinese} {count} 个"));
            }
        };
        count(stations.new.len(), ("new station", "new stations"), "新增站点");
        count(stations.changed.len(), ("changed station", "changed stations"), "变更站点");
        count(devices.new.len(), ("new device", "new devices"), "新增设备");
        count(devices.changed.len(), ("changed device", "changed devices"), "变更设备");
        let again = ("retired device registered again", "retired devices registered again");
        count(devices.again.len(), again, "重新登记已停用设备");
        let gone = (
            "station that is not in the list, which stays",
            "stations that are not in the list, which stay",
        );
        count(stations.missing.len(), gone, "清单中没有的站点（保留）");
        let gone = (
            "device that is not in the list, which stays",
            "devices that are not in the list, which stay",
        );
        count(devices.missing.len(), gone, "清单中没有的设备（保留）");
        if en.is_empty() {
            return both("nothing changes", "没有变化");
        }
        both(en.join(", "), zh.join("，"))
    }

    /// Row by row, of each sort the first few.
    #[must_use]
    pub fn lines(&self, language: Language) -> String {
        let mut text = String::new();
        let lang = Lang::usual(language);
        let words: [(&str, &str); 4] = [
            ("new", "新增"),
            ("changed", "变更"),
            ("registered again", "重新登记"),
            ("not in the list, stays", "清单中没有，保留"),
        ];
        let said =
            |(en, zh): (&'static str, &'static str)| lang.of_say(standpipe_words::say(en, zh));
        let of = [(("station", "站点"), &self.stations), (("device", "设备"), &self.devices)];
        for (what, rows) in of {
            // Of a list of a few newcomers nobody wants to hear who else there is.
            let listed = rows.same + rows.new.len() + rows.changed.len() + rows.again.len();
            let none = Vec::new();
            let missing = if rows.missing.len() > listed { &none } else { &rows.missing };
            let plain = [(words[0], &rows.new), (words[2], &rows.again), (words[3], missing)];
            for (word, ids) in plain {
                for id in ids.iter().take(TOLD) {
                    let _ = writeln!(text, "{} {id}: {}", said(what), said(word));
                }
                more(&mut text, ids.len(), language);
            }
            for ChangedRow { id, fields } in rows.changed.iter().take(TOLD) {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|ChangedField { column, before, after }| {
                        format!("{column} `{before}` → `{after}`")
                    })
                    .collect();
                let _ = writeln!(
                    text,
                    "{} {id}: {}: {}",
                    said(what),
                    said(words[1]),
                    fields.join(", ")
                );
            }
            more(&mut text, rows.changed.len(), language);
        }
        text
    }
}

fn more(text: &mut String, all: usize, language: Language) {
    let Some(rest) = all.checked_sub(TOLD).filter(|rest| *rest > 0) else { return };
    let _ = match language {
        Language::English => writeln!(text, "… and {rest} more"),
        Language::Chinese => writeln!(text, "… 另有 {rest} 个"),
    };
}

impl RowDifference {
    fn put(&mut self, id: &str, before: Option<Vec<CsvField>>, after: &[CsvField]) {
        let Some(before) = before else {
            self.new.push(id.into());
            return;
        };
        let fields = changed(&before, after);
        if fields.is_empty() {
            self.same += 1;
        } else {
            self.changed.push(ChangedRow { id: id.into(), fields });
        }
    }
}

/// Degrees that differ by less are one place: a tenth of a millimetre, and more than what a number loses
/// on its way through JSON.
const SAME_DEGREES: f64 = 1e-9;

fn is_same(column: &str, before: &str, after: &str) -> bool {
    let degrees = |text: &str| text.parse::<f64>().ok().filter(|_| matches!(column, "lat" | "lon"));
    before == after
        || degrees(before)
            .zip(degrees(after))
            .is_some_and(|(before, after)| (before - after).abs() < SAME_DEGREES)
}

/// The fields that differ.
fn changed(before: &[CsvField], after: &[CsvField]) -> Vec<ChangedField> {
    let before: BTreeMap<&str, &str> =
        before.iter().map(|(column, text)| (*column, &**text)).collect();
    let differs = after.iter().filter_map(|(column, after)| {
        let before = before.get(column).copied().unwrap_or_default();
        (!is_same(column, before, after)).then(|| ChangedField {
            column,
            before: before.into(),
            after: (**after).into(),
        })
    });
    differs.collect()
}

/// What one device's row changes, for the audit log: `column before → after`, …
#[must_use]
pub fn of_device(before: Option<&Device>, after: &Device) -> Vec<ChangedField> {
    let before = before.filter(|before| before.claimed).map(device_fields).unwrap_or_default();
    changed(&before, &device_fields(after))
}

#[cfg(test)]
mod tests {
    use super::{Listed, RegistryDifference};
    use crate::{File, Import};
    use standpipe_rules::registry::{Device, Registry};
    use standpipe_shared::Kind;
    use standpipe_words::Language;

    const BOTH: Listed = Listed { stations: true, devices: true };
    const STATIONS: &str =
        "id,name,level,lat,lon\nT1,One,township,29.4,106.5\nT2,Two,township,29.5,106.5\n";
    const DEVICES: &str =
        "id,kind,station,lat,lon\nA,hydrant,T1,29.4,106.5\nB,smoke,T1,29.4,106.5\n";

    fn read(stations: &str, devices: &str, known: &Registry) -> Import {
        let file = |name, text| Some(File { name, bytes: str::as_bytes(text) });
        let import = Import::read(file("s", stations), file("d", devices), known);
        assert_eq!(import.bad, []);
        import
    }

    fn registry() -> Registry {
        let mut known = Registry::new([]);
        read(STATIONS, DEVICES, &known.clone()).put(&mut known);
        known.put_device(Device::unclaimed("HEARD", "T1", Kind::Smoke));
        known
    }

    #[test]
    fn the_same_list_again_changes_nothing() {
        let known = registry();
        let difference = RegistryDifference::of(&read(STATIONS, DEVICES, &known), &known, BOTH);
        assert!(difference.is_empty());
        assert_eq!((difference.stations.same, difference.devices.same), (2, 2));
        assert_eq!(difference.summary().en, "nothing changes");
        assert_eq!(difference.lines(Language::English), "");
    }

    #[test]
    fn a_place_is_the_same_although_its_number_went_through_json() {
        let known = registry();
        let other = DEVICES.replace("106.5\nB", "106.49999999999999\nB");
        let difference = RegistryDifference::of(&read(STATIONS, &other, &known), &known, BOTH);
        assert!(difference.is_empty(), "{difference:?}");
        let other = DEVICES.replace("106.5\nB", "106.50001\nB");
        let difference = RegistryDifference::of(&read(STATIONS, &other, &known), &known, BOTH);
        assert_eq!(difference.devices.changed.len(), 1, "a metre is another place");
    }

    #[test]
    fn what_is_new_changed_registered_again_and_missing_is_told() {
        let mut known = registry();
        let gone = Device { retired_at: Some(1), ..Device::unclaimed("GONE", "T1", Kind::Smoke) };
        known.put_device(gone);
        let devices = "id,kind,station,lat,lon\nA,hydrant,T2,29.5,106.5\nC,smoke,T1,29.4,106.5\n\
                       HEARD,smoke,T1,29.4,106.5\nGONE,smoke,T1,29.4,106.5\n";
        let stations = STATIONS.replace("T2,Two", "T3,Three").replace("One", "Uno");
        let import = read(&stations, devices, &known);
        let difference = RegistryDifference::of(&import, &known, BOTH);
        insta::assert_snapshot!(difference.lines(Language::English), @r"
station T3: new
station T2: not in the list, stays
station T1: changed: name `One` → `Uno`
device C: new
device HEARD: new
device GONE: registered again
device B: not in the list, stays
device A: changed: station `T1` → `T2`, lat `29.4` → `29.5`
");
        assert_eq!(
            difference.summary().zh,
            "新增站点 1 个，变更站点 1 个，新增设备 2 个，变更设备 1 个，重新登记已停用设备 1 个，\
             清单中没有的站点（保留） 1 个，清单中没有的设备（保留） 1 个"
        );
        let only = Listed { stations: false, devices: false };
        let difference = RegistryDifference::of(&import, &known, only);
        assert!(
            difference.devices.missing.is_empty(),
            "of a list that is not there nothing is missing"
        );
    }
}
