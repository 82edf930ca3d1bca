//! Every behaviour can be observed from outside, and says that it was carried out.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use fake_claude::behaviour::{
    Behaviour, Death, DeathSignal, Garble, Hang, Ignore, Leave, Mistaken, Reply,
};
use fake_claude::control::{Role, Say, Why};
use fake_claude::quantity::{Size, Span};
use serde_json::{Value, json};

use crate::support::{
    Fake, Harness, Place, STREAMING, eventually, is_in_process_table, kind_of, kinds, quick,
    request, signal_process, user,
};

struct Run {
    harness: Harness,
    fake: Fake,
    place: Place,
}

fn run(behaviour: Behaviour) -> Run {
    run_with(behaviour, &[])
}

fn run_with(behaviour: Behaviour, options: &[&str]) -> Run {
    run_only(behaviour, &[&STREAMING, options].concat())
}

fn run_only(behaviour: Behaviour, arguments: &[&str]) -> Run {
    let place = Place::new();
    let harness = place.harness(behaviour);
    let fake = Fake::start(&mut place.command(arguments));
    Run {
        harness,
        fake,
        place,
    }
}

impl Run {
    /// Waits until it says that it did this, and tells the pid that it names.
    fn did(&mut self, what: &str) -> Option<u32> {
        self.harness.expect(what, |_, say| match say {
            Say::Did { what: it, pid } if it == what => Some(*pid),
            _ => None,
        })
    }

    /// Waits for the hello of a process, and tells its connection, pid and session.
    fn hello_of(&mut self, role: Role, pid: u32) -> (usize, Option<String>) {
        self.harness.expect("a hello", |number, say| match say {
            Say::Hello {
                pid: it,
                role: its,
                session,
                ..
            } if *it == pid && *its == role => Some((number, session.clone())),
            _ => None,
        })
    }

    fn saw_ignored(&mut self, signal: i32) {
        self.harness.expect("a signal", |_, say| {
            matches!(say, Say::SawSignal { signal: it, ignored: true, .. } if *it == signal)
                .then_some(())
        });
    }

    fn goodbye(&mut self) -> Say {
        self.harness.expect_all_ended().pop().expect("last words")
    }
}

#[test]
fn signals_can_be_ignored_one_by_one() {
    for (ignore, signal) in [
        (Ignore::Sigterm, libc::SIGTERM),
        (Ignore::Sigint, libc::SIGINT),
        (Ignore::Sighup, libc::SIGHUP),
    ] {
        let mut run = run(Behaviour {
            ignore: vec![ignore],
            ..quick()
        });
        run.fake.ask("one");
        run.fake.read_to("system/init");
        run.fake.signal(signal);
        run.saw_ignored(signal);
        run.fake.read_to("result/success");
        run.fake.ask("two");
        run.fake.read_to("result/success");
        run.fake.close_stdin();
        assert_eq!(run.fake.exit_code(), 0);
    }
}

#[test]
fn eof_can_be_ignored() {
    let mut run = run(Behaviour {
        ignore: vec![Ignore::Eof],
        ..quick()
    });
    run.fake.ask("one");
    run.fake.close_stdin();
    run.fake.read_to("result/success");
    run.harness.expect("the turn's end", |_, say| {
        matches!(say, Say::TurnEnded { .. }).then_some(())
    });
    run.fake.signal(libc::SIGTERM);
    assert_eq!(run.fake.exit_code(), 143);
}

#[test]
fn a_hang_lets_only_signals_through() {
    for (hang, word, shown) in [
        (Hang::BeforeInit, "before-init", &[] as &[&str]),
        (Hang::MidTurn, "mid-turn", &["system/init"]),
        (
            Hang::AfterResult,
            "after-result",
            &["system/init", "assistant", "result/success"],
        ),
    ] {
        let mut run = run(Behaviour {
            hang: Some(hang),
            ..quick()
        });
        run.fake.ask("one");
        run.did(&format!("hang = {word}"));
        run.fake.ask("two");
        run.fake.close_stdin();
        run.fake.signal(libc::SIGTERM);
        assert_eq!(run.fake.exit_code(), 143);
        assert_eq!(kinds(&run.fake.rest()), shown, "{word}");
        let owed = u32::from(hang != Hang::AfterResult);
        let goodbye = Say::Goodbye {
            code: Some(143),
            why: Why::Signal,
            owed,
        };
        assert_eq!(run.goodbye(), goodbye);
    }
}

