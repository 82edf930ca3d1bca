//! Whether a process broke its first obligation: to be gone, and waited for, in time.

use super::books::Fate;
use super::census::{Census, serves};
use super::facts::Facts;
use super::life::{Broken, Life};
use crate::units::RunTime;

/// How far a chain of parents is followed.
const DEPTH: u32 = 32;

impl Census {
    /// The first obligation that a process broke, with the moment that proves it. `last` says that no more events will come.
    pub fn overdue(&self, facts: &Facts, life: &Life, last: bool) -> Option<Broken> {
        [
            self.alive_too_long(facts, life, last),
            self.dead_too_long(facts, life),
            self.left_behind(facts, life, last),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|broken| broken.at)
    }

    /// Alive past the grace of its session: at a sample, by its own word, or when the run itself said that every grace had passed
    /// and it did not go before the worker was stopped.
    fn alive_too_long(&self, facts: &Facts, life: &Life, last: bool) -> Option<Broken> {
        if !serves(self.role_of(life)) {
            return None;
        }
        let tick = facts.tick();
        let due = facts.due(self.session_of(life), life.first)?;
        let extended = due.plain + facts.lag_of(Some(life.id), due.from, due.grace);
        let sampled = facts
            .moments
            .first_after(extended)
            .filter(|moment| life.lives_at(moment.at, tick))
            .map(|moment| (moment.at, moment.seq));
        let spoken = life
            .last_word
            .filter(|word| *word > extended && life.goodbye.is_none_or(|bye| bye.at > *word))
            .map(|word| (word, life.first_seq));
        let stated = facts.grace_passed.filter(|(passed, _)| {
            let stayed = match facts.final_stop() {
                Some(stop) if stop >= *passed => life.lives_at(stop, tick),
                _ => last && life.died().is_none(),
            };
            let held_up = facts.held_up(Some(life.id), due.from, due.grace);
            *passed >= due.plain + held_up && life.lives_at(*passed, tick) && stayed
        });
        let (at, seq) = sampled
            .or(stated)
            .into_iter()
            .chain(spoken)
            .min_by_key(|(at, _)| *at)?;
        let fate = if self.has_live_owner(facts, life, at, 0) {
            Fate::Retained
        } else {
            Fate::Reparented
        };
        Some(Broken {
            fate,
            at,
            due: due.plain,
            seq,
        })
    }

    /// Dead past the grace, and still in the table. The grace counts from its death where that is later.
    fn dead_too_long(&self, facts: &Facts, life: &Life) -> Option<Broken> {
        let died = life.died()?;
        if !life.tabled {
            return None;
        }
        let (from, grace) = if serves(self.role_of(life)) {
            let due = facts.due(self.session_of(life), life.first)?;
            (due.from.max(died), due.grace)
        } else {
            let end = facts.expectations.end;
            (died, facts.expectations.grace_after(end))
        };
        let due = from + grace;
        let moment = facts.moments.first_after(due + facts.lag(from, grace))?;
        let still_there = life.gone.is_none_or(|gone| gone - facts.tick() > moment.at);
        // An exit that the table should have shown as a zombie, had it stayed one.
        let shown = life.zombie.is_some() || life.gone.is_some();
        (still_there && shown).then_some(Broken {
            fate: Fate::Zombie,
            at: moment.at,
            due,
            seq: moment.seq,
        })
    }

    /// Alive after the worker was gone and the time to follow it was over.
    fn left_behind(&self, facts: &Facts, life: &Life, last: bool) -> Option<Broken> {
        let exit = facts.workers.final_exit()?;
        let stated = facts.residue_passed;
        if stated.is_none() && !last {
            // Another worker may be started yet.
            return None;
        }
        let tick = facts.tick();
        let grace = facts.expectations.residue_grace;
        let due = exit + grace;
        let extended = due + facts.lag(exit, grace);
        let sampled = facts
            .moments
            .first_after(extended)
            .filter(|moment| life.lives_at(moment.at, tick))
            .map(|moment| (moment.at, moment.seq));
        let stated = stated.filter(|(passed, _)| {
            let stayed =
                life.harness_signal.is_some() || life.died().is_none_or(|died| died > extended);
            *passed >= due && life.lives_at(*passed, tick) && stayed
        });
        let (at, seq) = sampled
            .into_iter()
            .chain(stated)
            .min_by_key(|(at, _)| *at)?;
        Some(Broken {
            fate: Fate::Residue,
            at,
            due,
            seq,
        })
    }

