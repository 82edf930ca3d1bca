//! The matrix of the solutions that the report of #603 proposes: every policy under every misbehaviour, with complete and with abandon,
//! with and without the enumeration of children on Unix.

use super::{Column, Row};
use crate::model::policy::{Cleanup, Shutdown};
use crate::scenario::End;

/// The load of every row.
const LOAD: &str = include_str!("../../../scenarios/matrix/solutions.toml");

/// What children do wrong: the row's name, what it means, and the keys that make it so.
const MISBEHAVIOURS: [(&str, &str, &[&str]); 13] = [
    (
        "well-behaved",
        "children finish their work and go when their stdin ends",
        &[],
    ),
    (
        "ignores-eof",
        "children stay when their stdin has ended",
        &["claude.ignore=[\"eof\"]"],
    ),
    (
        "ignores-sigterm",
        "children ignore SIGTERM",
        &["claude.ignore=[\"sigterm\"]"],
    ),
    (
        "ignores-both",
        "children ignore the end of their stdin and SIGTERM",
        &["claude.ignore=[\"eof\", \"sigterm\"]"],
    ),
    (
        "wrapper",
        "the real program is a child of the one that the worker starts, and gets none of its signals",
        &["claude.wrapper=true"],
    ),
    (
        "leaves-in-group",
        "each child leaves a child of its own in its process group",
        &["claude.leave=\"group\""],
    ),
    (
        "leaves-in-session",
        "each child leaves a child of its own in a new session",
        &["claude.leave=\"session\""],
    ),
    (
        "leaves-daemon",
        "each child leaves a daemon by double fork",
        &["claude.leave=\"daemon\""],
    ),
    (
        "long-turn",
        "a turn takes longer than the age of the reaper and the idle limit",
        &["claude.turn=\"2200ms\""],
    ),
    (
        "hangs-in-mid-turn",
        "children read their work and never answer",
        &["claude.hang=\"mid-turn\""],
    ),
    (
        "dies-in-mid-turn",
        "children die in the middle of their first turn",
        &["claude.die={ code = 1 }"],
    ),
    (
        "slow-start",
        "children take longer to start than the idle limit is",
        &["claude.start=\"1500ms\""],
    ),
    (
        "two-prompts",
        "each session has two prompts, and each prompt starts a child",
        &["load.prompts=2"],
    ),
];

/// The policies: the column's name, what it means, and what it is made of.
const POLICIES: [(&str, &str, &[Cleanup]); 9] = [
    ("none", "nothing ends a child, as shipped", &[Cleanup::None]),
    (
        "A",
        "the worker tracks its children and ends them",
        &[Cleanup::Tracked],
    ),
    (
        "B",
        "kill every child that appeared since the session began",
        &[Cleanup::SessionDiff],
    ),
    (
        "C",
        "a reaper kills children above an age",
        &[Cleanup::Reaper],
    ),
    (
        "D",
        "the SDK ends its child when the iterator ends",
        &[Cleanup::Close],
    ),
    (
        "idle",
        "a generator without new work for a while is ended",
        &[Cleanup::Idle],
    ),
    (
        "C+B",
        "the reaper, and what appeared since the session began",
        &[Cleanup::Reaper, Cleanup::SessionDiff],
    ),
    (
        "C+B+D",
        "the reaper, what appeared since the session began, and the SDK itself",
        &[Cleanup::Reaper, Cleanup::SessionDiff, Cleanup::Close],
    ),
    (
        "all",
        "all of them",
        &[
            Cleanup::Tracked,
            Cleanup::SessionDiff,
            Cleanup::Reaper,
            Cleanup::Close,
            Cleanup::Idle,
        ],
    ),
];

/// The place of the column that the others are compared with: the worker as shipped.
pub const BASELINE: usize = 0;

/// Every misbehaviour, with complete and with abandon.
pub fn rows() -> Vec<Row> {
    let ends = [End::Complete, End::Abandon];
    let rows = ends.into_iter().flat_map(|end| {
        MISBEHAVIOURS.map(|(name, about, changes)| {
            let mut changes: Vec<String> =
                changes.iter().map(|&change| change.to_owned()).collect();
            changes.push(format!("load.end=\"{end}\""));
            changes.push(format!("name=\"{name}-{end}\""));
            Row {
                name: name.to_owned(),
                about: about.to_owned(),
                group: end.to_string(),
                scenario: LOAD.to_owned(),
                changes,
            }
        })
    });
    rows.collect()
}

/// Every policy, without and with the enumeration of children at shutdown.
pub fn columns() -> Vec<Column> {
    let shutdowns = [Shutdown::WindowsOnly, Shutdown::Enumerate];
    let columns = shutdowns.into_iter().flat_map(|shutdown| {
        POLICIES.map(|(name, about, policies)| Column {
            name: name.to_owned(),
            about: about.to_owned(),
            group: shutdown.to_string(),
            worker: Some(worker(policies)),
            changes: vec![format!("worker.shutdown=\"{shutdown}\"")],
        })
    });
    columns.collect()
}

/// The model with these policies, as `--worker` takes it.
pub fn worker(policies: &[Cleanup]) -> String {
    let names: Vec<_> = policies.iter().map(|policy| policy.name()).collect();
    format!("model:cleanup={}", names.join("+"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn every_cell_is_a_scenario() {
        for row in rows() {
            for column in columns() {
                let mut changes = row.changes.clone();
                changes.extend(column.changes);
                let read = Scenario::parse_with(&row.name, &row.scenario, &changes);
                assert!(read.is_ok(), "{}: {}", row.name, read.unwrap_err());
            }
        }
    }

    #[test]
    fn the_first_column_is_the_worker_as_shipped() {
        let columns = columns();
        assert_eq!(columns[BASELINE].name, "none");
        assert_eq!(columns[BASELINE].group, "windows-only");
        assert_eq!(rows().len() * columns.len(), 26 * 18);
    }
}
