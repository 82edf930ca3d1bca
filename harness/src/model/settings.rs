//! The command line of the model worker.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use fake_claude::quantity::Span;

use super::policy::{Cleanup, QueryEnd, Quirk, Shutdown, Stdio};

/// A daemon that starts one `claude` for each prompt of each session: the worker under test that needs nothing installed.
#[derive(Debug, Clone, Parser)]
#[command(name = "model-worker", version)]
pub(super) struct Settings {
    /// The loopback port to listen on; 0 takes a free one.
    #[arg(long, value_name = "N")]
    pub(super) port: u16,

    /// The folder that keeps what must survive a restart. It is made if need be.
    #[arg(long, value_name = "DIR")]
    pub(super) data: PathBuf,

    /// The program that serves a session.
    #[arg(long, value_name = "PATH")]
    pub(super) claude: PathBuf,

    /// What ends the child of a session that is over: none, tracked, session-diff, reaper, close, idle; several with commas.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "none"
    )]
    pub(super) cleanup: Vec<Cleanup>,

    /// What query() does with its child when its iterator ends: holds-stdin, closes-stdin.
    #[arg(long, value_name = "NAME", default_value_t = QueryEnd::HoldsStdin)]
    pub(super) query_end: QueryEnd,

    /// How children are found when the daemon shuts down: windows-only, enumerate.
    #[arg(long, value_name = "NAME", default_value_t = Shutdown::WindowsOnly)]
    pub(super) shutdown: Shutdown,

    /// What a child's stdin and stdout are: pipe, socket.
    #[arg(long, value_name = "NAME", default_value_t = Stdio::Pipe)]
    pub(super) stdio: Stdio,

    /// How often the reaper looks.
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(super) reaper_interval: Span,

    /// From which age on the reaper kills.
    #[arg(long, value_name = "TIME", default_value = "30m")]
    pub(super) reaper_age: Span,

    /// After which time without a new item the idle policy ends a generator.
    #[arg(long, value_name = "TIME", default_value = "180s")]
    pub(super) idle_limit: Span,

    /// How long a child may take to obey before the next, harder step.
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(super) kill_after: Span,

    /// How long the daemon waits before it restarts a generator that ended with work pending.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub(super) restart_delay: Span,

    /// For how long a child may say nothing while a completed session waits for its last answers.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(super) drain_limit: Span,

    /// How many claudes may live at once; without it, as many as are asked for.
    #[arg(long, value_name = "N")]
    pub(super) slots: Option<u32>,

    /// What the daemon does beyond the report, mistakes and habits; several with commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) quirks: Vec<Quirk>,

    /// Divides all of the daemon's own times.
    #[arg(long, value_name = "K", default_value_t = 1.0, value_parser = factor)]
    pub(super) time_scale: f64,

    /// Says noteworthy events on stderr, a line each.
    #[arg(long)]
    pub(super) log: bool,
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("a time scale is a number above 0".to_owned()),
    }
}

/// The daemon's own times, with the time scale applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) reaper_interval: Duration,
    pub(super) reaper_age: Duration,
    pub(super) idle_limit: Duration,
    pub(super) kill_after: Duration,
    pub(super) restart_delay: Duration,
    pub(super) drain_limit: Duration,
    /// The pause between two sessions that are taken up again after a restart, so that not all children start at once.
    pub(super) recovery_pause: Duration,
    /// How long the end of the daemon waits for answers that are on their way.
    pub(super) server_close: Duration,
    /// How long the end of the daemon waits for children that it has killed.
    pub(super) exit_wait: Duration,
}

impl Settings {
    pub(super) fn cleans_up_by(&self, policy: Cleanup) -> bool {
        self.cleanup.contains(&policy)
    }

    pub(super) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    pub(super) fn timing(&self) -> Timing {
        let scaled = |span: Span| Duration::from(span.divided(self.time_scale));
        Timing {
            reaper_interval: scaled(self.reaper_interval).max(Duration::from_millis(1)),
            reaper_age: scaled(self.reaper_age),
            idle_limit: scaled(self.idle_limit),
            kill_after: scaled(self.kill_after),
            restart_delay: scaled(self.restart_delay),
            drain_limit: scaled(self.drain_limit),
            recovery_pause: scaled(Span::from_millis(100)),
            server_close: scaled(Span::from_secs(1)),
            exit_wait: scaled(Span::from_secs(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        use clap::CommandFactory;
        Settings::command().debug_assert();
    }

    #[test]
    fn cleanup_takes_a_list_and_time_scale_divides() {
        let settings = Settings::try_parse_from([
            "model-worker",
            "--port=0",
            "--data=/data",
            "--claude=/claude",
            "--cleanup=tracked,close",
            "--kill-after=3s",
            "--time-scale=60",
        ])
        .unwrap();
        assert!(settings.cleans_up_by(Cleanup::Tracked));
        assert!(settings.cleans_up_by(Cleanup::Close));
        assert!(!settings.cleans_up_by(Cleanup::Idle));
        assert_eq!(settings.timing().kill_after, Duration::from_millis(50));
        assert_eq!(settings.timing().idle_limit, Duration::from_secs(3));
    }

    #[test]
    fn time_scale_of_nothing_is_refused() {
        let words = [
            "model-worker",
            "--port=0",
            "--data=d",
            "--claude=c",
            "--time-scale=0",
        ];
        assert!(Settings::try_parse_from(words).is_err());
    }
}
