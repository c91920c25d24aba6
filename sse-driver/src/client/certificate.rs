//! The errors of certificates whose text does not say what to do.

use std::{error::Error, fmt, io};

use rustls::CertificateError;

/// A certificate that is not trusted.
#[derive(Debug)]
struct Untrusted {
    error: rustls::Error,
    reason: Reason,
}

#[derive(Clone, Copy, Debug)]
enum Reason {
    UnknownIssuer,
    /// It is an authority's own, such as one that `openssl req -x509` makes by default.
    IsAuthority,
}

/// Adds what to do to the error of a handshake, if its text does not say that. The error of rustls is the
/// source of the result.
pub(super) fn explain(error: io::Error) -> io::Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    let Some(cause @ rustls::Error::InvalidCertificate(fault)) = cause else {
        return error;
    };
    let Some(reason) = Reason::of(fault) else {
        return error;
    };
    let untrusted = Untrusted {
        error: cause.clone(),
        reason,
    };
    io::Error::new(error.kind(), untrusted)
}

impl Reason {
    fn of(fault: &CertificateError) -> Option<Self> {
        match fault {
            CertificateError::UnknownIssuer => Some(Self::UnknownIssuer),
            // rustls has no name of its own for this, and its type is that of another crate.
            CertificateError::Other(other) if other.0.to_string() == "CaUsedAsEndEntity" => {
                Some(Self::IsAuthority)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::UnknownIssuer => write!(
                f,
                "{}: no authority that is trusted has issued it; give others to `with_tls`",
                self.error
            ),
            Reason::IsAuthority => f.write_str(
                "invalid peer certificate: it is that of an authority (CA:TRUE), which no server may use; \
                 make it with CA:FALSE, or have the authority issue another one",
            ),
        }
    }
}

impl Error for Untrusted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
