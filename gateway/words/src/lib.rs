//! What the gateway says to people, in Chinese and English: what codes are called, how moments are
//! written, and an incident or a digest as a message.
//!
//! | module | idea |
//! |---|---|
//! | [`language`] | the two languages, and a text in both |
//! | [`terms`] | a term for each condition, severity and other code |
//! | [`moments`] | moments and spans of time |
//! | [`day`] | a day of the calendar, and when its digest is made |
//! | [`message`] | an incident in a few lines, as chats, mail and text messages say it |
//! | [`bundle`] | several pages in one message: counted by station, the worst by name |
//! | [`digest`] | a daily digest in lines |
//! | [`cap`] | an incident as a CAP 1.2 alert |
//!
//! Nothing here reads a clock, a file or the store, or knows how a message travels. The words of
//! one page stand in that page (`standpipe_web::console`); what somebody configures is in
//! `standpipe_config`.

#![allow(missing_docs, reason = "fields may speak for themselves: tests/tidy/docs.rs")]

pub mod bundle;
pub mod cap;
pub mod day;
pub mod digest;
pub mod language;
pub mod message;
pub mod moments;
pub mod terms;

pub use language::{Lang, Language, Say, say};
