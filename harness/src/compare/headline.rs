//! What came of a comparison, in one line.

use super::Outcome;
use super::difference::{counts_work, sessions};
use super::regression::{Kind, Regression};
use crate::report::Report;
use crate::scenario::Bin;
use crate::units::{self, Count};

/// How many ways of being worse the line names.
const MOST: usize = 3;

/// One line: whether B is worse, better or alike, in what, and what became of the work.
pub(super) fn headline(
    a: &Report,
    b: &Report,
    outcome: Outcome,
    regressions: &[Regression],
    doubts: &[String],
) -> String {
    let mut parts = worse(a, b, regressions);
    if parts.is_empty() {
        parts = better(a, b);
    }
    if parts.is_empty() {
        parts.push(alike(a, b));
    }
    if !parts.iter().any(|part| part.contains("lost ")) {
        parts.extend(work(a, b));
    }
    let facts = parts.join("; ");
    match (outcome, doubts.first()) {
        (Outcome::Undecided, Some(doubt)) => {
            format!("not decided, {}; seen so far: {facts}", end(doubt))
        }
        _ => facts,
    }
}

/// A reason at the end of a clause.
fn end(reason: &str) -> &str {
    reason.trim_end_matches('.')
}

/// The bins of what outlives its time.
fn leaks(report: &Report) -> [(&'static str, u32); 5] {
    let all = report.roles.all();
    [
        ("retained", all.retained),
        ("reparented", all.reparented),
        ("zombie", all.zombie),
        ("residue", all.residue),
        ("readopted", all.readopted),
    ]
}

const fn is_leak(rule: Bin) -> bool {
    matches!(
        rule,
        Bin::Retained | Bin::Reparented | Bin::Zombie | Bin::Residue | Bin::Readopted
    )
}

/// How the bins of what outlives its time changed: `retained 0 → 121`.
fn moved(a: &Report, b: &Report) -> String {
    let bins = leaks(a).into_iter().zip(leaks(b));
    let moved: Vec<String> = bins
        .filter(|((_, of_a), (_, of_b))| of_a != of_b)
        .map(|((name, of_a), (_, of_b))| format!("{name} {of_a} → {of_b}"))
        .collect();
    moved.join(", ")
}

fn processes(count: u32) -> String {
    Count(u64::from(count), "process").to_string()
}

/// Verbs of `processes`.
const fn outlive(count: u32) -> &'static str {
    if count == 1 {
        "outlives its session"
    } else {
        "outlive their session"
    }
}

/// In what B is worse: the leaks, then what was ended early or lost, then all else.
fn worse(a: &Report, b: &Report, regressions: &[Regression]) -> Vec<String> {
    let mut parts = Vec::new();
    let of = |wanted: fn(Bin) -> bool| -> Vec<&Regression> {
        let with_findings = regressions
            .iter()
            .filter(|one| matches!(one.kind, Kind::NewFinding | Kind::MoreFindings));
        with_findings
            .filter(|one| one.rule.is_some_and(wanted))
            .collect()
    };
    if !of(is_leak).is_empty() {
        parts.push(leaks_more(a, b));
    }
    let (of_a, of_b) = (a.roles.all(), b.roles.all());
    if !of(|rule| rule == Bin::KilledEarly).is_empty() {
        parts.push(format!(
            "ends processes before their time: killed early {} → {}",
            of_a.killed_early, of_b.killed_early
        ));
    }
    if !of(|rule| rule == Bin::Lost).is_empty() {
        parts.push(format!(
            "loses work: lost {} of {} items → {} of {}",
            a.work.lost, a.work.offered, b.work.lost, b.work.offered
        ));
    }
    let others = of(|rule| !is_leak(rule) && !matches!(rule, Bin::KilledEarly | Bin::Lost));
    for one in others {
        parts.push(match one.rule {
            Some(rule) if counts_work(rule) => format!("treats work worse: {}", short(&one.words)),
            _ => format!("is worse: {}", short(&one.words)),
        });
    }
    for one in regressions {
        match one.kind {
            Kind::FasterGrowth => parts.push(format!("grows faster: {}", one.words)),
            Kind::ThresholdCrossed => parts.push(format!("crosses a threshold: {}", one.words)),
            Kind::Verdict if parts.is_empty() => parts.push("fails, and A passes".to_owned()),
            Kind::Verdict | Kind::NewFinding | Kind::MoreFindings => {}
        }
    }
    if parts.len() > MOST {
        let more = parts.split_off(MOST).len();
        parts.push(format!("and is worse in {more} more"));
    }
    if let Some(first) = parts.first_mut() {
        first.insert_str(0, "B ");
    }
    parts
}

/// Words without what stands behind the counts.
fn short(words: &str) -> &str {
    words.split_once(": ").map_or(words, |(counts, _)| counts)
}

