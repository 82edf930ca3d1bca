//! `repro`: reproduces a known issue, then shows the same load with the fix.

use super::args::{Issue, Mechanism, ReproArguments};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::plan::{self, Plan, ScenarioText};
use super::run;
use fake_claude::quantity::Span;

use crate::report::Report;
use crate::scenario::{End, Verdict};
use crate::units::{self, Count};
use crate::worker::Adapter;

/// #603 as its report explains it.
const AS_REPORTED: &str = include_str!("../../../scenarios/regressions/603-as-reported.toml");
/// #603 as the real v9.0.0 does it.
const AS_IT_HAPPENS: &str = include_str!("../../../scenarios/regressions/603-as-it-happens.toml");

/// How much longer than a worker's own idle limit an abandoned session's claude may live.
const MARGIN: Span = Span::from_secs(30);
/// The grace after abandon of a worker that ends nothing by itself.
const SHORT_LOOK: Span = Span::from_secs(10);
/// Memory of the machine for which the issue's report states a time, in bytes.
const REPORTED_MEMORY: f64 = 64e9;
/// The time until that memory is gone, as the report states it, in hours.
const REPORTED_HOURS: f64 = 3.0;

/// Reproduces an issue.
pub fn repro(arguments: &ReproArguments, quiet: bool) -> Result<ExitCode, Failure> {
    let Issue::Issue603 = arguments.issue;
    let worker = arguments.options.worker.as_deref().unwrap_or("model");
    let real = worker != "model" && !worker.starts_with("model:");
    let adapter = plan::resolve(worker)?.adapter;
    let mechanism = arguments.mechanism.unwrap_or(if real {
        Mechanism::AsItHappens
    } else {
        Mechanism::AsReported
    });
    let out = arguments
        .options
        .out
        .clone()
        .unwrap_or_else(|| plan::default_out("repro-603"));
    let (before, after) = scenarios(mechanism, real.then_some(&adapter));

    // Both are planned before the first one runs: a worker that cannot be told what the fix needs is refused at once.
    let plan = |name: &str, text: &ScenarioText| {
        Plan::new(text, &arguments.options, out.join(name), run::again())
    };
    let plans = [plan("before", &before)?, plan("after", &after)?];
    let mut finished = Vec::new();
    for plan in plans {
        let one = run::carry_out(plan, true, quiet)?;
        run::show(&one.report, &one.lanes, arguments.options.format)?;
        let interrupted = one.interrupted;
        finished.push(one);
        if interrupted {
            return Ok(ExitCode::Interrupted);
        }
    }
    let [before, after] = &finished[..] else {
        unreachable!("two runs were made")
    };
    let (code, sentence) = conclusion(&before.report, &after.report);
    let shown = match mechanism {
        Mechanism::AsReported => {
            "Shown: the mechanism of the report (sessions complete, query() holds its child). \
             The other one, which v9.0.0 really has (nothing ever says that a session is over): --mechanism as-it-happens"
        }
        Mechanism::AsItHappens => {
            "Shown: the mechanism of the real v9.0.0 (nothing ever says that a session is over). \
             The other one, of the report (sessions complete, query() holds its child): leak-harness repro 603 --mechanism as-reported"
        }
    };
    let forecast = forecast(&before.report).unwrap_or_default();
    output::note(format_args!("\n{sentence}\n{forecast}{shown}"));
    Ok(code)
}

/// The scenarios of the two runs. `real` is the adapter of a real worker.
fn scenarios(mechanism: Mechanism, real: Option<&Adapter>) -> (ScenarioText, ScenarioText) {
    let (file, text) = match mechanism {
        Mechanism::AsReported => ("603-as-reported.toml", AS_REPORTED),
        Mechanism::AsItHappens => ("603-as-it-happens.toml", AS_IT_HAPPENS),
    };
    let mut before: toml::Table = text
        .parse()
        .expect("the scenario is part of the program and tested");
    if let Some(adapter) = real {
        fit(&mut before, adapter);
    }
    let mut after = before.clone();
    fix(&mut after, real.is_some());
    let written = |table: &toml::Table| {
        toml::to_string_pretty(table).expect("a table that was read can be written")
    };
    let before = ScenarioText {
        file: file.to_owned(),
        text: written(&before),
    };
    let after = ScenarioText {
        file: format!("{file} with the fix"),
        text: written(&after),
    };
    (before, after)
}

fn set(table: &mut toml::Table, section: &str, key: &str, value: impl Into<toml::Value>) {
    if let Some(section) = table
        .entry(section)
        .or_insert_with(|| toml::Table::new().into())
        .as_table_mut()
    {
        section.insert(key.to_owned(), value.into());
    }
}

