//! The device on an LM3S6965, the Cortex-M3 that QEMU plays with all its wires.
//!
//! | wire | what |
//! |---|---|
//! | UART0 | the modem, 115,200 baud |
//! | UART1 | RS-485 to the pressure transmitter, Modbus RTU, 9,600 baud |
//! | UART2 | the log, 115,200 baud |
//! | I2C | thermometer (TMP105, 0x48), EEPROM (AT24C256, 0x50) |
//!
//! What the device does is in `standpipe-firmware`; here is what this chip does for it. Two tasks
//! do the work, and a third one feeds the watchdog while both make progress.
#![no_std]
#![no_main]

mod body;
mod i2c;
mod registers;
mod ticks;
mod uart;
mod watchdog;

use core::cell::RefCell;
use core::panic::PanicInfo;

use embassy_executor::Spawner;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_time::{Delay, Duration, Instant, Timer};
use embedded_hal_bus::i2c::RefCellDevice;
use standpipe_firmware::eeprom::{self, Eeprom};
use standpipe_firmware::identity::{self, Identity};
use standpipe_firmware::life::Life;
use standpipe_firmware::outbox::{KeptKey, Layout, Outbox};
use standpipe_firmware::pulse::Pulse;
use standpipe_firmware::uplink::{AtModem, NoPin, Post, Uplink, bg95};
use standpipe_firmware::{Memory, Node, Start, Uptime};
use static_cell::StaticCell;

use body::Body;
use i2c::Master;
use uart::Serial;
use watchdog::Cause;

type Bus = RefCellDevice<'static, Master>;
type Chip = Eeprom<Bus, Delay>;
type Mail = Post<NoopRawMutex, Chip>;

/// Where the identity page begins in the EEPROM; the outbox has what is before it.
const IDENTITY: u32 = 0x7c00;
/// Whoever does not know its name is looked at by a person; until then it waits.
const NAMELESS: Duration = Duration::from_secs(5);
/// From the start to the first promise of both tasks: the EEPROM is read through once.
const BEGIN_S: u32 = 60;

#[cortex_m_rt::entry]
fn main() -> ! {
    let cause = watchdog::cause();
    registers::open_clocks();
    let (modem, field) = uart::start();
    ticks::start();
    registers::run(|spawner| spawn(spawner, begin(spawner, cause, modem, field)))
}

/// Reads who it is and what it remembers, and lets the tasks begin.
#[embassy_executor::task]
async fn begin(spawner: Spawner, cause: Cause, modem: Serial, field: Serial) {
    static BUS: StaticCell<RefCell<Master>> = StaticCell::new();
    static POST: StaticCell<Mail> = StaticCell::new();
    static PULSE: StaticCell<Pulse> = StaticCell::new();
    let bus: &'static RefCell<Master> = BUS.init(RefCell::new(Master::with(eeprom::ADDRESS)));
    let mut chip = Eeprom::new(RefCellDevice::new(bus), Delay);
    let identity = identify(&mut chip).await;
    let pulse: &'static Pulse = PULSE.init(Pulse::new(BEGIN_S));
    spawn(spawner, feed(pulse, identity.watchdog_s));

    let (mut outbox, boot) = Outbox::open(chip, Layout::KIB_32, chance(&identity)).await;
    let mut kept = [0; Memory::MAX];
    let length = outbox.kept(KeptKey::Node, &mut kept).await.unwrap_or(0);
    let memory = kept.get(..length).and_then(Memory::from_bytes);
    log!("{} boot {boot} after {cause:?}, storage {:?}", identity.device, outbox.storage());

    let spread_ms = u64::from(identity.retry_s) * 100;
    let first_report_ms = u64::from(chance(&identity)) % spread_ms;
    let (reset, settings) = (cause.into(), identity.settings());
    let chamber = identity.chamber();
    let start = Start { reset, boot, first_report_ms, chamber, settings };
    let node = Node::start(identity.kind, memory, start);
    let post: &'static Mail = POST.init(Post::new(outbox, node.clock().clone()));
    let hangs = identity.hang_s > 0 && cause == Cause::PowerOn;
    let board = Body {
        kind: identity.kind,
        field,
        bus: RefCellDevice::new(bus),
        hangs_at: hangs.then(|| Instant::now() + Duration::from_secs(identity.hang_s.into())),
    };
    spawn(spawner, live(Life { node, board, post, pulse }));
    spawn(spawner, talk(identity, modem, post, pulse));
}

#[embassy_executor::task]
async fn live(mut life: Life<'static, Body, NoopRawMutex, Chip>) {
    life.run().await
}

#[embassy_executor::task]
async fn talk(
    identity: Identity<'static>,
    modem: Serial,
    post: &'static Mail,
    pulse: &'static Pulse,
) {
    let lines = bg95::ModemLines::of(&identity);
    let mut modem = AtModem::new(modem, NoPin, lines.script());
    let Some(account) = identity.account() else { return };
    let seed = chance(&identity).into();
    Uplink { post, pulse, account, habits: identity.habits(), seed }.run(&mut modem).await
}

/// Feeds the watchdog for as long as everybody keeps their promises.
#[embassy_executor::task]
async fn feed(pulse: &'static Pulse, watchdog_s: u16) {
    watchdog::start(watchdog_s.into());
    loop {
        match pulse.hung(Uptime(Instant::now().as_millis())) {
            None => watchdog::feed(),
            Some(part) => log!("{part:?} hangs"),
        }
        Timer::after(Duration::from_millis(u64::from(watchdog_s) * 250)).await;
    }
}

/// The page that says who it is. Without one there is nothing to do but say so.
async fn identify(chip: &mut Chip) -> Identity<'static> {
    static PAGE: StaticCell<[u8; identity::PAGE]> = StaticCell::new();
    let page = PAGE.init([0; identity::PAGE]);
    while let Err(trouble) = chip.load(IDENTITY, page).await {
        log!("EEPROM {trouble:?}: look at its wires");
        Timer::after(NAMELESS).await;
    }
    match Identity::read(page) {
        Ok(identity) => identity,
        Err(why) => loop {
            log!("{why}");
            Timer::after(NAMELESS).await;
        },
    }
}

/// A number that differs from device to device, and, by how long the chips took to answer, from
/// start to start.
fn chance(identity: &Identity<'_>) -> u32 {
    let name = identity.device.bytes().fold(0x811c_9dc5, |sum: u32, byte| {
        (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193) // FNV-1a
    });
    name ^ cortex_m::peripheral::SYST::get_current().wrapping_mul(0x9e37_79b1)
}

/// Every task is spawned once, so that there is always room for it.
fn spawn<S>(
    spawner: Spawner,
    task: Result<embassy_executor::SpawnToken<S>, embassy_executor::SpawnError>,
) {
    match task {
        Ok(task) => spawner.spawn(task),
        Err(why) => log!("a task does not start: {why:?}"),
    }
}

/// Says nothing of what and where: those texts would be 24 KiB of flash.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    log!("panic");
    watchdog::restart(Cause::Panic)
}
