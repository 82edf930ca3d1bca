//! Made series: what healthy figures look like, and what a leak adds to them. Pure and seeded.

/// A generator of chance that gives the same numbers everywhere (SplitMix64, Steele and others 2014).
#[derive(Debug, Clone)]
pub(super) struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between 0 and 1.
    fn part(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.part()
    }

    /// Between two sizes, each order of magnitude alike.
    fn of_any_size(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// From the standard normal distribution (Box and Muller).
    fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.part(), self.part());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

/// What a figure does by chance.
#[derive(Debug, Clone, Copy)]
pub(super) enum Noise {
    /// Independent and normal.
    White,
    /// Each value keeps so much of the one before (AR(1)); normal, of standard deviation 1.
    Lasting(f64),
    /// One value in twenty is twenty times as far away, in either direction.
    HeavyTails,
    /// Whole numbers around five, most of them equal.
    Counts,
    /// None at all, in whole numbers.
    Still,
}

/// What a healthy figure does besides.
#[derive(Debug, Clone, Copy)]
pub(super) enum Course {
    Level,
    /// Rises and falls at once, again and again; a period is so long, as a part of the run, at the least and at the most.
    Saw(f64, f64),
    /// Comes close to its level exponentially, with a time constant that is such a part of the run.
    Saturates(f64),
    /// Grows like the logarithm of the time.
    Logarithm,
    /// Jumps so many times.
    Steps(u32),
    /// Saturates, under a saw.
    SaturatesUnderSaw,
}

/// A series of so many samples. `leak` is what is added from its first sample to its last.
pub(super) fn series(
    noise: Noise,
    course: Course,
    samples: usize,
    leak: f64,
    chance: &mut Chance,
) -> Vec<f64> {
    let course = drawn(course, samples, chance);
    let mut before = chance.normal();
    (0..samples)
        .map(|sample| {
            let part = sample as f64 / samples as f64;
            let by_chance = match noise {
                Noise::White => chance.normal(),
                Noise::Lasting(kept) => {
                    before = kept * before + (1.0 - kept * kept).sqrt() * chance.normal();
                    before
                }
                Noise::HeavyTails => {
                    let far = if chance.part() < 0.05 { 20.0 } else { 1.0 };
                    far * chance.normal()
                }
                Noise::Still => 0.0,
                Noise::Counts => (5.0 + 0.7 * chance.normal()).round(),
            };
            let value = 100.0 + course(part) + by_chance + leak * part;
            if matches!(noise, Noise::Counts | Noise::Still) {
                value.round()
            } else {
                value
            }
        })
        .collect()
}

/// A course with everything drawn that it leaves open: sizes from half to a thousand standard deviations of the noise, places, phases.
fn drawn(course: Course, samples: usize, chance: &mut Chance) -> Box<dyn Fn(f64) -> f64> {
    let size = chance.of_any_size(0.5, 1_000.0);
    match course {
        Course::Level => Box::new(|_| 0.0),
        Course::Saw(least, most) => {
            let least = least.max(3.0 / samples as f64);
            let period = chance.of_any_size(least, most.max(least));
            // No collector is a clock: each cycle is up to a tenth shorter or longer than the period.
            let mut falls = vec![-chance.part() * period];
            while falls.last().is_some_and(|last| *last < 1.0) {
                let next = falls[falls.len() - 1] + period * chance.between(0.9, 1.1);
                falls.push(next);
            }
            Box::new(move |part| {
                let cycle = falls.partition_point(|fall| *fall <= part);
                size * (part - falls[cycle - 1]) / period
            })
        }
        Course::Saturates(constant) => {
            Box::new(move |part| size * (1.0 - (-part / constant).exp()))
        }
        Course::Logarithm => {
            let first = chance.of_any_size(0.001, 0.1);
            Box::new(move |part| size * (1.0 + part / first).ln() / (1.0 + 1.0 / first).ln())
        }
        Course::Steps(count) => {
            let places: Vec<f64> = (0..count).map(|_| chance.part()).collect();
            Box::new(move |part| {
                size * places.iter().filter(|place| **place <= part).count() as f64
            })
        }
        Course::SaturatesUnderSaw => {
            let saw = drawn(Course::Saw(0.0, 0.25), samples, chance);
            let constant = chance.between(0.02, 0.5);
            Box::new(move |part| size * (1.0 - (-part / constant).exp()) + saw(part))
        }
    }
}