    /// Whether the chain of parents led to a live worker at a moment. A parent that nobody knows is none; one that nobody saw is
    /// taken to be the worker, as long as there is one.
    pub fn has_live_owner(&self, facts: &Facts, life: &Life, moment: RunTime, depth: u32) -> bool {
        let Some(ppid) = life.parent_at(moment) else {
            return facts.workers.at(moment).is_some();
        };
        if facts.workers.had_pid(ppid, moment) {
            return true;
        }
        if depth == DEPTH {
            return false;
        }
        self.alive_with_pid(facts, ppid, moment)
            .filter(|parent| parent.id != life.id)
            .is_some_and(|parent| self.has_live_owner(facts, parent, moment, depth + 1))
    }
}

#[cfg(test)]
mod tests {
    use crate::judge::check::{check, check_with, judge};
    use crate::scenario::Survivor;
    use fake_claude::control::Role;
    use fake_claude::quantity::Span;

    /// One session whose primary was told nothing; the session ends at 2 s with a grace of 1 s.
    const SESSION: &str = "
        0s run; 0s worker 5; 1s open s1; 0.1s..8s tick
        1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1; 2s end s1 complete";
    /// The end of a run in which everything is waited for.
    const END: &str = "
        6s load; 6s drained quiet; 6.5s grace; 7s stop; 7.1s worker-exit 5; 8.5s residue; 9s over";

    fn history(middle: &str) -> String {
        format!("{SESSION}\n{middle}\n{END}")
    }

    #[test]
    fn what_lives_past_the_grace_under_the_worker_is_retained() {
        check(&history("7.05s exited 10; 7.1s gone 10"), "fail retained=1");
        // Going later does not mend it.
        check(
            &history("3.5s bye 10 eof; 3.5s exited 10; 3.6s gone 10"),
            "fail retained=1",
        );
        // Nor does staying longer than the worker put it into a second bin.
        check(&history(""), "fail retained=1");
    }

    #[test]
    fn what_goes_within_the_grace_is_clean() {
        check(
            &history("2.95s bye 10 eof; 2.95s exited 10; 3s gone 10"),
            "pass",
        );
    }

    #[test]
    fn a_death_that_the_table_alone_shows_may_be_a_tick_older() {
        // The table was read at 3.1 s and says so a little later; the process may have died just before.
        check(&history("2.9s bye 10 eof; 3.15s gone 10"), "pass");
        check(&history("2.9s bye 10 eof; 3.3s gone 10"), "fail retained=1");
    }

    #[test]
    fn a_late_sample_extends_the_grace() {
        check(
            &history("2.5s tick late 400ms; 3.35s bye 10 eof; 3.35s exited 10; 3.4s gone 10"),
            "pass",
        );
        check(
            &history("2.5s tick late 400ms; 3.65s bye 10 eof; 3.65s exited 10; 3.7s gone 10"),
            "fail retained=1",
        );
        // But never by more than the grace itself.
        check(
            &history("2.5s tick late 60s; 4.3s bye 10 eof; 4.3s exited 10; 4.4s gone 10"),
            "fail retained=1",
        );
    }

    #[test]
    fn a_statement_that_arrives_late_counts_from_its_own_moment() {
        check(
            &history("2.9s@3.4s bye 10 eof; 2.9s@3.4s exited 10; 3.4s gone 10"),
            "pass",
        );
    }

    #[test]
    fn a_process_that_comes_after_the_end_has_a_grace_of_its_own() {
        let late = "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10
            4s seen 11 parent 5; 4s hello 11 primary; 4s serves 11 s1";
        check(
            &history(&format!(
                "{late}; 4.9s bye 11 eof; 4.9s exited 11; 4.9s gone 11"
            )),
            "pass",
        );
        check(
            &history(&format!(
                "{late}; 5.5s bye 11 eof; 5.5s exited 11; 5.5s gone 11"
            )),
            "fail retained=1",
        );
    }

    #[test]
    fn without_its_owner_it_is_reparented() {
        check(&history("2.5s tick row 10 S 1 1MiB"), "fail reparented=1");
        // Its parent after it was found does not matter.
        check(&history("4.5s tick row 10 S 1 1MiB"), "fail retained=1");
    }

