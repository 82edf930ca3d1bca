//! What all renderers say in the same words.

use fake_claude::quantity::Span;

use super::Report;
use crate::judge::books::Bins;
use crate::judge::finding::{Finding, rule_name};
use crate::judge::{TimeToReap, witness_name};
use crate::scenario::{Bin, Verdict};
use crate::timeline::event::LoadStop;
use crate::units::{self, Count, Drift};

/// How many sessions are named with each finding; the others are in `report.json`.
const SESSIONS: usize = 3;

/// The verdict in one sentence.
pub(super) fn headline(report: &Report) -> String {
    if report.checkpoint {
        return so_far(report);
    }
    let facts = match report.verdict {
        Verdict::Pass => passed(report),
        Verdict::Fail => failed(report),
        Verdict::Inconclusive => report
            .reasons
            .first()
            .cloned()
            .unwrap_or_else(|| "the evidence does not suffice".to_owned()),
    };
    let expected = if report.as_expected {
        "as expected"
    } else {
        "not as expected"
    };
    format!("{}, {expected}: {facts}.", capital(report.verdict))
}

/// What is known of a run that goes on, in one sentence.
fn so_far(report: &Report) -> String {
    let facts = match report.verdict {
        Verdict::Fail => format!("fail, {}", failed(report)),
        Verdict::Pass | Verdict::Inconclusive => {
            format!("nothing against the worker; {}", passed(report))
        }
    };
    format!("So far, and the run goes on: {facts}.")
}

/// A verdict's name at the start of a sentence.
pub(super) const fn capital(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Pass",
        Verdict::Inconclusive => "Inconclusive",
        Verdict::Fail => "Fail",
    }
}

fn passed(report: &Report) -> String {
    let mut text = format!(
        "{} ended, and nothing outlived them or was ended early",
        count(report.sessions.ended, "session")
    );
    if report.work.offered > 0 {
        text += &format!(
            "; {} of {} answered",
            report.work.answered,
            count(report.work.offered, "work item")
        );
    }
    let known: u32 = report
        .findings
        .iter()
        .filter(|finding| finding.known)
        .map(|finding| finding.count)
        .sum();
    if known > 0 {
        text = format!(
            "nothing new was found; the baseline knows of {}",
            count(known, "finding")
        );
    }
    text
}

fn failed(report: &Report) -> String {
    let mut parts = Vec::new();
    let (leaked, among) = outlived(report);
    if leaked > 0 {
        let mut part = format!(
            "{leaked} of {} outlived their time",
            count(among, "process")
        );
        // Without ballast it is the memory of stand-ins, which says nothing of what they stand for.
        if report.memory.ballast && report.memory.leaked_rss_bytes > 0 {
            part += &format!(
                ", with {} of RSS",
                units::bytes(report.memory.leaked_rss_bytes)
            );
        }
        parts.push(part);
    }
    let killed_early = report.roles.all().killed_early;
    if killed_early > 0 {
        parts.push(format!("{} ended early", count(killed_early, "process")));
    }
    let blamed = |rule: Bin| -> u32 {
        report
            .findings
            .iter()
            .filter(|finding| finding.rule == rule && finding.blames && !finding.known)
            .map(|finding| finding.count)
            .sum()
    };
    let others = [
        (Bin::Crashed, "process", "crashed with work owed"),
        (Bin::Lost, "work item", "lost"),
        (Bin::Duplicated, "work item", "answered twice or more"),
        (Bin::Refused, "work item", "refused"),
        (Bin::Unknown, "work item", "never answered for"),
        (Bin::Stalled, "session", "stalled"),
        (Bin::Twin, "session", "had two live primaries at once"),
        (Bin::Storm, "session", "started far too many processes"),
        (Bin::WorkerDied, "unasked death", "of the worker"),
        (Bin::Growth, "figure", "of the worker grew"),
        (Bin::Limit, "threshold", "crossed"),
    ];
    for (rule, noun, what) in others {
        let found = blamed(rule);
        if found > 0 {
            parts.push(format!("{} {what}", count(found, noun)));
        }
    }
    parts.join("; ")
}

