//! The lattice of moments, and the order in which they are tried.

use std::fmt;

use fake_claude::quantity::Span;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::scenario::{FaultKind, Scenario, Step, Victim};
use crate::units;

/// The delays after a step: at once, within a turn of a fast fake, within one of a slow fake, and after both.
const DELAYS: [Span; 5] = [
    Span::ZERO,
    Span::from_millis(20),
    Span::from_millis(100),
    Span::from_millis(400),
    Span::from_millis(1_500),
];
/// How long whoever is paused stays so.
pub const PAUSE: Span = Span::from_secs(1);

/// What happens to a worker. Signals that end it for good leave nobody to do its work, so only what it leaves behind counts then.
const TO_THE_WORKER: [FaultKind; 4] = [
    FaultKind::Sigterm,
    FaultKind::Sigkill,
    FaultKind::Sigstop,
    FaultKind::Restart,
];
/// What happens to a process of a session.
const TO_A_PROCESS: [FaultKind; 4] = [
    FaultKind::Sigterm,
    FaultKind::Sigkill,
    FaultKind::Sigint,
    FaultKind::Sigstop,
];

/// One moment at which something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// The step of the first session.
    pub step: Step,
    /// To whom.
    pub victim: Victim,
    /// What.
    pub what: FaultKind,
    /// How long after the step.
    pub after: Span,
}

impl Moment {
    /// What it is called in names of folders and files.
    pub fn name(&self) -> String {
        format!(
            "{}-{}-{}-{}ms",
            self.what,
            self.victim,
            self.step,
            self.after.as_millis()
        )
    }

    /// Whether it takes the worker away for good, so that what it has not done is nobody's fault.
    pub fn ends_the_worker(&self) -> bool {
        self.victim == Victim::Worker
            && matches!(
                self.what,
                FaultKind::Sigterm | FaultKind::Sigkill | FaultKind::Sigint
            )
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to the {}", self.what, self.victim)?;
        if self.after.is_zero() {
            write!(f, " as soon as `{}` is reached", self.step)
        } else {
            write!(f, " {} after `{}`", units::span(self.after), self.step)
        }
    }
}

/// Every moment of a scenario: its victims are those that it has. A claude exists from its start on.
pub fn moments(scenario: &Scenario) -> Vec<Moment> {
    let behaviours = || {
        let mixed = scenario.mix.iter().map(|mix| &mix.behaviour);
        mixed.chain([&scenario.claude])
    };
    let mut victims = vec![Victim::Worker, Victim::Primary];
    victims.extend(
        behaviours()
            .any(|behaviour| behaviour.wrapper)
            .then_some(Victim::Payload),
    );
    victims.extend(
        behaviours()
            .any(|behaviour| behaviour.leave.is_some() || behaviour.storm > 0)
            .then_some(Victim::Grandchild),
    );
    let mut moments = Vec::new();
    for step in Step::ALL {
        for &victim in &victims {
            let kinds = match victim {
                Victim::Worker => TO_THE_WORKER,
                _ if step == Step::Opened => continue,
                _ => TO_A_PROCESS,
            };
            for what in kinds {
                moments.extend(DELAYS.map(|after| Moment {
                    step,
                    victim,
                    what,
                    after,
                }));
            }
        }
    }
    moments
}

/// The order in which moments are tried: each step, victim and signal with one delay, drawn by chance, before any has a second one.
pub fn order(moments: Vec<Moment>, seed: u64) -> Vec<Moment> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut kinds: Vec<Vec<Moment>> = Vec::new();
    for moment in moments {
        let kind = |other: &Moment| (other.step, other.victim, other.what);
        match kinds
            .iter_mut()
            .find(|known| kind(&known[0]) == kind(&moment))
        {
            Some(known) => known.push(moment),
            None => kinds.push(vec![moment]),
        }
    }
    for kind in &mut kinds {
        kind.shuffle(&mut chance);
    }
    let mut ordered = Vec::new();
    while kinds.iter().any(|kind| !kind.is_empty()) {
        kinds.shuffle(&mut chance);
        ordered.extend(kinds.iter_mut().filter_map(Vec::pop));
    }
    ordered
}

/// How many moments are tried where nobody says: each step, victim and signal once.
pub fn once_each(moments: &[Moment]) -> usize {
    moments.len() / DELAYS.len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn scenario(claude: &str) -> Scenario {
        let text =
            format!("name = \"x\"\n[load]\nsessions = 1\nend = \"complete\"\n[claude]\n{claude}");
        Scenario::parse("x", &text).unwrap()
    }

    #[test]
    fn victims_are_those_that_the_scenario_has() {
        let victims = |claude| -> BTreeSet<Victim> {
            let moments = moments(&scenario(claude));
            moments.iter().map(|moment| moment.victim).collect()
        };
        assert_eq!(victims(""), [Victim::Worker, Victim::Primary].into());
        assert!(victims("wrapper = true").contains(&Victim::Payload));
        assert!(victims("leave = \"session\"").contains(&Victim::Grandchild));
    }

    #[test]
    fn the_lattice_is_whole_and_nobody_is_struck_before_anybody_can_be() {
        let moments = moments(&scenario(""));
        assert_eq!(moments.len(), (8 * 4 + 7 * 4) * 5);
        assert_eq!(once_each(&moments), 60);
        let too_early =
            |moment: &&Moment| moment.step == Step::Opened && moment.victim == Victim::Primary;
        assert!(!moments.iter().any(|moment| too_early(&moment)));
    }

    #[test]
    fn each_kind_comes_once_before_any_comes_twice_and_nothing_is_left_out() {
        let all = moments(&scenario(""));
        let ordered = order(all.clone(), 603);
        let kinds = |moments: &[Moment]| -> BTreeSet<_> {
            let kind = |moment: &Moment| (moment.step, moment.victim, moment.what);
            moments.iter().map(kind).collect()
        };
        let first = once_each(&all);
        assert_eq!(kinds(&ordered[..first]).len(), first);
        assert_eq!(kinds(&ordered[first..2 * first]).len(), first);
        let sorted = |moments: &[Moment]| -> BTreeSet<Moment> { moments.iter().copied().collect() };
        assert_eq!(sorted(&ordered), sorted(&all));
        assert_eq!(ordered.len(), all.len());
    }

    #[test]
    fn the_same_seed_gives_the_same_order_and_another_one_another() {
        let all = moments(&scenario(""));
        assert_eq!(order(all.clone(), 603), order(all.clone(), 603));
        assert_ne!(order(all.clone(), 603), order(all, 604));
    }

    #[test]
    fn a_moment_reads_as_a_sentence() {
        let moment = Moment {
            step: Step::Given,
            victim: Victim::Primary,
            what: FaultKind::Sigkill,
            after: Span::from_millis(20),
        };
        assert_eq!(
            moment.to_string(),
            "sigkill to the primary 20 ms after `given`"
        );
        assert_eq!(moment.name(), "sigkill-primary-given-20ms");
    }
}
