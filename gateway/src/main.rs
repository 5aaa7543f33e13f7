//! The gateway: see `standpipe --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    standpipe::cli::main()
}
