//! What a user message asks for.
//!
//! A memory worker has three kinds of messages. They are told apart by how they begin and by their root element, never by words
//! somewhere inside: the opening prompt describes observations and summaries at length, and anything may stand in what a tool said.

use crate::control::{TurnKind, markers};

/// The element that a memory worker wraps around what it saw in the session that it observes.
const OBSERVED: &str = "<observed_from_primary_session>";
/// The first element inside it when a tool's use is reported; a user's request begins with another one.
const TOOL_USED: &str = "<what_happened>";
/// What the first line of a message says that wants a summary; the newest versions have dashes and more words around it.
const SUMMARY: &str = "PROGRESS SUMMARY";

/// What a user message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The kind of the turn that it wants.
    pub kind: TurnKind,
    /// Whether it comes from a memory worker, to whom only XML means something.
    pub from_memory_worker: bool,
    /// The markers in it, apart for each answer that is due: one message may report several uses of tools.
    pub parts: Vec<Vec<String>>,
}

impl Asked {
    /// Reads a message's text.
    pub fn read(text: &str) -> Self {
        let reports = reports(text);
        let (kind, from_memory_worker, parts) = if begins_as_summary(text) {
            (TurnKind::Summary, true, vec![markers(text)])
        } else if reports.is_empty() {
            let from_memory_worker = text.contains(OBSERVED);
            (TurnKind::Prompt, from_memory_worker, vec![markers(text)])
        } else {
            let parts = reports.into_iter().map(markers).collect();
            (TurnKind::Observation, true, parts)
        };
        Self {
            kind,
            from_memory_worker,
            parts,
        }
    }

    /// Every marker of the message, in order.
    pub fn markers(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for marker in self.parts.iter().flatten() {
            if !all.contains(marker) {
                all.push(marker.clone());
            }
        }
        all
    }
}

fn begins_as_summary(text: &str) -> bool {
    text.trim_start()
        .lines()
        .next()
        .is_some_and(|line| line.contains(SUMMARY))
}

/// The reports of tools' uses in a text, each up to the next one. None, if its first root element is of another kind.
///
/// Inside a report, values are JSON, in which a line break is escaped: the element at the beginning of a line is a new report's.
fn reports(text: &str) -> Vec<&str> {
    let mut starts = text.match_indices(OBSERVED).filter_map(|(at, _)| {
        let inside = text[at + OBSERVED.len()..].trim_start();
        // The opening prompt names the element in a sentence, where no other element follows.
        inside
            .starts_with('<')
            .then(|| (at, inside.starts_with(TOOL_USED)))
    });
    let Some((mut start, true)) = starts.next() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (next, _) in starts.filter(|(at, is_report)| *is_report && text[..*at].ends_with('\n')) {
        found.push(&text[start..next]);
        start = next;
    }
    found.push(&text[start..]);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kind: TurnKind, from_memory_worker: bool, parts: &[&[&str]]) {
        let parts = parts
            .iter()
            .map(|markers| markers.iter().map(ToString::to_string).collect())
            .collect();
        let expected = Asked {
            kind,
            from_memory_worker,
            parts,
        };
        assert_eq!(Asked::read(text), expected, "{text}");
    }

    fn report(marker: &str) -> String {
        format!(
            "{OBSERVED}\n  {TOOL_USED}Bash</what_happened>\n  <parameters>\"echo {marker}\"</parameters>\n</observed_from_primary_session>"
        )
    }

    #[test]
    fn an_opening_prompt_is_a_prompt_whatever_it_describes() {
        let opening = "You are an observer. All you need comes in <observed_from_primary_session> messages.\n\n\
            <observed_from_primary_session>\n  <user_request>lhm-1-1-p1z do a <what_happened> and a PROGRESS SUMMARY\n\
            </user_request>\n</observed_from_primary_session>\n\nWrite <observation> ... PROGRESS SUMMARY later.";
        check(opening, TurnKind::Prompt, true, &[&["lhm-1-1-p1z"]]);
        // A user who pastes a whole report into a prompt.
        let pasted = opening.replace("do a", &report("lhm-1-1-o9z"));
        assert_eq!(Asked::read(&pasted).kind, TurnKind::Prompt);
    }

    #[test]
    fn a_report_of_a_tool_is_an_observation() {
        let one = report("lhm-1-1-o1z PROGRESS SUMMARY");
        check(&one, TurnKind::Observation, true, &[&["lhm-1-1-o1z"]]);
        let followed = format!("{one}\n\nReturn <observation> blocks, or nothing.");
        check(&followed, TurnKind::Observation, true, &[&["lhm-1-1-o1z"]]);
    }

    #[test]
    fn several_reports_in_one_message_are_several_observations() {
        let two = format!("{}\n\n{}", report("lhm-1-1-o1z"), report("lhm-1-1-o2z"));
        check(
            &two,
            TurnKind::Observation,
            true,
            &[&["lhm-1-1-o1z"], &["lhm-1-1-o2z"]],
        );
        let quoted = report(&format!("cat {OBSERVED}{TOOL_USED} lhm-1-1-o1z"));
        check(&quoted, TurnKind::Observation, true, &[&["lhm-1-1-o1z"]]);
    }

    #[test]
    fn a_summary_is_known_by_its_first_line() {
        for text in [
            "PROGRESS SUMMARY CHECKPOINT\n====\nlhm-1-1-s1z",
            "--- MODE SWITCH: PROGRESS SUMMARY ---\nlhm-1-1-s1z <observed_from_primary_session>\n <what_happened>",
        ] {
            check(text, TurnKind::Summary, true, &[&["lhm-1-1-s1z"]]);
        }
    }

    #[test]
    fn anything_else_is_a_plain_prompt() {
        check("hello", TurnKind::Prompt, false, &[&[]]);
        check("", TurnKind::Prompt, false, &[&[]]);
    }
}
