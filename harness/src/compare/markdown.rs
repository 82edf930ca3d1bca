//! The comparison as Markdown, for a pull request.

use super::words::{self, Tone};
use super::{Comparison, FindingDifference};
use crate::report::escape::markdown;

/// The comparison as Markdown: what came of it, the findings, and all figures folded away.
pub fn render(comparison: &Comparison) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&format!("### {}", markdown(&comparison.headline)));
    line("");
    line(&format!(
        "- **A**: {}",
        markdown(&words::side(&comparison.a))
    ));
    line(&format!(
        "- **B**: {}",
        markdown(&words::side(&comparison.b))
    ));
    line(&format!(
        "- **Outcome**: {}",
        words::outcome(comparison.outcome)
    ));
    for doubt in &comparison.doubts {
        line(&format!("- **In doubt**: {}", markdown(doubt)));
    }
    for caveat in &comparison.caveats {
        line(&format!("- **Beware**: {}", markdown(caveat)));
    }
    for regression in words::regressions(comparison) {
        line(&format!("- **Worse**: {}", markdown(&regression)));
    }
    line("");
    if !comparison.findings.is_empty() {
        line("| | finding | A | B |");
        line("|---|---|--:|--:|");
        for finding in &comparison.findings {
            line(&found(finding));
        }
        line("");
    }
    line("<details><summary>All figures</summary>");
    line("");
    line("| | | A | B | change | per session |");
    line("|---|---|--:|--:|---|---|");
    for table in words::tables(comparison) {
        for (place, row) in table.lines.iter().enumerate() {
            let part = if place == 0 {
                markdown(&table.name)
            } else {
                String::new()
            };
            let change = markdown(&row.change);
            let change = match row.tone {
                Tone::Worse => format!("**{change}**"),
                Tone::Better | Tone::Neutral => change,
            };
            line(&format!(
                "| {part} | {} | {} | {} | {change} | {} |",
                markdown(&row.name),
                markdown(&row.a),
                markdown(&row.b),
                markdown(&row.each)
            ));
        }
    }
    line("");
    line("</details>");
    out
}

fn found(finding: &FindingDifference) -> String {
    let word = words::change_word(finding.change);
    let word = match words::finding_tone(finding) {
        Tone::Worse => format!("**{word}**"),
        Tone::Better | Tone::Neutral => word.to_owned(),
    };
    let note = if finding.blames {
        ""
    } else {
        " (planned or excused)"
    };
    format!(
        "| {word} | {}{} | {} | {} |",
        markdown(&finding.signature),
        markdown(note),
        finding.a,
        finding.b
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::examples::{cured, doubtful, regressed};

    #[test]
    fn a_regression_is_shown() {
        insta::assert_snapshot!(render(&regressed()));
    }

    #[test]
    fn a_cure_is_shown() {
        insta::assert_snapshot!(render(&cured()));
    }

    #[test]
    fn doubt_is_shown_with_its_reason() {
        insta::assert_snapshot!(render(&doubtful()));
    }
}
