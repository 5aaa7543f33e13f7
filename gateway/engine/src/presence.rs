//! A station is there while its terminal says so over MQTT, or while a page of the console that
//! stands for it is open. Here the two are told apart and put together.
//!
//! What terminals said is kept in the store, since the broker may not say it again; pages are not:
//! after a start each must be heard of anew.

use std::collections::BTreeSet;

/// Who is there, and by which way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    terminals: BTreeSet<Box<str>>,
    consoles: BTreeSet<Box<str>>,
}

/// By which way a station is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its terminal, over MQTT.
    Terminal,
    /// A page of the console.
    Console,
}

impl Present {
    /// As it was before the start.
    #[must_use]
    pub fn with_terminals(terminals: BTreeSet<Box<str>>) -> Self {
        Self { terminals, consoles: BTreeSet::new() }
    }

    /// Whose terminals are there.
    #[must_use]
    pub const fn terminals(&self) -> &BTreeSet<Box<str>> {
        &self.terminals
    }

    /// One came or went; whether the station is there now.
    pub fn set(&mut self, station: &str, way: Way, here: bool) -> bool {
        let some = match way {
            Way::Terminal => &mut self.terminals,
            Way::Console => &mut self.consoles,
        };
        if here {
            some.insert(station.into());
        } else {
            some.remove(station);
        }
        self.terminals.contains(station) || self.consoles.contains(station)
    }
}

#[cfg(test)]
mod tests {
    use super::Present;
    use super::Way::{Console, Terminal};

    #[test]
    #[rustfmt::skip] // a table
    fn a_station_is_there_until_both_have_gone() {
        let mut present = Present::default();
        for (way, here, is_there) in [
            (Console,  true,  true), (Terminal, true,  true), (Console,  false, true),
            (Console,  false, true), (Terminal, false, false), (Terminal, true,  true),
            (Console,  true,  true), (Terminal, false, true), (Console,  false, false),
        ] {
            assert_eq!(present.set("t-1", way, here), is_there, "{way:?} {here}");
        }
        assert!(!present.set("t-2", Console, false), "never heard of");
    }
}
