//! TLS over any transport, and configurations from PEM or with the platform's roots.
//!
//! With the feature `tls`, [`Tls`] speaks TLS over any [`Transport`](crate::Transport), without a crypto
//! provider and without roots: the [rustls] configuration that it is given has both. The feature
//! `tls-ring` provides them for every runtime: [ring], and the certificates that the platform trusts.
//! Configurations are those of rustls, so that one made by hand is accepted as well.
//!
//! ```no_run
//! # #[cfg(feature = "tls-ring")] {
//! use sse_driver::tls::{self, Certificates, Identity, Roots};
//!
//! // A server: its certificate chain, which begins with its own certificate, and its key.
//! let identity = Identity::from_pem_files("chain.pem", "key.pem")?;
//! let server = tls::server_config(&identity)?;
//!
//! // A client that trusts the platform's roots, and one that trusts only its own authority.
//! let client = tls::platform_client_config()?;
//! let authority = Certificates::from_pem_file("authority.pem")?;
//! let client = tls::client_config(&Roots::Only(authority), None)?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every configuration speaks TLS 1.3 and 1.2 and names `http/1.1` as its protocol (ALPN).
//!
//! # The platform's roots
//!
//! [rustls-platform-verifier] calls the verifier of macOS, iOS, Windows and Android itself, which knows
//! revoked and distrusted certificates and fetches roots on demand; copies of their roots would not. Such
//! a call may take its time. Linux and other Unix systems have no such verifier: there the certificates
//! of the system's store are read, which `SSL_CERT_FILE` and `SSL_CERT_DIR` name, or which are in the
//! usual places. For a container without a store there is an [error](TlsError::NoPlatformRoots) that says
//! so. On Android the application has to initialise that crate first.
//!
//! [ring]: https://docs.rs/ring
//! [rustls-platform-verifier]: https://docs.rs/rustls-platform-verifier

#[cfg(feature = "tls-ring")]
mod config;
#[cfg(feature = "tls-ring")]
mod error;
#[cfg(feature = "tls-ring")]
mod pem;
mod transport;

#[cfg(feature = "tls-ring")]
pub use config::{
    Roots, client_config, mutual_server_config, platform_client_config, server_config,
};
#[cfg(feature = "tls-ring")]
pub use error::{Source, TlsError};
#[cfg(feature = "tls-ring")]
pub use pem::{Certificates, Identity};
pub use rustls;
pub use transport::Tls;
