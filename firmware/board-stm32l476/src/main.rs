//! The device on an STM32L476: a hydrant node, or a detector, that lives on one battery for years.
//!
//! | wire | pins | what |
//! |---|---|---|
//! | USART1 | PA9 → modem, PA10 ← modem | the modem, 115,200 baud |
//! | modem control | PA8 sleep (DTR), PB12 power key | high lets it sleep; a pulse switches it on |
//! | USART3 | PC10 → line, PC11 ← line, PB14 driver | RS-485, Modbus RTU, 9,600 baud |
//! | sensor supply | PC8 | high feeds the pressure transmitter and the RS-485 transceiver |
//! | I2C1 | PB8 SCL, PB9 SDA, PB5 supply | storage 0x50, thermometer 0x48, accelerometer 0x18, chamber 0x64 |
//! | contacts to ground | PC0 flow, PC1 cap, PC2 case, PC13 button | each wakes the chip; 2.2 MΩ to the supply outside |
//! | sounder | PB6 | high sounds |
//! | lamp | PB2 | blinks while the device does not know who it is |
//!
//! What the device does is in `standpipe-firmware`; here is what this chip does for it. Between
//! two samples every peripheral is off and the chip is in STOP 2 (1.1 µA with its clock running,
//! data sheet DS10198 table 37): so nothing here is held open that is not in use.
#![no_std]
#![no_main]

mod body;
mod bus;
mod modem;

use core::panic::PanicInfo;

use embassy_executor::Spawner;
use embassy_stm32::flash::{Blocking, Flash};
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::peripherals::IWDG;
use embassy_stm32::rcc::LsConfig;
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Config, Peri, pac};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_time::{Delay, Duration, Instant, Timer};
use standpipe_firmware::eeprom::Eeprom;
use standpipe_firmware::identity::{self, Identity};
use standpipe_firmware::life::Life;
use standpipe_firmware::outbox::{KeptKey, Layout, Outbox};
use standpipe_firmware::pulse::Pulse;
use standpipe_firmware::uplink::{Post, Uplink, bg95};
use standpipe_firmware::{Memory, Node, Reset, ResetFlags, Start, Uptime};
use static_cell::StaticCell;

use body::Body;
use bus::Bus;
use modem::Radio;

type Chip = Eeprom<Bus, Delay>;
type Mail = Post<NoopRawMutex, Chip>;

/// Where the identity page begins in the chip's own flash: its last 2 KiB. It is written together
/// with the program, and no program writes there.
const IDENTITY: u32 = 0x000F_F800;
/// From the start to the first promise of both tasks: the storage is read through once.
const BEGIN_S: u32 = 60;
/// The longest that this watchdog can count, 32 kHz / 256 × 4,096, is 32 s; its oscillator may be
/// 10 % fast.
const LONGEST_S: u16 = 28;
/// How the lamp blinks: somebody forgot to write the identity.
const BLINK: Duration = Duration::from_millis(200);

#[embassy_executor::main(
    executor = "embassy_stm32::executor::Executor",
    entry = "cortex_m_rt::entry"
)]
async fn main(spawner: Spawner) {
    // Before anything that can hang, the clocks among it.
    watch_the_start();
    let reset = cause();
    let mut config = Config::default();
    config.rcc.ls = match reset {
        // The crystal may be broken, and the start have waited for it: a time that is 5 % wrong is
        // better than a device that never starts.
        Reset::Watchdog if !crystal_runs() => LsConfig::default_lsi(),
        // The crystal of 32,768 Hz carries the time through STOP.
        Reset::PowerOn | Reset::Brownout | Reset::Watchdog | Reset::Command | Reset::Pin => {
            LsConfig::default_lse()
        }
    };
    // Its port would keep clocks on in STOP, 700 µA.
    config.enable_debug_during_sleep = false;
    let p = embassy_stm32::init(config);
    // Only now: to change its clock, the driver clears the backup domain.
    pac::RTC.bkpr(0).write(|register| register.set_bkp(MARK));

    let mut flash = Flash::new_blocking(p.FLASH);
    let lamp = Output::new(p.PB2, Level::Low, Speed::Low);
    let identity = identify(&mut flash, lamp).await;
    static PULSE: StaticCell<Pulse> = StaticCell::new();
    let pulse: &'static Pulse = PULSE.init(Pulse::new(BEGIN_S));
    spawn(spawner, feed(p.IWDG, pulse, identity.watchdog_s));

    let rail = Output::new(p.PB5, Level::Low, Speed::Low);
    let bus = Bus::share(p.I2C1, p.PB8, p.PB9, rail);
    let chip = Eeprom::new(bus, Delay);
    let (mut outbox, boot) = Outbox::open(chip, Layout::KIB_32, chance()).await;
    let mut kept = [0; Memory::MAX];
    let length = outbox.kept(KeptKey::Node, &mut kept).await.unwrap_or(0);
    let memory = kept.get(..length).and_then(Memory::from_bytes);
    let first_report_ms = u64::from(chance()) % (u64::from(identity.retry_s) * 100);
    let settings = identity.settings();
    let chamber = identity.chamber();
    let start = Start { reset, boot, first_report_ms, chamber, settings };
    let node = Node::start(identity.kind, memory, start);
    static POST: StaticCell<Mail> = StaticCell::new();
    let post: &'static Mail = POST.init(Post::new(outbox, node.clock().clone()));

    let line = body::TransmitterWires {
        uart: p.USART3,
        rx: p.PC11,
        tx: p.PC10,
        driver: p.PB14,
        supply: Output::new(p.PC8, Level::Low, Speed::Low),
    };
    let contacts =
        body::Touch::new((p.PC0, p.EXTI0), (p.PC1, p.EXTI1), (p.PC2, p.EXTI2), (p.PC13, p.EXTI13));
    let sounder = Output::new(p.PB6, Level::Low, Speed::Low);
    let board = Body::new(identity.kind, line, bus, contacts, sounder, p.ADC1);
    spawn(spawner, live(Life { node, board, post, pulse }));

    let port = modem::Port::new(p.USART1, p.PA10, p.PA9);
    let sleep_pin = Output::new(p.PA8, Level::Low, Speed::Low);
    let power_key = Output::new(p.PB12, Level::Low, Speed::Low);
    spawn(spawner, talk(identity, post, pulse, port, sleep_pin, power_key));
}

