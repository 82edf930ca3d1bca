//! The processes that the cases look at. Each ends by itself when its lifeline (a pipe or socket, given by number) ends, unless it is
//! deaf on purpose; those are killed by whoever is under test.

use std::io::{BufRead, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, fork, setsid};

/// A process of the cast, to be started.
pub fn member(role: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("__cast").args(role);
    command
}

/// Plays a role.
pub fn play(role: &[String]) -> ExitCode {
    let role: Vec<&str> = role.iter().map(String::as_str).collect();
    match role.as_slice() {
        ["deaf"] => deaf(),
        ["reader"] => {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
        }
        ["exit", code] => return ExitCode::from(code.parse::<u8>().unwrap()),
        ["worker"] => worker(),
        ["fake", socket, line] => fake(socket, line),
        other => panic!("no such role: {other:?}"),
    }
    ExitCode::SUCCESS
}

/// Ignores everything that can be ignored.
fn deaf() {
    for name in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: ignoring a signal installs no handler.
        unsafe { signal(name, SigHandler::SigIgn) }.unwrap();
    }
    // Who does not listen does not care.
    let _ = writeln!(std::io::stdout(), "ready");
    loop {
        nix::unistd::pause();
    }
}

/// Says one line to a control socket, and reads until its end.
fn fake(socket: &str, line: &str) {
    let mut stream = UnixStream::connect(socket).unwrap();
    let own = leak_harness::platform::stat_of(std::process::id())
        .unwrap()
        .unwrap();
    let line = line
        .replace("PPID", &own.ppid.to_string())
        .replace("PID", &own.process.pid.to_string())
        .replace("START", &own.process.start_time.to_string());
    writeln!(stream, "{line}").unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Does what it is told, one order a line, and answers each with a line.
#[expect(
    clippy::zombie_processes,
    reason = "not waiting is one of the things to be seen"
)]
fn worker() {
    let mut children: Vec<Child> = Vec::new();
    for order in std::io::stdin().lock().lines() {
        let order = order.unwrap();
        let words: Vec<&str> = order.split(' ').collect();
        let answer = match words.as_slice() {
            // A child on a pipe that the worker holds.
            ["start", role @ ..] => {
                let child = member(role)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .spawn()
                    .unwrap();
                children.push(child);
                children.last().unwrap().id()
            }
            // A child on a socket that the worker holds, as node and bun do it.
            ["start-on-socket", role @ ..] => {
                let (near, far) = UnixStream::pair().unwrap();
                let child = member(role)
                    .stdin(Stdio::from(std::os::fd::OwnedFd::from(far)))
                    .stdout(Stdio::null())
                    .spawn()
                    .unwrap();
                std::mem::forget(near);
                children.push(child);
                children.last().unwrap().id()
            }
            // A child in a session of its own, out of reach of group signals.
            ["start-in-session", role @ ..] => {
                let mut command = member(role);
                command.stdin(Stdio::piped()).stdout(Stdio::null());
                // SAFETY: the closure makes one system call.
                unsafe { command.pre_exec(|| Ok(setsid().map(drop)?)) };
                children.push(command.spawn().unwrap());
                children.last().unwrap().id()
            }
            // A daemon by double fork: its parent is gone at once.
            ["start-daemon", role @ ..] => {
                let mut command = member(role);
                command.stdin(Stdio::null()).stdout(Stdio::piped());
                // SAFETY: the closure makes system calls only; this process has one thread.
                unsafe {
                    command.pre_exec(|| {
                        setsid()?;
                        match fork()? {
                            ForkResult::Parent { .. } => libc::_exit(0),
                            ForkResult::Child => Ok(()),
                        }
                    })
                };
                let mut child = command.spawn().unwrap();
                child.wait().unwrap();
                0
            }
            // Ends the stdin of the youngest child, and waits for it.
            ["finish"] => {
                let mut child = children.pop().unwrap();
                drop(child.stdin.take());
                child.wait().unwrap();
                child.id()
            }
            // Ends the stdin of the youngest child, and never waits for it.
            ["forget"] => {
                let mut child = children.pop().unwrap();
                drop(child.stdin.take());
                child.id()
            }
            other => panic!("no such order: {other:?}"),
        };
        println!("{answer}");
    }
}
