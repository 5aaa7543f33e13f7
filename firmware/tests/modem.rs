//! The dialogue with a cellular module, word by word, with one that answers badly too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod support;

use std::time::Duration;

use embedded_hal::digital::{ErrorType, OutputPin};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read as _, Write as _};
use standpipe_firmware::identity::Identity;
use standpipe_firmware::uplink::{AtModem, DialFault, Modem, Script, bg95};
use standpipe_shared::{Kind, ROOT};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const SCRIPT: Script<'_> = Script {
    context: "AT+QICSGP=1,1,\"iot\"",
    setup: &[],
    activate: "AT+QIACT=1",
    secure: &[],
    dial: "AT+QIOPEN=1,0,\"TCP\",\"broker\",1883,0,2",
    hang_up: "AT+QICLOSE=0",
    sleep: &["AT+QSCLK=1"],
};

/// A pin that remembers.
#[derive(Clone, Default)]
struct Pin(std::rc::Rc<std::cell::Cell<Option<bool>>>);

impl ErrorType for Pin {
    type Error = std::convert::Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        self.0.set(Some(false));
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        self.0.set(Some(true));
        Ok(())
    }
}

/// Plays the module: each line that comes in must be the next of `play`, and is answered so. A
/// line without an end is awaited as it is (`+++`).
async fn module(stream: &mut DuplexStream, play: &[(&str, &str)]) {
    for (expected, answer) in play {
        let end = if *expected == "+++" { "" } else { "\r" };
        let mut line = vec![0; expected.len() + end.len()];
        stream.read_exact(&mut line).await.expect("the modem speaks");
        assert_eq!(String::from_utf8_lossy(&line), format!("{expected}{end}"));
        stream.write_all(answer.as_bytes()).await.expect("and listens");
    }
}

/// How a module of which nothing is known is brought to dial.
const AWAKE: [(&str, &str); 4] = [
    ("+++", "\r\nERROR\r\n"),
    ("AT", "\r\nOK\r\n"),
    ("AT+QICLOSE=0", "\r\nOK\r\n"),
    ("AT", "AT\r\r\nOK\r\n"),
];

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let test = async { tokio::time::timeout(Duration::from_secs(60), test).await };
    runtime.block_on(test).expect("within a minute")
}

#[test]
fn it_dials_is_transparent_hangs_up_and_sleeps() {
    run(async {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let pin = Pin::default();
        let mut modem = AtModem::new(FromTokio::new(ours), pin.clone(), SCRIPT);
        let dial = [
            ("ATE0", "ATE0\r\r\nOK\r\n"),
            ("AT+CMEE=1", OK),
            ("AT+CPIN?", "\r\n+CME ERROR: 14\r\n"),
            // The `OK` of a command before it: it does not answer this one.
            ("AT+CPIN?", "\r\nOK\r\n\r\n+CPIN: READY\r\n\r\nOK\r\n"),
            ("AT+CEREG?", "\r\n+CEREG: 0,2\r\n\r\nOK\r\n"),
            ("AT+CEREG?", "\r\n+CEREG: 0,5\r\n\r\nOK\r\n"),
            ("AT+CSQ", SIGNAL),
            ("AT+QCSQ", "\r\n+QCSQ: \"NBIoT\",-81,-93,195,-10\r\n\r\nOK\r\n"),
        ];
        let who = [
            ("AT+CGSN", "\r\n+QIND: SMS DONE\r\n\r\n864475040000001\r\n\r\nOK\r\n"),
            ("AT+QCCID", "\r\n+QCCID: 89860449101891234567\r\n\r\nOK\r\n"),
            ("AT+CGMR", "\r\nBG95M3LAR02A03\r\n\r\nOK\r\n"),
        ];
        let calls = [
            (SCRIPT.context, "\r\nOK\r\n"),
            ("AT+QIACT=1", "\r\n+CME ERROR: already\r\n"),
            (
                SCRIPT.dial,
                "\r\nRDY and something much longer than any line that anybody would ever read\r\n\r\nCONNECT\r\n\x20\x03",
            ),
        ];
        let play = [&AWAKE[..], &dial, &who, &calls].concat();
        let (dialled, ()) = tokio::join!(modem.dial(), module(&mut theirs, &play));
        assert_eq!(dialled, Ok(()));
        assert_eq!(modem.rssi_dbm(), Some(-77));
        let facts = modem.facts().unwrap();
        assert_eq!(facts.imei, "864475040000001");
        assert_eq!(facts.iccid, "89860449101891234567");
        assert_eq!(facts.firmware, "BG95M3LAR02A03");
        assert_eq!((facts.rsrp_dbm, facts.snr_db), (Some(-93), Some(19)));
        assert_eq!(pin.0.get(), Some(false), "awake");
        let mut two = [0; 2];
        modem.stream().read_exact(&mut two).await.expect("data");
        assert_eq!(two, [0x20, 0x03], "no byte after CONNECT is taken for an answer");
        modem.stream().write_all(b"mqtt").await.expect("data");
        let mut four = [0; 4];
        theirs.read_exact(&mut four).await.expect("data");
        assert_eq!(&four, b"mqtt");

        let play = [
            ("+++", "rest of the data\r\nOK\r\n"),
            ("AT", "\r\nOK\r\n"),
            ("AT+QICLOSE=0", "\r\nOK\r\n"),
            ("AT+QSCLK=1", "\r\nOK\r\n"),
        ];
        let away = async {
            modem.hang_up().await;
            modem.hang_up().await; // twice is once
            modem.sleep().await;
        };
        tokio::join!(away, module(&mut theirs, &play));
        assert_eq!(pin.0.get(), Some(true), "may sleep");

        // From a module that is known to be in command mode it is shorter.
        let play = [&[("AT", "\r\nOK\r\n")][..], &dial, &calls].concat();
        let (dialled, ()) = tokio::join!(modem.dial(), module(&mut theirs, &play));
        assert_eq!(dialled, Ok(()));
    });
}

