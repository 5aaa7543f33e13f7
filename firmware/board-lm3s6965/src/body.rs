//! What hangs on this board: a pressure transmitter and a thermometer. No contact, no sounder, no
//! battery: it is fed by a plug.

use core::future::pending;

use embassy_time::{Delay, Instant};
use standpipe_firmware::life::Board;
use standpipe_firmware::sensors::modbus::{Function, RegisterFormat, Transmitter};
use standpipe_firmware::sensors::thermometer::Thermometer;
use standpipe_firmware::{Contacts, Fault, Hand, Seen, Sounder, Wanted};
use standpipe_shared::Kind;

use crate::uart::Serial;
use crate::watchdog::{self, Cause};
use crate::{Bus, log, registers};

/// kPa as a float in holding registers 0 and 1.
const TRANSMITTER: Transmitter = Transmitter {
    address: 1,
    function: Function::Holding,
    register: 0,
    format: RegisterFormat::Float,
    kpa_per_unit: 1.0,
};
const THERMOMETER: Thermometer = Thermometer { address: 0x48, converts_ms: 320 };

/// The wires to its sensors.
pub struct Body {
    pub kind: Kind,
    pub field: Serial,
    pub bus: Bus,
    /// From then on the node's task hangs: a drill of the watchdog.
    pub hangs_at: Option<Instant>,
}

impl Board for Body {
    async fn sense(&mut self, wanted: Wanted) -> Seen {
        if self.hangs_at.is_some_and(|at| at <= Instant::now()) {
            log!("drill: the node hangs from here on");
            pending::<()>().await;
        }
        let mut seen = Seen::default();
        if wanted.has(Wanted::TEMP) {
            seen.temp = Some(THERMOMETER.read(&mut self.bus, &mut Delay).await);
        }
        if wanted.has(Wanted::SMOKE) {
            // There is no chamber on this board: as a detector it knows heat only, and says so.
            seen.smoke = Some(Err(Fault::Silent));
        }
        if wanted.has(Wanted::PRESSURE) {
            seen.pressure = Some(TRANSMITTER.read(&mut self.field, &mut Delay).await);
        }
        seen
    }

    fn contacts(&mut self) -> Contacts {
        Contacts::default()
    }

    async fn touched(&mut self) -> Option<Hand> {
        pending().await
    }

    fn sound(&mut self, _: Sounder) {}

    async fn self_test(&mut self) -> Result<(), Fault> {
        let (used, whole) = registers::stack();
        log!("stack {used} of {whole}");
        THERMOMETER.read(&mut self.bus, &mut Delay).await?;
        match self.kind {
            Kind::Hydrant => TRANSMITTER.read(&mut self.field, &mut Delay).await.kpa.map(drop),
            Kind::Smoke => Ok(()),
        }
    }

    fn restart(&mut self) -> ! {
        log!("restart");
        watchdog::restart(Cause::Command)
    }
}
