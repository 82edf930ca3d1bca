//! What each session will do and when: pure, and the same whenever the seed is the same.

use std::collections::HashMap;

use fake_claude::control::MARKER_PREFIX;
use fake_claude::quantity::Span;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::scenario::{End, Load, Mix};
use crate::worker::adapter::Moment;

/// The streams of chance that are not a session's own. Sessions use the streams from 0 on, so no number is drawn for two purposes.
const RUN: u64 = u64::MAX;
const ARRIVALS: u64 = u64::MAX - 1;
const MIX: u64 = u64::MAX - 2;

/// The schedule of a load.
#[derive(Debug, Clone)]
pub struct Schedule {
    load: Load,
    seed: u64,
    time_scale: f64,
    run: String,
    arrivals: Vec<Span>,
    mixes: Vec<Option<usize>>,
    numbers: HashMap<String, u32>,
}

/// What one session will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPlan {
    /// Its number, from 1.
    pub number: u32,
    /// Its id, as the worker and its claudes see it.
    pub id: String,
    /// The name of its project. Each session has its own: some workers show a new session what others of its project have done, and
    /// their markers with it.
    pub project: String,
    /// When it arrives, since the load began; nothing where no rate of arrival is given.
    pub arrival: Span,
    /// What it does, in order.
    pub steps: Vec<Step>,
    /// How long it waits before its end is sent.
    pub linger: Span,
    /// How it ends.
    pub end: End,
    run: String,
}

/// One thing that a session does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The time before it.
    pub pause: Span,
    /// What it is.
    pub moment: Moment,
    /// The prompt that it is or belongs to, from 1.
    pub prompt: u32,
    /// Its marker.
    pub marker: String,
}

impl Schedule {
    /// The schedule of a load. With a rate, sessions arrive as people do: the times between two of them are exponentially
    /// distributed around the mean, and the first one comes at once. `compress` divides arrival and think times; the time scale
    /// divides these and the linger.
    pub fn new(load: &Load, mix: &[Mix], seed: u64, time_scale: f64) -> Self {
        let count = load.sessions as usize;
        let interval = load
            .arrival
            .map(|rate| rate.interval().divided(load.compress * time_scale));
        let mut chance = stream(seed, ARRIVALS);
        let mut at = Span::ZERO;
        let arrivals = (0..count)
            .map(|index| {
                if let Some(interval) = interval.filter(|_| index > 0) {
                    at = Span::from_nanos(
                        at.as_nanos()
                            .saturating_add(exponential(&mut chance, interval).as_nanos()),
                    );
                }
                at
            })
            .collect();
        let mut schedule = Self {
            load: load.clone(),
            seed,
            time_scale,
            // Six digits: claude-mem 13.4 takes seven or more for the hash of a commit, and blots out a summary that names one.
            run: format!("{:06x}", stream(seed, RUN).next_u32() >> 8),
            arrivals,
            mixes: mixes(count, mix, &mut stream(seed, MIX)),
            numbers: HashMap::new(),
        };
        schedule.numbers = (0..load.sessions)
            .map(|index| (schedule.id(index), index))
            .collect();
        schedule
    }

    /// How many sessions there are.
    pub const fn sessions(&self) -> u32 {
        self.load.sessions
    }

    /// The load that it is the schedule of.
    pub const fn load(&self) -> &Load {
        &self.load
    }

    /// The factor by which all times of the run are divided.
    pub const fn time_scale(&self) -> f64 {
        self.time_scale
    }

    /// What all markers of this run begin with.
    pub fn marker_prefix(&self) -> String {
        format!("{MARKER_PREFIX}{}-", self.run)
    }

    /// Which entry of the mix a session got, if it got one. Unknown sessions got none.
    pub fn mix_of(&self, session: &str) -> Option<usize> {
        let index = *self.numbers.get(session)?;
        self.mixes[index as usize]
    }

    /// The number of a session, from 1, by its id.
    pub fn number_of(&self, session: &str) -> Option<u32> {
        self.numbers.get(session).map(|index| index + 1)
    }

    /// When the session with this index (from 0) arrives.
    pub fn arrival(&self, index: u32) -> Span {
        self.arrivals[index as usize]
    }

