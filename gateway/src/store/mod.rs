//! What must not be lost, in SQLite.

pub mod block;
