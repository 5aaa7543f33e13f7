//! What a reader found who read the firmware as if it were to go onto 5,000 hydrants and 20,000
//! detectors: a chamber that went blind, a battery that called all day, a dialogue that slipped.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, reason = "a test may")]

mod rig;
mod support;

use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use rig::{Rig, World};
use standpipe_firmware::identity::Identity;
use standpipe_firmware::outbox::{Layout, Outbox};
use standpipe_firmware::uplink::{
    AtModem, Away, Ended, Habits, Modem, NoPin, Retry, UplinkBacklog, bg95,
};
use standpipe_firmware::{Class, Fault, Hand, Heard, Radio, Seen, Uptime};
use standpipe_shared::{Condition, Kind, ROOT, Settings};
use support::chip::Chip;
use support::{alarm, now};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A photoelectric chamber whose emitter has died counts nothing: that is no air, however clean.
#[test]
fn a_chamber_that_sees_no_light_at_all_is_a_fault_and_no_clean_air() {
    let mut rig = Rig::new(Kind::Smoke);
    rig.live(1_000, &World::smoke(0.0));
    rig.live(1_000 + 3_600, &World { counts: Ok(0), ..World::smoke(0.0) });
    assert!(rig.node.shouts(Condition::SensorFault), "{:?}", rig.shouted());
}

/// Whoever holds the button of a detector with a dead chamber hears and reports something else than
/// with a good one.
#[test]
fn a_test_by_hand_of_a_dead_chamber_is_told_from_a_good_one() {
    let ends = |found| {
        let mut rig = Rig::new(Kind::Smoke);
        rig.live(100, &World::smoke(0.0));
        rig.hand(Hand::Hold);
        let contacts = World::calm().contacts;
        let end = rig.step(&Seen { self_test: Some(found), contacts, ..Seen::default() });
        (end.records, end.sounder)
    };
    assert_ne!(ends(Ok(())), ends(Err(Fault::Silent)));
}

/// Ten minutes between two looks at the chamber are no detector.
#[test]
fn a_detector_refuses_to_look_every_ten_minutes() {
    let mut rig = Rig::new(Kind::Smoke);
    let rare = Settings { rev: 1, sample_s: 600, ..*rig.node.settings() };
    assert!(rig.hear(Heard::Settings(rare)).answers.iter().any(|answer| !answer.ok));
}

/// A call after which the same things wait as before is no success: it would be 85 s of modem, for
/// ever, on a battery.
#[test]
fn a_battery_does_not_call_again_at_once_for_what_the_last_call_could_not_say() {
    for (readings, alarm) in [(true, false), (false, true)] {
        let desk = UplinkBacklog {
            radio: Radio::Sleep,
            alarm,
            readings,
            answer: false,
            status: false,
            repeat_at: None,
        };
        let mut retry = Retry::new(7, &Habits::BRIEFLY);
        let (mut at, mut calls) = (Uptime(0), 0);
        while at < Uptime(86_400_000) {
            match retry.next(&desk, at) {
                Away::Dial => {
                    calls += 1;
                    at = at.after_ms(85_000); // dial, 75 s for the clock, hang up
                    retry.ended(Ended::Left, at);
                }
                Away::Rest(Some(due)) => at = due,
                Away::Rest(None) => break,
            }
        }
        assert!(calls <= 200, "{calls} calls a day"); // it was about 1,016
    }
}

/// What rots in the chip must not wait in the counter for ever, nor go uncounted.
#[test]
fn an_alarm_that_the_chip_no_longer_has_is_lost_and_waits_no_longer() {
    let chip = Chip::<1_024>::new();
    let (mut outbox, _) = now(Outbox::open(chip.clone(), Layout::KIB_32, 1));
    now(outbox.put(&alarm(1, 1)));
    let last = chip.0.borrow().bytes[0x800..0x1400].iter().rposition(|byte| *byte != 0xFF).unwrap();
    chip.0.borrow_mut().bytes[0x800 + last] ^= 1;
    let mut shown = 0;
    now(outbox.first(Class::Alarm, |_| {
        shown += 1;
        true
    }));
    assert_eq!((shown, outbox.waiting().alarms, outbox.lost().alarms), (0, 0, 1));
}

const H1: Identity<'_> = Identity {
    root: ROOT,
    area: "banan",
    device: "H-1",
    kind: Kind::Hydrant,
    host: "broker.example",
    port: 0,
    tls: true,
    apn: "",
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

/// One `OK` that comes 700 ms late must not shift every later answer by one.
#[test]
fn a_module_that_is_late_once_is_dialled_all_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let lines = bg95::ModemLines::of(&H1);
        let mut modem = AtModem::new(FromTokio::new(ours), NoPin, lines.script());
        let module = async {
            let (mut line, mut late) = (String::new(), true);
            loop {
                line.push(char::from(theirs.read_u8().await.expect("it speaks")));
                let answer = match line.as_str() {
                    "+++" => "\r\nERROR\r\n",
                    said if !said.ends_with('\r') => continue,
                    "AT\r" if std::mem::take(&mut late) => {
                        tokio::time::sleep(Duration::from_millis(700)).await;
                        "\r\nOK\r\n"
                    }
                    said if said.contains("CPIN") => "\r\n+CPIN: READY\r\n\r\nOK\r\n",
                    said if said.contains("CSQ") => "\r\n+CSQ: 18,99\r\n\r\nOK\r\n",
                    said if said.contains("CEREG") => "\r\n+CEREG: 0,1\r\n\r\nOK\r\n",
                    said if said.contains("QSSLOPEN") => "\r\nCONNECT\r\n",
                    _ => "\r\nOK\r\n",
                };
                theirs.write_all(answer.as_bytes()).await.expect("it listens");
                line.clear();
            }
        };
        tokio::select! {
            dialled = modem.dial() => assert_eq!(dialled, Ok(())),
            () = module => unreachable!("it never ends"),
        }
    });
}
