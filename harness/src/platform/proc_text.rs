//! The texts of `/proc`, parsed: pure functions, tested on text on any machine.
//!
//! None of them trusts its input: a name may hold spaces, parentheses and newlines, a file may be cut off.

use super::Owner;
use crate::process::{ProcessIdentity, ProcessRow, ProcessState};

/// How many characters of a command line are kept.
pub const COMMAND_LENGTH: usize = 400;

/// The kernel's flag of a task that has not executed anything since its fork (`PF_FORKNOEXEC`).
const FORKED_AND_NOT_EXECUTED: i64 = 0x40;

/// How a process ended, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, when it exited by itself.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
}

impl Exit {
    /// The exit behind a status as `waitpid` gives it.
    pub const fn from_wait_status(status: i32) -> Self {
        match status & 0x7f {
            0 => Self {
                code: Some((status >> 8) & 0xff),
                signal: None,
            },
            signal => Self {
                code: None,
                signal: Some(signal),
            },
        }
    }

    /// Whether anything is known.
    pub const fn is_known(&self) -> bool {
        self.code.is_some() || self.signal.is_some()
    }
}

/// The short name that the kernel keeps of a process: at most fifteen bytes of anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShortName {
    bytes: [u8; 15],
    length: u8,
}

impl ShortName {
    /// The name in these bytes, cut to what the kernel keeps.
    pub fn new(name: &[u8]) -> Self {
        let length = name.len().min(15);
        let mut bytes = [0; 15];
        bytes[..length].copy_from_slice(&name[..length]);
        Self {
            bytes,
            length: length as u8,
        }
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Who it is.
    pub process: ProcessIdentity,
    /// Its short name.
    pub name: ShortName,
    /// Its state.
    pub state: ProcessState,
    /// Its parent; 0 when that is outside the PID namespace.
    pub ppid: u32,
    /// Its process group.
    pub pgid: u32,
    /// Its session.
    pub sid: u32,
    /// Whether it has executed a program since it was forked; before that, its name and command line are its parent's.
    pub has_executed: bool,
    /// Its threads.
    pub threads: u32,
    /// Its resident set size in pages.
    pub rss_pages: u64,
    /// Its status as `waitpid` will give it; means something only in a zombie, and only where the reader may see it.
    pub exit_status: i32,
}

impl Stat {
    /// The row of a sample.
    pub const fn row(&self, page_size: u64) -> ProcessRow {
        ProcessRow {
            process: self.process,
            ppid: self.ppid,
            state: self.state,
            rss_bytes: self.rss_pages * page_size,
        }
    }
}

/// Parses `/proc/PID/stat` without allocating. None for a text that is cut off or is no such file.
pub fn stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    // The name may hold anything, also `) R 1`; only the last parenthesis is the kernel's own.
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let pid = number(text.get(..open)?.trim_ascii())? as u32;
    let name = ShortName::new(text.get(open + 1..close)?);
    let mut fields = text
        .get(close + 1..)?
        .split(u8::is_ascii_whitespace)
        .filter(|field| !field.is_empty());
    // Fields are numbered as in proc(5); the state is field 3.
    let state = ProcessState::from_letter(*fields.next()?.first()?);
    let ppid = number(fields.next()?)? as u32;
    let pgid = number(fields.next()?)? as u32;
    let sid = number(fields.next()?)? as u32;
    let flags = number(fields.nth(2)?)?;
    let threads = number(fields.nth(10)?)? as u32;
    let start_time = number(fields.nth(1)?)? as u64;
    let rss_pages = number(fields.nth(1)?)?.max(0) as u64;
    // Kernels of long ago lack the last field.
    let exit_status = fields.nth(27).and_then(number).unwrap_or(0) as i32;
    Some(Stat {
        process: ProcessIdentity::new(pid, start_time),
        name,
        state,
        ppid,
        pgid,
        sid,
        has_executed: flags & FORKED_AND_NOT_EXECUTED == 0,
        threads,
        rss_pages,
        exit_status,
    })
}

/// A decimal number. Values above the range of `i64` (a resident limit of "unlimited") are cut to it.
fn number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'));
    }
    Some(if negative { -value } else { value })
}

/// The number behind a key at the start of a line, such as `Pss:` in `smaps_rollup` or `Pid:` in the `fdinfo` of a pidfd.
pub fn keyed_number(text: &[u8], key: &str) -> Option<i64> {
    text.split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(key.as_bytes()))
        .and_then(|rest| {
            rest.split(u8::is_ascii_whitespace)
                .find(|word| !word.is_empty())
        })
        .and_then(number)
}

/// The proportional set size in bytes, from `smaps_rollup`.
pub fn pss_bytes(smaps_rollup: &[u8]) -> Option<u64> {
    keyed_number(smaps_rollup, "Pss:").map(|kibibytes| kibibytes.max(0) as u64 * 1_024)
}

/// The whole memory of the machine in bytes, from `/proc/meminfo`.
pub fn memory_bytes(meminfo: &[u8]) -> Option<u64> {
    keyed_number(meminfo, "MemTotal:").map(|kibibytes| kibibytes.max(0) as u64 * 1_024)
}

