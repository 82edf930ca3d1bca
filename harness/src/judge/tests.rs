//! What holds for every history, whatever happens in it.

use fake_claude::control::{Role, Say, TurnKind, Why};
use proptest::prelude::*;

use super::check::{in_a_second, judge, judge_events, judge_with};
use super::*;
use crate::process::{ProcessIdentity, ProcessRow, ProcessState};
use crate::report::{Report, RunIdentity, json};
use crate::scenario::End;
use crate::timeline::event::{LoadStop, WorkerResources};
use crate::timeline::notation::events;

mod long_run;

/// The run of the report: a leak in one session, another one that is ended early, a third that is clean.
const MIXED: &str = "
    0s run planned=3 memory; 0s worker 5; 0.1s..8s tick 2 rss 744MiB worker 20MiB; 1s open s1; 1s open s2; 1s open s3
    1s seen 10 parent 5; 1s hello 10 primary; 1s serves 10 s1; 1.1s tick row 10 S 5 372MiB
    1s seen 11 parent 5; 1s hello 11 primary; 1s serves 11 s2; 1s seen 12 parent 5; 1s hello 12 primary; 1s serves 12 s3
    1.2s offer a s2 observation; 1.2s accept a; 1.3s work 11 observation a; 1.5s signal 11 15 from 5 owed 1; 1.5s bye 11 signal owed 1
    1.6s exited 11; 1.6s gone 11; 2s end s1 complete; 2s end s2 complete; 2s end s3 complete; 2s answered s3 40ms
    2.2s bye 12 eof; 2.25s exited 12; 2.3s gone 12; 3.5s examined 10 by 5 pss 4MiB
    6s load; 6s drained quiet; 6.5s grace; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over";

fn report(history: &str) -> String {
    let judgement = judge(history);
    json::render(&Report::new(&RunIdentity::default(), &judgement)).unwrap()
}

#[test]
fn the_same_events_give_the_same_report_byte_for_byte() {
    assert_eq!(report(MIXED), report(MIXED));
}

#[test]
fn a_whole_run_has_its_figures() {
    let judgement = judge(MIXED);
    let bins = judgement.processes;
    assert_eq!(
        (
            bins.spawned,
            bins.clean,
            bins.retained,
            bins.killed_early,
            bins.peak
        ),
        (3, 1, 1, 1, 3)
    );
    assert_eq!((judgement.work.offered, judgement.work.lost), (1, 1));
    let memory = judgement.memory;
    assert_eq!(memory.leaked_rss_bytes, 372 << 20);
    assert_eq!(memory.leaked_pss_bytes, Some(4 << 20));
    assert_eq!(memory.peak_pss_bytes, Some(4 << 20));
    assert_eq!(memory.peak_rss_bytes, 744 << 20);
    assert_eq!(memory.worker_peak_rss_bytes, 20 << 20);
    assert_eq!(
        (judgement.time_to_reap.p50, judgement.time_to_reap.count),
        (250, 1)
    );
    assert_eq!(judgement.end_answer.max, 40);
    assert_eq!(judgement.sessions.ended, 3);
    assert_eq!(judgement.ticks.taken, 81);
    assert!(judgement.forecast.words.contains("0.33 processes"));
    assert_eq!(judgement.unbalanced, None);
}

#[test]
fn what_happened_to_a_clean_process_is_forgotten() {
    let mut text = "0s run; 0s worker 5\n".to_owned();
    for number in 0..2_000_u64 {
        let at = 1_000 + number * 10;
        text += &format!(
            "{at}ms open s{number}; {at}ms seen {0} parent 5; {at}ms hello {0} primary; {at}ms serves {0} s{number}
            {1}ms end s{number} complete; {1}ms bye {0} eof; {1}ms exited {0}; {1}ms gone {0}\n",
            10 + number,
            at + 5
        );
    }
    let mut judge = Judge::new(&Expectations::default());
    let mut most = 0;
    for event in events(&text) {
        judge.see(&event);
        most = most.max(judge.census.lives.len());
    }
    assert!(most < 100, "{most}");
    assert_eq!(judge.finish().processes.clean, 2_000);
}

