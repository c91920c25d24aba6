//! What can be wrong with certificates and keys.

use std::{error::Error, fmt, io, path::PathBuf};

/// Why there is no TLS configuration.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// Something is not PEM.
    Pem {
        /// Which part: the certificates, the key, the roots.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such thing in the PEM.
    Missing {
        /// Which part: the certificates, the key, the roots.
        part: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// Certificates and key are readable, but of no use: they do not belong together, say.
    Unusable {
        /// Which part: the certificates, the key, the roots.
        part: &'static str,
        /// What rustls says.
        error: rustls::Error,
    },
    /// The platform has no root certificates, or none that can be read. What it says.
    NoPlatformRoots(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "cannot read {}: {error}", path.display()),
            Self::Pem { part, reason } => write!(f, "{part} are not proper PEM: {reason}"),
            Self::Missing { part, expected } => {
                write!(f, "there is no {expected} in the PEM of {part}")
            }
            Self::Unusable { part, error } => write!(f, "{part} cannot be used: {error}"),
            Self::NoPlatformRoots(reason) => write!(
                f,
                "no root certificates of the platform can be had ({reason}); \
                 install them (Debian: ca-certificates), or give roots of your own"
            ),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File { error, .. } => Some(error),
            Self::Unusable { error, .. } => Some(error),
            Self::Pem { .. } | Self::Missing { .. } | Self::NoPlatformRoots(_) => None,
        }
    }
}

impl From<TlsError> for io::Error {
    /// Without roots of the platform there is no TLS ([`io::ErrorKind::Unsupported`]); all else is
    /// a mistake in what was handed in ([`io::ErrorKind::InvalidInput`]).
    fn from(error: TlsError) -> Self {
        let kind = match &error {
            TlsError::File { error, .. } => error.kind(),
            TlsError::NoPlatformRoots(_) => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
