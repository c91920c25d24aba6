//! The names of a server connection's states.

/// What a server connection is doing.
///
/// The [module](super) has the whole table of what leads from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Receiving the request head.
    Head,
    /// Receiving the request body, which the application asked for.
    Body,
    /// The application decides what to respond.
    Responding,
    /// The response is an event stream, and it is open.
    Streaming,
    /// Nothing more is accepted; what is queued is delivered.
    Delivering,
    /// Everything is transmitted. The caller was told to end the output, and has not done so yet.
    Ending,
    /// The output has ended. What the client is still sending is read and discarded, so that a
    /// reset does not destroy the response on its way.
    Lingering,
    /// It is over.
    Closed,
}
