//! Reports and lanes that no run of a few seconds makes: thousands of sessions, and texts that want to be more than text.

use fake_claude::control::Role;
use leak_harness::judge::books::Fate;
use leak_harness::judge::finding::{Evidence, Finding, ProcessLine};
use leak_harness::judge::lanes::{Bar, Lane, Lanes, Mark};
use leak_harness::judge::{Expectations, Judge, Over, POINTS, Point};
use leak_harness::process::ProcessIdentity;
use leak_harness::report::{Report, RunIdentity};
use leak_harness::scenario::{Bin, End, Scenario, Verdict};

/// What a process or a session may be called by somebody who wants more than a name.
pub const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "\"><svg onload=alert(3)>'",
    "{{7*7}} ${alert(4)} `alert(5)` <!--",
    "tab\there \x1b[2J nul\0 del\x7f \u{202e}txt.exe\u{2028}line \u{fffd}",
    "&lt;b&gt; &amp; javascript:alert(6)",
];

/// A report with a course and findings, of a scenario of this name.
fn report(name: &str, sessions: u32, leaked: u32, hostile: bool) -> Report {
    let text = include_str!("../../../scenarios/smoke/leak.toml");
    let scenario = Scenario::parse("sample", text).expect("it is a scenario");
    let judgement = Judge::new(&Expectations::of(&scenario)).finish();
    let mut report = Report::new(
        &RunIdentity {
            scenario: name.to_owned(),
            seed: 603,
            time_scale: 1.0,
            compress: 1.0,
            worker: name.to_owned(),
            command: format!("leak-harness run '{name}'"),
            ..RunIdentity::default()
        },
        judgement,
    );
    report.verdict = Verdict::Fail;
    report.as_expected = true;
    report.unexpected = Vec::new();
    report.reasons = vec![format!(
        "{leaked} retained: primary `claude` after complete"
    )];
    report.sessions.planned = sessions;
    report.sessions.opened = sessions;
    report.sessions.ended = sessions;
    report.processes.spawned = 2 * sessions;
    report.processes.clean = 2 * sessions - leaked;
    report.processes.retained = leaked;
    report.elapsed_ms = END_MS;
    report.series = (0..POINTS as u64)
        .map(|place| Point {
            t_ms: place * END_MS / POINTS as u64,
            children: 16 + (place % 9) as u32,
            rss_bytes: (300 << 20) + (place << 16),
            worker_rss_bytes: Some((90 << 20) + (place << 12)),
            sessions: 8,
            over: Over {
                retained: (u64::from(leaked) * place / POINTS as u64) as u32,
                ..Over::default()
            },
            ..Point::default()
        })
        .collect();
    let texts: &[&str] = if hostile {
        &HOSTILE
    } else {
        &["claude --verbose"]
    };
    report.findings = (0..20)
        .map(|number: u32| Finding {
            rule: Bin::Retained,
            subject: "primary".to_owned(),
            signature: format!(
                "retained: {number} {}",
                texts[number as usize % texts.len()]
            ),
            count: leaked,
            known: false,
            blames: true,
            sessions: texts.iter().map(|&text| text.to_owned()).collect(),
            processes: (0..50)
                .map(|place: u32| ProcessLine {
                    pid: 100 + place,
                    host_pid: Some(40_100 + place),
                    ppid: 5,
                    start_time: 90_000,
                    rss_bytes: 372 << 20,
                    pss_bytes: None,
                    age_ms: 20_000,
                    command: texts[place as usize % texts.len()].to_owned(),
                    session: Some(texts[place as usize % texts.len()].to_owned()),
                })
                .collect(),
            cause: texts[0].to_owned(),
            evidence: Evidence {
                expected: "gone".to_owned(),
                seen: texts[0].to_owned(),
                events: vec![1, 2, 3],
            },
        })
        .collect();
    report
}

/// How long the sampled runs are.
const END_MS: u64 = 1_200_000;

