//! One connection: open, turn, close.
//!
//! [`Link::turn`] moves bytes both ways and may be dropped at any await: all it knows is in the
//! link. Nothing is kept for the next connection; whoever owns the link knows what is still owed.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, ConnectReturnCode, Disconnect, DisconnectReasonCode, Filter,
    LastWill, Packet, PingReq, PublishProperties, RetainForwardRule, Subscribe, Unsubscribe,
};
use standpipe_machine::limits::MAX_PACKET;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::broker::{Broker, CONNECT_TIMEOUT, Stream};
use super::frame::{BadFrame, Frame, read};
use super::input::ReceiveBuffer;

/// After this long without a word from us the broker counts us as gone (times 1.5).
pub const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How often we ask whether the broker is still there. Two questions without an answer: it is not.
const PULSE: Duration = Duration::from_secs(10);

/// How we introduce ourselves.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The same at every start: the broker keeps the session under it.
    pub client_id: String,
    /// Whether the broker shall forget what it kept.
    pub clean_start: bool,
    /// How long the broker keeps the session while we are away, in seconds.
    pub session_expiry_s: u32,
    /// How many messages the broker may send before we acknowledge one.
    pub receive_maximum: u16,
    /// What the broker says for us should we end without a good-bye.
    pub will: Option<Will>,
}

/// A last word, at QoS 1 and not retained.
#[derive(Clone, Debug)]
pub struct Will {
    /// Where to.
    pub topic: String,
    /// What.
    pub payload: String,
}

/// A message to publish.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Where to.
    pub topic: &'a str,
    /// What.
    pub payload: &'a [u8],
    /// The packet id its confirmation will bear; 0 sends at QoS 0, unconfirmed.
    pub pkid: u16,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
    /// After how many seconds nobody shall get it any more; 0: always.
    pub expiry_s: u32,
}

/// Why a connection ended, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The network.
    #[error("{0}: see that the broker runs and that `mqtt.url` names it")]
    Io(#[from] io::Error),
    /// No connection within the time for one.
    #[error(
        "no answer within {} s: see that the broker runs, that `mqtt.url` names it, and that no \
         firewall is between",
        CONNECT_TIMEOUT.as_secs()
    )]
    Timeout,
    /// What came is no MQTT.
    #[error("{0}")]
    Frame(#[from] BadFrame),
    /// The broker does not want us.
    #[error("refused ({0:?}): check user, password and the broker's access rules")]
    Refused(ConnectReturnCode),
    /// The broker ended it.
    #[error("the broker closed the connection ({0:?}): see its log")]
    Bye(Option<DisconnectReasonCode>),
    /// Somebody else uses our client id.
    #[error("another client took over the session")]
    TakenOver,
    /// The other end is gone.
    #[error("the broker closed the connection: see its log")]
    Closed,
    /// The other end does not answer.
    #[error("the broker has not answered for {} s: see that it runs", 2 * PULSE.as_secs())]
    Silent,
    /// Ours to say: the engine's queue was full.
    #[error("more arrived than there is room for; the broker sends it again")]
    Overflow,
    /// We may not send that.
    #[error("a packet cannot be sent ({0})")]
    Unsendable(String),
}

/// One connection to the broker.
pub struct Link {
    stream: Box<dyn Stream>,
    input: ReceiveBuffer,
    output: BytesMut,
    /// What was written may still be in the stream's own buffer, as with TLS.
    unflushed: bool,
    pulse: Interval,
    asked: bool,
    heard: bool,
    /// Whether the broker still had our session, with its subscriptions.
    pub session_present: bool,
    /// How many messages we may send before the broker confirms one.
    pub send_maximum: u16,
    /// The biggest packet the broker takes.
    send_limit: Option<u32>,
}

impl Link {
    /// Connects and introduces itself.
    ///
    /// # Errors
    /// [`LinkError`]; trying again is up to the caller.
    pub async fn open(broker: &Broker, hello: &Hello) -> Result<Self, LinkError> {
        timeout(CONNECT_TIMEOUT, Self::introduce(broker, hello))
            .await
            .map_err(|_| LinkError::Timeout)?
    }

