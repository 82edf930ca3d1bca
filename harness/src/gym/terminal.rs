//! The results of the gym for people, on a screen: what is off first, the confusion matrix, then every case.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{CellAlignment, Table, presets};
use fake_claude::quantity::Span;

use super::results::{DefectLine, Gap, GymReport, Soundness, Standing};
use crate::judge::finding::rule_name;
use crate::report::escape::{plain, plain_cut};
use crate::report::terminal::{Style, wrap};
use crate::scenario::Bin;
use crate::units::{self, Count};

/// The narrowest screen that is laid out for.
const NARROWEST: usize = 72;
/// How many columns all but the last take up in the list of cases.
const FIXED: usize = 66;

/// The results in words and tables.
pub fn render(report: &GymReport, style: Style) -> String {
    let style = Style {
        width: style.width.max(NARROWEST),
        ..style
    };
    let mut out = headline(report, style) + "\n";
    if !report.defects.is_empty() {
        out += "\n";
        out += &confusion(&report.defects);
        out += "\n";
        out += &defects(&report.defects, style);
    }
    if !report.controls.is_empty() {
        out += "\n";
        for control in &report.controls {
            let standing = control.standing();
            out += &format!(
                "{:36} {}, {} {}, {} inconclusive  {}\n",
                plain_cut(&control.name, 36),
                Count(control.runs.into(), "run"),
                control.false_alarms,
                if control.false_alarms == 1 {
                    "false alarm"
                } else {
                    "false alarms"
                },
                control.inconclusive,
                painted(standing.words(), standing, style)
            );
            for said in &control.said {
                out += &format!("    {}\n", plain_cut(said, 3 * style.width));
            }
        }
    }
    if let Some(soundness) = &report.soundness {
        out += "\n";
        out += &sound(soundness, style);
    }
    for gap in &report.gaps {
        out += &format!(
            "without what was switched off, {}: {}\n",
            gap_words(gap),
            plain(&gap.what)
        );
    }
    out
}

/// What is lost by a gap, in a few words.
pub(super) fn gap_words(gap: &Gap) -> String {
    let rule = rule_name(gap.rule);
    if gap.cause_alone {
        format!("{rule} is found and not explained")
    } else {
        format!("{rule} is not found, or not all of it")
    }
}

/// What all of it comes to, in a sentence.
pub(super) fn sentence(report: &GymReport) -> String {
    let totals = &report.totals;
    let mut parts = Vec::new();
    if totals.defect_runs > 0 {
        parts.push(format!(
            "{} of {} of {} found, {} in the right bin, {} with the right cause",
            totals.found,
            Count(totals.defect_runs.into(), "run"),
            Count(totals.defects.into(), "defect"),
            totals.bin_right,
            totals.cause_right
        ));
    }
    if totals.control_runs > 0 {
        parts.push(format!(
            "{} in {} of {}",
            Count(totals.false_alarms.into(), "false alarm"),
            Count(totals.control_runs.into(), "run"),
            Count(totals.controls.into(), "control")
        ));
    }
    if totals.inconclusive > 0 {
        parts.push(format!("{} inconclusive", totals.inconclusive));
    }
    if totals.failed > 0 {
        parts.push(format!(
            "{} could not be judged",
            Count(totals.failed.into(), "run")
        ));
    }
    parts.push(format!(
        "{} judged twice, {} otherwise than at first",
        Count(totals.rejudged.into(), "recording"),
        totals.judged_otherwise
    ));
    format!(
        "{} ({})",
        parts.join("; "),
        units::span(Span::from_millis(report.elapsed_ms))
    )
}

fn headline(report: &GymReport, style: Style) -> String {
    let standing = report.standing();
    let word = if standing.is_off() {
        "Something is off"
    } else if standing == Standing::Inconclusive {
        "Inconclusive"
    } else {
        "All as planted"
    };
    let words = wrap(&format!("{word}: {}", sentence(report)), style.width, 4);
    words.replacen(word, &painted(word, standing, style), 1)
}

/// How many runs of each expected bin came out in which bin. Bins are letters on top, so that all of them fit.
fn confusion(defects: &[DefectLine]) -> String {
    let mut counts: BTreeMap<(Bin, Place), u32> = BTreeMap::new();
    let mut bins = BTreeSet::new();
    for defect in defects {
        bins.insert(defect.expected_bin);
        for run in &defect.runs {
            let place = Place::of(run);
            if let Place::Bin(bin) = place {
                bins.insert(bin);
            }
            *counts.entry((defect.expected_bin, place)).or_default() += 1;
        }
    }
    let places: Vec<Place> = bins
        .iter()
        .map(|bin| Place::Bin(*bin))
        .chain([Place::Nothing, Place::Inconclusive, Place::Failed])
        .collect();
    let letter = |index: usize| char::from(b'a'.saturating_add(u8::try_from(index).unwrap_or(25)));
    let mut header = vec![String::new(), "expected".to_owned()];
    header.extend((0..bins.len()).map(|index| letter(index).to_string()));
    header.extend(["none", "?", "!"].map(str::to_owned));
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for (index, bin) in bins.iter().enumerate() {
        let mut row = vec![letter(index).to_string(), rule_name(*bin).to_owned()];
        row.extend(places.iter().map(|place| {
            let count = counts.get(&(*bin, *place)).copied().unwrap_or_default();
            match count {
                0 => "·".to_owned(),
                count => count.to_string(),
            }
        }));
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if index > 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
        + "\nruns by the bin in which something was found (none: nothing; ?: inconclusive; !: nothing to judge)\n"
}

/// Where a run of a defect came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Bin(Bin),
    Nothing,
    Inconclusive,
    Failed,
}

