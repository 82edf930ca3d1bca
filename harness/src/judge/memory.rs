//! Memory: what was in use at most, and what leaked.

/// RSS and PSS of the run.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    pub peak_rss: u64,
    pub worker_peak_rss: u64,
    pss_now: u64,
    pub peak_pss: Option<u64>,
    pub leaked_rss: u64,
    pub leaked_pss: Option<u64>,
    pub leaked: u32,
    pub leaked_with_pss: u32,
}

impl Memory {
    /// The PSS of a process was measured; it may have been before.
    pub fn examined(&mut self, before: Option<u64>, after: Option<u64>) {
        self.pss_now = self
            .pss_now
            .saturating_sub(before.unwrap_or(0))
            .saturating_add(after.unwrap_or(0));
        if after.is_some() {
            self.peak_pss = self.peak_pss.max(Some(self.pss_now));
        }
    }

    /// A process is gone.
    pub fn forgotten(&mut self, pss: Option<u64>) {
        self.pss_now = self.pss_now.saturating_sub(pss.unwrap_or(0));
    }

    /// A process leaked.
    pub fn leaked(&mut self, rss: u64, pss: Option<u64>) {
        self.leaked += 1;
        self.leaked_rss = self.leaked_rss.saturating_add(rss);
        if let Some(pss) = pss {
            self.leaked_with_pss += 1;
            self.leaked_pss = Some(self.leaked_pss.unwrap_or(0).saturating_add(pss));
        }
    }
}
