use super::*;
use crate::judge::check::{check, check_with, judge, judge_with};
use crate::judge::{Expectations, Judgement};

/// A run in which the worker's figures at a second are as given, as words of a tick; a session opens and ends each second.
fn run(seconds: u64, step: u64, figures: impl Fn(u64) -> String) -> String {
    let mut text = format!("0s run planned={seconds}; 0s worker 5\n");
    for second in 1..=seconds {
        text += &format!("{second}s open s{second}; {second}.9s end s{second} complete\n");
    }
    for millis in (1_000..seconds * 1_000 + 1_000).step_by(step as usize) {
        text += &format!("{millis}ms tick {}\n", figures(millis / 1_000));
    }
    let end = seconds + 2;
    text + &format!(
        "{end}s load; {end}s drained quiet; {}s grace; {}s over",
        end + 3,
        end + 4
    )
}

fn rss(step: u64, mib: impl Fn(u64) -> u64) -> String {
    run(120, step, |second| format!("1 worker {}MiB", mib(second)))
}

#[track_caller]
fn figure(judgement: &Judgement, name: &str) -> GrowthFigure {
    let mut figures = judgement.growth.iter();
    figures
        .find(|figure| figure.figure == name)
        .unwrap()
        .clone()
}

#[track_caller]
fn found(judgement: &Judgement) -> Vec<(&str, &str)> {
    let growth = judgement.findings.iter();
    growth
        .filter(|finding| finding.rule == Bin::Growth)
        .map(|finding| (finding.subject.as_str(), finding.cause.as_str()))
        .collect()
}

#[test]
fn a_worker_that_grows_all_the_time_is_found() {
    let history = rss(200, |second| 100 + second);
    check(&history, "fail growth=1");
    let judgement = judge(&history);
    assert_eq!(found(&judgement), [("the worker's RSS", CAUSE)]);
    let seen = &judgement.findings[0].evidence.seen;
    assert!(
        seen.contains("per hour of the run, 1.0 MiB per session"),
        "{seen}"
    );
    assert!(!judgement.findings[0].signature.contains("MiB"));
    let rss = figure(&judgement, "the worker's RSS");
    assert!(
        (rss.per_session.unwrap() / 1_048_576.0 - 1.0).abs() < 0.05,
        "{rss:?}"
    );
    assert!(rss.slope_per_hour_low <= rss.slope_per_hour && rss.grows);
}

#[test]
fn a_warm_up_and_a_saw_are_no_growth_and_the_pass_says_what_it_would_have_seen() {
    check(&rss(200, |second| 100 + second.min(30)), "pass");
    let saw = rss(200, |second| 100 + second % 30 * 3);
    check(&saw, "pass");
    let said = judge(&saw).smallest_leak;
    assert!(said.contains("growth of the worker's RSS by"), "{said}");
    assert!(said.contains("a session)"), "{said}");
    assert!(said.contains("growth of the worker's open files, of the worker's pipes and sockets, of the worker's threads was not judged: it was never taken"), "{said}");
}

#[test]
fn a_short_load_is_not_judged_and_names_the_knob() {
    let history = run(30, 100, |second| {
        format!("1 worker {}MiB", 100 + 9 * second)
    });
    check(&history, "pass");
    let said = judge(&history).smallest_leak;
    assert!(said.contains("the load lasted 22."), "{said}");
    assert!(
        said.contains("after warm-up and 1 min 0 s are needed (expect.growth.least)"),
        "{said}"
    );
    let short = |expect: &mut Expectations| expect.growth.least = Span::from_secs(10);
    check_with(&history, short, "fail growth=1");
}

#[test]
fn with_too_few_samples_it_is_not_judged() {
    let history = rss(3_000, |second| 100 + second);
    check(&history, "pass");
    let said = judge(&history).smallest_leak;
    assert!(
        said.contains("samples after warm-up, and 36 are needed"),
        "{said}"
    );
}

