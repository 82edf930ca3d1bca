//! What each rule means, for `leak-harness explain RULE` and for reports.

use crate::judge::finding::rule_name;
use crate::scenario::Bin;

/// A rule in words.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// The rule.
    pub rule: Bin,
    /// Its meaning in one line.
    pub meaning: &'static str,
    /// A page about it: what it is, how it is told, what usually lies behind it, what may help.
    pub page: &'static str,
}

impl Explanation {
    /// The rule's name, as scenario files write it.
    pub const fn name(&self) -> &'static str {
        rule_name(self.rule)
    }
}

/// The explanation of a rule by its name.
pub fn explanation(name: &str) -> Option<&'static Explanation> {
    RULES.iter().find(|rule| rule.name() == name)
}

/// Every rule, in the order in which reports list findings.
pub const RULES: &[Explanation] = &[
    Explanation {
        rule: Bin::Retained,
        meaning: "processes alive past the grace under a live owner",
        page: "\
A process served a session, the session ended, the grace passed, and the process lives on as a child of a worker that lives too.
A sweep for processes with parent pid 1 never sees it: it is no orphan.

Told by: a sample after the session's end plus grace (plus the scheduling lag that was measured) that still shows it alive, with a
chain of parents that leads to the worker.
Usually behind it: whoever talked to the process dropped it without closing its stdin or signalling it.
What helps: end the child where its session ends, close its stdin, and send a signal when it does not go.

How the cause reads (reparented, residue and readopted use the same words): up to three parts, of which one that is not known is left
out, except that `signals unknown` is said.
  What it comes from: `its wrapper was ended and it was not`, `the process that started it was ended and it was not`, `started by a
  process that still lives`, `replaced by a later claude of its session`, `left by a worker that is gone`, `started by a
  second worker`, `started after its session's end`; and whether it set itself apart: `daemonized by a double fork`, `in a process
  session of its own`, `in a process group of its own`.
  How it was told to go before it was overdue: `never signalled`, `ignored SIGTERM from the worker`, `still there after SIGTERM from the
  worker`; or, when only what came later is known: `signalled too late: SIGTERM from the worker`, `killed too late, sender unknown`. What
  the run itself does at its end is no evidence.
  Its stdin, where it is a claude or a helper: `stdin still held open by the worker`, or `by a sibling that inherited it`; `stayed after
  its stdin had ended`; `stdin closed, which it has not noticed`; `its stdin was closed too late`.",
    },
    Explanation {
        rule: Bin::Reparented,
        meaning: "processes alive past the grace whose owner is gone",
        page: "\
The grace of its session has passed, the process lives, and the process that should own it is gone: its parent is pid 1 or a
subreaper, because its starter died first or because it made itself a daemon.

Told by: a sample after the grace whose chain of parents does not lead to a live worker.
Usually behind it: only the wrapper or the direct child was ended and not its group; or a child that called setsid.
What helps: end the process group or the whole tree, not one pid.
The cause reads: what it comes from, how it was told to go, what became of its stdin. `leak-harness explain retained` lists the words.",
    },
    Explanation {
        rule: Bin::Zombie,
        meaning: "processes dead past the grace and never waited for",
        page: "\
The process has exited, but its parent has not asked for its exit status, so its entry stays in the process table.

Told by: the table still shows it after its session's end, or its own death where that is later, plus grace.
Usually behind it: a parent that never installed a handler for the end of this child.
What helps: wait for every child. Zombies use no memory, but pids.
The cause names who did not wait: `the worker never waited for it`, or `its parent, not the worker, never waited for it`.",
    },
    Explanation {
        rule: Bin::Residue,
        meaning: "processes alive after the worker was stopped, and in no bin before",
        page: "\
The worker was stopped, the time for its children to follow it passed, and this process still lives. Before, nothing was wrong with it.

Told by: it was alive at a moment after the worker's exit plus the residue grace.
Usually behind it: a shutdown that enumerates children on one system alone, or not at all.
What helps: end all children when shutting down, on every system.
The cause reads: what it comes from, how it was told to go, what became of its stdin. `leak-harness explain retained` lists the words.",
    },
    Explanation {
        rule: Bin::Readopted,
        meaning: "processes that outlived their session and a restart of the worker, and that the new one has in hand",
        page: "\
The worker was restarted, the process of the old one lived on past its session's grace, and the new worker holds its stdin or
signalled it. Without such evidence it is counted as reparented.
The cause reads: what it comes from, how it was told to go, what became of its stdin. `leak-harness explain retained` lists the words.",
    },
    Explanation {
        rule: Bin::KilledEarly,
        meaning: "processes ended from outside before their time",
        page: "\
Somebody ended a process by a signal while its session was open, or while it owed work that had been delivered to it; or closed its
stdin and it left work unfinished. The opposite of a leak, and what careless cures of leaks cause.

Told by: its own report of the signal and the sender; a death without a goodbye is `killed, sender unknown`, since SIGKILL leaves
no trace in its victim.
Not counted: what the harness signalled; the end of a worker and of what it owns; a process that was told to hang for ever.
Usually behind it: a reaper that goes by age or by parentage and not by whether there is work.
The cause reads: `ended by SIGTERM from the worker`, or `from a process that it started`, `from a process of another session`, or
`killed, sender unknown,`; then `while its session was open` or `after its
session's end`; then `, with work under way` where it owed some. Or: `its stdin was closed while it had work under way`.",
    },
    Explanation {
        rule: Bin::Crashed,
        meaning: "processes that ended by themselves with work owed",
        page: "\
The process ended without anybody making it, and work that had been delivered to it stayed unanswered. `planned` says that the
scenario told it to; then the crash itself is nobody's fault, and what the worker makes of it is in the books of work.
The cause reads `ended by itself with work under way`, and may add `: it refused its arguments or its input`.",
    },
    Explanation {
        rule: Bin::Undecided,
        meaning: "processes for which the evidence does not suffice",
        page: "\
Nothing bad was seen of the process, but neither was what would clear it. The report names the reason and the knob that would decide
it: usually a longer recording or a shorter grace. A run with such processes never passes. The cause says what was not seen.",
    },
    Explanation {
        rule: Bin::Duplicated,
        meaning: "work items answered or stored twice or more",
        page: "\
The marker of the item was in the input of more than one good turn of its own kind, or more records hold it than turns that had it
in their input.
Usually behind it: a queue that delivers again after a restart, or two live claudes for one session.
The cause is one of: `answered more than once by the same claude`, `answered by more than one claude`, `stored more often than answered`.",
    },
    Explanation {
        rule: Bin::Lost,
        meaning: "work items accepted and neither answered nor waiting",
        page: "\
The worker accepted the item; when all had come to rest, no good turn had answered it, or its answer was not stored although the
worker lets one read that back; and it waited nowhere. An item that is stored although no turn with it ended well is lost too.
An item that waited then is looked at once more when the graces have passed: if it is neither answered nor waiting, it is lost after all.
Usually behind it: a session's end that throws away its queue, or a claude killed in mid-turn whose work nobody delivers again.
The cause is one of: `accepted, and never given to a claude`, `given to a claude that ended before it answered`, `given to a claude that
never answered it`, `given to a claude whose worker went away before it answered`, `its turn ended in an error`, `answered in a turn of another kind alone`, `answered by claude and never stored`,
`stored as done, and no turn of it ended well`; `cause unknown` where the control socket was not watched throughout.",
    },
    Explanation {
        rule: Bin::Pending,
        meaning: "work items that still wait",
        page: "\
The item waits in the worker's queue on disk, in or behind a live claude, or work was still going on when the time was over; or nobody
saw whether it was answered, because neither the control socket nor what the worker stored could tell. What waited when the run had drained is
looked at once more when the graces have passed. Makes a run inconclusive unless `[expect] allow_pending = true`. A longer `[run] drain` usually decides it.",
    },
    Explanation {
        rule: Bin::Refused,
        meaning: "work items that the worker refused",
        page: "\
The worker answered with an error. While it was down or shutting down that is nobody's fault and is only shown.",
    },
    Explanation {
        rule: Bin::Skipped,
        meaning: "work items that the worker said it skips",
        page: "The worker said so honestly. Shown, and counted where a scenario names it; it fails nothing.",
    },
    Explanation {
        rule: Bin::Unknown,
        meaning: "work items to which no answer came",
        page: "\
The request timed out or its connection broke, and nothing shows what became of the item. While the worker was down or shutting down
that is nobody's fault and is only shown.",
    },
    Explanation {
        rule: Bin::Twin,
        meaning: "sessions that had two live primaries at once",
        page: "\
Two processes served one session at the same time, and nobody was ending either. Both may execute the same work.
Not counted: a hand-over, in which the first one was told to end and goes within the grace.",
    },
    Explanation {
        rule: Bin::Stalled,
        meaning: "sessions that could not go on",
        page: "\
Told by: a live claude had read work and had not answered it when all else had come to rest; or work lay in the worker's queue then,
and no claude was ever started for its session, or its live claude had nothing in hand; or the driver waited in vain. All has come to rest when the run has drained, or when
its time was over and for a second no claude was at work and none had said anything.
Usually behind it: a claude that hangs, or a pool whose slots are never given back.
The cause is one of: `a live claude read its work and never answered`, `its work is queued, and no claude was ever started for it while
others lived`, the same with `though no other lived`, `its work is queued, and its live claude was never given it`, `its work was given to
a claude that ended, and its live claude was never given it`, or what the driver waited for.",
    },
    Explanation {
        rule: Bin::Storm,
        meaning: "far too many processes started, for a session or for none",
        page: "\
More than four processes for each prompt, and four besides, were started for one session; or more than all sessions together may have,
and two dozen, were started for none. Of helpers, two for each work item do not count.
Usually behind it: a worker that starts a process again and again because it fails again and again.
The cause says which they are. Of a session: `one claude after another was started for it`, or `its claude started the rest`. Of the
worker: `processes that serve no session`.",
    },
    Explanation {
        rule: Bin::Growth,
        meaning: "figures that trend upward after warm-up",
        page: "\
The worker's RSS, its open files, its pipes and sockets, its threads, the number of its helpers, or that of its children beyond the
sessions under way, rise steadily after warm-up: by Theil-Sen slope and by Mann-Kendall test, corrected for neighbours that are alike, on
the minima of windows, beyond a floor of size (`[expect.growth]`) and beyond what else the figure does, and in the later half like in
the earlier one, so that a warm-up, a saw or a few steps are none. Needs a minute of load after warm-up (expect.growth.least) and 36
samples; otherwise it is not judged, and the report says so. How often it errs: reports/growth-calibration.md.",
    },
    Explanation {
        rule: Bin::Limit,
        meaning: "thresholds that were crossed",
        page: "\
A figure is above the limit that the scenario sets in `[expect.limits]`. The subject is the limit's key, the cause `above its limit`;
the figures are in the evidence.",
    },
    Explanation {
        rule: Bin::WorkerDied,
        meaning: "deaths of the worker that nobody asked for",
        page: "\
The worker's process ended before the harness asked it to stop, and no planned fault had ended it. The cause says how: `exited with code
101`, `ended by SIGTERM`.",
    },
    Explanation {
        rule: Bin::Blind,
        meaning: "what one witness missed and another saw",
        page: "\
A fake spoke for longer than two ticks and the process table never showed it, or the two process tables count differently again and
again. It speaks against the evidence, not against the worker, and makes the run inconclusive.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_explained_once_under_its_own_name() {
        let mut names: Vec<_> = RULES.iter().map(Explanation::name).collect();
        assert!(RULES.iter().all(|rule| !rule.page.is_empty()));
        assert!(explanation("retained").is_some());
        assert!(explanation("no-such-rule").is_none());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 21);
        for rule in RULES {
            let written = serde_json::to_string(&rule.rule).unwrap();
            assert_eq!(written, format!("\"{}\"", rule.name()));
        }
    }
}
