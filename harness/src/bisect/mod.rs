//! The bisection: which release changed what a scenario comes to.
//!
//! The search is pure: it says which release is to be run next and takes what came of it. A release whose runs differ, or that would not
//! run, is passed over for its neighbour and never guessed; where the change lies among such releases, all of them are named.

pub mod report;

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

/// What came of the runs of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All runs agree on this word: the verdict, or whether the finding is there.
    Agreed(String),
    /// The runs differ: one word for each.
    Flaky(Vec<String>),
    /// It would not run, and why.
    Skipped(String),
}

/// What the search comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Conclusion {
    /// This release is the first that differs from the older end.
    Found {
        /// Which.
        first: Version,
        /// The last one before it, which is as the older end.
        last: Version,
    },
    /// The change came with one of these; the others could not be told.
    Among {
        /// Those that may be the first, oldest first; the last one is known to differ.
        first: Vec<Version>,
        /// The last one before them, which is as the older end.
        last: Version,
    },
    /// Both ends have the same word.
    Same {
        /// The word.
        word: String,
    },
    /// An end differs between its runs.
    FlakyEnd {
        /// Which.
        version: Version,
    },
    /// An end would not run.
    SkippedEnd {
        /// Which.
        version: Version,
        /// Why.
        why: String,
    },
}

/// A search under way.
#[derive(Debug)]
pub struct Search {
    versions: Vec<Version>,
    known: BTreeMap<usize, Outcome>,
}

/// What the search wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This release is to be run.
    Run(Version),
    /// It is over.
    Over(Conclusion),
}

impl Search {
    /// A search among these releases, oldest first: its ends are the first and the last. At least two.
    pub fn new(versions: Vec<Version>) -> Self {
        Self {
            versions,
            known: BTreeMap::new(),
        }
    }

    /// What is to be done next.
    pub fn next(&self) -> Step {
        let newest = self.versions.len().saturating_sub(1);
        let mut words = Vec::new();
        for end in [0, newest] {
            let version = self.versions[end].clone();
            match self.known.get(&end) {
                None => return Step::Run(version),
                Some(Outcome::Agreed(word)) => words.push(word),
                Some(Outcome::Flaky(_)) => return Step::Over(Conclusion::FlakyEnd { version }),
                Some(Outcome::Skipped(why)) => {
                    let why = why.clone();
                    return Step::Over(Conclusion::SkippedEnd { version, why });
                }
            }
        }
        if words[0] == words[1] {
            let word = words[0].clone();
            return Step::Over(Conclusion::Same { word });
        }
        // What is as the older end, and what is not: the change lies between the newest of the one and the oldest of the other after it.
        let as_older = |place: &usize| self.known.get(place) == self.known.get(&0);
        let told = |place: &usize| matches!(self.known.get(place), Some(Outcome::Agreed(_)));
        let mut low = 0;
        let mut high = newest;
        for place in (1..newest).filter(|place| told(place)) {
            if place < high && place > low {
                if as_older(&place) {
                    low = place;
                } else {
                    high = place;
                }
            }
        }
        let middle = usize::midpoint(low, high);
        let untried = (low + 1..high).filter(|place| !self.known.contains_key(place));
        if let Some(next) = untried.min_by_key(|place| place.abs_diff(middle)) {
            return Step::Run(self.versions[next].clone());
        }
        let last = self.versions[low].clone();
        Step::Over(if high == low + 1 {
            let first = self.versions[high].clone();
            Conclusion::Found { first, last }
        } else {
            let first = self.versions[low + 1..=high].to_vec();
            Conclusion::Among { first, last }
        })
    }

    /// Takes what came of a release.
    pub fn learn(&mut self, version: &Version, outcome: Outcome) {
        if let Some(place) = self.versions.iter().position(|known| known == version) {
            self.known.insert(place, outcome);
        }
    }

    /// The releases that were tried, oldest first, with what came of them.
    pub fn tried(&self) -> impl Iterator<Item = (&Version, &Outcome)> {
        self.known
            .iter()
            .map(|(place, outcome)| (&self.versions[*place], outcome))
    }
}

