//! What looks fold into.

use super::*;
use crate::attach::examples::{daemon, facts, look, member};

fn report(looks: Vec<Look>) -> AttachReport {
    let mut watch = Watch::new();
    for look in looks {
        watch.see(look);
    }
    watch.finish(facts())
}

#[test]
fn processes_are_grouped_by_relation_and_command_and_zombies_counted_apart() {
    let mut dead = member(13, Evidence::Parent, "claude");
    dead.is_zombie = true;
    dead.rss_bytes = 0;
    let report = report(vec![look(
        0,
        vec![
            member(10, Evidence::Parent, "claude"),
            member(11, Evidence::Parent, "claude"),
            dead,
            member(14, Evidence::Ancestor, "git"),
            member(15, Evidence::LeftTheTree { parent: 1 }, "claude"),
            member(16, Evidence::Command, "claude"),
        ],
    )]);
    let groups: Vec<_> = report
        .groups
        .iter()
        .map(|group| {
            (
                group.relation,
                &*group.signature,
                group.count,
                group.zombies,
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            (Relation::Child, "claude", 2, 1),
            (Relation::Reparented, "claude", 1, 0),
            (Relation::Descendant, "git", 1, 0),
            (Relation::Maybe, "claude", 1, 0),
        ]
    );
    let family = report.family;
    assert_eq!((family.living(), family.maybe, family.zombies), (4, 1, 1));
    assert_eq!(family.rss_bytes, (10 + 11 + 14 + 15) << 20);
    assert_eq!(report.relatives.len(), 2);
    assert_eq!(report.oldest.len(), 4);
    assert_eq!(report.oldest[0].process.pid, 15);
}

#[test]
fn what_came_and_what_ended_is_counted_and_groups_know_their_change() {
    let claude = |pid| member(pid, Evidence::Parent, "claude");
    let report = report(vec![
        look(
            0,
            vec![claude(10), claude(11), member(12, Evidence::Parent, "git")],
        ),
        look(2_000, vec![claude(11), claude(13), claude(14)]),
    ]);
    assert_eq!((report.growth.came, report.growth.ended), (2, 2));
    assert_eq!(report.growth.trend, Trend::TooShort);
    assert_eq!(report.growth.processes, change(3, 3));
    assert_eq!(report.growth.pss_bytes, None);
    assert_eq!(report.groups[0].count_change, change(2, 3));
    let gone = &report.groups[1];
    assert_eq!((&*gone.signature, gone.count), ("git", 0));
    assert_eq!(gone.count_change, change(1, 0));
    assert_eq!(report.forecast, None);
}

#[test]
fn pss_counts_only_where_it_is_known_of_all() {
    let with = |pss| Member {
        pss_bytes: pss,
        ..member(10, Evidence::Parent, "claude")
    };
    let of = |pss| {
        let mut first = look(0, vec![with(Some(5))]);
        first.daemon = Some(DaemonLook {
            pss_bytes: Some(7),
            ..daemon()
        });
        let last = Look {
            at: RunTime::from_millis(9),
            members: vec![with(pss)],
            ..first.clone()
        };
        report(vec![first, last])
    };
    assert_eq!(of(Some(6)).growth.pss_bytes, Some(change(12, 13)));
    assert_eq!(of(None).growth.pss_bytes, None);
    assert_eq!(of(None).family.without_pss, 1);
}

#[test]
fn a_daemon_that_ended_keeps_its_last_figures_and_shows_who_is_left() {
    let mut last = look(
        4_000,
        vec![member(10, Evidence::LeftTheTree { parent: 1 }, "claude")],
    );
    last.daemon = None;
    let report = report(vec![
        look(0, vec![member(10, Evidence::Parent, "claude")]),
        last,
    ]);
    assert_eq!(report.daemon.rss_bytes.after, daemon().rss_bytes);
    assert_eq!(report.family.reparented, 1);
    assert_eq!(report.series.len(), 1);
    assert_eq!(report.watching.for_ms, 4_000);
}

#[test]
fn many_looks_are_thinned_and_the_last_one_stays() {
    let report = report(
        (0..9_001)
            .map(|number| look(number * 1_000, Vec::new()))
            .collect(),
    );
    assert!(
        report.series.len() <= MOST_SHOWN_POINTS,
        "{}",
        report.series.len()
    );
    assert_eq!(report.series[0].t_ms, 0);
    assert_eq!(report.series.last().unwrap().t_ms, 9_000_000);
    assert_eq!(report.watching.looks, 9_001);
    assert_eq!(report.growth.trend, Trend::Steady);
}
