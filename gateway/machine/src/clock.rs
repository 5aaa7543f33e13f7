//! What time it is: the only file that asks. Everything that decides takes `now` as an argument.
//!
//! The wall clock, made safe to reckon with. It is told as the time that the machine has run, which
//! nobody can set, and what is to be added to that. Where the two come apart by little, the told
//! time follows: forward at once, back by running slower. Where they come apart by more, somebody
//! set the clock: the told time goes on as before until the engine's thread takes that over
//! ([`Clock::follow`]) and moves everything it remembers by as much. What other threads stamped
//! before that and is taken after it is a [`Stamp`], which says so.
//!
//! Not here: what follows from a clock that is set (`standpipe_rules::world`), and whether the
//! kernel calls its clock synchronised ([`kernel`]).
#![expect(clippy::disallowed_methods, reason = "this is the clock")]

pub mod kernel;
pub mod moment;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use standpipe_rules::Ms;

use crate::identity;

pub use moment::Moment;

/// While the machine's clock is behind, this one loses one millisecond in so many.
const SLEW: i64 = 8;
/// A clock that is off by so much was set, ms. Where it is synchronised, it is off by less.
pub const STEP_MS: Ms = 1_000;

/// A moment in a file's name; such names sort by time.
#[must_use]
pub fn in_file_names(at: Ms) -> String {
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// One clock for the whole process; clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    told: Mutex<ToldTime>,
    doubted: AtomicBool,
    /// The kernel's name for this boot.
    boot: Option<Arc<str>>,
    hands: Hands,
    /// What a test has set the machine's clock by.
    #[cfg(any(test, feature = "testing"))]
    skew: std::sync::atomic::AtomicI64,
}

/// Whose time it is.
#[derive(Debug)]
enum Hands {
    Machine,
    /// A time that passes only where somebody sleeps.
    #[cfg(any(test, feature = "testing"))]
    Simulated {
        /// The wall clock when it began.
        begun: Ms,
        /// What spans are measured from.
        origin: Instant,
        /// How long it has run, ms.
        ran: std::sync::atomic::AtomicI64,
    },
}

