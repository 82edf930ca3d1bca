//! The books as proportional bars, and the figures that a reader looks for first.

use fake_claude::quantity::Span;

use crate::judge::books::Bins;
use crate::judge::rules::explain::explanation;
use crate::report::Report;
use crate::units;

/// One account: everything that was counted, in its bins.
pub(super) struct Book {
    /// What it is about.
    pub title: &'static str,
    /// What was counted, as `124 spawned`.
    pub total: u32,
    /// How it came to be counted.
    pub verb: &'static str,
    /// The bins that hold something; the good one always.
    pub shares: Vec<Share>,
    /// What else is to be said.
    pub notes: Vec<String>,
}

/// What one bin holds.
pub(super) struct Share {
    /// Its name, as it is read.
    pub name: String,
    /// Its JSON name, which is also the name of its colour.
    pub bin: &'static str,
    /// How many.
    pub count: u32,
    /// Their part of the whole, as it is read.
    pub part: String,
    /// What the bin means.
    pub meaning: &'static str,
}

/// A bin in the table of all roles: its name, and how many each role has in it.
pub(super) struct RoleRow {
    /// The bin, as it is read.
    pub name: String,
    /// One count for each role.
    pub counts: Vec<u32>,
}

/// A figure at the top of the page.
pub(super) struct Figure {
    /// What it is.
    pub label: &'static str,
    /// Its value.
    pub value: String,
    /// What has to be known with it.
    pub note: String,
    /// Whether it speaks against the worker.
    pub bad: bool,
}

/// The accounts: processes, and work where there was any.
pub(super) fn books(report: &Report) -> Vec<Book> {
    let processes = &report.processes;
    let mut notes = vec![format!("{} at most at once", processes.peak)];
    if processes.planned > 0 {
        notes.push(format!("{} of the crashes planned", processes.planned));
    }
    let mut books = vec![Book {
        title: "Processes",
        total: processes.spawned,
        verb: "spawned",
        shares: shares(processes.spawned, &processes.named()),
        notes,
    }];
    if report.work.offered > 0 {
        books.push(Book {
            title: "Work items",
            total: report.work.offered,
            verb: "offered",
            shares: shares(report.work.offered, &report.work.named()),
            notes: Vec::new(),
        });
    }
    books
}

fn shares(total: u32, bins: &[(&'static str, u32)]) -> Vec<Share> {
    bins.iter()
        .enumerate()
        .filter(|(place, (_, count))| *place == 0 || *count > 0)
        .map(|(_, &(bin, count))| Share {
            name: bin.replace('_', " "),
            bin,
            count,
            part: part(count, total),
            meaning: meaning(bin),
        })
        .collect()
}

/// A part of a whole in percent; never `0 %` for something, and never `100 %` for less than all.
fn part(count: u32, total: u32) -> String {
    if total == 0 {
        return "0 %".to_owned();
    }
    let percent = f64::from(count) * 100.0 / f64::from(total);
    match percent {
        p if count > 0 && p < 0.1 => "< 0.1 %".to_owned(),
        p if count < total && p > 99.9 => "> 99.9 %".to_owned(),
        p if p < 10.0 && p.fract() != 0.0 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// What a bin means. Those that are findings are explained where their rule is.
fn meaning(bin: &str) -> &'static str {
    match bin {
        "clean" => "gone and waited for in time, owing no work",
        "survivor" => "meant to live",
        "answered" => "answered once, and stored where that can be read back",
        "aborted" => "given up by the driver itself",
        rule => explanation(rule).map_or("", |rule| rule.meaning),
    }
}

/// The names of the roles that had any process, and every bin with its count for each of them.
pub(super) fn by_role(report: &Report) -> (Vec<&'static str>, Vec<RoleRow>) {
    let roles: Vec<(&'static str, Bins)> = report
        .roles
        .named()
        .into_iter()
        .filter(|(_, bins)| bins.spawned > 0)
        .collect();
    let row = |name: &str, count: &dyn Fn(&Bins) -> u32| RoleRow {
        name: name.replace('_', " "),
        counts: roles.iter().map(|(_, bins)| count(bins)).collect(),
    };
    let mut rows = vec![row("spawned", &|bins| bins.spawned)];
    for (place, (name, _)) in Bins::default().named().iter().enumerate() {
        rows.push(row(name, &|bins| bins.named()[place].1));
    }
    rows.push(row("at most at once", &|bins| bins.peak));
    (roles.iter().map(|(name, _)| *name).collect(), rows)
}

/// The figures at the top of the page.
pub(super) fn figures(report: &Report) -> Vec<Figure> {
    let all = report.roles.all();
    let memory = &report.memory;
    let span = |millis| units::span(Span::from_millis(millis));
    let mut figures = vec![Figure {
        label: "Outlived their time",
        value: all.leaked().to_string(),
        note: format!("of {} processes", all.spawned),
        bad: all.leaked() > 0,
    }];
    if all.leaked() > 0 {
        figures.push(Figure {
            label: "RSS of what leaked",
            value: units::bytes(memory.leaked_rss_bytes),
            note: memory
                .leaked_pss_bytes
                .map_or_else(String::new, |pss| format!("PSS {}", units::bytes(pss))),
            bad: true,
        });
    } else {
        figures.push(Figure {
            label: "RSS at most",
            value: units::bytes(memory.peak_rss_bytes),
            note: memory
                .peak_pss_bytes
                .map_or_else(String::new, |pss| format!("PSS {}", units::bytes(pss))),
            bad: false,
        });
    }
    let early = all.killed_early + all.crashed - all.planned.min(all.crashed);
    figures.push(Figure {
        label: "Ended early",
        value: early.to_string(),
        note: "killed, or crashed with work owed".to_owned(),
        bad: early > 0,
    });
    if report.work.offered > 0 {
        let wrong = report.work.lost + report.work.duplicated;
        figures.push(Figure {
            label: "Work answered",
            value: report.work.answered.to_string(),
            note: if wrong > 0 {
                format!(
                    "of {}; {} lost, {} twice",
                    report.work.offered, report.work.lost, report.work.duplicated
                )
            } else {
                format!("of {} items", report.work.offered)
            },
            bad: wrong > 0,
        });
    }
    let reap = &report.time_to_reap_ms;
    figures.push(if reap.count > 0 {
        Figure {
            label: "Time to reap, 95 %",
            value: span(reap.p95),
            note: format!("median {}, longest {}", span(reap.p50), span(reap.max)),
            bad: false,
        }
    } else {
        Figure {
            label: "Time to reap",
            value: "–".to_owned(),
            note: "no process went after its session’s end".to_owned(),
            bad: false,
        }
    });
    if let Some(seconds) = report.forecast.exhausts_in_s {
        figures.push(Figure {
            label: "Memory full, by RSS",
            value: span(seconds.saturating_mul(1_000)),
            note: match report.forecast.per_hour {
                few if few < 10.0 => format!("{few:.1} processes leak in an hour of the worker"),
                many => format!("{many:.0} processes leak in an hour of the worker"),
            },
            bad: true,
        });
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_never_claims_all_or_nothing_where_it_is_not() {
        for (count, total, expected) in [
            (0, 0, "0 %"),
            (0, 10, "0 %"),
            (10, 10, "100 %"),
            (1, 5_000, "< 0.1 %"),
            (4_999, 5_000, "> 99.9 %"),
            (1, 124, "0.8 %"),
            (121, 124, "98 %"),
        ] {
            assert_eq!(part(count, total), expected, "{count} of {total}");
        }
    }
}