#[test]
fn leftovers_are_counted_while_they_live() {
    let mut judge = Judge::new(&Expectations {
        graces: [(End::Complete, Span::from_secs(1))].into(),
        ..Expectations::default()
    });
    let mut seen = Vec::new();
    for event in events(MIXED) {
        judge.see(&event);
        seen.push((event.at, judge.leftovers()));
    }
    let at = |millis| {
        let moment = RunTime::from_millis(millis);
        seen.iter().rfind(|(at, _)| *at <= moment).unwrap().1
    };
    assert_eq!((at(2_900), at(4_000), at(9_000)), (0, 1, 1));
    assert_eq!(judge.clone().finish().processes.leaked(), 1);
}

#[test]
fn a_process_that_is_settled_is_not_counted_again() {
    let judgement = judge_with(
        &format!("{MIXED}; 5s lost 12; 5.1s cookie 12; 5.2s gone 12"),
        |_| {},
    );
    assert_eq!(judgement.roles.all().spawned, 3);
}

#[test]
fn a_worker_that_was_seen_before_it_was_named_is_no_child() {
    let judgement =
        judge("0s run; 0s seen 5 parent 1; 0.1s worker 5; 0.2s tick; 1s seen 5 parent 1; 2s over");
    assert_eq!(judgement.roles.all().spawned, 0);
}

fn identity() -> impl Strategy<Value = ProcessIdentity> {
    (5..14_u32, 1..3_u64).prop_map(|(pid, start)| ProcessIdentity::new(pid, start))
}

fn session() -> impl Strategy<Value = String> {
    let named = (0..3_u32).prop_map(|number| format!("s{number}"));
    prop_oneof![named, (0..2_u32).prop_map(driven)]
}

/// The id of a session as the driver chooses it.
fn driven(number: u32) -> String {
    format!("6a3f{number:04x}-0b1c-4d2e-8f30-415263748596")
}

fn item() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..3_u32).prop_map(|number| format!("i{number}")),
        (1..4_u32, 1..4_u32).prop_map(|(session, number)| marker(session, number))
    ]
}

/// The marker of an observation as the driver writes it.
fn marker(session: u32, number: u32) -> String {
    format!("lhm-ab12-{session}-o{number}z")
}

fn kind() -> impl Strategy<Value = TurnKind> {
    prop_oneof![
        Just(TurnKind::Prompt),
        Just(TurnKind::Observation),
        Just(TurnKind::Summary)
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Complete),
        Just(End::Abandon),
        Just(End::Abort),
        Just(End::Disconnect)
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        Just(Role::Primary),
        Just(Role::Payload),
        Just(Role::Grandchild),
        Just(Role::Helper),
        Just(Role::Probe)
    ]
}

fn why() -> impl Strategy<Value = Why> {
    prop_oneof![
        Just(Why::Eof),
        Just(Why::Signal),
        Just(Why::Planned),
        Just(Why::Refused),
        Just(Why::Done),
        Just(Why::Idle)
    ]
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        Just(Source::Table),
        Just(Source::Portable),
        Just(Source::Control),
        Just(Source::Reaper)
    ]
}

fn say() -> impl Strategy<Value = Say> {
    let markers = || prop::collection::vec(item(), 0..3);
    prop_oneof![
        (0..14_u32, role(), prop::option::of(session())).prop_map(|(ppid, role, session)| {
            Say::Hello {
                pid: 0,
                start_time: 0,
                ppid,
                role,
                session,
                argv: vec!["claude".to_owned()],
                cwd: String::new(),
                stdin: String::new(),
            }
        }),
        session().prop_map(|session| Say::Serves { session }),
        (kind(), markers()).prop_map(|(kind, markers)| Say::SawWork { kind, markers }),
        (0..4_u32, kind(), any::<bool>(), markers()).prop_map(|(turn, kind, good, markers)| {
            Say::TurnEnded {
                turn,
                kind,
                good,
                markers,
            }
        }),
        (0..3_u32).prop_map(|owed| Say::SawEof { owed }),
        (1..16_i32, 0..14_u32, any::<bool>()).prop_map(|(signal, sender, ignored)| {
            Say::SawSignal {
                signal,
                sender,
                ignored,
                owed: 0,
            }
        }),
        (
            prop_oneof![Just("die"), Just("hang"), Just("leave")],
            prop::option::of(0..14_u32)
        )
            .prop_map(|(what, pid)| Say::Did {
                what: what.to_owned(),
                pid,
            }),
        (why(), 0..3_u32).prop_map(|(why, owed)| Say::Goodbye {
            code: None,
            why,
            owed,
        }),
    ]
}

