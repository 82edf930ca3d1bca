//! The command line, as the real program understands it.

use std::ffi::OsString;
use std::fmt;

use crate::identity::is_uuid;
use crate::protocol::outgoing::PERMISSION_MODES;

/// What `--help` says.
pub const HELP: &str = "\
Usage: claude [options] [prompt]

fake-claude: a stand-in for the `claude` CLI. It takes the options of the real program,
speaks its stream-json protocol, and misbehaves as a harness or a behaviour file tells it.

Options:
  -p, --print                  Print the response and exit
  --output-format <format>     text, json or stream-json
  --input-format <format>      text or stream-json
  -r, --resume [session id]    Resume a conversation
  -v, --version                Output the version number
  -h, --help                   Display help for command

Commands:
  mcp list                     List the configured servers and exit
  mcp serve                    Serve tools until ended
";

/// What the caller wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The version.
    Version,
    /// The help text.
    Help,
    /// `mcp list`: a helper that says what it knows and ends.
    ServerList,
    /// `mcp serve`: a helper that stays until it is ended.
    Server,
    /// A conversation.
    Conversation(Box<Arguments>),
}

/// The arguments of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--print`: one answer, then the end.
    pub print: bool,
    /// `--output-format`.
    pub output: Format,
    /// `--input-format`: whether it is stream-json.
    pub streams_input: bool,
    /// `--verbose`.
    pub verbose: bool,
    /// `--include-partial-messages`.
    pub partial_messages: bool,
    /// `--replay-user-messages`.
    pub replay_user_messages: bool,
    /// `--model`.
    pub model: Option<String>,
    /// `--permission-mode`.
    pub permission_mode: Option<String>,
    /// `--disallowedTools`, each by itself.
    pub disallowed_tools: Vec<String>,
    /// `--resume`; empty where it came without an id.
    pub resume: Option<String>,
    /// `--fork-session`.
    pub fork_session: bool,
    /// `--session-id`.
    pub session_id: Option<String>,
    /// What is no option: the prompt.
    pub prompt: Option<String>,
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// The text of the answer alone.
    #[default]
    Text,
    /// One `result` object.
    Json,
    /// Every message on a line.
    StreamJson,
}