#[test]
fn it_can_die_in_mid_turn() {
    for (death, code, signal, word) in [
        (Death::Code(7), Some(7), None, "code 7"),
        (
            Death::Signal(DeathSignal::Sigkill),
            None,
            Some(9),
            "SIGKILL",
        ),
        (
            Death::Signal(DeathSignal::Sigabrt),
            None,
            Some(6),
            "SIGABRT",
        ),
        (
            Death::Signal(DeathSignal::Sigsegv),
            None,
            Some(11),
            "SIGSEGV",
        ),
    ] {
        let mut run = run(Behaviour {
            die: Some(death),
            at_turn: 2,
            ..quick()
        });
        run.fake.ask("one");
        run.fake.ask("two");
        let status = run.fake.wait();
        assert_eq!((status.code(), status.signal()), (code, signal));
        let turn = ["system/init", "assistant", "result/success", "system/init"];
        assert_eq!(kinds(&run.fake.rest()), turn);
        run.did(&format!("die = {word}"));
        let goodbye = Say::Goodbye {
            code,
            why: Why::Planned,
            owed: 1,
        };
        assert_eq!(run.goodbye(), goodbye);
    }
}

#[test]
fn what_it_leaves_behind_outlives_it() {
    for (leave, word) in [
        (Leave::Group, "group"),
        (Leave::OwnGroup, "own-group"),
        (Leave::Session, "session"),
        (Leave::Daemon, "daemon"),
    ] {
        let mut run = run(Behaviour {
            leave: Some(leave),
            ..quick()
        });
        run.fake.tell(user("session-1", "one"));
        run.fake.read_to("result/success");
        let pid = run.did(&format!("leave = {word}")).expect("a pid");
        let (number, session) = run.hello_of(Role::Grandchild, pid);
        assert_eq!(session.as_deref(), Some("session-1"));
        #[cfg(target_os = "linux")]
        check_kinship(leave, run.fake.pid(), pid);
        run.fake.close_stdin();
        // The child holds none of its parent's stdio, or this would not come to an end.
        run.fake.rest();
        assert_eq!(run.fake.exit_code(), 0);
        // It is still there, and hears; its own connection says so.
        signal_process(pid, libc::SIGHUP);
        run.saw_ignored(libc::SIGHUP);
        signal_process(pid, libc::SIGTERM);
        run.harness.expect_end(number);
        run.harness.expect("its goodbye", |from, say| {
            (from == number
                && matches!(
                    say,
                    Say::Goodbye {
                        code: Some(143),
                        ..
                    }
                ))
            .then_some(())
        });
    }
}

#[cfg(target_os = "linux")]
fn check_kinship(leave: Leave, parent: u32, child: u32) {
    let stat = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("alive");
        let fields: Vec<u32> = stat
            .rsplit(')')
            .next()
            .into_iter()
            .flat_map(|rest| rest.split_whitespace().skip(1).take(3))
            .filter_map(|field| field.parse().ok())
            .collect();
        let &[parent, group, session] = fields.as_slice() else {
            panic!("three numbers, not {fields:?}")
        };
        (parent, group, session)
    };
    let (_, group, session) = stat(parent);
    let (its_parent, its_group, its_session) = stat(child);
    match leave {
        Leave::Group => assert_eq!(
            (its_parent, its_group, its_session),
            (parent, group, session)
        ),
        Leave::OwnGroup => assert_eq!(
            (its_parent, its_group, its_session),
            (parent, child, session)
        ),
        Leave::Session => assert_eq!((its_parent, its_group, its_session), (parent, child, child)),
        Leave::Zombie => unreachable!("it has ended"),
        Leave::Daemon => {
            assert_ne!(its_parent, parent);
            assert_ne!(its_session, session);
            assert_ne!(
                its_session, child,
                "a daemon leads no session, so that it gets no terminal"
            );
        }
    }
    for fd in 0..3 {
        let link = fs::read_link(format!("/proc/{child}/fd/{fd}")).expect("open");
        assert_eq!(link.to_string_lossy(), "/dev/null");
    }
    // The real program's name, and nothing of its arguments.
    let command = fs::read_to_string(format!("/proc/{child}/cmdline")).expect("alive");
    assert!(
        command.ends_with("/claude\0") && command.matches('\0').count() == 1,
        "{command:?}"
    );
}

