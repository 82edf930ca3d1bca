//! What differs: the figures, findings, thresholds and growth of two reports, put beside each other.

use std::collections::BTreeSet;

use super::{
    Amount, Change, Each, FindingDifference, GrowthDifference, Measured, Row, Side, Table,
    ThresholdDifference, Unit, Wish,
};
use crate::judge::TimeToReap;
use crate::judge::books::Bins;
use crate::judge::finding::Finding;
use crate::report::Report;
use crate::scenario::Bin;

/// How many sessions are named of a finding; the others are in the reports.
const SESSIONS: usize = 3;
/// What a growth finding's signature ends with when a baseline was slower; the shape is the same without it.
const FASTER: &str = ", faster than the baseline";

/// Sessions that figures are divided by.
pub(super) fn sessions(report: &Report) -> u32 {
    match report.sessions.ended {
        0 => report.sessions.opened,
        ended => ended,
    }
}

/// Whether a rule counts work items.
pub(super) const fn counts_work(rule: Bin) -> bool {
    matches!(
        rule,
        Bin::Duplicated | Bin::Lost | Bin::Pending | Bin::Refused | Bin::Skipped | Bin::Unknown
    )
}

/// The size of a load, as far as a rule's count grows with it.
fn size(report: &Report, rule: Bin) -> u32 {
    if counts_work(rule) {
        report.work.offered
    } else {
        sessions(report)
    }
}

/// How many of a finding the size of B's load explains, when A has so many: in proportion, rounded up, with so many percent more.
fn explained(count: u32, of_a: u32, of_b: u32, tolerance: u32) -> u32 {
    // A load without a size explains nothing beyond what A has.
    let (of_a, of_b) = if of_a == 0 { (1, 1) } else { (of_a, of_b) };
    let more = u128::from(count) * u128::from(of_b) * (100 + u128::from(tolerance));
    let most = more.div_ceil(u128::from(of_a) * 100);
    u32::try_from(most).unwrap_or(u32::MAX)
}

/// One of the two runs.
pub(super) fn side(given: &str, report: &Report) -> Side {
    Side {
        given: given.to_owned(),
        scenario: report.scenario.name.clone(),
        seed: report.scenario.seed,
        worker: report.worker.name.clone(),
        version: report.worker.version.clone(),
        cleanup: report.worker.cleanup.clone(),
        verdict: report.verdict,
        sessions: sessions(report),
        elapsed_ms: report.elapsed_ms,
    }
}

/// Why the two are not comparable as they are.
pub(super) fn caveats(a: &Report, b: &Report) -> Vec<String> {
    let mut caveats = Vec::new();
    let mut differ = |what: &str, of_a: &str, of_b: &str| {
        if of_a != of_b {
            caveats.push(format!("{what}: {of_a} in A, {of_b} in B"));
        }
    };
    differ("another scenario", &a.scenario.name, &b.scenario.name);
    differ("another worker", &a.worker.name, &b.worker.name);
    differ(
        "another time scale",
        &a.scenario.time_scale.to_string(),
        &b.scenario.time_scale.to_string(),
    );
    differ(
        "load compressed otherwise",
        &a.scenario.compress.to_string(),
        &b.scenario.compress.to_string(),
    );
    let per_session = |report: &Report| match sessions(report) {
        0 => "0".to_owned(),
        sessions => format!(
            "{:.2}",
            f64::from(report.work.offered) / f64::from(sessions)
        ),
    };
    differ(
        "other work items per session",
        &per_session(a),
        &per_session(b),
    );
    let load = |report: &Report| sessions(report).to_string();
    differ("another number of sessions", &load(a), &load(b));
    let ballast = |report: &Report| {
        if report.memory.ballast {
            "with ballast"
        } else {
            "without"
        }
    };
    differ("RSS counted otherwise", ballast(a), ballast(b));
    let place = |report: &Report| match report.isolation {
        None => "unknown",
        Some(place) if place.pid_namespace => "a process namespace of its own",
        Some(_) => "no process namespace of its own",
    };
    differ("another place", place(a), place(b));
    for (name, report) in [("A", a), ("B", b)] {
        for line in &report.witnesses {
            let witness = crate::judge::witness_name(line.witness);
            if line.off.is_some() {
                caveats.push(format!("{name} ran without its witness {witness}"));
            } else if let Some(reason) = &line.failed {
                caveats.push(format!("a witness failed in {name}, {witness}: {reason}"));
            }
        }
    }
    caveats
}

