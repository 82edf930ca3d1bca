//! The connection to the harness: statements go out, orders come in, and its end is this process's end.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::behaviour::Behaviour;
use crate::control::{Order, Said};
use crate::os::{self, Watch};

/// How long a harness may take to accept a connection, and to answer with a behaviour.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the harness.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    /// Statements are written into this one buffer.
    sent: Vec<u8>,
    /// What was received and is not yet a whole line.
    received: Vec<u8>,
    /// A file that came along, until the order that announces it is read.
    file: Option<OwnedFd>,
}

/// What the harness orders.
#[derive(Debug)]
pub struct Orders {
    /// How to behave from now on.
    pub behaviour: Box<Behaviour>,
    /// The ballast file that came along.
    pub ballast: Option<OwnedFd>,
}

/// Why the harness cannot be obeyed.
#[derive(Debug)]
pub enum LinkError {
    /// Its socket cannot be reached.
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// An order makes no sense.
    Unintelligible(serde_json::Error),
    /// It is gone.
    Gone,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { path, cause } => write!(
                f,
                "the control socket {} cannot be reached, so the harness is gone: {cause}",
                path.display()
            ),
            Self::Unintelligible(cause) => {
                write!(f, "an order of the harness makes no sense: {cause}")
            }
            Self::Gone => f.write_str("the harness is gone"),
        }
    }
}

impl std::error::Error for LinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { cause, .. } => Some(cause),
            Self::Unintelligible(cause) => Some(cause),
            Self::Gone => None,
        }
    }
}

impl Link {
    /// Connects to the harness's socket, if it accepts soon enough.
    pub fn connect(path: &Path, patience: Duration) -> Result<Self, LinkError> {
        let socket = os::connect(path, patience).map_err(|cause| LinkError::Unreachable {
            path: path.to_owned(),
            cause,
        })?;
        Ok(Self {
            socket,
            sent: Vec::new(),
            received: Vec::new(),
            file: None,
        })
    }

    /// Watches for orders and for the end.
    pub fn watch(&self) -> Watch {
        Watch::readable(self.socket.as_raw_fd())
    }

    /// Says something. A harness that is slow to listen is waited for: what is said is evidence.
    pub fn say(&mut self, said: &Said) -> Result<(), LinkError> {
        self.sent.clear();
        serde_json::to_writer(&mut self.sent, said).map_err(LinkError::Unintelligible)?;
        self.sent.push(b'\n');
        let mut rest = self.sent.as_slice();
        while !rest.is_empty() {
            match os::send(self.socket.as_fd(), rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    os::wait(&mut [Watch::writable(self.socket.as_raw_fd())], None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(LinkError::Gone),
            }
        }
        Ok(())
    }

    /// The orders that have come in, after a wait said that something has; the last one, if there are several.
    pub fn orders(&mut self) -> Result<Option<Orders>, LinkError> {
        let mut bytes = [0; 1024];
        let (count, file) = match os::receive(self.socket.as_fd(), &mut bytes) {
            Ok((0, _)) => return Err(LinkError::Gone),
            Ok(received) => received,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                return Ok(None);
            }
            Err(_) => return Err(LinkError::Gone),
        };
        if file.is_some() {
            self.file = file;
        }
        self.received.extend_from_slice(&bytes[..count]);
        let mut orders: Option<Orders> = None;
        while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
            let order = serde_json::from_slice(&self.received[..end]);
            self.received.drain(..=end);
            let Order::Behave { behaviour, ballast } = order.map_err(LinkError::Unintelligible)?;
            let earlier = orders.take().and_then(|orders| orders.ballast);
            orders = Some(Orders {
                behaviour,
                ballast: if ballast { self.file.take() } else { None }.or(earlier),
            });
        }
        Ok(orders)
    }
}
