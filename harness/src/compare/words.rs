//! What all renderers say in the same words.

use fake_claude::quantity::Span;

use super::{
    Amount, Change, Comparison, FindingDifference, GrowthDifference, Kind, Measured, Outcome, Row,
    Side, Table, ThresholdDifference, Unit, Wish,
};
use crate::judge::GrowthFigure;
use crate::judge::finding::rule_name;
use crate::report::sentences;
use crate::units::{self, Count};

/// Below this part of the larger one, two amounts that were measured and not counted are alike to people.
const ALIKE: f64 = 0.005;
/// Below this part of the larger one, a difference of what was measured is neither good nor bad: two runs of the same differ by as much.
const NOISE: f64 = 0.1;

/// The change of what is the same in both.
const SAME: &str = "=";

/// Whether a difference is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// B is better.
    Better,
    /// B is worse.
    Worse,
    /// Neither.
    Neutral,
}

impl Tone {
    /// The name, for a class of a page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Neutral => "neutral",
        }
    }
}

/// One line of a table, in words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Of what.
    pub name: String,
    /// A's.
    pub a: String,
    /// B's.
    pub b: String,
    /// What changed.
    pub change: String,
    /// The same for each session: A's, B's; empty where that is not known or says nothing new.
    pub each: String,
    /// Whether that is good.
    pub tone: Tone,
}

impl Line {
    /// Whether the two runs differ in it, as far as people see.
    pub fn has_changed(&self) -> bool {
        self.change != SAME && self.a != self.b
    }
}

/// A table in words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lines {
    /// Of what.
    pub name: String,
    /// Its lines; never none.
    pub lines: Vec<Line>,
}

/// Everything that has figures, what is nothing in both left out.
pub(super) fn tables(comparison: &Comparison) -> Vec<Lines> {
    let mut tables: Vec<Lines> = comparison
        .tables
        .iter()
        .map(|table| Lines {
            name: title(&table.name).to_owned(),
            lines: lines(table),
        })
        .collect();
    let place = tables.len().saturating_sub(1);
    let growth = comparison.growth.iter().filter_map(growth).collect();
    tables.insert(
        place,
        Lines {
            name: "growth".to_owned(),
            lines: growth,
        },
    );
    let thresholds = comparison.thresholds.iter().map(threshold).collect();
    tables.insert(
        0,
        Lines {
            name: "thresholds".to_owned(),
            lines: thresholds,
        },
    );
    tables.retain(|table| !table.lines.is_empty());
    tables
}

/// What a table is called for people.
fn title(name: &str) -> &str {
    match name {
        "time to go" => "gone after",
        "end answers" => "answer to end requests",
        name => name,
    }
}

/// The lines of a table.
fn lines(table: &Table) -> Vec<Line> {
    // How many times there are is no figure of its own: the books say how many processes went.
    let is_time = |row: &Row| row.unit == Unit::Milliseconds;
    let of_times = table.name != "watching" && table.rows.iter().any(is_time);
    // Sessions say nothing where all of both came to their end.
    let alike = table.name == "sessions" && table.rows.iter().all(|row| row.a == row.b);
    let spawned = table.rows.iter().find(|row| row.name == "spawned");
    let rows = table.rows.iter();
    rows.filter(|row| !alike && has_something(row) && (!of_times || is_time(row)))
        .map(|row| {
            let mut line = line(row);
            // Times alone are never a regression: they are shown.
            if of_times {
                line.tone = Tone::Neutral;
            }
            // Fewer that went as they should are good news where fewer were started.
            if let ("clean", Some(spawned)) = (row.name, spawned) {
                line.tone = of_all(row, spawned);
            }
            line
        })
        .collect()
}

/// Whether more of a part is a larger share of the whole, which is good.
fn of_all(part: &Row, whole: &Row) -> Tone {
    let share = |part: Option<Amount>, whole: Option<Amount>| match (part, whole) {
        (Some(part), Some(whole)) if whole.number() > 0.0 => Some(part.number() / whole.number()),
        _ => None,
    };
    match (share(part.a, whole.a), share(part.b, whole.b)) {
        (Some(a), Some(b)) if a > b => Tone::Worse,
        (Some(a), Some(b)) if a < b => Tone::Better,
        _ => Tone::Neutral,
    }
}

fn has_something(row: &Row) -> bool {
    let something = |amount: Option<Amount>| amount.is_some_and(|amount| amount.number() != 0.0);
    something(row.a) || something(row.b)
}