/// Findings by signature.
pub(super) fn findings(a: &Report, b: &Report, tolerance: u32) -> Vec<FindingDifference> {
    let key = |finding: &Finding| {
        let signature = &finding.signature;
        signature
            .strip_suffix(FASTER)
            .unwrap_or(signature)
            .to_owned()
    };
    let of = |report: &Report, wanted: &str| -> Vec<Finding> {
        let found = report.findings.iter();
        found
            .filter(|finding| key(finding) == wanted)
            .cloned()
            .collect()
    };
    let signatures: BTreeSet<String> = a.findings.iter().chain(&b.findings).map(key).collect();
    let mut differences: Vec<FindingDifference> = signatures
        .into_iter()
        .filter_map(|signature| {
            let (in_a, in_b) = (of(a, &signature), of(b, &signature));
            let shown = in_b.first().or(in_a.first())?.clone();
            let sum = |found: &[Finding]| found.iter().map(|finding| finding.count).sum::<u32>();
            let (count_a, count_b) = (sum(&in_a), sum(&in_b));
            let change = match (count_a, count_b) {
                (0, _) => Change::New,
                (_, 0) => Change::Gone,
                (a, b) if a < b => Change::More,
                (a, b) if a > b => Change::Fewer,
                _ => Change::Same,
            };
            let has = if in_b.is_empty() { &in_a } else { &in_b };
            Some(FindingDifference {
                change,
                rule: shown.rule,
                blames: has.iter().any(|finding| finding.blames),
                a: count_a,
                b: count_b,
                explained: (count_a > 0).then(|| {
                    let (of_a, of_b) = (size(a, shown.rule), size(b, shown.rule));
                    explained(count_a, of_a, of_b, tolerance)
                }),
                signature,
                cause: shown.cause,
                sessions: shown.sessions.into_iter().take(SESSIONS).collect(),
                seen: shown.evidence.seen,
            })
        })
        .collect();
    differences.sort_by(|one, other| {
        (one.change, one.rule, &one.signature).cmp(&(other.change, other.rule, &other.signature))
    });
    differences
}

/// The thresholds of either.
pub(super) fn thresholds(a: &Report, b: &Report) -> Vec<ThresholdDifference> {
    let measured = |report: &Report, metric: &str| {
        let mut lines = report.thresholds.iter();
        let line = lines.find(|line| line.metric == metric)?;
        Some(Measured {
            limit: line.limit,
            actual: line.actual,
            ok: line.ok,
        })
    };
    let lines = b.thresholds.iter().chain(&a.thresholds);
    let mut seen = BTreeSet::new();
    lines
        .filter(|line| seen.insert(&line.metric))
        .map(|line| {
            let (of_a, of_b) = (measured(a, &line.metric), measured(b, &line.metric));
            ThresholdDifference {
                metric: line.metric.clone(),
                a: of_a,
                b: of_b,
                newly_crossed: of_b.is_some_and(|measured| !measured.ok)
                    && of_a.is_none_or(|measured| measured.ok),
            }
        })
        .collect()
}

/// The figures that are watched for growth, of either.
pub(super) fn growth(a: &Report, b: &Report) -> Vec<GrowthDifference> {
    let mut seen = BTreeSet::new();
    b.growth
        .iter()
        .chain(&a.growth)
        .filter(|figure| seen.insert(&figure.figure))
        .map(|figure| {
            let find = |report: &Report| {
                let mut figures = report.growth.iter();
                figures.find(|other| other.figure == figure.figure).cloned()
            };
            let (of_a, of_b) = (find(a), find(b));
            let surely_faster = match (&of_a, &of_b) {
                (Some(a), Some(b)) if a.judged && b.judged => {
                    Some(a.grows && b.grows && b.surely_faster_than(a))
                }
                _ => None,
            };
            GrowthDifference {
                figure: figure.figure.clone(),
                a: of_a,
                b: of_b,
                surely_faster,
            }
        })
        .collect()
}

