//! `run`: runs scenarios and judges them.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::args::{Format, RunArguments};
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::plan::{self, Plan, ScenarioText};
use super::progress::ProgressLine;
use crate::judge::lanes::Lanes;
use crate::report::escape::plain;
use crate::report::terminal::Style;
use crate::report::{Report, html, issue, json, junit, markdown, terminal};
use crate::run::{self, RunError, Shown, Stopped};

/// Runs every scenario, as often as asked.
pub fn run(arguments: &RunArguments, quiet: bool) -> Result<ExitCode, Failure> {
    let texts = arguments
        .scenarios
        .iter()
        .map(|path| ScenarioText::read(path))
        .collect::<Result<Vec<_>, _>>()?;
    // All of them are checked before the first one runs.
    let mut names = Vec::new();
    for text in &texts {
        let checked = Plan::new(text, &arguments.options, PathBuf::new(), String::new())?;
        names.push(checked.scenario.name);
    }
    let rounds = if arguments.until_fail {
        u32::MAX
    } else {
        arguments.repeat.unwrap_or(1)
    };
    let many = rounds > 1 || texts.len() > 1;
    let page = !arguments.no_page || arguments.options.format == Format::Html;
    let mut gravest = ExitCode::Expected;
    for round in 1..=rounds {
        for (text, name) in texts.iter().zip(&names) {
            let out = match &arguments.options.out {
                Some(out) if !many => out.clone(),
                Some(out) if rounds == 1 => out.join(name),
                Some(out) => out.join(format!("{name}-{round}")),
                None => plan::default_out(name),
            };
            let plan = Plan::new(text, &arguments.options, out, again())?;
            let finished = carry_out(plan, page, quiet)?;
            show(&finished.report, &finished.lanes, arguments.options.format)?;
            gravest = gravest.max(finished.code());
            if finished.interrupted
                || (arguments.until_fail && finished.code() != ExitCode::Expected)
            {
                return Ok(gravest);
            }
        }
    }
    Ok(gravest)
}

/// A run that was carried out and judged.
pub struct Finished {
    /// Its report.
    pub report: Report,
    /// The course of its sessions; empty where no page was asked for.
    pub lanes: Lanes,
    /// Whether the user stopped it early.
    pub interrupted: bool,
}

impl Finished {
    /// The exit code of this run.
    pub fn code(&self) -> ExitCode {
        if self.interrupted {
            ExitCode::Interrupted
        } else {
            code_of(&self.report)
        }
    }
}

/// The exit code of a report.
pub fn code_of(report: &Report) -> ExitCode {
    use crate::scenario::Verdict;
    match (report.as_expected, report.verdict) {
        (true, _) => ExitCode::Expected,
        (false, Verdict::Inconclusive) => ExitCode::Inconclusive,
        (false, Verdict::Pass | Verdict::Fail) => ExitCode::Unexpected,
    }
}

/// Carries a plan out: runs, judges, writes the reports. Without `page` there is no report.html, and judging keeps less in memory.
pub fn carry_out(plan: Plan, page: bool, quiet: bool) -> Result<Finished, Failure> {
    carry_out_watched(plan, page, quiet, &mut |_| {})
}

/// The same, and `watch` sees whatever is shown meanwhile.
pub fn carry_out_watched(
    mut plan: Plan,
    page: bool,
    quiet: bool,
    watch: &mut dyn FnMut(&Shown),
) -> Result<Finished, Failure> {
    let out = plan.order.out.clone();
    fs::create_dir_all(&out).map_err(|cause| Failure::file(&out, &cause))?;
    let out = out
        .canonicalize()
        .map_err(|cause| Failure::file(&out, &cause))?;
    plan.order.out.clone_from(&out);
    let name = &plan.scenario.name;
    let mut line = match plan.order.soak {
        Some(_) => ProgressLine::of_soak(format!("{name} on {}", plan.order.worker.name), quiet),
        None => ProgressLine::new(name.clone(), quiet),
    };
    let stopped = run::run(&mut plan.order, plan.place, plan.keep, &mut |shown| {
        match &shown {
            Shown::Progress(progress) => line.show(progress),
            Shown::Checkpoint(report) => line.checkpoint(report),
            Shown::Note(note) => line.note(note),
        }
        watch(&shown);
    });
    drop(line);
    let interrupted = match stopped {
        Ok(Stopped::Finished) => false,
        Ok(Stopped::Interrupted) => true,
        Err(RunError::WorkerWouldNotStart(message)) => return Err(Failure::worker(message)),
        Err(RunError::Usage(message)) => return Err(Failure::usage(message)),
        Err(RunError::InterruptedAtOnce) => return Err(Failure::interrupted()),
        Err(RunError::Failed(message)) => return Err(Failure::internal(message)),
    };
    let (report, lanes) = if page {
        run::judge_with_lanes(&out, &[], plan.known)?
    } else {
        (run::judge(&out, &[], plan.known)?, Lanes::default())
    };
    write_reports(&report, page.then_some(&lanes), &out)?;
    if !quiet {
        output::note(format_args!(
            "results: {}",
            plain(&relative(&out).to_string_lossy())
        ));
    }
    Ok(Finished {
        report,
        lanes,
        interrupted,
    })
}

