//! Blind: a witness missed what another one saw. That speaks against the evidence, not against the worker.

use crate::judge::finding::Found;
use crate::scenario::Bin;

/// How many cross-checks in a row must disagree before that is no chance.
const IN_A_ROW: u32 = 3;

/// Compares the two process tables. They are never read at the same moment, so a count of the one must lie between the two counts of
/// the other that surround it.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct CrossCheck {
    before: Option<u32>,
    other: Option<u32>,
    in_a_row: u32,
    /// How often the tables disagreed for longer than chance explains.
    pub differences: u32,
}

impl CrossCheck {
    /// The main table's count.
    pub fn main(&mut self, children: u32) {
        if let (Some(before), Some(other)) = (self.before, self.other.take()) {
            let between = before.min(children)..=before.max(children);
            if between.contains(&other) {
                self.in_a_row = 0;
            } else {
                self.in_a_row += 1;
                if self.in_a_row == IN_A_ROW {
                    self.in_a_row = 0;
                    self.differences += 1;
                }
            }
        }
        self.before = Some(children);
    }

    /// The other table's count.
    pub const fn other(&mut self, children: u32) {
        self.other = Some(children);
    }
}

/// What the table missed, and where the tables differ.
pub(in crate::judge) fn blind(unseen: u32, differences: u32) -> Vec<Found> {
    let found = |shape: &str| Found {
        rule: Bin::Blind,
        subject: "witness".to_owned(),
        shape: shape.to_owned(),
        cause: "a witness missed what another one saw".to_owned(),
        blames: true,
        session: None,
        process: None,
        expected: "all witnesses agree".to_owned(),
        seen: "they do not".to_owned(),
        by: None,
        events: Vec::new(),
    };
    let unseen = (0..unseen).map(|_| {
        found("a fake spoke for longer than two ticks and the process table never showed it")
    });
    let differences = (0..differences).map(|_| found("the two process tables count differently"));
    unseen.chain(differences).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::check;

    const SILENT: &str =
        "0s run; 0s worker 5; 1s open s1; 1s..6s tick; 1s hello 10 primary; 1.1s serves 10 s1";

    #[test]
    fn a_fake_that_the_table_never_showed_is_found() {
        check(
            &format!(
                "{SILENT}; 3s end s1 complete; 3.1s bye 10 eof; 3.1s exited 10; 5s load; 5s drained quiet; 5s grace; 7s over"
            ),
            "inconclusive blind=1",
        );
    }

    #[test]
    fn a_fake_that_lived_for_less_than_two_ticks_may_be_missed() {
        check(
            &format!(
                "{SILENT}; 1.15s end s1 complete; 1.16s bye 10 eof; 1.16s exited 10; 5s load; 5s drained quiet; 5s grace; 7s over"
            ),
            "pass",
        );
    }

    #[test]
    fn after_the_table_has_failed_that_is_the_reason() {
        check(
            &format!(
                "{SILENT}; 2s fail table; 3s end s1 complete; 3.1s bye 10 eof; 3.1s exited 10; 5s load; 5s drained quiet; 5s grace; 7s over"
            ),
            "inconclusive",
        );
    }

    #[test]
    fn tables_differ_only_when_they_do_so_again_and_again() {
        let mut check = CrossCheck::default();
        check.main(3);
        for (other, main) in [(5, 3), (5, 3), (3, 3), (4, 5)] {
            check.other(other);
            check.main(main);
        }
        assert_eq!(check.differences, 0);
        for _ in 0..3 {
            check.other(9);
            check.main(5);
        }
        assert_eq!(check.differences, 1);
    }
}
