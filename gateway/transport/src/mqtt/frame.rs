//! Bytes → what the broker said.
//!
//! A publish is read here and in place: its properties are stepped over unread, so that nothing a
//! device puts into them can stop the stream. Everything else goes through `rumqttc`'s codec.

use rumqttc::v5::mqttbytes::v5::{DisconnectReasonCode, Packet, PubAckReason, SubscribeReasonCode};
use tokio_util::bytes::BytesMut;

/// What the broker said.
#[derive(Debug, PartialEq)]
pub enum Frame<'a> {
    /// Somebody published something we subscribed to.
    Publish(Publish<'a>),
    /// The broker has taken one of our publishes, or says why not.
    PubAck {
        /// Which.
        pkid: u16,
        /// What became of it.
        receipt: PublishReceipt,
    },
    /// The broker has taken our subscriptions, or some of them.
    SubAck {
        /// Those it did not take: place in the request, reason.
        refused: Vec<(usize, String)>,
    },
    /// The broker has let go of subscriptions; of such, too, as it did not have.
    UnsubAck,
    /// It is alive.
    Pong,
    /// It closes the connection.
    Bye(Option<DisconnectReasonCode>),
}

/// What became of one of our publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishReceipt {
    /// The broker has it, and passes it on to whoever listens. Whether anybody does is not told: the
    /// gateway listens to everything itself.
    Taken,
    /// The broker does not want it.
    Refused(PubAckReason),
}

/// A message, borrowed from the connection's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// As sent: perhaps not UTF-8.
    pub topic: &'a [u8],
    /// The packet id to acknowledge; 0 at QoS 0, which needs none.
    pub pkid: u16,
    /// Whether the broker has sent it before.
    pub again: bool,
    /// The broker had kept it: it says what was so once.
    pub retained: bool,
    /// The bytes themselves.
    pub payload: &'a [u8],
}

/// Why bytes are no frame. The connection cannot be used after any of these.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Bigger than we announced that we take.
    #[error(
        "a packet of {0} bytes is bigger than announced: look for a broker that ignores the \
         maximum packet size of MQTT 5"
    )]
    TooBig(usize),
    /// Not MQTT 5, or not a packet a broker may send.
    #[error("the bytes are not MQTT 5 ({0}): check that `mqtt.url` names an MQTT broker")]
    NotMqtt(String),
}

/// How long the first frame of `bytes` is, header included; `None` when that cannot be said yet.
///
/// # Errors
/// [`BadFrame`] when it is over `limit` bytes, or its length is malformed.
pub fn frame_length(bytes: &[u8], limit: usize) -> Result<Option<usize>, BadFrame> {
    let Some((length, used)) = variable(bytes.get(1..).unwrap_or_default())? else {
        return Ok(None);
    };
    let whole = 1 + used + length;
    if whole > limit { Err(BadFrame::TooBig(whole)) } else { Ok(Some(whole)) }
}

/// Reads one whole frame.
///
/// # Errors
/// [`BadFrame::NotMqtt`].
pub fn read(frame: &[u8]) -> Result<Frame<'_>, BadFrame> {
    let first = frame.first().copied().unwrap_or_default();
    match first >> 4 {
        PUBLISH => publish(frame).map(Frame::Publish),
        DISCONNECT => Ok(Frame::Bye(
            frame
                .get(2)
                .map_or(Ok(DisconnectReasonCode::NormalDisconnection), |&code| code.try_into())
                .ok(),
        )),
        // Read here: not every broker writes its reasons, and none of them matters.
        UNSUBACK => Ok(Frame::UnsubAck),
        _ => other(frame),
    }
}

const PUBLISH: u8 = 3;
const UNSUBACK: u8 = 11;
const DISCONNECT: u8 = 14;

