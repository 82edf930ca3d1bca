//! Cases of the processes of a run: seen, sampled, examined, ended.

use std::process::ChildStdin;
use std::time::Duration;

use fake_claude::behaviour::Behaviour;
use fake_claude::control::Role;
use leak_harness::isolation::Adopted;
use leak_harness::platform::{self, Watched};
use leak_harness::process::ProcessState;
use leak_harness::timeline::event::{EventKind, Source};
use leak_harness::witness::Switches;

use crate::stage::Stage;

pub async fn escapees_stay_in_sight(adopted: Adopted) {
    let own = std::process::id();
    let mut stage = Stage::set(adopted);
    let in_session = stage.order("start-in-session deaf");
    let seen = stage
        .until("sight of the child in a session", |event| {
            match event.event {
                EventKind::ProcessSeen { process, sid, .. } if process.pid == in_session => {
                    Some(sid)
                }
                _ => None,
            }
        })
        .await;
    assert_eq!(seen, in_session);

    stage.order("start-daemon deaf");
    let worker = stage.worker.pid;
    let orphan = stage
        .until("daemon whose parent is the harness", |event| {
            match &event.event {
                EventKind::Sampled { changed, .. } => changed
                    .iter()
                    .find(|row| row.ppid == own && row.process.pid != worker)
                    .map(|row| row.process),
                _ => None,
            }
        })
        .await;
    let host_pid = stage
        .until("sight of the daemon", |event| match event.event {
            EventKind::ProcessSeen {
                process, host_pid, ..
            } if process == orphan => Some(host_pid),
            _ => None,
        })
        .await;
    if own == 1 {
        assert_ne!(host_pid, Some(orphan.pid));
    } else {
        assert_eq!(host_pid, Some(orphan.pid));
    }
    assert!(host_pid.is_some());
    assert_eq!(stage.witnesses.view().children, 2);

    // The worker dies without a word: its children are orphans, and stay in sight.
    assert!(
        stage
            .witnesses
            .signal(stage.worker, libc::SIGKILL)
            .await
            .unwrap()
    );
    let exit = stage.witnesses.exit_of(stage.worker).await;
    assert_eq!((exit.code, exit.signal), (None, Some(libc::SIGKILL)));
    stage
        .until("child that was inherited", |event| match &event.event {
            EventKind::Sampled { changed, .. } => changed
                .iter()
                .any(|row| row.process.pid == in_session && row.ppid == own)
                .then_some(()),
            _ => None,
        })
        .await;
    stage.strike().await;
}

pub async fn ends_are_told_with_code_and_signal(adopted: Adopted) {
    let mut stage = Stage::set(adopted);
    let child = stage.order("start reader");
    let child = stage.identity(child).await;
    assert_eq!(stage.order("finish"), child.pid);
    assert_eq!(
        stage.exit(child).await,
        (Some(0), None),
        "although its parent waited"
    );
    stage.gone(child).await;

    let child = stage.order("start deaf");
    let child = stage.identity(child).await;
    stage.witnesses.signal(child, libc::SIGKILL).await.unwrap();
    assert_eq!(stage.exit(child).await, (None, Some(libc::SIGKILL)));

    // Neither the table nor a pidfd knows this one in time, but it is ours to reap.
    let worker = stage.worker;
    drop(std::mem::replace(&mut stage.orders, fake_stdin()));
    assert_eq!(stage.exit(worker).await, (Some(0), None));
    stage.gone(worker).await;
    stage.strike().await;
}

pub async fn a_reused_pid_deceives_nobody(adopted: Adopted) {
    // Only PID 1 with the rights of root may choose the next pid, where the kernel lets it; elsewhere there is nothing to try.
    const NEXT: &str = "/proc/sys/kernel/ns_last_pid";
    let may_choose = nix::unistd::geteuid().is_root() && std::path::Path::new(NEXT).exists();
    if !adopted.isolation.pid_namespace || !may_choose {
        return;
    }
    let mut stage = Stage::set(adopted);
    let first = stage.order("start reader");
    let first = stage.identity(first).await;
    let (kept, _) = Watched::open(first.pid).unwrap().unwrap();
    stage.order("finish");
    stage.gone(first).await;
    // A start time is counted in hundredths of a second; the next one has to be another.
    let ticks = stage.witnesses.overhead().ticks;
    stage.samples(ticks + 3).await;
    std::fs::write(NEXT, (first.pid - 1).to_string()).unwrap();
    assert_eq!(stage.order("start reader"), first.pid);
    let second = stage
        .until("another process with the same pid", |event| {
            match event.event {
                EventKind::ProcessSeen { process, .. } => {
                    (process.pid == first.pid && process != first).then_some(process)
                }
                _ => None,
            }
        })
        .await;
    assert_eq!(kept.stat().unwrap(), None);
    assert!(!kept.signal(libc::SIGKILL).unwrap());
    assert!(!stage.witnesses.signal(first, libc::SIGKILL).await.unwrap());
    assert!(stage.witnesses.living().contains(&second));
    stage.strike().await;
}

/// A stdin to put in the place of one that was closed.
fn fake_stdin() -> ChildStdin {
    let (_, writer) = nix::unistd::pipe().unwrap();
    ChildStdin::from(writer)
}

