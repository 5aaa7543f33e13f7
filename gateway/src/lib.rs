//! The gateway.

pub mod clock;
pub mod engine;
pub mod health;
pub mod series;
pub mod store;
