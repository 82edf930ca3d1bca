//! What a run can still find when witnesses are missing. One table, for reports, for the gym and for the documentation.

use crate::scenario::Bin;
use crate::timeline::event::Source;

/// The witnesses that a run has unless they are switched off.
pub const WITNESSES: [Source; 5] = [
    Source::Reaper,
    Source::Table,
    Source::Portable,
    Source::Control,
    Source::Cookie,
];

/// What a rule loses without a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// It finds what it found before; the cause is not whole, or says that it is unknown.
    CauseUnknown,
    /// It finds some of what it found before.
    Partly,
    /// It finds nothing.
    Lost,
}

/// A rule that finds or says less when witnesses are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The rule.
    pub rule: Bin,
    /// What it loses.
    pub what: Loss,
    /// Why, and of what it loses a part, what that is.
    pub why: &'static str,
}

const fn gap(rule: Bin, what: Loss, why: &'static str) -> Gap {
    Gap { rule, what, why }
}

/// What each missing witness costs.
const fn gaps(without: Source) -> &'static [Gap] {
    match without {
        Source::Control => CONTROL,
        Source::Table => TABLE,
        Source::Reaper => REAPER,
        Source::Portable => PORTABLE,
        // It finds members of the run where parentage proves nothing; on Linux every orphan comes to the harness. The run and the
        // driver are no witnesses that could be missing.
        Source::Cookie | Source::Run | Source::Driver => &[],
    }
}

const CONTROL: &[Gap] = &[
    gap(
        Bin::Retained,
        Loss::Partly,
        "a process is held to the end of the last session, and its signals are unknown",
    ),
    gap(
        Bin::Reparented,
        Loss::Partly,
        "a process is held to the end of the last session, and its signals are unknown",
    ),
    gap(
        Bin::Zombie,
        Loss::Partly,
        "a process is held to the end of the last session",
    ),
    gap(
        Bin::Residue,
        Loss::CauseUnknown,
        "signals are unknown, and so is whether it saw the end of its stdin",
    ),
    gap(
        Bin::Readopted,
        Loss::Partly,
        "a signal of the new worker is not seen; only a held stdin shows that it has the process in hand",
    ),
    gap(
        Bin::KilledEarly,
        Loss::Lost,
        "deaths cannot be told from kills",
    ),
    gap(
        Bin::Crashed,
        Loss::Lost,
        "what a process owed when it ended is unknown",
    ),
    gap(
        Bin::Duplicated,
        Loss::Partly,
        "turns are unknown; only records that are there twice are seen",
    ),
    gap(
        Bin::Lost,
        Loss::Partly,
        "turns are unknown; only what is missing where answers are stored is seen, and not why",
    ),
    gap(
        Bin::Twin,
        Loss::Lost,
        "nobody says which session a process serves",
    ),
    gap(
        Bin::Stalled,
        Loss::Partly,
        "only what the driver itself waited for in vain is seen",
    ),
    gap(
        Bin::Storm,
        Loss::Partly,
        "starts belong to a session only where it was open alone",
    ),
    gap(
        Bin::Limit,
        Loss::Partly,
        "the time to reap counts only where a session is known",
    ),
    gap(Bin::Blind, Loss::Lost, "nobody speaks who could be missed"),
];

const TABLE: &[Gap] = &[
    gap(
        Bin::Retained,
        Loss::Partly,
        "only what speaks, or lives until the run states that every grace has passed",
    ),
    gap(
        Bin::Reparented,
        Loss::Partly,
        "only what speaks, or lives until the run states that every grace has passed; who is its parent later is unknown",
    ),
    gap(
        Bin::Residue,
        Loss::Partly,
        "only what speaks or whose end is seen",
    ),
    gap(
        Bin::Readopted,
        Loss::Partly,
        "only what speaks, or lives until the run states that every grace has passed",
    ),
    gap(
        Bin::Zombie,
        Loss::Lost,
        "nobody sees what is dead and still there",
    ),
    gap(Bin::Growth, Loss::Lost, "the worker's figures are not read"),
    gap(Bin::Limit, Loss::Partly, "peaks are not seen"),
    gap(
        Bin::Storm,
        Loss::Partly,
        "only what speaks or whose end is seen",
    ),
    gap(
        Bin::Blind,
        Loss::Lost,
        "there is no table that could miss anything",
    ),
];

const REAPER: &[Gap] = &[gap(
    Bin::Crashed,
    Loss::Partly,
    "exit codes are unknown, so one that ends without a last word is taken for killed",
)];

