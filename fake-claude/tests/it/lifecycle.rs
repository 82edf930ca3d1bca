//! How a session goes and ends: EOF, signals, bad input, full and closed outputs.

use std::collections::HashSet;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use fake_claude::behaviour::Behaviour;
use fake_claude::control::{Say, Why};
use fake_claude::quantity::{Size, Span};
use serde_json::{Value, json};

use crate::support::{Fake, Place, STREAMING, in_flight, kinds, quick, request, user};

fn started(place: &Place) -> Fake {
    Fake::start(&mut place.command(&STREAMING))
}

#[test]
fn eof_before_anything_ends_it_without_a_word() {
    let place = Place::new();
    let mut harness = place.harness(quick());
    let mut fake = started(&place);
    fake.close_stdin();
    assert_eq!(fake.rest(), [] as [Value; 0]);
    assert_eq!(fake.exit_code(), 0);
    let said = harness.expect_all_ended();
    assert!(matches!(
        said.as_slice(),
        [
            Say::Hello { .. },
            Say::SawEof { owed: 0 },
            Say::Goodbye {
                code: Some(0),
                why: Why::Eof,
                owed: 0
            }
        ]
    ));
}

#[test]
fn eof_in_flight_finishes_the_turn_and_all_that_waits() {
    let place = Place::new();
    let mut harness = place.harness(Behaviour {
        turn: Span::from_millis(100),
        ..quick()
    });
    let mut fake = started(&place);
    for text in ["one", "two", "three"] {
        fake.ask(text);
    }
    fake.close_stdin();
    let turn = ["system/init", "assistant", "result/success"];
    assert_eq!(kinds(&fake.rest()), turn.repeat(3));
    assert_eq!(fake.exit_code(), 0);
    let said = harness.expect_all_ended();
    assert!(said.contains(&Say::SawEof { owed: 3 }), "{said:#?}");
}

#[test]
fn every_uuid_is_new() {
    let place = Place::new();
    let _harness = place.harness(quick());
    let mut seen = HashSet::new();
    for _ in 0..2 {
        let mut fake = started(&place);
        fake.ask("one");
        fake.ask("two");
        fake.close_stdin();
        for message in fake.rest() {
            let uuid = message["uuid"].as_str().expect("a uuid").to_owned();
            assert!(seen.insert(uuid));
        }
    }
    assert_eq!(seen.len(), 12);
}

#[test]
fn an_error_in_the_last_result_makes_the_exit_code_one() {
    for (at_turn, code) in [(1, 0), (2, 1)] {
        let place = Place::new();
        let _harness = place.harness(Behaviour {
            fail: true,
            at_turn,
            ..quick()
        });
        let mut fake = started(&place);
        fake.ask("one");
        fake.ask("two");
        fake.close_stdin();
        let results: Vec<Value> = fake
            .rest()
            .into_iter()
            .filter(|message| message["type"] == "result")
            .collect();
        assert_eq!(results[at_turn as usize - 1]["is_error"], true);
        assert!(results[at_turn as usize - 1]["errors"].is_array());
        assert_eq!(fake.exit_code(), code);
    }
}

#[test]
fn signals_end_it_with_the_codes_of_the_real_program() {
    for (signal, code) in [(libc::SIGTERM, 143), (libc::SIGINT, 0), (libc::SIGHUP, 129)] {
        for is_in_flight in [false, true] {
            let place = Place::new();
            let mut harness = place.harness(in_flight());
            let mut fake = started(&place);
            if is_in_flight {
                fake.ask("one");
                fake.read_to("system/init");
            } else {
                fake.initialize();
                fake.read_to("control_response");
            }
            fake.signal(signal);
            let rest = kinds(&fake.rest());
            assert_eq!(fake.exit_code(), code);
            if is_in_flight && signal == libc::SIGINT {
                assert_eq!(rest, ["user", "result/error_during_execution"]);
            } else {
                assert_eq!(rest, [] as [&str; 0]);
            }
            let said = harness.expect_all_ended();
            let own_pid = std::process::id();
            assert!(
                said.iter().any(
                    |say| matches!(say, Say::SawSignal { signal: it, sender, ignored: false, owed }
                    if *it == signal && *sender == own_pid && *owed == u32::from(is_in_flight))
                ),
                "{said:#?}"
            );
            let last = said.last();
            assert!(
                matches!(
                    last,
                    Some(Say::Goodbye {
                        why: Why::Signal,
                        ..
                    })
                ),
                "{last:?}"
            );
        }
    }
}

