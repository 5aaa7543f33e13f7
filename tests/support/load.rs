//! Devices by the thousand: QoS 1, every acknowledgement counted.
//!
//! [`Load`] is one connection for all of them, which sends in bursts; [`Fleet`] is a connection a
//! device, as in the field. MQTT 3.1.1 written by hand, so that the load costs as little as it can:
//! on two cores the generator must not be what is measured.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::instant;

/// Who publishes for the devices.
pub trait Publish {
    /// Queues a QoS 1 message of the device with this number; may wait while too many are
    /// unconfirmed.
    fn publish_as(&mut self, device: u64, topic: &str, payload: &[u8]);

    /// Writes what is queued and reads what was confirmed, as far as either goes.
    fn turn(&mut self);

    /// Messages that the broker has not confirmed.
    fn unconfirmed(&self) -> usize;

    /// Messages the broker has.
    fn confirmed(&self) -> u64;

    /// Waits until the broker has everything.
    ///
    /// # Panics
    /// When it does not within a minute.
    fn finish(&mut self) {
        let start = instant();
        while self.unconfirmed() > 0 {
            self.turn();
            std::thread::sleep(Duration::from_micros(500));
            let left = self.unconfirmed();
            assert!(start.elapsed() < Duration::from_secs(60), "{left} unconfirmed");
        }
    }
}

/// One publisher's connection.
#[derive(Debug)]
pub struct Load {
    stream: TcpStream,
    out: Vec<u8>,
    input: Vec<u8>,
    /// Packet id → the message, until the broker has it.
    flying: BTreeMap<u16, ()>,
    next: u16,
    /// How many messages the broker has.
    pub confirmed: u64,
}

/// How many messages may be unconfirmed.
const WINDOW: usize = 2_000;

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
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

/// A connection with a clean session, and the Last Will of a device on this topic.
fn open(port: u16, id: &str, will: Option<&str>) -> TcpStream {
    /// Clean session.
    const CLEAN: u8 = 0x02;
    /// A will, at QoS 1, retained.
    const WILL: u8 = 0x04 | 0x08 | 0x20;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a broker");
    stream.set_nodelay(true).expect("a socket");
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.extend_from_slice(&[4, CLEAN | if will.is_some() { WILL } else { 0 }, 0, 0]);
    text(&mut body, id);
    if let Some(topic) = will {
        text(&mut body, topic);
        text(&mut body, "{\"online\":false}");
    }
    let mut packet = vec![0x10];
    length(&mut packet, body.len());
    packet.extend_from_slice(&body);
    stream.write_all(&packet).expect("a socket");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).expect("CONNACK");
    assert_eq!(answer, [0x20, 2, 0, 0], "CONNACK");
    stream
}

/// A PUBLISH packet at QoS 1.
fn publish(out: &mut Vec<u8>, packet_id: u16, topic: &str, payload: &[u8]) {
    out.push(0x32);
    length(out, 2 + topic.len() + 2 + payload.len());
    text(out, topic);
    out.extend_from_slice(&packet_id.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Writes what waits, as far as the socket takes it.
///
/// # Panics
/// When the broker went away.
fn write_on(stream: &mut impl Write, out: &mut Vec<u8>) {
    while !out.is_empty() {
        match stream.write(out) {
            Ok(n) => drop(out.drain(..n)),
            Err(bad) if bad.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(bad) => panic!("the broker went away: {bad}"),
        }
    }
}

/// Reads what there is, and gives each acknowledged packet's id to `acked`.
///
/// # Panics
/// When the broker went away, or says anything else.
fn read_acks(stream: &mut impl Read, input: &mut Vec<u8>, mut acked: impl FnMut(u16)) {
    let mut chunk = [0; 16_384];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => panic!("the broker closed the connection"),
            Ok(n) => input.extend_from_slice(&chunk[..n]),
            Err(bad) if bad.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(bad) => panic!("the broker went away: {bad}"),
        }
    }
    let whole = input.len() / 4 * 4;
    for ack in input[..whole].chunks_exact(4) {
        assert_eq!(ack[..2], [0x40, 2], "only PUBACK is expected");
        acked(u16::from_be_bytes([ack[2], ack[3]]));
    }
    input.drain(..whole);
}

impl Load {
    /// Connects with a clean session.
    ///
    /// # Panics
    /// When the broker refuses.
    #[must_use]
    pub fn connect(port: u16, id: &str) -> Self {
        let stream = open(port, id, None);
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
        publish(&mut self.out, self.next, topic, payload);
        if self.out.len() > 1 << 16 {
            self.turn();
        }
    }
}

