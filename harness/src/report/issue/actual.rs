//! What a finding says, in words that need no knowledge of this program.

use fake_claude::quantity::Span;

use crate::judge::finding::{Finding, rule_name};
use crate::report::{Report, sentences};
use crate::scenario::Bin;
use crate::units;

/// A time of the wall as the worker counts it.
pub(super) fn scaled(span: Span, scale: f64) -> Span {
    Span::from_millis((span.as_millis() as f64 * scale).round() as u64)
}

/// What is found, in a few words: `10 of 10 claudes outlived the session's end`.
pub(super) fn heading(report: &Report, finding: &Finding) -> String {
    let counted = counted(report, finding);
    let were = if finding.count == 1 { "was" } else { "were" };
    let what = match finding.rule {
        Bin::Retained | Bin::Reparented | Bin::Readopted => "outlived the session's end".to_owned(),
        Bin::Residue => "outlived the worker".to_owned(),
        Bin::Zombie => format!("{were} waited for by nobody"),
        Bin::KilledEarly => format!("{were} ended too early"),
        Bin::Crashed => "ended with work unanswered".to_owned(),
        Bin::Lost => format!("{were} lost"),
        Bin::Duplicated => format!("{were} done twice or more"),
        Bin::Refused => format!("{were} refused"),
        Bin::Unknown => "got no answer".to_owned(),
        Bin::Stalled => "could not go on".to_owned(),
        Bin::Twin => "had two live claudes at once".to_owned(),
        Bin::Storm => "started far too many processes".to_owned(),
        other => return format!("{counted}: {}", rule_name(other).replace('_', " ")),
    };
    format!("{counted} {what}")
}

/// The sentence of a finding under **Actual**.
pub(super) fn sentence(report: &Report, finding: &Finding) -> String {
    let counted = counted(report, finding);
    let cause = &finding.cause;
    let evidence = &finding.evidence;
    let both = |text: &str| in_both_times(text, report.scenario.time_scale);
    match finding.rule {
        Bin::Retained | Bin::Reparented | Bin::Residue | Bin::Zombie | Bin::Readopted => {
            let due = both(&evidence.expected).replace("its session's", "the session's");
            let seen = both(&evidence.seen);
            format!(
                "{counted} should have been {due}, and {} {seen} (until the end, or as long as the run looked): {cause}",
                if finding.count == 1 { "was" } else { "were" }
            )
        }
        Bin::KilledEarly | Bin::Crashed => format!("{counted}: {cause}{}", ages(report, finding)),
        Bin::Lost => format!("{counted} that the worker had accepted came to nothing: {cause}"),
        _ => format!("{}: {cause}", heading(report, finding)),
    }
}

/// What a finding's rule asks for, where the scenario says nothing of it.
pub(super) fn expected(report: &Report, finding: &Finding) -> String {
    let (subject, _) = names(finding);
    let expected = in_both_times(&finding.evidence.expected, report.scenario.time_scale);
    format!("each {subject}: {expected}")
}

/// How much of the work was answered, where any of it was not.
pub(super) fn answered(report: &Report) -> Option<String> {
    let work = &report.work;
    (work.answered < work.offered).then(|| {
        format!(
            "{} of the {} that were handed over {} answered once, and stored",
            work.answered,
            sentences::count(work.offered, "work item"),
            if work.answered == 1 { "was" } else { "were" }
        )
    })
}

/// How old processes were when they ended.
fn ages(report: &Report, finding: &Finding) -> String {
    let ages = || finding.processes.iter().map(|line| line.age_ms);
    let (Some(least), Some(most)) = (ages().min(), ages().max()) else {
        return String::new();
    };
    let [least, most] = [least, most].map(|age| units::span(Span::from_millis(age)));
    let age = if least == most {
        least
    } else {
        format!("{least} to {most}")
    };
    format!(
        "; {} after it had started",
        in_both_times(&age, report.scenario.time_scale)
    )
}

/// How many of how many, by name.
fn counted(report: &Report, finding: &Finding) -> String {
    let (one, many) = names(finding);
    let roles = report.roles.named();
    let spawned = roles
        .iter()
        .find(|(role, _)| *role == finding.subject)
        .map(|(_, bins)| bins.spawned)
        .filter(|_| !finding.processes.is_empty());
    match spawned {
        Some(spawned) if spawned >= finding.count => {
            let name = if spawned == 1 { one } else { many };
            format!("{} of {spawned} {name}", finding.count)
        }
        _ => {
            let name = if finding.count == 1 { one } else { many };
            format!("{} {name}", finding.count)
        }
    }
}

/// What a finding is about, one and many.
fn names(finding: &Finding) -> (String, String) {
    let known = [
        ("primary", "claude", "claudes"),
        (
            "payload",
            "claude behind a wrapper",
            "claudes behind wrappers",
        ),
        (
            "grandchild",
            "process that a claude had started",
            "processes that claudes had started",
        ),
        ("helper", "helper of the worker", "helpers of the worker"),
        ("probe", "probe of a claude", "probes of a claude"),
        ("prompt", "prompt", "prompts"),
        ("observation", "observation", "observations"),
        ("summary", "summary", "summaries"),
        ("session", "session", "sessions"),
    ];
    let known = known
        .iter()
        .find(|(subject, _, _)| *subject == finding.subject);
    known.map_or_else(
        || (finding.subject.clone(), finding.subject.clone()),
        |(_, one, many)| ((*one).to_owned(), (*many).to_owned()),
    )
}

/// A text of ours with every time of the wall in it replaced by the worker's, and the wall's behind it. Times are as
/// [`units::span`] writes them.
fn in_both_times(text: &str, scale: f64) -> String {
    if scale == 1.0 {
        return text.to_owned();
    }
    let words: Vec<&str> = text.split(' ').collect();
    let mut said = Vec::new();
    let mut place = 0;
    while place < words.len() {
        let mut millis = 0.0;
        let mut end = place;
        while let Some((number, unit)) = words.get(end).zip(words.get(end + 1)) {
            let Some(part) = number.parse::<f64>().ok().zip(unit_ms(unit)) else {
                break;
            };
            millis += part.0 * part.1;
            end += 2;
        }
        if end == place {
            said.push(words[place].to_owned());
            place += 1;
        } else {
            let wall = Span::from_millis(millis.round() as u64);
            let own = units::span(scaled(wall, scale));
            said.push(format!("{own} ({} of wall time)", units::span(wall)));
            place = end;
        }
    }
    said.join(" ")
}

/// How many milliseconds a unit has.
fn unit_ms(unit: &str) -> Option<f64> {
    match unit {
        "ms" => Some(1.0),
        "s" => Some(1_000.0),
        "min" => Some(60_000.0),
        "h" => Some(3_600_000.0),
        "d" => Some(86_400_000.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_both_clocks() {
        for (text, expected) in [
            (
                "gone within 12.0 s of it",
                "gone within 2 min 0 s (12.0 s of wall time) of it",
            ),
            (
                "for 415 ms to 1 min 2 s",
                "for 4.2 s (415 ms of wall time) to 10 min 20 s (1 min 2 s of wall time)",
            ),
            ("3 of 4 s", "3 of 40.0 s (4.0 s of wall time)"),
            ("it was ended", "it was ended"),
        ] {
            assert_eq!(in_both_times(text, 10.0), expected);
            assert_eq!(in_both_times(text, 1.0), text);
        }
    }
}
