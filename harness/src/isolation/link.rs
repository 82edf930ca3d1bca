//! What travels between outer and inner: frames inwards, lines outwards.
//!
//! A frame is its length in four bytes, lowest first, and then so many bytes. The first frame introduces the run's place, the second is
//! the plan, each later one is a command.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::timeline::event::Isolation;

/// A frame longer than this is none.
const LONGEST_FRAME: u32 = 1 << 30;

/// The first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Introduction {
    /// The walls that were put up.
    pub(super) isolation: Isolation,
    /// The open file that is the host's `/proc`.
    pub(super) host_proc: Option<i32>,
}

/// The bytes of a frame.
pub(super) fn frame(content: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(content.len())
        .ok()
        .filter(|length| *length <= LONGEST_FRAME)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a frame is too long"))?;
    let mut bytes = Vec::with_capacity(4 + content.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(content);
    Ok(bytes)
}

/// Writes a frame and waits until it is gone.
pub(super) fn write_frame(stream: &mut impl Write, content: &[u8]) -> io::Result<()> {
    stream.write_all(&frame(content)?)
}

/// Reads a frame and waits for it.
pub(super) fn read_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST_FRAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame is too long",
        ));
    }
    let mut content = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut content)?;
    if content.len() == length as usize {
        Ok(content)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Takes a whole frame off the front of what was received. None while it is not all there.
pub(super) fn take_frame(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_le_bytes(received.first_chunk().copied()?) as usize;
    if received.len() < 4 + length {
        return None;
    }
    let content = received[4..4 + length].to_vec();
    received.drain(..4 + length);
    Some(content)
}

/// Takes a whole line off the front of what was received, its newline left out. None while it is not all there. The first
/// `searched` bytes are known to hold no newline.
pub(super) fn take_line(received: &mut Vec<u8>, searched: &mut usize) -> Option<Vec<u8>> {
    match received[*searched..].iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = received[..*searched + end].to_vec();
            received.drain(..=*searched + end);
            *searched = 0;
            Some(line)
        }
        None => {
            *searched = received.len();
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_whole_however_they_are_cut() {
        let mut bytes = frame(b"plan").unwrap();
        bytes.extend(frame(b"").unwrap());
        let mut received = Vec::new();
        let mut frames = Vec::new();
        for byte in &bytes {
            received.push(*byte);
            frames.extend(take_frame(&mut received));
        }
        assert_eq!(frames, [b"plan".to_vec(), Vec::new()]);
        let mut stream = bytes.as_slice();
        assert_eq!(read_frame(&mut stream).unwrap(), b"plan");
        assert_eq!(read_frame(&mut stream).unwrap(), b"");
        assert!(read_frame(&mut &bytes[..6]).is_err());
        assert!(read_frame(&mut &[255_u8; 8][..]).is_err());
    }

    #[test]
    fn lines_arrive_whole_however_they_are_cut() {
        let mut received = Vec::new();
        let mut searched = 0;
        let mut lines = Vec::new();
        for chunk in [&b"{\"a\""[..], b":1}\n{", b"}\n\n"] {
            received.extend_from_slice(chunk);
            while let Some(line) = take_line(&mut received, &mut searched) {
                lines.push(String::from_utf8(line).unwrap());
            }
        }
        assert_eq!(lines, ["{\"a\":1}", "{}", ""]);
    }
}
