//! Alarms that detectors send beside the load, and when an independent subscriber saw their pages.
//!
//! Every alarm is from a detector that was quiet until then, so each is one fire and one page.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;
use standpipe_tests::load::Publish;
use standpipe_tests::{instant, now};

/// Detector number → when its alarm was sent.
type Sent = HashMap<u64, Instant>;

/// What a subscriber listens to, and how it finds there a detector's number and an id.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// Pages at the stations: what the gateway made of the alarms.
    Pages,
    /// The alarms themselves: what the broker takes without any gateway, the floor of the other.
    Alarms,
}

impl Side {
    fn filter(self) -> &'static str {
        match self {
            Self::Pages => "standpipe/v1/stations/+/incidents/+",
            Self::Alarms => "standpipe/v1/+/+/alarm",
        }
    }

    fn read(self, topic: &[u8], body: &[u8]) -> Option<(u64, String)> {
        match self {
            Self::Pages => page(body),
            Self::Alarms => {
                let device = std::str::from_utf8(topic).ok()?.split('/').nth(3)?;
                Some((device.strip_prefix("S-")?.parse().ok()?, String::new()))
            }
        }
    }
}

/// What became of the alarms.
#[derive(Debug, Default, Clone)]
pub struct Pages {
    /// Alarms sent.
    pub alarms: usize,
    /// Alarms of which no page was seen.
    pub missed: usize,
    /// Pages beyond one an alarm.
    pub twice: usize,
    /// Milliseconds from an alarm's sending to its page, sorted.
    pub took_ms: Vec<f64>,
}

impl Pages {
    /// The time that `share` of the pages did not exceed, milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.took_ms.len().saturating_sub(1);
        let at = ((self.took_ms.len() as f64 * share).ceil() as usize).saturating_sub(1);
        self.took_ms.get(at.min(last)).copied().unwrap_or(f64::NAN)
    }
}

/// A subscriber that only writes down when what came.
#[derive(Debug)]
pub struct Watch {
    stream: TcpStream,
    thread: JoinHandle<Vec<(u64, String, Instant)>>,
}

impl Watch {
    /// Subscribes.
    ///
    /// # Panics
    /// When the broker refuses.
    #[must_use]
    pub fn start(port: u16, side: Side) -> Self {
        let stream = subscribe(port, side.filter(), 1);
        let reading = stream.try_clone().expect("a handle");
        Self { stream, thread: spawn(move || read(reading, side)) }
    }

    /// Ends it and compares what it saw with what was sent.
    ///
    /// # Panics
    /// When its thread did.
    #[must_use]
    pub fn finish(self, sent: &Sent) -> Pages {
        self.stream.shutdown(Shutdown::Both).expect("a socket");
        let seen = self.thread.join().expect("the subscriber");
        let mut first: HashMap<u64, Instant> = HashMap::new();
        let mut ids: Vec<String> = Vec::new();
        // What the broker kept of the steps before is shown to every new subscriber.
        for (detector, page, at) in seen.into_iter().filter(|it| sent.contains_key(&it.0)) {
            first.entry(detector).or_insert(at);
            ids.push(page);
        }
        ids.sort_unstable();
        ids.dedup();
        let mut took_ms: Vec<f64> = sent
            .iter()
            .filter_map(|(detector, at)| {
                Some(first.get(detector)?.duration_since(*at).as_secs_f64() * 1e3)
            })
            .collect();
        took_ms.sort_by(f64::total_cmp);
        Pages {
            alarms: sent.len(),
            missed: sent.len() - took_ms.len(),
            twice: ids.len().saturating_sub(took_ms.len()),
            took_ms,
        }
    }
}

