//! The phases of an event source.

/// The phase of an [`EventSource`](super::EventSource).
///
/// The [module](super) has the table of all transitions. The standard's `readyState` is OPEN in `Open`,
/// CLOSED in `Closed` and CONNECTING in all other phases.
///
/// The server's machine has a `Phase` of its own, because the two share no state: write `client::Phase`
/// and `server::Phase` where both are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The application may change the next request.
    Preparing,
    /// The caller is making a connection.
    Connecting,
    /// The request is being sent, and the response's head has not arrived yet.
    Requesting,
    /// The response is not an event stream; the event source receives its body, up to a bound.
    Unexpected,
    /// The event stream is open.
    Open,
    /// The event source waits before it connects again.
    Waiting,
    /// The application paused: there is no connection, and no attempt before the application resumes.
    Paused,
    /// The subscription is over.
    Closed,
}
