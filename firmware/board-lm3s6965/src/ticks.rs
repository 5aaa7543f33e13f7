//! What time it is since the start, and who is to be woken when: the executor's time driver.
//!
//! The core's own 24-bit timer counts clocks and interrupts at every wrap, each 1.34 s; a one-shot
//! timer interrupts when the next task is due. So the core sleeps between the two.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::exception;
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;
use lm3s6965::{Interrupt, interrupt};

use crate::registers::{
    self, TIMER_CONFIGURATION, TIMER_CONTROL, TIMER_INTERRUPT_CLEAR, TIMER_INTERRUPT_MASK,
    TIMER_LOAD, TIMER_MODE,
};

/// The clock after a reset, as QEMU has it: 200 MHz through 16.
pub const CLOCK_HZ: u32 = 12_500_000;
const CLOCKS_PER_MS: u64 = 12_500;
const WRAP: u64 = 1 << 24;
/// The one-shot timer has 32 bits, which is 343 s; it is set again after this.
const LONGEST_MS: u64 = 300_000;

const ONE_SHOT: u32 = 1;
const ENABLE: u32 = 1;
const TIMED_OUT: u32 = 1;

struct Ticks {
    wraps: Mutex<Cell<u64>>,
    waiting: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks {
    wraps: Mutex::new(Cell::new(0)),
    waiting: Mutex::new(RefCell::new(Queue::new())),
});

/// Starts both timers.
pub fn start() {
    TIMER_CONTROL.write(0);
    TIMER_CONFIGURATION.write(0); // 32 bits
    TIMER_MODE.write(ONE_SHOT);
    TIMER_INTERRUPT_MASK.write(TIMED_OUT);
    registers::unmask(Interrupt::TIMER_0A);
    registers::start_systick();
}

impl Driver for Ticks {
    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.now_within(cs))
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            if self.waiting.borrow_ref_mut(cs).schedule_wake(at, waker) {
                self.set(cs);
            }
        });
    }
}

impl Ticks {
    fn now_within(&self, cs: CriticalSection<'_>) -> u64 {
        let before = SYST::get_current();
        let wraps = self.wraps.borrow(cs).get();
        // A wrap that has not been counted yet, since interrupts are off.
        let (left, wraps) = if SCB::is_pendst_pending() {
            (SYST::get_current(), wraps + 1)
        } else {
            (before, wraps)
        };
        (wraps * WRAP + (WRAP - 1 - u64::from(left))) / CLOCKS_PER_MS
    }

    /// Wakes whom it is time for, and sets the timer for the next.
    fn set(&self, cs: CriticalSection<'_>) {
        let now = self.now_within(cs);
        let next = self.waiting.borrow_ref_mut(cs).next_expiration(now);
        TIMER_CONTROL.write(0);
        if next == u64::MAX {
            return;
        }
        let wait_ms = next.saturating_sub(now).clamp(1, LONGEST_MS);
        TIMER_LOAD.write(u32::try_from(wait_ms * CLOCKS_PER_MS).unwrap_or(u32::MAX));
        TIMER_CONTROL.write(ENABLE);
    }
}

#[exception]
fn SysTick() {
    critical_section::with(|cs| {
        let wraps = TICKS.wraps.borrow(cs);
        wraps.set(wraps.get() + 1);
    });
}

#[interrupt]
fn TIMER_0A() {
    TIMER_INTERRUPT_CLEAR.write(TIMED_OUT);
    critical_section::with(|cs| TICKS.set(cs));
}
