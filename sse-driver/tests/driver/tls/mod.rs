//! TLS over the driver's transports, and the server over TLS.

pub(crate) mod authority;
mod by_hand;
mod pair;
mod serving;
mod subscribing;
mod tampering;