fn leaks_more(a: &Report, b: &Report) -> String {
    let (of_a, of_b) = (a.roles.all().leaked(), b.roles.all().leaked());
    let moved = moved(a, b);
    if of_b <= of_a {
        let each = |leaked: u32, report: &Report| match sessions(report) {
            0 => 0.0,
            sessions => f64::from(leaked) / f64::from(sessions),
        };
        let (each_a, each_b) = (each(of_a, a), each(of_b, b));
        return if each_b > each_a {
            format!("leaks more per session: {each_a:.2} → {each_b:.2} processes ({of_a} → {of_b})")
        } else {
            format!(
                "leaks in a new way: {} {} ({of_a} in A)",
                processes(of_b),
                outlive(of_b)
            )
        };
    }
    let more = of_b - of_a;
    let noun = if more == 1 { "process" } else { "processes" };
    let mut text = format!(
        "leaks{}: {more} more {noun} {} ({moved})",
        if of_a == 0 { "" } else { " more" },
        outlive(more)
    );
    let (held_a, held_b) = (a.memory.leaked_rss_bytes, b.memory.leaked_rss_bytes);
    if held_b > held_a {
        let hold = if more == 1 { "holds" } else { "hold" };
        text += &format!(" and {hold} {}", units::bytes(held_b - held_a));
        if held_a > 0 {
            text += " more";
        }
    }
    text
}

/// In what B is better.
fn better(a: &Report, b: &Report) -> Vec<String> {
    let mut parts = Vec::new();
    let (all_a, all_b) = (a.roles.all(), b.roles.all());
    let (of_a, of_b) = (all_a.leaked(), all_b.leaked());
    let lower = |of_a: u32, of_b: u32, size_a: u32, size_b: u32| {
        u64::from(of_b) * u64::from(size_a.max(1)) < u64::from(of_a) * u64::from(size_b.max(1))
    };
    if of_b < of_a && lower(of_a, of_b, sessions(a), sessions(b)) {
        let how = if of_b == 0 {
            "no longer leaks"
        } else {
            "leaks less"
        };
        let fewer = of_a - of_b;
        let noun = if fewer == 1 { "process" } else { "processes" };
        let mut text = format!(
            "{how}: {fewer} fewer {noun} {} ({})",
            outlive(fewer),
            moved(a, b)
        );
        let (held_a, held_b) = (a.memory.leaked_rss_bytes, b.memory.leaked_rss_bytes);
        if held_b < held_a {
            text += &format!(", {} less held", units::bytes(held_a - held_b));
        }
        parts.push(text);
    }
    if lower(
        all_a.killed_early,
        all_b.killed_early,
        sessions(a),
        sessions(b),
    ) {
        let how = if all_b.killed_early == 0 {
            "no longer ends"
        } else {
            "ends fewer"
        };
        parts.push(format!(
            "{how} processes before their time: killed early {} → {}",
            all_a.killed_early, all_b.killed_early
        ));
    }
    if lower(a.work.lost, b.work.lost, a.work.offered, b.work.offered) {
        let how = if b.work.lost == 0 {
            "no longer loses work"
        } else {
            "loses less work"
        };
        parts.push(format!(
            "{how}: lost {} of {} items → {} of {}",
            a.work.lost, a.work.offered, b.work.lost, b.work.offered
        ));
    }
    if let Some(first) = parts.first_mut() {
        first.insert_str(0, "B ");
    }
    parts
}

/// That nothing matters, and what both have.
fn alike(a: &Report, b: &Report) -> String {
    let (of_a, of_b) = (a.roles.all().leaked(), b.roles.all().leaked());
    let what = match (of_a, of_b) {
        (0, 0) => "nothing outlives its session in either".to_owned(),
        (of_a, of_b) if of_a == of_b => {
            format!("{} {} in both", processes(of_a), outlive(of_a))
        }
        (of_a, of_b) => {
            let load = |report| Count(u64::from(sessions(report)), "session");
            format!(
                "{} {} in A ({}), {of_b} in B ({})",
                processes(of_a),
                outlive(of_a),
                load(a),
                load(b)
            )
        }
    };
    format!("no difference that matters: {what}")
}

/// What became of the work, where nothing else says it.
fn work(a: &Report, b: &Report) -> Option<String> {
    let (of_a, of_b) = (&a.work, &b.work);
    if of_a.offered == 0 && of_b.offered == 0 {
        return None;
    }
    Some(if (of_a.lost, of_a.offered) == (of_b.lost, of_b.offered) {
        format!("{} of {} items lost in both", of_a.lost, of_a.offered)
    } else {
        format!(
            "{} of {} items lost in A, {} of {} in B",
            of_a.lost, of_a.offered, of_b.lost, of_b.offered
        )
    })
}
