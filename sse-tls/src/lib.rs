//! TLS settings for servers and clients of event streams.
//!
//! The driver in `sse-core` speaks TLS with whatever configuration of [rustls] it is handed. This
//! crate makes the usual ones: a server's from PEM files, a client's with the platform's roots or
//! with given ones. It also brings what the core may not have, the cryptography with its
//! randomness (`ring`). The adapters have it under the name `tls`.
//!
//! ```no_run
//! // A server's certificate, with those that lead to its root, and its key.
//! let server = sse_tls::server_config_from_files("cert.pem", "key.pem")?;
//!
//! // A client that trusts one more root than the platform does.
//! let client = sse_tls::ClientTls::new()
//!     .with_platform_roots()?
//!     .with_roots(&std::fs::read("ca.pem")?)?
//!     .build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Both speak TLS 1.3 and 1.2, and say by ALPN that they speak HTTP/1.1. Whoever needs anything
//! else, client certificates that a server asks for say, builds a [`ServerConfig`] or a
//! [`ClientConfig`] with rustls, which is re-exported here.

#![deny(missing_docs)]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod error;
mod pem;
mod server;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
pub use rustls::{self, ClientConfig, ServerConfig};

pub use client::{ClientTls, platform_client_config};
pub use error::TlsError;
pub use server::{server_config, server_config_from_files};

/// The protocol of every connection, as ALPN has it.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The cryptography: `ring`. It does not depend on what the process has chosen as a default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
