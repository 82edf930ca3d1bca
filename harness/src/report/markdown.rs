//! The report as Markdown, for a pull request.

use comfy_table::{Table, presets};
use fake_claude::quantity::Span;

use super::escape::{html_in_markdown, markdown, plain_cut};
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
    if !report.thresholds.is_empty() {
        line("| threshold | limit | actual | |");
        line("|---|--:|--:|---|");
        for threshold in &report.thresholds {
            line(&format!(
                "| {} | {} | {} | {} |",
                markdown(&threshold.metric),
                threshold.limit,
                threshold.actual,
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
        item("Run it again", &report.command);
    }
    out
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
            markdown(&plain_cut(&line.command, COMMAND)),
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
    fn no_process_gets_markup_in() {
        let text = render(&failing());
        assert!(!text.contains("<script>"));
        assert!(!text.contains("@someone"));
        assert!(!text.contains('\x1b'));
    }
}
