//! The report as an issue of the project whose worker it is, to be filed as it is: for readers who know their own program and have never
//! seen this one.
//!
//! What should have happened and what it matters is said by the scenario, since no machine can tell; what did happen is derived from the
//! findings. The rest is evidence: one session moment by moment and the processes, and what few will ask for is folded away.

mod actual;
mod words;

use comfy_table::{Table, presets};
use fake_claude::quantity::Span;

use super::escape::{authored, html_in_markdown, markdown, plain_cut, reference};
use super::markdown::steps;
use super::story::Story;
use super::{Report, sentences};
use crate::judge::finding::{Finding, ProcessLine};
use crate::scenario::Verdict;
use crate::units;

/// How many processes are shown of each finding.
const ROWS: usize = 5;
/// How much of a command line is shown.
const COMMAND: usize = 120;

/// The report as an issue.
pub fn render(report: &Report) -> String {
    let mut parts = vec![format!("# {}", title(report))];
    parts.extend(before_filing(report));
    let made = &report.made;
    parts.push(said("Expected", &expected(report)));
    parts.push(happened(report));
    parts.extend(
        made.impact
            .as_deref()
            .map(|impact| said("Why it matters", &authored(impact))),
    );
    let why = sentences::preface(&made.scenario);
    if !why.is_empty() {
        parts.push(said("How it comes, as far as we know", &authored(&why)));
    }
    if let Some(issue) = &made.issue {
        parts.push(said("Related", &reference(issue)));
    }
    parts.push(versions(report));
    if !made.scenario.is_empty() {
        parts.push(again(report));
    }
    parts.push("## Evidence".to_owned());
    parts.extend(clock(report));
    let with_processes = blamed(report).filter(|finding| !finding.processes.is_empty());
    parts.extend(with_processes.map(|finding| shown(report, finding)));
    for (place, story) in report.stories.iter().enumerate() {
        parts.push(told(report, story, place == 0));
    }
    parts.push(folded(
        "The books: what became of each process and each work item",
        &books(report),
    ));
    parts.push(folded(
        "Settings of the worker, and who watched",
        &circumstances(report),
    ));
    let words = words::that_occur(&parts.join("\n"));
    if !words.is_empty() {
        parts.push(folded("What the words mean", &words));
    }
    parts.join("\n\n") + "\n"
}

fn title(report: &Report) -> String {
    if report.made.description.is_empty() {
        markdown(&report.scenario.name)
    } else {
        authored(&report.made.description)
    }
}

fn said(what: &str, text: &str) -> String {
    format!("**{what}**: {text}")
}

/// What whoever is about to file it has to know: that it is half a run, or not what its scenario says.
fn before_filing(report: &Report) -> Option<String> {
    let mut why = Vec::new();
    if report.checkpoint {
        why.push("the run goes on, and this is what was seen so far".to_owned());
    }
    if report.cut_off {
        why.push("the recording was cut off".to_owned());
    }
    if !report.as_expected {
        why.extend(report.unexpected.iter().map(|what| markdown(what)));
    }
    (!why.is_empty()).then(|| said("Not to be filed as it is", &why.join("; ")))
}

/// The findings that speak against the worker, and that nobody knew of.
fn blamed(report: &Report) -> impl Iterator<Item = &Finding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.blames && !finding.known)
}

fn expected(report: &Report) -> String {
    if let Some(should) = &report.made.should {
        return authored(should);
    }
    let mut all: Vec<String> = blamed(report)
        .map(|finding| actual::expected(report, finding))
        .collect();
    all.dedup();
    if all.is_empty() {
        return "every process goes in time, and all work that was accepted is answered".to_owned();
    }
    markdown(&all.join("; "))
}

/// What happened, in words of its own for each finding.
fn happened(report: &Report) -> String {
    let mut all: Vec<String> = blamed(report)
        .map(|finding| markdown(&actual::sentence(report, finding)))
        .collect();
    if all.is_empty() {
        return said("Actual", &markdown(&sentences::headline(report)));
    }
    all.extend(actual::answered(report));
    if let [one] = all.as_slice() {
        return said("Actual", one);
    }
    format!("**Actual**:\n\n- {}", all.join("\n- "))
}

fn versions(report: &Report) -> String {
    let told = sentences::made(report);
    let named = |name: &str| {
        let line = told.iter().find(|(of, _)| *of == name);
        line.map(|(_, what)| markdown(what))
    };
    let all = ["worker", "system", "claude"].map(named);
    let mut text = all.into_iter().flatten().collect::<Vec<_>>().join("; ");
    if report.scenario.time_scale != 1.0 {
        text += &format!("; {}", scaled(report));
    }
    said("Versions and platform", &text)
}

fn scaled(report: &Report) -> String {
    format!(
        "all times of the worker, of the claudes and of the load are divided by {}",
        report.scenario.time_scale
    )
}