/// A path as the user would write it: relative to the current folder where it lies below.
fn relative(path: &Path) -> &Path {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
}

/// Writes every format of a report into a folder; the page only where there are lanes for it.
pub fn write_reports(report: &Report, lanes: Option<&Lanes>, folder: &Path) -> Result<(), Failure> {
    let mut formats = vec![
        ("report.json", Format::Json),
        ("report.md", Format::Markdown),
        ("junit.xml", Format::Junit),
    ];
    formats.extend(lanes.map(|_| ("report.html", Format::Html)));
    let none = Lanes::default();
    for (name, format) in formats {
        let content = render(report, lanes.unwrap_or(&none), format)?;
        write_whole(&folder.join(name), &content, |_| Ok(()))?;
    }
    Ok(())
}

/// Writes what was seen so far of a run that goes on: the formats that are cheap to write again and again.
pub fn write_checkpoint(report: &Report, folder: &Path) -> Result<(), Failure> {
    for (name, format) in [
        ("report.json", Format::Json),
        ("report.md", Format::Markdown),
    ] {
        let content = render(report, &Lanes::default(), format)?;
        // There may be no other report when the machine dies.
        write_whole(&folder.join(name), &content, File::sync_data)?;
    }
    Ok(())
}

/// Writes a file so that whoever reads it, at whatever moment, finds it whole: the old one or the new one.
fn write_whole(
    path: &Path,
    content: &str,
    before_it_is_there: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut partly = path.as_os_str().to_owned();
    partly.push(".part");
    let partly = PathBuf::from(partly);
    let write = || {
        let mut file = File::create(&partly)?;
        file.write_all(content.as_bytes())?;
        before_it_is_there(&file)?;
        fs::rename(&partly, path)
    };
    write().map_err(|cause| Failure::file(path, &cause))
}

/// Writes a report to stdout.
pub fn show(report: &Report, lanes: &Lanes, format: Format) -> Result<ExitCode, Failure> {
    output::result(&render(report, lanes, format)?)
}

fn render(report: &Report, lanes: &Lanes, format: Format) -> Result<String, Failure> {
    Ok(match format {
        Format::Human => terminal::render(report, style()),
        Format::Json => json::render(report).map_err(Failure::internal)?,
        Format::Junit => junit::render(report).map_err(Failure::internal)?,
        Format::Markdown => markdown::render(report),
        Format::Issue => issue::render(report),
        Format::Html => html::render(report, lanes).map_err(Failure::internal)?,
    })
}

/// How this terminal is written to.
pub fn style() -> Style {
    let size = io::stdout()
        .is_terminal()
        .then(ratatui::crossterm::terminal::size);
    // A terminal that does not know its size says that it has none.
    let size = size
        .and_then(Result::ok)
        .filter(|(columns, lines)| *columns > 0 && *lines > 1);
    Style {
        colour: output::colour(&io::stdout()),
        width: size.map_or(Style::default().width, |(columns, _)| columns.into()),
        // One line is for the prompt of the shell.
        height: size.map(|(_, lines)| usize::from(lines - 1)),
    }
}

/// The command line as it was typed, quoted for a shell where that is needed.
pub fn again() -> String {
    let words = std::env::args_os().map(|word| {
        let word = word.to_string_lossy().into_owned();
        let plain = !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./:=@+,%".contains(c));
        if plain {
            word
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