impl Hands {
    /// How long the machine has run.
    fn ran(&self) -> Ms {
        match self {
            Self::Machine => ran(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated { ran, .. } => ran.load(Ordering::SeqCst),
        }
    }

    fn wall(&self) -> Ms {
        match self {
            Self::Machine => wall(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated { begun, ran, .. } => begun + ran.load(Ordering::SeqCst),
        }
    }

    fn instant(&self) -> Instant {
        match self {
            Self::Machine => Instant::now(),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated { origin, ran, .. } => {
                *origin + Duration::from_millis(ran.load(Ordering::SeqCst).unsigned_abs())
            }
        }
    }

    fn sleep(&self, span: Duration) {
        match self {
            Self::Machine => std::thread::sleep(span),
            #[cfg(any(test, feature = "testing"))]
            Self::Simulated { ran, .. } => {
                let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(1);
                ran.fetch_add(ms, Ordering::SeqCst);
            }
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that tells the machine's time from now on.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Hands::Machine, identity::boot().map(Arc::from))
    }

    /// A clock that begins at that time, and goes on only where somebody [sleeps](Self::sleep).
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn simulated(now: Ms) -> Self {
        let hands = Hands::Simulated { begun: now, origin: Instant::now(), ran: 0.into() };
        Self::of(hands, Some("simulated".into()))
    }

    fn of(hands: Hands, boot: Option<Arc<str>>) -> Self {
        let (ran, wall) = (hands.ran(), hands.wall());
        let told = Mutex::new(ToldTime { ran, ahead: wall - ran, set: 0 });
        let shared = Shared {
            told,
            doubted: AtomicBool::new(false),
            boot,
            hands,
            #[cfg(any(test, feature = "testing"))]
            skew: 0.into(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Unix milliseconds, UTC. Never less than it said before, but for the moment in which
    /// [`Self::follow`] takes over that the clock was set back.
    #[must_use]
    pub fn now(&self) -> Ms {
        self.stamp().told
    }

    /// The same, for what is read by somebody who may have followed the machine's clock by then.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let (ran, wall) = (self.shared.hands.ran(), self.wall());
        let mut told = self.shared.told.lock().unwrap_or_else(PoisonError::into_inner);
        Stamp { told: told.tell(ran, wall), set: told.set }
    }

    /// Takes over that somebody set the machine's clock: by how much, if so. Only the engine's
    /// thread does, which moves by as much everything it remembers.
    #[must_use]
    pub fn follow(&self) -> Option<Ms> {
        let (ran, wall) = (self.shared.hands.ran(), self.wall());
        let mut told = self.shared.told.lock().unwrap_or_else(PoisonError::into_inner);
        let by = told.follow(ran, wall);
        if by.is_some() {
            self.doubt(true); // before anybody is told the new time
        }
        by
    }

    /// The told time beside that of the boot, by which a later start knows how long it was away.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment { wall: self.now(), up: self.shared.hands.ran(), boot: self.shared.boot.clone() }
    }

    /// Whether it is in doubt which time is right: this one, or the one before somebody set the clock.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.shared.doubted.load(Ordering::Acquire)
    }

    /// Puts the told time in doubt, or ends the doubt.
    pub fn doubt(&self, doubted: bool) {
        self.shared.doubted.store(doubted, Ordering::Release);
    }

    /// A moment to measure spans from; unrelated to [`Self::now`].
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.shared.hands.instant()
    }

    /// Stops this thread for so long.
    pub fn sleep(&self, span: Duration) {
        self.shared.hands.sleep(span);
    }

    fn wall(&self) -> Ms {
        #[cfg(any(test, feature = "testing"))]
        return self.shared.hands.wall() + self.shared.skew.load(Ordering::Relaxed);
        #[cfg(not(any(test, feature = "testing")))]
        self.shared.hands.wall()
    }

    /// Sets the machine's clock, as far as this one sees, so much ahead of the true one.
    #[cfg(any(test, feature = "testing"))]
    pub fn set_machine(&self, ahead: Ms) {
        self.shared.skew.store(ahead, Ordering::Relaxed);
    }
}

/// When something happened, as told by a clock that may be set before somebody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    told: Ms,
    /// By how much the clock had been set in all.
    set: Ms,
}

impl Stamp {
    /// One of a clock that has been set by so much in all.
    #[cfg(any(test, feature = "testing"))]
    pub const fn after(told: Ms, set: Ms) -> Self {
        Self { told, set }
    }

    /// As it was told then.
    #[must_use]
    pub const fn told(self) -> Ms {
        self.told
    }

    /// As it is told by a clock that has been set by so much in all.
    #[must_use]
    pub const fn by(self, set: Ms) -> Ms {
        self.told + (set - self.set)
    }