/// A session of its own on one filter, granted.
///
/// # Panics
/// When the broker refuses.
pub fn subscribe(port: u16, filter: &str, qos: u8) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a broker");
    stream.set_nodelay(true).expect("a socket");
    // A clean session; with an empty name the broker makes one up.
    stream.write_all(b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0").expect("a socket");
    let mut subscribe = vec![0x82, filter.len() as u8 + 5, 0, 1, 0, filter.len() as u8];
    subscribe.extend_from_slice(filter.as_bytes());
    subscribe.push(qos);
    stream.write_all(&subscribe).expect("a socket");
    let mut answers = [0; 9];
    stream.read_exact(&mut answers).expect("CONNACK and SUBACK");
    assert_eq!(answers, [0x20, 2, 0, 0, 0x90, 3, 0, 1, qos]);
    stream
}

fn read(stream: TcpStream, side: Side) -> Vec<(u64, String, Instant)> {
    let mut seen = Vec::new();
    messages(stream, |said| {
        let read = side.read(said.topic, said.body);
        seen.extend(read.map(|(detector, id)| (detector, id, said.at)));
    });
    seen
}

/// A message as a subscriber gets it.
pub struct Said<'a> {
    pub topic: &'a [u8],
    pub body: &'a [u8],
    /// Kept by the broker from before the subscription.
    pub retained: bool,
    pub at: Instant,
}

/// Reads messages, and confirms those that want it, until the connection ends.
pub fn messages(mut stream: TcpStream, mut each: impl FnMut(Said<'_>)) {
    let (mut input, mut chunk) = (Vec::new(), vec![0; 65_536]);
    while let Ok(n @ 1..) = stream.read(&mut chunk) {
        let at = instant();
        input.extend_from_slice(&chunk[..n]);
        let mut done = 0;
        while let Some((head, length)) = packet(&input[done..]) {
            let (kind, rest) = (input[done], &input[done + head..done + head + length]);
            if kind >> 4 == 3 {
                let topic = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                let (topic, mut body) = rest[2..].split_at(topic);
                if kind & 0b110 != 0 {
                    let _ = stream.write_all(&[0x40, 2, body[0], body[1]]);
                    body = &body[2..];
                }
                each(Said { topic, body, retained: kind & 1 != 0, at });
            }
            done += head + length;
        }
        input.drain(..done);
    }
}

/// Length of the fixed header and of what follows, once all of it is there.
fn packet(input: &[u8]) -> Option<(usize, usize)> {
    let (mut length, mut shift) = (0, 0);
    for (n, byte) in input.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 127) << shift;
        shift += 7;
        if byte & 128 == 0 {
            return (input.len() > n + length).then_some((n + 1, length));
        }
    }
    None
}

/// The detector's number and the page's id.
fn page(body: &[u8]) -> Option<(u64, String)> {
    let incident: Value = serde_json::from_slice(body).ok()?;
    let detector = incident["device"]["id"].as_str()?.strip_prefix("S-")?.parse().ok()?;
    Some((detector, incident["page_id"].as_str()?.to_owned()))
}

/// Sends the alarms of detectors `from..from + count`, so many a second, in a thread of its own.
#[must_use]
pub fn alarms(
    mut load: Box<dyn Publish + Send>,
    (from, count): (u64, u64),
    per_second: f64,
) -> JoinHandle<Sent> {
    spawn(move || {
        let (start, mut sent) = (instant(), Sent::new());
        for n in 0..count {
            // A golden-ratio jitter: no alarm falls into step with a batch or a timer.
            let jitter = (n as f64 * 0.618_034).fract() * 0.5;
            let due = Duration::from_secs_f64((n as f64 + 0.25 + jitter) / per_second);
            sleep(due.saturating_sub(start.elapsed()));
            let alarm = format!(
                "{{\"boot\":1,\"seq\":1,\"ts\":{},\"condition\":\"smoke\",\"active\":true}}",
                now()
            );
            let topic = format!("standpipe/v1/t-1/S-{}/alarm", from + n);
            sent.insert(from + n, instant());
            load.publish_as(n + 1, &topic, alarm.as_bytes());
            load.turn();
        }
        load.finish();
        sent
    })
}
