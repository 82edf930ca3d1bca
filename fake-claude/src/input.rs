//! Lines from stdin, whole however they arrive.

use std::borrow::Cow;
use std::io;
use std::os::fd::RawFd;

use crate::os::{self, Channel};

/// How much room a read is given at least.
const ROOM: usize = 4096;
/// A buffer that has grown beyond this for one long line is given back afterwards.
const KEPT: usize = 64 * 1024;

/// The stdin of the program.
#[derive(Debug)]
pub struct Input {
    fd: RawFd,
    channel: Channel,
    bytes: Vec<u8>,
    /// How many of the bytes have been handed out as lines.
    taken: usize,
    /// How many of the bytes are known to hold no line end.
    searched: usize,
    ended: bool,
}

impl Input {
    /// The lines of a descriptor.
    pub fn new(fd: RawFd) -> Self {
        Self {
            fd,
            channel: os::channel(fd),
            bytes: Vec::new(),
            taken: 0,
            searched: 0,
            ended: false,
        }
    }

    /// The descriptor to wait for.
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// Whether the end was seen.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads what is there, after a wait said that something is. An input that cannot be read has ended.
    pub fn fill(&mut self) {
        self.bytes.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
        if self.bytes.capacity() - self.bytes.len() < ROOM {
            // Doubling keeps the copying of a long line within bounds.
            self.bytes.reserve(ROOM.max(self.bytes.len()));
        }
        match os::read(self.fd, self.channel, &mut self.bytes) {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(_) => self.ended = true,
        }
    }

    /// The next whole line, without its end; after the end of the input also what stands there without one.
    pub fn next_line(&mut self) -> Option<Cow<'_, str>> {
        let unseen = &self.bytes[self.searched..];
        let end = match unseen.iter().position(|byte| *byte == b'\n') {
            Some(found) => self.searched + found,
            None => {
                self.searched = self.bytes.len();
                if !self.ended || self.taken == self.bytes.len() {
                    return None;
                }
                self.bytes.len()
            }
        };
        let start = self.taken;
        self.taken = (end + 1).min(self.bytes.len());
        self.searched = self.taken;
        Some(String::from_utf8_lossy(&self.bytes[start..end]))
    }

    /// Everything that was read and not handed out.
    pub fn rest(&mut self) -> Cow<'_, str> {
        let start = self.taken;
        self.taken = self.bytes.len();
        self.searched = self.taken;
        String::from_utf8_lossy(&self.bytes[start..])
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let mut input = Input::new(reader.as_raw_fd());
        let mut lines = Vec::new();
        for part in ["on", "e\ntwo\n\nthr", "ee", "\nrest"] {
            writer.write_all(part.as_bytes()).expect("room in the pipe");
            input.fill();
            while let Some(line) = input.next_line() {
                lines.push(line.into_owned());
            }
        }
        drop(writer);
        input.fill();
        assert!(input.has_ended());
        while let Some(line) = input.next_line() {
            lines.push(line.into_owned());
        }
        assert_eq!(lines, ["one", "two", "", "three", "rest"]);
    }

    #[test]
    fn a_descriptor_that_is_not_open_has_ended() {
        let mut input = Input::new(-1);
        input.fill();
        assert!(input.has_ended());
        assert_eq!(input.next_line(), None);
    }
}