/// The memory in bytes that can be had without swapping, from `/proc/meminfo`. Kernels before 3.14 do not tell.
pub fn available_memory_bytes(meminfo: &[u8]) -> Option<u64> {
    keyed_number(meminfo, "MemAvailable:").map(|kibibytes| kibibytes.max(0) as u64 * 1_024)
}

/// Whose a process is, from its `status`.
pub fn owner(status: &[u8]) -> Option<Owner> {
    let number = |key| keyed_number(status, key).and_then(|number| u32::try_from(number).ok());
    Some(Owner {
        uid: number("Uid:")?,
        thread_group: number("Tgid:")?,
    })
}

/// The texts of `cmdline` or `environ`: each is ended by a zero, what is no UTF-8 is replaced, empty ones at the end are padding.
pub fn texts(bytes: &[u8]) -> Vec<String> {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    if end == 0 {
        return Vec::new();
    }
    bytes[..end]
        .split(|byte| *byte == 0)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}

/// Whether a file was opened for writing, from its `fdinfo`, whose flags are octal (see open(2): the last two bits are the mode).
pub fn is_written(fdinfo: &[u8]) -> bool {
    keyed_number(fdinfo, "flags:").is_some_and(|octal| (octal % 10) & 0o3 != 0)
}

/// The pages of a process that are in memory, from its `statm`.
pub fn resident_pages(statm: &[u8]) -> Option<u64> {
    statm
        .split(u8::is_ascii_whitespace)
        .nth(1)
        .and_then(number)
        .map(|pages| pages.max(0) as u64)
}

/// The nanoseconds that a task waited for a processor, from its `schedstat`.
pub fn scheduling_wait_ns(schedstat: &[u8]) -> Option<u64> {
    schedstat
        .split(u8::is_ascii_whitespace)
        .nth(1)
        .and_then(number)
        .map(|nanoseconds| nanoseconds.max(0) as u64)
}

/// A command line as people read it: arguments joined by spaces, bytes that are no UTF-8 replaced, cut to
/// [`COMMAND_LENGTH`] characters. A process without one (a zombie) shows its short name in brackets, as `ps` does.
pub fn command(cmdline: &[u8], name: &ShortName) -> String {
    let end = cmdline
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    if end == 0 {
        return format!("[{}]", String::from_utf8_lossy(name.as_bytes()));
    }
    String::from_utf8_lossy(&cmdline[..end])
        .chars()
        .take(COMMAND_LENGTH)
        .map(|character| match character {
            '\0' => ' ',
            other => other,
        })
        .collect()
}

/// Whether an environment, as `/proc/PID/environ` shows it, holds exactly this `NAME=value`.
pub fn has_entry(environ: &[u8], entry: &[u8]) -> bool {
    environ.split(|byte| *byte == 0).any(|held| held == entry)
}

/// What an open file is, as far as its other end can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A pipe, by its inode.
    Pipe(u64),
    /// A socket, by its inode.
    Socket(u64),
    /// Anything else.
    Other,
}

