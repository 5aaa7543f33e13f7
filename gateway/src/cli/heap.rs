//! One heap for all threads.
//!
//! The C library gives threads heaps of their own, and each keeps what its threads freed: with
//! 100,000 devices that is a fifth of the gateway's memory. It reads how many there may be from
//! the environment, before `main` and never again; so the program starts itself once more, in
//! the same process.
//!
//! Not another allocator in its place. With 1,000 devices and 2,000 readings a second the peak is
//! 29.8 MiB with one heap and 30.7 with the C library's own number of them, but 40.0 with mimalloc and
//! 39.4 with jemalloc, each of them under SQLite too; set as Rust's global allocator they would not
//! reach SQLite, which has two fifths of all that is allocated. `mallopt` can set the number
//! in the running program, but only by `unsafe` code, which this workspace forbids.

use std::env::{args_os, var_os};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// How many heaps there may be.
const HEAPS: &str = "MALLOC_ARENA_MAX";
/// Environment variables by which somebody may have chosen that already.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Starts the program once more with one heap, unless the environment says how many; with
/// another C library it does nothing. Call it before anything else.
pub fn one() {
    if !cfg!(target_env = "gnu") || var_os(HEAPS).is_some() || var_os(TUNABLES).is_some() {
        return;
    }
    let mut arguments = args_os();
    let mut again = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // It comes back only if that can't be done: then it takes more memory, and that is all.
    let _ = again.args(arguments).env(HEAPS, "1").exec();
}