/// The books and all other figures.
pub(super) fn tables(a: &Report, b: &Report) -> Vec<Table> {
    let sizes = (sessions(a), sessions(b));
    let count = |name, wish, of_a: u32, of_b: u32| {
        let whole = |count: u32| Some(Amount::Whole(u64::from(count)));
        row(name, Unit::Count, wish, whole(of_a), whole(of_b))
    };
    let load = |row: Row| per_session(row, sizes);
    let mut tables = vec![
        table(
            "processes",
            bins(&a.processes, &b.processes).map(|(name, wish, of_a, of_b)| {
                let row = count(name, wish, of_a, of_b);
                // What lived at once does not grow with the number of sessions.
                if name == "peak" { row } else { load(row) }
            }),
        ),
        table(
            "work",
            [("offered", a.work.offered, b.work.offered)]
                .into_iter()
                .chain(
                    a.work
                        .named()
                        .into_iter()
                        .zip(b.work.named())
                        .map(|((name, of_a), (_, of_b))| (name, of_a, of_b)),
                )
                .map(|(name, of_a, of_b)| {
                    let wish = match name {
                        "answered" => Wish::More,
                        "offered" | "aborted" | "skipped" => Wish::Neither,
                        _ => Wish::Less,
                    };
                    load(count(name, wish, of_a, of_b))
                }),
        ),
    ];
    for ((name, of_a), (_, of_b)) in a.roles.named().into_iter().zip(b.roles.named()) {
        let all_there_is =
            of_a.spawned == a.processes.spawned && of_b.spawned == b.processes.spawned;
        if of_a != of_b && !(name == "primary" && all_there_is) {
            tables.push(table(
                &format!("role {name}"),
                bins(&of_a, &of_b).map(|(name, wish, of_a, of_b)| count(name, wish, of_a, of_b)),
            ));
        }
    }
    tables.push(table(
        "sessions",
        [
            count(
                "planned",
                Wish::Neither,
                a.sessions.planned,
                b.sessions.planned,
            ),
            count(
                "opened",
                Wish::Neither,
                a.sessions.opened,
                b.sessions.opened,
            ),
            count("ended", Wish::Neither, a.sessions.ended, b.sessions.ended),
            count(
                "stalled",
                Wish::Less,
                a.sessions.stalled,
                b.sessions.stalled,
            ),
        ],
    ));
    tables.push(times("time to go", &a.time_to_reap_ms, &b.time_to_reap_ms));
    tables.push(times("end answers", &a.end_answer_ms, &b.end_answer_ms));
    let bytes = |name, of_a: Option<u64>, of_b: Option<u64>| {
        row(
            name,
            Unit::Bytes,
            Wish::Less,
            of_a.map(Amount::Whole),
            of_b.map(Amount::Whole),
        )
    };
    let (of_a, of_b) = (&a.memory, &b.memory);
    tables.push(table(
        "memory",
        [
            bytes(
                "peak RSS",
                Some(of_a.peak_rss_bytes),
                Some(of_b.peak_rss_bytes),
            ),
            bytes("peak PSS", of_a.peak_pss_bytes, of_b.peak_pss_bytes),
            load(bytes(
                "leaked RSS",
                Some(of_a.leaked_rss_bytes),
                Some(of_b.leaked_rss_bytes),
            )),
            load(bytes(
                "leaked PSS",
                of_a.leaked_pss_bytes,
                of_b.leaked_pss_bytes,
            )),
            bytes(
                "worker's own peak RSS",
                Some(of_a.worker_peak_rss_bytes).filter(|bytes| *bytes > 0),
                Some(of_b.worker_peak_rss_bytes).filter(|bytes| *bytes > 0),
            ),
        ],
    ));
    let part = |name, unit, of_a: f64, of_b: f64| {
        let (of_a, of_b) = (Some(Amount::Part(of_a)), Some(Amount::Part(of_b)));
        row(name, unit, Wish::Less, of_a, of_b)
    };
    let (of_a, of_b) = (&a.forecast, &b.forecast);
    let (rss_a, rss_b) = (of_a.exhausts_in_s, of_b.exhausts_in_s);
    tables.push(table(
        "forecast",
        [
            part(
                "leaked per session",
                Unit::Rate,
                of_a.leaked_per_session,
                of_b.leaked_per_session,
            ),
            part("leaked per hour", Unit::Rate, of_a.per_hour, of_b.per_hour),
            row(
                "memory full in (by RSS)",
                Unit::Seconds,
                Wish::More,
                rss_a.map(Amount::Whole),
                rss_b.map(Amount::Whole),
            ),
        ],
    ));
    tables.push(overhead(a, b));
    tables
}

