//! Formats of receivers: `format = "…"` of a `[[webhook]]`. Each is one file in [`formats`], which
//! holds all of it:
//!
//! | | where |
//! |---|---|
//! | its name in the configuration, its own keys, whether it takes digests, its pace | [`FormatFacts`] |
//! | how its own keys are parsed and checked | [`ReceiverFormat::parse`] |
//! | how much text it has room for, how an incident, a bundle and a digest are rendered and sent, how the answer is judged | [`ReceiverFormat::send`] |
//!
//! **To add one**: write `formats/NAME.rs` and add it to the list in `formats.rs`. The configuration's
//! reader, its messages, `deploy/SETTINGS.md`, the senders and the pages go by that list.
//! (`standpipe check --settings > deploy/SETTINGS.md` then writes it down.)
//!
//! | file | idea |
//! |---|---|
//! | [`formats`] | the list, and a format a file |
//! | [`facts`] | what is said of each, and the trait that each fills in |
//! | [`keys`] | own keys, read by the configuration for whichever format asks for them |
//! | [`attempt`] | what a format is given to send one message |
//! | [`answer`] | what the receiver's answer means |
//! | `http`, `sign` | what those that speak HTTP share |
//!
//! # Why it is below the configuration
//!
//! A format is parsed where the file is read, and sent where pages leave, in two crates of which one
//! is below the other. There were three ways to have it in one file all the same:
//!
//! - *Formats beside the senders, the list handed to whoever reads a configuration.* The console reads
//!   one too (`/routing` judges what is pasted) and is below no sender; a fault of a format could only
//!   be tested two crates above the reader that words it.
//! - *Formats in the configuration's crate, their sending behind a second trait in the senders'.* A
//!   format is two files and two lists then, and nothing but care keeps them in step.
//! - *Formats below both*, which is what this is. It knows nothing of TOML, of the store or of the
//!   engine: the configuration reads the keys that [`formats::own_keys`] names and hands over their
//!   values, and gives each fault its line. The price is that a changed format has everything above the
//!   configuration checked again.
//!
//! The list is an enum and not a row of trait objects, so that configurations stay comparable and no
//! format can be sent that was not parsed.
//!
//! Not here: who is sent what (`standpipe_rules::incidents`), when it is tried again and given up, how a
//! limit is counted (`standpipe_notify`), and how an incident is put into words (`standpipe_words`).

pub mod answer;
pub mod attempt;
pub mod facts;
pub mod formats;
mod http;
pub mod keys;
mod sign;

pub use answer::{Answer, Blames, WaitWish};
pub use attempt::{About, Attempt, Caller, OutgoingMessage};
pub use facts::{Carrier, DigestSupport, EarlierMessages, FormatFacts, ReceiverFormat};
pub use formats::WebhookFormat;
pub use keys::{KeyShape, OwnKey, OwnKeys};
