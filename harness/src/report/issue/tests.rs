use super::*;
use crate::report::examples::{failing, inconclusive, passing};
use crate::report::story::Moment;
use crate::scenario::Bin;

#[test]
fn a_failure_is_shown() {
    insta::assert_snapshot!(render(&failing()));
}

#[test]
fn an_issue_that_can_be_filed_says_nothing_of_expectations() {
    let mut report = failing();
    report.as_expected = true;
    report.unexpected.clear();
    let text = render(&report);
    for never in [
        "as expected",
        "Not to be filed",
        "events ",
        "Smallest leak",
        "lhm-",
    ] {
        assert!(!text.contains(never), "{never}: {text}");
    }
    assert!(text.starts_with("# Nobody"));
    assert!(text.contains("with another code when it does not"));
}

#[test]
fn half_a_run_is_not_to_be_filed() {
    for report in [
        Report {
            cut_off: true,
            ..passing()
        },
        inconclusive(),
    ] {
        assert!(render(&report).contains("**Not to be filed as it is**: "));
    }
    assert!(!render(&passing()).contains("Not to be filed"));
}

#[test]
fn what_a_scenario_does_not_say_is_not_made_up() {
    let mut report = failing();
    (report.made.should, report.made.impact) = (None, None);
    let text = render(&report);
    assert!(text.contains(
        "**Expected**: each claude: gone and waited for within 1.0 s of its session's end; "
    ));
    assert!(!text.contains("Why it matters"));
}

#[test]
fn a_scaled_run_tells_both_times() {
    let mut report = failing();
    report.scenario.time_scale = 30.0;
    report
        .findings
        .retain(|finding| finding.rule == Bin::KilledEarly);
    report.findings[0].processes[0].age_ms = 6_300;
    report.stories[0].moments = vec![Moment {
        after_ms: 6_500,
        what: "claude 17 hears SIGTERM".to_owned(),
    }];
    let text = render(&report);
    for part in [
        "3 min 9 s (6.3 s of wall time) after it had started",
        "| 3 min 15 s | 6500 | claude 17 hears SIGTERM |",
        "are divided by 30",
    ] {
        assert!(
            text.contains(&markdown(part).replace("\\|", "|")),
            "{part}: {text}"
        );
    }
}

#[test]
fn memory_is_told_where_it_is_that_of_a_claude() {
    let mut report = failing();
    assert!(render(&report).contains("| RSS(KB) "));
    report.memory.ballast = false;
    assert!(!render(&report).contains("RSS(KB)"));
}

#[test]
fn the_file_is_named_by_its_place_only_where_it_lies_there() {
    let mut report = failing();
    let run = |report: &Report| {
        let text = render(report);
        let run = text.lines().find(|line| line.contains("leak-harness run "));
        run.unwrap().to_owned()
    };
    report.scenario_file = Some("scenarios/regressions/603.toml".to_owned());
    assert!(run(&report).contains(" run scenarios/regressions/603.toml --seed 603 --out "));
    for elsewhere in [
        "mine/603.toml",
        "scenarios/../603.toml",
        "scenarios/$(x).toml",
    ] {
        report.scenario_file = Some(elsewhere.to_owned());
        assert!(
            run(&report).contains(" run 603-as-reported.toml "),
            "{elsewhere}"
        );
    }
    report.scenario_file = Some("scenarios/regressions/603.toml".to_owned());
    report.command = "leak-harness run 603.toml --set load.sessions=3".to_owned();
    assert!(run(&report).contains(" run 603-as-reported.toml "));
}
