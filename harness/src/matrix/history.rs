//! The matrix of workers: a plain load and every known misbehaviour, with each worker that is asked for, its sessions ended as its own
//! client ends them.

use super::{Column, Row};
use crate::scenario::End;

/// The load of every row.
const LOAD: &str = include_str!("../../../scenarios/matrix/history.toml");

/// What claudes do wrong: the row's name, what it means, and the keys that make it so. Loads are smaller than the plain one where many
/// sessions show no more than a few do.
const ROWS: [(&str, &str, &[&str]); 8] = [
    (
        "plain",
        "claudes finish their work and go when their stdin ends or SIGTERM comes",
        &[],
    ),
    (
        "ignores-eof",
        "claudes stay when their stdin has ended",
        &["load.sessions=6", "claude.ignore=[\"eof\"]"],
    ),
    (
        "ignores-sigterm",
        "claudes ignore SIGTERM",
        &["load.sessions=6", "claude.ignore=[\"sigterm\"]"],
    ),
    (
        "wrapper",
        "the real claude is a child of the one that the worker starts, and gets none of its signals",
        &["load.sessions=6", "claude.wrapper=true"],
    ),
    (
        "leaves-in-group",
        "each claude leaves a child of its own in its process group",
        &["load.sessions=6", "claude.leave=\"group\""],
    ),
    (
        "hangs-in-mid-turn",
        "claudes read their second turn's work and never answer",
        &[
            "load.sessions=6",
            "claude.hang=\"mid-turn\"",
            "claude.at_turn=2",
            "run.drain=\"4s\"",
        ],
    ),
    (
        "dies-in-mid-turn",
        "claudes die in the middle of their second turn, and those that are started in their place do so too",
        &[
            "load.sessions=2",
            "claude.die={ code = 1 }",
            "claude.at_turn=2",
            "run.drain=\"4s\"",
        ],
    ),
    (
        "long-turn",
        "a session has more to do than the longest idle limit is long, and is still open when it is done",
        &[
            "load.sessions=4",
            "load.prompts=1",
            "load.observations=1",
            "load.summary=false",
            "load.linger=\"260s\"",
            "claude.turn=\"110s\"",
        ],
    ),
];

/// The plain load and every misbehaviour.
pub fn rows() -> Vec<Row> {
    ROWS.map(|(name, about, changes)| {
        let mut changes: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
        changes.push(format!("name=\"{name}\""));
        Row {
            name: name.to_owned(),
            about: about.to_owned(),
            scenario: LOAD.to_owned(),
            changes,
            ..Row::default()
        }
    })
    .into()
}

/// A column whose sessions end in this way.
pub fn ending(mut column: Column, end: End) -> Column {
    column.changes.push(format!("load.end=\"{end}\""));
    column.about = format!("{}, sessions end by {end}", column.about);
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn every_row_is_a_scenario_with_every_end() {
        for row in rows() {
            for end in [End::Complete, End::Abandon] {
                let changes = [row.changes.clone(), ending(Column::default(), end).changes];
                let read = Scenario::parse_with(&row.name, &row.scenario, &changes.concat());
                let (scenario, _) = read.expect("it is right");
                assert_eq!((scenario.name, scenario.load.end), (row.name.clone(), end));
            }
        }
    }
}
