//! The control socket: fakes say who they are and what they see, and are told how to behave.
//!
//! The connection is a lifeline both ways. Its end is a fact here, and closing it ends the fake. A peer is believed only as far as the
//! kernel backs it: its uid must be ours, its pid the one it names, its start time the one that the process table shows.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::{cell::RefCell, fmt};

use fake_claude::control::{Order, Role, Said, Say};
use nix::sys::socket::{Backlog, ControlMessage, MsgFlags, listen, sendmsg};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, spawn_local};

use super::roll::Look;
use super::shared::{AbortOnDrop, Shared};
use super::{BehaviourOf, WitnessError};
use crate::platform;
use crate::process::ProcessIdentity;
use crate::timeline::event::{EventKind, Source};

/// The name of the socket in its folder.
const SOCKET_NAME: &str = "control.sock";
/// How many connections may wait to be accepted; the kernel cuts it to its own limit.
const BACKLOG: i32 = 4_096;
/// A statement longer than this is none.
const LONGEST_LINE: usize = 1 << 20;
/// What a fake weighs by itself, where the process table does not tell.
const OWN_RSS: u64 = 2 << 20;

/// The listening socket, and what its answers come from.
pub(super) struct Server {
    path: PathBuf,
    listener: UnixListener,
    orders: Orders,
}

/// Why a connection was given up.
#[derive(Debug)]
enum Trouble {
    /// The peer runs as somebody else.
    Uid(u32),
    /// The peer names another pid than the kernel does.
    Pid { said: u32, is: u32 },
    /// The peer names another start time than the process table does.
    StartTime { said: u64, is: u64 },
    /// The peer is no process of the run.
    Stranger,
    /// The first statement was no hello.
    NoHello,
    /// A hello came twice.
    SecondHello,
    /// A line is no statement.
    Line(serde_json::Error),
    /// A line does not end.
    LongLine,
    /// The connection broke.
    Io(io::Error),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "runs as uid {uid}, which is not ours"),
            Self::Pid { said, is } => write!(f, "says that its pid is {said}, and it is {is}"),
            Self::StartTime { said, is } => {
                write!(f, "says that it started at {said}, and it was {is}")
            }
            Self::Stranger => f.write_str("is no process of this run"),
            Self::NoHello => f.write_str("did not begin with a hello"),
            Self::SecondHello => f.write_str("said hello twice"),
            Self::Line(cause) => write!(f, "wrote a line that is no statement: {cause}"),
            Self::LongLine => write!(f, "wrote a line of more than {LONGEST_LINE} bytes"),
            Self::Io(cause) => write!(f, "cannot be spoken with: {cause}"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Server {
    /// Opens the socket in a folder that nobody else may enter.
    pub(super) fn open(folder: &Path, behaviour: BehaviourOf) -> Result<Self, WitnessError> {
        let path = folder.join(SOCKET_NAME);
        let failed = |cause| WitnessError::Control {
            path: path.clone(),
            cause,
        };
        make_private_folder(folder).map_err(failed)?;
        let listener = open_listener(&path).map_err(failed)?;
        Ok(Self {
            path,
            listener,
            orders: Orders {
                behaviour,
                ballasts: BTreeMap::new(),
            },
        })
    }

    /// The path of the socket.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Accepts connections for ever; each is served by a task of its own.
    pub(super) fn serve(self, shared: &Rc<Shared>) -> JoinHandle<()> {
        let shared = Rc::downgrade(shared);
        spawn_local(async move {
            let orders = Rc::new(RefCell::new(self.orders));
            for number in 0.. {
                let accepted = self.listener.accept().await;
                let Some(strong) = Weak::upgrade(&shared) else {
                    return;
                };
                match accepted {
                    Ok((stream, _)) => {
                        let connection = spawn_local(serve_connection(
                            number,
                            stream,
                            Weak::clone(&shared),
                            Rc::clone(&orders),
                        ));
                        strong
                            .connections
                            .borrow_mut()
                            .insert(number, AbortOnDrop(connection));
                    }
                    Err(error) => {
                        let reason = format!("a connection cannot be accepted: {error}");
                        strong.failed(Source::Control, reason).await;
                        // Whatever is short (files, memory) is given back when a process ends; there is nothing to gain before.
                        strong.changed().await;
                    }
                }
            }
        })
    }
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = std::fs::metadata(folder)?;
            let is_private = found.is_dir()
                && found.mode() & 0o077 == 0
                && found.uid() == nix::unistd::geteuid().as_raw();
            if is_private {
                Ok(())
            } else {
                Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "its folder is open to others",
                ))
            }
        }
        Err(error) => Err(error),
    }
}