/// How to see it again, from nothing.
fn again(report: &Report) -> String {
    let name = &report.scenario.name;
    let mut commands = vec!["cargo build --release".to_owned()];
    commands.extend(sentences::install_again(report));
    commands.push(format!("{} --out {name}", sentences::run_again(report)));
    commands.push(format!(
        "target/release/leak-harness report {name} --format issue"
    ));
    let takes = units::span(Span::from_millis(report.elapsed_ms));
    let mut text = format!("The run took {takes}.");
    if report.as_expected && report.verdict == Verdict::Fail {
        text += " It exits with 0 as long as it finds what is told here, and with another code when it does not: so it can stand in a \
                 test suite until the day of the repair.";
    }
    format!("## Steps\n\n{}\n{text}", steps(report, &commands))
}

/// Whose time is told where two differ.
fn clock(report: &Report) -> Option<String> {
    (report.scenario.time_scale != 1.0).then(|| {
        format!(
            "Of two times that stand together, the first is as the worker counts it, and the second as the clock on the wall does: {}. Times \
             within a moment of a session and ages of processes are the wall's.",
            scaled(report)
        )
    })
}

/// A finding with its processes.
fn shown(report: &Report, finding: &Finding) -> String {
    let mut text = format!("### {}", markdown(&actual::heading(report, finding)));
    text += "\n\n";
    text += &processes(&finding.processes, report.memory.ballast);
    let shown = finding.processes.len().min(ROWS);
    let more = (finding.count as usize).saturating_sub(shown);
    if more > 0 {
        text += &format!("\n\nand {more} more");
    }
    text
}

/// Processes as `ps` shows them. Memory is told where it means something: a stand-in without ballast needs a hundredth of a claude.
fn processes(lines: &[ProcessLine], memory: bool) -> String {
    let mut table = Table::new();
    let mut header = vec!["PID", "PPID"];
    if memory {
        header.extend(["RSS(KB)", "PSS(KB)"]);
    }
    header.extend(["ELAPSED", "COMMAND"]);
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for line in lines.iter().take(ROWS) {
        let mut row = vec![line.pid.to_string(), line.ppid.to_string()];
        if memory {
            row.push((line.rss_bytes / 1_024).to_string());
            let pss = line.pss_bytes.map(|pss| (pss / 1_024).to_string());
            row.push(pss.unwrap_or_else(|| "-".to_owned()));
        }
        row.push(units::elapsed(Span::from_millis(line.age_ms)));
        let command = sentences::without_folders(&line.command);
        row.push(markdown(&plain_cut(&command, COMMAND)));
        table.add_row(row);
    }
    table.trim_fmt()
}

/// A session, moment by moment; all but the first are folded away.
fn told(report: &Report, story: &Story, open: bool) -> String {
    let scale = report.scenario.time_scale;
    let mut text = if scale == 1.0 {
        "| ms since it opened | |\n|--:|---|\n".to_owned()
    } else {
        "| the worker's time | the wall's, in ms | |\n|--:|--:|---|\n".to_owned()
    };
    for moment in &story.moments {
        let what = markdown(&moment.what);
        if scale == 1.0 {
            text += &format!("| {} | {what} |\n", moment.after_ms);
        } else {
            let own = actual::scaled(Span::from_millis(moment.after_ms), scale);
            text += &format!("| {} | {} | {what} |\n", units::span(own), moment.after_ms);
        }
    }
    if story.omitted > 0 {
        let omitted = units::Count(u64::from(story.omitted), "moment");
        text += &format!("\n{omitted} in between left out\n");
    }
    let text = text.trim_end();
    let of_which = blamed(report).find(|finding| finding.signature == story.signature);
    let of_which = of_which.map_or_else(String::new, |finding| {
        format!("one of these: {}", actual::heading(report, finding))
    });
    if open {
        return format!(
            "### One session, moment by moment\n\n{}\n\n{text}",
            markdown(&of_which)
        );
    }
    folded(
        &format!(
            "Another session, moment by moment: {}",
            html_in_markdown(&of_which)
        ),
        text,
    )
}

/// Text that is shown to those who ask for it. Its name is HTML already.
fn folded(name: &str, text: &str) -> String {
    format!("<details><summary>{name}</summary>\n\n{text}\n\n</details>")
}

fn books(report: &Report) -> String {
    let mut lines: Vec<String> = sentences::process_books(report)
        .into_iter()
        .map(|(name, books)| format!("- {name}: {}", markdown(&books)))
        .collect();
    if report.work.offered > 0 {
        let books = sentences::balance(("offered", report.work.offered), &report.work.named());
        lines.push(format!("- work: {}", markdown(&books)));
    }
    if let Some(unbalanced) = &report.unbalanced {
        lines.push(format!("- out of balance: {}", markdown(unbalanced)));
    }
    lines.join("\n")
}

fn circumstances(report: &Report) -> String {
    let mut lines: Vec<String> = sentences::made(report)
        .into_iter()
        .filter(|(name, _)| ["its settings", "harness", "time"].contains(name))
        .map(|(name, what)| format!("- {name}: {}", markdown(&what)))
        .collect();
    lines.push(format!(
        "- the run: {}",
        markdown(&sentences::run_line(report))
    ));
    lines.push(format!(
        "- watched: {}",
        markdown(&sentences::watching(report))
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests;
