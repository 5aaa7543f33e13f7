//! The daily digest of notices: once a day whoever wants it is told what pages nobody.
//!
//! | file | idea |
//! |---|---|
//! | `gather` | the notices of that time, from the store |
//! | [`keeper`] | looks at the clock, and has digests written down that are owed |
//!
//! What is in one is decided in `standpipe_rules::digest`. Not here: when its hour has come and how
//! it is put into words (`standpipe_words`), how it travels (`notify::digests`), how it is kept
//! (`store::digests`), its page (`console`).
//!
//! A digest never sounds, is no incident and never escalates: it goes to receivers that ask for
//! `notice`, behind everything else that is owed to them, and to nobody else.

mod gather;
pub mod keeper;

pub use gather::gather;
