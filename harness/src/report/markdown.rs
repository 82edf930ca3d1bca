//! The report as Markdown, for a pull request, and for an issue of the worker's own project: whoever has nothing else can run it again.

use comfy_table::{Table, presets};
use fake_claude::quantity::Span;

use super::escape::{authored, html_in_markdown, markdown, plain, plain_cut, reference};
use super::story::Story;
use super::{Report, sentences};
use crate::judge::finding::{Finding, ProcessLine};
use crate::units;

/// How many processes are shown of each finding.
const ROWS: usize = 5;
/// How much of a command line is shown.
const COMMAND: usize = 120;

/// The report as Markdown.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&format!("### {}", markdown(&sentences::headline(report))));
    line("");
    line(&markdown(&sentences::run_line(report)));
    line("");
    if !report.made.description.is_empty() {
        let issue = report.made.issue.as_deref();
        let issue = issue.map_or_else(String::new, |issue| format!(" (see {})", reference(issue)));
        line(&format!("{}{issue}", authored(&report.made.description)));
        line("");
    }
    let why = sentences::preface(&report.made.scenario);
    if !why.is_empty() {
        line(&authored(&why));
        line("");
    }
    line("| | what was run |");
    line("|---|---|");
    for (name, what) in sentences::made(report) {
        line(&format!("| {name} | {} |", markdown(&what)));
    }
    line("");
    line("| | books |");
    line("|---|---|");
    for (name, books) in sentences::process_books(report) {
        line(&format!("| {name} | {} |", markdown(&books)));
    }
    if report.work.offered > 0 {
        let books = sentences::balance(("offered", report.work.offered), &report.work.named());
        line(&format!("| work | {} |", markdown(&books)));
    }
    if let Some(unbalanced) = &report.unbalanced {
        line(&format!("| out of balance | {} |", markdown(unbalanced)));
    }
    line("");
    for finding in &report.findings {
        line(&found(finding));
    }
    for story in &report.stories {
        line(&told(story));
    }
    if !report.thresholds.is_empty() {
        line("| threshold | limit | actual | |");
        line("|---|--:|--:|---|");
        for threshold in &report.thresholds {
            line(&format!(
                "| {} | {} | {} | {} |",
                markdown(&threshold.metric),
                sentences::measured(&threshold.metric, threshold.limit),
                sentences::measured(&threshold.metric, threshold.actual),
                if threshold.ok { "ok" } else { "**crossed**" }
            ));
        }
        line("");
    }
    let mut item = |name: &str, text: &str| line(&format!("- **{name}**: {}", markdown(text)));
    item("Memory", &sentences::memory(report));
    if report.time_to_reap_ms.count > 0 {
        item("Time to go", &sentences::times(&report.time_to_reap_ms));
    }
    if !report.forecast.words.is_empty() {
        item("Forecast", &report.forecast.words);
    }
    item("Watched", &sentences::watching(report));
    item("Smallest leak that would be seen", &report.smallest_leak);
    for reason in &report.reasons {
        item("Reason", reason);
    }
    for unexpected in &report.unexpected {
        item("Not as expected", unexpected);
    }
    if !report.command.is_empty() {
        item("Run as", &sentences::without_folders(&report.command));
    }
    out + &again(report)
}

/// One session, moment by moment, folded away.
fn told(story: &Story) -> String {
    let mut text = format!(
        "<details><summary>One session of them, moment by moment: {}</summary>\n\n{}\n\n| ms | |\n|--:|---|\n",
        html_in_markdown(&story.session),
        markdown(&story.signature)
    );
    for moment in &story.moments {
        text += &format!("| {} | {} |\n", moment.after_ms, markdown(&moment.what));
    }
    if story.omitted > 0 {
        text += &format!(
            "\n{} in between left out\n",
            units::Count(u64::from(story.omitted), "moment")
        );
    }
    text + "\n</details>\n"
}

/// The commands that run it again, in a checkout of the harness.
pub(super) fn from_nothing(report: &Report) -> Vec<String> {
    let mut commands = vec!["cargo build --release".to_owned()];
    commands.extend(sentences::install_again(report));
    commands.push(sentences::run_again(report));
    commands
}

/// How to run it again from nothing, with the scenario itself.
fn again(report: &Report) -> String {
    if report.made.scenario.is_empty() {
        return String::new();
    }
    let commands = from_nothing(report);
    format!(
        "\n#### Run it again from nothing\n\n{}",
        steps(report, &commands)
    )
}

