//! The modem's UART, which is open only during a call, and its two wires.

use embassy_stm32::gpio::Output;
use embassy_stm32::peripherals::{PA9, PA10, USART1};
use embassy_stm32::usart::{BufferedInterruptHandler, BufferedUart, Config, Error};
use embassy_stm32::{Peri, bind_interrupts};
use embassy_time::{Duration, Timer};
use embedded_io_async::{ErrorType, Read, Write};
use standpipe_firmware::uplink::{AtModem, DialFault, Modem, Recovery, Script};
use static_cell::StaticCell;

bind_interrupts!(struct Irqs {
    USART1 => BufferedInterruptHandler<USART1>;
});

/// The power key is held this long to switch a BG95 on (hardware design, §3.7: 500 to 1,000 ms) …
const KEY: Duration = Duration::from_millis(750);
/// … and it takes this long until it listens.
const BOOT: Duration = Duration::from_secs(3);
/// A packet of the broker arrives whole while the program writes to storage.
const BUFFER: usize = 768;

struct Buffers {
    tx: [u8; 256],
    rx: [u8; BUFFER],
}

/// The UART: open during a call, and otherwise off, so that the chip can sleep.
pub struct Port {
    open: Option<BufferedUart<'static>>,
    uart: Peri<'static, USART1>,
    rx: Peri<'static, PA10>,
    tx: Peri<'static, PA9>,
    buffers: *mut Buffers,
}

impl Port {
    /// To be called once.
    pub fn new(
        uart: Peri<'static, USART1>,
        rx: Peri<'static, PA10>,
        tx: Peri<'static, PA9>,
    ) -> Self {
        static BUFFERS: StaticCell<Buffers> = StaticCell::new();
        let buffers = BUFFERS.init(Buffers { tx: [0; 256], rx: [0; BUFFER] });
        Self { open: None, uart, rx, tx, buffers }
    }

    #[expect(unsafe_code, reason = "what is lent for ever is lent again after it came back")]
    fn open(&mut self) {
        self.close();
        // SAFETY: `close` has dropped the only driver that used these wires and buffers; this one
        // is the only one until the next `close`.
        let (uart, rx, tx, buffers) = unsafe {
            let wires = (self.uart.clone_unchecked(), self.rx.clone_unchecked());
            (wires.0, wires.1, self.tx.clone_unchecked(), &mut *self.buffers)
        };
        let (tx_buffer, rx_buffer) = (&mut buffers.tx, &mut buffers.rx);
        // 115,200 baud, 8 bits, no parity is the default, and can be made from any clock.
        let config = Config::default();
        self.open = BufferedUart::new(uart, rx, tx, tx_buffer, rx_buffer, Irqs, config).ok();
    }

    fn close(&mut self) {
        self.open = None;
    }
}

impl ErrorType for Port {
    type Error = Error;
}

impl Read for Port {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        self.open.as_mut().ok_or(Error::Framing)?.read(into).await
    }
}

impl Write for Port {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.open.as_mut().ok_or(Error::Framing)?.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.open.as_mut().ok_or(Error::Framing)?.flush().await
    }
}

/// A BG95: a module that must be switched on, and whose UART is closed between calls.
pub struct Radio<'s> {
    module: AtModem<'s, Port, Output<'static>>,
    power_key: Output<'static>,
    /// It was told that it may sleep: then it may be deaf.
    sleeps: bool,
}

impl<'s> Radio<'s> {
    /// A module whose state is not known.
    pub const fn new(
        port: Port,
        sleep_pin: Output<'static>,
        power_key: Output<'static>,
        script: Script<'s>,
    ) -> Self {
        Self { module: AtModem::new(port, sleep_pin, script), power_key, sleeps: false }
    }

    /// Switches it on, or wakes it. The key pulls its pin to ground through a transistor.
    async fn press_key(&mut self) {
        self.power_key.set_high();
        Timer::after(KEY).await;
        self.power_key.set_low();
        Timer::after(BOOT).await;
    }
}

impl Modem for Radio<'_> {
    type Stream = Port;

    async fn dial(&mut self) -> Result<(), DialFault> {
        self.module.stream().open();
        if core::mem::take(&mut self.sleeps) && !self.module.hears().await {
            self.press_key().await;
        }
        let dialled = self.module.dial().await;
        if dialled != Err(DialFault::Silent) {
            return dialled;
        }
        // It is off.
        self.press_key().await;
        self.module.dial().await
    }

    fn stream(&mut self) -> &mut Port {
        self.module.stream()
    }

    async fn hang_up(&mut self) {
        self.module.hang_up().await;
        self.module.stream().close();
    }

    async fn sleep(&mut self) {
        self.module.stream().open();
        if self.module.is_searching() {
            // Power saving mode begins with a network; without one it would search all night.
            self.module.power_off().await;
        } else {
            self.module.sleep().await;
        }
        self.module.stream().close();
        self.sleeps = true;
    }

    async fn recover(&mut self, recovery: Recovery) {
        self.module.stream().open();
        if core::mem::take(&mut self.sleeps) && !self.module.hears().await {
            self.press_key().await;
        }
        match recovery {
            Recovery::Radio => self.module.recover(recovery).await,
            // Its key starts it anew at the next dial.
            Recovery::Restart => {
                self.module.power_off().await;
                self.sleeps = true;
            }
        }
    }

    fn rssi_dbm(&self) -> Option<i32> {
        self.module.rssi_dbm()
    }
}
