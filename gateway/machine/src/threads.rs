//! Threads: the only file that starts one. Each has a name, by which a person finds it in `top -H`,
//! and whoever starts it awaits it.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread. Names are cut by the system after 15 bytes.
///
/// # Errors
/// What the system says when it gives none.
pub fn start(
    name: impl Into<String>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(work)
}