impl Place {
    const fn of(run: &super::judged::DefectRun) -> Self {
        match run.bin {
            _ if run.failed.is_some() => Self::Failed,
            Some(bin) => Self::Bin(bin),
            None if run.inconclusive => Self::Inconclusive,
            None => Self::Nothing,
        }
    }
}

fn defects(defects: &[DefectLine], style: Style) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["DEFECT", "BIN", "AFTER", "", "CAUSE"]);
    let room = style.width.saturating_sub(FIXED).max(24);
    for defect in defects {
        table.add_row([
            plain_cut(&defect.name, 28),
            defect.bin.map_or("-", rule_name).to_owned(),
            defect.detected_after_ms.map_or("-".to_owned(), |after| {
                units::span(Span::from_millis(after))
            }),
            defect.standing.words().to_owned(),
            plain_cut(defect.cause.as_deref().unwrap_or("-"), room),
        ]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut out = String::new();
    let drawn = table.trim_fmt();
    let mut lines = drawn.lines();
    if let Some(header) = lines.next() {
        out += header;
        out += "\n";
    }
    for (line, defect) in lines.zip(defects) {
        let words = defect.standing.words();
        out += &line.replacen(
            &format!(" {words} "),
            &format!(" {} ", painted(words, defect.standing, style)),
            1,
        );
        out += "\n";
        for why in wrongs(defect) {
            out += &format!("    {}\n", plain_cut(&why, 3 * style.width));
        }
    }
    out
}

/// What was not right in the runs of a defect, one sentence each.
pub(super) fn wrongs(defect: &DefectLine) -> Vec<String> {
    if defect.standing == Standing::Right {
        return Vec::new();
    }
    let mut wrongs = Vec::new();
    if !defect.cause_right && defect.standing != Standing::Failed {
        wrongs.push(format!(
            "expected: {} of {}: {}",
            rule_name(defect.expected_bin),
            defect.expected_subject.as_deref().unwrap_or("anything"),
            defect.expected_cause
        ));
    }
    wrongs.extend(defect.excuse.iter().cloned());
    for run in &defect.runs {
        let said = run.failed.iter().chain(&run.unexpected);
        wrongs.extend(said.map(|said| format!("seed {}: {said}", run.seed)));
        if run.failed.is_none() && !run.rejudged {
            wrongs.push(format!(
                "seed {}: judged again, the recording gives another report",
                run.seed
            ));
        }
    }
    wrongs
}

/// What the clean sessions under load came to, in a sentence.
pub(super) fn sound_sentence(soundness: &Soundness) -> String {
    let load = &soundness.load_average;
    format!(
        "{} in {}: {}, {} inconclusive ({:.1} %), load average {:.1} before, {:.1} at the highest, {:.1} after, with {} beside them",
        Count(soundness.sessions, "clean session"),
        Count(soundness.runs.into(), "run"),
        Count(soundness.false_verdicts.into(), "false verdict"),
        soundness.inconclusive,
        100.0 * f64::from(soundness.inconclusive) / f64::from(soundness.runs.max(1)),
        load.before[0],
        load.highest,
        load.after[0],
        Count(soundness.burners.into(), "burner"),
    )
}

fn sound(soundness: &Soundness, style: Style) -> String {
    let standing = soundness.standing();
    let name = "Soundness";
    let words = wrap(
        &format!("{name}: {}", sound_sentence(soundness)),
        style.width,
        4,
    );
    let mut out = words.replacen(name, &painted(name, standing, style), 1) + "\n";
    for said in &soundness.said {
        out += &format!("    {}\n", plain_cut(said, 3 * style.width));
    }
    out
}

fn painted(text: &str, standing: Standing, style: Style) -> String {
    let colour = match standing {
        Standing::Right => "32",
        Standing::Excused | Standing::Inconclusive => "33",
        _ => "31",
    };
    style.painted(text, colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gym::examples::{mixed, right};

    #[test]
    fn what_is_off_is_shown_with_the_reason() {
        insta::assert_snapshot!(render(&mixed(), Style::default()));
    }

    #[test]
    fn a_gym_without_fault_is_shown() {
        let style = Style {
            width: 90,
            ..Style::default()
        };
        insta::assert_snapshot!(render(&right(), style));
    }

    #[test]
    fn colours_are_all_that_controls_a_terminal() {
        let style = Style {
            colour: true,
            width: 100,
            ..Style::default()
        };
        let text = render(&mixed(), style);
        assert!(text.starts_with("\x1b[31mSomething is off\x1b[0m:"));
        let controls = text.matches('\x1b').count();
        let colours = ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"];
        let known: usize = colours.iter().map(|code| text.matches(code).count()).sum();
        assert_eq!(controls, known);
    }
}
