//! The daily digest of notices: once a day whoever wants it is told what pages nobody.
//!
//! | file | idea |
//! |---|---|
//! | [`day`] | whose hour has come, and over which time it reaches |
//! | `gather` | the notices of that time, from the store |
//! | [`words`] | a digest in lines, for people |
//! | [`keeper`] | looks at the clock, and has digests written down that are owed |
//!
//! What is in one is decided in `standpipe_rules::digest`. Not here: how it travels
//! (`notify::digests`), how it is kept (`store::digests`), its page (`console`).
//!
//! A digest never sounds, is no incident and never escalates: it goes to receivers that ask for
//! `notice`, behind everything else that is owed to them, and to nobody else.

pub mod day;
mod gather;
pub mod keeper;
pub mod words;

pub use day::{Day, Hour, Told};
pub use gather::gather;
