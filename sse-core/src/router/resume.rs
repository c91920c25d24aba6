//! A topic's subscriber for a request.

use std::{borrow::Cow, collections::BTreeSet};

use ::http::{HeaderValue, StatusCode};

use super::{Refusal, Request};
use crate::{
    Text,
    topic::{
        MergeError, MergedSubscriber, Subscriber, TooManyTopics, Topic, TopicConfig, TopicMap,
    },
};

impl Topic {
    /// A subscriber for whoever sent this request: it resumes behind the last event ID that the
    /// request names, and gets what is published from now on where it names none.
    ///
    /// The ID is that of the field `Last-Event-ID` or, without one, of the query parameter
    /// [`last_event_id_param`](crate::topic::TopicConfig::last_event_id_param).
    ///
    /// ```
    /// use std::time::Instant;
    /// use sse_core::{router::{Request, Router}, topic::{TopicConfig, Topic}};
    ///
    /// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    /// let news = topic.clone();
    /// let router = Router::new().events("/news", move |request: Request| news.resume(&request));
    ///
    /// topic.publish("for all who listen at /news")?;
    /// # Ok::<(), sse_core::topic::PublishError>(())
    /// ```
    #[must_use]
    pub fn resume(&self, request: &Request) -> Subscriber {
        self.resume_from(last_event_id(request, self.config()).as_deref())
    }
}

impl MergedSubscriber {
    /// A subscriber to these topics for whoever sent this request: as
    /// [`resume_from`](Self::resume_from), with the last event ID that the request names, as for
    /// [`Topic::resume`]. The first topic's setting tells the name of the query parameter.
    ///
    /// # Errors
    ///
    /// [`MergeError`]; a handler's `?` makes it a refusal.
    pub fn resume<'a, N: Into<Text>>(
        topics: impl IntoIterator<Item = (N, &'a Topic)>,
        request: &Request,
    ) -> Result<Self, MergeError> {
        let mut topics = topics.into_iter().peekable();
        let id = topics
            .peek()
            .and_then(|(_, first)| last_event_id(request, first.config()));
        Self::resume_from(topics, id.as_deref())
    }
}

impl TopicMap {
    /// A subscriber to the topics of these names for whoever sent this request: see
    /// [`MergedSubscriber`]. Topics that are not there are made, unless there are too many names.
    ///
    /// # Errors
    ///
    /// [`MergeError`]; a handler's `?` makes it a refusal.
    pub fn resume_all<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
        request: &Request,
    ) -> Result<MergedSubscriber, MergeError> {
        let max = self.config().topic.max_merged_topics;
        let mut unique = BTreeSet::new();
        for name in names {
            if !unique.contains(name.as_ref()) {
                if unique.len() >= max {
                    return Err(MergeError::TooMany { max });
                }
                unique.insert(Text::from(name.as_ref()));
            }
        }
        let topics = unique.into_iter().map(|name| {
            let topic = self.topic(&name)?;
            Ok((name, topic))
        });
        let topics = topics.collect::<Result<Vec<_>, TooManyTopics>>()?;
        let topics = topics.iter().map(|(name, topic)| (name.clone(), topic));
        MergedSubscriber::resume(topics, request)
    }
}

impl From<TooManyTopics> for Refusal {
    /// A 503. How many there may be is nobody's business but the server's.
    fn from(_: TooManyTopics) -> Self {
        let text = "The server has as many topics as it can take. Try again later.\n";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

impl From<MergeError> for Refusal {
    /// A 400 where the request names no topic or too many, and else a 503.
    fn from(error: MergeError) -> Self {
        let text = match error {
            MergeError::NoTopic => "Name at least one topic.\n".into(),
            MergeError::TooMany { max } => format!("Name no more than {max} topics.\n"),
            MergeError::Map(error) => return error.into(),
            MergeError::SameEpoch { .. } => {
                let text = "These topics cannot be in one stream.\n";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, text);
            }
        };
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}

/// The ID that the request names: in its field or, where that says nothing, in its query.
fn last_event_id<'a>(request: &'a Request, config: &TopicConfig) -> Option<Cow<'a, str>> {
    let field = request.headers().get("last-event-id");
    match field.map(HeaderValue::as_bytes) {
        // One that is not UTF-8 is none that a topic knows, but it is one.
        Some(value) if !value.is_empty() => Some(String::from_utf8_lossy(value)),
        _ => match config.last_event_id_param.as_str() {
            "" => None,
            name => request.query_param(name),
        },
    }
}
