//! The gateway's own clock: what follows when somebody sets it.
//!
//! The rules reckon in Unix milliseconds of the wall clock. When that is set, everything remembered
//! moves with it in one step: no timer jumps, and nobody was silent for it. Which of the two times
//! is right is not known then; until it is, the gateway has a `clock_fault` of its own, and devices
//! that go by the earlier time are at no fault.

#[cfg(test)]
mod tests;

use standpipe_shared::Condition;

use super::World;
use crate::fact::Subject;
use crate::shift::span;
use crate::{Changes, Ms};

/// A clock is back where it was when it is that near, ms.
const BACK_MS: Ms = 2_000;

impl World {
    /// Somebody set the gateway's clock by so much; `now`: as it tells since. Before anything else
    /// of that time is stepped.
    pub fn clock_set(&mut self, by: Ms, now: Ms, out: &mut Changes) {
        self.shift(by, out);
        let doubt = self.clock_doubt().unwrap_or(0).saturating_add(by);
        if doubt.abs() < BACK_MS {
            return self.clock_believed(now, out);
        }
        self.watch.set_doubt(Some(doubt), out);
        let way = if doubt > 0 { "forward" } else { "back" };
        let detail = format!("the clock was set {way} by {}", span(doubt));
        self.gateway_condition(Condition::ClockFault, Some(&detail), now, out);
    }

    /// The clock is right as it is: it is back where it was, or synchronised.
    pub fn clock_believed(&mut self, now: Ms, out: &mut Changes) {
        self.watch.set_doubt(None, out);
        self.gateway_condition(Condition::ClockFault, None, now, out);
    }

    /// By how much the clock was set in all, while nobody knows which time is right.
    #[must_use]
    pub const fn clock_doubt(&self) -> Option<Ms> {
        self.watch.doubt()
    }

    /// Moves everything that is remembered as a moment to reckon with. It is to be kept in one
    /// transaction: what the log holds of before is not stepped again.
    pub fn shift(&mut self, by: Ms, out: &mut Changes) {
        let Self { watch, book, orders } = self;
        watch.shift(by, out);
        book.shift(by, out);
        orders.shift(by, out);
        out.clock_set += by;
    }

    /// A person who closes the incident says that the clock is right.
    pub(super) fn doubt_ends_with_its_incident(&mut self, out: &mut Changes) {
        if self.clock_doubt().is_none() {
            return;
        }
        let of_clock = |condition| condition == Condition::ClockFault;
        let mut open = self.book.open().filter(|incident| incident.subject == Subject::Gateway);
        if !open.any(|incident| incident.active().any(|member| of_clock(member.condition))) {
            self.watch.set_doubt(None, out);
        }
    }
}
