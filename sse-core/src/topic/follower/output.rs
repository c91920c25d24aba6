//! The tasks that a follower gives its caller.

use super::PageRequest;
use crate::{
    Event,
    topic::{Position, PublishError, Topic},
};

/// A task for the caller of a [`Follower`](super::Follower).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FollowerOutput {
    /// Request this page from the log, and pass the answer to
    /// [`handle_page`](super::Follower::handle_page) or
    /// [`handle_page_failed`](super::Follower::handle_page_failed). There is one such request at a time.
    Read(PageRequest),
    /// The history begins after this place, which is the first one known.
    Begin(Position),
    /// The next event.
    Event(Position, Event),
    /// The log no longer has the events after the last place: the history continues after `behind`.
    Lost {
        /// The number of lost events.
        events: u64,
        /// The place after which the history continues.
        behind: Position,
    },
    /// The log has begun another epoch: the history continues after this place in it.
    Anew(Position),
}

impl FollowerOutput {
    /// Applies the output to the topic: publishes the event, or continues after the place, which tells
    /// subscribers what they lose. Returns the request, if it is one.
    ///
    /// # Errors
    ///
    /// [`PublishError`] where the topic does not take the event. The topic then continues after the
    /// event, and its subscribers are told of one lost event, unless the topic is
    /// [closed](PublishError::Closed).
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
