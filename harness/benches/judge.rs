//! How fast the judge is, early in a run and after a hundred thousand sessions: what a session costs must not depend on how many were
//! before it.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fake_claude::control::{Role, Say, TurnKind, Why};
use fake_claude::quantity::Span;
use leak_harness::judge::{Expectations, Judge};
use leak_harness::process::ProcessIdentity;
use leak_harness::scenario::End;
use leak_harness::timeline::event::{Event, EventKind, Source};
use leak_harness::units::RunTime;

/// Sessions that are judged in one measurement.
const SESSIONS: u32 = 1_000;
/// The time between two sessions.
const EVERY: u64 = 20;

/// What happens in a clean session with one item.
fn session(number: u32) -> Vec<Event> {
    let at = RunTime::from_millis(1_000 + EVERY * u64::from(number));
    let name = format!("6a3f{:04x}-0b1c-4d2e-8f30-{number:012x}", number % 0xffff);
    let item = format!("lhm-ab12-{number}-o1z");
    let process = ProcessIdentity::new(number + 10, u64::from(number) + 10);
    let kind = TurnKind::Observation;
    let markers = vec![item.clone()];
    let said = |say| (Source::Control, EventKind::Said { process, say });
    let driver = |event| (Source::Driver, event);
    let events = [
        driver(EventKind::SessionOpened {
            session: name.clone(),
        }),
        (
            Source::Control,
            EventKind::ProcessSeen {
                process,
                ppid: 5,
                host_pid: None,
                pgid: process.pid,
                sid: process.pid,
                command: "claude".to_owned(),
                role: None,
            },
        ),
        said(Say::Hello {
            pid: process.pid,
            start_time: process.start_time,
            ppid: 5,
            role: Role::Primary,
            session: None,
            argv: vec!["claude".to_owned()],
            cwd: String::new(),
            stdin: String::new(),
        }),
        said(Say::Serves {
            session: name.clone(),
        }),
        driver(EventKind::WorkOffered {
            session: name.clone(),
            item: item.clone(),
            kind,
        }),
        driver(EventKind::WorkAccepted { item }),
        said(Say::SawWork {
            kind,
            markers: markers.clone(),
        }),
        said(Say::TurnEnded {
            turn: 1,
            kind,
            good: true,
            markers,
        }),
        driver(EventKind::SessionEnded {
            session: name,
            end: End::Complete,
        }),
        said(Say::Goodbye {
            code: Some(0),
            why: Why::Eof,
            owed: 0,
        }),
        (
            Source::Reaper,
            EventKind::ProcessExited {
                process,
                code: Some(0),
                signal: None,
            },
        ),
        (Source::Reaper, EventKind::ProcessGone { process }),
        (
            Source::Table,
            EventKind::Sampled {
                late: Span::ZERO,
                children: 1,
                rss_bytes: 2 << 20,
                worker: None,
                changed: Vec::new(),
            },
        ),
    ];
    let each = events.len() as u64;
    let numbered = events.into_iter().enumerate();
    numbered
        .map(|(place, (source, event))| Event {
            seq: u64::from(number) * each + place as u64,
            at: at + Span::from_millis(place as u64),
            source,
            event,
        })
        .collect()
}

fn judge_after(sessions: u32) -> Judge {
    let mut judge = Judge::new(&Expectations::default());
    for event in (0..sessions).flat_map(session) {
        judge.see(&event);
    }
    judge
}

fn throughput(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge");
    for before in [1_000, 10_000, 100_000] {
        let judge = judge_after(before);
        let events: Vec<Event> = (before..before + SESSIONS).flat_map(session).collect();
        group.throughput(Throughput::Elements(events.len() as u64));
        group.bench_function(format!("events after {before} sessions"), |bench| {
            bench.iter_batched_ref(
                || judge.clone(),
                |judge| {
                    for event in &events {
                        judge.see(black_box(event));
                    }
                },
                BatchSize::LargeInput,
            );
        });
        group.throughput(Throughput::Elements(u64::from(before)));
        group.bench_function(format!("judgement of {before} sessions"), |bench| {
            bench.iter_batched(|| judge.clone(), Judge::finish, BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, throughput);
criterion_main!(benches);
