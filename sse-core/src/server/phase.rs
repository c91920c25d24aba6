//! The phases of a server connection.

/// The phase of a server connection.
///
/// The [module](super) has the table of all transitions. The client's machine has a `Phase` of its own,
/// because the two share no state: write `server::Phase` and `client::Phase` where both are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The machine receives the request head.
    Head,
    /// The machine receives the request body, which the application asked for.
    Body,
    /// The application decides how to respond.
    Responding,
    /// The response is an open event stream.
    Streaming,
    /// The response has ended, and the queued bytes are being delivered.
    Delivering,
    /// Everything is transmitted. The caller was told to end the output, and has not done so yet.
    Ending,
    /// The output has ended. Bytes that the client is still sending are read and discarded, so that a
    /// reset does not destroy the response on its way.
    Lingering,
    /// The connection is over.
    Closed,
}
