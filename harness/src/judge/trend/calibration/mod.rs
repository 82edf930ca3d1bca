//! How often the trend test errs, by simulation: the tables of `reports/growth-calibration.md`.
//!
//! The series come from a generator with fixed seeds, so the tables are the same each time. They are made anew by
//!
//! ```text
//! cargo test --release -p leak-harness --lib calibration -- --ignored --nocapture | sed -n '/^# /,/^<!-- end/p' > reports/growth-calibration.md
//! ```

mod series;

use fake_claude::quantity::Span;

use super::{Floor, Floors, Measured, Stretch, Trend};
use crate::units::RunTime;
use series::{Chance, Course, Noise};

/// What figures do by chance.
const NOISES: [(&str, Noise); 6] = [
    ("white noise", Noise::White),
    ("AR(1), 0.5", Noise::Lasting(0.5)),
    ("AR(1), 0.9", Noise::Lasting(0.9)),
    ("heavy tails", Noise::HeavyTails),
    ("counts with ties", Noise::Counts),
    ("counts that stand still", Noise::Still),
];

/// What healthy figures do besides.
const COURSES: [(&str, Course); 9] = [
    ("level", Course::Level),
    (
        "saw, of 3 samples to a quarter of the run",
        Course::Saw(0.0, 0.25),
    ),
    (
        "saw, of a tenth to a quarter of the run",
        Course::Saw(0.1, 0.25),
    ),
    (
        "saturates, time constant 0.05 of the run",
        Course::Saturates(0.05),
    ),
    (
        "saturates, time constant 0.2 of the run",
        Course::Saturates(0.2),
    ),
    (
        "saturates, time constant 0.5 of the run",
        Course::Saturates(0.5),
    ),
    ("logarithm of time", Course::Logarithm),
    ("one or two steps", Course::Steps(2)),
    ("saturates under a saw", Course::SaturatesUnderSaw),
];

/// How many samples a series has. At ten samples a second: a short run, 24 seconds, two minutes.
const LENGTHS: [usize; 3] = [100, 240, 1_200];
/// How many series make one cell of the table of false alarms, and one of the table of detections.
const SERIES: u64 = 1_000;
const RUNS: u64 = 200;
/// Rises from the end of the warm-up to the end of the run, in standard deviations of the noise.
const RISES: [f64; 8] = [5.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 50.0];

/// What the test says of one made series, floors of size set aside, so that the statistics stand alone.
fn measured(noise: Noise, course: Course, samples: usize, leak: f64, seed: u64) -> Measured {
    let mut chance = Chance(seed * 7_919 + samples as u64 * 31 + 1);
    let mut floors = Floors::default();
    let values = series::series(noise, course, samples, leak, &mut chance);
    for (sample, value) in values.into_iter().enumerate() {
        floors.push(RunTime::from_millis(sample as u64 * 100), value, 0);
    }
    let stretch = Stretch {
        warm_up: None,
        least: Span::from_secs(5),
    };
    let floor = Floor {
        absolute: 0.0,
        relative: 0.0,
        grain: if matches!(noise, Noise::Counts | Noise::Still) {
            1.0
        } else {
            0.0
        },
    };
    match floors.trend(stretch, floor, 0.0) {
        Trend::Measured(measured) => measured,
        other => panic!("{other:?}"),
    }
}

fn alarms(
    noise: Noise,
    course: Course,
    samples: usize,
    leak: f64,
    seeds: std::ops::Range<u64>,
) -> usize {
    seeds
        .filter(|seed| measured(noise, course, samples, leak, *seed).rising)
        .count()
}

/// The rises that reports call detectable, sorted: those of level series.
fn detectable(noise: Noise, samples: usize) -> Vec<f64> {
    let level = |seed| measured(noise, Course::Level, samples, 0.0, seed).detectable;
    let mut least: Vec<f64> = (0..RUNS).map(level).collect();
    least.sort_unstable_by(f64::total_cmp);
    least
}

/// One row of the table of false alarms: for each length so many of a thousand series, and in all.
fn row_of_alarms(noise: (&str, Noise), course: (&str, Course)) -> String {
    let alarms = LENGTHS.map(|samples| alarms(noise.1, course.1, samples, 0.0, 0..SERIES));
    format!(
        "| {} | {} | {} | {} | {} |\n",
        noise.0, course.0, alarms[0], alarms[1], alarms[2]
    )
}

/// One row of the table of detections, in percent of the runs, then the rise that reports call detectable in the middle of the runs and
/// how often a rise as large as that is found.
fn row_of_detections(noise: (&str, Noise), samples: usize) -> String {
    let percent = |rise: f64| {
        // A quarter of the leak falls into the warm-up.
        let found = alarms(noise.1, Course::Level, samples, rise / 0.75, 0..RUNS);
        found as f64 * 100.0 / RUNS as f64
    };
    let mut row = format!("| {} | {samples} |", noise.0);
    for rise in RISES {
        row += &format!(" {:.0} |", percent(rise));
    }
    let least = detectable(noise.1, samples)[RUNS as usize / 2];
    row + &format!(" {least:.1} | {:.0} |\n", percent(least))
}

/// The kept document.
fn document() -> String {
    let mut text = HEAD.to_owned();
    text += "\n| noise | course | 100 samples | 240 samples | 1,200 samples |\n|---|---|---:|---:|---:|\n";
    for noise in NOISES {
        for course in COURSES {
            text += &row_of_alarms(noise, course);
        }
    }
    text += DETECTIONS;
    text += "\n| noise | samples |";
    for rise in RISES {
        text += &format!(" {rise:.0} |");
    }
    text += " stated | found at that |\n|---|---:|";
    text += &"---:|".repeat(RISES.len() + 2);
    text += "\n";
    for noise in NOISES {
        for samples in LENGTHS {
            text += &row_of_detections(noise, samples);
        }
    }
    text + "\n<!-- end -->\n"
}

