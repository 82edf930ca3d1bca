use crate::judge::Point;
use crate::judge::check::{judge, judge_with};
use crate::scenario::Survivor;

/// One session whose primary was told nothing; the session ends at 2 s with a grace of 1 s.
const SESSION: &str = "
    0s run; 0s worker 5; 1s open s1; 0.1s..8s tick
    1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1; 2s end s1 complete";
const END: &str = "
    8s load; 8s drained quiet; 8.1s grace; 8.2s stop; 8.3s worker-exit 5; 9.5s residue; 9.6s over";

/// The points that are not like the one before: their moments, and what a figure is from then on.
fn course<T: PartialEq + Copy>(points: &[Point], of: impl Fn(&Point) -> T) -> Vec<(u64, T)> {
    let mut course: Vec<(u64, T)> = Vec::new();
    for point in points {
        let now = of(point);
        if course.last().is_none_or(|(_, before)| *before != now) {
            course.push((point.t_ms, now));
        }
    }
    course
}

fn points(middle: &str) -> Vec<Point> {
    judge(&format!("{SESSION}\n{middle}\n{END}")).series
}

#[test]
fn a_leftover_is_there_from_when_it_is_known_until_it_goes() {
    // Due at 3 s, shown by the sample of 3.1 s, looked at when late statements have had half a second.
    let points = points("5.05s exited 10; 5.1s gone 10");
    assert_eq!(
        course(&points, |point| point.over.retained),
        [(100, 0), (3_600, 1), (5_100, 0)]
    );
    assert!(points.iter().all(|point| point.over.all() <= 1));
}

#[test]
fn a_zombie_is_there_until_it_is_waited_for() {
    let points = points("2.5s bye 10 eof; 2.5s exited 10; 2.5s tick row 10 Z 5 0B; 6.05s gone 10");
    assert_eq!(
        course(&points, |point| point.over.zombie),
        [(100, 0), (4_100, 1), (6_100, 0)]
    );
}

#[test]
fn a_bin_is_the_one_that_is_known_by_then() {
    // Its worker dies; the next one owns up to it at 6 s, by a signal that it does not obey.
    let points = points(
        "2.5s worker-exit 5 unasked; 2.6s worker 6; 2.6s seen 10 parent 1; 6.05s signal 10 15 from 6 ignored",
    );
    let over = course(&points, |point| {
        (point.over.reparented, point.over.readopted)
    });
    assert_eq!(over, [(100, (0, 0)), (3_600, (1, 0)), (6_100, (0, 1))]);
}

#[test]
fn what_is_meant_to_live_is_no_leftover() {
    let survivor = Survivor {
        role: None,
        command: Some("--verbose".to_owned()),
        reason: String::new(),
    };
    let judgement = judge_with(&format!("{SESSION}\n{END}"), |expectations| {
        expectations.survivors = vec![survivor];
    });
    assert!(judgement.series.iter().all(|point| point.over.all() == 0));
}

#[test]
fn pss_is_that_of_the_living() {
    let points = points(
        "1s seen 11 parent 10; 1.55s examined 10 pss 4MiB; 1.65s examined 11 pss 2MiB; 1.75s examined 10 pss 5MiB
         2.25s bye 10 eof; 2.25s exited 10; 2.26s gone 10; 2.45s exited 11; 2.46s gone 11",
    );
    const MIB: u64 = 1 << 20;
    assert_eq!(
        course(&points, |point| point.pss_bytes),
        [
            (100, None),
            (1_600, Some(4 * MIB)),
            (1_700, Some(6 * MIB)),
            (1_800, Some(7 * MIB)),
            (2_300, Some(2 * MIB)),
            (2_500, Some(0)),
        ]
    );
}
