//! The other ends of Unix sockets, by the kernel's socket monitoring (`NETLINK_SOCK_DIAG`).
//!
//! Under node and bun a child's stdio are Unix sockets, and `/proc` alone does not say who holds the other end.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const NETLINK_SOCK_DIAG: libc::c_int = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_SHUTDOWN: u16 = 6;
const RECEIVE_SHUTDOWN: u8 = 1;
const HEADER_LENGTH: usize = 16;
const MESSAGE_LENGTH: usize = 16;

/// The other end of a Unix socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its inode, while it is open anywhere.
    pub inode: Option<u64>,
    /// Whether it has said that nothing more will come (`shutdown`): its holder keeps it, but the reader has its EOF.
    pub finished: bool,
}

/// The other end of every Unix socket of this network namespace, by the socket's inode.
pub fn unix_peers() -> io::Result<HashMap<u64, Peer>> {
    // SAFETY: plain system call; the result is checked before it is owned.
    let socket = unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            NETLINK_SOCK_DIAG,
        )
    };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the file was just opened and nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // The kernel answers at once; the limit only guards against one that never does.
    let limit = libc::timeval {
        tv_sec: 1,
        tv_usec: 0,
    };
    // SAFETY: the option's value is a live timeval of the length given.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const limit).cast(),
            size_of::<libc::timeval>() as libc::socklen_t,
        )
    };
    let request = request();
    // SAFETY: the buffer is live and of the length given.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut peers = HashMap::new();
    let mut buffer = vec![0_u8; 64 << 10];
    loop {
        // SAFETY: the buffer is live, writable and of the length given.
        let length = unsafe {
            libc::recv(
                socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
            )
        };
        if length < 0 {
            match io::Error::last_os_error() {
                // A receive with a time limit is not taken up again by the kernel after a handler ran.
                error if error.kind() == io::ErrorKind::Interrupted => continue,
                error => return Err(error),
            }
        }
        if parse(&buffer[..length as usize], &mut peers)? {
            return Ok(peers);
        }
    }
}

/// A request for all Unix sockets, in any state, with their peers.
fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LENGTH + 24);
    bytes.extend_from_slice(&((HEADER_LENGTH + 24) as u32).to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[libc::AF_UNIX as u8, 0, 0, 0]);
    bytes.extend_from_slice(&u32::MAX.to_ne_bytes());
    bytes.extend_from_slice(&0_u32.to_ne_bytes());
    bytes.extend_from_slice(&UDIAG_SHOW_PEER.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

/// Reads one datagram of the answer. Tells whether it was the last.
fn parse(mut bytes: &[u8], peers: &mut HashMap<u64, Peer>) -> io::Result<bool> {
    let cut_off = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "socket monitoring answer is cut off",
        )
    };
    while bytes.len() >= HEADER_LENGTH {
        let length = u32_at(bytes, 0).ok_or_else(cut_off)? as usize;
        let kind = u16_at(bytes, 4).ok_or_else(cut_off)?;
        let body = bytes.get(HEADER_LENGTH..length).ok_or_else(cut_off)?;
        match i32::from(kind) {
            libc::NLMSG_DONE => return Ok(true),
            libc::NLMSG_ERROR => {
                let code = u32_at(body, 0).ok_or_else(cut_off)? as i32;
                return Err(io::Error::from_raw_os_error(-code));
            }
            _ if kind == SOCK_DIAG_BY_FAMILY => {
                let inode = u32_at(body, 4).ok_or_else(cut_off)?;
                let attributes = body.get(MESSAGE_LENGTH..).ok_or_else(cut_off)?;
                peers.insert(u64::from(inode), peer(attributes));
            }
            _ => {}
        }
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    Ok(false)
}

/// Reads the attributes of one socket.
fn peer(mut attributes: &[u8]) -> Peer {
    let mut peer = Peer::default();
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let length = usize::from(length);
        let Some(value) = attributes.get(4..length) else {
            break;
        };
        match kind {
            UNIX_DIAG_PEER => {
                peer.inode = u32_at(value, 0).filter(|inode| *inode != 0).map(u64::from);
            }
            UNIX_DIAG_SHUTDOWN => {
                peer.finished = value
                    .first()
                    .is_some_and(|bits| bits & RECEIVE_SHUTDOWN != 0);
            }
            _ => {}
        }
        attributes = attributes.get(aligned(length)..).unwrap_or_default();
    }
    peer
}

const fn aligned(length: usize) -> usize {
    (length + 3) & !3
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn inode(socket: &UnixStream) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let link = link.to_str().unwrap();
        link["socket:[".len()..link.len() - 1].parse().unwrap()
    }

    #[test]
    fn a_pair_of_sockets_names_each_other_until_one_is_shut_down_or_closed() {
        let (near, far) = UnixStream::pair().unwrap();
        let peer = unix_peers().unwrap()[&inode(&near)];
        assert_eq!(
            peer,
            Peer {
                inode: Some(inode(&far)),
                finished: false
            }
        );

        far.shutdown(Shutdown::Write).unwrap();
        assert!(unix_peers().unwrap()[&inode(&near)].finished);

        drop(far);
        assert_eq!(unix_peers().unwrap()[&inode(&near)].inode, None);
    }

    #[test]
    fn answers_that_are_cut_off_are_errors_or_end_early() {
        let mut peers = HashMap::new();
        let mut datagram = vec![0_u8; 40];
        datagram[..4].copy_from_slice(&400_u32.to_ne_bytes());
        assert!(parse(&datagram, &mut peers).is_err());
        datagram[..4].copy_from_slice(&0_u32.to_ne_bytes());
        assert!(parse(&datagram, &mut peers).is_err());
        assert_eq!(peer(&[9, 0, 2, 0, 1]), Peer::default());
        assert_eq!(peer(&[0, 0, 0, 0]), Peer::default());
    }
}
