//! TLS over the driver's transports, and the server over TLS.

mod authority;
mod pair;
mod serving;
mod tampering;
