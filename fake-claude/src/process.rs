//! This process as a harness knows it: it introduces itself, is told how to behave, says what it sees and does, and says goodbye.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

use crate::alone::{self, Alone};
use crate::behaviour::{Behaviour, Ignore};
use crate::control::{Role, Said, Say, Why};
use crate::link::{Link, LinkError, Orders, PATIENCE};
use crate::os::{self, Arrived, Ballast, Kinship, Signals, Watch};
use crate::quantity::Span;
use crate::surroundings::{self, Surroundings};

/// The exit code of a fake whose harness is gone.
const GONE: i32 = 1;
/// The exit code after an order that makes no sense.
const UNINTELLIGIBLE: i32 = 70;
/// The exit code after a behaviour file that makes no sense.
const INVALID: i32 = 2;

/// How long a mere question waits for a busy harness before it goes on without it.
const PROBE_PATIENCE: Duration = Duration::from_millis(100);
/// How long it waits for its orders, once the harness has been reached: callers of a probe are patient for some seconds.
const PROBE_ORDERS: Duration = Duration::from_secs(5);

/// This process as a harness knows it.
#[derive(Debug)]
pub struct Process {
    /// How it behaves.
    pub behaviour: Box<Behaviour>,
    /// The signals that arrive.
    pub signals: Signals,
    /// After how long without input or a turn it ends; none where a harness watches over it.
    pub idle: Option<Span>,
    /// Its role.
    pub role: Role,
    /// The session that it serves, as far as it knows.
    pub session: Option<String>,
    surroundings: Surroundings,
    arguments: Vec<OsString>,
    listener: Listener,
    ballast: Option<Ballast>,
}

/// Who listens to the statements.
#[derive(Debug)]
enum Listener {
    Harness(Link),
    Journal(File),
    Nobody,
}

impl Process {
    /// Connects to the harness, if there is one, introduces the process, and learns how to behave.
    pub fn begin(surroundings: Surroundings, arguments: Vec<OsString>, signals: Signals) -> Self {
        let (listener, behaviour, idle) = match &surroundings.socket {
            Some(path) => match Link::connect(path, PATIENCE) {
                Ok(link) => (Listener::Harness(link), Box::default(), None),
                Err(error) => abandon(&error, GONE),
            },
            None => match Alone::look(surroundings.folder()) {
                Ok(alone) => {
                    let listener = alone.journal.map_or(Listener::Nobody, Listener::Journal);
                    (listener, alone.behaviour, Some(alone.idle))
                }
                Err(error) => abandon(&error, INVALID),
            },
        };
        let mut process = Self::new(
            (listener, behaviour, idle),
            surroundings,
            arguments,
            signals,
        );
        process.introduce();
        process.await_first_orders();
        process.carry_ballast();
        process
    }

    fn new(
        (listener, behaviour, idle): (Listener, Box<Behaviour>, Option<Span>),
        surroundings: Surroundings,
        arguments: Vec<OsString>,
        signals: Signals,
    ) -> Self {
        Self {
            behaviour,
            signals,
            idle,
            role: surroundings.role,
            session: surroundings.session.clone(),
            surroundings,
            arguments,
            listener,
            ballast: None,
        }
    }

    /// The same for a mere question: a harness that is not there, or slow, or has nothing to say, is gone on without.
    pub fn begin_briefly(
        surroundings: Surroundings,
        arguments: Vec<OsString>,
        signals: Signals,
    ) -> Self {
        let reached = surroundings
            .socket
            .as_ref()
            .map(|path| Link::connect(path, PROBE_PATIENCE));
        let (listener, behaviour, idle) = match reached {
            Some(Ok(link)) => (Listener::Harness(link), Box::default(), None),
            Some(Err(_)) => (Listener::Nobody, Box::default(), None),
            None => Alone::look(surroundings.folder()).map_or_else(
                |_| (Listener::Nobody, Box::default(), None),
                |alone| {
                    let listener = alone.journal.map_or(Listener::Nobody, Listener::Journal);
                    (listener, alone.behaviour, Some(alone.idle))
                },
            ),
        };
        let mut process = Self::new(
            (listener, behaviour, idle),
            surroundings,
            arguments,
            signals,
        );
        process.introduce();
        if matches!(process.listener, Listener::Harness(_)) {
            let deadline = os::monotonic_ns() + PROBE_ORDERS.as_nanos() as u64;
            loop {
                let left = deadline.saturating_sub(os::monotonic_ns());
                let mut watched = [process.watch_link()];
                os::wait(&mut watched, Some(left));
                if left == 0 || (watched[0].is_ready() && process.take_orders()) {
                    break;
                }
            }
        }
        process
    }

