//! What hangs on this board: pressure, temperature, lean, smoke, battery, contacts, a sounder.

use core::future::pending;

use embassy_futures::select::{Either, select, select3};
use embassy_stm32::adc::{Adc, SampleTime};
use embassy_stm32::exti::{ExtiInput, InterruptHandler};
use embassy_stm32::gpio::{Output, Pull};
use embassy_stm32::interrupt::typelevel;
use embassy_stm32::mode::Async;
use embassy_stm32::peripherals::{
    ADC1, EXTI0, EXTI1, EXTI2, EXTI13, PB14, PC0, PC1, PC2, PC10, PC11, PC13, USART3,
};
use embassy_stm32::usart::{BufferedInterruptHandler, BufferedUart, Config};
use embassy_stm32::{Peri, bind_interrupts, pac};
use embassy_time::{Delay, Duration, Instant, Timer};
use standpipe_firmware::life::Board;
use standpipe_firmware::power::WARM_UP_MS;
use standpipe_firmware::press::{Level, Press};
use standpipe_firmware::sensors::accelerometer::Accelerometer;
use standpipe_firmware::sensors::chamber;
use standpipe_firmware::sensors::modbus::{Function, RegisterFormat, Transmitter};
use standpipe_firmware::sensors::thermometer::Thermometer;
use standpipe_firmware::{Contacts, Fault, Hand, Pressure, Seen, Sounder, Uptime, Wanted};
use standpipe_shared::Kind;

use crate::bus::Bus;

bind_interrupts!(struct Irqs {
    USART3 => BufferedInterruptHandler<USART3>;
    EXTI0 => InterruptHandler<typelevel::EXTI0>;
    EXTI1 => InterruptHandler<typelevel::EXTI1>;
    EXTI2 => InterruptHandler<typelevel::EXTI2>;
    EXTI15_10 => InterruptHandler<typelevel::EXTI15_10>;
});

/// kPa as a float in holding registers 0 and 1.
const TRANSMITTER: Transmitter = Transmitter {
    address: 1,
    function: Function::Holding,
    register: 0,
    format: RegisterFormat::Float,
    kpa_per_unit: 1.0,
};
/// RS-485 of most transmitters.
const BAUD: u32 = 9_600;
/// From the supply to the first good answer of the transmitter.
const WARM_UP: Duration = Duration::from_millis(WARM_UP_MS as u64);
/// A TMP1075.
const THERMOMETER: Thermometer = Thermometer { address: 0x48, converts_ms: 12 };
/// Its z axis is the hydrant's.
const LEAN: Accelerometer = Accelerometer { address: 0x18, upright: [0.0, 0.0, 1.0] };
/// The supply at which the reference was measured, mV (DS10198 §3.15.2).
const CALIBRATED_AT_MV: u32 = 3_000;
/// Contacts bounce.
const BOUNCE: Duration = Duration::from_millis(30);

/// RS-485 to the pressure transmitter, which is fed only while it is asked.
pub struct TransmitterWires {
    pub uart: Peri<'static, USART3>,
    /// From the line.
    pub rx: Peri<'static, PC11>,
    /// To the line.
    pub tx: Peri<'static, PC10>,
    /// High while the UART speaks.
    pub driver: Peri<'static, PB14>,
    /// High feeds the transmitter, and the transceiver of its line.
    pub supply: Output<'static>,
}

impl TransmitterWires {
    async fn ask(&mut self) -> Pressure {
        self.supply.set_high();
        Timer::after(WARM_UP).await;
        let pressure = self.ask_warm().await;
        self.supply.set_low();
        pressure
    }

    async fn ask_warm(&mut self) -> Pressure {
        let (mut tx_buffer, mut rx_buffer) = ([0; 16], [0; 32]);
        let mut config = Config::default();
        config.baudrate = BAUD;
        let line = BufferedUart::new_with_de(
            self.uart.reborrow(),
            self.rx.reborrow(),
            self.tx.reborrow(),
            self.driver.reborrow(),
            Irqs,
            &mut tx_buffer,
            &mut rx_buffer,
            config,
        );
        match line {
            Ok(mut line) => TRANSMITTER.read(&mut line, &mut Delay).await,
            Err(_) => Pressure { kpa: Err(Fault::Refused), loop_ma: None },
        }
    }
}

/// Contacts to ground, each of which wakes the chip.
pub struct Touch {
    flow: ExtiInput<'static, Async>,
    cap: ExtiInput<'static, Async>,
    case: ExtiInput<'static, Async>,
    button: ExtiInput<'static, Async>,
    /// What is known of the button; a sample interrupts the waiting, not the press.
    press: Press,
}

impl Touch {
    /// Each pin with its line of the interrupt controller. Its pull-up of 2.2 MΩ is outside: on
    /// one inside the chip a contact that is closed for eight years would take half the battery.
    pub fn new(
        flow: (Peri<'static, PC0>, Peri<'static, EXTI0>),
        cap: (Peri<'static, PC1>, Peri<'static, EXTI1>),
        case: (Peri<'static, PC2>, Peri<'static, EXTI2>),
        button: (Peri<'static, PC13>, Peri<'static, EXTI13>),
    ) -> Self {
        Self {
            flow: ExtiInput::new(flow.0, flow.1, Pull::None, Irqs),
            cap: ExtiInput::new(cap.0, cap.1, Pull::None, Irqs),
            case: ExtiInput::new(case.0, case.1, Pull::None, Irqs),
            button: ExtiInput::new(button.0, button.1, Pull::None, Irqs),
            press: Press::default(),
        }
    }