/// What several runs of one release come to: nothing that only some of them say is taken for the release's own.
pub fn outcome(words: Vec<Result<String, String>>) -> Outcome {
    let mut said = Vec::new();
    for word in words {
        match word {
            Ok(word) => said.push(word),
            Err(why) => return Outcome::Skipped(why),
        }
    }
    match said.first() {
        None => Outcome::Skipped("it was not run".to_owned()),
        Some(first) if said.iter().all(|word| word == first) => Outcome::Agreed(first.clone()),
        Some(_) => Outcome::Flaky(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(count: u64) -> Vec<Version> {
        (0..count).map(|patch| Version::new(9, 0, patch)).collect()
    }

    fn agreed(word: &str) -> Outcome {
        Outcome::Agreed(word.to_owned())
    }

    /// Searches with an answer for each patch; gives the conclusion, and how many were run.
    fn search(count: u64, answer: impl Fn(u64) -> Outcome) -> (Conclusion, usize) {
        let mut search = Search::new(versions(count));
        for _ in 0..=count {
            match search.next() {
                Step::Run(version) => search.learn(&version, answer(version.patch)),
                Step::Over(conclusion) => return (conclusion, search.tried().count()),
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn the_first_changed_release_is_found_wherever_it_is() {
        for count in 2..40 {
            for first in 1..count {
                let word = |patch| agreed(if patch < first { "fail" } else { "pass" });
                let (conclusion, tried) = search(count, word);
                let expected = Conclusion::Found {
                    first: Version::new(9, 0, first),
                    last: Version::new(9, 0, first - 1),
                };
                assert_eq!(conclusion, expected);
                // Both ends, and then half of what is left each time.
                assert!(tried <= 2 + count.ilog2() as usize + 1, "{count}: {tried}");
            }
        }
    }

    #[test]
    fn what_cannot_be_told_is_passed_over_and_named() {
        let flaky = || Outcome::Flaky(vec!["pass".to_owned(), "fail".to_owned()]);
        // Beside the change, but not at it: no matter.
        let (conclusion, _) = search(9, |patch| match patch {
            2 => Outcome::Skipped("it would not start".to_owned()),
            patch => agreed(if patch < 6 { "pass" } else { "fail" }),
        });
        assert!(
            matches!(conclusion, Conclusion::Found { first, .. } if first == Version::new(9, 0, 6))
        );
        // Where it may be the change itself, nobody guesses.
        let (conclusion, _) = search(9, |patch| match patch {
            4 | 5 => flaky(),
            patch => agreed(if patch < 4 { "pass" } else { "fail" }),
        });
        let expected = Conclusion::Among {
            first: [4, 5, 6].map(|patch| Version::new(9, 0, patch)).into(),
            last: Version::new(9, 0, 3),
        };
        assert_eq!(conclusion, expected);
        let (conclusion, tried) = search(9, |_| flaky());
        let version = Version::new(9, 0, 0);
        assert_eq!((conclusion, tried), (Conclusion::FlakyEnd { version }, 1));
    }

    #[test]
    fn equal_ends_are_no_change_and_an_end_that_does_not_run_is_an_end() {
        let (conclusion, tried) = search(9, |_| agreed("fail"));
        let word = "fail".to_owned();
        assert_eq!((conclusion, tried), (Conclusion::Same { word }, 2));
        let (conclusion, _) = search(9, |patch| match patch {
            8 => Outcome::Skipped("no".to_owned()),
            _ => agreed("fail"),
        });
        let (version, why) = (Version::new(9, 0, 8), "no".to_owned());
        assert_eq!(conclusion, Conclusion::SkippedEnd { version, why });
    }

    #[test]
    fn runs_that_differ_are_flaky_and_one_that_fails_is_no_result() {
        let ok = |word: &str| Ok(word.to_owned());
        assert_eq!(outcome(vec![ok("pass"), ok("pass")]), agreed("pass"));
        assert!(matches!(
            outcome(vec![ok("pass"), ok("fail")]),
            Outcome::Flaky(_)
        ));
        let failed = outcome(vec![ok("pass"), Err("no".to_owned())]);
        assert_eq!(failed, Outcome::Skipped("no".to_owned()));
        assert!(matches!(outcome(Vec::new()), Outcome::Skipped(_)));
    }
}
