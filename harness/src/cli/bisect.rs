//! `bisect`: which release changed what a scenario comes to.

use std::fs;
use std::path::Path;

use semver::Version;

use super::args::{BisectArguments, TableFormat};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::gym::{Folders, write};
use super::many::at_once;
use super::output;
use super::plan::{ScenarioText, cache};
use crate::batch::{Job, Outcome as Run, carry_out};
use crate::bisect::report::{Beside, BisectReport, SCHEMA, Tried};
use crate::bisect::{Conclusion, Outcome, Search, Step, outcome};
use crate::report::Report;
use crate::scenario::{Bin, Scenario};
use crate::worker::releases::{Beyond, Known, releases};
use crate::worker::{Adapter, Cache, find_program, install};

/// The package whose releases are searched.
const CLAUDE_MEM: &str = "claude-mem";

/// Walks the releases between two.
pub fn bisect(arguments: &BisectArguments, quiet: bool) -> Result<ExitCode, Failure> {
    find_program("fake-claude").map_err(Failure::usage)?;
    let text = ScenarioText::read(&arguments.scenario)?;
    let scenario = Scenario::parse_with(&text.file, &text.text, &changes(arguments, None))?.0;
    let cache = cache()?;
    let folders = Folders::new(arguments.out.as_deref())?;
    let (versions, beside) = between(arguments, &cache, quiet)?;
    let candidates = u32::try_from(versions.len()).unwrap_or(u32::MAX);
    let mut search = Search::new(versions);
    let mut runs: Vec<(Version, Vec<String>)> = Vec::new();
    let conclusion = loop {
        let version = match search.next() {
            Step::Run(version) => version,
            Step::Over(conclusion) => break conclusion,
        };
        let (came, said) = try_release(arguments, &text, &version, &cache, &folders.runs, quiet)?;
        if !quiet {
            output::note(format_args!("bisect: {version}: {}", said.join("; ")));
        }
        search.learn(&version, came);
        runs.push((version, said));
    };
    let tried = search.tried().map(|(version, outcome)| Tried {
        version: version.clone(),
        outcome: outcome.clone(),
        runs: runs
            .iter()
            .find(|(known, _)| known == version)
            .map(|(_, said)| said.clone())
            .unwrap_or_default(),
    });
    let report = BisectReport {
        schema: SCHEMA,
        scenario: scenario.name,
        good: arguments.good.clone(),
        bad: arguments.bad.clone(),
        asked: match arguments.finding {
            Some(rule) => format!("the finding {}", name_of(rule)),
            None => "the verdict".to_owned(),
        },
        candidates,
        beside,
        tried: tried.collect(),
        conclusion,
    };
    let json = report.json().map_err(Failure::internal)?;
    if let Some(out) = &arguments.out {
        write(out, "bisect.json", &json)?;
    }
    output::result(&match arguments.format {
        TableFormat::Human => report.terminal(),
        TableFormat::Json => json,
        TableFormat::Markdown => report.markdown(),
    })?;
    Ok(match report.conclusion {
        Conclusion::Found { .. } => ExitCode::Expected,
        Conclusion::Same { .. } => ExitCode::Unexpected,
        Conclusion::Among { .. } | Conclusion::FlakyEnd { .. } => ExitCode::Inconclusive,
        Conclusion::SkippedEnd { .. } => ExitCode::WorkerWouldNotStart,
    })
}

/// The releases from one end to the other that can be run, the ends included, oldest first; and what is known of others.
fn between(
    arguments: &BisectArguments,
    cache: &Cache,
    quiet: bool,
) -> Result<(Vec<Version>, Beside), Failure> {
    let (good, bad) = (&arguments.good, &arguments.bad);
    if good == bad {
        return Err(Failure::usage("--good and --bad name the same release"));
    }
    let beyond = match &arguments.source {
        Some(folder) => Beyond::Clone(folder),
        None if arguments.offline => Beyond::Nothing,
        None => Beyond::Published,
    };
    let Known {
        adapted,
        others,
        tags,
        unasked,
    } = releases(cache, beyond).map_err(Failure::usage)?;
    if !quiet {
        for why in &unasked {
            output::note(format_args!("bisect: {why}"));
        }
    }
    let (older, newer) = (good.min(bad), good.max(bad));
    let inside = |version: &Version| version > older && version < newer;
    let mut versions: Vec<Version> = adapted.into_iter().filter(inside).collect();
    versions.insert(0, older.clone());
    versions.push(newer.clone());
    let beside = Beside {
        tags,
        not_run: others.into_iter().filter(inside).collect(),
        unasked,
    };
    Ok((versions, beside))
}

