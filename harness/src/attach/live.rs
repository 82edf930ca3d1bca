//! The live view: a few lines, redrawn at each look.

use super::report::{End, Group};
use super::watch::Watch;
use super::words;
use crate::report::escape::plain_cut;
use crate::units;

/// How many groups are shown.
const GROUPS: usize = 5;
/// The narrowest screen that is laid out for.
const NARROWEST: usize = 40;

/// The state in one line, for where nothing can be redrawn.
pub fn line(watch: &Watch, name: &str) -> String {
    let (processes, memory) = watch.changes();
    let family = watch.family();
    plain_cut(
        &format!(
            "{name}: {}, {} RSS; since attached {} processes, {} RSS",
            words::family(&family),
            units::bytes(family.rss_bytes),
            words::counts(processes),
            words::bytes(memory)
        ),
        400,
    )
}

/// The state in a few lines of at most so many columns.
pub fn lines(watch: &Watch, name: &str, of_ms: u64, width: usize) -> Vec<String> {
    let width = width.max(NARROWEST);
    let daemon = watch.daemon();
    let family = watch.family();
    let (processes, memory) = watch.changes();
    let files = daemon
        .open_files
        .map_or_else(String::new, |files| format!(", {files} open files"));
    let threads = daemon
        .threads
        .map_or_else(String::new, |threads| format!(", {threads} threads"));
    let mut lines = vec![
        format!(
            "{name}: {}, {} RSS",
            words::family(&family),
            units::bytes(family.rss_bytes)
        ),
        format!(
            "  since attached {} processes, {} RSS; {} of {}",
            words::counts(processes),
            words::bytes(memory),
            words::time(watch.last().at.as_millis()),
            words::time(of_ms)
        ),
        format!(
            "  itself up {}, {} RSS{files}{threads}",
            words::age(daemon.age_ms),
            units::bytes(daemon.rss_bytes)
        ),
    ];
    let groups = watch.groups();
    lines.extend(groups.iter().take(GROUPS).map(group));
    if groups.len() > GROUPS {
        lines.push(format!("  and {} more kinds", groups.len() - GROUPS));
    }
    lines.iter().map(|line| plain_cut(line, width)).collect()
}

fn group(group: &Group) -> String {
    let zombies = match group.zombies {
        0 => String::new(),
        zombies => format!(" +{zombies} dead"),
    };
    format!(
        "  {:>5} ({}){zombies}  {:>8}  oldest {}  {}: {}",
        group.count,
        words::counts(group.count_change),
        units::bytes(group.rss_bytes),
        words::age(group.oldest_ms),
        group.relation.word(),
        group.signature
    )
}

/// What is said when the daemon ends the watch.
pub fn ended(end: End, pid: u32) -> Option<String> {
    match end {
        End::DaemonEnded => Some(format!(
            "the daemon (pid {pid}) has ended, and so the watch"
        )),
        End::PidReused => Some(format!(
            "the daemon has ended, and so the watch: pid {pid} belongs to another process now"
        )),
        End::TimeOver | End::Interrupted => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::examples::growing_watch;

    #[test]
    fn a_few_lines_show_the_state() {
        let watch = growing_watch();
        insta::assert_snapshot!(lines(&watch, "bun worker-service.cjs", 600_000, 120).join("\n"));
    }

    #[test]
    fn nothing_is_wider_than_the_screen_and_nothing_controls_it() {
        for line in lines(&growing_watch(), "x\x1b[2J", 600_000, 60) {
            assert!(line.chars().count() <= 60, "{line}");
            assert!(!line.chars().any(char::is_control), "{line}");
        }
    }
}
