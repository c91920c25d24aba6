//! The next request, which the application may change.

use ::http::{HeaderMap, Method};
use bytes::Bytes;

use super::{Loss, UnexpectedResponse, target::Target};
use crate::EventId;

/// The request of the next attempt, from [`ClientEvent::Prepare`](super::ClientEvent::Prepare).
///
/// Change its fields as needed, and give it back with
/// [`EventSource::attempt`](super::EventSource::attempt). Changes stay for later attempts, until the
/// application or a redirect changes the field again.
///
/// ```
/// use std::time::Instant;
/// use sse_core::client::{ClientEvent, EventSource, EventSourceConfig};
///
/// let now = Instant::now();
/// let config = EventSourceConfig::default();
/// let mut source = EventSource::new("http://example.org/events", config, 7)?.with_preparation();
/// let Some(ClientEvent::Prepare(mut attempt)) = source.poll_event(now) else { panic!() };
/// assert_eq!(attempt.number, 1);
/// attempt.url = "http://example.org/events?since=17".to_owned();
/// source.attempt(now, *attempt)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of this attempt since the stream was open last, or since the beginning: 1 for the
    /// first.
    pub number: u32,
    /// What ended the attempt before this one; `None` for the first. Changes to this field have no
    /// effect.
    pub loss: Option<Loss>,
    /// The URL of the request.
    pub url: String,
    /// Whether a redirect led to the origin of `url`, which the application did not name itself. While
    /// this is true, `Authorization`, `Cookie` and `Proxy-Authorization` are left out of the request,
    /// because they are meant for another server. Set it to false to trust the origin.
    pub is_redirected: bool,
    /// The method.
    pub method: Method,
    /// The application's header fields, as in
    /// [`EventSourceConfig::headers`](super::EventSourceConfig::headers), without credentials that a
    /// redirect removed. The fields that the event source adds are not among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The last event ID that the request carries; empty for none.
    pub last_event_id: EventId,
}

impl Attempt {
    pub(super) fn new(
        number: u32,
        loss: Option<Loss>,
        target: &Target,
        last_event_id: &str,
    ) -> Self {
        Self {
            number,
            loss,
            url: target.url().as_str().to_owned(),
            is_redirected: target.is_redirected(),
            method: target.method().clone(),
            headers: target.headers().clone(),
            body: target.body().clone(),
            // Every value that a header field can carry is a valid `EventId`.
            last_event_id: EventId::new(last_event_id).unwrap_or_default(),
        }
    }

    /// Returns the response that ended the attempt before this one, if it was not an event stream, such
    /// as a 401.
    #[must_use]
    pub fn unexpected_response(&self) -> Option<&UnexpectedResponse> {
        self.loss.as_ref()?.unexpected_response()
    }
}
