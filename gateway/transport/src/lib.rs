//! How messages come in from devices and stations, and go out to them.
//!
//! | module | idea |
//! |---|---|
//! | [`mqtt`] | one connection to the broker: bytes, packets, attempts |
//! | [`ingest`] | the sessions that listen, alarms apart from statuses and both from readings; each message is acknowledged once the engine has it on disk |
//! | [`lease`] | this gateway's word on the broker that it is there, and others' on copies of its store |
//!
//! Not here: what a message means (`standpipe_rules::wire`), what is sent to whom
//! (`standpipe_notify`), and when what came is on disk (`standpipe_engine`).

pub mod ingest;
pub mod lease;
pub mod mqtt;
