//! The next request, for the application to change.

use ::http::{HeaderMap, Method};
use bytes::Bytes;

use super::{Loss, UnexpectedResponse, target::Target};
use crate::EventId;

/// An attempt that is about to be made, from
/// [`ClientEvent::Prepare`](super::ClientEvent::Prepare): what the request is to be.
///
/// Change what you like, and give it back with [`EventSource::attempt`](super::EventSource::attempt). What
/// was changed stays for later attempts, until it is changed again or a redirect changes it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// Which attempt this is since the stream was open last, or since the beginning: 1 for the
    /// first.
    pub number: u32,
    /// What ended the attempt before this one; `None` for the first. To change it changes nothing.
    pub loss: Option<Loss>,
    /// Where it goes.
    pub url: String,
    /// Whether a redirect led to the origin of `url`, which the application did not name itself. While
    /// this is true, `Authorization`, `Cookie` and `Proxy-Authorization` are left out of the request:
    /// they are another server's. Set it to false to trust the origin.
    pub is_redirected: bool,
    /// The method.
    pub method: Method,
    /// Header fields, as in
    /// [`EventSourceConfig::headers`](super::EventSourceConfig::headers): without those that are
    /// there anyway, and without credentials that a redirect took away.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The last event ID that goes along; empty for none.
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
            // What a header field can carry an `EventId` can, too.
            last_event_id: EventId::new(last_event_id).unwrap_or_default(),
        }
    }

    /// Returns the response that ended the attempt before this one, if that was no event stream, such as
    /// a 401.
    #[must_use]
    pub fn unexpected_response(&self) -> Option<&UnexpectedResponse> {
        self.loss.as_ref()?.unexpected_response()
    }
}