/// What watching cost.
fn overhead(a: &Report, b: &Report) -> Table {
    let cpu = |report: &Report| report.overhead.cpu_ms.map(Amount::Whole);
    let share = |report: &Report| {
        let cpu = report.overhead.cpu_ms.filter(|_| report.elapsed_ms > 0)?;
        Some(Amount::Part(cpu as f64 / report.elapsed_ms as f64))
    };
    let ticks = |ticks: u32| Some(Amount::Whole(u64::from(ticks)));
    let (of_a, of_b) = (&a.overhead, &b.overhead);
    let samples =
        |name, wish, of_a: u32, of_b: u32| row(name, Unit::Count, wish, ticks(of_a), ticks(of_b));
    table(
        "watching",
        [
            row(
                "harness CPU",
                Unit::Milliseconds,
                Wish::Neither,
                cpu(a),
                cpu(b),
            ),
            row(
                "of one processor",
                Unit::Share,
                Wish::Neither,
                share(a),
                share(b),
            ),
            samples("samples", Wish::Neither, of_a.ticks, of_b.ticks),
            samples(
                "late samples",
                Wish::Neither,
                of_a.late_ticks,
                of_b.late_ticks,
            ),
            samples(
                "lost samples",
                Wish::Neither,
                of_a.lost_ticks,
                of_b.lost_ticks,
            ),
        ],
    )
}

fn table(name: &str, rows: impl IntoIterator<Item = Row>) -> Table {
    Table {
        name: name.to_owned(),
        rows: rows.into_iter().collect(),
    }
}

fn row(name: &'static str, unit: Unit, wish: Wish, a: Option<Amount>, b: Option<Amount>) -> Row {
    let ratio = match (a, b) {
        (Some(a), Some(b)) if a.number() > 0.0 => Some(b.number() / a.number()),
        _ => None,
    };
    Row {
        name,
        unit,
        wish,
        a,
        b,
        ratio,
        per_session: None,
    }
}

/// The row with its figures per session, where the runs differ in size.
fn per_session(mut row: Row, (of_a, of_b): (u32, u32)) -> Row {
    if of_a != of_b
        && of_a > 0
        && of_b > 0
        && let (Some(a), Some(b)) = (row.a, row.b)
    {
        row.per_session = Some(Each {
            a: a.number() / f64::from(of_a),
            b: b.number() / f64::from(of_b),
        });
    }
    row
}

/// The bins of both, with what one wishes of each.
fn bins(a: &Bins, b: &Bins) -> impl Iterator<Item = (&'static str, Wish, u32, u32)> + use<> {
    let first = [
        ("spawned", Wish::Neither, a.spawned, b.spawned),
        ("peak", Wish::Less, a.peak, b.peak),
    ];
    let named = a.named().into_iter().zip(b.named());
    first
        .into_iter()
        .chain(named.map(|((name, of_a), (_, of_b))| {
            let wish = match name {
                "clean" => Wish::More,
                "survivor" => Wish::Neither,
                _ => Wish::Less,
            };
            (name, wish, of_a, of_b)
        }))
}

