//! The cases of the gym: scenario files that are part of the program, so that it works without a checkout.

use crate::scenario::{ExpectedCause, Scenario};
use crate::strict_toml::TomlError;

include!(concat!(env!("OUT_DIR"), "/gym.rs"));

/// What a case is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something is planted, and must be found.
    Defect,
    /// Nothing is wrong, though it may look so: nothing must be found.
    Control,
    /// Nothing is wrong, and its load may be made as large or small as one likes.
    Sound,
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name, which is its file's name too.
    pub name: &'static str,
    /// The text of its file.
    pub text: &'static str,
    /// The scenario that this text is.
    pub scenario: Scenario,
    /// What it is there for.
    pub kind: Kind,
}

impl Case {
    /// What a defect is about: bin, subject and cause.
    pub fn about(&self) -> Option<&ExpectedCause> {
        self.scenario.expect.causes.first()
    }
}

/// All cases of a kind, in the order of their names.
///
/// # Errors
///
/// When one of the files is no scenario; a test keeps that from happening.
pub fn cases(kind: Kind) -> Result<Vec<Case>, TomlError> {
    let files = match kind {
        Kind::Defect => DEFECTS,
        Kind::Control => CONTROLS,
        Kind::Sound => SOUND,
    };
    let read = |&(name, text)| {
        Ok(Case {
            name,
            text,
            scenario: Scenario::parse(&format!("{name}.toml"), text)?,
            kind,
        })
    };
    files.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::scenario::Verdict;

    /// How many defects the gym has at the least.
    const LEAST_DEFECTS: usize = 36;

    fn all(kind: Kind) -> Vec<Case> {
        cases(kind).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_case_is_called_as_its_file() {
        for case in [Kind::Defect, Kind::Control, Kind::Sound]
            .into_iter()
            .flat_map(all)
        {
            assert_eq!(case.name, case.scenario.name);
        }
    }

    #[test]
    fn there_are_enough_defects() {
        let count = all(Kind::Defect).len();
        assert!(count >= LEAST_DEFECTS, "{count} of {LEAST_DEFECTS}");
    }

    #[test]
    fn every_defect_names_what_it_is_about_and_no_two_the_same() {
        let mut seen = BTreeMap::new();
        for case in all(Kind::Defect) {
            let name = case.name;
            assert_eq!(case.scenario.expect.verdict, Verdict::Fail, "{name}");
            let about = case
                .about()
                .unwrap_or_else(|| panic!("{name} names no cause"));
            let subject = about
                .subject
                .clone()
                .unwrap_or_else(|| panic!("{name} names no subject"));
            let key = (about.rule, subject, about.cause.clone());
            if let Some(other) = seen.insert(key, name) {
                panic!("{name} is about the same as {other}: {about:?}");
            }
        }
    }

    #[test]
    fn nothing_is_expected_of_what_is_clean() {
        for case in [Kind::Control, Kind::Sound].into_iter().flat_map(all) {
            let expect = &case.scenario.expect;
            assert_eq!(expect.verdict, Verdict::Pass, "{}", case.name);
            assert!(expect.causes.is_empty(), "{}", case.name);
        }
        assert!(!all(Kind::Sound).is_empty());
    }
}
