//! The inner process as PID 1 of namespaces of its own: the raw system calls, and nothing else.
//!
//! Between clone and exec the child makes system calls only: no memory is allocated, no lock taken, no destructor run, since another
//! thread of the parent may have held anything at that moment.

use std::ffi::CString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::{INNER_ARGUMENT, Probe};
use crate::timeline::event::Isolation;

/// What a child that is cloned should be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Walls {
    /// A user namespace in which the user is who they are.
    pub(super) user: bool,
    /// A PID namespace, and a mount namespace with a `/proc` that shows it.
    pub(super) pid: bool,
    /// A network namespace with a loopback interface that is up.
    pub(super) network: bool,
}

impl Walls {
    /// What to try, best first. A user namespace is tried only after the attempt without one, which only root can hope for.
    pub(super) fn attempts() -> Vec<Self> {
        let users: &[bool] = if nix::unistd::geteuid().is_root() {
            &[false, true]
        } else {
            &[true]
        };
        [(true, true), (true, false), (false, true)]
            .into_iter()
            .flat_map(|(pid, network)| users.iter().map(move |&user| Self { user, pid, network }))
            .collect()
    }

    const fn flags(self) -> libc::c_int {
        let mut flags = libc::SIGCHLD;
        if self.user {
            flags |= libc::CLONE_NEWUSER;
        }
        if self.pid {
            flags |= libc::CLONE_NEWPID | libc::CLONE_NEWNS;
        }
        if self.network {
            flags |= libc::CLONE_NEWNET;
        }
        flags
    }

    /// The same in the words of a recording.
    pub(super) const fn isolation(self) -> Isolation {
        Isolation {
            pid_namespace: self.pid,
            mount_namespace: self.pid,
            network_namespace: self.network,
            user_namespace: self.user,
        }
    }
}

impl fmt::Display for Walls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.pid, self.network) {
            (true, true) => "PID, mount and network namespace",
            (true, false) => "PID and mount namespace",
            (false, true) => "network namespace",
            (false, false) => "no namespace",
        })?;
        f.write_str(if self.user {
            " in a user namespace"
        } else {
            ""
        })
    }
}

/// The number of CAP_CHECKPOINT_RESTORE, see capabilities(7).
const CHECKPOINT_RESTORE: usize = 40;

/// Where a child that is being set up can fail. The number travels from the child to the parent.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Step {
    Session = 1,
    DeathSignal,
    Loopback,
    PrivateMounts,
    Proc,
    KeepOpen,
    Exec,
}

impl Step {
    const ALL: [Self; 7] = [
        Self::Session,
        Self::DeathSignal,
        Self::Loopback,
        Self::PrivateMounts,
        Self::Proc,
        Self::KeepOpen,
        Self::Exec,
    ];

    const fn words(self) -> &'static str {
        match self {
            Self::Session => "a session of its own",
            Self::DeathSignal => "a tie to its parent",
            Self::Loopback => "a loopback interface",
            Self::PrivateMounts => "mounts of its own",
            Self::Proc => "a /proc of its own",
            Self::KeepOpen => "its link to its parent",
            Self::Exec => "its program",
        }
    }
}

/// What the child becomes once its walls are up.
enum Become<'a> {
    /// The inner process, with these files open.
    Inner(&'a [RawFd]),
    /// Nothing: it was a probe.
    Nothing,
}

/// Starts the inner process behind these walls, with its end of the link and the host's `/proc` open.
pub(super) fn spawn(walls: Walls, link: &OwnedFd, host_proc: &File) -> io::Result<u32> {
    let keep = [link.as_raw_fd(), host_proc.as_raw_fd()];
    clone_child(walls, &Become::Inner(&keep))
}

/// Tries each part on its own.
pub(super) fn probe() -> Vec<Probe> {
    let nothing = Walls {
        user: false,
        pid: false,
        network: false,
    };
    let user = !nix::unistd::geteuid().is_root();
    [
        (
            "user namespace",
            Walls {
                user: true,
                ..nothing
            },
        ),
        (
            "PID and mount namespace with a /proc of its own",
            Walls {
                user,
                pid: true,
                ..nothing
            },
        ),
        (
            "network namespace with a loopback interface",
            Walls {
                user,
                network: true,
                ..nothing
            },
        ),
    ]
    .into_iter()
    .map(|(name, walls)| {
        let tried = clone_child(walls, &Become::Nothing);
        if let Ok(pid) = tried {
            wait_for(pid);
        }
        Probe {
            name,
            why_not: tried.err().map(|error| error.to_string()),
        }
    })
    .collect()
}