fn publish(frame: &[u8]) -> Result<Publish<'_>, BadFrame> {
    let flags = frame.first().copied().unwrap_or_default();
    let body = after_header(frame)?;
    let (length, rest) = number(body)?;
    let (topic, rest) = rest.split_at_checked(usize::from(length)).ok_or_else(short)?;
    let (pkid, rest) = match (flags >> 1) & 3 {
        0 => (0, rest),
        1 => number(rest)?,
        _ => return Err(BadFrame::NotMqtt("QoS 2 without being asked for".to_owned())),
    };
    let (length, used) = variable(rest)?.ok_or_else(short)?;
    let payload = rest.get(used + length..).ok_or_else(short)?;
    Ok(Publish { topic, pkid, again: flags & 8 != 0, retained: flags & 1 != 0, payload })
}

fn other(frame: &[u8]) -> Result<Frame<'_>, BadFrame> {
    let packet = Packet::read(&mut BytesMut::from(frame), None)
        .map_err(|bad| BadFrame::NotMqtt(bad.to_string()))?;
    match packet {
        Packet::PubAck(ack) => {
            let taken = [PubAckReason::Success, PubAckReason::NoMatchingSubscribers];
            let receipt = if taken.contains(&ack.reason) {
                PublishReceipt::Taken
            } else {
                PublishReceipt::Refused(ack.reason)
            };
            Ok(Frame::PubAck { pkid: ack.pkid, receipt })
        }
        Packet::SubAck(ack) => {
            let refused = ack.return_codes.into_iter().enumerate();
            Ok(Frame::SubAck {
                refused: refused
                    .filter(|(_, code)| !matches!(code, SubscribeReasonCode::Success(_)))
                    .map(|(place, code)| (place, format!("{code:?}")))
                    .collect(),
            })
        }
        Packet::PingResp(_) => Ok(Frame::Pong),
        Packet::Auth(_)
        | Packet::Connect(..)
        | Packet::ConnAck(_)
        | Packet::Publish(_)
        | Packet::PingReq(_)
        | Packet::Subscribe(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::PubComp(_)
        | Packet::Unsubscribe(_)
        | Packet::UnsubAck(_)
        | Packet::Disconnect(_) => Err(BadFrame::NotMqtt("an unexpected packet".to_owned())),
    }
}

fn after_header(frame: &[u8]) -> Result<&[u8], BadFrame> {
    let rest = frame.get(1..).unwrap_or_default();
    let (_, used) = variable(rest)?.ok_or_else(short)?;
    Ok(rest.get(used..).unwrap_or_default())
}

fn number(bytes: &[u8]) -> Result<(u16, &[u8]), BadFrame> {
    let (head, rest) = bytes.split_first_chunk::<2>().ok_or_else(short)?;
    Ok((u16::from_be_bytes(*head), rest))
}

