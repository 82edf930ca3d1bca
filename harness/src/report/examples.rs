//! The literal reports on which every renderer is tested: a failure with hostile texts, a pass, a doubt.

use super::story::Moment;
use super::*;
use crate::judge::finding::{Evidence, ProcessLine};
use crate::scenario::Bin;

fn process(pid: u32, command: &str) -> ProcessLine {
    ProcessLine {
        pid,
        host_pid: Some(pid + 40_000),
        ppid: 5,
        start_time: 90_000 + u64::from(pid),
        rss_bytes: 377_308 << 10,
        pss_bytes: Some(4_100 << 10),
        age_ms: 22_876_000,
        command: command.to_owned(),
        session: Some(format!("s{pid}")),
    }
}

/// A run in which nothing was found.
pub(crate) fn passing() -> Report {
    let clean = Bins {
        spawned: 40,
        peak: 8,
        clean: 40,
        ..Bins::default()
    };
    Report {
        schema: SCHEMA,
        scenario: ScenarioLine {
            name: "clean-control".to_owned(),
            seed: 603,
            time_scale: 1.0,
            compress: 1.0,
        },
        worker: WorkerLine {
            name: "model".to_owned(),
            version: Some("0.1.0".to_owned()),
            cleanup: vec!["tracked".to_owned()],
        },
        verdict: Verdict::Pass,
        expected: Verdict::Pass,
        expected_findings: None,
        as_expected: true,
        checkpoint: false,
        cut_off: false,
        load_stopped: None,
        recording: None,
        reasons: Vec::new(),
        unexpected: Vec::new(),
        sessions: SessionCounts {
            planned: 40,
            opened: 40,
            ended: 40,
            stalled: 0,
        },
        processes: clean,
        roles: Roles {
            primary: clean,
            ..Roles::default()
        },
        work: Work {
            offered: 120,
            answered: 120,
            ..Work::default()
        },
        memory: MemoryFigures {
            peak_rss_bytes: 90 << 20,
            worker_peak_rss_bytes: 12 << 20,
            ..MemoryFigures::default()
        },
        time_to_reap_ms: TimeToReap {
            p50: 34,
            p95: 52,
            p99: 61,
            max: 61,
            count: 40,
        },
        end_answer_ms: TimeToReap::default(),
        findings: Vec::new(),
        thresholds: vec![Threshold {
            metric: "peak_children".to_owned(),
            limit: 10,
            actual: 8,
            ok: true,
        }],
        series: vec![Point {
            t_ms: 100,
            children: 8,
            rss_bytes: 90 << 20,
            worker_rss_bytes: Some(12 << 20),
            ..Point::default()
        }],
        forecast: Forecast::default(),
        smallest_leak: "one process in 40 sessions that outlives its session by more than 1.1 s (grace 1.0 s, tick 100 ms, lag up to 0 ms); growth was not judged: the load lasted 4.5 s after warm-up and 1 min 0 s are needed (expect.growth.least)".to_owned(),
        growth: Vec::new(),
        isolation: Some(Isolation {
            pid_namespace: true,
            mount_namespace: true,
            network_namespace: true,
            user_namespace: false,
        }),
        witnesses: [Source::Reaper, Source::Table, Source::Control]
            .map(|witness| WitnessLine {
                witness,
                failed: None,
                off: None,
            })
            .to_vec(),
        overhead: Overhead {
            cpu_ms: Some(180),
            ticks: 62,
            late_ticks: 1,
            lost_ticks: 0,
            rss_bytes: Some(Drift {
                first: 14 << 20,
                last: 15 << 20,
                max: 16 << 20,
            }),
        },
        elapsed_ms: 6_230,
        machine_memory_bytes: 64_000_000_000,
        unbalanced: None,
        command: "leak-harness run scenarios/smoke/clean-control.toml --seed 603".to_owned(),
        made: Made {
            harness: "0.1.0".to_owned(),
            kernel: "Linux (Debian GNU/Linux 12), kernel 6.1.0".to_owned(),
            cores: 2,
            stop: Some("SIGTERM".to_owned()),
            scenario: "name = \"clean-control\"\n\n[load]\nsessions = 40\nend = \"complete\"\n"
                .to_owned(),
            ..Made::default()
        },
        stories: Vec::new(),
        scenario_file: Some("scenarios/smoke/clean-control.toml".to_owned()),
        started: Some("2026-01-31T09:12:44.123456789+01:00[Europe/Berlin]".to_owned()),
    }
}