/// Commands to be run in a checkout of this program, and the scenario that they name.
pub(super) fn steps(report: &Report, commands: &[String]) -> String {
    let npm = if report.made.install.is_empty() {
        ""
    } else {
        "; `install` needs npm, and `--source CLONE` for a release that npm lacks"
    };
    let mut harness = "leak-harness".to_owned();
    if !report.made.harness.is_empty() {
        harness += &format!(" {}", report.made.harness);
    }
    let name = markdown(&report.scenario.name);
    let scenario = if sentences::in_the_repository(report).is_some() {
        format!("The scenario lies there; or save the block below as {name}.toml, and run that:")
    } else {
        format!("The scenario is the block below, to be saved as {name}.toml:")
    };
    format!(
        "In a checkout of {}, on Linux with Rust{npm}:\n\n{}\n\n{scenario}\n\n<details><summary>{}.toml</summary>\n\n{}\n\n</details>\n",
        markdown(&harness),
        fenced("sh", &commands.join("\n")),
        html_in_markdown(&report.scenario.name),
        fenced("toml", &report.made.scenario)
    )
}

/// Text in a block that nothing in it can end.
fn fenced(language: &str, text: &str) -> String {
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> = text.lines().map(plain).collect();
    format!("{fence}{language}\n{}\n{fence}", lines.join("\n"))
}

/// A finding, its processes folded away.
fn found(finding: &Finding) -> String {
    let mut text = format!(
        "<details><summary>{}</summary>\n\n{}\n\n",
        html_in_markdown(&sentences::finding_line(finding)),
        markdown(&sentences::evidence_line(finding))
    );
    if !finding.processes.is_empty() {
        text += &processes(&finding.processes);
        let shown = finding.processes.len().min(ROWS);
        let more = (finding.count as usize).saturating_sub(shown);
        if more > 0 {
            text += &format!("\n\nand {more} more");
        }
        text += "\n\n";
    }
    text + "</details>\n"
}

fn processes(lines: &[ProcessLine]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_header(["PID", "PPID", "RSS(KB)", "PSS(KB)", "ELAPSED", "COMMAND"]);
    for line in lines.iter().take(ROWS) {
        table.add_row([
            line.pid.to_string(),
            line.ppid.to_string(),
            (line.rss_bytes / 1_024).to_string(),
            line.pss_bytes
                .map_or_else(|| "-".to_owned(), |pss| (pss / 1_024).to_string()),
            units::elapsed(Span::from_millis(line.age_ms)),
            markdown(&plain_cut(
                &sentences::without_folders(&line.command),
                COMMAND,
            )),
        ]);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::examples::{failing, inconclusive, passing};

    #[test]
    fn a_failure_is_shown() {
        insta::assert_snapshot!(render(&failing()));
    }

    #[test]
    fn a_pass_is_shown() {
        insta::assert_snapshot!(render(&passing()));
    }

    #[test]
    fn doubt_is_shown() {
        insta::assert_snapshot!(render(&inconclusive()));
    }

    #[test]
    fn the_worker_is_named_that_the_scenario_does_not_name() {
        let mut report = failing();
        report.worker.name = "claude-mem".to_owned();
        report.made.install = vec!["bun@1.3.5".to_owned(), "claude-mem@13.25.3".to_owned()];
        assert!(render(&report).contains("--seed 603 --worker claude-mem@13.25.3\n"));
        report.made.scenario = "use = \"claude-mem@13.25.3\"".to_owned();
        assert!(render(&report).contains("--seed 603\n"));
    }

    #[test]
    fn no_folder_of_the_machine_is_shown() {
        let mut report = failing();
        report.command =
            "/home/somebody/leak-harness run /home/somebody/x.toml --out=/srv/out".to_owned();
        report.findings[0].processes[0].command =
            "/tmp/leak-harness-a1/bin/claude --mcp-config /home/somebody/mcp.json".to_owned();
        let text = render(&report);
        for folder in ["somebody", "/srv", "/tmp"] {
            assert!(!text.contains(folder), "{folder}");
        }
        assert!(text.contains("leak-harness run x.toml --out=out"));
        assert!(text.contains("| claude --mcp-config mcp.json"));
    }

    #[test]
    fn no_block_is_ended_by_what_stands_in_it() {
        let mut report = failing();
        report.made.scenario = "# ````\n</details> <script>\n# \x1b[2J".to_owned();
        let text = render(&report);
        assert!(text.contains("`````toml\n# ````\n</details> <script>\n# \\x1b[2J\n`````\n"));
    }

    #[test]
    fn no_process_gets_markup_in() {
        let text = render(&failing());
        assert!(!text.contains("<script>"));
        assert!(!text.contains("@someone"));
        assert!(!text.contains('\x1b'));
    }
}
