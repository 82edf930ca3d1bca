//! Cases of the control socket.

use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use fake_claude::behaviour::Behaviour;
use fake_claude::control::Say;
use fake_claude::quantity::Size;
use leak_harness::isolation::Adopted;
use leak_harness::timeline::event::{EventKind, Source};
use leak_harness::witness::Switches;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use crate::stage::Stage;

const HELLO: &str = r#"{"at_ns":1,"say":"hello","pid":PID,"start_time":START,"ppid":PPID,"role":"primary","argv":["claude"],"cwd":"/","stdin":"pipe:[1]"}"#;

pub async fn garbage_on_the_control_socket_harms_nobody(adopted: Adopted) {
    let mut stage = Stage::set(adopted);
    let socket = stage.witnesses.control_socket().unwrap().to_owned();
    let start = |stage: &mut Stage, line: &str| {
        stage.order(&format!("start fake {} {}", socket.display(), line))
    };
    let cases = [
        ("garbage", "no statement"),
        ("\u{1f980}", "no statement"),
        (r#"{"at_ns":1,"say":"serves","session":"s"}"#, "hello"),
        (&HELLO.replace(":PID,", ":1,"), "its pid is 1"),
        (&HELLO.replace("START", "1"), "it started at 1"),
        (
            &format!("{HELLO}\n{HELLO}").replace('\n', "\\u000a"),
            "no statement",
        ),
    ];
    for (line, complaint) in cases {
        let pid = start(&mut stage, line);
        stage
            .until(complaint, |event| match &event.event {
                EventKind::WitnessFailed { witness, reason } => (*witness == Source::Control
                    && reason.contains(complaint)
                    && reason.contains(&pid.to_string()))
                .then_some(()),
                _ => None,
            })
            .await;
        // It was hung up on, and so it ended.
        let child = stage.identity(pid).await;
        stage.exit(child).await;
        stage.order("finish");
    }
    let pid = start(&mut stage, HELLO);
    let child = stage.identity(pid).await;
    stage
        .until("hello", |event| match &event.event {
            EventKind::Said { process, say } => {
                (*process == child && matches!(say, Say::Hello { .. })).then_some(())
            }
            _ => None,
        })
        .await;
    stage.witnesses.signal(child, libc::SIGKILL).await.unwrap();
    stage
        .until("end of the lifeline", |event| {
            (event.event == EventKind::LifelineLost { process: child }).then_some(())
        })
        .await;
    stage.strike().await;
}

pub async fn a_fake_is_told_how_to_behave_and_given_ballast(adopted: Adopted) {
    const WANTED: u64 = 64 << 20;
    let stage = Stage::set_with(
        adopted,
        Switches {
            control: false,
            ..Switches::default()
        },
        |session| Behaviour {
            rss: Some(Size::from_bytes(WANTED)),
            at_turn: if session.is_some() { 7 } else { 1 },
            ..Behaviour::default()
        },
    );
    // The harness itself plays the fake: with a silent control socket it is not asked who it belongs to.
    let socket = stage.witnesses.control_socket().unwrap().to_owned();
    let stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let hello = HELLO
        .replace("PPID", "0")
        .replace("PID", &std::process::id().to_string())
        .replace("START", "0");
    let mut stream = stream.into_std().unwrap();
    stream.write_all(format!("{hello}\n").as_bytes()).unwrap();
    let stream = tokio::net::UnixStream::from_std(stream).unwrap();
    stream.readable().await.unwrap();
    let mut bytes = [0_u8; 4_096];
    let mut space = nix::cmsg_space!([i32; 1]);
    let (length, file) = {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg::<()>(
            stream.as_raw_fd(),
            &mut slices,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )
        .unwrap();
        let file = received.cmsgs().unwrap().find_map(|message| match message {
            ControlMessageOwned::ScmRights(files) => files.first().copied(),
            _ => None,
        });
        (received.bytes, file)
    };
    // SAFETY: the file came with this message and nobody else owns it.
    let ballast = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(file.unwrap()) });
    let size = ballast.metadata().unwrap().len();
    assert!((WANTED - (8 << 20)..WANTED).contains(&size), "{size}");
    let order = String::from_utf8(bytes[..length].to_vec()).unwrap();
    assert!(order.contains(r#""ballast":true"#), "{order}");
    assert!(order.contains(r#""at_turn":1"#), "{order}");

    let mut stream = stream.into_std().unwrap();
    stream
        .write_all(b"{\"at_ns\":2,\"say\":\"serves\",\"session\":\"s\"}\n")
        .unwrap();
    let stream = tokio::net::UnixStream::from_std(stream).unwrap();
    stream.readable().await.unwrap();
    let mut stream = stream.into_std().unwrap();
    let length = stream.read(&mut bytes).unwrap();
    let order = String::from_utf8(bytes[..length].to_vec()).unwrap();
    assert!(order.contains(r#""at_turn":7"#), "{order}");
    drop(stream);
    stage.strike().await;
}
