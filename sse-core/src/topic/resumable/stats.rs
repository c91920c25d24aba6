//! What resumable streams count.

use super::StreamEnd;

/// Counters and gauges of resumable streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResumableStats {
    /// How many producers run now.
    pub running: u64,
    /// How many finished streams are kept now.
    pub finished: u64,
    /// How many listeners there are now.
    pub listeners: u64,
    /// How many bytes of memory the histories take now, and what clients have still to take of them, in
    /// whole [granules](crate::Budget::GRANULE).
    pub retained_bytes: u64,
    /// How many streams were started.
    pub started: u64,
    /// How many streams ended `Complete`.
    pub complete: u64,
    /// How many ended `Failed`.
    pub failed: u64,
    /// How many ended `Panicked`.
    pub panicked: u64,
    /// How many ended `TooLarge`.
    pub too_large: u64,
    /// How many ended `Stopped`.
    pub stopped: u64,
    /// How many ended `Abandoned`.
    pub abandoned: u64,
    /// How many ended `Shutdown`.
    pub shutdown: u64,
    /// How many ended `Dropped`.
    pub dropped: u64,
}

impl ResumableStats {
    pub(super) fn started(&mut self) {
        self.running += 1;
        self.started += 1;
    }

    pub(super) fn ended(&mut self, end: &StreamEnd) {
        self.running -= 1;
        self.finished += 1;
        *match end {
            StreamEnd::Complete => &mut self.complete,
            StreamEnd::Failed(_) => &mut self.failed,
            StreamEnd::Panicked => &mut self.panicked,
            StreamEnd::TooLarge(_) => &mut self.too_large,
            StreamEnd::Stopped(_) => &mut self.stopped,
            StreamEnd::Abandoned => &mut self.abandoned,
            StreamEnd::Shutdown => &mut self.shutdown,
            StreamEnd::Dropped => &mut self.dropped,
        } += 1;
    }
}