const HEAD: &str = "\
# How often the growth rule errs

Made by simulation with fixed seeds, by the test that the rule itself uses (`harness/src/judge/trend/`), with the floors of size set aside,
so that the statistics stand alone. A report's floors (`[expect.growth]`) make false alarms rarer still. Made anew by

    cargo test --release -p leak-harness --lib calibration -- --ignored --nocapture | sed -n '/^# /,/^<!-- end/p' > reports/growth-calibration.md

## False alarms

Alarms in 1,000 healthy series each, 162,000 series in all. Sizes are drawn from half to a thousand standard deviations of the noise,
each order of magnitude alike; phases, places and single cycles of a saw are drawn as well. The correlation of AR(1) noise is that of
neighbouring samples. Every row stays at or below one in a thousand over its three lengths.

What no test can tell from a leak within one run: a warm-up with a time constant above half of the run, and a figure that climbs in four or
more even steps.
";

const DETECTIONS: &str = "
## Leaks found

Percent of 200 runs in which a steady leak is found, by its rise from the end of the warm-up to the end of the load, in standard deviations
of the noise of single samples (for counts that stand still: in steps). Then the rise that a report of a clean run states as the least that
would have been seen (the middle one of 200 runs), and the percentage of runs in which a rise of exactly that size is found: nine of ten,
less where noise lasts or has heavy tails, since a single run shows little of either.
The noise of floors is what counts: minima of wide windows are steadier than samples, unless tails are heavy downward.
";

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = include_str!("../../../../../reports/growth-calibration.md");

    /// The cells of the rows that begin with the name of a noise.
    fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
        text.lines()
            .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
            .filter(|cells| NOISES.iter().any(|noise| cells.get(1) == Some(&noise.0)))
    }

    #[test]
    fn healthy_series_raise_no_alarm() {
        let mut series = 0;
        let mut alarmed = Vec::new();
        for noise in NOISES {
            for course in COURSES {
                series += 12;
                if alarms(noise.1, course.1, 240, 0.0, 2_000..2_012) > 0 {
                    alarmed.push((noise.0, course.0));
                }
            }
        }
        assert!(alarmed.is_empty(), "{alarmed:?} of {series} series");
    }

    #[test]
    fn leaks_well_above_the_noise_are_found() {
        for (name, noise) in NOISES {
            let least = detectable_of_few(noise);
            let found = alarms(noise, Course::Level, 240, 3.0 * least / 0.75, 0..10);
            assert!(found >= 8, "{name}: {found} of 10 at thrice {least}");
        }
    }

    fn detectable_of_few(noise: Noise) -> f64 {
        let level = |seed| measured(noise, Course::Level, 240, 0.0, seed).detectable;
        let mut least: Vec<f64> = (0..11).map(level).collect();
        least.sort_unstable_by(f64::total_cmp);
        least[5]
    }

    #[test]
    fn a_leak_under_a_saw_is_found_by_its_floors() {
        // Thirty cycles in the run, each thirty times the noise, and a leak as large as one of them.
        let floors = |leak: f64| {
            let mut chance = Chance(5);
            let noise = series::series(Noise::White, Course::Level, 1_200, leak, &mut chance);
            let mut floors = Floors::default();
            for (sample, value) in noise.into_iter().enumerate() {
                let saw = (sample % 40) as f64 * 0.75;
                floors.push(RunTime::from_millis(sample as u64 * 100), value + saw, 0);
            }
            let stretch = Stretch {
                warm_up: None,
                least: Span::from_secs(60),
            };
            let floor = Floor {
                absolute: 0.0,
                relative: 0.0,
                grain: 0.0,
            };
            match floors.trend(stretch, floor, 0.0) {
                Trend::Measured(measured) => measured.rising,
                other => panic!("{other:?}"),
            }
        };
        assert!(floors(40.0));
        assert!(!floors(0.0));
    }

    #[test]
    fn the_kept_tables_hold_what_is_promised() {
        let (alarms, detections) = KEPT.split_once("## Leaks found").unwrap();
        let mut series = 0;
        for cells in rows(alarms) {
            let of_row: Vec<u64> = cells[3..6]
                .iter()
                .map(|cell| cell.parse().unwrap())
                .collect();
            series += SERIES * 3;
            assert!(of_row.iter().sum::<u64>() <= 3, "{cells:?}");
        }
        assert_eq!(series, (NOISES.len() * COURSES.len()) as u64 * SERIES * 3);
        assert!(series >= 10_000);
        let detections: Vec<Vec<&str>> = rows(detections).collect();
        assert_eq!(detections.len(), NOISES.len() * LENGTHS.len());
    }

    #[test]
    fn a_part_of_the_kept_tables_is_made_anew() {
        let noise = NOISES[0];
        let samples = LENGTHS[0];
        let kept = rows(KEPT).find(|cells| cells[1] == noise.0 && cells[2] == samples.to_string());
        let least = detectable(noise.1, samples)[RUNS as usize / 2];
        assert_eq!(kept.unwrap()[11], format!("{least:.1}"));
    }

    #[test]
    #[ignore = "makes the tables of reports/growth-calibration.md anew: minutes in a debug build"]
    fn the_document_is_made_anew() {
        let text = document();
        println!("{text}");
        assert_eq!(text, KEPT, "keep what was printed");
    }
}