fn clone_child(walls: Walls, becoming: &Become<'_>) -> io::Result<u32> {
    // Everything that needs memory is made before the clone.
    let (mut report, child_report) = pipe()?;
    let (child_go, mut go) = pipe()?;
    let link = match becoming {
        Become::Inner([link, ..]) => link.to_string(),
        _ => String::new(),
    };
    let arguments = [env!("CARGO_PKG_NAME"), INNER_ARGUMENT, &link]
        .into_iter()
        .map(CString::new)
        .collect::<Result<Vec<_>, _>>()?;
    let mut argv: Vec<*const libc::c_char> = arguments.iter().map(|text| text.as_ptr()).collect();
    argv.push(std::ptr::null());

    // SAFETY: without CLONE_VM the child has memory of its own and goes on on a copy of this stack; no stack is passed.
    let pid = unsafe { libc::syscall(libc::SYS_clone, walls.flags(), 0, 0, 0, 0) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    if pid == 0 {
        // SAFETY: this is the child, which has one thread; `set_up` keeps to system calls and does not come back when it succeeds.
        unsafe {
            let (step, errno) =
                set_up(walls, becoming, child_go.as_raw_fd(), go.as_raw_fd(), &argv);
            let mut message = [step as u8, 0, 0, 0, 0];
            message[1..].copy_from_slice(&errno.to_ne_bytes());
            libc::write(
                child_report.as_raw_fd(),
                message.as_ptr().cast(),
                message.len(),
            );
            libc::_exit(127);
        }
    }
    let pid = pid as u32;
    drop(child_report);
    drop(child_go);
    let set_up = (|| {
        if walls.user {
            write_maps(pid)?;
        }
        go.write_all(b"!")?;
        let mut message = Vec::new();
        report.read_to_end(&mut message)?;
        match message.as_slice() {
            [] => Ok(()),
            [step, errno @ ..] => {
                let words = Step::ALL
                    .into_iter()
                    .find(|known| *known as u8 == *step)
                    .map_or("something", Step::words);
                let cause = errno
                    .try_into()
                    .map(|errno| io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
                    .unwrap_or_else(|_| io::ErrorKind::Other.into());
                Err(io::Error::new(cause.kind(), format!("{words}: {cause}")))
            }
        }
    })();
    if let Err(error) = set_up {
        // The child ends by itself when nobody tells it to go on, or has ended already.
        drop(go);
        wait_for(pid);
        return Err(error);
    }
    Ok(pid)
}

/// Puts up the walls, in the child. Comes back only when a step fails, with that step and the error's number.
///
/// # Safety
/// Must be called in a freshly cloned child that has one thread, with open files and an argument list that ends with null.
unsafe fn set_up(
    walls: Walls,
    becoming: &Become<'_>,
    go: RawFd,
    parents_go: RawFd,
    argv: &[*const libc::c_char],
) -> (Step, i32) {
    let errno = || io::Error::last_os_error().raw_os_error().unwrap_or(0);
    // SAFETY: plain system calls, with pointers to memory that lives on this stack or is constant.
    unsafe {
        // As long as this end is open here too, the parent's death would not be read as an end.
        libc::close(parents_go);
        if walls.pid && libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) != 0 {
            return (Step::DeathSignal, errno());
        }
        // The parent writes once it has written the maps. If it has died before the tie above held, this reads the end instead.
        let mut byte = 0_u8;
        loop {
            match libc::read(go, (&raw mut byte).cast(), 1) {
                1 => break,
                -1 if errno() == libc::EINTR => {}
                _ => libc::_exit(127),
            }
        }
        if libc::setsid() < 0 {
            return (Step::Session, errno());
        }
        if walls.network && !loopback_up() {
            return (Step::Loopback, errno());
        }
        if walls.pid {
            let private = libc::MS_REC | libc::MS_PRIVATE;
            let nothing = std::ptr::null();
            if libc::mount(nothing, c"/".as_ptr(), nothing, private, nothing.cast()) != 0 {
                return (Step::PrivateMounts, errno());
            }
            let (proc, place) = (c"proc".as_ptr(), c"/proc".as_ptr());
            let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
            if libc::mount(proc, place, proc, flags, nothing.cast()) != 0 {
                return (Step::Proc, errno());
            }
        }
        if walls.user && walls.pid {
            keep_giving_out_pids();
        }
        match becoming {
            Become::Nothing => libc::_exit(0),
            Become::Inner(files) => {
                for file in *files {
                    if libc::fcntl(*file, libc::F_SETFD, 0) != 0 {
                        return (Step::KeepOpen, errno());
                    }
                }
                libc::execv(c"/proc/self/exe".as_ptr(), argv.as_ptr());
                (Step::Exec, errno())
            }
        }
    }
}

/// Lets the capability to choose the next pid survive the exec of an ordinary user, which takes away all that are not ambient. Where the
/// kernel does not know it (before 5.9) there is nothing to keep, and a run that needs it says so.
///
/// # Safety
/// Makes system calls only, and may be called between clone and exec.
unsafe fn keep_giving_out_pids() {
    // SAFETY: plain system call without pointers.
    unsafe {
        if pass_on(true) {
            libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_RAISE,
                CHECKPOINT_RESTORE as libc::c_ulong,
                0,
                0,
            );
        }
    }
}