#[test]
fn a_leak_of_pipes_is_one_finding_and_the_more_specific_one() {
    let pipes = run(120, 250, |second| {
        format!("1 worker 90MiB files {} pipes {}", 20 + second, 4 + second)
    });
    let judgement = judge(&pipes);
    assert_eq!(
        found(&judgement),
        [("the worker's pipes and sockets", CAUSE)]
    );
    let files = run(120, 250, |second| {
        format!("1 worker 90MiB files {} pipes 4 threads 3", 20 + second)
    });
    assert_eq!(found(&judge(&files)), [("the worker's open files", CAUSE)]);
    let threads = run(120, 250, |second| {
        format!("1 worker 90MiB files 9 pipes 4 threads {}", 3 + second / 4)
    });
    assert_eq!(found(&judge(&threads)), [("the worker's threads", CAUSE)]);
}

#[test]
fn what_more_children_explain_is_no_leak() {
    // More and more children, and three files for each: a load that has not settled.
    let loaded = |each: u64| {
        run(120, 250, |second| {
            let children = 1 + second / 4;
            format!(
                "{children} worker 90MiB files {} pipes 4",
                20 + each * children
            )
        })
    };
    let files = |judgement: &Judgement| figure(judgement, "the worker's open files").grows;
    assert!(!files(&judge(&loaded(3))));
    assert!(files(&judge(&loaded(9))));
}

#[test]
fn children_beyond_the_sessions_under_way_are_found() {
    let history = run(120, 250, |second| {
        format!("{} worker 90MiB", 3 + second / 4)
    });
    assert_eq!(found(&judge(&history)), [("the number of children", CAUSE)]);
    // As many as there are sessions under way: each session stays within its grace.
    let long = |expect: &mut Expectations| {
        for grace in expect.graces.values_mut() {
            *grace = Span::from_secs(300);
        }
    };
    assert_eq!(found(&judge_with(&history, long)), []);
}

#[test]
fn files_are_not_judged_when_processes_leak() {
    let leak = "1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1";
    let history = run(120, 250, |second| {
        format!("1 worker 90MiB files {} pipes 4", 20 + second)
    });
    let judgement = judge(&format!("{history}\n{leak}"));
    assert_eq!(found(&judgement), []);
    let files = figure(&judgement, "the worker's open files");
    assert!(files.reason.unwrap().contains("processes leak"));
}

#[test]
fn a_worker_that_was_started_again_is_measured_anew() {
    // It grew until it was started again, and has not grown since.
    let history = run(240, 250, |second| {
        format!(
            "1 worker {}MiB",
            if second < 100 { 100 + second } else { 50 }
        )
    });
    check(&format!("{history}\n100s worker 6"), "pass");
}

#[test]
fn growth_is_known_unless_it_is_surely_faster_than_the_baseline() {
    let slow = judge(&rss(200, |second| 100 + second));
    let against = |history: &str| {
        let known: Vec<String> = slow
            .findings
            .iter()
            .map(|finding| finding.signature.clone())
            .collect();
        judge_with(history, |expect| {
            expect.known.extend(known);
            expect.known_growth = slow.growth.clone();
        })
    };
    let same = against(&rss(200, |second| 80 + second));
    assert!(same.findings[0].known, "{:?}", same.reasons);
    let faster = against(&rss(200, |second| 100 + 3 * second));
    assert!(!faster.findings[0].known);
    assert!(
        faster.findings[0]
            .signature
            .ends_with("faster than the baseline")
    );
    assert_eq!(found(&faster), [("the worker's RSS", CAUSE)]);
    // Twice the sessions in the same time, and as much for each of them.
    let mut busy = rss(200, |second| 100 + 2 * second);
    for second in 1..=120 {
        busy = busy.replacen(
            '\n',
            &format!("\n{second}.5s open t{second}; {second}.9s end t{second} complete\n"),
            1,
        );
    }
    assert!(against(&busy.replace("planned=120", "planned=240")).findings[0].known);
}
