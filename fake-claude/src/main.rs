//! The program `fake-claude`; everything is in the library.

fn main() {
    fake_claude::main_impl()
}