#[test]
fn a_zombie_is_left_unwaited_for_while_turns_go_on() {
    let mut run = run(Behaviour {
        leave: Some(Leave::Zombie),
        ..quick()
    });
    run.fake.tell(user("session-1", "one"));
    run.fake.read_to("result/success");
    let pid = run.did("leave = zombie").expect("a pid");
    let (number, session) = run.hello_of(Role::Grandchild, pid);
    assert_eq!(session.as_deref(), Some("session-1"));
    run.harness.expect_end(number);
    // Its parent has heard of its end by the next turn, and leaves it where it is.
    run.fake.tell(user("session-1", "two"));
    run.fake.read_to("result/success");
    assert!(is_in_process_table(pid));
    run.fake.close_stdin();
    assert_eq!(run.fake.exit_code(), 0);
}

#[test]
fn a_short_question_can_hang_until_a_signal() {
    let mut run = run_only(
        Behaviour {
            hang: Some(Hang::Probe),
            ..quick()
        },
        &["--version"],
    );
    run.did("hang = probe");
    run.fake.signal(libc::SIGTERM);
    assert_eq!(run.fake.rest(), [] as [Value; 0]);
    assert_eq!(run.fake.exit_code(), 143);
}

#[test]
fn a_conversation_does_not_hang_where_a_question_does() {
    let mut run = run(Behaviour {
        hang: Some(Hang::Probe),
        ..quick()
    });
    run.fake.tell(user("session-1", "one"));
    run.fake.read_to("result/success");
    run.fake.close_stdin();
    assert_eq!(run.fake.exit_code(), 0);
}

#[test]
fn a_helper_stays_until_it_is_ended_or_ends_at_once() {
    let mut run = run_only(quick(), &["mcp", "serve"]);
    let pid = run.fake.pid();
    run.hello_of(Role::Helper, pid);
    // The end of its stdin is nothing to it.
    run.fake.close_stdin();
    run.fake.signal(libc::SIGTERM);
    run.harness.expect("the signal", |_, say| {
        matches!(say, Say::SawSignal { ignored: false, .. }).then_some(())
    });
    assert_eq!(run.fake.exit_code(), 143);

    let mut run = run_only(quick(), &["mcp", "list"]);
    let pid = run.fake.pid();
    run.hello_of(Role::Helper, pid);
    assert_eq!(run.fake.exit_code(), 0);
    assert!(matches!(run.goodbye(), Say::Goodbye { why: Why::Done, .. }));
}

#[test]
fn a_wrapper_leaves_signals_to_itself() {
    let mut run = run(Behaviour {
        wrapper: true,
        ..quick()
    });
    let payload = run.did("wrapper = true").expect("a pid");
    let (number, _) = run.hello_of(Role::Payload, payload);
    run.fake.tell(user("session-1", "one"));
    run.fake.read_to("result/success");
    run.harness.expect("the payload serves", |from, say| {
        (from == number && matches!(say, Say::Serves { .. })).then_some(())
    });
    run.fake.signal(libc::SIGTERM);
    assert_eq!(run.fake.exit_code(), 143);
    // The payload goes on, on the same stdin and stdout.
    run.fake.tell(user("session-1", "two"));
    run.fake.read_to("result/success");
    run.fake.close_stdin();
    assert_eq!(run.fake.rest(), [] as [Value; 0]);
    run.harness.expect_end(number);
}

#[test]
fn a_wrapper_may_obey_what_its_payload_ignores() {
    let mut run = run(Behaviour {
        wrapper: true,
        wrapper_obeys: true,
        ignore: vec![Ignore::Eof, Ignore::Sigterm],
        ..quick()
    });
    let payload = run.did("wrapper = true").expect("a pid");
    let (number, _) = run.hello_of(Role::Payload, payload);
    run.fake.tell(user("session-1", "one"));
    run.fake.read_to("result/success");
    signal_process(payload, libc::SIGTERM);
    run.saw_ignored(libc::SIGTERM);
    run.fake.signal(libc::SIGTERM);
    assert_eq!(run.fake.exit_code(), 143);
    assert!(is_in_process_table(payload));
    signal_process(payload, libc::SIGKILL);
    run.harness.expect_end(number);
}

