//! Counters of resumable streams.

use super::StreamEnd;

/// Counters and gauges of resumable streams. Gauges say *now*; counters count since the streams were
/// created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResumableStats {
    /// The number of producers that run now.
    pub running: u64,
    /// The number of finished streams that are kept now.
    pub finished: u64,
    /// The number of listeners now.
    pub listeners: u64,
    /// The memory of the histories now, including events that clients have yet to take, in bytes and
    /// whole [granules](crate::Budget::GRANULE).
    pub retained_bytes: u64,
    /// The number of streams that were started.
    pub started: u64,
    /// The number of streams that ended `Complete`.
    pub complete: u64,
    /// The number of streams that ended `Failed`.
    pub failed: u64,
    /// The number of streams that ended `Panicked`.
    pub panicked: u64,
    /// The number of streams that ended `TooLarge`.
    pub too_large: u64,
    /// The number of streams that ended `Stopped`.
    pub stopped: u64,
    /// The number of streams that ended `Abandoned`.
    pub abandoned: u64,
    /// The number of streams that ended `Shutdown`.
    pub shutdown: u64,
    /// The number of streams that ended `Dropped`.
    pub dropped: u64,
    /// How many ended `Lost`.
    pub lost: u64,
    /// The number of streams that ended `Rejected`.
    pub rejected: u64,
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
            StreamEnd::Lost => &mut self.lost,
            StreamEnd::Rejected(_) => &mut self.rejected,
        } += 1;
    }
}
