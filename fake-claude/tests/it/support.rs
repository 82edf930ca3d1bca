//! What the tests share: a fake in a folder of its own, driven from both sides, with a deadline for everything that is waited for.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fake_claude::behaviour::Behaviour;
use fake_claude::control::{Order, SOCKET_FILE, Said, Say};
use fake_claude::quantity::Span;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take before a test gives up: far longer than it should.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The arguments with which every SDK asks for a session.
pub const STREAMING: [&str; 5] = [
    "--output-format",
    "stream-json",
    "--verbose",
    "--input-format",
    "stream-json",
];

/// A well-behaved program that wastes no time.
pub fn quick() -> Behaviour {
    Behaviour {
        initialize: Span::ZERO,
        turn: Span::from_millis(20),
        exit: Span::from_millis(1),
        ..Behaviour::default()
    }
}

/// A well-behaved program whose turns do not end while a test looks at them.
pub fn in_flight() -> Behaviour {
    Behaviour {
        turn: Span::from_secs(600),
        ..quick()
    }
}

/// A folder with an executable `claude` in it, and the fakes that were started from there.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// A new folder.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let place = Self { folder };
        let program = env!("CARGO_BIN_EXE_fake-claude");
        if fs::hard_link(program, place.program()).is_err() {
            fs::copy(program, place.program()).expect("a copy of the program");
        }
        place
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The executable.
    pub fn program(&self) -> PathBuf {
        self.path().join("claude")
    }

    /// A command that runs the executable in an environment without anything that could disturb it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path())
            .env("TMPDIR", self.path())
            .current_dir(self.path());
        command
    }

    /// Listens as the harness of every fake that is started from here from now on.
    pub fn harness(&self, behaviour: Behaviour) -> Harness {
        Harness::listen(self.path(), behaviour, None)
    }
}

