use proptest::prelude::*;

use super::*;

fn kind() -> impl Strategy<Value = TurnKind> {
    prop::sample::select(KINDS.to_vec())
}

fn process() -> impl Strategy<Value = ProcessIdentity> {
    (1..4_u32, any::<u64>()).prop_map(|(pid, start)| ProcessIdentity::new(pid, start))
}

fn unusual() -> impl Strategy<Value = Item> {
    let answer = prop::sample::select(ANSWERS.to_vec());
    let course = prop::sample::select(COURSES.to_vec());
    let who = (process(), process(), process());
    let counts = (any::<u8>(), any::<u8>(), any::<u32>(), any::<u32>());
    let facts = (
        kind(),
        answer,
        course,
        any::<[bool; 6]>(),
        any::<[u64; 2]>(),
    );
    (facts, who, counts).prop_map(|((kind, answer, course, has, [at, seq]), who, counts)| {
        let (good, elsewhere, stored, turn) = counts;
        Item {
            session: 3,
            kind,
            offered_seq: seq,
            answer: answer.map(|answer| (answer, RunTime(at))),
            aborted: has[0],
            kept: has[1],
            good,
            elsewhere,
            last_turn: has[2].then_some((who.0, turn)),
            answered_by: has[3].then_some(who.1),
            answered_by_others: has[4],
            given: course.map(|course| (who.2, course)),
            stored,
            waiting: has[5],
        }
    })
}

fn usual(who: ProcessIdentity, kind: TurnKind, seq: u64, stored: u8) -> Item {
    Item {
        session: 3,
        kind,
        offered_seq: seq,
        answer: Some((Answer::Accepted, RunTime::START)),
        aborted: false,
        kept: false,
        good: 1,
        elsewhere: 0,
        last_turn: Some((who, 2)),
        answered_by: Some(who),
        answered_by_others: false,
        given: Some((who, Course::Read)),
        stored: u32::from(stored),
        waiting: false,
    }
}

fn item() -> impl Strategy<Value = Item> {
    let usual = (kind(), any::<u64>(), any::<u8>())
        .prop_map(|(kind, seq, stored)| usual(ProcessIdentity::new(7, 9), kind, seq, stored));
    prop_oneof![usual, unusual()]
}

proptest! {
    #[test]
    fn what_was_put_away_comes_back_as_it_was(groups in prop::collection::vec(prop::collection::vec((kind(), 0..80_u32, item()), 1..9), 1..70)) {
        let mut cold = Cold::default();
        let written: Vec<Vec<(String, Item)>> = groups.iter().enumerate().map(|(number, items)| {
            items.iter().map(|(kind, count, item)| {
                let marker = Marker { run: "ab12", session: number as u32, kind: *kind, count: *count };
                (marker.text(), item.clone())
            }).collect()
        }).collect();
        for (number, items) in written.iter().enumerate() {
            let items: Vec<_> = items.iter().map(|(text, item)| (text.as_str(), item)).collect();
            prop_assert!(cold.put(number as u32, &items));
        }
        prop_assert_eq!(cold.groups().map(|(_, items)| items).collect::<Vec<_>>(), written.clone());
        for (number, items) in written.iter().enumerate() {
            let first = cold.peek(&items[0].0);
            prop_assert_eq!(first.as_ref(), Some(&items[0].1));
            let taken = cold.take(number as u32);
            prop_assert_eq!(taken.as_ref(), Some(items));
            prop_assert_eq!(cold.take(number as u32), None);
        }
    }

    #[test]
    fn a_marker_is_read_as_it_is_written(text in "lhm-[0-9a-f]{1,3}-[0-9+]{1,3}-[posx][0-9]{1,2}z?") {
        if let Some(marker) = Marker::parse(&text) {
            prop_assert_eq!(marker.text(), text);
        }
    }
}

#[test]
fn that_it_was_stored_is_noted_where_it_lies() {
    let who = ProcessIdentity::new(7, 9);
    let (first, second) = (
        usual(who, TurnKind::Observation, 5, 0),
        usual(who, TurnKind::Summary, 8, 254),
    );
    let lost = Item {
        good: 0,
        ..usual(who, TurnKind::Observation, 9, 0)
    };
    let mut cold = Cold::default();
    let items = [
        ("lhm-ab-1-o1z", &first),
        ("lhm-ab-1-s1z", &second),
        ("lhm-ab-1-o40z", &lost),
    ];
    assert!(cold.put(1, &items));
    assert!(cold.store("lhm-ab-1-o1z", 1) && cold.store("lhm-ab-1-s1z", 1));
    // What a byte does not hold, and what is not as usual, has to be taken out.
    assert!(!cold.store("lhm-ab-1-s1z", 1) && !cold.store("lhm-ab-1-o40z", 1));
    assert!(!cold.store("lhm-ab-1-o2z", 1) && !cold.store("lhm-cd-1-o1z", 1));
    let stored: Vec<u32> = cold
        .take(1)
        .unwrap()
        .iter()
        .map(|(_, item)| item.stored)
        .collect();
    assert_eq!(stored, [1, 255, 0]);
}

#[test]
fn items_of_two_runs_or_of_two_sessions_are_not_put_away_together() {
    let who = ProcessIdentity::new(7, 9);
    let one = usual(who, TurnKind::Observation, 5, 0);
    let other = Item {
        session: 4,
        ..one.clone()
    };
    let mut cold = Cold::default();
    assert!(!cold.put(1, &[("lhm-ab-1-o1z", &one), ("lhm-ab-1-o2z", &other)]));
    assert!(!cold.put(1, &[("a", &one)]));
    assert!(!cold.put(u32::MAX, &[("lhm-ab-4294967295-o1z", &one)]));
    assert!(cold.put(1, &[("lhm-ab-1-o1z", &one)]));
    assert!(!cold.put(2, &[("lhm-cd-2-o1z", &one)]));
}