/// Takes from the calling process what [`keep_giving_out_pids`] kept, as far as its children could inherit it. Makes system calls only. A
/// kernel that does not know it has nothing to take away.
pub(super) fn keep_nothing() {
    // SAFETY: plain system calls without pointers.
    unsafe {
        libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_CLEAR_ALL,
            0,
            0,
            0,
        );
        pass_on(false);
    }
}

/// Adds the capability to those that may be passed on through an exec, or takes it from them. Tells whether that was done.
///
/// # Safety
/// Makes system calls only, and may be called between clone and exec.
unsafe fn pass_on(passed_on: bool) -> bool {
    // The structs of capset(2), version 3: the sets in two halves of 32 bits each.
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Half {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let mut header = Header {
        version: 0x2008_0522,
        pid: 0,
    };
    let none = Half {
        effective: 0,
        permitted: 0,
        inheritable: 0,
    };
    let mut sets = [none; 2];
    // SAFETY: plain system calls, with pointers to structs of the version that is named, which live on this stack.
    unsafe {
        if libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) != 0 {
            return false;
        }
        let bit = 1 << (CHECKPOINT_RESTORE % 32);
        let set = &mut sets[CHECKPOINT_RESTORE / 32].inheritable;
        *set = if passed_on { *set | bit } else { *set & !bit };
        libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) == 0
    }
}

/// Switches the loopback interface of a new network namespace on.
///
/// # Safety
/// Makes system calls only, and may be called between clone and exec.
unsafe fn loopback_up() -> bool {
    // SAFETY: plain system calls on a request that lives on this stack; all zeros is a valid one.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return false;
        }
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        let is_up = libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request) == 0;
        libc::close(socket);
        is_up
    }
}

/// Maps the user to themselves, in the user namespace of a child.
fn write_maps(pid: u32) -> io::Result<()> {
    let write = |name: &str, text: &str| {
        std::fs::write(format!("/proc/{pid}/{name}"), text)
            .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
    };
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    write("uid_map", &format!("{uid} {uid} 1"))?;
    // Without this an ordinary user may not map their group.
    write("setgroups", "deny")?;
    write("gid_map", &format!("{gid} {gid} 1"))
}

fn pipe() -> io::Result<(File, File)> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    Ok((reader.into(), writer.into()))
}

/// Waits for a child that has ended or is about to.
fn wait_for(pid: u32) {
    // A child that cannot be waited for is not there, which is what is wanted.
    let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid as i32), None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_walls_are_tried_first_and_each_part_alone_last() {
        let attempts = Walls::attempts();
        let parts: Vec<(bool, bool)> = attempts
            .iter()
            .filter(|walls| walls.user)
            .map(|walls| (walls.pid, walls.network))
            .collect();
        assert_eq!(parts, [(true, true), (true, false), (false, true)]);
        assert_eq!(
            attempts.last().map(ToString::to_string).as_deref(),
            Some("network namespace in a user namespace")
        );
    }
}
