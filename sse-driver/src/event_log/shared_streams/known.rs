//! What a node knows of a stream.

use sse_core::{
    Text,
    topic::resumable::{StreamEnd, member::MemberPhase},
};

use super::calls::Entry;

/// A stream that a node runs or reads: see [`SharedStreams::all`](super::SharedStreams::all).
///
/// ```
/// use sse_driver::event_log::SharedStreams;
///
/// /// How many streams would end with this node.
/// fn own(streams: &SharedStreams) -> usize {
///     streams.all().iter().filter(|stream| stream.runs_here).count()
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SharedStream {
    /// The owner. It is empty where there is none.
    pub owner: Text,
    /// The name.
    pub name: Text,
    /// Whether its producer runs on this node.
    pub runs_here: bool,
    /// The number of its clients on this node.
    pub listeners: u64,
    /// How it ended; `None` while it runs, on any node.
    pub end: Option<StreamEnd>,
}

impl SharedStream {
    /// Returns what is known of it, if there is such a stream.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        entry.room.with(|state| {
            let member = &state.member;
            let is_there = matches!(member.phase(), MemberPhase::Running | MemberPhase::Ended);
            is_there.then(|| Self {
                owner: entry.name.owner.clone(),
                name: entry.name.name.clone(),
                runs_here: member.is_owner(),
                listeners: member.listeners(),
                end: member.end().cloned(),
            })
        })
    }
}
