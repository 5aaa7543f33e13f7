//! What a webhook's other end does: takes a POST, remembers it, answers as told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Posted {
    pub path: String,
    /// Its headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// A listener on 127.0.0.1; it lives as long as the test's process.
pub struct WebhookEnd {
    /// Where to post to.
    pub url: String,
    posted: Receiver<Posted>,
}

impl WebhookEnd {
    /// Answers the n-th request (from 0) with what `answer` says: a status line without `HTTP/1.1`
    /// and further header lines.
    ///
    /// # Panics
    /// Without a loopback interface.
    #[must_use]
    pub fn start(answer: impl Fn(usize) -> String + Send + 'static) -> Self {
        Self::saying(move |n, _| (answer(n), String::new()))
    }

    /// The same with a body, after a look at what was sent.
    ///
    /// # Panics
    /// Without a loopback interface.
    #[must_use]
    pub fn saying(answer: impl Fn(usize, &Posted) -> (String, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("its address"));
        let (tell, posted) = channel();
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                if take(stream.expect("a connection"), |posted| answer(n, posted), &tell).is_none()
                {
                    return;
                }
            }
        });
        Self { url, posted }
    }

    /// The next request within a time.
    #[must_use]
    pub fn next(&self, within: Duration) -> Option<Posted> {
        self.posted.recv_timeout(within).ok()
    }

    /// The next request.
    ///
    /// # Panics
    /// When none comes in time.
    #[must_use]
    pub fn hear(&self) -> Posted {
        self.next(PATIENCE).expect("a request")
    }
}

fn take(
    stream: TcpStream,
    answer: impl Fn(&Posted) -> (String, String),
    tell: &Sender<Posted>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    // One request a connection keeps this short.
    let posted = Posted { path, headers, body };
    let (status, said) = answer(&posted);
    let length = said.len();
    let text =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{said}");
    (&stream).write_all(text.as_bytes()).ok()?;
    tell.send(posted).ok()
}
