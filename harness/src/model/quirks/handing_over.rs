//! `delivers-twice`, `feeder-dies`, and the pace at which items are handed over.

use crate::model::policy::Quirk;

/// How often each item is sent to its claude.
pub(in crate::model) fn times(quirks: &[Quirk]) -> usize {
    if quirks.contains(&Quirk::DeliversTwice) {
        2
    } else {
        1
    }
}

/// Whether an item is handed over only when the one before it is answered. A model that hands over whatever it has keeps nothing in its
/// queue that the end of a session could throw away.
pub(in crate::model) fn is_one_at_a_time(quirks: &[Quirk]) -> bool {
    quirks.contains(&Quirk::DropsQueueAtEnd) || quirks.contains(&Quirk::DropsSummary)
}

/// Whether nothing more is handed over to a claude that was given so many items.
pub(in crate::model) fn has_stopped(quirks: &[Quirk], given: usize) -> bool {
    given > 0 && quirks.contains(&Quirk::FeederDies)
}
