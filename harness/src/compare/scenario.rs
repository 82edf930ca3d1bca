//! What two runs were asked for differently: their scenarios, key by key.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use toml::{Table, Value};

use crate::report::Report;

/// How many keys a sentence names; the others are in the JSON form.
const NAMED: usize = 8;
/// How many characters of a value a sentence has room for.
const VALUE: usize = 32;
/// What is said elsewhere, or names a run and does nothing in it: two runs of one scenario may differ in these.
const OF_NO_EFFECT: [&str; 6] = [
    "name",
    "description",
    "issue",
    "seed",
    "worker.name",
    "worker.cleanup",
];
/// What a run should come to, which changes nothing of what is measured.
const EXPECTED: [&str; 2] = ["expect.verdict", "expect.findings"];

/// A key that has another value in B than in A.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyDifference {
    /// The key with the tables that hold it: `load.end`.
    pub key: String,
    /// Its value in A as TOML; none where A does not set it.
    pub a: Option<String>,
    /// Its value in B as TOML; none where B does not set it.
    pub b: Option<String>,
}

/// The keys in which the two scenarios differ, in the order of their names; none where a report does not hold its scenario.
pub(super) fn differences(a: &Report, b: &Report) -> Vec<KeyDifference> {
    let (Some(of_a), Some(of_b)) = (keys(a), keys(b)) else {
        return Vec::new();
    };
    let mut names: Vec<&String> = of_a.keys().chain(of_b.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|key| of_a.get(*key) != of_b.get(*key) && !is_of_no_effect(key))
        .map(|key| KeyDifference {
            key: key.clone(),
            a: of_a.get(key).cloned(),
            b: of_b.get(key).cloned(),
        })
        .collect()
}

fn is_of_no_effect(key: &str) -> bool {
    let within = |table: &&str| {
        key.strip_prefix(*table)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    OF_NO_EFFECT.contains(&key) || EXPECTED.iter().any(within)
}

/// The differences in one sentence; none where there are none.
pub(super) fn sentence(differences: &[KeyDifference]) -> Option<String> {
    let value = |value: &Option<String>| match value {
        Some(value) => short(value.trim_matches('"')),
        None => "not set".to_owned(),
    };
    let named = differences.iter().take(NAMED).map(|difference| {
        let (a, b) = (value(&difference.a), value(&difference.b));
        format!("{} {a} → {b}", difference.key)
    });
    let mut parts: Vec<String> = named.collect();
    if differences.len() > NAMED {
        parts.push(format!("and {} more", differences.len() - NAMED));
    }
    (!parts.is_empty()).then(|| format!("what was asked for differs: {}", parts.join("; ")))
}

fn short(value: &str) -> String {
    match value.char_indices().nth(VALUE) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_owned(),
    }
}

/// Every key of a report's scenario with its value; none where there is no scenario that can be read.
fn keys(report: &Report) -> Option<BTreeMap<String, String>> {
    let table: Table = report.made.scenario.parse().ok()?;
    let mut keys = BTreeMap::new();
    flatten(&mut keys, "", &table);
    (!keys.is_empty()).then_some(keys)
}

fn flatten(keys: &mut BTreeMap<String, String>, place: &str, table: &Table) {
    for (name, value) in table {
        let key = if place.is_empty() {
            name.clone()
        } else {
            format!("{place}.{name}")
        };
        match value {
            Value::Table(table) => flatten(keys, &key, table),
            value => {
                keys.insert(key, value.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::examples::passing;

    fn of(scenario: &str) -> Report {
        let mut report = passing();
        report.made.scenario = scenario.to_owned();
        report
    }

    #[test]
    fn changed_keys_are_told_one_by_one_and_what_has_no_effect_is_not() {
        let a = of(
            "name = \"a\"\nseed = 1\n[worker]\ncleanup = [\"none\"]\nquirks = []\n[load]\nend = \"abandon\"\nsessions = 4\n\
             [expect]\nverdict = \"fail\"\ngrace = \"10s\"\n[expect.findings]\nretained = 4\n",
        );
        let b = of(
            "# other words\nname = \"b\"\nseed = 2\n[load]\nsessions = 4\nend = \"complete\"\nlinger = \"6s\"\n\
             [worker]\ncleanup = [\"tracked\"]\nquirks = [\"ladder\"]\n[expect]\nverdict = \"pass\"\ngrace = \"10s\"\n",
        );
        let differences = differences(&a, &b);
        assert_eq!(
            sentence(&differences).as_deref(),
            Some(
                "what was asked for differs: load.end abandon → complete; load.linger not set → 6s; worker.quirks [] → [\"ladder\"]"
            )
        );
        assert_eq!(
            differences.first(),
            Some(&KeyDifference {
                key: "load.end".to_owned(),
                a: Some("\"abandon\"".to_owned()),
                b: Some("\"complete\"".to_owned()),
            })
        );
    }

    #[test]
    fn the_same_scenario_differs_in_nothing_and_neither_does_an_unknown_one() {
        let scenario = "[load]\nsessions = 4\n";
        for (a, b) in [
            (scenario, scenario),
            ("", scenario),
            (scenario, "no { toml"),
        ] {
            assert_eq!(differences(&of(a), &of(b)), []);
        }
        assert_eq!(sentence(&[]), None);
    }

    #[test]
    fn a_sentence_names_some_and_counts_the_rest() {
        let many: String = (10..30)
            .map(|n| format!("key{n} = \"{}\"\n", "x".repeat(50)))
            .collect();
        let differences = differences(&of("other = 1\n"), &of(&many));
        assert_eq!(differences.len(), 21);
        let said = sentence(&differences).unwrap();
        assert!(said.ends_with("; and 13 more"), "{said}");
        assert!(
            said.contains(&format!("key10 not set → {}…;", "x".repeat(32))),
            "{said}"
        );
    }
}
