//! What the model does beyond the report, a file for each quirk or small family. The honest path asks one question at the place where
//! it decides; what differs is here.

pub(super) mod attendants;
pub(super) mod garbled;
pub(super) mod inherited;
pub(super) mod kills_at_end;
pub(super) mod ladder;
pub(super) mod mistaken;
pub(super) mod readoption;
pub(super) mod sweeps;