#[test]
#[cfg(target_os = "linux")]
fn a_tool_ends_the_program_that_runs_it() {
    let mut run = run(Behaviour {
        tool_kills: Some(Mistaken::Parent),
        turn: Span::from_secs(600),
        ..quick()
    });
    run.fake.tell(user("session-1", "one"));
    let tool = run.did("tool_kills = parent").expect("a pid");
    let (number, session) = run.hello_of(Role::Grandchild, tool);
    assert_eq!(session.as_deref(), Some("session-1"));
    run.harness.expect("the tool's signal", |_, say| {
        matches!(say, Say::SawSignal { signal: libc::SIGTERM, sender, .. } if *sender == tool)
            .then_some(())
    });
    assert_eq!(run.fake.exit_code(), 143);
    run.harness.expect_end(number);
}

#[test]
#[cfg(target_os = "linux")]
fn a_tool_ends_the_neighbours_and_spares_the_program_that_runs_it() {
    let mut run = run(Behaviour {
        tool_kills: Some(Mistaken::Siblings),
        at_turn: 2,
        ..quick()
    });
    let mut neighbour = Fake::start(&mut run.place.command(&STREAMING));
    let stranger_place = Place::new();
    let _stranger_harness = stranger_place.harness(quick());
    let mut stranger = Fake::start(&mut stranger_place.command(&STREAMING));
    for fake in [&mut run.fake, &mut neighbour, &mut stranger] {
        fake.tell(user("session-1", "one"));
        fake.read_to("result/success");
    }
    run.fake.tell(user("session-1", "two"));
    run.fake.read_to("result/success");
    assert_eq!(neighbour.exit_code(), 143);
    // Another copy of the program is no neighbour, although it has the same parent.
    for mut fake in [run.fake, stranger] {
        fake.close_stdin();
        assert_eq!(fake.exit_code(), 0);
    }
}

#[test]
fn a_wrapper_exits_as_its_payload_does() {
    for (death, code) in [
        (None, 0),
        (Some(Death::Code(7)), 7),
        (Some(Death::Signal(DeathSignal::Sigkill)), 137),
    ] {
        let mut run = run(Behaviour {
            wrapper: true,
            die: death,
            ..quick()
        });
        run.fake.ask("one");
        run.fake.close_stdin();
        assert_eq!(run.fake.exit_code(), code);
    }
}

#[test]
fn a_storm_starts_many_at_once() {
    let mut run = run(Behaviour {
        storm: 5,
        ..quick()
    });
    run.fake.ask("one");
    run.fake.read_to("result/success");
    run.fake.ask("two");
    run.fake.read_to("result/success");
    let mut pids = Vec::new();
    for _ in 0..5 {
        let pid = run.harness.expect("a child", |_, say| match say {
            Say::Did {
                what,
                pid: Some(pid),
            } if what == "storm = 5" && !pids.contains(pid) => Some(*pid),
            _ => None,
        });
        run.hello_of(Role::Grandchild, pid);
        pids.push(pid);
    }
    // One that is ended is waited for by the program, as the real one does with its own: no zombie is left.
    signal_process(pids[0], libc::SIGKILL);
    eventually("reaped", || !is_in_process_table(pids[0]));
    let count = run
        .harness
        .said
        .iter()
        .filter(|(_, say)| matches!(say, Say::Did { .. }))
        .count();
    assert_eq!(count, 5);
}

