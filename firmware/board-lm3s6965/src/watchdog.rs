//! The watchdog, and why the device has started.
//!
//! The chip has a register for the cause of a reset; QEMU's never sets it. So two words of memory
//! that only a power cut forgets say what was going on: a device that was running and starts
//! again without having said so was bitten.

use standpipe_firmware::Reset;

use crate::registers::{
    WATCHDOG_CLEAR, WATCHDOG_CONTROL, WATCHDOG_LOAD, WATCHDOG_LOCK, leave, survived,
};
use crate::ticks::CLOCK_HZ;

/// Opens the watchdog's registers.
const KEY: u32 = 0x1acc_e551;
/// Interrupt at the first time-out, which nobody hears; reset at the second.
const BITES: u32 = 3;
/// The counter has 32 bits, which is 343 s.
const LONGEST_S: u32 = 340;
/// Says that the other word means something.
const MARK: u32 = 0x5ec0_ab1e;

/// Why the device has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Cause {
    /// Power came on.
    PowerOn = 0,
    /// A task hung.
    Watchdog = 1,
    /// It was told to.
    Command = 2,
    /// The program found itself in the wrong.
    Panic = 3,
}

impl From<Cause> for Reset {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::PowerOn => Self::PowerOn,
            // A program that found itself in the wrong is no better than one that hangs.
            Cause::Watchdog | Cause::Panic => Self::Watchdog,
            Cause::Command => Self::Command,
        }
    }
}

/// Why this start; to be asked once, first of all.
pub fn cause() -> Cause {
    let cause = match survived() {
        [MARK, word] if word == Cause::Command as u32 => Cause::Command,
        [MARK, word] if word == Cause::Panic as u32 => Cause::Panic,
        [MARK, _] => Cause::Watchdog,
        _ => Cause::PowerOn,
    };
    leave([MARK, Cause::Watchdog as u32]);
    cause
}

/// Starts the device again, and lets it know why.
pub fn restart(why: Cause) -> ! {
    leave([MARK, why as u32]);
    cortex_m::peripheral::SCB::sys_reset()
}

/// Starts the watchdog: it bites `within_s` after the last [`feed`], or earlier when that is
/// longer than it can count. It cannot be stopped.
pub fn start(within_s: u32) {
    let half = (within_s / 2).clamp(1, LONGEST_S);
    WATCHDOG_LOCK.write(KEY);
    WATCHDOG_LOAD.write(half * CLOCK_HZ);
    WATCHDOG_CONTROL.write(BITES);
    WATCHDOG_LOCK.write(0);
}

/// Everything is well.
pub fn feed() {
    WATCHDOG_LOCK.write(KEY);
    WATCHDOG_CLEAR.write(1);
    WATCHDOG_LOCK.write(0);
}
