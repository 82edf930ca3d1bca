//! `stores-twice` and `forgets-to-store`.

use crate::model::policy::Quirk;

/// How often an answer is stored.
pub(in crate::model) fn times(quirks: &[Quirk]) -> usize {
    if quirks.contains(&Quirk::ForgetsToStore) {
        0
    } else if quirks.contains(&Quirk::StoresTwice) {
        2
    } else {
        1
    }
}
