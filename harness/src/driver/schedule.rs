//! What each session will do and when: pure, and the same whenever the seed is the same.

use std::cell::RefCell;
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
/// From here on, one stream for each block of sessions that are dealt their shares together: above all numbers of sessions.
const MIX_BLOCKS: u64 = 1 << 40;
/// How many sessions, one after the other, are dealt the shares of the mix together where nobody knows how many will come.
const BLOCK: u32 = 100;
/// How many sessions are remembered by their ids: those that were planned last. A session that began so many sessions ago and still
/// starts a claude gets the behaviour of `[claude]`, and a fault that waits for a step of it waits for ever.
const REMEMBERED: u32 = 1 << 14;

/// The schedule of a load. Sessions are planned one by one, in order, so that a long load takes no more memory than a short one.
#[derive(Debug, Clone)]
pub struct Schedule {
    load: Load,
    mix: Vec<Mix>,
    seed: u64,
    time_scale: f64,
    run: String,
    /// The entries of the mix, where the number of sessions is known and there is a mix.
    dealt: Vec<Option<usize>>,
    known: RefCell<Known>,
}

/// The sessions that are known by their ids.
#[derive(Debug, Clone, Default)]
struct Known {
    /// By the number that an id is written for: a quarter of what its text takes.
    numbers: HashMap<u128, u32>,
    /// How many sessions were planned.
    planned: u32,
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
        let dealt = match load.planned() {
            Some(count) if !mix.is_empty() => deal(count as usize, mix, &mut stream(seed, MIX)),
            _ => Vec::new(),
        };
        Self {
            load: load.clone(),
            mix: mix.to_vec(),
            seed,
            time_scale,
            // Six digits: claude-mem 13.4 takes seven or more for the hash of a commit, and blots out a summary that names one.
            run: format!("{:06x}", stream(seed, RUN).next_u32() >> 8),
            dealt,
            known: RefCell::default(),
        }
    }

    /// How many sessions there are at the most.
    pub fn sessions(&self) -> u32 {
        self.load.most()
    }

    /// How many sessions have been planned so far.
    pub fn planned(&self) -> u32 {
        self.known.borrow().planned
    }

    /// For how long sessions open, by the wall clock, where the load lasts a time.
    pub fn lasts(&self) -> Option<Span> {
        self.load.lasts.map(|lasts| lasts.divided(self.time_scale))
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

    /// Which entry of the mix a session got, if it got one. Sessions that were not planned yet, or too long ago, got none.
    pub fn mix_of(&self, session: &str) -> Option<usize> {
        let index = self.number_of(session)? - 1;
        if self.load.planned().is_some() {
            self.dealt.get(index as usize).copied().flatten()
        } else {
            self.drawn(index)
        }
    }

    /// The entry of the mix for one of sessions without number. In each block of sessions every session gets one of as many even parts
    /// of the whole, and in it a place that is the same in all parts; the shares are laid out over the whole. So an entry gets its share
    /// of each block to within one session, however small it is, and shares that are 1 together leave nobody out.
    fn drawn(&self, index: u32) -> Option<usize> {
        let mut chance = stream(self.seed, MIX_BLOCKS + u64::from(index / BLOCK));
        let place: f64 = chance.random();
        let mut parts: Vec<u32> = (0..BLOCK).collect();
        parts.shuffle(&mut chance);
        let part = parts[(index % BLOCK) as usize];
        let at = (f64::from(part) + place) / f64::from(BLOCK);
        let mut sum = 0.0;
        self.mix.iter().position(|mix| {
            sum += mix.share;
            // Shares that are 1 together may sum to a little less.
            at < sum || sum > 1.0 - 1e-9
        })
    }

    /// The number of a session, from 1, by its id; none before it was planned.
    pub fn number_of(&self, session: &str) -> Option<u32> {
        let bits = bits_of(session)?;
        let index = self.known.borrow().numbers.get(&bits).copied();
        index.map(|index| index + 1)
    }

    /// When each session arrives, since the load began, one after the other and without an end.
    pub fn arrivals(&self) -> impl Iterator<Item = Span> + use<> {
        let interval = self.load.arrival.map(|rate| {
            rate.interval()
                .divided(self.load.compress * self.time_scale)
        });
        let mut chance = stream(self.seed, ARRIVALS);
        let mut next = Span::ZERO;
        std::iter::from_fn(move || {
            let at = next;
            if let Some(interval) = interval {
                let pause = exponential(&mut chance, interval).as_nanos();
                next = Span::from_nanos(at.as_nanos().saturating_add(pause));
            }
            Some(at)
        })
    }

    /// What the session with this index (from 0) does. Made anew at each call, so that a long soak does not hold it all. From now on it
    /// is known by its id.
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
        let bits = session_bits(&mut chance);
        let think = think.divided(compress * self.time_scale);
        self.remember(index, bits);
        let mut plan = SessionPlan {
            number,
            id: written(bits),
            project: format!("project-{number}"),
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

    /// Notes a session that is planned, and forgets the one that is too long ago.
    fn remember(&self, index: u32, bits: u128) {
        let mut known = self.known.borrow_mut();
        known.planned = known.planned.max(index + 1);
        known.numbers.insert(bits, index);
        if let Some(old) = index.checked_sub(REMEMBERED) {
            let old = session_bits(&mut stream(self.seed, u64::from(old)));
            known.numbers.remove(&old);
        }
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

/// The bits of a random UUID, which is what the ids of real sessions are.
fn session_bits(chance: &mut ChaCha8Rng) -> u128 {
    let bits: u128 = chance.random();
    // Version 4, variant 1.
    let bits = bits & !(0xf << 76) | (4 << 76);
    bits & !(0b11 << 62) | (0b10 << 62)
}

/// An id, as it is written.
fn written(bits: u128) -> String {
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

/// The bits of an id, if it is written as one.
fn bits_of(id: &str) -> Option<u128> {
    let digits: String = id.split('-').collect();
    let bits = u128::from_str_radix(&digits, 16).ok()?;
    (written(bits) == id).then_some(bits)
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
fn deal(sessions: usize, mix: &[Mix], chance: &mut ChaCha8Rng) -> Vec<Option<usize>> {
    let mut dealt = vec![None; sessions];
    let mut filled = 0;
    // Rounded on the running sum, so that shares that are 1 together fill every place.
    let mut sum = 0.0;
    for (entry, share) in mix.iter().map(|mix| mix.share).enumerate() {
        sum += share;
        let upto = ((sum * sessions as f64).round() as usize).clamp(filled, sessions);
        dealt[filled..upto].fill(Some(entry));
        filled = upto;
    }
    dealt.shuffle(chance);
    dealt
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
        let arrival = |schedule: &Schedule, index| schedule.arrivals().nth(index).unwrap();
        assert!(near(arrival(&real, 39), arrival(&quick, 39), 1_200.0));
        assert!(near(arrival(&quick, 39), arrival(&scaled, 39), 10.0));
        assert!(near(
            real.plan(0).steps[1].pause,
            quick.plan(0).steps[1].pause,
            1_200.0
        ));
        assert_eq!(quick.plan(0).linger, Span::from_secs(3));
        assert_eq!(scaled.plan(0).linger, Span::from_millis(300));
        // 20 an hour, compressed 1,200 times, are 0.15 s apart in the mean.
        let mean = arrival(&quick, 39).as_secs_f64() / 39.0;
        assert!((0.08..0.3).contains(&mean), "{mean}");
        assert_eq!(arrival(&quick, 0), Span::ZERO);
    }

    #[test]
    fn without_a_rate_nobody_waits_to_arrive() {
        let schedule = Schedule::new(&load("sessions = 3\nend = \"abandon\""), &[], 1, 1.0);
        assert!(schedule.arrivals().take(3).all(Span::is_zero));
    }

    const LASTS: &str = "lasts = \"6h\"\narrival = \"20/h\"\nend = \"complete\"";

    #[test]
    fn a_load_that_lasts_a_time_begins_as_one_with_a_number_does() {
        let lasting = Schedule::new(&load(LASTS), &[], 603, 30.0);
        let text = LASTS.replace("lasts = \"6h\"", "sessions = 40");
        let counted = Schedule::new(&load(&text), &[], 603, 30.0);
        assert_eq!(lasting.lasts(), Some(Span::from_secs(720)));
        assert_eq!((lasting.sessions(), counted.lasts()), (u32::MAX, None));
        assert!(lasting.arrivals().take(40).eq(counted.arrivals().take(40)));
        for index in 0..40 {
            assert_eq!(lasting.plan(index), counted.plan(index));
        }
        assert_eq!(lasting.planned(), 40);
    }

    #[test]
    fn a_session_is_known_from_its_plan_on_until_too_many_have_come_after_it() {
        let schedule = Schedule::new(&load(LASTS), &mix(&[1.0]), 603, 1.0);
        let ids = [schedule.plan(0).id, schedule.plan(1).id];
        assert_eq!(schedule.number_of(&ids[0].to_uppercase()), None);
        let another = Schedule::new(&load(LASTS), &mix(&[1.0]), 603, 1.0);
        assert_eq!(another.number_of(&ids[0]), None);
        for index in 0..=REMEMBERED {
            schedule.plan(index);
        }
        assert_eq!(schedule.known.borrow().numbers.len(), REMEMBERED as usize);
        assert_eq!(schedule.number_of(&ids[0]), None);
        assert_eq!(schedule.number_of(&ids[1]), Some(2));
        assert_eq!(schedule.mix_of(&ids[0]), None);
        assert_eq!(schedule.mix_of(&ids[1]), Some(0));
    }

    proptest! {
        #[test]
        fn shares_are_exact_and_ids_differ(sessions in 1_u32..300, seed: u64, first in 0.01_f64..0.5, second in 0.01_f64..0.5) {
            let mut load = load(BUSY);
            load.sessions = Some(sessions);
            let schedule = Schedule::new(&load, &mix(&[first, second]), seed, 1.0);
            let got: Vec<_> = (0..sessions).map(|index| schedule.mix_of(&schedule.plan(index).id)).collect();
            let count = |entry| got.iter().filter(|got| **got == entry).count() as f64;
            let share = f64::from(sessions);
            prop_assert!((count(Some(0)) - first * share).abs() <= 0.5 + 1e-9);
            prop_assert!((count(Some(0)) + count(Some(1)) - (first + second) * share).abs() <= 0.5 + 1e-9);
            prop_assert_eq!(schedule.known.borrow().numbers.len(), sessions as usize);
            let arrivals: Vec<_> = schedule.arrivals().take(sessions as usize).collect();
            prop_assert!(arrivals.is_sorted());
            prop_assert_eq!(schedule.mix_of("nobody"), None);
        }

        #[test]
        fn full_shares_leave_nobody_out(sessions in 1_u32..300, seed: u64) {
            let mut load = load(BUSY);
            load.sessions = Some(sessions);
            let schedule = Schedule::new(&load, &mix(&[0.3, 0.3, 0.4]), seed, 1.0);
            prop_assert!(schedule.dealt.iter().all(Option::is_some));
        }

        #[test]
        fn without_a_number_the_shares_hold_in_each_hundred_sessions(seed: u64, block in 0_u32..1_000, first in 0.001_f64..0.5) {
            let schedule = Schedule::new(&load(LASTS), &mix(&[first, 1.0 - first]), seed, 1.0);
            let from = block * BLOCK;
            let got: Vec<_> = (from..from + BLOCK).map(|index| schedule.mix_of(&schedule.plan(index).id)).collect();
            let count = got.iter().filter(|got| **got == Some(0)).count() as f64;
            prop_assert!((count - first * f64::from(BLOCK)).abs() < 1.0, "{count} of a share of {first}");
            prop_assert!(got.iter().all(Option::is_some));
        }
    }
}