pub async fn a_zombie_that_nobody_waits_for_is_shown(adopted: Adopted) {
    let mut stage = Stage::set(adopted);
    let child = stage.order("start reader");
    let child = stage.identity(child).await;
    assert_eq!(stage.order("forget"), child.pid);
    assert_eq!(stage.exit(child).await, (Some(0), None));
    stage
        .until("row of a zombie", |event| match &event.event {
            EventKind::Sampled { changed, .. } => changed
                .iter()
                .any(|row| row.process == child && row.state == ProcessState::Zombie)
                .then_some(()),
            _ => None,
        })
        .await;
    let view = stage.witnesses.view();
    assert_eq!((view.children, view.zombies), (0, 1));
    stage.strike().await;
}

pub async fn holders_of_pipes_and_sockets_are_found(adopted: Adopted) {
    let mut stage = Stage::set(adopted);
    let on_pipe = stage.order("start reader");
    let on_pipe = stage.identity(on_pipe).await;
    let on_socket = stage.order("start-on-socket reader");
    let on_socket = stage.identity(on_socket).await;
    stage.order("start-daemon deaf");
    stage.witnesses.sample().await;
    let living = stage.witnesses.living();
    assert_eq!(living.len(), 4);
    stage.witnesses.examine(&living).await;
    let worker = stage.worker;
    let own = platform::stat_of(std::process::id())
        .unwrap()
        .unwrap()
        .process;
    stage.take_all();
    let mut examined = 0;
    for event in &stage.seen {
        if let EventKind::Examined {
            process,
            pss_bytes,
            stdin_holders,
            holders_known,
        } = &event.event
        {
            examined += 1;
            assert!(pss_bytes.unwrap() > 10_000);
            assert!(holders_known);
            let expected = if *process == on_pipe || *process == on_socket {
                vec![worker]
            } else if *process == worker {
                vec![own]
            } else {
                Vec::new()
            };
            assert_eq!(stdin_holders, &expected, "{process}");
        }
    }
    assert_eq!(examined, 4);
    stage.strike().await;
}

pub async fn a_switched_off_witness_is_silent(adopted: Adopted) {
    let switches = Switches {
        reaper: false,
        portable: false,
        ..Switches::default()
    };
    assert_eq!(
        switches.sources(),
        [Source::Table, Source::Control, Source::Cookie]
    );
    let mut stage = Stage::set_with(adopted, switches, |_| Behaviour::default());
    let child = stage.order("start reader");
    let child = stage.identity(child).await;
    stage.order("finish");
    // The table notices it all the same.
    stage.gone(child).await;
    stage.witnesses.cross_check().await;
    let cleaning = stage.witnesses.end_everything().await;
    assert_eq!(cleaning.left, []);
    stage.take_all();
    assert_eq!(
        stage.count(|event| matches!(
            event,
            EventKind::ProcessExited { .. } | EventKind::ProcessReaped { .. }
        )),
        0
    );
    stage.witnesses.close().await;
}

pub async fn both_tables_agree(adopted: Adopted) {
    let mut stage = Stage::set(adopted);
    for _ in 0..20 {
        stage.order("start reader");
    }
    for _ in 0..3 {
        stage.witnesses.cross_check().await;
    }
    stage.take_all();
    assert_eq!(
        stage.count(|event| matches!(event, EventKind::WitnessFailed { .. })),
        0,
        "{:#?}",
        stage.seen
    );
    assert_eq!(stage.witnesses.view().children, 20);
    let overhead = stage.witnesses.overhead();
    assert!(overhead.ticks >= 6);
    assert!(overhead.processor_time > Duration::ZERO);
    assert!(stage.witnesses.view().rss_bytes > 0);
    let worker = stage.witnesses.view().worker.unwrap();
    assert!(worker.rss_bytes > 0);
    assert_eq!(worker.threads, Some(1));
    stage
        .until("count of the worker's files", |event| match event.event {
            EventKind::Sampled { worker, .. } => worker?.files.filter(|files| *files > 20),
            _ => None,
        })
        .await;
    let helpers = stage.count(|event| {
        matches!(
            event,
            EventKind::ProcessSeen {
                role: Some(Role::Helper),
                ..
            }
        )
    });
    assert_eq!(
        helpers, 20,
        "their commands are their own, not the worker's"
    );
    stage.strike().await;
}

pub async fn the_cookie_is_found(adopted: Adopted) {
    let mut stage = Stage::set(adopted);
    let child = stage.order("start reader");
    let child = stage.identity(child).await;
    for process in [stage.worker, child] {
        stage
            .until("cookie", |event| {
                (event.event == EventKind::CookieFound { process }).then_some(())
            })
            .await;
    }
    stage.strike().await;
}

pub async fn nobody_else_is_touched_by_the_final_cleaning(adopted: Adopted) {
    let isolation = adopted.isolation;
    let mut stage = Stage::set(adopted);
    for _ in 0..10 {
        stage.order("start deaf");
    }
    for _ in 0..10 {
        stage.order("start-daemon deaf");
    }
    stage.witnesses.sample().await;
    let outer = nix::unistd::getppid();
    let cleaning = stage.witnesses.end_everything().await;
    assert_eq!(cleaning.killed.len(), 21);
    assert!(!cleaning.killed.iter().any(|process| process.pid == 1));
    if !isolation.pid_namespace {
        assert_eq!(nix::unistd::getppid(), outer, "outer lives");
    }
    stage.strike().await;
}
