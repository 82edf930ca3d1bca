//! What goes to stdout, in order, without ever blocking: what does not go now waits in a queue.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;

use crate::os::{self, Channel, Watch};

/// A buffer that has grown beyond this is given back once it is written.
const KEPT: usize = 64 * 1024;

/// The stdout of the program.
#[derive(Debug)]
pub struct Output {
    fd: RawFd,
    channel: Channel,
    queue: VecDeque<Piece>,
    spare: Vec<u8>,
    /// What is to be written before whatever comes next, and not sooner.
    withheld: Vec<u8>,
    closed: bool,
}

/// A part of what waits to be written.
#[derive(Debug)]
enum Piece {
    /// Bytes, of which so many are written.
    Bytes { bytes: Vec<u8>, written: usize },
    /// The same text over and over, of which so many bytes are still to be written. It costs no memory, however much it is.
    Repeated { text: &'static [u8], left: u64 },
}

impl Output {
    /// The writer of a descriptor.
    pub fn new(fd: RawFd) -> Self {
        Self {
            fd,
            channel: os::channel(fd),
            queue: VecDeque::new(),
            spare: Vec::new(),
            withheld: Vec::new(),
            closed: false,
        }
    }

    /// The descriptor to wait for, as long as something waits to be written.
    pub fn watch(&self) -> Watch {
        if self.queue.is_empty() {
            Watch::nothing()
        } else {
            Watch::writable(self.fd)
        }
    }

    /// Whether everything is written, or can never be.
    pub fn is_drained(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Adds what a function writes into a buffer.
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let withheld = std::mem::take(&mut self.withheld);
        if let Some(Piece::Bytes { bytes, .. }) = self.queue.back_mut() {
            bytes.extend_from_slice(&withheld);
            write(bytes);
            return;
        }
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.extend_from_slice(&withheld);
        write(&mut bytes);
        if !bytes.is_empty() {
            self.queue.push_back(Piece::Bytes { bytes, written: 0 });
        }
    }

    /// Holds bytes back until something else is written.
    pub fn withhold(&mut self, bytes: Vec<u8>) {
        self.withheld = bytes;
    }

    /// Adds a text so many times.
    pub fn repeat(&mut self, text: &'static [u8], times: u64) {
        if !self.withheld.is_empty() {
            self.add(|_| {});
        }
        if times == 0 {
            return;
        }
        self.queue.push_back(Piece::Repeated {
            text,
            left: text.len() as u64 * times,
        });
    }

    /// Writes what goes without blocking.
    pub fn flush(&mut self) {
        if self.closed {
            self.queue.clear();
            return;
        }
        while let Some(piece) = self.queue.front_mut() {
            let mut watched = [Watch::writable(self.fd)];
            if self.channel == Channel::Pipe {
                os::wait(&mut watched, Some(0));
                if !watched[0].is_ready() {
                    return;
                }
            }
            let bytes = match piece {
                Piece::Bytes { bytes, written } => &bytes[*written..],
                Piece::Repeated { text, left } => {
                    let length = text.len() as u64;
                    let start = (length - *left % length) % length;
                    &text[start as usize..]
                }
            };
            match os::write(self.fd, self.channel, bytes) {
                Ok(count) => self.wrote(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nobody reads, and nobody will: the real program goes on all the same.
                Err(_) => {
                    self.closed = true;
                    self.queue.clear();
                }
            }
        }
    }

    fn wrote(&mut self, count: usize) {
        let is_done = match self.queue.front_mut() {
            Some(Piece::Bytes { bytes, written }) => {
                *written += count;
                *written == bytes.len()
            }
            Some(Piece::Repeated { left, .. }) => {
                *left -= count as u64;
                *left == 0
            }
            None => false,
        };
        if is_done
            && let Some(Piece::Bytes { mut bytes, .. }) = self.queue.pop_front()
            && bytes.capacity() <= KEPT
        {
            bytes.clear();
            self.spare = bytes;
        }
    }

    /// Closes stdout for good: what still comes is dropped.
    pub fn close(&mut self) -> io::Result<()> {
        self.closed = true;
        self.queue.clear();
        os::discard(self.fd)
    }
}