fn open_listener(path: &Path) -> io::Result<UnixListener> {
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    // It listens already, with the small backlog of the standard library; the kernel cuts what is too large for it, but the wrapper
    // knows only the usual limit.
    listen(&listener, Backlog::new(BACKLOG).unwrap_or(Backlog::MAXCONN))?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Where answers come from.
struct Orders {
    behaviour: BehaviourOf,
    /// The ballast files, by the RSS that is wanted with them.
    ballasts: BTreeMap<u64, Option<Rc<OwnedFd>>>,
}

impl Orders {
    /// The order for a fake, and the ballast that goes with it.
    fn order(
        &mut self,
        session: Option<&str>,
        role: Role,
        own_rss: u64,
    ) -> io::Result<(Order, Option<Rc<OwnedFd>>)> {
        let behaviour = (self.behaviour)(session);
        let wanted = match (behaviour.rss, role) {
            // A short question is answered before anybody could weigh it.
            (None, _) | (_, Role::Probe) => None,
            (Some(size), _) => Some(size.as_bytes()),
        };
        let ballast = match wanted {
            Some(wanted) => self.ballast(wanted, own_rss)?,
            None => None,
        };
        let order = Order::Behave {
            behaviour: Box::new(behaviour),
            ballast: ballast.is_some(),
        };
        Ok((order, ballast))
    }

    /// The one file for an RSS. All fakes share it, so that memory holds it once; the first one's own weight stands for all.
    fn ballast(&mut self, wanted: u64, own_rss: u64) -> io::Result<Option<Rc<OwnedFd>>> {
        if let Some(ballast) = self.ballasts.get(&wanted) {
            return Ok(ballast.clone());
        }
        let page = platform::page_size();
        let size = wanted.saturating_sub(own_rss) / page * page;
        let ballast = match size {
            0 => None,
            size => Some(Rc::new(platform::shared_memory_file(size)?)),
        };
        self.ballasts.insert(wanted, ballast.clone());
        Ok(ballast)
    }
}

/// Serves a connection until its end, and says how that came.
async fn serve_connection(
    number: u64,
    stream: UnixStream,
    shared: Weak<Shared>,
    orders: Rc<RefCell<Orders>>,
) {
    let mut connection = Connection {
        stream,
        received: Vec::new(),
        peer: None,
        shared,
        orders,
    };
    let outcome = connection.serve().await;
    let Some(shared) = Weak::upgrade(&connection.shared) else {
        return;
    };
    if let Some((process, _)) = connection.peer {
        let mut roll = shared.roll.borrow_mut();
        roll.stir();
        roll.learn(Source::Control, EventKind::LifelineLost { process });
    }
    shared.flush().await;
    if let Err(trouble) = outcome {
        let who = connection
            .stream
            .peer_cred()
            .ok()
            .and_then(|peer| peer.pid())
            .map_or_else(|| "a peer".to_owned(), |pid| format!("process {pid}"));
        shared
            .failed(Source::Control, format!("{who} {trouble}"))
            .await;
    }
    // The task that is running drops its own handle here; there is nothing left to abort.
    shared.connections.borrow_mut().remove(&number);
}

struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    peer: Option<(ProcessIdentity, Role)>,
    shared: Weak<Shared>,
    orders: Rc<RefCell<Orders>>,
}

impl Connection {
    async fn serve(&mut self) -> Result<(), Trouble> {
        let peer = self.stream.peer_cred()?;
        if peer.uid() != nix::unistd::geteuid().as_raw() {
            return Err(Trouble::Uid(peer.uid()));
        }
        let Some(hello) = self.statement().await? else {
            return Ok(());
        };
        let role = self
            .welcome(hello, peer.pid().map(|pid| pid as u32))
            .await?;
        while let Some(said) = self.statement().await? {
            let served = match &said.say {
                Say::Hello { .. } => return Err(Trouble::SecondHello),
                Say::Serves { session } => Some(session.clone()),
                _ => None,
            };
            self.take_down(said).await;
            if let Some(session) = served {
                self.order(Some(&session), role).await?;
            }
        }
        Ok(())
    }

