//! A module that is late, that talks unasked, that garbles and forgets: its dialogue must not slip by
//! one, and what it did not say must not be taken for said.
//!
//! The modules are generated from seeds, and what every one of them said and was asked is in the
//! failure. All of them run at once, since their time is real.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use standpipe_firmware::identity::Identity;
use standpipe_firmware::uplink::{AtModem, DialFault, Modem, NoPin, Recovery, bg95};
use standpipe_shared::{Kind, ROOT, SplitMix64};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::LocalSet;

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

/// What a module may say at any moment.
const UNSOLICITED: [&str; 12] = [
    "RDY",
    "APP RDY",
    "+CFUN: 1",
    "+QIND: SMS DONE",
    "+QIURC: \"pdpdeact\",1",
    "+QSSLURC: \"closed\",0",
    "+CEREG: 2",
    "+CEREG: 5,\"12AB\",\"01A2B3C4\",9",
    "+CPIN: READY",
    "NORMAL POWER DOWN",
    "CONNECTED TO NOTHING AT ALL, AND LONGER THAN ANY LINE THAT ANYBODY WOULD EVER READ IN A LIFE",
    "^\u{0}\u{1}\u{7f}garbage",
];

/// How a module misbehaves, drawn for each.
struct Manner {
    chance: SplitMix64,
    /// One answer in so many comes late.
    late: u64,
    /// One command in so many is preceded, and one answer in so many interrupted, by something else.
    unasked: u64,
    /// It does not answer one command in so many; 0: it answers all.
    forgets: u64,
    /// It refuses what makes the line secure.
    insecure: bool,
    /// It has no SIM.
    no_sim: bool,
}

impl Manner {
    fn of(seed: u64) -> Self {
        let mut chance = SplitMix64(seed);
        let mut pick = |of: &[u64]| of[(chance.bits() % of.len() as u64) as usize];
        let (late, unasked, forgets) = (pick(&[3, 6, 1_000]), pick(&[1, 2, 4]), pick(&[0, 9, 17]));
        let (insecure, no_sim) = (pick(&[0, 0, 0, 1]) == 1, pick(&[0, 0, 0, 0, 1]) == 1);
        Self { chance, late, unasked, forgets, insecure, no_sim }
    }

    fn one_in(&mut self, of: u64) -> bool {
        of > 0 && self.chance.bits().is_multiple_of(of)
    }

    fn unsolicited(&mut self) -> &'static str {
        UNSOLICITED[(self.chance.bits() % UNSOLICITED.len() as u64) as usize]
    }
}

/// What a module was asked, and whether it is transparent.
#[derive(Default)]
struct Diary {
    asked: Vec<String>,
    refused: Vec<String>,
    connected: bool,
    dialled: u32,
    /// From now on it behaves.
    behaves: bool,
}

