//! Growth: the worker's memory, open files or threads, or the number of its helpers or children, trend upward after warm-up.
//!
//! *Which part.* The load alone, from the first session to the last word of the driver, less its warm-up. When the worker is started
//! again, its own figures begin anew.
//!
//! *What is explained otherwise.* A worker that has more children under way has more pipes, threads and memory for them, and that is no
//! leak. So where the number of live children itself rises, each of them explains [`FILES_EACH`] open files, [`THREADS_EACH`] threads and
//! [`BYTES_EACH`] bytes of the worker's rise. Open files, pipes and sockets are left out altogether when processes leak, since each of
//! those keeps some open.
//!
//! *Files.* Open files are judged without pipes and sockets where these were told apart, so that a leak of pipes is one finding, the more
//! specific one.
//!
//! *Children.* Live processes, helpers left out, should follow the sessions under way, and sessions whose grace is not over. When
//! processes leak, the books say so one by one, and this figure is left out. Otherwise each session under way explains
//! [`CHILDREN_EACH`] of them.
//!
//! *Baseline.* Growth that is not surely faster than what a baseline measured is known: the intervals of the two slopes have to lie
//! apart, per session where both runs had sessions, since loads differ, and per hour otherwise.

use std::collections::BTreeMap;

use fake_claude::quantity::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::expectations::Expectations;
use crate::judge::finding::Found;
use crate::judge::trend::{Floor, Floors, LEAST_FLOORS, Measured, Stretch, Trend};
use crate::scenario::Bin;
use crate::timeline::event::WorkerResources;
use crate::units::{self, Count, RunTime};

/// Why a figure that grows is a finding.
const CAUSE: &str = "trends upward after warm-up";
/// Open files that a live child explains: its three standard streams, and a pidfd.
const FILES_EACH: f64 = 4.0;
/// Threads that a live child explains: one that reads and one that waits.
const THREADS_EACH: f64 = 2.0;
/// Memory that a live child explains, in bytes.
const BYTES_EACH: f64 = 2.0 * 1_048_576.0;
/// Processes that a session under way explains: a wrapper, its payload, and two that these started.
const CHILDREN_EACH: f64 = 4.0;
/// Below this part of its level a rise is not told: what else the machine does moves a figure as much.
const RELATIVE: f64 = 0.05;

/// A figure that is watched for growth, as measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GrowthFigure {
    /// Its name: `the worker's RSS`, in bytes; all others are counts.
    pub figure: String,
    /// Whether it was judged.
    pub judged: bool,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it trends upward.
    pub grows: bool,
    /// By how much it rose from the end of the warm-up to the end of the load, by its slope.
    pub rise: f64,
    /// Its slope per hour of the run.
    pub slope_per_hour: f64,
    /// The lower bound of the slope per hour, at 99 %.
    pub slope_per_hour_low: f64,
    /// The upper bound of the slope per hour, at 99 %.
    pub slope_per_hour_high: f64,
    /// Its rise for each session that opened after the warm-up; none where none did.
    pub per_session: Option<f64>,
    /// The least rise that a run with this noise sees in about nine of ten cases, in six of ten where noise lasts long or has heavy tails
    /// (`reports/growth-calibration.md`); none where it was not judged.
    pub detectable: Option<f64>,
    /// How long it was judged, in seconds.
    pub seconds: f64,
    /// Sessions that opened meanwhile.
    pub sessions: u32,
}

/// What is said about growth.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::judge) struct GrowthSummary {
    /// Every figure.
    pub figures: Vec<GrowthFigure>,
    /// Signatures that the baseline knows by its own measurement.
    pub known: Vec<String>,
}

/// The figures that are watched for growth.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct Growth {
    rss: Floors,
    files: Floors,
    pipes: Floors,
    threads: Floors,
    helpers: Floors,
    children: Floors,
    /// Sessions that are open or within their grace.
    under_way: Floors,
    /// When the grace of each session that ended lately is over.
    in_grace: Vec<RunTime>,
}

/// The figures at one sample of the load, besides the worker's own.
#[derive(Debug, Clone, Copy)]
pub(in crate::judge) struct Crowd {
    /// Live processes of the worker.
    pub children: u32,
    /// Of these, helpers and probes.
    pub helpers: u32,
    /// Sessions that opened so far.
    pub opened: u32,
    /// Sessions that ended so far.
    pub ended: u32,
}

