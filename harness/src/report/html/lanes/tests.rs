use serde_json::{Value, json};

use super::*;
use crate::judge::finding::rule_name;
use crate::judge::lanes::Mark;
use crate::process::ProcessIdentity;

fn bar(pid: u32, fate: Fate) -> Bar {
    Bar {
        process: ProcessIdentity::new(pid, 90_000),
        host_pid: Some(pid + 40_000),
        role: Role::Primary,
        fate,
        first_ms: 1_200,
        died_ms: None,
        gone_ms: None,
        due_ms: Some(5_000),
        eof_ms: Some(4_100),
        marks: Vec::new(),
        marks_omitted: 0,
        rss_bytes: 372 << 20,
        command: "claude --verbose".to_owned(),
    }
}

fn lane(session: &str, bars: Vec<Bar>) -> Lane {
    Lane {
        session: session.to_owned(),
        opened_ms: Some(1_000),
        ended: Some((4_000, End::Abandon)),
        stalled: false,
        bars,
    }
}

fn read(lanes: &Lanes) -> Value {
    serde_json::from_str(&data(lanes, 9_000).unwrap()).unwrap()
}

#[test]
fn sessions_and_processes_become_columns() {
    let mut signalled = bar(12, Fate::Retained);
    signalled.marks = vec![Mark {
        at_ms: 6_000,
        signal: 15,
        sender: Some(5),
        ours: false,
        ignored: true,
    }];
    let written = read(&Lanes {
        sessions: vec![
            lane("a", vec![bar(11, Fate::Clean), signalled]),
            Lane {
                session: "never".to_owned(),
                ..Lane::default()
            },
        ],
        others: vec![Bar {
            role: Role::Probe,
            ..bar(13, Fate::Clean)
        }],
        workers: vec![(0, Some(8_000))],
        stop_ms: Some(7_500),
        sessions_omitted: 2,
        bars_omitted: 3,
    });
    assert_eq!(
        written["sessions"],
        json!({
            "name": ["a", "never"], "opened": [1_000, null], "ended": [4_000, null], "end": [1, null], "stalled": [0, 0], "bars": [2, 0],
        })
    );
    assert_eq!(written["bars"]["pid"], json!([11, 12, 13]));
    assert_eq!(written["bars"]["host_pid"], json!([40_011, 40_012, 40_013]));
    assert_eq!(written["bars"]["fate"], json!([0, 1, 0]));
    // Of processes without a session the first sighting counts from the run's start.
    assert_eq!(written["bars"]["first"], json!([200, 200, 1_200]));
    assert_eq!(written["bars"]["due"], json!([3_800, 3_800, 3_800]));
    assert_eq!(written["bars"]["eof"], json!([2_900, 2_900, 2_900]));
    assert_eq!(written["bars"]["died"], json!([null, null, null]));
    assert_eq!(written["bars"]["role"], json!([0, 0, 4]));
    assert_eq!(written["bars"]["rss_kib"][0], 372 << 10);
    assert_eq!(written["bars"]["command"], json!([0, 0, 0]));
    assert_eq!(
        written["marks"],
        json!({"bar": [1], "at": [4_800], "signal": [15], "sender": [5], "ours": [0], "ignored": [1]})
    );
    assert_eq!(written["signals"], json!({"15": "SIGTERM"}));
    assert_eq!(written["ends"][1], "abandon");
    assert_eq!(written["workers"], json!([[0, 8_000]]));
    assert_eq!(written["sessions_omitted"], 2);
    assert_eq!(written["bars_omitted"], 3);
    assert_eq!(written["end_ms"], 9_000);
}

#[test]
fn what_a_process_chose_stays_text() {
    let hostile = Lanes {
        sessions: vec![lane(
            "</script><script>alert(1)</script>",
            vec![Bar {
                command: "claude \x1b[2J\u{202e}'\"&\u{2028}\0".to_owned(),
                ..bar(11, Fate::Clean)
            }],
        )],
        ..Lanes::default()
    };
    let text = data(&hostile, 0).unwrap();
    for never in ["<", ">", "&", "\u{2028}", "\u{202e}", "\x1b"] {
        assert!(!text.contains(never), "{never:?} in {text}");
    }
    let written: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        written["sessions"]["name"][0],
        "</script><script>alert(1)</script>"
    );
    assert_eq!(
        written["commands"][0],
        "claude \\x1b[2J\\u{202e}'\"&\\u{2028}\\x00"
    );
}

#[test]
fn what_was_found_is_kept_when_there_is_no_room_for_all() {
    let bars = |fate| vec![bar(11, fate); 64];
    let mut sessions: Vec<Lane> = (0..PROCESSES / 64 + 3)
        .map(|number| lane(&format!("well-{number}"), bars(Fate::Clean)))
        .collect();
    sessions.push(lane("leaks", bars(Fate::Retained)));
    let all = sessions.len();
    let written = read(&Lanes {
        sessions,
        ..Lanes::default()
    });
    let names = written["sessions"]["name"].as_array().unwrap();
    assert_eq!(names.len(), PROCESSES / 64);
    assert_eq!(names.last().unwrap(), "leaks");
    assert_eq!(
        written["sessions_omitted"],
        all as u64 - PROCESSES as u64 / 64
    );
    assert_eq!(written["bars_omitted"], 64 * (all - PROCESSES / 64));
}

#[test]
fn a_recording_that_was_cut_off_is_as_long_as_what_was_seen() {
    let lanes = Lanes {
        sessions: vec![lane("a", vec![bar(11, Fate::Retained)])],
        ..Lanes::default()
    };
    let written: Value = serde_json::from_str(&data(&lanes, 0).unwrap()).unwrap();
    assert_eq!(written["end_ms"], 5_000);
}

#[test]
fn every_bin_has_its_own_words() {
    for fate in [
        Fate::Retained,
        Fate::Reparented,
        Fate::Zombie,
        Fate::Residue,
        Fate::Readopted,
        Fate::KilledEarly,
        Fate::Crashed { planned: false },
        Fate::Crashed { planned: true },
        Fate::Undecided,
    ] {
        let words = &FATES[place_of_fate(fate)];
        assert_eq!(Some(words.name), fate.finding().map(rule_name));
        assert_eq!(matches!(words.kind, Kind::Over), fate.is_leak());
    }
    assert_eq!(FATES[place_of_fate(Fate::Clean)].name, "clean");
    assert_eq!(FATES[place_of_fate(Fate::Survivor)].name, "survivor");
}
