//! The literal looks on which folding and rendering are tested; texts in them are as hostile as a process can make them.

use super::evidence::Evidence;
use super::marks::Origin;
use super::report::{AttachReport, End, Folder, Host, Package, Watching};
use super::watch::{DaemonLook, Facts, Look, Member, Watch};
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// A process of as many MiB as its pid says, and as many minutes old.
pub(super) fn member(pid: u32, evidence: Evidence, signature: &str) -> Member {
    Member {
        process: ProcessIdentity::new(pid, u64::from(pid)),
        ppid: 5,
        is_zombie: false,
        rss_bytes: u64::from(pid) << 20,
        pss_bytes: None,
        age_ms: u64::from(pid) * 60_000,
        evidence,
        signature: signature.to_owned(),
        command: format!("/opt/{signature}"),
    }
}

pub(super) fn daemon() -> DaemonLook {
    DaemonLook {
        ppid: 1,
        age_ms: 26_896_000,
        rss_bytes: 161_656 << 10,
        pss_bytes: None,
        open_files: Some(402),
        threads: Some(14),
    }
}

pub(super) fn look(at_ms: u64, members: Vec<Member>) -> Look {
    Look {
        at: RunTime::from_millis(at_ms),
        daemon: Some(daemon()),
        members,
    }
}

pub(super) fn facts() -> Facts {
    Facts {
        host: Host {
            system: "Linux (Ubuntu 24.04), kernel 6.8.0".to_owned(),
            memory_bytes: 64 << 30,
            available_memory_bytes: Some(12 << 30),
        },
        watching: Watching {
            for_ms: 0,
            every_ms: 2_000,
            looks: 0,
            end: End::TimeOver,
            command: "leak-harness attach 4118969 --for 10m".to_owned(),
            cookies: vec!["INVOCATION_ID".to_owned()],
            data_folders: vec![Folder {
                path: "~/.claude-mem".to_owned(),
                origin: Origin::Written,
            }],
        },
        process: ProcessIdentity::new(4_118_969, 77),
        name: "bun".to_owned(),
        command: "bun ~/.claude/plugins/cache/thedotmack/claude-mem/9.0.0/scripts/worker-service.cjs --daemon".to_owned(),
        signature: "bun worker-service.cjs --daemon".to_owned(),
        executable: Some("~/.bun/bin/bun".to_owned()),
        packages: vec![Package {
            name: "claude-mem".to_owned(),
            version: "9.0.0".to_owned(),
            file: "~/.claude/plugins/cache/thedotmack/claude-mem/9.0.0/package.json".to_owned(),
        }],
        unseen: Vec::new(),
        harness_version: "0.1.0".to_owned(),
    }
}

const CLAUDE: &str = "claude --output-format stream-json --verbose --resume <id>";

/// So many looks at the daemon of the report #603: each minute a `claude` more, and beside them a zombie, a relative, a doubtful one.
fn watched(looks: u64) -> Watch {
    let mut watch = Watch::new();
    for number in 0..looks {
        let at_ms = number * 20_000;
        let mut members: Vec<Member> = (0..40 + number / 3)
            .map(|child| Member {
                rss_bytes: 372 << 20,
                pss_bytes: Some(310 << 20),
                age_ms: (at_ms + 2_400_000).saturating_sub(child * 60_000),
                command: "claude --output-format stream-json --verbose --resume 0f3a1b2c-…"
                    .to_owned(),
                ..member(1_000 + child as u32, Evidence::Parent, CLAUDE)
            })
            .collect();
        members.push(Member {
            is_zombie: true,
            ..member(31, Evidence::Parent, "git rev-parse HEAD")
        });
        members.push(Member {
            pss_bytes: Some(20 << 20),
            command: "evil `x` | <script>alert(1)</script> \x1b[2J @someone #603 \u{202e}"
                .to_owned(),
            ..member(
                40,
                Evidence::OpenFile {
                    path: "~/.claude-mem/x|`y`.db".to_owned(),
                },
                "evil <text> | `x` @someone",
            )
        });
        members.push(member(50, Evidence::Command, CLAUDE));
        watch.see(Look {
            daemon: Some(DaemonLook {
                pss_bytes: Some(150 << 20),
                rss_bytes: (161_656 << 10) + number * 100_000,
                open_files: Some(120 + number),
                ..daemon()
            }),
            ..look(at_ms, members)
        });
    }
    watch
}

/// The watch after ten minutes.
pub(super) fn growing_watch() -> Watch {
    watched(31)
}

/// Ten minutes of growth.
pub(super) fn growing() -> AttachReport {
    growing_watch().finish(facts())
}

/// A minute, too short to say anything of growth, but not of ages.
pub(super) fn short() -> AttachReport {
    watched(4).finish(facts())
}

/// A daemon that ended while it was watched, of which nothing more could be read.
pub(super) fn ended() -> AttachReport {
    let mut watch = Watch::new();
    watch.see(look(
        0,
        vec![
            member(10, Evidence::Parent, "claude"),
            member(11, Evidence::Parent, "claude"),
        ],
    ));
    watch.see(Look {
        daemon: None,
        ..look(
            8_000,
            vec![member(10, Evidence::LeftTheTree { parent: 1 }, "claude")],
        )
    });
    let mut facts = facts();
    facts.watching.end = End::DaemonEnded;
    facts.watching.cookies.clear();
    facts.watching.data_folders.clear();
    facts.packages.clear();
    facts.executable = None;
    facts.host.available_memory_bytes = None;
    facts.unseen = vec!["the environment of the daemon may not be read".to_owned()];
    watch.finish(facts)
}
