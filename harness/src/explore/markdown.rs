//! The results of a search in words and tables: `explore.md`, and what goes to the screen.

use super::results::{Came, ExploreReport, Schedule};
use crate::report::escape::plain;
use crate::units::Count;

/// The results as Markdown.
pub fn render(report: &ExploreReport) -> String {
    let mut out = format!("# Search over moments: {}\n\n", plain(&report.scenario));
    out += &headline(report);
    for schedule in &report.found {
        out += "\n";
        out += &one(schedule);
    }
    out +=
        "\n## Tried\n\n| step | victim | what | after | what came of it |\n|---|---|---|---|---|\n";
    for tried in &report.tried {
        let moment = &tried.moment;
        out += &format!(
            "| {} | {} | {} | {} ms | {} |\n",
            moment.step,
            moment.victim,
            moment.what,
            moment.after.as_millis(),
            words(&tried.came).replace('|', "\\|")
        );
    }
    out
}

/// The results for people, on a screen.
pub fn terminal(report: &ExploreReport) -> String {
    let mut out = headline(report);
    for schedule in &report.found {
        out += "\n";
        out += &one(schedule);
    }
    out
}

fn headline(report: &ExploreReport) -> String {
    let confirmed = report.confirmed().count();
    let nothing = report.count(|came| matches!(came, Came::Never | Came::Nothing { .. }));
    let open = report.count(|came| matches!(came, Came::Inconclusive { .. } | Came::Failed { .. }));
    let verdict = match confirmed {
        0 => "Nothing found".to_owned(),
        _ => format!("{} found", Count(confirmed as u64, "schedule")),
    };
    let stopped = if report.interrupted {
        " The search was stopped before its end."
    } else {
        ""
    };
    format!(
        "{verdict}: {} of {} moments tried on {} (seed {}), {} in all; {nothing} came to nothing, {open} could not be decided.{stopped}\n",
        report.tried.len(),
        report.lattice,
        plain(&report.worker),
        report.seed,
        Count(report.runs as u64, "run"),
    )
}

fn one(schedule: &Schedule) -> String {
    let mut out = format!("{}\n", plain(&schedule.guilt.words()));
    out += &format!(
        "  found with {}, at {} in all; found again in {} of {}\n",
        schedule.moment,
        Count(schedule.moments as u64, "moment"),
        schedule.again,
        Count(u64::from(schedule.of), "run")
    );
    if !schedule.smaller.is_empty() {
        out += &format!(
            "  made smaller in {}: {}\n",
            Count(schedule.runs as u64, "run"),
            schedule.smaller.join(", ")
        );
    }
    out += &match &schedule.file {
        Some(file) if schedule.holds => format!("  leak-harness run {}\n", plain(file)),
        Some(file) => format!(
            "  {}: its runs differ, so that two of three are not as the file expects\n",
            plain(file)
        ),
        None => "  no scenario file was written\n".to_owned(),
    };
    out
}

fn words(came: &Came) -> String {
    plain(&match came {
        Came::AsBefore => "as without it".to_owned(),
        Came::Never => "the step was not reached".to_owned(),
        Came::Nothing { because } => format!("came to nothing: {because}"),
        Came::Found { guilt } => {
            let guilt: Vec<String> = guilt.iter().map(super::guilt::Guilt::words).collect();
            format!("**{}**", guilt.join("; "))
        }
        Came::Inconclusive { reasons } => format!("not decided: {}", reasons.join("; ")),
        Came::Failed { message } => format!("no result: {message}"),
    })
}

#[cfg(test)]
mod tests {
    use fake_claude::quantity::Span;

    use super::*;
    use crate::explore::guilt::Guilt;
    use crate::explore::lattice::Moment;
    use crate::explore::results::{SCHEMA, Tried};
    use crate::scenario::{Bin, FaultKind, Step, Victim};

    fn report() -> ExploreReport {
        let moment = Moment {
            step: Step::Given,
            victim: Victim::Worker,
            what: FaultKind::Restart,
            after: Span::from_millis(20),
        };
        let guilt = Guilt {
            rule: Bin::Duplicated,
            subject: "observation".to_owned(),
            cause: "answered by more than one claude".to_owned(),
        };
        let tried = |came| Tried { moment, came };
        ExploreReport {
            schema: SCHEMA,
            scenario: "clean".to_owned(),
            worker: "model".to_owned(),
            seed: 603,
            lattice: 300,
            interrupted: false,
            runs: 17,
            without: Vec::new(),
            tried: vec![
                tried(Came::Found {
                    guilt: vec![guilt.clone()],
                }),
                tried(Came::AsBefore),
                tried(Came::Never),
                tried(Came::Inconclusive {
                    reasons: vec!["a sample was lost".to_owned()],
                }),
            ],
            found: vec![Schedule {
                guilt,
                moment,
                moments: 1,
                again: 3,
                of: 3,
                smaller: vec!["sessions 1".to_owned(), "after 0 ms".to_owned()],
                runs: 9,
                file: Some("clean-duplicated-observation.toml".to_owned()),
                holds: true,
                text: None,
            }],
        }
    }

    #[test]
    fn the_page_says_what_was_tried_and_what_came_of_it() {
        insta::assert_snapshot!("explore", render(&report()));
    }

    #[test]
    fn two_of_three_confirm_and_one_does_not() {
        let mut schedule = report().found.remove(0);
        for (again, expected) in [(3, true), (2, true), (1, false), (0, false)] {
            schedule.again = again;
            assert_eq!(schedule.is_confirmed(), expected);
        }
        schedule.of = 0;
        assert!(!schedule.is_confirmed());
    }

    #[test]
    fn the_results_survive_json() {
        let text = serde_json::to_string(&report()).unwrap();
        assert_eq!(
            serde_json::from_str::<ExploreReport>(&text).unwrap(),
            report()
        );
        assert!(text.contains(r#""came":"found""#));
    }
}