    #[test]
    fn a_grandchild_is_retained_as_long_as_its_chain_leads_to_the_worker() {
        let grandchild = "1.5s seen 12 parent 10 sid 12; 1.5s hello 12 grandchild parent 10";
        check(&history(grandchild), "fail retained=2");
        check(
            &history(&format!(
                "{grandchild}; 2.1s bye 10 eof; 2.1s exited 10; 2.2s gone 10; 2.2s tick row 12 S 1 1MiB"
            )),
            "fail reparented=1",
        );
    }

    #[test]
    fn a_daemon_belongs_to_the_session_of_the_one_that_says_it_started_it() {
        let history = history(
            "1.5s did 10 leave pid 12; 1.6s seen 12 parent 1; 1.6s hello 12 grandchild parent 1
            2.1s bye 10 eof; 2.1s exited 10; 2.2s gone 10",
        );
        check(&history, "fail reparented=1");
        assert_eq!(judge(&history).findings[0].sessions, ["s1"]);
    }

    #[test]
    fn a_daemon_that_was_seen_before_its_starter_spoke_of_it_belongs_to_it_too() {
        let history = history(
            "1s open s2; 1.5s seen 12 parent 1; 1.5s hello 12 grandchild parent 1; 1.6s did 10 leave pid 12
            2.1s bye 10 eof; 2.1s exited 10; 2.2s gone 10; 5.9s end s2 complete",
        );
        assert_eq!(judge(&history).findings[0].sessions, ["s1"]);
    }

    #[test]
    fn a_wrapper_has_the_session_of_its_payload() {
        check(
            "0s run; 0s worker 5; 0.1s..8s tick; 1s open s1; 1s open s2; 1s seen 10 parent 5; 1s hello 10 primary
            1s seen 11 parent 10; 1s hello 11 payload parent 10; 1.1s serves 11 s1; 2s end s1 complete
            4s bye 11 eof; 4s exited 11; 4s gone 11; 4s bye 10 done; 4s exited 10; 4s gone 10; 5s end s2 complete
            6s load; 6s drained quiet; 6.5s grace; 9s over",
            "fail retained=2",
        );
    }

    #[test]
    fn dead_and_never_waited_for_is_a_zombie() {
        let dead = "2.1s bye 10 eof; 2.1s exited 10; 2.2s tick row 10 Z 5 0B";
        check(&history(dead), "fail zombie=1");
        check(&history(&format!("{dead}; 5s gone 10")), "fail zombie=1");
        check(&history(&format!("{dead}; 2.8s gone 10")), "pass");
    }

    #[test]
    fn for_a_late_death_the_zombie_has_a_grace_of_its_own() {
        let late = "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10; 4s seen 11 parent 5; 4s hello 11 primary; 4s serves 11 s1
            4.9s bye 11 eof; 4.9s exited 11; 5s tick row 11 Z 5 0B";
        check(&history(&format!("{late}; 5.8s gone 11")), "pass");
        check(&history(&format!("{late}; 6.2s gone 11")), "fail zombie=1");
    }

    #[test]
    fn a_helper_may_live_but_not_stay_dead() {
        let helper = "1s seen 20 parent 5 role helper cmd git gc";
        let clean = "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10";
        check(
            &history(&format!("{clean}\n{helper}\n7.1s exited 20; 7.1s gone 20")),
            "pass",
        );
        check(
            &history(&format!("{clean}\n{helper}\n1.5s tick row 20 Z 5 0B")),
            "fail zombie=1",
        );
    }

    #[test]
    fn what_outlives_the_worker_is_residue() {
        let helper =
            "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10; 1s seen 20 parent 5 role helper";
        check(
            &history(&format!("{helper}\n7.2s tick row 20 S 1 1MiB")),
            "fail residue=1",
        );
        check(
            &history(&format!("{helper}\n8s exited 20; 8s gone 20")),
            "pass",
        );
        // The harness ended it, after its time was over.
        check(
            &history(&format!(
                "{helper}\n8.6s harness-signal 20 9; 8.7s exited 20; 8.7s gone 20"
            )),
            "fail residue=1",
        );
    }

