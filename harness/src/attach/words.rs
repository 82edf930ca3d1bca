//! The sentences that more than one place shows.

use fake_claude::quantity::Span;

use super::growth::{Change, Growth, Trend};
use super::marks::Origin;
use super::report::{AttachReport, End, Family};
use crate::units::{self, Count};

/// A number of milliseconds, as `ps` shows ages.
pub fn age(ms: u64) -> String {
    units::elapsed(Span::from_millis(ms))
}

/// A time, without a fraction where it is long.
pub fn time(ms: u64) -> String {
    if (10_000..60_000).contains(&ms) {
        format!("{} s", ms / 1_000)
    } else {
        units::span(Span::from_millis(ms))
    }
}

/// A difference of counts with its sign: `+3`, `±0`, `-2`.
pub fn counts(change: Change) -> String {
    match change.difference() {
        0 => "±0".to_owned(),
        difference => format!("{difference:+}"),
    }
}

/// A difference of bytes with its sign.
pub fn bytes(change: Change) -> String {
    let amount = units::bytes(change.difference().unsigned_abs());
    match change.difference() {
        0 => "±0".to_owned(),
        1.. => format!("+{amount}"),
        _ => format!("-{amount}"),
    }
}

/// Who belongs to the daemon, in one line.
pub fn family(family: &Family) -> String {
    let mut words = Count(family.living(), "process").to_string();
    let parts: Vec<String> = [
        (family.children, "child"),
        (family.descendants, "further descendant"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, noun)| Count(count, noun).to_string())
    .chain((family.reparented > 0).then(|| format!("{} reparented", family.reparented)))
    .collect();
    if !parts.is_empty() {
        words += &format!(" ({})", parts.join(", "));
    }
    if family.zombies > 0 {
        words += &format!(", {}", Count(family.zombies, "zombie"));
    }
    if family.maybe > 0 {
        words += &format!(", {} more may belong to it", family.maybe);
    }
    words
}

/// How the watch ended, where that is worth a sentence.
pub fn end(report: &AttachReport) -> Option<String> {
    let pid = report.daemon.process.pid;
    let left = report.family.living();
    let left = match left {
        0 => "nothing of its tree was left".to_owned(),
        1 => "1 process of its tree was still alive".to_owned(),
        left => format!("{left} processes of its tree were still alive"),
    };
    match report.watching.end {
        End::TimeOver => None,
        End::Interrupted => Some("The watch was stopped by hand before its time.".to_owned()),
        End::DaemonEnded => Some(format!(
            "The daemon (pid {pid}) ended while it was watched; {left} at the look after that."
        )),
        End::PidReused => Some(format!(
            "The daemon ended while it was watched, and pid {pid} belongs to another process now; {left} at the look after that."
        )),
    }
}

/// Growth in words.
pub fn growth(growth: &Growth, watched_ms: u64) -> String {
    let came = format!("{} came and {} ended", growth.came, growth.ended);
    let mut words = format!(
        "{} processes ({came}), {} RSS",
        counts(growth.processes),
        bytes(growth.rss_bytes)
    );
    if let Some(pss) = growth.pss_bytes {
        words += &format!(", {} PSS", bytes(pss));
    }
    words += &format!(" within {}", time(watched_ms));
    match (
        growth.trend,
        growth.processes_per_hour,
        growth.rss_bytes_per_hour,
    ) {
        (Trend::Growing, Some(processes), Some(bytes)) => {
            let sign = if bytes < 0.0 { "-" } else { "+" };
            words += &format!(
                "; it grows: {processes:+.1} processes and {sign}{} RSS per hour",
                units::bytes(bytes.abs().round() as u64)
            );
        }
        (Trend::TooShort, ..) => {
            words += "; too short to say whether it grows (three minutes at least: --for 10m)";
        }
        _ => words += "; no growth that stands out",
    }
    words
}

/// What relatives were looked for by; paths as `show` writes them.
pub fn sought(report: &AttachReport, show: impl Fn(&str) -> String) -> String {
    let watching = &report.watching;
    let mut by = Vec::new();
    if watching.cookies.is_empty() {
        by.push("no mark in the environment (the daemon's has none of its own)".to_owned());
    } else {
        by.push(format!(
            "its mark in the environment ({})",
            watching.cookies.join(", ")
        ));
    }
    let folders: Vec<String> = watching
        .data_folders
        .iter()
        .map(|folder| {
            let why = match folder.origin {
                Origin::Given => "given",
                Origin::Variable => "named by its environment",
                Origin::Written => "it writes there",
            };
            format!("{} ({why})", show(&folder.path))
        })
        .collect();
    if !folders.is_empty() {
        let folders = folders.join(", ");
        by.push(format!("files and working folders below {folders}"));
    }
    if watching.data_folders.is_empty() {
        by.push("no data folder (none found; --data names one)".to_owned());
    }
    by.push("the commands of its children".to_owned());
    by.join("; ")
}
