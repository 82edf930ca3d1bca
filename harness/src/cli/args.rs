//! What was typed: validation only, nothing is looked up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fake_claude::quantity::{Size, Span};
use semver::Version;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

use crate::scenario::{Bin, Witness};

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
    /// Runs a scenario for hours: reports all the while, can be stopped at any time, and survives being killed
    Soak(SoakArguments),
    /// Reproduces a known issue, then shows the same load with the fix
    Repro(ReproArguments),
    /// Runs scenarios against several workers or cleanup policies, and puts them into one table
    Matrix(MatrixArguments),
    /// Walks the releases of claude-mem between two, and names the first one that changed the verdict of a scenario
    Bisect(BisectArguments),
    /// Runs every planted defect and clean control, and prints the confusion matrix
    Gym(GymArguments),
    /// Searches the moments at which a fault makes a worker leak or lose work, and writes the smallest scenario that shows it
    Explore(ExploreArguments),
    /// Watches a live daemon, without a scenario, and writes a block ready to paste into an issue
    Attach(AttachArguments),
    /// Judges a recording again, with other thresholds if asked
    Judge(JudgeArguments),
    /// Renders the report of a recording again
    Report(ReportArguments),
    /// Puts two runs side by side, and says whether the second is worse
    Compare(CompareArguments),
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
    /// Prints a JSON schema: of scenario files, for editors, or of report.json or compare.json, for programs that read them
    Schema {
        /// Of what
        #[arg(default_value = "scenario")]
        of: SchemaOf,
    },
    /// Says what this machine allows, and what a run here can and cannot show
    Doctor,
    /// Prints completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Scenario files
    Scenario,
    /// `report.json`
    Report,
    /// `compare.json`
    Compare,
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
    /// Markdown for the worker's own project: what should have happened, what did, why it matters, how to see it again, the evidence
    Issue,
    /// One HTML page with charts and the course of every session, which needs no network
    Html,
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

impl IsolationChoice {
    /// As it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Namespaces => "namespaces",
            Self::Fallback => "fallback",
        }
    }
}

/// Which format of a table goes to stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Tables for people
    #[default]
    Human,
    /// JSON
    Json,
    /// Markdown
    Markdown,
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
    /// Does without report.html: for programs that make many runs and read report.json
    #[arg(long, hide = true)]
    pub no_page: bool,
}

const SOAK: &str = "\
Sessions open until the time is over; those that are open then go on to their own end, and the run drains as any other. Every minute
report.json and report.md say what was seen so far, marked as a checkpoint; `leak-harness report DIR` does so at any moment, also after
the machine died: what was recorded is lost for the last second at most. Ctrl-C ends the soak in order.

A scenario for a number of sessions is soaked with --for: its `sessions` and the exact counts of `[expect] findings` are left out.

The recording is packed while it grows. When it comes near --disk, no new sessions open, and the soak ends in order.

Examples:
  leak-harness soak scenarios/smoke/clean.toml --for 6h --set load.concurrency=8
  leak-harness soak long.toml --for 24h --time-scale 30 --stop-on fail --metrics 9464
  leak-harness report reports/2026-01-31-soak-long          while it goes on, or after it

Exit codes:
  0  as expected        1  not as expected     2  usage, or a bad scenario or adapter file
  3  inconclusive       4  the worker would not start
  70 our bug, or a machine that refuses what is needed            130 interrupted";

/// When a soak ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StopOn {
    /// Something was found that fails the run whatever comes later
    Fail,
}

/// `soak`
#[derive(Debug, Args)]
#[command(after_help = SOAK)]
pub struct SoakArguments {
    /// The scenario file; sessions must come at a rate (`arrival`) or so many at a time (`concurrency`)
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// For how long new sessions open, in the worker's time: --time-scale divides it [default: what the scenario says under `[load] lasts`]
    #[arg(long = "for", value_name = "TIME")]
    pub time: Option<Span>,
    /// Ends the soak early, in order, as soon as this is sure
    #[arg(long, value_enum, value_name = "WHAT")]
    pub stop_on: Option<StopOn>,
    /// Serves OpenMetrics at http://ADDR/metrics. A port alone is one of 127.0.0.1; any other address is typed in full
    #[arg(long, value_name = "PORT|IP:PORT", value_parser = address)]
    pub metrics: Option<SocketAddr>,
    /// How much of the disk the recording may take
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = disk)]
    pub disk: Size,
    /// The time between two checkpoints
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub checkpoint: Span,
    /// What changes the run
    #[command(flatten)]
    pub options: RunOptions,
}

/// The least that a recording may take: some segments.
const LEAST_DISK: Size = Size::from_bytes(256 << 10);

/// An address to listen on.
fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>();
    match port {
        Ok(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Err(_) => text.parse().map_err(|_| {
            "neither a port, such as 9464, nor an address with one, such as 127.0.0.1:9464"
                .to_owned()
        }),
    }
}

