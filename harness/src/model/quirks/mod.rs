//! What the model does beyond the report, a file for each quirk or small family. The honest path asks one question at the place where
//! it decides; what differs is here.

pub(super) mod attendants;
pub(super) mod garbage;
pub(super) mod garbled;
pub(super) mod handing_over;
pub(super) mod helper_per_session;
pub(super) mod in_flight;
pub(super) mod inherited;
pub(super) mod kills_at_end;
pub(super) mod ladder;
pub(super) mod left_behind;
pub(super) mod mistaken;
pub(super) mod probe_storm;
pub(super) mod queue_at_end;
pub(super) mod readoption;
pub(super) mod requests;
pub(super) mod respawn;
pub(super) mod storing;
pub(super) mod sweeps;