/// How many processes outlived their time, and how many there were of the roles in which any did: a helper that did as it should is no
/// measure for claudes that did not.
pub(super) fn outlived(report: &Report) -> (u32, u32) {
    let roles = report.roles.named().into_iter().map(|(_, bins)| bins);
    let leaking = roles.filter(|bins| bins.leaked() > 0);
    leaking.fold((0, 0), |(leaked, among), bins| {
        (leaked + bins.leaked(), among + bins.spawned)
    })
}

/// A count with its noun.
pub(super) fn count(number: u32, noun: &'static str) -> String {
    Count(u64::from(number), noun).to_string()
}

/// Whose hour a rate of the recording counts by, where the run's and the worker's differ.
pub(super) fn per_hour(report: &Report) -> &'static str {
    if report.scenario.time_scale == 1.0 {
        "per hour"
    } else {
        "per hour of wall time"
    }
}

/// The value of a threshold, in the unit that the name of its metric ends with.
pub(crate) fn measured(metric: &str, value: u64) -> String {
    if metric.ends_with("_bytes") {
        units::bytes(value)
    } else if metric.ends_with("_ms") {
        units::span(Span::from_millis(value))
    } else {
        value.to_string()
    }
}

/// Which run this is.
pub(super) fn run_line(report: &Report) -> String {
    let mut text = format!(
        "{} (seed {}) on {}",
        report.scenario.name, report.scenario.seed, report.worker.name
    );
    if let Some(version) = &report.worker.version {
        text += &format!(" {version}");
    }
    if !report.worker.cleanup.is_empty() {
        text += &format!(", cleanup {}", report.worker.cleanup.join("+"));
    }
    text += &format!(
        "; {} of {} ended",
        report.sessions.ended,
        count(report.sessions.opened, "session")
    );
    if report.sessions.planned != report.sessions.opened {
        text += &format!(" ({} planned)", report.sessions.planned);
    }
    text += &format!("; {}", units::span(Span::from_millis(report.elapsed_ms)));
    match &report.load_stopped {
        Some(LoadStop::SureFailure { finding }) => {
            text += &format!(", stopped before its time because this was sure: {finding}");
        }
        Some(LoadStop::Disk { bytes }) => {
            text += &format!(
                ", stopped before its time because the recording came near {}",
                units::bytes(*bytes)
            );
        }
        None => {}
    }
    if report.scenario.compress != 1.0 {
        text += &format!(", load compressed {} times", report.scenario.compress);
    }
    if report.scenario.time_scale != 1.0 {
        text += &format!(", all times divided by {}", report.scenario.time_scale);
    }
    text
}

/// What was run on what, by name.
pub(super) fn made(report: &Report) -> Vec<(&'static str, String)> {
    let made = &report.made;
    let mut worker = report.worker.name.clone();
    if let Some(version) = &report.worker.version {
        worker += &format!(" {version}");
    }
    if let Some(runtime) = &made.runtime {
        worker += &format!(", run by {runtime}");
    }
    let mut lines = vec![("worker", worker)];
    if !made.settings.is_empty() {
        let settings: Vec<String> = made
            .settings
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        lines.push(("its settings", settings.join(", ")));
    }
    if !made.harness.is_empty() {
        lines.push(("harness", format!("leak-harness {}", made.harness)));
    }
    if !made.kernel.is_empty() {
        let cores = count(made.cores, "processor");
        lines.push(("system", format!("{}; {cores}", made.kernel)));
    }
    let claude =
        "every claude is a stand-in that speaks its protocol and behaves as the scenario says";
    lines.push(("claude", claude.to_owned()));
    lines.push((
        "time",
        if report.scenario.time_scale == 1.0 {
            "real".to_owned()
        } else {
            format!(
                "all times of worker, claudes and load divided by {}",
                report.scenario.time_scale
            )
        },
    ));
    lines
}

