//! A run of many sessions: what it takes, and what a late word about one that is long over comes to.

use fake_claude::control::{Role, Say, TurnKind, Why};
use fake_claude::quantity::Span;

use super::{driven, marker};
use crate::judge::Judge;
use crate::judge::check::in_a_second;
use crate::process::ProcessIdentity;
use crate::scenario::{Bin, End, Verdict};
use crate::timeline::event::{Event, EventKind, Source};
use crate::timeline::notation::events;
use crate::units::RunTime;

/// What happens in a clean session with two items that begins at a moment; its claude has the session's number as its pid.
fn clean_session(number: u32, at: RunTime) -> Vec<Event> {
    let name = driven(number);
    let process = ProcessIdentity::new(number + 10, u64::from(number) + 10);
    let millis = |millis| at + Span::from_millis(millis);
    let said = |at: u64, say: Say| {
        (
            millis(at),
            Source::Control,
            EventKind::Said { process, say },
        )
    };
    let driver = |at: u64, event: EventKind| (millis(at), Source::Driver, event);
    let seen = EventKind::ProcessSeen {
        process,
        ppid: 5,
        host_pid: None,
        pgid: process.pid,
        sid: process.pid,
        command: "claude".to_owned(),
        role: None,
    };
    let hello = Say::Hello {
        pid: process.pid,
        start_time: process.start_time,
        ppid: 5,
        role: Role::Primary,
        session: None,
        argv: vec!["claude".to_owned()],
        cwd: String::new(),
        stdin: String::new(),
    };
    let mut events = vec![
        driver(
            0,
            EventKind::SessionOpened {
                session: name.clone(),
            },
        ),
        (millis(1), Source::Control, seen),
        said(1, hello),
        said(
            2,
            Say::Serves {
                session: name.clone(),
            },
        ),
    ];
    let kind = TurnKind::Observation;
    for turn in 1..=2 {
        let item = marker(number, turn);
        let markers = vec![item.clone()];
        let session = name.clone();
        events.extend([
            driver(
                3,
                EventKind::WorkOffered {
                    session,
                    item: item.clone(),
                    kind,
                },
            ),
            driver(3, EventKind::WorkAccepted { item }),
            said(
                4,
                Say::SawWork {
                    kind,
                    markers: markers.clone(),
                },
            ),
            said(
                5,
                Say::TurnEnded {
                    turn,
                    kind,
                    good: true,
                    markers,
                },
            ),
        ]);
    }
    let (code, signal) = (Some(0), None);
    events.extend([
        driver(
            6,
            EventKind::SessionEnded {
                session: name,
                end: End::Complete,
            },
        ),
        said(
            7,
            Say::Goodbye {
                code: Some(0),
                why: Why::Eof,
                owed: 0,
            },
        ),
        (
            millis(8),
            Source::Reaper,
            EventKind::ProcessExited {
                process,
                code,
                signal,
            },
        ),
        (
            millis(8),
            Source::Reaper,
            EventKind::ProcessGone { process },
        ),
    ]);
    let numbered = events.into_iter();
    numbered
        .map(|(at, source, event)| Event {
            seq: 0,
            at,
            source,
            event,
        })
        .collect()
}

/// A judge that sees so many clean sessions, one each 20 ms.
struct LongRun {
    judge: Judge,
    seq: u64,
}

impl LongRun {
    fn new(judge: Judge) -> Self {
        let mut run = Self { judge, seq: 0 };
        for event in events("0s run; 0s worker 5; 0.1s ready") {
            run.see(event);
        }
        run
    }

    fn see(&mut self, event: Event) {
        self.judge.see(&Event {
            seq: self.seq,
            ..event
        });
        self.seq += 1;
    }

    /// What the driver says when all is over.
    fn driver(&mut self, event: EventKind) {
        self.see(Event {
            seq: 0,
            at: RunTime::from_millis(1_100_000),
            source: Source::Driver,
            event,
        });
    }

    fn sessions(&mut self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let at = RunTime::from_millis(1_000 + 20 * u64::from(number));
            for event in clean_session(number, at) {
                self.see(event);
            }
        }
    }
}

