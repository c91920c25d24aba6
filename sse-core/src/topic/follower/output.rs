//! What a follower asks its caller to do.

use super::PageRequest;
use crate::{
    Event,
    topic::{Position, PublishError, Topic},
};

/// A task for the caller of a [`Follower`](super::Follower).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FollowerOutput {
    /// Ask the log for this, and pass the answer to [`handle_page`](super::Follower::handle_page) or
    /// [`handle_page_failed`](super::Follower::handle_page_failed). There is one such request at a time.
    Read(PageRequest),
    /// The history is followed from here on: the first place that is known.
    Begin(Position),
    /// The next event.
    Event(Position, Event),
    /// So many events behind the last place are no longer in the log: the history goes on behind
    /// `behind`.
    Lost {
        /// How many.
        events: u64,
        /// Where it goes on.
        behind: Position,
    },
    /// The log has begun another life: the history goes on behind this place, in another epoch.
    Anew(Position),
}

impl FollowerOutput {
    /// Has the topic do it: publishes the event, or goes on behind the place, which tells subscribers
    /// what they lose by it. Returns the request, where this is one.
    ///
    /// # Errors
    ///
    /// [`PublishError`] where the topic does not take the event. The topic goes on behind it then, and its
    /// subscribers are told of one lost event, except where the topic is
    /// [closed](PublishError::Closed): then nothing more can be done with it.
    pub fn publish_to(self, topic: &Topic) -> Result<Option<PageRequest>, PublishError> {
        match self {
            Self::Read(request) => return Ok(Some(request)),
            Self::Begin(place) | Self::Anew(place) | Self::Lost { behind: place, .. } => {
                topic.go_on_behind(place)?;
            }
            Self::Event(position, event) => {
                if let Err(error) = topic.publish_at(position.sequence(), event) {
                    topic.go_on_behind(position)?;
                    return Err(error);
                }
            }
        }
        Ok(None)
    }
}
