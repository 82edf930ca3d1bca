//! The two ends that a worker holds of a child's stdin and stdout: pipes, or socket pairs as node and bun use them.
//!
//! Nothing here waits in the middle of a transfer: readiness is awaited first, then bytes move or do not. So a child that never
//! reads, or that writes without end, holds up nobody but itself.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;

use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use super::policy::Stdio;

/// The worker's end of a child's stdin. The child sees EOF when it is dropped.
#[derive(Debug)]
pub(super) enum ChildInput {
    Pipe(pipe::Sender),
    Socket(UnixStream),
}

/// The worker's end of a child's stdout.
#[derive(Debug)]
pub(super) enum ChildOutput {
    Pipe(pipe::Receiver),
    Socket(UnixStream),
}

/// A new connection to a child's stdin: the worker's end, and the child's.
pub(super) fn input(kind: Stdio) -> io::Result<(ChildInput, OwnedFd)> {
    match kind {
        Stdio::Pipe => {
            let (theirs, ours) = io::pipe()?;
            let ours = pipe::Sender::from_owned_fd(ours.into())?;
            Ok((ChildInput::Pipe(ours), theirs.into()))
        }
        Stdio::Socket => {
            let (ours, theirs) = socket_pair()?;
            Ok((ChildInput::Socket(ours), theirs))
        }
    }
}

/// A new connection to a child's stdout: the worker's end, and the child's.
pub(super) fn output(kind: Stdio) -> io::Result<(ChildOutput, OwnedFd)> {
    match kind {
        Stdio::Pipe => {
            let (ours, theirs) = io::pipe()?;
            let ours = pipe::Receiver::from_owned_fd(ours.into())?;
            Ok((ChildOutput::Pipe(ours), theirs.into()))
        }
        Stdio::Socket => {
            let (ours, theirs) = socket_pair()?;
            Ok((ChildOutput::Socket(ours), theirs))
        }
    }
}

fn socket_pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs.into()))
}

impl ChildInput {
    /// Returns when the child's stdin may take bytes, or is broken.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Pipe(pipe) => pipe.writable().await,
            Self::Socket(socket) => socket.writable().await,
        }
    }

    /// Writes what fits now.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) => pipe.try_write(bytes),
            Self::Socket(socket) => socket.try_write(bytes),
        }
    }
}

impl ChildOutput {
    /// Returns when there are bytes of the child, or there will be none any more.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Pipe(pipe) => pipe.readable().await,
            Self::Socket(socket) => socket.readable().await,
        }
    }

    /// Reads what is there; 0 at its end.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) => pipe.try_read(buffer),
            Self::Socket(socket) => socket.try_read(buffer),
        }
    }

    /// Reads what is there, whatever the event loop has noticed so far: after a child's exit, its last words may be news to it.
    pub(super) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let descriptor: BorrowedFd<'_> = match self {
            Self::Pipe(pipe) => pipe.as_fd(),
            Self::Socket(socket) => socket.as_fd(),
        };
        nix::unistd::read(descriptor, buffer).map_err(io::Error::from)
    }
}
