//! What a page holds, and what it never does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::judge::{GrowthFigure, Over, Point};
use crate::report::examples::{failing, inconclusive, passing};
use crate::report::json;

/// A page without what is the same in all of them.
fn redacted(report: &Report) -> String {
    let mut page = render(report, &Lanes::default()).unwrap();
    let same = [
        (STYLE, "(style)"),
        (lanes::STYLE, "(style of the lanes)"),
        (CHART_LIBRARY, "(chart library)"),
        (CHART_SCRIPT, "(chart script)"),
        (lanes::SCRIPT, "(lanes script)"),
    ];
    for (text, name) in same {
        assert!(page.contains(text), "{name}");
        page = page.replace(text, name);
    }
    // The data have tests of their own.
    let mut kept = Vec::new();
    for line in page.lines() {
        kept.push(match line.split_once("<script type=\"application/json\"") {
            Some((before, rest)) => {
                let (tag, _) = rest.split_once('>').unwrap();
                format!("{before}<script type=\"application/json\"{tag}>(data)</script>")
            }
            None => line.to_owned(),
        });
    }
    kept.join("\n")
}

#[test]
fn a_failure_is_shown() {
    insta::assert_snapshot!(redacted(&failing()));
}

#[test]
fn a_pass_is_shown() {
    insta::assert_snapshot!(redacted(&passing()));
}

#[test]
fn doubt_is_shown() {
    insta::assert_snapshot!(redacted(&inconclusive()));
}

/// A report in which every part of the page is used.
fn full() -> Report {
    Report {
        unbalanced: Some("two bins".to_owned()),
        growth: vec![GrowthFigure {
            figure: "the worker's RSS".to_owned(),
            judged: true,
            reason: Some("a reason".to_owned()),
            ..GrowthFigure::default()
        }],
        witnesses: inconclusive().witnesses,
        time_to_reap_ms: passing().time_to_reap_ms,
        ..failing()
    }
}

/// The report with something at the end of every text that a process, a worker or a user may have chosen.
fn with_ending(report: &Report, ending: &str) -> Report {
    fn walk(value: &mut Value, ending: &str) {
        match value {
            Value::String(text) => text.push_str(ending),
            Value::Array(values) => values.iter_mut().for_each(|value| walk(value, ending)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    // These are names of our own, out of closed lists.
                    let closed = match key.as_str() {
                        "verdict" | "expected_findings" | "rule" | "witness" => true,
                        "expected" => matches!(value.as_str(), Some("fail" | "pass")),
                        _ => false,
                    };
                    if !closed {
                        walk(value, ending);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut value = serde_json::to_value(report).unwrap();
    walk(&mut value, ending);
    json::parse(&value.to_string()).unwrap()
}

#[test]
fn no_hostile_text_becomes_markup() {
    let hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>--></title></style>&lt;\0\x1b[2J\u{202e}\r\n{{ 7 * 7 }}";
    let harmless = redacted(&with_ending(&full(), "x"));
    let page = redacted(&with_ending(&full(), hostile));
    for markup in ['<', '>', '"'] {
        assert_eq!(
            page.matches(markup).count(),
            harmless.matches(markup).count(),
            "{markup}"
        );
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("\\x00\\x1b[2J\\u{202e}\\x0d\\x0a{{ 7 * 7 }}"));
    let controls = page.chars().filter(|c| c.is_control() && *c != '\n');
    assert_eq!(controls.count(), 0);
}

#[test]
fn a_page_asks_no_network_for_anything() {
    let page = redacted(&full());
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\""));
    for asks in [
        " src=",
        "<link",
        "<iframe",
        "<base",
        "<form",
        "url(",
        "@import",
        "href=\"http",
    ] {
        assert!(!page.contains(asks), "{asks}");
        assert!(!STYLE.contains(asks), "{asks}");
    }
}

#[test]
fn the_chart_library_is_the_one_that_is_named_and_brings_its_licence() {
    assert!(CHART_LIBRARY.contains("Licensed to the Apache Software Foundation"));
    assert!(CHART_LIBRARY.contains(&format!("version=\"{CHART_LIBRARY_VERSION}\"")));
    assert!(!CHART_LIBRARY.contains("</script"));
}

#[test]
fn charts_show_leftovers_gaps_and_limits() {
    let point = |t_ms, retained, worker: Option<u64>| Point {
        t_ms,
        children: 5,
        rss_bytes: 5 << 30,
        worker_rss_bytes: worker,
        pss_bytes: (retained > 0).then_some(1 << 20),
        sessions: 2,
        over: Over {
            retained,
            ..Over::default()
        },
    };
    let report = Report {
        series: vec![
            point(0, 0, Some(9 << 20)),
            point(100, 3, None),
            point(200, 4, Some(10 << 20)),
        ],
        elapsed_ms: 300,
        ..failing()
    };
    let stopped = Lanes {
        stop_ms: Some(150),
        ..Lanes::default()
    };
    let charts = charts::charts(&report, &stopped);
    let written = serde_json::to_string_pretty(&charts).unwrap();
    insta::assert_snapshot!(written);
}

#[test]
fn a_page_of_the_longest_series_is_small() {
    let report = Report {
        series: (0..2_000)
            .map(|moment| Point {
                t_ms: moment * 10_800,
                children: 4_999,
                rss_bytes: 123_456_789_012,
                worker_rss_bytes: Some(123_456_789),
                pss_bytes: Some(123_456_789_012),
                sessions: 4_999,
                over: Over {
                    retained: 999,
                    reparented: 999,
                    zombie: 999,
                    residue: 999,
                    readopted: 999,
                },
            })
            .collect(),
        ..failing()
    };
    let page = render(&report, &Lanes::default()).unwrap();
    assert!(page.len() < 2_000_000, "{}", page.len());
}

/// The custom properties that hold colours, in the light or in the dark.
fn colours(block: &str) -> BTreeMap<&str, [f64; 3]> {
    let pairs = block.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_suffix(';')?.split_once(": #")?;
        let number = u32::from_str_radix(value, 16).ok()?;
        let part = |shift: u32| f64::from((number >> shift) & 0xff) / 255.0;
        Some((name, [part(16), part(8), part(0)]))
    });
    pairs.collect()
}

/// The contrast of two colours: <https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let luminance = |colour: [f64; 3]| {
        let linear = colour.map(|part| {
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn colours_stand_out_from_their_ground() {
    let (light, rest) = STYLE
        .split_once("@media screen and (prefers-color-scheme: dark)")
        .unwrap();
    let (dark, _) = rest.split_once("@media print").unwrap();
    for (scheme, colours) in [("light", colours(light)), ("dark", colours(dark))] {
        assert!(colours.len() > 20, "{scheme}");
        let grounds = ["--ground", "--raised", "--sunken"];
        for (name, colour) in &colours {
            let least = match *name {
                "--ground" | "--raised" | "--sunken" | "--line" => continue,
                "--ink" => 7.0,
                "--muted" | "--accent" | "--good" | "--bad" | "--doubt" => 4.5,
                // Gold is the one mark that cannot be darker and stay gold; it is never alone: words and shapes go with it.
                "--grace" => 2.0,
                _ => 3.0,
            };
            for ground in grounds {
                let found = contrast(*colour, colours[ground]);
                assert!(found >= least, "{scheme}: {name} on {ground}: {found:.2}");
            }
        }
    }
}
