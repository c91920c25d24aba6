//! The errors of certificates, keys and roots.

use std::{error::Error, fmt, io, path::PathBuf};

use rustls::pki_types::pem;

/// The error of a certificate, a key or a TLS configuration. Its text names the file that is wrong, and
/// what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read, for this reason.
    Unreadable(PathBuf, io::Error),
    /// The file has a PEM header but is not valid PEM.
    NotPem(Source, pem::Error),
    /// The source has no certificate: it needs a section that begins with `-----BEGIN CERTIFICATE-----`.
    NoCertificate(Source),
    /// The source has no private key, or only an encrypted one. Decrypt the key, for example by `openssl
    /// pkey`.
    NoKey(Source),
    /// A certificate in the source is not valid.
    BadCertificate(Source, rustls::Error),
    /// A private key in the source is not valid, or of a kind that is not supported.
    BadKey(Source, rustls::Error),
    /// The key does not belong to the chain's first certificate. Put the key's own certificate first.
    KeyMismatch {
        /// The source of the certificate.
        chain: Source,
        /// The source of the key.
        key: Source,
    },
    /// The platform has no certificates to verify servers with, such as in a container without a
    /// certificate store.
    NoPlatformRoots(rustls::Error),
    /// rustls rejects the configuration.
    Config(rustls::Error),
}

/// The source of a certificate or a key: a file, or bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Bytes that the caller passed.
    Bytes,
    /// The file at this path.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes => write!(f, "the given PEM"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(file, error) => {
                write!(f, "cannot read {}: {error}", file.display())
            }
            Self::NotPem(source, error) => write!(f, "{source} is not valid PEM: {error}"),
            Self::NoCertificate(source) => write!(
                f,
                "no certificate in {source}: it needs a section that begins with \
                 `-----BEGIN CERTIFICATE-----`"
            ),
            Self::NoKey(source) => write!(
                f,
                "no private key in {source}: it needs a section that begins with \
                 `-----BEGIN PRIVATE KEY-----`, and is not encrypted"
            ),
            Self::BadCertificate(source, error) => {
                write!(f, "a certificate in {source} cannot be used: {error}")
            }
            Self::BadKey(source, error) => {
                write!(f, "the private key in {source} cannot be used: {error}")
            }
            Self::KeyMismatch { chain, key } => write!(
                f,
                "the private key in {key} is not that of the first certificate in {chain}: the \
                 chain has to begin with the key's own certificate"
            ),
            Self::NoPlatformRoots(error) => write!(
                f,
                "the platform has no certificates to verify servers with ({error}): install its \
                 certificate store (`ca-certificates` on Debian and Alpine), name one in \
                 SSL_CERT_FILE, or give roots of your own"
            ),
            Self::Config(error) => write!(f, "rustls rejects the configuration: {error}"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            Self::NotPem(_, error) => Some(error),
            Self::BadCertificate(_, error)
            | Self::BadKey(_, error)
            | Self::NoPlatformRoots(error)
            | Self::Config(error) => Some(error),
            Self::NoCertificate(_) | Self::NoKey(_) | Self::KeyMismatch { .. } => None,
        }
    }
}

impl From<TlsError> for io::Error {
    /// Wraps the error as the [inner one](io::Error::get_ref). The kind is that of the file's error where
    /// a file cannot be read, because that may change. Every other kind is
    /// [`io::ErrorKind::Unsupported`], which ends a subscription.
    fn from(error: TlsError) -> Self {
        let kind = match &error {
            TlsError::Unreadable(_, error) => error.kind(),
            _ => io::ErrorKind::Unsupported,
        };
        Self::new(kind, error)
    }
}
