//! The program `leak-harness`.

use std::process::ExitCode;

fn main() -> ExitCode {
    leak_harness::cli::main()
}
