//! What a device knows over restarts, in the form it is kept in.
//!
//! Where it is kept, its checksum, and the count of starts are the storage's business (`outbox`).

use heapless::Vec;
use standpipe_shared::{Kilopascals, Settings};

use crate::clock::{BOOTS, BootStart};

/// What survives a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Conditions that were shouted, a [`standpipe_shared::Condition::bit`] each.
    pub active: u32,
    /// The settings that were accepted last.
    pub settings: Settings,
    /// How far the chamber's clean-air level has risen, dB/m; `None`: it is being found out, or
    /// there is no chamber.
    pub drift_db_m: Option<f32>,
    /// When the last boots began.
    pub starts: Vec<BootStart, BOOTS>,
}

const FORMAT: u8 = 1;
/// Format, active, six settings, drift, number of starts.
const HEAD: usize = 1 + 4 + 6 * 4 + 4 + 1;
const START: usize = 4 + 8;

impl Memory {
    /// No encoded memory is longer, bytes.
    pub const MAX: usize = HEAD + BOOTS * START;

    /// The compact form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8, { Self::MAX }> {
        let mut to = Vec::new();
        let settings = &self.settings;
        let kpa = [settings.low_kpa, settings.no_water_kpa, settings.delta_kpa]
            .map(|kpa| kpa.get().to_bits());
        let drift = self.drift_db_m.unwrap_or(f32::NAN);
        // MAX is the length of all this, so that nothing is left out.
        let _ = to.push(FORMAT);
        let words = [self.active, settings.rev, settings.interval_s, settings.sample_s];
        for word in words.into_iter().chain(kpa).chain([drift.to_bits()]) {
            let _ = to.extend_from_slice(&word.to_le_bytes());
        }
        let _ = to.push(u8::try_from(self.starts.len()).unwrap_or(0));
        for start in &self.starts {
            let _ = to.extend_from_slice(&start.boot.to_le_bytes());
            let _ = to.extend_from_slice(&start.unix_ms.to_le_bytes());
        }
        to
    }

    /// Reads the compact form back; `None` for anything that [`Self::to_bytes`] did not write, and
    /// for settings that no node accepts: the device starts clean, and its storage says so.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        Self::read(rest)
            .filter(|memory| *format == FORMAT && memory.settings.faults().next().is_none())
    }

    fn read(mut rest: &[u8]) -> Option<Self> {
        let from = &mut rest;
        let mut word = || take::<4>(from).map(u32::from_le_bytes);
        let active = word()?;
        let (rev, interval_s, sample_s) = (word()?, word()?, word()?);
        let mut kpa = || word().and_then(|bits| Kilopascals::new(f32::from_bits(bits)).ok());
        let (low_kpa, no_water_kpa, delta_kpa) = (kpa()?, kpa()?, kpa()?);
        let settings = Settings { rev, interval_s, sample_s, low_kpa, no_water_kpa, delta_kpa };
        let drift_db_m = Some(f32::from_bits(word()?)).filter(|drift| drift.is_finite());
        let [count] = take(from)?;
        let mut starts = Vec::new();
        for _ in 0..count {
            let boot = u32::from_le_bytes(take(from)?);
            let unix_ms = i64::from_le_bytes(take(from)?);
            starts.push(BootStart { boot, unix_ms }).ok()?;
        }
        from.is_empty().then_some(Self { active, settings, drift_db_m, starts })
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Memory;
    use crate::clock::{BOOTS, BootStart};
    use crate::settings::defaults;
    use proptest::prelude::{any, proptest};

    fn memory(starts: usize) -> Memory {
        let start = |boot| BootStart { boot, unix_ms: 1_764_000_000_000 + i64::from(boot) };
        Memory {
            active: 0b1_0100,
            settings: defaults(),
            drift_db_m: Some(-0.01),
            starts: (0..starts as u32).map(start).collect(),
        }
    }

    #[test]
    fn what_is_kept_is_what_comes_back() {
        for starts in 0..=BOOTS {
            let memory = memory(starts);
            assert_eq!(Memory::from_bytes(&memory.to_bytes()), Some(memory));
        }
        assert_eq!(memory(BOOTS).to_bytes().len(), Memory::MAX);
        let settling = Memory { drift_db_m: None, ..memory(1) };
        assert_eq!(Memory::from_bytes(&settling.to_bytes()), Some(settling));
    }

    #[test]
    fn what_cannot_be_read_is_no_memory() {
        assert_eq!(Memory::from_bytes(&[]), None);
        let bytes = memory(3).to_bytes();
        for cut in 1..bytes.len() {
            assert_eq!(Memory::from_bytes(&bytes[..cut]), None, "{cut}");
        }
        let mut longer = std::vec::Vec::from(&bytes[..]);
        longer.push(0);
        assert_eq!(Memory::from_bytes(&longer), None);
        let mut other = bytes.clone();
        other[0] = 9;
        assert_eq!(Memory::from_bytes(&other), None);
        let mut absurd = memory(0);
        absurd.settings.interval_s = 0;
        assert_eq!(Memory::from_bytes(&absurd.to_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
            let _ = Memory::from_bytes(&bytes);
        }
    }
}
