//! A fake without a harness: its behaviour file, its journal, its idle limit.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use fake_claude::control::{
    BEHAVIOUR_FILE, BEHAVIOUR_VARIABLE, JOURNAL_VARIABLE, Role, Said, Say, Why,
};

use crate::support::{DEADLINE, Fake, Place, STREAMING, outcome, user};

const QUICK: &str = "turn = \"20ms\"\ninitialize = \"0s\"\nexit = \"1ms\"\n";

/// A journal that can be waited for: a named pipe. Its end comes when nobody is left who could write to it.
fn journal(place: &Place) -> (PathBuf, Receiver<Say>) {
    let path = place.path().join("journal");
    let name = CString::new(path.as_os_str().as_encoded_bytes()).expect("no zero in it");
    // SAFETY: the name is a string with its zero.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let (sender, receiver) = mpsc::channel();
    let fifo = path.clone();
    thread::spawn(move || {
        let lines = BufReader::new(File::open(fifo).expect("a pipe")).lines();
        for line in lines.map_while(Result::ok) {
            let said: Said = serde_json::from_str(&line).expect("a statement");
            let _ = sender.send(said.say);
        }
    });
    (path, receiver)
}

fn all_of(journal: &Receiver<Say>) -> Vec<Say> {
    let mut said = Vec::new();
    loop {
        match journal.recv_timeout(DEADLINE) {
            Ok(say) => said.push(say),
            Err(RecvTimeoutError::Disconnected) => return said,
            Err(RecvTimeoutError::Timeout) => panic!("somebody is left; so far: {said:#?}"),
        }
    }
}

#[test]
fn a_file_beside_it_says_how_to_behave() {
    let place = Place::new();
    fs::write(
        place.path().join(BEHAVIOUR_FILE),
        format!("{QUICK}reply = \"prose\""),
    )
    .expect("a file");
    let (code, stdout, stderr) = outcome(&mut place.command(&["-p", "hi"]), "");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.starts_with("Happy to help!"), "{stdout}");
    // The one that the environment names comes first.
    fs::write(place.path().join("other.toml"), QUICK).expect("a file");
    let mut command = place.command(&["-p", "hi"]);
    command.env(BEHAVIOUR_VARIABLE, place.path().join("other.toml"));
    assert_eq!(outcome(&mut command, "").1, "ok");
}

#[test]
fn a_mistake_in_the_file_is_shown_where_it_is() {
    let place = Place::new();
    let path = place.path().join(BEHAVIOUR_FILE);
    fs::write(&path, "turn = \"20ms\"\nhangs = \"mid-turn\"\n").expect("a file");
    let (code, stdout, stderr) = outcome(&mut place.command(&["-p", "hi"]), "");
    assert_eq!((code, stdout.as_str()), (2, ""));
    let start = format!("fake-claude: {}:2:1: unknown field `hangs`", path.display());
    assert!(stderr.starts_with(&start), "{stderr}");
    // A file that is named must be there.
    let mut command = place.command(&["-p", "hi"]);
    command.env(BEHAVIOUR_VARIABLE, "/nowhere/behaviour.toml");
    let (code, _, stderr) = outcome(&mut command, "");
    assert_eq!(code, 2);
    assert!(
        stderr.contains("/nowhere/behaviour.toml: cannot be read"),
        "{stderr}"
    );
}

#[test]
fn the_journal_holds_what_a_harness_would_have_heard() {
    let place = Place::new();
    fs::write(place.path().join(BEHAVIOUR_FILE), QUICK).expect("a file");
    let (path, journal) = journal(&place);
    let mut command = place.command(&STREAMING);
    command.env(JOURNAL_VARIABLE, path);
    let mut fake = Fake::start(&mut command);
    fake.tell(user("session-1", "lhm-1-1-p1z"));
    fake.read_to("result/success");
    fake.close_stdin();
    assert_eq!(fake.exit_code(), 0);
    let said = all_of(&journal);
    assert!(matches!(
        said[0],
        Say::Hello {
            role: Role::Primary,
            ..
        }
    ));
    assert!(matches!(&said[1], Say::Serves { session } if session == "session-1"));
    assert!(matches!(said[4], Say::TurnEnded { good: true, .. }));
    assert!(matches!(
        said[6],
        Say::Goodbye {
            code: Some(0),
            why: Why::Eof,
            ..
        }
    ));
}

#[test]
fn idleness_ends_it_and_what_it_left_behind() {
    let place = Place::new();
    fs::write(
        place.path().join(BEHAVIOUR_FILE),
        format!("{QUICK}ignore = [\"eof\"]\nleave = \"daemon\"\n"),
    )
    .expect("a file");
    let (path, journal) = journal(&place);
    // A reader sees the end as soon as nobody holds the pipe open, be it between the one's end and the other's beginning.
    let held = File::options().write(true).open(&path).expect("a pipe");
    let mut command = place.command(&STREAMING);
    command
        .env(JOURNAL_VARIABLE, path)
        .env("FAKE_CLAUDE_IDLE", "3s");
    let mut fake = Fake::start(&mut command);
    fake.ask("one");
    fake.close_stdin();
    fake.read_to("result/success");
    assert_eq!(fake.exit_code(), 0);
    assert!(fake.errors().contains("idle for 3s without a harness"));
    // It and its daemon say so, and then nobody is left.
    let idle = |say: &&Say| matches!(say, Say::Goodbye { why: Why::Idle, .. });
    let mut said = Vec::new();
    while said.iter().filter(idle).count() < 2 {
        said.push(journal.recv_timeout(DEADLINE).expect("both say goodbye"));
    }
    drop(held);
    said.extend(all_of(&journal));
    assert_eq!(said.iter().filter(idle).count(), 2, "{said:#?}");
}

#[test]
fn an_idle_limit_without_a_unit_is_refused() {
    let place = Place::new();
    let mut command = place.command(&["-p", "hi"]);
    command.env("FAKE_CLAUDE_IDLE", "10");
    let (code, _, stderr) = outcome(&mut command, "");
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("fake-claude: FAKE_CLAUDE_IDLE: `10` is not a duration"),
        "{stderr}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn ballast_of_its_own_reaches_the_rss_and_costs_little() {
    let place = Place::new();
    fs::write(
        place.path().join(BEHAVIOUR_FILE),
        format!("{QUICK}rss = \"100MiB\"\n"),
    )
    .expect("a file");
    let mut fake = Fake::start(&mut place.command(&STREAMING));
    fake.ask("one");
    fake.read_to("result/success");
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", fake.pid())).expect("alive");
    let kib = |field: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(field));
        let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        value.expect("a number")
    };
    let mib = kib("Rss:") / 1024;
    assert!((99..=110).contains(&mib), "{mib} MiB");
    assert!(kib("Pss:") < 10 * 1024, "{} KiB", kib("Pss:"));
    fake.close_stdin();
    assert_eq!(fake.exit_code(), 0);
}
