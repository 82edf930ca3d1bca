//! What came of a bisection: `bisect.json`, and the table for people.

use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Conclusion, Outcome};
use crate::report::escape::{markdown, plain, plain_cut};

/// The version of the JSON form. It grows when a field changes its meaning or goes; new fields do not change it.
pub const SCHEMA: u32 = 1;
/// How much of a reason is shown.
const WHY: usize = 160;

/// What came of a bisection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BisectReport {
    /// The version of this form.
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The release that was said to be well.
    pub good: Version,
    /// The release that was said not to be.
    pub bad: Version,
    /// What was asked of each run: `verdict`, or the name of a finding.
    pub asked: String,
    /// How many releases lie between the ends, these included.
    pub candidates: u32,
    /// The releases that were run, oldest first.
    pub tried: Vec<Tried>,
    /// What follows.
    pub conclusion: Conclusion,
}

/// One release that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Which.
    pub version: Version,
    /// What came of its runs together.
    pub outcome: Outcome,
    /// What each run found, in a few words.
    pub runs: Vec<String>,
}

impl BisectReport {
    /// As indented JSON with a line break at its end.
    ///
    /// # Errors
    ///
    /// When a figure cannot be written, which does not happen.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// What follows, in a sentence.
    pub fn sentence(&self) -> String {
        let word = |version: &Version| {
            let tried = self.tried.iter().find(|tried| tried.version == *version);
            match tried.map(|tried| &tried.outcome) {
                Some(Outcome::Agreed(word)) => word.clone(),
                _ => "unknown".to_owned(),
            }
        };
        let flaky: Vec<String> = self
            .tried
            .iter()
            .filter(|tried| matches!(tried.outcome, Outcome::Flaky(_)))
            .map(|tried| tried.version.to_string())
            .collect();
        let mut sentence = match &self.conclusion {
            Conclusion::Found { first, last } => format!(
                "{first} is the first that changed {}: {} in {last}, {} in {first}.",
                self.asked,
                word(last),
                word(first)
            ),
            Conclusion::Among { first, last } => {
                let names: Vec<String> = first.iter().map(Version::to_string).collect();
                format!(
                    "The first that changed {} is one of {}: {} in {last}, {} in {}; the others could not be told.",
                    self.asked,
                    names.join(", "),
                    word(last),
                    first.last().map_or_else(String::new, &word),
                    first.last().map_or_else(String::new, Version::to_string),
                )
            }
            Conclusion::Same { word } => format!(
                "{} and {} are the same, {word}: there is no change to look for.",
                self.good, self.bad
            ),
            Conclusion::FlakyEnd { version } => {
                format!("{version} differs between its runs, so there is nothing to start from.")
            }
            Conclusion::SkippedEnd { version, why } => {
                format!("{version} would not run: {}", plain_cut(why, WHY))
            }
        };
        if !flaky.is_empty() {
            sentence += &format!(" Flaky, its runs differ: {}.", flaky.join(", "));
        }
        sentence
    }

    /// For people, on a screen.
    pub fn terminal(&self) -> String {
        let mut out = format!(
            "{}\n\n{}, {} of {} releases run\n",
            self.sentence(),
            plain(&self.scenario),
            self.tried.len(),
            self.candidates
        );
        for tried in &self.tried {
            let version = tried.version.to_string();
            out += &format!("  {version:<10} {}\n", said(&tried.outcome));
            for run in &tried.runs {
                out += &format!("             {}\n", plain_cut(run, WHY));
            }
        }
        out
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "# {}\n\n{}\n\n| release | {} | its runs |\n|---|---|---|\n",
            markdown(&self.scenario),
            markdown(&self.sentence()),
            markdown(&self.asked)
        );
        for tried in &self.tried {
            let runs: Vec<String> = tried.runs.iter().map(|run| markdown(run)).collect();
            out += &format!(
                "| {} | {} | {} |\n",
                tried.version,
                markdown(&said(&tried.outcome)),
                runs.join("; ")
            );
        }
        out
    }
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Agreed(word) => plain(word),
        Outcome::Flaky(words) => format!("flaky: {}", plain(&words.join(", "))),
        Outcome::Skipped(why) => format!("would not run: {}", plain_cut(why, WHY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> BisectReport {
        let tried = |patch, outcome, runs: &[&str]| Tried {
            version: Version::new(9, 0, patch),
            outcome,
            runs: runs.iter().map(|run| (*run).to_owned()).collect(),
        };
        let agreed = |word: &str| Outcome::Agreed(word.to_owned());
        BisectReport {
            schema: SCHEMA,
            scenario: "idle|<b>".to_owned(),
            good: Version::new(9, 0, 17),
            bad: Version::new(9, 0, 8),
            asked: "the finding retained".to_owned(),
            candidates: 8,
            tried: vec![
                tried(8, agreed("retained"), &["8 retained", "8 retained"]),
                tried(
                    11,
                    Outcome::Flaky(vec!["retained".to_owned(), "no retained".to_owned()]),
                    &["1 retained", "pass"],
                ),
                tried(12, Outcome::Skipped("\x1b[2Jno\nnode".to_owned()), &[]),
                tried(13, agreed("no retained"), &["pass", "pass"]),
            ],
            conclusion: Conclusion::Among {
                first: [11, 12, 13].map(|patch| Version::new(9, 0, patch)).into(),
                last: Version::new(9, 0, 8),
            },
        }
    }

    #[test]
    fn what_could_not_be_told_is_said() {
        let report = report();
        insta::assert_snapshot!("terminal", report.terminal());
        insta::assert_snapshot!("markdown", report.markdown());
        assert!(!report.terminal().contains('\x1b'));
    }

    #[test]
    fn the_json_form_can_be_read_again() {
        let json = report().json().expect("it can be written");
        let read: BisectReport = serde_json::from_str(&json).expect("it can be read");
        assert_eq!(read, report());
    }
}