    async fn introduce(broker: &Broker, hello: &Hello) -> Result<Self, LinkError> {
        let mut link = Self::over(broker.open().await?);
        let will = hello.will.as_ref().map(|will| {
            LastWill::new(will.topic.as_str(), will.payload.as_str(), QoS::AtLeastOnce, false, None)
        });
        link.queue(&Packet::Connect(connect(hello), will, broker.login.clone()))?;
        link.welcome().await?;
        Ok(link)
    }

    /// A connection over that stream, of which nothing is known yet.
    fn over(stream: Box<dyn Stream>) -> Self {
        let mut pulse = interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pulse.reset();
        Self {
            stream,
            input: ReceiveBuffer::new(),
            output: BytesMut::new(),
            unflushed: false,
            pulse,
            asked: false,
            heard: false,
            session_present: false,
            send_maximum: u16::MAX,
            send_limit: None,
        }
    }

    async fn welcome(&mut self) -> Result<(), LinkError> {
        let packet = loop {
            self.turn(true).await?;
            if let Some(frame) = self.input.frame()? {
                break Packet::read(&mut BytesMut::from(frame), None)
                    .map_err(|bad| BadFrame::NotMqtt(bad.to_string()))?;
            }
        };
        let Packet::ConnAck(answer) = packet else {
            return Err(BadFrame::NotMqtt("the first packet is no CONNACK".to_owned()).into());
        };
        if answer.code != ConnectReturnCode::Success {
            return Err(LinkError::Refused(answer.code));
        }
        self.session_present = answer.session_present;
        if let Some(properties) = answer.properties {
            self.send_maximum = properties.receive_max.unwrap_or(u16::MAX).max(1);
            self.send_limit = properties.max_packet_size;
            if let Some(seconds) = properties.server_keep_alive.filter(|&s| s > 0) {
                let half = Duration::from_secs(u64::from(seconds)) / 2;
                self.pulse = interval(half.min(PULSE));
                self.pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
                self.pulse.reset();
            }
        }
        Ok(())
    }

    /// Whether the broker takes larger packets from others than we do. It drops those for us, and tells
    /// nobody: so MQTT 5 has it.
    #[must_use]
    pub fn loses_large_packets(&self) -> bool {
        takes_more_than_we(self.send_limit)
    }

    /// Asks for every message on `filters`, at QoS 1. Asking again changes nothing.
    ///
    /// What the broker keeps (retained messages) comes once, when it did not have the filter, and
    /// bears the retain flag. What comes later bears none, although its sender may have had the
    /// broker keep it: it is of its own moment.
    ///
    /// # Errors
    /// [`LinkError::Unsendable`].
    pub fn subscribe(&mut self, filters: &[String]) -> Result<(), LinkError> {
        let filters = filters.iter().map(|path| {
            let mut filter = Filter::new(path.as_str(), QoS::AtLeastOnce);
            filter.retain_forward_rule = RetainForwardRule::OnNewSubscribe;
            filter.preserve_retain = false;
            filter
        });
        let mut subscribe = Subscribe::new_many(filters, None);
        subscribe.pkid = 1;
        self.queue(&Packet::Subscribe(subscribe))
    }

    /// Asks for messages on `filters` no more.
    ///
    /// # Errors
    /// [`LinkError::Unsendable`].
    pub fn unsubscribe(&mut self, filters: Vec<String>) -> Result<(), LinkError> {
        self.queue(&Packet::Unsubscribe(Unsubscribe { pkid: 2, filters, properties: None }))
    }

    /// Acknowledges what the broker sent on *this* connection. Goes out with the next turn.
    pub fn ack(&mut self, pkids: &[u16]) {
        self.output.reserve(pkids.len() * 4);
        for pkid in pkids {
            self.output.put_slice(&[0x40, 2]);
            self.output.put_u16(*pkid);
        }
    }