    /// Introduces a process that does what it does at once, and says its goodbye. No harness is waited for.
    pub fn pass_by(
        surroundings: Surroundings,
        role: Role,
        arguments: &[OsString],
        code: i32,
        why: Why,
    ) -> ! {
        let mut listener = match &surroundings.socket {
            Some(path) => {
                Link::connect(path, PROBE_PATIENCE).map_or(Listener::Nobody, Listener::Harness)
            }
            None => match alone::journal() {
                Ok(Some(file)) => Listener::Journal(file),
                Ok(None) | Err(_) => Listener::Nobody,
            },
        };
        let goodbye = Say::Goodbye {
            code: Some(code),
            why,
            owed: 0,
        };
        for say in [hello(&surroundings, role, arguments), goodbye] {
            if listener.say(say).is_err() {
                break;
            }
        }
        os::exit(code)
    }

    fn introduce(&mut self) {
        self.say(hello(&self.surroundings, self.role, &self.arguments));
    }

    /// Waits for the first orders, which a fake without a harness does not need. Signals wait meanwhile, since the orders say what
    /// becomes of them.
    fn await_first_orders(&mut self) {
        if matches!(self.listener, Listener::Harness(_)) {
            let deadline = os::monotonic_ns() + PATIENCE.as_nanos() as u64;
            loop {
                let mut watched = [self.watch_link()];
                os::wait(
                    &mut watched,
                    Some(deadline.saturating_sub(os::monotonic_ns())),
                );
                if watched[0].is_ready() && self.take_orders() {
                    return;
                }
                self.check_patience(Some(deadline));
            }
        }
    }

    /// Ends this process when the harness has let it wait for orders for too long.
    pub fn check_patience(&self, deadline: Option<u64>) {
        if deadline.is_some_and(|deadline| os::monotonic_ns() >= deadline) {
            let patience = Span::from(PATIENCE);
            abandon(
                &format_args!("the harness gave no orders for {patience}"),
                GONE,
            );
        }
    }

    /// Where there is a harness: waits for orders, or its end.
    pub fn watch_link(&self) -> Watch {
        match &self.listener {
            Listener::Harness(link) => link.watch(),
            Listener::Journal(_) | Listener::Nobody => Watch::nothing(),
        }
    }

    /// When further orders are due, if there is a harness that gives any.
    pub fn orders_deadline(&self) -> Option<u64> {
        matches!(self.listener, Listener::Harness(_))
            .then(|| os::monotonic_ns() + PATIENCE.as_nanos() as u64)
    }

    /// Takes what the harness orders, after a wait said that there is something. Tells whether there was an order.
    pub fn take_orders(&mut self) -> bool {
        let Listener::Harness(link) = &mut self.listener else {
            return false;
        };
        match link.orders() {
            Ok(None) => false,
            Ok(Some(orders)) => {
                self.obey(orders);
                true
            }
            // The lifeline: nothing is said and nothing is finished, whatever else was ordered.
            Err(LinkError::Gone) => os::exit(GONE),
            Err(error) => abandon(&error, UNINTELLIGIBLE),
        }
    }

    fn obey(&mut self, orders: Orders) {
        self.behaviour = orders.behaviour;
        let Some(file) = orders.ballast else {
            return;
        };
        if self.ballast.as_ref().is_some_and(|it| it.is_of(&file)) {
            return;
        }
        match Ballast::map(&file) {
            Ok(ballast) => self.ballast = Some(ballast),
            Err(error) => note(&format_args!("the ballast cannot be mapped: {error}")),
        }
    }

