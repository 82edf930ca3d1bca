//! What the judge is told before the first event: the part of a scenario that bears on judging.

use std::collections::{BTreeMap, BTreeSet};

use fake_claude::control::Role;
use fake_claude::quantity::{Rate, Span};

use super::rules::GrowthFigure;
use crate::scenario::{
    Counts, End, Expect, ExpectedCause, GrowthSettings, Limits, Scenario, Survivor, Verdict,
};

/// The least grace that a time scale leaves: below it the machine's own delays would be judged.
const LEAST_SCALED_GRACE: Span = Span::from_secs(1);
/// The least time that a time scale leaves for following a worker that has stopped: a few samples.
const LEAST_SCALED_RESIDUE_GRACE: Span = Span::from_millis(300);

/// The least warm-up that a time scale leaves: a worker's own start does not become faster.
const LEAST_SCALED_WARM_UP: Span = Span::from_secs(5);
/// The least stretch that a time scale leaves for judging growth.
const LEAST_SCALED_GROWTH: Span = Span::from_secs(10);

/// What is expected of a run, with all times as the wall clock will show them.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectations {
    /// The verdict that is expected.
    pub verdict: Verdict,
    /// Exact counts of what is to be found.
    pub findings: Option<Counts>,
    /// What is to be found, with its cause.
    pub causes: Vec<ExpectedCause>,
    /// How long a process may live after its session's end, by the kind of end.
    pub graces: BTreeMap<End, Span>,
    /// How long a process may live after the worker has stopped.
    pub residue_grace: Span,
    /// What is meant to live.
    pub survivors: Vec<Survivor>,
    /// Thresholds.
    pub limits: Limits,
    /// From when on, and from which size on, a trend upward counts.
    pub growth: GrowthSettings,
    /// Whether work that still waits is no reason for doubt.
    pub allow_pending: bool,
    /// Sessions of the load; 0 where it lasts a time instead.
    pub sessions: u32,
    /// Prompts of each session, at least one.
    pub prompts: u32,
    /// How the sessions of the load end; the grace of whatever has no session follows it.
    pub end: End,
    /// The rate at which sessions arrive in the load's own time, where the scenario names one.
    pub arrival: Option<Rate>,
    /// The signatures of a baseline: what they name is shown and does not fail the run.
    pub known: BTreeSet<String>,
    /// The figures of a baseline: growth that is not surely faster than there is known.
    pub known_growth: Vec<GrowthFigure>,
}

impl Default for Expectations {
    /// What is expected where there is no scenario: nothing that leaks, with the default graces.
    fn default() -> Self {
        Self {
            verdict: Verdict::Pass,
            findings: None,
            causes: Vec::new(),
            graces: graces(&Expect::default(), 1.0),
            residue_grace: Expect::default().residue_grace,
            survivors: Vec::new(),
            limits: Limits::default(),
            growth: GrowthSettings::default(),
            allow_pending: false,
            sessions: 0,
            prompts: 1,
            end: End::Complete,
            arrival: None,
            known: BTreeSet::new(),
            known_growth: Vec::new(),
        }
    }
}

impl Expectations {
    /// The expectations of a scenario. Grace is in the worker's time, so a time scale shortens it, but not below one second.
    pub fn of(scenario: &Scenario) -> Self {
        let scale = scenario.run.time_scale;
        Self {
            verdict: scenario.expect.verdict,
            findings: scenario.expect.findings.clone(),
            causes: scenario.expect.causes.clone(),
            graces: graces(&scenario.expect, scale),
            residue_grace: scaled(
                scenario.expect.residue_grace,
                scale,
                LEAST_SCALED_RESIDUE_GRACE,
            ),
            survivors: scenario.expect.survivors.clone(),
            limits: scenario.expect.limits,
            growth: scaled_growth(scenario.expect.growth, scale),
            allow_pending: scenario.expect.allow_pending,
            sessions: scenario.load.planned().unwrap_or_default(),
            prompts: scenario.load.prompts.max(1),
            end: scenario.load.end,
            arrival: scenario.load.arrival,
            known: BTreeSet::new(),
            known_growth: Vec::new(),
        }
    }

    /// The same expectations, with the signatures of a baseline.
    pub fn with_baseline(mut self, signatures: impl IntoIterator<Item = String>) -> Self {
        self.known.extend(signatures);
        self
    }

    /// The same expectations, with what a baseline measured of the figures that may grow.
    pub fn with_baseline_growth(mut self, growth: Vec<GrowthFigure>) -> Self {
        self.known_growth = growth;
        self
    }

    /// The grace after an end of this kind.
    pub fn grace_after(&self, end: End) -> Span {
        self.graces.get(&end).copied().unwrap_or(LEAST_SCALED_GRACE)
    }

    /// The survivor that a process is, if it is one: every condition that the survivor names must hold.
    pub fn survivor(&self, role: Role, command: &str) -> Option<&Survivor> {
        self.survivors.iter().find(|survivor| {
            let named = survivor.role.is_some() || survivor.command.is_some();
            named
                && survivor.role.is_none_or(|named| named == role)
                && survivor
                    .command
                    .as_deref()
                    .is_none_or(|part| command.contains(part))
        })
    }
}

fn graces(expect: &Expect, scale: f64) -> BTreeMap<End, Span> {
    [End::Complete, End::Abandon, End::Abort, End::Disconnect]
        .into_iter()
        .map(|end| {
            (
                end,
                scaled(expect.grace_after(end), scale, LEAST_SCALED_GRACE),
            )
        })
        .collect()
}

fn scaled_growth(growth: GrowthSettings, scale: f64) -> GrowthSettings {
    GrowthSettings {
        warm_up: growth
            .warm_up
            .map(|warm_up| scaled(warm_up, scale, LEAST_SCALED_WARM_UP)),
        least: scaled(growth.least, scale, LEAST_SCALED_GROWTH),
        ..growth
    }
}

fn scaled(grace: Span, scale: f64, least: Span) -> Span {
    if scale.is_finite() && scale > 0.0 {
        grace.divided(scale).max(grace.min(least))
    } else {
        grace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_scale_shortens_grace_but_not_below_one_second() {
        let second = Span::from_secs(1);
        let session = |grace, scale| scaled(grace, scale, LEAST_SCALED_GRACE);
        assert_eq!(session(Span::from_secs(240), 60.0), Span::from_secs(4));
        assert_eq!(session(Span::from_secs(12), 60.0), second);
        assert_eq!(
            session(Span::from_millis(200), 60.0),
            Span::from_millis(200)
        );
        assert_eq!(session(second, f64::NAN), second);
        assert_eq!(
            scaled(second, 60.0, LEAST_SCALED_RESIDUE_GRACE),
            Span::from_millis(300)
        );
        let growth = GrowthSettings {
            warm_up: Some(Span::from_secs(600)),
            ..GrowthSettings::default()
        };
        let scaled = scaled_growth(growth, 60.0);
        assert_eq!(scaled.warm_up, Some(Span::from_secs(10)));
        assert_eq!(scaled.least, Span::from_secs(10));
        assert_eq!(scaled_growth(growth, 1.0), growth);
    }
}