    /// Checks a hello against what the kernel says, makes its sender known, and answers.
    async fn welcome(&mut self, said: Said, peer_pid: Option<u32>) -> Result<Role, Trouble> {
        let Say::Hello {
            pid,
            start_time,
            ppid,
            role,
            ref session,
            ref argv,
            ..
        } = said.say
        else {
            return Err(Trouble::NoHello);
        };
        if let Some(is) = peer_pid.filter(|is| *is != pid) {
            return Err(Trouble::Pid { said: pid, is });
        }
        let Some(shared) = Weak::upgrade(&self.shared) else {
            return Ok(role);
        };
        let process = if shared.switches.control {
            let mut roll = shared.roll.borrow_mut();
            match roll.look(pid, Source::Control)? {
                Look::Ours(process) => {
                    let is_exact = platform::START_TIMES_ARE_EXACT && start_time != 0;
                    if is_exact && start_time != process.start_time {
                        return Err(Trouble::StartTime {
                            said: start_time,
                            is: process.start_time,
                        });
                    }
                    roll.announce(pid);
                    process
                }
                Look::Stranger => return Err(Trouble::Stranger),
                Look::Gone => {
                    let process = ProcessIdentity::new(pid, start_time);
                    let at = shared.emitter.clock().at(said.at_ns);
                    roll.seen_too_late(process, ppid, argv, at);
                    process
                }
            }
        } else {
            ProcessIdentity::new(pid, start_time)
        };
        if matches!(role, Role::Primary | Role::Payload) {
            shared.roll.borrow_mut().is_claude(process);
        }
        drop(shared);
        self.peer = Some((process, role));
        let session = session.clone();
        self.take_down(said).await;
        self.order(session.as_deref(), role).await?;
        Ok(role)
    }

    /// Makes a statement a fact, at the moment that its sender gave.
    async fn take_down(&mut self, said: Said) {
        let (Some(shared), Some((process, _))) = (Weak::upgrade(&self.shared), self.peer) else {
            return;
        };
        {
            let mut roll = shared.roll.borrow_mut();
            roll.stir();
            roll.learn_at(
                shared.emitter.clock().at(said.at_ns),
                Source::Control,
                EventKind::Said {
                    process,
                    say: said.say,
                },
            );
        }
        shared.flush().await;
    }

    /// The next statement; none at the end of the connection.
    async fn statement(&mut self) -> Result<Option<Said>, Trouble> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.received[searched..]
                .iter()
                .position(|byte| *byte == b'\n')
            {
                let end = searched + end;
                let said = serde_json::from_slice(&self.received[..end]);
                self.received.drain(..=end);
                return said.map(Some).map_err(Trouble::Line);
            }
            searched = self.received.len();
            if searched > LONGEST_LINE {
                return Err(Trouble::LongLine);
            }
            self.stream.readable().await?;
            match self.stream.try_read_buf(&mut self.received) {
                // A line that was cut off by its writer's death says nothing.
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A process that is killed while the harness's last order is unread resets the connection.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Tells the fake how to behave. One that is gone meanwhile needs no answer: its end is read next.
    async fn order(&mut self, session: Option<&str>, role: Role) -> Result<(), Trouble> {
        let own_rss = match (Weak::upgrade(&self.shared), self.peer) {
            (Some(shared), Some((process, _))) => shared.roll.borrow().rss_bytes(process),
            _ => None,
        };
        let (order, ballast) =
            self.orders
                .borrow_mut()
                .order(session, role, own_rss.unwrap_or(OWN_RSS))?;
        let mut line = serde_json::to_vec(&order).map_err(Trouble::Line)?;
        line.push(b'\n');
        match self.send(&line, ballast.as_deref()).await {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                Ok(())
            }
            sent => Ok(sent?),
        }
    }

    /// Writes a line; the file travels with its first byte.
    async fn send(&mut self, line: &[u8], file: Option<&OwnedFd>) -> io::Result<()> {
        let mut sent = 0;
        if let Some(file) = file {
            let stream = &self.stream;
            sent = stream
                .async_io(Interest::WRITABLE, || {
                    let files = [file.as_raw_fd()];
                    Ok(sendmsg::<()>(
                        stream.as_raw_fd(),
                        &[IoSlice::new(line)],
                        &[ControlMessage::ScmRights(&files)],
                        MsgFlags::empty(),
                        None,
                    )?)
                })
                .await?;
        }
        self.stream.write_all(&line[sent..]).await
    }
}
