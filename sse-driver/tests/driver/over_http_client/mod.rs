//! The event source over a foreign HTTP client.

mod alone;
mod same;
