//! A command line brought down to its kind: the program and the options that tell kinds apart, with all that varies masked.
//!
//! Two processes with one signature were started for the same purpose; 121 sessions of one daemon are one line.

use super::mask::{Mask, SECRET, announces_secret, file_name, is_private, short_option};

/// Programs that run another one, whose name tells more.
const INTERPRETERS: [&str; 13] = [
    "node", "bun", "deno", "python", "python3", "npx", "uvx", "uv", "sh", "bash", "dash", "ruby",
    "tsx",
];
/// Options of these that take a value, which is not what they run.
const WITH_VALUE: [&str; 6] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--preload",
    "--conditions",
];
/// Options behind which there is a program's text, or the name of what is run.
const RUNS: [&str; 5] = ["-c", "-e", "--eval", "-p", "-m"];

/// A longer word tells no kind; it is a value.
const LONGEST_WORD: usize = 32;
/// How many arguments count: what comes behind them is the same kind's.
const MOST_ARGUMENTS: usize = 64;

/// The signature of a command line; a process that shows none has its short name in brackets, as in `ps`.
pub fn signature(arguments: &[String], name: &str, mask: &Mask) -> String {
    let Some(first) = arguments.first() else {
        return mask.text(&format!("[{}]", numbers_masked(name)));
    };
    // A process that wrote a title over its arguments shows one text.
    if arguments.len() == 1 && first.contains(' ') {
        let words = first.split_whitespace().take(MOST_ARGUMENTS);
        return mask.text(
            &words
                .map(|word| value(word, mask))
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    let program = file_name(first);
    let is_interpreter = INTERPRETERS.contains(&program.trim_start_matches('-'));
    let mut words = vec![if is_interpreter {
        program.to_owned()
    } else {
        numbers_masked(program)
    }];
    let mut rest = arguments[1..].iter().map(String::as_str);
    if is_interpreter {
        while let Some(word) = rest.next() {
            if RUNS.contains(&word) {
                words.push(word.to_owned());
                break;
            }
            if WITH_VALUE.contains(&word) {
                rest.next();
            } else if !word.starts_with('-') {
                // A package keeps its scope; a script is known by its name, wherever it lies.
                let script = if word.starts_with('@') {
                    word
                } else {
                    file_name(word)
                };
                words.push(value(script, mask));
                break;
            }
        }
    }
    let mut secret_comes = false;
    for word in rest.take(MOST_ARGUMENTS) {
        if secret_comes && !word.starts_with("--") {
            words.push(SECRET.to_owned());
        } else if let Some(option) = short_option(program, word) {
            words.push(format!("{option}{SECRET}"));
        } else if word.starts_with('-') {
            words.push(option(word, mask));
        } else {
            words.push(value(word, mask));
        }
        secret_comes = announces_secret(program, word);
    }
    mask.text(&words.join(" "))
}

/// An option; its value, where it has one, by its kind.
fn option(word: &str, mask: &Mask) -> String {
    match word.split_once('=') {
        Some((name, _)) if is_private(name) => format!("{}={SECRET}", numbers_masked(name)),
        Some((name, given)) => format!("{}={}", numbers_masked(name), value(given, mask)),
        None if word.len() > LONGEST_WORD || mask.text(word) != word => "<option>".to_owned(),
        None => numbers_masked(word),
    }
}

/// A value: a short word stands for itself, anything else for its kind.
fn value(word: &str, mask: &Mask) -> String {
    let kind = if word.is_empty() {
        "\"\""
    } else if mask.text(word).contains(SECRET) {
        // Before numbers are masked: what is left of a secret then would not look like one.
        SECRET
    } else if word.contains("://") {
        "<url>"
    } else if word.starts_with(['{', '[']) {
        "<data>"
    } else if word.contains(char::is_whitespace) {
        "<text>"
    } else if word.matches(',').count() >= 3 {
        "<list>"
    } else if word.starts_with('@') && word.len() <= LONGEST_WORD {
        return numbers_masked(word);
    } else if word.contains(['/', '\\']) {
        "<path>"
    } else if word.contains('=') {
        let name = word.split('=').next().unwrap_or_default();
        return format!("{}=<value>", numbers_masked(name));
    } else if word.chars().all(|c| c.is_ascii_digit() || c == '.') {
        "<number>"
    } else if is_id(word) {
        "<id>"
    } else if word.len() > LONGEST_WORD {
        "<text>"
    } else {
        return numbers_masked(word);
    };
    kind.to_owned()
}

/// Whether a word is an id: hexadecimal with digits among its letters, or letters and digits in turns.
fn is_id(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = word
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let turns = word
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
        .count();
    digits > 0
        && word.len() >= 7
        && (is_hex || (turns >= 4 && !word.contains('-') && word.len() >= 10))
}

/// A word in which runs of digits are one `#`.
fn numbers_masked(word: &str) -> String {
    let mut masked = String::with_capacity(word.len());
    for c in word.chars() {
        if !c.is_ascii_digit() {
            masked.push(c);
        } else if !masked.ends_with('#') {
            masked.push('#');
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::mask::People;

    fn of(arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let mask = Mask::new(People::new(["/home/alice".to_owned()], []));
        signature(&arguments, "comm-17", &mask)
    }

    #[test]
    fn the_report_603_has_two_kinds_of_children() {
        let first = of(&[
            "/home/alice/.local/bin/claude",
            "--output-format",
            "stream-json",
            "--verbose",
            "--model",
            "claude-sonnet-4-5",
            "--disallowedTools",
            "Bash,Read,Write,Edit",
            "--setting-sources",
            "",
            "--permission-mode",
            "default",
        ]);
        assert_eq!(
            first,
            "claude --output-format stream-json --verbose --model claude-sonnet-#-# --disallowedTools <list> --setting-sources \"\" --permission-mode default"
        );
        let resumed = |id| of(&["claude", "--output-format", "stream-json", "--resume", id]);
        assert_eq!(
            resumed("0f3a1b2c-aaaa-4bbb-8ccc-0123456789ab"),
            "claude --output-format stream-json --resume <id>"
        );
        assert_eq!(
            resumed("0f3a1b2c-aaaa-4bbb-8ccc-0123456789ab"),
            resumed("99999999-aaaa-4bbb-8ccc-0123456789ab")
        );
    }

    #[test]
    fn what_varies_is_masked_and_what_tells_kinds_apart_stays() {
        for (arguments, expected) in [
            (
                &["bun", "/x/worker-service.cjs", "--daemon"][..],
                "bun worker-service.cjs --daemon",
            ),
            (
                &[
                    "node",
                    "--expose-gc",
                    "/opt/server-4711.js",
                    "--port",
                    "37777",
                ],
                "node server-#.js --port <number>",
            ),
            (&["node", "-r", "/x/hook.js", "/x/main.js"], "node main.js"),
            (
                &["python3", "-m", "chroma", "run", "--path", "/x/y"],
                "python3 -m chroma run --path <path>",
            ),
            (&["sh", "-c", "sleep 1; true"], "sh -c <text>"),
            (&["npx", "-y", "@scope/pkg@1.2.3"], "npx @scope/pkg@#.#.#"),
            (
                &["git", "-C", "/x", "rev-parse", "HEAD"],
                "git -C <path> rev-parse HEAD",
            ),
            (
                &[
                    "x",
                    "--url=http://h:1/a",
                    "--json={\"a\":1}",
                    "--id=9f8e7d6c5b",
                ],
                "x --url=<url> --json=<data> --id=<id>",
            ),
            (&["x", "--token", "hunter", "y"], "x --token <secret> y"),
            (
                &["x", "--api-key=hunter", "A=b"],
                "x --api-key=<secret> A=<value>",
            ),
            (&["tmux: server 17"], "tmux: server <number>"),
            (&["-bash"], "-bash"),
            (&["sh"], "sh"),
            (&[], "[comm-#]"),
        ] {
            assert_eq!(of(arguments), expected, "{arguments:?}");
        }
    }
}
