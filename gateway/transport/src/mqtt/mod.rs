//! One MQTT 5 connection, as the gateway needs it: bursts in, bursts out, nothing hidden.
//!
//! Packets are written and read by `rumqttc`'s MQTT 5 codec; the connection is ours, and small,
//! because a gateway that acknowledges after the commit needs three things that `rumqttc`'s event
//! loop cannot give: acknowledgements of a whole batch in one write (its loop makes one write of
//! each), no queue of its own that outlives a connection (its queues are how acknowledgements
//! reach the wrong message after a reconnect), and the choice not to read while the engine is
//! behind, so that the broker keeps what there is no room for.
//!
//! | file | idea |
//! |---|---|
//! | [`attempts`] | trying again, and saying so |
//! | [`broker`] | where the broker is and how to be let in |
//! | [`frame`] | bytes → what the broker said |
//! | [`link`] | one connection: open, turn, close |
//!
//! Not here: what to subscribe to ([`crate::ingest`]), what to publish (`standpipe_notify`).
//! Nobody else names `rumqttc` but who plays devices and terminals (`standpipe_demo`, the simulator).

pub mod attempts;
pub mod broker;
pub mod frame;
mod input;
pub mod link;

pub use broker::{BadBroker, Broker};
pub use frame::{Frame, Publish, PublishReceipt};
pub use link::{Hello, Link, LinkError, Outgoing, Will};
pub use rumqttc::v5::mqttbytes::v5::PubAckReason;
