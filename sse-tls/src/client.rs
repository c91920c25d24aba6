//! A client's configuration.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use crate::{HTTP_1_1, TlsError, pem, provider};

/// Makes a client's configuration: whom it trusts, and which certificate it shows.
///
/// A server's certificate has to lead to one of the roots, and to name the host of the URL.
///
/// ```
/// let too_few = sse_tls::ClientTls::new().build();
/// assert!(too_few.is_err(), "a client that trusts nobody");
/// ```
#[derive(Debug, Default)]
pub struct ClientTls {
    roots: Vec<CertificateDer<'static>>,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl ClientTls {
    /// Trusts nobody yet, and shows no certificate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the roots of the platform, too. The environment variables `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` say where else to look for them.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoPlatformRoots`] where there are none.
    pub fn with_platform_roots(mut self) -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let reason = match found.errors.first() {
                Some(error) => error.to_string(),
                None => "there are none".to_owned(),
            };
            return Err(TlsError::NoPlatformRoots(reason));
        }
        self.roots.extend(found.certs);
        Ok(self)
    }

    /// Trusts the certificates in this PEM, too.
    ///
    /// # Errors
    ///
    /// [`TlsError`] where it is not PEM or holds no certificate.
    pub fn with_roots(mut self, pem: &[u8]) -> Result<Self, TlsError> {
        self.roots.extend(pem::certificates("the roots", pem)?);
        Ok(self)
    }

    /// Shows a certificate to servers that ask for one: in PEM, followed by those that lead to its
    /// root, and its private key.
    ///
    /// # Errors
    ///
    /// [`TlsError`] where `certificates` or `key` is not PEM or holds no such thing.
    pub fn with_certificate(mut self, certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let certificates = pem::certificates("the client's certificates", certificates)?;
        let key = pem::private_key("the client's key", key)?;
        self.own = Some((certificates, key));
        Ok(self)
    }

    /// The configuration.
    ///
    /// # Errors
    ///
    /// [`TlsError`] where no root can be used, and where certificate and key do not belong
    /// together. A root among many that rustls does not understand is passed over: platforms have
    /// some of those.
    pub fn build(self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut store = RootCertStore::empty();
        let (used, _) = store.add_parsable_certificates(self.roots);
        if used == 0 {
            return Err(TlsError::Missing {
                part: "the roots",
                expected: "certificate to trust",
            });
        }
        let unusable = |error| TlsError::Unusable {
            part: "the client's certificate and key",
            error,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(store);
        let mut config = match self.own {
            Some((certificates, key)) => builder
                .with_client_auth_cert(certificates, key)
                .map_err(unusable)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Arc::new(config))
    }
}

/// The configuration of a client that trusts the platform's roots. Made at the first call, which
/// reads them, and kept from then on.
///
/// # Errors
///
/// [`TlsError::NoPlatformRoots`] where there are none; the next call looks again.
pub fn platform_client_config() -> Result<Arc<ClientConfig>, TlsError> {
    static KEPT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = KEPT.get() {
        return Ok(config.clone());
    }
    let config = ClientTls::new().with_platform_roots()?.build()?;
    Ok(KEPT.get_or_init(|| config).clone())
}
