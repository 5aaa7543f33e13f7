//! The statuses that wait for their turn: Last Wills, and devices that are back.
//!
//! When a network breaks, tens of thousands of wills come within a minute, and as many devices
//! come back a little later. None of that is urgent, but for one thing: a fire detector that is
//! back ([`standpipe_rules::status::brings_detector_back`]). It goes before the others.
//!
//! Whatever overtakes, the messages of one device keep their order: a detector that is back takes
//! along what waits of it, and so does any other message of a device, as far as that arrived
//! before it. Else a will would be taken after the word that it is wrong.

use std::collections::{BTreeMap, HashMap, VecDeque};

use standpipe_rules::Ms;
use standpipe_rules::wire::Message;

use crate::inbox::Delivery;

/// What waits; the engine's thread alone has it.
#[derive(Debug, Default)]
pub struct Statuses {
    /// Fire detectors that are back, each behind what was said of it before.
    first: VecDeque<Box<Delivery>>,
    /// All others, by their number in order of arrival.
    others: BTreeMap<u64, Box<Delivery>>,
    /// The numbers of a device's.
    of_device: HashMap<Box<str>, VecDeque<u64>>,
    next: u64,
}

/// Whether a status may overtake those of other devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusRank {
    /// A fire detector is back.
    First,
    /// Anything else.
    InTurn,
}

/// Which device a message is of, as far as its order among that device's matters.
fn device(delivery: &Delivery) -> Option<&str> {
    delivery.parsed.messages().find_map(Message::device)
}

impl Statuses {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.first.len() + self.others.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more waits.
    pub fn put(&mut self, delivery: Box<Delivery>, rank: StatusRank) {
        if rank == StatusRank::First {
            let before = device(&delivery).map(Box::<str>::from);
            let before = before.map(|device| self.take_of(&device, Ms::MAX)).unwrap_or_default();
            self.first.extend(before);
            self.first.push_back(delivery);
            return;
        }
        let number = self.next;
        self.next += 1;
        if let Some(device) = device(&delivery) {
            if let Some(numbers) = self.of_device.get_mut(device) {
                numbers.push_back(number);
            } else {
                self.of_device.insert(device.into(), VecDeque::from([number]));
            }
        }
        self.others.insert(number, delivery);
    }

    /// The next one.
    pub fn take(&mut self) -> Option<Box<Delivery>> {
        if let Some(first) = self.first.pop_front() {
            return Some(first);
        }
        let (_, delivery) = self.others.pop_first()?;
        if let Some(device) = device(&delivery)
            && let Some(numbers) = self.of_device.get_mut(device)
        {
            numbers.pop_front();
            if numbers.is_empty() {
                self.of_device.remove(device);
            }
        }
        Some(delivery)
    }

    /// What waits of the device of this message and arrived no later than it, in order: it is to be
    /// taken before it.
    pub fn before(&mut self, delivery: &Delivery) -> VecDeque<Box<Delivery>> {
        if self.others.is_empty() {
            return VecDeque::new();
        }
        let arrived = delivery.arrived.at.steady();
        device(delivery).map(|device| self.take_of(device, arrived)).unwrap_or_default()
    }

    fn take_of(&mut self, device: &str, until: Ms) -> VecDeque<Box<Delivery>> {
        let Some(numbers) = self.of_device.get_mut(device) else { return VecDeque::new() };
        let mut taken = VecDeque::new();
        while let Some(number) = numbers.front()
            && self.others.get(number).is_none_or(|waits| waits.arrived.at.steady() <= until)
        {
            taken.extend(self.others.remove(number));
            numbers.pop_front();
        }
        if numbers.is_empty() {
            self.of_device.remove(device);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use standpipe_rules::Ms;
    use standpipe_rules::wire::parse;
    use standpipe_shared::ROOT;

    use super::{Delivery, StatusRank, Statuses};
    use crate::source::SourceIx;

    /// `D-` or `D+`: a device's will, or its birth; anything else is its alarm.
    fn says(what: &str, at: Ms) -> Box<Delivery> {
        let (device, sign) = what.split_at(what.len() - 1);
        let (channel, json) = match sign {
            "-" => ("status", r#"{"online":false}"#),
            "+" => ("status", r#"{"online":true}"#),
            _ => ("alarm", r#"{"condition":"smoke","active":true}"#),
        };
        let topic = format!("{ROOT}/a/{device}/{channel}");
        let parsed = parse(ROOT, topic.as_bytes(), json.as_bytes());
        let (source, arrived, topic) = (SourceIx::nth(0), at.into(), what.into());
        Box::new(Delivery { source, receipt: None, arrived, topic, parsed })
    }

    fn put(statuses: &mut Statuses, said: &str) {
        for (what, at) in said.split(' ').zip(1..) {
            let detector = what.starts_with('S') && what.ends_with('+');
            statuses
                .put(says(what, at), if detector { StatusRank::First } else { StatusRank::InTurn });
        }
    }

    fn names(taken: impl IntoIterator<Item = Box<Delivery>>) -> String {
        let names: Vec<_> = taken.into_iter().map(|delivery| delivery.topic.to_string()).collect();
        names.join(" ")
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_detector_that_is_back_overtakes_and_each_device_keeps_its_order() {
        for (story, said, taken) in [
            ("in order of arrival",              "H1- H2- S1- H1+",         "H1- H2- S1- H1+"),
            ("a detector is back",               "H1- H2- S1+",             "S1+ H1- H2-"),
            ("after its own will",               "H1- S1- H2- S1+",         "S1- S1+ H1- H2-"),
            ("gone, back, and gone again",       "H1- S1- S1+ S1- H2-",     "S1- S1+ H1- S1- H2-"),
            ("and back once more",               "H1- S1- S1+ S1- S1+",     "S1- S1+ S1- S1+ H1-"),
            ("detectors in order of arrival",    "S1- S2- H1- S2+ S1+",     "S2- S2+ S1- S1+ H1-"),
        ] {
            let mut statuses = Statuses::default();
            put(&mut statuses, said);
            assert_eq!(statuses.len(), said.split(' ').count());
            assert_eq!(names(std::iter::from_fn(|| statuses.take())), taken, "{story}");
            assert!(statuses.is_empty() && statuses.of_device.is_empty(), "{story}");
        }
    }

    #[test]
    fn an_alarm_takes_along_what_arrived_of_its_device_before_it_and_no_more() {
        let mut statuses = Statuses::default();
        put(&mut statuses, "H1- S1- H2- S1-");
        assert_eq!(names(statuses.before(&says("H3!", 9))), "", "another device's");
        assert_eq!(names(statuses.before(&says("S1!", 3))), "S1-", "its second will came after it");
        assert_eq!(names(statuses.before(&says("S1!", 3))), "");
        assert_eq!(names(std::iter::from_fn(|| statuses.take())), "H1- H2- S1-");
        assert!(statuses.of_device.is_empty());
    }
}