    /// Publishes. Goes out with the next turn.
    ///
    /// # Errors
    /// [`LinkError::Unsendable`] when the broker announced that it takes nothing this big.
    pub fn publish(&mut self, message: &Outgoing<'_>) -> Result<(), LinkError> {
        let qos = if message.pkid == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let payload = Bytes::copy_from_slice(message.payload);
        let expiry = Some(message.expiry_s).filter(|seconds| *seconds > 0);
        let properties = expiry.map(|_| PublishProperties {
            message_expiry_interval: expiry,
            ..PublishProperties::default()
        });
        let mut publish =
            rumqttc::v5::mqttbytes::v5::Publish::new(message.topic, qos, payload, properties);
        publish.pkid = message.pkid;
        publish.retain = message.retain;
        self.queue(&Packet::Publish(publish))
    }

    fn queue(&mut self, packet: &Packet) -> Result<(), LinkError> {
        let before = self.output.len();
        match packet.write(&mut self.output, self.send_limit) {
            Ok(_) => Ok(()),
            Err(bad) => {
                self.output.truncate(before);
                Err(LinkError::Unsendable(bad.to_string()))
            }
        }
    }

    /// Sends what is waiting and, when `listening`, reads: returns when something was read. Without
    /// `listening` it returns only with an error. Dropping it loses nothing.
    ///
    /// # Errors
    /// [`LinkError`]: the connection is over.
    pub async fn turn(&mut self, listening: bool) -> Result<(), LinkError> {
        poll_fn(|cx| {
            self.poll_pulse(cx, listening)?;
            self.poll_send(cx)?;
            if listening { self.poll_receive(cx) } else { Poll::Pending }
        })
        .await
    }

    /// The next whole frame of what was read.
    ///
    /// # Errors
    /// [`LinkError`]: the connection is over.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, LinkError> {
        let Some(frame) = self.input.frame()? else { return Ok(None) };
        match read(frame)? {
            Frame::Bye(Some(DisconnectReasonCode::SessionTakenOver)) => Err(LinkError::TakenOver),
            Frame::Bye(reason) => Err(LinkError::Bye(reason)),
            frame @ (Frame::Publish(_)
            | Frame::PubAck { .. }
            | Frame::SubAck { .. }
            | Frame::UnsubAck
            | Frame::Pong) => Ok(Some(frame)),
        }
    }

    /// Says good-bye and closes; the session stays with the broker.
    pub async fn close(mut self) {
        let bye = Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection));
        if self.queue(&bye).is_ok() {
            let sent = poll_fn(|cx| match self.poll_send(cx) {
                Ok(()) if self.output.is_empty() && !self.unflushed => Poll::Ready(()),
                Ok(()) => Poll::Pending,
                Err(_) => Poll::Ready(()),
            });
            drop(timeout(Duration::from_secs(1), sent).await);
            let shut = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx));
            drop(timeout(Duration::from_secs(1), shut).await);
            // What the broker still says is read to its end: a socket closed with bytes unread is
            // reset, and with it goes what the broker has not read of our acknowledgements.
            let drained = poll_fn(|cx| {
                loop {
                    match ready!(self.poll_receive(cx)) {
                        Ok(()) => self.input.forget(),
                        Err(_) => return Poll::Ready(()),
                    }
                }
            });
            drop(timeout(Duration::from_secs(1), drained).await);
        }
    }

    fn poll_pulse(&mut self, cx: &mut Context<'_>, listening: bool) -> Result<(), LinkError> {
        while self.pulse.poll_tick(cx).is_ready() {
            // While we do not listen we cannot hear the answer either.
            if self.asked && !self.heard && listening {
                return Err(LinkError::Silent);
            }
            (self.asked, self.heard) = (listening, false);
            self.queue(&Packet::PingReq(PingReq))?;
        }
        Ok(())
    }

    /// Writes what there is to write, and has the stream send what it holds: whenever bytes may be
    /// left, not only after a write. A stream that could not send everything says so once, and when
    /// it can there may be nothing more to write.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), LinkError> {
        while !self.output.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.output) {
                Poll::Ready(Ok(0)) => return Err(LinkError::Closed),
                Poll::Ready(Ok(sent)) => self.output.advance(sent),
                Poll::Ready(Err(bad)) => return Err(bad.into()),
                Poll::Pending => return Ok(()),
            }
            self.unflushed = true;
        }
        if self.unflushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx)
        {
            flushed?;
            self.unflushed = false;
        }
        Ok(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        let mut space = ReadBuf::new(self.input.space());
        match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space)) {
            Ok(()) => {
                let got = space.filled().len();
                if got == 0 {
                    return Poll::Ready(Err(LinkError::Closed));
                }
                self.input.got(got);
                self.heard = true;
                Poll::Ready(Ok(()))
            }
            Err(bad) => Poll::Ready(Err(bad.into())),
        }
    }
}