/// Runs a release so often, and says what came of it together, and in each run.
fn try_release(
    arguments: &BisectArguments,
    text: &ScenarioText,
    version: &Version,
    cache: &Cache,
    folder: &Path,
    quiet: bool,
) -> Result<(Outcome, Vec<String>), Failure> {
    let worker = format!("{CLAUDE_MEM}@{version}");
    if cache.package(CLAUDE_MEM, version).is_none() {
        if arguments.offline {
            let why = "it is not in the cache".to_owned();
            return Ok((Outcome::Skipped(why.clone()), vec![why]));
        }
        if !quiet {
            output::note(format_args!("bisect: installing {worker} ..."));
        }
        if let Err(error) = install(&worker, cache, arguments.source.as_deref()) {
            let why = error.to_string();
            return Ok((Outcome::Skipped(why.clone()), vec![why]));
        }
    }
    let jobs = (1..=arguments.runs).map(|run| {
        let name = format!("{version}-{run}");
        Job {
            scenario: text.text.clone(),
            changes: changes(arguments, Some(version)),
            seed: None,
            worker: Some(worker.clone()),
            isolation: Some(arguments.isolation.name()),
            out: folder.join(&name),
            name,
        }
    });
    let mut words = Vec::new();
    let mut said = Vec::new();
    carry_out(
        jobs.collect(),
        at_once(arguments.jobs),
        &mut |_, job, run| {
            match run {
                Run::Judged(report) => {
                    words.push(Ok(word(&report, arguments.finding)));
                    said.push(in_short(&report));
                }
                Run::Failed(failed) => {
                    words.push(Err(failed.message.clone()));
                    said.push(failed.message);
                }
            }
            if arguments.out.is_none() {
                // What cannot be removed lies in a temporary folder that is removed later.
                let _ = fs::remove_dir_all(&job.out);
            }
        },
    )?;
    Ok((outcome(words), said))
}

/// The changes of the scenario, for a release where one is known.
fn changes(arguments: &BisectArguments, version: Option<&Version>) -> Vec<String> {
    let mut changes = Vec::new();
    changes.extend(
        arguments
            .time_scale
            .map(|factor| format!("run.time_scale={factor:?}")),
    );
    let adapter = version
        .filter(|_| arguments.usual_end)
        .and_then(|version| Adapter::for_package(CLAUDE_MEM, version));
    changes.extend(adapter.map(|adapter| format!("load.end=\"{}\"", adapter.usual_end())));
    changes.extend(arguments.set.iter().cloned());
    changes
}

/// What a run comes to, in the word that is compared.
fn word(report: &Report, finding: Option<Bin>) -> String {
    match finding {
        None => report.verdict.to_string(),
        Some(rule) if report.findings.iter().any(|finding| finding.rule == rule) => name_of(rule),
        Some(rule) => format!("no {}", name_of(rule)),
    }
}

/// What a run comes to, in a few words.
fn in_short(report: &Report) -> String {
    let mut counts: Vec<(String, u32)> = Vec::new();
    for finding in &report.findings {
        let name = name_of(finding.rule);
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += finding.count,
            None => counts.push((name, finding.count)),
        }
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let verdict = report.verdict;
    if counts.is_empty() {
        verdict.to_string()
    } else {
        format!("{verdict}: {}", counts.join(", "))
    }
}

/// A rule by the name that reports give it.
fn name_of(rule: Bin) -> String {
    serde_json::to_value(rule)
        .ok()
        .and_then(|name| Some(name.as_str()?.to_owned()))
        .unwrap_or_default()
}