fn line(row: &Row) -> Line {
    Line {
        name: row.name.replace('_', " "),
        a: amount_or_none(row.unit, row.a),
        b: amount_or_none(row.unit, row.b),
        change: change(row),
        each: row.per_session.map_or_else(String::new, |each| {
            let amount = |amount| match row.unit {
                Unit::Bytes => amount_of(Unit::Bytes, amount),
                _ => format!("{amount:.2}"),
            };
            format!("{} → {}", amount(each.a), amount(each.b))
        }),
        tone: tone(row),
    }
}

/// A factor.
fn times(ratio: f64) -> String {
    if ratio < 10.0 {
        format!("×{ratio:.2}")
    } else {
        format!("×{ratio:.0}")
    }
}

fn amount_or_none(unit: Unit, amount: Option<Amount>) -> String {
    amount.map_or_else(|| "-".to_owned(), |amount| amount_of(unit, amount.number()))
}

/// An amount that is not below nothing.
fn amount_of(unit: Unit, amount: f64) -> String {
    match unit {
        Unit::Count => format!("{amount:.0}"),
        Unit::Bytes => units::bytes(amount as u64),
        Unit::Milliseconds => units::span(Span::from_millis(amount as u64)),
        Unit::Seconds => units::span(Span::from_millis((amount as u64).saturating_mul(1_000))),
        Unit::Rate => format!("{amount:.2}"),
        Unit::Share => format!("{:.1} %", 100.0 * amount),
    }
}

/// The difference with its sign, and the factor where things are measured and not counted.
fn change(row: &Row) -> String {
    let (Some(a), Some(b)) = (row.a, row.b) else {
        return String::new();
    };
    let (a, b) = (a.number(), b.number());
    if differ_by_less(row.unit, a, b, ALIKE) {
        return SAME.to_owned();
    }
    let sign = if b > a { '+' } else { '−' };
    let difference = format!("{sign}{}", amount_of(row.unit, (b - a).abs()));
    match (row.unit, row.ratio) {
        (Unit::Count | Unit::Rate, _) | (_, None) => difference,
        (_, Some(ratio)) => format!("{difference} ({})", times(ratio)),
    }
}

/// Whether two amounts differ by no more than this part of the larger one, or not at all where things are counted.
fn differ_by_less(unit: Unit, a: f64, b: f64, part: f64) -> bool {
    let least = match unit {
        Unit::Count => 0.0,
        _ => part * a.abs().max(b.abs()),
    };
    (a - b).abs() <= least
}

fn tone(row: &Row) -> Tone {
    let (Some(a), Some(b)) = (row.a, row.b) else {
        return Tone::Neutral;
    };
    // With loads of different size, what is more for each session is more.
    let (a, b) = row
        .per_session
        .map_or((a.number(), b.number()), |each| (each.a, each.b));
    if differ_by_less(row.unit, a, b, NOISE) {
        return Tone::Neutral;
    }
    match (row.wish, b > a) {
        (Wish::Neither, _) => Tone::Neutral,
        (Wish::Less, true) | (Wish::More, false) => Tone::Worse,
        (Wish::Less, false) | (Wish::More, true) => Tone::Better,
    }
}

/// A threshold as a line.
fn threshold(threshold: &ThresholdDifference) -> Line {
    let words = |measured: Option<Measured>| {
        measured.map_or_else(
            || "no such threshold".to_owned(),
            |measured| {
                let relation = if measured.ok { "within" } else { "ABOVE" };
                let [actual, limit] = [measured.actual, measured.limit]
                    .map(|value| sentences::measured(&threshold.metric, value));
                format!("{actual}, {relation} {limit}")
            },
        )
    };
    let crossed = |measured: Option<Measured>| measured.is_some_and(|measured| !measured.ok);
    let (change, tone) = match (crossed(threshold.a), crossed(threshold.b)) {
        _ if threshold.newly_crossed => ("newly crossed", Tone::Worse),
        (true, true) => ("crossed in both", Tone::Neutral),
        (true, false) => ("no longer crossed", Tone::Better),
        (false, _) => ("kept", Tone::Neutral),
    };
    Line {
        name: threshold.metric.clone(),
        a: words(threshold.a),
        b: words(threshold.b),
        change: change.to_owned(),
        each: String::new(),
        tone,
    }
}

