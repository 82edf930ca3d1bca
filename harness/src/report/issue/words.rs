//! What the words of an issue mean, one line each.

/// Words, and what they mean to somebody who has never seen this program.
const WORDS: [(&str, &str); 24] = [
    (
        "stand-in",
        "a program that speaks the protocol of `claude` towards the worker, and behaves as the scenario says; no model is asked, and none costs anything",
    ),
    (
        "grace",
        "how long a process may live on after the end of its session, or of its worker, before it counts; 12 s unless the scenario says otherwise, since the longest escalation of signals that is known takes 10 s",
    ),
    (
        "work item",
        "what the hooks hand over and what is to be answered: an observation, a summary",
    ),
    ("marker", "a text in a work item by which it is known again"),
    ("primary", "a claude that serves a session"),
    ("payload", "the real process behind a wrapper script"),
    (
        "grandchild",
        "something that a claude has started, as a real one starts MCP servers and shells",
    ),
    (
        "helper",
        "a process that the worker starts for itself, such as git",
    ),
    (
        "probe",
        "a short question to a program, such as `claude --version`",
    ),
    (
        "survivor",
        "a process that the scenario declares as meant to live",
    ),
    ("clean", "gone and waited for in time, with no work owed"),
    (
        "retained",
        "alive beyond its time, and whoever started it lives",
    ),
    (
        "reparented",
        "alive beyond its time, and whoever started it is gone",
    ),
    (
        "readopted",
        "alive beyond its time after a restart of the worker, and the new one has shown that it knows of it: it signalled it or holds its stdin",
    ),
    ("residue", "alive after the worker itself has stopped"),
    ("zombie", "dead, and never waited for by its parent"),
    (
        "killed early",
        "ended from outside while its session was open or work was owed",
    ),
    ("crashed", "ended by itself with work owed"),
    ("pending", "still waiting when the run was over"),
    ("duplicated", "answered twice or more"),
    (
        "turn",
        "one answer of a claude to what it was given; the opening prompt is what the worker itself sends first",
    ),
    (
        "the session ends: complete",
        "the client says that it is over, by the request of the hook for that (SessionEnd) where the release has one and the worker is there",
    ),
    (
        "the session ends: abandon",
        "nothing more is said: the client crashed, or the release has no hook for a session's end",
    ),
    (
        "read back",
        "what the worker has stored is asked for, or looked up in its database",
    ),
];

/// The meanings of the words that occur in a text.
pub(super) fn that_occur(text: &str) -> String {
    let text = text.to_lowercase();
    let occurs = |word: &str| {
        text.match_indices(word).any(|(place, _)| {
            // `return` is no turn.
            !text[..place].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    let lines: Vec<String> = WORDS
        .iter()
        .filter(|(word, _)| occurs(word))
        .map(|(word, meaning)| format!("- {word}: {meaning}"))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_occur_are_explained() {
        assert_eq!(that_occur("it will return"), "");
        let told = that_occur("The Grace is over");
        assert!(told.starts_with("- grace: "), "{told}");
        assert_eq!(told.lines().count(), 1);
    }
}
