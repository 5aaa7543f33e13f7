//! What the gateway tells a device to do, and its answer.

use serde::{Deserialize, Serialize};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Send a reading now.
    ReportNow,
    /// Test yourself and answer.
    SelfTest,
    /// Stop the sounder for `seconds`.
    Silence,
    /// Start again.
    Restart,
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command<'a> {
    /// Named again in the reply.
    pub id: &'a str,
    /// What to do.
    pub command: Verb,
    /// For how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// The answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<'a> {
    /// The command's id.
    pub id: &'a str,
    /// Whether it was done.
    pub ok: bool,
    /// Why not, or what came of it.
    #[serde(default)]
    pub detail: &'a str,
}
