//! Alarms that cannot be read: from the message to the book, past detection.

use super::{World, view};
use crate::Changes;
use crate::fact::Subject;
use crate::incidents::{Cause, Said};
use crate::wire::{Arrived, Origin};

impl World {
    /// An alarm came that cannot be read. It says nothing of what its device measures, and is no
    /// sign of life: nothing of it was understood.
    pub(super) fn unreadable(
        &mut self,
        (area, device): (&str, Option<&str>),
        said: Said,
        arrived: Arrived,
        out: &mut Changes,
    ) {
        let subject = match device {
            Some(device) => Subject::Device(self.watch.known(Origin { area, device }, out)),
            None => Subject::Topic(said.topic.clone()),
        };
        let device = device.map(Box::from);
        let print = arrived.print;
        self.book.because(device.map(|device| Cause {
            device,
            print,
            ts: None,
            boot: None,
            seq: None,
        }));
        let (watch, book) = (&self.watch, &mut self.book);
        view(watch, |view| book.unreadable(view, (subject, said), arrived, out));
        self.book.because(None);
    }

    /// Its device starts anew, or what the broker kept was taken back.
    pub(super) fn unreadable_may_come_again(&mut self, device: &str, out: &mut Changes) {
        if let Some(ix) = self.registry().find(device) {
            self.book.unreadable_may_come_again(&Subject::Device(ix), out);
        }
    }
}
