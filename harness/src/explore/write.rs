//! Scenarios as tables that are changed and written again.

use std::collections::BTreeSet;

use fake_claude::quantity::Span;
use toml::{Table, Value};

use super::guilt::Guilt;
use super::lattice::{Moment, PAUSE};
use crate::scenario::{Counts, FaultKind, Scenario, Victim};
use crate::strict_toml::TomlError;

/// What `[expect]` says of the scenario without the fault, and not of one with it.
const EXPECTED_WITHOUT: [&str; 3] = ["verdict", "findings", "causes"];

/// The parts of a scenario file, in the order in which people write them.
const PARTS: [&str; 12] = [
    "name",
    "description",
    "issue",
    "should",
    "impact",
    "seed",
    "worker",
    "load",
    "claude",
    "faults",
    "expect",
    "run",
];

/// The scenario that a table is.
pub fn parse(table: &Table) -> Result<Scenario, TomlError> {
    Scenario::parse("scenario", &text(table))
}

/// A table as TOML.
pub fn text(table: &Table) -> String {
    toml::to_string_pretty(table).expect("a table that was read can be written")
}

/// Sets one key of a section, which is made where there is none.
pub fn set(table: &mut Table, section: &str, key: &str, value: impl Into<Value>) {
    let section = table.entry(section).or_insert_with(|| Table::new().into());
    if let Some(section) = section.as_table_mut() {
        section.insert(key.to_owned(), value.into());
    }
}

/// Takes one key of a section away.
pub fn unset(table: &mut Table, section: &str, key: &str) {
    if let Some(section) = table.get_mut(section).and_then(Value::as_table_mut) {
        section.remove(key);
    }
}

/// The scenario with one fault more, which comes at this moment of the first session, and without what is expected of it alone. Gives back
/// the place of the fault, from 0.
pub fn with_fault(table: &Table, moment: Moment) -> (Table, usize) {
    let mut table = table.clone();
    for key in EXPECTED_WITHOUT {
        unset(&mut table, "expect", key);
    }
    let mut fault = Table::new();
    let mut set = |key: &str, value: String| fault.insert(key.to_owned(), value.into());
    set("on", moment.step.to_string());
    if !moment.after.is_zero() {
        set("after", moment.after.to_string());
    }
    set("what", moment.what.to_string());
    if moment.victim != Victim::Worker {
        set("victim", moment.victim.to_string());
    }
    if moment.what == FaultKind::Sigstop {
        set("lasts", PAUSE.to_string());
    }
    let faults = table
        .entry("faults")
        .or_insert_with(|| Value::Array(Vec::new()));
    let mut place = 0;
    if let Some(faults) = faults.as_array_mut() {
        place = faults.len();
        faults.push(fault.into());
    }
    (table, place)
}

/// The scenario without the fault at this place.
pub fn without_fault(table: &Table, place: usize) -> Table {
    let mut table = table.clone();
    if let Some(faults) = table.get_mut("faults").and_then(Value::as_array_mut)
        && place < faults.len()
    {
        faults.remove(place);
    }
    table
}

/// One fault of a scenario that has it.
pub fn fault_mut(table: &mut Table, place: usize) -> &mut Table {
    table
        .get_mut("faults")
        .and_then(|faults| faults.get_mut(place))
        .and_then(Value::as_table_mut)
        .expect("the fault was added here")
}

/// How long after its step a fault comes.
pub fn delay(table: &Table, place: usize) -> Span {
    parse(table)
        .ok()
        .and_then(|scenario| scenario.faults.get(place)?.after)
        .unwrap_or_default()
}

/// Makes a scenario expect what its runs found: the verdict, the causes, and the counts where they were the same in every run.
pub fn expect(table: &mut Table, guilt: &BTreeSet<Guilt>, findings: Option<&Counts>) {
    set(table, "expect", "verdict", "fail");
    let causes: Vec<Value> = guilt
        .iter()
        .filter_map(|guilt| Value::try_from(guilt.expected()).ok())
        .collect();
    set(table, "expect", "causes", causes);
    match findings.and_then(|findings| Value::try_from(findings).ok()) {
        Some(findings) => set(table, "expect", "findings", findings),
        None => unset(table, "expect", "findings"),
    }
}