impl Growth {
    /// The worker was started: its own figures begin anew.
    pub fn worker_started(&mut self) {
        for floors in [
            &mut self.rss,
            &mut self.files,
            &mut self.pipes,
            &mut self.threads,
        ] {
            *floors = Floors::default();
        }
    }

    /// A session ended, and its grace is over at a moment.
    pub fn session_ended(&mut self, grace_over: RunTime) {
        self.in_grace.push(grace_over);
    }

    /// The figures at one sample of the load.
    pub fn sample(&mut self, at: RunTime, worker: Option<WorkerResources>, crowd: Crowd) {
        let sessions = crowd.opened;
        if let Some(worker) = worker {
            self.rss.push(at, worker.rss_bytes as f64, sessions);
            if let Some(files) = worker.files {
                let others = files.saturating_sub(worker.pipes.unwrap_or(0));
                self.files.push(at, f64::from(others), sessions);
            }
            if let Some(pipes) = worker.pipes {
                self.pipes.push(at, f64::from(pipes), sessions);
            }
            if let Some(threads) = worker.threads {
                self.threads.push(at, f64::from(threads), sessions);
            }
        }
        self.helpers.push(at, f64::from(crowd.helpers), sessions);
        let serving = crowd.children.saturating_sub(crowd.helpers);
        self.children.push(at, f64::from(serving), sessions);
        self.in_grace.retain(|over| *over >= at);
        let open = crowd.opened.saturating_sub(crowd.ended);
        let under_way = f64::from(open) + self.in_grace.len() as f64;
        self.under_way.push(at, under_way, sessions);
    }

    /// What was measured, and what grew. `leaks` says whether processes leak.
    pub fn finish(&self, expectations: &Expectations, leaks: bool) -> (GrowthSummary, Vec<Found>) {
        let settings = &expectations.growth;
        let stretch = Stretch {
            warm_up: settings.warm_up,
            least: settings.least,
        };
        let children = self.children.rise_per_second(stretch);
        let under_way = self.under_way.rise_per_second(stretch);
        let count = |absolute: u32| Floor {
            absolute: f64::from(absolute),
            relative: RELATIVE,
            grain: 1.0,
        };
        let rss = Floor {
            absolute: settings.rss.as_bytes() as f64,
            relative: RELATIVE,
            grain: 0.0,
        };
        let with_files = (!leaks).then_some(FILES_EACH * children);
        // A figure, its floor, and what explains its rise; none where it is left out.
        let figures = [
            (
                "the worker's RSS",
                &self.rss,
                rss,
                Some(BYTES_EACH * children),
            ),
            (
                "the worker's open files",
                &self.files,
                count(settings.files),
                with_files,
            ),
            (
                "the worker's pipes and sockets",
                &self.pipes,
                count(settings.pipes),
                with_files,
            ),
            (
                "the worker's threads",
                &self.threads,
                count(settings.threads),
                Some(THREADS_EACH * children),
            ),
            (
                "the number of helpers",
                &self.helpers,
                count(settings.helpers),
                Some(0.0),
            ),
            (
                "the number of children",
                &self.children,
                count(settings.children),
                (!leaks).then_some(CHILDREN_EACH * under_way),
            ),
        ];
        let mut summary = GrowthSummary::default();
        let mut found = Vec::new();
        for (name, floors, floor, explained) in figures {
            let figure = match explained {
                Some(explained) => measured(
                    name,
                    floors.trend(stretch, floor, explained),
                    settings.least,
                ),
                None => not_judged(
                    name,
                    "processes leak, and each of them counts in it".to_owned(),
                ),
            };
            if figure.grows {
                let baseline = expectations
                    .known_growth
                    .iter()
                    .find(|known| known.figure == name && known.judged);
                let faster = baseline.map(|baseline| figure.surely_faster_than(baseline));
                let finding = finding(&figure, faster == Some(true));
                if faster == Some(false) {
                    summary.known.push(format!("growth: {}", finding.shape));
                }
                found.push(finding);
            }
            summary.figures.push(figure);
        }
        (summary, found)
    }
}

fn not_judged(name: &str, reason: String) -> GrowthFigure {
    GrowthFigure {
        figure: name.to_owned(),
        reason: Some(reason),
        ..GrowthFigure::default()
    }
}

