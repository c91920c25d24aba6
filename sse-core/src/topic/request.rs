//! Subscribers for requests, which may name the client's last event ID.

use std::{borrow::Cow, collections::BTreeSet};

use ::http::{HeaderMap, HeaderValue, Uri};

use super::{MergeError, MergedSubscriber, Subscriber, TooManyTopics, Topic, TopicMap};
use crate::Text;

/// A request that may name its client's last event ID, from which a topic resumes.
///
/// `http::Request` and `http::request::Parts` implement it, whatever the body is, and so do the request
/// that a router's handler gets and the head that a server connection reads.
#[diagnostic::on_unimplemented(
    message = "a topic cannot resume from `{Self}`",
    note = "give it the request of the handler, an `http::Request` or its `Parts`",
    note = "with an ID alone, call `resume_from(Some(id))`"
)]
pub trait ResumeRequest {
    /// Returns the last event ID from the field `Last-Event-ID` or, if there is none or an empty one,
    /// from the query parameter `query_param`, of which the last one counts: a program in the place of an
    /// EventSource may append it to a URL that has one already. If `query_param` is empty, no parameter is read.
    fn last_event_id(&self, query_param: &str) -> Option<Cow<'_, str>>;
}

impl<B> ResumeRequest for ::http::Request<B> {
    fn last_event_id(&self, query_param: &str) -> Option<Cow<'_, str>> {
        named(self.headers(), self.uri(), query_param)
    }
}

impl ResumeRequest for ::http::request::Parts {
    fn last_event_id(&self, query_param: &str) -> Option<Cow<'_, str>> {
        named(&self.headers, &self.uri, query_param)
    }
}

#[cfg(feature = "server")]
impl ResumeRequest for crate::http::RequestHead {
    fn last_event_id(&self, query_param: &str) -> Option<Cow<'_, str>> {
        self.request().last_event_id(query_param)
    }
}

fn named<'a>(headers: &'a HeaderMap, uri: &'a Uri, query_param: &str) -> Option<Cow<'a, str>> {
    match headers.get("last-event-id").map(HeaderValue::as_bytes) {
        // An ID that is not UTF-8 is unknown to every topic, but it is an ID.
        Some(value) if !value.is_empty() => Some(String::from_utf8_lossy(value)),
        _ if query_param.is_empty() => None,
        _ => form_urlencoded::parse(uri.query()?.as_bytes())
            .filter(|(key, _)| key == query_param)
            .last()
            .map(|(_, value)| value),
    }
}

impl Topic {
    /// Returns a subscriber for the client that sent this request: it resumes after the last event ID in
    /// the request. If the request has none, it gets the events published from now on.
    ///
    /// The ID comes from the field `Last-Event-ID` or, without one, from the query parameter
    /// [`last_event_id_param`](crate::topic::TopicConfig::last_event_id_param).
    ///
    /// ```
    /// use std::time::Instant;
    /// use sse_core::topic::{Outcome, Topic, TopicConfig};
    ///
    /// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
    /// topic.publish("one")?;
    /// topic.publish("two")?;
    ///
    /// let request = http::Request::get("/news").header("last-event-id", "0-1").body(())?;
    /// let subscriber = topic.resume(&request);
    /// assert_eq!(subscriber.outcome(), Outcome::Resumed { replayed: 1 });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn resume(&self, request: &impl ResumeRequest) -> Subscriber {
        self.resume_from(
            request
                .last_event_id(&self.config().last_event_id_param)
                .as_deref(),
        )
    }
}

impl MergedSubscriber {
    /// Creates a subscriber to these topics for the client that sent this request, as
    /// [`resume_from`](Self::resume_from) does with the last event ID in the request, which it reads as
    /// [`Topic::resume`] does. The first topic's setting has the name of the query parameter.
    ///
    /// # Errors
    ///
    /// [`MergeError`]; with `?` in a handler it becomes a refusal.
    pub fn resume<'a, N: Into<Text>>(
        topics: impl IntoIterator<Item = (N, &'a Topic)>,
        request: &impl ResumeRequest,
    ) -> Result<Self, MergeError> {
        let mut topics = topics.into_iter().peekable();
        let id = topics
            .peek()
            .and_then(|(_, first)| request.last_event_id(&first.config().last_event_id_param));
        Self::resume_from(topics, id.as_deref())
    }
}

impl TopicMap {
    /// Returns a subscriber to the topics of these names for the client that sent this request: see
    /// [`MergedSubscriber`]. It creates topics that do not exist, unless there are too many names.
    ///
    /// # Errors
    ///
    /// [`MergeError`]; with `?` in a handler it becomes a refusal.
    pub fn resume_all<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
        request: &impl ResumeRequest,
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