    #[test]
    fn an_open_session_leaves_residue_too() {
        check(
            &format!(
                "0s run; 0s worker 5; 0.1s..9s tick; 1s open s1; 1s stall s1; 1s seen 10 parent 5; 1s hello 10 primary; 1s serves 10 s1 \n{END}"
            ),
            "fail residue=1 stalled=1",
        );
    }

    #[test]
    fn after_a_restart_it_is_reparented_unless_the_new_worker_has_it_in_hand() {
        let restart = "
            0s run; 0s worker 5; 0.1s..9s tick; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
            1.4s harness-signal 5 9; 1.5s worker-exit 5 signal 9; 1.6s worker 6; 1.6s tick row 10 S 1 1MiB; 2s end s1 complete";
        let end = "6s load; 6s drained quiet; 6.5s grace; 7s stop; 7.1s worker-exit 6; 8.5s residue; 9s over";
        check(&format!("{restart}\n{end}"), "fail reparented=1");
        check(
            &format!("{restart}\n6s examined 10 by 6\n{end}"),
            "fail readopted=1",
        );
        check(
            &format!("{restart}\n5s signal 10 15 from 6 ignored\n{end}"),
            "fail readopted=1",
        );
        check(
            &format!("{restart}\n1.7s bye 10 eof; 1.7s exited 10; 1.8s gone 10\n{end}"),
            "pass",
        );
    }

    #[test]
    fn what_is_meant_to_live_is_a_survivor() {
        let survivor = |role, command: Option<&str>| Survivor {
            role,
            command: command.map(str::to_owned),
            reason: "shared".to_owned(),
        };
        let with = |survivor: Survivor, expected: &str| {
            check_with(
                &history(""),
                |expectations| expectations.survivors = vec![survivor],
                expected,
            );
        };
        with(survivor(Some(Role::Primary), None), "pass");
        with(survivor(None, Some("--verbose")), "pass");
        with(
            survivor(Some(Role::Primary), Some("--daemon")),
            "fail retained=1",
        );
        with(survivor(Some(Role::Helper), None), "fail retained=1");
        with(survivor(None, None), "fail retained=1");
    }

    #[test]
    fn without_the_control_socket_nobody_knows_who_is_meant_to_live() {
        let unheard = "0s run only=reaper,table,portable,cookie; 0s worker 5; 0.1s..8s tick; 1s open s1; 1s seen 10 parent 5
            2s end s1 complete";
        let survivor = |command: Option<&str>| Survivor {
            role: Some(Role::Grandchild),
            command: command.map(str::to_owned),
            reason: "shared".to_owned(),
        };
        for (command, expected) in [
            (None, "inconclusive undecided=1"),
            (Some("--daemon"), "fail retained=1"),
        ] {
            check_with(
                &format!("{unheard}\n{END}"),
                |expectations| expectations.survivors = vec![survivor(command)],
                expected,
            );
        }
    }

    #[test]
    fn a_grace_that_the_run_did_not_wait_for_decides_nothing() {
        let early = "2.2s load; 2.2s drained quiet; 2.3s stop; 2.4s bye 10 signal; 2.4s exited 10; 2.4s gone 10
            2.5s worker-exit 5; 4s residue; 4s over";
        check(&format!("{SESSION}\n{early}"), "inconclusive undecided=1");
    }

    #[test]
    fn a_recording_that_ends_within_the_grace_decides_nothing() {
        check(
            "0s run; 0s worker 5; 0.1s..2.5s tick; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
            2s end s1 complete; 2.5s over",
            "inconclusive undecided=1",
        );
    }

    #[test]
    fn the_runs_word_that_every_grace_has_passed_is_enough_unless_it_goes_by_itself() {
        let no_samples_after = "
            0s run; 0s worker 5; 0.1s..2.9s tick late 300ms; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
            2s end s1 complete; 3s load; 3s drained quiet; 3.1s grace";
        check(
            &format!(
                "{no_samples_after}; 3.2s stop; 3.25s exited 10; 3.25s gone 10; 3.3s worker-exit 5; 5s residue; 5s over"
            ),
            "fail retained=1",
        );
        check(
            &format!(
                "{no_samples_after}; 3.15s bye 10 eof; 3.15s exited 10; 3.15s gone 10; 3.2s stop; 3.3s worker-exit 5; 5s residue; 5s over"
            ),
            "pass",
        );
    }

