//! What is said to a Quectel BG95 (and BG77, BG600: one command set): 4G for things, with sockets
//! of its own, and TLS in them. The commands are those of Quectel's TCP/IP, SSL and PSM application
//! notes as public code uses them; nobody has said them to a module yet.

use core::fmt::Write;

use heapless::String;

use super::Script;
use super::talk::Stay;
use crate::identity::{APN, HOST, Identity};

/// Nothing is saved: commands are waited for.
const ON_MAINS: &[&str] = &["AT+CPSMS=0"];
/// Power saving mode: 2 s after its last word it may sleep (T3324), at a few µA, and it tells the
/// network that it is there every 12 h (T3412), which every reading does as well. The bits are
/// those of 3GPP TS 24.008, tables 10.5.163 and 10.5.163a. Without it the modem would idle at
/// some mA between two readings.
const ON_BATTERY: &[&str] = &["AT+CPSMS=1,,,\"00101100\",\"00000001\""];

const PLAIN: &[&str] = &[];
/// TLS 1.2; the certificate of the broker must be signed by the authority in `ca.pem`. The hour is
/// not checked, since a modem often does not know it: a certificate that is not to be good any
/// longer is replaced at the broker.
const BY_PASSWORD: &[&str] = &[
    "AT+QSSLCFG=\"sslversion\",0,3",
    "AT+QSSLCFG=\"ciphersuite\",0,0XFFFF",
    "AT+QSSLCFG=\"ignorelocaltime\",0,1",
    "AT+QSSLCFG=\"cacert\",0,\"ca.pem\"",
    "AT+QSSLCFG=\"seclevel\",0,1",
];
/// The same, and the device shows its own.
const BY_CERTIFICATE: &[&str] = &[
    "AT+QSSLCFG=\"sslversion\",0,3",
    "AT+QSSLCFG=\"ciphersuite\",0,0XFFFF",
    "AT+QSSLCFG=\"ignorelocaltime\",0,1",
    "AT+QSSLCFG=\"cacert\",0,\"ca.pem\"",
    "AT+QSSLCFG=\"clientcert\",0,\"client.pem\"",
    "AT+QSSLCFG=\"clientkey\",0,\"client.key\"",
    "AT+QSSLCFG=\"seclevel\",0,2",
];

/// What one device says.
#[derive(Clone, Debug)]
pub struct ModemLines {
    context: String<{ APN + 32 }>,
    dial: String<{ HOST + 40 }>,
    setup: &'static [&'static str],
    secure: &'static [&'static str],
    hang_up: &'static str,
}

impl ModemLines {
    /// Those of this device.
    #[must_use]
    pub fn of(identity: &Identity<'_>) -> Self {
        let (mut context, mut dial) = (String::new(), String::new());
        let (host, port) = (identity.host, identity.dialled());
        // Host and access point of an identity that was read from a page fit.
        let _ = write!(context, "AT+QICSGP=1,1,\"{}\"", identity.apn);
        // Transparent mode over the first context.
        let _ = if identity.tls {
            write!(dial, "AT+QSSLOPEN=1,0,0,\"{host}\",{port},2")
        } else {
            write!(dial, "AT+QIOPEN=1,0,\"TCP\",\"{host}\",{port},0,2")
        };
        Self {
            context,
            dial,
            setup: match identity.habits().stay {
                Stay::Always => ON_MAINS,
                Stay::Briefly => ON_BATTERY,
            },
            secure: match (identity.tls, identity.user.is_empty()) {
                (false, _) => PLAIN,
                (true, false) => BY_PASSWORD,
                (true, true) => BY_CERTIFICATE,
            },
            hang_up: if identity.tls { "AT+QSSLCLOSE=0" } else { "AT+QICLOSE=0" },
        }
    }

    /// The whole dialogue.
    #[must_use]
    pub fn script(&self) -> Script<'_> {
        Script {
            context: &self.context,
            setup: self.setup,
            activate: "AT+QIACT=1",
            secure: self.secure,
            dial: &self.dial,
            hang_up: self.hang_up,
            sleep: &["AT+QSCLK=1"],
        }
    }
}