/// A run that leaks, kills and loses, and whose processes and sessions bear hostile texts.
pub(crate) fn failing() -> Report {
    let hostile = [
        "claude --output-format stream-json --verbose --input-format stream-json --model claude-sonnet-4-5 --disallowedTools Bash,Read,Write",
        "claude \x1b[2J\x1b]0;owned\x07 --resume <script>alert(1)</script>",
        "claude | `rm -rf` @someone #603 [click](http://evil.example)",
        "claude \0 nul \u{202e}gnp.exe \u{200b} end",
        "",
        "claude --resume 0f3a",
    ];
    let primary = Bins {
        spawned: 124,
        peak: 121,
        clean: 1,
        retained: 121,
        killed_early: 1,
        crashed: 1,
        planned: 1,
        ..Bins::default()
    };
    let helper = Bins {
        spawned: 2,
        peak: 1,
        clean: 2,
        ..Bins::default()
    };
    Report {
        scenario: ScenarioLine {
            name: "603-as-reported".to_owned(),
            seed: 603,
            time_scale: 1.0,
            compress: 1200.0,
        },
        worker: WorkerLine {
            name: "model".to_owned(),
            version: Some("0.1.0".to_owned()),
            cleanup: vec!["none".to_owned()],
        },
        verdict: Verdict::Fail,
        expected: Verdict::Fail,
        expected_findings: Some([(Bin::Retained, 121)].into()),
        as_expected: false,
        reasons: vec![
            "121 retained: primary `claude` after complete: never signalled, stdin still held open by the worker".to_owned(),
        ],
        unexpected: vec![
            "killed_early 1, and none was expected".to_owned(),
            "lost 2, and none was expected".to_owned(),
        ],
        sessions: SessionCounts {
            planned: 122,
            opened: 121,
            ended: 121,
            stalled: 0,
        },
        processes: primary,
        roles: Roles {
            primary,
            helper,
            ..Roles::default()
        },
        work: Work {
            offered: 242,
            answered: 240,
            lost: 2,
            ..Work::default()
        },
        memory: MemoryFigures {
            peak_rss_bytes: 47_198_371_840,
            peak_pss_bytes: Some(508_559_360),
            leaked_rss_bytes: 47_198_371_840,
            leaked_pss_bytes: Some(508_559_360),
            worker_peak_rss_bytes: 14 << 20,
            ballast: true,
        },
        time_to_reap_ms: TimeToReap::default(),
        findings: vec![
            Finding {
                rule: Bin::Retained,
                subject: "primary".to_owned(),
                signature: "retained: primary `claude` after complete: never signalled, stdin still held open by the worker".to_owned(),
                count: 121,
                known: false,
                blames: true,
                sessions: vec!["s1".to_owned(), "s\x1b[31m2<b>".to_owned()],
                processes: hostile
                    .iter()
                    .enumerate()
                    .map(|(place, command)| process(1_927 + place as u32, command))
                    .collect(),
                cause: "never signalled, stdin still held open by the worker".to_owned(),
                evidence: Evidence {
                    expected: "gone and waited for within 1.0 s of its session's end".to_owned(),
                    seen: "alive beyond that for 1.1 s to 18.4 s".to_owned(),
                    events: vec![12, 44, 97],
                },
            },
            Finding {
                rule: Bin::KilledEarly,
                subject: "primary".to_owned(),
                signature: "killed_early: primary `claude` while its session was open: ended by SIGTERM from the worker, with work under way".to_owned(),
                count: 1,
                known: false,
                blames: true,
                sessions: vec!["s9".to_owned()],
                processes: vec![ProcessLine {
                    host_pid: None,
                    pss_bytes: None,
                    ..process(2_100, "claude --verbose")
                }],
                cause: "ended by SIGTERM from the worker, with work under way".to_owned(),
                evidence: Evidence {
                    expected: "left alone while its session was open or work was owed".to_owned(),
                    seen: "it was ended".to_owned(),
                    events: vec![301],
                },
            },
            Finding {
                rule: Bin::Crashed,
                subject: "primary".to_owned(),
                signature: "crashed: primary `claude` while its session was open: ended by itself with work under way, as the scenario told it to".to_owned(),
                count: 1,
                known: false,
                blames: false,
                sessions: vec!["s11".to_owned()],
                processes: vec![process(2_101, "claude --verbose")],
                cause: "ended by itself with work under way, as the scenario told it to".to_owned(),
                evidence: Evidence {
                    expected: "left alone while its session was open or work was owed".to_owned(),
                    seen: "it exited and left work unanswered".to_owned(),
                    events: vec![377],
                },
            },
            Finding {
                rule: Bin::Lost,
                subject: "observation".to_owned(),
                signature: "lost: observation: given to a claude that ended before it answered (session ended by complete)".to_owned(),
                count: 2,
                known: true,
                blames: true,
                sessions: vec!["s9".to_owned()],
                processes: Vec::new(),
                cause: "given to a claude that ended before it answered".to_owned(),
                evidence: Evidence {
                    expected: "answered once, and stored where that can be read back".to_owned(),
                    seen: "first of them lhm-4f2a-9-o1z".to_owned(),
                    events: vec![280, 281],
                },
            },
        ],
        thresholds: vec![Threshold {
            metric: "peak_children".to_owned(),
            limit: 10,
            actual: 121,
            ok: false,
        }],
        forecast: Forecast {
            leaked_per_session: 1.0,
            per_hour: 20.0,
            exhausts_in_s: Some(29_530),
            exhausts_in_s_by_pss: Some(2_741_000),
            words: "1.00 processes leak per session, 20.0 per hour at 20.0 sessions per hour; by RSS that fills 60 GiB in 8 h 12 min; by PSS in 31 d 17 h".to_owned(),
        },
        elapsed_ms: 21_400,
        command: "leak-harness repro 603".to_owned(),
        made: Made {
            runtime: Some("bun 1.3.5".to_owned()),
            settings: [("CLAUDE_CODE_PATH".to_owned(), "{claude}".to_owned())].into(),
            description: "Nobody <b>ends</b> the child @someone".to_owned(),
            issue: Some("thedotmack/claude-mem#603".to_owned()),
            should: Some("A `claude` goes when its session ends,\nas <https://example.org/a_(b)> says.".to_owned()),
            impact: Some("Each holds 372 MiB: [see](http://evil.example).".to_owned()),
            scenario: "#:schema scenario.json\n# Nobody ends it,\n# <b>not</b> even [here](x).\nname = \"603-as-reported\"\n# ```\n".to_owned(),
            ..passing().made
        },
        stories: vec![Story {
            session: "s\x1b[31m2<b>".to_owned(),
            signature: "retained: primary `claude` after complete: never signalled, stdin still held open by the worker".to_owned(),
            moments: [
                (0, "the session opens"),
                (1_204, "the session ends: complete"),
                (4_310, "the grace of all sessions is over: claude 1927 is still there <script> @someone"),
            ]
            .map(|(after_ms, what)| Moment {
                after_ms,
                what: what.to_owned(),
            })
            .to_vec(),
            omitted: 2,
        }],
        ..passing()
    }
}