fn measured(name: &str, trend: Trend, least: Span) -> GrowthFigure {
    let measured = match trend {
        Trend::Measured(measured) => measured,
        Trend::NotTaken => return not_judged(name, "it was never taken".to_owned()),
        Trend::TooShort(seconds) => {
            let lasted = Span::from_millis((seconds * 1_000.0) as u64);
            return not_judged(
                name,
                format!(
                    "the load lasted {} after warm-up and {} are needed (expect.growth.least)",
                    units::span(lasted),
                    units::span(least)
                ),
            );
        }
        Trend::TooFew(floors) => {
            return not_judged(
                name,
                format!(
                    "{} after warm-up, and {LEAST_FLOORS} are needed (run.tick, or a longer load)",
                    Count(floors as u64, "sample")
                ),
            );
        }
    };
    let Measured {
        rising,
        slope,
        slope_low,
        slope_high,
        rise,
        seconds,
        sessions,
        detectable,
    } = measured;
    GrowthFigure {
        figure: name.to_owned(),
        judged: true,
        reason: None,
        grows: rising,
        rise,
        slope_per_hour: slope * 3_600.0,
        slope_per_hour_low: slope_low * 3_600.0,
        slope_per_hour_high: slope_high * 3_600.0,
        per_session: (sessions > 0).then(|| rise / f64::from(sessions)),
        detectable: Some(detectable),
        seconds,
        sessions,
    }
}

impl GrowthFigure {
    /// Whether it grows surely faster than in another run: the intervals of the two slopes lie apart, per session where both runs had
    /// sessions, since loads differ, and per hour otherwise.
    pub fn surely_faster_than(&self, other: &Self) -> bool {
        let per_session = self.per_session.is_some() && other.per_session.is_some();
        self.bounds(per_session).0 > other.bounds(per_session).1
    }

    /// The bounds of its slope: per session where sessions opened, else per hour.
    fn bounds(&self, per_session: bool) -> (f64, f64) {
        let each = match self.per_session {
            // The bounds are to the rise for each session as they are to the slope.
            Some(rise) if per_session && self.slope_per_hour != 0.0 => rise / self.slope_per_hour,
            _ => 1.0,
        };
        (
            self.slope_per_hour_low * each,
            self.slope_per_hour_high * each,
        )
    }

    /// An amount of it, in words.
    fn amount(&self, amount: f64) -> String {
        if self.figure.ends_with("RSS") {
            units::bytes(amount.max(0.0) as u64)
        } else if amount < 10.0 {
            format!("{amount:.2}")
        } else {
            format!("{amount:.0}")
        }
    }

    /// Its rise in words, for evidence.
    fn rise_in_words(&self) -> String {
        let seconds = Span::from_millis((self.seconds * 1_000.0) as u64);
        let mut words = format!(
            "{} rose by {} in {} after warm-up, {} per hour of the run",
            self.figure,
            self.amount(self.rise),
            units::span(seconds),
            self.amount(self.slope_per_hour),
        );
        if let Some(per_session) = self.per_session {
            words += &format!(", {} per session", self.amount(per_session));
        }
        words
    }

    /// The least growth that would have been seen, in words.
    fn least_in_words(&self) -> Option<String> {
        let least = self.detectable?;
        let mut words = format!("{} by {}", self.figure, self.amount(least));
        if self.sessions > 0 {
            let each = least / f64::from(self.sessions);
            words += &format!(" ({} a session)", self.amount(each));
        }
        Some(words)
    }
}

impl GrowthSummary {
    /// What growth this run could have seen, in words.
    pub fn smallest(&self) -> String {
        let seen: Vec<String> = self
            .figures
            .iter()
            .filter_map(GrowthFigure::least_in_words)
            .collect();
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for figure in &self.figures {
            if let Some(reason) = &figure.reason {
                reasons.entry(reason).or_default().push(&figure.figure);
            }
        }
        let mut parts = Vec::new();
        if !seen.is_empty() {
            parts.push(format!(
                "growth of {} would have been seen",
                seen.join(", of ")
            ));
        }
        for (reason, figures) in reasons {
            let whose = if figures.len() == self.figures.len() {
                "growth".to_owned()
            } else {
                format!("growth of {}", figures.join(", of "))
            };
            parts.push(format!("{whose} was not judged: {reason}"));
        }
        parts.join("; ")
    }
}

fn finding(figure: &GrowthFigure, faster: bool) -> Found {
    let name = &figure.figure;
    let than = if faster {
        ", faster than the baseline"
    } else {
        ""
    };
    Found {
        rule: Bin::Growth,
        subject: name.clone(),
        shape: format!("{name} {CAUSE}{than}"),
        cause: CAUSE.to_owned(),
        blames: true,
        session: None,
        process: None,
        expected: "a level floor after the warm-up".to_owned(),
        seen: figure.rise_in_words(),
        by: None,
        events: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