    #[test]
    fn one_that_nobody_can_attribute_is_held_to_the_last_session() {
        let deaf = "0s run; 0s worker 5; 0.1s..9s tick; 1s open s1; 1s open s2; 1s seen 10 parent 5; 1s hello 10 primary
            2s end s1 complete; 4s end s2 complete; 4s load";
        check(
            &format!(
                "{deaf}; 4.9s bye 10 eof; 4.9s exited 10; 4.9s gone 10; 7s drained quiet; 9s over"
            ),
            "pass",
        );
        check(
            &format!("{deaf}; 7s drained quiet; 9s over"),
            "fail retained=1",
        );
    }

    #[test]
    fn the_grace_follows_the_kind_of_end() {
        let abandoned = SESSION.replace("complete", "abandon");
        let patient = |expectations: &mut crate::judge::Expectations| {
            expectations
                .graces
                .insert(crate::scenario::End::Abandon, Span::from_secs(3));
        };
        let gone = format!("{abandoned}\n4.5s bye 10 eof; 4.5s exited 10; 4.5s gone 10\n{END}");
        check(&gone, "fail retained=1");
        check_with(&gone, patient, "pass");
    }

    #[test]
    fn a_pid_that_comes_again_is_another_process() {
        check(
            &history(
                "2.1s bye 10 eof; 2.1s exited 10; 2.2s gone 10
                3s open s2; 3s seen 10@9 parent 5; 3s hello 10@9 primary; 3s serves 10@9 s2; 5s end s2 complete
                5.1s bye 10@9 eof; 5.1s exited 10@9; 5.1s gone 10@9",
            ),
            "pass",
        );
    }

    #[test]
    fn the_first_obligation_decides_however_late_it_is_known() {
        check(
            "0s run; 0s worker 5; 0.1s..8.8s tick; 1s open s1; 1s open s2; 1s seen 10 parent 5; 1s hello 10 primary
            2s end s1 complete; 7s stop; 7.1s worker-exit 5; 8.5s residue; 1.1s@8.8s serves 10 s1; 9s over",
            "fail retained=1",
        );
    }

    #[test]
    fn what_the_harness_ended_after_the_residue_grace_would_have_stayed() {
        let helper = "2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10; 1s seen 20 parent 5 role helper; 7.5s tick late 400ms";
        let end = END.replace("8.5s residue", "8.15s residue");
        check(
            &format!(
                "{SESSION}\n{helper}; 8.17s harness-signal 20 9; 8.18s exited 20; 8.2s gone 20\n{end}"
            ),
            "fail residue=1",
        );
        check(
            &format!("{SESSION}\n{helper}; 8.18s exited 20; 8.2s gone 20\n{end}"),
            "pass",
        );
    }

    #[test]
    fn between_two_sessions_a_process_that_nobody_can_attribute_may_wait() {
        check(
            "0s run; 0s worker 5; 0.1s..9s tick; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 2s end s1 complete
            5s open s2; 6s end s2 complete; 6.1s load; 6.5s bye 10 eof; 6.5s exited 10; 6.5s gone 10; 7s drained quiet; 9s over",
            "pass",
        );
    }

    #[test]
    fn a_stop_that_is_followed_by_another_start_cuts_no_grace_short() {
        let stopped = "0s run; 0s worker 5; 0.1s..9s tick; 1s open s1; 1s seen 10 parent 5; 1s hello 10 primary; 1.1s serves 10 s1
            2s end s1 complete; 2.1s load; 2.2s stop; 2.3s bye 10 eof; 2.3s exited 10; 2.3s gone 10; 2.4s worker-exit 5";
        let end = "6s drained quiet; 6.5s grace; 9s over";
        check(&format!("{stopped}; 3.5s worker 6; {end}"), "pass");
        check(&format!("{stopped}; {end}"), "inconclusive undecided=1");
    }

    #[test]
    fn its_own_word_about_its_role_beats_the_adapters() {
        check(
            &history("0.9s seen 30 parent 5 role helper; 1s hello 30 primary; 1s serves 30 s1; 2.1s bye 10 eof; 2.1s exited 10; 2.1s gone 10")
                .replace("1s serves 30 s1", "1.9s serves 30 s1"),
            "fail retained=1",
        );
    }
}
