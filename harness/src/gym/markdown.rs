//! The results of the gym as Markdown: `gym.md`.

use fake_claude::quantity::Span;

use super::results::{GymReport, Standing};
use super::terminal::{gap_words, sentence, sound_sentence, wrongs};
use crate::judge::finding::rule_name;
use crate::report::escape::markdown;
use crate::scenario::Bin;
use crate::units;

/// The results as Markdown.
pub fn render(report: &GymReport) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line("# What the judge finds, and what it does not");
    line("");
    line(&markdown(&sentence(report)));
    line("");
    if !report.without.is_empty() {
        let names: Vec<String> = report
            .without
            .iter()
            .filter_map(|witness| serde_json::to_value(witness).ok())
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect();
        line(&format!("Switched off: {}.", markdown(&names.join(", "))));
        line("");
        for gap in &report.gaps {
            line(&format!(
                "- {}: {}",
                markdown(&gap_words(gap)),
                markdown(&gap.what)
            ));
        }
        line("");
    }
    if !report.defects.is_empty() {
        line("| defect | met in | expected bin | found | bin | cause | right | after |");
        line("|---|---|---|---|---|---|---|--:|");
        for defect in &report.defects {
            let found = defect.runs.iter().filter(|run| run.found).count();
            line(&format!(
                "| {} | {} | {} | {found} of {} | {} | {} | {} | {} |",
                markdown(&defect.name),
                markdown(defect.issue.as_deref().unwrap_or("")),
                bin(Some(defect.expected_bin)),
                defect.runs.len(),
                bin(defect.bin),
                markdown(defect.cause.as_deref().unwrap_or("-")),
                standing(defect.standing),
                defect
                    .detected_after_ms
                    .map_or("-".to_owned(), |after| units::span(Span::from_millis(
                        after
                    ))),
            ));
        }
        line("");
        for defect in &report.defects {
            for why in wrongs(defect) {
                line(&format!(
                    "- **{}**: {}",
                    markdown(&defect.name),
                    markdown(&why)
                ));
            }
        }
        line("");
    }
    if !report.controls.is_empty() {
        line("| control | runs | false alarms | inconclusive | |");
        line("|---|--:|--:|--:|---|");
        for control in &report.controls {
            line(&format!(
                "| {} | {} | {} | {} | {} |",
                markdown(&control.name),
                control.runs,
                control.false_alarms,
                control.inconclusive,
                standing(control.standing())
            ));
        }
        line("");
        for control in &report.controls {
            for said in &control.said {
                line(&format!(
                    "- **{}**: {}",
                    markdown(&control.name),
                    markdown(said)
                ));
            }
        }
        line("");
    }
    if let Some(soundness) = &report.soundness {
        line(&format!(
            "**Soundness**: {}",
            markdown(&sound_sentence(soundness))
        ));
        line("");
        for said in &soundness.said {
            line(&format!("- {}", markdown(said)));
        }
    }
    out.trim_end().to_owned() + "\n"
}

fn bin(bin: Option<Bin>) -> String {
    bin.map_or("-".to_owned(), |bin| markdown(rule_name(bin)))
}

fn standing(standing: Standing) -> String {
    let words = markdown(standing.words());
    if standing.is_off() {
        format!("**{words}**")
    } else {
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gym::examples::{mixed, right};

    #[test]
    fn what_is_off_is_shown_with_the_reason() {
        insta::assert_snapshot!(render(&mixed()));
    }

    #[test]
    fn a_gym_without_fault_is_shown() {
        insta::assert_snapshot!(render(&right()));
    }
}
