//! The chip's registers by name, and everything else that the compiler cannot check: the only
//! file with `unsafe`.
//!
//! Addresses and bits: LM3S6965 data sheet. What the bits are for is in the driver that sets them.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::peripheral::NVIC;
use cortex_m::peripheral::syst::SystClkSource;
use embassy_executor::{Spawner, raw};
use lm3s6965::Interrupt;
use static_cell::StaticCell;

/// One 32-bit register.
#[derive(Clone, Copy)]
pub struct Register(usize);

impl Register {
    /// Private to this file: every address below is a register of this chip.
    const fn at(base: usize, offset: usize) -> Self {
        Self(base + offset)
    }

    /// Its value; a side effect, if reading has one, is its driver's business.
    pub fn read(self) -> u32 {
        // SAFETY: the address is that of a register (see `at`), and reading it is always allowed.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    /// Sets all its bits.
    pub fn write(self, value: u32) {
        // SAFETY: the address is that of a register (see `at`); none of them reaches memory.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}

/// A PL011 UART.
#[allow(missing_docs, reason = "the data sheet's names")]
pub struct UartRegisters {
    pub data: Register,
    pub flags: Register,
    pub baud_whole: Register,
    pub baud_64ths: Register,
    pub line: Register,
    pub control: Register,
    pub interrupt_mask: Register,
    pub interrupt_clear: Register,
}

const fn uart(base: usize) -> UartRegisters {
    UartRegisters {
        data: Register::at(base, 0x00),
        flags: Register::at(base, 0x18),
        baud_whole: Register::at(base, 0x24),
        baud_64ths: Register::at(base, 0x28),
        line: Register::at(base, 0x2c),
        control: Register::at(base, 0x30),
        interrupt_mask: Register::at(base, 0x38),
        interrupt_clear: Register::at(base, 0x44),
    }
}

pub const UART0: UartRegisters = uart(0x4000_c000);
pub const UART1: UartRegisters = uart(0x4000_d000);
pub const UART2: UartRegisters = uart(0x4000_e000);

/// An I2C master.
#[allow(missing_docs, reason = "the data sheet's names")]
pub struct I2cRegisters {
    pub address: Register,
    pub control: Register,
    pub data: Register,
    pub period: Register,
    pub configuration: Register,
}

const fn i2c(base: usize) -> I2cRegisters {
    I2cRegisters {
        address: Register::at(base, 0x00),
        control: Register::at(base, 0x04),
        data: Register::at(base, 0x08),
        period: Register::at(base, 0x0c),
        configuration: Register::at(base, 0x20),
    }
}

pub const I2C0: I2cRegisters = i2c(0x4002_0000);
pub const I2C1: I2cRegisters = i2c(0x4002_1000);

const TIMER0: usize = 0x4003_0000;
pub const TIMER_CONFIGURATION: Register = Register::at(TIMER0, 0x00);
pub const TIMER_MODE: Register = Register::at(TIMER0, 0x04);
pub const TIMER_CONTROL: Register = Register::at(TIMER0, 0x0c);
pub const TIMER_INTERRUPT_MASK: Register = Register::at(TIMER0, 0x18);
pub const TIMER_INTERRUPT_CLEAR: Register = Register::at(TIMER0, 0x24);
pub const TIMER_LOAD: Register = Register::at(TIMER0, 0x28);

const WATCHDOG: usize = 0x4000_0000;
pub const WATCHDOG_LOAD: Register = Register::at(WATCHDOG, 0x000);
pub const WATCHDOG_CONTROL: Register = Register::at(WATCHDOG, 0x008);
pub const WATCHDOG_CLEAR: Register = Register::at(WATCHDOG, 0x00c);
pub const WATCHDOG_LOCK: Register = Register::at(WATCHDOG, 0xc00);

const SYSTEM: usize = 0x400f_e000;
/// Clock gates: watchdog; UARTs, I2C and timers; ports.
const CLOCK_GATES: [Register; 3] =
    [Register::at(SYSTEM, 0x100), Register::at(SYSTEM, 0x104), Register::at(SYSTEM, 0x108)];

/// Every unit that is used gets its clock. (QEMU does not mind; the chip does.)
pub fn open_clocks() {
    // Watchdog; timer 0, both I2C, all UARTs; ports A, B, D and G.
    for (gate, units) in CLOCK_GATES.into_iter().zip([1 << 3, 0x0001_5007, 0x0000_004b]) {
        gate.write(gate.read() | units);
    }
}

/// Lets an interrupt through.
pub fn unmask(interrupt: Interrupt) {
    // SAFETY: nothing here relies on an interrupt being masked: what handlers share is atomic or
    // behind a critical section.
    unsafe { NVIC::unmask(interrupt) }
}

/// Lets the core's own timer count down 24 bits of the core's clock for ever, with an interrupt at 0.
pub fn start_systick() {
    // SAFETY: called once, from `main`, before anything else could own these peripherals.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    core.SYST.set_clock_source(SystClkSource::Core);
    core.SYST.set_reload(0x00ff_ffff);
    core.SYST.clear_current();
    core.SYST.enable_counter();
    core.SYST.enable_interrupt();
}

static WOKEN: AtomicBool = AtomicBool::new(true);

/// The executor calls this by name when a task can go on.
#[unsafe(export_name = "__pender")]
fn pend(_: *mut ()) {
    WOKEN.store(true, Ordering::SeqCst);
}

/// Runs tasks for ever, and sleeps by WFI while none can go on. (The executor's own loop uses WFE,
/// on which QEMU spins.)
pub fn run(spawn: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
    let executor: &'static raw::Executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    spawn(executor.spawner());
    loop {
        if WOKEN.swap(false, Ordering::SeqCst) {
            // SAFETY: polled from here only, and never from within itself.
            unsafe { executor.poll() };
        }
        // An interrupt that comes between the question and the sleep ends the sleep at once, since
        // WFI looks at pending interrupts, masked or not.
        cortex_m::interrupt::free(|_| {
            if !WOKEN.load(Ordering::SeqCst) {
                cortex_m::asm::wfi();
            }
        });
    }
}

/// Two words of memory that a restart leaves as they are, and a power cut does not.
struct Survivor(UnsafeCell<MaybeUninit<[u32; 2]>>);

// SAFETY: used by `survived` and `leave` only, in critical sections of one core.
unsafe impl Sync for Survivor {}

#[unsafe(link_section = ".uninit.SURVIVOR")]
static SURVIVOR: Survivor = Survivor(UnsafeCell::new(MaybeUninit::uninit()));

/// What was left by [`leave`] before the restart; after a power cut, anything.
pub fn survived() -> [u32; 2] {
    // SAFETY: any bits are a value of this type, and the volatile read keeps the compiler from
    // concluding anything from memory that was never written.
    critical_section::with(|_| unsafe { SURVIVOR.0.get().cast::<[u32; 2]>().read_volatile() })
}

/// Leaves two words for the time after a restart.
pub fn leave(words: [u32; 2]) {
    // SAFETY: nobody else looks at it meanwhile.
    critical_section::with(|_| unsafe {
        SURVIVOR.0.get().cast::<[u32; 2]>().write_volatile(words);
    });
}

unsafe extern "C" {
    static _stack_end: u32;
    static _stack_start: u32;
}

/// The deepest the stack has been, and what there is of it; bytes.
pub fn stack() -> (usize, usize) {
    let (end, start) = (&raw const _stack_end as usize, &raw const _stack_start as usize);
    let words = (end..start).step_by(4);
    // SAFETY: all of it is memory, and a word that is being written now counts as used or not.
    let unused =
        words.take_while(|at| unsafe { (*at as *const u32).read_volatile() } == PAINT).count();
    (start - end - unused * 4, start - end)
}

/// What the start-up code has painted the stack with.
const PAINT: u32 = cortex_m_rt::STACK_PAINT_VALUE;
