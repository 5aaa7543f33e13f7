//! What a command says to people, whether or not anybody still reads it.

use std::io::Write as _;

/// Writes a line to the error output, which may be closed as well.
pub fn complain(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
