//! Hundreds of fakes run at once, so each is to be about as light as `/bin/cat`.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Stdio;

use crate::support::{Fake, Place, STREAMING, quick, user};

/// The private dirty memory of a process in bytes.
fn private_dirty(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("alive");
    let line = rollup
        .lines()
        .find(|line| line.starts_with("Private_Dirty:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.expect("a number") * 1024
}

#[test]
fn a_fake_is_at_most_twice_as_heavy_as_cat() {
    let place = Place::new();
    let _harness = place.harness(quick());
    // The kernel counts pages of a file that were not yet written back as dirty memory of whoever maps them, and a program that
    // was built a moment ago has many of these.
    fs::File::open(place.program())
        .and_then(|program| program.sync_all())
        .expect("the program lies on a disk");
    // With several alive, what they share counts for none of them.
    let mut fakes: Vec<Fake> = (0..4)
        .map(|_| Fake::start(&mut place.command(&STREAMING)))
        .collect();
    // As long as the opening prompt of a memory worker.
    let prompt = "observe this lhm-1-1-p1z ".repeat(240);
    for fake in &mut fakes {
        fake.initialize();
        fake.tell(user("session-1", &prompt));
        fake.read_to("result/success");
    }
    let mut cats: Vec<Fake> = (0..4)
        .map(|_| Fake::start(std::process::Command::new("/bin/cat").stderr(Stdio::null())))
        .collect();
    for cat in &mut cats {
        cat.tell("a line");
        assert_eq!(cat.next_raw().as_deref(), Some("a line"));
    }
    let (fake, cat) = (private_dirty(fakes[1].pid()), private_dirty(cats[1].pid()));
    assert!(fake <= 2 * cat, "{fake} bytes, and {cat} of /bin/cat");
}