#[test]
fn a_broker_that_does_not_answer_is_told_from_a_silent_module() {
    run(async {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let mut modem = AtModem::new(FromTokio::new(ours), Pin::default(), SCRIPT);
        let dial = [
            ("ATE0", "\r\nOK\r\n"),
            ("AT+CMEE=1", OK),
            ("AT+CPIN?", READY),
            ("AT+CEREG?", "\r\n+CEREG: 2,1,\"12AB\",\"0123\",9\r\n\r\nOK\r\n"),
            ("AT+CSQ", "\r\n+CSQ: 99,99\r\n\r\nOK\r\n"),
            ("AT+QCSQ", "\r\n+QCSQ: \"NOSERVICE\"\r\n\r\nOK\r\n"),
            ("AT+CGSN", ERROR),
            ("AT+QCCID", ERROR),
            ("AT+CGMR", ERROR),
            (SCRIPT.context, "\r\nOK\r\n"),
            ("AT+QIACT=1", "\r\nOK\r\n"),
            (SCRIPT.dial, "\r\nCONNECTING\r\n\r\nNO CARRIER\r\n"),
        ];
        let play = [&AWAKE[..], &dial].concat();
        let (dialled, ()) = tokio::join!(modem.dial(), module(&mut theirs, &play));
        assert_eq!(dialled, Err(DialFault::NoAnswer));
        assert_eq!(modem.rssi_dbm(), None);
        // The module is unplugged.
        drop(theirs);
        assert_eq!(modem.dial().await, Err(DialFault::Silent));
    });
}

#[test]
fn a_module_that_boots_slowly_is_waited_for() {
    run(async {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let mut modem = AtModem::new(FromTokio::new(ours), Pin::default(), SCRIPT);
        let slow = async {
            let mut bytes = [0; 64];
            tokio::time::sleep(Duration::from_secs(5)).await;
            let asked = theirs.read(&mut bytes).await.expect("it was asked meanwhile");
            assert!(asked > 8, "{asked}");
            theirs.write_all(b"\x00\xFFRDY\r\n").await.expect("garbage of the boot");
            loop {
                let asked = theirs.read(&mut bytes).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&bytes[..asked]).into_owned();
                let answer = if text.contains("CEREG") {
                    "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"
                } else if text.contains("CPIN") {
                    READY
                } else if ["CSQ", "CCID"].iter().any(|asked| text.contains(asked)) {
                    ERROR
                } else if text.contains("QIOPEN") {
                    "\r\nCONNECT\r\n"
                } else {
                    "\r\nOK\r\n"
                };
                theirs.write_all(answer.as_bytes()).await.expect("it listens");
                if text.contains("QIOPEN") {
                    break;
                }
            }
        };
        let (dialled, ()) = tokio::join!(modem.dial(), slow);
        assert_eq!(dialled, Ok(()));
    });
}

/// A hydrant on a battery, as `deploy/` knows it: by its name and password, over TLS.
const H1: Identity<'_> = Identity {
    root: ROOT,
    area: "banan",
    device: "H-1",
    kind: Kind::Hydrant,
    host: "broker.example",
    port: 0,
    tls: true,
    apn: "iot.example",
    user: "banan/H-1",
    password: "secret",
    mains: false,
    keep_alive_s: 60,
    retry_s: 900,
    watchdog_s: 20,
    chamber_clean: 0,
    chamber_per_db_m: 0,
    hang_s: 0,
};

const OK: &str = "\r\nOK\r\n";
const ERROR: &str = "\r\nERROR\r\n";
const READY: &str = "\r\n+CPIN: READY\r\n\r\nOK\r\n";
const SIGNAL: &str = "\r\n+CSQ: 18,99\r\n\r\nOK\r\n";

