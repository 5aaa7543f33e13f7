//! Devices by the thousand over one connection: QoS 1 in bursts, every acknowledgement counted.
//!
//! MQTT 3.1.1 written by hand, so that the load costs as little as it can: on two cores the
//! generator must not be what is measured.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::instant;

/// One publisher's connection.
#[derive(Debug)]
pub struct Load {
    stream: TcpStream,
    out: Vec<u8>,
    input: Vec<u8>,
    /// Packet id → the message, until the broker has it.
    flying: BTreeMap<u16, ()>,
    next: u16,
    /// Messages the broker has.
    pub confirmed: u64,
}

/// How many messages may be unconfirmed.
const WINDOW: usize = 2_000;

fn text(out: &mut Vec<u8>, it: &str) {
    out.extend_from_slice(&(it.len() as u16).to_be_bytes());
    out.extend_from_slice(it.as_bytes());
}

fn length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let more = length > 127;
        out.push((length % 128) as u8 | if more { 128 } else { 0 });
        length /= 128;
        if !more {
            return;
        }
    }
}

impl Load {
    /// Connects with a clean session.
    ///
    /// # Panics
    /// When the broker refuses.
    #[must_use]
    pub fn connect(port: u16, id: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a broker");
        stream.set_nodelay(true).expect("a socket");
        let mut body = Vec::new();
        text(&mut body, "MQTT");
        body.extend_from_slice(&[4, 2, 0, 0]);
        text(&mut body, id);
        let mut packet = vec![0x10];
        length(&mut packet, body.len());
        packet.extend_from_slice(&body);
        stream.write_all(&packet).expect("a socket");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).expect("CONNACK");
        assert_eq!(answer, [0x20, 2, 0, 0], "CONNACK");
        stream.set_nonblocking(true).expect("a socket");
        Self {
            stream,
            out: Vec::with_capacity(1 << 18),
            input: Vec::new(),
            flying: BTreeMap::new(),
            next: 0,
            confirmed: 0,
        }
    }

    /// Queues a QoS 1 message; waits while too many are unconfirmed.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) {
        while self.flying.len() >= WINDOW {
            self.turn();
            std::thread::sleep(Duration::from_micros(300));
        }
        loop {
            self.next = self.next.wrapping_add(1).max(1);
            if !self.flying.contains_key(&self.next) {
                break;
            }
        }
        self.flying.insert(self.next, ());
        self.out.push(0x32);
        length(&mut self.out, 2 + topic.len() + 2 + payload.len());
        text(&mut self.out, topic);
        self.out.extend_from_slice(&self.next.to_be_bytes());
        self.out.extend_from_slice(payload);
        if self.out.len() > 1 << 16 {
            self.turn();
        }
    }

    /// Writes what is queued and reads what was confirmed, as far as either goes.
    ///
    /// # Panics
    /// When the broker went away.
    pub fn turn(&mut self) {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(n) => {
                    self.out.drain(..n);
                }
                Err(bad) if bad.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(bad) => panic!("the broker went away: {bad}"),
            }
        }
        let mut chunk = [0; 16_384];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => panic!("the broker closed the connection"),
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
                Err(bad) if bad.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(bad) => panic!("the broker went away: {bad}"),
            }
        }
        let whole = self.input.len() / 4 * 4;
        for ack in self.input[..whole].chunks_exact(4) {
            assert_eq!(ack[..2], [0x40, 2], "only PUBACK is expected");
            self.flying.remove(&u16::from_be_bytes([ack[2], ack[3]]));
            self.confirmed += 1;
        }
        self.input.drain(..whole);
    }

    /// Waits until the broker has everything.
    ///
    /// # Panics
    /// When it does not within a minute.
    pub fn finish(&mut self) {
        let start = instant();
        while !self.flying.is_empty() {
            self.turn();
            std::thread::sleep(Duration::from_micros(500));
            assert!(start.elapsed() < Duration::from_secs(60), "{} unconfirmed", self.flying.len());
        }
    }
}

/// Keeps a rate: says how many are due by now, and sleeps a little.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    per_second: f64,
}

impl Pace {
    /// From now on.
    #[must_use]
    pub fn new(per_second: f64) -> Self {
        Self { start: instant(), per_second }
    }

    /// Messages that should have been sent by now.
    #[must_use]
    pub fn due(&self) -> u64 {
        (self.start.elapsed().as_secs_f64() * self.per_second) as u64
    }
}

/// Sends `total` readings from `devices` hydrants H-1… in turn, at a rate; `seq` counts from
/// `first_seq` in every device. Calls `each` about a thousand times a second with how many were sent.
pub fn readings(
    load: &mut Load,
    devices: u64,
    (first_seq, total): (u64, u64),
    per_second: f64,
    mut each: impl FnMut(u64, &mut Load),
) {
    use std::fmt::Write;
    let pace = Pace::new(per_second);
    let (mut sent, mut topic, mut payload) = (0, String::new(), String::new());
    while sent < total {
        let due = pace.due().min(total);
        let now = crate::now();
        while sent < due {
            let (device, seq) = (sent % devices + 1, first_seq + sent / devices);
            topic.clear();
            payload.clear();
            let _ = write!(topic, "standpipe/v1/t-1/H-{device}/telemetry");
            let kpa = 300 + (seq * 7 + device) % 40;
            let _ = write!(
                payload,
                "{{\"boot\":1,\"seq\":{seq},\"ts\":{now},\"pressure_kpa\":{kpa}.5,\
                 \"temp_c\":14.2,\"battery_mv\":3580,\"rssi_dbm\":-71}}"
            );
            load.publish(&topic, payload.as_bytes());
            sent += 1;
        }
        load.turn();
        each(sent, load);
        std::thread::sleep(Duration::from_micros(800));
    }
    load.finish();
}