#[test]
fn a_signal_is_obeyed_while_the_program_starts() {
    let place = Place::new();
    let mut harness = place.harness(Behaviour {
        start: Span::from_secs(600),
        ..quick()
    });
    let mut fake = started(&place);
    harness.expect("a hello", |_, say| {
        matches!(say, Say::Hello { .. }).then_some(())
    });
    fake.signal(libc::SIGTERM);
    assert_eq!(fake.exit_code(), 143);
}

#[test]
fn a_line_that_is_no_json_ends_it() {
    let place = Place::new();
    let mut harness = place.harness(in_flight());
    let mut fake = started(&place);
    fake.ask("one");
    fake.read_to("system/init");
    fake.tell("this is not json");
    assert_eq!(fake.rest(), [] as [Value; 0]);
    assert_eq!(fake.exit_code(), 1);
    assert_eq!(
        fake.errors(),
        "Error parsing streaming input line (type=unknown, 16 chars): SyntaxError"
    );
    let said = harness.expect_all_ended();
    let goodbye = Say::Goodbye {
        code: Some(1),
        why: Why::Refused,
        owed: 1,
    };
    assert_eq!(said.last(), Some(&goodbye));
}

#[test]
fn an_interrupt_breaks_the_turn_off_and_the_next_one_works() {
    let place = Place::new();
    let _harness = place.harness(Behaviour {
        turn: Span::from_secs(5),
        ..quick()
    });
    let mut fake = started(&place);
    fake.ask("one");
    fake.read_to("system/init");
    fake.tell(request("i", &json!({"subtype": "interrupt"})));
    let result = fake.read_to("result/error_during_execution");
    assert_eq!(result["terminal_reason"], "aborted_streaming");
    fake.ask("two");
    fake.read_to("result/success");
    fake.close_stdin();
    assert_eq!(fake.exit_code(), 0);
}

#[test]
fn an_interrupt_may_cancel_what_waits() {
    let place = Place::new();
    let _harness = place.harness(in_flight());
    let mut fake = started(&place);
    fake.ask("one");
    let mut second: Value = serde_json::from_str(&user("", "two")).expect("JSON");
    second["uuid"] = json!("u2");
    fake.tell(second.to_string());
    fake.read_to("system/init");
    fake.tell(request(
        "i",
        &json!({"subtype": "interrupt", "cancel_queued": true}),
    ));
    let answer = fake.read_to("control_response");
    assert_eq!(answer["response"]["response"]["still_queued"], json!([]));
    fake.read_to("result/error_during_execution");
    fake.close_stdin();
    assert_eq!(fake.rest(), [] as [Value; 0]);
    assert_eq!(fake.exit_code(), 1);
}

#[test]
fn messages_with_a_uuid_are_named_in_their_result() {
    let place = Place::new();
    let _harness = place.harness(Behaviour {
        merge: true,
        ..quick()
    });
    let mut fake = started(&place);
    let lines: Vec<String> = ["u1", "u2", "u3"]
        .iter()
        .map(|uuid| {
            json!({"type": "user", "uuid": uuid, "message": {"role": "user", "content": "hi"}})
                .to_string()
        })
        .collect();
    fake.tell(lines.join("\n"));
    fake.close_stdin();
    let results: Vec<Value> = fake
        .rest()
        .into_iter()
        .filter(|message| message["type"] == "result")
        .map(|mut result| result["user_message_uuids"].take())
        .collect();
    let all = [json!(["u1", "u2", "u3"])];
    let one_and_two = [json!(["u1"]), json!(["u2", "u3"])];
    assert!(results == one_and_two || results == all, "{results:?}");
}

#[test]
fn a_line_of_three_megabytes_is_taken() {
    let place = Place::new();
    let mut harness = place.harness(quick());
    let mut fake = started(&place);
    let text = format!("{} lhm-1-1-p1z", "x".repeat(3_000_000));
    fake.ask(&text);
    fake.close_stdin();
    let result = fake.read_to("result/success");
    assert_eq!(result["result"], "ok lhm-1-1-p1z");
    assert_eq!(fake.exit_code(), 0);
    let said = harness.expect_all_ended();
    assert!(said.iter().any(
        |say| matches!(say, Say::TurnEnded { good: true, markers, .. }
        if markers == &["lhm-1-1-p1z"])
    ));
}