/// What it says between finding the network and the call, and how it hangs up.
#[rustfmt::skip] // a table
fn words(identity: &Identity<'_>) -> Vec<&'static str> {
    match (identity.tls, identity.user, identity.mains) {
        (false, _, _) => vec![
            "AT+QICSGP=1,1,\"iot.example\"", "AT+CPSMS=0", "AT+QIACT=1",
            "AT+QIOPEN=1,0,\"TCP\",\"broker.example\",1883,0,2", "AT+QICLOSE=0",
        ],
        (true, "", _) => vec![
            "AT+QICSGP=1,1,\"iot.example\"", "AT+CPSMS=1,,,\"00101100\",\"00000001\"", "AT+QIACT=1",
            "AT+QSSLCFG=\"sslversion\",0,3", "AT+QSSLCFG=\"ciphersuite\",0,0XFFFF",
            "AT+QSSLCFG=\"ignorelocaltime\",0,1", "AT+QSSLCFG=\"cacert\",0,\"ca.pem\"",
            "AT+QSSLCFG=\"clientcert\",0,\"client.pem\"", "AT+QSSLCFG=\"clientkey\",0,\"client.key\"",
            "AT+QSSLCFG=\"seclevel\",0,2",
            "AT+QSSLOPEN=1,0,0,\"broker.example\",8883,2", "AT+QSSLCLOSE=0",
        ],
        (true, _, _) => vec![
            "AT+QICSGP=1,1,\"iot.example\"", "AT+CPSMS=1,,,\"00101100\",\"00000001\"", "AT+QIACT=1",
            "AT+QSSLCFG=\"sslversion\",0,3", "AT+QSSLCFG=\"ciphersuite\",0,0XFFFF",
            "AT+QSSLCFG=\"ignorelocaltime\",0,1", "AT+QSSLCFG=\"cacert\",0,\"ca.pem\"",
            "AT+QSSLCFG=\"seclevel\",0,1",
            "AT+QSSLOPEN=1,0,0,\"broker.example\",8884,2", "AT+QSSLCLOSE=0",
        ],
    }
}

#[test]
fn a_bg95_is_told_its_network_its_sleep_and_whom_to_trust() {
    for identity in [H1, Identity { user: "", ..H1 }, Identity { tls: false, mains: true, ..H1 }] {
        run(async {
            let (ours, mut theirs) = tokio::io::duplex(4_096);
            let lines = bg95::ModemLines::of(&identity);
            let mut modem = AtModem::new(FromTokio::new(ours), Pin::default(), lines.script());
            let said = words(&identity);
            let (hang_up, said) = said.split_last().unwrap();
            let (dial, said) = said.split_last().unwrap();
            let mut play = vec![("+++", "\r\nERROR\r\n"), ("AT", OK), (hang_up, OK), ("AT", OK)];
            play.extend([("ATE0", OK), ("AT+CMEE=1", OK), ("AT+CPIN?", READY)]);
            play.push(("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"));
            play.extend([("AT+CSQ", SIGNAL), ("AT+QCSQ", ERROR)]);
            play.extend([("AT+CGSN", OK), ("AT+QCCID", ERROR), ("AT+CGMR", OK)]);
            play.extend(said.iter().map(|command| (*command, OK)));
            play.push((dial, "\r\nCONNECT\r\n"));
            let (dialled, ()) = tokio::join!(modem.dial(), module(&mut theirs, &play));
            assert_eq!(dialled, Ok(()));
            let play = [("+++", OK), ("AT", OK), (hang_up, OK), ("AT+QSCLK=1", OK)];
            let away = async {
                modem.hang_up().await;
                modem.sleep().await;
            };
            tokio::join!(away, module(&mut theirs, &play));
        });
    }
}

#[test]
fn a_module_that_does_not_secure_the_line_does_not_dial() {
    run(async {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let lines = bg95::ModemLines::of(&H1);
        let mut modem = AtModem::new(FromTokio::new(ours), Pin::default(), lines.script());
        let refuses = async {
            let mut said = String::new();
            let mut bytes = [0; 64];
            while !said.contains("cacert") {
                let count = theirs.read(&mut bytes).await.expect("it speaks");
                let line = String::from_utf8_lossy(&bytes[..count]).into_owned();
                said.push_str(&line);
                let registered = "\r\n+CEREG: 0,1\r\n\r\nOK\r\n";
                let answer = match () {
                    () if line.contains("CEREG") => registered,
                    () if line.contains("CPIN") => READY,
                    () if line.contains("CSQ") || line.contains("CCID") => ERROR,
                    () if line.contains("cacert") => "\r\nERROR\r\n",
                    () => OK,
                };
                if line.ends_with('\r') || line.contains("+++") {
                    theirs.write_all(answer.as_bytes()).await.expect("and listens");
                }
            }
            said
        };
        let (dialled, said) = tokio::join!(modem.dial(), refuses);
        assert_eq!(dialled, Err(DialFault::Insecure));
        assert!(!said.contains("QSSLOPEN"), "{said}");
    });
}

#[test]
fn a_module_in_power_saving_mode_is_found_deaf_within_two_seconds() {
    run(async {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let pin = Pin::default();
        let mut modem = AtModem::new(FromTokio::new(ours), pin.clone(), SCRIPT);
        let before = tokio::time::Instant::now();
        assert!(!modem.hears().await, "nobody answers: press its key");
        assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
        assert_eq!(pin.0.get(), Some(false));
        let mut asked = [0; 64];
        let _ = theirs.read(&mut asked).await;
        let (hears, ()) = tokio::join!(modem.hears(), module(&mut theirs, &[("AT", OK)]));
        assert!(hears);
    });
}
