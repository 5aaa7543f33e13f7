//! A broker that lies, stammers, falls silent or hangs up: the uplink never panics, never stays
//! in a connection that is dead, and never lets go of a message that was not acknowledged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod support;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use embedded_io_async::{ErrorType, Read, Write};
use standpipe_firmware::uplink::{DialFault, Modem};
use support::chip::Chip;
use support::device::{Device, QUICK};
use support::{alarm, reading};

/// After its last byte the broker …
#[derive(Clone, Copy)]
enum AfterLastByte {
    HangsUp,
    FallsSilent,
}

/// One connection: bytes in, whatever is said to it.
struct PlayedStream {
    bytes: VecDeque<u8>,
    then: AfterLastByte,
}

impl ErrorType for PlayedStream {
    type Error = Infallible;
}

impl Read for PlayedStream {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        if self.bytes.is_empty() && matches!(self.then, AfterLastByte::FallsSilent) {
            std::future::pending::<()>().await;
        }
        let mut len = 0;
        for place in into {
            let Some(byte) = self.bytes.pop_front() else { break };
            *place = byte;
            len += 1;
        }
        Ok(len)
    }
}

impl Write for PlayedStream {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Answers every call with the next of these streams; when there are none left, it is done.
struct HostileBroker<'t> {
    calls: VecDeque<Vec<u8>>,
    then: AfterLastByte,
    now: PlayedStream,
    done: &'t tokio::sync::Notify,
}

impl Modem for HostileBroker<'_> {
    type Stream = PlayedStream;

    async fn dial(&mut self) -> Result<(), DialFault> {
        let Some(bytes) = self.calls.pop_front() else {
            self.done.notify_one();
            std::future::pending().await
        };
        self.now = PlayedStream { bytes: bytes.into(), then: self.then };
        Ok(())
    }

    fn stream(&mut self) -> &mut PlayedStream {
        &mut self.now
    }

    async fn hang_up(&mut self) {}

    async fn sleep(&mut self) {}

    fn rssi_dbm(&self) -> Option<i32> {
        None
    }
}

/// Plays the calls, and says what is left to be sent.
fn play(calls: Vec<Vec<u8>>, then: AfterLastByte, within: Duration) -> (u32, u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let chip = Chip::<1_024>::new();
        let device = Device::start(&chip, "H-1").await;
        device.put(&reading(1, 1)).await;
        device.put(&alarm(1, 2)).await;
        let done = tokio::sync::Notify::new();
        let now = PlayedStream { bytes: VecDeque::new(), then };
        let mut broker = HostileBroker { calls: calls.into(), then, now, done: &done };
        tokio::select! {
            _ = device.uplink(&mut broker, QUICK) => unreachable!("it never ends"),
            () = done.notified() => {}
            () = tokio::time::sleep(within) => panic!("it is wedged"),
            () = async { loop { device.post.heard.receive().await; } } => {}
        }
        device.waiting().await
    })
}

/// A CONNACK of success without properties.
const WELCOME: [u8; 5] = [0x20, 3, 0, 0, 0];

fn after_welcome(bytes: &[u8]) -> Vec<u8> {
    [&WELCOME, bytes].concat()
}

fn publish(flags: u8, topic: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic);
    body.extend_from_slice(rest);
    let mut packet = vec![0x30 | flags];
    let mut len = body.len();
    while len >= 128 {
        packet.push((len % 128) as u8 | 128);
        len /= 128;
    }
    packet.push(len as u8);
    packet.extend(body);
    after_welcome(&packet)
}