    /// As it would be told had nobody ever set the clock: for spans within this process.
    #[must_use]
    pub const fn steady(self) -> Ms {
        self.by(0)
    }
}

impl From<Ms> for Stamp {
    /// Of a clock that was never set.
    fn from(told: Ms) -> Self {
        Self { told, set: 0 }
    }
}

fn wall() -> Ms {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How long the machine has run, asleep or awake, ms: nobody can set that. Straight from the
/// kernel, so that a library which fakes the time of day does not fake it too.
#[cfg(target_os = "linux")]
fn ran() -> Ms {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    since_boot.tv_sec.saturating_mul(1_000).saturating_add(since_boot.tv_nsec / 1_000_000)
}

/// How long this process has run, ms.
#[cfg(not(target_os = "linux"))]
fn ran() -> Ms {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    i64::try_from(START.elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// How the told time stands to the time that the machine has run.
#[derive(Debug)]
struct ToldTime {
    /// How long it had run when last asked, ms.
    ran: Ms,
    /// What is added to it, ms.
    ahead: Ms,
    /// Of that, what somebody set the clock by since the start, ms.
    set: Ms,
}

impl ToldTime {
    fn tell(&mut self, ran: Ms, wall: Ms) -> Ms {
        let ran = ran.max(self.ran);
        let should = wall.saturating_sub(ran);
        if (should - self.ahead).abs() < STEP_MS {
            let lose = (ran / SLEW).saturating_sub(self.ran / SLEW);
            self.ahead = should.max(self.ahead.saturating_sub(lose));
        }
        self.ran = ran;
        ran.saturating_add(self.ahead)
    }

    fn follow(&mut self, ran: Ms, wall: Ms) -> Option<Ms> {
        let by = wall.saturating_sub(self.tell(ran, wall));
        if by.abs() < STEP_MS {
            return None;
        }
        self.ahead += by;
        self.set += by;
        Some(by)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clock, ToldTime};

    #[test]
    #[rustfmt::skip] // a table
    fn it_follows_a_little_by_itself_and_waits_with_a_step_for_the_engine() {
        let mut clock = ToldTime { ran: 0, ahead: 1_000, set: 0 };
        for (story, ran, wall, told) in [
            ("runs with the wall",                 1_000,     2_000,     2_000),
            ("0.9 s forward: at once",             2_000,     3_900,     3_900),
            ("0.8 s back: slower",                 2_800,     3_900,     4_600),
            ("still slower",                       3_600,     4_700,     5_300),
            ("caught up",                          9_200,    10_300,    10_300),
            ("and level again",                   10_000,    11_100,    11_100),
            ("asked out of order",                 9_900,    11_000,    11_100),
            ("set forward by an hour: not yet",   11_000, 3_612_100,    12_100),
            ("nor later",                         12_000, 3_613_100,    13_100),
            ("set back by an hour: not either",   13_000, -3_585_900,   14_100),
            ("and right again",                   14_000,    15_100,    15_100),
        ] {
            assert_eq!(clock.tell(ran, wall), told, "{story}");
        }
        assert_eq!(clock.follow(14_000, 15_100), None);
        assert_eq!(clock.follow(15_000, 3_616_100), Some(3_600_000), "when the engine asks");
        assert_eq!(clock.tell(16_000, 3_617_100), 3_617_100, "it is told by everybody");
        assert_eq!((clock.follow(16_000, 3_617_100), clock.set), (None, 3_600_000), "once");
        assert_eq!(clock.follow(17_000, 18_100), Some(-3_600_000));
        assert_eq!((clock.tell(17_000, 18_100), clock.set), (18_100, 0));
        assert_eq!(clock.follow(18_000, 19_100 + 999), None, "under a second is no step");
        assert_eq!(clock.follow(19_000, 20_100 + 999 + 1_000), Some(1_000));
    }

    #[test]
    fn a_stamp_of_before_is_read_by_the_time_of_after() {
        let clock = Clock::new();
        let before = clock.stamp();
        for by in [3_600_000, -7_200_000] {
            clock.set_machine(by);
            let stamped = clock.stamp();
            let steady = stamped.steady() - before.steady();
            assert!((0..60_000).contains(&steady), "nobody has followed yet");
            let set = clock.follow().expect("a step");
            let now = clock.stamp();
            let total = now.set;
            assert!((total - by).abs() < 100, "{total}");
            for old in [before, stamped] {
                assert!((0..60_000).contains(&(now.told() - old.by(total))), "{set}");
            }
            assert!((0..60_000).contains(&(now.steady() - before.steady())));
        }
    }

    #[test]
    fn a_simulated_clock_goes_on_only_where_somebody_sleeps() {
        let clock = Clock::simulated(1_764_000_000_000);
        let (at, before) = (clock.instant(), clock.moment());
        assert_eq!((clock.now(), clock.now()), (1_764_000_000_000, 1_764_000_000_000));
        clock.clone().sleep(Duration::from_secs(90));
        assert_eq!(clock.now(), 1_764_000_090_000);
        assert_eq!(clock.instant() - at, Duration::from_secs(90));
        assert_eq!((clock.moment().up - before.up, clock.follow()), (90_000, None));
        clock.set_machine(3_600_000);
        assert_eq!(clock.follow(), Some(3_600_000));
        assert_eq!(clock.moment().set_since(&before), 3_600_000);
    }

    #[test]
    fn the_time_is_this_century_and_shared() {
        let clock = Clock::new();
        let first = clock.now();
        let second = clock.clone().now();
        assert!(first > 1_700_000_000_000 && second >= first);
    }
}