/// A fake that was started.
pub struct Fake {
    /// The process.
    pub child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Fake {
    /// Starts a command and reads what it writes.
    pub fn start(command: &mut Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let started = loop {
            match command.spawn() {
                // Where the program had to be copied, a child of another test may hold the copy open until it executes something itself.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::yield_now(),
                started => break started,
            }
        };
        let mut child = started.expect("the program starts");
        let stdin = child.stdin.take();
        let lines = lines_of(child.stdout.take().expect("stdout is piped"));
        let errors = lines_of(child.stderr.take().expect("stderr is piped"));
        Self {
            child,
            stdin,
            lines,
            errors,
        }
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its stdin.
    pub fn tell(&mut self, line: impl AsRef<[u8]>) {
        let mut bytes = line.as_ref().to_vec();
        bytes.push(b'\n');
        let stdin = self.stdin.as_mut().expect("stdin is still open");
        stdin.write_all(&bytes).expect("the program reads");
    }

    /// Writes an `initialize`.
    pub fn initialize(&mut self) {
        self.tell(request("init1", &json!({"subtype": "initialize"})));
    }

    /// Writes a user message without a session.
    pub fn ask(&mut self, text: &str) {
        self.tell(user("", text));
    }

    /// Closes its stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The next line of its stdout, which must be JSON; none after the end.
    pub fn next(&self) -> Option<Value> {
        let line = next(&self.lines, "a line on stdout")?;
        match serde_json::from_str(&line) {
            Ok(value) => Some(value),
            Err(error) => panic!("{error}: {line}"),
        }
    }

    /// The next line of its stdout as it is; none after the end.
    pub fn next_raw(&self) -> Option<String> {
        next(&self.lines, "a line on stdout")
    }

    /// Reads up to a line of this kind, and gives it back.
    pub fn read_to(&self, kind: &str) -> Value {
        loop {
            let message = self
                .next()
                .unwrap_or_else(|| panic!("{kind} before the end"));
            if kind_of(&message) == kind {
                return message;
            }
        }
    }

    /// Everything that is still to come on stdout.
    pub fn rest(&self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Everything that it wrote to stderr.
    pub fn errors(&self) -> String {
        std::iter::from_fn(|| next(&self.errors, "the end of stderr"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Sends it a signal. Its identity is sure: it is a child that was not waited for.
    pub fn signal(&self, signal: i32) {
        signal_process(self.pid(), signal);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for(&mut self.child)
    }

    /// Waits for its end, which must come by exit, and gives back the code.
    pub fn exit_code(&mut self) -> i32 {
        let status = self.wait();
        status
            .code()
            .unwrap_or_else(|| panic!("an exit code, not {status}"))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // Nothing is left behind, also by a test that fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process whose identity the caller holds.
pub fn signal_process(pid: u32, signal: i32) {
    // SAFETY: the call touches no memory.
    let result = unsafe { libc::kill(pid as libc::pid_t, signal) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Whether a process exists, be it as a zombie.
pub fn is_in_process_table(pid: u32) -> bool {
    // SAFETY: the call touches no memory, and signal 0 is none.
    unsafe { libc::kill(pid as libc::pid_t, 0) == 0 }
}

/// Waits for a child's end without spinning: the end of a pipe that only it holds would do, but it may have closed its own.
fn wait_for(child: &mut Child) -> ExitStatus {
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the pointer is to a whole siginfo; WNOWAIT leaves the child to its owner.
        unsafe {
            libc::waitid(
                libc::P_PID,
                pid,
                info.as_mut_ptr(),
                libc::WEXITED | libc::WNOWAIT,
            );
        }
        let _ = sender.send(());
    });
    receiver
        .recv_timeout(DEADLINE)
        .expect("the program ends in time");
    child.wait().expect("a child can be waited for")
}

fn lines_of(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut source = BufReader::new(source);
        loop {
            let mut line = Vec::new();
            match source.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let line = String::from_utf8_lossy(&line);
                    if sender.send(line.trim_end_matches('\n').to_owned()).is_err() {
                        return;
                    }
                }
            }
        }
    });
    receiver
}

fn next(lines: &Receiver<String>, what: &str) -> Option<String> {
    match lines.recv_timeout(DEADLINE) {
        Ok(line) => Some(line),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("no sign of {what}"),
    }
}

/// A control request in JSON.
pub fn request(id: &str, request: &Value) -> String {
    json!({"type": "control_request", "request_id": id, "request": request}).to_string()
}

/// A user message in JSON.
pub fn user(session: &str, text: &str) -> String {
    json!({
        "type": "user",
        "session_id": session,
        "message": {"role": "user", "content": [{"type": "text", "text": text}]},
        "parent_tool_use_id": null,
    })
    .to_string()
}

/// A message's type, with its subtype if it has one.
pub fn kind_of(message: &Value) -> String {
    let kind = message["type"].as_str().unwrap_or("?");
    match message["subtype"].as_str() {
        Some(subtype) => format!("{kind}/{subtype}"),
        None => kind.to_owned(),
    }
}

/// The kinds of messages, in order.
pub fn kinds(messages: &[Value]) -> Vec<String> {
    messages.iter().map(kind_of).collect()
}

/// The harness's side of the control socket.
pub struct Harness {
    events: Receiver<Event>,
    /// What was said so far, with the number of the connection.
    pub said: Vec<(usize, Say)>,
    ended: Vec<usize>,
    connections: Arc<Mutex<Vec<UnixStream>>>,
}

enum Event {
    Said(usize, Box<Say>),
    Ended(usize),
}

impl Harness {
    /// Listens in a folder, and tells every fake to behave so.
    pub fn listen(folder: &Path, behaviour: Behaviour, ballast: Option<OwnedFd>) -> Self {
        let socket = folder.join("control");
        let listener = UnixListener::bind(&socket).expect("a socket");
        fs::write(
            folder.join(SOCKET_FILE),
            socket.as_os_str().as_encoded_bytes(),
        )
        .expect("the file that names the socket");
        let (sender, events) = mpsc::channel();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let accepted = Arc::clone(&connections);
        let mut order = serde_json::to_string(&Order::Behave {
            behaviour: Box::new(behaviour),
            ballast: ballast.is_some(),
        })
        .expect("an order is JSON");
        order.push('\n');
        let order = Arc::new((order, ballast));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let mut accepted = accepted.lock().expect("no test panics here");
                accepted.push(stream.try_clone().expect("a second handle"));
                let (sender, order) = (sender.clone(), Arc::clone(&order));
                thread::spawn(move || serve(number, stream, &order.0, order.1.as_ref(), &sender));
            }
        });
        Self {
            events,
            said: Vec::new(),
            ended: Vec::new(),
            connections,
        }
    }

    /// Waits until something is said that a function makes something of.
    pub fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(usize, &Say) -> Option<T>) -> T {
        let mut seen = 0;
        loop {
            while let Some((number, say)) = self.said.get(seen) {
                if let Some(picked) = pick(*number, say) {
                    return picked;
                }
                seen += 1;
            }
            self.listen_on(what);
        }
    }