fn process(pid: u32, fate: Fate, first_ms: u64, ended_ms: u64, command: String) -> Bar {
    let leaks = fate.is_leak();
    Bar {
        process: ProcessIdentity::new(pid, 90_000 + u64::from(pid)),
        host_pid: Some(pid + 1_000_000),
        role: Role::Primary,
        fate,
        first_ms,
        died_ms: (!leaks).then_some(ended_ms + 140),
        gone_ms: (!leaks).then_some(ended_ms + 142),
        due_ms: leaks.then_some(ended_ms + 1_000),
        eof_ms: (!leaks).then_some(ended_ms + 12),
        marks: Vec::new(),
        marks_omitted: 0,
        rss_bytes: 372 << 20,
        command,
    }
}

/// So many sessions of two processes each, of which every five hundredth leaks both. Every command line is one of its own.
pub fn many(sessions: u32) -> (Report, Lanes) {
    let span = END_MS - 20_000;
    let mut leaked = 0;
    let lanes = (0..sessions)
        .map(|number| {
            let opened = span * u64::from(number) / u64::from(sessions);
            let ended = opened + 9_000;
            let fate = if number % 500 == 250 {
                leaked += 2;
                Fate::Retained
            } else {
                Fate::Clean
            };
            let id = format!("{:08x}-4f2a-4b11-9c3e-{number:012}", number.wrapping_mul(2_654_435_761));
            let claude = format!(
                "claude --output-format stream-json --verbose --input-format stream-json --model claude-sonnet-4-5 --disallowedTools Bash,Read,Write --resume {id} --mcp-config /tmp/{number}.json"
            );
            let mut first = process(20 + 2 * number, fate, opened + 40, ended, claude);
            first.marks = vec![Mark {
                at_ms: ended + 100,
                signal: 15,
                sender: Some(5),
                ours: false,
                ignored: fate.is_leak(),
            }];
            let second = process(
                21 + 2 * number,
                fate,
                opened + 90,
                ended,
                format!("npx -y @modelcontextprotocol/server-memory --session {id}"),
            );
            Lane {
                session: id,
                opened_ms: Some(opened),
                ended: Some((ended, End::Complete)),
                stalled: false,
                bars: vec![first, second],
            }
        })
        .collect();
    let lanes = Lanes {
        sessions: lanes,
        workers: vec![(0, Some(END_MS - 1_000))],
        stop_ms: Some(END_MS - 5_000),
        ..Lanes::default()
    };
    (report("many-sessions", sessions, leaked, false), lanes)
}

/// Sessions and processes with hostile names, and all bins.
pub fn hostile() -> (Report, Lanes) {
    let fates = [
        Fate::Retained,
        Fate::KilledEarly,
        Fate::Zombie,
        Fate::Undecided,
        Fate::Reparented,
        Fate::Survivor,
    ];
    let sessions = HOSTILE
        .iter()
        .zip(fates)
        .zip(0_u32..)
        .map(|((name, fate), number)| {
            let opened = u64::from(number) * 90_000;
            let mut bar = process(
                30 + number,
                fate,
                opened + 1_000,
                opened + 200_000,
                format!("claude {name}"),
            );
            bar.marks = vec![Mark {
                at_ms: opened + 150_000,
                signal: 40 + number as i32,
                sender: [None, Some(0), Some(5)][number as usize % 3],
                ours: number == 4,
                ignored: number % 2 == 0,
            }];
            Lane {
                session: (*name).to_owned(),
                opened_ms: Some(opened),
                ended: Some((opened + 200_000, End::Abandon)),
                stalled: number == 5,
                bars: vec![bar],
            }
        })
        .collect();
    let others = HOSTILE
        .iter()
        .zip(0_u32..)
        .map(|(name, number)| Bar {
            role: Role::Probe,
            ..process(
                90 + number,
                Fate::Clean,
                u64::from(number) * 10_000,
                u64::from(number) * 10_000 + 5_000,
                (*name).to_owned(),
            )
        })
        .collect();
    let lanes = Lanes {
        sessions,
        others,
        workers: vec![(0, Some(600_000)), (620_000, None)],
        stop_ms: Some(END_MS - 5_000),
        sessions_omitted: 3,
        bars_omitted: 7,
    };
    (report(HOSTILE[0], 6, 4, true), lanes)
}
