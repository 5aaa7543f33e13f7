//! The clock, as far as the engine goes: somebody sets it, it is believed, and the newest moment is
//! kept, by which the next start knows by how much it was set meanwhile.

use standpipe_machine::clock::{Moment, Stamp};
use standpipe_rules::Ms;
use standpipe_rules::shift::span;
use standpipe_store::Loaded;

use super::{Engine, Input};

/// Has the engine move what was loaded, as it starts, by as much as the clock was set while the
/// gateway was away. It is kept with the first commit; a crash before that leaves everything as it
/// was, and it is done again.
pub fn came_back(loaded: &mut Loaded, now: &Moment) {
    let by = loaded.moment.as_ref().map_or(0, |before| now.set_since(before));
    if by != 0 {
        let way = way(by);
        tracing::warn!(
            "this machine's clock was set {way} by {} since the gateway last ran: timers keep what \
             was left of them",
            span(by)
        );
    }
    loaded.clock_set = by;
}

/// In which direction.
pub(super) const fn way(by: Ms) -> &'static str {
    if by < 0 { "back" } else { "forward" }
}

impl Engine {
    /// Somebody set the clock by so much; `now`: as it is told since. Between two commits.
    pub fn clock_set(&mut self, by: Ms, now: Ms) {
        debug_assert!(self.taken() == 0, "what was taken is of the time before");
        self.set += by;
        self.happens(Input::ClockSet { by }, now);
    }

    /// The clock is right as it is.
    pub fn clock_believed(&mut self, now: Ms) {
        self.happens(Input::ClockBelieved, now);
    }

    /// Whether nobody knows if it is.
    #[must_use]
    pub fn clock_is_doubted(&self) -> bool {
        self.world().clock_doubt().is_some()
    }

    /// What the clock tells now beside that of the boot.
    pub fn note(&mut self, moment: Moment) {
        let now = moment.wall;
        self.happens(Input::Moment(moment), now);
    }

    /// When something was stamped, by the clock as it is.
    pub(super) const fn read(&self, stamp: Stamp) -> Ms {
        stamp.by(self.set)
    }
}