fn times(name: &str, a: &TimeToReap, b: &TimeToReap) -> Table {
    let time = |name, of_a: u64, of_b: u64| {
        let taken = |times: &TimeToReap, time| (times.count > 0).then_some(Amount::Whole(time));
        row(
            name,
            Unit::Milliseconds,
            Wish::Less,
            taken(a, of_a),
            taken(b, of_b),
        )
    };
    let (of_a, of_b) = (Some(Amount::Whole(a.count)), Some(Amount::Whole(b.count)));
    table(
        name,
        [
            time("p50", a.p50, b.p50),
            time("p95", a.p95, b.p95),
            time("p99", a.p99, b.p99),
            time("max", a.max, b.max),
            row("count", Unit::Count, Wish::Neither, of_a, of_b),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::examples::{failing, passing};

    #[test]
    fn the_size_of_the_load_explains_in_proportion_and_rounded_up() {
        for (count, of_a, of_b, tolerance, expected) in [
            (10, 100, 100, 0, 10),
            (10, 100, 250, 0, 25),
            (10, 100, 55, 0, 6),
            (1, 100, 10, 0, 1),
            (10, 100, 100, 15, 12),
            (10, 0, 100, 0, 10),
            (10, 100, 0, 0, 0),
            (u32::MAX, 1, u32::MAX, 100, u32::MAX),
        ] {
            assert_eq!(
                explained(count, of_a, of_b, tolerance),
                expected,
                "{count} of {of_a}, then {of_b} with {tolerance} %"
            );
        }
    }

    #[test]
    fn runs_of_one_scenario_and_worker_are_comparable_whatever_their_seeds() {
        let mut b = passing();
        b.scenario.seed += 1;
        b.worker.version = Some("0.2.0".to_owned());
        b.worker.cleanup = vec!["none".to_owned()];
        assert_eq!(caveats(&passing(), &b), Vec::<String>::new());
    }

    #[test]
    fn what_makes_two_runs_hard_to_compare_is_said() {
        let (a, mut b) = (passing(), failing());
        b.scenario.time_scale = 60.0;
        b.worker.name = "claude-mem".to_owned();
        b.witnesses[0].off = Some("exits".to_owned());
        b.witnesses[1].failed = Some("gone".to_owned());
        b.isolation = None;
        let said = caveats(&a, &b);
        for expected in [
            "another scenario: clean-control in A, 603-as-reported in B",
            "another worker: model in A, claude-mem in B",
            "another time scale: 1 in A, 60 in B",
            "load compressed otherwise: 1 in A, 1200 in B",
            "other work items per session: 3.00 in A, 2.00 in B",
            "another number of sessions: 40 in A, 121 in B",
            "RSS counted otherwise: without in A, with ballast in B",
            "another place: a process namespace of its own in A, unknown in B",
            "B ran without its witness reaper",
            "a witness failed in B, process table: gone",
        ] {
            assert!(
                said.iter().any(|line| line == expected),
                "{expected}: {said:#?}"
            );
        }
        assert_eq!(said.len(), 10);
    }

    #[test]
    fn figures_are_given_per_session_only_where_the_sizes_differ() {
        let retained = |a: &Report, b: &Report| {
            let tables = tables(a, b);
            let mut rows = tables
                .into_iter()
                .next()
                .expect("books come first")
                .rows
                .into_iter();
            rows.find(|row| row.name == "retained")
                .expect("it is a bin")
        };
        let (a, b) = (passing(), failing());
        let each = retained(&a, &b).per_session.expect("40 sessions and 121");
        assert_eq!((each.a, each.b), (0.0, 1.0));
        assert_eq!(retained(&b, &b).per_session, None);
        assert_eq!(retained(&b, &b).ratio, Some(1.0));
        assert_eq!(retained(&a, &b).ratio, None);
    }
}
