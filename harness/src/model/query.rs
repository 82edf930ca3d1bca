//! `query()`: one claude behind an iterator of its messages, as the Agent SDK 0.1 starts and reads it.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio as StdStdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::child_stdio::{self, ChildInput, ChildOutput};
use super::policy::Stdio;
use super::processes::{Child, ProcessManager};
use super::quirks::inherited;
use super::stream::{self, Content, Message};

/// A line that is longer is thrown away while it arrives.
const LONGEST_LINE: usize = 64 << 20;
/// While this much waits for a child that does not read, no further item is taken from the queue.
const LONGEST_BACKLOG: usize = 1 << 20;
/// How much is read of one child before the others have their turn.
const READ_AT_ONCE: usize = 32 << 10;
/// How much is read at most of what an ended child left in its stdout: more than a pipe or socket holds, unless somebody who
/// inherited the other end goes on writing.
const LAST_WORDS: usize = 4 << 20;

/// The tools that an observer must not have.
const DISALLOWED_TOOLS: &str =
    "Bash,Read,Write,Edit,Grep,Glob,WebFetch,WebSearch,Task,NotebookEdit,AskUserQuestion,TodoWrite";
const MODEL: &str = "claude-sonnet-4-5";
const SDK_VERSION: &str = "0.1.76";

/// What a query is started with.
#[derive(Debug)]
pub(super) struct QueryOptions<'a> {
    pub(super) claude: &'a Path,
    pub(super) resume: Option<&'a str>,
    pub(super) stdio: Stdio,
    /// Whether later children inherit what the worker holds of this one's stdin.
    pub(super) inheritable: bool,
}

/// Why a query has ended in an error.
#[derive(Debug)]
pub(super) enum QueryError {
    /// The program could not be started.
    Start { program: PathBuf, cause: io::Error },
    /// The claude wrote a line that is no JSON.
    NotJson(serde_json::Error),
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start { program, cause } => {
                write!(f, "cannot start {}: {cause}", program.display())
            }
            Self::NotJson(cause) => write!(f, "claude wrote a line that is no JSON: {cause}"),
        }
    }
}

impl std::error::Error for QueryError {}

/// What happened next.
#[derive(Debug)]
pub(super) enum Step {
    /// A message of the claude's.
    Message(Message),
    /// Bytes moved; nothing to be told.
    Progress,
    /// The child has ended, and all that it had to say was told.
    Exited(ExitStatus),
}

/// A running claude and the state of its iterator.
#[derive(Debug)]
pub(super) struct Query {
    child: Arc<Child>,
    input: Option<ChildInput>,
    outgoing: VecDeque<u8>,
    output: Option<ChildOutput>,
    lines: LineBuffer,
    inbox: VecDeque<Message>,
    broken: Option<QueryError>,
    exited: Option<ExitStatus>,
}

/// Starts a claude and sends it the first line of every conversation.
pub(super) fn query(
    processes: &ProcessManager,
    options: &QueryOptions<'_>,
) -> Result<Query, QueryError> {
    let start = || -> io::Result<Query> {
        let (input, child_stdin) = child_stdio::input(options.stdio)?;
        let (output, child_stdout) = child_stdio::output(options.stdio)?;
        let mut command = command(options);
        // The SDK throws a child's stderr away unless it is asked for it.
        command
            .stdin(child_stdin)
            .stdout(child_stdout)
            .stderr(StdStdio::null());
        let child = processes.spawn(&mut command)?;
        if options.inheritable {
            inherited::by_later_children(&input)?;
        }
        Ok(Query {
            child,
            input: Some(input),
            outgoing: VecDeque::new(),
            output: Some(output),
            lines: LineBuffer::default(),
            inbox: VecDeque::new(),
            broken: None,
            exited: None,
        })
    };
    let mut query = start().map_err(|cause| QueryError::Start {
        program: options.claude.to_owned(),
        cause,
    })?;
    query.send(&stream::initialize(&unique_id("init")));
    Ok(query)
}

fn command(options: &QueryOptions<'_>) -> Command {
    let mut command = Command::new(options.claude);
    command.args(["--output-format", "stream-json", "--verbose"]);
    command.args(["--input-format", "stream-json", "--model", MODEL]);
    if let Some(id) = options.resume {
        command.args(["--resume", id]);
    }
    command.args(["--disallowedTools", DISALLOWED_TOOLS]);
    command.args(["--setting-sources", "", "--permission-mode", "default"]);
    if std::env::var_os("CLAUDE_CODE_ENTRYPOINT").is_none() {
        command.env("CLAUDE_CODE_ENTRYPOINT", "sdk-ts");
    }
    command.env("CLAUDE_AGENT_SDK_VERSION", SDK_VERSION);
    command.env_remove("NODE_OPTIONS").env_remove("DEBUG");
    command
}

/// An id that this process gives only once.
pub(super) fn unique_id(prefix: &str) -> String {
    format!("{prefix}{:x}", next_number())
}

