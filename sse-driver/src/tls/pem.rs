//! Certificates and keys from PEM.

use std::{fmt, fs, path::Path, sync::Arc};

use rustls::{
    Error, InconsistentKeys, RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};

use super::{Source, TlsError, config::provider};

/// The identity of a server or a client: a certificate, the intermediate ones that sign it, and the
/// private key.
///
/// A server shows it, and so does a client when a server asks. Clones share its memory.
///
/// ```no_run
/// use sse_driver::tls::{Identity, server_config};
///
/// let identity = Identity::from_pem_files("chain.pem", "key.pem")?;
/// let config = server_config(&identity)?;
/// # Ok::<(), sse_driver::tls::TlsError>(())
/// ```
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads a certificate chain, which begins with one's own certificate, and its key.
    ///
    /// The key may be PKCS #8 (`PRIVATE KEY`), PKCS #1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE
    /// KEY`), and not encrypted. Both may be in the same PEM.
    ///
    /// # Errors
    ///
    /// A [`TlsError`] that says which of them is wrong, and why: it is not PEM, it contains no
    /// certificate or no key, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::new((chain, Source::Bytes), (key, Source::Bytes))
    }

    /// Reads the certificate chain and the key from PEM files, as [`from_pem`](Self::from_pem) does from
    /// bytes.
    ///
    /// # Errors
    ///
    /// The errors of [`from_pem`](Self::from_pem), with the file's name, and [`TlsError::Unreadable`]
    /// where a file cannot be read.
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let (chain, chain_source) = read(chain.as_ref())?;
        let (key, key_source) = read(key.as_ref())?;
        Self::new((&chain, chain_source), (&key, key_source))
    }

    fn new(
        (chain, chain_source): (&[u8], Source),
        (key, key_source): (&[u8], Source),
    ) -> Result<Self, TlsError> {
        let chain = certificates(chain, &chain_source)?;
        let key = match PrivateKeyDer::from_pem_slice(key) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => return Err(TlsError::NoKey(key_source)),
            Err(error) => return Err(TlsError::NotPem(key_source, error)),
        };
        match CertifiedKey::from_der(chain, key, &provider()) {
            Ok(identity) => Ok(Self(Arc::new(identity))),
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(TlsError::KeyMismatch {
                    chain: chain_source,
                    key: key_source,
                })
            }
            Err(error @ Error::InvalidCertificate(_)) => {
                Err(TlsError::BadCertificate(chain_source, error))
            }
            Err(error) => Err(TlsError::BadKey(key_source, error)),
        }
    }

    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        self.0.clone()
    }
}

/// Does not show the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.0.cert.len())
            .finish_non_exhaustive()
    }
}

/// The certificates of trusted certificate authorities: at least one.
///
/// ```no_run
/// use sse_driver::tls::{Certificates, Roots, client_config};
///
/// let authority = Certificates::from_pem_file("/etc/ssl/our-authority.pem")?;
/// let config = client_config(&Roots::Only(authority), None)?;
/// # Ok::<(), sse_driver::tls::TlsError>(())
/// ```
#[derive(Clone)]
pub struct Certificates {
    der: Vec<CertificateDer<'static>>,
    source: Source,
}

impl Certificates {
    /// Reads every certificate in `pem`.
    ///
    /// # Errors
    ///
    /// A [`TlsError`] where it is not PEM, contains no certificate, or contains one that is not valid.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TlsError> {
        Self::new(pem, Source::Bytes)
    }

    /// Reads every certificate in a PEM file.
    ///
    /// # Errors
    ///
    /// The errors of [`from_pem`](Self::from_pem), with the file's name, and [`TlsError::Unreadable`]
    /// where the file cannot be read.
    pub fn from_pem_file(file: impl AsRef<Path>) -> Result<Self, TlsError> {
        let (pem, source) = read(file.as_ref())?;
        Self::new(&pem, source)
    }

    fn new(pem: &[u8], source: Source) -> Result<Self, TlsError> {
        let der = certificates(pem, &source)?;
        let certificates = Self { der, source };
        certificates.roots()?;
        Ok(certificates)
    }

    #[cfg(not(target_os = "android"))]
    pub(crate) fn der(&self) -> &[CertificateDer<'static>] {
        &self.der
    }

    pub(crate) fn roots(&self) -> Result<Arc<RootCertStore>, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in &self.der {
            roots
                .add(certificate.clone())
                .map_err(|error| TlsError::BadCertificate(self.source.clone(), error))?;
        }
        Ok(Arc::new(roots))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("count", &self.der.len())
            .field("source", &self.source)
            .finish()
    }
}

fn read(file: &Path) -> Result<(Vec<u8>, Source), TlsError> {
    match fs::read(file) {
        Ok(bytes) => Ok((bytes, Source::File(file.to_owned()))),
        Err(error) => Err(TlsError::Unreadable(file.to_owned(), error)),
    }
}

fn certificates(pem: &[u8], source: &Source) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::NotPem(source.clone(), error))?;
    match certificates.is_empty() {
        true => Err(TlsError::NoCertificate(source.clone())),
        false => Ok(certificates),
    }
}