    /// What the session with this index (from 0) does. Made anew at each call, so that a long soak does not hold it all.
    pub fn plan(&self, index: u32) -> SessionPlan {
        let Load {
            prompts,
            observations,
            summary,
            think,
            linger,
            end,
            compress,
            ..
        } = self.load;
        let number = index + 1;
        let mut chance = stream(self.seed, u64::from(index));
        let id = session_id(&mut chance);
        let think = think.divided(compress * self.time_scale);
        let mut plan = SessionPlan {
            number,
            id,
            project: format!("project-{number}"),
            arrival: self.arrival(index),
            steps: Vec::new(),
            linger: linger.divided(self.time_scale),
            end,
            run: self.run.clone(),
        };
        for prompt in 1..=prompts {
            let moments = std::iter::once(Moment::Prompt)
                .chain((0..observations).map(|_| Moment::Observation))
                .chain(summary.then_some(Moment::Summary));
            for moment in moments {
                let pause = if plan.steps.is_empty() {
                    Span::ZERO
                } else {
                    exponential(&mut chance, think)
                };
                let marker = plan.next_marker(moment);
                plan.steps.push(Step {
                    pause,
                    moment,
                    prompt,
                    marker,
                });
            }
        }
        plan
    }

    fn id(&self, index: u32) -> String {
        session_id(&mut stream(self.seed, u64::from(index)))
    }
}

impl SessionPlan {
    /// The marker of one more item of a kind than the steps hold.
    pub fn next_marker(&self, moment: Moment) -> String {
        let count = self
            .steps
            .iter()
            .filter(|step| step.moment == moment)
            .count()
            + 1;
        format!(
            "{MARKER_PREFIX}{}-{}-{}{count}z",
            self.run,
            self.number,
            moment.letter()
        )
    }
}

/// Chance for one purpose: the streams of one seed do not overlap.
fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    chance.set_stream(stream);
    chance
}

/// An id in the form of a random UUID, as real sessions have them.
fn session_id(chance: &mut ChaCha8Rng) -> String {
    let bits: u128 = chance.random();
    // Version 4, variant 1.
    let bits = bits & !(0xf << 76) | (4 << 76);
    let bits = bits & !(0b11 << 62) | (0b10 << 62);
    let text = format!("{bits:032x}");
    [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ]
    .join("-")
}

/// A time drawn from the exponential distribution with this mean, at most a hundred times the mean.
fn exponential(chance: &mut ChaCha8Rng, mean: Span) -> Span {
    if mean.is_zero() {
        return Span::ZERO;
    }
    let uniform: f64 = chance.random();
    let factor = -(1.0 - uniform).ln();
    Span::from_nanos((mean.as_nanos() as f64 * factor.min(100.0)) as u64)
}

/// Which entry of the mix each session gets: exact counts, rounded to the nearest, in random places.
fn mixes(sessions: usize, mix: &[Mix], chance: &mut ChaCha8Rng) -> Vec<Option<usize>> {
    let mut mixes = vec![None; sessions];
    let mut filled = 0;
    // Rounded on the running sum, so that shares that are 1 together fill every place.
    let mut sum = 0.0;
    for (entry, share) in mix.iter().map(|mix| mix.share).enumerate() {
        sum += share;
        let upto = ((sum * sessions as f64).round() as usize).clamp(filled, sessions);
        mixes[filled..upto].fill(Some(entry));
        filled = upto;
    }
    mixes.shuffle(chance);
    mixes
}

#[cfg(test)]
mod tests {
    use fake_claude::behaviour::Behaviour;
    use proptest::prelude::*;

    use super::*;

    fn load(text: &str) -> Load {
        toml::from_str(text).unwrap()
    }

    fn mix(shares: &[f64]) -> Vec<Mix> {
        shares
            .iter()
            .map(|share| Mix {
                share: *share,
                behaviour: Behaviour::default(),
            })
            .collect()
    }

    const BUSY: &str = "sessions = 40\narrival = \"20/h\"\ncompress = 1200\nprompts = 2\nobservations = 3\nsummary = true\nthink = \"2s\"\nlinger = \"3s\"\nend = \"complete\"";

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_one_another() {
        let plans = |seed| {
            let schedule = Schedule::new(&load(BUSY), &mix(&[0.25]), seed, 1.0);
            let plans: Vec<_> = (0..40).map(|index| schedule.plan(index)).collect();
            let mixes: Vec<_> = plans.iter().map(|plan| schedule.mix_of(&plan.id)).collect();
            (plans, mixes)
        };
        assert_eq!(plans(603), plans(603));
        assert_ne!(plans(603).0, plans(604).0);
        assert_ne!(plans(603).1, plans(604).1);
    }