/// A variable byte integer and how many bytes it took; `None` when more bytes are needed.
fn variable(bytes: &[u8]) -> Result<Option<(usize, usize)>, BadFrame> {
    let mut value = 0_usize;
    for (place, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((value, place + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(BadFrame::NotMqtt("a bad length".to_owned())) }
}

fn short() -> BadFrame {
    BadFrame::NotMqtt("a packet ends early".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{BadFrame, Frame, Publish, PublishReceipt, frame_length, read};
    use proptest::prelude::*;
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::{
        DisconnectReasonCode, Packet, PubAck, PubAckReason, PublishProperties,
    };
    use tokio_util::bytes::BytesMut;

    fn written(packet: &Packet) -> Vec<u8> {
        let mut out = BytesMut::new();
        packet.write(&mut out, None).expect("a good packet");
        out.to_vec()
    }

    fn sample(pkid: u16, payload: &[u8], properties: Option<PublishProperties>) -> Packet {
        let qos = if pkid == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = rumqttc::v5::mqttbytes::v5::Publish::new(
            "r/a/d/alarm",
            qos,
            payload.to_vec(),
            properties,
        );
        publish.pkid = pkid;
        Packet::Publish(publish)
    }

    #[test]
    fn a_publish_is_read_whatever_its_properties_say() {
        let odd = PublishProperties {
            user_properties: vec![("key".to_owned(), "值".to_owned()); 40],
            content_type: Some("text/plain".to_owned()),
            ..PublishProperties::default()
        };
        for (story, pkid, payload, properties) in [
            ("plain", 7, &b"{}"[..], None),
            ("QoS 0", 0, b"{}", None),
            ("empty", 65_535, b"", None),
            ("with properties", 1, b"[1]", Some(odd)),
        ] {
            let bytes = written(&sample(pkid, payload, properties));
            assert_eq!(frame_length(&bytes, 4_096), Ok(Some(bytes.len())), "{story}");
            let expected =
                Publish { topic: b"r/a/d/alarm", pkid, again: false, retained: false, payload };
            assert_eq!(read(&bytes), Ok(Frame::Publish(expected)), "{story}");
        }
    }

    #[test]
    fn a_property_nobody_knows_does_not_stop_the_stream() {
        let frame = [0x33, 9, 0, 1, b't', 0, 5, 2, 0xEE, 0xEE, b'!'];
        let expected =
            Publish { topic: b"t", pkid: 5, again: false, retained: true, payload: b"!" };
        assert_eq!(read(&frame), Ok(Frame::Publish(expected)));
    }

    #[test]
    #[rustfmt::skip] // a table
    fn what_a_broker_may_also_say() {
        let refused = PubAck { pkid: 9, reason: PubAckReason::NotAuthorized, properties: None };
        for (story, bytes, expected) in [
            ("taken",      vec![0x40, 2, 0, 9],                  Frame::PubAck { pkid: 9, receipt: PublishReceipt::Taken }),
            ("nobody listens", vec![0x40, 4, 0, 9, 0x10, 0],     Frame::PubAck { pkid: 9, receipt: PublishReceipt::Taken }),
            ("refused",    written(&Packet::PubAck(refused)),    Frame::PubAck { pkid: 9, receipt: PublishReceipt::Refused(PubAckReason::NotAuthorized) }),
            ("subscribed", vec![0x90, 4, 0, 1, 0, 1],            Frame::SubAck { refused: vec![] }),
            ("let go",     vec![0xB0, 4, 0, 2, 0, 0x11],         Frame::UnsubAck),
            ("let go, v3", vec![0xB0, 2, 0, 2],                  Frame::UnsubAck),
            ("alive",      vec![0xD0, 0],                        Frame::Pong),
            ("good bye",   vec![0xE0, 0],                        Frame::Bye(Some(DisconnectReasonCode::NormalDisconnection))),
            ("taken over", vec![0xE0, 1, 0x8E],                  Frame::Bye(Some(DisconnectReasonCode::SessionTakenOver))),
            ("a new word", vec![0xE0, 2, 0x7F, 0],               Frame::Bye(None)),
        ] {
            assert_eq!(read(&bytes), Ok(expected), "{story}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_length_is_known_as_soon_as_it_can_be() {
        for (bytes, expected) in [
            (&[][..],                          Ok(None)),
            (&[0x32],                          Ok(None)),
            (&[0x32, 0x80],                    Ok(None)),
            (&[0x32, 5],                       Ok(Some(7))),
            (&[0x32, 0xFF, 1],                 Ok(Some(258))),
            (&[0x32, 0xFF, 0xFF, 0xFF, 0x7F],  Err(BadFrame::TooBig(268_435_460))),
            (&[0x32, 0xFF, 0xFF, 0xFF, 0xFF],  Err(BadFrame::NotMqtt("a bad length".to_owned()))),
        ] {
            assert_eq!(frame_length(bytes, 1_000), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_publish_ever_panics(mut bytes in proptest::collection::vec(any::<u8>(), 1..64)) {
            bytes[0] = 0x30 | bytes[0] & 0x0F;
            drop(read(&bytes));
            drop(frame_length(&bytes, 64));
        }
    }
}
