//! The gateway.

pub mod health;