    /// Reaches the RSS that is asked for where no ballast was handed over.
    fn carry_ballast(&mut self) {
        if let Some(rss) = self.behaviour.rss
            && self.ballast.is_none()
            && let Err(error) = os::own_ballast(rss.as_bytes())
        {
            note(&format_args!("an RSS of {rss} cannot be reached: {error}"));
        }
    }

    /// Says something to whoever listens.
    pub fn say(&mut self, say: Say) {
        if self.listener.say(say).is_err() {
            os::exit(GONE);
        }
    }

    /// Says that a misbehaviour was carried out, in the words of the behaviour's key.
    pub fn did(&mut self, what: String, pid: Option<u32>) {
        self.say(Say::Did { what, pid });
    }

    /// Says goodbye and exits.
    pub fn exit(&mut self, code: i32, why: Why, owed: u32) -> ! {
        self.say(Say::Goodbye {
            code: Some(code),
            why,
            owed,
        });
        os::exit(code)
    }

    /// Says that a signal arrived, and tells the exit code that it asks for; none if it is to be ignored.
    pub fn heed(&mut self, arrived: Arrived, owed: u32) -> Option<i32> {
        let (code, ignore) = match arrived.signal {
            os::SIGTERM => (143, Ignore::Sigterm),
            os::SIGINT => (0, Ignore::Sigint),
            _ => (129, Ignore::Sighup),
        };
        // What is left behind outlives its terminal.
        let ignored = self.behaviour.ignores(ignore)
            || (self.role == Role::Grandchild && ignore == Ignore::Sighup);
        self.say(Say::SawSignal {
            signal: arrived.signal,
            sender: arrived.sender,
            ignored,
            owed,
        });
        (!ignored).then_some(code)
    }

    /// Starts a process of this program in another role; it knows the session, and has a lifeline of its own.
    pub fn start(&mut self, role: Role, kinship: Kinship, what: String) -> Option<u32> {
        // What is left behind takes no options: it is not spoken to.
        let arguments = match role {
            Role::Payload => self.arguments.as_slice(),
            _ => &self.arguments[..self.arguments.len().min(1)],
        };
        let environment = surroundings::environment(role, self.session.as_deref());
        match os::spawn(&self.surroundings.program, arguments, &environment, kinship) {
            Ok(pid) => {
                self.did(what, Some(pid));
                Some(pid)
            }
            Err(error) => {
                note(&format_args!("`{what}` cannot be carried out: {error}"));
                None
            }
        }
    }
}

impl Listener {
    fn say(&mut self, say: Say) -> Result<(), LinkError> {
        let said = Said {
            at_ns: os::monotonic_ns(),
            say,
        };
        match self {
            Self::Harness(link) => link.say(&said),
            Self::Journal(file) => {
                let mut line = serde_json::to_vec(&said).map_err(LinkError::Unintelligible)?;
                line.push(b'\n');
                // One write for each line, so that several fakes can share a journal. A full disk is no reason to behave otherwise.
                let _ = file.write_all(&line);
                Ok(())
            }
            Self::Nobody => Ok(()),
        }
    }
}

fn hello(surroundings: &Surroundings, role: Role, arguments: &[OsString]) -> Say {
    let cwd = std::env::current_dir().unwrap_or_default();
    Say::Hello {
        pid: std::process::id(),
        start_time: os::process_start_time(),
        ppid: std::os::unix::process::parent_id(),
        role,
        session: surroundings.session.clone(),
        argv: arguments
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect(),
        cwd: cwd.to_string_lossy().into_owned(),
        stdin: os::stdin_link(),
    }
}

/// Writes a note to stderr under this program's name.
pub fn note(text: &dyn Display) {
    os::note(&format!("fake-claude: {text}\n"));
}

/// Ends a process that cannot begin, or go on, with a note.
pub fn abandon(text: &dyn Display, code: i32) -> ! {
    note(text);
    os::exit(code)
}
