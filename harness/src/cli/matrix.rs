//! `matrix`: scenarios against workers or cleanup policies, in one table.

use std::fs;
use std::path::PathBuf;

use super::args::{MatrixArguments, TableFormat};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::gym::{Folders, write};
use super::many::{ManyLine, at_once};
use super::output;
use super::plan::ScenarioText;
use super::run::{again, style};
use crate::matrix::{self, Column, Order, Row, markdown, solutions, terminal};
use crate::scenario::Scenario;
use crate::worker::{WorkerSpec, find_program};

/// Fills the table.
pub fn matrix(arguments: &MatrixArguments, quiet: bool) -> Result<ExitCode, Failure> {
    for program in ["fake-claude", "model-worker"] {
        find_program(program).map_err(Failure::usage)?;
    }
    let mut rows = rows(arguments)?;
    let mut columns = columns(arguments)?;
    // Solutions are compared with the worker as shipped; what others have chosen has no first among equals.
    let compared = arguments.worker.is_empty() && arguments.cleanup.is_empty();
    let named = |name: &str| {
        arguments
            .only
            .iter()
            .any(|word| name.contains(word.as_str()))
    };
    if rows.iter().any(|row| named(&row.name)) {
        rows.retain(|row| named(&row.name));
    }
    let baseline = columns.get(solutions::BASELINE).cloned();
    if columns
        .iter()
        .any(|column| arguments.only.contains(&column.name))
    {
        columns.retain(|column| {
            arguments.only.contains(&column.name) || (compared && Some(column) == baseline.as_ref())
        });
    }
    for row in &rows {
        let changes: Vec<String> = row.changes.iter().chain(&arguments.set).cloned().collect();
        Scenario::parse_with(&row.name, &row.scenario, &changes)?;
    }
    let folders = Folders::new(arguments.out.as_deref().filter(|_| arguments.keep))?;
    let order = Order {
        rows,
        columns,
        baseline: compared.then_some(solutions::BASELINE),
        changes: arguments.set.clone(),
        at_once: at_once(arguments.jobs),
        isolation: arguments.isolation.name(),
        folder: folders.runs.clone(),
        keep: arguments.keep,
        command: typed(),
    };
    let mut line = ManyLine::new("matrix", quiet);
    let report = matrix::run(&order, &mut |done, total, failed| {
        line.show("runs", done, total, failed);
    })?;
    drop(line);
    let json = report.json().map_err(Failure::internal)?;
    let page = markdown::render(&report);
    if let Some(out) = &arguments.out {
        fs::create_dir_all(out).map_err(|cause| Failure::file(out, &cause))?;
        write(out, "matrix.json", &json)?;
        write(out, "matrix.md", &page)?;
    }
    output::result(&match arguments.format {
        TableFormat::Human => terminal::render(&report, style()),
        TableFormat::Json => json,
        TableFormat::Markdown => page,
    })?;
    // The table measures; only a cell without a result is not as expected.
    Ok(if report.cells.iter().any(|cell| cell.failed.is_some()) {
        ExitCode::Unexpected
    } else {
        ExitCode::Expected
    })
}

fn rows(arguments: &MatrixArguments) -> Result<Vec<Row>, Failure> {
    if arguments.scenarios.is_empty() {
        return Ok(solutions::rows());
    }
    let read = |path: &PathBuf| {
        let text = ScenarioText::read(path)?;
        let scenario = Scenario::parse(&text.file, &text.text)?;
        Ok(Row {
            name: scenario.name,
            about: scenario.description,
            scenario: text.text,
            ..Row::default()
        })
    };
    arguments.scenarios.iter().map(read).collect()
}

fn columns(arguments: &MatrixArguments) -> Result<Vec<Column>, Failure> {
    let workers = arguments
        .worker
        .iter()
        .map(|worker| (worker, worker.clone()));
    let policies = arguments
        .cleanup
        .iter()
        .map(|policies| (policies, format!("model:cleanup={policies}")));
    let mut columns = Vec::new();
    for (name, worker) in workers.chain(policies) {
        WorkerSpec::parse(&worker).map_err(Failure::usage)?;
        columns.push(Column {
            name: name.clone(),
            about: worker.clone(),
            worker: Some(worker),
            ..Column::default()
        });
    }
    Ok(if columns.is_empty() {
        solutions::columns()
    } else {
        columns
    })
}

/// The command as it was typed, its program by name: where that lies is nobody's business.
fn typed() -> String {
    let again = again();
    let rest = again.split_once(' ').map_or("", |(_, rest)| rest);
    format!("leak-harness {rest}").trim_end().to_owned()
}