/// What a scenario's author says before its first key: why it is as it is. One paragraph; what only an editor reads is left out.
pub(super) fn preface(scenario: &str) -> String {
    let comments = scenario.lines().map_while(|line| line.strip_prefix('#'));
    let lines: Vec<&str> = comments
        .filter(|line| !line.starts_with(":schema"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}

/// The command that runs the scenario again, in a checkout of this program: by the scenario's own file where it lies there, and else by the
/// name under which the reader has saved it.
pub(super) fn run_again(report: &Report) -> String {
    let saved = format!("{}.toml", report.scenario.name);
    let file = in_the_repository(report).map_or(saved.as_str(), |file| file);
    let mut run = format!(
        "target/release/leak-harness run {file} --seed {}",
        report.scenario.seed
    );
    if let Some(worker) = report.made.install.last()
        && report.worker.name == "claude-mem"
        && !report.made.scenario.contains(worker.as_str())
    {
        run += &format!(" --worker {worker}");
    }
    run
}

/// The command that fetches the worker again, where one has to be fetched.
pub(super) fn install_again(report: &Report) -> Option<String> {
    let install = report.made.install.join(" ");
    (!install.is_empty()).then(|| format!("target/release/leak-harness install {install}"))
}

/// The scenario's file, where it lies in the repository of this program and was run as it stands there.
pub(super) fn in_the_repository(report: &Report) -> Option<&str> {
    let file = report.scenario_file.as_deref()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_');
    let changed = report.command.split(' ').any(|word| word == "--set");
    (file.starts_with("scenarios/") && !file.contains("..") && file.chars().all(plain) && !changed)
        .then_some(file)
}

/// A command line with the last part alone of each path that begins at the root: folders tell of the machine and not of the run.
pub(super) fn without_folders(command: &str) -> String {
    let last = |path: &str| {
        path.rsplit('/')
            .find(|part| !part.is_empty())
            .unwrap_or_default()
            .to_owned()
    };
    command
        .split(' ')
        .map(|word| match word.split_once("=/") {
            _ if word.starts_with('/') => last(word),
            Some((name, path)) => format!("{name}={}", last(path)),
            None => word.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// The bins that hold something, with the sum that they make: `121 spawned = 0 clean + 121 retained`.
pub(super) fn balance(spawned: (&str, u32), bins: &[(&str, u32)]) -> String {
    let held = bins
        .iter()
        .enumerate()
        .filter(|(place, (_, held))| *place == 0 || *held > 0)
        .map(|(_, (name, held))| format!("{held} {}", name.replace('_', " ")))
        .collect::<Vec<_>>()
        .join(" + ");
    format!("{} {} = {held}", spawned.1, spawned.0)
}

/// The books of processes, one line for each role that had any.
pub(super) fn process_books(report: &Report) -> Vec<(&'static str, String)> {
    let line = |bins: &Bins| {
        let mut text = balance(("spawned", bins.spawned), &bins.named());
        if bins.planned > 0 {
            text += &format!(" ({} of the crashes planned)", bins.planned);
        }
        format!("{text}, {} at most at once", bins.peak)
    };
    let mut books = vec![("processes", line(&report.processes))];
    let with_others = report.roles.all().spawned > report.roles.primary.spawned;
    for (role, bins) in report.roles.named() {
        let same = role == "primary" && bins.spawned == report.processes.spawned;
        if with_others && bins.spawned > 0 && !same {
            books.push((role, line(&bins)));
        }
    }
    books
}

/// Memory, and whether RSS can be believed.
pub(super) fn memory(report: &Report) -> String {
    let memory = &report.memory;
    let mut text = format!("RSS at most {}", units::bytes(memory.peak_rss_bytes));
    if let Some(pss) = memory.peak_pss_bytes {
        text += &format!(", PSS at most {}", units::bytes(pss));
    }
    if memory.leaked_rss_bytes > 0 {
        text += &format!("; leaked RSS {}", units::bytes(memory.leaked_rss_bytes));
        if let Some(pss) = memory.leaked_pss_bytes {
            text += &format!(", PSS {}", units::bytes(pss));
        }
    }
    if memory.worker_peak_rss_bytes > 0 {
        text += &format!(
            "; worker RSS at most {}",
            units::bytes(memory.worker_peak_rss_bytes)
        );
    }
    if memory.ballast {
        text += "; ballast is in play: RSS counts one shared memory again for each process, PSS does not";
    }
    text
}

/// Times in one line.
pub(super) fn times(times: &TimeToReap) -> String {
    let span = |millis| units::span(Span::from_millis(millis));
    format!(
        "median {}, 95 % within {}, 99 % within {}, longest {} ({} in all)",
        span(times.p50),
        span(times.p95),
        span(times.p99),
        span(times.max),
        times.count
    )
}

/// Where the run took place and who watched.
pub(super) fn watching(report: &Report) -> String {
    let mut text = match report.isolation {
        None => "place of the run unknown".to_owned(),
        Some(place) => {
            let kinds: Vec<&str> = [
                (place.pid_namespace, "process"),
                (place.mount_namespace, "mount"),
                (place.network_namespace, "network"),
            ]
            .into_iter()
            .filter_map(|(own, name)| own.then_some(name))
            .collect();
            if kinds.is_empty() {
                "no namespaces: a sweep for parent pid 1 finds nothing here".to_owned()
            } else {
                format!("own {} namespaces", kinds.join(", "))
            }
        }
    };
    let witnesses: Vec<String> = report
        .witnesses
        .iter()
        .map(|line| {
            let name = witness_name(line.witness);
            match (&line.failed, &line.off) {
                (Some(reason), _) => format!("{name} (failed: {reason})"),
                (None, Some(untold)) => format!("{name} (off: {untold})"),
                (None, None) => name.to_owned(),
            }
        })
        .collect();
    if !witnesses.is_empty() {
        text += &format!("; witnesses: {}", witnesses.join(", "));
    }
    let overhead = &report.overhead;
    text += &format!(
        "; {}, {} late, {} lost",
        count(overhead.ticks, "sample"),
        overhead.late_ticks,
        overhead.lost_ticks
    );
    if let Some(recording) = &report.recording {
        text += &format!("; the recording takes {}", units::bytes(recording.bytes));
        if let Some(growth) = recording.bytes_per_hour {
            let hour = per_hour(report);
            text += &format!(", {} {hour}", units::bytes(growth));
        }
    }
    if let Some(cpu) = overhead.cpu_ms {
        text += &format!(
            "; the harness used {} of CPU",
            units::span(Span::from_millis(cpu))
        );
    }
    if let Some(rss) = overhead.rss_bytes {
        text += &format!(", its own RSS {}", drift(rss));
    }
    text
}

/// How an amount of memory went over a run.
pub(super) fn drift(bytes: Drift) -> String {
    format!(
        "{} first, {} last, {} at most",
        units::bytes(bytes.first),
        units::bytes(bytes.last),
        units::bytes(bytes.max)
    )
}

/// A finding's first line: `121 retained: …`, and whether a baseline knows it.
pub(super) fn finding_line(finding: &Finding) -> String {
    let shape = finding
        .signature
        .strip_prefix(rule_name(finding.rule))
        .unwrap_or(&finding.signature);
    let note = if finding.known {
        " (known)"
    } else if !finding.blames {
        " (planned or excused)"
    } else {
        ""
    };
    format!(
        "{} {}{note}{shape}",
        finding.count,
        rule_name(finding.rule).replace('_', " ")
    )
}

/// What proves a finding, in one sentence.
pub(super) fn evidence_line(finding: &Finding) -> String {
    let evidence = &finding.evidence;
    let mut text = format!("expected {}; seen: {}", evidence.expected, evidence.seen);
    if !finding.sessions.is_empty() {
        let named = &finding.sessions[..finding.sessions.len().min(SESSIONS)];
        let more = if finding.sessions.len() > named.len() {
            ", …"
        } else {
            ""
        };
        text += &format!("; sessions {}{more}", named.join(", "));
    }
    if !evidence.events.is_empty() {
        let events: Vec<String> = evidence.events.iter().map(u64::to_string).collect();
        text += &format!("; events {}", events.join(", "));
    }
    text
}
