//! Certificates and keys from PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)).

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};

use crate::TlsError;

/// All certificates in `pem`, and at least one.
pub(crate) fn certificates(
    part: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let expected = "certificate (BEGIN CERTIFICATE)";
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(part, expected, &error))?;
    match certificates.is_empty() {
        true => Err(TlsError::Missing { part, expected }),
        false => Ok(certificates),
    }
}

/// The first private key in `pem`.
pub(crate) fn private_key(
    part: &'static str,
    pem: &[u8],
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let expected = "private key (BEGIN PRIVATE KEY)";
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| wrong(part, expected, &error))
}

fn wrong(part: &'static str, expected: &'static str, error: &pem::Error) -> TlsError {
    match error {
        pem::Error::NoItemsFound => TlsError::Missing { part, expected },
        error => TlsError::Pem {
            part,
            reason: error.to_string(),
        },
    }
}