    #[test]
    fn a_session_does_its_steps_in_order_with_markers_that_can_be_found_again() {
        let schedule = Schedule::new(&load(BUSY), &[], 603, 1.0);
        let plan = schedule.plan(4);
        let prefix = format!("{}5-", schedule.marker_prefix());
        let markers: Vec<_> = plan
            .steps
            .iter()
            .map(|step| step.marker.strip_prefix(&prefix).unwrap())
            .collect();
        assert_eq!(
            markers,
            [
                "p1z", "o1z", "o2z", "o3z", "s1z", "p2z", "o4z", "o5z", "o6z", "s2z"
            ]
        );
        assert_eq!(
            plan.next_marker(Moment::Observation),
            format!("{prefix}o7z")
        );
        for step in &plan.steps {
            let text = format!("echo {} and more", step.marker);
            assert_eq!(
                fake_claude::control::markers(&text),
                std::slice::from_ref(&step.marker)
            );
        }
        assert_eq!(plan.id.len(), 36);
        assert_eq!(plan.id.as_bytes()[14], b'4');
    }

    #[test]
    fn compress_divides_arrivals_and_think_times_and_the_time_scale_the_linger_too() {
        let real = Schedule::new(
            &load(&BUSY.replace("compress = 1200", "compress = 1")),
            &[],
            603,
            1.0,
        );
        let quick = Schedule::new(&load(BUSY), &[], 603, 1.0);
        let scaled = Schedule::new(&load(BUSY), &[], 603, 10.0);
        let near = |left: Span, right: Span, factor: f64| {
            (left.as_secs_f64() / right.as_secs_f64() / factor - 1.0).abs() < 1e-3
        };
        assert!(near(real.arrival(39), quick.arrival(39), 1_200.0));
        assert!(near(quick.arrival(39), scaled.arrival(39), 10.0));
        assert!(near(
            real.plan(0).steps[1].pause,
            quick.plan(0).steps[1].pause,
            1_200.0
        ));
        assert_eq!(quick.plan(0).linger, Span::from_secs(3));
        assert_eq!(scaled.plan(0).linger, Span::from_millis(300));
        // 20 an hour, compressed 1,200 times, are 0.15 s apart in the mean.
        let mean = quick.arrival(39).as_secs_f64() / 39.0;
        assert!((0.08..0.3).contains(&mean), "{mean}");
        assert_eq!(quick.arrival(0), Span::ZERO);
    }

    #[test]
    fn without_a_rate_nobody_waits_to_arrive() {
        let schedule = Schedule::new(&load("sessions = 3\nend = \"abandon\""), &[], 1, 1.0);
        assert!((0..3).all(|index| schedule.arrival(index).is_zero()));
    }

    proptest! {
        #[test]
        fn shares_are_exact_and_ids_differ(sessions in 1_u32..300, seed: u64, first in 0.01_f64..0.5, second in 0.01_f64..0.5) {
            let mut load = load(BUSY);
            load.sessions = sessions;
            let schedule = Schedule::new(&load, &mix(&[first, second]), seed, 1.0);
            let got: Vec<_> = (0..sessions).map(|index| schedule.mix_of(&schedule.plan(index).id)).collect();
            let count = |entry| got.iter().filter(|got| **got == entry).count() as f64;
            let share = f64::from(sessions);
            prop_assert!((count(Some(0)) - first * share).abs() <= 0.5 + 1e-9);
            prop_assert!((count(Some(0)) + count(Some(1)) - (first + second) * share).abs() <= 0.5 + 1e-9);
            prop_assert_eq!(schedule.numbers.len(), sessions as usize);
            prop_assert!((1..sessions).all(|index| schedule.arrival(index - 1) <= schedule.arrival(index)));
            prop_assert_eq!(schedule.mix_of("nobody"), None);
        }

        #[test]
        fn full_shares_leave_nobody_out(sessions in 1_u32..300, seed: u64) {
            let mut load = load(BUSY);
            load.sessions = sessions;
            let schedule = Schedule::new(&load, &mix(&[0.3, 0.3, 0.4]), seed, 1.0);
            prop_assert!(schedule.mixes.iter().all(Option::is_some));
        }
    }
}
