//! What is said in lines: the state where nothing can be redrawn, and how the watch ended.

use super::report::End;
use super::watch::Watch;
use super::words;
use crate::report::escape::plain_cut;
use crate::units;

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
    fn the_state_is_one_line_that_controls_nothing() {
        let line = line(&growing_watch(), "bun\x1b[2J worker-service.cjs");
        insta::assert_snapshot!(line);
    }
}