#[test]
fn input_that_comes_byte_by_byte_is_understood() {
    let place = Place::new();
    let _harness = place.harness(quick());
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let mut child = place
        .command(&STREAMING)
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    for byte in (user("", "äöü lhm-1-1-p1z") + "\n").as_bytes() {
        std::io::Write::write_all(&mut &ours, &[*byte]).expect("the program reads");
    }
    drop(ours);
    let mut stdout = String::new();
    let mut pipe = child.stdout.take().expect("stdout is piped");
    pipe.read_to_string(&mut stdout).expect("text");
    assert!(stdout.contains(r#""result":"ok lhm-1-1-p1z""#), "{stdout}");
    assert!(child.wait().expect("an end").success());
}

#[test]
fn a_closed_stdout_alone_ends_nothing() {
    let place = Place::new();
    let mut harness = place.harness(quick());
    let (stdout, theirs) = UnixStream::pair().expect("a pair of sockets");
    let mut child = place
        .command(&STREAMING)
        .stdin(Stdio::piped())
        .stdout(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .spawn()
        .expect("the program starts");
    drop(stdout);
    let mut stdin = child.stdin.take().expect("stdin is piped");
    for (turn, text) in [(1, "one"), (2, "two")] {
        std::io::Write::write_all(&mut stdin, (user("", text) + "\n").as_bytes())
            .expect("the program reads");
        let good = harness.expect("the turn's end", |_, say| match say {
            Say::TurnEnded { turn: it, good, .. } if *it == turn => Some(*good),
            _ => None,
        });
        assert!(!good, "a result that nobody can read is no good one");
    }
    drop(stdin);
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

/// A fake whose stdout is full because nobody reads it.
fn blocked(place: &Place, behaviour: Behaviour) -> (crate::support::Harness, std::process::Child) {
    let mut harness = place.harness(Behaviour {
        flood: Some(Size::from_bytes(4 << 20)),
        ..behaviour
    });
    let mut child = place
        .command(&STREAMING)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdin = child.stdin.as_mut().expect("stdin is piped");
    std::io::Write::write_all(stdin, (user("", "one") + "\n").as_bytes())
        .expect("the program reads");
    harness.expect("the flood", |_, say| {
        matches!(say, Say::Did { what, .. } if what == "flood = 4MiB").then_some(())
    });
    (harness, child)
}

#[test]
fn a_full_stdout_loses_nothing() {
    let place = Place::new();
    let (mut harness, mut child) = blocked(&place, quick());
    drop(child.stdin.take());
    harness.expect("EOF, seen all the same", |_, say| {
        matches!(say, Say::SawEof { .. }).then_some(())
    });
    let mut stdout = Vec::new();
    let mut pipe = child.stdout.take().expect("stdout is piped");
    pipe.read_to_end(&mut stdout).expect("all of it");
    let messages: Vec<Value> = stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("whole lines"))
        .collect();
    assert_eq!(messages.len(), 1024 + 3);
    assert_eq!(
        messages.last().map(|it| it["type"].clone()),
        Some(json!("result"))
    );
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

#[test]
fn a_full_stdout_does_not_keep_signals_away() {
    let place = Place::new();
    let (_harness, mut child) = blocked(&place, quick());
    crate::support::signal_process(child.id(), libc::SIGTERM);
    assert_eq!(child.wait().expect("an end").code(), Some(143));
}

#[test]
fn a_full_stdout_does_not_keep_the_lifeline_away() {
    let place = Place::new();
    let (mut harness, mut child) = blocked(&place, quick());
    harness.vanish();
    assert!(!child.wait().expect("an end").success());
}

#[test]
fn a_broken_pipe_is_no_signal() {
    let place = Place::new();
    let (mut harness, mut child) = blocked(&place, quick());
    drop(child.stdout.take());
    harness.expect("the turn's end", |_, say| {
        matches!(say, Say::TurnEnded { good: false, .. }).then_some(())
    });
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}
