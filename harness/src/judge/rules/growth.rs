//! Growth: the worker's memory, open files or threads, or the number of its helpers, trend upward after warm-up.
//!
//! Processes that serve sessions are left out: when those pile up, the books say so, one by one. The worker's open files are left out
//! when processes leak, since each of them keeps some open.

use crate::judge::finding::Found;
use crate::judge::trend::{Floor, Floors, Trend};
use crate::scenario::Bin;
use crate::timeline::event::WorkerResources;
use crate::units::{self, RunTime};

const MIB: f64 = 1_048_576.0;

/// The figures that are watched for growth.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct Growth {
    rss: Floors,
    files: Floors,
    threads: Floors,
    helpers: Floors,
}

/// What is said about growth in a run without any.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::judge) enum GrowthSummary {
    NotJudged,
    Judged,
}

impl Growth {
    /// The figures at one sample of the load.
    pub fn sample(&mut self, at: RunTime, worker: Option<WorkerResources>, helpers: u32) {
        if let Some(worker) = worker {
            self.rss.push(at, worker.rss_bytes as f64);
            if let Some(files) = worker.files {
                self.files.push(at, f64::from(files));
            }
            if let Some(threads) = worker.threads {
                self.threads.push(at, f64::from(threads));
            }
        }
        self.helpers.push(at, f64::from(helpers));
    }

    /// What grew.
    pub fn finish(&self, leaks: bool) -> (GrowthSummary, Vec<Found>) {
        let floor = |absolute, relative| Floor { absolute, relative };
        let figures = [
            ("the worker's RSS", &self.rss, floor(32.0 * MIB, 0.25), true),
            (
                "the worker's open files",
                &self.files,
                floor(50.0, 0.5),
                !leaks,
            ),
            (
                "the worker's threads",
                &self.threads,
                floor(16.0, 0.5),
                true,
            ),
            (
                "the number of helpers",
                &self.helpers,
                floor(10.0, 0.5),
                true,
            ),
        ];
        let mut summary = GrowthSummary::NotJudged;
        let mut found = Vec::new();
        for (name, floors, floor, counts) in figures {
            let trend = floors.trend(floor);
            if trend != Trend::NotJudged {
                summary = GrowthSummary::Judged;
            }
            let (true, Trend::Rising { slope, rise }) = (counts, trend) else {
                continue;
            };
            let amount = |value: f64| {
                if name.ends_with("RSS") {
                    units::bytes(value as u64)
                } else {
                    format!("{value:.0}")
                }
            };
            found.push(Found {
                rule: Bin::Growth,
                subject: name.to_owned(),
                shape: format!("{name} trend upward after warm-up"),
                cause: format!(
                    "rose by {} since warm-up, {} per hour of the run",
                    amount(rise),
                    amount(slope * 3_600.0)
                ),
                blames: true,
                session: None,
                process: None,
                expected: "a level floor after the first quarter of the load".to_owned(),
                seen: format!("{name} rose by {}", amount(rise)),
                by: None,
                events: Vec::new(),
            });
        }
        (summary, found)
    }
}

#[cfg(test)]
mod tests {
    use crate::judge::check::check;

    /// A run of two minutes in which the worker's RSS at a moment is as given, in MiB.
    fn worker_rss(rss: impl Fn(u64) -> u64, step: u64) -> String {
        let mut text = "0s run; 0s worker 5; 1s open s1\n".to_owned();
        for millis in (1_000..120_000_u64).step_by(step as usize) {
            text += &format!("{millis}ms tick 1 worker {}MiB\n", rss(millis / 1_000));
        }
        text + "120s end s1 complete; 121s load; 121s drained quiet; 122s grace; 123s over"
    }

    #[test]
    fn a_worker_that_grows_all_the_time_is_found() {
        check(&worker_rss(|second| 100 + second, 200), "fail growth=1");
    }

    #[test]
    fn a_warm_up_and_a_saw_are_no_growth() {
        check(&worker_rss(|second| 100 + second.min(30), 200), "pass");
        check(&worker_rss(|second| 100 + second % 30 * 3, 200), "pass");
    }

    #[test]
    fn with_too_few_samples_it_is_not_judged() {
        check(&worker_rss(|second| 100 + second, 2_000), "pass");
    }
}
