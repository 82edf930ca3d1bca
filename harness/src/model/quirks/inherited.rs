//! `inheritable-pipes`: a runtime that does not mark its pipes as close-on-exec hands them to every child that it starts later.

use std::io;
use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::model::child_stdio::ChildInput;

/// Lets children that are started from now on inherit the worker's end of a child's stdin: until they end, that child sees no EOF.
pub(in crate::model) fn by_later_children(input: &ChildInput) -> io::Result<()> {
    let descriptor = match input {
        ChildInput::Pipe(pipe) => pipe.as_fd(),
        ChildInput::Socket(socket) => socket.as_fd(),
    };
    fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())).map_err(io::Error::from)?;
    Ok(())
}