/// How much of the disk a recording may take.
fn disk(text: &str) -> Result<Size, String> {
    let size: Size = text.parse().map_err(|error| format!("{error}"))?;
    if size < LEAST_DISK {
        return Err("a recording needs 256KiB or more".to_owned());
    }
    Ok(size)
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

/// `matrix`
#[derive(Debug, Args)]
pub struct MatrixArguments {
    /// Scenario files: the rows. Without any, workers get a plain load and every known misbehaviour, their sessions ended as their own
    /// clients end them; without columns too, the solutions of #603 are compared
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// A worker, as `run` takes it: a column. `claude-mem@all` stands for every release in the cache
    #[arg(long, value_name = "WORKER", num_args = 1..)]
    pub worker: Vec<String>,
    /// Divides the times of the worker, the fakes and the grace. Given several times, each worker has a column for each, and it is said
    /// whether they agree
    #[arg(long, value_name = "K")]
    pub time_scale: Vec<f64>,
    /// Cleanup policies of the model, joined by `+`: a column
    #[arg(long, value_name = "NAME+NAME", num_args = 1.., conflicts_with = "worker")]
    pub cleanup: Vec<String>,
    /// Runs only the rows whose names contain one of these words, and the columns that are called so
    #[arg(long, value_name = "WORD")]
    pub only: Vec<String>,
    /// Changes one key of every scenario
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where matrix.json, matrix.md and the runs go; without it the runs are not kept
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Keeps the runs' recordings in the folder of the results
    #[arg(long, requires = "out")]
    pub keep: bool,
    /// Shows the table of a matrix.json again, and runs nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenarios", "worker", "cleanup", "only", "set", "time_scale"])]
    pub again: Option<PathBuf>,
    /// How many runs are made at a time [default: two for each core, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// The place of the runs
    #[arg(long, value_enum, default_value_t)]
    pub isolation: IsolationChoice,
    /// What goes to stdout
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

const BISECT: &str = "\
Releases are taken from the cache and from the tags of --source; without --source from npm, and from the tags of the project where its
server answers. npm lacks every release before 10.6.3 and some after it: without tags the answer says between which releases nobody
searched. What is missing is fetched into the cache. Each one is run twice or more. One that differs between its runs, or would not run,
is named, and its neighbour is tried instead.

Exit codes:
  0  the first release that changed the verdict is named, or the first of those that are known
  1  both ends have the same verdict: there is no change to look for
  2  usage, or a bad scenario
  3  not decided: an end differs between its runs, or the change is in one of several releases that could not be told
  4  one of the ends would not run
  130 interrupted";

/// `bisect`
#[derive(Debug, Args)]
#[command(after_help = BISECT)]
pub struct BisectArguments {
    /// The scenario file; how it is expected to come out does not matter here
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// A release that is well; it may also be the newer one
    #[arg(long, value_name = "VERSION")]
    pub good: Version,
    /// A release that is not
    #[arg(long, value_name = "VERSION")]
    pub bad: Version,
    /// Asks for one finding, such as `retained`, instead of the whole verdict: is it there or not?
    #[arg(long, value_name = "RULE", value_parser = rule())]
    pub finding: Option<Bin>,
    /// Takes releases from the tags of this local clone of claude-mem
    #[arg(long, value_name = "DIR")]
    pub source: Option<PathBuf>,
    /// Only releases in the cache; nothing is fetched
    #[arg(long, conflicts_with = "source")]
    pub offline: bool,
    /// Ends sessions as each release's own client does, whatever the scenario says
    #[arg(long)]
    pub usual_end: bool,
    /// How often each release is run
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..))]
    pub runs: u32,
    /// Divides the times of the worker, the fakes and the grace
    #[arg(long, value_name = "K")]
    pub time_scale: Option<f64>,
    /// Changes one key of the scenario
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where bisect.json and the runs go; without it nothing is kept
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How many runs are made at a time [default: two for each core, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// The place of the runs
    #[arg(long, value_enum, default_value_t)]
    pub isolation: IsolationChoice,
    /// What goes to stdout
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// The names of findings, as reports write them.
fn rule() -> impl TypedValueParser<Value = Bin> {
    NonEmptyStringValueParser::new()
        .try_map(|name| -> Result<Bin, ValueError> { Bin::deserialize(name.into_deserializer()) })
}

/// `gym`
#[derive(Debug, Args)]
pub struct GymArguments {
    /// Where gym.json, gym.md and the runs go; without it nothing is kept
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How often each case is run, each time with another seed; 0 runs none of them
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub seeds: u32,
    /// How many runs are made at a time [default: two for each core, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Runs only this case, and others that are named so
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Switches a witness off in every run: what is still found without it?
    #[arg(long, value_name = "WITNESS", value_parser = witness())]
    pub without: Vec<Witness>,
    /// Runs so many clean sessions as well, in runs of mixed size, while four threads for each core use up the machine
    #[arg(long, value_name = "SESSIONS", value_parser = clap::value_parser!(u64).range(1..))]
    pub soundness: Option<u64>,
    /// The place of the runs
    #[arg(long, value_enum, default_value_t)]
    pub isolation: IsolationChoice,
    /// What goes to stdout
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

const EXPLORE: &str = "\
What is tried: each step of the protocol (opened, started, serves, given, answering, answered, ended, eof) of the first session, with
what happens to the worker (sigterm, sigkill, sigstop for 1 s, restart) or to a process of the session (sigterm, sigkill, sigint,
sigstop for 1 s), and with five delays from 0 to 1.5 s. Without --tries and --for each step, victim and signal is tried once, with a
delay drawn from the seed. A worker that is ended for good answers only for the processes that it leaves behind.

What is found is run three times again, made smaller as long as two of three runs still find the same rule and subject, and written as
a scenario file that expects what it shows: `leak-harness run FILE` exits 0. explore.json and explore.md list every moment that was
tried, with what came of it. Ctrl-C ends the search; what was found until then is reported.

Exit codes:
  0  nothing found      1  a schedule was found, or the scenario without a fault is not as expected
  2  usage, or a bad scenario      3  the scenario without a fault is inconclusive      4  the worker would not start
  130 interrupted, with nothing found until then";

/// `explore`
#[derive(Debug, Args)]
#[command(after_help = EXPLORE)]
pub struct ExploreArguments {
    /// The scenario file; without a fault more it must be as expected
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// The worker: model[:cleanup=NAME+NAME], claude-mem@VERSION, claude-mem:DIR, or an adapter FILE.toml
    #[arg(long, value_name = "WORKER")]
    pub worker: Option<String>,
    /// How many moments are tried
    #[arg(long, value_name = "N", conflicts_with = "limit", value_parser = clap::value_parser!(u32).range(1..))]
    pub tries: Option<u32>,
    /// How long is searched; confirming what was found and making it smaller comes after that
    #[arg(long = "for", value_name = "TIME")]
    pub limit: Option<Span>,
    /// The seed of the order in which moments are tried
    #[arg(long, value_name = "N", default_value_t = 603)]
    pub seed: u64,
    /// How many runs are made at a time [default: two for each core, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Where the scenario files, explore.json, explore.md and the runs go [default: reports/<date>-explore-<scenario>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The place of the runs
    #[arg(long, value_enum, default_value_t)]
    pub isolation: IsolationChoice,
    /// What goes to stdout
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
}

/// The names of witnesses, as scenario files write them.
fn witness() -> impl TypedValueParser<Value = Witness> {
    PossibleValuesParser::new(["reaper", "table", "portable", "control", "cookie"]).try_map(
        |name| -> Result<Witness, ValueError> { Witness::deserialize(name.into_deserializer()) },
    )
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

const COMPARE: &str = "\
B has regressed when it has a finding that A does not have, or more of one than the size of its load explains; when a figure of the
worker grows surely faster; when it crosses a threshold that A keeps; or when A passes and B fails. Times and memory alone are shown and
are no regression, unless a threshold of the scenario says so.

Exit codes:
  0  no regression
  1  B has regressed
  2  usage: A or B is neither a recording nor a report
  3  not decided: a run is inconclusive or was cut off, and nothing is surely worse";

/// Which format of a comparison goes to stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// A summary for people
    #[default]
    Human,
    /// JSON
    Json,
    /// Markdown, for a pull request
    Markdown,
    /// One HTML page with both curves, which needs no network
    Html,
}

/// `compare`
#[derive(Debug, Args)]
#[command(after_help = COMPARE)]
pub struct CompareArguments {
    /// What there was: the folder of a run, its recording, or a report.json
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// What there is now: likewise
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// By how many percent more of the same finding is no regression
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000))]
    pub tolerance: u32,
    /// Where compare.json, compare.md and compare.html go; without it nothing is written
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What goes to stdout
    #[arg(long, value_enum, default_value_t)]
    pub format: CompareFormat,
}

/// `install`
#[derive(Debug, Args)]
pub struct InstallArguments {
    /// What to fetch: claude-mem@VERSION, bun@VERSION, claude-agent-sdk@VERSION, claude-agent-sdk-py@VERSION
    #[arg(required = true, value_name = "PACKAGE@VERSION")]
    pub packages: Vec<String>,
    /// Take claude-mem from the tags of this local clone instead of npm
    #[arg(long, value_name = "DIR")]
    pub source: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        for text in ["9464", ":9464", "127.0.0.1:9464"] {
            assert_eq!(address(text).unwrap().to_string(), "127.0.0.1:9464");
        }
        assert_eq!(address("0.0.0.0:1").unwrap().to_string(), "0.0.0.0:1");
        assert!(address("nowhere").is_err());
        assert!(disk("100kB").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
