//! How a schedule is made smaller: one change at a time, the boldest first.
//!
//! Pure: which changes there are follows from the scenario; whether the smaller one still does it, only runs can tell.

use fake_claude::quantity::Span;
use toml::{Table, Value};

use super::write;
use crate::scenario::Scenario;
use crate::units;

/// Times that read well, in milliseconds; a smaller time is sought among them.
const ROUND: [u64; 12] = [
    10, 20, 50, 100, 200, 300, 500, 1_000, 1_500, 2_000, 5_000, 10_000,
];

/// One change that makes a scenario smaller.
#[derive(Debug, Clone, PartialEq)]
pub struct Smaller {
    /// What is changed, in a few words: the same words mean the same change.
    pub what: String,
    /// The scenario with that change.
    pub table: Table,
}

/// Every change that makes a scenario smaller, the boldest first. `fault` is the place of the fault that was added, from 0.
pub fn smaller(table: &Table, fault: usize) -> Vec<Smaller> {
    let Ok(scenario) = write::parse(table) else {
        return Vec::new();
    };
    let mut found = Changes {
        table,
        found: Vec::new(),
    };
    found.load(&scenario);
    found.times(&scenario, fault);
    found.found
}

/// Changes that were found so far.
struct Changes<'a> {
    table: &'a Table,
    found: Vec<Smaller>,
}

impl Changes<'_> {
    fn add(&mut self, what: String, change: impl FnOnce(&mut Table)) {
        let mut table = self.table.clone();
        change(&mut table);
        // What is no scenario any more, or no change at all, is no smaller one.
        if table != *self.table && write::parse(&table).is_ok() {
            self.found.push(Smaller { what, table });
        }
    }

    fn set(&mut self, what: String, section: &str, key: &str, value: impl Into<Value>) {
        let value = value.into();
        self.add(what, |table| write::set(table, section, key, value));
    }

    fn load(&mut self, scenario: &Scenario) {
        let load = &scenario.load;
        self.add("no mix".to_owned(), |table| {
            write::unset(table, "claude", "mix");
        });
        for key in ["arrival", "concurrency", "compress", "think"] {
            self.add(format!("no {key}"), |table| {
                write::unset(table, "load", key);
            });
        }
        for (key, now, least) in [
            ("sessions", load.sessions.unwrap_or(1), 1),
            ("prompts", load.prompts, 1),
            ("observations", load.observations, 0),
        ] {
            for less in fewer(now, least) {
                self.set(format!("{key} {less}"), "load", key, i64::from(less));
            }
        }
        if load.summary {
            self.set("no summary".to_owned(), "load", "summary", false);
        }
    }

    fn times(&mut self, scenario: &Scenario, fault: usize) {
        for less in shorter(scenario.load.linger) {
            let what = format!("linger {}", units::span(less));
            self.set(what, "load", "linger", less.to_string());
        }
        let Some(struck) = scenario.faults.get(fault) else {
            return;
        };
        for (key, now) in [("after", struck.after), ("lasts", struck.lasts)] {
            for less in now.map(shorter).unwrap_or_default() {
                self.add(format!("{key} {}", units::span(less)), |table| {
                    if less.is_zero() {
                        write::fault_mut(table, fault).remove(key);
                    } else {
                        write::fault_mut(table, fault)
                            .insert(key.to_owned(), less.to_string().into());
                    }
                });
            }
        }
    }
}

/// Smaller counts, the smallest first: the least, half, one less.
fn fewer(now: u32, least: u32) -> Vec<u32> {
    let mut counts = vec![least, now / 2, now.saturating_sub(1)];
    counts.retain(|count| (least..now).contains(count));
    counts.dedup();
    counts
}

/// Shorter times, the shortest first: none, the largest round one that is at most half, the largest round one below.
fn shorter(now: Span) -> Vec<Span> {
    let round = |most: u64| ROUND.iter().rev().find(|millis| **millis <= most).copied();
    let now = now.as_millis();
    let mut times = vec![Some(0), round(now / 2), round(now.saturating_sub(1))];
    times.dedup();
    let shorter = times.into_iter().flatten().filter(|millis| *millis < now);
    shorter.map(Span::from_millis).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: &str = "
        name = \"x\"
        [load]
        sessions = 6
        prompts = 2
        observations = 3
        summary = true
        arrival = \"2/s\"
        linger = \"1500ms\"
        end = \"complete\"
        [[claude.mix]]
        share = 0.5
        ignore = [\"eof\"]
        [[faults]]
        on = \"given\"
        after = \"400ms\"
        what = \"sigstop\"
        lasts = \"1s\"";

    fn words(text: &str) -> Vec<String> {
        let table: Table = text.parse().unwrap();
        smaller(&table, 0)
            .into_iter()
            .map(|smaller| smaller.what)
            .collect()
    }

    #[test]
    fn every_part_of_the_load_can_be_left_out_and_the_boldest_change_comes_first() {
        assert_eq!(
            words(BUSY),
            [
                "no mix",
                "no arrival",
                "sessions 1",
                "sessions 3",
                "sessions 5",
                "prompts 1",
                "observations 0",
                "observations 1",
                "observations 2",
                "no summary",
                "linger 0 ms",
                "linger 500 ms",
                "linger 1.0 s",
                "after 0 ms",
                "after 200 ms",
                "after 300 ms",
                "lasts 500 ms",
            ]
        );
    }

    #[test]
    fn the_smallest_scenario_cannot_be_made_smaller() {
        let least = "
            name = \"x\"
            [load]
            sessions = 1
            end = \"complete\"
            [[faults]]
            on = \"given\"
            what = \"restart\"";
        assert_eq!(words(least), Vec::<String>::new());
    }

    #[test]
    fn each_change_is_made_and_leaves_the_rest_as_it_is() {
        let table: Table = BUSY.parse().unwrap();
        for smaller in smaller(&table, 0) {
            let before = write::parse(&table).unwrap();
            let after = write::parse(&smaller.table).unwrap();
            assert_ne!(before, after, "{}", smaller.what);
            assert_eq!(before.faults.len(), after.faults.len());
            assert_eq!(before.load.end, after.load.end);
        }
    }

    #[test]
    fn times_are_sought_among_round_figures() {
        let millis = |now| -> Vec<u64> {
            let times = shorter(Span::from_millis(now));
            times.into_iter().map(Span::as_millis).collect()
        };
        assert_eq!(millis(0), Vec::<u64>::new());
        assert_eq!(millis(20), [0, 10]);
        assert_eq!(millis(1_500), [0, 500, 1_000]);
    }
}