    /// Waits until a connection has ended.
    pub fn expect_end(&mut self, number: usize) {
        while !self.ended.contains(&number) {
            self.listen_on("the end of a connection");
        }
    }

    /// Waits until every connection has ended, and gives back what was said on the first.
    pub fn expect_all_ended(&mut self) -> Vec<Say> {
        let count = self.connections.lock().expect("no test panics here").len();
        for number in 0..count {
            self.expect_end(number);
        }
        self.said
            .iter()
            .filter(|(number, _)| *number == 0)
            .map(|(_, say)| say.clone())
            .collect()
    }

    fn listen_on(&mut self, what: &str) {
        match self.events.recv_timeout(DEADLINE) {
            Ok(Event::Said(number, say)) => self.said.push((number, *say)),
            Ok(Event::Ended(number)) => self.ended.push(number),
            Err(_) => panic!("no sign of {what}; so far: {:#?}", self.said),
        }
    }

    /// Is gone, as if it had been killed.
    pub fn vanish(&mut self) {
        for connection in self.connections.lock().expect("no test panics here").iter() {
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        // Whatever a fake has left behind goes with its harness.
        self.vanish();
    }
}

fn serve(
    number: usize,
    stream: UnixStream,
    order: &str,
    ballast: Option<&OwnedFd>,
    events: &Sender<Event>,
) {
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
    while let Some(Ok(line)) = lines.next() {
        let said: Said =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if matches!(said.say, Say::Hello { .. } | Say::Serves { .. }) {
            // A fake that asked a mere question is gone already.
            let _ = send(&stream, order.as_bytes(), ballast.map(AsRawFd::as_raw_fd));
        }
        let _ = events.send(Event::Said(number, Box::new(said.say)));
    }
    let _ = events.send(Event::Ended(number));
}

/// Sends bytes, and a file with the first of them.
fn send(stream: &UnixStream, bytes: &[u8], file: Option<RawFd>) -> std::io::Result<()> {
    let Some(file) = file else {
        return (&*stream).write_all(bytes);
    };
    let mut ancillary = [0_u64; 8];
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a msghdr of zeros is valid; every pointer in it leads to a local that outlives the call; the ancillary buffer has room for
    // one descriptor.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = ancillary.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        libc::CMSG_DATA(header)
            .cast::<RawFd>()
            .write_unaligned(file);
        libc::sendmsg(stream.as_raw_fd(), &raw const message, 0)
    };
    assert_eq!(sent, bytes.len() as isize, "one message takes it all");
    Ok(())
}

/// A test's own stopwatch.
#[expect(
    clippy::disallowed_methods,
    reason = "a test measures how long something took"
)]
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// Waits until a condition holds that no event tells of, looking again after each pause.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = stopwatch();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "never: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// Runs a command to its end and gives back its exit code, stdout and stderr.
pub fn outcome(command: &mut Command, input: &str) -> (i32, String, String) {
    let mut fake = Fake::start(command);
    if let Some(stdin) = &mut fake.stdin {
        // A program that refuses to begin does not read.
        let _ = stdin.write_all(input.as_bytes());
    }
    fake.close_stdin();
    let stdout: Vec<String> = std::iter::from_fn(|| fake.next_raw()).collect();
    let code = fake.exit_code();
    (code, stdout.join("\n"), fake.errors())
}