fn row() -> impl Strategy<Value = ProcessRow> {
    let state = prop_oneof![Just(ProcessState::Sleeping), Just(ProcessState::Zombie)];
    (identity(), 0..14_u32, state, any::<u64>()).prop_map(|(process, ppid, state, rss_bytes)| {
        ProcessRow {
            process,
            ppid,
            state,
            rss_bytes,
        }
    })
}

fn of_processes() -> impl Strategy<Value = EventKind> {
    let status = || (prop::option::of(0..3_i32), prop::option::of(1..16_i32));
    prop_oneof![
        (
            identity(),
            0..14_u32,
            any::<u32>(),
            prop::option::of(role())
        )
            .prop_map(|(process, ppid, sid, role)| EventKind::ProcessSeen {
                process,
                ppid,
                host_pid: None,
                pgid: sid,
                sid,
                command: "claude".to_owned(),
                role,
            }),
        (
            any::<u64>(),
            any::<u32>(),
            any::<u64>(),
            prop::collection::vec(row(), 0..3)
        )
            .prop_map(|(late, children, rss, changed)| EventKind::Sampled {
                late: Span::from_nanos(late),
                children,
                rss_bytes: rss,
                worker: Some(WorkerResources {
                    rss_bytes: rss,
                    files: Some(children),
                    pipes: None,
                    threads: None,
                }),
                changed,
            }),
        Just(EventKind::SampleMissed {
            reason: String::new()
        }),
        identity().prop_map(|process| EventKind::ProcessGone { process }),
        (identity(), status()).prop_map(|(process, (code, signal))| EventKind::ProcessExited {
            process,
            code,
            signal,
        }),
        (identity(), status()).prop_map(|(process, (code, signal))| EventKind::ProcessReaped {
            process,
            code,
            signal,
        }),
        (identity(), say()).prop_map(|(process, say)| EventKind::Said { process, say }),
        identity().prop_map(|process| EventKind::LifelineLost { process }),
        (
            identity(),
            prop::option::of(any::<u64>()),
            prop::collection::vec(identity(), 0..3),
            any::<bool>()
        )
            .prop_map(|(process, pss_bytes, stdin_holders, holders_known)| {
                EventKind::Examined {
                    process,
                    pss_bytes,
                    stdin_holders,
                    holders_known,
                }
            }),
        (identity(), 1..16_i32)
            .prop_map(|(process, signal)| EventKind::HarnessSignalled { process, signal }),
        identity().prop_map(|process| EventKind::CookieFound { process }),
    ]
}

fn of_the_run() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        identity().prop_map(|process| EventKind::WorkerStarted { process }),
        Just(EventKind::WorkerStopAsked),
        (identity(), any::<bool>()).prop_map(|(process, asked)| EventKind::WorkerExited {
            process,
            code: None,
            signal: None,
            asked,
        }),
        session().prop_map(|session| EventKind::SessionOpened { session }),
        (session(), end()).prop_map(|(session, end)| EventKind::SessionEnded { session, end }),
        session().prop_map(|session| EventKind::PromptEnded { session }),
        session().prop_map(|session| EventKind::PromptBegun { session }),
        session().prop_map(|session| EventKind::SessionStalled {
            session,
            waiting_for: String::new(),
        }),
        (session(), item(), kind()).prop_map(|(session, item, kind)| EventKind::WorkOffered {
            session,
            item,
            kind,
        }),
        item().prop_map(|item| EventKind::WorkAccepted { item }),
        item().prop_map(|item| EventKind::WorkAborted { item }),
        item().prop_map(|item| EventKind::WorkKept { item }),
        (item(), any::<u32>()).prop_map(|(item, times)| EventKind::WorkStored { item, times }),
        (kind(), any::<bool>()).prop_map(|(kind, complete)| EventKind::StoreRead {
            kinds: vec![kind],
            complete,
        }),
        Just(EventKind::LoadFinished),
        Just(EventKind::LoadStopped {
            why: LoadStop::Disk { bytes: 1_000 }
        }),
        any::<bool>().prop_map(|quiet| EventKind::Drained { quiet }),
        any::<bool>().prop_map(|quiet| EventKind::LookedAgain { quiet }),
        source().prop_map(|witness| EventKind::WitnessFailed {
            witness,
            reason: String::new(),
        }),
        Just(EventKind::GracePassed),
        Just(EventKind::ResiduePassed),
        Just(EventKind::Interrupted),
        Just(EventKind::RunEnded),
    ]
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    let moment = prop_oneof![20 => 0..12_000_u64, 1 => Just(u64::MAX / 2_000_000)];
    let event = (
        moment,
        source(),
        prop_oneof![2 => of_processes(), 1 => of_the_run()],
    );
    prop::collection::vec(event, 0..150).prop_map(|events| {
        let mut events: Vec<Event> = events
            .into_iter()
            .map(|(at, source, event)| Event {
                seq: 0,
                at: RunTime::from_millis(at),
                source,
                event,
            })
            .collect();
        // Mostly in order, as a recorder writes them, with the odd late one.
        events.sort_by_key(|event| event.at.0 / 700_000_000);
        for (seq, event) in events.iter_mut().enumerate() {
            event.seq = seq as u64;
        }
        events
    })
}

