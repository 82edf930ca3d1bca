//! What was typed: validation only, nothing is looked up.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fake_claude::quantity::Span;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold());

const EXIT_CODES: &str = "\
Exit codes:
  0  as expected        1  not as expected     2  usage, or a bad scenario or adapter file
  3  inconclusive       4  the worker would not start
  70 our bug, or a machine that refuses what is needed            130 interrupted";

/// Reproduces process leaks of agent daemons, and guards against their return.
///
/// A scenario drives sessions through a worker; fake `claude` processes run as real processes; everything is recorded; a judge says
/// from the recording what outlived its session, what was killed or lost before its time, and why.
#[derive(Debug, Parser)]
#[command(name = "leak-harness", version, styles = STYLES, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Arguments {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Says less on stderr: no progress, errors alone.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs scenarios and judges them
    Run(RunArguments),
    /// Reproduces a known issue, then shows the same load with the fix
    Repro(ReproArguments),
    /// Watches a live daemon, without a scenario, and writes a block ready to paste into an issue
    Attach(AttachArguments),
    /// Judges a recording again, with other thresholds if asked
    Judge(JudgeArguments),
    /// Renders the report of a recording again
    Report(ReportArguments),
    /// Fetches a real worker, its runtime or an Agent SDK from npm into the cache
    Install(InstallArguments),
    /// Lists the scenarios of a folder, and the workers in the cache
    List {
        /// The folder of the scenarios
        #[arg(default_value = "scenarios")]
        folder: PathBuf,
    },
    /// Says what a rule of the judge means, and what to do about it
    Explain {
        /// The rule, such as `retained`; without it, all are listed
        rule: Option<String>,
    },
    /// Prints the JSON schema of scenario files, for editors
    Schema,
    /// Says what this machine allows, and what a run here can and cannot show
    Doctor,
    /// Prints completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Which format goes to stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A summary for people
    #[default]
    Human,
    /// `report.json`
    Json,
    /// JUnit XML
    Junit,
    /// Markdown, for a pull request
    Markdown,
}

/// The place of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum IsolationChoice {
    /// Namespaces where the kernel allows them, the fallback where not
    #[default]
    Auto,
    /// Namespaces, or an error
    Namespaces,
    /// A child subreaper in the user's own namespaces
    Fallback,
}

/// What changes a run, whatever command starts it.
#[derive(Debug, Clone, Default, Args)]
pub struct RunOptions {
    /// The worker: model[:cleanup=NAME+NAME], claude-mem@VERSION, claude-mem:DIR, or an adapter FILE.toml
    #[arg(long, value_name = "WORKER")]
    pub worker: Option<String>,
    /// Changes one key of the scenario
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The seed of everything that is drawn by chance
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Divides the worker's own timers and clocks, the fakes' times and the grace
    #[arg(long, value_name = "K")]
    pub time_scale: Option<f64>,
    /// How long a run may take
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Span>,
    /// A report whose findings are known: they are shown, and do not fail the run
    #[arg(long, value_name = "REPORT")]
    pub baseline: Option<PathBuf>,
    /// Where the results go [default: reports/<date>-<scenario>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Keeps the run's temporary folder: the worker's home, data and settings
    #[arg(long)]
    pub keep: bool,
    /// The place of the run
    #[arg(long, value_enum, default_value_t)]
    pub isolation: IsolationChoice,
    /// What goes to stdout
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `run`
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Scenario files
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// What changes the runs
    #[command(flatten)]
    pub options: RunOptions,
    /// Runs each scenario this many times
    #[arg(long, value_name = "N", conflicts_with = "until_fail", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: Option<u32>,
    /// Runs until the first run that is not as expected
    #[arg(long)]
    pub until_fail: bool,
}

/// The issues that can be reproduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Issue {
    /// thedotmack/claude-mem#603: the worker leaks its claude processes
    #[value(name = "603")]
    Issue603,
}

/// The two mechanisms of #603.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mechanism {
    /// The session completes, and `query()` holds its child
    AsReported,
    /// Nothing ever tells the worker that a session is over
    AsItHappens,
}

/// `repro`
#[derive(Debug, Args)]
pub struct ReproArguments {
    /// The issue
    #[arg(value_enum)]
    pub issue: Issue,
    /// Which mechanism is shown [default: as-reported for the model, as-it-happens for a real worker]
    #[arg(long, value_enum)]
    pub mechanism: Option<Mechanism>,
    /// What changes the runs
    #[command(flatten)]
    pub options: RunOptions,
}

/// `attach`
#[derive(Debug, Args)]
pub struct AttachArguments {
    /// The daemon's pid. It is only looked at: nothing is signalled, nothing is written to
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: u32,
    /// How long to watch; Ctrl-C ends it early and still reports. Whether something grows can be said after three minutes
    #[arg(long = "for", value_name = "TIME", default_value = "60s")]
    pub time: Span,
    /// The pause between two looks
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub every: Span,
    /// Writes the data as JSON to stdout instead of the block
    #[arg(long)]
    pub json: bool,
    /// A folder that receives both, attach.json and attach.md
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The daemon's data folder: whoever left its tree and has a file open there, or works there, belongs to it [default: where the
    /// daemon writes]
    #[arg(long, value_name = "DIR")]
    pub data: Vec<PathBuf>,
}

/// `judge`
#[derive(Debug, Args)]
pub struct JudgeArguments {
    /// The folder of the recording, or of its run
    pub recording: PathBuf,
    /// Changes one key of the scenario's expectations
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A report whose findings are known: they are shown, and do not fail the run
    #[arg(long, value_name = "REPORT")]
    pub baseline: Option<PathBuf>,
    /// What goes to stdout
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `report`
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// The folder of the recording, or of its run
    pub recording: PathBuf,
    /// What goes to stdout
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `install`
#[derive(Debug, Args)]
pub struct InstallArguments {
    /// What to fetch: claude-mem@VERSION, bun@VERSION, claude-agent-sdk@VERSION
    #[arg(required = true, value_name = "PACKAGE@VERSION")]
    pub packages: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
