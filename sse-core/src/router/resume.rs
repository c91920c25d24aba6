//! A topic's subscriber for a request.

use ::http::{HeaderMap, StatusCode};

use super::{Refusal, Request};
use crate::topic::{Subscriber, TooManyTopics, Topic};

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
        if let Some(id) = last_event_id(request.headers()) {
            return self.resume_from(Some(&id));
        }
        let param = self.config().last_event_id_param.as_str();
        let id = match param {
            "" => None,
            name => request.query_param(name),
        };
        self.resume_from(id.as_deref())
    }
}

impl From<TooManyTopics> for Refusal {
    /// A 503. How many there may be is nobody's business but the server's.
    fn from(_: TooManyTopics) -> Self {
        let text = "The server has as many topics as it can take. Try again later.\n";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

/// One that is not UTF-8 is none that a topic knows, but it is one.
fn last_event_id(headers: &HeaderMap) -> Option<std::borrow::Cow<'_, str>> {
    let value = headers.get("last-event-id")?.as_bytes();
    (!value.is_empty()).then(|| String::from_utf8_lossy(value))
}
