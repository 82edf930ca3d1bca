//! What came of a bisection: `bisect.json`, and the table for people.

use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Conclusion, Outcome};
use crate::report::escape::{markdown, plain, plain_cut};

/// The version of the JSON form. It grows when a field changes its meaning or goes; new fields do not change it.
pub const SCHEMA: u32 = 1;
/// How much of a reason is shown.
const WHY: usize = 160;
/// The oldest release of claude-mem that npm has.
const FIRST_ON_NPM: Version = Version::new(10, 6, 3);

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
    /// How many releases that could be run lie between the ends, these included.
    pub candidates: u32,
    /// What is known of releases beside these.
    #[serde(default)]
    pub beside: Beside,
    /// The releases that were run, oldest first.
    pub tried: Vec<Tried>,
    /// What follows.
    pub conclusion: Conclusion,
}

/// What is known of the releases that were not candidates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Whether the tags of claude-mem were listed. Every release has one; without them there may be releases that nobody here knows.
    pub tags: bool,
    /// Releases between the ends that are known to exist and have no adapter, or come before a release proper; oldest first.
    pub not_run: Vec<Version>,
    /// Why places could not be asked for releases, in words.
    pub unasked: Vec<String>,
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
                "{first} is the first {}that changed {}: {} in {last}, {} in {first}.{}",
                if self.is_searched(last, first) {
                    ""
                } else {
                    "of those tried "
                },
                self.asked,
                word(last),
                word(first),
                self.gap(last, &[first])
            ),
            Conclusion::Among { first, last } => {
                let names: Vec<String> = first.iter().map(Version::to_string).collect();
                format!(
                    "The first that changed {} is one of {}: {} in {last}, {} in {}; the others could not be told.{}",
                    self.asked,
                    names.join(", "),
                    word(last),
                    first.last().map_or_else(String::new, &word),
                    first.last().map_or_else(String::new, Version::to_string),
                    self.gap(last, &first.iter().collect::<Vec<_>>())
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

    /// Whether no release between two is left that was not a candidate.
    fn is_searched(&self, older: &Version, newer: &Version) -> bool {
        follows(older, newer) || (self.beside.tags && self.not_run(older, newer).is_empty())
    }

    /// The releases between two that are known and were no candidates.
    fn not_run(&self, older: &Version, newer: &Version) -> Vec<String> {
        let known = self.beside.not_run.iter();
        known
            .filter(|version| *version > older && *version < newer)
            .map(Version::to_string)
            .collect()
    }

    /// What was not searched from one release to the last of others, in sentences that follow another one.
    fn gap(&self, last: &Version, first: &[&Version]) -> String {
        let Some(newest) = first.last() else {
            return String::new();
        };
        let mut said = String::new();
        let not_run = self.not_run(last, newest);
        if !not_run.is_empty() {
            said += &format!(
                " Between {last} and {newest} there are also {}, which were not tried: they have no adapter, or come before a release.",
                not_run.join(", ")
            );
        }
        let all: Vec<&Version> = std::iter::once(last).chain(first.iter().copied()).collect();
        if !self.beside.tags && all.windows(2).any(|pair| !follows(pair[0], pair[1])) {
            let why = if *last < FIRST_ON_NPM {
                format!("npm has none before {FIRST_ON_NPM}")
            } else {
                "npm does not have all".to_owned()
            };
            said += &format!(
                " Whether there are {}releases between {last} and {newest} is not known here: {why}; --source DIR would tell.",
                if all.len() > 2 || !not_run.is_empty() {
                    "more "
                } else {
                    ""
                }
            );
            for why in &self.beside.unasked {
                said += &format!(" ({}.)", plain_cut(why, WHY));
            }
        }
        said
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

/// Whether no release proper can lie between two: the newer one is the next patch of the older one.
fn follows(older: &Version, newer: &Version) -> bool {
    (older.major, older.minor, older.patch + 1) == (newer.major, newer.minor, newer.patch)
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
            beside: Beside::default(),
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

    /// The sentence of a search that ends between two releases.
    fn found(last: Version, first: Version, beside: Beside) -> String {
        let mut report = report();
        report.tried = Vec::new();
        report.beside = beside;
        report.conclusion = Conclusion::Found { first, last };
        report.sentence()
    }

    #[test]
    fn no_release_is_called_the_first_across_a_gap_that_nobody_searched() {
        let (older, newer) = (Version::new(9, 0, 12), Version::new(9, 0, 17));
        let unasked = vec!["tags could not be listed: no host".to_owned()];
        let blind = Beside {
            unasked,
            ..Beside::default()
        };
        let said = found(older.clone(), newer.clone(), blind.clone());
        assert_eq!(
            said,
            "9.0.17 is the first of those tried that changed the finding retained: unknown in 9.0.12, unknown in 9.0.17. \
             Whether there are releases between 9.0.12 and 9.0.17 is not known here: npm has none before 10.6.3; \
             --source DIR would tell. (tags could not be listed: no host.)"
        );
        let later = found(
            Version::new(11, 0, 0),
            Version::new(13, 4, 0),
            blind.clone(),
        );
        assert!(later.contains("npm does not have all; --source"), "{later}");
        // Tags leave no gap, and nothing lies between a release and its next patch.
        let tags = Beside {
            tags: true,
            ..Beside::default()
        };
        for said in [
            found(older.clone(), newer.clone(), tags.clone()),
            found(older.clone(), Version::new(9, 0, 13), blind),
        ] {
            assert!(said.contains(" is the first that changed "), "{said}");
            assert!(!said.contains("--source"), "{said}");
        }
        // A release without an adapter is known, and is a gap all the same.
        let lacking = Beside {
            not_run: vec![Version::new(9, 0, 14), Version::new(9, 0, 18)],
            ..tags
        };
        let said = found(older, newer, lacking);
        assert!(said.contains(" is the first of those tried "), "{said}");
        assert!(
            said.contains("there are also 9.0.14, which were not tried"),
            "{said}"
        );
    }

    #[test]
    fn the_json_form_can_be_read_again() {
        let json = report().json().expect("it can be written");
        let read: BisectReport = serde_json::from_str(&json).expect("it can be read");
        assert_eq!(read, report());
    }
}