#[test]
fn a_long_run_takes_no_more_entries_than_a_short_one_and_a_few_bytes_for_each_session() {
    let mut run = LongRun::new(Judge::new(&in_a_second()));
    run.sessions(0..10_000);
    let (entries, bytes) = run.judge.size();
    run.sessions(10_000..50_000);
    let (later, more) = run.judge.size();
    // Processes that are settled are remembered up to a bound that ten thousand have reached.
    assert!(
        later <= entries + entries / 50,
        "{entries} entries, then {later}"
    );
    let each = (more - bytes) as f64 / 40_000.0;
    assert!(each < 64.0, "{each:.1} bytes for each session");
    for look in [
        "what was stored is noted where it lies",
        "and is not noted again",
    ] {
        for number in 0..50_000 {
            for item in 1..=2 {
                let item = marker(number, item);
                run.driver(EventKind::WorkStored { item, times: 1 });
            }
        }
        assert!(run.judge.size().0 <= later, "{look}");
        run.driver(EventKind::LookedAgain { quiet: true });
    }
    let judgement = run.judge.finish();
    assert_eq!(judgement.processes.clean, 50_000);
    assert_eq!(
        (judgement.work.offered, judgement.work.answered),
        (100_000, 100_000)
    );
}

/// Words about sessions and items long after anybody asked for them.
fn late_words(at: &str) -> Vec<Event> {
    let (second, third, fourth) = (driven(2), driven(3), driven(4));
    let words = [
        // A second answer, by another claude and by the same one.
        format!("{at} done 9000 7 observation {}", marker(1, 1)),
        format!("{at} done 11 2 observation {}", marker(1, 2)),
        format!("{at} done 12 3 observation {}", marker(2, 1)),
        // A claude that serves a session that is over, and stays.
        format!("{at} seen 9001 parent 5; {at} hello 9001 primary; {at} serves 9001 {second}"),
        // Two at once for one that had one long ago.
        format!("{at} seen 9002 parent 5; {at} hello 9002 primary; {at} serves 9002 {third}"),
        format!("{at} seen 9003 parent 5; {at} hello 9003 primary; {at} serves 9003 {third}"),
        // One that ends a second time, and work that comes after the end.
        format!(
            "{at} end {fourth} abort; {at} offer {} {fourth} observation",
            marker(4, 3)
        ),
        format!("{at} work 9003 observation {}", marker(3, 1)),
        // What was stored: twice, once, and all others not at all.
        format!("{at} kept {}; {at} stored {} 2", marker(6, 1), marker(7, 1)),
        format!(
            "{at} stored {} 1; {at} store observation complete",
            marker(8, 1)
        ),
    ];
    events(&words.join("\n"))
}

#[test]
fn a_late_word_about_what_was_put_away_is_judged_as_one_that_comes_in_time() {
    // So many that nothing of the first ones is kept but what was put away.
    const SESSIONS: u32 = 1_500;
    let judged = |judge: Judge, words: bool| {
        let mut run = LongRun::new(judge);
        run.sessions(1..SESSIONS);
        if words {
            late_words("60s").into_iter().for_each(|word| run.see(word));
        }
        let rest = "64s tick; 65s tick; 70s load; 70s drained quiet; 75s tick; 76s grace; 77s stop; 77.1s worker-exit 5; 79s residue; 80s over";
        events(rest).into_iter().for_each(|event| run.see(event));
        run.judge.finish()
    };
    let new = || Judge::new(&in_a_second());
    let never = || Judge {
        quiet: Span::from_secs(1_000_000),
        ..new()
    };
    assert_eq!(judged(new(), false), judged(never(), false));
    assert_eq!(judged(new(), false).verdict, Verdict::Pass);
    let kept = judged(never(), true);
    assert_eq!(judged(new(), true), kept);
    assert_eq!(judged(new().tidy(), true), kept);
    let found = |rule| kept.found.get(&rule).copied().unwrap_or_default();
    assert_eq!(found(Bin::Retained), 3);
    assert_eq!(found(Bin::Twin), 1);
    // The second answers, and what was stored twice.
    assert_eq!(found(Bin::Duplicated), 4);
    // All but these, one that is stored once, one that is kept, and the one that nobody accepted.
    assert_eq!(found(Bin::Lost), 2 * (SESSIONS - 1) - 6);
    assert_eq!(found(Bin::Pending), 1);
}
