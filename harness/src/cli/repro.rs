//! `repro`: reproduces a known issue, then shows the same load with the fix.

use super::args::{Issue, Mechanism, ReproArguments};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::plan::{self, Plan, ScenarioText};
use super::run;
use crate::report::Report;
use crate::scenario::{End, Verdict};
use crate::units::{self, Count};

/// #603 as its report explains it.
const AS_REPORTED: &str = include_str!("../../../scenarios/regressions/603-as-reported.toml");
/// #603 as the real v9.0.0 does it.
const AS_IT_HAPPENS: &str = include_str!("../../../scenarios/regressions/603-as-it-happens.toml");

/// Sessions that a worker with a limit on its claudes is given: enough to be more than any limit in the field.
const SESSIONS_OF_A_LIMITED_WORKER: i64 = 20;

/// Reproduces an issue.
pub fn repro(arguments: &ReproArguments, quiet: bool) -> Result<ExitCode, Failure> {
    let Issue::Issue603 = arguments.issue;
    let worker = arguments.options.worker.as_deref().unwrap_or("model");
    let real = worker != "model" && !worker.starts_with("model:");
    let mechanism = arguments.mechanism.unwrap_or(if real { Mechanism::AsItHappens } else { Mechanism::AsReported });
    let out = arguments.options.out.clone().unwrap_or_else(|| plan::default_out("repro-603"));
    let (before, after) = scenarios(mechanism, real);

    let mut finished = Vec::new();
    for (name, text) in [("before", before), ("after", after)] {
        let again = run::again();
        let plan = Plan::new(&text, &arguments.options, &[], out.join(name), again)?;
        let one = run::carry_out(plan, quiet)?;
        run::show(&one.report, arguments.options.format)?;
        let interrupted = one.interrupted;
        finished.push(one);
        if interrupted {
            return Ok(ExitCode::Interrupted);
        }
    }
    let [before, after] = &finished[..] else { unreachable!("two runs were made") };
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
    output::note(format_args!("\n{sentence}\n{shown}"));
    Ok(code)
}

/// The scenarios of the two runs.
fn scenarios(mechanism: Mechanism, real: bool) -> (ScenarioText, ScenarioText) {
    let (file, text) = match mechanism {
        Mechanism::AsReported => ("603-as-reported.toml", AS_REPORTED),
        Mechanism::AsItHappens => ("603-as-it-happens.toml", AS_IT_HAPPENS),
    };
    let before = ScenarioText { file: file.to_owned(), text: text.to_owned() };
    let after = ScenarioText { file: format!("{file} with the fix"), text: fixed(text, real) };
    (before, after)
}

/// The same load with the fix: the model ends the child of each session that completes; a real worker is told that its sessions
/// are over, by a route that no hook calls, once their work has had time to be done.
fn fixed(text: &str, real: bool) -> String {
    let mut table: toml::Table = text.parse().expect("the scenario is part of the program and tested");
    let mut set = |section: &str, key: &str, value: toml::Value| {
        if let Some(section) = table.entry(section).or_insert_with(|| toml::Table::new().into()).as_table_mut() {
            section.insert(key.to_owned(), value);
        }
    };
    set("load", "end", End::Complete.to_string().into());
    set("expect", "verdict", "pass".into());
    if real {
        set("load", "linger", "6s".into());
    } else {
        set("worker", "cleanup", toml::Value::Array(vec!["tracked".into()]));
        set("worker", "shutdown", "enumerate".into());
    }
    if let Some(expect) = table.get_mut("expect").and_then(toml::Value::as_table_mut) {
        expect.remove("findings");
    }
    toml::to_string_pretty(&table).expect("a table that was read can be written")
}

/// What the two runs show, as an exit code and a sentence.
fn conclusion(before: &Report, after: &Report) -> (ExitCode, String) {
    let leaked = before.processes.leaked();
    let spawned = before.processes.spawned;
    let memory = units::bytes(before.memory.leaked_rss_bytes);
    let reproduced = if leaked == 0 {
        format!("NOT REPRODUCED: none of {} outlived its session", Count(spawned.into(), "process"))
    } else {
        format!("REPRODUCED: {leaked} of {} outlived their session, with {memory} of RSS", Count(spawned.into(), "process"))
    };
    let mut wrong = Vec::new();
    let left = after.processes.leaked();
    if left > 0 {
        wrong.push(format!("{} still outlived their session", Count(left.into(), "process")));
    }
    if after.processes.killed_early > 0 {
        wrong.push(format!("{} killed too early", Count(after.processes.killed_early.into(), "process")));
    }
    for (count, what) in [(after.work.lost, "lost"), (after.work.duplicated, "answered twice")] {
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
    let code = if leaked > 0 && wrong.is_empty() { ExitCode::Expected } else { ExitCode::Unexpected };
    (code, format!("{reproduced}; {fixed}."))
}
