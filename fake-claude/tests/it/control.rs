//! The control socket: the handshake, what is said on it, and the lifeline.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;

use fake_claude::behaviour::{Behaviour, Hang, Ignore, Leave};
use fake_claude::control::{Role, SOCKET_FILE, SOCKET_VARIABLE, Say, TurnKind, Why};
use fake_claude::quantity::Span;

use crate::support::{Fake, Harness, Place, STREAMING, in_flight, outcome, quick, user};

fn started(place: &Place) -> Fake {
    Fake::start(&mut place.command(&STREAMING))
}

#[test]
fn it_says_who_it_is() {
    let place = Place::new();
    let mut harness = place.harness(quick());
    let fake = started(&place);
    let hello = harness.expect("a hello", |_, say| Some(say.clone()));
    let Say::Hello {
        pid,
        start_time,
        ppid,
        role,
        session,
        argv,
        cwd,
        stdin,
    } = hello
    else {
        panic!("first a hello, not {hello:?}")
    };
    assert_eq!(pid, fake.pid());
    assert_eq!(ppid, std::process::id());
    assert_eq!((role, session), (Role::Primary, None));
    assert_eq!(argv[0], place.program().to_string_lossy());
    assert_eq!(argv[1..], STREAMING);
    assert_eq!(
        fs::canonicalize(cwd).ok(),
        fs::canonicalize(place.path()).ok()
    );
    #[cfg(target_os = "linux")]
    {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("alive");
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        assert_eq!(start_time.to_string(), fields[19]);
        assert!(stdin.starts_with("pipe:["), "{stdin}");
    }
    #[cfg(not(target_os = "linux"))]
    assert_eq!((start_time, stdin.as_str()), (0, ""));
}

#[test]
fn it_says_what_it_sees_and_does_in_order() {
    let place = Place::new();
    let mut harness = place.harness(quick());
    let mut fake = started(&place);
    fake.initialize();
    fake.tell(user("session-1", "lhm-1-1-p1z and lhm-1-1-p2z"));
    fake.read_to("result/success");
    fake.close_stdin();
    assert_eq!(fake.exit_code(), 0);
    let said = harness.expect_all_ended();
    let (kind, markers) = (
        TurnKind::Prompt,
        vec!["lhm-1-1-p1z".to_owned(), "lhm-1-1-p2z".to_owned()],
    );
    assert_eq!(
        said[1..],
        [
            Say::Serves {
                session: "session-1".to_owned()
            },
            Say::SawWork {
                kind,
                markers: markers.clone()
            },
            Say::TurnStarted {
                turn: 1,
                kind,
                markers: markers.clone()
            },
            Say::TurnEnded {
                turn: 1,
                kind,
                good: true,
                markers
            },
            Say::SawEof { owed: 0 },
            Say::Goodbye {
                code: Some(0),
                why: Why::Eof,
                owed: 0
            },
        ]
    );
}