/// A run that proves nothing.
pub(crate) fn inconclusive() -> Report {
    Report {
        scenario: ScenarioLine {
            name: "slow-summaries".to_owned(),
            ..passing().scenario
        },
        verdict: Verdict::Inconclusive,
        as_expected: false,
        reasons: vec![
            "3 work items still waiting; a longer `[run] drain` would decide it, or `[expect] allow_pending = true`".to_owned(),
            "a witness failed (control socket: \x1b[31mbroken pipe); another run would decide it".to_owned(),
        ],
        unexpected: vec!["the verdict is inconclusive, and pass was expected".to_owned()],
        work: Work {
            offered: 120,
            answered: 117,
            pending: 3,
            ..Work::default()
        },
        findings: vec![Finding {
            rule: Bin::Pending,
            subject: "observation".to_owned(),
            signature: "pending: work went on when the time was over (session ended by complete)".to_owned(),
            count: 3,
            known: false,
            blames: true,
            sessions: vec!["s39".to_owned(), "s40".to_owned()],
            processes: Vec::new(),
            cause: "work went on when the time was over".to_owned(),
            evidence: Evidence {
                expected: "answered once, and stored where that can be read back".to_owned(),
                seen: "first of them lhm-4f2a-39-o1z".to_owned(),
                events: vec![901],
            },
        }],
        isolation: Some(Isolation::default()),
        witnesses: vec![
            WitnessLine {
                witness: Source::Table,
                failed: None,
                off: None,
            },
            WitnessLine {
                witness: Source::Portable,
                failed: None,
                off: Some("nothing checks the process table".to_owned()),
            },
            WitnessLine {
                witness: Source::Control,
                failed: Some("\x1b[31mbroken pipe".to_owned()),
                off: None,
            },
        ],
        ..passing()
    }
}
