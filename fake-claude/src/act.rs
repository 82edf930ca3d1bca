//! Carries out the misbehaviours that are deeds of their own. Those that are omissions, such as a hang, lie where the deed would be.

use std::env;
use std::fs;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::behaviour::{Death, DeathSignal, Leave, Mistaken};
use crate::control::{Role, Say, Why};
use crate::os::{self, Kinship};
use crate::output::Output;
use crate::process::{Process, note};
use crate::quantity::Size;

/// A line of four kibibytes that no caller knows.
const USELESS: &[u8; 4096] = &{
    let mut line = [b'.'; 4096];
    let (head, tail) = (br#"{"type":"fake_flood","padding":""#, b"\"}\n");
    let mut at = 0;
    while at < head.len() {
        line[at] = head[at];
        at += 1;
    }
    at = 0;
    while at < tail.len() {
        line[line.len() - tail.len() + at] = tail[at];
        at += 1;
    }
    line
};

/// What the line of eight mebibytes is filled with.
const FILLING: &[u8; 4096] = &[b'.'; 4096];

/// Leaves a child behind.
pub fn leave(process: &mut Process, leave: Leave) {
    let (kinship, word) = match leave {
        Leave::Group => (Kinship::Group, "group"),
        Leave::OwnGroup => (Kinship::OwnGroup, "own-group"),
        Leave::Session => (Kinship::Session, "session"),
        Leave::Daemon => (Kinship::Daemon, "daemon"),
        Leave::Zombie => (Kinship::Group, "zombie"),
    };
    process.start(Role::Grandchild, kinship, format!("leave = {word}"));
}

/// Runs a tool that signals somebody by mistake, in a session of its own, as the real program runs its shells.
pub fn run_tool(process: &mut Process, whom: Mistaken) {
    let word = match whom {
        Mistaken::Parent => "parent",
        Mistaken::Siblings => "siblings",
        Mistaken::Worker => "worker",
    };
    process.start(
        Role::Grandchild,
        Kinship::Session,
        format!("tool_kills = {word}"),
    );
}

/// Starts so many children at once.
pub fn storm(process: &mut Process, count: u32) {
    for _ in 0..count {
        process.start(Role::Grandchild, Kinship::Group, format!("storm = {count}"));
    }
}

/// Takes private memory and keeps it.
pub fn grow(process: &mut Process, size: Size) {
    match os::grow(size.as_bytes()) {
        Ok(()) => process.did(format!("grow = {size}"), None),
        Err(error) => note(&format_args!(
            "`grow = {size}` cannot be carried out: {error}"
        )),
    }
}

/// Writes that much useless output, rounded up to whole lines.
pub fn flood(process: &mut Process, output: &mut Output, size: Size) {
    output.repeat(USELESS, size.as_bytes().div_ceil(USELESS.len() as u64));
    process.did(format!("flood = {size}"), None);
}

/// Writes a valid line of eight mebibytes.
pub fn write_huge_line(output: &mut Output) {
    output.add(|bytes| bytes.extend_from_slice(br#"{"type":"fake_huge","padding":""#));
    output.repeat(FILLING, (8 << 20) / FILLING.len() as u64);
    output.add(|bytes| bytes.extend_from_slice(b"\"}\n"));
}

/// Dies as it was told to.
pub fn die(process: &mut Process, death: &Death, owed: u32) -> ! {
    match death {
        Death::Code(code) => {
            process.did(format!("die = code {code}"), None);
            process.exit(i32::from(*code), Why::Planned, owed)
        }
        Death::Signal(signal) => {
            let (signal, word) = match signal {
                DeathSignal::Sigkill => (os::SIGKILL, "SIGKILL"),
                DeathSignal::Sigabrt => (os::SIGABRT, "SIGABRT"),
                DeathSignal::Sigsegv => (os::SIGSEGV, "SIGSEGV"),
            };
            process.did(format!("die = {word}"), None);
            process.say(Say::Goodbye {
                code: None,
                why: Why::Planned,
                owed,
            });
            os::die_by(signal)
        }
    }
}

/// Leaves the files behind that the real program leaves when it is killed: below `HOME` and `TMPDIR`, where those are set.
pub fn litter(process: &mut Process, session_id: &str, cwd: &str) {
    let folder = |variable| {
        env::var_os(variable)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    let mut outcome = Ok(());
    if let Some(home) = folder("HOME") {
        outcome = litter_home(&home.join(".claude"), session_id, cwd);
    }
    if let Some(temporary) = folder("TMPDIR") {
        outcome = outcome.and(litter_temporary(&temporary));
    }
    match outcome {
        Ok(()) => process.did("litter = true".to_owned(), None),
        Err(error) => note(&format_args!(
            "`litter = true` cannot be carried out: {error}"
        )),
    }
}

fn litter_home(claude: &Path, session_id: &str, cwd: &str) -> io::Result<()> {
    let pid = std::process::id();
    let project = claude.join("projects").join(cwd.replace('/', "-"));
    fs::create_dir_all(&project)?;
    fs::write(project.join(format!("{session_id}.jsonl")), "{}\n")?;
    let sessions = claude.join("sessions");
    fs::create_dir_all(&sessions)?;
    let about = format!("{{\"pid\":{pid},\"sessionId\":\"{session_id}\"}}\n");
    fs::write(sessions.join(format!("{pid}.json")), about)?;
    fs::write(sessions.join(format!("{pid}.fake.key")), "")
}

fn litter_temporary(temporary: &Path) -> io::Result<()> {
    let pid = std::process::id();
    let probe = format!("claude-{}/fswatch-probe-{pid}", os::user_id());
    fs::create_dir_all(temporary.join(probe))?;
    let sockets = temporary.join("cc-socks");
    fs::create_dir_all(&sockets)?;
    // Nobody listens on it once this returns; the file stays.
    UnixListener::bind(sockets.join(format!("{pid}.sock"))).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn useless_output_is_valid_lines() {
        let line = str::from_utf8(USELESS).expect("text");
        assert!(line.ends_with('\n'));
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["type"], "fake_flood");
    }
}
