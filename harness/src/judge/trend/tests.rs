use super::*;
use crate::units::RunTime;

const FLOOR: Floor = Floor {
    absolute: 10.0,
    relative: 0.25,
    grain: 0.0,
};
const STRETCH: Stretch = Stretch {
    warm_up: None,
    least: Span::from_secs(60),
};

/// The floors of a figure over 1,000 seconds, ten samples a second, a session each second.
fn floors(value: impl Fn(f64) -> f64) -> Floors {
    let mut floors = Floors::default();
    for sample in 0..10_000_u64 {
        floors.push(
            RunTime::from_millis(sample * 100),
            value(sample as f64 / 10.0),
            sample as u32 / 10,
        );
    }
    floors
}

#[track_caller]
fn measured(trend: Trend) -> Measured {
    match trend {
        Trend::Measured(measured) => measured,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(value: impl Fn(f64) -> f64, rising: bool) {
    let measured = measured(floors(value).trend(STRETCH, FLOOR, 0.0));
    assert_eq!(measured.rising, rising, "{measured:?}");
}

#[test]
fn a_steady_rise_is_found_under_a_saw() {
    let all = floors(|t| 20.0 + 0.1 * t + (t % 7.0) * 5.0);
    let found = measured(all.trend(STRETCH, FLOOR, 0.0));
    assert!(
        found.rising && (found.slope - 0.1).abs() < 0.01,
        "{found:?}"
    );
    assert!(found.slope_low <= found.slope && found.slope <= found.slope_high);
    assert!((found.rise - 75.0).abs() < 5.0 && (730..=751).contains(&found.sessions));
    assert!(found.detectable < 75.0);
    // What is explained otherwise is no rise of its own.
    assert!(!measured(all.trend(STRETCH, FLOOR, 0.1)).rising);
    assert!(measured(all.trend(STRETCH, FLOOR, 0.03)).rising);
}

#[test]
fn a_saw_a_warm_up_and_steps_are_no_growth() {
    check(|t| 50.0 + (t % 60.0), false);
    check(|t| 50.0 + (t % 250.0), false);
    check(|t| 100.0 - 80.0 * (-t / 80.0).exp(), false);
    check(|t| 100.0 - 80.0 * (-t / 500.0).exp(), false);
    check(|t| 100.0 * (1.0 + t).ln(), false);
    check(|t| if t < 400.0 { 10.0 } else { 60.0 }, false);
    check(|t| 50.0 + 50.0 * (t / 340.0).floor(), false);
    check(|_| 50.0, false);
    // A rise that has come to an end.
    check(|t| t.min(700.0), false);
    check(|t| 1_000.0 - t, false);
}

#[test]
fn a_rise_counts_from_its_floor_on() {
    // 750 seconds are judged: 9.7 and 10.3 against a floor of 10.
    check(|t| 10.0 + 0.013 * t, false);
    check(|t| 10.0 + 0.0138 * t, true);
    // And a quarter of the level.
    check(|t| 1_000.0 + 0.3 * t, false);
    check(|t| 1_000.0 + 0.5 * t, true);
}

#[test]
fn a_long_warm_up_can_be_named() {
    let long = Stretch {
        warm_up: Some(Span::from_secs(700)),
        ..STRETCH
    };
    let figure = floors(|t| if t < 650.0 { t } else { 650.0 });
    let found = measured(figure.trend(long, FLOOR, 0.0));
    assert!(!found.rising && found.seconds < 301.0, "{found:?}");
    assert!(measured(floors(|t| t).trend(long, FLOOR, 0.0)).rising);
}

#[test]
fn a_short_run_is_not_judged_and_says_how_short() {
    let mut floors = Floors::default();
    assert_eq!(floors.trend(STRETCH, FLOOR, 0.0), Trend::NotTaken);
    for sample in 0..500_u64 {
        floors.push(RunTime::from_millis(sample * 100), sample as f64 * 100.0, 0);
    }
    let Trend::TooShort(seconds) = floors.trend(STRETCH, FLOOR, 0.0) else {
        panic!("fifty seconds suffice");
    };
    assert!((36.0..38.0).contains(&seconds), "{seconds}");
    let short = Stretch {
        least: Span::from_secs(30),
        ..STRETCH
    };
    assert!(measured(floors.trend(short, FLOOR, 0.0)).rising);
}

#[test]
fn too_few_samples_are_not_judged() {
    let check = |samples: u64| {
        let mut floors = Floors::default();
        for sample in 0..samples {
            floors.push(RunTime::from_millis(sample * 2_000), sample as f64 * 9.0, 0);
        }
        floors.trend(STRETCH, FLOOR, 0.0)
    };
    assert_eq!(check(46), Trend::TooFew(34));
    assert!(measured(check(48)).rising);
}
