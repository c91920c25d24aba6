//! The events of all pages: one topic, whose events have several types.

use super::{Failure, clean_up::CleanUp, numbers::Number, shared, state::State};
use crate::on::{
    Runtime,
    adapter::{
        IntoEvent, Reply, Request, Subscriber, Topic, TopicConfig,
        driver::Runtime as _,
        event_log::FollowedTopic,
        topic::{Announce, ResumeRequest, TopicSnapshot},
    },
};

/// The number of events that a topic keeps: some minutes of them.
pub(super) const KEPT: usize = 1_000;

/// What a run of the server leaves to the next one.
pub(super) type Kept = Option<TopicSnapshot>;

/// The settings of the topic, here or as the cache of a log.
pub(super) fn config() -> TopicConfig {
    let mut config = TopicConfig::default();
    config.max_events = KEPT;
    // Each stream begins with how it joins the history.
    config.announce = Announce::Everything;
    config
}

/// What pages get, over one connection. The type of an event is the name of
/// its variant: `number`, `state`, `clean_up`.
#[derive(Debug, IntoEvent)]
pub(super) enum Update {
    Number(Number),
    State(State),
    CleanUp(CleanUp),
}

/// The topic that the pages follow.
#[derive(Clone, Debug)]
pub(super) enum Feed {
    /// A topic of this process.
    Own(Topic),
    /// The topic of all demos with the same Redis server.
    Shared(FollowedTopic),
}

impl Feed {
    /// Begins with what the topic held in the run before, and in the first run
    /// with a minute of numbers.
    pub(super) fn begin(kept: Kept) -> Result<Self, Failure> {
        let topic = Topic::on(Runtime, config());
        match kept {
            Some(snapshot) => topic.restore(&snapshot)?,
            None => {
                for number in Number::of_the_last_minute() {
                    topic.publish(Update::Number(number))?;
                }
            }
        }
        Ok(Self::Own(topic))
    }

    /// Ends the topic, and returns what the next run begins with. A log outside
    /// the process needs nothing.
    pub(super) fn end(self) -> Kept {
        match self {
            Self::Own(topic) => {
                topic.close();
                Some(topic.snapshot())
            }
            Self::Shared(_) => None,
        }
    }

    /// Publishes an event to all pages.
    pub(super) fn publish(&self, event: impl IntoEvent) {
        let Ok(event) = event.into_event() else {
            return;
        };
        match self {
            // Between two runs the topic is closed, and there is no page.
            Self::Own(topic) => {
                let _ = topic.publish(event);
            }
            // It fails after ten seconds without Redis. The pages show that nothing comes.
            Self::Shared(topic) => {
                let topic = topic.clone();
                Runtime.spawn(async move {
                    let _ = topic.publish(event).await;
                });
            }
        }
    }

    /// Returns the events for a page.
    pub(super) fn listen(&self, request: &Request) -> Reply {
        match self {
            Self::Own(topic) => listen(topic, request).into(),
            Self::Shared(topic) => Reply::events(shared::listen(topic, request)),
        }
    }
}

/// A page that was not here before gets what the topic keeps; one that comes
/// back gets what it missed.
fn listen(topic: &Topic, request: &Request) -> Subscriber {
    match ResumeRequest::last_event_id(request, "lastEventId") {
        Some(_) => topic.resume(request),
        None => topic.subscribe_from_oldest(),
    }
}