    async fn changed(&mut self) -> Option<Hand> {
        loop {
            let level = if self.button.is_low() { Level::Down } else { Level::Up };
            let hand = self.press.look(level, Uptime(Instant::now().as_millis()));
            if hand.is_some() {
                return hand;
            }
            let contacts = select3(
                self.flow.wait_for_any_edge(),
                self.cap.wait_for_any_edge(),
                self.case.wait_for_any_edge(),
            );
            let held = async {
                match self.press.due() {
                    Some(at) => Timer::at(Instant::from_millis(at.0)).await,
                    None => pending().await,
                }
            };
            let button = select(self.button.wait_for_any_edge(), held);
            let moved = select(contacts, button).await;
            if let Either::Second(Either::Second(())) = moved {
                continue;
            }
            Timer::after(BOUNCE).await;
            if let Either::First(_) = moved {
                return None;
            }
        }
    }
}

/// The wires to its sensors.
pub struct Body {
    kind: Kind,
    line: TransmitterWires,
    bus: Bus,
    touch: Touch,
    sounder: Output<'static>,
    adc: Peri<'static, ADC1>,
}

impl Body {
    /// Lets the chips that need it begin to measure.
    pub fn new(
        kind: Kind,
        line: TransmitterWires,
        mut bus: Bus,
        touch: Touch,
        sounder: Output<'static>,
        adc: Peri<'static, ADC1>,
    ) -> Self {
        // One that is not there, or not well, is told when it is asked.
        let _ = match kind {
            Kind::Hydrant => LEAN.start(&mut bus),
            Kind::Smoke => chamber::start(&mut bus),
        };
        Self { kind, line, bus, touch, sounder, adc }
    }

    /// The supply, by the chip's reference: the battery feeds it without a regulator.
    fn battery_mv(&mut self) -> i32 {
        let mut adc = Adc::new(self.adc.reborrow());
        let mut reference = adc.enable_vrefint();
        let now = u32::from(adc.blocking_read(&mut reference, SampleTime::CYCLES247_5)).max(1);
        drop(adc);
        switch_off_adc();
        let calibrated = u32::from(pac::VREFINTCAL.data().read());
        i32::try_from(CALIBRATED_AT_MV * calibrated / now).unwrap_or(i32::MAX)
    }
}

/// The driver stops the converter and its clock; its regulator and the reference would stay on, some
/// 200 µA (RM0351 §18.4.6: disabled, then in deep power-down).
fn switch_off_adc() {
    pac::RCC.ahb2enr().modify(|clocks| clocks.set_adcen(true));
    let adc = pac::ADC1;
    if adc.cr().read().aden() {
        adc.cr().modify(|control| control.set_addis(true));
        while adc.cr().read().aden() {}
    }
    adc.cr().modify(|control| control.set_advregen(false));
    adc.cr().modify(|control| control.set_deeppwd(true));
    pac::ADC123_COMMON.ccr().modify(|common| common.set_vrefen(false));
    pac::RCC.ahb2enr().modify(|clocks| clocks.set_adcen(false));
}

impl Board for Body {
    async fn sense(&mut self, wanted: Wanted) -> Seen {
        let mut seen = Seen::default();
        if wanted.has(Wanted::TEMP) {
            seen.temp = Some(THERMOMETER.read(&mut self.bus, &mut Delay).await);
        }
        if wanted.has(Wanted::TILT) {
            seen.tilt = Some(LEAN.read(&mut self.bus));
        }
        if wanted.has(Wanted::SMOKE) {
            seen.smoke = Some(chamber::read(&mut self.bus, &mut Delay).await);
        }
        if wanted.has(Wanted::BATTERY) {
            seen.battery_mv = Some(Ok(self.battery_mv()));
        }
        if wanted.has(Wanted::PRESSURE) {
            seen.pressure = Some(self.line.ask().await);
        }
        seen
    }

    fn contacts(&mut self) -> Contacts {
        let hydrant = self.kind == Kind::Hydrant;
        Contacts {
            flowing: hydrant.then(|| self.touch.flow.is_low()),
            cap_open: hydrant.then(|| self.touch.cap.is_high()),
            case_open: Some(self.touch.case.is_high()),
        }
    }

    async fn touched(&mut self) -> Option<Hand> {
        self.touch.changed().await
    }

    fn sound(&mut self, sounder: Sounder) {
        // The driver of the sounder makes the evacuation signal itself, and of a tenth of a second
        // a chirp.
        self.sounder.set_level((sounder != Sounder::Off).into());
    }

    async fn self_test(&mut self) -> Result<(), Fault> {
        THERMOMETER.read(&mut self.bus, &mut Delay).await?;
        match self.kind {
            Kind::Hydrant => self.line.ask().await.kpa.map(drop),
            Kind::Smoke => chamber::self_test(&mut self.bus, &mut Delay).await,
        }
    }

    fn restart(&mut self) -> ! {
        cortex_m::peripheral::SCB::sys_reset()
    }
}