/// The same in the form of a UUID, which is what the claudes expect of a message's id.
pub(super) fn unique_uuid() -> String {
    let pid = std::process::id();
    format!("{pid:08x}-0603-4000-8000-{:012x}", next_number())
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Query {
    pub(super) const fn child(&self) -> &Arc<Child> {
        &self.child
    }

    /// Sends a line as soon as the child takes it. To a child that has closed its stdin nothing is sent.
    pub(super) fn send(&mut self, line: &[u8]) {
        if self.input.is_some() {
            self.outgoing.extend(line);
            self.flush();
        }
    }

    /// Whether a further message should be sent now.
    pub(super) fn accepts(&self) -> bool {
        self.input.is_some() && self.outgoing.len() < LONGEST_BACKLOG
    }

    /// Closes the child's stdin: it finishes what it has and exits.
    pub(super) fn close_input(&mut self) {
        self.input = None;
        self.outgoing = VecDeque::new();
    }

    /// Goes on to the next thing that happens. May be given up at any time without losing anything.
    pub(super) async fn step(&mut self) -> Result<Step, QueryError> {
        if let Some(message) = self.inbox.pop_front() {
            return Ok(Step::Message(message));
        }
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        if let Some(status) = self.exited {
            return Ok(Step::Exited(status));
        }
        tokio::select! {
            _ = readable(self.output.as_ref()) => self.fill(),
            _ = writable(self.input.as_ref()), if !self.outgoing.is_empty() => self.flush(),
            status = self.child.exited() => {
                self.read_last_words();
                self.close_input();
                self.output = None;
                self.exited = Some(status);
            }
        }
        Ok(Step::Progress)
    }

    /// Reads once. At the end of its stdout a child may still be alive; the iterator of the SDK then waits for its exit.
    fn fill(&mut self) {
        let Some(output) = &self.output else { return };
        let mut buffer = [0; READ_AT_ONCE];
        match output.try_read(&mut buffer) {
            Ok(0) => self.output = None,
            Ok(count) => self.take(&buffer[..count]),
            Err(error) if is_temporary(&error) => {}
            Err(_) => self.output = None,
        }
    }

    fn read_last_words(&mut self) {
        let mut buffer = [0; READ_AT_ONCE];
        let mut left = LAST_WORDS;
        while left > 0 {
            let Some(output) = &self.output else { return };
            match output.read_now(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    left = left.saturating_sub(count);
                    self.take(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let (inbox, broken) = (&mut self.inbox, &mut self.broken);
        self.lines.push(bytes, |line| {
            if broken.is_some() || line.iter().all(u8::is_ascii_whitespace) {
                return;
            }
            match stream::read(line) {
                // A flood of lines that mean nothing is not kept.
                Ok(message)
                    if message.content == Content::Other && message.session_id.is_none() => {}
                Ok(message) => inbox.push_back(message),
                Err(error) => *broken = Some(QueryError::NotJson(error)),
            }
        });
    }

    fn flush(&mut self) {
        while let Some(input) = &self.input {
            let (front, _) = self.outgoing.as_slices();
            if front.is_empty() {
                // An idle child costs no buffer.
                self.outgoing = VecDeque::new();
                return;
            }
            match input.try_write(front) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if is_temporary(&error) => return,
                // The child reads no more. Whether it lives is another question, and its exit answers it.
                Err(_) => self.close_input(),
            }
        }
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

async fn readable(output: Option<&ChildOutput>) {
    match output {
        Some(output) => drop(output.readable().await),
        None => std::future::pending().await,
    }
}

async fn writable(input: Option<&ChildInput>) {
    match input {
        Some(input) => drop(input.writable().await),
        None => std::future::pending().await,
    }
}

/// Cuts a stream of bytes into lines, of bounded length.
#[derive(Debug, Default)]
struct LineBuffer {
    partial: Vec<u8>,
    discarding: bool,
}

impl LineBuffer {
    fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            if self.partial.len() + text.len() > LONGEST_LINE {
                self.discarding = true;
                self.partial = Vec::new();
            }
            match (ends, self.discarding) {
                (true, true) => self.discarding = false,
                (true, false) if self.partial.is_empty() => line(text),
                (true, false) => {
                    let mut whole = std::mem::take(&mut self.partial);
                    whole.extend_from_slice(text);
                    line(&whole);
                }
                (false, true) => {}
                (false, false) => self.partial.extend_from_slice(text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(buffer: &mut LineBuffer, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        buffer.push(bytes, |line| {
            found.push(String::from_utf8(line.to_vec()).unwrap());
        });
        found
    }

    #[test]
    fn lines_are_cut_wherever_the_reads_end() {
        let mut buffer = LineBuffer::default();
        assert_eq!(lines(&mut buffer, b"a\nb"), ["a"]);
        assert_eq!(lines(&mut buffer, b"c"), [""; 0]);
        assert_eq!(lines(&mut buffer, b"\n\nd\n"), ["bc", "", "d"]);
    }

    #[test]
    fn line_without_end_takes_no_memory_and_the_next_line_is_read() {
        let mut buffer = LineBuffer::default();
        let chunk = vec![b'x'; 8 << 20];
        for _ in 0..9 {
            assert_eq!(lines(&mut buffer, &chunk), [""; 0]);
        }
        assert!(buffer.partial.capacity() < LONGEST_LINE);
        assert_eq!(lines(&mut buffer, b"end\nnext\n"), ["next"]);
    }

    #[test]
    fn ids_are_never_given_twice() {
        assert_ne!(unique_uuid(), unique_uuid());
        assert_eq!(unique_uuid().len(), 36);
    }
}
