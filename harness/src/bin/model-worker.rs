//! The built-in worker under test; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    leak_harness::model::main()
}
