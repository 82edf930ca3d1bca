//! `matrix`: scenarios against workers or cleanup policies, in one table.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::{MatrixArguments, TableFormat};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::gym::{Folders, write};
use super::many::{ManyLine, at_once};
use super::output;
use super::plan::{ScenarioText, cache, resolve};
use super::run::{again, style};
use crate::matrix::results::MatrixReport;
use crate::matrix::versions::History;
use crate::matrix::{self, Column, Order, Row, history, markdown, picture, solutions, terminal};
use crate::report::escape::plain;
use crate::scenario::Scenario;
use crate::worker::{WorkerSpec, find_program};

/// Fills the table.
pub fn matrix(arguments: &MatrixArguments, quiet: bool) -> Result<ExitCode, Failure> {
    if let Some(path) = &arguments.again {
        return show(&read(path)?, arguments);
    }
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
    show(&report, arguments)
}

/// Writes a table to its folder and to stdout.
fn show(report: &MatrixReport, arguments: &MatrixArguments) -> Result<ExitCode, Failure> {
    let json = report.json().map_err(Failure::internal)?;
    let page = markdown::render(report);
    if let Some(out) = &arguments.out {
        fs::create_dir_all(out).map_err(|cause| Failure::file(out, &cause))?;
        write(out, "matrix.json", &json)?;
        write(out, "matrix.md", &page)?;
        // Solutions are compared with each other, workers stand for themselves.
        if report.baseline.is_none() {
            let history = History::new(report).json().map_err(Failure::internal)?;
            write(out, "history.json", &history)?;
            write(out, "heatmap.svg", &picture::render(report))?;
        }
    }
    output::result(&match arguments.format {
        TableFormat::Human => terminal::render(report, style()),
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

/// A table that was written before.
fn read(path: &Path) -> Result<MatrixReport, Failure> {
    let text = fs::read_to_string(path).map_err(|cause| Failure::file(path, &cause))?;
    let report: MatrixReport = serde_json::from_str(&text).map_err(|cause| {
        Failure::usage(format_args!(
            "{}: not a matrix: {cause}; give a matrix.json that `matrix --out` wrote",
            path.display()
        ))
    })?;
    Ok(report.with_answer())
}

fn rows(arguments: &MatrixArguments) -> Result<Vec<Row>, Failure> {
    if arguments.scenarios.is_empty() {
        return Ok(if arguments.worker.is_empty() {
            solutions::rows()
        } else {
            history::rows()
        });
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
    let workers = workers(&arguments.worker)?;
    let workers = workers.iter().map(|worker| (worker, worker.clone()));
    let policies = arguments
        .cleanup
        .iter()
        .map(|policies| (policies, format!("model:cleanup={policies}")));
    let mut columns = Vec::new();
    for (name, worker) in workers.chain(policies) {
        WorkerSpec::parse(&worker).map_err(Failure::usage)?;
        let column = Column {
            name: name.clone(),
            about: worker.clone(),
            worker: Some(worker.clone()),
            ..Column::default()
        };
        columns.push(
            if arguments.scenarios.is_empty() && arguments.cleanup.is_empty() {
                history::ending(column, resolve(&worker)?.adapter.usual_end())
            } else {
                column
            },
        );
    }
    if columns.is_empty() {
        columns = solutions::columns();
    }
    Ok(match &arguments.time_scale[..] {
        [] => columns,
        factors => columns
            .iter()
            .flat_map(|column| factors.iter().map(|factor| scaled(column, *factor)))
            .collect(),
    })
}

/// The workers that are named, those that stand for several written out, oldest first.
fn workers(named: &[String]) -> Result<Vec<String>, Failure> {
    let mut workers = Vec::new();
    for name in named {
        let Some(package) = name.strip_suffix("@all") else {
            workers.push(name.clone());
            continue;
        };
        let versions = cache()?.versions(package);
        if versions.is_empty() {
            return Err(Failure::usage(format_args!(
                "`{}` stands for every release in the cache, and there is none; fetch some with `leak-harness install {}@VERSION`",
                plain(name),
                plain(package)
            )));
        }
        workers.extend(
            versions
                .iter()
                .map(|version| format!("{package}@{version}")),
        );
    }
    Ok(workers)
}

/// A column with its times divided.
fn scaled(column: &Column, factor: f64) -> Column {
    let mut column = column.clone();
    let speed = if factor == 1.0 {
        "in real time".to_owned()
    } else {
        format!("{factor}x")
    };
    column.name = format!("{} {speed}", column.name);
    column.changes.push(format!("run.time_scale={factor:?}"));
    column
}

/// The command as it was typed, its program by name: where that lies is nobody's business.
fn typed() -> String {
    let again = again();
    let rest = again.split_once(' ').map_or("", |(_, rest)| rest);
    format!("leak-harness {rest}").trim_end().to_owned()
}