#[test]
fn no_turn_begins_before_the_orders_for_its_session() {
    let place = Place::new();
    let socket = place.path().join("control");
    let listener = UnixListener::bind(&socket).expect("a socket");
    fs::write(place.path().join(SOCKET_FILE), "control\n").expect("a relative path will do");
    let mut fake = started(&place);
    let (stream, _) = listener.accept().expect("a connection");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(
        stream.try_clone().expect("a second handle"),
    ));
    let mut said = || lines.next().expect("more to come").expect("text");
    assert!(said().contains(r#""say":"hello""#));
    let order = |turn: &str| {
        let order = format!(
            r#"{{"order":"behave","behaviour":{{"turn":"{turn}","initialize":"0s","exit":"1ms"}}}}"#
        );
        (&stream)
            .write_all((order + "\n").as_bytes())
            .expect("room");
    };
    order("600s");
    fake.initialize();
    fake.tell(user("session-1", "hello"));
    assert!(said().contains(r#""say":"serves""#));
    assert!(said().contains(r#""say":"saw_work""#));
    // The request behind the message is answered, so the message was read; its turn has not begun.
    fake.read_to("control_response");
    fake.tell(crate::support::request(
        "m",
        &serde_json::json!({"subtype": "mcp_status"}),
    ));
    let next = fake.next().expect("an answer");
    assert_eq!(next["response"]["request_id"], "m");
    order("1ms");
    assert!(said().contains(r#""say":"turn_started""#));
    fake.read_to("result/success");
    fake.close_stdin();
    assert_eq!(fake.exit_code(), 0);
}

#[test]
fn kinds_of_work_are_told_apart() {
    let place = Place::new();
    let mut harness = place.harness(quick());
    let mut fake = started(&place);
    let observation = "<observed_from_primary_session>\n  <what_happened>Bash</what_happened>\n  \
                       <parameters>\"echo lhm-1-1-o1z\"</parameters>\n</observed_from_primary_session>";
    fake.ask(observation);
    fake.ask("PROGRESS SUMMARY CHECKPOINT\nlhm-1-1-s1z");
    let observed = fake.read_to("result/success");
    let summarised = fake.read_to("result/success");
    let text = |result: &serde_json::Value| result["result"].as_str().unwrap_or("").to_owned();
    assert!(text(&observed).starts_with("<observation>"));
    assert!(text(&observed).contains("<title>A tool was used lhm-1-1-o1z</title>"));
    assert!(text(&summarised).starts_with("<summary>"));
    assert!(text(&summarised).contains("lhm-1-1-s1z</request>"));
    for expected in [TurnKind::Observation, TurnKind::Summary] {
        harness.expect("a turn of that kind", |_, say| {
            matches!(say, Say::TurnEnded { kind, good: true, .. } if *kind == expected)
                .then_some(())
        });
    }
}

#[test]
fn the_environment_names_the_socket_where_no_file_does() {
    let place = Place::new();
    let elsewhere = tempfile::TempDir::new().expect("a temporary folder");
    let mut harness = Harness::listen(elsewhere.path(), quick(), None);
    let mut command = place.command(&STREAMING);
    command.env(SOCKET_VARIABLE, elsewhere.path().join("control"));
    let mut fake = Fake::start(&mut command);
    harness.expect("a hello", |_, say| {
        matches!(say, Say::Hello { .. }).then_some(())
    });
    fake.close_stdin();
    assert_eq!(fake.exit_code(), 0);
}

#[test]
fn a_harness_that_is_gone_is_no_harness() {
    let place = Place::new();
    fs::write(place.path().join(SOCKET_FILE), "/nowhere/control").expect("a file");
    let (code, stdout, stderr) = outcome(&mut place.command(&STREAMING), "");
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.starts_with("fake-claude: the control socket /nowhere/control cannot be reached"),
        "{stderr}"
    );
    // A mere question is answered all the same.
    let (code, stdout, _) = outcome(&mut place.command(&["--version"]), "");
    assert_eq!((code, stdout.as_str()), (0, "2.1.330 (Claude Code)"));
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_an_error() {
    let place = Place::new();
    fs::write(place.path().join(SOCKET_FILE), "/x".repeat(200)).expect("a file");
    let (code, _, stderr) = outcome(&mut place.command(&STREAMING), "");
    assert_eq!(code, 1);
    assert!(stderr.contains("too long for a socket"), "{stderr}");
}

#[test]
fn an_order_that_makes_no_sense_ends_it() {
    for order in [
        "{}\n",
        "nonsense\n",
        "{\"order\":\"behave\",\"behaviour\":{\"turn\":7}}\n",
    ] {
        let place = Place::new();
        let listener = UnixListener::bind(place.path().join("control")).expect("a socket");
        fs::write(place.path().join(SOCKET_FILE), "control").expect("a file");
        let mut fake = started(&place);
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.write_all(order.as_bytes()).expect("room");
        assert_eq!(fake.exit_code(), 70);
        let errors = fake.errors();
        assert!(
            errors.contains("an order of the harness makes no sense"),
            "{errors}"
        );
    }
}

#[test]
fn a_probe_says_hello_and_goodbye() {
    let place = Place::new();
    let mut harness = place.harness(quick());
    let (code, ..) = outcome(&mut place.command(&["--version"]), "");
    assert_eq!(code, 0);
    harness.expect("the goodbye", |_, say| {
        matches!(say, Say::Goodbye { .. }).then_some(())
    });
    let said = harness.expect_all_ended();
    assert!(matches!(
        said.as_slice(),
        [
            Say::Hello {
                role: Role::Probe,
                ..
            },
            Say::Goodbye {
                code: Some(0),
                why: Why::Done,
                ..
            }
        ]
    ));
}

#[test]
fn the_lifeline_ends_it_whatever_it_ignores_and_wherever_it_is() {
    let ignoring = Behaviour {
        ignore: vec![Ignore::Eof, Ignore::Sigterm, Ignore::Sigint, Ignore::Sighup],
        ..quick()
    };
    let hanging = |hang| Behaviour {
        hang: Some(hang),
        ..ignoring.clone()
    };
    for behaviour in [
        ignoring.clone(),
        Behaviour {
            start: Span::from_secs(600),
            ..ignoring.clone()
        },
        Behaviour {
            initialize: Span::from_secs(600),
            ..ignoring.clone()
        },
        Behaviour {
            exit: Span::from_secs(600),
            ..quick()
        },
        Behaviour {
            deaf: true,
            ..ignoring.clone()
        },
        in_flight(),
        hanging(Hang::BeforeInit),
        hanging(Hang::MidTurn),
        hanging(Hang::AfterResult),
        Behaviour {
            leave: Some(Leave::Daemon),
            ..ignoring.clone()
        },
        Behaviour {
            wrapper: true,
            ..ignoring.clone()
        },
    ] {
        let place = Place::new();
        let what = format!("{behaviour:?}");
        let mut harness = place.harness(behaviour.clone());
        let mut fake = started(&place);
        fake.initialize();
        fake.ask("one");
        // Far enough that it is where it is to be.
        let mark: fn(&Say) -> bool = if behaviour.hang.is_some() || behaviour.deaf {
            |say| matches!(say, Say::Did { .. })
        } else if behaviour.leave.is_some() || behaviour.wrapper {
            |say| {
                matches!(
                    say,
                    Say::Hello {
                        role: Role::Grandchild | Role::Payload,
                        ..
                    }
                )
            }
        } else if behaviour.start > Span::ZERO {
            |say| matches!(say, Say::Hello { .. })
        } else if behaviour.initialize > Span::ZERO {
            |say| matches!(say, Say::SawWork { .. })
        } else {
            |say| matches!(say, Say::TurnStarted { .. })
        };
        harness.expect(&what, |_, say| mark(say).then_some(()));
        fake.close_stdin();
        harness.vanish();
        assert!(!fake.wait().success(), "{what}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn ballast_is_counted_in_every_rss_and_held_once() {
    use std::os::fd::{FromRawFd, OwnedFd};

    const BALLAST: u64 = 64 << 20;
    let memory = |pid: u32, field: &str| -> u64 {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("alive");
        let line = rollup.lines().find(|line| line.starts_with(field));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.expect("a number") * 1024
    };

    let place = Place::new();
    // SAFETY: the name is a string with its zero; the descriptor is new.
    let file = unsafe {
        let fd = libc::memfd_create(c"ballast".as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0);
        OwnedFd::from_raw_fd(fd)
    };
    fs::File::from(file.try_clone().expect("a second handle"))
        .set_len(BALLAST)
        .expect("memory");
    let mut harness = Harness::listen(place.path(), quick(), Some(file));
    let mut fakes: Vec<Fake> = (0..4).map(|_| started(&place)).collect();
    for fake in &mut fakes {
        fake.tell(user("session-1", "one"));
        fake.read_to("result/success");
    }
    for fake in &fakes {
        let rss = memory(fake.pid(), "Rss:");
        assert!((BALLAST..BALLAST + (16 << 20)).contains(&rss), "{rss}");
        let pss = memory(fake.pid(), "Pss:");
        assert!(pss < BALLAST / 4 + (8 << 20), "{pss}");
    }
    harness.vanish();
}