#[test]
#[cfg(target_os = "linux")]
fn growth_is_private_and_kept() {
    let mut run = run(Behaviour {
        grow: Some(Size::from_bytes(10 << 20)),
        ..quick()
    });
    let dirty = |run: &Run| -> u64 {
        let path = format!("/proc/{}/smaps_rollup", run.fake.pid());
        let rollup = fs::read_to_string(path).expect("alive");
        let line = rollup
            .lines()
            .find(|line| line.starts_with("Private_Dirty:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.expect("a number") << 10
    };
    for turn in 1..=3_u64 {
        run.fake.ask("grow");
        run.fake.read_to("result/success");
        let dirty = dirty(&run);
        let expected = turn * (10 << 20);
        assert!(
            (expected..expected + (5 << 20)).contains(&dirty),
            "{turn}: {dirty}"
        );
    }
    run.did("grow = 10MiB");
}

#[test]
fn a_flood_is_lines_that_nobody_knows() {
    let mut run = run(Behaviour {
        flood: Some(Size::from_bytes(100_000)),
        ..quick()
    });
    run.fake.ask("one");
    run.fake.close_stdin();
    let rest = run.fake.rest();
    let useless = rest.iter().filter(|it| it["type"] == "fake_flood").count();
    assert_eq!(useless, 100_000_usize.div_ceil(4096));
    run.did("flood = 100kB");
}

#[test]
fn the_deaf_read_nothing() {
    let mut run = run(Behaviour {
        deaf: true,
        ..quick()
    });
    run.fake.initialize();
    run.fake.ask("one");
    run.fake.close_stdin();
    run.did("deaf = true");
    run.fake.signal(libc::SIGTERM);
    assert_eq!(run.fake.exit_code(), 143);
    assert_eq!(run.fake.rest(), [] as [Value; 0]);
    let goodbye = Say::Goodbye {
        code: Some(143),
        why: Why::Signal,
        owed: 0,
    };
    assert_eq!(run.goodbye(), goodbye);
}

#[test]
fn a_malformed_line_comes_once() {
    let mut run = run(Behaviour {
        garble: Some(Garble::Malformed),
        ..quick()
    });
    run.fake.ask("one");
    run.fake.ask("two");
    run.fake.close_stdin();
    let lines: Vec<String> = std::iter::from_fn(|| run.fake.next_raw()).collect();
    let is_json = |line: &String| serde_json::from_str::<Value>(line).is_ok();
    assert_eq!(lines.len(), 7);
    let broken: Vec<usize> = (0..7).filter(|at| !is_json(&lines[*at])).collect();
    assert_eq!(broken, [1]);
    run.did("garble = malformed");
}

#[test]
fn a_huge_line_is_valid() {
    let mut run = run(Behaviour {
        garble: Some(Garble::Huge),
        ..quick()
    });
    run.fake.ask("one");
    run.fake.close_stdin();
    let rest = run.fake.rest();
    assert_eq!(
        kinds(&rest),
        ["system/init", "fake_huge", "assistant", "result/success"]
    );
    assert_eq!(rest[1]["padding"].as_str().map(str::len), Some(8 << 20));
    run.did("garble = huge");
}

#[test]
fn a_partial_line_is_continued_with_the_next_message() {
    let mut run = run(Behaviour {
        garble: Some(Garble::Partial),
        ..quick()
    });
    run.fake.ask("one");
    run.fake.read_to("assistant");
    run.harness.expect("a result that is not out", |_, say| {
        matches!(
            say,
            Say::TurnEnded {
                turn: 1,
                good: false,
                ..
            }
        )
        .then_some(())
    });
    run.fake
        .tell(request("m", &json!({"subtype": "mcp_status"})));
    // The line is whole by now, and the next one follows it.
    assert_eq!(
        run.fake.next().map(|it| kind_of(&it)).as_deref(),
        Some("result/success")
    );
    run.fake.read_to("control_response");
    run.did("garble = partial");
}

#[test]
fn stdout_can_be_closed_while_it_stays() {
    let mut run = run(Behaviour {
        close_stdout: true,
        ..quick()
    });
    run.fake.ask("one");
    assert_eq!(
        kinds(&run.fake.rest()),
        ["system/init", "assistant", "result/success"]
    );
    run.did("close_stdout = true");
    run.fake.ask("two");
    run.harness.expect("the second turn's end", |_, say| {
        matches!(
            say,
            Say::TurnEnded {
                turn: 2,
                good: false,
                ..
            }
        )
        .then_some(())
    });
    run.fake.close_stdin();
    assert_eq!(run.fake.exit_code(), 0);
}

#[test]
fn a_turn_can_fail_or_stay_without_a_result() {
    for (behaviour, what, shown) in [
        (
            Behaviour {
                fail: true,
                ..quick()
            },
            "fail = true",
            &["system/init", "result/error_during_execution"] as &[&str],
        ),
        (
            Behaviour {
                silent: true,
                ..quick()
            },
            "silent = true",
            &["system/init"],
        ),
    ] {
        let mut run = run(behaviour);
        run.fake.ask("one");
        run.fake.ask("two");
        run.fake.close_stdin();
        let expected = [shown, &["system/init", "assistant", "result/success"]].concat();
        assert_eq!(kinds(&run.fake.rest()), expected);
        run.did(what);
        for (turn, expected) in [(1, false), (2, true)] {
            run.harness.expect("the turn's end", |_, say| {
                matches!(say, Say::TurnEnded { turn: it, good, .. } if *it == turn && *good == expected)
                    .then_some(())
            });
        }
    }
}

#[test]
fn a_reply_may_be_empty_or_prose() {
    for reply in [Reply::Empty, Reply::Prose] {
        let mut run = run(Behaviour { reply, ..quick() });
        run.fake.ask("PROGRESS SUMMARY\nlhm-1-1-s1z");
        let result = run.fake.read_to("result/success");
        let text = result["result"].as_str().expect("a text");
        assert_eq!(text.is_empty(), reply == Reply::Empty);
        assert!(!text.contains("lhm-") && !text.contains('<'));
    }
}

#[test]
fn resume_can_be_refused() {
    const ID: &str = "11111111-2222-4333-8444-555555555555";
    let mut run = run_with(
        Behaviour {
            refuse_resume: true,
            ..quick()
        },
        &["--resume", ID],
    );
    let rest = run.fake.rest();
    let text = format!("No conversation found with session ID: {ID}");
    assert_eq!(kinds(&rest), ["result/error_during_execution"]);
    assert_eq!(rest[0]["errors"], json!([text]));
    assert_eq!(
        (&rest[0]["session_id"], &rest[0]["num_turns"]),
        (&json!(ID), &json!(0))
    );
    assert_eq!(run.fake.exit_code(), 1);
    assert_eq!(run.fake.errors(), text);
    run.did("refuse_resume = true");
}

#[test]
fn what_waits_is_merged_only_if_asked_for() {
    for (merge, results) in [(false, 3), (true, 2)] {
        let mut run = run(Behaviour { merge, ..quick() });
        let report = |marker: &str| {
            format!(
                "<observed_from_primary_session>\n<what_happened>Bash</what_happened>\n{marker}"
            )
        };
        let lines = ["lhm-1-1-o1z", "lhm-1-1-o2z", "lhm-1-1-o3z"].map(|it| user("", &report(it)));
        run.fake.tell(lines.join("\n"));
        run.fake.close_stdin();
        let texts: Vec<String> = run
            .fake
            .rest()
            .iter()
            .filter_map(|message| Some(message["result"].as_str()?.to_owned()))
            .collect();
        assert_eq!(texts.len(), results);
        let all = texts.concat();
        assert_eq!(all.matches("<observation>").count(), 3);
        for marker in ["o1z", "o2z", "o3z"] {
            assert!(all.contains(&format!("<title>A tool was used lhm-1-1-{marker}</title>")));
        }
        if merge {
            run.harness.expect("the merged turn", |_, say| {
                matches!(say, Say::TurnEnded { turn: 2, good: true, markers, .. }
                    if markers == &["lhm-1-1-o2z", "lhm-1-1-o3z"])
                .then_some(())
            });
        }
    }
}

#[test]
fn files_are_left_behind_where_the_environment_says() {
    let mut run = run(Behaviour {
        litter: true,
        ..quick()
    });
    run.fake.ask("one");
    let result = run.fake.read_to("result/success");
    run.fake.close_stdin();
    assert_eq!(run.fake.exit_code(), 0);
    run.did("litter = true");
    let (folder, pid) = (run.place.path(), run.fake.pid());
    // SAFETY: the call takes nothing and cannot fail.
    let user = unsafe { libc::getuid() };
    let session = result["session_id"].as_str().expect("an id");
    let cwd = fs::canonicalize(folder).expect("a folder");
    let project = cwd.to_string_lossy().replace('/', "-");
    for path in [
        format!(".claude/projects/{project}/{session}.jsonl"),
        format!(".claude/sessions/{pid}.json"),
        format!(".claude/sessions/{pid}.fake.key"),
        format!("cc-socks/{pid}.sock"),
        format!("claude-{user}/fswatch-probe-{pid}"),
    ] {
        assert!(folder.join(&path).exists(), "{path}");
    }
}

#[test]
fn it_takes_the_time_that_it_is_told_to() {
    let start = crate::support::stopwatch();
    let mut run = run(Behaviour {
        start: Span::from_millis(100),
        initialize: Span::from_millis(100),
        turn: Span::from_millis(100),
        exit: Span::from_millis(100),
        ..quick()
    });
    run.fake.initialize();
    run.fake.ask("one");
    run.fake.read_to("control_response");
    assert!(start.elapsed().as_millis() >= 200);
    run.fake.read_to("result/success");
    assert!(start.elapsed().as_millis() >= 300);
    run.fake.close_stdin();
    assert_eq!(run.fake.exit_code(), 0);
    assert!(start.elapsed().as_millis() >= 400);
}
