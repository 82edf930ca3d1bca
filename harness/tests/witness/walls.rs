//! Cases of isolation: the walls, the link, the limits.

use leak_harness::isolation::{self, Adopted, Command};
use leak_harness::platform;

use crate::stage::Stage;

pub async fn the_walls_are_what_is_said(adopted: Adopted) {
    assert_eq!(
        adopted.isolation.pid_namespace,
        std::process::id() == 1,
        "PID 1"
    );
    assert_eq!(adopted.isolation.pid_namespace, adopted.host_proc.is_some());
    let own = platform::stat_of(std::process::id()).unwrap().unwrap();
    assert_eq!(own.process.pid, std::process::id(), "/proc is our own");
    assert_eq!(own.sid, std::process::id(), "a session of our own");
    assert_eq!(own.name.as_bytes(), b"leak-harness");
    assert_eq!(
        nix::unistd::getuid(),
        nix::unistd::geteuid(),
        "the user is who they are"
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let interfaces = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let names: Vec<&str> = interfaces
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .collect();
    if adopted.isolation.network_namespace {
        assert_eq!(names, ["lo"]);
    }
    for probe in isolation::probe() {
        assert!(!probe.name.is_empty());
        assert_ne!(probe.why_not, Some(String::new()));
    }
}

pub async fn commands_and_messages_arrive(adopted: Adopted) {
    let (mut commands, to_outer) = adopted.outer.open().unwrap();
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    to_outer.send(long.as_bytes()).await.unwrap();
    to_outer.send(b"\"stop me\"").await.unwrap();
    assert_eq!(commands.recv().await, Some(Command::Stop));
    assert_eq!(commands.recv().await, Some(Command::StopNow));
}

pub async fn files_are_raised_for_the_harness_and_restored_for_the_worker(adopted: Adopted) {
    use nix::sys::resource::{Resource, getrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert_eq!(soft, hard);
    let mut stage = Stage::set(adopted);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", stage.worker.pid)).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let soft_of_worker: u64 = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(soft_of_worker, stage.limits.soft_files);
    // Nothing that is the harness's own was left open in it. Once it obeys orders, it opens no more files by itself.
    stage.order("start reader");
    for file in std::fs::read_dir(format!("/proc/{}/fd", stage.worker.pid)).unwrap() {
        let link = std::fs::read_link(file.unwrap().path()).unwrap();
        let link = link.to_string_lossy();
        let is_ours = ["socket:", "/proc", "anon_inode:"];
        assert!(
            !is_ours.iter().any(|prefix| link.starts_with(prefix)),
            "{link}"
        );
    }
    assert!(leak_harness::witness::check_files(10).is_ok());
    let short = leak_harness::witness::check_files(u64::MAX / 8).unwrap_err();
    assert!(
        short
            .to_string()
            .contains("3 for each, 128 for the harness"),
        "{short}"
    );
    stage.strike().await;
}