/// Why a command line is refused; the message is the real program's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgumentError {
    /// Nobody knows this option.
    UnknownOption(String),
    /// The option came without its value.
    MissingValue(String),
    /// The option's value is none of its choices.
    InvalidChoice {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What there is, as a list.
        choices: String,
    },
    /// Nobody knows this command.
    UnknownCommand(String),
    /// Options that do not go together, said in full.
    Conflict(&'static str),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption(option) => write!(f, "error: unknown option '{option}'"),
            Self::MissingValue(option) => {
                write!(f, "error: option '{option} <value>' argument missing")
            }
            Self::InvalidChoice {
                option,
                value,
                choices,
            } => write!(
                f,
                "error: option '{option}' argument '{value}' is invalid. Allowed choices are {choices}."
            ),
            Self::UnknownCommand(command) => write!(f, "error: unknown command '{command}'"),
            Self::Conflict(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for ArgumentError {}

/// What an option takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Nothing.
    Nothing,
    /// The next argument, whatever it is.
    One,
    /// The next argument, if it is no option.
    Perhaps,
    /// Every argument up to the next option.
    Many,
}

fn takes(option: &str) -> Option<Takes> {
    Some(match option {
        "-p"
        | "--print"
        | "-v"
        | "--version"
        | "-h"
        | "--help"
        | "-c"
        | "--continue"
        | "--verbose"
        | "--include-partial-messages"
        | "--include-hook-events"
        | "--replay-user-messages"
        | "--fork-session"
        | "--no-session-persistence"
        | "--strict-mcp-config"
        | "--bare"
        | "--safe-mode"
        | "--await-initialize"
        | "--session-mirror"
        | "--mcp-debug"
        | "-d2e"
        | "--debug-to-stderr"
        | "--ide"
        | "--chrome"
        | "--no-chrome"
        | "--bg"
        | "--background"
        | "--dangerously-skip-permissions"
        | "--allow-dangerously-skip-permissions"
        | "--disable-slash-commands"
        | "--enable-auth-status"
        | "--init"
        | "--init-only"
        | "--maintenance"
        | "--brief"
        | "--exclude-dynamic-system-prompt-sections"
        | "--managed-settings-in-initialize" => Takes::Nothing,
        "--output-format"
        | "--input-format"
        | "--model"
        | "--fallback-model"
        | "--agent"
        | "--agents"
        | "--effort"
        | "--permission-mode"
        | "--permission-prompt-tool"
        | "--permission-prompts"
        | "--settings"
        | "--managed-settings"
        | "--setting-sources"
        | "--system-prompt"
        | "--system-prompt-file"
        | "--append-system-prompt"
        | "--append-system-prompt-file"
        | "--json-schema"
        | "--max-budget-usd"
        | "--max-turns"
        | "--max-thinking-tokens"
        | "--task-budget"
        | "--thinking"
        | "--thinking-display"
        | "--session-id"
        | "--resume-session-at"
        | "--resume-drops-turn"
        | "--rewind-files"
        | "--plugin-dir"
        | "--plugin-dir-no-mcp"
        | "--plugin-url"
        | "--debug-file"
        | "--initialize-fields"
        | "--project-config-root"
        | "--sdk-url"
        | "-n"
        | "--name"
        | "--prefill"
        | "--workload" => Takes::One,
        "-r" | "--resume" | "-d" | "--debug" | "-w" | "--worktree" | "--from-pr" | "--tmux"
        | "--remote" | "--rc" | "--remote-control" | "--teleport" => Takes::Perhaps,
        "--allowedTools" | "--allowed-tools" | "--disallowedTools" | "--disallowed-tools"
        | "--tools" | "--add-dir" | "--mcp-config" | "--betas" | "--file" | "--channels" => {
            Takes::Many
        }
        _ => return None,
    })
}

/// Understands the arguments that follow the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Wanted, ArgumentError> {
    let mut rest = arguments
        .into_iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .peekable();
    let is_option = |argument: &String| argument.len() > 1 && argument.starts_with('-');
    let mut parsed = Arguments::default();
    let mut only_prompts = false;
    if rest.next_if(|first| first == "mcp").is_some() {
        match rest.next().as_deref() {
            Some("list") => return Ok(Wanted::ServerList),
            Some("serve") => return Ok(Wanted::Server),
            Some(other) => return Err(ArgumentError::UnknownCommand(other.to_owned())),
            None => parsed.prompt = Some("mcp".to_owned()),
        }
    }
    while let Some(argument) = rest.next() {
        if only_prompts || !is_option(&argument) {
            parsed.prompt.get_or_insert(argument);
            continue;
        }
        if argument == "--" {
            only_prompts = true;
            continue;
        }
        let (option, mut values) = match argument.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, vec![value.to_owned()]),
            _ => (argument.as_str(), Vec::new()),
        };
        let is_inline = !values.is_empty();
        match takes(option) {
            None => return Err(ArgumentError::UnknownOption(option.to_owned())),
            Some(Takes::Nothing) if is_inline => {
                return Err(ArgumentError::UnknownOption(argument));
            }
            Some(Takes::Nothing) => {}
            Some(_) if is_inline => {}
            Some(Takes::One) => match rest.next() {
                Some(value) => values.push(value),
                None => return Err(ArgumentError::MissingValue(argument)),
            },
            Some(Takes::Perhaps) => values.extend(rest.next_if(|next| !is_option(next))),
            Some(Takes::Many) => {
                while let Some(value) = rest.next_if(|next| !is_option(next)) {
                    values.push(value);
                }
            }
        }
        match option {
            "-v" | "--version" => return Ok(Wanted::Version),
            "-h" | "--help" => return Ok(Wanted::Help),
            _ => parsed.set(option, values)?,
        }
    }
    parsed.check()?;
    Ok(Wanted::Conversation(Box::new(parsed)))
}

