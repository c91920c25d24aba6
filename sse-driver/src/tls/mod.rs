//! TLS over any transport, and configurations made of PEM or of what the platform trusts.
//!
//! With the feature `tls`, [`Tls`] speaks TLS over any [`Transport`](crate::Transport), without a
//! crypto provider and without roots: both come with the [rustls] configuration that is handed in.
//! The feature `tls-ring` brings them, for every runtime: [ring], and the certificates that the
//! platform trusts. Configurations are rustls's own, so that one made by hand does as well.
//!
//! ```no_run
//! # #[cfg(feature = "tls-ring")] {
//! use sse_driver::tls::{self, Certificates, Identity, Roots};
//!
//! // A server: its certificate chain, which begins with its own, and its key.
//! let identity = Identity::from_pem_files("chain.pem", "key.pem")?;
//! let server = tls::server_config(&identity)?;
//!
//! // A client that trusts whom the platform trusts, and one that trusts only its own authority.
//! let client = tls::platform_client_config()?;
//! let authority = Certificates::from_pem_file("authority.pem")?;
//! let client = tls::client_config(&Roots::Only(authority), None)?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every configuration speaks TLS 1.3 and 1.2 and names `http/1.1` as its protocol (ALPN).
//!
//! # What the platform trusts
//!
//! [rustls-platform-verifier] asks the verifier of macOS, iOS, Windows and Android itself, which
//! knows revoked and distrusted certificates and fetches roots on demand; copying their roots
//! knows neither. It may take the time that such a look-up takes. On Linux and other Unix systems
//! there is no such verifier, and the certificates of the system's store are read: those named by
//! `SSL_CERT_FILE` and `SSL_CERT_DIR`, or found in the usual places. A container without a store
//! is an [error that says so](TlsError::NoPlatformRoots). On Android the application has to
//! initialise that crate first.
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
