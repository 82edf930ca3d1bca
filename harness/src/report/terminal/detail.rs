//! How much of a report is said.

use super::Amount;

/// How many lines and entries of each kind are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detail {
    /// The most lines of a sentence; it is cut after that.
    pub lines: usize,
    /// The most lines of a finding's first sentence, which names its cause.
    pub signature: usize,
    /// How many findings are shown.
    pub findings: usize,
    /// How many of these with what proves them.
    pub proven: usize,
    /// How many processes of each of these.
    pub rows: usize,
    /// Whether what proves a finding names its sessions and events.
    pub places: bool,
    /// How many entries of a list are shown: doubts, limits, what was not expected.
    pub listed: usize,
    /// Whether it is told who watched, and how small a leak would have been seen.
    pub watching: Watching,
    /// Whether findings stand apart.
    pub gaps: bool,
}

/// When it is told who watched, and how small a leak would have been seen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Watching {
    /// Never.
    Never,
    /// When the evidence does not suffice.
    InDoubt,
    /// Always.
    Always,
}

impl Amount for Detail {
    const ALL: Self = Self {
        lines: usize::MAX,
        signature: usize::MAX,
        findings: 6,
        proven: 6,
        rows: 5,
        places: true,
        listed: usize::MAX,
        watching: Watching::Always,
        gaps: true,
    };

    const LEAST: Self = Self {
        lines: 1,
        signature: 1,
        findings: 2,
        proven: 0,
        rows: 0,
        places: false,
        listed: 1,
        watching: Watching::Never,
        gaps: false,
    };

    const MORE: &'static [fn(&mut Self)] = &[
        |detail| detail.findings = 4,
        |detail| detail.signature = 2,
        |detail| detail.proven = 1,
        |detail| detail.listed = 2,
        |detail| detail.rows = 1,
        |detail| detail.lines = 2,
        |detail| detail.watching = Watching::InDoubt,
        |detail| detail.findings = Self::ALL.findings,
        |detail| detail.proven = Self::ALL.proven,
        |detail| detail.gaps = true,
        |detail| detail.lines = 4,
        |detail| detail.watching = Watching::Always,
        |detail| detail.places = true,
        |detail| detail.rows = Self::ALL.rows,
    ];
}
