//! A command line brought down to what is the same in every run: the program, without paths, pids and ids.

/// Programs that run another one, whose name tells more.
const INTERPRETERS: [&str; 10] = [
    "node", "bun", "deno", "python", "python3", "npx", "uvx", "uv", "sh", "bash",
];

/// The longest name that is kept.
const LONGEST: usize = 60;

/// The program of a command line, for grouping: its file name, and behind an interpreter the script's.
pub(super) fn program(command: &str) -> String {
    let mut words = command.split_whitespace().filter(|word| {
        // Options of an interpreter say nothing about what it runs.
        !word.starts_with('-')
    });
    let first = words.next().map_or("", file_name);
    if first.is_empty() {
        return "(no command line)".to_owned();
    }
    match words.next() {
        Some(script) if INTERPRETERS.contains(&first) => {
            format!("{} {}", plain(first), plain(file_name(script)))
        }
        _ => plain(first),
    }
}

/// Whether a command line looks like a `claude`. Command lines prove nothing; this is asked only of a process that nothing else tells
/// about.
pub(super) fn looks_like_claude(command: &str) -> bool {
    command
        .split_whitespace()
        .take(2)
        .any(|word| file_name(word) == "claude")
}

fn file_name(word: &str) -> &str {
    word.rsplit(['/', '\\']).next().unwrap_or(word)
}

/// A name in which runs of digits, which pids and ids are made of, are one `#`.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars().take(LONGEST) {
        if !c.is_ascii_digit() {
            plain.push(c);
        } else if !plain.ends_with('#') {
            plain.push('#');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_lose_what_differs_between_runs() {
        for (command, expected) in [
            ("/tmp/run-17/bin/claude --resume 0f3a --verbose", "claude"),
            (
                "node --expose-gc /opt/mcp/server-4711.js",
                "node server-#.js",
            ),
            (
                "bun /x/worker-service.cjs --daemon",
                "bun worker-service.cjs",
            ),
            ("", "(no command line)"),
            ("git rev-parse HEAD", "git"),
        ] {
            assert_eq!(program(command), expected, "{command}");
        }
        assert!(looks_like_claude("/a/b/claude --verbose"));
        assert!(looks_like_claude("node /a/claude"));
        assert!(!looks_like_claude("git commit -m claude"));
    }
}