impl Arguments {
    fn set(&mut self, option: &str, mut values: Vec<String>) -> Result<(), ArgumentError> {
        // The last one counts where only one can.
        let mut value = || values.pop().unwrap_or_default();
        match option {
            "-p" | "--print" => self.print = true,
            "--verbose" => self.verbose = true,
            "--include-partial-messages" => self.partial_messages = true,
            "--replay-user-messages" => self.replay_user_messages = true,
            "--fork-session" => self.fork_session = true,
            "--model" => self.model = Some(value()),
            "-r" | "--resume" => self.resume = Some(value()),
            "--session-id" => self.session_id = Some(value()),
            "--disallowedTools" | "--disallowed-tools" => self.disallowed_tools.extend(
                values
                    .iter()
                    .flat_map(|value| value.split([',', ' ']))
                    .filter(|tool| !tool.is_empty())
                    .map(str::to_owned),
            ),
            "--output-format" => {
                let value = value();
                self.output = match value.as_str() {
                    "text" => Format::Text,
                    "json" => Format::Json,
                    "stream-json" => Format::StreamJson,
                    _ => {
                        return Err(invalid(
                            "--output-format <format>",
                            value,
                            &["text", "json", "stream-json"],
                        ));
                    }
                };
            }
            "--input-format" => {
                let value = value();
                self.streams_input = match value.as_str() {
                    "text" => false,
                    "stream-json" => true,
                    _ => {
                        return Err(invalid(
                            "--input-format <format>",
                            value,
                            &["text", "stream-json"],
                        ));
                    }
                };
            }
            "--permission-mode" => {
                let value = value();
                if !PERMISSION_MODES.contains(&value.as_str()) {
                    return Err(invalid(
                        "--permission-mode <mode>",
                        value,
                        &PERMISSION_MODES,
                    ));
                }
                self.permission_mode = Some(value);
            }
            // What it says changes nothing in a fake.
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ArgumentError> {
        let conflict = |text| Err(ArgumentError::Conflict(text));
        if self.streams_input && self.output != Format::StreamJson {
            return conflict(
                "Error: --input-format=stream-json requires output-format=stream-json.",
            );
        }
        if self.print && self.output == Format::StreamJson && !self.verbose {
            return conflict(
                "Error: When using --print, --output-format=stream-json requires --verbose",
            );
        }
        if self.replay_user_messages && !self.streams_input {
            return conflict(
                "Error: --replay-user-messages requires both --input-format=stream-json and --output-format=stream-json.",
            );
        }
        if self.session_id.as_deref().is_some_and(|id| !is_uuid(id)) {
            return conflict("Error: Invalid session ID. Must be a valid UUID.");
        }
        Ok(())
    }
}

fn invalid(option: &'static str, value: String, choices: &[&str]) -> ArgumentError {
    ArgumentError::InvalidChoice {
        option,
        value,
        choices: choices.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<Wanted, ArgumentError> {
        parse(line.iter().map(OsString::from))
    }

    fn conversation(line: &[&str]) -> Arguments {
        match parsed(line) {
            Ok(Wanted::Conversation(arguments)) => *arguments,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn the_command_lines_of_every_sdk_mean_the_same() {
        const ID: &str = "11111111-2222-4333-8444-555555555555";
        let resume = format!("--resume={ID}");
        let lines: [&[&str]; 3] = [
            &[
                "--output-format",
                "stream-json",
                "--verbose",
                "--input-format",
                "stream-json",
                "--model",
                "m1",
                "--resume",
                ID,
                "--disallowedTools",
                "Bash,Read",
                "--setting-sources",
                "",
                "--permission-mode",
                "default",
            ],
            &[
                "--output-format",
                "stream-json",
                "--verbose",
                "--input-format",
                "stream-json",
                "--model=m1",
                &resume,
                "--disallowedTools=Bash,Read",
            ],
            &[
                "--output-format",
                "stream-json",
                "--verbose",
                "--system-prompt",
                "",
                "--disallowedTools",
                "Bash,Read",
                "--model",
                "m1",
                &resume,
                "--input-format",
                "stream-json",
                "--setting-sources=",
            ],
        ];
        for line in lines {
            let arguments = conversation(line);
            assert_eq!(arguments.output, Format::StreamJson);
            assert!(arguments.streams_input && arguments.verbose && !arguments.print);
            assert_eq!(arguments.model.as_deref(), Some("m1"));
            assert_eq!(arguments.resume.as_deref(), Some(ID));
            assert_eq!(arguments.disallowed_tools, ["Bash", "Read"]);
            assert_eq!(arguments.prompt, None);
        }
    }

    #[test]
    fn an_empty_value_that_was_dropped_swallows_the_next_option() {
        let arguments = conversation(&["--setting-sources", "--permission-mode", "default"]);
        assert_eq!(arguments.permission_mode, None);
        assert_eq!(arguments.prompt.as_deref(), Some("default"));
    }

    #[test]
    fn a_prompt_may_stand_anywhere() {
        assert_eq!(conversation(&["-p", "hi"]).prompt.as_deref(), Some("hi"));
        assert_eq!(conversation(&["hi", "-p"]).prompt.as_deref(), Some("hi"));
        assert_eq!(
            conversation(&["-p", "--", "--hi"]).prompt.as_deref(),
            Some("--hi")
        );
        let greedy = conversation(&["--allowedTools", "Bash", "Read", "--print", "hi"]);
        assert_eq!(greedy.prompt.as_deref(), Some("hi"));
    }

    #[test]
    fn resume_may_come_without_an_id() {
        assert_eq!(
            conversation(&["--resume", "--verbose"]).resume.as_deref(),
            Some("")
        );
        assert_eq!(conversation(&["-r"]).resume.as_deref(), Some(""));
    }

    #[test]
    fn version_wins_over_what_stands_beside_it() {
        for line in [
            &["--version"] as &[&str],
            &["-v"],
            &["--permission-mode", "dontAsk", "--version"],
        ] {
            assert_eq!(parsed(line), Ok(Wanted::Version));
        }
        assert_eq!(parsed(&["--help"]), Ok(Wanted::Help));
    }

    #[test]
    fn helpers_are_commands_and_not_prompts() {
        assert_eq!(parsed(&["mcp", "serve"]), Ok(Wanted::Server));
        assert_eq!(parsed(&["mcp", "list"]), Ok(Wanted::ServerList));
        assert_eq!(
            conversation(&["mcp"]).prompt.as_deref(),
            Some("mcp"),
            "a single word is a prompt"
        );
        assert_eq!(
            conversation(&["hi", "mcp", "serve"]).prompt.as_deref(),
            Some("hi")
        );
    }

    #[test]
    fn what_is_refused_is_refused_in_the_real_words() {
        for (line, words) in [
            (&["--nope"] as &[&str], "error: unknown option '--nope'"),
            (&["--nope=1"], "error: unknown option '--nope'"),
            (&["mcp", "nope"], "error: unknown command 'nope'"),
            (&["-x"], "error: unknown option '-x'"),
            (&["--verbose=1"], "error: unknown option '--verbose=1'"),
            (
                &["--model"],
                "error: option '--model <value>' argument missing",
            ),
            (
                &["--output-format", "yaml"],
                "error: option '--output-format <format>' argument 'yaml' is invalid. \
                 Allowed choices are text, json, stream-json.",
            ),
            (
                &["-p", "--output-format", "stream-json"],
                "Error: When using --print, --output-format=stream-json requires --verbose",
            ),
            (
                &["--input-format", "stream-json"],
                "Error: --input-format=stream-json requires output-format=stream-json.",
            ),
            (
                &["--session-id", "mine"],
                "Error: Invalid session ID. Must be a valid UUID.",
            ),
        ] {
            let error = parsed(line).expect_err(words);
            assert_eq!(error.to_string(), words);
        }
    }
}