async fn module(mut line: DuplexStream, mut manner: Manner, diary: Rc<RefCell<Diary>>) {
    let mut command = Vec::new();
    loop {
        let Ok(byte) = line.read_u8().await else { return };
        command.push(byte);
        if command.ends_with(b"+++") {
            let was = std::mem::take(&mut diary.borrow_mut().connected);
            command.clear();
            let answer = if was { "\r\nOK\r\n" } else { "" };
            let _ = line.write_all(answer.as_bytes()).await;
            continue;
        }
        if byte != b'\r' || diary.borrow().connected {
            continue;
        }
        let said = String::from_utf8_lossy(&command).trim().to_owned();
        command.clear();
        let behaves = diary.borrow().behaves;
        let manner_late = !behaves && manner.one_in(manner.late);
        let interrupts = !behaves && manner.one_in(manner.unasked);
        let answer = answer(&said, &manner, behaves);
        diary.borrow_mut().asked.push(said.clone());
        // What the network is asked for is waited for so long that a test has no time for it.
        let of_network = ["QIACT", "QSSLOPEN"].iter().any(|asked| said.contains(asked));
        if !behaves && manner.one_in(manner.forgets) && !of_network {
            continue;
        }
        if manner_late {
            tokio::time::sleep(Duration::from_millis(550 + manner.chance.bits() % 250)).await;
        }
        let mut text = String::new();
        for part in answer.split('|') {
            if interrupts {
                text += &format!("\r\n{}\r\n", manner.unsolicited());
            }
            text += &format!("\r\n{part}\r\n");
        }
        {
            let mut diary = diary.borrow_mut();
            diary.dialled += u32::from(said.contains("QSSLOPEN"));
            diary.connected |= answer == "CONNECT";
            if answer == "ERROR" {
                diary.refused.push(said);
            }
        }
        if line.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Lines of an answer, with a bar between them.
fn answer(said: &str, manner: &Manner, behaves: bool) -> &'static str {
    match said {
        _ if said.contains("CPIN") && manner.no_sim && !behaves => "+CME ERROR: 10",
        _ if said.contains("CPIN") => "+CPIN: READY|OK",
        _ if said.contains("CEREG") => "+CEREG: 0,1|OK",
        _ if said.contains("+QCSQ") => "+QCSQ: \"CAT-M1\",-52,-81,195,-10|OK",
        _ if said.contains("+CSQ") => "+CSQ: 18,99|OK",
        _ if said.contains("QCCID") => "+QCCID: 89860449101891234567|OK",
        _ if said.contains("CGSN") => "864475040000001|OK",
        _ if said.contains("CGMR") => "BG95M3LAR02A03|OK",
        _ if said.contains("QSSLCFG=\"cacert") && manner.insecure && !behaves => "ERROR",
        _ if said.contains("QSSLOPEN") => "CONNECT",
        _ if said.starts_with("AT") => "OK",
        _ => "ERROR",
    }
}

/// What a dial has claimed, against what was said.
fn check(
    seed: u64,
    dialled: Result<(), DialFault>,
    rssi_dbm: Option<i32>,
    said: &Diary,
    Wrong { insecure, no_sim }: Wrong,
) {
    let story = || format!("seed {seed}: {dialled:?}, asked {:?}", said.asked);
    assert_eq!(dialled == Ok(()), said.connected, "{}", story());
    if insecure {
        assert_eq!(said.dialled, 0, "it dials over an open line; {}", story());
    }
    if no_sim {
        assert!(!said.asked.iter().any(|asked| asked.contains("CEREG")), "{}", story());
        assert!(matches!(dialled, Err(DialFault::NoSim | DialFault::Silent)), "{}", story());
    }
    if dialled == Ok(()) {
        // All that makes the line secure was said and not refused, in this order, before it.
        let secure = said.asked.iter().filter(|asked| asked.contains("QSSLCFG"));
        assert!(secure.count() >= 5 && said.refused.is_empty(), "{}", story());
        assert_eq!(rssi_dbm.unwrap_or(-77), -77, "{}", story());
    }
}

/// What is wrong with a module besides its manner.
#[derive(Clone, Copy)]
struct Wrong {
    /// It refuses what makes the line secure.
    insecure: bool,
    no_sim: bool,
}

async fn dial_and_check(seed: u64) {
    let (ours, theirs) = tokio::io::duplex(4_096);
    let manner = Manner::of(seed);
    let wrong = Wrong { insecure: manner.insecure, no_sim: manner.no_sim };
    let diary = Rc::new(RefCell::new(Diary::default()));
    let module = tokio::task::spawn_local(module(theirs, manner, Rc::clone(&diary)));
    let lines = bg95::ModemLines::of(&H1);
    let mut modem = AtModem::new(FromTokio::new(ours), NoPin, lines.script());
    for _ in 0..1 + seed % 2 {
        let dialled = modem.dial().await;
        check(seed, dialled, modem.rssi_dbm(), &diary.borrow(), wrong);
        modem.hang_up().await;
    }
    // Whatever was left on the line: a module that behaves is dialled at once.
    diary.borrow_mut().behaves = true;
    modem.hang_up().await;
    modem.recover(Recovery::Radio).await;
    let dialled = modem.dial().await;
    assert_eq!(dialled, Ok(()), "seed {seed}: {:?}", diary.borrow().asked);
    module.abort();
}

#[test]
fn whatever_a_module_does_its_dialogue_does_not_slip() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let all = LocalSet::new();
    let modules: Vec<_> = (0..96).map(|seed| all.spawn_local(dial_and_check(seed))).collect();
    all.block_on(&runtime, async {
        for module in modules {
            module.await.unwrap();
        }
    });
}

/// A line that says anything, and then is cut: no answer is made of it, and nothing panics.
#[test]
fn a_corpus_of_lines_that_are_cut_anywhere_ends_in_an_error() {
    let corpus = [
        "\r\nOK\r\n",
        "\r\nCONNECT\r\n",
        "\r\n+CEREG: 0,1\r\n\r\nOK\r\n",
        "\r\n+CEREG:\r\n+CEREG: ,,,,\r\n+CEREG: 0,99999999999999999999\r\nOK\r\n",
        "\r\n+CME ERROR: 99999999999\r\n+CME ERROR:\r\n+CME ERROR: SIM not inserted\r\n",
        "\r\n+CSQ: -1,99\r\n+CSQ: 999999999999,0\r\n+CSQ:\r\n",
        "\r\n+QCSQ: \"\r\n+QCSQ: ,,,,\r\n+QCSQ: \"NBIoT\",-81,-32769,32768,-10\r\n",
        "OK\nOK\nOK\nOK\nOK\nOK\nOK\nOK\nOK\nOK\nOK\nOK\nOK\nOK\n",
        "\u{0}\u{0}\u{ff}\u{fe}OK\r\nOK\r\n\r\r\r\n\n\n+++\r\nATZ\r\n",
        "\r\nNO CARRIER\r\nBUSY\r\nERROR\r\nCONNECT 150000000\r\n",
    ];
    let mut all: Vec<Vec<u8>> = Vec::new();
    for said in corpus {
        all.extend((0..=said.len()).map(|cut| said.as_bytes()[..cut].repeat(3)));
    }
    let mut chance = SplitMix64(20);
    for _ in 0..300 {
        let length = chance.bits() % 200;
        all.push((0..length).map(|_| (chance.bits() >> 32) as u8).collect());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    // As many at once as there is room for timers.
    for some in all.chunks(100) {
        let lines: Vec<_> = some
            .iter()
            .cloned()
            .map(|bytes| async move {
                let (ours, mut theirs) = tokio::io::duplex(65_536);
                let lines = bg95::ModemLines::of(&H1);
                let mut modem = AtModem::new(FromTokio::new(ours), NoPin, lines.script());
                theirs.write_all(&bytes).await.unwrap();
                drop(theirs);
                assert!(modem.dial().await.is_err(), "{:?}", String::from_utf8_lossy(&bytes));
            })
            .collect();
        let set = LocalSet::new();
        let lines: Vec<_> = lines.into_iter().map(|line| set.spawn_local(line)).collect();
        set.block_on(&runtime, async {
            for line in lines {
                line.await.unwrap();
            }
        });
    }
}