const PORTABLE: &[Gap] = &[gap(
    Bin::Blind,
    Loss::Partly,
    "nothing checks the count of the process table",
)];

/// What a run without these witnesses cannot find, or not explain: for each rule the worst loss. A rule that is not named finds and says
/// as much as with all of them.
pub fn coverage(without: &[Source]) -> Vec<Gap> {
    let mut all: Vec<Gap> = without
        .iter()
        .flat_map(|witness| gaps(*witness))
        .copied()
        .collect();
    all.sort_by_key(|gap| (gap.rule, std::cmp::Reverse(gap.what)));
    all.dedup_by_key(|gap| gap.rule);
    all
}

/// What cannot be told without a witness, in words.
pub const fn untold(without: Source) -> &'static str {
    match without {
        Source::Control => {
            "deaths cannot be told from kills, sessions are known only where one was open alone, and work cannot be judged answered"
        }
        Source::Table => {
            "what lives, and what is dead and not waited for, is known from words alone"
        }
        Source::Reaper => "deaths are known to a tick, and exit codes are not",
        Source::Portable => "nothing checks the process table",
        Source::Cookie => "members of the run are known by their parents and their words alone",
        Source::Run | Source::Driver => "nothing is known",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Judgement;
    use crate::judge::check::{in_a_second, judge_events};
    use crate::judge::finding::rule_name;
    use crate::judge::rules::explain::explanation;
    use crate::scenario::Verdict;
    use crate::timeline::event::EventKind;
    use crate::timeline::notation::events;

    const START: &str = "
        0s run only=reaper,table,portable,control,cookie; 0s worker 5; 0.1s..9s tick; 1s open s1
        1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1";
    const END: &str = "2s end s1 complete; 6s load; 6s drained quiet; 6.5s grace";
    const OVER: &str = "7s stop; 7.1s worker-exit 5; 8.5s residue; 8.6s harness-signal 10 9; 8.7s exited 10; 8.7s gone 10; 9s over";
    const CLEAN: &str = "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10";

    /// A history for each rule that a missing witness concerns.
    fn histories() -> Vec<(Bin, String)> {
        let whole = |middle: &str| format!("{START}\n{middle}\n{END}\n{OVER}");
        let work = "1.2s offer a s1 observation; 1.2s accept a; 1.3s work 10 observation a";
        vec![
            (Bin::Retained, whole("6s examined 10 by 5")),
            (Bin::Reparented, whole("2.5s tick row 10 S 1 1MiB")),
            (
                Bin::Zombie,
                whole("2.1s bye 10 eof; 2.1s exited 10; 2.2s tick row 10 Z 5 0B"),
            ),
            (
                Bin::Residue,
                format!("{START}\n2s load; 2s drained quiet; 2.5s grace\n{OVER}"),
            ),
            (
                Bin::KilledEarly,
                whole("1.5s signal 10 15 from 5; 1.5s bye 10 signal; 1.5s exited 10; 1.6s gone 10"),
            ),
            (
                Bin::Crashed,
                whole(&format!(
                    "{work}; 1.5s bye 10 refused owed 1; 1.5s exited 10; 1.6s gone 10; 1.7s kept a"
                )),
            ),
            (
                Bin::Lost,
                whole(&format!("{CLEAN}; 1.2s offer a s1 observation; 1.2s accept a")),
            ),
            (
                Bin::Duplicated,
                whole(&format!(
                    "{work}; {CLEAN}; 1.4s done 10 1 observation a; 6.1s stored a 2; 6.1s store observation complete"
                )),
            ),
            (
                Bin::Stalled,
                whole("1.2s offer a s1 observation; 1.2s accept a; 1.3s work 10 observation a"),
            ),
            (
                Bin::Twin,
                whole(
                    "1s seen 11 parent 5; 1s hello 11 primary; 1.1s serves 11 s1; 2s bye 11 eof; 2s exited 11; 2s gone 11",
                )
                .replace("1.1s serves 10", "1s open s2; 1.1s serves 10"),
            ),
            (
                Bin::WorkerDied,
                format!("{START}; {CLEAN}; {END}; 6.6s worker-exit 5 unasked signal 9; 9s over"),
            ),
            (
                Bin::Refused,
                whole(&format!("{CLEAN}; 1.2s offer a s1 observation; 1.3s refuse a")),
            ),
        ]
    }

    /// Judges a history as it would have been recorded without a witness.
    fn without(history: &str, missing: Option<Source>) -> Judgement {
        let events = events(history)
            .into_iter()
            .filter(|event| Some(event.source) != missing)
            .map(|mut event| {
                if let EventKind::RunStarted(run) = &mut event.event {
                    run.witnesses.retain(|witness| Some(*witness) != missing);
                }
                event
            });
        judge_events(&in_a_second(), events)
    }

    fn cause_of(judgement: &Judgement, rule: Bin) -> Option<&str> {
        let mut findings = judgement.findings.iter();
        let finding = findings.find(|finding| finding.rule == rule && finding.blames)?;
        Some(&finding.cause)
    }

    /// The table of the documentation says the same.
    #[test]
    fn the_documentation_says_what_is_lost() {
        let document = include_str!("../../../ARCHITECTURE.md");
        for (name, witness) in [
            ("control socket", Source::Control),
            ("process table", Source::Table),
            ("reaper", Source::Reaper),
            ("portable table", Source::Portable),
            ("cookie", Source::Cookie),
        ] {
            let start = format!("| {name} |");
            let row = document.lines().find(|line| line.starts_with(&start));
            let cells: Vec<&str> = row.expect(name).split('|').skip(2).take(3).collect();
            for (cell, loss) in cells
                .iter()
                .zip([Loss::Lost, Loss::Partly, Loss::CauseUnknown])
            {
                let mut told: Vec<&str> = cell
                    .split([',', ' ', '('])
                    .filter(|word| explanation(word).is_some())
                    .collect();
                let mut lost: Vec<&str> = coverage(&[witness])
                    .into_iter()
                    .filter(|gap| gap.what == loss)
                    .map(|gap| rule_name(gap.rule))
                    .collect();
                told.sort_unstable();
                lost.sort_unstable();
                assert_eq!(told, lost, "{name}: {loss:?}");
            }
        }
    }

    #[test]
    fn what_the_table_of_gaps_says_is_so() {
        for (rule, history) in histories() {
            let whole = without(&history, None);
            let cause = cause_of(&whole, rule).unwrap_or_else(|| {
                panic!("{rule:?} is not found at all: {:#?}", whole.reasons);
            });
            for missing in WITNESSES {
                let judged = without(&history, Some(missing));
                let found = cause_of(&judged, rule);
                let gap = coverage(&[missing])
                    .into_iter()
                    .find(|gap| gap.rule == rule)
                    .map(|gap| gap.what);
                let context = format!("{rule:?} without {missing:?}: {:#?}", judged.reasons);
                match gap {
                    None => assert_eq!(found, Some(cause), "{context}"),
                    Some(Loss::CauseUnknown) => {
                        assert!(found.is_some_and(|found| found != cause), "{context}");
                    }
                    Some(Loss::Lost) => assert_eq!(found, None, "{context}"),
                    Some(Loss::Partly) => assert_eq!(judged.unbalanced, None),
                }
            }
        }
    }

    #[test]
    fn without_a_witness_on_whom_it_rests_a_run_does_not_pass_and_says_what_it_misses() {
        let clean = format!("{START}\n{CLEAN}\n{END}\n{OVER}");
        assert_eq!(without(&clean, None).verdict, Verdict::Pass);
        for (missing, verdict, reason) in [
            (
                Source::Control,
                Verdict::Inconclusive,
                "deaths cannot be told from kills",
            ),
            (Source::Table, Verdict::Inconclusive, "from words alone"),
            (Source::Reaper, Verdict::Pass, ""),
            (Source::Portable, Verdict::Pass, ""),
            (Source::Cookie, Verdict::Pass, ""),
        ] {
            let judged = without(&clean, Some(missing));
            assert_eq!(judged.verdict, verdict, "{missing:?}: {:?}", judged.reasons);
            assert!(judged.reasons.iter().all(|said| said.contains(reason)));
            assert_eq!(judged.missing_witnesses, [missing]);
        }
    }

    #[test]
    fn several_missing_witnesses_lose_the_most_that_one_of_them_does() {
        let both = coverage(&[Source::Control, Source::Table]);
        let of = |rule| both.iter().find(|gap| gap.rule == rule).map(|gap| gap.what);
        assert_eq!(of(Bin::Zombie), Some(Loss::Lost));
        assert_eq!(of(Bin::Residue), Some(Loss::Partly));
        assert_eq!(of(Bin::WorkerDied), None);
        assert!(coverage(&[]).is_empty());
    }
}