/// A scenario file with a comment at its head, its parts in the order in which people write them.
pub fn file(head: &[String], table: &Table) -> String {
    let mut out = String::new();
    for line in head {
        out += "# ";
        out += line;
        out += "\n";
    }
    let rest = table.keys().map(String::as_str);
    let rest = rest.filter(|key| !PARTS.contains(key));
    // What stands in no section has to come before the first one.
    let (plain, sections): (Vec<&str>, Vec<&str>) = PARTS
        .into_iter()
        .chain(rest)
        .partition(|key| !table.get(*key).is_some_and(is_section));
    for (keys, gap) in [(plain, ""), (sections, "\n")] {
        for key in keys {
            if let Some(value) = table.get(key) {
                out += gap;
                out += &text(&Table::from_iter([(key.to_owned(), value.clone())]));
            }
        }
    }
    out
}

fn is_section(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::Array(entries) => entries.iter().any(Value::is_table),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Bin, Step, Verdict};

    const BASE: &str = "
        name = \"x\"
        [load]
        sessions = 1
        end = \"complete\"
        [expect]
        grace = \"1s\"
        verdict = \"fail\"
        findings = { retained = 1 }
        [[faults]]
        at = \"1s\"
        what = \"restart\"";

    fn moment() -> Moment {
        Moment {
            step: Step::Answering,
            victim: Victim::Primary,
            what: FaultKind::Sigstop,
            after: Span::from_millis(20),
        }
    }

    #[test]
    fn a_fault_comes_beside_those_that_are_there_and_old_expectations_go() {
        let (table, place) = with_fault(&BASE.parse().unwrap(), moment());
        let scenario = parse(&table).unwrap();
        assert_eq!((place, scenario.faults.len()), (1, 2));
        let fault = &scenario.faults[1];
        assert_eq!(
            (fault.on, fault.after),
            (Some(Step::Answering), Some(moment().after))
        );
        assert_eq!((fault.victim, fault.lasts), (Victim::Primary, Some(PAUSE)));
        assert_eq!(delay(&table, 1), moment().after);
        let without = parse(&without_fault(&table, place)).unwrap();
        assert_eq!(without.faults, scenario.faults[..1]);
        assert_eq!(
            (scenario.expect.verdict, &scenario.expect.findings),
            (Verdict::Pass, &None)
        );
        assert_eq!(scenario.expect.grace, Some(Span::from_secs(1)));
    }

    #[test]
    fn every_moment_of_the_lattice_is_a_valid_fault() {
        let base: Table = BASE.parse().unwrap();
        let all = super::super::lattice::moments(&parse(&base).unwrap());
        for moment in all {
            let (table, _) = with_fault(&base, moment);
            assert!(
                parse(&table).is_ok(),
                "{moment}: {}",
                parse(&table).unwrap_err()
            );
        }
    }

    #[test]
    fn a_file_expects_what_was_found_and_can_be_read_again() {
        let (mut table, _) = with_fault(&BASE.parse().unwrap(), moment());
        let guilt = Guilt {
            rule: Bin::Lost,
            subject: "observation".to_owned(),
            cause: "accepted, and never given to a claude".to_owned(),
        };
        let counts = Counts::from([(Bin::Lost, 2)]);
        expect(&mut table, &[guilt.clone()].into(), Some(&counts));
        let text = file(&["What it shows.".to_owned()], &table);
        assert!(text.starts_with("# What it shows.\nname = \"x\"\n"));
        let scenario = Scenario::parse("x", &text).unwrap();
        assert_eq!(scenario.expect.verdict, Verdict::Fail);
        assert_eq!(scenario.expect.causes, [guilt.expected()]);
        assert_eq!(scenario.expect.findings, Some(counts));
    }
}