impl Publish for Load {
    fn publish_as(&mut self, _device: u64, topic: &str, payload: &[u8]) {
        self.publish(topic, payload);
    }

    fn turn(&mut self) {
        let Self { stream, out, input, flying, confirmed, .. } = self;
        write_on(stream, out);
        read_acks(stream, input, |packet_id| {
            flying.remove(&packet_id);
            *confirmed += 1;
        });
    }

    fn unconfirmed(&self) -> usize {
        self.flying.len()
    }

    fn confirmed(&self) -> u64 {
        self.confirmed
    }
}

/// A connection for each device.
#[derive(Debug)]
pub struct Fleet {
    poll: Poll,
    events: Events,
    links: Vec<Link>,
    /// Messages that the broker has not confirmed.
    flying: usize,
    confirmed: u64,
}

/// One device's connection. Its messages are few: what the socket does not take at once waits.
#[derive(Debug)]
struct Link {
    stream: mio::net::TcpStream,
    unsent: Vec<u8>,
    /// The beginning of an acknowledgement.
    input: Vec<u8>,
    next: u16,
}

impl Fleet {
    /// Connects `{prefix}-1` to `{prefix}-{devices}`, each with a clean session.
    ///
    /// # Panics
    /// When the broker refuses one, or this process may not open so many files.
    #[must_use]
    pub fn connect(port: u16, prefix: &str, devices: u64) -> Self {
        let poll = Poll::new().expect("epoll");
        let link = |number: u64| {
            let stream = open(port, &format!("{prefix}-{number}"), None);
            stream.set_nonblocking(true).expect("a socket");
            let mut stream = mio::net::TcpStream::from_std(stream);
            let token = Token(number as usize - 1);
            poll.registry().register(&mut stream, token, Interest::READABLE).expect("epoll");
            Link { stream, unsent: Vec::new(), input: Vec::new(), next: 0 }
        };
        let links = (1..=devices).map(link).collect();
        Self { poll, events: Events::with_capacity(1_024), links, flying: 0, confirmed: 0 }
    }
}

impl Publish for Fleet {
    /// The first device is number 1.
    fn publish_as(&mut self, device: u64, topic: &str, payload: &[u8]) {
        while self.flying >= WINDOW {
            self.turn();
            std::thread::sleep(Duration::from_micros(300));
        }
        let link = &mut self.links[device as usize - 1];
        link.next = link.next.wrapping_add(1).max(1);
        publish(&mut link.unsent, link.next, topic, payload);
        write_on(&mut link.stream, &mut link.unsent);
        self.flying += 1;
    }

    fn turn(&mut self) {
        self.poll.poll(&mut self.events, Some(Duration::ZERO)).expect("epoll");
        for event in &self.events {
            let Link { stream, input, .. } = &mut self.links[event.token().0];
            read_acks(stream, input, |_packet_id| {
                self.flying -= 1;
                self.confirmed += 1;
            });
        }
        for link in &mut self.links {
            write_on(&mut link.stream, &mut link.unsent);
        }
    }

    fn unconfirmed(&self) -> usize {
        self.flying
    }

    fn confirmed(&self) -> u64 {
        self.confirmed
    }
}

/// A device with a Last Will, which the broker says when the connection breaks.
#[derive(Debug)]
pub struct Mortal {
    port: u16,
    id: String,
    topic: String,
    stream: Option<TcpStream>,
}

impl Mortal {
    /// A device that is not connected; `topic` is where it says that it is there.
    #[must_use]
    pub fn new(port: u16, id: &str, topic: &str) -> Self {
        Self { port, id: id.to_owned(), topic: topic.to_owned(), stream: None }
    }

    /// Connects, and says that it is there, for the broker to keep.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn connect(&mut self) {
        let mut stream = open(self.port, &self.id, Some(&self.topic));
        let mut packet = Vec::new();
        publish(&mut packet, 1, &self.topic, b"{\"online\":true,\"boot\":1}");
        packet[0] |= 1; // retained
        stream.write_all(&packet).expect("a socket");
        self.stream = Some(stream);
    }

    /// Loses its connection without a good-bye.
    pub fn cut(&mut self) {
        self.stream = None;
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
    load: &mut dyn Publish,
    devices: u64,
    (first_seq, total): (u64, u64),
    per_second: f64,
    mut each: impl FnMut(u64),
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
            load.publish_as(device, &topic, payload.as_bytes());
            sent += 1;
        }
        load.turn();
        each(sent);
        std::thread::sleep(Duration::from_micros(800));
    }
    load.finish();
}