#[test]
fn a_tick_is_late_by_a_whole_one() {
    let ticks =
        judge("0s run; 1s tick; 2s tick late 99ms; 3s tick late 100ms; 4s tick late 1s; 5s over")
            .ticks;
    assert_eq!((ticks.taken, ticks.late), (4, 2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_whatever_happens(events in history()) {
        let fold = || judge_events(&in_a_second(), events.iter().cloned());
        let judgement = fold();
        prop_assert_eq!(&judgement.unbalanced, &None);
        prop_assert_eq!(judgement.processes.sum(), judgement.processes.spawned);
        prop_assert_eq!(judgement.work.sum(), judgement.work.offered);
        prop_assert!(judgement.findings.iter().all(|finding| finding.processes.len() <= 50));
        prop_assert_eq!(&fold(), &judgement);
        let report = Report::new(&RunIdentity::default(), &judgement);
        let text = json::render(&report).unwrap();
        prop_assert_eq!(json::parse(&text).unwrap(), report);
    }

    #[test]
    fn lanes_change_no_judgement_and_every_process_is_in_one(events in history()) {
        let fold = |judge: Judge| {
            let mut judge = judge;
            events.iter().for_each(|event| judge.see(event));
            judge.finish()
        };
        let plain = fold(Judge::new(&in_a_second()));
        let mut drawn = fold(Judge::new(&in_a_second()).keeping_lanes());
        prop_assert_eq!(&fold(Judge::new(&in_a_second()).keeping_lanes()), &drawn);
        let lanes = std::mem::take(&mut drawn.lanes);
        prop_assert_eq!(&plain, &drawn);
        let bars = lanes.sessions.iter().flat_map(|lane| &lane.bars).chain(&lanes.others);
        let mut bins = Roles::default();
        bars.for_each(|bar| bins.of_mut(bar.role).put(bar.fate));
        prop_assert_eq!(lanes.bars_omitted, 0);
        for ((role, bins), (_, counted)) in bins.named().into_iter().zip(drawn.roles.named()) {
            prop_assert_eq!(Bins { peak: counted.peak, ..bins }, counted, "{}", role);
        }
        let opened = lanes.sessions.iter().filter(|lane| lane.opened_ms.is_some());
        prop_assert_eq!(opened.count(), drawn.sessions.opened as usize);
        let stalled = lanes.sessions.iter().filter(|lane| lane.stalled);
        prop_assert_eq!(stalled.count(), drawn.sessions.stalled as usize);
    }

    #[test]
    fn live_leftovers_are_never_more_than_all(events in history()) {
        let mut judge = Judge::new(&in_a_second());
        for event in events {
            judge.see(&event);
            prop_assert!(judge.census.standing.over.all() <= judge.leftovers());
        }
        judge.census.finish(&mut judge.facts, &mut judge.items);
        prop_assert_eq!(judge.census.standing.over, Over::default());
        prop_assert_eq!(judge.census.standing.pss_bytes.unwrap_or(0), 0);
    }
}
