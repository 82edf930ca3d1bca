//! Worker died: the worker's process ended and nobody had asked for it.

use crate::judge::cause::SignalName;
use crate::judge::finding::Found;
use crate::scenario::Bin;

/// How many deaths are kept; further ones add nothing to what these say.
const KEPT: usize = 1_000;

/// The deaths of the worker that nobody had asked for.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct Deaths {
    told: Vec<(u64, Option<i32>, Option<i32>)>,
}

impl Deaths {
    /// The worker died, with a code or by a signal.
    pub fn add(&mut self, seq: u64, code: Option<i32>, signal: Option<i32>) {
        if self.told.len() < KEPT {
            self.told.push((seq, code, signal));
        }
    }
}

/// Every such death.
pub(in crate::judge) fn worker_died(deaths: &Deaths) -> Vec<Found> {
    deaths
        .told
        .iter()
        .map(|(seq, code, signal)| {
            let how = match (code, signal) {
                (_, Some(signal)) => format!("ended by {}", SignalName(*signal)),
                (Some(code), None) => format!("exited with code {code}"),
                (None, None) => "cause unknown".to_owned(),
            };
            Found {
                rule: Bin::WorkerDied,
                subject: "worker".to_owned(),
                shape: format!("the worker, unasked: {how}"),
                cause: how,
                blames: true,
                session: None,
                process: None,
                expected: "the worker runs until it is asked to stop".to_owned(),
                seen: "it ended before".to_owned(),
                by: None,
                events: vec![*seq],
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::judge::check::{check, judge};

    #[test]
    fn a_death_that_nobody_asked_for_is_found() {
        check(
            "0s run; 0s worker 5; 1s..3s tick; 2s worker-exit 5 unasked signal 11; 3s load; 3s drained quiet; 4s over",
            "fail worker_died=1",
        );
    }

    #[test]
    fn an_end_that_was_asked_for_is_none() {
        check(
            "0s run; 0s worker 5; 1s..3s tick; 2s load; 2s drained quiet; 2s stop; 2.5s worker-exit 5; 4s over",
            "pass",
        );
    }

    #[test]
    fn a_recording_that_was_cut_off_decides_nothing() {
        check("0s run; 0s worker 5; 1s..3s tick", "inconclusive");
    }

    #[test]
    fn the_cause_says_how_it_ended() {
        for (how, cause) in [
            ("signal 15", "ended by SIGTERM"),
            ("code 101", "exited with code 101"),
            ("", "cause unknown"),
        ] {
            let judgement = judge(&format!(
                "0s run; 0s worker 5; 1s..3s tick; 2s worker-exit 5 unasked {how}; 3s load; 3s drained quiet; 4s over"
            ));
            let finding = &judgement.findings[0];
            assert_eq!(
                (finding.subject.as_str(), finding.cause.as_str()),
                ("worker", cause)
            );
        }
    }
}