/// A figure that may grow as a line: its slope per hour with its interval; none where neither was judged.
fn growth(difference: &GrowthDifference) -> Option<Line> {
    let judged = |figure: &Option<GrowthFigure>| figure.clone().filter(|figure| figure.judged);
    let (a, b) = (judged(&difference.a), judged(&difference.b));
    if a.is_none() && b.is_none() {
        return None;
    }
    let words = |figure: &Option<GrowthFigure>| {
        figure.as_ref().map_or_else(
            || "not judged".to_owned(),
            |figure| {
                format!(
                    "{} an hour ({} to {})",
                    slope(figure, figure.slope_per_hour),
                    slope(figure, figure.slope_per_hour_low),
                    slope(figure, figure.slope_per_hour_high)
                )
            },
        )
    };
    let each = match (&a, &b) {
        (Some(a), Some(b)) => a
            .per_session
            .zip(b.per_session)
            .map(|(of_a, of_b)| format!("{} → {}", slope(a, of_a), slope(b, of_b))),
        _ => None,
    };
    let grows = |figure: &Option<GrowthFigure>| figure.as_ref().is_some_and(|figure| figure.grows);
    let (change, tone) = match (grows(&a), grows(&b)) {
        (false, false) => ("level", Tone::Neutral),
        (false, true) => ("grows", Tone::Worse),
        (true, false) => ("no longer grows", Tone::Better),
        (true, true) if difference.surely_faster == Some(true) => ("surely faster", Tone::Worse),
        (true, true) => ("grows in both", Tone::Neutral),
    };
    Some(Line {
        name: difference.figure.clone(),
        a: words(&a),
        b: words(&b),
        change: change.to_owned(),
        each: each.unwrap_or_default(),
        tone,
    })
}

/// A slope, which may be below nothing.
fn slope(figure: &GrowthFigure, slope: f64) -> String {
    let sign = match slope {
        slope if slope < 0.0 => "−",
        slope if slope > 0.0 => "+",
        _ => "",
    };
    if figure.figure.ends_with("RSS") {
        format!("{sign}{}", units::bytes(slope.abs() as u64))
    } else {
        format!("{sign}{:.2}", slope.abs())
    }
}

/// Which run a side is.
pub(super) fn side(side: &Side) -> String {
    let mut text = format!("{} (seed {}) on {}", side.scenario, side.seed, side.worker);
    if let Some(version) = &side.version {
        text += &format!(" {version}");
    }
    if !side.cleanup.is_empty() {
        text += &format!(", cleanup {}", side.cleanup.join("+"));
    }
    format!(
        "{text}; {}; {}; {}; from {}",
        Count(u64::from(side.sessions), "session"),
        units::span(Span::from_millis(side.elapsed_ms)),
        side.verdict,
        side.given
    )
}

/// The word for a change, of one width.
pub(super) const fn change_word(change: Change) -> &'static str {
    match change {
        Change::New => "new",
        Change::More => "more",
        Change::Same => "same",
        Change::Fewer => "fewer",
        Change::Gone => "gone",
    }
}

/// Whether a finding's change is good.
pub(super) const fn finding_tone(finding: &FindingDifference) -> Tone {
    match finding.change {
        _ if !finding.blames => Tone::Neutral,
        Change::New | Change::More => Tone::Worse,
        Change::Same => Tone::Neutral,
        Change::Fewer | Change::Gone => Tone::Better,
    }
}

/// A finding in one line behind the word for its change: `retained 0 → 121: primary …`.
pub(super) fn finding(finding: &FindingDifference) -> String {
    let shape = finding.signature.strip_prefix(rule_name(finding.rule));
    let note = if finding.blames {
        ""
    } else {
        " (planned or excused)"
    };
    let counts = if finding.a == finding.b {
        finding.a.to_string()
    } else {
        format!("{} → {}", finding.a, finding.b)
    };
    format!(
        "{} {counts}{note}{}",
        rule_name(finding.rule).replace('_', " "),
        shape.unwrap_or(&finding.signature)
    )
}

/// Where B is worse: one line each, and how sure that is. What a finding's own line says already is left out.
pub(super) fn regressions(comparison: &Comparison) -> Vec<String> {
    let found = comparison.regressions.iter();
    found
        .filter(|one| !(one.kind == Kind::NewFinding && one.sure))
        .map(|one| {
            let kind = match one.kind {
                Kind::NewFinding => "new",
                Kind::MoreFindings => "more of the same",
                Kind::FasterGrowth => "growth",
                Kind::ThresholdCrossed => "threshold",
                Kind::Verdict => "verdict",
            };
            let doubt = if one.sure {
                ""
            } else {
                " (A may have had it too)"
            };
            format!("{kind}: {}{doubt}", one.words)
        })
        .collect()
}

/// The outcome in two words.
pub(super) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Regression => "Regression",
        Outcome::Undecided => "Not decided",
        Outcome::NoRegression => "No regression",
    }
}
