//! What is said to a Quectel BG95 (and BG77, BG600: one command set): 4G for things, with sockets
//! of its own. Source: Quectel BG95 & BG77 TCP/IP Application Note.

use core::fmt::Write;

use heapless::String;

use super::Script;
use crate::identity::{Identity, PAGE};

/// The line that dials the broker: transparent mode over the first context.
#[must_use]
pub fn dial(it: &Identity<'_>) -> String<PAGE> {
    let mut line = String::new();
    // A page holds the host and more.
    let _ = write!(line, "AT+QIOPEN=1,0,\"TCP\",\"{}\",{},0,2", it.host, it.port);
    line
}

/// The whole dialogue around it.
#[must_use]
pub const fn script(dial: &str) -> Script<'_> {
    Script {
        setup: &["AT+QICSGP=1,1,\"\"", "AT+QIACT=1"],
        dial,
        hang_up: "AT+QICLOSE=0",
        sleep: &["AT+QSCLK=1"],
    }
}
