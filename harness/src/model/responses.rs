//! Finds observations and summaries in what a claude answers. Whatever is missing is left empty; nothing is ever refused.

/// The kinds of observation; an unknown one counts as the first.
const KINDS: [&str; 6] = [
    "bugfix",
    "feature",
    "refactor",
    "change",
    "discovery",
    "decision",
];

/// One `<observation>` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Observation<'a> {
    pub(super) kind: &'a str,
    pub(super) title: Option<&'a str>,
    pub(super) subtitle: Option<&'a str>,
    pub(super) narrative: Option<&'a str>,
    pub(super) facts: Vec<&'a str>,
    pub(super) concepts: Vec<&'a str>,
    pub(super) files_read: Vec<&'a str>,
    pub(super) files_modified: Vec<&'a str>,
}

/// The `<summary>` block. Its notes are not served by any route, so they are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary<'a> {
    pub(super) request: &'a str,
    pub(super) investigated: &'a str,
    pub(super) learned: &'a str,
    pub(super) completed: &'a str,
    pub(super) next_steps: &'a str,
}

/// Every observation of a text.
pub(super) fn observations(text: &str) -> Vec<Observation<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((block, after)) = block(rest, "observation") {
        let kind = field(block, "type")
            .and_then(|kind| KINDS.into_iter().find(|known| *known == kind))
            .unwrap_or(KINDS[0]);
        found.push(Observation {
            kind,
            title: field(block, "title"),
            subtitle: field(block, "subtitle"),
            narrative: field(block, "narrative"),
            facts: list(block, "facts", "fact"),
            concepts: {
                let mut concepts = list(block, "concepts", "concept");
                concepts.retain(|concept| *concept != kind);
                concepts
            },
            files_read: list(block, "files_read", "file"),
            files_modified: list(block, "files_modified", "file"),
        });
        rest = after;
    }
    found
}

/// The summary of a text, unless there is none or it says that it was skipped.
pub(super) fn summary(text: &str) -> Option<Summary<'_>> {
    if skips_summary(text) {
        return None;
    }
    let (block, _) = block(text, "summary")?;
    let part = |name| field(block, name).unwrap_or_default();
    Some(Summary {
        request: part("request"),
        investigated: part("investigated"),
        learned: part("learned"),
        completed: part("completed"),
        next_steps: part("next_steps"),
    })
}

fn skips_summary(text: &str) -> bool {
    text.match_indices("<skip_summary").any(|(at, mark)| {
        let rest = text[at + mark.len()..].trim_start();
        rest.strip_prefix("reason=\"")
            .and_then(|rest| rest.split_once('"'))
            .is_some_and(|(reason, rest)| !reason.is_empty() && rest.trim_start().starts_with("/>"))
    })
}

/// The content of the first element of this name, and what follows the element.
fn block<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
}

/// The contents of elements that hold no further element.
fn leaves<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let open = format!("<{name}>");
    let close = format!("</{name}>");
    let starts: Vec<usize> = text
        .match_indices(&open)
        .map(|(at, _)| at + open.len())
        .collect();
    starts.into_iter().filter_map(move |start| {
        let rest = &text[start..];
        let end = rest.find('<')?;
        rest[end..].starts_with(&close).then(|| rest[..end].trim())
    })
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    leaves(text, name).next().filter(|value| !value.is_empty())
}

fn list<'a>(text: &'a str, name: &str, element: &str) -> Vec<&'a str> {
    block(text, name).map_or_else(Vec::new, |(inner, _)| {
        leaves(inner, element)
            .filter(|value| !value.is_empty())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_are_found_among_prose() {
        let text = "Noted.\n<observation><type>bugfix</type><title> T </title><facts><fact>a</fact><fact>b</fact></facts>\
                    <concepts><concept>bugfix</concept><concept>gotcha</concept></concepts></observation>\n\
                    <observation><type>poem</type><narrative>n</narrative></observation>";
        let found = observations(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].kind, "bugfix");
        assert_eq!(found[0].title, Some("T"));
        assert_eq!(found[0].facts, ["a", "b"]);
        assert_eq!(found[0].concepts, ["gotcha"]);
        assert_eq!((found[1].kind, found[1].narrative), ("bugfix", Some("n")));
    }

    #[test]
    fn broken_blocks_are_no_observations() {
        for text in [
            "",
            "<observation>",
            "observation",
            "</observation><observation>",
        ] {
            assert!(observations(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn summary_is_kept_with_gaps_and_dropped_when_skipped() {
        let text =
            "<summary><request>r</request><learned></learned><completed>c</completed></summary>";
        let found = summary(text).unwrap();
        assert_eq!(
            (found.request, found.learned, found.completed),
            ("r", "", "c")
        );
        assert_eq!(
            summary(&format!("{text}<skip_summary reason=\"idle\"/>")),
            None
        );
        assert_eq!(summary("nothing to say"), None);
    }
}