fn unset(table: &mut toml::Table, section: &str, key: &str) {
    if let Some(section) = table.get_mut(section).and_then(toml::Value::as_table_mut) {
        section.remove(key);
    }
}

/// Fits the load to what a real worker is known to bear, and the grace to what ends its claudes by itself.
fn fit(table: &mut toml::Table, adapter: &Adapter) {
    unset(table, "expect", "findings");
    if let Some(sessions) = adapter.live_sessions {
        set(table, "load", "sessions", i64::from(sessions));
    }
    let grace = match adapter.idle_limit {
        Some(limit) => {
            let grace = Span::from_nanos(limit.as_nanos() + MARGIN.as_nanos());
            set(
                table,
                "run",
                "timeout",
                Span::from_nanos(2 * grace.as_nanos()).to_string(),
            );
            grace
        }
        // Nothing of its own ends a claude: what lives then lives for ever, and a short look is as good as a long one.
        None => SHORT_LOOK,
    };
    set(table, "expect", "grace", grace.to_string());
}

/// Turns the load into the same load with the fix: the model ends the child of each session that completes; a real worker is told
/// that its sessions are over, by the route that it has, once their work has had time to be done.
fn fix(table: &mut toml::Table, real: bool) {
    let description = if real {
        "The same load with the cure that the worker has: it is told of each session that it is over, once its work had time to be done."
    } else {
        "The same load with the fix: the worker tracks its children, and ends that of each session that completes."
    };
    table.insert("description".to_owned(), description.into());
    set(table, "load", "end", End::Complete.to_string());
    set(table, "expect", "verdict", Verdict::Pass.to_string());
    unset(table, "expect", "findings");
    if real {
        set(table, "load", "linger", "6s");
        // The default after complete: the longest escalation in the field, and some.
        unset(table, "expect", "grace");
    } else {
        set(
            table,
            "worker",
            "cleanup",
            toml::Value::Array(vec!["tracked".into()]),
        );
        set(table, "worker", "shutdown", "enumerate");
    }
}

/// What the two runs show, as an exit code and a sentence.
fn conclusion(before: &Report, after: &Report) -> (ExitCode, String) {
    let leaked = before.processes.leaked();
    let spawned = before.processes.spawned;
    let memory = units::bytes(before.memory.leaked_rss_bytes);
    let reproduced = if leaked == 0 {
        format!(
            "NOT REPRODUCED: none of {} outlived its session",
            Count(spawned.into(), "process")
        )
    } else {
        format!(
            "REPRODUCED: {leaked} of {} outlived their session, with {memory} of RSS",
            Count(spawned.into(), "process")
        )
    };
    let mut wrong = Vec::new();
    let left = after.processes.leaked();
    if left > 0 {
        wrong.push(format!(
            "{} still outlived their session",
            Count(left.into(), "process")
        ));
    }
    if after.processes.killed_early > 0 {
        wrong.push(format!(
            "{} killed too early",
            Count(after.processes.killed_early.into(), "process")
        ));
    }
    for (count, what) in [
        (after.work.lost, "lost"),
        (after.work.duplicated, "answered twice"),
    ] {
        if count > 0 {
            wrong.push(format!("{} {what}", Count(count.into(), "work item")));
        }
    }
    if wrong.is_empty() && after.verdict != Verdict::Pass {
        wrong.push(format!("the verdict is {}", after.verdict));
    }
    let fixed = if wrong.is_empty() {
        "with the fix, nothing outlived its session and nothing was lost".to_owned()
    } else {
        format!("with the fix: {}", wrong.join(", "))
    };
    let code = if leaked > 0 && wrong.is_empty() {
        ExitCode::Expected
    } else {
        ExitCode::Unexpected
    };
    (code, format!("{reproduced}; {fixed}."))
}

/// What follows from the measured figures for the machine of the report, which states a time that its own figures contradict.
fn forecast(before: &Report) -> Option<String> {
    let per_process =
        before.memory.leaked_rss_bytes as f64 / f64::from(before.processes.leaked().max(1));
    let per_hour = before.forecast.per_hour;
    let hours = REPORTED_MEMORY / (per_process * per_hour);
    (per_process > 0.0 && per_hour > 0.0).then(|| {
        format!(
            "At {per_hour:.0} leaked per hour and {} of RSS each, 64 GB are gone after {hours:.1} h; the report says about {REPORTED_HOURS:.0} h, \
             which its own figures (20 per hour, 372 MB each) contradict.\n",
            units::bytes(per_process as u64)
        )
    })
}