#[rustfmt::skip] // a table
fn crafted() -> Vec<Vec<u8>> {
    let clock = b"standpipe/v1/gateway/clock";
    let command = b"standpipe/v1/banan/H-1/command";
    vec![
        vec![],                                             // hangs up at once
        vec![0x20],                                         // CONNACK, cut off everywhere
        vec![0x20, 3],
        vec![0x20, 3, 0, 0],
        vec![0x20, 3, 0, 0x87, 0],                          // not authorized
        vec![0x20, 3, 0, 0x97, 0],                          // quota exceeded
        vec![0x20, 3, 0, 0x01, 0],                          // a reason that is none
        vec![0x20, 3, 2, 0, 0],                             // reserved flags
        vec![0x20, 2, 0, 0],                                // MQTT 3.1.1
        vec![0x20, 0xFF, 0xFF, 0xFF, 0x7F],                 // 256 MB of CONNACK
        vec![0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],           // a length without end
        vec![0x20, 6, 0, 0, 3, 0x21, 0, 0],                 // receive maximum 0
        vec![0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 0],           // packet size 0
        vec![0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 1],           // packet size 1
        vec![0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 20],          // packets too small to speak
        vec![0x20, 5, 0, 0, 2, 0x24, 0],                    // no QoS 1
        vec![0x20, 5, 0, 0, 2, 0x25, 0],                    // nothing is retained
        vec![0x20, 5, 0, 0, 200, 0x24, 0],                  // properties longer than the packet
        vec![0x0D, 0x0A, b'N', b'O', b' ', b'C'],           // NO CARRIER
        after_welcome(b"\r\nNO CARRIER\r\n"),
        after_welcome(&[0x20, 3, 0, 0, 0]),                 // welcome twice
        after_welcome(&[0x10, 0]),                          // what only a client says
        after_welcome(&[0x82, 0]),
        after_welcome(&[0xC0, 0]),
        after_welcome(&[0xE0, 0]),                          // goodbye
        after_welcome(&[0xE0, 2, 0x8B, 0]),                 // shutting down
        after_welcome(&[0xF0, 0]),                          // AUTH
        after_welcome(&[0xD0, 1, 0]),                       // a PINGRESP with something in it
        after_welcome(&[0xD0, 0, 0xD0, 0, 0xD0, 0]),        // three that nobody asked for
        after_welcome(&[0x40, 2, 0, 0]),                    // acknowledges number 0
        after_welcome(&[0x40, 2, 0xFF, 0xFF]),              // … a number that is not on its way
        after_welcome(&[0x50, 2, 0, 1]),                    // PUBREC, PUBREL, PUBCOMP of QoS 1
        after_welcome(&[0x62, 2, 0, 1]),
        after_welcome(&[0x70, 2, 0, 1]),
        after_welcome(&[0x90, 4, 0, 9, 0, 0]),              // SUBACK of nothing
        after_welcome(&[0x90, 3, 0, 1, 0]),                 // … without an answer
        publish(0x06, clock, &[0, 1, 0]),                   // QoS 3
        publish(0x04, clock, &[0, 1, 0, b'x']),             // QoS 2
        publish(0x02, command, &[0, 0, 0]),                 // number 0
        publish(0x00, b"", &[0]),                           // no topic
        publish(0x00, b"", &[3, 0x23, 0, 1]),               // a topic alias we never allowed
        publish(0x00, b"a/+/#", &[0]),                      // a topic with wildcards
        publish(0x00, &[0xFF, 0xFE], &[0]),                 // a topic that is no text
        publish(0x00, &[b't'; 600], &[0]),                  // a topic longer than the packet may be
        publish(0x00, clock, &[0xFF, 0xFF, 0xFF, 0x7F]),    // properties longer than the packet
        publish(0x00, clock, &[1, 0xFF]),                   // a property that is none
        publish(0x00, clock, &[5, 3, 0, 9, b'x', b'x']),    // a property cut off
        publish(0x00, clock, &[&[0][..], &[b'9'; 20_000]].concat()), // far too long
        publish(0x00, clock, b"\0{\"ts\":99999999999999999999}"),
        publish(0x02, command, b"\0\x07\0{\"id\":\"\",\"command\":\"restart\"}"),
        publish(0x02, command, b"\0\x07\0{{{{{{{{{{{{"),
    ]
}

#[test]
fn crafted_packets_end_the_connection_and_nothing_else() {
    let calls = crafted();
    for then in [AfterLastByte::HangsUp, AfterLastByte::FallsSilent] {
        let left = play(calls.clone(), then, Duration::from_secs(120));
        assert_eq!(left, (1, 1), "nothing was acknowledged");
    }
}

#[test]
fn every_packet_that_is_cut_off_anywhere_is_survived() {
    let whole: Vec<Vec<u8>> = vec![
        vec![0x20, 13, 1, 0, 10, 0x21, 0, 20, 0x22, 0, 5, 0x27, 0, 1, 0],
        publish(
            0x02,
            b"standpipe/v1/banan/H-1/command",
            b"\0\x07\0{\"id\":\"a\",\"command\":\"report_now\"}",
        ),
        publish(
            0x00,
            b"standpipe/v1/gateway/clock",
            b"\x09\x03\0\x01j\x01\x02\0\0\0\x05{\"ts\":1764000000000}",
        ),
        after_welcome(&[0xE0, 12, 0x8B, 10, 0x1F, 0, 7, b'r', b'e', b'a', b's', b'o', b'n', b's']),
    ];
    let calls: Vec<_> =
        whole.iter().flat_map(|text| (0..=text.len()).map(|end| text[..end].to_vec())).collect();
    assert!(calls.len() > 150);
    assert_eq!(play(calls, AfterLastByte::HangsUp, Duration::from_secs(120)), (1, 1));
}

#[test]
fn random_bytes_are_survived() {
    let mut random = 42_u64;
    let mut byte = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (random >> 56) as u8
    };
    let mut calls = Vec::new();
    for number in 0..4_000 {
        let len = usize::from(byte()) % 120;
        let mut bytes: Vec<u8> = (0..len).map(|_| byte()).collect();
        // Half of them begin like a packet that a broker may send, and may be of any length.
        if number % 2 == 0 && len > 2 {
            const KINDS: [u8; 10] = [0x30, 0x32, 0x33, 0x40, 0x50, 0x62, 0x70, 0x90, 0xD0, 0xE0];
            bytes[0] = KINDS[usize::from(byte()) % KINDS.len()];
            bytes[1] = (len - 2) as u8;
        }
        // A guess may acknowledge what was sent: numbers from 0x8000 never are.
        for at in 1..len.saturating_sub(1) {
            if matches!(bytes[at - 1], 0x40..=0x4F) || bytes[at] == 0 {
                bytes[at] |= 0x80;
            }
        }
        calls.push(if number % 5 == 0 { bytes } else { after_welcome(&bytes) });
    }
    let (alarms, readings) = play(calls, AfterLastByte::HangsUp, Duration::from_secs(200));
    assert!(alarms <= 1 && readings <= 1);
}
