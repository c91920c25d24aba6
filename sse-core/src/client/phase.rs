//! The names of an event source's states.

/// What an [`EventSource`](super::EventSource) is doing.
///
/// The [module](super) has the whole table of what leads from one to another. The standard's
/// `readyState` is OPEN in `Open`, CLOSED in `Closed` and CONNECTING in all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The application may change the next request.
    Preparing,
    /// Waiting for a connection.
    Connecting,
    /// The request goes out, and the response's head is awaited.
    Requesting,
    /// The response is no event stream; its body is awaited, up to a bound.
    Unexpected,
    /// The event stream is open.
    Open,
    /// Waiting for the time to connect again.
    Waiting,
    /// The application paused: there is no connection, and no attempt before it resumes.
    Paused,
    /// It is over.
    Closed,
}