impl FileKind {
    /// The kind behind a link of `/proc/PID/fd`: `pipe:[4712]`, `socket:[4711]`.
    pub fn from_link(link: &[u8]) -> Self {
        let inode = |prefix: &[u8]| {
            let digits = link.strip_prefix(prefix)?.strip_suffix(b"]")?;
            number(digits).and_then(|inode| u64::try_from(inode).ok())
        };
        if let Some(inode) = inode(b"pipe:[") {
            Self::Pipe(inode)
        } else if let Some(inode) = inode(b"socket:[") {
            Self::Socket(inode)
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = " S 41 42 43 0 -1 4194560 120 0 0 0 1 2 0 0 20 0 7 0 987654 8000000 372 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 15\n";

    fn named(name: &str) -> Option<Stat> {
        stat(format!("40 ({name}){REST}").as_bytes())
    }

    #[test]
    fn a_stat_line_gives_every_field() {
        let stat = named("claude").unwrap();
        assert_eq!(stat.process, ProcessIdentity::new(40, 987_654));
        assert_eq!((stat.ppid, stat.pgid, stat.sid), (41, 42, 43));
        assert_eq!(stat.state, ProcessState::Sleeping);
        assert!(stat.has_executed);
        assert_eq!((stat.threads, stat.rss_pages), (7, 372));
        assert_eq!(stat.exit_status, 15);
        assert_eq!(stat.row(4_096).rss_bytes, 372 * 4_096);
    }

    #[test]
    fn a_fork_that_has_not_executed_anything_is_told() {
        let text = format!("40 (claude){REST}").replace(" 4194560 ", " 4194368 ");
        assert!(!stat(text.as_bytes()).unwrap().has_executed);
    }

    #[test]
    fn hostile_names_change_nothing() {
        let plain = named("claude").unwrap();
        for name in [
            "",
            " ",
            ")",
            "(",
            "a) R 1 1 1",
            "tmux: server",
            "x\ny",
            ") Z 0 (",
            "((((",
            "))))",
            "\u{e9}\u{e9}",
        ] {
            let stat = named(name).unwrap();
            assert_eq!(
                Stat {
                    name: plain.name,
                    ..stat
                },
                plain,
                "{name:?}"
            );
            assert_eq!(stat.name.as_bytes(), name.as_bytes(), "{name:?}");
        }
        assert_eq!(
            named("a name of more than fifteen bytes")
                .unwrap()
                .name
                .as_bytes(),
            b"a name of more "
        );
    }

    #[test]
    fn a_text_that_is_cut_off_gives_nothing() {
        let whole = format!("40 (claude){REST}");
        let rss_end = whole.find(" 18446744073709551615").unwrap();
        for length in 0..rss_end - 3 {
            assert_eq!(stat(&whole.as_bytes()[..length]), None, "{length}");
        }
        assert_eq!(stat(b"40 (claude) S x 1 1"), None);
        assert_eq!(stat(b") 40 ("), None);
    }

    #[test]
    fn wait_statuses_are_codes_or_signals() {
        let exit = Exit::from_wait_status;
        assert_eq!((exit(0).code, exit(0).signal), (Some(0), None));
        assert_eq!((exit(143 << 8).code, exit(9).signal), (Some(143), Some(9)));
        assert_eq!(exit(0x80 | 11).signal, Some(11), "with a core file");
        assert!(!Exit::default().is_known());
    }

    #[test]
    fn keyed_numbers_are_found_at_the_start_of_a_line_alone() {
        let rollup =
            b"55-7f ---p 00000000 00:00 0 [rollup]\nRss:  380928 kB\nPss:   3276 kB\nPss_Dirty: 9 kB\n";
        assert_eq!(pss_bytes(rollup), Some(3_276 * 1_024));
        assert_eq!(pss_bytes(b"Rss: 1 kB\n"), None);
        let fdinfo = b"pos:\t0\nflags:\t02000002\nPid:\t13425\nNSpid:\t13425\t3\n";
        assert_eq!(keyed_number(fdinfo, "Pid:"), Some(13_425));
        assert_eq!(
            keyed_number(b"Pid:\t-1\n", "Pid:"),
            Some(-1),
            "a process that is gone"
        );
        assert_eq!(
            memory_bytes(b"MemTotal:       24684096 kB\n"),
            Some(24_684_096 * 1_024)
        );
        assert_eq!(scheduling_wait_ns(b"1234 5678 9\n"), Some(5_678));
        assert_eq!(resident_pages(b"9000 372 80 1 0 50 0\n"), Some(372));
    }

    #[test]
    fn command_lines_are_joined_and_cut() {
        let name = ShortName::new(b"claude");
        assert_eq!(command(b"claude\0--print\0\0", &name), "claude --print");
        assert_eq!(command(b"", &name), "[claude]");
        assert_eq!(command(b"a\xffb\0", &name), "a\u{fffd}b");
        assert_eq!(
            command("\u{e9}".repeat(500).as_bytes(), &name)
                .chars()
                .count(),
            COMMAND_LENGTH
        );
    }

    #[test]
    fn environment_entries_match_whole() {
        let environ = b"A=1\0LEAK_HARNESS_RUN=ab\0B=2\0";
        assert!(has_entry(environ, b"LEAK_HARNESS_RUN=ab"));
        assert!(!has_entry(environ, b"LEAK_HARNESS_RUN=a"));
        assert!(!has_entry(environ, b"HARNESS_RUN=ab"));
    }

    #[test]
    fn the_owner_is_the_real_user() {
        let status = b"Name:\tclaude\nUmask:\t0022\nTgid:\t40\nPid:\t41\nUid:\t1000\t0\t0\t0\n";
        let owner = owner(status).unwrap();
        assert_eq!((owner.uid, owner.thread_group), (1_000, 40));
        assert_eq!(super::owner(b"Name:\tclaude\n"), None);
    }

    #[test]
    fn texts_are_ended_by_zeros() {
        assert_eq!(
            texts(b"claude\0--model\0\0x y\0"),
            ["claude", "--model", "", "x y"]
        );
        assert_eq!(texts(b"cut o\xff"), ["cut o\u{fffd}"]);
        assert!(texts(b"\0\0").is_empty());
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn flags_tell_whether_a_file_is_written() {
        for (flags, expected) in [("0100000", false), ("0100001", true), ("02102002", true)] {
            let text = format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t1\n");
            assert_eq!(is_written(text.as_bytes()), expected, "{flags}");
        }
        assert!(!is_written(b""));
        assert_eq!(
            available_memory_bytes(b"MemTotal: 9 kB\nMemAvailable: 7 kB\n"),
            Some(7_168)
        );
        assert_eq!(available_memory_bytes(b"MemTotal: 9 kB\n"), None);
    }

    #[test]
    fn links_tell_pipes_and_sockets() {
        assert_eq!(FileKind::from_link(b"pipe:[4712]"), FileKind::Pipe(4_712));
        assert_eq!(
            FileKind::from_link(b"socket:[4711]"),
            FileKind::Socket(4_711)
        );
        assert_eq!(FileKind::from_link(b"/dev/null"), FileKind::Other);
        assert_eq!(FileKind::from_link(b"pipe:[x]"), FileKind::Other);
    }
}