#[embassy_executor::task]
async fn live(mut life: Life<'static, Body, NoopRawMutex, Chip>) {
    life.run().await
}

#[embassy_executor::task]
async fn talk(
    identity: Identity<'static>,
    post: &'static Mail,
    pulse: &'static Pulse,
    port: modem::Port,
    sleep_pin: Output<'static>,
    power_key: Output<'static>,
) {
    let lines = bg95::ModemLines::of(&identity);
    let mut radio = Radio::new(port, sleep_pin, power_key, lines.script());
    let Some(account) = identity.account() else { return };
    let seed = u64::from(chance());
    Uplink { post, pulse, account, habits: identity.habits(), seed }.run(&mut radio).await
}

/// Feeds the watchdog for as long as everybody keeps their promises.
#[embassy_executor::task]
async fn feed(iwdg: Peri<'static, IWDG>, pulse: &'static Pulse, watchdog_s: u16) {
    let within_s = u32::from(watchdog_s.min(LONGEST_S));
    let mut watchdog = IndependentWatchdog::new(iwdg, within_s * 1_000_000);
    watchdog.unleash();
    loop {
        if pulse.hung(Uptime(Instant::now().as_millis())).is_none() {
            watchdog.pet();
        }
        // Half the time is left for an oscillator that is not exact.
        Timer::after(Duration::from_millis(u64::from(within_s) * 500)).await;
    }
}

/// The page that says who it is. Without one there is nothing to do but blink.
async fn identify(flash: &mut Flash<'_, Blocking>, mut lamp: Output<'static>) -> Identity<'static> {
    static PAGE: StaticCell<[u8; identity::PAGE]> = StaticCell::new();
    let page = PAGE.init([0; identity::PAGE]);
    // The place is there in every chip of this type; a page of zeros is blank.
    let _ = flash.blocking_read(IDENTITY, page);
    match Identity::read(page) {
        Ok(identity) => identity,
        Err(_) => loop {
            lamp.toggle();
            Timer::after(BLINK).await;
        },
    }
}

/// The independent watchdog, before any clock is asked for: it has an oscillator of its own, and
/// nothing stops it any more. With the option byte `IWDG_SW` at 0 it runs before this, too.
fn watch_the_start() {
    let iwdg = pac::IWDG;
    iwdg.kr().write(|key| key.set_key(pac::iwdg::vals::Key::START));
    iwdg.kr().write(|key| key.set_key(pac::iwdg::vals::Key::ENABLE));
    // 32 kHz / 256 × 4,096: 32 s.
    iwdg.pr().write(|prescaler| prescaler.set_pr(pac::iwdg::vals::Pr::DIVIDE_BY256));
    iwdg.rlr().write(|reload| reload.set_rl(0xFFF));
    iwdg.kr().write(|key| key.set_key(pac::iwdg::vals::Key::RESET));
}

/// Whether the crystal was running when the watchdog bit: it survives such a reset.
fn crystal_runs() -> bool {
    pac::RCC.bdcr().read().lserdy()
}

/// Stands in a register of the backup domain, which a sag of the supply does not clear.
const MARK: u32 = 0x5350_4950;

/// Why the chip has started (RM0351 §6.4.29), asked once.
fn cause() -> Reset {
    let csr = pac::RCC.csr().read();
    pac::RCC.csr().modify(|register| register.set_rmvf(true));
    pac::RCC.apb1enr1().modify(|clocks| clocks.set_pwren(true));
    pac::PWR.cr1().modify(|power| power.set_dbp(true));
    let marked = pac::RTC.bkpr(0).read().bkp() == MARK;
    Reset::of(ResetFlags {
        watchdog: csr.iwdgrstf(),
        software: csr.sftrstf(),
        supply: csr.borrstf(),
        marked,
    })
}

/// A number that differs from chip to chip, and from moment to moment.
fn chance() -> u32 {
    let sum = embassy_stm32::uid::uid().iter().fold(0x811C_9DC5_u32, |sum, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193) // FNV-1a
    });
    sum ^ (Instant::now().as_ticks() as u32).wrapping_mul(0x9E37_79B1)
}

/// Every task is spawned once, so that there is always room for it.
fn spawn<S>(
    spawner: Spawner,
    task: Result<embassy_executor::SpawnToken<S>, embassy_executor::SpawnError>,
) {
    match task {
        Ok(task) => spawner.spawn(task),
        Err(_) => cortex_m::peripheral::SCB::sys_reset(),
    }
}

/// A program that found itself in the wrong is no better than one that hangs: the watchdog bites,
/// and the next birth says so.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        cortex_m::asm::nop();
    }
}