fn connect(hello: &Hello) -> Connect {
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = Some(hello.session_expiry_s);
    properties.receive_maximum = Some(hello.receive_maximum);
    properties.max_packet_size = Some(MAX_PACKET);
    Connect {
        keep_alive: u16::try_from(KEEP_ALIVE.as_secs()).unwrap_or(u16::MAX),
        client_id: hello.client_id.clone(),
        clean_start: hello.clean_start,
        properties: Some(properties),
    }
}

/// `limit`: the largest packet that a broker takes; `None`: any.
fn takes_more_than_we(limit: Option<u32>) -> bool {
    limit.is_none_or(|limit| limit > MAX_PACKET)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rumqttc::tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
    use rumqttc::tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use tokio::io::{AsyncReadExt as _, DuplexStream};
    use tokio::time::{Instant, timeout};

    use super::{Link, MAX_PACKET, PULSE, takes_more_than_we};

    #[test]
    fn a_broker_that_takes_more_than_we_read_loses_it() {
        for (limit, loses) in [
            (None, true),
            (Some(MAX_PACKET + 1), true),
            (Some(MAX_PACKET), false),
            (Some(1), false),
        ] {
            assert_eq!(takes_more_than_we(limit), loses, "{limit:?}");
        }
    }

    /// What a socket takes before its other end reads.
    const SOCKET: usize = 16 * 1_024;

    /// Both ends of a TLS connection: the broker's, the gateway's.
    async fn tls() -> (server::TlsStream<DuplexStream>, client::TlsStream<DuplexStream>) {
        let own = rcgen::generate_simple_self_signed(["broker".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (near, far) = tokio::io::duplex(SOCKET);
        let name = ServerName::try_from("broker").unwrap();
        let (acceptor, connector) =
            (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)));
        let (broker, gateway) = tokio::join!(acceptor.accept(far), connector.connect(name, near));
        (broker.unwrap(), gateway.unwrap())
    }

    #[tokio::test]
    async fn a_burst_of_acknowledgements_reaches_a_slow_broker_without_anything_more_to_say() {
        let (mut broker, gateway) = tls().await;
        let mut link = Link::over(Box::new(gateway));
        let pkids: Vec<u16> = (1..=10_000).collect();
        link.ack(&pkids);
        let started = Instant::now();
        let reading = async {
            tokio::time::sleep(Duration::from_millis(200)).await; // it is busy for a moment
            let mut got = vec![0; pkids.len() * 4];
            broker.read_exact(&mut got).await.unwrap();
            got
        };
        let got = tokio::select! {
            got = timeout(PULSE / 2, reading) => got.expect("all of it, long before the next pulse"),
            ended = link.turn(true) => panic!("{ended:?}"),
        };
        assert_eq!(got.last_chunk(), Some(&10_000_u16.to_be_bytes()));
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_link_that_closes_sends_the_rest_first() {
        let (mut broker, gateway) = tls().await;
        let mut link = Link::over(Box::new(gateway));
        let pkids: Vec<u16> = (1..=10_000).collect();
        link.ack(&pkids);
        let mut got = Vec::new();
        let reading = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            broker.read_to_end(&mut got).await
        };
        let (read, ()) = tokio::join!(reading, link.close());
        assert_eq!(read.unwrap(), pkids.len() * 4 + 2, "and a good-bye");
        assert!(got.ends_with(&[0xe0, 0]));
    }
}
